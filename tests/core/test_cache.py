"""The cache folder is private and can be emptied; a file is written whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from audit import AuditError
from audit.core import cache as audit_cache
from audit.core.cache import (
    Cache,
    CacheWarning,
    Temporary,
    default_folder,
    read_json,
    read_sealed,
    scratch,
    unfinished,
    write_atomically,
    write_sealed,
)
from tests.helpers import Runner, WritePolicy, is_one_sentence


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


# ---- who may write there


@pytest.mark.parametrize("part", ["", "models", "datasets", "measurements"])
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, part: str, mode: int) -> None:
    place = Cache(tmp_path / "cache").folder / part
    place.chmod(mode)
    with pytest.raises(AuditError, match="may be written by others, and who can write there decides") as caught:
        Cache(tmp_path / "cache")
    assert str(place) in str(caught.value)
    assert is_one_sentence(str(caught.value))
    place.chmod(0o755)  # to read is not to write
    Cache(tmp_path / "cache")


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Cache(tmp_path / "cache").folder
    if os.geteuid() == 0:
        os.chown(folder, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    with pytest.raises(AuditError, match="belongs to another user") as caught:
        Cache(folder)
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o702, True), (0o1777, False), (0o775, False)])
def test_a_folder_that_anybody_could_put_another_in_the_place_of_is_refused(
    tmp_path: Path, mode: int, refused: bool
) -> None:
    """In a folder with the sticky bit, as /tmp, nobody could; a user's own group may write, as many systems have it."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(mode)
    for folder in (tmp_path / "open" / "cache", tmp_path / "open" / "mine" / "cache"):
        if refused:
            with pytest.raises(AuditError, match="anybody may put another folder in the place of the cache") as caught:
                Cache(folder)
            assert str(caught.value).startswith(f"{tmp_path / 'open'}: ")
            assert is_one_sentence(str(caught.value))
        else:
            Cache(folder)


def test_without_a_cache_an_open_folder_for_temporary_files_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    temporary = Temporary()
    Cache(temporary.folder)
    temporary.cleanup()


def test_an_audit_does_not_start_on_such_a_folder(run: Runner, write_policy: WritePolicy, tmp_path: Path) -> None:
    write_policy()
    run.pytester.makepyfile("def test_it(predictions): ...")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    result = run(f"--audit-cache={tmp_path / 'cache'}")
    assert result.ret == 4
    (line,) = [line for line in result.stderr.lines if line.startswith("ERROR:")]
    assert "chmod go-w" in line
    assert run("--audit-cache", "none").ret == 0


# ---- what killed processes leave, and what was damaged


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_works_on_is_not(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    dead = [
        cache.models / ".0123.abcd",
        cache.models / ".0123.json.abcd",
        cache.datasets / ".0123.abcd",
        cache.measurements / ".name.npy.abcd",
    ]
    for path in dead[::2]:
        path.mkdir()
        (path / "weights").write_text("what a training text left", "utf-8")
    for path in dead[1::2]:
        path.write_text("half of it", "utf-8")
    with FileLock(cache.models / "4567.lock"), unfinished(cache.models / "4567") as alive:
        half = cache.models / ".4567.json.abcd"
        half.write_text("half of it", "utf-8")
        with scratch(cache.datasets) as reading:
            Cache(tmp_path / "cache")
            assert not [path for path in dead if path.exists()]
            assert not (cache.datasets / "0123.lock").exists()
            assert alive.exists()
            assert half.exists()
            assert reading.exists()
        assert not reading.exists()
    Cache(tmp_path / "cache")
    assert not half.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("0.25", "0.26"),  # still JSON, still of the right keys
        lambda text: text.replace('"b": 0.25', '"c": 0.25'),
        lambda text: text[:-2],
        lambda text: "[]",
        lambda text: "null",
    ],
)
def test_a_measurement_that_is_not_what_was_written_is_made_again(tmp_path: Path, damage: Callable[[str], str]) -> None:
    cache = Cache(tmp_path / "cache")
    for _ in range(2):
        assert cache.measurement({"a": 1}, lambda: {"b": 0.25})["b"] == 0.25
    (path,) = cache.measurements.glob("*.json")
    path.write_text(damage(path.read_text("utf-8")), "utf-8")
    again: Mapping[str, object] = cache.measurement({"a": 1}, lambda: {"b": 0.5})
    assert (again["key"], again["b"]) == ({"a": 1}, 0.5)
    assert cache.measurement({"a": 1}, lambda: {"b": 0.75}) == again


def test_another_version_of_the_audit_measures_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "cache")

    def taken(number: float) -> tuple[float, float]:
        measured = cache.measurement({"a": 1}, lambda: {"b": number})
        return measured["b"], float(cache.array("name", (1,), lambda: np.array([number]))[0])

    assert taken(1) == (1, 1)
    monkeypatch.setattr(audit_cache, "version", lambda name: "9.9+local" if name == audit_cache.PACKAGE else "")
    assert taken(2) == taken(3) == (2, 2)
    monkeypatch.undo()
    assert taken(4) == (1, 1)


def test_an_array_with_another_value_is_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    cache.array("name", (2,), lambda: np.array([1.0, 2.0]))
    (path,) = cache.measurements.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert cache.array("name", (2,), lambda: np.array([3.0, 4.0])).tolist() == [3.0, 4.0]


def test_a_seal_holds_for_any_json(tmp_path: Path) -> None:
    value: Any = {"a": (1, 2.5, None), 3: {"b": float("nan")}, "ü": ["\ud800", True]}
    write_sealed(tmp_path / "x.json", value)
    assert repr(read_sealed(tmp_path / "x.json")) == repr(
        {"a": [1, 2.5, None], "3": {"b": float("nan")}, "ü": ["\ud800", True]}
    )
    assert read_sealed(tmp_path / "none.json") is None


def test_a_folder_for_one_run_goes_with_it_and_that_of_a_killed_run_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    killed = Path(shutil.copytree(Temporary().folder, tmp_path / "pytest-model-audit-killed"))
    (killed / "weights").write_text("what a training text left", "utf-8")
    (tmp_path / "pytest-model-audit-else").mkdir()  # none of ours
    alive = Temporary()
    last = Temporary()
    assert not killed.exists()
    assert alive.folder.exists()
    assert (tmp_path / "pytest-model-audit-else").exists()
    for each in (alive, last):
        each.cleanup()
        assert not each.folder.exists()
