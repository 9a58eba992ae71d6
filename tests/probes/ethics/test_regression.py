"""Accuracy that a group lost since the former audit: the figure by counting, its interval by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.measurement import Measurement
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.probes.ethics.regression import regression
from tests.helpers import examples, predictions

Right = NDArray[np.bool_]


def of_groups(groups: list[str]) -> Examples:
    return examples(np.arange(len(groups)) % 2, groups={"g": groups})


def lost(about: Examples, before: Right, now: Right) -> Measurement:
    def said(right: Right) -> Predictions:
        return predictions(np.where(right, about.labels, 1 - about.labels), about)

    answers = [about.classes[i] for i in said(before).labels]
    return regression(said(now), "g", dict(zip(about.keys, answers, strict=True)))


def test_it_is_the_loss_of_the_group_that_lost_most() -> None:
    groups = of_groups(["a"] * 100 + ["b"] * 50)
    before = np.ones(150, dtype=bool)
    now = before.copy()
    now[:10] = now[100:110] = False  # 10 of 100, and 10 of 50
    before[140:145] = False  # 5 of b are read now that were not
    found = lost(groups, before, now)
    assert found.estimate == pytest.approx((10 - 5) / 50)  # a lost as much
    now[110:120] = False
    found = lost(groups, before, now)
    assert found.estimate == pytest.approx((20 - 5) / 50)
    assert found.n == 150
    (table,) = found.tables
    assert [row[0] for row in table.rows] == ["b", "a"]
    assert table.rows[0][2:5] == pytest.approx([45 / 50, 30 / 50, 15 / 50])
    assert found.summary == "Of the 50 texts of “b” 90.0 % were read rightly before, and 60.0 % are now."


def test_its_ends_are_those_of_the_worst_group() -> None:
    from audit import statistics

    groups = of_groups(["a"] * 400 + ["b"] * 400)
    before = np.ones(800, dtype=bool)
    now = before.copy()
    now[400:440] = False
    found = lost(groups, before, now)
    assert found.high == pytest.approx(statistics.paired_difference(40, 0, 400, 0.95).high)
    assert found.low == pytest.approx(statistics.paired_difference(40, 0, 400, 0.975).low)


def test_a_group_that_is_too_small_leaves_it_open() -> None:
    right = np.ones(300, dtype=bool)
    found = lost(of_groups(["a"] * 140 + ["b"] * 150 + ["c"] * 10), right, right)
    assert found.high == 1
    assert "c (n 10)" in found.too_small


def test_a_group_of_which_the_former_audit_asked_nothing_leaves_it_open() -> None:
    about = of_groups(["a"] * 140 + ["b"] * 150 + ["c"] * 60)
    asked = dict.fromkeys(about.keys[:290])
    said = predictions(about.labels, about)
    former = {key: about.classes[label] for key, label in zip(asked, about.labels, strict=False)}
    found = regression(said, "g", former)
    assert (found.estimate, found.high) == (0, 1)
    assert "c (n 0)" in found.too_small


def test_without_a_former_audit_it_is_not_assessed() -> None:
    about = examples([0, 1] * 50, groups={"g": ["a", "b"] * 50})
    with pytest.raises(NotAssessed, match="--audit-baseline"):
        regression(predictions([0, 1] * 50, about), "g", None)
    with pytest.raises(NotAssessed, match="shares no test example"):
        regression(predictions([0, 1] * 50, about), "g", {("f" * 64, "positive", 0): "positive"})


@pytest.mark.slow("simulates", seconds=2)
@pytest.mark.parametrize("truth", [0.0, 0.05])
def test_its_ends_err_as_seldom_as_they_say(truth: float) -> None:
    rng, groups, errors = np.random.default_rng(7), of_groups(["a"] * 300 + ["b"] * 100), np.zeros(2)
    for _ in range(150):
        before = rng.random(400) < 0.88
        turned = rng.random(400)
        gained = ~before & (turned < 0.1)
        # What group b loses beyond a: both keep what is gained in balance.
        share = np.repeat([0.0, truth], [300, 100]) + 0.012
        now = (before & ~(turned < share / 0.88)) | gained
        found = lost(groups, before, now)
        assert found.low is not None
        assert found.high is not None
        errors += [found.low > truth, found.high < truth]
    assert (errors / 150 <= 0.06).all()
