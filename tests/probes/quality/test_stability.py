"""Unstable answers: counted as by hand, found in real networks that are unstable, and in no others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.stats import binomtest

from audit import NotAssessed, demo
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.measurement import Measurement
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models import precisions
from audit.models.model import Model
from audit.probes.quality.stability import COMPANY, stability
from tests.conftest import CLASSES
from tests.helpers import TWO, cells, examples, predictions, scorer
from tests.inference.test_batches import GPT2, SMALL, save
from tools.unstable import SPOILED, Unmasked

TEXTS = [str(row["text"]) for row in demo.reviews("test", rows=200)]


class Batched:
    """A scorer whose answer to a text is a function of the whole batch and of the text's place in it."""

    def __init__(self, rule: Callable[[Sequence[str], int], Sequence[float]]) -> None:
        self.rule, self.batches = rule, list[Sequence[str]]()

    def predict(self, texts: Sequence[str]) -> Predictions:
        rows = np.concatenate(self.predict_together([[text] for text in texts]))
        return Predictions(rows, TWO)

    def predict_together(self, batches: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        self.batches += batches
        return [np.array([self.rule(batch, i) for i in range(len(batch))], np.float32) for batch in batches]


def answered(model: Scorer, about: Examples) -> Predictions:
    return model.predict(about.texts).on(about)


def measured(model: Any, about: Examples, kind: str = "batch", **more: Any) -> Measurement:
    return stability(model, answered(model, about), kind, **more)


def row_of(found: Measurement, way: str) -> list[Any]:
    (row,) = [row for row in cells(found.tables[0]) if way in row[0]]
    return row


def reviews(n: int = 200, **more: Any) -> Examples:
    return examples(np.arange(n) % 3, CLASSES, texts=TEXTS[:n], **more)


# ---- company


def test_an_answer_that_company_turns_is_counted_with_its_exact_interval() -> None:
    about = examples([0] * 200)
    turned = set(about.texts[:14])
    model = Batched(lambda batch, i: [0.2, 0.8] if len(batch) > 1 and batch[i] in turned else [0.7, 0.3])
    found = measured(model, about)
    exact = binomtest(14, 200).proportion_ci(0.95, method="exact")
    strict = binomtest(14, 200).proportion_ci(0.975, method="exact")
    assert (found.id, found.n) == ("quality.stability[batch]", 200)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.07, strict.low, exact.high))
    _, *shown = row_of(found, "3 other texts")
    np.testing.assert_allclose(shown, (0.07, exact.low, exact.high, 14, 0, 0.5), atol=1e-6)
    assert "14 of 200 answers differ among 3 other texts: 14 right ones turn wrong" in str(found.summary)
    assert len(found.pairs.items) == 8
    assert str(found.pairs.items[0].note) == "negative 0.70 → positive 0.80"


def test_each_text_is_asked_once_alone_and_once_in_company_of_its_own() -> None:
    about = examples([0] * 80)
    model = Batched(lambda batch, i: [0.7, 0.3])
    said = predictions([0] * 80, about)
    stability(cast(Scorer, model), said, "batch")
    alone = [batch[0] for batch in model.batches if len(batch) == 1]
    company = [batch for batch in model.batches if len(batch) > 1]
    assert sorted(alone) == sorted(about.texts)
    assert {len(batch) for batch in company} == {1 + COMPANY}
    assert len(company) == 80
    # Each text is somebody's company as often as any other, and the text itself has every place in turn.
    counts = [sum(batch.count(text) for batch in company) for text in about.texts]
    assert set(counts) == {1 + COMPANY}
    seats = [batch.index(text) for text, batch in zip(alone, company, strict=True)]
    assert np.bincount(seats).min() >= 15


def test_a_scorer_of_ones_own_need_only_predict() -> None:
    about = examples([0] * 100)
    assert measured(scorer(lambda text: [0.7, 0.3]), about).estimate == 0

    class Moody:
        """What it says of a text hangs on how many it is asked about."""

        def predict(self, texts: Sequence[str]) -> Predictions:
            rows = [[0.7, 0.3] if len(texts) == 1 else [0.3, 0.7]] * len(texts)
            return Predictions(np.array(rows, np.float32), TWO)

    assert measured(Moody(), about).estimate == 1


def test_answers_of_this_audit_that_are_others_than_alone_count_too() -> None:
    about = examples([0] * 100)
    found = stability(scorer(lambda text: [0.7, 0.3]), predictions([1] * 20 + [0] * 80, about), "batch")
    assert found.estimate == 0.2
    assert row_of(found, "as this audit asks")[1] == pytest.approx(0.2)
    assert row_of(found, "3 other texts")[1] == 0


def test_no_answer_at_all_is_another_answer() -> None:
    about = examples([0] * 100)
    model = Batched(lambda batch, i: [np.nan, np.nan] if len(batch) > 1 and batch[i] == "text 7" else [0.7, 0.3])
    found = measured(model, about)
    assert found.estimate == 0.01
    assert "1 are no answers at all" in str(found.summary)
    assert str(found.pairs.items[0].note).endswith("→ no answer")


def centred(folder: Path, cache: Path) -> Path:
    """The same model, its head's biases such that the reviews get all classes."""
    rows = scorer_of(Model("test", folder, CLASSES, 32), cache).predict(TEXTS).probabilities.astype(float)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] -= np.log(rows).mean(axis=0).astype(np.float32)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def lively(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights so large that its answers differ from text to text."""
    folder = tmp_path_factory.mktemp("lively")
    return centred(save("bert", untrained, folder / "model", "right", **SMALL), folder / "cache")


def scorer_of(model: Model, cache: Path) -> Scorer:
    return Scorer(model, Cache(cache), Meter("DEU"), Progress())


def test_a_network_that_forgets_its_mask_is_found_and_its_twin_is_not(lively: Path, tmp_path: Path) -> None:
    forgetful, careful = (
        measured(scorer_of(kind("test", lively, CLASSES, 32), tmp_path / name), reviews())
        for name, kind in (("forgetful", Unmasked), ("careful", Model))
    )
    assert forgetful.low is not None
    assert forgetful.low > 0.02
    assert row_of(forgetful, "as this audit asks")[1] == 0  # which pads no text then
    assert careful.estimate == 0
    assert row_of(careful, "3 other texts")[-1] < 1e-5


def test_a_family_that_mixes_padding_in_is_found(untrained: Path, tmp_path: Path) -> None:
    folder = save("fnet", untrained, tmp_path / "model", "right", **{**SMALL, "max_position_embeddings": 64})
    model = Model("test", centred(folder, tmp_path / "cache"), CLASSES, 32)
    found = measured(scorer_of(model, tmp_path / "cache"), reviews())
    assert found.low is not None
    assert found.low > 0.02


def test_of_a_network_that_pads_no_text_the_question_does_not_arise(untrained: Path, tmp_path: Path) -> None:
    folder = save("gpt2", untrained, tmp_path / "model", "right", **GPT2)
    model = Model("test", folder, CLASSES, 32)
    model.network.config.pad_token_id = None
    with pytest.raises(NotAssessed, match="no token to pad") as refused:
        measured(scorer_of(model, tmp_path / "cache"), reviews(20))
    assert not refused.value.arises


# ---- precision


def in_other_precisions(model: Model, cache: Path) -> Mapping[str, Callable[[], Scorer]]:
    return {
        "bfloat16": lambda: scorer_of(precisions.in_dtype(model, "bfloat16"), cache),
        "int8": lambda: scorer_of(precisions.eight_bit(model, Cache(cache))[0], cache),
    }


def test_a_model_that_bears_no_coarser_arithmetic_is_found_and_its_twin_is_not(lively: Path, tmp_path: Path) -> None:
    shown: dict[str, list[list[Any]]] = {}
    for name, spoil in SPOILED.items():
        model = Model("test", spoil(lively, tmp_path / name), CLASSES, 32)
        own, cache = in_other_precisions(model, tmp_path / "cache"), tmp_path / "cache"
        found = measured(scorer_of(model, cache), reviews(), "precision", other_precisions=own)
        shown[name] = cells(found.tables[0])
        assert found.estimate == max(row[1] for row in shown[name])
    sixteen, eight = ([rows[i][1] for rows in shown.values()] for i in (0, 1))
    assert sixteen[0] < 0.1 < 0.3 < sixteen[1]
    assert sixteen[2] < 0.1
    assert eight[0] < 0.1
    assert eight[1] < 0.1  # the head's biases stay in float32
    assert eight[2] > 0.2


def test_what_this_machine_does_not_compute_is_named_with_its_reason() -> None:
    def refuses() -> Scorer:
        raise NotAssessed("8-bit layers are computed on a processor only")

    about = examples([0] * 100)
    same: Mapping[str, Any] = {"bfloat16": lambda: scorer(lambda text: [0.7, 0.3]), "int8": refuses}
    found = measured(scorer(lambda text: [0.7, 0.3]), about, "precision", other_precisions=same)
    assert found.estimate == 0
    assert found.caveats == ["Not tried with linear layers in 8 bits: 8-bit layers are computed on a processor only"]
    for none in ({"int8": refuses}, {}):
        with pytest.raises(NotAssessed):
            measured(scorer(lambda text: [0.7, 0.3]), about, "precision", other_precisions=none)


def test_a_precision_in_which_answers_are_no_numbers_is_held_against_the_model() -> None:
    about = examples([0] * 100)
    broken = set(about.texts[:30])
    overflowing = Batched(lambda batch, i: [np.nan, np.nan] if batch[i] in broken else [0.7, 0.3])
    own = {"bfloat16": lambda: cast(Scorer, overflowing)}
    found = measured(scorer(lambda text: [0.7, 0.3]), about, "precision", other_precisions=own)
    assert found.estimate == pytest.approx(0.3)


def test_a_model_is_held_against_all_precisions_but_its_own() -> None:
    assert precisions.beside("float32") == ("bfloat16", "int8")
    assert precisions.beside("bfloat16") == ("float32", "int8")


# ---- seed


def test_churn_is_told_by_group_and_by_what_became_of_right_answers() -> None:
    truth = np.arange(400) % 2
    groups = ["a" if i < 300 else "b" for i in range(400)]
    about = examples(truth, groups={"who": groups})
    rng = np.random.default_rng(0)
    first, second = (np.where(rng.random(400) < 0.8, truth, 1 - truth) for _ in range(2))
    by_text = dict(zip(about.texts, second, strict=True))
    other = scorer(lambda text: np.eye(2)[by_text[text]])
    found = stability(other, predictions(first, about), "seed", retrained=lambda: other)
    assert found.estimate == pytest.approx((first != second).mean())
    exact = binomtest(int((first != second).sum()), 400).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    row = row_of(found, "another seed")
    assert row[4:6] == [((first == truth) & (second != truth)).sum(), ((first != truth) & (second == truth)).sum()]
    by_group = {row[1]: row[2:4] for row in cells(found.tables[1])}
    assert by_group["a"] == [300, pytest.approx((first != second)[:300].mean())]
    assert by_group["b"] == [100, pytest.approx((first != second)[300:].mean())]
    assert any("not trained here" in str(each) for each in found.caveats)


def test_without_a_recipe_nothing_is_known_of_its_luck() -> None:
    with pytest.raises(NotAssessed, match=r"supply \[model.finetune\]"):
        measured(scorer(lambda text: [0.7, 0.3]), examples([0] * 40), "seed")


# ---- all kinds


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind 'weather'"):
        measured(scorer(lambda text: [0.7, 0.3]), examples([0] * 40), "weather")


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_texts_are_asked_about_all_the_same(n: int) -> None:
    found = measured(scorer(lambda text: [0.7, 0.3]), examples([0] * n))
    assert (found.n, found.estimate) == (n, 0)


def test_no_more_texts_than_the_policy_allows_are_asked_about() -> None:
    found = measured(scorer(lambda text: [0.7, 0.3]), examples([0] * 90, max_examples=40))
    assert found.n == 40
    assert "max_examples" in str(found.ceiling)


def test_a_training_that_breaks_down_is_an_error_and_no_finding() -> None:
    def breaks() -> Scorer:
        raise AuditError("its training broke down.")

    with pytest.raises(AuditError):
        measured(scorer(lambda text: [0.7, 0.3]), examples([0] * 40), "seed", retrained=breaks)
