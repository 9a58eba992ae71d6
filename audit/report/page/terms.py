"""The glossary's words in the page's own running text, linked to their entries where a section first uses them.

It reads the finished page, so that no text has to know of it: a section begins with each heading of the second level,
and what stands in headings, links, code, drawings or quotations is left as it is. So is what the record says, which
stands in ``bdi`` throughout.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache, partial

from audit.report.i18n.language import words
from audit.report.page.text import between_tags

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
    return "".join(_section(part, tuple(entries.items())) for part in re.split("(?=<h2)", html))


@cache
def _pattern(forms: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(forms, key=len, reverse=True)
    any_of = "|".join(re.escape(form).replace(r"\ ", r"\s") for form in longest_first)
    return re.compile(f"(?<!{_JOINED})(?:{any_of})(?!{_JOINED})", re.IGNORECASE)


@lru_cache(maxsize=64)  # a page is made twice, since it tells what its making takes, and few of its sections do
def _section(html: str, of_forms: tuple[tuple[str, str], ...]) -> str:
    if html.startswith(f'<h2 id="{GLOSSARY}-title"'):
        return html
    entries = dict(of_forms)
    pattern = _pattern(tuple(entries))
    used: set[str] = set()

    def link(match: re.Match[str]) -> str:
        name = entries[_plain(match[0])]
        if name in used:
            return match[0]
        used.add(name)
        return f'<a class="term" href="#{anchor(name)}">{match[0]}</a>'

    return between_tags(html, _LEFT_ALONE, partial(pattern.sub, link))


def _plain(form: str) -> str:
    """A word by which it is found, whatever its capitals and spaces."""
    return re.sub(r"\s", " ", form).lower()
