"""Waivers: a gate that does not hold, and somebody who answers for it until a date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit.core.errors import AuditError
from audit.policy import policy
from audit.probes.catalogue import ids
from tests.helpers import ARTIFACT, MADE, Runner, WritePolicy, flowed

FAILING = (
    MADE
    + """
    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit):
        audit.check(measured("quality.accuracy", {0}))

    @pytest.mark.measures("quality.macro_f1")
    def test_macro_f1(audit):
        audit.check(measured("quality.macro_f1", 0.9, 0.89, 0.91))
    """
)
FAILS, OPEN = "0.5, 0.4, 0.6", "0.7, 0.6, 0.8"


def waiver(days: int, full_id: str = "quality.accuracy") -> str:
    """A waiver that ends so many days from today."""
    expires = datetime.now(UTC).date() + timedelta(days)
    return f'id = "{full_id}"\nreason = "data on its way"\nowner = "A. Person"\nexpires = {expires}'


def write(write_policy: WritePolicy, waived: str, **sections: str) -> None:
    gates = "accuracy = { min = 0.7 }\nmacro_f1 = { min = 0.7 }"
    write_policy(**{"gates.quality": gates, "[waivers]": waived, **sections})


@pytest.mark.parametrize(("interval", "verdict"), [(FAILS, "fail"), (OPEN, "inconclusive")])
@pytest.mark.parametrize(("days", "exit_status"), [(30, 0), (0, 0), (-1, 1)])
def test_a_waiver_lets_a_gate_pass_through_its_last_day(
    run: Runner,
    write_policy: WritePolicy,
    interval: str,
    verdict: str,
    days: int,
    exit_status: int,
) -> None:
    write(write_policy, waiver(days))
    run.pytester.makepyfile(FAILING.replace("{0}", interval), test_security=ARTIFACT)
    result = run()
    assert result.ret == exit_status
    finding = run.finding("quality.accuracy")
    assert finding["verdict"] == verdict
    assert finding["waiver"]["owner"] == "A. Person"
    assert finding["waiver"]["valid"] is (days >= 0)
    assert run.finding("quality.macro_f1")["waiver"] is None
    if days >= 0:
        result.assert_outcomes(passed=2, xfailed=1)
        assert run.record["verdict"] == "pass"
        assert "; waived by A. Person through " in flowed(result.outlines)
        assert ": data on its way" in flowed(result.outlines)
        result.stdout.fnmatch_lines(["All limits hold but one: 2 of 3 gates pass, *"])
    else:
        result.assert_outcomes(passed=2, failed=1)
        assert "; no longer waived by A. Person through " in flowed(result.outlines)
        result.stdout.fnmatch_lines(["Blocked: 1 of 3 gates *"])


def test_a_waiver_does_not_hide_another_failure(run: Runner, write_policy: WritePolicy) -> None:
    write(write_policy, waiver(9, "quality.macro_f1"))
    run.pytester.makepyfile(FAILING.replace("{0}", FAILS))
    assert run().ret == 1
    assert run.record["verdict"] == "fail"


def test_missing_evidence_can_be_waived_and_a_broken_probe_cannot(
    run: Runner,
    write_policy: WritePolicy,
) -> None:
    write(write_policy, waiver(9))
    for body, exit_status, verdict in (
        ('audit.not_assessed("there is no data")', 0, "not_assessed"),
        ('raise ZeroDivisionError("no rows")', 1, "error"),
    ):
        run.pytester.makepyfile(
            f"""
            import pytest

            @pytest.mark.measures("quality.accuracy")
            def test_accuracy(audit):
                {body}
            """
        )
        result = run()
        assert result.ret == exit_status
        assert run.finding("quality.accuracy")["verdict"] == verdict
        assert (run.finding("quality.accuracy")["waiver"] is not None) is (exit_status == 0)


def test_waived_tests_run_as_if_they_were_not_where_pytest_is_told_so(
    run: Runner,
    write_policy: WritePolicy,
) -> None:
    write(write_policy, waiver(9))
    run.pytester.makepyfile(FAILING.replace("{0}", FAILS))
    assert run("--runxfail").ret == 1


@pytest.mark.parametrize(
    ("waived", "says"),
    [
        (waiver(1, "quality.acuracy"), "did you mean 'quality.accuracy'"),
        (waiver(1, "quality.mcc"), "no gate is set for it"),
        (waiver(1, "fairness.accuracy_gap"), "expected one of: fairness.accuracy_gap[gender]"),
        (f"{waiver(1)}\n[[waivers]]\n{waiver(2)}", "stands there twice"),
        (waiver(1).replace("A. Person", ""), "key [[waivers]] number 1, owner: "),
        (waiver(1).replace("owner", "ownr"), "unknown key [[waivers]] number 1, ownr; did you mean 'owner'"),
        (f"{waiver(1)}\n[[waivers]]\n{waiver(2).partition('owner')[0]}", "key [[waivers]] number 2, owner is missing"),
        (waiver(1).replace("expires = ", "expires = '").strip() + "'", "key [[waivers]] number 1, expires: "),
    ],
)
def test_a_waiver_that_waives_nothing_is_refused(waived: str, says: str) -> None:
    text = f"""
[model]
source = "small-bert"
[data]
test = "demo"
subgroups = ["gender"]
[gates.quality]
accuracy = {{ min = 0.5 }}
[gates.fairness]
accuracy_gap = {{ max = 0.5 }}
[[waivers]]
{waived}
"""
    with pytest.raises(AuditError) as caught:
        policy.parse(text, None).check_ids(ids())
    assert says in str(caught.value)


def test_a_gate_that_passed_may_not_turn_even_where_open_verdicts_only_warn(
    run: Runner,
    write_policy: WritePolicy,
) -> None:
    write(write_policy, waiver(9, "quality.macro_f1"), audit='inconclusive = "warn"')
    run.pytester.makepyfile(FAILING.replace("{0}", OPEN))
    assert run("--audit-out", "open").ret == 0
    # What was open before may stay open.
    assert run("--audit-baseline", "open").ret == 0
    run.pytester.makepyfile(FAILING.replace("{0}", "0.8, 0.75, 0.85"))
    assert run("--audit-out", "former").ret == 0
    run.pytester.makepyfile(FAILING.replace("{0}", OPEN))
    assert run("--audit-baseline", "former").ret == 1
    assert "no gate that passed may turn" in run.finding("quality.accuracy")["reason"]
