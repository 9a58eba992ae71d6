"""What `--audit-plan` says before an audit against what the audit then took, test by test.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.costs examples/sst2.toml --keep costs
    AUDIT_TEST_DATA=… python -m benchmarks.speed.plans costs/sst2

The plan is made now, with an empty cache, of the tests that were run.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from benchmarks import ROOT
from benchmarks.speed.costs import NAME, table

ROW = re.compile(r"(\S+) +([\d,]+) +([\d,]+) +\d+ +\d+ +([\d,]+) +[\d.]+")


def planned(policy: str, tests: list[str]) -> dict[str, tuple[int, int, int]]:
    """By test: passes as a rule, passes at most, seconds."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--audit-plan",
        "--audit-policy",
        policy,
        "--audit-cache",
        "none",
        *tests,
    ]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rows = [match.groups() for line in said.splitlines() if (match := ROW.fullmatch(line))]
    return {name: tuple(int(each.replace(",", "")) for each in numbers) for name, *numbers in rows}


def main() -> None:
    """Print a table for each folder."""
    parser = argparse.ArgumentParser(description="Plans against audits.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--policy", default="audit/policy/default.toml", help="where costs.json does not name it")
    asked = parser.parse_args()
    for folder in asked.folders:
        took = json.loads((folder / NAME).read_text("utf-8"))
        plan = planned(took.get("policy", asked.policy), [each["test"] for each in took["tests"]])
        said, most, real = Counter[str](), Counter[str](), Counter[str]()
        for name, (usual, at_most, _) in plan.items():
            said[name.partition("[")[0]] += usual
            most[name.partition("[")[0]] += at_most
        for test in took["tests"]:
            real[test["test"].rpartition("::")[2].partition("[")[0]] += test["passes"]
        real["all"] = real.total()
        kinds = [name for name in said if name != "all" and (most[name] or real[name])]
        print(table(
            ["test", "planned", "at most", "took", "planned / took"],
            [[name, f"{said[name]:,}", f"{most[name]:,}", f"{real[name]:,}", f"{said[name] / max(real[name], 1):.2f}"]
             for name in (*sorted(kinds, key=lambda name: -real[name]), "all")],
        ))  # fmt: skip


if __name__ == "__main__":
    main()
