"""The types of a record's parts against its schema: whoever trusts the one must not be surprised by the other."""

from __future__ import annotations

from typing import Any, NotRequired, get_origin, get_type_hints

import pytest

from audit.core import records
from audit.core.figures import Grid
from audit.core.sentences import SentenceRecord
from audit.record.schema import schema


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        (records.Record, ""),
        (records.ModelRecord, "properties/model"),
        (records.SplitRecord, "properties/data/additionalProperties"),
        (
            records.SpellingsRecord,
            "properties/data/additionalProperties/properties/groups/additionalProperties",
        ),
        (records.ClustersRecord, "properties/data/additionalProperties/properties/clusters"),
        (records.SealRecord, "properties/predictions"),
        (records.EnergyRecord, "properties/energy"),
        (Grid, "properties/energy/properties/grids/items"),
        (records.BaselineRecord, "properties/baseline"),
        (records.TurnedRecord, "properties/baseline/properties/turned/items"),
        (records.ComparedRecord, "properties/baseline/properties/compared/items"),
        (records.GateChangeRecord, "properties/baseline/properties/gates/items"),
        (records.SettingChangeRecord, "properties/baseline/properties/settings/items"),
        (records.LinkRecord, "properties/baseline/properties/chain/items"),
        (records.FindingRecord, "$defs/finding"),
        (records.IntervalRecord, "$defs/interval"),
        (records.GateRecord, "$defs/gate"),
        (records.WaiverRecord, "$defs/finding/properties/waiver"),
        (records.AcceptanceRecord, "$defs/finding/properties/accepted"),
        (records.StoppedRecord, "$defs/finding/properties/stopped"),
        (SentenceRecord, "$defs/sentence/anyOf/1"),
    ],
)
def test_each_part_has_the_keys_that_the_schema_knows_and_needs(kind: Any, place: str) -> None:
    part: Any = schema()
    for step in filter(None, place.split("/")):
        part = part[int(step)] if isinstance(part, list) else part[step]
    hints = get_type_hints(kind, include_extras=True)
    assert hints.keys() == part["properties"].keys()
    always = {name for name, hint in hints.items() if kind.__total__ and get_origin(hint) is not NotRequired}
    assert always == set(part.get("required", ()))
