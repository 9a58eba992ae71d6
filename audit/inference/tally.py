"""A scorer that runs no model: it counts the forward passes that questions would take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.inference.classifiers import ClassifierScorer
from audit.inference.scorer import CachedScorer, Scorer
from audit.models.classifiers.model import ClassifierModel
from audit.models.model import Model

if TYPE_CHECKING:
    from audit.energy.meter import Meter


class Unanswered(Exception):  # noqa: N818 - nothing went wrong
    """A question that only the model can answer."""


@dataclass
class Passes:
    """How many forward passes, the tokens of their texts without padding, and how many are of texts asked otherwise.

    `again` are those of texts that everybody asks for, and of texts that are asked about more than once.
    """

    number: float = 0
    tokens: float = 0
    again: float = 0


class Counting(CachedScorer):
    """Answers as a model that is always right, and counts what another would have to compute.

    As with any scorer, no text is computed twice, nor two that the tokenizer makes the same of. What the cache holds
    is counted all the same.

    Attributes
    ----------
    usual, most : Passes
        What is asked as a rule, and at most.
    insists : bool
        Whether questions about other texts end in :class:`Unanswered`, once they are counted.
    is_usual : bool
        Whether what is asked now is asked as a rule.
    """

    def _begin(self, truth: Mapping[str, int]) -> None:
        """Count from now on; `truth` is the class of each text whose answer everybody asks for."""
        self.usual, self.most = Passes(), Passes()
        self.insists, self.is_usual = False, True
        self._truth = {self.local.read(text): label for text, label in truth.items()}
        # Digests of encodings, with their tokens: by text, and those that were counted, by what was asked.
        self._encoded: dict[str, tuple[bytes, int]] = {}
        self._usual, self._most = defaultdict[str, set[bytes]](set), defaultdict[str, set[bytes]](set)
        self._usual_batches, self._most_batches = set[tuple[str, ...]](), set[tuple[str, ...]]()

    def forward(self, *_: Any, **__: Any) -> NoReturn:
        """Has no answer, nor have the questions below."""
        raise Unanswered

    def predict_together(self, batches: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """Each text of a batch costs a pass, also where it was asked about before in other company."""
        read = [tuple(map(self.local.read, batch)) for batch in batches]
        self._encode([text for batch in read for text in batch])
        counts = ((self.most, self._most_batches), (self.usual, self._usual_batches))
        for passes, counted in counts[: 1 + self.is_usual]:
            texts = [text for batch in set(read) - counted for text in batch]
            counted.update(read)
            passes.number += len(texts)
            passes.tokens += sum(self._encoded[text][1] for text in texts)
            passes.again += sum(text in self._truth for text in texts)
        return [self._answers(batch) for batch in read]

    def _kept(self, texts: Iterable[str], what: str, total: int = 0) -> Iterator[NDArray[np.float32]]:
        texts = [self.local.read(text) for text in texts]
        self._count(texts, what)
        if what or (self.insists and not self._truth.keys() >= set(texts)):
            raise Unanswered
        yield self._answers(texts)

    def _answers(self, texts: Sequence[str]) -> NDArray[np.float32]:
        classes = len(self.model.labels)
        rows = np.full((len(texts), classes), 0.1 / classes, dtype=np.float32)
        rows[np.arange(len(texts)), [self._truth.get(text, 0) for text in texts]] += 0.9
        return rows

    def _encode(self, texts: Sequence[str]) -> None:
        if new := list(dict.fromkeys(text for text in texts if text not in self._encoded)):
            encodings = self.local.encode(new)
            self._encoded |= zip(new, zip(encodings.digests, encodings.lengths.tolist(), strict=True), strict=True)

    def _count(self, texts: Sequence[str], what: str) -> None:
        self._encode(texts)
        asked = dict(self._encoded[text] for text in texts)
        known = {self._encoded[text][0] for text in texts if text in self._truth}
        for passes, counted in ((self.most, self._most), (self.usual, self._usual))[: 1 + self.is_usual]:
            fresh = asked.keys() - counted[what]
            counted[what] |= fresh
            passes.number += len(fresh)
            passes.tokens += sum(asked[digest] for digest in fresh)
            passes.again += len(fresh & known)


class Tally(Counting, Scorer):
    """Counts what is asked of a network.

    Parameters
    ----------
    model, cache, meter, progress, max_characters
        As of :class:`audit.inference.scorer.Scorer`.
    truth : mapping of str to int
        The class of each text whose answer everybody asks for.
    """

    def __init__(
        self,
        model: Model,
        cache: Cache,
        meter: Meter,
        progress: Progress,
        truth: Mapping[str, int],
        *,
        max_characters: int = 0,
    ) -> None:
        Scorer.__init__(self, model, cache, meter, progress, max_characters=max_characters)
        self._begin(truth)

    attention = heads = attributions = trigger_scores = reads_alike = Counting.forward


class ClassifierTally(Counting, ClassifierScorer):
    """Counts what is asked of a user's own classifier; parameters as of :class:`Tally`."""

    def __init__(
        self,
        model: ClassifierModel,
        cache: Cache,
        meter: Meter,
        progress: Progress,
        truth: Mapping[str, int],
        *,
        max_characters: int = 0,
        withheld: Container[str] = (),
    ) -> None:
        ClassifierScorer.__init__(self, model, cache, meter, progress, max_characters=max_characters, withheld=withheld)
        self._begin(truth)
