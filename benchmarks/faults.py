"""An audit that is killed at random moments and started again, beside one that was left in peace.

    python -m benchmarks.faults                              # the embedded demo at 20 moments: three times its own time
    python -m benchmarks.faults --moments 3 -- suites/test_quality.py -k "accuracy or mcc"
    python -m benchmarks.faults --each                       # an audit of its own for each moment: 20 times as long

One audit is killed again and again, and goes on where it was: on one cache and folder. What follows `--` are pytest's
arguments. One that is killed must leave no pass behind, and the audit that follows must find the same; what was trained
or predicted is not done again.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import ROOT

# Parts of a record that do not depend on the hour or the machine's load; of the model all but what its training took.
SAME = ("verdict", "complete", "not_run", "model", "data", "policy")
OF_THE_HOUR = ("energy", "created")
# Findings of time and energy differ between any two audits.
TIMED = ("environment.", "security.latency")


def started(folder: Path, suite: Sequence[str]) -> subprocess.Popen[bytes]:
    """An audit with the cache and the output in a folder."""
    places = [f"--audit-cache={folder / 'cache'}", f"--audit-out={folder / 'out'}"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *places, *suite]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def record(folder: Path) -> dict[str, Any] | None:
    """What the audit left, if anything."""
    path = folder / "out" / "audit.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def differences(value: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The parts and findings that must be the same in two records, and differ."""

    def part(of: dict[str, Any], name: str) -> Any:
        if name != "model" or not of[name]["training"]:
            return of[name]
        kept = {key: each for key, each in of[name]["training"].items() if key not in OF_THE_HOUR}
        return of[name] | {"training": kept}

    found, others = findings(value), findings(other)
    parts = [name for name in SAME if part(value, name) != part(other, name)]
    return parts + [name for name in sorted({*found, *others}) if found.get(name) != others.get(name)]


def findings(value: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What must be the same after any number of kills."""
    kept = (each for each in value["findings"] if not each["id"].startswith(TIMED))
    return {each["id"]: tuple(each[key] for key in ("verdict", "estimate", "low", "high", "n")) for each in kept}


def killed(folder: Path, suite: Sequence[str], moment: float, peaceful: dict[str, Any]) -> str:
    """Kill an audit after so many seconds; the verdict that it left, in capitals where nobody may pass by it."""
    audit = started(folder, suite)
    try:
        audit.wait(moment)
        return "its whole record, for it had ended"
    except subprocess.TimeoutExpired:
        audit.kill()
        audit.wait()
    left = record(folder)
    if left is None:
        return "nothing"
    return left["verdict"] if left["verdict"] != "pass" or findings(left) == findings(peaceful) else "A PASS"


def main() -> None:
    """Print a line for each moment, and how many held."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--each", action="store_true", help="an audit of its own for each moment: as many times as long"
    )
    parser.add_argument("suite", nargs="*", default=["suites/"])
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        start = time.monotonic()
        started(Path(name), asked.suite).wait()
        length, peaceful = time.monotonic() - start, record(Path(name))
        start = time.monotonic()
        started(Path(name), asked.suite).wait()
        again = time.monotonic() - start  # what an audit takes of which everything was done before
    assert peaceful is not None, "the audit did not run; try the same with pytest"
    passes = peaceful["scoring"]["forward_passes"]
    told = f"{peaceful['verdict']} after {length:.0f} s, again after {again:.0f} s"
    print(f"undisturbed: {told}, {passes:,} forward passes", flush=True)
    kills = [1] * asked.moments if asked.each else [asked.moments]
    # In turn, each life begins with what it takes to get to where the last one ended. Half of them end in it.
    step = 4 * max(length - again, 0.0) / asked.moments
    held = 0
    for times in kills:
        with tempfile.TemporaryDirectory() as name:
            left = []
            for i in range(times):
                further = rng.uniform(0, again) if i % 2 else again + rng.uniform(0, step)
                moment = rng.uniform(0, length) if asked.each else further
                left.append(killed(Path(name), asked.suite, moment, peaceful))
                print(f"killed after {moment:.0f} s: left {left[-1]}", flush=True)
            started(Path(name), asked.suite).wait()
            ended = record(Path(name))
        assert ended is not None
        apart = differences(ended, peaceful)
        more = ended["scoring"]["forward_passes"]
        told = f"ANOTHER RECORD ({', '.join(apart)})" if apart else "the same"
        print(f"then {told}, {more:,} forward passes", flush=True)
        held += ("A PASS" not in left) and not apart and more <= passes
    print(f"{held} of {len(kills)} held")


if __name__ == "__main__":
    main()
