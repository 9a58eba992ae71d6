"""How long the model takes for single texts, hostile ones among ordinary ones, and whether it answers at all."""

from __future__ import annotations

import gc
import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.core.budget import waiting
from audit.core.cache import Cache, Entry
from audit.core.errors import NotFiniteError
from audit.core.sentences import Sentence
from audit.energy.meter import Meter, Runner
from audit.inference.scorer import CachedScorer
from audit.text import hostile as hostile_texts
from audit.text.hostile import Request

HOSTILE_BETWEEN = 4  # an ordinary text after each so many hostile ones, so that the machine's moods hit both alike
WARM_UP = 10
CLOCKS = {"processor": time.process_time, "wall": time.perf_counter}
CLOCK_NAMES = {
    "processor": Sentence("processor time on one thread, so that other work on the machine hardly counts"),
    "wall": Sentence("time by the clock, so that other work on the machine counts too"),
}
NO_PROBABILITIES = Sentence("no probabilities")  # what a text got in the place of an answer
SINGLE = 200  # test texts that are timed one after the other
SINGLE_ASKED = 1 + WARM_UP + SINGLE


class HostileAnswer(TypedDict):
    """What came of a hostile text."""

    kind: str
    length: int  # characters
    seconds: float | None  # None where no answer came
    memory: int | None  # bytes by which the process grew; None where the system does not tell
    error: str | None


class Latencies(Entry):
    """Time of ordinary texts and of hostile ones, each alone."""

    ordinary: list[float]
    hostile: list[HostileAnswer]
    clock: str
    machine: str
    max_characters: NotRequired[int]


class SingleTimes(Entry):
    """Time of single texts.

    The clock is ``processor`` on one core, so that what else runs does not count, and ``wall`` on a graphics card.
    """

    seconds: list[float]
    clock: str
    machine: str


def measure_latency(
    scorer: CachedScorer, ordinary: Sequence[str], hostile: Sequence[Request], meter: Meter, cache: Cache
) -> Latencies:
    """Time of each text alone, past the prediction cache; kept with machine and date.

    Parameters
    ----------
    scorer : CachedScorer
        Or what a repository put in its place: then ``predict`` is timed, by the clock, and nothing is kept.
    ordinary : sequence of str
        The user's own texts; drawn from at random.
    hostile : sequence of Request

    Returns
    -------
    Latencies
    """
    if not isinstance(scorer, CachedScorer):
        return _measure(lambda text: scorer.predict([text]).rows, "wall", ordinary, hostile, meter)
    key = {
        "what": "latency",
        "revision": hostile_texts.REVISION,
        **scorer.identity,
        "max_characters": scorer.max_characters,
        "machine": meter.place,
        "texts": hashlib.sha256("\0".join(ordinary).encode("utf-8", "surrogatepass")).hexdigest(),
        "hostile": hashlib.sha256(repr(hostile).encode()).hexdigest(),
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }
    clock = _clock(scorer)

    def measure() -> Latencies:
        times = _measure(lambda text: scorer.forward([text], show=False), clock, ordinary, hostile, meter)
        return {**times, "max_characters": scorer.max_characters}

    return cache.measurement(key, measure)


def asked(hostile: int) -> int:
    """How many texts :func:`measure_latency` asks about, so many hostile ones among them."""
    return WARM_UP + hostile + -(-hostile // HOSTILE_BETWEEN)


def measure_single(scorer: Runner, texts: Sequence[str], meter: Meter, cache: Cache) -> SingleTimes:
    """Time of single texts, one after the other, past the prediction cache; kept with machine and date.

    Parameters
    ----------
    scorer : Runner
    texts : sequence of str
        The user's own; drawn from at random.

    Returns
    -------
    SingleTimes
    """
    key = {
        "what": "single texts",
        **scorer.identity,
        "machine": meter.place,
        "texts": hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest(),
        "number": SINGLE,
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
    }
    return cache.measurement(key, lambda: _single(scorer, texts, meter))


def _single(scorer: Runner, texts: Sequence[str], meter: Meter) -> SingleTimes:
    clock = _clock(scorer)
    now, rng = CLOCKS[clock], random.Random(0)
    seconds: list[float] = []
    scorer.forward(texts[:1], show=False)  # a model that is loaded or trained only now does so outside of the phase
    with meter.phase("measure latency"), _steadily(one_thread=clock == "processor"):
        for i in range(WARM_UP + SINGLE):
            text, started = rng.choice(texts), now()
            scorer.forward([text], show=False)
            if i >= WARM_UP:
                seconds.append(now() - started)
    return {"seconds": seconds, "clock": clock, "machine": meter.machine}


def _clock(scorer: Runner) -> str:
    """By which clock answers are timed: a processor's own time tells nothing of a graphics card's."""
    return "processor" if scorer.identity["device"] == "cpu" else "wall"


def _measure(
    answer: Callable[[str], ArrayLike],
    clock: str,
    ordinary: Sequence[str],
    hostile: Sequence[Request],
    meter: Meter,
) -> Latencies:
    waiting(0)
    now = CLOCKS[clock]
    rng = random.Random(0)
    usual: list[float] = []
    rows: list[HostileAnswer] = []
    with meter.phase("measure latency"), _steadily(one_thread=clock == "processor"):
        for _ in range(WARM_UP):
            answer(rng.choice(ordinary))
        for i, request in enumerate(hostile):
            if i % HOSTILE_BETWEEN == 0:
                text = rng.choice(ordinary)
                started = now()
                answer(text)
                usual.append(now() - started)
            text = request.text
            error: str | None = None
            before = _reset_peak_memory()
            started = now()
            try:
                said = np.asarray(answer(text), float)
            except NotFiniteError:
                error = NO_PROBABILITIES
            except Exception as problem:  # whatever it is, the sender gets no answer
                error = type(problem.__cause__ or problem).__name__  # of code of the user's own: what it raised
            seconds = now() - started
            if error is None and not _are_probabilities(said):
                error = NO_PROBABILITIES
            after = _memory("VmHWM")
            rows.append({
                "kind": request.kind,
                "length": len(text),
                "seconds": seconds if error is None else None,
                "memory": None if before is None or after is None else after - before,
                "error": error,
            })  # fmt: skip
    return {"ordinary": usual, "hostile": rows, "clock": clock, "machine": meter.machine}


def _are_probabilities(said: NDArray[np.float64]) -> bool:
    """Whether one row came, of shares that sum to one; NaN is neither."""
    return said.ndim == 2 and len(said) == 1 and bool((said >= 0).all() and np.allclose(said.sum(), 1, atol=1e-3))


@contextmanager
def _steadily(*, one_thread: bool) -> Iterator[None]:
    """Without the garbage collector, and on one thread: threads that wait for others burn time on a busy machine."""
    import torch

    threads, collects = torch.get_num_threads(), gc.isenabled()
    if one_thread:
        torch.set_num_threads(1)
    gc.disable()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        if collects:
            gc.enable()


def _reset_peak_memory() -> int | None:
    """Set the process's peak to what it holds now, and give that, bytes; None where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _memory("VmRSS")


def _memory(name: str) -> int | None:
    """A line of Linux' account of this process, bytes; None elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), None)
