"""Each attack against its formula, written out once more with loops."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from audit.probes.privacy import membership_attacks

RNG = np.random.default_rng(0)
CHANCES = RNG.uniform(0.02, 0.98, 12)
REFERENCES = RNG.uniform(0.02, 0.98, (3, 12))
POPULATION = RNG.uniform(0.02, 0.98, 9)
REFERENCE_POPULATION = RNG.uniform(0.02, 0.98, (3, 9))


@pytest.mark.parametrize("a", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_rmia_is_its_formula(a: float, gamma: float) -> None:
    def ratio(p: float, out: list[float]) -> float:
        p_out = sum(out) / len(out)
        p_in = a * p_out + (1 - a)
        return p / (0.5 * (p_in + p_out))

    expected = []
    for i in range(12):
        passed = 0
        for j in range(9):
            x = ratio(CHANCES[i], [REFERENCES[r, i] for r in range(3)])
            z = ratio(POPULATION[j], [REFERENCE_POPULATION[r, j] for r in range(3)])
            passed += x / z >= gamma
        expected.append(passed / 9)
    found = membership_attacks.rmia(CHANCES, REFERENCES, POPULATION, REFERENCE_POPULATION, a=a, gamma=gamma)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_at_gamma_one_rmia_ranks_by_the_likelihood_ratio() -> None:
    found = membership_attacks.rmia(CHANCES, REFERENCES, CHANCES, REFERENCES, a=0.4)
    ratio = membership_attacks.likelihood_ratio(CHANCES, REFERENCES, 0.4)
    np.testing.assert_array_equal(np.argsort(found), np.argsort(ratio))
    assert len(set(found)) == 12  # as its own population no two examples are tied


@pytest.mark.parametrize("a", [-0.1, 1.1])
def test_the_offline_factor_is_a_share(a: float) -> None:
    with pytest.raises(ValueError, match=r"0 … 1"):
        membership_attacks.rmia(CHANCES, REFERENCES, CHANCES, REFERENCES, a=a)


def test_lira_is_its_formula() -> None:
    probabilities = RNG.dirichlet(np.ones(3), (4, 12))  # target and three references
    labels = RNG.integers(0, 3, 12)
    scaled = np.array([membership_attacks.scaled_confidence(p, labels) for p in probabilities])

    def phi(row: int, i: int) -> float:
        p = probabilities[row, i, labels[i]]
        return math.log(p / (1 - p))

    means = [sum(phi(r, i) for r in (1, 2, 3)) / 3 for i in range(12)]
    variance = sum(sum((phi(r, i) - means[i]) ** 2 for r in (1, 2, 3)) / 2 for i in range(12)) / 12
    expected = [-math.log(1 - NormalDist(means[i], math.sqrt(variance)).cdf(phi(0, i))) for i in range(12)]
    np.testing.assert_allclose(membership_attacks.lira_offline(scaled[0], scaled[1:]), expected, rtol=1e-9)


def test_lira_with_many_references_gives_each_example_its_own_variance() -> None:
    out = RNG.normal(size=(membership_attacks.ENOUGH_REFERENCES, 2)) * [0.1, 10.0]
    found = membership_attacks.lira_offline(np.array([1.0, 1.0]), out)
    assert found[0] > 20 > 2 > found[1]


def test_lira_needs_two_references_and_tells_sure_members_apart() -> None:
    with pytest.raises(ValueError, match="two"):
        membership_attacks.lira_offline(CHANCES, REFERENCES[:1])
    # The one-sided p of both is rounded to 0; their order is kept.
    found = membership_attacks.lira_offline(np.array([50.0, 60.0]), np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert found[0] < found[1] < np.inf


def test_a_confidence_rounded_to_one_stays_finite() -> None:
    found = membership_attacks.scaled_confidence(
        np.array([[1.0, 0.0], [0.0, 1.0], [1 - 1e-5, 1e-5]], dtype=np.float32), [0, 0, 0]
    )
    assert np.isfinite(found).all()
    assert found[0] > found[2] > found[1]


def test_the_simple_attacks_are_differences_of_losses() -> None:
    losses, reference = np.array([0.1, 2.0]), np.array([[0.2, 3.0], [0.4, 1.0]])
    np.testing.assert_allclose(membership_attacks.loss_threshold(losses), [-0.1, -2.0])
    np.testing.assert_allclose(membership_attacks.calibrated_loss(losses, reference), [0.2, 0.0])
