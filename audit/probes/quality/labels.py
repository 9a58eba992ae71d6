"""Quality: whether the labels that all else is measured by are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.evidence import Cell, Fact, Facts, Pair, Pairs, Table
from audit.core.measurement import Result, Sheet
from audit.core.numbers import POINTS, two_digits
from audit.core.probe import SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import UNLABELLED, Examples
from audit.inference.predictions import Predictions
from audit.probes.methods import clustered
from audit.probes.quality import metrics
from audit.probes.quality.doubts import Conflicts, Doubts, conflicts, doubts, ranked
from audit.text import duplicates
from audit.text.redaction import SMALLEST_CELL, count, printable, redact

# Of the list of labels in doubt, which is a file of its own, the page shows so many; and so many texts.
FIRST, TEXTS = 20, 5
# With a chance below this, the rows that have a second label were drawn at random from all.
NOT_RANDOM = 1e-3
# In so many rows two people do not give the very same labels.
COPY = 100
_SECOND = Sentence("test examples with a second label")
_WRONG_IS = Sentence(
    "A label is wrong here where it is not the one that people would most often give to the text: on texts that divide "
    "people, some labels are wrong whoever gives them."
)
_AGREED = Sentence("If people agree on a wrong label (irony, a guideline that errs), neither bound knows of it.")
# Accuracy is the last, since its interval stands behind it.
_FIGURES: tuple[tuple[Sentence, Callable[[Predictions], float], str], ...] = (
    (Sentence("balanced accuracy"), lambda p: metrics.balanced_accuracy(p.labels, p.truth), SHARE),
    (Sentence("macro F1"), lambda p: metrics.macro_f1(p.labels, p.truth), SHARE),
    (Sentence("Matthews correlation"), lambda p: metrics.mcc(p.labels, p.truth), ""),
    (Sentence("area under the ROC curve"), lambda p: metrics.roc_auc(p.probabilities.astype(float), p.truth), ""),
    (Sentence("accuracy"), lambda p: metrics.accuracy(p.labels, p.truth), SHARE),
)


@Probe(
    id="quality.label_noise",
    challenge="quality",
    title="Test labels that are wrong",
    unit=SHARE,
    counts="share of test labels",
    better="lower",
    meaning=(
        "How many labels of the test data are not what people would say of the text: by a second label of some texts, "
        "else only bounds."
    ),
    harm=(
        "All other figures are measured by these labels: a model that is right is called wrong, and of two models the "
        "worse may win."
    ),
    remedy=(
        "Have the first rows of relabel.csv, beside this report, looked at again; give a second, independent label to "
        "some hundred test texts drawn at random ([data] second_label)."
    ),
    alarm=Alarm(
        0.02,
        "Two wrong labels in a hundred move the accuracy by as much as models under comparison often differ by.",
    ),
    rules=(
        "MEASURE 2.3",
        "MEASURE 2.5",
        "Article 9(8)",
        "Article 10",
        "Article 13",
        "Article 15(1) and (3)",
        "A.6.2.4",
        "A.7.4",
    ),
    guide="docs/labels.md",
)
def label_noise(
    predictions: Predictions,
    train_data: Examples | None = None,
    *,
    near_duplicate: float = 0.8,
    relabel_texts: bool = False,
) -> Result:
    """Share of test labels that are wrong.

    By the second labels of test examples drawn at random, with an interval; without them an estimate by confident
    learning, between bounds that hold under the assumption that the method states.

    Parameters
    ----------
    predictions : Predictions
        Of a model that has not learned from these labels.
    train_data : Examples, optional
        Answers to texts that stand in it bound nothing: the model may repeat what it was taught.
    near_duplicate : float
        Jaccard similarity of word shingles from which texts are near copies.
    relabel_texts : bool
        Whether the sheet holds texts, as they may be shown.

    Returns
    -------
    Result
        With the sheet ``relabel.csv``: labels in doubt, ranked, by row.
    """
    test = predictions.known
    doubted, equal = doubts(predictions), conflicts(test.texts, test.labels)
    result = _measured(predictions, doubted, equal, train_data)
    known_second = _is_of_use(predictions)
    listed = _listed(predictions, doubted, equal)
    return replace(
        result,
        caveats=[*result.caveats, _WRONG_IS],
        evidence=[
            _figures(predictions, doubted, known_second),
            _by_part(predictions, doubted, known_second),
            _conflict_table(test, equal, near_duplicate),
            _first(predictions, listed),
            *_texts(predictions, doubted),
            Facts(
                (
                    Fact(Sentence("labels in doubt, by confident learning"), len(doubted.rows)),
                    Fact(Sentence("rows of relabel.csv"), len(listed)),
                    Fact(Sentence("how far the accuracy may be off by wrong labels, at most"), result.high, POINTS),
                )
            ),
        ],
        sheets=[_sheet(predictions, listed, equal, relabel_texts)],
    )


# ---- the figure


@dataclass(frozen=True)
class _Second:
    """What the second labels say of the first.

    Parameters
    ----------
    n, differ : int
        Examples that have a second label, and those in which it is another.
    effect : DesignEffect
        Of these.
    chance : float
        The chance that drawing at random makes the rows that have one as unlike the others as they are.
    """

    n: int
    differ: int
    effect: statistics.DesignEffect
    chance: float


def _is_of_use(predictions: Predictions) -> bool:
    second = _second(predictions)
    return second is not None and second.chance >= NOT_RANDOM


def _second(predictions: Predictions) -> _Second | None:
    test = predictions.known
    if test.second is None or not (filled := test.second != UNLABELLED).any():
        return None
    differs = (test.second != test.labels)[filled]
    clusters = None if test.clusters is None else test.clusters[filled]
    effect = statistics.design_effect(differs, clusters)
    return _Second(int(filled.sum()), int(differs.sum()), effect, _chance_of_draw(predictions, filled))


def _chance_of_draw(predictions: Predictions, filled: NDArray[np.bool_]) -> float:
    """p-value of Pearson's test that the rows are as the others in label and in whether the model contradicts it.

    Rows of one cluster count for less, since whole clusters may have been drawn (Rao and Scott, "The analysis of
    categorical data from complex sample surveys", JASA 76, 1981, first order).
    """
    from scipy.stats import chi2_contingency

    known = predictions.known
    kept = float(statistics.design_effect(predictions.correct, known.clusters).kept(known.protocol.confidence))
    kinds = 2 * predictions.truth + predictions.correct
    table = np.stack([np.bincount(kinds[each], minlength=2 * len(predictions.classes)) for each in (filled, ~filled)])
    table = table[:, table.any(axis=0)]
    if not table.any(axis=1).all() or table.shape[1] < 2:
        return 1.0
    return float(chi2_contingency(table * kept, correction=False).pvalue) if kept else 1.0


def _measured(predictions: Predictions, doubted: Doubts, equal: Conflicts, train_data: Examples | None) -> Result:
    second, is_truth = _second(predictions), predictions.known.protocol.second_label_is == "truth"
    if second is None:
        return _bounded(predictions, doubted, equal.wrong, train_data)
    if second.chance < NOT_RANDOM:
        # Of those that were looked at, the wrong ones are wrong all the same.
        wrong = second.differ if is_truth else equal.wrong
        result = _bounded(predictions, doubted, max(wrong, equal.wrong), train_data)
        caveat = Sentence(
            "The {n:,} examples with a second label are surely not drawn at random: by label and by how often the "
            "model contradicts it they differ from the others (p = {chance:.3g}). So they say nothing of these.",
            n=second.n,
            chance=second.chance,
        )
        return replace(result, caveats=[caveat, *result.caveats])
    result = replace((_by_truth if is_truth else _by_peer)(predictions, second), caution=_copied(predictions, second))
    return clustered(result, second.effect, predictions.known.protocol.cluster)


def _copied(predictions: Predictions, second: _Second) -> str:
    """That a second label of every row which never differs may be none; a clause."""
    is_copy = second.n == len(predictions) >= COPY and not second.differ
    return Sentence("the second label is the first one in every row: is it a copy of it?") if is_copy else ""


def _by_truth(predictions: Predictions, second: _Second) -> Result:
    confidence = predictions.known.protocol.confidence
    found = statistics.proportion(second.differ, second.n, confidence, effect=second.effect)
    return Result(
        *found,
        second.n,
        Sentence(
            "Labels held against a second one, which is taken for right, on test examples that are taken to be drawn "
            "at random; exact interval of a proportion (Clopper and Pearson 1934)."
        ),
        confidence,
        _SECOND,
        summary=Sentence(
            "Of {n:,} test examples with a second label, {differ:,} have another one.", n=second.n, differ=second.differ
        ),
        settle=lambda gate: statistics.proportion_to_settle(found.estimate, gate, confidence, effect=second.effect),
    )


def _by_peer(predictions: Predictions, second: _Second) -> Result:
    confidence, classes = predictions.known.protocol.confidence, len(predictions.classes)
    differ = statistics.proportion(second.differ, second.n, confidence, effect=second.effect)
    estimate, low = (float(statistics.peer_noise(each, classes)) for each in (differ.estimate, differ.low))

    def settle(gate: float) -> statistics.Settling | str | None:
        if estimate <= gate <= differ.estimate:
            return Sentence(
                "it lies between what the disagreement comes to if all texts are equally hard and if some are harder: "
                "second labels that are right would tell ([data] second_label_is)"
            )
        bound = gate if gate > differ.estimate else float(statistics.peer_disagreement(gate, classes))
        return statistics.proportion_to_settle(differ.estimate, bound, confidence, effect=second.effect)

    return Result(
        estimate,
        low,
        differ.high,
        second.n,
        Sentence(
            "Two labels of the same test examples, taken to be drawn at random; neither is taken for right. Both are "
            "assumed to err equally often and, given the text, independently, and of each text the right label to be "
            "the one given most often. With a share e of wrong labels they then differ on at least e of the texts, and "
            "on at most 2e − e²K/(K − 1) with K classes, 2e(1 − e) with two, which is so where all texts are equally "
            "hard (Cover and Hart 1967). The estimate takes them for equally hard; the interval does not: it ends "
            "where the exact limits of the disagreement (Clopper and Pearson 1934) put the least and the greatest e."
        ),
        confidence,
        _SECOND,
        summary=Sentence(
            "On {differ:,} of {n:,} test examples the two labels differ, {share:.1%}; were all texts equally hard, "
            "{noise:.1%} of the labels would be wrong.",
            n=second.n,
            differ=second.differ,
            share=second.differ / second.n,
            noise=estimate,
        ),
        caveats=[
            Sentence(
                "Where both labellers make the same mistakes (they follow one guideline that is wrong, or one saw the "
                "other's label), more labels are wrong than their disagreement shows."
            )
        ],
        settle=settle,
    )


def _bounded(predictions: Predictions, doubted: Doubts, wrong: int, train_data: Examples | None) -> Result:
    """Between what equal texts prove and what answers that know no labels allow; `wrong` are so many for sure."""
    test = predictions.known
    n, confidence = len(test), test.protocol.confidence
    taught = test.stand_in(train_data.texts if train_data is not None else ())
    contradicted = ~predictions.correct | taught
    effect = statistics.design_effect(contradicted, test.clusters)
    low = wrong / n
    high = max(float(statistics.proportion(int(contradicted.sum()), n, confidence, effect=effect).high), low)
    estimate = min(max(doubted.share, low), high)

    def settle(gate: float) -> str:
        # Not at the estimate, which is no measure of what a second label would find.
        size = statistics.proportion_to_settle(gate / 2, gate, confidence)
        if size is None:
            return Sentence("a second label of test examples drawn at random would tell ([data] second_label)")
        return Sentence(
            "a second label of test examples drawn at random would tell ([data] second_label): about {n:,} of them, if "
            "half as many labels are wrong as the gate allows",
            n=two_digits(size.total),
        )

    result = Result(
        estimate,
        low,
        high,
        n,
        Sentence(
            "No second label tells which are wrong, so these are bounds, and they rest on an assumption: the right "
            "label of a text is the one that people would most often give to it, and the model has not learned from "
            "the test labels. Then nothing that reads the text can contradict fewer labels than are wrong (the Bayes "
            "error; Cover and Hart 1967), so that no more are wrong than the model contradicts, at the exact upper "
            "limit of that share (Clopper and Pearson 1934). Those that are wrong for sure are the least: of equal "
            "texts with different labels all but the most frequent. The estimate between them is by confident "
            "learning (Northcutt, Jiang and Chuang 2021), which cannot tell a wrong label from a mistake that the "
            "model is sure of."
        ),
        confidence,
        summary=Sentence(
            "The model contradicts {contradicted:,} of {n:,} labels, {doubted:,} of them with confidence. How many of "
            "these are wrong, and how many are mistakes of the model, only a second label tells.",
            contradicted=int((~predictions.correct).sum()),
            n=n,
            doubted=len(doubted.rows),
        ),
        caveats=[*_taught(int(taught.sum())), _AGREED],
        settle=settle,
    )
    return clustered(result, effect, test.protocol.cluster)


def _taught(number: int) -> list[str]:
    if not number:
        return []
    return [
        Sentence(
            "{number:,} test texts stand in the training data, where the model may have learned their labels: in the "
            "upper bound they count as if it contradicted them.",
            number=number,
        )
    ]


# ---- what it does to other figures


def _figures(predictions: Predictions, doubted: Doubts, by_second: bool) -> Table:
    """Each figure by all labels, by those in no doubt, and where there is a second label by either."""
    certain = np.ones(len(predictions), dtype=bool)
    certain[doubted.rows] = False
    by = {Sentence("all labels"): predictions, Sentence("those in no doubt"): _on(predictions, certain)}
    if by_second:
        second = (Sentence("the first, where there is a second"), Sentence("the second"))
        by |= dict(zip(second, _both(predictions), strict=True))
    return Table(
        Sentence(
            "What wrong labels do to each figure. By those in no doubt all look better than they are: that the model "
            "contradicts a label is what puts it in doubt"
        ),
        [Sentence("by"), Sentence("n"), *(name for name, _, _ in _FIGURES), Sentence("low"), Sentence("high")],
        [_row(name, each) for name, each in by.items()],
        units=["", "", *(unit for _, _, unit in _FIGURES), SHARE, SHARE],
    )


def _row(name: str, predictions: Predictions) -> list[Cell]:
    """Each figure by some labels, the last of them with its interval; None where a class has no example."""
    n = len(predictions)
    if n < SMALLEST_CELL:
        return [name, count(n), *[None] * (len(_FIGURES) + 2)]
    known = predictions.known
    is_whole = bool(np.bincount(predictions.truth, minlength=len(predictions.classes)).all())
    figures = [figure(predictions) if is_whole else None for _, figure, _ in _FIGURES[:-1]]
    return [
        name,
        n,
        *figures,
        *statistics.share(predictions.correct, known.protocol.confidence, clusters=known.clusters),
    ]


def _on(predictions: Predictions, rows: NDArray[np.bool_]) -> Predictions:
    return predictions.take(rows)


def _both(predictions: Predictions) -> tuple[Predictions, Predictions]:
    """The answers where there is a second label that is a class: by the first label, and by the second."""
    second = predictions.known.second
    assert second is not None
    first = _on(predictions, (second != UNLABELLED) & (second < len(predictions.classes)))
    chosen = first.known
    assert chosen.second is not None
    return first, first.on(replace(chosen, labels=chosen.second))


# ---- where they are


def _parts(test: Examples) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each label, and each group of people, with its rows."""
    for i, name in enumerate(test.classes):
        yield Sentence("labelled {label}", label=name), test.labels == i
    for column in sorted(test.subgroups):
        groups = test.subgroups[column]
        for group in sorted({each for each in groups if each is not None}):
            yield Sentence("{column}: {group}", column=printable(column), group=group), groups == group


def _by_part(predictions: Predictions, doubted: Doubts, by_second: bool) -> Table:
    """By label and group, how many labels are in doubt, and how often a second label is another."""
    test = predictions.known
    in_doubt = np.zeros(len(test), dtype=bool)
    in_doubt[doubted.rows] = True
    rows: list[list[Cell]] = []
    for name, part in _parts(test):
        n = int(part.sum())
        row: list[Cell] = [name, count(n), float(in_doubt[part].mean()) if n >= SMALLEST_CELL else None]
        if by_second:
            assert test.second is not None
            known = part & (test.second != UNLABELLED)
            differs = (test.second != test.labels)[known]
            clusters = None if test.clusters is None else test.clusters[known]
            is_shown = len(differs) >= SMALLEST_CELL
            interval = (
                statistics.share(differs, test.protocol.confidence, clusters=clusters) if is_shown else [None] * 3
            )
            row += [count(len(differs)), *interval]
        rows.append(row)
    second = [_SECOND, Sentence("another label"), Sentence("low"), Sentence("high")] if by_second else []
    return Table(
        Sentence("Where labels are in doubt"),
        [Sentence("examples"), Sentence("n"), Sentence("in doubt"), *second],
        rows,
        units=["", "", SHARE, *(["", SHARE, SHARE, SHARE] if by_second else [])],
    )


def _conflict_table(test: Examples, equal: Conflicts, near_duplicate: float) -> Table:
    """Different labels of texts that are equal, alike, or near copies."""
    alike = conflicts([duplicates.normal_form(text) for text in test.texts], test.labels)
    # Without a column of clusters, these are the near copies.
    if test.protocol.cluster:
        families = duplicates.families(test.texts, near_duplicate)
    else:
        families = np.arange(len(test)) if test.clusters is None else test.clusters
    near = conflicts(families.tolist(), test.labels)
    kinds: Mapping[Sentence, Conflicts] = {
        Sentence("equal"): equal,
        Sentence("alike but for case, punctuation, space and HTML"): alike,
        Sentence("near copies, from six words on"): near,
    }
    return Table(
        Sentence(
            "Different labels of one text; at least the labels but the most frequent are wrong where texts are equal"
        ),
        [
            Sentence("texts"),
            Sentence("with different labels"),
            Sentence("test examples"),
            Sentence("share"),
            Sentence("all but the most frequent label"),
            Sentence("share"),
        ],
        [
            [name, found.texts, int(found.rows.sum()), float(found.rows.mean()), found.wrong, found.wrong / len(test)]
            for name, found in kinds.items()
        ],
        units=["", "", "", SHARE, "", SHARE],
    )


def _listed(predictions: Predictions, doubted: Doubts, equal: Conflicts) -> NDArray[np.int64]:
    """The rows to look at again, ranked: labels in doubt, and those of equal texts that the model contradicts."""
    chosen = equal.rows & ~predictions.correct
    chosen[doubted.rows] = True
    return ranked(predictions, chosen)


def _doubt(predictions: Predictions, row: int) -> list[Cell]:
    """What the sheet and the page say of a label: row, label, suggestion, probabilities of both."""
    label, answer = int(predictions.truth[row]), int(predictions.labels[row])
    chances = predictions.probabilities[row].astype(float)
    return [
        predictions.known.row(row) or row + 1,  # of examples from no file their number
        predictions.classes[label],
        predictions.classes[answer],
        float(chances[answer]),
        float(chances[label]),
    ]


def _first(predictions: Predictions, listed: NDArray[np.int64]) -> Table:
    return Table(
        Sentence(
            "Where to look first: {shown} of {listed:,} rows of relabel.csv. Rows are those of the test file, counted "
            "from 1",
            shown=min(FIRST, len(listed)),
            listed=len(listed),
        ),
        [
            Sentence("row"),
            Sentence("label"),
            Sentence("suggested"),
            Sentence("probability of it"),
            Sentence("probability of the label"),
        ],
        [_doubt(predictions, int(row)) for row in listed[:FIRST]],
        units=["", "", "", SHARE, SHARE],
    )


def _texts(predictions: Predictions, doubted: Doubts) -> Iterator[Pairs]:
    test = predictions.known
    items = [
        Pair(
            redact(test.texts[row]),
            Sentence(
                "labelled {label}; the model says {answer}",
                label=predictions.classes[predictions.truth[row]],
                answer=predictions.classes[predictions.labels[row]],
            ),
            row=test.row(row),
        )
        for row in doubted.rows[:TEXTS]
    ]
    if items:
        yield Pairs(Sentence("Labels that the model contradicts most strongly"), items)


def _sheet(predictions: Predictions, listed: NDArray[np.int64], equal: Conflicts, with_texts: bool) -> Sheet:
    """All rows to look at again. Its columns are for programs too, so they are not translated."""
    test = predictions.known
    columns = ["row", "label", "suggested", "probability", "label_probability", "equal_text_labelled_otherwise"]
    rows: list[list[Cell]] = []
    for row in listed.tolist():
        number, label, suggested, *chances = _doubt(predictions, row)
        rounded = [round(float(chance), 4) for chance in chances if chance is not None]
        rows.append([number, label, suggested, *rounded, "yes" if equal.rows[row] else "no"])
        if with_texts:
            rows[-1].append(redact(test.texts[row]))
    return Sheet("relabel.csv", [*columns, *(["text"] if with_texts else [])], rows)
