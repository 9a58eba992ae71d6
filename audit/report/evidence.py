"""The evidence behind a finding: tables, pairs of texts and single figures, cut to what a person reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from audit.report import figures, text, words


class Limits(NamedTuple):
    """How much evidence is shown; what is left out is said and stands in the record."""

    rows: int = 100
    columns: int = 40
    examples: int = 12
    figures: int = 60
    cell: int = text.CELL


class Pair(NamedTuple):
    """A text before and after a change, the changed words marked; `after` is None where one text is all there is."""

    before: Markup
    after: Markup | None
    note: str


class Table(NamedTuple):
    """A table of the evidence."""

    caption: str
    columns: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]
    drawings: Sequence[Markup]
    scale: str
    more: str


def table(raw: Mapping[str, Any], limits: Limits) -> Table:
    """A table of the record, ready to show."""
    columns = [text.short(name, text.HEADER) for name in raw["columns"][: limits.columns]]
    width = len(columns)
    rows = [[*row[:width], *[None] * (width - len(row))] for row in raw["rows"][: limits.rows]]
    numeric = [any(text.is_number(row[i]) for row in rows) for i in range(width)]
    drawings, scale = _spans(columns, rows)
    return Table(
        text.short(raw["caption"]), columns, numeric,
        [[text.short(text.cell(value), limits.cell) for value in row] for row in rows], drawings, scale,
        more(raw["rows"], limits.rows),
    )  # fmt: skip


def _spans(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[list[Markup], str]:
    """A drawing for each row of a table that has an interval in its columns: value, low, high."""
    try:
        at = columns.index("low") - 1
    except ValueError:
        return [], ""
    if at < 0 or columns[at + 1 : at + 3] != ["low", "high"]:
        return [], ""
    parts = [[value if text.is_number(value) else None for value in row[at : at + 3]] for row in rows]
    known = [value for part in parts for value in part if value is not None]
    if not known or min(known) == max(known):
        return [], ""
    start, end = min(known), max(known)
    drawings = [figures.span(part, start, end) for part in parts]
    return drawings, f"{text.figure(start)} – {text.figure(end)}"


def label(key: str) -> str:
    """A key of the evidence as words."""
    return text.short(key.replace("_", " "), text.HEADER)


def single(value: Any) -> str:
    """A single value; a point in time as a date."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+Z", value):
        return text.date(value)
    return text.cell(value)


def more(items: Sequence[Any], shown: int) -> str:
    """How many are left out; empty if none."""
    return words.MORE.format(count=len(items) - shown) if len(items) > shown else ""
