"""A share among rows of which few or none are labelled, with the help of what is expected of all of them.

What is expected of a row (that its answer is right, say) comes from outside these rows: an expectation that leans costs
width, and no validity.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.statistics.intervals import Array, Interval, as_interval
from audit.statistics.proportions import FEW, proportion, proportions

# Of fewer labelled rows neither variance nor tuning is known: the exact interval of these alone stands in.
FEWEST_LABELLED = 30
# Determinant of the answers' rates by class, below which these tell the classes too badly apart.
SINGULAR = 0.01
# Of sums of shares; what differs by less is equal.
ROUNDING = 1e-9


def prediction_powered(
    hits: ArrayLike, expected: ArrayLike, others: ArrayLike, confidence: float = 0.95
) -> tuple[Interval, float]:
    """A share of hits, from a labelled random sample of rows and what is expected of the others.

    Parameters
    ----------
    hits : array_like of bool, shape (n,)
        Of the labelled rows.
    expected : array_like of float, shape (n,)
        What was expected of each of them, by whoever does not know these labels.
    others : array_like of float, shape (m,)
        The same of rows without a label, of which the labelled ones are a random sample.
    confidence : float
        Two-sided confidence.

    Returns
    -------
    Interval
    worth : float
        How many labelled rows alone would say as much.

    Notes
    -----
    Source: Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, "Prediction-powered inference", Science 382 (2023): the
    mean expectation, corrected by its mean error on the labelled rows. How far it is trusted is tuned as in
    Angelopoulos, Duchi and Zrnic, "PPI++: efficient prediction-powered inference", arXiv:2311.01453 (2023), section 6.

    Their normal limits fail for shares near 0 and 1, so here the limits are the exact ones (Clopper and Pearson 1934)
    at the number of independent rows that has their variance. With fewer than :data:`FEWEST_LABELLED` rows, or with
    fewer than ten hits or misses, on which the tuning would hang, those of the labelled rows alone stand in.
    """
    from scipy.special import ndtri, stdtrit

    y, known, unknown = (np.asarray(each, float) for each in (hits, expected, others))
    n, m = len(y), len(unknown)
    plain = proportion(int(y.sum()), n, confidence)
    if n < FEWEST_LABELLED or not m or min(y.sum(), n - y.sum()) < FEW or not known.var():
        return plain, float(n)
    covariance = np.cov(y, known)
    trust = float(np.clip(covariance[0, 1] / covariance[1, 1] / (1 + n / m), 0, 1))
    estimate = float(y.mean() - trust * (known.mean() - unknown.mean()))
    # One degree of freedom more goes into the tuning; the variance is estimated, so its quantile is Student's.
    variance = float((y - trust * known).var() / (n - 2) + trust**2 * unknown.var() / m)
    tail = (1 - confidence) / 2
    worth = plain.estimate * (1 - plain.estimate) / variance * float(ndtri(tail) / stdtrit(n - 2, tail)) ** 2
    if worth <= n or not 0 < estimate < 1:
        return plain, float(n)
    return as_interval(proportions(estimate * worth, worth, confidence)), worth


class Weighted(NamedTuple):
    """A share among rows without labels, from labelled rows of elsewhere that are weighted to resemble them.

    Parameters
    ----------
    interval : Interval
    effective : float
        How many labelled rows of equal weights would vary as much (Kish 1965, section 11.7).
    imbalance : float
        By how many standard errors what is expected still differs between the weighted rows and the others.
    """

    interval: Interval
    effective: float
    imbalance: float


def importance_weighted(
    hits: ArrayLike,
    expected: ArrayLike,
    weights: ArrayLike,
    others: ArrayLike,
    confidence: float = 0.95,
    *,
    clusters: NDArray[np.int64] | None = None,
) -> Weighted:
    """A share of hits among rows without labels, if they differ from labelled ones by how frequent which kinds are.

    Parameters
    ----------
    hits, expected : array_like, shape (n,)
        Of labelled rows, as in :func:`prediction_powered`.
    weights : array_like of float, shape (n,)
        Proportional to how much more frequent such a row is among the others.
    others : array_like of float, shape (m,)
        What is expected of the rows without labels.
    clusters : ndarray of int, shape (n,), optional
        Of the labelled rows.

    Notes
    -----
    Source: Shimodaira, "Improving predictive inference under covariate shift by weighting the log-likelihood function",
    Journal of Statistical Planning and Inference 90 (2000); with the expectation taken off the hits and added again for
    the others, so that either right weights or a right expectation will do (Robins, Rotnitzky and Zhao, "Estimation of
    regression coefficients when some regressors are not always observed", Journal of the American Statistical
    Association 89, 1994). Limits as in :func:`prediction_powered`. Weights count as known.
    """
    y, known, w, unknown = (np.asarray(each, float) for each in (hits, expected, weights, others))
    w = w / w.sum()
    elsewhere = float(unknown.var() / len(unknown))

    def moved(values: Array) -> float:
        """The variance of a weighted mean."""
        pulls = w * (values - w @ values)
        pulls = pulls if clusters is None else np.bincount(clusters, pulls)
        return float(pulls @ pulls)

    estimate = float(np.clip(unknown.mean() + w @ (y - known), 0, 1))
    effective = float(1 / (w @ w))
    variance = moved(y - known) + elsewhere
    spread = estimate * (1 - estimate)
    worth = spread / variance if spread and variance else effective
    spare = max(np.sqrt(moved(known) + elsewhere), ROUNDING)
    difference = abs(float(w @ known - unknown.mean()))
    return Weighted(
        as_interval(proportions(estimate * worth, worth, confidence)),
        effective,
        float(difference / spare) if difference > ROUNDING else 0.0,
    )


def label_shifted(
    confusion: NDArray[np.int64], answers: NDArray[np.int64], confidence: float = 0.95, *, resamples: int = 1_000
) -> Interval | None:
    """The share of right answers among rows without labels, if they differ by how frequent which classes are.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
        Labelled rows, by class and by answer.
    answers : ndarray of int, shape (classes,)
        Rows without a label, by answer.
    confidence : float
        Two-sided confidence of a percentile interval.

    Returns
    -------
    Interval or None
        None where the answers tell the classes too badly apart for it.

    Notes
    -----
    Source: Lipton, Wang and Smola, "Detecting and correcting for label shift with black box predictors", ICML 2018: the
    classes' shares are those under which answers would be as frequent as they are. Interval by resampling both tables
    (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13).
    """
    rng, shape = np.random.default_rng(0), confusion.shape
    tables = rng.multinomial(confusion.sum(), confusion.ravel() / confusion.sum(), resamples).reshape(-1, *shape)
    drawn = rng.multinomial(answers.sum(), answers / answers.sum(), resamples)
    found = _of_classes(np.concatenate([confusion[None], tables]), np.concatenate([answers[None], drawn]))
    tail = (1 - confidence) / 2
    if np.isnan(found[0]) or np.isnan(found).mean() > tail / 2:
        return None
    low, high = np.nanquantile(found[1:], [tail, 1 - tail])
    return Interval(float(found[0]), float(min(low, found[0])), float(max(high, found[0])))


def _of_classes(confusion: NDArray[np.int64], answers: NDArray[np.int64]) -> Array:
    """The share of right answers for each pair of tables; NaN where they do not say."""
    rows = confusion.sum(axis=2, keepdims=True)
    rates = confusion / np.maximum(rows, 1)  # of each answer, given the class
    telling = (np.abs(np.linalg.det(rates)) > SINGULAR) & (rows > 0).all(axis=(1, 2))
    found = np.full(len(rates), np.nan)
    share = answers[telling] / answers[telling].sum(axis=1, keepdims=True)
    classes = np.linalg.solve(rates[telling].swapaxes(1, 2), share[..., None])[..., 0]
    classes = np.clip(classes, 0, None)
    classes /= classes.sum(axis=1, keepdims=True)
    found[telling] = (classes * np.diagonal(rates[telling], axis1=1, axis2=2)).sum(axis=1)
    return found
