"""Cues: what a text carries beside what it says: ratings, handles, links, markup, marks, names, set phrases, length.

None of them is a reason for a label. How each is found in a text and taken out of it; which of them a model goes by is
measured elsewhere. Words are none, but for names and for phrases that stand nowhere but at the beginning or the end:
whatever reads as an opinion, or denies one, by ``praise.txt``, ``blame.txt`` and ``opinion.txt`` is left out, and so
are all words of other languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

from audit.core.sentences import Sentence
from audit.text import lists

# Kinds in the order in which one is kept of two that the same texts have, and what a reader calls them.
KINDS = {
    "rating": Sentence("rating"),
    "handle": Sentence("handle"),
    "hashtag": Sentence("hashtag"),
    "link": Sentence("link"),
    "markup": Sentence("markup"),
    "name": Sentence("name"),
    "opening": Sentence("opening words"),
    "closing": Sentence("closing words"),
    "mark": Sentence("punctuation"),
    "length": Sentence("length"),
}
_LONGEST_PHRASE, _LONGEST_END = 4, 120  # words, characters
# Of the texts with a phrase so many have it at the same end, or it is a phrase like any other.
BOUND = 0.8
# Of the texts with a name so many at most have it in small letters too.
_SMALL = 0.2
_SCALE = r"(?:10|100|5|4|five|ten)"
_NUMBER = r"\d{1,3}(?:[.,]\d+)?"
_COUNT = rf"(?:{_NUMBER}|zero|one|two|three|four|five|six|seven|eight|nine|ten)"
_RATING = re.compile(
    rf"(?<![\w/.,])(?:(?P<value>{_COUNT})\s?(?:/|\bout\s+of\b)\s?(?P<scale>{_SCALE})(?![\w/])"
    rf"|(?P<stars>{_COUNT})[\s-]stars?\b)|(?P<signs>[★☆]{{2,}}|(?<![\w*])\*{{2,5}}(?![\w*]))",
    re.IGNORECASE,
)
_WORDS_OF_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_LINK = re.compile(r"(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@.])@\w+")
_HASHTAG = re.compile(r"(?<![\w#&])#(?=\w*[^\W\d_])\w+")
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,200}>|&(?:[A-Za-z]{2,8}|#\d{1,6});")
# Signs of a feeling are no cue.
_EMOTICON = re.compile(r"[:;=][-'^]?[()DPpOo/\\|*\[\]]|[()\[\]][-'^]?[:;=](?!\w)|<3|\^_*\^")
_MARK = re.compile(r"([!?.,;:()\"“”*~+=|\[\]{}…—–])\1*|(?<!\w)-+(?!\w)")
# A word with a capital and others that follow, not at the beginning of a sentence.
_NAME_WORD = r"(?!I\b)[^\W\d_a-z]\w*(?:[.'’&-]\w+)*"
_NAME = re.compile(rf"(?<=[\w,;)’'] ){_NAME_WORD}(?: {_NAME_WORD})*")
_TOKEN = re.compile(r"\w+")
_PHRASE = re.compile(r"(?=.*[^\W\d_])\w+(?:['’ -]\w+)*")
_SIGNS, _SIGNS_BEFORE = re.compile(r"[^\w\s]{1,4}"), re.compile(r"[^\w\s]{1,4}$")
_CAMEL = re.compile(r"[^\W\d_]?[^\WA-Z\d_]+|[A-Z]+|\d+")
# Nouns of these languages have a capital, whatever they name.
_NOUNS_IN_CAPITALS = frozenset({"de", "lb"})
_SHORTEST_STEM = 4  # letters, of a word that is sought within a hashtag
Span = tuple[int, int]


class Match(NamedTuple):
    """Where a cue stands in a text, as what it is counted, and of which groups of its kind it is."""

    start: int
    end: int
    key: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cue:
    """One cue, or a group of them.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`.
    key : str
        What texts that have it are known by, in small letters; of a group, its name.
    forms : tuple of str
        How it is written, the commonest first. Of a group: those of its members.
    words : int
        Of a length: from, or up to, so many words.
    """

    kind: str
    key: str = field(repr=False)
    forms: tuple[str, ...] = field(repr=False)
    is_group: bool = False
    words: int = 0

    def spans(self, text: str) -> list[Span]:
        """Where it stands; nowhere of a length."""
        if self.kind == "length":
            return []
        if self.kind in ("name", "opening", "closing"):
            found = [match.span() for match in _phrase(self.key).finditer(text)]
            if self.kind == "name":
                return found
            ends = found[:1] if self.kind == "opening" else found[-1:]
            return [_with_marks(text, span) for span in ends if _is_at_the_end(text, span, self.kind)]
        return [
            (match.start, match.end)
            for match in matches(self.kind, text)
            if (self.key in match.groups if self.is_group else self.key == match.key)
        ]

    def is_in(self, text: str) -> bool:
        """Whether a text has it."""
        if self.kind == "length":
            words = len(text.split())
            return words >= self.words if self.key == "long" else words <= self.words
        if not self.is_group and self.key != "..." and self.key.split()[0] not in text.casefold():
            return False  # most texts, found out without any pattern
        return bool(self.spans(text))

    def without(self, text: str) -> str:
        """The text with all of it taken out."""
        return cut(text, self.spans(text))


def cut(text: str, spans: Sequence[Span]) -> str:
    """The text without what stands at these places."""
    kept = [text[end:start] for (_, end), (start, _) in pairwise([(0, 0), *spans, (len(text), 0)])]
    return re.sub(r"(?<=\s) +", "", "".join(kept)).strip()


def matches(kind: str, text: str) -> Iterator[Match]:
    """All cues of a kind that a text has, as they stand; of names and phrases only those of their own places."""
    if kind == "rating":
        for match in _RATING.finditer(text):
            level = _level(match)
            if level is not None:
                groups = ("high",) if level > 0.5 else ("low",)
                yield Match(*match.span(), re.sub(r"\s+", " ", match[0].casefold()), groups)
    elif kind == "mark":
        for pattern in _BEFORE_MARKS:
            text = pattern.sub(lambda match: " " * len(match[0]), text)
        for match in _MARK.finditer(text):
            yield Match(*match.span(), "..." if match[0][:2] in ("..", "…") else match[0][0])
    elif kind == "name":
        if not _is_shouted(text):
            yield from (Match(*match.span(), match[0].casefold()) for match in _NAME.finditer(text))
    elif kind in ("opening", "closing"):
        yield from _ends(text, kind)
    else:
        pattern = {"link": _LINK, "handle": _HANDLE, "hashtag": _HASHTAG, "markup": _MARKUP}[kind]
        for match in pattern.finditer(text):
            yield Match(*match.span(), match[0].casefold(), () if kind == "markup" else ("any",))


_BEFORE_MARKS = (_RATING, _LINK, _HANDLE, _HASHTAG, _MARKUP, _EMOTICON)


def kinds(language: str) -> tuple[str, ...]:
    """Those that can be told in a language: only of English is known which words are opinions."""
    return tuple(kind for kind in KINDS if language == "en" or kind not in ("hashtag", "name", "opening", "closing"))


@dataclass(frozen=True)
class Spoken:
    """Texts as their words alone, each with a space before and behind: phrases are found in them fast."""

    texts: Sequence[str] = field(repr=False)

    @cached_property
    def written(self) -> list[str]:
        """With capitals where the texts have them."""
        return [f" {' '.join(_TOKEN.findall(text))} " for text in self.texts]

    @cached_property
    def small(self) -> list[str]:
        """In small letters."""
        return [text.casefold() for text in self.written]

    def binds(self, cue: Cue, holding: int) -> bool:
        """Whether a phrase that so many texts have at their end hardly stands elsewhere, or a name in small letters."""
        phrase = f" {' '.join(_TOKEN.findall(cue.key))} "
        if cue.kind == "name":
            return sum(phrase in text for text in self.written) <= _SMALL * holding
        if cue.kind in ("opening", "closing"):
            return holding >= BOUND * sum(phrase in text for text in self.small)
        return True


def is_opinion(phrase: str) -> bool:
    """Whether a phrase, or part of a hashtag, holds a word that reads as an opinion or denies one."""
    if phrase.startswith("#"):
        whole, stems = _opinions()
        tag = phrase[1:].casefold()
        parts = [part.casefold() for part in _CAMEL.findall(phrase)]
        long = (each for each in (*whole, *stems) if len(each) >= _SHORTEST_STEM)
        return any(map(_is_opinion_word, (tag, *parts))) or any(each in tag for each in long)
    words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", phrase.casefold())
    return any(_is_opinion_word(part) for word in words for part in (word.replace("’", "'"), *re.split("['’-]", word)))


def _is_opinion_word(word: str) -> bool:
    return word in _opinions()[0] or any(word.startswith(each) for each in _stems_by_letter().get(word[:1], ()))


@cache
def _opinions() -> tuple[frozenset[str], tuple[str, ...]]:
    """Whole words, and beginnings of words."""
    words = [word for name in ("praise.txt", "blame.txt", "opinion.txt") for word in lists.words("audit.text", name)]
    return frozenset(w for w in words if w[-1] != "*"), tuple(w[:-1] for w in words if w[-1] == "*")


@cache
def _stems_by_letter() -> dict[str, tuple[str, ...]]:
    stems = _opinions()[1]
    return {letter: tuple(each for each in stems if each[0] == letter) for letter in {each[0] for each in stems}}


@lru_cache(maxsize=512)
def _phrase(key: str) -> re.Pattern[str]:
    """Its words with whatever stands between them."""
    sought = r"\W+".join(map(re.escape, _TOKEN.findall(key)))
    return re.compile(rf"(?<!\w){sought}(?!\w)", re.IGNORECASE)


def _with_marks(text: str, span: Span) -> Span:
    """With the signs that touch it, brackets and the like."""
    start, end = span
    before, behind = _SIGNS_BEFORE.search(text, 0, start), _SIGNS.match(text, end)
    return (before.start() if before else start), (behind.end() if behind else end)


def _is_at_the_end(text: str, span: Span, kind: str) -> bool:
    rest = text[: span[0]] if kind == "opening" else text[span[1] :]
    return not _TOKEN.search(rest)


def _ends(text: str, kind: str) -> Iterator[Match]:
    """The first, or the last, one to four words that only spaces part, with the signs around them."""
    start = 0 if kind == "opening" else max(0, len(text) - _LONGEST_END)
    end = start + _LONGEST_END
    taken = [match.span() for pattern in _BEFORE_MARKS for match in pattern.finditer(text, start, end)]
    if kind == "opening":
        tokens = [*islice(_TOKEN.finditer(text), _LONGEST_PHRASE)]
        phrases = [tokens[: i + 1] for i in range(len(tokens))]
    else:
        tokens = [*_TOKEN.finditer(text, start)][-_LONGEST_PHRASE:]
        phrases = [tokens[-i - 1 :] for i in range(len(tokens))]
    for phrase in phrases:
        span = phrase[0].start(), phrase[-1].end()
        if not _PHRASE.fullmatch(text, *span) or any(a < span[1] and span[0] < b for a, b in taken):
            return
        yield Match(*_with_marks(text, span), " ".join(token[0] for token in phrase).casefold())


def _level(match: re.Match[str]) -> float | None:
    """How high a rating is between 0 and 1; None of what is no rating."""
    if match["signs"]:
        return (match["signs"].count("★") if "★" in match["signs"] or "☆" in match["signs"] else len(match[0])) / 5
    number, scale = (match["value"], match["scale"]) if match["value"] else (match["stars"], "5")
    value, most = (
        float(_WORDS_OF_NUMBERS.index(each.lower()) if each.isalpha() else each.replace(",", "."))
        for each in (number, scale)
    )
    if match["stars"] and 5 < value <= 10:
        most = 10.0
    return value / most if value <= most else None


def _is_shouted(text: str) -> bool:
    """Whether most words have capitals, so that these say nothing of names."""
    words = text.split()
    return 4 * sum(word[:1].isupper() for word in words) > 3 * len(words)


def words(text: str) -> list[Span]:
    """Where the words of a text stand."""
    return [match.span() for match in _TOKEN.finditer(text)]
