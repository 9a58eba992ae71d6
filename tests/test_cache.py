"""The cache folder is private and can be emptied; a file is written whole or not at all."""

from __future__ import annotations

import os
import stat
import warnings
from pathlib import Path

import numpy as np
import pytest

from audit import AuditError
from audit.cache import Cache, CacheWarning, default_folder, read_json, write_atomically
from tests.helpers import is_one_sentence


def test_the_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        cache = Cache(tmp_path / "deep" / "er" / "cache")
    finally:
        os.umask(umask)
    for folder in (cache.folder, cache.models, cache.datasets, cache.measurements):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert cache.predictions.parent == cache.folder


def test_an_existing_cache_is_used_as_it_is(tmp_path: Path) -> None:
    first = Cache(tmp_path / "cache")
    (first.models / "model").mkdir()
    assert (Cache(tmp_path / "cache").models / "model").is_dir()


def test_clearing_removes_everything(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.predictions.write_bytes(b"x")
    cache.clear()
    assert not cache.folder.exists()
    cache.clear()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "cache"):
        with pytest.raises(AuditError, match="--audit-cache") as caught:
            Cache(place)
        assert str(place) in str(caught.value)
        assert is_one_sentence(str(caught.value))


def test_the_default_lies_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder().name == "pytest-model-audit"


def test_a_written_file_is_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    write_atomically(path, "old")
    write_atomically(path, "grün ≥ 0.9\n")
    assert path.read_bytes() == "grün ≥ 0.9\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_is_readable_as_the_umask_says(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "audit.json", "x")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "audit.json").stat().st_mode) == 0o640


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.json"
    path.write_text("old", "utf-8")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half of it \ud800")
    assert (path.read_text("utf-8"), list(tmp_path.iterdir())) == ("old", [path])

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert (path.read_text("utf-8"), list(tmp_path.iterdir())) == ("old", [path])


def test_damaged_json_counts_as_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert read_json(path) is None
    path.write_text('{"a": 1', "utf-8")
    assert read_json(path) is None
    path.write_bytes(b'"\xff"')
    assert read_json(path) is None
    path.write_text('{"a": 1}', "utf-8")
    assert read_json(path) == {"a": 1}


def test_an_array_is_made_once_and_again_where_it_is_damaged(tmp_path: Path) -> None:
    cache, made = Cache(tmp_path / "cache"), []

    def make() -> np.ndarray:
        made.append(1)
        return np.full((2, 3), 0.5, dtype=np.float32)

    for _ in range(2):
        np.testing.assert_array_equal(cache.array("name", (2, 3), make), np.full((2, 3), 0.5))
    assert len(made) == 1
    (path,) = cache.measurements.glob("*.npy")
    path.write_bytes(path.read_bytes()[:-1])
    np.testing.assert_array_equal(cache.array("name", (2, 3), make), np.full((2, 3), 0.5))
    assert len(made) == 2


def test_a_folder_that_takes_no_files_costs_time_only_and_is_named_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.measurements.rmdir()
    cache.measurements.write_text("no folder", "utf-8")
    with pytest.warns(CacheWarning, match="cannot be written"):
        assert cache.measurement({"a": 1}, lambda: {"b": 2})["b"] == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.array("name", (1,), lambda: np.ones(1, dtype=np.float32)).tolist() == [1]
