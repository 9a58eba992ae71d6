"""Model folders that are broken or hostile: refused in one sentence, or looked through and told, and never run."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from audit.models import model
from audit.models.files import artifact
from audit.models.model import Model
from tests.hostile.sentences import refusal
from tests.models.test_admission import configure

Change = Callable[[Path], object]
WEIGHTS = "model.safetensors"


def admitted(folder: Path) -> Model:
    """The model, looked at, loaded and asked once: all that an audit does before it measures."""
    found, _ = model.locate("mine", folder, None)
    model.check_classifier(found, "mine")
    labels = model.labels_of(found, "mine", ())
    model.check_outputs(found, "mine", labels)
    loaded = Model("mine", found, labels, 16)
    rows = loaded.tokenizer(["good film"], truncation=True, max_length=16, return_tensors="pt")
    assert loaded.network(**rows).logits.shape == (1, len(labels))
    return loaded


def put(name: str, content: bytes | str) -> Change:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def spoil(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def weights(change: Callable[[dict[str, np.ndarray]], object]) -> Change:
    def spoiled(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})

    return spoiled


def index(weight_map: object) -> Change:
    def change(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": weight_map}), "utf-8")

    return change


def in_place_of(name: str, make: Change) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return change


def tokenizer(**values: object) -> Change:
    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")

    return change


def classes(*names: object) -> Change:
    return configure(id2label=dict(enumerate(names)), label2id=None)


NO_CONFIG, OTHER_SHAPES = "has no config.json; expected a saved Transformers model", "has other shapes than config.json"
REFUSED: dict[str, tuple[Change, str]] = {
    "an empty configuration": (put("config.json", ""), "config.json cannot be used: not valid JSON"),
    "a list for a configuration": (put("config.json", "[]"), "config.json holds no JSON object"),
    "a configuration without end": (put("config.json", "[" * 100_000), "config.json cannot be used: not valid JSON"),
    "a configuration in Latin-1": (put("config.json", b'{"a": "\xe9"}'), "config.json cannot be used: not valid JSON"),
    "a number of 5000 digits": (put("config.json", f'{{"num_labels": {"1" * 5000}}}'), "config.json cannot be used"),
    "a configuration that is a folder": (in_place_of("config.json", Path.mkdir), NO_CONFIG),
    "a configuration that is a circle": (in_place_of("config.json", lambda p: p.symlink_to("config.json")), NO_CONFIG),
    "a width that is no number": (configure(hidden_size=float("nan")), "has a value for hidden_size that cannot"),
    "a width of 0": (configure(hidden_size=0), "the model cannot be loaded; save it anew"),
    "a width of a billion": (configure(hidden_size=10**9), "its weights have other shapes than config.json says"),
    "a vocabulary of a trillion": (configure(vocab_size=10**12), "its tokenizer knows 6 words beside its"),
    "no positions": (configure(max_position_embeddings=0), "its weights have other shapes than config.json says"),
    "heads that do not divide the width": (configure(num_attention_heads=3), "the model cannot be loaded"),
    "a billion layers": (configure(num_hidden_layers=10**9), "says 1,000,000,000 layers, and the weights have 1"),
    "no layers": (configure(num_hidden_layers=0), "says 0 layers, and the weights have 1"),
    "fewer than no layers": (configure(num_hidden_layers=-1), "says -1 layers, and the weights have 1"),
    "a function that nobody knows": (configure(hidden_act="boom"), "the model cannot be loaded"),
    "a list for a function": (configure(hidden_act=["gelu"]), "has a value for hidden_act that cannot be one"),
    "no kind of model": (configure(model_type=None), "which the installed transformers"),
    "a number for a kind of model": (configure(model_type=5), "model_type = '5', which the installed transformers"),
    "another kind of model": (configure(model_type="gpt2"), "has no trained weights for"),
    "a padding token without an embedding": (configure(pad_token_id=10**9), "the model cannot be loaded"),
    "a number type that does not exist": (configure(dtype="evil"), "cannot be loaded"),
    "a list for the quantisation": (configure(quantization_config=[1]), "cannot be loaded; save it anew"),
    "two names for three classes": (classes("a", "b"), "its head has 3 outputs, but 2 classes are named"),
    "five names for three classes": (classes(*"abcde"), "its head has 3 outputs, but 5 classes are named"),
    "a hundred thousand classes": (classes(*range(100_000)), "names 100,000 classes; an audit is of"),
    "classes without names": (classes(None, None, None), "several of its classes are called 'None'"),
    "a text for the classes": (configure(id2label="x"), "id2label in config.json is not a map of numbers to names"),
    "a head for tokens in the weights": (
        weights(lambda t: t.update({"classifier.weight": np.zeros((9, 16), np.float32)})),
        "its head has 9 outputs, but 3 classes are named",
    ),
    "a head without outputs": (
        weights(lambda t: t.update({"classifier.weight": np.zeros((0, 16), np.float32)})), "its head has 0 outputs",
    ),
    "a head of no dimension": (
        weights(lambda t: t.update({"classifier.weight": np.zeros((), np.float32)})), "its weights have other shapes",
    ),
    "weights that stand upright": (
        weights(lambda t: t.update({k: np.ascontiguousarray(v.T) for k, v in t.items()})), "its head has 16 outputs",
    ),
    "weights of other names": (
        weights(lambda t: [t.update({f"x.{k}": t.pop(k)}) for k in list(t)]), "no trained weights for a",
    ),
    "no embeddings": (
        weights(lambda t: t.pop("bert.embeddings.word_embeddings.weight")), "no trained weights for bert.embeddings",
    ),
    "zeros for weights": (put(WEIGHTS, bytes(1000)), "not a whole safetensors file"),
    "a pickle for weights": (put(WEIGHTS, b"\x80\x04."), "not a whole safetensors file"),
    "a header of nine exabytes": (put(WEIGHTS, struct.pack("<Q", 2**63) + b"{}"), "not a whole safetensors file"),
    "a byte too many": (spoil(WEIGHTS, lambda content: content + b"x"), "not a whole safetensors file"),
    "weights that are a folder": (in_place_of(WEIGHTS, Path.mkdir), "has no weights; expected model.safetensors"),
    "weights that never end": (in_place_of(WEIGHTS, lambda p: p.symlink_to("/dev/zero")), "is a pipe, socket or"),
    "an index of itself": (index({"a": f"{WEIGHTS}.index.json"}), "names a file of another format"),
    "an index of what is not there": (index({"a": "x.safetensors"}), "names weights that are not there"),
    "an empty tokenizer": (put("tokenizer.json", ""), "the tokenizer cannot be loaded"),
    "a list for a tokenizer": (put("tokenizer.json", "[]"), "the tokenizer cannot be loaded; save it anew"),
    "a tokenizer without end": (put("tokenizer.json", '{"a":' * 100_000), "the tokenizer cannot be loaded; save"),
    "a tokenizer without words": (tokenizer(model=None), "the tokenizer cannot be loaded; save it anew"),
    "a tokenizer of an unknown step": (tokenizer(normalizer={"type": "Evil"}), "the tokenizer cannot be loaded"),
    "a list for the tokenizer's settings": (put("tokenizer_config.json", "[]"), "the tokenizer cannot be loaded"),
    "a number for the tokenizer's class": (put("tokenizer_config.json", '{"tokenizer_class": 5}'), "cannot be loaded"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_folder_is_one_sentence(folder: Path, case: str) -> None:
    change, said = REFUSED[case]
    change(folder)
    message = refusal(lambda: admitted(folder))
    assert "model 'mine'" in message or str(folder) in message
    assert said in message, message


def circles(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to("..")
    (folder / "self").symlink_to("self")


def deep(folder: Path) -> None:
    for _ in range(200):
        folder = folder / "d"
        folder.mkdir()


def zip_bomb(name: str, inside: str) -> Change:
    def change(folder: Path) -> None:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(inside, "w") as file:
            for _ in range(64):
                file.write(bytes(2**20))

    return change


TOLD: dict[str, tuple[Change, str]] = {
    "links in a circle": (circles, "neither a file nor a folder"),
    "two hundred folders deep": (deep, ""),
    "a zip bomb": (zip_bomb("more.zip", "zeros"), ""),
    "a zip bomb for weights": (zip_bomb("pytorch_model.bin", "archive/data.pkl"), "its name makes programs"),
    "a name of two lines": (put("a\nb\u202e.bin", "x"), "its name makes programs unpickle it"),
    "code for the tokenizer": (
        put("tokenizer_config.json", '{"auto_map": {"AutoTokenizer": ["evil.T", null]}}'), "asks for code of its own",
    ),
    "a text for its code": (configure(auto_map="evil"), "asks for code of its own"),
    "weights that are no numbers": (
        weights(lambda t: t["classifier.weight"].__setitem__(0, np.nan)), "are not a number or infinite",
    ),
    "a tensor that nothing uses": (weights(lambda t: t.update({"evil": np.zeros(3, np.float32)})), ""),
    "classes numbered with gaps": (configure(id2label={"0": "a", "5": "b", "9": "c"}, label2id=None), ""),
    "a class of two lines": (classes("a\nb", "c", "d"), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", TOLD)
def test_a_strange_folder_is_looked_through_and_told(folder: Path, case: str) -> None:
    change, said = TOLD[case]
    change(folder)
    loaded = admitted(folder)
    problems = artifact.inspect(folder, loaded.files, {}).problems
    told = "; ".join(f"{each.file}: {each.problem}" for each in problems)
    assert (said in told) if said else not problems, told
    assert told.isprintable()
