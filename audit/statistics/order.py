"""Whether values of neighbouring rows resemble each other: those of one author or item often stand together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# How many rows before each one are looked at, unless told otherwise.
LAGS = 2
# Exceedances after which a permutation test stops, since its p value is then known well enough (Besag and Clifford).
_ENOUGH = 10


class SerialCorrelation(NamedTuple):
    """How values of neighbouring rows go together.

    Parameters
    ----------
    correlations : tuple of float
        At each lag, from 1 on.
    p : float
        Of the one-sided test that they are no larger than chance makes them.
    """

    correlations: tuple[float, ...]
    p: float

    @property
    def design_effect(self) -> float:
        """The variance of the mean by these correlations alone, divided by that over as many independent rows.

        A lower bound where rows further apart do not resemble each other less than chance has it.
        """
        return 1 + 2 * sum(self.correlations)


def serial_correlation(
    values: ArrayLike, strata: ArrayLike, lags: int = LAGS, *, draws: int = 1_999, seed: int = 0
) -> SerialCorrelation:
    """Correlation of values with those of the rows before them, and whether chance explains it.

    What differs between strata counts for nothing: a file that is sorted by label has neighbours of one label, and a
    model errs more on one than on another.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        In the order of the rows.
    strata : array_like of int, shape (n,)
        Values are taken from the mean of their stratum, and are exchangeable within it where the order means nothing.
    lags : int
        How many rows before each one are looked at.
    draws : int
        Permutations at most; the smallest p is ``1 / (draws + 1)``.

    Raises
    ------
    ValueError
        If there are no more rows than lags.

    Notes
    -----
    The test permutes the values within their strata, so it is exact, and it stops early where the answer is plain
    (Besag and Clifford, "Sequential Monte Carlo p-values", Biometrika 78, 1991). The variance of a mean with
    autocorrelations: Box, Jenkins, Reinsel and Ljung, "Time series analysis" (2015), section 2.1.
    """
    x, members = _centred(np.asarray(values, float), np.asarray(strata))
    if len(x) <= lags:
        raise ValueError(f"{len(x)} rows have no neighbours {lags} rows away")
    spread = float(x @ x)
    if spread == 0:
        return SerialCorrelation((0.0,) * lags, 1.0)
    observed = _products(x, lags)
    p = _p_value(x, members, float(observed.sum()), draws, np.random.default_rng(seed), lags)
    return SerialCorrelation(tuple((observed / spread).tolist()), p)


def _centred(x: NDArray[np.float64], strata: NDArray[np.int64]) -> tuple[NDArray[np.float64], list[NDArray[np.int64]]]:
    """Deviations from the mean of each stratum, and the rows of each."""
    _, of = np.unique(strata, return_inverse=True)
    sizes = np.bincount(of)
    return x - (np.bincount(of, x) / sizes)[of], np.split(np.argsort(of, kind="stable"), np.cumsum(sizes)[:-1])


def _products(x: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    return np.array([np.sum(x[lag:] * x[:-lag]) for lag in range(1, lags + 1)])


def _p_value(
    x: NDArray[np.float64],
    members: list[NDArray[np.int64]],
    observed: float,
    draws: int,
    rng: np.random.Generator,
    lags: int,
) -> float:
    exceeding, shuffled = 0, x.copy()
    for draw in range(1, draws + 1):
        for rows in members:
            shuffled[rows] = rng.permutation(x[rows])
        # Sums of the same products in another order differ by rounding.
        exceeding += float(_products(shuffled, lags).sum()) >= observed - 1e-9
        if exceeding == _ENOUGH:
            return exceeding / draw
    return (exceeding + 1) / (draws + 1)
