"""Other models beside the audited one: made once, by the recipe that each claims, or left out with the reason."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy import meter as energy
from audit.energy.meter import Meter
from audit.experiments.alternatives import Alternative, Alternatives, Bench
from audit.inference import latency
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.models.precisions import EightBit
from audit.policy.policy import ALTERNATIVES, Finetune
from audit.training.finetune import Recipe, train
from audit.training.reference_models import LinearModel
from tests.conftest import CLASSES
from tests.helpers import english, save_tiny
from tests.training.test_reference_models import reviews

pytestmark = [
    pytest.mark.slow("trains the models that stand beside the audited one", seconds=20),
    pytest.mark.xdist_group("alternatives"),
]


@dataclass
class Place:
    """Where a run of the audit makes them."""

    folder: Path
    base: Path
    meter: Meter = field(default_factory=lambda: Meter("DEU"))
    scorers: list[Scorer] = field(default_factory=list)

    @property
    def cache(self) -> Cache:
        return Cache(self.folder)

    def scorer_of(self, model: Model) -> Scorer:
        self.scorers.append(Scorer(model, self.cache, self.meter, Progress()))
        return self.scorers[-1]

    def bench(self, train_on: Examples, test: Examples) -> Bench:
        """A model is fine-tuned from the base, as one would from pretrained weights."""
        settings = Finetune(epochs=4, max_steps=20, batch_size=32, learning_rate=1e-3, validation=0.0)
        recipe = Recipe(str(self.base), self.base, None, True, settings, 32, "cpu")
        model = train(recipe, train_on, self.cache, self.meter, Progress())
        linear = LinearModel(train_on, self.cache, self.meter)
        return Bench(
            self.scorer_of(model), self.scorer_of, linear, recipe, train_on, test, self.cache, self.meter, Progress()
        )


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Measurements that take a moment; what they give is not looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy, "BLOCK_S", 0.05)
        patch.setattr(energy, "IDLE_S", 0.05)
        patch.setattr(latency, "SINGLE", 20)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, untrained: Path, quick: None) -> Place:
    return Place(tmp_path_factory.mktemp("alternatives"), untrained)


@pytest.fixture(scope="module")
def bench(place: Place) -> Bench:
    return place.bench(reviews("train", 600), reviews("test", 300))


@pytest.fixture(scope="module")
def found(bench: Bench) -> Alternatives:
    return bench.alternatives(ALTERNATIVES)


def of(found: Alternatives, kind: str) -> Alternative:
    (alternative,) = [each for each in found.made if each.kind == kind]
    return alternative


def test_all_are_made_and_measured_on_the_same_texts(found: Alternatives, bench: Bench) -> None:
    assert [each.kind for each in found.made] == ["audited", *ALTERNATIVES]
    assert found.left_out == {}
    for each in found.made:
        assert each.predictions.known is bench.test
        np.testing.assert_allclose(each.predictions.probabilities.sum(axis=1), 1, atol=1e-5)
        assert (each.training is None) == (each.kind == "int8")
        assert each.training is None or (each.training["energy"]["kwh"] > 0 and each.training["created"])
        assert len(each.inference["blocks"]) == 5
        assert all(block["texts"] > 0 and block["tokens"] > 0 for block in each.inference["blocks"])
        assert 0 < each.latency["median_s"] <= each.latency["p95_s"]
        assert (each.latency["texts"], each.latency["clock"]) == (20, "processor")
        assert each.size > each.parameters > 0


def test_a_second_time_trains_predicts_and_measures_nothing(found: Alternatives, bench: Bench, place: Place) -> None:
    later = Place(place.folder, place.base)
    again = later.bench(bench.members or bench.test, bench.test).alternatives(ALTERNATIVES)
    assert later.meter.phases == []
    assert [scorer.counts.forward_passes for scorer in later.scorers] == [0] * 5
    for one, other in zip(found.made, again.made, strict=True):
        np.testing.assert_array_equal(one.predictions.probabilities, other.predictions.probabilities)
        assert replace(one, predictions=other.predictions) == other


def test_the_recurrent_network_learns_to_read(found: Alternatives) -> None:
    recurrent = of(found, "recurrent")
    guessing = np.bincount(recurrent.predictions.truth).max() / len(recurrent.predictions)
    assert recurrent.predictions.correct.mean() > guessing + 0.1
    training: Any = recurrent.training
    assert training["examples"] == 600
    assert training["recipe"]["epochs"] == 4  # as many as the policy's recipe


def test_frozen_layers_stay_as_the_base_has_them(found: Alternatives, place: Place) -> None:
    base = AutoModelForSequenceClassification.from_pretrained(place.base).state_dict()
    networks = [scorer.model.network.state_dict() for scorer in place.scorers if scorer.model.source == str(place.base)]
    moved = [{name.split(".")[1] for name in base if not torch.equal(base[name], made[name])} for made in networks[:3]]
    # the audited one, the head alone, the last two layers (here all but the embeddings)
    assert moved == [{"embeddings", "encoder", "pooler", "weight", "bias"}, {"pooler", "weight", "bias"},
                     {"encoder", "pooler", "weight", "bias"}]  # fmt: skip
    assert of(found, "head").training["trainable_parameters"] < of(found, "last:2").training["trainable_parameters"]  # type: ignore[index]


def test_eight_bits_say_nearly_the_same_in_less_room(found: Alternatives, bench: Bench) -> None:
    audited, quantised = of(found, "audited"), of(found, "int8")
    assert (audited.predictions.labels == quantised.predictions.labels).mean() > 0.97
    difference = np.abs(audited.predictions.probabilities - quantised.predictions.probabilities)
    assert 1e-4 < difference.max() < 0.15
    model = bench.scorer.model
    assert EightBit.of(model).fingerprint != model.fingerprint
    # Each linear weight takes a byte in the place of four; all else stays.
    linear = sum(p.weight.numel() for p in model.network.modules() if isinstance(p, torch.nn.Linear))
    assert audited.size - quantised.size == pytest.approx(3 * linear, rel=0.05)
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}  # the audited one is left alone


def test_counting_words_is_the_linear_model(found: Alternatives, bench: Bench) -> None:
    words = of(found, "words")
    assert bench.linear is not None
    np.testing.assert_array_equal(words.predictions.probabilities, bench.linear.forward(bench.test.texts))
    assert words.predictions.correct.mean() > 0.6


def reason(bench: Bench, kind: str) -> str:
    left_out = bench.alternatives([kind]).left_out
    assert list(left_out) == [kind]
    assert not left_out[kind].endswith(".")
    return left_out[kind]


def test_what_cannot_be_made_is_left_out_with_the_reason(bench: Bench, tmp_path: Path) -> None:
    assert bench.recipe is not None
    for kind in ("words", "recurrent", "head"):
        assert "[data] train" in reason(replace(bench, members=None, linear=None), kind)
    one_class = bench.test.take(bench.test.labels == 0)
    alone = LinearModel(one_class, Cache(tmp_path / "cache"), bench.meter)
    assert "all of class 'negative'" in reason(replace(bench, linear=alone), "words")
    assert "[model.finetune]" in reason(replace(bench, recipe=None), "head")
    for change in ({"initialise": "scratch"}, {"train": "last:2"}):
        recipe = replace(bench.recipe, settings=bench.recipe.settings.model_copy(update=change))
        expected = "random" if "initialise" in change else "itself freezes"
        assert expected in reason(replace(bench, recipe=recipe), "last:2")
    assert "random" in reason(replace(bench, recipe=replace(bench.recipe, base=None)), "head")
    save_tiny(tmp_path / "one", id2label=dict(enumerate(CLASSES)), label2id={n: i for i, n in enumerate(CLASSES)})
    one_layer = replace(bench, recipe=replace(bench.recipe, base=tmp_path / "one"))
    assert "1 layers" in reason(one_layer, "last:2")


def test_a_torch_without_8_bit_layers_makes_no_8_bit_version(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")
    assert "no 8-bit layers" in reason(replace(bench, cache=Cache(tmp_path)), "int8")


def test_a_suite_gets_those_that_the_policy_names(
    pytester: pytest.Pytester, write_policy: Callable[..., Path], tmp_path: Path, quick: None
) -> None:
    write_policy(environment='alternatives = ["words", "head"]')
    pytester.makepyfile(
        """
        def test_mine(alternatives, predictions):
            assert [each.kind for each in alternatives.made] == ["audited", "words"]
            assert (alternatives.made[0].predictions.labels == predictions.labels).all()
            assert list(alternatives.left_out) == ["head"]
        """
    )
    options = ["-p", "no:cacheprovider", f"--audit-cache={tmp_path}"]
    pytester.runpytest(*options).assert_outcomes(passed=1)
    record = english(json.loads((pytester.path / "reports" / "audit.json").read_text("utf-8")))
    assert {"word counts", "measure inference", "measure latency"} <= {p["name"] for p in record["energy"]["phases"]}
    assert record["scoring"]["forward_passes"] > 0
    time.sleep(1.1)  # what is kept is told from what is made by the second
    pytester.runpytest(*options).assert_outcomes(passed=1)
    record = english(json.loads((pytester.path / "reports" / "audit.json").read_text("utf-8")))
    assert record["scoring"]["forward_passes"] == 0
    assert [each["name"] for each in record["energy"]["kept"]] == ["word counts", "measure inference"]


def test_only_those_asked_for_are_made(bench: Bench) -> None:
    assert [each.kind for each in bench.alternatives(["words", "words"]).made] == ["audited", "words"]
    assert [each.kind for each in bench.alternatives([]).made] == ["audited"]
