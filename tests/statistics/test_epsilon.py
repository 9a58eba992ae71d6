"""The bound on ε from guesses: the published figure, a literal transcription of the theorem, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from audit.statistics import epsilon_lower_bound


def test_a_hundred_of_a_hundred() -> None:
    # All right: q^100 = 0.05, and ε = log(q / (1 − q)).
    assert epsilon_lower_bound(100, 100, 100, confidence=0.95) == pytest.approx(3.4930, abs=5e-5)


def literal_chance(right: int, guesses: int, canaries: int, epsilon: float, delta: float) -> float:
    """Steinke, Nasr and Jagielski (2023), theorem 5.2, as it stands: f(v) + 2mδ max_i (f(v−i) − f(v)) / i."""

    def f(v: int) -> float:
        q = math.exp(epsilon) / (math.exp(epsilon) + 1)
        return sum(
            math.comb(guesses, k) * q**k * (1 - q) ** (guesses - k) for k in range(max(v, 0), guesses + 1)
        )  # fmt: skip

    most = max((f(right - i) - f(right)) / i for i in range(1, canaries + 1))
    return f(right) + 2 * canaries * delta * most


@pytest.mark.parametrize(
    ("right", "guesses", "canaries", "delta"),
    [(97, 120, 400, 1e-5), (60, 60, 200, 1e-3), (24, 30, 30, 0.0), (15, 20, 100, 1e-4), (400, 400, 400, 1e-5)],
)
def test_the_bound_is_where_the_theorem_says_so(right: int, guesses: int, canaries: int, delta: float) -> None:
    found = epsilon_lower_bound(right, guesses, canaries, delta=delta, confidence=0.95)
    assert found > 0
    assert literal_chance(right, guesses, canaries, found, delta) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("case", [(60, 120, 400), (0, 0, 50), (0, 10, 10), (68, 120, 400)])
def test_what_guessing_explains_proves_nothing(case: tuple[int, int, int]) -> None:
    assert epsilon_lower_bound(*case, delta=1e-5) == 0.0


def test_a_larger_delta_proves_less_and_more_right_guesses_prove_more() -> None:
    by_delta = [epsilon_lower_bound(110, 120, 400, delta=delta) for delta in (0.0, 1e-5, 1e-4, 1e-3)]
    assert by_delta == sorted(by_delta, reverse=True)
    assert len(set(by_delta)) == 4
    by_right = [epsilon_lower_bound(right, 120, 400, delta=1e-5) for right in range(80, 121)]
    assert by_right == sorted(by_right)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_randomised_response_is_rarely_said_to_have_more_than_its_epsilon(epsilon: float) -> None:
    # The mechanism for which the theorem is tight: each coin is told truly with probability e^ε / (1 + e^ε).
    rng = np.random.default_rng(0)
    right = rng.binomial(200, 1 / (1 + np.exp(-epsilon)), 2_000)
    bounds = {r: epsilon_lower_bound(r, 200, 200, confidence=0.95) for r in map(int, set(right))}
    wrong = np.mean([bounds[int(r)] > epsilon for r in right])
    assert 0.005 < wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2_000)


@pytest.mark.parametrize("case", [(5, 4, 10), (4, 5, 4), (-1, 5, 5)])
def test_impossible_counts_are_refused(case: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        epsilon_lower_bound(*case)
