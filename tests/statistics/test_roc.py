"""Areas and operating points over trials that share examples."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
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
    found = trial.caught(np.array([level]), np.ones(160))
    assert found[0] == pytest.approx((inside >= min(allowed)).mean())


def test_operating_points_cover_what_is_true_of_guessing() -> None:
    rng = np.random.default_rng(4)
    balanced = caught = 0
    for i in range(60):
        found = statistics.operating_points([_trial(rng, 400, 400)], [0.05], resamples=200, seed=i)
        balanced += found.balanced_accuracy.low <= 0.5 <= found.balanced_accuracy.high
        caught += found.caught[0].low <= 0.05 <= found.caught[0].high
    assert balanced >= 52  # the best threshold of the same examples would nearly always be above 0.5
    assert caught >= 52


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
