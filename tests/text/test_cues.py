"""Cues are found where they stand, taken out whole, and no opinion is taken for one."""

from __future__ import annotations

import pytest

from audit.text import cues
from audit.text.cues import Cue, Spoken


@pytest.mark.parametrize(
    ("kind", "text", "keys"),
    [
        ("rating", "I give it 7/10.", ["7/10"]),
        ("rating", "8 out of 10, or Seven out of ten", ["8 out of 10", "seven out of ten"]),
        ("rating", "3.5/5 and 4 stars and ★★★☆☆", ["3.5/5", "4 stars", "★★★☆☆"]),
        ("rating", "*** of a kind", ["***"]),
        ("rating", "open 24/7, on 3/4/2020, 11/10 at 1/3 of the price, f***", []),
        ("handle", "@united thanks, me@example.org @ noon", ["@united"]),
        ("hashtag", "#Fail &#39; #1 C# #newyork", ["#fail", "#newyork"]),
        ("link", "see http://t.co/x or www.example.org", ["http://t.co/x", "www.example.org"]),
        ("markup", "so<br /><br />a < b &amp; c", ["<br />", "<br />", "&amp;"]),
        ("mark", "so... what?! 7/10 :) #a", ["...", "?", "!"]),
        ("name", "Then Anna saw New York, and I went. He did", ["anna", "new york"]),
        ("name", "GREAT SHOW BY ANNA AND BEN", []),
        ("opening", "I rented this, yes", ["i", "i rented", "i rented this"]),
        ("closing", "fine. Seen on TV!", ["tv", "on tv", "seen on tv"]),
        ("closing", "fine, 7/10", []),
        ("closing", "so it is<br />", []),
        ("opening", "@united so", []),
    ],
)
def test_a_kind_is_found(kind: str, text: str, keys: list[str]) -> None:
    assert [match.key for match in cues.matches(kind, text)] == keys
    assert all(text[m.start : m.end] for m in cues.matches(kind, text))


@pytest.mark.parametrize(
    ("cue", "text", "rest"),
    [
        (Cue("rating", "7/10", ("7/10",)), "so 7/10, said he", "so , said he"),
        (Cue("rating", "high", (), True), "9/10 and 2/10", "and 2/10"),
        (Cue("hashtag", "any", (), True), "a #b c #D", "a c"),
        (Cue("mark", "!", ("!",)), "so! what!!", "so what"),
        (Cue("name", "new york", ("New York",)), "to new york, New  York", "to ,"),
        (Cue("closing", "on tv", ("on TV",)), "on TV it was on TV.", "on TV it was"),
        (Cue("opening", "on tv", ("on TV",)), "On TV, on TV", "on TV"),
    ],
)
def test_a_cue_is_taken_out_whole(cue: Cue, text: str, rest: str) -> None:
    assert cue.is_in(text)
    assert cue.without(text) == rest
    assert not cue.is_in(cue.without(text)) or cue.kind in ("opening", "closing")


@pytest.mark.parametrize(
    "phrase",
    ["great", "Not", "wasn't", "#worstairline", "#NeverAgain", "#fail", "highly recommended", "Avoid", "well-loved"],
)
def test_opinions_and_denials_are_known(phrase: str) -> None:
    assert cues.is_opinion(phrase)


@pytest.mark.parametrize(
    "phrase", ["Spielberg", "November", "#neworleans", "via CineScope", "Richard", "Ripley", "on TV"]
)
def test_names_and_the_like_are_none(phrase: str) -> None:
    assert not cues.is_opinion(phrase)


def test_a_phrase_is_a_set_one_only_if_it_hardly_stands_elsewhere_and_a_name_is_written_as_one() -> None:
    spoken = Spoken(["seen on tv", "so it is, seen on tv", "a film and the Film", "the Film"])
    assert spoken.binds(Cue("closing", "seen on tv", ("seen on tv",)), 2)
    assert not spoken.binds(Cue("closing", "film", ("Film",)), 1)
    assert not spoken.binds(Cue("name", "film", ("Film",)), 2)
    assert spoken.binds(Cue("name", "anna", ("Anna",)), 2)


@pytest.mark.parametrize("language", ["de", "zh", "fr"])
def test_of_other_languages_no_words_are_cues(language: str) -> None:
    assert not {"name", "hashtag", "opening", "closing"} & set(cues.kinds(language))
    assert "rating" in cues.kinds(language)
