"""Wrong labels from disagreement: bounds that hold whatever the texts, and as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from audit import statistics
from audit.statistics import peer_disagreement, peer_noise


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_noise_and_disagreement_are_each_others_inverse(classes: int) -> None:
    noise = np.linspace(0, (classes - 1) / classes, 50)
    np.testing.assert_allclose(peer_noise(peer_disagreement(noise, classes), classes), noise, atol=1e-7)
    assert peer_noise(1.0, classes) == pytest.approx((classes - 1) / classes)  # as labels drawn at random


def test_with_two_classes_it_is_2e_times_1_minus_e() -> None:
    for e in (0.0, 0.05, 0.1, 0.3, 0.5):
        assert peer_disagreement(e, 2) == pytest.approx(2 * e * (1 - e))
    assert peer_noise(0.18, 2) == pytest.approx(0.1)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_bounds_hold_for_texts_of_any_difficulty(classes: int) -> None:
    """Whatever the labels of each text are drawn from, if its right one is the most frequent."""
    rng = np.random.default_rng(classes)
    for spread in (0.1, 0.3, 1.0, 10.0):
        chances = rng.dirichlet(np.full(classes, spread), size=2000)
        noise, disagreement = float(1 - chances.max(axis=1).mean()), float(1 - (chances**2).sum(axis=1).mean())
        assert float(peer_noise(disagreement, classes)) <= noise + 1e-12
        assert noise <= disagreement + 1e-12


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("share", "uneven"), [(0.05, 0.0), (0.1, 0.1), (0.2, 0.2)])
def test_the_limits_err_no_more_often_than_they_say(classes: int, share: float, uneven: float) -> None:
    """4,000 draws of 400 texts that two people label, wrong at `share`, in one half more often by `uneven`."""
    rng = np.random.default_rng(classes)
    wrong = np.where(rng.random((4000, 400)) < 0.5, share + uneven, share - uneven)
    first, second = (np.where(rng.random(wrong.shape) < wrong, rng.integers(1, classes, wrong.shape), 0) for _ in "12")
    _, low, high = statistics.proportions((first != second).sum(axis=1), 400)
    # 0.025 and three standard errors of 4,000 draws.
    assert (peer_noise(low, classes) > share).mean() <= 0.0325
    assert (high < share).mean() <= 0.0325
