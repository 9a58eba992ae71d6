"""What :mod:`audit.cluster.connection` relies on in Ray, of the version that is installed.

A failure here names what a new version has changed: mend the adapter, then raise the bound in pyproject.toml.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import pytest

from audit.cluster import connection
from audit.cluster.connection import Connection

ray = pytest.importorskip("ray")
CHANGED = f"Ray {version('ray')} is not as audit/cluster/connection.py needs it: "


def print_one_error(message: str) -> None:
    """What Ray's thread does that listens for lost workers, with one error to tell before the connection breaks."""
    from ray._private import worker

    def poll() -> Iterator[tuple[bytes, dict[str, object]]]:
        yield b"", {"job_id": None, "error_message": message}
        raise ConnectionError

    answers = poll()
    subscriber = SimpleNamespace(subscribe=lambda: None, poll=lambda: next(answers))
    listener = SimpleNamespace(gcs_error_subscriber=subscriber, current_job_id=ray.JobID.nil())
    worker.listen_error_messages(listener, SimpleNamespace(is_set=lambda: False))


def test_what_ray_says_of_a_lost_worker_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    for message in ("a worker died", "out of memory"):  # Ray drops what differs from the last one by digits alone
        print_one_error(message)
        assert message in capsys.readouterr().out, f"{CHANGED}errors reach the terminal by another way"
        with connection.silence():
            print_one_error("a node is gone")
        captured = capsys.readouterr()
        assert not captured.out + captured.err, f"{CHANGED}print_to_stdstream is not looked up when an error comes"


@pytest.mark.slow("starts a Ray cluster", seconds=15)
@pytest.mark.xdist_group("cluster")
def test_a_cluster_of_its_own_lies_in_a_private_folder_and_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ray.is_initialized():
        pytest.skip("another test has a cluster")
    monkeypatch.setenv("HOME", str(tmp_path))
    own = Connection(None, 1)
    try:
        assert own.folder is not None
        sessions = list(Path(own.folder, "ray").glob("session_*"))
        assert sessions, f"{CHANGED}_temp_dir is not where a session's files lie"
        assert stat.S_IMODE(os.stat(own.folder).st_mode) == 0o700
        assert not list(tmp_path.rglob("*token*")), f"{CHANGED}it leaves a token in the user's home"
        assert not Connection(None, 1).folder  # what is connected already is used
    finally:
        own.close()
    assert not ray.is_initialized()
    assert not Path(own.folder).exists()
