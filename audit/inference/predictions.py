"""What a model answers, and about which examples: plain arrays, whoever made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NoReturn, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.core.errors import NotAssessed, NotFiniteError
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.models.reading import stated


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
    # Whether there are probabilities at all; see `Decisions`.
    graded: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Whoever made them, a user's own scorer too; those mapped from a file were checked as they were written."""
        if not isinstance(self.rows, np.memmap):
            check_finite(self.rows)

    @property
    def rows(self) -> NDArray[np.float32]:
        """For what rests on answers alone, shape (n, classes): probabilities, or 1 for what a model only decides on."""
        return self.probabilities

    def take(self, rows: ArrayLike) -> Predictions:
        """Those of some rows, or of all in another order, with their examples."""
        index = np.asarray(rows)
        return type(self)(self.rows[index], self.classes, self.examples and self.examples.take(index))

    @staticmethod
    def joined(parts: Sequence[Predictions]) -> Predictions:
        """Those of one or more parts, one after the other; they know no examples."""
        return type(parts[0])(np.concatenate([part.rows for part in parts]), parts[0].classes)

    def on(self, examples: Examples) -> Predictions:
        """The same, told which examples they are about.

        Raises
        ------
        ValueError
            If their number differs.
        """
        if len(examples) != len(self):
            raise ValueError(f"{len(self)} predictions for {len(examples)} examples")
        return type(self)(self.rows, self.classes, examples)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Predicted class index of each text, shape (n,)."""
        return np.asarray(self.rows.argmax(axis=1), dtype=np.int64)

    @property
    def sureness(self) -> NDArray[np.float64]:
        """The probability that the model states of each answer, shape (n,), whatever threshold made it the answer."""
        return self.sureness_at(self.known.protocol.threshold)

    def sureness_at(self, threshold: float) -> NDArray[np.float64]:
        """The same of answers that this threshold made, of which nobody need know the examples."""
        rows = self.probabilities.astype(float)
        if threshold != 0.5:
            rows = stated(self.probabilities, threshold)
        return np.asarray(rows[np.arange(len(self)), self.labels])

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


class _NoProbabilities:
    """In the place of the probabilities of a model that has none: whoever asks for them cannot measure."""

    @overload
    def __get__(self, decisions: None, owner: type) -> _NoProbabilities: ...
    @overload
    def __get__(self, decisions: Decisions, owner: type) -> NoReturn: ...
    def __get__(self, decisions: Decisions | None, owner: type) -> _NoProbabilities:
        if decisions is None:
            return self
        raise NotAssessed(
            Sentence(
                "the model gives labels without probabilities, which this takes; let its `predict` give a row of "
                "probabilities for each text"
            )
        )

    def __set__(self, decisions: Decisions, rows: NDArray[np.float32]) -> None:
        vars(decisions)["_rows"] = rows


class Decisions(Predictions):
    """What a model answers that gives labels only, rows of 1 for the answer and 0 for all else.

    Raises
    ------
    NotAssessed
        Where its probabilities are asked for, so that nothing measures sureness on what has none.
    """

    graded = False
    probabilities = _NoProbabilities()  # type: ignore[assignment]

    @property
    def rows(self) -> NDArray[np.float32]:
        """1 for the class that the model decides on, shape (n, classes)."""
        rows: NDArray[np.float32] = vars(self)["_rows"]
        return rows

    def __repr__(self) -> str:
        return f"Decisions({self.rows!r}, {self.classes!r})"


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
