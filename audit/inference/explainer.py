"""What a model's inside tells of its answers: attention, attributions, gradients; what its tokenizer tells of texts.

All of it runs here, never on a cluster, and is kept in the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.budget import waiting
from audit.core.cache import Cache, Entry
from audit.core.progress import Progress
from audit.data.examples import fingerprint
from audit.inference import attention, feature_attributions, gradients, keys
from audit.inference.attention import Attention
from audit.inference.batches import windows
from audit.inference.feature_attributions import Attribution
from audit.inference.gradients import TriggerScores
from audit.inference.runner import LocalRunner
from audit.models import tokens

if TYPE_CHECKING:
    from audit.energy.meter import Meter


class _Words(Entry):
    numbers: list[int]
    words: Sequence[str]


# Spans, scores and what is moved of a text, as `Attribution` has them; lists once they come from the cache.
_Explained = tuple[Sequence[tuple[int, int]], Sequence[float], float]


class _Attributions(Entry):
    made: list[_Explained]


class Explainer:
    """Looks into one model.

    Parameters
    ----------
    runner : LocalRunner
    cache : Cache
    meter : Meter
        Books attention under ``score`` and gradients under ``gradients``.
    progress : Progress
    """

    def __init__(self, runner: LocalRunner, cache: Cache, meter: Meter, progress: Progress) -> None:
        self.model, self._runner = runner.model, runner
        self._cache, self._meter, self._progress = cache, meter, progress

    def attention(self, texts: Sequence[str]) -> list[Attention]:
        """What each layer multiplies and weighs, one text at a time; not kept, since it is large.

        Raises
        ------
        NotAssessed
            If the layers have no separate queries and keys, as those of BERT, RoBERTa, ELECTRA and DistilBERT do.
        """
        # A copy of the network, since it has to compute its weights openly; the one that predicts is left alone.
        network, read = replace(self.model).network, [self._runner.read(text) for text in texts]
        with self._meter.phase("score"):
            made = attention.weigh(network, self.model.tokenizer, read, self.model.max_length)
        self._runner.check(np.array([[each.weights.sum(), each.queries.sum(), each.keys.sum()] for each in made]))
        self._runner.counts.forward_passes += len(texts)
        self._runner.counts.texts += len(texts)
        return made

    def attributions(
        self, texts: Sequence[str], targets: NDArray[np.int64], shuffled: int | None = None
    ) -> tuple[Attribution, ...]:
        """How far each word of a text moves the log-odds of a class, by integrated gradients.

        Parameters
        ----------
        texts : sequence of str, length n
        targets : ndarray of int, shape (n,)
            The class that each is asked about.
        shuffled : int, optional
            Seed: ask a network whose weights are this one's in random order, to tell what owes nothing to learning.

        Returns
        -------
        tuple of Attribution, length n
            Kept in the cache, so that a second audit runs nothing.

        Raises
        ------
        NotAssessed
            As :func:`audit.inference.feature_attributions.integrated_gradients`.
        """
        read, classes = [self._runner.read(text) for text in texts], targets.tolist()
        asked = {
            "what": "integrated gradients", "scope": keys.of_rows(self.model, "").hex(), "texts": fingerprint(read),
            "targets": classes, "shuffled": shuffled,
            "points": [*feature_attributions.POINTS, feature_attributions.TOLERANCE, feature_attributions.MOVED],
        }  # fmt: skip

        def measure() -> _Attributions:
            waiting(0)
            network = (
                self.model.network if shuffled is None else feature_attributions.shuffled(self.model.network, shuffled)
            )
            with self._meter.phase("gradients"), self._progress.bar("explain", len(read), "texts") as bar:
                found = feature_attributions.integrated_gradients(
                    network, self.model.tokenizer, read, classes, self.model.max_length,
                    lambda ids: self._runner.inputs({"input_ids": ids}), self._runner.batches, bar,
                )  # fmt: skip
            self._runner.counts.forward_passes += sum(each.passes for each in found)
            made: list[_Explained] = [(each.spans, each.scores, each.moved) for each in found]
            self._check_sums(made)
            return {"made": made}

        made = self._cache.measurement(asked, measure)["made"]
        self._check_sums(made)
        return tuple(
            Attribution(text, target, tuple((start, end) for start, end in spans), tuple(scores), moved)
            for text, target, (spans, scores, moved) in zip(read, classes, made, strict=True)
        )

    def trigger_scores(
        self, texts: Sequence[str], labels: NDArray[np.int64], positions: int = 3, place: int | None = None
    ) -> TriggerScores:
        """Scores of every word as a trigger, from the gradient with respect to an inserted token's embedding.

        Parameters
        ----------
        texts : sequence of str, length n
        labels : ndarray of int, shape (n,)
            The class that the model gives each of them, from which a trigger would turn it.
        positions : int
            At how many places of each text a token is put in.
        place : int or None
            Instead at this one: so many words from the start, or, as ``-1 - words``, from the end.

        Returns
        -------
        TriggerScores
            Kept in the cache, so that a second audit runs nothing.

        Notes
        -----
        Source: Ebrahimi et al., "HotFlip: white-box adversarial examples for text classification", ACL 2018, and
        Wallace et al., "Universal adversarial triggers for attacking and analyzing NLP", EMNLP 2019, equation 2: with g
        the mean gradient of (logit of the target - logit of the source), a token v is worth g · (e_v - e_inserted) to
        first order. The inserted token is a copy of its neighbour, so the texts themselves are the carrier words. What
        it subtracts is the same for all v and is left out.
        """
        ids, words = self._whole_words
        classes = len(self.model.labels)
        digest = hashlib.sha256(keys.of_rows(self.model, "triggers"))
        for value in (*texts, positions, place, *map(int, labels)):
            digest.update(hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).digest())

        def scored() -> NDArray[np.float32]:
            waiting(0)
            with self._meter.phase("gradients"):
                mean = self._mean_margins(texts, labels, positions, place)  # (classes, classes, width)
                embeddings = self.model.network.get_input_embeddings().weight.detach().float().cpu().numpy()
                return np.asarray(mean @ embeddings[ids].T)

        name = f"triggers-{digest.hexdigest()[:32]}"
        return TriggerScores(words, self._cache.array(name, (classes, classes, len(words)), scored))

    def reads_alike(self, first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
        """Whether the tokenizer makes the same of each pair of texts, so that no model could tell them apart; (n,)."""
        read = [self._runner.read(text) for text in (*first, *second)]

        def compare() -> NDArray[np.bool_]:
            ids = self.model.tokenizer(read, add_special_tokens=False)["input_ids"] if read else []
            pairs = zip(ids[: len(first)], ids[len(first) :], strict=True)
            return np.array([one == other for one, other in pairs], dtype=bool)

        digest = hashlib.sha256(f"{keys.tokenization(self.model)}{fingerprint(read)}".encode()).hexdigest()
        return self._cache.array(f"alike-{digest[:32]}", (len(first),), compare)

    def reads_whole(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether the model reads each text to its end, which lies within its maximum of tokens; shape (n,), kept."""
        read = [self._runner.read(text) for text in texts]

        def compare() -> NDArray[np.bool_]:
            tokenize, longest = self.model.tokenizer, self.model.max_length
            pieces = windows(read, tokens.SAMPLE)
            fits = [len(ids) <= longest for piece in pieces for ids in tokenize(piece, verbose=False)["input_ids"]]
            uncut = [len(one) >= len(other) for one, other in zip(read, texts, strict=True)]
            return np.array([fit and whole for fit, whole in zip(fits, uncut, strict=True)], dtype=bool)

        facts = f"{keys.tokenization(self.model)}{self.model.max_length}{self._runner.max_characters}"
        digest = hashlib.sha256(f"{facts}{fingerprint(texts)}".encode()).hexdigest()
        return self._cache.array(f"whole-{digest[:32]}", (len(read),), compare)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Share of the tokens of a sample of texts that stand for what the tokenizer does not know; kept."""
        sample = [self._runner.read(text) for text in texts[:: max(1, len(texts) // tokens.SAMPLE)]]
        key = {"what": "unknown tokens", "texts": fingerprint(sample), **keys.tokenization(self.model)}

        def measure() -> dict[str, float]:
            return {"share": tokens.unknown_share(self.model.tokenizer, sample)}

        return self._cache.measurement(key, measure)["share"]

    def _check_sums(self, explained: Iterable[_Explained]) -> None:
        """Refuse attributions of which any is no number, just made or from the cache."""
        self._runner.check(np.array([[sum(scores), moved] for _, scores, moved in explained], dtype=float))

    def _mean_margins(
        self, texts: Sequence[str], labels: NDArray[np.int64], positions: int, place: int | None
    ) -> NDArray[np.float32]:
        """Mean gradient of each class margin at an inserted token; shape (classes, classes, width of the embedding)."""
        model = self.model
        read = [self._runner.read(text) for text in texts]
        rows = list(gradients.inserted(model.tokenizer, read, model.max_length, positions, place))
        sources = np.asarray(labels, dtype=np.int64)[[row.text for row in rows]]
        with self._progress.bar("gradients", len(rows), "texts") as bar:
            mean = gradients.mean_margins(
                model.network,
                rows,
                sources,
                len(model.labels),
                self._runner.batches,
                lambda ids: self._runner.inputs({"input_ids": ids}),
                bar,
            )
        self._runner.counts.forward_passes += len(rows)
        self._runner.check(mean.reshape(len(mean), -1))
        return mean

    @cached_property
    def _whole_words(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Kept, as whatever only the tokenizer says: to load it takes longer than to ask it."""

        def measure() -> _Words:
            rows = tokens.embedded(self.model.network)
            numbers, words = gradients.whole_words(self.model.tokenizer, self._runner.token_ids, rows)
            return {"numbers": numbers.tolist(), "words": words}

        kept = self._cache.measurement({"what": "whole words", **keys.tokenization(self.model)}, measure)
        return np.array(kept["numbers"], dtype=np.int64), tuple(kept["words"])
