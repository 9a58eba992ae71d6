"""Rows of authors who write often: what verdicts do that take them for independent, and those that do not.

The cells of :mod:`benchmarks.statistics.coverage` in which each fault was found. Authors' own shares are
beta-distributed about the truth (of several outcomes, Dirichlet-distributed), so that two rows of an author are
correlated as the cell says; 1 means copies. A gate at the truth passes or fails wrongly as often as a bound is beyond
the truth.

Not claimed, but told: the ends of an accuracy of 0.97 of fewer than 100 authors, where too few of them err for what
they have in common to be seen; and the power with sizes after Zipf's law, or with 30 authors or 25 a group, whose
variance is known too badly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from audit import statistics
from audit.statistics import Interval
from audit.statistics.calibration import PER_BIN

ROWS = 20  # of an author, on average
POWER = 0.8  # of the gate at which power is compared
LOST = 0.05  # of it, at most, where rows are in truth independent
COLUMNS = (
    "authors", "sizes", "correlation", "truth", "low > truth", "high < truth", "low > truth, as independent",
    "high < truth, as independent", "mean design effect", "times as wide", "power (0.80 as independent)",
)  # fmt: skip
Array = NDArray[np.float64]
Ids = NDArray[np.int64]
# Of one simulated audit: the interval over independent rows, that over clusters, and the design effect.
Draw = tuple[Interval, Interval, float]


class Cell(NamedTuple):
    """Authors, how they write, and how their rows go together."""

    authors: int
    sizes: str
    correlation: float

    @property
    def rows(self) -> Ids:
        """Of each author: all alike, or after Zipf's law."""
        if self.sizes == "equal":
            return np.full(self.authors, ROWS)
        shares = 1 / np.arange(1, self.authors + 1)
        return np.asarray(np.maximum(1, np.round(ROWS * self.authors * shares / shares.sum())), np.int64)

    @property
    def ids(self) -> Ids:
        """The author of each row."""
        return np.repeat(np.arange(self.authors), self.rows)

    def shares(self, mean: Array, rng: np.random.Generator) -> Array:
        """Each author's own share, about these means."""
        if self.correlation == 0:
            return mean
        if self.correlation == 1:
            return (rng.random(len(mean)) < mean).astype(float)
        total = 1 / self.correlation - 1
        return np.asarray(rng.beta(mean * total, (1 - mean) * total))

    def outcomes(self, probabilities: Array, rng: np.random.Generator) -> Ids:
        """One of several outcomes of each row, shape (n,)."""
        k = self.authors
        if self.correlation == 0:
            own = np.tile(probabilities, (k, 1))
        elif self.correlation == 1:
            own = np.eye(len(probabilities))[rng.choice(len(probabilities), k, p=probabilities)]
        else:
            own = rng.dirichlet(probabilities * (1 / self.correlation - 1), size=k)
        steps = np.cumsum(own, axis=1)[self.ids]
        found = (rng.random((len(steps), 1)) > steps).sum(axis=1)
        return np.asarray(np.minimum(found, len(probabilities) - 1), np.int64)

    def normal(self, rng: np.random.Generator) -> Array:
        """Normal values of the rows, correlated so."""
        own = rng.normal(size=self.authors)[self.ids]
        return np.asarray(np.sqrt(self.correlation) * own + np.sqrt(1 - self.correlation) * rng.normal(size=len(own)))


# Authors, sizes and correlation of each cell; the longer list is that of the quickest statistic.
MANY = [
    Cell(k, sizes, correlation)
    for k in (30, 50, 100, 500)
    for sizes in ("equal", "Zipf")
    for correlation in (0.0, 0.1, 0.3, 1.0)
]
SOME = [
    Cell(50, "equal", 0.0), Cell(50, "equal", 0.1), Cell(100, "equal", 0.0), Cell(100, "equal", 0.1),
    Cell(100, "equal", 0.3), Cell(100, "equal", 1.0), Cell(100, "Zipf", 0.0), Cell(100, "Zipf", 0.1),
]  # fmt: skip


class Claims(Protocol):
    """What is checked: :class:`benchmarks.statistics.coverage.Claims`."""

    def at_most(self, cell: str, what: str, share: float, nominal: float, draws: int) -> None:
        """Check a share of draws against its nominal largest."""

    def at_least(self, cell: str, what: str, share: float, nominal: float, draws: int) -> None:
        """Check a share of draws against its nominal smallest."""


def row(
    claims: Claims, name: str, cell: Cell, truth: float, draw: Callable[[], Draw], draws: int, *, gate: str = "min"
) -> list[str]:
    """A row of the table, and its claims."""
    found = [draw() for _ in range(draws)]
    plain, own = (np.array([each[i][1:] for each in found]) for i in (0, 1))
    sides = [_beyond(bounds, truth) for bounds in (plain, own)]
    where = f"{name} {truth:.4g}: {cell.authors} authors, {cell.sizes}, correlation {cell.correlation}"
    if name != "accuracy" or truth <= 0.95 or cell.authors >= 100:
        claims.at_most(where, "low bound above the truth", sides[1][0], 0.025, draws)
        claims.at_most(where, "high bound below the truth", sides[1][1], 0.025, draws)
    power = "–"
    if cell.correlation == 0:
        side, sign = (0, 1) if gate == "min" else (1, -1)
        bound = np.quantile(sign * plain[:, side], 1 - POWER)
        reached = float((sign * own[:, side] >= bound).mean())
        if cell.sizes == "equal" and cell.authors >= (100 if name == "worst group" else 50):
            claims.at_least(where, "power", reached, POWER - LOST, draws)
        power = f"{reached:.2f}"
    widths = [float(np.diff(bounds, axis=1).mean()) for bounds in (plain, own)]
    effect = float(np.mean([each[2] for each in found]))
    return [
        f"{cell.authors}", cell.sizes, f"{cell.correlation:g}", f"{truth:.4g}",
        *(f"{share:.4f}" for share in (*sides[1], *sides[0])), f"{effect:.2f}", f"{widths[1] / widths[0]:.2f}", power,
    ]  # fmt: skip


def _beyond(bounds: Array, truth: float) -> tuple[float, float]:
    return float((bounds[:, 0] > truth + 1e-12).mean()), float((bounds[:, 1] < truth - 1e-12).mean())


def shares(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Accuracy; a gate at the truth."""
    for truth in (0.9, 0.97):
        for cell in MANY:
            ids = cell.ids

            def draw(cell: Cell = cell, ids: Ids = ids, truth: float = truth) -> Draw:
                right = rng.random(len(ids)) < cell.shares(np.full(cell.authors, truth), rng)[ids]
                effect = statistics.design_effect(right, ids)
                count = int(right.sum())
                return (
                    statistics.proportion(count, len(ids)),
                    statistics.proportion(count, len(ids), effect=effect),
                    effect.shown or 1.0,
                )

            yield row(claims, "accuracy", cell, truth, draw, draws)


def paired(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Accuracy lost between two answers to the same rows."""
    for lost, gained in ((0.06, 0.03), (0.1, 0.01)):
        for cell in SOME:

            def draw(cell: Cell = cell, lost: float = lost, gained: float = gained) -> Draw:
                found = cell.outcomes(np.array([lost, gained, 1 - lost - gained]), rng)
                counts = statistics.discordant(found == 0, found == 1)
                effect = statistics.paired_effect(found == 0, found == 1, cell.ids)
                return (
                    statistics.paired_difference(*counts),
                    statistics.paired_difference(*counts, effect=effect),
                    effect.shown or 1.0,
                )

            yield row(claims, "paired", cell, lost - gained, draw, draws, gate="max")


def gaps(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Accuracy gap of 0.05 over two groups of authors, and over two kinds of rows that each author has of both."""
    truth, means = 0.05, np.array([0.9, 0.85])
    for own in (True, False):
        for cell in SOME:
            ids = cell.ids

            def draw(cell: Cell = cell, ids: Ids = ids, own: bool = own) -> Draw:
                if own:
                    group = rng.permutation(cell.authors) % 2
                    member, chance = group[ids], cell.shares(means[group], rng)[ids]
                else:
                    member = rng.integers(0, 2, len(ids))
                    ease = cell.shares(np.full(cell.authors, means[0]), rng)
                    chance = (ease[ids] * (means / means[0])[member]).clip(0, 1)
                right = rng.random(len(ids)) < chance
                x, n = np.bincount(member, right, 2), np.bincount(member, minlength=2)
                effects = statistics.group_effects(right[None], member[None], ids, 2)
                assert effects is not None
                return statistics.gap(x, n), statistics.gap(x, n, effects=effects), effects.shown(0, 1)

            name = "gap of authors" if own else "gap of rows"
            yield [name, *row(claims, name, cell, truth, draw, draws, gate="max")]


def worst_group(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Accuracy of the worse of two groups of authors."""
    truth = 0.85
    for cell in SOME:
        ids = cell.ids

        def draw(cell: Cell = cell, ids: Ids = ids) -> Draw:
            group = rng.permutation(cell.authors) % 2
            right = rng.random(len(ids)) < cell.shares(np.array([0.95, truth])[group], rng)[ids]
            x, n = np.bincount(group[ids], right, 2), np.bincount(group[ids], minlength=2)
            effects = statistics.group_effects(right[None], group[ids][None], ids, 2)
            assert effects is not None
            worst = statistics.smallest_proportion(x, n, effects=effects)
            return statistics.smallest_proportion(x, n), worst, effects.shown_of(1)

        yield row(claims, "worst group", cell, truth, draw, draws)


CONFUSION = {
    "macro F1": statistics.macro_f1,
    "balanced accuracy": statistics.balanced_accuracy,
    "MCC": statistics.mcc,
}


def confusions(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Functions of the confusion matrix of two classes of 70 and 30 in 100; fewer resamples than an audit's 10,000."""
    chance = np.array([[0.595, 0.105], [0.045, 0.255]])
    for name, measure in CONFUSION.items():
        truth = float(measure.of(chance))
        for cell in SOME:

            def draw(cell: Cell = cell, measure: statistics.ConfusionMeasure = measure) -> Draw:
                found, seed = cell.outcomes(chance.ravel(), rng), int(rng.integers(2**31))
                matrix = np.bincount(found, minlength=4).reshape(2, 2)
                effect = statistics.confusion_effect(found // 2, found % 2, cell.ids, measure.of, 2)
                return (
                    measure(matrix, resamples=300, seed=seed),
                    measure(matrix, resamples=300, seed=seed, effect=effect),
                    effect.shown or 1.0,
                )

            yield [name, *row(claims, name, cell, truth, draw, draws)]


def areas(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """The AUC of normal scores; an author's scores and labels go together."""
    for shift in (1.5, 3.0):
        truth = float(ndtr(shift / np.sqrt(2)))
        for cell in SOME:
            ids = cell.ids

            def draw(cell: Cell = cell, ids: Ids = ids, shift: float = shift) -> Draw:
                own = rng.random(cell.authors) < 0.5
                label = own[ids] if cell.correlation == 1 else rng.random(len(ids)) < _half(cell, rng)[ids]
                score = cell.normal(rng) + shift * label
                sides, clusters = (score[label], score[~label]), (ids[label], ids[~label])
                both = np.column_stack([-score, score])
                effect = statistics.area_effect(both, label.astype(int), ids)
                return (
                    statistics.auc(*sides),
                    statistics.auc(*sides, clusters=clusters),
                    effect.shown or 1.0,
                )

            yield row(claims, "AUC", cell, truth, draw, draws)


def _half(cell: Cell, rng: np.random.Generator) -> Array:
    return cell.shares(np.full(cell.authors, 0.5), rng)


def calibration(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Squared calibration error of a calibrated model and of overconfident ones; latent values are correlated."""
    for slope in (0.0, 0.15, 0.5):
        for cell in SOME:
            ids, truth = cell.ids, _binned(slope, len(cell.ids), rng)

            def draw(cell: Cell = cell, ids: Ids = ids, slope: float = slope) -> Draw:
                stated = 0.5 + 0.5 * rng.beta(2, 2, size=len(ids))
                if cell.correlation == 1:
                    stated = (0.5 + 0.5 * rng.beta(2, 2, size=cell.authors))[ids]
                right = ndtr(cell.normal(rng)) < stated - slope * (stated - 0.5)
                effect = statistics.calibration_effect(stated, right, ids)
                return (
                    statistics.calibration_error(stated, right),
                    statistics.calibration_error(stated, right, clusters=ids),
                    effect.shown or 1.0,
                )

            yield row(claims, f"calibration slope={slope}", cell, truth, draw, draws, gate="max")


def _binned(slope: float, n: int, rng: np.random.Generator) -> float:
    """The error over as many bins as an audit of n rows has."""
    stated = 0.5 + 0.5 * rng.beta(2, 2, size=400_000)
    bins = max(1, min(15, n // PER_BIN))
    index = np.searchsorted(np.quantile(stated, np.arange(1, bins) / bins), stated, side="right")
    count = np.bincount(index)
    mean = np.bincount(index, slope * (stated - 0.5)) / count
    return float(mean**2 @ count / count.sum())


def leakage(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Mean over two groups of authors of each one's paired difference, before it is widened for the folds."""
    for cell in SOME:
        ids = cell.ids

        def draw(cell: Cell = cell, ids: Ids = ids) -> Draw:
            group = (rng.permutation(cell.authors) % 2)[ids]
            found = cell.outcomes(np.array([0.15, 0.1, 0.75]), rng)
            gained, lost = (np.bincount(group[found == side], minlength=2) for side in (0, 1))
            size = np.bincount(group, minlength=2)
            difference = (found == 0).astype(float) - (found == 1)
            effect = statistics.design_effect(difference, ids, cells=group, weights=(0.5, 0.5))
            return (
                statistics.mean_paired_difference(gained, lost, size),
                statistics.mean_paired_difference(gained, lost, size, effect=effect),
                effect.shown or 1.0,
            )

        yield row(claims, "mean paired", cell, 0.05, draw, draws, gate="max")


# Title, first columns and rows of each table.
TABLES: tuple[tuple[str, tuple[str, ...], Callable[[Claims, int, np.random.Generator], Iterable[list[str]]]], ...] = (
    ("Accuracy over authors of 20 rows", (), shares),
    ("Paired difference over authors of 20 rows", (), paired),
    ("Accuracy gap over authors of 20 rows", ("groups",), gaps),
    ("Accuracy of the worst group over authors of 20 rows", (), worst_group),
    ("Functions of the confusion matrix over authors of 20 rows", ("statistic",), confusions),
    ("AUC over authors of 20 rows", (), areas),
    ("Squared calibration error over authors of 20 rows", (), calibration),
    ("Mean paired difference over authors of 20 rows", (), leakage),
)
