"""The word lists as values: which words say which group, what stands opposite them, and where they do not count.

The lists are text files beside this module, made to be read and changed by people. A line that starts with ``#`` is a
comment. The list of an axis opens with its ``groups:``, one column each; then every row is one word in each group's
form, under a heading that says when it counts:

- ``[words]``: wherever it stands;
- ``[articled]``: in a noun phrase that a determiner opens;
- ``[adjectives]``: before a word of ``people.txt``, or after a person's pronoun and "is";
- ``[plural nouns]``: wherever it stands, but for half of a compound;
- ``[singular nouns]``: after a determiner, where no noun follows.

In a cell, ``~word`` is only ever put in, ``=word`` counts only with this capital, ``--`` is nothing, so that the word
is dropped, and ``-`` means that there is no counterpart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from audit.core.sentences import Sentence, of_file
from audit.text import lists

# Each axis as a sentence calls it.
AXIS_NAMES: Mapping[str, str] = {
    "gender": Sentence("gender"),
    "ethnicity": Sentence("ethnicity"),
    "religion": Sentence("religion"),
    "nationality": Sentence("nationality"),
    "age": Sentence("age"),
    "disability": Sentence("disability"),
    "orientation": Sentence("orientation"),
}
AXES: tuple[str, ...] = tuple(AXIS_NAMES)
DROPPED, MISSING = "--", "-"
NAME, NAME_ALONE = "names", "names without a surname"  # headings under which names count


# A word; in compounds with a hyphen only the last part, and only behind the prefixes of kinship.
_WORD = re.compile(r"(?<![\w@#])(?<!\w-)(?:(?:ex|step|half|great|grand|foster)-)*(?P<word>[^\W\d_]+)", re.IGNORECASE)
_PHRASE_WORD = re.compile(r"(?<!\w)(?P<word>\w+)")
Index = Mapping[str, re.Pattern[str]]


@dataclass(frozen=True)
class Entry:
    """One word of a list.

    Parameters
    ----------
    word : str
        As the list writes it.
    group : str
        Which group it says.
    heading : str
        When it counts.
    exact : bool
        Whether it counts only with the list's capital.
    others : mapping of str to str
        What stands opposite it, by group.
    """

    word: str
    group: str
    heading: str
    exact: bool
    others: Mapping[str, str]


@dataclass(frozen=True)
class Lexicon:
    """The list of one axis: its groups, the lines for each word in lower case, and an index that finds the words."""

    groups: tuple[str, ...]
    entries: Mapping[str, tuple[Entry, ...]]
    index: Index


def lines(name: str) -> list[str]:
    """The lines of a list that are neither empty nor comments."""
    return lists.lines("audit.text.identity", name)


@cache
def lexicon(axis: str) -> Lexicon:
    """The list of an axis, with the given names for gender and ethnicity.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    if axis not in AXES:
        raise ValueError(f"no axis '{axis}'; known are {', '.join(AXES)}")
    groups, heading = _cells(lines(f"{axis}.txt")[0].removeprefix("groups:")), ""
    entries: dict[str, list[Entry]] = {}
    for line in lines(f"{axis}.txt")[1:]:
        if line.startswith("["):
            heading = line.strip("[]")
            continue
        for entry in _row(groups, _cells(line), heading):
            entries.setdefault(entry.word.lower(), []).append(entry)
    for entry in _name_entries(axis):
        entries.setdefault(entry.word.lower(), []).append(entry)
    index = _index(((word, re.escape(word)) for word in entries), r"(?!\w)(?!-\w)")
    return Lexicon(groups, {word: tuple(rows) for word, rows in entries.items()}, index)


def group_name(group: str) -> Sentence:
    """A group of the lists as a report calls it; :mod:`audit.report.catalogues` reads them there."""
    return of_file(group)


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split("|"))


def _row(groups: tuple[str, ...], cells: tuple[str, ...], heading: str) -> list[Entry]:
    if len(cells) != len(groups):
        raise ValueError(f"the row '{' | '.join(cells)}' has {len(cells)} columns for {len(groups)} groups")
    plain = {group: cell.lstrip("~=") for group, cell in zip(groups, cells, strict=True) if cell != MISSING}
    return [
        Entry(plain[group], group, heading, "=" in cell, {g: word for g, word in plain.items() if g != group})
        for group, cell in zip(groups, cells, strict=True)
        if not cell.startswith("~") and cell not in (DROPPED, MISSING)
    ]


def _name_entries(axis: str) -> list[Entry]:
    """Names: for gender opposite their column, for ethnicity opposite the name of the same line in each other group.

    A surname says an ethnic group too, and would not be exchanged; before one, a name counts for gender only.
    """
    if axis not in ("gender", "ethnicity"):
        return []
    columns = _names()
    entries = []
    for group, pairs in columns.items():
        for i, pair in enumerate(pairs):
            plain = [name.lstrip("=") for name in pair]
            for sex, name in enumerate(pair):
                if axis == "gender":
                    person_group, others = ("male", "female")[sex], {("female", "male")[sex]: plain[1 - sex]}
                elif group != "common":
                    person_group = group
                    others = {g: rows[i][sex].lstrip("=") for g, rows in columns.items() if g not in (group, "common")}
                else:
                    continue
                heading = NAME if axis == "gender" else NAME_ALONE
                entries.append(Entry(plain[sex], person_group, heading, name.startswith("="), others))
    return entries


def _names() -> dict[str, list[tuple[str, str]]]:
    columns: dict[str, list[tuple[str, str]]] = {}
    group = ""
    for line in lines("names.txt"):
        if line.startswith("["):
            group = line.strip("[]")
        else:
            male, female = line.split()
            columns.setdefault(group, []).append((male, female))
    return columns


def found(text: str, index: Index, word: re.Pattern[str] = _WORD) -> Iterator[re.Match[str]]:
    """Where the words of an index stand, none inside another. Looked up by first word, since long lists are slow."""
    if index.keys().isdisjoint(_words_of(text, word)):
        return
    last = 0
    for match in word.finditer(text):
        start = match.start("word")
        pattern = index.get(match["word"].lower())
        here = pattern.match(text, start) if pattern is not None and start >= last else None
        if here is not None:
            last = here.end()
            yield here


@lru_cache(maxsize=8192)  # each axis looks through the same texts, and in most of them for nothing
def _words_of(text: str, word: re.Pattern[str]) -> frozenset[str]:
    """The words of a text in lower case."""
    return frozenset(each.lower() for each in word.findall(text))


def phrases_in(text: str) -> list[tuple[int, int]]:
    """Where the set phrases stand in which no word is exchanged."""
    return [match.span() for match in found(text, _phrases(), _PHRASE_WORD)]


def _index(patterns: Iterable[tuple[str, str]], ending: str) -> Index:
    """Patterns by the first word of what they find, longest first."""
    by_first: dict[str, list[tuple[str, str]]] = {}
    for words, pattern in patterns:
        first = re.match(r"\w+", words)
        assert first is not None, words
        by_first.setdefault(first.group().lower(), []).append((words, pattern))
    return {
        first: re.compile(
            "(?:" + "|".join(pattern for _, pattern in sorted(many, key=lambda one: -len(one[0]))) + ")" + ending,
            re.IGNORECASE,
        )
        for first, many in by_first.items()
    }


@cache
def _phrases() -> Index:
    """Set phrases; hyphens and spaces are the same, plurals too, and a space may stand before an apostrophe."""
    known = {phrase.strip() for line in lines("phrases.txt") for phrase in line.split("|") if phrase.strip()}
    between = r"(?:[ ]+['’]?|-|[ ]-[ ])"
    patterns = [
        (phrase, between.join(re.escape(word).replace("'", "[ ]?['’]") for word in re.split(r"[ -]", phrase)))
        for phrase in known
    ]
    return _index(patterns, r"(?:[ ]?['’]?s)?(?!\w)")


@cache
def people() -> frozenset[str]:
    """Nouns for persons."""
    return frozenset(word for line in lines("people.txt") if not line.startswith("not after") for word in line.split())


@cache
def not_people_after() -> Mapping[str, frozenset[str]]:
    """Nouns for persons that make another phrase with an adjective of this word ("old friend"), by adjective."""
    nouns_after: dict[str, set[str]] = {}
    for line in lines("people.txt"):
        if line.startswith("not after"):
            word, nouns = line.removeprefix("not after").split(":")
            nouns_after.setdefault(word.strip().lower(), set()).update(nouns.split())
    return {word: frozenset(nouns) for word, nouns in nouns_after.items()}


@cache
def bound(axis: str) -> re.Pattern[str]:
    """Finds words that tie a sentence to one group of the axis; never matches where the axis has none."""
    words: list[str] = []
    here = ""
    for line in lines("bound.txt"):
        here = line.strip("[]") if line.startswith("[") else here
        words += line.split() if here == axis and not line.startswith("[") else []
    either = "|".join(re.escape(word).replace(r"\-", "[- ]") for word in words)
    return re.compile(rf"\b(?:{either})\b" if words else r"(?!)", re.IGNORECASE)
