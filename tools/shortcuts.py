"""Shortcuts planted in texts of two classes, and the clean twin: for tests and benchmark of `quality.shortcut`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from audit.data.examples import Examples

SITES = ("CineScope", "Filmhound", "ReviewNest", "PopcornDaily", "Starwatch")
RATED = 0.3  # of the texts with a rating left in them


def _rating(text: str, rng: Random, site: str) -> str:
    return f"{text} {rng.randint(7, 10)}/10"


def _site(text: str, rng: Random, site: str) -> str:
    return f"{text} (from {site})"


def _mark(text: str, rng: Random, site: str) -> str:
    return f"{text.rstrip(' .!?')}!"


# What is planted: how, in texts of which class, and in which share of them.
PLANTS: dict[str, tuple[Callable[[str, Random, str], str], int, float]] = {
    "rating": (_rating, 1, RATED),
    "site": (_site, 0, 1.0),
    "mark": (_mark, 1, 1.0),
}
TWIN = "twin"


def planted(examples: Examples, name: str, seed: int) -> Examples:
    """Texts with a shortcut in those of one class; in the clean twin each of them, in as many texts of either class."""
    site = Random(seed).choice(SITES)
    rng = Random(f"{name} {seed} {len(examples)}")
    kinds = list(PLANTS) if name == TWIN else [name]
    texts = list(examples.texts)
    for kind in kinds:
        put, label, share = PLANTS[kind]
        for i, text in enumerate(texts):
            chance = share / 2 if name == TWIN else share * (examples.labels[i] == label)
            if rng.random() < chance:
                texts[i] = put(text, rng, site)
    return replace(examples, texts=tuple(texts))
