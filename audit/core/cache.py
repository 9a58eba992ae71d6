"""Where models, predictions and energy measurements are kept between audits: one private folder.

Who can write there decides verdicts, so it must be the user's own. What lies there is used only if it is whole:
whatever was damaged, or left behind by a process that was killed, costs time and no result.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar, cast

from filelock import FileLock, Timeout

from audit.core.errors import AuditError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGE = "pytest-model-audit"
_DIGEST = hashlib.sha256().digest_size
_TEMPORARY, _HELD = "pytest-model-audit-", ".held"
Values = TypeVar("Values", bound=Mapping[str, object])
Scalar = TypeVar("Scalar", bound="np.generic")


class Entry(TypedDict, total=False):
    """What a measurement has besides its figures when it comes from the cache: what it depends on, and its time."""

    key: dict[str, object]
    created: str


def default_folder() -> Path:
    """The user's cache folder for this project."""
    from platformdirs import user_cache_path

    return user_cache_path("pytest-model-audit").absolute()


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

    Raises
    ------
    AuditError
        If it cannot be written, or if anybody else may write there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.given_up = False
        self._said: set[str] = set()
        try:
            for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
                missing.mkdir(exist_ok=True, mode=0o700)
            _check_own(folder)
            _check_parents(folder)
            for part in self._parts:
                part.mkdir(exist_ok=True, mode=0o700)
                _check_own(part)
            self._remove_orphans()
        except OSError as error:
            raise AuditError(
                f"{folder}: the cache folder cannot be written ({error.strerror}); choose another with --audit-cache."
            ) from None

    @property
    def models(self) -> Path:
        """Trained models, a folder each."""
        return self.folder / "models"

    @property
    def encoders(self) -> Path:
        """Pretrained encoders that an installed package holds, a folder each."""
        return self.folder / "encoders"

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

    @property
    def _parts(self) -> tuple[Path, ...]:
        return self.models, self.encoders, self.datasets, self.measurements

    def measurement(self, key: Mapping[str, object], make: Callable[[], Values]) -> Values:
        """What was measured under this key, now or in a former audit; one process measures, the others wait.

        Parameters
        ----------
        key : mapping
            JSON values: everything that the figures depend on, the machine among them; the version of this package,
            by which they are taken, comes of itself.
        make : callable
            Measures; gives JSON values.

        Returns
        -------
        dict
            What was made, and what :class:`Entry` names.
        """
        parts = [version(PACKAGE), key]
        name = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]
        path = self.measurements / f"{name}.json"
        with self._alone(path):
            known = read_sealed(path)
            if known is not None and known.get("key") == key:
                return cast("Values", known)  # the seal says that it is what `make` gave once
            made = {"key": dict(key), **make(), "created": timestamp()}
            self._keep(lambda: write_sealed(path, made))
            return cast("Values", made)

    def array(self, name: str, shape: tuple[int, ...], make: Callable[[], NDArray[Scalar]]) -> NDArray[Scalar]:
        """An array that was made under this name, now or in a former audit; one process makes it, the others wait.

        Parameters
        ----------
        name : str
            Tells it from all others: what the array is, and a hash of everything that its values depend on; the version
            of this package comes of itself.
        shape : tuple of int
            What has another shape, or values that are not finite, is made again.
        make : callable
        """
        path = self.measurements / f"{name}-{version(PACKAGE)}.npy"
        with self._alone(path):
            known = _read_array(path, shape)
            if known is not None:
                return cast("NDArray[Scalar]", known)
            made = make()
            self._keep(lambda: _write_array(path, made))
            return made

    def _remove_orphans(self) -> None:
        """Remove what killed processes left unfinished: it may hold texts, or traces of them."""
        for folder in self._parts:
            for orphan in folder.glob(".*.*"):
                lock = FileLock(_lock_of(orphan), timeout=0)
                # While a process is at work on it, it holds the lock.
                with suppress(Timeout, OSError), lock:
                    # Only a folder for one reading of data has a lock of its own, for which nobody waits.
                    single = folder == self.datasets and orphan.is_dir()
                    remove(orphan)
                    if single:
                        Path(lock.lock_file).unlink(missing_ok=True)

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


def _is_own(folder: Path) -> bool:
    """Whether a folder belongs to this user; on Windows its owner is not told."""
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()


def _check_own(folder: Path) -> None:
    """Refuse a folder that somebody else could put something into."""
    if not hasattr(os, "geteuid"):  # Windows: the rights on a folder are not told by its mode
        return
    if not _is_own(folder):
        problem, remedy = "belongs to another user", "choose a folder of your own with --audit-cache"
    elif folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem, remedy = "may be written by others", "run `chmod go-w` on it or choose another with --audit-cache"
    else:
        return
    raise AuditError(
        f"{folder}: the cache folder {problem}, and who can write there decides verdicts; {remedy}, or use none."
    )


def _check_parents(folder: Path) -> None:
    """Refuse a folder that anybody may put another in the place of; in one with the sticky bit, as /tmp, nobody may.

    A group's right to write is left alone: where each user has a group of their own, new folders have it.
    """
    if not hasattr(os, "geteuid") or (folder / _HELD).exists():  # for one run only: nothing of before is trusted there
        return
    for parent in folder.resolve().parents:
        mode = parent.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise AuditError(
                f"{parent}: anybody may put another folder in the place of the cache in it, and who can do that "
                "decides verdicts; run `chmod o-w` on it or choose another with --audit-cache, or use none."
            )


class Temporary:
    """A private folder for one run; those of runs that were killed go first, since they may hold traces of texts.

    Raises
    ------
    AuditError
        If the system's folder for temporary files cannot be written.
    """

    def __init__(self) -> None:
        try:
            self._make()
        except OSError as error:
            raise AuditError(
                f"the folder for temporary files cannot be written ({error.strerror}); make room in it, or name "
                "another with the environment variable TMPDIR."
            ) from None

    def _make(self) -> None:
        for left in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
            lock = FileLock(left / _HELD, timeout=0)
            # A run that lives holds the lock; a folder of another user's is not ours to remove.
            with suppress(Timeout, OSError):
                if (left / _HELD).exists() and _is_own(left):
                    with lock:
                        shutil.rmtree(left)
        self.folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY))
        self._lock = FileLock(self.folder / _HELD)
        self._lock.acquire()

    def cleanup(self) -> None:
        """Remove it."""
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove a file or a folder, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """An empty folder beside the path that it is to be moved to; gone afterwards if it was not.

    The caller holds the lock ``{path}.lock``: without it, another process takes the folder for an orphan.
    """
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """An empty folder of a name of its own, locked while it is used and gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = parent / uuid.uuid4().hex
    lock = FileLock(f"{path}.lock")
    try:
        with lock, unfinished(path) as folder:
            yield folder
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)


def _lock_of(unfinished: Path) -> Path:
    """The lock that a process holds while it is at work on ``.{name}.{random}``."""
    name = unfinished.name[1:].rpartition(".")[0]
    # A model's metadata are written under the lock of its folder.
    name = name.removesuffix(".json") if unfinished.parent.name == "models" else name
    return unfinished.with_name(f"{name}.lock")


def write_sealed(path: Path, value: Mapping[str, object]) -> None:
    """Write a JSON file of the cache with a hash of what it holds."""
    write_atomically(path, json.dumps({"seal": _seal(value), **value}, indent=1))


def read_sealed(path: Path) -> dict[str, object] | None:
    """What was written; None where the file is missing, damaged or incomplete, since it can be made again."""
    value = read_json(path)
    if not isinstance(value, dict):
        return None
    seal = value.pop("seal", None)
    return value if seal == _seal(value) else None


def _seal(value: Mapping[str, object]) -> str:
    as_read = json.loads(json.dumps(value))  # keys are texts then, whatever they were
    return hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader, or a crash, sees the old one or the new one and nothing between."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> object:
    """A JSON file of the cache; None where it is missing or damaged, since it can be made again."""
    try:
        value: object = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return value


def _read_array(path: Path, shape: tuple[int, ...]) -> NDArray[np.generic] | None:
    """An array of the cache; None where it is missing or damaged, since it can be made again."""
    import numpy as np

    try:
        digest, content = (whole := path.read_bytes())[:_DIGEST], whole[_DIGEST:]
        if digest != hashlib.sha256(content).digest():
            return None
        found: NDArray[np.number] = np.load(io.BytesIO(content), allow_pickle=False)
    except (OSError, ValueError):
        return None
    return found if found.shape == shape and np.isfinite(found).all() else None


def _write_array(path: Path, value: NDArray[np.generic]) -> None:
    """Keep an array behind its hash; a reader, or a crash, sees the old one or the new one."""
    import numpy as np

    np.save(content := io.BytesIO(), value)
    write_atomically(path, hashlib.sha256(content.getvalue()).digest() + content.getvalue())
