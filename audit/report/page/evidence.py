"""The evidence behind a finding: tables, pairs of texts and single figures, cut to what a person reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from audit.core.verdict import is_number
from audit.report.i18n.language import numeral, words
from audit.report.page import figures, text

# Names that the column of an interval's lower end may have.
_LOWEST = ("low", "at least")


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
    numeric = [any(is_number(row[i]) for row in rows) for i in range(width)]
    drawings, scale = _spans(columns, rows)
    return Table(
        text.short(raw["caption"]), columns, numeric,
        [[text.short(value, limits.cell) for value in _cells(columns, row)] for row in rows], drawings, scale,
        more(raw["rows"], limits.rows),
    )  # fmt: skip


def _cells(columns: Sequence[str], row: Sequence[Any]) -> list[str]:
    """The cells of a row in words; a figure and the ends of its interval, which stand behind it, in one precision."""
    cells = list(map(text.cell, row))
    for i, name in enumerate(columns):
        own = slice(i - 1, i + 2)
        if 0 < i < len(row) - 1 and name.endswith(_LOWEST) and all(is_number(v) or v is None for v in row[own]):
            cells[own] = text.figures(row[own], None)[0]
    return cells


def _spans(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[list[Markup], str]:
    """A drawing for each row of a table that has an interval in its columns: value, low, high."""
    try:
        at = columns.index("low") - 1
    except ValueError:
        return [], ""
    if at < 0 or columns[at + 1 : at + 3] != ["low", "high"]:
        return [], ""
    parts = [[value if is_number(value) else None for value in row[at : at + 3]] for row in rows]
    known = [value for part in parts for value in part if value is not None]
    if not known or min(known) == max(known):
        return [], ""
    start, end = min(known), max(known)
    drawings = [figures.span(part, start, end) for part in parts]
    return drawings, " – ".join(text.figures([start, end], None)[0])


class Roc(NamedTuple):
    """ROC curves: what they are of, the drawing, and for each curve a piece of its line, its name and its rates."""

    caption: str
    drawing: Markup
    legend: Sequence[tuple[Markup, str, str]]


def roc(raw: Mapping[str, Any], confidence: float) -> Roc | None:
    """The ROC curves of the record, ready to show; None where it holds no point that can be drawn."""
    curves = []
    for curve in raw["curves"][: len(figures.LINES)]:
        points = sorted((x, y) for x, y in known(curve["points"]) if x > 0)
        if points:
            curves.append((text.short(curve["name"], text.HEADER), points, known(curve["intervals"])))
    if not curves:
        return None
    labelled = [(name, "; ".join(_rate(*interval) for interval in intervals)) for name, _, intervals in curves]
    label = words.ROC_LABEL.format(confidence=text.percent(confidence))
    description = " ".join(text.sentence(f"{name}: {rates}") for name, rates in labelled if rates)
    drawing = figures.roc([points for _, points, _ in curves], curves[0][2], f"{label} {description}".strip())
    legend = [
        (figures.key(kind), text.english(name), rates)
        for kind, (name, rates) in zip(figures.LINES, labelled, strict=False)
    ]
    return Roc(text.english(text.short(raw["caption"])), drawing, legend)


class Pareto(NamedTuple):
    """Models by accuracy and energy: the drawing, and for each its mark, its name and its figures."""

    drawing: Markup
    legend: Sequence[tuple[Markup, str, str]]


def pareto(raw: Sequence[Mapping[str, Any]], confidence: float) -> Pareto | None:
    """The models of the record, ready to show; None where it holds none that can be drawn."""
    points = [
        figures.Point(text.short(each["name"]), each["accuracy"], each["wh"], each["front"], each["audited"])
        for each in raw
        if len(known([each["accuracy"], each["wh"]])) == 2 and each["wh"][0] > 0
    ]
    if not points:
        return None
    labelled = [(f"{number} {point.name}", _model(point)) for number, point in enumerate(points, 1)]
    label = words.PARETO_LABEL.format(confidence=text.percent(confidence))
    description = " ".join(text.sentence(f"{name}: {shown}") for name, shown in labelled)
    legend = [
        (figures.model_key(point), text.english(name), shown)
        for point, (name, shown) in zip(points, labelled, strict=True)
    ]
    return Pareto(figures.pareto(points, f"{label} {description}"), legend)


def _model(point: figures.Point) -> str:
    """What is to be read off the drawing of one model."""
    right, low, high = (words.PERCENT.format(number=numeral(f"{100 * share:.1f}")) for share in point.right)
    wh, wh_low, wh_high = text.figures(point.wh, None)[0]
    figure_text = words.PARETO_POINT.format(right=right, low=low, high=high, wh=wh, wh_low=wh_low, wh_high=wh_high)
    also = [word for so, word in ((point.audited, words.PARETO_AUDITED), (point.front, words.PARETO_FRONT)) if so]
    return "; ".join([figure_text, *also])


class Explained(NamedTuple):
    """An answer with the words that it rests on: what the model and people said, the text, and the words in words."""

    head: str
    passage: Markup
    description: str


def explained(raw: Sequence[Mapping[str, Any]], limits: Limits) -> list[Explained]:
    """The explanations of the record, ready to show."""
    return [_explained(each) for each in raw[: limits.examples]]


def _explained(raw: Mapping[str, Any]) -> Explained:
    parts: list[tuple[str, int]] = raw["parts"]
    passage = Markup().join(
        Markup('<span class="{}{}">{}</span>').format("for" if weight > 0 else "against", abs(weight), part)
        if weight
        else Markup("{}").format(part)
        for part, weight in parts
    )
    ways = [
        form.format(words=", ".join(text.short(part, text.HEADER) for part in foremost))
        for form, sign in ((words.EXPLAINED_FOR, 1), (words.EXPLAINED_AGAINST, -1))
        if (foremost := [part for part, weight in sorted(parts, key=lambda p: -sign * p[1]) if sign * weight > 1][:5])
    ]
    form = words.EXPLAINED_RIGHT if raw["answer"] == raw["truth"] else words.EXPLAINED_WRONG
    names = {name: text.short(str(raw[name]), text.HEADER) for name in ("answer", "truth")}
    share = raw["probability"] if is_number(raw["probability"]) else 0.0
    head = form.format(**names, probability=text.percent(float(f"{share:.3g}")))
    return Explained(head if raw["passed"] else f"{head} {words.EXPLAINED_FAILED}", passage, " ".join(ways))


class Attended(NamedTuple):
    """What a head of the network weighs: what it is of, and the drawing."""

    caption: str
    drawing: Markup


def attended(raw: Mapping[str, Any]) -> Attended | None:
    """The attention of the record, ready to show; None where it holds none that can be drawn."""
    tokens = [text.short(str(token), 20) for token in raw["tokens"][: figures.MOST_TOKENS]]
    weights = [row[: len(tokens)] for row in raw["weights"][: len(tokens)]]
    if len(weights) != len(tokens) or any(len(known([row])) != 1 or len(row) != len(tokens) for row in weights):
        return None
    places = {name: text.figure(raw[name]) for name in ("head", "heads", "layer", "layers")}
    caption = words.ATTENTION_CAPTION.format(**places)
    largest = max(((weight, i, j) for i, row in enumerate(weights) for j, weight in enumerate(row)), default=None)
    if largest is None:
        return None
    weight, i, j = largest
    most = words.ATTENTION_MOST.format(reader=tokens[i], read=tokens[j], weight=text.percent(float(f"{weight:.2g}")))
    return Attended(caption, figures.heat(tokens, weights, f"{caption} {most}"))


class Lines(NamedTuple):
    """Curves with intervals: what they are of, the drawing, and for each a piece of its line and its name."""

    caption: str
    drawing: Markup
    legend: Sequence[tuple[Markup, str]]


def lines(raw: Mapping[str, Any]) -> Lines | None:
    """The curves of the record, ready to show; None where it holds no point that can be drawn."""
    logarithmic = bool(raw.get("logarithmic"))
    curves = []
    for each in raw["series"][: len(figures.LINES)]:
        points = [point for point in known(each["points"]) if point[0] > 0 and (min(point) > 0 or not logarithmic)]
        if points:
            curves.append((text.short(each["name"], text.HEADER), sorted(points, key=lambda point: point[0])))
    if not curves:
        return None
    caption = text.short(raw["caption"])
    drawing = figures.lines([points for _, points in curves], caption, logarithmic=logarithmic)
    legend = [(figures.key(kind), text.english(name)) for kind, (name, _) in zip(figures.LINES, curves, strict=False)]
    return Lines(text.english(caption), drawing, legend)


def known(rows: Sequence[Sequence[Any]]) -> list[Sequence[float]]:
    """The rows in which every number is known."""
    return [row for row in rows if all(map(is_number, row))]


def _rate(level: float, rate: float, low: float, high: float) -> str:
    """How many are recognised at a level of false alarms, two digits of each."""
    level_, rate_, low_, high_ = (text.percent(float(f"{share:.2g}")) for share in (level, rate, low, high))
    return words.ROC_RATE.format(level=level_, rate=rate_, low=low_, high=high_)


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
    return words.MORE.format(count=text.figure(len(items) - shown)) if len(items) > shown else ""
