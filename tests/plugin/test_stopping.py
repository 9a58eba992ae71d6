"""An audit that stops its probes: what it asks, says and records, and that it can be killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import ROOT, Runner, WritePolicy, english, flowed

# The model says the same of all texts: nothing turns, and a gate that forbids it is settled soon.
GATES = {"gates.security": "perturbation = { max = 0.3 }", "security": "perturbed = 150"}
CONFTEST = """
    import os

    from audit.inference.scorer import Scorer

    answer, asked = Scorer.predict, []

    def dies(self, texts):
        asked.append(texts)
        if str(len(asked)) == os.environ.get("DIES_AT"):
            os._exit(9)
        return answer(self, texts)

    Scorer.predict = dies
"""


def _suites(run: Runner, *names: str) -> None:
    for name in names:
        text = (ROOT / "suites" / f"test_{name}.py").read_text("utf-8")
        (run.pytester.path / f"test_{name}.py").write_text(text, "utf-8")


@pytest.mark.slow("audits twice", seconds=12)
def test_a_settled_gate_takes_fewer_texts_and_the_page_says_so(
    run: Runner, write_policy: WritePolicy, tmp_path: Path
) -> None:
    _suites(run, "security")
    only = ("-k", "test_perturbation and (typos or html or case)")
    write_policy(**GATES, audit='stopping = "full"')
    assert run(*only, f"--audit-cache={tmp_path / 'full'}").ret == 0
    full = {each["id"]: each for each in run.record["findings"]}
    passes = run.record["scoring"]["forward_passes"]
    assert not any("stopped" in each for each in full.values())

    write_policy(**GATES)
    result = run(*only, f"--audit-cache={tmp_path / 'settled'}", "--audit-baseline", "reports")
    assert result.ret == 0
    found = run.finding("security.perturbation[typos]")
    stopped = found["stopped"]
    assert stopped["reason"] == "its gate is settled"
    assert found["n"] == stopped["examples"] < stopped["of"] == full[found["id"]]["n"]
    assert (found["verdict"], found["confidence"]) == ("pass", 0.95)
    assert run.record["scoring"]["forward_passes"] < passes
    asked = f"after {stopped['examples']} of {stopped['of']} examples"
    assert f"security.perturbation[typos]: {asked}" in flowed(result.outlines)
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    assert f"stopped after {stopped['examples']} of {stopped['of']} examples: its gate is settled" in page
    assert "measures stopped as soon as they knew enough" in page
    # Who turns it on judges by less, and the page names it.
    assert "when a probe has asked enough was full and is settled" in page


@pytest.mark.forks
@pytest.mark.slow("audits three times, once in a process that dies", seconds=20)
def test_killed_and_begun_again_it_finds_what_it_would_have_found(
    run: Runner, write_policy: WritePolicy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _suites(run, "security", "quality")
    run.pytester.makeconftest(CONFTEST)
    write_policy(**GATES, quality="behaviour_cases = 100")
    only = ("-k", "(test_perturbation and (typos or html)) or (test_behaviour and (numbers or places))")

    def findings(cache: str, dies_at: str = "") -> object:
        monkeypatch.setenv("DIES_AT", dies_at)
        options = [*run.options, f"--audit-cache={tmp_path / cache}", *only]
        ended = run.pytester.runpytest_subprocess(*options, timeout=300)
        assert ended.ret == (9 if dies_at else 0)
        return None if dies_at else english(run.record["findings"])

    findings("killed", dies_at="7")
    assert findings("killed") == findings("undisturbed")


@pytest.mark.parametrize(("option", "setting"), [("--audit-gated-only", "false"), ("-q", "true")])
@pytest.mark.slow("audits", seconds=4)
def test_only_what_is_gated_is_measured_where_that_is_asked_for(
    run: Runner, write_policy: WritePolicy, option: str, setting: str
) -> None:
    _suites(run, "quality", "security")
    gates = {"gates.quality": 'accuracy = { min = 0.0 }\n"behaviour[places]" = { max = 1.0 }'}
    write_policy(**gates, audit=f"gated_only = {setting}")
    assert run(option).ret == 0
    record = run.record
    assert {each["id"] for each in record["findings"]} == {
        "quality.accuracy", "quality.behaviour[places]", "security.artifact",
    }  # fmt: skip
    assert record["verdict"] == "pass"
    assert record["policy"]["audit"]["gated_only"] is True
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    assert "all else was left out, as was asked" in page


def test_a_policy_that_cannot_be_read_is_told_as_without_that_option(run: Runner, write_policy: WritePolicy) -> None:
    _suites(run, "quality")
    write_policy(audit="gated_only = 1")
    result = run("--audit-gated-only")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: *[[]audit] gated_only: expected true or false; it is 1."])
