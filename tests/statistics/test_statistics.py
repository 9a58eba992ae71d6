"""Intervals against statsmodels, scikit-learn, SciPy and published examples; their coverage by seeded simulation."""

from __future__ import annotations

import time
from functools import cache, partial
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import binom, bootstrap, multinomial, norm, t
from sklearn.metrics import (
    balanced_accuracy_score,
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    matthews_corrcoef,
    mean_absolute_error,
    roc_auc_score,
)
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from audit import statistics
from audit.statistics import Interval, ordinal

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


def test_difference_with_score_limits_is_newcombes() -> None:
    counts = [(0, 1), (1, 1), (0, 13), (5, 13), (13, 13), (55, 80), (910, 1000)]
    for ((x1, n1), (x2, n2)), confidence in product(product(counts, counts), (0.9, 0.95, 0.9995)):
        expected = confint_proportions_2indep(x1, n1, x2, n2, method="newcomb", compare="diff", alpha=1 - confidence)
        estimate, low, high = statistics.difference(x1, n1, x2, n2, confidence, limits="score")
        assert estimate == pytest.approx(x1 / n1 - x2 / n2, abs=1e-12)
        assert (low, high) == pytest.approx(expected, abs=1e-12), (x1, n1, x2, n2)


def _in_squares(x1: int, n1: int, x2: int, n2: int, alpha: float) -> tuple[float, float]:
    """Bounds of a difference from statsmodels' exact limits of the two shares."""
    (low1, high1), (low2, high2) = (proportion_confint(x, n, alpha, "beta") for x, n in ((x1, n1), (x2, n2)))
    p1, p2 = x1 / n1, x2 / n2
    return p1 - p2 - float(np.hypot(p1 - low1, high2 - p2)), p1 - p2 + float(np.hypot(high1 - p1, p2 - low2))


def test_difference_adds_exact_limits_in_squares() -> None:
    counts = [(10, 20), (17, 30), (55, 80), (910, 1000), (990, 1000)]
    for ((x1, n1), (x2, n2)), confidence in product(product(counts, counts), (0.9, 0.95, 0.9995)):
        _, low, high = statistics.difference(x1, n1, x2, n2, confidence)
        assert (low, high) == pytest.approx(_in_squares(x1, n1, x2, n2, 1 - confidence), abs=1e-12), (x1, n1, x2, n2)


def test_difference_of_few_is_that_of_the_limits_themselves() -> None:
    (low1, high1), (low2, high2) = proportion_confint(3, 10, 0.025, "beta"), proportion_confint(70, 100, 0.025, "beta")
    _, low, high = statistics.difference(3, 10, 70, 100)
    assert (low, high) == pytest.approx((low1 - high2, high1 - low2), abs=1e-12)


@pytest.mark.parametrize(("n1", "n2"), [(5, 60), (30, 30), (40, 300), (30, 800)])
def test_difference_errs_at_most_nominally_on_each_side(n1: int, n2: int) -> None:
    # Not simulated but summed over all outcomes. Newcombe's own limits err up to five times as often as nominal.
    x1, x2 = np.arange(n1 + 1)[:, None], np.arange(n2 + 1)
    _, low, high = statistics.difference(x1, n1, x2, n2)
    _, score_low, score_high = statistics.difference(x1, n1, x2, n2, limits="score")
    worst, worst_of_score = 0.0, 0.0
    for p1, p2 in product((0.35, 0.5, 0.8, 0.9, 0.95, 0.97, 0.99), repeat=2):
        chance = binom.pmf(x1, n1, p1) * binom.pmf(x2, n2, p2)
        above, below = p1 - p2 + 1e-12, p1 - p2 - 1e-12
        worst = max(worst, float(chance[low > above].sum()), float(chance[high < below].sum()))
        sides = float(chance[score_low > above].sum()), float(chance[score_high < below].sum())
        worst_of_score = max(worst_of_score, *sides)
    assert 0.001 < worst <= 0.025 * 1.02
    assert worst_of_score > 0.03


def test_difference_without_observations_says_nothing() -> None:
    estimate, low, high = statistics.difference([5, 0], [9, 0], [0, 3], [0, 8])
    assert np.isnan(estimate).all()
    assert (low.tolist(), high.tolist()) == ([-1, -1], [1, 1])


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
    found = statistics.paired_difference(1, 7, 21, limits="score")
    assert tuple(round(value, 3) for value in found) == (-0.286, -0.517, -0.026)
    # Tango (1998), section 5: disinfection of 44 contact lenses, 90 %.
    found = statistics.paired_difference(0, 1, 44, 0.90, limits="score")
    assert tuple(round(value, 3) for value in found) == (-0.023, -0.096, 0.037)


@pytest.mark.parametrize("n", [1, 10, 353, 10_000])
def test_paired_difference_without_discordant_pairs_has_the_closed_form(n: int) -> None:
    bound = Z95**2 / (n + Z95**2)
    assert statistics.paired_difference(0, 0, n, limits="score") == pytest.approx((0.0, -bound, bound), abs=1e-9)
    bound = 1 - 0.025 ** (1 / n)  # the exact limit of a share where none of n has it
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
    estimate, low, high = statistics.paired_difference(lost, gained, n, confidence, limits="score")
    assert estimate == pytest.approx((lost - gained) / n)
    assert _score(lost, gained, n, low) == pytest.approx(z, abs=1e-4)
    assert _score(lost, gained, n, high) == pytest.approx(-z, abs=1e-4)


def test_paired_difference_is_antisymmetric() -> None:
    for lost, gained, n in [(5, 0, 5), (7, 2, 30), (0, 0, 3), (11, 40, 900)]:
        forth = statistics.paired_difference(lost, gained, n)
        back = statistics.paired_difference(gained, lost, n)
        assert forth == pytest.approx((-back.estimate, -back.high, -back.low), abs=1e-9)


@pytest.mark.parametrize(("lost", "gained"), [(0.1, 0.01), (0.05, 0.0), (0.2, 0.2), (0.01, 0.3)])
def test_paired_difference_errs_at_most_nominally_on_each_side(lost: float, gained: float) -> None:
    n = 60
    b, c = (index[np.tril_indices(n + 1)] for index in np.indices((n + 1, n + 1)))
    b, c = b - c, c  # all outcomes with b + c <= n
    chance = multinomial.pmf(np.stack([b, c, n - b - c], axis=1), n, [lost, gained, 1 - lost - gained])
    _, low, high = statistics.paired_differences(b, c, n)
    assert chance.sum() == pytest.approx(1)
    assert chance[low > lost - gained + 1e-12].sum() <= 0.025
    assert chance[high < lost - gained - 1e-12].sum() <= 0.025
    assert chance[(low > lost - gained) | (high < lost - gained)].sum() >= 0.001  # and is not endlessly wide


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (5, 5), (12, 3), (1, 30)])
def test_mcnemar_is_that_of_statsmodels(lost: int, gained: int) -> None:
    expected = statsmodels_mcnemar([[40, lost], [gained, 60]], exact=True).pvalue
    assert statistics.mcnemar(lost, gained) == pytest.approx(expected)


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
    assert 0.925 <= np.mean(covered) <= 0.995


def _mislabelled(
    rng: np.random.Generator, m: int, n: int, wrong: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores of a classifier that errs never, some of whose test labels do: positives and negatives as labelled."""
    positives = rng.normal(12.0 * (rng.random(m) >= wrong))
    return positives, rng.normal(12.0 * (rng.random(n) < wrong))


@pytest.mark.slow("simulates many data sets", seconds=2)
@pytest.mark.parametrize(("m", "n", "wrong"), [(100, 2000, 0.01), (150, 3000, 0.02), (500, 5000, 0.01)])
def test_auc_interval_holds_where_it_hangs_on_few_wrong_labels(m: int, n: int, wrong: float) -> None:
    rng, draws, truth = np.random.default_rng(3), 500, 1 - wrong
    above = below = 0
    for _ in range(draws):
        found = statistics.auc(*_mislabelled(rng, m, n, wrong))
        above, below = above + (found.low > truth), below + (found.high < truth)
    # Limits on the logit scale from DeLong's variance lie above the truth in 33, 14 and 8 % of samples.
    assert max(above, below) <= draws * (0.025 + 3 * np.sqrt(0.025 * 0.975 / draws))


def test_auc_interval_of_plain_scores_is_about_as_narrow_as_delongs() -> None:
    rng = np.random.default_rng(4)
    positives, negatives = rng.normal(1.0, size=600), rng.normal(size=900)
    wins = positives[:, None] > negatives  # (600, 900)
    error = np.sqrt(wins.mean(axis=1).var(ddof=1) / 600 + wins.mean(axis=0).var(ddof=1) / 900)
    estimate, low, high = statistics.auc(positives, negatives)
    assert estimate == pytest.approx(wins.mean(), abs=1e-12)
    assert estimate - low == pytest.approx(1.96 * error, rel=0.08)
    assert high - estimate == pytest.approx(1.96 * error, rel=0.08)


@pytest.mark.parametrize("wrong", [5, 10, 40])
def test_auc_interval_is_about_that_of_a_share_where_wrong_positives_lose_to_all(wrong: int) -> None:
    positives = np.r_[np.full(wrong, -1.0), np.full(400 - wrong, 1.0)]
    _, low, high = statistics.auc(positives, np.zeros(5000))
    expected = proportion_confint(400 - wrong, 400, method="jeffreys")
    assert (low, high) == pytest.approx(expected, abs=0.1 * (expected[1] - expected[0]))


def test_auc_interval_of_swapped_sides_is_its_mirror() -> None:
    rng = np.random.default_rng(5)
    positives, negatives = rng.normal(1.0, size=150), rng.normal(size=250)
    estimate, low, high = statistics.auc(positives, negatives)
    assert statistics.auc(negatives, positives) == pytest.approx((1 - estimate, 1 - high, 1 - low), abs=1e-12)


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


def test_functions_of_the_confusion_matrix_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(31)
    for classes in (2, 3, 7):
        truth, said = rng.integers(0, classes, 300), rng.integers(0, classes, 300)
        said = np.where(rng.random(300) < 0.7, truth, said)
        confusion = confusion_matrix(truth, said).astype(float)
        assert statistics.balanced_accuracy_of(confusion) == pytest.approx(balanced_accuracy_score(truth, said))
        assert statistics.macro_f1_of(confusion) == pytest.approx(f1_score(truth, said, average="macro"))
        assert statistics.mcc_of(confusion) == pytest.approx(matthews_corrcoef(truth, said))
        kappa = cohen_kappa_score(truth, said, weights="quadratic")
        assert statistics.quadratic_kappa_of(confusion) == pytest.approx(kappa)
        assert statistics.mean_distance_of(confusion) == pytest.approx(mean_absolute_error(truth, said))
    assert statistics.mcc_of(np.array([[5.0, 0], [9, 0]])) == 0


CONFUSION = np.array([[80, 12, 8], [9, 41, 10], [20, 5, 115]])


def test_confusion_bootstrap_draws_what_resampled_rows_give() -> None:
    truth, said = (np.repeat(index.ravel(), CONFUSION.ravel()) for index in np.indices((3, 3)))
    rng = np.random.default_rng(3)
    rows = rng.integers(0, len(truth), size=(4000, len(truth)))
    cells = (truth * 3 + said)[rows]
    literal = np.array([np.bincount(row, minlength=9) for row in cells]).reshape(-1, 3, 3)
    drawn: list[NDArray[np.float64]] = []

    def statistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
        drawn.append(values)
        return statistics.balanced_accuracy_of(values)

    statistics.confusion_bootstrap(CONFUSION, statistic, resamples=20_000)
    draws = max(drawn, key=np.size)
    assert draws.shape == (20_000, 3, 3)
    assert (draws.sum(axis=(1, 2)) == CONFUSION.sum()).all()
    np.testing.assert_allclose(draws.mean(axis=0), literal.mean(axis=0), atol=0.8)
    np.testing.assert_allclose(draws.std(axis=0), literal.std(axis=0), rtol=0.06)


@pytest.mark.slow("resamples row by row, as SciPy does", seconds=4)
def test_confusion_bootstrap_is_scipys_bca_of_the_rows() -> None:
    truth, said = (np.repeat(index.ravel(), CONFUSION.ravel()) for index in np.indices((3, 3)))

    def mcc(rows: NDArray[np.int64]) -> float:
        return float(matthews_corrcoef(truth[rows], said[rows]))

    values = bootstrap((np.arange(len(truth)),), mcc, n_resamples=1500, vectorized=False, rng=np.random.default_rng(32))
    found = statistics.mcc(CONFUSION, resamples=50_000)
    slack = 0.15 * float(values.standard_error)  # three standard errors of a quantile of so few resamples
    assert found.low == pytest.approx(values.confidence_interval.low, abs=slack)
    assert found.high == pytest.approx(values.confidence_interval.high, abs=slack)


def test_confusion_bootstrap_repeats_with_its_seed() -> None:
    confusion = np.array([[30, 6], [9, 25]])
    first, again, other = (statistics.macro_f1(confusion, seed=s) for s in (0, 0, 1))
    assert first == again
    assert first != other


def test_bounds_of_perfect_answers_are_exact() -> None:
    perfect = np.diag([40, 12])
    # Of the smaller class 12 of 12 succeed, at half the error since there are two.
    lows = [(0.0125) ** (1 / n) for n in (40, 12)]
    assert statistics.balanced_accuracy(perfect) == pytest.approx((1, np.mean(lows), 1))
    assert statistics.macro_f1(perfect) == pytest.approx((1, np.mean([2 * j / (1 + j) for j in lows]), 1))
    quarter = [(0.00625) ** (1 / n) for n in (40, 12)]
    expected = np.prod(quarter) - np.prod([1 - j for j in quarter])
    assert statistics.mcc(perfect) == pytest.approx((1, expected, 1))


def test_bounds_of_wrong_answers_keep_a_width() -> None:
    # Ten wrong answers do not prove that the model is never right.
    wrong = np.array([[0, 5], [5, 0]])
    assert statistics.balanced_accuracy(wrong).high > 0.1
    assert statistics.macro_f1(wrong).high > 0.1
    assert statistics.mcc(wrong).high > -0.9


def test_a_statistic_without_exact_bounds_is_open_where_cells_are_empty() -> None:
    found = statistics.confusion_bootstrap(np.diag([40, 12]), _accuracy, possible=(0, 1))
    assert found == (1, 0, 1)


def test_one_answer_to_all_texts_of_three_classes_has_hardly_any_correlation() -> None:
    found = statistics.mcc(np.array([[1000, 0, 0], [900, 0, 0], [1100, 0, 0]]))
    assert -0.11 < found.low < found.estimate == 0 < found.high < 0.11


@pytest.mark.parametrize("others", [0.002, 0.02, 0.1])
@pytest.mark.parametrize("are_right", [True, False])
def test_bounds_of_nearly_one_answer_hold_the_correlation(others: float, are_right: bool) -> None:
    # All but few answers are the first class; the few are all right, or all wrong.
    shares = np.array([[0.4, 0, 0], [0.3, 0, 0], [0.3, 0, 0]])
    shares[1, 0] -= others
    shares[1, 1 if are_right else 2] = others
    true = float(statistics.mcc_of(shares))
    draws = np.random.default_rng(7).multinomial(300, shares.ravel(), 1000).reshape(-1, 3, 3).astype(float)
    bounds = np.array([statistics.exact_mcc(each, 0.95) for each in draws])
    assert (bounds[:, 0] > true).mean() <= 0.025
    assert (bounds[:, 1] < true).mean() <= 0.025


@pytest.mark.parametrize(
    ("n", "diagonal", "shares"),
    [(40, 0.95, (0.5, 0.5)), (150, 0.9, (0.9, 0.1)), (400, 0.85, (0.5, 0.5)), (90, 0.8, (0.6, 0.3, 0.1))],
)
@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1", "mcc"])
def test_functions_of_the_confusion_matrix_cover_the_truth(
    name: str, n: int, diagonal: float, shares: tuple[float, ...]
) -> None:
    k = len(shares)
    chances = np.full((k, k), (1 - diagonal) / (k - 1))
    np.fill_diagonal(chances, diagonal)
    chances *= np.array(shares)[:, None]
    truth = float(getattr(statistics, f"{name}_of")(chances))
    rng = np.random.default_rng(33)
    draws = rng.multinomial(n, chances.ravel(), size=600).reshape(-1, k, k)
    found = [getattr(statistics, name)(one, resamples=400, seed=i) for i, one in enumerate(draws)]
    assert np.mean([part.low > truth for part in found]) <= 0.025 + 0.02
    assert np.mean([part.high < truth for part in found]) <= 0.025 + 0.02


# Ordered classes


def _stars(
    n: int, near: float, seed: int, draws: int, far: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Chances of truth and answer among five classes, most answers near the truth, and matrices of n examples."""
    away = np.abs(np.arange(5)[:, None] - np.arange(5))
    chances = (np.exp(-near * away) + far * (away > 1)) * np.array([0.3, 0.1, 0.15, 0.15, 0.3])[:, None]
    chances /= chances.sum()
    return chances, np.random.default_rng(seed).multinomial(n, chances.ravel(), size=draws).reshape(-1, 5, 5)


@pytest.mark.slow("simulates many data sets", seconds=4)
@pytest.mark.parametrize(("n", "near", "far"), [(40, 3.0, 0), (250, 2.0, 0.004), (600, 1.2, 0), (1000, 4.0, 0.004)])
def test_measures_of_ordered_classes_cover_the_truth(n: int, near: float, far: float) -> None:
    chances, draws = _stars(n, near, 36, 400, far)
    for measure in (statistics.mean_distance(5), statistics.quadratic_kappa):
        truth = float(measure.of(chances))
        found = [measure(one, resamples=400, seed=i) for i, one in enumerate(draws)]
        assert np.mean([part.low > truth for part in found]) <= 0.025 + 0.023
        assert np.mean([part.high < truth for part in found]) <= 0.025 + 0.023


def test_exact_bounds_of_ordered_classes_hold_for_the_truth_of_few_examples() -> None:
    chances, draws = _stars(25, 3.0, 37, 2000)
    for measure in (statistics.mean_distance(5), statistics.quadratic_kappa):
        truth, bounds = float(measure.of(chances)), [measure.exact(one.astype(float), 0.9) for one in draws]
        assert np.mean([low > truth or high < truth for low, high in bounds]) <= 0.1


def test_the_squared_distance_by_chance_is_bounded_as_by_all_corners() -> None:
    rng = np.random.default_rng(38)
    for _ in range(20):
        limits = [np.sort(rng.random((2, 3)), axis=0) for _ in range(2)]
        corners = []
        for truths in product(*limits[0].T):
            for answers in product(*limits[1].T):
                squares = (np.array(truths) + answers) @ [1, 3, 5]
                corners.append(squares - 2 * sum(truths) * sum(answers))
        sides = [(low, high) for low, high in limits]
        assert ordinal._extreme(sides, largest=False) == pytest.approx(min(corners))
        assert ordinal._extreme(sides, largest=True) == pytest.approx(max(corners))


def test_answers_that_are_always_right_or_constant_have_a_width() -> None:
    right = statistics.quadratic_kappa(np.diag([20, 20, 20]))
    assert (right.estimate, right.high) == (1, 1)
    assert 0.3 < right.low < 1
    assert statistics.quadratic_kappa(np.diag([200, 2, 200])).low < 0.99
    constant = np.zeros((3, 3), dtype=int)
    constant[1, 1] = 30
    assert statistics.quadratic_kappa(constant) == (0, -1, 1)
    assert statistics.mean_distance(3)(constant).low == 0
    assert 0 < statistics.mean_distance(3)(constant).high < 0.4


# Calibration


def _calibration_data(n: int, slope: float, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    stated = 0.5 + 0.5 * rng.beta(5, 1, size=n)
    return stated, rng.random(n) < stated - slope * (stated - 0.5)


def test_calibration_error_is_that_of_kumar_liang_and_ma() -> None:
    # Residuals are alike within a bin here, so that their form of the debiasing and ours are the same.
    stated = np.repeat([0.6, 0.9], [40, 60])
    right = np.concatenate([np.arange(40) < 30, np.arange(60) < 42])
    parts = [(40, 0.6, 30 / 40), (60, 0.9, 42 / 60)]
    expected = sum(n / 100 * ((p - y) ** 2 - y * (1 - y) / (n - 1)) for n, p, y in parts)
    assert statistics.calibration_error(stated, right).estimate == pytest.approx(expected, abs=1e-12)


def test_calibration_error_is_not_below_zero() -> None:
    stated = np.full(100, 0.8)
    found = statistics.calibration_error(stated, np.arange(100) < 80)
    assert (found.estimate, found.low) == (0, 0)
    assert 0.001 < found.high < 0.02


@pytest.mark.parametrize(
    ("n", "slope"), [(60, 0.0), (60, 0.5), (600, 0.0), (600, 0.1), (600, 0.4), (5000, 0.0), (5000, 0.1)]
)
def test_calibration_interval_covers_the_truth(n: int, slope: float) -> None:
    rng = np.random.default_rng(34)
    big, _ = _calibration_data(400_000, slope, rng)
    bins = min(15, n // 20)
    index = np.searchsorted(np.quantile(big, np.arange(1, bins) / bins), big, side="right")
    away = np.bincount(index, slope * (big - 0.5)) / np.bincount(index)
    truth = float(np.average(away**2, weights=np.bincount(index)))
    found = [statistics.calibration_error(*_calibration_data(n, slope, rng)) for _ in range(500)]
    assert np.mean([part.low > truth + 1e-12 for part in found]) <= 0.025 + 0.021
    assert np.mean([part.high < truth for part in found]) <= 0.025 + 0.021


def test_calibration_interval_shrinks_where_the_model_is_miscalibrated() -> None:
    rng = np.random.default_rng(35)
    found = statistics.calibration_error(*_calibration_data(20_000, 0.4, rng))
    assert found.low > 0.02
    assert found.high < 0.04


def test_calibration_error_needs_examples() -> None:
    with pytest.raises(ValueError, match="at least 20"):
        statistics.calibration_error([0.9] * 19, [True] * 19)


def test_reliability_and_expected_calibration_error_by_hand() -> None:
    diagram = statistics.reliability([0.52, 0.58, 0.85, 0.95, 1.0], [True, False, True, True, True], bins=10)
    assert diagram.size.tolist() == [2, 1, 2]
    assert diagram.stated == pytest.approx([0.55, 0.85, 0.975])
    assert diagram.right == pytest.approx([0.5, 1, 1])
    assert statistics.expected_calibration_error(diagram) == pytest.approx((2 * 0.05 + 0.15 + 2 * 0.025) / 5)


def test_bins_of_equal_mass_hold_equally_many_and_keep_ties_together() -> None:
    stated = np.random.default_rng(36).random(3000)
    assert np.bincount(statistics.equal_mass(stated)).tolist() == [200] * 15
    tied = statistics.equal_mass(np.repeat([0.5, 0.7, 0.9], 100))
    assert len(set(tied.tolist())) == 3
    assert all(len(set(tied[i : i + 100].tolist())) == 1 for i in (0, 100, 200))


# Clusters


def test_clusters_are_equal_keys_and_none_stands_alone() -> None:
    assert statistics.cluster_ids(["a", None, "b", "a", None]).tolist() == [0, 1, 2, 0, 3]


def test_clustered_error_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(37)
    clusters = rng.integers(0, 40, 300)
    values = rng.normal(size=300) + clusters / 10
    fit = OLS(values, np.ones(300)).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert statistics.clustered_error(values, clusters) == pytest.approx(float(fit.bse[0]), rel=1e-9)


def test_few_clusters_speak_only_for_themselves() -> None:
    clusters = np.repeat(np.arange(11), 10)
    found = statistics.clustered_proportion(clusters < 9, clusters)
    assert (found.clusters, found.fixed_clusters) == (11, True)
    assert found.interval == statistics.proportion(90, 110)
    many = statistics.clustered_proportion(np.ones(300, bool), np.repeat(np.arange(30), 10))
    assert not many.fixed_clusters
    assert many.low == pytest.approx(0.0125 ** (1 / 30))  # thirty clusters of one mind count as thirty examples


@pytest.mark.parametrize(("k", "spread"), [(30, 1.0), (100, 0.0), (100, 1.0)])
def test_clustered_proportion_covers_the_truth_where_independence_does_not(k: int, spread: float) -> None:
    rng = np.random.default_rng(38)
    truth = float(expit(2 + spread * rng.normal(size=1_000_000)).mean())
    index = np.repeat(np.arange(k), 20)
    covered, naive = [], []
    for _ in range(600):
        right = rng.random(20 * k) < expit(2 + spread * rng.normal(size=k))[index]
        found = statistics.clustered_proportion(right, index)
        plain = statistics.proportion(int(right.sum()), len(right))
        covered.append(found.low <= truth <= found.high)
        naive.append(plain.low <= truth <= plain.high)
    assert np.mean(covered) >= 0.95 - 0.027
    if spread:
        assert np.mean(naive) < 0.90


def test_clustered_mean_of_single_examples_is_students() -> None:
    values = np.random.default_rng(39).normal(size=50)
    found = statistics.clustered_mean(values, np.arange(50), possible=(-9, 9))
    assert found.interval == pytest.approx(statistics.mean(values))


def test_clustered_mean_of_equal_values_keeps_a_width() -> None:
    found = statistics.clustered_mean(np.zeros(80), np.repeat(np.arange(40), 2), possible=(-1, 1))
    bound = 1 - 0.025 ** (1 / 40)
    assert found.interval == pytest.approx((0, -bound, bound))


def test_clustered_mean_over_given_clusters_leaves_out_what_lies_between_them() -> None:
    index = np.repeat(np.arange(5), 40)
    values = index + np.random.default_rng(40).normal(size=200)
    found = statistics.clustered_mean(values, index, possible=(-10, 15))
    assert found.fixed_clusters
    assert found.high - found.low == pytest.approx(2 * 1.97 / np.sqrt(200), rel=0.15)


def test_resampling_rows_agrees_with_delong() -> None:
    rng = np.random.default_rng(41)
    truth = np.repeat([True, False], [150, 200])
    scores = rng.normal(size=350) + truth
    found = statistics.resampled(lambda rows: roc_auc_score(truth[rows], scores[rows]), np.arange(350), resamples=600)
    expected = statistics.auc(scores[truth], scores[~truth])
    assert found.interval == pytest.approx(expected, abs=0.012)


def test_resampling_clusters_sees_that_members_agree() -> None:
    index = np.repeat(np.arange(60), 10)
    values = np.random.default_rng(42).normal(size=60)[index]
    whole = statistics.resampled(lambda rows: float(values[rows].mean()), index, resamples=600)
    single = statistics.resampled(lambda rows: float(values[rows].mean()), np.arange(600), resamples=600)
    assert whole.high - whole.low == pytest.approx(np.sqrt(10) * (single.high - single.low), rel=0.2)


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


@pytest.mark.parametrize(("right", "n"), [((90, 70), (100, 100)), ((67, 79), (111, 100)), ((20, 20), (30, 30))])
def test_gap_of_two_groups_is_their_difference(right: tuple[int, int], n: tuple[int, int]) -> None:
    (x1, x2), (n1, n2) = right, n
    found = statistics.gap(right, n)
    low, high = _in_squares(x1, n1, x2, n2, 0.05)
    assert found.estimate == pytest.approx(abs(x1 / n1 - x2 / n2), abs=1e-12)
    assert found.high == pytest.approx(max(high, -low), abs=1e-12)
    # Either group may be the better one: two looks, each at half the error.
    low, high = _in_squares(x1, n1, x2, n2, 0.025)
    assert found.low == pytest.approx(max(0, low, -high), abs=1e-12)


def test_gap_runs_over_all_parts_and_stays_within_them() -> None:
    right, n = np.array([[90, 80, 85], [45, 48, 12]]), np.array([[100, 100, 100], [60, 60, 60]])
    found = statistics.gap(right, n)
    assert found.estimate == pytest.approx(36 / 60)
    assert found.high == pytest.approx(_in_squares(48, 60, 12, 60, 0.05)[1])
    # Twelve parts: two rates, six ordered pairs each.
    assert found.low == pytest.approx(_in_squares(48, 60, 12, 60, 0.05 / 12)[0])


def test_largest_and_smallest_mirror_each_other() -> None:
    rng = np.random.default_rng(43)
    plain = np.sort(rng.normal(size=(3, 6)), axis=0)[[1, 0, 2]]
    strict = plain + np.array([[0], [-1], [1]])
    found = statistics.largest((plain[0], plain[1], plain[2]), (strict[0], strict[1], strict[2]))
    assert found == (plain[0].max(), strict[1].max(), plain[2].max())
    estimate, low, high = statistics.smallest((-plain[0], -plain[2], -plain[1]), (-strict[0], -strict[2], -strict[1]))
    assert (-estimate, -high, -low) == found


def test_many_gaps_at_once_are_each_their_own() -> None:
    rng = np.random.default_rng(44)
    n = np.array([[40, 90, 12], [15, 60, 33]])
    right = rng.binomial(n, 0.8, size=(5, 2, 3))
    found = np.array(statistics.gaps(right, n))
    for i in range(5):
        assert found[:, i] == pytest.approx(statistics.gap(right[i], n), abs=1e-15)


def test_a_confidence_is_shared_out_by_its_error() -> None:
    assert statistics.shared_out(0.95, 1) == pytest.approx(0.95)
    assert statistics.shared_out(0.95, 5) == pytest.approx(0.99)
    with pytest.raises(ValueError, match="at least one"):
        statistics.shared_out(0.95, 0)


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


@pytest.mark.parametrize(
    ("estimate", "gate"), [(0.872, 0.88), (0.9, 0.85), (0.99, 0.98), (1.0, 0.97), (0.0, 0.02), (0.03, 0.05), (0.5, 0.2)]
)
def test_proportion_to_settle_settles(estimate: float, gate: float) -> None:
    settling = statistics.proportion_to_settle(estimate, gate)
    assert settling is not None
    assert _settled(estimate, gate, settling.total) >= 0.87
    assert _settled(estimate, gate, max(settling.total * 2 // 3, 1)) < 0.87


def test_proportion_to_settle_has_the_closed_form_where_all_is_right() -> None:
    settling = statistics.proportion_to_settle(1.0, 0.99)
    assert settling is not None
    assert settling.total == int(np.ceil(np.log(0.025) / np.log(0.99)))


def test_on_the_gate_no_number_settles() -> None:
    right, n = [90, 80], [100, 100]
    assert statistics.proportion_to_settle(0.9, 0.9) is None
    assert statistics.proportion_to_settle(0.9, 0.9 + 1e-9) is None
    assert statistics.gap_to_settle(right, n, 0.9 - 0.8, sizes=n, names="ab") is None
    assert statistics.smallest_to_settle(right, n, 0.8, names="ab") is None
    assert statistics.gap_to_settle([9, 0], [10, 0], 0.5, sizes=[10, 0], names="ab") is None


GROUPS = [
    ([0.9] * 5, [200] * 5, 0.05),
    ([0.9, 0.85, 0.92], [300, 100, 600], 0.1),
    ([0.9, 0.85, 0.92], [300, 100, 600], 0.05),
    ([0.9, 0.7], [950, 50], 0.1),
    ([0.95, 0.93, 0.9, 0.92, 0.91, 0.94, 0.9, 0.88], [1000, 200, 300, 400, 50, 60, 70, 80], 0.12),
]


@pytest.mark.parametrize(("accuracies", "sizes", "gate"), GROUPS)
def test_gap_to_settle_settles(accuracies: list[float], sizes: list[int], gate: float) -> None:
    n = np.array(sizes)
    right = np.round(np.array(accuracies) * n).astype(int)
    found = statistics.gap(right, n)
    settling = statistics.gap_to_settle(right, n, gate, sizes=n, names=[str(i) for i in range(len(n))])
    assert settling is not None
    assert settling.total == sum(size for _, size in settling.groups)

    def settled(factor: float) -> float:
        larger = np.ceil(np.array([size for _, size in settling.groups]) * factor).astype(int)
        draws = np.random.default_rng(45).binomial(larger, right / n, size=(400, len(n)))
        _, low, high = statistics.gaps(draws[:, None], larger[None])
        return float(np.mean(high <= gate if gate > found.estimate else low > gate))

    assert settled(1.0) >= 0.85
    assert settled(0.5) < 0.85  # and it is not a number that is merely safe
    shares = np.array([size for _, size in settling.groups]) / settling.total
    assert shares == pytest.approx(n / n.sum(), abs=0.01)


@pytest.mark.parametrize("gate", [0.8, 0.9, 0.85])
def test_smallest_to_settle_settles(gate: float) -> None:
    n, right = np.array([100, 50, 400]), np.array([90, 44, 350])
    settling = statistics.smallest_to_settle(right, n, gate, names="abc")
    assert settling is not None
    larger = np.array([size for _, size in settling.groups])
    draws = np.random.default_rng(46).binomial(larger, right / n, size=(400, 3))
    _, low, high = statistics.smallest_proportions(draws, larger)
    assert np.mean(high < gate if gate > 0.875 else low >= gate) >= 0.85


@pytest.mark.alone
def test_twelve_groups_of_25_000_predictions_are_quick() -> None:
    rng = np.random.default_rng(47)
    n = np.full((6, 12), 25_000 // 12)
    right = rng.binomial(n, 0.85)
    statistics.gap(right, n)  # without the imports
    started = time.process_time()
    statistics.gap(right, n)
    statistics.gap(right[0], n[0])
    statistics.smallest_proportion(right[0], n[0])
    statistics.macro_f1(rng.multinomial(25_000, np.full(9, 1 / 9)).reshape(3, 3))
    statistics.gap_to_settle(right, n, 0.2, sizes=n[0], names=[str(i) for i in range(12)])
    assert time.process_time() - started < 2  # about 0.3 s on an idle machine


def _followed(n: int, gate: float, span: tuple[float, float], draws: int) -> tuple[float, float]:
    """The chance that the advice states, and how often it settles: any truth of the span is as likely as another."""
    rng = np.random.default_rng(48)
    stated: list[float] = []
    settled: list[bool] = []
    while len(stated) < draws:
        truth = rng.uniform(*span)
        right = int(rng.binomial(n, truth))
        estimate, low, high = statistics.proportion(right, n)
        settling = statistics.proportion_to_settle(estimate, gate) if low < gate < high else None
        if settling is None:
            continue
        total = max(settling.total, n + 1)
        near = high if gate > estimate else low
        stated.append(statistics.chance_to_settle(estimate, near, gate, n, total))
        _, low, high = statistics.proportion(right + int(rng.binomial(total - n, truth)), total)
        settled.append(high < gate or low >= gate)
    return float(np.mean(stated)), float(np.mean(settled))


@pytest.mark.parametrize(
    ("n", "gate", "span"), [(500, 0.8, (0.6, 0.95)), (200, 0.95, (0.8, 1.0)), (100, 0.1, (0.0, 0.3))]
)
def test_advice_that_is_followed_settles_as_often_as_it_says(n: int, gate: float, span: tuple[float, float]) -> None:
    stated, settled = _followed(n, gate, span, 600)
    assert stated < 0.8  # not the nine in ten of a truth that equals the estimate
    assert settled == pytest.approx(stated, abs=0.06)


def test_the_chance_to_settle_has_its_limits() -> None:
    at = partial(statistics.chance_to_settle, 0.08, 0.17, 0.10, 100)
    assert at(100) == 0  # as it stands it is open
    assert at(100) < at(200) < at(1_000) < at(10_000_000)
    assert at(10**12) == pytest.approx(1, abs=1e-4)
    assert statistics.chance_to_settle(0.08, 0.08, 0.10, 100, 200) == 1  # no interval on that side
    # Half way between: the later estimate scatters by sqrt(3/4), and its interval is half as wide.
    z, d = norm.ppf(0.975), norm.ppf(0.975) * 0.02 / 0.09
    both = [norm.cdf((sign * d - z / 2) / np.sqrt(0.75)) for sign in (1, -1)]
    assert at(400) == pytest.approx(sum(both), abs=1e-12)


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


def test_the_mean_paired_difference_of_groups_adds_their_distances_in_squares() -> None:
    lost, gained, n = [12, 3], [5, 9], [100, 60]
    assert statistics.mean_paired_difference(lost[:1], gained[:1], n[:1]) == pytest.approx(
        statistics.paired_difference(12, 5, 100)
    )
    one, two = (statistics.paired_difference(*counts) for counts in zip(lost, gained, n, strict=True))
    mean = (7 / 100 - 6 / 60) / 2
    below, above = (
        np.hypot(one.estimate - one.low, two.estimate - two.low),
        np.hypot(one.high - one.estimate, two.high - two.estimate),
    )
    found = statistics.mean_paired_difference(lost, gained, n)
    assert found == pytest.approx((mean, mean - below / 2, mean + above / 2))


def test_the_mean_paired_difference_errs_no_more_than_it_says_on_either_side() -> None:
    rng = np.random.default_rng(0)
    sizes, shares = (300, 40), ((0.25, 0.10, 0.65), (0.30, 0.15, 0.55))
    truth, draws = np.mean([share[0] - share[1] for share in shares]), 2000
    counts = np.array([rng.multinomial(n, share, draws) for n, share in zip(sizes, shares, strict=True)])
    found = [statistics.mean_paired_difference(counts[:, i, 0], counts[:, i, 1], sizes) for i in range(draws)]
    for missed in (sum(each.low > truth for each in found), sum(each.high < truth for each in found)):
        assert statistics.proportion(int(missed), draws, 0.98).low <= 0.025


# ----------------------------------------------------------------------------------------------------------------------
# What a program that errs counted


@pytest.mark.parametrize("truth", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("rates", [(0.9, 0.99), (0.8, 0.999), (0.95, 0.9)])
def test_the_true_share_lies_in_its_interval(truth: float, rates: tuple[float, float]) -> None:
    rng, draws, n, having, lacking = np.random.default_rng(71), 1000, 4000, 100, 500
    misses = 0
    for _ in range(draws):
        with_it = rng.binomial(n, truth)
        found = rng.binomial(with_it, rates[0]) + rng.binomial(n - with_it, 1 - rates[1])
        sensitivity, specificity = (rng.binomial(having, rates[0]), having), (rng.binomial(lacking, rates[1]), lacking)
        _, low, high = statistics.prevalence(int(found), n, sensitivity, specificity)
        misses += not low <= truth <= high
    assert misses / draws < 0.07


def test_the_true_share_of_a_detector_that_never_errs_is_what_it_found() -> None:
    found, low, high = statistics.prevalence(120, 4000, (10**7, 10**7), (10**7, 10**7))
    assert found == pytest.approx(0.03)
    assert (low, high) == pytest.approx(proportion_confint(120, 4000, method="agresti_coull"), abs=2e-5)


def test_what_a_detector_finds_by_mistake_is_taken_off() -> None:
    # Half of what there is is seen, and one in a hundred of the others: 0.1 * 0.5 + 0.9 * 0.01 = 0.059.
    found, low, high = statistics.prevalence(59, 1000, (500, 1000), (990, 1000))
    assert found == pytest.approx(0.1)
    assert low < 0.1 < high
    # Fewer than the mistakes alone would be: none.
    assert statistics.prevalence(2, 1000, (500, 1000), (990, 1000))[:2] == (0, 0)
    with pytest.raises(ValueError, match="only guesses"):
        statistics.prevalence(59, 1000, (1, 1000), (990, 1000))


@pytest.mark.parametrize("n", [100, 101, 300, 1000])
def test_scores_that_a_class_has_in_common_leave_an_estimate_within_its_interval(n: int) -> None:
    # Placements within each class are alike but for rounding.
    truth = np.arange(3 * n) % 3
    for turn in (0, 1, 2):
        scores = np.full((3 * n, 3), 0.05)
        scores[np.arange(3 * n), (truth + turn) % 3] = 0.9
        estimate, low, high = statistics.macro_auc(scores, truth)
        assert low <= estimate <= high
