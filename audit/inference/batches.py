"""Texts as token numbers, in batches of like length that a machine works through fast.

Which answer a batch gets is none of its business, but that it is the same as each text would get alone is.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Entry
from audit.core.errors import AuditError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

Rows = NDArray[np.int64]
S = TypeVar("S")
T = TypeVar("T")

# Tokens in a batch, padding included. Small batches stay in a processor's cache; a GPU wants work for all its units.
TOKENS = {"cpu": 2048, "cuda": 65_536, "mps": 16_384}
# What is tried beside that in a calibration.
CANDIDATES = {
    "cpu": (512, 1024, 2048, 4096),
    "cuda": (16_384, 32_768, 65_536, 131_072),
    "mps": (4096, 8192, 16_384, 32_768),
}
# Each candidate is timed so often, in turn, and its best time counts: a busy machine slows down some, hardly all.
ROUNDS = 3
# A candidate must be faster than the usual budget by so much, or it may be the machine's mood.
GAIN = 0.05
# Share of a run that a calibration may take; a run for which it would take more goes without.
CALIBRATION_SHARE = 0.02
# How far answers to a text alone and in a batch may lie apart, in parts of the largest one or of 1.
TOLERANCE = {"float32": 1e-5, "bfloat16": 5e-2, "float16": 5e-3}


@dataclass(frozen=True)
class Encodings:
    """All that enters the network of some texts, but for padding and its mask.

    Parameters
    ----------
    columns : mapping
        ``input_ids``, and ``token_type_ids`` where the network needs them: a sequence of int for each text.
    """

    columns: Mapping[str, Sequence[Sequence[int]]]

    def __len__(self) -> int:
        return len(self.columns["input_ids"])

    @cached_property
    def lengths(self) -> Rows:
        """Tokens of each text, shape (n,)."""
        return np.array([len(ids) for ids in self.columns["input_ids"]], dtype=np.int64)

    @cached_property
    def digests(self) -> list[bytes]:
        """16 bytes for each text: the same for texts that no network could tell apart.

        Their hashes begin with a byte that no UTF-8 holds, so that no text has a hash of the same bytes.
        """
        hashes = [hashlib.sha256(b"\xff") for _ in range(len(self))]
        for name, rows in self.columns.items():
            for digest, numbers in zip(hashes, rows, strict=True):
                digest.update(name.encode() + b"\0" + np.asarray(numbers, dtype="<i8").tobytes())
        return [digest.digest()[:16] for digest in hashes]

    def take(self, rows: Iterable[int]) -> Encodings:
        """Those of some of the texts."""
        rows = list(rows)
        return Encodings({name: [values[i] for i in rows] for name, values in self.columns.items()})

    @classmethod
    def joined(cls, pieces: Iterable[Encodings]) -> Encodings:
        """Those of one or more pieces, one after the other."""
        first, *rest = pieces
        columns = {name: [*rows] for name, rows in first.columns.items()}
        for piece in rest:
            for name, rows in piece.columns.items():
                columns[name] += rows
        return cls(columns)


class Calibration(Entry):
    """How large batches should be."""

    tokens: int  # the budget
    seconds: dict[str, list[float]]  # of a token, by candidate
    texts: int  # how many were run


class Batches:
    """Forms batches and has them worked through.

    Parameters
    ----------
    kind : str
        ``cpu``, ``cuda`` or ``mps``.
    dtype : str
        The network's, which says how far its answers may lie apart.
    alone : bool
        Whether each text has a batch of its own.
    checked : bool
        Whether it is checked that padding changes no answer; in vain where answers depend on the batch anyway.
    """

    def __init__(self, kind: str, dtype: str = "float32", *, alone: bool = False, checked: bool = True) -> None:
        self.tokens = TOKENS[kind]
        self._kind, self._tolerance, self.alone = kind, TOLERANCE[dtype], alone
        # Whether texts of several lengths may share a batch; None: not known yet.
        self._mixed: bool | None = None if checked else True

    def run(self, lengths: Rows, work: Callable[[Rows], torch.Tensor]) -> Iterator[tuple[Rows, torch.Tensor]]:
        """What a function makes of each batch, longest texts first so that memory runs out at once or never.

        Parameters
        ----------
        lengths : ndarray of int, shape (n,)
            Tokens of each text.
        work : callable
            Takes row indices; gives a tensor with a row for each.

        Yields
        ------
        rows : ndarray of int
        made : tensor

        Raises
        ------
        AuditError
            If the device's memory does not hold a single text.

        Notes
        -----
        Not every network answers to a padded text as to the text alone: some ignore the mask, some count positions from
        the first padding token. So the first batch of several lengths is checked on the text with the most padding; if
        its answer differs, no text of this network is ever padded.
        """
        import torch

        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            rows = self._next(order[start:], lengths)
            made = None
            # What the error's frames hold is only free once it is dealt with, so it is before another try.
            with suppress(torch.OutOfMemoryError):
                made = work(rows)
            if made is None:
                self._halve(len(rows), int(lengths[rows[0]]))
                continue
            if self._mixed is None and lengths[rows[0]] != lengths[rows[-1]]:
                self._mixed = self._alike(made[-1:], work(rows[-1:]))
                if not self._mixed:
                    continue
            yield rows, made
            start += len(rows)

    def calibrate(self, lengths: Rows, work: Callable[[Rows], torch.Tensor]) -> Calibration:
        """Seconds a token by size of batch, on texts of medium length, and the budget that they speak for.

        Parameters
        ----------
        lengths, work
            As for :meth:`run`.

        Returns
        -------
        Calibration
        """
        import torch

        order = np.argsort(-lengths, kind="stable")
        seconds: dict[int, list[float]] = {}
        texts = 0
        for _ in range(ROUNDS):
            for tokens in CANDIDATES[self._kind]:
                size = max(1, tokens // max(int(np.median(lengths)), 1))
                rows = order[max(0, (len(order) - size) // 2) :][:size]
                started = time.perf_counter()
                try:
                    work(rows).cpu()
                except torch.OutOfMemoryError:
                    break
                seconds.setdefault(tokens, []).append((time.perf_counter() - started) / int(lengths[rows].sum()))
                texts += len(rows)
        best = {tokens: min(taken) for tokens, taken in seconds.items()}
        fastest = min(best, key=lambda tokens: best[tokens], default=self.tokens)
        usual = best.get(self.tokens, np.inf)
        chosen = fastest if best and best[fastest] < (1 - GAIN) * usual else self.tokens
        return {"tokens": chosen, "seconds": {str(tokens): taken for tokens, taken in seconds.items()}, "texts": texts}

    def _next(self, order: Rows, lengths: Rows) -> Rows:
        """The rows of the next batch, from those that are left, longest first."""
        if self.alone:
            return order[:1]
        longest = int(lengths[order[0]])
        rows = order[: max(1, self.tokens // max(longest, 1))]
        return rows[lengths[rows] == longest] if self._mixed is False else rows

    def _halve(self, texts: int, longest: int) -> None:
        if texts == 1:
            raise AuditError(
                f"the memory of the device does not hold the model and one text of {longest} tokens; free some, "
                f"lower [model] max_length, or choose --audit-device cpu."
            )
        self.tokens = texts * longest // 2
        if self._kind == "cuda":
            import torch

            torch.cuda.empty_cache()

    def _alike(self, batched: torch.Tensor, alone: torch.Tensor) -> bool:
        """Whether two answers are the same but for rounding."""
        return bool((batched - alone).abs().max() <= self._tolerance * max(1.0, float(alone.abs().max())))


def calibration_tokens(kind: str) -> int:
    """Tokens that a run must have for a calibration to be worth it."""
    return int(ROUNDS * sum(CANDIDATES[kind]) / CALIBRATION_SHARE)


def inputs(
    columns: Mapping[str, Sequence[Sequence[int]]], padding: Mapping[str, int], side: str, device: str
) -> dict[str, torch.Tensor]:
    """Tensors of one batch on the device, no wider than its longest text; a mask only where there is padding.

    Parameters
    ----------
    columns : mapping
        ``input_ids``, and ``token_type_ids`` where the network needs them: a sequence of int for each text.
    padding : mapping
        The number that fills up each column.
    side : str
        Where padding stands: ``left`` or ``right``.
    device : str

    Returns
    -------
    dict of tensor of int, shape (batch, tokens)
        What the network takes; without a mask attention is faster.
    """
    import torch

    lengths = np.array([len(ids) for ids in columns["input_ids"]], dtype=np.int64)
    width = int(lengths.max())
    places = np.arange(width)
    real = places >= width - lengths[:, None] if side == "left" else places < lengths[:, None]  # (batch, tokens)
    arrays = {}
    for name, rows in columns.items():
        arrays[name] = np.full(real.shape, padding[name], dtype=np.int64)
        arrays[name][real] = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=int(lengths.sum()))
    if not real.all():
        arrays["attention_mask"] = real.astype(np.int64)
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if device.startswith("cuda"):
        return {name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in tensors.items()}
    return {name: tensor.to(device) for name, tensor in tensors.items()}


def filler(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """What fills up shorter texts; any number will do where there is no padding token, since all are masked."""
    return {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}


def one_behind(results: Iterable[T]) -> Iterator[T]:
    """Each result once the next one is under way, so that a GPU need not wait until its results are fetched."""
    waiting: list[T] = []
    for result in results:
        yield from waiting
        waiting = [result]
    yield from waiting


def ahead(work: Callable[[S], T], values: Iterable[S]) -> Iterator[T]:
    """What a function makes of each value, made in a thread while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        for made in one_behind(thread.submit(work, value) for value in values):
            yield made.result()


def windows(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many values in turn; the last may be shorter."""
    window: list[T] = []
    for value in values:
        window.append(value)
        if len(window) == size:
            yield window
            window = []
    if window:
        yield window
