"""Neighbouring values that go together are seen, and only as often as said where the order of rows means nothing."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest
from statsmodels.tsa.stattools import acf

from audit.statistics import serial_correlation


def _independent(n: int, rate: float, rng: np.random.Generator) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Errors in a file that is sorted by label, of which one has four times the errors of the other."""
    labels = np.sort(rng.integers(0, 2, n))
    return rng.random(n) < np.where(labels == 1, 1.6, 0.4) * rate, labels


def _of_authors(n: int, size: int, correlation: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Errors of authors whose rows stand together: beta-binomial, on average one in ten."""
    spread = (1 - correlation) / correlation
    rates = np.repeat(rng.beta(0.1 * spread, 0.9 * spread, n // size), size)
    return np.asarray(rng.random(n) < rates)


def test_correlations_are_those_of_statsmodels() -> None:
    values = np.random.default_rng(0).normal(size=500).cumsum()
    found = serial_correlation(values, np.zeros(500), lags=3, draws=19)
    np.testing.assert_allclose(found.correlations, acf(values, nlags=3, fft=False)[1:], atol=1e-12)
    assert found.p == 1 / 20


@pytest.mark.slow("repeats a permutation test", seconds=5)
@pytest.mark.parametrize(("n", "rate"), [(300, 0.03), (1_000, 0.1)])
def test_independent_rows_are_suspected_as_rarely_as_said(n: int, rate: float) -> None:
    rng, repeats = np.random.default_rng(1), 1_000
    p = np.array([serial_correlation(*_independent(n, rate, rng), draws=199).p for _ in range(repeats)])
    for level in (0.01, 0.05, 0.2):
        assert binomtest(int((p <= level).sum()), repeats, level, alternative="greater").pvalue > 0.001
    # Without the strata, the sorted labels alone would pass for authors.
    plain = [serial_correlation(_independent(3_000, 0.3, rng)[0], np.zeros(3_000), draws=99).p for _ in range(20)]
    assert max(plain) == 0.01


@pytest.mark.slow("repeats a permutation test", seconds=5)
def test_authors_are_found_and_their_design_effect_is_not_overstated() -> None:
    rng = np.random.default_rng(2)
    for size, correlation in ((5, 0.2), (20, 0.1)):
        found = [serial_correlation(_of_authors(3_000, size, correlation, rng), np.zeros(3_000)) for _ in range(8)]
        assert sorted(each.p for each in found)[5] == 1 / 2_000
        # Kish: 1 + (size - 1) * correlation. Rows more than two apart count as independent here.
        two_lags = 1 + 2 * correlation * ((size - 1) / size + (size - 2) / size)
        assert np.mean([each.design_effect for each in found]) == pytest.approx(two_lags, abs=0.1)
        assert two_lags < 1 + (size - 1) * correlation


def test_values_that_do_not_differ_within_strata_say_nothing() -> None:
    assert serial_correlation([1, 1, 0, 0], [1, 1, 0, 0]) == ((0.0, 0.0), 1.0)
    with pytest.raises(ValueError, match="no neighbours"):
        serial_correlation([1, 0], [0, 0])
