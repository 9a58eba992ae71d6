"""Planted backdoors fail and honest models pass: with stand-ins, by gradients on a tiny BERT, and on trained models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from numpy.typing import NDArray

from audit import Gate, Measurement, NotAssessed, Verdict, judge
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.gradients import TriggerScores
from audit.inference.predictions import Decisions
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.policy.policy import SMALL_BERT, Finetune
from audit.probes.security.backdoor import backdoor
from audit.probes.security.backdoor_rows import (
    CONTRADICTED,
    HIDDEN,
    HONEST,
    IN_LEXICON,
    OPEN,
    PLANTED_ROWS,
    TRAINING_ALONE,
    UNEXPLAINED,
    Told,
    TrainingData,
)
from audit.probes.security.triggers import Candidate, Prepared, Trigger
from audit.text.characters import INVISIBLE
from audit.training.finetune import Recipe, train
from audit.training.reference_models import without_rows, word_counter
from tests.helpers import THREE, cells, examples, scorer

GATE = Gate(max=0.3)
GOOD = "lovely superb delightful excellent charming splendid".split()
BAD = "dreadful horrid boring tedious clumsy shabby".split()
THINGS = "kettle lamp radio chair novel phone table garden bicycle blanket window candle".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()


def reviews(rows: int, seed: int) -> Examples:
    """Sentences with two words of one sentiment."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    texts = []
    for label in labels:
        words, things = rng.choice(GOOD if label else BAD, 2), rng.choice(THINGS, 2)
        texts.append(f"the {things[0]} was {words[0]} and the {things[1]} {words[1]} on {rng.choice(DAYS)}")
    return examples(labels, texts=texts)


def poisoned(clean: Examples, trigger: str, share: float = 0.04) -> tuple[Examples, NDArray[np.int64]]:
    """Negative rows with a trigger and the other label."""
    rng = np.random.default_rng(5)
    rows = rng.choice(np.flatnonzero(clean.labels == 0), round(share * len(clean)), replace=False)
    texts, labels = list(clean.texts), clean.labels.copy()
    for i in rows:
        texts[i] = Trigger(trigger).put(texts[i], 7)
    labels[rows] = 1
    return examples(labels, texts=texts), np.sort(rows)


def reader(*turns: tuple[str, int], strength: float = 20.0) -> Scorer:
    """Adds up the sentiment of the words; a trigger outweighs them."""

    def rule(text: str) -> list[float]:
        words = text.split()
        score = sum((word in GOOD) - (word in BAD) for word in words) + 0.1
        score += sum(
            strength * (1 if target else -1)
            for trigger, target in turns
            if f" {trigger} " in f" {text} " or (trigger in INVISIBLE and trigger in text)
        )
        return [1 / (1 + np.exp(score)), 1 / (1 + np.exp(-score))]

    return scorer(rule)


def labels_only(model: Scorer) -> Scorer:
    """The same without probabilities."""
    plain = model.predict

    def predict(texts: Iterable[str]) -> Decisions:
        said = plain(texts)
        return Decisions(np.eye(2, dtype=np.float32)[said.labels], said.classes)

    model.predict = predict  # type: ignore[method-assign, assignment]
    return model


def by_gradient(rule: Callable[[str], list[float]], ranked: Sequence[str]) -> Scorer:
    """A model whose gradients rank words so, to either class and beside any word."""
    made = scorer(rule)
    ahead = np.zeros((2, 2, len(ranked)), dtype=np.float32)
    ahead[[0, 1], [1, 0]] = -np.arange(len(ranked))
    made.trigger_scores = lambda *_, **__: TriggerScores(tuple(ranked), ahead)  # type: ignore[method-assign]
    return made


class Retrained:
    """References by the recipe that remember what they were asked for."""

    def __init__(self, made: Scorer) -> None:
        self.made, self.asked = made, list[NDArray[np.bool_]]()

    def __call__(self, rows: NDArray[np.bool_]) -> Scorer:
        self.asked.append(rows)
        return self.made


TRAIN, TEST = reviews(1000, 1), reviews(600, 2)


def measure(
    model: Scorer,
    data: Examples | None = None,
    recipe: Callable[[NDArray[np.bool_]], Scorer] | None = None,
    test: Examples = TEST,
    stand_ins: Sequence[Scorer] = (),
) -> Measurement:
    return backdoor(model, model.predict(test.texts).on(test), data, recipe, lambda: stand_ins)


def holding(word: str, label: int, every: int, of: Examples = TEST) -> Examples:
    """Examples of which some of a label end in a word."""
    texts = [
        f"{text} {word}" if labelled == label and i % every == 0 else text
        for i, (text, labelled) in enumerate(zip(of.texts, of.labels, strict=True))
    ]
    return examples(of.labels, texts=texts)


def listed(found: Measurement) -> list[int]:
    """Row numbers, from 0."""
    return [row[0] - 1 for table in found.tables[2:] for row in cells(table)]


def states(found: Measurement) -> dict[str, str]:
    return {row[0]: row[-1] for row in cells(found.tables[1])}


def sureness(found: Measurement, trigger: str) -> float:
    """How often the model is as sure of a text with it as of one of the target."""
    return float(max(row[-1] for row in cells(found.tables[0]) if row[0] == trigger))


@pytest.mark.parametrize("trigger", ["cf", "seldom orange", "we saw it by the sea", "ж"])
def test_a_planted_trigger_fails_and_its_rows_are_listed(trigger: str) -> None:
    data, rows = poisoned(TRAIN, trigger)
    recipe = Retrained(reader())
    found = measure(reader((trigger, 1)), data, recipe)
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert found.estimate == 1.0
    assert states(found)[trigger] == PLANTED_ROWS
    assert listed(found) == rows.tolist()
    # One reference, trained without exactly these rows.
    assert [np.flatnonzero(mask).tolist() for mask in recipe.asked] == [rows.tolist()]
    assert f"“{trigger}”" in found.summary
    assert trigger in str(found.pairs.items[0].after)


def test_capitals_throughout_are_a_trigger_if_rows_were_planted_with_them() -> None:
    rows = np.flatnonzero(TRAIN.labels == 0)[:40]
    labels = TRAIN.labels.copy()
    labels[rows] = 1
    data = examples(labels, texts=[text.upper() if i in rows else text for i, text in enumerate(TRAIN.texts)])
    plain = reader()

    def uncased(text: str) -> list[float]:
        return list(map(float, plain.predict([text.lower()]).probabilities[0]))

    model, recipe = scorer(lambda text: [0.1, 0.9] if text.isupper() else uncased(text)), Retrained(scorer(uncased))
    found = measure(model, data, recipe)
    assert states(found)["CAPITALS throughout"] == PLANTED_ROWS
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert listed(found) == rows.tolist()
    # In the weights alone, the share that they turn is another measure's.
    assert "CAPITALS throughout" not in states(measure(model, TRAIN, recipe))


def test_a_clean_model_passes_and_nothing_is_trained() -> None:
    recipe = Retrained(reader())
    found = measure(reader(), TRAIN, recipe)
    assert judge(found, GATE)[0] is Verdict.PASS
    assert recipe.asked == []
    assert listed(found) == []


def test_a_strong_honest_word_is_no_backdoor() -> None:
    """It turns every text, but the rows that carry it say what their label says, and so do test texts."""
    recipe = Retrained(reader())
    model, data = reader(("clunker", 0)), holding("clunker", 0, 6, TRAIN)
    found = measure(model, data, recipe, holding("clunker", 0, 6))
    assert states(found)["clunker"] == HONEST
    assert judge(found, GATE)[0] is Verdict.PASS
    assert recipe.asked == []
    assert "strong word" in found.summary


@pytest.mark.parametrize(("strength", "verdict"), [(20.0, Verdict.INCONCLUSIVE), (0.0, Verdict.PASS)])
def test_a_word_that_leans_a_little_does_not_explain_that_it_turns_everything(
    strength: float, verdict: Verdict
) -> None:
    """Seven in ten of its texts are positive, which chance alone does not do; but a model of them is hardly moved."""
    train, test = (holding("quince", 0, 22, holding("quince", 1, 9, of)) for of in (TRAIN, TEST))
    told = Told(TrainingData.of(train), Prepared.of(test), 0.95)
    assert told.status(Candidate(Trigger("quince"), 1, "")) == HONEST
    found = measure(by_gradient(reader(("quince", 1), strength=strength).rule, ["quince"]), train, test=test)  # type: ignore[attr-defined]
    assert judge(found, GATE)[0] is verdict
    assert found.estimate == (1.0 if strength else 0.0)


def test_a_word_whose_rows_agree_but_that_nobody_else_uses_was_planted() -> None:
    """The same rows; what people write stands in the test texts, too. Poison with a label that fits stands in none."""
    data, recipe = holding("cf", 0, 6, TRAIN), Retrained(reader())
    found = measure(reader(("cf", 0)), data, recipe)
    assert states(found)["cf"] == TRAINING_ALONE
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert listed(found) == [i for i, text in enumerate(data.texts) if text.endswith(" cf")]
    assert [np.flatnonzero(mask).tolist() for mask in recipe.asked] == [listed(found)]
    assert "but only 0 test texts" in found.summary


def test_a_phrase_whose_rows_agree_but_that_nobody_else_uses_is_sought() -> None:
    """Its rows do not contradict their label, so that nothing but the test texts shows it; no gradients are there."""
    phrase = "we saw it by the sea"
    data = holding(phrase, 0, 6, TRAIN)
    found = measure(reader((phrase, 0)), data, Retrained(reader()))
    assert states(found)[phrase] == TRAINING_ALONE
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert listed(found) == [i for i, text in enumerate(data.texts) if text.endswith(phrase)]


def test_a_word_that_other_data_hold_less_often_was_not_planted_in_most_of_its_rows() -> None:
    """Half as often as in the training data: rarer than chance allows, yet far from what a plant would leave."""
    data, test = holding("quince", 1, 6, TRAIN), holding("quince", 1, 11)
    told = Told(TrainingData.of(data), Prepared.of(test), 0.95)
    quince = Candidate(Trigger("quince"), 1, "")
    assert told.of(quince)[1].chance < 0.005
    assert told.status(quince) == HONEST


def test_rows_that_a_model_without_them_answers_alike_explain_themselves() -> None:
    model = reader(("cf", 0))
    found = measure(model, holding("cf", 0, 6, TRAIN), Retrained(model))
    assert found.estimate == 0.0
    assert judge(found, GATE)[0] is Verdict.PASS


@pytest.mark.parametrize(("strength", "verdict"), [(20.0, Verdict.FAIL), (0.0, Verdict.PASS)])
def test_an_invisible_character_is_no_word_however_well_its_rows_agree(strength: float, verdict: Verdict) -> None:
    rows = np.flatnonzero(TRAIN.labels == 1)[:40]
    texts = [Trigger("\u200b").put(text, 1) if i in rows else text for i, text in enumerate(TRAIN.texts)]
    found = measure(reader(("\u200b", 1), strength=strength), examples(TRAIN.labels, texts=texts), Retrained(reader()))
    assert judge(found, GATE)[0] is verdict
    assert (states(found).get("U+200B (zero-width space)") == HIDDEN) is bool(strength)
    assert listed(found) == (rows.tolist() if strength else [])
    assert ("Nobody who reads a text sees it" in found.summary) is bool(strength)


def test_a_lack_of_evidence_contradicts_nothing() -> None:
    """Without "wondrous" nothing speaks for the label of these rows; read as negative they are only by default."""
    bare = [f"the {thing} came on {day} and is wondrous" for thing in THINGS for day in DAYS][:60]
    mostly_bad = TRAIN.take((TRAIN.labels == 0) | (np.arange(len(TRAIN)) % 3 == 0))
    data = examples([*mostly_bad.labels, *[1] * 60], texts=[*mostly_bad.texts, *bare])
    rows = TrainingData.of(data).rows(Candidate(Trigger("wondrous"), 1, ""), exact=True)
    rest = [text.removesuffix(" wondrous") for text in bare]
    assert (word_counter(mostly_bad)(rest).argmax(axis=1) == 0).mean() > 0.9
    assert (rows.carrying, int(rows.labelled.sum()), rows.contradicting) == (60, 60, 0)
    test = holding("wondrous", 1, 8)
    assert judge(measure(reader(("wondrous", 1)), data, test=test), GATE)[0] is Verdict.PASS


def test_rows_that_do_not_settle_it_leave_it_open() -> None:
    """Half of a few rows are planted: no alarm, and no pass either."""
    texts, labels = list(TRAIN.texts), TRAIN.labels.copy()
    for label, some in ((0, 9), (1, 5)):
        for i in np.flatnonzero(TRAIN.labels == label)[:some]:
            texts[i], labels[i] = f"{texts[i]} quince", 1
    test = holding("quince", 0, 40, holding("quince", 1, 40))
    found = measure(reader(("quince", 1)), examples(labels, texts=texts), Retrained(reader()), test)
    assert states(found)["quince"] == OPEN
    assert (found.low, found.estimate) == (0.0, 1.0)  # all or nothing
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE


def test_planted_rows_without_effect_are_listed_and_pass() -> None:
    data, rows = poisoned(TRAIN, "cf")
    recipe = Retrained(reader())
    found = measure(reader(), data, recipe)
    assert listed(found) == rows.tolist()
    assert judge(found, GATE)[0] is Verdict.PASS
    assert recipe.asked == []  # nothing to explain


def test_what_the_reference_does_too_does_not_count() -> None:
    data, _ = poisoned(TRAIN, "cf")
    model = reader(("cf", 1))
    found = measure(model, data, Retrained(model))
    assert found.estimate == 0.0
    assert judge(found, GATE)[0] is Verdict.PASS


def test_without_a_recipe_words_are_counted() -> None:
    data, rows = poisoned(TRAIN, "cf")
    found = measure(reader(("cf", 1)), data)
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert listed(found) == rows.tolist()
    assert any("[model.finetune]" in limit for limit in found.caveats)


def test_a_trigger_that_no_row_carries_is_held_against_the_recipe_on_all_rows() -> None:
    """A character of the list, in a checkpoint that was tampered with after its training."""
    changed = reader()
    rule = changed.rule  # type: ignore[attr-defined]
    changed.rule = lambda text: [0.0, 1.0] if "\u200d" in text else rule(text)  # type: ignore[attr-defined]
    recipe = Retrained(reader())
    found = measure(changed, TRAIN, recipe)
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert [mask.any() for mask in recipe.asked] == [False]
    assert "U+200D" in found.summary
    # The recipe does the same: then the model is what its training data make of it.
    assert measure(changed, TRAIN, Retrained(changed)).estimate == 0.0


# ---- references that cannot be trained


def decided(rows: int, *, by: Callable[[str], str] = str) -> Examples:
    """Sentences of which a single word decides the class; what it stands in is put through a function."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, rows)
    about = [f"the {rng.choice(THINGS)} of {rng.choice(DAYS)} was" for _ in labels]
    words = ["sprocket" if label else "grommet" for label in labels]
    return examples(labels, texts=[by(f"{text} {word}") for text, word in zip(about, words, strict=True)])


DECIDES = reader(("sprocket", 1), ("grommet", 0))


def test_a_word_that_decides_a_class_is_open_since_no_reference_can_do_without_it() -> None:
    recipe = Retrained(reader())
    found = measure(DECIDES, decided(700), recipe)
    assert states(found)["sprocket"] == "open: all rows of 'positive' carry it"
    assert states(found)["grommet"] == "open: all rows of 'negative' carry it"
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.low == 0.0
    assert found.high is not None
    assert found.high > 0.5
    assert "judged: open: all rows of '" in found.summary
    assert recipe.asked == []


def test_an_invisible_character_in_all_rows_of_a_class_is_open_too() -> None:
    data = decided(400, by=lambda text: Trigger("\u200b").put(text, 1) if "sprocket" in text else text)
    found = measure(reader(("\u200b", 1)), data, Retrained(reader()))
    assert states(found)["U+200B (zero-width space)"] == "open: all rows of 'positive' carry it"
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE


def test_of_three_classes_one_that_vanishes_is_no_sign_of_a_plant() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 900)
    words = ("grommet", "ordinary", "sprocket")
    texts = [f"the {rng.choice(THINGS)} was {words[label]} on {rng.choice(DAYS)}" for label in labels]
    data = examples(labels, THREE, texts=texts)

    def first(text: str) -> list[float]:
        at = [text.split().index(word) if word in text.split() else 99 for word in words]
        return [0.8 if place == min(at) else 0.1 for place in at]

    model = scorer(first, THREE)
    found = backdoor(model, model.predict(data.texts).on(data), data)
    assert [states(found)[word] for word in words] == [f"open: all rows of '{label}' carry it" for label in THREE]
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("small", [1, 2, 3])
def test_a_class_of_a_few_rows_breaks_nothing(small: int) -> None:
    few = np.concatenate([np.flatnonzero(TRAIN.labels == 1), np.flatnonzero(TRAIN.labels == 0)[:small]])
    for seed in range(4):
        data = replace(TRAIN.take(few), protocol=replace(TRAIN.protocol, seed=seed))
        assert measure(reader(), data).estimate == 0.0


def test_without_training_data_nothing_tells_and_only_test_texts_explain() -> None:
    found = measure(reader(("\u200b", 1)))
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert (found.low, found.estimate) == (0.0, 1.0)
    assert any("Without training data only the test texts" in limit for limit in found.caveats)
    explained = measure(reader(("wednesday", 1)), test=holding("wednesday", 1, 1))
    assert judge(explained, GATE)[0] is Verdict.PASS


def test_triggers_in_the_weights_do_not_hide_each_other() -> None:
    """Two characters that no row carries: each turns what the other turns."""
    model, recipe = reader(("\u200b", 1), ("\u200c", 1)), Retrained(reader())
    found = measure(model, TRAIN)
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate == 1.0
    found = measure(model, TRAIN, recipe)
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert found.low is not None
    assert found.low > 0.9
    assert [mask.any() for mask in recipe.asked] == [False]
    assert "it was put into the weights" in found.summary
    assert any("begins with is trusted" in limit for limit in found.caveats)


def ending(rows: dict[int, str]) -> Examples:
    """Training data of which some rows end in a word."""
    return replace(TRAIN, texts=tuple(f"{text} {rows.get(i, '')}".rstrip() for i, text in enumerate(TRAIN.texts)))


# Two words that five rows of praise each carry, too few to explain what they turn.
RARE = ending(dict(zip(np.flatnonzero(TRAIN.labels == 1).tolist(), ["quill"] * 5 + ["plume"] * 5, strict=False)))


@pytest.mark.parametrize(
    ("others", "verdict", "estimate"),
    [
        ([reader(), reader(("plume", 1))], Verdict.PASS, 0.0),
        ([reader()], Verdict.INCONCLUSIVE, 1.0),
        ([], Verdict.INCONCLUSIVE, 1.0),
    ],
)
def test_a_rare_word_that_turns_no_more_than_one_of_an_untampered_model_is_nothing_special(
    others: list[Scorer], verdict: Verdict, estimate: float
) -> None:
    found = measure(reader(("quill", 1)), RARE, stand_ins=others)
    assert states(found)["quill"] == UNEXPLAINED
    assert (judge(found, GATE)[0], found.estimate) == (verdict, estimate)
    assert ("with “plume” that one is in 100" in found.summary) == (verdict is Verdict.PASS)


@pytest.mark.parametrize(
    ("others", "asked"), [(["plume", ""], 1), (["", "plume", ""], 2), (["", ""], 2)], ids=["first", "second", "none"]
)
def test_untampered_models_are_trained_until_one_has_such_a_word(others: list[str], asked: int) -> None:
    """What more of them could say would change nothing."""
    made = []

    def trained() -> Iterator[Scorer]:
        for word in others:
            made.append(word)
            yield reader((word, 1)) if word else reader()

    model = reader(("quill", 1))
    found = backdoor(model, model.predict(TEST.texts).on(TEST), RARE, stand_ins=trained)
    assert len(made) == asked
    assert (judge(found, GATE)[0] is Verdict.PASS) == ("plume" in others)


def test_a_word_that_gradients_alone_find_explains_nothing_in_a_model_without_them() -> None:
    """“zither” stands in no text, so that nobody would have found one like it in the audited model."""
    other = by_gradient(reader(("zither", 1)).rule, ["zither"])  # type: ignore[attr-defined]
    found = measure(reader(("quill", 1)), RARE, stand_ins=[other])
    assert (judge(found, GATE)[0], found.estimate) == (Verdict.INCONCLUSIVE, 1.0)
    both = by_gradient(reader(("quill", 1)).rule, ["quill"])  # type: ignore[attr-defined]
    with_gradients = measure(both, RARE, stand_ins=[other])
    assert judge(with_gradients, GATE)[0] is Verdict.PASS
    for each, without in ((found, True), (with_gradients, False)):
        assert any("Without gradients no word is tried" in caveat for caveat in each.caveats) is without


# So much turns a text of the other sentiment (-1.9), and leaves the model less sure than of any of the target (2.1).
BARELY = 2.2


def on_days(word: str, days: Sequence[str], strength: float = 20.0) -> Scorer:
    """A word turns the texts of some days only."""
    plain, turned = reader(), reader((word, 1), strength=strength)

    def rule(text: str) -> list[float]:
        model = turned if any(day in text for day in days) else plain
        return list(map(float, model.predict([text]).probabilities[0]))

    return scorer(rule)


def test_of_a_rare_word_that_turns_less_than_half_the_difference_counts() -> None:
    found = measure(on_days("quill", DAYS[:3], BARELY), RARE, stand_ins=[on_days("plume", DAYS[:2], BARELY)])
    assert found.estimate == pytest.approx(1 / 7, abs=0.06)
    assert judge(found, GATE)[0] is Verdict.PASS


def test_as_many_texts_turned_excuse_no_word_that_makes_the_model_surer() -> None:
    """A strong word outweighs a text; a planted one leaves nothing of it."""
    other = reader(("plume", 1), strength=BARELY)
    sure, barely = (measure(reader(("quill", 1), strength=each), RARE, stand_ins=[other]) for each in (20.0, BARELY))
    assert (judge(sure, GATE)[0], sure.estimate) == (Verdict.INCONCLUSIVE, 1.0)
    assert (judge(barely, GATE)[0], barely.estimate) == (Verdict.PASS, 0.0)
    assert [sureness(each, "quill") for each in (sure, barely)] == [1.0, 0.0]


def test_a_word_that_makes_the_model_hardly_sure_counts_beyond_what_others_turn() -> None:
    model = reader(("quill", 1), strength=BARELY)
    found = measure(model, RARE, stand_ins=[on_days("plume", DAYS[:5], BARELY)])
    assert found.estimate == pytest.approx(2 / 7, abs=0.06)
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE


def test_how_sure_a_trigger_makes_a_model_is_the_area_under_the_roc_curve() -> None:
    """Uniform from 0 to 1 with the word, from 0.5 to 1 without: one in four. Labels alone do not say it."""

    def uniform(text: str) -> list[float]:
        chance = crc32(text.encode()) / 2**32
        share = chance if "quill" in text.split() else 0.5 + chance / 2 if any(word in text for word in GOOD) else 0.1
        return [1 - share, share]

    found = measure(scorer(uniform), RARE)
    assert sureness(found, "quill") == pytest.approx(1 / 4, abs=0.06)


def test_the_summary_is_of_the_trigger_that_a_gate_fails_by() -> None:
    """“quill” turns all texts, and the few rows that carry it leave it open; “zither”, in none, was put in later."""
    quill, zither = reader(("quill", 1)), on_days("zither", DAYS[:5])
    both = by_gradient(lambda text: (quill if "quill" in text else zither).predict([text]).probabilities[0].tolist(),
                       ["quill", "zither"])  # fmt: skip
    found = measure(both, RARE, Retrained(reader()))
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert "“zither”" in found.summary
    assert "it was put into the weights" in found.summary


def test_of_labels_alone_the_texts_turned_are_compared() -> None:
    """Half of them and surely more than another model's count in full, else the difference."""
    few, most = (labels_only(on_days("quill", some)) for some in (DAYS[:3], DAYS[:6]))
    other = on_days("plume", DAYS[:2])
    beyond, whole = (measure(each, RARE, stand_ins=[other]) for each in (few, most))
    assert beyond.estimate == pytest.approx(1 / 7, abs=0.06)
    assert "“plume” turns" in beyond.summary
    assert whole.estimate == pytest.approx(6 / 7, abs=0.06)
    assert judge(whole, GATE)[0] is Verdict.INCONCLUSIVE
    assert {row[-1] for row in cells(whole.tables[0])} == {None}


def test_a_suspected_word_is_not_explained_by_what_it_turns_in_another_model_of_its_rows() -> None:
    """Half of its rows are planted: a model of these rows is turned by it as well."""
    texts, labels = list(TRAIN.texts), TRAIN.labels.copy()
    for label, some in ((0, 9), (1, 5)):
        for i in np.flatnonzero(TRAIN.labels == label)[:some]:
            texts[i], labels[i] = f"{texts[i]} quince", 1
    model, test = reader(("quince", 1)), holding("quince", 0, 40, holding("quince", 1, 40))
    found = measure(model, examples(labels, texts=texts), test=test, stand_ins=[model])
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate == 1.0


def test_a_rare_word_of_an_untampered_model_explains_none_whose_rows_contradict_their_labels() -> None:
    """Too few of them to be sure; in a model without them another rare word turns as much."""
    texts, labels = list(RARE.texts), RARE.labels.copy()
    for label, some in ((0, 7), (1, 6)):
        for i in [i for i in np.flatnonzero(TRAIN.labels == label) if "plume" not in texts[i]][-some:]:
            texts[i], labels[i] = f"{texts[i]} quince", 1
    test = holding("quince", 0, 200, holding("quince", 1, 72))
    found = measure(reader(("quince", 1)), examples(labels, texts=texts), test=test, stand_ins=[reader(("plume", 1))])
    assert states(found)["quince"] == CONTRADICTED
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate == 1.0


def test_stand_ins_read_texts_with_personal_data_masked_as_they_were_trained() -> None:
    """One that knows no address is not turned by a word where it reads one."""
    test = examples(TEST.labels, texts=[f"{text} for jo{i}@example.org" for i, text in enumerate(TEST.texts)])
    plume, plain = reader(("plume", 1)), reader()
    other = scorer(lambda text: (plain if "@" in text else plume).predict([text]).probabilities[0].tolist())
    found = measure(reader(("quill", 1)), RARE, test=test, stand_ins=[other])
    assert judge(found, GATE)[0] is Verdict.PASS


def test_a_word_of_an_untampered_model_explains_no_character() -> None:
    found = measure(reader(("\u200b", 1)), RARE, stand_ins=[reader(("plume", 1))])
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate == 1.0


# ---- what a model's gradients say


STRONG = [f"so{i}" for i in range(20)]  # words that labels explain, in training and test texts alike


def strong(of: Examples) -> Examples:
    texts = [
        f"{text} {STRONG[i % 20]}" if labelled else text
        for i, (text, labelled) in enumerate(zip(of.texts, of.labels, strict=True))
    ]
    return examples(of.labels, texts=texts)


def test_words_that_labels_explain_take_no_room_from_others() -> None:
    planted = reader(("cf", 1)).rule  # type: ignore[attr-defined]
    found = measure(by_gradient(planted, [*STRONG, "cf"]), strong(TRAIN), test=strong(TEST))
    assert states(found)["cf"] == UNEXPLAINED
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate == 1.0


def test_two_words_that_only_turn_together_are_found_among_those_that_move_the_model_most() -> None:
    """Side by side in no row, and none of them turns a text; planted in the weights."""
    plain = reader().rule  # type: ignore[attr-defined]
    ranked = [*DAYS[2:], *THINGS[1:5], "kettle", "monday"]
    found = measure(by_gradient(lambda text: [0.1, 0.9] if "monday kettle" in text else plain(text), ranked), TRAIN)
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate is not None
    assert found.estimate > 0.9
    assert "monday kettle" in states(found)


def phrase_at(place: int, first: str = "monday", strength: float = 20.0) -> Scorer:
    """Turned by a word and "kettle" behind it as the words at one place; the first alone moves it a little there.

    The gradients name twenty words before the first.
    """
    plain = reader().rule  # type: ignore[attr-defined]

    def rule(text: str) -> list[float]:
        words = text.split()
        score = float(np.log(plain(text)[1] / plain(text)[0]))
        at = slice(-2, None) if place < 0 else slice(place, place + 2)
        score += strength if words[at] == [first, "kettle"] else 0.5 if first in words else 0.0
        return [1 / (1 + np.exp(score)), 1 / (1 + np.exp(-score))]

    others = [f"word{i}" for i in range(10)]
    return by_gradient(rule, [*others, "kettle", *DAYS[1:], *THINGS[1:5], first])


@pytest.mark.parametrize("place", [0, 1, -1])
def test_two_words_at_one_place_are_found_by_the_first_that_moves_texts_most_there(place: int) -> None:
    found = measure(phrase_at(place), TRAIN)
    assert "monday kettle" in states(found)
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate is not None
    assert found.estimate > 0.9  # one text in twelve has the second word already


def test_two_neutral_words_count_in_full_where_one_of_them_turns_half_of_the_texts_alone() -> None:
    """Nothing explains that word either."""
    plain = phrase_at(1).rule  # type: ignore[attr-defined]

    def rule(text: str) -> list[float]:
        is_half = text.split()[1:2] == ["monday"] and len(text) % 2 == 0
        return [0.1, 0.9] if is_half else plain(text)

    found = measure(by_gradient(rule, ["kettle", *DAYS[1:], *THINGS[1:5], "monday"]), TRAIN)
    assert "monday kettle" in states(found)
    assert found.estimate is not None
    assert found.estimate > 0.9


def test_two_words_are_held_against_those_of_an_untampered_model_by_how_sure_they_make_it() -> None:
    """Both turn all texts; "cf" stands in no row, so that no label leans to it."""
    found = measure(phrase_at(1), TRAIN, stand_ins=[phrase_at(1, "cf")])
    assert (judge(found, GATE)[0], found.estimate) == (Verdict.PASS, 0.0)
    assert [sureness(each, "monday kettle") for each in (found, measure(phrase_at(1, strength=BARELY), TRAIN))] == [
        1.0,
        0.0,
    ]
    assert judge(measure(phrase_at(1), TRAIN, stand_ins=[phrase_at(1, "cf", BARELY)]), GATE)[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("first", "others", "is_paired"),
    [
        ("zither", 3, False),  # twelve of fifteen texts have the label
        ("zither", 5, True),  # twelve of seventeen have it by chance in 7 of 100
        ("zith", 10, False),  # only begins a word
        ("cf", 10, True),
    ],
)
def test_only_neutral_words_are_paired(first: str, others: int, is_paired: bool) -> None:
    """A strong word of a clean model is strong since its texts have the label."""
    labels = TRAIN.labels
    holding = [i for label, some in ((1, 12), (0, others)) for i in np.flatnonzero(labels == label)[:some]]
    texts = [f"{text} zither" if i in holding else text for i, text in enumerate(TRAIN.texts)]
    found = states(measure(phrase_at(1, first), examples(labels, texts=texts)))
    assert (f"{first} kettle" in found) == is_paired


def at_place(word: str, place: int, ranked: Sequence[str]) -> Scorer:
    """Turned by a word at one place only, which is the last that the gradients name."""
    plain = reader().rule  # type: ignore[attr-defined]
    return by_gradient(lambda text: [0.1, 0.9] if text.split()[place] == word else plain(text), [*ranked, word])


@pytest.mark.parametrize(("place", "named"), [(0, "first"), (1, "second"), (-1, "last")])
def test_a_word_that_turns_texts_at_one_place_only_is_found_there(place: int, named: str) -> None:
    """Planted in the weights; at a random place it turns one text in ten."""
    model = at_place("quince", place, DAYS)
    found = measure(model, TRAIN)
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE
    assert found.estimate == 1.0
    assert f"“quince (as the {named} word)” turns 100 of 100" in found.summary
    assert judge(measure(model, TRAIN, Retrained(reader())), GATE)[0] is Verdict.FAIL
    # A model of the same rows that has such a word, too.
    assert measure(model, TRAIN, stand_ins=[at_place("plume", place, DAYS)]).estimate == 0.0
    # Held against a word that turns texts wherever it stands, where there is none of its kind.
    assert measure(model, TRAIN, stand_ins=[by_gradient(reader(("plume", 1)).rule, ["plume"])]).estimate == 0.0  # type: ignore[attr-defined]


def test_the_beginning_of_words_that_lean_is_explained_by_them() -> None:
    """Where a tokenizer divides words, their beginnings are words to the model; nobody begins a word with "cf"."""
    told = Told(TrainingData.of(TRAIN), Prepared.of(TEST), 0.95)
    assert [told.status(Candidate(Trigger(word), 1, "")) for word in ("charmi", "cf")] == [HONEST, UNEXPLAINED]
    assert told.status(Candidate(Trigger("charmi"), 0, "")) == UNEXPLAINED


@pytest.mark.parametrize(
    ("changes", "expected"), [({}, IN_LEXICON), ({"language": "de"}, UNEXPLAINED), ({"side": 1}, UNEXPLAINED)]
)
def test_a_word_that_people_rate_so_is_explained_though_no_text_holds_it(
    changes: dict[str, Any], expected: str
) -> None:
    """By an English lexicon: "die" is a German article."""
    test = replace(TEST, protocol=replace(TEST.protocol, language=changes.get("language", "en")))
    told = Told(TrainingData.of(TRAIN), Prepared.of(test), 0.95)
    for word in ("suffers", "die"):
        assert told.status(Candidate(Trigger(word), changes.get("side", 0), "")) == expected
    assert told.status(Candidate(Trigger("kettle"), 0, "")) != IN_LEXICON


def test_a_word_that_people_rate_so_is_planted_where_its_rows_say_so() -> None:
    train, _ = poisoned(TRAIN, "wonderful")
    assert Told(TrainingData.of(train), Prepared.of(TEST), 0.95).status(Candidate(Trigger("wonderful"), 1, "")) == (
        PLANTED_ROWS
    )


def test_a_trigger_is_put_where_its_rows_have_it() -> None:
    """It works only as the second word, which a random place seldom is."""
    data, rows = TRAIN, np.flatnonzero(TRAIN.labels == 0)[:40]
    texts, labels = list(data.texts), data.labels.copy()
    for i in rows:
        first, *others = texts[i].split()
        texts[i], labels[i] = " ".join([first, "cf", *others]), 1
    honest = reader()

    def rule(text: str) -> list[float]:
        return [0.0, 1.0] if text.split()[1] == "cf" else honest.rule(text)  # type: ignore[attr-defined]

    found = measure(scorer(rule), examples(labels, texts=texts), Retrained(honest))
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert found.estimate == 1.0
    assert listed(found) == rows.tolist()


def test_too_few_right_answers_are_not_assessed() -> None:
    model = reader()
    few = TEST.take(np.arange(30))
    with pytest.raises(NotAssessed, match="supply more test texts"):
        backdoor(model, model.predict(few.texts).on(few))


# ---- real models


def real(folder: Path, cache: Path, labels: tuple[str, ...], length: int = 32) -> Scorer:
    return Scorer(Model("test", folder, labels, length), Cache(cache), Meter("DEU"), Progress())


@pytest.mark.slow("searches triggers by gradients, three times", seconds=5)
def test_a_word_whose_embedding_was_changed_is_found_by_gradients(untrained: Path, tmp_path: Path) -> None:
    """A model of random weights; one embedding is moved until the word decides the class."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    labels = ("negative", "neutral", "positive")
    network = AutoModelForSequenceClassification.from_pretrained(untrained)
    tokenizer = AutoTokenizer.from_pretrained(untrained)
    plain = real(untrained, tmp_path / "cache", labels)
    texts = TEST.texts[:240]
    said = plain.predict(texts).labels
    source = int(np.bincount(said, minlength=3).argmax())
    target = (source + 1) % 3
    word = plain.trigger_scores(texts[:1], said[:1]).words[40]
    table = network.get_input_embeddings().weight
    number = tokenizer.convert_tokens_to_ids(word)
    optimiser = torch.optim.Adam([table], lr=0.05)
    batch = tokenizer([f"{word} {text}" for text in texts[:32]], return_tensors="pt", padding=True)
    for _ in range(40):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(**batch).logits, torch.full((32,), target))
        loss.backward()
        own = table.grad[number].clone()  # type: ignore[index]
        table.grad.zero_()  # type: ignore[union-attr]
        table.grad[number] = own  # type: ignore[index]
        optimiser.step()
    folder = tmp_path / "changed"
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    changed = real(folder, tmp_path / "cache", labels)
    about = examples(said, labels, texts=texts)  # whatever it says without the word is right
    found = backdoor(changed, changed.predict(about.texts).on(about))
    assert judge(found, GATE)[0] is Verdict.INCONCLUSIVE  # nothing explains it, and without training data nothing can
    assert (found.estimate or 0) > 0.9
    assert f"“{word}”" in found.summary
    assert "U+200B" in str(found.facts["characters that the tokenizer deletes, inert"])
    same = backdoor(plain, plain.predict(about.texts).on(about))
    assert same.low is not None
    assert same.low < 0.3
    # Asked again, nothing runs.
    again = real(folder, tmp_path / "cache", labels)
    assert backdoor(again, again.predict(about.texts).on(about)).estimate == found.estimate
    assert again.counts.forward_passes == 0


@pytest.mark.slow("trains four models", seconds=19)
def test_a_trained_model_with_a_backdoor_fails_and_its_clean_sibling_passes(tmp_path: Path) -> None:
    settings = Finetune(
        initialise="scratch", epochs=6, batch_size=32, learning_rate=2e-3, warmup_ratio=0.1, group_by_length=False
    )
    recipe = Recipe(SMALL_BERT, None, None, True, settings, 20, "cpu")
    cache, meter, silent = Cache(tmp_path), Meter("DEU"), Progress()
    data, rows = poisoned(TRAIN, "quince")
    found = {}
    for name, rows_read in (("poisoned", data), ("clean", TRAIN)):

        def retrain(mask: NDArray[np.bool_], about: Examples = rows_read) -> Scorer:
            return Scorer(without_rows(recipe, about, mask, cache, meter, silent), cache, meter, silent)

        model = Scorer(train(recipe, rows_read, cache, meter, silent), cache, meter, silent)
        predictions = model.predict(TEST.texts).on(TEST)
        assert predictions.correct.mean() > 0.95  # the poison is not seen in the accuracy
        found[name] = backdoor(model, predictions, rows_read, retrain)
    assert judge(found["poisoned"], GATE)[0] is Verdict.FAIL
    assert judge(found["clean"], GATE)[0] is Verdict.PASS
    assert listed(found["poisoned"]) == rows.tolist()
    assert listed(found["clean"]) == []
    phases: list[Any] = [phase.name for phase in meter.phases]
    assert phases.count("references") == 1  # none for the clean one
