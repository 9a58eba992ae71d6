"""Quality: whether the test texts are like those that the model learnt from, was audited on, and is used on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Distribution, Evidence, Fact, Facts, Table
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence, joined
from audit.data import examples as data
from audit.data.examples import Examples, Production
from audit.data.labels import sentiment
from audit.inference.predictions import FormerPredictions, Predictions
from audit.probes.methods import FIXED
from audit.probes.quality import in_use, two_samples
from audit.probes.quality.two_samples import FOLDS, MOST, Told
from audit.statistics import Array
from audit.text import languages
from audit.text.redaction import SMALLEST_CELL, redact, withheld

if TYPE_CHECKING:
    from audit.inference.scorer import Scorer

ID = "quality.drift"
AGAINST = ("train", "baseline", "production")
# What the test examples are held against, as a reader calls it.
OTHER = {
    "train": Sentence("training data"),
    "baseline": Sentence("former audit"),
    "production": Sentence("texts of use"),
}
_TEST = Sentence("test data")
_WORDS, _EMBEDDING = Sentence("its words"), Sentence("what the model makes of it")
_ANSWER, _LABEL, _BOTH = Sentence("its answer"), Sentence("its label"), Sentence("its answer and label")
# Words that differ, at most so many.
SHOWN = 20
# Texts of each sample whose language is told.
READ = 500
_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


@Probe(
    id=ID,
    challenge="quality",
    title="How well other texts are told from the test texts (AUC; 0.5 is guessing)",
    title_of="How well {bracket} are told from the test texts (AUC; 0.5 is guessing)",
    bracket_names=(
        "training texts",
        "the former audit’s texts",
        "texts of use",
    ),
    unit="",
    counts="chance to tell two samples apart",
    better="lower",
    meaning=(
        "Given two texts, one of the test data and one of elsewhere (what the model learnt from, a former audit, the "
        "use), how often a simple program that reads them names the right one; 0.5 is a coin, and no difference."
    ),
    harm=(
        "What an audit found holds for texts like its own. On others the model may be right less often, or wrong about "
        "other people, and no figure says so."
    ),
    remedy=(
        "Look at what differs, below. Audit on texts like those of the use; train on such texts where answers on them "
        "turn out to be worse."
    ),
    brackets=AGAINST,
    bracket="against",
    range=(0.0, 1.0),
    measured_on=("test data", "training data"),
    alarm=Alarm(
        0.55,
        "Of a hundred pairs a simple program tells fifty-five apart, as one that reads without error does where five "
        "positive texts of ten have become six: from there on the figures of one sample need not hold for the other.",
    ),
    rules=(
        "MEASURE 2.3",
        "MEASURE 2.4",
        "MEASURE 2.5",
        "Article 9(8)",
        "Article 10",
        "Article 13",
        "Article 15(1) and (3)",
        "A.6.2.4",
    ),
    guide="docs/drift.md",
    passes=1,
    most_passes=2,
)
def drift(
    predictions: Predictions,
    against: str,
    scorer: Scorer | None = None,
    train_data: Examples | None = None,
    former_predictions: FormerPredictions | None = None,
    production: Production | None = None,
) -> Result:
    """How well a classifier tells the test examples from a second sample: the largest area of several views.

    Parameters
    ----------
    predictions : Predictions
        On the test data, told them.
    against : {"train", "baseline", "production"}
        What the second sample is.
    scorer : Scorer, optional
        Of the audited model; one of the user's own need not give embeddings.
    train_data : Examples, optional
    former_predictions : FormerPredictions, optional
    production : Production, optional

    Raises
    ------
    NotAssessed
        Where there is no second sample, or either has too few texts.

    Notes
    -----
    See :mod:`audit.probes.quality.two_samples`. At most :data:`audit.probes.quality.two_samples.MOST` distinct texts of
    each sample are drawn by their content; a text that stands several times counts once.
    """
    if against == "train":
        if train_data is None:
            raise NotAssessed(Sentence("no training data are known; name them with [data] train"))
        second = _Second(train_data.texts, train_data.drawn(ID), labels=train_data.labels, clusters=train_data.clusters)
        return _compared(predictions, second, against, scorer).result
    if against == "production":
        if production is None:
            raise NotAssessed(Sentence("no texts of use are known; name a file of them with [data] production"))
        return _of_production(predictions, production, scorer)
    if former_predictions is None:
        raise NotAssessed(
            Sentence("there are no former predictions; give the former audit's folder with --audit-baseline")
        )
    return _of_former(predictions, former_predictions, _fingerprint(scorer))


# ---- two samples of texts


@dataclass(frozen=True, repr=False)
class _Second:
    """A second sample: its texts, their drawn order, and what else is known of each."""

    texts: Sequence[str]
    order: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    clusters: NDArray[np.int64] | None = None
    answers: Callable[[Sequence[str]], Array] | None = None


@dataclass(frozen=True, repr=False)
class _Compared:
    """Both samples as they are compared, and what told them apart."""

    first: NDArray[np.int64]  # rows of the test data
    texts: Sequence[str]  # of both samples
    is_second: NDArray[np.bool_]
    units: NDArray[np.int64]
    told: list[Told]
    result: Result


def _compared(predictions: Predictions, second: _Second, against: str, scorer: Scorer | None) -> _Compared:
    known = predictions.known
    sample = np.zeros(len(known), dtype=bool)
    sample[known.drawn("sample")[: known.protocol.max_examples or None]] = True  # the costly probes' own
    first = two_samples.distinct(known.texts, known.drawn(ID, sample))
    rest = two_samples.distinct(second.texts, second.order)
    texts = [known.texts[i] for i in first] + [second.texts[i] for i in rest]
    is_second = np.arange(len(texts)) >= len(first)
    units = two_samples.units(texts, _clusters(known.clusters, second.clusters, first, rest))
    _check_enough(units, is_second)
    embedding = scorer.embed(texts) if scorer is not None and hasattr(scorer, "embed") else None
    answers = labels = None
    if second.answers is not None:
        answers = np.concatenate([predictions.rows[first], second.answers(texts[len(first) :])])
    if second.labels is not None:
        labels = np.concatenate([known.labels[first], second.labels[rest]])
    split = two_samples.tokens(texts)
    views: list[tuple[str, Any, float]] = [(_WORDS, two_samples.word_features(split), 1.0)]
    if embedding is not None:
        views.append((_EMBEDDING, two_samples.embedding_features(embedding), 1.0 / embedding.shape[1]))
    if answers is not None or labels is not None:
        name = _BOTH if answers is not None and labels is not None else _LABEL if answers is None else _ANSWER
        views.append((name, two_samples.answer_features(answers, labels, len(known.classes)), 1.0))
    told = two_samples.told_apart(views, is_second, units, known.protocol.confidence, known.protocol.seed)
    lengths = np.array([len(text.split()) for text in texts])
    shares = [
        *_class_shares(known.classes, labels, answers),
        *_length_shares(lengths, is_second),
        *_language_shares(texts, known.protocol.language, is_second),
    ]
    evidence: list[Evidence] = [
        _areas(told),
        _share_table(shares, is_second, against, known.protocol.confidence),
        _lengths(lengths, is_second, against),
        *_moved_words(texts, is_second, against, known.protocol.confidence),
        _facts(texts, is_second, units, against, scorer),
    ]
    caveats = [] if embedding is not None else [Sentence("The scorer gives no embeddings, so none were compared.")]
    result = _result(told, is_second, known, against, evidence, caveats)
    return _Compared(first, texts, is_second, units, told, result)


def _clusters(
    one: NDArray[np.int64] | None,
    other: NDArray[np.int64] | None,
    first: NDArray[np.int64],
    rest: NDArray[np.int64],
) -> NDArray[np.int64] | None:
    """Clusters of the rows of both samples, which share none; -1 where a sample has none."""
    if one is None and other is None:
        return None
    above = 0 if one is None else int(one.max()) + 1
    return np.concatenate(
        [
            np.full(len(first), -1) if one is None else one[first],
            np.full(len(rest), -1) if other is None else above + other[rest],
        ]
    )


def _check_enough(units: NDArray[np.int64], is_second: NDArray[np.bool_]) -> None:
    fewest = min(len(np.unique(units[side])) for side in (~is_second, is_second))
    if fewest < 2 * FOLDS:
        raise NotAssessed(
            Sentence(
                "one of the two samples has {number} different texts or clusters of them, and a classifier learns from "
                "{fewest}; supply more",
                number=fewest,
                fewest=2 * FOLDS,
            )
        )


def _result(
    told: Sequence[Told],
    is_second: NDArray[np.bool_],
    known: Examples,
    against: str,
    evidence: Sequence[Evidence],
    caveats: Sequence[str],
) -> Result:
    plain, strict = (
        tuple(np.array(bounds) for bounds in zip(*each, strict=True))
        for each in ([view.area for view in told], [view.strict for view in told])
    )
    area = statistics.as_interval(statistics.largest(plain, strict))  # type: ignore[arg-type]
    best = told[int(np.argmax(plain[0]))]
    return Result(
        *area,
        len(is_second),
        Sentence(
            "Classifier two-sample test (Lopez-Paz and Oquab 2017): logistic regressions learn from four fifths of "
            "the texts which sample a text is of, and are asked about the others, five times over; equal and nearly "
            "equal texts are never on both sides, and a text that stands several times counts once. Area under the ROC "
            "curve, within each fifth, with DeLong's interval (1988) {wider:.3g} times as wide, because the five learn "
            "from texts in common (Nadeau and Bengio 2003). The figure is the largest of {views}: its upper bound is "
            "the largest of theirs, the lower bound is adjusted for their number (Bonferroni).",
            wider=statistics.cross_fit_factor(FOLDS),
            views=len(told),
        ),
        known.protocol.confidence,
        sample=Sentence("texts of both samples"),
        interval="approximate",
        summary=_in_words(best, against),
        caveats=[
            *caveats,
            Sentence(
                "It tells that texts differ, not that the model is worse on them; and it tells only what a linear "
                "classifier finds in so many texts."
            ),
        ],
        evidence=evidence,
        ceiling=FIXED if min(is_second.sum(), (~is_second).sum()) == MOST else "",
    )


def _in_words(best: Told, against: str) -> str:
    pairs: dict[str, Any] = {"view": best.name, "pairs": 100 * best.area.estimate}
    if against == "train":
        return Sentence(
            "Of a test text and a training text, a simple program tells by {view} which is which in {pairs:.0f} of 100 "
            "cases; a coin does in 50.",
            **pairs,
        )
    if against == "production":
        return Sentence(
            "Of a test text and a text of use, a simple program tells by {view} which is which in {pairs:.0f} of 100 "
            "cases; a coin does in 50.",
            **pairs,
        )
    return Sentence(
        "Of a test text of this audit and one of the former, a simple program tells by {view} which is which in "
        "{pairs:.0f} of 100 cases; a coin does in 50.",
        **pairs,
    )


def _areas(told: Sequence[Told]) -> Table:
    return Table(
        Sentence("How often a classifier names the right one of two texts"),
        [Sentence("read off a text by"), Sentence("area under the curve"), Sentence("low"), Sentence("high")],
        [[view.name, *view.area] for view in told],
    )


# ---- what differs


class _Share(NamedTuple):
    name: str
    holds: NDArray[np.bool_]  # of each text of both samples
    among: NDArray[np.bool_] | None = None  # of which texts it is the share; by default of all


def _class_shares(classes: Sequence[str], labels: NDArray[np.int64] | None, answers: Array | None) -> list[_Share]:
    shares = []
    for i, name in enumerate(classes):
        if labels is not None:
            shares.append(_Share(Sentence("labelled “{name}”", name=name), labels == i))
        if answers is not None:
            shares.append(_Share(Sentence("answered “{name}”", name=name), answers.argmax(axis=1) == i))
    return shares


def _length_shares(lengths: NDArray[np.int64], is_second: NDArray[np.bool_]) -> list[_Share]:
    short, long = (int(np.quantile(lengths[~is_second], level)) for level in (0.25, 0.75))
    return [
        _Share(Sentence("of {words:,} words or fewer", words=short), lengths <= short),
        _Share(Sentence("of more than {words:,} words", words=long), lengths > long),
    ]


def _language_shares(texts: Sequence[str], own: str, is_second: NDArray[np.bool_]) -> list[_Share]:
    """Of the first texts of either sample: each takes milliseconds."""
    found = np.full(len(texts), "", dtype=object)
    for side in (is_second, ~is_second):
        for i in np.flatnonzero(side)[:READ]:
            found[i] = languages.language_of(texts[i], own) or ""
    common = [language for language, n in Counter(found).most_common() if language and n >= SMALLEST_CELL]
    return [
        _Share(Sentence("in the language “{code}”, of those that tell theirs", code=code), found == code, found != "")
        for code in common[:SHOWN]
    ]


def _share_table(shares: Sequence[_Share], is_second: NDArray[np.bool_], against: str, confidence: float) -> Table:
    rows: list[list[Cell]] = []
    for name, holds, among in shares:
        sides = [side if among is None else side & among for side in (is_second, ~is_second)]
        hits, sizes = ([int((side & each).sum()) for side in sides] for each in (holds, np.ones_like(holds)))
        if min(sizes) >= SMALLEST_CELL:
            difference = statistics.difference(hits[0], sizes[0], hits[1], sizes[1], confidence)
            rows.append([name, hits[1] / sizes[1], hits[0] / sizes[0], *map(float, difference)])
    return Table(
        Sentence("What differs: shares of the distinct texts"),
        [
            Sentence("texts"), _TEST, OTHER[against], Sentence("difference"), Sentence("low"), Sentence("high"),
        ],
        rows,
        units=["", SHARE, SHARE, POINTS, POINTS, POINTS],
    )  # fmt: skip


def _lengths(lengths: NDArray[np.int64], is_second: NDArray[np.bool_], against: str) -> Distribution:
    return Distribution(
        Sentence("Words of a text"),
        "",
        _LEVELS,
        [
            (name, [float(value) for value in np.quantile(lengths[side], _LEVELS, method="inverted_cdf")])
            for name, side in ((_TEST, ~is_second), (OTHER[against], is_second))
        ],
    )


def _moved_words(texts: Sequence[str], is_second: NDArray[np.bool_], against: str, confidence: float) -> list[Evidence]:
    """Words, in small letters, that are surely more frequent in one of the samples; none where texts are withheld.

    Surely: by an interval whose error is shared out among all words that enough texts hold.
    """
    if withheld():
        return []
    split = two_samples.tokens([two_samples.without_personal(text).casefold() for text in texts])
    names, held = two_samples.held_words(split)
    holds = held > 0
    counts = np.array([np.asarray(holds[side].sum(axis=0)).ravel() for side in (is_second, ~is_second)], dtype=float)
    common = np.flatnonzero(counts.sum(axis=0) >= SMALLEST_CELL)
    sizes = float(is_second.sum()), float((~is_second).sum())
    level = statistics.shared_out(confidence, max(len(common), 1))
    difference, low, high = statistics.difference(counts[0, common], sizes[0], counts[1, common], sizes[1], level)
    sure = np.maximum(np.maximum(low, -high), 0.0)  # how far it is from 0 at least
    chosen = [i for i in np.argsort(-sure, kind="stable")[:SHOWN] if sure[i] > 0]
    facts = Facts.of(
        {
            Sentence("words that at least {texts} texts hold", texts=SMALLEST_CELL): len(common),
            Sentence("of these, surely more frequent in one of the samples"): int((sure > 0).sum()),
        }
    )
    if not chosen:
        return [facts]
    rows: list[list[Cell]] = [
        [
            redact(names[common[i]]),
            *(float(counts[side, common[i]] / sizes[side]) for side in (1, 0)),
            *map(float, (difference[i], low[i], high[i])),
        ]
        for i in chosen
    ]
    return [
        Table(
            Sentence("Words that moved most: shares of the texts that hold them; all intervals hold together"),
            [
                Sentence("word"), _TEST, OTHER[against], Sentence("difference"), Sentence("low"), Sentence("high"),
            ],
            rows,
            units=["", SHARE, SHARE, POINTS, POINTS, POINTS],
        ),
        facts,
    ]  # fmt: skip


def _facts(
    texts: Sequence[str],
    is_second: NDArray[np.bool_],
    units: NDArray[np.int64],
    against: str,
    scorer: Scorer | None,
) -> Facts:
    first = len(texts) - int(is_second.sum())
    shared = int(np.isin(units[is_second], units[~is_second]).sum())
    facts = [
        Fact(Sentence("distinct test texts compared"), first),
        Fact(Sentence("distinct other texts compared"), len(texts) - first),
        Fact(Sentence("of these, equal or nearly equal to a test text"), shared),
    ]
    if scorer is not None and hasattr(scorer, "unknown_share"):
        for name, part in ((_TEST, texts[:first]), (OTHER[against], texts[first:])):
            share = scorer.unknown_share(part)
            facts.append(Fact(Sentence("tokens that its tokenizer does not know, {where}", where=name), share, SHARE))
    return Facts(facts)


# ---- a former audit


def _fingerprint(scorer: Scorer | None) -> str | None:
    return getattr(getattr(scorer, "model", None), "fingerprint", None)


def _of_former(predictions: Predictions, former: FormerPredictions, model: str | None) -> Result:
    """Of answers and labels; a record holds no texts. Answers of another model are of no use for it."""
    known = predictions.known
    number = {sentiment(name): i for i, name in enumerate(known.classes)}
    before = {key: i for i, key in enumerate(former.keys) if sentiment(key[1]) in number and not key[2]}
    now = {key: i for i, key in enumerate(known.keys) if not key[2]}
    if not before:
        raise NotAssessed(
            Sentence(
                "the former audit had other classes; audit both with the same labels to compare their test examples"
            )
        )
    # By their hashes, which are random: the first of each text, whatever its label.
    first, rest = ({key[0]: i for key, i in sorted(rows.items(), reverse=True)} for rows in (now, before))
    chosen = [sorted(each)[:MOST] for each in (first, rest)]
    rows = [[of[text] for text in texts] for of, texts in zip((first, rest), chosen, strict=True)]
    texts = [*chosen[0], *chosen[1]]
    is_second = np.arange(len(texts)) >= len(rows[0])
    clusters = None if known.clusters is None else np.append(known.clusters[rows[0]], np.full(len(rows[1]), -1))
    units = two_samples.joined(np.unique(texts, return_inverse=True)[1], clusters)
    _check_enough(units, is_second)
    labels = np.array(
        [*known.labels[rows[0]], *(number[sentiment(former.keys[i][1])] for i in rows[1])], dtype=np.int64
    )
    answers = None
    spelt = [sentiment(name) for name in former.classes]
    is_same = model is not None and model == former.model and sorted(spelt) == sorted(number)
    if is_same:
        places = [spelt.index(name) for name in number]
        answers = np.concatenate([predictions.rows[rows[0]], former.probabilities[rows[1]][:, places]])
    view = (_BOTH if is_same else _LABEL, two_samples.answer_features(answers, labels, len(known.classes)), 1.0)
    told = two_samples.told_apart([view], is_second, units, known.protocol.confidence, known.protocol.seed)
    both = set(first) & set(rest)
    evidence: list[Evidence] = [
        _areas(told),
        _share_table(_class_shares(known.classes, labels, answers), is_second, "baseline", known.protocol.confidence),
        Facts.of(
            {
                Sentence("distinct test texts of this audit"): len(first),
                Sentence("distinct test texts of the former audit"): len(rest),
                Sentence("texts in both"): len(both),
            }
        ),
    ]
    caveats = [
        Sentence(
            "A former audit leaves no texts: words and embeddings are not assessed, only what stands in its record."
        )
    ]
    if not is_same:
        caveats.append(Sentence("The former audit was of another model, so that answers say nothing of the texts."))
    return _result(told, is_second, known, "baseline", evidence, caveats)


# ---- texts of use


def _of_production(predictions: Predictions, production: Production, scorer: Scorer | None) -> Result:
    """Of texts of use, and how often the model is right on them."""
    if scorer is None:
        raise NotAssessed(Sentence("there is no scorer to ask about the texts of use"))
    second = _Second(
        production.texts,
        data.drawn(ID, production.texts),
        answers=lambda texts: np.asarray(scorer.predict(list(texts)).rows),
    )
    compared = _compared(predictions, second, "production", scorer)
    n = len(compared.first)
    best = max(compared.told, key=lambda view: view.area.estimate)  # kinds that it does not see are not weighed
    estimated = in_use.estimates(
        predictions,
        production,
        lambda texts: scorer.predict(list(texts)),
        in_use.Weighing(compared.first, best.odds[:n], compared.units[:n], best.area.estimate),
        compared.texts[n:],
    )
    result = compared.result
    came: dict[str, Cell] = {
        Sentence("texts of use, as they came"): len(production),
        Sentence("of these, with a label"): int((production.labels >= 0).sum()),
    }
    return replace(
        result,
        summary=joined([result.summary, estimated.summary]),
        caveats=[*result.caveats, *estimated.caveats],
        evidence=[*result.evidence, estimated.table, Facts.of(came)],
    )
