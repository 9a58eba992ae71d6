"""Whether the bound on ε holds where ε is known: small BERTs trained with DP-SGD on SST-2, canaries among the rows.

    pip install -e '.[bench]'
    AUDIT_TEST_DATA=… python -m benchmarks.statistics.dp_sgd --runs 20 --epsilon 1 3 8

Opacus trains with the ε that is named and δ = 1e-5, so a bound above that ε would be wrong; beside it stands the same
training without noise and clipping. Vocabulary, number of steps and noise are fixed before the coins are tossed.
"""

from __future__ import annotations

import argparse
import csv
import logging
import math
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.probes.privacy.canary import canary_epsilon
from audit.training.canaries import CanaryTwin, Sizing, draw
from audit.training.finetune import small_bert

CLASSES = ("negative", "positive")
SENTENCES, EPOCHS, BATCH, LENGTH = 3_000, 3, 128, 64
CANARIES, DELTA = 552, 1e-5  # as many as the audit plants by default


def sentences(name: str, most: int) -> Examples:
    """Sentences of SST-2, spread over the file."""
    with (Path(os.environ["AUDIT_TEST_DATA"]) / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // most)][:most]
    labels = np.array([CLASSES.index(row["label"]) if row["label"] in CLASSES else int(row["label"]) for row in rows])
    return Examples(tuple(row["text"] for row in rows), labels, CLASSES)


class Trainer:
    """Trains small BERTs of one vocabulary, and gives a scorer of each.

    Parameters
    ----------
    vocabulary : Examples
        Known before any coin.
    folder : Path
        For the trained models.
    """

    def __init__(self, vocabulary: Examples, folder: Path) -> None:
        self.vocabulary, self.folder, self.made = vocabulary, folder, 0
        self.cache, self.meter = Cache(folder / "cache"), Meter("DEU")

    def train(self, examples: Examples, rows: int, seed: int, epsilon: float | None) -> Scorer:
        """A model of these examples; `rows` are those expected before the coins, which decide steps and noise.

        Without an ε there is neither noise nor clipping.
        """
        torch.manual_seed(seed)
        labels = {"id2label": dict(enumerate(CLASSES)), "label2id": {label: i for i, label in enumerate(CLASSES)}}
        network, tokenizer = small_bert(self.vocabulary.texts, labels, LENGTH)
        encoded = tokenizer(list(examples.texts), truncation=True, max_length=LENGTH, padding=True, return_tensors="pt")
        tensors = (encoded["input_ids"], encoded["attention_mask"], torch.tensor(examples.labels))
        data = torch.utils.data.TensorDataset(*tensors)
        optimiser: Any = torch.optim.AdamW(network.parameters(), lr=5e-4)
        loader: Any = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
        trained: Any = network.train()
        steps = EPOCHS * math.ceil(rows / BATCH)
        if epsilon is not None:
            trained, optimiser, loader = self._private(network, optimiser, loader, steps, epsilon)
        done = 0
        while done < steps:
            for ids, mask, truth in loader:
                if done == steps or not len(ids):
                    break
                # Opacus takes gradients by example, so each example needs positions of its own.
                positions = torch.arange(ids.shape[1]).expand(len(ids), -1)
                optimiser.zero_grad()
                said = trained(input_ids=ids, attention_mask=mask, position_ids=positions).logits
                torch.nn.functional.cross_entropy(said, truth).backward()
                optimiser.step()
                done += 1
        self.made += 1
        folder = self.folder / str(self.made)
        network.eval().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return Scorer(Model(str(folder), folder, CLASSES, LENGTH), self.cache, self.meter, Progress())

    @staticmethod
    def _private(network: Any, optimiser: Any, loader: Any, steps: int, epsilon: float) -> tuple[Any, Any, Any]:
        from opacus import PrivacyEngine
        from opacus.accountants.utils import get_noise_multiplier

        noise = get_noise_multiplier(
            target_epsilon=epsilon, target_delta=DELTA, sample_rate=1 / len(loader), steps=steps, accountant="prv"
        )
        engine = PrivacyEngine(accountant="prv")
        private = engine.make_private(
            module=network, optimizer=optimiser, data_loader=loader, noise_multiplier=noise, max_grad_norm=1.0
        )
        return private


def main() -> None:
    """Print a line for each run, and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--epsilon", type=float, nargs="+", default=[3.0])
    parser.add_argument("--plain", type=int, default=3, help="in so many of them also without noise and clipping")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    training, test = sentences("sst2_train.csv", SENTENCES), sentences("sst2_test.csv", 10_000)
    found: dict[float | None, list[tuple[float, float]]] = {epsilon: [] for epsilon in (*asked.epsilon, None)}
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(training, Path(folder))
        other = trainer.train(training, len(training), 1_000, None)
        for seed in range(asked.runs):
            canaries = draw(training, Sizing(CANARIES, 0.1, DELTA), seed)
            rows = len(training) + canaries.expected_rows
            for epsilon in (*asked.epsilon, None) if seed < asked.plain else asked.epsilon:
                started = time.perf_counter()
                twin = trainer.train(canaries.among(training), rows, seed, epsilon)
                finding = canary_epsilon(CanaryTwin(canaries, twin), other, delta=DELTA)
                right = float((twin.predict(test.texts).labels == test.labels).mean())
                found[epsilon].append((float(finding.low or 0.0), right))
                print(
                    f"seed {seed}, {_kind(epsilon)}: ε ≥ {finding.low:.2f}, {finding.facts['right guesses']} of "
                    f"{finding.facts['guesses']} right, accuracy {right:.3f}, {time.perf_counter() - started:.0f} s",
                    flush=True,
                )
    print("\n| training | runs | bounds above ε | bounds above 0 | largest bound | accuracy |\n|" + " --- |" * 6)
    for epsilon, runs in found.items():
        if runs:
            bounds, accuracies = zip(*runs, strict=True)
            above = "–" if epsilon is None else sum(bound > epsilon for bound in bounds)
            cells = f"{len(runs)} | {above} | {sum(bound > 0 for bound in bounds)} | {max(bounds):.2f}"
            print(f"| {_kind(epsilon)} | {cells} | {min(accuracies):.2f} to {max(accuracies):.2f} |")


def _kind(epsilon: float | None) -> str:
    return "without noise and clipping" if epsilon is None else f"DP-SGD, ε = {epsilon:g}, δ = {DELTA:g}"


if __name__ == "__main__":
    main()
