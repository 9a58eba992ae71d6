"""How numbers are written: the one place for terminal, page, summary, model card and the probes' own sentences.

In English; the page puts the marks of its language in their place. What stands in one row, an estimate and its interval
above all, has one precision, so that its numbers can be compared by eye.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

UNKNOWN = "–"
_MOST_DECIMALS = 12


def decimals(values: Sequence[float | None]) -> int:
    """How many decimals a row has: three, fewer where its largest number is large, two digits where that is tiny.

    None where all numbers are whole. The first number, which is the estimate, keeps a digit that is not zero.
    """
    known = [value for value in values if value is not None]
    if all(value == int(value) for value in known):
        return 0
    size, first = max(map(abs, known)), abs(values[0] or 0.0)
    enough = 0 if size >= 1_000 else 1 if size >= 100 else 3 if size >= 0.01 else 1 - _magnitude(size)
    return min(max(enough, -_magnitude(first) if first else 0), _MOST_DECIMALS)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value))


def number(value: float | None, places: int | None = None) -> str:
    """A number with so many decimals, else with as many as a row of its own has; thousands are marked."""
    if value is None:
        return UNKNOWN
    if places is None and 0 < abs(value) < 1e-9:
        written = f"{abs(value):.1e}"
    else:
        written = f"{abs(value):,.{decimals([value]) if places is None else places}f}"
    return f"−{written}" if value < 0 and any(digit in written for digit in "123456789") else written


def percent(share: float | None, places: int | None = None) -> str:
    """A share as a percentage: 0.132 is 13.2 %."""
    return UNKNOWN if share is None else f"{number(100 * share, places)} %"


def points(difference: float | None, places: int | None = 1) -> str:
    """A difference of shares in percentage points: 0.132 is 13.2 points."""
    return UNKNOWN if difference is None else f"{number(100 * difference, places)} points"


def rough(value: float) -> str:
    """Two digits, as people say it: 0.0016, 1.6, 160, 1,600."""
    if value >= 10:
        return f"{two_digits(round(value)):,}"
    return f"{value:.{max(1 - _magnitude(value), 0)}f}" if value > 0 else "0"


def row(values: Sequence[float | None], bound: float | None = None) -> tuple[list[str], str]:
    """Numbers of one precision, and their gate; with so many digits that none looks equal to the gate and is not."""
    places, own = decimals(values), decimals([bound])
    for more in range(9):
        alike = (number(value, places + more) == number(bound, places + more) for value in values if value != bound)
        if bound is None or not any(alike):
            break
    gate = number(bound, max(places, own) + more if more else own)
    return [number(value, places + more) for value in values], gate


def interval(estimate: float, low: float | None, high: float | None) -> str:
    """An estimate with its interval; a full count is written without."""
    return bracketed((estimate, low, high), row((estimate, low, high))[0])


def bracketed(values: Sequence[float | None], written: Sequence[str]) -> str:
    """An estimate with its interval, as they were written in a row."""
    (estimate, low, high), (shown, shown_low, shown_high) = values, written
    if low == estimate == high:
        return shown
    if high is None:
        return f"at least {shown}"
    return f"{shown} [{'…' if low is None else shown_low}, {shown_high}]"


def is_number(value: object) -> TypeGuard[float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def two_digits(value: int) -> int:
    """Round a count to its two leading digits: a guess of how many examples has no third one."""
    scale = int(10 ** max(len(str(value)) - 2, 0))
    return round(value / scale) * scale
