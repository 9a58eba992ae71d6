"""Measures of ordered classes are scikit-learn's, whatever order the model has them in; else they say why not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from audit import AuditError, NotAssessed
from audit.core.probe import DeclaredProbe
from audit.data import labels
from audit.inference.predictions import Predictions
from audit.probes.quality import ordinal
from tests.helpers import THREE, TWO, examples, predictions

STARS = ("1 star", "2 stars", "3 stars", "4 stars", "5 stars")
MIXED = ("5 stars", "1 star", "3 stars", "2 stars", "4 stars")
PROBES = (ordinal.mean_absolute_error, ordinal.quadratic_kappa, ordinal.off_by_more_than_one)


def _places(n: int, seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, n)
    return truth, np.clip(truth + rng.choice([-2, -1, 0, 1, 2], n, p=[0.05, 0.15, 0.6, 0.15, 0.05]), 0, 4)


def _answers(n: int, classes: tuple[str, ...] = STARS, seed: int = 0) -> Predictions:
    """The same stars, by a model that has its classes in some order."""
    at = np.array([classes.index(name) for name in STARS])
    truth, said = _places(n, seed)
    return predictions(at[said], examples(at[truth], classes, order=STARS))


@pytest.mark.parametrize("n", [60, 2000])
@pytest.mark.parametrize("classes", [STARS, MIXED])
def test_estimates_are_scikit_learns_whatever_the_models_order(n: int, classes: tuple[str, ...]) -> None:
    truth, said = _places(n)
    error, kappa, far = (probe(_answers(n, classes)) for probe in PROBES)
    assert error.estimate == pytest.approx(mean_absolute_error(truth, said), abs=1e-12)
    assert kappa.estimate == pytest.approx(cohen_kappa_score(truth, said, weights="quadratic"), abs=1e-12)
    assert far.estimate == (np.abs(truth - said) > 1).mean()
    for found in (error, kappa, far):
        low, estimate, high = found.low, found.estimate, found.high
        assert low is not None
        assert estimate is not None
        assert high is not None
        assert low < estimate < high
        (table,) = found.tables
        assert [row[0] for row in table.rows] == ["-4", "-3", "-2", "-1", "0", "+1", "+2", "+3", "+4"]
        assert table.rows[5][-1] == (int((said - truth == 1).sum()) if n > 60 else "<10")


@pytest.mark.parametrize("probe", PROBES)
def test_what_no_order_is_known_of_is_not_assessed(probe: DeclaredProbe[...]) -> None:
    with pytest.raises(NotAssessed, match=r"the classes negative, neutral, positive are ordered; .*\[model\] order"):
        probe(predictions([0, 1, 2], examples([0, 1, 2], THREE)))
    with pytest.raises(NotAssessed, match="the classes are two"):
        probe(predictions([0, 1], examples([0, 1], TWO, order=TWO)))


@pytest.mark.parametrize(
    ("classes", "order", "expected"),
    [
        (MIXED, (), STARS),
        (("5", "1", "3.0"), (), ("1", "3.0", "5")),
        (("-1", "1", "0"), (), ("-1", "0", "1")),
        (("10 stars", "9 stars", "1 Star"), (), ("1 Star", "9 stars", "10 stars")),
        (("1 star", "2", "3 stars"), (), ()),
        (("good", "1", "2"), (), ()),
        (THREE, (), ()),
        (("good", "bad", "fair"), ("bad", "Fair", "good"), ("bad", "fair", "good")),
        (("1", "2", "3"), ("3", "2", "1"), ("3", "2", "1")),
        (("NEG", "POS", "NEU"), THREE, ("NEG", "NEU", "POS")),
    ],
)
def test_numbers_and_stars_order_themselves_and_others_as_the_policy_says(
    classes: tuple[str, ...], order: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert labels.ordered(classes, order, "audit.toml") == expected


@pytest.mark.parametrize("order", [("bad", "good"), ("bad", "good", "good"), ("bad", "fair", "good", "great")])
def test_an_order_that_is_not_of_all_classes_is_refused(order: tuple[str, ...]) -> None:
    with pytest.raises(AuditError, match=r"order names bad, .*, and the classes are good, bad, fair; name each"):
        labels.ordered(("good", "bad", "fair"), order, "audit.toml")


@pytest.mark.parametrize(
    ("classes", "order", "expected"),
    [
        (THREE, (), [-1, 0, 1]),
        (("POS", "NEG"), (), [1, -1]),
        (MIXED, STARS, [1, -1, 0, -0.5, 0.5]),
        (("1", "2", "3"), ("1", "2", "3"), []),  # marks of a school, or points?
        (("red", "green"), (), []),
        (("negative", "other"), (), [-1, 0]),
    ],
)
def test_stars_say_how_good_a_text_is_and_plain_numbers_do_not(
    classes: tuple[str, ...], order: tuple[str, ...], expected: list[float]
) -> None:
    found = labels.leaning(classes, order)
    assert [found[name] for name in classes if found] == expected
