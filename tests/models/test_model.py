"""Model folders: identified by what counts, refused where they are unsafe or unusable, and never executed."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from audit import AuditError
from audit.models.model import Model, check_folder, choose_device, fingerprint, hash_files, labels_of, locate
from tests.helpers import THREE, TINY_WORDS, TWO, Bomb, is_one_sentence, save_tiny


def _model(folder: Path, labels: tuple[str, ...] = THREE) -> Model:
    return Model("mine", folder, labels, 32)


def _bomb(target: Path) -> bytes:
    return pickle.dumps(Bomb(target))


# Fingerprint


def test_the_folder_of_a_run_names_its_last_checkpoint(tmp_path: Path) -> None:
    for number in (500, 1000, 90):
        save_tiny(tmp_path / "run" / f"checkpoint-{number}")
    with pytest.raises(AuditError, match=r"run has no config.json; did you mean .*run/checkpoint-1000\?"):
        check_folder(tmp_path / "run", "run")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AuditError, match="expected a saved Transformers model"):
        check_folder(tmp_path / "empty", "empty")


def _only(name: str) -> Callable[[Path], object]:
    """Leave one file in a folder, of a kind that is not read."""

    def change(folder: Path) -> None:
        for path in folder.iterdir():
            path.unlink()
        (folder / name).write_bytes(b"x")

    return change


@pytest.mark.parametrize(
    ("inside", "change"),
    [
        *(("", _only(name)) for name in ("model.onnx", "model.joblib")),
        *((name, _only(name)) for name in ("model.onnx", "model.joblib", "model.gguf")),
        *(
            ("", lambda folder, name=name: (folder / "model.safetensors").rename(folder / name))
            for name in ("tf_model.h5", "flax_model.msgpack", "model.gguf")
        ),
        ("", lambda folder: _edit_json("config.json", "is_encoder_decoder", True)(folder)),
        ("", lambda folder: _edit_json("config.json", "model_type", "mine")(folder)),
    ],
)
def test_every_refusal_of_a_models_kind_names_the_way_to_audit_it(
    folder: Path, inside: str, change: Callable[[Path], object]
) -> None:
    change(folder)
    with pytest.raises(AuditError, match="code that asks it") as caught:
        locate(str(folder / inside), folder / inside, None)
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize("source", ["https://models.example.org/v1", "mine:predict", "word counts"])
def test_so_does_that_of_a_service_or_a_function(tmp_path: Path, source: str) -> None:
    with pytest.raises(AuditError, match="code that asks it"):
        locate(source, tmp_path / source, None)


def test_a_folder_that_is_not_there_is_a_typing_error(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"or a Hub id such as 'bert-base-uncased'\.$"):
        locate("./nowhere", tmp_path / "nowhere", None)


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
INDEX = {"weight_map": {"classifier.weight": "model-00001-of-00001.safetensors"}}


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("model.safetensors", ""),
        ("config.json", ""),
        ("tokenizer.json", ""),
        ("pytorch_model.bin", "model.safetensors"),
        ("model.safetensors.index.json", "model.safetensors"),
        ("model-00001-of-00001.safetensors", "model.safetensors"),
    ],
)
@pytest.mark.parametrize("allow_pickle", [False, True])
def test_a_pointer_of_git_lfs_in_the_place_of_a_file_is_named(
    folder: Path, name: str, instead: str, allow_pickle: bool
) -> None:
    if instead:
        (folder / instead).unlink()
    if name.startswith("model-"):
        (folder / "model.safetensors.index.json").write_text(json.dumps(INDEX), "utf-8")
    (folder / name).write_text(POINTER, "utf-8")
    with pytest.raises(AuditError, match=rf"{name} is a Git LFS pointer.*`git lfs pull`") as caught:
        locate("mine", folder, None, allow_pickle=allow_pickle)
    assert is_one_sentence(str(caught.value))


def test_pointers_in_the_place_of_files_that_nobody_loads_do_no_harm(folder: Path) -> None:
    (folder / "onnx").mkdir()
    for name in ("pytorch_model.bin", "onnx/model.onnx"):
        (folder / name).write_text(POINTER, "utf-8")
    assert locate("mine", folder, None) == (folder, None)


def test_pickled_weights_are_refused_with_both_ways_out(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(AuditError, match=r"safe_serialization=True\), or allow it with \[security\] allow_pickle"):
        locate("mine", folder, None)


def test_the_fingerprint_leaves_documentation_out(folder: Path) -> None:
    before = _model(folder).fingerprint
    assert before.startswith("sha256:")
    (folder / "README.md").write_text("A model.", "utf-8")
    (folder / "picture.png").write_bytes(b"png")
    assert _model(folder).fingerprint == before


def _edit_json(name: str, key: str, value: object) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}), "utf-8")

    return edit


def _edit_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] += 1e-6
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _add(name: str, content: bytes = b"x") -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return add


@pytest.mark.parametrize(
    "change",
    [
        _edit_weight,
        _edit_json("config.json", "hidden_act", "relu"),
        _edit_json("config.json", "id2label", {"0": "positive", "1": "neutral", "2": "negative"}),
        _edit_json("tokenizer_config.json", "do_lower_case", False),
        _edit_json("tokenizer.json", "version", "9"),
        _add("pytorch_model.bin"),
        _add("weights.PKL"),
        _add("modeling.py"),
        _add("model.onnx"),
        _add("vocab.txt"),
        _add("bpe.codes"),
        _add("source.spm"),
        _add("prophetnet.tokenizer"),
        _add("qwen.tiktoken"),
        lambda folder: (folder / "tokenizer_config.json").rename(folder / "tokenizer_settings.json"),
        lambda folder: (folder / "tokenizer.json").unlink(),
    ],
)
def test_the_fingerprint_changes_with_whatever_counts(folder: Path, change: Callable[[Path], None]) -> None:
    before = _model(folder).fingerprint
    change(folder)
    assert _model(folder).fingerprint != before


def test_files_are_hashed_by_content(folder: Path) -> None:
    (folder / "extra.txt").write_bytes(b"abc")
    hashes = hash_files(folder)
    # The example of FIPS 180-2, appendix B.1.
    assert hashes["extra.txt"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(hashes)


def test_the_fingerprint_does_not_depend_on_order() -> None:
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "1", "b": "2"}) != fingerprint({"a": "2", "b": "1"})


# Finding a model


def _refused(source: str, path: Path) -> str:
    with pytest.raises(AuditError) as caught:
        locate(source, path, None)
    message = str(caught.value)
    assert is_one_sentence(message), message
    assert source in message or str(path) in message
    return message


def test_a_local_folder_is_found(folder: Path) -> None:
    assert locate(str(folder), folder, None) == (folder, None)


@pytest.mark.parametrize("source", ["./nothing", "../nothing", "/nothing/at/all", "a/b/c/d", "no such model"])
def test_a_missing_folder_is_named(source: str, tmp_path: Path) -> None:
    assert "is not a folder" in _refused(source, tmp_path / "nothing")


def test_a_file_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"")
    assert "is not a folder" in _refused(str(path), path)


@pytest.mark.parametrize("source", ["bert-base-nowhere", "owner/model-nowhere"])
def test_a_hub_id_without_a_network_is_named(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    message = _refused(source, tmp_path / source)
    assert "could not be reached" in message
    assert "not in its cache" in message


def test_a_folder_without_configuration_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert "no config.json" in _refused("mine", folder)


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert "no weights" in _refused("mine", folder)


@pytest.mark.parametrize("content", ["{broken", "[]", "\xff"])
def test_a_broken_configuration_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_bytes(content.encode("latin-1"))
    assert "config.json" in _refused("mine", folder)


@pytest.mark.parametrize("keep", [0, 5, 100, -4])
def test_damaged_weights_are_refused(folder: Path, keep: int) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:keep])
    assert "not a whole safetensors file" in _refused("mine", folder)


def test_pickled_weights_alone_are_refused_and_not_executed(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(_bomb(tmp_path / "executed"))
    message = _refused("mine", folder)
    assert "pytorch_model.bin" in message
    assert "can run code" in message
    assert not (tmp_path / "executed").exists()


def test_pickled_weights_beside_safe_ones_are_not_executed(folder: Path, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "training_args.bin", "model.pkl"):
        (folder / name).write_bytes(_bomb(tmp_path / "executed"))
    check_folder(folder, "mine")
    model = _model(folder)
    _ = model.tokenizer, model.network, model.describe()
    assert not (tmp_path / "executed").exists()
    # The same file does run code where somebody unpickles it: the test can fail.
    os.close(pickle.loads((folder / "model.pkl").read_bytes()))  # noqa: S301
    assert (tmp_path / "executed").exists()


# Class names


def _config(folder: Path, **values: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values), "utf-8")
    return folder


GENERIC = {"0": "LABEL_0", "1": "LABEL_1"}
NAMED = {"1": "Positive", "0": "Negative"}


@pytest.mark.parametrize(
    ("id2label", "asked", "expected"),
    [
        (NAMED, (), ("Negative", "Positive")),
        (NAMED, TWO, TWO),  # the policy's spelling, where only the case differs
        (GENERIC, TWO, TWO),
        (None, TWO, TWO),
        ({str(i): f"c{i}" for i in range(11)}, (), tuple(f"c{i}" for i in range(11))),  # "10" after "9"
    ],
)
def test_class_names(
    tmp_path: Path, id2label: dict[str, str] | None, asked: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert labels_of(_config(tmp_path / "m", id2label=id2label), "m", asked) == expected


@pytest.mark.parametrize(
    ("id2label", "asked", "words"),
    [
        (GENERIC, (), "[model] labels"),
        (None, (), "[model] labels"),
        (GENERIC, THREE, "2 classes"),
        (NAMED, ("positive", "negative"), "Negative, Positive"),
        (NAMED, THREE, "Negative, Positive"),
        ({"zero": "negative"}, (), "id2label"),
        (["negative", "positive"], (), "id2label"),
    ],
)
def test_class_names_that_are_unknown_or_contradictory(
    tmp_path: Path, id2label: object, asked: tuple[str, ...], words: str
) -> None:
    with pytest.raises(AuditError) as caught:
        labels_of(_config(tmp_path / "m", id2label=id2label), "my model", asked)
    message = str(caught.value)
    assert is_one_sentence(message), message
    assert "'my model'" in message
    assert words in message


# Devices


def test_the_processor_is_always_there() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in {"cpu", "cuda:0", "mps"}


@pytest.mark.parametrize("option", ["gpu", "", "cuda:", "cuda:x", "cpu:0", "CUDA", "tpu"])
def test_an_unknown_device_is_refused(option: str) -> None:
    with pytest.raises(AuditError, match="unknown device") as caught:
        choose_device(option)
    assert is_one_sentence(str(caught.value))


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("audit.models.model.version", lambda name: "2.13.0+cpu")
    assert choose_device("auto") == "cpu"
    monkeypatch.setattr("audit.models.model.version", lambda name: "2.13.0+cu130")
    assert choose_device("auto") == "cuda:0"
    assert choose_device("cuda") == "cuda:0"
    assert choose_device("cuda:1") == "cuda:1"
    with pytest.raises(AuditError, match=r"sees 2 CUDA"):
        choose_device("cuda:2")
    with pytest.raises(AuditError, match="mps"):
        choose_device("mps")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(AuditError, match=r"sees 0 CUDA"):
        choose_device("cuda")
    assert choose_device("auto") == "cpu"


# Loading


def test_a_saved_model_is_loaded(folder: Path) -> None:
    model = _model(folder)
    assert labels_of(folder, "mine", ()) == THREE
    assert not model.network.training
    assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float32}
    assert model.parameters == sum(parameter.numel() for parameter in model.network.parameters())
    encoded = model.tokenizer(["good film"], return_tensors="pt")
    assert encoded["input_ids"].tolist() == [[TINY_WORDS.index(word) for word in ("[CLS]", "good", "film", "[SEP]")]]
    with torch.inference_mode():
        assert tuple(model.network(**encoded).logits.shape) == (1, 3)


def test_the_description_is_plain_json(folder: Path) -> None:
    found = json.loads(json.dumps(_model(folder).describe()))
    assert found["labels"] == list(THREE)
    assert found["fingerprint"] == _model(folder).fingerprint


def _unloadable(model: Model) -> str:
    with pytest.raises(AuditError) as caught:
        _ = model.network
    message = str(caught.value)
    assert is_one_sentence(message), message
    assert "'mine'" in message
    return message


def test_a_model_whose_head_is_missing_is_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    message = _unloadable(_model(folder))
    assert "classifier" in message
    assert "[model.finetune]" in message


def test_a_base_model_is_refused(tmp_path: Path) -> None:
    save_tiny(tmp_path / "base", "BertModel")
    message = _unloadable(Model("mine", tmp_path / "base", TWO, 32))
    assert "classifier" in message


def test_a_head_of_another_size_is_refused(folder: Path) -> None:
    _unloadable(_model(folder, TWO))


def _ship_code(folder: Path, executed: Path) -> None:
    """Give the model folder code of its own, which leaves a file when it is imported."""
    code = f"""
import transformers
open({str(executed)!r}, "w").close()
class MineConfig(transformers.BertConfig):
    model_type = "mine"
class Mine(transformers.BertForSequenceClassification):
    config_class = MineConfig
"""
    (folder / "modeling_mine.py").write_text(code, "utf-8")
    own = {"AutoConfig": "modeling_mine.MineConfig", "AutoModelForSequenceClassification": "modeling_mine.Mine"}
    _edit_json("config.json", "auto_map", own)(folder)


def test_a_model_that_needs_its_own_code_is_refused(folder: Path, tmp_path: Path) -> None:
    _ship_code(folder, tmp_path / "executed")
    _edit_json("config.json", "model_type", "mine")(folder)
    _unloadable(_model(folder))
    assert not (tmp_path / "executed").exists()


def test_code_in_the_folder_of_a_known_model_is_not_executed(folder: Path, tmp_path: Path) -> None:
    _ship_code(folder, tmp_path / "executed")
    assert type(_model(folder).network).__module__.startswith("transformers.models.bert.")
    assert not (tmp_path / "executed").exists()


def test_a_broken_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{", "utf-8")
    with pytest.raises(AuditError, match="tokenizer") as caught:
        _ = _model(folder).tokenizer
    assert is_one_sentence(str(caught.value))
