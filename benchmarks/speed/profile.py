"""Where an audit's time goes: the first run and the second, each against the model's forward passes alone.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.profile                # bert-base's shape, 1,000 SST-2 sentences
    python -m benchmarks.speed.profile --policy audit/policy/default.toml  # any policy, its recipe's trainings too
    python -m benchmarks.speed.profile --policy audit/policy/default.toml --functions 40

Prints a Markdown table: seconds of the whole command, imports included; seconds inside the network, forward and
backward, of the audited model and all others; their ratio. With `--functions` a third run under cProfile names the
functions of `audit/` that take most; its seconds are not those of a run without it.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.policy import toml
from benchmarks import ROOT
from benchmarks.shapes import BASE, SMALL, Shape, save
from benchmarks.speed.table import Line, at_most

COLUMNS = ("run", "whole audit, s", "inside networks, s", "ratio", "forward passes", "from the cache", "report, s")


@dataclass(frozen=True)
class Run:
    """What one audit took."""

    whole_s: float
    networks_s: float
    report_s: float
    forward_passes: int
    cache_hits: int

    def row(self, name: str) -> str:
        """Of the Markdown table."""
        ratio = f"{self.whole_s / self.networks_s:.2f}" if self.forward_passes else ""
        cells = [name, f"{self.whole_s:.1f}", f"{self.networks_s:.1f}", ratio, f"{self.forward_passes:,}"]
        return f"| {' | '.join([*cells, f'{self.cache_hits:,}', f'{self.report_s:.1f}'])} |"


def random_weights(shape: Shape, folder: Path, texts: int) -> Path:
    """A policy for a model of this shape and the first of the SST-2 test sentences."""
    with (Path(os.environ["AUDIT_TEST_DATA"]) / "sst2_test.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[: texts + 1]
    with (folder / "test.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    save(shape, 64, folder / "model")
    policy = {
        "model": {"source": str(folder / "model"), "max_length": 64, "labels": ["negative", "positive"]},
        "data": {
            "train": "${AUDIT_TEST_DATA}/sst2_train.csv",
            "test": str(folder / "test.csv"),
            "subgroups": ["mention:gender"],
            "pairs": "${AUDIT_TEST_DATA}/eec.csv",
        },
    }
    (folder / "policy.toml").write_text(toml.document(policy), encoding="utf-8")
    return folder / "policy.toml"


class Stopwatch:
    """Counts the seconds inside the outermost of the functions that it was given."""

    def __init__(self) -> None:
        self.seconds, self._depth = 0.0, 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time counted."""

        def run(*arguments: Any, **named: Any) -> Any:
            started, self._depth = time.perf_counter(), self._depth + 1
            try:
                return function(*arguments, **named)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.perf_counter() - started

        return run


def inside(command: list[str], out: Path) -> None:
    """Run pytest in this process; its exit status and the seconds inside networks go into a file."""
    import pytest
    import torch

    watch = Stopwatch()
    for where, name in ((torch.nn.Module, "__call__"), (torch.autograd, "grad"), (torch.autograd, "backward")):
        setattr(where, name, watch.timed(getattr(where, name)))
    status = int(pytest.main(command))
    out.write_text(json.dumps([status, watch.seconds]), encoding="utf-8")


def audit(command: list[str], folder: Path) -> Run:
    """One audit, in a process of its own."""
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.profile", "--inside", str(folder / "inside.json"), "--", *command],
        cwd=ROOT,
        stdout=sys.stderr,
        check=True,
    )
    whole = time.monotonic() - started
    status, network = json.loads((folder / "inside.json").read_text("utf-8"))
    if status not in (0, 1):
        sys.exit(f"the audit ended with exit status {status}")
    record = json.loads((folder / "out" / "audit.json").read_text("utf-8"))
    report = sum(phase["seconds"] for phase in record["energy"]["phases"] if phase["name"] == "report")
    counts = record["scoring"]
    return Run(whole, network, report, counts["forward_passes"], counts["cache_hits"])


def arguments(suites: list[str], policy: Path, folder: Path) -> list[str]:
    """Of pytest, with cache and output in a folder."""
    return [*suites, "-q", "-p", "no:cacheprovider", "--audit-policy", str(policy),
            "--audit-cache", str(folder / "cache"), "--audit-out", str(folder / "out")]  # fmt: skip


def collecting(command: list[str]) -> float:
    """Seconds until pytest has found the tests of the suites."""
    started = time.monotonic()
    asked = [sys.executable, "-m", "pytest", "--collect-only", *command]
    subprocess.run(asked, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - started


def against_the_passes(quick: bool, texts: int) -> Iterator[Line]:
    """The lines for the table of `make bench`."""
    with tempfile.TemporaryDirectory() as name:
        folder, shape = Path(name), SMALL if quick else BASE
        count = 50 if quick else texts
        command = arguments(["suites/"], random_weights(shape, folder, count), folder)
        yield at_most("`pytest --collect-only suites/`", 2, min(collecting(command) for _ in range(3)), " s")
        first = audit(command, folder)
        print(first.row("first"), file=sys.stderr, flush=True)
        again = audit(command, folder)
    ratio = first.whole_s / first.networks_s
    note = (
        f" ({first.whole_s:,.0f} s, {first.networks_s:,.0f} of them inside networks; {first.forward_passes:,} passes)"
    )
    yield at_most(f"whole audit against its passes, {shape.name}, {count:,} SST-2 sentences", 1.15, ratio, note=note)
    what = "forward passes of its second audit"
    yield at_most(what, 0, again.forward_passes, "", 0, f" ({again.whole_s:.0f} s)")


def functions(command: list[str], folder: Path, most: int) -> None:
    """Print the functions of the package that take most, what they call included."""
    profile = folder / "audit.prof"
    asked = [sys.executable, "-m", "cProfile", "-o", str(profile), "-m", "pytest", *command]
    subprocess.run(asked, cwd=ROOT, stdout=sys.stderr, check=False)
    stats: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(str(profile)).stats  # type: ignore[attr-defined]
    package = f"{ROOT / 'audit'}{os.sep}"
    ours = {key: value for key, value in stats.items() if key[0].startswith(package)}
    print("\n| function | calls | own seconds | seconds with what it calls |\n| --- | --- | --- | --- |")
    for (path, line, name), (_, calls, own, total, _) in sorted(ours.items(), key=lambda each: -each[1][3])[:most]:
        print(f"| `{path.removeprefix(package)}:{line} {name}` | {calls:,} | {own:.2f} | {total:.2f} |")


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description="Show where an audit's time goes.")
    parser.add_argument("--policy", type=Path, help="default: bert-base's shape on SST-2 sentences")
    parser.add_argument("--texts", type=int, default=1000, help="of the default policy")
    parser.add_argument("--functions", type=int, metavar="N", help="profile a third run, show the N largest functions")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="*", default=["suites/"], help="what pytest runs; default suites/")
    asked = parser.parse_args()
    if asked.inside is not None:
        inside(asked.command, asked.inside)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        policy = asked.policy or random_weights(BASE, folder, asked.texts)
        command = arguments(asked.command, policy, folder)
        print(f"`pytest --collect-only` took {collecting(command):.1f} s.\n")
        print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}", flush=True)
        for run in ("first", "second"):
            print(audit(command, folder).row(run), flush=True)
        if asked.functions:
            functions(command, folder, asked.functions)


if __name__ == "__main__":
    main()
