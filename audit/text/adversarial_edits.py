"""Edits of one word that a reader sees through: slips of the pen, look-alike letters, true synonyms. No model here.

What an attacker may do to a text so that every person still reads the same opinion. `synonyms.txt` holds the synonyms.

Sources of the kinds: Gao, Lanchantin, Soffa and Qi, "Black-box generation of adversarial text sequences to evade deep
learning classifiers" (DeepWordBug), SPW 2018; Li, Ji, Du, Li and Wang, "TextBugger", NDSS 2019.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

from audit.core.sentences import Sentence
from audit.text import personal_data
from audit.text.characters import HOMOGLYPHS
from audit.text.disturbances.common import apply as exchange
from audit.text.disturbances.common import denies
from audit.text.lists import rows

KINDS: Mapping[str, str] = {
    "swap": Sentence("two letters swapped"),
    "insert": Sentence("a letter doubled"),
    "delete": Sentence("a letter left out"),
    "homoglyph": Sentence("a letter of another alphabet that looks alike"),
    "synonym": Sentence("a word of the same meaning"),
}
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LETTERS = re.compile(r"[^\W\d_]+")
# A slip must not make one of these, even if the test texts do not hold it: pretty, petty; pleasant, peasant.
_OPINIONS = frozenset(
    "ass bad bash beast best better bitter bland blow bold bored boring bother broken cheap cheat cheer complain "
    "complains crap cries cry curse cute daft damn damned dead dear decent dire dull dumb dying evil fail fake "
    "fame famous fan fans fart fat fiend fine flaw flawed fond free fresh friend fun funny glad gory grate grim "
    "gross hate hated hates hearty heaven hell hokey holy honest hot hug hurt ill inane kind lame lied lies "
    "likable lose loser loses losing lost lousy love loved lovely loves mad manic marvellous marvelous mean mess "
    "moral moron morons naive nasty neat nice odd pain pains peasant petty pleasant poor proud pure quit rage "
    "raging rat rave raves raving rot rotten sacred sad sag sappy savage scared scarred sick silly sin sink sinks "
    "sins slow smart sob sore sorry spite spoil stale stuck suck sucks surly sweet tacky tired tough trash trite "
    "trust ugly unlikable vile warm waste weak weary win wins wise wit witty won worn worse worst worth worthy "
    "wrong".split()
)
_LOOK_ALIKE = HOMOGLYPHS | {alike: letter for letter, alike in HOMOGLYPHS.items()}
_VOWELS = "aeiou"


class Edit(NamedTuple):
    """A change of one word: ``text[start:end]`` becomes `new`; `kind` is one of `KINDS`."""

    start: int
    end: int
    new: str
    kind: str

    def __repr__(self) -> str:
        return f"Edit({self.start}, {self.end}, {self.kind!r})"


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
    forbidden = vocabulary | _OPINIONS
    private = [(start, end) for _, start, end in personal_data.suspects(text)]
    before, options = "", []
    for match in WORD.finditer(text):
        start, end = match.span()
        word, own = match.group(), []
        if not (denies(word) or any(a < end and start < b for a, b in private)):
            for kind, new in _slips(word, forbidden, rng):
                own.append(Edit(start, end, new, kind))
            for new in _synonyms().get(word.lower(), ()) if language == "en" else ():
                if before not in ("a", "an") or (new[0] in _VOWELS) == (before == "an"):
                    own.append(Edit(start, end, _in_case_of(word, new), "synonym"))
        options.append(own)
        before = word.lower()
    return options


def _slips(word: str, forbidden: frozenset[str], rng: random.Random) -> Iterable[tuple[str, str]]:
    """One slip of each kind, if there is one that makes no forbidden word."""
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
    for kind, candidates in slips.items():
        for new in candidates:
            parts = {part.lower() for part in _LETTERS.findall(new)}
            if new != word and not (parts - known) & forbidden:
                yield kind, new
                break


@cache
def _synonyms() -> dict[str, tuple[str, ...]]:
    return {word: tuple(others.split(", ")) for word, others in rows("audit.text", "synonyms.txt")}


def _in_case_of(old: str, new: str) -> str:
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new[0].upper() + new[1:] if old[0].isupper() else new


def apply(text: str, changes: Iterable[Edit]) -> str:
    """The text with these words exchanged."""
    return exchange(text, (change[:3] for change in changes))


def vocabulary_of(texts: Iterable[str]) -> frozenset[str]:
    """Lower-case words of the texts, without what stands between letters."""
    return frozenset(word.lower() for text in texts for word in _LETTERS.findall(text))
