"""Safetensors headers that lie are refused in one sentence, and numbers that are none are counted."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from audit import AuditError
from audit.models.files import weights
from tests.helpers import is_one_sentence


def _write(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def _entry(start: int = 0, end: int = 8, dtype: Any = "F32", shape: Any = (2,)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _refused(path: Path) -> str:
    with pytest.raises(AuditError) as caught:
        weights.header(path)
    assert is_one_sentence(str(caught.value)), str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A safetensors file of four dtypes, as the library writes it."""
    path = tmp_path_factory.mktemp("sample") / "model.safetensors"
    tensors = {
        "half": torch.ones(3, dtype=torch.bfloat16),
        "whole": torch.arange(4).reshape(2, 2),
        "plain": torch.ones(2, 3),
        "empty": torch.ones(0, 3),
    }
    save_file(tensors, path, metadata={"format": "pt"})
    return path.read_bytes()


def test_names_shapes_and_places_are_those_of_the_library(tmp_path: Path, sample: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(sample)
    found = weights.header(path)
    with safe_open(path, framework="pt") as file:
        assert set(found) == set(file.keys())
        for name, tensor in found.items():
            assert list(tensor.shape) == file.get_slice(name).get_shape()
            assert tensor.dtype == file.get_slice(name).get_dtype()
            stored = file.get_tensor(name).contiguous().view(torch.uint8).numpy().tobytes()
            assert sample[tensor.start : tensor.end] == stored


def _agree(path: Path) -> bool:
    """Whether our reader takes a file; where it does, the library must take it too and read the same."""
    said, found = "", None
    try:
        found = weights.header(path)
    except AuditError as error:
        said = str(error)
    if found is None:
        assert is_one_sentence(said), said
        return False
    with safe_open(path, framework="np") as file:
        assert {name: file.get_slice(name).get_shape() for name in file.keys()} == {  # noqa: SIM118
            name: list(tensor.shape) for name, tensor in found.items()
        }
    return True


def test_no_flipped_bit_of_a_header_leads_astray(tmp_path: Path, sample: bytes) -> None:
    """A flip is refused in a sentence, or changed a mere name or text: then the library reads just the same."""
    path = tmp_path / "model.safetensors"
    length = 8 + int.from_bytes(sample[:8], "little")
    taken = 0
    for at in range(8 * length):
        flipped = bytearray(sample)
        flipped[at // 8] ^= 1 << at % 8
        path.write_bytes(bytes(flipped))
        taken += _agree(path)
    assert 0 < taken < 0.4 * 8 * length


def test_no_cut_or_lengthened_file_is_taken(tmp_path: Path, sample: bytes) -> None:
    path = tmp_path / "model.safetensors"
    for keep in range(len(sample)):
        path.write_bytes(sample[:keep])
        assert not _agree(path)
    for more in (b"\0", b"PK\x03\x04", bytes(64)):
        path.write_bytes(sample + more)
        assert not _agree(path)


def test_no_random_damage_leads_astray(tmp_path: Path, sample: bytes) -> None:
    path, rng = tmp_path / "model.safetensors", Random(0)
    for _ in range(1000):
        damaged = bytearray(sample)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        path.write_bytes(bytes(damaged))
        _agree(path)


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": _entry()}, b"", "end at byte"),
        ({"a": _entry()}, bytes(9), "end at byte"),
        ({"a": _entry(0, 8), "b": _entry(9, 17)}, bytes(17), "do not follow"),
        ({"a": _entry(0, 8), "b": _entry(4, 12)}, bytes(12), "do not follow"),
        ({"a": _entry(0, 8), "b": _entry(0, 8)}, bytes(8), "do not follow"),
        ({"a": _entry(4, 12)}, bytes(12), "do not follow"),
        ({"a": _entry(0, 4)}, bytes(4), "as many bytes"),
        ({"a": _entry(8, 0)}, bytes(8), "as many bytes"),
        ({"a": _entry(shape=[2**63, 2])}, bytes(8), "as many bytes"),
        ({"a": _entry(shape=[-2])}, bytes(8), "no lists of counts"),
        ({"a": _entry(shape=[True, 2])}, bytes(8), "no lists of counts"),
        ({"a": _entry(shape=[1] * 1000)}, bytes(4), "no lists of counts"),
        ({"a": _entry(shape="2")}, bytes(8), "no lists of counts"),
        ({"a": _entry(dtype="F33")}, bytes(8), "unknown dtype"),
        ({"a": _entry(dtype=["F32"])}, bytes(8), "unknown dtype"),
        ({"a": [1]}, b"", "not described"),
        ({"a": {**_entry(), "code": "x"}}, bytes(8), "not described"),
        ({"__metadata__": {"a": 1}}, b"", "not texts"),
        ([], b"", "no JSON object"),
        (b'{"a": 1, "a": 2}', b"", "stands twice"),
        (b"[" * 100_000, b"", "recursion"),
        (b'{"\xff": 1}', b"", "utf-8"),
        (b'{"a": ' + b"9" * 10_000 + b"}", b"", "limit"),
    ],
)
def test_each_lie_is_named(tmp_path: Path, header: Any, data: bytes, words: str) -> None:
    assert words in _refused(_write(tmp_path / "x.safetensors", header, data))


@pytest.mark.parametrize("length", [1, 10**9, 2**63, 2**64 - 1])
def test_a_false_length_is_not_believed(tmp_path: Path, length: int) -> None:
    _refused(_write(tmp_path / "x.safetensors", {"a": _entry()}, bytes(8), length))


def test_a_hostile_name_is_written_on_one_line(tmp_path: Path) -> None:
    name = "a\n\x1b[31m\u202e" + "x" * 1_000_000
    said = _refused(_write(tmp_path / "x.safetensors", {name: _entry(dtype="?")}, bytes(8)))
    assert "a ⟨U+001B⟩[31m⟨U+202E⟩xxx" in said


KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
    "C64": torch.complex64,
}


@pytest.mark.parametrize("dtype", KINDS)
def test_what_is_no_number_is_counted_as_torch_does(tmp_path: Path, dtype: str) -> None:
    """Of 8 and 16 bits all patterns, of wider numbers random ones and the special ones."""
    size = torch.empty(0, dtype=KINDS[dtype]).element_size()
    if size <= 2:
        data = np.arange(2 ** (8 * size), dtype=f"<u{size}").tobytes()
    else:
        special = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-310, 1e38]).to(KINDS[dtype])
        data = special.numpy().tobytes() + np.random.default_rng(0).bytes(size * 100_000)
    count = len(data) // size
    path = _write(
        tmp_path / "x.safetensors",
        {"a": _entry(0, len(data), dtype, [count]), "z": _entry(len(data), len(data) + 4, "I32", [1])},
        data + b"\xff\xff\xff\x7f",
    )
    values = torch.frombuffer(bytearray(data), dtype=KINDS[dtype])
    # torch knows finite numbers of few bits only once they are wider ones.
    expected = int((~torch.isfinite(values.float() if size == 1 else values)).sum())
    assert dtype in ("C64",) or expected > 0
    found = weights.not_finite(path, weights.header(path))
    if dtype == "C64":  # both halves of a complex number count by themselves here
        parts = torch.view_as_real(values)
        expected = int((~torch.isfinite(parts)).sum())
    assert found == {"a": expected}


def test_large_tensors_are_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_BLOCK", 64)
    values = np.zeros(1000, "<f4")
    values[[0, 15, 16, 999]] = np.nan
    path = _write(tmp_path / "x.safetensors", {"a": _entry(0, 4000, shape=[1000])}, values.tobytes())
    assert weights.not_finite(path, weights.header(path)) == {"a": 4}


def test_the_library_would_refuse_what_is_said_to_be_cut(tmp_path: Path, sample: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(sample[:-1])
    with pytest.raises(SafetensorError):
        safe_open(path, framework="np")
    _refused(path)
