"""Defects of texts are recognised, and what only looks like one is not."""

from __future__ import annotations

import pytest

from audit.text import hygiene, languages
from tools.hygiene import FOREIGN

ENGLISH = "The kettle leaks from the first day on, and nobody answers my letters."


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (ENGLISH, set()),
        ("a caf\ufffd in town", {"unreadable"}),
        ("an icon \ue001 of a font", {"unreadable"}),
        ("a cafÃ© in town", {"mojibake"}),
        ("I donâ€™t like it", {"mojibake"}),
        ("the plot\x97what a mess", {"mojibake"}),
        ("well\u200bhidden", {"unseen"}),
        ("\ufeffat the head", {"unseen"}),
        ("a bell\x07rings", {"unseen"}),
        ("fine.<br /><br />Really.", {"markup"}),
        ("<p class='a'>fine</p>", {"markup"}),
        ("salt &amp; pepper", {"markup"}),
        ("it&#39;s fine", {"markup"}),
        ("<!-- a remark -->", {"markup"}),
        ("????????????", {"constant"}),
        ("aaaaaaaaaaaaah", {"constant"}),
        ("good good good good good good", {"constant"}),
        ("-", {"constant"}),
        (FOREIGN["de"][0], {"language"}),
        (f"{FOREIGN['de'][0]} <br />", {"language", "markup"}),
    ],
)
def test_each_kind_is_found(text: str, kinds: set[str]) -> None:
    assert hygiene.find(text, "en") == kinds


@pytest.mark.parametrize(
    "text",
    [
        "“Crème brûlée” – naïve… ½ £5 €6 20 °C",
        "I <3 it, 3 < 4 > 2, R&D; AT&T",
        "<angry> I tell you",
        "😀",
        "★★★★★★★★★★★★",
        "👍🏽👨‍👩‍👧",
        "ok",
        "5",
        "no no no",
        "नमस्ते क्‍या",
        "AN HOUR DELAY BECAUSE YOU CAN'T PRINT A PIECE OF PAPER!",
        "@VirginAmerica DREAM http://t.co/oA2dRfAoQ2 http://t.co/lWWdAc2kHx",
        "",
    ],
)
def test_what_only_looks_like_a_defect_is_none(text: str) -> None:
    assert not hygiene.find(text, "en")


@pytest.mark.parametrize("language", FOREIGN)
def test_a_language_is_foreign_only_where_another_is_declared(language: str) -> None:
    for text in FOREIGN[language]:
        assert languages.is_foreign(text, "en")
        assert not languages.is_foreign(text, language)


def test_too_little_text_tells_no_language() -> None:
    assert not languages.is_foreign("Sehr gut, danke schön!", "en")


def test_close_relatives_are_not_told_apart() -> None:
    bokmal = "Dette er en veldig fin film som jeg liker godt og gjerne vil se igjen."
    assert not languages.is_foreign(bokmal, "nn")
    assert languages.is_foreign(bokmal, "en")


def test_unknown_languages_are_known_to_be_unknown() -> None:
    assert languages.is_known("de")
    assert languages.is_known("nb")
    assert not languages.is_known("tlh")
