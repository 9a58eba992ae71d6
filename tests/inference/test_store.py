"""Whatever happens to the file of kept rows: no wrong row, and the audit goes on."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sqlite3
import stat
import subprocess
import sys
import time
import warnings
from contextlib import closing, nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest

from audit.core.cache import Cache, CacheWarning
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference import scorer as scorers
from audit.inference.scorer import Scorer
from audit.inference.store import Store
from audit.models.model import Model

CLASSES = ("negative", "neutral", "positive")
SCOPE, OTHER = b"a" * 16, b"b" * 16


def rows(count: int, width: int = 3, seed: int = 0) -> dict[bytes, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {rng.bytes(16): rng.random(width, dtype=np.float32) for _ in range(count)}


def assert_no_wrong_row(found: dict[bytes, np.ndarray], written: dict[bytes, np.ndarray]) -> None:
    for key, row in found.items():
        np.testing.assert_array_equal(row, written[key])


@pytest.fixture
def folder(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def test_rows_come_back_as_they_were_each_in_its_scope(folder: Cache) -> None:
    written = rows(1200)
    Store(folder, SCOPE).put(written)
    found = Store(Cache(folder.folder), SCOPE).get([*written, b"unknown"], 3)
    assert found.keys() == written.keys()
    assert_no_wrong_row(found, written)
    assert Store(folder, OTHER).get(list(written), 3) == {}
    assert Store(folder, SCOPE).get(list(written), 4) == {}
    assert len(Store(folder, SCOPE).get(list(written), None)) == 1200
    assert Store(folder, SCOPE).get([], 3) == {}


def test_only_the_owner_may_read_the_file(folder: Cache) -> None:
    Store(folder, SCOPE).put(rows(1))
    assert stat.S_IMODE(folder.predictions.stat().st_mode) == 0o600


def test_few_files_lie_in_the_folder_however_many_models(folder: Cache) -> None:
    for number in range(10):
        store = Store(folder, bytes([number]) * 16)
        store.put(rows(2))
        assert list(store.shared([[b"key"]])) == [[b"key"]]
    assert len([path for path in folder.folder.iterdir() if path.is_file()]) == 3  # rows, lock and claims


@pytest.mark.slow("flips each bit", seconds=2)
@pytest.mark.filterwarnings("ignore::audit.core.cache.CacheWarning")
def test_a_flipped_bit_never_makes_a_wrong_row(folder: Cache) -> None:
    written = rows(300)
    Store(folder, SCOPE).put(written)
    whole = folder.predictions.read_bytes()
    chance = random.Random(0)
    for _ in range(100):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        folder.predictions.write_bytes(damaged)
        # A cache of its own for each, since one that gave up asks no more.
        assert_no_wrong_row(Store(Cache(folder.folder), SCOPE).get(list(written), 3), written)
        after = Store(Cache(folder.folder), SCOPE)
        after.put(written)
        assert_no_wrong_row(after.get(list(written), 3), written)


def test_a_changed_number_is_noticed(folder: Cache) -> None:
    written = rows(2)
    Store(folder, SCOPE).put(written)
    first, second = written
    with closing(sqlite3.connect(folder.predictions)) as connection, connection:
        numbers = np.array([0.1, 0.2, 0.7], dtype="<f4").tobytes()
        connection.execute("UPDATE rows SET numbers = ? WHERE text = ?", (numbers, first))
    found = Store(folder, SCOPE).get([first, second], 3)
    assert list(found) == [second]


def other_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE rows (a, b)")


def newer_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version = 2")


def torn_journal(path: Path) -> None:
    path.with_name(f"{path.name}-journal").write_bytes(path.read_bytes()[:3000])


def torn_log(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        with connection:
            connection.execute("UPDATE scopes SET used = 0")
        log = path.with_name(f"{path.name}-wal").read_bytes()
    path.with_name(f"{path.name}-wal").write_bytes(log[: len(log) // 2])


DAMAGE = {
    "emptied": lambda path: path.write_bytes(b""),
    "no data base": lambda path: path.write_bytes(b"not a data base at all" * 100),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "truncated at a page": lambda path: path.write_bytes(path.read_bytes()[:8192]),
    "other tables": other_tables,
    "newer version": newer_version,
    "torn journal": torn_journal,
    "torn log": torn_log,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_made_anew(folder: Cache, damage: str) -> None:
    written = rows(1000)
    Store(folder, SCOPE).put(written)
    DAMAGE[damage](folder.predictions)
    store = Store(folder, SCOPE)
    assert_no_wrong_row(store.get(list(written), 3), written)
    store.put(written)
    assert store.get(list(written), 3).keys() == written.keys()
    assert not folder.given_up


def test_without_a_usable_file_the_audit_goes_on_and_says_so_once(folder: Cache, untrained: Path) -> None:
    folder.predictions.mkdir()
    scorer = Scorer(Model("test", untrained, CLASSES, 32), folder, Meter("DEU"), Progress())
    with pytest.warns(CacheWarning, match="goes on without"):
        first = scorer.predict(["one", "two"]).probabilities
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = scorer.predict(["two", "one"]).probabilities
    # Computed twice, so in batches that may differ: equal as far as the scorer promises.
    np.testing.assert_allclose(first, second[::-1], atol=1e-5)
    assert scorer.counts.forward_passes == 4


def test_a_full_disk_keeps_what_was_there_and_says_so_once(tmp_path: Path) -> None:
    """The disk is filled by a limit to the size of files; all of it in a process of its own, which the limit is for."""
    program = """
import json, resource, sys, warnings
from pathlib import Path
from audit.core.cache import Cache
from audit.inference.store import Store
from tests.inference.test_store import SCOPE, rows
cache = Cache(Path(sys.argv[1]))
small, large = rows(100), rows(20_000, seed=1)
Store(cache, SCOPE).put(small)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    Store(cache, SCOPE).put(large)
    Store(cache, SCOPE).put(large)
again = Store(Cache(Path(sys.argv[1])), SCOPE)
print(json.dumps([len(said), len(again.get(list(small), 3)), len(again.get(list(large), 3))]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "cache")], check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [1, 100, 0]


def test_the_scope_used_least_recently_goes_first(folder: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("audit.inference.store.time.time", lambda: clock[0])
    limit, written = 300_000, rows(1200)  # three scopes of about 85 kB fit
    scopes = [bytes([number]) * 16 for number in range(4)]
    for scope in scopes[:3]:
        clock[0] += 3600
        Store(folder, scope, limit).put(written)
    clock[0] += 3600
    assert len(Store(folder, scopes[0], limit).get(list(written), 3)) == 1200
    Store(folder, scopes[3], limit).put(written)
    assert [len(Store(folder, scope, limit).get(list(written), 3)) for scope in scopes] == [1200, 0, 1200, 1200]
    assert folder.predictions.stat().st_size <= limit


def test_of_two_scopes_that_need_each_other_none_makes_room_for_the_other(folder: Cache) -> None:
    limit, small, large = 300_000, rows(1200), rows(5000, seed=1)
    Store(folder, b"c" * 16, limit).put(small)
    answers, digests = Store(folder, SCOPE, limit, beside=OTHER), Store(folder, OTHER, limit, beside=SCOPE)
    answers.put(small)
    with pytest.warns(CacheWarning, match="full"):
        digests.put(large)
    assert len(answers.get(list(small), 3)) == 1200
    assert Store(folder, b"c" * 16, limit).get(list(small), 3) == {}


def test_rows_of_bytes_come_back_whatever_they_are(folder: Cache) -> None:
    written = {b"nan": np.frombuffer(b"\x00\x00\xc0\x7f" * 4, "u1"), b"any": np.arange(16, dtype="u1")}
    store = Store(folder, SCOPE, dtype="u1")
    store.put(written)
    found = store.get(list(written), 16)
    assert found.keys() == written.keys()
    assert_no_wrong_row(found, written)


def test_a_scope_that_alone_is_too_large_keeps_what_fits(folder: Cache) -> None:
    first, second = rows(1000), rows(5000, seed=1)
    store = Store(folder, SCOPE, 200_000)
    store.put(first)
    with pytest.warns(CacheWarning, match="full"):
        store.put(second)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.put(second)
    assert len(store.get([*first, *second], 3)) == 1000
    assert folder.predictions.stat().st_size <= 200_000


# ---- several processes


def hold(folder: Path, part: list[bytes], held: object) -> None:
    for _ in Store(Cache(folder), SCOPE).shared([part]):
        held.set()  # type: ignore[attr-defined]
        multiprocessing.Event().wait()


def test_what_another_process_works_on_comes_last_and_is_given_back_when_it_dies(folder: Cache) -> None:
    spawn = multiprocessing.get_context("spawn")
    parts, held = [[b"1"], [b"2"], [b"3"]], spawn.Event()
    other = spawn.Process(target=hold, args=(folder.folder, parts[0], held))
    other.start()
    try:
        assert held.wait(60)
        given = Store(folder, SCOPE).shared(parts)
        assert [next(given), next(given)] == [parts[1], parts[2]]
        other.kill()
        assert list(given) == [parts[0]]
    finally:
        other.kill()
        other.join()


def texts_of(turn: int) -> list[str]:
    return [f"Round {turn}: the {noun} number {i} is good." for i in range(50) for noun in ("lamp", "kettle")]


def predict(model: str, cache: str, turn: str, out: str) -> None:
    """What each of the processes does; parts are small so that there are many moments to die at."""
    scorers.PART = {"cpu": 8}
    meter = Meter("DEU")
    meter.phase = lambda name: nullcontext()  # type: ignore[method-assign, return-value, assignment, misc]
    scorer = Scorer(Model("test", Path(model), CLASSES, 32), Cache(Path(cache)), meter, Progress())
    np.save(out, scorer.predict(texts_of(int(turn))).probabilities)


def predicting(*arguments: object) -> subprocess.Popen[bytes]:
    """A process that does it."""
    program = "import sys; from tests.inference.test_store import predict; predict(*sys.argv[1:])"
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE)


@pytest.mark.forks  # so that the processes spend their time at work, where they are killed
@pytest.mark.slow("kills twenty processes", seconds=14)
def test_two_processes_on_one_cache_of_which_one_is_killed_at_random_moments(untrained: Path, tmp_path: Path) -> None:
    chance, killed, cache = random.Random(0), 0, tmp_path / "cache"
    alone = Scorer(Model("test", untrained, CLASSES, 32), Cache(tmp_path / "none"), Meter("DEU"), Progress())
    # How long the work takes on this machine, so that a moment is drawn at which it is going on. The first of two also
    # waits for the imports.
    for name in ("imports", "other"):
        started = time.monotonic()
        predicting(untrained, tmp_path / name, 0, tmp_path / "other.npy").communicate()
    lasts = time.monotonic() - started
    for turn in range(20):
        out = tmp_path / f"{turn}.npy"
        victim, survivor = (predicting(untrained, cache, turn, path) for path in (tmp_path / "victim.npy", out))
        with suppress(subprocess.TimeoutExpired):
            victim.wait(chance.uniform(0, lasts))
        killed += victim.poll() is None
        victim.kill()
        victim.communicate()
        survivor.communicate()
        assert survivor.returncode == 0
        texts, kept = texts_of(turn), np.load(out)
        np.testing.assert_allclose(kept, alone.forward(texts), atol=1e-5)
        again = Scorer(Model("test", untrained, CLASSES, 32), Cache(cache), Meter("DEU"), Progress())
        np.testing.assert_array_equal(again.predict(texts).probabilities, kept)
        assert again.counts.forward_passes == 0
    assert killed
    with closing(sqlite3.connect(Cache(cache).predictions)) as connection:
        counts = [count for (count,) in connection.execute("SELECT count(*) FROM rows GROUP BY scope")]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    every = {text for turn in range(20) for text in texts_of(turn)}
    encodings = set(map(tuple, alone.model.tokenizer(list(every), truncation=True, max_length=32)["input_ids"]))
    assert sorted(counts) == sorted([len(every), len(encodings)])
    assert not [path for path in cache.iterdir() if path.name.endswith("-journal") and os.path.getsize(path)]
