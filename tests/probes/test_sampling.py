"""Examples that are asked about a batch at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.inference.predictions import Predictions
from audit.probes.sampling import Asked


def test_nobody_is_asked_about_no_rows() -> None:
    """A source with fewer pairs than the one that decides ends before it, and scikit-learn refuses an empty batch."""
    asked, batches = Asked(np.array([2, 0, 1])), list[list[int]]()

    def answer(rows: NDArray[np.int64]) -> list[Predictions]:
        batches.append(rows.tolist())
        return [Predictions(np.eye(3, dtype=np.float32)[rows], ("a", "b", "c"))]

    for stop in (2, 4, 8):
        (answers,) = asked.ask(stop, answer)
    assert batches == [[0, 2], [1]]
    assert asked.rows.tolist() == answers.labels.tolist() == [0, 1, 2]
