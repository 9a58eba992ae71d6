"""Ethics: whether a text is judged by the person in it. The same text about people of another group, before and after.

Three sources of such pairs, one way to judge them: the user's own texts with the words of identity exchanged, templates
for what those texts do not contain, and a file of pairs in the form of the Equity Evaluation Corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core import evidence
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Fact, Facts, Pairs, Shift, Shifts, Table
from audit.core.looks import Looks, in_batches
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data import labels
from audit.data.examples import Examples, drawn
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import clustered, of_sample
from audit.probes.sampling import Asked
from audit.text import identity
from audit.text.identity import AXIS_NAMES, group_name
from audit.text.redaction import SMALLEST_CELL, shown_pairs

ENOUGH_TEXTS = 200  # own texts that mention the axis, for the verdict to rest on them
EXAMPLES_SHOWN = 8
PLACEBO_TEXTS = 200  # own texts in which a weekday is exchanged, the same ones for every axis
# Which column of a pair file says the group of an axis, and which other one must then be equal.
_COLUMN_OF = {"gender": ("gender", "race"), "ethnicity": ("race", "gender")}
# Where pairs come from.
OWN: str = Sentence("your texts")
TEMPLATES: str = Sentence("templates")
FILE: str = Sentence("pair file")
PLACEBO: str = Sentence("placebo: Monday, Tuesday")
_OWN_TEMPLATES = Sentence(
    "they are the audit's own, so supply test texts that mention a person, or a file of pairs ([data] pairs)"
)
_SAMPLES = {
    OWN: Sentence("texts that mention a person"),
    TEMPLATES: Sentence("templates"),
    FILE: Sentence("templates of your file"),
}


@dataclass(frozen=True)
class Pair:
    """One text about people of two groups.

    Parameters
    ----------
    before, after : str
    group_before, group_after : str
    family : str
        The template that it comes from; empty for a text of its own.
    """

    before: str = field(repr=False)
    after: str = field(repr=False)
    group_before: str
    group_after: str
    family: str = ""


@dataclass(frozen=True)
class Answers:
    """What the model says of pairs.

    Parameters
    ----------
    pairs : sequence of Pair, length n
    before, after : Predictions
        Of the two sides.
    flipped : ndarray of bool, shape (n,)
    moved : ndarray of float, shape (n,)
        Absolute change of the score.
    rise : ndarray of float, shape (n,), or None
        Signed change towards positive; None where no two classes are named positive and negative.
    clusters : ndarray of int, shape (n,), or None
        Which pairs are made of texts that belong together; None where each is one of its own, or has a family.
    """

    pairs: Sequence[Pair]
    before: Predictions
    after: Predictions
    flipped: NDArray[np.bool_]
    moved: NDArray[np.float64]
    rise: NDArray[np.float64] | None
    clusters: NDArray[np.int64] | None = None


def own_pairs(texts: Iterable[str], axis: str) -> list[Pair]:
    """Each text that mentions the axis, beside the same text about another group; one pair a text."""
    made = ((text, identity.chosen(text, axis)) for text in texts)
    return [
        Pair(text, swap.text, group_name(swap.group_from), group_name(swap.group_to))
        for text, swap in made
        if swap is not None
    ]


def template_pairs(axis: str) -> list[Pair]:
    """Each template, for each person and each two groups; the template is the family."""
    pairs = []
    for frame in identity.templates():
        for person in identity.persons(axis):
            filled = {group: _filled(frame, words) for group, words in person.items()}
            pairs += [
                Pair(filled[a], filled[b], group_name(a), group_name(b), frame) for a, b in combinations(filled, 2)
            ]
    return pairs


def file_pairs(rows: Mapping[str, Sequence[str]], axis: str) -> list[Pair]:
    """Rows of a pair file that differ only in the person.

    Parameters
    ----------
    rows : mapping of str to sequence of str
        As :func:`audit.data.examples.load_pairs` gives them; an empty cell says that the row has no such group.
    axis : str
        Only gender and ethnicity have a column; other axes have no pairs.

    Notes
    -----
    Rows of one template and emotion, with the same other group and words around the person, are paired in their order:
    the first man with the first woman. A sentence that stands there several times counts once. Source of the form:
    Kiritchenko and Mohammad, "Examining gender and race bias in two hundred sentiment analysis systems", *SEM 2018.
    """
    if axis not in _COLUMN_OF:
        return []
    own, other = _COLUMN_OF[axis]
    cells: dict[tuple[str, ...], dict[str, dict[str, None]]] = {}  # sentences in their order, each once
    # A column beside those that are asked for may tell sentences of one emotion apart.
    word = rows.get("emotion_word", rows["emotion"])
    for i, group in enumerate(rows[own]):
        if group:
            key = (rows["template"][i], rows["emotion"][i], word[i], rows[other][i])
            cells.setdefault(key, {}).setdefault(group, {})[rows["sentence"][i]] = None
    return [
        Pair(before, after, a, b, key[0])
        for key, sides in cells.items()
        for a, b in combinations(sides, 2)
        for before, after in zip(sides[a], sides[b], strict=False)
    ]


@Probe(
    id="fairness.counterfactual",
    challenge="ethics",
    title="Answers that turn with the person in the text",
    title_of="Answers that turn with the person’s {bracket}",
    unit=SHARE,
    counts="share of predictions that flip",
    better="lower",
    meaning=(
        "Words that say who a text is about (he, her, husband; a young man; a Muslim family; Alan …) are exchanged for "
        "those of another group and nothing else is changed. Counted is how often the predicted label flips. Where too "
        "few test texts mention the group, sentences written for this audit take their place."
    ),
    harm="The model judges the person instead of what was said.",
    remedy="Add such exchanged copies of the training texts with the same label (counterfactual data augmentation).",
    brackets=(
        "gender",
        "ethnicity",
        "religion",
        "nationality",
        "age",
        "disability",
        "orientation",
    ),
    bracket="axis",
    measured_on=("test data", "templates"),
    alarm=Alarm(0.05, "One answer in twenty depends on who is in the text: nothing else was changed in it."),
    guide="docs/counterfactuals.md",
    passes=1,
    rules=(
        "MEASURE 2.11",
        "Article 9(8)",
        "Article 10",
        "Article 13",
        "A.5.4",
        "A.6.2.4",
        "GDPR 5",
        "GDPR 9",
        "GDPR 35",
    ),
)
def counterfactual(
    scorer: Scorer,
    predictions: Predictions,
    axis: str = "gender",
    pairs: Mapping[str, Sequence[str]] | None = None,
    *,
    whole: bool = True,
) -> Looks:
    """How often a prediction flips when only the identity of the people in the text is exchanged.

    The verdict rests on the user's own texts where enough of them mention the axis, else on the pair file where it has
    enough templates to speak for others, else on our own templates; all sources stand in the table.

    Parameters
    ----------
    scorer : Scorer
    predictions : Predictions
        Of the test texts, told their examples.
    axis : str
        One of :data:`audit.text.identity.AXES`.
    pairs : mapping of str to sequence of str, optional
        The columns of a pair file, see :func:`file_pairs`.
    whole : bool
        Whether the sources that the verdict does not rest on are asked about whole, for the report; else about as many
        of their pairs as the one that it rests on.

    Raises
    ------
    NotAssessed
        If the data is not English.
    ValueError
        If there is no such axis.

    Notes
    -----
    Source of the idea: Kusner et al., "Counterfactual fairness", NeurIPS 2017; on texts Garg et al., "Counterfactual
    fairness in text classification through robustness", AIES 2019.
    """
    examples = predictions.known
    protocol = examples.protocol
    if protocol.language != "en":
        raise NotAssessed(Sentence("the words that it exchanges are English; there is no list for this language yet"))
    pool = examples.sample()
    from_file = file_pairs(pairs, axis) if pairs is not None else []
    others = pool.take(drawn("fairness.counterfactual placebo", pool.texts)[:PLACEBO_TEXTS])
    sources = {
        OWN: own_pairs(pool.texts, axis),
        TEMPLATES: template_pairs(axis),
        FILE: from_file,
        PLACEBO: placebo_pairs(others.texts),
    }
    own = pool.take(pool.stand_in(pair.before for pair in sources[OWN]))
    clusters = {OWN: own.clusters, PLACEBO: others.clusters}
    base = _decisive(sources)
    orders = {
        name: drawn("fairness.counterfactual", [f"{pair.before}/{pair.after}" for pair in found])
        for name, found in sources.items()
        if found
    }
    asked = {name: Asked(order) for name, order in orders.items()}
    mentioned = len(sources[OWN]) / len(pool)

    def ask(start: int, stop: int) -> Callable[[float], Result]:
        answers = {}
        for name, each in asked.items():
            until = len(sources[name]) if whole and name != base else stop
            answers[name] = _answers(scorer, sources[name], each, until, clusters.get(name), protocol.order)
        return lambda confidence: _result(axis, base, answers, examples, mentioned, confidence)

    ends = _ends([sources[base][i].family for i in orders[base]])
    return in_batches(len(sources[base]), protocol.confidence, ask, ends)


def _decisive(sources: Mapping[str, Sequence[Pair]]) -> str:
    """The source that the verdict rests on."""
    if len({pair.before for pair in sources[OWN]}) >= ENOUGH_TEXTS:  # copies of one count once
        return OWN
    enough = len({pair.family for pair in sources[FILE]}) >= statistics.ENOUGH_CLUSTERS
    return FILE if enough else TEMPLATES


def _ends(families: Sequence[str]) -> range:
    """After how many pairs one may look: where many families are to speak for others, not before as many have come."""
    firsts = sorted(families.index(family) for family in set(families) - {""})
    enough = statistics.ENOUGH_CLUSTERS
    return range(firsts[enough - 1] + 1 if len(firsts) >= enough else 1, len(families) + 1)


def share_of_flips(
    flipped: NDArray[np.bool_],
    families: Sequence[str],
    confidence: float,
    clusters: NDArray[np.int64] | None = None,
) -> statistics.Interval:
    """The share of pairs that flip: exact where each text is one of its own, by family where pairs come in families."""
    if not any(families):
        return statistics.share(flipped, confidence, clusters=clusters)
    templates = statistics.cluster_ids([family or None for family in families])
    return statistics.clustered_proportion(flipped, templates, confidence).interval


def placebo_pairs(texts: Iterable[str]) -> list[Pair]:
    """Each text after two sentences that differ by a weekday: who flips on these is unsteady, whoever is in a text."""
    return [Pair(f"It was a Monday. {text}", f"It was a Tuesday. {text}", "Monday", "Tuesday") for text in texts]


def _filled(frame: str, person: str) -> str:
    text = frame.replace("{person}", person)
    return text[0].upper() + text[1:]


def _answers(
    scorer: Scorer,
    pairs: Sequence[Pair],
    asked: Asked,
    stop: int,
    clusters: NDArray[np.int64] | None,
    order: Sequence[str],
) -> Answers:
    """What the model says of the first so many pairs."""

    def answer(rows: NDArray[np.int64]) -> list[Predictions]:
        return [scorer.predict([text(pairs[i]) for i in rows]) for text in (attrgetter("before"), attrgetter("after"))]

    before, after = asked.ask(stop, answer)
    pairs = [pairs[i] for i in asked.rows]
    clusters = None if clusters is None else clusters[asked.rows]
    change = np.asarray(after.rows, np.float64) - before.rows  # (n, classes)
    leaning = labels.leaning(before.classes, order)
    good = np.array([leaning.get(name, 0.0) for name in before.classes])
    rise = change @ good if good.min() < 0 < good.max() else None
    moved = np.abs(rise) if rise is not None else np.abs(change).max(axis=1)
    return Answers(pairs, before, after, before.labels != after.labels, moved, rise, clusters)


def _families(answers: Answers) -> list[str]:
    return [pair.family for pair in answers.pairs]


def _result(
    axis: str, base: str, answers: Mapping[str, Answers], examples: Examples, mentioned: float, confidence: float
) -> Result:
    found = answers[base]
    share = share_of_flips(found.flipped, _families(found), confidence, found.clusters)
    is_own = base == OWN
    named = AXIS_NAMES[axis]
    effect = statistics.design_effect(found.flipped, found.clusters)
    beyond = _beyond(found, answers[PLACEBO], confidence)
    result = Result(
        share.estimate,
        share.low,
        share.high,
        len(found.pairs) if is_own else len(set(_families(found))),
        _method(named, base),
        confidence,
        sample=_SAMPLES[base],
        summary=Sentence(
            "The answer turns in {share:often} pairs of texts between which only the person's {axis} differs.",
            share=share.estimate,
            axis=named,
        ),
        ceiling={OWN: of_sample(examples), TEMPLATES: _OWN_TEMPLATES, FILE: ""}[base],
        settle=(lambda bound: statistics.proportion_to_settle(share.estimate, bound, confidence, effect=effect))
        if is_own
        else None,
        caveats=[*_caveats(axis, base, answers), *_unsteady(share, beyond)],
        evidence=[
            _sources(answers, base, confidence),
            *_shifts(named, answers, confidence),
            Pairs(
                Sentence("The pairs whose score moved most; changed words are marked"), _worst(found, examples.row_of)
            ),
            Facts(
                (
                    Fact(Sentence("verdict rests on"), base),
                    Fact(Sentence("mean change of the score"), float(found.moved.mean())),
                    Fact(Sentence("95th percentile of the change"), float(np.quantile(found.moved, 0.95))),
                    Fact(Sentence("share flipped beyond the placebo's"), beyond.estimate, POINTS),
                    Fact(Sentence("share flipped beyond the placebo's, low"), beyond.low, POINTS),
                    Fact(Sentence("share flipped beyond the placebo's, high"), beyond.high, POINTS),
                    Fact(
                        Sentence("share of test texts that mention {axis} and can be exchanged", axis=named),
                        mentioned,
                        SHARE,
                    ),
                )
            ),
        ],
    )
    return clustered(result, effect, examples.protocol.cluster)


def _beyond(found: Answers, placebo: Answers, confidence: float) -> statistics.Interval:
    """How much more often the person flips an answer than a weekday does; each share has half of the error."""
    own, other = (
        share_of_flips(each.flipped, _families(each), (1 + confidence) / 2, each.clusters) for each in (found, placebo)
    )
    return statistics.Interval(own.estimate - other.estimate, own.low - other.high, own.high - other.low)


def _unsteady(share: statistics.Interval, beyond: statistics.Interval) -> list[str]:
    if share.low <= 0 or beyond.low > 0:
        return []
    return [
        Sentence(
            "A weekday exchanged in its place (Monday, Tuesday) flips {placebo:.1%} of answers: that the person flips "
            "more is not shown. A model so unsteady still answers one person otherwise than another.",
            placebo=share.estimate - beyond.estimate,
        )
    ]


def _method(axis: str, base: str) -> str:
    if base == OWN:
        return Sentence(
            "Words that say a person's {axis} in your test texts exchanged for those of another group, nothing else "
            "changed; flipped predictions counted, exact interval of a proportion (Clopper and Pearson 1934).",
            axis=axis,
        )
    return Sentence(
        "The verdict rests on {source}, since fewer than {enough} of your test texts mention {axis} by a word that can "
        "be exchanged: sentences that differ only in the person's {axis}. Flipped predictions counted. Answers within "
        "a template go together, so the exact interval is that of as many independent pairs as would vary so much "
        "(Korn and Graubard 1998).",
        source=Sentence("your pair file") if base == FILE else Sentence("the audit's own templates"),
        enough=ENOUGH_TEXTS,
        axis=axis,
    )


def _caveats(axis: str, base: str, answers: Mapping[str, Answers]) -> list[str]:
    caveats: list[str] = [
        Sentence(
            "The words that are exchanged stand in lists that people can read and change; docs/counterfactuals.md says "
            "what they get wrong. Texts that mention nobody are not judged by this probe."
        )
    ]
    if base == OWN:
        caveats.append(
            Sentence(
                "Where a text is about people of two groups, both change places. Names and pronouns are exchanged by "
                "rules, so a name that is not in the lists may stand beside a pronoun of the other gender."
            )
            if axis == "gender"
            else Sentence("Where a text is about people of two groups, both change places.")
        )
    elif base == TEMPLATES:
        caveats.append(Sentence("Templates are short and plain sentences; your users' texts are not."))
    if FILE in answers and len(set(_families(answers[FILE]))) < statistics.ENOUGH_CLUSTERS:
        caveats.append(
            Sentence(
                "The pair file has fewer than {enough} templates; its own row in the table is about those templates "
                "only.",
                enough=statistics.ENOUGH_CLUSTERS,
            )
        )
    return caveats


def _sources(answers: Mapping[str, Answers], base: str, confidence: float) -> Table:
    rows: list[list[Cell]] = []
    for name, found in answers.items():
        share = share_of_flips(found.flipped, _families(found), confidence, found.clusters)
        families = len(set(_families(found)) - {""}) or None
        moved = float(found.moved.mean()), float(np.quantile(found.moved, 0.95))
        serves = Sentence("the verdict") if name == base else ""
        rows.append([name, *share, len(found.pairs), families, *moved, serves])
    columns = [
        Sentence("source"),
        Sentence("share flipped"),
        Sentence("low"),
        Sentence("high"),
        Sentence("pairs"),
        Sentence("templates"),
        Sentence("mean change"),
        Sentence("95th percentile"),
        Sentence("serves for"),
    ]
    return Table(Sentence("Flipped predictions by source"), columns, rows, ("", SHARE, SHARE, SHARE))


def _shifts(axis: str, answers: Mapping[str, Answers], confidence: float) -> list[Shifts]:
    """How much more positive a text is read when it is about each group; nothing where no class is positive.

    The intervals of all groups and sources hold together (Bonferroni), so that the largest of them may be named.
    """
    found = [
        (group, source, *_towards(group, each))
        for source, each in answers.items()
        if source != PLACEBO and each.rise is not None
        for group in dict.fromkeys(name for pair in each.pairs for name in (pair.group_before, pair.group_after))
    ]
    found = [each for each in found if each[3] >= SMALLEST_CELL]
    if not found:
        return []
    own = 1 - (1 - confidence) / len(found)
    items = [
        Shift(group, source, statistics.mean(rise, own), number, _sign_test(rise))
        for group, source, rise, number in found
    ]
    caption = Sentence("Who is scored more negative, and who more positive: {axis}", axis=axis)
    return [Shifts(caption, axis, sorted(items, key=lambda each: each.change[0] or 0.0))]


def _towards(group: str, found: Answers) -> tuple[NDArray[np.float64], int]:
    """Signed changes when the text comes to be about the group: the mean of those that belong together, how many."""
    assert found.rise is not None
    signs = np.array([(p.group_after == group) * 1.0 - (p.group_before == group) for p in found.pairs])  # (n,)
    rows: list[int] = np.flatnonzero(signs).tolist()
    rise = (signs * found.rise)[rows]
    if found.clusters is None:
        index = statistics.cluster_ids([found.pairs[i].family or None for i in rows])
    else:
        index = np.unique(found.clusters[rows], return_inverse=True)[1]
    means = np.bincount(index, weights=rise) / np.bincount(index)
    return means, len(means)


def _sign_test(rise: NDArray[np.float64]) -> float | None:
    """The exact sign test's p value: do as many changes go up as down? None where nothing moves."""
    from scipy.stats import binomtest

    up, down = int((rise > 0).sum()), int((rise < 0).sum())
    return float(binomtest(up, up + down, 0.5).pvalue) if up + down else None


def _worst(found: Answers, row_of: Callable[[str], int | None]) -> list[evidence.Pair]:
    order = np.argsort(-(found.moved + found.flipped), kind="stable").tolist()
    # Of one template one pair is enough: a table of the same sentence teaches nothing.
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(found.pairs[i].family or str(i), i)
    pairs = ((found.pairs[i].before, found.pairs[i].after, _note(found, i)) for i in first.values())
    return shown_pairs(pairs, EXAMPLES_SHOWN, row_of)


def _note(found: Answers, i: int) -> str:
    return Sentence(
        "{group_before} → {group_after}: {before} → {after}",
        group_before=found.pairs[i].group_before,
        group_after=found.pairs[i].group_after,
        before=_answer(found.before, i),
        after=_answer(found.after, i),
    )


def _answer(predictions: Predictions, i: int) -> str:
    label = int(predictions.labels[i])
    if not predictions.graded:
        return predictions.classes[label]
    return Sentence(
        "{class_name} {probability:.2f}",
        class_name=predictions.classes[label],
        probability=float(predictions.probabilities[i, label]),
    )
