"""Safetensors files read byte by byte: a header that must fit its file, and numbers that must be numbers.

The format holds no code, but a header that lies about its file is how a reader is led astray, and NaN weights answer
everything with nothing. Nothing here builds a tensor; a file of any size takes a few megabytes of memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeGuard

import numpy as np

from audit.core.errors import AuditError
from audit.text.redaction import printable

SAFE = (".safetensors",)
LONGEST_HEADER = 100_000_000  # the format's own limit
_BLOCK = 1 << 22
_BITS = {
    **dict.fromkeys(("C64", "F64", "I64", "U64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8", "BOOL"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
# Bits, and what they are in a number that is none: all ones in the exponent, but for formats without infinity.
# Source: IEEE 754-2019, section 3.4; OCP 8-bit Floating Point Specification 1.0, table 1 (E4M3, E5M2), and OCP
# Microscaling Formats 1.0 (E8M0); FNUZ keeps negative zero's pattern for NaN.
_NO_NUMBER = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000, 0x7F80_0000),
    "C64": ("<u4", 0x7F80_0000, 0x7F80_0000),
    "F16": ("<u2", 0x7C00, 0x7C00),
    "BF16": ("<u2", 0x7F80, 0x7F80),
    "F8_E5M2": ("u1", 0x7C, 0x7C),
    "F8_E4M3": ("u1", 0x7F, 0x7F),
    "F8_E8M0": ("u1", 0xFF, 0xFF),
    "F8_E4M3FNUZ": ("u1", 0xFF, 0x80),
    "F8_E5M2FNUZ": ("u1", 0xFF, 0x80),
}


class DamagedError(AuditError):
    """A file that is not whole, or not of the format; `reason` is a clause in English, fit to be shown."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{printable(path)}: not a whole safetensors file ({reason}).")
        self.reason = reason


class Tensor(NamedTuple):
    """Where a tensor lies in its file, in bytes from the file's start."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def header(path: Path) -> dict[str, Tensor]:
    """Tensors by name, once the header fits the file to the byte.

    Source: the format's description, https://huggingface.co/docs/safetensors/index#format: eight bytes of length, a
    JSON object, then the tensors without a gap. Stricter than the usual reader in that no name may stand twice.

    Raises
    ------
    DamagedError
        If anything of that does not hold.
    """
    try:
        with path.open("rb") as file:
            return _header(file, path.stat().st_size)
    except (OSError, ValueError, RecursionError) as error:
        reason = printable(" ".join(str(error).split()), 160)
        raise DamagedError(path, reason) from None


def _header(file: BinaryIO, size: int) -> dict[str, Tensor]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > min(size - 8, LONGEST_HEADER):
        raise ValueError(f"the header is said to be {length:,} bytes long, in a file of {size:,}")
    entries = json.loads(file.read(length).decode(), object_pairs_hook=_once)
    if not isinstance(entries, dict):
        raise ValueError("the header holds no JSON object")
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("the metadata are not texts")
    begin = 8 + length
    tensors = {name: _tensor(name, entry, begin) for name, entry in entries.items()}
    at = begin
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].start):
        if tensor.start != at:
            raise ValueError(f"the bytes of tensor '{name}' do not follow on those before them")
        at = tensor.end
    if at != size:
        raise ValueError(f"the tensors end at byte {at:,}, the file at {size:,}")
    return tensors


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice in the header")
    return found


def _tensor(name: str, entry: object, begin: int) -> Tensor:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor '{name}' is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise ValueError(f"tensor '{name}' has an unknown dtype")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2:
        raise ValueError(f"shape or offsets of tensor '{name}' are no lists of counts")
    if 8 * (offsets[1] - offsets[0]) != prod(shape) * _BITS[dtype]:
        raise ValueError(f"tensor '{name}' does not have as many bytes as its shape and dtype ask for")
    return Tensor(dtype, tuple(shape), begin + offsets[0], begin + offsets[1])


def _counts(value: object) -> TypeGuard[list[int]]:
    """Whether it is a short list of sizes; numbers beyond 64 bits are none, and would be slow to multiply."""
    return isinstance(value, list) and len(value) <= 64 and all(type(n) is int and 0 <= n < 2**64 for n in value)


def not_finite(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """How many NaN or infinite values, by the name of the tensor that has any."""
    found = {}
    with path.open("rb") as file:
        for name, tensor in tensors.items():
            if tensor.dtype in _NO_NUMBER and (count := _count(file, tensor)):
                found[name] = count
    return found


def _count(file: BinaryIO, tensor: Tensor) -> int:
    kind, mask, value = _NO_NUMBER[tensor.dtype]
    count = 0
    file.seek(tensor.start)
    for at in range(tensor.start, tensor.end, _BLOCK):
        bits = np.frombuffer(file.read(min(_BLOCK, tensor.end - at)), kind)
        count += int(np.count_nonzero((bits & bits.dtype.type(mask)) == value))
    return count
