"""The time limit of a test that measures: an alarm in the test, a watchdog for where Python does not run."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from audit.core.errors import AuditError
from audit.plugin.findings import challenge, declared_ids
from audit.plugin.state import STATE, Run


@contextlib.contextmanager
def watched(run: Run, item: pytest.Item) -> Iterator[None]:
    """Limit the time of a test that measures, and leave word of it where another process can tell its end."""
    session, declared = run.session, declared_ids(item)
    limit = session.policy.audit.timeout_s if session is not None else 0
    if session is None or not declared or not (limit or run.is_worker):
        yield
        return
    from audit.run.watchdog import Watchdog

    try:
        path = _leave_word(run, item, limit)
    except AuditError as error:
        run.unwatched = str(error)
        yield
        return
    if not limit:
        yield
        return
    if run.watchdog is None:
        run.watchdog = Watchdog(limit, path, writes=not run.is_worker)
    run.watchdog.begin()
    try:
        yield
    finally:
        run.watchdog.end()


def _leave_word(run: Run, item: pytest.Item, limit: float) -> Path:
    """Write down what another process must know if this one does not survive the test; gives the file."""
    from audit.core.cache import timestamp
    from audit.run import watchdog

    assert run.session is not None
    session, declared = run.session, declared_ids(item)
    path = run.notes_of(run.workerinput["workerid"] if run.is_worker else "main")
    watchdog.note(
        path,
        test=item.nodeid,
        limit=limit,
        running=[session.decisions.error(name, "", challenge(item)).recorded for name in declared],
        # A worker's findings have reached the controller, which writes the record.
        findings=[] if run.is_worker else run.findings,
        facts=[session.ledger.facts(run.model, run.scorers)],
        folder=str(run.output.folder),
        audit=run.audit,
        created=timestamp(run.started),
        begun=run.begun,
    )
    return path


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """End a test that takes too long while its fixtures are made; do not begin one whose time cannot be limited."""
    if unwatched := item.config.stash[STATE].unwatched:
        raise AuditError(unwatched)
    with _alarm(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """End a test that takes too long."""
    with _alarm(item):
        return (yield)


@contextlib.contextmanager
def _alarm(item: pytest.Item) -> Iterator[None]:
    """Raise in the test when its time is up. Where Python does not run, the watchdog ends the whole process."""
    watchdog = item.config.stash[STATE].watchdog
    if watchdog is None or not declared_ids(item) or threading.current_thread() is not threading.main_thread():
        yield
        return
    from audit.run.watchdog import TimeUp, too_long

    def ring(*_: object) -> None:
        raise TimeUp(too_long(watchdog.limit))

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(watchdog.left, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
