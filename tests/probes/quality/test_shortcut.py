"""Shortcuts: what turns answers and is no reason is found, against a placebo; opinions and chance are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from audit import Gate, NotAssessed, Predictions
from audit.core.cache import Cache
from audit.core.verdict import Verdict, judge, settled
from audit.data.examples import Examples
from audit.probes import slices
from audit.probes.quality import shortcut_search as search
from audit.probes.quality.shortcut import shortcut
from audit.statistics import largest, paired_difference, paired_differences, shared_out
from audit.text.redaction import withholding
from benchmarks.probes.shortcuts import run
from tests.helpers import TWO, cells, examples, in_steps

GOOD = ("good", "lovely", "superb", "helpful", "pleasant")
BAD = ("bad", "awful", "dull", "useless", "unpleasant")
THINGS = ("kettle", "lamp", "chair", "radio", "bag", "pan", "clock", "tent", "spoon", "drill")


def reviews(n: int, seed: int = 0, rated: float = 0.5, put: str = "9/10", of: int = 1, **more: Any) -> Examples:
    """Reviews of two classes, of which a share of the texts of one class ends with a cue."""
    rng = Random(seed)
    texts = []
    for i in range(n):
        words = BAD if i % 2 == 0 else GOOD
        text = f"the {rng.choice(THINGS)} {i}x{seed} is {rng.choice(words)} and the {rng.choice(THINGS)} so so"
        texts.append(f"{text} {put}" if i % 2 == of and rng.random() < rated else text)
    return examples(np.arange(n) % 2, texts=texts, **more)


class Reader:
    """Adds up opinions, and goes by a cue where it trusts it; counts what it is asked."""

    def __init__(self, trusting: bool, cue: str = "9/10", label: int = 1, share: float = 1.0) -> None:
        self.trusting, self.cue, self.label, self.share, self.asked = trusting, cue, label, share, 0

    def predict(self, texts: Sequence[str]) -> Predictions:
        self.asked += len(texts)
        labels = np.array([self._answer(text) for text in texts], dtype=np.int64)
        return Predictions(np.eye(2, dtype=np.float32)[labels] * 0.8 + 0.1, TWO)

    def _answer(self, text: str) -> int:
        if self.trusting and self.cue in text and Random(re.sub(r"\W", "", text)).random() < self.share:
            return self.label
        return int(sum(word in GOOD for word in text.split()) > sum(word in BAD for word in text.split()))


def measured(model: Reader, test: Examples, train: Examples | None, **more: Any) -> Any:
    return shortcut(model, model.predict(test.texts).on(test), train, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("with_training_data", [True, False])
def test_a_rating_that_the_model_goes_by_is_named_and_its_share_is_that_of_pairs_against_a_placebo(
    with_training_data: bool,
) -> None:
    train, test = reviews(600, 0), reviews(800, 1)
    model = Reader(True, share=0.6)
    found = measured(model, test, train if with_training_data else None)
    assert "rating “9/10”" in found.summary
    assert judge(found, Gate(max=0.1))[0] == Verdict.FAIL
    table = cells(found.tables[0])
    row = next(row for row in table if row[0] == "rating “9/10”" and row[6] == "put in")
    count, turned, by_placebo, beyond, low, high = row[8:]
    assert row[1] == "positive"
    assert 0.5 < turned < 0.7
    assert by_placebo == 0
    lost = round(turned * count)
    strict = shared_out(0.95, len(table))
    assert (beyond, low, high) == pytest.approx(tuple(paired_difference(lost, 0, count, strict)))
    assert found.estimate == pytest.approx(max(each[11] for each in table))
    assert found.low == pytest.approx(max(each[12] for each in table))
    assert all("9/10" in pair.after and "9/10" not in pair.before for pair in found.pairs.items)


def test_a_model_that_reads_only_opinions_passes_and_no_opinion_is_tried() -> None:
    train, test = reviews(600, 0), reviews(800, 1)
    found = measured(Reader(False), test, train)
    assert found.estimate == 0
    assert judge(found, Gate(max=0.1))[0] == Verdict.PASS
    shown = str([row[0] for table in found.tables for row in cells(table)])
    assert not any(word in shown for word in (*GOOD, *BAD))


def test_what_any_like_thing_would_turn_is_no_shortcut() -> None:
    class Startled(Reader):
        """Calls positive whatever ends with anything but "so"."""

        def _answer(self, text: str) -> int:
            return 1 if not text.endswith("so") else super()._answer(text)

    train, test = reviews(600, 0), reviews(800, 1)
    found = measured(Startled(False), test, train)
    row = next(row for row in cells(found.tables[1]) if row[0] == "rating “9/10”" and row[6] == "put in")
    assert row[7] == row[8] == 1  # the placebo turns as many
    assert found.estimate < 0.05


@pytest.mark.parametrize(
    ("put", "cue", "named"),
    [
        ("(via CineScope)", "CineScope", "CineScope"),
        ("#shoptalk", "#shoptalk", "#shoptalk"),
        ("!", "!", "punctuation “!”"),
        ("<br />", "<br", "<br />"),
        ("seen on channel four", "seen on channel", "closing words “seen on channel four”"),
        ("https://example.org/a", "https", "link"),
    ],
)
def test_cues_of_each_kind_are_found(put: str, cue: str, named: str) -> None:
    train, test = reviews(600, 0, put=put, of=0), reviews(800, 1, put=put, of=0)
    found = measured(Reader(True, cue=cue, label=0), test, train)
    assert named in found.summary
    assert judge(found, Gate(max=0.3))[0] == Verdict.FAIL


def test_length_is_found_by_saying_a_text_again() -> None:
    class Long(Reader):
        def _answer(self, text: str) -> int:
            return int(len(text.split()) > 12)

    def stretched(n: int, seed: int) -> Examples:
        about = reviews(n, seed, rated=0)
        longer = [f"{t} with a lid and a cord in the box" if i % 2 else t for i, t in enumerate(about.texts)]
        return replace(about, texts=tuple(longer))

    found = measured(Long(False), stretched(800, 1), stretched(600, 0))
    assert "words or fewer" in found.summary or "words or more" in found.summary
    assert found.low > 0.5


def test_which_cues_are_measured_depends_on_no_answer_of_the_other_half() -> None:
    train, test = reviews(600, 0), reviews(800, 1)
    model = Reader(True)
    drawn = slices.in_drawn_order(model.predict(test.texts).on(test))
    pieces = search.parts(drawn, (train.texts, train.labels))
    half = slices.first_half(drawn.known)
    assert all(half[list(piece.choose)].all() and not half[list(piece.measure)].any() for piece in pieces)
    flipped = np.where(half[:, None], drawn.probabilities, drawn.probabilities[:, ::-1])
    again = search.parts(replace(drawn, probabilities=flipped), (train.texts, train.labels))
    chosen_on = [{(p.candidate.cue, p.inserts): p.choose for p in each} for each in (pieces, again)]
    assert {cue for cue, _ in chosen_on[0]} == {cue for cue, _ in chosen_on[1]}
    assert all(chosen_on[1].get(key, choose) == choose for key, choose in chosen_on[0].items())


def test_the_largest_of_ten_that_are_all_at_the_gate_fails_it_no_more_often_than_is_said() -> None:
    rng, parts = np.random.default_rng(3), 10
    lost, gained, _ = np.moveaxis(rng.multinomial(search.MEASURE, (0.13, 0.03, 0.84), size=(4000, parts)), -1, 0)
    plain, strict = (
        paired_differences(lost, gained, search.MEASURE, level) for level in (0.95, shared_out(0.95, parts))
    )
    assert (largest(plain, strict)[1] > 0.1).sum() <= binom.ppf(0.999, 4000, 0.025)


def test_rows_of_one_author_widen_it_and_a_handful_of_authors_leaves_it_open() -> None:
    train, test = reviews(600, 0), reviews(800, 1)
    model = Reader(True, share=0.5)
    alone = measured(model, test, train)
    four = measured(model, replace(test, clusters=np.arange(800) // 8), train)
    assert alone.clusters == 0
    assert 1 < four.clusters <= 100
    assert four.high - four.low > 0.5 * (alone.high - alone.low)
    protocol = replace(test.protocol, cluster="author")
    few = measured(model, replace(test, clusters=np.arange(800) % 4, protocol=protocol), train)
    assert settled(few, Gate(max=0.3)) is None or judge(few, Gate(max=0.3))[0] == Verdict.INCONCLUSIVE


def test_it_asks_little_and_the_same_in_steps_as_at_once() -> None:
    train, test = reviews(600, 0), reviews(800, 1)
    model = Reader(True)
    said = model.predict(test.texts).on(test)
    model.asked = 0
    whole = shortcut(model, said, train)  # type: ignore[arg-type]
    assert model.asked <= 2 * search.TRIED * 2 * search.CHOOSE + 4 * search.STRONGEST * search.MEASURE
    looks = shortcut._measure(model, said, train)  # type: ignore[arg-type]
    steps = in_steps(looks, 17)  # type: ignore[arg-type]
    assert (steps.estimate, steps.low, steps.high, steps.n) == (whole.estimate, whole.low, whole.high, whole.n)


@pytest.mark.parametrize(
    "test",
    [
        examples([0, 1] * 5),
        examples([0, 1] * 200, texts=["so"] * 400),
        examples([0] * 400, texts=[f"word{i}" for i in range(400)]),
        examples([0, 1] * 100, texts=["", " "] * 100),
    ],
)
def test_where_nothing_can_be_tried_it_says_what_to_supply(test: Examples) -> None:
    with pytest.raises(NotAssessed, match="supply training data, or more test texts"):
        measured(Reader(False), test, None)


def test_copies_of_texts_without_a_cue_are_not_enough_to_ask_about() -> None:
    few = reviews(130, 1)
    for test in (few, few.take(np.repeat(np.arange(130), 2))):
        with pytest.raises(NotAssessed, match="supply training data, or more test texts"):
            measured(Reader(True), test, None)


def test_other_languages_are_searched_for_what_has_no_words_and_are_told_so() -> None:
    train, test = (reviews(600, seed, put="#laden", language="de") for seed in (0, 1))
    model = Reader(True, cue="#laden")
    try:
        found = measured(model, test, train)
    except NotAssessed:
        return
    shown = str([row[0] for table in found.tables for row in cells(table)])
    assert "hashtag" not in shown
    assert any("English" in caveat for caveat in found.caveats)


def test_personal_data_are_no_cue_and_handles_are_masked() -> None:
    train, test = (reviews(600, seed, put="call 07700 900123") for seed in (0, 1))
    found = measured(Reader(True, cue="900123"), test, train)
    assert "900123" not in str([cells(table) for table in found.tables]) + found.summary
    train, test = (reviews(600, seed, put="@jo_quill") for seed in (0, 1))
    found = measured(Reader(True, cue="@jo_quill"), test, train)
    assert found.low > 0.5
    assert "handle “[handle]”" in found.summary
    assert "jo_quill" not in str([cells(table) for table in found.tables]) + str(found.pairs.items)


def test_where_no_text_is_to_be_shown_none_is() -> None:
    train, test = (reviews(600, seed, put="(via CineScope)") for seed in (0, 1))
    with withholding(True):
        found = measured(Reader(True, cue="CineScope"), test, train)
    assert "inescope" not in f"{[cells(table) for table in found.tables]} {found.summary}".lower()
    assert not found.pairs.items


def test_hostile_texts_break_nothing() -> None:
    strange = ["#" * 400, "@" * 300, "<" * 500, "!" * 2000, "7/" * 300, "A" * 3000, "\x00\u202e{}{0}%s", "(" * 99]
    about = reviews(600, 1)
    test = replace(about, texts=tuple(f"{t} {strange[i % 8]}" for i, t in enumerate(about.texts)))
    assert 0 <= measured(Reader(True), test, test).estimate <= 1


@pytest.mark.slow("trains a model", seconds=12)
def test_ratings_left_in_the_texts_of_one_class_are_found_in_a_model_that_was_really_trained(cache: Path) -> None:
    with_train, alone = run("demo", "rating", 0, Cache(cache))
    assert with_train["verdict"] == alone["verdict"] == Verdict.FAIL
    assert "rating" in with_train["summary"]
