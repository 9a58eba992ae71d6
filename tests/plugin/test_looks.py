"""Audits of growing test data, any number of them: what each asks for, and what is no growth."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from audit import statistics
from tests.helpers import ROOT, Runner, WritePolicy, is_one_sentence


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.slow("audits four times", seconds=8)
def test_test_data_may_grow_and_nothing_else(run: Runner, write_policy: WritePolicy, reviews: Path) -> None:
    (run.pytester.path / "test_quality.py").write_text(
        (ROOT / "suites" / "test_quality.py").read_text("utf-8"), "utf-8"
    )
    data = run.pytester.path / "growing.csv"
    sections = {"gates.quality": "accuracy = { min = 0.0 }", "data": 'test = "growing.csv"'}
    write_policy(audit='looks = "any"', **sections)
    header, *rows = _rows(reviews / "test.csv")
    only = ("-k", "test_accuracy")

    _write(data, [header, *rows[:200]])
    assert run(*only).ret == 0
    few = run.finding("quality.accuracy")
    assert few["confidence"] == pytest.approx(statistics.anytime_confidence(0.95, few["n"]))
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    assert "looked at as often as one likes" in page

    _write(data, [header, *rows[:300]])
    assert run(*only, "--audit-baseline", "reports").ret == 0
    more = run.finding("quality.accuracy")
    assert more["n"] > few["n"]
    assert more["confidence"] == pytest.approx(statistics.anytime_confidence(0.95, more["n"]))
    assert "look" not in more

    _write(data, [header, *rows[50:350]])
    result = run(*only, "--audit-baseline", "reports")
    assert result.ret == 4
    (line,) = (line for line in [*result.outlines, *result.errlines] if line.startswith("ERROR: "))
    assert is_one_sentence(line)
    assert "50 of the 300 test examples of this former audit are not among the present ones" in line

    # Nobody can tell whether the test data grew if the former predictions are gone.
    (run.pytester.path / "reports" / "predictions.parquet").unlink()
    _write(data, [header, *rows[:350]])
    result = run(*only, "--audit-baseline", "reports")
    assert result.ret == 4
    (line,) = (line for line in [*result.outlines, *result.errlines] if line.startswith("ERROR: "))
    assert is_one_sentence(line)
    assert "without predictions.parquet beside audit.json nobody can tell" in line

    write_policy(audit="looks = 4", **sections)
    assert run(*only, "--audit-baseline", "reports").ret == 0
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    assert "the number of planned audits that share the error was any and is 4" in page


@pytest.mark.parametrize("value", ["0", '"some"', "2.5", "true"])
def test_other_numbers_of_looks_are_refused(run: Runner, write_policy: WritePolicy, value: str) -> None:
    run.pytester.makepyfile("def test_it(predictions): pass")
    write_policy(audit=f"looks = {value}")
    result = run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(['ERROR: *[[]audit] looks: expected a whole number from 1 on, or "any"; it is *'])
