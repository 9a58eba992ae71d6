"""Times that are given, never taken: which services pass, which fail, and in which words; and the texts themselves."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from audit import Gate, Measurement, Verdict, judge
from audit.core.verdict import Finding
from audit.inference.latency import HostileAnswer, Latencies
from audit.probes.security.latency import latency_tail
from audit.record import record
from audit.text.hostile import KINDS, Request, hostile_requests
from tests.helpers import cells, is_one_sentence

GATE = Gate(max=20)
REQUESTS = hostile_requests()


def times(
    seconds: Callable[[int], float], *, crashes: Callable[[Request], str | None] = lambda request: None, **more: Any
) -> Latencies:
    """What would be measured of a service whose time is a function of the length, give or take a tenth."""
    rng = np.random.default_rng(0)
    hostile: list[HostileAnswer] = [
        {
            "kind": request.kind,
            "length": len(request.text),
            "seconds": None if crashes(request) else seconds(len(request.text)) * rng.uniform(0.9, 1.1),
            "memory": 4096,
            "error": crashes(request),
        }
        for request in REQUESTS
    ]
    ordinary = [seconds(int(length)) * rng.uniform(0.9, 1.1) for length in rng.integers(50, 250, size=132)]
    made = {"ordinary": ordinary, "hostile": hostile, "clock": "processor", "machine": "a machine", **more}
    return cast("Latencies", made)


def flat(length: int) -> float:
    return 0.002 + 0.000_02 * min(length, 500)


def quadratic(length: int) -> float:
    return 0.002 + 1e-8 * length**2


def test_a_service_that_cuts_passes_and_one_that_reads_everything_fails() -> None:
    assert judge(latency_tail(times(flat)), GATE) == (Verdict.PASS, "")
    found = latency_tail(times(quadratic))
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert found.low is not None
    assert found.low > 1000
    lengths = cells(found.tables[1])
    assert lengths[-1][2] > 100 * lengths[1][2]


def test_the_figure_is_the_99th_percentile_over_the_median() -> None:
    given = times(quadratic)
    expected = np.quantile([each["seconds"] for each in given["hostile"]], 0.99, method="inverted_cdf") / np.quantile(
        given["ordinary"], 0.5, method="inverted_cdf"
    )
    found = latency_tail(given)
    assert found.estimate == pytest.approx(expected)
    assert found.low is not None
    assert found.high is not None
    assert found.low < expected < found.high
    assert found.n == len(REQUESTS)


def test_what_the_slowest_kind_comes_to_alone_is_told_beside_the_mix() -> None:
    # One kind of 22 takes 100 times as long from 100,000 characters on: too few texts for the 99th percentile.
    given = times(flat)
    slow = [each for each in given["hostile"] if each["kind"] == "HTML tags" and each["length"] >= 100_000]
    assert 0 < len(slow) <= 5
    usual = float(np.quantile(given["ordinary"], 0.5, method="inverted_cdf"))
    for each in slow:
        each["seconds"] = 100 * usual
    found = latency_tail(given)
    assert found.estimate is not None
    assert found.estimate < 20
    assert "“HTML tags”" in found.caveats[1]
    assert "has 100.0 times the median" in found.caveats[1]
    worst = cells(found.tables[0])[0]
    assert (worst[0], worst[4]) == ("HTML tags", pytest.approx(100))


def crash_on_empty(request: Request) -> str | None:
    return "IndexError" if request.kind == "empty text" else None


def test_a_text_without_an_answer_fails_whatever_the_gate_and_is_named() -> None:
    found = latency_tail(times(flat, crashes=crash_on_empty))
    for gate in (GATE, Gate(max=1e12)):
        verdict, reason = judge(found, gate)
        assert verdict is Verdict.FAIL
        assert reason == "the model gives no answer to “empty text” (IndexError)"
    assert is_one_sentence(found.summary)
    first = cells(found.tables[0])[0]
    assert first[0] == "empty text"
    assert first[1] == first[2] > 0


@pytest.mark.parametrize(
    ("kinds", "end"), [(3, "”"), (4, " and 1 more kind of text"), (22, " and 19 more kinds of text")]
)
def test_the_reason_names_three_kinds_and_counts_the_others(kinds: int, end: str) -> None:
    broken = list(KINDS)[:kinds]
    found = latency_tail(times(flat, crashes=lambda request: "OSError" if request.kind in broken else None))
    reason = judge(found, GATE)[1]
    assert reason.count("“") == 3
    assert reason.removesuffix(" (OSError)").endswith(end)


def test_one_single_crash_is_enough() -> None:
    only = REQUESTS[17]
    found = latency_tail(times(flat, crashes=lambda request: "NaN" if request == only else None))
    assert judge(found, GATE)[0] is Verdict.FAIL
    assert "1 of 525 hostile texts got no answer" in found.summary


def test_where_nothing_is_answered_there_is_still_a_finding() -> None:
    found = latency_tail(times(flat, crashes=lambda request: "RuntimeError"))
    assert judge(found, GATE)[0] is Verdict.FAIL


@pytest.mark.parametrize("crashes", [crash_on_empty, lambda request: None])
def test_the_record_and_the_terminal_can_say_it(crashes: Callable[[Request], str | None]) -> None:
    found = latency_tail(times(flat, crashes=crashes))
    verdict, reason = judge(found, GATE)
    finding = Finding(found.id, "security", "title", verdict, reason, found, GATE)
    value = json.loads(json.dumps(record.as_dict(finding), allow_nan=False))
    assert (value["low"] is None) is (verdict is Verdict.FAIL)
    assert str(finding).startswith("security.latency_tail ") or verdict is Verdict.FAIL
    assert is_one_sentence(str(finding) + ".")


def test_times_on_both_sides_of_the_gate_are_open() -> None:
    found = latency_tail(times(flat))
    assert found.estimate is not None
    verdict, reason = judge(found, Gate(max=found.estimate))
    assert verdict is Verdict.INCONCLUSIVE
    assert "both sides of the gate" in reason


def test_too_few_texts_break_the_probe_and_do_not_pass() -> None:
    given = times(flat)
    with pytest.raises(ValueError, match="100 hostile texts are too few"):
        latency_tail(given | {"hostile": given["hostile"][:100]})


def test_what_the_audit_cuts_is_said() -> None:
    def limit(**more: Any) -> str:
        return str(latency_tail(times(flat, **more)).caveats[0])

    assert "first 4,000 characters" in limit(max_characters=4000)
    assert "Nothing cuts a text" in limit(max_characters=0)
    assert limit().endswith("around it.")
    assert "by the clock" in latency_tail(times(flat, clock="wall")).method


# The texts


def test_the_same_seed_asks_for_the_same_texts() -> None:
    assert hostile_requests(3) == hostile_requests(3) != hostile_requests(4)


def test_each_kind_and_each_order_of_magnitude_is_asked_for() -> None:
    assert {request.kind for request in REQUESTS} == set(KINDS)
    decades = [min(int(math.log10(request.length)), 5) for request in REQUESTS]
    assert min(decades.count(decade) for decade in range(6)) > len(REQUESTS) / 6 * 0.7


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.9875, 0.999])
def test_there_are_as_many_as_the_upper_limit_takes(confidence: float) -> None:
    n = len(hostile_requests(0, confidence))
    found = latency_tail(
        {
            "ordinary": [1.0] * 200,
            "hostile": [{"kind": "spaces", "length": 1, "seconds": 1.0, "memory": None, "error": None}] * n,
            "clock": "wall",
            "machine": "",
        },
        confidence,
    )
    assert isinstance(found, Measurement)
    assert found.high == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_has_the_length_that_is_asked_for(kind: str) -> None:
    for length in (1, 7, 5000):
        assert len(Request(kind, length).text) == (0 if kind == "empty text" else length)


def test_the_texts_are_what_their_kinds_say() -> None:
    def text(kind: str) -> str:
        return Request(kind, 5_000).text

    assert len(text("one word without an end").split()) == 1
    assert "\0" in text("control characters")
    assert {unicodedata.category(c) for c in text("control characters")} == {"Cc"}
    assert not text("spaces").strip()
    assert all(0xD800 <= ord(c) <= 0xDFFF for c in set(text("halves of characters")) - set(" a"))
    assert sum(map(unicodedata.combining, text("stacked accents")[1:40])) > 0
    assert {unicodedata.category(c) for c in text("invisible characters")} == {"Cf"}
    assert {unicodedata.category(c) for c in text("unassigned and private characters")} <= {"Cn", "Co"}
    assert "\u200d" in text("joined emoji")
    assert {"R", "AL", "RLO"} <= {unicodedata.bidirectional(c) for c in text("right-to-left text and its marks")}
    short = Request("characters that stand for many", 300).text
    assert len(unicodedata.normalize("NFKC", short)) > 5 * len(short)
    assert len({chr(ord(c)) for c in text("characters of all kinds")}) > 4000
