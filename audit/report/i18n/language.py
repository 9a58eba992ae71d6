"""The language that a page is written in: English words looked up in gettext catalogues while it is made.

The English words are the keys. Those of the page (:mod:`audit.report.i18n.words`) and of the probes' declarations stand
in ``locale/*/LC_MESSAGES/audit.po``, templates of the sentences in a record in ``record.po`` beside it. Both are read
as they are, so that no compiled copy can differ from its source (:mod:`audit.report.catalogues` keeps them).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from datetime import date
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import TYPE_CHECKING, Literal, Protocol

from audit.core.context import holding
from audit.core.records import Record, section
from audit.report.i18n import words as english
from audit.report.i18n.words import Counted, Mark

ENGLISH = "en"
# The catalogues: of the words of the page itself, and of the sentences that probes and verdicts write into a record.
PAGE, RECORD = "audit", "record"
# Of each language the tag of a page (BCP 47), and the locale whose numbers and dates are used.
TAGS: Mapping[str, tuple[str, str]] = {ENGLISH: ("en", "en_GB"), "de": ("de", "de"), "zh": ("zh-Hans", "zh_Hans")}
# Those whose marks are as wide as a character and hold their space themselves: nothing stands between sentences.
_FULL_WIDTH = frozenset({"zh"})
# An apostrophe of an English text, one within a word, and the first of two that quote.
_APOSTROPHE, _IN_WORD, _OPENING = map(re.compile, (r"(?<=\w)'", r"(?<=\w)'(?=\w)", r"(?<!\w)'"))
_now: ContextVar[str] = ContextVar("language", default=ENGLISH)


def current() -> str:
    """The language that is spoken now."""
    return _now.get()


def speaking(language: str) -> AbstractContextManager[None]:
    """Speak a language for a while."""
    return holding(_now, language)


class Spoken(Protocol):
    """What makes a text of a record, in a language."""

    def __call__(self, record: Record, language: str | None = None, **more: str) -> str:
        """In the language asked for, else in the one that the record's policy names."""


def spoken(make: Callable[..., str]) -> Spoken:
    """Let what is made from a record be in the language asked for, else in the one that the record's policy names."""

    @functools.wraps(make)
    def made(record: Record, language: str | None = None, **more: str) -> str:
        with speaking(language or named(record)):
            return make(record, **more)

    return made


def named(record: Record) -> str:
    """The language that the policy of a record names; English where it names none that there is."""
    requested = str(section(record["policy"], "report").get("language"))
    return requested if requested in TAGS else ENGLISH


def say(text: str) -> str:
    """An English text of ours in the language that is spoken; as it is where the catalogue does not have it."""
    return translation(text) or text


def translation(text: str, domain: str = PAGE) -> str:
    """An English text of ours in the language that is spoken; empty where no catalogue has it.

    The catalogue of `domain` is asked first: a word of a table can be another one in a title.
    """
    return _catalogue(current(), domain).gettext(text) if text else text


def is_full_width() -> bool:
    """Whether the language that is spoken has punctuation marks of the width of a character."""
    return current() in _FULL_WIDTH


def together(sentences: Iterable[str]) -> str:
    """Sentences one after the other, set apart as the language does; empty ones are left out."""
    return joint(" ").join(filter(None, sentences))


def joint(mark: str) -> str:
    """What stands between two parts of a sentence, or between two sentences, in the language that is spoken."""
    return "" if mark == " " and is_full_width() else say(mark)


def stop() -> str:
    """What ends a sentence."""
    return "。" if is_full_width() else "."


def counted(forms: Counted, count: int, **fill: object) -> str:
    """A text that depends on a number, in the form that the language has for it."""
    return _catalogue(current(), PAGE).ngettext(*forms, count).format(count=count, **fill)


def tag() -> str:
    """The language that is spoken, as HTML names it."""
    return TAGS[current()][0]


def numeral(written: str) -> str:
    """A number that was written the English way, 1,234.5, in the language's way."""
    if current() == ENGLISH:
        return written
    from babel.numbers import get_decimal_symbol, get_group_symbol

    locale = TAGS[current()][1]
    signs = get_group_symbol(locale) + get_decimal_symbol(locale)
    return written.translate(str.maketrans(",.", signs))


def rounded(count: float) -> str:
    """A large number in words, by its first three digits: 1.47 million."""
    from babel import Locale
    from babel.numbers import format_compact_decimal

    locale = Locale.parse(TAGS[current()][1])
    form: Literal["long", "short"] = "long" if "long" in locale.compact_decimal_formats else "short"  # Chinese has one
    return format_compact_decimal(float(f"{count:.3g}"), format_type=form, locale=locale, fraction_digits=2)


def day(year: int, month: int, of_month: int) -> str:
    """A day in words.

    Raises
    ------
    ValueError
        If there is no such day.
    """
    from babel.dates import format_date

    return format_date(date(year, month, of_month), "long", locale=TAGS[current()][1])


@functools.cache
def _catalogue(language: str, first: str) -> NullTranslations:
    if language == ENGLISH:
        return _English()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    catalogue: NullTranslations = _Nothing()
    for domain in sorted((PAGE, RECORD), key=lambda domain: domain == first):  # the last is asked first
        compiled = BytesIO()
        with files("audit.report.i18n").joinpath(*place(language, domain)).open("rb") as source:
            write_mo(compiled, read_po(source))
        compiled.seek(0)
        own = GNUTranslations(compiled)
        own.add_fallback(catalogue)
        catalogue = own
    return catalogue


@functools.lru_cache(maxsize=4096)
def _printed(message: str) -> str:
    return (_IN_WORD if _OPENING.search(message) else _APOSTROPHE).sub("’", message)


class _English(NullTranslations):
    """Texts as they are, with the apostrophes that print has; a text that also quotes by them keeps what it quotes."""

    def gettext(self, message: str) -> str:
        return _printed(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


class _Nothing(NullTranslations):
    """What stands behind the catalogues of a language: it knows no text."""

    def gettext(self, message: str) -> str:
        return ""


def place(language: str, domain: str = PAGE) -> tuple[str, ...]:
    """Where a catalogue of a language lies in the folder of the report."""
    return "locale", language, "LC_MESSAGES", f"{domain}.po"


def _translated(value: object) -> object:
    """A value of :mod:`audit.report.i18n.words` with all its texts said; what depends on a number waits for it."""
    if isinstance(value, str):
        return say(value)
    if isinstance(value, Mark):
        return value._replace(word=say(value.word))
    if isinstance(value, tuple) and not isinstance(value, Counted):
        return tuple(map(_translated, value))
    return _Translated(value) if isinstance(value, Mapping) else value


class _Translated(Mapping[object, object]):
    """A mapping whose values are said when they are asked for, so that a module may keep it."""

    def __init__(self, values: Mapping[object, object]) -> None:
        self._values = values

    def __getitem__(self, key: object) -> object:
        return _translated(self._values[key])

    def __iter__(self) -> Iterator[object]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class _Words:
    """The words in the language that is spoken, by the names that they have in English."""

    def __getattr__(self, name: str) -> object:
        return _translated(getattr(english, name))


if TYPE_CHECKING:
    from audit.report.i18n import words as words
else:
    words = _Words()
