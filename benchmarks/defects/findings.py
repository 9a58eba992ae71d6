"""The findings that are held against defects, by the default policy's gates; see :mod:`benchmarks.defects.planted`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Any, TypedDict

import numpy as np

from audit.core.errors import AuditError, NotAssessed
from audit.core.identifiers import base_id
from audit.core.measurement import Measurement
from audit.core.verdict import Gate, judge
from audit.inference.predictions import Predictions
from audit.policy import policy
from audit.probes import catalogue
from audit.probes.environment import smaller
from audit.probes.ethics import fairness
from audit.probes.ethics.counterfactual import counterfactual
from audit.probes.ethics.regression import regression
from audit.probes.privacy import attribute_inference, membership, privacy
from audit.probes.privacy.canary import canary_epsilon
from audit.probes.quality import behaviour, quality
from audit.probes.security.adversarial import adversarial
from audit.probes.security.artifact import artifact
from audit.probes.security.perturbation import perturbation
from benchmarks.defects.lab import DIFFICULTIES, GROUP, Case, Lab

# Asked about so many texts, where each costs several passes.
COUNTERFACTUAL, DISTURBED, ATTACKED, DELTA = 600, 400, 100, 1e-5
# What every model and its answers are asked, whatever was planted: which other findings alarm.
BROAD = (
    "quality.accuracy",
    "quality.macro_f1",
    "quality.balanced_accuracy",
    "quality.mcc",
    "quality.roc_auc",
    "quality.calibration_error",
    "quality.baseline_gain",
    f"fairness.accuracy_gap[{GROUP}]",
    f"fairness.worst_group_accuracy[{GROUP}]",
    f"fairness.demographic_parity[{GROUP}]",
    f"fairness.equalized_odds[{GROUP}]",
)
_POLICY = policy.embedded()
_PROBES = {probe.id: probe.declaration for probe in catalogue.probes()}
# The default gates speak of the demo. Real data are harder: ten points less than a linear model reaches there (0.90,
# 0.80, 0.72), and of two classes that comes to this MCC. On none is a small BERT better than words.
_LEAST = {"tweets": 0.80, "sentences": 0.70, "thinned sentences": 0.62}
REAL: Mapping[tuple[str, str], Gate] = {
    (name, found): Gate(min=bound)
    for name, least in _LEAST.items()
    for found, bound in (("quality.accuracy", least), ("quality.mcc", round(2 * least - 1, 2)))
}
# These default gates suit no other data than the demo.
ONLY_DEMO = {
    *("quality.macro_f1", "quality.balanced_accuracy", "quality.roc_auc", "quality.calibration_error"),
    *("quality.baseline_gain", f"fairness.worst_group_accuracy[{GROUP}]"),
}


class Found(TypedDict, total=False):
    """What a probe found: its verdict, or that it refused or could not measure, and its figures or its reason."""

    verdict: str
    estimate: float | None
    low: float | None
    high: float | None
    reason: str


def gate(finding: str, data: str = "reviews") -> Gate:
    """What a finding is held to: the default policy's gate, else the value from which on the declaration alarms."""
    own = REAL.get((data, finding)) or _POLICY.gate(finding)
    if own is not None:
        return own
    declared = _PROBES[base_id(finding)]
    assert declared.alarm is not None
    return Gate(min=declared.alarm.value) if declared.better == "higher" else Gate(max=declared.alarm.value)


def broad(data: str) -> list[str]:
    """What every model on these data is asked."""
    return [finding for finding in BROAD if data not in DIFFICULTIES or finding not in ONLY_DEMO]


def measured(case: Case, finding: str, lab: Lab) -> Measurement:
    """One finding about a case."""
    base, _, bracket = finding.removesuffix("]").partition("[")
    given: Any = case  # what a probe is to be handed and is not there, it refuses
    scorer, train = given.scorer, given.train

    def said() -> Predictions:
        return case.predictions

    probes: Mapping[str, Callable[[], Measurement]] = {
        "quality.accuracy": lambda: quality.accuracy(said()),
        "quality.macro_f1": lambda: quality.macro_f1(said()),
        "quality.balanced_accuracy": lambda: quality.balanced_accuracy(said()),
        "quality.mcc": lambda: quality.mcc(said()),
        "quality.roc_auc": lambda: quality.roc_auc(said()),
        "quality.calibration_error": lambda: quality.calibration_error(said()),
        "quality.baseline_gain": lambda: quality.baseline_gain(
            said(), lab.words(train).predict(case.test.texts).on(case.test)
        ),
        "quality.regression": lambda: quality.regression(said(), case.former),
        "quality.behaviour": lambda: behaviour.behaviour(scorer, case.test.classes, bracket),
        "fairness.accuracy_gap": lambda: fairness.accuracy_gap(said(), bracket),
        "fairness.worst_group_accuracy": lambda: fairness.worst_group_accuracy(said(), bracket),
        "fairness.demographic_parity": lambda: fairness.demographic_parity(said(), bracket),
        "fairness.equalized_odds": lambda: fairness.equalized_odds(said(), bracket),
        "fairness.regression": lambda: regression(said(), bracket, case.former),
        "fairness.counterfactual": lambda: counterfactual(
            scorer, said().take(np.arange(COUNTERFACTUAL)), bracket, whole=False
        ),
        "privacy.membership_inference": lambda: membership.membership_inference(
            scorer, case.members, said(), None, case.held_out
        ),
        "privacy.membership_tpr": lambda: membership.membership_tpr(scorer, case.members, said(), None, case.held_out),
        "privacy.canary_epsilon": lambda: canary_epsilon(given.twin, scorer, delta=DELTA),
        "privacy.train_test_overlap": lambda: privacy.train_test_overlap(train, case.test),
        "privacy.pii_in_training_data": lambda: privacy.pii_in_training_data(train),
        "privacy.attribute_leakage": lambda: attribute_inference.attribute_leakage(scorer, said(), bracket),
        "security.perturbation": lambda: perturbation(scorer, said(), bracket, size=DISTURBED, curves=False),
        "security.adversarial": lambda: adversarial(scorer, said(), examples=ATTACKED),
        "security.artifact": lambda: artifact(scorer.model, case.expected),
        "environment.energy_per_gain": lambda: smaller.energy_per_gain(
            case.alternatives, {}, predictions_per_day=_POLICY.environment.predictions_per_day
        ),
    }
    return probes[base]()


def held(case: Case, finding: str, lab: Lab, data: str) -> Found:
    """The verdict on one finding about a case."""
    try:
        found = measured(case, finding, lab)
    except NotAssessed as refusal:
        return {"verdict": "not_assessed", "reason": str(refusal.reason)}
    except AuditError as error:  # the audit ends with this sentence and exit code 4
        return {"verdict": "refused", "reason": str(error)}
    figures = (found.estimate, found.low, found.high)
    rounded = [None if value is None or not isfinite(value) else round(float(value), 6) for value in figures]
    verdict = str(judge(found, gate(finding, data))[0])
    return {
        "verdict": verdict,
        "estimate": rounded[0],
        "low": rounded[1],
        "high": rounded[2],
        "reason": found.undecided,
    }


def all_of(case: Case, findings: Iterable[str], lab: Lab, data: str) -> dict[str, Found]:
    """The verdicts on several."""
    return {finding: held(case, finding, lab, data) for finding in dict.fromkeys(findings)}
