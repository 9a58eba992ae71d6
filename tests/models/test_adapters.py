"""A LoRA that PEFT trained, merged with its base: held against the product by hand and against PEFT's own merge."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import AuditError
from audit.core.progress import Progress
from audit.models import adapters
from audit.probes.security.artifact import artifact
from audit.run.options import Options
from audit.run.session import Session
from tests.helpers import THREE, Shared, is_one_sentence, save_tiny

TEXTS = ["good film", "the bad film", "a", ""]
pytestmark = pytest.mark.slow("trains an adapter by PEFT", seconds=5)


@pytest.fixture(scope="session")
def trained(shared: Shared) -> Path:
    """A folder with a tiny encoder, `base`, and two adapters with a head of three classes, as PEFT saves them."""

    def make(folder: Path) -> None:
        import torch
        from peft import LoraConfig, TaskType, get_peft_model
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        save_tiny(folder / "base", kind="BertModel")
        tokenizer = AutoTokenizer.from_pretrained(folder / "base")
        for name in ("adapter", "stabilised"):
            torch.manual_seed(1)
            base = AutoModelForSequenceClassification.from_pretrained(folder / "base", num_labels=3)
            config = LoraConfig(
                task_type=TaskType.SEQ_CLS,
                r=4,
                lora_alpha=12,
                target_modules=["query", "value"],
                use_rslora=name == "stabilised",
            )
            network = get_peft_model(base, config)
            optimiser = torch.optim.Adam(network.parameters(), lr=0.05)
            for _ in range(4):
                given = tokenizer(TEXTS, return_tensors="pt", padding=True)
                network(**given, labels=torch.tensor([2, 0, 1, 1])).loss.backward()
                optimiser.step()
            network.save_pretrained(str(folder / name))
            whole = network.merge_and_unload().eval()
            with torch.no_grad():
                rows = [whole(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0].numpy() for text in TEXTS]
            np.save(folder / f"{name}.npy", np.array(rows))

    return shared("adapters", make)


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(trained, tmp_path / "models"))


def session(tmp_path: Path, source: Path, model: str = "") -> Session:
    (tmp_path / "test.csv").write_text("text,label\n" + "".join(f"good film {name},{name}\n" for name in THREE) * 3)
    policy = tmp_path / "audit.toml"
    labels = json.dumps(THREE)
    policy.write_text(f'[model]\nsource = "{source}"\nlabels = {labels}\n{model}\n[data]\ntest = "test.csv"\n')
    return Session(Options(tmp_path, policy=str(policy), cache=tmp_path / "cache"), (), Progress())


@pytest.mark.parametrize("name", ["adapter", "stabilised"])
def test_the_merged_answers_are_those_of_peft(folder: Path, tmp_path: Path, name: str) -> None:
    made = session(tmp_path, folder / name)
    model = made.models.model
    rows = made.models.own_scorer(model).predict(TEXTS).probabilities
    np.testing.assert_allclose(rows, np.load(folder / f"{name}.npy"), atol=1e-5)
    assert np.ptp(rows, axis=0).max() > 0.003


def test_the_merged_weights_are_the_products_by_hand(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    merged = load_file(session(tmp_path, folder / "adapter").inputs.loaded.folder / "model.safetensors")  # type: ignore[union-attr]
    base, adapter = load_file(folder / "base" / "model.safetensors"), load_file(folder / "adapter" / adapters.WEIGHTS)
    for kind in ("query", "value"):
        place = f"encoder.layer.0.attention.self.{kind}"
        a, b = (adapter[f"base_model.model.bert.{place}.lora_{side}.weight"] for side in "AB")
        assert np.abs(b).max() > 0.01
        wanted = base[f"{place}.weight"] + b @ a * (12 / 4)
        np.testing.assert_allclose(merged[f"bert.{place}.weight"], wanted, atol=1e-6)
    np.testing.assert_array_equal(merged["classifier.weight"], adapter["base_model.model.classifier.weight"])
    key = "encoder.layer.0.attention.self.key.weight"
    np.testing.assert_array_equal(merged[f"bert.{key}"], base[key])


def test_another_adapter_or_base_is_another_model_and_the_same_is_merged_once(folder: Path, tmp_path: Path) -> None:
    first, again, other = (
        session(tmp_path, folder / name).inputs.loaded for name in ("adapter", "adapter", "stabilised")
    )
    assert first is not None
    assert other is not None
    assert first == again
    assert first.folder != other.folder
    assert first.parts == (folder / "adapter", folder / "base")


def test_a_base_that_the_policy_names_goes_before_the_one_beside(folder: Path, tmp_path: Path) -> None:
    (folder / "base").rename(tmp_path / "elsewhere")
    made = session(tmp_path, folder / "adapter", 'base = "elsewhere"')
    assert made.inputs.loaded is not None
    assert made.inputs.loaded.parts[1] == tmp_path / "elsewhere"


def test_what_lies_in_an_adapters_folder_is_looked_into(folder: Path, tmp_path: Path) -> None:
    made = session(tmp_path, folder / "adapter")
    assert artifact(made.models.model).estimate == 0
    (folder / "adapter" / "training_args.bin").write_bytes(pickle.dumps({"a": print}))
    found = artifact(session(tmp_path, folder / "adapter").models.model)
    assert found.estimate == 1
    assert found.tables[0].rows[0][0] == "adapter/training_args.bin"


def set_(**settings: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> object:
        path = folder / "adapter" / "adapter_config.json"
        return path.write_text(json.dumps(json.loads(path.read_text()) | settings))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_(base_model_name_or_path="bert-base-uncased"), "an adapter of 'bert-base-uncased', as its"),
        (set_(base_model_name_or_path="../../../etc"), "no such folder lies beside it"),
        (set_(base_model_name_or_path=None), "no such folder lies beside it"),
        (set_(base_model_name_or_path="adapter"), "no such folder lies beside it"),
        (set_(use_dora=True), "use_dora = True, which is not merged here"),
        (set_(peft_type="PREFIX_TUNING"), "peft_type = PREFIX_TUNING"),
        (set_(alpha_pattern={"(a+)+b": 1}), "alpha_pattern"),
        (set_(megatron_config={"a": 1}), "megatron_config"),
        (set_(init_lora_weights="pissa"), "init_lora_weights = pissa"),
        (set_(of_a_later_version=1), "of_a_later_version = 1, which is not merged here"),
        (set_(lora_alpha="12"), "lora_alpha in its adapter_config.json is no number"),
        (lambda folder: (folder / "adapter" / "adapter_config.json").write_text("[]"), "is no table of settings"),
        (lambda folder: (folder / "adapter" / "adapter_config.json").write_text("{"), "cannot be read"),
        (
            lambda folder: (folder / "adapter" / adapters.WEIGHTS).rename(folder / "adapter" / "adapter_model.bin"),
            "is read of safetensors only",
        ),
        (lambda folder: (folder / "adapter" / adapters.WEIGHTS).write_bytes(b"no"), "not a whole safetensors file"),
        (lambda folder: (folder / "base" / "model.safetensors").unlink(), "has no weights"),
        (lambda folder: spoil(folder, "base_model.model.bert.pooler.lora_A.weight"), "does not fit the base"),
        (lambda folder: spoil(folder, "base_model.model.bert.other.weight"), "does not fit the base"),
        (lambda folder: spoil(folder, without="classifier"), "has trained weights for"),
    ],
)
def test_what_cannot_be_merged_safely_is_refused_in_one_sentence(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], says: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("something was fetched")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    change(folder)
    with pytest.raises(AuditError) as refused:
        session(tmp_path, folder / "adapter").models.model  # noqa: B018
    assert says in str(refused.value)
    assert is_one_sentence(str(refused.value))


def test_a_base_is_of_an_adapter_only(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="base is that of an adapter, and"):
        session(tmp_path, folder / "base", 'base = "models/base"').models.model  # noqa: B018


def spoil(folder: Path, more: str = "", without: str = "") -> None:
    from safetensors.numpy import load_file, save_file

    path = folder / "adapter" / adapters.WEIGHTS
    tensors = {name: tensor for name, tensor in load_file(path).items() if not without or without not in name}
    save_file(tensors | ({more: np.ones((4, 16), dtype=np.float32)} if more else {}), path)
