"""Privacy: what the training data says of people, and of the test. (What the model gives away: see membership.)"""

from __future__ import annotations

from audit.data import Examples
from audit.errors import NotAssessed
from audit.verdict import Measurement

NO_TRAINING_DATA = "the policy names no training data; name it under [data] train"


def train_test_overlap(train: Examples | None, test: Examples) -> Measurement:
    """Share of test examples whose text stands word for word in the training data; a census.

    Raises
    ------
    NotAssessed
        Without training data.
    """
    if train is None:
        raise NotAssessed(NO_TRAINING_DATA)
    known = set(train.texts)
    inside = [text in known for text in test.texts]
    return Measurement.census(
        "privacy.train_test_overlap",
        sum(inside) / len(test),
        len(test),
        "share of test examples",
        "Every test text looked up among the training texts; only exact copies count. A census has no sampling error.",
        confidence=test.protocol.confidence,
        details={
            "test examples that stand in the training data": sum(inside),
            "distinct texts in both": len(known & set(test.texts)),
            "repeated texts within the training data": len(train) - len(known),
            "repeated texts within the test data": len(test) - len(set(test.texts)),
            "limits": ["Texts that differ in a space or a letter count as different."],
        },
    )
