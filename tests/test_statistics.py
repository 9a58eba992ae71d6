"""Intervals against statsmodels, scikit-learn, SciPy and published examples; their coverage by seeded simulation."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import norm, t
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from audit import statistics
from audit.statistics import Interval

Z95 = float(norm.ppf(0.975))


# Proportions


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 7, 30, 999, 25_000])
def test_proportion_is_clopper_pearson(n: int, confidence: float) -> None:
    for successes in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        low, high = proportion_confint(successes, n, alpha=1 - confidence, method="beta")
        expected = (successes / n, low, high)
        assert statistics.proportion(successes, n, confidence) == pytest.approx(expected, abs=1e-12)


def test_proportion_needs_an_observation() -> None:
    with pytest.raises(ValueError, match="at least one observation"):
        statistics.proportion(0, 0)


def test_difference_is_newcombe() -> None:
    counts = [(0, 1), (1, 1), (0, 13), (5, 13), (13, 13), (55, 80), (910, 1000)]
    for ((x1, n1), (x2, n2)), confidence in product(product(counts, counts), (0.9, 0.95, 0.9995)):
        expected = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff", alpha=1 - confidence)
        estimate, low, high = statistics.difference(x1, n1, x2, n2, confidence)
        assert estimate == pytest.approx(x1 / n1 - x2 / n2, abs=1e-12)
        assert (low, high) == pytest.approx(expected, abs=1e-12), (x1, n1, x2, n2)


def test_difference_works_on_arrays_as_on_numbers() -> None:
    x1, n1, x2, n2 = np.array([[3, 5], [0, 9]]), np.array([10, 12]), np.array([4, 4]), 20
    found = np.array(statistics.difference(x1, n1, x2, n2))
    assert found.shape == (3, 2, 2)
    for i, j in product(range(2), range(2)):
        alone = statistics.difference(x1[i, j], n1[j], x2[j], n2)
        np.testing.assert_array_equal(found[:, i, j], np.array(alone))


# Paired differences


def test_paired_difference_of_published_examples() -> None:
    # Fagerland, Lydersen and Laake, "Recommended tests and confidence intervals for paired binomial proportions",
    # Statistics in Medicine 33 (2014): airway hyper-responsiveness of 21 children, Tango's interval.
    found = statistics.paired_difference(1, 7, 21)
    assert tuple(round(value, 3) for value in found) == (-0.286, -0.517, -0.026)
    # Tango (1998), section 5: disinfection of 44 contact lenses, 90 %.
    found = statistics.paired_difference(0, 1, 44, 0.90)
    assert tuple(round(value, 3) for value in found) == (-0.023, -0.096, 0.037)


@pytest.mark.parametrize("n", [1, 10, 353, 10_000])
def test_paired_difference_without_discordant_pairs_has_the_closed_form(n: int) -> None:
    bound = Z95**2 / (n + Z95**2)
    assert statistics.paired_difference(0, 0, n) == pytest.approx((0.0, -bound, bound), abs=1e-9)


def _score(lost: int, gained: int, n: int, delta: float) -> float:
    """The score statistic at a difference, its nuisance parameter found by maximising the likelihood."""

    def unlikelihood(q: float) -> float:  # q: probability of a gained pair
        cells = [(lost, q + delta), (gained, q), (n - lost - gained, 1 - 2 * q - delta)]
        return -sum(count * float(np.log(max(p, 1e-300))) for count, p in cells if count)

    edges = (max(0.0, -delta), (1 - delta) / 2)
    q = minimize_scalar(unlikelihood, bounds=edges, method="bounded", options={"xatol": 1e-12}).x
    variance: float = n * (2 * q + delta - delta**2)
    return float((lost - gained - n * delta) / np.sqrt(variance))


@pytest.mark.parametrize(("lost", "gained", "n"), [(12, 5, 80), (3, 9, 40), (40, 20, 160), (90, 10, 5000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_paired_bounds_invert_the_score_test(lost: int, gained: int, n: int, confidence: float) -> None:
    z = float(norm.ppf((1 + confidence) / 2))
    estimate, low, high = statistics.paired_difference(lost, gained, n, confidence)
    assert estimate == pytest.approx((lost - gained) / n)
    assert _score(lost, gained, n, low) == pytest.approx(z, abs=1e-4)
    assert _score(lost, gained, n, high) == pytest.approx(-z, abs=1e-4)


def test_paired_difference_is_antisymmetric() -> None:
    for lost, gained, n in [(5, 0, 5), (7, 2, 30), (0, 0, 3), (11, 40, 900)]:
        forth = statistics.paired_difference(lost, gained, n)
        back = statistics.paired_difference(gained, lost, n)
        assert forth == pytest.approx((-back.estimate, -back.high, -back.low), abs=1e-9)


@pytest.mark.parametrize(("lost", "gained"), [(0.06, 0.03), (0.20, 0.20), (0.02, 0.0)])
def test_paired_interval_covers_the_truth(lost: float, gained: float) -> None:
    rng = np.random.default_rng(1)
    once = cache(lambda b, c: statistics.paired_difference(b, c, 200))
    draws = rng.multinomial(200, [lost, gained, 1 - lost - gained], size=4000)
    covered = [once(int(b), int(c)).low <= lost - gained <= once(int(b), int(c)).high for b, c, _ in draws]
    assert 0.93 <= np.mean(covered) <= 0.985


def test_paired_difference_needs_a_pair() -> None:
    with pytest.raises(ValueError, match="at least one pair"):
        statistics.paired_difference(0, 0, 0)


# Area under the curve


@pytest.mark.parametrize("values", [3, 10, 100_000])
def test_auc_is_that_of_scikit_learn_with_ties(values: int) -> None:
    rng = np.random.default_rng(values)
    positives, negatives = rng.integers(0, values, 57) + values // 3, rng.integers(0, values, 91)
    truth = np.repeat([1, 0], [57, 91])
    expected = roc_auc_score(truth, np.concatenate([positives, negatives]))
    assert statistics.auc(positives, negatives).estimate == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("shift", "decimals"), [(0.0, 8), (1.0, 8), (1.0, 0), (2.5, 8)])
def test_auc_interval_covers_the_truth(shift: float, decimals: int) -> None:
    rng = np.random.default_rng(2)
    truth = float(norm.cdf(shift / np.sqrt(2)))
    if decimals == 0:  # scores rounded to whole numbers: the truth is that of a large sample
        big = np.round(rng.normal(size=(2, 400_000))), np.round(rng.normal(shift, size=400_000))
        truth = float((big[1] > big[0][0]).mean() + (big[1] == big[0][0]).mean() / 2)
    covered = []
    for _ in range(1000):
        positives, negatives = rng.normal(shift, size=60), rng.normal(size=90)
        found = statistics.auc(np.round(positives, decimals), np.round(negatives, decimals))
        covered.append(found.low <= truth <= found.high)
    assert 0.925 <= np.mean(covered) <= 0.985


@pytest.mark.parametrize("m", [2, 10, 400])
def test_auc_of_separated_scores_keeps_a_width(m: int) -> None:
    bound = 0.025 ** (1 / m)  # the exact lower bound where m of m succeed
    assert statistics.auc(np.arange(m) + 5000, np.arange(1000)) == pytest.approx((1, bound, 1))
    assert statistics.auc(np.arange(1000), np.arange(m) + 5000) == pytest.approx((0, 0, 1 - bound))


def test_auc_of_equal_scores_keeps_a_width() -> None:
    # Two scores a side, all alike, are no evidence that an attacker only guesses.
    estimate, low, high = statistics.auc([1.0, 1.0], [1.0, 1.0])
    assert estimate == 0.5
    assert low < 0.45
    assert high > 0.55


def test_auc_needs_two_scores_a_side() -> None:
    with pytest.raises(ValueError, match="at least two"):
        statistics.auc([1.0], [0.0, 2.0])


# Bootstrap of the confusion matrix


def _mean_recall(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.asarray((hits / confusion.sum(axis=-1)).mean(axis=-1))


def _accuracy(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1)))


def test_confusion_bootstrap_is_the_bootstrap_of_the_rows() -> None:
    confusion = np.array([[80, 12, 8], [9, 41, 10], [20, 5, 115]])
    truth, said = (np.repeat(index.ravel(), confusion.ravel()) for index in np.indices((3, 3)))
    rng = np.random.default_rng(3)
    rows = rng.integers(0, len(truth), size=(4000, len(truth)))
    cells = (truth * 3 + said)[rows]
    literal = np.array([np.bincount(row, minlength=9) for row in cells]).reshape(-1, 3, 3)

    drawn: list[NDArray[np.float64]] = []

    def statistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn.append(values)
        return _mean_recall(values)

    found = statistics.confusion_bootstrap(confusion, statistic, resamples=20_000)
    draws = max(drawn, key=np.size)
    assert draws.shape == (20_000, 3, 3)
    assert (draws.sum(axis=(1, 2)) == confusion.sum()).all()
    np.testing.assert_allclose(draws.mean(axis=0), literal.mean(axis=0), atol=0.8)
    np.testing.assert_allclose(draws.std(axis=0), literal.std(axis=0), rtol=0.06)

    values = _mean_recall(literal.astype(float))
    slack = 0.15 * values.std()  # about three standard errors of a quantile of 4,000 draws
    assert found.estimate == pytest.approx(np.mean([80 / 100, 41 / 60, 115 / 140]))
    assert found.low == pytest.approx(np.quantile(values, 0.025), abs=slack)
    assert found.high == pytest.approx(np.quantile(values, 0.975), abs=slack)


def test_confusion_bootstrap_repeats_with_its_seed() -> None:
    confusion = np.array([[30, 6], [9, 25]])
    first, again, other = (statistics.confusion_bootstrap(confusion, _mean_recall, seed=s) for s in (0, 0, 1))
    assert first == again
    assert first != other


def test_confusion_bootstrap_of_perfect_predictions_has_width() -> None:
    found = statistics.confusion_bootstrap(np.diag([40, 12]), _mean_recall)
    assert found == pytest.approx((1.0, 0.025 ** (1 / 12), 1.0))  # exact bound where 12 of 12 succeed


def test_confusion_bootstrap_of_wrong_predictions_has_width() -> None:
    # Ten wrong answers do not prove that the model is never right.
    found = statistics.confusion_bootstrap(np.array([[0, 5], [5, 0]]), _accuracy)
    assert found.estimate == 0
    assert found.high > 0.1


# Gaps over groups


def _groups(rng: np.random.Generator, accuracies: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Right answers of each group, shape (2, groups) with their numbers."""
    n = np.full(len(accuracies), total // len(accuracies))
    return np.array([rng.binomial(n, accuracies), n])


def test_gap_calls_fair_groups_fair_where_a_plain_bootstrap_does_not() -> None:
    rng = np.random.default_rng(4)
    ours, plain, points = [], [], []
    for _ in range(400):
        right, n = _groups(rng, np.full(12, 0.9), 25_000)
        found = statistics.gap(right, n)
        ours.append(found.low)
        points.append(found.estimate)
        resampled = rng.binomial(n, right / n, size=(400, 12)) / n
        plain.append(np.quantile(np.ptp(resampled, axis=1), 0.025))
    assert np.mean(np.array(ours) > 0.02) <= 0.025
    assert np.mean(np.array(ours) > 0) <= 0.025
    # What this module does not do, and why: ten times the nominal error at 0.02, and never the truth, which is 0.
    assert np.mean(np.array(plain) > 0.02) >= 0.2
    assert np.mean(np.array(plain) > 0.01) >= 0.99
    assert np.mean(np.array(points) > 0.02) >= 0.5


def test_gap_errs_at_most_nominally_where_there_is_none() -> None:
    rng = np.random.default_rng(5)
    draws = [statistics.gap(*_groups(rng, np.full(4, 0.8), 2000)) for _ in range(2000)]
    assert np.mean([found.low > 0 for found in draws]) <= 0.025 + 0.01


def test_gap_finds_a_large_one() -> None:
    rng = np.random.default_rng(6)
    accuracies = np.array([0.9] * 11 + [0.8])
    found = [statistics.gap(*_groups(rng, accuracies, 25_000)) for _ in range(300)]
    assert np.mean([interval.low > 0.05 for interval in found]) >= 0.9


@pytest.mark.parametrize("accuracies", [[0.9, 0.8], [0.9, 0.9, 0.7], [0.95, 0.9, 0.85, 0.8], [0.9] * 12])
def test_gap_upper_bound_covers_the_truth(accuracies: list[float]) -> None:
    rng = np.random.default_rng(7)
    truth = max(accuracies) - min(accuracies)
    found = [statistics.gap(*_groups(rng, np.array(accuracies), 1200)) for _ in range(1500)]
    assert np.mean([interval.high >= truth for interval in found]) >= 0.975 - 0.012
    assert np.mean([interval.low <= truth for interval in found]) >= 0.975 - 0.012


@pytest.mark.parametrize(("right", "n"), [((90, 70), (100, 100)), ((7, 9), (11, 10)), ((30, 30), (30, 30))])
def test_gap_of_two_groups_is_newcombe(right: tuple[int, int], n: tuple[int, int]) -> None:
    (x1, x2), (n1, n2) = right, n
    found = statistics.gap(right, n)
    low, high = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff", alpha=0.05)
    assert found.estimate == pytest.approx(abs(x1 / n1 - x2 / n2), abs=1e-12)
    assert found.high == pytest.approx(max(high, -low), abs=1e-12)
    # Either group may be the better one: two looks, each at half the error.
    low, high = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff", alpha=0.025)
    assert found.low == pytest.approx(max(0, low, -high), abs=1e-12)


def test_gap_runs_over_all_parts_and_stays_within_them() -> None:
    right, n = np.array([[90, 80, 85], [50, 52, 10]]), np.array([[100, 100, 100], [60, 60, 60]])
    found = statistics.gap(right, n)
    assert found.estimate == pytest.approx(42 / 60)
    assert found.high == pytest.approx(
        confint_proportions_2indep(52, 60, 10, 60, method="newcomb", compare="diff", alpha=0.05)[1]
    )
    # Twelve parts: two rates, six ordered pairs each.
    assert found.low == pytest.approx(
        confint_proportions_2indep(52, 60, 10, 60, method="newcomb", compare="diff", alpha=0.05 / 12)[0]
    )


def test_gap_with_an_empty_group_is_open_above() -> None:
    found = statistics.gap([80, 85, 0], [100, 100, 0])
    assert found.estimate == pytest.approx(0.05)
    assert found.high == 1
    assert statistics.gap([80, 85], [100, 100]).high < 1


@pytest.mark.parametrize(("right", "n"), [([3], [5]), ([3, 0], [5, 0]), ([[1, 0], [0, 2]], [[2, 0], [0, 3]])])
def test_gap_needs_two_groups(right: object, n: object) -> None:
    with pytest.raises(ValueError, match="two groups"):
        statistics.gap(right, n)  # type: ignore[arg-type]


def test_smallest_proportion_mirrors_the_gap() -> None:
    right, n = [45, 90, 9], [50, 100, 12]
    found = statistics.smallest_proportion(right, n)
    assert found.estimate == 0.75
    pairs = list(zip(right, n, strict=True))
    assert found.low == pytest.approx(min(proportion_confint(x, m, 0.05, "beta")[0] for x, m in pairs))
    assert found.high == pytest.approx(min(proportion_confint(x, m, 0.05 / 3, "beta")[1] for x, m in pairs))


def test_smallest_proportion_covers_the_truth() -> None:
    rng = np.random.default_rng(8)
    n = np.full(6, 150)
    found = [statistics.smallest_proportion(rng.binomial(n, 0.85), n) for _ in range(600)]
    assert np.mean([interval.low <= 0.85 for interval in found]) >= 0.975 - 0.02
    assert np.mean([interval.high >= 0.85 for interval in found]) >= 0.975 - 0.02


# How many examples would settle it


@pytest.mark.parametrize(
    ("right", "n", "gate"),
    [
        (3488, 4000, 0.88),
        (3488, 4000, 0.865),
        (1820, 2000, 0.90),
        (110, 200, 0.60),
        (45, 50, 0.80),
        (6, 200, 0.05),
        (97, 100, 0.95),
    ],
)
def test_sample_to_settle_settles(right: int, n: int, gate: float) -> None:
    estimate, low, high = statistics.proportion(right, n)
    assert low < gate < high  # it is open with the first sample
    size = statistics.sample_to_settle(estimate, high if gate > estimate else low, gate, n)
    assert size is not None
    assert size > n
    assert _settled(estimate, gate, size) >= 0.85
    assert _settled(estimate, gate, size // 4) < 0.85  # and it is not a number that is merely safe


def _settled(truth: float, gate: float, size: int) -> float:
    """How often a sample of this size clears the gate."""
    once = cache(lambda x: statistics.proportion(x, size))
    found = [once(int(x)) for x in np.random.default_rng(9).binomial(size, truth, size=4000)]
    return float(np.mean([part.high < gate if gate > truth else part.low >= gate for part in found]))


def test_sample_to_settle_has_no_answer_on_the_gate() -> None:
    assert statistics.sample_to_settle(0.9, 0.92, 0.9, 100) is None
    assert statistics.sample_to_settle(0.9, 0.9, 0.8, 100) is None  # a census leaves nothing to sample


def test_sample_to_settle_grows_with_the_square_of_nearness() -> None:
    far = statistics.sample_to_settle(0.90, 0.95, 0.92, 100)
    near = statistics.sample_to_settle(0.90, 0.95, 0.91, 100)
    assert far is not None
    assert near is not None
    assert near == pytest.approx(4 * far, rel=0.01)


# Means


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_mean_is_that_of_students_t(confidence: float) -> None:
    values = np.random.default_rng(10).gamma(2.0, 3.0, size=7)
    error = values.std(ddof=1) / np.sqrt(7)
    expected = t.interval(confidence, df=6, loc=values.mean(), scale=error)
    assert statistics.mean(values, confidence) == pytest.approx((values.mean(), *expected), abs=1e-12)


def test_mean_needs_two_values() -> None:
    with pytest.raises(ValueError, match="at least two"):
        statistics.mean([3.0])


def test_an_interval_unpacks_in_the_order_of_its_names() -> None:
    estimate, low, high = Interval(estimate=0.5, low=0.4, high=0.6)
    assert (low, estimate, high) == (0.4, 0.5, 0.6)
