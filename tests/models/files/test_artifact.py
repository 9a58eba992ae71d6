"""A model's folder is looked into before anything is loaded: what could run code, mislead, or not be the model."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from audit import AuditError
from audit.models.files.artifact import Inspection, inspect
from audit.models.model import Model, check_folder, fingerprint, hash_files, locate
from tests.helpers import ROOT, THREE, TINY_WORDS, Bomb, Runner, WritePolicy, cells, flowed, is_one_sentence, recorded


def _look(folder: Path, expected: dict[str, str] | None = None) -> Inspection:
    return inspect(folder, hash_files(folder), expected)


def _only(folder: Path, expected: dict[str, str] | None = None) -> tuple[str, str]:
    ((file, problem, harm),) = _look(folder, expected).problems
    assert harm
    return file, problem


def _edit_json(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def test_a_clean_folder_has_no_problems(folder: Path) -> None:
    (folder / "README.md").write_text("# A model", "utf-8")
    (folder / "nested").mkdir()
    (folder / "nested" / "notes.txt").write_text("notes", "utf-8")
    found = _look(folder)
    assert found.problems == []
    assert found.looked_at == sum(path.is_file() for path in folder.rglob("*"))
    assert found.facts["the tokenizer's largest number"] == "10, of 11 that the model knows"


# ---- what can run code

NAMES = ["pytorch_model.bin", "model.pkl", "model.PICKLE", "a.pt", "a.pth", "a.ckpt", "a.joblib", "deep/er/model.pkl"]


@pytest.mark.parametrize("name", [*NAMES, "tokenizer/state", ".hidden/x", "vocab.dat"])
def test_a_pickle_is_a_problem_wherever_it_lies(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "executed")))
    found, problem = _only(folder)
    assert found == name
    assert f"can run code when loaded; the scanner names: {os.open.__module__}.open" in problem
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_is_unpickled_is_a_problem_whatever_is_in_it(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"x")
    found, problem = _only(folder)
    assert found == name
    assert "unpickle" in problem


def test_the_place_within_an_archive_is_named(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(folder / "extra.zip", "w") as archive:
        archive.writestr("a/b.pkl", pickle.dumps(Bomb(tmp_path / "executed")))
    assert _only(folder)[0] == "extra.zip → a/b.pkl"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("modeling_mine.py", b"print('hello')", "Python code"),
        ("deep/op.so", b"x", "a program"),
        ("tool", b"\x7fELF\x02\x01\x01", "a program"),
        ("tool", b"#!/bin/sh\n", "a program"),
        ("tf_model.h5", b"\x89HDF\r\n\x1a\n", "Keras"),
        ("weights", b"\x89HDF\r\n\x1a\n", "Keras"),
        ("saved_model.pb", b"x", "TensorFlow"),
    ],
)
def test_programs_are_a_problem(folder: Path, name: str, content: bytes, words: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    found, problem = _only(folder)
    assert found == name
    assert words in problem


OWN_CODE = {"AutoModel": "owner/repo--modeling.Mine"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", {"auto_map": OWN_CODE}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["x.Slow", None]}}),
        ("processor_config.json", {"auto_map": "x.Processor"}),
        ("deep/config.json", {"text_config": {"auto_map": OWN_CODE}}),
        ("config.json", {"custom_pipelines": {"mine": {"impl": "pipeline.Mine"}}}),
    ],
)
def test_a_configuration_that_asks_for_code_is_a_problem(folder: Path, name: str, content: dict[str, Any]) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text("{}", "utf-8")
    _edit_json(path, **content)
    found, problem = _only(folder)
    assert found == name
    assert "asks for code of its own" in problem


def test_a_word_of_the_vocabulary_asks_for_nothing(folder: Path) -> None:
    value = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    value["model"]["vocab"]["auto_map"] = 5
    (folder / "tokenizer.json").write_text(json.dumps(value), "utf-8")
    _edit_json(folder / "config.json", auto_map={})
    assert _look(folder).problems == []


@pytest.mark.parametrize("content", [b"{", b"[" * 200_000, b"\xff\xfe"])
def test_settings_that_cannot_be_read_are_a_problem(folder: Path, content: bytes) -> None:
    (folder / "generation_config.json").write_bytes(content)
    assert "not valid JSON" in _only(folder)[1]


# ---- what leads elsewhere


@pytest.mark.parametrize("place", ["far away", "beside it", "one above", "nowhere", "itself"])
def test_a_link_that_leads_out_is_a_problem(folder: Path, tmp_path: Path, place: str) -> None:
    targets = {
        "far away": Path("/etc/hostname"),
        "beside it": folder.parent / "other" / "extra.json",
        "one above": tmp_path / "extra.json",
        "nowhere": tmp_path / "nothing",
        "itself": folder / "extra.json",
    }
    target = targets[place]
    if place in ("beside it", "one above"):
        target.parent.mkdir(exist_ok=True)
        target.write_text("{}", "utf-8")
    (folder / "extra.json").symlink_to(target)
    name, problem = _only(folder)
    assert name == "extra.json"
    assert problem == ("neither a file nor a folder" if place == "itself" else "a link that leads out of its folder")


def test_the_links_of_the_hubs_cache_are_no_problem(saved: Path, tmp_path: Path) -> None:
    # The layout of huggingface_hub: models--owner--name/{blobs,snapshots/<commit>}, snapshots linked into blobs.
    blobs, snapshot = tmp_path / "models--o--n" / "blobs", tmp_path / "models--o--n" / "snapshots" / ("0" * 40)
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for path in saved.iterdir():
        shutil.copy(path, blobs / f"blob-{path.name}")
        (snapshot / path.name).symlink_to(Path("../../blobs") / f"blob-{path.name}")
    assert _look(snapshot).problems == []
    assert fingerprint(hash_files(snapshot)) == fingerprint(hash_files(saved))


LEADING_OUT = ["../../x.safetensors", "/etc/x.safetensors", "C:\\x.safetensors", "..\\x.safetensors"]


@pytest.mark.parametrize("named", [*LEADING_OUT, "missing.safetensors", "evil.bin", "x" * 100_000, "a\0b"])
def test_an_index_that_leads_astray_is_a_problem_and_is_not_followed(folder: Path, named: str) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": {"a": named}}), "utf-8")
    name, problem = _only(folder)
    assert name == index.name
    assert "weights" in problem or "another format" in problem
    assert len(problem) < 200
    # Without the whole file Transformers would follow the index, so nothing is loaded then.
    (folder / "model.safetensors").unlink()
    with pytest.raises(AuditError, match="expected the names of weight files beside it") as caught:
        check_folder(folder, "mine")
    assert is_one_sentence(str(caught.value))


@pytest.mark.parametrize("index", ["[]", "{}", '{"weight_map": {"a": 1}}', '{"weight_map": ["a"]}', "{"])
def test_an_index_that_is_none_is_refused(folder: Path, index: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index, "utf-8")
    with pytest.raises(AuditError) as caught:
        check_folder(folder, "mine")
    assert is_one_sentence(str(caught.value))


def test_weights_in_several_files_are_audited(folder: Path) -> None:
    whole = Model("mine", folder, THREE, 32)
    parameters = whole.parameters
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / shard, metadata={"format": "pt"})
    (folder / "model.safetensors").unlink()
    index = {"metadata": {}, "weight_map": {name: shard for shard, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    assert locate("mine", folder, None)[0] == folder
    assert _look(folder).problems == []
    model = Model("mine", folder, THREE, 32)
    assert model.parameters == parameters == sum(p.numel() for p in model.network.parameters())


@pytest.mark.parametrize("named", ["../x.safetensors", "model.bin", 5, "/x.safetensors"])
def test_a_configuration_that_names_other_weights_is_refused(folder: Path, named: object) -> None:
    _edit_json(folder / "config.json", transformers_weights=named)
    with pytest.raises(AuditError, match="as its weights") as caught:
        check_folder(folder, "mine")
    assert is_one_sentence(str(caught.value))


def test_an_adapter_is_a_problem(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/other"}', "utf-8")
    assert "another model in place of this one (owner/other)" in _only(folder)[1]


def test_what_is_no_file_is_a_problem_and_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "config.bin")
    assert _only(folder) == ("config.bin", "neither a file nor a folder")


# ---- what is not the model it should be


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_a_problem(folder: Path, value: float) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["classifier.weight"][0, :3] = value
    save_file({name: t.to(torch.bfloat16) for name, t in tensors.items()}, folder / "model.safetensors")
    name, problem = _only(folder)
    assert name == "model.safetensors"
    assert "3 weights are not a number or infinite" in problem
    assert "classifier.weight" in problem


def test_damaged_weights_beside_the_model_are_a_problem(folder: Path) -> None:
    (folder / "extra").mkdir()
    (folder / "extra" / "model.safetensors").write_bytes(b"\xff" * 20)
    name, problem = _only(folder)
    assert name == "extra/model.safetensors"
    assert "not a whole safetensors file" in problem


def test_a_colon_in_a_path_does_not_cut_what_is_wrong(tmp_path: Path) -> None:
    folder = tmp_path / "release: final"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"x")
    file, problem = _only(folder)
    assert file == "model.safetensors"
    assert problem.startswith("not a whole safetensors file (the header is said to be")
    assert problem.endswith(")")


def test_a_tokenizer_that_knows_more_than_the_model_is_a_problem(folder: Path) -> None:
    value = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    value["model"]["vocab"]["extra"] = len(TINY_WORDS)
    (folder / "tokenizer.json").write_text(json.dumps(value), "utf-8")
    assert _only(folder) == ("tokenizer.json", "numbers its words up to 11, but the model knows only 11 (0 to 10)")


@pytest.mark.parametrize(
    "value", ["[]", '{"model": {"vocab": {"a": "x"}}}', '{"model": {"vocab": 5}}', '{"model": {}}']
)
def test_a_strange_tokenizer_breaks_nothing(folder: Path, value: str) -> None:
    (folder / "tokenizer.json").write_text(value, "utf-8")
    assert _look(folder).problems == []


def test_class_names_of_another_number_are_a_problem(folder: Path) -> None:
    _edit_json(folder / "config.json", id2label={"0": "negative", "1": "positive"})
    assert _only(folder) == ("config.json", "names 2 classes, but the model answers with 3")


def test_approved_hashes_hold(folder: Path) -> None:
    (folder / "README.md").write_text("# A model", "utf-8")
    approved = hash_files(folder)
    assert _look(folder, approved).problems == []
    card = hashlib.sha256(b"# A model").hexdigest()
    assert (
        _look(folder, {name: digest.upper() for name, digest in approved.items()} | {"README.md": card}).problems == []
    )


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (lambda folder: _edit_json(folder / "config.json", x=1), "config.json", "another hash"),
        (lambda folder: (folder / "extra.json").write_text("{}"), "extra.json", "is not on the policy's list"),
        (lambda folder: (folder / "tokenizer_config.json").unlink(), "tokenizer_config.json", "not in the folder"),
    ],
)
def test_a_swapped_added_or_missing_file_is_a_problem(
    folder: Path, change: Callable[[Path], object], name: str, words: str
) -> None:
    approved = hash_files(folder)
    change(folder)
    found, problem = _only(folder, approved)
    assert found == name
    assert words in problem


def test_a_hash_of_a_file_elsewhere_is_not_looked_up(folder: Path) -> None:
    (folder.parent / "x.json").write_text("{}", "utf-8")
    digest = hashlib.sha256(b"{}").hexdigest()
    _, problem = _only(folder, hash_files(folder) | {"../x.json": digest})
    assert "not in the folder" in problem


# ---- ONNX


def _onnx(path: Path, domain: str = "", place: str | None = None, nested: bool = False) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    node = helper.make_node("Mine" if domain else "Identity", ["w"], ["y"], domain=domain)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], raw_data=b"\0\0\0\0")
    if place is not None:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=place)
    graph = helper.make_graph([node], "g", [], [output], [weight])
    if nested:
        within = helper.make_node("If", ["c"], ["z"], then_branch=graph, else_branch=graph)
        result = helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])
        graph = helper.make_graph([within], "h", [helper.make_tensor_value_info("c", TensorProto.BOOL, [])], [result])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    assert onnx


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("domain", "place", "words"),
    [
        ("", None, None),
        ("com.microsoft", None, None),
        ("evil.example", None, "a library of their own (evil.example)"),
        ("", "../../weights", "outside the model's folder"),
        ("", "/etc/hostname", "outside the model's folder"),
        ("", "weights.data", "that are not there"),
        ("", "config.json", None),
    ],
)
def test_an_onnx_model_is_looked_into(
    folder: Path, domain: str, place: str | None, words: str | None, nested: bool
) -> None:
    _onnx(folder / "model.onnx", domain, place, nested)
    if words is None:
        assert _look(folder).problems == []
    else:
        name, problem = _only(folder)
        assert name == "model.onnx"
        assert words in problem


def test_an_onnx_model_is_a_problem_where_it_cannot_be_looked_into(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "model.onnx").write_bytes(b"\xff" * 50)
    assert _only(folder)[1] == "not a whole ONNX file"
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    assert "without the package onnx" in _only(folder)[1]


# ---- names and papers


def test_hostile_names_are_cut_and_made_visible(folder: Path) -> None:
    for name in (b"a\n\x1b[31m.pkl", "‮gpj.pkl".encode(), b"\xff\xfe.pkl", b"<script>.pkl", b"x" * 200 + b".pkl"):
        (Path(os.fsdecode(os.fsencode(folder) + b"/" + name))).write_bytes(b"x")
    names = [problem.file for problem in _look(folder).problems]
    assert {"a⟨U+000A⟩⟨U+001B⟩[31m.pkl", "⟨U+202E⟩gpj.pkl", "\\xff\\xfe.pkl", "<script>.pkl"} < set(names)
    assert all(name.isprintable() and len(name) < 130 for name in names)
    model = Model("mine", folder, THREE, 32)
    assert json.dumps(model.describe(), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("files", "card", "licence"),
    [
        ({}, "none", "none named"),
        ({"README.md": "---\nlanguage: en\nlicense: apache-2.0\ntags: [x]\n---\n# Model"}, "README.md", "apache-2.0"),
        ({"README.md": "# Model\nlicense: to kill"}, "README.md", "none named"),
        ({"LICENSE": "free", "README.md": " \n"}, "none", "LICENSE"),
    ],
)
def test_papers_are_told_and_do_not_count(folder: Path, files: dict[str, str], card: str, licence: str) -> None:
    for name, content in files.items():
        (folder / name).write_text(content, "utf-8")
    found = _look(folder)
    assert found.problems == []
    assert (found.facts["model card"], found.facts["licence"]) == (card, licence)


def test_a_card_that_is_a_link_out_of_the_folder_is_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.md").write_text("---\nlicense: a secret\n---\n# Private", "utf-8")
    (folder / "README.md").symlink_to(tmp_path / "private.md")
    found = _look(folder)
    assert (found.facts["model card"], found.facts["licence"]) == ("none", "none named")


# ---- pickled weights, where the policy allows them


def _pickled_only(folder: Path, extra: dict[str, object] | None = None, old: bool = False) -> None:
    tensors: dict[str, object] = dict(load_file(folder / "model.safetensors"))
    torch.save(tensors | (extra or {}), folder / "pytorch_model.bin", _use_new_zipfile_serialization=not old)
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize("old", [False, True])
def test_allowed_pickled_weights_are_loaded_and_still_count(folder: Path, saved: Path, old: bool) -> None:
    _pickled_only(folder, old=old)
    with pytest.raises(AuditError, match="pickled weights only"):
        locate("mine", folder, None)
    locate("mine", folder, None, allow_pickle=True)
    model, safe = Model("mine", folder, THREE, 32, allow_pickle=True), Model("mine", saved, THREE, 32)
    assert model.parameters is None
    for name, tensor in safe.network.state_dict().items():
        assert torch.equal(model.network.state_dict()[name], tensor)
    assert "can run code" in _only(folder)[1]
    with pytest.raises(AuditError, match="cannot be loaded"):
        _ = Model("mine", folder, THREE, 32).network


@pytest.mark.parametrize("old", [False, True])
def test_pickled_weights_that_the_scanner_calls_dangerous_are_refused_all_the_same(
    folder: Path, tmp_path: Path, old: bool
) -> None:
    _pickled_only(folder, {"x": Bomb(tmp_path / "executed")}, old)
    with pytest.raises(AuditError, match="refused even though") as caught:
        locate("mine", folder, None, allow_pickle=True)
    assert is_one_sentence(str(caught.value))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("old", [False, True])
def test_what_the_scanner_does_not_know_is_not_run_either(folder: Path, tmp_path: Path, old: bool) -> None:
    """Only tensors are unpickled (weights_only), so that the list's gaps do no harm."""
    _pickled_only(folder, {"x": Bomb(tmp_path / "executed", io.open, "w")}, old)
    locate("mine", folder, None, allow_pickle=True)
    with pytest.raises(AuditError, match="cannot be loaded"):
        _ = Model("mine", folder, THREE, 32, allow_pickle=True).network
    assert not (tmp_path / "executed").exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)  # the test can fail
    assert (tmp_path / "executed").exists()


def test_a_decoy_of_safe_weights_does_not_open_the_door(folder: Path, tmp_path: Path) -> None:
    _pickled_only(folder, {"x": Bomb(tmp_path / "executed")})
    save_file({"a": torch.ones(1)}, folder / "decoy.safetensors")
    with pytest.raises(AuditError, match="pickled weights only"):
        locate("mine", folder, None)


# ---- the whole audit


def _plant(folder: Path, target: Path) -> int:
    """Put the bomb wherever a loader looks; returns how many there are."""
    content = pickle.dumps(Bomb(target))
    with zipfile.ZipFile(folder / "inner.zip", "w") as archive:
        archive.writestr("data.pkl", content)
    with zipfile.ZipFile(folder / "extra.zip", "w") as archive:
        archive.writestr("deep/inner.zip", (folder / "inner.zip").read_bytes())
    (folder / "inner.zip").unlink()
    (folder / "tokenizer").mkdir()
    for name in ("pytorch_model.bin", "training_args.bin", "model.pt", "model.pkl", "tokenizer/vocab"):
        (folder / name).write_bytes(content)
    torch.save({"state": Bomb(target)}, folder / "optimizer.pt")
    return 7


Audit = Callable[..., tuple[pytest.RunResult, dict[str, Any] | None]]


@pytest.fixture
def audit(run: Runner, write_policy: WritePolicy) -> Audit:
    """Audits a model folder with the suite as it ships; exit status and, if there is one, the finding."""

    def inspected(folder: Path, security: str = "") -> tuple[pytest.RunResult, dict[str, Any] | None]:
        write_policy(model=f'source = "{folder}"\nmax_length = 32', security=security)
        suite = ROOT / "suites" / "test_security.py"
        run.pytester.makepyfile(test_security=suite.read_text("utf-8"))
        result = run("-k", "artifact")
        record = run.pytester.path / "reports" / "audit.json"
        if not record.exists():
            return result, None
        (finding,) = json.loads(record.read_text("utf-8"))["findings"]
        return result, finding

    return inspected


def test_planted_pickles_fail_the_audit_and_never_run(audit: Audit, folder: Path, tmp_path: Path) -> None:
    count = _plant(folder, tmp_path / "executed")
    result, finding = audit(folder)
    assert result.ret == 1
    assert finding is not None
    assert (finding["verdict"], finding["estimate"]) == ("fail", count)
    rows = cells(recorded(finding).tables[0])
    assert {"extra.zip → deep/inner.zip → data.pkl", "optimizer.pt → optimizer/data.pkl", "tokenizer/vocab"} <= {
        row[0] for row in rows
    }
    assert all("the scanner names:" in row[1] for row in rows)
    assert not (tmp_path / "executed").exists()
    said = flowed(result.outlines)
    assert f"FAIL Problems in the model files: {count}, limit 0 security.artifact: " in said
    assert all(f"{row[0]}: {row[1]}; " in said for row in rows[:2])
    assert f"; and {count - 2} more Blocked: " in said


def test_the_terminal_names_the_file_that_fails_whatever_is_in_its_name(audit: Audit, folder: Path) -> None:
    (folder / "eval\x1b[31m.pkl").write_bytes(pickle.dumps(print))
    result, finding = audit(folder)
    assert finding is not None
    assert finding["estimate"] == 1
    assert "limit 0 security.artifact: eval⟨U+001B⟩[31m.pkl: can run code" in flowed(result.outlines)
    assert "\x1b" not in result.stdout.str()


def test_what_the_trainer_left_in_a_checkpoint_may_be_deleted(folder: Path) -> None:
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(network.parameters())
    torch.save(transformers.TrainingArguments(output_dir=str(folder), use_cpu=True), folder / "training_args.bin")
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    torch.save({"cpu": torch.get_rng_state()}, folder / "rng_state_0.pth")
    torch.save({"step": 1}, folder / "model.pt")
    problems = inspect(folder, {}).problems
    named = {
        each.file.partition(" ")[0]: each.problem.endswith("; delete it, only to train on needs it")
        for each in problems
    }
    assert named == {"training_args.bin": True, "optimizer.pt": True, "rng_state_0.pth": True, "model.pt": False}


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl", "optimizer.pt"])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("allowed", [False, True])
def test_pickles_alone_stop_the_audit_and_never_run(
    audit: Audit, folder: Path, tmp_path: Path, name: str, nested: bool, allowed: bool
) -> None:
    (folder / "model.safetensors").unlink()
    content = pickle.dumps(Bomb(tmp_path / "executed"))
    if nested:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("archive/data.pkl", content)
    else:
        (folder / name).write_bytes(content)
    result, finding = audit(folder, f"allow_pickle = {str(allowed).lower()}")
    assert (result.ret, finding) == (4, None)
    assert not (tmp_path / "executed").exists()
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


@pytest.mark.parametrize("allowed", [False, True])
def test_what_the_scanner_does_not_know_fails_or_stops_the_audit(
    audit: Audit, folder: Path, tmp_path: Path, allowed: bool
) -> None:
    _pickled_only(folder, {"x": Bomb(tmp_path / "executed", io.open, "w")})
    result, finding = audit(folder, f"allow_pickle = {str(allowed).lower()}")
    assert result.ret == (1 if allowed else 4)
    assert (finding is not None and finding["verdict"] == "fail") == allowed
    assert not (tmp_path / "executed").exists()


def test_the_policys_hashes_gate_a_swapped_file(audit: Audit, folder: Path) -> None:
    lines = "\n".join(f'"{name}" = "{digest}"' for name, digest in hash_files(folder).items())
    result, finding = audit(folder, f"[security.expected_sha256]\n{lines}")
    assert result.ret == 0
    tensors = load_file(folder / "model.safetensors")
    tensors["classifier.bias"][0] += 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    result, finding = audit(folder, f"[security.expected_sha256]\n{lines}")
    assert result.ret == 1
    assert finding is not None
    assert "another hash" in cells(recorded(finding).tables[0])[0][1]


def test_a_hash_that_is_none_stops_the_audit(audit: Audit, folder: Path) -> None:
    result, _ = audit(folder, 'expected_sha256 = { "model.safetensors" = "abc" }')
    assert result.ret == 4
    assert "expected_sha256" in result.stderr.str()
    assert "model.safetensors" in result.stderr.str()
