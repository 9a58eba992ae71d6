"""No seed decides what a model is asked: else the best of twenty seeds would release what the gate is there to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest

from audit import Predictions
from audit.data.examples import Protocol
from audit.inference.scorer import Scorer
from audit.probes.ethics.varieties import language_variety
from audit.probes.quality.behaviour import behaviour
from audit.probes.security.adversarial import adversarial
from audit.probes.security.perturbation import perturbation
from tests.helpers import TWO, examples, predictions, scorer
from tests.probes.security import test_perturbation as disturbed

TEXTS = disturbed._reviews(120)


class _Listening:
    """Answers by the letters of a text, and remembers what it was asked, in order."""

    def __init__(self) -> None:
        self.inner = scorer(lambda text: [0.1, 0.9] if sum(map(ord, text)) % 7 else [0.9, 0.1])
        self.asked: list[str] = []

    def predict(self, texts: Sequence[str]) -> Predictions:
        self.asked += texts
        return self.inner.predict(texts)


def _answers(seed: int) -> Predictions:
    labels = np.ones(len(TEXTS), dtype=int)
    return predictions(labels, examples(labels, texts=TEXTS, seed=seed, max_examples=80))


PROBES: dict[str, Callable[[Any, int], Any]] = {
    "perturbation": lambda model, seed: perturbation(model, _answers(seed), "typos", size=60),
    "adversarial": lambda model, seed: adversarial(model, _answers(seed), queries=20),
    "behaviour": lambda model, seed: behaviour(model, TWO, "negation_of_positive", protocol=Protocol(seed=seed)),
    "language_variety": lambda model, seed: language_variety(model, _answers(seed), "non_native"),
}


@pytest.mark.parametrize("name", PROBES)
def test_no_seed_changes_what_is_asked(name: str) -> None:
    asked = []
    for seed in (0, 1):
        model = _Listening()
        PROBES[name](cast(Scorer, model), seed)
        asked.append(model.asked)
    assert asked[0]
    assert asked[0] == asked[1]
