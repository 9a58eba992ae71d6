"""The plain measures of quality, computed by scikit-learn, which is imported when one is first measured.

:mod:`audit.run.evaluate_modules` has the same in the form of the ``evaluate`` library, which takes seconds
to import.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def accuracy(predictions: ArrayLike, references: ArrayLike) -> float:
    """Share of predictions that are the reference."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(references, predictions))


def macro_f1(predictions: ArrayLike, references: ArrayLike) -> float:
    """Unweighted mean of the classes' F1 scores; a class that is never predicted counts 0."""
    from sklearn.metrics import f1_score

    return float(f1_score(references, predictions, average="macro", zero_division=0))


def balanced_accuracy(predictions: ArrayLike, references: ArrayLike) -> float:
    """Unweighted mean of the classes' recall."""
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(references, predictions))


def mcc(predictions: ArrayLike, references: ArrayLike) -> float:
    """Correlation of prediction and reference; 0 where one of them never varies."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(references, predictions))


def mean_absolute_error(predictions: ArrayLike, references: ArrayLike) -> float:
    """Mean distance of two places in an order."""
    from sklearn.metrics import mean_absolute_error as distance

    return float(distance(references, predictions))


def quadratic_kappa(predictions: ArrayLike, references: ArrayLike) -> float:
    """Agreement of two places in an order beyond chance, by squared distance; 0 where both never vary."""
    from sklearn.metrics import cohen_kappa_score

    if len({*np.asarray(predictions).tolist(), *np.asarray(references).tolist()}) < 2:
        return 0.0
    return float(cohen_kappa_score(references, predictions, weights="quadratic", labels=None))


def roc_auc(prediction_scores: ArrayLike, references: ArrayLike) -> float:
    """Area under the ROC curve; with more than two classes each against the rest, averaged without weights."""
    from sklearn.metrics import roc_auc_score

    scores, truth = np.asarray(prediction_scores), np.asarray(references)
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    return float(np.mean([roc_auc_score(truth == c, scores[:, c]) for c in classes]))
