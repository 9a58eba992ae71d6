"""The plan: steps by cause, what was measured of them, and where two pull against each other."""

from __future__ import annotations

from typing import Any

import pytest

from audit.report.page import findings, plan, text
from audit.report.page.evidence import Limits
from audit.report.page.plan import Step
from tests.report.page.test_page import finding_of, record
from tests.report.test_summary import BESIDE

ACCURACY = {"id": "quality.accuracy", "title": "Accuracy", "challenge": "quality", "unit": "share"}
MEMBERSHIP = {
    "id": "privacy.membership_inference", "title": "Membership inference", "challenge": "privacy", "unit": "",
    "estimate": 0.7, "low": 0.68, "high": 0.72, "gate": {"max": 0.65},
}  # fmt: skip
EPSILON = MEMBERSHIP | {"id": "privacy.canary_epsilon", "title": "Memory", "unit": "ε", "estimate": 4.0, "low": 4.0,
                        "high": None, "gate": {"max": 3.0}}  # fmt: skip
HISTORY = [{"epoch": float(i), "validation_accuracy": value} for i, value in enumerate([0.6, 0.83, 0.82, 0.835], 1)]


def steps(*found: Any, **more: Any) -> list[Step]:
    value = text.shown(record(*(finding_of(**each) for each in found), verdict="fail", **more))
    views = findings.views(value, Limits())
    return plan.steps(value, findings.problems(views), findings.alarms(views))


def failing(**more: Any) -> dict[str, Any]:
    return {**ACCURACY, "verdict": "fail", "estimate": 0.7, "low": 0.68, "high": 0.72, "gate": {"min": 0.75}, **more}


def test_findings_of_one_cause_are_one_step() -> None:
    found = steps(
        MEMBERSHIP | {"verdict": "fail"}, EPSILON | {"verdict": "fail"}, failing(),
        failing(id="quality.behaviour[places]", title="Language capability"),
        failing(id="quality.behaviour[contrast]", title="Language capability"),
    )  # fmt: skip
    names = [step.names for step in found]
    assert "The model remembers its training texts: Memory, Membership inference" in names
    assert "Accuracy" in names
    assert "Language capability (2)" in names
    assert len(found) == 3
    (memory,) = [step for step in found if step.names.startswith("The model remembers")]
    assert memory.action.count("Fewer epochs") == 1


def test_steps_that_pull_against_each_other_say_so() -> None:
    fewer, more = steps(MEMBERSHIP | {"verdict": "fail"}, failing())
    assert "“The model is not right often enough” for more training" in fewer.conflicts[0]
    assert "“The model remembers its training texts” for less training" in more.conflicts[0]
    (alone,) = steps(MEMBERSHIP | {"verdict": "fail"})
    assert alone.conflicts == []


@pytest.mark.parametrize(
    ("estimate", "said", "unsaid"),
    [(0.74, "more data would only confirm it", "about 900"), (0.76, "About 900 more", "probably fails")],
)
def test_more_data_is_asked_for_only_where_it_may_help(estimate: float, said: str, unsaid: str) -> None:
    (step,) = steps(
        failing(verdict="inconclusive", estimate=estimate, low=0.7, high=0.8, reason="about 900 more would settle it")
    )
    assert said in step.action
    assert unsaid not in step.action
    assert ("Probably" in step.action or "larger model" in step.action) == (estimate < 0.75)


def test_what_was_measured_of_a_step_stands_with_it() -> None:
    energy = {
        "id": "environment.inference_energy", "challenge": "environment", "title": "Energy", "verdict": "fail",
        "unit": "Wh per 1,000 predictions", "estimate": 2.0, "low": 1.8, "high": 2.2, "gate": {"max": 1.0},
    }  # fmt: skip
    beside = {
        "id": "environment.energy_per_gain", "challenge": "environment", "title": "Gain", "verdict": "reported",
        "gate": None, "evidence": [BESIDE], "source": "estimated",
    }  # fmt: skip
    overlap = failing(id="privacy.train_test_overlap", remedy_effect="without these the accuracy is 80.0 %.")
    trained = {"source": "x", "training": {"history": HISTORY}}
    found = steps(MEMBERSHIP | {"verdict": "fail"}, energy, overlap, beside, model=trained)
    told = {step.names: " ".join(step.effects).replace("\N{NO-BREAK SPACE}", " ") for step in found}
    assert "after 2 of 4 epochs the validation accuracy was 83.0 %, at the end 83.5 %" in told["Membership inference"]
    assert "<b>GRU</b> takes 0.100 Wh instead of 0.500 Wh" in told["Energy"]
    assert "an accuracy of 85 % instead of 80 %" in told["Energy"]
    assert told["Accuracy"] == "What was measured of it: without these the accuracy is 80.0 %."


# A number too large to be shown is none.
@pytest.mark.parametrize("history", [[], [{"epoch": 1.0}], [{"epoch": 1e300, "validation_accuracy": 0.5}] * 3])
def test_without_a_progress_nothing_is_said_of_it(history: Any) -> None:
    (step,) = steps(MEMBERSHIP | {"verdict": "fail"}, model={"training": {"history": history}})
    assert step.effects == []


def test_alarms_that_nobody_answers_for_are_in_the_plan() -> None:
    alarm = failing(verdict="reported", gate=None, alarm=True, tolerated=True)
    assert [step.names for step in steps(alarm)] == ["Accuracy"]
    assert steps(alarm | {"accepted": {"reason": "known", "owner": "A. Person"}}) == []


def test_the_severest_harm_stands_first_and_is_named() -> None:
    alarm = {"verdict": "reported", "gate": None, "alarm": True, "tolerated": True}
    found = [
        failing(**alarm),
        MEMBERSHIP | alarm,
        failing(id="environment.training_energy", challenge="environment", **alarm),
    ]
    value = text.shown(record(*(finding_of(**each) for each in found)))
    views = findings.views(value, Limits())
    alarms = findings.alarms(views)
    assert [view.severity for view in alarms] == ["severe harm", "serious harm", "limited harm"]
    said = findings.harmed([], alarms)
    assert said.startswith("Most severe among what stands in the way or alarms: Membership inference. ")
    assert findings.harmed([], []) == ""
