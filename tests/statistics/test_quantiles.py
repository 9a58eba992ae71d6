"""Intervals of quantiles against counting by hand, and how often they are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audit import statistics


def chance_below(rank: int, n: int, q: float) -> float:
    """Chance that fewer than `rank` of n values lie below the quantile, by its definition."""
    return math.fsum(math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(rank))


@pytest.mark.parametrize(("n", "q"), [(600, 0.99), (437, 0.99), (20, 0.5), (101, 0.5), (50, 0.9)])
def test_limits_are_the_narrowest_ranks_that_err_seldom_enough(n: int, q: float) -> None:
    interval = statistics.quantile(np.arange(1, n + 1), q, 0.975)
    low, high = round(interval.low), round(interval.high)
    # The value of rank r exceeds the quantile where fewer than r lie below it.
    assert chance_below(low, n, q) <= 0.0125 < chance_below(low + 1, n, q)
    assert 1 - chance_below(high, n, q) <= 0.0125 < 1 - chance_below(high - 1, n, q)
    assert interval.estimate == math.ceil(n * q)


def test_it_takes_so_many_values_until_there_is_an_upper_limit() -> None:
    n = statistics.enough_for_quantile(0.99, 0.975)
    assert n == 437
    assert 0.99**n <= 0.0125 < 0.99 ** (n - 1)
    assert statistics.quantile(np.arange(n), 0.99, 0.975).high == n - 1
    assert statistics.quantile(np.arange(n - 1), 0.99, 0.975).high == math.inf
    assert statistics.quantile([3.0], 0.5).low == -math.inf
    with pytest.raises(ValueError, match="at least one value"):
        statistics.quantile([], 0.5)


def test_the_estimate_is_numpys() -> None:
    values = np.random.default_rng(0).lognormal(size=137)
    for q in (0.01, 0.5, 0.9, 0.99):
        assert statistics.quantile(values, q).estimate == np.quantile(values, q, method="inverted_cdf")


def test_a_ratio_without_a_lower_limit_of_what_is_below_has_no_upper_one() -> None:
    assert statistics.ratio_of_quantiles(np.ones(600), 0.99, [1.0, 2.0], 0.5).high == math.inf
    equal = statistics.ratio_of_quantiles(np.full(600, 3.0), 0.99, np.full(50, 2.0), 0.5)
    assert equal == (1.5, 1.5, 1.5)


@pytest.mark.parametrize("spread", [0.3, 2.0])
def test_the_ratios_limits_err_at_most_as_often_as_they_say(spread: float) -> None:
    """Lognormal times, whose quantiles are known: exp(z · spread) times the median."""
    rng, draws, wrong, alone = np.random.default_rng(1), 600, [0, 0], [0, 0]
    truth = 4.0 * math.exp(2.3263478740408408 * spread)  # the standard normal's 99th percentile
    for _ in range(draws):
        hostile = 4.0 * rng.lognormal(0, spread, 525)
        found = statistics.ratio_of_quantiles(hostile, 0.99, rng.lognormal(0, 0.2, 132), 0.5)
        wrong[0] += found.low > truth
        wrong[1] += found.high < truth
        one = statistics.quantile(hostile, 0.99)
        alone[0] += one.low > truth
        alone[1] += one.high < truth
    noise = 3 * math.sqrt(0.025 * 0.975 / draws)
    assert max(*wrong, *alone) / draws <= 0.025 + noise
    assert min(alone) > 0  # and do not hold by being endlessly wide
