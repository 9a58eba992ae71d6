"""How well scores tell two sides apart at each threshold, over one trial or several that share examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.statistics.intervals import Array, Interval
from audit.statistics.scores import auc_interval, placements, pulls

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

    Raises
    ------
    ValueError
        If either side has fewer than two rows.
    """

    scores: Array
    positive: NDArray[np.bool_]
    cluster: NDArray[np.int64]

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

    def caught(self, levels: Array, weights: Array) -> Array:
        """Share of positives above the lowest threshold that at most these shares of negatives pass; as levels."""
        w, positive = weights[self.order], self.positive[self.order]
        hits = np.append(0.0, np.cumsum(w * positive)[self.ends])
        alarms = np.append(0.0, np.cumsum(w * ~positive)[self.ends])
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
    """
    clusters = np.concatenate([trial.cluster for trial in trials])
    areas, heaviest, moves = [], [], []  # of each trial; how far each row moves the mean area
    for trial in trials:
        inside = trial.positive
        above, below = placements(trial.scores[inside], trial.scores[~inside])
        move = np.empty(len(inside))
        move[inside], move[~inside] = pulls(above), pulls(below)
        moves.append(move / len(trials))
        areas.append(above.mean())
        heaviest.append(1 / min(len(above), len(below)))
    _, ids = np.unique(clusters, return_inverse=True)
    together = np.asarray(np.bincount(ids, np.concatenate(moves)), float)
    return auc_interval(float(np.mean(areas)), together, 1 / float(np.mean(heaviest)), confidence)


class OperatingPoints(NamedTuple):
    """What an attacker reaches at chosen thresholds, averaged over trials.

    Parameters
    ----------
    balanced_accuracy : Interval
        At a threshold that was chosen on other examples.
    caught : tuple of Interval
        Share of positives above the threshold that a level's share of negatives passes, for each level.
    """

    balanced_accuracy: Interval
    caught: tuple[Interval, ...]


def operating_points(
    trials: Sequence[Trial],
    levels: Sequence[float],
    confidence: float = 0.95,
    *,
    resamples: int = 1_000,
    seed: int = 0,
) -> OperatingPoints:
    """Balanced accuracy, and rates of true positives at levels of false ones, with percentile intervals.

    Parameters
    ----------
    trials : sequence of Trial
    levels : sequence of float
        Shares of negatives.
    confidence : float
        Two-sided confidence.

    Notes
    -----
    Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), chapter 13. Examples of both sides are
    resampled together, with all their rows, and each resample finds its own threshold: the threshold of a level is
    itself an estimate.
    """
    rng, rates = np.random.default_rng(seed), np.asarray(levels, float)
    names = np.unique(np.concatenate([trial.cluster for trial in trials]))
    rows = [np.searchsorted(names, trial.cluster) for trial in trials]
    drawn = np.empty((resamples + 1, 1 + len(rates)))
    for i in range(resamples + 1):
        # Row 0 is the estimate from the examples themselves, not a resample.
        times = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names)) if i else np.ones(len(names))
        drawn[i] = _points(trials, [times[r].astype(float) for r in rows], rates)
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(drawn[1:], [tail, 1 - tail], axis=0)
    intervals = [Interval(*map(float, parts)) for parts in zip(drawn[0], low, high, strict=True)]
    return OperatingPoints(intervals[0], tuple(intervals[1:]))


def _points(trials: Sequence[Trial], weights: Sequence[Array], levels: Array) -> Array:
    """Balanced accuracy and the rates at the levels, averaged over trials; NaN where a resample lost a side."""
    total = np.zeros(1 + len(levels))
    for trial, w in zip(trials, weights, strict=True):
        inside = w * trial.positive
        outside = w - inside
        if inside.sum() == 0 or outside.sum() == 0:
            return np.full(1 + len(levels), np.nan)
        balanced = (inside @ trial.right / inside.sum() + outside @ trial.right / outside.sum()) / 2
        total += np.append(balanced, trial.caught(levels, w))
    return total / len(trials)


def roc_points(trials: Sequence[Trial]) -> list[tuple[float, float]]:
    """Points of the mean ROC curve, as (share of negatives, share of positives) that pass.

    They stand at whole numbers of negatives, each of the first few and then evenly spaced on a logarithmic scale, and
    at powers of ten. Between two of them a threshold reaches at least the former's share of positives.
    """
    negatives = min(int((~trial.positive).sum()) for trial in trials)
    tens = 10.0 ** -np.arange(1, np.log10(negatives))
    levels = np.union1d(np.geomspace(1, negatives, POINTS).round() / negatives, tens)
    rates = np.mean([trial.caught(levels, np.ones(len(trial.scores))) for trial in trials], axis=0)
    return [(float(level), float(rate)) for level, rate in zip(levels, rates, strict=True)]
