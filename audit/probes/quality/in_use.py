"""How often a model is right on texts of use, of which few or none have a label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.evidence import Cell, Table
from audit.core.probe import SHARE
from audit.core.sentences import Sentence
from audit.data.examples import Production, drawn
from audit.inference.predictions import Predictions
from audit.statistics import FEWEST_LABELLED, Array, Interval

# Rows of use that are asked about, labelled and not, at most so many of each.
MOST = 2_000
# From this area under the ROC curve on the two hardly overlap, and no weights make the one like the other.
APART = 0.9
# Test texts that, weighted, vary as much as fewer alike ones estimate no accuracy.
EFFECTIVE = 100
# Standard errors by which weighted test texts may differ from those of use, and labelled rows from the others: one case
# in a hundred, and one in a thousand, does by chance.
UNLIKE, NOT_DRAWN = 2.58, 3.29
_TRIED = "quality.drift, accuracy"


class Weighing(NamedTuple):
    """What tells test texts from those of use.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Distinct test texts.
    odds : ndarray of float, shape (n,)
        Logarithm of how much more frequent a classifier that did not see one takes such a text to be in use.
    units : ndarray of int, shape (n,)
        Which of them belong together.
    area : float
        How well that classifier tells the two apart: the area under its ROC curve.
    """

    rows: NDArray[np.int64]
    odds: Array
    units: NDArray[np.int64]
    area: float


@dataclass(frozen=True, repr=False)
class InUse:
    """Estimates of the accuracy on texts of use.

    Parameters
    ----------
    test : Interval
        On the test data, for comparison.
    labelled : int
        Labelled rows of use that were asked about.
    alone : Interval or None
        By the labelled rows alone.
    powered : Interval or None
        By these and the answers to the others.
    worth : float
        How many labelled rows alone would say as much.
    weighted : Interval or None
        By the test texts, weighted to resemble those of use.
    caveats : sequence of str
        What they rest on, and why there is none.
    """

    test: Interval
    labelled: int
    alone: Interval | None
    powered: Interval | None
    worth: float
    weighted: Interval | None
    caveats: Sequence[str]

    @property
    def best(self) -> Interval | None:
        """The one that rests on labels of use, else the other."""
        return self.powered or self.alone or self.weighted

    @property
    def table(self) -> Table:
        """All of them."""
        rows: list[list[Cell]] = [[Sentence("test data"), *self.test]]
        for name, interval in (
            (Sentence("texts of use, by {n:,} labelled ones alone", n=self.labelled), self.alone),
            (Sentence("texts of use, by these and the answers to all (worth {n:,.0f})", n=self.worth), self.powered),
            (Sentence("texts of use, by weighted test texts"), self.weighted),
        ):
            if interval is not None:
                rows.append([name, *interval])
        return Table(
            Sentence("How often the answers are right"),
            [Sentence("texts"), Sentence("accuracy"), Sentence("low"), Sentence("high")],
            rows,
            units=["", SHARE, SHARE, SHARE],
        )

    @property
    def summary(self) -> str:
        """The best of them in a sentence."""
        if (best := self.best) is None:
            return Sentence("How often the answers to texts of use are right cannot be told without labels of some.")
        figures = {"accuracy": best.estimate, "low": best.low, "high": best.high}
        if self.alone is not None:
            return Sentence(
                "By {n:,} labelled ones {accuracy:.1%} of the answers to texts of use are right ({low:.1%} to "
                "{high:.1%}).",
                n=self.labelled,
                **figures,
            )
        return Sentence(
            "{accuracy:.1%} of the answers to texts of use are right ({low:.1%} to {high:.1%}), if no more differs "
            "there than how frequent kinds of texts or classes are.",
            **figures,
        )


def estimates(
    predictions: Predictions,
    production: Production,
    answer: Callable[[Sequence[str]], Predictions],
    weighing: Weighing,
    texts: Sequence[str],
) -> InUse:
    """How often the model is right on texts of use.

    Parameters
    ----------
    predictions : Predictions
        On the test data, told them.
    production : Production
    answer : callable
        From texts to the model's answers.
    weighing : Weighing
    texts : sequence of str
        Distinct texts of use, drawn at random.
    """
    expected = _expectation(predictions)
    confidence = predictions.known.protocol.confidence
    caveats: list[str] = []
    alone, powered, worth, labelled = _by_labels(production, answer, expected, confidence, caveats)
    weighted = _by_weights(predictions, expected, answer(texts), weighing, confidence, caveats)
    test = statistics.share(predictions.correct, confidence, clusters=predictions.known.clusters)
    return InUse(test, labelled, alone, powered, worth, weighted, caveats)


def _by_labels(
    production: Production,
    answer: Callable[[Sequence[str]], Predictions],
    expected: Callable[[Predictions], Array],
    confidence: float,
    caveats: list[str],
) -> tuple[Interval | None, Interval | None, float, int]:
    """By labels of use: alone, and prediction-powered, with what that is worth; rows count as they come."""
    order = _rows_drawn(production.texts)
    is_labelled = production.labels[order] >= 0
    known, others = order[is_labelled][:MOST], order[~is_labelled][:MOST]
    if not len(known):
        caveats.append(
            Sentence(
                "No text of use has a label. With labels of a random sample of them ([data] production_label) the "
                "accuracy there is known with an interval that rests on no assumption."
            )
        )
        return None, None, 0.0, 0
    said, unknown = (answer([production.texts[i] for i in rows]) for rows in (known, others))
    right, here = said.labels == production.labels[known], expected(said)
    there = expected(unknown) if len(others) else np.empty(0)
    if len(others) and len(known) >= FEWEST_LABELLED:
        spread = np.sqrt(here.var() / len(here) + there.var() / len(there))
        if abs(here.mean() - there.mean()) > NOT_DRAWN * spread:
            caveats.append(
                Sentence(
                    "The labelled texts of use are no random sample of them: the model is surer of the ones than of "
                    "the others by more than chance allows. What they say of the accuracy is left out; label rows that "
                    "were drawn at random."
                )
            )
            return None, None, 0.0, len(known)
    alone = statistics.proportion(int(right.sum()), len(right), confidence)
    caveats.append(
        Sentence(
            "The accuracy on texts of use holds if the labelled rows are a random sample of all; rows count as they "
            "come, copies too. Exact limits (Clopper and Pearson 1934), with the answers to the others at the number "
            "of labelled rows that these together are worth (prediction-powered inference, Angelopoulos et al. 2023)."
        )
    )
    if production.dropped:
        caveats.append(
            Sentence(
                "{dropped:,} labelled texts of use have a label that [data] drop_labels leaves out. Others without a "
                "label may belong to these, so the labelled ones are taken alone.",
                dropped=production.dropped,
            )
        )
        return alone, None, 0.0, len(known)
    powered, worth = statistics.prediction_powered(right, here, there, confidence)
    return alone, powered if worth > len(known) else None, worth, len(known)


def _rows_drawn(texts: Sequence[str]) -> NDArray[np.int64]:
    """Rows in a random order in which copies of a text stand apart, so that the first k are a sample of k rows."""
    seen: Counter[str] = Counter()
    numbered = []
    for text in texts:
        numbered.append(f"{seen[text]} {text}")
        seen[text] += 1
    return drawn(_TRIED, numbered)


def _by_weights(
    predictions: Predictions,
    expected: Callable[[Predictions], Array],
    in_use: Predictions,
    weighing: Weighing,
    confidence: float,
    caveats: list[str],
) -> Interval | None:
    """By test texts, weighted; None where that would not be honest."""
    rows, odds, units, area = weighing
    if area > APART:
        caveats.append(
            Sentence(
                "Without labels of use no accuracy is estimated from the test texts: they are told from those of use "
                "in {pairs:.0f} of 100 cases, so that hardly any of them stands for these.",
                pairs=100 * area,
            )
        )
        return None
    found = statistics.importance_weighted(
        predictions.correct[rows],
        expected(predictions)[rows],
        np.exp(odds - odds.max()),
        expected(in_use),
        confidence,
        clusters=np.unique(units, return_inverse=True)[1],
    )
    if found.effective < EFFECTIVE:
        caveats.append(
            Sentence(
                "Without labels of use no accuracy is estimated from the test texts: weighted to resemble those of use "
                "they are worth {effective:.0f} of equal weights, and fewer than {least} say too little.",
                effective=found.effective,
                least=EFFECTIVE,
            )
        )
        return None
    if found.imbalance > UNLIKE:
        caveats.append(
            Sentence(
                "Without labels of use no accuracy is estimated from the test texts: even weighted to resemble those "
                "of use they differ from them in how often a right answer is expected, by {errors:.1f} standard "
                "errors.",
                errors=found.imbalance,
            )
        )
        return None
    classes = len(predictions.classes)
    truth, said = predictions.truth[rows], predictions.labels[rows]
    by_class = statistics.label_shifted(
        np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes),
        np.bincount(in_use.labels, minlength=classes),
        confidence,
    )
    if by_class is None:
        caveats.append(
            Sentence(
                "Without labels of use no accuracy is estimated from the test texts: the answers tell the classes too "
                "badly apart to say how frequent each is in use."
            )
        )
        return None
    caveats.append(
        Sentence(
            "What weighted test texts say of the accuracy covers two cases: kinds of texts are more or less frequent "
            "in use (Shimodaira 2000), or classes are (Lipton, Wang and Smola 2018). It holds only if one of these is "
            "all that differs, and texts of a kind are labelled alike and as hard as in the test data. No test without "
            "labels of use can show that."
        )
    )
    by_kind = found.interval
    return Interval(by_kind.estimate, min(by_kind.low, by_class.low), max(by_kind.high, by_class.high))


def _expectation(predictions: Predictions) -> Callable[[Predictions], Array]:
    """From answers to how often such ones are right on the test data, by how sure they are (Platt scaling, 1999)."""
    from sklearn.linear_model import LogisticRegression

    def sureness(said: Predictions) -> Array:
        most = np.clip(said.sureness_at(predictions.known.protocol.threshold), 1e-6, 1 - 1e-6)
        return np.asarray(np.log(most / (1 - most))[:, None])

    right = predictions.correct
    if right.all() or not right.any():
        share = float(right.mean())
        return lambda said: np.full(len(said), share)
    linear = LogisticRegression(C=1e6).fit(sureness(predictions), right)
    return lambda said: np.asarray(linear.predict_proba(sureness(said))[:, 1])
