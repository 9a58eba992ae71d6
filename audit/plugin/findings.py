"""What a test declares to measure, and its findings: on the item until a report takes them, and in the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from audit.core.verdict import merge
from audit.plugin.state import STATE, extra_declarations
from audit.probes.catalogue import ids

if TYPE_CHECKING:
    from audit.core.probe import Probe
    from audit.core.records import FindingRecord
    from audit.run.decisions import Decision

FINDINGS: pytest.StashKey[list[FindingRecord]] = pytest.StashKey()


def declared_ids(item: pytest.Item) -> tuple[str, ...]:
    """The full ids that a test measures: in brackets the parameter that its probe declares for it."""
    names = [name for marker in item.iter_markers("measures") for name in marker.args]
    parameters: Mapping[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    if not names or not parameters:
        return tuple(names)
    known = ids(extra_declarations(item.config))
    # A test of somebody's own may measure what nobody declared, once for each value of such a parameter.
    usual = tuple(dict.fromkeys(probe.bracket for probe in known.values() if probe.bracket))
    return tuple(_with_bracket(name, known.get(name), usual, parameters) for name in names)


def _with_bracket(name: str, declared: Probe | None, usual: tuple[str, ...], parameters: Mapping[str, object]) -> str:
    own = (declared.bracket,) if declared is not None and declared.bracket else usual
    bracket = next((parameters[parameter] for parameter in own if parameters.get(parameter)), None)
    return f"{name}[{bracket}]" if bracket and "[" not in name else name


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
