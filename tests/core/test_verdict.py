"""What the evidence says about a gate, case by case, and the words and figures in which it is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from statsmodels.stats.proportion import proportion_confint

from audit import Finding, Gate, Measurement, Result, Verdict, judge
from audit.core.measurement import Reach
from audit.core.numbers import two_digits
from audit.core.verdict import verdict_of
from audit.record.record import as_dict
from audit.statistics import Settling


def measured(
    low: float | None,
    estimate: float | None,
    high: float | None,
    n: int = 1000,
    **more: Any,
) -> Measurement:
    return Measurement("quality.accuracy", estimate, low, high, n, "share", "counted", **more)


def in_unit(unit: str, low: float | None, estimate: float | None, high: float | None) -> Measurement:
    return replace(measured(low, estimate, high), unit=unit)


AT_MOST, AT_LEAST = Gate(max=0.10), Gate(min=0.90)


@pytest.mark.parametrize(
    ("low", "estimate", "high", "gate", "expected"),
    [
        (0.01, 0.03, 0.09, AT_MOST, Verdict.PASS),
        (0.01, 0.03, 0.10, AT_MOST, Verdict.PASS),  # on the gate is within it
        (0.01, 0.03, 0.1001, AT_MOST, Verdict.INCONCLUSIVE),
        (0.05, 0.12, 0.20, AT_MOST, Verdict.INCONCLUSIVE),
        (0.10, 0.12, 0.20, AT_MOST, Verdict.INCONCLUSIVE),
        (0.1001, 0.12, 0.20, AT_MOST, Verdict.FAIL),
        (0.91, 0.93, 0.95, AT_LEAST, Verdict.PASS),
        (0.90, 0.93, 0.95, AT_LEAST, Verdict.PASS),
        (0.8999, 0.93, 0.95, AT_LEAST, Verdict.INCONCLUSIVE),
        (0.80, 0.85, 0.90, AT_LEAST, Verdict.INCONCLUSIVE),
        (0.80, 0.85, 0.8999, AT_LEAST, Verdict.FAIL),
        (-0.05, -0.03, -0.02, Gate(min=-0.01), Verdict.FAIL),
        (-0.005, 0.0, 0.004, Gate(min=-0.01), Verdict.PASS),
        # Censuses: no sampling error, so never inconclusive.
        (0.0, 0.0, 0.0, Gate(max=0), Verdict.PASS),
        (1.0, 1.0, 1.0, Gate(max=0), Verdict.FAIL),
        (0.10, 0.10, 0.10, AT_MOST, Verdict.PASS),
        (0.90, 0.90, 0.90, AT_LEAST, Verdict.PASS),
        (0.89, 0.89, 0.89, AT_LEAST, Verdict.FAIL),
        # Lower bounds.
        (0.05, 0.05, None, AT_MOST, Verdict.NOT_EXCEEDED),
        (0.15, 0.15, None, AT_MOST, Verdict.FAIL),
        # An interval without an upper end is no lower bound that an attack reached.
        (0.05, 0.08, None, AT_MOST, Verdict.INCONCLUSIVE),
        # Nothing known above: no pass.
        (0.0, 0.0, 1.0, AT_MOST, Verdict.INCONCLUSIVE),
        (None, None, None, AT_MOST, Verdict.INCONCLUSIVE),
        (None, None, None, AT_LEAST, Verdict.INCONCLUSIVE),
    ],
)
def test_judge(low: float | None, estimate: float | None, high: float | None, gate: Gate, expected: Verdict) -> None:
    assert judge(measured(low, estimate, high), gate)[0] == expected


def test_without_a_gate_it_is_reported() -> None:
    verdict, reason = judge(measured(0.1, 0.2, 0.3), None)
    assert verdict == Verdict.REPORTED
    assert reason == "no gate is set for it"


def test_a_lower_bound_passes_with_its_caveat() -> None:
    _, reason = judge(measured(0.05, 0.05, None), AT_MOST)
    assert reason == "this attack shows no more; the leak itself is not bounded"


@pytest.mark.parametrize(
    ("measurement", "words"),
    [
        (measured(None, None, None), "one side only"),
        (measured(0.0, 0.0, 1.0), "no evidence"),
        (measured(0.02, 0.05, 1.0, too_small="groups below 30: b (n <10)"), "b (n <10)"),
        (measured(0.05, 0.10, 0.15), "sits on the gate"),
        (measured(0.05, 0.11, 0.17), "more test examples would settle it"),
    ],
)
def test_an_inconclusive_verdict_says_why(measurement: Measurement, words: str) -> None:
    verdict, reason = judge(measurement, AT_MOST)
    assert verdict == Verdict.INCONCLUSIVE
    assert words in reason


def test_the_reason_counts_what_the_sample_counts() -> None:
    blocks = Measurement("environment.inference_energy", 0.4, 0.3, 0.52, 5, "Wh", "counted", sample="blocks")
    assert "more blocks would settle it" in judge(blocks, Gate(max=0.5))[1]


def test_what_holds_the_sample_down_follows_the_advice() -> None:
    found = replace(measured(0.05, 0.08, 0.17), ceiling="raise [security] perturbed, now 1,000")
    assert judge(found, AT_MOST)[1].endswith(" %; raise [security] perturbed, now 1,000")
    assert judge(replace(found, high=0.09), AT_MOST)[1] == ""


def test_no_number_of_runs_narrows_the_error_of_an_instrument() -> None:
    found = replace(measured(0.05, 0.08, 0.17), interval="error bound", sample="training runs", ceiling="buy a meter")
    assert judge(found, AT_MOST)[1] == (
        "the instrument may be that far off, which no number of training runs changes; buy a meter"
    )


def test_a_probe_that_knows_more_says_what_would_settle_it() -> None:
    asked: list[float] = []

    def settle(bound: float) -> Settling | None:
        asked.append(bound)
        return Settling(4000, (("north", 3000), ("south", 1000)))

    found = replace(measured(0.05, 0.08, 0.17), settle=settle)
    reason = judge(found, AT_MOST)[1]
    assert asked == [0.10]
    assert reason == (
        "about 3,000 more test examples would settle it with a chance of 32 %, if the groups keep their shares "
        "(in all then: north 3,000, south 1,000)"
    )
    assert "sits on the gate" in judge(replace(found, settle=lambda bound: None), AT_MOST)[1]
    assert judge(replace(found, high=0.09), AT_MOST)[0] == Verdict.PASS
    assert asked == [0.10]  # only an open verdict asks


def test_a_gate_that_a_lower_bound_could_not_have_exceeded_is_not_assessed() -> None:
    def reach(bound: float) -> Reach:
        return Reach(bound < 0.10, "a thousand canaries would do")

    found = replace(measured(0.05, 0.05, None), reach=reach)
    assert judge(found, AT_MOST) == (Verdict.NOT_ASSESSED, "a thousand canaries would do")
    verdict, reason = judge(found, Gate(max=0.09))
    assert verdict is Verdict.NOT_EXCEEDED
    assert reason.endswith("the leak itself is not bounded; a thousand canaries would do")
    # What is beyond the gate is so whatever the chances were; without a gate nothing is asked.
    assert judge(found, Gate(max=0.04))[0] is Verdict.FAIL
    assert judge(found, None)[0] is Verdict.REPORTED


def test_what_would_settle_it_is_no_part_of_the_record() -> None:
    found = replace(measured(0.05, 0.08, 0.17), settle=lambda bound: None)
    finding = Finding("a.b", "ethics", "", Verdict.REPORTED, "", found)
    assert "settle" not in as_dict(finding)
    assert as_dict(finding) == as_dict(replace(finding, measurement=measured(0.05, 0.08, 0.17)))


def test_more_examples_are_asked_for_where_the_gate_is_nearer() -> None:
    def asked(gate: float) -> int:
        reason = judge(measured(0.80, 0.85, 0.90), Gate(min=gate))[1]
        return int(reason.removeprefix("about ").split()[0].replace(",", ""))

    assert asked(0.84) > asked(0.83) > asked(0.81) >= 1


def test_a_finding_reads_as_one_sentence() -> None:
    low, high = proportion_confint(3488, 4000, alpha=0.05, method="beta")
    measurement = Measurement("quality.accuracy", 3488 / 4000, low, high, 4000, "share of right answers", "counted")
    gate = Gate(min=0.88)
    verdict, reason = judge(measurement, gate)
    finding = Finding("quality.accuracy", "quality", "Accuracy", verdict, reason, measurement, gate)
    assert str(finding) == (
        "quality.accuracy 87.2 % [86.1, 88.2], gate ≥ 88 % (min = 0.88): inconclusive; "
        "about 14,000 more test examples would settle it with a chance of 76 %"
    )


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (
            Finding("a.b", "", "", Verdict.PASS, "", measured(0.01, 0.02, 0.04), Gate(max=0.1)),
            "a.b 2 % [1, 4], gate ≤ 10 % (max = 0.1): pass",
        ),
        (
            Finding("a.b", "", "", Verdict.FAIL, "", in_unit("", 3, 3, 3), Gate(max=0)),
            "a.b 3, gate ≤ 0: fail",
        ),
        (
            Finding("a.b", "", "", Verdict.PASS, "it is only a bound", in_unit("ε", 0.3, 0.3, None), Gate(max=1)),
            "a.b at least 0.300 ε, gate ≤ 1 ε: pass; it is only a bound",
        ),
        (
            Finding("a.b", "", "", Verdict.FAIL, "", in_unit("points", -0.0234, -0.008, 0.0062), Gate(min=-0.005)),
            "a.b −0.8 points [−2.3, 0.6], gate ≥ −0.5 points (min = -0.005): fail",
        ),
        (
            Finding("a.b", "", "", Verdict.NOT_ASSESSED, "supply training data", None, Gate(max=0.1)),
            "a.b, gate ≤ 0.1: not assessed; supply training data",
        ),
        (
            Finding("a.b", "", "", Verdict.NOT_ASSESSED, "supply training data"),
            "a.b: not assessed; supply training data",
        ),
    ],
)
def test_findings_in_words(finding: Finding, text: str) -> None:
    assert str(finding) == text


def test_a_census_has_no_width() -> None:
    found = Result.census(2, 7, "looked at", sample="files")
    assert (found.low, found.estimate, found.high, found.n, found.sample) == (2, 2, 2, 7, "files")


@pytest.mark.parametrize("bounds", [{}, {"min": 0.1, "max": 0.9}])
def test_a_gate_has_one_bound(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="either min or max"):
        Gate(**bounds)  # type: ignore[arg-type]


def test_a_gate_at_zero_is_a_gate() -> None:
    assert (Gate(max=0).bound, Gate(min=0.0).bound) == (0, 0)
    assert str(Gate(min=-0.01)) == "≥ −0.01"


@pytest.mark.parametrize(
    ("value", "rounded"), [(7, 7), (95, 95), (449, 450), (996, 1000), (13_812, 14_000), (1_249_999, 1_200_000)]
)
def test_two_digits(value: int, rounded: int) -> None:
    assert two_digits(value) == rounded


@pytest.mark.parametrize(
    ("estimate", "low", "high", "n", "reason"),
    [
        (None, 0.0, 0.05, 10, "no estimate in it"),
        (None, None, 0.05, 10, "no estimate in it"),
        (float("inf"), 0.0, None, 10, "estimate is infinite"),
        (0.1, 0.0, 0.2, 0, "on what it rests"),
        (0.3, 0.0, 0.2, 10, "within its interval"),
        (float("nan"), None, None, 10, "no number"),
    ],
)
def test_a_result_that_makes_no_sense_is_refused(
    estimate: float | None, low: float | None, high: float | None, n: int, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Result(estimate, low, high, n, "Counted.")


def _recorded(**more: Any) -> Any:
    passed = as_dict(Finding("quality.accuracy", "quality", "Accuracy", Verdict.PASS, "", None, AT_LEAST))
    whole = {"verdict": "pass", "policy": {}, "findings": [passed], "complete": True, "not_run": [], "restarted": None}
    return whole | more


def test_a_record_passes_only_whole_and_without_what_blocks() -> None:
    open_one = as_dict(Finding("quality.mcc", "quality", "MCC", Verdict.INCONCLUSIVE, "", None, AT_LEAST))
    open_one.pop("tolerated", None)  # as former versions wrote it
    strict = {"audit": {"inconclusive": "fail"}}
    assert verdict_of(_recorded()) == "pass"
    assert verdict_of(_recorded(complete=False)) == "incomplete"
    assert verdict_of(_recorded(not_run=["quality.mcc"])) == "incomplete"
    assert verdict_of(_recorded(interrupted=True)) == "incomplete"
    assert verdict_of(_recorded(restarted=True)) == "incomplete"
    assert verdict_of(_recorded(findings=[open_one])) == "pass"
    assert verdict_of(_recorded(findings=[open_one], policy=strict)) == "fail"
    assert verdict_of(_recorded(verdict="fail")) == "fail"


def test_a_fail_says_that_it_has_no_upper_limit_or_that_its_whole_interval_is_beyond() -> None:
    open_above = measured(0.2, 0.2, None, unbounded="it may be worse")
    assert judge(open_above, AT_MOST) == (Verdict.FAIL, "it may be worse")
    assert judge(measured(0.2, 0.25, 0.3), AT_MOST) == (Verdict.FAIL, "the whole interval is beyond the gate")
    assert judge(measured(0.25, 0.25, 0.25), AT_MOST) == (Verdict.FAIL, "")
