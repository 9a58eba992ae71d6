"""Examples that come in families: template sentences, perturbed copies of one text, texts by one author.

Members of a family say the same thing several times, so they count for less than as many independent examples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.statistics.intervals import Array, Interval, shared_out
from audit.statistics.proportions import proportion, proportions

# With fewer clusters the variance between them is estimated badly: a cluster bootstrap over 11 covers 85 %, not 95 %.
ENOUGH_CLUSTERS = 30


class ClusteredInterval(NamedTuple):
    """An interval from examples in clusters, and what it is a claim about.

    Parameters
    ----------
    estimate, low, high : float
    clusters : int
        How many there are.
    fixed_clusters : bool
        Whether the claim is about new examples of these clusters only, because they are too few to speak for others.
    """

    estimate: float
    low: float
    high: float
    clusters: int
    fixed_clusters: bool

    @property
    def interval(self) -> Interval:
        """Estimate and bounds alone."""
        return Interval(self.estimate, self.low, self.high)


def cluster_ids(keys: Sequence[Hashable | None]) -> NDArray[np.int64]:
    """Cluster of each example, counted from 0: equal keys are one cluster, and None is a cluster of its own.

    The one place where it is decided what a cluster is; all functions here take its result.
    """
    seen: dict[object, int] = {}
    return np.array([seen.setdefault(object() if key is None else key, len(seen)) for key in keys], dtype=np.int64)


def clustered_proportion(
    successes: ArrayLike, clusters: NDArray[np.int64], confidence: float = 0.95
) -> ClusteredInterval:
    """Interval of a share of examples that come in clusters.

    Parameters
    ----------
    successes : array_like of bool, shape (n,)
    clusters : ndarray of int, shape (n,)
        From :func:`cluster_ids`.
    confidence : float
        Two-sided confidence.

    Notes
    -----
    Source: Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", Survey Methodology 24 (1998): exact limits at the number of independent examples that
    would have the clustered variance (Miller, "Adding error bars to evals", arXiv:2411.00640, section 2.2), less what
    estimating that variance from few clusters costs. Where all answers agree, a cluster counts as one example.

    With fewer than `ENOUGH_CLUSTERS` the clusters are taken as given and the examples as independent draws within them;
    the exact limits then hold for the mean over these clusters, since a sum of unlike binomials varies less than one
    binomial (Hoeffding, Annals of Mathematical Statistics 27, 1956).
    """
    x = np.asarray(successes, float)
    n, k = len(x), _number(clusters)
    if k < ENOUGH_CLUSTERS:
        return ClusteredInterval(*proportion(int(x.sum()), n, confidence), k, True)
    p = float(x.mean())
    size = _effective_size(p, clustered_error(x, clusters) ** 2, n, k, confidence)
    # Half the error: where clusters are skewed, as they are near 0 and 1, one side would err half again as often.
    _, low, high = proportions(p * size, size, shared_out(confidence, 2))
    return ClusteredInterval(p, float(low), float(high), k, False)


def _effective_size(p: float, variance: float, n: int, clusters: int, confidence: float) -> float:
    from scipy.stats import t

    if p in (0.0, 1.0):
        return float(clusters)
    tail = (1 - confidence) / 2
    size = min(p * (1 - p) / variance, n) if variance > 0 else n
    return float(size * (t.ppf(tail, n - 1) / t.ppf(tail, clusters - 1)) ** 2)


def clustered_error(values: ArrayLike, clusters: NDArray[np.int64]) -> float:
    """Standard error of a mean over examples in clusters.

    Notes
    -----
    Source: Miller, "Adding error bars to evals", arXiv:2411.00640 (2024), section 2.2, times the usual correction
    ``k / (k - 1)`` of the variance for k clusters.
    """
    x = np.asarray(values, float)
    k = _number(clusters)
    if k < 2:
        raise ValueError("a clustered standard error needs at least two clusters")
    sums = np.bincount(clusters, x - x.mean())
    return float(np.sqrt(k / (k - 1) * (sums**2).sum()) / len(x))


def clustered_mean(
    values: ArrayLike, clusters: NDArray[np.int64], confidence: float = 0.95, *, possible: tuple[float, float]
) -> ClusteredInterval:
    """Student's t interval of a mean over examples that come in clusters.

    Parameters
    ----------
    values : array_like of float, shape (n,)
    clusters : ndarray of int, shape (n,)
        From :func:`cluster_ids`.
    confidence : float
        Two-sided confidence.
    possible : (float, float)
        Smallest and largest value of one example. They bound the mean where all clusters have the same.

    Raises
    ------
    ValueError
        If there are fewer than two examples.

    Notes
    -----
    With fewer than `ENOUGH_CLUSTERS` they are taken as given, and the error is that of a stratified mean.
    """
    from scipy.stats import t

    x = np.asarray(values, float)
    n, k = len(x), _number(clusters)
    if n < 2:
        raise ValueError("a mean with an interval needs at least two values")
    fixed = k < ENOUGH_CLUSTERS
    error, freedom = (_stratified_error(x, clusters), max(n - k, 1)) if fixed else (clustered_error(x, clusters), k - 1)
    estimate = float(x.mean())
    half = float(t.ppf((1 + confidence) / 2, freedom)) * error
    if error == 0:
        # All clusters agree: as many independent draws that agree bound the share of deviating ones by this.
        rest = 1 - proportion(n if fixed else k, n if fixed else k, confidence).low
        low, high = estimate + rest * (possible[0] - estimate), estimate + rest * (possible[1] - estimate)
    else:
        low, high = max(estimate - half, possible[0]), min(estimate + half, possible[1])
    return ClusteredInterval(estimate, low, high, k, fixed)


def _stratified_error(x: Array, clusters: NDArray[np.int64]) -> float:
    """Standard error of the mean over given clusters; those of one example lend their spread from the whole."""
    count = np.bincount(clusters)
    seen = count > 0
    count = count[seen]
    mean = np.bincount(clusters, x)[seen] / count
    squares = np.bincount(clusters, x**2)[seen] - count * mean**2
    variance = np.where(count > 1, np.maximum(squares, 0) / np.maximum(count - 1, 1), x.var(ddof=1))
    return float(np.sqrt((count * variance).sum()) / len(x))


def resampled(
    statistic: Callable[[NDArray[np.int64]], float],
    clusters: NDArray[np.int64],
    confidence: float = 0.95,
    *,
    resamples: int = 2_000,
    seed: int = 0,
) -> ClusteredInterval:
    """Percentile bootstrap of any function of the rows, whole clusters resampled.

    Parameters
    ----------
    statistic : callable
        From row indices, with repetitions, to a value; for what the counts of a confusion matrix do not determine.
    clusters : ndarray of int, shape (n,)
        From :func:`cluster_ids`; ``np.arange(n)`` for independent rows.
    confidence : float
        Two-sided confidence.

    Notes
    -----
    Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapters 8 and 13. With fewer than
    `ENOUGH_CLUSTERS` the rows are resampled within each cluster instead, and the claim is about these clusters.
    """
    rng = np.random.default_rng(seed)
    k = _number(clusters)
    members = [np.flatnonzero(clusters == c) for c in np.unique(clusters)]
    fixed = k < ENOUGH_CLUSTERS
    values = np.empty(resamples)
    for i in range(resamples):
        drawn = (
            [rng.choice(rows, len(rows)) for rows in members]
            if fixed
            else [members[c] for c in rng.integers(0, k, size=k)]
        )
        values[i] = statistic(np.concatenate(drawn))
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return ClusteredInterval(float(statistic(np.arange(len(clusters)))), float(low), float(high), k, fixed)


def _number(clusters: NDArray[np.int64]) -> int:
    return len(np.unique(clusters))
