"""Writes one product review for a wished label, from the sentences of `grammar.toml` and the words of `lexicon.toml`.

It knows nothing of authors, splits or label noise; those are the corpus's own matter (`__init__.py`).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from random import Random
from typing import TypedDict, TypeVar, cast

T = TypeVar("T")

OPPOSITE = {"good": "bad", "bad": "good"}
SIDE = {"positive": "good", "negative": "bad"}
SHORTEST = 11  # words; a shorter review gets an opening

_SLOT = re.compile(r"\{(\w+)(?:\.(\w+))?\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|u[gn])")
_SENTENCE_START = re.compile(r"(^|[.?!] )([a-z])")


@dataclass(frozen=True)
class Review:
    """One review as the grammar wrote it: no typing mistakes yet, and the label that a careful reader would give."""

    text: str
    label: str
    construction: str


class Lexicon(TypedDict):
    """The words that reviews are made of; most of them by side, ``good`` or ``bad``."""

    kinds: dict[str, dict[str, list[str]]]  # items and aspects of what is reviewed
    natures: dict[str, dict[str, list[str]]]  # aspects, and what is said of them
    any_aspect: dict[str, dict[str, list[str]]]
    asides: dict[str, list[str]]
    intensifiers: dict[str, list[str]]
    attitudes: dict[str, list[tuple[str, str]]]  # what I do, what he or she does
    verbs: dict[str, list[str]]
    people: dict[str, list[str]]
    pronouns: dict[str, dict[str, str]]
    fillers: dict[str, list[str]]


class Construction(TypedDict):
    """Sentences that carry a label."""

    name: str
    labels: list[str]
    weight: int
    templates: list[str]


class Frame(TypedDict):
    """Sentences before or behind it, in such a share of the reviews."""

    share: float
    templates: list[str]


class Grammar(TypedDict):
    """The sentences."""

    constructions: list[Construction]
    openings: Frame
    closings: Frame


@cache
def lexicon() -> Lexicon:
    """The words, as `lexicon.toml` lists them."""
    return cast("Lexicon", _read("lexicon.toml"))


@cache
def grammar() -> Grammar:
    """The sentences, as `grammar.toml` lists them."""
    return cast("Grammar", _read("grammar.toml"))


def _read(name: str) -> dict[str, object]:
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
        scene.meet()
        sentences.insert(0, scene.fill(rng.choice(rules["openings"]["templates"])))
    if rng.random() < rules["closings"]["share"]:
        scene.meet()
        sentences.append(scene.fill(rng.choice(rules["closings"]["templates"])))
    return Review(_polish(" ".join(sentences)), label, construction["name"])


@cache
def _constructions(label: str) -> tuple[list[Construction], list[int]]:
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
    """What one review is about, and the words it has used so far, so that none comes twice."""

    rng: Random
    winning: str
    used: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        kind = self.rng.choice(list(lexicon()["kinds"].values()))
        self.item: str = self.rng.choice(kind["items"])
        self.aspects = dict(zip("ab", self.rng.sample(kind["aspects"], 2), strict=True))
        self.meet()

    def meet(self) -> None:
        """Somebody new comes up: what is said of one person must not contradict what is said of the next."""
        gender = self.rng.choice(["female", "male"])
        self.person: str = self._fresh(lexicon()["people"][gender])
        self.pronouns: dict[str, str] = lexicon()["pronouns"][gender]

    def fill(self, template: str) -> str:
        """The template with its slots filled."""
        return _SLOT.sub(lambda slot: self._word(slot[1], slot[2] or ""), template)

    def _word(self, slot: str, form: str) -> str:
        form, _, side = form.rpartition("_")
        side = {"win": self.winning, "lose": OPPOSITE[self.winning]}.get(side, side)
        match slot:
            case "item":
                return self.item
            case "a" | "b" if form == "says":
                return self._clause(self.aspects[slot], side)
            case "a" | "b" if side:
                return self._adjective(self.aspects[slot], side, plain=form == "plain")
            case "a" | "b":
                return self.aspects[slot]
            case "i" | "they":
                return self._fresh(lexicon()["attitudes"][side])[slot == "they"]
            case "verb":
                return self._fresh(lexicon()["verbs"][side])
            case "who":
                return self.person
            case "other":
                return self._fresh(lexicon()["people"][self.rng.choice(["female", "male"])])
            case _ if slot in self.pronouns:
                return self.pronouns[slot]
            case _:
                return self.rng.choice(lexicon()["fillers"][slot])

    def _clause(self, aspect: str, side: str) -> str:
        if self.rng.random() < 0.2:
            return f"the {aspect} {self._fresh(lexicon()['any_aspect']['idiom'][side])}"
        if self.rng.random() < 0.5:
            return f"the {aspect} is {self._adjective(aspect, side, plain=False)}"
        return f"the {aspect} is {self._adjective(aspect, side, plain=True)} {self._aside()}"

    def _adjective(self, aspect: str, side: str, *, plain: bool) -> str:
        words = lexicon()["any_aspect"]
        kind = "extreme" if not plain and self.rng.random() < 0.2 else "gradable"
        # The aspect's own words come more often than those that fit everything.
        options = words["extreme"][side] if kind == "extreme" else 3 * _nature(aspect)[side] + words["gradable"][side]
        adjective = self._fresh(options)
        if plain or self.rng.random() < 0.6:
            return adjective
        return f"{self._fresh(lexicon()['intensifiers'][kind])} {adjective}"

    def _aside(self) -> str:
        return self.fill(self._fresh(lexicon()["asides"]["any"]))

    def _fresh(self, options: Sequence[T]) -> T:
        """One of the options that this review has not used yet."""
        while (option := self.rng.choice(options)) in self.used:
            pass
        self.used.append(option)
        return option
