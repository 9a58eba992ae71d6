"""Whether equal counterfactual pairs that stand in the data several times make the interval of their flips too narrow.

    python -m benchmarks.statistics.equal_pairs

"Said often": 1,000 texts drawn from a population in which a few short texts are frequent, as people write "thank you".
"Copied": 250 texts, each of which stands in the file four times, with the clusters that the audit makes of copies of
six words or more, and without. "Pair file": 40 templates of 10 pairs each, and the same with each row four times. A
model flips the pairs of a text or not, the same each time; templates have a chance of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from audit.probes.ethics.counterfactual import share_of_flips
from audit.statistics import Interval

REPEATS, SHARE = 2_000, 0.1
Draw = Callable[[np.random.Generator], tuple[Interval, float]]  # the interval, and the truth


def said_often(rng: np.random.Generator) -> tuple[Interval, float]:
    """Independent people who often write the same."""
    mass = 1 / np.arange(1, 2_001)  # Zipf's law
    mass /= mass.sum()
    flips = rng.random(len(mass)) < SHARE
    texts = rng.choice(len(mass), 1_000, p=mass)
    return share_of_flips(flips[texts], [""] * len(texts), 0.95), float(mass @ flips)


def copied(copies: int, *, clustered: bool) -> Draw:
    """Each text several times, as a faulty join of two files makes it."""

    def draw(rng: np.random.Generator) -> tuple[Interval, float]:
        flips = np.repeat(rng.random(250) < SHARE, copies)
        clusters = np.repeat(np.arange(250), copies) if clustered else None
        return share_of_flips(flips, [""] * len(flips), 0.95, clusters), SHARE

    return draw


def pair_file(copies: int) -> Draw:
    """Pairs of templates, each of which stands there several times."""

    def draw(rng: np.random.Generator) -> tuple[Interval, float]:
        chance = rng.beta(1, 1 / SHARE - 1, 40)  # of each template
        flips = np.repeat(rng.random((40, 10)) < chance[:, None], copies, axis=1)
        return share_of_flips(flips.ravel(), np.repeat(np.arange(1, 41).astype(str), 10 * copies).tolist(), 0.95), SHARE

    return draw


CASES: dict[str, Draw] = {
    "said often": said_often,
    "once": copied(1, clustered=False),
    "copied, not clustered": copied(4, clustered=False),
    "copied, clustered": copied(4, clustered=True),
    "pair file": pair_file(1),
    "pair file, each row four times": pair_file(4),
}


def main() -> None:
    """Print the table."""
    print("| pairs | interval covers the truth | mean width, points |")
    print("| --- | --- | --- |")
    for name, draw in CASES.items():
        rng = np.random.default_rng(0)
        found = [draw(rng) for _ in range(REPEATS)]
        covers = np.mean([each.low <= truth <= each.high for each, truth in found])
        print(f"| {name} | {covers:.1%} | {100 * np.mean([each.high - each.low for each, _ in found]):.1f} |")


if __name__ == "__main__":
    main()
