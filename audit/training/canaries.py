"""Canaries: made-up examples that a coin puts into the training data of a twin, so that memory of them can be counted.

Their texts are secrets of one audit. They are made again from its seed and written nowhere.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.scorer import Scorer

# A canary is so many of the rarest words: their embeddings belong to hardly anybody else.
WORDS, RAREST = 8, 2_000
# Canaries that are planted several times, by the number of copies; they serve only to show what repetition does.
REPEATED = {4: 8, 16: 4}
# Fewer prove too little: were all guesses right, the bound on ε would still be only about 1.5.
FEWEST = 40


@dataclass(frozen=True)
class Canaries:
    """Made-up examples and how often each was planted.

    Parameters
    ----------
    examples : Examples
        One row for each of n canaries: rare words in random order, and a random label.
    copies : ndarray of int, shape (n,)
        How often it is planted, if it is planted.
    planted : ndarray of bool, shape (n,)
        Of those with one copy an independent fair coin decides; the others are planted all.
    """

    examples: Examples
    copies: NDArray[np.int64]
    planted: NDArray[np.bool_]

    @property
    def expected_rows(self) -> int:
        """Planted rows that the coins give on average, known before they are tossed."""
        return int(np.where(self.copies > 1, self.copies, 0.5).sum())

    def among(self, training: Examples) -> Examples:
        """The training data with the planted canaries behind them."""
        rows = np.repeat(np.flatnonzero(self.planted), self.copies[self.planted])
        chosen = self.examples.take(rows)
        # A canary has no author.
        nobody = {name: np.full(len(rows), None, dtype=object) for name in training.subgroups}
        return replace(
            training,
            texts=training.texts + chosen.texts,
            labels=np.concatenate([training.labels, chosen.labels]),
            subgroups={name: np.concatenate([column, nobody[name]]) for name, column in training.subgroups.items()},
            clusters=None,  # a training takes no notice of them
        )


class CanaryTwin(NamedTuple):
    """A model by the audited recipe whose training data held canaries.

    Parameters
    ----------
    canaries : Canaries
    scorer : Scorer
        Runs it.
    """

    canaries: Canaries
    scorer: Scorer


def draw(training: Examples, count: int, share: float, seed: int) -> Canaries:
    """Make canaries for these training data and toss their coins.

    Parameters
    ----------
    training : Examples
    count : int
        How many are wanted; fewer where more than `share` of the rows might be canaries.
    share : float
        The most that planted rows may be of all rows.
    seed : int

    Raises
    ------
    NotAssessed
        If none are wanted, or the training data are too few or hold too few words.
    """
    if count == 0:
        raise NotAssessed(Sentence("the policy wants no canaries; set [privacy] canaries"))
    if count < FEWEST:
        raise NotAssessed(
            Sentence(
                "[privacy] canaries is {count}, but {fewest} are needed to prove anything; raise it",
                count=count,
                fewest=FEWEST,
            )
        )
    number = min(count, _affordable(len(training), share))
    if number < FEWEST:
        raise NotAssessed(
            Sentence(
                "{examples:,} training examples leave room for {number} canaries, and {fewest} are needed; supply more "
                "training data, or raise [privacy] canary_share",
                examples=len(training),
                number=number,
                fewest=FEWEST,
            )
        )
    words = _rarest(training)
    if len(words) < 10 * WORDS:
        raise NotAssessed(
            Sentence(
                "the training data hold {number} rare words to make canaries of, {fewest} are needed",
                number=len(words),
                fewest=10 * WORDS,
            )
        )
    copies = np.concatenate([np.ones(number, int), *(np.full(n, times) for times, n in REPEATED.items())])
    rng = np.random.default_rng([seed, len(copies)])
    texts = tuple(" ".join(rng.choice(words, WORDS, replace=False)) for _ in copies)
    labels = rng.integers(0, len(training.classes), len(copies))
    coins = rng.random(len(copies)) < 0.5
    made = Examples(texts, labels, training.classes, protocol=training.protocol)
    return Canaries(made, copies, coins | (copies > 1))


def _affordable(rows: int, share: float) -> int:
    """How many canaries of one copy may be drawn.

    All planted rows together then stay within the share, but for one toss in a thousand.
    """
    budget = share / (1 - share) * rows - sum(times * number for times, number in REPEATED.items())
    # Heads among m coins: m / 2, and three standard deviations of √m / 2 each.
    return int(((np.sqrt(9 + 8 * budget) - 3) / 2) ** 2) if budget > 0 else 0


def _rarest(training: Examples) -> list[str]:
    """The words that stand in the fewest training texts, yet in two: what stands in one may be nobody's word."""
    texts_with = Counter(word for text in training.texts for word in set(re.findall(r"[^\W\d_]{4,}", text.lower())))
    ranked = sorted((number, word) for word, number in texts_with.items() if number > 1)
    return [word for _, word in ranked[:RAREST]]
