"""Provenance counts what is missing and shows what is held."""

from __future__ import annotations

import pytest

from audit import Gate, Verdict, judge
from audit.probes.transparency import transparency


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"seed": "0", "device": "cpu"}, 0),
        ({"seed": "0", "device": None}, 1),
        ({"seed": "", "device": None, "command": "pytest suites/"}, 2),
    ],
)
def test_missing_facts_are_counted(facts: dict[str, str | None], missing: int) -> None:
    found = transparency.provenance(facts)
    assert (found.low, found.estimate, found.high, found.n) == (missing, missing, missing, len(facts))
    assert judge(found, Gate(max=0))[0] == (Verdict.FAIL if missing else Verdict.PASS)


def test_the_table_names_each_fact() -> None:
    (table,) = transparency.provenance({"seed": "0", "device": None}).tables
    assert table.rows == [["seed", "0"], ["device", "missing"]]
