"""What a phase of an audit took, as plain JSON values: how meter, cache, workers and record hand it on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict, get_args

# What grows with the size of the machine and its PUE, unlike seconds and watts.
Amount = Literal["kwh", "co2eq_kg", "cpu_kwh", "gpu_kwh", "ram_kwh"]
AMOUNTS: tuple[Amount, ...] = get_args(Amount)


class Stated(TypedDict, total=False):
    """What the policy says of the machine's power, see :class:`audit.energy.meter.Power`."""

    pue: float
    cpu_watts: float
    ram_watts: float


class Grid(TypedDict):
    """A national grid; a country that is not in CodeCarbon's table has the world's average, neither name nor year."""

    country: str  # ISO code
    name: str | None
    g_per_kwh: float
    year: int | None


class Figures(Stated):
    """Time, electricity and emissions of a phase; ``started``, in seconds since 1970, is not of sums."""

    name: str
    started: NotRequired[float]
    seconds: float
    kwh: float
    co2eq_kg: float
    source: str
    cpu_kwh: NotRequired[float]
    gpu_kwh: NotRequired[float]
    ram_kwh: NotRequired[float]


class CachedPhase(Figures):
    """What a result from the cache took when a former audit made it."""

    created: NotRequired[str]


class Spent(TypedDict):
    """What an audit took until now: phases, those of other machines among them, and what it took from the cache."""

    phases: Sequence[Figures]
    elsewhere: bool
    kept: Sequence[CachedPhase]
    processes: int


def scaled(figures: Figures, factor: float) -> Figures:
    """The same phase with so many times the electricity and emissions."""
    changed = figures.copy()
    for amount in AMOUNTS:
        if amount in changed:
            changed[amount] *= factor
    return changed
