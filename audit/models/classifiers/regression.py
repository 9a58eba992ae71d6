"""A network of Transformers whose head gives a score, which cutpoints turn into classes."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import AuditError, NotFiniteError
from audit.models import tokens
from audit.models.classifiers.base import Classifier
from audit.models.classifiers.model import ClassifierModel
from audit.models.model import Model, config

if TYPE_CHECKING:
    from transformers import BatchEncoding

# Tokens of a batch, as the audit's own networks have them on a processor.
_TOKENS = 2048


def load(network: Model, labels: Sequence[str], cutpoints: Sequence[float]) -> ClassifierModel:
    """The classifier that a network of one output and cutpoints make.

    Parameters
    ----------
    network : Model
        Of one label, its score.
    labels : sequence of str
        Class names, from the lowest scores to the highest.
    cutpoints : sequence of float, one fewer
        Scores at which a class ends and the next begins, ascending.

    Raises
    ------
    AuditError
        If the network cannot be loaded.
    """
    _ = network.network, network.tokenizer  # what is broken is told before the long work
    files = network.files
    return ClassifierModel(
        network.source, Regression(network, labels, cutpoints), tuple(labels), files, network.fingerprint,
        {name: network.folder / name for name in files}, network.folder, runs_code=False,
        parameters=network.parameters, max_length=network.max_length, device=network.device,
        engine=f"torch {version('torch')}",
    )  # fmt: skip


class Regression(Classifier):
    """The class in whose interval the score lies: from its lower cutpoint on, up to but without its upper one."""

    def __init__(self, network: Model, labels: Sequence[str], cutpoints: Sequence[float]) -> None:
        self.labels, self._network, self._cutpoints = labels, network, cutpoints

    def predict(self, texts: list[str]) -> list[str]:
        """A class for each text, each read as if it was alone."""
        rows = self._tokens(texts)["input_ids"] if texts else []
        of_length: dict[int, list[int]] = {}
        for i, ids in enumerate(rows):
            of_length.setdefault(max(1, len(ids)), []).append(i)
        scores = np.empty(len(texts))
        for length, group in of_length.items():
            size = max(1, _TOKENS // length)
            for start in range(0, len(group), size):
                some = group[start : start + size]
                scores[some] = self._scores([texts[i] for i in some])
        return self._cut(scores)

    def predict_together(self, texts: list[str]) -> list[str]:
        """The same of texts in one batch, padded to the longest, as whoever runs the network may read them."""
        return self._cut(self._scores(texts))

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Share of the tokens that the tokenizer does not know."""
        return tokens.unknown_share(self._network.tokenizer, texts)

    def _tokens(self, texts: Sequence[str], **settings: object) -> BatchEncoding:
        return self._network.tokenizer(list(texts), truncation=True, max_length=self._network.max_length, **settings)  # type: ignore[arg-type]

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The network's output for texts of one batch, shape (n,)."""
        import torch

        network, settings = self._network, config(self._network.folder, self._network.source)
        given = self._tokens(texts, padding=True, return_tensors="pt")
        rows = settings.get("vocab_size")
        tokens.check_highest(given["input_ids"].tolist(), rows if isinstance(rows, int) else None, network.source)
        with torch.inference_mode():
            logits = network.network(**given.to(network.device)).logits
        scores = logits.double().cpu().numpy()
        if scores.shape != (len(texts), 1):
            raise AuditError(
                f"model '{network.source}': it gave an array of shape {scores.shape} for {len(texts)} texts; expected "
                f'one score for each, as [model] head = "regression" says.'
            )
        return np.asarray(scores[:, 0])

    def _cut(self, scores: NDArray[np.float64]) -> list[str]:
        if broken := int((~np.isfinite(scores)).sum()):
            raise NotFiniteError(
                f"model '{self._network.source}': its score is NaN or infinite for {broken} of {len(scores)} texts; "
                f"expected a number, whatever the text."
            )
        return [self.labels[i] for i in np.digitize(scores, self._cutpoints)]
