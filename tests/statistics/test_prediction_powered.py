"""Shares among rows without labels: against closed forms, and how often their intervals err."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from audit import statistics
from audit.statistics import importance_weighted, label_shifted, prediction_powered


def _drawn(n: int, others: int, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Hits, and chances that are known of all rows."""
    rng = np.random.default_rng(seed)
    chance = rng.beta(1.6, 0.4, n + others)
    return rng.random(n) < chance[:n], chance[:n], chance[n:]


def test_the_estimate_is_the_regression_estimator_and_its_limits_are_exact_at_its_variance() -> None:
    hits, expected, others = _drawn(300, 2_000, 1)
    found, worth = prediction_powered(hits, expected, others)
    slope = np.polyfit(expected, hits.astype(float), 1)[0] / (1 + 300 / 2_000)  # PPI++, section 6
    estimate = hits.mean() - slope * (expected.mean() - others.mean())
    assert found.estimate == pytest.approx(estimate)
    variance = np.var(hits - slope * expected) / 298 + slope**2 * np.var(others) / 2_000
    plain = hits.mean() * (1 - hits.mean())
    assert worth == pytest.approx(plain / variance * (statistics.normal_quantile(0.95) / t.ppf(0.975, 298)) ** 2)
    _, low, high = statistics.proportions(estimate * worth, worth, 0.95)
    assert (found.low, found.high) == pytest.approx((float(low), float(high)))
    assert worth > 300


@pytest.mark.parametrize("n", [10, 29])
def test_of_few_labels_the_exact_limits_of_these_alone_stand(n: int) -> None:
    hits, expected, others = _drawn(n, 500, 2)
    found, worth = prediction_powered(hits, expected, others)
    exact = binomtest(int(hits.sum()), n).proportion_ci(0.95)
    assert worth == n
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(
    ("hits", "expected", "others"),
    [
        (np.ones(100), np.linspace(0, 1, 100), np.linspace(0, 1, 100)),  # nothing to tune by
        (np.arange(100) < 95, np.linspace(0, 1, 100), np.linspace(0, 1, 100)),  # five misses
        (np.arange(100) % 2, np.full(100, 0.5), np.full(100, 0.5)),  # the same is expected of all
        (np.arange(100) % 2, np.linspace(0, 1, 100), []),  # all are labelled
        (np.arange(100) < 50, np.linspace(0, 1, 100), np.linspace(0, 1, 100)),  # hits where they are least expected
    ],
)
def test_where_expectations_help_nothing_the_labels_stand_alone(hits: object, expected: object, others: object) -> None:
    found, worth = prediction_powered(hits, expected, others)  # type: ignore[arg-type]
    assert worth == 100
    assert found == statistics.proportion(int(np.sum(hits)), 100)  # type: ignore[call-overload]


@pytest.mark.slow("draws thousands of samples", seconds=3)
@pytest.mark.parametrize(("n", "power"), [(60, 1), (60, 3), (200, 3)])
def test_neither_limit_errs_more_often_than_it_says(n: int, power: int) -> None:
    rng, draws = np.random.default_rng(n + power), 2_000
    below = above = 0
    for _ in range(draws):
        chance = rng.beta(1.5, 0.5, n + 1_000)
        hits, expected = rng.random(n) < chance[:n], chance**power  # an expectation may lean
        found, _ = prediction_powered(hits, expected[:n], expected[n:])
        below, above = below + (found.low > 0.75), above + (found.high < 0.75)
    assert max(below, above) <= 0.025 * draws + 2.5 * np.sqrt(0.025 * draws)


def test_equal_weights_are_no_weights() -> None:
    hits = np.arange(200) % 4 > 0
    found = importance_weighted(hits, np.full(200, 0.75), np.full(200, 3.0), np.full(50, 0.75))
    exact = binomtest(150, 200).proportion_ci(0.95)
    assert found.effective == pytest.approx(200)
    assert found.imbalance == 0
    assert found.interval == pytest.approx((0.75, exact.low, exact.high))


def test_weights_move_the_share_to_the_kinds_that_are_frequent_elsewhere() -> None:
    kind = np.arange(1_000) % 2  # right in 9 of 10 of the one, in 5 of 10 of the other
    hits = np.where(kind == 0, np.arange(1_000) // 2 % 10 > 0, np.arange(1_000) // 2 % 2 > 0)
    expected, others = np.where(kind == 0, 0.9, 0.5), np.repeat([0.9, 0.5], [200, 800])
    weights = np.where(kind == 0, 0.2, 0.8)
    found = importance_weighted(hits, expected, weights, others)
    assert found.interval.estimate == pytest.approx(0.58)
    assert found.interval.low < 0.58 < found.interval.high
    assert found.effective == pytest.approx(1 / np.sum((weights / weights.sum()) ** 2))
    assert found.imbalance == pytest.approx(0, abs=1e-9)
    # Either of the two is enough: right weights, or a right expectation.
    only_weights = importance_weighted(hits, np.full(1_000, 0.5), weights, np.full(1_000, 0.5))
    only_expected = importance_weighted(hits, expected, np.ones(1_000), others)
    assert only_weights.interval.estimate == pytest.approx(0.58)
    assert only_expected.interval.estimate == pytest.approx(0.58)
    assert only_expected.imbalance > 5


def test_shares_of_answers_say_how_frequent_classes_are() -> None:
    confusion = np.array([[900, 100], [200, 800]])
    found = label_shifted(confusion, np.array([410, 590]))  # three tenths are of the first class
    assert found is not None
    assert found.estimate == pytest.approx(0.3 * 0.9 + 0.7 * 0.8)
    assert found.low < found.estimate < found.high < found.low + 0.06
    assert label_shifted(np.array([[50, 50], [50, 50]]), np.array([10, 90])) is None
    assert label_shifted(np.array([[50, 50], [0, 0]]), np.array([10, 90])) is None


def test_more_answers_than_any_shares_explain_are_of_one_class_alone() -> None:
    found = label_shifted(np.array([[90, 10], [20, 80]]), np.array([0, 500]))
    assert found is not None
    assert found.estimate == pytest.approx(0.8)


def test_copies_under_one_cluster_are_worth_one_row() -> None:
    hits, expected, others = _drawn(100, 5_000, 3)
    weights = np.random.default_rng(4).random(100)
    alone = importance_weighted(hits, expected, weights, others)
    copies = importance_weighted(
        np.repeat(hits, 5), np.repeat(expected, 5), np.repeat(weights, 5), others, clusters=np.repeat(np.arange(100), 5)
    )
    assert copies.interval == pytest.approx(alone.interval)


def test_an_interval_of_answers_from_folds_is_wider_by_the_rule_of_nadeau_and_bengio() -> None:
    factor = np.sqrt(1 + 5 * (1 / 5) / (4 / 5))  # section 3: 1 / J + n2 / n1 in place of 1 / J
    assert statistics.cross_fit_factor(5) == pytest.approx(factor)
    found = statistics.cross_fitted(statistics.Interval(0.5, 0.4, 0.9), 5, 0, 1)
    assert found == pytest.approx((0.5, 0.5 - 0.1 * factor, 1.0))
