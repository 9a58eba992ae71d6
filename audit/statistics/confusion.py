"""Functions of the confusion matrix: a bootstrap over its cells, and exact bounds where these are too empty for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.statistics.design_effects import INDEPENDENT, DesignEffect, design_effect, distinct
from audit.statistics.intervals import Array, Interval, shared_out
from audit.statistics.proportions import proportions

# From confusion matrices, shape (..., classes, classes), rows the truth and columns the prediction, to values (...).
Statistic = Callable[[Array], Array]
Exact = Callable[[Array, float], tuple[float, float]]

# The bootstrap takes frequencies for probabilities. With fewer right or wrong answers in a class its intervals are too
# narrow on one side; from so many on they hold in simulation, for 2 to 12 classes.
ENOUGH = 5


def balanced_accuracy_of(confusion: Array) -> Array:
    """Mean recall of the classes that have examples, shape (..., classes, classes) to (...)."""
    hits, true, _ = _margins(confusion)
    recall = np.divide(hits, true, out=np.zeros_like(hits), where=true > 0)
    return np.asarray(recall.sum(axis=-1) / (true > 0).sum(axis=-1))


def macro_f1_of(confusion: Array) -> Array:
    """Unweighted mean of the classes' F1 scores, shape (..., classes, classes) to (...); a class unseen counts 0."""
    hits, true, predicted = _margins(confusion)
    f1 = np.divide(2 * hits, true + predicted, out=np.zeros_like(hits), where=true + predicted > 0)
    return np.asarray(f1.mean(axis=-1))


def mcc_of(confusion: Array) -> Array:
    """Matthews correlation of truth and prediction, shape (..., classes, classes) to (...); 0 where one is constant.

    Notes
    -----
    Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", Computational
    Biology and Chemistry 28 (2004).
    """
    hits, true, predicted = _margins(confusion)
    n = true.sum(axis=-1)
    above = n * hits.sum(axis=-1) - (true * predicted).sum(axis=-1)
    below = np.sqrt((n**2 - (true**2).sum(axis=-1)) * (n**2 - (predicted**2).sum(axis=-1)))
    return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below > 0))


def _margins(confusion: ArrayLike) -> tuple[Array, Array, Array]:
    counts = np.asarray(confusion, float)
    return np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1), counts.sum(axis=-2)


def too_empty(confusion: ArrayLike) -> bool:
    """Whether some class has too few right or wrong answers for a bootstrap of the cells."""
    hits, true, predicted = _margins(confusion)
    return bool(min(hits.min(), (true - hits).min(), (predicted - hits).min()) < ENOUGH)


@dataclass(frozen=True)
class ConfusionMeasure:
    """A function of the confusion matrix whose interval :func:`confusion_bootstrap` gives.

    Parameters
    ----------
    of : callable
        The function itself, as in :func:`confusion_bootstrap`; so are `exact`, `possible`, `empty` and
        `unseen`.
    """

    of: Statistic
    exact: Exact
    possible: tuple[float, float]
    empty: Callable[[Array], bool] = too_empty
    unseen: Callable[[Array], Array] | None = None

    def __call__(
        self,
        confusion: NDArray[np.int_],
        confidence: float = 0.95,
        *,
        effect: DesignEffect = INDEPENDENT,
        resamples: int = 10_000,
        seed: int = 0,
    ) -> Interval:
        """Its value with the interval."""
        return confusion_bootstrap(
            confusion,
            self.of,
            confidence,
            exact=self.exact,
            possible=self.possible,
            empty=self.empty,
            unseen=self.unseen,
            effect=effect,
            resamples=resamples,
            seed=seed,
        )


def confusion_effect(
    truth: NDArray[np.int64],
    labels: NDArray[np.int64],
    clusters: NDArray[np.int64] | None,
    statistic: Statistic,
    classes: int,
) -> DesignEffect:
    """Design effect of a function of the confusion matrix over rows in clusters.

    Parameters
    ----------
    truth, labels : ndarray of int, shape (n,)
        True and predicted class of each row.
    clusters : ndarray of int, shape (n,), or None
    statistic : callable
        As in :func:`confusion_bootstrap`.
    classes : int

    Notes
    -----
    That of the mean of what each row moves it by (Efron, "The jackknife, the bootstrap and other resampling plans",
    1982, chapter 6): the statistic less that without a row of the same cell.
    """
    if distinct(clusters):
        return INDEPENDENT
    cells = truth * classes + labels
    counts = np.bincount(cells, minlength=classes**2).astype(float)
    filled = np.flatnonzero(counts)
    fewer = (counts - np.eye(counts.size)[filled]).reshape(-1, classes, classes)
    moved = np.zeros(counts.size)
    moved[filled] = statistic(counts.reshape(classes, classes)) - statistic(fewer)
    return design_effect(np.nan_to_num(moved)[cells], clusters)


def confusion_bootstrap(
    confusion: NDArray[np.int_],
    statistic: Statistic,
    confidence: float = 0.95,
    *,
    exact: Exact | None = None,
    possible: tuple[float, float] = (-np.inf, np.inf),
    empty: Callable[[Array], bool] = too_empty,
    unseen: Callable[[Array], Array] | None = None,
    effect: DesignEffect = INDEPENDENT,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """BCa bootstrap of a function of the confusion matrix; exact bounds where the matrix is too empty for it.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
        Rows are the truth, columns the prediction.
    statistic : callable
        From confusion matrices, shape (..., classes, classes), to values, shape (...).
    exact : callable or None
        From a matrix and a confidence to (low, high) that hold for any number of examples; takes over where the matrix
        is too empty.
    possible : (float, float)
        Smallest and largest value of the statistic, the bounds where neither method can say anything.
    empty : callable
        Whether a matrix is too empty for a bootstrap.
    unseen : callable or None
        Gives a matrix with one row more, such as the sample may lack by chance; the interval reaches to that of both.
    effect : DesignEffect
        Of rows that come in clusters, by :func:`confusion_effect`: the matrix is taken for that of as many independent
        rows as these are worth, in the same shares.

    Raises
    ------
    ValueError
        If the matrix is empty.

    Notes
    -----
    Multinomial draws of the cell counts are exactly the nonparametric bootstrap of the rows, at a cost that does
    not grow with their number. Source: Efron, "Better bootstrap confidence intervals", Journal of the American
    Statistical Association 82 (1987); the jackknife goes by cells as well, since deleting any row of one cell gives the
    same matrix. Where a class is always or nearly always right the bootstrap has no width or too little, and where its
    cells are few its frequencies are poor probabilities.
    """
    counts = np.asarray(confusion, float)
    if counts.sum() < 1:
        raise ValueError("a confusion matrix needs at least one example")
    estimate = float(statistic(counts))
    kept = float(effect.kept(confidence))
    if kept == 0:
        return Interval(estimate, *possible)
    counts = counts * kept
    if empty(counts):
        low, high = possible if exact is None else exact(counts, confidence)
    else:
        low, high = _bca(counts, estimate, statistic, confidence, resamples, seed)
        if unseen is not None:
            more = unseen(counts)
            other = _bca(more, float(statistic(more)), statistic, confidence, resamples, seed)
            low, high = min(low, other[0]), max(high, other[1])
    return Interval(estimate, min(low, estimate), max(high, estimate))


def _bca(
    counts: Array, estimate: float, statistic: Statistic, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    from scipy.special import ndtr, ndtri

    rng = np.random.default_rng(seed)
    n = int(counts.sum() + 1e-9)  # as many whole rows as they are worth
    draws = rng.multinomial(n, (counts / counts.sum()).ravel(), size=resamples).reshape(-1, *counts.shape)
    values = np.sort(statistic(draws.astype(float)))
    below = ((values < estimate).sum() + (values <= estimate).sum()) / 2  # ties count half
    shift = ndtri((below + 0.5) / (resamples + 1))
    z = ndtri([(1 - confidence) / 2, (1 + confidence) / 2])
    levels = ndtr(shift + (shift + z) / (1 - _acceleration(counts, statistic) * (shift + z)))
    low, high = np.quantile(values, levels)
    return float(low), float(high)


def _acceleration(counts: Array, statistic: Statistic) -> float:
    """Skewness of the statistic's jackknife, a sixth of it; each cell's deletion is weighted by the cell's count."""
    flat = counts.ravel()
    cells = np.flatnonzero(flat)
    deleted = np.maximum(np.broadcast_to(flat, (len(cells), flat.size)) - np.eye(flat.size)[cells], 0.0)
    values = statistic(deleted.reshape(-1, *counts.shape))
    weights = flat[cells]
    away = np.average(values, weights=weights) - values
    spread = float((weights * away**2).sum())
    return float((weights * away**3).sum() / (6 * spread**1.5)) if spread > 0 else 0.0


def exact_balanced_accuracy(confusion: Array, confidence: float) -> tuple[float, float]:
    """Bounds of the mean recall for any number of examples.

    Notes
    -----
    A recall is a binomial proportion given the number of its class's examples; exact limits of each at the confidence
    shared out among the classes (Bonferroni) bound the mean.
    """
    hits, true, _ = _margins(confusion)
    _, low, high = proportions(hits[true > 0], true[true > 0], shared_out(confidence, int((true > 0).sum())))
    return float(low.mean()), float(high.mean())


def exact_macro_f1(confusion: Array, confidence: float) -> tuple[float, float]:
    """Bounds of macro F1 for any number of examples.

    Notes
    -----
    Of the examples that are of a class or said to be, the share ``j`` that is both is a binomial proportion, and the
    class's F1 is ``2j / (1 + j)``. Exact limits of each class's share at the confidence shared out among the classes
    (Bonferroni) therefore bound the mean.
    """
    hits, true, predicted = _margins(confusion)
    _, low, high = proportions(hits, true + predicted - hits, shared_out(confidence, len(hits)))
    return float((2 * low / (1 + low)).mean()), float((2 * high / (1 + high)).mean())


def exact_mcc(confusion: Array, confidence: float) -> tuple[float, float]:
    """Bounds of the Matthews correlation for any number of examples.

    Notes
    -----
    With two classes it is ``sqrt(TPR TNR PPV NPV) - sqrt(FNR FPR FOR FDR)`` (Chicco and Jurman, "The advantages of
    the Matthews correlation coefficient", BMC Genomics 21, 2020), which grows with each of the first four; each is a
    binomial proportion, and exact limits at a quarter of the error bound it. With more classes the same is done with
    the accuracy and the shares of each class among truths and predictions, whose limits bound the numerator and the
    denominator of Gorodkin's form; that is wide. Where nearly all answers are one class, all but a share ``v``, the
    covariance in the numerator is at most ``2 v`` either way and the answers' variance at least ``2 v (1 - v)``.
    """
    hits, true, predicted = _margins(confusion)
    if len(hits) == 2:
        rates = proportions(np.r_[hits, hits], np.r_[true, predicted], shared_out(confidence, 4))
        return _mcc_of_rates(rates[1]), _mcc_of_rates(rates[2])
    n = confusion.sum()
    _, low, high = proportions(np.r_[hits.sum(), true, predicted], n, shared_out(confidence, 1 + 2 * len(hits)))
    k = len(hits)
    (right_low, true_low, said_low), (right_high, true_high, said_high) = (
        (bound[0], bound[1 : k + 1], bound[k + 1 :]) for bound in (low, high)
    )
    chance = float(true_low @ said_low), min(float(true_high @ said_high), 1.0)
    below = (
        np.sqrt(max(1 - float(true_high @ true_high), 0.0) * max(1 - float(said_high @ said_high), 0.0)),
        np.sqrt((1 - float(true_low @ true_low)) * (1 - float(said_low @ said_low))),
    )
    others, spread = 1 - float(said_low.max()), 1 - float(true_high @ true_high)
    most = np.sqrt(2 * others / ((1 - others) * spread)) if others < 1 and spread > 0 else 1.0
    bounds = _quotient(right_low - chance[1], below, -1.0), _quotient(right_high - chance[0], below, 1.0)
    return max(bounds[0], -float(most)), min(bounds[1], float(most))


def _mcc_of_rates(rates: Array) -> float:
    return float(np.sqrt(rates.prod()) - np.sqrt((1 - rates).prod()))


def _quotient(above: float, below: tuple[float, float], side: float) -> float:
    """The smallest (side -1) or largest (side 1) quotient, within -1 and 1, where the divisor lies between two."""
    divisor = below[0] if above * side > 0 else below[1]
    return float(np.clip(above / divisor, -1, 1)) if divisor > 0 else side


balanced_accuracy = ConfusionMeasure(balanced_accuracy_of, exact_balanced_accuracy, (0.0, 1.0))
macro_f1 = ConfusionMeasure(macro_f1_of, exact_macro_f1, (0.0, 1.0))
mcc = ConfusionMeasure(mcc_of, exact_mcc, (-1.0, 1.0))
