"""The output folder: no former verdict outlives the start of an audit, none is half written, nobody else is at it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.core.errors import AuditError
from audit.core.measurement import Sheet
from audit.record import record
from audit.run.output import FILES, FORMER, LOCK, NEW, Output
from tests.helpers import ARTIFACT, Runner, WritePolicy, is_one_sentence
from tests.plugin.test_plugin import QUALITY, quality_suite
from tests.record.test_record import build, finding

GATES = {"gates.quality": "accuracy = { min = 0.05 }"}
# What leaves a sheet beside the record.
SHEET = """
    @pytest.mark.measures("quality.label_noise")
    def test_label_noise(audit, predictions):
        from audit.probes.quality.labels import label_noise

        audit.check(label_noise(predictions))
"""
WORKERS = pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
# The same suite, in which the process dies as soon as the data are asked for; its workers and controller with it.
KILLED = """
    import os, signal
    from audit.data import examples as data

    def load(*arguments):
        os.killpg(os.getpgid(0), signal.SIGKILL)

    data.load = load
"""


def started(run: Runner, *arguments: str) -> subprocess.Popen[str]:
    """An audit in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *run.options, *arguments], cwd=run.pytester.path, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def passed(run: Runner, write_policy: WritePolicy, suite: str = QUALITY) -> Path:
    """The folder of an audit that passed."""
    write_policy(**GATES)
    run.pytester.makepyfile(suite, test_security=ARTIFACT)
    assert run().ret == 0
    folder = run.pytester.path / "reports"
    assert released(folder) == {"record", "page", "summary", "badge"}
    return folder


def released(folder: Path) -> set[str]:
    """Which of the files in a folder say that the model may ship."""
    words = {
        "record": (record.NAME, '"verdict": "pass",\n "complete"'),
        "page": (record.REPORT, "All limits hold"),
        "summary": (record.SUMMARY, "All limits hold: "),
        "badge": (record.BADGE, "all limits hold"),
    }
    return {
        each
        for each, (name, word) in words.items()
        if (folder / name).exists() and word in (folder / name).read_text("utf-8")
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def sentence(*outputs: str) -> str:
    """The one sentence that a user is shown where an audit cannot go on."""
    output = "\n".join(outputs)
    assert "Traceback" not in output
    (line,) = {line for line in output.splitlines() if line.startswith("ERROR: ")}
    assert is_one_sentence(line)
    return line


# ---- the former verdict


@pytest.mark.slow("audits in processes of their own", seconds=4)
@WORKERS
def test_killed_before_the_data_are_read_no_former_pass_is_left(
    run: Runner, write_policy: WritePolicy, workers: tuple[str, ...]
) -> None:
    folder = passed(run, write_policy)
    run.pytester.makeconftest(KILLED)
    assert started(run, *workers).wait(120) == -signal.SIGKILL
    value = record.read(folder / record.NAME)
    assert (value["verdict"], value["complete"], value["restarted"]) == ("incomplete", False, True)
    assert released(folder) == set()
    assert not (folder / record.PREDICTIONS).exists()


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=8)
@WORKERS
@pytest.mark.parametrize("late", [False, True], ids=["data", "model"])
def test_an_audit_that_cannot_start_leaves_the_former_one_as_it_was(
    run: Runner, write_policy: WritePolicy, untrained: Path, workers: tuple[str, ...], late: bool
) -> None:
    folder = passed(run, write_policy)
    before = contents(folder)
    broken = run.pytester.path / "model"
    shutil.copytree(untrained, broken)
    (broken / "tokenizer.json").write_text("{", "utf-8")
    write_policy(**GATES, **({"model": f'source = "{broken}"'} if late else {"data": 'test = "missing.csv"'}))
    result = run(*workers)
    assert result.ret == 4
    sentence(result.stdout.str(), result.stderr.str())
    assert contents(folder) == before


def test_a_folder_that_was_created_for_nothing_is_removed(tmp_path: Path) -> None:
    output = Output(tmp_path / "new" / "reports", "a")
    output.claim()
    output.restore()
    assert list(tmp_path.iterdir()) == []


def test_a_former_record_that_is_none_is_not_marked_but_gone(tmp_path: Path) -> None:
    (tmp_path / record.NAME).write_text('{"verdict": "pass"}', "utf-8")
    (tmp_path / record.REPORT).write_text("All limits hold", "utf-8")
    output = Output(tmp_path, "a")
    output.claim()
    assert not {path.name for path in tmp_path.iterdir()} & set(FILES)
    output.restore()
    assert {path.name for path in tmp_path.iterdir()} == {record.NAME, record.REPORT}


def test_a_record_of_schema_1_is_marked_and_its_page_made_anew(tmp_path: Path) -> None:
    former = (Path(__file__).parents[1] / "record" / "schema1.json").read_text("utf-8")
    (tmp_path / record.NAME).write_text(former, "utf-8")
    output = Output(tmp_path, "a")
    output.claim()
    marked = record.read(tmp_path / record.NAME)
    assert (marked["verdict"], marked["restarted"]) == ("incomplete", True)
    assert "Incomplete" in (tmp_path / record.REPORT).read_text("utf-8")
    output.restore()
    assert (tmp_path / record.NAME).read_text("utf-8") == former


def test_what_a_killed_audit_left_is_removed(tmp_path: Path) -> None:
    record.write(tmp_path, build([finding()]))
    for name in (FORMER, NEW):
        (tmp_path / name).mkdir()
        (tmp_path / name / record.NAME).write_text("{}", "utf-8")
    (tmp_path / f".{record.PREDICTIONS}.abcd").write_text("half", "utf-8")
    (tmp_path / LOCK).write_text("another audit\n/etc", "utf-8")
    output = Output(tmp_path, "a")
    output.claim()
    output.publish(build([finding()]))
    output.release()
    assert {path.name for path in tmp_path.iterdir()} == set(FILES) - {record.PREDICTIONS, *record.SHEETS}


def test_a_former_list_of_labels_goes_with_its_audit(tmp_path: Path) -> None:
    (tmp_path / record.RELABEL).write_text("row\n7\n", "utf-8")
    output = Output(tmp_path, "a")
    output.claim()
    assert not (tmp_path / record.RELABEL).exists()
    output.keep_sheets([Sheet(record.RELABEL, ["row"], [[3]])])
    assert (tmp_path / record.RELABEL).read_bytes() == b"row\r\n3\r\n"
    output.restore()
    assert (tmp_path / record.RELABEL).read_text("utf-8") == "row\n7\n"


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=6)
@WORKERS
def test_the_former_audit_may_be_the_one_in_the_folder(
    run: Runner, write_policy: WritePolicy, workers: tuple[str, ...]
) -> None:
    write_policy(**{"gates.quality": "accuracy = { min = 0.05 }\nregression = { min = -0.01 }"})
    quality_suite(run)
    run("-k", "accuracy")
    former = run.record
    assert run("-k", "accuracy or regression", "--audit-baseline", "reports", *workers).ret == 0
    assert run.finding("quality.regression")["estimate"] == 0
    assert run.record["baseline"]["verdict"] == former["verdict"]


# ---- a disk that is full


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=5)
@WORKERS
@pytest.mark.parametrize("room", [10, 1_000])
def test_where_nothing_can_be_written_no_former_verdict_stays(
    run: Runner, write_policy: WritePolicy, workers: tuple[str, ...], room: int
) -> None:
    folder = passed(run, write_policy)
    run.pytester.makeconftest(f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))")
    audit = started(run, "-s", *workers)
    output = audit.communicate(timeout=120)[0]
    assert audit.returncode == 4, output
    assert "cannot be written" in sentence(output)
    assert not any((folder / name).exists() for name in FILES)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Makes a file system that is full with the files of a folder."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")

    def fill(folder: Path) -> Path:
        shutil.copytree(folder, disk / "reports")
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while ballast.write(bytes(4096)):
                pass
        return disk / "reports"

    yield fill
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow("audits in processes of their own", seconds=3)
def test_a_full_disk_is_one_sentence_and_leaves_no_former_verdict(
    run: Runner, write_policy: WritePolicy, full: Callable[[Path], Path]
) -> None:
    folder = full(passed(run, write_policy))
    result = run("--audit-out", str(folder))
    assert result.ret == 4
    assert "No space left on device" in sentence(result.stdout.str(), result.stderr.str())
    assert not any((folder / name).exists() for name in FILES)


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=8)
@pytest.mark.parametrize(
    ("name", "workers"),
    [*((name, ()) for name in FILES), (record.REPORT, ("-n", "2")), (record.NAME, ("-n", "2"))],
)
def test_the_disk_fills_while_results_are_written(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch, name: str, workers: tuple[str, ...]
) -> None:
    folder = passed(run, write_policy, QUALITY + SHEET)
    monkeypatch.setattr(os, "replace", os.replace)  # what the plug-in below puts there is taken back
    run.pytester.makeconftest(
        f"""
        import errno, os, pytest

        replace = os.replace

        def full(source, target):
            if str(target) == {str(folder / name)!r}:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
            replace(source, target)

        def pytest_runtest_setup(item):  # the former verdict is marked by now
            os.replace = full

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish(session):
            os.replace = full
        """
    )
    result = run(*workers)
    assert result.ret == 4
    assert "No space left on device" in sentence(result.stdout.str(), result.stderr.str())
    assert not any((folder / name).exists() for name in FILES)


def test_a_failure_while_results_are_put_in_their_place_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(tmp_path, "a")
    output.claim()
    replace = os.replace

    def stopped(source: Path, target: Path) -> None:
        if target.name == record.NAME:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        output.publish(build([finding()]))
    assert not any((tmp_path / name).exists() for name in FILES)


# ---- predictions belong to their record

OTHER = """
    def test_that_only_reads_the_policy(audit, policy):
        pass
"""


def test_an_audit_without_predictions_leaves_none_of_another(run: Runner, write_policy: WritePolicy) -> None:
    folder = passed(run, write_policy, QUALITY + OTHER)
    assert run.record["predictions"]["fingerprint"] == run.record["model"]["fingerprint"]
    run("-k", "only_reads")
    assert not (folder / record.PREDICTIONS).exists()
    assert run.record["predictions"] is None


def swap(path: Path) -> None:
    names = {"p(negative)": "p(positive)", "p(positive)": "p(negative)"}
    table = pq.read_table(path)
    pq.write_table(table.rename_columns([names.get(name, name) for name in table.column_names]), path)


def shorten(path: Path) -> None:
    pq.write_table(pq.read_table(path)[1:], path)


def improve(path: Path) -> None:
    """Those of a model that is always right."""
    columns = pq.read_table(path).to_pydict()
    for name in ("negative", "neutral", "positive"):
        columns[f"p({name})"] = [float(label == name) for label in columns["label"]]
    pq.write_table(pa.table(columns), path)


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of a former version"])
@pytest.mark.parametrize("change", [None, swap, shorten, improve])
def test_predictions_that_are_not_those_of_the_record_are_no_baseline(
    run: Runner, write_policy: WritePolicy, change: Callable[[Path], None] | None, sealed: bool
) -> None:
    write_policy(**GATES)
    quality_suite(run)
    run("-k", "accuracy", "--audit-out", "v1")
    folder = run.pytester.path / "v1"
    value = json.loads((folder / record.NAME).read_text("utf-8"))
    if not sealed:
        del value["predictions"]
        (folder / record.NAME).write_text(json.dumps(value), "utf-8")
        (folder / record.DIGEST).unlink()
    if change is not None:
        change(folder / record.PREDICTIONS)
    result = run("-k", "regression", "--audit-baseline", "v1")
    if change is None:
        assert result.ret == 0
        assert run.finding("quality.regression")["estimate"] == 0
    else:
        assert result.ret == 4
        assert "not the predictions that audit.json" in sentence(result.stdout.str(), result.stderr.str())


def test_predictions_beside_a_record_that_made_none_are_no_baseline(tmp_path: Path) -> None:
    table = pa.table({"text_sha256": ["a"], "label": ["x"], "occurrence": [0], "p(x)": [1.0]})
    pq.write_table(table, tmp_path / record.PREDICTIONS)
    value = build([]) | {"predictions": None}
    with pytest.raises(AuditError, match="not the predictions"):
        record.read_predictions(tmp_path / record.PREDICTIONS, value)


# ---- two at once, and what is no folder and no file

WAITING = (
    QUALITY
    + """
    def test_that_waits(audit, predictions):
        import time
        from pathlib import Path
        while not Path("go").exists():
            time.sleep(0.05)
"""
)


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=10)
@WORKERS
def test_of_two_audits_in_a_folder_the_second_is_refused(
    run: Runner, write_policy: WritePolicy, workers: tuple[str, ...]
) -> None:
    write_policy(**GATES)
    run.pytester.makepyfile(WAITING, test_security=ARTIFACT)
    folder = run.pytester.path / "reports"
    first = started(run, *workers)
    try:
        while not (folder / record.PREDICTIONS).exists():
            assert first.poll() is None, first.communicate()[0]
            time.sleep(0.05)
        # The workers of the first each write its predictions, by a file of another name.
        before = {
            path: content for path, content in contents(folder).items() if f".{record.PREDICTIONS}." not in str(path)
        }
        for arguments in ((), ("-n", "2")):
            result = run("-k", "accuracy", *arguments)
            assert result.ret == 4
            assert "another audit is at work" in sentence(result.stdout.str(), result.stderr.str())
        after = {
            path: content for path, content in contents(folder).items() if f".{record.PREDICTIONS}." not in str(path)
        }
        assert after == before
    finally:
        (run.pytester.path / "go").touch()
        output = first.communicate(timeout=120)[0]
    assert first.returncode == 0, output
    assert released(folder) == {"record", "page", "summary", "badge"}
    assert {path.name for path in folder.iterdir()} == set(FILES) - set(record.SHEETS)


def test_an_output_folder_that_is_a_link_to_nowhere_is_exit_4(run: Runner, write_policy: WritePolicy) -> None:
    write_policy()
    run.pytester.makepyfile(QUALITY)
    (run.pytester.path / "reports").symlink_to("nowhere")
    result = run()
    assert result.ret == 4
    assert "symbolic link to nowhere" in sentence(result.stdout.str(), result.stderr.str())
    assert not (run.pytester.path / "nowhere").exists()


def test_a_folder_under_the_name_of_a_file_is_left_alone(tmp_path: Path) -> None:
    record.write(tmp_path, build([finding()]))
    (tmp_path / record.REPORT).mkdir()
    output = Output(tmp_path, "a")
    with pytest.raises(AuditError, match="move it away"):
        output.claim()
    output.restore()
    assert {path.name for path in tmp_path.iterdir()} == {record.NAME, record.REPORT}


def pipe(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.forks
@pytest.mark.slow("audits in processes of their own", seconds=4)
@pytest.mark.parametrize("case", ["policy", "data", "pairs", "model", "record", "baseline", "predictions", "metric"])
def test_a_pipe_in_the_place_of_a_file_is_exit_4_and_nobody_waits_for_it(
    run: Runner, write_policy: WritePolicy, untrained: Path, reviews: Path, case: str
) -> None:
    here = run.pytester.path
    run.pytester.makepyfile(QUALITY)
    arguments: list[str] = []
    sections = {
        "data": {"data": f'test = "{here}/test.csv"'},
        "pairs": {"data": f'test = "{reviews}/test.csv"\npairs = "{here}/pairs.csv"'},
        "model": {"model": f'source = "{here}/model"'},
        "metric": {"quality": 'metrics = ["./cost.py"]'},
    }
    write_policy(**sections.get(case, {}))
    if case == "policy":
        arguments = ["--audit-policy", str(pipe(here / "other.toml"))]
    elif case in ("data", "pairs", "metric"):
        pipe(here / {"data": "test.csv", "pairs": "pairs.csv", "metric": "cost.py"}[case])
    elif case == "model":
        shutil.copytree(untrained, here / "model")
        (here / "model" / "tokenizer.json").unlink()
        pipe(here / "model" / "tokenizer.json")
    elif case == "predictions":
        record.write(here / "v1", build([finding()]))
        pipe(here / "v1" / record.PREDICTIONS)
        arguments = ["--audit-baseline", "v1"]
    else:
        path = pipe(here / "v1" / record.NAME)
        arguments = ["--audit-baseline", str(path if case == "record" else path.parent)]
    audit = started(run, *arguments)
    try:
        output = audit.communicate(timeout=120)[0]
    finally:
        audit.kill()
    assert audit.returncode == 4, output
    sentence(output)


# ---- killed at any moment


@pytest.mark.forks  # so that the audits spend their time at work, where they are killed
@pytest.mark.slow("kills forty audits", seconds=60)
def test_killed_at_any_moment_no_pass_stays_and_the_next_audit_is_as_if_nothing_had_been(
    run: Runner, write_policy: WritePolicy
) -> None:
    folder = passed(run, write_policy)
    former, store = run.record, run.pytester.path / "store"
    shutil.copytree(folder, store)

    def begun() -> tuple[subprocess.Popen[str], float]:
        process = started(run)
        while not (folder / LOCK).exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.002)
        return process, time.monotonic()

    for _ in range(2):  # the first also waits for the libraries
        process, start = begun()
        output = process.communicate()[0]
        assert process.returncode == 0, output
        length = time.monotonic() - start
    undisturbed, names = run.record, {path.name for path in folder.iterdir()}
    rng = random.Random(0)
    ended = 0
    for i in range(40):
        shutil.rmtree(folder)
        shutil.copytree(store, folder)
        process, start = begun()
        moment = 0.1 + (length - 0.1) * (i + rng.random()) / 40
        time.sleep(max(0.0, start + moment - time.monotonic()))
        process.kill()
        process.communicate()
        where = f"killed after {moment:.2f} of {length:.2f} s"
        value = json.loads((folder / record.NAME).read_text("utf-8"))
        if value["created"] != former["created"]:  # it had given its own verdict already
            assert released(folder) == {"record", "page", "summary", "badge"}, where
            ended, length = ended + 1, 0.9 * length  # the machine is quicker now
            continue
        assert value["verdict"] == "incomplete", where
        assert released(folder) == set() or (folder / NEW).exists(), where  # its own page goes before its record
        if i % 8 == 0:
            assert run().ret == 0
            for part in ("verdict", "complete", "findings", "not_run", "model", "data", "predictions", "policy"):
                assert run.record[part] == undisturbed[part]
            assert {path.name for path in folder.iterdir()} == names
    assert ended < 20  # most were at work
