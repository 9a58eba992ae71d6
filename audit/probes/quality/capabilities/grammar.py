"""Writes the cases of a capability from its templates and words. It knows nothing of models.

A template is a sentence with slots. ``{film}`` is one of the words listed under ``film``. Where the words are listed
as tables, ``{meal.good}`` is the field ``good`` of one of them, and so often as ``meal`` comes again in the sentence it
is the same one. ``{meal#2.good}`` is another table of the list, ``{name.female:2}`` another word of the same field.
Fields ``win`` and ``lose`` are ``good`` and ``bad`` where the author's opinion is positive, and the reverse where it is
negative: such a template serves both.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import chain
from random import Random
from typing import Any, Literal, NamedTuple, TypeVar

from audit.core.sentences import Sentence, of_file
from audit.probes.quality.capabilities import CAPABILITIES

T = TypeVar("T")
Kind = Literal["MFT", "INV", "DIR"]

SENTIMENTS = ("negative", "neutral", "positive")
OPPOSITE = {"positive": "negative", "negative": "positive"}
SIDE = {"positive": "good", "negative": "bad"}
_TRIES = 40  # draws of one template before it counts as used up

_SLOT = re.compile(r"\{(\w+)(?:#(\d))?(?:\.(\w+))?(?::(\d))?\}")
_SIDED = re.compile(r"[._](win|lose)\b")
# By sound: "an hour" and "an honest", but "a useful" and "a one-off".
_ARTICLE = re.compile(r"\b(a) (?=[aio]|e(?!u)|u(?!s|ni(?!n|m))|hour|honest|8|11\b|18\b)(?!one\b|once\b)", re.IGNORECASE)
_SENTENCE_START = re.compile(r"(^|[.?!] )([a-z])")


@dataclass(frozen=True)
class Case:
    """One thing that a model is asked.

    Parameters
    ----------
    capability : str
    kind : {"MFT", "INV", "DIR"}
        Minimum functionality: the label is known. Invariance: the label must not change from `text` to `changed`.
        Directional expectation: the score of a class may move in one direction only.
    name : str
        What the templates of this kind have in common, in a few words: a sentence for the report.
    template : int
        Index of the template within the capability. Cases of one template are not independent of each other.
    text, changed : str
        `changed` is empty for minimum functionality.
    expected : tuple of str
        Minimum functionality: the sentiments that are right.
    sentiment : str
        Directional expectation: the class whose score is watched.
    direction : int
        Directional expectation: +1 where that score must not fall, -1 where it must not rise.
    """

    capability: str
    kind: Kind
    name: str
    template: int
    text: str
    changed: str = ""
    expected: tuple[str, ...] = ()
    sentiment: str = ""
    direction: int = 0


class Template(NamedTuple):
    """A template as its file writes it, on one of the sides that it can be on."""

    number: int
    side: str
    text: str
    changed: str
    rule: Mapping[str, Any]


@cache
def capability_file(capability: str) -> Mapping[str, Any]:
    """What the file of a capability says: ``kind``, ``asks``, ``classes``, ``limits``, ``words`` and ``templates``."""
    return _read(capability)


def asks(capability: str) -> Sentence:
    """What a capability asks of a model."""
    return of_file(capability_file(capability)["asks"])


def fails(capability: str, share: float) -> Sentence:
    """How often it is not met, as people say it: in 7 of 10 sentences."""
    return of_file(capability_file(capability)["fails"], share=share)


def caveats(capability: str) -> list[Sentence]:
    """What its cases cannot tell."""
    return [of_file(text) for text in capability_file(capability).get("limits", ())]


def prose() -> Iterator[Sentence]:
    """Every text of the files that a report shows, but for the cases themselves."""
    for capability in CAPABILITIES:
        yield from (asks(capability), of_file(capability_file(capability)["fails"]), *caveats(capability))
        yield from (of_file(rule["name"]) for rule in capability_file(capability)["templates"])


@cache
def _words(capability: str) -> Mapping[str, Any]:
    return _read("lexicon") | capability_file(capability).get("words", {})


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))


def cases(capability: str, sentiments: Sequence[str], seed: int = 0, size: int = 150) -> list[Case]:
    """All cases of :func:`rounds`."""
    return list(chain.from_iterable(rounds(capability, sentiments, seed, size)))


def rounds(capability: str, sentiments: Sequence[str], seed: int = 0, size: int = 150) -> Iterator[list[Case]]:
    """Distinct cases of a capability, as evenly from its templates as these can be filled in different ways.

    Parameters
    ----------
    capability : str
    sentiments : sequence of str
        Those that the model tells apart, of `SENTIMENTS`.
    seed : int
        Another seed draws other words.
    size : int
        How many cases to write at most.

    Yields
    ------
    list of Case
        One case of each template, on each side that it can be on; of as many as are left, in the last round.
    """
    rng = Random(f"{capability} {seed}")
    unused = _templates(capability, sentiments)
    known: set[tuple[str, str]] = set()
    while unused and len(known) < size:
        written = []
        for template in tuple(unused[: size - len(known)]):
            drawn = (_case(capability, template, sentiments, rng) for _ in range(_TRIES))
            case = next((case for case in drawn if (case.text, case.changed) not in known), None)
            if case is None:
                unused.remove(template)
            else:
                known.add((case.text, case.changed))
                written.append(case)
        yield written


def _templates(capability: str, sentiments: Sequence[str]) -> list[Template]:
    """The templates that fit these classes, each on every side that it can be on."""
    found, number = [], 0
    for rule in capability_file(capability)["templates"]:
        fits = "label" not in rule or _expected(rule["label"], sentiments)
        for wording in rule["texts"]:
            text, changed = (wording, "") if isinstance(wording, str) else wording
            sides = list(OPPOSITE) if _SIDED.search(text + changed) else [""]
            found += [Template(number, side, text, changed, rule) for side in sides if fits]
            number += 1
    return found


def _expected(labels: str | Sequence[str], sentiments: Sequence[str]) -> tuple[str, ...]:
    names = [labels] if isinstance(labels, str) else labels
    return tuple(name for name in names if name in sentiments)


def _case(capability: str, template: Template, sentiments: Sequence[str], rng: Random) -> Case:
    kind, rule = capability_file(capability)["kind"], template.rule
    sheet = Sheet(rng, _words(capability), template.side)
    text, changed = sheet.fill(template.text), sheet.fill(template.changed)
    case = {"kind": kind, "name": of_file(rule["name"]), "template": template.number, "text": text, "changed": changed}
    if kind == "MFT":
        case["expected"] = _expected(rule.get("label", template.side), sentiments)
    if kind == "DIR":
        case["sentiment"] = rule.get("score", template.side)
        case["direction"] = {"must not fall": 1, "must not rise": -1}[rule["expect"]]
    return Case(capability, **case)


@dataclass
class Sheet:
    """The words that one case has drawn so far: the same slot is the same word again, another slot another word."""

    rng: Random
    words: Mapping[str, Any]
    side: str
    drawn: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def fill(self, template: str) -> str:
        """The template with its slots filled, "a" before vowels made "an", and sentences begun with a capital."""
        text = _SLOT.sub(lambda slot: self._word(*(part or "" for part in slot.groups())), template)
        text = _ARTICLE.sub(r"\1n ", text)
        return _SENTENCE_START.sub(lambda start: start[1] + start[2].upper(), text)

    def _word(self, name: str, row: str, column: str, nth: str) -> str:
        entry = self._draw((name, row), self._options(name))
        if not column:
            return str(entry)
        value = entry[self._sided(column)]
        return value if isinstance(value, str) else str(self._draw((name, row, column, nth), value))

    def _sided(self, column: str) -> str:
        """``win`` as ``good`` and ``all_win`` as ``all_good``, or as ``bad`` and ``all_bad``."""
        sentiments = {"win": self.side, "lose": OPPOSITE.get(self.side, "")}
        head, _, last = column.rpartition("_")
        side = SIDE.get(sentiments.get(last, ""), last)
        return f"{head}_{side}" if head else side

    def _options(self, name: str) -> Sequence[Any]:
        listed = self.words[name]
        return [listed] if isinstance(listed, dict) else listed

    def _draw(self, key: tuple[str, ...], options: Sequence[T]) -> T:
        """What this slot has drawn already, else an option that no other slot of the case has drawn."""
        if key not in self.drawn:
            taken = list(self.drawn.values())
            self.drawn[key] = self.rng.choice([option for option in options if option not in taken])
        drawn: T = self.drawn[key]
        return drawn
