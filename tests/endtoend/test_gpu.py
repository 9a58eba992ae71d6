"""What only a graphics card can show; each test skips, and says so, where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from audit import demo
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.policy.policy import Finetune
from audit.training.finetune import Recipe, train
from tests.helpers import Runner
from tests.inference.test_scorer import make_scorer
from tests.training.test_finetune import examples

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
    pytest.mark.slow("trains and audits on a graphics card"),
]

TEXTS = [str(row["text"]) for row in demo.reviews("test", rows=3000)] + ["", "one", "é " * 100, "word " * 5000]


def on_the_card(folder: Path, cache: Path, dtype: str = "float32") -> Scorer:
    return make_scorer(folder, cache, "cuda:0", dtype)


def test_float32_says_what_the_processor_says(untrained: Path, tmp_path: Path) -> None:
    here, there = make_scorer(untrained, tmp_path / "here"), on_the_card(untrained, tmp_path / "there")
    expected = here.predict(TEXTS).probabilities
    np.testing.assert_allclose(there.predict(TEXTS).probabilities, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(there.embed(TEXTS), here.embed(TEXTS), rtol=0, atol=1e-4)


def test_float32_does_not_depend_on_the_batch(untrained: Path, tmp_path: Path) -> None:
    scorer = on_the_card(untrained, tmp_path / "cache")
    together = scorer.forward(TEXTS[-300:])
    alone = np.concatenate([scorer.forward([text]) for text in TEXTS[-300:]])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    assert scorer.local.batches._mixed is True  # rounding alone is not taken for a network that bears no padding


def test_half_precision_is_near_and_kept_apart(untrained: Path, tmp_path: Path) -> None:
    exact, rough = (on_the_card(untrained, tmp_path / "cache", dtype) for dtype in ("float32", "bfloat16"))
    expected, found = exact.predict(TEXTS).probabilities, rough.predict(TEXTS).probabilities
    assert rough.counts.forward_passes == len(set(TEXTS))
    np.testing.assert_allclose(found, expected, rtol=0, atol=3e-2)
    assert (found != expected).any()


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A tenth of a gigabyte, and so little that the usual batches do not fit."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 1e8) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_memory_that_runs_out_halves_the_batch(untrained: Path, tmp_path: Path, little_memory: None) -> None:
    scorer = on_the_card(untrained, tmp_path / "cache")
    usual = scorer.local.batches.tokens
    found = scorer.predict(TEXTS).probabilities
    assert scorer.local.batches.tokens < usual
    expected = make_scorer(untrained, tmp_path / "cpu").predict(TEXTS).probabilities
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_electricity_of_the_card_is_read(untrained: Path, tmp_path: Path) -> None:
    meter = Meter("DEU")
    work = torch.randn(8192, 8192, device="cuda")
    with meter.phase("multiply") as phase:
        for _ in range(100):
            work @ work
        torch.cuda.synchronize()
    assert phase.gpu_kwh * 3.6e6 / phase.seconds > 50  # watts: at work none takes less
    assert torch.cuda.get_device_name(0) in meter.machine


def test_a_training_learns_compiled_or_not(tmp_path: Path) -> None:
    settings = Finetune(epochs=10, batch_size=32, learning_rate=1e-3, validation=0.1, initialise="scratch")
    recipe = Recipe("small-bert", None, None, True, settings, 64, "cuda:0")
    reached = []
    for each in (settings, settings.model_copy(update={"compile": True})):
        made = train(replace(recipe, settings=each), examples(2048), Cache(tmp_path), Meter("DEU"), Progress())
        assert made.training is not None
        assert made.training["energy"]["gpu_kwh"] > 0
        reached.append([epoch["validation_accuracy"] for epoch in made.training["history"]])
    assert all(accuracies[-1] > 0.6 for accuracies in reached)  # a third by guessing


def test_an_audit_runs_on_the_card_and_says_so(write_policy: Callable[..., Path], run: Runner) -> None:
    write_policy()
    (run.pytester.path / "test_audit.py").write_text(
        "from audit.probes.quality import quality\n"
        "def test_accuracy(audit, predictions):\n"
        "    audit.check(quality.accuracy(predictions))\n",
        "utf-8",
    )
    run("--audit-device", "cuda")
    assert run.record["provenance"]["device"] == "cuda:0"
    assert sum(phase["gpu_kwh"] for phase in run.record["energy"]["phases"]) > 0
