"""What a test declares to measure, and its findings: on the item until a report takes them, and in the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from audit.core.verdict import merge
from audit.plugin.state import STATE

if TYPE_CHECKING:
    from audit.run.decisions import Decision

# Parameters of a test that stand in the brackets of the id that it measures.
BRACKETS = ("subgroup", "own_metric", "axis", "kind", "capability")
FINDINGS = pytest.StashKey[list[Mapping[str, Any]]]()


def declared_ids(item: pytest.Item) -> tuple[str, ...]:
    """The full ids that a test measures."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    bracket = next((parameters[name] for name in BRACKETS if parameters.get(name)), None)
    return tuple(
        f"{name}[{bracket}]" if bracket and "[" not in name else name
        for marker in item.iter_markers("measures")
        for name in marker.args
    )


def missing_ids(item: pytest.Item) -> list[str]:
    """What a test declares and has not measured."""
    measured = {finding["id"] for finding in item.stash.get(FINDINGS, [])}
    return [name for name in declared_ids(item) if name not in measured]


def challenge(item: pytest.Item) -> str | None:
    """Which of the audit's challenges a test belongs to; None where only the id says it."""
    marker = item.get_closest_marker("challenge")
    return marker.args[0] if marker and marker.args else None


def keep_finding(item: pytest.Item, decision: Decision) -> None:
    """Have the test's report carry the finding."""
    item.stash[FINDINGS] = merge([*item.stash.get(FINDINGS, []), decision.recorded])
    # A test that ends the whole run gets no report, so the finding goes to the plugin's state as well.
    item.config.stash[STATE].collect([decision.recorded])
