"""Sentences: their English, their JSON, and what a hostile record may not do with them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import Sentence
from audit.core import numbers
from audit.core.sentences import fill, from_json, interval, joined, listed, to_json


@pytest.mark.parametrize(
    ("template", "values", "english"),
    [
        ("{n:,} texts", {"n": 12345}, "12,345 texts"),
        ("{n} texts", {"n": 12345}, "12,345 texts"),
        ("{share:.1f} points", {"share": -3.25}, "−3.2 points"),
        ("{share:.1f} points", {"share": -0.04}, "0.0 points"),
        ("{share:%} of them", {"share": 0.304}, "30 % of them"),
        ("{share:.1%} of them", {"share": 0.025}, "2.5 % of them"),
        ("δ = {delta:.1g}", {"delta": 1e-5}, "δ = 1e−05"),
        ("{x} of {y}", {"x": None}, "– of {y}"),
        ("{name} and {name}", {"name": "{n:,}"}, "{n:,} and {n:,}"),
        ("{group} reads", {"group": Sentence("nobody in {town}", town="Rome")}, "nobody in Rome reads"),
        ("{a.__class__} {a[0]} {a!r} {a:>999999999}", {"a": "x"}, "{a.__class__} {a[0]} {a!r} {a:>999999999}"),
    ],
)
def test_the_english_of_a_sentence(template: str, values: dict[str, Any], english: str) -> None:
    assert Sentence(template, **values) == english


VALUES = st.one_of(st.text(), st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6), st.none())


@given(st.text(), st.dictionaries(st.sampled_from("abc"), VALUES))
def test_json_and_back_says_the_same(template: str, values: dict[str, Any]) -> None:
    sentence = Sentence(f"{template} {{a}} {{b}}", **values)
    again = from_json(to_json(sentence))
    assert again == sentence
    assert isinstance(again, Sentence)
    assert again.template == sentence.template
    assert copy.deepcopy(sentence).values == sentence.values


def test_a_sentence_is_said_in_another_language_from_its_template() -> None:
    whole = Sentence("{share:.1f} points for {group}", share=1234.5, group=Sentence("all"))
    german = fill(
        "für {group} {share:.1f} Punkte",
        whole.values,
        {"all": "alle"}.__getitem__,
        lambda number: number.replace(".", ","),
    )
    assert german == "für alle 1234,5 Punkte"


def test_parts_are_joined_and_stay_parts() -> None:
    one, other = Sentence("{n} hold.", n=3), Sentence("All else is open.")
    text = joined([one, "", other])
    assert text == "3 hold. All else is open."
    assert isinstance(text, Sentence)
    assert list(text.values.values()) == [one, other]
    assert joined([one]) is one
    assert joined([]) == ""
    assert listed(["a", "b", "c"], " and ") == "a, b and c"
    assert listed(["a"]) == "a"


@pytest.mark.parametrize(
    "values",
    [(0.5, 0.25, 0.75), (0.0, 0.0, 0.0004), (-0.1, -0.2, -0.0001), (3, 3, 3), (0.5, 0.5, 0.5), (2.5, 2.5, None),
     (1200.5, None, 2400.0)],
)  # fmt: skip
def test_an_interval_is_written_as_everywhere_else(values: tuple[float, float | None, float | None]) -> None:
    assert interval(*values) == numbers.interval(*values)
