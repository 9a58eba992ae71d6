"""What betrays that a text is not what its author wrote: broken characters, markup, another language, or nothing said.

It finds, and repairs nothing. Personal data are found by :mod:`audit.text.personal_data`, copies by
:mod:`audit.text.duplicates`.
"""

from __future__ import annotations

import html
import re
from collections import Counter

from audit.text.characters import visible
from audit.text.languages import is_foreign

# In the order in which they are told.
KINDS = ("unreadable", "mojibake", "unseen", "markup", "language", "constant")
# The sign for what could not be read, and code points that only one program's font has a sign for.
_UNREADABLE = re.compile("[\ufffd\ue000-\uf8ff]")
# Elements that a page's text is made of; "<3" and "<angry>" are none.
_TAG = re.compile(
    r"</?(?:a|abbr|b|blockquote|body|br|button|center|cite|code|dd|del|div|dl|dt|em|font|footer|form|h[1-6]|head|header|hr"
    r"|html|i|iframe|img|input|ins|label|li|link|meta|nav|ol|option|p|pre|q|s|script|section|select|small|span|strike"
    r"|strong|style|sub|sup|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|tt|u|ul|video)(?:\s[^<>]*)?/?>"
    r"|<!--|<!doctype\b",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_LONG, _MANY = 10, 5  # characters, and words, from which on a text can be said to repeat one of them
_NEARLY_ALL = 0.8


def find(text: str, language: str = "") -> frozenset[str]:
    """What is wrong with a text, as :data:`KINDS`.

    Parameters
    ----------
    text : str
    language : str
        That the text should be in, one that :func:`audit.text.languages.is_known`; empty: that is not looked at.
    """
    found = {
        "unreadable": _UNREADABLE.search(text) is not None,
        "mojibake": is_mojibake(text),
        "markup": has_markup(text),
        "constant": is_constant(text),
    }
    # Broken characters are often unseen ones too, and are told once.
    found["unseen"] = not found["mojibake"] and visible(text) != text
    readable = not any(found[kind] for kind in ("unreadable", "mojibake", "constant"))
    found["language"] = bool(language) and readable and is_foreign(text, language)
    return frozenset(kind for kind, is_so in found.items() if is_so)


def is_mojibake(text: str) -> bool:
    """Whether a text was written in one encoding and read in another, "cafÃ©" for "café", so that it can be undone.

    Notes
    -----
    By ftfy (Speer, "ftfy", Zenodo 2019, doi:10.5281/zenodo.2591652): sequences that no language writes, which become
    likely ones where the wrong decoding is undone.
    """
    if text.isascii():
        return False
    from ftfy import fix_encoding
    from ftfy.badness import is_bad

    return is_bad(text) and fix_encoding(text) != text


def has_markup(text: str) -> bool:
    """Whether tags or entities of HTML stand in a text."""
    if "<" in text and _TAG.search(text):
        return True
    return "&" in text and any(html.unescape(each[0]) != each[0] for each in _ENTITY.finditer(text))


def is_constant(text: str) -> bool:
    """Whether a text is, nearly all of it, one character or one word; a single short word says something."""
    words = text.casefold().split()
    characters = Counter("".join(words))
    if not any(character.isalnum() for character in characters) and len(characters) == 1:
        return not any(ord(character) > 0x2190 for character in characters)  # a picture says something
    most = max(characters.values(), default=0)
    if characters.total() >= _LONG and most >= _NEARLY_ALL * characters.total():
        return True
    return len(words) >= _MANY and max(Counter(words).values()) >= _NEARLY_ALL * len(words)
