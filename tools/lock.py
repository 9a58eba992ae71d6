"""Writes ``requirements.lock``: every pinned package with the hash of its file, for CPython 3.11 on Linux x86-64.

    python -m tools.lock                # needs a network; --find-links FOLDER where torch's own index is out of reach
    pip install --no-deps --require-hashes -r requirements.lock

``constraints.txt`` says which versions; of those that are new in it pip says which file fits this system, and its hash.
Nothing is taken from a mirror that this machine is set to: the lock is for other machines. torch is there in its CPU
build.
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

from packaging.utils import canonicalize_name

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


def kept() -> dict[str, str]:
    """The lines of the present lock file by their pins: a file that was published under a version does not change."""
    lines = LOCK.read_text("utf-8").splitlines() if LOCK.exists() else []
    return {_key(line.partition(" ")[0]): line for line in lines if " --hash=" in line}


def asked(new: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """The lines of pins that are new, by pip's own report of what it would install."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PIP_") or name == "PIP_CERT"}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
        command += ["--report", str(report), *(arguments or ["--extra-index-url", TORCH_INDEX]), *new]
        subprocess.run(command, check=True, env={**mine, "PIP_CONFIG_FILE": os.devnull})
        found = json.loads(report.read_text("utf-8"))["install"]
    return [
        f"{item['metadata']['name']}=={item['metadata']['version']} "
        f"--hash=sha256:{item['download_info']['archive_info']['hashes']['sha256']}"
        for item in found
    ]


def _key(pin: str) -> str:
    """A pin in the one spelling that all those of its name have."""
    name, _, version = pin.partition("==")
    return f"{canonicalize_name(name)}=={version}"


def main(arguments: Sequence[str]) -> None:
    """Ask pip about what is new, and write the file."""
    here = f"{platform.system()} {platform.machine()}"
    if (platform.python_version().rpartition(".")[0], here) != (PYTHON, SYSTEM):
        raise SystemExit(f"the lock is for CPython {PYTHON} on {SYSTEM}; run this there.")
    before = kept()
    new = [pin for pin in pins() if _key(pin) not in before]
    lines = [before[_key(pin)] for pin in pins() if _key(pin) in before]
    lines += asked(new, arguments) if new else []
    LOCK.write_text(_HEAD + "".join(f"{line}\n" for line in sorted(lines, key=str.casefold)), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
