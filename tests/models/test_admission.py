"""What is refused of a model before any of it is loaded, and how many tokens its network has positions for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification

from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.run.options import Options
from audit.run.session import Session
from tests.conftest import CLASSES, write_csv
from tests.helpers import TINY_WORDS, is_one_sentence, save_tiny

Change = Callable[[Path], object]
TEXTS = ["good film", "bad film", "the film", "a good film"]


def audit_of(folder: Path, place: Path, *, max_length: int = 32, more: str = "") -> Session:
    """An audit of this model on a few texts of words that the tiny tokenizer knows."""
    labels = ("positive", "negative", "neutral", "positive")
    rows: list[dict[str, str | None]] = [{"text": t, "label": label} for t, label in zip(TEXTS, labels, strict=True)]
    train, test = (write_csv(place / f"{name}.csv", rows * 5) for name in ("train", "test"))
    (place / "audit.toml").write_text(
        f'[model]\nsource = "{folder}"\nmax_length = {max_length}\n[data]\ntest = "{test}"\ntrain = "{train}"\n{more}',
        "utf-8",
    )
    return Session(Options(place, cache=place / "cache"), (), Progress())


def refusal(folder: Path, place: Path, more: str = "") -> str:
    """The sentence with which an audit of this model refuses to start; nothing is loaded for it."""
    session = audit_of(folder, place, more=more)
    try:
        with pytest.raises(AuditError) as caught:
            session.start()
    finally:
        session.close()
    message = str(caught.value)
    assert is_one_sentence(message), message
    assert str(folder) in message
    return message


def configure(**values: object) -> Change:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")

    return change


def rename(pattern: Callable[[str], str | None]) -> Change:
    def change(folder: Path) -> None:
        named = {pattern(name): tensor for name, tensor in load_file(folder / "model.safetensors").items()}
        save_file({n: t for n, t in named.items() if n}, folder / "model.safetensors", metadata={"format": "pt"})

    return change


def quantise(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    small = {name: (t * 100).to(torch.int8) if t.dim() == 2 else t for name, t in tensors.items()}
    save_file(small, folder / "model.safetensors", metadata={"format": "pt"})


def single_output(folder: Path) -> None:
    shutil.rmtree(folder)
    save_tiny(folder, num_labels=1)


def list_words(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in TINY_WORDS), "utf-8")


OWN_CODE = {"AutoConfig": "mine.C", "AutoModelForSequenceClassification": "mine.M"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (configure(problem_type="multi_label_classification"), "multi_label_classification"),
        (configure(problem_type="regression"), "not a classifier"),
        (single_output, "one output: a score, not a classifier"),
        (rename(lambda name: f"module.{name}"), "'module.'"),
        (rename(lambda name: f"_orig_mod.{name}"), "'_orig_mod.'"),
        (rename(lambda name: None if "classifier" in name else name), "no trained weights for a classification head"),
        (configure(quantization_config={"quant_method": "bitsandbytes"}), "quantised (bitsandbytes)"),
        (quantise, "quantised (whole numbers in "),
        (configure(auto_map=OWN_CODE, model_type="mine"), "code of its own (auto_map"),
        (configure(is_encoder_decoder=True, model_type="bart"), "an encoder and a decoder (bart)"),
        (configure(model_type="mine"), "model_type = 'mine', which the installed transformers"),
        (configure(id2label=[1, 2, 0]), "id2label in config.json is not a map of numbers to names"),
        (
            configure(id2label={"0": "negative", "1": "positive"}, label2id={"negative": 0, "positive": 1}),
            "3 outputs, but 2 classes",
        ),
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer (tokenizer.json, vocab.txt, …)"),
        (
            lambda folder: [(folder / f"tokenizer{name}.json").unlink() for name in ("", "_config")],
            "has no tokenizer (tokenizer.json, vocab.txt, …)",
        ),
        (
            lambda folder: [(folder / "adapter_config.json").write_text("{}"), (folder / "config.json").unlink()],
            "an adapter whose adapter_config.json names no base",
        ),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "adapter_config.json"),
            "only an adapter",
        ),
    ],
)
def test_what_cannot_be_audited_is_refused_before_any_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Change, words: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something of the model was loaded")

    change(folder)
    monkeypatch.setattr("transformers.AutoModelForSequenceClassification.from_pretrained", refuse)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", refuse)
    assert words in refusal(folder, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        configure(problem_type="single_label_classification"),
        configure(auto_map=OWN_CODE),  # of a known architecture: the library's own code is used
        list_words,
        lambda folder: (folder / "adapter_config.json").write_text("{}"),  # beside the merged weights
    ],
)
def test_what_holds_is_not_refused(folder: Path, tmp_path: Path, change: Change) -> None:
    change(folder)
    session = audit_of(folder, tmp_path)
    session.start()
    session.close()


def test_a_family_that_somebody_told_transformers_of_is_not_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    monkeypatch.setitem(CONFIG_MAPPING._extra_content, "mine", AutoConfig.for_model("bert").__class__)
    configure(model_type="mine")(folder)
    session = audit_of(folder, tmp_path)
    session.start()
    session.close()


def test_weights_of_other_shapes_than_the_configuration_says_are_no_librarys_words(
    folder: Path, tmp_path: Path
) -> None:
    configure(max_position_embeddings=31)(folder)
    session = audit_of(folder, tmp_path)
    with pytest.raises(AuditError, match=r"its weights have other shapes than config\.json says") as caught:
        _ = session.models.transformer.network
    assert is_one_sentence(str(caught.value))
    session.close()


def test_a_head_that_is_made_anew_may_have_been_for_anything(folder: Path, tmp_path: Path) -> None:
    single_output(folder)
    configure(problem_type="regression")(folder)
    session = audit_of(folder, tmp_path, more="[model.finetune]\n")
    session.start()
    session.close()


# Positions


TINY: dict[str, Any] = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 24,
}  # fmt: skip
GPT = {"vocab_size": 40, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 24, "bos_token_id": 0}


@pytest.mark.parametrize(
    ("family", "sizes", "readable"),
    [
        ("bert", TINY, 24),
        ("roberta", TINY, 22),
        ("mpnet", TINY, 22),
        ("distilbert", {"vocab_size": 40, "dim": 16, "n_layers": 1, "n_heads": 2, "max_position_embeddings": 24}, 24),
        ("gpt2", GPT, 24),
        ("llama", TINY | {"num_key_value_heads": 2}, None),
        ("deberta-v2", TINY | {"relative_attention": True, "position_biased_input": False}, None),
        ("xlnet", {"vocab_size": 40, "d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 16}, None),
    ],
)
def test_texts_are_cut_where_the_networks_positions_end_and_nowhere_else(
    family: str, sizes: dict[str, Any], readable: int | None, folder: Path, tmp_path: Path
) -> None:
    labels = dict(enumerate(CLASSES))
    network = AutoModelForSequenceClassification.from_config(AutoConfig.for_model(family, id2label=labels, **sizes))
    for path in (folder / "config.json", folder / "model.safetensors"):
        path.unlink()
    network.save_pretrained(folder)
    length = audit_of(folder, tmp_path, max_length=40).models.model.max_length
    assert length == (readable or 40)
    tokens = torch.full((1, length), 5)
    with torch.no_grad():
        assert network.eval()(input_ids=tokens).logits.isfinite().all()
        if readable:
            with pytest.raises(Exception, match=r"index|size"):
                network(input_ids=torch.full((1, length + 1), 5))


def test_the_recipe_reads_no_more_than_its_base(folder: Path, tmp_path: Path) -> None:
    recipe = audit_of(folder, tmp_path, max_length=64, more="[model.finetune]\n").models.recipe
    assert recipe is not None
    assert recipe.max_length == 32
    recipe = audit_of(folder, tmp_path, max_length=24, more="[model.finetune]\n").models.recipe
    assert recipe is not None
    assert recipe.max_length == 24


def test_texts_beyond_the_positions_are_answered_and_explained(folder: Path, tmp_path: Path) -> None:
    import numpy as np

    session = audit_of(folder, tmp_path, max_length=64)
    scorer = session.models.scorer(session.models.transformer)
    long = "good film " * 50
    assert scorer.predict([long]).probabilities.shape == (1, 3)
    assert scorer.forward([long]).shape == (1, 3)
    assert scorer.embed([long]).shape == (1, 32)
    assert scorer.attention([long])[0].weights.shape[-1] == 32
    (explained,) = scorer.attributions([long], np.array([0]))
    assert len(explained.spans) == 30
    assert scorer.trigger_scores([long], np.array([0])).words
    session.close()
