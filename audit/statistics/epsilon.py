"""What guesses about who was in the training data prove of differential privacy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# Larger ones nobody can prove: all of a million million guesses would have to be right.
LARGEST_EPSILON, LARGEST_MU = 30.0, 30.0


def epsilon_lower_bound(
    right: int, guesses: int, canaries: int, *, delta: float = 0.0, confidence: float = 0.95
) -> float:
    """The smallest ε that a training may have, given how many guesses about its examples were right.

    Parameters
    ----------
    right, guesses : int
        Of the guesses "this one was in" and "this one was not", how many were made, and how many were right.
    canaries : int
        Examples that an independent fair coin put into the training data or not; on the others no guess was made.
    delta : float
        δ: the training is claimed to be (ε, δ)-differentially private.
    confidence : float
        One-sided: a training whose ε is smaller than the bound is found at most this often in error.

    Returns
    -------
    float
        0 where guessing explains what was found.

    Raises
    ------
    ValueError
        Unless 0 ≤ right ≤ guesses ≤ canaries.

    Notes
    -----
    The bound is the ε at which so many right guesses become improbable, see :func:`chance_at_most`.
    """
    _check(right, guesses, canaries)

    def surprise(epsilon: float) -> float:
        return chance_at_most(epsilon, right, guesses, canaries, delta) - (1 - confidence)

    return _root(surprise, LARGEST_EPSILON)


def chance_at_most(epsilon: float, right: int, guesses: int, canaries: int, delta: float = 0.0) -> float:
    """What the chance of so many right guesses is at most under (ε, δ)-differential privacy.

    Parameters
    ----------
    epsilon, delta : float
    right, guesses, canaries : int
        As of :func:`epsilon_lower_bound`.

    Returns
    -------
    float
        More than 1 where nothing is bounded.

    Notes
    -----
    Let p_w be the chance of w right guesses of c, about m canaries. For each set A of numbers and each canary, a look
    at the training in which only its coin fell the other way gives P(right about it, w ∈ A) ≤ e^ε P(wrong about it,
    w + 1 ∈ A) + δ. Summed over the canaries (Mahloujifar, Melis and Chaudhuri, "Auditing f-differential privacy in one
    run", ICML 2025, theorem 3.2, for the curve of (ε, δ)): the excesses u_w = w p_w − e^ε (c − w + 1) p_{w−1} that are
    positive come to mδ at most. With b_w the binomial chances at e^ε / (1 + e^ε), of which all excesses are 0, and B
    for their sums,

        P(W ≥ v) = B(≥ v) + Σ_w u_w g_w,   w b_w g_w = B(≥ max(v, w)) B(< min(v, w)),

    and no g_w is larger than g_v. So the chance is B(≥ v) + mδ g_v at most: the solution of the linear programme whose
    constraints these are. At δ = 0 it is that of Steinke, Nasr and Jagielski ("Privacy auditing with one (1) training
    run", NeurIPS 2023, theorem 5.2), which for δ adds 2mδ max_i P(v − i ≤ B < v) / i instead, several times as much.
    """
    from scipy.special import expit
    from scipy.stats import binom

    # Counted in wrong guesses: e^ε / (1 + e^ε) itself is 1 to a computer from ε = 37 on.
    wrong, share = guesses - right, float(expit(-epsilon))
    tail = float(binom.cdf(wrong, guesses, share))
    if delta == 0 or right == 0:
        return tail
    exactly, below = float(binom.pmf(wrong, guesses, share)), float(binom.sf(wrong, guesses, share))
    if exactly > 0:
        return tail + canaries * delta * tail * below / (right * exactly)
    # So far in the tail that it underflows. Its terms fall at least as fast as a geometric series.
    fall = wrong * (1 - share) / ((right + 1) * share)
    return tail + canaries * delta / (right * (1 - fall)) if fall < 1 else 1.0


def gaussian_lower_bound(right: int, guesses: int, canaries: int, *, confidence: float = 0.95) -> float:
    """The smallest μ that a training may have, if it is μ-Gaussian differentially private at all.

    Parameters
    ----------
    right, guesses, canaries, confidence
        As of :func:`epsilon_lower_bound`.

    Returns
    -------
    float
        0 where guessing explains what was found.

    Raises
    ------
    ValueError
        Unless 0 ≤ right ≤ guesses ≤ canaries.

    Notes
    -----
    Source: Mahloujifar, Melis and Chaudhuri (2025), algorithm 3 with abstention, for the trade-off curve of a normal
    observation that is shifted by μ (Dong, Roth and Su, "Gaussian differential privacy", JRSS B 2022). It assumes that
    family: of a training that is private in another way it proves nothing.
    """
    from scipy.special import ndtr, ndtri

    _check(right, guesses, canaries)

    def slack(mu: float) -> float:
        def least(chance: float) -> float:
            return float(ndtr(ndtri(min(chance, 1.0)) - mu))

        return 1 - least_mass(least, right, guesses, canaries, 1 - confidence)

    return _root(slack, LARGEST_MU)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The smallest ε at which a μ-Gaussian differentially private training is (ε, δ)-differentially private.

    Raises
    ------
    ValueError
        Unless μ ≥ 0 and 0 < δ < 1.

    Notes
    -----
    Source: Dong, Roth and Su (2022), corollary 2.13: δ(ε) = Φ(−ε/μ + μ/2) − e^ε Φ(−ε/μ − μ/2).
    """
    from scipy.special import log_ndtr, ndtr

    if mu < 0 or not 0 < delta < 1:
        raise ValueError(f"μ = {mu} and δ = {delta}; expected μ ≥ 0 and 0 < δ < 1")
    if mu == 0:
        return 0.0

    def excess(epsilon: float) -> float:
        second = np.exp(epsilon + log_ndtr(-epsilon / mu - mu / 2))
        return delta - float(ndtr(-epsilon / mu + mu / 2) - second)

    # At this ε the first term alone is smaller than δ: Φ(−x) ≤ exp(−x² / 2).
    return _root(excess, mu * (mu / 2 + float(np.sqrt(2 * np.log(1 / delta)))))


def _check(right: int, guesses: int, canaries: int) -> None:
    if not 0 <= right <= guesses <= canaries:
        raise ValueError(f"{right} right of {guesses} guesses about {canaries} canaries cannot be")


def _root(increasing: Callable[[float], float], most: float) -> float:
    """Where a function that grows is 0; 0 where it is not negative at 0."""
    from scipy.optimize import brentq

    if increasing(0.0) >= 0:
        return 0.0
    upper = min(1.0, most)
    while upper < most and increasing(upper) < 0:
        upper = min(2 * upper, most)
    if increasing(upper) <= 0:
        return upper
    return float(brentq(increasing, 0.0, upper, xtol=1e-9))


def least_mass(inverse: Callable[[float], float], right: int, guesses: int, canaries: int, error: float) -> float:
    """The least that all chances must come to, were the chance of so many right guesses `error`: above 1, it is less.

    `inverse` is that of 1 − f, for a trade-off curve f: the least chance on one side, given that on the other.
    """
    # r and h are Σ w p_w / m and Σ (c − w) p_w / m over the numbers w from i on, all chance lying at `right` at first.
    r, h = error * right / canaries, error * (guesses - right) / canaries
    for i in range(right - 1, -1, -1):
        least = inverse(r)
        if least <= h:  # then no smaller number of right guesses needs a chance either
            break
        r, h = r + i / (guesses - i) * (least - h), least
        if (r + h) * canaries > guesses:
            break
    return (r + h) * canaries / guesses
