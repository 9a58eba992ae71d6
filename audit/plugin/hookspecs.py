"""Hooks by which other packages take part in an audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.core.identifiers import Identifier
    from audit.core.probe import Probe


def pytest_audit_ids() -> Sequence[Identifier]:  # type: ignore[empty-body]
    """Ids that this package or conftest.py measures, so that a policy may gate them."""


def pytest_audit_probes() -> Sequence[Probe]:  # type: ignore[empty-body]
    """Probes that ``suites/test_extensions.py`` is to run, one test each."""
