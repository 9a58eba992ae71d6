"""An audit within a budget: what it reaches, what it says of the rest, and that it never passes by not asking."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT, Runner, WritePolicy, english, flowed, is_one_sentence

GATES = {
    "gates.quality": "accuracy = { min = 0.0 }",
    "gates.security": "\n".join(
        f'"perturbation[{kind}]" = {{ max = 0.03 }}' for kind in ("typos", "html", "leetspeak")
    ),
    "security": "perturbed = 150",
    "quality": "behaviour_cases = 100",
}
ONLY = (
    "-k",
    "artifact or test_accuracy or (test_perturbation and (typos or html or leetspeak)) "
    "or (test_behaviour and negation)",
)


def _suites(run: Runner, *names: str) -> None:
    for name in names:
        text = (ROOT / "suites" / f"test_{name}.py").read_text("utf-8")
        (run.pytester.path / f"test_{name}.py").write_text(text, "utf-8")


def findings(run: Runner) -> dict[str, Any]:
    return {each["id"]: english(each) for each in run.record["findings"]}


def page(run: Runner) -> str:
    return (run.pytester.path / "reports" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(("budget", "verdict"), [(170, "fail"), (240, "incomplete")])
@pytest.mark.slow("audits three times", seconds=15)
def test_a_budget_of_texts_buys_the_same_whatever_the_cache_holds(
    run: Runner, write_policy: WritePolicy, tmp_path: Path, budget: int, verdict: str
) -> None:
    _suites(run, "quality", "security")
    write_policy(**GATES, audit='inconclusive = "warn"')
    result = run(f"--audit-budget={budget}", f"--audit-cache={tmp_path / 'a'}", *ONLY)
    (line,) = (line for line in result.outlines if line.startswith(f"A budget of {budget} texts beyond the test texts"))
    some, none = map(int, re.findall(r"(\d+) about some, (\d+) cannot begin", line)[0])
    assert some
    assert none
    assert result.ret == (1 if verdict == "fail" else 0)
    found, record = findings(run), run.record
    assert record["policy"]["audit"]["budget"] == str(budget)
    # A gate that was not reached is none that holds, also where the policy lets an open one pass.
    left_open = [each["id"] for each in found.values() if each.get("unreached") and each["gate"]]
    assert left_open
    assert record["verdict"] == verdict
    assert not record["not_run"]
    assert record["complete"] is False
    assert f"The budget of this audit, {budget}, ended before" in page(run)
    result.stdout.fnmatch_lines(["*the budget ended*"])
    reasons = {each["reason"] for each in found.values() if each.get("unreached") and each["verdict"] != "not_assessed"}
    assert all(reason.startswith("the budget ended after ") for reason in reasons)
    # Gates come first: nobody without one was asked about while one with a gate was not.
    asked = [each for each in found.values() if each["verdict"] != "not_assessed" and each["gate"] is None]
    waiting = [each for each in found.values() if each["verdict"] == "not_assessed" and each["gate"]]
    assert not (asked and waiting)

    run(f"--audit-budget={budget}", f"--audit-cache={tmp_path / 'a'}", *ONLY)
    assert run.record["scoring"]["forward_passes"] == 0
    assert findings(run) == found
    pytest.importorskip("xdist")
    run(f"--audit-budget={budget}", f"--audit-cache={tmp_path / 'b'}", "-n2", *ONLY)
    assert findings(run) == found


@pytest.mark.slow("audits", seconds=4)
def test_a_budget_that_covers_all_changes_no_finding(run: Runner, write_policy: WritePolicy) -> None:
    _suites(run, "quality", "security")
    write_policy(**GATES)
    run(*ONLY)
    found = findings(run)
    run("--audit-budget=100000", *ONLY)
    assert findings(run) == found
    assert (run.record["complete"], run.record["verdict"]) == (True, "pass")


@pytest.mark.slow("audits", seconds=4)
def test_a_time_that_is_up_at_once_leaves_all_open(run: Runner, write_policy: WritePolicy) -> None:
    _suites(run, "quality", "security")
    write_policy(**GATES, audit='budget = "0.001s"')
    result = run("--audit-cache=none", *ONLY)
    assert result.ret == 1
    measured = {each["verdict"] for name, each in findings(run).items() if not name.startswith("security.artifact")}
    assert measured == {"not_assessed"}
    assert run.record["verdict"] == "fail"
    assert run.finding("quality.accuracy")["unreached"] is True
    assert "quality.accuracy: the budget ended before it was measured" in flowed(result.outlines)
    # What has no gate is told together, or it would hide the rest; the record has each.
    unreached = [name for name, each in findings(run).items() if each.get("unreached") and not each["gate"]]
    result.stdout.fnmatch_lines([f"NOT ASSESSED  {len(unreached)} without a gate: the budget ended before"])
    assert not any(name in line for name in unreached for line in result.outlines)


@pytest.mark.slow("audits", seconds=4)
def test_a_waiver_stands_for_a_gate_that_was_not_reached(run: Runner, write_policy: WritePolicy) -> None:
    _suites(run, "quality")
    waiver = 'id = "quality.accuracy"\nreason = "seen elsewhere"\nowner = "Ada"\nexpires = 2999-01-01'
    write_policy(**{"gates.quality": "accuracy = { min = 0.0 }"})
    policy = run.pytester.path / "audit.toml"
    policy.write_text(policy.read_text("utf-8") + f"\n[[waivers]]\n{waiver}\n", "utf-8")
    run("--audit-budget=0.001s", "--audit-cache=none", "-k", "test_accuracy")
    assert run.finding("quality.accuracy")["unreached"] is True
    assert not any(each.get("unreached") and not each["waiver"] for each in run.record["findings"] if each["gate"])


@pytest.mark.parametrize("written", ["soon", "0", "15 minutes", "-3"])
def test_a_budget_that_cannot_be_read_is_refused(run: Runner, write_policy: WritePolicy, written: str) -> None:
    _suites(run, "quality")
    write_policy()
    result = run(f"--audit-budget={written}")
    assert result.ret == 4
    (line,) = (line for line in result.errlines if line.startswith("ERROR: "))
    assert line == (
        "ERROR: --audit-budget: expected a time such as 90s, 15m or 2h, or a number of texts such as 20000; "
        f"it is '{written}'."
    )
    assert is_one_sentence(line)


@pytest.mark.slow("begins an audit", seconds=3)
def test_a_scorer_of_somebodys_own_needs_a_time(run: Runner, write_policy: WritePolicy) -> None:
    _suites(run, "quality")
    write_policy()
    run.pytester.makeconftest("""
        import pytest
        from audit.testing import scorer as made

        @pytest.fixture(scope="session")
        def scorer():
            return made(lambda text: [0.5, 0.5], ("negative", "positive"))
    """)
    result = run("--audit-budget=500", "-k", "test_accuracy")
    assert result.ret == 4
    result.stdout.fnmatch_lines(["*replaces the fixture `scorer`*give --audit-budget a time, such as 15m."])
    assert run("--audit-budget=5m", "-k", "test_accuracy").ret != 4


@pytest.mark.slow("audits", seconds=4)
def test_a_test_of_ones_own_is_run_once_and_whole(run: Runner, write_policy: WritePolicy) -> None:
    _suites(run, "quality")
    write_policy(**{"gates.quality": "accuracy = { min = 0.0 }"})
    run.pytester.makepyfile(
        test_own="""
        from pathlib import Path

        def test_own(scorer):
            with Path("ran.txt").open("a") as file:
                file.write("once")
            assert len(scorer.predict(["One text.", "Another text."])) == 2
    """
    )
    result = run("--audit-budget=1", "-k", "test_accuracy or test_own", "test_quality.py", "test_own.py")
    result.assert_outcomes(passed=2)
    assert (run.pytester.path / "ran.txt").read_text("utf-8") == "once"
