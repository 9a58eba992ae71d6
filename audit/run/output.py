"""The folder that an audit writes to: locked while it runs, freed of the former verdict first, given its own last.

The processes of one audit, a controller of xdist and its workers, hold the lock together. The operating system drops it
with the last of them, so that a killed audit blocks nobody.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from audit.core.errors import AuditError
from audit.core.records import Record
from audit.record import record

if TYPE_CHECKING:
    from audit.core.measurement import Sheet
    from audit.inference.predictions import Predictions

try:
    import fcntl
except ImportError:  # Windows: the lock file still tells whose folder it is to the processes of one audit
    fcntl = None  # type: ignore[assignment]

LOCK, FORMER, NEW = ".audit.lock", ".audit.former", ".audit.new"
# Scripts trust the record, so it is removed first and written last.
FILES = (
    record.NAME, record.DIGEST, record.REPORT, record.SUMMARY, record.BADGE, record.TABLE, record.PREDICTIONS,
    *record.SHEETS,
)  # fmt: skip


class Output:
    """The output folder, as one process of an audit sees it.

    Parameters
    ----------
    folder : Path
    audit : str
        The same for all processes of this audit, and for those of no other.
    """

    def __init__(self, folder: Path, audit: str) -> None:
        self.folder = folder
        self._audit = audit
        self._file: int | None = None

    @property
    def _lock(self) -> Path:
        return self.folder / LOCK

    @property
    def _former(self) -> Path:
        return self.folder / FORMER

    def claim(self) -> None:
        """Lock the folder; the first process of the audit also takes the former verdict from it.

        Raises
        ------
        AuditError
            If another audit is at work in the folder, or it cannot be written; no former verdict is left in it then.
        """
        with self._writing():
            is_first = self._enter(self._make())
        if is_first:
            try:
                with self._writing():
                    self._set_aside()
            except BaseException:
                self.release()  # the audit's other processes wait for it
                raise
        # Downgrade the exclusive lock to a shared one; another audit may have taken the folder in between.
        assert self._file is not None
        _lock(self._file, exclusive=False)
        if self._owner() != self._audit:
            self.close()
            raise self._occupied()

    def join(self) -> bool:
        """Hold the lock too, where a process of this audit claimed the folder; whether this process holds it."""
        if self._file is None and self._owner() == self._audit:
            with suppress(AuditError, OSError):
                self._enter([])
        return self._file is not None

    def aside(self, path: Path) -> Path:
        """Where a file of the former audit lies while this one is at work: elsewhere, if it was in this folder."""
        resolved = path.resolve()
        is_ours = resolved.name in FILES and resolved.parent == self.folder.resolve()
        return self._former / resolved.name if is_ours and self._former.is_dir() else path

    def keep_predictions(self, predictions: Predictions) -> None:
        """Write what the model said of the test data beside the record-to-be.

        Raises
        ------
        AuditError
            If it cannot be written; no verdict is left in the folder then.
        """
        with self._writing():
            record.write_predictions(self.folder, predictions)

    def keep_sheets(self, sheets: Iterable[Sheet]) -> None:
        """Write what a probe leaves for whoever works on the data.

        Raises
        ------
        AuditError
            As :meth:`keep_predictions`.
        """
        with self._writing():
            for sheet in sheets:
                record.write_sheet(self.folder, sheet)

    def publish(self, value: Record) -> Record:
        """Put page, summary and badge of a record into the folder, and the record last.

        Returns
        -------
        Record
            The record, with what tells its predictions from those of another audit.

        Raises
        ------
        AuditError
            If the folder is another audit's by now, or cannot be written; no verdict of this audit is left then.
        """
        if not self.join():
            raise self._occupied()
        new = self.folder / NEW
        with self._writing():
            whole: Record = {**value, "predictions": record.seal(self.folder, value)}
            texts = rendered(whole)
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            for name, text in texts.items():
                (new / name).write_bytes(text.encode())  # as it was hashed, whatever line ends the system has
            try:
                for name in reversed(texts):
                    os.replace(new / name, self.folder / name)
            except KeyboardInterrupt:
                self._discard()
                raise
        for folder in (new, self._former):
            shutil.rmtree(folder, ignore_errors=True)
        return whole

    def restore(self) -> None:
        """Bring the former audit's files back, for an audit that could not start; nothing of its own is left."""
        if not self.join():
            return
        with suppress(OSError):
            if self._former.is_dir():
                for name in reversed(FILES):
                    if os.path.lexists(self._former / name):
                        os.replace(self._former / name, self.folder / name)
                    else:
                        (self.folder / name).unlink(missing_ok=True)
                self._former.rmdir()
        created = self._lines()[1:]
        self.release()
        for path in created:
            with suppress(OSError):
                os.rmdir(path)

    def abandon(self) -> None:
        """Leave the former audit marked as incomplete, for an audit that started and could not go on."""
        if self.join():
            shutil.rmtree(self._former, ignore_errors=True)
            self.release()

    def release(self) -> None:
        """Give the folder back, for all processes of the audit."""
        if self._file is not None:
            with suppress(OSError):
                self._lock.unlink()
        self.close()

    def close(self) -> None:
        """Let this process's hold on the folder go."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _make(self) -> list[Path]:
        """Make the folder; gives what had to be created, innermost first."""
        places = (self.folder, *self.folder.parents)
        created = [path for path in places if not os.path.lexists(path)]
        nearest = places[len(created)]
        if nearest.is_symlink() and not nearest.exists():
            raise AuditError(
                f"--audit-out {self.folder}: {nearest} is a symbolic link to nowhere; "
                "create what it points to, or choose another folder."
            )
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        self.folder.mkdir(parents=True, exist_ok=True)
        return created

    def _enter(self, created: list[Path]) -> bool:
        """Lock the folder, together with other processes of this audit; whether this is the first of them.

        The first holds the lock alone until :meth:`claim` shares it.
        """
        while True:
            file = os.open(self._lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
            try:
                alone = _lock(file, exclusive=True)
                if not alone:
                    _lock(file, exclusive=False)
                if not self._is_current(file):
                    continue  # the audit that held it has removed it
                is_ours = self._owner() == self._audit
                if not is_ours and not alone:
                    raise self._occupied()
                if not is_ours:
                    content = "\n".join([self._audit, *map(str, created)]).encode("utf-8", "surrogateescape")
                    os.ftruncate(file, 0)
                    if os.write(file, content) < len(content):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                else:
                    _lock(file, exclusive=False)
                self._file, file = file, -1
                return not is_ours
            finally:
                if file >= 0:
                    os.close(file)

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._lock))
        except FileNotFoundError:
            return False

    def _lines(self) -> list[str]:
        """The audit that the folder belongs to, and the folders that it created."""
        try:
            return self._lock.read_bytes().decode("utf-8", "surrogateescape").split("\n")
        except OSError:
            return [""]

    def _owner(self) -> str:
        return self._lines()[0]

    def _set_aside(self) -> None:
        """Take the former files out of the folder at once; then mark their record incomplete."""
        for name in FILES:
            if (self.folder / name).is_dir():
                raise AuditError(
                    f"--audit-out {self.folder}: {name} is a folder there, and the audit writes a file of that name; "
                    "move it away, or choose another folder."
                )
        for killed in (self._former, self.folder / NEW):
            if killed.exists():
                shutil.rmtree(killed)
        for name in FILES:
            for killed in self.folder.glob(f".{name}.*"):
                killed.unlink()
        self._former.mkdir(mode=0o700)
        for name in FILES:
            with suppress(FileNotFoundError):
                os.replace(self.folder / name, self._former / name)
        if (marked := record.mark_incomplete(self._former, self.folder)) is not None:
            from audit.report import files as report_files

            report_files.write(self.folder, *marked)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Leave no verdict behind where writing fails; to unlink needs no space."""
        try:
            yield
        except OSError as error:
            self._discard()
            reason = os.strerror(error.errno) if error.errno else "the disk refuses it"
            is_left = os.path.lexists(self.folder / record.NAME)
            gone = "" if is_left else ", and no record is left in it"
            raise AuditError(
                f"--audit-out {self.folder}: the folder cannot be written ({reason}){gone}; make room in it, or choose "
                "another."
            ) from None

    def _discard(self) -> None:
        """Remove every verdict from the folder."""
        for name in FILES:
            with suppress(OSError):
                (self.folder / name).unlink()
        for folder in (self._former, self.folder / NEW):
            shutil.rmtree(folder, ignore_errors=True)

    def _occupied(self) -> AuditError:
        return AuditError(
            f"--audit-out {self.folder}: another audit is at work in this folder; wait for its end, or choose another "
            "folder."
        )


def rendered(value: Record) -> dict[str, str]:
    """A record and all that is made of it, by the name of the file."""
    from audit.report import files as report_files

    text = record.as_text(value)
    pages = report_files.texts(value, record.digest(text))
    return {record.NAME: text, record.DIGEST: record.checksum(text)} | pages


def _lock(file: int, *, exclusive: bool) -> bool:
    """Lock an open file, alone if nobody else holds it or together with others; whether that could be had."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a disk that knows no locks keeps nobody from working
    return True
