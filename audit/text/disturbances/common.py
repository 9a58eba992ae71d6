"""What all disturbances share: a change of a text, how many of them a strength asks for, and the lists of words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple, TypeVar

from audit.text import lists

SHARES = {1: 0.05, 2: 0.10, 3: 0.20}
# Negations are never disturbed: an error in one could reverse the meaning.
DENIALS = frozenset(
    "not no nor never none nothing nobody no-one neither nowhere without hardly barely scarcely rarely seldom cannot "
    "cant dont doesnt didnt isnt arent wasnt werent wont wouldnt couldnt shouldnt havent hasnt hadnt".split()
)
T = TypeVar("T")


def denies(word: str) -> bool:
    """Whether a word is a denial, in either spelling of the apostrophe or without it."""
    return word.lower() in DENIALS or word.lower().endswith(("n't", "n’t"))


class Edit(NamedTuple):
    """``text[start:end]`` becomes `new`."""

    start: int
    end: int
    new: str

    def __repr__(self) -> str:
        return f"Edit({self.start}, {self.end})"


def apply(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text with the changes made; they must not overlap."""
    parts, at = [], 0
    for start, end, new in sorted(edits):
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def share_of_words(text: str, strength: int, places: Iterator[T]) -> Iterator[T]:
    """So many of what was found as 5, 10 or 20 % of the text's words are, at least one."""
    return islice(places, max(1, round(SHARES[strength] * len(text.split()))))


def share_of_places(strength: int, places: Sequence[T]) -> Sequence[T]:
    """One of what was found, the larger half, or all."""
    return places[: {1: 1, 2: (len(places) + 1) // 2, 3: len(places)}[strength]]


@cache
def words_of(least: int, letters: str = "A-Za-z") -> re.Pattern[str]:
    """Words of at least so many letters.

    Handles, links, addresses and tags are left out: a reader cannot guess what one of them was before an error. So are
    words of which an apostrophe cuts a part off, since "isn't" must not lose its denial.
    """
    return re.compile(rf"(?<![\w@#/<&\\'’.])[{letters}]{{{least},}}(?![\w@/>&\\;]|['’]\w|\.\w|://)")


@cache
def rows(name: str) -> tuple[tuple[str, ...], ...]:
    """The rows of a word list in this folder."""
    return lists.rows(__package__, name)
