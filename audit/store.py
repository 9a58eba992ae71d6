"""Rows that a model computed for texts, kept on disk: predictions and embeddings, one row a text.

It knows nothing of models: a row is an array of float32, and its key is a scope (what computed it) and a text's hash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from audit.cache import Cache


class Store:
    """Predictions or embeddings of one model on disk, one row a text."""

    def __init__(self, cache: Cache, scope: bytes) -> None:
        self._path, self._scope = cache.predictions, scope

    def __enter__(self) -> Store:
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError:
            # A damaged cache costs time, never a result.
            self._path.unlink(missing_ok=True)
            self._connection = self._open()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=600)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS predictions (scope BLOB, text BLOB, probabilities BLOB, "
                "PRIMARY KEY (scope, text)) WITHOUT ROWID"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def lock(self) -> FileLock:
        """Held while one process looks up and computes, so that no other computes the same."""
        return FileLock(f"{self._path}.{self._scope.hex()}.lock")

    def get(self, keys: Sequence[bytes], width: int | None) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        with closing(self._connection.cursor()) as cursor:
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                query = f"SELECT text, probabilities FROM predictions WHERE scope = ? AND text IN ({marks})"  # noqa: S608
                for key, blob in cursor.execute(query, (self._scope, *part)):
                    row = np.frombuffer(blob, dtype="<f4")
                    if width in (None, len(row)) and np.isfinite(row).all():
                        found[bytes(key)] = row
        return found

    def put(self, rows: dict[bytes, Any]) -> None:
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO predictions VALUES (?, ?, ?)",
                [(self._scope, key, np.asarray(row, dtype="<f4").tobytes()) for key, row in rows.items()],
            )
