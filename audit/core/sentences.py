"""Sentences that remember what they are made of, so that a report can say them in another language, or years later.

A sentence is a template in English with values. The English of it is a plain string; where it is shown, the template is
looked up in the catalogue of the language and filled again (:mod:`audit.report.i18n.language`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from audit.core import numbers

# {name} or {name:form}; nothing else that Python's own format language knows, since records are not trusted.
_FIELD = re.compile(r"\{([a-z_0-9]+)(?::(,|\+?,?\.\d[fg]|%|\.\d%|points|percent|rough|often))?\}")
Value = str | int | float | None
_UNITS = {"percent": numbers.SHARE, "points": numbers.POINTS}


class SentenceRecord(TypedDict):
    """A sentence as JSON: a template in English with the values that stand in its fields."""

    template: str
    values: Mapping[str, Value | SentenceRecord]


class Sentence(str):
    """A sentence or clause in English, made from a template and values.

    Parameters
    ----------
    template : str
        English, with ``{name}`` or ``{name:form}`` where a value stands. Written as a literal where it is used, so that
        translators find it. Forms: ``,`` (thousands marked), ``.1f``, ``+.1f``, ``.3g``, ``,.1f``, ``%`` and ``.1%``
        (a share as a percentage), ``percent`` and ``points`` (a share, or a difference of shares), ``often`` (a share
        as 7 of 10) and ``rough`` (two digits), as :mod:`audit.core.numbers` writes them. A number without form is
        written as :func:`audit.core.numbers.number` does.
    values : str, int, float or Sentence
        What is filled in. A string stays as it is in every language: a name of the user's, a text. A `Sentence` is
        translated in turn.
    """

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value) -> Sentence:
        """Fill the template in English."""
        self = super().__new__(cls, fill(template, values))
        self.template, self.values = template, values
        return self

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Value]]:  # type: ignore[override]
        return (self.template,), dict(self.values)


def joined(parts: Sequence[str], between: str = " ") -> str:
    """Several sentences as one text; each is still translated by itself. Empty ones are left out."""
    parts = [part for part in parts if part]
    if len(parts) < 2:
        return parts[0] if parts else ""
    template = between.join(f"{{{i}}}" for i in range(len(parts)))
    return Sentence(template, **{str(i): part for i, part in enumerate(parts)})


def listed(parts: Sequence[str], last: str = ", ") -> str:
    """A list in words: a, b, c, with `last` before the last of them."""
    if len(parts) < 2 or last == ", ":
        return joined(parts, ", ")
    return Sentence("{first}{between}{last}", first=joined(parts[:-1], ", "), between=last, last=parts[-1])


def interval(estimate: float, low: float | None, high: float | None) -> str:
    """An estimate with its interval, as :func:`audit.core.numbers.interval` writes it."""
    places = len(numbers.row((estimate, low, high))[0][0].partition(".")[2])
    form = f"{{figure:,.{min(places, 9)}f}}"
    shown, least, most = (Sentence(form, figure=value) for value in (estimate, low, high))
    if low == estimate == high:
        return shown
    if high is None:
        return Sentence(numbers.AT_LEAST, figure=shown)
    return Sentence(numbers.IN_BRACKETS, estimate=shown, low="…" if low is None else least, high=most)


def fill(
    template: str,
    values: Mapping[str, Value],
    say: Callable[[str], str] = str,
    numeral: Callable[[str], str] = str,
) -> str:
    """A template with its values in place; a field that has no value stays as it stands.

    Parameters
    ----------
    template : str
        Already in the language that is spoken.
    values : mapping
    say : callable
        From a value that is a string to what stands for it in that language.
    numeral : callable
        From a number written the English way to how that language writes it.
    """

    def written(field: re.Match[str]) -> str:
        name, form = field.groups()
        if name not in values:
            return field[0]
        value = values[name]
        if isinstance(value, str):
            return say(value)
        if value is not None and form == "often":
            count, total = numbers.often(value)
            return say(Sentence("{count:,} of {total:,}", count=count, total=total))
        if value is not None and form in _UNITS:
            (number,), _ = numbers.row([value], unit=_UNITS[form])
            return say(Sentence(numbers.form_of(number, _UNITS[form]), number=numeral(number)))
        if value is not None and form and form.endswith("%"):
            number = numeral(f"{100 * value:{form[:-1] or '.0'}f}")
            return say(Sentence(numbers.form_of(number, numbers.SHARE), number=number))
        return numeral(_number(value, form))

    return _FIELD.sub(written, template)


def _number(value: float | None, form: str | None) -> str:
    if value is None:
        return numbers.UNKNOWN
    if form == "rough":
        return numbers.rough(value)
    if form:
        written = f"{value:{form}}".replace("-", "−")
        return written if any(digit in written for digit in "123456789") else written.lstrip("−")
    return numbers.number(value)


def of_file(text: str, **values: Value) -> Sentence:
    """A text of one of the package's data files as a sentence; :mod:`audit.report.catalogues` reads it there."""
    return Sentence(text, **values)


def to_json(text: str) -> str | SentenceRecord:
    """A sentence as plain JSON: the text itself, or its template and values."""
    if not isinstance(text, Sentence):
        return text
    return {
        "template": text.template,
        "values": {name: to_json(value) if isinstance(value, str) else value for name, value in text.values.items()},
    }


def from_json(value: object) -> str:
    """The sentence of :func:`to_json`."""
    if not isinstance(value, Mapping):
        return "" if value is None else str(value)
    template, parts = value.get("template"), value.get("values")
    if not isinstance(template, str) or not isinstance(parts, Mapping):
        return "…"  # cut, since it was nested too deeply
    values = {name: from_json(part) if isinstance(part, Mapping) else part for name, part in parts.items()}
    return Sentence(template, **values)
