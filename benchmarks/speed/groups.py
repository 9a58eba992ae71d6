"""All group metrics with intervals on 25,000 predictions in 12 groups, and fairlearn's own bootstrap in the same run.

    python -m benchmarks.speed.groups

fairlearn resamples rows and runs pandas for each resample, so only a few of its resamples are timed; its time for
10,000, as many as our bootstraps take, is extrapolated and said to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score

from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.probes.ethics import fairness

ROWS, GROUPS, RESAMPLES = 25_000, 12, 50
PROBES: tuple[Callable[[Predictions, str], Any], ...] = (
    fairness.accuracy_gap,
    fairness.worst_group_accuracy,
    fairness.demographic_parity,
    fairness.equalized_odds,
)


def predictions(seed: int = 0) -> Predictions:
    """Predictions of two classes with accuracy 0.9 and no true gap."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, ROWS)
    said = np.where(rng.random(ROWS) < 0.9, truth, 1 - truth)
    groups = np.array([f"group {i}" for i in rng.integers(0, GROUPS, ROWS)], dtype=object)
    examples = Examples(tuple(map(str, range(ROWS))), truth, ("negative", "positive"), {"g": groups})
    return Predictions(np.eye(2, dtype=np.float32)[said], examples.classes, examples)


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    """Print the Markdown table."""
    made = predictions()
    for probe in PROBES:
        probe(made, "g")  # imports are not what is measured
    ours = [seconds(lambda probe=probe: probe(made, "g")) for probe in PROBES]  # type: ignore[misc]
    metrics = {
        "accuracy": accuracy_score,
        "selection rate": selection_rate,
        "true-positive rate": true_positive_rate,
        "false-positive rate": false_positive_rate,
    }

    def bootstrap() -> None:
        MetricFrame(
            metrics=metrics,
            y_true=made.truth,
            y_pred=made.labels,
            sensitive_features=made.known.groups("g").astype(str),
            n_boot=RESAMPLES,
            ci_quantiles=[0.025, 0.975],
            random_state=0,
        )

    theirs = seconds(bootstrap)
    print(f"| {ROWS:,} predictions, {GROUPS} groups | seconds |\n| --- | --- |")
    for probe, taken in zip(PROBES, ours, strict=True):
        print(f"| `{probe.__name__}` | {taken:.3f} |")
    print(f"| **all four with intervals** | **{sum(ours):.2f}** |")
    print(f"| fairlearn, 4 metrics, {RESAMPLES} resamples | {theirs:.1f} |")
    print(f"| fairlearn, 10,000 resamples, extrapolated | {theirs / RESAMPLES * 10_000:,.0f} |")


if __name__ == "__main__":
    main()
