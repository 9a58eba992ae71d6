"""What an interval is, and how its confidence is shared out among several."""

from __future__ import annotations

from typing import NamedTuple, SupportsFloat

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Bounds = tuple[Array, Array, Array]  # estimate, low, high; elementwise, of one shape


class Interval(NamedTuple):
    """An estimate and the two-sided interval that the evidence supports."""

    estimate: float
    low: float
    high: float


def as_interval(bounds: tuple[SupportsFloat, SupportsFloat, SupportsFloat]) -> Interval:
    """Bounds of a single element as plain numbers."""
    return Interval(*(float(value) for value in bounds))


def shared_out(confidence: float, parts: int) -> float:
    """The confidence that each of several claims needs, so that all hold together with the given one.

    Notes
    -----
    The error is divided by their number (Bonferroni), which asks nothing of how the claims depend on each other.
    """
    if parts < 1:
        raise ValueError("a confidence is shared out among at least one part")
    return 1 - (1 - confidence) / parts


def widened(interval: Interval, confidence: float, parts: int) -> Interval:
    """An interval of which only the ends are known, at an error that is shared out among several.

    Notes
    -----
    The distance to each end grows as that of a normal figure does (:func:`shared_out`), which is too little where
    events are few; how often it errs is measured in ``benchmarks/statistics/multiplicity.py``. Open ends stay open.
    """
    growth = normal_quantile(shared_out(confidence, parts)) / normal_quantile(confidence)
    estimate, low, high = interval
    return Interval(estimate, estimate - growth * (estimate - low), estimate + growth * (high - estimate))


def cross_fit_factor(folds: int) -> float:
    """How much wider an interval is of answers that each came from a fit to the other folds, than of one fit's.

    Notes
    -----
    Source: Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52 (2003), section 3: the fits
    share most of what they learn from, and one learns from what another is asked about, so the variance of the mean is
    up to ``1 + folds / (folds - 1)`` times that of independent answers. A rule of thumb, checked by simulation
    (``benchmarks/statistics/attribute_inference.py``, ``benchmarks/statistics/drift.py``).
    """
    return float(np.sqrt(1 + folds / (folds - 1)))


def cross_fitted(interval: Interval, folds: int, least: float, most: float) -> Interval:
    """An interval that was found as if all answers came from one fit, of answers from cross-fitting.

    Parameters
    ----------
    interval : Interval
    folds : int
    least, most : float
        The values that are possible.
    """
    wider = cross_fit_factor(folds)
    estimate, low, high = interval
    return Interval(
        estimate, max(estimate - wider * (estimate - low), least), min(estimate + wider * (high - estimate), most)
    )


def quotient(top: Interval, bottom: Interval) -> Interval:
    """All quotients that two intervals allow, the lower one of values above 0.

    The top may have either sign. If each interval errs on either side in a share of the cases, the quotient's limits
    err on either side in no more than both shares together, however the two depend on each other.
    """
    if bottom.low <= 0:
        raise ValueError("a quotient needs a divisor that is surely above 0")
    return Interval(
        top.estimate / bottom.estimate,
        top.low / (bottom.high if top.low > 0 else bottom.low),
        top.high / (bottom.low if top.high > 0 else bottom.high),
    )


def normal_quantile(confidence: float) -> float:
    """How many standard errors a two-sided interval reaches to each side."""
    from scipy.special import ndtri

    return float(-ndtri((1 - confidence) / 2))
