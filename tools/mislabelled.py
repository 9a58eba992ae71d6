"""Texts with labels that are wrong on purpose, for tests and benchmarks of what finds them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from audit.data.examples import UNLABELLED
from audit.inference.predictions import Predictions

Labels = NDArray[np.int64]


def rates(share: float, groups: NDArray[np.bool_] | None, n: int) -> NDArray[np.float64]:
    """How likely each label is wrong: all alike, or twice as much where `groups` is true and not at all elsewhere."""
    return np.full(n, share) if groups is None else np.where(groups, 2 * share, 0.0)


def mislabelled(truth: Labels, wrong: NDArray[np.float64], classes: int, rng: np.random.Generator) -> Labels:
    """The labels of somebody who errs with this chance at each text, each other class being as likely."""
    others = (truth + rng.integers(1, classes, len(truth))) % classes
    return np.where(rng.random(len(truth)) < wrong, others, truth)


def labelled_twice(
    predictions: Predictions, wrong: NDArray[np.float64], seen: int, *, is_peer: bool, seed: int
) -> Predictions:
    """The same answers, held against labels that err so, and a second label of `seen` examples drawn at random.

    Parameters
    ----------
    predictions : Predictions
        By the true labels.
    wrong : ndarray of float, shape (n,)
    seen : int
        0: no second label.
    is_peer : bool
        Whether the second labels err as the first do; else they are right.
    """
    rng, test = np.random.default_rng(seed), predictions.known
    classes = len(test.classes)
    first, second = (mislabelled(test.labels, wrong, classes, rng) for _ in range(2))
    drawn = np.zeros(len(test), dtype=bool)
    drawn[rng.permutation(len(test))[:seen]] = True
    column = np.where(drawn, second if is_peer else test.labels, UNLABELLED)
    protocol = replace(test.protocol, second_label_is="peer" if is_peer else "truth")
    return predictions.on(replace(test, labels=first, second=column if seen else None, protocol=protocol))
