"""What one text costs the audit's own process: bytes in cache, memory and ``predictions.parquet``, and time.

    python -m benchmarks.scale --texts 200000

No model runs; rows of random probabilities take its place. `docs/scale.md` reckons with these figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.record import record

CLASSES = ("negative", "positive")
LENGTH = 100  # characters of a text, about those of an SST-2 sentence


class Rows(Scorer):
    """A scorer without a model."""

    def forward(self, texts: object, show: bool = True) -> np.ndarray:
        return np.random.default_rng(0).random((len(texts), len(CLASSES)), dtype=np.float32)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=200_000)
    count = parser.parse_args().texts
    texts = [f"{i:0{LENGTH}d}" for i in range(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = Model("none", folder, CLASSES, 64)
        scorer = Rows(model, Cache(folder / "cache"), Meter("DEU"), Progress())
        warm = Rows(model, Cache(folder / "timed"), Meter("DEU"), Progress())
        started = time.process_time()
        warm.predict(texts)
        seconds = time.process_time() - started
        tracemalloc.start()
        predicted = scorer.predict(texts)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        stored = sum(path.stat().st_size for path in (folder / "cache").glob("predictions.sqlite*"))
        about = Examples(tuple(texts), np.arange(count) % 2, CLASSES)
        record.write_predictions(folder / "out", Predictions(predicted.probabilities, CLASSES, about))
        parquet = (folder / "out" / record.PREDICTIONS).stat().st_size
    print(f"| of {count:,} texts, for each | bytes |\n| --- | --- |")
    print(f"| cache on disk | {stored / count:.0f} |")
    print(f"| memory of the audit's process beside the texts themselves, at most | {peak / count:.0f} |")
    print(f"| `{record.PREDICTIONS}` | {parquet / count:.0f} |")
    print(f"\nTime of the audit's process beside the forward passes: {1e6 * seconds / count:.1f} µs a text.")


if __name__ == "__main__":
    main()
