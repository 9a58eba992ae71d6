"""How long whole audits take: each policy once from an empty cache and once more, in processes of their own.

    python -m benchmarks.speed.audits                                    # the embedded demo
    AUDIT_TEST_DATA=… python -m benchmarks.speed.audits examples/sst2.toml examples/airline.toml examples/imdb.toml

Prints a Markdown table for `benchmarks/README.md`. The seconds are those of the whole command, imports included. With
`--keep DIR` the reports stay there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import ROOT

DEMO = "audit/policy/default.toml"
COLUMNS = (
    "policy", "exit", "accuracy", "first audit, s", "of it training, s", "forward passes", "peak memory, GiB",
    "second audit, s", "its forward passes", "report, MB", "gates that do not hold",
)  # fmt: skip


def audit(policy: str, folder: Path) -> tuple[int, float, float, dict[str, Any]]:
    """Exit status, seconds, peak memory in GiB and record of one audit with its cache and output in a folder."""
    command = [sys.executable, "-m", "pytest", "suites/", "-q", "-p", "no:cacheprovider"]
    command += ["--audit-policy", policy, "--audit-cache", f"{folder}/cache", "--audit-out", f"{folder}/out"]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 1):
        sys.exit(f"{policy}: the audit ended with exit status {code}")
    return code, seconds, usage.ru_maxrss / 2**20, json.loads((folder / "out" / "audit.json").read_text("utf-8"))


def row(policy: str, keep: Path | None) -> list[str]:
    """The table's row of one policy."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code, first, memory, record = audit(policy, folder)
        _, second, _, again = audit(policy, folder)
        size = (folder / "out" / "report.html").stat().st_size
        if keep is not None:
            shutil.copytree(folder / "out", keep / Path(policy).stem, dirs_exist_ok=True)
    accuracy = next(f for f in record["findings"] if f["id"] == "quality.accuracy")
    training = sum(phase["seconds"] for phase in record["energy"]["phases"] if phase["name"] == "fine-tune")
    return [
        f"`{policy}`",
        str(code),
        "{estimate:.3f} [{low:.3f}, {high:.3f}]".format(**accuracy),
        f"{first:.0f}",
        f"{training:.0f}",
        f"{record['scoring']['forward_passes']:,}",
        f"{memory:.1f}",
        f"{second:.0f}",
        f"{again['scoring']['forward_passes']:,}",
        f"{size / 1e6:.2f}",
        ", ".join(f"`{f['id']}` {f['verdict']}" for f in record["findings"] if f["gate"] and f["verdict"] != "pass"),
    ]


def main() -> None:
    """Print the table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description="Time whole audits.")
    parser.add_argument("policies", nargs="*", default=[DEMO])
    parser.add_argument("--keep", type=Path, metavar="DIR")
    asked = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}\n")
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{' --- |' * len(COLUMNS)}", flush=True)
    for policy in asked.policies:
        print(f"| {' | '.join(row(policy, asked.keep))} |", flush=True)


if __name__ == "__main__":
    main()
