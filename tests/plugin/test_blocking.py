"""No failing gate ever passes: not by marks, swallowed exceptions, early ends, crashes or probes that hang."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.core.measurement import Measurement
from audit.core.records import FindingRecord, Record, WaiverRecord
from audit.core.verdict import Finding, Gate, Verdict, merge
from audit.record import record
from audit.report import badge, summary
from audit.report.headline import headline
from tests.helpers import MADE, ROOT, Runner, WritePolicy

GATES = {"gates.quality": "accuracy = { min = 0.7 }\nmacro_f1 = { min = 0.7 }"}
HOLDS = """
    @pytest.mark.measures("quality.macro_f1")
    def test_macro_f1(audit):
        audit.check(measured("quality.macro_f1", 0.9, 0.89, 0.91))
"""
CHECK = 'audit.check(measured("quality.accuracy", 0.5, 0.4, 0.6))'
ACCURACY = """
    @pytest.mark.measures("quality.accuracy")
    {mark}
    def test_accuracy(audit):
        {body}
"""


def accuracy(body: str = CHECK, mark: str = "") -> str:
    return ACCURACY.format(body=body, mark=mark)


def passing(folder: Path) -> list[str]:
    """Which of the files in the folder say that all limits hold."""
    texts = {name: (folder / name).read_text("utf-8").lower() for name in ("summary.md", "badge.svg", "report.html")}
    return [
        name for name, text in texts.items() if "all limits hold" in text.partition("</h1>")[0].partition("\n\n")[0]
    ]


FAULTS = {
    "xfail": accuracy(mark="@pytest.mark.xfail"),
    "strict xfail": accuracy(mark="@pytest.mark.xfail(strict=True)"),
    "xfail of this exception": accuracy(mark="@pytest.mark.xfail(raises=BaseException)"),
    "swallowed": accuracy(f"try: {CHECK}\n        except BaseException: pass"),
    "swallowed, then skipped": accuracy(f"try: {CHECK}\n        except BaseException: pytest.skip('no')"),
    "xfail after the check": accuracy(f"try: {CHECK}\n        finally: pytest.xfail('known')"),
    "last test exits": accuracy() + "\n    def test_z_exits():\n        pytest.exit('done', returncode=0)\n",
    "the same test exits": accuracy(f"try: {CHECK}\n        finally: pytest.exit('done', returncode=0)"),
    "checked again": accuracy(
        f"try: {CHECK}\n        except BaseException: audit.check(measured('quality.accuracy', 0.9, 0.8, 0.95))"
    ),
    "checked by another test": accuracy(mark="@pytest.mark.xfail")
    + accuracy('audit.check(measured("quality.accuracy", 0.9, 0.8, 0.95))').replace("test_acc", "test_better_acc"),
    "checked while torn down": """
    @pytest.fixture
    def late(audit):
        yield
        try:
            audit.check(measured("quality.accuracy", 0.5, 0.4, 0.6))
        except BaseException:
            pass
"""
    + accuracy('audit.check(measured("quality.accuracy", 0.9, 0.8, 0.95))').replace("(audit)", "(audit, late)"),
    "not assessed, expected": accuracy("audit.not_assessed('no data')", "@pytest.mark.xfail"),
    "broken, expected": accuracy("raise ZeroDivisionError", "@pytest.mark.xfail"),
    "not run, expected": accuracy(mark="@pytest.mark.xfail(run=False)"),
}


VERDICTS = {"not assessed, expected": "not_assessed", "not run, expected": "not_assessed", "broken, expected": "error"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_gate_that_does_not_hold_blocks_whatever_becomes_of_its_test(
    run: Runner, write_policy: WritePolicy, fault: str
) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(MADE + HOLDS + FAULTS[fault])
    result = run()
    assert result.ret == 1
    assert run.finding("quality.accuracy")["verdict"] == VERDICTS.get(fault, "fail")
    assert run.record["verdict"] == "fail"
    assert not passing(run.pytester.path / "reports")
    result.stdout.fnmatch_lines(["Blocked: *"])
    if "exits" not in fault:
        counts = result.parseoutcomes()
        assert counts.get("failed", 0) + counts.get("errors", 0) + counts.get("error", 0) == 1


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=9)
@pytest.mark.parametrize("fault", ["xfail", "checked by another test", "last test exits", "the same test exits"])
def test_xdist_blocks_as_one_process_does(run: Runner, write_policy: WritePolicy, fault: str) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(MADE + HOLDS + FAULTS[fault])
    assert run("-n", "2").ret not in (0, 5)
    assert run.record["verdict"] == "fail"
    assert not passing(run.pytester.path / "reports")


def test_marks_of_a_conftest_do_not_excuse_the_suites(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.99 }"})
    suites = ROOT / "suites"
    run.pytester.makepyfile(test_quality=(suites / "test_quality.py").read_text("utf-8"))
    run.pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.xfail(reason="known"))
        """
    )
    assert run("-k", "test_accuracy").ret == 1
    assert run.record["verdict"] == "fail"
    assert headline(run.record) == "Blocked: 1 of 2 gates fails, 1 did not run."


def test_an_open_gate_that_may_not_turn_blocks_under_xfail_too(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**GATES, audit='inconclusive = "warn"')
    check = 'audit.check(measured("quality.accuracy", 0.8, {low}, 0.85))'
    run.pytester.makepyfile(MADE + HOLDS + accuracy(check.format(low=0.75)))
    assert run("--audit-out", "former").ret == 0
    run.pytester.makepyfile(MADE + HOLDS + accuracy(check.format(low=0.6), "@pytest.mark.xfail"))
    assert run().ret == 0
    assert run.finding("quality.accuracy")["tolerated"] is True
    assert run("--audit-baseline", "former").ret == 1
    assert run.record["verdict"] == "fail"
    assert run.finding("quality.accuracy")["tolerated"] is False


@pytest.mark.slow("imports transformers", seconds=5)
def test_a_gate_that_could_not_fail_blocks_before_anything_is_trained(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(
        model='source = "small-bert"\nmax_length = 32',
        model__finetune='initialise = "scratch"',
        data='train = "demo"\ntest = "demo"',
        gates__privacy="canary_epsilon = { max = 8 }",
    )
    run.pytester.makepyfile(test_privacy=(ROOT / "suites" / "test_privacy.py").read_text("utf-8"))
    assert run("-k", "canary", "--audit-cache=none").ret == 1
    found = run.finding("privacy.canary_epsilon")
    assert found["verdict"] == "not_assessed"
    assert "with which the gate ε ≤ 8 could not fail, whatever the model remembered" in found["reason"]
    assert "training examples, better" in found["reason"]
    assert {phase["name"] for phase in run.record["energy"]["phases"]} == {"probes", "report"}
    assert not passing(run.pytester.path / "reports")


def test_a_lower_bound_that_could_not_have_exceeded_its_gate_blocks(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(gates__privacy="canary_epsilon = { max = 8 }")
    body = """
    from audit.core.measurement import Reach

    @pytest.mark.measures("privacy.canary_epsilon")
    def test_canaries(audit):
        reach = lambda bound: Reach(bound < 4, "more canaries would do")
        audit.check(Measurement("privacy.canary_epsilon", 0.1, 0.1, None, 400, "ε", "guessed", reach=reach))
    """
    run.pytester.makepyfile(MADE + body)
    assert run().ret == 1
    found = run.finding("privacy.canary_epsilon")
    assert (found["verdict"], found["reason"], found["low"]) == ("not_assessed", "more canaries would do", 0.1)
    assert run.record["verdict"] == "fail"
    assert not passing(run.pytester.path / "reports")
    assert "Supply what is missing: more canaries would do." in (run.pytester.path / "reports/report.html").read_text()


@pytest.mark.slow("audits in processes of their own", seconds=4)
def test_an_audit_that_ends_early_keeps_its_status_and_never_passes(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**GATES)
    holds = accuracy('audit.check(measured("quality.accuracy", 0.9, 0.8, 0.95))')
    for tests, status, verdict in ((holds, 0, "incomplete"), (holds, 7, "incomplete"), (accuracy(), 7, "fail")):
        run.pytester.makepyfile(
            f"{MADE}{HOLDS}{tests}\n    def test_z_ends():\n        pytest.exit('done', {status})\n"
        )
        assert run().ret == status
        assert (run.record["verdict"], run.record["complete"]) == (verdict, False)


# ---- processes that die, and probes that hang

ENDS = {"killed": "os.kill(os.getpid(), 9)", "exits": "os._exit(0)"}


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=14)
@pytest.mark.parametrize("end", ENDS)
def test_xdist_names_what_a_killed_worker_was_to_measure(run: Runner, write_policy: WritePolicy, end: str) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(MADE + "    import os\n" + HOLDS + accuracy(ENDS[end]))
    result = run("-n", "2")
    assert result.ret == 1
    found = run.finding("quality.accuracy")
    assert (found["verdict"], found["title"]) == ("error", "Accuracy")
    assert found["reason"] == "the process that measured it was ended from outside"
    assert (run.record["verdict"], run.record["complete"]) == ("fail", False)
    assert "outside the audit" not in headline(run.record)
    assert run.finding("quality.macro_f1")["verdict"] == "pass"


HANGS = {
    "sleep": "import time; time.sleep(100)",
    "swallowed": "import time\n        try: time.sleep(100)\n        except BaseException: "
    + CHECK.replace("0.4", "0.45"),
    "regex": "import re; re.match('(a*)*b', 'a' * 64)",
}
# A lock that is taken twice: no signal ends the wait, and PyDLL keeps the interpreter's lock all the while.
DEADLOCK = """import ctypes
        lock = ctypes.create_string_buffer(256)
        ctypes.PyDLL(None).pthread_mutex_lock(lock)
        ctypes.PyDLL(None).pthread_mutex_lock(lock)"""
TOO_LONG = "the probe took longer than [audit] timeout_s = 1"


@pytest.mark.slow("audits in processes of their own", seconds=4)
@pytest.mark.parametrize("hang", HANGS)
def test_a_probe_that_hangs_is_an_error_and_the_audit_goes_on(
    run: Runner, write_policy: WritePolicy, hang: str
) -> None:
    write_policy(**{"gates.quality": "macro_f1 = { min = 0.7 }"}, audit="timeout_s = 1")
    run.pytester.makepyfile(MADE + accuracy(HANGS[hang]) + HOLDS)
    assert run().ret == 1
    found = run.finding("quality.accuracy")
    assert (found["verdict"], found["reason"]) == ("error", TOO_LONG)
    assert run.finding("quality.macro_f1")["verdict"] == "pass"
    assert (run.record["verdict"], run.record["not_run"]) == ("fail", ["security.artifact"])


@pytest.fixture
def hangup(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have SIGHUP end a process or be ignored, as under nohup; children inherit it."""
    former = signal.signal(signal.SIGHUP, request.param)
    yield
    signal.signal(signal.SIGHUP, former)


@pytest.mark.slow("audits in processes of their own", seconds=10)
@pytest.mark.parametrize(
    ("hangup", "workers", "status"),
    [
        (signal.SIG_DFL, "0", 1),
        pytest.param(signal.SIG_DFL, "2", 1, marks=pytest.mark.forks),
        (signal.SIG_IGN, "0", -signal.SIGKILL),
    ],
    indirect=["hangup"],
)
@pytest.mark.usefixtures("hangup")
def test_a_probe_that_hangs_in_c_ends_with_a_correct_record(
    run: Runner, write_policy: WritePolicy, workers: str, status: int
) -> None:
    write_policy(**GATES, audit="timeout_s = 1")
    run.pytester.makepyfile(MADE + HOLDS + accuracy(DEADLOCK))
    result = run.pytester.runpytest_subprocess(*run.options, "-n", workers, timeout=300)
    assert result.ret == status
    found = run.finding("quality.accuracy")
    assert (found["verdict"], found["reason"]) == ("error", TOO_LONG)
    assert run.finding("quality.macro_f1")["verdict"] == "pass"
    assert (run.record["verdict"], run.record["complete"]) == ("fail", False)
    assert not passing(run.pytester.path / "reports")
    if workers == "0":
        assert f"ERROR: quality.accuracy: {TOO_LONG}, in code that Python cannot end; " in result.stderr.str()


# ---- any mix

IDS = ("quality.accuracy", "quality.macro_f1", "quality.mcc")
VALID, ENDED = (
    WaiverRecord(reason="known", owner="A. Person", expires="2027-01-01", valid=valid) for valid in (True, False)
)


@st.composite
def findings(draw: st.DrawFn) -> FindingRecord:
    """A finding as it is recorded: any verdict, gate, waiver and leave of the policy."""
    full_id, verdict = draw(st.sampled_from(IDS)), draw(st.sampled_from(list(Verdict)))
    measurement = Measurement(full_id, 0.8, 0.7, 0.9, 100, "share", "counted")
    gate = None if verdict is Verdict.REPORTED else draw(st.sampled_from([Gate(min=0.75), Gate(min=0.75), None]))
    waiver = draw(st.sampled_from([None, VALID, ENDED])) if gate and verdict not in ("pass", "error") else None
    finding = Finding(full_id, "quality", full_id, verdict, "", measurement, gate, waiver, draw(st.booleans()))
    return record.as_dict(finding)


def may_pass(finding: FindingRecord) -> bool:
    """Whether a finding leaves a release possible, from the definition of the verdicts."""
    if finding["verdict"] in ("pass", "not_exceeded", "reported"):
        return True
    if finding["verdict"] == "error":
        return False
    waived = finding["waiver"] is not None and finding["waiver"]["valid"]
    return finding["gate"] is None or waived or (finding["verdict"] == "inconclusive" and finding["tolerated"])


@settings(deadline=None, database=None)
@given(st.lists(findings(), max_size=6), st.sets(st.sampled_from(IDS)), st.booleans(), st.booleans())
def test_a_record_passes_only_if_every_gate_holds_or_is_waived_and_ran(
    drawn: list[FindingRecord], gated: set[str], failed: bool, interrupted: bool
) -> None:
    facts: record.Facts = {
        "policy": {}, "policy_file": None, "gated": sorted(gated), "always_gated": [], "declarations": [], "model": {},
        "data": {"test": {}, "train": {}}, "energy": [], "kept": [], "grids": [],
        "scoring": {"texts": 0, "forward_passes": 0, "cache_hits": 0}, "provenance": {},
    }  # fmt: skip
    value = record.build(
        merge(drawn), [facts], failed=failed, interrupted=interrupted, created="2026-01-01T00:00:00Z", duration_s=1
    )
    holds = all(map(may_pass, drawn)) and gated <= {finding["id"] for finding in drawn}
    passes = holds and not failed and not interrupted and bool(gated)  # without a gate nothing is decided
    assert (value["verdict"] == "pass") is passes
    assert headline(value).startswith("All limits hold") is passes
    assert ("all limits hold" in badge.render(value)) is passes
    # A record that claims to pass, as former versions wrote them.
    claims: Record = {**value, "verdict": "pass"}
    blocked = not all(map(may_pass, value["findings"]))
    assert headline(claims).startswith("Blocked") is blocked
    assert ("Blocked" in summary.render(claims).partition("\n")[0]) is blocked


MARKS = ("", *(f"@pytest.mark.{mark}" for mark in ("xfail", "xfail(strict=True)", "xfail(run=False)", "skip")))
INTERVALS = {"holds": "0.9, 0.89, 0.91", "open": "0.7, 0.6, 0.8", "fails": "0.5, 0.4, 0.6"}
BODIES = {
    "check": "audit.check(measured(NAME, INTERVAL))",
    "swallow": "try: audit.check(measured(NAME, INTERVAL))\n        except BaseException: pass",
    "xfail": "try: audit.check(measured(NAME, INTERVAL))\n        finally: pytest.xfail()",
    "skip": "try: audit.check(measured(NAME, INTERVAL))\n        finally: pytest.skip()",
    "exit": "try: audit.check(measured(NAME, INTERVAL))\n        finally: pytest.exit('', returncode=0)",
    "lack": "audit.not_assessed('no data')",
    "break": "raise ZeroDivisionError",
    "nothing": "pass",
}
TESTS = st.tuples(
    st.sampled_from(IDS), st.sampled_from(MARKS), st.sampled_from(list(BODIES)), st.sampled_from(list(INTERVALS))
)


@pytest.mark.slow("runs an audit twelve times", seconds=12)
@settings(max_examples=12, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(TESTS, min_size=1, max_size=4),
    st.sampled_from(["", "", "pytest.exit('', returncode=0)"]),
    st.sampled_from(["fail", "warn"]),
)
def test_an_audit_passes_only_if_every_gate_holds_or_is_waived_and_ran(
    run: Runner, write_policy: WritePolicy, tests: list[tuple[str, str, str, str]], end: str, inconclusive: str
) -> None:
    gates = "accuracy = { min = 0.7 }\nmacro_f1 = { min = 0.7 }\nmcc = { min = 0.7 }"
    waiver = 'id = "quality.mcc"\nreason = "known"\nowner = "A. Person"\nexpires = 2999-01-01'
    write_policy(**{"gates.quality": gates, "[waivers]": waiver}, audit=f'inconclusive = "{inconclusive}"')
    # Each gate holds in a test of its own; the tests that are drawn come on top, or end the run before.
    drawn = [*tests, *((full_id, "", "check", "holds") for full_id in IDS)]
    source = MADE
    for i, (full_id, mark, body, interval) in enumerate(drawn):
        call = BODIES[body].replace("NAME", f'"{full_id}"').replace("INTERVAL", INTERVALS[interval])
        source += f"""
    @pytest.mark.measures("{full_id}")
    {mark}
    def test_{i}(audit):
        {call}
    """
    run.pytester.makepyfile(source + (f"\n    def test_last():\n        {end}\n" if end else ""))
    result = run()
    for full_id, mark, body, interval in drawn:
        measured = "skip" not in mark and "run=False" not in mark and body not in ("lack", "break", "nothing")
        waived = full_id == "quality.mcc" and (body in ("lack",) or not measured or interval != "holds")
        waived = waived and (body not in ("break", "nothing") or "skip" in mark or "run=False" in mark)
        tolerated = measured and interval == "open" and inconclusive == "warn"
        if not ((measured and interval == "holds") or waived or tolerated):
            assert run.record["verdict"] != "pass", (full_id, mark, body, interval)
        if measured and interval == "fails" and full_id != "quality.mcc" and not any(t[2] == "exit" for t in tests):
            assert run.record["verdict"] == "fail"
            assert result.ret == 1
    if end or any(body == "exit" and "skip" not in mark and "run" not in mark for _, mark, body, _ in tests):
        assert run.record["verdict"] != "pass"
    assert (run.record["verdict"] == "fail") <= (result.ret != 0)
    assert (run.record["verdict"] == "pass") <= all(map(may_pass, run.record["findings"]))
