"""A line of the table that `make bench` prints: what was asked beside what was found."""

from __future__ import annotations

from dataclasses import dataclass

HEADER = "| what | asked | found | reached |\n| --- | --- | --- | --- |"


@dataclass(frozen=True)
class Line:
    """One thing that was measured, or why it was not.

    Parameters
    ----------
    what : str
    asked : str
        Empty where figures are asked for and none is to be reached.
    found : str
    reached : bool or None
        None where nothing was asked, or nothing measured.
    """

    what: str
    asked: str
    found: str
    reached: bool | None = None

    def __str__(self) -> str:
        reached = "–" if self.reached is None else "yes" if self.reached else "**no**"
        return f"| {self.what} | {self.asked or '–'} | {self.found} | {reached} |"


def at_least(what: str, asked: float, found: float, unit: str = " ×", digits: int = 2, note: str = "") -> Line:
    """A line whose figure is to reach another."""
    return Line(what, f"≥ {asked:g}{unit}", f"{found:,.{digits}f}{unit}{note}", found >= asked)


def at_most(what: str, asked: float, found: float, unit: str = " ×", digits: int = 2, note: str = "") -> Line:
    """A line whose figure is to stay below another."""
    return Line(what, f"≤ {asked:g}{unit}", f"{found:,.{digits}f}{unit}{note}", found <= asked)
