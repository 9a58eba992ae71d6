"""Where models, predictions and energy measurements are kept between audits: one private folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from audit.errors import AuditError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def default_folder() -> Path:
    """The user's cache folder for this project."""
    from platformdirs import user_cache_path

    return user_cache_path("pytest-model-audit")


def timestamp(seconds: float | None = None) -> str:
    """A time as records write it: so many seconds after 1970, or now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class CacheWarning(UserWarning):
    """The cache cannot be used as it should; the audit takes longer and finds the same."""


class Cache:
    """A folder of results that can be made again.

    Parameters
    ----------
    folder : Path
        Made with mode 0700 where it does not exist: trained models hold traces of personal data.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given_up = False
        self._said: set[str] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in (self.models, self.datasets, self.measurements):
                part.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise AuditError(
                f"{folder}: the cache folder cannot be written ({error.strerror}); choose another with --audit-cache."
            ) from None

    @property
    def models(self) -> Path:
        """Trained models, a folder each."""
        return self.folder / "models"

    @property
    def datasets(self) -> Path:
        """Cache files of the ``datasets`` library."""
        return self.folder / "datasets"

    @property
    def predictions(self) -> Path:
        """Data base of the rows that models computed for texts."""
        return self.folder / "rows.sqlite"

    @property
    def measurements(self) -> Path:
        """Measurements of energy and time, and arrays that are computed once, a file each."""
        return self.folder / "measurements"

    def measurement(self, key: Mapping[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What was measured under this key, now or in a former audit; one process measures, the others wait.

        Parameters
        ----------
        key : mapping
            JSON values: everything that the figures depend on, the machine among them.
        make : callable
            Measures; gives JSON values.

        Returns
        -------
        dict
            What was made, and ``key`` and ``created``, the time of the measurement.
        """
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        path = self.measurements / f"{name}.json"
        with self._alone(path):
            known = read_json(path)
            if isinstance(known, dict) and known.get("key") == key:
                return known
            made = {"key": dict(key), **make(), "created": timestamp()}
            self._keep(lambda: write_atomically(path, json.dumps(made)))
            return made

    def array(self, name: str, shape: tuple[int, ...], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """An array that was made under this name, now or in a former audit; one process makes it, the others wait.

        Parameters
        ----------
        name : str
            Tells it from all others: what the array is, and a hash of everything that its values depend on.
        shape : tuple of int
            What has another shape, or values that are not finite, is made again.
        make : callable
        """
        path = self.measurements / f"{name}.npy"
        with self._alone(path):
            known = _read_array(path, shape)
            if known is None:
                known = made = make()
                self._keep(lambda: _write_array(path, made))
            return known

    @contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """While no other process makes the same; where the folder takes no lock, no one is kept waiting."""
        lock = FileLock(f"{path}.lock")
        self._keep(lock.acquire)
        try:
            yield
        finally:
            lock.release()

    def _keep(self, write: Callable[[], object]) -> None:
        """Write to the folder; where that fails, what was made is used and not kept."""
        try:
            write()
        except OSError as error:
            self.say_once(f"{self.folder}: cannot be written ({error.strerror}); what is computed is not kept there")

    def give_up(self, reason: str) -> None:
        """Keep no more predictions in this run, and say so."""
        self.given_up = True
        self.say_once(f"{self.predictions}: not of use ({reason}); the audit goes on without kept predictions")

    def say_once(self, message: str) -> None:
        """Warn of something that costs time and no result."""
        if message not in self._said:
            self._said.add(message)
            warnings.warn(message, CacheWarning, stacklevel=2)

    def clear(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one and nothing between."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """A JSON file of the cache; None where it is missing or damaged, since it can be made again."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _read_array(path: Path, shape: tuple[int, ...]) -> NDArray[Any] | None:
    """An array of the cache; None where it is missing or damaged, since it can be made again."""
    import numpy as np

    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return found if found.shape == shape and np.isfinite(found).all() else None


def _write_array(path: Path, value: NDArray[Any]) -> None:
    """Keep an array; a reader, or a crash, sees the old one or the new one."""
    import numpy as np

    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".npy")
    os.close(handle)
    np.save(temporary, value)
    os.replace(temporary, path)
