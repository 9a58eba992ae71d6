"""When a probe has asked enough: by its gate, its alarm or its precision, and how often that errs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from audit import Alarm, Measurement, Probe, Result, Verdict, judge, statistics
from audit.core.looks import Looks, in_batches
from audit.core.probe import DeclaredProbe, stopped_by
from audit.policy import policy
from audit.policy.policy import Policy
from audit.run.stopping import Stopping

GATED = "[gates.shop]\nrefunds = { max = 0.2 }"


def declared(passes: float = 1, unit: str = "share", alarm: Alarm | None = None, size: int = 1) -> DeclaredProbe[...]:
    """A probe that counts how many of its examples are hits; it takes whole packs of so many."""

    @Probe("shop.refunds", "quality", "Refunds", unit, "lower", "Refunds that are missed.", passes=passes, alarm=alarm)
    def refunds(hits: NDArray[np.bool_], confidence: float = 0.95) -> Looks:
        def ask(start: int, stop: int) -> Callable[[float], Result]:
            asked.append((start, stop))
            seen = hits[:stop]
            return lambda level: Result(*statistics.share(seen, level), len(seen), "counted", level)

        return in_batches(len(hits), confidence, ask, range(size, len(hits) + 1, size))

    return refunds


asked: list[tuple[int, int]] = []


@pytest.fixture(autouse=True)
def _nothing_asked() -> None:
    asked.clear()


def by(more: str = "", audit: str = 'stopping = "settled"') -> Policy:
    return policy.parse(f'[model]\nsource = "m"\n[data]\ntest = "t.csv"\n[audit]\n{audit}\n{more}', None)


def hits(share: float, n: int = 1_000, seed: int = 0) -> NDArray[np.bool_]:
    """Hits spread evenly, so that every stretch has about this share of them."""
    return np.asarray(np.diff(np.floor(np.arange(n + 1) * share + seed / 10)) > 0)


def stopped(probe: DeclaredProbe[...], rule: Policy, *arguments: object) -> Measurement:
    with stopped_by(Stopping(rule)):
        return probe(*arguments)


@pytest.mark.parametrize(("share", "verdict"), [(0.0, Verdict.PASS), (0.6, Verdict.FAIL)])
def test_a_gate_far_away_is_settled_by_few(share: float, verdict: Verdict) -> None:
    rule = by(GATED)
    found = stopped(declared(), rule, hits(share))
    assert judge(found, rule.gate("shop.refunds"))[0] is verdict
    assert found.stopped is not None
    assert (found.stopped.reason, found.stopped.of) == ("its gate is settled", 1_000)
    assert found.n == found.stopped.examples == asked[-1][1] <= 125
    assert any("leans" in caveat for caveat in found.caveats)
    assert found.low <= found.estimate <= found.high  # type: ignore[operator]
    # Its interval is that of one look of several, and all of these hold together with the policy's confidence.
    start, stop = (0, *asked[-1])[-2:]
    level = statistics.look_confidence(0.95, start, stop, 1_000)
    assert (found.low, found.high) == statistics.share(hits(share)[:stop], level)[1:]
    assert found.confidence == 0.95


def test_a_gate_that_stays_open_takes_all() -> None:
    rule = by(GATED)
    found = stopped(declared(), rule, hits(0.19))
    assert judge(found, rule.gate("shop.refunds"))[0] is Verdict.INCONCLUSIVE
    assert asked == [(0, 32), (32, 63), (63, 125), (125, 250), (250, 500), (500, 1_000)]
    assert found.stopped is not None
    assert (found.stopped.reason, found.stopped.examples) == ("there are no more", 1_000)
    assert not found.caveats
    # Most of the error was left: the interval is hardly wider than that of one look.
    once = declared()(hits(0.19))
    assert (found.high - found.low) / (once.high - once.low) < 1.1  # type: ignore[operator]


@pytest.mark.parametrize("rule", [by(GATED, 'stopping = "full"'), None])
def test_all_at_once_is_what_it_was_before_there_were_looks(rule: Policy | None) -> None:
    found = declared()(hits(0.0)) if rule is None else stopped(declared(), rule, hits(0.0))
    assert asked == [(0, 1_000)]
    assert (found.estimate, found.low, found.high) == statistics.proportion(0, 1_000)
    assert (found.confidence, found.stopped, found.caveats) == (0.95, None, ())


def test_too_few_examples_for_two_looks_are_looked_at_once() -> None:
    found = stopped(declared(), by(GATED), hits(0.1, 40))
    assert asked == [(0, 40)]
    assert found.stopped is None
    assert (found.low, found.high) == pytest.approx(statistics.proportion(4, 40)[1:])


def test_outside_of_the_rule_a_probe_runs_to_the_end_again() -> None:
    with pytest.raises(RuntimeError), stopped_by(Stopping(by(GATED))):
        raise RuntimeError
    assert declared()(hits(0.0)).n == 1_000


def test_without_a_gate_it_stops_when_it_is_settled_whether_that_is_worrying() -> None:
    found = stopped(declared(alarm=Alarm(0.5, "Half of them.")), by(), hits(0.1))
    assert found.stopped is not None
    assert found.stopped.reason == "whether it is worrying is settled"
    assert found.high is not None
    assert found.high <= 0.5
    assert found.n < 125


@pytest.mark.parametrize(
    ("passes", "setting", "half_width"),
    [(1, "", 0.05), (21, "", 0.1), (1, "precision = 0.2", 0.2), (100, "precision = 0.02", 0.04)],
)
def test_without_a_gate_it_stops_when_it_is_known_well_enough(passes: float, setting: str, half_width: float) -> None:
    rule = by(audit=f'stopping = "settled"\n{setting}')
    found = stopped(declared(passes, alarm=Alarm(0.5, "Half.")), rule, hits(0.5, 20_000))
    assert found.stopped is not None
    assert found.stopped.reason == f"it is known to within {100 * half_width:.0f} points"
    assert found.high - found.low <= 2 * half_width  # type: ignore[operator]
    assert not found.caveats  # no bound drew the estimate
    start, stop = asked[-2]
    before = statistics.share(hits(0.5, 20_000)[:stop], statistics.look_confidence(0.95, start, stop, 20_000))
    assert before.high - before.low > 2 * half_width


def test_of_another_unit_no_precision_is_enough() -> None:
    found = stopped(declared(unit="times"), by(), hits(0.5))
    assert found.n == 1_000


def test_a_probe_may_take_more_than_it_was_sent() -> None:
    found = stopped(declared(size=200), by(GATED), hits(0.19))
    assert asked == [(0, 200), (200, 400), (400, 600), (600, 1_000)]
    assert found.n == 1_000


def test_looks_within_an_audit_share_what_looks_across_audits_leave() -> None:
    within, alone = (stopped(declared(), by(GATED), hits(0.0), level) for level in (0.9875, 0.95))
    assert (within.confidence, alone.confidence) == (0.9875, 0.95)
    level = statistics.look_confidence(0.9875, *asked[1], 1_000)
    assert within.high == statistics.share(hits(0.0)[: within.n], level).high


@pytest.mark.parametrize("truth", [0.2, 0.21])
def test_a_gate_that_does_not_hold_passes_no_more_often_than_it_may(truth: float) -> None:
    rule, rng, draws = by(GATED), np.random.default_rng(0), 1_000
    probe, gate, passed, failed = declared(), rule.gate("shop.refunds"), 0, 0
    for _ in range(draws):
        verdict, _ = judge(stopped(probe, rule, rng.random(500) < truth), gate)
        passed, failed = passed + (verdict is Verdict.PASS), failed + (verdict is Verdict.FAIL)
    allowed = draws * 0.025 + 3 * np.sqrt(draws * 0.025)
    assert passed <= allowed
    assert truth > 0.2 or failed <= allowed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("precision = 0", "[audit] precision"),
        ("precision = 1.0", "[audit] precision"),
        ('stopping = "early"', "[audit] stopping"),
    ],
)
def test_what_cannot_be_is_refused(line: str, message: str) -> None:
    with pytest.raises(Exception, match=r"key \[audit\]") as refused:
        by(audit=line)
    assert message in str(refused.value)
    assert line.partition("= ")[2].strip('"') in str(refused.value)
