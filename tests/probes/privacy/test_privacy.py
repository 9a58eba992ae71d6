"""Copies and personal data are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from audit import Measurement, NotAssessed, statistics
from audit.core.evidence import to_json
from audit.probes.privacy import privacy
from audit.text import duplicates
from tests.helpers import examples, predictions


def _ways(found: Measurement) -> dict[str, tuple[int, ...]]:
    """Examples that repeat another, exactly, normalised and nearly, by where the other one stands."""
    return {str(name): tuple(np.array(counts, dtype=int).tolist()) for name, *counts in found.tables[0].rows}


LONG = "the parcel came on a rainy monday and the lid did not fit the pot at all which is why it went back to the shop"


def test_the_overlap_is_a_census() -> None:
    train = examples([0, 1, 1, 0, 1, 1], texts=["a", "b", "b", "b", "c", LONG])
    test = examples([0, 1, 1, 0, 1, 0, 0, 1, 1], texts=["a", "a", "b", "x", "y", "y", "C", "c!<br />", f"{LONG} today"])
    found = privacy.train_test_overlap(train, test)
    assert (found.low, found.estimate, found.high, found.n) == (6 / 9, 6 / 9, 6 / 9, 9)
    assert found.facts["test examples that stand in the training data"] == 6
    assert found.facts["distinct texts in both"] == 2
    assert _ways(found) == {
        "in test, of training": (3, 2, 1),
        "within training": (2, 0, 0),
        "within test": (2, 1, 0),
    }


def test_near_duplicates_need_the_policys_similarity() -> None:
    # One more word at the end adds one shingle to those in common.
    common = len(LONG.split()) - duplicates.SHINGLE + 1
    train, test = examples([0, 1], texts=[LONG, "x"]), examples([0, 1], texts=[f"{LONG} today", "y"])
    for threshold, expected in ((common / (common + 1), 0.5), (common / (common + 1) + 0.001, 0.0)):
        assert privacy.train_test_overlap(train, test, near_duplicate=threshold).estimate == expected


def test_within_a_split_each_near_duplicate_of_an_earlier_text_counts() -> None:
    copies = [LONG, f"{LONG} today", f"so {LONG}"]
    found = privacy.train_test_overlap(examples([0, 1], texts=["p", "q"]), examples([0, 1, 1], texts=copies))
    assert _ways(found)["within test"] == (0, 0, 2)
    assert found.estimate == 0


def test_the_accuracy_is_told_with_and_without_the_overlap() -> None:
    train = examples([0] * 20, texts=[f"known {i}" for i in range(20)])
    test = examples([1] * 50, texts=[*(f"known {i}" for i in range(20)), *(f"new {i}" for i in range(30))])
    said = predictions([1] * 20 + [0] * 15 + [1] * 15, test)
    rows = privacy.train_test_overlap(train, test, said).tables[1].rows
    assert [(name, n, right) for name, n, right, *_ in rows] == [
        ("all", 50, 0.7),
        ("in the training data", 20, 1.0),
        ("new to the model", 30, 0.5),
    ]


def test_the_accuracy_on_a_few_examples_is_not_told() -> None:
    train = examples([0], texts=["known"])
    test = examples([1] * 20, texts=["known", *(f"new {i}" for i in range(19))])
    rows = privacy.train_test_overlap(train, test, predictions([1] * 20, test)).tables[1].rows
    assert rows[1] == ["in the training data", "<10", None, None, None]


@pytest.mark.slow("compares 50,000 reviews", seconds=11)
def test_the_overlap_of_imdb_is_what_is_known_of_it(real_data: Path) -> None:
    read = {s: pq.read_table(real_data / f"imdb_{s}.parquet", columns=["text"])["text"] for s in ("train", "test")}
    train, test = (examples(np.zeros(25_000), texts=read[split].to_pylist()) for split in ("train", "test"))
    found = privacy.train_test_overlap(train, test)
    assert found.facts["distinct texts in both"] == 123
    ways = _ways(found)
    assert (ways["within training"][0], ways["within test"][0]) == (96, 199)
    # None stands nearly in both splits; within them some differ in a word or two.
    assert ways["in test, of training"][1:] == (0, 0)
    assert ways["within training"][2] > 0
    assert ways["within test"][2] > 0
    assert found.estimate == sum(ways["in test, of training"]) / 25_000


def test_the_overlap_is_not_assessed_without_training_data() -> None:
    with pytest.raises(NotAssessed, match=r"\[data\] train"):
        privacy.train_test_overlap(None, examples([0, 1]))


def test_personal_data_in_training_data_is_a_census_by_kind() -> None:
    texts = ["write to ann.lee@example.org", "call 202-555-0134 or +44 7700 900123", "a fine pot", "mail x@example.com"]
    found = privacy.pii_in_training_data(examples([0, 1, 1, 0], texts=texts))
    assert (found.low, found.estimate, found.high, found.n) == (3 / 4, 3 / 4, 3 / 4, 4)
    kinds, places, true = (table.rows for table in found.tables)
    assert ["e-mail address", 2, 2] in kinds
    assert ["telephone number", 1, 2] in kinds
    assert places[0] == [1, "e-mail address", "a…@…"]
    assert [row[0] for row in places] == [1, 2, 2, 4]
    phones = statistics.prevalence(1, 4, (9, 9), (491, 491))
    assert true[0] == ["telephone number", 1 / 4, *phones, 9, 491]
    assert found.interval == "detections"


def test_only_the_first_places_of_each_kind_are_named() -> None:
    texts = [*(f"thanks @user_{i}" for i in range(100)), "write to ann@example.org"]
    rows = privacy.pii_in_training_data(examples([0] * 101, texts=texts)).tables[1].rows
    assert [row[1] for row in rows].count("handle") == privacy.FIRST
    assert rows[-1] == [101, "e-mail address", "a…@…"]


def test_names_are_sought_only_where_there_is_a_model_for_them() -> None:
    train = examples([0, 1], texts=["Ann Lee wrote this", "nobody did"])
    assert privacy.pii_in_training_data(train).estimate == 0
    found = privacy.pii_in_training_data(train, lambda text: [(0, 7)] if text.startswith("Ann") else [])
    assert found.estimate == 0.5
    assert "Ann" not in str([to_json(piece) for piece in found.evidence])


def test_personal_data_are_not_assessed_without_training_data() -> None:
    with pytest.raises(NotAssessed, match=r"\[data\] train"):
        privacy.pii_in_training_data(None)
