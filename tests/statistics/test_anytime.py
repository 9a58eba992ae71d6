"""Intervals that hold at whichever size of a growing sample one looks: by their formula, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from audit import statistics


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize("n", [40, 300, 1_000, 50_000])
def test_the_width_is_that_of_the_normal_mixture(confidence: float, n: int) -> None:
    """Robbins (1970): with prior variance 1/ρ the mixture is 1/α where S² is (n + ρ) log((n + ρ) / ρα²)."""
    alpha = 1 - confidence
    rho = 1_000 / (-2 * np.log(alpha) + np.log(1 - 2 * np.log(alpha)))
    bound = np.sqrt((n + rho) * np.log((n + rho) / (rho * alpha**2)))

    def mixture(total: float) -> float:
        return float(np.sqrt(rho / (n + rho)) * np.exp(total**2 / (2 * (n + rho))))

    assert mixture(bound) == pytest.approx(1 / alpha)
    level = statistics.anytime_confidence(confidence, n)
    assert stats.norm.isf((1 - level) / 2) == pytest.approx(bound / np.sqrt(n), rel=1e-3)


def test_looking_costs_least_at_about_a_thousand_examples() -> None:
    levels = {n: statistics.anytime_confidence(0.95, n) for n in (10, 100, 1_000, 10_000, 100_000)}
    assert min(levels, key=lambda n: levels[n]) == 1_000
    assert stats.norm.isf((1 - levels[1_000]) / 2) < 1.6 * 1.96


@pytest.mark.parametrize("truth", [0.02, 0.3])
def test_somebody_who_looks_until_it_passes_passes_a_bad_model_no_more_often_than_said(truth: float) -> None:
    rng, draws, step = np.random.default_rng(0), 1_000, 40
    sizes = np.arange(step, 4_001, step)
    hits = rng.binomial(step, truth, (draws, len(sizes))).cumsum(axis=1)

    def wrong(level: float | None) -> tuple[float, float]:
        passes, fails = np.zeros(draws, bool), np.zeros(draws, bool)
        for i, n in enumerate(sizes):
            confidence = statistics.anytime_confidence(0.95, int(n)) if level is None else level
            _, low, high = statistics.proportions(hits[:, i], np.full(draws, n), confidence)
            passes |= high <= truth
            fails |= low > truth
        return float(passes.mean()), float(fails.mean())

    worst = 0.025 + 3 * np.sqrt(0.025 * 0.975 / draws)
    assert max(wrong(None)) <= worst
    assert min(wrong(0.95)) > worst


def test_of_a_few_examples_it_is_still_a_confidence() -> None:
    assert 0.999999 < statistics.anytime_confidence(0.95, 1) < 1


def test_there_is_no_look_at_nothing() -> None:
    with pytest.raises(ValueError, match="an example to look at"):
        statistics.anytime_confidence(0.95, 0)
