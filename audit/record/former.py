"""Records of schema 1, lifted to what this version reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from audit.core import evidence
from audit.core.evidence import (
    Attribution,
    Attributions,
    Calibration,
    Cell,
    Curve,
    Curves,
    Evidence,
    Fact,
    Facts,
    Pair,
    Pairs,
    Pareto,
    ParetoModel,
    Roc,
    RocCurves,
    Table,
)
from audit.core.identifiers import base_id
from audit.core.probe import Probe
from audit.core.verdict import Verdict
from audit.probes.catalogue import ids
from audit.record import declarations

SCHEMA = "record.schema.1.json"
# The evidence in the order in which pages show it.
_KINDS: Mapping[str, Callable[[Any], Iterator[Evidence]]] = {
    "reliability": lambda bins: iter([Calibration(bins)] if bins else []),
    "roc": lambda of: iter([RocCurves(of["caption"], [Roc(**each) for each in of["curves"]])]),
    "pareto": lambda models: iter([Pareto([ParetoModel(**each) for each in models])]),
    "lines": lambda of: iter(
        [Curves(of["caption"], [Curve(**each) for each in of["series"]], bool(of.get("logarithmic")))]
    ),
    "explained": lambda answers: iter([Attributions([Attribution(**each) for each in answers])] if answers else []),
    "attention": lambda of: iter([]),  # shown no more
    "tables": lambda tables: (Table(each["caption"], each["columns"], each["rows"]) for each in tables),
    "examples": lambda of: iter(
        [Pairs(of["caption"], [Pair(e["before"], e["note"], e.get("after")) for e in of["items"]])]
    ),
}
# What is a field now, by the word under which it stood.
_FIELDS = {
    "summary": "summary",
    "limits": "caveats",
    "interval": "interval",
    "undecided": "undecided",
    "unbounded": "unbounded",
    "too_small": "too_small",
    "caution": "caution",
    "outcome": "outcome",
    "source": "source",
    "machine": "machine",
    "by the policy": "stated",
    "look": "look",
}


def lifted(record: Mapping[str, Any]) -> dict[str, object]:
    """A record of schema 1, which fits that schema, as one of schema 2.

    A lower bound that did not exceed its gate counted as a pass then. Words for the built-in ids were not in the
    record; those of this version stand in for them.
    """
    known = ids()
    findings = [finding(each, known) for each in record["findings"]]
    own = record.get("declarations", [])
    concerned = {base_id(full_id) for full_id in (*(each["id"] for each in record["findings"]), *record["not_run"])}
    baseline = record.get("baseline", {})
    concerned |= {base_id(each["id"]) for part in ("turned", "compared", "gates") for each in baseline.get(part, ())}
    built_in = [known[each] for each in sorted(concerned - {each["id"] for each in own}) if each in known]
    return {
        **record,
        "schema_version": 2,
        "findings": findings,
        "declarations": [*map(_declaration, own), *declarations.to_json(built_in)],
    }


def _declaration(value: Mapping[str, object]) -> dict[str, object]:
    """What another package declared; what this version does not know is dropped."""
    known = {name: item for name, item in value.items() if name in declarations.FIELDS}
    # Figures of this challenge were taken to depend on the machine then, whoever declared them.
    timed = {"measured_on": ["test data", "machine"]} if value["challenge"] == "environment" else {}
    return {**known, **timed}


def finding(value: Mapping[str, Any], known: Mapping[str, Probe] | None = None) -> dict[str, object]:
    """A finding of schema 1 as one of schema 2; one that has no details is of schema 2 already."""
    if "details" not in value:
        return dict(value)
    lifted = {name: item for name, item in value.items() if name != "details"}
    details = {**value["details"]}
    sample = details.pop("sample", "")
    parts = {name: evidence.to_json(part) for name, part in _evidence_of(details).items()}
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


def _evidence_of(details: Mapping[str, object]) -> dict[str, object]:
    """The fields of a result that a mapping of details stands for."""
    values = {field: details[word] for word, field in _FIELDS.items() if word in details}
    drawn = [each for word, make in _KINDS.items() if details.get(word) for each in make(details[word])]
    rest = {word: value for word, value in details.items() if word not in _FIELDS and word not in _KINDS}
    facts = [Facts([Fact(word.replace("_", " "), _plain(value)) for word, value in rest.items()])] if rest else []
    return values | {"evidence": [*drawn, *facts]}


def _plain(value: object) -> Cell:
    """A single value; what others nested is shown as JSON."""
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)
