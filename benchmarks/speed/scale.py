"""What one text costs the audit's own process: bytes in cache, memory and ``predictions.parquet``, and time.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.scale --texts 200000

Texts are tokenized, but no network runs; rows of random probabilities take its place. `docs/scale.md` reckons with
these figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from audit.core.cache import Cache
from audit.core.progress import Bar, Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.batches import Encodings
from audit.inference.predictions import Predictions
from audit.inference.runner import LocalRunner
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.record import record
from benchmarks.shapes import CLASSES, SMALL, model, short_texts


class Rows(LocalRunner):
    """A runner without a network."""

    def rows(self, what: str, pieces: Iterable[Encodings], bar: Bar) -> np.ndarray:
        return np.random.default_rng(0).random((sum(map(len, pieces)), len(CLASSES)), dtype=np.float32)


def without_network(audited: Model, folder: Path) -> Scorer:
    cache, meter = Cache(folder), Meter("DEU")
    scorer = Scorer(audited, cache, meter, Progress())
    scorer.runner = Rows(audited, scorer.counts, cache, meter)
    return scorer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=200_000)
    count = parser.parse_args().texts
    texts = [f"{text} {text}" for text in short_texts(count)]  # about 100 characters, as a sentence of SST-2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audited = model(SMALL, 64, folder / "model")
        scorer = without_network(audited, folder / "cache")
        timed = without_network(audited, folder / "timed")
        timed.predict(["it loads", "the tokenizer"])
        taken = []
        for work in (lambda: timed.predict(texts), lambda: list(timed.runner.encodings(texts))):
            started = time.process_time()
            work()
            taken.append(1e6 * (time.process_time() - started) / count)
        tracemalloc.start()
        predicted = scorer.predict(texts)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        stored = sum(path.stat().st_size for path in (folder / "cache").glob("rows.sqlite*"))
        about = Examples(tuple(texts), np.arange(count) % 2, CLASSES)
        record.write_predictions(folder / "out", Predictions(predicted.probabilities, CLASSES, about))
        parquet = (folder / "out" / record.PREDICTIONS).stat().st_size
    print(f"| of {count:,} texts, for each | bytes |\n| --- | --- |")
    print(f"| cache on disk | {stored / count:.0f} |")
    print(f"| memory of the audit's process beside the texts themselves, at most | {peak / count:.0f} |")
    print(f"| `{record.PREDICTIONS}` | {parquet / count:.0f} |")
    whole, tokenizing = taken
    print(
        f"\nTime of the audit's process beside the forward passes: {whole:.0f} µs a text, {tokenizing:.0f} of them for "
        f"tokenizing."
    )


if __name__ == "__main__":
    main()
