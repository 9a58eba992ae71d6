"""Planned looks with shared error against confidence sequences by betting: error, power, and examples until settled.

    python -m benchmarks.statistics.stopping                              # all, two hours of one core
    python -m benchmarks.statistics.stopping --only proportion --draws 500

A gate is held against a figure of at most so many examples. Truths: on the gate; a quarter of a distance to either side
of it; the distance that all examples at one look settle with a chance of 90 %; and twice that. A wrong PASS is one of a
truth on the gate or beyond, a wrong FAIL one of a truth on it or within.

The alternative is measured by a page of our own: of the packages on the index `confseq` has not been released since
January 2023, and `expectation` (0.6.1, 2026) brings a framework for what are twenty lines here.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.statistics import look_confidence, planned_looks

CONFIDENCE, ERROR = 0.95, 0.025
MOST = (200, 1_000, 10_000)
GATES = (0.01, 0.1, 0.5)
PASS, OPEN, FAIL = -1, 0, 1
DRAWS = 2_000
# Betting looks at each example: so many arrays of draws by examples are held at a time.
CHUNK = 2_000_000
Array = NDArray[np.float64]
COLUMNS = (
    "figure", "at most", "gate", "truth", "all at once, settled", "looks, settled", "betting, settled", "looks, wrong",
    "betting, wrong", "looks, mean share", "looks, median share", "betting, mean share", "betting, median share",
    "estimate off, of its distance",
)  # fmt: skip


class Stops(NamedTuple):
    """What came of each simulated audit, shape (draws,): its verdict, the share of the examples, and the estimate."""

    verdict: NDArray[np.int64]
    share: Array
    estimate: Array


@dataclass(frozen=True)
class Figure:
    """A figure of growing samples. `worst` is whether only one of several parts is where the truth is."""

    name: str

    bets: ClassVar[bool] = True

    def grown(
        self, truth: float, gate: float, sizes: tuple[int, ...], draws: int, rng: np.random.Generator, one: bool
    ) -> Iterator[Array]:
        """What is counted after so many examples, shape (draws, …)."""
        raise NotImplementedError

    def bounds(self, counted: Array, n: int, confidence: float) -> tuple[Array, Array, Array]:
        """Estimate, low and high, shape (draws,)."""
        raise NotImplementedError

    def values(
        self, truth: float, gate: float, most: int, draws: int, rng: np.random.Generator, one: bool
    ) -> tuple[Array, float]:
        """What is bet on, from 0 to 1, shape (parts, draws, examples), and the mean at which the gate is."""
        raise NotImplementedError

    def lowest(self, gate: float) -> float:
        """The least truth that there is."""
        return 0.0

    def highest(self, gate: float) -> float:
        """The largest."""
        return 1.0


@dataclass(frozen=True)
class Shares(Figure):
    """The largest of so many shares, each over the same number of examples; of one, a share."""

    parts: int = 1

    def _truths(self, truth: float, gate: float, one: bool) -> Array:
        # The upper end errs most where one part alone is on the gate, the lower one where all are.
        rest = min(truth, gate / 2) if one else truth
        return np.array([truth, *[rest] * (self.parts - 1)])

    def grown(
        self, truth: float, gate: float, sizes: tuple[int, ...], draws: int, rng: np.random.Generator, one: bool
    ) -> Iterator[Array]:
        hits, at = np.zeros((draws, self.parts)), 0
        for size in sizes:
            hits = hits + rng.binomial(size - at, self._truths(truth, gate, one), (draws, self.parts))
            at = size
            yield hits

    def bounds(self, counted: Array, n: int, confidence: float) -> tuple[Array, Array, Array]:
        levels = confidence, statistics.shared_out(confidence, self.parts)
        return statistics.largest(*(statistics.proportions(counted, n, level) for level in levels))

    def values(
        self, truth: float, gate: float, most: int, draws: int, rng: np.random.Generator, one: bool
    ) -> tuple[Array, float]:
        truths = self._truths(truth, gate, one)[:, None, None]
        return (rng.random((self.parts, draws, most)) < truths).astype(float), gate


@dataclass(frozen=True)
class Paired(Figure):
    """A difference of paired shares; a quarter of the gate's own share is gained besides what is lost."""

    def lowest(self, gate: float) -> float:
        return -gate / 4

    def highest(self, gate: float) -> float:
        return 1 - gate / 2

    def _probabilities(self, truth: float, gate: float) -> Array:
        lost, gained = truth + gate / 4, gate / 4
        return np.maximum([lost, gained, 1 - lost - gained], 0.0)  # of differences of floats

    def grown(
        self, truth: float, gate: float, sizes: tuple[int, ...], draws: int, rng: np.random.Generator, one: bool
    ) -> Iterator[Array]:
        counts, at = np.zeros((draws, 3)), 0
        for size in sizes:
            counts = counts + rng.multinomial(size - at, self._probabilities(truth, gate), draws)
            at = size
            yield counts

    def bounds(self, counted: Array, n: int, confidence: float) -> tuple[Array, Array, Array]:
        return statistics.paired_differences(counted[:, 0], counted[:, 1], n, confidence)

    def values(
        self, truth: float, gate: float, most: int, draws: int, rng: np.random.Generator, one: bool
    ) -> tuple[Array, float]:
        lost, gained, _ = self._probabilities(truth, gate)
        drawn = rng.random((1, draws, most))
        return np.where(drawn < lost, 1.0, np.where(drawn < lost + gained, 0.0, 0.5)), (1 + gate) / 2


@dataclass(frozen=True)
class Clustered(Figure):
    """A share of rows by authors whose own shares are beta-distributed about the truth; rows come in random order."""

    bets: ClassVar[bool] = False
    correlation: float = 0.1
    rows: int = 20
    zipf: bool = False

    def _authors(self, most: int) -> NDArray[np.int64]:
        authors = max(most // self.rows, 10)
        if not self.zipf:
            return np.repeat(np.arange(authors), most // authors)
        shares = 1 / np.arange(1, authors + 1)
        size = np.maximum(1, np.round(most * shares / shares.sum())).astype(int)
        return np.repeat(np.arange(authors), size)[:most]

    def grown(
        self, truth: float, gate: float, sizes: tuple[int, ...], draws: int, rng: np.random.Generator, one: bool
    ) -> Iterator[Array]:
        """Rows in their order, shape (draws, n, 2): whether each is a hit, and whose it is."""
        author = self._authors(sizes[-1])
        total = 1 / self.correlation - 1
        inside = 0 < truth < 1
        rows = np.empty((draws, len(author), 2), np.int32)
        for i in range(draws):
            own = rng.beta(truth * total, (1 - truth) * total, author.max() + 1) if inside else np.array([truth])
            order = rng.permutation(len(author))
            rows[i, :, 1] = author[order]
            rows[i, :, 0] = rng.random(len(author)) < own[author[order] if inside else 0]
        for size in sizes:
            yield rows[:, :size]

    def bounds(self, counted: Array, n: int, confidence: float) -> tuple[Array, Array, Array]:
        found = [statistics.share(rows[:, 0], confidence, clusters=rows[:, 1].astype(np.int64)) for rows in counted]
        estimate, low, high = np.array(found).T
        return estimate, low, high


@dataclass(frozen=True)
class Unlike(Clustered):
    """Authors after Zipf's law of whom the one that writes most is misread five times as often as the others.

    `whole` is whether each author's rows come together, in a random order of the authors, or each row by itself.
    """

    zipf: bool = True
    whole: bool = False

    def grown(
        self, truth: float, gate: float, sizes: tuple[int, ...], draws: int, rng: np.random.Generator, one: bool
    ) -> Iterator[Array]:
        author = self._authors(sizes[-1])
        first = (author == 0).mean()
        share = np.where(author == 0, 5.0, 1.0) * truth / (5 * first + 1 - first)
        rows = np.empty((draws, len(author), 2), np.int32)
        for i in range(draws):
            order = rng.permutation(len(author))
            if self.whole:
                order = order[np.argsort(rng.permutation(author.max() + 1)[author[order]], kind="stable")]
            rows[i, :, 1] = author[order]
            rows[i, :, 0] = rng.random(len(author)) < share[order]
        for size in sizes:
            yield rows[:, :size]


@dataclass(frozen=True)
class Families(Figure):
    """A share over sentences of 75 templates, some in each look; correlated within a template as authors' rows are."""

    bets: ClassVar[bool] = False
    correlation: float = 0.1
    families: int = 75

    def grown(
        self, truth: float, gate: float, sizes: tuple[int, ...], draws: int, rng: np.random.Generator, one: bool
    ) -> Iterator[Array]:
        authors = Clustered("", correlation=self.correlation, rows=max(sizes[-1] // self.families, 1))
        yield from authors.grown(truth, gate, sizes, draws, rng, one)

    def bounds(self, counted: Array, n: int, confidence: float) -> tuple[Array, Array, Array]:
        found = [
            statistics.clustered_proportion(rows[:, 0], rows[:, 1].astype(np.int64), confidence).interval
            for rows in counted
        ]
        estimate, low, high = np.array(found).T
        return estimate, low, high


def judged(low: Array, high: Array, gate: float) -> NDArray[np.int64]:
    """Verdicts on a figure that the gate lets be as large as it is."""
    return np.where(high <= gate, PASS, np.where(low > gate, FAIL, OPEN))


def by_looks(
    figure: Figure, truth: float, gate: float, sizes: tuple[int, ...], draws: int, seed: int, one: bool
) -> Stops:
    """Audits that look after these sizes, the last of them all examples."""
    most, rng = sizes[-1], np.random.default_rng(seed)
    verdict, share, estimate = np.zeros(draws, np.int64), np.ones(draws), np.empty(draws)
    going, before = np.ones(draws, bool), 0
    for size, counted in zip(sizes, figure.grown(truth, gate, sizes, draws, rng, one), strict=True):
        level = look_confidence(CONFIDENCE, before, size, most)
        middle, low, high = figure.bounds(counted[going], size, level)
        found, index = judged(low, high, gate), np.flatnonzero(going)
        ends = (found != OPEN) | (size == most)
        verdict[index[ends]], share[index[ends]] = found[ends], size / most
        estimate[index[ends]] = middle[ends]
        going[index[ends]] = False
        before = size
        if not going.any():
            break
    return Stops(verdict, share, estimate)


def by_betting(figure: Figure, truth: float, gate: float, most: int, draws: int, seed: int, one: bool) -> Stops:
    """Audits that look after each example.

    Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
    Statistical Society B 86 (2024): capital against a mean of at least, and of at most, the gate's, each at half the
    error (section 4.4), with bets by aGRAPA (section B.3) cut at half of what would risk ruin. Of several parts all
    must be within the gate, or one be beyond it at its share of the error, as in :func:`statistics.largest`.
    """
    rng, parts = np.random.default_rng(seed), []
    for start in range(0, draws, step := max(CHUNK // most, 1)):
        values, mean = figure.values(truth, gate, most, min(step, draws - start), rng, one)
        within, beyond = _times(values, mean)
        pass_at, fail_at = within.max(axis=0), beyond.min(axis=0)
        first = np.minimum(pass_at, fail_at)
        verdict = np.where(first > most, OPEN, np.where(pass_at < fail_at, PASS, FAIL))
        parts.append(Stops(verdict, np.minimum(first, most) / most, np.full(len(first), np.nan)))
    return Stops(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _times(values: Array, mean: float) -> tuple[Array, Array]:
    """After how many examples the capital against either side is large enough; more than there are: never."""
    parts, _, most = values.shape
    count = np.arange(1, most + 1)
    total = np.cumsum(values, axis=-1)
    middle = (total + 0.5) / (count + 1)
    spread = (0.25 + np.cumsum((values - middle) ** 2, axis=-1)) / (count + 1)
    # A bet knows the examples before it only.
    middle = np.concatenate([np.full((*values.shape[:2], 1), 0.5), middle[..., :-1]], axis=-1)
    spread = np.concatenate([np.full((*values.shape[:2], 1), 0.25), spread[..., :-1]], axis=-1)
    wanted = (middle - mean) / (spread + (middle - mean) ** 2)
    times = []
    for sign, most_risked, needed in ((-1, 1 / (1 - mean), 1 / ERROR), (1, 1 / mean, parts / ERROR)):
        bet = np.clip(sign * wanted, 0, most_risked / 2)
        capital = np.cumsum(np.log1p(sign * bet * (values - mean)), axis=-1)
        reached = capital >= np.log(needed)
        times.append(np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1, most + 1))
    return times[0], times[1]


def distance(figure: Figure, gate: float, most: int, side: int) -> float | None:
    """How far from the gate a truth is that all examples at one look settle with a chance of 90 %; None if none is."""
    room = gate - figure.lowest(gate) if side == PASS else figure.highest(gate) - gate

    def power(far: float) -> float:
        stops = by_looks(figure, gate + side * far, gate, (most,), 1_000, 1, side == FAIL)
        return float((stops.verdict == side).mean())

    if power(room) < 0.9:
        return None
    low, high = 0.0, room
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if power(middle) >= 0.9 else (middle, high)
    return high


def rows(figure: Figure, gate: float, most: int, draws: int) -> Iterator[tuple[object, ...]]:
    """The cells of a figure, a gate and a number of examples."""
    sides = {side: distance(figure, gate, most, side) for side in (PASS, FAIL)}
    truths = [("on the gate", 0.0, PASS), ("on the gate, one part", 0.0, FAIL)]
    if not isinstance(figure, Shares) or figure.parts == 1:
        truths = truths[:1]
    for side, far in sides.items():
        word = "inside" if side == PASS else "outside"
        if far is not None:
            truths += [(f"just {word}", far / 4, side), (f"{word}, 90 %", far, side), (f"{word}, twice", 2 * far, side)]
    for name, far, side in truths:
        truth, one = gate + side * far, side == FAIL
        if not figure.lowest(gate) <= truth <= figure.highest(gate):
            continue
        once = by_looks(figure, truth, gate, (most,), draws, 2, one)
        looks = by_looks(figure, truth, gate, planned_looks(most), draws, 3, one)
        bets = by_betting(figure, truth, gate, most, min(draws, 500), 4, one) if figure.bets else None
        wrong = [FAIL, PASS] if not far else [-side]
        off = (looks.estimate.mean() - truth) / far if far else np.nan
        yield (
            figure.name, f"{most:,}", gate, name, (once.verdict == side).mean(), (looks.verdict == side).mean(),
            np.nan if bets is None else (bets.verdict == side).mean(),
            max((looks.verdict == each).mean() for each in wrong),
            np.nan if bets is None else max((bets.verdict == each).mean() for each in wrong),
            looks.share.mean(), np.median(looks.share),
            np.nan if bets is None else bets.share.mean(), np.nan if bets is None else np.median(bets.share), off,
        )  # fmt: skip


FIGURES: tuple[Figure, ...] = (
    Shares("proportion"),
    Paired("paired difference"),
    Shares("largest of 4", 4),
    Shares("largest of 24", 24),
    Clustered("authors of 20 rows"),
    Clustered("authors after Zipf", zipf=True),
    Families("templates"),
    Unlike("one unlike author, rows"),
    Unlike("one unlike author, whole", whole=True),
)


SUMMARY = (
    "figure", "cells", "worst wrong verdict", "its limit", "settled where all at once settle 90 %, mean", "least",
    "by betting, mean", "examples there, mean", "by betting", "median at twice the distance, mean", "most",
    "by betting, mean",
)  # fmt: skip


def summary(lines: Iterable[str]) -> Iterator[str]:
    """A line for each figure, from lines of the table."""
    cells: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        parts = [part.strip() for part in line.split("|")[1:-1]]
        if len(parts) == len(COLUMNS) and parts[0] not in ("figure", "---"):
            cells.setdefault(parts[0], []).append(dict(zip(COLUMNS, parts, strict=True)))
    yield _line(SUMMARY)
    yield _line("---" for _ in SUMMARY)
    for name, own in cells.items():
        near = [cell for cell in own if cell["truth"].endswith("90 %")]
        far = [cell for cell in own if cell["truth"].endswith("twice")]
        powers, halves = _numbers(near, "looks, settled"), _numbers(far, "looks, median share")
        yield _line(
            _cell(value)
            for value in (
                name, str(len(own)), _numbers(own, "looks, wrong").max(), ERROR + 3 * np.sqrt(ERROR / DRAWS),
                powers.mean(), powers.min(), _numbers(near, "betting, settled").mean(),
                _numbers(near, "looks, mean share").mean(), _numbers(near, "betting, mean share").mean(),
                halves.mean(), halves.max(), _numbers(far, "betting, median share").mean(),
            )
        )  # fmt: skip


def _numbers(cells: Iterable[Mapping[str, str]], column: str) -> Array:
    return np.array([np.nan if cell[column] == "–" else float(cell[column]) for cell in cells])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table, a line as soon as it is known, and a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.statistics.stopping")
    parser.add_argument("--only", default="", help="figures whose name begins so")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--most", type=int, default=max(MOST))
    parser.add_argument("--summary", nargs="+", type=Path, metavar="FILE", help="only sum up tables written before")
    asked = parser.parse_args()
    if asked.summary:
        print("\n".join(summary(line for path in asked.summary for line in path.read_text("utf-8").splitlines())))
        return
    lines = [_line(COLUMNS), _line("---" for _ in COLUMNS)]
    print("\n".join(lines))
    for figure in (each for each in FIGURES if each.name.startswith(asked.only)):
        for most, gate in product((most for most in MOST if most <= asked.most), GATES):
            for row in rows(figure, gate, most, asked.draws):
                lines.append(_line(map(_cell, row)))
                print(lines[-1], flush=True)
    print("\n".join(["", *summary(lines)]))


def _cell(value: object) -> str:
    if isinstance(value, str) or value in GATES:
        return str(value)
    number = float(value)  # type: ignore[arg-type]
    return "–" if np.isnan(number) else f"{number:.3f}"


if __name__ == "__main__":
    main()
