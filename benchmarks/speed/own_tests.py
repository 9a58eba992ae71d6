"""What `make test` costs and what it covers: its time, its slowest tests, its assertions, and the lines that it runs.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.own_tests [--coverage] [pytest's arguments]

With ``--coverage`` the times are not those of `make test`: every line that runs is counted, in all processes.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from benchmarks import ROOT

TESTS = ("tests/", "-n", "2")
SLOWEST = 20


def assertions(folder: Path) -> int:
    """The places in the tests at which something is held to be so: ``assert``, and what is expected to raise."""
    count = 0
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            named = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
            count += isinstance(node, ast.Assert) or named == "raises" or named.startswith(("assert_", "fnmatch_"))
    return count


def cases(junit: Path) -> Iterator[tuple[float, str]]:
    """Seconds and name of each test that ran, its fixtures included."""
    for case in ElementTree.parse(junit).iter("testcase"):  # noqa: S314  (pytest has just written it)
        yield float(case.get("time", 0)), f"{case.get('classname', '').removeprefix('tests.')}::{case.get('name')}"


def covered(folder: Path) -> tuple[int, int]:
    """Lines that ran, and lines that there are, in the package as it ships."""
    command = [sys.executable, "-m", "coverage"]
    settings = ("--rcfile", str(folder / "settings"))
    subprocess.run([*command, "combine", "--quiet", *settings], cwd=ROOT, check=True)
    # Tests install copies of the package elsewhere; what runs there is no line of this one.
    chosen = ("--include", f"{ROOT / 'audit'}/*", "-o", str(folder / "lines.json"))
    subprocess.run([*command, "json", "--quiet", *settings, *chosen], cwd=ROOT, check=True)
    totals = json.loads((folder / "lines.json").read_text("utf-8"))["totals"]
    return totals["covered_lines"], totals["num_statements"]


def main(arguments: Sequence[str]) -> int:
    """Run the tests and print the tables; gives pytest's exit status."""
    count_lines = "--coverage" in arguments
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = f"[run]\nsource_pkgs = audit\nparallel = true\npatch = subprocess\ndata_file = {folder}/data\n"
        (folder / "settings").write_text(settings, "utf-8")
        runner = ["-m", "coverage", "run", f"--rcfile={folder}/settings"] if count_lines else []
        chosen = [each for each in arguments if each != "--coverage"]
        pytest = ["-m", "pytest", *TESTS, f"--junitxml={folder}/junit.xml", *chosen]
        started = time.monotonic()
        status = subprocess.run([sys.executable, *runner, *pytest], cwd=ROOT).returncode
        seconds = time.monotonic() - started
        found = sorted(cases(folder / "junit.xml"), reverse=True)
        print(f"\n{seconds:.0f} s, {len(found)} tests, {assertions(ROOT / 'tests')} assertions\n")
        print("| s | the slowest |\n| ---: | --- |")
        for took, test in found[:SLOWEST]:
            print(f"| {took:.1f} | `{test}` |")
        if count_lines:
            ran, lines = covered(folder)
            print(f"\n{ran:,} of {lines:,} lines: {ran / lines:.2%}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
