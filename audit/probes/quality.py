"""Quality: how often the model is right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.redaction import count
from audit.scorer import Predictions
from audit.verdict import Measurement


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Counts of shape (classes, classes): rows are the truth, columns the prediction."""
    classes = len(predictions.classes)
    cells = predictions.truth * classes + predictions.labels
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def accuracy(predictions: Predictions) -> Measurement:
    """Share of right answers, with the exact interval of a proportion."""
    from audit.probes import metrics

    confidence = predictions.known.protocol.confidence
    right = int(predictions.correct.sum())
    exact = statistics.proportion(right, len(predictions), confidence)
    estimate = metrics.compute(metrics.Accuracy, predictions.labels, predictions.truth)
    return Measurement(
        "quality.accuracy",
        estimate,
        exact.low,
        exact.high,
        len(predictions),
        "share of right answers",
        "Right answers counted over the test split; exact interval of a proportion (Clopper and Pearson 1934).",
        confidence,
        details={"tables": [_confusion_table(predictions)]},
        settle=lambda bound: statistics.proportion_to_settle(exact.estimate, bound, confidence),
    )


def macro_f1(predictions: Predictions) -> Measurement:
    """Mean F1 score of the classes, with a bootstrap interval over the cells of the confusion matrix."""
    from audit.probes import metrics

    protocol = predictions.known.protocol
    confusion = confusion_matrix(predictions)
    interval = statistics.macro_f1(confusion, protocol.confidence, seed=protocol.seed)
    return Measurement(
        "quality.macro_f1",
        metrics.compute(metrics.MacroF1, predictions.labels, predictions.truth),
        interval.low,
        interval.high,
        len(predictions),
        "mean F1 score of the classes",
        f"F1 of each class by scikit-learn, averaged with equal weight; {_interval_of(confusion)}",
        protocol.confidence,
        details={"tables": [_class_table(confusion, predictions.classes)]},
    )


def _interval_of(confusion: NDArray[np.int64]) -> str:
    if statistics.too_empty(confusion):
        return (
            "a class has too few right or wrong answers for a bootstrap, so exact limits of each class's share of "
            "agreement (Clopper and Pearson 1934) are put together; they are wider than need be (Bonferroni)."
        )
    return "BCa bootstrap (Efron 1987) with 10,000 multinomial resamples of the confusion matrix."


def _confusion_table(predictions: Predictions) -> dict[str, Any]:
    classes = predictions.classes
    return {
        "caption": "What the model said (columns) of examples of each class (rows)",
        "columns": ["true class", *(f"→ {name}" for name in classes)],
        "rows": [[name, *map(count, row)] for name, row in zip(classes, confusion_matrix(predictions), strict=True)],
    }


def _class_table(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> dict[str, Any]:
    rows: list[list[Any]] = []
    for i, name in enumerate(classes):
        hits, said, true = int(confusion[i, i]), int(confusion[:, i].sum()), int(confusion[i].sum())
        precision = hits / said if said else None
        recall = hits / true if true else None
        rows.append([name, precision, recall, 2 * hits / (said + true) if said + true else None, true])
    return {
        "caption": "Each class",
        "columns": ["class", "precision", "recall", "F1", "test examples"],
        "rows": rows,
    }
