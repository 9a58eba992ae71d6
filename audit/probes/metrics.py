"""Metric modules in the form of the ``evaluate`` library, computed by scikit-learn and shipped here.

Those of the Hub cannot be loaded without a network, and are remote code.
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
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


def compute(metric: type[evaluate.Metric], predictions: Any, references: Any) -> float:
    """The one value of a metric, without the files that the library would write."""
    module = metric(keep_in_memory=True)
    (value,) = module.compute(predictions=predictions, references=references).values()
    return float(value)
