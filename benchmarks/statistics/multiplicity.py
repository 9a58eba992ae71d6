"""What chance alone makes of many figures: those called better or worse, and the figure of the best candidate.

    python -m benchmarks.statistics.multiplicity

Both audits are of models that are equally good in everything, on fresh texts each; figures are independent shares.
"Before" called a figure better or worse where its two intervals did not overlap.

Candidates are equally good too, and answer the same texts: each by itself, or so that errors go together since some
texts are harder (a normal difficulty, correlation 0.5).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from audit.record import since
from audit.statistics import Interval, proportions, widened

REPEATS = 1_000
Shares = tuple[NDArray[np.float64], ...]  # estimate, low, high; each of shape (figures,)


def changes(before: Shares, now: Shares) -> list[str]:
    """What the audit says of each figure."""
    former, findings = _findings(before), _findings(now)
    remembered: Any = {"created": "", "fingerprint": None, "test": None, "path": "", "verdict": "pass", "chain": []}
    remembered |= {"findings": {each["id"]: each for each in former}, "gates": {}, "settings": {}}
    return [each["change"] for each in since.compare(remembered, findings, [], {}, {})["compared"]]


def _findings(shares: Shares) -> Any:
    return [
        {
            "id": f"quality.own[{i}]", "verdict": "reported", "confidence": 0.95, "gate": None,
            "estimate": estimate, "low": low, "high": high,
        }
        for i, (estimate, low, high) in enumerate(zip(*shares, strict=True))
    ]  # fmt: skip


def drawn(rng: np.random.Generator, share: float | NDArray[np.float64], n: int, figures: int) -> Shares:
    """Shares of so many texts, with the intervals that the audit gives them."""
    return proportions(rng.binomial(n, share, figures), np.full(figures, n))


def since_by_chance() -> list[list[str]]:
    """How often any figure is called another one, before and now."""
    rng, rows = np.random.default_rng(0), []
    for share, (n_then, n_now), figures in product((0.5, 0.9, 0.99), ((1000, 1000), (200, 2000)), (5, 50)):
        apart = clear = 0
        for _ in range(REPEATS):
            before, now = (drawn(rng, share, n, figures) for n in (n_then, n_now))
            apart += bool(np.any((now[1] > before[2]) | (now[2] < before[1])))
            clear += any(change != "unclear" for change in changes(before, now))
        rows.append([f"{share:.2f}", f"{n_then:,}, {n_now:,}", str(figures), *_percent(apart, clear)])
    return rows


def since_by_change() -> list[list[str]]:
    """How often one figure that did change is called so, among others that did not."""
    rng, rows = np.random.default_rng(1), []
    for n, figures in product((1000, 5000), (1, 5, 50)):
        step = np.zeros(figures)
        # As many points as a comparison of these two shares alone, at 95 %, finds in 90 of 100 audits.
        step[0] = (norm.ppf(0.975) + norm.ppf(0.9)) * np.sqrt(2 * 0.8 * 0.2 / n)
        apart = clear = 0
        for _ in range(REPEATS):
            before, now = drawn(rng, 0.8, n, figures), drawn(rng, 0.8 + step, n, figures)
            apart += bool(now[1][0] > before[2][0])
            clear += changes(before, now)[0] == "different"
        rows.append([f"{n:,}", f"{100 * step[0]:.1f}", str(figures), *_percent(apart, clear)])
    return rows


def best_by_chance() -> list[list[str]]:
    """How far the best of equal candidates lies above the truth, and how often its interval does."""
    rng, rows, n, share = np.random.default_rng(2), [], 1000, 0.8
    for correlation, candidates in product((0.0, 0.5), (2, 5, 20)):
        best = np.empty(REPEATS, int)
        for i in range(REPEATS):
            own, hard = rng.normal(size=(candidates, n)), rng.normal(size=n)
            ability = np.sqrt(1 - correlation) * own + np.sqrt(correlation) * hard
            best[i] = (ability < norm.ppf(share)).sum(axis=1).max()
        figures = [Interval(*each) for each in zip(*proportions(best, np.full(REPEATS, n)), strict=True)]
        lift = 100 * (float(np.mean(best)) / n - share)
        before = sum(each.low > share for each in figures)
        now = sum(widened(each, 0.95, candidates).low > share for each in figures)
        rows.append([f"{correlation:.1f}", str(candidates), f"{lift:.2f}", *_percent(before, now)])
    return rows


def _percent(*counts: int) -> list[str]:
    return [f"{100 * count / REPEATS:.1f} %" for count in counts]


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print rows as Markdown."""
    for cells in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(cells)} |")
    print()


def main() -> None:
    """Print all tables."""
    table(["share", "texts then, now", "figures", "any called better or worse, before", "now"], since_by_chance())
    table(["texts", "points more", "figures", "called so, before", "now"], since_by_change())
    head = [
        "correlation",
        "candidates",
        "best is too good by, points",
        "its interval is above the truth",
        "second interval",
    ]
    table(head, best_by_chance())


if __name__ == "__main__":
    main()
