"""What a finding shows beside its figure: each kind of evidence is a small type, drawn by one renderer of the report.

Texts are masked where they are made (:mod:`audit.text.redaction`); captions and names of columns may be sentences. A
kind is known by its ``kind``, which is also what tells them apart in the record. What may hold texts of the data has no
``repr`` of its own, which a failing test would print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Literal, TypeVar, get_args, get_type_hints, overload

from audit.core.sentences import from_json as sentence_from_json
from audit.core.sentences import to_json as sentence_to_json

# What stands beside a type is for the JSON Schema of the record.
Figure = float | None
Share = Annotated[float | None, {"minimum": 0, "maximum": 1}]
Size = Annotated[float | None, {"minimum": 0}]
Cell = str | float | bool | None
_T = TypeVar("_T")
# Fields that the record does not hold where nothing is in them.
_LEFT_OUT: Sequence[tuple[str, object]] = (("after", None), ("units", ()), ("gain", ()), ("outdoes", ""))
_FOUR = {"minItems": 4, "maxItems": 4}
_THREE = {"minItems": 3, "maxItems": 3}


@dataclass(frozen=True, repr=False)
class Table:
    """Rows of cells. A column named ``low`` with one named ``high`` behind it is the interval of the column before.

    Numbers are raw, a share between 0 and 1; the page writes them by the unit of their column.

    Parameters
    ----------
    caption : str
    columns : sequence of str
    rows : sequence of sequence
        As many cells each as there are columns.
    units : sequence of str
        One for each column, as that of a probe: ``"share"``, ``"points"``, ``"kWh"``; the empty string for none.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    units: Sequence[str] = ()
    kind: Literal["table"] = "table"


@dataclass(frozen=True, repr=False)
class Pair:
    """A text before and after a change, and what became of the answer; without `after` where nothing is changed.

    `row` is where the text stands in the user's data, counted from 1; None for a text that was made for the audit.
    """

    before: str
    note: str
    after: str | None = None
    row: int | None = None


@dataclass(frozen=True, repr=False)
class Pairs:
    """Texts from the data or made for the audit, with what changed in them."""

    caption: str
    items: Sequence[Pair]
    kind: Literal["pairs"] = "pairs"


@dataclass(frozen=True, repr=False)
class Confusion:
    """How often each class (rows of `counts`) was given each label (columns); None for a cell too small to show."""

    classes: Sequence[str]
    counts: Sequence[Sequence[int | str | None]]
    kind: Literal["confusion"] = "confusion"


@dataclass(frozen=True, repr=False)
class Calibration:
    """A reliability diagram: for each bin mean confidence, accuracy, and the ends of the accuracy's interval."""

    bins: Sequence[Annotated[Sequence[Share], _FOUR]]
    kind: Literal["calibration"] = "calibration"


@dataclass(frozen=True, repr=False)
class Roc:
    """One ROC curve: points (false-alarm rate, hit rate), and (level, hit rate, low, high) at some of the rates."""

    name: str
    points: Annotated[Sequence[Annotated[Sequence[Share], {"minItems": 2, "maxItems": 2}]], {"maxItems": 100}]
    intervals: Annotated[Sequence[Annotated[Sequence[Share], _FOUR]], {"maxItems": 4}]


@dataclass(frozen=True, repr=False)
class RocCurves:
    """ROC curves, at most four."""

    caption: str
    curves: Annotated[Sequence[Roc], {"maxItems": 4}]
    kind: Literal["roc"] = "roc"


@dataclass(frozen=True, repr=False)
class Curve:
    """Points (x, y, low, high) of one curve."""

    name: str
    points: Annotated[Sequence[Annotated[Sequence[Figure], _FOUR]], {"maxItems": 100}]


@dataclass(frozen=True, repr=False)
class Curves:
    """Curves with intervals, at most four."""

    caption: str
    series: Annotated[Sequence[Curve], {"maxItems": 4}]
    logarithmic: bool = False
    kind: Literal["curves"] = "curves"


@dataclass(frozen=True, repr=False)
class Distribution:
    """How values are spread: for each name the quantiles at `levels`, in `unit`."""

    caption: str
    unit: str
    levels: Sequence[float]
    rows: Sequence[tuple[str, Sequence[Figure]]]
    kind: Literal["distribution"] = "distribution"


@dataclass(frozen=True, repr=False)
class ParetoModel:
    """A model by accuracy and Wh per 1,000 predictions (each estimate, low, high).

    Parameters
    ----------
    front : bool
        Whether, by the estimates, no other is as good in both respects.
    audited : bool
        Whether it is the model of the audit.
    gain : (float, float, float)
        Accuracy above the audited model's, on the same examples; the error is shared out over all that is said of the
        models beside it.
    outdoes : {"both", "accuracy"}
        The audited model: surely at least as often right for surely less electricity; surely more often right for what
        cannot be told apart.
    """

    name: str
    accuracy: Annotated[Sequence[Share], _THREE]
    wh: Annotated[Sequence[Size], _THREE]
    front: bool
    audited: bool
    gain: Annotated[Sequence[Figure], {"maxItems": 3}] = ()
    outdoes: Literal["", "both", "accuracy"] = ""


@dataclass(frozen=True, repr=False)
class Pareto:
    """Models by accuracy and energy, at most twenty."""

    models: Annotated[Sequence[ParetoModel], {"maxItems": 20}]
    kind: Literal["pareto"] = "pareto"


@dataclass(frozen=True, repr=False)
class Attribution:
    """An answer with the words that it rests on: parts of the text with weights from -4 to 4."""

    answer: str
    probability: Share
    truth: str
    passed: bool
    parts: Sequence[tuple[str, Annotated[int, {"minimum": -4, "maximum": 4}]]]


@dataclass(frozen=True, repr=False)
class Attributions:
    """Answers with the words that they rest on, at most twenty."""

    answers: Annotated[Sequence[Attribution], {"maxItems": 20}]
    kind: Literal["attributions"] = "attributions"


@dataclass(frozen=True, repr=False)
class Shift:
    """How a score moves when a text comes to be about a group.

    Parameters
    ----------
    group, source : str
        The group, and where the texts are from.
    change : (float, float, float)
        Mean change towards positive and its interval, from -2 to 2.
    number : int
        Texts, or templates of texts.
    p : float or None
        Of the sign test; None where nothing moves.
    """

    group: str
    source: str
    change: Annotated[Sequence[Figure], _THREE]
    number: Annotated[int, {"minimum": 1}]
    p: Share


@dataclass(frozen=True, repr=False)
class Shifts:
    """Who is read as more negative, and who as more positive, on one attribute of people.

    Parameters
    ----------
    caption : str
    attribute : str
    items : sequence of Shift
        Their intervals hold together, with the confidence of the finding.
    """

    caption: str
    attribute: str
    items: Sequence[Shift]
    kind: Literal["shifts"] = "shifts"


@dataclass(frozen=True, repr=False)
class Fact:
    """A single value and what it is."""

    name: str
    value: Cell
    unit: str = ""


@dataclass(frozen=True, repr=False)
class Facts:
    """Single values that belong to a finding."""

    items: Sequence[Fact]
    kind: Literal["facts"] = "facts"

    @classmethod
    def of(cls, values: Mapping[str, Cell]) -> Facts:
        """From names to values."""
        return cls(tuple(Fact(name, value) for name, value in values.items()))


Evidence = (
    Table | Pairs | Confusion | Calibration | RocCurves | Curves | Distribution | Pareto | Attributions | Shifts | Facts
)
KINDS: Mapping[str, type[Evidence]] = {
    get_args(hint)[0]: kind for kind in get_args(Evidence) for hint in [get_type_hints(kind)["kind"]]
}
# What former versions wrote: such a piece of a record is read, and not shown any more.
FORMER_KINDS = ("attention",)


@overload
def to_json(value: Evidence) -> dict[str, object]: ...


@overload
def to_json(value: object) -> object: ...


def to_json(value: object) -> object:
    """A piece of evidence as plain JSON; sentences as their templates and values."""
    if is_dataclass(value) and not isinstance(value, type):
        items = ((field.name, getattr(value, field.name)) for field in fields(value))
        return {name: to_json(item) for name, item in items if (name, item) not in _LEFT_OUT}
    if isinstance(value, str):
        return sentence_to_json(value)
    if isinstance(value, Sequence):
        return [to_json(item) for item in value]
    return value


def from_json(value: Mapping[str, object]) -> Evidence | None:
    """The piece of evidence that :func:`to_json` wrote; None where it is of a kind that this version does not know."""
    kind = KINDS.get(str(value["kind"]))
    return None if kind is None else _revived(kind, value)


def _revived(kind: type[_T], value: Mapping[str, object]) -> _T:
    parts = _parts(kind)  # type: ignore[arg-type]  # to mypy no type[T] is hashable
    return kind(
        **{
            name: [_revived(part, each) for each in item]
            if (part := parts[name]) is not None and isinstance(item, Sequence)
            else _plain(item)
            for name, item in value.items()
            if name in parts
        }
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return sentence_from_json(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


@cache
def _parts(kind: type[object]) -> Mapping[str, type | None]:
    """The fields of a kind, with the type of their items where they are sequences of a type of its own."""
    items = {name: (get_args(hint) or (None,))[0] for name, hint in get_type_hints(kind).items()}
    return {name: item if is_dataclass(item) and isinstance(item, type) else None for name, item in items.items()}
