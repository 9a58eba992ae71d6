"""Calibration of the top class: how far stated confidences are from the shares of right answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.statistics.design_effects import INDEPENDENT, DesignEffect, design_effect, distinct, numbered
from audit.statistics.intervals import Array, Interval

BINS = 15
PER_BIN = 20  # fewer examples say too little of a bin's share of right answers


class Bins(NamedTuple):
    """A reliability diagram: one entry a bin, none of them empty; arrays of shape (bins,)."""

    size: NDArray[np.int64]
    stated: Array
    right: Array


def reliability(stated: ArrayLike, right: ArrayLike, *, bins: int = BINS) -> Bins:
    """Bins of equal width over 0 to 1: examples, mean stated confidence and share of right answers of each.

    Parameters
    ----------
    stated : array_like of float, shape (n,)
        The top class's probability.
    right : array_like of bool, shape (n,)
        Whether the top class is the true one.
    """
    p, y = np.asarray(stated, float), np.asarray(right, float)
    index = np.minimum((p * bins).astype(int), bins - 1)
    return _summed(index, p, y)


def expected_calibration_error(diagram: Bins) -> float:
    """Mean distance of stated confidence and share of right answers over the bins, weighted by their examples.

    Notes
    -----
    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, section 2. Biased upwards: a perfectly
    calibrated model has none only with endless data. It is shown beside the debiased error, never judged.
    """
    return float(np.average(np.abs(diagram.stated - diagram.right), weights=diagram.size))


def _summed(index: NDArray[np.int64], p: Array, y: Array) -> Bins:
    count = np.bincount(index)
    seen = count > 0
    stated, right = (np.bincount(index, values)[seen] / count[seen] for values in (p, y))
    return Bins(count[seen], stated, right)


def equal_mass(stated: ArrayLike, *, bins: int = BINS) -> NDArray[np.int64]:
    """Bin of each example, equally many examples a bin, at least `PER_BIN`; equal confidences share a bin."""
    p = np.asarray(stated, float)
    number = max(1, min(bins, len(p) // PER_BIN))
    edges = np.unique(np.quantile(p, np.arange(1, number) / number))
    return np.unique(np.searchsorted(edges, p, side="right"), return_inverse=True)[1]


def calibration_error(
    stated: ArrayLike,
    right: ArrayLike,
    confidence: float = 0.95,
    *,
    bins: int = BINS,
    clusters: NDArray[np.int64] | None = None,
) -> Interval:
    """Squared ℓ2 calibration error of the top class over bins of equal mass, debiased, with its interval.

    Parameters
    ----------
    stated : array_like of float, shape (n,)
        The top class's probability.
    right : array_like of bool, shape (n,)
        Whether the top class is the true one.
    confidence : float
        Two-sided confidence.
    clusters : ndarray of int, shape (n,), optional
        Which examples belong together.

    Returns
    -------
    Interval
        Of the binned error, which is at most the error without bins. Estimate and bounds are not below 0.

    Raises
    ------
    ValueError
        If there are fewer than `PER_BIN` examples.

    Notes
    -----
    The estimate is that of Kumar, Liang and Ma, "Verified uncertainty calibration", NeurIPS 2019, section 4, in the
    form of Sun, Chaudhari, Barnett and Dobriban, "A confidence interval for the ℓ2 expected calibration error",
    arXiv:2408.08998 (2024): in each bin the square of the mean residual less what chance adds to it.

    As the latter show, its law changes where the model is calibrated. The interval here is not theirs, which joins
    two normal limits, but inverts a test that is valid in both regimes and between them: given an error, the sum of the
    bins' squared mean residuals is a weighted sum of noncentral chi-squares, whose law is approximated by the gamma
    law with the same mean, variance and skewness (Pearson, Biometrika 46, 1959). How the error is spread over the bins
    is taken as observed; the variances within bins are taken as at least those of a share with one more right and one
    more wrong answer. Its coverage is measured in ``benchmarks/statistics/coverage.py``.

    Examples of one cluster err together, in one bin and across bins, so chance adds more, and the sum is one of
    correlated squares: its moments are those of a quadratic form of normal means. Their covariance is that of equally
    correlated residuals; how much, is what the design effect of the mean residual comes to, for the interval with the
    room that :meth:`audit.statistics.DesignEffect.kept` leaves.
    """
    p, y = np.asarray(stated, float), np.asarray(right, float)
    if len(p) < PER_BIN:
        raise ValueError(f"a calibration error needs at least {PER_BIN} examples")
    index = equal_mass(p, bins=bins)
    residual = p - y
    count = np.bincount(index).astype(float)
    mean = np.bincount(index, residual) / count
    # Of at least two examples a bin, since a bin holds PER_BIN or so; ties only make bins larger.
    unbiased = (np.bincount(index, residual**2) - count * mean**2) / np.maximum(count - 1, 1)
    share = (np.bincount(index, y) + 1) / (count + 2)
    variance = np.maximum(unbiased, share * (1 - share))
    law = _Law(count, mean**2, variance)
    error = float((count * mean**2 - unbiased).sum() / count.sum())
    tail = (1 - confidence) / 2
    if clusters is not None and not distinct(clusters):
        effect = _of_mean_residual(residual - mean[index], clusters)
        kept = float(effect.kept(confidence))
        if kept == 0:
            return Interval(max(error, 0.0), 0.0, 1.0)
        joint = _joint(index, clusters)
        added = joint.diagonal() / count**2 * effect.correlation(float(effect.ratio))
        error -= float((count * unbiased * added).sum() / count.sum())
        law = _ClusteredLaw(count, mean**2, variance, mean, joint, effect.correlation(1 / kept), 1 / kept)
    return Interval(max(error, 0.0), law.solve(error, 1 - tail), law.solve(max(error, 0.0), tail))


def calibration_effect(
    stated: ArrayLike, right: ArrayLike, clusters: NDArray[np.int64] | None, *, bins: int = BINS
) -> DesignEffect:
    """Design effect of the mean residual within bins, on which :func:`calibration_error` over clusters rests."""
    if distinct(clusters):
        return INDEPENDENT
    p, y = np.asarray(stated, float), np.asarray(right, float)
    index, residual = equal_mass(p, bins=bins), p - y
    return _of_mean_residual(residual - (np.bincount(index, residual) / np.bincount(index))[index], clusters)


def _of_mean_residual(residual: Array, clusters: NDArray[np.int64] | None) -> DesignEffect:
    return design_effect(residual, clusters)


def _joint(index: NDArray[np.int64], clusters: NDArray[np.int64]) -> Array:
    """Pairs of different examples of one cluster, by the bins of the two; shape (bins, bins)."""
    from scipy.sparse import coo_matrix

    counts = coo_matrix((np.ones(len(index)), (numbered(clusters), index))).tocsr()
    return np.asarray((counts.T @ counts).todense() - np.diag(np.bincount(index)), float)


@dataclass(frozen=True)
class _Law:
    """Law of the estimate given the error; arrays of shape (bins,)."""

    size: Array
    spread: Array  # squared mean residuals: where the error sits
    variance: Array

    def below(self, estimate: float, error: float) -> float:
        """Probability of an estimate at most this one."""
        from scipy.special import gammainc

        second, third = self.moments(error)
        freedom = second**3 / third**2
        centred = (estimate - error) / np.sqrt(2 * second)
        return float(gammainc(freedom / 2, max(freedom + np.sqrt(2 * freedom) * centred, 0.0) / 2))

    def moments(self, error: float) -> tuple[float, float]:
        """Half the variance of the estimate, and an eighth of its third central moment."""
        n = self.size.sum()
        scale = self.variance / n
        squared = error * self.spread * n / (self.size @ self.spread)
        away = self.size * squared / self.variance  # noncentralities
        # The bins' shares are estimated from a sample too, which adds variance where the bins differ.
        between = (self.size @ squared**2 / n - error**2) / n
        second = (scale**2 * (1 + 2 * away)).sum() + between / 2
        third = (scale**3 * (1 + 3 * away)).sum()
        return second, third

    def solve(self, estimate: float, probability: float) -> float:
        """The error under which an estimate at most this one has a given probability; 0 where none has it."""
        from scipy.optimize import brentq

        def excess(error: float) -> float:
            return self.below(estimate, error) - probability

        if self.size @ self.spread == 0 or excess(0.0) <= 0:
            return 0.0
        return 1.0 if excess(1.0) >= 0 else float(brentq(excess, 0.0, 1.0, xtol=1e-9))


@dataclass(frozen=True)
class _ClusteredLaw(_Law):
    """The same where residuals of one cluster are correlated, in one bin and across bins.

    Parameters
    ----------
    mean : ndarray of float, shape (bins,)
        Mean residuals.
    joint : ndarray of float, shape (bins, bins)
        From :func:`_joint`.
    correlation : float
    effect : float
        How many times the variance of the bins' shares is that of independent examples.
    """

    mean: Array
    joint: Array
    correlation: float
    effect: float

    @cached_property
    def form(self) -> Array:
        """Covariance of the mean residuals, each times the root of its bin's share; shape (bins, bins)."""
        covariance = np.diag(1 / self.size) + self.correlation * self.joint / np.outer(self.size, self.size)
        weight = np.sqrt(self.variance * self.size / self.size.sum())
        return np.asarray(covariance * np.outer(weight, weight))

    def moments(self, error: float) -> tuple[float, float]:
        n, form = self.size.sum(), self.form
        squared = error * self.spread * n / (self.size @ self.spread)
        away = np.sign(self.mean) * np.sqrt(squared * self.size / n)
        turned = form @ away
        between = self.effect * (self.size @ squared**2 / n - error**2) / n
        second = (form**2).sum() + 2 * away @ turned + between / 2
        third = np.trace(form @ form @ form) + 3 * turned @ turned
        return float(second), float(third)
