"""An audit that stops its probes: what it asks, says and records, and that it can be killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import ROOT, Runner, WritePolicy, english

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
    result.stdout.fnmatch_lines([f"PASS *perturbation?typos?* after {stopped['examples']} of {stopped['of']}"])
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
