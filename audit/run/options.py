"""What the command line asks of an audit; values as they were written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    folder: Path
    policy: str | None = None
    model: str | None = None
    out: str = "reports"
    baseline: str | None = None
    device: str = "auto"
    cache: Path = field(default_factory=Path)
    command: str = ""
    gated_only: bool = False
    budget: str | None = None
    processes: int = 1
    audit: str = ""
