"""The scorer against the model called by hand, one text at a time; its cache; its order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from audit import demo
from audit.cache import Cache
from audit.energy import Meter
from audit.model import Model
from audit.progress import Progress
from audit.scorer import Scorer

from .conftest import CLASSES

TEXTS = [str(row["text"]) for row in demo.reviews("test", rows=60)] + ["", "one", "é " * 100, "word " * 5000]


def make_scorer(folder: Path, cache: Path) -> Scorer:
    return Scorer(Model("test", folder, CLASSES, 32), Cache(cache), Meter("DEU"), Progress())


def by_hand(folder: Path, texts: list[str]) -> np.ndarray:
    network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    with torch.no_grad():
        for text in texts:
            encoded = tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
            rows.append(torch.softmax(network(**encoded).logits, -1)[0].numpy())
    return np.array(rows)


def test_probabilities_are_the_models_own_whatever_the_batch(untrained: Path, tmp_path: Path) -> None:
    predicted = make_scorer(untrained, tmp_path / "cache").predict(TEXTS)
    assert predicted.probabilities.dtype == np.float32
    np.testing.assert_allclose(predicted.probabilities, by_hand(untrained, TEXTS), atol=1e-5)


def test_each_distinct_text_runs_once_and_never_again(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    first = scorer.predict(TEXTS + TEXTS[::-1])
    assert scorer.counts.forward_passes == len(set(TEXTS))
    np.testing.assert_array_equal(first.probabilities[: len(TEXTS)], first.probabilities[len(TEXTS) :][::-1])
    again = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(again.predict(TEXTS).probabilities, first.probabilities[: len(TEXTS)])
    assert again.counts.forward_passes == 0
    assert again.counts.cache_hits == len(TEXTS)


def test_other_preprocessing_is_another_cache_entry(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    scorer.predict(TEXTS)
    shorter = Scorer(Model("test", untrained, CLASSES, 8), Cache(tmp_path / "cache"), Meter("DEU"), Progress())
    shorter.predict(TEXTS)
    assert shorter.counts.forward_passes == len(set(TEXTS))


@pytest.mark.parametrize("damage", [b"", b"not a data base at all" * 100])
def test_a_damaged_cache_is_rebuilt(untrained: Path, tmp_path: Path, damage: bytes) -> None:
    expected = make_scorer(untrained, tmp_path / "cache").predict(TEXTS).probabilities
    for path in (tmp_path / "cache").glob("predictions.sqlite*"):
        path.write_bytes(damage)
    scorer = make_scorer(untrained, tmp_path / "cache")
    np.testing.assert_array_equal(scorer.predict(TEXTS).probabilities, expected)
    assert scorer.counts.forward_passes == len(set(TEXTS))


def test_lone_surrogates_are_read_as_the_sign_for_what_cannot_be_read(untrained: Path, tmp_path: Path) -> None:
    scorer = make_scorer(untrained, tmp_path / "cache")
    broken, repaired = scorer.predict(["a good \ud800 lamp\udfff", "a good \ufffd lamp\ufffd"]).probabilities
    np.testing.assert_array_equal(broken, repaired)
    np.testing.assert_allclose(broken, by_hand(untrained, ["a good \ufffd lamp\ufffd"])[0], atol=1e-5)
    assert scorer.counts.forward_passes == 1


def test_a_cut_by_characters_changes_the_answer_to_longer_texts_only(untrained: Path, tmp_path: Path) -> None:
    make_scorer(untrained, tmp_path / "cache").predict(TEXTS)
    model, cache = Model("test", untrained, CLASSES, 32), Cache(tmp_path / "cache")
    cutting = Scorer(model, cache, Meter("DEU"), Progress(), max_characters=20)
    predicted = cutting.predict(TEXTS).probabilities
    np.testing.assert_allclose(predicted, by_hand(untrained, [text[:20] for text in TEXTS]), atol=1e-5)
    assert cutting.counts.forward_passes == len({text[:20] for text in TEXTS if len(text) > 20})


def test_no_texts_give_no_rows(untrained: Path, tmp_path: Path) -> None:
    assert make_scorer(untrained, tmp_path / "cache").predict([]).probabilities.shape == (0, 3)


def test_predictions_must_fit_their_examples(untrained: Path, tmp_path: Path) -> None:
    from audit.data import Examples

    predictions = make_scorer(untrained, tmp_path / "cache").predict(["a", "b"])
    with pytest.raises(ValueError, match="2 predictions for 1 examples"):
        predictions.on(Examples(("a",), np.array([0]), CLASSES))
    with pytest.raises(ValueError, match="know no examples"):
        _ = predictions.truth
