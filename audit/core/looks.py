"""Measuring in looks: what a probe knows after some of its examples, and how it takes more of them.

A probe that asks a model about examples may be a generator of looks. It takes as many examples as it is sent, all that
are left if it is sent nothing, and says what is known so far. When it is looked at, with what error, and when that is
enough, it does not know: :mod:`audit.run.stopping` does, and knows no probe.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from audit.core.measurement import Result


@dataclass(frozen=True)
class Look:
    """What is known after the first examples.

    Parameters
    ----------
    n, total : int
        How many examples were asked about, of how many. The first look of a probe is at none.
    confidence : float
        Two-sided confidence of an interval that is looked at once.
    result : callable
        From a two-sided confidence to the result of these examples.
    """

    n: int
    total: int
    confidence: float
    result: Callable[[float], Result]


Looks: TypeAlias = Generator[Look, int | None, None]


def in_batches(
    total: int,
    confidence: float,
    ask: Callable[[int, int], Callable[[float], Result]],
    ends: Sequence[int] | None = None,
) -> Looks:
    """The looks at a probe whose examples have an order.

    Parameters
    ----------
    total : int
        How many examples there are.
    confidence : float
        Of an interval that is looked at once.
    ask : callable
        Asks about the examples from the first index to before the second; gives what turns a confidence into the result
        of all asked so far. Batches come in their order, each once.
    ends : sequence of int, optional
        After how many examples a batch may end, rising, `total` the last: where examples belong together and count
        whole, or where fewer say nothing. By default after any.

    Yields
    ------
    Look
        The first at none, the last at all.

    Raises
    ------
    ValueError
        If there are no examples: a probe says what to supply instead.
    """
    if total < 1:
        raise ValueError("a look needs an example to look at")
    look = Look(0, total, confidence, _nothing)
    while look.n < total:
        more = yield look
        wanted = total if more is None else min(look.n + max(more, 1), total)
        stop = wanted if ends is None else ends[bisect_left(ends, wanted)]
        look = Look(stop, total, confidence, ask(look.n, stop))
    yield look


def at_once(looks: Looks) -> Result:
    """The result of all examples, looked at once."""
    *_, last = looks
    return last.result(last.confidence)


def _nothing(confidence: float) -> Result:
    raise ValueError("nothing is known before the first example was asked about")
