"""Examples taken in the order in which they were drawn, a batch at a time, and what is answered about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from audit.core.looks import Looks, in_batches
from audit.core.measurement import Result
from audit.data.examples import Examples
from audit.inference.predictions import Predictions


class Asked:
    """Answers about rows that come in batches, given back in the order of the rows; several about each, always as many.

    Parameters
    ----------
    order : ndarray of int, shape (n,)
        Rows in the order in which they are asked about.
    """

    def __init__(self, order: NDArray[np.int64]) -> None:
        self._order, self._n = order.copy(), 0
        self._answers = list[Sequence[Predictions]]()

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows asked about, rising."""
        return np.sort(self._order[: self._n])

    def ask(self, stop: int, answer: Callable[[NDArray[np.int64]], Sequence[Predictions]]) -> list[Predictions]:
        """Ask about the next rows, up to the first `stop` of their order; give the answers about all asked, as `rows`.

        Parameters
        ----------
        stop : int
            All that are left, if there are fewer.
        answer : callable
            From rows, rising, to the answers about each.
        """
        stop = min(stop, len(self._order))  # not every scorer answers nothing with nothing
        if stop > self._n:
            self._order[self._n : stop].sort()  # so that one batch of all is asked about in the order of the rows
            self._answers.append(answer(self._order[self._n : stop]))
            self._n = stop
        place = np.argsort(self._order[: self._n])
        return [Predictions.joined(parts).take(place) for parts in zip(*self._answers, strict=True)]


def answered(
    examples: Examples,
    order: NDArray[np.int64],
    answer: Callable[[Examples], Sequence[Predictions]],
    result: Callable[[Sequence[Predictions], float], Result],
) -> Looks:
    """Looks at a probe that compares several answers about each example.

    Parameters
    ----------
    examples : Examples
    order : ndarray of int, shape (n,)
        Their rows in a random order, as :meth:`audit.data.examples.Examples.drawn` gives one.
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
    asked = Asked(order)

    def ask(start: int, stop: int) -> Callable[[float], Result]:
        answers = asked.ask(stop, lambda rows: answer(examples.take(rows)))
        so_far = examples.take(asked.rows)
        return partial(result, [each.on(so_far) for each in answers])

    return in_batches(len(order), examples.protocol.confidence, ask)
