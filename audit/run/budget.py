"""What an audit may spend, and how that is shared out among its tests: gates first. It knows no probe.

A budget of time runs from the moment at which the model is ready; tests that no gate asks for share what those with
gates leave. A budget of texts is shared out before the first one is asked, by the plan (:mod:`audit.run.plan`), so that
it buys the same findings each time, whatever the cache holds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from audit.core.budget import Allowance, BudgetEnded, Limit


class Need(NamedTuple):
    """What a test asks, by the plan.

    Parameters
    ----------
    test : str
        By pytest's name.
    is_gated : bool
        Whether a gate asks for what it measures.
    texts, most_texts : float
        Distinct texts that the model is asked about, as a rule and at most; test texts, which all tests share, apart.
    examples : float
        The share of its examples that it asks about as a rule, where it measures in looks; else 1.
    models : int
        Networks that it has trained, at most.
    is_known : bool
        Whether it is known beforehand at all.
    """

    test: str
    is_gated: bool
    texts: float
    most_texts: float
    examples: float = 1.0
    models: int = 0
    is_known: bool = True


@dataclass
class Share:
    """What a test is allotted of a budget of texts.

    Parameters
    ----------
    texts : float
        Texts that the model may be asked about.
    examples : float
        For so great a share of its examples they are enough.
    models : int
        Networks that may be trained for it, or taken from the cache.
    """

    texts: float = 0.0
    examples: float = 0.0
    models: int = 0


def shared_out(needs: Iterable[Need], texts: float, model: float) -> dict[str, Share]:
    """Share a budget out by what tests need: first to those with gates what they need as a rule, then what they may.

    Those that are likely to be settled with little come first. Tests without gates share the rest in the same order,
    none of them more than its part while others wait.

    Parameters
    ----------
    needs : iterable of Need
    texts : float
        The budget.
    model : float
        Texts that the training of a network is worth.

    Returns
    -------
    dict of str to Share
        By test.
    """
    known = sorted((need for need in needs if need.is_known), key=lambda need: (need.texts, need.most_texts, need.test))
    shares = {need.test: Share() for need in known}
    left = texts
    for is_gated in (True, False):
        group = [need for need in known if need.is_gated is is_gated]
        for number, need in enumerate(group):
            part = left if is_gated else left / (len(group) - number)
            given = _as_a_rule(need, part)
            shares[need.test] = given
            left -= given.texts
        for need in group:
            share = shares[need.test]
            if need.models and need.models * model <= left and share.texts >= need.texts:
                share.models = need.models
                left -= need.models * model
        for need in sorted(group, key=lambda need: need.most_texts - need.texts):
            share = shares[need.test]
            more = min(need.most_texts - share.texts, left)
            if share.texts >= need.texts and more > 0:
                share.texts += more
                share.examples = need.examples + (1 - need.examples) * more / (need.most_texts - need.texts)
                left -= more
    return shares


def _as_a_rule(need: Need, part: float) -> Share:
    """What a test needs as a rule, or as many of its examples as fit; nothing where it has no examples to leave out."""
    if need.texts <= part:
        return Share(need.texts, need.examples if need.most_texts > need.texts else 1.0)
    if need.examples == 1 and need.most_texts == need.texts:
        return Share()
    return Share(part, need.examples * part / need.texts)


@dataclass
class _Pace:
    texts: int = 0
    seconds: float = 0.0


@dataclass
class Timed:
    """A budget of time.

    Parameters
    ----------
    seconds : float
    clock : callable
        Seconds.
    """

    seconds: float
    clock: Callable[[], float] = time.monotonic
    _ends: float | None = field(default=None, init=False)
    _pace: _Pace = field(default_factory=_Pace, init=False)

    def start(self) -> None:
        """The model is ready: from now on time counts."""
        if self._ends is None:
            self._ends = self.clock() + self.seconds

    def allowance(self, test: str, *, is_gated: bool, waiting: float = 1.0) -> Allowance:
        """What a test may take: all that is left if a gate asks for it, else its part.

        Parameters
        ----------
        test : str
        is_gated : bool
        waiting : float
            How many tests without a gate are still to run in this process, this one among them.
        """
        return _TimedAllowance(self, 1.0 if is_gated else max(waiting, 1.0))

    @property
    def shared(self) -> Allowance:
        """For what all tests need."""
        return _TimedAllowance(self, 1.0)


@dataclass
class _TimedAllowance:
    budget: Timed
    waiting: float
    _until: float | None = field(default=None, init=False)

    @property
    def _left(self) -> float:
        ends, now = self.budget._ends, self.budget.clock()
        if ends is None:  # the model is not ready
            return math.inf
        if self._until is None:
            self._until = now + (ends - now) / self.waiting
        return self._until - now

    def ask(self, texts: int) -> None:
        pace = self.budget._pace
        self.wait(texts * pace.seconds / pace.texts if pace.texts else 0.0)

    def asked(self, texts: int, seconds: float) -> None:
        self.budget._pace.texts += texts
        self.budget._pace.seconds += seconds

    def train(self, models: int, seconds: Callable[[], float]) -> None:
        if self._left < math.inf:
            self.wait(seconds())

    def wait(self, seconds: float) -> None:
        if seconds >= self._left:
            raise BudgetEnded

    def examples(self, total: int) -> int:
        return total


@dataclass
class Counted:
    """A budget of texts.

    Parameters
    ----------
    texts : int
    """

    texts: int
    shares: Mapping[str, Share] = field(default_factory=dict, init=False)

    def start(self) -> None:
        """Texts count from the first."""

    def share_out(self, needs: Iterable[Need], model: float) -> None:
        """Decide what each test is allotted, before the first text is asked; arguments as of :func:`shared_out`."""
        self.shares = shared_out(needs, self.texts, model)

    def allowance(self, test: str, *, is_gated: bool, waiting: float = 1.0) -> Allowance:
        """What a test was allotted; nothing if the plan did not know it."""
        return _CountedAllowance(replace(self.shares.get(test, Share())))

    @property
    def shared(self) -> Allowance:
        """For what all tests need: the test texts, which do not count."""
        return _CountedAllowance(Share(math.inf, 1.0))


@dataclass
class _CountedAllowance:
    share: Share

    def ask(self, texts: int) -> None:
        if not self.share.examples:
            raise BudgetEnded

    def asked(self, texts: int, seconds: float) -> None:
        """How long it took is of no account."""

    def train(self, models: int, seconds: Callable[[], float]) -> None:
        if models > self.share.models:
            raise BudgetEnded
        self.share.models -= models

    def wait(self, seconds: float) -> None:
        """Seconds are of no account, nor are texts that were asked about before."""

    def examples(self, total: int) -> int:
        return math.floor(round(total * self.share.examples, 6))


Budget = Timed | Counted


def budget_of(limit: Limit | None) -> Budget | None:
    """The budget of a limit."""
    if limit is None:
        return None
    return Counted(limit.texts) if limit.texts is not None else Timed(limit.seconds or 0.0)
