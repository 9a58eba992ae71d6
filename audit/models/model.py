"""The model under audit: found, checked without executing anything of it, identified, and loaded when first needed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NotRequired

from audit.core import hub
from audit.core.cache import Entry
from audit.core.errors import AuditError
from audit.core.figures import Figures
from audit.core.files import sha256
from audit.core.records import ModelRecord
from audit.data import labels
from audit.models import admission, tokens
from audit.models.files import artifact, pickles, weights
from audit.models.files.pickles import PICKLED
from audit.models.reading import Head, Reading
from audit.text.paths import check_all, check_content
from audit.text.redaction import message, printable

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast
    from transformers.modeling_outputs import SequenceClassifierOutput

# Formats that other tools would load in place of the audited weights.
OTHER_WEIGHTS = (".h5", ".msgpack", ".onnx", ".onnx_data", ".data", ".gguf", ".keras", ".tflite")
VOCABULARIES = (".json", ".txt", ".model", ".codes", ".spm", ".tokenizer", ".tiktoken")  # as tokenizers keep them
SETTINGS = (*VOCABULARIES, ".py", ".jinja", ".yaml", ".yml")
HUB_FILES = [
    *(f"*{suffix}" for suffix in (*weights.SAFE, *VOCABULARIES, ".jinja")),
    "README.md",
    "LICENSE*",
]
# The names under which Transformers looks for weights.
SAFE_WEIGHTS, PICKLED_WEIGHTS = "model.safetensors", "pytorch_model.bin"


class Training(Entry):
    """What is remembered of a training."""

    energy: Figures
    device: str
    examples: int
    trainable_parameters: NotRequired[int]


class FineTuning(Training):
    """What is remembered of the training of a network by the policy's recipe."""

    fingerprint: str
    recipe: dict[str, object]
    base: str
    base_revision: str | None
    base_files: NotRequired[dict[str, str] | None]  # by SHA-256; trainings of former versions do not hold it
    validation_examples: int
    steps: int
    history: list[dict[str, float]]


@dataclass(frozen=True)
class Model:
    """A sentiment classifier in a folder, with what identifies it.

    Parameters
    ----------
    source : str
        As the policy or the option names it.
    folder : Path
        Configuration, tokenizer and safetensors weights.
    labels : tuple of str
        Class names in the order of the model's outputs.
    max_length : int
        Longer texts are cut after so many tokens.
    device : str
        Where it runs: ``cpu``, ``cuda:0``, ``mps``.
    revision : str or None
        The commit that a Hub id was resolved to.
    pinned : bool
        False for a Hub id whose policy does not name a full commit.
    training : FineTuning or None
        Recipe, history and energy of the fine-tuning, if this audit's recipe made it.
    allow_pickle : bool
        Whether pickled weights may be loaded where there are no others, tensors only.
    dtype : str
        Of its weights and of what it computes: ``float32``, ``bfloat16`` or ``float16``.
    reading : Reading or None
        How its outputs are read as the labels; None where they are of these.
    parts : tuple of Path
        Folders that the audit merged it of: an adapter's and its base's; empty of a model that lay whole.
    """

    source: str
    folder: Path
    labels: tuple[str, ...]
    max_length: int
    device: str = "cpu"
    revision: str | None = None
    pinned: bool = True
    training: FineTuning | None = field(default=None, repr=False)
    allow_pickle: bool = False
    dtype: str = "float32"
    reading: Reading | None = None
    parts: tuple[Path, ...] = ()
    # Whether the answer to a text depends on those that are read with it, padding apart.
    reads_batches = False

    @cached_property
    def files(self) -> dict[str, str]:
        """SHA-256 of each file that counts, by name."""
        return hash_files(self.folder)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over weights, configuration and tokenizer files."""
        return fingerprint(self.files)

    @property
    def key(self) -> str:
        """By which its answers are kept."""
        return self.fingerprint if self.reading is None else f"{self.fingerprint} {self.reading}"

    @cached_property
    def parameters(self) -> int | None:
        """Number of weights, read off the headers of the safetensors files; None where they are pickled."""
        from math import prod

        safe = safe_weights(self.folder, self.source)
        if not safe:
            return None
        return sum(prod(tensor.shape) for path in safe for tensor in weights.header(path).values())

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The fast tokenizer."""
        with loadable(self.source, "tokenizer"):
            return tokens.load(self.folder, self.source, config(self.folder, self.source))

    @cached_property
    def network(self) -> PreTrainedModel:
        """The ``torch`` module in evaluation mode on its device.

        Raises
        ------
        AuditError
            If it cannot be built without remote code, or its classification head is not among the weights.
        """
        import torch
        from transformers import AutoModelForSequenceClassification

        import audit.models.recurrent  # noqa: F401 - a kind of model that transformers does not know by itself

        # Whoever asks first may be predicting only, yet others take gradients of the same weights.
        with loadable(self.source, "model"), torch.inference_mode(False):
            network, info = AutoModelForSequenceClassification.from_pretrained(
                self.folder,
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=not self.allow_pickle or bool(safe_weights(self.folder, self.source)),
                weights_only=True,
                dtype=getattr(torch, self.dtype),
                num_labels=self._outputs,
                output_loading_info=True,
            )
        if info["missing_keys"]:
            names = ", ".join(sorted(info["missing_keys"])[:3])
            raise AuditError(
                f"model '{self.source}' has no trained weights for {names}; give a fine-tuned classifier, "
                f"or add [model.finetune] to the policy to train one."
            )
        if self.reading is not None:
            # On the network itself, so that gradients and versions in fewer bits are of the classes too.
            network.register_forward_hook(partial(_read, self.reading))
        with torch.inference_mode(False):
            return network.to(self.device).eval()

    @property
    def _outputs(self) -> int:
        """How many numbers its head gives."""
        if self.reading is None:
            return len(self.labels)
        stated = outputs_of(self.folder, self.source)
        return stated or len(self.reading.own)

    def describe(self) -> ModelRecord:
        """What the record says of it."""
        return {
            "source": self.source,
            "revision": self.revision,
            "pinned": self.pinned,
            "fingerprint": self.fingerprint,
            "files": self.files,
            "parameters": self.parameters,
            "labels": list(self.labels),
            "max_length": self.max_length,
            "dtype": self.dtype,
            **({} if self.reading is None else {"read": self.reading.record()}),
            "training": self.training.copy() if self.training else None,
        }


def _read(reading: Reading, network: object, given: object, made: SequenceClassifierOutput) -> SequenceClassifierOutput:
    """In the place of a network's outputs the logits of the classes."""
    made.logits = reading.logits(made.logits)
    return made


def hash_files(
    folder: Path, suffixes: tuple[str, ...] = (*weights.SAFE, *PICKLED, *OTHER_WEIGHTS, *SETTINGS)
) -> dict[str, str]:
    """SHA-256 of every file in a model folder that somebody could load, by its path; documentation is left out."""
    return {
        name: sha256(path)
        for path, name in artifact.files(folder)
        if path.suffix.lower() in suffixes
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts[:-1])
    }


def bytes_on_disk(folder: Path, suffixes: tuple[str, ...]) -> int:
    """Size of the files of a model that have these suffixes."""
    return sum(path.stat().st_size for path, _ in artifact.files(folder) if path.suffix.lower() in suffixes)


def fingerprint(files: Mapping[str, str]) -> str:
    """One SHA-256 over names and hashes."""
    text = "".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items()))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def choose_device(option: str) -> str:
    """The device to run on: as asked for, or with ``auto`` the GPU where there is one.

    Raises
    ------
    AuditError
        If the name is unknown or the machine has no such device.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", option):
        raise AuditError(f"--audit-device {option}: unknown device; expected auto, cpu, cuda, cuda:N or mps.")
    # A build without GPUs need not be asked, and to import it takes seconds that an audit may not need it for at all.
    if option == "cpu" or (option == "auto" and version("torch").endswith("+cpu")):
        return "cpu"
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if option == "auto":
        return "cuda:0" if gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    if option == "mps":
        if not torch.backends.mps.is_available():
            raise AuditError("--audit-device mps: this machine has no Apple GPU that torch can use.")
        return option
    index = int(option.partition(":")[2] or 0)
    if index >= gpus:
        raise AuditError(
            f"--audit-device {option}: torch sees {gpus} CUDA device(s) here; use cpu, or install the CUDA build."
        )
    return f"cuda:{index}"


def locate(source: str, path: Path, revision: str | None, *, allow_pickle: bool = False) -> tuple[Path, str | None]:
    """The folder of a model: a local one, or the Hub's, downloaded without anything that can hold code.

    Parameters
    ----------
    source : str
        Local folder or Hub id, as written.
    path : Path
        The same as a local path.
    allow_pickle : bool
        Whether pickled weights will do where there are no others.

    Returns
    -------
    folder : Path
    revision : str or None
        The commit, for a Hub id.

    Raises
    ------
    AuditError
        If there is no such folder and no such id can be had, or if the folder has no safe weights.
    """
    if path.is_dir():
        check_folder(path, source, allow_pickle=allow_pickle)
        return path, None
    looks_local = source.startswith((".", "/", "~")) or "${" in source or "\\" in source
    if looks_local or path.exists() or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source):
        others = "" if looks_local and not path.exists() else f"; {admission.OTHERS}"  # a typing error is no kind
        raise AuditError(
            f"model '{source}': {path} is not a folder; expected a folder with config.json, tokenizer and "
            f"*.safetensors, or a Hub id such as 'bert-base-uncased'{others}."
        )
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(source)
    except HFValidationError:
        raise AuditError(f"model '{source}': no such folder, and no id that the Hugging Face Hub could have.") from None
    reachable = hub.work_offline_if_unreachable()
    patterns = [*HUB_FILES, "pytorch_model*.bin"] if allow_pickle else HUB_FILES
    try:
        folder = Path(
            snapshot_download(source, revision=revision, allow_patterns=patterns, local_files_only=not reachable)
        )
    except HfHubHTTPError as error:
        raise AuditError(
            f"model '{source}': no such folder, and the Hugging Face Hub refused it ({message(error, 150)})."
        ) from None
    except Exception as error:
        if not hub.is_unreachable(error):
            raise AuditError(f"model '{source}': {type(error).__name__}: {message(error)}") from None
        raise AuditError(
            f"model '{source}': no such folder, the Hugging Face Hub could not be reached, and the model is not in "
            f"its cache; give a local folder, or run once with a network."
        ) from None
    check_folder(folder, source, allow_pickle=allow_pickle)
    return folder, folder.name if re.fullmatch(r"[0-9a-f]{40}", folder.name) else None


def check_folder(folder: Path, source: str, *, allow_pickle: bool = False) -> None:
    """Refuse a model folder that cannot be loaded safely, before anything of it is loaded.

    Raises
    ------
    AuditError
        Without configuration, without weights, with damaged safetensors, or with pickled weights only; where these are
        allowed, if the scanner calls them dangerous or cannot look into them; as :func:`audit.models.admission.check`.
    """
    check_all(folder, f"model '{source}'")
    if not (folder / "config.json").is_file():
        admission.check_adapter(folder, source)
        inner = _model_in(folder)
        hint = f"did you mean {inner}?" if inner else f"expected a saved Transformers model; {admission.OTHERS}."
        raise AuditError(f"model '{source}': {folder} has no config.json; {hint}")
    for path in admission.tokenizer_files(folder):
        check_content(path, f"model '{source}'")
    safe = safe_weights(folder, source)
    tensors = _tensors(safe)
    if not safe:
        _check_pickled(folder, source, allow_pickle=allow_pickle)
    admission.check(folder, source, config(folder, source), tensors)


def _model_in(folder: Path) -> str:
    """The last checkpoint in a folder, or the one model in it, as it is shown; empty where there is none."""
    models = [path for path in folder.iterdir() if (path / "config.json").is_file()]
    steps = {path: int(number[1]) for path in models if (number := re.fullmatch(r"checkpoint-(\d{1,9})", path.name))}
    chosen = max(steps, key=lambda path: steps[path]) if steps else models[0] if len(models) == 1 else None
    return printable(chosen) if chosen is not None else ""


def check_classifier(folder: Path, source: str, head: Head = "softmax") -> None:
    """Refuse what is no classifier, as :func:`audit.models.admission.check_classifier`; nothing of it is loaded."""
    tensors = _tensors(safe_weights(folder, source))
    admission.check_classifier(source, config(folder, source), tensors, sigmoid=head == "sigmoid")


def outputs_of(folder: Path, source: str) -> int | None:
    """How many numbers a network's head gives for a text; None where no weights of a usual name tell."""
    return admission.outputs_of(_tensors(safe_weights(folder, source)))


def check_outputs(folder: Path, source: str, classes: Sequence[str], head: Head = "softmax") -> None:
    """Refuse a model whose head has more or fewer outputs than there are class names, one output for two apart.

    Raises
    ------
    AuditError
    """
    outputs = outputs_of(folder, source)
    if head == "sigmoid" and outputs == 1 and len(classes) == 2:
        return
    if outputs is not None and outputs != len(classes):
        raise AuditError(
            f"model '{source}': its head has {outputs} outputs, but {len(classes)} classes are named "
            f"({', '.join(map(printable, classes))}); correct id2label in config.json or [model] labels."
        )


def _tensors(paths: Sequence[Path]) -> dict[str, weights.Tensor]:
    """All tensors of several safetensors files by name."""
    return {name: tensor for path in paths for name, tensor in weights.header(path).items()}


def _check_pickled(folder: Path, source: str, *, allow_pickle: bool) -> None:
    """Refuse pickled weights that are not allowed, or not safe to load."""
    pickled = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in PICKLED and path.is_file()]
    if not pickled:
        admission.check_adapter(folder, source)
        raise AuditError(f"model '{source}': {folder} has no weights; expected {SAFE_WEIGHTS}; {admission.OTHERS}.")
    for path in pickled:
        check_content(path, f"model '{source}'")
    if not allow_pickle:
        raise AuditError(
            f"model '{source}': {folder} has pickled weights only ({printable(pickled[0].name)}), which can run code "
            f"when loaded; save it with save_pretrained(..., safe_serialization=True), or allow it with [security] "
            f"allow_pickle = true."
        )
    loadable = _weight_files(folder, source, PICKLED_WEIGHTS)
    if not loadable:
        raise AuditError(
            f"model '{source}': {folder} has pickled weights only, under a name that Transformers does not load "
            f"({printable(pickled[0].name)}); expected {SAFE_WEIGHTS}, or {PICKLED_WEIGHTS}."
        )
    for path in loadable:
        for found in pickles.find(path):
            if found.dangerous or not found.scanned:
                raise AuditError(
                    f"model '{source}': {printable(path.name)} is refused even though [security] allow_pickle is set: "
                    f"{printable(found.problem, 300)}."
                )


def safe_weights(folder: Path, source: str) -> list[Path]:
    """The safetensors files that Transformers would load from a folder; none where there are only others.

    Raises
    ------
    AuditError
        If the configuration or an index names a file that is not a safetensors file in the folder.
    """
    named = config(folder, source).get("transformers_weights")
    if named is None:
        return _weight_files(folder, source, SAFE_WEIGHTS)
    if not isinstance(named, str) or pickles.leads_out(named) or not named.endswith(weights.SAFE):
        raise AuditError(
            f"model '{source}': config.json names {printable(named)} as its weights; expected a safetensors file in "
            f"the folder."
        )
    return _weight_files(folder, source, named)


def _weight_files(folder: Path, source: str, name: str) -> list[Path]:
    """The file of that name, or those that its index names."""
    if (folder / name).is_file():
        check_content(folder / name, f"model '{source}'")
        return [folder / name]
    index = folder / f"{name}.index.json"
    if not index.is_file():
        return []
    check_content(index, f"model '{source}'")
    try:
        value = artifact.read_json(index)
    except ValueError:
        value = None
    problems = artifact.index_problems(index, value) if isinstance(value, dict) else ["not a map of tensors to files"]
    if problems:
        raise AuditError(f"model '{source}': {index}: {problems[0]}; expected the names of weight files beside it.")
    parts = sorted({folder / name for name in artifact.weight_map(value).values()})
    for path in parts:
        check_content(path, f"model '{source}'")
    return parts


def config(folder: Path, source: str) -> dict[str, object]:
    """The configuration as plain JSON."""
    check_content(folder / "config.json", f"model '{source}'")
    try:
        value = artifact.read_json(folder / "config.json")
    except (OSError, ValueError) as error:
        raise AuditError(f"model '{source}': {folder / 'config.json'} cannot be used: {message(error)}.") from None
    if not isinstance(value, dict):
        raise AuditError(f"model '{source}': {folder / 'config.json'} holds no JSON object.")
    return value


def longest(folder: Path, source: str, asked: int) -> int:
    """How many tokens of a text a model reads: as many as asked for, but no more than it has positions."""
    return min(asked, admission.positions(config(folder, source)) or asked)


def positions(folder: Path, source: str) -> int:
    """How many tokens a model was made for, by its configuration and its tokenizer's."""
    try:
        tokenizer = artifact.read_json(folder / "tokenizer_config.json")
    except (OSError, ValueError):
        tokenizer = {}
    stated = tokenizer.get("model_max_length") if isinstance(tokenizer, dict) else None
    numbers = (admission.positions(config(folder, source)), stated)
    return int(min((number for number in numbers if isinstance(number, int | float) and number > 0), default=512))


def labels_of(folder: Path, source: str, asked: Sequence[str], head: Head = "softmax") -> tuple[str, ...]:
    """Class names in output order, as :func:`audit.data.labels.of_model` reads them.

    Raises
    ------
    AuditError
        As that, and where nothing names the two classes of a single output.
    """
    if head == "sigmoid" and outputs_of(folder, source) == 1:
        if len(set(asked)) != 2:
            raise AuditError(
                f"model '{source}': its one output is the log-odds of a class; name the other and this one, in this "
                f"order, with [model] labels."
            )
        return tuple(asked)
    return labels.of_model(config(folder, source), source, asked)


class loadable:  # noqa: N801
    """Turn what the libraries raise on a broken model into one sentence."""

    def __init__(self, source: str, what: str) -> None:
        self.source, self.what = source, what

    def __enter__(self) -> None:
        from transformers.utils import logging

        import audit.models.recurrent_config  # noqa: F401 - makes a kind of model known that transformers does not have

        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, AuditError):
            if "ignore_mismatched_sizes" in str(error):
                raise AuditError(
                    f"model '{self.source}': its weights have other shapes than config.json says; give the config.json "
                    f"that was saved with them."
                ) from None
            if wrong := re.match(r"Validation error for field '(\w{1,60})'", str(error)):
                raise AuditError(
                    f"model '{self.source}': config.json has a value for {wrong[1]} that cannot be one; give the "
                    "config.json that was saved with the weights."
                ) from None
            # What Python says of a value of the wrong kind speaks of the library's own code.
            is_slip = isinstance(error, TypeError | AttributeError | LookupError | ArithmeticError | RecursionError)
            reason = "" if is_slip else f" ({message(error)})"
            raise AuditError(
                f"model '{self.source}': the {self.what} cannot be loaded{reason}; save it anew, all its files, with "
                f"{self.what}.save_pretrained()."
            ) from None
