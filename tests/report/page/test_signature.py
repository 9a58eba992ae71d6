"""The page to sign: what the record holds stands there, what nobody stated is called that, and all of it stays text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from audit.report import badge, summary
from audit.report.exports import model_card
from audit.report.headline import headline
from audit.report.page import page as report
from tests.helpers import fits_the_schema
from tests.report.page.test_page import Page, finding, odds, record

ABOUT = {
    "intended_use": "Sorts reviews, <b>decides</b> nothing",
    "users": "Customer service",
    "affected": "Whoever writes a review",
    "owner": "A. | Person",
    "dpo": "B. Person",
    "version": "2.1",
    "origin": "Our own shop",
    "consent": "Terms of use, § 4",
    "next_review": "2027-05-31",
}
WAIVER = {"owner": "C. Person", "reason": "more texts are on their way", "expires": "2027-01-31", "valid": True}
ALARM = {"gate": None, "alarm": True, "tolerated": True, "reason": "all of its interval is worse than 0.1"}
ORIGIN = {"sha256": "ab" * 32, "state": "committed", "commit": "cd" * 20, "date": "2026-11-20T10:00:00Z",
          "as_embedded": [], "gates": [], "settings": []}  # fmt: skip


def signed(*findings: Any, about: dict[str, str] | None = None, gates: Any = None, **more: Any) -> Any:
    """A record with more than those of former versions had."""
    value = record(*findings, **{name: more.pop(name) for name in list(more) if name in ("verdict", "baseline")})
    value["policy"] = {**value["policy"], "about": about or {}} | ({"gates": gates} if gates is not None else {})
    value |= more
    fits_the_schema(value)
    return value


def page(value: Any, sha256: str = "") -> Page:
    """The part of the page that is signed."""
    found = re.search(r'<section class="signature".*?</section>', report.render(value, sha256=sha256), re.DOTALL)
    assert found
    return Page(found[0])


def test_it_comes_before_all_findings_and_is_led_to() -> None:
    html = report.render(record(finding()))
    assert html.index("</header>") < html.index('id="sign"') < html.index('id="findings"')
    assert 'href="#sign"' in html


def test_what_is_decided_on_is_told_by_whole_hashes() -> None:
    value = signed(finding(), policy_origin=ORIGIN)
    value["model"] |= {"fingerprint": "sha256:" + "12" * 32}
    value["data"]["test"]["fingerprint"] = "sha256:" + "34" * 32
    text = page(value, "ef" * 32).text
    for hash_ in ("12" * 32, "34" * 32, "ef" * 32, "ab" * 32):
        assert hash_ in text
    assert text.count("ef" * 32) == 2  # beside the lines for names as well, which may stand on a sheet of their own
    assert "All limits hold: its one gate passes." in text
    assert "audit.json.sha256, beside it, tells whether it was changed." in text
    assert "not known, since this page was not made from a file" in page(value).text


def test_what_the_policy_states_stands_there_as_text_and_what_not_is_not_stated() -> None:
    shown = page(signed(finding(), about=ABOUT))
    for value in ABOUT.values():
        assert (value if value != "2027-05-31" else "31 May 2027") in shown.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "&lt;b&gt;decides" in shown.html
    assert "Not stated" not in shown.text
    for nothing in ({}, {"owner": "  "}):
        told = page(signed(finding(), about=nothing)).text
        assert "Not stated in the policy: Intended use; Who works with its answers; " in told
        assert told.partition("Not stated in the policy: ")[2].partition(".")[0].count(";") == len(ABOUT) - 1
    assert "Not stated in the policy: Data-protection officer." in page(
        signed(finding(), about={name: value for name, value in ABOUT.items() if name != "dpo"})
    ).text  # fmt: skip


@pytest.mark.parametrize(("due", "past"), [("2026-11-22", True), ("2026-11-23", False)])
def test_a_review_that_was_due_before_the_audit_is_told(due: str, past: bool) -> None:
    assert ("past when the audit began" in page(signed(finding(), about={"next_review": due})).text) is past


def test_who_signs_against_the_audit_is_told_so() -> None:
    against = "Whoever signs all the same decides against that."
    assert against in page(record(odds(), verdict="fail")).text
    assert against in page(record(finding(), verdict="incomplete", complete=False)).text
    assert against not in page(record(finding())).text


def test_risks_are_told_with_figures_and_who_answers_and_those_that_nobody_accepted_too() -> None:
    accepted = {"accepted": {"owner": "D. Person", "reason": "never asked"}}
    value = signed(
        odds(waiver=WAIVER),
        finding("quality.balanced_accuracy"),
        finding("quality.mcc"),
        finding("quality.macro_f1", "inconclusive", tolerated=True, title="Macro F1"),
    )
    value["findings"][1] |= {**ALARM, **accepted, "verdict": "reported"}
    value["findings"][2] |= {**ALARM, "verdict": "reported"}
    text = page(value).text
    assert "19 points [13, 24]; gate at most 10 points. The gate does not hold, and C. Person answers" in text
    assert "80 % [78, 82]. D. Person answers for it: never asked." in text
    assert "Not accepted by anybody: 1 alarm without a gate; gates that stayed open" in text
    assert "only warns (Macro F1)" in text
    expired = page(record(odds(waiver=WAIVER | {"valid": False}), verdict="fail")).text
    assert "None was accepted by name." in expired


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ({}, "commit cdcdcdcdcdcd of 20 November 2026, 10:00 UTC, and was not changed since. So it was there before"),
        ({"date": "2026-11-24T00:00:00Z"}, "That is after the audit began."),
        ({"state": "changed"}, "It is not what the last commit that changed it holds, cdcdcdcdcdcd of 20 November"),
        ({"state": "uncommitted"}, "the last commit does not hold it. So nothing shows that it was written before"),
        ({"state": "unversioned"}, "It is not under version control. So nothing shows that it was written before"),
        ({"state": "unknown"}, "could not be read. So nothing shows that it was written before"),
    ],
)
def test_whether_the_policy_was_written_before_the_audit_is_shown(origin: dict[str, str], told: str) -> None:
    text = page(signed(finding(), policy_origin={**ORIGIN, **origin})).text
    assert told in text.replace("\N{NO-BREAK SPACE}", " ")
    assert ("nothing shows" in text) is (origin.get("state", "committed") != "committed")


def test_who_set_each_gate_is_claimed_only_where_it_is_known() -> None:
    gates = {"quality": {"accuracy": {"min": 0.75}, "mcc": {"min": 0.5, "owner": "E. Person"}},
             "fairness": {"equalized_odds": {"max": 0.1}}}  # fmt: skip
    value = signed(finding(), odds("pass"), policy_origin={**ORIGIN, "as_embedded": ["fairness.equalized_odds"]})
    value["policy"]["gates"] = gates
    found = Page(report.render(value)).text
    assert "at least 75 %, set in the policy." in found
    assert "at most 10 points, from the embedded policy; nobody adapted it." in found
    text = page(value).text
    assert (
        "Of the 3 limits that the policy sets, 1 stands as in the one that comes with the auditor; nobody adapted it."
        in text
    )
    assert "Who answers for them: nobody is named (2); E. Person (1)." in text
    assert "The record does not say where it is from." in page(record(finding())).text


def test_gates_that_guard_less_are_told_against_the_former_audit_and_the_embedded_policy() -> None:
    change = {"id": "quality.accuracy", "change": "loosened", "before": {"min": 0.8}, "now": {"min": 0.75}}
    gone = {"id": "privacy.membership_tpr", "change": "dropped", "before": {"max": 0.05}, "now": None}
    setting = {"name": "unguarded", "before": "fail", "now": "warn"}
    origin = {**ORIGIN, "gates": [change, gone], "settings": [setting]}
    text = page(signed(finding(), policy_origin=origin)).text
    assert "which was made for its demonstration: Accuracy: at least 80 %, now at least 75 %." in text
    assert "that this one does not set: " in text
    assert "Judged less strictly than there: what an alarm without a gate leads to was fail and is warn." in text
    assert "whether gates were loosened since is not known" in text
    former = {"path": "v1", "created": "2026-11-01T00:00:00Z", "verdict": "pass", "turned": [], "settings": [setting]}
    text = page(signed(finding(), baseline={**former, "gates": [change]})).text
    assert "One gate was loosened since the former audit of 1" in text
    assert "is not known" not in text
    same = page(signed(finding(), baseline=former | {"settings": []})).text
    assert "None guards less than in the former audit" in same


def test_limits_that_do_not_hold_are_counted_in_the_verdict() -> None:
    waived, warned = odds(waiver=WAIVER), finding("quality.mcc", "inconclusive", tolerated=True)
    assert headline(record(finding())).startswith("All limits hold: ")
    assert headline(record(finding(), waived)).startswith("All limits hold but one: ")
    assert headline(record(finding(), waived, warned)).startswith("All limits hold but 2: ")
    assert headline(record(odds(), warned, verdict="fail")).startswith("Blocked: ")


def test_owners_stand_in_summary_card_and_badge_as_text() -> None:
    gate = {"max": 0.1, "reason": "`why` <i>there</i>", "owner": "F. [Person](http://x)"}
    value = signed(odds(gate=gate), about=ABOUT, verdict="fail")
    for text in (summary.render(value), model_card.write(value, None, "README.md")):
        assert "A. &#124; Person" in text
        assert "F. &#91;Person&#93;(http&#58;//x)" in text
        assert "<i>" not in text
    assert "&#96;why&#96; &#60;i&#62;there" in summary.render(value)
    assert "; A. | Person answers for it</title>" in badge.render(value)
    assert "answers" not in badge.render(record(finding()))
