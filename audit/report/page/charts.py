"""Charts of several findings together: what a family of them says at once. Numbers stand in the cells, as text.

They are tables, read by eye and by ear alike; each is drawn from the evidence of its findings alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from audit.core import evidence as core
from audit.core.evidence import Table, from_json
from audit.core.identifiers import base_id
from audit.core.numbers import POINTS, SHARE, is_number
from audit.report.i18n.language import words
from audit.report.page import figures, text
from audit.report.page.evidence import Bar, Bars, Cell, Heat, HeatRow, View, level, more
from audit.report.page.findings import FindingView

# From how many points on a cell is darker, and darker still.
_LOST = (0.02, 0.05, 0.1, 0.2)
_BEHIND = (0.01, 0.025, 0.05, 0.1)


def of_measure(views: Sequence[FindingView]) -> list[View]:
    """The charts of findings of one measure: of disturbed texts, of capabilities."""
    return [chart for chart in (strengths(views), capabilities(views)) if chart is not None]


def capabilities(views: Sequence[FindingView]) -> Bars | None:
    """How often each kind of sentence is read wrongly, the worst first, with one that is; None without any."""
    own = [view for view in views if base_id(view.id) == "quality.behaviour" and view.measured]
    if not own:
        return None
    limits, own = own[0].limits, sorted(own, key=lambda view: -view.badness)
    rows = [
        Bar(
            view.bracket,
            view.anchor,
            figures.bar(_interval(view), 0, 1, kind=view.mark.kind, gate=view.bound),
            [view.short_result, view.gate],
            view.mark,
            _failing(view),
        )
        for view in own[: limits.rows]
    ]
    heads = [words.CAPABILITY, words.READ_WRONGLY, words.PAGE["result"], words.PAGE["gate"], words.EXAMPLE]
    scale = (text.percent(0), text.percent(1))
    return Bars(words.CAPABILITIES, [words.CAPABILITIES_HOW], heads, scale, rows, more(own, limits.rows))


def _interval(view: FindingView) -> tuple[float | None, float | None, float | None]:
    finding = view.finding
    return finding["estimate"], finding["low"], finding["high"]


def _failing(view: FindingView) -> core.Pair | None:
    """The sentence that fails worst; None where none does, or none is to be shown."""
    found = (each for piece in _pieces(view) if isinstance(piece, core.Pairs) for each in piece.items)
    worst = next(found, None) if view.finding["estimate"] else None
    return worst and replace(worst, note=text.said(worst.note))


def strengths(views: Sequence[FindingView]) -> Heat | None:
    """Accuracy lost to each disturbance at each strength that was asked; None without any."""
    rows = {
        view.id: (view, lost)
        for view in views
        if base_id(view.id) == "security.perturbation" and view.measured and (lost := _lost(view))
    }
    asked = sorted({strength for _, lost in rows.values() for strength in lost})
    if not asked:
        return None
    own = sorted(rows.values(), key=lambda row: -row[0].badness)
    limits = own[0][0].limits
    shown = []
    for view, lost in own[: limits.rows]:
        deciding = _deciding(view)
        cells = [_strength(view, lost.get(each), each == deciding) for each in asked]
        shown.append(HeatRow(view.bracket, view.anchor, [*cells, Cell(view.gate, tone="text")]))
    columns = [words.DISTURBANCE, *(words.STRENGTHS[each - 1] for each in asked), words.PAGE["gate"]]
    return Heat(words.DISTURBED, [words.DISTURBED_HOW], columns, shown, more(own, limits.rows))


_Interval = tuple[float | None, float | None, float | None]


def _lost(view: FindingView) -> Mapping[int, _Interval]:
    """From each strength that was asked to the accuracy lost, with its interval."""
    found = {}
    for row in (row for table in _tables(view) for row in _rows(table)):
        strength, lost = _number(row, "strength"), _number(row, "accuracy lost")
        if strength in (1, 2, 3) and lost is not None:
            found[int(strength)] = (lost, _number(row, "lost at least"), _number(row, "lost at most"))
    return found


def _deciding(view: FindingView) -> int | None:
    """The strength that the verdict is on, which the caption of the table names last."""
    captions = (table.caption for table in _tables(view) if "strength" in map(str, table.columns))
    return next((int(found[0]) for each in captions if (found := re.search(r"\d$", str(each)))), None)


def _strength(view: FindingView, lost: _Interval | None, decides: bool) -> Cell:
    if lost is None:
        return Cell("–")
    figure = text.figures(lost, unit=POINTS)
    interval = figure.interval.removeprefix(figure.estimate).strip()
    return Cell(figure.estimate, level(lost[0], _LOST), "bad", view.mark if decides else None, interval)


def groups(views: Sequence[FindingView]) -> Iterator[Heat]:
    """Of each column of groups: every rate for every group. How far each is behind the best-served one darkens it."""
    columns = dict.fromkeys(view.bracket_id for view in views if base_id(view.id) in _RATES and view.bracket_id)
    for column in columns:
        own = {base_id(view.id): view for view in views if view.bracket_id == column}
        rows = [row for name, read in _RATES.items() if name in own for row in read(own[name])]
        names = list(dict.fromkeys(name for _, _, values, _ in rows for name in values))
        if len(names) < 2:
            continue
        limits = next(iter(own.values())).limits
        names = names[: limits.columns]
        heads = [text.short(column, text.HEADER), *(text.short(name, text.HEADER) for name in names)]
        shown = [
            HeatRow(label, anchor, _shaded([values.get(name) for name in names], better))
            for label, anchor, values, better in rows[: limits.rows]
        ]
        caption = words.BY_GROUP.format(column=text.short(column, text.HEADER))
        yield Heat(caption, [words.BY_GROUP_HOW], heads, shown, more(rows, limits.rows))


# A row of rates: what they are of, the finding that holds them, the rate of each group, and which way is better.
_Row = tuple[str, str, Mapping[str, float], str]


def _accuracies(view: FindingView) -> Iterator[_Row]:
    column = view.bracket_id
    for table in _tables(view):
        if {column, "accuracy"} <= set(map(str, table.columns)):
            found = ((str(row.get(column)), _number(row, "accuracy")) for row in _rows(table))
            rates = {name: rate for name, rate in found if rate is not None}
            yield words.RIGHT_ANSWERS, view.anchor, rates, "higher"
            return


def _said(view: FindingView) -> Iterator[_Row]:
    said, true = ": said", ": true"
    for table in _tables(view):
        for row in _rows(table):
            if "class" in row:
                kind = _class(row["class"])
                for ending, form in ((said, words.CALLED), (true, words.TRULY)):
                    rates = {k.removesuffix(ending): v for k, v in row.items() if k.endswith(ending) and is_number(v)}
                    if rates:
                        yield form.format(class_name=kind), view.anchor, rates, ""


def _recognised(view: FindingView) -> Iterator[_Row]:
    for table in _tables(view):
        for row in _rows(table):
            kind, _, rate = str(row.get("class, rate", "")).rpartition(", ")
            if rate not in ("true-positive", "false-positive"):
                continue
            form, better = (words.RECOGNISED, "higher") if rate == "true-positive" else (words.MISTAKEN, "lower")
            rates = {k: v for k, v in row.items() if k != "class, rate" and is_number(v)}
            yield form.format(class_name=_class(kind)), view.anchor, rates, better


_RATES: Mapping[str, Callable[[FindingView], Iterator[_Row]]] = {
    "fairness.accuracy_gap": _accuracies,
    "fairness.equalized_odds": _recognised,
    "fairness.demographic_parity": _said,
}


def _class(name: object) -> str:
    return text.short(str(name), text.HEADER)


def _shaded(values: Sequence[float | None], better: str) -> list[Cell]:
    """Cells of a row, darker the farther behind the best; where no way is better, the farther from the middle."""
    known = [value for value in values if value is not None]
    middle = sum(known) / len(known) if known else 0.0
    best = {"higher": max, "lower": min}.get(better, lambda _: middle)(known or [0.0])
    written = text.row(values, SHARE) if known else ["–"] * len(values)
    return [
        Cell(shown, 0 if value is None else level(abs(value - best), _BEHIND), "bad" if better else "plain")
        for value, shown in zip(values, written, strict=True)
    ]


def _pieces(view: FindingView) -> Iterator[core.Evidence]:
    return (piece for each in view.finding["evidence"] if (piece := from_json(each)) is not None)


def _tables(view: FindingView) -> Iterator[Table]:
    return (piece for piece in _pieces(view) if isinstance(piece, Table))


def _rows(table: Table) -> Iterator[dict[str, core.Cell]]:
    """The rows of a table, by the English names of its columns."""
    return (dict(zip(map(str, table.columns), row, strict=False)) for row in table.rows)


def _number(row: Mapping[str, core.Cell], name: str) -> float | None:
    value = row.get(name)
    return value if is_number(value) else None
