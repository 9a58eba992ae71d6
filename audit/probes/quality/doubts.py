"""Which labels are in doubt: those that a model contradicts with confidence, and those of equal texts that differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.inference.predictions import Predictions

Rows = NDArray[np.int64]


class Doubts(NamedTuple):
    """Labels that confident learning takes for wrong.

    Parameters
    ----------
    share : float
        Estimated share of wrong labels.
    rows : ndarray of int
        The labels in doubt, that which the model contradicts most strongly first.
    """

    share: float
    rows: Rows


class Conflicts(NamedTuple):
    """Labels of alike texts that are not all the same.

    Parameters
    ----------
    texts : int
        How many texts, alike ones counted once, have several labels.
    rows : ndarray of bool, shape (n,)
        The examples that are such a text.
    wrong : int
        How many labels are wrong at least, if alike texts have one right label: all but those of the most frequent.
    """

    texts: int
    rows: NDArray[np.bool_]
    wrong: int


def doubts(predictions: Predictions) -> Doubts:
    """What confident learning takes for wrongly labelled, by answers that were not learned from these labels.

    Notes
    -----
    Source: Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70 (2021),
    section 3.1: a class is confident from the mean probability on that it has where it is the label; the confident
    joint counts labels by the class that is; calibrated to the labels' own counts, what lies off its diagonal is the
    share of wrong ones. As in cleanlab, its authors' library, what the model's likeliest class agrees with is in no
    doubt. Ranked by normalized margin (section 3.2).
    """
    from cleanlab.count import compute_confident_joint

    chances = predictions.probabilities.astype(float)
    joint, uncommon = compute_confident_joint(
        predictions.truth, chances, calibrate=True, return_indices_of_off_diagonals=True
    )
    wrong = np.zeros(len(predictions), dtype=bool)
    wrong[uncommon] = True
    return Doubts(float(1 - np.trace(joint) / joint.sum()), ranked(predictions, wrong & ~predictions.correct))


def ranked(predictions: Predictions, among: NDArray[np.bool_]) -> Rows:
    """Rows by how much likelier to the model another class is than the label; equally likely ones by their text.

    Parameters
    ----------
    among : ndarray of bool, shape (n,)
    """
    rows, known = np.flatnonzero(among), predictions.known
    chances = predictions.probabilities[rows].astype(float)
    margins = chances[np.arange(len(rows)), predictions.truth[rows]] - chances.max(axis=1)
    order = sorted(range(len(rows)), key=lambda i: (margins[i], known.texts[rows[i]], known.labels[rows[i]]))
    return rows[order]


def conflicts(alike: Sequence[Hashable], labels: Rows) -> Conflicts:
    """Where alike texts are labelled differently.

    Parameters
    ----------
    alike : sequence of hashable, length n
        Equal for texts that are alike.
    labels : ndarray of int, shape (n,)
    """
    found: dict[Hashable, Counter[int]] = {}
    for key, label in zip(alike, labels.tolist(), strict=True):
        found.setdefault(key, Counter())[label] += 1
    several = {key: counts for key, counts in found.items() if len(counts) > 1}
    return Conflicts(
        len(several),
        np.fromiter((key in several for key in alike), dtype=bool, count=len(labels)),
        sum(counts.total() - max(counts.values()) for counts in several.values()),
    )
