"""Models with a planted instability, each beside the model that it was made of; tests and benchmarks share them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from audit.models.model import Model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    Weights = dict[str, torch.Tensor]

# Added to every class of the head, it changes no probability; yet beside it bfloat16 has no digit left for them.
LOUD = 1e4
# A power of two, so that scaling rounds nothing; beside so large a row, 8 bits have none left for the others.
OUTLIER = 1024.0


@dataclass(frozen=True)
class Unmasked(Model):
    """The same model, run by somebody who has forgotten the attention mask: padding is read as text."""

    @classmethod
    def of(cls, model: Model) -> Unmasked:
        """From a model that is run as it should be."""
        return cls(**{each.name: getattr(model, each.name) for each in fields(Model)})

    @cached_property
    def fingerprint(self) -> str:
        """Its answers are others than the model's, where it reads padding."""
        return f"{super().fingerprint} unmasked"

    @cached_property
    def network(self) -> PreTrainedModel:
        """The network with a ``forward`` that drops the mask."""
        network = super().network
        whole = network.forward
        network.forward = lambda attention_mask=None, **given: whole(**given)
        return network


def _loud_head(weights: Weights) -> None:
    weights["classifier.bias"] += LOUD


def _outlier(weights: Weights) -> None:
    """One value of the first layer's attention blown up, and shrunk again by the layer behind."""
    prefix = "bert.encoder.layer.0.attention"
    weights[f"{prefix}.self.value.weight"][0] *= OUTLIER
    weights[f"{prefix}.self.value.bias"][0] *= OUTLIER
    weights[f"{prefix}.output.dense.weight"][:, 0] /= OUTLIER


def spoiling(change: Callable[[Weights], None]) -> Callable[[Path, Path], Path]:
    """From a change of weights to what copies a model's folder to another one with its weights changed so."""

    def spoil(folder: Path, target: Path) -> Path:
        from safetensors.torch import load_file, save_file

        shutil.copytree(folder, target)
        weights = load_file(target / "model.safetensors")
        change(weights)
        save_file(weights, target / "model.safetensors", {"format": "pt"})
        return target

    return spoil


# From the folder of a BERT and another to that one, with a copy whose answers in float32 are the same.
SPOILED: Mapping[str, Callable[[Path, Path], Path]] = {
    "as it is": spoiling(lambda weights: None),
    "bfloat16": spoiling(_loud_head),
    "int8": spoiling(_outlier),
}
