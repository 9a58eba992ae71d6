"""What was asked of speed and scale beside what is found here: the table of `benchmarks/README.md`.

    AUDIT_TEST_DATA=… make bench                                    # everything, about an hour and a half on two cores
    AUDIT_TEST_DATA=… python -m benchmarks --only throughput,memory # some parts
    AUDIT_TEST_DATA=… python -m benchmarks --quick                  # whether it works: few texts, figures of no worth

Figures behind a line that it does not show go to standard error as they are found.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.speed import audits, bert_base, giskard, profile, throughput
from benchmarks.speed.table import HEADER, Line, at_most


def second() -> Iterator[Line]:
    """The embedded demo, once from an empty cache and once more."""
    with tempfile.TemporaryDirectory() as name:
        _, first, _, record = audits.audit(audits.DEMO, Path(name))
        _, again, _, later = audits.audit(audits.DEMO, Path(name))
    passes = later["scoring"]["forward_passes"]
    yield at_most("forward passes of the demo's second audit", 0, passes, "", 0)
    note = f" (the first {first:.0f} s, {record['scoring']['forward_passes']:,} forward passes)"
    yield at_most("the demo's second audit", 20, again, " s", 1, note)


# Each takes whether it is to be quick, and how many texts the whole audit is of.
PARTS: dict[str, Callable[[bool, int], Iterator[Line]]] = {
    "throughput": lambda quick, _: throughput.throughput(quick),
    "audit": profile.against_the_passes,
    "giskard": lambda quick, _: giskard.giskard(quick),
    "second": lambda *_: second(),
    "memory": lambda quick, _: throughput.memory(quick),
    "growth": lambda quick, _: throughput.growth(quick),
    "engines": lambda quick, _: throughput.engines(quick),
    "gpu": lambda quick, _: bert_base.on_a_gpu(quick),
}


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed and scale: asked and found.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--texts", type=int, default=1000, help="of the whole audit at bert-base's size")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "N"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        throughput.child(asked.child[0], int(asked.child[1]))
        return
    wanted = asked.only.split(",")
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"--only: there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not os.environ.get("AUDIT_TEST_DATA"):
        parser.error("set AUDIT_TEST_DATA to the folder with imdb_*.parquet, sst2_*.csv and eec.csv")
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n\n{HEADER}")
    for name in wanted:
        for line in PARTS[name](asked.quick, asked.texts):
            print(line, flush=True)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
