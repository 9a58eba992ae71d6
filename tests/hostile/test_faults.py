"""Faults of the machine while an audit runs: each ends in a correct record or in one sentence, and never in a pass."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from audit.run import watchdog
from tests.helpers import MADE, Runner, WritePolicy
from tests.plugin.test_blocking import GATES, HOLDS, accuracy, passing
from tests.plugin.test_plugin import QUALITY
from tests.run.test_output import passed, released, sentence, started

# ---- memory that runs out

MEMORY = {
    "an array": "import numpy; numpy.empty(2**60)",
    "a tensor": "import torch; torch.empty(2**50)",
    "Python's own": "raise MemoryError",
    "a text": "'x' * 2**62",
}


@pytest.mark.parametrize("of", MEMORY)
def test_memory_that_runs_out_is_an_error_and_the_audit_goes_on(
    run: Runner, write_policy: WritePolicy, of: str
) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(MADE + accuracy(MEMORY[of]) + HOLDS)
    assert run().ret == 1
    assert run.finding("quality.accuracy")["verdict"] == "error"
    assert run.finding("quality.macro_f1")["verdict"] == "pass"
    assert run.record["verdict"] == "fail"
    assert not passing(run.pytester.path / "reports")


# ---- a clock that goes back


def test_a_clock_that_goes_back_changes_no_verdict_and_no_duration(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_policy(**GATES, audit="timeout_s = 100")
    run.pytester.makepyfile(MADE + HOLDS + accuracy('audit.check(measured("quality.accuracy", 0.9, 0.8, 0.95))'))
    now, steps = time.time(), itertools.count()
    monkeypatch.setattr(time, "time", lambda: now - 3600 * next(steps))
    assert run().ret == 0
    assert run.record["findings"][0]["verdict"] == "pass"
    assert 0 <= run.record["duration_s"] < 100
    assert all(phase["seconds"] >= 0 for phase in run.record["energy"]["phases"])


def test_a_clock_that_goes_back_hides_no_probe_that_hung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes.json"
    running = [{"id": "quality.accuracy"}]
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    watchdog.note(path, limit=10.0, running=running)  # type: ignore[call-arg, arg-type]
    monkeypatch.setattr(time, "monotonic", lambda: 111.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    (found,) = watchdog.errors(watchdog.notes(path), "ended from outside")
    assert found["reason"] == "the probe took longer than [audit] timeout_s = 10"


# ---- signals

SLOW = """
    import time

    @pytest.mark.measures("quality.macro_f1")
    def test_macro_f1(audit):
        open("waits", "w").close()
        time.sleep(100)
"""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have Ctrl-C end processes that are started, though these tests may run in the background of a shell."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.slow("audits in processes of their own, imports included", seconds=12)
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_partial_record_and_never_the_former_pass(
    run: Runner, write_policy: WritePolicy, number: signal.Signals
) -> None:
    folder = passed(run, write_policy)
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }\nmacro_f1 = { min = 0.01 }"})
    run.pytester.makepyfile(test_slow=MADE + SLOW)
    audit = started(run)
    try:
        while not (run.pytester.path / "waits").exists():
            assert audit.poll() is None
            time.sleep(0.01)
        audit.send_signal(number)
        output = audit.communicate(timeout=120)[0]
    finally:
        audit.kill()
    assert audit.returncode == (2 if number == signal.SIGINT else -number), output
    assert released(folder) == set()
    assert (run.record["verdict"], run.record["complete"]) == ("incomplete", False)
    if number == signal.SIGINT:
        assert (run.finding("quality.accuracy")["verdict"], run.record["interrupted"]) == ("pass", True)


# ---- no room for what is only written down meanwhile


@pytest.mark.parametrize("what", ["the notes of a watchdog", "the folder of the notes"])
def test_a_full_disk_for_temporary_files_is_one_sentence_and_no_pass(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder = passed(run, write_policy)
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }"}, audit="timeout_s = 100")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if what == "the notes of a watchdog":
        monkeypatch.setattr(watchdog, "json", SimpleNamespace(dumps=full))
    else:
        monkeypatch.setattr("tempfile.mkdtemp", full)
    result = run()
    assert result.ret == 4
    assert "No space left on device" in sentence(result.stdout.str(), result.stderr.str())
    assert released(folder) == set()


# ---- a folder that may not be written


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(run: Runner, write_policy: WritePolicy) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(QUALITY)
    closed = run.pytester.path / "closed"
    closed.mkdir(mode=0o500)
    result = run("--audit-out", str(closed / "reports"))
    assert result.ret == 4
    assert "Permission denied" in sentence(result.stdout.str(), result.stderr.str())
