"""How many labels are wrong, by how often two labels of one text differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from audit.statistics.intervals import Array


def peer_noise(disagreement: ArrayLike, classes: int) -> Array:
    """Share of wrong labels where two that err alike and independently differ on a share of texts, all equally hard.

    Parameters
    ----------
    disagreement : array_like of float
        Share of texts on which the two differ.
    classes : int
        How many there are; a wrong label is any of the others with equal chance.

    Returns
    -------
    ndarray of float
        Of the shape of `disagreement`. It is the least share of wrong labels that goes with so much disagreement if
        some texts are harder than others; the greatest is the disagreement itself, if the right label of each text is
        the one that is given most often. At most that of labels that are drawn at random.

    Notes
    -----
    Two independent draws from the labels of a text differ as the nearest neighbour errs where it lies infinitely near,
    and the Bayes error is the share of wrong labels, so the bounds are those of Cover and Hart, "Nearest neighbor
    pattern classification", IEEE Transactions on Information Theory 13 (1967): e ≤ d ≤ e (2 − e K / (K − 1)). For two
    classes the upper one is 2 e (1 − e).
    """
    most = (classes - 1) / classes
    return np.asarray(most * (1 - np.sqrt(np.clip(1 - np.asarray(disagreement, float) / most, 0.0, 1.0))))


def peer_disagreement(noise: ArrayLike, classes: int) -> Array:
    """The inverse of :func:`peer_noise`: on which share of texts two labels differ."""
    e = np.minimum(np.asarray(noise, float), (classes - 1) / classes)
    return np.asarray(e * (2 - e * classes / (classes - 1)))
