"""What an audit costs before it is started: seconds, forward passes, trainings and electricity of each test.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.costs examples/sst2-minilm.toml --keep out   # whole, an empty cache
    AUDIT_TEST_DATA=… python -m benchmarks.speed.costs --bert-base out/sst2-minilm            # a part, scaled up
    python -m benchmarks.speed.costs --print out/sst2-minilm                                  # its tables again
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.speed.profile import arguments

NAME = "costs.json"


class Books:
    """A plug-in of pytest that books what each test took, by what the audit puts on its reports.

    What several tests need is booked on the first that asks for it: it is made once.
    """

    def __init__(self) -> None:
        self.tests: list[dict[str, Any]] = []
        self.trainings: list[Any] = []
        self._findings: list[Any] = []
        self._phases = self._passes = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take what came since the test before; facts are cumulative, and each has all phases so far."""
        self._findings += getattr(report, "audit_findings", ())
        facts = getattr(report, "audit_facts", None)
        if facts is None:
            return
        passes, phases = facts["scoring"]["forward_passes"], facts["energy"]
        findings = [{name: each[name] for name in ("id", "gate", "verdict")} for each in self._findings]
        self.tests.append(
            {
                "test": report.nodeid,
                "passes": passes - self._passes,
                "phases": phases[self._phases :],
                "findings": findings,
            }
        )
        self._passes, self._phases, self._findings = passes, len(phases), []

    def pytest_sessionfinish(self, session: Any) -> None:
        """Keep how each model was trained."""
        from audit.plugin.state import STATE

        audit = session.config.stash[STATE].session
        self.trainings = list(audit.models.trainings) if audit is not None else []


def inside(command: list[str], out: Path) -> None:
    """Run pytest in this process; what it took goes into a file."""
    import pytest
    import torch

    books, started = Books(), time.monotonic()
    status = int(pytest.main(command, plugins=[books]))
    facts = {
        "exit": status, "seconds": time.monotonic() - started, "threads": torch.get_num_threads(),
        "date": time.strftime("%Y-%m-%d"), "tests": books.tests, "trainings": books.trainings,
    }  # fmt: skip
    out.write_text(json.dumps(facts, indent=1, default=str), encoding="utf-8")


def measure(policy: Path, folder: Path) -> dict[str, Any]:
    """What one audit took, in a process of its own that finds an empty cache."""
    folder.mkdir(parents=True)
    command = arguments(["suites/"], policy, folder)
    given = [sys.executable, "-m", "benchmarks.speed.costs", "--inside", str(folder / NAME), "--", *command]
    subprocess.run(given, cwd=ROOT, stdout=sys.stderr, check=True)
    return json.loads((folder / NAME).read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description="What an audit costs, test by test.")
    parser.add_argument("policies", nargs="*", type=Path)
    parser.add_argument("--keep", type=Path, metavar="DIR")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside is not None:
        inside([str(each) for each in asked.policies], asked.inside)
        return
    for policy in asked.policies:
        measure(policy, (asked.keep / policy.stem).resolve())


if __name__ == "__main__":
    main()
