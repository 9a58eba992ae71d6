"""The plain measures of quality as modules of the ``evaluate`` library, for use beside a repository's own.

Those of the Hub cannot be loaded without a network, and are remote code. No audit imports this: the values are those of
:mod:`audit.probes.metrics`, and the library takes seconds to import.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from audit.probes import metrics

_CLASS, _SCORES = datasets.Value("int64"), datasets.Sequence(datasets.Value("float64"))


def _info(description: str, **inputs: Any) -> evaluate.MetricInfo:
    return evaluate.MetricInfo(
        description=description,
        citation="",
        inputs_description="references and predictions: class indices; prediction_scores: class probabilities each",
        features=datasets.Features({**inputs, "references": _CLASS}),
    )


class Accuracy(evaluate.Metric):
    """Share of predictions that are the reference."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("share of predictions that are the reference", predictions=_CLASS)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"accuracy": metrics.accuracy(predictions, references)}


class MacroF1(evaluate.Metric):
    """Unweighted mean of the classes' F1 scores; a class that is never predicted counts 0."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("unweighted mean of the F1 scores of the classes", predictions=_CLASS)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"macro_f1": metrics.macro_f1(predictions, references)}


class BalancedAccuracy(evaluate.Metric):
    """Unweighted mean of the classes' recall."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("unweighted mean of the recall of the classes", predictions=_CLASS)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"balanced_accuracy": metrics.balanced_accuracy(predictions, references)}


class MatthewsCorrelation(evaluate.Metric):
    """Correlation of prediction and reference; 0 where one of them never varies."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("correlation of prediction and reference", predictions=_CLASS)

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"mcc": metrics.mcc(predictions, references)}


class RocAuc(evaluate.Metric):
    """Area under the ROC curve; with more than two classes each against the rest, averaged without weights."""

    def _info(self) -> evaluate.MetricInfo:
        return _info("area under the ROC curve, one class against the rest", prediction_scores=_SCORES)

    def _compute(self, prediction_scores: Any, references: Any) -> dict[str, float]:
        return {"roc_auc": metrics.roc_auc(prediction_scores, references)}
