"""What an open verdict advises: the setting that helps, or that none does; no number that nobody can follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import Gate, Verdict, judge
from audit.core.measurement import Measurement
from audit.probes.quality.behaviour import behaviour
from audit.probes.security.perturbation import perturbation
from tests.helpers import TWO, examples, predictions, scorer
from tests.probes.environment import test_environment as energy
from tests.probes.quality import test_behaviour as behaviours
from tests.probes.security import test_perturbation as disturbed
from tests.probes.test_contract import CASES, PROBES


def advice(found: Any) -> str:
    """The reason of the verdict at a gate half-way between the estimate and the upper end of the interval."""
    assert isinstance(found, Measurement)
    assert found.estimate is not None
    assert found.high is not None
    verdict, reason = judge(found, Gate(max=(found.estimate + found.high) / 2))
    assert verdict == Verdict.INCONCLUSIVE
    return reason


@pytest.mark.parametrize(
    ("full_id", "words"),
    [
        ("environment.inference_energy", "the blocks differ too much; a machine with nothing else to do"),
        pytest.param(
            "transparency.explanations",
            "; no setting gives more of them",
            marks=pytest.mark.slow("explains texts", seconds=2),
        ),
    ],
)
def test_what_always_asks_as_often_says_so(full_id: str, words: str, tmp_path: Path) -> None:
    assert words in advice(PROBES[full_id](**CASES[full_id](tmp_path).passes))


@pytest.mark.parametrize(
    ("size", "most", "words"),
    [
        (40, 0, "; raise [security] perturbed, now 40"),
        (0, 30, "; raise [data] max_examples, now 30"),
        (1000, 0, " %"),  # all texts were asked about: more of them are all it takes
    ],
)
def test_a_setting_that_holds_the_sample_down_is_named(size: int, most: int, words: str) -> None:
    texts = disturbed._reviews()
    known = set(texts)
    model = scorer(lambda text: [0.1, 0.9] if text in known or sum(map(ord, text)) % 7 else [0.9, 0.1])
    about = examples(np.ones(len(texts)), texts=texts, max_examples=most)
    reason = advice(perturbation(model, predictions(about.labels, about), "typos", size=size))
    assert "more test texts that it changes would settle it with a chance of" in reason
    assert reason.endswith(words)


def test_no_setting_is_named_that_left_nothing_out() -> None:
    # A kind that changes 120 of 200 texts: a larger sample than these 150 would find no more.
    texts = [*(f"{text} {i}" for i, text in enumerate(disturbed._reviews(120))), *(f"1234 {i}" for i in range(80))]
    known = set(texts)
    model = scorer(lambda text: [0.1, 0.9] if text in known or sum(map(ord, text)) % 7 else [0.9, 0.1])
    about = examples(np.ones(200), texts=texts, max_examples=150)
    found = perturbation(model, predictions(about.labels, about), "typos")
    assert found.n < 150
    assert advice(found).endswith(" %")


def test_cases_are_more_as_far_as_there_are_sentences() -> None:
    protocol = examples([0]).protocol
    model = scorer(behaviours._bag)

    def of(cases: int) -> str:
        return advice(behaviour(model, TWO, "negation_of_positive", protocol=replace(protocol, cases=cases)))

    assert of(100).endswith("; raise [quality] behaviour_cases, now 100")
    assert of(10**6).endswith("; no setting gives more of them")


def test_electricity_that_is_estimated_asks_for_a_meter_and_for_no_more_runs() -> None:
    training = PROBES["environment.training_energy"](training=energy.training(0.02, "estimated"))
    assert advice(training) == (
        "the instrument may be that far off, which no number of training runs changes; a machine with power meters "
        "(RAPL, NVML) would settle it"
    )
    blocks = energy.blocks([1e-4, 1.01e-4, 0.99e-4, 1e-4, 1e-4], "estimated")
    use = advice(PROBES["environment.inference_energy"](blocks=blocks, grids=[energy.GERMANY]))
    assert use.startswith("the electricity is estimated")
    assert "more blocks" not in use
