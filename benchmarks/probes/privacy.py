"""Time and memory of the search for near duplicates, and what the finder of personal data finds and misses.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.privacy

Run from the root of a clone: the labelled sentences and tweets are those of the tests.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from audit import statistics
from audit.data.examples import Examples
from audit.probes.privacy import privacy
from audit.text.personal_data import find
from tools import airline
from tools.labelled import SAID, agreement

SENTENCES = 20_000


def examples(texts: list[str]) -> Examples:
    """Examples whose labels do not matter."""
    return Examples(tuple(texts), np.zeros(len(texts), np.int64), ("negative", "positive"))


def overlap(folder: Path) -> None:
    """The overlap of IMDB: 25,000 reviews against 25,000."""
    train, test = (examples(list(pd.read_parquet(folder / f"imdb_{s}.parquet")["text"])) for s in ("train", "test"))
    started, worked = time.perf_counter(), time.process_time()
    found = privacy.train_test_overlap(train, test)
    print("| IMDB | |\n| --- | --- |")
    print(f"| wall time, s | {time.perf_counter() - started:.0f} |")
    print(f"| processor time, s | {time.process_time() - worked:.0f} |")
    print(f"| peak memory of the process, imports and data included, GiB | {peak():.2f} |")
    for name, *ways in found.tables[0].rows:
        print(f"| {name}: exactly, normalised, nearly | {ways} |")
    print(f"| distinct texts in both | {found.facts['distinct texts in both']} |")


def peak() -> float:
    """The most memory that this process has held, in GiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**30 if sys.platform == "darwin" else 2**20)


def tweets(folder: Path) -> None:
    """Speed on tweets, the tweets with each kind, a plain pattern's differences, and agreement with a reader."""
    texts = airline.tweets(folder)
    find(texts[0])
    worked = time.process_time()
    found = [{one.kind for one in find(text)} for text in texts]
    speed = len(texts) / (time.process_time() - worked)
    print(f"\n{len(texts):,} tweets, {speed:,.0f} a second of processor time; by kind:")
    print(dict(Counter(kind for kinds in found for kind in kinds)))
    for kind, pattern in airline.NAIVE.items():
        plain = {row for row, text in enumerate(texts) if pattern.search(text)}
        ours = {row for row, kinds in enumerate(found) if kind in kinds}
        print(f"\n{kind}: a plain pattern {len(plain)} tweets, the finder {len(ours)}")
        print(f"plain only: rows {sorted(plain - ours)}; finder only: rows {sorted(ours - plain)}")
    for stratum in ("random", "net"):
        print(f"\n{stratum}\n\n| kind | labelled | found | both | recall | precision |")
        print("| --- | --- | --- | --- | --- | --- |")
        for kind, (both, seen, places) in airline.agreement(texts, [stratum]).items():
            print(f"| {kind} | {places} | {seen} | {both} | {share(both, places)} | {share(both, seen)} |")


def share(part: int, whole: int) -> str:
    """A proportion with its exact interval; empty of nothing."""
    if not whole:
        return ""
    estimate, low, high = statistics.proportion(part, whole)
    return f"{estimate:.3f} [{low:.3f}, {high:.3f}]"


def labelled() -> None:
    """Precision and recall on labelled sentences, and which look-alikes are taken for personal data."""
    hits, false, total, taken = agreement(SENTENCES)
    print(f"\n{SENTENCES:,} sentences\n\n| kind | sentences with it | recall | precision |\n| --- | --- | --- | --- |")
    for kind in SAID:
        recall, precision = hits[kind] / total[kind], hits[kind] / max(1, hits[kind] + false[kind])
        print(f"| {kind} | {total[kind]:,} | {recall:.4f} | {precision:.4f} |")
    print("\n" + "\n".join(f"- {n} × {what}" for what, n in taken.most_common()))


def main() -> None:
    """Print all figures as Markdown."""
    labelled()
    if folder := os.environ.get("AUDIT_TEST_DATA"):
        tweets(Path(folder))
        overlap(Path(folder))


if __name__ == "__main__":
    main()
