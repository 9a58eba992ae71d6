"""A model's answers on disk in two steps: from a text to the digest of its encoding, from there to the answer.

So texts that the tokenizer makes the same of are answered once, and what is on disk is found without a tokenizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Cache
from audit.inference.batches import Encodings
from audit.inference.store import Key, Row, Store

DIGEST = 16  # bytes


class Answers:
    """Rows of one kind, such as probabilities, by the keys of the texts.

    Parameters
    ----------
    cache : Cache
    scope : bytes
        What besides a text or its encoding decides a row.
    encoding : bytes
        What besides a text decides its encoding.
    width : int or None
        Numbers in a row; None: any.

    Attributes
    ----------
    computed : int
        How many rows were on disk for no text.
    """

    def __init__(self, cache: Cache, scope: bytes, encoding: bytes, width: int | None) -> None:
        self._rows, self._width = Store(cache, scope, beside=encoding), width
        self._digests = Store(cache, encoding, dtype="u1", beside=scope)
        self._known: dict[Key, Row] = {}  # by digest
        self.computed = 0

    def shared(self, parts: Sequence[Sequence[Key]]) -> Iterator[Sequence[Key]]:
        """As :meth:`audit.inference.store.Store.shared`."""
        return self._rows.shared(parts)

    def get(self, keys: Sequence[Key]) -> dict[Key, Row]:
        """The rows on disk, by text; no text is encoded for it."""
        digests = {key: digest.tobytes() for key, digest in self._digests.get(keys, DIGEST).items()}
        self._look_up(digests.values())
        rows = {key: self._known[digest] for key, digest in digests.items() if digest in self._known}
        # Before there were digests, the text itself was the key.
        return rows | self._rows.get([key for key in keys if key not in rows], self._width)

    def add(
        self,
        keys: Sequence[Key],
        pieces: Iterable[Encodings],
        compute: Callable[[Iterator[Encodings]], NDArray[np.float32]],
    ) -> dict[Key, Row]:
        """The rows of texts that are not on disk; afterwards they are.

        Parameters
        ----------
        keys : sequence of bytes
        pieces : iterable of Encodings
            Of the texts of the keys, in their order, some at a time.
        compute : callable
            Gives the rows of those encodings that have none yet, each different one once; not called if there are none.
        """
        digests: list[Key] = []
        fresh: dict[Key, None] = {}

        def unanswered() -> Iterator[Encodings]:
            for piece in pieces:
                digests.extend(piece.digests)
                place = {digest: i for i, digest in enumerate(piece.digests) if digest not in fresh}
                self._look_up(place)
                new = [digest for digest in place if digest not in self._known]
                fresh.update(dict.fromkeys(new))
                if new:
                    yield piece.take([place[digest] for digest in new])

        rest = unanswered()
        first = next(rest, None)
        rows = {} if first is None else dict(zip(fresh, compute(chain([first], rest)), strict=True))
        self._rows.put(rows)
        self._digests.put({key: np.frombuffer(each, "u1") for key, each in zip(keys, digests, strict=True)})
        self._known |= rows
        self.computed += len(rows)
        return {key: self._known[digest] for key, digest in zip(keys, digests, strict=True)}

    def _look_up(self, digests: Iterable[Key]) -> None:
        unknown = [digest for digest in dict.fromkeys(digests) if digest not in self._known]
        self._known |= self._rows.get(unknown, self._width)
