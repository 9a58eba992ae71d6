"""The verdict as a small picture, for a README."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from markupsafe import Markup

from audit.core.identifiers import base_id
from audit.core.records import Record, section
from audit.core.verdict import is_alarm, is_waived, verdict_of
from audit.record.declarations import of_record
from audit.report.headline import word
from audit.report.i18n.language import counted, spoken, words
from audit.report.page import evidence, findings, text

# White text has a contrast of at least 4.5 to 1 on each of them (WCAG 2.2, 1.4.3).
_COLOURS = {"holds": "#1a7f37", "fails": "#b42318", "open": "#8a5a00"}
# Pixels, at font size 11: width of a letter, width of a Chinese letter, padding at the sides, height of the badge.
_WIDE, _WIDER, _EDGE, _HEIGHT = 6.6, 11, 8, 20
_ALARMS = 5  # said in its title
_DRAWING = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img" aria-label="{label}: {told}">'
    "<title>{label}: {told}{alarms}</title>"
    '<rect width="{width}" height="{height}" rx="3" fill="#444c56"/>'
    '<rect x="{left}" width="{right}" height="{height}" rx="3" fill="{colour}"/>'
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
    '<text x="{middle_left}" y="14" textLength="{text_left}">{label}</text>'
    '<text x="{middle_right}" y="14" textLength="{text_right}">{said}</text>'
    "</g></svg>\n"
)


@spoken
def render(record: Record) -> str:
    """The badge of a record, as SVG: the verdict, and how many gates hold."""
    mark, owner = words.RELEASES[verdict_of(record)], section(record["policy"], "about").get("owner")
    said = word(record)
    gated = [finding for finding in record["findings"] if finding["gate"]]
    hold = sum(finding["verdict"] == "pass" for finding in gated)
    caption = words.BADGE.format(word=said[:1].lower() + said[1:], hold=hold, gates=len(gated) + len(record["not_run"]))
    if unexceeded := sum(finding["verdict"] == "not_exceeded" for finding in gated):
        caption += words.BADGE_NOT_EXCEEDED.format(count=unexceeded)
    waived = sum(map(is_waived, gated))
    if waived:
        caption += words.BADGE_WAIVED.format(count=waived)
    if alarms := sum(map(is_alarm, record["findings"])):
        caption += counted(words.BADGE_ALARMS, alarms)
    # Seen where the pointer rests on it, and read aloud: a name would make the badge as wide as it is long.
    told = caption + (words.BADGE_OWNER.format(owner=text.cell(text.clean(owner))) if owner else "")
    text_left, text_right = map(_width, (words.BADGE_LABEL, caption))
    left, right = text_left + 2 * _EDGE, text_right + 2 * _EDGE
    return _DRAWING.format(
        width=left + right,
        height=_HEIGHT,
        left=left,
        right=right,
        colour=_COLOURS[mark.kind],
        middle_left=left / 2,
        middle_right=left + right / 2,
        text_left=text_left,
        text_right=text_right,
        label=words.BADGE_LABEL,
        said=caption,
        alarms="".join(f"\n{said}" for said in _alarms(record)),
        told=told,
    )


def _alarms(record: Record) -> Iterator[str]:
    """What is told of alarms to whoever rests on the badge."""
    shown = text.shown(record)
    known, found = of_record(shown), list(filter(is_alarm, shown["findings"]))
    yield from (findings.in_words(each, known.get(base_id(each["id"]))) for each in found[:_ALARMS])
    if len(found) > _ALARMS:
        yield evidence.more(found, _ALARMS)


def _width(caption: str) -> int:
    return round(sum(_WIDER if unicodedata.east_asian_width(letter) in "WF" else _WIDE for letter in caption))
