"""How numbers are written: the one place for terminal, page, summary, model card and the probes' own sentences.

In English; the page has forms and marks of its language put in their place. What stands in one row, an estimate and its
interval above all, has one precision, so that its numbers can be compared by eye. Shares are percentages, and their
differences are in percentage points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeGuard

UNKNOWN = "–"
SHARE, POINTS = "share", "points"
# How a number is written in these units, and a single point.
_FORMS: Mapping[str, str] = {SHARE: "{number} %", POINTS: "{number} points"}
_ONE_POINT = "{number} point"
FORMS = (*_FORMS.values(), _ONE_POINT)
IN_BRACKETS, AT_LEAST = "{estimate} [{low}, {high}]", "at least {figure}"
# Units that are no words of a language, and that a longer unit may begin with: Wh per 1,000 predictions.
SYMBOLS = ("kWh", "Wh", "g", "kg", "s", "ms")
_MOST_DECIMALS = 12
_TINY = 1e-9  # below it, numbers are written with an exponent
# An interval of so many percentage points leaves nothing to tell behind the decimal point.
_WIDE = 20


class Figures(NamedTuple):
    """What a finding says in numbers, in one precision and in its unit; `low` leaves the unit to `high`."""

    estimate: str
    low: str
    high: str
    interval: str
    gate: str


def figures(
    values: Sequence[float | None],
    bound: float | None = None,
    unit: str = "",
    say: Callable[[str], str] = str,
    numeral: Callable[[str], str] = str,
) -> Figures:
    """Estimate, interval and gate of a finding: 83.2 % [81.5, 84.8] and 80 %.

    Parameters
    ----------
    values : sequence of float or None
        Estimate, low and high.
    bound : float, optional
        The gate, which is written as exactly as it was set.
    unit : str
    say : callable
        From a form or unit in English to the one of the language that is spoken.
    numeral : callable
        From a number written the English way to how that language writes it.
    """
    written, gate = row(values, bound, unit)
    (estimate, low, high), gate = map(numeral, written), numeral(gate)
    estimate, gate = (each if each == UNKNOWN else quantity(each, unit, say) for each in (estimate, gate))
    interval_ = _bracketed(values, (estimate, low, high), say)
    return Figures(estimate, low, high if high == UNKNOWN else quantity(high, unit, say), interval_, gate)


def _bracketed(values: Sequence[float | None], written: Sequence[str], say: Callable[[str], str]) -> str:
    """An estimate with its interval; a full count is written without."""
    (value, value_low, value_high), (estimate, low, high) = values, written
    if value is None or value_low == value == value_high:
        return estimate
    if value_high is None:
        return say(AT_LEAST).format(figure=estimate)
    return say(IN_BRACKETS).format(estimate=estimate, low="…" if value_low is None else low, high=high)


def interval(estimate: float, low: float | None, high: float | None, unit: str = "") -> str:
    """An estimate with its interval; a full count is written without."""
    return figures((estimate, low, high), unit=unit).interval


def row(values: Sequence[float | None], bound: float | None = None, unit: str = "") -> tuple[list[str], str]:
    """Numbers of one precision, and their gate as it was set, in a unit but without it.

    There are so many digits that no number looks equal to the gate and is not.
    """
    scaled, gate = [_scaled(value, unit) for value in values], _scaled(bound, unit)
    places = _decimals(scaled, scale_of(unit))
    others = [own for own, value in zip(scaled, values, strict=True) if value != bound]

    def clear(more: int) -> bool:
        return all(number(value, places + more) != number(gate, places + more) for value in others)

    more = 0 if bound is None else next(filter(clear, range(_MOST_DECIMALS)), 0)
    return [number(value, places + more) for value in scaled], exact(bound, unit)


def quantity(written: str, unit: str, say: Callable[[str], str] = str) -> str:
    """A number with its unit behind it. A phrase that says what a pure number counts is no unit."""
    if scale_of(unit):
        return say(form_of(written, unit)).format(number=written)
    return f"{written} {say(unit)}" if is_unit(unit) else written


def form_of(written: str, unit: str) -> str:
    """The form of a number that is a share or in points."""
    scale = scale_of(unit)
    return _ONE_POINT if scale == POINTS and written in ("1", "−1") else _FORMS[scale]


def measured(value: float | None, unit: str) -> str:
    """A number that stands alone, in its unit."""
    return UNKNOWN if value is None else quantity(row([value], unit=unit)[0][0], unit)


def percent(share: float | None) -> str:
    """A share as a percentage: 0.132 is 13.2 %."""
    return measured(share, SHARE)


def points(difference: float | None) -> str:
    """A difference of shares in percentage points: 0.132 is 13.2 points."""
    return measured(difference, POINTS)


def exact(value: float | None, unit: str = "") -> str:
    """A number that somebody set, a gate above all, with all its digits and without its unit."""
    if value is None:
        return UNKNOWN
    scaled = _scaled(value, unit) or 0.0
    if 0 < abs(scaled) < _TINY:
        return number(scaled)
    written = f"{abs(Decimal(repr(float(scaled)))):,f}"
    written = written.rstrip("0").rstrip(".") if "." in written else written
    return f"−{written}" if scaled < 0 else written


def scale_of(unit: str) -> str:
    """``share`` or ``points`` where a unit is one of these, else nothing; "share of right answers" is a share too."""
    if unit == SHARE or unit.startswith(f"{SHARE} of "):
        return SHARE
    return POINTS if unit == POINTS else ""


def is_unit(unit: str) -> bool:
    """Whether it is a unit, and no phrase that says what a pure number counts: "mean F1 score of the classes"."""
    return bool(unit.strip()) and (" " not in unit or unit.split()[0] in SYMBOLS)


def _scaled(value: float | None, unit: str) -> float | None:
    # Rounded, since 100 * 0.07 is 7.000000000000001.
    return round(100 * float(value), _MOST_DECIMALS - 2) if value is not None and scale_of(unit) else value


def _decimals(values: Sequence[float | None], scale: str = "") -> int:
    """How many decimals a row has: three, fewer where its largest number is large, two digits where that is tiny.

    Percentages and points have one, none where the interval is wide, more where it is narrow. None where all numbers
    are whole. The first number, which is the estimate, keeps a digit that is not zero; a share that is not 100 % does
    not look so.
    """
    known = [value for value in values if value is not None]
    if all(value == int(value) for value in known):
        return 0
    first = abs(values[0] or 0.0)
    if scale:
        width = max(known) - min(known)
        enough = 0 if width >= _WIDE else max(1, -_magnitude(width)) if width else 1
        apart = [first, abs(100 - first)] if scale == SHARE else [first]
    else:
        size = max(map(abs, known))
        enough = 0 if size >= 1_000 else 1 if size >= 100 else 3 if size >= 0.01 else 1 - _magnitude(size)
        apart = [first]
    return min(max([enough, *(-_magnitude(value) for value in apart if value)]), _MOST_DECIMALS)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value))


def number(value: float | None, places: int | None = None) -> str:
    """A number with so many decimals, else with as many as a row of its own has; thousands are marked."""
    if value is None:
        return UNKNOWN
    if places is None and 0 < abs(value) < _TINY:
        written = f"{abs(value):.1e}"
    else:
        written = f"{abs(value):,.{_decimals([value]) if places is None else places}f}"
    return f"−{written}" if value < 0 and any(digit in written for digit in "123456789") else written


def often(share: float) -> tuple[int, int]:
    """A share as people say it, 7 of 10: of the first power of ten, up to a million, that is less than 5 % off.

    None or all are said only of a share that is exactly that.
    """
    for total in (10**power for power in range(1, 7)):
        count = round(share * total)
        if share in (0, 1) or (0 < count < total and abs(count - share * total) <= 0.05 * count):
            return count, total
    return min(max(round(share * 10**6), 1), 10**6 - 1), 10**6


def rough(value: float) -> str:
    """Two digits, as people say it: 0.0016, 1.6, 160, 1,600."""
    if value >= 10:
        return f"{two_digits(round(value)):,}"
    return f"{value:.{max(1 - _magnitude(value), 0)}f}" if value > 0 else "0"


def is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def two_digits(value: int) -> int:
    """Round a count to its two leading digits: a guess of how many examples has no third one."""
    scale = int(10 ** max(len(str(value)) - 2, 0))
    return round(value / scale) * scale
