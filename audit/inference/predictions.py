"""What a model answers, and about which examples: plain arrays, whoever made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotFiniteError
from audit.data.examples import Examples


@dataclass(frozen=True)
class Predictions:
    """Class probabilities, and the examples that they are about.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, classes)
    classes : tuple of str
    examples : Examples or None
        Needed for everything that compares with the truth.
    """

    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]
    examples: Examples | None = None

    def __post_init__(self) -> None:
        """Whoever made them, a user's own scorer too; those mapped from a file were checked as they were written."""
        if not isinstance(self.probabilities, np.memmap):
            check_finite(self.probabilities)

    def on(self, examples: Examples) -> Predictions:
        """The same, told which examples they are about.

        Raises
        ------
        ValueError
            If their number differs.
        """
        if len(examples) != len(self.probabilities):
            raise ValueError(f"{len(self.probabilities)} predictions for {len(examples)} examples")
        return replace(self, examples=examples)

    def __len__(self) -> int:
        return len(self.probabilities)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Predicted class index of each text, shape (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def truth(self) -> NDArray[np.int64]:
        """True class index of each example, shape (n,)."""
        return self.known.labels

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Where the prediction is the truth, shape (n,)."""
        return np.asarray(self.labels == self.truth, dtype=bool)

    @property
    def known(self) -> Examples:
        """The examples.

        Raises
        ------
        ValueError
            If the predictions were not told them.
        """
        if self.examples is None:
            raise ValueError("these predictions know no examples; tell them with .on(examples)")
        return self.examples

    @property
    def losses(self) -> NDArray[np.float64]:
        """Cross-entropy of each example's true class, shape (n,)."""
        p = self.probabilities[np.arange(len(self)), self.truth].astype(float)
        return np.asarray(-np.log(np.clip(p, 1e-12, 1.0)))


@dataclass(frozen=True, repr=False)
class FormerPredictions:
    """What the model of a former audit answered: no texts, but their hashes.

    Parameters
    ----------
    keys : tuple of (str, str, int), length n
        As :attr:`audit.data.examples.Examples.keys`.
    probabilities : ndarray of float, shape (n, classes)
    classes : tuple of str
    model : str or None
        The model's fingerprint, where it has one.
    """

    keys: tuple[tuple[str, str, int], ...]
    probabilities: NDArray[np.float64]
    classes: tuple[str, ...]
    model: str | None = None

    @cached_property
    def answers(self) -> dict[tuple[str, str, int], str]:
        """The answer to each example, by its key."""
        said = (self.classes[i] for i in self.probabilities.argmax(axis=1))
        return dict(zip(self.keys, said, strict=True))


def check_finite(rows: NDArray[np.floating], source: str = "", dtype: str = "") -> None:
    """Refuse answers that are no numbers.

    Parameters
    ----------
    rows : ndarray, shape (n, width)
        Of each text.
    source, dtype : str
        The model's, where they are known.

    Raises
    ------
    NotFiniteError
    """
    if np.isfinite(rows).all():
        return
    count = int((~np.isfinite(rows)).any(axis=1).sum())
    model, single = f"model '{source}': " if source else "", f" in {dtype}" if dtype else ""
    remedy = "use bfloat16 or float32" if dtype == "float16" else "its weights are damaged, or overflow"
    raise NotFiniteError(f"{model}the answers to {count:,} of {len(rows):,} texts are no numbers{single}; {remedy}.")
