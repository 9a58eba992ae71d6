"""Numbers are written by one rule, wherever they stand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.core.evidence import Cell, Fact, Facts, Table, from_json, to_json
from audit.core.measurement import Measurement
from audit.core.numbers import exact, interval, number, often, percent, points, row
from audit.core.sentences import Sentence
from audit.core.verdict import Finding, Gate, Verdict
from audit.report import summary, terminal
from audit.report.exports import model_card as card
from audit.report.i18n import language
from audit.report.page import text
from audit.report.page.page import render
from tests.helpers import fits_the_schema, flowed
from tests.report.page.test_page import Page, finding, page, record, unmeasured


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
    ("unit", "values", "text"),
    [
        ("share", (0.832, 0.8153, 0.8481), "83.2 % [81.5, 84.8]"),
        ("share of right answers", (0.832, 0.8153, 0.8481), "83.2 % [81.5, 84.8]"),
        ("points", (0.132, 0.0951, 0.1702), "13.2 points [9.5, 17.0]"),
        ("points", (-0.008, -0.02343, 0.00622), "−0.8 points [−2.3, 0.6]"),
        ("points", (0.13157894, 0.13157894, 0.13157894), "13.2 points"),
        ("points", (0.01, 0.01, 0.01), "1 point"),
        ("share", (0.8, 0.78, 0.82), "80 % [78, 82]"),
        ("share", (0.375, 0.2117, 0.5631), "38 % [21, 56]"),  # so wide that tenths tell nothing
        ("share", (0.832, 0.8315, 0.8324), "83.20 % [83.15, 83.24]"),  # so narrow that tenths would hide it
        ("share", (0.0004, 0.00001, 0.012), "0.04 % [0.00, 1.20]"),
        ("share", (0.9996, 0.9811, 1.0), "99.96 % [98.11, 100.00]"),  # not all, so not 100 %
        ("share", (1.0, 0.983, 1.0), "100.0 % [98.3, 100.0]"),
        ("share", (0.0, 0.0, 0.0), "0 %"),
        ("points", (0.3, 0.3, None), "at least 30 points"),
        ("share", (0.3, None, 0.405), "30.0 % […, 40.5]"),
        ("kWh", (0.0012, 0.001, 0.0021), "0.0012 kWh [0.0010, 0.0021]"),
        ("Wh per 1,000 predictions", (0.00157, 0.00149, 0.00166), "0.0016 Wh per 1,000 predictions [0.0015, 0.0017]"),
        ("ε", (1.25, 1.25, None), "at least 1.250 ε"),
        ("", (0.56, 0.5, 0.61), "0.560 [0.500, 0.610]"),
        # A phrase says what a pure number counts; it is no unit.
        ("mean F1 score of the classes", (0.56, 0.5, 0.61), "0.560 [0.500, 0.610]"),
    ],
)
def test_a_figure_is_written_in_its_unit(
    unit: str, values: tuple[float, float | None, float | None], text: str
) -> None:
    assert interval(*values, unit=unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.8, "share", "80"),
        (0.125, "share", "12.5"),
        (0.07, "points", "7"),
        (0.70004, "share", "70.004"),
        (0.3333, "", "0.3333"),
        (-0.005, "points", "−0.5"),
        (20.0, "times", "20"),
        (20_000, "", "20,000"),
        (0.00002, "kWh", "0.00002"),
        (2e-13, "", "2.0e-13"),
        (-0.0, "", "0"),
        (None, "share", "–"),
    ],
)
def test_a_gate_is_written_with_all_its_digits(value: float | None, unit: str, text: str) -> None:
    assert exact(value, unit) == text


@pytest.mark.parametrize(
    ("values", "bound", "unit", "written"),
    [
        ([0.10004], 0.1, "", (["0.10004"], "0.1")),
        ([0.1], 0.1, "", (["0.100"], "0.1")),
        ([None, 0.05], None, "", (["–", "0.050"], "–")),
        ([0.8, 0.7999999, 0.81], 0.8, "", (["0.8000000", "0.7999999", "0.8100000"], "0.8")),
        ([0.0044, 0.0027, 0.0082], 0.05, "", (["0.0044", "0.0027", "0.0082"], "0.05")),
        ([250.4, 250.4, 250.4], 250, "", (["250.4"] * 3, "250")),
        ([0.80041, 0.79, 0.81], 0.8004, "share", (["80.041", "79.000", "81.000"], "80.04")),
        ([0.10004, 0.05, 0.15], 0.1, "points", (["10.004", "5.000", "15.000"], "10")),
        ([0.8, 0.7, 0.91], 0.8, "share", (["80", "70", "91"], "80")),
    ],
)
def test_no_number_looks_equal_to_its_gate_and_is_not(
    values: list[float | None], bound: float | None, unit: str, written: tuple[list[str], str]
) -> None:
    assert row(values, bound, unit) == written


UNITS = st.sampled_from(["share", "points", "kWh", ""])
# As fine as a sample of some hundred thousand examples makes them.
VALUES = st.integers(-(10**6), 10**6).map(lambda n: n / 10**6)


def as_number(written: str) -> float:
    return float(written.replace("−", "-").replace(",", ""))


@given(st.lists(VALUES, min_size=3, max_size=3).map(sorted), VALUES | st.none(), st.integers(-50, 50), UNITS)
def test_a_row_tells_its_numbers_apart_from_the_gate_and_no_lie(
    ends: list[float], far: float | None, offset: int, unit: str
) -> None:
    low, estimate, high = ends
    bound = round(estimate + offset / 10**6, 6) if far is None else far
    values = [estimate, low, high]
    written, gate = row(values, bound, unit)
    factor = 100 if unit in ("share", "points") else 1
    (places,) = {len(each.partition(".")[2]) for each in written}  # one precision in a row
    assert as_number(gate) == pytest.approx(factor * bound, abs=1e-12)
    for value, each in zip(values, written, strict=True):
        assert abs(as_number(each) - factor * value) <= 0.5 * 10**-places + 1e-9
        assert (as_number(each) == as_number(gate)) <= (value == bound)
        assert "-" not in each
        assert as_number(each) or "−" not in each
    assert as_number(written[0]) or not estimate


@given(st.lists(VALUES, min_size=3, max_size=3).map(sorted), st.sampled_from(["share", "points"]))
def test_a_percentage_has_no_more_digits_than_its_interval_bears(ends: list[float], unit: str) -> None:
    if unit == "share":
        ends = sorted(map(abs, ends))  # none is below 0
    low, estimate, high = (100 * end for end in ends)
    written, _ = row([each / 100 for each in (estimate, low, high)], unit=unit)
    places, width = len(written[0].partition(".")[2]), high - low
    near = min(abs(estimate), abs(100 - estimate)) if unit == "share" else abs(estimate)
    if width >= 1 and near >= 0.1:
        assert places <= (0 if width >= 20.001 and near >= 1 else 1)


def test_sentences_write_shares_and_points_the_same() -> None:
    said = Sentence("{a:percent}, {b:points}, {c:points} and {d:percent}", a=0.832, b=-0.1316, c=0.01, d=None)
    assert said == "83.2 %, −13.2 points, 1 point and –"
    assert (percent(0.832), points(-0.1316), points(0.01)) == ("83.2 %", "−13.2 points", "1 point")
    with language.speaking("de"):
        assert text.said(Sentence("{a:percent} ({b:points})", a=0.832, b=-0.1316)) == "83,2 % (−13,2 Prozentpunkte)"


@pytest.mark.parametrize(
    ("unit", "ends", "gate", "written", "bound", "setting"),
    [
        ("", (250.4, 250.4, 250.4), 300, "250.4", "300", ""),
        ("points", (-0.008, -0.02343, 0.00622), 0.01, "−0.8 points [−2.3, 0.6]", "1 point", "0.01"),
        ("share", (0.8321, 0.8153, 0.8481), 0.8, "83.2 % [81.5, 84.8]", "80 %", "0.8"),
        ("share of answers", (0.8321, 0.8153, 0.8481), 0.8, "83.2 % [81.5, 84.8]", "80 %", "0.8"),
        ("", (1.0, 0.983, 1.0), 1.00001, "1.00000 [0.98300, 1.00000]", "1.00001", ""),
        ("kWh", (0.0044, 0.0027, 0.0082), 0.5, "0.0044 kWh [0.0027, 0.0082]", "0.5 kWh", ""),
        ("ms", (12345.6, 11000.2, 13000.4), 20000, "12,346 ms [11,000, 13,000]", "20,000 ms", ""),
        ("mean F1 score", (0.8321, 0.8153, 0.8481), 0.8, "0.832 [0.815, 0.848]", "0.8", ""),
    ],
)
def test_terminal_page_summary_card_and_log_write_the_same(
    unit: str, ends: tuple[float, float, float], gate: float, written: str, bound: str, setting: str
) -> None:
    values: dict[str, Any] = dict(zip(("estimate", "low", "high"), ends, strict=True))
    value = record(finding("quality.accuracy", gate={"max": gate}, unit=unit, **values))
    lines = [line for line, _ in terminal.lines(value)]
    assert max(map(len, lines)) <= terminal.WIDTH
    limit = bound if "%" in bound else bound.split()[0]
    assert f"Accuracy: {written}, limit {limit} quality.accuracy" in flowed(lines)
    # Who reads a percentage there still learns what to write into the policy.
    assert any("80 % is 0.8" in line for line in lines) == bool(setting)
    measured = Measurement("quality.accuracy", *ends, 100, unit, "")
    found = Finding("quality.accuracy", "quality", "Accuracy", Verdict.PASS, "", measured, Gate(max=gate))
    also = f" (max = {setting})" if setting else ""
    assert str(found) == f"quality.accuracy {written}, gate ≤ {bound}{also}: pass"
    pages = (render(value), " ".join(page(value).words))
    for each in (*pages, summary.render(value), card.write(value, None, "README.md")):
        # In Markdown brackets and what stands for a link are written as codes.
        each = " ".join(each.replace("&#91;", "[").replace("&#93;", "]").split())
        assert written in each
        assert f"at most {bound}" in each
    value["policy"]["gates"] = {"quality": {"accuracy": {"max": gate}}}
    assert f"accuracy = {{ max = {gate} }}" in page(value).text  # the policy itself stays as it is


def test_a_gate_that_was_not_measured_is_in_the_unit_that_its_probe_declares() -> None:
    value = record(
        unmeasured("quality.accuracy", "not_assessed", "supply data", gate={"min": 0.75}), verdict="fail",
        not_run=["security.perturbation[typos]"],
    )  # fmt: skip
    value["policy"]["gates"]["security"] = {"perturbation": {"max": 0.2}}
    lines = flowed(line for line, _ in terminal.lines(value))
    assert "Accuracy: not measured, needs at least 75 % quality.accuracy: supply data" in lines
    shown = page(value).text
    assert "Gate: at least 75 %" in shown
    assert "Gate: at most 20 points" in shown


def test_a_table_writes_a_figure_and_its_interval_alike() -> None:
    table = {
        "caption": "By strength",
        "columns": ["strength", "left", "low", "high", "lost", "lost at least", "lost at most", "n"],
        "rows": [[1, 1.0, 0.97, 1.0, -0.008, -0.02343, 0.00622, 500], [2, None, None, None, 0.5, None, 0.6, 7]],
    }
    words = " ".join(" ".join(page(record(finding(details={"tables": [table]}))).words).split())
    assert "1 1.000 [0.970, 1.000] −0.008 [−0.023, 0.006] 500" in words
    assert "2 – 0.500 […, 0.600] 7" in words


def test_a_column_is_written_in_its_unit() -> None:
    columns = ["strength", "left", "low", "high", "lost", "energy", "kind"]
    rows: list[list[Cell]] = [[1, 0.97, 0.9351, 0.99, 0.1316, 0.0012, "a"], [2, None, None, None, -0.008, 0, "b"]]
    table = Table("By strength", columns, rows, units=["", "share", "share", "share", "points", "kWh", "share"])
    value = record(finding())
    value["findings"][0]["evidence"] = [to_json(table)]
    fits_the_schema(value)
    assert from_json(to_json(table)) == table
    said = " ".join(page(value).text.split())
    assert "1 97.0 % [93.5, 99.0] 13.2 points 0.0012 kWh a" in said
    assert "2 – −0.8 points 0 kWh b" in said
    german = " ".join(Page(render(value, "de")).text.split())
    assert "1 97,0 % [93,5; 99,0] 13,2 Prozentpunkte 0,0012 kWh a" in german
    assert "13.2 个百分点" in Page(render(value, "zh")).text
    plain = to_json(Table("By strength", columns, rows))
    assert "units" not in plain  # a record holds units only where there are any


def test_single_facts_are_written_in_their_unit() -> None:
    value = record(finding())
    facts = Facts([Fact("left", 0.9712, "share"), Fact("energy", 12, "kWh"), Fact("pairs", 7)])
    value["findings"][0]["evidence"] = [to_json(facts)]
    shown = page(value).text
    for said in ("left 97.1 %", "energy 12 kWh", "pairs 7"):
        assert said in shown


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.69, (7, 10)), (0.36, (36, 100)), (0.907, (9, 10)), (0.25, (25, 100)), (0.99, (99, 100)), (0.004, (4, 1000)),
        (0.0, (0, 10)), (1.0, (10, 10)), (0.9999999, (999_999, 1_000_000)),
    ],
)  # fmt: skip
def test_a_share_as_people_say_it(share: float, said: tuple[int, int]) -> None:
    assert often(share) == said
    count, total = said
    assert abs(count / total - share) <= 0.05 * share
