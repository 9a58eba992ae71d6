"""A fitted pipeline of scikit-learn as a classifier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from audit.core.errors import AuditError
from audit.models.classifiers.base import Classifier
from audit.text.redaction import printable


def is_pipeline(found: object) -> bool:
    """Whether an object is asked as estimators of scikit-learn are, and is no classifier of the audit's kind."""
    return hasattr(found, "predict") and hasattr(found, "get_params") and not hasattr(found, "labels")


class Pipeline(Classifier):
    """Asks a fitted pipeline: ``predict_proba`` where it has that, else ``predict``.

    Parameters
    ----------
    pipeline : object
    labels : sequence of str
        In the order of its ``classes_``.
    """

    def __init__(self, pipeline: Any, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._pipeline, self._names = pipeline, dict(zip(pipeline.classes_.tolist(), self.labels, strict=True))

    @classmethod
    def of(cls, pipeline: Any, source: str, labels: Sequence[str]) -> Pipeline:
        """Ask this one.

        Parameters
        ----------
        labels : sequence of str
            The policy's, for classes that are numbers.

        Raises
        ------
        AuditError
            If it is not fitted, or nothing names its classes.
        """
        classes = getattr(pipeline, "classes_", None)
        if classes is None:
            raise AuditError(
                f"model '{source}': its {type(pipeline).__name__} has no classes_; give a fitted pipeline that ends in "
                f"a classifier."
            )
        own = [str(each) for each in classes.tolist()]
        if not all(re.fullmatch(r"-?\d+(\.0)?|True|False", each) for each in own):
            return cls(pipeline, own)
        if len(labels) != len(own):
            raise AuditError(
                f"model '{source}': its classes are {', '.join(map(printable, own[:8]))}; name them in this order with "
                f"[model] labels."
            )
        return cls(pipeline, labels)

    def predict(self, texts: list[str]) -> Any:
        """As :meth:`audit.models.classifiers.base.Classifier.predict`."""
        if hasattr(self._pipeline, "predict_proba"):
            return self._pipeline.predict_proba(texts)
        return [self._names[each] for each in self._pipeline.predict(texts).tolist()]
