"""Models that were trained for an experiment, as what they answer and what their training took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.inference.predictions import Predictions
from audit.models.model import Training


@dataclass(frozen=True)
class Trained:
    """A model that was trained for a claim.

    Parameters
    ----------
    predictions : Predictions
        Of the test examples, told them.
    training : Training or None
        None where that is not known.
    """

    predictions: Predictions
    training: Training | None = None


Runs = Sequence[Trained]  # by one recipe, each from another seed
