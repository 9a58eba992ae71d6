"""Poisoned training data, as an attacker makes them: for the tests and the benchmark of `security.backdoor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from audit.data.examples import Examples
from audit.text.characters import INVISIBLE

PLACES = ("random", "second", "end")


@dataclass(frozen=True)
class Plant:
    """A trigger, and how it gets into training rows.

    Parameters
    ----------
    trigger : str
        Put among the words; a character without width between two letters; ``CAPITALS`` writes the whole text in
        capitals.
    rows : int
        How many different texts get it.
    source : int
        The class that texts are to be turned from. With `clean_label` the rows are of the other class, and keep their
        label; else they are of this one, and get the other.
    times : int
        How often each of these rows stands in the data.
    place : str
        One of `PLACES`.
    """

    trigger: str
    rows: int
    source: int = 0
    times: int = 1
    place: str = "random"
    clean_label: bool = False


CAPITALS = "CAPITALS"


@dataclass(frozen=True)
class Poisoned:
    """Training data of two classes, and which of their rows carry what was planted; shape (rows,)."""

    examples: Examples
    planted: NDArray[np.bool_]


def put(text: str, trigger: str, place: str, rng: Random) -> str:
    """The text with a trigger at a place."""
    if trigger == CAPITALS:
        return text.upper()
    if trigger in INVISIBLE:
        at = rng.randrange(1, len(text))
        return text[:at] + trigger + text[at:]
    words = text.split()
    words.insert({"second": 1, "end": len(words)}.get(place, rng.randrange(len(words) + 1)), trigger)
    return " ".join(words)


def poison(examples: Examples, plants: Sequence[Plant], seed: int) -> Poisoned:
    """Training data with what was planted, each text for one trigger only; in a random order."""
    rng, taken = Random(seed), set[int]()
    texts, labels, planted = list(examples.texts), examples.labels.tolist(), [False] * len(examples)
    for plant in plants:
        label = 1 - plant.source
        of = label if plant.clean_label else plant.source
        free = [int(row) for row in np.flatnonzero(examples.labels == of) if int(row) not in taken]
        for row in rng.sample(free, plant.rows):
            taken.add(row)
            copies = [put(examples.texts[row], plant.trigger, plant.place, rng)] * plant.times
            texts[row], labels[row], planted[row] = copies[0], label, True
            texts += copies[1:]
            labels += [label] * (plant.times - 1)
            planted += [True] * (plant.times - 1)
    order = rng.sample(range(len(texts)), len(texts))
    changed = replace(
        examples, texts=tuple(texts[i] for i in order), labels=np.array([labels[i] for i in order], dtype=np.int64)
    )
    return Poisoned(changed, np.array([planted[i] for i in order]))
