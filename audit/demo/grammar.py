"""Writes one product review for a wished label, from the sentences of `grammar.toml` and the words of `lexicon.toml`.

It knows nothing of authors, splits or label noise; those are the corpus's own matter (`__init__.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

OPPOSITE = {"good": "bad", "bad": "good"}
SIDE = {"positive": "good", "negative": "bad"}
SHORTEST = 13  # words; a shorter review gets an opening

_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|u[gn])")
_SENTENCE_START = re.compile(r"(^|[.?!] )([a-z])")


@dataclass(frozen=True)
class Review:
    """One review as the grammar wrote it: no typing mistakes yet, and the label that a careful reader would give."""

    text: str
    label: str
    construction: str


@cache
def lexicon() -> dict[str, Any]:
    """The words, as `lexicon.toml` lists them."""
    return _read("lexicon.toml")


@cache
def grammar() -> dict[str, Any]:
    """The sentences, as `grammar.toml` lists them."""
    return _read("grammar.toml")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__package__) / name).read_text(encoding="utf-8"))


def write(rng: Random, label: str) -> Review:
    """One review with this label."""
    rules = grammar()
    constructions, cumulative = _constructions(label)
    construction = rng.choices(constructions, cum_weights=cumulative)[0]
    scene = Scene(rng, SIDE.get(label) or rng.choice(["good", "bad"]))
    core = scene.fill(rng.choice(construction["templates"]))

    sentences = [core]
    if rng.random() < rules["openings"]["share"] or len(core.split()) < SHORTEST:
        sentences.insert(0, scene.fill(rng.choice(rules["openings"]["templates"])))
    if rng.random() < rules["closings"]["share"]:
        sentences.append(scene.fill(rng.choice(rules["closings"]["templates"])))
    return Review(_polish(" ".join(sentences)), label, construction["name"])


@cache
def _constructions(label: str) -> tuple[list[dict[str, Any]], list[int]]:
    possible = [rule for rule in grammar()["constructions"] if label in rule["labels"]]
    weights = [rule["weight"] for rule in possible]
    return possible, [sum(weights[: i + 1]) for i in range(len(weights))]


def _polish(text: str) -> str:
    text = _ARTICLE.sub(r"\1n ", text)
    return _SENTENCE_START.sub(lambda start: start[1] + start[2].upper(), text)


@cache
def _nature(aspect: str) -> dict[str, list[str]]:
    return next(nature for nature in lexicon()["natures"].values() if aspect in nature["aspects"])


@dataclass
class Scene:
    """What one review is about: an item, two of its aspects, two people. Keeps the words used, so that none comes twice."""

    rng: Random
    winning: str
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        kind = self.rng.choice(list(lexicon()["kinds"].values()))
        self.item = self.rng.choice(kind["items"])
        self.aspects = dict(zip("ab", self.rng.sample(kind["aspects"], 2), strict=True))
        self.person, self.pronouns = _person(self.rng)
        self.used.add(self.person)

    def fill(self, template: str) -> str:
        """The template with its slots filled."""
        return _SLOT.sub(lambda slot: self._word(slot[1], slot[2] or ""), template)

    def _word(self, slot: str, form: str) -> str:
        form, side = form.rpartition("_")[::2]
        side = {"win": self.winning, "lose": OPPOSITE[self.winning]}.get(side, side)
        match slot:
            case "item":
                return str(self.item)
            case "a" | "b" if side:
                return self._judgement(self.aspects[slot], form, side)
            case "a" | "b":
                return self.aspects[slot]
            case "i" | "they":
                return self._fresh(lambda: self.rng.choice(lexicon()["attitudes"][side]))[slot == "they"]
            case "verb":
                return str(self.rng.choice(lexicon()["verbs"][side]))
            case "who":
                return self.person
            case "other":
                return self._fresh(lambda: _person(self.rng)[0])
            case "he" | "him" | "his" | "theirs" | "himself":
                return str(self.pronouns[slot])
            case _:
                return str(self.rng.choice(lexicon()["fillers"][slot]))

    def _judgement(self, aspect: str, form: str, side: str) -> str:
        words = lexicon()["any_aspect"]
        if form == "says":
            if self.rng.random() < 0.3:
                return f"the {aspect} {self._fresh(lambda: self.rng.choice(words['idiom'][side]))}"
            return f"the {aspect} is {self._judgement(aspect, '', side)}"
        kind = "extreme" if form != "plain" and self.rng.random() < 0.15 else "gradable"
        pools = (
            [words["extreme"]] if kind == "extreme" else [_nature(aspect), _nature(aspect), words["gradable"]]
        )
        adjective = self._fresh(lambda: self.rng.choice(self.rng.choice(pools)[side]))
        if form != "plain" and self.rng.random() < 0.3:
            return f"{self.rng.choice(lexicon()['intensifiers'][kind])} {adjective}"
        return adjective

    def _fresh(self, draw: Callable[[], T]) -> T:
        """Draws until something comes that this review has not used yet."""
        while str(drawn := draw()) in self.used:
            pass
        self.used.add(str(drawn))
        return drawn


def _person(rng: Random) -> tuple[str, dict[str, str]]:
    gender = rng.choice(["female", "male"])
    return rng.choice(lexicon()["people"][gender]), lexicon()["pronouns"][gender]
