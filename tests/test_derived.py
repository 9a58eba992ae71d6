"""What follows from the declarations and is written down all the same is as the tool writes it."""

from __future__ import annotations

import json

from audit.probes.catalogue import built_in
from audit.record import schema
from tests.helpers import ROOT
from tools import derived

RENEW = "stale; run `make derived`"


def test_readmes_table_is_as_the_tool_writes_it() -> None:
    text = derived.README.read_text("utf-8")
    assert derived.readme(text) == text, RENEW
    lines = text.partition(derived.BEGIN)[2].partition(derived.END)[0].splitlines()
    for declared in built_in():
        (row,) = [line for line in lines if f"| `{declared.id}`" in line or f"| `{declared.id}[" in line]
        assert declared.title in row
        assert declared.counts in row
        assert not declared.guide or f"]({declared.guide})" in row


def test_a_table_that_was_changed_is_written_anew() -> None:
    text = derived.README.read_text("utf-8")
    changed = text.replace("| Accuracy: share of right answers", "| Whatever")
    assert changed != text
    assert derived.readme(changed) == text


def test_the_records_schema_is_as_the_tool_writes_it() -> None:
    text = (ROOT / "audit" / "record" / schema.NAME).read_text("utf-8")
    assert schema.as_text(schema.renewed(json.loads(text))) == text, RENEW


def test_guides_are_linked_to_files_that_there_are() -> None:
    for declared in built_in():
        if declared.guide and "://" not in declared.guide:
            assert (ROOT / declared.guide.partition("#")[0]).is_file(), declared.guide
