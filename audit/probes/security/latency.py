"""Security: texts that are made to keep a service busy, or to bring it down."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from audit import statistics
from audit.core.measurement import Result
from audit.core.numbers import number
from audit.core.probe import Probe
from audit.text.hostile import KINDS, LONGEST, QUANTILE

_DECADES = (100, 1_000, 10_000, 100_000, LONGEST)
KINDS_TOLD = 3  # the table holds all


@Probe(
    id="security.latency_tail",
    challenge="security",
    title="Slowest answers under hostile texts",
    unit="times",
    counts="times the median",
    better="lower",
    meaning=(
        "Texts made to keep the model busy (a million characters, words without an end, invisible or broken "
        "characters, empty texts) are given to it one at a time. The time that one in a hundred of them exceeds is "
        "told in times of the median of ordinary texts. One text without an answer is enough to fail."
    ),
    harm="One sender can keep everybody else waiting, or bring the service down, with a few cheap requests.",
    remedy=(
        "Cut texts by characters before the tokenizer reads them ([model] max_characters), in the service as in the "
        "audit; repair what the table shows without an answer."
    ),
    measured_on=("test data", "machine"),
    rules=("MEASURE 2.7", "Article 9(8)", "Article 13", "Article 15(4)", "A.6.2.4"),
)
def latency_tail(times: Mapping[str, Any], confidence: float = 0.95) -> Result:
    """How much longer the slowest hostile texts keep the model busy than an ordinary one, and whether all are answered.

    Parameters
    ----------
    times : mapping
        From :func:`audit.inference.latency.measure_latency`: ``ordinary``, seconds of ordinary texts; ``hostile``, of
        each hostile one ``kind, length, seconds, memory, error``, without seconds where there was no answer; ``clock``.
    confidence : float
        Two-sided confidence.

    Raises
    ------
    ValueError
        If there are too few times for an upper limit.

    Notes
    -----
    :func:`audit.statistics.ratio_of_quantiles`. One text without an answer is enough for a tail without bound, whatever
    its share: somebody who knows it sends no other.
    """
    hostile: Sequence[Mapping[str, Any]] = times["hostile"]
    unanswered = [each for each in hostile if each["seconds"] is None]
    answered = [each for each in hostile if each["seconds"] is not None]
    usual = statistics.quantile(times["ordinary"], 0.5).estimate
    details: dict[str, Any] = {
        "median of ordinary texts, ms": 1000 * usual,
        "machine": times["machine"],
        **({"measured on": times["created"]} if "created" in times else {}),
        "tables": [_by_kind(hostile, usual), _by_length(hostile, usual)],
        "limits": [
            "It times the model as this audit runs it, one text at a time, without the network, queues and limits of a "
            f"service around it.{_cut(times.get('max_characters'))}",
            "The share of each kind and length is this audit's choice, not that of any real attacker, and other kinds "
            "may be slower.",
        ],
    }
    if memory := [each["memory"] for each in hostile if each.get("memory") is not None]:
        details["most memory that one text added, MB"] = max(memory) / 1e6
        details["limits"].append(
            "Memory is what the process asked of the system beyond what it held; what it held and used again is not "
            "counted, nor is the memory of a graphics card."
        )
    if unanswered:
        details["summary"] = (
            f"{len(unanswered)} of {len(hostile)} hostile texts got no answer; the table has their kinds."
        )
        details["unbounded"] = f"the model gives no answer to {_listed(unanswered)}"
        estimate, low, high = None, math.inf, None
    else:
        estimate, low, high = statistics.ratio_of_quantiles(
            [each["seconds"] for each in answered], QUANTILE, times["ordinary"], 0.5, confidence
        )
        if math.isinf(high):
            raise ValueError(f"{len(hostile)} hostile texts are too few for a limit of their 99th percentile")
        slowest = max(answered, key=lambda each: each["seconds"])
        details["summary"] = (
            f"All {len(hostile)} hostile texts got an answer; the slowest, {slowest['length']:,} characters of "
            f"“{slowest['kind']}”, took {number(1000 * slowest['seconds'], 1)} ms, an ordinary text "
            f"{number(1000 * usual, 1)} ms."
        )
        details["undecided"] = "the slowest times lie on both sides of the gate; texts cut sooner would settle it"
    return Result(
        estimate,
        low,
        high,
        len(hostile),
        f"{len(hostile)} texts of {len(KINDS)} kinds, from one character to a million, were given to the model one at "
        f"a time, and {len(times['ordinary'])} test texts among them. The figure is the time that one hostile text in "
        "a hundred exceeds (their 99th percentile), over the median of the test texts. Time is "
        f"{_CLOCKS[times['clock']]}, from the text to the answer; a text without an answer makes it endless. "
        "Limits by rank, which hold for times of any distribution (David and Nagaraja 2003), each at half the error.",
        confidence,
        sample="hostile texts",
        details=details,
    )


def _cut(characters: int | None) -> str:
    """What the audit cuts before the tokenizer, and a service must too; nothing is known of a scorer not our own."""
    if characters is None:
        return ""
    if characters == 0:
        return " Nothing cuts a text before the tokenizer has read all of it."
    return f" It reads the first {characters:,} characters of a text; a service that reads more is slower."


_CLOCKS = {
    "processor": "processor time on one thread, so that other work on the machine hardly counts",
    "wall": "time by the clock, so that other work on the machine counts too",
}


def _listed(unanswered: Iterable[Mapping[str, Any]]) -> str:
    """Kinds that got no answer, with what happened."""
    errors: dict[str, dict[str, None]] = {}
    for each in unanswered:
        errors.setdefault(each["kind"], {})[each["error"]] = None
    told = [f"“{kind}” ({', '.join(names)})" for kind, names in islice(errors.items(), KINDS_TOLD)]
    rest = len(errors) - len(told)
    return ", ".join(told) + (f" and {rest} more kind{'s' * (rest > 1)} of text" if rest else "")


def _by_kind(hostile: Sequence[Mapping[str, Any]], usual: float) -> dict[str, Any]:
    rows = []
    for kind in dict.fromkeys(each["kind"] for each in hostile):
        of_kind = [each for each in hostile if each["kind"] == kind]
        seconds = [each["seconds"] for each in of_kind if each["seconds"] is not None]
        memory = [each["memory"] / 1e6 for each in of_kind if each.get("memory") is not None]
        rows.append([
            kind, len(of_kind), len(of_kind) - len(seconds), max(seconds, default=None),
            max(seconds) / usual if seconds else None, max(memory, default=None),
        ])  # fmt: skip
    rows.sort(key=lambda row: (-row[2], -(row[3] or 0)))
    return {
        "caption": "Kinds of hostile text, the worst first",
        "columns": [
            "kind",
            "texts",
            "without an answer",
            "slowest, s",
            "slowest, times the median",
            "memory added, MB",
        ],
        "rows": rows,
    }


def _by_length(hostile: Sequence[Mapping[str, Any]], usual: float) -> dict[str, Any]:
    rows = []
    for low, high in zip((-1, *_DECADES), _DECADES, strict=False):
        seconds = [e["seconds"] for e in hostile if low < e["length"] <= high and e["seconds"] is not None]
        if seconds:
            rows.append([f"{high:,}", len(seconds), float(np.median(seconds)) / usual, max(seconds) / usual])
    return {
        "caption": "Answered texts by length: where the time grows with it, only a limit on the length bounds it",
        "columns": ["characters, at most", "texts", "median, times that of ordinary ones", "slowest, likewise"],
        "rows": rows,
    }
