"""What another package gives for a probe of its own, by the hook ``pytest_audit_probes``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from audit.core.verdict import Measurement


@dataclass(frozen=True)
class Probe:
    """A probe of another package: a function whose arguments are named like fixtures and which gives a Measurement."""

    id: str
    measure: Callable[..., Measurement]
    challenge: str | None = None
