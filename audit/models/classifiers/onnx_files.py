"""A network in a file of ONNX, run by ONNX Runtime; its configuration and its tokenizer lie beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import AuditError
from audit.core.files import sha256
from audit.data import labels as class_names
from audit.models import admission, tokens
from audit.models.classifiers.base import Classifier
from audit.models.classifiers.model import ClassifierModel
from audit.models.files import weights
from audit.models.files.artifact import stays_within
from audit.models.files.graphs import LARGEST, SUFFIX, Graph
from audit.models.files.pickles import PICKLED, leads_out
from audit.models.model import SETTINGS, config, fingerprint, hash_files, loadable
from audit.models.reading import Head
from audit.text.paths import check_content
from audit.text.redaction import message, printable

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from transformers import PreTrainedTokenizerFast

    Columns = Mapping[str, Sequence[Sequence[int]]]

PACKAGES = ("onnx", "onnxruntime")
# As exporters name the outputs that a classifier needs, and those that show what it makes of each token.
LOGITS, STATES = "logits", "last_hidden_state"
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# Of several files in a folder the one that is meant, as Optimum names it.
USUAL = "model.onnx"
# Outputs of these operators are probabilities already.
_PROBABILITIES = ("Softmax", "Sigmoid")
_INTEGERS: dict[str, type[np.integer[Any]]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
# What stands before each of its messages.
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:\s*)?", re.DOTALL)
# Tokens of a batch, as the audit's own networks have them on a processor.
_TOKENS = 2048


def is_onnx(path: Path) -> bool:
    """Whether a source is such a file, or a folder whose only weights are in such files."""
    if path.suffix == SUFFIX:
        return True
    if not path.is_dir() or not _candidates(path):
        return False
    return not any(each.suffix.lower() in (*weights.SAFE, *PICKLED) for each in path.iterdir())


def load(source: str, path: Path, labels: Sequence[str], max_length: int, head: Head) -> ClassifierModel:
    """The network in a file, or in the one file of a folder.

    Parameters
    ----------
    source : str
        As the policy or the option names it.
    path : Path
    labels : sequence of str
        The policy's, where the configuration names none.
    max_length : int
        Longer texts are cut after so many tokens.
    head : str
        As the policy says that its outputs are to be read.

    Raises
    ------
    AuditError
        If it is no whole file, needs operators of its own or files from elsewhere, does not take tokens or give one
        number for each class, or if configuration or tokenizer are missing.
    """
    file, folder = find(source, path)
    where = f"model '{source}'"
    if not _has_config(folder):
        raise AuditError(
            f"{where}: {printable(folder)} has no config.json; put the network's own beside {printable(file.name)}, "
            f"with its tokenizer."
        )
    if not admission.has_tokenizer(folder):
        raise AuditError(
            f"{where}: {printable(folder)} has no tokenizer (tokenizer.json, vocab.txt, …); save it there with "
            f"tokenizer.save_pretrained()."
        )
    for each in admission.tokenizer_files(folder):
        check_content(each, where)
    graph, outside = admitted(source, file)
    settings = config(folder, source)
    admission.check_classifier(source, settings, {}, sigmoid=head == "sigmoid")
    names = _labels(settings, source, labels, graph, head)
    own = {each.relative_to(folder).as_posix(): each for each in (file, *outside)}
    beside = hash_files(folder, SETTINGS)
    hashes = beside | {name: sha256(each) for name, each in own.items()}
    paths = own | {name: folder / name for name in beside}
    length = min(max_length, admission.positions(settings) or max_length, _fixed(graph, 1) or max_length)
    kind = OnnxEncoder if any(each.name == STATES for each in graph.model.graph.output) else OnnxClassifier
    network = kind(source, file, folder, graph, names, length, head)
    return ClassifierModel(
        source, network, names, hashes, fingerprint(hashes), paths, folder, runs_code=False,
        parameters=graph.parameters, max_length=length, device="cpu",
        engine=f"onnxruntime {version('onnxruntime')}",
    )  # fmt: skip


def find(source: str, path: Path) -> tuple[Path, Path]:
    """The file that a source means, and the folder with its configuration and tokenizer.

    Raises
    ------
    AuditError
        If there is none, or several of which none has the usual name.
    """
    found = _candidates(path) if path.is_dir() else [path] if path.is_file() else []
    if not found:
        raise AuditError(f"model '{source}': {printable(path)} is no file; expected a network in ONNX.")
    usual = [each for each in found if each.name == USUAL]
    if len(found) > 1 and len(usual) != 1:
        shown = ", ".join(printable(each.relative_to(path)) for each in found[:5])
        raise AuditError(f"model '{source}': {printable(path)} holds several networks ({shown}); name one of them.")
    file = (usual or found)[0]
    folder = file.parent.parent if file.parent.name == "onnx" and not _has_config(file.parent) else file.parent
    return file, folder


def _candidates(folder: Path) -> list[Path]:
    return [each for each in sorted((*folder.glob(f"*{SUFFIX}"), *folder.glob(f"onnx/*{SUFFIX}"))) if each.is_file()]


def _has_config(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def admitted(source: str, file: Path) -> tuple[Graph, list[Path]]:
    """What a file holds, and the files outside of it that hold weights of it, if nothing speaks against running it."""
    where, shown = f"model '{source}'", printable(file.name)
    check_content(file, where)
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise AuditError(
            f"{where}: {missing[0]}, which reads it, is not installed; run: pip install 'pytest-model-audit[onnx]'."
        )
    _check_size(file, where)
    try:
        graph = Graph.read(file)
    except AuditError:
        raise AuditError(f"{where}: {shown} is no whole ONNX file; export it anew.") from None
    if graph.foreign:
        raise AuditError(
            f"{where}: {shown} has operators that need a library of their own ({printable(graph.foreign[0], 60)}), "
            f"which an audit never loads; export it with the standard operators, or {admission.OTHERS}."
        )
    for place in graph.places:
        if leads_out(place) or not stays_within(file.parent / place, file.parent):
            raise AuditError(
                f"{where}: {shown} has weights in {printable(place, 80)}, which is not in its folder; save them beside "
                f"it, as onnx.save_model does."
            )
        if not (file.parent / place).is_file():
            raise AuditError(
                f"{where}: {shown} has weights in {printable(place, 80)}, which is not there; copy that file too."
            )
    outside = [file.parent / place for place in graph.places]
    for each in outside:
        check_content(each, where)
    _check_size(file, where, *outside)
    return graph, outside


def _check_size(file: Path, where: str, *outside: Path) -> None:
    """Refuse what no memory holds, before any of it is read."""
    if sum(each.stat().st_size for each in (file, *outside)) > LARGEST:
        raise AuditError(
            f"{where}: {printable(file.name)} and its weights are larger than {LARGEST >> 30} GiB; give a smaller one, "
            f"or {admission.OTHERS}."
        )


def _labels(
    settings: Mapping[str, object], source: str, asked: Sequence[str], graph: Graph, head: Head
) -> tuple[str, ...]:
    outputs = _width(graph, source)
    if head == "sigmoid" and outputs == 1:
        if len(set(asked)) != 2:
            raise AuditError(
                f"model '{source}': its one output is the log-odds of a class; name the other and this one, in this "
                f"order, with [model] labels."
            )
        return tuple(asked)
    names = class_names.of_model(settings, source, asked)
    if outputs is not None and outputs != len(names):
        raise AuditError(
            f"model '{source}': it gives {outputs} numbers for a text, but {len(names)} classes are named "
            f"({', '.join(map(printable, names))}); correct id2label in config.json or [model] labels."
        )
    return names


def _answer(graph: Graph, source: str) -> Any:
    """The output with a number for each class."""
    found = {each.name: each for each in graph.model.graph.output}
    flat = [each for each in found.values() if len(each.type.tensor_type.shape.dim) == 2]
    chosen = found.get(LOGITS) or (flat[0] if len(flat) == 1 else None)
    if chosen is None:
        raise AuditError(
            f"model '{source}': its outputs are {', '.join(printable(name, 40) for name in list(found)[:5])}; expected "
            f"`logits`, a row with a number for each class; export the network with its classification head."
        )
    return chosen


def _width(graph: Graph, source: str) -> int | None:
    """How many numbers it gives for a text; None where the file does not say."""
    dimensions = _answer(graph, source).type.tensor_type.shape.dim
    return dimensions[-1].dim_value or None if dimensions else None


def _fixed(graph: Graph, axis: int) -> int | None:
    """How many texts (axis 0) or tokens (axis 1) it takes at once; None where it takes any number."""
    shapes = [each.type.tensor_type.shape.dim for each in graph.model.graph.input if each.name in _INPUTS]
    return next((shape[axis].dim_value for shape in shapes if len(shape) == 2 and shape[axis].dim_value), None)


class OnnxClassifier(Classifier):
    """Runs one network on the processor; loads it when it is first asked.

    Where no text is padded, each gets the answer that it gets alone: batches are of texts of one length, and of a
    network that is computed in few bits on a scale of the whole batch each text is read alone.

    Parameters
    ----------
    source : str
    file, folder : Path
        The network, and where its configuration and tokenizer lie.
    graph : Graph
    labels : tuple of str
    max_length : int
    head : str
    """

    def __init__(
        self, source: str, file: Path, folder: Path, graph: Graph, labels: tuple[str, ...], max_length: int, head: Head
    ) -> None:
        self.labels, self._folder = labels, folder
        self._source, self._file, self._max_length = source, file, max_length
        rows = config(folder, source).get("vocab_size")
        self._embedded = rows if isinstance(rows, int) else None
        self._output = _answer(graph, source).name
        self._is_done = graph.made_by(self._output) in _PROBABILITIES
        self._sigmoid = head == "sigmoid"
        self._width = _fixed(graph, 1)
        texts = _fixed(graph, 0)
        if texts is not None and texts > 1:
            raise AuditError(
                f"model '{source}': it takes {texts} texts at once, neither more nor fewer; export it with an axis of "
                f"any length for the batch."
            )
        self._alone = texts == 1 or graph.scales_by_batch

    def predict(self, texts: list[str]) -> NDArray[np.float64]:
        """Probabilities of texts, each as if it was read alone; shape (n, classes)."""
        if not texts:
            return np.empty((0, len(self.labels)))
        return self._probabilities(self._in_groups(texts, self._output, lambda made, lengths: made))

    def predict_together(self, texts: list[str]) -> NDArray[np.float64]:
        """The same of texts in one batch, padded to the longest, as whoever runs the network may read them."""
        if self._never_pads:
            return self.predict(texts)
        return self._probabilities(self._run(self._output, self._encoded(texts), range(len(texts))))

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Share of the tokens that the tokenizer does not know."""
        return tokens.unknown_share(self._tokenizer, texts)

    def _in_groups(
        self, texts: Sequence[str], output: str, read: Callable[[NDArray[Any], NDArray[np.int64]], NDArray[Any]]
    ) -> NDArray[np.float32]:
        """An output for each text, read off batches that need no padding; shape (n, …)."""
        columns = self._encoded(texts)
        rows: list[NDArray[Any]] = [np.empty(0)] * len(texts)
        widths = [self._width or len(ids) for ids in columns["input_ids"]]
        for group in tokens.of_equal_length(widths, 0 if self._alone else _TOKENS):
            lengths = np.array([len(columns["input_ids"][i]) for i in group])
            for i, row in zip(group, read(self._run(output, columns, group), lengths), strict=True):
                rows[i] = row
        return np.array(rows, dtype=np.float32)

    def _encoded(self, texts: Sequence[str]) -> Columns:
        made = self._tokenizer(
            list(texts),
            truncation=True,
            max_length=self._max_length,
            return_attention_mask=False,
            return_token_type_ids="token_type_ids" in self._inputs,
        )
        columns = {name: made[name] for name in ("input_ids", "token_type_ids") if name in made}
        # Where a tokenizer frames no text with tokens of its own, an empty one still has to be something.
        columns["input_ids"] = [ids or [self._filler] for ids in columns["input_ids"]]
        tokens.check_highest(columns["input_ids"], self._embedded, self._source)
        if "token_type_ids" in columns:
            columns["token_type_ids"] = [ids or [0] for ids in columns["token_type_ids"]]
        return columns

    def _run(self, output: str, columns: Columns, rows: Sequence[int]) -> NDArray[Any]:
        """An output for some of the texts, padded to the longest of them."""
        lengths = np.array([len(columns["input_ids"][i]) for i in rows])
        width = self._width or int(lengths.max())
        places = np.arange(width)
        left = self._tokenizer.padding_side == "left"
        real = places >= width - lengths[:, None] if left else places < lengths[:, None]  # (texts, tokens)
        given = {"attention_mask": real.astype(self._inputs.get("attention_mask", np.int64))}
        for name, filler in (("input_ids", self._filler), ("token_type_ids", self._tokenizer.pad_token_type_id)):
            if name in self._inputs:
                given[name] = np.full(real.shape, filler, dtype=self._inputs[name])
                given[name][real] = np.concatenate([columns[name][i] for i in rows])
        (made,) = self._session.run([output], {name: given[name] for name in self._inputs})
        return np.asarray(made)

    def _probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Of outputs, shape (n, classes)."""
        expected = 1 if self._sigmoid and outputs.shape[-1] == 1 else len(self.labels)
        if outputs.ndim != 2 or outputs.shape[1] != expected:
            raise AuditError(
                f"model '{self._source}': it gave an array of shape {outputs.shape} for {len(outputs)} texts; expected "
                f"a number for each of its {len(self.labels)} classes; correct id2label in config.json."
            )
        scores = outputs.astype(np.float64)
        if self._is_done:
            return scores
        with np.errstate(all="ignore"):  # what is no number is told by whoever asks
            if self._sigmoid:
                return 1 / (1 + np.exp(-scores))
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    @property
    def _never_pads(self) -> bool:
        """Whether nobody can have it read texts of several lengths at once."""
        return self._tokenizer.pad_token_id is None or self._session.get_inputs()[0].shape[0] == 1

    @cached_property
    def _filler(self) -> int:
        """What fills up shorter texts; where there is no padding token any will do, since none is seen."""
        return int(self._tokenizer.pad_token_id or 0)

    @cached_property
    def _inputs(self) -> dict[str, type[np.integer[Any]]]:
        """What the network takes, by name, and as which kind of number."""
        inputs = self._session.get_inputs()
        if unknown := next((each for each in inputs if each.name not in _INPUTS or each.type not in _INTEGERS), None):
            self._refuse(
                f"it asks for '{printable(unknown.name, 40)}' ({printable(unknown.type, 40)})",
                f"expected tokens ({', '.join(_INPUTS)}), as whole numbers; export the network of a text classifier",
            )
        if _INPUTS[0] not in {each.name for each in inputs}:
            self._refuse(f"it does not ask for {_INPUTS[0]}", "export the network of a text classifier")
        return {each.name: _INTEGERS[each.type] for each in inputs}

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerFast:
        with loadable(self._source, "tokenizer"):
            return tokens.load(self._folder, self._source, config(self._folder, self._source))

    @cached_property
    def _session(self) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = _threads()
        options.use_deterministic_compute = True
        # Threads that wait in a circle burn electricity that no answer takes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            return onnxruntime.InferenceSession(os.fspath(self._file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # what stands in the file decides what ONNX Runtime raises
            self._refuse(f"ONNX Runtime cannot load it ({message(_PREFIX.sub('', str(error)))})", "export it anew")

    def _refuse(self, what: str, remedy: str) -> NoReturn:
        raise AuditError(f"model '{self._source}': {what}; {remedy}.") from None


class OnnxEncoder(OnnxClassifier):
    """The same of a network that gives what it makes of each token, too."""

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """The last states of the first token, and averaged over all; shape (n, 2 * hidden size)."""
        return self._in_groups(texts, STATES, self._first_and_mean)

    def _first_and_mean(self, states: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
        if states.ndim != 3:
            self._refuse(f"its {STATES} has {states.ndim} dimensions", "expected three: text, token, width")
        width, left = states.shape[1], self._tokenizer.padding_side == "left"
        kept = [row[width - n :] if left else row[:n] for row, n in zip(states, lengths, strict=True)]
        return np.array([np.concatenate([each[0], each.mean(axis=0)]) for each in kept])


def _threads() -> int:
    """How many threads compute an operator: as many as all other programs are told to use; 0: one for each core."""
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(stated) if stated.isdigit() else 0
