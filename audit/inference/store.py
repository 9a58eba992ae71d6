"""Rows on disk: predictions and embeddings, and which texts are the same to a model.

It knows nothing of models: a row is an array of numbers, and its key is a scope (what computed it) and a hash of what
it was computed of. Whatever happens to the file costs time, never a result.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from audit.core.cache import Cache

try:
    import fcntl
except ImportError:  # Windows: processes at work on the same texts compute them both
    fcntl = None  # type: ignore[assignment]

Key = bytes
Row = NDArray[np.number]
Answer = TypeVar("Answer")

# The file grows to this, and to no more than this share of its disk; then the scope that was used least recently goes.
LIMIT_BYTES, LIMIT_SHARE = 4 * 2**30, 0.1
VERSION = 1
# Of rows, `text` is the key: a text's, or its encoding's.
SCHEMA = (
    "CREATE TABLE scopes (scope BLOB PRIMARY KEY, used REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE rows (scope BLOB, text BLOB, numbers BLOB NOT NULL, checksum INTEGER NOT NULL, "
    "PRIMARY KEY (scope, text)) WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)
# Keys asked for in one query, well below the limit of any build of SQLite.
KEYS = 500
# A scope that was used so many seconds ago is not marked as used again, which would be a write at each reading.
RECENT_S = 600.0
# What SQLite says of a file that is none of its own, is damaged, or whose tables are others.
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


class Store:
    """The rows of one scope.

    Parameters
    ----------
    cache : Cache
    scope : bytes
        What besides the key decides a row.
    dtype : str
        Of the numbers in a row.
    beside : bytes
        A scope whose rows are of no use without these: neither makes room for the other.
    limit : int or None
        Bytes that the file may hold; None: 4 GiB, or a tenth of the disk where that is less.

    Notes
    -----
    One process at a time has the file open, under a lock that is held for the reading or writing and never for the
    computing. So it can be thrown away while others use it, it needs no write-ahead log, which no network disk bears,
    and a process that dies leaves at most a journal, which the next one rolls back.
    """

    def __init__(
        self, cache: Cache, scope: bytes, limit: int | None = None, *, dtype: str = "<f4", beside: bytes = b""
    ) -> None:
        self._cache, self._path, self._scope, self._limit = cache, cache.predictions, scope, limit
        self._dtype, self._spared = dtype, (scope, beside)

    def get(self, keys: Sequence[Key], width: int | None) -> dict[Key, Row]:
        """The rows that are there, by key; those of another width, damaged or not finite count as missing.

        Parameters
        ----------
        keys : sequence of bytes
        width : int or None
            Numbers in a row; None: any.
        """
        return self._with_file(lambda connection: self._read(connection, keys, width)) or {} if keys else {}

    def put(self, rows: Mapping[Key, Row]) -> None:
        """Keep rows; all of them, or none if the process dies or the disk is full."""
        self._with_file(lambda connection: self._write(connection, rows))

    def shared(self, parts: Sequence[Sequence[Key]]) -> Iterator[Sequence[Key]]:
        """Each part in turn, while no other process is given the same; those that others work on come last.

        A part is this process's own until it asks for the next one. A process that dies gives its part back.
        """
        later: list[Sequence[Key]] = []
        with _claims(self._path.with_suffix(".claims")) as claim:
            for todo, wait in ((parts, False), (later, True)):
                for part in todo:
                    # Two parts that share a byte wait for each other without need, and no more.
                    place = zlib.crc32(b"".join((self._scope, *part)))
                    if claim(place, wait):
                        yield part
                    else:
                        later.append(part)

    def _with_file(self, use: Callable[[sqlite3.Connection], Answer]) -> Answer | None:
        """What a function makes of the open file; None where the file is of no use."""
        if self._cache.given_up:
            return None
        try:
            with FileLock(f"{self._path}.lock"):
                try:
                    return self._opened(use)
                except sqlite3.DatabaseError as error:
                    if _code(error) not in DAMAGED:
                        raise
                # The journal first: it must not be rolled back into the new file.
                for path in (self._path.with_name(f"{self._path.name}-journal"), self._path):
                    path.unlink(missing_ok=True)
                return self._opened(use)
        except (sqlite3.Error, OSError) as error:
            self._cache.give_up(str(error))
            return None

    def _opened(self, use: Callable[[sqlite3.Connection], Answer]) -> Answer:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(self._path)) as connection:
            connection.text_factory = bytes
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                with connection:
                    for statement in SCHEMA:
                        connection.execute(statement)
            limit = self._limit or min(LIMIT_BYTES, int(LIMIT_SHARE * shutil.disk_usage(self._path.parent).total))
            (page,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count = {limit // page}")
            # A process that dies leaves the file whole even so; a machine that does may not, which is noticed.
            connection.execute("PRAGMA synchronous = OFF")
            return use(connection)

    def _read(self, connection: sqlite3.Connection, keys: Sequence[Key], width: int | None) -> dict[Key, Row]:
        found: dict[Key, Row] = {}
        for start in range(0, len(keys), KEYS):
            part = keys[start : start + KEYS]
            marks = ",".join("?" * len(part))
            query = f"SELECT text, numbers, checksum FROM rows WHERE scope = ? AND text IN ({marks})"  # noqa: S608
            for key, numbers, checksum in connection.execute(query, (self._scope, *part)):
                if isinstance(numbers, bytes) and self._checksum(key, numbers) == checksum:
                    row = np.frombuffer(numbers, dtype=self._dtype)
                    if width in (None, len(row)) and np.isfinite(row).all():
                        found[key] = row
        now = time.time()
        with connection:
            connection.execute(
                "UPDATE scopes SET used = ? WHERE scope = ? AND used < ?", (now, self._scope, now - RECENT_S)
            )
        return found

    def _write(self, connection: sqlite3.Connection, rows: Mapping[Key, Row]) -> None:
        packed = [(key, np.asarray(row, dtype=self._dtype).tobytes()) for key, row in rows.items()]
        values = [(self._scope, key, numbers, self._checksum(key, numbers)) for key, numbers in packed]
        while True:
            try:
                with connection:
                    connection.execute("INSERT OR REPLACE INTO scopes VALUES (?, ?)", (self._scope, time.time()))
                    connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", values)
                return
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_FULL:
                    raise
                if not self._drop_another(connection):
                    self._cache.say_once(f"{self._path}: full; what does not fit is computed again next time")
                    return

    def _drop_another(self, connection: sqlite3.Connection) -> bool:
        """Remove the scope that was used least recently, unless it is spared; whether there was any."""
        query = "SELECT scope FROM scopes WHERE scope NOT IN (?, ?) ORDER BY used LIMIT 1"
        oldest = connection.execute(query, self._spared).fetchone()
        if oldest is not None:
            with connection:
                connection.execute("DELETE FROM rows WHERE scope = ?", oldest)
                connection.execute("DELETE FROM scopes WHERE scope = ?", oldest)
        return oldest is not None

    def _checksum(self, key: Key, numbers: bytes) -> int:
        return zlib.crc32(numbers, zlib.crc32(self._scope + key))


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's result code, without its details."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


@contextmanager
def _claims(path: Path) -> Iterator[Callable[[int, bool], bool]]:
    """A function that claims a byte of a file for this process in place of the one before; whether it got it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600) if fcntl is not None else None
    except OSError:
        file = None

    def claim(place: int, wait: bool) -> bool:
        if file is None:
            return True
        try:
            fcntl.lockf(file, fcntl.LOCK_UN)
            fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
        except OSError as error:
            # A disk that knows no locks keeps nobody from working.
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        return True

    try:
        yield claim
    finally:
        if file is not None:
            os.close(file)
