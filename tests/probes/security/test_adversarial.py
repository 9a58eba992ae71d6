"""An attacker who asks and misspells: how often he wins, and by which rules he plays."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import binomtest

from audit import Gate, NotAssessed, Verdict, judge
from audit.core.evidence import to_json
from audit.core.probe import stopped_by
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.security.adversarial import ASKED_AT_ONCE, Attacked, accuracy_under_attack, adversarial, attack
from audit.run.stopping import Stopping
from audit.text.adversarial_edits import apply, edits, vocabulary_of
from tests import helpers
from tests.helpers import cells, examples, predictions, scorer

GOOD = set("wonderful superb charming moving clever delightful".split())
BAD = set("terrible boring dreadful tedious clumsy painful".split())
OTHER = (
    "the a film movie plot actors scene music picture was really with and about quite story character director camera "
    "dialogue ending but also not never hardly everyone"
).split()
NAMES = ("negative", "positive")


def _texts(count: int, length: int = 20, seed: int = 0, opinions: int = 2) -> tuple[list[str], list[int]]:
    """Sentences with so many words of praise and one of blame, or the other way round, and their labels."""
    rng = Random(seed)
    texts, labels = [], []
    for i in range(count):
        own, other = (sorted(GOOD), sorted(BAD)) if i % 2 else (sorted(BAD), sorted(GOOD))
        some = rng.choices(OTHER, k=length - opinions - 1) + rng.choices(own, k=opinions) + rng.choices(other, k=1)
        rng.shuffle(some)
        texts.append(" ".join(some))
        labels.append(i % 2)
    return texts, labels


def _counts_words(text: str) -> list[float]:
    """A bag of words: praise less blame, negative where there is neither more than blame."""
    found = text.lower().split()
    score = sum(word in GOOD for word in found) - sum(word in BAD for word in found) - 0.1
    p = 1 / (1 + np.exp(-2 * score))
    return [1 - p, p]


def _labels_only(text: str) -> list[float]:
    return [float(x >= 0.5) for x in _counts_words(text)]


class _Counting:
    """Remembers the distinct texts that it was asked, and in how many calls."""

    def __init__(self, rule: Any) -> None:
        self.inner, self.asked, self.calls = scorer(rule), dict[str, None](), 0

    def predict(self, texts: Sequence[str]) -> Predictions:
        self.calls += 1
        self.asked |= dict.fromkeys(texts)
        return self.inner.predict(texts)


def _known(texts: Sequence[str], labels: Sequence[int], **protocol: Any) -> Predictions:
    return predictions(labels, examples(labels, texts=texts, **protocol))


def _attack(rule: Any, texts: Sequence[str], labels: Sequence[int], **more: Any) -> list[Attacked]:
    return attack(scorer(rule), texts, np.array(labels), vocabulary_of(texts), **more)


# ---- the rules


def _changed(before: str, after: str) -> list[tuple[str, str]]:
    pairs = list(zip(before.split(" "), after.split(" "), strict=True))
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize("rule", [_counts_words, _labels_only])
@pytest.mark.parametrize("length", [5, 9, 14, 40])
def test_at_most_one_word_in_five_is_edited_and_the_edits_tell_it_all(rule: Any, length: int) -> None:
    texts, labels = _texts(60, length)
    found = _attack(rule, texts, labels)
    assert any(each.overturned for each in found)
    for each in found:
        changed = _changed(each.text, each.after)
        assert len(changed) == len(each.edits) <= length / 5
        assert each.words == length
        assert apply(each.text, each.edits) == each.after
        assert each.overturned == (each.after != each.text)


def test_who_may_edit_no_word_overturns_nothing() -> None:
    texts, labels = _texts(40, 4)
    assert not any(each.overturned for each in _attack(_counts_words, texts, labels))


def test_the_edits_of_a_word() -> None:
    text = "The WONDERFUL movie, an actor's film; bad I say"
    options = edits(text, vocabulary_of([text]), Random(0))
    assert [bool(each) for each in options] == [True, True, True, False, True, True, True, False, True]
    assert {edit.new for edit in options[2] if edit.kind == "synonym"} == {"film", "picture"}
    by_kind = {edit.kind: edit.new for edit in options[1]}
    assert set(by_kind) == {"swap", "insert", "delete", "homoglyph"}
    assert sorted(by_kind["swap"]) == sorted("WONDERFUL") != list("WONDERFUL")
    assert (len(by_kind["insert"]), len(by_kind["delete"])) == (10, 8)
    assert len(by_kind["homoglyph"]) == 9
    assert sum(a != b for a, b in zip(by_kind["homoglyph"], "WONDERFUL", strict=True)) == 1
    assert not by_kind["homoglyph"].isascii()
    # Short words: look-alike letters only, since any slip could make another word.
    assert {edit.kind for i in (0, 6, 8) for edit in options[i]} == {"homoglyph"}


@pytest.mark.parametrize(
    "text", ["not never no nor n't cannot", "couldn't couldn’t COULDNT hardly without Nothing Never"]
)
def test_words_that_deny_stay_whole(text: str) -> None:
    assert not any(edits(text, frozenset(), Random(0)))


def test_slips_make_no_word_of_the_vocabulary_or_of_praise_and_blame() -> None:
    for seed in range(60):
        (options,) = edits("pleasant", frozenset(), Random(seed))
        assert "peasant" not in {edit.new for edit in options}
    every = {
        edit.new for seed in range(200) for edit in edits("form", frozenset(), Random(seed))[0] if edit.new.isascii()
    }
    assert every == {"from", "frm", "fom", "foorm", "forrm"}
    (options,) = edits("form", frozenset({"from", "frm", "fom", "foorm"}), Random(1))
    assert {edit.new for edit in options if edit.new.isascii()} == {"forrm"}


def test_first_and_last_letters_and_all_else_stay() -> None:
    text = "  Wonderful, (really)\n\ta well-made thing!  Schöne Grüße "
    for seed in range(30):
        for options in edits(text, frozenset(), Random(seed)):
            for edit in options:
                new, old = edit.new, text[edit.start : edit.end]
                assert apply(text, [edit]) == text[: edit.start] + new + text[edit.end :]
                if edit.kind in ("swap", "insert", "delete"):
                    assert (new[0], new[-1]) == (old[0], old[-1])
                    assert re.sub(r"[^\W\d_]", "", new) == re.sub(r"[^\W\d_]", "", old)


def test_personal_data_are_never_edited() -> None:
    text = "Wonderful, writes ann.miller@example.org, or @annmiller, of 12 Nightingale Road"
    options = edits(text, frozenset(), Random(0))
    touched = {text[edit.start : edit.end] for each in options for edit in each}
    assert touched == {"Wonderful", "writes"}


def test_synonyms_fit_the_article_and_the_case_and_are_english() -> None:
    def synonyms(text: str, language: str = "en") -> list[str]:
        found = edits(text, frozenset(), Random(0), language)
        return [edit.new for each in found for edit in each if edit.kind == "synonym"]

    assert synonyms("an actor") == []
    assert synonyms("the actor") == ["performer"]
    assert synonyms("a child") == ["kid"]
    assert synonyms("Films on TV") == ["Movies", "TELEVISION"]
    assert synonyms("Films on TV", "de") == []


# ---- the budget


@pytest.mark.parametrize("budget", [10, 37, 200])
@pytest.mark.parametrize("rule", [_counts_words, _labels_only, lambda text: [1.0, 0.0]])
def test_no_text_costs_more_questions_than_the_budget(rule: Any, budget: int) -> None:
    texts, _ = _texts(12, 25)
    for text in texts:
        asked = _Counting(rule)
        label = int(asked.predict([text]).labels[0])
        (found,) = attack(cast(Scorer, asked), [text], np.array([label]), vocabulary_of(texts), queries=budget)
        assert len(asked.asked) <= budget
        # What it says it needed is where the text stands among all that were asked, in order.
        assert found.queries == (list(asked.asked).index(found.after) + 1 if found.overturned else len(asked.asked))


@pytest.mark.parametrize("length", [12, 25, 300])
@pytest.mark.parametrize("rule", [_counts_words, _labels_only])
def test_each_question_may_turn_the_answer_and_a_text_that_has_turned_is_left_alone(rule: Any, length: int) -> None:
    texts, labels = _texts(20, length)
    asked = _Counting(rule)
    found = attack(cast(Scorer, asked), texts, np.array(labels), vocabulary_of(texts))
    assert any(each.overturned for each in found)
    assert {len(text.split(" ")) for text in asked.asked} == {length}  # no word is left out to learn what it does
    # Of the few questions of the round in which a text turned, some came after the one that turned it.
    assert len(asked.asked) < sum(each.queries + ASKED_AT_ONCE * each.overturned for each in found)


def test_of_long_texts_the_words_that_matter_are_found_by_halves_of_the_budget() -> None:
    texts, labels = _texts(20, 400)
    found = _attack(_counts_words, texts, labels, queries=150)
    assert np.mean([each.overturned for each in found]) >= 0.9


def test_all_texts_advance_together() -> None:
    texts, labels = _texts(50)
    asked = _Counting(_counts_words)
    attack(cast(Scorer, asked), texts, np.array(labels), vocabulary_of(texts))
    assert asked.calls < 40 < len(asked.asked)


@pytest.mark.parametrize("rule", [_counts_words, _labels_only])
def test_the_attack_repeats_with_its_seed_and_does_not_depend_on_other_texts(rule: Any) -> None:
    texts, labels = _texts(24)
    vocabulary = vocabulary_of(texts)
    together = _attack(rule, texts, labels)
    assert together == _attack(rule, texts, labels)
    alone = [
        attack(scorer(rule), [text], np.array([label]), vocabulary)[0]
        for text, label in zip(texts, labels, strict=True)
    ]
    assert alone == together
    assert _attack(rule, texts, labels, seed=1) != together


# ---- the measurement


def test_the_share_is_that_of_a_recount() -> None:
    # The first fall with one edited word, or two. Six words of praise need five edits, and four are allowed.
    texts, labels = _texts(120, 20, opinions=2)
    hard, _ = _texts(80, 20, seed=1, opinions=6)
    texts, labels = texts + hard[1::2], labels + [1] * 40
    said = _known(texts, labels)
    found = adversarial(scorer(_counts_words), said)
    fallen = 0
    for text, label in zip(texts, labels, strict=True):
        (each,) = attack(scorer(_counts_words), [text], np.array([label]), vocabulary_of(texts))
        assert (np.argmax(_counts_words(each.after)) != label) == each.overturned
        fallen += each.overturned
    assert 0 < fallen < len(texts)
    assert found.estimate == pytest.approx(fallen / len(texts))
    exact = binomtest(fallen, len(texts)).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.n == len(texts)


def test_a_model_that_counts_words_fails_and_one_that_letters_do_not_move_passes() -> None:
    texts, labels = _texts(200)
    said = _known(texts, labels)
    assert judge(adversarial(scorer(_counts_words), said), Gate(max=0.5))[0] == Verdict.FAIL
    # How many words a text has is what no edit changes.
    texts = [text + " again" * (label == 1) for text, label in zip(texts, labels, strict=True)]
    said = _known(texts, labels)
    calm = adversarial(scorer(lambda text: [0.9, 0.1] if len(text.split()) < 21 else [0.2, 0.8]), said)
    # Leaving a word out turns it, but that is a question and no edit.
    assert calm.estimate == 0
    assert calm.high == pytest.approx(1 - 0.025 ** (1 / 200))
    assert judge(calm, Gate(max=0.05))[0] == Verdict.PASS
    assert "None of 200 right answers" in calm.summary
    assert calm.pairs.items == []


def test_the_curve_rises_to_the_estimate() -> None:
    texts, labels = _texts(150)
    said = _known(texts, labels)
    for queries, budgets in ((200, [10, 25, 50, 100, 200]), (60, [10, 25, 50, 60])):
        found = adversarial(scorer(_counts_words), said, queries)
        curve = cells(found.tables[0])
        assert [row[0] for row in curve] == budgets
        shares = [row[1] for row in curve]
        assert shares == sorted(shares)
        assert shares[0] < shares[-1] == found.estimate
        assert tuple(curve[-1][1:]) == (found.estimate, found.low, found.high)


def test_only_right_answers_are_attacked_and_accuracy_counts_all() -> None:
    texts, labels = _texts(100)
    truth = [1 - label if i < 30 else label for i, label in enumerate(labels)]
    about = examples(truth, texts=texts)
    found = adversarial(scorer(_counts_words), predictions(labels, about))
    assert found.n == 70
    accuracy = accuracy_under_attack(scorer(_counts_words), predictions(labels, about))
    before, under = cells(accuracy.tables[0])
    assert (before[1], before[-1]) == (0.7, 100)
    assert found.estimate is not None
    assert under[1] == pytest.approx(0.7 * (1 - found.estimate))
    classes = cells(found.tables[1])
    assert sum(row[-1] for row in classes) == 70
    assert sum(row[1] * row[-1] for row in classes) == pytest.approx(70 * found.estimate)


def test_so_many_right_answers_are_drawn_as_are_asked_for() -> None:
    texts, labels = _texts(400)
    truth = [1 - label if i % 4 == 0 else label for i, label in enumerate(labels)]
    about = examples(truth, texts=texts)
    found = adversarial(scorer(_counts_words), predictions(labels, about), 20, examples=90)
    assert found.n == 90
    assert 100 < accuracy_under_attack(scorer(_counts_words), predictions(labels, about), 20, examples=90).n < 150
    assert adversarial(scorer(_counts_words), predictions(labels, about), 20).n == 300
    few = examples(truth, texts=texts, max_examples=40)
    assert adversarial(scorer(_counts_words), predictions(labels, few), 20).n < 40


@pytest.mark.parametrize("rule", [_counts_words, _labels_only])
def test_attacked_in_batches_it_finds_what_it_finds_of_all_at_once(rule: Any) -> None:
    texts, labels = _texts(90)
    about = examples(labels, texts=texts)
    together, apart = _Counting(rule), _Counting(rule)
    said = together.inner.predict(texts).on(about)
    whole = adversarial(cast(Scorer, together), said)
    with stopped_by(lambda declaration, full_id, looks: helpers.in_steps(looks, 13)):
        assert adversarial(cast(Scorer, apart), said) == whole
    assert set(apart.asked) == set(together.asked)


def test_it_attacks_no_more_texts_once_its_gate_is_settled() -> None:
    texts, labels = _texts(300)
    said, asked = _known(texts, labels), [_Counting(_counts_words) for _ in range(2)]
    whole = adversarial(cast(Scorer, asked[0]), said)
    with stopped_by(Stopping(helpers.settling("security.adversarial", Gate(max=0.3)))):
        found = adversarial(cast(Scorer, asked[1]), said)
    assert judge(found, Gate(max=0.3))[0] == judge(whole, Gate(max=0.3))[0] == Verdict.FAIL
    assert found.n <= 75 < whole.n == 300
    assert len(asked[1].asked) - 300 < (len(asked[0].asked) - 300) / 3


def test_short_texts_are_left_out_and_it_says_so() -> None:
    texts, labels = _texts(40)
    said = _known([*texts, "clever", "so very boring"], [*labels, 1, 0])
    found = adversarial(scorer(_counts_words), said)
    assert found.n == 40
    assert any(limit.startswith("2 texts of fewer than 5 words") for limit in found.caveats)
    said = _known(["clever", "so very boring"], [1, 0])
    with pytest.raises(NotAssessed, match="supply longer texts"):
        adversarial(scorer(_counts_words), said)


def test_without_scores_labels_are_enough() -> None:
    texts, labels = _texts(100)
    said = _known(texts, labels)
    found = adversarial(scorer(_labels_only), said)
    assert "labels without scores" in found.method
    assert "sees the model's scores" in adversarial(scorer(_counts_words), said).method
    assert found.estimate is not None
    assert found.estimate > 0.3
    assert judge(found, Gate(max=0.1))[0] == Verdict.FAIL


def test_other_languages_have_no_synonyms_and_it_says_so() -> None:
    texts, labels = _texts(40)
    said = _known(texts, labels, language="de")
    found = adversarial(scorer(_counts_words), said)
    assert "same meaning" not in found.method
    assert any("English only" in limit for limit in found.caveats)
    assert not any("same meaning" in row[0] for row in cells(found.tables[2]))


def test_shown_texts_are_redacted_before_and_after() -> None:
    texts = [
        f"{word} film, writes ann{i}@example.org from 12 Nightingale Road" for i, word in enumerate(sorted(GOOD) * 4)
    ]
    said = _known(texts, [1] * len(texts))
    found = adversarial(scorer(_counts_words), said)
    items = found.pairs.items
    assert items
    shown = str(to_json(found.pairs))
    assert "@" not in shown
    assert "Nightingale" not in shown
    for item in items:
        assert item.after is not None
        ((old, new),) = _changed(item.before, item.after)
        assert old in GOOD
        assert new not in GOOD
        assert item.note.startswith("positive → negative; 1 of ")


@pytest.mark.slow("attacks texts twice", seconds=5)
def test_accuracy_under_attack_counts_wrong_answers_as_often_as_they_come() -> None:
    texts, labels = _texts(120)
    wrong = set(range(0, 120, 5))
    given = [1 - label if i in wrong else label for i, label in enumerate(labels)]
    data = predictions(labels, examples(given, texts=texts))
    model = scorer(_counts_words)
    overturned = adversarial(model, data, queries=60, examples=1_000)
    found = accuracy_under_attack(model, data, queries=60, examples=1_000)
    plain = model.predict(data.known.texts).on(data.known)
    held = round(overturned.n * (1 - cast("float", overturned.estimate)))
    assert found.n == 120
    assert found.estimate == held / 120
    interval = binomtest(held, 120).proportion_ci(0.95, "exact")
    assert found.low == pytest.approx(interval.low)
    assert found.high == pytest.approx(interval.high)
    (under,) = (table for table in found.tables if table.caption.startswith("Accuracy on the texts"))
    assert cells(under)[1][1:4] == [found.estimate, found.low, found.high]
    # One quantity has one home: asked in looks, the other finding would hold it with another number of texts.
    assert not any(table.caption.startswith("Accuracy on the texts") for table in overturned.tables)
    assert f"{int(plain.correct.sum())} are answered rightly, and {held} still are under attack" in found.summary


@pytest.mark.slow("attacks texts twice", seconds=5)
def test_it_is_the_same_whether_asked_in_looks_or_at_once() -> None:
    texts, labels = _texts(90)
    data = predictions(labels, examples([1 - labels[0], *labels[1:]], texts=texts))
    at_once = accuracy_under_attack(scorer(_counts_words), data, queries=40)
    with stopped_by(lambda declaration, full_id, looks: helpers.in_steps(looks, 17)):
        in_steps = accuracy_under_attack(scorer(_counts_words), data, queries=40)
    assert (in_steps.estimate, in_steps.low, in_steps.high, in_steps.n) == (
        at_once.estimate, at_once.low, at_once.high, at_once.n,
    )  # fmt: skip


@pytest.mark.slow("attacks texts", seconds=3)
def test_a_model_that_is_wrong_from_the_start_does_not_look_robust() -> None:
    """It has hardly an answer that can be overturned; its accuracy under attack fails all the same."""
    texts, labels = _texts(100)
    firm = scorer(lambda text: [0.2, 0.8])
    data = predictions(labels, examples(labels, texts=texts))
    assert judge(adversarial(firm, data), Gate(max=0.2))[0] is Verdict.PASS
    assert judge(accuracy_under_attack(firm, data), Gate(min=0.7))[0] is Verdict.FAIL
