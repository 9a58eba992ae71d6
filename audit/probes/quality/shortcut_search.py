"""Shortcuts that a model may take: cues that go with a label, and what is put in the place of each. No verdicts here.

Candidates come from the training data, by their labels, and from one half of the test texts, by the model's answers.
All are tried out on that half. The other half is set aside, to measure the strongest on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.inference.predictions import Predictions
from audit.probes.security.triggers import Trigger
from audit.probes.slices import first_half
from audit.text import cues
from audit.text.cues import Cue, Spoken
from audit.text.lists import seeded
from audit.text.personal_data import hidden
from audit.text.redaction import SMALLEST_CELL, redact

# A cue of fewer texts in a hundred decides too few answers to be sought.
RARE = 0.002
OF_A_KIND = 3  # candidates of each kind, from each source
TRIED = 20
# So many are tried even if fewer surely go with a label, but only what so large a share of the texts has: what a model
# makes of a rare phrase that goes with no label says nothing of shortcuts.
TRIED_ANYWAY, COMMON = 6, 0.02
# Texts that each is tried out on, and measured on at most, in each direction; in a direction with fewer it is not.
CHOOSE, MEASURE, FEWEST = 30, 200, 50
STRONGEST, STRONGEST_OF_A_KIND = 5, 2  # candidates that are measured
ALIKE = 0.8  # Jaccard similarity of the texts of two cues, from which they are one
# A cue goes with a label if it does by more than so many standard errors: of the thousands that texts have, by chance
# many go with one by less.
DOUBT = 3.0
# What goes with a label by fewer standard errors, or by no more than this, may be a placebo, if it is at most so many
# times rarer or commoner.
UNTOLD, LITTLE, RARER = 2.0, 0.05, 4.0
_FORMS = 20  # spellings of a group that are put in
_PLACES = 200  # texts that say where a cue stands
_REPEATED = 4  # times that a text is repeated at most, to make it long
_READ = 20  # texts of a candidate that are searched for personal data

BY_LABELS, BY_ANSWERS = Sentence("labels of the training data"), Sentence("answers to half of the test texts")


@dataclass(frozen=True)
class Association:
    """How a cue goes with a class, over some texts.

    Parameters
    ----------
    cue : Cue
    target : int
        The class that it goes with.
    rows : ndarray of int
        The texts that have it.
    share, base : float
        Share of the class among these, and among all.
    frequency : float
        Share of the texts that have it.
    origin : str
        What tells the classes.
    """

    cue: Cue
    target: int
    rows: NDArray[np.int64] = field(repr=False)
    share: float
    base: float
    frequency: float
    origin: str

    @property
    def error(self) -> float:
        """Standard error of the share, went it with no class."""
        return float(np.sqrt(self.base * (1 - self.base) / len(self.rows)))

    @property
    def score(self) -> float:
        """By how much more of its texts than of all have the class, less the doubt about it."""
        return self.share - self.base - DOUBT * self.error

    @property
    def is_common(self) -> bool:
        """Whether enough texts have it for it to be tried though it may go with no class.

        A length never has: texts that were said again are unlike any that a small model has read, which turns answers
        where length goes with nothing.
        """
        return self.frequency >= COMMON and self.cue.kind != "length"

    @property
    def is_told(self) -> bool:
        """Whether it surely goes with a class, or against it, by enough to matter."""
        return abs(self.share - self.base) > max(UNTOLD * self.error, LITTLE)


class Placebo(NamedTuple):
    """A like cue that goes with no class.

    Parameters
    ----------
    forms : tuple of str
        As many as the cue has where they are made.
    shown : str
    """

    forms: tuple[str, ...]
    shown: str


@dataclass(frozen=True)
class Candidate:
    """A cue that may be a shortcut, where it is put, and the placebo that is put there in its stead."""

    found: Association
    places: tuple[int, ...]
    placebo: Placebo

    @property
    def cue(self) -> Cue:
        return self.found.cue

    def inserted(self, text: str) -> tuple[str, str]:
        """The text with the cue, and with the placebo at the same place."""
        if self.cue.kind == "length":
            return repeated(text, self.cue.words), _half_again(text)
        drawn = seeded("shortcut", self.cue.key, text).randrange(1 << 30)
        forms = (each[drawn % len(each)] for each in (self.cue.forms, self.placebo.forms))
        with_cue, with_placebo = (Trigger(form, self.places).put(text, 0) for form in forms)
        return with_cue, with_placebo

    def removed(self, text: str) -> tuple[str, str]:
        """The text without the cue, and without as many other words, or another mark."""
        if self.cue.kind == "length":
            return repeated(text, 3 * len(text.split())), _half_again(text)
        spans = self.cue.spans(text)
        return cues.cut(text, spans), cues.cut(text, _others(text, spans, self.cue.kind))


@dataclass(frozen=True)
class Part:
    """A candidate in one direction: put into texts that lack it, or taken out of texts that have it.

    Parameters
    ----------
    candidate : Candidate
    inserts : bool
    choose, measure : tuple of int
        Rows of the texts that it is tried out on, and of those that it is measured on, in drawn order: of texts that
        lack it those with another answer than its class, of texts that have it those with just this answer.
    """

    candidate: Candidate
    inserts: bool
    choose: tuple[int, ...]
    measure: tuple[int, ...]

    def edited(self, text: str) -> tuple[str, str]:
        """The text as the cue changes it, and as the placebo does."""
        return self.candidate.inserted(text) if self.inserts else self.candidate.removed(text)

    def turned(self, answers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these answers to changed texts are turned."""
        return np.asarray((answers == self.candidate.found.target) == self.inserts)


class Tried(NamedTuple):
    """A part, and the shares of texts that it and its placebo turned where it was tried out."""

    part: Part
    turned: float
    by_placebo: float

    @property
    def beyond(self) -> float:
        return self.turned - self.by_placebo


def parts(predictions: Predictions, train: tuple[Sequence[str], NDArray[np.int64]] | None) -> list[Part]:
    """What is tried out: each candidate in the directions in which enough texts can be asked about.

    Parameters
    ----------
    predictions : Predictions
        In drawn order (:func:`audit.probes.slices.in_drawn_order`).
    train : (texts, labels) or None

    Raises
    ------
    NotAssessed
        If there is nothing to try.
    """
    known, answers = predictions.known, predictions.labels
    is_chosen_on = first_half(known)
    language, classes = known.protocol.language, len(known.classes)
    first = [known.texts[i] for i in np.flatnonzero(is_chosen_on)]
    sources: list[tuple[Sequence[str], NDArray[np.int64], str]] = [(first, answers[is_chosen_on], BY_ANSWERS)]
    if train is not None:
        sources.insert(0, (train[0], train[1], BY_LABELS))
    ranked = chain.from_iterable(_candidates(*source, classes, language) for source in sources)
    found: dict[tuple[str, str, bool], Candidate] = {}
    for candidate in sorted(ranked, key=_rank):
        found.setdefault((candidate.cue.kind, candidate.cue.key, candidate.cue.is_group), candidate)
    sure = [each for each in found.values() if each.found.score > 0][:TRIED]
    others = [each for each in found.values() if each.found.score <= 0 and each.found.is_common]
    some = [*sure, *others[: max(0, TRIED_ANYWAY - len(sure))]]
    pieces = (piece for each in some for piece in _parts(each, known.texts, answers, is_chosen_on))
    enough = [piece for piece in pieces if known.different(piece.measure) >= FEWEST and piece.choose]
    if not enough:
        raise NotAssessed(
            Sentence(
                "no rating, mark, name or other cue stands in {least} texts of which {fewest} could be asked about "
                "without it; supply training data, or more test texts",
                least=SMALLEST_CELL,
                fewest=FEWEST,
            )
        )
    return enough


def try_out(
    pieces: Sequence[Part], texts: Sequence[str], predict: Callable[[Sequence[str]], Predictions]
) -> list[Tried]:
    """All parts on the half to choose on, in one go; the order of the parts."""
    answers = ask([(piece, piece.choose) for piece in pieces], texts, predict)
    return [Tried(p, float(a.mean()), float(b.mean())) for p, (a, b) in zip(pieces, answers, strict=True)]


def strongest(tried: Sequence[Tried]) -> list[Part]:
    """The parts of the candidates that turn most beyond their placebo where they were tried out."""
    best: dict[int, float] = {}
    for each in tried:
        best[id(each.part.candidate)] = max(each.beyond, best.get(id(each.part.candidate), -1.0))
    kinds = {id(each.part.candidate): each.part.candidate.cue.kind for each in tried}
    order: list[int] = []
    for key in sorted(best, key=lambda key: -best[key]):
        if len(order) < STRONGEST and [kinds[other] for other in order].count(kinds[key]) < STRONGEST_OF_A_KIND:
            order.append(key)
    return [each.part for key in order for each in tried if id(each.part.candidate) == key]


def ask(
    wanted: Sequence[tuple[Part, Sequence[int]]],
    texts: Sequence[str],
    predict: Callable[[Sequence[str]], Predictions],
) -> list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """For each part and its rows, which texts the cue turns and which the placebo does."""
    edited = [[part.edited(texts[i]) for i in rows] for part, rows in wanted]
    flat = [text for pairs in edited for side in (0, 1) for text in (pair[side] for pair in pairs)]
    labels = predict(flat).labels if flat else np.empty(0, dtype=np.int64)  # not every scorer answers nothing
    found, at = [], 0
    for part, rows in wanted:
        one, other = (labels[at + k * len(rows) : at + (k + 1) * len(rows)] for k in (0, 1))
        found.append((part.turned(one), part.turned(other)))
        at += 2 * len(rows)
    return found


# ---- candidates


def _rank(candidate: Candidate) -> tuple[float, str, str]:
    return -candidate.found.score, candidate.cue.kind, candidate.cue.key


def _candidates(
    texts: Sequence[str], labels: NDArray[np.int64], origin: str, classes: int, language: str
) -> Iterator[Candidate]:
    """Of each kind the cues that go with a class most, each with a placebo."""
    spoken = Spoken(texts)
    for kind in cues.kinds(language):
        every = associations(kind, texts, labels, classes, origin)
        kept: list[Association] = []
        for each in every:
            if len(kept) == OF_A_KIND:
                break
            if _is_like(each, kept) or not is_cue(each, texts, spoken):
                continue
            kept.append(each)
            holding = [texts[i] for i in each.rows[:_PLACES]]
            yield Candidate(each, _places(each.cue, holding), _placebo(each, every, texts))


def associations(
    kind: str, texts: Sequence[str], labels: NDArray[np.int64], classes: int, origin: str = BY_LABELS
) -> list[Association]:
    """What may be a cue of this kind, opinions too, what goes with a class most first."""
    base = np.bincount(labels, minlength=classes) / max(len(texts), 1)
    every = [
        each
        for cue, rows in _cues(kind, texts)
        for each in _associated(cue, np.array(rows, dtype=np.int64), labels, base, origin)
    ]
    # Of phrases that the same texts have, the longest tells what stands there.
    return sorted(every, key=lambda each: (-each.score, -len(each.cue.key), each.cue.key))


def _cues(kind: str, texts: Sequence[str]) -> Iterator[tuple[Cue, list[int]]]:
    """The cues of a kind that enough texts have and enough lack, with the rows of those that have them."""
    least = max(SMALLEST_CELL, int(np.ceil(RARE * len(texts))))
    if kind == "length":
        words = np.array([len(text.split()) for text in texts])
        short, long = (int(np.quantile(words, q)) for q in (0.25, 0.75)) if len(words) else (0, 0)
        if short < long:
            yield Cue(kind, "short", (), words=short), np.flatnonzero(words <= short).tolist()
            yield Cue(kind, "long", (), words=long), np.flatnonzero(words >= long).tolist()
        return
    rows: dict[tuple[str, bool], list[int]] = {}
    forms: dict[tuple[str, bool], Counter[str]] = {}
    for i, text in enumerate(texts):
        for match in cues.matches(kind, text):
            for asked in ((match.key, False), *((group, True) for group in match.groups)):
                of = rows.setdefault(asked, [])
                if not of or of[-1] != i:
                    of.append(i)
                forms.setdefault(asked, Counter())[text[match.start : match.end]] += 1
    for (key, is_group), of in rows.items():
        if least <= len(of) <= len(texts) - least:
            commonest = sorted(forms[key, is_group].items(), key=lambda each: (-each[1], each[0]))
            written = [form for form, _ in commonest]
            if is_group:
                written = [form for form in written if not cues.is_opinion(form)]
            if written:
                yield Cue(kind, key, tuple(written[: _FORMS if is_group else 1]), is_group), of


def _associated(
    cue: Cue, rows: NDArray[np.int64], labels: NDArray[np.int64], base: NDArray[np.float64], origin: str
) -> Iterator[Association]:
    shares = np.bincount(labels[rows], minlength=len(base)) / len(rows)
    target = int(np.argmax(shares - base))
    if 0 < base[target] < 1:
        frequency = len(rows) / len(labels)
        yield Association(cue, target, rows, float(shares[target]), float(base[target]), frequency, origin)


def _is_like(one: Association, kept: Iterable[Association]) -> bool:
    """Whether nearly the same texts have one of those that were kept."""
    mine = set(one.rows.tolist())
    return any(
        len(mine.intersection(other.rows.tolist())) >= ALIKE * len(mine.union(other.rows.tolist()))
        for other in kept
        if ALIKE <= len(other.rows) / len(one.rows) <= 1 / ALIKE
    )


def is_cue(each: Association, texts: Sequence[str], spoken: Spoken | None = None) -> bool:
    """Whether it reads as no opinion, and is no personal data, but for what is always masked.

    With the texts as they are spoken also whether it is a name, or a set phrase, where it claims to be one.
    """
    cue = each.cue
    if cue.kind in ("name", "hashtag", "opening", "closing") and not cue.is_group and cues.is_opinion(cue.forms[0]):
        return False
    if spoken is not None and not spoken.binds(cue, len(each.rows)):
        return False
    if cue.kind in ("handle", "link", "length"):
        return True
    return not any(_is_personal(cue, texts[i]) for i in each.rows[:_READ])


def _is_personal(cue: Cue, text: str) -> bool:
    masks = hidden(text)
    return any(start < mask.end and mask.start < end for start, end in cue.spans(text) for mask in masks)


def _places(cue: Cue, texts: Sequence[str]) -> tuple[int, ...]:
    """Where it stands in these texts, as :class:`Trigger` says it."""
    ends = {"opening": (0,), "closing": (-1,)}
    if cue.kind in ("length", *ends):
        return ends.get(cue.kind, ())
    found = (
        Trigger(text[start:end]).place(text) for text in texts for start, end in cue.spans(text)[:1] if end > start
    )
    return tuple(sorted(place for place in found if place is not None))


def _placebo(of: Association, every: Sequence[Association], texts: Sequence[str]) -> Placebo:
    """One of the same kind that goes with no class and is about as frequent; else one that is made."""
    cue = of.cue
    if cue.kind == "length":
        return Placebo(("",), Sentence("the first half said twice"))
    alike = sorted(
        (
            each
            for each in every
            if not each.is_told
            and not each.cue.is_group
            and 1 / RARER <= len(each.rows) / len(of.rows) <= RARER
            and each.cue.key not in cue.key
            and cue.key not in each.cue.key
            and len(cues.words(cue.forms[0])) == len(cues.words(each.cue.forms[0]))
        ),
        key=lambda each: (abs(each.share - each.base) / each.error, each.cue.key),
    )
    if not cue.is_group:
        for each in alike:
            if is_cue(each, texts):
                return Placebo(each.cue.forms, Sentence("“{form}”", form=redact(each.cue.forms[0])))
    made = tuple(_made(form, cue) for form in cue.forms)
    return Placebo(made, Sentence("signs drawn at random") if cue.is_group else Sentence("“{form}”", form=made[0]))


def _made(form: str, cue: Cue) -> str:
    """Other letters and digits in the place of these; of signs only those that a single cue shares with its kind."""
    if cue.kind == "mark":
        return "~"
    rng = seeded("placebo", form)
    kept = "" if cue.is_group else "#@<>"
    made = "".join(
        _other(character, rng, i) if character not in kept else character for i, character in enumerate(form)
    )
    return " ".join(made.split()) or "~"


def _other(character: str, rng: Random, place: int) -> str:
    if character.isdigit():
        return rng.choice("0123456789".replace(character, ""))
    if character.isalpha():
        other = rng.choice("aeiou" if place % 2 else "bdfgklmnprstvz")
        return other.upper() if character.isupper() else other
    return character if character.isspace() else {"/": "-", "*": "+", "★": "+", "☆": "+"}.get(character, "")


# ---- texts


def _parts(
    candidate: Candidate, texts: Sequence[str], answers: NDArray[np.int64], is_chosen_on: NDArray[np.bool_]
) -> Iterator[Part]:
    cue, target = candidate.cue, candidate.found.target
    has = np.array([cue.is_in(text) for text in texts], dtype=bool)
    for inserts in (True, False):
        # A text can be made long, not short, without taking reasons away.
        if cue.kind == "length" and inserts != (cue.key == "long"):
            continue
        rows = ~has & (answers != target) if inserts else has & (answers == target)
        if not inserts and cue.kind != "length":
            rows &= np.array([not has[i] or bool(cue.without(text)) for i, text in enumerate(texts)], dtype=bool)
        choose, measure = (np.flatnonzero(rows & half)[:most].tolist() for half, most in (
            (is_chosen_on, CHOOSE), (~is_chosen_on, MEASURE),
        ))  # fmt: skip
        yield Part(candidate, inserts, tuple(choose), tuple(measure))


def repeated(text: str, words: int) -> str:
    """A text said again until it has so many words, and at least twice: longer by no new reason."""
    times = -(-words // max(1, len(text.split())))
    return " ".join([text] * min(max(2, times), _REPEATED))


def _half_again(text: str) -> str:
    """The first half of a text said twice: as unlike what people write as a text said again, and no longer."""
    words = text.split()
    half = words[: -(-len(words) // 2)]
    return " ".join([*half, *half][: len(words)])


def _others(text: str, spans: Sequence[cues.Span], kind: str) -> list[cues.Span]:
    """As many other words that are no opinion as stand at these places; of a mark, another mark."""
    rng = seeded("others", text)
    found = cues.words(text) if kind != "mark" else [(m.start, m.end) for m in cues.matches("mark", text)]
    free = [(a, b) for a, b in found if not any(a < end and start < b for start, end in spans)]
    if kind != "mark":
        free = [(a, b) for a, b in free if not cues.is_opinion(text[a:b])]
    wanted = sum(max(1, len(text[a:b].split())) for a, b in spans)
    return sorted(rng.sample(free, min(wanted, len(free))))
