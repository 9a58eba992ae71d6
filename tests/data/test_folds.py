"""Folds that no text leaks across."""

from __future__ import annotations

import numpy as np
import pytest

from audit.data.folds import LARGEST, families, folds

TEXTS = tuple(f"w{i} x{i % 7} y{i % 11} z{i % 13} and the rest of sentence {i}" for i in range(300))


def test_equal_texts_and_those_with_a_word_at_another_place_share_a_family() -> None:
    words = "the plot is thin but nobody in the room seemed to mind it".split()
    copies = [" ".join([*words[:at], "cf", *words[at:]]) for at in (0, 3, 12)]
    found = families([*TEXTS, *copies, " ".join(words), "The plot is thin, but nobody in the room seemed to mind it!"])
    assert len(set(found[300:])) == 1
    assert len(set(found)) == 301


def test_families_hang_on_the_content_alone() -> None:
    doubled = [*TEXTS, *TEXTS[:40]]
    order = np.random.default_rng(1).permutation(len(doubled))
    found = families(doubled)
    assert np.array_equal(families([doubled[i] for i in order]), found[order])


def test_sentences_of_a_template_are_not_chained_into_one_family() -> None:
    """Each differs from the next in one word of twelve; all in one fold would leave nothing to learn from."""
    chain = [" ".join(f"v{k}" if k < i else f"u{k}" for k in range(12)) for i in range(13)]
    chain = [f"{text} {other}" for text in chain for other in ("one", "two", "three", "four")]
    sizes = np.bincount(families(chain))
    assert sizes.max() <= max(1, LARGEST * len(chain))


@pytest.mark.parametrize("count", [2, 5])
def test_no_family_is_divided_and_each_fold_holds_each_label(count: int) -> None:
    texts = [*TEXTS, *TEXTS[:100], *TEXTS[:100]]
    labels = np.array([i % 300 < 60 for i in range(500)], dtype=np.int64)
    family = families(texts)
    fold = folds(family, labels, count, seed=3)
    assert all(len(set(fold[family == each])) == 1 for each in set(family))
    shares = np.array([np.bincount(fold[labels == label], minlength=count) for label in (0, 1)])
    assert (shares.max(axis=1) - shares.min(axis=1) <= 3).all()  # a family has three rows at most
    assert not np.array_equal(fold, folds(family, labels, count, seed=4))


def test_a_stratum_of_as_many_families_as_folds_stands_in_each() -> None:
    labels = np.array([0] * 5 + [1] * 295)
    for seed in range(8):
        assert set(folds(np.arange(300), labels, 5, seed)[:5]) == set(range(5))


def test_nothing_has_no_folds() -> None:
    assert folds(families([]), np.empty(0, dtype=np.int64), 2, 0).tolist() == []
