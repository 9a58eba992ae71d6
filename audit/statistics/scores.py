"""Scores instead of right and wrong: how well they separate two sides, and their mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from audit.statistics.intervals import Array, Interval, as_interval, normal_quantile
from audit.statistics.proportions import proportion, proportions

FEW_SCORES = 100


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

    With fewer than `FEW_SCORES` on either side the variance is often underestimated just where the estimate is too
    high. There the interval is the exact one of a proportion at the number of independent pairs that has DeLong's
    variance, and that number is at most what exponential scores would have (Hanley and McNeil, "The meaning and use
    of the area under a ROC curve", Radiology 143, 1982), as if the larger sample were endless.
    """
    x, y = np.asarray(positives, float), np.asarray(negatives, float)
    m, n = len(x), len(y)
    if m < 2 or n < 2:
        raise ValueError("an AUC needs at least two scores on each side")
    above, below = placements(x, y)
    error = float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    return auc_interval(float(above.mean()), error, min(m, n), confidence)


def placements(positives: Array, negatives: Array) -> tuple[Array, Array]:
    """Share of negatives below each positive, shape (m,), and of positives above each negative, shape (n,)."""
    from scipy.stats import rankdata

    m, n = len(positives), len(negatives)
    joint = rankdata(np.concatenate([positives, negatives]))
    above = (joint[:m] - rankdata(positives)) / n
    below = 1 - (joint[m:] - rankdata(negatives)) / m
    return above, below


def auc_interval(estimate: float, error: float, fewer: int, confidence: float) -> Interval:
    """The interval of :func:`auc` from its standard error and the size of the smaller side."""
    from scipy.special import expit, logit

    if estimate in (0.0, 1.0):
        bound = proportion(fewer, fewer, confidence).low
        return Interval(estimate, bound, 1.0) if estimate else Interval(estimate, 0.0, 1 - bound)
    spread = estimate * (1 - estimate)
    if error == 0:
        error = float(np.sqrt(spread / fewer))
    if fewer < FEW_SCORES:
        size = min(spread / error**2, fewer * (1 + 1 / max(estimate, 1 - estimate)))
        return as_interval(proportions(estimate * size, size, confidence))
    half = normal_quantile(confidence) * error / spread
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
    true class; for two classes, whose areas are equal, this is DeLong's variance, and the interval is that of
    :func:`auc` for the smallest class.
    """
    s, y = np.asarray(scores, float), np.asarray(labels, int)
    n, classes = s.shape
    sizes = np.bincount(y, minlength=classes)
    if sizes.min() < 2:
        raise ValueError("an AUC needs at least two examples of each class")
    areas, rows = np.empty(classes), np.zeros(n)  # rows: each example's share in the mean of the areas
    for c in range(classes):
        own = y == c
        above, below = placements(s[own, c], s[~own, c])
        areas[c] = above.mean()
        rows[own] += above / sizes[c] / classes
        rows[~own] += below / (n - sizes[c]) / classes
    error = float(np.sqrt(sum(sizes[c] * rows[y == c].var(ddof=1) for c in range(classes))))
    return auc_interval(float(areas.mean()), error, int(sizes.min()), confidence)


def mean(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Student's t interval of a mean over independent blocks."""
    from scipy.stats import t

    x = np.asarray(values, float)
    if len(x) < 2:
        raise ValueError("a mean with an interval needs at least two values")
    half = float(t.ppf(1 - (1 - confidence) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x)))
    return Interval(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half)
