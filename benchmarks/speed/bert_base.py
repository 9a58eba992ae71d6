"""The document's own recipe: BERT's base size, five epochs of IMDB in batches of 16, and what it takes.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.bert_base                 # with a GPU: all 25,000 reviews
    AUDIT_TEST_DATA=… python -m benchmarks.speed.bert_base --rows 64       # without one: the same, on fewer reviews
    … --batch-size 256 --epochs 1                                              # what a GPU can do

Random weights: neither time nor electricity depends on them. Prints a Markdown row: steps, tokens a second (padding not
counted) of the whole training and once it is under way, the share of what `torch` multiplies on the same machine (bf16
on a GPU, as the training), and electricity: a GPU's is measured (NVML), the processor's measured or estimated.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from audit.core.cache import Cache
from audit.core.progress import Bar, Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.policy.policy import Finetune
from audit.training.finetune import Recipe, train
from benchmarks.shapes import BASE, CLASSES, imdb, model, multiplied, peak, save, seconds
from benchmarks.speed.table import Line, at_least

COLUMNS = (
    "training", "reviews", "steps", "tokens a review", "s", "tokens/s", "tokens/s under way", "TFLOP/s under way",
    "of the machine's", "kWh", "of it the GPU's", "electricity",
)  # fmt: skip
BATCH_SIZES = (1, 16, 64, 128)  # of the pipeline
STARTING = 2  # one step in so many is of no account for the pace: kernels are loaded, a compiler compiles


class Steps(Bar):
    """A bar that remembers when each step ended."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.ended = [time.perf_counter()]  # the first step begins now

    def advance(self, steps: int, note: str = "") -> None:
        """Count steps as done, and when."""
        super().advance(steps, note)
        self.ended.append(time.perf_counter())

    @property
    def pace(self) -> float:
        """Seconds a step once it is under way."""
        first = max(1, len(self.ended) // STARTING)
        return (self.ended[-1] - self.ended[first - 1]) / (len(self.ended) - first)


class Watched(Progress):
    """Shows progress on standard error, and keeps the last bar."""

    def __init__(self) -> None:
        super().__init__(sys.stderr.write, live=sys.stderr.isatty())

    @contextmanager
    def bar(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        """A bar that remembers."""
        self.steps = Steps(sys.stderr.write, sys.stderr.isatty(), name, total, unit)
        try:
            yield self.steps
        finally:
            self.steps.close()


def default_device() -> str:
    """The first GPU, else the processor."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def rate(device: str, dtype: str) -> float:
    """Floating-point operations a second that the machine can do at all."""
    return peak(device, dtype) if device.startswith("cuda") else multiplied(BASE)


def examples(rows: int) -> Examples:
    """Reviews of IMDB's training data; the classes are given out in turn, since what is learnt is of no matter."""
    texts = tuple(imdb("train")[:rows])
    return Examples(texts, np.arange(len(texts)) % 2, CLASSES)


def trained(rows: int, settings: Finetune, length: int, device: str) -> tuple[list[str], float]:
    """A row of the table, and the share of what the machine multiplies, once the training is under way."""
    watched = Watched()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = save(BASE, length, folder / "base")
        recipe = Recipe("bert-base", base, None, True, settings, length, device)
        given, meter = examples(rows), Meter("DEU")
        made = train(recipe, given, Cache(folder / "cache"), meter, watched)
        lengths = [
            len(ids) for ids in made.tokenizer(list(given.texts), truncation=True, max_length=length)["input_ids"]
        ]
        facts = made.training or {}
    spent = next(phase for phase in meter.phases if phase.name == "fine-tune")
    dtype = "bfloat16" if device.startswith("cuda") else "float32"
    a_step = settings.batch_size / len(lengths)  # of all examples
    # Forward once, and backward twice as much: with respect to weights and to what went in.
    under_way = 3 * a_step * BASE.operations(lengths) / watched.steps.pace
    share = under_way / rate(device, dtype)
    cells = [
        f"batches of {settings.batch_size}, {settings.epochs:g} epochs, {length} tokens, {dtype}"
        + (", compiled" if settings.compile else ""),
        f"{len(lengths):,}", f"{facts['steps']:,}", f"{np.mean(lengths):.0f}", f"{spent.seconds:.0f}",
        f"{facts['steps'] * a_step * sum(lengths) / spent.seconds:,.0f}",
        f"{a_step * sum(lengths) / watched.steps.pace:,.0f}", f"{under_way / 1e12:.2f}", f"{share:.0%}",
        f"{spent.kwh:.5f}", f"{spent.gpu_kwh:.5f}", meter.source,
    ]  # fmt: skip
    return cells, share


def scoring(texts: Sequence[str], length: int, device: str, dtype: str) -> tuple[float, float]:
    """Texts a second of the scorer once it is under way, and the share of what the machine multiplies in this type."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audited = model(BASE, length, folder / "model", device, dtype)
        meter = Meter("DEU")
        assert meter.source  # to look for counters takes seconds, once an audit
        scorer = Scorer(audited, Cache(folder / "cache"), meter, Progress())
        scorer.predict(texts[::2])  # so that every kernel has been loaded once
        asked = list(texts[1::2])
        taken = seconds(lambda: scorer.predict(asked))
        lengths = [len(ids) for ids in audited.tokenizer(asked, truncation=True, max_length=length)["input_ids"]]
    return len(asked) / taken, BASE.operations(lengths) / taken / rate(device, dtype)


def piped(texts: Sequence[str], length: int, device: str) -> dict[int, float]:
    """Texts a second of the pipeline in float32, by size of batch; 1 is its default."""
    from transformers import pipeline

    with tempfile.TemporaryDirectory() as name:
        audited = model(BASE, length, Path(name) / "model", device)
        usual = pipeline("text-classification", model=audited.network, tokenizer=audited.tokenizer, device=device)

        def a_second(size: int) -> float:
            part = list(texts[: max(len(texts) // 32, 8 * size)])
            return len(part) / seconds(lambda: usual(part, batch_size=size, truncation=True, max_length=length))

        a_second(1)  # it gets going
        return {size: a_second(size) for size in BATCH_SIZES}


def on_a_gpu(quick: bool) -> Iterator[Line]:
    """The lines for the table of `make bench`: IMDB scored and trained on, or why not."""
    device = default_device()
    if device == "cpu":
        yield Line(
            "bert-base on a GPU: scoring IMDB, training in batches of 16 and 256",
            "≥ 40 % of bf16 at 256",
            "skipped: no GPU",
        )
        return
    texts = list(dict.fromkeys(imdb("test")))[: 500 if quick else 12_000]
    print(
        f"bf16 {rate(device, 'bfloat16') / 1e12:.0f} TFLOP/s, fp32 {rate(device, 'float32') / 1e12:.0f}",
        file=sys.stderr,
    )
    for length in (512, 128):
        where, other = f"bert-base on a GPU, IMDB at {length} tokens", piped(texts, length, device)
        best = max(other, key=lambda size: other[size])
        for dtype in ("float32", "bfloat16"):
            own, share = scoring(texts, length, device, dtype)
            against = f"{own / other[1]:.1f} × the pipeline's default and {own / other[best]:.2f} × its best"
            found = f"{own:,.0f} texts/s, {against} (float32, batches of {best}: {other[best]:,.0f}); {share:.0%}"
            yield Line(f"{where}, {dtype}", "", f"{found} of the GPU's {dtype} rate")
    for size, rows, epochs in ((16, 6400, 1), (256, 12_800, 2)):
        for compiled in (False, True):
            settings = Finetune(epochs=epochs, batch_size=size, validation=0, compile=compiled)
            cells, share = trained(500 if quick else rows, settings, 128, device)
            print(f"| {' | '.join(cells)} |", file=sys.stderr)
            what = f"bert-base on a GPU, training in batches of {size}{', compiled' * compiled}, of the bf16 rate"
            note = f" ({cells[6]} tokens/s under way)"
            if size == 256:
                yield at_least(what, 40, 100 * share, " %", 0, note)
            else:
                yield Line(what, "", f"{share:.0%}{note}")


def main() -> None:
    """Train, print the row."""
    parser = argparse.ArgumentParser(description="The document's recipe at BERT's base size.")
    parser.add_argument("--rows", type=int, default=25_000)
    parser.add_argument("--epochs", type=float, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default=None, help="default: a GPU where there is one")
    asked = parser.parse_args()
    settings = Finetune(epochs=asked.epochs, batch_size=asked.batch_size, validation=0, compile=asked.compile)
    cells, _ = trained(asked.rows, settings, asked.max_length, asked.device or default_device())
    print(f"{platform.system()} {platform.machine()}, {time.strftime('%Y-%m-%d')}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
