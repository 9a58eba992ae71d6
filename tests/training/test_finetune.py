"""The recipe against a training loop written by hand; freezing; the cache of trained models."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    DataCollatorWithPadding,
    GPT2Config,
    GPT2ForSequenceClassification,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)

from audit import demo
from audit.core.cache import Cache
from audit.core.errors import AuditError, NotAssessed
from audit.core.progress import Progress
from audit.data.examples import Examples, split_validation
from audit.energy.meter import Meter
from audit.policy.policy import Finetune
from audit.training import finetune
from audit.training.finetune import Recipe, freeze, small_bert, train
from audit.training.reference_models import twins
from tests.conftest import CLASSES
from tests.helpers import is_one_sentence


def examples(rows: int = 96) -> Examples:
    drawn = demo.reviews("train", rows=rows)
    labels = np.array([CLASSES.index(str(row["label"])) for row in drawn])
    return Examples(tuple(str(row["text"]) for row in drawn), labels, CLASSES)


def small_recipe(**settings: object) -> Recipe:
    defaults = {"initialise": "scratch", "epochs": 1, "batch_size": 32, "learning_rate": 5e-4}
    return Recipe("small-bert", None, None, True, Finetune(**(defaults | settings)), 32, "cpu")  # type: ignore[arg-type]


def run(recipe: Recipe, data: Examples, cache: Path) -> tuple[object, Meter]:
    meter = Meter("DEU")
    return train(recipe, data, Cache(cache), meter, Progress()), meter


def without_dropout(folder: Path, layers: int) -> None:
    """Save a base model whose training draws no random numbers."""
    names = dict(enumerate(CLASSES))
    _, tokenizer = small_bert(examples().texts, {"id2label": names}, 32)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=64, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, id2label=names,
        label2id={label: i for i, label in names.items()},
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model without dropout, so that a loop written by hand can give the same weights."""
    folder = tmp_path_factory.mktemp("base")
    without_dropout(folder, layers=3)
    return folder


@pytest.mark.slow("trains a model")
def test_the_recipe_is_adamw_with_a_linear_schedule_and_nothing_else(base: Path, tmp_path: Path) -> None:
    """One batch holds everything, so the order does not matter and plain torch must reach the same weights."""
    data, epochs, rate = examples(), 5, 1e-3
    settings = Finetune(epochs=epochs, batch_size=len(data), learning_rate=rate, warmup_ratio=0.2, validation=0.0)
    trained, _ = run(Recipe(str(base), base, None, True, settings, 32, "cpu"), data, tmp_path)

    network = AutoModelForSequenceClassification.from_pretrained(base).train()
    tokenizer = AutoTokenizer.from_pretrained(base)
    batch = tokenizer(list(data.texts), truncation=True, max_length=32, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, eps=1e-6, weight_decay=0.0)
    for step in range(epochs):
        warmup = 1
        factor = step / warmup if step < warmup else (epochs - step) / (epochs - warmup)
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        network(**batch, labels=torch.tensor(data.labels)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    made = trained.network.state_dict()  # type: ignore[attr-defined]
    start = AutoModelForSequenceClassification.from_pretrained(base).state_dict()
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(made[name], tensor, atol=2e-4, rtol=0)
    moved = max(float((made[name] - start[name]).abs().max()) for name in start)
    assert moved > 1e-3


@pytest.mark.slow("trains a model twice")
def test_the_fused_optimizer_gives_the_weights_of_the_plain_one(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but for rounding, with clipping and decay too; yet neither is taken for the other from the cache."""
    settings = Finetune(
        epochs=3, batch_size=16, learning_rate=1e-3, weight_decay=0.01, max_grad_norm=1.0, validation=0.0
    )
    recipe, data, made = Recipe(str(base), base, None, True, settings, 32, "cpu"), examples(), {}
    for optimizer in (finetune.OPTIMIZER, "adamw_torch"):
        monkeypatch.setattr(finetune, "OPTIMIZER", optimizer)
        trained, meter = run(recipe, data, tmp_path)
        assert len(meter.phases) == 1
        made[optimizer] = trained.network.state_dict()  # type: ignore[attr-defined]
    fused, plain = made.values()
    start = AutoModelForSequenceClassification.from_pretrained(base).state_dict()
    moved = max(float((plain[name] - start[name]).abs().max()) for name in start)
    for name, tensor in plain.items():
        torch.testing.assert_close(fused[name], tensor, atol=moved / 100, rtol=0)


def test_texts_of_like_length_are_grouped_where_a_processor_trains_unless_the_policy_says_otherwise() -> None:
    settings = {None: Finetune(), True: Finetune(group_by_length=True), False: Finetune(group_by_length=False)}
    recipes = {
        (device, asked): Recipe("small-bert", None, None, True, settings[asked], 32, device)
        for device in ("cpu", "cuda:0")
        for asked in settings
    }
    applied = {case: recipe.settings.group_by_length for case, recipe in recipes.items()}
    assert applied == {case: case[0] == "cpu" if case[1] is None else case[1] for case in recipes}
    assert recipes["cpu", None].key(examples()) == recipes["cpu", True].key(examples())
    assert recipes["cpu", None].key(examples()) != recipes["cpu", False].key(examples())


@pytest.mark.slow("trains a model")
def test_the_same_recipe_gives_the_same_model_and_is_not_trained_twice(tmp_path: Path) -> None:
    first, meter = run(small_recipe(), examples(), tmp_path / "a")
    assert [phase.name for phase in meter.phases] == ["fine-tune"]
    assert first.training["recipe"]["group_by_length"] is True  # type: ignore[attr-defined]
    again, idle = run(small_recipe(), examples(), tmp_path / "a")
    assert idle.phases == []
    elsewhere, _ = run(small_recipe(), examples(), tmp_path / "b")
    prints = {model.fingerprint for model in (first, again, elsewhere)}  # type: ignore[attr-defined]
    assert len(prints) == 1


@pytest.mark.slow("trains a model twice", seconds=3)
def test_the_shell_does_not_change_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, _ = run(small_recipe(max_steps=2), examples(), tmp_path / "before")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    after, _ = run(small_recipe(max_steps=2), examples(), tmp_path / "after")
    assert after.fingerprint == before.fingerprint  # type: ignore[attr-defined]
    assert os.environ["ACCELERATE_MIXED_PRECISION"] == "bf16"


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 1e-4}, {"max_steps": 2}])
def test_another_recipe_is_another_model(tmp_path: Path, change: dict[str, object]) -> None:
    assert small_recipe(**change).key(examples()) != small_recipe().key(examples())
    assert small_recipe().key(examples(97)) != small_recipe().key(examples())


def _without(key: str) -> Callable[[Path, Path], object]:
    def damage(folder: Path, metadata: Path) -> None:
        value = json.loads(metadata.read_text("utf-8"))
        del value[key]
        metadata.write_text(json.dumps(value), "utf-8")

    return damage


def _another_kind(folder: Path, metadata: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file", "utf-8")


def _a_folder(folder: Path, metadata: Path) -> None:
    metadata.unlink()
    (metadata / "inside").mkdir(parents=True)


def _flipped(folder: Path, metadata: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "weights with another byte": _flipped,
    "weights missing": lambda folder, metadata: (folder / "model.safetensors").unlink(),
    "weights cut short": lambda folder, metadata: os.truncate(folder / "model.safetensors", 1_000),
    "a file too many": lambda folder, metadata: (folder / "config2.json").write_text("{}", "utf-8"),
    "folder missing": lambda folder, metadata: shutil.rmtree(folder),
    "folder a file": _another_kind,
    "metadata missing": lambda folder, metadata: metadata.unlink(),
    "metadata a folder": _a_folder,
    "metadata without energy": _without("energy"),
    "metadata without created": _without("created"),
    "metadata a list": lambda folder, metadata: metadata.write_text("[]", "utf-8"),
    "metadata cut short": lambda folder, metadata: os.truncate(metadata, 30),
}


@pytest.mark.slow("trains a model twelve times", seconds=8)
def test_whatever_was_damaged_of_a_cached_model_it_is_trained_again(tmp_path: Path) -> None:
    recipe = small_recipe(max_steps=2)
    first, _ = run(recipe, examples(), tmp_path)
    for name, damage in DAMAGE.items():
        damage(first.folder, first.folder.with_name(f"{first.folder.name}.json"))  # type: ignore[attr-defined]
        again, meter = run(recipe, examples(), tmp_path)
        assert [phase.name for phase in meter.phases] == ["fine-tune"], name
        assert again.fingerprint == first.fingerprint, name  # type: ignore[attr-defined]
        assert again.training["energy"]["kwh"] > 0, name  # type: ignore[attr-defined]
    _, meter = run(recipe, examples(), tmp_path)
    assert meter.phases == []


@pytest.mark.slow("trains a model")
def test_another_version_of_the_audit_trains_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = small_recipe(max_steps=2)
    run(recipe, examples(), tmp_path)
    monkeypatch.setattr(finetune, "version", lambda name: "9.9" if name == "pytest-model-audit" else version(name))
    _, meter = run(recipe, examples(), tmp_path)
    assert [phase.name for phase in meter.phases] == ["fine-tune"]


@pytest.mark.slow("trains a model")
def test_training_says_what_each_epoch_reached(tmp_path: Path) -> None:
    trained, _ = run(small_recipe(epochs=2, validation=0.25), examples(), tmp_path)
    training = trained.training  # type: ignore[attr-defined]
    assert [epoch["epoch"] for epoch in training["history"]] == [1, 2]
    assert all(0 <= epoch["validation_accuracy"] <= 1 for epoch in training["history"])
    assert (training["examples"], training["validation_examples"]) == (72, 24)
    assert training["energy"]["kwh"] > 0
    assert json.loads(json.dumps(training)) == training


def test_texts_held_out_are_never_trained_on() -> None:
    data = examples().take(np.arange(192) // 2)
    fit, held_out = split_validation(data, 0.25, 0)
    assert set(fit) | set(held_out) == set(range(192))
    assert not set(data.take(fit).texts) & set(data.take(held_out).texts)


@pytest.mark.parametrize(
    ("train_what", "trainable"),
    [
        ("all", ["embeddings", "layer.0", "layer.1", "layer.2", "pooler", "classifier"]),
        ("head", ["pooler", "classifier"]),
        ("last:2", ["layer.1", "layer.2", "pooler", "classifier"]),
    ],
)
def test_freezing_leaves_the_named_parts(base: Path, train_what: str, trainable: list[str]) -> None:
    network = AutoModelForSequenceClassification.from_pretrained(base)
    freeze(network, train_what)
    parts = ["embeddings", "layer.0", "layer.1", "layer.2", "pooler", "classifier"]
    for part in parts:
        flags = {p.requires_grad for name, p in network.named_parameters() if part in name}
        assert flags == {part in trainable}, part


@pytest.mark.slow("trains a model")
def test_frozen_weights_do_not_move(base: Path, tmp_path: Path) -> None:
    settings = Finetune(epochs=1, batch_size=16, learning_rate=1e-2, train="head")
    trained, _ = run(Recipe(str(base), base, None, True, settings, 32, "cpu"), examples(), tmp_path)
    before = AutoModelForSequenceClassification.from_pretrained(base).state_dict()
    after = trained.network.state_dict()  # type: ignore[attr-defined]
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"}


def decoder(folder: Path, *, ends_texts: bool) -> None:
    """Save a GPT-2 and a tokenizer that knows no padding, and perhaps no end of a text either."""
    _, words = small_bert(examples().texts, {"id2label": dict(enumerate(CLASSES))}, 32)
    own = {"unk_token": "[UNK]"} | ({"eos_token": "[SEP]"} if ends_texts else {})
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words.backend_tokenizer, **own)
    config = GPT2Config(vocab_size=len(words), n_embd=16, n_layer=3, n_head=2, n_positions=32, num_labels=3)
    GPT2ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.mark.slow("trains a model")
def test_a_decoder_without_padding_fills_up_with_the_end_of_a_text(tmp_path: Path) -> None:
    decoder(tmp_path / "base", ends_texts=True)
    settings = Finetune(max_steps=2, batch_size=16, train="last:1", validation=0.1)
    recipe = Recipe("gpt2", tmp_path / "base", None, True, settings, 32, "cpu")
    trained, _ = run(recipe, examples(), tmp_path / "cache")
    network, tokenizer = trained.network, trained.tokenizer  # type: ignore[attr-defined]
    assert network.config.pad_token_id == tokenizer.pad_token_id == tokenizer.eos_token_id
    before = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base").state_dict()
    moved = {name.rpartition(".h.")[2][:1] for name, now in network.state_dict().items() if not now.equal(before[name])}
    assert moved == {"2", "s"}  # the last layer, and score.weight


def test_a_decoder_that_has_nothing_to_fill_up_with_is_one_sentence(tmp_path: Path) -> None:
    decoder(tmp_path / "base", ends_texts=False)
    recipe = Recipe("gpt2", tmp_path / "base", None, True, Finetune(max_steps=1), 32, "cpu")
    with pytest.raises(AuditError, match=r"set tokenizer\.pad_token and save it") as refused:
        run(recipe, examples(), tmp_path / "cache")
    assert is_one_sentence(str(refused.value))


@pytest.mark.parametrize(
    ("config", "layers"),
    [
        (GPT2Config(vocab_size=9, n_embd=8, n_layer=3, n_head=1, pad_token_id=0), 3),
        (
            AlbertConfig(
                vocab_size=9, embedding_size=8, hidden_size=8, num_hidden_layers=4, num_attention_heads=1,
                intermediate_size=8,
            ),
            1,  # all of them share their weights
        ),
    ],
)  # fmt: skip
def test_layers_are_told_by_what_they_are_not_by_their_name(config: PretrainedConfig, layers: int) -> None:
    network = AutoModelForSequenceClassification.from_config(config)
    freeze(network, "head")
    head = {name for name, weights in network.named_parameters() if weights.requires_grad}
    freeze(network, "last:1")
    assert head < {name for name, weights in network.named_parameters() if weights.requires_grad}
    with pytest.raises(AuditError, match=rf"the model has {layers} layers? that can be told apart"):
        freeze(network, f"last:{layers + 1}")


def test_more_layers_than_there_are_is_the_users_mistake(base: Path) -> None:
    with pytest.raises(AuditError, match=r"last:4.* 3 layers"):
        freeze(AutoModelForSequenceClassification.from_pretrained(base), "last:4")


@pytest.mark.slow("trains a model")
def test_scratch_forgets_the_base_weights(base: Path, tmp_path: Path) -> None:
    settings = Finetune(epochs=1, max_steps=1, learning_rate=1e-9, initialise="scratch")
    trained, _ = run(Recipe(str(base), base, None, True, settings, 32, "cpu"), examples(), tmp_path)
    before = AutoModelForSequenceClassification.from_pretrained(base).state_dict()
    name = "bert.encoder.layer.0.attention.self.query.weight"
    assert not torch.allclose(before[name], trained.network.state_dict()[name], atol=1e-3)  # type: ignore[attr-defined]


def _train_in_process(cache: str, queue: multiprocessing.Queue[tuple[str, int]]) -> None:
    trained, meter = run(small_recipe(), examples(), Path(cache))
    queue.put((trained.fingerprint, len(meter.phases)))  # type: ignore[attr-defined]


@pytest.mark.slow("trains in one of two processes", seconds=10)
def test_of_two_processes_one_trains_and_the_other_waits(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    workers = [context.Process(target=_train_in_process, args=(str(tmp_path), queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    results = [queue.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    assert len({fingerprint for fingerprint, _ in results}) == 1
    assert sorted(phases for _, phases in results) == [0, 1]


@pytest.mark.slow("trains a model")
def test_twins_are_trained_on_independent_halves(tmp_path: Path) -> None:
    """Of whole texts: the last twenty rows are copies."""
    data = examples(180)
    data = data.take(np.array([*range(180), *range(20)]))
    meter = Meter("DEU")
    made = twins(small_recipe(max_steps=2), data, 2, Cache(tmp_path), meter, Progress())
    assert [phase.name for phase in meter.phases] == ["twins", "twins"]
    for twin in made:
        assert 70 < twin.members.sum() < 130
        assert np.array_equal(twin.members[:20], twin.members[180:])
        assert twin.model.training is not None
        assert twin.model.training["examples"] == twin.members.sum()
    both = int((made[0].members & made[1].members).sum())
    assert 25 < both < 75  # independent coins: about a quarter of the examples in both
    assert made[0].model.fingerprint != made[1].model.fingerprint


@pytest.mark.slow("would train one of three models")
def test_a_twin_for_which_no_example_is_left_is_not_trained_on_none(tmp_path: Path) -> None:
    """Three coins for a single example; two of them leave it out."""
    meter = Meter("DEU")
    with pytest.raises(NotAssessed, match="supply more training data"):
        twins(small_recipe(max_steps=1), examples(1), 3, Cache(tmp_path), meter, Progress())
    assert meter.phases == []


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_are_those_of_transformers_own_collator(untrained: Path, side: str) -> None:
    from audit.training.finetune import _collate

    tokenizer = AutoTokenizer.from_pretrained(untrained, padding_side=side)
    rows: Any = [
        dict(tokenizer(text)) | {"labels": i} for i, text in enumerate(["good", "a very good film", "", "so so"])
    ]
    for part in (rows, rows[:1]):
        expected = DataCollatorWithPadding(tokenizer)([dict(row) for row in part])
        found = _collate(tokenizer)(part)
        assert set(found) == set(expected)
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


@pytest.mark.slow("trains a model", seconds=2)
def test_a_training_that_breaks_down_is_an_error_and_leaves_no_model(folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["bert.embeddings.LayerNorm.weight"] *= torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    recipe = Recipe("mine", folder, None, True, Finetune(epochs=1), 32, "cpu")
    with pytest.raises(AuditError, match=r"loss or weights are no numbers after 1 steps; lower \[model.finetune\]"):
        run(recipe, examples(48), tmp_path / "cache")
    assert not list((tmp_path / "cache" / "models").glob("*.json"))


@pytest.mark.slow("trains a model", seconds=3)
def test_each_epoch_has_its_loss_however_short_it_is(tmp_path: Path) -> None:
    model, _ = run(small_recipe(epochs=30, validation=0.2), examples(40), tmp_path / "cache")
    history = model.training["history"]  # type: ignore[attr-defined]
    assert len(history) == 30
    assert np.isfinite([epoch["loss"] for epoch in history]).all()


@pytest.mark.slow("trains a model", seconds=2)
def test_a_base_of_another_task_is_trained_as_a_classifier_of_one_label(folder: Path, tmp_path: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"problem_type": "multi_label_classification"}), "utf-8")
    model, _ = run(Recipe("mine", folder, None, True, Finetune(epochs=1), 32, "cpu"), examples(48), tmp_path / "cache")
    made = json.loads((model.folder / "config.json").read_text("utf-8"))  # type: ignore[attr-defined]
    assert made.get("problem_type") in (None, "single_label_classification")


def test_a_slow_first_step_does_not_tell_how_long_a_training_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries are loaded in it, and what all later steps need is made."""
    now, steps = 0.0, 0
    forward = BertForSequenceClassification.forward

    def timed(self: BertForSequenceClassification, *arguments: Any, **named: Any) -> Any:
        nonlocal now, steps
        now, steps = now + (1 if steps else 1_000), steps + 1
        return forward(self, *arguments, **named)

    monkeypatch.setattr(BertForSequenceClassification, "forward", timed)
    monkeypatch.setattr("time.perf_counter", lambda: now)
    recipe = small_recipe(batch_size=8)
    assert finetune.seconds_per_example(recipe, examples(), within_s=20) == 1 / 8
    job = finetune.Job(recipe, examples())
    rows = round(96 * (1 - recipe.settings.validation))
    batches = -(-rows // 8) * recipe.settings.epochs
    assert finetune.expected_seconds(job, 1 / 8) == batches
