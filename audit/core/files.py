"""Files: their hash, and the error of those that cannot be read."""

from __future__ import annotations

import hashlib
from pathlib import Path


class UnreadableError(ValueError):
    """What is wrong with a file, as a clause that names the place and what to do."""


def sha256(path: Path) -> str:
    """The hash of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
