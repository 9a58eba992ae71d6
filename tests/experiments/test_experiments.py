"""What is trained and timed for the document's claims; the claims suite as a user runs it, on small data."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from audit import demo
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.experiments import steps
from audit.experiments.claims import Experiments
from audit.inference.scorer import Scorer
from audit.models.model import FineTuning, Model
from audit.policy.policy import Finetune, ScratchPolicy
from audit.training import finetune
from audit.training.finetune import Job, Recipe, train
from audit.training.reference_models import LinearModel
from tests.conftest import CLASSES, write_csv
from tests.helpers import ROOT, english, examples, recorded
from tests.training.test_reference_models import reviews

SUITES = ROOT / "suites"
WritePolicy = Callable[..., Path]
NAMES = (
    "transfer_learning", "frozen_layers", "recurrent", "linear", "generalisation", "parallel_training",
    "learning_rate", "attention_formula",
)  # fmt: skip


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder of two layers that was hardly pretrained, as `python -m audit pretrain` leaves one."""
    from transformers import BertConfig, BertForMaskedLM

    from audit.training.finetune import word_pieces

    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = word_pieces(tuple(str(row["text"]) for row in demo.reviews("train", rows=200)), 2000, 24)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=24, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    energy = {"seconds": 1.0, "kwh": 0.5, "cpu_kwh": 0.5, "gpu_kwh": 0.0, "ram_kwh": 0.0, "source": "measured"}
    (folder / "pretraining.json").write_text(json.dumps({"recipe": {"learning_rate": 0.002}, "energy": energy}))
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few and short training steps are timed."""
    monkeypatch.setattr(steps, "LENGTHS", [2, 4])
    monkeypatch.setattr(steps, "ROUNDS", 3)


def audit(pytester: pytest.Pytester, cache: Path, *arguments: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    """Run the claims suite in this process; gives the findings by their name behind ``claims.``."""
    done = pytester.runpytest_inprocess(
        str(SUITES / "claims"), "-p", "no:cacheprovider", f"--audit-cache={cache}", *arguments
    )
    record = english(json.loads((pytester.path / "reports" / "audit.json").read_text("utf-8")))
    return done, {finding["id"].partition(".")[2]: finding for finding in record["findings"]} | {"record": record}


@pytest.mark.slow("trains three classifiers", seconds=15)
def test_each_claim_ends_in_a_word_and_a_second_run_trains_nothing(
    pytester: pytest.Pytester, cache: Path, encoder: Path, reviews: Path, small: None
) -> None:
    rows = demo.reviews("test", rows=120)
    write_csv(pytester.path / "elsewhere.csv", [*rows, *({**row, "label": "sarcastic"} for row in rows[:7])])
    (pytester.path / "audit.toml").write_text(
        f"""
[model]
source = "small-bert"
max_length = 32
labels = ["negative", "neutral", "positive"]
[model.finetune]
initialise = "scratch"
epochs = 1
batch_size = 32
learning_rate = 5e-4
[data]
train = "{reviews}/train.csv"
test = "{reviews}/test.csv"
[claims]
pretrained = "{encoder}"
[[claims.transfer]]
data = "elsewhere.csv"
""",
        "utf-8",
    )
    done, found = audit(pytester, cache)
    assert done.ret == 0, done.outlines
    assert (found["record"]["verdict"], found["record"]["complete"]) == ("incomplete", False)  # no gate is set
    assert set(found) - {"record"} == set(NAMES)
    for name in NAMES:
        assert found[name]["challenge"] == "claims"
        assert found[name]["verdict"] == "reported"
        assert found[name]["outcome"] in ("supported", "refuted", "not settled")
        assert found[name]["caveats"]
    # Nothing random about the last one.
    assert recorded(found["attention_formula"]).facts["with the division by √d"] == "supported"
    assert any("7 rows of elsewhere" in limit for limit in found["generalisation"]["caveats"])
    assert recorded(found["transfer_learning"]).facts["pretraining, kWh"] == 0.5
    rates = next(t for t in recorded(found["learning_rate"]).tables if t.columns[0] == "learning rate")
    assert [row[0] for row in rates.rows] == ["6e−05", "0.0002", "0.0006", "0.002"]
    # All that a later run needs is kept, and what it took is told with its date.
    _, again = audit(pytester, cache)
    assert again["record"]["scoring"]["forward_passes"] <= 20  # attention is computed each time
    assert "claims" not in {phase["name"] for phase in again["record"]["energy"]["phases"]}
    assert "claims" in {each["name"] for each in again["record"]["energy"]["kept"]}
    for name in NAMES:
        assert again[name]["estimate"] == found[name]["estimate"], name
    page = (pytester.path / "reports" / "report.html").read_text("utf-8")
    assert "The document’s claims" in page


def experiments(encoder: Path, folder: Path, rows: int = 960) -> Experiments:
    """On reviews, with an encoder of two layers; random weights at three times the learning rate."""
    settings = Finetune(epochs=1, batch_size=32, learning_rate=1e-3, validation=0.0)
    recipe = Recipe(str(encoder), encoder, None, True, settings, 24, "cpu")
    train_on, test, cache, meter, progress = (
        reviews("train", rows), reviews("test", 60), Cache(folder), Meter("DEU"), Progress(),
    )  # fmt: skip

    def score(model: Model) -> Scorer:
        return Scorer(model, cache, meter, progress)

    def audited() -> Scorer:
        raise AssertionError("the audited model is not asked for")

    scratch = ScratchPolicy(learning_rate=3e-3, warmup_ratio=0.1)
    return Experiments(
        recipe, recipe, None, scratch, train_on, test, LinearModel(train_on, cache, meter), audited, score, [], "cpu",
        cache, meter, progress,
    )  # fmt: skip


def learn(encoder: Path, folder: Path) -> None:
    experiments(encoder, folder).learning_curves()


@pytest.mark.slow("trains 24 small models in two processes, one of which is killed", seconds=40)
def test_learning_curves_that_were_killed_go_on_with_the_next_training(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=learn, args=(encoder, tmp_path))
    process.start()

    def kept() -> dict[str, bytes]:
        known = [path for path in (tmp_path / "models").glob("*.json") if path.with_suffix("").is_dir()]
        return {path.name: path.read_bytes() for path in known}

    until = time.monotonic() + 240
    while len(kept()) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.join()
    before = kept()
    assert 3 <= len(before) < 24

    jobs, into = [], finetune.train_into

    def counted(folder: Path, job: Job, *rest: Any) -> FineTuning:
        jobs.append(job)
        return into(folder, job, *rest)

    monkeypatch.setattr(finetune, "train_into", counted)
    going_on = experiments(encoder, tmp_path)
    pretrained, scratch, linear, _ = going_on.learning_curves()
    assert len(before) + len(jobs) == 24
    after = kept()
    assert len(after) == 24
    assert {name: after[name] for name in before} == before
    # Time and electricity are those of the trainings that were kept.
    first = pretrained[960][0].training
    assert first is not None
    assert first["energy"]["seconds"] in {json.loads(sealed)["energy"]["seconds"] for sealed in before.values()}
    assert set(pretrained) == set(scratch) == set(linear) == {50, 60, 240, 960}
    # What is small takes as many steps as the quarter, random weights have their own rate, and parts are nested.
    assert {(each["examples"], each["steps"]) for each in going_on.used} == {(50, 8), (60, 8), (240, 8), (960, 30)}
    own = {
        tuple(each["recipe"][name] for name in ("initialise", "learning_rate", "warmup_ratio"))
        for each in going_on.used
    }
    assert own == {("pretrained", 1e-3, 0.0), ("scratch", 3e-3, 0.1)}
    texts = {len(job.examples): set(job.examples.texts) for job in jobs}
    assert texts[50] <= texts[60] <= texts[240] <= texts[960]
    # And nothing is left to train.
    jobs.clear()
    again = experiments(encoder, tmp_path)
    assert [run.training for run in again.learning_curves()[0][240]] == [run.training for run in pretrained[240]]
    assert jobs == []


@pytest.mark.slow("trains a few small models", seconds=20)
def test_a_kind_of_model_is_trained_from_several_seeds_and_once_where_it_is_the_encoders(
    encoder: Path, tmp_path: Path
) -> None:
    made = experiments(encoder, tmp_path, rows=96)
    model = train(made.recipe, made.members, made.cache, made.meter, made.progress)  # type: ignore[arg-type]
    audited = Scorer(model, made.cache, made.meter, made.progress)
    deep, _ = replace(made, audited=lambda: audited).deep_and_linear()
    # The recipe tunes the encoder itself: one kind, of which the audited model is the first.
    assert {kind: len(runs) for kind, runs in deep.items()} == {
        "models by the policy's recipe": 3,
        "recurrent networks": 3,
    }
    assert deep["models by the policy's recipe"][0].training == model.training
    # A model that was only loaded is judged by itself.
    loaded = Scorer(replace(model, training=None), made.cache, made.meter, made.progress)
    deep, _ = replace(made, audited=lambda: loaded, recipe=None, encoder=None).deep_and_linear()
    assert {kind: len(runs) for kind, runs in deep.items()} == {"the audited model, this training": 1}


def test_what_is_missing_is_named(pytester: pytest.Pytester, cache: Path, write_policy: WritePolicy) -> None:
    write_policy()
    _, found = audit(pytester, cache, "-k", "transfer or frozen or rate or generalisation or recurrent")
    for name, supply in (
        ("transfer_learning", "[claims] pretrained"),
        ("frozen_layers", "[claims] pretrained"),
        ("learning_rate", "[claims] pretrained"),
        ("generalisation", "[[claims.transfer]]"),
        ("recurrent", "[model.finetune]"),
    ):
        assert found[name]["verdict"] == "not_assessed"
        assert supply in found[name]["reason"], name


@pytest.mark.parametrize(("most", "exit_status"), [(1e-4, 1), (1, 0)])
def test_a_claim_may_be_gated(
    pytester: pytest.Pytester, cache: Path, write_policy: WritePolicy, most: float, exit_status: int
) -> None:
    """The document's formula, as written, is not what a model computes."""
    write_policy(gates__claims=f"attention_formula = {{ max = {most} }}")
    done, found = audit(pytester, cache, "-k", "formula")
    assert done.ret == exit_status
    assert found["attention_formula"]["verdict"] == ("fail" if exit_status else "pass")
    assert found["attention_formula"]["outcome"] == "refuted"


@pytest.mark.parametrize(
    ("arguments", "collected"),
    [
        (["suites"], False),
        (["."], False),
        (["suites/claims"], True),
        (["suites", "suites/claims"], True),
        (["suites/claims/test_claims.py"], True),
        (["suites/claims/test_claims.py::test_linear"], True),
    ],
)
def test_the_suite_is_collected_only_where_it_is_named(
    pytester: pytest.Pytester, arguments: list[str], collected: bool
) -> None:
    for name in ("claims/test_claims.py", "test_quality.py"):
        path = pytester.path / "suites" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text((SUITES / name).read_text("utf-8"), "utf-8")
    (pytester.path / "audit.toml").write_text('[model]\nsource = "m"\n[data]\ntest = "demo"\n', "utf-8")
    done = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
    assert ("test_claims.py::test_linear" in done.stdout.str()) is collected


def test_steps_are_timed_by_network_and_length_and_kept(tmp_path: Path, small: None) -> None:
    made = [steps.measure_steps("cpu", Meter("DEU"), Cache(tmp_path), Progress()) for _ in range(2)]
    assert made[0] == made[1]
    for name in ("transformer", "recurrent"):
        assert np.shape(made[0]["seconds"][name]) == (3, 2)
        assert np.min(made[0]["seconds"][name]) > 0
    # Of like size.
    assert made[0]["parameters"]["recurrent"] == pytest.approx(made[0]["parameters"]["transformer"], rel=0.01)


def test_texts_from_elsewhere_are_read_and_classes_that_the_model_lacks_are_left_out(
    tmp_path: Path, write_policy: WritePolicy
) -> None:
    from audit.data import examples as data
    from audit.policy import policy

    frame = pd.DataFrame({"body": ["a", "b", "c", "d", "", "e"], "mood": ["1", "0", "meh", "1", "1", "1"]})
    frame.to_csv(tmp_path / "other.csv", index=False)
    more = f'[[claims.transfer]]\ndata = "{tmp_path}/other.csv"\ntext = "body"\nlabel = "mood"\n'
    more += 'label_map = { "1" = "positive", "0" = "negative" }\n'
    read = policy.parse('[model]\nsource = "m"\n[data]\ntest = "demo"\n' + more, None)
    (of,) = read.claims.transfer
    found, left_out = data.load_elsewhere(read, of, examples([0, 1, 1, 1]), 2000, tmp_path)
    assert (found.texts, found.labels.tolist(), left_out) == (("a", "b", "d", "e"), [1, 0, 1, 1], 2)
    # The classes have the shares of the test data, which here are alike.
    for size in (2, 2000):
        sample, _ = data.load_elsewhere(read, of, examples([0, 1]), size, tmp_path)
        assert np.bincount(sample.labels).tolist() == [1, 1]
    with pytest.raises(AuditError, match="class 'neutral' has no rows"):
        data.load_elsewhere(read, of, examples([0, 1, 2], CLASSES), 2000, tmp_path)


def test_an_encoder_is_given_no_more_tokens_than_it_reads(encoder: Path, untrained: Path) -> None:
    from audit.models import model

    assert model.positions(encoder, "e") == 24
    assert model.positions(untrained, "u") == 32
