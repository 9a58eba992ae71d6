"""What git knows of a folder or a file, only read: nothing that the repository's own configuration names is run.

A folder may be anybody's. Hooks and the file system monitor are off, nothing is fetched, no signature is checked, and
what tells of a single file looks at commits alone, so that no filter of the working tree is asked.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

_TIMEOUT_S = 10
# Hooks and monitors are commands of the repository's configuration; `log.showSignature` runs its `gpg.program`.
_SAFE = (
    "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "log.showSignature=false",
    "--no-pager", "--no-optional-locks", "--no-replace-objects", "--literal-pathspecs",
)  # fmt: skip
# Of a partial clone, git would fetch what is missing by a program that the configuration names.
_SAFE_VARIABLES = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
# A hook of git sets them, and may be another repository's.
_OF_A_REPOSITORY = {
    "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX",
}  # fmt: skip
State = Literal["committed", "changed", "uncommitted", "unversioned", "unknown"]


@dataclass(frozen=True)
class History:
    """What git knows of a file: whether what was read stands in the last commit, and since which one.

    ``commit`` is the last one that changed the file, as far as the repository reaches back, and ``date`` when that was
    by the clock of whoever committed (ISO, UTC); both are empty where there is none. A repository that git refuses to
    read, or reads too slowly, is ``unknown``.
    """

    state: State
    commit: str = ""
    date: str = ""


@cache
def commit(folder: Path) -> str | None:
    """The commit that is checked out in a folder, marked where files differ from it; None outside of git."""
    try:
        head = _text(folder, "rev-parse", "HEAD")
        # The folder is where pytest runs, which executes its files anyway: filters may be asked here.
        changed = _text(folder, "status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}, with changes" if changed else head


@cache
def history(path: Path, sha256: str) -> History:
    """What git knows of a file.

    Parameters
    ----------
    path : Path
    sha256 : str
        Of what was read of it; line ends may be another system's.
    """
    path = path.resolve()
    try:
        _text(path.parent, "rev-parse", "--git-dir")
        content = _run(path.parent, "cat-file", "blob", f"HEAD:./{path.name}")
        found = _text(path.parent, "log", "-1", "--no-show-signature", "--format=%H %ct", "HEAD", "--", path.name)
    except FileNotFoundError:
        return History("unversioned")  # git is not installed
    except subprocess.CalledProcessError as error:
        if "rev-parse" not in error.cmd:
            return History("uncommitted")
        return History("unversioned" if b"not a git repository" in error.stderr else "unknown")
    except (OSError, subprocess.SubprocessError):
        return History("unknown")
    stated = re.fullmatch(r"([0-9a-f]{40,64}) (\d{1,11})", found)
    if stated is None:
        return History("uncommitted")
    date = datetime.fromtimestamp(int(stated[2]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    lines = content.replace(b"\r\n", b"\n")
    known = {hashlib.sha256(each).hexdigest() for each in (content, lines, lines.replace(b"\n", b"\r\n"))}
    return History("committed" if sha256 in known else "changed", stated[1], date)


def _text(folder: Path, *arguments: str) -> str:
    return _run(folder, *arguments).decode("utf-8", "replace").strip()


def _run(folder: Path, *arguments: str) -> bytes:
    surroundings = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}
    done = subprocess.run(
        ["git", *_SAFE, *arguments],
        cwd=folder,
        env=surroundings | _SAFE_VARIABLES,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=_TIMEOUT_S,
    )
    return done.stdout
