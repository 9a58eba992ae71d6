"""Renderings keep what a text says, and accuracy lost on them is found."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from audit import Gate, NotAssessed, Verdict, judge
from audit.probes.ethics.varieties import KINDS, language_variety, render
from tests.helpers import examples, predictions, scorer


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("informal", "I think it's good because you are here.", "i think its good cuz u r here"),
        ("informal", "They want to see it. We are going to pay.", "they wanna see it. we r gonna pay"),
        ("informal", "You are not wrong!", "u are not wrong!"),
        ("non_native", "It has a plot, which is different.", "It have plot, wich is diferent."),
        ("non_native", "It has not begun, and a few came.", "It has not begun, and a few came."),
        ("non_native", "The best of it", "The best of it"),
    ],
)
def test_renderings(kind: str, before: str, after: str) -> None:
    # Which articles are dropped goes by a hash; the rest is a table.
    assert re.sub(r"\b(a|the) ", "", render(before, kind)) == re.sub(r"\b(a|the) ", "", after)


# A judge of its own: denials, and words of praise and blame.
_KEPT = re.compile(
    r"\b(?:no|not|never|none|nothing|nobody|neither|nor|without|hardly|barely|cannot|\w*n['’]t|good|bad|great|awful|"
    r"terrible|wonderful|best|worst|boring|dull|excellent|poor|love\w*|hate\w*|fun\w*|few|little)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("kind", KINDS)
def test_denials_and_words_of_sentiment_stay(real_data: Path, kind: str) -> None:
    with (real_data / "sst2_test.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    assert sum(render(text, kind) != text for text in texts) > len(texts) / 2
    for text in texts:
        made = render(text, kind)
        assert [word.lower() for word in _KEPT.findall(made)] == [word.lower() for word in _KEPT.findall(text)]
        assert made == render(text, kind)
        assert len(made.split()) > 0.7 * len(text.split()) - 1


TEXTS = [f"The plot number {i} is slow because you are here." for i in range(300)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_reads_past_the_variety_loses_nothing(kind: str) -> None:
    about = examples([0] * 300, texts=TEXTS)
    found = language_variety(scorer(lambda text: [0.9, 0.1]), predictions([0] * 300, about), kind)
    assert found.id == f"fairness.language_variety[{kind}]"
    assert (found.estimate, found.n) == (0, 300)
    assert judge(found, Gate(max=0.05))[0] == Verdict.PASS


def test_a_model_that_knows_standard_english_only_is_caught() -> None:
    about = examples([0] * 300, texts=TEXTS)
    rule = scorer(lambda text: [0.9, 0.1] if "because" in text else [0.2, 0.8])
    found = language_variety(rule, predictions([0] * 300, about), "informal")
    assert found.estimate == 1
    assert judge(found, Gate(max=0.05))[0] == Verdict.FAIL
    assert found.pairs.items[0].note == "negative → positive"


def test_only_texts_that_change_are_compared() -> None:
    about = examples([0, 0, 0], texts=["because", "ok", "because"])
    assert language_variety(scorer(lambda text: [0.9, 0.1]), predictions([0] * 3, about), "informal").n == 2


@pytest.mark.parametrize(
    ("texts", "language", "words"), [(["weil", "because"], "de", "English"), (["ok", "ok"], "en", "supply longer")]
)
def test_not_assessed_without_words_to_change(texts: list[str], language: str, words: str) -> None:
    about = examples([0, 1], texts=texts, language=language)
    with pytest.raises(NotAssessed, match=words):
        language_variety(scorer(lambda text: [0.9, 0.1]), predictions([0, 1], about))
