"""Wrong labels: intervals by second labels, bounds without them, and a list of those to look at again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, f1_score, matthews_corrcoef
from statsmodels.stats.proportion import proportion_confint

from audit import Gate, Measurement, Verdict, judge
from audit.data.examples import UNLABELLED
from audit.inference.predictions import Predictions
from audit.probes.quality.doubts import doubts
from audit.probes.quality.labels import label_noise
from audit.text.redaction import withholding
from tests.helpers import TWO, cells, examples, predictions
from tools.mislabelled import labelled_twice, rates


def _answers(n: int, classes: int = 2, seed: int = 0) -> Predictions:
    """Answers of a model that is right about 17 times in 20, about the true labels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=n)
    scores = np.eye(classes)[truth] * rng.gamma(2, 1.5, n)[:, None] + rng.normal(size=(n, classes))
    chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    about = examples(truth, [f"class {i}" for i in range(classes)])
    return Predictions(chances.astype(np.float32), about.classes, about)


def _second(answers: Predictions, second: NDArray[np.int64], kind: str = "truth") -> Predictions:
    test = answers.known
    protocol = replace(test.protocol, second_label_is=kind)  # type: ignore[arg-type]
    return answers.on(replace(test, second=second, protocol=protocol))


def _differing(n: int, differ: int, of: int, kind: str = "truth") -> Predictions:
    """A second label of the first `of` examples, another one of `differ` of them; the model is right in all."""
    labels = np.arange(n) % 2
    second = np.where(np.arange(n) < differ, 1 - labels, labels)
    second[of:] = UNLABELLED
    return _second(predictions(labels, examples(labels)), second, kind)


def _verdict(found: Measurement, bound: float) -> tuple[Verdict, str]:
    return judge(found, Gate(max=bound))


# ---- with a second label


def test_a_second_label_that_is_right_gives_the_exact_interval() -> None:
    found = label_noise(_differing(1000, 30, 400))
    low, high = proportion_confint(30, 400, method="beta")
    assert (found.estimate, found.n, found.sample) == (0.075, 400, "test examples with a second label")
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.summary == "Of 400 test examples with a second label, 30 have another one."
    verdict, reason = _verdict(found, 0.06)
    assert verdict is Verdict.INCONCLUSIVE
    assert "more test examples with a second label would settle it" in reason


def test_peers_give_the_bounds_of_cover_and_hart() -> None:
    found = label_noise(_differing(1000, 72, 400, "peer"))
    low, high = proportion_confint(72, 400, method="beta")
    assert found.estimate == pytest.approx(0.1)  # 0.18 is 2 × 0.1 × 0.9
    assert found.low == pytest.approx((1 - np.sqrt(1 - 2 * low)) / 2)
    assert found.high == pytest.approx(high)
    verdict, reason = _verdict(found, 0.15)
    assert verdict is Verdict.INCONCLUSIVE
    assert "second labels that are right would tell" in reason  # no number of more of the same would
    assert _verdict(found, 0.07)[0] is Verdict.FAIL
    assert "more test examples with a second label" in _verdict(found, 0.09)[1]
    assert "more test examples with a second label" in _verdict(found, 0.2)[1]


def test_that_a_text_belongs_to_no_class_is_another_label() -> None:
    planted = _differing(600, 20, 300)
    test = planted.known
    assert test.second is not None
    second = np.where(np.arange(600) < 20, len(TWO), test.second)
    found = label_noise(_second(planted, second))
    assert found.estimate == pytest.approx(20 / 300)
    rows = {str(name): row for name, *row in cells(found.tables[0])}
    assert rows["the second"][0] == 280  # figures of classes leave these out


@pytest.mark.parametrize("kind", ["truth", "peer"])
def test_second_labels_of_chosen_rows_say_nothing_of_others(kind: str) -> None:
    """Somebody gave a second label to what the model contradicts, as relabel.csv suggests."""
    answers = labelled_twice(_answers(1000), rates(0.1, None, 1000), 0, is_peer=False, seed=1)
    chosen = np.flatnonzero(~answers.correct)[:100]
    second = np.full(1000, UNLABELLED)
    second[chosen] = answers.truth[chosen]
    second[chosen[:40]] = 1 - answers.truth[chosen[:40]]
    found = label_noise(_second(answers, second, kind))
    assert any("surely not drawn at random" in caveat for caveat in found.caveats)
    assert found.n == 1000
    # Those of them that are wrong are wrong all the same, if the second label is right.
    assert found.low == (0.04 if kind == "truth" else 0.0)
    assert found.high == pytest.approx(proportion_confint(int((~answers.correct).sum()), 1000, method="beta")[1])


def test_whole_clusters_may_be_drawn() -> None:
    """Authors drawn at random, each with fifty texts of the same sentiment, are no chosen rows."""
    rng = np.random.default_rng(3)
    authors = np.repeat(np.arange(40), 50)
    labels = rng.integers(2, size=40)[authors]
    test = replace(examples(labels, cluster="who"), clusters=authors)
    test = replace(test, second=np.where(authors < 10, labels, UNLABELLED))
    said = np.where(rng.random(2000) < np.where(authors % 3 == 0, 0.6, 0.95), labels, 1 - labels)
    found = label_noise(predictions(said, test))
    assert found.sample == "test examples with a second label"
    assert found.clusters == 10


def test_the_accuracy_by_the_second_label_is_that_by_the_true_ones() -> None:
    truth = _answers(3000, 3)
    found = label_noise(labelled_twice(truth, rates(0.1, None, 3000), 1200, is_peer=False, seed=2))
    table = next(each for each in found.tables if "do to each figure" in each.caption)
    by = {str(name): row for name, *row in cells(table)}
    assert [by[name][0] for name in by] == [3000, by["those in no doubt"][0], 1200, 1200]
    drawn = np.zeros(3000, dtype=bool)
    drawn[_drawn(truth, 2)] = True
    second, said = truth.truth[drawn], truth.labels[drawn]
    assert by["the second"][1:4] == pytest.approx(
        [
            balanced_accuracy_score(second, said),
            f1_score(second, said, average="macro"),
            matthews_corrcoef(second, said),
        ]
    )
    accuracy, low, high = by["the second"][5:]
    right = int((second == said).sum())
    assert accuracy == right / 1200
    assert (low, high) == pytest.approx(proportion_confint(right, 1200, method="beta"))
    # Without the labels in doubt a figure is too good, and by the first labels too bad.
    assert by["all labels"][5] < accuracy < by["those in no doubt"][5]


def _drawn(truth: Predictions, seed: int) -> NDArray[np.int64]:
    planted = labelled_twice(truth, rates(0.1, None, len(truth)), 1200, is_peer=False, seed=seed).known
    assert planted.second is not None
    return np.flatnonzero(planted.second != UNLABELLED)


def test_groups_and_labels_tell_where_they_are_wrong_and_small_ones_tell_nothing() -> None:
    labels = np.zeros(400, dtype=np.int64)
    labels[200:] = 1
    groups = ["a"] * 195 + ["few"] * 5 + ["b"] * 200
    test = examples(labels, groups={"who": groups})
    second = labels.copy()
    second[:39] = 1
    found = label_noise(_second(predictions(labels, test), second))
    rows = {
        str(name): row for name, *row in cells(next(t for t in found.tables if t.caption.startswith("Where labels")))
    }
    assert rows["who: a"][2:4] == [195, 0.2]
    assert rows["who: b"][3] == 0
    assert rows["who: few"] == ["<10", None, "<10", None, None, None]
    assert rows["labelled negative"][3] == pytest.approx(39 / 200)


def test_a_second_label_that_is_the_first_everywhere_may_be_a_copy() -> None:
    assert "is it a copy of it?" in _verdict(label_noise(_differing(200, 0, 200)), 0.05)[1]
    for found in (_differing(200, 0, 199), _differing(200, 1, 200), _differing(99, 0, 99)):
        assert not label_noise(found).caution


# ---- without one


def test_without_a_second_label_there_are_bounds() -> None:
    answers = labelled_twice(_answers(2000), rates(0.1, None, 2000), 0, is_peer=False, seed=4)
    found = label_noise(answers)
    wrong = int((~answers.correct).sum())
    assert found.low == 0
    assert found.high == pytest.approx(proportion_confint(wrong, 2000, method="beta")[1])
    assert found.estimate == pytest.approx(doubts(answers).share)
    verdict, reason = _verdict(found, 0.02)
    assert verdict is Verdict.INCONCLUSIVE
    # By the size with which 1 % are told from 2 %, whatever the model's mistakes come to.
    assert "drawn at random would tell ([data] second_label): about 1,700 of them, if half as many" in reason
    assert _verdict(found, 0)[1].endswith("drawn at random would tell ([data] second_label)")


def test_confident_learning_is_as_the_paper_has_it() -> None:
    """Held against a reading of equations 1 and 2 and section 3.1 by loops."""
    answers = labelled_twice(_answers(500, 3), rates(0.15, None, 500), 0, is_peer=False, seed=5)
    chances, labels = answers.probabilities.astype(float), answers.truth
    thresholds = [chances[labels == j, j].mean() for j in range(3)]
    joint, doubted = np.zeros((3, 3)), set()
    for k in range(500):
        confident = [j for j in range(3) if chances[k, j] >= thresholds[j] - 1e-6]
        if confident:
            j = max(confident, key=lambda j: chances[k, j])
            joint[labels[k], j] += 1
            if j != labels[k] and answers.labels[k] != labels[k]:
                doubted.add(k)
    sizes = np.bincount(labels)
    calibrated = joint / joint.sum(axis=1, keepdims=True) * sizes[:, None]
    found = doubts(answers)
    assert set(found.rows.tolist()) == doubted
    # The library rounds the calibrated counts.
    assert found.share == pytest.approx(1 - np.trace(calibrated) / 500, abs=3 / 500)


@pytest.mark.parametrize("groups", [None, np.arange(1000) < 500], ids=["even", "uneven"])
def test_no_fewer_labels_are_contradicted_than_are_wrong(groups: NDArray[np.bool_] | None) -> None:
    """The bound holds the share of labels that were made wrong, also of a model that is right in everything."""
    truth = predictions(np.arange(1000) % 2, examples(np.arange(1000) % 2))
    held = [
        float(found.high or 0) >= 0.2
        for seed in range(40)
        for found in [label_noise(labelled_twice(truth, rates(0.2, groups, 1000), 0, is_peer=False, seed=seed))]
    ]
    assert sum(held) >= 37  # 2.5 % of 40 is one; four misses have a chance of 2 %


def test_texts_that_the_model_was_taught_bound_nothing() -> None:
    labels = np.arange(200) % 2
    test = examples(labels)
    right = predictions(labels, test)
    assert label_noise(right).high == pytest.approx(proportion_confint(0, 200, method="beta")[1])
    found = label_noise(right, test.take(np.arange(100)))
    assert found.high == pytest.approx(proportion_confint(100, 200, method="beta")[1])
    assert any("100 test texts stand in the training data" in caveat for caveat in found.caveats)


def test_equal_texts_with_different_labels_are_wrong_for_sure() -> None:
    texts = ["so so"] * 5 + ["So so!"] * 2 + ["fine"] * 3 + [f"text {i}" for i in range(90)]
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0] + [0, 1] * 45)
    found = label_noise(predictions(labels, examples(labels, texts=texts)))
    assert found.low == 0.02  # two of the five
    table = next(each for each in found.tables if each.caption.startswith("Different labels"))
    assert cells(table)[0][1:] == [1, 5, 0.05, 2, 0.02]
    assert cells(table)[1][1:] == [1, 7, 0.07, 3, 0.03]
    assert cells(table)[2][1:] == [0, 0, 0, 0, 0]  # of less than six words nothing is a copy


def test_near_copies_with_different_labels_are_told_also_beside_authors() -> None:
    long = "the pot arrived late and the lid was broken in two pieces when i opened the box"
    texts = [long, f"{long} today", *(f"text {i}" for i in range(8))]
    test = replace(examples([0, 1] * 5, texts=texts, cluster="who"), clusters=np.arange(10) // 2)
    table = next(each for each in label_noise(predictions(test.labels, test)).tables if "Different" in each.caption)
    assert cells(table)[2][1:] == [1, 2, 0.2, 1, 0.1]


def test_wrong_labels_that_equal_texts_prove_are_alarming() -> None:
    labels = np.arange(100) % 2
    found = label_noise(predictions(labels, examples(labels, texts=["the same"] * 20 + [f"t {i}" for i in range(80)])))
    assert found.low == 0.1
    assert found.high is not None
    assert found.high >= found.low


# ---- the list


def _sheet(found: Measurement) -> list[dict[str, Any]]:
    (sheet,) = found.sheets
    assert sheet.name == "relabel.csv"
    return [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]


def test_the_list_finds_what_was_made_wrong_the_surest_first() -> None:
    truth = _answers(2000)
    planted = labelled_twice(truth, rates(0.1, None, 2000), 0, is_peer=False, seed=6)
    planted = planted.on(replace(planted.known, rows=np.arange(2000) + 101))
    wrong = truth.truth != planted.truth
    rows = _sheet(label_noise(planted))
    listed = np.array([row["row"] for row in rows]) - 101
    assert wrong[listed[:50]].mean() > 0.9
    assert wrong[listed].sum() / wrong.sum() > 0.7
    first = rows[0]
    assert set(first) == {
        "row", "label", "suggested", "probability", "label_probability", "equal_text_labelled_otherwise",
    }  # fmt: skip
    margins = [row["probability"] - row["label_probability"] for row in rows]
    assert margins == sorted(margins, reverse=True)
    assert all(
        planted.classes.index(row["suggested"]) == planted.labels[i] for row, i in zip(rows, listed, strict=True)
    )


def test_texts_stand_in_the_list_only_where_that_is_asked_for_and_masked() -> None:
    labels = np.arange(40) % 2
    answers = np.where(np.arange(40) < 4, 1 - labels, labels)
    test = examples(labels, texts=[f"mail jo.quill@example.org {i}" for i in range(40)])
    said = predictions(answers, test)
    assert "text" not in _sheet(label_noise(said))[0]
    texts = [row["text"] for row in _sheet(label_noise(said, relabel_texts=True))]
    assert texts
    assert all(text.startswith("mail [e-mail]") for text in texts)
    with withholding(True):
        assert {row["text"] for row in _sheet(label_noise(said, relabel_texts=True))} == {"[left out]"}


def test_equal_texts_labelled_differently_are_listed_though_the_model_is_not_sure() -> None:
    labels = np.array([0, 1] + [0, 1] * 50)
    test = examples(labels, texts=["twice", "twice", *(f"t {i}" for i in range(100))])
    said = predictions([0, 0, *labels[2:]], test)
    unsure = said.probabilities.copy()
    unsure[:2] = [0.51, 0.49]
    (row,) = _sheet(label_noise(Predictions(unsure, said.classes, test)))
    assert (row["row"], row["suggested"], row["equal_text_labelled_otherwise"]) == (2, "negative", "yes")


def test_a_quoted_text_has_the_row_of_its_own_label_where_an_equal_text_has_another() -> None:
    labels = np.array([0, 1] + [0, 1] * 50)
    texts = ["twice", "twice", *(f"t {i}" for i in range(100))]
    test = replace(examples(labels, texts=texts), rows=np.arange(102) + 7)
    found = label_noise(predictions([0, 0, *labels[2:]], test))
    (row,) = _sheet(found)
    assert [(item.before, item.row) for item in found.pairs.items] == [("twice", 8)]
    assert row["row"] == 8


# ---- edges


@pytest.mark.parametrize("n", [1, 2, 9])
def test_a_handful_of_examples_is_measured_too(n: int) -> None:
    labels = np.arange(n) % 2
    for second in (None, labels):
        test = replace(examples(labels), second=second)
        found = label_noise(predictions(labels, test))
        assert found.estimate == 0
        assert found.high is not None
        assert found.high > 0.2


def test_a_class_without_examples_has_no_figures_of_its_own() -> None:
    labels = np.zeros(60, dtype=np.int64)
    found = label_noise(predictions(np.arange(60) % 2, examples(labels)))
    by = {str(name): row for name, *row in cells(found.tables[0])}
    assert by["all labels"][1:5] == [None] * 4
    assert by["all labels"][5] == 0.5
