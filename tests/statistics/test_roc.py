"""Areas and operating points over trials that share examples."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve

from audit import statistics
from audit.statistics import Trial


def _trial(rng: np.random.Generator, inside: int, outside: int, shift: float = 0.0) -> Trial:
    positive = np.arange(inside + outside) < inside
    scores = np.asarray(np.round(rng.normal(size=len(positive)) + shift * positive, 1), dtype=np.float64)
    return Trial(scores, positive, np.arange(len(positive)))


@pytest.mark.parametrize(("inside", "outside"), [(400, 300), (40, 300), (5, 7)])
def test_the_area_of_one_trial_is_delongs(inside: int, outside: int) -> None:
    trial = _trial(np.random.default_rng(1), inside, outside, 0.5)
    expected = statistics.auc(trial.scores[trial.positive], trial.scores[~trial.positive], 0.9)
    np.testing.assert_allclose(statistics.clustered_auc([trial], 0.9), expected, atol=1e-12)


def test_the_same_trial_twice_is_no_more_evidence() -> None:
    trial = _trial(np.random.default_rng(2), 200, 200)
    np.testing.assert_allclose(statistics.clustered_auc([trial, trial]), statistics.clustered_auc([trial]), atol=1e-12)
    other = Trial(trial.scores, trial.positive, trial.cluster + 1000)
    twice, once = statistics.clustered_auc([trial, other]), statistics.clustered_auc([trial])
    assert twice.high - twice.low < 0.8 * (once.high - once.low)


def test_a_side_of_one_row_is_no_trial() -> None:
    with pytest.raises(ValueError, match="two"):
        Trial(np.zeros(3), np.array([True, False, False]), np.arange(3))


@pytest.mark.parametrize("level", [0.0, 0.01, 0.05, 0.5, 1.0])
def test_the_rate_at_a_level_is_that_of_the_lowest_allowed_threshold(level: float) -> None:
    trial = _trial(np.random.default_rng(3), 60, 100, 1.0)
    inside, outside = trial.scores[trial.positive], trial.scores[~trial.positive]
    allowed = [t for t in (*trial.scores, np.inf) if (outside >= t).mean() <= level]
    found = trial.caught(np.array([level]))
    assert found[0] == pytest.approx((inside >= min(allowed)).mean())


def test_the_balanced_accuracy_covers_what_is_true_of_guessing() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for i in range(60):
        found = statistics.trial_balanced_accuracy([_trial(rng, 400, 400)], resamples=200, seed=i)
        covered += found.low <= 0.5 <= found.high
    assert covered >= 52  # the best threshold of the same examples would nearly always be above 0.5


def test_a_rate_is_that_above_the_rank_which_one_more_negative_passes_as_often() -> None:
    # Of 199 negatives the second largest is passed by one more of them with a chance of 2 in 200.
    negatives = np.arange(199.0)
    positives = np.array([50.0, 197.0, 197.5, 198.0, 300.0])
    trial = Trial(np.append(positives, negatives), np.arange(204) < 5, np.arange(204))
    assert statistics.true_positive_rate([trial], 0.01).estimate == pytest.approx(3 / 5)
    # Half-way between the first rank, above which is 1 of 5, and the second.
    assert statistics.true_positive_rate([trial], 0.0075).estimate == pytest.approx(2 / 5)
    twice = Trial(np.append(trial.scores, 300.0), np.append(trial.positive, True), np.append(trial.cluster, 4))
    assert statistics.true_positive_rate([twice], 0.01) == statistics.true_positive_rate([trial], 0.01)
    assert statistics.enough_for_rate(0.01) == 99


@pytest.mark.parametrize("negatives", [150, 300, 1500])
@pytest.mark.parametrize("memory", [0.0, 1.0])
def test_a_rate_is_not_biased_and_its_interval_covers_it(negatives: int, memory: float) -> None:
    """Normal scores, of which the rate at 1 % is known; the lowest allowed threshold of the sample lies too low."""
    rng, truth = np.random.default_rng(7), float(norm.sf(norm.isf(0.01) - memory))
    found, naive = [], []
    for _ in range(400):
        positive = np.arange(2 * negatives) < negatives
        trial = Trial(rng.normal(size=2 * negatives) + memory * positive, positive, np.arange(2 * negatives))
        found.append(statistics.true_positive_rate([trial], 0.01))
        naive.append(trial.caught(np.array([0.01]))[0])
    estimates, low, high = np.array(found).T
    error = estimates.std() / np.sqrt(len(found))
    assert ((low <= truth) & (truth <= high)).mean() >= 0.95
    assert abs(estimates.mean() - truth) < 3 * error + 0.05 * truth
    assert np.mean(naive) - truth > abs(estimates.mean() - truth)


def test_two_trials_share_the_error_of_a_rate() -> None:
    trial = _trial(np.random.default_rng(8), 300, 300, 1.0)
    once, twice = (statistics.true_positive_rate(trials, 0.05) for trials in ([trial], [trial, trial]))
    assert twice.estimate == pytest.approx(once.estimate)
    assert twice.low <= once.low
    assert twice.high >= once.high


def test_a_covariate_that_a_coin_knew_nothing_of_narrows_the_interval_and_moves_no_area() -> None:
    """Scores that hang on what was known before: their area is 0.5 + memory, of which the coin's luck is taken off."""
    rng, widths, areas, covered = np.random.default_rng(9), [], [], 0
    truth = float(norm.cdf(0.3 / np.sqrt(2)))
    for _ in range(300):
        known, member = rng.normal(size=1000), rng.random(1000) < 0.8
        scores = 0.8 * known + 0.6 * rng.normal(size=1000) + 0.3 * member
        plain = Trial(scores, member, np.arange(1000))
        adjusted = replace(plain, covariates=known[:, None])
        alone, found = statistics.clustered_auc([plain]), statistics.clustered_auc([adjusted])
        widths.append((found.high - found.low) / (alone.high - alone.low))
        areas.append(found.estimate)
        covered += found.low <= truth <= found.high
    assert np.mean(widths) < 0.7
    assert np.mean(areas) == pytest.approx(truth, abs=0.003)
    assert covered >= 279


def test_the_curve_rises_from_the_first_false_alarm_to_one() -> None:
    points = statistics.roc_points([_trial(np.random.default_rng(5), 200, 500, 1.0)])
    assert len(points) <= 100
    assert [500 * false for false, _ in points[:5]] == pytest.approx([1, 2, 3, 4, 5])
    assert points[-1] == pytest.approx((1.0, 1.0))
    assert all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(points))


def test_the_curve_is_scikit_learns_at_each_of_its_points() -> None:
    trial = _trial(np.random.default_rng(6), 300, 1250, 1.0)
    false, true, _ = roc_curve(trial.positive, trial.scores, drop_intermediate=False)
    points = statistics.roc_points([trial])
    assert {0.1, 0.01, 0.001} & {level for level, _ in points} == {0.1, 0.01, 0.001}
    for level, rate in points:
        assert rate == pytest.approx(true[false <= level * (1 + 1e-9)].max())
