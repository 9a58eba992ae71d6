"""What is trained and timed for the document's claims; the claims suite as a user runs it, on small data."""

from __future__ import annotations

import json
from collections.abc import Callable
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
from tests.conftest import CLASSES, write_csv
from tests.helpers import ROOT, english, examples, recorded

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
    assert [row[0] for row in rates.rows] == ["6e-05", "0.0002", "0.0006", "0.002"]
    # All that a later run needs is kept, and what it took is told with its date.
    _, again = audit(pytester, cache)
    assert again["record"]["scoring"]["forward_passes"] <= 20  # attention is computed each time
    assert "claims" not in {phase["name"] for phase in again["record"]["energy"]["phases"]}
    assert "claims" in {each["name"] for each in again["record"]["energy"]["kept"]}
    for name in NAMES:
        assert again[name]["estimate"] == found[name]["estimate"], name
    page = (pytester.path / "reports" / "report.html").read_text("utf-8")
    assert "The document’s claims" in page


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
