"""Quality of classes that are ordered, such as one to five stars: how far off the answers are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Evidence, Table
from audit.core.measurement import Result
from audit.core.probe import SHARE, Alarm, Probe
from audit.core.sentences import Sentence, joined, listed
from audit.inference.predictions import Predictions
from audit.probes.methods import clustered
from audit.probes.quality.quality import of_cells
from audit.text.redaction import count, printable

_RULES = ("MEASURE 2.3", "MEASURE 2.5", "Article 9(8)", "Article 13", "Article 15(1) and (3)", "A.6.2.4")
_GUIDE = "docs/formats.md"
_REMEDY = "Look at the table of distances; a loss that knows the order of the classes, or more examples of the ends."
_EXACT = Sentence(
    "too few answers are right, or decide the distance, for a bootstrap, so exact limits of the shares of answers that "
    "are so many classes off (Clopper and Pearson 1934) are put together; they are wider than need be (Bonferroni)."
)
_BOOTSTRAP = Sentence(
    "BCa bootstrap (Efron 1987) with 10,000 multinomial resamples of the confusion matrix, with room for one answer "
    "that is as far off as any can be and that the sample does not show."
)


@Probe(
    id="quality.mean_absolute_error",
    challenge="quality",
    title="Distance of the answer from the truth",
    unit="classes",
    counts="mean distance in classes",
    better="lower",
    meaning="By how many classes the answer misses the truth on average, where the classes are ordered.",
    harm="One star that is read as five harms more than four stars that are; accuracy counts both alike.",
    remedy=_REMEDY,
    alarm=Alarm(1.0, "The answer is a whole class off on average."),
    range=(0, None),
    rules=_RULES,
    guide=_GUIDE,
    cause="accuracy",
)
def mean_absolute_error(predictions: Predictions) -> Result:
    """Mean distance of answer and truth in classes, with a bootstrap interval over the cells of the confusion matrix.

    Raises
    ------
    NotAssessed
        If the classes are two, or nothing orders them.
    """
    from audit.probes.quality import metrics

    return _of_places(
        predictions,
        metrics.mean_absolute_error,
        statistics.mean_distance(len(predictions.classes)),
        Sentence("Mean absolute error of the classes' places in their order, by scikit-learn"),
    )


@Probe(
    id="quality.quadratic_kappa",
    challenge="quality",
    title="Agreement on ordered classes",
    unit="",
    counts="quadratically weighted kappa",
    better="higher",
    meaning=(
        "How much closer answer and truth are than by chance, where the classes are ordered: 1 is agreement, 0 what "
        "guessing reaches with answers as frequent as these, and a miss counts by the square of its distance."
    ),
    harm="Where it lies far below 1, an order by the answers is not the order that people gave.",
    remedy=_REMEDY,
    alarm=Alarm(0.6, "No more than moderate agreement (Landis and Koch 1977, Biometrics 33)."),
    range=(-1, 1),
    rules=_RULES,
    guide=_GUIDE,
    cause="accuracy",
)
def quadratic_kappa(predictions: Predictions) -> Result:
    """Cohen's kappa with quadratic weights, with a bootstrap interval over the cells of the confusion matrix.

    Raises
    ------
    NotAssessed
        If the classes are two, or nothing orders them.

    Notes
    -----
    Source: Cohen, "Weighted kappa", Psychological Bulletin 70 (1968).
    """
    from audit.probes.quality import metrics

    return _of_places(
        predictions,
        metrics.quadratic_kappa,
        statistics.quadratic_kappa,
        Sentence("Cohen's kappa with quadratic weights by scikit-learn (Cohen 1968)"),
    )


@Probe(
    id="quality.off_by_more_than_one",
    challenge="quality",
    title="Answers that are more than one class off",
    unit=SHARE,
    counts="share of answers two classes off or more",
    better="lower",
    meaning="How often the answer is not even next to the truth, where the classes are ordered.",
    harm="People disagree about four stars or five; praise that is read as blame is a plain error.",
    remedy=_REMEDY,
    alarm=Alarm(0.1, "Of ten answers one is two classes off or more."),
    rules=_RULES,
    guide=_GUIDE,
    cause="accuracy",
)
def off_by_more_than_one(predictions: Predictions) -> Result:
    """Share of answers that are two classes off or more, with the exact interval of a proportion.

    Raises
    ------
    NotAssessed
        If the classes are two, or nothing orders them.
    """
    truth, said = _places(predictions)
    confidence, clusters = predictions.known.protocol.confidence, predictions.known.clusters
    far = np.abs(truth - said) > 1
    effect = statistics.design_effect(far, clusters)
    share = statistics.proportion(int(far.sum()), len(far), confidence, effect=effect)
    result = Result(
        *share,
        len(far),
        Sentence("Answers counted over the test split; exact interval of a proportion (Clopper and Pearson 1934)."),
        confidence,
        evidence=[_distances(predictions, truth, said)],
        settle=lambda bound: statistics.proportion_to_settle(share.estimate, bound, confidence, effect=effect),
    )
    return clustered(result, effect, predictions.known.protocol.cluster)


def _places(predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Truth and answer of each example as places in the order of the classes, from 0 on; shape (n,) each."""
    classes, order = predictions.classes, predictions.known.protocol.order
    if len(classes) < 3:
        raise NotAssessed(
            Sentence("the classes are two, and an answer is right or wrong; quality.accuracy counts that")
        )
    if not order:
        raise NotAssessed(
            Sentence(
                "nothing says that the classes {classes} are ordered; name them from the worst to the best with "
                "[model] order",
                classes=listed([printable(name) for name in classes]),
            )
        )
    place = np.array([order.index(name) for name in classes], dtype=np.int64)
    return place[predictions.truth], place[predictions.labels]


def _of_places(
    predictions: Predictions,
    metric: Callable[[ArrayLike, ArrayLike], float],
    measure: statistics.ConfusionMeasure,
    what: str,
) -> Result:
    """A measure of the places of answer and truth: estimate by scikit-learn, interval over the cells."""
    (truth, said), protocol = _places(predictions), predictions.known.protocol
    found = of_cells(measure, truth, said, len(predictions.classes), predictions.known)
    result = Result(
        metric(said, truth),
        found.interval.low,
        found.interval.high,
        len(predictions),
        joined([what, _EXACT if found.is_exact else _BOOTSTRAP], "; "),
        protocol.confidence,
        interval="approximate",
        evidence=[_distances(predictions, truth, said)],
    )
    return clustered(result, found.effect, protocol.cluster)


def _distances(predictions: Predictions, truth: NDArray[np.int64], said: NDArray[np.int64]) -> Evidence:
    """How many answers are how far off, on which side."""
    protocol, clusters = predictions.known.protocol, predictions.known.clusters
    away, most = said - truth, len(predictions.classes) - 1
    rows: list[list[Cell]] = []
    for step in range(-most, most + 1):
        here = away == step
        shown = count(int(here.sum()))
        share = statistics.share(here, protocol.confidence, clusters=clusters)
        rows.append([f"{step:+d}" if step else "0", *(share if isinstance(shown, int) else [None] * 3), shown])
    return Table(
        Sentence("How many classes above (+) or below (−) the truth the answers are"),
        [Sentence("classes"), Sentence("share of answers"), Sentence("low"), Sentence("high"), Sentence("answers")],
        rows,
        units=["", SHARE, SHARE, SHARE, ""],
    )
