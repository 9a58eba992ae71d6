"""What the search for slices that nobody named finds, misses and wrongly finds, where the truth is known.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.slices                 # a few minutes of one core
    AUDIT_TEST_DATA=… python -m benchmarks.probes.slices --draws 200     # a quick look

The texts are real, the answers drawn: right with a chance of 0.85, and in a planted slice less often by a gap. Planted
are listed slices (words, lengths, marks, topics) whose share of the texts comes nearest to 2 and 5 in 100, and
crossings of two that come nearest to 1, 2 and 5, another at each draw. Slices hang on the texts alone, so they are
listed once for all draws. "among the tested": a tested slice and the planted one have a Jaccard similarity of a half or
more. "fails": the verdict at a gate of 0; "passes 10 below": that of a gate 10 points below the gap, which is to be
rare.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.measurement import Result
from audit.core.verdict import Gate, settled
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.probes import slices
from benchmarks.probes.privacy import examples as texts_alone

RIGHT = 0.85
GAPS = (0.05, 0.10, 0.20)
NEAREST = 40  # slices of each size, of which one is planted at each draw


def texts(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Real texts by the name of their data."""
    import pandas as pd

    yield "SST-2, 1,821 sentences", list(pd.read_csv(folder / "sst2_test.csv")["text"].astype(str))
    reviews = pd.read_parquet(folder / "imdb_test.parquet")["text"]
    yield "IMDB, 10,000 reviews", list(reviews.sample(10_000, random_state=0))


def drawn(known: Examples, chance: NDArray[np.float64], rng: np.random.Generator) -> Predictions:
    """Answers that are right with these chances, to examples of class 0."""
    wrong = (rng.random(len(known)) >= chance).astype(np.float32)
    return Predictions(np.column_stack([1 - wrong, wrong]), known.classes, known)


def measured(these: slices.Candidates, said: Predictions, of_people: bool) -> tuple[slices.Found, Result]:
    """What the probe finds among slices that are listed already."""
    found = slices.search(these, said.correct, of_people=of_people)
    return found, slices.tested(said, these, found)


def share(hits: int, draws: int) -> str:
    """A share with its exact 95 % interval, in points."""
    estimate, low, high = (100 * value for value in statistics.proportion(hits, draws))
    return f"{estimate:.1f} [{low:.1f}, {high:.1f}]"


def fair(name: str, known: Examples, draws: int, of_people: bool) -> None:
    """A row of models that are right on every kind of texts as often."""
    these = slices.candidates(known, of_people=of_people)
    started, rng = time.process_time(), np.random.default_rng(1)
    verdicts = {gate: [0, 0] for gate in (0.0, 0.1, 0.2)}
    for _ in range(draws):
        _, result = measured(these, drawn(known, np.full(len(known), RIGHT), rng), of_people)
        for gate, counts in verdicts.items():
            verdict = settled(result, Gate(max=gate))
            counts[0] += verdict == "pass"
            counts[1] += verdict == "fail"
    probe = "fairness.hidden_group" if of_people else "quality.weak_slice"
    passes = " | ".join(f"{100 * verdicts[gate][0] / draws:.0f}" for gate in (0.1, 0.2))
    spent = time.process_time() - started
    print(
        f"| {name} | `{probe}` | {len(these.clauses)} | {draws} | {share(verdicts[0.0][1], draws)} | {passes} | "
        f"{1000 * spent / draws:.0f} |",
        flush=True,
    )


def plantable(these: slices.Candidates, size: float, crossed: bool) -> NDArray[np.bool_]:
    """Slices, or crossings of two, whose share of the texts comes nearest to a size; shape (slices, n)."""
    rows = these.rows[np.flatnonzero(~these.of_people)].toarray() > 0
    if crossed:
        first, second = np.random.default_rng(0).integers(0, len(rows), size=(2, 4_000))
        shares = np.array([(rows[i] & rows[j]).mean() for i, j in zip(first, second, strict=True)])
        proper = shares < 0.8 * np.minimum(rows[first].mean(axis=1), rows[second].mean(axis=1))
        nearest = np.argsort(np.where(proper, np.abs(shares - size), np.inf))[:NEAREST]
        return rows[first[nearest]] & rows[second[nearest]]
    return rows[np.argsort(np.abs(rows.mean(axis=1) - size))[:NEAREST]]


def planted(name: str, known: Examples, draws: int) -> None:
    """Rows of models that are right less often on one slice."""
    these = slices.candidates(known, of_people=False)
    rng = np.random.default_rng(2)
    for size, crossed in ((0.01, True), (0.02, False), (0.02, True), (0.05, False), (0.05, True)):
        masks = plantable(these, size, crossed)
        for gap in GAPS:
            reached = failed = passed = 0
            for _ in range(draws):
                mask = masks[rng.integers(len(masks))]
                found, result = measured(these, drawn(known, RIGHT - gap * mask, rng), False)
                both = (found.members & mask).sum(axis=1) / (found.members | mask).sum(axis=1)
                reached += bool(both.max() >= 0.5)
                failed += settled(result, Gate(max=0.0)) == "fail"
                passed += gap >= slices.MARGIN and settled(result, Gate(max=gap - slices.MARGIN)) == "pass"
            kind = "crossing of two" if crossed else "listed"
            wrong = share(passed, draws) if gap >= slices.MARGIN else ""
            print(
                f"| {name} | {kind} | {100 * masks.mean():.1f} | {100 * gap:.0f} | {share(reached, draws)} | "
                f"{share(failed, draws)} | {wrong} |",
                flush=True,
            )


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--draws", type=int, default=2_000, help="of fair models; a twentieth of them for each planted slice"
    )
    draws = parser.parse_args().draws
    about = {
        name: replace(examples, texts=tuple(examples.texts[i] for i in examples.drawn("slices")))
        for name, examples in ((name, texts_alone(each)) for name, each in texts(Path(os.environ["AUDIT_TEST_DATA"])))
    }
    print(
        "| texts | probe | slices listed | draws | fails at 0, % | passes at 0.1, % | at 0.2, % | CPU of a draw, ms |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    short, long = about.items()
    for (name, known), of_people in ((short, False), (short, True), (long, False)):
        fair(name, known, draws, of_people)
    print("\n| texts | planted | share, % | gap, points | among the tested, % | fails at 0, % | passes 10 below, % |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, known in about.items():
        planted(name, known, draws // 20)


if __name__ == "__main__":
    main()
