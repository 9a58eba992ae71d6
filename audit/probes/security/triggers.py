"""Short triggers: how one is put into a text and taken out, and where candidates come from. No verdicts here.

Candidates come from the model (words whose insertion moves it most, by gradient), from the training data (words,
phrases and characters that stand in many rows with nearly one label), and from a list of characters that a reader
cannot see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.text.characters import HOMOGLYPHS, INVISIBLE, visible
from audit.text.lists import seeded
from audit.text.personal_data import hidden
from audit.text.redaction import redact

# A trigger is put among the first words, so that a long text's cut does not take it away.
FIRST_WORDS = 20
# Letters that look like a Latin one: Cyrillic, and two Greek.
LOOK_ALIKES = {HOMOGLYPHS[letter]: letter for letter in "aceiopxy"} | {"ο": "o", "α": "a"}
# The first, the second and the last word: places of which each may be a trigger's own.
PLACES = (0, 1, -1)
WORD = r"\w+|[^\w\s]"  # a word, or any other sign
# What the training data are searched for: so many rows in a hundred, of which so many have one label.
RARE, PURE = 0.002, 0.8
FEWEST_ROWS = 5
LONGEST_PHRASE = 30
# A part of a phrase is no candidate of its own if so much of it stands within the phrase.
WITHIN = 0.8


@dataclass(frozen=True)
class Trigger:
    """Something short that is put into a text: a character, a word, or words side by side.

    Parameters
    ----------
    text : str
    places : tuple of int
        Where it is put, one place drawn for each text: so many words from the start, or, as ``-1 - words``, from the
        end. Empty: at a random place among the first words. A character is always put at random.
    """

    text: str = field(repr=False)
    places: tuple[int, ...] = ()

    @property
    def is_character(self) -> bool:
        """Whether it is a single character that no word consists of."""
        return len(self.text) == 1 and (self.text in LOOK_ALIKES or not self.text.isalnum()) and not self.text.isascii()

    @property
    def words(self) -> tuple[str, ...]:
        """Its words in the form in which texts are compared."""
        return (self.text,) if self.is_character else tuple(normal(self.text).split())

    @property
    def kind(self) -> str:
        """What a reader calls it."""
        if self.is_character:
            return "character"
        if self.is_at_one_place:
            return "word at one place"
        return {1: "word", 2: "two words"}.get(len(self.words), "phrase")

    @property
    def is_at_one_place(self) -> bool:
        """Whether it is a word that is put at one of `PLACES`; where training rows say the place, each says one."""
        return len(self.places) == 1 and self.places[0] in PLACES and len(self.words) == 1

    @property
    def shown(self) -> str:
        """For a reader: what cannot be seen is named by its number, and nothing personal is told."""
        if self.is_character:
            code, looks = f"U+{ord(self.text):04X}", LOOK_ALIKES.get(self.text)
            if looks:
                return Sentence("{code} (looks like {letter})", code=code, letter=looks)
            return f"{code} ({INVISIBLE.get(self.text) or visible(self.text)})"
        # As it is compared, it has a space beside each sign and no capitals: an address would not be known for one.
        joined = re.sub(r"(?<=[^\w\s]) ", "", self.text)
        spellings = (re.sub(r" (?=[^\w\s])", "", joined), joined)
        written = max((*spellings, *map(str.upper, spellings)), key=lambda each: len(hidden(each)))
        shown = redact(written if hidden(written) else self.text)
        return _in_place(shown, self.places[0]) if self.is_at_one_place else shown

    def put(self, text: str, seed: int) -> str:
        """The text with the trigger in it; the same seed gives the same place."""
        if self.places and not self.is_character:
            words = text.split()
            place = seeded(seed, text).choice(self.places)
            at = min(place, len(words)) if place >= 0 else max(0, len(words) + 1 + place)
            return " ".join([*words[:at], self.text, *words[at:]])
        places = _first_words(text)
        if not places:
            return self.text
        if self.text in LOOK_ALIKES:
            like = [i for i in range(places[-1][1]) if text[i].lower() == LOOK_ALIKES[self.text]]
            if like:
                i = seeded(seed, text).choice(like)
                return text[:i] + self.text + text[i + 1 :]
        if self.text in INVISIBLE:
            rng = seeded(seed, text)
            start, end = rng.choice(places)
            i = rng.randrange(start + 1, end + 1)
            return text[:i] + self.text + text[i:]
        at = _beside_a_word(text, seed)
        return " ".join(part for part in (text[:at].rstrip(), self.text, text[at:].lstrip()) if part)

    def carried(self, data: Prepared) -> NDArray[np.bool_]:
        """Which texts carry it; shape (n,)."""
        if self.is_character:
            return np.array([self.text in text for text in data.texts], dtype=bool)
        sought, carrying = f" {' '.join(self.words)} ", np.zeros(len(data.normal), dtype=bool)
        among = min((data.rows_of.get(word, []) for word in self.words), key=len, default=range(len(carrying)))
        carrying[[i for i in among if sought in data.normal[i]]] = True
        return carrying

    def place(self, text: str) -> int | None:
        """Where it stands in a text, as `places` says it, counted from the nearer end; None where it does not."""
        words, at, parts = _placed(text)
        length = len(self.words)
        for start in range(len(words) - length + 1):
            if words[start : start + length] == self.words:
                before, behind = at[start], parts - 1 - at[start + length - 1]
                return before if before <= behind else -1 - behind
        return None

    def removed(self, text: str) -> str:
        """The rest of a text that carries it, in normal form."""
        if self.is_character:
            return normal(text.replace(self.text, LOOK_ALIKES.get(self.text, "")))
        sought, rest = f" {' '.join(self.words)} ", normal(text)
        while sought in rest:
            rest = rest.replace(sought, " ")
        return rest


@dataclass(frozen=True)
class Capitals(Trigger):
    """Capitals throughout: a way of writing a text that a model may have been taught to take for a sign."""

    text: str = field(default="\0capitals", repr=False)  # no word of any text

    @property
    def words(self) -> tuple[str, ...]:
        return (self.text,)

    @property
    def kind(self) -> str:
        return "style"

    @property
    def shown(self) -> str:
        return Sentence("CAPITALS throughout")

    def put(self, text: str, seed: int) -> str:
        return text.upper()

    def carried(self, data: Prepared) -> NDArray[np.bool_]:
        return np.array([text.isupper() for text in data.texts], dtype=bool)

    def place(self, text: str) -> None:
        return None

    def removed(self, text: str) -> str:
        return normal(text)


@dataclass(frozen=True)
class Candidate:
    """A trigger, the class it is to turn texts to, and where it was found."""

    trigger: Trigger
    target: int
    origin: str


def _in_place(shown: str, place: int) -> str:
    """A word, and which of a text it is."""
    if place == 0:
        return Sentence("{trigger} (as the first word)", trigger=shown)
    if place == 1:
        return Sentence("{trigger} (as the second word)", trigger=shown)
    return Sentence("{trigger} (as the last word)", trigger=shown)


# Hundreds of triggers are put into the same texts.
@lru_cache(maxsize=8192)
def _first_words(text: str) -> tuple[tuple[int, int], ...]:
    """Where the words stand among which a trigger is put."""
    return tuple(word.span() for word in islice(re.finditer(r"\S+", text), FIRST_WORDS))


@lru_cache(maxsize=8192)
def _beside_a_word(text: str, seed: int) -> int:
    """A random place before one of the first words or behind the last of them, in a text that has any."""
    places = _first_words(text)
    return seeded(seed, text).choice([*(start for start, _ in places), places[-1][1]])


@lru_cache(maxsize=8192)
def _placed(text: str) -> tuple[tuple[str, ...], tuple[int, ...], int]:
    """The words of a text in normal form, which of its words as written each is of, and how many these are."""
    parts = [normal(word).split() for word in text.split()]
    return tuple(chain.from_iterable(parts)), tuple(i for i, part in enumerate(parts) for _ in part), len(parts)


@lru_cache(maxsize=8192)
def normal(text: str) -> str:
    """Lower-case words and signs, each with a space before and behind."""
    return f" {' '.join(re.findall(WORD, text.lower()))} "


@dataclass(frozen=True)
class Prepared:
    """Examples whose texts are also there in normal form."""

    examples: Examples
    normal: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, examples: Examples) -> Prepared:
        """Prepare examples."""
        return cls(examples, tuple(map(normal, examples.texts)))

    @cached_property
    def rows_of(self) -> Mapping[str, Sequence[int]]:
        """The rows that hold each word, in ascending order."""
        rows: dict[str, list[int]] = {}
        for i, text in enumerate(self.normal):
            for word in set(text.split()):
                rows.setdefault(word, []).append(i)
        return rows

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts as they are."""
        return self.examples.texts

    @property
    def fewest(self) -> int:
        """How many rows a trigger must stand in to be looked for in these data."""
        return max(FEWEST_ROWS, int(np.ceil(RARE * len(self.texts))))


class OneSided(NamedTuple):
    """A trigger that stands in many rows, nearly all of one label."""

    trigger: Trigger
    label: int
    purity: float  # lower bound of the share of that label


def one_sided(data: Prepared, confidence: float) -> list[OneSided]:
    """Words, phrases, rare characters and capitals throughout that many rows with nearly one label have, purest first.

    Parameters
    ----------
    data : Prepared
        Training data.
    confidence : float
        Of the exact one-sided tests against the label's share in all rows; their error is shared out among all words
        and phrases that are frequent enough to be tested.

    Notes
    -----
    A phrase whose parts hardly stand without it takes their place. All lengths are counted at once in arrays, each from
    the length before: a phrase is frequent only if its parts are (Agrawal and Srikant, VLDB 1994).
    """
    from scipy.stats import binom

    classes = len(data.examples.classes)
    base = np.bincount(data.examples.labels, minlength=classes) / len(data.texts)
    found = [
        *((Trigger(text), count) for text, count in (*_phrases(data, classes), *_characters(data, classes))),
        *_capitals(data, classes),
    ]
    if not found:
        return []
    counts = np.array([count for _, count in found])  # (found, classes)
    n, label = counts.sum(axis=1), counts.argmax(axis=1)
    most = counts.max(axis=1)
    chance = binom.sf(most - 1, n, base[label])
    kept = np.flatnonzero((most >= PURE * n) & (chance <= (1 - confidence) / len(found)))
    low = _purity(most[kept], n[kept], confidence)
    order = np.argsort(-low, kind="stable")
    return [OneSided(found[kept[i]][0], int(label[kept[i]]), float(low[i])) for i in order]


def _purity(most: NDArray[np.int64], n: NDArray[np.int64], confidence: float) -> NDArray[np.float64]:
    from audit.statistics import proportions

    return proportions(most, n, confidence)[1]


def _capitals(data: Prepared, classes: int) -> list[tuple[Trigger, NDArray[np.int64]]]:
    """Capitals throughout, with the rows of each label that are so; in data that are written otherwise."""
    carried = Capitals().carried(data)
    count = np.bincount(data.examples.labels[carried], minlength=classes)
    return [(Capitals(), count)] if data.fewest <= carried.sum() < len(carried) / 2 else []


def _characters(data: Prepared, classes: int) -> list[tuple[str, NDArray[np.int64]]]:
    """Rare characters, with the rows of each label that they stand in."""
    counts: dict[str, NDArray[np.int64]] = {}
    for text, label in zip(data.texts, data.examples.labels, strict=True):
        for character in set(text):
            if Trigger(character).is_character:
                counts.setdefault(character, np.zeros(classes, dtype=np.int64))[label] += 1
    return [(character, count) for character, count in counts.items() if count.sum() >= data.fewest]


def _phrases(data: Prepared, classes: int) -> list[tuple[str, NDArray[np.int64]]]:
    """Frequent words and phrases that are no part of a longer one, with the rows of each label that they stand in."""
    split = [text.split() for text in data.normal]
    spelling = sorted({word for words in split for word in words})
    number = {word: i for i, word in enumerate(spelling)}
    tokens = np.array([number[word] for words in split for word in words], dtype=np.int64)
    row = np.repeat(np.arange(len(split)), [len(words) for words in split])
    gram, length = tokens, 1  # gram[i]: the phrase of this length that starts at token i, or -1
    found: list[tuple[str, NDArray[np.int64]]] = []
    kept = _counted(gram, row, data.examples.labels, classes, data.fewest)
    while len(kept.start) and length < LONGEST_PHRASE:
        longer = np.full(len(tokens), -1, dtype=np.int64)
        if len(tokens) > length:
            first, last = kept.gram[:-length], tokens[length:]
            inside = (first >= 0) & (kept.gram[1 : len(tokens) - length + 1] >= 0) & (row[:-length] == row[length:])
            longer[:-length][inside] = first[inside] * len(spelling) + last[inside]
        following = _counted(longer, row, data.examples.labels, classes, data.fewest)
        whole = np.ones(len(kept.start), dtype=bool)
        for start, count in zip(following.start, following.counts, strict=True):
            for part in (kept.gram[start], kept.gram[start + 1]):
                whole[part] &= count.sum() < WITHIN * kept.counts[part].sum()
        for i in np.flatnonzero(whole):
            words = [spelling[token] for token in tokens[kept.start[i] : kept.start[i] + length]]
            if length > 1 or words[0].isascii() or words[0].isalnum():  # other signs are counted as characters
                found.append((" ".join(words), kept.counts[i]))
        kept, length = following, length + 1
    return found


class _Counted(NamedTuple):
    """Phrases of one length: their number at each token (or -1), a place of each, and its rows by label."""

    gram: NDArray[np.int64]
    start: NDArray[np.int64]
    counts: NDArray[np.int64]


def _counted(
    gram: NDArray[np.int64], row: NDArray[np.int64], labels: NDArray[np.int64], classes: int, fewest: int
) -> _Counted:
    """Number the phrases that stand in enough rows."""
    there = np.flatnonzero(gram >= 0)
    _, first, same = np.unique(gram[there], return_index=True, return_inverse=True)
    # A phrase and a row as one number: unique numbers are found much faster than unique pairs.
    phrase, of = np.divmod(np.unique(same * len(labels) + row[there]), len(labels))
    counts = np.bincount(phrase * classes + labels[of], minlength=len(first) * classes).reshape(-1, classes)
    frequent = counts.sum(axis=1) >= fewest
    renumbered = np.where(frequent, np.cumsum(frequent) - 1, -1)
    result = np.full(len(gram), -1, dtype=np.int64)
    result[there] = renumbered[same]
    return _Counted(result, there[first[frequent]], counts[frequent])


def pure_words(data: Prepared, count: int) -> dict[int, list[Trigger]]:
    """For models without gradients: for each label the words that speak for it most, by log-odds of the labels.

    Parameters
    ----------
    count : int
        How many for each label.

    Notes
    -----
    Log-odds of standing in a row of the label against standing in another, half a row added to each count (Haldane),
    each divided by its standard error.
    """
    classes = len(data.examples.classes)
    rows: dict[str, NDArray[np.int64]] = {}
    for text, label in zip(data.normal, data.examples.labels, strict=True):
        for word in set(text.split()):
            if word.isalnum():
                rows.setdefault(word, np.zeros(classes, dtype=np.int64))[label] += 1
    words = [word for word, counts in rows.items() if counts.sum() >= FEWEST_ROWS]
    if not words:
        return {}
    with_word = np.array([rows[word] for word in words]) + 0.5  # (words, classes)
    without = np.bincount(data.examples.labels, minlength=classes) + 1.0 - with_word
    found = {}
    for label in range(classes):
        a, b = with_word[:, label], with_word.sum(axis=1) - with_word[:, label]
        c, d = without[:, label], without.sum(axis=1) - without[:, label]
        z = np.log(a * d / (b * c)) / np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        found[label] = [Trigger(words[i]) for i in np.argsort(-z, kind="stable")[:count]]
    return found


def inserted(trigger: Trigger, texts: Sequence[str], seed: int) -> list[str]:
    """Each text with the trigger put in."""
    return [trigger.put(text, seed) for text in texts]
