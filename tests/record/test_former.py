"""Records of schema 1 are still read: a demo's, shortened, as the version before wrote it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from audit.cli import main
from audit.core.errors import AuditError
from audit.record import record, since
from audit.report import files
from tests.helpers import english, fits_the_schema, recorded

FORMER = Path(__file__).with_name("schema1.json")
CANARIES = "privacy.canary_epsilon"


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    return dict(json.loads(FORMER.read_text("utf-8")))


@pytest.fixture(scope="module")
def lifted() -> Any:
    return record.read(FORMER)


def by_id(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["id"]: finding for finding in value["findings"]}


def test_a_lifted_record_fits_the_schema_and_keeps_every_figure(raw: dict[str, Any], lifted: Any) -> None:
    fits_the_schema(lifted)
    before, now = by_id(raw), by_id(lifted)
    assert before.keys() == now.keys()
    for full_id, finding in before.items():
        for name in ("estimate", "low", "high", "n", "gate", "waiver", "reason", "method", "title", "confidence"):
            assert now[full_id][name] == finding[name], (full_id, name)
        assert now[full_id]["verdict"] == finding["verdict"] or full_id == CANARIES


def test_evidence_becomes_what_it_was(raw: dict[str, Any], lifted: Any) -> None:
    before, now = by_id(raw), by_id(lifted)
    for full_id, finding in before.items():
        details, result = finding["details"], recorded(now[full_id])
        assert result.summary == details.get("summary", "")
        assert list(result.caveats) == details.get("limits", [])
        assert [table.rows for table in result.tables] == [table["rows"] for table in details.get("tables", ())]
        texts = details.get("examples", {"items": []})["items"]
        assert [(pair.before, pair.after) for pair in result.pairs.items] == [
            (text["before"], text.get("after")) for text in texts
        ]
    drawn = {piece["kind"] for finding in lifted["findings"] for piece in finding["evidence"]}
    assert drawn >= {"table", "pairs", "facts", "calibration", "roc", "pareto", "attributions"}
    assert now["environment.training_energy"]["source"] == "estimated"
    assert now["environment.training_energy"]["interval"] == "error bound"


def test_a_lower_bound_that_passed_was_not_exceeded_and_has_not_turned(raw: dict[str, Any], lifted: Any) -> None:
    assert by_id(raw)[CANARIES]["verdict"] == "pass"
    assert by_id(lifted)[CANARIES]["verdict"] == "not_exceeded"
    former = since.remember(lifted, "former")
    compared = since.compare(former, lifted["findings"], [], lifted["policy"], {})
    assert compared["turned"] == []
    passes = sum(finding["verdict"] == "pass" for finding in lifted["findings"])
    for name, words in (
        ("summary.md", f"{passes} of {passes + 1} gates pass, 1 not exceeded"),
        ("badge.svg", f"{passes}/{passes + 1} gates, 1 not exceeded"),
        ("report.html", f"{passes} of {passes + 1} gates pass, 1 not exceeded"),
    ):
        assert words in files.as_file(lifted, name), name


def test_words_of_other_packages_stay_and_those_of_the_audit_are_added(lifted: Any) -> None:
    declared = {each["id"]: each for each in lifted["declarations"]}
    assert declared["shop.refunds"]["meaning"] == "Refunds that are missed."
    assert {finding["id"].split("[")[0] for finding in lifted["findings"]} <= declared.keys()
    # A unit that was what the number counts is the unit that the declaration has now.
    accuracy = by_id(lifted)["quality.accuracy"]
    assert accuracy["unit"] == declared["quality.accuracy"]["unit"] == "share"


def test_it_renders_and_compares(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(FORMER, tmp_path / name / "audit.json")
    assert main(["report", str(tmp_path / "one"), "-o", str(tmp_path / "report.html")]) == 0
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "Not exceeded" in html
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two"), "-o", str(tmp_path / "c.json")]) == 0
    assert json.loads((tmp_path / "c.json").read_text("utf-8"))["objective"]["id"] == "environment.inference_energy"


def test_what_a_package_declared_then_and_nobody_knows_now_is_dropped(raw: dict[str, Any], tmp_path: Path) -> None:
    value = json.loads(json.dumps(raw))
    value["declarations"][0]["colour"] = "blue"
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(value), "utf-8")
    declared = {each["id"]: each for each in record.read(path)["declarations"]}
    assert declared["shop.refunds"]["title"] == "Refunds"
    assert "colour" not in declared["shop.refunds"]


def test_a_former_record_is_held_against_the_schema_of_its_time(raw: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(raw | {"findings": [raw["findings"][0] | {"details": {"tables": 1}}]}), "utf-8")
    with pytest.raises(AuditError, match=r"schema version 1 \(findings/0/details/tables: "):
        record.read(path)
    path.write_text(json.dumps(raw | {"schema_version": 0}), "utf-8")
    with pytest.raises(AuditError, match=r"not a record of schema version 2 \(schema_version: "):
        record.read(path)


def test_the_sentences_of_a_record_are_english_without_any_catalogue(lifted: Any) -> None:
    assert english(lifted) == lifted  # those of schema 1 are plain


def test_it_is_signed_by_the_hash_of_its_own_bytes(tmp_path: Path) -> None:
    shutil.copy(FORMER, tmp_path / "audit.json")
    assert main(["report", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text("utf-8")
    assert hashlib.sha256(FORMER.read_bytes()).hexdigest() in page
    assert "The record does not say where it is from." in page
