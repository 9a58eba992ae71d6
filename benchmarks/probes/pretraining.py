"""What pretraining is worth: SST-2 fine-tuned from pretrained encoders and from random weights of the same shape.

    AUDIT_TEST_DATA=… python -m audit pretrain encoder --audit-policy examples/imdb.toml --layers 2 --width 128
    AUDIT_TEST_DATA=… python -m benchmarks.probes.pretraining encoder
    AUDIT_TEST_DATA=… python -m benchmarks.probes.pretraining encoder --sizes 500 --seeds 1      # a quick look

For each size of the training data both starts are fine-tuned by the same recipe and seeds, with the same tokenizer; the
seeds also draw the sentences. The accuracy is over all seeds' answers to the test sentences: each sentence is a cluster
of its answers, and the gain is paired by sentence and seed. Time and energy are means of one fine-tuning; those of the
pretraining stand below the table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.cache import Cache, read_json
from audit.core.progress import Progress
from audit.data import examples as data
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.policy import policy
from audit.policy.policy import Finetune
from audit.training.finetune import Recipe, train
from audit.training.pretrain import RECORD

SIZES = (500, 2_000, 6_920)
LENGTH = 64
STARTS = ("pretrained", "scratch")
POLICY = """
[model]
source = "small-bert"
labels = ["negative", "positive"]
[data]
train = "${AUDIT_TEST_DATA}/sst2_train.csv"
test = "${AUDIT_TEST_DATA}/sst2_test.csv"
"""


def answers(
    folder: Path, start: str, examples: Examples, test: Examples, settings: Finetune, cache: Cache
) -> tuple[NDArray[np.bool_], float, float]:
    """Which test sentences a model fine-tuned now gets right; seconds and Wh of the fine-tuning."""
    chosen = settings.model_copy(update={"initialise": start})
    recipe = Recipe(str(folder), folder, None, True, chosen, LENGTH, "cpu")
    meter = Meter("DEU")
    model = train(recipe, examples, cache, meter, Progress())
    said = Scorer(model, cache, meter, Progress()).predict(test.texts)
    energy = meter.phases[0]
    return said.labels == test.labels, energy.seconds, 1000 * energy.kwh


def rows(folder: Path, training: Examples, test: Examples, asked: argparse.Namespace) -> Iterator[str]:
    """A row of the table for each size and start."""
    for size in asked.sizes:
        right: dict[str, list[NDArray[np.bool_]]] = {start: [] for start in STARTS}
        costs: dict[str, list[tuple[float, float]]] = {start: [] for start in STARTS}
        for seed in range(asked.seeds):
            drawn = np.random.default_rng(seed).permutation(len(training))[:size]
            settings = Finetune(
                epochs=asked.epochs, batch_size=32, learning_rate=asked.learning_rate, warmup_ratio=0.1, validation=0.0,
                seed=seed,
            )  # fmt: skip
            with tempfile.TemporaryDirectory() as name:
                for start in STARTS:
                    found, *cost = answers(folder, start, training.take(drawn), test, settings, Cache(Path(name)))
                    right[start].append(found)
                    costs[start].append((cost[0], cost[1]))
        sentence = np.tile(np.arange(len(test)), asked.seeds)
        ones = {start: np.concatenate(right[start]) for start in STARTS}
        gain = statistics.clustered_mean(
            ones["pretrained"].astype(float) - ones["scratch"], sentence, possible=(-1.0, 1.0)
        )
        for start in STARTS:
            share = statistics.clustered_proportion(ones[start], sentence)
            seconds, wh = np.mean(costs[start], axis=0)
            told = f"{gain.estimate:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" if start == "pretrained" else ""
            by_seed = ", ".join(f"{found.mean():.3f}" for found in right[start])
            yield (
                f"| `{folder.name}` | {min(size, len(training)):,} | {start} | {share.estimate:.3f} [{share.low:.3f}, "
                f"{share.high:.3f}] | {by_seed} | {told} | {seconds:.1f} | {wh:.3f} |"
            )


def main() -> None:
    """Print the Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="made by `python -m audit pretrain`")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="training sentences")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    asked = parser.parse_args()
    if "AUDIT_TEST_DATA" not in os.environ:
        parser.error("set AUDIT_TEST_DATA to the folder with sst2_train.csv and sst2_test.csv")
    applied = policy.parse(POLICY, None)
    with tempfile.TemporaryDirectory() as name:
        training, test = (data.load(applied, role, applied.model.labels, Path(name)) for role in ("train", "test"))
    print(
        "| encoder | sentences | start | accuracy [95 %] | by seed | gain [95 %] | seconds | Wh |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    for folder in asked.folders:
        for row in rows(folder, training, test, asked):
            print(row, flush=True)
    for folder in asked.folders:
        told = read_json(folder / RECORD)
        right, low, high = told["held_out"]["accuracy"]
        print(
            f"\n`{folder.name}`: {told['tokens_seen']:,} tokens in {told['training_seconds'] / 60:.0f} min, "
            f"{1000 * told['energy']['kwh']:.1f} Wh ({told['energy']['source']}); held out, {right:.3f} "
            f"[{low:.3f}, {high:.3f}] of the masked tokens guessed, perplexity {told['held_out']['perplexity'][0]:.1f}."
        )


if __name__ == "__main__":
    main()
