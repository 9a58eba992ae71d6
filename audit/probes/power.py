"""How often each probe catches a defect that was planted: what the benchmarks measured, as this version ships it.

The figures lie in ``power.json``, which ``python -m benchmarks.defects --publish`` writes; how each was come by stands
in ``benchmarks/README.md``. No verdict rests on them: they tell what a verdict is worth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from audit.core.identifiers import base_id
from audit.core.sentences import Sentence, Value, of_file

# Not one that is part of a name, as in UTF-8.
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w-])")


@dataclass(frozen=True)
class Trial:
    """A defect planted at one strength, and how often a probe caught it.

    Parameters
    ----------
    finding : str
        The id of what must catch it; without bracket for all under the id, and ``quality.behaviour[negation]`` for all
        whose bracket begins with that word.
    defect, strength : str
        Noun phrases in English: ``a word in training texts``, ``1 % of the rows``. The strength may be empty.
    order : float
        Strengths of a defect by size; a larger one is easier to catch.
    caught, of : int
        Models, or data, with the defect whose gate failed (that alarmed, where there is no gate), and all of them.
    alarms, clean : int
        The same of twins without it.
    gate : float or None
        What they were held against.
    commit, date : str
        Of the auditor that was tried, and the day.
    stated : bool
        Whether the probe claims to catch it at this strength. Where a defect has no such trial, the strongest counts.
    passed : int or None
        How many passed; of the others it was inconclusive. None where a benchmark did not tell them apart.
    """

    finding: str
    defect: str
    strength: str
    order: float
    caught: int
    of: int
    alarms: int
    clean: int
    gate: float | None
    commit: str
    date: str
    stated: bool = False
    passed: int | None = None

    @property
    def is_short(self) -> bool:
        """Whether fewer than 19 of 20 were caught, and some passed: what is inconclusive is released by no pass."""
        return 20 * self.caught < 19 * self.of and self.passed != 0

    @property
    def released(self) -> float:
        """The share of models with the defect that passed; where that was not told, of those that were not caught."""
        return (self.of - self.caught if self.passed is None else self.passed) / self.of


@dataclass(frozen=True)
class Planted:
    """A kind of defect with its trials, the strongest first."""

    trials: tuple[Trial, ...]

    @property
    def stated(self) -> Trial:
        """The trial at the strength that the probe claims to catch, by default the strongest."""
        return next((trial for trial in self.trials if trial.stated), self.trials[0])


@cache
def published() -> Sequence[Trial]:
    """What was measured of this version, in the order of the file."""
    return tuple(Trial(**each) for each in json.loads(files(__package__).joinpath("power.json").read_text("utf-8")))


def planted_for(full_id: str) -> tuple[Planted, ...]:
    """What was planted for a finding to catch, what was caught least first.

    It is that of its own bracket, else of the measure as a whole.
    """
    about = [trial for trial in published() if "[" in trial.finding and _is_under(full_id, trial.finding)]
    about = about or [trial for trial in published() if trial.finding == base_id(full_id)]
    of_defect: dict[str, list[Trial]] = {}
    for trial in about:
        of_defect.setdefault(trial.defect, []).append(trial)
    planted = [Planted(tuple(sorted(trials, key=lambda trial: -trial.order))) for trials in of_defect.values()]
    return tuple(sorted(planted, key=lambda each: each.stated.caught / each.stated.of))


def _is_under(full_id: str, prefix: str) -> bool:
    return full_id == prefix or full_id.startswith(f"{prefix.removesuffix(']')}_")


def phrase(text: str) -> Sentence:
    """A phrase of the file as a sentence whose numbers are values, so that it has one translation whatever they are."""
    values: dict[str, Value] = {str(i): _value(number) for i, number in enumerate(_NUMBER.findall(text))}
    fields = iter(values)
    return of_file(_NUMBER.sub(lambda _: f"{{{next(fields)}:,}}", text), **values)


def _value(number: str) -> float:
    digits = number.replace(",", "")
    return float(digits) if "." in digits else int(digits)


def templates() -> list[str]:
    """The templates of all phrases of the file, for translators."""
    phrases = (text for trial in published() for text in (trial.defect, trial.strength))
    return list(dict.fromkeys(phrase(text).template for text in phrases if text))
