"""What a record holds of the declarations of its findings, so that its reports use the words of its audit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from audit.core.probe import Alarm, Probe
from audit.core.records import Record

FIELDS = {field.name: field for field in fields(Probe)}


def to_json(declared: Iterable[Probe]) -> list[Mapping[str, object]]:
    """Declarations as plain values; what is as usual is left out."""
    return [
        {
            name: value._asdict() if isinstance(value, Alarm) else list(value) if isinstance(value, tuple) else value
            for name, field in FIELDS.items()
            if (value := getattr(each, name)) != field.default
        }
        for each in declared
    ]


def of_record(record: Record) -> Mapping[str, Probe]:
    """The declarations that a record holds, by id."""
    return revived(record["declarations"])


def revived(declared: Iterable[Mapping[str, object]]) -> Mapping[str, Probe]:
    """The declarations of :func:`to_json`, by id."""
    return _revived(json.dumps(list(declared)))


@lru_cache(maxsize=8)  # each part of a report asks for them
def _revived(declared: str) -> Mapping[str, Probe]:
    return MappingProxyType({probe.id: probe for probe in map(_declaration, json.loads(declared))})


def _declaration(value: Mapping[str, object]) -> Probe:
    known: dict[str, Any] = {name: item for name, item in value.items() if name in FIELDS}
    if known.get("alarm"):
        known["alarm"] = Alarm(**known["alarm"])
    known |= {name: tuple(item) for name, item in known.items() if isinstance(item, list)}
    return Probe(**known)
