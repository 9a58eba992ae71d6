"""Exchanges words that say who a text is about for those of another group, and finds whom a text mentions.

Gender, ethnicity, religion, nationality, age, disability and orientation. The words stand in text files beside this
module (``lexicon.py`` says how to read them), the grammar in ``context.py``. Where it is doubtful whether a word says a
person's identity, the text is left as it is: a text that is not exchanged costs a little evidence, one that turns into
nonsense makes false evidence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

from audit.text.identity import context
from audit.text.identity.lexicon import (
    AXES,
    AXIS_NAMES,
    DROPPED,
    NAME,
    NAME_ALONE,
    Entry,
    bound,
    found,
    group_name,
    lexicon,
    lines,
    phrases_in,
)

__all__ = [
    "AXES",
    "AXIS_NAMES",
    "Mention",
    "Swap",
    "group_name",
    "groups",
    "mentions",
    "persons",
    "swap",
    "swap_gender",
    "swaps",
    "templates",
]

# Of a person, as far as one can tell: not "it is 30 years old", and not a 20-year-old film.
_AGE = re.compile(
    r"\b(?P<years>[1-9]\d)(?P<rest>[- ]year[- ]old)\b"
    r"(?! (?:film|movie|series|show|classic|book|novel|story|song|tape|wine|whisky|house|building|car|game))",
    re.IGNORECASE,
)
# Axes on which a text is rather about the groups themselves.
_NAMED_ONCE = frozenset({"religion", "orientation"})
YOUNGEST, OLDEST_YOUNG, BETWEEN = 18, 39, 45  # a grown-up of 18 to 39 becomes one of 63 to 84, and back
_ARTICLE = re.compile(r"\b(?P<a>[Aa])n?[ ]$")
# Begins with a vowel letter but not with a vowel sound.
_LIKE_Y = re.compile(r"(?:eu|uni|use|one\b)", re.IGNORECASE)


class Mention(NamedTuple):
    """A word that says a person's identity.

    Parameters
    ----------
    start, end : int
        Where it stands.
    word : str
        As the list writes it.
    group : str
        Which group it says.
    others : mapping of str to str
        What stands opposite it here, by group.
    """

    start: int
    end: int
    word: str
    group: str
    others: Mapping[str, str]


class Swap(NamedTuple):
    """A text about people of another group."""

    text: str
    group_from: str
    group_to: str

    def __repr__(self) -> str:
        return f"Swap({self.group_from!r}, {self.group_to!r})"


def groups(axis: str) -> tuple[str, ...]:
    """The groups of an axis, in the order of its list."""
    return lexicon(axis).groups


def mentions(text: str, axis: str) -> tuple[Mention, ...]:
    """The words of a text that say whom it is about, in their order; set phrases and titles are passed over.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    words, hits = lexicon(axis), []
    matches = list(found(text, words.index))
    taken = phrases_in(text) if matches else []
    for match in matches:
        start, end = match.span()
        if any(start < last and first < end and not start <= first < last <= end for first, last in taken):
            continue
        entry = _entry(text, start, end, words.entries[match.group().lower()])
        if entry is not None:
            hits.append(Mention(start, end, entry.word, entry.group, _others(text, start, end, entry)))
    if axis == "age":
        hits += _ages(text)
    return tuple(sorted(hits, key=lambda mention: mention.start))


def swaps(text: str, axis: str) -> tuple[Swap, ...]:
    """The text about people of each other group; empty where it mentions nobody, or no exchange leaves its meaning.

    The group that is mentioned first changes places with each other one that has a counterpart for all of its words.

    Examples
    --------
    >>> [swap.text for swap in swaps("An old man and a young woman.", "age")]
    ['A young man and an old woman.']
    """
    hits = mentions(text, axis)
    if not hits or bound(axis).search(text):
        return ()
    first = hits[0].group
    left = _left_over(text, axis, hits)
    exchanges = [
        (other, _exchanged(text, hits, first, other))
        for other in groups(axis)
        if other != first and not left & {first, other}
    ]
    return tuple(Swap(new, first, other) for other, new in exchanges if new is not None and new != text)


def swap(text: str, axis: str) -> str:
    """The text about people of another group, always the same one for the same text; unchanged where there is none.

    Of several groups one is chosen by a hash of the text, so that over many texts each has its share.
    """
    exchange = chosen(text, axis)
    return exchange.text if exchange else text


def chosen(text: str, axis: str) -> Swap | None:
    """The one of :func:`swaps` that :func:`swap` takes."""
    exchanges = swaps(text, axis)
    if not exchanges:
        return None
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return exchanges[int.from_bytes(digest[:4], "big") % len(exchanges)]


def swap_gender(text: str) -> str:
    """The same text about people of the other gender; unchanged where it mentions none.

    ``her`` becomes ``him`` or ``his`` by what follows it, ``his`` becomes ``her`` or ``hers``. Upper case is kept.

    Examples
    --------
    >>> swap_gender("She gave her husband the book; he liked her.")
    'He gave his wife the book; she liked him.'
    """
    return swap(text, "gender")


def templates() -> tuple[str, ...]:
    """Sentences with the slot ``{person}`` for texts that the user's own data do not contain."""
    return tuple(line for line in lines("templates.txt") if not line.startswith("["))


def persons(axis: str) -> tuple[dict[str, str], ...]:
    """What is put into the slot: the same person in each group of the axis, one mapping a person."""
    rows: list[dict[str, str]] = []
    here, columns = "", []
    for line in lines("persons.txt"):
        head, colon, rest = line.partition(":")
        if colon and head in AXES:
            here, columns = head, [cell.strip() for cell in rest.split("|")]
        elif here == axis:
            rows.append(dict(zip(columns, (cell.strip() for cell in line.split("|")), strict=True)))
    return tuple(rows)


def _entry(text: str, start: int, end: int, entries: tuple[Entry, ...]) -> Entry | None:
    """The first line of the list that counts here; her and his each have two, and grammar chooses."""
    return next((entry for entry in entries if context.counts(text, start, end, entry)), None)


def _others(text: str, start: int, end: int, entry: Entry) -> Mapping[str, str]:
    word = entry.word.lower()
    if word == "her":
        return {"male": "his" if context.is_possessive(text, start, end) else "him"}
    if word == "his":
        return {"female": "her" if context.is_possessive(text, start, end) else "hers"}
    if DROPPED in entry.others.values() and not context.may_be_dropped(text, start, end):
        return {group: other for group, other in entry.others.items() if other != DROPPED}
    return entry.others


def _left_over(text: str, axis: str, hits: tuple[Mention, ...]) -> frozenset[str]:
    """Groups that cannot be exchanged, because the text names them in other ways too and would contradict itself.

    A name that stays where a surname follows; for religion and orientation any word of the list ("a Jewish story about
    Christians"). Other axes bear it: an American film about a German man is one about a Polish man as well.
    """
    starts, words = {mention.start for mention in hits}, {mention.word for mention in hits}
    lists = lexicon(axis)
    rest = [match.group() for match in found(text, lists.index) if match.start() not in starts]
    if axis in _NAMED_ONCE and rest:
        return frozenset(lists.groups)
    names = [entry for word in rest if word in words for entry in lists.entries[word.lower()]]
    return frozenset(entry.group for entry in names if entry.heading in (NAME, NAME_ALONE))


def _ages(text: str) -> list[Mention]:
    """Ages of grown-ups in years: a fixed number of years is added or taken, so that twice is the original."""
    hits = []
    for match in _AGE.finditer(text):
        years, rest = int(match["years"]), match["rest"]
        if YOUNGEST <= years <= OLDEST_YOUNG:
            hits.append(Mention(*match.span(), match.group(), "young", {"old": f"{years + BETWEEN}{rest}"}))
        elif YOUNGEST + BETWEEN <= years <= OLDEST_YOUNG + BETWEEN:
            hits.append(Mention(*match.span(), match.group(), "old", {"young": f"{years - BETWEEN}{rest}"}))
    return hits


def _exchanged(text: str, hits: tuple[Mention, ...], one: str, other: str) -> str | None:
    """The text with two groups in each other's places; None where a word has no counterpart."""
    target = {one: other, other: one}
    result, at = "", 0
    for mention in hits:
        if mention.group not in target:
            continue
        new = mention.others.get(target[mention.group])
        if new is None:
            return None
        result, at = result + text[at : mention.start], mention.end
        if new == DROPPED:
            # The space after it goes too, and the next word takes its place and its capital.
            at += 2
            new = text[at - 1]
        new = _in_case(new, text[mention.start : mention.end], mention.word, text.islower())
        result = _with_article(result, new + text[at : at + 10]) + new
    return result + text[at:]


def _with_article(before: str, following: str) -> str:
    """The text so far with "a" or "an" as the next word asks; nothing else is touched."""
    article = _ARTICLE.search(before)
    if not article:
        return before
    vowel = following[:1].lower() in "aeiou" and not _LIKE_Y.match(following)
    return f"{before[: article.start()]}{article['a']}{'n' if vowel else ''} "


def _in_case(new: str, old: str, listed: str, lower: bool) -> str:
    """The new word with the capitals of the old one, as far as they are not those of the list itself."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    if lower or (old.islower() and not listed.islower()):
        return new.lower()
    return new[0].upper() + new[1:] if old[0].isupper() and listed.islower() else new
