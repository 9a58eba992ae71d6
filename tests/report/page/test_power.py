"""What the page says of the power of its probes: at each finding, at a pass that says less, and in a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scipy.stats import binomtest

from audit.probes import power
from audit.probes.catalogue import ids
from audit.report.page import page as report
from tests.probes.test_power import publish, trial
from tests.report.page.test_page import finding, page, record, unmeasured

__all__ = ["publish"]
LIMITS = "Measured on small BERTs and public data; yours may differ."
UNKNOWN = "Its power was not measured on planted defects."
BACKDOOR: dict[str, Any] = {"challenge": "security", "title": "Backdoor", "unit": "share", "gate": {"max": 0.9}}


def body(value: Any, anchor: str = "finding-quality-accuracy") -> str:
    return page(value).part(anchor).text


def test_a_finding_tells_how_often_its_probe_caught_what_was_planted_and_at_what_strength(
    publish: Callable[..., None],
) -> None:
    publish(
        trial(order=1, strength="1 % of the rows", caught=194, of=200),
        trial(order=0.5, strength="0.5 % of the rows", caught=14),
        trial(order=0.1, strength="0.1 % of the rows", caught=0),
    )
    (strong, weak) = (binomtest(*counts).proportion_ci(0.95, "exact") for counts in ((194, 200), (14, 20)))
    told = body(record(finding()))
    assert (
        f"Caught where it was planted: noise (1 % of the rows: 194 of 200, 97.0 % [{100 * strong.low:.1f}, "
        f"{100 * strong.high:.1f}]; 0.5 % of the rows: 14 of 20, 70 % [{100 * weak.low:.0f}, {100 * weak.high:.0f}]; "
        "0.1 % of the rows: 0 of 20, 0.0 % [0.0, 16.8]). False alarms on clean ones: 0 of 20, 0.0 % [0.0, 16.8]. "
        f"{LIMITS}"
    ) in told
    assert UNKNOWN not in told


def test_of_many_kinds_it_tells_how_many_are_caught_and_which_least(publish: Callable[..., None]) -> None:
    publish(*(trial(defect=f"kind {i}", of=20 + i, caught=20, alarms=i % 3) for i in range(5)))
    told = body(record(finding()))
    assert (
        "Of 5 kinds of planted defects, each tried 20 times or more, 2 were caught at least 19 times in 20; least "
        "often kind 4 (5 % of the rows: 20 of 24, 83 % [63, 95])."
    ) in told
    assert "False alarms on clean ones: 2 of 20" in told


def test_where_nothing_was_planted_that_is_told_of_what_was_measured(publish: Callable[..., None]) -> None:
    publish()
    gone = unmeasured("quality.mcc", "not_assessed", "no labels")
    assert UNKNOWN in body(record(finding()))
    assert UNKNOWN not in body(record(finding(), gone), "finding-quality-mcc")
    annex = page(record(finding(), gone)).part("power").text
    assert "Nothing was planted for any finding of this audit." in annex
    assert "Not measured so: Accuracy." in annex


@pytest.mark.parametrize(
    ("caught", "verdict", "is_told"),
    [(19, "pass", False), (18, "pass", True), (18, "not_exceeded", True), (18, "fail", False), (18, "reported", False)],
)
def test_a_pass_by_a_probe_that_catches_fewer_than_19_of_20_says_so(
    publish: Callable[..., None], caught: int, verdict: str, is_told: bool
) -> None:
    publish(trial("security.backdoor", caught=caught), trial("security.backdoor", "gone", caught=caught, of=20))
    high = None if verdict == "not_exceeded" else 0.82
    gate = None if verdict == "reported" else {"max": 0.9 if verdict != "fail" else 0.1}
    more = BACKDOOR | {"gate": gate, "high": high} | ({"low": 0.8} if high is None else {})
    found = page(record(finding(), finding("security.backdoor", verdict, **more)))
    line = "A weak pass: its probe catches fewer than 19 of 20 where this is planted: noise (5 % of the rows: 18 of 20"
    assert (line in found.text) == is_told
    assert ("; one more kind." in found.text) == is_told
    promise = "probes that caught fewer than 19 of 20 defects of a kind that was planted ("
    assert (promise in found.text) == is_told


def test_a_weak_pass_names_first_what_passed_most(publish: Callable[..., None]) -> None:
    """What is inconclusive is released by no pass; where a benchmark told no passes, what was not caught counts."""
    publish(
        trial("security.backdoor", "mostly open", caught=0, passed=1),
        trial("security.backdoor", "mostly passed", caught=4, passed=12),
        trial("security.backdoor", "not told", caught=10),
    )
    found = page(record(finding("security.backdoor", "pass", high=0.82, **BACKDOOR))).text
    assert (
        "fewer than 19 of 20 where this is planted: mostly passed (5 % of the rows: 4 of 20, 20 % [6, 44], 12 passed)"
        in found
    )
    assert "; 2 more kinds." in found


def test_the_annex_tells_all_that_was_planted_for_the_findings_of_the_record(publish: Callable[..., None]) -> None:
    publish(
        trial(defect="a", order=1, caught=7),
        trial(defect="a", order=2, strength="9 % of the rows"),
        trial("security.backdoor", "not in this record"),
    )
    annex = page(record(finding())).part("power")
    assert "a 9 % of the rows: 20 of 20, 100.0 % [83.2, 100.0]; 5 % of the rows: 7 of 20, 35 % [15, 59]" in annex.text
    assert "not in this record" not in annex.text


def test_figures_of_another_version_than_the_audits_are_called_so() -> None:
    own, other = record(finding()), record(finding())
    other["provenance"]["versions"]["pytest-model-audit"] = "0.0.9"
    assert "The audit was made by" not in page(own).part("power").text
    assert "The audit was made by version 0.0.9." in page(other).part("power").text


@pytest.mark.parametrize(("language", "marks"), [("de", "[46;\N{NO-BREAK SPACE}88]"), ("zh", "（")])
def test_each_language_has_all_of_it(language: str, marks: str) -> None:
    found = record(
        *(
            finding(f"{each.finding}", title=ids()[each.finding.partition("[")[0]].title)
            for each in {each.finding: each for each in power.published()}.values()
        )
    )
    html = report.render(found, language)
    annex = html[html.index('<div id="power">') : html.index('<div id="words">')]
    assert 'lang="en"' not in annex
    assert marks in annex
    assert not any(each.defect in annex for each in power.published())
