"""Quantiles: how slow the slowest are, whatever the shape of the distribution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from audit.statistics.intervals import Interval


def quantile(values: ArrayLike, q: float, confidence: float = 0.95) -> Interval:
    """Interval of a quantile from the order of the values alone.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Independent draws of one distribution, of any shape.
    q : float
        0.99 for the 99th percentile.
    confidence : float
        Two-sided confidence.

    Returns
    -------
    Interval
        Where there are too few values for a limit (:func:`enough_for_quantile`) it is infinite.

    Raises
    ------
    ValueError
        If there is no value.

    Notes
    -----
    Source: David and Nagaraja, "Order statistics" (3rd edition, 2003), section 7.1. How many values lie below the
    quantile is binomial, so the value of a rank exceeds it with a chance that is known exactly.
    """
    from scipy.stats import binom

    x = np.sort(np.asarray(values, float))
    n = len(x)
    if n < 1:
        raise ValueError("a quantile needs at least one value")
    tail = (1 - confidence) / 2
    lower = int(binom.ppf(tail, n, q))  # ranks, from 1
    upper = int(binom.ppf(1 - tail, n, q)) + 1
    estimate = x[max(math.ceil(n * q), 1) - 1]
    return Interval(
        float(estimate),
        float(x[lower - 1]) if lower >= 1 else -math.inf,
        float(x[upper - 1]) if upper <= n else math.inf,
    )


def enough_for_quantile(q: float, confidence: float = 0.95) -> int:
    """How many values it takes until the largest is an upper limit of the quantile."""
    return math.ceil(math.log((1 - confidence) / 2) / math.log(q))


def ratio_of_quantiles(
    above: ArrayLike, q_above: float, below: ArrayLike, q_below: float, confidence: float = 0.95
) -> Interval:
    """Interval of one distribution's quantile over that of another, of positive values.

    Notes
    -----
    Each quantile has its interval at half the error (Bonferroni), and the ratio's limits are those that the two
    allow together; nothing is asked of how the samples depend on each other.
    """
    half = 1 - (1 - confidence) / 2
    top, bottom = quantile(above, q_above, half), quantile(below, q_below, half)
    return Interval(
        top.estimate / bottom.estimate,
        max(top.low, 0.0) / bottom.high,
        top.high / bottom.low if bottom.low > 0 else math.inf,
    )
