"""A user's own classifier as the audit sees it: what identifies it, and whether what it answers is an answer."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import AuditError, NotAssessed, NotFiniteError
from audit.core.records import ModelRecord
from audit.core.sentences import Sentence
from audit.models.reading import Reading
from audit.text.redaction import printable, quoted

if TYPE_CHECKING:
    from audit.models.classifiers.base import Classifier

# How far the probabilities of a text may sum to other than 1: what float16 and rounding to three digits leave.
_SUM = 5e-3
NO_NETWORK = Sentence(
    "the model is no network of Transformers, and what this takes, such as layers or gradients, only such a one has"
)
_SHOWN = 8  # names in one sentence
# Asked at first, so that what is wrong with the answers is told before the long work.
TRIAL = ("This is good.", "", "This is bad.")


class FailedError(RuntimeError):
    """There is no answer: of the user's own code, since it raised an exception, the cause of this one."""


class Answers(NamedTuple):
    """What a classifier said of texts."""

    rows: NDArray[np.float32]  # (n, classes): probabilities, or 1 for the label that it gave
    graded: bool


@dataclass(frozen=True, eq=False)
class ClassifierModel:
    """A classifier, and what is known of it.

    Parameters
    ----------
    source : str
        As the policy or the option names it.
    classifier : Classifier
        Or whatever has its ``predict``.
    labels : tuple of str
    files : mapping of str to str
        SHA-256 of what its answers depend on, by name: its code, and what it reads.
    fingerprint : str or None
        None where nothing tells whether it still answers as it did.
    paths : mapping of str to Path
        Of these the files that it reads, apart from code.
    folder : Path or None
        Where its card stands.
    runs_code : bool
        Whether code of the user's own answers.
    is_service : bool
        Whether it answers elsewhere, to where texts are sent.
    reading : Reading or None
        How its classes are read as the labels; None where they are these.
    parameters : int or None
        Number of weights, where it is known.
    max_length : int
        Tokens after which it cuts a text; 0: not known.
    device : str
        ``cpu`` where the audit itself runs it; ``own`` where only its own code knows.
    engine : str
        What else decides its answers: the program that runs it, and its version.
    """

    source: str
    classifier: Classifier
    labels: tuple[str, ...]
    files: Mapping[str, str]
    fingerprint: str | None
    paths: Mapping[str, Path] = field(default_factory=dict)
    folder: Path | None = None
    runs_code: bool = True
    is_service: bool = False
    reading: Reading | None = None
    parameters: int | None = None
    max_length: int = 0
    device: str = "own"
    engine: str = ""
    training: ClassVar[None] = None
    revision: ClassVar[None] = None
    pinned: ClassVar[bool] = True
    dtype: ClassVar[str] = "float32"

    @cached_property
    def key(self) -> str:
        """By which its answers are kept: its fingerprint, or a text of this run's own."""
        own = self.fingerprint or f"run:{uuid.uuid4().hex}"
        return " ".join(str(each) for each in (own, self.engine, self.reading) if each)

    @property
    def counted(self) -> Mapping[str, int]:
        """What a service counts of its questions and answers, by name."""
        return dict(getattr(self.classifier, "counted", {})) if self.is_service else {}

    @property
    def embeds(self) -> bool:
        """Whether it can say what it makes of a text before it decides."""
        return callable(getattr(self.classifier, "embed", None))

    def answer(self, texts: Sequence[str], *, together: bool = False) -> Answers:
        """What it says of texts.

        Parameters
        ----------
        texts : sequence of str
        together : bool
            Whether they are read in one batch as they stand, where it is the audit that forms batches.

        Raises
        ------
        AuditError
            If that is neither a row of probabilities for each text nor a label of its own for each.
        FailedError
            If its code raised an exception.
        """
        n, own = len(texts), self._own
        k, sigmoid = len(own), self.reading is not None and self.reading.head == "sigmoid"
        is_ours = together and self.engine  # code of the user's own forms its batches itself
        said = self._called(self.classifier.predict_together if is_ours else self.classifier.predict, texts)  # type: ignore[attr-defined]
        expected = f"expected a row of {k} probabilities ({self._listed}) for each text, or a label for each"
        where = f"model '{self.source}': predict"
        array = _array(said)
        if array is None or array.ndim == 0:
            raise AuditError(f"{where} gave a {type(said).__name__} for {n} texts; {expected}.")
        if len(array) != n:
            raise AuditError(f"{where} gave {len(array)} answers for {n} texts; {expected}, in their order.")
        if array.ndim == 1 and n and all(isinstance(label, str) for label in array.tolist()):
            return Answers(self._one_hot(array.tolist()), graded=False)
        if sigmoid and k == 2 and array.dtype.kind == "f" and array.size == n:  # of the second class
            array = np.stack([1 - array.ravel(), array.ravel()], axis=1)
        if array.ndim != 2 or array.shape[1] != k or array.dtype.kind not in "fiub":
            shape = f"shape {array.shape}" if array.dtype.kind in "fiub" else f"{array.dtype} of shape {array.shape}"
            raise AuditError(f"{where} gave an array of {shape} for {n} texts; {expected}.")
        rows = array.astype(np.float32)
        if broken := int((~np.isfinite(rows)).any(axis=1).sum()):
            raise NotFiniteError(
                f"{where} gave NaN or infinity for {broken} of {n} texts; {expected}, whatever the text."
            )
        outside, uneven = ((rows < 0) | (rows > 1 + _SUM)).any(axis=1), np.abs(rows.sum(axis=1) - 1) > _SUM
        off = np.flatnonzero(outside if sigmoid else outside | uneven)
        if len(off):
            values = ", ".join(f"{value:.4g}" for value in rows[off[0]])
            raise AuditError(
                f"{where} gave ({values}) for a text, which are no probabilities: each is from 0 to 1"
                f"{'' if sigmoid else ', and together they are 1'}; give predict_proba, or the "
                f"{'sigmoid' if sigmoid else 'softmax'} of the scores."
            )
        return Answers(self._read(rows), graded=True)

    def read_as(self, reading: Reading | None) -> ClassifierModel:
        """The same with its classes merged or left out as the policy says."""
        return self if reading is None else replace(self, labels=reading.classes, reading=reading)

    @property
    def _own(self) -> tuple[str, ...]:
        """Its own classes, in the order of the columns."""
        return self.labels if self.reading is None else self.reading.own

    def _read(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of its own classes to those of the audit."""
        if self.reading is None:
            return rows
        rows = self.reading.probabilities(rows)
        if none := int(np.isnan(rows).any(axis=1).sum()):
            raise AuditError(
                f"model '{self.source}': for {none} of {len(rows)} texts all probability is of classes that [model] "
                f'merge leaves out; share these out instead, such as neutral = ["negative", "positive"].'
            )
        return rows

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What it makes of texts before it decides, shape (n, width).

        Raises
        ------
        AuditError
            If that is not a row of numbers for each text.
        FailedError
            If its code raised an exception.
        """
        said = self._called(self.classifier.embed, texts)  # type: ignore[attr-defined]
        array = _array(said)
        if array is None or array.ndim != 2 or len(array) != len(texts) or array.dtype.kind not in "fiub":
            shape = type(said).__name__ if array is None else f"array of shape {array.shape}"
            raise AuditError(
                f"model '{self.source}': embed gave an {shape} for {len(texts)} texts; expected a row of numbers for "
                f"each text, all of one length."
            )
        rows = array.astype(np.float32)
        if not np.isfinite(rows).all():
            raise NotFiniteError(f"model '{self.source}': embed gave NaN or infinity; expected numbers.")
        return rows

    def try_out(self) -> bool:
        """Whether it gives probabilities, asked about a few short texts.

        Raises
        ------
        AuditError
            If it gives no answers, as :meth:`answer`, or raises an exception.
        """
        try:
            return self.answer(TRIAL).graded
        except FailedError as error:
            raise AuditError(f"{error}; it is asked about any text, an empty one too.") from None

    def describe(self) -> ModelRecord:
        """What the record says of it."""
        return {
            "source": self.source,
            "fingerprint": self.fingerprint,
            "files": dict(self.files),
            "parameters": self.parameters,
            "labels": list(self.labels),
            **({"max_length": self.max_length} if self.max_length else {}),
            "runs_code": self.runs_code,
            **({"service": True} if self.is_service else {}),
            **({} if self.reading is None else {"read": self.reading.record()}),
            "training": None,
        }

    def _called(self, function: Callable[[list[str]], object], texts: Sequence[str]) -> object:
        try:
            return function(list(texts))
        except (AuditError, FailedError):  # a service refuses, or gives no answer
            raise
        except NotAssessed:  # else code of one's own could excuse itself from any probe
            raise FailedError(f"model '{self.source}': {function.__name__} raised NotAssessed") from None
        except Exception as error:
            raise FailedError(
                f"model '{self.source}': {function.__name__} raised {type(error).__name__} ({quoted(error)})"
            ) from error

    def _one_hot(self, said: Sequence[str]) -> NDArray[np.float32]:
        place = {label: i for i, label in enumerate(self._own)}
        if unknown := next((label for label in said if label not in place), None):
            raise AuditError(
                f"model '{self.source}': predict gave the label '{quoted(unknown, 40)}'; expected one of its "
                f"labels: {self._listed}."
            )
        rows = self._read(np.eye(len(self._own), dtype=np.float32)[[place[label] for label in said]])
        if len(rows) and rows.max(axis=1).min() < 1:
            raise AuditError(
                f"model '{self.source}': predict gives labels, and [model] merge shares one out to several; a label "
                f"without probabilities can only count as one other."
            )
        return rows

    @property
    def _listed(self) -> str:
        shown = [printable(label, 40) for label in self._own[:_SHOWN]]
        return ", ".join(shown) + (", …" if len(self._own) > _SHOWN else "")


def _array(said: object) -> NDArray[np.generic] | None:
    """What was said as an array; None where it is none, as of rows of several lengths."""
    try:
        return np.asarray(said)
    except Exception:  # an object of the user's own may raise anything
        return None
