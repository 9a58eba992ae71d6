"""When a growing sample is looked at, and with what error each time, so that all looks together err as one may.

Benchmarked against confidence sequences by betting in ``benchmarks/statistics/stopping.py``.
"""

from __future__ import annotations

# Fewer examples settle next to nothing at the small error of an early look.
FEWEST_EXAMPLES = 25
_GROWTH = 2
_POWER = 1.5


def planned_looks(total: int) -> tuple[int, ...]:
    """After how many examples of `total` one looks: all, half of them, a quarter … but not fewer than 25.

    Notes
    -----
    Looks that follow each other more closely stop sooner, but each takes its share of the error: with a factor of 1.4
    in the place of 2, what all examples settle with a chance of 90 % takes 70 % of them instead of 76 %, and is settled
    with 84 % instead of 87 %.
    """
    sizes = [total]
    while (fewer := -(-sizes[-1] // _GROWTH)) >= FEWEST_EXAMPLES:
        sizes.append(fewer)
    return tuple(reversed(sizes))


def look_confidence(confidence: float, before: int, now: int, total: int) -> float:
    """The confidence of the look at the first `now` examples after one at the first `before`, of `total`.

    With it, the intervals of all looks hold together with the given confidence, however they depend on each other, and
    so whatever is counted: their errors add up to its error (Bonferroni). Most of it is left to the last look.

    Parameters
    ----------
    confidence : float
        Two-sided, of all looks together.
    before, now, total : int
        ``0 <= before < now <= total``.

    Raises
    ------
    ValueError
        If the examples did not grow.

    Notes
    -----
    Source: of the error the share ``t ** 1.5`` may be spent until the fraction t of the examples (Kim and DeMets,
    "Design and analysis of group sequential tests based on the type I error spending rate function", Biometrika 74,
    1987, after Lan and DeMets, Biometrika 70, 1983). Their bounds take the correlation of the looks into account, which
    needs estimates that are normal; adding up needs nothing, and costs 3 points of power of 90.
    """
    if not 0 <= before < now <= total:
        raise ValueError(f"a look at {now} of {total} examples after one at {before}; expected more of them each time")
    spent = (now / total) ** _POWER - (before / total) ** _POWER
    return float(1 - (1 - confidence) * spent)
