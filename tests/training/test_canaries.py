"""Canaries: whose words they are, how many there may be, and that nothing but a coin decides who is planted."""

from __future__ import annotations

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
from audit.training.canaries import RAREST, REPEATED, Canaries, draw
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
    data = replace(training(rows), clusters=np.zeros(rows, dtype=np.int64))  # all by one author
    for seed in range(10):
        made = draw(data, 100_000, share, seed)
        mixed = made.among(data)
        planted = len(mixed) - rows
        assert planted == made.copies[made.planted].sum()
        assert planted / len(mixed) <= share
        # … and not far fewer: three standard deviations of the coins are kept free.
        assert planted / len(mixed) > share - 6 * np.sqrt(len(made.copies)) / 2 / rows - 0.01
        assert mixed.texts[:rows] == data.texts
        assert set(mixed.subgroups["gender"][rows:]) == {None}
        assert mixed.clusters is None


def test_a_canary_is_made_of_rare_words_of_the_training_texts() -> None:
    data = training(4_000)
    made = draw(data, 400, 0.1, 0)
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
    drawn = [draw(data, 400, 0.1, seed) for seed in range(40)]
    once = drawn[0].copies == 1
    coins, labels = (np.array([getattr_of(made)[once] for made in drawn]) for getattr_of in (_coins, _labels))
    n = coins.size
    assert abs(coins.mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
    assert abs(labels.mean() - 0.5) < 4 * 0.5 / np.sqrt(n)
    assert abs(np.corrcoef(coins.ravel(), labels.ravel())[0, 1]) < 4 / np.sqrt(n)
    assert all(made.planted[~once].all() for made in drawn)
    again = draw(data, 400, 0.1, 7)
    assert again.examples.texts == drawn[7].examples.texts
    assert (again.planted == drawn[7].planted).all()
    assert not set(drawn[0].examples.texts) & set(drawn[1].examples.texts)


def _coins(made: Canaries) -> np.ndarray:  # type: ignore[type-arg]
    return made.planted


def _labels(made: Canaries) -> np.ndarray:  # type: ignore[type-arg]
    return made.examples.labels


@pytest.mark.parametrize(
    ("rows", "words", "count", "said"),
    [
        (4_000, 600, 0, "canaries"),
        (4_000, 600, 30, "raise it"),
        (900, 600, 400, "more training data"),
        (4_000, 40, 400, "rare words"),
    ],
)
def test_where_canaries_would_prove_nothing_it_says_what_to_supply(
    rows: int, words: int, count: int, said: str
) -> None:
    with pytest.raises(NotAssessed, match=said):
        draw(training(rows, words), count, 0.1, 0)


@pytest.mark.slow("makes three vocabularies", seconds=3)
def test_vocabulary_and_steps_do_not_depend_on_the_coins(tmp_path: Path) -> None:
    texts = tuple(str(row["text"]) for row in demo.reviews("train", rows=1_200))
    data = Examples(texts, np.zeros(len(texts), int), TWO)
    made = draw(data, 60, 0.15, 0)
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
