"""The exchange of gender: English grammar by a table, and the Equity Evaluation Corpus as an independent judge."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from audit.probes.identity import swap_gender

REAL = os.environ.get("AUDIT_TEST_DATA", "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("She gave her husband the book; he liked her.", "He gave his wife the book; she liked him."),
        ("I saw her yesterday.", "I saw him yesterday."),
        ("I saw her, and she waved.", "I saw him, and he waved."),
        ("I told her that it works", "I told him that it works"),
        ("her dog", "his dog"),
        ("her own dog", "his own dog"),
        ("Her!", "Him!"),
        ("That dog is hers.", "That dog is his."),
        ("That dog is his.", "That dog is hers."),
        ("his dog", "her dog"),
        ("I gave him the book", "I gave her the book"),
        ("He hurt himself", "She hurt herself"),
        ("SHE IS THE WOMAN", "HE IS THE MAN"),
        ("Mother called.", "Father called."),
        ("HER DOG saw HER.", "HIS DOG saw HIM."),
        ("She's here, he'll come, she'd know", "He's here, she'll come, he'd know"),
        ("Two boys and a girl", "Two girls and a boy"),
        ("my father-in-law", "my mother-in-law"),
        ("Mr Smith and Mrs Jones", "Mrs Smith and Mr Jones"),
        ("“She” (he) she—he", "“He” (she) he—she"),
        ("The waitress married an actor", "The waiter married an actor"),
        # What EEC's template "The situation makes <person object> feel …" says of her.
        ("The situation makes her feel angry.", "The situation makes him feel angry."),
        # Words of the list that are not plain ASCII letters, and compounds of words of the list.
        ("her fiancé", "his fiancée"),
        ("my ex-husband", "my ex-wife"),
    ],
)
def test_sentences(before: str, after: str) -> None:
    assert swap_gender(before) == after


@pytest.mark.parametrize(
    "text",
    [
        "The film is long and dull.",
        "The theme of this sheet is there, other human beings shed shells.",
        "They gave their children to us; I like you and myself.",
        "Manchester, Boyle, Sonia, Henry, womanly, hershey, history",
        "",
        "\n \t",
        "123 !? 你好",
    ],
)
def test_texts_without_people_stay_as_they_are(text: str) -> None:
    assert swap_gender(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "He likes his dog.",
        "She likes her dog.",
        "The woman knows the boys and the queen’s nephew.",
        "My brother saw himself; my Sister saw herself",
        "I told him that his uncle is here.",
        "I told her that her aunt is here.",
        "The book is hers.",
    ],
)
def test_exchanged_twice_is_the_original(text: str) -> None:
    assert swap_gender(text) != text
    assert swap_gender(swap_gender(text)) == text


def test_all_else_is_left_as_it_is() -> None:
    text = "  Wow!!  She\n\tsaid: «GREAT» &amp; left…  "
    assert swap_gender(text) == text.replace("She", "He")


@pytest.mark.skipif(not REAL, reason="needs the public data sets: set AUDIT_TEST_DATA")
@pytest.mark.parametrize(("of", "to"), [("male", "female"), ("female", "male")])
def test_the_equity_evaluation_corpus_agrees(of: str, to: str) -> None:
    # Kiritchenko and Mohammad 2018: the same templates filled with male and with female noun phrases.
    with (Path(REAL) / "eec.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if not row["race"]]
    sentences = {gender: [row["sentence"] for row in rows if row["gender"] == gender] for gender in (of, to)}
    there = set(sentences[to])
    missed = [text for text in sentences[of] if swap_gender(text) not in there]
    rate = 1 - len(missed) / len(sentences[of])
    print(f"{of} to {to}: {rate:.1%} of {len(sentences[of])} sentences stand in the other set")
    assert rate >= 0.99, missed[:5]
