"""What examples without a group do to a gap: where they are missing at random, and where a gap hides among them.

    python -m benchmarks.statistics.unknown_groups

Two groups of 500 texts, read rightly in 85 and 75 %. "At random": each text's group is missing by the same chance;
"of one group": only of the worse one's texts; "misread": only of its misread texts. As many are missing in each.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from audit.statistics import assigned_gap, gap

REPEATS, SIZE, ACCURACIES = 4_000, 500, np.array([0.85, 0.75])
MECHANISMS = ("at random", "of one group", "misread")


def missing(rng: np.random.Generator, right: NDArray[np.bool_], share: float, mechanism: str) -> NDArray[np.bool_]:
    """Whose group is unknown, shape (groups, texts): so large a share of all texts on average."""
    chance = np.zeros(right.shape)
    if mechanism == "at random":
        chance[:] = share
    elif mechanism == "of one group":
        chance[1] = 2 * share
    else:
        chance[1] = np.where(right[1], 0, 2 * share / (1 - ACCURACIES[1]))
    return rng.random(right.shape) < chance


def main() -> None:
    """Print the table."""
    head = ["missing", "share", "mean gap seen, points", "interval covers 10 points", "upper end below them"]
    head += ["bounds cover the gap of the sample", "bounds, points", "a verdict may turn"]
    for cells in (head, ["---"] * len(head)):
        print(f"| {' | '.join(cells)} |")
    truth, rng = float(np.ptp(ACCURACIES)), np.random.default_rng(0)
    for mechanism, share in product(MECHANISMS, (0.01, 0.02, 0.05)):
        seen, held = [], np.zeros(4)
        bounds = []
        for _ in range(REPEATS):
            right = rng.random((2, SIZE)) < ACCURACIES[:, None]
            gone = missing(rng, right, share, mechanism)
            x, n = (right & ~gone).sum(axis=1), (~gone).sum(axis=1)
            found = gap(x, n)
            low, high = assigned_gap(x[None], n[None], [(right & gone).sum()], [gone.sum()])
            full = abs(right[0].mean() - right[1].mean())
            seen.append(found.estimate)
            bounds.append((low, high))
            held += (
                found.low <= truth <= found.high,
                found.high < truth,
                low - 1e-12 <= full <= high + 1e-12,
                not (found.low <= low and high <= found.high),
            )
        low, high = 100 * np.mean(bounds, axis=0)
        covers, below, sample, caveat = (f"{100 * each / REPEATS:.1f} %" for each in held)
        cells = [mechanism, f"{100 * share:.0f} %", f"{100 * np.mean(seen):.1f}", covers, below, sample]
        print(f"| {' | '.join([*cells, f'{low:.1f} to {high:.1f}', caveat])} |")


if __name__ == "__main__":
    main()
