"""What the intervals and verdicts do when the truth is known: coverage, wrong verdicts and power, by simulation.

    python -m benchmarks.statistics.coverage > benchmarks/statistics/coverage.md          # twenty minutes of one core
    python -m benchmarks.statistics.coverage --draws 200                       # a glance
    python -m benchmarks.statistics.coverage --only clusters                   # only rows of authors who write often
    python -m benchmarks.statistics.coverage --only attacks                    # only leakage, latency, operating points

The functions are those that verdicts call. A verdict is wrong if it passes a model that is beyond the gate, or fails
one that is on or within it; each may happen in 2.5 % of audits at most. At the end the claims are checked, each within
three standard errors of the simulation, and what does not hold is listed; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtr, ndtri

from audit import statistics
from audit.statistics.calibration import PER_BIN
from audit.statistics.scores import placements
from benchmarks.statistics import clustered

CONFIDENCE = 0.95
SIDE = (1 - CONFIDENCE) / 2
SIZES = (50, 200, 1_000, 10_000)
OFF = 0.005  # just inside and just outside: so far from the gate
Array = NDArray[np.float64]
Bounds = tuple[Array, Array, Array]


@dataclass
class Claims:
    """What was claimed of which cell, and which of it did not hold."""

    checked: int = 0
    broken: list[str] = field(default_factory=list)

    def at_most(self, cell: str, what: str, share: float, nominal: float, draws: int) -> None:
        """Check a share of draws against its nominal largest."""
        self.checked += 1
        slack = 3 * np.sqrt(nominal * (1 - nominal) / draws)
        if share > nominal + slack:
            self.broken.append(f"{cell}: {what} {share:.4f}, at most {nominal:.4f} + {slack:.4f} was claimed")

    def at_least(self, cell: str, what: str, share: float, nominal: float, draws: int) -> None:
        """Check a share of draws against its nominal smallest."""
        self.at_most(cell, f"1 - {what}", 1 - share, 1 - nominal, draws)

    def interval(self, cell: str, bounds: Bounds, truth: float, draws: int) -> list[str]:
        """Check coverage and both sides; the table's entries for them."""
        _, low, high = bounds
        above, below = float((low > truth + 1e-12).mean()), float((high < truth - 1e-12).mean())
        self.at_least(cell, "coverage", 1 - above - below, CONFIDENCE, draws)
        self.at_most(cell, "low bound above the truth", above, SIDE, draws)
        self.at_most(cell, "high bound below the truth", below, SIDE, draws)
        return [f"{1 - above - below:.4f}", f"{above:.4f}", f"{below:.4f}", f"{float((high - low).mean()):.3f}"]


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table, row by row as they come."""
    print(f"\n## {title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


INTERVAL = ("coverage", "low > truth", "high < truth", "mean width")


def proportions(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Clopper and Pearson's interval."""
    for n, p in product(SIZES, (0.5, 0.9, 0.99)):
        found = statistics.proportions(rng.binomial(n, p, size=draws), n, CONFIDENCE)
        yield [f"{n:,}", f"{p}", *claims.interval(f"proportion n={n} p={p}", found, p, draws)]


def differences(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Differences of independent proportions, Newcombe's own beside ours."""
    for n, share, (p1, p2) in product(SIZES, (0.5, 0.05), ((0.9, 0.9), (0.95, 0.9), (0.9, 0.99), (0.6, 0.5))):
        n1 = max(1, round(n * share))
        x1, x2 = rng.binomial(n1, p1, size=draws), rng.binomial(n - n1, p2, size=draws)
        found = statistics.difference(x1, n1, x2, n - n1, CONFIDENCE)
        _, low, high = statistics.difference(x1, n1, x2, n - n1, CONFIDENCE, limits="score")
        theirs = max((low > p1 - p2 + 1e-12).mean(), (high < p1 - p2 - 1e-12).mean())
        cell = f"difference n={n1}+{n - n1} p={p1},{p2}"
        own = claims.interval(cell, found, p1 - p2, draws)
        yield [f"{n1:,} + {n - n1:,}", f"{p1}, {p2}", *own, f"{theirs:.4f}"]


def paired(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Paired differences, Tango's beside ours."""
    for n, (lost, gained) in product(SIZES, ((0.01, 0.01), (0.05, 0.0), (0.1, 0.01), (0.2, 0.15))):
        x = rng.multinomial(n, [lost, gained, 1 - lost - gained], size=draws)
        found = statistics.paired_differences(x[:, 0], x[:, 1], n, CONFIDENCE)
        tango = cache(lambda b, c, n=n: statistics.paired_difference(b, c, n, CONFIDENCE, limits="score"))
        score = np.array([tango(int(b), int(c)) for b, c, _ in x])
        truth = lost - gained
        theirs = max((score[:, 1] > truth).mean(), (score[:, 2] < truth).mean())
        own = claims.interval(f"paired n={n} {lost},{gained}", found, truth, draws)
        yield [f"{n:,}", f"{lost}, {gained}", *own, f"{theirs:.4f}"]


def group_sizes(n: int, k: int, balanced: bool) -> NDArray[np.int64]:
    """Sizes of k groups: equal, or 95 % in one and the rest shared by the others; at least one each."""
    shares = np.full(k, 1 / k) if balanced else np.r_[0.95, np.full(k - 1, 0.05 / (k - 1))]
    return np.maximum(1, np.round(n * shares)).astype(np.int64)


GATE = 0.05
TRUTHS = {"no gap": 0.0, "inside": GATE - OFF, "on the gate": GATE, "outside": GATE + OFF, "far outside": 0.2}


def verdicts(claims: Claims, cell: str, bounds: Bounds, truth: float, gate: float, draws: int) -> list[str]:
    """Shares of PASS and FAIL of a maximum gate, ours and those of the plain comparison of the estimate."""
    estimate, low, high = bounds
    passed, failed = float((high <= gate).mean()), float((low > gate).mean())
    if truth > gate:
        claims.at_most(cell, "wrong PASS", passed, SIDE, draws)
    else:
        claims.at_most(cell, "wrong FAIL", failed, SIDE, draws)
    plain = float((estimate <= gate + 1e-12).mean())
    wrong = plain if truth > gate else 1 - plain
    return [f"{passed:.4f}", f"{failed:.4f}", f"{1 - passed - failed:.4f}", f"{wrong:.4f}"]


def gap_cells() -> Iterable[tuple[int, int, bool, str, float]]:
    """Size, groups, balance and truth of each cell."""
    for n, k, balanced, (name, truth) in product(SIZES, (2, 5, 12), (True, False), TRUTHS.items()):
        yield n, k, balanced, name, truth


def gap_draws(k: int, truth: float, n: NDArray[np.int64], draws: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Right answers; accuracy 0.9 but in the last group, which is worse by the gap."""
    accuracy = np.r_[np.full(k - 1, 0.9), 0.9 - truth]
    return rng.binomial(n, accuracy, size=(draws, k))


def gaps(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Gap of accuracies over groups, gated at 0.05."""
    for n, k, balanced, name, truth in gap_cells():
        sizes = group_sizes(n, k, balanced)
        found = statistics.gaps(gap_draws(k, truth, sizes, draws, rng)[:, None], sizes[None], CONFIDENCE)
        cell = f"gap n={n} k={k} {'balanced' if balanced else '95:5'} {name}"
        covered = claims.interval(cell, found, truth, draws)[0]
        judged = verdicts(claims, cell, found, truth, GATE, draws)
        if (n, k, balanced, name) == (10_000, 5, True, "no gap"):
            claims.at_least(cell, "PASS", float(judged[0]), 0.95, draws)
        yield [f"{n:,}", f"{k}", "balanced" if balanced else "95:5", f"{name} ({truth:.3f})", covered, *judged]


def rates(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Equalized odds: the gap over three classes and two rates, gated at 0.1."""
    for n, k, truth in product((1_000, 10_000), (2, 5, 12), (0.0, 0.1, 0.105)):
        relevant = np.array([1, 2] * 3)[:, None] * np.full(k, max(1, n // (3 * k)))
        rate = np.broadcast_to(np.array([0.85, 0.07] * 3)[:, None], relevant.shape).copy()
        rate[0, -1] -= truth
        found = statistics.gaps(rng.binomial(relevant, rate, size=(draws, *relevant.shape)), relevant, CONFIDENCE)
        cell = f"equalized odds n={n} k={k} truth={truth}"
        covered = claims.interval(cell, found, truth, draws)[0]
        yield [f"{n:,}", f"{k}", f"{truth:.3f}", covered, *verdicts(claims, cell, found, truth, 0.1, draws)]


def worst_group(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Accuracy of the worst group; as a loss it has a maximum gate like the others."""
    for n, k, balanced, truth in product(SIZES, (2, 5, 12), (True, False), (0.9, 0.8, 0.795)):
        sizes = group_sizes(n, k, balanced)
        right = rng.binomial(sizes, np.r_[np.full(k - 1, 0.9), truth], size=(draws, k))
        estimate, low, high = statistics.smallest_proportions(right, sizes, CONFIDENCE)
        cell = f"worst group n={n} k={k} {'balanced' if balanced else '95:5'} {truth}"
        covered = claims.interval(cell, (estimate, low, high), truth, draws)[0]
        judged = verdicts(claims, cell, (-estimate, -high, -low), -truth, -0.8, draws)
        yield [f"{n:,}", f"{k}", "balanced" if balanced else "95:5", f"{truth}", covered, *judged]


CONFUSION = {
    "balanced accuracy": statistics.balanced_accuracy,
    "macro F1": statistics.macro_f1,
    "MCC": statistics.mcc,
}


def confusions(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Functions of the confusion matrix; fewer resamples than the 10,000 of an audit, for time."""
    for n, k, balanced in product(SIZES, (2, 5, 12), (True, False)):
        shares = np.full(k, 1 / k) if balanced else np.r_[0.95, np.full(k - 1, 0.05 / (k - 1))]
        truth = np.full((k, k), 0.15 / (k - 1))
        np.fill_diagonal(truth, 0.85)
        truth *= shares[:, None]
        some = min(draws, 2_000 if k == 2 else 400)
        drawn = rng.multinomial(n, truth.ravel(), size=some).reshape(-1, k, k)
        bootstrapped = float(np.mean([not statistics.too_empty(one) for one in drawn]))
        for name, measure in CONFUSION.items():
            found = np.array([measure(one, CONFIDENCE, resamples=500, seed=i) for i, one in enumerate(drawn)]).T
            value = float(measure.of(truth))
            cell = f"{name} n={n} k={k} {'balanced' if balanced else '95:5'}"
            own = claims.interval(cell, (found[0], found[1], found[2]), value, some)
            kind = "balanced" if balanced else "95:5"
            yield [name, f"{n:,}", f"{k}", kind, f"{value:.3f}", *own, f"{bootstrapped:.2f}", f"{some:,}"]


def calibration(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Squared calibration error of models that are calibrated, or overconfident by a factor."""
    for n, shape, slope in product(SIZES, ((2, 2), (8, 0.4)), (0.0, 0.05, 0.15, 0.5)):
        truth = _binned_error(n, shape, slope, rng)
        found = np.empty((draws, 3))
        for i in range(draws):
            stated, chance = _stated(n, shape, slope, rng)
            found[i] = statistics.calibration_error(stated, rng.random(n) < chance, CONFIDENCE)
        cell = f"calibration n={n} shape={shape} slope={slope}"
        own = claims.interval(cell, (found[:, 0], found[:, 1], found[:, 2]), truth, draws)
        own[-1] = f"{(found[:, 2] - found[:, 1]).mean():.5f}"
        yield [f"{n:,}", "spread" if shape[0] == 2 else "confident", f"{slope}", f"{truth:.5f}", *own]


def _stated(n: int, shape: tuple[float, float], slope: float, rng: np.random.Generator) -> tuple[Array, Array]:
    stated = 0.5 + 0.5 * rng.beta(*shape, size=n)
    return stated, stated - slope * (stated - 0.5)


def _binned_error(n: int, shape: tuple[float, float], slope: float, rng: np.random.Generator) -> float:
    stated, chance = _stated(400_000, shape, slope, rng)
    bins = max(1, min(15, n // PER_BIN))
    index = np.searchsorted(np.quantile(stated, np.arange(1, bins) / bins), stated, side="right")
    count = np.bincount(index)
    return float(((np.bincount(index, stated - chance) / count) ** 2 @ count) / count.sum())


def areas(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """The AUC of normal scores."""
    for n, share, shift in product(SIZES, (0.5, 0.05), (0.0, 1.0, 2.5)):
        m, some = max(2, round(n * share)), min(draws, 2_000 if n < 10_000 else 500)
        truth = float(ndtr(shift / np.sqrt(2)))
        drawn = ((rng.normal(shift, size=m), rng.normal(size=n - m)) for _ in range(some))
        found = np.array([statistics.auc(*sides, CONFIDENCE) for sides in drawn]).T
        own = claims.interval(f"AUC n={m}+{n - m} shift={shift}", (found[0], found[1], found[2]), truth, some)
        yield [f"{m:,} + {n - m:,}", f"{truth:.3f}", *own, f"{some:,}"]


# Both sides of a sample, its area without wrong labels and the share of labels that are wrong.
WRONG_SIZES = ((50, 1_000), (100, 100), (100, 2_000), (150, 3_000), (500, 5_000))
WRONG = ((0.9, 0.02), (0.99, 0.0), (0.99, 0.01), (1.0, 0.005), (1.0, 0.01), (1.0, 0.02), (1.0, 0.05))


def wrong_labels(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """The AUC where it hangs on few rows: normal scores, far apart, and some labels of either side wrong."""
    for (m, n), (area, wrong) in product(WRONG_SIZES, WRONG):
        shift = min(np.sqrt(2) * float(ndtri(area)), 12.0)
        truth = wrong * (1 - wrong) + (1 - wrong) ** 2 * area + wrong**2 * (1 - area)
        found, logits = np.empty((draws, 3)), np.empty((draws, 2))
        for i in range(draws):
            inside, outside = rng.normal(size=m), rng.normal(size=n)
            inside += shift * (rng.random(m) >= wrong)
            outside += shift * (rng.random(n) < wrong)
            found[i] = statistics.auc(inside, outside, CONFIDENCE)
            logits[i] = _logit_delong(inside, outside, found[i, 0])
        cell = f"wrong labels {m}+{n} area={area} wrong={wrong}"
        own = claims.interval(cell, (found[:, 0], found[:, 1], found[:, 2]), truth, draws)
        theirs = max((logits[:, 0] > truth).mean(), (logits[:, 1] < truth).mean())
        yield [f"{m:,} + {n:,}", f"{100 * wrong:g} %", f"{truth:.4f}", *own, f"{theirs:.4f}"]


def _logit_delong(inside: Array, outside: Array, area: float) -> tuple[float, float]:
    """The usual limits, on the logit scale; without variance 0 and 1."""
    above, below = placements(inside, outside)
    error = np.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))
    if error == 0:
        return 0.0, 1.0
    half = statistics.normal_quantile(CONFIDENCE) * error / (area * (1 - area))
    return float(expit(logit(area) - half)), float(expit(logit(area) + half))


def shared_areas(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """The mean AUC of attacks on twins, whose members are drawn by coins from the same examples."""
    for n, twins, memory in product((100, 400, 2_000), (2, 4), (0.0, 0.2, 1.0)):
        truth = float(ndtr(memory / np.sqrt(2 * 1.25)))
        some = min(draws, 2_000 if n < 2_000 else 500)
        found = np.empty((some, 3))
        for i in range(some):
            ease = rng.normal(size=n)  # of each example, whichever twin is asked
            trials = []
            for member in rng.random((twins, n)) < 0.5:
                scores = ease + 0.5 * rng.normal(size=n) + memory * member
                trials.append(statistics.Trial(scores, member, np.arange(n)))
            found[i] = statistics.clustered_auc(trials, CONFIDENCE)
        cell = f"AUC over twins n={n} twins={twins} memory={memory}"
        own = claims.interval(cell, (found[:, 0], found[:, 1], found[:, 2]), truth, some)
        yield [f"{n:,}", f"{twins}", f"{truth:.3f}", *own, f"{some:,}"]


def clusters(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Shares of examples in clusters of 20 whose own shares differ; with few clusters the claim is about these."""
    for k, mean, spread in product((4, 11, 30, 100), (0.5, 0.9, 0.97), (0.0, 1.0)):
        found, truths, naive = np.empty((draws, 3)), np.empty(draws), np.empty(draws, bool)
        population = float(expit(logit(mean) + spread * rng.normal(size=1_000_000)).mean())
        index = np.repeat(np.arange(k), 20)
        for i in range(draws):
            own = expit(logit(mean) + spread * rng.normal(size=k))
            right = rng.random(20 * k) < own[index]
            result = statistics.clustered_proportion(right, index, CONFIDENCE)
            found[i] = result.interval
            truths[i] = own.mean() if result.fixed_clusters else population
            _, low, high = statistics.proportion(int(right.sum()), len(right), CONFIDENCE)
            naive[i] = low <= population <= high
        shifted = (found[:, 0], found[:, 1] - truths, found[:, 2] - truths)
        cells = claims.interval(f"clusters k={k} mean={mean} spread={spread}", shifted, 0.0, draws)
        about = "these clusters" if result.fixed_clusters else "all clusters"
        yield [f"{k}", f"{mean}", f"{spread}", about, *cells, f"{naive.mean():.4f}"]


def energy_per_gain(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Extra energy over extra right answers: two means of five blocks, a paired gain, each at a third of the error."""
    share, endless = statistics.shared_out(CONFIDENCE, 3), 1e9
    for n, scatter, (lost, gained) in product((1_000, 10_000), (0.02, 0.2), ((0.1, 0.05), (0.05, 0.05), (0.05, 0.1))):
        own, other, gain = 0.3, 0.02, lost - gained
        x = rng.multinomial(n, [lost, gained, 1 - lost - gained], size=draws)
        right = np.array(statistics.paired_differences(x[:, 0], x[:, 1], n, share)).T
        found = np.empty((draws, 2))  # without a figure: all values if that is open, else what is beyond them
        for i in range(draws):
            a, b = (statistics.mean(wh * rng.normal(1, scatter, size=5), share) for wh in (own, other))
            extra = statistics.Interval(a.estimate - b.estimate, a.low - b.high, a.high - b.low)
            answers = statistics.Interval(*right[i])
            if answers.low > 0:
                found[i] = statistics.quotient(extra, answers)[1:]
            else:
                found[i] = (endless if answers.high <= 0 else -endless), endless
        truth = (own - other) / gain if gain > 0 else endless
        told = float((found[:, 1] < endless).mean())
        cell = f"energy per gain n={n} scatter={scatter} {lost},{gained}"
        cells = claims.interval(cell, (found[:, 0], found[:, 0], found[:, 1]), truth, draws)[:3]
        yield [f"{n:,}", f"{scatter}", f"{gain:.2f}", *cells, f"{told:.4f}"]


def leakage(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """What embeddings tell beyond words: the mean over an attribute's values of paired differences."""
    for sizes, (gained, lost) in product(((500, 500), (1_000, 100), (300, 60, 40)), ((0.05, 0.05), (0.12, 0.04))):
        found = np.empty((draws, 3))
        for i in range(draws):
            counts = np.array([rng.multinomial(n, [gained, lost, 1 - gained - lost])[:2] for n in sizes])
            found[i] = statistics.mean_paired_difference(counts[:, 0], counts[:, 1], sizes, CONFIDENCE)
        cells = claims.interval(f"leakage {sizes} {gained},{lost}", (*found.T,), gained - lost, draws)
        yield [", ".join(map(str, sizes)), f"{gained - lost:.2f}", *cells]


def tails(claims: Claims, draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Latency: the 99th percentile of hostile texts over the median of usual ones, log-normal or with two humps."""
    z = float(ndtri(0.99))
    for n, usual, spread in product((400, 600, 3_000), (50, 132), (0.1, 0.5)):
        hump = rng.random((draws, n)) < 0.3
        for shape, hostile, truth in (
            ("log-normal", rng.lognormal(0.5, spread, (draws, n)), np.exp(0.5 + spread * z)),
            # Of the slow kind, three in ten, a share of 1 in 30 is slower than one in a hundred of all.
            ("two kinds", rng.lognormal(hump, spread), np.exp(_mixed(spread))),
        ):
            bounds = np.array(
                [
                    statistics.ratio_of_quantiles(row, 0.99, beside, 0.5, CONFIDENCE)
                    for row, beside in zip(hostile, rng.lognormal(0, 0.2, (draws, usual)), strict=True)
                ]
            )
            bounded = np.where(np.isfinite(bounds[:, 2]), bounds[:, 2], np.nan)
            cell = f"latency {shape} n={n} usual={usual} spread={spread}"
            own = claims.interval(cell, (*bounds.T,), float(truth), draws)[:3]
            yield [shape, f"{n:,}", f"{usual}", f"{spread}", f"{truth:.2f}", *own, f"{np.isfinite(bounded).mean():.3f}"]


def _mixed(spread: float) -> float:
    """Logarithm of the 99th percentile of seven in ten values around 1 and three in ten around e."""
    return float(brentq(lambda x: 0.7 * ndtr(x / spread) + 0.3 * ndtr((x - 1) / spread) - 0.99, 0, 5))


def attack_points(draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Balanced accuracy by percentiles, which are approximate, and true positives at 1 % and 10 % of false ones."""
    levels = (0.01, 0.1)
    for n, memory in product((400, 2_000), (0.0, 0.5, 1.0)):
        truths = [float(ndtr(memory / 2)), *(float(ndtr(ndtri(level) + memory)) for level in levels)]
        found = np.empty((draws, 3, 3))
        for i in range(draws):
            member = rng.random(n) < 0.5
            scores = rng.normal(size=n) + memory * member
            trial = statistics.Trial(scores, member, np.arange(n))
            found[i, 0] = statistics.trial_balanced_accuracy([trial], CONFIDENCE, resamples=500, seed=i)
            found[i, 1:] = [statistics.true_positive_rate([trial], level, CONFIDENCE) for level in levels]
        for name, truth, of in zip(
            ("balanced accuracy", "at 1 %", "at 10 %"), truths, np.moveaxis(found, 1, 0), strict=True
        ):
            above, below = float((of[:, 1] > truth).mean()), float((of[:, 2] < truth).mean())
            width, bias = (of[:, 2] - of[:, 1]).mean(), of[:, 0].mean() - truth
            yield [
                name,
                f"{n:,}",
                f"{truth:.3f}",
                f"{1 - above - below:.4f}",
                f"{above:.4f}",
                f"{below:.4f}",
                f"{width:.3f}",
                f"{bias:+.4f}",
            ]


def fairlearn_bootstrap(draws: int, rng: np.random.Generator) -> Iterable[list[str]]:
    """Verdicts of fairlearn's bootstrap of the gap beside ours, on the same data."""
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import accuracy_score

    for n, k, truth in ((1_000, 5, 0.0), (1_000, 12, 0.0), (1_000, 5, 0.055)):
        sizes = group_sizes(n, k, True)
        group = np.repeat(np.arange(k), sizes)
        theirs, ours = [], []
        for right in gap_draws(k, truth, sizes, draws, rng):
            correct = np.concatenate([np.arange(size) < x for size, x in zip(sizes, right, strict=True)]).astype(int)
            frame = MetricFrame(
                metrics=accuracy_score, y_true=np.ones(len(group)), y_pred=correct, sensitive_features=group,
                n_boot=100, ci_quantiles=[SIDE, 1 - SIDE], random_state=int(rng.integers(2**31)),
            )  # fmt: skip
            theirs.append(frame.difference_ci())
            ours.append(statistics.gap(right, sizes, CONFIDENCE)[1:])
        rows = []
        for bounds in (np.array(theirs, float), np.array(ours)):
            rows += [f"{((bounds[:, 0] <= truth) & (truth <= bounds[:, 1])).mean():.2f}"]
            rows += [f"{(bounds[:, 0] > GATE).mean():.2f}", f"{(bounds[:, 1] <= GATE).mean():.2f}"]
        yield [f"{n:,}", f"{k}", f"{truth}", f"{draws}", *rows]


def main() -> None:
    """Print all tables, then which claims do not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2_000, help="simulated audits a cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("rows", "clusters", "attacks"), help="a part of the tables")
    options = parser.parse_args()
    claims, draws, started = Claims(), options.draws, time.process_time()
    print(f"# Coverage and wrong verdicts by simulation\n\n{draws:,} draws a cell where no other number is given.")
    if options.only in (None, "rows"):
        of_rows(claims, draws, np.random.default_rng(options.seed))
    if options.only in (None, "attacks"):
        of_attacks(claims, draws, np.random.default_rng(options.seed))
    if options.only in (None, "clusters"):
        for title, first, rows in clustered.TABLES:
            table(title, (*first, *clustered.COLUMNS), rows(claims, draws, np.random.default_rng(options.seed)))
    print(f"\n## Claims\n\n{claims.checked:,} claims checked, {len(claims.broken)} do not hold.\n")
    print("\n".join(f"- {line}" for line in claims.broken))
    print(f"\n{time.process_time() - started:.0f} seconds of one core.")
    sys.exit(bool(claims.broken))


def of_rows(claims: Claims, draws: int, rng: np.random.Generator) -> None:
    """Print the tables of independent rows, of given families and of energy."""
    verdict = ("PASS", "FAIL", "INCONCLUSIVE", "plain comparison wrong")
    table("Proportion", ("n", "truth", *INTERVAL), proportions(claims, draws, rng))
    table(
        "Difference of independent proportions",
        ("n", "truths", *INTERVAL, "worse side of Newcombe's"),
        differences(claims, draws, rng),
    )
    table(
        "Paired difference", ("pairs", "lost, gained", *INTERVAL, "worse side of Tango's"), paired(claims, draws, rng)
    )
    groups = ("n", "groups", "sizes", "truth", "coverage", *verdict)
    table("Accuracy gap over groups, gate ≤ 0.05", groups, gaps(claims, draws, rng))
    table(
        "Equalized odds, three classes, gate ≤ 0.1",
        ("n", "groups", "truth", "coverage", *verdict),
        rates(claims, draws, rng),
    )
    table("Accuracy of the worst group, gate ≥ 0.8", groups, worst_group(claims, draws, rng))
    table(
        "Functions of the confusion matrix",
        ("statistic", "n", "classes", "sizes", "truth", *INTERVAL, "bootstrapped", "draws"),
        confusions(claims, draws, rng),
    )
    table(
        "Squared calibration error",
        ("n", "confidences", "overconfidence", "truth", *INTERVAL),
        calibration(claims, draws, rng),
    )
    table("AUC", ("n", "truth", *INTERVAL, "draws"), areas(claims, draws, rng))
    table(
        "AUC with wrong labels",
        ("n", "labels wrong", "truth", *INTERVAL, "worse side of DeLong's, logit"),
        wrong_labels(claims, draws, rng),
    )
    table(
        "AUC of attacks on twins that share examples",
        ("examples", "twins", "truth", *INTERVAL, "draws"),
        shared_areas(claims, draws, rng),
    )
    table(
        "Shares in clusters of 20",
        ("clusters", "median share", "spread", "claim about", *INTERVAL, "coverage if taken as independent"),
        clusters(claims, draws, rng),
    )
    table(
        "Extra energy for each extra right answer; a gain that is not above 0 makes it endless",
        ("n", "scatter of the blocks", "gain", *INTERVAL[:3], "with a figure"),
        energy_per_gain(claims, draws, rng),
    )
    sides = ("coverage", "FAIL", "PASS")
    table(
        "fairlearn's bootstrap of the gap (100 resamples) beside ours, gate ≤ 0.05",
        ("n", "groups", "truth", "draws", *(f"fairlearn's {s}" for s in sides), *(f"our {s}" for s in sides)),
        fairlearn_bootstrap(min(draws, 30), rng),
    )


def of_attacks(claims: Claims, draws: int, rng: np.random.Generator) -> None:
    """Print the tables of leakage, latency and operating points."""
    table(
        "Leakage: mean of paired differences over an attribute's values",
        ("texts of each value", "truth", *INTERVAL),
        leakage(claims, draws, rng),
    )
    table(
        "Latency: 99th percentile of hostile texts over the median of usual ones",
        ("shape", "hostile", "usual", "spread", "truth", *INTERVAL[:3], "with an upper end"),
        tails(claims, draws, rng),
    )
    few = min(draws, 400)
    table(
        f"Operating points of an attack, {few:,} draws a cell; approximate, no claim",
        ("point", "examples", "truth", *INTERVAL, "bias of the estimate"),
        attack_points(few, rng),
    )


if __name__ == "__main__":
    main()
