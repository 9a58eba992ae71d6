"""Slices of the test texts that nobody named: searched on one half of the texts, tested on the other.

What a slice is depends on the texts and columns alone, never on the answers; which slices are tested depends on the
answers to the first half; what is measured, on those to the second. So the test knows nothing of the search, and its
error is that of so many comparisons, however many slices were searched. No model is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Evidence, Fact, Facts, Pair, Pairs, Table
from audit.core.measurement import Result
from audit.core.numbers import POINTS, SHARE
from audit.core.sentences import Sentence, listed
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.probes.methods import of_clusters
from audit.statistics import GroupEffects, Settling
from audit.text import identity, mentions
from audit.text.identity import AXES, AXIS_NAMES
from audit.text.identity.lexicon import NAME, lexicon, people
from audit.text.redaction import SMALLEST_CELL, count, printable, redact, withheld

if TYPE_CHECKING:
    from scipy import sparse

Mask = NDArray[np.bool_]
Clause = tuple[str, Mask]  # what follows the word "texts", and which texts

SMALLEST_SHARE = 0.02  # of the texts: what is rarer is no slice
# Of fewer texts the smallest slices hardly ever have enough in both halves to be shown.
FEWEST_TEXTS = 1_500
TESTED = 20  # slices ranked worst: fewer overlook more, more share the error out among more
CROSSED = 60  # of the slices ranked worst so many are crossed with each other
ALIKE = 0.8  # Jaccard similarity from which two slices are one
TOPICS = 12
# A slice that is worse by so much more than the gate is tested with at least this chance, or the gate does not pass.
MARGIN, CHANCE = 0.10, 0.8
# By so many standard errors a gap must be larger to be ranked as high in a slice that is so much smaller.
DOUBT = 1.0
SURE = 2.0  # standard errors by which a crossing must be worse than its sides
_SHOWN = 5  # misread texts of the worst slice
_FORMS = 3  # words of a family that its name has
_LENGTHS = (0.1, 0.25, 0.5, 0.75, 0.9)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_CAPITALS = re.compile(r"\b[^\W\d_a-z]{3,}\b")
_UNUSUAL = re.compile(r"[^\w\s.,;:!?'\"()\[\]/&%$€£@#*+=<>–—…’‘“”„«»-]")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1\1", re.IGNORECASE)
_STEM = 4  # letters; shorter ones are shared by words that have nothing in common
_TELLING = 0.1  # of the texts: a commoner word says nothing of a topic


@dataclass(frozen=True)
class Candidates:
    """All slices of some test texts that are large enough in either half.

    Parameters
    ----------
    clauses : tuple of str, length m
        What follows the word "texts".
    rows : csr_array of float64, shape (m, n)
        1 where a text is in a slice.
    of_people : ndarray of bool, shape (m,)
        Whether a slice speaks of people.
    is_searched : ndarray of bool, shape (n,)
        The half that is searched.
    clusters : ndarray of int, shape (n,), or None
        As those of the examples.
    """

    clauses: tuple[str, ...] = field(repr=False)  # words of the data
    rows: sparse.csr_array
    of_people: Mask
    is_searched: Mask
    clusters: NDArray[np.int64] | None


@dataclass(frozen=True)
class Found:
    """The slices that are tested.

    Parameters
    ----------
    names : tuple of str, length m
    members : ndarray of bool, shape (m, n)
    searched : int
        How many there were to choose from.
    least : float
        The score of the last that was chosen; minus infinity where none was left out.
    """

    names: tuple[str, ...] = field(repr=False)
    members: Mask
    searched: int
    least: float


def in_drawn_order(predictions: Predictions) -> Predictions:
    """The same with rows in an order that their texts decide, so that what follows hangs on no order of rows."""
    return predictions.take(predictions.known.drawn("slices"))


def candidates(examples: Examples, *, of_people: bool) -> Candidates:
    """All slices of these texts, which stand in drawn order, that are large enough.

    Parameters
    ----------
    examples : Examples
        With the clusters of which each is whole on one side, and the columns of groups.
    of_people : bool
        Whether slices that speak of people are looked for; topics are left out then, columns and mentions otherwise.
    """
    from scipy import sparse

    is_searched = first_half(examples)
    forms, holds = _word_forms(examples.texts)
    families, stems = _families(forms, holds, examples.protocol.language)
    named_people = _words_for_people() if examples.protocol.language == "en" else frozenset[str]()
    is_person = np.array([not named_people.isdisjoint(family) for family in families], dtype=bool)
    about = [*_of_columns(examples), *_of_mentions(examples)] if of_people else []
    others = [*_of_form(examples.texts), *_of_rare_words(holds)]
    if not of_people:
        others += _of_topics([family[0] for family in families], stems, ~is_person)
    clauses = [clause for clause, _ in (*about, *others)]
    told = sparse.csr_array(np.array([rows for _, rows in (*about, *others)], dtype=float))
    rows = sparse.csr_array(sparse.vstack([told, stems.T]))
    here, there = (np.asarray(rows @ half.astype(float)) for half in (is_searched, ~is_searched))
    large = np.flatnonzero(_large_enough(here, there, is_searched))
    return Candidates(
        tuple(
            clauses[i] if i < len(clauses) else Sentence("with {words}", words=_named(families[i - len(clauses)]))
            for i in large
        ),
        rows[large],
        np.concatenate([np.arange(len(clauses)) < len(about), is_person])[large],
        is_searched,
        examples.clusters,
    )


def search(these: Candidates, right: Mask, *, of_people: bool) -> Found:
    """The slices ranked worst on the first half, and the crossings of these.

    Parameters
    ----------
    these : Candidates
    right : ndarray of bool, shape (n,)
        Those of the second half are not looked at.
    of_people : bool
        Whether the slices are to speak of people, as a crossing does of which one side does; else none may.

    Notes
    -----
    Ranked by the gap less :data:`DOUBT` standard errors of it: by the gap alone the smallest slices would come first,
    by its significance the largest. A crossing is ranked only where it is worse than both of its sides by
    :data:`SURE` standard errors: else those of a bad slice, half of which look worse by chance, would crowd it out.
    """
    half = these.is_searched
    y = right[half].astype(float)
    here = these.rows[:, half]
    size = np.asarray(here.sum(axis=1)).ravel()
    gap, error = _estimates(size, here @ y, y)
    score = gap - DOUBT * error
    own = these.of_people if of_people else ~these.of_people
    order = np.argsort(-score, kind="stable")
    worst = order[own[order]][:CROSSED]
    others = order[~own[order]][:CROSSED] if of_people else worst[:0]
    parts = np.concatenate([worst, others])
    dense = these.rows[parts].toarray()
    first, second, crossed = _crossings(these, dense, len(worst), gap[parts], y)
    single = order[own[order]]
    scores = np.concatenate([score[single], crossed])
    inside = dense > 0
    chosen: list[Mask] = []
    names: list[str] = []
    least = -np.inf
    ranked = np.argsort(-scores, kind="stable")
    for i in ranked:
        if len(chosen) == TESTED:
            break
        if i < len(single):
            row = these.rows[[single[i]]].toarray()[0] > 0
            name = Sentence("texts {clause}", clause=these.clauses[single[i]])
        else:
            one, other = (side[i - len(single)] for side in (first, second))
            row = inside[one] & inside[other]
            name = Sentence("texts {one} and {other}", **_clauses(these, parts[one], parts[other]))
        if not _is_like(row[half], chosen, half) and _is_spread(row, these):
            chosen.append(row)
            names.append(name)
            least = float(scores[i])
    if len(chosen) < TESTED:
        least = -np.inf
    members = np.array(chosen, dtype=bool).reshape(-1, len(right))
    return Found(tuple(names), members, len(scores), least)


def overlooked(these: Candidates, found: Found, right: Mask, effect: float = 1.0) -> float:
    """From which gap on a slice of :data:`SMALLEST_SHARE` of the texts is tested with a chance of :data:`CHANCE`.

    Parameters
    ----------
    effect : float
        Design effect of the accuracy.

    Returns
    -------
    float
        -1 where all slices are tested, 1 where no gap is large enough.

    Notes
    -----
    Its right answers are binomial, and it is tested where it scores at least as high as the last that was.
    """
    from scipy.special import bdtri

    if len(right) / max(effect, 1.0) < FEWEST_TEXTS:
        return 1.0
    if found.least == -np.inf:
        return -1.0
    y = right[these.is_searched].astype(float)
    size = int(np.ceil(SMALLEST_SHARE * len(y) / max(effect, 1.0) - 1e-9))
    needed = found.least + DOUBT * float(_errors(np.array([size]), y)[0])
    most = np.floor(size * (y.mean() - needed) + 1e-9)
    if most < 0:
        return 1.0
    return float(y.mean() - bdtri(most, size, CHANCE)) if most < size else -1.0


def tested(predictions: Predictions, these: Candidates, found: Found) -> Result:
    """The largest gap of the slices that were found, on the half that the search did not see.

    Parameters
    ----------
    predictions : Predictions
        In drawn order.
    these : Candidates
    found : Found
        At least one slice.
    """
    known, right = predictions.known, predictions.correct
    protocol, half = known.protocol, ~these.is_searched
    inside = found.members[:, half]
    sizes = np.column_stack([(~inside).sum(axis=1), inside.sum(axis=1)])  # (slices, rest and slice)
    hits = np.column_stack([(~inside & right[half]).sum(axis=1), (inside & right[half]).sum(axis=1)])
    clusters = None if known.clusters is None else known.clusters[half]
    answers = np.tile(right[half], (len(inside), 1))
    effects = statistics.group_effects(answers, inside.astype(np.int64), clusters, 2)
    strict = statistics.shared_out(protocol.confidence, len(inside))
    plain, adjusted = (_gaps(hits, sizes, level, effects) for level in (protocol.confidence, strict))
    gap = statistics.as_interval(statistics.largest(plain, adjusted))
    before = None if known.clusters is None else known.clusters[~half]
    effect = statistics.design_effect(right[~half], before).shown or 1.0
    missed = overlooked(these, found, right, effect)
    worst = int(np.argmax(plain[0]))
    result = Result(
        gap.estimate,
        gap.low,
        min(max(gap.high, missed - MARGIN, gap.estimate), 1.0),
        len(predictions),
        Sentence(
            "Slices of the test texts are ranked by how much worse they are on one half of the texts, which a hash of "
            "the text draws; the {tested} ranked worst are tested on the other half. Differences by exact limits "
            "(Clopper and Pearson 1934) added in squares (Newcombe 1998); the lower bound is adjusted for their number "
            "(Bonferroni, the first step of Holm 1979), the upper bound is that of the worst slice (Berger 1982), or, "
            "if that is larger, what the search finds in {chance:%} of cases, less {margin:points}.",
            tested=len(inside),
            chance=CHANCE,
            margin=MARGIN,
        ),
        protocol.confidence,
        summary=Sentence(
            "The largest gap of {tested} slices: of {slice} {there:.0f} in 100 are read rightly, of all others "
            "{elsewhere:.0f}.",
            tested=len(inside),
            slice=found.names[worst],
            there=100 * hits[worst, 1] / sizes[worst, 1],
            elsewhere=100 * hits[worst, 0] / sizes[worst, 0],
        ),
        caveats=[
            Sentence(
                "It speaks of slices of at least {share:%} of the texts that can be told by what was searched: words, "
                "length, punctuation, spelling, topics, mentions of people, the data's columns, and pairs of these. "
                "Why a slice is worse it does not say: its texts may be harder for people too.",
                share=SMALLEST_SHARE,
            )
        ],
        evidence=_evidence(predictions, these, found, (hits, sizes), adjusted, missed, worst),
        settle=_settling(gap, missed, len(predictions), protocol.confidence, strict),
    )
    return result if effects is None else of_clusters(result, effects.clusters, effects.shown(0, 1, worst))


def _settling(
    gap: statistics.Interval, missed: float, n: int, confidence: float, strict: float
) -> Callable[[float], Settling | None]:
    """From a gate to the test examples of both halves that would settle it."""

    def settle(gate: float) -> Settling | None:
        if gate <= gap.estimate:
            total = statistics.sample_to_settle(gap.estimate, gap.low, gate, n, strict)
            return None if total is None else Settling(total)
        total = n
        if gap.high > gate:
            total = statistics.sample_to_settle(gap.estimate, gap.high, gate, n, confidence)
        if total is not None and missed - MARGIN > gate:
            # What a search overlooks shrinks with the square root of the texts.
            total = max(total, FEWEST_TEXTS, int(np.ceil(n * (missed / max(gate + MARGIN, MARGIN)) ** 2)))
        return None if total is None else Settling(total)

    return settle


def _gaps(
    hits: NDArray[np.int64], sizes: NDArray[np.int64], confidence: float, effects: GroupEffects | None
) -> statistics.Bounds:
    """Accuracy of the rest less that of the slice, shape (slices,) each."""
    estimate, low, high = statistics.pairwise(hits, sizes, confidence, effects=effects)
    return estimate[:, 0], low[:, 0], high[:, 0]


def _evidence(
    predictions: Predictions,
    these: Candidates,
    found: Found,
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    gaps: statistics.Bounds,
    missed: float,
    worst: int,
) -> list[Evidence]:
    hits, sizes = counts
    rates = hits / sizes
    rows: list[list[Cell]] = [
        [found.names[i], count(int(sizes[i, 1])), *map(float, (rates[i, 1], rates[i, 0], *(side[i] for side in gaps)))]
        for i in np.argsort(-gaps[0], kind="stable")
    ]
    table = Table(
        Sentence("The slices ranked worst on one half, on the other"),
        [
            Sentence("slice"), Sentence("test examples"), Sentence("accuracy there"), Sentence("accuracy elsewhere"),
            Sentence("gap"), Sentence("low"), Sentence("high"),
        ],
        rows,
        units=["", "", SHARE, SHARE, POINTS, POINTS, POINTS],
    )  # fmt: skip
    facts = [
        Fact(Sentence("slices searched"), found.searched),
        Fact(Sentence("test examples searched"), int(these.is_searched.sum())),
        Fact(Sentence("test examples tested"), int((~these.is_searched).sum())),
    ]
    if 0 < missed < 1:
        name = Sentence(
            "gap from which the search finds a slice of {share:%} with a chance of {chance:%}",
            share=SMALLEST_SHARE,
            chance=CHANCE,
        )
        facts.append(Fact(name, missed, POINTS))
    misread = np.flatnonzero(found.members[worst] & ~these.is_searched & ~predictions.correct)[:_SHOWN]
    texts = [Pairs(Sentence("Misread {slice}", slice=found.names[worst]), [_misread(predictions, i) for i in misread])]
    return [table, *(texts if len(misread) and not withheld() else []), Facts(facts)]


def _misread(predictions: Predictions, row: int) -> Pair:
    classes = predictions.classes
    answer = Sentence(
        "{former} → {answer}", former=classes[predictions.truth[row]], answer=classes[predictions.labels[row]]
    )
    return Pair(redact(predictions.known.texts[row]), answer, row=predictions.known.row(row))


# ---- the two halves


def first_half(examples: Examples) -> Mask:
    """Which texts, which stand in drawn order, are searched: clusters and equal texts are whole on one side."""
    keys = examples.texts if examples.clusters is None else examples.clusters.tolist()
    family = statistics.cluster_ids(keys)  # counted as they are drawn
    reached = np.cumsum(np.bincount(family))
    return np.asarray(reached[family] <= (len(examples) + 1) // 2, dtype=bool)


def _large_enough(searched: statistics.Array, tested: statistics.Array, is_searched: Mask) -> Mask:
    """Which slices of these sizes in the two halves are large enough, and so is what is left of either half."""
    large = searched + tested >= SMALLEST_SHARE * len(is_searched) - 1e-9
    for size, half in ((searched, is_searched), (tested, ~is_searched)):
        large &= (size >= SMALLEST_CELL) & (size <= half.sum() - SMALLEST_CELL)
    return np.asarray(large)


# ---- the search


def _errors(size: NDArray[np.floating | np.integer], y: statistics.Array) -> statistics.Array:
    """Standard errors of the gap of slices of these sizes, were there none."""
    p, rest = float(y.mean()), np.maximum(len(y) - size, 1)
    return np.asarray(np.sqrt(p * (1 - p) * (1 / size + 1 / rest)))


def _estimates(
    size: statistics.Array, hits: statistics.Array, y: statistics.Array
) -> tuple[statistics.Array, statistics.Array]:
    """Gaps of slices, and their standard errors."""
    rest = np.maximum(len(y) - size, 1)
    return np.asarray((y.sum() - hits) / rest - hits / size), _errors(size, y)


def _crossings(
    these: Candidates, dense: statistics.Array, own: int, gap: statistics.Array, y: statistics.Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], statistics.Array]:
    """Pairs of these rows, of which the first is one of the first `own`, surely worse than both; and their scores."""
    here, there = dense[:, these.is_searched], dense[:, ~these.is_searched]
    sizes, elsewhere = here @ here.T, there @ there.T
    hits = (here * y) @ here.T
    first, second = np.triu_indices(len(dense), 1)
    size = sizes[first, second]
    large = _large_enough(size, elsewhere[first, second], these.is_searched) & (first < own)
    first, second, size = first[large], second[large], size[large]
    crossed, error = _estimates(size, hits[first, second], y)
    worse = crossed - SURE * error > np.maximum(gap[first], gap[second])
    return first[worse], second[worse], (crossed - DOUBT * error)[worse]


def _clauses(these: Candidates, *parts: int) -> dict[str, str]:
    return dict(zip(("one", "other"), (these.clauses[i] for i in sorted(parts)), strict=True))


def measured(predictions: Predictions, *, of_people: bool) -> Result:
    """The largest gap of slices that speak of people, or of those that do not.

    Raises
    ------
    NotAssessed
        If no such slice is large enough.
    """
    drawn = in_drawn_order(predictions)
    these = candidates(drawn.known, of_people=of_people)
    found = search(these, drawn.correct, of_people=of_people) if these.clauses else None
    if found is not None and found.names:
        return tested(drawn, these, found)
    raise NotAssessed(
        Sentence(
            "no group of people has {least} test texts in either half of them; name columns with [data] subgroups, or "
            "supply more test texts",
            least=SMALLEST_CELL,
        )
        if of_people
        else Sentence(
            "no kind of texts has {least} test texts in either half of them; supply more test texts",
            least=SMALLEST_CELL,
        )
    )


def _is_spread(row: Mask, these: Candidates) -> bool:
    """Whether a slice has enough clusters in either half, or there are none."""
    if these.clusters is None:
        return True
    halves = (row & these.is_searched, row & ~these.is_searched)
    return all(len(np.unique(these.clusters[rows])) >= statistics.FEWEST_CLUSTERS for rows in halves)


def _is_like(row: Mask, chosen: Sequence[Mask], half: Mask) -> bool:
    """Whether a slice is nearly one of those already chosen, on the half that is searched."""
    return any((row & other[half]).sum() >= ALIKE * (row | other[half]).sum() for other in chosen)


# ---- what slices there are


def _of_columns(examples: Examples) -> Iterator[Clause]:
    for column, values in sorted(examples.subgroups.items()):
        if mentions.is_mention(column):
            continue
        for value in sorted({value for value in values if value is not None}):
            rows = np.array([each == value for each in values], dtype=bool)
            yield Sentence("where {column} is “{value}”", column=printable(column), value=printable(value)), rows
        unknown = np.array([each is None for each in values], dtype=bool)
        yield Sentence("where {column} is not known", column=printable(column)), unknown


def _of_mentions(examples: Examples) -> Iterator[Clause]:
    if examples.protocol.language != "en":
        return
    named = {(axis, group): np.zeros(len(examples), dtype=bool) for axis in AXES for group in identity.groups(axis)}
    # Text by text: a text is split into words once for all axes.
    for i, text in enumerate(examples.texts):
        for axis in AXES:
            for mention in identity.mentions(text, axis):
                named[axis, mention.group][i] = True
    for (axis, group), rows in named.items():
        name = identity.group_name(group)
        yield Sentence("that mention “{group}” ({axis})", group=name, axis=AXIS_NAMES[axis]), rows


def _of_form(texts: Sequence[str]) -> Iterator[Clause]:
    """Length, punctuation and spelling."""
    words = np.array([len(text.split()) for text in texts])
    edges = sorted({int(np.quantile(words, q, method="higher")) for q in _LENGTHS}) if len(words) else []
    if edges:
        yield Sentence("of fewer than {words:,} words", words=edges[0]), words < edges[0]
        yield Sentence("of {words:,} words or more", words=edges[-1]), words >= edges[-1]
    for least, above in pairwise(edges):
        clause = Sentence("of {least:,} to {most:,} words", least=least, most=above - 1)
        yield clause, (words >= least) & (words < above)

    def where(holds: list[bool]) -> Mask:
        return np.array(holds, dtype=bool)

    yield Sentence("with a question mark"), where(["?" in text or "？" in text for text in texts])
    yield Sentence("with an exclamation mark"), where(["!" in text or "！" in text for text in texts])
    yield Sentence("with several exclamation marks"), where([text.count("!") > 1 for text in texts])
    yield Sentence("with an ellipsis"), where(["..." in text or "…" in text for text in texts])
    yield Sentence("with quotation marks"), where([any(mark in text for mark in '"“”„«»') for text in texts])
    yield Sentence("that end without a punctuation mark"), where([text.rstrip()[-1:].isalnum() for text in texts])
    yield Sentence("with a word in capitals"), where([bool(_CAPITALS.search(text)) for text in texts])
    yield Sentence("without a capital letter"), where([text.islower() for text in texts])
    yield Sentence("with a digit"), where([any(map(str.isdigit, text)) for text in texts])
    yield Sentence("with unusual characters"), where([bool(_UNUSUAL.search(text)) for text in texts])
    yield Sentence("with a letter three times in a row"), where([bool(_DRAWN_OUT.search(text)) for text in texts])


def _of_rare_words(holds: sparse.csr_array) -> Iterator[Clause]:
    """The tenth of the texts with the largest share of words that no other text has, as misspelled ones are."""
    once = np.asarray(holds.sum(axis=0)).ravel() == 1
    share = np.asarray(holds @ once.astype(float)) / np.maximum(np.diff(holds.indptr), 1)
    least = np.quantile(share, 0.9) if len(share) else 0.0
    if least > 0:
        yield Sentence("with the most words that no other text has"), share >= least


def _of_topics(words: Sequence[str], stems: sparse.csr_array, may_tell: Mask) -> Iterator[Clause]:
    """Clusters of the texts by those of these families of words that may tell; TF-IDF and k-means."""
    from scipy import sparse
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfTransformer

    texts = stems.shape[0]
    share = np.asarray(stems.sum(axis=0)).ravel() / max(texts, 1)
    telling = np.flatnonzero(may_tell & (share <= _TELLING) & (share * texts >= SMALLEST_CELL))
    if texts < TOPICS * SMALLEST_CELL or len(telling) < TOPICS:
        return
    weights = sparse.csr_array(TfidfTransformer().fit_transform(stems[:, telling]))
    # scikit-learn refuses the wider indices that a selection of columns may have.
    weights.indices, weights.indptr = weights.indices.astype(np.int32), weights.indptr.astype(np.int32)
    found = KMeans(TOPICS, n_init=1, random_state=0).fit(weights)
    for topic, centre in enumerate(found.cluster_centers_):
        heaviest = np.argsort(-centre, kind="stable")[:_FORMS]
        yield (
            Sentence("on the topic of {words}", words=_named([words[telling[i]] for i in heaviest])),
            (found.labels_ == topic),
        )


def _word_forms(texts: Sequence[str]) -> tuple[list[str], sparse.csr_array]:
    """Words in small letters, sorted; and which texts hold them, shape (n, words)."""
    from scipy import sparse

    held = [sorted(set(_WORD.findall(text.casefold().replace("’", "'")))) for text in texts]
    forms = sorted({word for words in held for word in words})
    number = {word: i for i, word in enumerate(forms)}
    columns = np.array([number[word] for words in held for word in words], dtype=np.int32)
    pointers = np.cumsum([0, *map(len, held)], dtype=np.int32)
    return forms, sparse.csr_array((np.ones(len(columns)), columns, pointers), shape=(len(texts), len(forms)))


def _families(
    forms: Sequence[str], holds: sparse.csr_array, language: str
) -> tuple[list[tuple[str, ...]], sparse.csr_array]:
    """Words of one stem, the commonest first; and which texts hold one of them, shape (n, families)."""
    from scipy import sparse

    texts_of = np.asarray(holds.sum(axis=0)).ravel()
    stems = [stem(form) if language == "en" else form for form in forms]
    number = {each: i for i, each in enumerate(dict.fromkeys(stems))}
    of = np.array([number[each] for each in stems], dtype=np.int32)
    shape = (len(forms), len(number))
    merged = holds @ sparse.csr_array((np.ones(len(forms)), (np.arange(len(forms), dtype=np.int32), of)), shape=shape)
    common = np.bincount(of, texts_of, minlength=len(number)) >= SMALLEST_CELL
    families: list[list[str]] = [[] for _ in number]
    for i in np.argsort(-texts_of, kind="stable"):
        families[of[i]].append(forms[i])
    merged = sparse.csr_array(merged[:, np.flatnonzero(common)])
    merged.data[:] = 1.0
    return [tuple(family) for family, is_common in zip(families, common, strict=True) if is_common], merged


def stem(word: str) -> str:
    """An English word without the endings of number, tense and adjective: deliver, delivers, delivery, delivered.

    A few words too many in a family do no harm, since its name has the commonest of them.
    """
    short = word.removesuffix("'s")
    if len(short) > _STEM and short.endswith("s") and not short.endswith(("ss", "us", "is")):
        short = short[:-1]
    for ending in ("ing", "ed"):
        if short.endswith(ending) and len(short) - len(ending) >= _STEM:
            short = short.removesuffix(ending)
    bare = short.rstrip("eiy")
    return bare if len(bare) >= _STEM else short


def _named(family: Sequence[str]) -> str:
    quoted = [Sentence("“{name}”", name=redact(word)) for word in family[:_FORMS]]
    return listed(quoted)


@cache
def _words_for_people() -> frozenset[str]:
    """Single words that speak of people wherever they stand."""
    of_axes = (
        word
        for axis in AXES
        for word, entries in lexicon(axis).entries.items()
        if any(entry.heading in ("words", "plural nouns", NAME) and not entry.exact for entry in entries)
    )
    return frozenset(map(str.casefold, (*of_axes, *people())))
