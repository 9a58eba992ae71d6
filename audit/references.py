"""Twins: models trained by the audited recipe on random halves of the training data, as references for privacy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.data import Examples
from audit.finetune import Recipe, train
from audit.model import Model

if TYPE_CHECKING:
    from audit.cache import Cache
    from audit.energy import Meter
    from audit.progress import Progress


@dataclass(frozen=True)
class Twin:
    """A reference model and what it saw.

    Parameters
    ----------
    model : Model
    members : ndarray of bool, shape (training examples,)
        Which training examples it was trained on; all others it never saw, not even for validation.
    """

    model: Model
    members: NDArray[np.bool_]


def twins(
    recipe: Recipe, examples: Examples, count: int, cache: Cache, meter: Meter, progress: Progress
) -> tuple[Twin, ...]:
    """Train twins, each on its own random half: every example is in or out by an independent coin flip.

    Parameters
    ----------
    examples : Examples
        The whole training data.
    count : int
        How many; each costs about half the model's own training, and is cached like it.
    """
    made = []
    for i in range(count):
        coins = np.random.default_rng([recipe.settings.seed, i]).random(len(examples)) < 0.5
        # No validation slice: an example that is neither trained on nor unseen would be of no use.
        settings = recipe.settings.model_copy(update={"validation": 0.0, "seed": recipe.settings.seed + i + 1})
        half = examples.take(coins)
        model = train(replace(recipe, settings=settings), half, cache, meter, progress, phase="twins")
        made.append(Twin(model, coins))
    return tuple(made)
