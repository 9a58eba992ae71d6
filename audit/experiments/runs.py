"""Models that were trained for an experiment, as what they answer and what their training took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit.inference.predictions import Predictions


@dataclass(frozen=True)
class Trained:
    """A model that was trained for a claim.

    Parameters
    ----------
    predictions : Predictions
        Of the test examples, told them.
    training : mapping or None
        ``energy`` (the figures of a phase), ``examples``, ``trainable_parameters``; None where that is not known.
    """

    predictions: Predictions
    training: Mapping[str, Any] | None = None


Runs = Sequence[Trained]  # by one recipe, each from another seed
