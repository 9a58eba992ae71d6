"""Two processes that torchrun starts train as one does; pytest itself is not to be started by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from audit.core.figures import Figures
from audit.training import launched
from tests.training.test_finetune import without_dropout


@pytest.mark.slow("trains in one process and in two", seconds=25)
@pytest.mark.parametrize("grouped", ["false", "true"])
def test_two_processes_have_the_losses_of_one(
    tmp_path: Path, pytester: pytest.Pytester, write_policy: Callable[..., Path], grouped: str
) -> None:
    """270 rows in batches of 37: the last batch is short, and the two halves of each differ in size."""
    without_dropout(tmp_path / "base", layers=2)
    recipe = f"epochs = 3\nbatch_size = 37\nlearning_rate = 1e-3\nvalidation = 0.1\ngroup_by_length = {grouped}"
    write_policy(model=f'source = "{tmp_path}/base"\nmax_length = 32', model__finetune=recipe)
    trained: list[tuple[dict[str, Any], dict[str, torch.Tensor]]] = []
    for launcher in ((), ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")):
        cache = tmp_path / f"cache{len(trained)}"
        command = [sys.executable, *launcher, "-m", "audit", "train", "--audit-device", "cpu", "--audit-cache", cache]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        (about,) = (cache / "models").glob("*.json")
        training = json.loads(about.read_text("utf-8"))
        assert done.stdout.count(training["fingerprint"]) == 1  # one process speaks
        trained.append((training, load_file(about.with_suffix("") / "model.safetensors")))
    (one, weights), (two, others) = trained
    assert one["steps"] == two["steps"] == 3 * 8
    assert len(one["history"]) == 3
    for epoch, other in zip(one["history"], two["history"], strict=True):
        assert epoch["loss"] == pytest.approx(other["loss"], abs=1e-5)
        assert epoch["validation_accuracy"] == other["validation_accuracy"]
    for name, tensor in weights.items():
        torch.testing.assert_close(others[name], tensor, atol=1e-4, rtol=0)


def test_shares_of_a_batch_are_the_batch_and_their_losses_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    rows: Any = [{"logits": torch.randn(3), "labels": i % 3} for i in range(5)]
    whole = torch.nn.functional.cross_entropy(
        torch.stack([row["logits"] for row in rows]), torch.tensor([row["labels"] for row in rows])
    )
    total = torch.tensor(0.0)
    for rank in range(7):  # two of them have no row
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", "7")
        part: Any = launched.share(lambda mine: mine)(rows)
        outputs = type("Outputs", (), {"logits": torch.stack([row["logits"] for row in part])})
        total += launched.loss(outputs, torch.tensor([row["labels"] for row in part]), 5)
    torch.testing.assert_close(total, whole)


def test_energy_of_machines_is_added_and_time_is_not() -> None:
    one: Figures = {"name": "fine-tune", "seconds": 10.0, "kwh": 1.0, "co2eq_kg": 0.5, "source": "measured"}
    two: Figures = {"name": "fine-tune", "seconds": 11.0, "kwh": 2.0, "co2eq_kg": 0.25, "source": "estimated"}
    assert launched.total([one, None, two]) == one | {"kwh": 3.0, "co2eq_kg": 0.75, "source": "estimated"}
    assert launched.total([one]) == one


def test_pytest_under_a_launcher_says_how_to_train_instead(
    pytester: pytest.Pytester, write_policy: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_policy()
    (pytester.path / "test_suite.py").write_text("def test_it(predictions): ...\n", "utf-8")
    for name, value in (("LOCAL_RANK", "0"), ("RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    done = pytester.runpytest_inprocess("--audit-cache", "none")
    assert done.ret == 4
    done.stderr.fnmatch_lines(["ERROR: *torchrun --nproc_per_node 2 -m audit train*"])


def test_without_a_recipe_there_is_nothing_to_train(
    pytester: pytest.Pytester, write_policy: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    from audit.cli import main

    write_policy()
    assert main(["train"]) == 4
    assert "add a [model.finetune] section" in capsys.readouterr().err
