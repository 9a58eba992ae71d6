"""Security: texts that are made to keep a service busy, or to bring it down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from audit import statistics
from audit.core.evidence import Cell, Facts, Table
from audit.core.measurement import Result
from audit.core.probe import Alarm, Probe
from audit.core.sentences import Sentence, joined, listed
from audit.inference.latency import CLOCK_NAMES, NO_PROBABILITIES, HostileAnswer, Latencies
from audit.text.hostile import KINDS, LONGEST, QUANTILE

_DECADES = (100, 1_000, 10_000, 100_000, LONGEST)
KINDS_TOLD = 3  # the table holds all
_NAMES: Mapping[str, str] = {str(name): name for name in (*KINDS, NO_PROBABILITIES)}
_UNDECIDED = Sentence("the slowest times lie on both sides of the gate; texts cut sooner would settle it")


@Probe(
    id="security.latency_tail",
    challenge="security",
    title="Slowest answers against the median, under hostile texts",
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
    alarm=Alarm(
        10, "One such text then takes as long as ten others: a tenth of the senders uses up half of a machine."
    ),
    range=(0, None),
    guide="docs/latency.md",
    rules=("MEASURE 2.7", "Article 9(8)", "Article 13", "Article 15(4)", "A.6.2.4", "GDPR 32"),
)
def latency_tail(times: Latencies, confidence: float = 0.95) -> Result:
    """How much longer the slowest hostile texts keep the model busy than an ordinary one, and whether all are answered.

    Parameters
    ----------
    times : Latencies
        From :func:`audit.inference.latency.measure_latency`.
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
    hostile, ordinary = times["hostile"], times["ordinary"]
    answered = [each["seconds"] for each in hostile if each["seconds"] is not None]
    usual = statistics.quantile(ordinary, 0.5).estimate
    estimate: float | None
    high: float | None
    if len(answered) < len(hostile):
        estimate, low, high = None, math.inf, None
    else:
        estimate, low, high = statistics.ratio_of_quantiles(answered, QUANTILE, ordinary, 0.5, confidence)
        if math.isinf(high):
            raise ValueError(f"{len(hostile)} hostile texts are too few for a limit of their 99th percentile")
    memory = [each["memory"] for each in hostile if each["memory"] is not None]
    facts: dict[str, Cell] = {Sentence("median of ordinary texts, ms"): 1000 * usual}
    if "created" in times:
        facts[Sentence("measured on")] = times["created"]
    if memory:
        facts[Sentence("most memory that one text added, MB")] = max(memory) / 1e6
    return Result(
        estimate,
        low,
        high,
        len(hostile),
        Sentence(
            "{hostile} texts of {kinds} kinds, from one character to a million, were given to the model one at a time, "
            "and {ordinary} test texts among them. The figure is the time that one hostile text in a hundred exceeds "
            "(their 99th percentile), over the median of the test texts. Time is {clock}, from the text to the answer; "
            "a text without an answer makes it endless. Limits by rank, which hold for times of any distribution "
            "(David and Nagaraja 2003), each at half the error.",
            hostile=len(hostile),
            kinds=len(KINDS),
            ordinary=len(ordinary),
            clock=CLOCK_NAMES[times["clock"]],
        ),
        confidence,
        sample=Sentence("hostile texts"),
        machine=times["machine"],
        summary=_summary(hostile, usual),
        unbounded=_unbounded(hostile),
        undecided=_UNDECIDED if len(answered) == len(hostile) else "",
        caveats=_caveats(hostile, usual, times.get("max_characters"), bool(memory)),
        evidence=[_by_kind(hostile, usual), _by_length(hostile, usual), Facts.of(facts)],
    )


def _name(name: str) -> str:
    """A kind of text, or what came in the place of an answer, as a sentence; plain where it comes from the cache."""
    return _NAMES.get(name, name)


def _answered(hostile: Sequence[HostileAnswer]) -> list[tuple[float, HostileAnswer]]:
    """The texts that got an answer with their seconds, the slowest last."""
    answered = [(each["seconds"], each) for each in hostile if each["seconds"] is not None]
    return sorted(answered, key=lambda each: each[0])


def _summary(hostile: Sequence[HostileAnswer], usual: float) -> str:
    answered = _answered(hostile)
    if len(answered) < len(hostile):
        return Sentence(
            "{unanswered} of {hostile} hostile texts got no answer; the table has their kinds.",
            unanswered=len(hostile) - len(answered),
            hostile=len(hostile),
        )
    seconds, slowest = answered[-1]
    return Sentence(
        "All {hostile} hostile texts got an answer; the slowest, {length:,} characters of “{kind}”, took "
        "{slowest:,.1f} ms, an ordinary text {usual:,.1f} ms.",
        hostile=len(hostile),
        length=slowest["length"],
        kind=_name(slowest["kind"]),
        slowest=1000 * seconds,
        usual=1000 * usual,
    )


def _unbounded(hostile: Sequence[HostileAnswer]) -> str:
    """Kinds that got no answer, with what happened; empty where there are none."""
    errors: dict[str, dict[str, None]] = {}
    for each in hostile:
        if each["seconds"] is None:
            errors.setdefault(each["kind"], {})[str(each["error"])] = None
    if not errors:
        return ""
    kinds = listed(
        [
            Sentence("“{kind}” ({errors})", kind=_name(kind), errors=listed(list(map(_name, names))))
            for kind, names in islice(errors.items(), KINDS_TOLD)
        ]
    )
    rest = len(errors) - KINDS_TOLD
    if rest == 1:
        return Sentence("the model gives no answer to {kinds} and 1 more kind of text", kinds=kinds)
    if rest > 1:
        return Sentence("the model gives no answer to {kinds} and {rest} more kinds of text", kinds=kinds, rest=rest)
    return Sentence("the model gives no answer to {kinds}", kinds=kinds)


def _caveats(
    hostile: Sequence[HostileAnswer], usual: float, max_characters: int | None, knows_memory: bool
) -> list[str]:
    service: str = Sentence(
        "It times the model as this audit runs it, one text at a time, without the network, queues and limits of a "
        "service around it."
    )
    caveats = [
        joined([service, _cut(max_characters)]),
        _mix(hostile, usual),
    ]
    if knows_memory:
        caveats.append(
            Sentence(
                "Memory is what the process asked of the system beyond what it held; what it held and used again is "
                "not counted, nor is the memory of a graphics card."
            )
        )
    return caveats


def _mix(hostile: Sequence[HostileAnswer], usual: float) -> str:
    """Whose mix of kinds the figure is of, and what the worst of them comes to alone."""
    choice: str = Sentence(
        "The share of each kind and length is this audit's choice, not that of any real attacker, and other kinds "
        "may be slower."
    )
    if not (answered := _answered(hostile)):
        return choice
    seconds, slowest = answered[-1]
    alone = Sentence(
        "Who sends nothing but the slowest text that was answered (“{kind}”, {length:,} characters) has {times:,.1f} "
        "times the median each time.",
        kind=_name(slowest["kind"]),
        length=slowest["length"],
        times=seconds / usual,
    )
    return joined([choice, alone])


def _cut(characters: int | None) -> str:
    """What the audit cuts before the tokenizer, and a service must too; nothing is known of a scorer not our own."""
    if characters is None:
        return ""
    if characters == 0:
        return Sentence("Nothing cuts a text before the tokenizer has read all of it.")
    return Sentence(
        "It reads the first {characters:,} characters of a text; a service that reads more is slower.",
        characters=characters,
    )


def _by_kind(hostile: Sequence[HostileAnswer], usual: float) -> Table:
    rows: list[tuple[str, int, int, float | None, float | None, float | None]] = []
    for kind in dict.fromkeys(each["kind"] for each in hostile):
        of_kind = [each for each in hostile if each["kind"] == kind]
        seconds = [each["seconds"] for each in of_kind if each["seconds"] is not None]
        memory = [each["memory"] / 1e6 for each in of_kind if each["memory"] is not None]
        rows.append((
            _name(kind), len(of_kind), len(of_kind) - len(seconds), max(seconds, default=None),
            max(seconds) / usual if seconds else None, max(memory, default=None),
        ))  # fmt: skip
    rows.sort(key=lambda row: (-row[2], -(row[3] or 0)))
    return Table(
        Sentence("Kinds of hostile text, the worst first"),
        [
            Sentence("kind"),
            Sentence("texts"),
            Sentence("without an answer"),
            Sentence("slowest, s"),
            Sentence("slowest, times the median"),
            Sentence("memory added, MB"),
        ],
        rows,
    )


def _by_length(hostile: Sequence[HostileAnswer], usual: float) -> Table:
    rows: list[list[Cell]] = []
    for low, high in zip((-1, *_DECADES), _DECADES, strict=False):
        seconds = [e["seconds"] for e in hostile if low < e["length"] <= high and e["seconds"] is not None]
        if seconds:
            at_most = Sentence("{characters:,}", characters=high)
            rows.append([at_most, len(seconds), float(np.median(seconds)) / usual, max(seconds) / usual])
    return Table(
        Sentence("Answered texts by length: where the time grows with it, only a limit on the length bounds it"),
        [
            Sentence("characters, at most"),
            Sentence("texts"),
            Sentence("median, times that of ordinary ones"),
            Sentence("slowest, likewise"),
        ],
        rows,
    )
