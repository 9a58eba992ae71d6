"""What became of a former audit: figures by their intervals, gates by their bounds, and the chain of test sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from audit.core.records import BaselineRecord, FindingRecord, LinkRecord, Record
from audit.probes.catalogue import ids
from audit.record import since
from audit.statistics import proportions
from tests.helpers import fits_the_schema
from tests.report.page.test_page import finding, odds, unmeasured
from tests.report.page.test_page import record as make


def audit(*findings: Any, policy: Any = None, test: str | None = "sha256:t", **more: Any) -> Any:
    data = {"test": {"fingerprint": test} if test else {}, "train": {}}
    return make(*findings, policy=policy or {}, data=data, **more)


def compare(before: Record, now: Record) -> BaselineRecord:
    found = since.compare(since.remember(before, "v1"), now["findings"], now["not_run"], now["policy"], ids())
    fits_the_schema({**now, "baseline": found})
    return found


def change(before: FindingRecord, now: FindingRecord) -> str:
    (found,) = compare(audit(before), audit(now))["compared"]
    return str(found["change"])


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ((0.86, 0.81, 0.90), "better"),  # 0.06 is more than the root of 0.02² + 0.05²
        ((0.85, 0.80, 0.90), "unclear"),
        ((0.81, 0.79, 0.83), "unclear"),
        ((0.75, 0.70, 0.80), "unclear"),
        ((0.74, 0.70, 0.78), "worse"),
        ((0.90, 0.83, None), "better"),
        ((0.50, None, 0.60), "worse"),
        ((0.90, None, 0.95), "unclear"),
    ],
)
def test_better_and_worse_need_a_difference_larger_than_its_error(now: tuple[float | None, ...], said: str) -> None:
    estimate, low, high = now
    assert change(finding(low=0.78, high=0.82), finding(estimate=estimate, low=low, high=high)) == said


def shares(right: Any, n: int) -> Any:
    bounds = proportions(right, np.full(len(right), n))
    return audit(
        *(
            finding(f"quality.own[{i}]", estimate=float(estimate), low=float(low), high=float(high))
            for i, (estimate, low, high) in enumerate(zip(*bounds, strict=True))
        )
    )


def test_of_many_figures_that_stayed_the_same_seldom_any_is_better_or_worse() -> None:
    # 50 shares of 0.9, audited on 200 and then on 2,000 fresh texts: by chance 37 % of audits had one that changed.
    rng, audits = np.random.default_rng(0), 200
    wrong = 0
    for _ in range(audits):
        before, now = (shares(rng.binomial(n, 0.9, 50), n) for n in (200, 2000))
        found = since.compare(since.remember(before, "v1"), now["findings"], [], {}, ids())["compared"]
        wrong += any(each["change"] != "unclear" for each in found)
    assert binom.sf(wrong - 1, audits, 0.05) > 0.01


def test_a_difference_among_many_figures_is_judged_by_the_error_of_each() -> None:
    others = [finding(f"quality.own[{i}]") for i in range(49)]
    now = finding(estimate=0.86, low=0.82, high=0.89)
    for among, said in (([], "better"), (others, "unclear")):
        found = compare(audit(finding(), *among), audit(now, *among))["compared"]
        assert {each["id"]: each["change"] for each in found}["quality.accuracy"] == said
    # Accuracy that was compared example by example has its error to itself.
    paired = finding("quality.regression", estimate=0.01, low=0.001, high=0.02)
    found = compare(audit(finding(), *others), audit(now, *others, paired))["compared"]
    assert {each["id"]: each["change"] for each in found}["quality.accuracy"] == "better"


def test_the_direction_is_the_catalogues_or_the_gates() -> None:
    low: dict[str, Any]
    high: dict[str, Any]
    low, high = {"estimate": 0.1, "low": 0.1, "high": 0.1}, {"estimate": 0.2, "low": 0.2, "high": 0.2}
    assert change(odds(**low), odds(**high)) == "worse"
    assert change(odds(**high), odds(**low)) == "better"
    # Of an id that nobody here knows, the gate tells the direction, even against a look at the figures.
    own: dict[str, Any] = {"challenge": "quality", "title": "Ours"}
    assert change(finding("our.own", **own, **low), finding("our.own", **own, **high, gate={"max": 1})) == "worse"
    assert change(finding("our.own", **own, **low), finding("our.own", **own, **high, gate={"min": 1})) == "better"
    assert change(finding("our.own", **own, **low), finding("our.own", **own, **high, gate=None)) == "different"


def test_what_has_a_figure_on_one_side_only_is_new_or_gone() -> None:
    open_ = unmeasured("quality.accuracy", "not_assessed", "supply it")
    assert change(open_, finding()) == "new"
    assert change(finding(), open_) == "gone"
    assert compare(audit(), audit(finding()))["compared"][0]["change"] == "new"
    assert compare(audit(finding()), audit())["compared"][0]["change"] == "gone"
    assert compare(audit(open_), audit(open_))["compared"] == []


@pytest.mark.parametrize(
    ("low", "high", "said"), [(-0.02, 0.001, "unclear"), (-0.02, -0.001, "worse"), (0.001, 0.02, "better")]
)
def test_accuracy_is_judged_example_by_example_where_it_was(low: float, high: float, said: str) -> None:
    # The intervals of both accuracies overlap; the paired difference decides all the same.
    paired = finding("quality.regression", estimate=0.0, low=low, high=high, gate={"min": -0.1})
    (found,) = compare(audit(finding()), audit(finding(), paired))["compared"]
    assert (found["change"], found["paired"]) == (said, True)
    open_ = unmeasured("quality.regression", "not_assessed", "no former predictions")
    assert compare(audit(finding()), audit(finding(), open_))["compared"][0]["change"] == "unclear"


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"min": 0.8}, {"min": 0.7}, "loosened"),
        ({"min": 0.7}, {"min": 0.8}, "tightened"),
        ({"max": 0.1}, {"max": 0.2}, "loosened"),
        ({"max": 0.2}, {"max": 0.1}, "tightened"),
        ({"max": 0.2}, {"min": 0.1}, "replaced"),
        ({"max": 0.2}, None, "dropped"),
        (None, {"max": 0.2}, "added"),
    ],
)
def test_a_gate_that_is_not_what_it_was(before: Any, now: Any, said: str) -> None:
    (found,) = compare(audit(finding(gate=before)), audit(finding(gate=now)))["gates"]
    assert found == {"id": "quality.accuracy", "change": said, "before": before, "now": now}
    assert compare(audit(finding(gate=before)), audit(finding(gate=before)))["gates"] == []


def test_a_gate_that_did_not_run_is_not_dropped_but_one_without_its_column_is() -> None:
    policy = {"gates": {"fairness": {"equalized_odds": {"max": 0.1}}}}
    full = odds()["id"]
    before = audit(odds(), policy=policy)
    skipped = audit(policy=policy, not_run=[full], verdict="incomplete", complete=False)
    assert compare(before, skipped)["gates"] == []
    looser = {"gates": {"fairness": {"equalized_odds": {"max": 0.3}}}}
    skipped = audit(policy=looser, not_run=[full], verdict="incomplete", complete=False)
    assert compare(before, skipped)["gates"][0]["change"] == "loosened"
    # The policy still gates the measure, but no longer names the column.
    assert compare(before, audit(policy=policy))["gates"][0]["change"] == "dropped"


def test_settings_that_judge_less_strictly_are_named() -> None:
    strict = {"confidence": 0.95, "inconclusive": "fail", "min_group_size": 30}
    lax = {"confidence": 0.9, "inconclusive": "warn", "min_group_size": 100}
    found = compare(audit(policy={"audit": strict}), audit(policy={"audit": lax}))["settings"]
    assert {each["name"]: (each["before"], each["now"]) for each in found} == {
        name: (strict[name], lax[name]) for name in strict
    }
    assert compare(audit(policy={"audit": lax}), audit(policy={"audit": strict}))["settings"] == []
    odd = {"audit": {"confidence": "high", "inconclusive": 1, "min_group_size": True}}
    assert compare(audit(policy=odd), audit(policy={"audit": lax}))["settings"] == []


def test_settings_that_draw_other_texts_or_spare_the_model_are_named() -> None:
    policy: dict[str, Any] = {
        "audit": {"seed": 0, "looks": 4, "stopping": "full", "precision": 0.05},
        "data": {"max_examples": 0},
        "security": {"queries": 200, "perturbed": 1000},
    }
    other = {
        "audit": {"seed": 7, "looks": 1, "stopping": "settled", "precision": 0.1},
        "data": {"max_examples": 500},
        "security": {"queries": 50, "perturbed": 300},
    }

    def named(before: Any, now: Any) -> set[str]:
        return {each["name"] for each in compare(audit(policy=before), audit(policy=now))["settings"]}

    assert named(policy, other) == {
        "seed", "looks", "stopping", "precision", "max_examples", "queries", "perturbed",
    }  # fmt: skip
    # More questions and a smaller share of the error are stricter; other texts are other texts.
    assert named(other, policy) == {"seed", "max_examples", "perturbed"}
    assert named(policy, policy) == set()


def test_a_former_audit_of_the_same_examples_counts_under_any_fingerprint() -> None:
    first = audit(finding(), test="sha256:by-order")
    second = audit(finding(), test="sha256:by-order")
    second["baseline"] = compare(first, second)
    former = since.of_same_test(since.remember(second, "v1"), "sha256:now")
    now = audit(finding(), test="sha256:now")
    found = since.compare(former, now["findings"], [], {}, ids())
    assert (found["test"], [link["test"] for link in found["chain"]]) == ("sha256:now", ["sha256:now"] * 2)


def test_the_chain_remembers_which_test_set_each_audit_used() -> None:
    first = audit(finding())
    second = audit(finding(), test="sha256:other")
    second["baseline"] = compare(first, second)
    third = audit(finding())
    third["baseline"] = compare(second, third)
    fourth = compare(third, audit(finding()))
    assert [link["test"] for link in fourth["chain"]] == ["sha256:t", "sha256:other", "sha256:t"]
    nothing = compare(audit(finding(), test=None), third)
    assert [link["test"] for link in nothing["chain"]] == [None]


def test_a_chain_does_not_grow_without_end() -> None:
    former = since.remember(audit(finding()), "v1")
    link: LinkRecord = {"created": "2020-01-01T00:00:00Z", "fingerprint": None, "test": "old"}
    now = audit(finding())
    found = since.compare({**former, "chain": [link] * 5_000}, now["findings"], [], {}, ids())
    assert len(found["chain"]) == 1_000
    assert found["chain"][-1]["test"] == "sha256:t"


@pytest.mark.parametrize("gates", [None, [], {"quality": 3}, {"quality": {"accuracy": 0.8}}, {"quality": {"accuracy": {
    "max": True, "min": "much"}}}])  # fmt: skip
def test_a_damaged_policy_holds_no_gate(gates: Any) -> None:
    assert since.gate_of("quality.accuracy", {"gates": gates}) is None


def test_a_gate_of_a_policy_is_that_of_the_bracket_first() -> None:
    policy = {
        "gates": {"fairness": {"equalized_odds": {"max": 0.1}, "equalized_odds[genre]": {"max": 0.3, "min": None}}}
    }
    assert since.gate_of("fairness.equalized_odds[genre]", policy) == {"max": 0.3}
    assert since.gate_of("fairness.equalized_odds[gender]", policy) == {"max": 0.1}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({"cluster": "who"}, {"cluster": ""}, True),
        ({"cluster": "who"}, {"cluster": "row"}, True),
        ({"cluster": ""}, {"cluster": "who"}, False),
        ({"cluster": "who"}, {"cluster": "who"}, False),
        ({}, {"cluster": ""}, False),
    ],
)
def test_rows_that_belong_together_no_more_are_told(before: Any, now: Any, told: bool) -> None:
    found = compare(audit(policy={"data": before}), audit(policy={"data": now}))["settings"]
    assert [each["name"] for each in found] == (["cluster"] if told else [])


def test_texts_that_count_as_copies_no_more_are_told() -> None:
    strict, lax = ({"privacy": {"near_duplicate": value}} for value in (0.8, 0.95))
    assert compare(audit(policy=strict), audit(policy=lax))["settings"][0]["name"] == "near_duplicate"
    assert compare(audit(policy=lax), audit(policy=strict))["settings"] == []


def test_another_reason_is_no_other_gate() -> None:
    before = {"quality.accuracy": {"min": 0.8, "reason": "as before", "owner": "A. Person"}}
    now = {"quality.accuracy": {"min": 0.8, "reason": "another", "owner": "B. Person"}}
    assert since._changed(before, now) == []  # type: ignore[arg-type]
    loosened = {"quality.accuracy": {"min": 0.7, "reason": "as before", "owner": "A. Person"}}
    (change,) = since._changed(before, loosened)  # type: ignore[arg-type]
    assert change["change"] == "loosened"


def test_gated_figures_of_the_last_audits_are_kept_for_a_line() -> None:
    now = audit(finding(), finding("quality.macro_f1", "reported", gate=None))
    value = now
    for _ in range(30):
        value = {**now, "baseline": compare(value, now)}
    chain = value["baseline"]["chain"]
    assert len(chain) == 30
    assert [link.get("figures") for link in chain[-20:]] == [{"quality.accuracy": 0.8}] * 20
    assert not any("figures" in link for link in chain[:-20])


def test_a_laxer_answer_to_alarms_is_recorded() -> None:
    found = compare(audit(policy={"audit": {"unguarded": "fail"}}), audit(policy={"audit": {"unguarded": "warn"}}))
    assert found["settings"] == [{"name": "unguarded", "before": "fail", "now": "warn"}]
