"""Accuracy and macro F1 equal scikit-learn's; their intervals, and the tables behind them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support
from statsmodels.stats.proportion import proportion_confint

from audit import statistics
from audit.probes import quality
from audit.scorer import Predictions
from tests.helpers import THREE, TWO, examples, predictions


def _random(classes: tuple[str, ...], n: int, seed: int, confidence: float = 0.95) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(classes), n)
    said = np.where(rng.random(n) < 0.6, truth, rng.integers(0, len(classes), n))
    return predictions(said, examples(truth, classes, confidence=confidence))


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("seed", range(3))
def test_estimates_are_scikit_learns(classes: tuple[str, ...], seed: int) -> None:
    made = _random(classes, 300, seed)
    accuracy, f1 = quality.accuracy(made), quality.macro_f1(made)
    assert accuracy.estimate == pytest.approx(accuracy_score(made.truth, made.labels), abs=1e-12)
    assert f1.estimate == pytest.approx(f1_score(made.truth, made.labels, average="macro"), abs=1e-12)
    np.testing.assert_array_equal(quality.confusion_matrix(made), confusion_matrix(made.truth, made.labels))
    assert (accuracy.n, f1.n, accuracy.id, f1.id) == (300, 300, "quality.accuracy", "quality.macro_f1")


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_the_accuracys_interval_is_exact_at_the_asked_confidence(confidence: float) -> None:
    made = _random(THREE, 200, 5, confidence)
    found = quality.accuracy(made)
    expected = proportion_confint(made.correct.sum(), 200, 1 - confidence, "beta")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert found.confidence == confidence


def test_macro_f1_of_many_matrices_at_once() -> None:
    made = [_random(THREE, 80, seed) for seed in range(6)]
    stacked = np.array([quality.confusion_matrix(one) for one in made], dtype=float).reshape(2, 3, 3, 3)
    expected = [f1_score(one.truth, one.labels, average="macro") for one in made]
    assert statistics.macro_f1_of(stacked).ravel() == pytest.approx(expected, abs=1e-12)


def test_macro_f1_of_a_class_that_is_never_said_counts_nothing() -> None:
    made = predictions([0] * 60, examples([0] * 40 + [1] * 20))
    assert quality.macro_f1(made).estimate == pytest.approx((2 * 40 / (40 + 60) + 0) / 2)


def test_the_interval_of_macro_f1_covers_the_truth() -> None:
    truth_of = np.array([[0.30, 0.06, 0.04], [0.05, 0.20, 0.05], [0.02, 0.06, 0.22]])
    truth = float(statistics.macro_f1_of(truth_of))
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(120):
        cells = np.repeat(np.arange(9), rng.multinomial(400, truth_of.ravel()))
        found = quality.macro_f1(predictions(cells % 3, examples(cells // 3, THREE)))
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.88


def test_perfect_answers_are_not_taken_for_certainty() -> None:
    found = quality.macro_f1(predictions([0, 1] * 20, examples([0, 1] * 20)))
    assert (found.estimate, found.high) == (1, 1)
    share = 0.0125 ** (1 / 20)  # the exact bound where 20 of 20 agree, at half the error for each of two classes
    assert found.low == pytest.approx(2 * share / (1 + share))


def test_the_tables_hold_the_figures_of_each_class() -> None:
    made = _random(THREE, 300, 7)
    (table,) = quality.macro_f1(made).details["tables"]
    expected = np.array(precision_recall_fscore_support(made.truth, made.labels)).T
    for row, name, figures in zip(table["rows"], THREE, expected, strict=True):
        assert row[0] == name
        assert row[1:] == pytest.approx(list(figures), abs=1e-12)
    (table,) = quality.accuracy(made).details["tables"]
    cells = confusion_matrix(made.truth, made.labels).tolist()
    # Cells of one to nine examples are not told.
    told = [[cell if cell == 0 or cell >= 10 else "<10" for cell in row] for row in cells]
    assert [row[1:] for row in table["rows"]] == told
