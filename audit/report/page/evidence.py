"""The evidence behind a finding: tables, pairs of texts and single figures, cut to what a person reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from markupsafe import Markup

from audit.core import evidence as core
from audit.core.numbers import SHARE, is_number
from audit.core.sentences import Sentence
from audit.report.i18n import language
from audit.report.i18n.language import words
from audit.report.i18n.words import Mark
from audit.report.page import figures, text

_ON_PAPER = 3  # texts of a finding that decided nothing or holds; of the others all are printed
_MOST_MODELS = 20
# How the columns of an interval's ends are called.
_LOWEST, _HIGHEST = ("low", "at least"), ("high", "at most")


class Limits(NamedTuple):
    """How much evidence is shown; what is left out is said and stands in the record."""

    rows: int = 100
    columns: int = 40
    examples: int = 12
    figures: int = 60
    cell: int = text.CELL


@dataclass(frozen=True)
class View:
    """A piece of evidence, ready to show. `kind` names the macro that lays it out."""

    kind: ClassVar[str]
    is_picture: ClassVar[bool] = False


@dataclass(frozen=True)
class Table(View):
    """A table of the evidence; `lang` is set where its words are in another language than the page."""

    kind = "table"
    caption: str
    columns: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[str]]
    drawings: Sequence[Markup]
    scale: str
    more: str
    lang: str


def table(raw: core.Table, limits: Limits, *, is_own: bool = False) -> Table:
    """A table, ready to show; `is_own` where its words are in the language of the page already.

    A figure and the two ends of its interval, which stand in columns of their own, are one: 83.2 % [81.5, 84.8].
    """
    is_foreign = not is_own and text.is_english(text.said(raw.caption)) and language.current() != language.ENGLISH
    lang = language.ENGLISH if is_foreign else ""
    say: Callable[[object], str] = str if is_own or lang else text.said
    columns = [
        text.short(say(name), text.CELL if isinstance(name, Sentence) else text.HEADER)
        for name in raw.columns[: limits.columns]
    ]
    keys = [str(name) for name in raw.columns[: limits.columns]]
    width = len(columns)
    rows = [[*row[:width], *[None] * (width - len(row))] for row in raw.rows[: limits.rows]]
    units = [*raw.units[:width], *[""] * (width - len(raw.units))]
    drawings, scale = _spans(keys, rows, units)
    figures_at = {i for i in range(width - 2) if _is_interval(keys[i : i + 3], [row[i : i + 3] for row in rows])}
    left = [i for i in range(width) if not figures_at & {i - 1, i - 2}]

    def cell(row: Sequence[core.Cell], i: int) -> str:
        whole = _interval(row[i : i + 3], units[i]) if i in figures_at else _cell(row[i], units[i], say)
        return text.short(whole, limits.cell)

    cells = [[cell(row, i) for i in left] for row in rows]
    numeric = [any(is_number(row[i]) for row in rows) for i in left]
    shown, named = text.short(say(raw.caption)), [columns[i] for i in left]
    return Table(shown, named, numeric, cells, drawings, scale, more(raw.rows, limits.rows), lang)


def _is_interval(columns: Sequence[str], rows: Sequence[Sequence[core.Cell]]) -> bool:
    """Whether three columns are a figure and the ends of its interval, in each row that holds any of them."""
    _, low, high = columns
    are_ends = low.endswith(_LOWEST) and high.endswith(_HIGHEST)
    return are_ends and all(is_number(value) or value is None for row in rows for value in row)


def _interval(values: Sequence[core.Cell], unit: str) -> str:
    """A figure with its interval; alone where neither end is known."""
    known = [float(value) if is_number(value) else None for value in values]
    if known[1:] == [None, None]:
        return text.row(known[:1], unit)[0]
    return text.figures(known, unit=unit).interval


def _cell(value: core.Cell, unit: str, say: Callable[[object], str] = text.said) -> str:
    if isinstance(value, Sentence):
        return say(value)
    return text.quantity(value, unit) if is_number(value) and unit else text.cell(value)


def _spans(
    columns: Sequence[str], rows: Sequence[Sequence[core.Cell]], units: Sequence[str]
) -> tuple[list[Markup], str]:
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
    return drawings, " – ".join(text.row([start, end], units[at]))


# What a name of electricity or greenhouse gases holds, in English, as the record has it.
_ENERGY = re.compile(r"\bk?Wh\b|CO2|CO₂|electricity|energy|carbon|, W$")


@dataclass(frozen=True)
class Roc(View):
    """ROC curves: what they are of, the drawing, and for each curve a piece of its line, its name and its rates."""

    kind = "roc"
    is_picture = True
    caption: str
    drawing: Markup
    legend: Sequence[tuple[Markup, str, str]]


def roc(raw: core.RocCurves, confidence: float) -> Roc | None:
    """ROC curves, ready to show; None where there is no point that can be drawn."""
    curves = []
    for curve in raw.curves[: len(figures.LINES)]:
        points = sorted((x, y) for x, y in known(curve.points) if x > 0)
        if points:
            curves.append((text.short(text.said(curve.name), text.HEADER), points, known(curve.intervals)))
    if not curves:
        return None
    rates = [(name, words.SEMICOLON.join(_rate(*interval) for interval in intervals)) for name, _, intervals in curves]
    label = words.ROC_LABEL.format(confidence=text.percent(confidence))
    read = language.together(_labelled(text.unvoiced(name), shown) for name, shown in rates if shown)
    drawing = figures.roc([points for _, points, _ in curves], curves[0][2], language.together((label, read)))
    legend = [(figures.key(kind), name, shown) for kind, (name, shown) in zip(figures.LINES, rates, strict=False)]
    return Roc(text.short(text.said(raw.caption)), drawing, legend)


@dataclass(frozen=True)
class Pareto(View):
    """Models by accuracy and energy: the drawing, and for each its mark, its name and its figures."""

    kind = "pareto"
    is_picture = True

    drawing: Markup
    legend: Sequence[tuple[Markup, str, str]]


def pareto(raw: core.Pareto, confidence: float, source: str = "") -> Pareto | None:
    """Models, ready to show; None where there is none that can be drawn."""
    points = [
        figures.Point(text.short(text.said(each.name)), whole[0], whole[1], each.front, each.audited)
        for each in raw.models[:_MOST_MODELS]
        if len(whole := known([each.accuracy, each.wh])) == 2 and whole[1][0] > 0
    ]
    if not points:
        return None
    shown = [(f"{number} {point.name}", _model(point, source)) for number, point in enumerate(points, 1)]
    label = words.PARETO_LABEL.format(confidence=text.percent(confidence))
    read = language.together(_labelled(text.unvoiced(name), figure) for name, figure in shown)
    legend = [(figures.model_key(point), name, figure) for point, (name, figure) in zip(points, shown, strict=True)]
    return Pareto(figures.pareto(points, text.unvoiced(language.together((label, read)))), legend)


def _labelled(name: str, said: str) -> str:
    return text.sentence(words.LABELLED.format(word=name, said=said))


def _model(point: figures.Point, source: str) -> str:
    """What is to be read off the drawing of one model."""
    right, wh = (text.figures(point.right, unit=SHARE).interval, text.figures(point.wh, unit="Wh").interval)
    wh = text.by_source(wh, source)
    figure_text = words.PARETO_POINT.format(right=right, wh=wh)
    also = [word for so, word in ((point.audited, words.PARETO_AUDITED), (point.front, words.PARETO_FRONT)) if so]
    return words.SEMICOLON.join([figure_text, *also])


class Explained(NamedTuple):
    """An answer with the words that it rests on: what the model and people said, the text, and the words in words."""

    head: str
    passage: Markup
    description: str


@dataclass(frozen=True)
class Attributions(View):
    """Answers with the words that they rest on."""

    kind = "attributions"
    is_picture = True
    answers: Sequence[Explained]


def attributions(raw: core.Attributions, limits: Limits) -> Attributions | None:
    """Explanations, ready to show; None where there are none."""
    return Attributions([_explained(each) for each in raw.answers[: limits.examples]]) if raw.answers else None


def _explained(raw: core.Attribution) -> Explained:
    parts = [(str(part), weight) for part, weight in raw.parts]
    said = Markup().join(
        Markup('<span class="{}{}">{}</span>').format("for" if weight > 0 else "against", abs(weight), part)
        if weight
        else Markup("{}").format(part)
        for part, weight in parts
    )
    ways = [
        form.format(words=words.COMMA.join(map(_bare, foremost)))
        for form, sign in ((words.EXPLAINED_FOR, 1), (words.EXPLAINED_AGAINST, -1))
        if (foremost := [part for part, weight in sorted(parts, key=lambda p: -sign * p[1]) if sign * weight > 1][:5])
    ]
    form = words.EXPLAINED_RIGHT if raw.answer == raw.truth else words.EXPLAINED_WRONG
    names = {"answer": text.short(raw.answer, text.HEADER), "truth": text.short(raw.truth, text.HEADER)}
    head = form.format(**names, probability=text.quantity(raw.probability or 0.0, SHARE))
    head = language.together((head, "" if raw.passed else words.EXPLAINED_FAILED))
    return Explained(head, said, language.together(ways))


def _bare(word: str) -> str:
    """A word of a text without the marks around it, of which a full stop would end our sentence twice."""
    return text.short(word.strip(" .,;:!?…\"'()") or word, text.HEADER)


@dataclass(frozen=True)
class Curves(View):
    """Curves with intervals: what they are of, the drawing, and for each a piece of its line and its name."""

    kind = "curves"
    is_picture = True
    caption: str
    drawing: Markup
    legend: Sequence[tuple[Markup, str]]


def curves(raw: core.Curves) -> Curves | None:
    """Curves, ready to show; None where there is no point that can be drawn."""
    drawn = []
    for each in raw.series[: len(figures.LINES)]:
        points = [point for point in known(each.points) if point[0] > 0 and (min(point) > 0 or not raw.logarithmic)]
        if points:
            name = text.short(text.said(each.name), text.HEADER)
            drawn.append((name, sorted(points, key=lambda point: point[0])))
    if not drawn:
        return None
    caption = text.short(text.said(raw.caption))
    drawing = figures.lines([points for _, points in drawn], text.unvoiced(caption), logarithmic=raw.logarithmic)
    legend = [(figures.key(kind), name) for kind, (name, _) in zip(figures.LINES, drawn, strict=False)]
    return Curves(caption, drawing, legend)


@dataclass(frozen=True)
class Calibration(View):
    """The reliability diagram."""

    kind = "calibration"
    is_picture = True
    drawing: Markup


def calibration(raw: core.Calibration) -> Calibration | None:
    """A reliability diagram, ready to show; None where no bin can be drawn."""
    bins = known(raw.bins)[:100]
    return Calibration(figures.reliability(bins, words.RELIABILITY)) if bins else None


class Cell(NamedTuple):
    """A cell of a heat map.

    Parameters
    ----------
    text : str
    level : int
        How dark it is, from 0 to 4.
    tone : {"plain", "good", "bad", "text"}
    mark : Mark, optional
        The verdict that rests on it.
    note : str
        What stands below, in small print.
    """

    text: str
    level: int = 0
    tone: str = "plain"
    mark: Mark | None = None
    note: str = ""


def level(value: float | None, steps: Sequence[float]) -> int:
    """How dark a cell is, from 0 to the number of steps."""
    return sum((value or 0.0) >= step for step in steps)


class HeatRow(NamedTuple):
    """A row of a heat map: its name, the finding that it leads to, if any, and its cells."""

    name: str
    anchor: str
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Chart(View):
    """A table that is read as a picture: its caption, sentences that lead to it, and the heads of its columns."""

    is_picture = True
    caption: str
    lead: Sequence[str]
    columns: Sequence[str]


@dataclass(frozen=True)
class Heat(Chart):
    """A table whose cells are shaded by what stands in them."""

    kind = "heat"
    rows: Sequence[HeatRow]
    more: str = ""


class Bar(NamedTuple):
    """A row of a bar chart.

    Parameters
    ----------
    name, anchor : str
        What it is of, and the finding that it leads to, if any.
    drawing : Markup
    cells : sequence of str
    mark : Mark, optional
    example : Pair, optional
        A text of the row.
    """

    name: str
    anchor: str
    drawing: Markup
    cells: Sequence[str]
    mark: Mark | None = None
    example: core.Pair | None = None


@dataclass(frozen=True)
class Bars(Chart):
    """Bars on one scale, whose ends are named, with their figures beside them."""

    kind = "bars"
    scale: tuple[str, str]
    rows: Sequence[Bar]
    more: str = ""


# From which share of a row on a cell is darker, where answers are right and where they are wrong.
_RIGHT, _WRONG = (0.25, 0.5, 0.75, 0.9), (0.02, 0.05, 0.15, 0.3)


def confusion(raw: core.Confusion, limits: Limits) -> Heat | None:
    """A confusion matrix as a heat map; None where there is no class."""
    names = [text.short(text.said(name), text.HEADER) for name in raw.classes]
    rows = [
        HeatRow(name, "", _confused(counts[: limits.columns], i))
        for i, (name, counts) in enumerate(zip(names, raw.counts, strict=False))
    ]
    columns = [words.TRUE_CLASS, *(words.SAID_CLASS.format(class_name=name) for name in names[: limits.columns])]
    return Heat(words.CONFUSION, [words.CONFUSION_HOW], columns, rows[: limits.rows], more(rows, limits.rows))


def _confused(counts: Sequence[int | str | None], own: int) -> list[Cell]:
    """The cells of one true class: counts, and their shares where all of them are told."""
    whole = sum(count for count in counts if is_number(count)) if all(map(is_number, counts)) else 0
    cells = []
    for i, count in enumerate(counts):
        share = count / whole if whole and is_number(count) else None
        steps, tone = (_RIGHT, "good") if i == own else (_WRONG, "bad")
        cells.append(
            Cell(text.cell(count), level(share, steps), tone, note="" if share is None else text.quantity(share, SHARE))
        )
    return cells


_SENTENCES = 3  # of groups whose scores surely move


def shifts(raw: core.Shifts, limits: Limits, confidence: float) -> Bars | None:
    """Who is read as more negative and who as more positive, the worse source of each group first."""
    items = [each for each in raw.items if len(known([each.change])) == 1]
    if not items:
        return None
    groups: dict[str, list[core.Shift]] = {}
    for each in items:
        groups.setdefault(text.said(each.group), []).append(each)
    own = [sorted(each, key=lambda shift: -abs(shift.change[0] or 0)) for each in groups.values()]
    own.sort(key=lambda shifts: shifts[0].change[0] or 0)
    ordered = [each for each_group in own for each in each_group]
    reach = max(abs(end or 0.0) for each in items for end in each.change) or 1.0
    rows = [
        Bar(
            text.short(text.said(each.group), text.HEADER),
            "",
            figures.bar(each.change, -reach, reach, kind="fails" if _is_sure(each) else "plain"),
            [
                text.figures(each.change).interval,
                words.OF_SOURCE.format(source=text.said(each.source), count=text.figure(each.number)),
            ],
        )
        for each in ordered[: limits.rows]
    ]
    heads = [text.said(raw.attribute), words.SHIFT, words.PAGE["result"], words.SHIFT_SOURCE]
    lead = [*_shifted(ordered), words.SHIFTS_HOW.format(confidence=text.percent(confidence))]
    scale = (words.MORE_NEGATIVE, words.MORE_POSITIVE)
    return Bars(text.short(text.said(raw.caption)), lead, heads, scale, rows, more(ordered, limits.rows))


def _is_sure(shift: core.Shift) -> bool:
    _, low, high = shift.change
    return (low or 0.0) > 0 or (high or 0.0) < 0


def _shifted(shifts: Sequence[core.Shift]) -> list[str]:
    """Who is surely read otherwise, the farthest first, or that nobody surely is."""
    sure = sorted(filter(_is_sure, shifts), key=lambda shift: -abs(shift.change[0] or 0))
    if not sure:
        largest = max(shifts, key=lambda shift: abs(shift.change[0] or 0))
        return [language.together((words.NOBODY_SHIFTED, _moved(largest)))]
    return [_moved(each) for each in sure[:_SENTENCES]]


def _moved(shift: core.Shift) -> str:
    estimate, low, high = (value or 0.0 for value in shift.change)
    form, size = words.SHIFTED_UP, (estimate, low, high)
    if estimate < 0:
        form, size = words.SHIFTED_DOWN, (-estimate, -high, -low)
    return form.format(
        group=text.short(text.said(shift.group), text.HEADER),
        source=text.said(shift.source),
        figure=text.figures(size).interval,
    )


def distribution(raw: core.Distribution, limits: Limits) -> Table:
    """Quantiles, ready to show."""
    levels = [Sentence("{level} quantile", level=text.percent(level)) for level in raw.levels]
    rows = [[name, *values] for name, values in raw.rows]
    return table(core.Table(raw.caption, ["", *levels], rows, ["", *[raw.unit] * len(levels)]), limits)


class Pair(NamedTuple):
    """A text before and after a change, the changed words marked; `after` is None where one text is all there is."""

    before: Markup
    after: Markup | None
    note: str
    row: str  # where it stands in the user's data; empty for a text that was made for the audit


@dataclass(frozen=True)
class Pairs(View):
    """Texts of the evidence: what they show, so many as the screen and as paper take, and how many more there are."""

    kind = "pairs"
    caption: str
    pairs: Sequence[Pair]
    more: str
    on_paper: int
    more_on_paper: str


def pairs(raw: core.Pairs, limits: Limits, *, is_open: bool) -> Pairs | None:
    """Texts with what changed marked; None where there are none."""
    shown = [_pair(item) for item in raw.items[: limits.examples]]
    if not shown:
        return None
    on_paper = len(shown) if is_open else min(len(shown), _ON_PAPER)
    left_out, left_out_on_paper = (more(raw.items, number) for number in (len(shown), on_paper))
    return Pairs(text.short(text.said(raw.caption)), shown, left_out, on_paper, left_out_on_paper)


def _pair(item: core.Pair) -> Pair:
    before, after = text.marked(item.before, item.before if item.after is None else item.after)
    note = item.note if isinstance(item.note, Sentence) else text.cell(item.note)
    row = "" if item.row is None else text.figure(item.row)
    return Pair(before, None if item.after is None else after, text.said(note), row)


@dataclass(frozen=True)
class Facts(View):
    """Single values and what they are."""

    kind = "facts"
    rows: Sequence[tuple[str, str]]


def facts(raw: core.Facts, limits: Limits, source: str = "") -> Facts | None:
    """Single values, ready to show; None where there are none."""
    rows = [
        (
            _name(fact.name),
            text.by_source(text.short(_value(fact), limits.cell), source if _is_energy(fact.name) else ""),
        )
        for fact in raw.items[: limits.figures]
    ]
    left_out = more(raw.items, limits.figures)
    return Facts([*rows, ("…", left_out)] if left_out else rows) if rows else None


def _name(name: str) -> str:
    """What a value is: our own sentence is whole, a name of somebody else's as long as a heading."""
    return text.said(name) if isinstance(name, Sentence) else text.short(text.said(name), text.HEADER)


def _value(fact: core.Fact) -> str:
    if isinstance(fact.value, Sentence) or (fact.unit and is_number(fact.value)):
        return _cell(fact.value, fact.unit)
    return single(fact.value)


def views(
    evidence: Iterable[core.Evidence],
    limits: Limits,
    *,
    confidence: float = 0.95,
    is_open: bool = False,
    source: str = "",
) -> list[View]:
    """Pieces of evidence, ready to show in their order; without those of which nothing can be shown.

    Beside electricity and gases stands their `source`, "measured" or "estimated".
    """
    renderers: Mapping[type, Callable[[Any], View | None]] = {
        core.Table: lambda raw: _with_source(table(raw, limits), raw, source) if raw.rows else None,
        core.Pairs: lambda raw: pairs(raw, limits, is_open=is_open),
        core.Confusion: lambda raw: confusion(raw, limits),
        core.Calibration: calibration,
        core.RocCurves: lambda raw: roc(raw, confidence),
        core.Curves: curves,
        core.Distribution: lambda raw: distribution(raw, limits),
        core.Pareto: lambda raw: pareto(raw, confidence, source),
        core.Attributions: lambda raw: attributions(raw, limits),
        core.Shifts: lambda raw: shifts(raw, limits, confidence),
        core.Facts: lambda raw: facts(raw, limits, source),
    }
    return [view for each in evidence if (view := renderers[type(each)](each)) is not None]


def _with_source(shown: Table, raw: core.Table, source: str) -> Table:
    """A table with its source in its caption, where it has electricity or gases and no column that says it."""
    names = [raw.caption, *raw.columns, *(row[0] for row in raw.rows if row)]
    if not any(map(_is_energy, names)) or {"how known", "measured or estimated"} & set(raw.columns):
        return shown
    return replace(shown, caption=text.by_source(shown.caption, source))


def _is_energy(name: object) -> bool:
    return isinstance(name, str) and bool(_ENERGY.search(name))


def known(rows: Iterable[Sequence[float | None]]) -> list[Sequence[float]]:
    """The rows in which every number is known."""
    return [row for row in rows if all(map(is_number, row))]  # type: ignore[misc]


def _rate(level: float, rate: float, low: float, high: float) -> str:
    """How many are recognised at a level of false alarms, two digits of each."""
    figure = text.figures((rate, low, high), unit=SHARE).interval
    return words.ROC_RATE.format(level=text.quantity(level, SHARE), rate=figure)


def label(key: str) -> str:
    """A key of the record as words."""
    return text.short(key.replace("_", " "), text.HEADER)


def single(value: object) -> str:
    """A single value; a point in time as a date."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+Z", value):
        return text.date(value)
    return text.cell(value)


def more(items: Sequence[object], shown: int) -> str:
    """How many are left out; empty if none."""
    return words.MORE.format(count=text.figure(len(items) - shown)) if len(items) > shown else ""
