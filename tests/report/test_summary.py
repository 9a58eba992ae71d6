"""The summary and the badge: what they say, and that nothing in a record becomes more than text."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from audit.report import badge, summary, terminal
from audit.report.page import page as report
from tests.helpers import flowed
from tests.report.page.test_page import finding, finding_of, hostile_record, odds, record, unmeasured

ODDS = "Gap in how often groups are misread, by gender (equalized odds)"


def tags(markdown: str) -> set[str]:
    """The elements that a Markdown reader makes of it; raw HTML by its text."""
    found = set()
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        for each in (token, *(token.children or ())):
            found.add(each.content.strip() if each.type.startswith("html") else each.tag)
    return found - {""}


def test_it_says_what_blocks_and_what_to_do() -> None:
    said = summary.render(record(finding(), odds(), verdict="fail"))
    assert said.startswith("## ✕ Blocked: 1 of 2 gates fails.\n")
    first = said[: said.index("<details>")]
    assert f"| ✕ Fail | {ODDS} | 19 points &#91;13, 24&#93; | at most 10 points |" in first
    assert f"1. **{ODDS}**: " in first
    assert "Accuracy" not in first
    assert "| ✓ Pass | Accuracy |" in said


def test_a_release_has_no_list_of_problems() -> None:
    said = summary.render(record(finding()))
    assert said.startswith("## ✓ All limits hold: its one gate passes.\n")
    assert "What to do" not in said


def test_who_waives_is_told() -> None:
    waiver = {"owner": "A. Person", "reason": "known", "expires": "2027-01-31", "valid": True}
    said = summary.render(record(odds(waiver=waiver)))
    assert (
        f"- **{ODDS}: 19 points &#91;13, 24&#93;, limit 10**. The gate does not hold, and A. Person answers for that"
        in said
    )
    assert "all limits hold but one, 0/1 gates, 1 waived" in badge.render(record(odds(waiver=waiver)))


def test_turned_verdicts_are_told() -> None:
    former = {"path": "v1", "created": "2026-11-01T00:00:00Z", "verdict": "pass", "fingerprint": None}
    turned = [{"id": "quality.accuracy", "before": "pass", "now": "fail"}]
    said = summary.render(record(finding(), baseline={**former, "turned": turned}))
    assert "- Accuracy: Pass → Fail" in said


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[a](javascript:alert(1))",
        "![a](https://example.org/x.png)",
        "https://example.org www.example.org",
        "a | b",
        "**bold** _it_ `code` ~~no~~",
        "line\n# heading\n\n1. list",
        "<details>",
    ],
)
def test_texts_stay_texts(text: str) -> None:
    broken = unmeasured("quality.accuracy", "error", text, title=text)
    clean = summary.render(record(unmeasured("quality.accuracy", "error", "x", title="x"), verdict="fail"))
    said = summary.render(record(broken, verdict="fail"))
    assert tags(said) == tags(clean)
    shown = "".join(t.content for token in MarkdownIt().enable("table").parse(said) for t in token.children or ())
    assert " ".join(text.split()) in shown.replace("\N{WORD JOINER}", "")


def test_nobody_is_called() -> None:
    said = summary.render(record(unmeasured("quality.accuracy", "error", "ask @team about #1 and !2"), verdict="fail"))
    for call in ("@team", "#1", "!2"):
        assert call not in said
        assert f"{call[0]}\N{WORD JOINER}{call[1:]}" in said.replace("&#64;", "@")


def test_a_hostile_record_is_harmless() -> None:
    assert not {tag for tag in tags(summary.render(hostile_record())) if "script" in tag or tag in ("a", "img")}
    ElementTree.fromstring(badge.render(hostile_record()))  # noqa: S314


@pytest.mark.parametrize(("verdict", "colour"), [("pass", "#1a7f37"), ("fail", "#b42318"), ("incomplete", "#8a5a00")])
def test_the_badge_says_the_verdict_in_words_and_colour(verdict: str, colour: str) -> None:
    drawn = badge.render(record(finding(), finding("quality.mcc", "inconclusive", tolerated=True), verdict=verdict))
    assert ElementTree.fromstring(drawn).attrib["aria-label"].endswith("1/2 gates")  # noqa: S314
    assert colour in drawn
    assert contrast(colour, "#ffffff") >= 4.5


def contrast(one: str, other: str) -> float:
    """Contrast of two colours by WCAG 2.2's formula."""

    def light(colour: str) -> float:
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_alarms_are_told_with_who_answers_for_them() -> None:
    figures = {"estimate": 0.7, "low": 0.6, "high": 0.8, "n": 50, "unit": "share"}
    more = {"gate": None, "alarm": True, "tolerated": True, **figures}
    loud = {**unmeasured("quality.balanced_accuracy", "reported", "no gate is set for it"), **more}
    said = summary.render(record(finding(), loud))
    title = f"{loud['title']}: 70 % &#91;60, 80&#93;; more is better"
    assert f"**Alarms, for which no gate stands** (1)\n\n- **{title}**." in said
    assert "1/1 gates · 1 alarm<" in badge.render(record(finding(), loud))
    two = record(finding(), loud, {**loud, "id": "quality.mcc"})
    assert "1/1 gates · 2 alarms<" in badge.render(two)
    answered = {**loud, "accepted": {"reason": "<b>known</b>", "owner": "A. @Person"}}
    said = summary.render(record(finding(), answered))
    assert "answers for it: &#60;b&#62;known" in said
    assert "alarm" not in badge.render(record(finding(), answered))


BESIDE = {
    "kind": "pareto",
    "models": [
        {"name": "this model", "accuracy": [0.8, 0.79, 0.81], "wh": [0.5, 0.4, 0.6], "front": False, "audited": True},
        {
            "name": "<b>GRU</b>", "accuracy": [0.85, 0.84, 0.86], "wh": [0.1, 0.05, 0.2], "front": True,
            "audited": False, "gain": [0.049, 0.044, 0.055], "outdoes": "both",
        },
        {
            "name": "counting words", "accuracy": [0.8, 0.79, 0.81], "wh": [0.1, 0.05, 0.2], "front": False,
            "audited": False, "gain": [0.0, -0.01, 0.01],
        },
    ],
}  # fmt: skip


def test_that_something_better_exists_is_told_first() -> None:
    energy = finding_of(
        id="environment.energy_per_gain", challenge="environment", evidence=[BESIDE], source="estimated"
    )
    told = record(finding(), energy)
    line = flowed(terminal.better(told))
    assert line == (
        "Something better exists: <b>GRU</b>, measured beside it, is surely at least as often right (4.9 points more) "
        "for surely less electricity, 0.10 Wh instead of 0.50 Wh for 1,000 predictions (estimated)."
    )
    page = report.render(told)
    head = page[: page.index("</header>")]
    assert "Something better exists: &lt;b&gt;GRU&lt;/b&gt;" in head
    assert 'href="#finding-environment-energy-per-gain"' in head
    assert "**Something better exists: &#60;b&#62;GRU&#60;/b&#62;" in summary.render(told)
    assert "Es gibt Besseres" in report.render(told, "de")
    beside = {**BESIDE, "models": [BESIDE["models"][0], BESIDE["models"][2]]}
    assert not list(terminal.better(record(finding(), {**energy, "evidence": [beside]})))
