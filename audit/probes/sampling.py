"""Examples taken in the order in which they were drawn, a batch at a time, and what is answered about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from audit.core.looks import Looks, in_batches
from audit.core.measurement import Result
from audit.data.examples import Examples
from audit.inference.predictions import Predictions


def answered(
    drawn: Examples,
    answer: Callable[[Examples], Sequence[Predictions]],
    result: Callable[[Sequence[Predictions], float], Result],
) -> Looks:
    """Looks at a probe that compares several answers about each example.

    Parameters
    ----------
    drawn : Examples
        In a random order, as :meth:`audit.data.examples.Examples.drawn` gives one.
    answer : callable
        From a batch of examples to one or several answers about each, always as many.
    result : callable
        From the answers about all examples of the batches so far, told these, and a confidence.

    Notes
    -----
    A batch may have some rows of a cluster and leave others to the next. Rows drawn at random of clusters are clustered
    rows of which an interval by clusters holds as it does of all; taken whole, a large cluster would come early or late
    by chance, and before it comes no interval knows of it (measured in ``benchmarks/statistics/stopping.py``).
    """
    batches = list[Sequence[Predictions]]()

    def ask(start: int, stop: int) -> Callable[[float], Result]:
        batches.append(answer(drawn.take(np.arange(start, stop))))
        so_far = drawn.take(np.arange(stop))
        return partial(result, [_joined(parts).on(so_far) for parts in zip(*batches, strict=True)])

    return in_batches(len(drawn), drawn.protocol.confidence, ask)


def _joined(parts: Sequence[Predictions]) -> Predictions:
    return Predictions(np.concatenate([part.probabilities for part in parts]), parts[0].classes)
