"""Membership attacks as arithmetic: from what models say of examples to scores, the higher the likelier a member.

Nothing here runs a model or knows who the members are. Throughout, θ is the model under attack, x an example, y its
true class, p_θ(x) the probability that θ gives y, and OUT models are reference models that never saw x.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# With fewer reference models than this the variance of one example cannot be told, so all examples share one.
ENOUGH_REFERENCES = 64
# What a probability is kept away from 0 and 1 by: float32 knows no finer difference from 1.
LEAST = 1e-7


def loss_threshold(losses: ArrayLike) -> Array:
    """Score −ℓ(θ, x): a model errs less on what it was trained on.

    Parameters
    ----------
    losses : array_like of float, shape (n,)
        Cross-entropy ℓ(θ, x) = −log p_θ(x).

    Returns
    -------
    ndarray of float, shape (n,)

    Notes
    -----
    Source: Yeom et al., "Privacy risk in machine learning: analyzing the connection to overfitting", CSF 2018,
    section 3.
    """
    return -np.asarray(losses, float)


def calibrated_loss(losses: ArrayLike, reference_losses: ArrayLike) -> Array:
    """Score mean_r ℓ(θ_r, x) − ℓ(θ, x): how much less the model errs on x than models that never saw it.

    Parameters
    ----------
    losses : array_like of float, shape (n,)
        ℓ(θ, x).
    reference_losses : array_like of float, shape (references, n)
        ℓ(θ_r, x) of OUT models.

    Returns
    -------
    ndarray of float, shape (n,)

    Notes
    -----
    Source: Watson et al., "On the importance of difficulty calibration in membership inference attacks", ICLR 2022,
    section 3. An example that is easy for everybody is then no sign of memory.
    """
    return np.asarray(np.asarray(reference_losses, float).mean(axis=0) - np.asarray(losses, float))


def likelihood_ratio(chances: ArrayLike, reference_chances: ArrayLike, a: float) -> Array:
    """p_θ(x) / p(x) of RMIA, with p(x) from OUT models alone; parameters as in :func:`rmia`.

    Raises
    ------
    ValueError
        Unless a lies in 0 … 1.
    """
    if not 0 <= a <= 1:
        raise ValueError(f"the offline factor a lies in 0 … 1, not at {a}")
    out = np.asarray(reference_chances, float).mean(axis=0)
    # p(x) is the mean of p_IN and p_OUT; p_IN = a · p_OUT + (1 − a) stands in for the models that saw x.
    marginal = 0.5 * ((1 + a) * out + (1 - a))
    return np.asarray(np.asarray(chances, float) / np.maximum(marginal, LEAST))


def rmia(
    chances: ArrayLike,
    reference_chances: ArrayLike,
    population: ArrayLike,
    reference_population: ArrayLike,
    *,
    a: float,
    gamma: float = 1.0,
) -> Array:
    """Score Pr_z(LR(x, z) ≥ γ): the share of a population whose likelihood ratio x's is γ times or more.

    Parameters
    ----------
    chances : array_like of float, shape (n,)
        p_θ(x).
    reference_chances : array_like of float, shape (references, n)
        p_θr(x) of OUT models.
    population : array_like of float, shape (m,)
        p_θ(z).
    reference_population : array_like of float, shape (references, m)
        p_θr(z).
    a : float in 0 … 1
        p_IN(x) ≈ a · p_OUT(x) + (1 − a): 1 where having seen x hardly helps, 0 where it makes all certain.
    gamma : float
        γ. At 1 the population only spreads the scores over 0 … 1: their order is that of the ratios.

    Returns
    -------
    ndarray of float, shape (n,)

    Raises
    ------
    ValueError
        Unless a lies in 0 … 1.

    Notes
    -----
    Source: Zarifzadeh, Liu and Shokri, "Low-cost high-power membership inference attacks", ICML 2024, section 3 and,
    for p(x) from OUT models alone, its appendix on offline attacks. LR(x, z) = (p_θ(x)/p(x)) / (p_θ(z)/p(z)). The
    ratios of the population are sorted once, so that n scores take n binary searches instead of n · m comparisons.
    """
    own = likelihood_ratio(chances, reference_chances, a)
    others = np.sort(likelihood_ratio(population, reference_population, a))
    return np.asarray(np.searchsorted(others, own / gamma, side="right") / len(others))


def scaled_confidence(probabilities: ArrayLike, labels: ArrayLike) -> Array:
    """φ(x) = log(p_θ(x) / (1 − p_θ(x))), the logit-scaled confidence in the true class.

    Parameters
    ----------
    probabilities : array_like of float, shape (n, classes)
    labels : array_like of int, shape (n,)
        y.

    Returns
    -------
    ndarray of float, shape (n,)

    Notes
    -----
    Source: Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022, section IV.C, where
    1 − p is added up from the other classes: a small rest is then not lost beside 1.
    """
    p, y = np.asarray(probabilities, float), np.asarray(labels, int)
    rows = np.arange(len(p))
    rest = p.copy()
    rest[rows, y] = 0.0
    return np.asarray(np.log(np.maximum(p[rows, y], LEAST)) - np.log(np.maximum(rest.sum(axis=1), LEAST)))


def lira_offline(confidences: ArrayLike, reference_confidences: ArrayLike) -> Array:
    """Score −log Pr(Z > φ(x)), Z ~ N(μ_OUT, σ²_OUT): how unusual the confidence would be, had θ never seen x.

    Parameters
    ----------
    confidences : array_like of float, shape (n,)
        φ(x) by θ, from :func:`scaled_confidence`.
    reference_confidences : array_like of float, shape (references, n)
        φ(x) by OUT models.

    Returns
    -------
    ndarray of float, shape (n,)

    Raises
    ------
    ValueError
        With fewer than two reference models: one has no spread.

    Notes
    -----
    Source: Carlini et al., "Membership inference attacks from first principles", IEEE S&P 2022, section V (the offline
    attack), with one variance for all examples where there are few reference models (their global variance). The
    logarithm of the one-sided p keeps the order of examples whose p would be rounded to 0.
    """
    from scipy.special import log_ndtr

    out = np.asarray(reference_confidences, float)  # (references, n)
    if len(out) < 2:
        raise ValueError("LiRA needs at least two reference models")
    mean, variance = out.mean(axis=0), out.var(axis=0, ddof=1)
    if len(out) < ENOUGH_REFERENCES:
        variance = variance.mean()
    z = (np.asarray(confidences, float) - mean) / np.sqrt(np.maximum(variance, 1e-12))
    return np.asarray(-log_ndtr(-z))


def canary_memory(probabilities: ArrayLike, reference_probabilities: ArrayLike, labels: ArrayLike) -> Array:
    """Score φ_θ(x) − (α_y + β_y φ_r(x)): how much surer of the label θ is than a model that saw no canary lets expect.

    Parameters
    ----------
    probabilities : array_like of float, shape (n, classes)
        Of n canaries by the model whose training data held some of them.
    reference_probabilities : array_like of float, shape (n, classes)
        Of the same canaries by a model that saw none.
    labels : array_like of int, shape (n,)
        The canaries' random labels y.

    Returns
    -------
    ndarray of float, shape (n,)

    Notes
    -----
    φ as in :func:`scaled_confidence`. α_k and β_k are fitted by least squares to φ_θ of class k in all canaries,
    whatever their labels and coins: the labels are random, so memory of them moves the fit neither up nor down. It is
    the difficulty calibration of Watson et al., ICLR 2022, with the weight of the other model read off the data.
    """
    own, other, y = (np.asarray(a) for a in (probabilities, reference_probabilities, labels))
    scores = np.empty(len(y))
    for k in range(own.shape[1]):
        said, expected = (scaled_confidence(p, np.full(len(y), k)) for p in (own, other))
        around = expected - expected.mean()
        spread = float(around @ around)
        slope = float(around @ said) / spread if spread > 0 else 0.0
        scores[y == k] = (said - said.mean() - slope * around)[y == k]
    return scores
