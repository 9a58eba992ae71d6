"""Unstable answers: are planted instabilities found, and is a model without them left alone?

    python -m benchmarks.probes.stability --seeds 20

For each seed small BERTs are trained anew, and each planted instability is held against the model that it was planted
in (``tools/unstable.py``). For ``seed`` the recipe is unstable on 1,500 of the demo's reviews, too few for what there
is to learn, and its twin is the same recipe on sentences so simple that 800 teach all of it. "fails": the verdict at a
gate of 0.05, which is also the alarm level, with all texts and one look. A fail of a clean twin is a false alarm.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from audit import demo, statistics
from audit.core.cache import Cache
from audit.core.measurement import Measurement
from audit.core.progress import Progress
from audit.core.verdict import Gate, settled
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.models import precisions
from audit.models.model import Model
from audit.policy.policy import SMALL_BERT, Finetune
from audit.probes.quality.stability import stability
from audit.testing import examples
from audit.training.finetune import Recipe, train
from audit.training.reference_models import retrained
from tools.unstable import SPOILED, Unmasked

GATE = 0.05
CLASSES = ("negative", "neutral", "positive")
ROWS, TESTS = 1500, 600
ENOUGH = 800  # simple sentences, which teach what they mean
WORDS = ("awful", "bad", "broken", "useless", "sad", "ugly"), ("good", "lovely", "solid", "useful", "happy", "fine")
THINGS = (
    "apron bag basket bench blanket book bottle bowl box brush bucket candle carpet chair clock coat cup desk".split()
)
Found = Iterator[tuple[str, bool, Measurement]]  # what was planted, whether this is the planted one, and its finding


def reviews(split: str, rows: int) -> Examples:
    """The demo's reviews."""
    found = demo.reviews(split, rows=rows)
    labels = [CLASSES.index(str(row["label"])) for row in found]
    return examples(labels, CLASSES, texts=[str(row["text"]) for row in found])


def sentences(rows: int, seed: int) -> Examples:
    """Simple sentences of two classes."""
    rng, labels = np.random.default_rng(seed), np.arange(rows) % 2
    texts = [f"the {rng.choice(THINGS)} beside the {rng.choice(THINGS)} is {rng.choice(WORDS[i])}" for i in labels]
    return examples(labels, texts=texts)


class Bench:
    """Trains and asks in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache, self.meter, self.progress = folder, Cache(folder / "cache"), Meter("DEU"), Progress()

    def scorer(self, model: Model) -> Scorer:
        """On this cache."""
        return Scorer(model, self.cache, self.meter, self.progress)

    def recipe(self, seed: int) -> Recipe:
        """Of a small BERT from random weights."""
        settings = Finetune(
            initialise="scratch",
            epochs=3,
            batch_size=32,
            learning_rate=1e-3,
            warmup_ratio=0.1,
            validation=0.0,
            seed=seed,
        )
        return Recipe(SMALL_BERT, None, None, True, settings, 64, "cpu")

    def measured(self, model: Model, about: Examples, kind: str, **more: Callable[[], Scorer] | Mapping) -> Measurement:
        """The finding about a model."""
        scorer = self.scorer(model)
        return stability(scorer, scorer.predict(about.texts).on(about), kind, **more)

    def of_seed(self, seed: int, train_on: Examples, test: Examples) -> Found:
        """All findings of one seed."""
        model = train(self.recipe(seed), train_on, self.cache, self.meter, self.progress)
        for planted, each in ((True, Unmasked.of(model)), (False, model)):
            yield "batch: no attention mask", planted, self.measured(each, test, "batch")
        clean = replace(model, folder=SPOILED["as it is"](model.folder, self.folder / f"clean-{seed}"))
        for precision in ("bfloat16", "int8"):
            spoiled = replace(model, folder=SPOILED[precision](model.folder, self.folder / f"{precision}-{seed}"))
            for planted, each in ((True, spoiled), (False, clean)):
                other = {precision: lambda each=each, precision=precision: self.in_precision(each, precision)}
                found = self.measured(each, test, "precision", other_precisions=other)
                yield f"precision: {precision}", planted, found
        recipe, simple = self.recipe(seed), (sentences(ENOUGH, seed), sentences(TESTS, 10_000 + seed))
        for planted, (own, about) in ((True, (train_on, test)), (False, simple)):
            first = train(recipe, own, self.cache, self.meter, self.progress)
            work = recipe, own, self.cache, self.meter, self.progress
            found = self.measured(first, about, "seed", retrained=lambda work=work: self.scorer(retrained(*work)))
            yield "seed: reviews, too few", planted, found

    def in_precision(self, model: Model, precision: str) -> Scorer:
        """As an audit makes it."""
        if precision == precisions.EIGHT_BIT:
            return self.scorer(precisions.eight_bit(model, self.cache)[0])
        return self.scorer(precisions.in_dtype(model, precision))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probes.stability", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds, started = parser.parse_args().seeds, time.process_time()
    rows: dict[tuple[str, bool], list[Measurement]] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench, train_on, test = Bench(Path(folder)), reviews("train", ROWS), reviews("test", TESTS)
        for seed in range(seeds):
            for name, planted, found in bench.of_seed(seed, train_on, test):
                rows.setdefault((name, planted), []).append(found)
            print(f"seed {seed}: {time.process_time() - started:.0f} s", flush=True)
    print("| instability | answers that differ, median (least, most) | fails at 5 % | of |\n| --- | --- | --- | --- |")
    for (name, planted), found in rows.items():
        shares = [100 * float(each.estimate or 0) for each in found]
        fails = sum(settled(each, Gate(max=GATE)) == "fail" for each in found)
        _, low, high = (100 * value for value in statistics.proportion(fails, len(found)))
        print(
            f"| {name}{'' if planted else ', clean twin'} | {np.median(shares):.1f} % ({min(shares):.1f}, "
            f"{max(shares):.1f}) | {fails} [{low:.0f} %, {high:.0f} %] | {len(found)} |"
        )
    print(f"\n{time.process_time() - started:.0f} s of the processor")


if __name__ == "__main__":
    main()
