"""What every reader of a user's files asks first."""

from __future__ import annotations

import hashlib
from pathlib import Path

from audit.core.errors import AuditError


class UnreadableError(ValueError):
    """What is wrong with a file, as a clause that names the place and what to do."""


def check_regular(path: Path, name: str) -> None:
    """Refuse what is there and is neither file nor folder: reading a pipe or a device may never end.

    Raises
    ------
    AuditError
        Begins with `name`, which says whose path it is.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise AuditError(f"{name}: {path.name} is a pipe, socket or device; copy its content to a file, and name that.")


def check_all_regular(folder: Path, name: str) -> None:
    """Refuse a folder that holds such a thing, see :func:`check_regular`; what is hidden, as ``.git``, nobody reads."""
    for path in folder.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            check_regular(path, name)


def sha256(path: Path) -> str:
    """The hash of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
