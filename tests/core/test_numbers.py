"""Numbers are written by one rule, wherever they stand."""

from __future__ import annotations

from typing import Any

import pytest

from audit.core.measurement import Measurement
from audit.core.numbers import interval, number, row
from audit.core.verdict import Finding, Gate, Verdict
from audit.report import summary, terminal
from audit.report.exports import model_card as card
from audit.report.page.page import render
from tests.report.page.test_page import finding, page, record


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.872, "0.872"),
        (-0.0312, "−0.031"),
        (2.5, "2.500"),
        (1.0, "1"),
        (0.0123456, "0.012"),
        (0.00123456, "0.0012"),
        (0.0000123456, "0.000012"),
        (-1e-12, "−1.0e-12"),
        (14000, "14,000"),
        (150.4, "150.4"),
        (-1234.5, "−1,234"),
        (12345.6, "12,346"),
        (None, "–"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("estimate", "low", "high", "text"),
    [
        (0.872, 0.8612, 0.8822, "0.872 [0.861, 0.882]"),
        (-0.008, -0.02343, 0.00622, "−0.008 [−0.023, 0.006]"),
        (0.0, 0.0, 0.0041, "0.0000 [0.0000, 0.0041]"),
        (0.00123, 0.001, 0.0021, "0.0012 [0.0010, 0.0021]"),
        (0.0004, 0.00001, 0.012, "0.0004 [0.0000, 0.0120]"),
        (0.5, None, 0.6, "0.500 […, 0.600]"),
        (0.5, 0.5, None, "at least 0.500"),
        (0.5, 0.5, 0.5, "0.500"),
        (7, 7, 7, "7"),
        # All with the decimals of the row, whole numbers too.
        (1.0, 0.983, 1.0, "1.000 [0.983, 1.000]"),
        (0.95, 0.9, 1.0, "0.950 [0.900, 1.000]"),
        (123.4, 95.1, 150.2, "123.4 [95.1, 150.2]"),
        (181.0, 48.0, 288.0, "181 [48, 288]"),
        (95.1, 9.0, 1500.2, "95 [9, 1,500]"),
        (-0.0001, -0.02, 0.02, "−0.0001 [−0.0200, 0.0200]"),
        (0.001, -0.00001, 0.02, "0.001 [0.000, 0.020]"),  # no minus before a zero
    ],
)
def test_interval(estimate: float, low: float | None, high: float | None, text: str) -> None:
    assert interval(estimate, low, high) == text


@pytest.mark.parametrize(
    ("values", "bound", "written"),
    [
        ([0.10004], 0.1, (["0.10004"], "0.10000")),
        ([0.1], 0.1, (["0.100"], "0.100")),
        ([None, 0.05], None, (["–", "0.050"], "–")),
        ([0.8, 0.7999999, 0.81], 0.8, (["0.8000000", "0.7999999", "0.8100000"], "0.8000000")),
        ([0.0044, 0.0027, 0.0082], 0.05, (["0.0044", "0.0027", "0.0082"], "0.050")),
        ([250.4, 250.4, 250.4], 250, (["250.4"] * 3, "250")),
    ],
)
def test_no_number_looks_equal_to_its_gate_and_is_not(
    values: list[float | None], bound: float | None, written: tuple[list[str], str]
) -> None:
    assert row(values, bound) == written


@pytest.mark.parametrize(
    ("figures", "gate", "written", "bound"),
    [
        ((250.4, 250.4, 250.4), 300, "250.4", "300"),
        ((-0.008, -0.02343, 0.00622), 0.01, "−0.008 [−0.023, 0.006]", "0.010"),
        ((1.0, 0.983, 1.0), 1.00001, "1.00000 [0.98300, 1.00000]", "1.00001"),
        ((0.0044, 0.0027, 0.0082), 0.5, "0.0044 [0.0027, 0.0082]", "0.500"),
        ((12345.6, 11000.2, 13000.4), 20000, "12,346 [11,000, 13,000]", "20,000"),
    ],
)
def test_terminal_page_summary_card_and_log_write_the_same(
    figures: tuple[float, float, float], gate: float, written: str, bound: str
) -> None:
    ends: dict[str, Any] = dict(zip(("estimate", "low", "high"), figures, strict=True))
    value = record(finding("quality.accuracy", gate={"max": gate}, **ends))
    (line,) = [line for line, _ in terminal.lines(value) if "quality.accuracy" in line]
    assert f"  {written} " in line
    assert f"gate ≤ {bound}" in line
    measured = Measurement("quality.accuracy", *figures, 100, "", "")
    found = Finding("quality.accuracy", "quality", "Accuracy", Verdict.PASS, "", measured, Gate(max=gate))
    assert str(found) == f"quality.accuracy {written}, gate ≤ {bound}: pass"
    pages = (render(value), " ".join(page(value).words))
    for text in (*pages, summary.render(value), card.write(value, None, "README.md")):
        # In Markdown brackets and what stands for a link are written as codes.
        text = text.replace("&#91;", "[").replace("&#93;", "]")
        assert written in " ".join(text.split())
        assert f"at most {bound}" in text


def test_a_table_writes_a_figure_and_its_interval_alike() -> None:
    table = {
        "caption": "By strength",
        "columns": ["strength", "left", "low", "high", "lost", "lost at least", "lost at most", "n"],
        "rows": [[1, 1.0, 0.97, 1.0, -0.008, -0.02343, 0.00622, 500], [2, None, None, None, 0.5, None, 0.6, 7]],
    }
    words = " ".join(" ".join(page(record(finding(details={"tables": [table]}))).words).split())
    assert "1 1.000 0.970 1.000 −0.008 −0.023 0.006 500" in words
    assert "2 – – – 0.500 – 0.600 7" in words
