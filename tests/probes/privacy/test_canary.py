"""The bound on ε that canaries give: of twins that remember, that do not, and of coins that nobody can know."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from audit import Gate, Verdict, judge
from audit.core.evidence import to_json
from audit.core.measurement import Measurement
from audit.inference.scorer import Scorer
from audit.probes.privacy.canary import canary_epsilon
from audit.probes.privacy.membership_attacks import canary_memory, scaled_confidence
from audit.statistics import gaussian_epsilon, gaussian_lower_bound
from audit.training.canaries import Canaries, CanaryTwin
from tests.helpers import THREE, TWO, examples, scorer

COUNT = 400


def canaries(seed: int = 0, classes: tuple[str, ...] = TWO) -> Canaries:
    rng = np.random.default_rng(seed)
    copies = np.concatenate([np.ones(COUNT, int), np.full(8, 4), np.full(4, 16)])
    texts = [f"secret {i} of {seed}" for i in range(len(copies))]
    made = examples(rng.integers(0, len(classes), len(copies)), classes, texts=texts)
    return Canaries(made, copies, (rng.random(len(copies)) < 0.5) | (copies > 1))


def reader(made: Canaries, memory: float, noise: int = 1) -> Scorer:
    """A model that is surer of the label of what it saw; `noise` is its own, what is hard for all models is shared."""
    shared = np.random.default_rng(99).normal(size=(len(made.copies), len(made.examples.classes)))
    own = np.random.default_rng(noise).normal(size=shared.shape)
    logits = 1.5 * shared + 0.7 * own
    seen = memory * made.planted * np.sqrt(made.copies)
    logits[np.arange(len(logits)), made.examples.labels] += seen
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    by_text = dict(zip(made.examples.texts, chances, strict=True))
    return scorer(lambda text: by_text[text].tolist(), made.examples.classes)


def measure(made: Canaries, memory: float, noise: int = 1) -> Measurement:
    return canary_epsilon(CanaryTwin(made, reader(made, memory, noise)), reader(made, 0.0, noise + 1), delta=1e-5)


@pytest.mark.parametrize("classes", [TWO, THREE])
def test_a_recipe_that_learns_by_heart_fails_and_one_that_does_not_is_no_pass(classes: tuple[str, ...]) -> None:
    made = canaries(0, classes)
    gate = Gate(max=1.0)
    assert judge(measure(made, 4.0), gate) == (Verdict.FAIL, "the whole interval is beyond the gate")
    verdict, reason = judge(measure(made, 0.0), gate)
    assert verdict is Verdict.NOT_EXCEEDED
    assert "the leak itself is not bounded" in reason


@pytest.mark.parametrize(("gate", "is_possible"), [(3.0, True), (4.39, True), (4.41, False), (8.0, False)])
def test_a_gate_that_no_memory_could_fail_is_not_assessed(gate: float, is_possible: bool) -> None:
    made = canaries()
    perfect, forgetful = measure(made, 30.0), measure(made, 0.0)
    verdict, reason = judge(forgetful, Gate(max=gate))
    assert verdict is (Verdict.NOT_EXCEEDED if is_possible else Verdict.NOT_ASSESSED)
    if is_possible:
        assert judge(perfect, Gate(max=gate))[0] is Verdict.FAIL
        assert "would have failed in 90 % of audits; the largest provable bound is 4.4" in reason
    else:
        assert judge(perfect, Gate(max=gate))[0] is Verdict.NOT_ASSESSED
        assert reason.startswith(f"400 canaries were drawn, with which the gate ε ≤ {gate:g} could not fail")
    # Whatever the gate: how large a bound could have been, and what would have been noticed at all.
    assert forgetful.facts["largest provable ε, were all guesses right"] == pytest.approx(4.402, abs=1e-3)
    assert forgetful.facts["true ε noticed in 90 % of audits"] == pytest.approx(0.378, abs=1e-3)


def test_the_more_is_remembered_the_larger_the_bound() -> None:
    made = canaries()
    found = [measure(made, memory).low for memory in (0.0, 1.5, 3.0, 6.0, 30.0)]
    assert found == sorted(found)  # type: ignore[type-var]
    assert found[0] == 0
    # All of 360 guesses are right: at half of the error on one side, q^360 = 0.0125, less the term of δ.
    q = 0.0125 ** (1 / 360)
    assert found[-1] == pytest.approx(np.log(q / (1 - q)), abs=0.2)
    assert found[-1] < np.log(q / (1 - q))  # type: ignore[operator]


def test_the_figures_that_it_tells() -> None:
    made = canaries()
    found = measure(made, 1.5)
    assert (found.high, found.n, found.sample) == (None, COUNT, "canaries")
    assert found.low == found.estimate
    names = ("planted", "guesses", "right guesses", "right by chance")
    planted, guesses, right, by_chance = np.array([found.facts[name] for name in names], dtype=float)
    assert planted == made.planted[:COUNT].sum()
    assert guesses in (120, 360)
    assert by_chance == guesses / 2 < right <= guesses
    assert found.summary.startswith(f"Of {guesses:.0f} guesses")
    assumed = found.facts["lower bound on ε, assuming normal noise (μ-GDP)"]
    mu = gaussian_lower_bound(int(right), int(guesses), COUNT, confidence=0.9875)
    assert assumed == pytest.approx(gaussian_epsilon(mu, 1e-5))
    assert found.low < assumed  # type: ignore[operator]
    rows = {row[0]: row for row in np.array(found.tables[0].rows, dtype=float)}
    assert list(rows) == [1, 4, 16]
    scores = canary_memory(
        reader(made, 1.5).predict(made.examples.texts).probabilities,
        reader(made, 0.0, 2).predict(made.examples.texts).probabilities,
        made.examples.labels,
    )
    for times, row in rows.items():
        chosen = (made.planted & (made.copies == times)) | ~made.planted
        assert row[2] == pytest.approx(roc_auc_score(made.planted[chosen], scores[chosen]))
    assert rows[1][2] < rows[16][2]


def test_no_canary_stands_in_the_finding() -> None:
    found = measure(canaries(), 3.0)
    shown = (found.method, found.summary, *found.caveats, *map(to_json, found.evidence))
    assert "secret" not in json.dumps(shown)


@pytest.mark.slow("audits two hundred tosses", seconds=5)
@pytest.mark.parametrize("classes", [TWO, THREE])
def test_coins_that_nobody_can_know_prove_nothing(classes: tuple[str, ...]) -> None:
    # The twin saw none of the canaries that its coins name; over 200 tosses the bound is 0 in at least 181.
    made = canaries(0, classes)
    twin, other = reader(made, 0.0), reader(made, 0.0, 2)
    rng = np.random.default_rng(5)

    def toss() -> float | None:
        coins = (rng.random(len(made.copies)) < 0.5) | (made.copies > 1)
        return canary_epsilon(CanaryTwin(replace(made, planted=coins), twin), other, delta=1e-5).low

    bounds = [toss() for _ in range(200)]
    assert sum(bound == 0 for bound in bounds) >= 181
    # … yet it is not the bound of somebody who never says anything.
    assert any(bound for bound in bounds)


def _residuals(own: NDArray[np.float32], other: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the twin says of each class, less the line through what the other model says: by numpy's own fit."""
    every = []
    for k in range(own.shape[1]):
        said, expected = (scaled_confidence(p, np.full(len(labels), k)) for p in (own, other))
        slope, start = np.polyfit(expected, said, 1)
        every.append(said - start - slope * expected)
    return np.array(every)[labels, np.arange(len(labels))]


def test_the_score_is_the_residual_of_a_least_squares_fit() -> None:
    rng = np.random.default_rng(0)
    own, other = (rng.dirichlet(np.ones(3), 50).astype(np.float32) for _ in range(2))
    labels = rng.integers(0, 3, 50)
    assert canary_memory(own, other, labels) == pytest.approx(_residuals(own, other, labels), abs=1e-9)


def test_a_model_that_says_the_same_of_everything_is_no_obstacle() -> None:
    own = np.random.default_rng(0).dirichlet(np.ones(2), 20)
    constant = np.full((20, 2), 0.5)
    labels = np.arange(20) % 2
    scores = canary_memory(own, constant, labels)
    assert np.isfinite(scores).all()
    said = scaled_confidence(own, labels)
    for k in (0, 1):
        assert (np.argsort(scores[labels == k]) == np.argsort(said[labels == k])).all()
