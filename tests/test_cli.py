"""`python -m audit`: what is done before and after an audit."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from audit.cli import main
from audit.models import model as models
from audit.policy import policy
from tests.helpers import ROOT, Runner, WritePolicy, is_one_sentence


@pytest.fixture
def audited(run: Runner, write_policy: WritePolicy) -> Path:
    """A folder with the record of a real audit of the untrained model."""
    write_policy(**{"gates.security": "artifact = { max = 0 }"})
    suite = ROOT / "suites" / "test_security.py"
    run.pytester.makepyfile(test_security=suite.read_text("utf-8"))
    assert run("-k", "artifact").ret == 0
    return run.pytester.path / "reports"


def test_init_writes_a_policy_and_suites_that_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "new")]) == 0
    assert "name your model and data" in capsys.readouterr().out
    written = policy.read(tmp_path / "new" / "audit.toml")
    assert written.recorded() == policy.parse(policy.default_text(), None).recorded()
    copied = {path.name for path in (tmp_path / "new" / "suites").iterdir()}
    assert {"__init__.py", "test_ethics.py", "test_privacy.py", "test_environment.py"} <= copied
    assert not any("__pycache__" in name for name in copied)


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit.toml").write_text("mine", "utf-8")
    assert main(["init", str(tmp_path)]) == 4
    assert "audit.toml exists already" in capsys.readouterr().err
    assert (tmp_path / "audit.toml").read_text("utf-8") == "mine"
    assert not (tmp_path / "suites").exists()


def test_report_is_made_again_from_the_record_alone(audited: Path, tmp_path: Path) -> None:
    first = (audited / "report.html").read_bytes()
    alone = tmp_path / "elsewhere" / "audit.json"
    alone.parent.mkdir()
    shutil.copy(audited / "audit.json", alone)
    assert main(["report", str(alone)]) == 0
    assert (alone.parent / "report.html").read_bytes() == first
    assert main(["report", str(alone.parent), "-o", str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_bytes() == first


def test_a_changed_byte_of_the_record_is_told(audited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, beside = audited / "audit.json", audited / "audit.json.sha256"
    whole = path.read_bytes()
    assert beside.read_text("ascii") == f"{hashlib.sha256(whole).hexdigest()}  audit.json\n"
    assert subprocess.run(["sha256sum", "-c", beside.name], cwd=audited, capture_output=True).returncode == 0
    (page := audited / "report.html").unlink()
    path.write_bytes(whole.replace(b'"duration_s": ', b'"duration_s": 1', 1))
    for command in (["report"], ["card"], ["bom"], ["compare", str(audited)]):
        assert main([*command, str(audited)]) == 4
        said = capsys.readouterr().err
        assert f"{path}: not the record that audit.json.sha256 beside it was written for" in said
        assert is_one_sentence(said.strip())
    assert not page.exists()
    path.write_bytes(whole)
    assert main(["report", str(audited)]) == 0
    assert hashlib.sha256(whole).hexdigest() in page.read_text("utf-8")
    beside.write_text("", "utf-8")
    assert main(["report", str(audited)]) == 4
    beside.unlink()
    assert main(["report", str(audited)]) == 0


def test_a_pipe_for_the_hash_holds_up_nobody(audited: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (audited / "audit.json.sha256").unlink()
    os.mkfifo(audited / "audit.json.sha256")
    assert main(["report", str(audited)]) == 4
    assert "is a pipe, socket or device" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", '{"schema_version": 2}', "[" * 100_000, "\x00"])
def test_what_is_no_record_is_refused(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "audit.json"
    path.write_text(content, "utf-8")
    assert main(["report", str(path)]) == 4
    said = capsys.readouterr().err
    assert said.startswith("ERROR: ")
    assert str(path) in said
    assert "Traceback" not in said
    assert not (tmp_path / "report.html").exists()


def test_verify_knows_the_audited_model(audited: Path, untrained: Path, tmp_path: Path) -> None:
    assert main(["verify", str(audited), str(untrained)]) == 0
    copy = tmp_path / "model"
    shutil.copytree(untrained, copy)
    (copy / "README.md").write_text("documentation does not count", "utf-8")
    assert main(["verify", str(audited), str(copy)]) == 0


@pytest.mark.parametrize("change", ["weights", "config", "tokenizer", "added", "missing"])
def test_verify_names_what_differs(
    audited: Path, untrained: Path, tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(untrained, copy)
    name = {"weights": "model.safetensors", "config": "config.json", "tokenizer": "tokenizer.json"}.get(change)
    if name is not None:
        data = bytearray((copy / name).read_bytes())
        data[-2] ^= 1
        (copy / name).write_bytes(bytes(data))
        said = f"changed: {name}"
    elif change == "added":
        (copy / "pytorch_model.bin").write_bytes(b"other weights")
        said = "not audited: pytorch_model.bin"
    else:
        (copy / "tokenizer.json").unlink()
        said = "missing: tokenizer.json"
    assert main(["verify", str(audited), str(copy)]) == 1
    assert said in capsys.readouterr().out


def test_export_refuses_a_model_that_it_does_not_keep(
    audited: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The untrained model was only loaded, so the cache does not hold it."""
    assert main(["export", str(audited), str(tmp_path / "out"), "--audit-cache", str(cache)]) == 4
    assert "only models that an audit fine-tuned" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow("trains a model")
def test_what_train_made_is_exported_by_its_policy(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit.toml").write_text(
        f"""
        [model]
        source = "small-bert"
        max_length = 16
        [model.finetune]
        initialise = "scratch"
        max_steps = 2
        [data]
        train = "{reviews}/train.csv"
        test = "{reviews}/test.csv"
        """,
        "utf-8",
    )
    cache = ["--audit-cache", str(tmp_path / "cache"), "--audit-device", "cpu"]
    assert main(["export", "audit.toml", "model", *cache]) == 4
    assert "train it with `python -m audit train --audit-policy audit.toml`" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    # As in a log, where both streams are one; each word of progress is shown at once.
    log = io.StringIO()
    monkeypatch.setattr("audit.core.progress.PLAIN_EVERY_S", 0)
    with redirect_stdout(log), redirect_stderr(log):
        assert main(["train", *cache]) == 0
    lines = log.getvalue().splitlines()
    assert any(re.match(r"fine-tune small-bert: 2/2 steps", line) for line in lines)
    assert "" not in lines
    (fingerprint,) = (found[1] for line in lines if (found := re.match(r"trained (\S+);", line)))
    assert main(["export", "audit.toml", "model", *cache]) == 0
    assert models.fingerprint(models.hash_files(tmp_path / "model")) == fingerprint


@pytest.mark.slow("trains a model")
def test_an_exported_model_has_the_findings_that_it_had_and_the_modes_of_the_users_own_files(
    run: Runner, write_policy: Callable[..., Path], tmp_path: Path
) -> None:
    write_policy(
        model='source = "small-bert"\nmax_length = 16',
        model__finetune='initialise = "scratch"\nmax_steps = 2\nvalidation = 0.3',
    )
    suites = ROOT / "suites"
    texts = {name: (suites / f"test_{name}.py").read_text("utf-8") for name in ("privacy", "environment")}
    run.pytester.makepyfile(**{f"test_{name}": text for name, text in texts.items()})
    asked = ("--audit-device", "cpu", "-k", "membership or training_energy")
    assert run(*asked).ret == 0
    trained = run.finding("privacy.membership_inference")
    umask = os.umask(0o022)
    try:
        reports, cache = str(run.pytester.path / "reports"), ("--audit-cache", str(run.cache))
        assert main(["export", reports, str(tmp_path / "model"), *cache]) == 0
    finally:
        os.umask(umask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert set(modes.values()) == {0o644}
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o755
    assert run(*asked, "--audit-model", str(tmp_path / "model")).ret == 0
    loaded = run.finding("privacy.membership_inference")
    assert [loaded[key] for key in ("n", "estimate", "low", "high")] == [
        trained[key] for key in ("n", "estimate", "low", "high")
    ]
    # That it was trained without the recipe's validation slice is known from the cache alone.
    for found in (trained, loaded):
        assert "those that its recipe held out" in found["method"]
    unknown = "--audit-cache", str(tmp_path / "another cache"), "-k", "membership_inference"
    assert run(*asked[:2], *unknown, "--audit-model", str(tmp_path / "model")).ret == 0
    assert "against test examples" in run.finding("privacy.membership_inference")["method"]
    assert run(*asked, "--audit-model", str(tmp_path / "model")).ret == 0
    assert "without --audit-model" in run.finding("environment.training_energy")["reason"]


def test_export_does_not_write_into_a_full_folder(audited: Path, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "file").write_text("mine", "utf-8")
    assert main(["export", str(audited), str(tmp_path), "--audit-cache", str(cache)]) == 4


def test_cache_is_shown_and_cleared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "file").write_bytes(b"x" * 200_000)
    assert main(["cache", "--audit-cache", str(folder)]) == 0
    assert "0.2 MB" in capsys.readouterr().out
    assert main(["cache", "--clear", "--audit-cache", str(folder)]) == 0
    assert not folder.exists()
