"""Answers of a user's own classifier: asked in batches, cached as those of a network, never looked into."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Cache, Entry
from audit.core.errors import AuditError, NotAssessed
from audit.core.progress import Bar, Progress
from audit.core.sentences import Sentence
from audit.data.tables import without_surrogates
from audit.inference.batches import Encodings, windows
from audit.inference.predictions import Decisions, Predictions
from audit.inference.runner import Counts
from audit.inference.scorer import CachedScorer
from audit.models.classifiers.model import ClassifierModel

if TYPE_CHECKING:
    from audit.energy.meter import Meter

BATCH = 256  # texts that it is asked about at once


class _Kind(Entry):
    graded: bool


class ClassifierRunner:
    """Asks one classifier.

    Parameters
    ----------
    model : ClassifierModel
    max_characters : int
        The rest of a longer text is not given to it; 0: all is.
    withheld : container of str
        Texts that it must not be given.

    Attributes
    ----------
    counts : Counts
        Grows with each text; tokens are bytes of texts, since its own are not known.
    """

    def __init__(self, model: ClassifierModel, max_characters: int = 0, withheld: Container[str] = ()) -> None:
        self.model, self.max_characters, self.counts = model, max_characters, Counts()
        self._withheld = withheld
        self.graded: bool | None = None

    def read(self, text: str) -> str:
        """The text as the classifier gets it, without lone surrogates.

        Raises
        ------
        NotAssessed
            If it is withheld.
        """
        if text in self._withheld:
            raise NotAssessed(
                Sentence(
                    "the model is a service, and training texts are sent to one only with [model] send_training_data = "
                    "true"
                )
            )
        return without_surrogates(text[: self.max_characters or None])

    def encodings(self, texts: Iterable[str]) -> Iterator[Encodings]:
        """The bytes of texts, some at a time."""
        return map(self.encode, windows(texts, BATCH))

    def encode(self, texts: Sequence[str]) -> Encodings:
        """The bytes of texts, in the place of tokens."""
        return Encodings({"input_ids": [memoryview(text.encode()) for text in texts]})

    def rows(self, what: str, pieces: Iterable[Encodings], bar: Bar) -> NDArray[np.float32]:
        """Embeddings, or answers where `what` is empty; a row for each text."""
        found = [self._row_of_each(what, [bytes(each).decode() for each in piece.columns["input_ids"]], bar)
                 for piece in pieces]  # fmt: skip
        return np.concatenate(found) if found else np.empty((0, len(self.model.labels)), dtype=np.float32)

    def together(self, batches: Sequence[Sequence[str]], bar: Bar) -> list[NDArray[np.float32]]:
        """Answers to each batch, asked as it stands."""
        return [self._row_of_each("", batch, bar, together=True) for batch in batches]

    def check(self, rows: NDArray[np.floating]) -> None:
        """Nothing: each answer was checked as it came."""

    def calibrate(self, texts: Sequence[str]) -> None:
        """Nothing: how it forms batches is its own business."""

    def at_once(self, texts: Sequence[str], bar: Bar) -> NDArray[np.float32]:
        """Answers to texts that :meth:`read` gave, in batches of the classifier's own."""
        return self._row_of_each("", texts, bar)

    def _row_of_each(self, what: str, texts: Sequence[str], bar: Bar, *, together: bool = False) -> NDArray[np.float32]:
        if what:
            rows = self.model.embed(texts)
        else:
            rows, graded = self.model.answer(texts, together=together)
            if self.graded not in (None, graded):
                raise AuditError(
                    f"model '{self.model.source}': predict gave labels for some texts and probabilities for others; "
                    f"expected one of them for all."
                )
            self.graded = graded
        self.counts.forward_passes += len(texts)
        self.counts.tokens += sum(len(text.encode()) for text in texts)
        bar.advance(len(texts))
        return rows


class ClassifierScorer(CachedScorer):
    """Answers texts by a user's own classifier.

    Parameters
    ----------
    model : ClassifierModel
    cache : Cache
        For this run only, where the model has no fingerprint.
    meter, progress, max_characters
        As of :class:`audit.inference.scorer.Scorer`.
    withheld : container of str
        Texts that it must not be given.
    """

    model: ClassifierModel
    local: ClassifierRunner
    embed: Callable[[Iterable[str]], NDArray[np.float32]]

    def __init__(
        self,
        model: ClassifierModel,
        cache: Cache,
        meter: Meter,
        progress: Progress,
        *,
        max_characters: int = 0,
        withheld: Container[str] = (),
    ) -> None:
        super().__init__(ClassifierRunner(model, max_characters, withheld), cache, meter, progress)
        if model.embeds:  # probes look for it
            self.embed = self._embeddings

    @cached_property
    def graded(self) -> bool:
        """Whether it gives probabilities, found out by a few short texts; kept.

        Raises
        ------
        AuditError
            If it gives no answers.
        """
        key = {"what": "kind of answers", "model": self.model.key}
        self.local.graded = self.cache.measurement(key, lambda: _Kind(graded=self.model.try_out()))["graded"]
        return bool(self.local.graded)

    def forward(self, texts: Sequence[str], show: bool = True) -> NDArray[np.float32]:
        """Answers by the classifier itself, past the cache, with nothing before or after it; shape (n, classes)."""
        with (self._progress if show else Progress()).bar("score", len(texts), "texts") as bar:
            return self.local.at_once([*map(self.local.read, texts)], bar)

    def _predictions(self, rows: NDArray[np.float32]) -> Predictions:
        return (Predictions if self.graded else Decisions)(rows, self.model.labels)
