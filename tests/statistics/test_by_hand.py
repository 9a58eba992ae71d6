"""Figures against what their definitions give where cases are few enough to go through, or SciPy knows the law."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from audit import statistics
from audit.statistics import Interval, design_effects, extremes, intervals, quantiles, roc, scores
from audit.statistics.prediction_powered import importance_weighted, label_shifted
from audit.statistics.prevalence import prevalence
from audit.statistics.proportions import pairwise

# ---- quotients and gaps: every case


@pytest.mark.parametrize(
    ("top", "bottom"),
    [
        (Interval(2, 1, 4), Interval(0.8, 0.5, 2)),
        (Interval(-2, -4, -1), Interval(0.8, 0.5, 2)),
        (Interval(1, -4, 2), Interval(3, 2, 4)),
    ],
)
def test_a_quotient_lies_between_those_of_the_ends(top: Interval, bottom: Interval) -> None:
    corners = [a / b for a, b in itertools.product(top[1:], bottom[1:])]
    assert intervals.quotient(top, bottom) == Interval(top.estimate / bottom.estimate, min(corners), max(corners))


def test_a_quotient_by_what_may_be_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="surely above 0"):
        intervals.quotient(Interval(2, 1, 3), Interval(1, 0, 2))


@pytest.mark.parametrize(("x", "n"), [((3, 6), (9, 8)), ((0, 5), (4, 5)), ((4, 4), (9, 9))])
@pytest.mark.parametrize(("hits", "misses"), [(2, 3), (0, 4), (3, 0)])
def test_unknown_groups_bound_gap_and_smallest_share_by_the_worst_assignment(
    x: tuple[int, int], n: tuple[int, int], hits: int, misses: int
) -> None:
    rates = [
        ((x[0] + a) / (n[0] + a + b), (x[1] + hits - a) / (n[1] + hits - a + misses - b))
        for a, b in itertools.product(range(hits + 1), range(misses + 1))
    ]
    apart, least = [abs(one - other) for one, other in rates], [min(each) for each in rates]
    found = extremes.assigned_gap([x], [n], [hits], [hits + misses])
    # Of two groups the largest is exact; the smallest is that of one end where no assignment makes them equal.
    assert found[1] == pytest.approx(max(apart))
    crosses = min(one - other for one, other in rates) <= 0 <= max(one - other for one, other in rates)
    assert found[0] == pytest.approx(0 if crosses else min(apart))
    low, high = extremes.assigned_smallest(x, n, hits, hits + misses)
    assert low == pytest.approx(min(least))
    assert high >= max(least) - 1e-12


# ---- what mirrors itself


@pytest.mark.parametrize(("found", "seen", "silent"), [(60, (17, 20), (45, 47)), (150, (30, 31), (9, 12))])
def test_what_a_detector_does_not_find_is_the_mirror_of_what_it_does(
    found: int, seen: tuple[int, int], silent: tuple[int, int]
) -> None:
    estimate, low, high = prevalence(found, 200, seen, silent)
    assert prevalence(200 - found, 200, silent, seen) == pytest.approx((1 - estimate, 1 - high, 1 - low))


def test_an_area_over_clusters_of_swapped_sides_is_its_mirror() -> None:
    rng = np.random.default_rng(3)
    author = np.repeat(np.arange(25), 8)
    lean = rng.normal(0, 1, 25)[author]
    sides = rng.random(200) < 0.3
    values = sides + lean + rng.normal(0, 1, 200)
    areas = [
        scores.auc(sign * values[mine], sign * values[~mine], clusters=(author[mine], author[~mine]))
        for sign, mine in ((1, sides), (-1, ~sides), (-1, sides))
    ]
    assert areas[1] == pytest.approx(areas[0])
    assert areas[2] == pytest.approx((1 - areas[0].estimate, 1 - areas[0].high, 1 - areas[0].low))


# ---- calibration: with one bin, the estimate is one noncentral chi-square


def _limits(residual: float, variance: float, error: float, worth: float, confidence: float) -> list[float]:
    """Errors under which an estimate so low, or so high, is so seldom: Pearson's curve of the chi-square's moments."""

    def excess(true: float, estimate: float, probability: float) -> float:
        mean, var, skew = stats.ncx2.stats(1, true * worth / variance, moments="mvs")
        assert mean == pytest.approx(1 + true * worth / variance)
        return float(
            stats.pearson3.cdf(estimate, skew, true, variance / worth * np.sqrt(var)) - probability,
        )

    tail = (1 - confidence) / 2
    ends = []
    for estimate, probability in ((error, 1 - tail), (max(error, 0.0), tail)):
        begins = excess(0.0, estimate, probability) <= 0
        ends.append(0.0 if begins else optimize.brentq(excess, 0, 1, (estimate, probability)))
    return ends


@pytest.mark.parametrize(("n", "stated", "right"), [(60, 0.9, 0.7), (200, 0.6, 0.75), (40, 0.97, 1.0)])
def test_a_calibration_error_of_one_bin_has_the_limits_of_a_chi_square(n: int, stated: float, right: float) -> None:
    y = (np.arange(n) < round(right * n)).astype(float)
    p = np.full(n, stated)
    residual = stated - y
    share = (y.sum() + 1) / (n + 2)
    variance = max(residual.var(ddof=1), share * (1 - share))
    error = residual.mean() ** 2 - residual.var(ddof=1) / n
    expected = [max(error, 0), *_limits(residual.mean(), variance, error, n, 0.9)]
    assert statistics.calibration_error(p, y, 0.9, bins=1) == pytest.approx(expected, abs=1e-6)


def test_over_clusters_it_is_that_of_as_many_rows_as_they_are_worth() -> None:
    rng = np.random.default_rng(8)
    author = np.repeat(np.arange(40), 6)
    y = (rng.random(240) < np.clip(0.7 + 0.3 * rng.normal(0, 1, 40), 0.02, 0.98)[author]).astype(float)
    p = np.full(240, 0.85)
    residual = p - y
    effect = statistics.design_effect(residual - residual.mean(), author)
    assert float(effect.ratio) > 1.2
    worth = 240 * float(effect.kept(0.9))
    share = (y.sum() + 1) / 242
    variance = max(residual.var(ddof=1), share * (1 - share))
    error = residual.mean() ** 2 - residual.var(ddof=1) / 240 * float(effect.ratio)
    expected = [max(error, 0), *_limits(residual.mean(), variance, error, worth, 0.9)]
    assert statistics.calibration_error(p, y, 0.9, bins=1, clusters=author) == pytest.approx(expected, abs=1e-6)


def test_a_calibration_error_over_a_handful_of_authors_is_open() -> None:
    p, y = np.full(40, 0.9), np.tile([1.0, 0.0], 20)
    assert statistics.calibration_error(p, y, clusters=np.arange(40) % 5)[1:] == (0, 1)
    low, high = statistics.calibration_error(p, y, clusters=np.arange(40) % 20)[1:]
    assert 0 < low < high < 1


# ---- areas


def test_an_area_of_many_scores_has_the_limits_of_its_moments() -> None:
    rng = np.random.default_rng(5)
    positives, negatives = rng.normal(1.2, 1, 160), rng.normal(0, 1, 130)
    wins = (positives[:, None] > negatives[None]).astype(float)
    above, below, area = wins.mean(axis=1), wins.mean(axis=0), wins.mean()
    variance = above.var(ddof=1) / 160 + below.var(ddof=1) / 130  # DeLong's
    worth = area * (1 - area) / variance
    for each, by_pairs in zip(scores.placements(positives, negatives), (above, below), strict=True):
        np.testing.assert_allclose(each, by_pairs, atol=1e-12)
    found = scores.auc(positives, negatives, 0.9)
    assert found.estimate == pytest.approx(area)
    assert found.high == pytest.approx(stats.beta.ppf(0.95, area * worth + 0.5, (1 - area) * worth + 0.5))
    # Below, one more row of the smaller side whose placement may be any.
    more = [integrate.quad(lambda u, k=k: ((area - u) / 130) ** k, 0, 1)[0] for k in (2, 3)]
    moved = ((each - each.mean()) / np.sqrt(len(each) * (len(each) - 1)) for each in (above, below))
    third = max(-sum((each**3).sum() for each in moved), 0) + more[1]
    step = third / (variance + more[0])
    shape = (variance + more[0]) / step**2
    assert found.low == pytest.approx(area - stats.gamma.ppf(0.95, shape + 0.5, scale=step) + step * shape)


def test_areas_of_two_classes_are_one_and_have_its_limits() -> None:
    rng = np.random.default_rng(11)
    labels = (np.arange(300) % 3 == 0).astype(int)
    share = 1 / (1 + np.exp(-labels - rng.normal(0, 1, 300)))
    expected = scores.auc(share[labels == 1], share[labels == 0])
    assert scores.macro_auc(np.c_[1 - share, share], labels) == pytest.approx(expected)


def test_areas_of_three_classes_have_the_variance_of_what_each_example_adds_to_all() -> None:
    rng = np.random.default_rng(12)
    labels = rng.integers(0, 3, 450)
    answers = rng.normal(0, 1, (450, 3)) + np.eye(3)[labels]
    area, adds = 0.0, np.zeros(450)
    for c in range(3):
        own, rest = np.flatnonzero(labels == c), np.flatnonzero(labels != c)
        wins = answers[own, c][:, None] > answers[rest, c][None]
        area += wins.mean() / 3
        adds[own] += wins.mean(axis=1) / 3 / len(own)
        adds[rest] += wins.mean(axis=0) / 3 / len(rest)
    variance = sum(adds[labels == c].var(ddof=1) * (labels == c).sum() for c in range(3))
    worth = area * (1 - area) / variance
    found = scores.macro_auc(answers, labels, 0.9)
    assert found.estimate == pytest.approx(area)
    assert found.high == pytest.approx(stats.beta.ppf(0.95, area * worth + 0.5, (1 - area) * worth + 0.5))


def test_perfect_areas_of_three_classes_rest_on_their_heaviest_example() -> None:
    labels = np.repeat([0, 1, 2], [5, 10, 20])
    answers = np.eye(3)[labels]
    # An example of the first class is a fifth of its own area, and a 25th and a 15th of the others' negatives.
    worth = 3 / (1 / 5 + 1 / 25 + 1 / 15)
    assert scores.macro_auc(answers, labels).low == pytest.approx(0.025 ** (1 / worth))


def test_scores_that_are_all_alike_have_an_area_of_a_half_over_clusters_too() -> None:
    author = np.arange(200) // 4
    found = scores.auc(np.zeros(120), np.zeros(80), clusters=(author[:120], author[120:]))
    assert found.estimate == 0.5
    assert 0.2 < found.low < 0.5 < found.high < 0.8


# ---- rates at a threshold, and quantiles: by ranks


def _exact(successes: int, n: int, confidence: float) -> tuple[float, float]:
    found = stats.binomtest(successes, n).proportion_ci(confidence)
    return float(found.low), float(found.high)


@pytest.mark.parametrize("level", [0.1, 0.02, 0.003])
def test_a_rate_at_a_threshold_is_that_of_ranks_with_exact_limits(level: float) -> None:
    rng = np.random.default_rng(6)
    inside, outside = rng.normal(1, 1, 90).round(1), rng.normal(0, 1, 149).round(1)
    trial = roc.Trial(np.r_[inside, outside], np.arange(239) < 90, np.arange(239))
    found = roc.true_positive_rate([trial], level, 0.9)
    falling = np.sort(outside)[::-1]

    def rate(k: int) -> float:
        return float((inside > falling[k - 1]).mean()) if k else 0.0

    k, rest = int(level * 150), level * 150 % 1
    estimate = rate(k) + rest * (rate(k + 1) - rate(k))
    assert found.estimate == pytest.approx(estimate)
    # Half the error is the threshold's: between two order statistics, whose ranks are binomial.
    ranks = stats.binom.ppf([0.025, 0.975], 149, 1 - level).astype(int)
    rising = np.sort(outside)
    at_least, at_most = rising[ranks[0] - 1], rising[ranks[1]] if ranks[1] < 149 else np.inf
    low = _exact(int((inside > at_most).sum()), 90, 0.95)[0]
    high = _exact(int((inside >= at_least).sum()), 90, 0.95)[1]
    assert found[1:] == pytest.approx((min(low, estimate), max(high, estimate)))


def test_the_lowest_value_is_a_limit_where_its_rank_is_the_first() -> None:
    assert quantiles.quantile([5, 1, 3, 2, 4, 6], 0.5)[1:] == (1, 6)  # 2 / 2^6 of the samples err
    assert quantiles.quantile([5, 1, 3, 2, 4], 0.5)[1:] == (-np.inf, np.inf)


def test_a_ratio_of_quantiles_of_small_values_is_that_of_their_limits() -> None:
    above, below = np.linspace(0.2, 0.4, 40), np.linspace(0.1, 0.3, 40)
    top, bottom = quantiles.quantile(above, 0.5, 0.975), quantiles.quantile(below, 0.5, 0.975)
    assert quantiles.ratio_of_quantiles(above, 0.5, below, 0.5) == pytest.approx(
        (top.estimate / bottom.estimate, top.low / bottom.high, top.high / bottom.low)
    )


# ---- clusters


def test_the_variance_between_clusters_of_one_size_is_known_as_well_as_their_kurtosis_lets() -> None:
    means = np.random.default_rng(4).standard_t(3, 30)
    values = np.repeat(means, 5) + np.tile([-1, -0.5, 0, 0.5, 1], 30)
    found = design_effects.design_effect(values, np.repeat(np.arange(30), 5))
    heavy = stats.kurtosis(means)
    assert heavy > 1
    assert float(found.between) == pytest.approx(29 * 2 / (2 + heavy))


def test_rows_are_worth_less_by_the_quantiles_of_their_degrees_of_freedom() -> None:
    effect = design_effects.DesignEffect(1.5, 20.0, 12.0, 200, 25, 8.0, False)
    tail = 0.05
    wide = (stats.t.ppf(tail, 20) / stats.t.ppf(tail, 199)) ** 2
    wider = (stats.t.ppf(tail / 2, 12) / stats.norm.ppf(tail)) ** 2
    assert float(effect.kept(0.9)) == pytest.approx(1 / (wide + 0.5 * wider))


def test_two_clusters_have_an_effect_and_one_has_none_and_both_are_open() -> None:
    values = np.array([1.0, 2.0, 3.0, 5.0, 6.0, 7.0])
    two = design_effects.design_effect(values, np.repeat([0, 1], 3))
    # Of two clusters of one size, CR2 is the square of half the distance of their means.
    assert float(two.ratio) == pytest.approx(4 / (values.var(ddof=1) / 6))
    one = design_effects.design_effect(values, np.zeros(6, dtype=np.int64))
    assert two.is_open
    assert one.is_open
    assert np.isnan(one.ratio)


def test_two_clusters_have_an_error_and_one_has_none() -> None:
    values = np.array([1.0, 2.0, 3.0, 5.0, 6.0, 8.0])
    totals = np.array([-6.5, 6.5])  # 6 and 19, each less three times the mean
    assert statistics.clustered_error(values, np.repeat([0, 1], 3)) == pytest.approx(np.sqrt(2 * (totals**2).sum()) / 6)
    with pytest.raises(ValueError, match="clusters"):
        statistics.clustered_error(values, np.zeros(6, dtype=np.int64))


@pytest.mark.parametrize("n", [(40, 400), (400, 400), (40, 0)])
def test_a_difference_of_few_and_many_is_the_mirror_of_that_of_many_and_few(n: tuple[int, int]) -> None:
    x = (3, min(200, n[1]))
    estimate, low, high = pairwise(x, n)
    assert estimate[0] == pytest.approx(-estimate[1], nan_ok=True)
    assert (low[0], high[0]) == pytest.approx((-high[1], -low[1]))


def test_a_share_over_clusters_is_that_of_as_many_independent_rows_as_its_variance_says() -> None:
    rng = np.random.default_rng(9)
    author = np.repeat(np.arange(35), 4)
    right = rng.random(140) < np.clip(0.8 + 0.2 * rng.normal(0, 1, 35), 0, 1)[author]
    totals = np.bincount(author, right - right.mean())
    variance = 35 / 34 * (totals**2).sum() / 140**2
    p = right.mean()
    ratio = stats.t.ppf(0.05, 139) / stats.t.ppf(0.05, 34)
    size = min(p * (1 - p) / variance, 140) * ratio**2
    found = statistics.clustered_proportion(right, author, 0.9)
    x = p * size
    assert found.estimate == pytest.approx(p)
    assert found[1:3] == pytest.approx((stats.beta.ppf(0.025, x, size - x + 1), stats.beta.ppf(0.975, x + 1, size - x)))


def test_a_mean_over_given_clusters_lends_the_whole_spread_to_one_of_a_single_row() -> None:
    values, author = np.array([1.0, 2.0, 4.0, 8.0, 9.0]), np.array([0, 0, 2, 2, 3])
    parts = 2 * values[:2].var(ddof=1) + 2 * values[2:4].var(ddof=1) + values.var(ddof=1)
    found = statistics.clustered_mean(values, author, 0.9, possible=(-100, 100))
    assert found.high - found.estimate == pytest.approx(stats.t.ppf(0.95, 2) * np.sqrt(parts) / 5)


# ---- bootstrap


def test_bca_takes_the_levels_that_bias_and_jackknife_of_the_rows_give() -> None:
    confusion = np.array([[9, 3], [2, 11]])

    def steep(m: statistics.Array) -> statistics.Array:  # skewed, and of few values, so that resamples tie with it
        return np.asarray((m[..., 0, 0] / np.maximum(m[..., 0, :].sum(axis=-1), 1)) ** 4)

    found = statistics.confusion_bootstrap(confusion, steep, 0.9, empty=lambda _: False, resamples=3000, seed=5)
    draws = np.random.default_rng(5).multinomial(25, confusion.ravel() / 25, size=3000).reshape(-1, 2, 2)
    values, estimate = steep(draws.astype(float)), (9 / 12) ** 4
    rows = [cell for cell in np.ndindex(2, 2) for _ in range(confusion[cell])]
    without = []
    for row in rows:
        less = confusion.astype(float)
        less[row] -= 1
        without.append(float(steep(less)))
    away = np.mean(without) - np.array(without)
    acceleration = (away**3).sum() / (6 * (away**2).sum() ** 1.5)
    assert abs(acceleration) > 0.03
    # A tie counts half, and half a resample more keeps the share within 0 and 1.
    bias = stats.norm.ppf((stats.percentileofscore(values, estimate, "mean") / 100 * 3000 + 0.5) / 3001)
    levels = [stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in stats.norm.ppf([0.05, 0.95])]
    assert found == pytest.approx((estimate, *np.quantile(values, levels)))


def test_limits_of_no_confidence_are_the_median_of_the_resamples() -> None:
    rng = np.random.default_rng(7)
    trial = roc.Trial(rng.normal(0, 1, 80) + np.repeat([1, 0], 40), np.arange(80) < 40, np.arange(80))
    half = roc.trial_balanced_accuracy([trial], confidence=0.0, resamples=200)
    assert half.low == half.high
    wide = roc.trial_balanced_accuracy([trial], confidence=0.9, resamples=200)
    assert wide.low < half.low < wide.high
    inside = np.arange(80) < 40
    assert wide.estimate == pytest.approx((trial.right[inside].mean() + trial.right[~inside].mean()) / 2)
    alone = roc.trial_balanced_accuracy([trial], confidence=0.9, resamples=1)
    assert alone.low == alone.high


def test_every_threshold_below_all_negatives_catches_what_is_above_it() -> None:
    trial = roc.Trial(np.array([5.0, 4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False, True]), np.arange(5))
    np.testing.assert_allclose(trial.caught(np.array([0.0, 0.5, 1.0])), [1 / 3, 2 / 3, 1])


# ---- ordered classes


def test_kappa_of_two_classes_is_bounded_by_the_corners_of_what_its_shares_may_be() -> None:
    confusion = np.array([[40.0, 9.0], [5.0, 46.0]])
    level = 1 - 0.05 / 3
    wrong, true, said = (_exact(int(x), 100, level) for x in (14, confusion[1].sum(), confusion[:, 1].sum()))
    chance = [t * (1 - a) + a * (1 - t) for t, a in itertools.product(true, said)]
    expected = 1 - wrong[1] / min(chance), 1 - wrong[0] / max(chance)
    assert statistics.ordinal.exact_quadratic_kappa(confusion, 0.95) == pytest.approx(expected)


def test_the_distance_of_three_classes_is_bounded_by_the_shares_of_one_and_of_two_off() -> None:
    confusion = np.array([[40.0, 9.0, 2.0], [5.0, 46.0, 7.0], [1.0, 3.0, 37.0]])
    off, far = _exact(27, 150, 0.975), _exact(3, 150, 0.975)
    assert statistics.ordinal.exact_mean_distance(confusion, 0.95) == pytest.approx((off[0] + far[0], off[1] + far[1]))


def test_a_correlation_of_three_classes_is_bounded_by_numerator_and_denominator() -> None:
    confusion = np.array([[40.0, 9.0, 2.0], [5.0, 46.0, 7.0], [1.0, 3.0, 37.0]])
    level = 1 - 0.05 / 7
    right = _exact(123, 150, level)
    true, said = (np.array([_exact(int(x), 150, level) for x in confusion.sum(axis=axis)]).T for axis in (1, 0))
    chance = [float(t @ s) for t, s in zip(true, said, strict=True)]
    widest, narrowest = (float(np.sqrt((1 - t @ t) * (1 - s @ s))) for t, s in zip(true, said, strict=True))
    assert right[0] > chance[1]
    expected = (right[0] - chance[1]) / widest, min((right[1] - chance[0]) / narrowest, 1)
    assert statistics.exact_mcc(confusion, 0.95) == pytest.approx(expected)


def test_a_correlation_of_answers_that_are_nearly_all_of_one_class_is_small() -> None:
    confusion = np.zeros((3, 3))
    confusion[:, 0] = 99, 100, 100
    confusion[0, 1] = 1
    level = 1 - 0.05 / 7
    others = 1 - _exact(299, 300, level)[0]
    spread = 1 - 3 * _exact(100, 300, level)[1] ** 2
    most = np.sqrt(2 * others / ((1 - others) * spread))
    assert most < 0.5
    assert statistics.exact_mcc(confusion, 0.95) == pytest.approx((-most, most))


# ---- what it would take


def test_a_sample_that_is_all_there_is_settles_what_lies_beyond_its_bound() -> None:
    assert statistics.chance_to_settle(0.75, 0.5, 0.5, 100, 100) == 1
    assert statistics.chance_to_settle(0.75, 0.5, 0.51, 100, 100) == 0


def test_rows_that_are_worth_less_are_needed_in_more_number() -> None:
    author = np.arange(400) % 80
    right = (author % 10 > 0) & (np.arange(400) % 21 > 0)
    group = np.arange(400) // 200
    effects = statistics.group_effects(right[None], group[None], author, 2)
    x, n = np.bincount(group, right), np.bincount(group)
    plain, clustered = (
        statistics.smallest_to_settle(x, n, 0.8, names=("a", "b"), effects=each) for each in (None, effects)
    )
    assert plain is not None
    assert clustered is not None
    assert clustered.total > 1.3 * plain.total


def test_a_noise_that_cannot_be_is_refused() -> None:
    for mu, delta in ((-1.0, 0.1), (1.0, 0.0), (1.0, 1.0)):
        with pytest.raises(ValueError, match="expected μ ≥ 0 and 0 < δ < 1"):
            statistics.gaussian_epsilon(mu, delta)


@pytest.mark.parametrize(("right", "guesses"), [(1, 3), (4, 6)])
def test_a_chance_at_a_delta_is_that_of_guessing_and_what_delta_adds(right: int, guesses: int) -> None:
    law = stats.binom(guesses, np.exp(1.0) / (1 + np.exp(1.0)))
    above, below = law.sf(right - 1), law.cdf(right - 1)
    added = 50 * 1e-3 * above * below / (right * law.pmf(right))
    assert statistics.chance_at_most(1.0, right, guesses, 50, 1e-3) == pytest.approx(above + added)


# ---- shares elsewhere


def test_a_share_by_weights_is_that_of_as_many_rows_as_its_variance_says() -> None:
    rng = np.random.default_rng(13)
    hits, expected = rng.random(80) < 0.7, rng.uniform(0.4, 0.9, 80)
    weights, others = rng.uniform(0.5, 2, 80), rng.uniform(0.3, 0.9, 40)
    share = weights / weights.sum()
    off = hits - expected
    estimate = others.mean() + share @ off
    variance = ((share * (off - share @ off)) ** 2).sum() + others.var() / 40
    worth = estimate * (1 - estimate) / variance
    x = estimate * worth
    found = importance_weighted(hits, expected, weights, others, 0.9).interval
    assert found.estimate == pytest.approx(estimate)
    assert found.low == pytest.approx(stats.beta.ppf(0.05, x, worth - x + 1))
    assert found.high == pytest.approx(stats.beta.ppf(0.95, x + 1, worth - x))


def test_shares_of_classes_at_no_confidence_are_the_median_and_a_class_that_may_be_missing_says_nothing() -> None:
    confusion, answers = np.array([[80, 20], [30, 70]]), np.array([400, 600])
    half = label_shifted(confusion, answers, 0.0)
    assert half is not None
    assert half.estimate in half[1:]
    assert label_shifted(np.array([[40, 10], [0, 2]]), answers) is None
