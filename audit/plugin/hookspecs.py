"""Hooks by which other packages take part in an audit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.core.probe import DeclaredProbe, Probe


def pytest_audit_ids() -> Sequence[Probe]:  # type: ignore[empty-body]
    """What tests of this package or conftest.py measure, so that a policy may gate it."""


def pytest_audit_probes() -> Sequence[DeclaredProbe[...]]:  # type: ignore[empty-body]
    """Functions under a :class:`~audit.core.probe.Probe` that ``suites/test_extensions.py`` is to run, one test each.

    Their parameters are named like fixtures. They need not stand in ``pytest_audit_ids`` too.
    """
