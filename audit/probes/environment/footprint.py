"""Environment: how large the model is, and how long one answer takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Facts, Table
from audit.core.measurement import Result
from audit.core.probe import Alarm, Probe
from audit.core.sentences import Sentence
from audit.inference.latency import CLOCK_NAMES, SingleTimes
from audit.text.redaction import printable

_RULES = ("MEASURE 2.12", "Article 9(8)", "A.5.5", "A.6.2.4")
QUANTILE = 0.95
SHOWN = 20  # files


@Probe(
    id="environment.latency",
    challenge="environment",
    title="Time within which nineteen of twenty texts are answered",
    unit="ms",
    counts="time that one answer in twenty exceeds",
    better="lower",
    range=(0, None),
    meaning=(
        "The time from a text to its answer on this machine, one text at a time; told is what one answer in twenty "
        "exceeds (the 95th percentile)."
    ),
    harm="Whoever waits loses the thread, and a device that computes for longer drains its battery.",
    remedy="A smaller or distilled model, 8-bit weights, shorter texts ([model] max_length).",
    measured_on=("test data", "machine"),
    alarm=Alarm(1000, "After a second people notice that they wait, and lose the thread (Nielsen 1993, section 5.5)."),
    rules=_RULES,
    guide="docs/edge.md",
    cause="energy",
    levers=("smaller model",),
)
def latency(times: SingleTimes, confidence: float = 0.95) -> Result:
    """The time that one answer in twenty exceeds, to single test texts.

    Parameters
    ----------
    times : SingleTimes
        From :func:`audit.inference.latency.measure_single`.
    confidence : float
        Two-sided confidence.

    Raises
    ------
    ValueError
        If there are too few times for an upper limit.

    Notes
    -----
    Limits by rank, :func:`audit.statistics.quantile`.
    """
    seconds = times["seconds"]
    slow = statistics.quantile(seconds, QUANTILE, confidence)
    median = statistics.quantile(seconds, 0.5, confidence)
    return Result(
        1000 * slow.estimate,
        1000 * slow.low,
        1000 * slow.high,
        len(seconds),
        Sentence(
            "{n} test texts, drawn at random, were given to the model one at a time after a warm-up; time is {clock}, "
            "from the text to the answer. Limits by rank, which hold for times of any distribution (David and Nagaraja "
            "2003).",
            n=len(seconds),
            clock=CLOCK_NAMES[times["clock"]],
        ),
        confidence,
        sample=Sentence("texts that were timed"),
        machine=times["machine"],
        summary=Sentence(
            "Half of the texts are answered within {median:,.1f} ms, nineteen in twenty within {slow:,.1f} ms.",
            median=1000 * median.estimate,
            slow=1000 * slow.estimate,
        ),
        caveats=[
            Sentence(
                "It is the time of this machine: a phone's is another, and only versions that were timed on one "
                "machine can be compared."
            )
        ],
        evidence=[
            Facts.of(
                {
                    Sentence("median, ms"): 1000 * median.estimate,
                    Sentence("slowest, ms"): 1000 * max(seconds),
                    **({Sentence("measured on"): times["created"]} if "created" in times else {}),
                }
            )
        ],
    )


@Probe(
    id="environment.size",
    challenge="environment",
    title="Size of the model",
    unit="MB",
    counts="megabytes on disk",
    better="lower",
    range=(0, None),
    meaning="What the model's files take on disk: weights, configuration and tokenizer.",
    harm="Each device that runs it stores and loads as much, and each release is sent to all of them.",
    remedy="8-bit weights, fewer or narrower layers, a smaller vocabulary.",
    measured_on=("files",),
    alarm=Alarm(2000, "The formats that phones read (ONNX, TensorFlow Lite) end at two gigabytes a file."),
    rules=_RULES,
    guide="docs/edge.md",
    cause="energy",
    levers=("smaller model",),
)
def size(paths: Mapping[str, Path]) -> Result:
    """Bytes of the model's files; a census.

    Parameters
    ----------
    paths : mapping of str to Path
        The files by name; empty where none are known.

    Raises
    ------
    NotAssessed
        If no files are known.
    """
    if not paths:
        raise NotAssessed(
            Sentence(
                "no files of the model are known; a classifier of one's own lists what it reads in its attribute "
                "`files`"
            )
        )
    sizes = {name: path.stat().st_size for name, path in paths.items()}
    largest = sorted(sizes.items(), key=lambda each: (-each[1], each[0]))[:SHOWN]
    return Result.census(
        sum(sizes.values()) / 1e6,
        len(sizes),
        Sentence("The bytes of all files that the model consists of, a megabyte being a million of them."),
        sample=Sentence("files"),
        caveats=[Sentence("How much memory it takes while it runs is another figure, which no file tells.")],
        evidence=[
            Table(
                Sentence("The largest files"),
                [Sentence("file"), Sentence("MB")],
                [[printable(name, 80), size / 1e6] for name, size in largest],
            )
        ],
    )
