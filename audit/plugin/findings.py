"""What a test declares to measure, and its findings: on the item until a report takes them, and in the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from audit.core.identifiers import base_id
from audit.core.verdict import Finding, Measurement, Verdict, merge
from audit.plugin.state import STATE
from audit.probes.catalogue import ids

if TYPE_CHECKING:
    from audit.run.session import Session

# Parameters of a test that stand in the brackets of the id that it measures.
BRACKETS = ("subgroup", "own_metric", "axis", "kind", "capability")
FINDINGS = pytest.StashKey[list[Mapping[str, Any]]]()
# A probe that broke says nothing that anybody could answer for.
_WAIVABLE = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSED)


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


def new_finding(
    item: pytest.Item,
    session: Session,
    full_id: str,
    verdict: Verdict,
    reason: str,
    measurement: Measurement | None = None,
) -> Finding:
    known = ids(session.extra_ids).get(base_id(full_id))
    marker = item.get_closest_marker("challenge")
    challenge = marker.args[0] if marker and marker.args else known.challenge if known else "quality"
    title = known.title if known else base_id(full_id)
    gate = session.policy.gate(full_id)
    waiver = session.waiver(full_id) if verdict in _WAIVABLE and gate is not None else None
    return Finding(full_id, challenge, title, verdict, reason, measurement, gate, waiver)


def keep_finding(item: pytest.Item, finding: Finding) -> dict[str, Any]:
    from audit.record.record import as_dict

    value = as_dict(finding)
    item.stash[FINDINGS] = merge([*item.stash.get(FINDINGS, []), value])
    # A test that ends the whole run has no report that could carry its findings.
    item.config.stash[STATE].collect([value])
    return value
