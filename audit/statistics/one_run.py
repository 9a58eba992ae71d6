"""Auditing in one training run: how many guesses are made about canaries, and what they can prove how often."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audit.statistics.epsilon import (
    LARGEST_EPSILON,
    chance_at_most,
    epsilon_lower_bound,
    gaussian_epsilon,
    gaussian_lower_bound,
)
from audit.statistics.intervals import shared_out

# On so many of the canaries guesses are made: a few where memory is faint, nearly all where it is strong. (Not all: the
# coins do not put in exactly half, so that even a perfect memory would then guess wrongly about some.)
GUESSED = (0.3, 0.9)
# The chance with which a memory beyond a gate is to be proved so, and how far beyond it lies.
POWER, BEYOND = 0.9, 1.0
# Nobody has as many canaries; and so many larger numbers must do as well.
MOST_CANARIES, NEXT = 10**9, 20


@dataclass(frozen=True)
class OneRun:
    """The guesses that are made about canaries in one training run.

    Parameters
    ----------
    canaries : int
        Each was put into the training data, or not, by its own fair coin.
    delta : float
        δ of the differential privacy that is put to the test.
    confidence : float
        Two-sided: all bounds together are too large in half of ``1 - confidence`` of the runs at most.

    Notes
    -----
    Those with the highest scores are guessed to have been in, as many with the lowest to have been left out. Power is
    that of an attacker who is right about each of his guesses with chance e^ε / (1 + e^ε), which is what (ε, 0)-
    differential privacy allows at most; where the coins put in fewer than are guessed to be in, he is wrong about the
    rest. It is counted for each number of guesses by itself, which errs on the safe side.
    """

    canaries: int
    delta: float
    confidence: float

    @property
    def guesses(self) -> tuple[int, ...]:
        """How many are made, fixed beforehand: half of each about the highest scores, half about the lowest."""
        return tuple(2 * int(share * self.canaries / 2) for share in GUESSED)

    @property
    def side(self) -> float:
        """One-sided confidence of the bound from each number of guesses."""
        return shared_out((1 + self.confidence) / 2, len(GUESSED))

    def bound(self, right: int, guesses: int) -> float:
        """The lower bound on ε from one of the numbers of guesses."""
        return epsilon_lower_bound(right, guesses, self.canaries, delta=self.delta, confidence=self.side)

    def gaussian(self, right: int, guesses: int) -> float | None:
        """The same if it is assumed that the training is μ-Gaussian differentially private; None at δ = 0."""
        if self.delta == 0:
            return None
        mu = gaussian_lower_bound(right, guesses, self.canaries, confidence=self.side)
        return gaussian_epsilon(mu, self.delta)

    @cached_property
    def largest(self) -> float:
        """The lower bound on ε if every guess is right: no larger one can be proved."""
        return max(self.bound(number, number) for number in self.guesses)

    def enough(self, gate: float, guesses: int) -> int:
        """How many right guesses prove an ε above the gate; more than are made where none do."""
        error = 1 - self.side

        def proves(right: int) -> bool:
            return chance_at_most(gate, right, guesses, self.canaries, self.delta) < error

        return bisect_left(range(guesses + 1), True, key=proves)

    def power(self, gate: float, epsilon: float) -> float:
        """The chance to prove an ε above the gate, if the true one is `epsilon`; infinite, it is a perfect memory."""
        return max(self._power(number, self.enough(gate, number), epsilon) for number in self.guesses)

    def can_exceed(self, gate: float) -> bool:
        """Whether a perfect memory would be proved to be above the gate with a chance of `POWER`."""
        return self.power(gate, np.inf) >= POWER

    def found_from(self, gate: float) -> float | None:
        """From which true ε on it is proved to be above the gate with a chance of `POWER`; None where none is."""
        from scipy.optimize import brentq

        enough = {number: self.enough(gate, number) for number in self.guesses}

        def lacking(epsilon: float) -> float:
            return POWER - max(self._power(number, least, epsilon) for number, least in enough.items())

        if lacking(LARGEST_EPSILON) > 0:
            return None
        return float(brentq(lacking, 0.0, LARGEST_EPSILON, xtol=1e-6))

    def _power(self, guesses: int, enough: int, epsilon: float) -> float:
        """The chance that enough of the guesses are right."""
        from scipy.special import expit
        from scipy.stats import binom

        half, mean, spread = guesses // 2, self.canaries / 2, np.sqrt(self.canaries) / 2
        # Coins that leave fewer in, or out, than are guessed; beyond eight standard deviations there are none.
        in_ = np.arange(max(0, int(mean - 8 * spread)), half)
        lost = np.concatenate([[0], half - in_])
        chances = 2 * binom.pmf(in_, self.canaries, 0.5)
        chances = np.concatenate([[1 - chances.sum()], chances])
        return float(chances @ binom.cdf(guesses - lost - enough, guesses - lost, expit(-epsilon)))


def canaries_for(gate: float, *, delta: float, confidence: float, epsilon: float | None = None) -> int:
    """How many canaries prove with a chance of `POWER` that the true ε is above a gate.

    Parameters
    ----------
    gate : float
        The most that ε may be.
    delta, confidence : float
        As of :class:`OneRun`.
    epsilon : float, optional
        The true ε, infinite for a perfect memory; by default it is `BEYOND` above the gate.

    Returns
    -------
    int
        `MOST_CANARIES` where so many are not enough.
    """
    truth = gate + BEYOND if epsilon is None else epsilon

    def suffice(number: int) -> bool:
        return OneRun(number, delta, confidence).power(gate, truth) >= POWER

    least, most = 1, 4
    while not suffice(most):
        if most >= MOST_CANARIES:
            return MOST_CANARIES
        least, most = most, 4 * most
    number = least + 1 + bisect_left(range(least + 1, most), True, key=suffice)
    # Counts are whole, so the chance is a saw-tooth that rises: somewhat more canaries must not be too few again.
    while dips := [more for more in range(number, number + NEXT) if not suffice(more)]:
        number = dips[-1] + 1
    return number
