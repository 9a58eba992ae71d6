"""The document's own recipe: BERT's base size, five epochs of IMDB in batches of 16, and what it takes.

    AUDIT_TEST_DATA=… python -m benchmarks.bert_base                       # with a GPU: all 25,000 reviews
    AUDIT_TEST_DATA=… python -m benchmarks.bert_base --rows 64             # without one: the same, on fewer reviews
    … --batch-size 256 --epochs 1                                          # what a GPU can do

Random weights: neither time nor electricity depends on them. Prints a Markdown row: steps, tokens a second (padding not
counted), the share of what `torch` multiplies on the same machine (bf16 on a GPU, as the training), electricity and
whether it was measured (NVML) or estimated.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from audit.cache import Cache
from audit.data import Examples
from audit.energy import Meter
from audit.finetune import Recipe, train
from audit.policy import Finetune
from audit.progress import Progress
from audit.scorer import Scorer
from benchmarks.shapes import BASE, CLASSES, imdb, model, multiplied, save, seconds
from benchmarks.table import Line, at_least

COLUMNS = (
    "training", "reviews", "steps", "tokens a review", "s", "tokens/s", "TFLOP/s", "of the machine's", "kWh",
    "electricity",
)  # fmt: skip


def default_device() -> str:
    """The first GPU, else the processor."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def examples(rows: int) -> Examples:
    """Reviews of IMDB's training data; the classes are given out in turn, since what is learnt is of no matter."""
    texts = tuple(imdb("train")[:rows])
    return Examples(texts, np.arange(len(texts)) % 2, CLASSES)


def trained(rows: int, settings: Finetune, length: int, device: str) -> tuple[list[str], float]:
    """A row of the table, and the share of what the machine multiplies."""
    progress = Progress(sys.stderr.write, live=sys.stderr.isatty())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = save(BASE, length, folder / "base")
        recipe = Recipe("bert-base", base, None, True, settings, length, device)
        given, meter = examples(rows), Meter("DEU")
        made = train(recipe, given, Cache(folder / "cache"), meter, progress)
        lengths = [
            len(ids) for ids in made.tokenizer(list(given.texts), truncation=True, max_length=length)["input_ids"]
        ]
        facts = made.training or {}
    passes = facts["steps"] * settings.batch_size / len(lengths)
    spent = next(phase for phase in meter.phases if phase.name == "fine-tune")
    dtype = "bfloat16" if device.startswith("cuda") else "float32"
    # Forward once, and backward twice as much: with respect to weights and to what went in.
    rate = 3 * passes * BASE.operations(lengths) / spent.seconds
    share = rate / multiplied(BASE, device, dtype)
    cells = [
        f"batches of {settings.batch_size}, {settings.epochs:g} epochs, {length} tokens, {dtype}",
        f"{len(lengths):,}", f"{facts['steps']:,}", f"{np.mean(lengths):.0f}", f"{spent.seconds:.0f}",
        f"{passes * sum(lengths) / spent.seconds:,.0f}", f"{rate / 1e12:.2f}", f"{share:.0%}",
        f"{spent.kwh:.4f}", meter.source,
    ]  # fmt: skip
    return cells, share


def scoring(texts: Sequence[str], length: int, device: str) -> tuple[float, float, float]:
    """Texts a second of the scorer and of the pipeline in batches of 64, and the scorer's share of the bf16 peak."""
    from transformers import pipeline

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audited = model(BASE, length, folder / "model", device)
        usual = pipeline("text-classification", model=audited.network, tokenizer=audited.tokenizer, device=device)
        scorer = Scorer(audited, Cache(folder / "cache"), Meter("DEU"), Progress())
        scorer.forward(texts[:256])
        own = seconds(lambda: scorer.predict(texts))
        other = seconds(lambda: usual(list(texts), batch_size=64, truncation=True, max_length=length))
        lengths = [len(ids) for ids in audited.tokenizer(list(texts), truncation=True, max_length=length)["input_ids"]]
    share = BASE.operations(lengths) / own / multiplied(BASE, device, "bfloat16")
    return len(texts) / own, len(texts) / other, share


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
    texts = list(dict.fromkeys(imdb("test")))[: 500 if quick else None]
    for length in (512, 128):
        own, other, share = scoring(texts, length, device)
        found = f"{own:,.0f} texts/s, the pipeline {other:,.0f}; {share:.0%} of the bf16 peak (verdicts are in float32)"
        yield Line(f"bert-base on a GPU, IMDB at {length} tokens", "", found)
    for size, asked in ((16, None), (256, 0.4)):
        settings = Finetune(epochs=1, batch_size=size, validation=0)
        cells, share = trained(500 if quick else 25_000, settings, 128, device)
        what = f"bert-base on a GPU, training in batches of {size}, share of the bf16 peak"
        note = f" ({cells[5]} tokens/s)"
        if asked:
            yield at_least(what, 100 * asked, 100 * share, " %", 0, note)
        else:
            yield Line(what, "", f"{share:.0%}{note}")


def main() -> None:
    """Train, print the row."""
    parser = argparse.ArgumentParser(description="The document's recipe at BERT's base size.")
    parser.add_argument("--rows", type=int, default=25_000)
    parser.add_argument("--epochs", type=float, default=5)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--device", default=None, help="default: a GPU where there is one")
    asked = parser.parse_args()
    settings = Finetune(epochs=asked.epochs, batch_size=asked.batch_size, validation=0)
    cells, _ = trained(asked.rows, settings, asked.max_length, asked.device or default_device())
    print(f"{platform.system()} {platform.machine()}, {time.strftime('%Y-%m-%d')}\n")
    print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
