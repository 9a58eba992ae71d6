"""How many independent rows the rows of clusters are worth: design effects, and degrees of freedom behind them.

Rows of one author or one item go together, so they say less than as many independent ones. Each exact interval of this
package is taken here at the number of independent rows that would vary as much. What a cluster is says
:func:`audit.statistics.cluster_ids`; where each row is its own, nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.statistics.intervals import Array

# With fewer clusters nothing is said of others: the interval is all that is possible.
FEWEST_CLUSTERS = 6


@dataclass(frozen=True)
class DesignEffect:
    """How much more an estimate varies than it would over independent rows; the fields are numbers or arrays alike.

    Parameters
    ----------
    ratio : float or ndarray
        Variance over that of as many independent rows, as estimated: it may be below 1. NaN where nothing varies.
    freedom, between : float or ndarray
        Degrees of freedom of the variance, and of what it exceeds that of independent rows by.
    rows, clusters : int or ndarray
        On which the estimate rests. Without clusters each row stands for itself.
    copies : float or ndarray
        The ratio if all rows of a cluster were copies (Kish, "Survey sampling", 1965, section 8.2): the mean size of
        the cluster that a row is in.
    alike : bool or ndarray
        Whether all values are equal.

    Notes
    -----
    See :func:`design_effect`.
    """

    ratio: float | Array
    freedom: float | Array
    between: float | Array
    rows: int | NDArray[np.int64]
    clusters: int | NDArray[np.int64]
    copies: float | Array
    alike: bool | NDArray[np.bool_]

    def kept(self, confidence: float) -> Array:
        """Independent rows that the interval at this confidence may count, as a share of all rows; 0 to 1.

        Notes
        -----
        Source: Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
        estimated from survey data", Survey Methodology 24 (1998): rows over the design effect, times the square of the
        ratio of the t quantiles, and never more than there are rows. What the variance exceeds that of independent
        rows by is judged at half the error and its own degrees of freedom, because it is large where errors crowd in
        few clusters, and then low estimates go with low variances: at 0.9 to 0.97 and a correlation of 0.1 one side
        errs up to twice as often without. Where all values are alike, a cluster counts as one row.
        """
        from scipy.special import ndtri, stdtrit

        clusters = np.asarray(self.clusters)
        tail = (1 - confidence) / 2
        ratio = np.nan_to_num(np.asarray(self.ratio, float), nan=0.0)
        wide = (stdtrit(self.freedom, tail) / stdtrit(np.maximum(np.asarray(self.rows) - 1, 1), tail)) ** 2
        wider = (stdtrit(self.between, tail / 2) / ndtri(tail)) ** 2
        grown = wide * np.minimum(ratio, 1.0) + wider * np.maximum(ratio - 1.0, 0.0)
        share = 1 / np.maximum(grown, 1.0)
        share = np.where(self.alike, np.minimum(share, 1 / np.asarray(self.copies)), share)
        share = np.where(clusters < FEWEST_CLUSTERS, 0.0, share)
        return np.asarray(np.where(clusters == 0, 1.0, share))

    @property
    def shown(self) -> float | None:
        """The design effect of a single estimate as it is reported, at least 1; None without clusters."""
        if not self.clusters:
            return None
        return float(self.copies if self.alike else max(float(self.ratio), 1.0))

    def correlation(self, effect: float) -> float:
        """What two rows of a cluster would have to be correlated by for a single estimate to have this effect."""
        return max(effect - 1, 0.0) / (float(self.copies) - 1)

    @property
    def is_open(self) -> bool:
        """Whether the clusters of a single estimate are too few to say anything of others."""
        return 0 < int(self.clusters) < FEWEST_CLUSTERS


INDEPENDENT = DesignEffect(1.0, 1.0, 1.0, 2, 0, 1.0, False)


def distinct(clusters: NDArray[np.int64] | None) -> bool:
    """Whether each row is a cluster of its own, so that nothing changes."""
    return clusters is None or int(np.count_nonzero(np.bincount(clusters))) == len(clusters)


def numbered(clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same clusters counted from 0 without gaps, as rows that were taken from more of them leave."""
    present = np.bincount(clusters) > 0
    return np.asarray((np.cumsum(present) - 1)[clusters])


def design_effect(
    values: ArrayLike,
    clusters: NDArray[np.int64] | None,
    *,
    cells: NDArray[np.int64] | None = None,
    weights: ArrayLike = (1.0,),
) -> DesignEffect:
    """Design effect of a weighted sum of means over cells of rows that come in clusters.

    A share or a mean is the mean over a single cell; a difference between groups has one cell a group and the weights
    1 and -1; an area under the ROC curve has the placements of either side.

    Parameters
    ----------
    values : array_like of float, shape (n,)
    clusters : ndarray of int, shape (n,), or None
        None, or as many clusters as rows: the rows are independent.
    cells : ndarray of int, shape (n,), optional
        Index of each row's weight; -1 for rows that do not count. By default all rows are in one cell.
    weights : array_like of float, shape (cells,)

    Raises
    ------
    ValueError
        If a cell has no row.

    Notes
    -----
    Variance: CR2 of Bell and McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage
    samples", Survey Methodology 28 (2002), for a regression on indicators of the cells: the total of a cluster's
    residuals is scaled up by what the mean, which it helped to estimate, takes from it.

    Degrees of freedom: Satterthwaite's by their section 3, under the working model of Imbens and Kolesár, "Robust
    standard errors in small samples: some practical advice", Review of Economics and Statistics 98 (2016), in which
    rows of a cluster are equally correlated, as much as they are found to be (Pustejovsky and Tipton, Journal of
    Business and Economic Statistics 36, 2018, take any working model): where sizes follow Zipf's law, the largest
    cluster makes most of the variance as soon as rows are correlated, and independent rows would promise too many.
    Those of the excess over independent rows are lowered by the kurtosis of the clusters' totals, since the variance
    of a variance grows with it.
    """
    y = np.asarray(values, float)
    if distinct(clusters):
        return INDEPENDENT
    w = np.asarray(weights, float)
    cell = np.zeros(len(y), dtype=np.int64) if cells is None else cells
    return _effect(*_summed(y, cell, clusters, len(w)), w)


def _summed(
    values: Array, cell: NDArray[np.int64], clusters: NDArray[np.int64] | None, cells: int
) -> tuple[Array, Array, Array]:
    """Sizes and totals of residuals by cluster and cell, (clusters, cells), and sums of squared residuals, (cells,)."""
    inside = cell >= 0
    cell, y = cell[inside], values[inside]
    cluster = numbered(np.asarray(clusters)[inside])
    count = np.bincount(cell, minlength=cells)
    if not count.all():
        raise ValueError("a design effect needs rows in each cell")
    residual = y - (np.bincount(cell, y, minlength=cells) / count)[cell]
    shape = (int(cluster.max()) + 1, cells)
    place = cluster * cells + cell
    size = np.bincount(place, minlength=shape[0] * cells).reshape(shape).astype(float)
    total = np.bincount(place, residual, minlength=shape[0] * cells).reshape(shape).astype(float)
    return size, total, np.asarray(np.bincount(cell, residual**2, minlength=cells), float)


def _effect(size: Array, total: Array, squares: Array, weights: Array) -> DesignEffect:
    """The design effect of a contrast; arrays of shape (clusters, cells) and (cells,)."""
    seen = size.any(axis=1)
    size, total = size[seen], total[seen]
    rows = size.sum(axis=0)
    n, k = int(rows.sum()), len(size)
    copies = float((size.sum(axis=1) ** 2).sum() / n)
    scale = (weights / rows) ** 2  # of a sum of squared residuals, in that of the contrast
    independent = float((scale * squares * rows / np.maximum(rows - 1, 1)).sum())
    # Rounding leaves residuals of equal values.
    if independent <= 1e-24 * float(np.abs(weights).sum()) ** 2 or k < 2:
        return DesignEffect(np.nan, 1.0, 1.0, n, k, copies, True)
    spread = scale * squares / rows  # variance of one row
    correlation = _correlation(size, total, squares, scale, spread)
    model = size * (1 + (size - 1) * correlation)  # variance of a cluster's total, in that of one row
    all_of_it = model.sum(axis=0)
    share = size / rows
    left = model * (1 - 2 * share) + share**2 * all_of_it  # the same of its residuals
    scaled = np.divide(model, left, out=np.zeros_like(model), where=left > 1e-12 * model)
    moved = (np.sqrt(scaled) * total) @ (weights / rows)  # (clusters,)
    variance = float(moved @ moved)
    freedom, freed = _freedom(size, model, scaled, spread)
    tails = float((moved**4).sum()) / variance**2 * freed - 3 if variance > 0 else 0.0
    return DesignEffect(
        variance / independent, freedom, freedom * 2 / (2 + max(tails, 0.0)), n, k, copies, False
    )  # fmt: skip


def _correlation(size: Array, total: Array, squares: Array, scale: Array, spread: Array) -> float:
    """Correlation of two rows of a cluster, pooled over the cells as the contrast weighs them; 0 to 1."""
    pairs = (size * (size - 1)).sum(axis=0)
    below = float((spread * pairs).sum())
    above = float((scale * ((total**2).sum(axis=0) - squares)).sum())
    return float(np.clip(above / below, 0.0, 1.0)) if below > 0 else 0.0


def _freedom(size: Array, model: Array, scaled: Array, spread: Array) -> tuple[float, float]:
    """Satterthwaite's degrees of freedom of CR2 under the working model; and the same where all means are known.

    The variance is a quadratic form of normal totals; its matrix is, for each cell, diagonal but for two ranks that
    stand for the estimated mean, so traces are found without it.
    """
    rows = size.sum(axis=0)
    root = np.sqrt(scaled)
    diagonal = scaled * model
    a, b, together = root * size / rows, root * model, model.sum(axis=0)
    off = together * a**2 - 2 * a * b
    aa, bb, ab = ((one * other).sum(axis=0) for one, other in ((a, a), (b, b), (a, b)))
    squared = (
        (diagonal**2 + 2 * diagonal * off).sum(axis=0)
        + 2 * aa * bb + 2 * ab**2 - 4 * together * aa * ab + together**2 * aa**2
    )  # fmt: skip
    trace = (diagonal + off).sum(axis=0)
    # Cells share clusters only in the diagonal part, which is nearly all of it.
    shared = ((diagonal @ spread) ** 2).sum() - (spread**2 * (diagonal**2).sum(axis=0)).sum()
    freedom = float((spread @ trace) ** 2 / (spread**2 @ squared + shared))
    known = model @ spread
    return max(freedom, 1.0), float(known.sum() ** 2 / (known @ known))


@dataclass(frozen=True)
class GroupEffects:
    """Design effects of shares in groups, each by itself and each compared with each other.

    Parameters
    ----------
    single : DesignEffect
        Of each share; arrays of shape (parts, groups).
    paired : DesignEffect
        Of each difference; arrays of shape (parts, groups, groups). What is said of single rows is said of those of
        the first group of a pair.
    clusters : int
        All that have rows in a group.
    """

    single: DesignEffect
    paired: DesignEffect
    clusters: int

    def shown(self, first: int, second: int, part: int = 0) -> float:
        """The design effect of a difference as it is reported."""
        ratio = np.asarray(self.paired.ratio)[part, first, second]
        return float(max(ratio, 1.0)) if np.isfinite(ratio) else float(np.asarray(self.single.copies).max())

    def shown_of(self, group: int, part: int = 0) -> float:
        """The design effect of a group's share as it is reported."""
        alike, copies, ratio = (np.asarray(each)[part, group] for each in (
            self.single.alike, self.single.copies, self.single.ratio,
        ))  # fmt: skip
        return float(copies if alike else max(ratio, 1.0))

    def part(self, index: int) -> GroupEffects:
        """Those of one part alone, in arrays of shape (1, groups)."""
        one, other = (
            DesignEffect(*(np.asarray(getattr(each, name))[[index]] for name in DesignEffect.__dataclass_fields__))
            for each in (self.single, self.paired)
        )
        return GroupEffects(one, other, self.clusters)


def group_effects(
    hits: ArrayLike, member: NDArray[np.int64], clusters: NDArray[np.int64] | None, groups: int
) -> GroupEffects | None:
    """Design effects of the shares of hits in groups, and of the differences between them.

    Parameters
    ----------
    hits : array_like of bool, shape (parts, n)
        One row for each rate, as in :func:`audit.statistics.gap`.
    member : ndarray of int, shape (parts, n)
        The group in whose rate each row counts; -1 for none.
    clusters : ndarray of int, shape (n,), or None
    groups : int

    Returns
    -------
    GroupEffects or None
        None where the rows are independent. Two groups in which the same clusters have rows are compared by the
        variance of their difference.
    """
    y, cell = np.asarray(hits, float), np.asarray(member)
    if distinct(clusters):
        return None
    parts = len(y)
    fields = tuple(DesignEffect.__dataclass_fields__)
    single = {name: np.ones((parts, groups)) for name in fields}
    paired = {name: np.ones((parts, groups, groups)) for name in fields}
    for p in range(parts):
        kept = cell[p] >= 0
        present = np.unique(cell[p][kept])
        each = np.searchsorted(present, cell[p][kept])
        size, total, squares = _summed(y[p][kept], each, np.asarray(clusters)[kept], len(present))
        one = np.ones(1)
        for i, g in enumerate(present):
            own = _effect(size[:, [i]], total[:, [i]], squares[[i]], one)
            for name in fields:
                single[name][p, g] = getattr(own, name)
        for i, j in combinations(range(len(present)), 2):
            both = _effect(size[:, [i, j]], total[:, [i, j]], squares[[i, j]], np.array([1.0, -1.0]))
            for g, h in ((present[i], present[j]), (present[j], present[i])):
                for name in fields:
                    about = single[name][p, g] if name in ("clusters", "copies", "alike") else getattr(both, name)
                    paired[name][p, g, h] = about
    inside = (cell >= 0).any(axis=0)
    return GroupEffects(_arrays(single), _arrays(paired), int(numbered(np.asarray(clusters)[inside]).max()) + 1)


def _arrays(values: dict[str, Array]) -> DesignEffect:
    return DesignEffect(**{**values, "alike": values["alike"].astype(bool)})
