"""What of the data may be shown as evidence: the one door for texts, and counts that are large enough.

Whatever passes it has its unseen characters as tokens, personal data masked, whatever was put between their
characters, and its end cut, in this order. Values are looked for as :mod:`audit.text.characters` reads them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import MappingProxyType

from audit.core.context import holding
from audit.core.evidence import Pair
from audit.text.characters import Plain, bare, beginning, code, plain, visible
from audit.text.personal_data import Found, certain, hidden, joined

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
# Output of other libraries counts as quoting the data if it holds this many consecutive bytes of a text.
_CHUNK = 20
_SHORTEST = 8
_IN_QUOTES = re.compile(r"'([^'\n]{8,})'|\"([^\"\n]{8,})\"")
# What stands between the words of a text where a list of them is printed, or before a mark where it is escaped.
_BETWEEN = re.compile(r"[\s'\"\\,()\[\]]+")
_A_MESSAGE = 4096
_ENDS = ".,;:!?…)]}'\"’”"
_WITHIN_TOKEN = re.compile(r"⟨[^⟩]*$")

LEFT_OUT = "[left out]"
_withheld: ContextVar[bool] = ContextVar("withheld", default=False)


def withholding(all_texts: bool) -> AbstractContextManager[None]:
    """Whether no text from the data is to be shown at all in what is made meanwhile."""
    return holding(_withheld, all_texts)


def withheld() -> bool:
    """Whether no text from the data is to be shown at all."""
    return _withheld.get()


def redact(text: str) -> str:
    """The text with personal data and whatever could be some masked by kind, cut after 280 characters."""
    if withheld():
        return LEFT_OUT
    return _cut(_shown(text, _masks(text, hidden(text))), 0)


def redact_parts(text: str, weighed: Sequence[tuple[tuple[int, int], int]]) -> list[tuple[str, int]]:
    """A text in parts, each with its weight, personal data masked; cut as :func:`redact` does.

    Parameters
    ----------
    text : str
    weighed : sequence of ((start, end), weight)
        Spans in their order that do not overlap; all else weighs 0, and so does what touches personal data.

    Returns
    -------
    list of (str, int)
        Parts in their order; empty where no text is to be shown at all.
    """
    if withheld():
        return []
    masks = _masks(text, hidden(text))
    spans = [(start, end, visible(text[start:end]), weight) for (start, end), weight in weighed]
    spans = [span for span in spans if not any(span[0] < mask.end and mask.start < span[1] for mask in masks)]
    spans += [(start, end, _MASKS[kind], 0) for kind, start, end in masks]
    parts: list[tuple[str, int]] = []
    at = 0
    for start, end, shown, weight in [*sorted(spans), (len(text), len(text), "", 0)]:
        for part, strength in ((visible(text[at:start]), 0), (shown, weight)):
            if part and parts and parts[-1][1] == strength == 0:
                parts[-1] = (parts[-1][0] + part, 0)
            elif part:
                parts.append((part, strength))
        at = end
    return _shortened(parts)


def _shortened(parts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The parts up to the longest text that is shown."""
    left, shown = LONGEST, []
    for part, strength in parts:
        shown.append((beginning(part, left), strength))
        left -= len(part)
        if left < 0:
            return [*shown, ("…", 0)]
        if not left:
            break
    return shown


def redact_pair(before: str, after: str) -> tuple[str, str] | None:
    """A text and its changed copy redacted, both from shortly before the first change on.

    Returns
    -------
    tuple of str, or None
        None where the change reaches into personal data or makes some, where nothing is left to be seen of it, or where
        no text is to be shown at all: such a pair must not be shown.
    """
    if withheld():
        return None
    # What is known from one side is found in the other, whatever the change put between its characters.
    spans, spans_after = hidden(before), hidden(after)
    known = _kinds(before, spans) | _kinds(after, spans_after)
    masks, masks_after = _masks(before, spans, known), _masks(after, spans_after, known)
    if _values(before, masks) != _values(after, masks_after):
        return None
    shown, shown_after = _shown(before, masks), _shown(after, masks_after)
    if shown == shown_after and before != after:
        return None
    same = next(
        (i for i, (a, b) in enumerate(zip(shown, shown_after, strict=False)) if a != b),
        min(len(shown), len(shown_after)),
    )
    start = 0
    if max(len(shown), len(shown_after)) > LONGEST and same > _LEAD:
        start = shown.rfind(" ", 0, same - _LEAD) + 1
    return _cut(shown, start), _cut(shown_after, start)


def shown_pairs(pairs: Iterable[tuple[str, str, str]], most: int, row_of: Callable[[str], int | None]) -> list[Pair]:
    """The first of these pairs that may be shown, as the evidence of a finding has them.

    Parameters
    ----------
    pairs : iterable of (before, after, note)
        Taken one by one until there are enough.
    most : int
    row_of : callable
        From a text to its row in the user's data, as :meth:`audit.data.examples.Examples.row_of` gives it.
    """
    items: list[Pair] = []
    for before, after, note in () if withheld() else pairs:
        if len(items) == most:
            break
        if (pair := redact_pair(before, after)) is not None:
            items.append(Pair(pair[0], note, pair[1], row_of(before)))
    return items


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
    passed = "\n".join(LEFT_OUT if any(quote in folded for quote in quotes) else line for line, folded in lines)
    return _shown(passed, _masks(passed, hidden(passed)))


def _folded(text: str) -> bytes:
    return _BETWEEN.sub(" ", plain(text).lower()).strip().encode("utf-8", "replace")


def _masks(text: str, spans: Sequence[Found], known: Mapping[str, str] = MappingProxyType({})) -> tuple[Found, ...]:
    """What is to be masked in a text: what was found there, and wherever else one of its values stands.

    Parameters
    ----------
    text : str
    found : sequence of Found
    known : mapping of str to str
        Further values to look for, and the kind of each.
    """
    read, sought = Plain(text), {**known, **_kinds(text, spans)}
    again = (Found(kind, *span) for value, kind in sought.items() for span in read.occurrences(value))
    return joined((*spans, *again))


def _values(text: str, spans: Iterable[Found]) -> list[str]:
    """The values that were found in a text, without what lies between their characters or ends the sentence."""
    return [bare(text[start:end]).rstrip(_ENDS) for _, start, end in spans]


def _kinds(text: str, spans: Sequence[Found]) -> dict[str, str]:
    """The kind of each of these values."""
    return dict(zip(_values(text, spans), (kind for kind, _, _ in spans), strict=True))


def _shown(text: str, masks: Iterable[Found]) -> str:
    """The text with its masks, and a token for each character that nobody sees."""
    shown, at = [], 0
    for kind, start, end in masks:
        shown += [visible(text[at:start]), _MASKS[kind]]
        at = end
    return "".join((*shown, visible(text[at:])))


def _cut(text: str, start: int) -> str:
    head, end = "…" if start else "", start + LONGEST
    if len(text) <= end:
        return f"{head}{text[start:]}"
    return f"{head}{_WITHIN_TOKEN.sub('', beginning(text[start:], LONGEST))}…"


def called(names: Iterable[str]) -> dict[str, str]:
    """What each group of people is called where it is shown: one whose name is personal data by its mask and a number.

    Parameters
    ----------
    names : iterable of str
        Distinct ones, in the order in which they are numbered.
    """
    taken = {name: name for name in names}
    for name in list(taken):
        found, mask = certain(name), masked(name)
        numbered = (f"{mask} {number}" for number in itertools.count(1))
        taken[name] = next(each for each in numbered if each not in {*taken, *taken.values()}) if found else mask
    return taken


def count(n: int) -> int | str:
    """A count of people for a table; small ones are not told."""
    return int(n) if n == 0 or n >= SMALLEST_CELL else f"<{SMALLEST_CELL}"


def masked(sentence: str) -> str:
    """A sentence or a name, uncut, in which only what is surely personal data is masked."""
    return _shown(sentence, _masks(sentence, certain(sentence)))


def printable(text: object, length: int = 120) -> str:
    """A name that somebody else chose, on one line: unseen characters as tokens, personal data masked, the end cut."""
    return _on_a_line(masked(str(text)[:_A_MESSAGE]), length)


def message(error: object, length: int = 200) -> str:
    """What a library says, such as an error, on one line: as a name, yet with all that could be personal masked."""
    line = " ".join(str(error).split())[:_A_MESSAGE]
    return _on_a_line(_shown(line, _masks(line, hidden(line))), length)


def quoted(said: object, length: int = 200) -> str:
    """What came of texts, such as a model's answer, or an error over one, as :func:`message` has it.

    Nothing of it where no text is to be shown at all.
    """
    return LEFT_OUT if withheld() else message(said, length)


def _on_a_line(shown: str, length: int) -> str:
    line = "".join(c if c.isprintable() else code(c) for c in shown)
    return line if len(line) <= length else f"{_WITHIN_TOKEN.sub('', beginning(line, length))}…"
