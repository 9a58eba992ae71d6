"""Records of schema 1, lifted to what this version reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.core import evidence
from audit.core.former import evidence_of
from audit.core.identifiers import base_id
from audit.core.probe import Probe
from audit.core.verdict import Verdict
from audit.probes.catalogue import ids
from audit.record import declarations

SCHEMA = "record.schema.1.json"


def lifted(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of schema 1, which fits that schema, as one of schema 2.

    A lower bound that did not exceed its gate counted as a pass then. Words for the built-in ids were not in the
    record; those of this version stand in for them.
    """
    known = ids()
    findings = [finding(each, known) for each in record["findings"]]
    own = record.get("declarations", [])
    concerned = {base_id(full_id) for full_id in (*(f["id"] for f in findings), *record["not_run"])}
    baseline = record.get("baseline", {})
    concerned |= {base_id(each["id"]) for part in ("turned", "compared", "gates") for each in baseline.get(part, ())}
    built_in = [known[each] for each in sorted(concerned - {each["id"] for each in own}) if each in known]
    return {
        **record,
        "schema_version": 2,
        "findings": findings,
        "declarations": [*map(_declaration, own), *declarations.to_json(built_in)],
    }


def _declaration(value: Mapping[str, Any]) -> dict[str, Any]:
    """What another package declared; what this version does not know is dropped."""
    return {name: item for name, item in value.items() if name != "within_one"}


def finding(value: Mapping[str, Any], known: Mapping[str, Probe] | None = None) -> dict[str, Any]:
    """A finding of schema 1 as one of schema 2; one that has no details is of schema 2 already."""
    if "details" not in value:
        return dict(value)
    lifted = {name: item for name, item in value.items() if name != "details"}
    details = {**value["details"]}
    sample = details.pop("sample", "")
    parts = {name: evidence.to_json(part) for name, part in evidence_of(details).items()}
    declared = (ids() if known is None else known).get(base_id(value["id"]))
    if declared is not None and value["unit"] and value["unit"] == declared.counts:
        lifted["unit"] = declared.unit
    if _is_lower_bound(value):
        lifted["verdict"] = str(Verdict.NOT_EXCEEDED)
    return {**lifted, "sample": str(sample), "evidence": [], **parts}


def _is_lower_bound(value: Mapping[str, Any]) -> bool:
    return (
        value["verdict"] == Verdict.PASS
        and value["high"] is None
        and value["low"] is not None
        and "max" in (value["gate"] or {})
    )
