"""The plain measures of quality as modules of the ``evaluate`` library, for use beside a repository's own.

Those of the Hub cannot be loaded without a network, and are remote code. No audit imports this: the values are those of
:mod:`audit.probes.quality.metrics`, and the library takes seconds to import.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import datasets
import evaluate
from numpy.typing import ArrayLike

from audit.probes.quality import metrics


class _Measure(evaluate.Metric):
    """A function of :mod:`audit.probes.quality.metrics` as a module; its name is that of the value."""

    measure: Callable[..., float]
    inputs: ClassVar[Mapping[str, object]] = {"predictions": datasets.Value("int64")}

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="",
            inputs_description="references and predictions: class indices; prediction_scores: class probabilities each",
            features=datasets.Features({**self.inputs, "references": datasets.Value("int64")}),
        )

    def _compute(self, references: ArrayLike, **answers: ArrayLike) -> dict[str, float]:
        return {self.measure.__name__: self.measure(*answers.values(), references)}


class Accuracy(_Measure):
    """Share of predictions that are the reference."""

    measure = staticmethod(metrics.accuracy)


class MacroF1(_Measure):
    """Unweighted mean of the classes' F1 scores; a class that is never predicted counts 0."""

    measure = staticmethod(metrics.macro_f1)


class BalancedAccuracy(_Measure):
    """Unweighted mean of the classes' recall."""

    measure = staticmethod(metrics.balanced_accuracy)


class MatthewsCorrelation(_Measure):
    """Correlation of prediction and reference; 0 where one of them never varies."""

    measure = staticmethod(metrics.mcc)


class RocAuc(_Measure):
    """Area under the ROC curve; with more than two classes each against the rest, averaged without weights."""

    measure = staticmethod(metrics.roc_auc)
    inputs: ClassVar[Mapping[str, object]] = {"prediction_scores": datasets.Sequence(datasets.Value("float64"))}
