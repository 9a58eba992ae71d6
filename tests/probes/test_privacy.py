"""The overlap of training and test is counted."""

from __future__ import annotations

import pytest

from audit import NotAssessed
from audit.probes import privacy
from tests.helpers import examples


def test_the_overlap_is_a_census() -> None:
    train = examples([0, 1, 1, 0, 1], texts=["a", "b", "b", "b", "c"])
    test = examples([0, 1, 1, 0, 1, 0, 0, 1], texts=["a", "a", "b", "x", "y", "y", "C", "c "])
    found = privacy.train_test_overlap(train, test)
    assert (found.low, found.estimate, found.high, found.n) == (3 / 8, 3 / 8, 3 / 8, 8)
    assert found.details["test examples that stand in the training data"] == 3
    assert found.details["distinct texts in both"] == 2
    assert found.details["repeated texts within the training data"] == 2
    assert found.details["repeated texts within the test data"] == 2


def test_the_overlap_is_not_assessed_without_training_data() -> None:
    with pytest.raises(NotAssessed, match=r"\[data\] train"):
        privacy.train_test_overlap(None, examples([0, 1]))
