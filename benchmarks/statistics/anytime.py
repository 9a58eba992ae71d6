"""How often gates err where test data grow and are audited again and again, with `looks = 1`, planned, and `"any"`.

    python -m benchmarks.statistics.anytime

A model on the gate is audited after each 100 new test examples until its gate is settled, at most 100 times; or it is
audited three times, each time after as many more as the former audit advised. Wrong is a PASS or a FAIL of it; each may
be 2.5 %. Then what it costs: examples until a model that keeps its gate passes, beside those of a plan that knows the
truth and has a chance of 90 %. Prints Markdown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from audit import statistics
from audit.core.measurement import Measurement
from audit.core.verdict import Gate, Verdict, judge

DRAWS, STEP, LOOKS = 2_000, 100, 100
Counts = NDArray[np.int64]
Sides = Callable[[int, float], tuple[NDArray[np.bool_], NDArray[np.bool_]]]


@cache
def limits(n: int, gate: float, confidence: float) -> tuple[int, int]:
    """Hits of n up to which a share is surely below a gate, and from which on surely above."""
    hits = np.arange(n + 1)
    _, low, high = statistics.proportions(hits, np.full(n + 1, n), confidence)
    below, above = np.flatnonzero(high <= gate), np.flatnonzero(low > gate)
    return int(below[-1]) if len(below) else -1, int(above[0]) if len(above) else n + 1


def share(gate: float, truth: float, rng: np.random.Generator) -> Sides:
    """Which draws of a share are surely below the gate, and which surely above, after n examples."""
    steps = rng.binomial(STEP, truth, (DRAWS, LOOKS)).cumsum(axis=1)

    def sides(n: int, confidence: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        below, above = limits(n, gate, confidence)
        hits = steps[:, n // STEP - 1]
        return hits <= below, hits >= above

    return sides


def paired(gate: float, truth: float, rng: np.random.Generator) -> Sides:
    """The same of the difference of two shares of the same examples: a tenth is lost, the truth less is won."""
    lost = rng.binomial(STEP, 0.1, (DRAWS, LOOKS))
    won = rng.binomial(STEP - lost, (0.1 - truth) / 0.9)
    lost, won = lost.cumsum(axis=1), won.cumsum(axis=1)

    def sides(n: int, confidence: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        _, low, high = statistics.paired_differences(lost[:, n // STEP - 1], won[:, n // STEP - 1], n, confidence)
        return high <= gate, low > gate

    return sides


def again(
    sides: Sides, looks: int, level: Callable[[int], float]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Counts]:
    """Audited after each step until settled: who passed, who failed, and after how many examples."""
    passed, failed, taken = np.zeros(DRAWS, bool), np.zeros(DRAWS, bool), np.full(DRAWS, looks * STEP)
    for n in range(STEP, looks * STEP + 1, STEP):
        below, above = sides(n, level(n))
        is_open = ~(passed | failed)
        passed |= is_open & below
        failed |= is_open & above
        taken[is_open & (below | above)] = n
    return passed, failed, taken


def advised(gate: float, level: Callable[[int], float], rng: np.random.Generator, audits: int = 3) -> float:
    """How often a model on the gate passes or fails where each open audit is followed by one of the size it advises."""
    wrong = 0
    for _ in range(DRAWS):
        n, hits = 400, int(rng.binomial(400, gate))
        for _ in range(audits):
            interval = statistics.proportion(hits, n, level(n))
            found = Measurement("x", *interval, n, "share", "", level(n))
            verdict, reason = judge(found, Gate(max=gate))
            if verdict is not Verdict.INCONCLUSIVE:
                wrong += verdict is Verdict.PASS
                break
            number = getattr(reason, "values", {}).get("number")
            more = min(int(number), 20_000) if isinstance(number, int | float) else n
            hits, n = hits + int(rng.binomial(more, gate)), n + more
    return wrong / DRAWS


def fixed(gate: float, truth: float) -> int:
    """Examples of a single audit, planned by somebody who knows the truth, that passes with a chance of 90 %."""
    for n in range(STEP, LOOKS * STEP + 1, STEP):
        below, _ = limits(n, gate, 0.95)
        if stats.binom.cdf(below, n, truth) >= 0.9:
            return n
    return LOOKS * STEP


def main() -> None:
    """Print both tables."""
    print("| measure | gate | looks | how one looks | wrong PASS | wrong FAIL |\n| --- | --- | --- | --- | --- | --- |")
    kinds: dict[str, tuple[Callable[[float, float, np.random.Generator], Sides], tuple[float, ...]]] = {
        "share": (share, (0.01, 0.1, 0.5)),
        "paired difference": (paired, (0.0, 0.05)),
    }
    for name, (made, gates) in kinds.items():
        for gate in gates:
            sides = made(gate, gate, np.random.default_rng(0))
            rules: dict[str, tuple[int, Callable[[int], float]]] = {
                "looks = 1": (20, lambda n: 0.95),
                "looks = 20": (20, lambda n: statistics.shared_out(0.95, 20)),
                'looks = "any"': (LOOKS, lambda n: statistics.anytime_confidence(0.95, n)),
            }
            for rule, (looks, level) in rules.items():
                passed, failed, _ = again(sides, looks, level)
                print(
                    f"| {name} | {gate:g} | `{rule}` | {looks} times, each 100 | {passed.mean():.1%} | "
                    f"{failed.mean():.1%} |",
                    flush=True,
                )
    for rule, level in (
        ("looks = 1", lambda n: 0.95),
        ("looks = 3", lambda n: statistics.shared_out(0.95, 3)),
        ('looks = "any"', lambda n: statistics.anytime_confidence(0.95, n)),
    ):
        wrong = advised(0.1, level, np.random.default_rng(1))
        print(f"| share | 0.1 | `{rule}` | 3 times, each as advised | {wrong:.1%} |  |", flush=True)
    print("\n| gate | truth | a plan that knows it, 90 % | looks of any number: median | mean | passed |")
    print("| --- | --- | --- | --- | --- | --- |")
    for gate, truth in ((0.2, 0.18), (0.2, 0.16), (0.2, 0.1), (0.05, 0.03)):
        sides = share(gate, truth, np.random.default_rng(0))
        passed, _, taken = again(sides, LOOKS, lambda n: statistics.anytime_confidence(0.95, n))
        print(f"| ≤ {gate} | {truth} | {fixed(gate, truth):,} | {np.median(taken):,.0f} | {taken.mean():,.0f} | "
              f"{passed.mean():.1%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
