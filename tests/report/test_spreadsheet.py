"""The findings as CSV, as a spreadsheet reads them."""

from __future__ import annotations

import csv
import io

import pytest

from audit.report import spreadsheet
from tests.report.page.test_page import EVERYTHING, finding, hostile_record, record, unmeasured


def rows(said: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said)))


def test_each_finding_is_a_row_with_its_figures_as_numbers() -> None:
    found = rows(spreadsheet.render(EVERYTHING))
    assert {each["id"] for each in found} == {*(f["id"] for f in EVERYTHING["findings"]), *EVERYTHING["not_run"]}
    (accuracy,) = [each for each in found if each["id"] == "quality.accuracy"]
    figures = (accuracy["estimate"], accuracy["low"], accuracy["high"], accuracy["gate_min"], accuracy["gate_max"])
    assert figures == ("0.8", "0.78", "0.82", "0.75", "")
    assert accuracy["verdict"] == "pass"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", " =1"])
def test_no_text_is_taken_for_a_formula(cell: str) -> None:
    (row,) = rows(spreadsheet.render(record(unmeasured("quality.accuracy", "error", cell, title=cell), verdict="fail")))
    assert row["finding"].startswith("'")
    assert row["reason"].startswith("'")


def test_a_negative_figure_stays_a_number() -> None:
    (row,) = rows(spreadsheet.render(record(finding(estimate=-0.05, low=-0.1, high=0.0))))
    assert float(row["estimate"]) == -0.05


def test_a_hostile_record_stays_in_its_cells() -> None:
    found = rows(spreadsheet.render(hostile_record()))
    assert len(found) == len(hostile_record()["findings"]) + len(hostile_record()["not_run"])
    assert not any(cell.startswith(("=", "+", "@")) for each in found for cell in each.values())


def test_names_of_columns_are_the_same_in_each_language() -> None:
    assert spreadsheet.render(EVERYTHING, "de").partition("\n")[0] == ",".join(spreadsheet.COLUMNS)
