"""The HTML report: what it says, in which order, and that nothing in a record can get out of its place."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import math
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from audit.core.errors import AuditError
from audit.core.verdict import Finding, Verdict
from audit.policy.policy import About
from audit.probes.catalogue import ids
from audit.probes.environment import environment
from audit.record import former
from audit.record import record as records
from audit.report import files as report_files
from audit.report import summary, terminal
from audit.report.headline import headline
from audit.report.i18n import words
from audit.report.i18n.words import LAXER
from audit.report.page import figures, findings, standards, text
from audit.report.page import page as report
from audit.report.page.evidence import Limits
from tests.helpers import fits_the_schema
from tests.probes.environment.test_environment import blocks

VOID = {"meta", "link", "br", "input", "rect", "line", "circle", "path", "polyline"}
HOSTILE = (
    "</title></style><script>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}{% raw %}"
    "<a href=javascript:alert(1)>x</a><style>*{display:none}</style><svg/onload=alert(1)>javascript:alert(1)//"
    "\u202egnp.exe\x00\x1b[31m\u200b]]>&amp;"
)


def finding(id: str = "quality.accuracy", verdict: str = "pass", **more: Any) -> Any:
    value = {
        "id": id,
        "challenge": "quality",
        "title": "Accuracy",
        "verdict": verdict,
        "estimate": 0.8,
        "low": 0.78,
        "high": 0.82,
        "confidence": 0.95,
        "n": 1821,
        "unit": "share of right answers",
        "gate": {"min": 0.75},
        "waiver": None,
        "method": "Right answers counted.",
        "reason": "",
        "details": {"sample": "test examples"},
    }
    return value | more


def finding_of(**more: Any) -> Any:
    """The same as this version records it."""
    return former.finding(finding()) | more


def unmeasured(id: str, verdict: str, reason: str, **more: Any) -> Any:
    nothing: dict[str, Any] = {
        "estimate": None,
        "low": None,
        "high": None,
        "n": 0,
        "unit": "",
        "method": "",
        "details": {},
    }
    return finding(id, verdict, reason=reason, **(nothing | more))


def odds(verdict: str = "fail", **more: Any) -> Any:
    value = {
        "challenge": "ethics",
        "title": "Equalized odds",
        "estimate": 0.19,
        "low": 0.13,
        "high": 0.24,
        "unit": "largest difference of rates",
        "gate": {"max": 0.1},
    }
    return finding("fairness.equalized_odds[gender]", verdict, **(value | more))


def record(*findings: Any, verdict: str = "pass", **more: Any) -> Any:
    value = {
        "schema_version": 1,
        "verdict": verdict,
        "complete": True,
        "interrupted": False,
        "not_run": [],
        "created": "2026-11-23T23:41:27Z",
        "duration_s": 60.7,
        "model": {
            "source": "small-bert",
            "fingerprint": "sha256:1ece2329b5818b8267dd",
            "parameters": 1_470_594,
            "labels": ["negative", "positive"],
            "files": {"model.safetensors": "40c7ad4f"},
            "training": {
                "recipe": {"epochs": 3.0, "learning_rate": 2e-05, "seed": 123456789},
                "history": [
                    {"epoch": 1.0, "loss": 0.5, "validation_accuracy": 0.76},
                    {"epoch": 2.0, "loss": 0.3, "validation_accuracy": 0.81},
                ],
                "base": "small-bert",
                "created": "2026-11-23T23:31:30Z",
                "trainable_parameters": 1_470_594,
                "energy": phase("fine-tune"),
            },
        },
        "data": {"test": {"path": "test.csv", "rows": 1821, "skipped": {"no label": 7}}, "train": {}},
        "policy": {
            "gates": {"quality": {"accuracy": {"min": 0.75}}, "fairness": {"equalized_odds": {"max": 0.1}}},
            "audit": {"confidence": 0.95, "country": "DEU"},
        },
        "findings": list(findings),
        "energy": {"phases": [phase("score")], "kept": [{**phase("fine-tune"), "created": "2026-11-23T23:31:30Z"}]},
        "scoring": {"texts": 10, "forward_passes": 8, "cache_hits": 2},
        "provenance": {
            "command": "pytest suites/",
            "seed": 0,
            "policy_file": "release.toml",
            "versions": {"pytest-model-audit": "0.1.0"},
        },
    }
    lifted = former.lifted(value | more)
    fits_the_schema(lifted)
    return lifted


def phase(name: str, source: str = "estimated") -> dict[str, Any]:
    return {"name": name, "seconds": 12.3, "kwh": 0.00012, "co2eq_kg": 0.00005, "source": source}


class Page(HTMLParser):
    """The page as a browser reads it: nesting, ids, links, headings and visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.problems: list[str] = []
        self.words: list[str] = []
        self.headings: list[int] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag in ("dt", "dd", "th", "td", "p", "li"):
            self.words.append(" ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> at {self.getpos()} closes nothing")

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for _, attrs in self.elements if attribute in attrs]

    def part(self, anchor: str) -> Page:
        """The element with this id, cut out of the page; of a finding its whole row, folded parts too."""
        found = re.search(rf'<(\w+)[^>]*\bid="{re.escape(anchor)}"', self.html)
        assert found, anchor
        start, tag = found.start(), found[1]
        if anchor.startswith("finding-"):
            start, tag = self.html.rindex('<details class="finding', 0, start), "details"
        depth = 0
        for each in re.finditer(rf"<(/?){tag}\b", self.html[start:]):
            depth += -1 if each[1] else 1
            if not depth:
                return Page(self.html[start : start + each.end() + 1])
        raise AssertionError(f"<{tag}> of {anchor} is never closed")

    @property
    def first_screen(self) -> str:
        """What stands before the cards of the challenges, as text."""
        return Page(self.html[: self.html.index('<h2 id="challenges"')] + "</section></main></div></body></html>").text

    def part_of(self, challenge: str) -> str:
        """The section of a challenge, as HTML."""
        start = self.html.index(f'<section class="challenge" aria-labelledby="{challenge}">')
        later = self.html.find('<section class="challenge"', start + 1)
        return self.html[start : later if later > 0 else self.html.index('<section class="annex"')]

    def card(self, challenge: str) -> tuple[str, str]:
        """Family and text of a challenge's card."""
        found = re.search(
            rf'<article class="card (\w+)" aria-labelledby="card-{challenge}">(.*?)</article>', self.html, re.DOTALL
        )
        assert found, challenge
        return found[1], Page(found[2]).text


def page(value: Any) -> Page:
    return Page(report.render(value))


EVERYTHING = record(
    finding(),
    odds(details={"sample": "test examples", "summary": "Women are misread more often."}),
    odds("inconclusive", title="Accuracy gap", low=0.05, reason="about 900 more")
    | {"id": "fairness.accuracy_gap[region]"},
    unmeasured("security.perturbation[typos]", "error", "the probe broke: ValueError", challenge="security"),
    unmeasured("fairness.counterfactual[gender]", "not_assessed", "not English", challenge="ethics"),
    finding("privacy.canary_epsilon", challenge="privacy", low=0.8, high=None, gate={"max": 8}),
    finding("security.artifact", challenge="security", estimate=0, low=0, high=0, gate={"max": 0.0}),
    finding("quality.macro_f1", "reported", gate=None, reason="no gate is set for it"),
    unmeasured("x.y", "not_assessed", "supply it", gate=None),
    verdict="fail",
    complete=False,
    not_run=["privacy.train_test_overlap"],
)
RECORDS = {
    "pass": record(finding()),
    "everything": EVERYTHING,
    "empty": record(verdict="incomplete", complete=False),
    "restarted": record(finding(), verdict="incomplete", complete=False, restarted=True),
    "interrupted": record(
        finding(), verdict="incomplete", complete=False, interrupted=True, model={}, provenance={}, policy={}
    ),
    "overridden": record(finding(), model={"source": "Ours", "overridden": "conftest.py replaces `model`"}),
    "no gates": record(finding(verdict="reported", gate=None)),
}


@pytest.mark.parametrize("name", RECORDS)
def test_page_is_well_formed_and_self_contained(name: str) -> None:
    html = report.render(RECORDS[name])
    found = Page(html)
    assert found.problems == []
    tags = Counter(tag for tag, _ in found.elements)
    assert tags["h1"] == tags["main"] == tags["style"] == 1
    assert not tags.keys() & {"script", "img", "iframe", "object", "embed", "base", "form"}
    assert {attrs["type"] for tag, attrs in found.elements if tag == "input"} == {"radio"}
    assert not [a for _, attrs in found.elements for a in attrs if a.startswith("on") or a in ("style", "src")]
    assert {href for href in found.all("href") if not href.startswith("#")} == {"data:,", "findings.csv"}
    assert "url(" not in html
    assert "@import" not in html
    assert len(html.encode()) < report.LARGEST


@pytest.mark.parametrize("name", RECORDS)
def test_every_target_exists_once_and_headings_are_in_order(name: str) -> None:
    found = page(RECORDS[name])
    ids = Counter(found.all("id"))
    assert max(ids.values()) == 1
    targets = {href[1:] for href in found.all("href") if href.startswith("#")}
    targets |= {id for value in found.all("aria-labelledby") for id in value.split()}
    assert targets <= ids.keys()
    assert found.headings[0] == 1
    for above, later in zip(found.headings, found.headings[1:], strict=False):
        assert later <= above + 1


def test_policy_forbids_everything_but_the_pages_own_style() -> None:
    html = report.render(RECORDS["pass"])
    style = html.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html
    assert "unsafe" not in html


@pytest.mark.parametrize("name", RECORDS)
def test_verdict_stands_on_top_in_words(name: str) -> None:
    found = page(RECORDS[name])
    word, _, said = headline(RECORDS[name]).partition(": ")
    assert word in ("All limits hold", "Blocked", "Incomplete")
    assert f"{word}: {said}" in found.text.replace(f"{word}:  ", f"{word}: ")
    assert f"<title>Model audit: {word}" in found.html


def test_sections_stand_in_order() -> None:
    found = page(EVERYTHING)
    order = [
        "problems",
        "challenges",
        "facts",
        "sign",
        *words.CHALLENGES,
        "coverage",
        "scope",
        "training",
        "energy",
        "reading",
        "standards",
        "provenance",
    ]
    places = [found.html.index(f' id="{anchor}"') for anchor in order]
    assert places == sorted(places)
    assert list(words.CHALLENGES)[:3] == ["ethics", "privacy", "environment"]


def test_problems_come_by_weight_with_what_to_do() -> None:
    found = page(EVERYTHING)
    top = found.first_screen
    marks = ["Fail", "Error", "Inconclusive", "Not assessed", "Not run"]
    first = top[top.index("What stands in the way") : top.index("What to do next")]
    places = [re.search(rf"\W {mark}\b", first) for mark in marks]
    assert all(places)
    assert [p.start() for p in places if p] == sorted(p.start() for p in places if p)
    assert "19 points (largest difference of rates), with 95 % confidence between 13 and 24 points" in first
    assert "the gate allows at most 10 points. What was seen: Women are misread more often." in first
    following = top[top.index("What to do next") :]
    # The gap's estimate is beyond its gate: what would settle it would only confirm it.
    for said in (
        "Balance the groups", "the probe broke: ValueError", "Accuracy gap (region): probably fails", "not English",
        "Run the whole",
    ):  # fmt: skip
        assert said in following


def test_a_pass_says_what_it_does_not_cover() -> None:
    found = page(
        record(
            finding(),
            finding("quality.macro_f1", "reported", title="Macro F1", gate=None),
            unmeasured("fairness.accuracy_gap", "not_assessed", "supply subgroups", gate=None, challenge="ethics"),
        )
    )
    assert "each measurement clears its gate" in found.text
    top = found.first_screen
    assert "What to do next" not in top
    assert "Not covered by this verdict: 1 measured without a gate, 1 that could not be assessed." in found.text
    aside = found.part("coverage").text
    assert "Macro F1" in aside
    assert "Supply subgroups." in aside


def test_a_blocked_page_says_what_the_verdict_does_not_cover_too() -> None:
    ungated = finding("quality.macro_f1", "reported", title="Macro F1", gate=None)
    found = page(record(odds(), ungated, verdict="fail"))
    assert "Macro F1" in found.part("coverage").text
    assert '<a href="#coverage">Not covered by this verdict: 1 measured without a gate' in found.html


def test_scope_and_data_are_one_click_away() -> None:
    data = {
        "test": {
            "path": "t.csv", "rows": 1_821, "classes": {"negative": 912, "positive": 909},
            "subgroups": {"region": {"north": 1_000, "": 815, "<b>south</b>": "<10"}},
        },
        "train": {},
    }  # fmt: skip
    about = {"origin": "=shop <i>", "consent": 3}
    found = page(record(finding(), data=data, policy={"data": {"language": "en"}, "about": about}))
    scope = found.part("scope").text
    assert '<li><a href="#scope">Scope and limits</a>' in found.html
    assert "1,821 test texts in the language “en”" in scope
    assert "Nothing was measured on: Ethics, Privacy, Environment, Security, Transparency." in scope
    assert "Rows by region north: 1,000, no group: 815, <b>south</b>: <10 not recorded" in scope
    assert "Origin =shop <i>" in scope
    assert "Consent not stated" in scope
    assert "<b>south" not in found.html


def capabilities(rates: dict[str, float], verdict: str = "reported", **more: Any) -> list[Any]:
    return [
        finding(f"quality.behaviour[{name}]", verdict, title="Language capability",
                estimate=rate, low=rate - 0.05, high=rate + 0.05, **{"gate": None} | more)
        for name, rate in rates.items()
    ]  # fmt: skip


def test_findings_of_one_measure_are_told_together_by_the_worst() -> None:
    found = page(record(finding(), *capabilities({"negation_of_negative": 0.4, "contrast": 0.9, "places": 0.1})))
    aside = found.part("coverage").text
    assert "Language capability (contrast) • Reported 90 % (share of right answers), with 95 % confidence" in aside
    assert "Also negation of negative 40 %, places 10 %." in aside
    assert "Language capability (places)" not in aside
    # What a capability is stands once, not three times.
    assert found.text.count("Short sentences, which any reader understands alike") == 1


def test_a_family_is_one_block_with_a_row_for_each_member_the_worst_first() -> None:
    rates = {"places": 0.1, "contrast": 0.9, "negation_of_negative": 0.4}
    html = page(record(finding(), *capabilities(rates))).html
    (block,) = re.findall(r'<section class="family".*?</section>', html, re.DOTALL)
    block = re.sub(r'<details class="picture-of">.*?</details>', "", block, flags=re.DOTALL)
    assert re.findall(r'<h3 id="[^"]*"><bdi>([^<]*)', block) == ["Language capability"]
    rows = re.findall(r'<h4 class="name"><bdi>([^<]*)', block)
    assert rows == ["contrast", "negation of negative", "places"]
    for part in ("• Reported", "90 % [85, 95]", "Without a gate"):
        assert part in Page(block).text.partition("places")[0]
    # One that stands alone is a row without a block around it.
    assert '<h3 class="name"><bdi>Accuracy</bdi></h3>' in html


@pytest.mark.parametrize("value", [EVERYTHING, "alarms"])
def test_there_is_one_order_of_problems_on_the_page(value: Any) -> None:
    """In the list on top, in the plan, in the contents of each challenge: the same one."""
    if value == "alarms":
        alarm = {"alarm": True, "tolerated": True, "reason": "worrying"}
        value = record(odds(), finding(), *capabilities({"places": 0.5, "contrast": 0.9}), verdict="fail")
        for each in value["findings"][2:]:
            each |= alarm
        value["findings"].append(odds("inconclusive", gate={"max": 0.2}) | {"id": "fairness.accuracy_gap[x]"})
        value["findings"][-1] = former.finding(value["findings"][-1])
    found = page(value)
    top = found.html[found.html.index('id="problems"') : found.html.index('id="challenges"')]
    listed = list(dict.fromkeys(re.findall(r'href="#(finding-[^"]*)"', top)))
    assert len(listed) > 2
    below = re.findall(r'<div id="(finding-[^"]*)"', found.html)
    for challenge in words.CHALLENGES:
        own = [each for each in below if each in found.part_of(challenge)]
        assert [each for each in own if each in listed] == [each for each in listed if each in own]


def test_passing_findings_are_folded_to_a_line_and_those_that_fail_are_open() -> None:
    found = page(EVERYTHING).html
    states = dict(re.findall(r'<details class="finding \w+ is-(\w+)"( open)?', found))
    assert {name for name, is_open in states.items() if is_open} == {"fail", "inconclusive"}
    assert {"pass", "not_exceeded", "reported"} <= states.keys() or "pass" in states


def test_the_contents_count_verdicts_of_each_challenge() -> None:
    found = Page(re.findall(r"<nav.*?</nav>", page(EVERYTHING).html, re.DOTALL)[0])
    assert "Ethics ✕ 1 Fail, ? 1 Inconclusive, – 1 Not assessed" in found.text
    assert "Security ! 1 Error, ✓ 1 Pass " in found.text


def test_the_filter_has_each_verdict_that_there_is_with_its_number() -> None:
    found = page(EVERYTHING)
    options = {name.removeprefix("show-") for name in found.all("id") if name.startswith("show-")}
    shown = set(re.findall(r'class="finding \w+ is-(\w+)"', found.html))
    assert options == {"all", *shown}
    css = found.html.partition("</style>")[0]
    assert all(f"#show-{key}:checked" in css and f".is-{key}" in css for key in words.VERDICTS)
    assert "#show-alarm:checked" in css
    assert f"all {len(EVERYTHING['findings']) + 1}" in found.text


def test_a_finding_is_told_in_plain_sentences() -> None:
    found = page(RECORDS["pass"]).part("finding-quality-accuracy")
    said = "80 % (share of right answers), with 95 % confidence between 78 and 82 %; 1,821 test examples."
    assert said in found.text
    assert "Gate: at least 75 %, set in the policy." in found.text


def test_harm_is_claimed_only_where_it_is_at_hand() -> None:
    held, alarm = page(record(finding())), finding(verdict="reported", gate=None)
    assert "What a bad figure would mean" in held.part("finding-quality-accuracy").text
    assert "Why it matters" not in held.text
    assert "What would help " not in held.text.replace("What would help then", "")
    failed = page(record(finding(verdict="fail", gate={"min": 0.9}), verdict="fail"))
    assert "Why it matters" in failed.part("finding-quality-accuracy").text
    value = record(alarm)
    value["findings"][0] |= {"alarm": True, "tolerated": True, "reason": "worrying"}
    assert "Why it matters" in page(value).part("finding-quality-accuracy").text


def test_who_set_a_gate_is_said() -> None:
    artifact = finding("security.artifact", challenge="security", estimate=0, low=0, high=0, gate={"max": 0})
    assert "set by the audit itself" in page(record(artifact)).text
    assert "from the embedded policy; nobody adapted it" in page(record(finding(), provenance={})).text


def test_full_counts_and_open_intervals_claim_no_more_than_they_know() -> None:
    full = page(record(finding(low=0.8, high=0.8)))
    assert "a full count over 1,821 test examples" in full.text
    assert "between" not in full.part("finding-quality-accuracy").text
    opened = page(EVERYTHING).part("finding-privacy-canary-epsilon")
    assert "At least 80 % (share of right answers), with 95 % confidence; there is no upper limit" in opened.text
    assert "a lower bound only" in opened.html


@pytest.mark.parametrize("missing", ["not_assessed", "not_run", "error"])
def test_a_challenge_with_a_gap_in_its_gates_never_looks_as_if_it_held(missing: str) -> None:
    good = odds("pass", estimate=0.01, low=0, high=0.02)
    bad = unmeasured("fairness.accuracy_gap[region]", missing, "missing", challenge="ethics", gate={"max": 0.1})
    if missing == "not_run":
        value = record(good, verdict="incomplete", complete=False, not_run=["fairness.accuracy_gap[region]"])
    else:
        value = record(good, bad, verdict="fail")
    family, said = page(value).card("ethics")
    assert family in ("open", "fails")
    assert "hold" not in said
    assert page(record(good)).card("ethics")[0] == "holds"
    ungated = page(record(good, bad | {"gate": None, "verdict": "not_assessed"})).card("ethics")
    assert ungated[0] == "partly"
    assert "1 not assessed" in ungated[1]


def test_a_gate_of_an_unknown_id_that_did_not_run_shows_in_a_card() -> None:
    value = record(finding(), verdict="incomplete", complete=False, not_run=["privacy.ours", "elsewhere.theirs"])
    assert page(value).card("privacy")[0] == "open"
    assert page(value).card("quality")[0] == "open"


def test_notices_stand_above_the_verdict() -> None:
    for name, said in {
        "interrupted": words.INTERRUPTED,
        "overridden": "conftest.py replaces `model`",
        "everything": words.NOT_COMPLETE,
        "restarted": "a new audit was begun",
    }.items():
        found = page(RECORDS[name]).text
        assert found.index(said) < found.index(headline(RECORDS[name]).partition(":")[0] + ":")
    demo = record(finding(), data={"test": {"path": "demo"}, "train": {}})
    assert "generated by a program" in page(demo).text
    warned = page(record(odds("inconclusive", low=0.05)))
    assert words.WARNED in warned.text
    assert "What is left open" in warned.text


def test_an_incomplete_record_is_never_said_to_clear_its_gates() -> None:
    found = page(record(finding(), verdict="incomplete", complete=False)).text
    assert words.NOTHING_FAILS_YET in found
    assert words.PAGE["all_hold"] not in found


def test_a_failure_outside_the_audit_is_not_called_a_gate() -> None:
    assert words.TEST_OUTSIDE in page(record(finding(), verdict="fail")).text


def test_a_waived_finding_is_never_silent() -> None:
    waiver = {"owner": "A. Person", "reason": "known", "expires": "2027-01-31", "valid": True}
    found = page(record(odds(waiver=waiver), verdict="pass")).text
    assert "All limits hold but one: 0 of 1 gates pass, 1 is waived." in found
    assert "A. Person answers for that through 31 January 2027. The reason given: known" in found
    assert "One gate does not hold, yet does not block" in found


def test_a_waiver_that_has_ended_is_told_and_counts_no_more() -> None:
    waiver = {"owner": "A. Person", "reason": "known", "expires": "2026-01-31", "valid": False}
    found = page(record(odds(waiver=waiver), verdict="fail")).text
    assert "The waiver counts no more" in found
    assert "1 of 1 gates fails." in found
    assert "does not block" not in found


FORMER: dict[str, Any] = {
    "path": "v1", "created": "2026-01-02T03:04:05Z", "verdict": "pass", "fingerprint": None, "turned": [],
}  # fmt: skip


def _certainty(value: Any) -> str:
    """The section on how certain a verdict is."""
    return page(value).text.partition("How certain a verdict is")[2].partition("This holds as far as")[0]


def test_false_alarms_add_up_and_wrong_releases_do_not() -> None:
    one = _certainty(record(finding(), odds("pass", estimate=0.01, low=0, high=0.02)))
    assert "truly violates any gate passes in at most 2.5 % of audits, whatever the number of gates" in one
    assert "keeps all 2 gates judged here, but each only just, fails on average at most 0.05 of them" in one
    assert "Not covered" not in one
    alone = _certainty(record(finding()))
    assert "whatever the number of gates" in alone
    assert "False alarms" not in alone


EXCEPTIONS = (
    "lower bounds, which say what an", "none of these surely fails, which is not to say", "are waived",
    "intervals that hold approximately", "counts of what a program recognised", "this test set was asked before",
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (record(finding(), odds("not_exceeded", estimate=0.1, low=0.1, high=None)), "lower bounds, which say what an"),
        (
            record(finding(), odds("inconclusive", tolerated=True)),
            "none of these surely fails, which is not to say",
        ),
        (record(finding(interval="approximate")), "intervals that hold approximately"),
        (
            record(finding(interval="detections", estimate=0.9, low=0.9, high=0.9)),
            "counts of what a program recognised",
        ),
        (
            record(
                finding(),
                data={"test": {"fingerprint": "sha256:t"}, "train": {}},
                baseline=FORMER
                | {"chain": [{"created": "2026-01-01T00:00:00Z", "fingerprint": None, "test": "sha256:t"}]},
            ),
            "this test set was asked before",
        ),
    ],
)
def test_what_the_promise_does_not_cover_is_named_where_it_applies(value: Any, said: str) -> None:
    told = _certainty(value).partition("Not covered by that:")[2]
    assert [each for each in EXCEPTIONS if each in told] == [said]


def test_a_count_of_what_a_program_recognised_is_called_so() -> None:
    found = page(record(finding(interval="detections", estimate=0.9, low=0.9, high=0.9))).part(
        "finding-quality-accuracy"
    )
    assert "a full count of what a program recognised in" in found.text


def test_energy_says_what_was_estimated_and_what_was_before() -> None:
    parts = {"cpu_kwh": 0.0001, "gpu_kwh": 0.0, "ram_kwh": 0.00002}
    both = [phase("score") | parts, phase("ours", "measured") | parts]
    kept = [{**phase("fine-tune"), "created": "2026-11-23T23:31:30Z"}]
    found = page(record(finding(), energy={"phases": both, "kept": kept}))
    assert "arXiv:2509.22092" in found.text
    assert "Predictions for the audit 12.3 0.00012 0.00010 0 0.000020 0.050 estimated" in found.text
    assert "Sum of this audit 24.6 0.00024 0.00020 0 0.000040 0.100 estimated" in found.text
    assert "Training the model, 23 November 2026, 23:31 UTC* 12.3 0.00012" in found.text
    assert "The same electricity on other grids" not in found.text
    assert "UTC* 12.3" not in page(record(finding(), energy={"phases": both})).text


def test_what_the_audit_took_stands_first_with_what_of_it_is_a_constant() -> None:
    parts = {"cpu_kwh": 0.00003, "gpu_kwh": 0.0, "ram_kwh": 0.00009, "seconds": 32.4}
    told = record(finding(), energy={"phases": [phase("score") | parts]}, duration_s=185.0)
    head = Page(report.render(told).partition("</header>")[0] + "</header></body></html>").text
    assert "This audit took 3 min and 0.00012 kWh, 0.050 g CO₂eq (estimated); 8 texts ran through the model." in head
    # 0.00009 kWh in 32.4 s are 10 W, and three quarters of 0.00012 kWh.
    assert "75 % of the electricity is a constant for the memory, 10 W" in head
    unknown = page(record(finding(), energy={"phases": []}, duration_s=95.0)).text
    assert "This audit took 95 s; 8 texts ran through the model. It holds no figures of electricity." in unknown


@pytest.mark.parametrize("source", ["measured", "estimated"])
def test_how_electricity_was_come_by_stands_beside_each_figure(source: str) -> None:
    grids: Any = [{"country": "DEU", "name": "Germany", "g_per_kwh": 400.0, "year": 2023}]
    measured = environment.inference_energy(blocks([1e-4] * 5, source), grids=grids)
    ended = Finding(measured.id, "environment", "Energy of 1,000 predictions", Verdict.REPORTED, "", measured)
    told: Any = {**record(finding()), "findings": [records.as_dict(ended)]}
    shown = page(told)
    own = shown.part("finding-environment-inference-energy")
    assert f"({source})" in own.text.partition("Energy of 1,000 predictions")[2].partition("with 95")[0]
    for row in re.findall(r"<dt><bdi>([^<]*(?:Wh|CO2|, W)[^<]*)</bdi></dt><dd><bdi>([^<]*)", own.html):
        assert row[1].endswith(f"({source})"), row
    for caption in re.findall(r"<caption><bdi>([^<]*)", own.html):
        assert caption.endswith(f"({source})"), caption
    assert {"measured": "was measured", "estimated": "is estimated"}[source] in own.text
    assert f"({source})" in summary.render(told | {"findings": [told["findings"][0] | {"gate": {"max": 1.0}}]})
    assert any(f"({source})" in line for line, _ in terminal.lines(told))


def test_the_same_electricity_is_told_for_other_grids() -> None:
    grids = [
        {"country": "DEU", "name": "Germany", "g_per_kwh": 400.0, "year": 2023},
        {"country": "XXX", "name": None, "g_per_kwh": 475.0, "year": None},
    ]
    found = page(record(finding(), energy={"phases": [phase("score"), phase("twins")], "grids": grids})).text
    # 0.00024 kWh at 400 g and at 475 g.
    assert "Germany 2023 400 0.096" in found
    assert "XXX: not in the table; the world’s average not recorded 475 0.114" in found


def test_what_turned_since_the_former_audit_is_told() -> None:
    alone = page(record(finding())).text
    assert "Since the former audit" not in alone
    assert "How many audits have used these test examples before is not known" in alone
    same = page(record(finding(), baseline=FORMER)).text
    assert "the audit of 2 January 2026, 03:04 UTC in v1, whose verdict was: All limits hold." in same
    assert "No verdict is another one now." in same
    turned = [{"id": "quality.accuracy", "before": "pass", "now": "fail"}]
    assert "Accuracy Pass Fail" in page(record(finding(), baseline=FORMER | {"turned": turned})).text


def test_a_line_leads_through_the_former_audits_of_a_gated_finding() -> None:
    link = {"created": "2026-01-01T00:00:00Z", "fingerprint": None, "test": "sha256:t"}
    chain = [link, *(link | {"figures": {"quality.accuracy": value, "quality.macro_f1": 0.5}} for value in (0.7, 0.75))]
    ungated = finding("quality.macro_f1", "reported", title="Macro F1", gate=None)
    found = page(record(finding(), ungated, baseline=FORMER | {"chain": chain}))
    own = found.part("finding-quality-accuracy")
    assert "3 audits, this one last: from 70 % to 80 %; smallest 70 %, largest 80 %." in own.text
    assert '<svg class="curve"' in own.html
    assert "audits, this one last" not in found.part("finding-quality-macro-f1").text
    assert "audits, this one last" not in page(record(finding(), baseline=FORMER)).text


def test_a_loosened_gate_stands_on_top_of_the_page() -> None:
    gates = [
        {"id": "fairness.equalized_odds[gender]", "change": "loosened", "before": {"max": 0.05}, "now": {"max": 0.1}},
        {"id": "quality.accuracy", "change": "loosened", "before": {"min": 0.70004}, "now": {"min": 0.70001}},
        {"id": "quality.macro_f1", "change": "dropped", "before": {"min": 0.8}, "now": None},
        {"id": "quality.mcc", "change": "replaced", "before": {"min": 0.8}, "now": {"max": 0.9}},
        {"id": "security.backdoor", "change": "tightened", "before": {"max": 0.3}, "now": {"max": 0.2}},
        {"id": "quality.roc_auc", "change": "added", "before": None, "now": {"min": 0.5}},
    ]
    settings = [{"name": "inconclusive", "before": "fail", "now": "warn"}]
    found = page(record(finding(), baseline=FORMER | {"gates": gates, "settings": settings}))
    top = re.sub("</?a[^>]*>", "", found.html[: found.html.index("<h1>")]).replace("\N{NO-BREAK SPACE}", " ")
    assert "2 gates were loosened since the former audit of 2 January 2026" in top
    assert (
        "Gap in how often groups are misread, by gender (equalized odds): at most 5 points, now at most 10 points"
        in top
    )
    assert "Accuracy: at least 70.004 %, now at least 70.001 %" in top
    assert "One gate of the former audit" in top
    assert "is gone. Macro F1: at least 80 %. What it" in top
    assert "One gate points in the other direction" in top
    assert "what an inconclusive result leads to was fail and is warn" in top
    assert "Planted triggers" not in top
    assert "tightened at most 30 %, now at most 20 %" in found.text
    assert "added at least 0.5" in found.text
    assert "gates were loosened" in report_files.as_file(
        record(finding(), baseline=FORMER | {"gates": gates}), "summary.md"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"clusters": 412, "design_effect": 1.4},
            "together, so that they are worth about 1,300 independent ones (412 cl",
        ),
        (
            {"clusters": 412, "design_effect": 1},
            "test examples, some of which belong together (412 clusters, design effect 1.00)",
        ),
        (  # no more than they are: 10,937 of 1.01 were written as about 11,000
            {"n": 10_937, "clusters": 10_788, "design_effect": 1.01},
            "10,937 test examples, some of which belong together (10,788 clusters, design effect 1.01)",
        ),
        ({"clusters": 412}, "1,821 test examples, some of which belong together (412 clusters)"),
    ],
)
def test_what_examples_that_belong_together_are_worth_is_told_beside_the_figure(more: Any, said: str) -> None:
    lifted = former.lifted(record(finding()))
    lifted["findings"] = [finding_of(**more)]
    fits_the_schema(lifted)
    assert said in page(lifted).text
    assert "of which belong together" not in page(record(finding())).text


def test_a_column_of_authors_that_is_named_no_more_stands_on_top_of_the_page() -> None:
    settings = [{"name": "cluster", "before": "author", "now": ""}]
    found = page(record(finding(), baseline=FORMER | {"settings": settings}))
    assert "the column of rows that belong together was author and is none" in found.text


def compared(change: str, then: float | None, now: float | None, **more: Any) -> dict[str, Any]:
    before, after = (None if x is None else {"estimate": x, "low": x - 0.01, "high": x + 0.01} for x in (then, now))
    return {"id": "quality.accuracy", "change": change, "before": before, "now": after, **more}


@pytest.mark.parametrize(
    ("each", "told", "said"),
    [
        (compared("better", 0.7, 0.8), "better 70 % [69, 71] 80 % [79, 81]", "Better than in the former"),
        (compared("worse", 0.9, 0.8, paired=True), "worse 90 % [89, 91] 80 %", "both audits share, one by one"),
        (compared("different", 0.9, 0.8), "different 90 % [", "chance does not plausibly explain the difference"),
        (compared("new", None, 0.8), "new – 80 % [79, 81]", "New: the former audit holds no figure"),
        (compared("gone", 0.8, None), "gone 80 % [79, 81] –", "this one holds no figure"),
    ],
)
def test_a_figure_that_changed_is_told_in_the_table_and_at_its_finding(
    each: dict[str, Any], told: str, said: str
) -> None:
    found = page(record(finding(), baseline=FORMER | {"compared": [each]}))
    assert f"Accuracy {told}" in found.text
    assert said in found.part("finding-quality-accuracy").text


def test_no_clear_change_is_counted_and_claims_nothing() -> None:
    found = page(record(finding(), baseline=FORMER | {"compared": [compared("unclear", 0.79, 0.8)]}))
    assert "No figure is new, gone, or clearly another one. Figures without a clear change: 1." in found.text
    told = found.part("finding-quality-accuracy").text
    assert "The former audit found 79 % [78, 80]: no clear change." in told


def test_how_often_the_test_set_was_asked_is_told() -> None:
    link = {"created": "2026-01-01T00:00:00Z", "fingerprint": None}
    chain = [link | {"test": test} for test in ("sha256:t", "sha256:other", "sha256:t", None)]
    data = {"test": {"fingerprint": "sha256:t"}, "train": {}}
    often = page(record(finding(), data=data, baseline=FORMER | {"chain": chain, "test": "sha256:other"})).text
    assert "3 audits have used this very set of test examples, this one included" in often
    assert "The former audit used other test examples" in often
    first = page(record(finding(), data=data, baseline=FORMER | {"chain": chain[1:2]})).text
    assert "used for the first time" in first
    assert "used other test examples" not in first
    unknown = page(record(finding(), baseline=FORMER)).text
    assert unknown.count("How many audits have used these test examples before is not known") == 1


def test_findings_are_mapped_to_rules_with_what_these_do_not_cover() -> None:
    found = page(record(finding(), odds("pass"), odds("fail") | {"id": "fairness.equalized_odds[region]"}))
    assert "not legal advice" in found.text
    rows = [Page(row).text for row in re.findall(r"<tr role=.row.>.*?</tr>", found.html, re.DOTALL)]
    (fairness,) = [row for row in rows if row.startswith("MEASURE 2.11")]
    assert "Equalized odds: 1 × Fail, 1 × Pass" in fairness
    assert "Groups that the data do not name" in fairness
    (testing,) = [row for row in rows if row.startswith("Article 9(8)")]
    assert "Accuracy: Pass" in testing
    assert "The gates are such thresholds" in testing
    (logs,) = [row for row in rows if row.startswith("Article 12")]
    assert "Nothing in this audit." in logs


# Which measures bear on a rule: ids, or all of a group.
RULES = {
    "MEASURE 2.1": ("transparency",),
    "MEASURE 2.3": ("quality",),
    "MEASURE 2.4": ("quality.drift",),
    "MEASURE 2.5": ("quality", "fairness.language_variety", "security.perturbation"),
    "MEASURE 2.6": ("security.perturbation", "quality.stability"),
    "MEASURE 2.7": ("security",),
    "MEASURE 2.8": ("transparency",),
    "MEASURE 2.9": ("quality.behaviour", "quality.calibration_error", "transparency"),
    "MEASURE 2.10": ("privacy",),
    "MEASURE 2.11": ("fairness",),
    "MEASURE 2.12": ("environment",),
    "Article 9(8)": ("quality", "fairness", "privacy", "security", "environment", "transparency"),
    "Article 10": (
        "privacy.train_test_overlap", "privacy.pii_in_training_data", "security.backdoor", "fairness", "quality.data",
        "quality.label_noise", "quality.shortcut", "quality.drift",
    ),
    "Article 11 and annex IV, point 2": ("transparency", "environment.training_energy"),
    "Article 13": ("quality", "fairness", "security"),
    "Article 14": ("quality.calibration_error",),
    "Article 15(1) and (3)": ("quality",),
    "Article 15(4)": (
        "security.perturbation", "security.latency_tail", "fairness.language_variety", "quality.stability",
    ),
    "Article 15(5)": (
        "security.backdoor", "security.adversarial", "security.accuracy_under_attack", "security.artifact",
        "privacy.membership_inference", "privacy.membership_tpr", "privacy.canary_epsilon", "privacy.attribute_leakage",
        "privacy.attribute_accuracy",
    ),
    "GDPR 5": ("fairness", "privacy.pii_in_training_data", "quality.accuracy"),
    "GDPR 9": ("fairness.counterfactual", "privacy.attribute_leakage", "privacy.attribute_accuracy"),
    "GDPR 22": ("transparency.explanations", "quality.calibration_error"),
    "GDPR 25": ("privacy",),
    "GDPR 32": (
        "security", "privacy.canary_epsilon", "privacy.membership_inference", "privacy.membership_tpr",
        "privacy.attribute_leakage", "privacy.attribute_accuracy",
    ),
    "GDPR 35": ("fairness", "privacy"),
    "A.5.4": ("fairness", "privacy"),
    "A.5.5": ("environment",),
    "A.6.2.4": ("quality", "fairness", "privacy", "security", "environment", "transparency"),
    "A.6.2.7": ("transparency",),
    "A.7.4": ("privacy.train_test_overlap", "fairness.representation", "quality.data", "quality.label_noise"),
    "A.7.5": ("transparency.provenance",),
}  # fmt: skip


def test_every_rule_says_what_it_leaves_open_and_is_the_only_one_of_its_name() -> None:
    rules = [rule for standard in standards.STANDARDS for rule in standard.rules]
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.asks.endswith(".") and rule.open.endswith(".") for rule in rules)
    nist, eu, gdpr, _ = standards.STANDARDS
    assert [rule.name for rule in nist.rules] == [f"MEASURE 2.{i}" for i in range(1, 14)]
    assert sorted({int(re.findall(r"\d+", rule.name)[0]) for rule in eu.rules}) == list(range(9, 16))
    assert [rule.name for rule in gdpr.rules] == [f"GDPR {article}" for article in (5, 9, 22, 25, 32, 35)]


def test_declarations_name_the_rules_that_each_measure_bears_on() -> None:
    known = ids()
    names = {rule.name for standard in standards.STANDARDS for rule in standard.rules}
    assert {name for declared in known.values() for name in declared.rules} <= names
    for full_id, declared in known.items():
        expected = {name for name, those in RULES.items() if full_id in those or full_id.partition(".")[0] in those}
        assert set(declared.rules) == expected, full_id
        # What became of the claims of the document says nothing of the model.
        assert any(name.startswith("MEASURE") for name in declared.rules) == (declared.challenge != "claims")


def test_a_rule_lists_what_the_declarations_in_the_record_say() -> None:
    value: Any = former.lifted(record(finding(), odds("fail")))
    for declared in value["declarations"]:
        if declared["id"] == "quality.accuracy":
            declared["rules"] = ["Article 12"]
    rows = {row.rule.name: [view.id for view, _ in row.related] for _, rows in standards.tables(
        findings.views(text.shown(value), Limits())
    ) for row in rows}  # fmt: skip
    assert rows["Article 12"] == ["quality.accuracy"]
    assert rows["MEASURE 2.3"] == []
    assert rows["MEASURE 2.11"] == ["fairness.equalized_odds[gender]"]


def test_a_reliability_diagram_is_drawn_inside_its_frame() -> None:
    points = [[0.55, 0.5, 0.4, 0.6], [0.95, 0.99, 0.9, 1.0]]
    details = {"sample": "test examples", "reliability": points}
    html = report.render(record(finding("quality.calibration_error", details=details)))
    drawing = re.search(r'<svg class="reliability".*?</svg>', html, re.DOTALL)
    assert drawing is not None
    circles = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', drawing[0])
    # 200 wide from 44; right answers upwards from 208.
    assert [tuple(map(float, circle)) for circle in circles] == [(154.0, 108.0), (234.0, 10.0)]
    assert words.RELIABILITY in html
    assert "reliability" not in page(record(finding())).text


def roc(*curves: tuple[str, list[Any], list[Any]], **more: Any) -> Any:
    """A finding on membership with these ROC curves: name, points, intervals."""
    drawn = [{"name": name, "points": points, "intervals": rates} for name, points, rates in curves]
    details = {"sample": "members and others", "roc": {"caption": "Attacks on it", "curves": drawn}}
    return finding("privacy.membership_inference", challenge="privacy", details=details | more)


LOSS = ("loss", [[0.001, 0.0], [0.002, 0.004], [0.01, 0.023], [0.1, 0.25], [1.0, 1.0]], [[0.01, 0.023, 0.012, 0.034]])


def drawing_of(value: Any) -> Page:
    found = re.search(r'<svg class="roc".*?</svg>', report.render(value), re.DOTALL)
    assert found is not None
    return Page(found[0])


def places(path: str) -> list[tuple[float, float]]:
    """The absolute points of a path of M, H and V."""
    x = y = 0.0
    found = []
    for command, first, second in re.findall(r"([MHV])(-?[\d.]+)(?: (-?[\d.]+))?", path):
        x = float(first) if command in "MH" else x
        y = float(second) if command == "M" else float(first) if command == "V" else y
        found.append((x, y))
    return found


def inside(svg: Page) -> bool:
    """Whether all lines, marks and paths stay inside the view box."""
    width, height = map(float, svg.all("viewbox")[0].split()[2:])
    across = [float(x) for name in ("x1", "x2", "cx") for x in svg.all(name)]
    down = [float(y) for name in ("y1", "y2", "cy") for y in svg.all(name)]
    for path in svg.all("d"):
        across += [x for x, _ in places(path)]
        down += [y for _, y in places(path)]
    return min(across) >= 0 and max(across) <= width and min(down) >= 0 and max(down) <= height


def test_roc_curves_are_drawn_at_the_logarithms_of_their_rates() -> None:
    svg = drawing_of(record(roc(LOSS)))
    # Three decades, 250 wide from 54 and 250 high up from 258.
    x = {rate: 54 + 250 * (1 + math.log10(rate) / 3) for rate in (0.001, 0.002, 0.01, 0.1, 1)}
    y = {rate: 258 - 250 * (1 + math.log10(rate) / 3) for rate in (0.004, 0.012, 0.023, 0.034, 0.25, 1)}
    line = places(svg.all("d")[0])
    # The rate of 0 is not drawn: the curve comes up through the lower edge where the first member is recognised.
    assert line[0] == pytest.approx((x[0.002], 258), abs=0.06)
    corners = [(0.002, 0.004), (0.01, 0.023), (0.1, 0.25), (1, 1)]
    assert line[1::2] == [pytest.approx((x[false], y[true]), abs=0.06) for false, true in corners]
    # Between two points it stays on the lower one's height.
    assert line[2] == pytest.approx((x[0.01], y[0.004]), abs=0.06)
    whisker = places(svg.all("d")[1])
    assert whisker[0] == pytest.approx((x[0.01], y[0.012]), abs=0.06)
    assert whisker[1] == pytest.approx((x[0.01], y[0.034]), abs=0.06)
    assert (float(svg.all("cx")[0]), float(svg.all("cy")[0])) == pytest.approx((x[0.01], y[0.023]), abs=0.06)
    for share in ("0.1\N{NO-BREAK SPACE}%", "1\N{NO-BREAK SPACE}%", "10\N{NO-BREAK SPACE}%", "100\N{NO-BREAK SPACE}%"):
        assert svg.html.count(f">{share}</text>") == 2
    guessing = next(attrs for tag, attrs in svg.elements if attrs.get("class") == "bound")
    assert [guessing[name] for name in ("x1", "y1", "x2", "y2")] == ["54.0", "258.0", "304.0", "8.0"]
    assert inside(svg)


def test_roc_curves_are_told_in_words() -> None:
    found = page(record(roc(LOSS, ("RMIA <b>", LOSS[1], [[0.01, 0.04, 0.03, 0.05]]))))
    label = drawing_of(record(roc(LOSS))).all("aria-label")[0].replace("\N{NO-BREAK SPACE}", " ")
    said = "at 1 % false alarms 2.3 % [1.2, 3.4] of the members (guessing: 1 %)"
    assert f"Loss: {said}." in label
    assert "95 % confidence" in label
    shown = found.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Attacks on it" in shown
    assert f"loss: {said}" in shown
    assert "RMIA <b>: at 1 % false alarms 4 % [3, 5]" in shown
    assert "an attacker who accuses few people but is nearly always right harms these people most" in shown
    assert words.ROC_UNDECIDED not in shown
    undecided = record(roc(LOSS, undecided="the texts differ"))
    assert words.ROC_UNDECIDED in page(undecided).text
    assert "roc" not in page(record(finding())).all("class")


def test_roc_curves_are_told_apart_by_more_than_colour() -> None:
    value = record(roc(*[(f"attack {i}", LOSS[1], LOSS[2]) for i in range(4)]))
    found = page(value)
    lines = [kind for kind in found.all("class") if kind.startswith("line ")]
    # Each once in the drawing, the best on top, and once in the legend.
    assert lines == [f"line {kind}" for kind in (*reversed(figures.LINES), *figures.LINES)]
    style = found.html.split("<style>")[1].split("</style>")[0]
    dashes = re.findall(r"svg\.roc \.line[.\w]* \{[^}]*stroke-dasharray: ([^;}]+)", style)
    assert len(dashes) == len(set(dashes)) == 4


NAN, SMALLEST = float("nan"), 5e-324
ODD_CURVES: list[tuple[list[Any], list[Any]]] = [
    ([[SMALLEST, 0.5], [1e-9, SMALLEST], [1, 1]], [[0.01, 0, 0, 0]]),
    ([[1, 1]], [[1, 1, 1, 1]]),
    ([[1, 0]], [[0, 0, 0, 1]]),
    ([[0.5, 1], [0.1, 0.2], [0.1, 0.9], [0.3, 0.0]], [[0.5, 0.9, 1, 0.1]]),
    ([[0.0, 0.5], [NAN, 0.1], [0.1, NAN], [None, 1], [0.01, 0.02]], [[NAN, 0.1, 0, 1], [0.01, None, 0, 1]]),
    ([[0.004, 0.4]] * 100, [[0.01, 0.4, 0.0, 1]] * 4),
]


@pytest.mark.parametrize(("points", "intervals"), ODD_CURVES)
def test_odd_roc_curves_stay_in_the_drawing(points: list[Any], intervals: list[Any]) -> None:
    html = report.render(record(roc((HOSTILE, points, intervals))))
    found = Page(html)
    assert found.problems == []
    assert "nan" not in "".join(found.all("d")).lower()
    assert inside(drawing_of(record(roc((HOSTILE, points, intervals)))))
    assert "<script" not in html


@pytest.mark.parametrize("points", [[], [[0, 0], [0, 1]], [[NAN, NAN]]])
def test_roc_curves_without_a_point_are_not_drawn(points: list[Any]) -> None:
    assert '<svg class="roc"' not in report.render(record(roc(("loss", points, []))))
    # … and leave the others their lines.
    both = page(record(roc(("gone", points, []), LOSS)))
    assert [kind for kind in both.all("class") if kind.startswith("line ")] == ["line first"] * 2
    assert "gone" not in both.text


@pytest.mark.parametrize(
    "curve",
    [
        ("x", [["0.1", "0.2"]], []), ("x", [[0.1]], []), ("x", [[0.1, 1.1]], []), ("x", [[-0.1, 1]], []),
        ("x", [[0.1, 0.2]] * 101, []), ("x", [[0.1, float("inf")]], []), ("x", [[0.1, 0.2]], [[0.01, 0.1, 0.2]]),
        ("x", "points", []), ("x", [[0.1, True]], []), (1, [[0.1, 0.2]], []),
    ],
)  # fmt: skip
def test_a_record_with_impossible_roc_curves_is_refused(curve: Any, tmp_path: Path) -> None:
    value = record(roc(LOSS))
    value["findings"][0]["evidence"][0]["curves"] = [dict(zip(("name", "points", "intervals"), curve, strict=True))]
    (tmp_path / "audit.json").write_text(json.dumps(value), "utf-8")
    with pytest.raises(AuditError, match="findings/0/evidence/0/curves/0"):
        records.read(tmp_path / "audit.json")


def pareto(*points: tuple[str, list[Any], list[Any], bool, bool]) -> Any:
    """A finding with these models: name, accuracy, energy, on the front, audited."""
    drawn = [dict(zip(("name", "accuracy", "wh", "front", "audited"), point, strict=True)) for point in points]
    details = {"sample": "test examples", "pareto": drawn}
    return finding("environment.energy_per_gain", challenge="environment", unit="Wh", gate={"max": 1}, details=details)


def explained(*items: Any) -> Any:
    """A finding with these explanations: answer, truth, whether it passed, parts."""
    made = [
        dict(zip(("answer", "truth", "passed", "parts"), item, strict=True)) | {"probability": 0.93} for item in items
    ]
    details = {"sample": "explanations", "explained": made}
    return finding("transparency.explanations", challenge="transparency", unit="", gate={"max": 0.3}, details=details)


RIGHT = ("positive", "positive", True, [["It is ", 0], ["good", 4], [" but ", 0], ["loud", -2]])
WRONG = ("positive", "negative", False, [["Not ", -1], ["good", 3]])


def test_explanations_are_drawn_by_strength_and_told_in_words() -> None:
    found = page(record(explained(RIGHT, WRONG)))
    assert '<span class="for4">good</span>' in found.html
    assert '<span class="against2">loud</span>' in found.html
    shown = found.text.replace("\N{NO-BREAK SPACE}", " ")
    assert "The model says positive (93 %), and so does the label." in shown
    assert f"The model says positive (93 %); the label says negative. {words.EXPLAINED_FAILED}" in shown
    assert shown.count(words.EXPLAINED_FAILED) == 1
    assert "Words for the answer, strongest first: good. Words against it: loud." in shown
    assert words.EXPLAINED not in page(record(finding())).text


def test_explanations_of_strangers_are_only_text() -> None:
    bad = "</span><script>alert(1)</script>"
    found = page(record(explained((bad, bad, True, [[bad, 4], ["y", 0]]))))
    assert "<script" not in found.html
    assert '<span class="for4">&lt;/span&gt;' in found.html


LARGE = ("the audited model", [0.85, 0.83, 0.87], [0.1, 0.05, 0.2], True, True)
WORD_COUNTS = ("TF-IDF", [0.8, 0.78, 0.82], [0.01, 0.0, 0.02], True, False)
OUTDONE = ("GRU", [0.75, 0.73, 0.77], [1.0, 0.5, 2.0], False, False)


def pareto_of(*points: Any) -> Page:
    found = re.search(r'<svg class="pareto".*?</svg>', report.render(record(pareto(*points))), re.DOTALL)
    assert found is not None
    return Page(found[0])


def test_models_are_drawn_by_accuracy_and_the_logarithm_of_energy() -> None:
    svg = pareto_of(LARGE, WORD_COUNTS, OUTDONE)
    square = next(attrs for tag, attrs in svg.elements if tag == "rect" and attrs["class"] == "mark front")
    circles = [(attrs["class"], float(attrs["cx"] or 0)) for tag, attrs in svg.elements if tag == "circle"]
    assert [kind for kind, _ in circles] == ["mark front", "mark"]
    across = [circles[0][1], float(square["x"] or 0) + 5, circles[1][1]]
    # A decade each, from the left to the right.
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    assert across[1] - across[0] > 60
    down = [float(square["y"] or 0) + 5, *map(float, svg.all("cy"))]
    # Five points each, the best on top.
    assert down[1] - down[0] == pytest.approx(down[2] - down[1], abs=0.2)
    assert down[1] - down[0] > 20
    # The front goes from the cheaper one to the right, and up where the better one begins.
    line = next(attrs["d"] or "" for tag, attrs in svg.elements if tag == "path" and attrs["class"] == "line")
    corners = places(line)
    assert corners[1] == pytest.approx((across[0], down[1]), abs=0.2)
    assert corners[2:4] == [pytest.approx((across[1], y), abs=0.2) for y in (down[1], down[0])]
    # An interval that ends at no energy at all runs into the frame, without a cap.
    bars = [attrs["d"] or "" for tag, attrs in svg.elements if tag == "path" and attrs["class"] == "whisker"]
    assert [bar.count("M") for bar in bars] == [6, 5, 6]
    assert places(bars[1])[0] == pytest.approx((54, down[1]), abs=0.2)
    assert inside(svg)


def test_models_are_told_in_words_and_apart_by_more_than_colour() -> None:
    found = page(record(pareto(LARGE, WORD_COUNTS, OUTDONE)))
    label = pareto_of(LARGE, WORD_COUNTS, OUTDONE).all("aria-label")[0].replace("\N{NO-BREAK SPACE}", " ")
    shown = found.text.replace("\N{NO-BREAK SPACE}", " ")
    for said in (
        "1 the audited model: 85 % [83, 87] right for 0.100 Wh [0.050, 0.200]; audited; on the front",
        "2 TF-IDF: 80 % [78, 82] right for 0.010 Wh [0.000, 0.020]; on the front",
        "3 GRU: 75 % [73, 77] right for 1.000 Wh [0.500, 2.000]",
    ):
        assert said in label
        assert said in shown
    assert "95 % confidence" in label
    assert "on a logarithmic scale" in label
    assert words.PARETO in found.text
    numbers = re.findall(r'<text class="number"[^>]*>(\d)</text>', found.html)
    assert numbers == ["1", "2", "3"]
    assert words.PARETO not in page(record(finding())).text


def test_numbers_of_models_that_lie_on_each_other_do_not() -> None:
    svg = pareto_of(LARGE, LARGE, WORD_COUNTS)
    spots = re.findall(r'<text class="number" x="([\d.]+)" y="([\d.]+)"', svg.html)
    (x, y), (u, v), _ = [tuple(map(float, spot)) for spot in spots]
    assert math.dist((x, y), (u, v)) > 10


@pytest.mark.parametrize(
    "point",
    [
        (HOSTILE, [0.0, 0.0, 0.0], [SMALLEST, 0, 1e15], True, True),
        (HOSTILE, [1, 0, 1], [1e15, 1e15, 1e15], False, False),
        (HOSTILE, [0.5, 1, 0], [1, 2, 0.5], True, False),
    ],
)
@pytest.mark.parametrize("beside", [(), (LARGE,), (LARGE, WORD_COUNTS)])
def test_odd_models_stay_in_the_drawing_and_hostile_names_are_texts(point: Any, beside: tuple[Any, ...]) -> None:
    value = record(pareto(point, *beside))
    found = page(value)
    assert found.problems == []
    assert "<script" not in found.html
    assert not {tag for tag, _ in found.elements} & {"script", "img"}
    assert "nan" not in "".join(found.all("d")).lower()
    assert inside(pareto_of(point, *beside))


@pytest.mark.parametrize("point", [(0.8, [0.0, 0.0, 1.0]), (NAN, [0.1, 0.1, 1.0]), (0.8, [NAN, 0.1, 1.0])])
def test_what_is_not_known_of_a_model_is_not_drawn(point: tuple[float, list[float]]) -> None:
    gone = ("gone", [point[0], 0.7, 0.9], point[1], False, False)
    html = report.render(record(pareto(gone)))
    assert '<svg class="pareto"' not in html
    assert "gone" not in page(record(pareto(gone, LARGE))).text


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": [0.5, 0.4, 1.1]}, {"accuracy": [0.5, 0.4]}, {"wh": [1, -1, 2]}, {"wh": "none"}, {"name": 1},
        {"front": "yes"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_record_with_impossible_models_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    value = record(pareto(LARGE))
    value["findings"][0]["evidence"][0]["models"][0] |= change
    (tmp_path / "audit.json").write_text(json.dumps(value), "utf-8")
    with pytest.raises(AuditError, match="findings/0/evidence/0/models/0"):
        records.read(tmp_path / "audit.json")


def test_what_is_not_known_of_a_reliability_diagram_is_left_out() -> None:
    details = {"sample": "test examples", "reliability": [[0.55, NAN, 0.4, 0.6], [0.95, 0.99, 0.9, 1.0]]}
    html = report.render(record(finding("quality.calibration_error", details=details)))
    assert re.findall(r'cx="([\d.]+)" cy', html.split('class="reliability"')[1].split("</svg>")[0]) == ["234.0"]


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", ["7 of 1,828 rows of the test data were left out: 7 without a label.", "“woman” for “WOMAN”, “Woman”"]),
        ("de", ["7 von 1.828 Zeilen der Testdaten wurden ausgelassen: 7 ohne Label.", "„woman“ für „WOMAN“, „Woman“"]),
    ],
)
def test_how_the_data_were_read_stands_on_top(language: str, sentences: list[str]) -> None:
    value = copy.deepcopy(RECORDS["pass"])
    value["data"]["test"]["groups"] = {"sex": {"read_as": {"WOMAN": "woman", "Woman": "woman"}, "missing": {"nan": 12}}}
    top = Page(report.render(value, language).partition("</header>")[0]).text
    for sentence in [*sentences, "nan", "12"]:
        assert sentence in top


def test_training_and_provenance() -> None:
    found = page(RECORDS["pass"]).text
    assert "2e-05" in found
    assert "123456789" in found
    assert "1 0.500 76 % 2 0.300 81 %" in found
    assert "Rows left out, by reason no label: 7" in found
    assert "python -m audit report audit.json" in found
    assert "python -m audit verify audit.json MODEL" in found
    assert "[gates.quality] accuracy = { min = 0.75 }" in found
    assert "predictions.parquet" in found
    loaded = page(record(finding(), model={"source": "x"})).text
    assert "The model was loaded as it is" in loaded


def test_changed_words_are_marked_and_escaped() -> None:
    before, after = text.marked("he said <b> & left", "she said <b> & leaped")
    assert before == "<del>he</del> said &lt;b&gt; &amp; <del>left</del>"
    assert after == "<ins>she</ins> said &lt;b&gt; &amp; <ins>leaped</ins>"
    examples = {"caption": "Texts", "items": [{"before": "a <i>", "after": "b <i>", "note": "x → y"}] * 30}
    html = report.render(record(finding(details={"examples": examples})))
    assert "<del>a</del> &lt;i&gt;" in html
    assert "… and 18 more" in html


@pytest.mark.parametrize(
    "said", ["one two three four five", "one two-three", "x" * 40, "一二三四五六七八九十一二三四五"]
)
def test_a_text_is_not_cut_in_the_middle_of_a_word(said: str) -> None:
    shown = text.short(said, 12)
    assert len(shown) <= 13
    assert shown.endswith("…")
    assert set(re.findall(r"\w+", shown)) <= set(re.findall(r"\w+", said)) or " " not in said


def test_our_own_names_of_figures_are_whole() -> None:
    name = "share of test texts that mention nationality and can be exchanged for those of another"
    own = {"kind": "facts", "items": [{"name": {"template": name, "values": {}}, "value": 1}]}
    table = {"kind": "table", "caption": "x", "columns": [{"template": name, "values": {}}], "rows": [[1]]}
    assert page(record(finding_of(evidence=[own, table]))).text.count(name) == 2


def test_no_sentence_of_the_page_ends_twice() -> None:
    words_of = [["The zip is ", 0], ["hopeless.", 4], [" and ", 0], ["ugly!", -3]]
    answer = {"answer": "negative", "truth": "negative", "probability": 0.9, "passed": True, "parts": words_of}
    told = page(record(finding_of(evidence=[{"kind": "attributions", "answers": [answer]}]))).text
    assert "Words for the answer, strongest first: hopeless. Words against it: ugly." in told
    assert not re.search(r"(?<!\.)\.\.(?!\.)|[!?]\.", told)


def test_keys_and_options_stand_in_no_place_of_the_board() -> None:
    reason = (
        "there is no recipe to train a twin by; supply [model.finetune] and `python -m audit init`, or --audit-model"
    )
    missing = unmeasured("privacy.canary_epsilon", "not_assessed", reason, challenge="privacy", gate={"max": 3})
    found = page(record(missing, unmeasured("x.y", "not_assessed", reason, gate=None), verdict="fail"))
    board = found.html[: found.html.index('<div id="findings"')]
    aside = found.html[found.html.index('<div id="coverage"') : found.html.index('<h2 id="scope-title"')]
    technical = re.findall(r'<span class="small on-screen".*?</span>', board, re.DOTALL)
    assert "For whoever runs the audit: Supply [model.finetune]" in Page(technical[0]).text
    for part in (board.replace(technical[0], ""), aside):
        said = Page(re.sub("<style>.*?</style>", "", part, flags=re.DOTALL)).text
        assert "There is no recipe to train a twin by." in said
        assert not re.search(r"--[a-z]|\[[a-z]|`|python -m|sha256sum", said)
    # Where it is mended all of it stands.
    assert "supply [model.finetune]" in found.part("finding-privacy-canary-epsilon").text


@pytest.mark.parametrize(
    ("said", "plain", "technical"),
    [
        ("Nothing is missing.", "Nothing is missing.", ""),
        ("Supply [data] train.", "Supply [data] train.", ""),  # nothing else is left
        (
            "A word is missing; set [about] owner. So it is open.",
            "A word is missing. So it is open.",
            "Set [about] owner.",
        ),
        ("没有训练数据；请用 --audit-model 提供。", "没有训练数据。", "请用 --audit-model 提供。"),
    ],
)
def test_clauses_for_whoever_runs_the_audit_are_told_apart(said: str, plain: str, technical: str) -> None:
    assert (text.plainly(said), text.technical(said)) == (plain, technical)


@pytest.mark.parametrize(
    ("html", "made"),
    [
        ("<p>0.05 kWh, 40 %, 3 points</p>", "<p>0.05\xa0kWh, 40\xa0%, 3\xa0points</p>"),
        ("<q>40 %</q> <code>3 s</code>", "<q>40 %</q> <code>3 s</code>"),
        ("<p title='40 %'>7 times of 10</p>", "<p title='40 %'>7\xa0times of 10</p>"),
    ],
)
def test_a_number_stays_beside_its_unit(html: str, made: str) -> None:
    assert text.unbroken(html) == made


def test_an_example_that_nothing_was_changed_in_is_one_text() -> None:
    examples = {"caption": "Cases that fail", "items": [{"before": "Not <good>.", "note": "positive 0.9"}]}
    found = page(record(finding(details={"examples": examples})))
    assert found.problems == []
    assert "Text Not <good>. Answer positive 0.9" in found.text
    assert "Before" not in found.part("finding-quality-accuracy").text


def test_a_quoted_text_of_the_data_says_its_row() -> None:
    items = [{"before": "Good.", "after": "G00d.", "note": "x", "row": 1234}, {"before": "Made.", "note": "y"}]
    evidence = [{"kind": "pairs", "caption": "Turned", "items": items}]
    found = page(record(finding_of(evidence=evidence)))
    assert found.problems == []
    assert "Answer x row 1,234 of the test data" in found.text
    assert "Made. Answer y row" not in found.text


def test_evidence_tables_are_drawn_padded_and_cut() -> None:
    table = {
        "caption": "Accuracy by group",
        "columns": ["group", "accuracy", "low", "high", "n"],
        "rows": [["a", 0.8, 0.7, 0.9, 1200], ["b", None, None, None, "<10"], ["c"], *[["d", 0.5, 0.4, 0.6, 7]] * 200],
    }
    empty = {"caption": "Nothing", "columns": [], "rows": [[]]}
    found = page(record(finding(details={"tables": [table, empty], "flag": True, "nested": {"a": [1]}})))
    assert found.problems == []
    assert found.html.count('class="span"') == 98
    assert "… and 103 more" in found.text
    assert "group accuracy n " in found.text
    assert "a 0.800 [0.700, 0.900] 1,200" in found.text
    assert "b – <10" in found.text
    assert 'flag yes nested {"a": [1]}' in found.text


@pytest.mark.parametrize("verdict", ["fail", "inconclusive"])
def test_evidence_of_what_does_not_hold_is_open(verdict: str) -> None:
    assert re.search('<details class="finding [^>]* open>', report.render(record(odds(verdict), verdict="fail")))
    assert not re.search("<details[^>]* open>", report.render(record(odds("pass"))))


GATES = [
    # estimate, low, high, bound, at least, what the drawing says
    (0.8, 0.78, 0.82, 0.75, True, words.ALLOWED),
    (0.7, 0.68, 0.72, 0.75, True, words.BEYOND),
    (0.74, 0.7, 0.78, 0.75, True, words.BOTH_SIDES),
    (0.02, 0.01, 0.05, 0.1, False, words.ALLOWED),
    (-0.4, -0.5, -0.3, 0.1, False, words.ALLOWED),
    (0.1, 0.1, 0.1, 0.1, False, words.ON_THE_GATE),
    (0, 0, 0, 0, False, words.ON_THE_GATE),
    (3, 3, 3, 0, False, words.ONE_BEYOND),
    (0.02, 0.02, 0.02, 0.1, False, words.ONE_ALLOWED),
    (5e9, 4e9, 6e9, 0.1, False, words.BEYOND),
    (0.1, 0.05, 5e9, 0.1, False, words.BOTH_SIDES),
    (0.4, 0.4, None, 8, False, words.OPEN_ABOVE),
    (9, 9, None, 8, False, words.BEYOND),
    (0.9, 0.9, None, 0.75, True, words.ALLOWED),
    (0.5, None, 0.6, 0.75, True, words.BEYOND),
    (0.8, None, 0.9, 0.75, True, words.BOTH_SIDES),
    (-0.005, -0.02, 0.01, -0.01, True, words.BOTH_SIDES),
    (None, None, None, 0.1, False, words.NOT_MEASURED),
]


@pytest.mark.parametrize(("estimate", "low", "high", "bound", "at_least", "said"), GATES)
def test_gates_are_drawn_inside_the_picture(
    estimate: float | None, low: float | None, high: float | None, bound: float, at_least: bool, said: str
) -> None:
    drawn = figures.against_gate(estimate, low, high, bound=bound, at_least=at_least)
    svg = Page(drawn)
    assert svg.problems == []
    assert said in svg.all("aria-label")[0]
    across = [float(x) for name in ("x", "x1", "x2", "cx") for x in svg.all(name)]
    across += [float(x) + float(w) for x, w in zip(svg.all("x"), svg.all("width"), strict=True)]
    across += [float(x) for d in svg.all("d") for x in re.findall(r"[ML](-?[\d.]+)", d)]
    assert min(across) >= 0
    assert max(across) <= figures.WIDTH
    assert all(float(w) >= 0 for w in svg.all("width"))


def test_a_short_interval_does_not_look_like_a_full_count() -> None:
    assert "cap" in figures.against_gate(0.5, 0.4999, 0.5001, bound=0.5002, at_least=False)
    assert "cap" not in figures.against_gate(0.5, 0.5, 0.5, bound=1, at_least=False)


def test_a_gate_at_zero_allows_the_line_only() -> None:
    count = figures.against_gate(0, 0, 0, bound=0, at_least=False, room=figures.Room(0))
    assert 'class="allowed" x="160.0" y="3" width="0.0"' in count
    assert 'width="0.0"' not in figures.against_gate(-0.1, -0.2, 0.1, bound=0, at_least=False)


def bar_of(drawn: str) -> list[float]:
    """Where the bar of a drawing begins and how wide it is."""
    (found,) = re.findall(r'class="bar [^"]*" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn)
    return [float(each) for each in found]


def test_distances_to_the_gates_are_in_half_widths_of_the_interval_on_one_scale() -> None:
    one = figures.against_gate(0.83, 0.82, 0.84, bound=0.8, at_least=True)
    other = figures.against_gate(0.05, 0.04, 0.06, bound=0.08, at_least=False)
    assert bar_of(one) == pytest.approx(bar_of(other))  # three half-widths from the gate, on the side that it allows
    step = figures.HALF / figures.REACH
    assert bar_of(one) == pytest.approx([figures.MIDDLE - 4 * step, 2 * step], abs=0.1)
    assert figures.nearness(0.83, 0.82, 0.84, bound=0.8, at_least=True) == pytest.approx(-2)
    assert figures.nearness(0.09, 0.08, 0.1, bound=0.08, at_least=False) == pytest.approx(2)
    assert figures.nearness(0.01, 0.01, 0.01, bound=0.08, at_least=False) == -math.inf


def test_what_is_impossible_is_not_shaded() -> None:
    share = figures.Room(0, 1)
    step = figures.HALF / figures.REACH
    # 0 is two half-widths left of the gate.
    few = figures.against_gate(0.02, 0.01, 0.03, bound=0.02, at_least=False, room=share)
    assert f'class="allowed" x="{figures.MIDDLE - 2 * step:.1f}"' in few
    # At least 0.98: 1 is the best that there is, and it too lies two half-widths away.
    many = figures.against_gate(0.99, 0.98, 1.0, bound=0.98, at_least=True, room=share)
    assert f'class="allowed" x="{figures.MIDDLE - 2 * step:.1f}"' in many
    assert f'class="allowed" x="{figures.MIDDLE - figures.HALF:.1f}"' in figures.against_gate(
        0.02, 0.01, 0.03, bound=0.02, at_least=False
    )


def test_every_gate_is_drawn_in_the_row_of_its_finding() -> None:
    rows = re.findall(r"<summary>\s*<h[34] class.*?</summary>", page(EVERYTHING).html, re.DOTALL)
    assert len(rows) == len(EVERYTHING["findings"]) + 1
    gated = [row for row in rows if '<svg class="gate"' in row]
    assert len(gated) == sum(
        each["gate"] is not None and each["estimate"] is not None for each in EVERYTHING["findings"]
    )


def test_a_finding_that_has_no_figure_tells_in_its_row_what_is_missing() -> None:
    missing = "The policy states no reference shares."
    reported = unmeasured("fairness.representation[region]", "reported", "no gate is set for it", gate=None)
    shown = Page(report.render(record(reported | {"details": {"summary": missing}})))
    assert f"There is no figure. {missing}" in shown.text


def test_single_figures_are_written_as_people_read_them() -> None:
    assert [text.figure(x) for x in (0, 0.0, -0.0, 1.0, 1234567, 0.00012, -0.5, 1e-12, 1234.5)] == [
        "0", "0", "0", "1", "1,234,567", "0.00012", "−0.500", "1.0e-12", "1,234",
    ]  # fmt: skip


def hostile(value: Any) -> Any:
    """Every text and key of a record's free parts, replaced by something that wants out."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [hostile(item) for item in value]
    if isinstance(value, dict):
        return {f"{key}{HOSTILE}": hostile(item) for key, item in value.items()}
    return value


_SHARES = [0.1, 0.1, 0.05, 0.2]
HOSTILE_EVIDENCE = [
    {"kind": "table", "caption": HOSTILE, "columns": [HOSTILE, "b"], "rows": [[HOSTILE, 1]]},
    {"kind": "pairs", "caption": HOSTILE, "items": [dict.fromkeys(("before", "after", "note"), HOSTILE)]},
    {"kind": "confusion", "classes": [HOSTILE], "counts": [[HOSTILE]]},
    {"kind": "calibration", "bins": [_SHARES]},
    {"kind": "roc", "caption": HOSTILE, "curves": [{"name": HOSTILE, "points": [[0.1, 0.2]], "intervals": [_SHARES]}]},
    {"kind": "curves", "caption": HOSTILE, "series": [{"name": HOSTILE, "points": [_SHARES]}], "logarithmic": True},
    {"kind": "distribution", "caption": HOSTILE, "unit": HOSTILE, "levels": [0.5], "rows": [[HOSTILE, [0.1]]]},
    {"kind": "pareto", "models": [
        {"name": HOSTILE, "accuracy": [0.8] * 3, "wh": [0.1] * 3, "front": True, "audited": False},
    ]},
    {"kind": "attributions", "answers": [
        {"answer": HOSTILE, "probability": 0.5, "truth": HOSTILE, "passed": False, "parts": [[HOSTILE, 4]]},
    ]},
    {"kind": "attention", "tokens": [HOSTILE], "weights": [[0.5]]},  # of a former version
    {"kind": "facts", "items": [{"name": HOSTILE, "value": HOSTILE, "unit": HOSTILE}]},
]  # fmt: skip


def hostile_record() -> Any:
    value = copy.deepcopy(EVERYTHING)
    for one in value["findings"]:
        one |= dict.fromkeys(("title", "unit", "method", "reason"), HOSTILE)
        one["id"] += HOSTILE
        template = {"template": f"{HOSTILE}{{x}}", "values": {"x": HOSTILE}}
        one |= {"summary": template, "caveats": [HOSTILE, template], "sample": HOSTILE, "machine": HOSTILE}
        one |= dict.fromkeys(("stated", "too_small", "undecided", "unbounded", "caution"), HOSTILE)
        one["evidence"] = [
            *HOSTILE_EVIDENCE,
            {"kind": "table", "caption": template, "columns": [template, "b"], "rows": [[template, 1]]},
        ]
    value["findings"][0]["waiver"] = dict.fromkeys(("owner", "reason", "expires"), HOSTILE) | {"valid": True}
    value["findings"][0]["gate"] |= dict.fromkeys(("reason", "owner"), HOSTILE)
    value["not_run"] = [HOSTILE]
    value["model"] |= {"source": HOSTILE, "overridden": HOSTILE, "labels": [HOSTILE], "files": {HOSTILE: HOSTILE}}
    value["model"]["training"] |= {"recipe": {HOSTILE: HOSTILE}, "base": HOSTILE, "history": [{HOSTILE: 1.0}] * 2}
    groups = {HOSTILE: {"read_as": {HOSTILE: HOSTILE}, "missing": {HOSTILE: 10**20}}}
    value["data"]["test"] = {"path": HOSTILE, "classes": {HOSTILE: 1}, "skipped": {HOSTILE: 1}, "groups": groups}
    value["data"]["train"] = {"rows": 10**20, "skipped": {HOSTILE: 10**20, "no label": 1}}
    value["policy"] = hostile(value["policy"]) | {"audit": {"country": HOSTILE}}
    value["policy"]["gates"] = {HOSTILE: {HOSTILE: {"min": 0.5, "reason": HOSTILE, "owner": HOSTILE}}}
    value["policy"]["about"] = dict.fromkeys(About.model_fields, HOSTILE)
    changes = [{"id": HOSTILE, "change": change, "before": {"max": 1e300}, "now": {"max": 10**400}} for change in LAXER]
    value["policy_origin"] = {
        "sha256": "0" * 64,
        "state": "changed",
        "as_embedded": [HOSTILE],
        "gates": changes,
        "settings": [{"name": "inconclusive", "before": HOSTILE, "now": HOSTILE}],
    }
    value["energy"]["phases"][0]["name"] = HOSTILE
    value["provenance"] = {"command": HOSTILE, "policy_file": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    fits_the_schema(value)
    return value


def test_hostile_texts_stay_texts() -> None:
    html = report.render(hostile_record())
    found = Page(html)
    assert found.problems == []
    assert not {tag for tag, _ in found.elements} & {"script", "img"}
    assert "<script" not in html
    assert "{{ 7*7 }}" in html  # shown, not computed
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b]", html)
    ids = Counter(found.all("id"))
    assert max(ids.values()) == 1
    assert {href[1:] for href in found.all("href") if href.startswith("#")} <= ids.keys()


@pytest.mark.slow("renders a huge record", seconds=6)
def test_huge_and_odd_records_stay_small() -> None:
    long, deep = "x" * 1_000_000, json.loads("[" * 200 + "]" * 200)
    table = {"caption": long, "columns": [long] * 50, "rows": [[long[:9_000]] * 50] * 150}
    details = {"tables": [table] * 3, "deep": deep, "summary": long, long: 1, "big": 10**400, "nan": float("nan")}
    value = record(*[finding(f"quality.n{i}", details=details, reason=long) for i in range(5)])
    html = report.render(value)
    assert len(html.encode()) <= report.LARGEST
    assert words.SHORTENED in Page(html).text


def test_which_groups_are_too_small_is_told_in_words() -> None:
    value = record(odds())
    value["findings"][0]["too_small"] = {"template": "{0}, {1}", "values": {"0": "left", "1": "right"}}
    shown = page(value).text
    assert "left, right" in shown
    assert "template" not in shown


def test_ids_that_look_alike_have_anchors_of_their_own() -> None:
    found = page(record(*[finding(id) for id in ("a.b", "a-b", "a.b[2]", "A.B", "é")]))
    assert max(Counter(found.all("id")).values()) == 1


def test_what_is_written_beside_a_record_is_what_the_record_gives_when_it_is_read(tmp_path: Path) -> None:
    records.write(tmp_path, RECORDS["pass"])
    report_files.write(tmp_path, RECORDS["pass"], "")
    assert (tmp_path / "report.html").read_text("utf-8") == report.render(records.read(tmp_path / "audit.json"))
    names = ["audit.json", "badge.svg", "findings.csv", "report.html", "summary.md"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_a_limit_of_several_findings_of_one_measure_is_told_once() -> None:
    parts = [
        finding(
            f"security.perturbation[{kind}]",
            challenge="security",
            title="Robustness to disturbed text",
            details={"limits": ["Shared by all kinds.", f"Only true of {kind}."]},
        )
        for kind in ("typos", "ocr", "html")
    ]
    shown = report.render(record(*parts, finding(details={"limits": ["Shared by all kinds."]})))
    # Once for the measure, and once for the other measure, which may stand far from it.
    assert shown.count("Shared by all kinds.") == 2
    assert all(f"Only true of {kind}." in shown for kind in ("typos", "ocr", "html"))


# Claims of the document


def claim(outcome: str, id: str = "claims.learning_rate", verdict: str = "reported", **more: Any) -> Any:
    series = [
        {"name": "fine-tuned", "points": [[0.0001, 0.7, 0.68, 0.72], [0.001, 0.8, 0.78, 0.82]]},
        {"name": "from scratch", "points": [[0.0001, 0.6, 0.58, 0.62], [0.001, 0.6, 0.58, 0.62]]},
    ]
    details = {
        "outcome": outcome,
        "sample": "test examples",
        "lines": {"caption": "Accuracy by rate", "series": series},
    }
    value = {"challenge": "claims", "title": "A lower rate", "gate": None, "details": details}
    return finding(id, verdict, **(value | more))


def test_claims_have_a_section_where_they_were_asked_for_and_nowhere_else() -> None:
    title = words.SECTIONS["claims"][0]
    assert title not in page(EVERYTHING).text
    found = page(record(finding(), claim("refuted"), claim("supported", id="claims.linear")))
    assert found.problems == []
    assert title in found.part("claims").text
    kind, card = found.card("claims")
    assert (kind, "✕ 1 Refuted" in card and "✓ 1 Supported" in card) == ("plain", True)
    assert "All limits hold" in found.html.split("</title>")[0]


@pytest.mark.parametrize("outcome", list(words.OUTCOMES))
def test_a_claim_says_what_became_of_it_and_draws_its_evidence(outcome: str) -> None:
    found = page(record(finding(), claim(outcome))).part("finding-claims-learning-rate")
    assert words.OUTCOMES[outcome].word in found.text
    assert words.OUTCOME_MEANINGS[outcome] in found.text
    assert [name for name in ("fine-tuned", "from scratch") if name in found.text] == ["fine-tuned", "from scratch"]
    assert found.html.count('class="whisker"') == 4


def test_a_gated_claim_shows_its_verdict_and_its_outcome() -> None:
    gated = claim("supported", verdict="fail", gate={"min": 0.9})
    found = page(record(finding(), gated, verdict="fail")).part("finding-claims-learning-rate")
    assert "Fail" in found.text
    assert words.OUTCOME_MEANINGS["supported"] in found.text


def test_lines_rise_with_the_value_and_go_right_by_multiples() -> None:
    points = [[1, 0.5, 0.4, 0.6], [10, 0.6, 0.5, 0.7], [100, 0.8, 0.7, 0.9]]
    drawn = figures.lines([points], "label")
    (path,) = re.findall(r'class="line first" d="M([^"]+)"', drawn)
    places = [tuple(map(float, each.split())) for each in path.split("L")]
    (x1, y1), (x2, y2), (x3, y3) = places
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y1 > y2 > y3  # upwards is less in SVG
    assert y1 - y2 == pytest.approx((y2 - y3) / 2, abs=0.2)
    # One point, one value: in the middle, and no division by zero.
    assert "nan" not in figures.lines([[[1, 0.5, 0.5, 0.5]]], "label")


@pytest.mark.parametrize("change", [{"not_run": ["quality.mcc"]}, {"complete": False}, {"interrupted": True}])
def test_no_record_of_an_audit_that_did_not_end_says_that_limits_hold(change: dict[str, Any]) -> None:
    assert "Incomplete" in page(record(finding(), **change)).text[:200]


@pytest.mark.parametrize(
    "change",
    [
        {"n": 10**400}, {"unit": " "}, {"gate": {"max": 10**400}}, {"gate": {"max": 1e16}},
        {"reason": {"template": "{cls} {template}", "values": {"cls": "a", "template": "b"}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("language", ["en", "de"])
def test_odd_figures_and_sentences_of_a_record_are_shown(change: dict[str, Any], language: str) -> None:
    value: Any = record(finding())
    value["findings"][0] |= change
    assert "</html>" in report.render(value, language)


@pytest.mark.parametrize(
    ("gate", "shown"), [({"min": -(10**400)}, "at least −1"), ({"min": -1e300}, "at least −1"), ({"max": 10**400}, "1")]
)
def test_a_bound_that_is_too_large_to_show_keeps_its_side(gate: dict[str, Any], shown: str) -> None:
    gates = [{"id": "quality.accuracy", "change": "loosened", "before": {"max": 0.1}, "now": gate}]
    value: Any = record(finding(), baseline=FORMER | {"gates": gates})
    value["findings"][0]["gate"] = gate
    found = page(value)
    assert shown in found.text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_sentence_that_is_nested_too_deeply_is_cut() -> None:
    value: Any = record(finding())
    sentence: Any = "x"
    for _ in range(40):
        sentence = {"template": "{before}", "values": {"before": sentence}}
    value["findings"][0]["summary"] = sentence
    assert "…" in page(value).text


def test_a_gate_tells_why_it_is_there_and_who_answers_for_it() -> None:
    gate = {"min": 0.8, "reason": "what <b>counting</b> words reaches", "owner": "A. <i>Person</i>"}
    page = report.render(record(finding(gate=gate)))
    assert "Why there: what &lt;b&gt;counting&lt;/b&gt; words reaches." in page
    assert "A. &lt;i&gt;Person&lt;/i&gt; answers for it." in page
    assert "Why there" not in report.render(record(finding()))
