"""Canaries: made-up examples that a coin puts into the training data of a twin, so that memory of them can be counted.

Their texts are secrets of one audit. They are made again from its seed and written nowhere.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.numbers import exact
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.scorer import Scorer

# A canary is so many of the rarest words: their embeddings belong to hardly anybody else.
WORDS, RAREST = 8, 2_000
# Canaries that are planted several times, by the number of copies; they serve only to show what repetition does.
REPEATED = {4: 8, 16: 4}
_ROWS_REPEATED = sum(times * number for times, number in REPEATED.items())
# So many where no gate asks for more. Below `FEWEST` hardly anything is proved: were all guesses right, ε ≥ 2.04.
USUAL, FEWEST = 400, 40


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
            # A training takes no notice of them.
            clusters=None,
            rows=None,
            second=None,
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


@dataclass(frozen=True)
class Sizing:
    """What says how many canaries there are.

    Parameters
    ----------
    count : int or None
        How many are wanted; None: `USUAL`, and more where the gate takes more.
    share : float
        The most that planted rows may be of all rows of the twin.
    delta : float
        δ of the differential privacy that they are to prove something of.
    gate : float or None
        The most that the policy lets ε be.
    """

    count: int | None = None
    share: float = 0.1
    delta: float = 1e-5
    gate: float | None = None


def draw(training: Examples, sizing: Sizing, seed: int) -> Canaries:
    """Make canaries for these training data and toss their coins.

    Parameters
    ----------
    training : Examples
    sizing : Sizing
        Where the training data are few, there are fewer than it asks for.
    seed : int

    Raises
    ------
    NotAssessed
        If none are wanted, the training data are too few or hold too few words, or so few canaries could prove nothing
        beyond the gate, whatever a model remembered of them.
    """
    number = _number(len(training), sizing, training.protocol.confidence)
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


def _number(rows: int, sizing: Sizing, confidence: float) -> int:
    """How many canaries of one copy are drawn; raises what :func:`draw` does."""
    wanted, gate, share = sizing.count, sizing.gate, sizing.share
    if wanted == 0:
        raise NotAssessed(Sentence("the policy wants no canaries; set [privacy] canaries"))
    needs = needed(gate, sizing.delta, confidence)
    if wanted is not None and wanted < needs.fewest:
        raise NotAssessed(
            Sentence(
                "[privacy] canaries is {count:,}, {needs}; raise it, or leave it out", count=wanted, needs=needs.clause
            )
        )
    number = min(needs.usual if wanted is None else wanted, _affordable(rows, share))
    if number < needs.fewest:
        raise NotAssessed(
            Sentence(
                "{examples:,} training examples leave room for {number:,} canaries, {needs}; supply {least:,} training "
                "examples, better {most:,}, or raise [privacy] canary_share",
                examples=rows,
                number=number,
                needs=needs.clause,
                least=_rows_for(needs.fewest, share),
                most=_rows_for(needs.usual, share),
            )
        )
    return number


class Needed(NamedTuple):
    """How many canaries it takes: to prove anything beyond the gate, and as a rule; in a clause that says so."""

    fewest: int
    usual: int
    clause: str


def needed(gate: float | None, delta: float, confidence: float) -> Needed:
    """How many canaries a gate on ε takes; with no gate, how many it takes to prove anything.

    The fewest show a perfect memory to be beyond the gate, as many as usual a true ε that is one larger than the gate,
    each with a chance of nine in ten (:data:`audit.statistics.POWER`, :data:`audit.statistics.BEYOND`).
    """
    if gate is None:
        return Needed(FEWEST, USUAL, Sentence("and {fewest} are needed to prove anything", fewest=FEWEST))
    sized = partial(statistics.canaries_for, gate, delta=delta, confidence=confidence)
    fewest, beyond = max(FEWEST, sized(epsilon=math.inf)), max(FEWEST, sized())
    clause = Sentence(
        "with which the gate ε ≤ {gate} could not fail, whatever the model remembered: that takes {fewest:,}, and "
        "{beyond:,} to find a true ε of {truth}, if each canary shows it, with a chance of {power:%}",
        gate=exact(gate),
        fewest=fewest,
        beyond=beyond,
        truth=exact(gate + statistics.BEYOND),
        power=statistics.POWER,
    )
    return Needed(fewest, max(USUAL, beyond), clause)


# All planted rows together stay within the share, but for one toss in a thousand: heads among m coins are m / 2, and
# three standard deviations of √m / 2 each.


def _affordable(rows: int, share: float) -> int:
    """How many canaries of one copy may be drawn."""
    budget = share / (1 - share) * rows - _ROWS_REPEATED
    return int(((np.sqrt(9 + 8 * budget) - 3) / 2) ** 2) if budget > 0 else 0


def _rows_for(number: int, share: float) -> int:
    """How many training examples leave room for so many: the inverse of :func:`_affordable`."""
    return math.ceil((number / 2 + 1.5 * math.sqrt(number) + _ROWS_REPEATED) * (1 - share) / share) + 1


def _rarest(training: Examples) -> list[str]:
    """The words that stand in the fewest training texts, yet in two: what stands in one may be nobody's word."""
    texts_with = Counter(word for text in training.texts for word in set(re.findall(r"[^\W\d_]{4,}", text.lower())))
    ranked = sorted((number, word) for word, number in texts_with.items() if number > 1)
    return [word for _, word in ranked[:RAREST]]
