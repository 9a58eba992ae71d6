"""Typing errors that a reader sees through, and the accuracy that they cost."""

from __future__ import annotations

from random import Random

import pytest

from audit import Gate, Verdict, judge
from audit.probes.perturbation import STRENGTHS, perturbation, typos, words
from tests.helpers import examples, predictions, scorer

LEXICON = (
    "good film great acting never nothing without hardly boring story wonderful terrible music plot character "
    "ending beginning the a is was not no and but very really scene direction picture camera dialogue moving slow "
    "cannot nobody none neither barely scarcely nowhere superb awful keep deep seem book look feel tall miss".split()
)
NEGATIONS = set("never none nothing nobody neither nowhere without hardly barely scarcely cannot not no".split())


def _sentences(count: int, length: int, seed: int = 0) -> list[str]:
    rng = Random(seed)
    return [" ".join(rng.choices(LEXICON, k=length)) for _ in range(count)]


def _changed(before: str, after: str) -> list[tuple[str, str]]:
    pairs = list(zip(before.split(" "), after.split(" "), strict=True))
    return [(old, new) for old, new in pairs if old != new]


VOCABULARY = frozenset(LEXICON)


@pytest.mark.parametrize("strength", sorted(STRENGTHS))
def test_errors_are_such_that_a_reader_sees_through(strength: int) -> None:
    for text in _sentences(150, 25, strength):
        changed = _changed(text, typos(text, strength, VOCABULARY))
        assert changed
        for old, new in changed:
            assert old not in NEGATIONS
            assert len(old) >= 4
            assert (new[0], new[-1]) == (old[0], old[-1])
            assert abs(len(new) - len(old)) <= 1
            assert new not in VOCABULARY


@pytest.mark.parametrize(("strength", "most"), [(1, 2), (2, 4), (3, 8)])
def test_the_share_of_words_is_the_promised_one(strength: int, most: int) -> None:
    # 40 words: 5, 10, 20 % of them.
    counts = [len(_changed(text, typos(text, strength, VOCABULARY))) for text in _sentences(60, 40)]
    assert max(counts) == most
    assert sum(counts) / len(counts) >= 0.9 * most


def test_more_strength_makes_more_errors() -> None:
    for text in _sentences(60, 40):
        counts = [len(_changed(text, typos(text, strength, VOCABULARY))) for strength in sorted(STRENGTHS)]
        assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("text", ["good", "keep it", "a deep book", "no miss", "I seem tall", "a great one"])
def test_there_is_an_error_wherever_a_word_allows_it(text: str) -> None:
    # Each of these has a word of four letters in which some typing error makes no other word.
    for seed in range(40):
        assert typos(text, 2, VOCABULARY, seed) != text, seed


@pytest.mark.parametrize("text", ["", "a b c", "the one is not bad", "never nothing cannot", "123 4567", "wouldn't"])
def test_where_no_word_allows_it_there_is_none(text: str) -> None:
    for seed in range(20):
        assert typos(text, 3, VOCABULARY, seed) == text


@pytest.mark.parametrize("text", ["It couldn't work", "It couldn’t work", "NEVER work", "It is Nothing to work"])
def test_negations_stay_whole(text: str) -> None:
    for seed in range(40):
        changed = _changed(text, typos(text, 3, frozenset(), seed))
        assert {old for old, _ in changed} <= {"work"}


def test_words_that_the_vocabulary_holds_never_come_out() -> None:
    # All that a missing, doubled, swapped or neighbouring letter can make of "form", but for two.
    text, allowed = "form", {"ffrm", "foorm"}
    possible = {typos(text, 3, frozenset(), seed) for seed in range(4000)}
    assert len(possible) > 10
    vocabulary = frozenset(possible - allowed)
    assert {typos(text, 3, vocabulary, seed) for seed in range(400)} <= allowed | {text}
    assert typos("FORM", 3, frozenset({"frm", "fom"}), 0).lower() not in {"frm", "fom"}


def test_case_and_all_between_the_words_are_kept() -> None:
    text = "  WONDERFUL, (really)\n\twonderful!  Schöne   Grüße "
    for seed in range(30):
        new = typos(text, 1, frozenset(), seed)
        assert [c for c in new if not c.isalpha()] == [c for c in text if not c.isalpha()]
        assert "Schöne   Grüße" in new or "Sch" in new
        assert new.split()[0].strip(",").isupper()


def test_errors_repeat_with_their_seed() -> None:
    for text in _sentences(10, 20):
        assert typos(text, 2, VOCABULARY, 5) == typos(text, 2, VOCABULARY, 5)
    many = {typos("a wonderful direction and a terrible character", 2, VOCABULARY, seed) for seed in range(30)}
    assert len(many) > 10


def test_words_of_texts() -> None:
    assert words(["Good, GOOD film!", "it's 3 films"]) == {"good", "film", "it", "s", "films"}


# Accuracy lost


def _reader(text: str) -> list[float]:
    """Knows two words, and says negative where it finds neither of them."""
    return [0.1, 0.9] if {"wonderful", "superb"} & set(text.split()) else [0.9, 0.1]


def test_the_accuracy_lost_is_that_of_the_disturbed_texts() -> None:
    # Texts of one word that can be mistyped: each positive text turns, no negative one does.
    texts = ["so wonderful"] * 60 + ["so terrible"] * 40
    about = examples([1] * 60 + [0] * 40, texts=texts)
    found = perturbation(scorer(_reader), predictions([1] * 60 + [0] * 40, about))
    assert found.id == "security.perturbation[typos]"
    assert found.estimate == pytest.approx(0.6)
    assert found.n == 100
    assert found.details["accuracy on the undisturbed texts"] == 1
    (table,) = found.details["tables"]
    assert [row[0] for row in table["rows"]] == [1, 2, 3]
    assert [row[-1] for row in table["rows"]] == pytest.approx([0.4] * 3)
    assert judge(found, Gate(max=0.1))[0] == Verdict.FAIL
    items = found.details["examples"]["items"]
    assert all(item["before"] == "so wonderful" != item["after"] for item in items)
    assert {item["note"] for item in items} == {"positive → negative"}


def test_a_model_that_minds_no_letters_loses_nothing() -> None:
    texts = _sentences(400, 12)
    truth = [len(text.split()) % 2 for text in texts]
    about = examples(truth, texts=texts)
    found = perturbation(scorer(lambda text: [0.9, 0.1]), predictions(truth, about))
    assert (found.estimate, found.low is not None and found.low < 0) == (0, True)
    bound = 1 - 0.025 ** (1 / 400)  # the exact limit where none of 400 is lost
    assert found.high == pytest.approx(bound)
    assert judge(found, Gate(max=0.02))[0] == Verdict.PASS


def test_only_the_sample_is_disturbed() -> None:
    about = examples([0, 1] * 50, texts=_sentences(100, 8), max_examples=30)
    assert perturbation(scorer(_reader), predictions([0, 1] * 50, about)).n == 30


def test_shown_examples_are_redacted() -> None:
    about = examples([1, 0], texts=["wonderful, says ann@example.org", "so terrible"])
    found = perturbation(scorer(lambda t: _reader(t.replace(",", ""))), predictions([1, 0], about))
    assert "ann@" not in str(found.details)


# Unsafe files
