"""Writes ``requirements.lock``: every pinned package with the hash of its file, for CPython 3.11 on Linux x86-64.

    python -m tools.lock                # needs a network; --find-links FOLDER where torch's own index is out of reach
    pip install --no-deps --require-hashes -r requirements.lock

``constraints.txt`` says which versions; pip says which file of each fits this system, and its hash. Nothing is taken
from a mirror that this machine is set to: the lock is for other machines. torch stands there in its CPU build.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PYTHON, SYSTEM = "3.11", "Linux x86_64"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
_HEAD = f"""\
# Written by `python -m tools.lock` from constraints.txt, for CPython {PYTHON} on {SYSTEM}:
#     pip install --no-deps --require-hashes -r requirements.lock
--extra-index-url {TORCH_INDEX}
"""


def pins() -> list[str]:
    """The pinned packages, as ``constraints.txt`` has them; torch in its CPU build."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines())
    return [f"{pin}+cpu" if pin.startswith("torch==") else pin for pin in lines if pin]


def locked(report: dict[str, list[dict[str, dict[str, object]]]]) -> str:
    """The lock file by pip's own report of what it would install."""
    lines = []
    for item in report["install"]:
        name, version = item["metadata"]["name"], item["metadata"]["version"]
        hashes = dict(item["download_info"]["archive_info"])["hashes"]  # type: ignore[call-overload]
        lines.append(f"{name}=={version} --hash=sha256:{hashes['sha256']}\n")
    return _HEAD + "".join(sorted(lines, key=str.casefold))


def main(arguments: Sequence[str]) -> None:
    """Ask pip, and write the file."""
    here = f"{platform.system()} {platform.machine()}"
    if (platform.python_version().rpartition(".")[0], here) != (PYTHON, SYSTEM):
        raise SystemExit(f"the lock is for CPython {PYTHON} on {SYSTEM}; run this there.")
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PIP_") or name == "PIP_CERT"}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
        command += ["--report", str(report), *(arguments or ["--extra-index-url", TORCH_INDEX]), *pins()]
        subprocess.run(command, check=True, env={**mine, "PIP_CONFIG_FILE": os.devnull})
        LOCK.write_text(locked(json.loads(report.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
