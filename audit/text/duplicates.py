"""Which texts say the same: alike but for case, space, punctuation and HTML, or nearly alike in their words.

The search for near duplicates is exact, not MinHash: a census that misses pairs by chance would be none. Two sets whose
Jaccard similarity reaches a threshold share one of a few rarest elements each, so only texts that do are compared.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy import sparse

Array = NDArray[np.int64]

# Words in a shingle. Longer ones would make one changed word weigh more in a short text, shorter ones lose the order.
SHINGLE = 3
# Words from which equal texts are copies: many people write "@united thank you", each by himself.
TELLING = 6
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][^<>]*>", re.DOTALL)
# Entries that are compared at a time; bounds the memory.
_BLOCK = 4_000_000


class _Separators(dict[int, str | int]):
    """For ``str.translate``: punctuation, space and signs become a space; letters, digits and emoji stay."""

    def __missing__(self, code: int) -> str | int:
        category = unicodedata.category(chr(code))
        self[code] = " " if category[0] in "PZC" or category in ("Sc", "Sk", "Sm") else code
        return self[code]


_SEPARATORS = _Separators()


def normal_form(text: str) -> str:
    """The text without HTML, case, punctuation and repeated space; of a text that is nothing else, the text itself."""
    plain = _TAG.sub(" ", html.unescape(text))
    words = unicodedata.normalize("NFKC", plain).casefold().translate(_SEPARATORS).split()
    return " ".join(words) or "".join(text.split())


def near_pairs(texts: Sequence[str], threshold: float, shingle: int = SHINGLE) -> Iterator[tuple[Array, Array]]:
    """All pairs of texts whose sets of word shingles have at least this Jaccard similarity.

    Parameters
    ----------
    texts : sequence of str
        In normal form. A text of fewer words than a shingle has is one shingle.
    threshold : float
        In (0, 1].
    shingle : int
        Words in a shingle.

    Yields
    ------
    pair of ndarray of int
        Indices of the earlier and of the later text of each pair, a block of pairs at a time.

    Notes
    -----
    Source: Bayardo, Ma and Srikant, "Scaling up all pairs similarity search", WWW 2007, for the prefix filter; the
    similarity of each candidate is then computed from the whole sets.
    """
    whole, sizes = _shared_shingles(*_shingles(texts, shingle), len(texts))
    prefixes = _prefixes(whole, sizes, threshold)
    transposed = prefixes.T.tocsr()
    reach = prefixes @ np.diff(transposed.indptr)
    for start, end in _blocks(np.asarray(reach, dtype=np.int64)):
        near = (prefixes[start:end] @ transposed).tocoo()
        first, second = near.coords[0].astype(np.int64) + start, near.coords[1].astype(np.int64)
        small, large = np.minimum(sizes[first], sizes[second]), np.maximum(sizes[first], sizes[second])
        similar = (first < second) & (small >= threshold * large - 1e-9)
        yield from _verified(first[similar], second[similar], whole, sizes, threshold)


def families(texts: Sequence[str], threshold: float) -> Array:
    """Family of each text: those that say nearly the same, and those that say nearly the same as one of these.

    Parameters
    ----------
    texts : sequence of str, length n
        As they were written.
    threshold : float
        Jaccard similarity of word shingles, in (0, 1], from which two texts are near duplicates.

    Returns
    -------
    ndarray of int, shape (n,)
        A number for each family; texts of fewer than `TELLING` words are each a family of their own.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    forms = [normal_form(text) for text in texts]
    telling = [i for i, form in enumerate(forms) if form.count(" ") >= TELLING - 1]
    number = {form: i for i, form in enumerate(dict.fromkeys(forms[i] for i in telling))}
    pairs = [np.empty((2, 0), np.int64), *map(np.stack, near_pairs(list(number), threshold))]
    first, second = np.concatenate(pairs, axis=1)
    graph = sparse.coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(number), len(number)))
    _, family = connected_components(graph, directed=False)
    found = len(number) + np.arange(len(texts))
    found[telling] = family[[number[forms[i]] for i in telling]]
    return found


def _shingles(texts: Sequence[str], width: int) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """Each shingle's 64-bit hash and the text that it stands in; both of shape (shingles,)."""
    numbers: defaultdict[str, int] = defaultdict(count(1).__next__)
    lengths = np.empty(len(texts), dtype=np.int64)
    codes = array("i")
    for i, text in enumerate(texts):
        # Texts shorter than a shingle are padded with 0, which is no word's number.
        words = text.split()
        codes.extend(map(numbers.__getitem__, words))
        codes.extend([0] * (width - len(words)))
        lengths[i] = max(len(words), width)
    words_of = np.frombuffer(codes, dtype=np.int32) if codes else np.empty(0, np.int32)
    text_of = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
    starts = max(0, len(words_of) - width + 1)
    hashes = np.zeros(starts, dtype=np.uint64)
    for shift in range(width):
        hashes = _mixed(hashes + words_of[shift : shift + starts].astype(np.uint64))
    inside = text_of[:starts] == text_of[len(text_of) - starts :]
    return hashes[inside], text_of[:starts][inside]


def _mixed(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each value spread over all 64 bits, one to one.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64). Among ten
    million shingles, two share a hash with a chance of 3 in a million.
    """
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    value ^= value >> np.uint64(31)
    return value


def _shared_shingles(
    hashes: NDArray[np.uint64], text_of: NDArray[np.int32], count: int
) -> tuple[sparse.csr_array, Array]:
    """Which text holds which of the shingles that stand in more than one, the rarest first; and all sets' sizes.

    What stands in one text only is shared with none, so it counts for the size alone.
    """
    from scipy import sparse

    order = np.argsort(hashes, kind="stable")
    hashes, text_of = hashes[order], text_of[order]
    del order
    begins = np.r_[True, hashes[1:] != hashes[:-1]][: len(hashes)]
    once = begins | np.r_[True, text_of[1:] != text_of[:-1]][: len(hashes)]
    begins, text_of = begins[once], text_of[once]
    sizes = np.bincount(text_of, minlength=count)
    frequency = np.diff(np.r_[np.flatnonzero(begins), len(begins)])
    shared = np.flatnonzero(frequency > 1)
    rarity = np.empty(len(frequency), dtype=np.int32)
    rarity[shared[np.argsort(frequency[shared], kind="stable")]] = np.arange(len(shared), dtype=np.int32)
    in_several = np.repeat(frequency > 1, frequency)
    columns, rows = np.repeat(rarity, frequency)[in_several], text_of[in_several]
    whole = sparse.csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(count, len(shared)))
    return whole, sizes


def _prefixes(whole: sparse.csr_array, sizes: Array, threshold: float) -> sparse.csr_array:
    """The rarest elements of each set, of which two that are near share at least one."""
    from scipy import sparse

    whole.sort_indices()
    lengths = np.diff(whole.indptr)
    longest = sizes - np.ceil(threshold * sizes - 1e-9).astype(np.int64) + 1
    # The unshared ones are the rarest of all and stand in the prefix first.
    length = np.clip(longest - (sizes - lengths), 0, lengths)
    place = np.arange(whole.nnz) - np.repeat(whole.indptr[:-1], lengths)
    chosen = place < np.repeat(length, lengths)
    pointers = np.concatenate([[0], np.cumsum(length)])
    return sparse.csr_array((whole.data[chosen], whole.indices[chosen], pointers), shape=whole.shape)


def _blocks(weights: Array) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose weights together are about a block's, or single rows that weigh more."""
    ends = np.flatnonzero(np.diff(np.cumsum(weights) // _BLOCK)) + 1
    return pairwise([0, *ends.tolist(), len(weights)])


def _verified(
    first: Array, second: Array, whole: sparse.csr_array, sizes: Array, threshold: float
) -> Iterator[tuple[Array, Array]]:
    if not len(first):
        return
    step = max(1, math.floor(_BLOCK / max(1.0, float(np.diff(whole.indptr)[first].mean()))))
    for at in range(0, len(first), step):
        one, other = first[at : at + step], second[at : at + step]
        common = np.asarray(whole[one].multiply(whole[other]).sum(axis=1)).ravel()
        similar = common / (sizes[one] + sizes[other] - common) >= threshold
        yield one[similar], other[similar]
