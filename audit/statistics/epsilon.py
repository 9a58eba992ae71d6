"""What guesses about who was in the training data prove of differential privacy."""

from __future__ import annotations

import numpy as np

LARGEST_EPSILON = 100.0


def epsilon_lower_bound(
    right: int, guesses: int, canaries: int, *, delta: float = 0.0, confidence: float = 0.95
) -> float:
    """The smallest ε that a training may have, given how many guesses about its examples were right.

    Parameters
    ----------
    right, guesses : int
        Of the guesses "this one was in" and "this one was not", how many were made, and how many were right.
    canaries : int
        Examples that an independent fair coin put into the training data or not; on the others no guess was made.
    delta : float
        δ: the training is claimed to be (ε, δ)-differentially private.
    confidence : float
        One-sided: a training whose ε is smaller than the bound is found at most this often in error.

    Returns
    -------
    float
        0 where guessing explains what was found.

    Raises
    ------
    ValueError
        Unless 0 ≤ right ≤ guesses ≤ canaries.

    Notes
    -----
    Source: Steinke, Nasr and Jagielski, "Privacy auditing with one (1) training run", NeurIPS 2023, theorem 5.2. Under
    (ε, δ)-differential privacy the right guesses are no more than those of a binomial draw with success probability
    e^ε / (1 + e^ε), but for a term with δ. The bound is the ε at which so many right guesses become improbable.
    """
    if not 0 <= right <= guesses <= canaries:
        raise ValueError(f"{right} right of {guesses} guesses about {canaries} canaries cannot be")
    error = 1 - confidence

    def surprise(epsilon: float) -> float:
        return _surprise(epsilon, right, guesses, canaries, delta) - error

    if surprise(0.0) > 0:
        return 0.0
    from scipy.optimize import brentq

    return float(brentq(surprise, 0.0, LARGEST_EPSILON, xtol=1e-9))


def _surprise(epsilon: float, right: int, guesses: int, canaries: int, delta: float) -> float:
    """The most that the chance of so many right guesses can be; more than 1 where the bound says nothing."""
    from scipy.stats import binom

    share = 1 / (1 + np.exp(-epsilon))
    tail = float(binom.sf(right - 1, guesses, share))
    if delta == 0 or right == 0:
        return tail
    # P(right − i ≤ B < right) for i = 1 … right; the theorem asks for the largest per step.
    below = np.cumsum(binom.pmf(np.arange(right - 1, -1, -1), guesses, share))
    return tail + 2 * canaries * delta * float((below / np.arange(1, right + 1)).max())
