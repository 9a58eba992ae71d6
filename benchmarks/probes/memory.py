"""What the audit finds where a model remembers more and more: SST-2 sentences, trained for 1, 3 and 6 epochs.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.memory --keep DIR
    AUDIT_TEST_DATA=… python -m benchmarks.probes.memory --keep DIR --trainings 16   # what two trainings scatter by

Each policy is audited with `pytest suites/test_privacy.py` in a process of its own; the table is read off the records.
With `--trainings` only the twins are asked, of as many seeds on the same data: how far their figures lie from each
other, beside what their intervals, which come from the examples alone, would let expect.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audit import Facts, Table
from audit.core.evidence import from_json
from benchmarks import ROOT

EPOCHS, SENTENCES = (1, 3, 6), 3_000
Z = 1.959964  # half of a normal interval at 95 %, in standard errors
POLICY = """
[model]
source = "small-bert"
max_length = 64
labels = ["negative", "positive"]
[model.finetune]
initialise = "scratch"
epochs = {epochs}
batch_size = 32
learning_rate = 5e-4
warmup_ratio = 0.1
validation = 0.0
seed = {seed}
[data]
train = "train.csv"
test = "${{AUDIT_TEST_DATA}}/sst2_test.csv"
[privacy]
reference_models = 2
[audit]
seed = {seed}
"""


def audit(folder: Path, epochs: int, seed: int, tests: str = "membership or canary") -> dict[str, Any]:
    """Findings of the privacy suite by id."""
    policy = folder / f"epochs-{epochs}-{seed}.toml"
    policy.write_text(POLICY.format(epochs=epochs, seed=seed), encoding="utf-8")
    out = folder / f"epochs-{epochs}-{seed}"
    suite = [str(ROOT / "suites" / "test_privacy.py"), "-k", tests, "-q"]
    where = ["--audit-policy", str(policy), "--audit-out", str(out), "--audit-cache", str(folder / "cache")]
    subprocess.run([sys.executable, "-m", "pytest", *suite, *where], check=True, stdout=sys.stderr)
    record = json.loads((out / "audit.json").read_text("utf-8"))
    return {finding["id"]: finding for finding in record["findings"]}


def shown(finding: dict[str, Any], kind: type) -> list[Any]:
    """The evidence of one kind, as the record of a finding holds it."""
    pieces = (from_json(each) for each in finding["evidence"])
    return [piece for piece in pieces if isinstance(piece, kind)]


def rows(found: dict[str, Any]) -> list[str]:
    """The figures of one policy, in the order of the table's columns."""
    attacks, canary = found["privacy.membership_inference"], found["privacy.canary_epsilon"]
    itself, twins = ({str(row[0]).split(" (")[0]: row for row in table.rows} for table in shown(attacks, Table))
    (copies,), (guesses,) = shown(canary, Table), shown(canary, Facts)
    facts = {fact.name: fact.value for fact in guesses.items}
    loss = itself["loss"]
    strongest = max(twins.values(), key=lambda row: row[1])
    return [
        f"{loss[1]:.3f} [{loss[2]:.3f}, {loss[3]:.3f}]",
        f"{twins['loss'][1]:.3f}",
        f"{strongest[1]:.3f} [{strongest[2]:.3f}, {strongest[3]:.3f}] ({strongest[0].split(' (')[0]})",
        twins["loss"][-1],
        "; ".join(f"{row[-1]} ({name})" for name, row in twins.items() if name != "loss"),
        f"≥ {canary['low']:.2f} ({facts['right guesses']} of {facts['guesses']})",
        "; ".join(f"{row[0]} ×: {row[2]:.2f}" for row in copies.rows),
    ]


def scatter(folder: Path, every: Sequence[int], trainings: int) -> None:
    """Print how far the twins' figures of several seeds lie apart, and what their intervals let expect."""
    columns = ["epochs", "attack, twins", "trainings", "mean AUC", "standard deviation over trainings"]
    columns += ["what examples alone let expect", "intervals that cover the mean"]
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for epochs in every:
        tables = [
            shown(audit(folder, epochs, seed, "membership_inference")["privacy.membership_inference"], Table)[1]
            for seed in range(trainings)
        ]
        for name in dict.fromkeys(str(row[0]).split(" (")[0] for row in tables[0].rows):
            found = [row[1:4] for table in tables for row in table.rows if str(row[0]).split(" (")[0] == name]
            auc, low, high = np.array(found, float).T
            expected = np.sqrt(np.mean(((high - low) / (2 * Z)) ** 2))
            covered = np.mean((low <= auc.mean()) & (auc.mean() <= high))
            cells = f"{len(auc)} | {auc.mean():.3f} | {auc.std(ddof=1):.4f} | {expected:.4f} | {covered:.0%}"
            print(f"| {epochs} | {name} | {cells} |", flush=True)


def main() -> None:
    """Print the Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for records, reports and trained models")
    parser.add_argument("--seed", type=int, default=0, help="of the training, the twins and the canaries")
    parser.add_argument("--epochs", type=int, nargs="+", default=EPOCHS)
    parser.add_argument("--trainings", type=int, help="only the twins, of as many seeds")
    asked = parser.parse_args()
    folder = (asked.keep or Path(tempfile.mkdtemp())).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(os.environ["AUDIT_TEST_DATA"]) / "sst2_train.csv"
    with source.open(newline="", encoding="utf-8") as read, (folder / "train.csv").open("w", newline="") as write:
        lines = list(csv.reader(read))
        # The file is not in random order everywhere: every second sentence, from the front.
        csv.writer(write).writerows([lines[0], *lines[1 :: (len(lines) - 1) // SENTENCES][:SENTENCES]])
    if asked.trainings:
        scatter(folder, asked.epochs, asked.trainings)
        return
    columns = ["loss attack, model itself", "loss attack, twins", "best attack, twins", "loss: at 1 % false alarms"]
    columns += ["with references: at 1 % false alarms", "ε (right guesses)", "AUC of canaries by copies"]
    print(f"| epochs | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for epochs in asked.epochs:
        print(f"| {epochs} | {' | '.join(rows(audit(folder, epochs, asked.seed)))} |", flush=True)


if __name__ == "__main__":
    main()
