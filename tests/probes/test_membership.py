"""Membership inference on made signals: exact figures, honest intervals, and what blind baseline and twins decide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from audit import Gate, NotAssessed, Verdict, judge
from audit.data import Examples
from audit.probes import membership
from audit.scorer import Predictions, Scorer
from tests.helpers import examples, scorer


def _texts(first: int, count: int) -> list[str]:
    """Texts that say nothing of who is a member."""
    return [f"text {i:06}" for i in range(first, first + count)]


def _made(
    inside: NDArray[np.float64], outside: NDArray[np.float64], **protocol: Any
) -> tuple[Scorer, Examples, Predictions, dict[str, float]]:
    """Members and others whose true class (always positive) has these probabilities."""
    members = examples(np.ones(len(inside)), texts=_texts(0, len(inside)), **protocol)
    others = examples(np.ones(len(outside)), texts=_texts(len(inside), len(outside)), **protocol)
    chances = dict(zip(members.texts + others.texts, [*inside, *outside], strict=True))
    made = scorer(lambda text: [1 - chances[text], chances[text]])
    return made, members, made.predict(others.texts).on(others), chances


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_the_attacks_auc_is_scikit_learns(shift: float) -> None:
    rng = np.random.default_rng(0)
    # Exact in float32, with ties.
    inside = np.round(1 / (1 + np.exp(-rng.normal(shift, size=400))) * 256) / 256
    outside = np.round(1 / (1 + np.exp(-rng.normal(size=300))) * 256) / 256
    made, members, predicted, _ = _made(inside, outside)
    found = membership.membership_inference(made, members, predicted)
    # The loss is -log p: the order is that of p, small losses first.
    expected = roc_auc_score([1] * 400 + [0] * 300, np.concatenate([inside, outside]))
    assert found.estimate == pytest.approx(expected, abs=1e-12)
    assert found.n == 700
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high
    assert found.details["mean loss of members"] == pytest.approx(-np.log(np.maximum(inside, 1e-12)).mean())


def test_a_model_that_remembers_fails_and_one_that_does_not_passes() -> None:
    rng = np.random.default_rng(1)
    verdicts = []
    for memory in (3.0, 0.0):
        inside = 1 / (1 + np.exp(-rng.normal(memory, size=1500)))
        made, members, predicted, _ = _made(inside, 1 / (1 + np.exp(-rng.normal(size=1500))))
        verdicts.append(judge(membership.membership_inference(made, members, predicted), Gate(max=0.6))[0])
    assert verdicts == [Verdict.FAIL, Verdict.PASS]


def test_the_rate_at_one_percent_false_alarms() -> None:
    # 100 others with losses above 0.1, one at 0.1: members below it are recognised without any false alarm.
    outside = np.concatenate([[np.exp(-0.1)], np.linspace(0.2, 0.8, 100)])
    inside = np.array([np.exp(-0.01)] * 3 + [0.5] * 7)
    made, members, predicted, _ = _made(inside, outside)
    found = membership.membership_inference(made, members, predicted)
    assert found.details["members recognised at 1 % false alarms"] == pytest.approx(0.3)


def test_test_texts_that_are_members_are_left_out() -> None:
    made, members, _, _ = _made(np.linspace(0.5, 0.9, 20), np.linspace(0.4, 0.8, 10))
    texts = [*members.texts[:5], *_texts(20, 10)]
    about = examples([1] * 15, texts=texts)
    found = membership.membership_inference(made, members, made.predict(texts).on(about))
    assert (found.details["members"], found.details["others"], found.n) == (20, 10, 30)


def test_only_a_sample_of_the_members_is_scored() -> None:
    made, members, predicted, _ = _made(np.linspace(0.5, 0.9, 50), np.linspace(0.4, 0.8, 10), max_examples=8)
    assert membership.membership_inference(made, members, predicted).details["members"] == 8


def test_the_attack_is_not_assessed_without_members_or_others() -> None:
    made, members, predicted, _ = _made(np.linspace(0.5, 0.9, 5), np.linspace(0.4, 0.8, 5))
    with pytest.raises(NotAssessed, match=r"\[data\] train"):
        membership.membership_inference(made, None, predicted)
    with pytest.raises(NotAssessed, match="every test text"):
        membership.membership_inference(made, members, made.predict(members.texts).on(members))


def test_one_other_example_is_not_assessed() -> None:
    made, members, predicted, _ = _made(np.linspace(0.5, 0.9, 5), np.array([0.5]))
    with pytest.raises(NotAssessed):
        membership.membership_inference(made, members, predicted)
