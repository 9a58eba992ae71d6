"""The accuracy that disturbed texts cost."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from audit import Gate, Verdict, judge
from audit.core.errors import NotAssessed
from audit.core.evidence import to_json
from audit.probes.security.perturbation import ascii_vocabulary_of, perturbation
from audit.text.disturbances import KINDS, disturb
from tests.helpers import cells, examples, predictions, scorer

# Every kind changes it: it has both spellings, short forms, commas, and an end that says nothing.
REVIEW = (
    "It was a great film, and I loved the music. The actors are wonderful; you don't see that often. My favourite "
    "scene isn't long, but it's a beautiful one. I am sure that people will enjoy the story. The colour is superb. "
    "The film was made near a small town in the south of Spain, and the crew number {} came from Madrid."
)
NAMES = [f"{a}{b}" for a in "klmnprst" for b in ("anbu", "erdo", "imba", "olka", "uzzi") for _ in range(5)]


def _reviews(count: int = 200) -> list[str]:
    return [REVIEW.format(f"{NAMES[i % 200]} {'abcdefgh'[i // 200]}") for i in range(count)]


def _texts(count: int, length: int, seed: int = 0) -> list[str]:
    rng = Random(seed)
    lexicon = "good film great acting never boring story wonderful terrible music plot the a is was not".split()
    return [" ".join(rng.choices(lexicon, k=length)) for _ in range(count)]


def _reader(text: str) -> list[float]:
    """Knows two words, and says negative where it finds neither of them."""
    return [0.1, 0.9] if {"wonderful", "superb"} & set(text.split()) else [0.9, 0.1]


def test_words_of_texts() -> None:
    assert ascii_vocabulary_of(("Good, GOOD film!", "it's 3 films")) == {"good", "film", "it", "s", "films"}


def test_the_accuracy_lost_is_that_of_the_disturbed_texts() -> None:
    # Texts of one word that can be mistyped: each positive text turns, no negative one does.
    texts = ["so wonderful"] * 60 + ["so terrible"] * 40
    about = examples([1] * 60 + [0] * 40, texts=texts)
    found = perturbation(scorer(_reader), predictions([1] * 60 + [0] * 40, about))
    assert found.id == "security.perturbation[typos]"
    assert found.estimate == pytest.approx(0.6)
    assert found.n == 100
    table = cells(found.tables[0])
    assert len(found.tables) == 1
    assert [row[0] for row in table] == [0, 1, 2, 3]
    assert [row[2] for row in table] == pytest.approx([1, 0.4, 0.4, 0.4])
    assert all(row[3] < row[2] for row in table)
    assert [row[5] for row in table[1:]] == pytest.approx([0.6] * 3)
    assert found.summary.startswith("60 right answers turned wrong and 0 wrong ones right")
    assert judge(found, Gate(max=0.1))[0] == Verdict.FAIL
    items = found.pairs.items
    assert all(item.before == "so wonderful" != item.after for item in items)
    assert {item.note for item in items} == {"positive → negative"}


def test_a_quoted_text_says_in_which_row_of_the_file_it_stands() -> None:
    about = replace(
        examples([0] * 50 + [1] * 50, texts=["so terrible"] * 50 + ["so wonderful"] * 50), rows=np.arange(100)
    )
    items = perturbation(scorer(_reader), predictions([0] * 50 + [1] * 50, about)).pairs.items
    assert {(item.before, item.row) for item in items} == {("so wonderful", 50)}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_fails_one_model_and_passes_another(kind: str) -> None:
    texts = _reviews()
    truth = [1] * len(texts)
    about, known = examples(truth, texts=texts), set(texts)
    fragile = scorer(lambda text: [0.1, 0.9] if text in known else [0.9, 0.1])
    found = perturbation(fragile, predictions(truth, about), kind)
    assert found.id == f"security.perturbation[{kind}]"
    assert (found.estimate, found.n) == (1, 200)
    assert judge(found, Gate(max=0.2))[0] == Verdict.FAIL
    assert KINDS[kind].how in found.method
    items = found.pairs.items
    assert items
    assert all(item.before != item.after for item in items)
    found = perturbation(scorer(lambda text: [0.1, 0.9]), predictions(truth, about), kind)
    assert found.estimate == 0
    bound = 1 - 0.025 ** (1 / 200)  # the exact limit where none of 200 is lost
    assert found.high == pytest.approx(bound)
    assert judge(found, Gate(max=0.05))[0] == Verdict.PASS
    assert found.summary.startswith("No score moved")
    assert found.facts["share of changed texts whose scores moved at all"] == 0


def test_a_score_that_moves_is_not_called_untouched() -> None:
    about = examples([1] * 100, texts=["so wonderful"] * 100)
    found = perturbation(
        scorer(lambda text: [0.1, 0.9] if text == "so wonderful" else [0.2, 0.8]), predictions([1] * 100, about)
    )
    assert found.estimate == 0
    assert found.summary.startswith("0 right answers")
    assert found.facts["share of changed texts whose scores moved at all"] == 1


# Which texts are asked about


def test_only_texts_that_the_kind_changes_are_asked_about() -> None:
    texts = [*(f"the colour number {i}" for i in range(150)), *(f"the sound number {i}" for i in range(850))]
    truth = [1] * 1000
    asked: list[str] = []

    def rule(text: str) -> list[float]:
        asked.append(text)
        return [0.1, 0.9]

    found = perturbation(scorer(rule), predictions(truth, examples(truth, texts=texts)), "spelling")
    assert found.n == 150
    assert found.facts["share of test texts that it can change"] == 0.15
    assert not any("sound" in text for text in asked)


def test_too_few_texts_are_not_assessed_and_the_question_does_not_arise() -> None:
    texts = [*(f"the colour number {i}" for i in range(99)), *(f"the sound number {i}" for i in range(901))]
    about = examples([1] * 1000, texts=texts)
    with pytest.raises(NotAssessed, match=r"99 of the 1,000 test texts") as caught:
        perturbation(scorer(lambda text: [0.1, 0.9]), predictions([1] * 1000, about), "spelling")
    assert not caught.value.arises
    # Of few texts that nearly all can be changed something is known: the interval says how little.
    small = about.take(slice(0, 90))  # type: ignore[arg-type]
    assert perturbation(scorer(lambda text: [0.1, 0.9]), predictions([1] * 90, small), "spelling").n == 90


def test_copies_of_a_text_are_neither_enough_nor_too_many() -> None:
    texts = [*(f"the colour number {i}" for i in range(60)), *(f"the sound number {i}" for i in range(200))] * 2
    about = examples([1] * 520, texts=texts)
    with pytest.raises(NotAssessed, match=r"60 of the 260 test texts"):
        perturbation(scorer(lambda text: [0.1, 0.9]), predictions([1] * 520, about), "spelling")
    truth = [0, 1] * 100
    once, twice = examples(truth, texts=_texts(200, 8)), examples(truth * 2, texts=_texts(200, 8) * 2)
    found, doubled = (perturbation(scorer(_reader), predictions(each.labels, each), size=110) for each in (once, twice))
    assert (doubled.estimate, doubled.n) == (found.estimate, 2 * found.n)
    assert any("`perturbed`" in limit for limit in doubled.caveats)


def test_whoever_asks_about_few_texts_gets_an_answer_about_few() -> None:
    texts = [*(f"the colour number {i}" for i in range(99)), *(f"the sound number {i}" for i in range(901))]
    about = examples([1] * 1000, texts=texts)
    assert perturbation(scorer(lambda text: [0.1, 0.9]), predictions([1] * 1000, about), "spelling", size=60).n == 60


def test_the_policy_says_how_many_are_asked_about() -> None:
    truth = [0, 1] * 100
    about = examples(truth, texts=_texts(200, 8), max_examples=120)
    assert perturbation(scorer(_reader), predictions(truth, about)).n == 120
    assert perturbation(scorer(_reader), predictions(truth, about), size=0).n == 120
    found = perturbation(scorer(_reader), predictions(truth, about), size=110)
    assert found.n == 110
    assert any("`perturbed`" in limit for limit in found.caveats)
    everything = perturbation(scorer(_reader), predictions(truth, examples(truth, texts=_texts(200, 8))), size=0)
    assert everything.n == 200
    assert not any("`perturbed`" in limit for limit in everything.caveats)


def test_in_other_languages_only_kinds_run_that_need_no_english() -> None:
    truth = [1] * 200
    about = examples(truth, texts=_reviews(), language="de")
    for kind, described in KINDS.items():
        if described.english:
            with pytest.raises(NotAssessed, match="written for English") as caught:
                perturbation(scorer(_reader), predictions(truth, about), kind)
            assert caught.value.arises
        else:
            assert perturbation(scorer(_reader), predictions(truth, about), kind).n == 200
    assert {kind for kind, described in KINDS.items() if not described.english} == {
        "homoglyphs", "invisible", "case", "spaces", "emoji", "html",
    }  # fmt: skip


def test_an_unknown_kind_is_named() -> None:
    about = examples([1], texts=["text"])
    with pytest.raises(ValueError, match="'rain'"):
        perturbation(scorer(_reader), predictions([1], about), "rain")


# Evidence


def test_shown_examples_are_redacted() -> None:
    about = examples([1, 0], texts=["wonderful, says ann@example.org", "so terrible"])
    found = perturbation(scorer(lambda t: _reader(t.replace(",", ""))), predictions([1, 0], about))
    (item,) = found.pairs.items
    assert item.before == "wonderful, says [e-mail]"
    assert "ann@" not in str([to_json(each) for each in found.evidence])


def test_the_place_of_the_change_is_shown_of_long_texts() -> None:
    texts = [f"{'so it is and so it was ' * 60} {i} the plot" for i in range(100)]
    known = set(texts)
    about = examples([1] * 100, texts=texts)
    fragile = scorer(lambda text: [0.1, 0.9] if text in known else [0.9, 0.1])
    found = perturbation(fragile, predictions([1] * 100, about), "typos")
    for item in found.pairs.items:
        assert item.before.endswith("the plot")
        assert item.after is not None
        assert item.after.rsplit(" ", 1)[0] == item.before.rsplit(" ", 1)[0]
        assert item.after != item.before
        assert len(item.before) < 300


@pytest.mark.parametrize("kind", ["typos", "homoglyphs"])
def test_the_command_shows_what_was_changed(
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from audit.probes.security import perturbation as module

    path = tmp_path_factory.mktemp("print") / "texts.csv"
    path.write_text('review\n"a wonderful film"\n"so a"\n"a terrible plot"\n', "utf-8")
    arguments = ["--print", "5", "--kind", kind, "--file", str(path), "--column", "review"]
    monkeypatch.setattr("sys.argv", ["perturbation", *arguments])
    module._print_pairs()
    said = capsys.readouterr().out.strip().splitlines()
    assert said[0].startswith(f"{kind}, strength 3")
    assert len(said) == 3
    vocabulary = frozenset({"a", "wonderful", "film", "so", "terrible", "plot"})
    new = disturb("a wonderful film", kind, 3, vocabulary=vocabulary)
    changed = next((a, b) for a, b in zip("a wonderful film".split(), new.split(), strict=True) if a != b)
    assert f"{{{changed[0]}→{changed[1]}}}" in said[1]
