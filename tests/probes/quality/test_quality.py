"""Measures equal scikit-learn's; their intervals, the tables behind them, and pairs of models."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import ArrayLike
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from audit import Gate, NotAssessed, Verdict, judge, statistics
from audit.core.evidence import Calibration, Confusion
from audit.inference.predictions import Predictions
from audit.probes.quality import quality
from audit.run import evaluate_modules
from tests.helpers import THREE, TWO, examples, predictions


def _random(classes: tuple[str, ...], n: int, seed: int, confidence: float = 0.95) -> Predictions:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(classes), n)
    said = np.where(rng.random(n) < 0.6, truth, rng.integers(0, len(classes), n))
    return predictions(said, examples(truth, classes, confidence=confidence))


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("n", [300, 25_000])
def test_estimates_are_scikit_learns(classes: tuple[str, ...], n: int) -> None:
    made = _random(classes, n, n)
    accuracy, f1 = quality.accuracy(made), quality.macro_f1(made)
    assert accuracy.estimate == pytest.approx(accuracy_score(made.truth, made.labels), abs=1e-12)
    assert f1.estimate == pytest.approx(f1_score(made.truth, made.labels, average="macro"), abs=1e-12)
    np.testing.assert_array_equal(quality.confusion_matrix(made), confusion_matrix(made.truth, made.labels))
    assert (accuracy.n, f1.n, accuracy.id, f1.id) == (n, n, "quality.accuracy", "quality.macro_f1")


@pytest.mark.parametrize("classes", [TWO, THREE])
def test_as_modules_of_evaluate_the_measures_are_the_same(classes: tuple[str, ...]) -> None:
    rng = np.random.default_rng(6)
    scores = rng.dirichlet(np.ones(len(classes)), 300).astype(np.float32)
    made = Predictions(scores, classes, examples(rng.integers(0, len(classes), 300), classes))
    said = {"predictions": made.labels}
    for module, measure, inputs in (
        (evaluate_modules.Accuracy, quality.accuracy, said),
        (evaluate_modules.MacroF1, quality.macro_f1, said),
        (evaluate_modules.BalancedAccuracy, quality.balanced_accuracy, said),
        (evaluate_modules.MatthewsCorrelation, quality.mcc, said),
        (evaluate_modules.RocAuc, quality.roc_auc, {"prediction_scores": scores.astype(float)}),
    ):
        (value,) = module(keep_in_memory=True).compute(**inputs, references=made.truth).values()
        assert value == measure(made).estimate


@pytest.mark.slow("starts processes", seconds=2)
def test_the_measures_do_not_wait_for_the_library_of_modules() -> None:
    """Its import takes seconds."""
    code = (
        "import sys, audit.run.session; from audit.probes.quality import metrics, quality; "
        "assert 'evaluate' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_the_accuracys_interval_is_exact_at_the_asked_confidence(confidence: float) -> None:
    made = _random(THREE, 200, 5, confidence)
    found = quality.accuracy(made)
    expected = proportion_confint(made.correct.sum(), 200, 1 - confidence, "beta")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-12)
    assert found.confidence == confidence


def test_macro_f1_of_many_matrices_at_once() -> None:
    made = [_random(THREE, 80, seed) for seed in range(6)]
    stacked = np.array([quality.confusion_matrix(one) for one in made], dtype=float).reshape(2, 3, 3, 3)
    expected = [f1_score(one.truth, one.labels, average="macro") for one in made]
    assert statistics.macro_f1_of(stacked).ravel() == pytest.approx(expected, abs=1e-12)


def test_macro_f1_of_a_class_that_is_never_said_counts_nothing() -> None:
    made = predictions([0] * 60, examples([0] * 40 + [1] * 20))
    assert quality.macro_f1(made).estimate == pytest.approx((2 * 40 / (40 + 60) + 0) / 2)


@pytest.mark.slow("simulates many data sets", seconds=2)
def test_the_interval_of_macro_f1_covers_the_truth() -> None:
    truth_of = np.array([[0.30, 0.06, 0.04], [0.05, 0.20, 0.05], [0.02, 0.06, 0.22]])
    truth = float(statistics.macro_f1_of(truth_of))
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(120):
        cells = np.repeat(np.arange(9), rng.multinomial(400, truth_of.ravel()))
        found = quality.macro_f1(predictions(cells % 3, examples(cells // 3, THREE)))
        assert found.low is not None
        assert found.high is not None
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.88


def test_perfect_answers_are_not_taken_for_certainty() -> None:
    found = quality.macro_f1(predictions([0, 1] * 20, examples([0, 1] * 20)))
    assert (found.estimate, found.high) == (1, 1)
    share = 0.0125 ** (1 / 20)  # the exact bound where 20 of 20 agree, at half the error for each of two classes
    assert found.low == pytest.approx(2 * share / (1 + share))


def test_the_tables_hold_the_figures_of_each_class() -> None:
    made = _random(THREE, 300, 7)
    (table,) = quality.macro_f1(made).tables
    expected = np.array(precision_recall_fscore_support(made.truth, made.labels)).T
    for row, name, figures in zip(table.rows, THREE, expected, strict=True):
        assert row[0] == name
        assert row[1:] == pytest.approx(list(figures), abs=1e-12)
    (confusion,) = quality.accuracy(made).shown(Confusion)
    cells = confusion_matrix(made.truth, made.labels).tolist()
    # Cells of one to nine examples are not told.
    shown = [[cell if cell == 0 or cell >= 10 else "<10" for cell in row] for row in cells]
    assert (confusion.classes, confusion.counts) == (THREE, shown)


# The measures that the confusion matrix determines


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("n", [300, 25_000])
def test_balanced_accuracy_and_mcc_are_scikit_learns(classes: tuple[str, ...], n: int) -> None:
    made = _random(classes, n, n)
    assert quality.balanced_accuracy(made).estimate == pytest.approx(
        balanced_accuracy_score(made.truth, made.labels), abs=1e-12
    )
    assert quality.mcc(made).estimate == pytest.approx(matthews_corrcoef(made.truth, made.labels), abs=1e-12)
    confusion = confusion_matrix(made.truth, made.labels).astype(float)
    stacked = np.stack([confusion, confusion.T])
    expected = [
        [balanced_accuracy_score(made.truth, made.labels), balanced_accuracy_score(made.labels, made.truth)],
        [matthews_corrcoef(made.truth, made.labels)] * 2,
    ]
    assert statistics.balanced_accuracy_of(stacked) == pytest.approx(expected[0], abs=1e-12)
    assert statistics.mcc_of(stacked) == pytest.approx(expected[1], abs=1e-12)


def test_mcc_of_a_constant_answer_is_nothing() -> None:
    made = predictions([0] * 60, examples([0] * 40 + [1] * 20))
    found = quality.mcc(made)
    assert found.estimate == 0
    assert found.low is not None
    assert found.low <= 0 <= (found.high or 0)


def test_an_own_metric_that_fails_without_a_class_gets_no_interval() -> None:
    """As those of many libraries do; some resamples have none of a small class, or few."""
    truth = np.repeat([0, 1], [60, 14])
    made = predictions(np.where(np.arange(74) % 2, truth, 1 - truth), examples(truth))

    def value(said: ArrayLike, about: ArrayLike) -> float:
        if (np.asarray(about) == 1).sum() < 8:
            raise ValueError("Only one class present in y_true")
        return float(np.mean(np.asarray(said) == about))

    found = quality.own_metric(made, "mine", value)
    assert (found.estimate, found.low, found.high) == (0.5, None, None)
    with pytest.raises(ValueError, match="Only one class"):
        quality.own_metric(predictions([0, 0], examples([0, 0])), "mine", value)


def test_an_own_metric_gets_an_interval() -> None:
    made = _random(TWO, 400, 8)

    def accuracy(said: ArrayLike, truth: ArrayLike) -> float:
        return float(np.mean(np.asarray(said) == np.asarray(truth)))

    found = quality.own_metric(made, "mine", accuracy)
    exact = quality.accuracy(made)
    assert found.id == "quality.metric[mine]"
    assert found.estimate == pytest.approx(exact.estimate)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.02)


# Against counting words, and against the former audit


def test_the_gain_over_counting_words_is_the_paired_difference() -> None:
    about = examples([1] * 100)
    model, words = predictions([1] * 90 + [0] * 10, about), predictions([0] * 20 + [1] * 75 + [0] * 5, about)
    found = quality.baseline_gain(model, words)
    # Of 100: 20 right only by the model, 5 only by the words (rows 90 to 94).
    assert found.estimate == pytest.approx((90 - 75) / 100)
    assert found.facts["right only by the model"] == 20
    assert found.facts["right only by counting words"] == 5
    assert found.facts["p value of no difference (exact McNemar)"] == pytest.approx(
        mcnemar([[70, 20], [5, 5]], exact=True).pvalue
    )
    assert found.summary == "The model is right 15.0 points more often than counting words."


def test_differences_that_a_sentence_does_not_show_are_no_differences() -> None:
    about = examples([1] * 5000)
    model, words = (predictions([1] * right + [0] * (5000 - right), about) for right in (4000, 3999))
    for one, other in ((model, words), (words, model)):
        assert quality.baseline_gain(one, other).summary == "The model is right as often as counting words."
    assert quality.calibration_error(model).summary == (
        "The model is sure of its answers to 80.0 % on average and right in 80.0 %: as sure as it is right, to a tenth "
        "of a point."
    )


def test_a_model_that_does_no_better_than_counting_words_does_not_pass() -> None:
    about = examples([0, 1] * 300)
    rng = np.random.default_rng(3)
    model, words = (predictions(np.where(rng.random(600) < 0.8, about.labels, 1 - about.labels), about) for _ in "ab")
    assert judge(quality.baseline_gain(model, words), Gate(min=0.05))[0] is not Verdict.PASS
    assert judge(quality.baseline_gain(predictions(about.labels, about), words), Gate(min=0.05))[0] is Verdict.PASS


def test_the_change_since_the_former_audit_counts_shared_examples_only() -> None:
    texts = ["good"] * 2 + [f"text {i}" for i in range(98)]
    about = examples([1] * 100, texts=texts)
    former = dict(zip(about.keys, ["negative"] + ["positive"] * 79 + ["negative"] * 20, strict=True))
    del former[about.keys[99]]
    found = quality.regression(predictions([1] * 90 + [0] * 10, about), former)
    # Right before: rows 1 to 79. Right now: rows 0 to 89. Row 99 was not there.
    assert found.n == 99
    assert found.estimate == pytest.approx((90 - 79) / 99)
    assert (found.facts["examples fixed"], found.facts["examples broken"]) == (11, 0)
    assert found.facts["test examples that the former audit did not have"] == 1


def test_answers_that_turned_count_whichever_of_the_two_was_right() -> None:
    about = examples([1] * 100)
    former = dict(zip(about.keys, ["NEG"] + ["POS"] * 79 + ["NEG"] * 20, strict=True))  # as it was spelt then
    del former[about.keys[99]]
    found = quality.flips(predictions([1] * 90 + [0] * 10, about), former)
    # Row 0, and rows 80 to 89, were wrong and are right; none was right and is wrong.
    assert found.n == 99
    assert found.estimate == pytest.approx(11 / 99)
    assert (found.low, found.high) == pytest.approx(proportion_confint(11, 99, method="beta"))
    assert found.facts["right answers that turned wrong"] == 0
    assert found.facts["test examples that the former audit did not have"] == 1
    assert {item.note for item in found.pairs.items} == {"NEG → positive"}
    with pytest.raises(NotAssessed, match="--audit-baseline"):
        quality.flips(predictions([1] * 100, about), None)


def test_equal_texts_are_told_apart_by_their_order() -> None:
    about = examples([1, 1, 0], texts=["same", "same", "same"])
    assert [key[1:] for key in about.keys] == [("positive", 0), ("positive", 1), ("negative", 0)]


def test_examples_that_broke_are_shown_with_personal_data_masked() -> None:
    about = examples([1, 1], texts=["write to a.b@example.com", "fine"])
    found = quality.regression(predictions([0, 1], about), dict.fromkeys(about.keys, "positive"))
    (item,) = found.pairs.items
    assert item.before == "write to [e-mail]"
    assert item.note == "positive → negative"


def test_nothing_to_compare_with_is_not_assessed() -> None:
    made = predictions([0, 1], examples([0, 1]))
    with pytest.raises(NotAssessed, match="--audit-baseline"):
        quality.regression(made, None)
    with pytest.raises(NotAssessed, match="shares no test example"):
        quality.regression(made, {("0" * 64, "positive", 0): "positive"})


# Ranking


def _scored(classes: tuple[str, ...], n: int, seed: int, strength: float = 1.0) -> Predictions:
    """Predictions whose scores lean towards the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(classes), n)
    logits = rng.normal(size=(n, len(classes)))
    logits[np.arange(n), truth] += strength
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(chances.astype(np.float32), classes, examples(truth, classes))


@pytest.mark.parametrize("classes", [TWO, THREE])
@pytest.mark.parametrize("n", [400, 25_000])
def test_the_area_under_the_curve_is_scikit_learns(classes: tuple[str, ...], n: int) -> None:
    made = _scored(classes, n, n)
    scores = made.probabilities.astype(float)
    expected = (
        roc_auc_score(made.truth, scores[:, 1])
        if len(classes) == 2
        else np.mean([roc_auc_score(made.truth == c, scores[:, c]) for c in range(3)])
    )
    found = quality.roc_auc(made)
    assert found.estimate == pytest.approx(expected, abs=1e-12)
    assert statistics.macro_auc(scores, made.truth).estimate == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [40, 300])
def test_of_two_classes_it_is_the_interval_of_one_area(n: int) -> None:
    made = _scored(TWO, n, 5)
    scores = made.probabilities[:, 1].astype(float)
    expected = statistics.auc(scores[made.truth == 1], scores[made.truth == 0])
    found = statistics.macro_auc(np.column_stack([-scores, scores]), made.truth)
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_mean_areas_interval_covers_the_truth() -> None:
    big = _scored(THREE, 400_000, 6)
    truth = statistics.macro_auc(big.probabilities, big.truth).estimate
    covered = []
    for seed in range(200):
        made = _scored(THREE, 150, 100 + seed)
        found = statistics.macro_auc(made.probabilities, made.truth)
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_perfect_ranking_does_not_claim_certainty() -> None:
    made = predictions([0] * 30 + [1] * 30, examples([0] * 30 + [1] * 30))
    found = quality.roc_auc(made)
    assert (found.estimate, found.high) == (1, 1)
    assert found.low is not None
    assert 0.8 < found.low < 0.95


# Calibration


def _stated(n: int, seed: int, lie: float = 0.0) -> Predictions:
    """Two classes; the model is right as often as it says, less a lie."""
    rng = np.random.default_rng(seed)
    stated = rng.uniform(0.5, 1, n)
    right = rng.random(n) < stated - lie
    truth = rng.integers(0, 2, n)
    said = np.where(right, truth, 1 - truth)
    chances = np.where(np.arange(2) == said[:, None], stated[:, None], 1 - stated[:, None])
    return Predictions(chances.astype(np.float32), TWO, examples(truth))


def test_an_honest_model_is_calibrated_and_a_boaster_is_not() -> None:
    honest, boaster = quality.calibration_error(_stated(4000, 1)), quality.calibration_error(_stated(4000, 2, lie=0.2))
    assert judge(honest, Gate(max=0.01))[0] is Verdict.PASS
    assert judge(boaster, Gate(max=0.01))[0] is Verdict.FAIL
    assert boaster.low is not None
    assert boaster.low < 0.2**2 < (boaster.high or 0)
    assert "too sure by" in boaster.summary


def test_miscalibration_within_a_bin_is_not_seen_and_the_finding_says_so() -> None:
    # Right ten points more often than stated and ten points less often in turn, in strips much narrower than a bin.
    rng = np.random.default_rng(0)
    stated = rng.uniform(0.6, 0.9, 4000)
    right = rng.random(4000) < stated + np.where((stated * 400).astype(int) % 2, 0.1, -0.1)
    found = quality.calibration_error(Predictions(np.column_stack([stated, 1 - stated]), TWO, examples(1 - right)))
    assert found.high is not None
    assert found.high < 0.1**2
    assert any("bounds the error without bins from below" in caveat for caveat in found.caveats)


def test_the_reliability_diagram_holds_bins_of_ten_examples_and_more() -> None:
    found = quality.calibration_error(_stated(600, 3))
    (table,), (diagram,) = found.tables, found.shown(Calibration)
    assert all(isinstance(row[-1], int) and row[-1] >= 10 for row in table.rows)
    stated, accuracy, low, high = np.array(diagram.bins, dtype=float).T
    assert ((stated >= 0.5) & (stated <= 1)).all()
    assert ((low <= accuracy) & (accuracy <= high)).all()


def test_too_few_answers_for_a_bin_are_not_assessed() -> None:
    with pytest.raises(NotAssessed, match="fewer than 20"):
        quality.calibration_error(_stated(19, 4))


# ---- rows that belong together


def _of_authors(sorted_by: str = "", **protocol: Any) -> Predictions:
    """Ten rows of each of 150 authors, every sixth of whom is misread in all of them."""
    rng = np.random.default_rng(0)
    authors = np.repeat(np.arange(150), 10)
    truth = rng.integers(0, 2, 1_500)
    right = authors % 6 != 0
    order = {"": rng.permutation(1_500), "author": np.arange(1_500), "error": np.argsort(right, kind="stable")}[
        sorted_by
    ]
    known = examples(truth[order], groups={"group": [str(each) for each in right[order]]}, **protocol)
    if sorted_by != "error":
        known = replace(known, subgroups={})
    return predictions(np.where(right, truth, 1 - truth)[order], known)


def test_errors_that_go_along_with_the_rows_are_told_until_their_column_is_named() -> None:
    told = quality.accuracy(_of_authors("author"))
    assert "name the column with [data] cluster" in told.caution
    (caveat,) = told.caveats
    assert "p = 0.0005" in caveat
    # Nine of ten neighbours are of one author, and eight of ten neighbours but one.
    effect = float(caveat.partition("at least about ")[2].partition(")")[0])
    assert effect == pytest.approx(1 + 2 * (0.9 + 0.8), abs=0.3)
    assert judge(told, Gate(min=0.5)) == (Verdict.PASS, told.caution)
    for quiet in (_of_authors(), _of_authors("author", cluster="who"), _of_authors("error")):
        found = quality.accuracy(quiet)
        assert (found.caution, list(found.caveats)) == ("", [])


def test_near_copies_that_stand_together_are_no_sign_of_authors() -> None:
    made = _of_authors("author")
    known = replace(made.known, clusters=np.repeat(np.arange(150), 10))
    assert quality.accuracy(replace(made, examples=known)).caution == ""


def test_few_rows_have_no_order_to_speak_of() -> None:
    assert quality.accuracy(predictions([0, 1], examples([0, 1]))).caution == ""


@pytest.mark.slow("learns from 25,000 reviews", seconds=25)
def test_reviews_of_one_film_stand_together_in_imdb(real_data: Path) -> None:
    train, test = (pd.read_parquet(real_data / f"imdb_{role}.parquet") for role in ("train", "test"))
    words = HashingVectorizer(n_features=2**16)
    model = SGDClassifier(random_state=0).fit(words.transform(train["text"]), train["label"])
    said = model.predict(words.transform(test["text"])) == "positive"
    known = examples(test["label"] == "positive", texts=list(test["text"]))
    assert quality.accuracy(predictions(said, known)).caution
    order = np.random.default_rng(0).permutation(len(known))
    assert not quality.accuracy(predictions(said[order], known.take(order))).caution
