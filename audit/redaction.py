"""What of the data may be shown as evidence: texts with personal data masked, and counts that are large enough."""

from __future__ import annotations

import re

_PATTERNS = (
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "[e-mail]"),
    (re.compile(r"\b(https?://|www\.)\S+", re.IGNORECASE), "[link]"),
    (re.compile(r"(?<!\w)@\w+"), "[handle]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b"), "[account]"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "[address]"),
    (
        re.compile(
            r"\b\d+[a-z]? (?:[A-Z]\w+ ){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Drive|Close|Way|"
            r"Crescent|Court|Place|Square)\b"
        ),
        "[address]",
    ),
    (re.compile(r"\+?\(?\d[\d ()./-]{5,}\d"), "[number]"),
)
LONGEST = 280
# Cells of fewer people are not shown: a figure on three people is about those three.
SMALLEST_CELL = 10


def redact(text: str) -> str:
    """The text with e-mail addresses, links, handles and long numbers masked, cut after 280 characters."""
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def count(n: int) -> int | str:
    """A count of people for a table; small ones are not told."""
    return int(n) if n == 0 or n >= SMALLEST_CELL else f"<{SMALLEST_CELL}"
