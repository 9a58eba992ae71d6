"""Characters that hide something from a reader: those that nobody sees, those that look like others, and spellings.

:func:`visible` is for showing a text, :class:`Plain` for searching one: it is what a reader takes the text for, and
knows where each part of that stands in the text itself.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

# Source: Unicode Technical Standard 39, confusables.txt; only twins that fonts draw alike.
HOMOGLYPHS = dict(zip("aceiopsxyjABCEHIKMOPSTXJ", "асеіорѕхујАВСЕНІКМОРЅТХЈ", strict=True))
# Names of zero-width characters, as shown to readers.
INVISIBLE = {
    "\u200b": "zero-width space",
    "\u200c": "zero-width non-joiner",
    "\u200d": "zero-width joiner",
    "\u2060": "word joiner",
    "\ufeff": "zero-width no-break space",
    "\u00ad": "soft hyphen",
}
# Controls but for tab and line ends, what has no width, what turns the direction of writing, halves of characters, and
# code points that are no characters. Source: Default_Ignorable_Code_Point, DerivedCoreProperties.txt, Unicode 16.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]|\r(?!\n)"
)
_SELECTORS, _JOINERS = ("\ufe0e", "\ufe0f"), ("\u200c", "\u200d")
# What may be something else to a reader: all but plain letters and signs, and entities of HTML.
_ODD = re.compile(r"[^\t\n\r -~]|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_TWINS = {twin: letter for letter, twin in HOMOGLYPHS.items()}
_TWINS |= dict(zip("αοιρχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aoipxABEZHIKMNOPTYX", strict=True)) | dict.fromkeys("。｡٫۔", ".")
# A word of theirs must be the same to a reader in capitals and without.
_TWINS |= {case(twin): case(letter) for case in (str.lower, str.upper) for twin, letter in _TWINS.items()}


def visible(text: str) -> str:
    """The text with a token, ⟨U+200B⟩, for each character that nobody sees.

    Left alone are those that scripts and pictures are written with: a joiner between letters of Arabic and Indian
    scripts, one joiner or selector behind a picture.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSEEN.sub(lambda match: match[0] if _is_spelling(text, match.start()) else code(match[0]), text)


def beginning(text: str, length: int) -> str:
    """At most so many characters of a text, without the half of a word at its end where that is no long one."""
    head = text[:length]
    if not text[length : length + 1].isalnum():
        return head
    end = length
    while end > length // 2 and head[end - 1].isalnum():
        end -= 1
    return head[:end].rstrip() if end > length // 2 else head


def code(character: str) -> str:
    """What is shown in the place of a character."""
    return f"⟨U+{ord(character):04X}⟩"


def _is_spelling(text: str, at: int) -> bool:
    """Whether an unseen character belongs to how a word or a picture is written."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if text[at] in _SELECTORS:
        return _is_picture(before) or after == "\u20e3"
    if text[at] not in _JOINERS or not before or not after:
        return False
    if all("\u0600" <= each <= "\u1cff" for each in (before, after)):
        return True
    return _is_picture(after) and (_is_picture(before) or before in _SELECTORS)


def _is_picture(character: str) -> bool:
    """Whether a character is a symbol such as an emoji, or a modifier of its colour."""
    return not character.isascii() and unicodedata.category(character)[0] == "S" and character != "\u2800"


def plain(text: str) -> str:
    """What a reader takes a text for: without unseen characters and loose accents, look-alikes and entities undone."""
    return _ODD.sub(_read, text)


def bare(text: str) -> str:
    """What spellings of one value have in common: no case, no spaces, nothing that a reader does not see."""
    return "".join(plain(text).casefold().split())


class Rewritten:
    """A text in which some parts are read as something else; it knows where its characters stand in the original.

    Parameters
    ----------
    original : str
    parts : re.Pattern
        What is read as something else.
    read : callable
        From a match of it to what it is read as.
    """

    def __init__(self, original: str, parts: re.Pattern[str], read: Callable[[re.Match[str]], str]) -> None:
        self.original, self._parts, self._read = original, parts, read
        self.text = parts.sub(read, original)

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        """For each character of the text, where what it stands for begins and ends in the original."""
        places, at = list[tuple[int, int]](), 0
        for part in self._parts.finditer(self.original):
            places += [(i, i + 1) for i in range(at, part.start())]
            places += [part.span()] * len(self._read(part))
            at = part.end()
        return places + [(i, i + 1) for i in range(at, len(self.original))]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where ``text[start:end]`` stands in the original."""
        return self._places[start][0], self._places[end - 1][1]


class Plain(Rewritten):
    """A :func:`plain` text.

    Parameters
    ----------
    original : str
    """

    def __init__(self, original: str) -> None:
        super().__init__(original, _ODD, _read)

    def occurrences(self, value: str) -> Iterator[tuple[int, int]]:
        """Where a value, as :func:`bare` gives it, stands in the original, whatever lies between its characters."""
        text, places = self._bare
        at = text.find(value) if value else -1
        while at >= 0:
            yield self.place(places[at], places[at + len(value) - 1] + 1)
            at = text.find(value, at + len(value))

    @cached_property
    def _bare(self) -> tuple[str, list[int]]:
        """The text as :func:`bare` gives it, and for each of its characters where in `text` it stands."""
        parts = [(c, i) for i, each in enumerate(self.text) for c in each.casefold() if not c.isspace()]
        return "".join(c for c, _ in parts), [i for _, i in parts]


def _read(odd: re.Match[str]) -> str:
    reference = odd[0]
    read = html.unescape(reference) if len(reference) > 1 else reference
    return reference if len(reference) > 1 and read == reference else "".join(map(_plain, read))


@lru_cache(maxsize=8192)
def _plain(character: str) -> str:
    """What a character is to a reader; nothing where it is unseen or put on another."""
    if character.isascii() and (character.isprintable() or character.isspace()):
        return character
    if _UNSEEN.match(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return ""
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    same = unicodedata.normalize("NFKC", character)
    # Of "½" and "…" a reader does not make a longer number.
    same = same if len(same) == 1 or same.isalnum() else character
    return "".join(_TWINS.get(each, each) for each in same)
