"""All membership attacks on 50,000 examples with 4 reference models, and what the intervals around them take.

python -m benchmarks.speed.membership_attacks
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from audit import statistics
from audit.probes.privacy import membership_attacks
from audit.statistics import Trial

EXAMPLES, REFERENCES = 50_000, 4


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print the Markdown table."""
    rng = np.random.default_rng(0)
    answers = rng.dirichlet(np.ones(2), (1 + REFERENCES, EXAMPLES))  # (models, examples, classes)
    labels = rng.integers(0, 2, EXAMPLES)
    chances = answers[:, np.arange(EXAMPLES), labels]
    losses = -np.log(np.maximum(chances, 1e-12))
    confidences = [membership_attacks.scaled_confidence(p, labels) for p in answers]
    trial = Trial(chances[0], rng.random(EXAMPLES) < 0.5, np.arange(EXAMPLES))
    work: dict[str, Callable[[], Any]] = {
        "loss": lambda: membership_attacks.loss_threshold(losses[0]),
        "calibrated loss": lambda: membership_attacks.calibrated_loss(losses[0], losses[1:]),
        "RMIA": lambda: membership_attacks.rmia(chances[0], chances[1:], chances[0], chances[1:], a=0.3),
        "LiRA, offline": lambda: membership_attacks.lira_offline(confidences[0], np.array(confidences[1:])),
        "AUC with interval, of one attack": lambda: statistics.clustered_auc([trial]),
        "balanced accuracy, 1,000 resamples, of one attack": lambda: statistics.trial_balanced_accuracy([trial]),
        "recognised at 1 % false alarms, of one attack": lambda: statistics.true_positive_rate([trial], 0.01),
    }
    work["LiRA, offline"]()  # imports are not what is measured
    print(f"| on {EXAMPLES:,} examples and {REFERENCES} references | s |\n| --- | --- |")
    for name, call in work.items():
        print(f"| {name} | {seconds(call):.3f} |")


if __name__ == "__main__":
    main()
