"""How often attribute leakage is sure of a difference where neither embedding nor words know anything of the group.

    python -m benchmarks.statistics.attribute_inference --draws 200

Texts, embeddings and groups are drawn independently; so is each draw of the others. 0 is the truth.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from audit import statistics
from audit.data.examples import Examples
from audit.probes.privacy import attribute_inference

CASES = ((2, 150, (0.5, 0.5)), (4, 160, (0.25, 0.25, 0.25, 0.25)), (2, 400, (0.85, 0.15)), (2, 400, (0.5, 0.5)))
WIDTH = 8


def outside(texts: int, shares: tuple[float, ...], seed: int) -> tuple[bool, bool]:
    """Whether the interval leaves out 0: taken as independent, and widened as in the probe."""
    rng = np.random.default_rng(seed)
    words = [" ".join(rng.choice([f"w{i}" for i in range(40)], 8)) for _ in range(texts)]
    examples = Examples(tuple(words), rng.integers(0, 2, texts), ("negative", "positive"))
    group = rng.choice(len(shares), texts, p=shares)
    embedding = rng.normal(size=(texts, WIDTH)).astype(np.float32)
    divided = attribute_inference.splits(group, seed)
    by_model, by_words = (
        attribute_inference.named(features, group, divided) == group
        for features in (
            attribute_inference.embedding_features(embedding, examples),
            attribute_inference.word_features(examples),
        )
    )
    count = len(shares)
    gained, lost = (
        np.bincount(group[a & ~b], minlength=count) for a, b in ((by_model, by_words), (by_words, by_model))
    )
    found = statistics.mean_paired_difference(gained, lost, np.bincount(group, minlength=count))
    half = attribute_inference.WIDER
    low, high = (found.estimate + half * (bound - found.estimate) for bound in (found.low, found.high))
    return found.low > 0 or found.high < 0, low > 0 or high < 0


def main() -> None:
    """Print the Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args().draws
    print("| groups that nothing gives away | draws | 0 outside, taken as independent | widened | CPU, s |")
    print("| --- | --- | --- | --- | --- |")
    for groups, texts, shares in CASES:
        started = time.process_time()
        plain, widened = np.array([outside(texts, shares, seed) for seed in range(draws)]).sum(axis=0)
        said = ":".join(f"{100 * share:g}" for share in shares)
        spent = time.process_time() - started
        print(f"| {groups} ({said}), {texts} texts | {draws} | {plain} | {widened} | {spent:.0f} |", flush=True)


if __name__ == "__main__":
    main()
