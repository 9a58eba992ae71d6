"""What a probe is: the declaration that stands above its function, and the function under it.

Everything that the audit says of a probe, wherever it says it, comes from its declaration: the catalogue of ids, gates
and their direction, the report's words, which findings can be compared, which rule of a standard they bear on.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, NoReturn, ParamSpec, TypeAlias

from audit.core.context import holding
from audit.core.identifiers import Challenge
from audit.core.looks import Looks, at_once
from audit.core.measurement import Measurement, Result
from audit.core.numbers import POINTS as POINTS
from audit.core.numbers import SHARE as SHARE

P = ParamSpec("P")
Basis = Literal["test data", "training data", "templates", "files", "machine", "recipe"]
Cause = Literal["", "memory", "embedding", "groups", "accuracy", "writing", "attack", "energy", "documentation"]
Severity = Literal["", "severe", "serious", "limited"]
Lever = Literal["train less", "train more", "smaller model", "larger model"]
_SEVERITIES: Mapping[str, Severity] = {
    "ethics": "severe", "privacy": "severe", "security": "serious", "quality": "serious",
}  # fmt: skip
# In these units figures lie in a range.
_RANGES: Mapping[str, tuple[float | None, float | None]] = {SHARE: (0.0, 1.0), POINTS: (-1.0, 1.0)}


class Alarm(NamedTuple):
    """From which value on a finding without a gate is worrying, and why just from there."""

    value: float
    reason: str


@dataclass(frozen=True)
class Probe:
    """The declaration of a probe: a decorator of the function that measures.

    Parameters
    ----------
    id : str
        As in gates and findings, without brackets.
    challenge : str
    title : str
        What the number counts, in a few words, so that one can tell from it which way is better.
    unit : str
        ``"share"`` of something, written as a percentage; ``"points"``, a difference of shares, written in percentage
        points; else any unit, ``"kWh"``, or the empty string for a pure number.
    better : {"higher", "lower", "either"}
        Direction; a gate in the other direction is refused.
    meaning, harm, remedy : str
        What is measured; who is harmed where it is bad; what helps. One or two plain sentences each.
    brackets : tuple of str, "subgroup" or "metric"
        What may stand in brackets behind the id: each subgroup column or own metric of the policy, or these kinds.
    title_of : str
        The title under a bracket, with ``{bracket}`` where it stands; by default the bracket follows the title.
    bracket_names : tuple of str
        How these kinds are called in a title, in their order; by default as they are.
    bracket : str
        The parameter of the function, and of its test, that the bracket is the value of.
    counts : str
        What the number counts: right answers, accuracy lost.
    range : (float or None, float or None)
        The least and the largest possible value; by default that of the unit.
    measured_on : tuple of {"test data", "training data", "templates", "files", "machine", "recipe"}
        What the figure depends on, so that two audits can be compared only where they agree in it.
    alarm : Alarm, optional
        From which value on a finding without a gate is worrying, and why.
    rules : tuple of str
        Rules of the standards that it bears on, by their names in :mod:`audit.report.page.standards`.
    cause : str
        What the finding has in common with others that the same step mends, see `Cause`; by default nothing.
    severity : {"severe", "serious", "limited"}
        Of the harm where it is bad: people are harmed and it can hardly be undone; people or the service are, and it
        can be noticed and mended; it costs money, electricity or trust. By default that of its challenge.
    levers : tuple of str
        What its remedy changes, see `Lever`: another's may ask for the opposite.
    guide : str
        Where the method is explained: a file of the documentation, or an address.
    passes : float
        Forward passes that one example costs beyond the predictions that all probes share, as a rule.
    most_passes : float or str
        How many it costs at most, or the parameter of the function that says so; by default as many.
    examples : int
        How many examples a function that gives no looks asks about, as a rule; 0: those of its first question.
    trainings : int
        Trainings by the policy's recipe that it asks for at most.
    trained_for : tuple of str
        The brackets under which it asks for them; by default any.
    """

    id: str
    challenge: Challenge
    title: str
    unit: str
    better: Literal["higher", "lower", "either"]
    meaning: str
    harm: str = ""
    remedy: str = ""
    brackets: tuple[str, ...] | Literal["subgroup", "metric"] = ()
    title_of: str = field(default="", kw_only=True)
    bracket_names: tuple[str, ...] = field(default=(), kw_only=True)
    bracket: str = field(default="", kw_only=True)
    counts: str = field(default="", kw_only=True)
    range: tuple[float | None, float | None] = field(default=(None, None), kw_only=True)
    measured_on: tuple[Basis, ...] = field(default=("test data",), kw_only=True)
    alarm: Alarm | None = field(default=None, kw_only=True)
    rules: tuple[str, ...] = field(default=(), kw_only=True)
    cause: Cause = field(default="", kw_only=True)
    severity: Severity = field(default="", kw_only=True)
    levers: tuple[Lever, ...] = field(default=(), kw_only=True)
    guide: str = field(default="", kw_only=True)
    passes: float = field(default=0, kw_only=True)
    most_passes: float | str = field(default=0, kw_only=True)
    examples: int = field(default=0, kw_only=True)
    trainings: int = field(default=0, kw_only=True)
    trained_for: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if self.range == (None, None):
            object.__setattr__(self, "range", _RANGES.get(self.unit, (None, None)))
        if not self.severity:
            object.__setattr__(self, "severity", _SEVERITIES.get(self.challenge, "limited"))
        if self.brackets == "subgroup" and not self.bracket:
            object.__setattr__(self, "bracket", "subgroup")

    def __call__(self, measure: Callable[P, Result | Looks]) -> DeclaredProbe[P]:
        """Declare a function: called with what it asks for, it then gives a Measurement under this id."""
        return DeclaredProbe(self, measure)

    def named(self, bracket: str) -> str:
        """What a bracket of these kinds is called, in English; one of the user's own stays as it is."""
        if isinstance(self.brackets, str) or bracket not in self.brackets:
            return bracket
        names = dict(zip(self.brackets, self.bracket_names, strict=False))
        return names.get(bracket, bracket.replace("_", " "))

    def trainings_of(self, full_id: str) -> int:
        """Trainings that it asks for at most under a full id."""
        among = {f"{self.id}[{bracket}]" for bracket in self.trained_for}
        return self.trainings if not among or full_id in among else 0

    def expand(self, named: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
        """All full ids that a gate on this id applies to; `named` holds what the policy names, by kind of bracket."""
        brackets = named[self.brackets] if isinstance(self.brackets, str) else self.brackets
        return tuple(f"{self.id}[{bracket}]" for bracket in brackets) or (self.id,)


# From a declaration, the full id and the looks to the result that these come to.
StoppingRule: TypeAlias = Callable[[Probe, str, Looks], Result]
_RULE: ContextVar[StoppingRule] = ContextVar("_RULE", default=lambda declaration, full_id, looks: at_once(looks))


def stopped_by(rule: StoppingRule) -> AbstractContextManager[None]:
    """Within it, probes that measure in looks are stopped by this rule; elsewhere they run to the end."""
    return holding(_RULE, rule)


# From a declaration, the arguments by name, and what would measure, to an exception: nothing is measured.
Planner: TypeAlias = Callable[[Probe, Mapping[str, object], Callable[[], Result | Looks]], NoReturn]
_PLANNER: ContextVar[Planner | None] = ContextVar("_PLANNER", default=None)


def planned_by(planner: Planner) -> AbstractContextManager[None]:
    """Within it, probes do not measure: the planner is told what would, and raises."""
    return holding(_PLANNER, planner)


class DeclaredProbe(Generic[P]):
    """A function under its declaration. It gives what the function gives, stamped with id, bracket and unit.

    A function may measure in batches and give :data:`~audit.core.looks.Looks`, by
    :func:`~audit.core.looks.in_batches`. Called like any other, it asks about all its examples at once; within an
    audit it may be stopped early, see :func:`stopped_by`.
    """

    def __init__(self, declaration: Probe, measure: Callable[P, Result | Looks]) -> None:
        if declaration.bracket and declaration.bracket not in inspect.signature(measure).parameters:
            raise TypeError(f"{declaration.id}: the function has no parameter '{declaration.bracket}' for the bracket")
        self.declaration = declaration
        self._measure = measure
        functools.update_wrapper(self, measure)

    @property
    def id(self) -> str:
        """The id of the declaration."""
        return self.declaration.id

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Measurement:
        """Measure."""
        if planner := _PLANNER.get():
            planner(self.declaration, self._arguments(*args, **kwargs), lambda: self._measure(*args, **kwargs))
        result = self._measure(*args, **kwargs)
        if isinstance(result, Measurement):
            return result
        full_id = self._full_id(*args, **kwargs)
        if isinstance(result, Generator):
            result = _RULE.get()(self.declaration, full_id, result)
        return Measurement.stamped(result, full_id, self.declaration.unit)

    def _full_id(self, *args: P.args, **kwargs: P.kwargs) -> str:
        name = self.declaration.bracket
        if not name:
            return self.id
        return f"{self.id}[{self._arguments(*args, **kwargs)[name]}]"

    def _arguments(self, *args: P.args, **kwargs: P.kwargs) -> Mapping[str, object]:
        """By name, those that were left out too."""
        given = inspect.signature(self._measure).bind(*args, **kwargs)
        given.apply_defaults()
        return given.arguments
