"""How well scores tell two sides apart at each threshold, over one trial or several that share examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.statistics.intervals import Array, Interval, shared_out
from audit.statistics.proportions import proportion
from audit.statistics.quantiles import quantile
from audit.statistics.scores import auc_interval, placements, pulls

# Rows of the smaller side for each covariate, below which none is used.
ROWS_PER_COVARIATE = 10
# Points of a drawn curve, at most and besides powers of ten.
POINTS = 60


@dataclass(frozen=True)
class Trial:
    """Scores of two sides.

    Parameters
    ----------
    scores : ndarray of float, shape (n,)
    positive : ndarray of bool, shape (n,)
    cluster : ndarray of int, shape (n,)
        Which example a row is about; the same numbers in other trials mean the same examples.
    covariates : ndarray of float, shape (n, k), optional
        What was known of each row before a coin decided its side. Without a coin there must be none.

    Raises
    ------
    ValueError
        If either side has fewer than two rows.
    """

    scores: Array
    positive: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    covariates: Array | None = None

    def __post_init__(self) -> None:
        if min(self.positive.sum(), (~self.positive).sum()) < 2:
            raise ValueError("a trial needs at least two scores on each side")

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """Rows from the highest score to the lowest, shape (n,)."""
        return np.asarray(np.argsort(-self.scores, kind="stable"))

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Where in that order a run of equal scores ends: a threshold cannot part them. Shape (distinct scores,)."""
        return _ends(self.scores[self.order])

    def caught(self, levels: Array) -> Array:
        """Share of positives above the lowest threshold that at most these shares of negatives pass; as levels."""
        positive = self.positive[self.order]
        hits = np.append(0.0, np.cumsum(positive)[self.ends])
        alarms = np.append(0.0, np.cumsum(~positive)[self.ends])
        # Tolerance for floating point: a share of counts that equals the level must not exceed it.
        at = np.searchsorted(alarms, levels * alarms[-1] * (1 + 1e-9), side="right") - 1
        return np.asarray(hits[at] / hits[-1])

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which rows are told rightly by a threshold that was chosen on the other half of them; shape (n,)."""
        half = np.arange(len(self.scores)) % 2
        guesses = np.empty(len(half), dtype=bool)
        for h in (0, 1):
            guesses[half == h] = self.scores[half == h] >= _best_threshold(
                self.scores[half != h], self.positive[half != h]
            )
        return np.asarray(guesses == self.positive)


def _ends(falling: Array) -> NDArray[np.int64]:
    """Where each run of equal scores ends, of scores in order."""
    return np.append(np.flatnonzero(falling[1:] != falling[:-1]), len(falling) - 1)


def _best_threshold(scores: Array, positive: NDArray[np.bool_]) -> float:
    """The threshold with the highest balanced accuracy; a side that is missing leaves all of them alike."""
    order = np.argsort(-scores, kind="stable")
    falling, sign = scores[order], positive[order]
    ends = _ends(falling)
    hits, alarms = np.cumsum(sign)[ends], np.cumsum(~sign)[ends]
    return float(falling[ends[np.argmax(hits / max(hits[-1], 1) - alarms / max(alarms[-1], 1))]])


def clustered_auc(trials: Sequence[Trial], confidence: float = 0.95) -> Interval:
    """Mean area under the ROC curves of trials that share examples.

    Notes
    -----
    Source: DeLong et al. as in :func:`audit.statistics.auc`, whose interval this is for one trial; over several the
    placement values of an example are added up before variance and skewness are taken, as Obuchowski does for the
    variance of clusters ("Nonparametric analysis of clustered ROC curve data", Biometrics 53, 1997).

    Where a coin decided the sides, the means of covariates differ by chance alone. What that difference explains of
    the area is taken off, which leaves its expectation and makes the interval narrower: control variates, as Tsiatis,
    Davidian, Zhang and Lu adjust randomised trials ("Covariate adjustment for two-sample treatment comparisons in
    randomized clinical trials: a principled yet flexible approach", Statistics in Medicine 27, 2008). What is left
    counts for as many rows of the smaller side less as there are covariates.
    """
    clusters = np.concatenate([trial.cluster for trial in trials])
    areas, heaviest, moves = [], [], []  # of each trial; how far each row moves the mean area
    for trial in trials:
        inside = trial.positive
        above, below = placements(trial.scores[inside], trial.scores[~inside])
        move = np.empty(len(inside))
        move[inside], move[~inside] = pulls(above), pulls(below)
        explained, move = _without_chance(trial, move)
        moves.append(move / len(trials))
        areas.append(min(max(above.mean() - explained, 0.0), 1.0))
        heaviest.append(1 / min(len(above), len(below)))
    _, ids = np.unique(clusters, return_inverse=True)
    together = np.asarray(np.bincount(ids, np.concatenate(moves)), float)
    return auc_interval(float(np.mean(areas)), together, 1 / float(np.mean(heaviest)), confidence)


def _without_chance(trial: Trial, moves: Array) -> tuple[float, Array]:
    """What of an area the sides' chance difference in covariates explains, and what it leaves of the rows' moves."""
    inside, x = trial.positive, trial.covariates
    fewer = min(inside.sum(), (~inside).sum())
    if x is None or fewer < ROWS_PER_COVARIATE * x.shape[1]:
        return 0.0, moves
    pull = np.empty(x.shape)  # how far each row moves the difference of the sides' means
    pull[inside] = np.apply_along_axis(pulls, 0, x[inside])
    pull[~inside] = -np.apply_along_axis(pulls, 0, x[~inside])
    slopes = np.linalg.lstsq(pull, moves)[0]
    difference = x[inside].mean(axis=0) - x[~inside].mean(axis=0)
    left = (moves - pull @ slopes) * np.sqrt(fewer / (fewer - x.shape[1]))
    return float(difference @ slopes), np.asarray(left)


def trial_balanced_accuracy(
    trials: Sequence[Trial], confidence: float = 0.95, *, resamples: int = 1_000, seed: int = 0
) -> Interval:
    """Mean of both sides' shares that a threshold tells rightly, with a percentile interval.

    Parameters
    ----------
    trials : sequence of Trial
        Over which it is averaged; each threshold was chosen on other examples.
    confidence : float
        Two-sided confidence.

    Notes
    -----
    Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapter 13. Examples of both sides are
    resampled together, with all their rows.
    """
    rng = np.random.default_rng(seed)
    names = np.unique(np.concatenate([trial.cluster for trial in trials]))
    rows = [np.searchsorted(names, trial.cluster) for trial in trials]
    drawn = np.empty(resamples + 1)
    for i in range(resamples + 1):
        # Row 0 is the estimate from the examples themselves, not a resample.
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names)) if i else np.ones(len(names))
        drawn[i] = np.mean([_balanced(trial, times[r].astype(float)) for trial, r in zip(trials, rows, strict=True)])
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn[1:], [tail, 1 - tail])
    return Interval(float(drawn[0]), float(low), float(high))


def _balanced(trial: Trial, weights: Array) -> float:
    """Balanced accuracy of weighted rows; NaN where a resample lost a side."""
    inside = weights * trial.positive
    outside = weights - inside
    if inside.sum() == 0 or outside.sum() == 0:
        return float("nan")
    return float(inside @ trial.right / inside.sum() + outside @ trial.right / outside.sum()) / 2


def enough_for_rate(level: float) -> int:
    """How many negatives it takes until a threshold can be set that one more of them passes with chance `level`."""
    return math.ceil(1 / level) - 1


def true_positive_rate(trials: Sequence[Trial], level: float, confidence: float = 0.95) -> Interval:
    """Share of positives above the threshold that this share of negatives passes, with an exact interval.

    Parameters
    ----------
    trials : sequence of Trial
        Over which it is averaged. Rows of one example have one score: they count once.
    level : float
        Rate of false positives in the population that the negatives were drawn from, not in this sample of them.
    confidence : float
        Two-sided confidence.

    Returns
    -------
    Interval
        Its lower end is 0 where there are too few negatives for an upper limit of the threshold.

    Notes
    -----
    A threshold chosen so that a share of these negatives passes lets more of the others pass, and the rate at it is too
    high. A further negative exceeds the k-th largest of n with a chance of k/(n + 1), so the estimate is the rate above
    rank `level` · (n + 1), between two ranks in proportion. Thresholds of the interval are the two ends of the
    quantile's interval by the order of the negatives (David and Nagaraja, "Order statistics", 3rd edition, 2003,
    section 7.1), and for these fixed thresholds it takes the exact limits of a proportion (Clopper and Pearson 1934).
    Each has half of the error. Several trials share the error out among them, however they depend on each other.
    """
    parts = shared_out(confidence, 2 * len(trials))
    found = np.array([_rate(trial, level, parts) for trial in trials])
    return Interval(*map(float, found.mean(axis=0)))


def _rate(trial: Trial, level: float, confidence: float) -> tuple[float, float, float]:
    """The rate of one trial, with limits that err as often as the threshold's own, and as a proportion's, together."""
    _, first = np.unique(trial.cluster, return_index=True)
    scores, positive = trial.scores[first], trial.positive[first]
    inside, outside = scores[positive], np.sort(scores[~positive])[::-1]

    def hits(rank: int) -> int:
        """Positives above the negative of this rank, from 1; of none above rank 0, whose score is endless."""
        return int((inside > outside[rank - 1]).sum()) if rank else 0

    m, n = len(inside), len(outside)
    place = min(level * (n + 1), n)
    rank = int(place)
    estimate = hits(rank) + (place - rank) * (hits(min(rank + 1, n)) - hits(rank))
    threshold = quantile(outside, 1 - level, confidence)
    low = proportion(int((inside > threshold.high).sum()), m, confidence).low
    # Above a threshold, as above its lower limit: rows at the limit itself may be above the threshold.
    high = proportion(int((inside >= threshold.low).sum()), m, confidence).high
    return estimate / m, min(low, estimate / m), max(high, estimate / m)


def roc_points(trials: Sequence[Trial]) -> list[tuple[float, float]]:
    """Points of the mean ROC curve, as (share of negatives, share of positives) that pass.

    They stand at whole numbers of negatives, each of the first few and then evenly spaced on a logarithmic scale, and
    at powers of ten. Between two of them a threshold reaches at least the former's share of positives.
    """
    negatives = min(int((~trial.positive).sum()) for trial in trials)
    tens = 10.0 ** -np.arange(1, np.log10(negatives))
    levels = np.union1d(np.geomspace(1, negatives, POINTS).round() / negatives, tens)
    rates = np.mean([trial.caught(levels) for trial in trials], axis=0)
    return [(float(level), float(rate)) for level, rate in zip(levels, rates, strict=True)]
