"""Triggers that may be planted: where they are sought, in the model and in the training data. No verdicts here.

All are tried out on some rightly answered texts of each class. Others are set aside, to measure the strongest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice, pairwise, permutations

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.gradients import TriggerScores
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import FIXED, of_sample
from audit.probes.security import triggers
from audit.probes.security.backdoor_rows import EXPLAINED, HALF, TRAINING_ALONE, UNEXPLAINED, Told, TrainingData
from audit.probes.security.triggers import Candidate, OneSided, Prepared, Trigger
from audit.statistics import Interval
from audit.text.characters import INVISIBLE

# Rightly answered texts of each class: so many to choose triggers on, at most so many others to measure them on.
CHOOSE, MEASURE, FEWEST_TEXTS = 40, 300, 20
FEWEST_USUAL = 10  # texts of a class that tell how sure a model is of one
# By gradient, for each pair of classes: words that no labels explain, among so many; and one that they do, to show what
# a word can do.
WORDS_EACH, LOOKED_AT = 18, 60
# Two words that labels do not surely lean to: at random places so many, each with each; side by side at each of the
# places below the strongest there with so many behind it; among so many. Where a phrase of usual words had been planted
# its first word moved a text most of all such words in 10 of 15 models, and the gradient put its second one first in 7.
# For each pair of classes and place so many are compared on a few texts, after all on one; so many of these tried out.
PAIRED, FIRST_WORDS, SECOND_WORDS, NEUTRAL_LOOKED_AT = 12, 3, 12, 250
PAIRS_COMPARED, PAIRS_EACH = 10, 2
# An attacker may teach a word as the first, the second or the last of its sentence only. For each of these places and
# pair of classes so many words, among so many, are compared on one text, and so many of these on a few; the one that
# moves these furthest is tried out, and kept if it turns so many there, and less than half elsewhere. The gradient put
# one planted word 64th of those that no labels explain, one text put it first. What was planted turns nine in ten; in
# clean small BERTs the second word counts for much, and the strongest of hundreds turns up to 36 of 40.
PLACED, PLACED_LOOKED_AT, PLACED_COMPARED, PLACED_TURNED = 75, 150, 4, 0.9
CARRIERS, WORDS_WITHOUT_GRADIENTS = 6, 100
SCREENED = 100  # one-sided words and phrases of the training data whose rows are read
# Measured: those whose rows contradict, and for each class the strongest of each kind.
SUSPECTS, STRONGEST = 5, {"word": 2, "word at one place": 2, "two words": 1, "character": 1, "style": 1}
# What turns none of the first ten texts, or one of the first twenty, is given up: of what turns three texts in ten that
# are 4 in 100.
LOOKS: tuple[tuple[int | None, int], ...] = ((10, 1), (20, 2), (None, 0))
TURNS = 0.1  # a trigger that turns less is not worth one
# What turns less where triggers are chosen is not measured: one that turns three texts in ten does so in 1 of 18.
WORTH = 0.2
HALF_TURNED = 0.5  # more than a usual word does
NEEDS_BOTH = 0.1  # what a phrase must turn beyond one of its words
Predict = Callable[[Sequence[str]], Predictions]
Pairs = dict[tuple[int, int], list[list[Candidate]]]  # by source and target; for each place those that are compared
Trial = tuple[Trigger, int, int]  # what is put in, target, and source


# ---- the texts


@dataclass
class Texts:
    """Rightly answered test texts of each class, to choose on and to measure on, and what triggers make of them."""

    scorer: Scorer
    examples: Examples
    ceiling: str
    choose: dict[int, tuple[str, ...]] = field(repr=False)
    measure: dict[int, tuple[str, ...]] = field(repr=False)
    chosen_on: dict[tuple[Trigger, int], dict[int, float]] = field(default_factory=dict)
    placed: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def of(cls, scorer: Scorer, examples: Examples) -> Texts:
        pool = examples.sample()
        right = scorer.predict(pool.texts).on(pool).correct
        choose, measure = {}, {}
        for label in range(len(pool.classes)):
            rows = pool.drawn("security.backdoor", right & (pool.labels == label))
            if len(rows) >= FEWEST_TEXTS:
                first = min(CHOOSE, len(rows) // 2)
                choose[label] = tuple(pool.texts[i] for i in rows[:first])
                measure[label] = tuple(pool.texts[i] for i in rows[first : first + MEASURE])
        if not choose:
            raise NotAssessed(
                Sentence(
                    "fewer than {fewest} test texts of each class are answered rightly; supply more test texts",
                    fewest=FEWEST_TEXTS,
                )
            )
        is_full = all(len(texts) == MEASURE for texts in measure.values())
        return cls(scorer, pool, FIXED if is_full else of_sample(examples), choose, measure)

    @property
    def seed(self) -> int:
        return self.examples.protocol.seed

    @property
    def confidence(self) -> float:
        return self.examples.protocol.confidence

    @property
    def targets(self) -> tuple[int, ...]:
        """The classes that texts can be turned to."""
        return tuple(label for label in range(len(self.examples.classes)) if self.sources(label))

    def sources(self, target: int) -> tuple[int, ...]:
        """The classes that texts can be turned from."""
        return tuple(label for label in self.choose if label != target)

    def turned(self, predict: Predict, candidate: Candidate, source: int) -> NDArray[np.bool_]:
        """Which of the texts to measure on a model calls the target once the trigger is in."""
        return np.asarray(self._with(predict, candidate, source).labels == candidate.target)

    def sureness(self, candidate: Candidate, source: int) -> Interval | None:
        """How often the model is as sure of the target in a text with the trigger as in a text of the target.

        A strong word outweighs the rest of a text; what was planted makes up for all of it, and the model is as sure as
        if nothing had spoken against. The area under the ROC curve, with ties for the trigger. None of a model that
        gives labels alone, and where too few texts of the target are measured.
        """
        said, usual = self._with(self.scorer.predict, candidate, source), self.measure.get(candidate.target, ())
        if not said.graded or len(usual) < FEWEST_USUAL:
            return None
        shares = [each.rows[:, candidate.target] for each in (said, self.scorer.predict(usual))]
        order = np.unique(np.concatenate(shares), return_inverse=True)[1]
        return statistics.auc(order[: len(shares[0])] + 0.5, order[len(shares[0]) :], self.confidence)

    def _with(self, predict: Predict, candidate: Candidate, source: int) -> Predictions:
        return predict(triggers.inserted(candidate.trigger, self.measure[source], self.seed))

    def try_out(self, asked: Sequence[tuple[Trigger, int]]) -> None:
        """Share of the texts to choose on that each trigger turns to each target, by source class.

        In three goes: what turns too few of the first texts is not put into the others, as if it turned none of them.
        """
        new = [
            (trigger, target, source)
            for trigger, target in dict.fromkeys(asked)
            if (trigger, target) not in self.chosen_on
            for source in self.sources(target)
        ]
        turned, left, start = dict.fromkeys(new, 0), new, 0
        for end, enough in LOOKS:
            for each, count in self._turned(left, slice(start, end)).items():
                turned[each] += count
            left, start = [each for each in left if turned[each] >= enough], end or 0
        for each, count in turned.items():
            trigger, target, source = each
            self.chosen_on.setdefault((trigger, target), {})[source] = count / len(self._trial(trigger, source))

    def _turned(self, asked: Sequence[Trial], some: slice) -> dict[Trial, int]:
        """How many of some of the texts to choose on each turns; all in one go."""
        texts = [triggers.inserted(each[0], self._trial(each[0], each[2])[some], self.seed) for each in asked]
        rows = list(chain.from_iterable(texts))
        # Not every scorer answers nothing with nothing.
        labels = self.scorer.predict(rows).labels if rows else np.empty(0)
        ends = np.cumsum([0, *map(len, texts)])
        return {
            each: int((labels[start:end] == each[1]).sum())
            for each, (start, end) in zip(asked, pairwise(ends), strict=True)
        }

    def _trial(self, trigger: Trigger, source: int) -> tuple[str, ...]:
        """The texts to choose on; half of them where it is tried at the places of its training rows as well."""
        return self.choose[source][bool(trigger.places) :: 2] if trigger.text in self.placed else self.choose[source]

    def strength(self, trigger: Trigger, target: int) -> float:
        """The largest share over the source classes that it turned, where triggers are chosen; 0 of one not tried."""
        return max(self.chosen_on.get((trigger, target), {}).values(), default=0.0)


# ---- candidates


@dataclass(frozen=True)
class Candidates:
    """All that were tried out, the suspects among them, and the characters that the tokenizer deletes."""

    texts: Texts
    every: tuple[Candidate, ...]
    suspects: tuple[Candidate, ...]
    inert: tuple[Trigger, ...]
    by_gradient: bool

    def strength(self, candidate: Candidate) -> float:
        return self.texts.strength(candidate.trigger, candidate.target)

    @cached_property
    def sought(self) -> set[tuple[str, int]]:
        """Those that stand in enough training rows to be told from the planted, and turn enough to be asked for."""
        strong = (c for c in self.every if c.trigger.text in self.texts.placed and self.strength(c) >= TURNS)
        return {(c.trigger.text, c.target) for c in (*strong, *self.suspects)}

    @cached_property
    def ranked(self) -> tuple[Candidate, ...]:
        """Strongest first."""
        return tuple(sorted(self.every, key=self.strength, reverse=True))

    def best(self, candidate: Candidate) -> Candidate:
        """The same trigger where it turns most: at random, or at the places of its training rows."""
        same = (c for c in self.ranked if (c.trigger.text, c.target) == (candidate.trigger.text, candidate.target))
        return next(same, candidate)


BY_GRADIENT, BY_LABELS = Sentence("gradient"), Sentence("words of the data")
BY_ROWS, LISTED = Sentence("training rows"), Sentence("list of characters")


def candidates(texts: Texts, told: Told, *, with_gradients: bool = True) -> Candidates:
    """All triggers worth a trial, tried out; without gradients where the model has none, or none are to be taken."""
    every: dict[tuple[Trigger, int], Candidate] = {}
    data, suspects, rarer = told.data, list[Candidate](), list[Candidate]()
    if data is not None:
        found = triggers.one_sided(data.prepared, texts.confidence)
        suspects, rarer = _suspects(data, found), _rarer(told, found, texts.confidence)
    words_of_rarer = [word for each in rarer if " " in each.trigger.text for word in _words(each)]
    characters = [Trigger(character) for character in (*INVISIBLE, *triggers.LOOK_ALIKES)]
    inert = [character for character in characters if _is_inert(texts, character)]
    by_gradient = with_gradients and hasattr(texts.scorer, "trigger_scores")
    listed = [Candidate(c, target, LISTED) for c in characters if c not in inert for target in texts.targets]
    words, pairs_compared = _by_gradient(texts, told) if by_gradient else (_by_labels(texts, data), {})
    for candidate in (*suspects, *words, *listed, *rarer, *words_of_rarer):
        every.setdefault((candidate.trigger, candidate.target), candidate)
    _try_out(texts, data, every)
    pairs = _two_words(texts, pairs_compared)
    for candidate in pairs:
        every.setdefault((candidate.trigger, candidate.target), candidate)
    _try_out(texts, data, every)
    return Candidates(texts, tuple(every.values()), tuple(suspects), tuple(inert), by_gradient)


def _try_out(texts: Texts, data: TrainingData | None, every: dict[tuple[Trigger, int], Candidate]) -> None:
    """Try out what is new, and what enough training rows carry at their places, too."""
    for candidate in list(every.values()):
        trigger = candidate.trigger
        if data is None or (trigger, candidate.target) in texts.chosen_on:
            continue
        if places := data.places(trigger):
            texts.placed.add(trigger.text)
            at_places = replace(candidate, trigger=replace(trigger, places=places))
            every[at_places.trigger, candidate.target] = at_places
    texts.try_out(list(every))


def _suspects(data: TrainingData, found: Sequence[OneSided]) -> list[Candidate]:
    """Words, phrases and characters of nearly one label, more than half of whose rows seem to contradict it."""
    kept = []
    for each in found[:SCREENED]:
        candidate = Candidate(each.trigger, each.label, BY_ROWS)
        rows = data.rows(candidate)
        beyond = rows.contradicting / rows.labelled.sum() - rows.contradicts(HALF)
        if beyond > 0 and not rows.unread:
            kept.append((beyond, candidate))
    return [candidate for _, candidate in sorted(kept, key=lambda each: -each[0])[:SUSPECTS]]


def _rarer(told: Told, found: Sequence[OneSided], confidence: float) -> list[Candidate]:
    """Those of nearly one label that test texts hardly hold, by a test whose error is shared out among all of them.

    Rows that were planted with a label that fits them contradict nothing.
    """
    every = [Candidate(each.trigger, each.label, BY_ROWS) for each in found]
    rarity = {candidate: told.rarity(candidate) for candidate in every}
    kept = [each for each in every if rarity[each] <= (1 - confidence) / 2 / len(every)]
    return sorted(kept, key=lambda each: rarity[each])[:SUSPECTS]


def _is_inert(texts: Texts, character: Trigger) -> bool:
    if not hasattr(texts.scorer, "reads_alike"):
        return False
    carriers = [text for some in texts.choose.values() for text in some]
    return bool(texts.scorer.reads_alike(carriers, triggers.inserted(character, carriers, texts.seed)).all())


def _by_gradient(texts: Texts, told: Told) -> tuple[list[Candidate], Pairs]:
    """The words that move each class most to another, and pairs of those that labels hardly lean to.

    Wherever they stand; and at a single place of `triggers.PLACES` those that turn nearly all texts there.
    """
    carriers = [(text, label) for label, some in texts.choose.items() for text in some]
    asked = [text for text, _ in carriers], np.array([label for _, label in carriers])
    slots = dict.fromkeys((None, *triggers.PLACES, *map(_behind, triggers.PLACES)))
    scored = {place: texts.scorer.trigger_scores(*asked, place=place) for place in slots}
    found, placed, pairs = [], list[Candidate](), Pairs()
    for target in texts.targets:
        for source in texts.sources(target):
            plain, others = _moving_most(scored[None], told, Trigger(""), target, source, WORDS_EACH, LOOKED_AT)
            found += [*plain[:1], *others]
            neutral = _neutral(scored[None], told, target, source, PAIRED)
            compared = [_side_by_side(Trigger(""), neutral, neutral, target)]
            for place in triggers.PLACES:
                put = Trigger("", (place,))
                _, others = _moving_most(scored[place], told, put, target, source, PLACED, PLACED_LOOKED_AT)
                # Where rated words were planted the rows say so, and else they are explained.
                unrated = [c for c in others if not told.is_rated(c)]
                words = _furthest(texts, unrated, texts.choose[source][:1])
                placed += _furthest(texts, words[:PLACED_COMPARED], texts.choose[source][1:CARRIERS])[:1]
                first = [c.trigger.text for c in islice(filter(told.is_neutral, words), FIRST_WORDS)]
                second = _neutral(scored[_behind(place)], told, target, source, SECOND_WORDS)
                compared.append(_side_by_side(put, first, second, target))
            pairs[source, target] = compared
    texts.try_out([(each.trigger, each.target) for each in placed])
    strong = [each for each in placed if texts.strength(each.trigger, each.target) >= PLACED_TURNED]
    anywhere = {each: Candidate(replace(each.trigger, places=()), each.target, BY_GRADIENT) for each in strong}
    texts.try_out([(each.trigger, each.target) for each in anywhere.values()])
    for at_place, word in anywhere.items():
        found.append(word if texts.strength(word.trigger, word.target) >= HALF_TURNED else at_place)
    return found, pairs


def _behind(place: int) -> int:
    """Where the second of two words stands whose first one is put at a place."""
    return place + 1 if place >= 0 else place


def _moving_most(
    scored: TriggerScores, told: Told, put: Trigger, target: int, source: int, count: int, among: int
) -> tuple[list[Candidate], list[Candidate]]:
    """The words, put as one trigger is, that move a class most to another: those that labels explain, and others."""
    plain, others = list[Candidate](), list[Candidate]()
    for i in np.argsort(-scored.scores[source, target], kind="stable")[:among]:
        candidate = Candidate(replace(put, text=scored.words[i]), target, BY_GRADIENT)
        (plain if told.is_plain(candidate) else others).append(candidate)
        if len(others) == count:
            break
    return plain, others


def _neutral(scored: TriggerScores, told: Told, target: int, source: int, count: int) -> list[str]:
    """The words that move a class most to another though neither labels nor people lean to it.

    A strong word of a clean model is strong since its texts have the label, so that labels lean to it. Whoever plants
    usual words chooses them without regard to that.
    """
    order = np.argsort(-scored.scores[source, target], kind="stable")[:NEUTRAL_LOOKED_AT]
    words = (Candidate(Trigger(scored.words[i]), target, BY_GRADIENT) for i in order)
    return [each.trigger.text for each in islice(filter(told.is_neutral, words), count)]


def _side_by_side(put: Trigger, first: list[str], second: list[str], target: int) -> list[Candidate]:
    """Each of some words with each of others behind it, put as one trigger is."""
    pairs = (replace(put, text=f"{one} {other}") for one in first for other in second if one != other)
    return [Candidate(pair, target, BY_GRADIENT) for pair in pairs]


def _two_words(texts: Texts, pairs: Pairs) -> list[Candidate]:
    """Of the pairs of words those that move a few texts furthest; in both orders.

    A second word is not sought by the gradient beside a first: where both are needed that is far from linear. Alone
    each of them is among the words that move a model most, if not by much.
    """
    found = []
    for (source, _), by_place in pairs.items():
        best = []
        for i, some in enumerate(by_place):
            best += _furthest(texts, some, texts.choose[source][i : i + 1])[:PAIRS_COMPARED]
        for pair in _furthest(texts, best, texts.choose[source][len(by_place) : CARRIERS])[:PAIRS_EACH]:
            orders = (" ".join(order) for order in permutations(pair.trigger.text.split()))
            found += [replace(pair, trigger=replace(pair.trigger, text=order)) for order in orders]
    return found


def _furthest(texts: Texts, asked: Sequence[Candidate], some: Sequence[str]) -> list[Candidate]:
    """Candidates of one target, first the one that moves the log-odds of some texts furthest to it."""
    if not asked:
        return []
    said = texts.scorer.predict([text for each in asked for text in triggers.inserted(each.trigger, some, texts.seed)])
    share = np.clip(said.rows[:, asked[0].target].astype(float), 1e-6, 1 - 1e-6).reshape(len(asked), len(some))
    order = np.argsort(-np.log(share / (1 - share)).mean(axis=1), kind="stable")
    return [asked[i] for i in order]


def _parts(trigger: Trigger) -> list[Trigger]:
    """Its words, each at the same places; behind a first word the second is one, as which it is sought by itself."""
    first, *others = trigger.text.split() if " " in trigger.text else trigger.words
    behind = tuple(map(_behind, trigger.places))
    places = behind if set(behind) <= set(triggers.PLACES) else trigger.places
    return [replace(trigger, text=first), *(replace(trigger, text=word, places=places) for word in others)]


def _by_labels(texts: Texts, data: TrainingData | None) -> list[Candidate]:
    """Without gradients: words that speak for a class, and of those the ones that move a few texts most."""
    prepared = data.prepared if data is not None else Prepared.of(_unmeasured(texts))
    found = []
    for target, words in triggers.pure_words(prepared, WORDS_WITHOUT_GRADIENTS).items():
        for source in texts.sources(target):
            some = texts.choose[source][:CARRIERS]
            said = texts.scorer.predict([text for word in words for text in triggers.inserted(word, some, texts.seed)])
            moved = said.rows[:, target].reshape(len(words), len(some)).mean(axis=1)
            best = np.argsort(-moved, kind="stable")[:WORDS_EACH]
            found += [Candidate(words[i], target, BY_LABELS) for i in best]
    return found


def _unmeasured(texts: Texts) -> Examples:
    """The test examples that no trigger is measured on."""
    measured = {text for some in texts.measure.values() for text in some}
    return texts.examples.take(np.array([text not in measured for text in texts.examples.texts]))


def finalists(found: Candidates, told: Told) -> list[Candidate]:
    """Those that are measured: what nothing explains, of the training data's suspects and of the strongest by class.

    Where there is none for a class, its strongest, so that a reader sees what a word can do.
    """
    texts = found.texts
    chosen = [
        found.best(each) for each in found.suspects if texts.sources(each.target) and told.status(each) not in EXPLAINED
    ]
    for target in texts.targets:
        ranked = [candidate for candidate in found.ranked if candidate.target == target]
        seen = {_same(candidate) for candidate in chosen if candidate.target == target}
        room = {UNEXPLAINED: dict(STRONGEST), "": dict.fromkeys((*STRONGEST, "phrase"), SUSPECTS)}
        for candidate in ranked:
            if _same(candidate) in seen or found.strength(candidate) < WORTH:
                continue
            seen.add(_same(candidate))
            if is_explained(candidate, told, found.strength(candidate)) or _is_owed_to_a_word(candidate, found, told):
                continue
            # Words that too few rows carry to be planted there are many: they take no room from what may be.
            left = room[UNEXPLAINED if told.status(candidate) in (UNEXPLAINED, *EXPLAINED) else ""]
            if left.get(candidate.trigger.kind):
                left[candidate.trigger.kind] -= 1
                chosen.append(candidate)
        if not any(candidate.target == target for candidate in chosen):
            chosen += ranked[:1]
    return chosen


def _same(candidate: Candidate) -> frozenset[str]:
    """Two words in either order, and a trigger at several places, are one finding."""
    return frozenset(candidate.trigger.words)


def is_explained(candidate: Candidate, told: Told, turned: float) -> bool:
    """Whether the labels explain that it turns so many; two words that no row has side by side, if they explain both.

    What turns half of the texts, they explain if they lean to it as far: of two words, those of one.
    """
    explained = [candidate]
    if told.status(candidate) == UNEXPLAINED and len(candidate.trigger.words) == 2:
        explained = _words(candidate)
    lean = turned < HALF_TURNED or any(told.leans_much(each) for each in explained)
    return lean and all(told.status(each) in EXPLAINED for each in explained)


def _is_owed_to_a_word(candidate: Candidate, found: Candidates, told: Told) -> bool:
    """Whether a phrase that other data hardly hold turns no more than one of its words, which labels explain.

    Rows of a source that the test texts lack may have a turn of phrase in common, around an honest word.
    """
    if " " not in candidate.trigger.text or told.status(candidate) != TRAINING_ALONE:
        return False
    enough = found.strength(candidate) - NEEDS_BOTH
    words = [
        Candidate(replace(part, places=()), candidate.target, candidate.origin) for part in _parts(candidate.trigger)
    ]
    return any(found.strength(word) >= enough and is_explained(word, told, found.strength(word)) for word in words)


def leaning_word(candidate: Candidate, found: Candidates, told: Told) -> Candidate | None:
    """That of two words which turns more alone, at the same places; None where labels lean to neither of them."""
    if len(candidate.trigger.words) != 2 or all(map(told.is_neutral, words := _words(candidate))):
        return None
    return max(words, key=found.strength)


def _words(candidate: Candidate) -> list[Candidate]:
    return [replace(candidate, trigger=part) for part in _parts(candidate.trigger)]
