"""Paths that a user named: refused where reading them may never end, and shown with what they name masked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from audit.core.errors import AuditError
from audit.text.redaction import printable

_POINTER = b"version https://git-lfs.github.com/spec/"


def check_regular(path: Path, name: str) -> None:
    """Refuse what is there and is neither file nor folder: reading a pipe or a device may never end.

    Raises
    ------
    AuditError
        Begins with `name`, which says whose path it is.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise AuditError(
            f"{name}: {printable(path.name)} is a pipe, socket or device; copy its content to a file, and name that."
        )


def check_content(path: Path, name: str) -> None:
    """Refuse such a thing, see :func:`check_regular`, and what Git leaves where a large file was not fetched.

    Raises
    ------
    AuditError
        Begins with `name`.
    """
    check_regular(path, name)
    if not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise AuditError(
                f"{name}: {printable(path.name)} is a Git LFS pointer, not the file itself; run `git lfs pull` in its "
                f"repository."
            )


def check_all(folder: Path, name: str, check: Callable[[Path, str], None] = check_regular) -> None:
    """Hold a check against all that a folder holds; what is hidden, as ``.git``, nobody reads."""
    for path in sorted(folder.rglob("*")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            check(path, name)
