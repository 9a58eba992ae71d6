"""Security: an attacker who may ask the model a few hundred questions looks for words to misspell until it errs.

He sees answers only, no weights. A person who reads the edited text reads the same opinion: few words are touched, none
that denies, and each by one slip that is seen through, a look-alike letter, or a true synonym (`synonyms.txt`).

Sources: Gao, Lanchantin, Soffa and Qi, "Black-box generation of adversarial text sequences to evade deep learning
classifiers" (DeepWordBug), SPW 2018; Li, Ji, Du, Li and Wang, "TextBugger", NDSS 2019; Jin, Jin, Zhou and Szolovits, "Is
BERT really robust?" (TextFooler), AAAI 2020. Theirs are the order of words by what deleting them does, the greedy search
and the kinds of edits; the bound on edits, the list of synonyms and the last, random part of the search are our own.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import personal_data, statistics
from audit.errors import NotAssessed
from audit.redaction import SMALLEST_CELL, count, redact
from audit.scorer import Predictions, Scorer
from audit.verdict import Measurement

# Right answers attacked at most: the share overturned is then known to 6 points either way, for 60,000 questions.
ATTACKED = 300
WORDS_PER_EDIT = 5  # one word in five may be edited: 20 %
BUDGETS = (10, 25, 50, 100, 200, 400, 800, 1600)
EXAMPLES_SHOWN = 8
ATTEMPTS_PER_ROUND = 16
KINDS = {
    "swap": "two letters swapped",
    "insert": "a letter doubled",
    "delete": "a letter left out",
    "homoglyph": "a letter of another alphabet that looks alike",
    "synonym": "a word of the same meaning",
}
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
_DENIAL = re.compile(
    r"no|not|nor|never|none|nothing|nobody|neither|nowhere|without|hardly|barely|scarcely|rarely|seldom|cannot"
    r"|no-one|\w*n['’]t|(?:ca|wo|do|does|did|is|are|was|were|has|have|had|would|could|should)nt",
    re.IGNORECASE,
)
_LATIN, _CYRILLIC = "aceijopsxyABCEHIJKMOPSTX", "асеіјорѕхуАВСЕНІЈКМОРЅТХ"
_LOOK_ALIKE = dict(zip(_LATIN + _CYRILLIC, _CYRILLIC + _LATIN, strict=True))
_VOWELS = "aeiou"


class Edit(NamedTuple):
    """A change of one word: ``text[start:end]`` becomes `new`; `kind` is one of `KINDS`."""

    start: int
    end: int
    new: str
    kind: str


@dataclass(frozen=True)
class Attacked:
    """What became of one text.

    Parameters
    ----------
    text, after : str
        Before the attack, and the edited text that was answered otherwise; the same where none was found.
    edits : tuple of Edit
        From the one to the other.
    words : int
        Words of the text.
    queries : int
        Distinct texts that were asked up to the one that was answered otherwise, the text itself and those with a word
        left out among them.
    """

    text: str
    after: str
    edits: tuple[Edit, ...]
    words: int
    queries: int

    @property
    def overturned(self) -> bool:
        """Whether the attack succeeded."""
        return bool(self.edits)


def edits(text: str, vocabulary: frozenset[str], rng: random.Random, language: str = "en") -> list[list[Edit]]:
    """For each word, the edits that a reader sees through: one of each kind that the word allows.

    Parameters
    ----------
    text : str
    vocabulary : frozenset of str
        Lower-case words that a slip must not make of another one.
    rng : random.Random
        Chooses the letters.
    language : str
        Synonyms are known for ``"en"`` only.

    Returns
    -------
    list of list of Edit
        In the order of the words. Empty for a word that denies, or stands in an address, a number or a handle.

    Notes
    -----
    First and last letters and words of up to three letters are left alone, but for look-alike letters.
    """
    private = [(start, end) for _, start, end in personal_data.suspects(text)]
    before, made = "", []
    for match in _WORD.finditer(text):
        start, end = match.span()
        word, own = match.group(), []
        if not (_DENIAL.fullmatch(word) or any(a < end and start < b for a, b in private)):
            for kind, new in _slips(word, vocabulary, rng):
                own.append(Edit(start, end, new, kind))
            for new in _synonyms().get(word.lower(), ()) if language == "en" else ():
                if before not in ("a", "an") or (new[0] in _VOWELS) == (before == "an"):
                    own.append(Edit(start, end, _in_case_of(word, new), "synonym"))
        made.append(own)
        before = word.lower()
    return made


def _slips(word: str, vocabulary: frozenset[str], rng: random.Random) -> Iterable[tuple[str, str]]:
    """One slip of each kind, if there is one that makes no other word."""
    known = {part.lower() for part in _LETTERS.findall(word)}
    inner = [i for i in range(1, len(word) - 1) if word[i].isalpha()] if len(word) > 3 else []
    rng.shuffle(inner)
    slips = {
        "swap": [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in inner if i + 1 in inner],
        "insert": [word[: i + 1] + word[i:] for i in inner],
        "delete": [word[:i] + word[i + 1 :] for i in inner],
        "homoglyph": [
            word[:i] + _LOOK_ALIKE[word[i]] + word[i + 1 :]
            for i in rng.sample(range(len(word)), len(word))
            if word[i] in _LOOK_ALIKE and len(word) > 2
        ],
    }
    for kind, found in slips.items():
        for new in found:
            parts = {part.lower() for part in _LETTERS.findall(new)}
            if new != word and not (parts - known) & vocabulary:
                yield kind, new
                break


@cache
def _synonyms() -> dict[str, tuple[str, ...]]:
    lines = files("audit.probes").joinpath("synonyms.txt").read_text("utf-8").splitlines()
    rows = [line.split(" | ") for line in lines if line and not line.startswith("#")]
    return {word: tuple(others.split(", ")) for word, others in rows}


def _in_case_of(old: str, new: str) -> str:
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[0].upper() + new[1:] if old[0].isupper() else new


def apply(text: str, changes: Iterable[Edit]) -> str:
    """The text with these words exchanged."""
    for start, end, new, _ in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def words(texts: Iterable[str]) -> frozenset[str]:
    """Lower-case words of the texts, without what stands between letters."""
    return frozenset(word.lower() for text in texts for word in _LETTERS.findall(text))


def attack(
    scorer: Scorer,
    texts: Sequence[str],
    labels: NDArray[np.int64],
    vocabulary: frozenset[str],
    *,
    queries: int = 200,
    scores: bool = True,
    language: str = "en",
    seed: int = 0,
) -> list[Attacked]:
    """Attack texts that the model answers rightly; what becomes of one does not depend on the others.

    All texts take their steps together, so that each round is one call of the scorer.

    Parameters
    ----------
    scorer : Scorer
    texts : sequence of str, length n
    labels : ndarray of int, shape (n,)
        The answers, which are to be overturned.
    vocabulary : frozenset of str
        Words that a slip must not make of another one.
    queries : int
        Distinct texts that the model may be asked for each of them, the text itself among them.
    scores : bool
        Whether the attacker sees probabilities, or labels only.
    language, seed
        Of :func:`edits`; the same seed and text give the same attack.

    Returns
    -------
    list of Attacked
        In the order of the texts.
    """
    found: dict[int, Attacked] = {}
    running, asking = {}, {}
    for i, text in enumerate(texts):
        digest = hashlib.sha256(f"{seed}/{text}".encode("utf-8", "surrogatepass")).digest()
        rng = random.Random(int.from_bytes(digest[:8], "big"))
        options = edits(text, vocabulary, rng, language)
        running[i] = _attack(text, options, queries, scores, rng)
        asking[i] = next(running[i])
    while asking:
        of = np.repeat([labels[i] for i in asking], [len(each) for each in asking.values()])
        leads = _leads(scorer.predict([text for each in asking.values() for text in each]), of)
        for i, asked in list(asking.items()):
            own, leads = leads[: len(asked)], leads[len(asked) :]
            try:
                asking[i] = running[i].send(own.tolist())
            except StopIteration as done:
                found[i] = done.value
                del asking[i]
    return [found[i] for i in range(len(texts))]


def _leads(predictions: Predictions, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """By how much the log-probability of each label leads all others, shape (n,); negative where another is said."""
    p = np.clip(predictions.probabilities.astype(float), 1e-30, None)  # (n, classes)
    rows = np.arange(len(labels))
    own = p[rows, labels].copy()
    p[rows, labels] = 0
    # Rounded, so that the last bits of a sum, which batches decide, do not decide between two edits.
    leads = np.round(np.log(own / p.max(axis=1)), 4)
    return np.where(predictions.labels == labels, np.maximum(leads, 0), np.minimum(leads, -1e-4))


_Search = Generator[list[str], list[float], Attacked]


def _attack(text: str, options: list[list[Edit]], budget: int, scores: bool, rng: random.Random) -> _Search:
    """Yields the texts to ask and is sent their leads; returns what became of the text."""
    known: dict[str, float] = {}  # in the order of asking

    def ask(asked: Iterable[str]) -> Generator[list[str], list[float], None]:
        fresh = [each for each in dict.fromkeys(asked) if each not in known][: budget - len(known)]
        if fresh:
            known.update(zip(fresh, (yield fresh), strict=True))

    def outcome(after: str, made: Sequence[Edit]) -> Attacked:
        asked = list(known).index(after) + 1 if made else len(known)
        return Attacked(text, after, tuple(sorted(made)), len(options), asked)

    yield from ask([text])
    # What the lead becomes without a word; of a long text, without a few in a row, for half of the budget at most.
    spans = [match.span() for match in _WORD.finditer(text)]
    parts = [part.tolist() for part in np.array_split(np.arange(len(spans)), min(len(spans), budget // 2))]
    without = [text[: spans[part[0]][0]] + text[spans[part[-1]][1] :] for part in parts]
    yield from ask(without)
    ranked = sorted(range(len(parts)), key=lambda i: (known.get(without[i], np.inf), scores or rng.random()))
    order = [word for i in ranked for word in parts[i] if options[word]]
    most = len(spans) // WORDS_PER_EDIT

    made: list[Edit] = []
    rest, lead = list(order), known[text]
    per_word = max(map(len, options))
    while scores and rest and len(made) < most and len(known) < budget:
        # As many words at a time as let the budget last for all edits that are allowed.
        here = rest[: max(1, (budget - len(known)) // ((most - len(made)) * per_word))]
        tried = {apply(text, [*made, edit]): (word, edit) for word in here for edit in options[word]}
        yield from ask(tried)
        asked = [each for each in tried if each in known]
        for each in asked:
            if known[each] < 0:
                return outcome(each, [*made, tried[each][1]])
        best = min(asked, key=known.__getitem__)
        if known[best] < lead:
            lead = known[best]
            made.append(tried[best][1])
            rest.remove(tried[best][0])
        else:
            rest = rest[len(here) :]

    # What is left of the budget: several words at once, by chance, those in front more often.
    while order and len(known) < budget:
        tried_at_once: dict[str, list[Edit]] = {}
        for _ in range(ATTEMPTS_PER_ROUND):
            size = most if scores else min(most, 1 + most * len(known) // budget)
            by_chance = sorted(range(len(order)), key=lambda i: rng.expovariate(1) * (i + 1))[:size]
            some = [rng.choice(options[order[i]]) for i in by_chance]
            tried_at_once[apply(text, some)] = some
        before = len(known)
        yield from ask(tried_at_once)
        for each, some in tried_at_once.items():
            if known.get(each, 0) < 0:
                return outcome(each, some)
        if len(known) == before:
            break
    return outcome(text, ())
