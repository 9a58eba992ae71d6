"""Audits side by side: who passes, who is best and when nobody can say so, and what keeps rows from being compared."""

from __future__ import annotations

import base64
import copy
import hashlib
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from audit.cli import main
from audit.core.errors import AuditError
from audit.core.identifiers import base_id
from audit.core.probe import Basis, Probe
from audit.probes.catalogue import ids
from audit.record import declarations, former
from audit.report import comparison
from audit.statistics import proportions
from tests.helpers import is_one_sentence
from tests.report.page.test_page import HOSTILE, Page, finding, hostile_record, odds, record

DATA = {"test": {"path": "test.csv", "rows": 1821, "fingerprint": "sha256:aa"}, "train": {}}
ENERGY = "environment.inference_energy"


def energy(low: float | None, high: float | None, **more: Any) -> Any:
    told = {"challenge": "environment", "title": "Energy of 1,000 predictions", "unit": "Wh per 1,000 predictions"}
    ends = [end for end in (low, high) if end is not None]
    figures = {"estimate": sum(ends) / len(ends), "low": low, "high": high, "gate": {"max": 9}}
    return finding(ENERGY, **(told | figures | {"details": {"machine": "one", "source": "estimated"}} | more))


def lifted(value: dict[str, Any]) -> dict[str, Any]:
    """A finding as this version records it."""
    return value if "evidence" in value else dict(former.finding(value))


# Held against the schema once; the figures that a test puts in are of the same kind.
FITS = record(energy(1, 2), data=DATA)


MODELS = itertools.count()


def audited(*findings: dict[str, Any], **more: Any) -> Any:
    """A record; each is of another model."""
    shown = findings or (energy(1, 2),)
    known = ids()
    declared = {
        full_id: known[full_id] for each in (ENERGY, *(f["id"] for f in shown)) if (full_id := base_id(each)) in known
    }
    parts = {"findings": [*map(lifted, shown)], "declarations": declarations.to_json(declared.values()), "data": DATA}
    model = FITS["model"] | {"fingerprint": f"sha256:{next(MODELS):064x}"}
    return copy.deepcopy(FITS) | {"model": model} | parts | more


def compared(*records: Any, objective: str | None = None) -> comparison.Comparison:
    return comparison.compare([(f"reports/{i}", each) for i, each in enumerate(records)], objective)


def row(found: comparison.Comparison, full_id: str) -> comparison.Row:
    (one,) = [each for each in found.rows if each.id == full_id]
    return one


def test_the_one_whose_whole_interval_is_better_is_best() -> None:
    choice = compared(audited(energy(3, 4)), audited(energy(1, 2)), audited(energy(2.5, 9))).choice
    assert (choice.passing, choice.best) == (["A", "B", "C"], ["B"])
    assert "Best of 3 that pass" in choice.sentence
    assert "7.5" in choice.risk


def test_those_that_overlap_stand_together() -> None:
    choice = compared(audited(energy(1, 3)), audited(energy(2, 4)), audited(energy(3.5, 5))).choice
    assert choice.best == ["A", "B"]
    assert "cannot be told apart" in choice.sentence


def test_nobody_is_best_among_audits_of_one_model() -> None:
    one, other, third = audited(energy(3, 4)), audited(energy(1, 2)), audited(energy(5, 6))
    again = audited(energy(1, 2), model=one["model"])
    found = compared(one, again)
    assert (found.choice.passing, found.choice.best) == (["A", "B"], ())
    assert "the same model" in found.choice.sentence
    several = compared(one, other, again, third)
    assert several.choice.best == ["B", "C"]
    assert [warning for warning in several.warnings if "same model" in warning] == [
        "A and C are the same model, by its fingerprint. What differs between them is the audit."
    ]


@pytest.mark.parametrize("verdict", ["fail", "incomplete"])
def test_the_only_one_that_passes_is_not_crowned_over_verdicts_that_mean_something_else(verdict: str) -> None:
    lenient = audited(energy(1, 2, gate={"max": 50}))
    assert compared(lenient, audited(energy(1, 2), verdict=verdict)).choice.best == ()
    assert compared(audited(energy(1, 2)), audited(energy(3, 4), verdict=verdict)).choice.best == ["A"]


def test_each_gate_is_drawn_beside_its_bars() -> None:
    drawn = row(compared(audited(energy(1, 2)), audited(energy(3, 4))), ENERGY).drawings
    lines = [re.findall(r'class="bound" x1="([0-9.]+)"', drawing) for drawing in drawn]
    assert lines == [["156.0"], ["156.0"]]  # the gate of 9 ends the scale


def test_the_direction_is_the_measures_own() -> None:
    low, high = audited(finding(low=0.77, high=0.79)), audited(finding(low=0.8, high=0.83))
    assert compared(low, high, objective="quality.accuracy").choice.best == ["B"]


def test_an_interval_without_an_end_excludes_nobody() -> None:
    assert compared(audited(energy(1, None)), audited(energy(5, 6))).choice.best == ["A", "B"]


def test_the_truly_best_is_put_aside_as_seldom_as_promised() -> None:
    """Five equal models, of which every exclusion is wrong: any one is put aside in at most m (1 - c) / 2."""
    rng, wrong = np.random.default_rng(0), 0
    for middles in rng.normal(10, 1, (300, 5)):
        records = [audited(energy(middle - 1.96, middle + 1.96)) for middle in middles]
        wrong += "A" not in compared(*records).choice.best
    assert 0 < wrong / 300 <= 5 * 0.05 / 2


def test_the_interval_of_the_best_allows_for_its_having_been_chosen() -> None:
    """Of ten equal models the best lies above the truth by luck: its own interval misses it in 22 % of cases."""
    rng, draws = np.random.default_rng(0), 300
    own = chosen = 0
    for right in rng.binomial(1000, 0.8, (draws, 10)):
        bounds = np.transpose(proportions(right, np.full(10, 1000)))
        records = [audited(finding(estimate=estimate, low=low, high=high)) for estimate, low, high in bounds.tolist()]
        choice = compared(*records, objective="quality.accuracy").choice
        best = "ABCDEFGHIJ"[int(right.argmax())]
        own += bool(bounds[right.argmax()][1] > 0.8)
        chosen += (choice.chosen[best]["low"] or 0) > 0.8
    assert own / draws > 0.15
    assert binom.sf(chosen - 1, draws, 0.025) > 0.01


def test_the_interval_of_a_chosen_figure_stays_in_its_range_and_open_where_it_was() -> None:
    near = [audited(finding(estimate=0.99, low=0.98, high=0.999)) for _ in range(20)]
    found = compared(*near, objective="quality.accuracy")
    assert found.choice.chosen["A"]["high"] == 1
    assert "chosen from 20: 99" in dict(found.choice.figures)["A"]
    assert compared(audited(energy(1, None)), audited(energy(5, 6))).choice.chosen["A"]["high"] is None
    assert comparison.as_json(found)["chosen"] == found.choice.chosen


def test_those_that_fail_their_gates_were_to_choose_from_too() -> None:
    failed = audited(energy(1, 2), verdict="fail")
    choice = compared(audited(energy(1, 2)), audited(energy(5, 6)), failed, failed).choice
    assert "chosen from 4" in dict(choice.figures)["A"]
    assert "one of 4 such models in at most 10\N{NO-BREAK SPACE}%" in choice.risk


@pytest.mark.parametrize("order", list(itertools.permutations((0, 1, 2))))
def test_the_order_decides_nothing(order: tuple[int, ...]) -> None:
    records = [audited(energy(1, 2)), audited(energy(1.5, 3)), audited(energy(4, 5))]
    best = compared(*(records[i] for i in order)).choice.best
    assert {order["ABC".index(letter)] for letter in best} == {0, 1}


@pytest.mark.parametrize(
    "state", [{"verdict": "fail"}, {"verdict": "incomplete", "complete": False}, {"restarted": True}]
)
def test_who_does_not_pass_is_no_candidate(state: dict[str, Any]) -> None:
    choice = compared(audited(energy(1, 2), **state), audited(energy(5, 6))).choice
    assert choice.best == ["B"]
    assert compared(audited(**state), audited(**state)).choice.best == ()


def test_the_policys_objective_decides_and_the_option_overrules_it() -> None:
    both = [
        audited(energy(1, 2), finding(low=0.7, high=0.71), policy={"compare": {"objective": "quality.accuracy"}}),
        audited(energy(5, 6), finding(low=0.8, high=0.83)),
    ]
    assert compared(*both).choice.best == ["B"]
    assert compared(*both, objective=ENERGY).choice.best == ["A"]


def test_waivers_are_told() -> None:
    waiver = {"owner": "A. Person", "reason": "known", "expires": "2027-01-31", "valid": True}
    found = compared(audited(energy(1, 2), odds(waiver=waiver)), audited(energy(5, 6), odds("pass")))
    assert found.choice.best == ["A"]
    assert found.choice.sentence.endswith("A only with what is waived.")
    said = Page(comparison.as_html(found)).text
    assert "A. Person answers for that through 31 January 2027" in said
    models: Any = comparison.as_json(found)["models"]
    assert models[0]["waived"] == ["fairness.equalized_odds[gender]"]


@pytest.mark.parametrize(
    ("change", "says", "marked"),
    [
        ({"data": {"test": {"path": "b.csv", "fingerprint": "sha256:bb"}, "train": {}}}, "test data", ENERGY),
        ({"findings": [energy(5, 6, details={"machine": "two", "source": "estimated"})]}, "another machine", ENERGY),
        ({"findings": [energy(5, 6, details={"machine": "one", "source": "measured"})]}, "another machine", ENERGY),
        ({"findings": [energy(5, 6, gate={"max": 8})]}, "another gate", ENERGY),
        ({"findings": [energy(5, 6, unit="kWh")]}, "another unit", ENERGY),
        ({"policy": {"audit": {"confidence": 0.99}}}, "other settings", ENERGY),
        ({"policy": {"audit": {"confidence": 0.95}, "environment": {"x": 2}}}, "other settings", ENERGY),
        (
            {"policy": {"audit": {"confidence": 0.95}, "environment": {"x": 1}, "data": {"cluster": "who"}}},
            "other settings",
            ENERGY,
        ),
    ],
)
def test_what_is_not_comparable_is_marked_and_decides_nothing(change: dict[str, Any], says: str, marked: str) -> None:
    usual = {"policy": {"audit": {"confidence": 0.95}, "environment": {"x": 1}}}
    first = audited(energy(1, 2), **usual)
    same = compared(first, audited(energy(5, 6), **usual))
    assert same.choice.best == ["A"]
    assert not same.warnings
    found = compared(first, audited(energy(5, 6), **usual) | change)
    assert found.choice.best == ()
    assert found.choice.passing == ["A", "B"]
    assert any(says in why for why in row(found, marked).differs)
    assert "≠ not comparable" in Page(comparison.as_html(found)).text


def test_what_does_not_pass_keeps_nobody_from_being_compared() -> None:
    other = audited(energy(5, 6, gate={"max": 1}), verdict="fail", data={"test": {}, "train": {}})
    found = compared(audited(energy(1, 2)), other, audited(energy(3, 4)))
    assert found.choice.best == ["A"]
    assert len(found.warnings) == 2
    assert row(found, ENERGY).differs


def test_files_do_not_rest_on_the_test_data() -> None:
    files = finding("security.artifact", challenge="security", estimate=0, low=0, high=0, gate=None)
    other = {"data": {"test": {"path": "b.csv", "fingerprint": "sha256:bb"}, "train": {}}}
    found = compared(audited(energy(1, 2), files), audited(energy(1, 2), files, **other))
    assert row(found, "security.artifact").differs == []
    assert "(A: test.csv; B: b.csv)" in found.warnings[0]
    other["data"]["test"]["path"] = "test.csv"
    assert (
        "(A: sha256:aa…; B: sha256:bb…)"
        in compared(audited(files, energy(1, 2)), audited(energy(1, 2), **other)).warnings[0]
    )


@pytest.mark.parametrize(
    ("measured_on", "differs"),
    [
        (("test data",), ["other test data"]),
        (("files", "training data"), []),
        (("machine",), ["another machine"]),
        (("test data", "machine"), ["other test data", "another machine"]),
    ],
)
def test_what_a_figure_depends_on_its_declaration_says(measured_on: tuple[Basis, ...], differs: list[str]) -> None:
    declared = Probe("shop.queue", "quality", "Queue", "people", "lower", "People.", measured_on=measured_on)
    records = []
    for letter in "ab":
        value = audited(
            finding("shop.queue", title="Queue", unit="people", gate=None, details={"machine": letter}),
            data={"test": {"path": f"{letter}.csv", "fingerprint": f"sha256:{letter}"}, "train": {}},
        )
        records.append(value | {"declarations": declarations.to_json([declared])})
    assert row(compared(*records, objective="shop.queue"), "shop.queue").differs == differs


def test_figures_of_the_environment_that_a_former_version_recorded_depend_on_the_machine() -> None:
    declared = {"id": "shop.power", "challenge": "environment", "title": "Power", "unit": "W", "better": "lower"}
    words = {"meaning": "Power.", "harm": "", "remedy": ""}
    value = record(finding("shop.power", challenge="environment"), declarations=[declared | words])
    own: Any = former.lifted(value)["declarations"]
    (known,) = own
    assert known["measured_on"] == ["test data", "machine"]


def test_mistakes_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, none = tmp_path / "a.json", tmp_path / "none.json"
    first.write_text(json.dumps(audited()), "utf-8")
    none.write_text("{}", "utf-8")
    for arguments, says in (
        ([first], "expected 2 to 26 records, got 1"),
        ([first, none], "not a record"),
        ([first, first, "--objective", "environment.inference_energi"], f"did you mean '{ENERGY}'?"),
    ):
        assert main(["compare", *map(str, arguments), "-o", str(tmp_path / "x.html")]) == 4
        said = capsys.readouterr().err
        assert says in said
        assert is_one_sentence(said.strip())
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize("objective", [ENERGY, "shop.refunds"])
@pytest.mark.parametrize("not_assessed", [False, True])
def test_without_a_figure_of_the_objective_the_rest_is_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], objective: str, not_assessed: bool
) -> None:
    nothing: dict[str, Any] = {"estimate": None, "low": None, "high": None, "verdict": "not_assessed", "gate": None}
    own = [finding(objective, title="Figure", **nothing)] if not_assessed or objective != ENERGY else []
    for name, low in (("a", 0.8), ("b", 0.9)):
        value = audited(
            finding(estimate=low, low=low, high=low + 0.05), *own, policy={"compare": {"objective": objective}}
        )
        (tmp_path / f"{name}.json").write_text(json.dumps(value), "utf-8")
    names = [str(tmp_path / f"{name}.json") for name in "ab"]
    for output in ("page.html", "page.json"):
        assert main(["compare", *names, "-o", str(tmp_path / output)]) == 0
        said = capsys.readouterr()
        assert f"({objective}). The rest is compared." in said.err
        assert "A and B: These pass. Which is best cannot be told: for “" in said.out
        assert said.out.endswith("” there is no figure of A and B.\n")
    assert "The rest is compared." in Page((tmp_path / "page.html").read_text("utf-8")).text
    value = json.loads((tmp_path / "page.json").read_text("utf-8"))
    assert value["objective"]["better"] == ("lower" if objective == ENERGY else None)
    assert {row["id"]: row["comparable"] for row in value["rows"]}["quality.accuracy"]
    assert main(["compare", *names, "--objective", "quality.accuracy", "-o", str(tmp_path / "page.html")]) == 0
    assert "B: Best of 2 that pass" in capsys.readouterr().out


def test_an_objective_that_only_one_that_passes_has_no_figure_of_changes_nothing() -> None:
    found = compared(audited(finding()), audited(finding(), verdict="fail"))
    assert found.choice.best == ["A"]
    assert len(found.warnings) == 1


def test_an_objective_without_a_direction_is_refused() -> None:
    own = finding("shop.refunds", gate=None)
    with pytest.raises(AuditError, match="more or less"):
        compared(audited(own), audited(own), objective="shop.refunds")
    gated = [audited(finding("shop.refunds", gate={"max": 1}, low=i, high=i + 0.5, estimate=i)) for i in (3, 1)]
    assert compared(*gated, objective="shop.refunds").choice.best == ["B"]


def test_page_and_json_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name, ends in (("a", (1, 2)), ("b", (5, 6))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "audit.json").write_text(json.dumps(audited(energy(*ends))), "utf-8")
    assert main(["compare", "a", "b"]) == 0
    assert "A: Best of 2 that pass" in capsys.readouterr().out
    assert main(["compare", "a", "b", "-o", "c.json"]) == 0
    value = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert value["best"] == ["A"]
    assert value["rows"][0]["cells"]["B"]["low"] == 5
    page = Page((tmp_path / "comparison.html").read_text("utf-8"))
    assert not page.problems
    assert "1.500 Wh per 1,000 predictions [1.000, 2.000]" in page.text


def test_the_page_keeps_the_reports_rules() -> None:
    page = Page(comparison.as_html(compared(audited(energy(1, 2), odds()), audited(energy(5, 6), finding()))))
    assert not page.problems
    (style,) = [page.html.split("<style>")[1].split("</style>")[0]]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [a["content"] for tag, a in page.elements if "http-equiv" in a]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert not {tag for tag, _ in page.elements} & {"script", "iframe", "object", "form"}
    assert not any(name.startswith("on") or name == "style" for _, a in page.elements for name in a)
    assert [level for level in page.headings if level == 1] == [1]
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert all(
        link.startswith("#") and link[1:] in ids for tag, a in page.elements if tag == "a" for link in [a["href"] or ""]
    )
    (scroll,) = [a for _, a in page.elements if a.get("class") == "scroll"]
    assert (scroll["role"], scroll["tabindex"]) == ("region", "0")


def test_hostile_records_are_harmless() -> None:
    bad = hostile_record()
    bad["findings"].append(energy(1, 2))
    found = comparison.compare([(HOSTILE, bad), (HOSTILE, copy.deepcopy(bad))])
    page = Page(comparison.as_html(found))
    assert not page.problems
    assert not {tag for tag, _ in page.elements} & {"script", "img", "iframe"}
    assert "\u202e" not in page.html
    json.dumps(comparison.as_json(found), allow_nan=False)
