"""What of the data may be shown as evidence: texts with personal data masked, and counts that are large enough."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from audit.text import personal_data

_MASKS = {
    "email": "[e-mail]",
    "link": "[link]",
    "api_key": "[key]",
    "iban": "[account]",
    "card": "[number]",
    "ip": "[address]",
    "phone": "[number]",
    "address": "[address]",
    "handle": "[handle]",
}
LONGEST = 280
_LEAD = 80  # characters shown before the first change
# Cells of fewer people are not shown: a figure on three people is about those three.
SMALLEST_CELL = 10
# What others print quotes the data where it holds so many bytes of a text, in their order.
_CHUNK = 20
_SHORTEST = 8
_IN_QUOTES = re.compile(r"'([^'\n]{8,})'|\"([^\"\n]{8,})\"")
# What stands between the words of a text where a list of them is printed, or before a mark where it is escaped.
_BETWEEN = re.compile(r"[\s'\"\\,()\[\]]+")
_A_MESSAGE = 4096

LEFT_OUT = "[left out]"
_withheld: ContextVar[bool] = ContextVar("withheld", default=False)


@contextmanager
def withholding(all_texts: bool) -> Iterator[None]:
    """Whether no text from the data is to be shown at all in what is made meanwhile."""
    token = _withheld.set(all_texts)
    try:
        yield
    finally:
        _withheld.reset(token)


def withheld() -> bool:
    """Whether no text from the data is to be shown at all."""
    return _withheld.get()


def redact(text: str) -> str:
    """The text with personal data and whatever could be some masked by kind, cut after 280 characters."""
    if withheld():
        return LEFT_OUT
    return _cut(_masked(text)[0], 0)


def redact_parts(text: str, weighed: Sequence[tuple[tuple[int, int], int]]) -> list[list[str | int]]:
    """A text in parts, each with its weight, personal data masked; cut as :func:`redact` does.

    Parameters
    ----------
    text : str
    weighed : sequence of ((start, end), weight)
        Spans in their order that do not overlap; all else weighs 0, and so does what touches personal data.

    Returns
    -------
    list of [str, int]
        Parts in their order; empty where no text is to be shown at all.
    """
    if withheld():
        return []
    hidden = personal_data.suspects(text)
    spans = [(start, end, text[start:end], weight) for (start, end), weight in weighed]
    spans = [span for span in spans if not any(span[0] < h.end and h.start < span[1] for h in hidden)]
    spans += [(start, end, _MASKS[kind], 0) for kind, start, end in hidden]
    parts: list[list[str | int]] = []
    at = 0
    for start, end, shown, weight in [*sorted(spans), (len(text), len(text), "", 0)]:
        for part, strength in ((text[at:start], 0), (shown, weight)):
            if part and parts and parts[-1][1] == strength == 0:
                parts[-1][0] = f"{parts[-1][0]}{part}"
            elif part:
                parts.append([part, strength])
        at = end
    return _shortened(parts)


def _shortened(parts: list[list[str | int]]) -> list[list[str | int]]:
    """The parts up to the longest text that is shown."""
    left, kept = LONGEST, []
    for part, strength in parts:
        kept.append([str(part)[:left], strength])
        left -= len(str(part))
        if left < 0:
            return [*kept, ["…", 0]]
        if not left:
            break
    return kept


def redact_pair(before: str, after: str) -> tuple[str, str] | None:
    """A text and its changed copy redacted, both from shortly before the first change on.

    Returns
    -------
    tuple of str, or None
        None where the change hides personal data from the masks or makes some, or where no text is to be shown at
        all: such a pair must not be shown.
    """
    if withheld():
        return None
    (before, kinds), (after, kinds_after) = _masked(before), _masked(after)
    if kinds != kinds_after:
        return None
    same = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    start = 0
    if max(len(before), len(after)) > LONGEST and same > _LEAD:
        start = before.rfind(" ", 0, same - _LEAD) + 1
    return _cut(before, start), _cut(after, start)


def unquoted(content: str, texts: Iterable[str]) -> str:
    """What a library or a user's own code prints, such as an error's message, without what it quotes of the data.

    Parameters
    ----------
    content : str
    texts : iterable of str
        The data. Lines that quote a whole text, or as much of one as two chunks, are left out; so are those of a short
        content that quote any part of one in quotation marks.

    Returns
    -------
    str
        What is left, personal data masked; nothing of it where no text is to be shown at all.

    Notes
    -----
    A quote of two chunks' length holds one of the text's consecutive chunks whole, wherever it begins: one look-up for
    each chunk of the data finds them all.
    """
    if withheld():
        return content and LEFT_OUT
    lines = [(line, _folded(line)) for line in content.splitlines()]
    windows = {line[i : i + _CHUNK] for _, line in lines for i in range(len(line) - _CHUNK + 1)}
    every = _folded(content)
    # Pytest shortens what it quotes in the middle.
    in_quotes = (_folded(part) for quote in _IN_QUOTES.findall(content) for part in "".join(quote).split("..."))
    pieces = {part for part in in_quotes if len(part) >= _SHORTEST} if len(every) < _A_MESSAGE else set()
    quotes: set[bytes] = set()
    for text in texts:
        for part in map(_folded, text.splitlines()):
            if len(part) >= 2 * _CHUNK:
                chunks = (part[i : i + _CHUNK] for i in range(0, len(part) - _CHUNK + 1, _CHUNK))
                quotes.update(chunk for chunk in chunks if chunk in windows)
            elif len(part) >= _SHORTEST and part in every:
                quotes.add(part)
            quotes.update(piece for piece in pieces if piece in part)
    shown = (LEFT_OUT if any(quote in folded for quote in quotes) else line for line, folded in lines)
    return _masked("\n".join(shown))[0]


def _folded(text: str) -> bytes:
    return _BETWEEN.sub(" ", text.lower()).strip().encode("utf-8", "replace")


def _masked(text: str) -> tuple[str, list[str]]:
    """The text with masks, and what kinds were masked."""
    shown, kinds, at = [], [], 0
    for kind, start, end in personal_data.suspects(text):
        shown += [text[at:start], _MASKS[kind]]
        kinds.append(kind)
        at = end
    return "".join((*shown, text[at:])), kinds


def _cut(text: str, start: int) -> str:
    head = "…" if start else ""
    return f"{head}{text[start : start + LONGEST]}{'…' if len(text) > start + LONGEST else ''}"


def count(n: int) -> int | str:
    """A count of people for a table; small ones are not told."""
    return int(n) if n == 0 or n >= SMALLEST_CELL else f"<{SMALLEST_CELL}"


def printable(text: object, length: int = 120) -> str:
    """A name that somebody else chose, on one line: what cannot be seen is written as its code, and the end is cut."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[: length + 1])
    return shown if len(shown) <= length else f"{shown[:length]}…"
