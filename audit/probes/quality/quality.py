"""Quality: how often the model is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Calibration, Cell, Confusion, Evidence, Facts, Pair, Pairs, Table
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence, joined
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.probes.former import Before
from audit.probes.methods import PAIRED, clustered
from audit.probes.quality.dependence import dependence
from audit.text.redaction import SMALLEST_CELL, count, redact

EXAMPLES_SHOWN = 8
_EXACT = Sentence(
    "a class has too few right or wrong answers for a bootstrap, so exact limits of each class's share of agreement "
    "(Clopper and Pearson 1934) are put together; they are wider than need be (Bonferroni)."
)
_BOOTSTRAP = Sentence("BCa bootstrap (Efron 1987) with 10,000 multinomial resamples of the confusion matrix.")
OWN_RESAMPLES = 1_000  # an own metric is called once for each
_RULES = ("MEASURE 2.3", "MEASURE 2.5", "Article 9(8)", "Article 13", "Article 15(1) and (3)", "A.6.2.4")
_IN_BOTH = Sentence("test examples in both audits")
_UNKNOWN_BEFORE = Sentence("test examples that the former audit did not have")
SWAPPED = Sentence(
    "surely below chance, so labels may be swapped: hold the order of the classes in the model's config.json or "
    "[model] labels against what the data's labels mean ([data] label_map)"
)


def confusion_matrix(predictions: Predictions) -> NDArray[np.int64]:
    """Counts of shape (classes, classes): rows are the truth, columns the prediction."""
    return _cells(predictions.truth, predictions.labels, len(predictions.classes))


def _cells(truth: NDArray[np.int64], labels: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    return np.bincount(truth * classes + labels, minlength=classes**2).reshape(classes, classes)


class OfCells(NamedTuple):
    """What a measure of the confusion matrix comes to.

    Parameters
    ----------
    confusion : ndarray of int, shape (classes, classes)
    interval : Interval
    effect : DesignEffect
    is_exact : bool
        Whether the matrix was too empty for a bootstrap.
    """

    confusion: NDArray[np.int64]
    interval: statistics.Interval
    effect: statistics.DesignEffect
    is_exact: bool


def of_cells(
    measure: statistics.ConfusionMeasure,
    truth: NDArray[np.int64],
    labels: NDArray[np.int64],
    classes: int,
    examples: Examples,
) -> OfCells:
    """A measure of truths and answers, shape (n,) each, of these examples, with its interval over the cells."""
    confidence, confusion = examples.protocol.confidence, _cells(truth, labels, classes)
    effect = statistics.confusion_effect(truth, labels, examples.clusters, measure.of, classes)
    interval = measure(confusion, confidence, effect=effect, seed=examples.protocol.seed)
    return OfCells(confusion, interval, effect, measure.empty(confusion * effect.kept(confidence)))


@Probe(
    id="quality.accuracy",
    challenge="quality",
    title="Accuracy",
    unit=SHARE,
    counts="share of right answers",
    better="higher",
    meaning="How many of the test examples the model labels as people did.",
    harm="Every user of the product bears the wrong answers: a complaint that is read as praise is not answered.",
    remedy=(
        "More or cleaner training data, a larger model, more epochs; look at the confusion table for the class that "
        "is missed most."
    ),
    alarm=Alarm(0.75, "One answer in four is wrong; guessing between two classes of equal size misses two in four."),
    rules=(*_RULES, "GDPR 5"),
    cause="accuracy",
    levers=("train more", "larger model"),
)
def accuracy(predictions: Predictions) -> Result:
    """Share of right answers, with the exact interval of a proportion."""
    from audit.probes.quality import metrics

    confidence = predictions.known.protocol.confidence
    right = int(predictions.correct.sum())
    effect = statistics.design_effect(predictions.correct, predictions.known.clusters)
    exact = statistics.proportion(right, len(predictions), confidence, effect=effect)
    estimate = metrics.accuracy(predictions.labels, predictions.truth)
    shares = confusion_matrix(predictions) / len(predictions)
    # Nor is a model swapped that gives one rare answer to everything: it agrees with the truth as chance would.
    chance = min(1 / len(shares), float(shares.sum(axis=0) @ shares.sum(axis=1)))
    found = dependence(predictions)
    result = Result(
        estimate,
        exact.low,
        exact.high,
        len(predictions),
        Sentence(
            "Right answers counted over the test split; exact interval of a proportion (Clopper and Pearson 1934)."
        ),
        confidence,
        summary=Sentence("The model is right in {share:often} test texts.", share=estimate),
        caution=joined([_caution(exact.high, chance), found.caution], "; "),
        caveats=[*_caveats(exact.high, chance), *found.caveats],
        evidence=[_confusion(predictions)],
        settle=lambda bound: statistics.proportion_to_settle(exact.estimate, bound, confidence, effect=effect),
    )
    return clustered(result, effect, predictions.known.protocol.cluster)


@Probe(
    id="quality.macro_f1",
    challenge="quality",
    title="Macro F1",
    unit=SHARE,
    counts="mean F1 score of the classes",
    better="higher",
    meaning=(
        "Precision and recall of each class, averaged with equal weight, so that a rare class counts as much as a "
        "frequent one."
    ),
    harm="Where it lies far below the accuracy, the model does well only on the frequent classes.",
    remedy="More examples of the weakest class, or class weights in training.",
    alarm=Alarm(
        0.7,
        "Then the F1 of at least one class is no higher: of its examples and of the answers that name it, three in ten "
        "are wrong.",
    ),
    rules=_RULES,
    cause="accuracy",
)
def macro_f1(predictions: Predictions) -> Result:
    """Mean F1 score of the classes, with a bootstrap interval over the cells of the confusion matrix."""
    from audit.probes.quality import metrics

    return _of_confusion(
        predictions,
        metrics.macro_f1,
        statistics.macro_f1,
        Sentence("F1 of each class by scikit-learn, averaged with equal weight"),
    )


@Probe(
    id="quality.balanced_accuracy",
    challenge="quality",
    title="Balanced accuracy",
    unit=SHARE,
    counts="mean recall of the classes",
    better="higher",
    meaning="How many of the examples of each class are recognised, averaged with equal weight.",
    harm=(
        "A model that always gives the frequent answer has a high accuracy, and here no more than one over the number "
        "of classes."
    ),
    remedy="More examples of the weakest class, or class weights in training.",
    alarm=Alarm(0.7, "Then of at least one class three examples in ten or more are missed."),
    rules=_RULES,
    cause="accuracy",
)
def balanced_accuracy(predictions: Predictions) -> Result:
    """Mean recall of the classes, with a bootstrap interval over the cells of the confusion matrix."""
    from audit.probes.quality import metrics

    return _of_confusion(
        predictions,
        metrics.balanced_accuracy,
        statistics.balanced_accuracy,
        Sentence("Recall of each class by scikit-learn, averaged with equal weight"),
        chance=1 / len(predictions.classes),
    )


@Probe(
    id="quality.mcc",
    challenge="quality",
    title="Matthews correlation",
    unit="",
    counts="correlation of answer and truth",
    better="higher",
    meaning="How closely answers and truth go together, from −1 to 1; guessing reaches 0, whatever the classes' sizes.",
    harm="It is high only where every cell of the confusion table is good, so it hides least.",
    remedy="Look at the confusion table for the pair of classes that is mixed up most.",
    alarm=Alarm(0.5, "With two classes of equal size it is what an accuracy of 75 % comes to."),
    range=(-1, 1),
    rules=_RULES,
    cause="accuracy",
)
def mcc(predictions: Predictions) -> Result:
    """Matthews correlation, with a bootstrap interval over the cells of the confusion matrix.

    Notes
    -----
    Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", Computational
    Biology and Chemistry 28 (2004), equation 8, for any number of classes.
    """
    from audit.probes.quality import metrics

    return _of_confusion(
        predictions,
        metrics.mcc,
        statistics.mcc,
        Sentence("Matthews correlation by scikit-learn (Gorodkin 2004)"),
        chance=0.0,
    )


def _of_confusion(
    predictions: Predictions,
    metric: Callable[[ArrayLike, ArrayLike], float],
    measure: statistics.ConfusionMeasure,
    what: str,
    *,
    chance: float | None = None,
) -> Result:
    """A measure that the confusion matrix determines: estimate by scikit-learn, interval over the cells."""
    protocol = predictions.known.protocol
    found = of_cells(measure, predictions.truth, predictions.labels, len(predictions.classes), predictions.known)
    result = Result(
        metric(predictions.labels, predictions.truth),
        found.interval.low,
        found.interval.high,
        len(predictions),
        joined([what, _EXACT if found.is_exact else _BOOTSTRAP], "; "),
        protocol.confidence,
        interval="approximate",
        caution=_caution(found.interval.high, chance),
        caveats=_caveats(found.interval.high, chance),
        evidence=[_class_table(found.confusion, predictions.classes)],
    )
    return clustered(result, found.effect, protocol.cluster)


def _caution(high: float | None, chance: float | None) -> str:
    """What to say where not even the upper end of the interval reaches what guessing does."""
    return SWAPPED if high is not None and chance is not None and high < chance else ""


def _caveats(high: float | None, chance: float | None) -> list[str]:
    caution = _caution(high, chance)
    return [Sentence("The figure is {caution}.", caution=caution)] if caution else []


@Probe(
    id="quality.roc_auc",
    challenge="quality",
    title="Area under the ROC curve",
    unit="",
    counts="chance to rank a pair rightly",
    better="higher",
    meaning=(
        "How often an example of a class gets a higher score for it than an example of another class; with three "
        "classes each against the rest, averaged."
    ),
    harm="Where answers are sorted by score (the angriest reviews first), this decides whether the order is right.",
    remedy="More or cleaner training data; thresholds do not change it.",
    alarm=Alarm(
        0.7,
        "Below it a model is said to discriminate poorly, not much better than a coin toss (Hosmer, Lemeshow and "
        "Sturdivant 2013, Applied Logistic Regression, section 5.2.4).",
    ),
    range=(0, 1),
    rules=_RULES,
    cause="accuracy",
)
def roc_auc(predictions: Predictions) -> Result:
    """Area under the ROC curve; with more than two classes each against the rest, averaged.

    Raises
    ------
    NotAssessed
        If a class has fewer than two test examples.

    Notes
    -----
    Interval: :func:`audit.statistics.auc`, extended to a mean of areas over the same rows
    (:func:`audit.statistics.macro_auc`).
    """
    from audit.probes.quality import metrics

    confidence = predictions.known.protocol.confidence
    sizes = np.bincount(predictions.truth, minlength=len(predictions.classes))
    if sizes.min() < 2:
        name = predictions.classes[int(sizes.argmin())]
        raise NotAssessed(Sentence("class '{name}' has fewer than two test examples; supply more", name=name))
    clusters = predictions.known.clusters
    interval = statistics.macro_auc(predictions.probabilities, predictions.truth, confidence, clusters=clusters)
    scores = predictions.probabilities.astype(float)
    rows: list[list[Cell]] = []
    for c, name in enumerate(predictions.classes):
        own = predictions.truth == c
        sides = None if clusters is None else (clusters[own], clusters[~own])
        rows.append([name, *statistics.auc(scores[own, c], scores[~own, c], confidence, clusters=sides)])
    result = Result(
        metrics.roc_auc(scores, predictions.truth),
        interval.low,
        interval.high,
        len(predictions),
        Sentence(
            "Area under the ROC curve by scikit-learn, each class against the rest; interval by the variance of DeLong "
            "et al. 1988, its limit towards 0.5 with room for a wrong label that the sample does not show (Fay and "
            "Feuer 1997); with fewer than 100 rows on a side exact limits at the number of independent pairs."
        ),
        confidence,
        interval="approximate",
        caution=_caution(interval.high, 0.5),
        caveats=_caveats(interval.high, 0.5),
        evidence=[
            Table(
                Sentence("Each class"),
                [Sentence("class"), Sentence("area"), Sentence("low"), Sentence("high")],
                rows,
            )
        ],
    )
    return clustered(
        result,
        statistics.area_effect(predictions.probabilities, predictions.truth, clusters),
        predictions.known.protocol.cluster,
    )


@Probe(
    id="quality.calibration_error",
    challenge="quality",
    title="Calibration error",
    unit="",
    counts="squared difference of confidence and accuracy",
    better="lower",
    meaning=(
        "Whether the model is right as often as it says: of the answers given with 80 % confidence, 80 % should be "
        "right."
    ),
    harm="Whoever acts on the score (send to a person below 0.7) relies on a figure that is not what it says.",
    remedy="Temperature scaling on a validation set; fewer epochs; label smoothing.",
    alarm=Alarm(0.01, "It is squared: answers are right ten points more or less often than the model says."),
    range=(0, 1),
    rules=(
        "MEASURE 2.3",
        "MEASURE 2.5",
        "MEASURE 2.9",
        "Article 9(8)",
        "Article 13",
        "Article 14",
        "Article 15(1) and (3)",
        "A.6.2.4",
        "GDPR 22",
    ),
    levers=("train less",),
)
def calibration_error(predictions: Predictions) -> Result:
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
        raise NotAssessed(Sentence("fewer than {smallest} test examples; supply more", smallest=statistics.PER_BIN))
    confidence = predictions.known.protocol.confidence
    stated = predictions.sureness
    clusters = predictions.known.clusters
    error = statistics.calibration_error(stated, predictions.correct, confidence, clusters=clusters)
    diagram = statistics.reliability(stated, predictions.correct)
    right = np.round(diagram.right * diagram.size).astype(int)
    _, low, high = statistics.proportions(right, diagram.size, confidence)
    shown = diagram.size >= SMALLEST_CELL
    points = np.column_stack([diagram.stated, diagram.right, low, high])[shown].tolist()
    sizes = diagram.size[shown].tolist()
    result = Result(
        *error,
        len(predictions),
        Sentence(
            "Answers sorted by stated confidence into bins of equal size; squared difference of mean confidence and "
            "accuracy in each, less what chance adds (Kumar et al. 2019); interval by inverting a test that holds for "
            "calibrated and miscalibrated models alike."
        ),
        confidence,
        interval="approximate",
        summary=_sureness_in_words(float(stated.mean()), float(predictions.correct.mean())),
        caveats=[
            Sentence(
                "The error over bins, and its interval with it, bounds the error without bins from below (Kumar et al. "
                "2019, section 3): where a model is too sure of some answers and not sure enough of others that fall "
                "into one bin, it looks calibrated."
            )
        ],
        evidence=[
            *([Calibration(points)] if points else []),
            Table(
                Sentence("Reliability: how sure the model says it is, and how often it is right"),
                [
                    Sentence("stated confidence"),
                    Sentence("accuracy"),
                    Sentence("low"),
                    Sentence("high"),
                    Sentence("test examples"),
                ],
                [[*point, count(n)] for point, n in zip(points, sizes, strict=True)],
                units=[SHARE, SHARE, SHARE, SHARE, ""],
            ),
            Facts.of(
                {
                    Sentence(
                        "expected calibration error, 15 bins, biased upwards"
                    ): statistics.expected_calibration_error(diagram),
                    Sentence("root of the squared error"): float(np.sqrt(error.estimate)),
                }
            ),
        ],
    )
    return clustered(
        result, statistics.calibration_effect(stated, predictions.correct, clusters), predictions.known.protocol.cluster
    )


def _sureness_in_words(stated: float, right: float) -> str:
    return Sentence(
        "The model is sure of its answers to {stated:.1%} on average and right in {right:.1%}: {comparison}.",
        stated=stated,
        right=right,
        comparison=_too_sure(stated - right),
    )


def _too_sure(by: float) -> str:
    points = abs(100 * by)
    if _is_no_difference(points):
        return Sentence("as sure as it is right, to a tenth of a point")
    if by > 0:
        return Sentence("too sure by {points:.1f} points", points=points)
    return Sentence("not sure enough by {points:.1f} points", points=points)


def _is_no_difference(points: float) -> bool:
    """Whether a sentence that gives tenths of a point would show none."""
    return f"{points:.1f}" == "0.0"


@Probe(
    id="quality.metric",
    challenge="quality",
    title="Own metric",
    unit="",
    better="either",
    meaning="A measure that the release owner defined; its meaning is theirs.",
    brackets="metric",
    bracket="own_metric",
    rules=_RULES,
)
def own_metric(predictions: Predictions, own_metric: str, metric: Callable[[ArrayLike, ArrayLike], float]) -> Result:
    """A measure that the release owner defined, with a bootstrap interval over the cells of the confusion matrix.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    own_metric : str
        Its name: what stands in the brackets of the id.
    metric : callable
        From predicted and true class indices, shape (n,) each, to the value. It must not depend on the order of rows.
    """
    protocol = predictions.known.protocol
    confusion = confusion_matrix(predictions)
    truth, said = np.indices(confusion.shape).reshape(2, -1)

    def statistic(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
        counts = np.rint(matrices.reshape(-1, confusion.size)).astype(int)
        return np.array([value(cells) for cells in counts]).reshape(matrices.shape[:-2])

    def value(cells: NDArray[np.int_]) -> float:
        try:
            return float(metric(np.repeat(said, cells), np.repeat(truth, cells)))
        except Exception:  # a resample may lack a class that the metric cannot do without
            return np.nan

    estimate = float(metric(predictions.labels, predictions.truth))
    effect = statistics.confusion_effect(
        predictions.truth, predictions.labels, predictions.known.clusters, statistic, len(predictions.classes)
    )
    interval = statistics.confusion_bootstrap(
        confusion, statistic, protocol.confidence, effect=effect, resamples=OWN_RESAMPLES, seed=protocol.seed
    )
    result = Result(
        estimate,
        interval.low if np.isfinite(interval.low) else None,
        interval.high if np.isfinite(interval.high) else None,
        len(predictions),
        Sentence(
            "The release owner's metric “{own_metric}”; BCa bootstrap (Efron 1987) with {resamples:,} multinomial "
            "resamples of the confusion matrix. Where a class has too few right or wrong answers for it, there is no "
            "interval.",
            own_metric=own_metric,
            resamples=OWN_RESAMPLES,
        ),
        protocol.confidence,
        interval="approximate",
        caveats=[Sentence("The interval holds for a metric that does not depend on the order of the examples.")],
        evidence=[_confusion(predictions)],
    )
    return clustered(result, effect, predictions.known.protocol.cluster)


@Probe(
    id="quality.baseline_gain",
    challenge="quality",
    title="Accuracy gained over counting words",
    unit=POINTS,
    counts="accuracy above TF-IDF + logistic regression",
    better="higher",
    meaning=(
        "Accuracy of the model less that of a logistic regression on word counts, trained on the same texts and asked "
        "the same questions."
    ),
    harm="A large model that reads no better than a list of words costs energy, money and explanations for nothing.",
    remedy="Use the simple model, or train the large one better: more data, pretrained weights.",
    measured_on=("test data", "training data"),
    alarm=Alarm(0.0, "Then counting words, at a small part of the cost, is right as often."),
    rules=_RULES,
    cause="accuracy",
)
def baseline_gain(predictions: Predictions, word_counts: Predictions) -> Result:
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
    clusters = predictions.known.clusters
    effect = statistics.paired_effect(predictions.correct, word_counts.correct, clusters)
    gain = statistics.paired_difference(only_model, only_words, n, confidence, effect=effect)
    models = ((Sentence("the audited model"), predictions), (Sentence("TF-IDF + logistic regression"), word_counts))
    rows: list[list[Cell]] = [
        [name, *statistics.share(answers.correct, confidence, clusters=clusters)] for name, answers in models
    ]
    result = Result(
        *gain,
        len(predictions),
        Sentence("Both models asked about the same test examples; {interval}.", interval=PAIRED),
        confidence,
        summary=_gain_in_words(gain.estimate),
        evidence=[
            Table(
                Sentence("Accuracy"),
                [Sentence("model"), Sentence("accuracy"), Sentence("low"), Sentence("high")],
                rows,
                units=["", SHARE, SHARE, SHARE],
            ),
            Facts.of(
                {
                    Sentence("right only by the model"): only_model,
                    Sentence("right only by counting words"): only_words,
                    Sentence("p value of no difference (exact McNemar)"): statistics.mcnemar(
                        only_model, only_words, effect=effect
                    ),
                }
            ),
        ],
    )
    return clustered(result, effect, predictions.known.protocol.cluster)


def _gain_in_words(gain: float) -> str:
    points = abs(100 * gain)
    if _is_no_difference(points):
        return Sentence("The model is right as often as counting words.")
    if gain > 0:
        return Sentence("The model is right {points:.1f} points more often than counting words.", points=points)
    return Sentence("The model is right {points:.1f} points less often than counting words.", points=points)


@Probe(
    id="quality.regression",
    challenge="quality",
    title="Accuracy gained since the former audit",
    unit=POINTS,
    counts="change of accuracy",
    better="higher",
    meaning="Accuracy now less accuracy in the former audit, on the test examples that both audits asked about.",
    harm="A new release that breaks what worked surprises the people who relied on it.",
    remedy="Look at which gates turned; compare training data and recipe with those of the former release.",
    alarm=Alarm(-0.01, "Of a hundred answers one more is wrong than in the former release."),
    rules=_RULES,
    cause="accuracy",
)
def regression(predictions: Predictions, former: Mapping[tuple[str, str, int], str] | None) -> Result:
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
    pairs = Before.of(predictions, former)
    examples, was_right = predictions.known, pairs.was_right
    is_right = predictions.correct[pairs.rows]
    fixed, broken, n = statistics.discordant(is_right, was_right)
    effect = statistics.paired_effect(is_right, was_right, examples.take(pairs.rows).clusters)
    change = statistics.paired_difference(fixed, broken, n, examples.protocol.confidence, effect=effect)
    result = Result(
        *change,
        n,
        Sentence(
            "The same examples, found by text, label and occurrence, before and now; {interval}.",
            interval=PAIRED,
        ),
        examples.protocol.confidence,
        sample=_IN_BOTH,
        summary=Sentence(
            "{fixed:,} examples that were wrong are right now; {broken:,} that were right are wrong now.",
            fixed=fixed,
            broken=broken,
        ),
        evidence=[
            Pairs(Sentence("Right before, wrong now"), [*_turned(predictions, pairs, ~is_right & was_right)]),
            Facts.of(
                {
                    Sentence("examples fixed"): fixed,
                    Sentence("examples broken"): broken,
                    _UNKNOWN_BEFORE: len(examples) - n,
                    Sentence("accuracy of the former model on these"): float(was_right.mean()),
                }
            ),
        ],
    )
    return clustered(result, effect, predictions.known.protocol.cluster)


@Probe(
    id="quality.flips",
    challenge="quality",
    title="Answers that differ from the former audit’s",
    unit=SHARE,
    counts="share of answers that differ",
    better="lower",
    meaning=(
        "Of the test examples that both audits asked about, the share whose answer is another than the former "
        "model’s, whichever of the two is right."
    ),
    harm=(
        "Two models that are right equally often can be wrong about different people: whoever relied on the former "
        "answers gets others."
    ),
    remedy=(
        "Of a version in fewer bits: a scale for each column of a weight, or the layer that turns most answers left in "
        "float32. Of a new training: the former model as its teacher."
    ),
    alarm=Alarm(0.2, "One person in five gets another answer than from the former release."),
    rules=_RULES,
    guide="docs/edge.md",
)
def flips(predictions: Predictions, former: Mapping[tuple[str, str, int], str] | None) -> Result:
    """Share of the examples that both audits asked about whose answer is another than before.

    Parameters
    ----------
    predictions, former
        As of :func:`regression`.

    Raises
    ------
    NotAssessed
        Without a former audit, or where the two share no example.

    Notes
    -----
    Source: Dutta, Krishnan, Kwatra and Ramjee, "Accuracy is not all you need", NeurIPS 2024, section 3, where answers
    of a compressed model are counted so that turn although its accuracy stays. Yan et al., "Positive-congruent
    training", CVPR 2021, section 3, tell those that were right apart (negative flips); they stand among the facts.
    """
    pairs = Before.of(predictions, former)
    examples, turned, n = predictions.known, pairs.turned, len(pairs.rows)
    is_right = predictions.correct[pairs.rows]
    confidence = examples.protocol.confidence
    effect = statistics.design_effect(turned, examples.take(pairs.rows).clusters)
    share = statistics.proportion(int(turned.sum()), n, confidence, effect=effect)
    result = Result(
        *share,
        n,
        Sentence(
            "The same examples, found by text, label and occurrence, before and now; counted is each whose answer "
            "differs (Dutta et al. 2024); exact interval of a proportion (Clopper and Pearson 1934)."
        ),
        confidence,
        sample=_IN_BOTH,
        summary=Sentence(
            "{turned:,} of {n:,} answers are others than before: {broken:,} were right and are wrong now, {fixed:,} "
            "were wrong and are right.",
            turned=int(turned.sum()),
            n=n,
            broken=int((turned & pairs.was_right).sum()),
            fixed=int((turned & is_right).sum()),
        ),
        evidence=[
            Pairs(Sentence("Answered otherwise now"), [*_turned(predictions, pairs, turned)]),
            Facts.of(
                {
                    Sentence("right answers that turned wrong"): float((turned & pairs.was_right).mean()),
                    _UNKNOWN_BEFORE: len(examples) - n,
                }
            ),
        ],
        settle=lambda bound: statistics.proportion_to_settle(share.estimate, bound, confidence, effect=effect),
    )
    return clustered(result, effect, examples.protocol.cluster)


def _turned(predictions: Predictions, pairs: Before, which: NDArray[np.bool_]) -> Iterator[Pair]:
    """The first of some texts, with the answers before and now."""
    examples = predictions.known
    for row, answer in [(row, pairs.said[i]) for i, row in enumerate(pairs.rows) if which[i]][:EXAMPLES_SHOWN]:
        yield Pair(
            redact(examples.texts[row]),
            Sentence("{former} → {answer}", former=answer, answer=predictions.classes[predictions.labels[row]]),
            row=examples.row(row),
        )


def _confusion(predictions: Predictions) -> Evidence:
    counts = confusion_matrix(predictions).tolist()
    return Confusion(predictions.classes, [[count(n) for n in row] for row in counts])


def _class_table(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> Evidence:
    rows: list[list[Cell]] = []
    for i, name in enumerate(classes):
        hits, answers, true = int(confusion[i, i]), int(confusion[:, i].sum()), int(confusion[i].sum())
        precision = hits / answers if answers else None
        recall = hits / true if true else None
        rows.append([name, precision, recall, 2 * hits / (answers + true) if answers + true else None, true])
    return Table(
        Sentence("Each class"),
        [Sentence("class"), Sentence("precision"), Sentence("recall"), Sentence("F1"), Sentence("test examples")],
        rows,
        units=["", SHARE, SHARE, SHARE, ""],
    )
