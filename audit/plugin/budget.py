"""Tests within a budget: those with gates first, each with what it is allotted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from audit.core.budget import spending
from audit.core.errors import AuditError
from audit.core.identifiers import base_id
from audit.plugin.findings import declared_ids
from audit.plugin.state import Run, extra_declarations
from audit.probes.catalogue import ids

if TYPE_CHECKING:
    from audit.policy.policy import Policy

_LAST = "environment.audit_energy"


def put_in_order(run: Run, items: list[pytest.Item]) -> None:
    """If there is a budget, put tests with gates first, and of these and of the others those that cost least."""
    try:
        policy = run.ensure_session().policy
    except AuditError as error:
        run.problem = run.problem or str(error)
        return
    if policy.audit.budget is None:
        return
    known = ids(extra_declarations(run.config))

    def order(item: pytest.Item) -> tuple[bool, bool, int, float]:
        names = declared_ids(item)
        declared = [known[base] for name in names if (base := base_id(name)) in known]
        passes = sum(each.passes * max(each.examples, 1) for each in declared)
        return _LAST in names, not is_gated(policy, item), trainings_of(item), passes

    items.sort(key=order)


def trainings_of(item: pytest.Item) -> int:
    """Trainings that a test asks for at most."""
    known = ids(extra_declarations(item.config))
    return sum(known[base].trainings_of(name) for name in declared_ids(item) if (base := base_id(name)) in known)


@contextmanager
def allotted(run: Run, item: pytest.Item) -> Iterator[None]:
    """Within it, a test asks no more than it is allotted."""
    session = run.session
    if session is None or session.budget is None or not is_foreseeable(item):
        yield
        return
    gated, processes = is_gated(session.policy, item), session.options.processes
    waiting = 0 if gated else _ungated(session.policy, item.session.items, item) / processes
    with spending(session.budget.allowance(item.nodeid, is_gated=gated, waiting=waiting)):
        yield


def _ungated(policy: Policy, items: Sequence[pytest.Item], first: pytest.Item) -> int:
    """How many tests of the audit no gate asks for, from one of them on."""
    return sum(is_foreseeable(item) and not is_gated(policy, item) for item in items[items.index(first) :])


def is_foreseeable(item: pytest.Item) -> bool:
    """Whether a test measures what is declared, so that it may be begun for a plan, and belongs in a budget.

    One of somebody's own is run once, as pytest runs it, and whole.
    """
    names, known = declared_ids(item), ids(extra_declarations(item.config))
    return bool(names) and all(base_id(name) in known for name in names)


def is_gated(policy: Policy, item: pytest.Item) -> bool:
    """Whether a gate asks for what a test measures."""
    return any(map(policy.gate, declared_ids(item)))
