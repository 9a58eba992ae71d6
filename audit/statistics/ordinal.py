"""Functions of the confusion matrix of ordered classes, whose bounds where it is too empty rest on distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.statistics.confusion import ENOUGH, ConfusionMeasure
from audit.statistics.intervals import Array, shared_out
from audit.statistics.proportions import proportions

# As many answers must decide the squared distance, or exact bounds take over; see the tests of coverage.
FEWEST_MISSES = 20


def distances(classes: int) -> NDArray[np.int64]:
    """How many classes lie between each truth and each answer, counting one of them; shape (classes, classes)."""
    places = np.arange(classes)
    return np.asarray(np.abs(places[:, None] - places))


def mean_distance_of(confusion: Array) -> Array:
    """Mean distance of answer and truth in classes, shape (..., classes, classes) to (...)."""
    return np.asarray((confusion * distances(confusion.shape[-1])).sum(axis=(-2, -1)) / confusion.sum(axis=(-2, -1)))


def quadratic_kappa_of(confusion: Array) -> Array:
    """Agreement of answer and truth beyond chance, weighted by squared distance; 0 where both are constant.

    Parameters
    ----------
    confusion : ndarray, shape (..., classes, classes)
        Rows are the truth, columns the answers, both from the first class to the last.

    Returns
    -------
    ndarray, shape (...)
        From -1 to 1.

    Notes
    -----
    Source: Cohen, "Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial credit",
    Psychological Bulletin 70 (1968).
    """
    weights = distances(confusion.shape[-1]) ** 2
    n = confusion.sum(axis=(-2, -1))
    met = (confusion * weights).sum(axis=(-2, -1))
    chance = np.einsum("...i,ij,...j->...", confusion.sum(axis=-1), weights, confusion.sum(axis=-2))
    return np.asarray(1 - np.divide(met * n, chance, out=np.ones_like(chance), where=chance > 0))


def too_few_misses(confusion: Array) -> bool:
    """Whether too few answers are right, or too few of the others decide the squared distance, for a bootstrap.

    Notes
    -----
    Where all miss by as much, as many as miss; where one misses by far, hardly more than this one: the square of the
    sum of the weights over the sum of their squares (Kish, "Survey sampling", 1965, section 11.7).
    """
    weights = distances(len(confusion)) ** 2
    met = float((confusion * weights).sum())
    return bool(
        np.trace(confusion) < ENOUGH or met**2 < FEWEST_MISSES * float((confusion * weights**2).sum()) or not met
    )


def with_a_far_miss(confusion: Array) -> Array:
    """The same with one more answer that is as far off as any can be: frequent enough to matter, it may not be seen."""
    more = confusion.copy()
    more[0, -1] += 0.5
    more[-1, 0] += 0.5
    return more


def exact_mean_distance(confusion: Array, confidence: float) -> tuple[float, float]:
    """Bounds of the mean distance for any number of examples.

    Notes
    -----
    It is the sum of the shares of answers that are one class off or more, two or more, and so on; exact limits of each
    at the confidence shared out among them (Bonferroni) bound the sum.
    """
    low, high = _tails(confusion, shared_out(confidence, len(confusion) - 1))
    return float(low.sum()), float(high.sum())


def exact_quadratic_kappa(confusion: Array, confidence: float) -> tuple[float, float]:
    """Bounds of the quadratically weighted kappa for any number of examples.

    Notes
    -----
    Kappa is ``1 - D / E``. The mean squared distance ``D`` is a sum of the shares of answers that are so many classes
    off or more, the first once, the second thrice, the third five times …; the one expected by chance,
    ``E = E[t²] + E[a²] - 2 E[t] E[a]``, is made in the same way of the shares of truths and of answers in so high a
    class or a higher one. Exact limits of all these shares hold together (Bonferroni). ``E`` is linear in each share,
    so that its extremes within the limits lie where those of one side are at their limits up to some class and at the
    other limits from there on.
    """
    k = len(confusion)
    level = shared_out(confidence, 3 * (k - 1))
    low, high = (float((_odd(k) * bound).sum()) for bound in _tails(confusion, level))
    sides = [_at_least(confusion.sum(axis=axis), level) for axis in (1, 0)]
    least, most = (_extreme(sides, largest) for largest in (False, True))
    return max(1 - high / least, -1.0) if least > 0 else -1.0, 1 - low / most if most > 0 else 1.0


def _odd(k: int) -> Array:
    """By how much a square grows with each step: 1, 3, 5 …, shape (k - 1,)."""
    return np.arange(1, 2 * (k - 1), 2, dtype=float)


def _tails(confusion: Array, confidence: float) -> tuple[Array, Array]:
    """Limits of the shares of answers that are so many classes off or more, from one on; shape (classes - 1,) each."""
    away = distances(len(confusion))
    counts = [float(confusion[away >= step].sum()) for step in range(1, len(confusion))]
    _, low, high = proportions(counts, confusion.sum(), confidence)
    return low, high


def _at_least(counts: Array, confidence: float) -> tuple[Array, Array]:
    """Limits of the shares of rows in so high a class or higher, from the second on; shape (classes - 1,) each."""
    _, low, high = proportions(np.cumsum(counts[::-1])[::-1][1:], counts.sum(), confidence)
    return low, high


def _extreme(sides: list[tuple[Array, Array]], largest: bool) -> float:
    """The largest or smallest squared distance by chance, where the shares of each side lie between limits."""
    squares, means = [], []
    for low, high in sides:
        k = len(low) + 1
        # Of equal means, that of the lowest classes has the least mean square, and that of the highest the largest.
        first, rest = (low, high) if largest else (high, low)
        shares = np.array([[*first[:cut], *rest[cut:]] for cut in range(k)])
        squares.append(shares @ _odd(k))
        means.append(shares.sum(axis=1))
    values = squares[0][:, None] + squares[1] - 2 * np.outer(*means)
    return float(values.max() if largest else values.min())


quadratic_kappa = ConfusionMeasure(
    quadratic_kappa_of, exact_quadratic_kappa, (-1.0, 1.0), too_few_misses, with_a_far_miss
)


def mean_distance(classes: int) -> ConfusionMeasure:
    """The mean distance among so many classes, of which the largest possible value hangs on their number."""
    return ConfusionMeasure(
        mean_distance_of, exact_mean_distance, (0.0, float(classes - 1)), too_few_misses, with_a_far_miss
    )
