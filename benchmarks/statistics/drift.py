"""How often the intervals of `quality.drift` err: areas, prediction-powered and importance-weighted accuracies.

    AUDIT_TEST_DATA=… python -m benchmarks.statistics.drift              # five minutes of one core
    … --draws 100     # a quick look; without AUDIT_TEST_DATA no real texts are drawn

Areas: two samples of real texts from one source, told apart by their words; an interval errs below where it lies above
0.5. With a part of other texts in the second sample the truth is the mean area of all draws.

Prediction-powered: answers are right by chances that follow a beta distribution; expected are these chances
("calibrated"), a third power of them ("too low"), or noise. Importance-weighted: kinds of texts are points in the plane
whose mean moves in use; whether an answer is right depends on both coordinates, and a classifier learns the weights.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.probes.quality import in_use, two_samples
from audit.statistics import Interval

CONFIDENCE = 0.95
IN_USE = 2_000


def _cell(hits: int, n: int) -> str:
    estimate, low, high = (100 * value for value in statistics.proportion(hits, n))
    return f"{estimate:.1f} [{low:.1f}, {high:.1f}]"


def _sides(intervals: Sequence[Interval], truth: float) -> tuple[str, str]:
    """How often the truth lies below an interval, and above."""
    n = len(intervals)
    return _cell(sum(i.low > truth for i in intervals), n), _cell(sum(i.high < truth for i in intervals), n)


# ---- areas


def _texts(path: Path) -> NDArray[np.object_]:
    import pandas as pd

    return np.asarray(pd.read_csv(path)["text"].astype(str).to_numpy(object))


def area(texts: Sequence[str], is_second: NDArray[np.bool_], seed: int) -> Interval:
    """The interval of the area by words."""
    features = two_samples.word_features(two_samples.tokens(texts))
    units = two_samples.units(texts)
    (told,) = two_samples.told_apart([("", features, 1.0)], is_second, units, CONFIDENCE, seed)
    return told.area


def areas(folder: Path, draws: int) -> None:
    """Print how often the interval of an area errs."""
    print("| texts | of each | other texts | mean area | truth below, % | truth above, % | the same if not widened |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    pools = {"SST-2": _texts(folder / "sst2_train.csv"), "airline": _texts(folder / "airline.csv")}
    for name, size, part in (("SST-2", 200, 0.0), ("SST-2", 1000, 0.0), ("airline", 500, 0.0), ("SST-2", 500, 0.2)):
        rng, found = np.random.default_rng(1), list[Interval]()
        for seed in range(draws if size < 1000 else draws // 2):
            texts = list(rng.choice(pools[name], 2 * size, replace=False))
            others = int(part * size)
            texts[size : size + others] = rng.choice(pools["airline"], others, replace=False)
            found.append(area(texts, np.arange(2 * size) >= size, seed))
        mean = float(np.mean([each.estimate for each in found]))
        truth = mean if part else 0.5
        wider = statistics.cross_fit_factor(two_samples.FOLDS)
        plain = [
            Interval(e.estimate, e.estimate - (e.estimate - e.low) / wider, e.estimate + (e.high - e.estimate) / wider)
            for e in found
        ]
        below, above = _sides(found, truth)
        print(
            f"| {name} | {size:,} | {part:.0%} | {mean:.3f} | {below} | {above} | {' / '.join(_sides(plain, truth))} |",
            flush=True,
        )


# ---- accuracies


def powered(draws: int) -> None:
    """Print how often the interval of a prediction-powered accuracy errs, and what it saves."""
    print("\n| accuracy | labelled | expected | truth below, % | truth above, % | worth of one label |")
    print("| --- | --- | --- | --- | --- | --- |")
    for accuracy in (0.7, 0.85, 0.95):
        for labelled in (30, 60, 100, 300):
            for kind in ("calibrated", "too low", "noise"):
                rng = np.random.default_rng(2)
                found, worth = list[Interval](), list[float]()
                for _ in range(draws):
                    chance = rng.beta(2 * accuracy, 2 * (1 - accuracy), labelled + IN_USE)
                    right = rng.random(len(chance)) < chance
                    expected = {"calibrated": chance, "too low": chance**3, "noise": rng.random(len(chance))}[kind]
                    interval, rows = statistics.prediction_powered(
                        right[:labelled], expected[:labelled], expected[labelled:], CONFIDENCE
                    )
                    found.append(interval)
                    worth.append(rows / labelled)
                below, above = _sides(found, accuracy)
                print(f"| {accuracy} | {labelled} | {kind} | {below} | {above} | {np.median(worth):.2f} |", flush=True)


def _right(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """How often an answer to a text of this kind is right."""
    return np.asarray(1 / (1 + np.exp(-(1.7 + 0.8 * points[:, 0] + 0.8 * points[:, 1]))))


def weighted(draws: int) -> None:
    """Print how often an importance-weighted accuracy is given, and how often its interval errs."""
    print("\n| kinds move by | model knows | accuracy, test and use | given, % | truth below, % | truth above, % |")
    print("| --- | --- | --- | --- | --- | --- |")
    for shift in (0.0, 0.5, 1.0, 2.0):
        for knows in (True, False):
            rng, found = np.random.default_rng(3), list[Interval]()
            moved = np.array([-shift, 0.0])
            truth = float(_right(rng.normal(size=(400_000, 2)) + moved).mean())
            for seed in range(draws):
                first, second = rng.normal(size=(1000, 2)), rng.normal(size=(1000, 2)) + moved
                points = np.vstack([first, second])
                right = rng.random(1000) < _right(first)
                (told,) = two_samples.told_apart(
                    [("", points, 1.0)], np.arange(2000) >= 1000, np.arange(2000), CONFIDENCE, seed
                )
                # The model's own sureness knows both coordinates, or the one along which nothing moves.
                blind = np.array([1.0, 1.0]) if knows else np.array([0.0, 1.0])
                expected, others = _right(first * blind), _right(second * blind)
                each = statistics.importance_weighted(right, expected, np.exp(told.odds[:1000]), others, CONFIDENCE)
                if each.effective >= in_use.EFFECTIVE and each.imbalance <= in_use.UNLIKE:
                    found.append(each.interval)
            below, above = _sides(found, truth) if found else ("", "")
            accuracies = f"{_right(rng.normal(size=(400_000, 2))).mean():.3f}, {truth:.3f}"
            print(
                f"| {shift} | {'both' if knows else 'one'} | {accuracies} | {_cell(len(found), draws)} | {below} | "
                f"{above} |",
                flush=True,
            )


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400, help="of two samples of texts; more of what is simulated")
    draws = parser.parse_args().draws
    if folder := os.environ.get("AUDIT_TEST_DATA"):
        areas(Path(folder), draws)
    powered(10 * draws)
    weighted(draws)


if __name__ == "__main__":
    main()
