"""Whether the energy figures add up, and what it costs to take them.

    python -m benchmarks.speed.energy                              # about 12 minutes on an idle machine
    python -m benchmarks.speed.energy --repetitions 3 --seconds 2  # a quick look
    python -m benchmarks.speed.energy --blocks                     # how long a block must be: 90 seconds

Ratios with their intervals, as a Markdown table for `benchmarks/README.md`; repetitions alternate, and the
intervals are t intervals of the mean logarithm of the ratios. Each should hold 1, but for the doubling, which should
hold 2, and the tracking, which is to stay below 1.02:

- a sleep against as long at the idle power that stands in the report;
- a block of twice as many texts against one;
- the time of work with the tracker on, a phase for each fifth of a second, against the same without, in short turns,
  since a shared machine's speed changes from minute to minute.

Beside them the processor time that the tracker takes while nothing else runs, a phase for each fifth of a second.

With `--blocks`: by the length of a block, how many texts it takes and how wide the interval of the electricity of a
prediction is, before it is widened where power is estimated.

The model is the embedded one with random weights: what it answers costs the same whatever it has learned.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from audit import demo, statistics
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.energy import meter as energy
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.training.finetune import small_bert

TURNS = 8  # so many short ones for each repetition, with the tracker and without
CLASSES = ("negative", "neutral", "positive")


@contextmanager
def scorer(texts: Sequence[str]) -> Iterator[Scorer]:
    """The embedded model, untrained, with a vocabulary of these texts."""
    names = dict(enumerate(CLASSES))
    network, tokenizer = small_bert(texts, {"id2label": names, "label2id": {n: i for i, n in names.items()}}, 128)
    with tempfile.TemporaryDirectory() as name:
        for part in (network, tokenizer):
            part.save_pretrained(f"{name}/model")
        model = Model("benchmark", Path(name) / "model", CLASSES, 128)
        yield Scorer(model, Cache(Path(name) / "cache"), Meter("DEU"), Progress())


def kwh(meter: Meter, work: Callable[[], object]) -> float:
    """Electricity of some work."""
    with meter.phase("work") as phase:
        work()
    return phase.kwh


def sleeps(meter: Meter, seconds: float) -> float:
    """Energy of a sleep, in times of the idle power over the same time."""
    with meter.phase("idle") as idle:
        time.sleep(energy.IDLE_S)
    with meter.phase("sleep") as sleep:
        time.sleep(seconds)
    return (sleep.kwh / sleep.seconds) / (idle.kwh / idle.seconds)


def doubled(meter: Meter, model: Scorer, texts: Sequence[str], times: int) -> float:
    """Energy of twice as many texts, in times of that of one block."""

    def block(times: int) -> None:
        for _ in range(times):
            model.forward(texts, show=False)

    return kwh(meter, lambda: block(2 * times)) / kwh(meter, lambda: block(times))


def tracked(meter: Meter, model: Scorer, texts: Sequence[str], times: int, first: bool) -> float:
    """Time of work with the tracker on, in times of the same without; `first` says which comes first."""
    taken = {}
    for on in (first, not first):
        if on:
            meter.start("probes")
        started = time.perf_counter()
        for _ in range(times):
            if on:
                with meter.phase("score"):
                    model.forward(texts, show=False)
                _ = meter.phases
            else:
                model.forward(texts, show=False)
        taken[on] = time.perf_counter() - started
        if on:
            meter.stop()
    return taken[True] / taken[False]


def own_time(meter: Meter, seconds: float) -> float:
    """Share of one processor that the tracker takes while all others sleep."""
    meter.start("probes")
    clock, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - clock < seconds:
        with meter.phase("score"):
            time.sleep(0.2)
        _ = meter.phases
    share = (time.process_time() - used) / (time.perf_counter() - clock)
    meter.stop()
    return share


class Uncached:
    """A model whose every answer is a forward pass."""

    def __init__(self, model: Scorer) -> None:
        self._model = model

    def predict(self, texts: Sequence[str]) -> object:
        """Answers to texts."""
        return self._model.forward(texts, show=False)


def blocks(meter: Meter, model: Scorer, texts: Sequence[str], repetitions: int) -> None:
    """Print a line for each length of a block; lengths take turns, since the machine's speed changes."""
    usual, lengths = energy.BLOCK_S, (0.25, 0.5, 1.0, 2.0)
    found: dict[float, list[tuple[float, float]]] = {seconds: [] for seconds in lengths}
    for _ in range(repetitions):
        for energy.BLOCK_S in lengths:
            measured = energy.measure_own(Uncached(model), texts, meter)["blocks"]
            mean, low, high = statistics.mean([block["kwh"] / block["texts"] for block in measured])
            found[energy.BLOCK_S].append((sum(block["texts"] for block in measured), (high - low) / (2 * mean)))
    energy.BLOCK_S = usual
    print("| seconds of a block | measurements | texts asked, median | half-width of the interval, median | largest |")
    print("| --- " * 5 + "|")
    for seconds, pairs in found.items():
        asked, widths = (sorted(column) for column in zip(*pairs, strict=True))
        middle = len(pairs) // 2
        print(f"| {seconds:g} | {len(pairs)} | {asked[middle]:,.0f} | {widths[middle]:.1%} | {widths[-1]:.1%} |")


def row(name: str, ratios: Sequence[float]) -> str:
    """Geometric mean of ratios with its interval."""
    mean, low, high = (math.exp(value) for value in statistics.mean([math.log(ratio) for ratio in ratios]))
    return f"| {name} | {len(ratios)} | {mean:.3f} [{low:.3f}, {high:.3f}] |"


def main() -> None:
    """Print the Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=8, help="of each ratio")
    parser.add_argument("--seconds", type=float, default=20, help="of a sleep, and of a block of predictions")
    parser.add_argument("--only-tracking", action="store_true", help="not the sleeps and blocks")
    parser.add_argument("--blocks", action="store_true", help="only how long a block must be")
    asked = parser.parse_args()
    every = [str(each["text"]) for each in demo.reviews("test", rows=4_000)]
    with scorer(every) as model:
        meter = Meter("DEU")
        if asked.blocks:
            meter.start("probes")
            blocks(meter, model, every, asked.repetitions)
            meter.stop()
            return
        model.forward(every[:500], show=False)
        started = time.perf_counter()
        model.forward(every[:500], show=False)
        rate = 500 / (time.perf_counter() - started)
        texts = every[: max(int(rate / 5), 10)]  # a fifth of a second
        times = max(round(asked.seconds * rate / len(texts)), 1)
        print(f"{meter.machine}; {meter.source}; nominal power {meter.nominal_w:g} W\n")
        print("| ratio | repetitions | geometric mean [95 % interval] |\n| --- | --- | --- |")
        runs = range(asked.repetitions)
        if not asked.only_tracking:
            print(row("sleep to idle", [sleeps(meter, asked.seconds) for _ in runs]), flush=True)
            print(row("two blocks to one", [doubled(meter, model, texts, times) for _ in runs]), flush=True)
        turns = [tracked(meter, model, texts, max(times // TURNS, 1), i % 2 == 0) for i in range(TURNS * len(runs))]
        print(row("time with tracker to without", turns), flush=True)
        print(f"\nProcessor time of the tracker alone: {own_time(meter, 3 * asked.seconds):.2%} of one core")
        whole = sum(phase.kwh for phase in meter.phases)
        print(f"Sum of the phases to the tracker's total: {whole / meter.total_kwh:.4f}")


if __name__ == "__main__":
    main()
