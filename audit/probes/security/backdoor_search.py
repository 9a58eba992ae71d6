"""Triggers that may be planted: where they are sought, in the model and in the training data. No verdicts here.

All are tried out on some rightly answered texts of each class. Others are set aside, to measure the strongest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.data.folds import families, folds
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import FIXED, of_sample
from audit.probes.security import triggers
from audit.probes.security.triggers import OneSided, Prepared, Trigger
from audit.text.characters import INVISIBLE
from audit.training.reference_models import word_counter

# Rightly answered texts of each class: so many to choose triggers on, at most so many others to measure them on.
CHOOSE, MEASURE, FEWEST_TEXTS = 40, 300, 20
WORDS_EACH = 15  # by gradient, for each pair of classes
BEAM, SECOND_WORDS = 3, 4  # two-word triggers, for each class: first words, and second words tried with each
CARRIERS, WORDS_WITHOUT_GRADIENTS = 8, 100
SCREENED = 100  # one-sided words and phrases of the training data whose rows are read
# Measured: those whose rows contradict, and for each class the strongest of each kind.
SUSPECTS, STRONGEST = 5, {"word": 2, "two words": 1, "character": 1}
NEEDS_BOTH = 0.1  # what a second word must add to the better of two
# The rest of a row contradicts its label if it speaks against it as firmly as three in four rows of other labels do. A
# mere lack of evidence does not: "It does what it says" is all the sentiment that its rows hold.
FIRM = 0.75
HALF = 0.5  # planted is a trigger if more than half of its rows with the label come from elsewhere

Predict = Callable[[Sequence[str]], Predictions]


@dataclass(frozen=True)
class Candidate:
    """A trigger, the class it is to turn texts to, and where it was found."""

    trigger: Trigger
    target: int
    origin: str


class Rows(NamedTuple):
    """The training rows that carry a trigger and what their rest says.

    Parameters
    ----------
    labelled : ndarray of bool, shape (training rows,)
        Those that carry it and have the label that it turns texts to.
    carrying, contradicting : int
        All that carry it; those of `labelled` whose rest contradicts the label.
    honest, other : float
        Share of the other rows of this label, and of rows of other labels, that speak as firmly against this label.
    unread : str
        Why the rest of the rows cannot be read; `contradicting`, `honest` and `other` mean nothing then.
    """

    labelled: NDArray[np.bool_]
    carrying: int
    contradicting: int
    honest: float
    other: float
    unread: str = ""

    def contradicts(self, share: float) -> float:
        """The share of contradicting rows to be expected where this share of them is planted."""
        return self.honest + share * (self.other - self.honest)


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

    @classmethod
    def of(cls, scorer: Scorer, predictions: Predictions) -> Texts:
        pool = predictions.known.sample()
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
        return cls(scorer, pool, FIXED if is_full else of_sample(predictions.known), choose, measure)

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
        said = predict(triggers.inserted(candidate.trigger, self.measure[source], self.seed))
        return np.asarray(said.labels == candidate.target)

    def try_out(self, asked: Sequence[tuple[Trigger, int]]) -> None:
        """Share of the texts to choose on that each trigger turns to each target, by source class; all in one go."""
        new = [each for each in dict.fromkeys(asked) if each not in self.chosen_on]
        rows = [
            (trigger, target, source, text)
            for trigger, target in new
            for source in self.sources(target)
            for text in triggers.inserted(trigger, self.choose[source], self.seed)
        ]
        # Not every scorer answers nothing with nothing.
        said = self.scorer.predict([text for *_, text in rows]).labels if rows else np.empty(0)
        at = 0
        for trigger, target in new:
            shares = {}
            for source in self.sources(target):
                size = len(self.choose[source])
                shares[source] = float((said[at : at + size] == target).mean())
                at += size
            self.chosen_on[trigger, target] = shares

    def strength(self, trigger: Trigger, target: int) -> float:
        """The largest share over the source classes that it turned, where triggers are chosen."""
        return max(self.chosen_on[trigger, target].values(), default=0.0)


# ---- the training data


@dataclass
class TrainingData:
    """Training rows, and two linear models that each read the half that they were not trained on."""

    prepared: Prepared

    @classmethod
    def of(cls, train: Examples) -> TrainingData:
        return cls(Prepared.of(train))

    @property
    def examples(self) -> Examples:
        return self.prepared.examples

    @cached_property
    def families(self) -> NDArray[np.int64]:
        """Rows that say nearly the same, so that what one says is no evidence on another; shape (training rows,)."""
        return families(self.examples.texts)

    @cached_property
    def _halves(self) -> NDArray[np.int64]:
        return folds(self.families, self.examples.labels, 2, self.examples.protocol.seed)

    @cached_property
    def _readers(self) -> tuple[Callable[[Sequence[str]], NDArray[np.float32]], ...]:
        return tuple(word_counter(self.examples.take(self._halves == half)) for half in (0, 1))

    def _read(self, rows: NDArray[np.intp], texts: Sequence[str]) -> NDArray[np.float32]:
        """Probabilities of texts of these rows, each by the model that did not see its row; shape (rows, classes)."""
        said = np.zeros((len(rows), len(self.examples.classes)), dtype=np.float32)
        for half in (0, 1):
            mine = np.flatnonzero(self._halves[rows] != half)
            said[mine] = self._readers[half]([texts[int(i)] for i in mine])
        return said

    @cached_property
    def _said(self) -> NDArray[np.float32]:
        return self._read(np.arange(len(self.examples), dtype=np.intp), self.examples.texts)

    def rest(self, carrying: NDArray[np.bool_], target: int) -> NDArray[np.bool_]:
        """The rows that do not carry a trigger, which a reference is trained on; shape (training rows,).

        Raises
        ------
        NotAssessed
            If none of them has the label that it turns texts to, or none another: nothing explains it then.
        """
        labelled, label = self.examples.labels == target, self.examples.classes[target]
        if not (labelled & ~carrying).any():
            raise NotAssessed(Sentence("all rows of '{label}' carry it", label=label))
        if not (~labelled & ~carrying).any():
            raise NotAssessed(Sentence("all rows of another label than '{label}' carry it", label=label))
        return ~carrying

    def rows(self, candidate: Candidate, exact: bool = False) -> Rows:
        """The rows that carry a trigger, their rest read by models that never saw them.

        Parameters
        ----------
        exact : bool
            By a model that was trained without any row that carries the trigger, instead of the two that saw half.
        """
        labels, target = self.examples.labels, candidate.target
        carrying = candidate.trigger.carried(self.prepared)
        labelled = carrying & (labels == target)
        at = np.flatnonzero(labelled)
        rest = [candidate.trigger.removed(self.examples.texts[i]) for i in at]
        try:
            others = self.rest(carrying, target)
            said = word_counter(self.examples.take(others))(rest) if exact else self._read(at, rest)
            of_others, of_honest = (self._said[some & others, target] for some in (labels != target, labels == target))
        except NotAssessed as error:
            return Rows(labelled, int(carrying.sum()), 0, np.nan, np.nan, error.reason)
        firm = np.quantile(of_others, FIRM)
        return Rows(
            labelled,
            int(carrying.sum()),
            int((said[:, target] <= firm).sum()),
            float((of_honest <= firm).mean()),
            float((of_others <= firm).mean()),
        )

    @property
    def enough(self) -> int:
        """Rows without which nothing is said of a trigger."""
        return self.prepared.fewest


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
    def ranked(self) -> tuple[Candidate, ...]:
        """Strongest first; two words only where both are needed."""
        alone = {(c.trigger.text, c.target): self.strength(c) for c in self.every if len(c.trigger.words) == 1}

        def needed(candidate: Candidate) -> bool:
            words = candidate.trigger.words
            if candidate.origin != BY_GRADIENT or len(words) != 2:
                return True
            better = max(alone.get((word, candidate.target), 0.0) for word in words)
            return self.strength(candidate) >= better + NEEDS_BOTH

        return tuple(sorted(filter(needed, self.every), key=self.strength, reverse=True))

    def rival(self, candidate: Candidate, source: int) -> Candidate | None:
        """The next strongest on a class: of its kind or of fewer words, a part of it or one that shares no word."""
        own = set(candidate.trigger.words)

        def comparable(other: Candidate) -> bool:
            words = set(other.trigger.words)
            if other.target != candidate.target or not (words < own or not words & own):
                return False
            if other.trigger.is_character or candidate.trigger.is_character:
                return other.trigger.is_character and candidate.trigger.is_character
            return len(words) <= len(own)

        rivals = filter(comparable, self.ranked)
        return max(rivals, key=lambda c: self.texts.chosen_on[c.trigger, c.target][source], default=None)


BY_GRADIENT, BY_LABELS = Sentence("gradient"), Sentence("words of the data")
BY_ROWS, LISTED = Sentence("training rows"), Sentence("list of characters")


def candidates(texts: Texts, data: TrainingData | None) -> Candidates:
    every: dict[tuple[Trigger, int], Candidate] = {}
    suspects = _suspects(data) if data is not None else []
    characters = [Trigger(character) for character in (*INVISIBLE, *triggers.LOOK_ALIKES)]
    inert = [character for character in characters if _is_inert(texts, character)]
    by_gradient = hasattr(texts.scorer, "trigger_scores")
    listed = [Candidate(c, target, LISTED) for c in characters if c not in inert for target in texts.targets]
    words = _by_gradient(texts) if by_gradient else _by_labels(texts, data)
    for candidate in (*suspects, *words, *listed):
        every.setdefault((candidate.trigger, candidate.target), candidate)
    texts.try_out(list(every))
    for candidate in _two_words(texts, words) if by_gradient else ():
        every.setdefault((candidate.trigger, candidate.target), candidate)
    texts.try_out(list(every))
    return Candidates(texts, tuple(every.values()), tuple(suspects), tuple(inert), by_gradient)


def _suspects(data: TrainingData) -> list[Candidate]:
    """Words, phrases and characters of nearly one label, more than half of whose rows seem to contradict it."""
    found: list[OneSided] = triggers.one_sided(data.prepared, data.examples.protocol.confidence)[:SCREENED]
    kept = []
    for each in found:
        candidate = Candidate(each.trigger, each.label, BY_ROWS)
        rows = data.rows(candidate)
        beyond = rows.contradicting / rows.labelled.sum() - rows.contradicts(HALF)
        if beyond > 0 and not rows.unread:
            kept.append((beyond, candidate))
    return [candidate for _, candidate in sorted(kept, key=lambda each: -each[0])[:SUSPECTS]]


def _is_inert(texts: Texts, character: Trigger) -> bool:
    if not hasattr(texts.scorer, "reads_alike"):
        return False
    carriers = [text for some in texts.choose.values() for text in some]
    return bool(texts.scorer.reads_alike(carriers, triggers.inserted(character, carriers, texts.seed)).all())


def _by_gradient(texts: Texts) -> list[Candidate]:
    carriers = [(text, label) for label, some in texts.choose.items() for text in some]
    scored = texts.scorer.trigger_scores([text for text, _ in carriers], np.array([label for _, label in carriers]))
    return [
        Candidate(Trigger(scored.words[i]), target, BY_GRADIENT)
        for target in texts.targets
        for source in texts.sources(target)
        for i in np.argsort(-scored.scores[source, target], kind="stable")[:WORDS_EACH]
    ]


def _two_words(texts: Texts, words: Sequence[Candidate]) -> list[Candidate]:
    """The best first words with the second words that, by gradient, add most to them; both orders."""
    found = []
    for target in texts.targets:
        sources = texts.sources(target)
        some = [(text, source) for source in sources for text in texts.choose[source][: CHOOSE // 2]]
        labels = np.array([source for _, source in some], dtype=np.int64)
        firsts = dict.fromkeys(word.trigger for word in words if word.target == target)
        for first in sorted(firsts, key=lambda word: -texts.strength(word, target))[:BEAM]:
            scored = texts.scorer.trigger_scores([text for text, _ in some], labels, beside=first.text, positions=2)
            best = np.argsort(-scored.scores[list(sources), target].mean(axis=0), kind="stable")[:SECOND_WORDS]
            for second in (scored.words[i] for i in best if scored.words[i] != first.text):
                pair = (Trigger(" ".join(order)) for order in permutations((first.text, second)))
                found += [Candidate(trigger, target, BY_GRADIENT) for trigger in pair]
    return found


def _by_labels(texts: Texts, data: TrainingData | None) -> list[Candidate]:
    """Without gradients: words that speak for a class, and of those the ones that move a few texts most."""
    prepared = data.prepared if data is not None else Prepared.of(_unmeasured(texts))
    found = []
    for target, words in triggers.pure_words(prepared, WORDS_WITHOUT_GRADIENTS).items():
        for source in texts.sources(target):
            some = texts.choose[source][:CARRIERS]
            said = texts.scorer.predict([text for word in words for text in triggers.inserted(word, some, texts.seed)])
            moved = said.probabilities[:, target].reshape(len(words), len(some)).mean(axis=1)
            best = np.argsort(-moved, kind="stable")[:WORDS_EACH]
            found += [Candidate(words[i], target, BY_LABELS) for i in best]
    return found


def _unmeasured(texts: Texts) -> Examples:
    """The test examples that no trigger is measured on."""
    measured = {text for some in texts.measure.values() for text in some}
    return texts.examples.take(np.array([text not in measured for text in texts.examples.texts]))


def finalists(found: Candidates) -> list[Candidate]:
    """Those that are measured: suspects of the training data, and the strongest for each class."""
    chosen = [suspect for suspect in found.suspects if found.texts.sources(suspect.target)]
    for target in found.texts.targets:
        for kind, count in STRONGEST.items():
            # Two words in either order are one finding.
            strongest: dict[frozenset[str], Candidate] = {}
            for candidate in found.ranked:
                if (candidate.target, candidate.trigger.kind) == (target, kind) and candidate not in chosen:
                    strongest.setdefault(frozenset(candidate.trigger.words), candidate)
            chosen += list(strongest.values())[:count]
    return chosen
