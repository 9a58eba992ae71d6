"""What an audit may still ask, for those who ask. What is left of a budget, only :mod:`audit.run.budget` knows.

Long work says what it is about to do. Where that is more than is left, it is not begun.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from audit.core.context import holding
from audit.core.errors import AuditError
from audit.core.sentences import Sentence

_MOST = 1e12  # more is a slip; nor could a float count such texts
_UNITS_S = {"s": 1, "m": 60, "h": 3600}
EXPECTED = "a time such as 90s, 15m or 2h, or a number of texts such as 20000"


class BudgetEnded(Exception):  # noqa: N818  (it is an outcome, not an error)
    """What a probe would ask next is more than the audit's budget has left.

    It is no :class:`~audit.core.errors.NotAssessed`, which a probe may take for the absence of one kind of evidence and
    go on with another: with more budget the answer might be a different one.
    """

    reason = Sentence("the budget ended before it was measured")


@dataclass(frozen=True)
class Limit:
    """How much an audit may spend: `seconds`, or distinct `texts` beside the test texts, which the model is asked."""

    seconds: float | None = None
    texts: int | None = None

    @classmethod
    def parse(cls, written: str) -> Limit:
        """Read a budget such as ``90s``, ``15m``, ``2h`` or ``20000``.

        Raises
        ------
        AuditError
            If it is none; completes a sentence that names where it stands.
        """
        match = re.fullmatch(r"\s*(\d+|\d*\.\d+)\s*([smh]?)\s*", written, re.ASCII)
        amount = float(match[1]) if match else 0
        if match is None or not 0 < amount < _MOST or (not match[2] and not match[1].isdigit()):
            raise AuditError(f"expected {EXPECTED}")
        return cls(seconds=amount * _UNITS_S[match[2]]) if match[2] else cls(texts=int(amount))


class Allowance(Protocol):
    """What one test may still ask; each method raises :class:`BudgetEnded` where it is more than that."""

    def ask(self, texts: int) -> None:
        """The model is about to be asked about so many texts whose answers are on no disk."""

    def asked(self, texts: int, seconds: float) -> None:
        """It was, and took so long."""

    def train(self, models: int, seconds: Callable[[], float]) -> None:
        """So many networks are needed; `seconds` tells how long those take that no disk holds."""

    def wait(self, seconds: float) -> None:
        """Something of a fixed length is about to be measured."""

    def examples(self, total: int) -> int:
        """How many of so many examples are paid for beforehand; it raises nothing."""


@dataclass(frozen=True)
class _Unlimited:
    def ask(self, texts: int) -> None: ...

    def asked(self, texts: int, seconds: float) -> None: ...

    def train(self, models: int, seconds: Callable[[], float]) -> None: ...

    def wait(self, seconds: float) -> None: ...

    def examples(self, total: int) -> int:
        return total


_UNLIMITED: Allowance = _Unlimited()
_ALLOWANCE: ContextVar[Allowance] = ContextVar("_ALLOWANCE", default=_UNLIMITED)


def spending(allowance: Allowance) -> AbstractContextManager[None]:
    """Within it, what is asked is asked of this allowance; elsewhere nothing is limited."""
    return holding(_ALLOWANCE, allowance)


@contextmanager
def asking(texts: int) -> Iterator[None]:
    """Around a piece of work in which the model is asked about texts; raises :class:`BudgetEnded` before it begins."""
    allowance = _ALLOWANCE.get()
    allowance.ask(texts)
    started = time.monotonic()
    yield
    allowance.asked(texts, time.monotonic() - started)


def training(models: int, seconds: Callable[[], float]) -> None:
    """Before networks are trained, or taken from the cache; as :meth:`Allowance.train`."""
    _ALLOWANCE.get().train(models, seconds)


def affordable(total: int) -> int:
    """How many of so many examples may be asked about, as far as that is fixed beforehand."""
    return _ALLOWANCE.get().examples(total)


def waiting(seconds: float) -> None:
    """Before a measurement of a fixed length; as :meth:`Allowance.wait`."""
    _ALLOWANCE.get().wait(seconds)
