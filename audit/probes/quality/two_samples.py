"""Whether two samples of texts come from one source: the classifier two-sample test.

Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017: if a classifier tells texts that it has not
seen better than a coin, the samples differ. What it reads of a text is a view: its words, what the model makes of it,
what the model answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.data import folds
from audit.statistics import Array, Interval
from audit.text.duplicates import normal_form
from audit.text.personal_data import hidden

if TYPE_CHECKING:
    from scipy import sparse

# Distinct texts of each sample, at most: the area is then known to 0.03 either way, and a classifier fitted in seconds.
MOST = 2_000
FOLDS = 5
# Characters of a text of which the words are read: what follows would take long, and tells no more.
LONGEST = 20_000
# Signs that are words by themselves: kana, and the characters of Chinese and Japanese.
_SIGN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_SIGN}]|(?:(?![{_SIGN}])\w)+|[^\w\s]")


@dataclass(frozen=True, repr=False)
class Told:
    """How well a classifier tells the rows of two samples apart that it has not seen.

    Parameters
    ----------
    name : str
        What it reads.
    area : Interval
        Area under the ROC curve: how often it names the right one of two rows, one of each sample.
    strict : Interval
        The same at the confidence that is shared out among all views.
    odds : ndarray of float, shape (n,)
        Logarithm of how much more frequent such a row is in the second sample, as far as it knows.
    """

    name: str
    area: Interval
    strict: Interval
    odds: Array


def distinct(texts: Sequence[str], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first :data:`MOST` rows of an order whose texts say what no row before them says, in that order."""
    seen: dict[str, int] = {}
    for row in order.tolist():
        seen.setdefault(normal_form(texts[row]), row)
        if len(seen) == MOST:
            break
    return np.array(list(seen.values()), dtype=np.int64)


def units(texts: Sequence[str], clusters: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Which texts must not be parted: those that are nearly equal, and those of one cluster; shape (n,).

    Parameters
    ----------
    texts : sequence of str, length n
        Of both samples.
    clusters : ndarray of int, shape (n,), optional
        Of authors or items; -1 where there is none.
    """
    return joined(folds.families(texts), clusters)


def joined(families: NDArray[np.int64], clusters: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Families of texts, numbered from 0, joined where a cluster has texts of several; as :func:`units`."""
    if clusters is None or not (clusters >= 0).any():
        return families
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    inside = clusters >= 0
    places = int(families.max()) + 1
    ends = (families[inside], places + clusters[inside])
    size = places + int(clusters.max()) + 1
    graph = sparse.coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(size, size))
    together = connected_components(graph, directed=False)[1][families]
    # By the first family of each, which the content decides, so that another order of the rows changes no fold.
    first = np.full(int(together.max()) + 1, places, dtype=np.int64)
    np.minimum.at(first, together, families)
    return np.asarray(np.unique(first[together], return_inverse=True)[1], dtype=np.int64)


def told_apart(
    views: Sequence[tuple[str, Any, float]],
    is_second: NDArray[np.bool_],
    units: NDArray[np.int64],
    confidence: float,
    seed: int,
) -> list[Told]:
    """How well a linear classifier on each view tells the samples apart, cross-fitted.

    Parameters
    ----------
    views : sequence of (name, features, penalty)
        Features of shape (n, width), dense or sparse, and the inverse strength of the penalty on their weights.
    is_second : ndarray of bool, shape (n,)
    units : ndarray of int, shape (n,)
        Rows that are whole in one fold, numbered from 0; at least `FOLDS` have rows of either sample.
    confidence : float
        Two-sided confidence of each interval.
    seed : int
        Of the folds.

    Notes
    -----
    Scores are ranked within each fold, since fits of different folds are not on one scale. The interval is DeLong's as
    in :func:`audit.statistics.auc`, widened as :func:`audit.statistics.cross_fitted` does, because the fits share what
    they learn from; without that it leaves out 0.5 four times too often where the samples do not differ.
    """
    from scipy.stats import rankdata
    from sklearn.linear_model import LogisticRegression

    fold = folds.folds(units, is_second.astype(np.int64), FOLDS, seed)
    sides = units[is_second], units[~is_second]
    found = []
    for name, features, penalty in views:
        odds, ranks = np.empty(len(fold)), np.empty(len(fold))
        for number in range(FOLDS):
            rest = fold == number
            linear = LogisticRegression(C=penalty, class_weight="balanced", solver="liblinear")
            linear.fit(features[~rest], is_second[~rest])
            odds[rest] = linear.decision_function(features[rest])
            ranks[rest] = rankdata(odds[rest]) / rest.sum()

        def area(level: float, ranks: Array = ranks) -> Interval:
            interval = statistics.auc(ranks[is_second], ranks[~is_second], level, clusters=sides)
            return statistics.cross_fitted(interval, FOLDS, 0.0, 1.0)

        strict = statistics.shared_out(confidence, len(views))
        found.append(Told(name, area(confidence), area(strict), _calibrated(odds, is_second)))
    return found


def _calibrated(scores: Array, is_second: NDArray[np.bool_]) -> Array:
    """Held-out scores as logarithms of odds: a penalty makes them too small, few texts to learn from too large (Platt).

    Where the scores tell nothing, all odds are even.
    """
    from sklearn.linear_model import LogisticRegression

    read = _standard(scores)[:, None]
    linear = LogisticRegression(C=1e3, class_weight="balanced").fit(read, is_second)
    return np.asarray(linear.decision_function(read) if linear.coef_[0, 0] > 0 else np.zeros(len(scores)))


# ---- views


def tokens(texts: Sequence[str]) -> list[list[str]]:
    """Words and punctuation marks of the beginning of each text as they are written."""
    return [_WORD.findall(text[:LONGEST]) for text in texts]


def without_personal(text: str) -> str:
    """A text without what could be personal data: of its words, split, nobody would see that they are."""
    text, parts, at = text[:LONGEST], list[str](), 0
    for _, start, end in hidden(text):
        parts.append(text[at:start])
        at = end
    return " ".join((*parts, text[at:]))


def held_words(split: Sequence[Sequence[str]]) -> tuple[list[str], sparse.csr_array]:
    """Words, sorted, and how often each text holds each, shape (n, words)."""
    from scipy import sparse

    forms = sorted({word for words in split for word in words})
    number = {word: i for i, word in enumerate(forms)}
    columns = np.array([number[word] for words in split for word in words], dtype=np.int32)
    pointers = np.cumsum([0, *map(len, split)], dtype=np.int32)
    held = sparse.csr_array((np.ones(len(columns)), columns, pointers), shape=(len(split), len(forms)))
    held.sum_duplicates()
    return forms, held


def word_features(split: Sequence[Sequence[str]]) -> Any:
    """TF-IDF of the words that several texts have, and the length; sparse. Nothing of it knows the samples."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfTransformer

    held = held_words(split)[1]
    length = _standard(np.log1p([[len(words)] for words in split]))
    several = np.flatnonzero(np.asarray((held > 0).sum(axis=0)).ravel() > 1)
    if not len(several):
        return sparse.csr_matrix(length)
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(sparse.csr_matrix(held[:, several]))
    return sparse.csr_matrix(sparse.hstack([weights, length]))


def embedding_features(embedding: NDArray[np.float32]) -> Array:
    """The embedding, standardised over both samples."""
    return _standard(embedding.astype(float))


def answer_features(probabilities: Array | None, labels: NDArray[np.int64] | None, classes: int) -> Array:
    """Answers with their probabilities and true labels, whichever are known, and how the two go together."""
    parts = []
    if probabilities is not None:
        logs = np.log(np.clip(np.asarray(probabilities, float), 1e-6, 1.0))
        parts += [logs, logs.max(axis=1, keepdims=True), np.eye(classes)[logs.argmax(axis=1)]]
    if labels is not None:
        truth = np.eye(classes)[labels]
        parts += [truth, *([truth * parts[0]] if parts else [])]
    return _standard(np.hstack(parts))


def _standard(values: Array) -> Array:
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0))
