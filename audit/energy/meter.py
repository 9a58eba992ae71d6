"""Energy by phase, through CodeCarbon without a network; each figure says whether it was measured or estimated."""

from __future__ import annotations

import functools
import hashlib
import math
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from itertools import pairwise
from typing import Protocol, cast

from audit.core.budget import waiting
from audit.core.cache import Cache, Entry, timestamp
from audit.core.figures import AMOUNTS, Figures, Grid, Stated, scaled
from audit.energy.tracker import Tracker, national_grids

BLOCKS = 5
BLOCK_S = 0.5  # a block's end is a reading of the tracker; longer ones were no steadier (benchmarks/speed/energy.py)
IDLE_S = 3.0
CHUNK = 256
REVISION = 5  # of what is kept of a measurement
# Grids beside that of the policy's country, from little carbon to much.
ELSEWHERE = ("FRA", "DEU", "POL", "USA", "CHN")


@dataclass(frozen=True)
class Power:
    """What the policy says of the machine's power, ``[environment]``; None where CodeCarbon is to see or guess it.

    Parameters
    ----------
    pue : float or None
        Power usage effectiveness of the data centre: all electricity is multiplied by it.
    cpu_watts : float or None
        Nominal power of all processors together, by which their load is multiplied; no counter is read then.
    ram_watts : float or None
        Power of all memory, a constant.
    """

    pue: float | None = None
    cpu_watts: float | None = None
    ram_watts: float | None = None

    @classmethod
    def of(cls, recorded: Mapping[str, object]) -> Power:
        """That of a recorded policy, or of recorded figures."""
        values = (recorded.get(each.name) for each in fields(cls))
        return cls(*(value if isinstance(value, int | float) else None for value in values))

    @property
    def stated(self) -> Stated:
        """What is said, by the policy's names."""
        return cast("Stated", {name: value for name, value in asdict(self).items() if value is not None})

    def __str__(self) -> str:
        return ", ".join(f"{name} = {value:g}" for name, value in asdict(self).items() if value is not None)


@dataclass
class Phase:
    """What one phase of the audit took; filled in when it ends. ``started`` is in seconds of the clock that
    all processes of a machine share and nobody sets back.
    """

    name: str
    started: float = 0.0
    seconds: float = 0.0
    cpu_kwh: float = 0.0
    gpu_kwh: float = 0.0
    ram_kwh: float = 0.0
    co2eq_kg: float = 0.0
    source: str = "estimated"
    power: Power = field(default_factory=Power)

    @property
    def kwh(self) -> float:
        """Electricity of all parts."""
        return self.cpu_kwh + self.gpu_kwh + self.ram_kwh

    def record(self) -> Figures:
        """Plain JSON values, as in the record."""
        return {
            "name": self.name,
            "started": self.started,
            "seconds": self.seconds,
            "kwh": self.kwh,
            "co2eq_kg": self.co2eq_kg,
            "source": self.source,
            "cpu_kwh": self.cpu_kwh,
            "gpu_kwh": self.gpu_kwh,
            "ram_kwh": self.ram_kwh,
            **self.power.stated,
        }


class Meter:
    """One tracker for the whole audit, a task for each phase.

    Parameters
    ----------
    country : str
        ISO code of the country whose grid the carbon intensity is taken from.
    power : Power
        What the policy says of the machine's power.

    Notes
    -----
    Phases do not overlap: one that begins within another is booked on the outer one. Between :meth:`start` and
    :meth:`stop` there are no gaps either: what runs outside of all phases has a name of its own. The tracker reads the
    whole machine, so what else runs there is counted too.
    """

    def __init__(self, country: str, power: Power | None = None) -> None:
        self.country = country
        self.power = power or Power()
        self._ended: list[Phase] = []
        self._rest: str | None = None  # name of what runs outside of all phases
        self._open: Phase | None = None
        self._inside = False
        self._tasks = 0

    def start(self, rest: str) -> None:
        """Book from now on what runs outside of all phases, under this name."""
        self._rest = rest
        self._begin(rest)

    def stop(self) -> None:
        """Book nothing more outside of phases; no thread of the tracker is left."""
        self._rest = None
        if not self._inside:
            self._end()

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Book what runs in the block."""
        if self._inside:
            assert self._open is not None
            yield self._open
            return
        self._inside, phase = True, self._begin(name, self._end())
        try:
            yield phase
        finally:
            ended = self._end()
            self._inside = False
            if self._rest is not None:
                self._begin(self._rest, ended)

    @property
    def phases(self) -> list[Phase]:
        """All phases that have ended, in order; what runs outside of them is told up to now."""
        if self._rest is not None and not self._inside:
            self._begin(self._rest, self._end())
        return list(self._ended)

    @property
    def total_kwh(self) -> float:
        """What the tracker has counted altogether."""
        return self._tracker.total_kwh

    def _begin(self, name: str, after: tuple[float, float] | None = None) -> Phase:
        """Begin a phase: now, or where the former one ended, since to change tasks takes the tracker a while too."""
        _ = self._tracker  # made before the phase begins
        self._tasks += 1
        started, read_at = after or (time.monotonic(), None)
        self._open = Phase(name, started, source=self.source, power=self.power)
        self._tracker.start(f"{name}-{self._tasks}", read_at)
        return self._open

    def _end(self) -> tuple[float, float] | None:
        """End the phase that is open; gives the time, and the tracker's clock at its last reading."""
        phase, self._open = self._open, None
        if phase is None:
            return None
        consumed = self._tracker.stop(f"{phase.name}-{self._tasks}")
        read_at = self._tracker.read_at
        ended = time.monotonic() - (time.perf_counter() - read_at)
        phase.seconds = max(ended - phase.started, 0.0)
        if consumed is not None:
            phase.cpu_kwh, phase.gpu_kwh = consumed.cpu_kwh, consumed.gpu_kwh
            phase.ram_kwh, phase.co2eq_kg = consumed.ram_kwh, consumed.co2eq_kg
        self._ended.append(phase)
        return ended, read_at

    @property
    def source(self) -> str:
        """``measured`` if the processor's power is read from a counter, else ``estimated``.

        Graphics cards are always read (NVML). CodeCarbon's figure for memory is a constant per module everywhere.
        """
        return "measured" if self._tracker.has_counter else "estimated"

    @property
    def machine(self) -> str:
        """Processor, cores and graphics card, as the tracker names them."""
        return self._tracker.machine

    @property
    def place(self) -> str:
        """The one machine that a measurement holds for: its name in the network, and what it is made of."""
        return f"{platform.node()}, {self.machine}"

    @property
    def nominal_w(self) -> float:
        """Nominal power of the processor, by which an estimate multiplies its load, watts."""
        return self._tracker.nominal_w

    @functools.cached_property
    def _tracker(self) -> Tracker:
        return Tracker(self.country, **asdict(self.power))


def restated(figures: Figures, power: Power) -> Figures:
    """What a phase of a former audit took, at the PUE that the policy says now.

    Watts stay those of then: it is not known what they would have been guessed to be.
    """
    changed = scaled(figures, (power.pue or 1.0) / (figures.get("pue") or 1.0))
    changed.pop("pue", None)
    return changed if power.pue is None else {**changed, "pue": power.pue}


def merge(processes: Sequence[Sequence[Figures]]) -> list[Figures]:
    """Add up phases of the same name of one machine's processes, each charged with its part of the machine."""
    return add(charged(processes))


def charged(processes: Sequence[Sequence[Figures]]) -> list[Figures]:
    """Phases of processes on one machine, in order, so that nothing is counted twice.

    Parameters
    ----------
    processes : sequence of sequences of Figures
        For each process its phases as :meth:`Phase.record` gives them, without gaps.

    Notes
    -----
    Each process reads the whole machine. While k of them ran at once, each phase is charged with one k-th of it;
    seconds are those of all processes.
    """
    windows = [(own[0]["started"], own[-1]["started"] + own[-1]["seconds"]) for own in processes if own]
    phases = []
    for phase in (phase for own in processes for phase in own):
        share = _share(phase["started"], phase["started"] + phase["seconds"], windows)
        phases.append(scaled(phase, share))
    return phases


def add(phases: Iterable[Figures]) -> list[Figures]:
    """Sums of phases of the same name, in order of their first appearance."""
    total: dict[str, Figures] = {}
    for phase in phases:
        merged = total.setdefault(
            phase["name"],
            {"name": phase["name"], "source": phase["source"], "seconds": 0.0, "kwh": 0.0, "co2eq_kg": 0.0},
        )
        merged["seconds"] += phase["seconds"]
        for amount in AMOUNTS:
            if amount in phase:
                merged[amount] = merged.get(amount, 0.0) + phase[amount]
        if phase["source"] == "estimated":
            merged["source"] = "estimated"
        total[phase["name"]] = {**merged, **Power.of(phase).stated}
    return list(total.values())


def _share(start: float, end: float, windows: Sequence[tuple[float, float]]) -> float:
    """The mean of 1/k from start to end, k the number of windows that are open."""
    inside = {edge for window in windows for edge in window if start < edge < end}
    edges = [start, *sorted(inside), end]
    if end <= start:
        return 1.0
    return sum(
        (right - left) / max(sum(a <= (left + right) / 2 <= b for a, b in windows), 1)
        for left, right in pairwise(edges)
    ) / (end - start)


def estimated_kwh(figures: Figures) -> float:
    """The part of a phase's electricity that no meter was read for.

    Memory always, since CodeCarbon takes a constant for each module; the processor where it has no counter. Graphics
    cards are always read.
    """
    return figures["ram_kwh"] + (figures["cpu_kwh"] if figures["source"] == "estimated" else 0.0)


def grids(country: str) -> list[Grid]:
    """How much carbon dioxide a kilowatt-hour stands for, in the policy's country and elsewhere.

    Returns
    -------
    list of dict
        As :func:`audit.energy.tracker.national_grids` gives them; the policy's country first.
    """
    return national_grids(dict.fromkeys((country, *ELSEWHERE)))


class Block(Figures):
    """What a block of predictions took."""

    texts: int
    tokens: int


class _Surroundings(Stated, Entry):
    source: str
    machine: str
    nominal_w: float
    idle: Figures


class InferenceEnergy(_Surroundings):
    """What predictions took in blocks, and the machine that ran them; ``idle`` is a phase in which it slept."""

    blocks: list[Block]


class _Turns(_Surroundings):
    blocks: list[list[Block]]  # of each model in turn


class Counted(Protocol):
    """How much a runner has computed."""

    tokens: int


class Runner(Protocol):
    """What answers texts past all caches: the scorer of a model, or a model that is none of ``transformers``."""

    @property
    def counts(self) -> Counted:
        """Grows with each forward pass."""

    @property
    def identity(self) -> Mapping[str, object]:
        """What an answer costs depends on this, besides the text and the machine; JSON values."""

    def forward(self, texts: Sequence[str], show: bool = True) -> object:
        """Probabilities, shape (n, classes)."""


def measure_inference(scorer: Runner, texts: Sequence[str], meter: Meter, cache: Cache) -> InferenceEnergy:
    """Energy of predictions in separate blocks, past the prediction cache; kept with machine and date.

    Parameters
    ----------
    texts : sequence of str
        The user's own texts; each block runs through them in turn until it has lasted long enough.

    Returns
    -------
    InferenceEnergy
    """
    return measure_in_turn([scorer], texts, meter, cache)[0]


def measure_own(scorer: Predictor, texts: Sequence[str], meter: Meter) -> InferenceEnergy:
    """What :func:`measure_inference` gives, of a scorer that only predicts; not kept, since nothing tells it apart."""
    measured = _blocks([_Predicting(scorer)], texts, meter)
    return {**measured, "blocks": measured["blocks"][0], "created": timestamp()}


class Predictor(Protocol):
    """A scorer that only predicts."""

    def predict(self, texts: Sequence[str]) -> object:
        """Answers to texts."""


class _Predicting:
    """A scorer of a repository's own as what is measured; of tokens it says nothing."""

    tokens = 0

    def __init__(self, scorer: Predictor) -> None:
        self.counts, self.identity, self._scorer = self, dict[str, object](), scorer

    def forward(self, texts: Sequence[str], show: bool = True) -> object:
        return self._scorer.predict(texts)


def measure_in_turn(
    runners: Sequence[Runner], texts: Sequence[str], meter: Meter, cache: Cache
) -> list[InferenceEnergy]:
    """What :func:`measure_inference` gives for each of several models, one block of each in turn.

    What else the machine does changes from hour to hour, and load is what an estimate of power rests on: only figures
    of one hour can be held against each other. They are kept together, and measured anew where one model is another.
    """
    import torch

    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    key = {
        "what": "inference energy",
        "revision": REVISION,
        "models": [runner.identity for runner in runners],
        "machine": meter.place,
        "country": meter.country,
        "power": meter.power.stated,
        "threads": torch.get_num_threads(),
        "texts": digest,
        "versions": {name: version(name) for name in ("torch", "transformers", "codecarbon")},
    }
    kept = cache.measurement(key, lambda: _blocks(runners, texts, meter))
    return [{**kept, "blocks": blocks} for blocks in kept["blocks"]]


def expected_blocks(models: int, rate: float, texts: int) -> tuple[int, float]:
    """How many texts :func:`measure_in_turn` asks about, and the seconds in which it asks about none.

    Parameters
    ----------
    models : int
        How many take turns.
    rate : float
        Texts that each answers in a second.
    texts : int
        How many there are.
    """
    chunk = min(CHUNK, texts)
    chunks = 1 + BLOCKS * math.ceil(BLOCK_S * rate / chunk)  # a block ends with the chunk in which its time is up
    return models * chunks * chunk, IDLE_S


def _blocks(runners: Sequence[Runner], texts: Sequence[str], meter: Meter) -> _Turns:
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    positions = [0] * len(runners)
    waiting(IDLE_S + BLOCKS * len(runners) * BLOCK_S)
    for runner in runners:
        runner.forward(chunks[0], show=False)
    with meter.phase("measure inference") as idle:
        time.sleep(IDLE_S)
    blocks: list[list[Block]] = [[] for _ in runners]
    for turn in range(BLOCKS * len(runners)):
        i = turn % len(runners)
        runner, done, before = runners[i], 0, runners[i].counts.tokens
        with meter.phase("measure inference") as phase:
            started = time.monotonic()
            while time.monotonic() - started < BLOCK_S:
                chunk = chunks[positions[i] % len(chunks)]
                runner.forward(chunk, show=False)
                done += len(chunk)
                positions[i] += 1
        blocks[i].append({"texts": done, "tokens": runner.counts.tokens - before, **phase.record()})
    measured: _Turns = {
        "blocks": blocks, "idle": idle.record(), "source": meter.source, "machine": meter.machine,
        "nominal_w": meter.nominal_w,
    }  # fmt: skip
    return {**measured, **meter.power.stated}
