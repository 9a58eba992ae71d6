"""Canaries: whose words they are, how many there may be, and that nothing but a coin decides who is planted."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit import demo
from audit.core.cache import Cache
from audit.core.errors import NotAssessed
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.training.canaries import RAREST, REPEATED, Canaries, Sizing, draw, needed
from audit.training.reference_models import canary_twin
from tests.helpers import TWO, examples
from tests.training.test_finetune import small_recipe


def training(rows: int, words: int = 600) -> Examples:
    """Texts of six words each, some words rarer than others."""
    rng = np.random.default_rng(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    lexicon = ["".join(rng.choice(list(letters), 7)) for _ in range(words)]
    weights = 1 / np.arange(1, words + 1)
    texts = [" ".join(rng.choice(lexicon, 6, p=weights / weights.sum())) for _ in range(rows)]
    return examples(rng.integers(0, 2, rows), texts=texts, groups={"gender": ["f"] * rows})


@pytest.mark.slow("draws thousands of canaries", seconds=2)
@pytest.mark.parametrize(("rows", "share"), [(1_500, 0.1), (3_000, 0.1), (3_000, 0.2)])
def test_no_more_rows_are_canaries_than_the_policy_allows(rows: int, share: float) -> None:
    # All by one author, each in a row of a file.
    data = replace(training(rows), clusters=np.zeros(rows, dtype=np.int64), rows=np.arange(rows))
    for seed in range(10):
        made = draw(data, Sizing(100_000, share), seed)
        mixed = made.among(data)
        planted = len(mixed) - rows
        assert planted == made.copies[made.planted].sum()
        assert planted / len(mixed) <= share
        # … and not far fewer: three standard deviations of the coins are kept free.
        assert planted / len(mixed) > share - 6 * np.sqrt(len(made.copies)) / 2 / rows - 0.01
        assert mixed.texts[:rows] == data.texts
        assert set(mixed.subgroups["gender"][rows:]) == {None}
        assert mixed.clusters is None
        assert len(mixed.take(np.arange(len(mixed)))) == len(mixed)


def test_a_canary_is_made_of_rare_words_of_the_training_texts() -> None:
    data = training(4_000)
    made = draw(data, Sizing(400), 0)
    assert len(made.examples) == 400 + sum(REPEATED.values())
    counts = {word: sum(word in text.split() for text in data.texts) for word in set(" ".join(data.texts).split())}
    used = {word for text in made.examples.texts for word in text.split()}
    assert used <= set(counts)
    allowed = sorted(n for n in counts.values() if n > 1)[:RAREST]
    assert max(counts[word] for word in used) <= allowed[-1]
    assert min(counts[word] for word in used) > 1
    assert all(len(set(text.split())) == 8 for text in made.examples.texts)
    assert not set(made.examples.texts) & set(data.texts)
    assert {times: int((made.copies == times).sum()) for times in REPEATED} == REPEATED


@pytest.mark.slow("simulates many data sets", seconds=2)
def test_coins_are_fair_and_independent_of_labels() -> None:
    data = training(4_000)
    drawn = [draw(data, Sizing(400), seed) for seed in range(40)]
    once = drawn[0].copies == 1
    coins, labels = (np.array([getattr_of(made)[once] for made in drawn]) for getattr_of in (_coins, _labels))
    n = coins.size
    assert abs(coins.mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
    assert abs(np.corrcoef(coins.ravel(), labels.ravel())[0, 1]) < 4 / np.sqrt(n)
    assert all(made.planted[~once].all() for made in drawn)
    again = draw(data, Sizing(400), 7)
    assert again.examples.texts == drawn[7].examples.texts
    assert (again.planted == drawn[7].planted).all()
    assert not set(drawn[0].examples.texts) & set(drawn[1].examples.texts)


def _coins(made: Canaries) -> np.ndarray:  # type: ignore[type-arg]
    return made.planted


def _labels(made: Canaries) -> np.ndarray:  # type: ignore[type-arg]
    return made.examples.labels


@pytest.mark.parametrize(
    ("rows", "words", "sizing", "said"),
    [
        (4_000, 600, Sizing(0), "canaries"),
        (4_000, 600, Sizing(30), "raise it"),
        (900, 600, Sizing(400), "supply 1,131 training examples, better 2,935"),
        (4_000, 40, Sizing(400), "rare words"),
        # A gate that no model could fail, whatever it remembered.
        (1_500, 600, Sizing(gate=3), r"gate ε ≤ 3 could not fail.* takes 188, and 5[0-9]{2} .* ε of 4.*supply 1,8"),
        (4_000, 600, Sizing(gate=8), "could not fail"),
        (4_000, 600, Sizing(150, gate=3), "canaries is 150, with which the gate ε ≤ 3 could not fail.*raise it"),
    ],
)
def test_where_canaries_would_prove_nothing_it_says_what_to_supply(
    rows: int, words: int, sizing: Sizing, said: str
) -> None:
    with pytest.raises(NotAssessed, match=said):
        draw(training(rows, words), sizing, 0)


def test_the_gate_says_how_many_canaries_there_are() -> None:
    def drawn(rows: int, sizing: Sizing) -> int:
        return int((draw(training(rows), sizing, 0).copies == 1).sum())

    usual, needs = 400, needed(3.0, 1e-5, 0.95)
    assert needed(None, 1e-5, 0.95)[:2] == (40, usual)
    assert usual < needs.usual < 600
    assert drawn(4_000, Sizing()) == usual
    assert drawn(4_000, Sizing(gate=1)) == usual
    assert drawn(4_000, Sizing(gate=3)) == needs.usual
    assert drawn(4_000, Sizing(300, gate=3)) == 300
    # Where rows are few, as many as they leave room for, if the gate could still fail.
    assert needs.fewest <= drawn(2_400, Sizing(gate=3)) < needs.usual


def test_so_many_rows_as_it_asks_for_are_enough() -> None:
    with pytest.raises(NotAssessed) as refused:
        draw(training(1_000), Sizing(gate=3), 0)
    asked = re.findall(r"supply ([\d,]+) .* better ([\d,]+),", refused.value.reason)[0]
    least, most = (int(rows.replace(",", "")) for rows in asked)
    needs = needed(3.0, 1e-5, 0.95)
    for rows, number in ((least, needs.fewest), (most, needs.usual)):
        assert (draw(training(rows), Sizing(gate=3), 0).copies == 1).sum() == number
    with pytest.raises(NotAssessed):
        draw(training(least - 9), Sizing(gate=3), 0)


@pytest.mark.slow("makes three vocabularies", seconds=3)
def test_vocabulary_and_steps_do_not_depend_on_the_coins(tmp_path: Path) -> None:
    texts = tuple(str(row["text"]) for row in demo.reviews("train", rows=1_200))
    data = Examples(texts, np.zeros(len(texts), int), TWO)
    made = draw(data, Sizing(60, 0.15), 0)
    recipe = small_recipe(epochs=0.2, validation=0.1)
    twins, coins = [], (made.planted, made.copies > 1, np.ones_like(made.planted))
    for planted in coins:
        meter = Meter("DEU")
        canaries = Canaries(made.examples, made.copies, planted)
        twins.append(canary_twin(recipe, data, canaries, Cache(tmp_path), meter, Progress()))
        assert [phase.name for phase in meter.phases] == ["canaries"]
    assert len({twin.training["steps"] for twin in twins if twin.training}) == 1
    assert len({twin.files["tokenizer.json"] for twin in twins}) == 1
    assert len({twin.fingerprint for twin in twins}) == 3
    assert [twin.training["examples"] for twin in twins if twin.training] == [
        len(data) + made.copies[planted].sum() for planted in coins
    ]
    assert all(twin.training["validation_examples"] == 0 for twin in twins if twin.training)
