"""What several probes share: word lists that ship as text files, and random numbers that hang on a text."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from random import Random


def lines(package: str, name: str) -> list[str]:
    """The lines of a list that are neither empty nor comments."""
    text = files(package).joinpath(name).read_text("utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def words(package: str, name: str) -> list[str]:
    """All words of a list, many on a line."""
    return [word for line in lines(package, name) for word in line.split()]


def rows(package: str, name: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a list, cells separated by ``|``."""
    return tuple(tuple(cell.strip() for cell in line.split(" | ")) for line in lines(package, name))


def seeded(*parts: object) -> Random:
    """Random numbers that are the same wherever the same parts, a seed and a text among them, are given."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()
    return Random(int.from_bytes(digest[:8], "big"))
