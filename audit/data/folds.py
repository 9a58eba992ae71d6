"""Folds of a cross-validation that no text leaks across: equal and nearly equal ones are in the same fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.text.duplicates import near_pairs, normal_form

# Jaccard similarity of two texts' sets of words from which they are nearly equal. Sets of words rather than of word
# sequences: a word put at another place of each copy breaks every sequence that it falls into.
NEAR = 0.8
# Sentences of a template are nearly equal all in a chain, and one family that holds them could not be divided: it takes
# in what is nearly equal until it has this share of all.
LARGEST = 0.05


def families(texts: Sequence[str]) -> NDArray[np.int64]:
    """Family of each text: those of the same words, and those of nearly the same words as one of these.

    Parameters
    ----------
    texts : sequence of str, length n

    Returns
    -------
    ndarray of int, shape (n,)
        Numbers from 0, decided by the content alone: another order of the texts changes none.
    """
    forms = [" ".join(sorted(set(normal_form(text).split()))) for text in texts]
    distinct = sorted(set(forms))
    number = {form: i for i, form in enumerate(distinct)}
    of = np.array([number[form] for form in forms], dtype=np.int64)
    parent, sizes = list(range(len(distinct))), np.bincount(of, minlength=len(distinct)).tolist()

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for first, second in near_pairs(distinct, NEAR, shingle=1):
        for pair in zip(first.tolist(), second.tolist(), strict=True):
            one, other = map(root, pair)
            if one != other and sizes[one] + sizes[other] <= LARGEST * len(texts):
                parent[other] = one
                sizes[one] += sizes[other]
    roots = np.array([root(node) for node in range(len(distinct))], dtype=np.int64)
    return np.asarray(np.unique(roots, return_inverse=True)[1][of], dtype=np.int64)


def folds(families: NDArray[np.int64], strata: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Fold of each row: rows of a family share one, and each holds about as many rows of each stratum.

    Parameters
    ----------
    families : ndarray of int, shape (n,)
        From :func:`families`; numbers from 0.
    strata : ndarray of int, shape (n,)
        As labels; a family is of the one that most of its rows have.
    count : int
        How many folds.
    seed : int

    Returns
    -------
    ndarray of int, shape (n,)
        From 0 to count - 1. A stratum of at least `count` families stands in each.
    """
    strata_count = int(strata.max(initial=0)) + 1
    rows = np.zeros((int(families.max(initial=-1)) + 1, strata_count), dtype=np.int64)
    np.add.at(rows, (families, strata), 1)
    stratum, size = rows.argmax(axis=1), rows.sum(axis=1)
    filled = np.zeros((strata_count, count), dtype=np.int64)
    fold = np.zeros(len(rows), dtype=np.int64)
    for family in np.lexsort((np.random.default_rng(seed).permutation(len(rows)), -size)):
        least = int(filled[stratum[family]].argmin())
        fold[family] = least
        filled[stratum[family], least] += size[family]
    return fold[families]
