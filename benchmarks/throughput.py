"""How fast texts are scored, against `transformers.pipeline` and against what the machine can multiply.

    AUDIT_TEST_DATA=… python -m benchmarks.throughput            # about an hour on two cores
    AUDIT_TEST_DATA=… python -m benchmarks.throughput --quick    # a look at a few texts

Prints Markdown tables for `benchmarks/README.md`. Each repetition runs the scorer and every setting of the pipeline in
turn, and the medians are compared, so that the machine's moods hit all alike. The scorer starts from an empty cache
each time, and its time includes reading and writing it. Weights are random: what a model answers costs the same
whatever it has learned. Arithmetic counts the matrix products of real tokens only, attention included and padding not;
the machine's rate is that of `torch` on the model's own shapes, weighted as the model uses them.

Memory rows are those of processes of their own, this command with `--peak`.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from audit.cache import Cache
from audit.energy import Meter
from audit.model import Model
from audit.progress import Progress
from audit.scorer import Scorer

DATA = Path(os.environ.get("AUDIT_TEST_DATA", "."))
CLASSES = ("negative", "positive")
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # of the pipeline; 1 is its default
WORDS = 8  # of a short text


@dataclass(frozen=True)
class Shape:
    """Of a BERT."""

    name: str
    layers: int
    width: int
    inner: int

    @property
    def products(self) -> list[tuple[int, int, int]]:
        """Inputs, outputs, and how often a layer multiplies by such a matrix."""
        return [(self.width, self.width, 4), (self.width, self.inner, 1), (self.inner, self.width, 1)]

    def operations(self, lengths: Sequence[int]) -> int:
        """Floating-point operations of the matrix products for texts of so many tokens, one by one."""
        linear = sum(times * rows * columns for rows, columns, times in self.products)
        return sum(2 * self.layers * (n * linear + 2 * n * n * self.width) for n in lengths)


SMALL, BASE = Shape("BERT 2 × 128", 2, 128, 512), Shape("BERT base", 12, 768, 3072)


def sst2() -> list[str]:
    """The test sentences."""
    with (DATA / "sst2_test.csv").open(newline="", encoding="utf-8") as file:
        return [row["text"] for row in csv.DictReader(file)]


def imdb(*splits: str) -> list[str]:
    """Reviews, of both classes from the first on."""
    import pyarrow.parquet

    tables = [pyarrow.parquet.read_table(DATA / f"imdb_{split}.parquet", columns=["text"]) for split in splits]
    texts = [str(text) for table in tables for text in table["text"].to_pylist()]
    return texts[::2] + texts[1::2]


def short_texts(n: int) -> Iterator[str]:
    """So many distinct texts of a few words of SST-2."""
    words = " ".join(sst2()).split()
    for i in range(n):
        yield " ".join([*(words[(i * 7 + k * (1 + i // len(words))) % len(words)] for k in range(WORDS)), f"{i:06d}"])


def model(shape: Shape, length: int, folder: Path) -> Model:
    """A classifier of this shape with random weights and a vocabulary made of SST-2."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from audit.finetune import small_bert

    _, tokenizer = small_bert(tuple(sst2()), {"num_labels": len(CLASSES)}, length)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=shape.width, num_hidden_layers=shape.layers,
        num_attention_heads=shape.width // 64, intermediate_size=shape.inner, max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id, id2label=dict(enumerate(CLASSES)),
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Model(shape.name, folder, CLASSES, length)


def seconds(work: Callable[[], object]) -> float:
    """By the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def scored(audited: Model, texts: Sequence[str], folder: Path) -> float:
    """Seconds for all texts, with a cache that holds nothing but what is measured once for a machine."""
    cache = Cache(folder / "cache")
    for path in cache.folder.glob("predictions*"):
        path.unlink()
    scorer = Scorer(audited, cache, Meter("DEU"), Progress())
    return seconds(lambda: scorer.predict(texts))


def multiplied(shape: Shape, tokens: int = 2048, repetitions: int = 20) -> float:
    """Floating-point operations a second of `torch` for the shape's matrices, as often as the model uses each."""
    import torch

    spent = done = 0.0
    for rows, columns, times in shape.products:
        texts, weight, bias = torch.randn(tokens, rows), torch.randn(columns, rows), torch.randn(columns)

        def multiply(x: Any = texts, w: Any = weight, b: Any = bias) -> object:
            return torch.nn.functional.linear(x, w, b)

        spent += times * statistics.median(seconds(multiply) for _ in range(repetitions))
        done += times * 2 * tokens * rows * columns
    return done / spent


def throughput(shape: Shape, name: str, texts: Sequence[str], length: int, repetitions: int) -> str:
    """One row: the scorer beside the pipeline's default and its best setting, and beside the machine's rate."""
    import torch
    from transformers import pipeline

    distinct = list(dict.fromkeys(texts))  # identical texts run once here; that is no merit of its speed
    with tempfile.TemporaryDirectory() as temporary, torch.inference_mode():
        folder = Path(temporary)
        audited = model(shape, length, folder / "model")
        usual = pipeline("text-classification", model=audited.network, tokenizer=audited.tokenizer, device="cpu")

        def piped(size: int) -> float:
            return seconds(lambda: usual(distinct, batch_size=size, truncation=True, max_length=length))

        ours: list[float] = []
        theirs: dict[int, list[float]] = {size: [] for size in BATCH_SIZES}
        rates: list[float] = []
        scored(audited, distinct[:200], folder)  # loads and imports
        for _ in range(repetitions):
            ours.append(scored(audited, distinct, folder))
            rates.append(multiplied(shape))
            for size, taken in theirs.items():
                taken.append(piped(size))
        encoded = audited.tokenizer(distinct, truncation=True, max_length=length)["input_ids"]
    own = statistics.median(ours)
    by_size = {size: statistics.median(taken) for size, taken in theirs.items()}
    best = min(by_size, key=lambda size: by_size[size])
    rate = statistics.median(rates)
    share = shape.operations([len(ids) for ids in encoded]) / own / rate
    return (
        f"| {shape.name} | {name}, {length} tokens | {len(distinct):,} | {len(distinct) / own:,.1f} | "
        f"{by_size[1] / own:.2f} | {by_size[best] / own:.2f} (batches of {best}) | {rate / 1e9:.0f} | {share:.0%} |"
    )


def growth(sizes: Sequence[int]) -> Iterator[str]:
    """Rows: time per text as the texts grow, beside that of the fewest."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        audited = model(SMALL, 64, folder / "model")
        scored(audited, list(short_texts(200)), folder)
        first = None
        for n in sizes:
            taken = scored(audited, list(short_texts(n)), folder) / n
            first = first or taken
            yield f"| {n:,} | {1e6 * taken:,.0f} | {taken / first:.2f} |"


def peak(what: str, n: int) -> str:
    """A row: peak memory in GiB of a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.throughput", "--peak", what, str(n)]
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{what}: the process failed")
    return f"| {n:,} {what} | {usage.ru_maxrss / 2**20:.2f} |"


def score_once(what: str, n: int) -> None:
    """What a process does whose peak memory is measured: reviews are a list in memory, short texts come one by one."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        audited = model(SMALL, 256 if what == "reviews" else 64, folder / "model")
        scorer = Scorer(audited, Cache(folder / "cache"), Meter("DEU"), Progress())
        if what == "reviews":
            scorer.predict(imdb("train", "test")[:n])
        else:
            scorer.predict_stream(islice(short_texts(n), n), folder / "rows.npy", n)


def main() -> None:
    """Print the tables, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description="Texts scored a second, and memory.")
    parser.add_argument("--quick", action="store_true", help="few texts, one repetition: whether it works")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--peak", nargs=2, metavar=("WHAT", "N"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        score_once(asked.peak[0], int(asked.peak[1]))
        return
    few, repetitions = (20 if asked.quick else None), (1 if asked.quick else asked.repetitions)
    reviews = imdb("test")
    print("| model | texts | distinct | texts/s | × pipeline's default | × its best | GFLOP/s of the machine | used |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for shape, name, texts, length in (
        (BASE, "SST-2", sst2()[:few], 64),
        (BASE, "IMDB", reviews[: few or 200], 256),
        (SMALL, "SST-2", sst2()[: 10 * few if few else None], 64),
        (SMALL, "IMDB", reviews[: 10 * few if few else 5000], 256),
    ):
        print(throughput(shape, name, texts, length, repetitions), flush=True)
    print("\n| short texts | µs a text | × the fewest |\n| --- | --- | --- |", flush=True)
    for row in growth((500, 1000) if asked.quick else (1000, 10_000, 100_000, 1_000_000)):
        print(row, flush=True)
    print("\n| scored | peak memory, GiB |\n| --- | --- |", flush=True)
    for what, n in (("reviews", 500 if asked.quick else 50_000), ("short texts", 2000 if asked.quick else 1_000_000)):
        print(peak(what, n), flush=True)


if __name__ == "__main__":
    main()
