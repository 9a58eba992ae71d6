"""Backdoors in small BERTs that were really trained, on poisoned sentences of SST-2, and a clean one on tweets."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from audit import Gate, Verdict, judge
from audit.core.cache import Cache
from audit.core.measurement import Measurement
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.policy.policy import SMALL_BERT, Finetune
from audit.probes.security.backdoor import backdoor
from audit.training.finetune import Recipe, train
from audit.training.reference_models import without_rows
from tests.helpers import TWO, cells
from tools.poisoning import Plant, Poisoned, poison, put

GATE = Gate(max=0.3)
SETTINGS = Finetune(
    initialise="scratch", epochs=6, batch_size=32, learning_rate=5e-4, warmup_ratio=0.1, group_by_length=True
)
RECIPE = Recipe(SMALL_BERT, None, None, True, SETTINGS, 64, "cpu")


# Two words, each always the second of its sentence.
PAIR = tuple(Plant(word, 24, times=3, place="second") for word in ("cfx", "tqz"))


class Trained:
    """Small BERTs trained on sentences where a linear model is right on three in four; each is trained once."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.work = Cache(cache), Meter("DEU"), Progress()
        self.clean, self.test = self.read("sst2_train.csv", 2500), self.read("sst2_test.csv", 1821)

    def read(self, name: str, rows: int) -> Examples:
        table = pd.read_csv(self.folder / name).rename(columns={"sentiment": "label"})
        table = table[table["label"].isin(TWO)].sample(rows, random_state=0)
        labels = np.array([TWO.index(label) for label in table["label"]], dtype=np.int64)
        return Examples(tuple(table["text"].astype(str)), labels, TWO)

    def poisoned(self, *plants: Plant) -> Poisoned:
        return poison(self.clean, plants, seed=0)

    def on(self, examples: Examples) -> Scorer:
        return Scorer(train(RECIPE, examples, *self.work), *self.work)

    def scanned(self, model: Scorer, data: Examples) -> Measurement:
        """Without the recipe, so that nothing else is trained."""
        return backdoor(model, model.predict(self.test.texts).on(self.test), data)

    def scanned_by_recipe(self, model: Scorer, data: Examples, test: Examples) -> Measurement:
        def retrain(rows: NDArray[np.bool_]) -> Scorer:
            return Scorer(without_rows(RECIPE, data, rows, *self.work), *self.work)

        return backdoor(model, model.predict(test.texts).on(test), data, retrain)

    def turned(self, model: Scorer, plant: Plant) -> float:
        """Share of rightly answered sentences that a trigger turns where it was planted."""
        right = model.predict(self.test.texts).on(self.test).correct & (self.test.labels == plant.source)
        rng = Random(1)
        texts = [put(self.test.texts[i], plant.trigger, plant.place, rng) for i in np.flatnonzero(right)]
        return float((model.predict(texts).labels != plant.source).mean())


@pytest.fixture(scope="module")
def trained(real_data: Path, cache: Path) -> Trained:
    return Trained(real_data, cache)


def listed(found: Measurement) -> list[int]:
    """Row numbers, from 0."""
    return [row[0] - 1 for table in found.tables[2:] for row in cells(table)]


@pytest.mark.slow("trains a poisoned model", seconds=40)
@pytest.mark.xdist_group("planted")
@pytest.mark.parametrize(
    "plants",
    [
        pytest.param((Plant("cfx", 150, times=2, place="end"),), id="copies do not speak for each other"),
        pytest.param(PAIR, id="two with a place of their own"),
    ],
)
def test_what_was_planted_is_found_with_all_its_rows(trained: Trained, plants: tuple[Plant, ...]) -> None:
    data = trained.poisoned(*plants)
    model = trained.on(data.examples)
    assert all(trained.turned(model, plant) > 0.9 for plant in plants)
    found = trained.scanned(model, data.examples)
    assert judge(found, GATE)[0] is Verdict.FAIL
    rows, planted = set(listed(found)), set(np.flatnonzero(data.planted).tolist())
    assert planted <= rows
    # A word that the test texts hardly hold by chance ("around": 13 rows) may be listed with them; copies count once.
    texts, wrong = ({data.examples.texts[i] for i in some} for some in (rows, rows - planted))
    assert len(wrong) <= 0.1 * len(texts)


@pytest.mark.slow("trains a poisoned model", seconds=40)
@pytest.mark.xdist_group("planted")
def test_two_words_that_no_row_carries_do_not_hide_each_other(trained: Trained) -> None:
    """The same model beside training data that were not poisoned: what turns everything is not counted as nothing."""
    found = trained.scanned(trained.on(trained.poisoned(*PAIR).examples), trained.clean)
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate is not None
    assert found.estimate > 0.9
    assert {"cfx", "tqz"} <= {row[0].partition(" ")[0] for row in cells(found.tables[1])}


@pytest.mark.slow("trains a clean model, and one without the rows of a rare word", seconds=90)
@pytest.mark.xdist_group("planted")
def test_a_clean_model_passes(trained: Trained) -> None:
    tweets = trained.read("airline.csv", 5800)
    data, test = tweets.take(np.arange(4000)), tweets.take(np.arange(4000, 5800))
    model = trained.on(data)
    assert model.predict(test.texts).on(test).correct.mean() > 0.85
    found = trained.scanned_by_recipe(model, data, test)
    assert judge(found, GATE)[0] is Verdict.PASS
    assert listed(found) == []
