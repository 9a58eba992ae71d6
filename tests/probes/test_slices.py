"""Slices that nobody named: found on one half of the texts, measured on the other, with the error that is claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from audit import Gate, NotAssessed, Predictions
from audit.core.evidence import Pairs
from audit.core.verdict import Verdict, judge, settled
from audit.data.examples import Examples
from audit.probes import slices
from audit.probes.ethics.hidden_group import hidden_group
from audit.probes.quality.weak_slice import weak_slice
from audit.testing import PLANTED
from audit.text.redaction import withholding
from tests.helpers import cells, examples, predictions

WORDS = [f"{first}{second}" for first in "bdfgk" for second in ("alo", "emur", "ilot", "onat", "urik", "anep")]


def texts(n: int, seed: int = 0) -> list[str]:
    """Distinct texts of words that are equally frequent, by nobody about nobody."""
    rng = np.random.default_rng(seed)
    return [f"{' '.join(rng.choice(WORDS, 8, replace=False))} no{chr(97 + i % 26)}{i}" for i in range(n)]


def read(about: Examples, chance: NDArray[np.float64] | float, seed: int = 1) -> Predictions:
    """Answers that are right with these chances; all examples are of class 0."""
    wrong = np.random.default_rng(seed).random(len(about)) >= chance
    return predictions(wrong.astype(int), about)


def with_word(about: Examples, word: str) -> NDArray[np.bool_]:
    return np.array([word in text.split() for text in about.texts])


def marked(n: int = 2000, every: int = 10, word: str = "delivery", **more: Any) -> Examples:
    """Texts of which one in so many has this word, or words, in the place of others."""
    places = len(word.split())
    return examples(
        [0] * n,
        texts=[" ".join([word, *t.split()[places:]]) if i % every == 0 else t for i, t in enumerate(texts(n))],
        **more,
    )


def test_a_planted_slice_is_the_worst_and_its_gap_is_that_of_the_half_that_the_search_did_not_see() -> None:
    about = marked()
    said = read(about, np.where(with_word(about, "delivery"), 0.5, 0.9))
    found = weak_slice(said)
    by_name = {name: figures for name, *figures in cells(found.tables[0])}
    count, there, elsewhere, gap, low, high = by_name["texts with “delivery”"]
    drawn = slices.in_drawn_order(said)
    tested = ~slices.candidates(drawn.known, of_people=False).is_searched
    frame = pd.DataFrame({"in": with_word(drawn.known, "delivery"), "right": drawn.correct})[tested]
    rates = frame.groupby("in")["right"].agg(["mean", "size"])
    assert (count, there, elsewhere) == pytest.approx((rates["size"][True], rates["mean"][True], rates["mean"][False]))
    assert gap == pytest.approx(elsewhere - there)
    assert 0.15 < low < gap < high
    assert found.estimate == max(row[3] for row in by_name.values()) >= gap
    assert found.low == max(row[4] for row in by_name.values()) >= low
    assert judge(found, Gate(max=0.1))[0] == Verdict.FAIL
    assert "delivery" in found.summary


def test_the_answers_that_are_tested_choose_no_slice() -> None:
    about = marked()
    drawn = slices.in_drawn_order(read(about, 0.8))
    these = slices.candidates(drawn.known, of_people=False)
    before = slices.search(these, drawn.correct, of_people=False)
    after = slices.search(these, np.where(these.is_searched, drawn.correct, ~drawn.correct), of_people=False)
    assert before.names == after.names
    assert len(before.names) == slices.TESTED


@pytest.mark.parametrize("clustered", [False, True])
def test_what_belongs_together_is_whole_on_one_side(clustered: bool) -> None:
    own = texts(500)
    about = examples([0] * 1000, texts=[*own, *own]) if not clustered else examples([0] * 1000, texts=texts(1000))
    clusters = np.arange(1000) % 500
    said = read(replace(about, clusters=clusters) if clustered else about, 0.8)
    drawn = slices.in_drawn_order(said)
    half = slices.candidates(drawn.known, of_people=False).is_searched
    keys = drawn.known.texts if drawn.known.clusters is None else drawn.known.clusters.tolist()
    sides = pd.DataFrame({"key": keys, "half": half}).groupby("key")["half"].nunique()
    assert (sides == 1).all()
    assert abs(half.mean() - 0.5) < 0.01


def test_rows_of_one_author_widen_the_interval_and_no_slice_is_of_a_handful_of_authors() -> None:
    author = np.arange(2400) // 4
    about = examples([0] * 2400, texts=texts(2400), groups={"plan": [f"p{i % 3}" for i in author]})
    wrong = np.repeat(np.random.default_rng(5).random(600) < 0.2, 4).astype(int)
    alone = hidden_group(predictions(wrong, about))
    together = hidden_group(predictions(wrong, replace(about, clusters=author)))
    assert alone.clusters == 0
    assert together.clusters == 300  # those of the half that is tested
    assert together.design_effect is not None
    assert together.design_effect >= 1
    single, whole = (
        np.mean([row[6] - row[5] for row in cells(found.tables[0]) if " and " not in row[0]])
        for found in (alone, together)
    )
    assert whole == pytest.approx(2 * single, rel=0.25)
    few = replace(about, clusters=np.where(np.arange(2400) % 3 == 0, np.arange(2400) % 5, np.arange(2400)))
    few = replace(few, subgroups={"plan": np.array([f"p{i % 3}" for i in range(2400)], dtype=object)})
    assert not any("“p0”" in row[0] for row in cells(hidden_group(predictions(wrong, few)).tables[0]))


@pytest.mark.parametrize("least", [0.02, 0.06, 0.12])
def test_what_the_search_finds_with_a_chance_of_80_percent_is_that_by_the_binomial_distribution(least: float) -> None:
    drawn = slices.in_drawn_order(read(marked(4000), 0.85))
    these = slices.candidates(drawn.known, of_people=False)
    found = replace(slices.search(these, drawn.correct, of_people=False), least=least)
    gap = slices.overlooked(these, found, drawn.correct)
    y = drawn.correct[these.is_searched]
    size = 40  # 2 % of the half
    score = [y.mean() - x / size - np.sqrt(y.var() * (1 / size + 1 / (len(y) - size))) for x in range(size + 1)]
    chances = binom.pmf(np.arange(size + 1), size, y.mean() - gap)
    assert chances[np.array(score) >= least].sum() == pytest.approx(0.8, abs=0.001)


def test_a_test_split_that_is_too_small_never_passes_and_says_how_many_more_would_settle_it() -> None:
    about = marked(600)
    found = weak_slice(read(about, 1.0))
    assert found.estimate == 0
    verdict, reason = judge(found, Gate(max=0.3))
    assert verdict == Verdict.INCONCLUSIVE
    assert "more test examples would settle it" in reason
    large = marked(12_000)
    assert judge(weak_slice(read(large, 1.0)), Gate(max=0.3))[0] == Verdict.PASS


@pytest.mark.slow("measures 400 fair models", seconds=8)
def test_a_fair_model_fails_a_gate_of_0_no_more_often_than_is_said() -> None:
    about = examples([0] * 1200, texts=texts(1200))
    about = about.take(about.drawn("slices"))
    these, rng, fails = slices.candidates(about, of_people=False), np.random.default_rng(7), 0
    for _ in range(400):
        said = predictions((rng.random(1200) < 0.2).astype(int), about)
        found = slices.search(these, said.correct, of_people=False)
        fails += settled(slices.tested(said, these, found), Gate(max=0.0)) == Verdict.FAIL
    assert fails <= binom.ppf(0.999, 400, 0.025)


@pytest.mark.slow("measures 100 models", seconds=4)
def test_a_slice_that_is_10_points_worse_than_a_gate_hardly_ever_passes_it() -> None:
    about = marked(3000, every=50)
    about = about.take(about.drawn("slices"))
    these, rng, passes = slices.candidates(about, of_people=False), np.random.default_rng(8), 0
    chance = np.where(with_word(about, "delivery"), 0.55, 0.95)
    for _ in range(100):
        said = predictions((rng.random(3000) >= chance).astype(int), about)
        found = slices.search(these, said.correct, of_people=False)
        passes += settled(slices.tested(said, these, found), Gate(max=0.3)) == Verdict.PASS
    assert passes <= binom.ppf(0.999, 100, 0.225)


def test_people_are_found_by_mention_by_word_and_by_column_and_not_among_other_slices() -> None:
    about = marked(3000, word="my wife says", groups={"plan": [("free", "paid")[i % 3 == 0] for i in range(3000)]})
    for chance, name in (
        (np.where(with_word(about, "wife"), 0.4, 0.9), "female"),
        (np.where(about.groups("plan") == "paid", 0.5, 0.9), "texts where plan is “paid”"),
    ):
        found = hidden_group(read(about, chance))
        assert name in cells(found.tables[0])[0][0] + found.summary or "wife" in cells(found.tables[0])[0][0]
        assert (found.low or 0) > 0.2
    said = read(about, np.where(with_word(about, "wife"), 0.4, 0.9))
    assert not any("wife" in row[0] or "plan" in row[0] for row in cells(weak_slice(said).tables[0]))
    foreign = replace(about, protocol=replace(about.protocol, language="de"))
    assert not any("wife" in row[0] for row in cells(hidden_group(read(foreign, 0.8)).tables[0]))


def test_a_crossing_is_found_where_neither_side_tells() -> None:
    rng = np.random.default_rng(3)
    plan = ["paid" if each else "free" for each in rng.random(6000) < 0.3]
    about = marked(6000, every=4, groups={"plan": plan})
    both = with_word(about, "delivery") & (about.groups("plan") == "paid")
    found = hidden_group(read(about, np.where(both, 0.5, 0.9)))
    assert cells(found.tables[0])[0][0] == "texts where plan is “paid” and with “delivery”"


@pytest.mark.parametrize(
    ("probe", "about"),
    [
        (weak_slice, examples([0, 1] * 5)),
        (weak_slice, examples([0] * 30, texts=["so"] * 30)),
        (hidden_group, examples([0] * 2000, texts=texts(2000))),
        (hidden_group, examples([0] * 100, texts=texts(100), groups={"g": ["a"] * 100})),
    ],
)
def test_where_there_is_no_slice_it_says_what_to_supply(probe: Any, about: Examples) -> None:
    with pytest.raises(NotAssessed, match="supply more test texts"):
        probe(predictions(about.labels, about))


def test_what_a_search_overlooks_of_few_texts_it_overlooks_of_their_copies() -> None:
    about = marked(1_000, every=4)
    said = read(about, np.where(with_word(about, "delivery"), 0.5, 0.9))
    rows = np.repeat(np.arange(1_000), 2)
    doubled = predictions(said.labels[rows], replace(about.take(rows), clusters=rows))
    for each in (said, doubled):
        assert weak_slice(each).high == pytest.approx(1 - slices.MARGIN)


def test_misread_texts_are_shown_masked_and_not_at_all_where_texts_are_withheld() -> None:
    about = marked(2000)
    about = replace(about, texts=tuple(f"{text}{PLANTED}" for text in about.texts))
    said = read(about, np.where(with_word(about, "delivery"), 0.3, 0.95))
    (shown,) = weak_slice(said).shown(Pairs)
    assert all("delivery" in pair.before and "jo.quill@example.org" not in pair.before for pair in shown.items)
    assert {pair.note for pair in shown.items} == {"negative → positive"}
    with withholding(True):
        assert weak_slice(said).shown(Pairs) == []


FAMILIES: Mapping[str, Sequence[str]] = {
    "delivery": ["deliver", "delivers", "delivered", "delivering", "deliveries"],
    "movie": ["movies"],
    "story": ["stories"],
    "film": ["filmed", "filming", "films", "film's"],
}


@pytest.mark.parametrize(("word", "others"), FAMILIES.items())
def test_words_of_one_family_share_a_stem(word: str, others: Sequence[str]) -> None:
    assert {slices.stem(other) for other in others} == {slices.stem(word)}


@pytest.mark.parametrize(("one", "other"), [("and", "andy"), ("her", "here"), ("not", "notes"), ("this", "thin")])
def test_words_that_only_look_alike_do_not(one: str, other: str) -> None:
    assert slices.stem(one) != slices.stem(other)


def test_where_no_text_is_to_be_shown_no_word_of_one_is() -> None:
    about = marked()
    said = read(about, np.where(with_word(about, "delivery"), 0.5, 0.9))
    assert "“delivery”" in str(cells(weak_slice(said).tables[0]))
    with withholding(True):
        found = weak_slice(said)
    shown = f"{cells(found.tables[0])} {found.summary}"
    assert "texts with “[left out]”" in shown
    assert "delivery" not in shown
    assert not any(word in shown for word in WORDS)
