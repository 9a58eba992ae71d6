"""Security: texts that are made to keep a service busy, or to bring it down."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from audit import statistics
from audit.probes.disturbances.letters import INVISIBLE
from audit.verdict import Measurement, number

QUANTILE = 0.99
LONGEST = 1_000_000  # characters; about what a web server lets through unless it is told otherwise
_DECADES = (100, 1_000, 10_000, 100_000, LONGEST)
KINDS_TOLD = 3  # the table holds all
# Part of the key of kept times: raise it whenever the texts change.
REVISION = 1


def _any_characters() -> str:
    """4,096 characters from the whole of Unicode, unassigned ones among them, but for lone surrogates."""
    rng = random.Random("any characters")
    codes = (rng.randrange(0x110000 - 0x800) for _ in range(4096))
    return "".join(chr(code if code < 0xD800 else code + 0x800) for code in codes)


# What each kind repeats until the text is long enough.
KINDS: Mapping[str, str] = {
    "empty text": "",
    "spaces": " ",
    "line breaks": "\r\n",
    "ordinary prose": "The parcel came a week late and its box was torn, but the lamp works and I like the light. ",
    "one word without an end": "abcdefghijklmnopqrstuvwxyz",
    "one number without an end": "9876543210",
    "single letters": "a b c d e f g h ",
    "punctuation": "!?.,;:-/()[]{}'\"",
    "HTML tags": "<div><b><i>",
    "HTML entities": "&lt;&#0;&amp;",
    "words that steer a tokenizer": "[CLS] [SEP] [MASK] [PAD] [UNK] <s> </s> ",
    "control characters": "".join(map(chr, (*range(32), *range(127, 160)))),
    "halves of characters": "\ud83d a\udc00 ",  # lone surrogates, as JSON's \ud83d brings them
    "Chinese characters": "这盏灯很好看但是来得太晚",
    "Korean syllables": "이조명은예쁘지만너무늦게왔어요",
    "right-to-left text and its marks": "\u202eabc\u202c\u2067\u05e0\u05e8 \u05d8\u05d5\u05d1\u2069 \u061c\u0645 ",
    "invisible characters": "".join(INVISIBLE),
    "stacked accents": "e" + "\u0300\u0316\u0301\u0317\u0302\u0323\u0304\u0331" * 6,
    "joined emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\u200d",
    "characters that stand for many": "\ufdfa\u3300\ufb03",  # compatibility forms, the first of a whole sentence
    "unassigned and private characters": "\ue000\uffff\U000e0fff\U0010ffff",
    "characters of all kinds": _any_characters(),
}  # fmt: skip


class Request(NamedTuple):
    """A hostile text by its recipe, since many of them would fill the memory."""

    kind: str
    length: int

    @property
    def text(self) -> str:
        """The text itself; of that many characters, unless it is the empty one."""
        unit = KINDS[self.kind]
        return (unit * (self.length // len(unit) + 1))[: self.length] if unit else ""


def hostile_requests(seed: int = 0, confidence: float = 0.95) -> list[Request]:
    """Hostile texts in random order, as many as an upper limit of the 99th percentile takes.

    Each kind is as likely as any other, and each order of magnitude of the length, from one character to a million,
    as any other.
    """
    rng = random.Random(seed)
    # Half the error is the ordinary texts'; a fifth more, so that the slowest single one does not decide alone.
    count = math.ceil(1.2 * statistics.enough_for_quantile(QUANTILE, statistics.shared_out(confidence, 2)))
    return [Request(rng.choice(list(KINDS)), round(math.exp(rng.uniform(0, math.log(LONGEST))))) for _ in range(count)]


def latency_tail(times: Mapping[str, Any], confidence: float = 0.95) -> Measurement:
    """How much longer the slowest hostile texts keep the model busy than an ordinary one, and whether all are answered.

    Parameters
    ----------
    times : mapping
        From :func:`audit.latency.measure_latency`: ``ordinary``, seconds of ordinary texts; ``hostile``, of each
        hostile one ``kind, length, seconds, memory, error``, without seconds where there was no answer; ``clock``.
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
    return Measurement(
        "security.latency_tail",
        estimate,
        low,
        high,
        len(hostile),
        "times the median",
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
