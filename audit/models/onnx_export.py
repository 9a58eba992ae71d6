"""A network written as an ONNX file, and its weights rounded to whole numbers of 8 bits."""

from __future__ import annotations

import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audit.core.errors import AuditError
from audit.models import model as models
from audit.models.classifiers import onnx_files
from audit.models.classifiers.onnx_files import LOGITS, PACKAGES, STATES, USUAL
from audit.models.files import weights
from audit.models.files.graphs import SUFFIX
from audit.models.model import SETTINGS, VOCABULARIES, Model, bytes_on_disk
from audit.text.redaction import message, printable

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# Texts of several lengths, so that what is written down pads and masks as the network does.
_TRIED = ("This is good.", "What a waste of an evening: whoever knows the first one will be bored.", "", "bad")
_ALIKE = 1e-4  # how far logits may lie apart, whose sums other programs take in another order
_OPSET = 18


class Written(NamedTuple):
    """What was written: the new folder's fingerprint, and bytes of network and tokenizer before and after."""

    fingerprint: str
    before: int
    after: int


def write(source: str, path: Path, out: Path, *, eight_bit: bool = True) -> Written:
    """Write a classifier as ONNX into a new folder, with configuration and tokenizer.

    Parameters
    ----------
    source : str
        A folder or Hub id with a network of Transformers, or a network in ONNX.
    path : Path
        The same as a path.
    out : Path
        A new or empty folder.
    eight_bit : bool
        Whether its weights are rounded to whole numbers of 8 bits; else they stay in float32.

    Raises
    ------
    AuditError
        If there is no such model, it cannot be written, or what was written answers otherwise.

    Notes
    -----
    Dynamic quantisation, with a scale for each column of a weight and for each input of a layer: Jacob et al.,
    "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018,
    section 2.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AuditError(f"{printable(out)} exists and is not an empty folder; choose another.")
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise AuditError(f"{missing[0]} is not installed; run: pip install 'pytest-model-audit[onnx]'.")
    with tempfile.TemporaryDirectory() as temporary:
        if onnx_files.is_onnx(path):
            whole, folder = onnx_files.find(source, path)
            graph, outside = onnx_files.admitted(source, whole)
            if not eight_bit or graph.is_quantised:
                raise AuditError(f"model '{source}': it is such a file already; audit it as it is.")
            before = sum(each.stat().st_size for each in (whole, *outside)) + bytes_on_disk(folder, SETTINGS)
        else:
            folder, _ = models.locate(source, path, None)
            models.check_classifier(folder, source)
            whole = Path(temporary) / USUAL
            _export(source, folder, whole)
            before = bytes_on_disk(folder, (*weights.SAFE, *SETTINGS))
        out.mkdir(parents=True, exist_ok=True)
        if eight_bit:
            _quantise(source, whole, out / USUAL)
        else:
            shutil.copyfile(whole, out / USUAL)
    for each in sorted(folder.iterdir()):
        is_setting = each.suffix in VOCABULARIES and not each.name.endswith(".index.json")
        if each.is_file() and (is_setting or each.name.startswith("LICENSE")):
            shutil.copyfile(each, out / each.name)
    return Written(models.fingerprint(models.hash_files(out)), before, bytes_on_disk(out, (SUFFIX, *SETTINGS)))


def _export(source: str, folder: Path, file: Path) -> None:
    """Write the network of a folder down as it computes a few texts, and see that the file computes them alike."""
    import torch

    length = models.longest(folder, source, models.positions(folder, source))
    model = Model(source, folder, models.labels_of(folder, source, ()), length)
    network, tokenizer = model.network, model.tokenizer
    network.config.use_cache = False
    padded = tokenizer.pad_token_id is not None
    made = tokenizer(list(_TRIED if padded else _TRIED[:1]), padding=padded, return_tensors="pt")
    has_types = "token_type_ids" in made and bool(made["token_type_ids"].any())
    names = [name for name in made if name != "token_type_ids" or has_types]
    axes = {name: {0: "batch", 1: "tokens"} for name in (*names, STATES)} | {LOGITS: {0: "batch"}}
    try:
        with torch.no_grad(), _quietly():
            torch.onnx.export(
                _traced(network, names), tuple(made[name] for name in names), str(file), input_names=names,
                output_names=[LOGITS, STATES], dynamic_axes=axes, opset_version=_OPSET, dynamo=False,
            )  # fmt: skip
            rows = (made, {name: made[name][:1, : len(tokenizer(_TRIED[0])["input_ids"])] for name in names})
            alike = all(_are_alike(network, file, {name: each[name] for name in names}) for each in rows)
    except Exception as error:  # an operator without a counterpart, too large for one file, …
        raise AuditError(
            f"model '{source}': torch cannot write it as ONNX ({type(error).__name__}: {message(error)}); export it by "
            f"a program made for such networks, and audit that file."
        ) from None
    if not alike:
        raise AuditError(
            f"model '{source}': written as ONNX by torch it answers otherwise than before; export it by a program made "
            f"for such networks, and audit that file."
        )


def _traced(network: PreTrainedModel, names: Sequence[str]) -> torch.nn.Module:
    """The network with its inputs in order; gives its answer, and what it makes of each token."""
    import torch

    class Traced(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            states: list[torch.Tensor] = []
            hook = self.network.base_model.register_forward_hook(lambda network, given, made: states.append(made[0]))
            logits = self.network(**dict(zip(names, inputs, strict=True))).logits
            hook.remove()
            return logits, states[0]

    return Traced().eval()


def _are_alike(network: PreTrainedModel, file: Path, given: Mapping[str, torch.Tensor]) -> bool:
    """Whether a file answers as the network does, but for rounding."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    said = session.run([LOGITS], {name: tensor.numpy() for name, tensor in given.items()})[0]
    own = network(**given).logits.numpy()
    return bool(np.abs(said - own).max() <= _ALIKE * max(1.0, np.abs(own).max()))


def _quantise(source: str, whole: Path, file: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    try:
        with _quietly():
            quantize_dynamic(whole, file, per_channel=True, weight_type=QuantType.QInt8)
    except Exception as error:
        raise AuditError(
            f"model '{source}': ONNX Runtime cannot round its weights ({type(error).__name__}: {message(error)}); do "
            f"so by another program, and audit that file."
        ) from None


@contextmanager
def _quietly() -> Iterator[None]:
    """Without advice that is for those who write such programs."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
