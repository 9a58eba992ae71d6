"""Intervals that hold at whichever size of a growing sample one looks, however often, and whatever made one look."""

from __future__ import annotations

import math

# The size of a sample at which looking again and again costs least: intervals are then half as wide again as those of a
# single look. At a tenth of it they are twice as wide, at ten times of it two thirds wider.
_NARROWEST = 1_000
# An error that the difference from 1 still shows; of a handful of examples it would be less.
_LEAST = 1e-12


def anytime_confidence(confidence: float, n: int) -> float:
    """The confidence of an interval for one look, with which it is part of a confidence sequence.

    Intervals with it, at all sizes of a sample that grows, hold together with the confidence that is given: each of the
    two sides errs at any of them in at most half of the rest. It depends on the size alone, so that nothing of former
    looks need be known.

    Parameters
    ----------
    confidence : float
        Two-sided, of all looks together.
    n : int
        Examples so far.

    Raises
    ------
    ValueError
        If there are none.

    Notes
    -----
    With a prior of the weight of ρ examples, an estimate after n examples is held against √(1 + ρ/n) · √log((n + ρ) /
    (ρ α²)) standard errors: the e-process of a normal mixture (Robbins, "Statistical methods related to the law of the
    iterated logarithm", Annals of Mathematical Statistics 41, 1970). For what is no sum of normal increments it holds
    as the sample grows (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
    asymptotic confidence sequences", Annals of Statistics 52, 2024). What interval has that confidence at a single look
    is left to each measure: the exact one of a share, a bootstrap's. How often all of it errs from small samples on is
    simulated in ``benchmarks/statistics/anytime.py``.
    """
    from scipy import special

    if n < 1:
        raise ValueError("a look needs an example to look at")
    alpha = 1 - confidence
    rho = _NARROWEST / (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha)))
    errors = math.sqrt((1 + rho / n) * (math.log((n + rho) / rho) - 2 * math.log(alpha)))
    return float(1 - max(2 * special.ndtr(-errors), _LEAST))
