"""The former audit's answers beside the present ones, example by example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.data.labels import sentiment
from audit.inference.predictions import Predictions


@dataclass(frozen=True, repr=False)
class Before:
    """The test examples that both audits asked about.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Of the present test data.
    said : sequence of str, length n
        The former model's answers, as it spelt them.
    was_right, turned : ndarray of bool, shape (n,)
        Where that was right, and where the present answer is another.
    """

    rows: NDArray[np.int64]
    said: Sequence[str]
    was_right: NDArray[np.bool_]
    turned: NDArray[np.bool_]

    @classmethod
    def of(cls, predictions: Predictions, former: Mapping[tuple[str, str, int], str] | None) -> Before:
        """Find the examples by text, label and occurrence.

        Parameters
        ----------
        predictions : Predictions
            Told their examples.
        former : mapping or None
            What the former model said, by :attr:`audit.data.examples.Examples.keys`; None where that was not kept.

        Raises
        ------
        NotAssessed
            Without a former audit, or where the two share no example.
        """
        if former is None:
            raise NotAssessed(
                Sentence("there are no former predictions; give the former audit's folder with --audit-baseline")
            )
        # A class may be spelt otherwise in the former model's configuration.
        before = {(text, sentiment(label), n): answer for (text, label, n), answer in former.items()}
        keys = [(text, sentiment(label), n) for text, label, n in predictions.known.keys]
        rows = np.array([row for row, key in enumerate(keys) if key in before], dtype=np.int64)
        if not len(rows):
            raise NotAssessed(
                Sentence("the former audit shares no test example with this one; audit both on the same test data")
            )
        said = [before[keys[row]] for row in rows]
        then = [sentiment(answer) for answer in said]
        now = [sentiment(predictions.classes[i]) for i in predictions.labels[rows]]
        was_right = np.array([answer == keys[row][1] for answer, row in zip(then, rows, strict=True)], dtype=bool)
        return cls(rows, said, was_right, np.array([a != b for a, b in zip(then, now, strict=True)], dtype=bool))
