"""Members told from others past the model: by their texts, and by how well their labels suit these.

Where either succeeds, training and test data differ, and no attack may be credited with what the examples give away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.data.examples import Examples
from audit.statistics import Interval

if TYPE_CHECKING:
    from sklearn.model_selection import StratifiedGroupKFold

# Examples of each side, and parts, that the blind baseline is fitted on.
BLIND_SAMPLE, FOLDS = 5_000, 5
# Two-sided confidence of each comparison. Not the policy's: its errors are wrong verdicts, those of a guard verdicts
# that are missing, so whoever asks for fewer of the former must not be guarded less.
GUARD = 0.95
# Inverse penalties of the classifier of labels. The guard takes that of the audit's linear model on words: with a
# heavier penalty a rare label would be a surprise whatever the text. As a covariate it has the label itself beside it.
PENALTY, COVARIATE_PENALTY = 10.0, 1.0
WORD = r"\w+|[^\w\s]"  # a word or a punctuation mark


class Differences(NamedTuple):
    """How well members are told from others without any model of the audit.

    Parameters
    ----------
    texts : Interval
        AUC by text, label and length, which count one by one.
    labels : Interval or None
        AUC by how little the text lets expect the label; None where there is only one label.
    """

    texts: Interval
    labels: Interval | None

    @property
    def are_found(self) -> bool:
        """Whether one of the two is no chance: labels may be better or worse among the members."""
        labels = self.labels
        return self.texts.low > 0.5 or (labels is not None and not labels.low <= 0.5 <= labels.high)


def differences(examples: Examples, member: NDArray[np.bool_], seed: int) -> Differences | None:
    """How well members are told from others by the examples alone.

    Parameters
    ----------
    examples : Examples
        n of them.
    member : ndarray of bool, shape (n,)
    seed : int
        Of the folds, in an order of the examples that is theirs.

    Returns
    -------
    Differences or None
        Of logistic regressions on word counts, each example scored by a fit that did not see it; equal texts count
        once. None where there are too few examples to fit them.

    Notes
    -----
    Source: Das, Zhang and Tramèr, arXiv:2406.16201 (2024), section 3. Text and label each by itself are blind to noise
    in the labels of one side: there only their interaction differs, and it moves a model's losses as memory does.
    Scores are ranked within each part of the cross-validation, since fits of different parts are not on one scale.
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
    surprise = label_surprise(told, inside, seed)
    sides = None if clusters is None else (clusters[inside], clusters[~inside])

    def told_by(scores: NDArray[np.float64], confidence: float) -> Interval:
        return statistics.auc(scores[inside], scores[~inside], confidence, clusters=sides)

    # Texts are told apart upwards alone, labels either way: each errs as often.
    by_labels = None if surprise is None else told_by(surprise, statistics.shared_out(GUARD, 2))
    return Differences(told_by(ranks, GUARD), by_labels)


def label_surprise(
    examples: Examples, member: NDArray[np.bool_], seed: int, penalty: float = PENALTY
) -> NDArray[np.float64] | None:
    """How little each text lets expect its label, by a classifier on words that did not see the example.

    Parameters
    ----------
    examples : Examples
        n of them, at least `FOLDS` clusters of each side.
    member : ndarray of bool, shape (n,)
        The sides are spread evenly over the folds; nothing else depends on it.
    seed : int
        Of the folds.
    penalty : float
        Inverse strength of the classifier's penalty.

    Returns
    -------
    ndarray of float, shape (n,), or None
        Rank of the log-loss of the given label, as a share of those that were scored by the same fit; None where all
        labels are the same.
    """
    from scipy.stats import rankdata
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    labels = examples.labels
    if len(np.unique(labels)) < 2:
        return None
    words, ranks = _words(examples), np.empty(len(labels))
    for fit, rest in folds(member, seed, examples.clusters):
        chances = np.zeros((len(rest), len(examples.classes)))
        known = np.unique(labels[fit])
        if len(known) > 1:
            linear = OneVsRestClassifier(LogisticRegression(C=penalty, solver="liblinear"))
            chances[:, known] = linear.fit(words[fit], labels[fit]).predict_proba(words[rest])
        ranks[rest] = rankdata(-chances[np.arange(len(rest)), labels[rest]]) / len(rest)
    return ranks


def label_covariates(examples: Examples, member: NDArray[np.bool_], seed: int) -> NDArray[np.float64] | None:
    """What of an example tells its loss past the model: label and :func:`label_surprise`, and how these go together.

    Returns
    -------
    ndarray of float, shape (n, 2 · classes), or None
        None where all labels are the same.
    """
    surprise = label_surprise(examples, member, seed, COVARIATE_PENALTY)
    if surprise is None:
        return None
    labels = np.eye(len(examples.classes))[examples.labels][:, 1:]
    x = surprise[:, None]
    return np.hstack([x, x**2, labels, labels * x])


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
    from sklearn.model_selection import StratifiedKFold

    if clusters is None:
        yield from StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(side, side)
    else:
        yield from by_cluster(FOLDS, seed).split(side, side, clusters)


def by_cluster(count: int, seed: int) -> StratifiedGroupKFold:
    """Scikit-learn's folds of whole clusters, the same in a sixth of the time.

    It puts one cluster after the other into the fold where the classes are then spread most evenly, and asks for the
    spread of one fold at a time.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    made = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    made._find_best_fold = _best_fold
    return made


def _best_fold(
    y_counts_per_fold: NDArray[np.float64], y_cnt: NDArray[np.int64], group_y_counts: NDArray[np.float64]
) -> int:
    """What the method of this name finds: of spreads that :func:`numpy.isclose` takes for equal, the smaller fold."""
    tried = y_counts_per_fold + np.eye(len(y_counts_per_fold))[:, :, None] * group_y_counts
    spreads = (tried / y_cnt).std(axis=1).mean(axis=1).tolist()
    best, least, fewest = 0, np.inf, np.inf
    for fold, (spread, rows) in enumerate(zip(spreads, y_counts_per_fold.sum(axis=1).tolist(), strict=True)):
        if spread < least or (abs(spread - least) <= 1e-8 + 1e-5 * least and rows < fewest):
            best, least, fewest = fold, spread, rows
    return best


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
    """Sparse matrix of words, label and length; no vocabulary has to be learnt."""
    from scipy.sparse import csr_matrix, hstack

    labels = np.eye(len(examples.classes))[examples.labels]
    lengths = np.log1p([[len(text)] for text in examples.texts])
    return hstack([_words(examples), csr_matrix(np.hstack([labels, lengths]))]).tocsr()


def _words(examples: Examples) -> Any:
    """Sparse matrix of words as written and punctuation."""
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(n_features=2**16, alternate_sign=False, lowercase=False, token_pattern=WORD)
    return words.transform(examples.texts)
