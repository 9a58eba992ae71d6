"""Quality: how often the model is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.verdict import Measurement
from audit.data.labels import sentiment
from audit.inference.predictions import Predictions
from audit.text.redaction import SMALLEST_CELL, count, redact

EXAMPLES_SHOWN = 8
OWN_RESAMPLES = 1_000  # an own metric is called once for each
SWAPPED = (
    "surely below chance, so labels may be swapped: hold the order of the classes in the model's config.json or "
    "[model] labels against what the data's labels mean ([data] label_map)"
)


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Counts of shape (classes, classes): rows are the truth, columns the prediction."""
    classes = len(predictions.classes)
    cells = predictions.truth * classes + predictions.labels
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def accuracy(predictions: Predictions) -> Measurement:
    """Share of right answers, with the exact interval of a proportion."""
    from audit.probes.quality import metrics

    confidence = predictions.known.protocol.confidence
    right = int(predictions.correct.sum())
    exact = statistics.proportion(right, len(predictions), confidence)
    estimate = metrics.accuracy(predictions.labels, predictions.truth)
    shares = confusion_matrix(predictions) / len(predictions)
    # Nor is a model swapped that gives one rare answer to everything: it agrees with the truth as chance would.
    chance = min(1 / len(shares), float(shares.sum(axis=0) @ shares.sum(axis=1)))
    return Measurement(
        "quality.accuracy",
        estimate,
        exact.low,
        exact.high,
        len(predictions),
        "share of right answers",
        "Right answers counted over the test split; exact interval of a proportion (Clopper and Pearson 1934).",
        confidence,
        details={"tables": [_confusion_table(predictions)], **_below_chance(exact.high, chance)},
        settle=lambda bound: statistics.proportion_to_settle(exact.estimate, bound, confidence),
    )


def macro_f1(predictions: Predictions) -> Measurement:
    """Mean F1 score of the classes, with a bootstrap interval over the cells of the confusion matrix."""
    from audit.probes.quality import metrics

    return _of_confusion(
        predictions,
        "quality.macro_f1",
        metrics.macro_f1,
        statistics.macro_f1,
        "mean F1 score of the classes",
        "F1 of each class by scikit-learn, averaged with equal weight",
    )


def balanced_accuracy(predictions: Predictions) -> Measurement:
    """Mean recall of the classes, with a bootstrap interval over the cells of the confusion matrix."""
    from audit.probes.quality import metrics

    return _of_confusion(
        predictions,
        "quality.balanced_accuracy",
        metrics.balanced_accuracy,
        statistics.balanced_accuracy,
        "mean recall of the classes",
        "Recall of each class by scikit-learn, averaged with equal weight",
        chance=1 / len(predictions.classes),
    )


def mcc(predictions: Predictions) -> Measurement:
    """Matthews correlation, with a bootstrap interval over the cells of the confusion matrix.

    Notes
    -----
    Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", Computational
    Biology and Chemistry 28 (2004), equation 8, for any number of classes.
    """
    from audit.probes.quality import metrics

    return _of_confusion(
        predictions,
        "quality.mcc",
        metrics.mcc,
        statistics.mcc,
        "correlation of answer and truth",
        "Matthews correlation by scikit-learn (Gorodkin 2004)",
        chance=0.0,
    )


def _of_confusion(
    predictions: Predictions,
    full_id: str,
    metric: Callable[[ArrayLike, ArrayLike], float],
    interval_of: Callable[..., statistics.Interval],
    unit: str,
    what: str,
    *,
    chance: float | None = None,
) -> Measurement:
    """A measure that the confusion matrix determines: estimate by scikit-learn, interval over the cells."""
    protocol = predictions.known.protocol
    confusion = confusion_matrix(predictions)
    interval = interval_of(confusion, protocol.confidence, seed=protocol.seed)
    return Measurement(
        full_id,
        metric(predictions.labels, predictions.truth),
        interval.low,
        interval.high,
        len(predictions),
        unit,
        f"{what}; {_interval_in_words(confusion)}",
        protocol.confidence,
        details={"tables": [_class_table(confusion, predictions.classes)], **_below_chance(interval.high, chance)},
    )


def _below_chance(high: float | None, chance: float | None) -> dict[str, Any]:
    """What to say where not even the upper end of the interval reaches what guessing does."""
    if high is None or chance is None or not high < chance:
        return {}
    return {"caution": SWAPPED, "limits": [f"The figure is {SWAPPED}."]}


def _interval_in_words(confusion: NDArray[np.int64]) -> str:
    if statistics.too_empty(confusion):
        return (
            "a class has too few right or wrong answers for a bootstrap, so exact limits of each class's share of "
            "agreement (Clopper and Pearson 1934) are put together; they are wider than need be (Bonferroni)."
        )
    return "BCa bootstrap (Efron 1987) with 10,000 multinomial resamples of the confusion matrix."


def roc_auc(predictions: Predictions) -> Measurement:
    """Area under the ROC curve; with more than two classes each against the rest, averaged.

    Raises
    ------
    NotAssessed
        If a class has fewer than two test examples.

    Notes
    -----
    Interval: DeLong et al. 1988, extended to a mean of areas over the same rows (:func:`audit.statistics.macro_auc`).
    """
    from audit.probes.quality import metrics

    confidence = predictions.known.protocol.confidence
    sizes = np.bincount(predictions.truth, minlength=len(predictions.classes))
    if sizes.min() < 2:
        name = predictions.classes[int(sizes.argmin())]
        raise NotAssessed(f"class '{name}' has fewer than two test examples; supply more")
    interval = statistics.macro_auc(predictions.probabilities, predictions.truth, confidence)
    scores = predictions.probabilities.astype(float)
    rows = [
        [name, *statistics.auc(scores[predictions.truth == c, c], scores[predictions.truth != c, c], confidence)]
        for c, name in enumerate(predictions.classes)
    ]
    return Measurement(
        "quality.roc_auc",
        metrics.roc_auc(scores, predictions.truth),
        interval.low,
        interval.high,
        len(predictions),
        "chance to rank a pair rightly",
        "Area under the ROC curve by scikit-learn, each class against the rest; interval after DeLong et al. 1988, on "
        "the logit scale.",
        confidence,
        details={
            "tables": [{"caption": "Each class", "columns": ["class", "area", "low", "high"], "rows": rows}],
            **_below_chance(interval.high, 0.5),
        },
    )


def calibration_error(predictions: Predictions) -> Measurement:
    """Squared ℓ2 distance between how sure the model says it is of its answers and how often they are right, debiased.

    Raises
    ------
    NotAssessed
        If there are too few test examples for a single bin.

    Notes
    -----
    Estimate and interval: :func:`audit.statistics.calibration_error`. The plain expected calibration error, which is
    biased upwards on small samples, stands in the details and is never judged.
    """
    if len(predictions) < statistics.PER_BIN:
        raise NotAssessed(f"fewer than {statistics.PER_BIN} test examples; supply more")
    confidence = predictions.known.protocol.confidence
    stated = predictions.probabilities.max(axis=1).astype(float)
    error = statistics.calibration_error(stated, predictions.correct, confidence)
    diagram = statistics.reliability(stated, predictions.correct)
    right = np.round(diagram.right * diagram.size).astype(int)
    _, low, high = statistics.proportions(right, diagram.size, confidence)
    told = diagram.size >= SMALLEST_CELL
    points = np.column_stack([diagram.stated, diagram.right, low, high])[told]
    surer = float(stated.mean() - predictions.correct.mean())
    return Measurement(
        "quality.calibration_error",
        *error,
        len(predictions),
        "squared difference of confidence and accuracy",
        "Answers sorted by stated confidence into bins of equal size; squared difference of mean confidence and "
        "accuracy in each, less what chance adds (Kumar et al. 2019); interval by inverting a test that holds for "
        "calibrated and miscalibrated models alike.",
        confidence,
        details={
            "summary": f"The model is sure of its answers to {100 * stated.mean():.1f} % on average and right in "
            f"{100 * predictions.correct.mean():.1f} %: {_too_sure(surer)}.",
            "expected calibration error, 15 bins, biased upwards": (statistics.expected_calibration_error(diagram)),
            "root of the squared error": float(np.sqrt(error.estimate)),
            "reliability": points.tolist(),
            "tables": [
                {
                    "caption": "Reliability: how sure the model says it is, and how often it is right",
                    "columns": ["stated confidence", "accuracy", "low", "high", "test examples"],
                    "rows": [
                        [*map(float, point), count(int(n))] for point, n in zip(points, diagram.size[told], strict=True)
                    ],
                }
            ],
        },
    )


def own_metric(predictions: Predictions, name: str, metric: Callable[[ArrayLike, ArrayLike], float]) -> Measurement:
    """A measure that the release owner defined, with a bootstrap interval over the cells of the confusion matrix.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    name : str
        What stands in the brackets of the id.
    metric : callable
        From predicted and true class indices, shape (n,) each, to the value. It must not depend on the order of rows.
    """
    protocol = predictions.known.protocol
    confusion = confusion_matrix(predictions)
    truth, said = np.indices(confusion.shape).reshape(2, -1)

    def statistic(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
        counts = matrices.reshape(-1, confusion.size).astype(int)
        return np.array([value(cells) for cells in counts]).reshape(matrices.shape[:-2])

    def value(cells: NDArray[np.int_]) -> float:
        try:
            return float(metric(np.repeat(said, cells), np.repeat(truth, cells)))
        except Exception:  # a resample may lack a class that the metric cannot do without
            return np.nan

    estimate = float(metric(predictions.labels, predictions.truth))
    interval = statistics.confusion_bootstrap(
        confusion, statistic, protocol.confidence, resamples=OWN_RESAMPLES, seed=protocol.seed
    )
    return Measurement(
        f"quality.metric[{name}]",
        estimate,
        interval.low if np.isfinite(interval.low) else None,
        interval.high if np.isfinite(interval.high) else None,
        len(predictions),
        name,
        f"The release owner's metric “{name}”; BCa bootstrap (Efron 1987) with {OWN_RESAMPLES:,} multinomial resamples "
        "of the confusion matrix. Where a class has too few right or wrong answers for it, there is no interval.",
        protocol.confidence,
        details={
            "tables": [_confusion_table(predictions)],
            "limits": ["The interval holds for a metric that does not depend on the order of the examples."],
        },
    )


def baseline_gain(predictions: Predictions, word_counts: Predictions) -> Measurement:
    """Accuracy above that of TF-IDF and logistic regression trained on the same texts, paired by example.

    Parameters
    ----------
    predictions, word_counts : Predictions
        Of the same examples, told them.

    Notes
    -----
    Interval: :func:`audit.statistics.paired_difference`. Test of no difference: exact McNemar.
    """
    confidence = predictions.known.protocol.confidence
    only_model, only_words, n = statistics.discordant(predictions.correct, word_counts.correct)
    gain = statistics.paired_difference(only_model, only_words, n, confidence)
    rows = [
        [name, *statistics.proportion(int(made.correct.sum()), len(made), confidence)]
        for name, made in (("the audited model", predictions), ("TF-IDF + logistic regression", word_counts))
    ]
    points, way = f"{abs(100 * gain.estimate):.1f}", "more" if gain.estimate > 0 else "less"
    return Measurement(
        "quality.baseline_gain",
        *gain,
        len(predictions),
        "accuracy above TF-IDF + logistic regression",
        f"Both models asked about the same test examples; {statistics.PAIRED}.",
        confidence,
        details={
            "summary": f"The model is right {points} points {way} often than counting words."
            if points != "0.0"
            else "The model is right as often as counting words.",
            "right only by the model": only_model,
            "right only by counting words": only_words,
            "p value of no difference (exact McNemar)": statistics.mcnemar(only_model, only_words),
            "tables": [{"caption": "Accuracy", "columns": ["model", "accuracy", "low", "high"], "rows": rows}],
        },
    )


def regression(predictions: Predictions, former: Mapping[tuple[str, str, int], str] | None) -> Measurement:
    """Accuracy now less accuracy in the former audit, on the examples that both asked about.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    former : mapping or None
        What the former model said, by :attr:`audit.data.examples.Examples.keys`; None where that was not kept.

    Raises
    ------
    NotAssessed
        Without a former audit, or where the two share no example.
    """
    if former is None:
        raise NotAssessed("there are no former predictions; give the former audit's folder with --audit-baseline")
    examples = predictions.known
    # A class may be spelt otherwise in the former model's configuration.
    before = {(text, sentiment(label), n): answer for (text, label, n), answer in former.items()}
    keys = [(text, sentiment(label), n) for text, label, n in examples.keys]
    shared = np.array([key in before for key in keys], dtype=bool)
    if not shared.any():
        raise NotAssessed("the former audit shares no test example with this one; audit both on the same test data")
    was_right = np.array([sentiment(before.get(key, "")) == key[1] for key in keys], dtype=bool)[shared]
    is_right = predictions.correct[shared]
    fixed, broken, n = statistics.discordant(is_right, was_right)
    change = statistics.paired_difference(fixed, broken, n, examples.protocol.confidence)
    rows = np.flatnonzero(shared)[~is_right & was_right][:EXAMPLES_SHOWN]
    return Measurement(
        "quality.regression",
        *change,
        n,
        "change of accuracy",
        f"The same examples, found by text, label and occurrence, before and now; {statistics.PAIRED}.",
        examples.protocol.confidence,
        sample="test examples in both audits",
        details={
            "summary": f"{fixed:,} examples that were wrong are right now; {broken:,} that were right are wrong now.",
            "examples fixed": fixed,
            "examples broken": broken,
            "test examples that the former audit did not have": int((~shared).sum()),
            "accuracy of the former model on these": float(was_right.mean()),
            "examples": {
                "caption": "Right before, wrong now",
                "items": [
                    {
                        "before": redact(examples.texts[i]),
                        "after": redact(examples.texts[i]),
                        "note": f"{before[keys[i]]} → {predictions.classes[predictions.labels[i]]}",
                    }
                    for i in rows
                ],
            },
        },
    )


def _too_sure(by: float) -> str:
    points = f"{100 * abs(by):.1f}"
    if points == "0.0":
        return "as sure as it is right, to a tenth of a point"
    return f"{'too sure' if by > 0 else 'not sure enough'} by {points} points"


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
