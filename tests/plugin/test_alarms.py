"""A finding without a gate that is surely worrying: on the terminal, on the page, in files, and what it leads to."""

from __future__ import annotations

import re

import pytest

from audit.core.sentences import from_json
from tests.helpers import ROOT, Runner, WritePolicy, flowed

LOUD = "quality.behaviour[negation_of_neutral]"
ONLY = ("-k", "test_accuracy or (test_behaviour and negation)")
ACCEPTED = '\n[[accepted]]\nid = "{id}"\nreason = "<i>never asked</i>"\nowner = "A. <b>Person</b>"\n'


def _begin(run: Runner, write_policy: WritePolicy, audit: str = "", more: str = "") -> None:
    (run.pytester.path / "test_quality.py").write_text((ROOT / "suites/test_quality.py").read_text("utf-8"), "utf-8")
    path = write_policy(**{"gates.quality": "accuracy = { min = 0.0 }", "audit": audit})
    path.write_text(path.read_text("utf-8") + more, "utf-8")


@pytest.mark.slow("audits", seconds=4)
def test_it_is_loud_and_blocks_nothing(run: Runner, write_policy: WritePolicy) -> None:
    _begin(run, write_policy)
    result = run(*ONLY, "--junitxml=junit.xml")
    assert result.ret == 0
    found = run.finding(LOUD)
    assert (found["verdict"], found["alarm"], found["tolerated"]) == ("reported", True, True)
    assert f"{LOUD}: " in flowed(result.outlines)
    number = sum(bool(each.get("alarm")) for each in run.record["findings"])
    result.stdout.fnmatch_lines([f"{number} alarms without a gate: *", "*answer for them by name*"])
    out = run.pytester.path / "reports"
    page = (out / "report.html").read_text("utf-8")
    head = page[: page.index("</header>")]
    assert f"{number} alarms without a gate" in head
    assert 'id="alarms"' in page
    junit = (run.pytester.path / "junit.xml").read_text("utf-8")
    assert f'name="{LOUD} alarm" value="true"' in junit
    # As people say it, and the same wherever it is told.
    said = from_json(found["summary"])
    assert re.fullmatch(r"A plain fact with a “not” in it is read as an opinion in [\d,]+ of 10+ sentences\.", said)
    assert said.rstrip(".") in flowed(result.outlines)
    for told in (junit, page, *((out / name).read_text("utf-8") for name in ("summary.md", "badge.svg"))):
        assert said in told
    assert f"alarms** ({number})" in (out / "summary.md").read_text("utf-8").replace(
        "Alarms, for which no gate stands", "alarms"
    )


@pytest.mark.slow("audits", seconds=4)
def test_it_blocks_where_the_policy_says_so(run: Runner, write_policy: WritePolicy) -> None:
    _begin(run, write_policy, audit='unguarded = "fail"')
    result = run(*ONLY)
    assert result.ret == 1
    assert run.record["verdict"] == "fail"
    result.stdout.fnmatch_lines(["FAILED test_quality.py::test_behaviour[[]negation_of_neutral]*"])


@pytest.mark.slow("audits", seconds=4)
def test_who_answers_for_it_is_shown_as_a_text(run: Runner, write_policy: WritePolicy) -> None:
    _begin(run, write_policy)
    run(*ONLY)
    loud = [each["id"] for each in run.record["findings"] if each.get("alarm")]
    more = "".join(ACCEPTED.format(id=full_id) for full_id in loud)
    _begin(run, write_policy, audit='unguarded = "fail"', more=more)
    result = run(*ONLY)
    assert result.ret == 0
    assert run.finding(LOUD)["accepted"] == {"reason": "<i>never asked</i>", "owner": "A. <b>Person</b>"}
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    assert "A. &lt;b&gt;Person&lt;/b&gt; answers for it: &lt;i&gt;never asked&lt;/i&gt;" in page
    assert "alarms without a gate" not in page[: page.index("</header>")]
