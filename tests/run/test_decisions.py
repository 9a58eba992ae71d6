"""What a measurement comes to by a policy, decided without pytest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from audit.core.errors import AuditError
from audit.core.measurement import Measurement
from audit.core.verdict import complaint
from audit.policy import policy
from audit.probes.catalogue import ids
from audit.run.decisions import Decision, Decisions

TODAY = "2026-03-01"
HOLDS, FAILS, OPEN = (0.9, 0.85, 0.95), (0.5, 0.4, 0.6), (0.7, 0.6, 0.8)


def decisions(more: str = "", *, audit: str = "", former: Any = None) -> Decisions:
    """Decisions by a policy that gates one id and one of its brackets, on a day in March."""
    text = f"""
        [model]
        source = "somewhere"
        [data]
        test = "test.csv"
        subgroups = ["gender", "age"]
        [gates.quality]
        accuracy = {{ min = 0.7 }}
        [gates.fairness]
        accuracy_gap = {{ max = 0.1 }}
        "accuracy_gap[age]" = {{ max = 0.2 }}
        [audit]
        {audit}
        {more}
    """
    return Decisions(policy.parse(text, None), ids(()), former, TODAY)


def measured(interval: tuple[float, float, float], full_id: str = "quality.accuracy") -> Measurement:
    return Measurement(full_id, *interval, 500, "share", "counted")


def waiver(expires: str, full_id: str = "quality.accuracy") -> str:
    return f'[[waivers]]\nid = "{full_id}"\nreason = "data on its way"\nowner = "A. Person"\nexpires = {expires}'


def outcome(decision: Decision) -> str:
    """The one thing that becomes of the test."""
    outcomes = {"waived": decision.is_waived, "fails": decision.blocks, "warns": decision.warns}
    (only,) = [name for name, holds in outcomes.items() if holds] or ["passes"]
    return only


def former(verdict: str, **more: Any) -> Mapping[str, Any]:
    return {"findings": [{"id": "quality.accuracy", "verdict": verdict, **more}]}


@pytest.mark.parametrize(
    ("interval", "inconclusive", "verdict", "expected"),
    [
        (HOLDS, "fail", "pass", "passes"),
        (FAILS, "warn", "fail", "fails"),
        (OPEN, "fail", "inconclusive", "fails"),
        (OPEN, "warn", "inconclusive", "warns"),
    ],
)
def test_the_interval_and_the_policy_decide(
    interval: tuple[float, float, float], inconclusive: str, verdict: str, expected: str
) -> None:
    decision = decisions(audit=f'inconclusive = "{inconclusive}"').judge(measured(interval))
    assert decision.finding.verdict == verdict
    assert outcome(decision) == expected
    assert decision.recorded["verdict"] == verdict
    assert decision.recorded["gate"] == {"min": 0.7}
    assert decision.recorded.get("tolerated") is {"warns": True}.get(
        expected, False if verdict == "inconclusive" else None
    )
    assert decision.message.startswith("quality.accuracy ")


def test_what_no_gate_is_set_for_is_reported() -> None:
    decision = decisions().judge(measured(FAILS, "quality.macro_f1"))
    assert (decision.finding.verdict, outcome(decision)) == ("reported", "passes")


def test_a_bracket_is_held_against_its_own_gate_before_the_general_one() -> None:
    gap = (0.15, 0.12, 0.18)
    assert outcome(decisions().judge(measured(gap, "fairness.accuracy_gap[gender]"))) == "fails"
    assert outcome(decisions().judge(measured(gap, "fairness.accuracy_gap[age]"))) == "passes"


@pytest.mark.parametrize(("expires", "expected"), [("2026-03-01", "waived"), ("2026-02-28", "fails")])
@pytest.mark.parametrize("interval", [FAILS, OPEN])
def test_a_waiver_holds_through_its_last_day(interval: tuple[float, float, float], expires: str, expected: str) -> None:
    decision = decisions(waiver(expires)).judge(measured(interval))
    assert outcome(decision) == expected
    recorded = decision.recorded["waiver"]
    assert recorded is not None
    assert recorded["valid"] is (expected == "waived")
    says_by_whom = decision.message.endswith(f"; waived by A. Person through {expires}: data on its way")
    assert says_by_whom is (expected == "waived")


def test_a_gate_that_holds_needs_no_waiver() -> None:
    decision = decisions(waiver("2026-03-01")).judge(measured(HOLDS))
    assert decision.finding.waiver is None
    assert outcome(decision) == "passes"


def test_missing_evidence_can_be_waived_and_a_broken_probe_cannot() -> None:
    policy_with_waiver = decisions(waiver("2026-03-01"))
    missing = policy_with_waiver.not_assessed("quality.accuracy", "supply labels")
    assert outcome(missing) == "waived"
    broken = policy_with_waiver.error("quality.accuracy", "the probe broke: KeyError")
    assert outcome(broken) == "fails"
    assert complaint(broken.recorded) == "quality.accuracy: the probe broke: KeyError"


@pytest.mark.parametrize(
    ("full_id", "arises", "expected"),
    [
        ("quality.accuracy", True, "fails"),
        ("fairness.accuracy_gap[gender]", True, "fails"),
        ("fairness.accuracy_gap[gender]", False, "passes"),  # gated in general, and the question does not arise
        ("fairness.accuracy_gap[age]", False, "fails"),  # gated by name
        ("quality.macro_f1", True, "passes"),
        ("security.artifact", True, "passes"),  # the audit gates it by itself, without the policy's asking
    ],
)
def test_missing_evidence_fails_where_the_policy_gates_it(full_id: str, arises: bool, expected: str) -> None:
    decision = decisions().not_assessed(full_id, "there is no data", arises=arises)
    assert outcome(decision) == expected
    assert (decision.recorded["gate"] is not None) is (expected == "fails")
    if expected == "fails":
        assert complaint(decision.recorded) == f"{full_id}: not assessed, yet the policy gates it; there is no data"


@pytest.mark.parametrize(
    ("before", "look"),
    [
        (None, "this is look 1 of 2 planned"),
        (former("inconclusive", look=1), "this is look 2 of 2 planned"),
        (former("inconclusive"), "this is look 2 of 2 planned"),  # by a version that did not count
        (former("inconclusive", look=2), "this is look 3, more than the 2 planned: "),
        (former("fail", look=2), "this is look 1 of 2 planned"),
    ],
)
def test_an_open_gate_says_which_look_it_is(before: Mapping[str, Any] | None, look: str) -> None:
    decision = decisions(audit="looks = 2", former=before).judge(measured(OPEN))
    assert look in decision.finding.reason
    assert f"look {decision.recorded.get('look', 1)}" in look


def test_a_gate_that_passed_before_may_not_become_open() -> None:
    decision = decisions(audit='inconclusive = "warn"', former=former("pass")).judge(measured(OPEN))
    assert outcome(decision) == "fails"
    assert decision.finding.reason.endswith("it passed in the former audit, and no gate that passed may turn")


def test_a_test_may_say_which_challenge_it_belongs_to() -> None:
    one = decisions()
    assert one.judge(measured(HOLDS)).finding.challenge == "quality"
    assert one.judge(measured(HOLDS), "ethics").finding.challenge == "ethics"
    assert one.judge(measured(HOLDS, "business.refunds")).finding.title == "business.refunds"


FLIPS, CALM, PERHAPS = (0.3, 0.2, 0.4), (0.05, 0.02, 0.09), (0.12, 0.06, 0.2)


def flips(interval: tuple[float, float, float], axis: str = "age") -> Measurement:
    return Measurement(f"fairness.counterfactual[{axis}]", *interval, 500, "share", "counted")


LEVEL = ids(())["fairness.counterfactual"].alarm.value  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("interval", "is_alarm"), [((LEVEL + 0.3, LEVEL + 0.2, LEVEL + 0.4), True), ((0.0, 0.0, LEVEL), False)]
)
def test_what_is_surely_worse_than_its_alarm_level_is_an_alarm(
    interval: tuple[float, float, float], is_alarm: bool
) -> None:
    decision = decisions().judge(flips(interval))
    assert decision.finding.verdict == "reported"
    assert bool(decision.recorded.get("alarm")) is is_alarm
    assert ("all of its interval is worse than" in decision.finding.reason) is is_alarm
    assert outcome(decision) == "passes"


def test_a_gate_on_another_bracket_takes_the_place_of_the_alarm_level() -> None:
    gates = '[gates.fairness]\n"counterfactual[gender]" = { max = 0.03 }\n"counterfactual[religion]" = { max = 0.1 }'
    text = f'[model]\nsource = "m"\n[data]\ntest = "t"\n{gates}'
    by = Decisions(policy.parse(text, None), ids(()), None, TODAY)
    assert by.judge(flips(FLIPS)).recorded["alarm"]
    # By the loosest of them, so that nothing is an alarm that a gate of this policy lets pass.
    assert not by.judge(flips(CALM)).recorded.get("alarm")
    assert not by.judge(flips(PERHAPS)).recorded.get("alarm")
    assert "worse than 10 %" in by.judge(flips(FLIPS)).finding.reason
    assert not by.judge(flips(FLIPS, "gender")).recorded.get("alarm")  # it fails its gate


@pytest.mark.parametrize(("unguarded", "expected"), [("warn", "passes"), ("fail", "fails"), ("ignore", "passes")])
def test_the_policy_says_what_an_alarm_leads_to(unguarded: str, expected: str) -> None:
    decision = decisions(audit=f'unguarded = "{unguarded}"').judge(flips((0.9, 0.8, 1.0)))
    assert outcome(decision) == expected
    assert bool(decision.recorded.get("alarm")) is (unguarded != "ignore")


ACCEPTED = '[[accepted]]\nid = "fairness.counterfactual[age]"\nreason = "a known weakness"\nowner = "A. Person"'


def test_somebody_may_answer_for_an_alarm() -> None:
    by = decisions(ACCEPTED, audit='unguarded = "fail"')
    decision = by.judge(flips((0.9, 0.8, 1.0)))
    assert outcome(decision) == "passes"
    assert decision.recorded["accepted"] == {"reason": "a known weakness", "owner": "A. Person"}
    assert outcome(by.judge(flips((0.9, 0.8, 1.0), "religion"))) == "fails"
    assert "accepted" not in by.judge(flips((0.0, 0.0, 0.01))).recorded


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('id = "fairness.counterfactul[age]"', "there is no such id; did you mean 'fairness.counterfactual'"),
        ('id = "fairness.counterfactual"', "it must name one finding; expected one of: fairness.counterfactual"),
        ('id = "quality.accuracy"', "a gate is set for it, so it is no alarm"),
    ],
)
def test_an_acceptance_that_accepts_nothing_is_a_mistake(entry: str, message: str) -> None:
    more = f'[[accepted]]\n{entry}\nreason = "r"\nowner = "o"'
    with pytest.raises(AuditError, match=re.escape(message)):
        decisions(more).policy.check_ids(ids(()))
    with pytest.raises(AuditError, match="stands there twice"):
        decisions(f"{ACCEPTED}\n{ACCEPTED}").policy.check_ids(ids(()))


def test_a_gate_is_recorded_with_its_reason_and_its_owner() -> None:
    gate = '{ min = 0.7, reason = "what <b>counting</b> words reaches", owner = "A. Person" }'
    text = f'[model]\nsource = "m"\n[data]\ntest = "t"\n[gates.quality]\naccuracy = {gate}\nmacro_f1 = {{ min = 0.7 }}'
    by = Decisions(policy.parse(text, None), ids(()), None, TODAY)
    recorded = by.judge(measured(HOLDS)).recorded["gate"]
    assert recorded == {"min": 0.7, "reason": "what <b>counting</b> words reaches", "owner": "A. Person"}
    assert by.judge(measured(HOLDS, "quality.macro_f1")).recorded["gate"] == {"min": 0.7}
