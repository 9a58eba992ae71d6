"""The record: its verdict, its schema, its safety against crashes and hostile values."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from audit.core.evidence import Facts
from audit.core.figures import CachedPhase, Figures
from audit.core.measurement import Measurement, Sheet
from audit.core.records import FindingRecord
from audit.core.verdict import Finding, Gate, Verdict
from audit.data.examples import Examples
from audit.energy.meter import merge
from audit.inference.predictions import Predictions
from audit.record import record, since
from audit.report.headline import headline
from tests.helpers import fits_the_schema, recorded


def finding(full_id: str = "quality.accuracy", verdict: Verdict = Verdict.PASS, **facts: Any) -> FindingRecord:
    evidence = (Facts.of(facts),) if facts else ()
    measurement = Measurement(full_id, 0.9, 0.8, 0.95, 100, "share", "counted", evidence=evidence)
    return record.as_dict(Finding(full_id, "quality", "Accuracy", verdict, "", measurement, Gate(min=0.8)))


def facts(gated: tuple[str, ...] = ("quality.accuracy",), **scoring: int) -> record.Facts:
    return {
        "policy": {},
        "policy_file": None,
        "gated": list(gated),
        "always_gated": [],
        "declarations": [],
        "model": {"source": "x"},
        "data": {"test": {}, "train": {}},
        "energy": [],
        "kept": [],
        "grids": [],
        "scoring": {"texts": 1, "forward_passes": 1, "cache_hits": 0} | scoring,
        "provenance": {"seed": 0},
    }


def build(
    findings: list[FindingRecord], *workers: record.Facts, failed: bool = False, interrupted: bool = False
) -> Any:
    return record.build(
        findings, workers or (facts(),), failed=failed, interrupted=interrupted, created="2026-01-01T00:00:00Z",
        duration_s=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gated", "failed", "interrupted", "verdict"),
    [
        (("quality.accuracy",), False, False, "pass"),
        (("quality.accuracy",), True, False, "fail"),
        (("quality.accuracy",), False, True, "incomplete"),
        (("quality.accuracy", "quality.macro_f1"), False, False, "incomplete"),
        (("quality.accuracy", "quality.macro_f1"), True, False, "fail"),
    ],
)
def test_the_audits_verdict(gated: tuple[str, ...], failed: bool, interrupted: bool, verdict: str) -> None:
    value = build([finding()], facts(gated), failed=failed, interrupted=interrupted)
    assert value["verdict"] == verdict
    assert value["complete"] == (verdict == "pass" or (failed and len(gated) == 1))


def test_a_former_audit_is_compared_in_the_record() -> None:
    before = build([finding(verdict=Verdict.INCONCLUSIVE)])
    value = build([finding()], {**facts(), "baseline": since.remember(before, "v1")})
    assert value["baseline"]["path"] == "v1"
    assert value["baseline"]["turned"] == [{"id": "quality.accuracy", "before": "inconclusive", "now": "pass"}]
    assert [each["change"] for each in value["baseline"]["compared"]] == ["unclear"]
    fits_the_schema(value)
    assert "baseline" not in build([finding()])


def test_workers_are_added_up() -> None:
    phase: Figures = {
        "name": "score", "started": 0.0, "seconds": 1.0, "kwh": 0.5, "co2eq_kg": 0.1, "source": "measured",
    }  # fmt: skip
    kept: CachedPhase = {**phase, "created": "2026-01-01T00:00:00Z"}
    one, two = facts(texts=3), facts(texts=4)
    one["energy"], two["energy"] = [phase], [{**phase, "started": 5.0, "source": "estimated"}]
    one["kept"] = two["kept"] = [kept]
    two["model"] = {}
    value = build([finding()], one, two)
    assert value["scoring"]["texts"] == 7
    (merged,) = value["energy"]["phases"]
    assert (merged["kwh"], merged["source"]) == (1.0, "estimated")
    assert value["energy"]["kept"] == [kept]
    assert value["model"] == {"source": "x"}


def test_phases_keep_their_order_and_their_total() -> None:
    names = ["fine-tune", "score", "measure inference", "score"]
    phases: list[Figures] = [
        {"name": name, "started": 10.0 * i, "seconds": i, "kwh": i / 10, "co2eq_kg": 0.0, "source": "measured"}
        for i, name in enumerate(names)
    ]
    merged = merge([phases])
    assert [phase["name"] for phase in merged] == ["fine-tune", "score", "measure inference"]
    assert sum(phase["kwh"] for phase in merged) == pytest.approx(0.6)


def test_what_other_machines_took_is_added_whole_and_lost_workers_are_told(tmp_path: Path) -> None:
    phase: Figures = {"name": "score", "seconds": 2.0, "kwh": 4.0, "co2eq_kg": 0.0, "source": "measured"}
    one = facts(workers=3, lost_workers=1)
    one["energy"] = [{**phase, "started": 0.0, "kwh": 1.0}]
    one["elsewhere"] = [phase]
    record.write(tmp_path, build([finding()], one))
    value = record.read(tmp_path / record.NAME)
    (merged,) = value["energy"]["phases"]
    assert (merged["kwh"], merged["seconds"]) == (5.0, 4.0)
    assert (value["scoring"]["workers"], value["scoring"]["lost_workers"]) == (3, 1)


def test_values_that_json_does_not_know_are_written_plainly(tmp_path: Path) -> None:
    hostile = finding(nan=float("nan"), array=np.float32(0.5), count=np.int64(2), surrogate="\ud800", nul="a\x00b")
    record.write(tmp_path, build([hostile]))
    facts = recorded(record.read(tmp_path / "audit.json")["findings"][0]).facts
    assert facts["nan"] is None
    assert (facts["array"], facts["count"], facts["surrogate"]) == (0.5, 2, "⟨U+D800⟩")
    assert facts["nul"] == "a⟨U+0000⟩b"


def test_what_does_not_fit_the_schema_is_not_written(tmp_path: Path) -> None:
    record.write(tmp_path, build([finding()]))
    before = (tmp_path / "audit.json").read_bytes()
    broken = finding() | {"verdict": "fine"}
    value = build([finding()]) | {"findings": [finding(), broken]}
    for _ in range(2):  # what was found to fit is not asked again, and excuses nothing beside it
        with pytest.raises(jsonschema.ValidationError) as caught:
            record.write(tmp_path, value)
        assert [*caught.value.absolute_path] == ["findings", 1, "verdict"]
    assert (tmp_path / "audit.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["audit.json"]


@pytest.mark.parametrize(
    ("findings", "gated", "said"),
    [
        ([finding()], ("quality.accuracy",), "All limits hold: its one gate passes."),
        ([], (), "Incomplete: nothing was decided, since the policy sets no gate; set one."),
        ([], ("quality.accuracy",), "Incomplete: 1 did not run."),
    ],
)
def test_headline(findings: list[FindingRecord], gated: tuple[str, ...], said: str) -> None:
    assert headline(build(findings, facts(gated))) == said


def test_headline_of_a_failure_counts_everything() -> None:
    findings = [finding("a.a", Verdict.FAIL), finding("b.b", Verdict.INCONCLUSIVE), finding("c.c", Verdict.ERROR)]
    value = build(findings, facts(("a.a", "b.b", "c.c", "d.d")), failed=True)
    assert headline(value) == "Blocked: 1 of 4 gates fails, 1 is inconclusive, 1 test broke, 1 did not run."


def test_a_sheet_is_csv_in_which_no_cell_is_a_formula(tmp_path: Path) -> None:
    hostile = ["=1+1", " +1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'a "b", c\nd', "\ud800", "plain"]
    sheet = Sheet(record.RELABEL, ["=row", "text"], [[-1.5, text] for text in hostile])
    record.write_sheet(tmp_path / "new", sheet)
    with (tmp_path / "new" / record.RELABEL).open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["'=row", "text"]
    assert [row[0] for row in rows] == ["-1.5"] * len(hostile)  # a number is none
    assert [row[1] for row in rows] == [f"'{text}" for text in hostile[:6]] + ['a "b", c\nd', "?", "plain"]


@pytest.mark.parametrize("name", ["audit.json", "../relabel.csv", "mine.csv"])
def test_a_probe_names_no_file_of_its_own(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"expected one of: relabel\.csv"):
        record.write_sheet(tmp_path, Sheet(name, ["a"], []))
    assert not list(tmp_path.iterdir())


def test_predictions_are_kept_without_text(tmp_path: Path) -> None:
    texts = ("secret words", "other", "secret words")
    subgroups = {"gender": np.array(["female", None, "male"], dtype=object)}
    examples = Examples(texts, np.array([0, 1, 0]), ("negative", "positive"), subgroups)
    predictions = Predictions(np.full((3, 2), 0.5, np.float32), examples.classes, examples)
    record.write_predictions(tmp_path, predictions)
    table = pq.read_table(tmp_path / "predictions.parquet").to_pydict()
    assert table["occurrence"] == [0, 0, 1]
    assert table["label"] == ["negative", "positive", "negative"]
    assert table["subgroup:gender"] == ["female", None, "male"]
    assert table["p(negative)"] == [0.5, 0.5, 0.5]
    assert b"secret" not in (tmp_path / "predictions.parquet").read_bytes()
    assert "secret" not in json.dumps(table)
