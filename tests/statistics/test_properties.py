"""What every interval has to hold to, whatever the counts: in range, around its estimate, symmetric, narrower with n.

Examples are drawn by Hypothesis; the numbers themselves are held against other sources in the tests beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import statistics
from audit.statistics import Interval

LEVELS = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.9995])
SIZES = st.integers(1, 5000)
TINY = 1e-9


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    """Successes of so many trials."""
    n = draw(SIZES)
    return draw(st.integers(0, n)), n


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int, int]:
    """Pairs lost and gained of so many."""
    n = draw(SIZES)
    lost = draw(st.integers(0, n))
    return lost, draw(st.integers(0, n - lost)), n


def confusions(most: int = 60) -> st.SearchStrategy[np.ndarray]:
    """Confusion matrices of two to four classes, each of which has an example."""

    def matrix(classes: int) -> st.SearchStrategy[np.ndarray]:
        row = st.lists(st.integers(0, most), min_size=classes, max_size=classes).filter(any)
        return st.lists(row, min_size=classes, max_size=classes).map(np.array)

    return st.integers(2, 4).flatmap(matrix)


def ordered(interval: Sequence[float], least: float, most: float) -> bool:
    estimate, low, high = map(float, interval)
    return least - TINY <= low <= estimate + TINY and estimate - TINY <= high <= most + TINY


@settings(deadline=None)
@given(counts(), LEVELS)
def test_a_share_lies_within_its_interval_and_that_within_0_and_1(drawn: tuple[int, int], level: float) -> None:
    x, n = drawn
    found = statistics.proportion(x, n, level)
    assert ordered(found, 0, 1)
    turned = statistics.proportion(n - x, n, level)
    assert turned == pytest.approx((1 - found.estimate, 1 - found.high, 1 - found.low))


@settings(deadline=None)
@given(counts(), LEVELS, st.integers(2, 50))
def test_the_same_share_of_more_is_known_better_and_to_be_surer_is_to_say_less(
    drawn: tuple[int, int], level: float, times: int
) -> None:
    x, n = drawn
    few, many = statistics.proportion(x, n, level), statistics.proportion(times * x, times * n, level)
    assert few.low - TINY <= many.low
    assert many.high <= few.high + TINY
    surer = statistics.proportion(x, n, (1 + level) / 2)
    assert surer.low <= few.low + TINY
    assert few.high <= surer.high + TINY


@settings(deadline=None)
@given(counts(), LEVELS)
def test_one_more_success_lowers_no_limit(drawn: tuple[int, int], level: float) -> None:
    x, n = drawn
    if x < n:
        less, more = statistics.proportion(x, n, level), statistics.proportion(x + 1, n, level)
        assert less.low <= more.low + TINY
        assert less.high <= more.high + TINY


@settings(deadline=None)
@given(counts(), counts(), LEVELS)
def test_a_difference_turns_its_sign_with_its_sides(
    first: tuple[int, int], second: tuple[int, int], level: float
) -> None:
    found = statistics.as_interval(statistics.difference(*first, *second, level))
    turned = statistics.as_interval(statistics.difference(*second, *first, level))
    assert ordered(found, -1, 1)
    assert turned == pytest.approx((-found.estimate, -found.high, -found.low))


@settings(deadline=None)
@given(pairs(), LEVELS)
def test_a_paired_difference_turns_its_sign_with_its_sides(drawn: tuple[int, int, int], level: float) -> None:
    lost, gained, n = drawn
    found = statistics.paired_difference(lost, gained, n, level)
    turned = statistics.paired_difference(gained, lost, n, level)
    assert ordered(found, -1, 1)
    assert turned == pytest.approx((-found.estimate, -found.high, -found.low))
    assert 0 <= statistics.mcnemar(lost, gained) <= 1
    assert statistics.mcnemar(lost, gained) == pytest.approx(statistics.mcnemar(gained, lost))


@settings(deadline=None)
@given(st.lists(counts(), min_size=2, max_size=5), LEVELS)
def test_a_gap_is_the_largest_difference_and_no_order_of_groups_changes_it(
    groups: list[tuple[int, int]], level: float
) -> None:
    x, n = np.array(groups).T
    found = statistics.gap(x, n, level)
    assert ordered(found, 0, 1)
    assert statistics.gap(x[::-1], n[::-1], level) == pytest.approx(found)
    rates = x / n
    assert found.estimate == pytest.approx(rates.max() - rates.min())


MEASURES: dict[str, tuple[Callable[[np.ndarray], Interval], float, float]] = {
    "balanced accuracy": (lambda m: statistics.balanced_accuracy(m, resamples=200), 0, 1),
    "macro F1": (lambda m: statistics.macro_f1(m, resamples=200), 0, 1),
    "correlation": (lambda m: statistics.mcc(m, resamples=200), -1, 1),
}


@settings(deadline=None, max_examples=40)
@given(confusions(), st.randoms(use_true_random=False))
@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_of_confusion_is_in_range_and_knows_no_order_of_classes(
    measure: str, matrix: np.ndarray, rng: object
) -> None:
    of, least, most = MEASURES[measure]
    found = of(matrix)
    assert ordered(found, least, most)
    order = np.arange(len(matrix))[::-1]
    assert of(matrix[np.ix_(order, order)]).estimate == pytest.approx(found.estimate)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.sampled_from([0.1, 0.5, 0.99]), LEVELS)
def test_a_quantile_lies_within_its_interval_and_moves_with_the_values(
    values: list[float], q: float, level: float
) -> None:
    found = statistics.quantile(values, q, level)
    assert found.low <= found.estimate <= found.high
    assert found.estimate in values
    moved = statistics.quantile([2 * value for value in values], q, level)
    assert moved == pytest.approx([2 * value for value in found])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.sampled_from([0.0, 1e-5]))
def test_more_right_guesses_lower_no_bound_of_epsilon(right: int, wrong: int, unguessed: int, delta: float) -> None:
    guesses = right + wrong
    canaries = guesses + unguessed + 1
    found = statistics.epsilon_lower_bound(right, guesses, canaries, delta=delta)
    assert found >= 0
    assert statistics.epsilon_lower_bound(right + 1, guesses + 1, canaries, delta=delta) >= found - 1e-6
    if right <= wrong:
        assert found == 0


@settings(deadline=None)
@given(LEVELS, st.integers(1, 1000))
def test_an_error_that_is_shared_out_comes_to_no_more_than_it_was(level: float, parts: int) -> None:
    each = statistics.shared_out(level, parts)
    assert level <= each < 1
    assert parts * (1 - each) <= (1 - level) * (1 + 1e-9)


@settings(deadline=None)
@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.integers(1, 500))
def test_an_interval_is_never_narrowed_by_being_one_of_many(mid: float, below: float, above: float, parts: int) -> None:
    interval = Interval(mid, mid - below, mid + above)
    wide = statistics.widened(interval, 0.95, parts)
    assert wide.estimate == interval.estimate
    assert wide.low <= interval.low + TINY
    assert interval.high <= wide.high + TINY
