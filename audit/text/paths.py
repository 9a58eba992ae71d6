"""Paths that a user named: refused where reading them may never end, and shown with what they name masked."""

from __future__ import annotations

from pathlib import Path

from audit.core.errors import AuditError
from audit.text.redaction import printable


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


def check_all_regular(folder: Path, name: str) -> None:
    """Refuse a folder that holds such a thing, see :func:`check_regular`; what is hidden, as ``.git``, nobody reads."""
    for path in folder.rglob("*"):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            check_regular(path, name)
