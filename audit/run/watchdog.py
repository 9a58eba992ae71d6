"""Ends a process whose probe hangs where Python cannot end it, with a correct record. A small process of its own.

A C function that holds the interpreter's lock stops every thread of its process, so only another process can act. The
audited process writes what is known into a file (:func:`note`) before each test, sends one byte when the test begins
and one when it ends, and waits for an answer to the latter: once the watchdog acts, nobody else writes the record.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from audit.core.errors import AuditError
from audit.core.records import FindingRecord
from audit.core.verdict import Verdict

if TYPE_CHECKING:
    from audit.record.record import Facts

GRACE_S = 5  # for a probe that Python ends by itself to come to its end
_BEGIN, _END, _GO_ON = b"b", b"e", b"g"


class Known(TypedDict):
    """What is known of an audit before a test of it begins: enough to write its record without the process."""

    test: str
    limit: float
    running: Sequence[FindingRecord]
    findings: Sequence[FindingRecord]
    facts: Sequence[Facts]
    folder: str
    audit: str
    created: str
    begun: float


class Notes(Known):
    """What :func:`note` wrote down, and when."""

    since: float


class TimeUp(BaseException):
    """A probe took too long; no ordinary exception, which the probe's own code might take for one of its own."""


def too_long(limit: float) -> str:
    """Why a probe that took longer than the policy allows is an error."""
    return f"the probe took longer than [audit] timeout_s = {limit:g}"


class Watchdog:
    """The audited process' side: a limit on each of its tests."""

    def __init__(self, limit: float, notes: Path, *, writes: bool) -> None:
        self.limit = limit
        self._since = 0.0
        arguments = [str(os.getpid()), str(limit + GRACE_S), str(notes), str(int(writes))]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "audit.run.watchdog", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._hangup = signal.getsignal(signal.SIGHUP)
        if writes and self._hangup is signal.SIG_DFL:
            # C's `_exit` is the handler: it works while Python is blocked, and exits with SIGHUP's number, 1.
            libc = ctypes.CDLL(None)
            libc.signal.argtypes, libc.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p
            libc.signal(signal.SIGHUP, ctypes.cast(libc._exit, ctypes.c_void_p))

    def begin(self) -> None:
        """A test begins."""
        self._since = time.monotonic()
        self._send(_BEGIN)

    def end(self) -> None:
        """A test has ended; does not come back if the watchdog has decided otherwise."""
        self._send(_END)
        assert self._process.stdout is not None
        self._process.stdout.read(1)

    @property
    def left(self) -> float:
        """Seconds that are left to the test."""
        return self.limit - (time.monotonic() - self._since)

    def close(self) -> None:
        """Leave the process alone from now on."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        signal.signal(signal.SIGHUP, self._hangup)

    def _send(self, byte: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(byte)


def note(path: Path, **known: Unpack[Known]) -> None:
    """Write down what is known before a test begins.

    Raises
    ------
    AuditError
        If it cannot be written.
    """
    try:
        path.write_text(json.dumps({"since": time.monotonic(), **known}), "utf-8")
    except OSError as error:
        raise AuditError(
            f"{path.parent}: the folder for temporary files cannot be written ({error.strerror}), and without it no "
            "test's time can be limited; make room in it, or name another with the environment variable TMPDIR."
        ) from None


def notes(path: Path) -> Notes:
    """What was written down last."""
    written: Notes = json.loads(path.read_text("utf-8"))
    return written


def errors(known: Notes, reason: str) -> list[FindingRecord]:
    """The findings of a test whose process did not survive it; too long a time is the reason that counts."""
    limit = known["limit"]
    if limit and time.monotonic() - known["since"] > limit:
        reason = too_long(limit)
    return [{**finding, "verdict": str(Verdict.ERROR), "reason": reason} for finding in known["running"]]


def _watch(pid: int, seconds: float, path: Path, *, writes: bool) -> None:
    """Wait for tests to begin and to end; end the process when one does not."""
    while os.read(0, 1) == _BEGIN:
        if select.select([0], [], [], seconds)[0]:
            if os.read(0, 1) != _END:
                break
            os.write(1, _GO_ON)
            continue
        try:
            if writes:
                _write(notes(path))
        finally:
            _kill(pid, gently=writes)
        break
    if writes:
        # The process that removes the file in the usual case may have been killed.
        shutil.rmtree(path.parent, ignore_errors=True)


def _write(known: Notes) -> None:
    """Write the record of an audit that ends in this test."""
    from audit.core.verdict import merge
    from audit.record import record
    from audit.run.output import Output

    reason = too_long(known["limit"])
    value = record.build(
        merge([*known["findings"], *errors(known, reason)]),
        known["facts"],
        failed=True,
        interrupted=True,
        created=known["created"],
        duration_s=time.monotonic() - known["begun"],
    )
    output = Output(Path(known["folder"]), known["audit"])
    try:
        output.publish(value)
    finally:
        output.release()
    names = ", ".join(finding["id"] for finding in known["running"])
    print(f"\nERROR: {names}: {reason}, in code that Python cannot end; the audit ends here.", file=sys.stderr)


def _kill(pid: int, *, gently: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if gently:
            os.kill(pid, signal.SIGHUP)
            # When the process ends, its end of the pipe closes and the select returns.
            if select.select([0], [], [], GRACE_S)[0]:
                return
        os.kill(pid, signal.SIGKILL)


def main(arguments: Sequence[str]) -> None:
    """Watch a process."""
    # Ctrl-C goes to the whole process group; the watchdog survives it and ends with the audited process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pid, seconds, path, writes = arguments
    _watch(int(pid), float(seconds), Path(path), writes=writes == "1")


if __name__ == "__main__":
    main(sys.argv[1:])
