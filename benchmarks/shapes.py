"""What several benchmarks share: networks of true size with random weights, texts, and what a machine can multiply.

What a model answers costs the same whatever it has learned, so random weights tell as much of time as trained ones.
"""

from __future__ import annotations

import csv
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from audit.models.model import Model

DATA = Path(os.environ.get("AUDIT_TEST_DATA", "."))
CLASSES = ("negative", "positive")
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
        """Floating-point operations of the matrix products for texts of so many tokens, one by one.

        Those of real tokens only, attention included, padding not. A training takes three times as many.
        """
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
    """So many distinct texts of a few words of SST-2; the same first ones whatever their number."""
    words = " ".join(sst2()).split()

    def endless() -> Iterator[str]:
        i = 0
        while True:
            step = 1 + i // len(words)
            yield " ".join([*(words[(i * 7 + k * step) % len(words)] for k in range(WORDS)), f"{i:06d}"])
            i += 1

    return islice(endless(), n)


def save(shape: Shape, length: int, folder: Path, tokenizer: Any = None, classes: Sequence[str] = CLASSES) -> Path:
    """A classifier of this shape with random weights in a folder; without a tokenizer its vocabulary is SST-2's."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from audit.training.finetune import small_bert

    if tokenizer is None:
        _, tokenizer = small_bert(tuple(sst2()), {"num_labels": len(classes)}, length)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=shape.width, num_hidden_layers=shape.layers,
        num_attention_heads=shape.width // 64, intermediate_size=shape.inner, max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id, id2label=dict(enumerate(classes)),
        label2id={name: i for i, name in enumerate(classes)},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def model(shape: Shape, length: int, folder: Path, device: str = "cpu", dtype: str = "float32") -> Model:
    """As :func:`save`, ready to be scored."""
    return Model(shape.name, save(shape, length, folder), CLASSES, length, device, dtype=dtype)


def seconds(work: Callable[[], object]) -> float:
    """By the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def multiplied(shape: Shape, tokens: int = 2048, times: int = 20) -> float:
    """Floating-point operations a second of the processor for a shape's matrices, each as often as it is used."""
    import torch

    spent = done = 0.0
    for rows, columns, uses in shape.products:
        texts, weight, bias = torch.randn(tokens, rows), torch.randn(columns, rows), torch.randn(columns)

        def multiply(x: Any = texts, w: Any = weight, b: Any = bias) -> None:
            torch.nn.functional.linear(x, w, b)

        spent += uses * statistics.median(seconds(multiply) for _ in range(times))
        done += uses * 2 * tokens * rows * columns
    return done / spent


def peak(device: str, dtype: str, width: int = 8192, times: int = 10) -> float:
    """Floating-point operations a second of `torch` for a product so large that a GPU can do no better."""
    import torch

    left, right = (torch.randn(width, width, device=device, dtype=getattr(torch, dtype)) for _ in range(2))

    def multiply() -> None:
        for _ in range(times):
            left @ right
        torch.cuda.synchronize(device)

    multiply()  # it gets going
    return times * 2 * width**3 / statistics.median(seconds(multiply) for _ in range(3))
