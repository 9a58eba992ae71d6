"""What the gate on ε can find: power by number of canaries, before and after, and whether the bounds hold.

    python -m benchmarks.statistics.canary_power

Nothing is trained: guesses are made about simulated memories of known ε. "Randomised response" tells each coin truly
with chance e^ε / (1 + e^ε), the most that (ε, 0)-differential privacy allows; "normal noise" adds noise to each coin,
just so much that it is (ε, δ)-private; "leaks at times" is randomised response that shows some coins, so seldom that it
is (ε, δ)-private. "Before" is theorem 5.2 of Steinke, Nasr and Jagielski (2023) with its own term for δ.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import binom

from audit.statistics import OneRun, canaries_for, gaussian_epsilon, proportion
from audit.statistics.epsilon import least_mass

DELTA, CONFIDENCE = 1e-5, 0.95
# From a generator, the coins of one run and ε to a score for each: who is surer to have been in.
Memory = Callable[[np.random.Generator, NDArray[np.bool_], float], NDArray[np.float64]]
Bound = Callable[[OneRun, int, int], float]


def response(rng: np.random.Generator, coins: NDArray[np.bool_], epsilon: float) -> NDArray[np.float64]:
    """Randomised response; those that were told alike are in no order."""
    told = coins ^ (rng.random(len(coins)) < expit(-epsilon))
    return told + 0.5 * rng.random(len(coins))


def normal(delta: float) -> Memory:
    """Each coin with normal noise, (ε, δ)-private for just this ε."""

    def memory(rng: np.random.Generator, coins: NDArray[np.bool_], epsilon: float) -> NDArray[np.float64]:
        return _shift(epsilon, delta) * coins + rng.normal(size=len(coins))

    return memory


def leaking(delta: float, together: int) -> Memory:
    """Randomised response, and of so many coins at once the truth, each of them in a share δ of the runs."""

    def memory(rng: np.random.Generator, coins: NDArray[np.bool_], epsilon: float) -> NDArray[np.float64]:
        scores = response(rng, coins, epsilon)
        if rng.random() < delta * len(coins) / together:
            shown = rng.choice(len(coins), together, replace=False)
            scores[shown] = np.where(coins[shown], 2.0, -2.0)
        return scores

    return memory


@cache
def _shift(epsilon: float, delta: float) -> float:
    return float(brentq(lambda mu: gaussian_epsilon(mu, delta) - epsilon, 1e-9, 30))


# ---- bounds


@cache
def now(run: OneRun, right: int, guesses: int) -> float:
    """The bound of the audit."""
    return run.bound(right, guesses)


@cache
def before(run: OneRun, right: int, guesses: int) -> float:
    """Theorem 5.2 as it stands."""

    def surprise(epsilon: float) -> float:
        share = expit(epsilon)
        steps = np.arange(1, right + 1)
        below = np.cumsum(binom.pmf(right - steps, guesses, share)) / steps
        tail = float(binom.sf(right - 1, guesses, share))
        return tail + 2 * run.canaries * run.delta * float(below.max(initial=0)) - (1 - run.side)

    return _first_root(surprise)


@cache
def recursion(run: OneRun, right: int, guesses: int) -> float:
    """Algorithm 3 of Mahloujifar, Melis and Chaudhuri (2025) for the curve of (ε, δ)."""

    def slack(epsilon: float) -> float:
        def least(chance: float) -> float:
            chance = min(chance, 1.0)
            return max(0.0, (chance - run.delta) * np.exp(-epsilon), 1 - run.delta - np.exp(epsilon) * (1 - chance))

        return 1 - least_mass(least, right, guesses, run.canaries, 1 - run.side)

    return _first_root(slack)


@cache
def gaussian(run: OneRun, right: int, guesses: int) -> float:
    """The bound that assumes normal noise."""
    return run.gaussian(right, guesses) or 0.0


def _first_root(increasing: Callable[[float], float]) -> float:
    return 0.0 if increasing(0.0) >= 0 else float(brentq(increasing, 0.0, 20.0))


# ---- simulation


def bounds(run: OneRun, memory: Memory, epsilon: float, each: Bound, draws: int, seed: int) -> NDArray[np.float64]:
    """The larger of the bounds from both numbers of guesses, in each of the draws."""
    rng, found = np.random.default_rng(seed), np.empty(draws)
    for i in range(draws):
        coins = rng.random(run.canaries) < 0.5
        order = np.argsort(-memory(rng, coins, epsilon), kind="stable")
        halves = [(number, number // 2) for number in run.guesses]
        right = [int(coins[order[:half]].sum() + (~coins[order[-half:]]).sum()) for _, half in halves]
        found[i] = max(each(run, r, number) for r, (number, _) in zip(right, halves, strict=True))
    return found


def _share(hits: NDArray[np.bool_]) -> str:
    return f"{hits.mean():.1%}".replace("%", " %")


def power(draws: int) -> None:
    """The chance that a gate fails, by number of canaries, the gate and the true ε."""
    print("\n| canaries | gate | largest bound, before | now | fails at ε = gate + 1, before | now | ", end="")
    print("perfect memory | normal noise, ε = gate + 1 | 3 × gate | 90 % from ε | verdict if not exceeded |")
    print("| " + "--- | " * 11)
    cells = {100: (1, 3), 400: (1, 3, 4, 8), 552: (3,), 1_000: (1, 3, 4, 8), 1_378: (4,), 14_520: (8,)}
    for number, gates in cells.items():
        for gate in gates:
            run = OneRun(number, DELTA, CONFIDENCE)
            most, seed = run.guesses[-1], number + gate
            columns = [f"{number:,}", f"≤ {gate}", f"{before(run, most, most):.2f}", f"{run.largest:.2f}"]
            for memory, epsilon, each in (
                (response, gate + 1, before),
                (response, gate + 1, now),
                (response, np.inf, now),
                (normal(DELTA), gate + 1, now),
                (normal(DELTA), 3 * gate, now),
            ):
                columns.append(_share(bounds(run, memory, epsilon, each, draws, seed) > gate))
            found = run.found_from(gate)
            columns += ["none" if found is None else f"{found:.2f}"]
            columns += ["not exceeded" if run.can_exceed(gate) else "not assessed; was: not exceeded"]
            print("| " + " | ".join(columns) + " |", flush=True)


def sizes() -> None:
    """How many canaries and training examples gates take."""
    print("\n| gate | canaries for a perfect memory | canaries for gate + 1 | training examples at a share of 0.1 |")
    print("| --- | --- | --- | --- |")
    for gate in (0.5, 1, 2, 3, 4, 5, 6, 8, 10):
        fewest = canaries_for(gate, delta=DELTA, confidence=CONFIDENCE, epsilon=np.inf)
        sized = canaries_for(gate, delta=DELTA, confidence=CONFIDENCE)
        rows = [9 * (number / 2 + 1.5 * np.sqrt(number) + 96) for number in (fewest, sized)]
        print(f"| ≤ {gate} | {fewest:,} | {sized:,} | {rows[0]:,.0f}; {rows[1]:,.0f} |")


def methods() -> None:
    """The three bounds from the same counts."""
    print("\n| right of guesses, canaries | δ | theorem 5.2 | recursion for (ε, δ) | the audit's | if μ-Gaussian |")
    print("| --- | --- | --- | --- | --- | --- |")
    for right, guesses, number in ((90, 90, 100), (115, 120, 400), (352, 360, 400), (360, 360, 400), (900, 900, 1_000),
                                   (13_045, 13_050, 14_500), (13_050, 13_050, 14_500)):  # fmt: skip
        for delta in (1e-5, 1e-4):
            run = OneRun(number, delta, CONFIDENCE)
            figures = [f"{each(run, right, guesses):.3f}" for each in (before, recursion, now, gaussian)]
            print(f"| {right:,} of {guesses:,}, {number:,} | {delta:g} | {' | '.join(figures)} |", flush=True)


def validity(draws: int) -> None:
    """How often a bound is above the true ε."""
    print(f"\n| memory | canaries | ε, δ | bound | above the true ε, of {draws:,} | 95 % interval | allowed |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    cells: list[tuple[str, Callable[[float], Memory], float, float, Bound]] = []
    for epsilon in (0.0, 1.0, 3.0, 5.0):
        cells.append(("randomised response", lambda delta: response, epsilon, DELTA, now))
    for epsilon, delta in ((1.0, 1e-3), (3.0, 1e-3), (3.0, 1e-4)):
        cells.append(("leaks 1 at times", lambda delta: leaking(delta, 1), epsilon, delta, now))
        cells.append(("leaks 40 at times", lambda delta: leaking(delta, 40), epsilon, delta, now))
    for epsilon, delta in ((1.0, 1e-5), (3.0, 1e-5), (1.0, 1e-2), (0.1, 0.1)):
        cells.append(("normal noise", normal, epsilon, delta, now))
    for epsilon, delta in ((1.0, 1e-5), (3.0, 1e-5), (8.0, 1e-5), (1.0, 1e-2)):
        cells.append(("normal noise", normal, epsilon, delta, gaussian))
    for number in (100, 400):
        for i, (name, memory, epsilon, delta, each) in enumerate(cells):
            run = OneRun(number, delta, CONFIDENCE)
            wrong = int((bounds(run, memory(delta), epsilon, each, draws, 1_000 * number + i) > epsilon).sum())
            low, high = proportion(wrong, draws)[1:]
            kind = "μ-Gaussian" if each is gaussian else "ε"
            print(
                f"| {name} | {number} | {epsilon:g}, {delta:g} | {kind} | {wrong / draws:.2%} | "
                f"{low:.2%} to {high:.2%} | 2.50% |", flush=True,
            )  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4_000)
    draws = parser.parse_args().draws
    methods()
    sizes()
    power(draws // 2)
    validity(draws)


if __name__ == "__main__":
    main()
