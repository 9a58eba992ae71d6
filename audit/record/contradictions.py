"""What in a record contradicts itself, so that it cannot be as an audit wrote it: figures, verdicts, its own answers.

A hash beside a record is written anew by whoever changes both. What figures imply of each other is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from audit import statistics
from audit.core.errors import AuditError
from audit.core.identifiers import base_id
from audit.core.measurement import Result
from audit.core.records import FindingRecord, Record, section
from audit.core.verdict import Gate, Verdict, settled
from audit.data import labels
from audit.record import declarations
from audit.statistics import Array
from audit.text.redaction import printable

_ROUNDING = 1e-6
# What answers and truth determine, by the finding that states it of all test examples.
_OF_CONFUSION: dict[str, Callable[[Array], ArrayLike]] = {
    "quality.accuracy": lambda counts: np.trace(counts) / counts.sum(),
    "quality.balanced_accuracy": statistics.balanced_accuracy.of,
    "quality.macro_f1": statistics.macro_f1.of,
    "quality.mcc": statistics.mcc.of,
}
# The same of ordered classes.
_OF_DISTANCES: dict[str, Callable[[Array], ArrayLike]] = {
    "quality.mean_absolute_error": statistics.mean_distance_of,
    "quality.off_by_more_than_one": lambda counts: counts[statistics.distances(len(counts)) > 1].sum() / counts.sum(),
    "quality.quadratic_kappa": statistics.quadratic_kappa.of,
}


def within(value: Record) -> str:
    """The first contradiction within a record, as a clause; empty where there is none.

    Figures outside of their interval, or of the range that their kind has; a pass that its interval does not bear out;
    two findings under one id.
    """
    ranges = {full_id: declared.range for full_id, declared in declarations.of_record(value).items()}
    seen: set[str] = set()
    for finding in value["findings"]:
        name = printable(finding["id"], 80)
        if finding["id"] in seen:
            return f"{name} stands there twice"
        seen.add(finding["id"])
        figures = finding["estimate"], finding["low"], finding["high"]
        try:
            result = Result(*figures, finding["n"], "", finding["confidence"])
        except ValueError:
            return f"{name} has figures that contradict each other {_shown(finding)}"
        least, most = ranges.get(base_id(finding["id"]), (None, None))
        beyond = (
            (least is not None and each < least - _ROUNDING) or (most is not None and each > most + _ROUNDING)
            for each in figures
            if each is not None and math.isfinite(each)
        )
        if any(beyond):
            return f"{name} has figures that it cannot have {_shown(finding)}"
        gate = finding["gate"]
        if finding["verdict"] == Verdict.PASS and (gate is None or not _holds(result, gate)):
            return f"{name} passes, which its figures do not bear out {_shown(finding)}"
    return ""


def with_answers(value: Record, answers: Mapping[tuple[str, str, int], str]) -> str:
    """The first figure of a record that the answers beside it contradict, as a clause; empty where there is none.

    Parameters
    ----------
    value : Record
    answers : mapping of (str, str, int) to str
        To each test example, whose key holds its label.
    """
    seen, order = {*(label for _, label, _ in answers), *answers.values()}, _order(value)
    classes = order if seen <= {*order} else tuple(sorted(seen))
    index = {name: i for i, name in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)))
    for (_, label, _), answer in answers.items():
        counts[index[label], index[answer]] += 1
    rows = [index[name] for name in seen]
    given = dict.fromkeys(_OF_CONFUSION, counts[np.ix_(rows, rows)])
    if classes == order:  # classes that nobody gave or has lie between others all the same
        given |= dict.fromkeys(_OF_DISTANCES, counts)
    for finding in value["findings"]:
        estimate = finding["estimate"]
        # Another number of examples is another question, which a test of the user's own may have asked.
        if finding["id"] not in given or estimate is None or finding["n"] != len(answers):
            continue
        found = float(np.asarray((_OF_CONFUSION | _OF_DISTANCES)[finding["id"]](given[finding["id"]])))
        if abs(estimate - found) > _ROUNDING:
            return f"{finding['id']} is {estimate:.4g} in it, and those answers give {found:.4g}"
    return ""


def _order(value: Record) -> tuple[str, ...]:
    """The classes of a record in their order; empty where nothing orders them."""
    stated = section(value["policy"], "model").get("order") or ()
    try:
        return labels.ordered(value["model"]["labels"], stated, "")  # type: ignore[arg-type]
    except (AuditError, AttributeError, KeyError, TypeError):  # what is no order of these classes orders none
        return ()


def _holds(result: Result, gate: Mapping[str, object]) -> bool:
    return settled(result, Gate(gate.get("min"), gate.get("max"))) is Verdict.PASS  # type: ignore[arg-type]


def _shown(finding: FindingRecord) -> str:
    figures = finding["estimate"], finding["low"], finding["high"]
    words = (f"{each:.4g}" if each is not None else "none" for each in figures)
    return f"(estimate, low, high: {', '.join(words)}; n = {finding['n']:.0f})"
