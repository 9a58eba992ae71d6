"""Untrusted text and figures, made fit to show. It decides how things are written, not what is said.

Escaping is the template's, except where changed words are marked.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import unicodedata
from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache, partial
from typing import cast

from markupsafe import Markup, escape

from audit.core import numbers
from audit.core.numbers import Figures, is_number
from audit.core.records import FindingRecord, GateChangeRecord, GateRecord, Record
from audit.core.sentences import Sentence, fill, from_json
from audit.core.verdict import Gate, verdict_of
from audit.policy import toml
from audit.report.i18n import language
from audit.report.i18n.language import words
from audit.text.characters import beginning, visible

CELL, HEADER, LONGEST = 300, 60, 2_000
_DEEPEST = 24
_LARGEST = 1e15
_IN_FIELD = re.compile(r"\{[^}]*\}")
_NBSP = "\N{NO-BREAK SPACE}"
# Around what is English on a page in another language; Unicode keeps them for inner uses, and no text brings them in.
_ENGLISH, _ENDS = "\ufdd0", "\ufdd1"


def clean(value: object, depth: int = 0) -> object:
    """A copy of a JSON value with tokens for unseen characters, without overlong texts or numbers that are none."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _finite(value)
    if depth == _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {_text(str(key)): clean(item, depth + 1) for key, item in value.items()}
    assert isinstance(value, Sequence), type(value)
    return [clean(item, depth + 1) for item in value]


def _text(value: str) -> str:
    return _visible(value[: LONGEST + 1])


@lru_cache(maxsize=16_384)  # page, summary, badge and table each show a record
def _visible(beginning: str) -> str:
    return short(visible(beginning.replace("\r\n", "\n")), LONGEST)


def shown(record: Record) -> Record:
    """A clean copy of a record, under the verdict that its findings bear out."""
    cleaned = cast("Record", clean(_with_gates_in_reach(record)))  # a copy has its form
    return {**cleaned, "verdict": verdict_of(record)}


def _with_gates_in_reach(record: Record) -> Record:
    """The record with the nearest bound that can be shown in the place of one that is too large: a gate stays one."""
    whole: Record = {
        **record,
        "findings": [{**each, "gate": _in_reach(each["gate"])} for each in record["findings"]],
    }
    if baseline := record.get("baseline"):
        whole["baseline"] = {**baseline, "gates": _changes_in_reach(baseline.get("gates", ()))}
    if origin := record.get("policy_origin"):
        whole["policy_origin"] = {**origin, "gates": _changes_in_reach(origin["gates"])}
    return whole


def _changes_in_reach(changes: Sequence[GateChangeRecord]) -> list[GateChangeRecord]:
    return [{**each, "before": _in_reach(each["before"]), "now": _in_reach(each["now"])} for each in changes]


def _in_reach(gate: GateRecord | None) -> GateRecord | None:
    if not gate:
        return gate
    bound = min(max(Gate.of(gate).bound, -_LARGEST), _LARGEST)
    return {**gate, "min": bound} if "min" in gate else {**gate, "max": bound}


def _finite(value: float) -> float | None:
    if abs(value) > _LARGEST:
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def short(text: str, length: int = CELL) -> str:
    """The text, cut where it is too long to be read."""
    if len(text) <= length:
        return text
    cut = beginning(text, length)
    # A letter keeps the accents that were stacked on it, but no more of them than fit.
    while cut and unicodedata.combining(cut[-1]):
        cut = cut[:-1]
    return f"{cut}…"


def english(said: str) -> str:
    """What the record says in English, so that the page can mark it as such where it is in another language."""
    return said if not said or language.current() == language.ENGLISH else f"{_ENGLISH}{said}{_ENDS}"


def is_english(said: str) -> bool:
    """Whether a text is English, on a page in any language."""
    return language.current() == language.ENGLISH or said.startswith(_ENGLISH)


def said(value: object) -> str:
    """A sentence, as the record or a piece of evidence holds it, in the language of the page; else marked as English.

    Whoever reads it aloud needs to know its language; so the whole is English where its template has no translation.
    """
    sentence = from_json(value) if isinstance(value, Mapping) else value
    if not isinstance(sentence, Sentence):
        return english(str(sentence))
    template = language.translation(sentence.template, language.RECORD)
    if not template and re.search("[A-Za-z]{2}", _IN_FIELD.sub("", sentence.template)):
        return english(str(sentence))
    return fill(template or _parts_joined(sentence.template), sentence.values, _part, language.numeral)


def _parts_joined(template: str) -> str:
    """A template without words of its own: of one that only joins its parts, what the language has between them."""
    if not re.match(r"\{0\}", template):
        return template
    return "".join(part if i % 2 else language.joint(part) for i, part in enumerate(re.split(r"(\{\d+\})", template)))


def _part(value: str) -> str:
    return said(value) if isinstance(value, Sentence) else value


def told(said: str) -> str:
    """A term of the record in the language of the page, or marked as English where the catalogue does not have it."""
    known = language.translation(said)
    return english(said) if not known and re.search("[A-Za-z]{2}", said) else known or said


def voiced(value: object) -> object:
    """A value of the page with its English parts as elements of their own, so that they are read out rightly."""
    if not isinstance(value, str) or _ENGLISH not in value:
        return value
    if value.count(_ENGLISH) != value.count(_ENDS):
        return unvoiced(value)  # cut in between
    escaped = str(escape(value))
    return Markup(escaped.replace(_ENGLISH, '<span lang="en">').replace(_ENDS, "</span>"))  # noqa: S704


def unvoiced(value: str) -> str:
    """A text without the marks of what is English, for where no element can stand."""
    return value.replace(_ENGLISH, "").replace(_ENDS, "")


def sentence(clause: str) -> str:
    """A clause as a sentence: capital, but of a file's name, and full stop."""
    clause = clause.strip()
    end = _ENDS if clause.endswith(_ENDS) else ""
    start = _ENGLISH if clause.startswith(_ENGLISH) else ""
    inside = clause[len(start) : len(clause) - len(end)]
    if not inside:
        return ""
    stop = "" if inside[-1] in ".!?…。！？" else "." if end else language.stop()
    head = inside[0] if re.match(r"[\w-]+\.\w", inside) else inside[0].upper()
    return f"{start}{head}{inside[1:]}{stop}{end}"


# What only whoever runs the audit can read: keys of the policy, options, commands, in a clause of its own.
_TECHNICAL = re.compile(r"(?<!\w)--[a-z]|\[[a-z][\w.]*\]|`[^`]+`|python -m|\b\w+\.toml\b")
_CLAUSES = re.compile(r"(?<=[;；])\s+|(?<=[.!?])\s+|(?<=[。！？；])")


def plainly(said: str) -> str:
    """The text without clauses of keys, options and commands; whole where nothing else is left."""
    clauses = _CLAUSES.split(said)
    kept = [clause for clause in clauses if not _TECHNICAL.search(clause)]
    return _joined(kept) if 0 < len(kept) < len(clauses) else said


def technical(said: str) -> str:
    """The clauses that are left out of :func:`plainly`; empty where there are none, or nothing else."""
    clauses = _CLAUSES.split(said)
    own = [clause for clause in clauses if _TECHNICAL.search(clause)]
    return sentence(_joined(own)) if len(own) < len(clauses) else ""


def _joined(clauses: Sequence[str]) -> str:
    """Clauses, of which some may have been taken out, as sentences."""
    return language.together(
        re.sub("[;；]$", lambda end: "." if end[0] == ";" else "。", each.strip()) for each in clauses if each.strip()
    )


# Between a number and what it counts a line must not end; what is quoted stays as it is.
_UNIT = re.compile(r"(?<=\d) (?=(?:%|ε|g CO|(?:kWh|Wh|W|kg|g|ms|s|points?|Punkte?n?|times)\b))")
_AS_IT_IS = frozenset(("q", "pre", "code", "style", "title"))


def unbroken(html: str) -> str:
    """A page whose numbers stay beside their units."""
    return between_tags(html, _AS_IT_IS, partial(_UNIT.sub, _NBSP))


_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*>|<[^>]*>")


def between_tags(html: str, left_alone: Container[str], change: Callable[[str], str]) -> str:
    """A page with its text changed, but for what stands within elements that are left alone; escaped as it was."""
    pieces, within, end = list[str](), 0, 0
    for tag in _TAG.finditer(html):
        if end < tag.start():
            piece = html[end : tag.start()]
            pieces.append(piece if within else change(piece))
        if tag[2] in left_alone:
            within += -1 if tag[1] else 1
        pieces.append(tag[0])
        end = tag.end()
    piece = html[end:]
    return "".join([*pieces, piece if within else change(piece)])


def figure(value: float | None) -> str:
    """A number as people read it, in the language of the page."""
    return language.numeral(numbers.number(value))


def figures(values: Sequence[float | None], bound: float | None = None, unit: str = "") -> Figures:
    """What a finding says in numbers, in the language of the page; see :func:`audit.core.numbers.figures`."""
    written = numbers.figures(values, bound, unit, _form, language.numeral)
    # In Chinese, each end of a range of percentages has its sign (GB/T 15835).
    if numbers.scale_of(unit) != numbers.SHARE or not language.is_full_width() or written.low == numbers.UNKNOWN:
        return written
    return written._replace(low=numbers.quantity(written.low, unit, _form))


def sourced(figure: str, finding: FindingRecord) -> str:
    """A figure, and whether it was measured or estimated where it is one of electricity."""
    return by_source(figure, finding.get("source", "")) if finding["estimate"] is not None else figure


def by_source(figure: str, source: str) -> str:
    """A figure of electricity or of gases, and how it was come by."""
    return words.SOURCED.format(figure=figure, source=words.SOURCES[source]) if source in words.SOURCES else figure


def row(values: Sequence[float | None], unit: str = "") -> list[str]:
    """Numbers of one precision, each in its unit, in the language of the page."""
    written, _ = numbers.row(values, unit=unit)
    return [
        number if value is None else numbers.quantity(language.numeral(number), unit, _form)
        for value, number in zip(values, written, strict=True)
    ]


def quantity(value: float | None, unit: str) -> str:
    """A number that stands alone, in its unit, in the language of the page."""
    return row([value], unit)[0]


def exact(value: float | None, unit: str = "") -> str:
    """A number that somebody set, in its unit, with all its digits."""
    written = language.numeral(numbers.exact(value, unit))
    return written if value is None else numbers.quantity(written, unit, _form)


def percent(share: float) -> str:
    """A share that is a round number: a confidence, a tick of a scale."""
    return exact(share, numbers.SHARE)


def unit(name: str) -> str:
    """A unit in the language of the page."""
    return name if name in numbers.SYMBOLS else told(name)


def _form(part: str) -> str:
    """A unit, or a form of numbers, in the language of the page; what belongs together stays on one line."""
    if "{" not in part:
        return unit(part)
    said = language.say(part)
    return said.replace(" ", _NBSP, 1) if part in numbers.FORMS else said.replace(" {high}", f"{_NBSP}{{high}}")


def cell(value: object) -> str:
    """A cell of a table, or any other single value."""
    if isinstance(value, bool):
        return words.YES if value else words.NO
    if isinstance(value, int | float) or value is None:
        return figure(value)
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False)
    return short(value)


def date(stamp: object) -> str:
    """``2026-11-23T23:41:27Z`` as 23 November 2026, 23:41 UTC."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ", str(stamp))
    day_text = day(match[1]) if match else None
    return words.MOMENT.format(day=day_text, time=match[2]) if match and day_text != match[1] else cell(stamp)


def day(stamp: object) -> str:
    """``2027-01-31`` as 31 January 2027."""
    try:
        day_text = language.day(*map(int, re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)", str(stamp)).groups()))  # type: ignore[union-attr]
    except (AttributeError, ValueError):
        return cell(stamp)
    return day_text.replace(" ", _NBSP, 1)


def large(count: object) -> str:
    """A number of parameters: 1.47 million."""
    if not is_number(count):
        return words.PAGE["unknown"]
    return figure(count) if count < 1e6 else language.rounded(count).replace(" ", _NBSP)


def fingerprint(value: object) -> str:
    """The beginning of a fingerprint, enough to compare by eye."""
    if not isinstance(value, str) or not value:
        return words.PAGE["unknown"]
    head, _, rest = value.rpartition(":")
    return f"{head}:{rest[:12]}…" if head else f"{rest[:12]}…"


def marked(before: str, after: str) -> tuple[Markup, Markup]:
    """Two versions of a text as HTML, escaped, with the words that differ between them marked."""
    old, new = (re.findall(r"\s+|\S+", short(text)) for text in (before, after))
    left, right = Markup(), Markup()
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = escape("".join(old[a:b])), escape("".join(new[c:d]))
        if kind == "equal":
            left, right = left + gone, right + come
            continue
        left += Markup("<del>{}</del>").format(gone) if gone else ""
        right += Markup("<ins>{}</ins>").format(come) if come else ""
    return left, right


def policy_file(policy: Mapping[str, object]) -> str:
    """Settings as the lines of a policy file; what is not set is left out."""
    return _policy_file(json.dumps(policy))


@lru_cache(maxsize=8)  # a page is made twice
def _policy_file(policy: str) -> str:
    return short(toml.document(json.loads(policy)), 20_000)
