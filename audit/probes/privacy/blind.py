"""The blind baseline of membership attacks: members told from others by their texts, past the model.

Where it succeeds, training and test data differ, and no attack may be credited with what the texts give away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.data.examples import Examples
from audit.statistics import Interval

# Examples of each side, and parts, that the blind baseline is fitted on.
BLIND_SAMPLE, FOLDS = 5_000, 5
WORD = r"\w+|[^\w\s]"  # a word or a punctuation mark


def blind_auc(examples: Examples, member: NDArray[np.bool_], confidence: float, seed: int) -> Interval | None:
    """How well members are told from others by text, label and length alone, without any model of the audit.

    Parameters
    ----------
    examples : Examples
        n of them.
    member : ndarray of bool, shape (n,)
    confidence : float
        Two-sided confidence.
    seed : int
        Of the folds, in an order of the examples that is theirs.

    Returns
    -------
    Interval or None
        AUC of a logistic regression on word counts, each example scored by a fit that did not see it; equal texts count
        once. None where there are too few examples to fit it.

    Notes
    -----
    Source: Das, Zhang and Tramèr, arXiv:2406.16201 (2024), section 3. Scores are ranked within each part of the
    cross-validation, since fits of different parts are not on one scale.
    """
    from scipy.stats import rankdata
    from sklearn.linear_model import LogisticRegression

    rows = _blind_rows(examples, member)
    inside = member[rows]
    told = examples.take(rows)
    if inside.all() or independent(inside.astype(np.int64), told.clusters).min() < 2 * FOLDS:
        return None
    features, clusters = _blind_features(told), told.clusters
    ranks = np.empty(len(rows))
    for fit, rest in folds(inside, seed, clusters):
        linear = LogisticRegression(solver="liblinear").fit(features[fit], inside[fit])
        ranks[rest] = rankdata(linear.decision_function(features[rest])) / len(rest)
    sides = None if clusters is None else (clusters[inside], clusters[~inside])
    return statistics.auc(ranks[inside], ranks[~inside], confidence, clusters=sides)


def folds(
    side: NDArray[Any], seed: int, clusters: NDArray[np.int64] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to learn from and those to ask about, `FOLDS` times, sides in their shares; no cluster is on both.

    Parameters
    ----------
    side : ndarray, shape (n,)
        What is to be told.
    seed : int
    clusters : ndarray of int, shape (n,), or None
        As in :attr:`audit.data.examples.Examples.clusters`.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if clusters is None:
        yield from StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(side, side)
    else:
        yield from StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(side, side, clusters)


def independent(side: NDArray[np.int64], clusters: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """How many clusters have rows of each side: none can be told where fewer than two a fold do."""
    if clusters is None:
        return np.bincount(side)
    return np.array([len(np.unique(clusters[side == each])) for each in range(int(side.max()) + 1)])


def _blind_rows(examples: Examples, member: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of distinct texts, at most `BLIND_SAMPLE` of each side."""
    order = examples.drawn("privacy.membership_inference")
    first = order[np.unique(statistics.cluster_ids([examples.texts[row] for row in order]), return_index=True)[1]]
    return np.concatenate([first[member[first] == side][:BLIND_SAMPLE] for side in (True, False)])


def _blind_features(examples: Examples) -> Any:
    """Sparse matrix of words as written and punctuation, label and length; no vocabulary has to be learnt."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(n_features=2**16, alternate_sign=False, lowercase=False, token_pattern=WORD)
    labels = np.eye(len(examples.classes))[examples.labels]
    lengths = np.log1p([[len(text)] for text in examples.texts])
    return hstack([words.transform(examples.texts), csr_matrix(np.hstack([labels, lengths]))]).tocsr()
