"""A model computed more coarsely, or more finely, than it is audited: in another dtype, or with layers of 8 bits."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, fields, replace
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from typing import TYPE_CHECKING

from audit.core.cache import Cache
from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.models.model import SETTINGS, Model, bytes_on_disk
from audit.text.redaction import message

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EIGHT_BIT = "int8"
# What else a model may run in once it is in use, whatever it is audited in.
DTYPES = ("float32", "bfloat16")


def beside(dtype: str) -> tuple[str, ...]:
    """The other precisions of a model that is audited in this one."""
    return (*(each for each in DTYPES if each != dtype), EIGHT_BIT)


@dataclass(frozen=True)
class EightBit(Model):
    """A model whose linear layers are kept and computed in whole numbers of 8 bits; made when first needed.

    Notes
    -----
    Dynamic quantisation: weights are rounded once, what flows into a layer each time, on a scale set by its largest
    value. That value is sought in all texts of a batch, so that an answer depends a little on those read with it.
    Embeddings, attention between tokens and normalisation stay as they are. Source: Jacob et al., "Quantization and
    training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018, section 2.
    """

    reads_batches = True

    @classmethod
    def of(cls, model: Model) -> EightBit:
        """The 8-bit version of a model; what is not in 8 bits is in float32."""
        return cls(**{**{field.name: getattr(model, field.name) for field in fields(Model)}, "dtype": "float32"})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over that of the model, and what it is quantised with."""
        text = f"{super().fingerprint}\0dynamic int8\0{version('torch')}"
        return f"sha256:{sha256(text.encode()).hexdigest()}"

    @cached_property
    def network(self) -> PreTrainedModel:
        """The quantised ``torch`` module in evaluation mode."""
        import torch

        with warnings.catch_warnings(), torch.inference_mode(False):
            # It is to go one day; what is to replace it, torchao, is fast only where a C++ compiler is at hand.
            warnings.filterwarnings("ignore", ".*deprecated")
            return torch.ao.quantization.quantize_dynamic(super().network, {torch.nn.Linear}, dtype=torch.qint8)

    def facts(self) -> dict[str, int]:
        """``layers``, how many are computed in 8 bits, and ``size``, bytes of weights, configuration and tokenizer."""
        import torch

        layers = [part for part in self.network.modules() if isinstance(part, torch.ao.nn.quantized.dynamic.Linear)]
        weights = io.BytesIO()
        torch.save(self.network.state_dict(), weights)
        return {"layers": len(layers), "size": weights.tell() + bytes_on_disk(self.folder, SETTINGS)}


def eight_bit(audited: Model, cache: Cache) -> tuple[EightBit, int]:
    """The 8-bit version of a model, and its size in bytes.

    Raises
    ------
    NotAssessed
        If this machine computes none, or next to nothing of the model has one.
    """
    if audited.device != "cpu":
        raise NotAssessed(
            Sentence(
                "8-bit layers are computed on a processor only, and the audited model runs on {device}; audit it once "
                "more with --audit-device cpu",
                device=audited.device,
            )
        )
    model = EightBit.of(audited)
    try:
        facts = cache.measurement({"what": "8-bit version", "model": model.fingerprint}, model.facts)
    except (AttributeError, ImportError, RuntimeError) as error:  # torch without it, or without an engine for it
        raise NotAssessed(
            Sentence(
                "torch {version} computes no 8-bit layers on this machine ({error})",
                version=version("torch"),
                error=message(error),
            )
        ) from None
    if facts["layers"] < 2:  # the head alone
        raise NotAssessed(
            Sentence("its layers are of a kind that has no 8-bit version here (torch.nn.Linear has)"), arises=False
        )
    return model, facts["size"]


def in_dtype(audited: Model, dtype: str) -> Model:
    """The same weights in another dtype.

    Raises
    ------
    NotAssessed
        If torch computes such a network in that dtype not at all on this machine.
    """
    import torch

    model = replace(audited, dtype=dtype)
    try:
        with torch.inference_mode():
            model.network(input_ids=torch.zeros((1, 4), dtype=torch.int64, device=model.device))
    except RuntimeError as error:  # an operation without a kernel for it, or too little memory
        raise NotAssessed(
            Sentence(
                "torch {version} does not compute this model in {dtype} on {device} ({error})",
                version=version("torch"),
                dtype=dtype,
                device=model.device,
                error=message(error),
            )
        ) from None
    return model
