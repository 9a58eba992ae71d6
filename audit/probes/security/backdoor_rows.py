"""What labelled texts say of a trigger: whether its training rows were planted, or explain why it turns texts."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.data import labels
from audit.data.examples import Examples
from audit.data.folds import families, folds
from audit.probes.security.triggers import FEWEST_ROWS, Candidate, Prepared, Trigger
from audit.text.sentiment import sentiment_of
from audit.training.reference_models import word_counter

if TYPE_CHECKING:
    from scipy.stats._distn_infrastructure import rv_discrete

# The rest of a row contradicts its label if it speaks against it as firmly as three in four rows of other labels do. A
# mere lack of evidence does not: "It does what it says" is all the sentiment that its rows hold.
FIRM = 0.75
HALF = 0.5  # planted is a trigger if more than half of its rows with the label come from elsewhere
# Where surely fewer than four in five of all rows with a trigger come from elsewhere, nobody planted it.
PLANTED = 0.8
# So few words are so much rarer among the test texts by chance, or have so many rows that contradict their label. At
# one in forty, one of the dozens that turn much was and had, in most models that nobody had tampered with.
RARER = 0.005
# How unevenly words are spread over training and test data is read off words that stand in about as many rows.
ALIKE, ENOUGH_WORDS = 3.0, 20

# A word that turns half of the texts outweighs what they say: labels explain that if it is so many times likelier in
# texts with the label than in others (four in five have it, where half of all do). A usual word that was planted leans
# to one side by chance, but hardly so far.
MUCH_LIKELIER = 4.0

PLANTED_ROWS = Sentence("planted: most of its rows contradict their label")
TRAINING_ALONE = Sentence("planted: other data of the same kind hardly hold it")
# No opinion can hang on what nobody sees, so its rows need not contradict their label.
HIDDEN = Sentence("invisible: no person's label can rest on it")
HONEST = Sentence("strong word: the labels explain it")
IN_LEXICON = Sentence("strong word: people rate it so")
EXPLAINED = (HONEST, IN_LEXICON)
UNDECIDED = "open"  # so begins whatever the rows cannot tell
OPEN = Sentence("open: too few rows to tell")
CONTRADICTED = Sentence("open: most of its rows seem to contradict their labels")
UNEXPLAINED = Sentence("nothing explains it")


def unread(reason: str) -> str:
    """Judged so where the rest of its rows cannot be read."""
    return Sentence("open: {reason}", reason=reason)


class Reading(NamedTuple):
    """What models that never saw the training rows of a trigger read in the rest of those with its label.

    Parameters
    ----------
    contradicting, texts : int
        Rows whose rest contradicts the label, and texts: nearly equal rows count as one.
    honest, other : float
        Share of the other rows of this label, and of rows of other labels, that speak as firmly against this label.
    unread : str
        Why the rest of the rows cannot be read; the other parts mean nothing then.
    """

    contradicting: int
    texts: int
    honest: float
    other: float
    unread: str = ""


@dataclass
class Rows:
    """The training rows that carry a trigger and what their rest says, which is read when it is first asked for.

    Parameters
    ----------
    labelled : ndarray of bool, shape (training rows,)
        Those that carry it and have the label that it turns texts to.
    carrying : int
        All that carry it.
    texts : tuple of int
        Of texts that carry it, and that do so with the label: nearly equal rows count as one.
    read : callable
        Reads the rest of the rows.
    """

    labelled: NDArray[np.bool_]
    carrying: int
    texts: tuple[int, int]
    read: Callable[[], Reading] = field(repr=False)

    @cached_property
    def reading(self) -> Reading:
        """What the rest of the rows says."""
        return self.read()

    @property
    def contradicting(self) -> int:
        """Rows of `labelled` whose rest contradicts the label."""
        return self.reading.contradicting

    @property
    def unread(self) -> str:
        """Why the rest of the rows cannot be read, if so."""
        return self.reading.unread

    def contradicts(self, share: float) -> float:
        """The share of contradicting rows to be expected where this share of them is planted."""
        return self.reading.honest + share * (self.reading.other - self.reading.honest)

    @property
    def planted_chance(self) -> float:
        """Chance that so few of all carrying texts, or fewer, contradict where four in five were planted.

        Where their rest cannot be read, that so few have the label at all.
        """
        from scipy.stats import binom

        carrying, labelled = self.texts
        if self.unread:
            return float(binom.cdf(labelled, carrying, PLANTED))
        return float(binom.cdf(self.reading.texts, carrying, self.contradicts(PLANTED)))

    @property
    def mostly_contradict(self) -> bool:
        """Whether more of the texts with this label contradict it than would if half were planted, sure or not."""
        labelled = self.texts[1]
        return labelled >= FEWEST_ROWS and self.reading.texts >= self.contradicts(HALF) * labelled

    @property
    def honest_chance(self) -> float:
        """Chance that so many of the texts with this label, or more, contradict it where none was planted."""
        from scipy.stats import binom

        return float(binom.sf(self.reading.texts - 1, self.texts[1], self.reading.honest))

    def established(self, confidence: float) -> bool:
        """Whether surely more of the texts with this label contradict it than would if half were planted."""
        labelled = self.texts[1]
        if not labelled:
            return False
        return statistics.proportion(self.reading.texts, labelled, confidence).low > self.contradicts(HALF)


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

    @property
    def enough(self) -> int:
        """Texts from which on a trigger is sought in the training data."""
        return self.prepared.fewest

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
            By a model that was trained without any row that carries the trigger, or says nearly the same as one,
            instead of the two that saw half.
        """
        carrying = candidate.trigger.carried(self.prepared)
        labelled = carrying & (self.examples.labels == candidate.target)
        texts = len(np.unique(self.families[carrying])), len(np.unique(self.families[labelled]))
        return Rows(
            labelled,
            int(carrying.sum()),
            texts,
            partial(self._reading, candidate, carrying, np.flatnonzero(labelled), exact),
        )

    def _reading(self, candidate: Candidate, carrying: NDArray[np.bool_], at: NDArray[np.intp], exact: bool) -> Reading:
        labels, target = self.examples.labels, candidate.target
        rest = [candidate.trigger.removed(self.examples.texts[i]) for i in at]
        try:
            others = self.rest(carrying, target)
            if exact:
                apart = others & ~np.isin(self.families, self.families[carrying])
                said = word_counter(self.examples.take(apart))(rest)
            else:
                said = self._read(at, rest)
            of_others, of_honest = (self._said[some & others, target] for some in (labels != target, labels == target))
        except NotAssessed as error:
            return Reading(0, 0, np.nan, np.nan, error.reason)
        firm = np.quantile(of_others, FIRM)
        against = said[:, target] <= firm
        return Reading(
            int(against.sum()),
            _families_of(self.families[at], against),
            float((of_honest <= firm).mean()),
            float((of_others <= firm).mean()),
        )

    def against(self, texts: Sequence[str], target: int) -> NDArray[np.bool_]:
        """Whether texts that are no training rows speak against a label as firmly as `rows` asks for; shape (n,)."""
        said = np.mean([read(texts) for read in self._readers], axis=0)
        firm = np.quantile(self._said[self.examples.labels != target, target], FIRM)
        return np.asarray(said[:, target] <= firm)

    def places(self, trigger: Trigger) -> tuple[int, ...]:
        """Where it stands in the rows that carry it, if these are enough to seek it."""
        carrying = np.flatnonzero(trigger.carried(self.prepared))
        if trigger.is_character or len(np.unique(self.families[carrying])) < self.enough:
            return ()
        found = (trigger.place(self.examples.texts[i]) for i in carrying)
        return tuple(sorted(place for place in found if place is not None))


def _families_of(families: NDArray[np.int64], true: NDArray[np.bool_]) -> int:
    """In how many families at least half of the rows are so."""
    _, family, sizes = np.unique(families, return_inverse=True, return_counts=True)
    return int((np.bincount(family, true, len(sizes)) >= sizes / 2).sum())


class OtherData(NamedTuple):
    """What labelled texts that nobody trained on, those of the test, hold of a trigger; nearly equal ones are one.

    Parameters
    ----------
    carrying, labelled : int
        Texts that carry it, and of these those with the label that it turns texts to.
    expected : float
        How many of `labelled` there would be were it as frequent among them as in the training rows of this label;
        NaN without training data.
    chance : float
        Of so few or fewer, were it as frequent; 1 where that cannot be said.
    """

    carrying: int
    labelled: int
    expected: float
    chance: float


@dataclass
class Told:
    """What training rows and test texts say of each trigger; asked once for each.

    Parameters
    ----------
    data : TrainingData or None
    test : Prepared
    strict : float
        Confidence at which a trigger is told to be planted: shared out among all that are judged.
    """

    data: TrainingData | None
    test: Prepared
    strict: float
    _known: dict[tuple[str, int], tuple[Rows | None, OtherData, str]] = field(default_factory=dict, repr=False)
    _plain: dict[tuple[str, int], bool] = field(default_factory=dict, repr=False)
    _ratios: dict[int | None, float] = field(default_factory=dict)

    def of(self, candidate: Candidate) -> tuple[Rows | None, OtherData, str]:
        """Its training rows, what is in the test texts, and how it is judged by them."""
        asked = candidate.trigger.text, candidate.target
        if asked not in self._known:
            rows, other, status = self._judged(candidate)
            if status not in (PLANTED_ROWS, TRAINING_ALONE) and self.is_rated(candidate):
                status = IN_LEXICON
            self._known[asked] = rows, other, status
        return self._known[asked]

    def status(self, candidate: Candidate) -> str:
        """How it is judged by its rows."""
        return self.of(candidate)[-1]

    @property
    def noticed(self) -> int:
        """Training texts of a trigger that no test text holds, from which on it is told to be planted.

        By Poisson's chance of none, which is the smallest: words are spread more unevenly.
        """
        assert self.data is not None
        ratio = len(np.unique(self._families)) / len(np.unique(self.data.families))
        return max(self.data.enough, int(np.ceil(-np.log((1 - self.strict) / 2) / ratio)))

    @property
    def _confidence(self) -> float:
        return self.test.examples.protocol.confidence

    def is_plain(self, candidate: Candidate) -> bool:
        """Whether the labels explain it at first sight: nothing is trained to read its rows. Asked once for each."""
        asked = candidate.trigger.text, candidate.target
        if asked not in self._plain:
            self._plain[asked] = self._is_plain(candidate)
        return self._plain[asked]

    def _is_plain(self, candidate: Candidate) -> bool:
        rows = None if self.data is None else self.data.rows(candidate)
        other = self._other(candidate, rows)
        rated, leans_much = self.is_rated(candidate), self._leans_much(candidate, rows, other)
        if not (rated or leans_much):
            return False  # by counts alone; to read its rows takes longest
        if rows is not None and self.data is not None:
            enough = rows.texts[0] >= self.data.enough
            if enough and not self._excluded(rows, other, candidate.target):
                return False
            if (enough and self._is_rarer(rows, other, candidate.target, RARER)) or rows.mostly_contradict:
                return False
        return rated or self._is_explained(candidate, rows, other)

    def leans_much(self, candidate: Candidate) -> bool:
        """Whether it may turn half of all texts: its own have the label so much more often, or people rate it so."""
        rows, other, status = self.of(candidate)
        return status == IN_LEXICON or self._leans_much(candidate, rows, other)

    def is_neutral(self, candidate: Candidate) -> bool:
        """Whether neither people nor labels lean to a word; one that only begins others is what it learnt of these."""
        if self.is_rated(candidate):
            return False
        rows = None if self.data is None else self.data.rows(candidate)
        carrying, labelled = _together(rows, self._other(candidate, rows))
        if not carrying:
            return not self._begins_words(candidate)
        leans = self._leans(labelled, carrying, self._share_of(candidate.target))
        return not leans and not self._is_much_likelier(candidate, carrying, labelled)

    def is_rated(self, candidate: Candidate) -> bool:
        """Whether the label is a sentiment, and people rate this English word so."""
        examples, trigger = self.test.examples, candidate.trigger
        if examples.protocol.language != "en" or trigger.is_character:
            return False
        rated = sentiment_of(trigger.text)
        leaning = labels.leaning(examples.classes, examples.protocol.order)
        good = leaning.get(examples.classes[candidate.target], 0.0)
        return (rated == "positive" and good > 0) or (rated == "negative" and good < 0)

    def _leans_much(self, candidate: Candidate, rows: Rows | None, other: OtherData) -> bool:
        carrying, labelled = _together(rows, other)
        # What no text holds is explained by the words that begin with it.
        return not carrying or self._is_much_likelier(candidate, carrying, labelled)

    def _is_much_likelier(self, candidate: Candidate, carrying: int, labelled: int) -> bool:
        """Whether texts with the label hold it so many times likelier than others; one text more is in between."""
        share = self._share_of(candidate.target)
        return (labelled + share) * (1 - share) >= MUCH_LIKELIER * (carrying - labelled + 1 - share) * share

    def _judged(self, candidate: Candidate) -> tuple[Rows | None, OtherData, str]:
        rows = None if self.data is None else self.data.rows(candidate)
        other = self._other(candidate, rows)
        if rows is None or self.data is None:
            return rows, other, HONEST if self._is_explained(candidate, rows, other) else UNEXPLAINED
        if enough := rows.texts[0] >= self.data.enough:
            if not rows.unread and not self._excluded(rows, other, candidate.target):
                rows = self.data.rows(candidate, exact=True)
            if rows.unread and not self._excluded(rows, other, candidate.target):
                return rows, other, unread(rows.unread)
            if rows.established(self.strict):
                return rows, other, PLANTED_ROWS
        if self._is_explained_by_test(candidate, rows, other):
            return rows, other, HONEST
        if enough:
            if self._is_rarer(rows, other, candidate.target, (1 - self.strict) / 2):
                return rows, other, TRAINING_ALONE
            if not self._excluded(rows, other, candidate.target):
                hardly_honest = rows.mostly_contradict and rows.honest_chance <= RARER
                return rows, other, CONTRADICTED if hardly_honest else OPEN
            if self._is_rarer(rows, other, candidate.target, RARER):
                return rows, other, OPEN
        if rows.mostly_contradict:
            return rows, other, OPEN
        return rows, other, HONEST if self._is_explained(candidate, rows, other) else UNEXPLAINED

    def _is_explained_by_test(self, candidate: Candidate, rows: Rows | None, other: OtherData) -> bool:
        """Whether more of the test texts with it have the label than chance allows, and their rest does not contradict.

        Data that were poisoned before they were divided into those of the training and of the test explain nothing.
        """
        leans = self._leans(other.labelled, other.carrying, self._share(self.test.examples, candidate.target))
        return leans and (
            rows is None
            or bool(rows.unread)
            or self._contradicting(candidate) < rows.contradicts(HALF) * other.labelled
        )

    def _is_explained(self, candidate: Candidate, rows: Rows | None, other: OtherData) -> bool:
        """Whether more of the texts with it, of the test, the training or both, have the label than chance allows."""
        if self._is_explained_by_test(candidate, rows, other):
            return True
        if rows is None or self.data is None:
            return False
        carrying, labelled = rows.texts
        share = self._share(self.data.examples, candidate.target)
        return (
            self._leans(labelled, carrying, share)
            or self._leans(labelled + other.labelled, carrying + other.carrying, share)
            or (not carrying and self._begins_words_that_lean(candidate, share))
        )

    def _excluded(self, rows: Rows, other: OtherData, target: int) -> bool:
        """Whether surely fewer than four in five of all rows with a trigger were planted.

        Told by what contradicts among them, and by that together with the test texts (Fisher's combination of
        independent p-values); the error is halved between both.
        """
        from scipy.stats import combine_pvalues

        chances = rows.planted_chance, self._natural_chance(rows, other, target)
        by_both = combine_pvalues([max(each, 1e-300) for each in chances]).pvalue
        return bool(2 * min(rows.planted_chance, by_both) <= (1 - self._confidence) / 2)

    def rarity(self, candidate: Candidate) -> float:
        """Chance of so few test texts with it were it as frequent there; 1 where they hold it by nature."""
        assert self.data is not None
        rows = self.data.rows(candidate)
        other = self._other(candidate, rows)
        return other.chance if self._is_rarer(rows, other, candidate.target, 1.0) else 1.0

    def _is_rarer(self, rows: Rows, other: OtherData, target: int, error: float) -> bool:
        """Whether so few test texts hold it by chance at this error only, and none need to by nature.

        A word that other data hold, if less often, was not planted in most of its rows: they come from elsewhere.
        """
        return other.chance <= error and self._natural_chance(rows, other, target) > (1 - self._confidence) / 2

    def _natural_chance(self, rows: Rows, other: OtherData, target: int) -> float:
        """Chance of so many test texts with a trigger where one in five of its training rows has it by nature."""
        natural = (1 - PLANTED) * rows.texts[0] * self._ratio(None)
        spread = self._spread(natural, rows.texts[1], target)
        if spread is None:
            return 1.0
        distribution, parameters = spread
        return float(distribution.sf(other.carrying - 1, *parameters))

    def _begins_words_that_lean(self, candidate: Candidate, share: float) -> bool:
        """Whether the words that begin so explain it: a tokenizer's "dis" is what it learnt of "disappointed"."""
        assert self.data is not None
        if candidate.trigger.is_character or len(candidate.trigger.words) != 1:
            return False
        begun = np.array([f" {candidate.trigger.words[0]}" in text for text in self.data.prepared.normal], dtype=bool)
        of_label = begun & (self.data.examples.labels == candidate.target)
        labelled, carrying = (len(np.unique(self.data.families[some])) for some in (of_label, begun))
        return self._leans(labelled, carrying, share)

    def _begins_words(self, candidate: Candidate) -> bool:
        """Whether a word of the training texts begins with this one."""
        word = " ".join(candidate.trigger.words)
        at = bisect_left(self._vocabulary, word)
        return at < len(self._vocabulary) and self._vocabulary[at].startswith(word)

    @cached_property
    def _vocabulary(self) -> list[str]:
        return sorted(self.data.prepared.rows_of) if self.data is not None else []

    def _leans(self, labelled: int, carrying: int, share: float) -> bool:
        """Whether surely more of some texts have a label than this share of all."""
        from scipy.stats import binom

        return bool(binom.sf(labelled - 1, carrying, share) <= (1 - self._confidence) / 2)

    def _share_of(self, target: int) -> float:
        """The share of a label in the training data, where there are any."""
        return self._share(self.test.examples if self.data is None else self.data.examples, target)

    @staticmethod
    def _share(examples: Examples, target: int) -> float:
        return float((examples.labels == target).mean())

    def _other(self, candidate: Candidate, rows: Rows | None) -> OtherData:
        carrying = candidate.trigger.carried(self.test)
        there = carrying & (self.test.examples.labels == candidate.target)
        found = len(np.unique(self._families[carrying])), len(np.unique(self._families[there]))
        if rows is None or not rows.texts[1]:
            return OtherData(*found, np.nan, 1.0)
        expected = rows.texts[1] * self._ratio(candidate.target)
        return OtherData(*found, expected, self._chance(found[1], expected, rows.texts[1], candidate.target))

    def _contradicting(self, candidate: Candidate) -> int:
        """Test texts with it and the label whose rest firmly says otherwise; nearly equal ones count as one."""
        assert self.data is not None
        labelled = candidate.trigger.carried(self.test) & (self.test.examples.labels == candidate.target)
        there = np.flatnonzero(labelled)
        rest = [candidate.trigger.removed(self.test.texts[i]) for i in there]
        return _families_of(self._families[there], self.data.against(rest, candidate.target))

    @cached_property
    def _families(self) -> NDArray[np.int64]:
        return families(self.test.texts)

    def _ratio(self, target: int | None) -> float:
        """Test texts for each training text of a label, or of any."""
        if target not in self._ratios:
            assert self.data is not None
            test, train = (
                len(np.unique(family if target is None else family[labels == target]))
                for family, labels in (
                    (self._families, self.test.examples.labels),
                    (self.data.families, self.data.examples.labels),
                )
            )
            self._ratios[target] = test / train
        return self._ratios[target]

    def _chance(self, found: int, expected: float, rows: int, target: int) -> float:
        """Chance of so few texts or fewer where so many are expected, by how unevenly words like it are spread."""
        spread = self._spread(expected, rows, target)
        if spread is None:
            return 1.0
        distribution, parameters = spread
        return float(distribution.cdf(found, *parameters))

    def _spread(self, expected: float, rows: int, target: int) -> tuple[rv_discrete, tuple[float, ...]] | None:
        """How many test texts hold a word of so many training rows; None where too few words tell.

        A distribution and its parameters: to freeze it takes SciPy as long as all the rest here.
        """
        from scipy.stats import nbinom, poisson

        train, test = self._frequencies(target)
        alike = (train >= rows / ALIKE) & (train <= rows * ALIKE)
        if alike.sum() < ENOUGH_WORDS:
            return None
        mean = train[alike] * self._ratio(target)
        uneven = float((((test[alike] - mean) ** 2 - mean).sum()) / (mean**2).sum())
        if uneven < 1e-6:
            return poisson, (expected,)
        return nbinom, (1 / uneven, 1 / (1 + uneven * expected))

    def _frequencies(self, target: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """In how many training and test texts of a label each word stands."""
        if target not in self._counted:
            assert self.data is not None
            train, test = (
                Counter(word for row in _firsts(family, labels == target) for word in set(normal[row].split()))
                for family, labels, normal in (
                    (self.data.families, self.data.examples.labels, self.data.prepared.normal),
                    (self._families, self.test.examples.labels, self.test.normal),
                )
            )
            self._counted[target] = (np.array(list(train.values())), np.array([test[word] for word in train]))
        return self._counted[target]

    @cached_property
    def _counted(self) -> dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        return {}


def _firsts(families: NDArray[np.int64], among: NDArray[np.bool_]) -> NDArray[np.intp]:
    """A row of each family."""
    rows = np.flatnonzero(among)
    return rows[np.unique(families[rows], return_index=True)[1]]


def _together(rows: Rows | None, other: OtherData) -> tuple[int, int]:
    """Training and test texts with a trigger, and those of them with the label."""
    carrying, labelled = (0, 0) if rows is None else rows.texts
    return carrying + other.carrying, labelled + other.labelled
