"""Evidence as records of schema 1 hold it, a mapping by words, made into its types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from audit.core.evidence import (
    Attention,
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

# The evidence in the order in which pages show it.
_KINDS: Mapping[str, Callable[[Any], Iterator[Evidence]]] = {
    "reliability": lambda bins: iter([Calibration(bins)] if bins else []),
    "roc": lambda of: iter([RocCurves(of["caption"], [Roc(**each) for each in of["curves"]])]),
    "pareto": lambda models: iter([Pareto([ParetoModel(**each) for each in models])]),
    "lines": lambda of: iter(
        [Curves(of["caption"], [Curve(**each) for each in of["series"]], bool(of.get("logarithmic")))]
    ),
    "explained": lambda answers: iter([Attributions([Attribution(**each) for each in answers])] if answers else []),
    "attention": lambda of: iter([Attention(**of)]),
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


def evidence_of(details: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a result that a mapping of details stands for."""
    values = {field: details[word] for word, field in _FIELDS.items() if word in details}
    drawn = [each for word, make in _KINDS.items() if details.get(word) for each in make(details[word])]
    rest = {word: value for word, value in details.items() if word not in _FIELDS and word not in _KINDS}
    facts = [Facts([Fact(word.replace("_", " "), _plain(value)) for word, value in rest.items()])] if rest else []
    return values | {"evidence": [*drawn, *facts]}


def _plain(value: Any) -> Cell:
    """A single value; what others nested is shown as JSON."""
    is_single = value is None or isinstance(value, str | int | float)
    return value if is_single else json.dumps(value, ensure_ascii=False)
