"""Looks at a growing sample: where they are, and that all of them together err as one may."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import binom

from audit import statistics


@pytest.mark.parametrize(
    ("total", "looks"),
    [(1, (1,)), (49, (25, 49)), (48, (48,)), (150, (38, 75, 150)), (1000, (32, 63, 125, 250, 500, 1000))],
)
def test_each_look_is_at_twice_the_examples(total: int, looks: tuple[int, ...]) -> None:
    assert statistics.planned_looks(total) == looks


@pytest.mark.parametrize("total", [30, 150, 1_821, 25_000])
def test_the_errors_of_all_looks_add_up_to_that_of_one(total: int) -> None:
    sizes = (0, *statistics.planned_looks(total))
    levels = [statistics.look_confidence(0.95, a, b, total) for a, b in pairwise(sizes)]
    assert sum(1 - level for level in levels) == pytest.approx(0.05)
    assert min(levels) == levels[-1]


def test_a_probe_that_takes_more_than_planned_spends_what_the_looks_left_out_would_have() -> None:
    left_out = statistics.look_confidence(0.95, 0, 500, 1000), statistics.look_confidence(0.95, 500, 1000, 1000)
    assert sum(1 - level for level in left_out) == pytest.approx(0.05)
    assert statistics.look_confidence(0.9875, 0, 77, 77) == pytest.approx(0.9875)


@pytest.mark.parametrize(("before", "now"), [(-1, 5), (5, 5), (6, 5), (5, 101)])
def test_examples_grow_from_look_to_look(before: int, now: int) -> None:
    with pytest.raises(ValueError, match="expected more of them each time"):
        statistics.look_confidence(0.95, before, now, 100)


def _ever_errs(p: float, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """How often the exact interval of any look lies above or below the truth; by recursion, no simulation."""
    alive, at = np.array([1.0]), 0  # of each number of successes so far: probability that no look has erred yet
    above = below = 0.0
    for size in statistics.planned_looks(total):
        alive = np.convolve(alive, binom.pmf(np.arange(size - at + 1), size - at, p))
        counts = np.arange(size + 1)
        level = statistics.look_confidence(confidence, at, size, total)
        _, low, high = statistics.proportions(counts, size, level)
        above, below = above + float(alive[low > p].sum()), below + float(alive[high < p].sum())
        alive, at = np.where((low > p) | (high < p), 0.0, alive), size
    return above, below


@pytest.mark.parametrize("p", [0.01, 0.1, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("total", [150, 1_000, 3_000])
def test_no_side_of_any_look_errs_more_often_than_one_look_may(p: float, total: int) -> None:
    above, below = _ever_errs(p, total)
    assert max(above, below) <= 0.025
    if total * p * (1 - p) > 100:  # and what may be spent is not wasted
        assert min(above, below) > 0.01


@pytest.mark.parametrize("total", [1_000, 4_000])
def test_what_all_examples_settle_with_nine_chances_of_ten_looks_settle_with_85_of_100(total: int) -> None:
    gate = 0.2

    def settles(p: float) -> tuple[float, float]:
        """The chance that the gate is cleared from below, in one look at all and in looks."""
        high = statistics.proportions(np.arange(total + 1), total, 0.95)[2]
        once = float(binom.pmf(np.arange(total + 1), total, p)[high <= gate].sum())
        alive, at, looks = np.array([1.0]), 0, 0.0
        for size in statistics.planned_looks(total):
            alive = np.convolve(alive, binom.pmf(np.arange(size - at + 1), size - at, p))
            level = statistics.look_confidence(0.95, at, size, total)
            high = statistics.proportions(np.arange(size + 1), size, level)[2]
            looks, alive, at = looks + float(alive[high <= gate].sum()), np.where(high <= gate, 0.0, alive), size
        return once, looks

    p = max(p for p in np.arange(0.1, 0.2, 0.0005) if settles(p)[0] >= 0.9)
    assert settles(p)[1] >= 0.85
