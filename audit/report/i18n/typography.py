"""Marks of the width of a character, for languages that are written with them, where a template sets marks itself.

A template of the page writes ``{{ name }}: {{ said }}`` and ``{{ one }} {{ other }}`` for every language; what is said
inside a text, its translator wrote. So only marks and spaces between texts are looked at. What stands in quotations, in
code or in ``bdi``, which may be the user's, is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape

from audit.report.i18n.language import is_full_width

_STOPS = "，、。；：？！（）"
_WIDE = f"\u2e80-\u9fff\uff00-\uffef“”{_STOPS}"
_WIDER = str.maketrans(",:;.?!()", "，：；。？！（）")
# A mark beside a wide letter, and those that a template alone sets beside any; brackets beside or around wide letters.
_MARK = re.compile(
    rf"(?<=[{_WIDE}])[,:;.?!](?=\s|$|[{_WIDE}])|(?<=\S)[:;](?=\s|$)|(?<=\S),(?=\s+[{_WIDE}])"
    rf"|(?<![\s\d.])\.(?=\s+[{_WIDE}])|(?<![\s.])\.(?=\s*$)"
)
_BRACKETS = re.compile(rf"(?<=[{_WIDE}])\s?(\()[^()]*(\))|(\()[^()]*[{_WIDE}][^()]*(\))")
_SPACE = re.compile(rf"(?<=[{_STOPS}])\s+|\s+(?=[{_STOPS}])")
_LETTER = re.compile(r"&#?\w+;|.", re.DOTALL)
_LEFT_ALONE = frozenset("bdi code pre q script style svg".split())
# What stands in a line with the texts around it; any other element begins a line of its own.
_IN_LINE = frozenset("a b bdi code i q s small span strong".split())
_EMPTY = frozenset("br col hr img input link meta wbr".split())


def full_width(html: str) -> str:
    """A finished page with the marks of the language that is spoken between its texts."""
    if not is_full_width():
        return html
    pieces = re.split("(<[^>]*>)", html)
    line: list[int] = []  # the texts of a line, by their places
    free: list[int] = []  # those of them that may be changed
    around: list[bool] = []  # of each element that is open, whether it is to be left alone
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            line.append(i)
            free += [] if any(around) else [i]
            continue
        closes, name = re.match("<(/?)([a-z0-9]*)", piece).groups()  # type: ignore[union-attr]
        if closes:
            around.pop()
        elif name and name not in _EMPTY and not piece.endswith("/>"):
            around.append(name in _LEFT_ALONE or 'lang="en"' in piece)
        if name not in _IN_LINE:
            _set(pieces, line, free)
            line, free = [], []
    _set(pieces, line, free)
    return "".join(pieces)


def _set(pieces: list[str], line: Sequence[int], free: Sequence[int]) -> None:
    """Set the marks of one line, if it is in that language."""
    texts = [_LETTER.findall(pieces[i]) for i in line]
    letters = [letter for text in texts for letter in text]
    if not re.search(f"[{_WIDE}]", "".join(letters)):
        return
    for pattern in (_BRACKETS, _MARK):
        for match in pattern.finditer(_plain(letters)):
            for group in range(1, match.re.groups + 1) if match.re.groups else (0,):
                if match[group]:
                    letters[match.start(group)] = match[group].translate(_WIDER)
    for match in _SPACE.finditer(_plain(letters)):
        letters[match.start() : match.end()] = [""] * len(match[0])
    at = 0
    for i, text in zip(line, texts, strict=True):
        if i in free:
            pieces[i] = "".join(letters[at : at + len(text)])
        at += len(text)


def _plain(letters: Sequence[str]) -> str:
    """Each letter as one, also where it is escaped."""
    return "".join(letter if len(letter) == 1 else unescape(letter)[:1] for letter in letters)
