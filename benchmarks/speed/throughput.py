"""How fast texts are scored, against `transformers.pipeline` and against what the machine can multiply.

    AUDIT_TEST_DATA=… python -m benchmarks --only throughput,growth,memory,engines

Each repetition runs the scorer and the pipeline in turn, and the medians are compared, so that the machine's moods hit
all alike. The pipeline's best batch size is sought beforehand on a part of the texts. The scorer starts from an empty
cache each time, and its time includes reading and writing it. The machine's rate is that of `torch` on the model's own
shapes, weighted as the model uses them.
"""

from __future__ import annotations

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.models.model import Model
from benchmarks.shapes import BASE, SMALL, Shape, imdb, model, multiplied, seconds, short_texts, sst2
from benchmarks.speed.table import Line, at_least, at_most

BATCH_SIZES = (2, 4, 8, 16, 32, 64, 128)  # of the pipeline, whose default is 1
SHORT, LONG = 64, 256  # tokens


def scored(audited: Model, texts: Sequence[str], folder: Path) -> float:
    """Seconds for all texts, with a cache that holds nothing but what is measured once for a machine."""
    cache = Cache(folder / "cache")
    for path in cache.folder.glob("rows.sqlite*"):
        path.unlink()
    scorer = Scorer(audited, cache, Meter("DEU"), Progress())
    taken = seconds(lambda: scorer.predict(texts))
    assert scorer.counts.forward_passes == len(texts), "the scorer was to start from an empty cache"
    return taken


def against_the_pipeline(
    shape: Shape, name: str, texts: Sequence[str], length: int, repetitions: int
) -> tuple[float, float, float, str]:
    """Speed in times of the pipeline's default and of its best setting, share of the machine's rate, and figures."""
    import torch
    from transformers import pipeline

    with tempfile.TemporaryDirectory() as temporary, torch.inference_mode():
        folder = Path(temporary)
        audited = model(shape, length, folder / "model")
        encoded = audited.tokenizer(list(texts), truncation=True, max_length=length)["input_ids"]
        # Texts of the same tokens run once here; that is no merit of its speed.
        distinct = list({tuple(ids): text for ids, text in zip(encoded, texts, strict=True)}.values())
        part = distinct[:: max(1, len(distinct) // 200)]
        usual = pipeline("text-classification", model=audited.network, tokenizer=audited.tokenizer, device="cpu")

        def piped(given: Sequence[str], size: int) -> float:
            return seconds(lambda: usual(list(given), batch_size=size, truncation=True, max_length=length))

        scored(audited, distinct[:200], folder)  # loads and imports
        tried = {size: piped(part, size) for size in BATCH_SIZES}
        best = min(tried, key=lambda size: tried[size])
        taken: dict[str, list[float]] = {"own": [], "default": [], "best": [], "rate": []}
        for _ in range(repetitions):
            taken["own"].append(scored(audited, distinct, folder))
            taken["rate"].append(multiplied(shape))
            taken["best"].append(piped(distinct, best))
            taken["default"].append(piped(distinct, 1))
    own, default, other, rate = (statistics.median(values) for values in taken.values())
    share = shape.operations([len(ids) for ids in set(map(tuple, encoded))]) / own / rate
    note = (
        f"{shape.name}, {name}, {len(distinct):,} distinct texts of at most {length} tokens, {repetitions} times: "
        f"{len(distinct) / own:,.1f} texts/s, the pipeline {len(distinct) / default:,.1f}, and "
        f"{len(distinct) / other:,.1f} in batches of {best}; the "
        f"machine multiplies at {rate / 1e9:.0f} GFLOP/s, of which {share:.0%} was used"
    )
    return default / own, other / own, share, note


def throughput(quick: bool) -> Iterator[Line]:
    """Both shapes on short and long texts."""
    few, often = (20, 1) if quick else (None, 3)
    reviews = imdb("test")
    for shape, name, texts, length, asked in (
        (BASE, "SST-2", sst2()[:few], SHORT, (2.4, 1.75, None)),
        (BASE, "IMDB", reviews[: few or 64], LONG, (None, 1.1, 0.8)),
        (SMALL, "SST-2", sst2()[: 10 * few if few else None], SHORT, (None, 2.5, None)),
        (SMALL, "IMDB", reviews[: 10 * few if few else 2000], LONG, (None, 1.8, None)),
    ):
        *found, note = against_the_pipeline(shape, name, texts, length, often if shape is BASE else 2 * often - 1)
        print(note, file=sys.stderr, flush=True)
        where = f"{shape.name}, {name} at {length} tokens"
        for what, goal, value in zip(
            ("the pipeline's default", "its best batch size"), asked[:2], found[:2], strict=True
        ):
            line = f"{where}, against {what}"
            yield at_least(line, goal, value) if goal else Line(line, "", f"{value:.2f} ×")
        share = f"{where}, share of the machine's fp32 rate"
        yield (
            at_least(share, 100 * asked[2], 100 * found[2], " %", 0) if asked[2] else Line(share, "", f"{found[2]:.0%}")
        )


def alone(what: str, n: int) -> tuple[float, float]:
    """Seconds of scoring, and peak memory in GiB, of a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks", "--child", what, str(n)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{what}: the process failed")
    return float(json.loads(said.splitlines()[-1])), usage.ru_maxrss / 2**20


def child(what: str, n: int) -> None:
    """What such a process does: reviews are a list in memory, short texts come one by one."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        audited = model(SMALL, LONG if what == "reviews" else SHORT, folder / "model")
        scorer = Scorer(audited, Cache(folder / "cache"), Meter("DEU"), Progress())
        scorer.predict(["it loads", "the model"])
        if what == "reviews":
            reviews = imdb("train", "test")[:n]
            taken = seconds(lambda: scorer.predict(reviews))
        else:
            taken = seconds(lambda: scorer.predict_stream(short_texts(n), folder / "rows.npy", n))
    print(json.dumps(taken))


def growth(quick: bool) -> Iterator[Line]:
    """Time a text as the texts grow, and the memory of the largest; each number in a process of its own."""
    sizes = (500, 1000, 2000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    # The smallest is over in a moment: the median of several.
    first = statistics.median(alone("short texts", sizes[0])[0] for _ in range(5)) / sizes[0]
    for n in sizes[1:]:
        taken, peak = alone("short texts", n)
        figures = f" ({1e6 * taken / n:,.0f} µs against {1e6 * first:,.0f})"
        yield at_most(f"time a text, {sizes[0]:,} to {n:,} short texts", 1.1, taken / n / first, note=figures)
    yield at_most(f"peak memory, {sizes[-1]:,} short texts", 4, peak, " GiB")


def memory(quick: bool) -> Iterator[Line]:
    """Peak memory of long texts."""
    n = 500 if quick else 50_000
    taken, peak = alone("reviews", n)
    yield at_most(f"peak memory, {n:,} IMDB reviews", 2.5, peak, " GiB", note=f" ({n / taken:,.0f} reviews/s)")


class OnnxScorer(Scorer):
    """The same texts in the same batches, the network computed by ONNX Runtime on the processor."""

    def export(self, path: Path) -> OnnxScorer:
        """Write the network down for it, and load it."""
        import onnxruntime
        import torch

        axes = {0: "batch", 1: "tokens"}
        names = ["input_ids", "attention_mask"]
        network = self.model.network
        example = torch.ones((2, 8), dtype=torch.long)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                network, (), path, kwargs=dict.fromkeys(names, example), input_names=names, output_names=["logits"],
                dynamic_axes=dict.fromkeys(names, axes), dynamo=False,
            )  # fmt: skip
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return self

    def _probabilities(self, given: dict[str, Any]) -> Any:
        import torch

        ids = given["input_ids"].numpy()
        mask = given["attention_mask"].numpy() if "attention_mask" in given else np.ones_like(ids)
        (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        return torch.softmax(torch.from_numpy(logits), dim=-1)


def engines(quick: bool) -> Iterator[Line]:
    """Other engines, which no verdict is ever taken from: 8-bit layers and ONNX Runtime, against float32."""
    from audit.models.precisions import EightBit

    for shape, texts in ((BASE, sst2()[: 20 if quick else 400]), (SMALL, sst2())):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            audited = model(shape, SHORT, folder / "model")

            def scorer(of: Model, kind: type[Scorer] = Scorer, folder: Path = folder) -> Any:
                return kind(of, Cache(folder / "cache"), Meter("DEU"), Progress())

            runs = {"float32": scorer(audited), "8-bit layers (dynamic)": scorer(EightBit.of(audited))}
            try:
                runs["ONNX Runtime"] = scorer(audited, OnnxScorer).export(folder / "model.onnx")
            except ImportError as error:
                yield Line(f"{shape.name}, ONNX Runtime against float32", "", f"skipped: {error}")
            answers = {name: run.forward(texts) for name, run in runs.items()}  # loads and warms up
            taken: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(3):
                for name, run in runs.items():
                    taken[name].append(seconds(functools.partial(run.forward, texts)))
        usual = answers.pop("float32")
        for name, said in answers.items():
            faster = statistics.median(taken["float32"]) / statistics.median(taken[name])
            alike = (said.argmax(axis=1) == usual.argmax(axis=1)).mean()
            apart = np.abs(said - usual).max()
            found = f"{faster:.2f} × as fast; {alike:.1%} of the labels alike, probabilities within {apart:.1e}"
            yield Line(f"{shape.name}, {name} against float32", "", found)
