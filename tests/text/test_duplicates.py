"""Near duplicates are those that comparing every pair finds; normal forms keep what makes texts differ."""

from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from audit.text import duplicates
from audit.text.duplicates import families, near_pairs, normal_form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("A  fine\tPOT, really!", "a fine pot really"),
        ("fine<br /><br />pot &amp; lid", "fine pot lid"),
        ("i <3 it, 2 < 3 and 4 > 3", "i 3 it 2 3 and 4 3"),
        ("ﬁne STRASSE straße", "fine strasse strasse"),
        ("good 😀", "good 😀"),
        (":-) !", ":-)!"),
        ("", ""),
    ],
)
def test_the_normal_form(text: str, form: str) -> None:
    assert normal_form(text) == form


def test_texts_without_words_differ_if_their_signs_do() -> None:
    assert normal_form(":)") != normal_form(":(")


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 3]) for i in range(len(words) - 2)} or {tuple(words)}


def _every_pair(texts: list[str], threshold: float) -> set[tuple[int, int]]:
    sets = [_shingles(text) for text in texts]
    return {
        (i, j)
        for i, j in combinations(range(len(texts)), 2)
        if len(sets[i] & sets[j]) / len(sets[i] | sets[j]) >= threshold
    }


def _texts(seed: int) -> list[str]:
    """Texts of all lengths from few words, half of them altered copies of another."""
    rng, texts = Random(seed), []
    for _ in range(40):
        words = rng.choices("abcdefgh", k=rng.randint(1, 60))
        texts.append(" ".join(words))
        for _ in range(rng.randint(0, 3)):
            words[rng.randrange(len(words))] = rng.choice("abcxyz")
        texts.append(" ".join(words + rng.choices("pq", k=rng.randint(0, 2))))
    return list(dict.fromkeys(texts))


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("block", [500, duplicates._BLOCK])
def test_the_pairs_are_those_of_brute_force(threshold: float, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    for seed in range(3):
        texts = _texts(seed)
        blocks = near_pairs(texts, threshold)
        found = [pair for one, other in blocks for pair in zip(one.tolist(), other.tolist(), strict=True)]
        assert len(found) == len(set(found))
        assert set(found) == _every_pair(texts, threshold)
    assert threshold > 0.9 or found


@pytest.mark.parametrize("texts", [[], ["one"], ["", "a"], ["a", "b"]])
def test_few_or_short_texts_have_no_pairs(texts: list[str]) -> None:
    assert not [one for one, _ in near_pairs(texts, 0.8) if len(one)]


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_families_are_what_pairs_of_texts_of_six_words_connect(threshold: float) -> None:
    # The first and the last of these share little, and each is near the next one.
    chain = [" ".join(map(str, range(i, i + 40))) for i in range(0, 20, 2)]
    texts = [*_texts(7), *chain]
    telling = {i for i, text in enumerate(texts) if len(text.split()) >= 6}
    family_of = list(range(len(texts)))
    for one, other in _every_pair(texts, threshold):
        if {one, other} <= telling:
            joined = (family_of[one], family_of[other])
            family_of = [min(joined) if family in joined else family for family in family_of]
    found = families(texts, threshold).tolist()
    assert [found.index(family) for family in found] == [family_of.index(family) for family in family_of]
    assert found.count(found[-1]) == len(chain)


def test_a_family_is_one_by_its_normal_form_and_what_many_write_is_none() -> None:
    copies = [
        "A very good film, of the old kind!",
        "a very good film of the old kind",
        "<b>A</b> very good film of the old kind",
    ]
    alone = ["Thank you so very much"] * 3 + ["", ""]
    found = families([*copies, *alone], 0.8).tolist()
    assert len(set(found[:3])) == 1
    assert len(set(found)) == 1 + len(alone)
    assert families([], 0.8).tolist() == []
