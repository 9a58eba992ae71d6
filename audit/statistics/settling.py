"""How many examples would settle an open verdict, were the estimate the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from audit.statistics.design_effects import INDEPENDENT, DesignEffect, GroupEffects
from audit.statistics.extremes import largest, pairs, smallest
from audit.statistics.intervals import Array, Bounds, normal_quantile, shared_out
from audit.statistics.proportions import proportions

_LOW, _HIGH = 1, 2  # places in (estimate, low, high)
DRAWS = (40, 40, 60, 60, 300)  # of each step; only the last must be accurate
SLACK = 0.01  # of power, for the error of the simulation itself
ENDLESS = 1e9  # more examples than anybody has: no number settles it


class Settling(NamedTuple):
    """The sample that would settle a verdict.

    Parameters
    ----------
    total : int
        All its examples.
    groups : tuple of (str, int)
        Examples of each group, where the claim is about groups.
    """

    total: int
    groups: tuple[tuple[str, int], ...] = ()


def sample_to_settle(
    estimate: float, bound: float, gate: float, n: int, confidence: float = 0.95, power: float = 0.9
) -> int | None:
    """How large the sample would have to be for the interval to clear the gate, were the estimate the truth.

    For any interval whose width shrinks with the square root of n. Where more is known of it, the other functions here
    are more accurate.

    Parameters
    ----------
    bound : float
        The bound of the interval on the gate's side of the estimate.

    Returns
    -------
    int or None
        Size of the whole sample; None where the estimate sits on the gate and no number would.

    Notes
    -----
    The bound's distance shrinks with the square root of n; the gate is cleared with the asked power when it lies
    ``z(1 - error/2) + z(power)`` standard errors from the truth.
    """
    from scipy.special import ndtri

    distance, half = abs(estimate - gate), abs(bound - estimate)
    if distance == 0 or half == 0:
        return None
    z = normal_quantile(confidence)
    factor = (half * (z + float(ndtri(power))) / (z * distance)) ** 2
    size = np.ceil(n * max(factor, 1.0))
    return int(size) if size < ENDLESS else None


def chance_to_settle(estimate: float, bound: float, gate: float, n: int, total: int, confidence: float = 0.95) -> float:
    """How likely a larger sample settles a verdict either way, when all that is known of the truth is the estimate.

    The sizes that the other functions here give are right for a truth that equals the estimate. It does not: the truth
    may lie nearer to the gate, or beyond it. Where nothing lies between estimate and bound, it is certain.

    Parameters
    ----------
    bound : float
        The bound of the interval on the gate's side of the estimate.
    n, total : int
        Size of the sample that the interval rests on, and of the larger one, of which it is a part.

    Returns
    -------
    float

    Notes
    -----
    Assurance (O'Hagan, Stevens and Campbell, "Assurance in clinical trial design", Pharmaceutical Statistics 4, 2005,
    section 2) for a normal estimate and a flat prior: with r = n / total and the gate d standard errors from the
    estimate, the later estimate scatters around today's by sqrt(1 - r) standard errors, and its interval reaches
    z sqrt(r) to either side.
    """
    from scipy.special import ndtr

    z, r = normal_quantile(confidence), n / total
    half = abs(bound - estimate)
    distance = z * abs(gate - estimate) / half if half else np.inf
    if r >= 1:
        return float(distance >= z)
    reach, spread = z * np.sqrt(r), np.sqrt(1 - r)
    return float(ndtr((distance - reach) / spread) + ndtr((-distance - reach) / spread))


def proportion_to_settle(
    estimate: float,
    gate: float,
    confidence: float = 0.95,
    power: float = 0.9,
    *,
    effect: DesignEffect = INDEPENDENT,
) -> Settling | None:
    """Sample with which the exact interval of a proportion clears the gate with the asked power.

    Parameters
    ----------
    effect : DesignEffect
        Of rows that come in clusters: more of them are worth as much each.

    Returns
    -------
    Settling or None
        None where the estimate sits on the gate.

    Notes
    -----
    The power is that of the exact binomial test at the gate, which the interval of Clopper and Pearson inverts. It is
    a saw's edge over n; the size given is one from which on the power of ten sizes in a row is reached.
    """
    p, bound = (estimate, gate) if estimate > gate else (1 - estimate, 1 - gate)
    if p == bound:
        return None
    variance = max(p * (1 - p), bound * (1 - bound))
    guess = (normal_quantile(confidence) + normal_quantile(2 * power - 1)) ** 2 * variance / (p - bound) ** 2
    if guess > ENDLESS:
        return None
    low, high = 1, int(2 * guess) + 50
    while not _reached(high, p, bound, confidence, power):
        high *= 2
    while high - low > max(1, low // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if _reached(middle, p, bound, confidence, power) else (middle, high)
    kept = float(effect.kept(confidence))
    return Settling(int(np.ceil(high / kept))) if high < kept * ENDLESS else None


def _reached(n: int, p: float, bound: float, confidence: float, power: float) -> bool:
    from scipy.stats import binom

    sizes = np.arange(n, n + 10)
    needed = binom.isf((1 - confidence) / 2, sizes, bound) + 1  # right answers from which on the bound is cleared
    return bool((binom.sf(needed - 1, sizes, p) >= power).all())


def gap_to_settle(
    successes: ArrayLike,
    n: ArrayLike,
    gate: float,
    *,
    sizes: ArrayLike,
    names: Sequence[str],
    confidence: float = 0.95,
    power: float = 0.9,
    seed: int = 0,
    effects: GroupEffects | None = None,
) -> Settling | None:
    """Sample with which the interval of :func:`audit.statistics.gap` clears the gate, the groups' shares kept.

    Parameters
    ----------
    successes, n : array_like of int, shape (parts, groups) or (groups,)
        As the gap was measured; their rates are taken for the truth.
    gate : float
    sizes : array_like of int, shape (groups,)
        Examples of each group.
    names : sequence of str, length groups
    confidence, power : float
    seed : int
        Of the simulation.
    effects : GroupEffects, optional
        Of rows that come in clusters: more of a group's are worth as much each.

    Returns
    -------
    Settling or None
        None where the gap sits on the gate or a rate has no observation, so that more of the same would not help.
    """
    x, total = (_worth(np.atleast_2d(np.asarray(each)), effects, confidence) for each in (successes, n))
    parts = total.size * (total.shape[1] - 1)
    levels = {_LOW: shared_out(confidence, parts), _HIGH: confidence}
    return _groups_to_settle(_Rule(pairs, largest, levels), x, total, gate, sizes, names, power, seed)


def smallest_to_settle(
    successes: ArrayLike,
    n: ArrayLike,
    gate: float,
    *,
    names: Sequence[str],
    confidence: float = 0.95,
    power: float = 0.9,
    seed: int = 0,
    effects: GroupEffects | None = None,
) -> Settling | None:
    """The same for :func:`audit.statistics.smallest_proportion`; counts of shape (groups,)."""
    x, total = (_worth(np.asarray(each), effects, confidence).ravel() for each in (successes, n))
    levels = {_LOW: confidence, _HIGH: shared_out(confidence, total.size)}
    return _groups_to_settle(_Rule(proportions, smallest, levels), x, total, gate, n, names, power, seed)


def _worth(counts: NDArray[np.int64], effects: GroupEffects | None, confidence: float) -> NDArray[Any]:
    """As many independent rows, shape (parts, groups) or (groups,); they need not be whole."""
    return counts if effects is None else np.asarray(counts * effects.single.kept(confidence))


class _Rule(NamedTuple):
    """How the bounds of the largest or smallest part come about; only the one at issue is simulated."""

    parts: Callable[[ArrayLike, ArrayLike, float], Bounds]
    extreme: Callable[[Bounds, Bounds], Bounds]
    levels: Mapping[int, float]  # confidence of the parts' bounds, lower and upper

    def bound(self, side: int, successes: ArrayLike, n: ArrayLike) -> Array:
        """One of estimate, low and high of the extreme."""
        parts = self.parts(successes, n, self.levels[side])
        return self.extreme(parts, parts)[side]


def _groups_to_settle(
    rule: _Rule,
    successes: NDArray[Any],
    n: NDArray[Any],
    gate: float,
    sizes: ArrayLike,
    names: Sequence[str],
    power: float,
    seed: int,
) -> Settling | None:
    if not (n > 0).all():
        return None
    truth = successes / n
    level = rule.levels[_LOW]
    estimate = float(rule.extreme(*2 * (rule.parts(successes, n, level),))[0])
    side, share = (_HIGH, power + SLACK) if gate > estimate else (_LOW, 1 - power - SLACK)

    def reach(factor: float, draws: int) -> float:
        larger = np.ceil(n * factor).astype(np.int64)
        drawn = np.random.default_rng(seed).binomial(larger, truth, size=(draws, *n.shape))
        return float(np.quantile(rule.bound(side, drawn, larger), share)) - estimate

    factor = _factor_to_settle(reach, gate - estimate, ENDLESS / float(n.max()))
    if factor is None:
        return None
    larger = np.ceil(np.asarray(sizes) * factor).astype(int)
    return Settling(int(larger.sum()), tuple(zip(names, larger.tolist(), strict=True)))


def _factor_to_settle(reach: Callable[[float, int], float], distance: float, most: float) -> float | None:
    """How many times as many examples bring the bound, in all but a few draws, to the gate's side of the gate.

    Parameters
    ----------
    reach : callable
        From a factor and a number of draws to the distance between truth and bound that only these few exceed. It
        shrinks about with the square root of the factor, so a few steps of a fixed point find where it is the gate's.
    """
    if distance == 0:
        return None
    factor = 1.0
    for draws in DRAWS:
        factor *= max(reach(factor, draws) / distance, 0.1) ** 2
        if factor > most:
            return None
    return factor
