"""What two figures do not show: miscalibration within a bin, and a slow kind of hostile text among many.

    python -m benchmarks.statistics.blind_spots

Calibration: the model states 60 to 90 % and is right by an amount more often and as much less often in turn, in strips
so narrow that each bin holds several. Latency: of 22 kinds one takes 100 times the median from some length on, all else
takes as long as an ordinary text; kinds and lengths are drawn as the audit draws them.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from audit.statistics import calibration_error, ratio_of_quantiles
from audit.text.hostile import KINDS, LONGEST, QUANTILE, hostile_requests

REPEATS = 500


def calibration() -> None:
    """Print how far the binned error lies below the error without bins."""
    print("| test examples | off by, points | error without bins | mean estimate | upper end below |")
    print("| --- | --- | --- | --- | --- |")
    rng = np.random.default_rng(0)
    for n, points in product((1_000, 10_000), (5, 10)):
        truth, found = (points / 100) ** 2, []
        for _ in range(REPEATS):
            stated = rng.uniform(0.6, 0.9, n)
            sign = np.where((stated * 400).astype(int) % 2, 1, -1)
            found.append(calibration_error(stated, rng.random(n) < stated + sign * points / 100))
        below = np.mean([each.high < truth for each in found])
        print(f"| {n:,} | {points} | {truth:.4f} | {np.mean([each.estimate for each in found]):.4f} | {below:.1%} |")
    print()


def latency() -> None:
    """Print how often a gate of ten times the median is passed all the same."""
    print("| slow from so many characters on | share of texts | gate ≤ 10 passes | fails | slowest, times the median |")
    print("| --- | --- | --- | --- | --- |")
    rng, n = np.random.default_rng(0), len(hostile_requests())
    for least in (100_000, 10_000, 1_000, 1):
        passed = failed = 0
        slowest = []
        for _ in range(REPEATS):
            length = 10 ** rng.uniform(0, np.log10(LONGEST), n)
            slow = (rng.integers(0, len(KINDS), n) == 0) & (length >= least)
            found = ratio_of_quantiles(np.where(slow, 100.0, 1.0), QUANTILE, np.ones(131), 0.5)
            passed += found.high <= 10
            failed += found.low > 10
            slowest.append(100 if slow.any() else 1)
        share = (1 - np.log10(least) / np.log10(LONGEST)) / len(KINDS)
        cells = f"{least:,} | {share:.2%} | {passed / REPEATS:.1%} | {failed / REPEATS:.1%} | {np.mean(slowest):.0f}"
        print(f"| {cells} |")


if __name__ == "__main__":
    calibration()
    latency()
