"""What of the data may be shown as evidence: texts with personal data masked, and counts that are large enough."""

from __future__ import annotations

from audit import personal_data

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
# Cells of fewer people are not shown: a figure on three people is about those three.
SMALLEST_CELL = 10


def redact(text: str) -> str:
    """The text with personal data and whatever could be some masked by kind, cut after 280 characters."""
    shown, at = [], 0
    for kind, start, end in personal_data.suspects(text):
        shown += [text[at:start], _MASKS[kind]]
        at = end
    text = "".join((*shown, text[at:]))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def count(n: int) -> int | str:
    """A count of people for a table; small ones are not told."""
    return int(n) if n == 0 or n >= SMALLEST_CELL else f"<{SMALLEST_CELL}"


def printable(text: object, length: int = 120) -> str:
    """A name that somebody else chose, on one line: what cannot be seen is written as its code, and the end is cut."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text)[: length + 1])
    return shown if len(shown) <= length else f"{shown[:length]}…"
