"""Intervals: what the evidence supports, as plain functions from counts and arrays to (estimate, low, high).

Every verdict rests on one of these. They know neither gates nor models. The bounds are two-sided, so each side errs
with half of ``1 - confidence``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Interval(NamedTuple):
    """An estimate and the two-sided interval that the evidence supports."""

    estimate: float
    low: float
    high: float


def proportion(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Exact interval of a proportion.

    Parameters
    ----------
    successes, n : int
        Counts, ``0 <= successes <= n`` and ``n >= 1``.
    confidence : float
        Two-sided confidence.

    Raises
    ------
    ValueError
        If there is no observation.

    Notes
    -----
    Source: Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934). Chosen over Wilson's
    because its error is at most nominal for every n and p, and a gate must not err more often than it says.
    """
    from scipy.stats import beta

    if n < 1:
        raise ValueError("a proportion needs at least one observation")
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return Interval(successes / n, low, high)


def _normal_quantile(confidence: float) -> float:
    from scipy.stats import norm

    return float(norm.ppf(1 - (1 - confidence) / 2))


def _wilson(p: Array, n: Array, z: float) -> tuple[Array, Array]:
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return (centre - half) / scale, (centre + half) / scale


def difference(
    successes1: ArrayLike, n1: ArrayLike, successes2: ArrayLike, n2: ArrayLike, confidence: float = 0.95
) -> tuple[Array, Array, Array]:
    """Interval of the difference of independent proportions, ``p1 - p2``, elementwise over arrays.

    Returns
    -------
    estimate, low, high : ndarray
        Of the broadcast shape of the inputs.

    Notes
    -----
    Source: Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine
    17 (1998), method 10 (hybrid score).
    """
    n1, n2 = np.asarray(n1, float), np.asarray(n2, float)
    p1, p2 = np.asarray(successes1, float) / n1, np.asarray(successes2, float) / n2
    z = _normal_quantile(confidence)
    low1, high1 = _wilson(p1, n1, z)
    low2, high2 = _wilson(p2, n2, z)
    estimate = p1 - p2
    low = estimate - np.sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    high = estimate + np.sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return estimate, low, high


def gap(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Interval:
    """Largest difference between any two groups, over all parts that the maximum runs over.

    Parameters
    ----------
    successes, n : array_like of int, shape (parts, groups) or (groups,)
        One row for each class and rate; the gap is the largest difference between two groups within a row.
        Groups without observations in a row (``n == 0``) make the gap unbounded above: ``high`` is 1.
    confidence : float
        Two-sided confidence.

    Raises
    ------
    ValueError
        If there are fewer than two groups, or no row in which two groups have observations.

    Notes
    -----
    ``high`` is the largest unadjusted upper bound over all ordered pairs: the gap is below a gate only if each pair is,
    and the intersection–union principle (Berger, "Multiparameter hypothesis testing and acceptance sampling",
    Technometrics 24, 1982) needs no adjustment for that. ``low`` is the largest lower bound at error/m over all m
    ordered pairs and parts (Bonferroni), because the maximum of noisy differences is biased upwards. A plain
    bootstrap of the maximum calls fair models unfair far more often than it says.
    """
    x, total = np.atleast_2d(np.asarray(successes, float)), np.atleast_2d(np.asarray(n, float))
    groups = total.shape[1]
    if groups < 2:
        raise ValueError("a gap needs at least two groups")
    first, second = (index.ravel() for index in np.where(~np.eye(groups, dtype=bool)))
    n1, n2 = total[:, first], total[:, second]  # (parts, ordered pairs)
    seen = (n1 > 0) & (n2 > 0)
    if not seen.any():
        raise ValueError("a gap needs two groups with observations")
    pairs = x[:, first][seen], n1[seen], x[:, second][seen], n2[seen]
    estimate, _, high = difference(*pairs, confidence=confidence)
    _, low, _ = difference(*pairs, confidence=1 - (1 - confidence) / seen.size)
    return Interval(float(estimate.max()), max(0.0, float(low.max())), 1.0 if not seen.all() else float(high.max()))


def smallest_proportion(successes: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Interval:
    """Smallest proportion over groups: the mirror image of the rule in :func:`gap`.

    ``low`` is the smallest unadjusted lower bound, ``high`` the smallest upper bound at error/m over the m groups.
    """
    x, total = np.asarray(successes, int), np.asarray(n, int)
    plain = [proportion(int(a), int(b), confidence) for a, b in zip(x, total, strict=True)]
    adjusted = 1 - (1 - confidence) / len(x)
    strict = [proportion(int(a), int(b), adjusted) for a, b in zip(x, total, strict=True)]
    return Interval(
        min(part.estimate for part in plain),
        min(part.low for part in plain),
        min(part.high for part in strict),
    )


def paired_difference(lost: int, gained: int, n: int, confidence: float = 0.95) -> Interval:
    """Score interval of a difference of paired proportions, ``(lost - gained) / n``.

    Parameters
    ----------
    lost, gained : int
        The discordant pairs: right only before, and right only after.
    n : int
        All pairs.

    Notes
    -----
    Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17 (1998), section 3: the bounds are the roots of the score statistic.
    """
    from scipy.optimize import brentq

    if n < 1:
        raise ValueError("a paired difference needs at least one pair")
    z = _normal_quantile(confidence)
    estimate = (lost - gained) / n

    def score(delta: float) -> float:
        b = -lost - gained + (2 * n - lost + gained) * delta
        c = -gained * delta * (1 - delta)
        q = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        return float((lost - gained - n * delta) / np.sqrt(max(variance, 1e-300)))

    edge = 1 - 1e-12
    low = -1.0 if score(-edge) <= z else brentq(lambda d: score(d) - z, -edge, estimate)
    high = 1.0 if score(edge) >= -z else brentq(lambda d: score(d) + z, estimate, edge)
    return Interval(estimate, float(low), float(high))


def confusion_bootstrap(
    confusion: NDArray[np.int_],
    statistic: Callable[[Array], Array],
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a function of the confusion matrix.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
        Rows are the truth, columns the prediction.
    statistic : callable
        From confusion matrices, shape (..., classes, classes), to values, shape (...). Higher is better, 1 perfect.

    Notes
    -----
    Multinomial draws of the cell counts are exactly the nonparametric bootstrap of the rows, at a cost that does
    not grow with their number. Where every prediction is right the bootstrap has no width; there the lower bound is
    the exact one for the recall of the smallest class.
    """
    classes = len(confusion)
    n = int(confusion.sum())
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, (confusion / n).ravel(), size=resamples).reshape(-1, classes, classes)
    tail = (1 - confidence) / 2
    values = statistic(draws.astype(float))
    low, high = np.quantile(values, [tail, 1 - tail])
    if np.trace(confusion) == n:
        smallest = int(confusion.sum(axis=1).min())
        low = proportion(smallest, smallest, confidence).low
    elif np.trace(confusion) == 0:
        smallest = int(confusion.sum(axis=1).min())
        high = proportion(0, smallest, confidence).high
    return Interval(float(statistic(confusion.astype(float))), float(low), float(high))


def auc(positives: ArrayLike, negatives: ArrayLike, confidence: float = 0.95) -> Interval:
    """Area under the ROC curve: how often a positive scores above a negative, ties counted half.

    Notes
    -----
    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
    characteristic curves", Biometrics 44 (1988), variance from placement values; the interval is taken on the logit
    scale, so that it stays within 0 and 1. Complete separation has no variance: there the exact bound for the
    smaller sample stands in. Scores that are all equal have none either: there the largest variance that an AUC can
    have stands in (Birnbaum and Klose, "Bounds for the variance of the Mann-Whitney statistic", Annals of
    Mathematical Statistics 28, 1957).
    """
    from scipy.special import expit, logit
    from scipy.stats import rankdata

    x, y = np.asarray(positives, float), np.asarray(negatives, float)
    m, n = len(x), len(y)
    if m < 2 or n < 2:
        raise ValueError("an AUC needs at least two scores on each side")
    joint = rankdata(np.concatenate([x, y]))
    above = (joint[:m] - rankdata(x)) / n  # (m,) share of negatives below each positive
    below = 1 - (joint[m:] - rankdata(y)) / m  # (n,) share of positives above each negative
    estimate = float(above.mean())
    if estimate in (0.0, 1.0):
        bound = proportion(min(m, n), min(m, n), confidence).low
        return Interval(estimate, bound, 1.0) if estimate else Interval(estimate, 0.0, 1 - bound)
    error = np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    if error == 0:
        error = np.sqrt(estimate * (1 - estimate) / min(m, n))
    half = _normal_quantile(confidence) * error / (estimate * (1 - estimate))
    return Interval(estimate, float(expit(logit(estimate) - half)), float(expit(logit(estimate) + half)))


def macro_auc(scores: ArrayLike, labels: ArrayLike, confidence: float = 0.95) -> Interval:
    """Area under the ROC curve of each class against the rest, averaged without weights.

    Parameters
    ----------
    scores : array_like of float, shape (n, classes)
    labels : array_like of int, shape (n,)
        Every class needs two examples.

    Notes
    -----
    The areas share their rows, so their placement values are added up by row before the variance is taken within each
    true class; for two classes, whose areas are equal, this is DeLong's variance as in :func:`auc`. Where every class
    is separated completely, the exact bound for the smallest class stands in.
    """
    from scipy.special import expit, logit
    from scipy.stats import rankdata

    s, y = np.asarray(scores, float), np.asarray(labels, int)
    n, classes = s.shape
    sizes = np.bincount(y, minlength=classes)
    if sizes.min() < 2:
        raise ValueError("an AUC needs at least two examples of each class")
    estimate, rows = 0.0, np.zeros(n)  # rows: each example's share in the mean of the areas
    for c in range(classes):
        own = y == c
        joint = rankdata(s[:, c])
        above = (joint[own] - rankdata(s[own, c])) / (n - sizes[c])
        below = 1 - (joint[~own] - rankdata(s[~own, c])) / sizes[c]
        estimate += float(above.mean()) / classes
        rows[own] += above / sizes[c] / classes
        rows[~own] += below / (n - sizes[c]) / classes
    if min(estimate, 1 - estimate) < 1e-12:
        bound = proportion(int(sizes.min()), int(sizes.min()), confidence).low
        return Interval(1.0, bound, 1.0) if estimate > 0.5 else Interval(0.0, 0.0, 1 - bound)
    error = np.sqrt(sum(sizes[c] * rows[y == c].var(ddof=1) for c in range(classes)))
    if error == 0:
        error = np.sqrt(estimate * (1 - estimate) / sizes.min())
    half = _normal_quantile(confidence) * error / (estimate * (1 - estimate))
    return Interval(estimate, float(expit(logit(estimate) - half)), float(expit(logit(estimate) + half)))


def mean(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's t interval of a mean over independent blocks."""
    from scipy.stats import t

    x = np.asarray(values, float)
    if len(x) < 2:
        raise ValueError("a mean with an interval needs at least two values")
    half = float(t.ppf(1 - (1 - confidence) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return Interval(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half)


def sample_to_settle(
    estimate: float, bound: float, gate: float, n: int, confidence: float = 0.95, power: float = 0.9
) -> int | None:
    """How large the sample would have to be for the interval to clear the gate, were the estimate the truth.

    Parameters
    ----------
    bound : float
        The bound of the interval on the gate's side of the estimate.

    Returns
    -------
    int or None
        Size of the whole sample; None where the estimate sits on the gate and no number would.

    Notes
    -----
    The bound's distance shrinks with the square root of n; the gate is cleared with the asked power when it lies
    ``z(1 - error/2) + z(power)`` standard errors from the truth.
    """
    from scipy.stats import norm

    distance, half = abs(estimate - gate), abs(bound - estimate)
    if distance == 0 or half == 0:
        return None
    z = _normal_quantile(confidence)
    factor = (half * (z + float(norm.ppf(power))) / (z * distance)) ** 2
    size = np.ceil(n * max(factor, 1.0))
    return int(size) if size < 1e9 else None
