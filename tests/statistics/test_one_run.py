"""What canaries can prove: the largest bound, the power, and how many it takes, against simulated guesses."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import beta

from audit.statistics import BEYOND, POWER, OneRun, canaries_for, gaussian_epsilon

DELTA, CONFIDENCE, DRAWS = 1e-5, 0.95, 2_000


def bounds(run: OneRun, epsilon: float, seed: int = 0) -> NDArray[np.float64]:
    """The larger bound in each of many runs whose coins are told truly with chance e^ε / (1 + e^ε)."""
    rng = np.random.default_rng(seed)
    coins = rng.random((DRAWS, run.canaries)) < 0.5
    told = coins ^ (rng.random(coins.shape) < expit(-epsilon))
    return ranked_bounds(run, coins, told + 0.5 * rng.random(coins.shape), run.bound)


def ranked_bounds(
    run: OneRun, coins: NDArray[np.bool_], scores: NDArray[np.float64], bound: Callable[[int, int], float | None]
) -> NDArray[np.float64]:
    """The larger bound in each run, from who has the highest and who the lowest scores."""
    ranked = np.take_along_axis(coins, np.argsort(-scores, axis=1), axis=1)
    found = np.zeros(len(coins))
    for number in run.guesses:
        half = number // 2
        right = ranked[:, :half].sum(axis=1) + (~ranked[:, -half:]).sum(axis=1)
        by_count = {int(count): bound(int(count), number) or 0.0 for count in np.unique(right)}
        found = np.maximum(found, [by_count[int(count)] for count in right])
    return found


@pytest.mark.parametrize(("canaries", "largest"), [(40, 2.04), (100, 3.00), (400, 4.40), (1_000, 5.32)])
def test_no_larger_bound_is_proved_than_if_every_guess_is_right(canaries: int, largest: float) -> None:
    run = OneRun(canaries, DELTA, CONFIDENCE)
    assert run.largest == pytest.approx(largest, abs=0.005)
    # All right at δ = 0, and half of 2.5 % for each number of guesses: q^guesses = 0.0125.
    q = 0.0125 ** (1 / run.guesses[-1])
    assert OneRun(canaries, 0.0, CONFIDENCE).largest == pytest.approx(math.log(q / (1 - q)), abs=1e-6)
    beyond = run.largest + 1e-6
    assert not run.can_exceed(beyond)
    assert run.power(beyond, math.inf) == 0.0
    assert run.found_from(beyond) is None


@pytest.mark.slow("simulates guesses", seconds=2)
@pytest.mark.parametrize(("canaries", "gate", "epsilon"), [(400, 3, 4), (400, 3, 5), (400, 0, 0.4), (150, 3, np.inf)])
def test_power_is_how_often_simulated_guesses_exceed_the_gate(canaries: int, gate: float, epsilon: float) -> None:
    run = OneRun(canaries, DELTA, CONFIDENCE)
    found = int((bounds(run, epsilon) > gate).sum())
    claimed = run.power(gate, epsilon)
    # It is counted for one number of guesses, so that the other one may add a little.
    assert beta.ppf(0.001, found, DRAWS - found + 1) - 0.07 < claimed < beta.ppf(0.999, found + 1, DRAWS - found)


@pytest.mark.slow("simulates guesses", seconds=2)
@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_both_bounds_together_are_rarely_above_the_true_epsilon(epsilon: float) -> None:
    wrong = int((bounds(OneRun(400, DELTA, CONFIDENCE), epsilon, seed=1) > epsilon).sum())
    assert beta.ppf(0.001, max(wrong, 1), DRAWS) <= 0.025


@pytest.mark.parametrize("gate", [0.5, 1.0, 3.0, 4.0, 8.0])
def test_the_fewest_canaries_that_do(gate: float) -> None:
    number = canaries_for(gate, delta=DELTA, confidence=CONFIDENCE)
    run, fewer, more = (OneRun(n, DELTA, CONFIDENCE) for n in (number, number - 1, number + 5))
    assert fewer.power(gate, gate + BEYOND) < POWER <= run.power(gate, gate + BEYOND)
    assert more.power(gate, gate + BEYOND) >= POWER
    found = run.found_from(gate)
    assert found is not None
    assert found <= gate + BEYOND
    assert run.power(gate, found + 1e-4) >= POWER > run.power(gate, found - 1e-2)
    fewest = canaries_for(gate, delta=DELTA, confidence=CONFIDENCE, epsilon=math.inf)
    assert fewest < number
    assert OneRun(fewest, DELTA, CONFIDENCE).can_exceed(gate)


def test_a_gate_that_nobody_has_the_canaries_for() -> None:
    assert canaries_for(40.0, delta=DELTA, confidence=CONFIDENCE) == 10**9


@pytest.mark.slow("simulates guesses", seconds=2)
def test_what_assumes_normal_noise_holds_for_normal_noise() -> None:
    run, epsilon, rng = OneRun(200, DELTA, CONFIDENCE), 3.0, np.random.default_rng(2)
    mu = brentq(lambda mu: gaussian_epsilon(mu, DELTA) - epsilon, 0.01, 5)
    coins = rng.random((DRAWS, run.canaries)) < 0.5
    scores = mu * coins + rng.normal(size=coins.shape)
    assuming, pure = (ranked_bounds(run, coins, scores, bound) for bound in (run.gaussian, run.bound))
    assert (assuming > epsilon).sum() <= 0.025 * DRAWS
    assert (assuming > epsilon / 2).any()
    assert assuming.mean() > pure.mean() > 0
    assert OneRun(200, 0.0, CONFIDENCE).gaussian(180, 180) is None
