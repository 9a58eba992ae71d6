"""What an audit may spend: how a budget is read, shared out among tests, and what a probe does when it ends."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from audit import Measurement, Probe, Result, Verdict, judge, statistics
from audit.core.budget import BudgetEnded, Limit, asking, spending, training, waiting
from audit.core.errors import AuditError
from audit.core.looks import Looks, in_batches
from audit.core.probe import stopped_by
from audit.core.verdict import Gate
from audit.policy import policy
from audit.run.budget import Counted, Need, Timed, shared_out
from audit.run.decisions import Decisions
from audit.run.stopping import Stopping
from tests.helpers import Clock

POLICY = """
[model]
source = "m"
[data]
test = "t.csv"
[audit]
budget = "1m"
stopping = "{stopping}"
inconclusive = "warn"
[gates.shop]
refunds = {{ max = 0.2 }}
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


def by(stopping: str = "settled") -> policy.Policy:
    return policy.parse(POLICY.format(stopping=stopping), None)


def refunds(hits: NDArray[np.bool_], rule: policy.Policy, ask: Callable[[int], object] = lambda n: None) -> Measurement:
    """The share of hits, stopped by a policy; `ask` is told how many are asked about each time."""

    @Probe("shop.refunds", "quality", "Refunds", "share", "lower", "Refunds that are missed.", passes=1)
    def probe() -> Looks:
        def batch(start: int, stop: int) -> Callable[[float], Result]:
            with asking(stop - start):
                ask(stop - start)
            seen = hits[:stop]
            return lambda level: Result(*statistics.share(seen, level), len(seen), "counted", level)

        return in_batches(len(hits), 0.95, batch)

    with stopped_by(Stopping(rule)):
        return probe()


def hits(share: float, n: int = 1_000) -> NDArray[np.bool_]:
    return np.asarray(np.diff(np.floor(np.arange(n + 1) * share)) > 0)


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("90s", Limit(seconds=90)), ("15m", Limit(seconds=900)), ("1.5h", Limit(seconds=5400)),
        (".5m", Limit(seconds=30)),
        ("20000", Limit(texts=20_000)), (" 60 s ", Limit(seconds=60)),
    ],
)  # fmt: skip
def test_a_budget_is_a_time_or_a_number_of_texts(written: str, limit: Limit) -> None:
    assert Limit.parse(written) == limit


@pytest.mark.parametrize("written", ["", "0", "0s", "-5", "2.5", "5d", "15 minutes", "1e3", "٣s", "inf", "20,000", "m"])
def test_anything_else_is_none(written: str) -> None:
    with pytest.raises(AuditError, match="expected a time such as"):
        Limit.parse(written)


@pytest.mark.parametrize(("value", "budget"), [("20000", "20000"), ('"15m"', "15m"), ('""', None)])
def test_a_policy_has_it_with_quotes_or_as_a_number(value: str, budget: str | None) -> None:
    found = policy.parse(f'[model]\nsource = "m"\n[data]\ntest = "t"\n[audit]\nbudget = {value}', None)
    assert found.audit.budget == budget


@pytest.mark.parametrize("value", ["0", "true", '"soon"', "1.5", "[]"])
def test_a_policy_with_another_is_refused_in_one_sentence(value: str) -> None:
    with pytest.raises(AuditError, match=r"key \[audit\] budget: expected") as refusal:
        policy.parse(f'[model]\nsource = "m"\n[data]\ntest = "t"\n[audit]\nbudget = {value}', None)
    assert "\n" not in str(refusal.value)


# ---- a number of texts


def needs(seed: int) -> list[Need]:
    rng = np.random.default_rng(seed)
    found = []
    for i in range(30):
        texts = float(rng.integers(0, 500) * (rng.random() < 0.8))
        in_looks = rng.random() < 0.6
        most = texts * rng.uniform(1, 5) if in_looks else texts
        share = texts / most if most else 1.0
        found.append(
            Need(f"t{i}", rng.random() < 0.5, texts, most, share, int(rng.integers(0, 3) * (rng.random() < 0.2)))
        )
    return found


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("budget", [0, 50, 1_000, 5_000, 100_000])
def test_no_more_is_allotted_than_there_is_and_gates_come_first(seed: int, budget: int) -> None:
    asked, model = needs(seed), 300.0
    shares = shared_out(asked, budget, model)
    spent = sum(share.texts + share.models * model for share in shares.values())
    assert spent <= budget + 1e-6
    for need in asked:
        share = shares[need.test]
        assert -1e-9 <= share.texts <= need.most_texts + 1e-9
        assert 0 <= share.examples <= 1 + 1e-9
        assert share.models in (0, need.models)
        if share.texts >= need.most_texts:
            assert share.examples == pytest.approx(1) or budget == 0
    gated = [need for need in asked if need.is_gated]
    if any(shares[need.test].texts < need.most_texts for need in gated):  # then nothing is left for the others
        others = [shares[need.test] for need in asked if not need.is_gated]
        assert sum(share.texts for share in others) <= max(model, 1) or budget < model


def test_what_is_not_asked_in_looks_is_asked_whole_or_not_at_all() -> None:
    shares = shared_out([Need("scan", True, 800, 800), Need("looks", True, 400, 1_000, 0.4)], 600, 1)
    assert (shares["scan"].examples, shares["scan"].texts) == (0, 0)
    assert shares["looks"].texts == 600
    assert shares["looks"].examples == pytest.approx(0.6)  # a third of the way from 0.4 to 1


def test_a_training_counts_as_texts_and_is_not_begun_beyond_them() -> None:
    few, many = (shared_out([Need("twin", True, 100, 100, models=1)], budget, 5_000)["twin"] for budget in (200, 6_000))
    budget = Counted(0)
    for share, allowed in ((few, False), (many, True)):
        budget.shares = {"twin": share}
        with spending(budget.allowance("twin", is_gated=True)):
            if allowed:
                training(1, lambda: 1e9)
            with pytest.raises(BudgetEnded):
                training(1, lambda: 0.0)


def test_what_is_paid_for_beforehand_may_spend_all_of_the_error() -> None:
    budget = Counted(400)
    budget.share_out([Need("t", True, 200, 1_000, 0.2)], 1)
    with spending(budget.allowance("t", is_gated=True)):
        found = refunds(hits(0.18), by())
    assert found.stopped is not None
    assert (found.stopped.examples, found.stopped.of, found.stopped.unreached) == (400, 1_000, True)
    level = statistics.look_confidence(0.95, 200, 400, 400)
    assert (found.low, found.high) == statistics.share(hits(0.18)[:400], level)[1:]
    assert found.confidence == 0.95


def test_what_was_not_allotted_is_not_begun() -> None:
    budget, asked = Counted(10), list[int]()
    budget.share_out([Need("t", True, 200, 1_000, 0.2)], 1)
    with spending(budget.allowance("t", is_gated=True)), pytest.raises(BudgetEnded):
        refunds(hits(0.1), by(), asked.append)
    assert asked == []


@pytest.mark.parametrize("share", [0.2, 0.19])
def test_looks_within_a_budget_err_no_more_often_than_they_say(share: float) -> None:
    """A truth on the gate, or just inside: how often the gate surely fails, or holds, of what is paid for."""
    budget, rule, rng, draws = Counted(120), by(), np.random.default_rng(1), 2_000
    budget.share_out([Need("t", True, 60, 600, 0.1)], 1)
    verdicts = []
    for _ in range(draws):
        with spending(budget.allowance("t", is_gated=True)):
            found = refunds(rng.random(600) < share, rule)
        verdicts.append(judge(found, rule.gate("shop.refunds"))[0])
    worst = 0.025 + 3 * np.sqrt(0.025 * 0.975 / draws)
    assert verdicts.count(Verdict.FAIL) / draws <= worst
    if share == 0.2:
        assert verdicts.count(Verdict.PASS) / draws <= worst


# ---- a time


def test_time_counts_from_when_the_model_is_ready(clock: Clock) -> None:
    budget = Timed(60, clock)
    with spending(budget.allowance("t", is_gated=True)):
        clock.now = 1_000
        waiting(500)  # the model is being trained
        budget.start()
        waiting(59)
        clock.now += 30
        with pytest.raises(BudgetEnded):
            waiting(31)


@pytest.mark.parametrize("stopping", ["settled", "full"])
def test_when_time_is_up_a_probe_tells_what_it_knows(clock: Clock, stopping: str) -> None:
    def slow(texts: int) -> None:
        clock.now += texts * 0.1

    rule, budget = by(stopping), Timed(60, clock)
    budget.start()
    with spending(budget.allowance("t", is_gated=True)):
        found = refunds(hits(0.19, 2_000), rule, slow)
    assert clock.now <= 60  # the next batch would have taken longer than was left, as the former ones tell
    assert found.stopped is not None
    assert (found.stopped.examples, found.stopped.of, found.stopped.unreached) == (500, 2_000, True)
    expected = statistics.look_confidence(0.95, 250, 500, 2_000) if stopping == "settled" else 0.95
    assert (found.low, found.high) == statistics.share(hits(0.19, 2_000)[:500], expected)[1:]
    decision = Decisions(rule, {}, None, "2026-01-01").judge(found)
    assert decision.finding.verdict is Verdict.INCONCLUSIVE
    assert decision.recorded["unreached"] is True
    assert str(decision.finding.reason).startswith("the budget ended after 500 of 2,000 examples; about ")
    assert "more test examples would settle it" in decision.finding.reason


def test_a_settled_gate_is_settled_whatever_the_budget(clock: Clock) -> None:
    def slow(texts: int) -> None:
        clock.now += texts * 0.5

    budget = Timed(60, clock)
    budget.start()
    with spending(budget.allowance("t", is_gated=True)):
        found = refunds(hits(0.0), by(), slow)
    assert judge(found, Gate(max=0.2))[0] is Verdict.PASS
    assert found.stopped is not None
    assert not found.stopped.unreached
    assert "unreached" not in Decisions(by(), {}, None, "2026-01-01").judge(found).recorded


def test_without_a_first_look_nothing_is_told(clock: Clock) -> None:
    budget = Timed(60, clock)
    budget.start()
    clock.now = 60
    with spending(budget.allowance("t", is_gated=True)), pytest.raises(BudgetEnded):
        refunds(hits(0.1), by())


def test_tests_without_a_gate_share_what_is_left(clock: Clock) -> None:
    budget = Timed(60, clock)
    budget.start()
    clock.now = 20
    with spending(budget.allowance("t", is_gated=False, waiting=4)):
        waiting(9)
        with pytest.raises(BudgetEnded):
            waiting(11)
    with spending(budget.allowance("last", is_gated=False, waiting=1)):
        waiting(39)
    with spending(budget.shared):
        waiting(39)


def test_a_training_that_takes_longer_than_is_left_is_not_begun(clock: Clock) -> None:
    budget = Timed(60, clock)
    with spending(budget.allowance("t", is_gated=True)):
        training(1, lambda: pytest.fail("nobody times the training of the model itself"))
        budget.start()
        training(1, lambda: 59.0)
        with pytest.raises(BudgetEnded):
            training(2, lambda: 61.0)
