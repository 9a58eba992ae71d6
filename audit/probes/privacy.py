"""Privacy: what the model gives away of the people in its training data."""

from __future__ import annotations

import numpy as np

from audit import statistics
from audit.data import Examples
from audit.errors import NotAssessed
from audit.scorer import Predictions, Scorer
from audit.verdict import Measurement

NO_TRAINING_DATA = "the policy names no training data; name it under [data] train"


def membership_inference(scorer: Scorer, members: Examples | None, predictions: Predictions) -> Measurement:
    """Whether training examples can be told from others by the loss alone.

    Parameters
    ----------
    scorer : Scorer
    members : Examples or None
        What the model was trained on.
    predictions : Predictions
        Of the test split, whose examples it was not trained on.

    Returns
    -------
    Measurement
        AUC of the attack that calls the examples with the smallest loss members; 0.5 is guessing.

    Raises
    ------
    NotAssessed
        Without training data.

    Notes
    -----
    Source: Yeom et al., "Privacy risk in machine learning: analyzing the connection to overfitting", CSF 2018,
    section 3. Test texts that stand in the training data are left out, since they are members too.
    """
    if members is None:
        raise NotAssessed(NO_TRAINING_DATA)
    inside = members.sample()
    outside_rows = ~np.isin(np.array(predictions.known.texts, dtype=object), list(set(members.texts)))
    if outside_rows.sum() < 2 or len(inside) < 2:
        raise NotAssessed("every test text, or all but one, stands in the training data; supply others")
    confidence = predictions.known.protocol.confidence
    member_losses = scorer.predict(inside.texts).on(inside).losses
    other_losses = predictions.losses[outside_rows]
    auc = statistics.auc(-member_losses, -other_losses, confidence)
    threshold = np.quantile(other_losses, 0.01, method="lower")
    caught = int((member_losses < threshold).sum())
    return Measurement(
        "privacy.membership_inference",
        auc.estimate,
        auc.low,
        auc.high,
        len(inside) + len(other_losses),
        "AUC of the attack; 0.5 is guessing",
        "The attacker calls the examples with the smallest loss members (Yeom et al. 2018); training examples against "
        "test examples. Interval of the AUC after DeLong et al. 1988, on the logit scale.",
        confidence,
        sample="members and others",
        details={
            "members": len(inside),
            "others": len(other_losses),
            "mean loss of members": float(member_losses.mean()),
            "mean loss of others": float(other_losses.mean()),
            "members recognised at 1 % false alarms": caught / len(inside),
            "limits": [
                "This is the simplest attack; stronger ones may find more. A pass bounds this attack, not the leak.",
                "It is fair only if training and test data come from the same source: where the texts themselves "
                "differ, it would tell them apart without the model.",
            ],
        },
    )


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
