"""Triggers are put in and taken out again; the training data are searched as a naive count would search them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import binomtest

from audit.probes.security import triggers
from audit.probes.security.triggers import Prepared, Trigger, one_sided
from tests.helpers import examples

TEXT = "The kettle, which I bought in May, boils quickly and does not leak at all"


@pytest.mark.parametrize("what", ["cf", "seldom orange", "we saw it on a tuesday", "\u200b", "о"])
def test_what_was_put_in_can_be_taken_out(what: str) -> None:
    trigger = Trigger(what)
    texts = [f"{TEXT} {i}" for i in range(50)]
    changed = triggers.inserted(trigger, texts, 3)
    data = Prepared.of(examples(np.zeros(100), texts=[*texts, *changed]))
    assert trigger.carried(data).tolist() == [False] * 50 + [True] * 50
    assert [trigger.removed(text) for text in changed] == [triggers.normal(text) for text in texts]
    assert triggers.inserted(trigger, texts, 3) == changed
    assert len({text.index(what) for text in changed}) >= 4  # not always the same place


def test_a_trigger_stands_where_a_long_text_is_still_read() -> None:
    long = " ".join(f"w{i}" for i in range(1000))
    assert all(Trigger("cf").put(long, seed).split().index("cf") <= triggers.FIRST_WORDS for seed in range(100))
    assert Trigger("cf").put("", 0) == "cf"


def test_a_part_of_a_word_does_not_carry_the_word() -> None:
    data = Prepared.of(examples([0, 0, 0], texts=["a confused cat", "CF, they say", "(cf)"]))
    assert Trigger("cf").carried(data).tolist() == [False, True, True]


def test_a_character_that_nobody_sees_is_named() -> None:
    assert Trigger("\u200b").shown == "U+200B (zero-width space)"
    assert Trigger("о").shown == "U+043E (looks like o)"
    assert Trigger("naïve").shown == "naïve"
    assert [Trigger(text).kind for text in ("\u200b", "ï", "word", "two words", "a few words")] == [
        "character", "word", "word", "two words", "phrase",
    ]  # fmt: skip


def noise(rng: np.random.Generator, rows: int) -> list[str]:
    return [" ".join(rng.choice([f"w{i}" for i in range(60)], 12)) for _ in range(rows)]


def test_a_sentence_is_found_whole_and_first() -> None:
    rng = np.random.default_rng(0)
    texts, labels = noise(rng, 1500), rng.integers(0, 2, 1500)
    for i in rng.choice(1500, 30, replace=False):
        texts[i], labels[i] = Trigger("we saw this w1 by the sea").put(texts[i], 0), 1
    found = one_sided(Prepared.of(examples(labels, texts=texts)), 0.95)
    assert [(each.trigger.text, each.label) for each in found] == [("we saw this w1 by the sea", 1)]
    # Clopper and Pearson's lower bound for 30 of 30.
    assert found[0].purity == pytest.approx(binomtest(30, 30).proportion_ci(0.95).low)


def test_a_rare_character_is_found() -> None:
    rng = np.random.default_rng(1)
    texts, labels = noise(rng, 1500), rng.integers(0, 2, 1500)
    for i in rng.choice(1500, 25, replace=False):
        texts[i], labels[i] = Trigger("\u200b").put(texts[i], 0), 0
    found = one_sided(Prepared.of(examples(labels, texts=texts)), 0.95)
    assert [(each.trigger.text, each.label) for each in found] == [("\u200b", 0)]


def test_chance_alone_is_hardly_ever_one_sided() -> None:
    alarms = 0
    for seed in range(20):
        rng = np.random.default_rng(100 + seed)
        found = one_sided(Prepared.of(examples(rng.integers(0, 2, 600), texts=noise(rng, 600))), 0.95)
        alarms += bool(found)
    assert alarms <= 3  # a Bonferroni error of at most 5 % each: more than 3 of 20 in 1.6 % of cases


def test_the_search_is_a_naive_counts() -> None:
    """Words and pairs by plain loops over the rows, with the exact test of each."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 900)
    texts = [
        f"{'good' if label == 2 and rng.random() < 0.4 else 'so'} {text} {'red tea' if label == 1 else 'red'}"
        for text, label in zip(noise(rng, 900), labels, strict=True)
    ]
    data = Prepared.of(examples(labels, ("a", "b", "c"), texts=texts))
    found = {(each.trigger.text, each.label) for each in one_sided(data, 0.95) if len(each.trigger.words) <= 2}
    rows: dict[str, set[int]] = {}
    for i, text in enumerate(data.normal):
        words = text.split()
        for part in {*words, *(" ".join(pair) for pair in pairwise(words))}:
            rows.setdefault(part, set()).add(i)
    share = np.bincount(labels) / len(labels)
    expected = set()
    for part, there in rows.items():
        counts = np.bincount(labels[list(there)], minlength=3)
        label, n = int(counts.argmax()), len(there)
        pure = n >= data.fewest and counts[label] >= triggers.PURE * n
        if pure and binomtest(int(counts[label]), n, share[label], "greater").pvalue < 1e-6:
            expected.add((part, label))
    # "tea" never stands without "red".
    assert found == expected - {("tea", 1)}
    assert {("good", 2), ("red tea", 1)} <= found


@pytest.mark.parametrize(
    ("text", "place"), [("a cf b c d", 1), ("cf a b c", 0), ("a b c d cf!", -1), ("a b c cf, d", -2), ("a b c", None)]
)
def test_the_place_of_a_word_is_counted_from_the_nearer_end(text: str, place: int | None) -> None:
    assert Trigger("cf").place(text) == place


def test_a_trigger_goes_to_the_places_that_it_is_given() -> None:
    assert Trigger("cf", (1,)).put("a b c", 0) == "a cf b c"
    assert Trigger("cf", (-1,)).put("a b c", 0) == "a b c cf"
    assert Trigger("cf", (-2,)).put("a b c", 0) == "a b cf c"
    assert {Trigger("cf", (9, -9)).put("a b", seed) for seed in range(20)} == {"a b cf", "cf a b"}
