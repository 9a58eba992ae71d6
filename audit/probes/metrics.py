"""Metric modules in the form of the ``evaluate`` library, computed by scikit-learn and shipped here.

Those of the Hub cannot be loaded without a network, and are remote code.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np
import sklearn.metrics


def _info(description: str, citation: str = "") -> evaluate.MetricInfo:
    integer = datasets.Value("int64")
    return evaluate.MetricInfo(
        description=description,
        citation=citation,
        inputs_description="predictions and references: class indices, a list of int each",
        features=datasets.Features({"predictions": integer, "references": integer}),
    )


class Accuracy(evaluate.Metric):
    """Share of predictions that are the reference."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("share of predictions that are the reference")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"accuracy": float(sklearn.metrics.accuracy_score(references, predictions))}


class MacroF1(evaluate.Metric):
    """Unweighted mean of the classes' F1 scores; a class that is never predicted counts 0."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("unweighted mean of the F1 scores of the classes")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        score = sklearn.metrics.f1_score(references, predictions, average="macro", zero_division=0)
        return {"macro_f1": float(score)}


class BalancedAccuracy(evaluate.Metric):
    """Unweighted mean of the classes' recall."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("unweighted mean of the recall of the classes")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"balanced_accuracy": float(sklearn.metrics.balanced_accuracy_score(references, predictions))}


class MatthewsCorrelation(evaluate.Metric):
    """Correlation of prediction and reference; 0 where one of them never varies."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("correlation of prediction and reference")

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"mcc": float(sklearn.metrics.matthews_corrcoef(references, predictions))}


class RocAuc(evaluate.Metric):
    """Area under the ROC curve; with more than two classes each against the rest, averaged without weights."""

    def _info(self) -> evaluate.MetricInfo:
        description = "area under the ROC curve, one class against the rest"
        return evaluate.MetricInfo(
            description=description,
            citation="",
            inputs_description="prediction_scores: a list of class probabilities each; references: class indices",
            features=datasets.Features(
                {
                    "prediction_scores": datasets.Sequence(datasets.Value("float64")),
                    "references": datasets.Value("int64"),
                }
            ),
        )

    def _compute(self, prediction_scores: Any, references: Any) -> dict[str, float]:
        scores = np.asarray(prediction_scores)
        aucs = [
            sklearn.metrics.roc_auc_score(np.asarray(references) == c, scores[:, c])
            for c in ([1] if scores.shape[1] == 2 else range(scores.shape[1]))
        ]
        return {"roc_auc": float(np.mean(aucs))}


def compute(metric: type[evaluate.Metric], **inputs: Any) -> float:
    """The one value of a metric, without the files that the library would write."""
    module = metric(keep_in_memory=True)
    (value,) = module.compute(**inputs).values()
    return float(value)
