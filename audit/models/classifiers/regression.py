"""A network of Transformers whose head gives a score, which cutpoints turn into classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import AuditError, NotFiniteError
from audit.models import tokens
from audit.models.classifiers.base import Classifier
from audit.models.classifiers.model import ClassifierModel
from audit.models.model import Model

Columns = Mapping[str, list[list[int]]]
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
        columns, scores = self._encoded(texts), np.empty(len(texts))
        for some in tokens.of_equal_length(map(len, columns["input_ids"]), _TOKENS):
            scores[some] = self._scores({name: [rows[i] for i in some] for name, rows in columns.items()})
        return self._cut(scores)

    def predict_together(self, texts: list[str]) -> list[str]:
        """The same of texts in one batch, padded to the longest, as whoever runs the network may read them."""
        return self._cut(self._scores(self._encoded(texts)))

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Share of the tokens that the tokenizer does not know."""
        return tokens.unknown_share(self._network.tokenizer, texts)

    def _encoded(self, texts: Sequence[str]) -> Columns:
        """The tokens of each text; an empty one is a token, too, where the tokenizer adds none of its own."""
        network = self._network
        made = network.tokenizer(list(texts), truncation=True, max_length=network.max_length) if texts else {}
        filler = {"input_ids": network.tokenizer.pad_token_id or 0, "attention_mask": 1}
        columns = {name: [row or [filler.get(name, 0)] for row in rows] for name, rows in made.items()}
        tokens.check_numbers(columns.setdefault("input_ids", []), network.network, network.source)
        return columns

    def _scores(self, columns: Columns) -> NDArray[np.float64]:
        """The network's output for the texts of one batch, shape (n,)."""
        import torch

        network, lengths = self._network, {len(ids) for ids in columns["input_ids"]}
        # Texts of one length need no padding, which not every tokenizer has.
        given = network.tokenizer.pad(dict(columns), padding=len(lengths) > 1, return_tensors="pt")
        with torch.inference_mode():
            logits = network.network(**given.to(network.device)).logits
        scores, texts = logits.double().cpu().numpy(), len(columns["input_ids"])
        if scores.shape != (texts, 1):
            raise AuditError(
                f"model '{network.source}': it gave an array of shape {scores.shape} for {texts} texts; expected "
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
