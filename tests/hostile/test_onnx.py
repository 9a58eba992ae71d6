"""ONNX folders that are broken or hostile: refused in one sentence, before anything of them is computed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audit.models.classifiers import onnx_files
from audit.models.files import graphs
from tests.hostile.sentences import refusal
from tests.models.test_admission import configure

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper  # noqa: E402

pytestmark = [pytest.mark.slow("writes a network as ONNX", seconds=1), pytest.mark.xdist_group("onnx")]
Change = Callable[[Path], object]
FILE = "model.onnx"


def admitted(folder: Path) -> None:
    """Looked at, loaded and asked once: all that an audit does before it measures."""
    onnx_files.load("mine", folder, (), 32, "softmax").try_out()


def network(change: Callable[[Any], object]) -> Change:
    def spoiled(folder: Path) -> None:
        model = onnx.load(folder / FILE)
        change(model)
        onnx.save(model, folder / FILE)

    return spoiled


def content(change: Callable[[bytes], bytes]) -> Change:
    return lambda folder: (folder / FILE).write_bytes(change((folder / FILE).read_bytes()))


def outside(place: str, prepare: Change = lambda folder: None) -> Change:
    """Weights that lie elsewhere, by a tensor among the weights."""

    def change(folder: Path) -> None:
        prepare(folder)
        network(lambda model: elsewhere(model.graph.initializer[0], place))(folder)

    return change


def elsewhere(tensor: Any, place: str, length: int | None = None) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", place), *([("length", str(length))] if length else [])):
        tensor.external_data.add(key=key, value=value)


def constant(place: str) -> Change:
    """The same by a constant that stands among the operators, in a branch that is never taken."""

    def change(model: Any) -> None:
        tensor = helper.make_tensor("t", TensorProto.FLOAT, [4], [0.0] * 4)
        elsewhere(tensor, place)
        inner = helper.make_node("Constant", [], ["inner"], value=tensor)
        branch = helper.make_graph(
            [inner], "branch", [], [helper.make_tensor_value_info("inner", TensorProto.FLOAT, [4])]
        )
        asked = helper.make_node("Constant", [], ["asked"], value=helper.make_tensor("b", TensorProto.BOOL, [], [True]))
        model.graph.node.insert(0, helper.make_node("If", ["asked"], ["taken"], then_branch=branch, else_branch=branch))
        model.graph.node.insert(0, asked)

    return network(change)


def operator(domain: str) -> Change:
    def change(model: Any) -> None:
        model.opset_import.append(helper.make_opsetid(domain, 1))
        model.graph.node.append(helper.make_node("Run", ["input_ids"], ["y"], domain=domain))

    return network(change)


def link(folder: Path) -> None:
    (folder.parent / "secret").write_bytes(bytes(10_000))
    (folder / "weights").symlink_to(folder.parent / "secret")


def linked_folder(folder: Path) -> None:
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "weights").write_bytes(bytes(10_000))
    (folder / "inner").symlink_to(folder.parent / "other")


def huge(folder: Path) -> None:
    with (folder / "weights").open("wb") as file:
        file.truncate(graphs.LARGEST + 1)  # a file of holes


def renamed(of: str, old: str, new: str) -> Change:
    def change(model: Any) -> None:
        for each in getattr(model.graph, of):
            if each.name == old:
                each.name = new
        for node in model.graph.node:
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    if name == old:
                        names[i] = new

    return network(change)


def outputs(model: Any) -> None:
    """Five numbers for a text, of which the file does not say how many they are."""
    model.graph.initializer.append(helper.make_tensor("five", TensorProto.INT64, [5], [0, 1, 2, 0, 1]))
    model.graph.node.append(helper.make_node("Gather", ["logits", "five"], ["more"], axis=1))
    for each in model.graph.output:
        if each.name == "logits":
            each.name = "more"
            each.type.tensor_type.shape.dim[1].Clear()


def only_states(model: Any) -> None:
    (logits,) = [each for each in model.graph.output if each.name == "logits"]
    model.graph.output.remove(logits)
    model.graph.node.append(helper.make_node("Identity", [model.graph.output[0].name], ["bert\x1b[31m"]))
    model.graph.output[0].name = "bert\x1b[31m"


def tokenizer(folder: Path) -> None:
    """Numbers its words from a million on."""
    path = folder / "tokenizer.json"
    value = json.loads(path.read_text("utf-8"))
    vocabulary = value["model"]["vocab"]
    value["model"]["vocab"] = {word: n if n < 5 else n + 10**6 for word, n in vocabulary.items()}
    path.write_text(json.dumps(value), "utf-8")


def of_two(model: Any) -> None:
    for each in model.graph.input:
        each.type.tensor_type.shape.dim[0].dim_value = 2


def pipe(folder: Path) -> None:
    (folder / FILE).unlink()
    os.mkfifo(folder / FILE)


def drop(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def only_config(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in (FILE, "config.json"):
            path.unlink()


NOT_WHOLE, LEADS_OUT = "is no whole ONNX file; export it anew", "which is not in its folder"
REFUSED: dict[str, tuple[Change, str]] = {
    "an empty file": (content(lambda c: b""), NOT_WHOLE),
    "half a file": (content(lambda c: c[: len(c) // 2]), NOT_WHOLE),
    "noise": (content(lambda c: os.urandom(4096)), NOT_WHOLE),
    "a pickle": (content(lambda c: b"\x80\x04."), NOT_WHOLE),
    "a pointer of Git LFS": (
        content(lambda c: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"), "run `git lfs pull`",
    ),
    "a pipe": (pipe, "is no file; expected a network in ONNX"),
    "weights above the folder": (outside("../secret"), LEADS_OUT),
    "weights at an absolute place": (outside("/etc/passwd"), LEADS_OUT),
    "weights by a drive's letter": (outside("C:\\secret"), LEADS_OUT),
    "weights by a link": (outside("weights", link), LEADS_OUT),
    "weights in a folder that is a link": (outside("inner/weights", linked_folder), LEADS_OUT),
    "weights that are not there": (outside("weights"), "which is not there; copy that file too"),
    "weights at an address of the memory": (outside("*/_ORT_MEM_ADDR_/*"), "which is not there"),
    "weights whose name no system has": (outside("a\0b"), LEADS_OUT),
    "weights that never end": (outside("weights", lambda f: (f / "weights").symlink_to("/dev/zero")), LEADS_OUT),
    "weights that are a pipe": (outside("weights", lambda f: os.mkfifo(f / "weights")), "which is not there"),
    "weights of a constant in a branch": (constant("../secret"), LEADS_OUT),
    "weights beyond any memory": (outside("weights", huge), "are larger than 16 GiB; give a smaller one"),
    "weights shorter than they say": (
        outside("weights", lambda f: (f / "weights").write_bytes(b"1")), "ONNX Runtime cannot load it",
    ),
    "an operator of a library": (operator("evil.ops"), "need a library of their own (evil.ops), which an audit never"),
    "an operator that there is not": (operator("com.microsoft"), "ONNX Runtime cannot load it"),
    "an operator in Python": (operator("ai.onnx.contrib"), "need a library of their own (ai.onnx.contrib)"),
    "pictures": (renamed("input", "input_ids", "pixel_values"), "it asks for 'pixel_values'"),
    "no answer": (network(only_states), "its outputs are bert⟨U+001B⟩[31m; expected `logits`"),
    "five numbers for three classes": (network(outputs), "expected a number for each of its 3 classes"),
    "two texts at once": (network(of_two), "it takes 2 texts at once, neither more nor fewer"),
    "two names for three classes": (
        configure(id2label={0: "negative", 1: "positive"}, label2id=None), "it gives 3 numbers for a text, but 2",
    ),
    "classes without names": (
        configure(id2label={i: f"LABEL_{i}" for i in range(3)}, label2id=None), "give their order with [model] labels",
    ),
    "several labels for a text": (
        configure(problem_type="multi_label_classification"), "a text may have several labels or none",
    ),
    "a score in the place of classes": (configure(problem_type="regression"), "outputs that are scores, not a"),
    "no configuration": (drop("config.json"), "has no config.json; put the network's own beside model.onnx"),
    "no tokenizer": (only_config, "has no tokenizer (tokenizer.json, vocab.txt, …); save it there"),
    "another's tokenizer": (tokenizer, "gives a token the number 1000"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_network_is_one_sentence(case: str, as_onnx: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(as_onnx / "whole", tmp_path / "models" / "mine"))
    change, says = REFUSED[case]
    change(folder)
    assert says in refusal(lambda: admitted(folder))
