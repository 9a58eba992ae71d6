"""Rows in clusters: variance and degrees of freedom by their definitions, and the errors of what rests on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.stats import t

from audit import statistics
from audit.statistics.design_effects import DesignEffect

Array = NDArray[np.float64]
SLACK = 3.0  # standard errors of a simulated share


def zipf(clusters: int, rows: int) -> NDArray[np.int64]:
    """Sizes after Zipf's law, at least one each."""
    shares = 1 / np.arange(1, clusters + 1)
    return np.asarray(np.maximum(1, np.round(rows * shares / shares.sum())), np.int64)


def hits(rng: np.random.Generator, sizes: NDArray[np.int64], share: float, correlation: float) -> NDArray[np.bool_]:
    """Right answers of rows in clusters whose own shares are beta-distributed."""
    shares = np.full(len(sizes), share)
    if correlation == 1:
        shares = (rng.random(len(sizes)) < share).astype(float)
    elif correlation:
        total = 1 / correlation - 1
        shares = rng.beta(share * total, (1 - share) * total, size=len(sizes))
    return np.asarray(rng.random(int(sizes.sum())) < np.repeat(shares, sizes))


def by_definition(
    y: Array, clusters: NDArray[np.int64], cells: NDArray[np.int64], weights: Array, correlation: float
) -> tuple[float, float]:
    """CR2 variance of a contrast of cell means and its degrees of freedom, by matrices of n rows and n columns.

    After Pustejovsky and Tipton (2018), equations 6 and 12; cells share no cluster.
    """
    n = len(y)
    x = np.eye(len(weights))[cells]
    bread = np.linalg.inv(x.T @ x)
    residuals = np.eye(n) - x @ bread @ x.T
    same = (clusters[:, None] == clusters) & (cells[:, None] == cells)
    spread = np.array([y[cells == c].var() for c in range(len(weights))])[cells]
    working = np.where(np.eye(n, dtype=bool), 1.0, correlation * same) * spread[:, None]
    e = residuals @ y
    variance, rows = 0.0, []
    for c in np.unique(clusters):
        own = clusters == c
        root = np.linalg.cholesky(working[np.ix_(own, own)]).T
        left = root @ (residuals[own] @ working @ residuals[own].T) @ root.T
        scaled = root.T @ np.linalg.inv(np.real(sqrtm(left))) @ root
        row = weights @ bread @ x[own].T @ scaled
        variance += float(row @ e[own]) ** 2
        rows.append(row @ residuals[own])
    p = np.array(rows) @ working @ np.array(rows).T
    return variance, float(np.trace(p) ** 2 / (p**2).sum())


@pytest.mark.parametrize("correlation", [0.0, 0.3])
def test_variance_and_degrees_of_freedom_are_those_of_the_definitions(correlation: float) -> None:
    rng = np.random.default_rng(0)
    sizes = zipf(12, 90)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    y = rng.normal(size=len(clusters)) + np.sqrt(3 * correlation) * rng.normal(size=len(sizes))[clusters]
    found = statistics.design_effect(y, clusters)
    e = y - y.mean()
    pairs = ((np.bincount(clusters, e) ** 2).sum() - (e**2).sum()) / ((sizes * (sizes - 1)).sum() * y.var())
    variance, freedom = by_definition(y, clusters, np.zeros(len(y), int), np.ones(1), max(float(pairs), 0.0))
    assert found.ratio * y.var(ddof=1) / len(y) == pytest.approx(variance)
    assert found.freedom == pytest.approx(freedom)
    assert found.freedom < len(sizes) - 1
    assert found.between <= found.freedom


def test_of_equal_sizes_they_are_the_usual_ones() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(25), 8)
    y = rng.normal(size=25)[clusters] + rng.normal(size=200)
    found = statistics.design_effect(y, clusters)
    robust = sm.OLS(y, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False})
    assert found.ratio * y.var(ddof=1) / 200 == pytest.approx(robust.bse[0] ** 2 * 25 / 24)
    assert found.freedom == pytest.approx(24)
    assert statistics.clustered_error(y, clusters) ** 2 == pytest.approx(found.ratio * y.var(ddof=1) / 200)


def test_a_difference_of_groups_without_a_cluster_in_common_is_that_of_a_regression() -> None:
    rng = np.random.default_rng(2)
    sizes = np.array([9, 5, 3, 2, 8, 4, 4, 3, 1, 1])
    clusters, cells = np.repeat(np.arange(10), sizes), np.repeat([0, 1], [19, 21])
    y = rng.normal(size=40) - np.repeat(rng.normal(size=10), sizes) * 0.0
    found = statistics.design_effect(y, clusters, cells=cells, weights=(1, -1))
    variance, freedom = by_definition(y, clusters, cells, np.array([1.0, -1.0]), 0.0)
    independent = sum(y[cells == c].var(ddof=1) / (cells == c).sum() for c in (0, 1))
    assert found.ratio * independent == pytest.approx(variance)
    assert found.freedom == pytest.approx(freedom, rel=0.2)  # it is taken at the correlation that was found


def test_groups_whose_rows_come_from_the_same_authors_are_compared_within_them() -> None:
    """What is hard of an author is hard in both groups, so their difference varies less than of other authors."""
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(60), 20)
    ease = np.repeat(rng.normal(size=60), 20)
    y = (ease + rng.normal(size=1_200) > -1.5).astype(float)
    within, across = np.tile([0, 1], 600), (clusters % 2).astype(int)
    shared = statistics.design_effect(y, clusters, cells=within, weights=(1, -1))
    apart = statistics.design_effect(y, clusters, cells=across, weights=(1, -1))
    assert shared.ratio < 1.2 < 3 < apart.ratio
    assert shared.shown == max(float(shared.ratio), 1.0)


def test_copies_count_as_one_row_each() -> None:
    rng = np.random.default_rng(4)
    y = rng.random(200) < 0.8
    one = statistics.proportion(int(y.sum()), 200)
    many = statistics.share(np.repeat(y, 10), clusters=np.repeat(np.arange(200), 10))
    effect = statistics.design_effect(np.repeat(y, 10), np.repeat(np.arange(200), 10))
    assert effect.ratio == pytest.approx(10, rel=0.01)
    assert many.low < one.low < one.estimate < one.high < many.high
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.25)
    alike = statistics.share(np.ones(600), clusters=np.repeat(np.arange(30), 20))
    assert tuple(alike) == pytest.approx(tuple(statistics.proportion(30, 30)))


def test_too_few_clusters_say_nothing_of_others() -> None:
    clusters = np.repeat(np.arange(statistics.FEWEST_CLUSTERS - 1), 100)
    y = np.arange(len(clusters)) % 4 > 0
    effect = statistics.design_effect(y, clusters)
    assert effect.is_open
    assert statistics.share(y, clusters=clusters)[1:] == (0, 1)
    assert statistics.paired_difference(40, 10, len(y), effect=effect)[1:] == (-1, 1)


@pytest.mark.parametrize("seed", range(5))
def test_where_each_row_is_a_cluster_of_its_own_nothing_changes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 300
    one, other, own = rng.random(n) < 0.9, rng.random(n) < 0.85, rng.permutation(n)
    effect = statistics.design_effect(one, own)
    assert effect is statistics.INDEPENDENT
    assert effect.shown is None
    right = int(one.sum())
    assert statistics.share(one, clusters=own) == statistics.proportion(right, n)
    assert statistics.proportion(right, n, effect=effect) == statistics.proportion(right, n)
    counts = statistics.discordant(one, other)
    pairs = statistics.paired_effect(one, other, own)
    assert statistics.paired_difference(*counts, effect=pairs) == statistics.paired_difference(*counts)
    assert statistics.proportion_to_settle(0.9, 0.85, effect=effect) == statistics.proportion_to_settle(0.9, 0.85)
    assert statistics.group_effects(one[None], rng.integers(0, 3, (1, n)), own, 3) is None
    truth, said, stated = rng.integers(0, 2, n), rng.integers(0, 2, n), 0.5 + 0.5 * rng.random(n)
    matrix = np.bincount(truth * 2 + said, minlength=4).reshape(2, 2)
    effect = statistics.confusion_effect(truth, said, own, statistics.macro_f1_of, 2)
    assert statistics.macro_f1(matrix, effect=effect, resamples=200) == statistics.macro_f1(matrix, resamples=200)
    scores = np.column_stack([1 - stated, stated])
    assert statistics.macro_auc(scores, truth, clusters=own) == statistics.macro_auc(scores, truth)
    sides, ids = (stated[truth == 1], stated[truth == 0]), (own[truth == 1], own[truth == 0])
    assert statistics.auc(*sides, clusters=ids) == statistics.auc(*sides)
    assert statistics.calibration_error(stated, one, clusters=own) == statistics.calibration_error(stated, one)


def test_a_verdict_that_is_open_takes_as_many_times_more_rows_as_these_are_worth_less() -> None:
    y = np.repeat(np.random.default_rng(5).random(100) < 0.8, 10)
    effect = statistics.design_effect(y, np.repeat(np.arange(100), 10))
    plain, more = (statistics.proportion_to_settle(0.8, 0.75, effect=each) for each in (statistics.INDEPENDENT, effect))
    assert plain is not None
    assert more is not None
    assert more.total == pytest.approx(plain.total / float(effect.kept(0.95)), abs=1)


def test_the_rows_kept_are_korn_and_graubards_where_nothing_is_in_excess() -> None:
    effect = DesignEffect(1.0, 40.0, 40.0, 800, 41, 20.0, False)
    expected = (t.ppf(0.025, 799) / t.ppf(0.025, 40)) ** 2
    assert float(effect.kept(0.95)) == pytest.approx(expected)
    assert float(DesignEffect(0.5, 40.0, 40.0, 800, 41, 20.0, False).kept(0.95)) == 1


@pytest.mark.slow("simulates many data sets", seconds=3)
@pytest.mark.parametrize(
    ("sizes", "correlation"),
    [(np.full(100, 20), 0.1), (np.full(100, 20), 1.0), (zipf(100, 2_000), 0.1)],
    ids=["equal", "copies", "Zipf"],
)
def test_a_model_on_the_gate_does_not_pass_it_by_its_authors(sizes: NDArray[np.int64], correlation: float) -> None:
    """Taken for independent, 20 rows an author let 12 % of models pass that are on the gate, and as many fail."""
    rng, draws, gate = np.random.default_rng(0), 1_000, 0.9
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    wrong = np.zeros((2, 2))
    for _ in range(draws):
        y = hits(rng, sizes, gate, correlation)
        for i, each in enumerate((None, clusters)):
            _, low, high = statistics.share(y, clusters=each)
            wrong[i] += low > gate, high < gate
    assert (wrong[0] / draws).min() > 0.08
    assert (wrong[1] / draws).max() <= 0.025 + SLACK * np.sqrt(0.025 * 0.975 / draws)


def by_jackknife(statistic: Callable[[NDArray[np.bool_]], float], clusters: NDArray[np.int64]) -> float:
    """Variance of a statistic of rows by leaving out one cluster after the other (Efron 1982, chapter 3)."""
    values = np.array([statistic(clusters != c) for c in np.unique(clusters)])
    return float((len(values) - 1) / len(values) * ((values - values.mean()) ** 2).sum())


@pytest.mark.slow("calls scikit-learn for each author", seconds=4)
def test_the_variance_of_an_area_and_of_an_f1_is_that_of_leaving_out_authors() -> None:
    from sklearn.metrics import f1_score, roc_auc_score

    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(40), 10)
    n, ease = len(clusters), rng.normal(size=40)[clusters]
    truth = (rng.random(n) < 1 / (1 + np.exp(-ease))).astype(int)
    score = truth + ease + rng.normal(size=n)
    scores = np.column_stack([-score, score])
    area = statistics.area_effect(scores, truth, clusters)
    twos = np.arange(n) // 2
    single = statistics.area_effect(scores, truth, twos)
    variance = by_jackknife(lambda rows: float(roc_auc_score(truth[rows], score[rows])), clusters)
    pairs = by_jackknife(lambda rows: float(roc_auc_score(truth[rows], score[rows])), twos)
    assert float(area.ratio) / float(single.ratio) == pytest.approx(variance / pairs, rel=0.05)

    said = (score > 0.5).astype(int)

    def macro_f1(rows: NDArray[np.bool_]) -> float:
        return float(f1_score(truth[rows], said[rows], average="macro"))

    effect = statistics.confusion_effect(truth, said, clusters, statistics.macro_f1_of, 2)
    single = statistics.confusion_effect(truth, said, twos, statistics.macro_f1_of, 2)
    expected = by_jackknife(macro_f1, clusters) / by_jackknife(macro_f1, twos)
    assert float(effect.ratio) / float(single.ratio) == pytest.approx(expected, rel=0.05)


@pytest.mark.slow("simulates many data sets", seconds=8)
def test_gaps_and_calibration_of_models_on_the_gate_are_not_called_beyond_it_by_their_authors() -> None:
    rng, draws, clusters = np.random.default_rng(1), 400, np.repeat(np.arange(100), 20)
    wrong = np.zeros((2, 2))
    for _ in range(draws):
        group = rng.permutation(100) % 2
        right = hits(rng, np.full(100, 20), 0.9, 0.3)
        x, n = np.bincount(group[clusters], right, 2), np.bincount(group[clusters], minlength=2)
        effects = statistics.group_effects(right[None], group[clusters][None], clusters, 2)
        wrong[0] += [statistics.gap(x, n, effects=each).low > 0 for each in (None, effects)]
        stated = np.repeat(0.5 + 0.5 * rng.random(100), 20)
        copies = np.repeat(rng.random(100) < stated[::20], 20)
        wrong[1] += [statistics.calibration_error(stated, copies, clusters=each).low > 0 for each in (None, clusters)]
    slack = SLACK * np.sqrt(0.025 * 0.975 / draws)
    assert (wrong[:, 0] / draws > 0.1).all()
    assert (wrong[:, 1] / draws <= 0.025 + slack).all()


def test_a_group_of_a_handful_of_authors_leaves_a_gap_open() -> None:
    rng = np.random.default_rng(7)
    clusters = np.repeat(np.arange(43), 20)
    group = (clusters < 3).astype(int)
    right = rng.random(len(clusters)) < 0.9
    x, n = np.bincount(group, right, 2), np.bincount(group, minlength=2)
    effects = statistics.group_effects(right[None], group[None], clusters, 2)
    assert effects is not None
    assert statistics.gap(x, n, effects=effects)[1:] == (0, 1)
    assert statistics.smallest_proportion(x, n, effects=effects).low == 0
    assert effects.clusters == 43
