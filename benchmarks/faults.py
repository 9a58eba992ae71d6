"""An audit that is killed at random moments and started again, beside one that was left in peace.

    python -m benchmarks.faults                                     # the embedded demo, 20 moments: some three hours
    python -m benchmarks.faults --moments 3 -- suites/test_quality.py -k "accuracy or mcc"

Each time with a cache and a folder of its own. What follows `--` are pytest's arguments. One that is killed must leave
no pass behind, and the audit that follows must find the same; what was trained or predicted is not done again.
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

# Parts of a record that do not depend on the hour or the machine's load.
SAME = ("verdict", "complete", "not_run", "model", "data", "policy")
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


def findings(value: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What must be the same after any number of kills."""
    kept = (each for each in value["findings"] if not each["id"].startswith(TIMED))
    return {each["id"]: tuple(each[key] for key in ("verdict", "estimate", "low", "high", "n")) for each in kept}


def main() -> None:
    """Print a line for each moment, and how many held."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("suite", nargs="*", default=["suites/"])
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        start = time.monotonic()
        started(Path(name), asked.suite).wait()
        length, peaceful = time.monotonic() - start, record(Path(name))
    assert peaceful is not None, "the audit did not run; try the same with pytest"
    passes = peaceful["scoring"]["forward_passes"]
    print(f"undisturbed: {peaceful['verdict']} after {length:.0f} s, {passes:,} forward passes", flush=True)
    held = 0
    for _ in range(asked.moments):
        moment = rng.uniform(0, length)
        with tempfile.TemporaryDirectory() as name:
            audit = started(Path(name), asked.suite)
            time.sleep(moment)
            audit.kill()
            audit.wait()
            left = record(Path(name))
            safe = left is None or left["verdict"] != "pass" or left == peaceful
            started(Path(name), asked.suite).wait()
            again = record(Path(name))
        assert again is not None
        same = all(again[key] == peaceful[key] for key in SAME) and findings(again) == findings(peaceful)
        more = again["scoring"]["forward_passes"]
        held += safe and same and more <= passes
        told = f"left {'nothing' if left is None else left['verdict']}, then {'the same' if same else 'ANOTHER RECORD'}"
        print(f"killed after {moment:.0f} s: {told}, {more:,} forward passes", flush=True)
    print(f"{held} of {asked.moments} held")


if __name__ == "__main__":
    main()
