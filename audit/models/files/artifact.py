"""The files of a model, looked into before any is loaded: what could run code, mislead, or not be the model at all.

It knows files and formats; nothing of them is executed, and no network is built.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from audit.core.errors import AuditError
from audit.core.files import sha256
from audit.core.sentences import Sentence, joined
from audit.models.files import pickles, weights
from audit.models.files.graphs import DamagedError, Graph
from audit.models.files.pickles import PICKLED, leads_out
from audit.text.redaction import printable

ADAPTER = "adapter_config.json"
PROGRAMS = (".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".ps1")
_PROGRAM_MAGIC = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!")
# TensorFlow's and Keras's models hold functions beside their weights.
_TENSORFLOW = (".h5", ".keras", ".pb")
_HDF5 = b"\x89HDF\r\n\x1a\n"
# What the Trainer writes into a checkpoint to go on from there.
_TRAINING = re.compile(r"training_args\.bin|(optimizer|scheduler|scaler)\.(pt|bin)|rng_state(_\d+)?\.pth")
_LONGEST_JSON = 1 << 27
_EMBEDDING = re.compile(r"(word_embeddings?|tok_embeddings|embed_tokens|wte|shared)\.weight$")
_CLASSIFIER = re.compile(r"^(classifier|classification_head|score|logits_proj)(\.out_proj)?\.weight$")

RUNS = Sentence("lets whoever changes the file run programs on each machine that loads it")
UNSEEN = Sentence("what cannot be looked into cannot be ruled out")
ELSEWHERE = Sentence("what is loaded then was not audited, and somebody else may change it")
DAMAGED = Sentence("the file was cut, swapped or made by hand, and programs differ in what they read from it")
WRONG = Sentence("the model's answers are then errors, or no answers at all")
SWAPPED = Sentence("it is not the file that the release owner approved")


class Problem(NamedTuple):
    """A file, what is wrong with it, and why that matters; fit to be shown."""

    file: str
    problem: str
    harm: str


@dataclass
class Inspection:
    """What was found in a model's folder.

    Parameters
    ----------
    problems : list of Problem
    looked_at : int
        Number of files.
    facts : dict
        What a reader may want to know that is no problem.
    """

    problems: list[Problem] = field(default_factory=list)
    looked_at: int = 0
    facts: dict[str, str] = field(default_factory=dict)

    def add(self, file: str, problem: str, harm: str) -> None:
        """Note a problem: of a file, whose name is not trusted, a sentence, whose values are fit to be shown."""
        self.problems.append(Problem(printable(file), problem, harm))


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything in a folder with its path within it, but for a git repository's own store."""
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if ".git" not in inner.parts[:-1]:
            # A name need not be UTF-8; what is not is written as its code.
            yield path, inner.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def within(path: Path, folder: Path) -> bool:
    """Whether a path in a model's folder is no link that leads out of it."""
    return not path.is_symlink() or stays_within(path, folder)


def stays_within(path: Path, folder: Path) -> bool:
    """Whether no link on the way to a path leads out of a model's folder."""
    root = folder.resolve()
    if root.parent.name == "snapshots":  # the Hub's cache links the files of a snapshot into its blob store
        root = root.parent.parent
    try:
        return Path(os.path.realpath(path)).is_relative_to(root)
    except (OSError, ValueError):  # no path of any system, as one with NUL
        return False


def inspect(folder: Path, hashes: Mapping[str, str], expected: Mapping[str, str] | None = None) -> Inspection:
    """Look at every file of a model.

    Parameters
    ----------
    hashes : mapping of str to str
        SHA-256 of the files that count, by name.
    expected : mapping of str to str, optional
        What they should be; where it is not empty, it is the whole list.

    Raises
    ------
    AuditError
        If a file cannot be read at all.
    """
    found = Inspection()
    for path, name in files(folder):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        found.looked_at += 1
        if not within(path, folder):
            found.add(name, Sentence("a link that leads out of its folder"), ELSEWHERE)
        elif path.is_file():
            _look_into(path, name, found)
        elif not path.is_dir():
            found.add(name, Sentence("neither a file nor a folder"), UNSEEN)
    _compare(folder, found)
    if expected:
        _hold_against(folder, hashes, expected, found)
    _documents(folder, found)
    return found


def inspect_files(
    paths: Mapping[str, Path], hashes: Mapping[str, str], expected: Mapping[str, str] | None = None
) -> Inspection:
    """Look at single files that make a model, by their names; otherwise as :func:`inspect`."""
    found = Inspection(looked_at=len(paths))
    for name, path in sorted(paths.items()):
        _look_into(path, name, found)
    if expected:
        _hold_against(None, hashes, expected, found)
    return found


def look_into_part(folder: Path, found: Inspection) -> None:
    """Look at every file of a folder that a model was merged of, by their names in it; what it led to is merged."""
    for path, name in files(folder):
        if path.is_file() and name != ADAPTER:
            found.looked_at += 1
            _look_into(path, f"{folder.name}/{name}", found)


def _look_into(path: Path, name: str, found: Inspection) -> None:
    try:
        _look_at(path, name, found)
    except OSError as error:
        raise AuditError(f"{printable(path)}: it cannot be read ({error.strerror}); give the audit access.") from None


def _look_at(path: Path, name: str, found: Inspection) -> None:
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        head = file.read(8)
    inside = pickles.find(path)
    remedy = Sentence("delete it, only to train on needs it") if _TRAINING.fullmatch(path.name) else ""
    for each in inside:
        where = f"{name} → {each.inside}" if each.inside else name
        found.add(where, joined([each.problem, remedy], "; "), RUNS if each.dangerous or each.scanned else UNSEEN)
    if suffix in PICKLED and not inside:
        problem = Sentence("its name makes programs unpickle it, though nothing of a pickle was found in it")
        found.add(name, joined([problem, remedy], "; "), RUNS)
    if suffix in PROGRAMS:
        code, program = Sentence("Python code in a model's folder"), Sentence("a program in a model's folder")
        found.add(name, code if suffix.startswith(".py") else program, RUNS)
    elif head.startswith(_PROGRAM_MAGIC):
        found.add(name, Sentence("a program, by its first bytes"), RUNS)
    elif suffix in _TENSORFLOW or head == _HDF5:
        found.add(name, Sentence("a TensorFlow or Keras model, whose format can hold functions beside weights"), RUNS)
    elif suffix in weights.SAFE:
        _look_at_weights(path, name, found)
    elif suffix == ".onnx":
        _look_at_onnx(path, name, found)
    elif suffix == ".json":
        _look_at_json(path, name, found)


def _look_at_weights(path: Path, name: str, found: Inspection) -> None:
    try:
        tensors = weights.header(path)
    except weights.DamagedError as error:
        found.add(name, Sentence("not a whole safetensors file ({reason})", reason=error.reason), DAMAGED)
        return
    spoilt = weights.not_finite(path, tensors)
    if spoilt:
        first = max(spoilt, key=lambda each: spoilt[each])
        found.add(
            name,
            Sentence(
                "{weights:,} weights are not a number or infinite, in {spoilt} of {tensors} tensors, most of them in "
                "{first}",
                weights=sum(spoilt.values()),
                spoilt=len(spoilt),
                tensors=len(tensors),
                first=printable(first, 60),
            ),
            WRONG,
        )


def _look_at_json(path: Path, name: str, found: Inspection) -> None:
    try:
        value = read_json(path)
    except ValueError as error:
        (problem,) = error.args
        found.add(name, Sentence("{problem}, so what it asks for cannot be told", problem=problem), UNSEEN)
        return
    for key in _asked_code(value):
        found.add(name, Sentence("asks for code of its own ({key})", key=key), RUNS)
    if not isinstance(value, dict):
        return
    if path.name.endswith(".index.json"):
        for problem in index_problems(path, value):
            found.add(name, problem, ELSEWHERE)
    if path.name == ADAPTER:
        base = printable(value.get("base_model_name_or_path"), 80)
        problem = Sentence("makes programs load another model in place of this one ({base})", base=base)
        found.add(name, problem, ELSEWHERE)


def read_json(path: Path) -> object:
    """The content of a JSON file.

    Raises
    ------
    ValueError
        If it is none, or is too large; the message is a clause.
    """
    if path.stat().st_size > _LONGEST_JSON:
        raise ValueError(Sentence("too large a JSON file"))
    try:
        value: object = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError(Sentence("not valid JSON")) from None
    return value


def _asked_code(value: object) -> list[str]:
    """Keys by which a configuration asks for code, at any depth."""
    keys: set[str] = set()
    rest = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, dict):
            # In a vocabulary a word may read like the key; its value is then a number.
            asked = {key: each.get(key) for key in ("auto_map", "custom_pipelines")}
            keys |= {key for key, value in asked.items() if value and isinstance(value, dict | list | str)}
            rest += [item for item in each.values() if isinstance(item, dict | list)]
        elif isinstance(each, list):
            rest += [item for item in each if isinstance(item, dict | list)]
    return sorted(keys)


def weight_map(index: object) -> dict[str, str]:
    """From tensors to files, as an index of weight files says; empty where it says no such thing."""
    named = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        return {}
    return named


def index_problems(path: Path, value: Mapping[str, object]) -> list[str]:
    """What an index of weight files names that is not a weight file beside it."""
    named = weight_map(value)
    if not named and value.get("weight_map") != {}:
        return [Sentence("an index that does not map tensors to files")]
    safe = ".safetensors" in path.suffixes
    problems: list[str] = []
    for name in sorted(set(named.values())):
        if leads_out(name):
            problems.append(_outside(name))
        elif safe and Path(name).suffix.lower() not in weights.SAFE:
            shown = printable(name, 80)
            problems.append(Sentence("names a file of another format among the safetensors ({file})", file=shown))
        elif not is_file(path.parent / name):
            problems.append(_missing(name))
    return problems


def _outside(name: str) -> str:
    return Sentence("names weights outside the model's folder ({file})", file=printable(name, 80))


def _missing(name: str) -> str:
    return Sentence("names weights that are not there ({file})", file=printable(name, 80))


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no system has names as long as this
        return False


def _look_at_onnx(path: Path, name: str, found: Inspection) -> None:
    try:
        graph = Graph.read(path)
    except ImportError:
        found.add(name, Sentence("an ONNX model, which cannot be looked into without the package onnx"), UNSEEN)
        return
    except DamagedError:
        found.add(name, Sentence("not a whole ONNX file"), DAMAGED)
        return
    for domain in graph.foreign:
        shown = printable(domain, 60)
        found.add(name, Sentence("operators that need a library of their own ({domain})", domain=shown), RUNS)
    for place in graph.places:
        if leads_out(place) or not stays_within(path.parent / place, path.parent):
            found.add(name, _outside(place), ELSEWHERE)
        elif not is_file(path.parent / place):
            found.add(name, _missing(place), ELSEWHERE)


def _compare(folder: Path, found: Inspection) -> None:
    """Hold tokenizer and class names against the shapes of the weights."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            shapes |= {name: tensor.shape for name, tensor in weights.header(path).items()} if path.is_file() else {}
        except AuditError:  # told already
            return
    rows = _rows(shapes, _EMBEDDING)
    largest, source = _largest_token(folder)
    if rows is not None and largest is not None:
        name = Sentence("the tokenizer's largest number")
        found.facts[name] = Sentence("{largest:,}, of {rows:,} that the model knows", largest=largest, rows=rows)
        if largest >= rows:
            problem = Sentence(
                "numbers its words up to {largest:,}, but the model knows only {rows:,} (0 to {last:,})",
                largest=largest,
                rows=rows,
                last=rows - 1,
            )
            found.add(source, problem, WRONG)
    rows = _rows(shapes, _CLASSIFIER)
    try:
        config = read_json(folder / "config.json")
    except (OSError, ValueError):
        return
    names = config.get("id2label") if isinstance(config, dict) else None
    if rows is not None and isinstance(names, dict) and names and len(names) != rows:
        problem = Sentence("names {names} classes, but the model answers with {rows}", names=len(names), rows=rows)
        found.add("config.json", problem, WRONG)


def _rows(shapes: Mapping[str, tuple[int, ...]], name: re.Pattern[str]) -> int | None:
    """Rows of the one matrix of that name; None where there is none, or more than one."""
    found = {shape[0] for tensor, shape in shapes.items() if len(shape) == 2 and name.search(tensor)}
    return found.pop() if len(found) == 1 else None


def _largest_token(folder: Path) -> tuple[int | None, str]:
    """The largest number that the tokenizer can give, and the file that says so."""
    path = folder / "tokenizer.json"
    try:
        value: Any = read_json(path)  # untrusted; whatever is not of this form raises
        words, added = value["model"]["vocab"], value.get("added_tokens") or []
        numbers = words.values() if isinstance(words, dict) else range(len(words))
        return max(n for n in (*numbers, *(token["id"] for token in added)) if isinstance(n, int)), path.name
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    try:
        return len((folder / "vocab.txt").read_bytes().splitlines()) - 1, "vocab.txt"
    except OSError:
        return None, ""


def _hold_against(
    folder: Path | None, hashes: Mapping[str, str], expected: Mapping[str, str], found: Inspection
) -> None:
    """The policy's list of hashes; a file that is not on it could be loaded in place of one that is."""
    for name in sorted({*hashes, *expected}):
        is_hash = hashes.get(name)
        if is_hash is None and folder is not None and not leads_out(name) and is_file(folder / name):
            is_hash = sha256(folder / name)  # documentation, which the model's hashes leave out
        if name not in expected:
            found.add(name, Sentence("is not on the policy's list of hashes (expected_sha256)"), SWAPPED)
        elif is_hash is None:
            found.add(
                name, Sentence("is on the policy's list of hashes (expected_sha256), but not in the folder"), SWAPPED
            )
        elif is_hash != expected[name].lower():
            shown = is_hash[:12]
            found.add(name, Sentence("has another hash than the policy's list says ({hash}…)", hash=shown), SWAPPED)


def _documents(folder: Path, found: Inspection) -> None:
    """Licence and model card, as facts: that one is missing is no danger."""
    card = folder / "README.md"
    head = ""
    if within(card, folder) and card.is_file():
        with card.open("rb") as file:
            head = file.read(1 << 16).decode("utf-8", "replace")
    licence = re.search(r"\A---\s.*?^license:\s*(\S[^\r\n]*)", head, re.MULTILINE | re.DOTALL)
    own = [path.name for path in sorted(folder.glob("LICEN[CS]E*")) if path.is_file()]
    found.facts[Sentence("model card")] = "README.md" if head.strip() else Sentence("none")
    named = own[0] if own else licence[1] if licence else ""
    found.facts[Sentence("licence")] = printable(named, 60) if named else Sentence("none named")
