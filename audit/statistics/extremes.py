"""The largest or smallest of several parts: gaps between groups, the worst group, the strongest attack."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from audit.statistics.design_effects import GroupEffects
from audit.statistics.intervals import Bounds, Interval, as_interval, shared_out
from audit.statistics.proportions import pairwise, proportions


def largest(plain: Bounds, strict: Bounds) -> Bounds:
    """Interval of the largest of several parts, which stand along the last axis.

    Parameters
    ----------
    plain : estimate, low, high; arrays of shape (..., parts)
        The parts' intervals at the confidence of the claim.
    strict : estimate, low, high; arrays of shape (..., parts)
        The same at that confidence shared out among all parts (:func:`shared_out`).

    Returns
    -------
    estimate, low, high : ndarray of shape (...)
        A part without an estimate (NaN) does not count for it, but its bounds do.

    Notes
    -----
    ``high`` is the largest unadjusted upper bound: the largest part is below a gate only if each one is, and the
    intersection–union principle (Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24,
    1982) needs no adjustment for that. ``low`` is the largest of the adjusted lower bounds (Bonferroni), because the
    maximum of noisy parts is biased upwards. The rule asks nothing of how the parts depend on each other.
    """
    return np.nanmax(plain[0], axis=-1), np.max(strict[1], axis=-1), np.max(plain[2], axis=-1)


def smallest(plain: Bounds, strict: Bounds) -> Bounds:
    """Interval of the smallest of several parts: the mirror image of :func:`largest`."""
    return np.nanmin(plain[0], axis=-1), np.min(plain[1], axis=-1), np.min(strict[2], axis=-1)


def gaps(
    successes: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, effects: GroupEffects | None = None
) -> Bounds:
    """Intervals of many gaps at once: one for each leading index of the counts.

    Parameters
    ----------
    successes, n : array_like of int, shape (..., parts, groups), broadcast together
        As in :func:`gap`.
    confidence : float
        Two-sided confidence.
    effects : GroupEffects, optional
        As in :func:`gap`.

    Returns
    -------
    estimate, low, high : ndarray, shape (...)

    Raises
    ------
    ValueError
        If there are fewer than two groups, or a gap without a part in which two groups have observations.
    """
    x, total = np.broadcast_arrays(np.asarray(successes, float), np.asarray(n, float))
    parts, groups = x.shape[-2:]
    if groups < 2:
        raise ValueError("a gap needs at least two groups")
    if not ((total > 0).sum(axis=-1) > 1).any(axis=-1).all():
        raise ValueError("a gap needs two groups with observations")
    strict = shared_out(confidence, parts * groups * (groups - 1))
    estimate, low, high = largest(*(pairs(x, total, level, effects=effects) for level in (confidence, strict)))
    return estimate, np.maximum(low, 0.0), high


def pairs(
    successes: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, effects: GroupEffects | None = None
) -> Bounds:
    """The parts of a gap: differences of all ordered pairs of groups, (..., parts, groups) to (..., parts * pairs)."""
    estimate, low, high = pairwise(successes, n, confidence, effects=effects)
    flat = (*estimate.shape[:-2], -1)
    return estimate.reshape(flat), low.reshape(flat), high.reshape(flat)


def gap(
    successes: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, effects: GroupEffects | None = None
) -> Interval:
    """Largest difference between any two groups, over all parts that the maximum runs over.

    Parameters
    ----------
    successes, n : array_like of int, shape (parts, groups) or (groups,)
        One row for each class and rate; the gap is the largest difference between two groups within a row.
        Groups without observations in a row (``n == 0``) make the gap unbounded above: ``high`` is 1.
    confidence : float
        Two-sided confidence.
    effects : GroupEffects, optional
        Of rows that come in clusters, by :func:`audit.statistics.group_effects`.

    Raises
    ------
    ValueError
        If there are fewer than two groups, or no row in which two groups have observations.

    Notes
    -----
    The rule of :func:`largest` over all ordered pairs of groups and all parts, each pair compared by
    :func:`audit.statistics.difference`; a gap is never below 0. A plain bootstrap of the maximum calls fair models
    unfair far more often than it says.
    """
    return as_interval(gaps(np.atleast_2d(successes), np.atleast_2d(n), confidence, effects=effects))


def smallest_proportions(
    successes: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, effects: GroupEffects | None = None
) -> Bounds:
    """Intervals of the smallest proportion over the last axis of the counts, for each leading index.

    Parameters
    ----------
    effects : GroupEffects, optional
        Of rows that come in clusters, for counts of shape (1, groups).
    """
    total = np.asarray(n)
    levels = confidence, shared_out(confidence, total.shape[-1])
    plain, strict = (
        proportions(successes, total, level, kept=1.0 if effects is None else effects.single.kept(level))
        for level in levels
    )
    return smallest(plain, strict)


def smallest_proportion(
    successes: ArrayLike, n: ArrayLike, confidence: float = 0.95, *, effects: GroupEffects | None = None
) -> Interval:
    """Smallest proportion over groups, by the rule of :func:`smallest` over exact intervals; counts (groups,)."""
    x, total = (np.atleast_2d(np.asarray(each)) for each in (successes, n))
    estimate, low, high = smallest_proportions(x, total, confidence, effects=effects)
    return Interval(float(estimate[0]), float(low[0]), float(high[0]))


def assigned_gap(
    successes: ArrayLike, n: ArrayLike, unassigned_successes: ArrayLike, unassigned: ArrayLike
) -> tuple[float, float]:
    """The smallest and the largest gap that observations of unknown group could make, wherever they belong.

    Parameters
    ----------
    successes, n : array_like of int, shape (parts, groups)
        As in :func:`gap`.
    unassigned_successes, unassigned : array_like of int, shape (parts,)
        Counts of the observations whose group is unknown.

    Returns
    -------
    smallest, largest : float
        Of two groups and one part what some assignment comes to; of more the largest still is, and the smallest is a
        bound from below.

    Notes
    -----
    Worst-case bounds: Manski, "Nonparametric bounds on treatment effects", American Economic Review 80, 1990. A
    difference is largest where all that succeeded belong to the better group and all that failed to the worse one. No
    chance is in them: they bound the gap of these observations.
    """
    x, total = np.asarray(successes, float), np.asarray(n, float)
    hits = np.asarray(unassigned_successes, float)[:, None]
    misses = np.asarray(unassigned, float)[:, None] - hits
    with np.errstate(invalid="ignore"):  # groups without observations have no rate
        up, down = (x + hits) / (total + hits), x / (total + misses)
    up, down = np.where(total > 0, up, np.nan), np.where(total > 0, down, np.nan)
    own = np.where(np.eye(x.shape[1], dtype=bool), np.nan, 0.0)
    apart = up[:, :, None] - down[:, None, :] + own  # (parts, groups, groups), each against each other
    close = down[:, :, None] - up[:, None, :]
    return max(float(np.nanmax(close)), 0.0), float(np.nanmax(apart))


def assigned_smallest(
    successes: ArrayLike, n: ArrayLike, unassigned_successes: int, unassigned: int
) -> tuple[float, float]:
    """The same of the smallest proportion over groups: counts (groups,); the largest is a bound from above."""
    x, total, hits = np.asarray(successes, float), np.asarray(n, float), float(unassigned_successes)
    return float((x / (total + unassigned - hits)).min()), float(((x + hits) / (total + hits)).min())
