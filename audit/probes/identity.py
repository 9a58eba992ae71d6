"""Exchanges words that say a person's gender for their counterparts, with the grammar of English pronouns."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
# Compounds whose last part says the gender; "man-made" is none.
_PREFIX = re.compile(r"(?:(?:ex|step|half|great|grand|foster)-)+", re.IGNORECASE)
# What may follow an object pronoun but no possessive: "I saw her and …" against "I saw her dog".
_AFTER_OBJECT = frozenset(
    "a about after again all already an and any anyway are around as at away back be because been before but by can "
    "could did do does down during each either every feel for from had happy has have he how i if in into is it just "
    "me my myself no nor not now of off on once or our out over really she should since so some than that the their "
    "them then there these they this those though through to today together tomorrow too up upon us very was we well "
    "were what when where whether which while who whom why will with without would yesterday yet you your".split()
)


@cache
def _pairs() -> dict[str, str]:
    """Word to counterpart, both ways; plurals stand in the list."""
    pairs: dict[str, str] = {}
    text = files("audit.probes").joinpath("gender_pairs.txt").read_text("utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            male, female = line.split()
            pairs.setdefault(male, female)
            pairs.setdefault(female, male)
    return pairs


def swap_gender(text: str) -> str:
    """The same text about people of the other gender; unchanged where it mentions none.

    ``her`` becomes ``him`` or ``his`` by what follows it, ``his`` becomes ``her`` or ``hers``. Upper case is kept.

    Examples
    --------
    >>> swap_gender("She gave her husband the book; he liked her.")
    'He gave his wife the book; she liked him.'
    """
    pairs = _pairs()

    def exchange(match: re.Match[str]) -> str:
        word = match.group()
        lower = word.lower()
        if lower == "her":
            other = "his" if _is_possessive(text, match.end()) else "him"
        elif lower == "his":
            other = "her" if _is_possessive(text, match.end()) else "hers"
        else:
            prefix = _PREFIX.match(word) if lower not in pairs else None
            if prefix:
                last = word[prefix.end() :]
                return prefix.group() + _in_case(pairs.get(last.lower(), last), last)
            other = pairs.get(lower, "")
        return _in_case(other, word) if other else word

    return _WORD.sub(exchange, text)


def _is_possessive(text: str, end: int) -> bool:
    following = re.match(r"[ \t]+([A-Za-z']+)", text[end:])
    return bool(following) and following.group(1).lower() not in _AFTER_OBJECT  # type: ignore[union-attr]


def _in_case(word: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
