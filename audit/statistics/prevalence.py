"""How common something truly is, where a program that errs counted it."""

from __future__ import annotations

import numpy as np

from audit.statistics.intervals import Interval, normal_quantile


def prevalence(
    found: int,
    n: int,
    sensitivity: tuple[int, int],
    specificity: tuple[int, int],
    confidence: float = 0.95,
) -> Interval:
    """True share of something of which a detector found so much, given how well the detector did on labelled examples.

    Parameters
    ----------
    found, n : int
        Examples in which the detector saw it, and all.
    sensitivity : (int, int)
        Of the labelled examples that have it: those in which the detector saw it, and all.
    specificity : (int, int)
        Of the labelled examples that do not: those in which it saw nothing, and all.
    confidence : float
        Two-sided confidence.

    Returns
    -------
    Interval
        Estimate and limits lie from 0 to 1.

    Raises
    ------
    ValueError
        If the detector does no better than guessing, so that what it finds tells nothing.

    Notes
    -----
    Estimate: Rogan and Gladen, "Estimating prevalence from the results of a screening test", American Journal of
    Epidemiology 107 (1978). Interval: Lang and Reiczigel, "Confidence limits for prevalence of disease adjusted for
    estimated sensitivity and specificity", Preventive Veterinary Medicine 113 (2014), section 2, which allows for the
    error of both. It holds approximately; with ten labelled examples on a side its lower limit errs up to three times
    as often as nominal.
    """
    (seen, having), (silent, lacking) = sensitivity, specificity
    plain = seen / having + silent / lacking - 1
    if plain <= 0:
        raise ValueError(f"a detector of sensitivity {seen}/{having} and specificity {silent}/{lacking} only guesses")
    estimate = (found / n + silent / lacking - 1) / plain
    z = normal_quantile(confidence)
    size, having, lacking = n + z**2, having + 2, lacking + 2
    apparent, sure, still = (found + z**2 / 2) / size, (seen + 1) / having, (silent + 1) / lacking
    youden = sure + still - 1
    share = (apparent + still - 1) / youden
    errors = sure * (1 - sure) / having, still * (1 - still) / lacking
    shift = 2 * z**2 * (share * errors[0] - (1 - share) * errors[1])
    variance = apparent * (1 - apparent) / size + share**2 * errors[0] + (1 - share) ** 2 * errors[1]
    reach = z * np.sqrt(variance) / youden
    low, high = float(np.clip(share + shift - reach, 0, 1)), float(np.clip(share + shift + reach, 0, 1))
    return Interval(float(np.clip(estimate, low, high)), low, high)
