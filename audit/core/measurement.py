"""What a probe found, with its uncertainty and its evidence; it knows nothing of gates.

A probe returns a :class:`Result`; its declaration stamps it with id and unit, which makes it a :class:`Measurement`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, Literal, NamedTuple, TypeVar

from audit.core.evidence import Cell, Evidence, Facts, Pairs, Table
from audit.core.sentences import Sentence
from audit.statistics import Settling

# Of sums of floats that make a figure and its ends.
_ROUNDING = 1e-9
_T = TypeVar("_T")


@dataclass(frozen=True)
class Stop:
    """Why a probe stopped, and after how many examples of how many.

    Parameters
    ----------
    reason : str
        A clause.
    examples, of : int
    unreached : bool
        Whether the audit's budget ended, and with more of it the probe would have gone on.
    """

    reason: str
    examples: int
    of: int
    unreached: bool = False


class Reach(NamedTuple):
    """What a lower bound could have shown of a gate.

    Parameters
    ----------
    is_possible : bool
        Whether the gate could have failed at all.
    clause : str
        What it would have taken; where it could not fail, what evidence would do.
    """

    is_possible: bool
    clause: str


@dataclass(frozen=True, repr=False)
class Sheet:
    """Rows for whoever works on the data, too many for a page: a file beside the record, which knows nothing of it.

    Parameters
    ----------
    name : str
        Of the file, one of :data:`audit.record.record.SHEETS`.
    columns : sequence of str
    rows : sequence of sequence
        As many cells each as there are columns. Texts have passed :mod:`audit.text.redaction`.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Result:
    """An estimate with its interval, what it rests on, how it was measured, and the evidence.

    Parameters
    ----------
    estimate, low, high : float or None
        The point estimate and its interval. A census has ``low == estimate == high``; a lower bound has
        ``estimate == low`` and no ``high``. Where nothing bounds the value, ``low`` is infinite without estimate and
        ``high``, and `unbounded` says why: no ``max`` holds for it. Where it is open whether there is a value at all,
        all three are None, and `undecided` says what would settle that.
    n : int
        Size of the sample that the interval rests on.
    method : str
        How it was measured and with what interval, with the source, in plain words.
    confidence : float
        Two-sided confidence of the interval.
    sample : str
        What n counts, in the plural.
    summary : str
        What was seen, in one sentence.
    caveats : sequence of str
        What the measurement cannot tell.
    evidence : sequence of Evidence
        In the order in which it is shown.
    interval : {"confidence", "approximate", "error bound", "detections"}
        What the interval bounds: chance; chance, by a method that holds approximately; a known error of the instrument;
        or nothing, for what a program recognised was counted whole, as far as it errs.
    undecided, unbounded, too_small, caution : str
        Clauses. What would settle whether there is a value; why no value is too large; which groups are too small to
        judge; what the reason ends with, whatever the gate.
    remedy_effect : str
        What the remedy was measured to do, as a clause with a full stop; empty where nobody tried it.
    outcome : {"supported", "refuted", "not settled"}, optional
        Of a claim of the document.
    source : {"measured", "estimated"}, optional
        Of a figure of energy.
    machine : str
        Where it was measured, for a figure that depends on it.
    stated : str
        What the policy states and the figure rests on.
    look : int
        Which look at growing data this is.
    stopped : Stop, optional
        Why no more examples were asked about, where it was looked at more than once.
    clusters : int
        How many clusters of rows that belong together the interval rests on; 0 where each row stands for itself.
    design_effect : float, optional
        The variance of the estimate over clusters, divided by that over as many independent rows (Kish 1965, section
        8.2): n divided by it is how many independent rows these are worth.
    sheets : sequence of Sheet
        Files for whoever works on the data. They are no part of the record.
    ceiling : str
        What keeps n from growing with the data, as a clause: the setting to raise, or that there is none. It follows
        the advice on an open verdict, and is no part of the record.
    settle : callable or None
        From a gate's bound to the sample that would settle an open verdict, None where no number would since the
        estimate sits on the gate, or a clause that says what would instead; for probes that know more of their interval
        than its width. It is asked only if need be, and is no part of the record.
    reach : callable or None
        Of a lower bound: from a gate's bound to whether it could have been exceeded. It is no part of the record.
    """

    estimate: float | None
    low: float | None
    high: float | None
    n: int
    method: str
    confidence: float = 0.95
    sample: str = Sentence("test examples")
    summary: str = field(default="", kw_only=True, repr=False)
    caveats: Sequence[str] = field(default=(), kw_only=True, repr=False)
    evidence: Sequence[Evidence] = field(default=(), kw_only=True, repr=False)
    interval: Literal["confidence", "approximate", "error bound", "detections"] = field(
        default="confidence", kw_only=True
    )
    undecided: str = field(default="", kw_only=True, repr=False)
    unbounded: str = field(default="", kw_only=True, repr=False)
    too_small: str = field(default="", kw_only=True, repr=False)
    caution: str = field(default="", kw_only=True, repr=False)
    remedy_effect: str = field(default="", kw_only=True, repr=False)
    outcome: Literal["", "supported", "refuted", "not settled"] = field(default="", kw_only=True)
    source: Literal["", "measured", "estimated"] = field(default="", kw_only=True)
    machine: str = field(default="", kw_only=True)
    stated: str = field(default="", kw_only=True)
    look: int = field(default=1, kw_only=True)
    stopped: Stop | None = field(default=None, kw_only=True)
    clusters: int = field(default=0, kw_only=True)
    design_effect: float | None = field(default=None, kw_only=True)
    sheets: Sequence[Sheet] = field(default=(), repr=False, compare=False, kw_only=True)
    ceiling: str = field(default="", repr=False, compare=False, kw_only=True)
    settle: Callable[[float], Settling | str | None] | None = field(
        default=None, repr=False, compare=False, kw_only=True
    )
    reach: Callable[[float], Reach] | None = field(default=None, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse figures that no gate can be held against: a verdict on them would be one on nothing.

        Raises
        ------
        ValueError
        """
        figures = (self.estimate, self.low, self.high)
        if any(value is not None and math.isnan(value) for value in figures):
            raise ValueError(f"a result with a figure that is no number: {figures}")
        if self.estimate is None:
            if self.high is not None or self.low not in (None, math.inf):
                raise ValueError(f"a result with an interval and no estimate in it: {figures}")
        elif not math.isfinite(self.estimate):
            raise ValueError(f"a result whose estimate is infinite: {figures}; where nothing bounds it, it has none")
        else:
            low, high = -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high
            if not low - _ROUNDING <= self.estimate <= high + _ROUNDING:
                raise ValueError(f"a result whose estimate does not lie within its interval: {figures}")
        if not isinstance(self.n, Integral) or self.n < 0:
            raise ValueError(f"a result with n = {self.n!r}; expected how many examples it rests on")
        if self.n == 0 and self.estimate is not None:
            raise ValueError(f"a result with figures, {figures}, and n = 0; expected on what it rests")
        if not isinstance(self.clusters, Integral) or self.clusters < 0:
            raise ValueError(f"a result with clusters = {self.clusters!r}; expected how many it rests on")
        if self.design_effect is not None and not (self.clusters and 0 <= self.design_effect < math.inf):
            raise ValueError(
                f"a result with design_effect = {self.design_effect!r} and clusters = {self.clusters}; expected a "
                "ratio of variances, and the clusters that it is about"
            )
        if not 0 < self.confidence < 1:
            raise ValueError(f"a result with confidence = {self.confidence!r}; expected a share between 0 and 1")

    @classmethod
    def census(cls, value: float, n: int, method: str, **more: Any) -> Result:
        """A count of everything there is, which has no sampling error."""
        return Result(value, value, value, n, method, **more)

    def shown(self, kind: type[_T]) -> list[_T]:
        """The pieces of evidence of one kind, in their order."""
        return [each for each in self.evidence if isinstance(each, kind)]

    @property
    def tables(self) -> list[Table]:
        """The tables of the evidence."""
        return self.shown(Table)

    @property
    def pairs(self) -> Pairs:
        """The texts of the evidence; empty where there are none."""
        return next(iter(self.shown(Pairs)), Pairs("", ()))

    @property
    def facts(self) -> dict[str, Cell]:
        """The single values of the evidence by name."""
        return {fact.name: fact.value for each in self.shown(Facts) for fact in each.items}


@dataclass(frozen=True, init=False)
class Measurement(Result):
    """A result under its id, as the catalogue or another package declares it.

    Parameters
    ----------
    id : str
        With its bracket: ``fairness.equalized_odds[gender]``.
    unit : str
        Unit of the estimate.
    estimate, low, high, n, method, confidence, sample
        As in :class:`Result`; its other fields by keyword.
    """

    id: str = field(default="", kw_only=True)
    unit: str = field(default="", kw_only=True)

    def __init__(
        self,
        id: str,
        estimate: float | None,
        low: float | None,
        high: float | None,
        n: int,
        unit: str,
        method: str,
        confidence: float = 0.95,
        **more: Any,
    ) -> None:
        super().__init__(estimate, low, high, n, method, confidence, **more)
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "unit", unit)

    @classmethod
    def stamped(cls, result: Result, id: str, unit: str) -> Measurement:
        """A result under its id and unit."""
        return cls(id, unit=unit, **{each.name: getattr(result, each.name) for each in fields(Result)})
