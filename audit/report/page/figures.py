"""Drawings as inline SVG, made of numbers and our own words only; colours and widths are the style sheet's.

They are coordinates, not judgements: what a verdict is stands in the record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, overload

from markupsafe import Markup

from audit.report.i18n.language import numeral, words
from audit.report.page import text

# The gate stands in the middle of every row; half a row is HALF wide, and nothing leaves the drawing.
WIDTH, HEIGHT, MIDDLE, HALF = 320, 28, 160, 154
REACH = 8  # half-widths of the interval that half a row stands for
_Y = HEIGHT / 2
# Kinds of line in a drawing of several curves, told apart by their dashes; the style sheet has them.
LINES = ("first", "second", "third", "fourth")


class Room(NamedTuple):
    """The least and the largest value that a measure can have; None where it has no such end."""

    least: float | None = None
    largest: float | None = None


def against_gate(
    estimate: float | None,
    low: float | None,
    high: float | None,
    *,
    bound: float | None,
    at_least: bool,
    room: Room = Room(),  # noqa: B008  (a tuple)
) -> Markup:
    """One row: the estimate and its interval, the gate in the middle, and what it allows on the left.

    Distances are in half-widths of the interval, so that all rows share one scale: half a row is `REACH` of them.

    Parameters
    ----------
    estimate, low, high : float or None
        None: not known; an interval without a bound is open on that side. A full count and a bound have no width: the
        place of their marks tells the side only.
    bound : float or None
        The gate.
    at_least : bool
        For a `min` gate the row is mirrored, so that left is always the allowed side.
    room : Room
        What is impossible is not shaded.
    """
    label, marks, best, worst = words.NOT_MEASURED, Markup(), -1.0, 1.0
    if estimate is not None and bound is not None:
        near, far = (high, low) if at_least else (low, high)  # the end that is better, the end that is worse
        ends = (room.largest, room.least) if at_least else room
        width = _half_width(low, high)
        place = [_place(value, bound, at_least, width) for value in (near, estimate, far)]
        best, worst = (
            side if end is None else max(-1.0, min(1.0, _place(end, bound, at_least, width, beyond=1.0) or 0.0))
            for end, side in zip(ends, (-1.0, 1.0), strict=True)
        )
        kind, label = _side(place[0], place[2], at_least)
        label, marks = words.DRAWN.format(place=label), _marks(place, kind)
        if any(part is not None and abs(part) > 1 for part in place):
            label += words.SEMICOLON + words.OFF_SCALE
    return Markup(
        '<svg class="gate" viewBox="0 0 {w} {h}" role="img" aria-label="{label}">'
        '<rect class="allowed" x="{left:.1f}" y="3" width="{shade:.1f}" height="{inner}"/>'
        '<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}"/>'
        '<line class="bound" x1="{middle}" x2="{middle}" y1="1" y2="{bottom}"/>{marks}</svg>'
    ).format(
        w=WIDTH, h=HEIGHT, label=label, left=_x(best), shade=max(MIDDLE - _x(best), 0.0), inner=HEIGHT - 6,
        right=_x(worst), y=_Y, middle=MIDDLE, bottom=HEIGHT - 1, marks=marks,
    )  # fmt: skip


def _half_width(low: float | None, high: float | None) -> float | None:
    """Half the width of an interval; None where it has none: a full count, or a bound on one side."""
    return (high - low) / 2 if low is not None and high is not None and high > low else None


@overload
def _place(value: float, bound: float, at_least: bool, width: float | None, beyond: float = ...) -> float: ...


@overload
def _place(value: None, bound: float, at_least: bool, width: float | None, beyond: float = ...) -> None: ...


def _place(value: float | None, bound: float, at_least: bool, width: float | None, beyond: float = 0.5) -> float | None:
    """Where a value stands from -1, the left end, to 1; 0 is the gate, and what is allowed lies left of it.

    Without a width only the side is known, which `beyond` stands for.
    """
    if value is None:
        return None
    distance = (-1 if at_least else 1) * (value - bound)
    if width is None:
        return math.copysign(beyond, distance) if distance else 0.0
    return distance / width / REACH


def nearness(
    estimate: float | None,
    low: float | None,
    high: float | None,
    *,
    bound: float | None,
    at_least: bool,
    room: Room = Room(),  # noqa: B008
) -> float:
    """How many half-widths the worse end of the interval is beyond the gate; negative if allowed.

    A full count has no chance in it, so it is never near: infinitely many on its side, and what could not be better is.
    """
    if estimate is None or bound is None:
        return 0.0
    if low == estimate == high == (room.largest if at_least else room.least):
        return -math.inf
    far, width = low if at_least else high, _half_width(low, high)
    place = _place(estimate if far is None else far, bound, at_least, width, beyond=math.inf)
    return place * REACH


def _side(near: float | None, far: float | None, at_least: bool) -> tuple[str, str]:
    if near is not None and near == far:
        if near == 0:
            return "holds", words.ON_THE_GATE
        return ("holds", words.ONE_ALLOWED) if near < 0 else ("fails", words.ONE_BEYOND)
    if far is not None and far <= 0:
        return "holds", words.ALLOWED
    if near is not None and near > 0:
        return "fails", words.BEYOND
    if far is None and not at_least:
        return "holds", words.OPEN_ABOVE
    return "open", words.BOTH_SIDES


def _marks(place: Sequence[float | None], kind: str) -> Markup:
    near, estimate, far = place
    assert estimate is not None
    start, end = _x(-1.0 if near is None else near), _x(1.0 if far is None else far)
    marks = Markup()
    if near is None or near != far:
        endless = " endless" if None in (near, far) else ""
        marks += _rectangle(f"bar {kind}{endless}", start, end, 10)
        # Taller than the mark: an interval that is too short to be seen as a bar must not look like a full count.
        for end_of_bar in (near, far):
            if end_of_bar is not None and abs(end_of_bar) <= 1:
                marks += _rectangle(f"cap {kind}", _x(end_of_bar) - 0.75, _x(end_of_bar) + 0.75, 18)
    if near is None or near < -1:
        marks += _arrow(MIDDLE - HALF, -1, kind)
    if far is None or far > 1:
        marks += _arrow(MIDDLE + HALF, 1, kind)
    if abs(estimate) > 1:
        return marks
    x = _x(estimate)
    if kind == "holds":
        return marks + Markup('<circle class="mark {}" cx="{:.1f}" cy="{}" r="4.5"/>').format(kind, x, _Y)
    if kind == "open":
        path = f"M{x - 6:.1f} {_Y}L{x:.1f} {_Y - 6}L{x + 6:.1f} {_Y}L{x:.1f} {_Y + 6}Z"
        return marks + Markup('<path class="mark {}" d="{}"/>').format(kind, path)
    return marks + _rectangle(f"mark {kind}", x - 4.5, x + 4.5, 9)


def _rectangle(kind: str, start: float, end: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
        kind, start, _Y - height / 2, end - start, height
    )


def _x(place: float) -> float:
    return MIDDLE + HALF * max(-1.0, min(1.0, place))


def _arrow(x: float, way: int, kind: str) -> Markup:
    path = f"M{x - 9 * way} {_Y - 7}L{x + 3 * way} {_Y}L{x - 9 * way} {_Y + 7}Z"
    return Markup('<path class="arrow {}" d="{}"/>').format(kind, path)


def span(parts: Sequence[float | None], start: float, end: float, gates: Sequence[float] = ()) -> Markup:
    """One cell of a table: value, low and high on the table's common scale, and gates; empty where one is unknown."""

    def place(value: float) -> float:
        return 4 + 152 * (value - start) / (end - start)

    known = [place(part) for part in parts if part is not None]
    if len(known) < 3:
        return Markup()
    x, left, right = known
    lines = Markup().join(
        Markup('<line class="bound" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="16"/>').format(place(gate)) for gate in gates
    )
    return Markup(
        '<svg class="span" viewBox="0 0 160 16" aria-hidden="true">'
        '<line class="axis" x1="4" x2="156" y1="8" y2="8"/>'
        '<rect class="bar plain" x="{:.1f}" y="5.5" width="{:.1f}" height="5"/>'
        '<circle class="mark plain" cx="{:.1f}" cy="8" r="4"/>{}</svg>'
    ).format(left, max(right - left, 1.0), x, lines)


def bar(
    parts: Sequence[float | None], start: float, end: float, *, kind: str = "plain", gate: float | None = None
) -> Markup:
    """One row of a bar chart: from 0 to the value, with its interval, and the gate. The figures stand beside it.

    Parameters
    ----------
    parts : (value, low, high)
        An end that is not known is not drawn.
    start, end : float
        Of the scale, which 0 is on.
    kind : str
        The family of the style sheet.
    """
    value, low, high = parts

    def x(at: float) -> float:
        return 4 + 232 * (min(max(at, start), end) - start) / (end - start)

    marks = Markup()
    if value is not None:
        marks += Markup('<rect class="bar {}" x="{:.1f}" y="6" width="{:.1f}" height="10"/>').format(
            kind, min(x(0), x(value)), max(abs(x(value) - x(0)), 1.0)
        )
        if low is not None and high is not None and low < high:
            path = f"M{x(low):.1f} 11H{x(high):.1f}M{x(low):.1f} 7v8M{x(high):.1f} 7v8"
            marks += Markup('<path class="whisker {}" d="{}"/>').format(kind, path)
        marks += Markup('<circle class="mark {}" cx="{:.1f}" cy="11" r="3.5"/>').format(kind, x(value))
    if gate is not None:
        marks += Markup('<line class="bound" x1="{0:.1f}" x2="{0:.1f}" y1="1" y2="21"/>').format(x(gate))
    return Markup(
        '<svg class="bars" viewBox="0 0 240 22" aria-hidden="true">'
        '<line class="axis" x1="4" x2="236" y1="21.5" y2="21.5"/>'
        '<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="22"/>{1}</svg>'
    ).format(x(0), marks)


def curve(values: Sequence[float], label: str) -> Markup:
    """A line through values in their order, from the smallest at the bottom to the largest at the top."""
    smallest, largest = min(values), max(values)
    step = 220 / max(len(values) - 1, 1)
    points = [
        (10 + i * step, 62 - 50 * ((value - smallest) / (largest - smallest) if largest > smallest else 0.5))
        for i, value in enumerate(values)
    ]
    dots = Markup().join(
        Markup('<circle class="mark plain" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(x, y) for x, y in points
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Markup(
        '<svg class="curve" viewBox="0 0 240 74" role="img" aria-label="{}">'
        '<line class="axis" x1="4" x2="236" y1="71" y2="71"/><polyline class="line" points="{}"/>{}</svg>'
    ).format(label, line, dots)


def reliability(points: Sequence[Sequence[float]], label: str) -> Markup:
    """Share of right answers against stated confidence: a dot with its interval for each bin, and the line of honesty.

    Parameters
    ----------
    points : sequence of (stated, right, low, high)
        Shares between 0 and 1.
    """
    start, side = 44.0, 200.0

    def x(share: float) -> float:
        return start + side * min(max(share, 0.0), 1.0)

    def y(share: float) -> float:
        return 8 + side * (1 - min(max(share, 0.0), 1.0))

    marks = Markup().join(
        Markup(
            '<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
            '<circle class="mark plain" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        ).format(x=x(stated), y=y(right), low=y(low), high=y(high))
        for stated, right, low, high in points
    )
    ticks = Markup().join(
        Markup(
            '<text x="{:.1f}" y="224" text-anchor="middle">{}</text><text x="38" y="{:.1f}" text-anchor="end">{}</text>'
        ).format(x(tick), written, y(tick) + 4, written)
        for tick, written in ((tick, text.percent(tick)) for tick in (0, 0.5, 1))
    )
    return Markup(
        '<svg class="reliability" viewBox="0 0 264 230" role="img" aria-label="{}">'
        '<rect class="allowed" x="{:.0f}" y="8" width="{:.0f}" height="{:.0f}"/>'
        '<line class="bound" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>{}{}</svg>'
    ).format(label, start, side, side, x(0), y(0), x(1), y(1), marks, ticks)


def roc(curves: Sequence[Sequence[Sequence[float]]], intervals: Sequence[Sequence[float]], label: str) -> Markup:
    """ROC curves on logarithmic scales: steps from the lowest rate that the points hold to 1, and the line of guessing.

    Parameters
    ----------
    curves : sequence of sequences of (false, true)
        Rates of false and of true positives, the false ones above 0 and rising; at most as many curves as `LINES`.
    intervals : sequence of (false, true, low, high)
        Drawn for the first curve: a dot, and a whisker that is capped where it ends inside the frame.
    label : str
        What is to be seen, in words.

    Notes
    -----
    A rate of 0 has no place on a logarithmic scale. What is below the frame is left out of it: a curve that begins
    there comes up through the lower edge, and a whisker that ends there runs into it without a cap.
    """
    left, top, side = 54.0, 8.0, 250.0
    right, bottom = left + side, top + side
    # At least one decade and at most six, whatever the record holds.
    lowest = min(max(min(points[0][0] for points in curves), 1e-6), 0.1)

    def place(rate: float) -> float:
        return side * (1 - math.log(max(rate, lowest)) / math.log(lowest))

    def x(rate: float) -> float:
        return left + place(rate)

    def y(rate: float) -> float:
        return bottom - place(rate)

    def steps(points: Sequence[Sequence[float]]) -> str:
        seen = [point for point in points if min(point) >= lowest]
        if not seen:
            return ""
        (false, true), entered = seen[0], len(seen) < len(points)
        start = f"M{x(false):.1f} {bottom:.1f}V{y(true):.1f}" if entered else f"M{x(false):.1f} {y(true):.1f}"
        return start + "".join(f"H{x(false):.1f}V{y(true):.1f}" for false, true in seen[1:])

    drawn = list(zip(LINES, map(steps, curves), strict=False))
    lines = Markup().join(
        # The first curve is drawn last, on top of the others.
        Markup('<path class="line {}" d="{}"/>').format(kind, path)
        for kind, path in reversed(drawn)
        if path
    )
    ticks = Markup().join(
        Markup(
            '<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
            '<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            '<text x="{x:.1f}" y="{under:.1f}" text-anchor="middle">{share}</text>'
            '<text x="{before:.1f}" y="{beside:.1f}" text-anchor="end">{share}</text>'
        ).format(
            x=x(tick), y=y(tick), top=top, bottom=bottom, left=left, right=right, under=bottom + 15, before=left - 5,
            beside=y(tick) + 4, share=text.percent(tick),
        )
        for tick in (10.0**-power for power in range(math.floor(-math.log10(lowest) + 1e-9) + 1))
    )  # fmt: skip
    whiskers = Markup().join(
        _whisker(x(false), [(y(rate), rate >= lowest) for rate in (low, true, high)])
        for false, true, low, high in intervals
        if false >= lowest and high >= lowest
    )
    along = left + 0.68 * side, top + 0.32 * side
    return Markup(
        '<svg class="roc" viewBox="0 0 328 300" role="img" aria-label="{label}">'
        '<rect class="allowed" x="{left:.0f}" y="{top:.0f}" width="{side:.0f}" height="{side:.0f}"/>{ticks}'
        '<line class="bound" x1="{left:.1f}" y1="{bottom:.1f}" x2="{right:.1f}" y2="{top:.1f}"/>'
        '<text text-anchor="middle" transform="translate({gx:.1f} {gy:.1f}) rotate(-45)" y="14">{guessing}</text>'
        '{lines}{whiskers}<text x="{middle:.1f}" y="{under:.1f}" text-anchor="middle">{false}</text>'
        '<text text-anchor="middle" transform="translate(11 {centre:.1f}) rotate(-90)">{true}</text></svg>'
    ).format(
        label=label, left=left, top=top, side=side, ticks=ticks, right=right, bottom=bottom, gx=along[0], gy=along[1],
        guessing=words.ROC_GUESSING, lines=lines, whiskers=whiskers, middle=left + side / 2, under=bottom + 34,
        centre=top + side / 2, false=words.ROC_FALSE, true=words.ROC_TRUE,
    )  # fmt: skip


def lines(curves: Sequence[Sequence[Sequence[float]]], label: str, *, logarithmic: bool = False) -> Markup:
    """Curves with an interval at each point, on a logarithmic scale to the right.

    Parameters
    ----------
    curves : sequence of sequences of (place, value, low, high)
        Places above 0 and rising; at most as many curves as `LINES`.
    label : str
        What is to be seen, in words.
    logarithmic : bool
        Whether the scale upwards is logarithmic too; all values are then above 0.
    """
    left, top, side = 54.0, 8.0, 250.0
    scale = math.log if logarithmic else float
    places = sorted({point[0] for points in curves for point in points})
    values = [value for points in curves for point in points for value in point[1:]]

    def share(value: float, start: float, end: float) -> float:
        return 0.5 if start == end else (value - start) / (end - start)

    def x(place: float) -> float:
        return left + 12 + (side - 24) * share(math.log(place), math.log(places[0]), math.log(places[-1]))

    def y(value: float) -> float:
        return top + 12 + (side - 24) * (1 - share(scale(value), scale(min(values)), scale(max(values))))

    drawn = Markup()
    for i, (kind, points) in reversed(list(enumerate(zip(LINES, curves, strict=False)))):
        aside = 5 * (i - (len(curves) - 1) / 2)  # so that intervals at one place do not hide each other
        path = "M" + "L".join(f"{x(place) + aside:.1f} {y(value):.1f}" for place, value, *_ in points)
        drawn += Markup('<path class="line {}" d="{}"/>').format(kind, path)
        for place, value, low, high in points:
            drawn += _whisker(x(place) + aside, [(y(each), True) for each in (low, value, high)])
    ticks = Markup().join(
        Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            x(place), top + side + 15, text.figure(place)
        )
        for place in (places if len(places) < 6 else (places[0], places[-1]))
    ) + Markup().join(
        Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>').format(
            left - 5, y(value) + 4, text.figure(value)
        )
        for value in (min(values), max(values))
    )
    return Markup(
        '<svg class="roc" viewBox="0 0 328 284" role="img" aria-label="{}">'
        '<rect class="allowed" x="{:.0f}" y="{:.0f}" width="{:.0f}" height="{:.0f}"/>{}{}</svg>'
    ).format(label, left, top, side, side, ticks, drawn)


def _whisker(x: float, heights: Sequence[tuple[float, bool]]) -> Markup:
    """Low, middle and high of an interval, each with whether it is inside the frame; outside it there is no mark."""
    (low, low_inside), (middle, middle_inside), (high, high_inside) = heights
    caps = "".join(f"M{x - 4:.1f} {y:.1f}h8" for y, inside in ((low, low_inside), (high, high_inside)) if inside)
    dot = Markup('<circle class="mark" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(x, middle) if middle_inside else ""
    return Markup('<path class="whisker" d="M{x:.1f} {low:.1f}V{high:.1f}{caps}"/>{dot}').format(
        x=x, low=low, high=high, caps=caps, dot=dot
    )


class Point(NamedTuple):
    """A model in the picture of right answers against energy.

    Parameters
    ----------
    right, wh : sequence of (value, low, high)
        Share of right answers; Wh per 1,000 predictions, the value above 0.
    """

    name: str
    right: Sequence[float]
    wh: Sequence[float]
    front: bool
    audited: bool


def pareto(points: Sequence[Point], label: str) -> Markup:
    """Models by right answers and energy, the latter on a logarithmic scale; numbered in their order.

    Parameters
    ----------
    points : sequence of Point
    label : str
        What is to be seen, in words.

    Notes
    -----
    An energy of 0 has no place on a logarithmic scale: an interval that ends there runs to the frame without a cap.
    """
    left, top, width, height = 54.0, 8.0, 262.0, 210.0
    right, bottom = left + width, top + height
    # A factor of ten at least, so that small differences do not look like large ones; no more than a dozen decades,
    # whatever the record holds.
    known = [min(max(value, 1e-6), 1e6) for point in points for value in point.wh if value > 0]
    middle, half = _scale_of(list(map(math.log10, known)), 0.5)
    centre, reach = _scale_of([value for point in points for value in point.right], 0.05)

    def x(wh: float) -> float:
        place = (math.log10(wh) - middle) / half if wh > 0 else -1.0
        return left + width * (1 + min(max(place, -1.0), 1.0)) / 2

    def y(share: float) -> float:
        return bottom - height * (1 + min(max((share - centre) / reach, -1.0), 1.0)) / 2

    def bars(point: Point) -> Markup:
        (at, *across), (level, *up) = map(x, point.wh), map(y, point.right)
        caps = "".join(f"M{end:.1f} {level - 4:.1f}V{level + 4:.1f}" for end in across if left < end < right)
        caps += "".join(f"M{at - 4:.1f} {end:.1f}H{at + 4:.1f}" for end in up)
        path = f"M{across[0]:.1f} {level:.1f}H{across[1]:.1f}M{at:.1f} {up[0]:.1f}V{up[1]:.1f}{caps}"
        return Markup('<path class="whisker" d="{}"/>').format(path)

    # A step line: each model on the front holds its accuracy from its own energy to that of the next one.
    steps = [(x(p.wh[0]), y(p.right[0])) for p in sorted(points, key=lambda p: p.wh[0]) if p.front]
    line = "".join(
        f"{'H' if i else 'M'}{at:.1f}{'' if i else f' {bottom:.1f}'}V{level:.1f}" for i, (at, level) in enumerate(steps)
    )
    across = Markup().join(
        Markup(
            '<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
            '<text x="{x:.1f}" y="{under:.1f}" text-anchor="middle">{wh}</text>'
        ).format(x=x(tick), top=top, bottom=bottom, under=bottom + 15, wh=numeral(f"{tick:g}"))
        for tick in _decades(middle - half, middle + half)
    )
    up = Markup().join(
        Markup(
            '<line class="axis" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            '<text x="{before:.1f}" y="{beside:.1f}" text-anchor="end">{share}</text>'
        ).format(left=left, right=right, y=y(tick), before=left - 5, beside=y(tick) + 4, share=text.percent(tick))
        for tick in _shares(centre - reach, centre + reach)
    )
    places = [(x(point.wh[0]), y(point.right[0])) for point in points]
    marks = Markup().join(mark(point, *place) for point, place in zip(points, places, strict=True))
    marks += Markup().join(
        Markup('<text class="number" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(
            at, level + 4, number
        )
        for number, (at, level) in enumerate(_beside(places), 1)
    )
    return Markup(
        '<svg class="pareto" viewBox="0 0 328 260" role="img" aria-label="{label}">'
        '<rect class="allowed" x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"/>{across}{up}'
        '<path class="line" d="{line}"/>{bars}{marks}'
        '<text x="{middle:.1f}" y="{under:.1f}" text-anchor="middle">{wh}</text>'
        '<text text-anchor="middle" transform="translate(11 {centre:.1f}) rotate(-90)">{shares}</text></svg>'
    ).format(
        label=label, left=left, top=top, width=width, height=height, across=across, up=up,
        line=f"{line}H{right:.1f}" if line else "", bars=Markup().join(map(bars, points)), marks=marks,
        middle=left + width / 2, under=bottom + 34, wh=words.PARETO_WH, centre=top + height / 2,
        shares=words.PARETO_RIGHT,
    )  # fmt: skip


def _scale_of(values: Sequence[float], least: float) -> tuple[float, float]:
    """Middle and half width of a scale on which all values have room; the half width is this at least."""
    low, high = min(values), max(values)
    return (low + high) / 2, max(0.55 * (high - low), least)


def _decades(low: float, high: float) -> list[float]:
    """Ticks between two logarithms: powers of ten, and where these are few, twice and five times them."""
    steps = (1, 2, 5) if high - low < 2 else (1,)
    ticks = (step * 10.0**power for power in range(math.floor(low), math.ceil(high)) for step in steps)
    return [tick for tick in ticks if low <= math.log10(tick) <= high]


def _shares(low: float, high: float) -> list[float]:
    """Round numbers between two, six at most, never outside of 0 and 1."""
    step = next(size for size in (0.02, 0.05, 0.1, 0.2, 0.5) if (high - low) / size <= 6 or size == 0.5)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1) if 0 <= i * step <= 1]


def _beside(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """For each mark a place for its number: between its bars, on the right if no other mark or number is near."""
    spots: list[tuple[float, float]] = []
    for i, (x, y) in enumerate(places):
        others = [*places[:i], *places[i + 1 :], *spots]
        around = [(x + dx, y + dy) for dx in (10, -10) for dy in (-10, 10)]
        spots.append(max(around, key=lambda spot: min([18.0, *(math.dist(spot, other) for other in others)])))
    return spots


def mark(point: Point, x: float, y: float) -> Markup:
    """A square for the audited model, a circle for another; filled on the front."""
    kind = "mark front" if point.front else "mark"
    if point.audited:
        return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="10" height="10"/>').format(kind, x - 5, y - 5)
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(kind, x, y)


def model_key(point: Point) -> Markup:
    """The mark of a model, for a legend."""
    svg = Markup('<svg class="key pareto" viewBox="0 0 14 14" aria-hidden="true">{}</svg>')
    return svg.format(mark(point, 7, 7))


def key(kind: str) -> Markup:
    """A piece of one of the `LINES`, for a legend."""
    return Markup(
        '<svg class="key roc" viewBox="0 0 40 16" aria-hidden="true"><path class="line {}" d="M0 8H40"/></svg>'
    ).format(kind)
