"""The glossary's words in the page's own running text, linked to their entries where a section first uses them.

It reads the finished page, so that no text has to know of it: a section begins with each heading of the second level,
and what stands in headings, links, code, drawings or quotations is left as it is. So is what the record says, which
stands in ``bdi`` throughout.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from audit.report.i18n.language import words

GLOSSARY = "words"  # the section that holds the entries
_LEFT_ALONE = frozenset("a bdi caption code dt h1 h2 h3 h4 pre q style summary svg th title".split())
# A term must not be part of a longer word: no letter, digit or hyphen beside it. Chinese is written without spaces.
_JOINED = "[^\\W\u2e80-\u9fff]|-"


def anchor(name: str) -> str:
    """The id of an entry of the glossary."""
    return f"term-{name}"


def linked(html: str) -> str:
    """A page that holds the glossary, with links to it; only text between tags is looked at, and it stays escaped."""
    entries = {_plain(form): name for name, (_, forms, _) in words.GLOSSARY.items() for form in forms.split("|")}
    longest_first = sorted(entries, key=len, reverse=True)
    any_of = "|".join(re.escape(form).replace(r"\ ", r"\s") for form in longest_first)
    pattern = re.compile(f"(?<!{_JOINED})(?:{any_of})(?!{_JOINED})", re.IGNORECASE)
    return "".join(_section(part, entries, pattern) for part in re.split("(?=<h2)", html))


def _section(html: str, entries: Mapping[str, str], pattern: re.Pattern[str]) -> str:
    if html.startswith(f'<h2 id="{GLOSSARY}-title"'):
        return html
    used: set[str] = set()

    def link(match: re.Match[str]) -> str:
        name = entries[_plain(match[0])]
        if name in used:
            return match[0]
        used.add(name)
        return f'<a class="term" href="#{anchor(name)}">{match[0]}</a>'

    pieces, around = re.split("(<[^>]*>)", html), 0
    for i, piece in enumerate(pieces):
        tag = re.match(r"<(/?)([a-z0-9]+)", piece)
        if tag and tag[2] in _LEFT_ALONE:
            around += -1 if tag[1] else 1
        elif not tag and not around:
            pieces[i] = pattern.sub(link, piece)
    return "".join(pieces)


def _plain(form: str) -> str:
    """A word by which it is found, whatever its capitals and spaces."""
    return re.sub(r"\s", " ", form).lower()
