"""Pickles are found by what they are, wherever they hide, and no test of it ever lets one run."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import joblib
import numpy as np
import pytest
import torch

from audit.models.files import pickles
from audit.models.files.pickles import Found, find
from tests.helpers import Bomb


@pytest.fixture
def bomb(tmp_path: Path) -> Bomb:
    """Creates a file if it is ever unpickled; the fixture's end looks whether it was."""
    return Bomb(tmp_path / "executed")


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path) -> object:
    """After each test: nothing was unpickled."""
    yield
    assert not (tmp_path / "executed").exists()


def _zip(*entries: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, content in entries:  # without the time, for some of this names a test
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return stream.getvalue()


def _tar(*entries: tuple[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def _torch(value: object, old: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, _use_new_zipfile_serialization=not old)
    return stream.getvalue()


def _numpy(value: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([value, None], dtype=object), allow_pickle=True)
    return stream.getvalue()


def _joblib(value: object, how: str) -> bytes:
    stream = io.BytesIO()
    joblib.dump(value, stream, compress=(how, 3))
    return stream.getvalue()


def _look(tmp_path: Path, content: bytes, name: str = "file.dat") -> list[Found]:
    path = tmp_path / name
    path.write_bytes(content)
    return find(path)


HIDINGS: dict[str, Callable[[Bomb], bytes]] = {
    **{f"protocol {n}": lambda bomb, n=n: pickle.dumps(bomb, n) for n in range(6)},  # type: ignore[misc]
    "without its first instruction": lambda bomb: pickle.dumps(bomb, 2)[2:],
    "without its end": lambda bomb: pickle.dumps(bomb)[:-1],
    "behind harmless data": lambda bomb: pickle.dumps([1.5] * 1000, 2) + pickle.dumps(bomb),
    "in a list": lambda bomb: pickle.dumps({"state": [bomb]}),
    "before rubbish": lambda bomb: pickle.dumps(bomb)[:-1] + b"\xff\xfe rubbish",
    "torch": lambda bomb: _torch({"weight": torch.ones(3), "x": bomb}),
    "torch, old": lambda bomb: _torch({"weight": torch.ones(3), "x": bomb}, old=True),
    "numpy": _numpy,
    "numpy in a zip": lambda bomb: _zip(("array.npy", _numpy(bomb))),
    "zip": lambda bomb: _zip(("data.pkl", pickle.dumps(bomb))),
    "zip, another suffix": lambda bomb: _zip(("notes.txt", pickle.dumps(bomb))),
    "zip, stored": lambda bomb: _zip(("data.pkl", pickle.dumps(bomb)), how=zipfile.ZIP_STORED),
    "zip in a zip": lambda bomb: _zip(("inner.zip", _zip(("a/b", pickle.dumps(bomb))))),
    "zip in a tar": lambda bomb: _tar(("inner.zip", _zip(("a", pickle.dumps(bomb))))),
    "tar": lambda bomb: _tar(("a/b", pickle.dumps(bomb))),
    "tar, compressed": lambda bomb: _tar(("a", pickle.dumps(bomb)), mode="w:gz"),
    "tar in a zip": lambda bomb: _zip(("x", _tar(("a", pickle.dumps(bomb))))),
    "zip behind something else": lambda bomb: b"harmless text\n" * 50 + _zip(("data.pkl", pickle.dumps(bomb))),
    "pickle before a zip": lambda bomb: pickle.dumps(bomb) + _zip(("harmless", b"text")),
    "zip with a false checksum": lambda bomb: _zip(("a", pickle.dumps(bomb, 0)), how=zipfile.ZIP_STORED).replace(
        zlib.crc32(pickle.dumps(bomb, 0)).to_bytes(4, "little"), b"\0\0\0\0"
    ),
    "gzip": lambda bomb: gzip.compress(pickle.dumps(bomb), mtime=0),
    "gzip in two members": lambda bomb: (
        gzip.compress(pickle.dumps(bomb)[:9], mtime=0) + gzip.compress(pickle.dumps(bomb)[9:])
    ),
    "gzip, damaged end": lambda bomb: gzip.compress(pickle.dumps(bomb), mtime=0)[:-6],
    "bzip2": lambda bomb: bz2.compress(pickle.dumps(bomb)),
    "xz": lambda bomb: lzma.compress(pickle.dumps(bomb)),
    **{f"joblib, {how}": lambda bomb, how=how: _joblib(bomb, how) for how in ("zlib", "gzip", "bz2", "lzma", "xz")},  # type: ignore[misc]
}


@pytest.mark.parametrize("hiding", HIDINGS)
def test_a_pickle_is_found_and_what_it_calls_is_named(tmp_path: Path, bomb: Bomb, hiding: str) -> None:
    found = _look(tmp_path, HIDINGS[hiding](bomb))
    named = [each for each in found if each.dangerous]  # two where a zip in a tar is read from either end
    assert {each.dangerous for each in named} == {(f"{os.open.__module__}.open",)}
    assert all("can run code when loaded; the scanner names: " in each.problem for each in named)


def test_a_pickle_would_run(tmp_path: Path) -> None:
    """The bomb of these tests is a real one."""
    target = tmp_path / "gone off"
    os.close(pickle.loads(pickle.dumps(Bomb(target))))  # noqa: S301
    assert target.exists()


def test_that_the_scanner_names_nothing_is_no_acquittal(tmp_path: Path) -> None:
    """``io.open`` is on no list of picklescan 1.0.5, and creates a file as well as ``os.open``."""
    (found,) = _look(tmp_path, pickle.dumps(Bomb(tmp_path / "executed", io.open, "w")))
    assert found.dangerous == ()
    assert "can run code when loaded; the scanner names nothing, which proves nothing" in found.problem
    assert "asks for: io.open" in found.problem
    assert "safe" not in found.problem


def test_tensors_in_a_pickle_count_as_well(tmp_path: Path) -> None:
    (found,) = _look(tmp_path, _torch({"weight": torch.ones(3)}))
    assert found.inside == "archive/data.pkl"
    assert (found.dangerous, found.scanned) == ((), True)
    assert found.problem == "can run code when loaded; the scanner names nothing, which proves nothing"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"c",
        b"cat\nthe\nbe\n",  # the letters of instructions: ask for at.the, then give it something
        b"cat\nthe\nRun\n",
        b"(to be\nor not\n",
        b"Notes.\n\nNothing here (see above) to be run.",
        b"config of the model\nbert\n.\n",
        b"x^2 + y^2 = z^2",
        b"BZh is how a compressed file begins",
        b"\x80\x02 and then a text",
        b'{"a": [1, 2, 3]}',
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        bytes(4096),
        np.linspace(-1, 1, 5000, dtype=np.float32).tobytes(),
        _zip(("readme.txt", b"text"), ("data/0", np.ones(100).tobytes())),
        _tar(("readme.txt", b"text")),
        gzip.compress(b"a text", mtime=0),
    ],
)
def test_what_is_no_pickle_is_not_called_one(tmp_path: Path, content: bytes) -> None:
    assert _look(tmp_path, content) == []


def test_arrays_of_numbers_are_no_pickle(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, a=np.ones(3), b=np.array(["x"]))
    assert _look(tmp_path, stream.getvalue()) == []


def test_random_bytes_are_no_pickle_and_break_nothing(tmp_path: Path) -> None:
    rng = Random(0)
    heads = [b"", b"\x80\x04", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"x\x9c"]
    for i in range(800):
        head = heads[i % len(heads)]
        found = _look(tmp_path, head + rng.randbytes(rng.randint(0, 300)))
        assert not any(each.dangerous for each in found)
        if head in (b"", b"x\x9c"):
            assert found == []


def test_damaged_archives_break_nothing(tmp_path: Path, bomb: Bomb) -> None:
    rng = Random(0)
    whole = [
        _zip(("a/data.pkl", pickle.dumps(bomb)), ("b", b"text" * 50)),
        _tar(("a", pickle.dumps(bomb))),
        _numpy(bomb),
    ]
    whole += [pickle.dumps({"a": [bomb] * 3, "b": "x" * 100}), _joblib(bomb, "zlib")]
    for i in range(600):
        damaged = bytearray(whole[i % len(whole)])
        for _ in range(rng.randint(1, 5)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        for each in _look(tmp_path, bytes(damaged[: rng.randint(1, len(damaged))])):
            assert each.problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"7z\xbc\xaf\x27\x1c" + bytes(50), "7z"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(50), "RAR"),
        (b"\x28\xb5\x2f\xfd" + bytes(50), "Zstandard"),
        (b"\x04\x22\x4d\x18" + bytes(50), "LZ4"),
        (b"PK\x03\x04" + bytes(50), "cannot be looked into"),
        (_zip(("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(50))), "7z"),
        (_zip(("../../a", b"text")), "writes outside"),
        (_zip(("/etc/a", b"text")), "writes outside"),
        (_zip(("..\\a", b"text")), "writes outside"),
        (_tar(("../a", b"text")), "writes outside"),
        (b"\x93NUMPY\x09\x09" + bytes(50), "cannot be read"),
    ],
)
def test_what_cannot_be_looked_into_is_said(tmp_path: Path, content: bytes, words: str) -> None:
    (found,) = _look(tmp_path, content)
    assert words in found.problem
    assert not found.scanned


def test_an_encrypted_part_is_said(tmp_path: Path) -> None:
    content = bytearray(_zip(("a", b"text"), how=zipfile.ZIP_STORED))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (found,) = _look(tmp_path, bytes(content))
    assert "encrypted" in found.problem


def test_a_link_in_an_archive_is_said(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        link = tarfile.TarInfo("weights")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (found,) = _look(tmp_path, stream.getvalue())
    assert found.problem == "a link in an archive"


def test_archives_are_followed_only_so_deep(tmp_path: Path, bomb: Bomb) -> None:
    content = pickle.dumps(bomb)
    for i in range(pickles.DEEPEST + 2):
        content = _zip((f"{i}.zip", content))
    (found,) = _look(tmp_path, content)
    assert "nested too deeply" in found.problem


@pytest.mark.parametrize(
    "content",
    [
        _zip(("big.zip", _zip(("zeros", bytes(1 << 22)), how=zipfile.ZIP_STORED))),
        gzip.compress(bytes(1 << 22), mtime=0),
        pickle.dumps(b"x" * (1 << 22)),
        _zip(*((f"{i}", b"") for i in range(200))),
        b"\x80\x04" + b"N0" * 30_000 + pickle.dumps(print)[2:],
    ],
    ids=["zip bomb", "gzip bomb", "long string", "many entries", "many instructions"],
)
def test_nothing_is_followed_for_ever(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BYTES": 1 << 20, "READS": 20_000, "ENTRIES": 100, "_STREAM": 1 << 19}.items():
        monkeypatch.setattr(pickles, name, value)
    found = _look(tmp_path, content)
    assert any("too large" in each.problem or "only a part" in each.problem for each in found)
    assert not any(each.scanned for each in found)


def test_what_need_not_be_unpacked_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "BYTES", 1 << 16)
    assert _look(tmp_path, _zip(("zeros", bytes(1 << 24)))) == []


def test_findings_of_one_file_end_somewhere(tmp_path: Path, bomb: Bomb) -> None:
    found = _look(tmp_path, _zip(*((f"{i}.pkl", pickle.dumps(bomb)) for i in range(pickles.MOST + 20))))
    assert len(found) == pickles.MOST + 1
    assert "more than" in found[-1].problem


def test_names_of_an_attacker_are_cut_and_made_visible(tmp_path: Path) -> None:
    (found,) = _look(tmp_path, pickle.dumps([])[:-1] + b"cos\nsys\x1btem" + b"x" * 100_000 + b"\n)R.")
    assert "\x1b" not in found.problem
    assert len(found.problem) < 500
