"""Pictures of several findings together, from what the probes themselves record; and what a record may do to them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from audit import Gate, Measurement, judge
from audit.core.evidence import Shift, Shifts, to_json
from audit.core.verdict import Finding
from audit.probes.catalogue import ids
from audit.probes.ethics.fairness import accuracy_gap, demographic_parity, equalized_odds
from audit.probes.quality.behaviour import behaviour
from audit.probes.quality.quality import accuracy
from audit.probes.security.perturbation import perturbation
from audit.record import declarations, former
from audit.record.record import as_dict
from audit.report.i18n.language import words
from audit.report.page.page import render
from tests.helpers import examples, predictions, scorer
from tests.report.page.test_page import Page, finding, finding_of, page, record


def made(*measured: Measurement, gate: Gate | None = None) -> Any:
    """A record that holds these measurements as an audit writes them."""
    known = ids()
    findings = []
    for each in measured:
        declared = known[each.id.partition("[")[0]]
        verdict, reason = judge(each, gate)
        whole = Finding(each.id, declared.challenge, declared.title, verdict, reason, each, gate)
        findings.append(json.loads(json.dumps(as_dict(whole))))
    value = former.lifted(record(finding()))
    own = declarations.to_json([known[each.id.partition("[")[0]] for each in measured])
    value["declarations"] = [*value["declarations"], *json.loads(json.dumps(own))]  # type: ignore[misc]
    value["findings"] = findings
    return value


def table(html: str, caption: str) -> list[list[str]]:
    """The rows of the table under a caption, each cell's text."""
    (found,) = re.findall(rf"<caption class=\"unseen\">{re.escape(caption)}</caption>(.*?)</table>", html, re.DOTALL)
    rows = re.findall(r"<tr.*?</tr>", found, re.DOTALL)
    plain = [re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in rows]
    return [[" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in row] for row in plain]


def shades(html: str, caption: str) -> list[list[int]]:
    (found,) = re.findall(rf"<caption class=\"unseen\">{re.escape(caption)}</caption>(.*?)</table>", html, re.DOTALL)
    rows = re.findall(r"<tr.*?</tr>", found, re.DOTALL)[1:]
    return [[int(level) for level in re.findall(r"level(\d)", row)] for row in rows]


def _reader(text: str) -> list[float]:
    return [0.1, 0.9] if "wonderful" in text.split() else [0.9, 0.1]


def test_each_disturbance_has_a_row_with_what_is_lost_at_each_strength() -> None:
    texts = ["so wonderful"] * 60 + ["so terrible"] * 40
    about = examples([1] * 60 + [0] * 40, texts=texts)
    measured = [
        perturbation(scorer(_reader), predictions([1] * 60 + [0] * 40, about), kind) for kind in ("typos", "case")
    ]
    html = render(made(*measured, gate=Gate(max=0.2)))
    head, typos, case = table(html, words.DISTURBED)
    assert head == [words.DISTURBANCE, *words.STRENGTHS, words.PAGE["gate"]]
    assert typos[0] == "typing errors"
    assert typos[2].startswith("60")
    assert "✕ Fail" in typos[2]
    assert "Fail" not in typos[1] + typos[3]
    assert shades(html, words.DISTURBED)[0] == [4, 4, 4, 0]
    assert typos[-1] == "at most 20 points"
    assert case[0] == "other capitals"


def test_one_strength_alone_is_one_column() -> None:
    texts = ["so wonderful"] * 60 + ["so terrible"] * 40
    about = examples([1] * 60 + [0] * 40, texts=texts)
    only = perturbation(scorer(_reader), predictions([1] * 60 + [0] * 40, about), curves=False)
    head, _ = table(render(made(only)), words.DISTURBED)
    assert head == [words.DISTURBANCE, words.STRENGTHS[1], words.PAGE["gate"]]


def test_all_kinds_of_sentences_stand_in_one_picture_the_worst_first_with_one_that_is_misread() -> None:
    def deaf(text: str) -> list[float]:
        return [0.9, 0.1] if re.search(r"terrible|awful|bad|horrible|dreadful", text) else [0.1, 0.9]

    measured = [
        behaviour(scorer(deaf), ("negative", "positive"), each) for each in ("punctuation", "negation_of_positive")
    ]
    html = render(made(*measured, gate=Gate(max=0.3)))
    head, first, second = table(html, words.CAPABILITIES)
    assert head[-1] == words.EXAMPLE
    assert first[0].endswith("negation of positive")
    assert "✕" in first[0]
    assert re.search(r"\bnot\b|n't|never", first[-1])
    assert "right: negative" in first[-1]
    assert second[0].endswith("punctuation")
    (drawn,) = re.findall(r'<svg class="bars".*?</svg>', html, re.DOTALL)[:1]
    assert 'class="bound"' in drawn  # the gate
    german = render(made(*measured, gate=Gate(max=0.3)), language="de")
    assert "right: negative" not in german


def of_groups(counts: Sequence[tuple[str, int, int]]) -> tuple[Any, Any]:
    """Examples of groups, half of them of either class: (group, size, answered wrongly among the positive ones)."""
    truth, said, group = [], [], []
    for name, size, wrong in counts:
        truth += [0, 1] * (size // 2)
        mistakes = iter([True] * wrong + [False] * size)
        said += [0 if each == 0 or next(mistakes) else 1 for each in truth[-size:]]
        group += [name] * size
    return predictions(said, examples(truth, groups={"region": group})), group


def test_the_rates_of_all_groups_stand_in_one_table_darker_the_farther_behind() -> None:
    answers, _ = of_groups([("north", 200, 0), ("south", 200, 4), ("east", 200, 30)])
    measured = [probe(answers, "region") for probe in (accuracy_gap, equalized_odds, demographic_parity)]
    html = render(made(*measured))
    caption = words.BY_GROUP.format(column="region")
    head, *rows = table(html, caption)
    assert sorted(head[1:]) == ["east", "north", "south"]
    by_name = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    assert by_name[words.RIGHT_ANSWERS] == {"east": "85 %", "south": "98 %", "north": "100 %"}
    assert by_name[words.RECOGNISED.format(class_name="positive")]["east"] == "70 %"
    assert by_name[words.MISTAKEN.format(class_name="positive")]["east"] == "0 %"
    assert by_name[words.CALLED.format(class_name="positive")]["east"] == "35 %"
    assert by_name[words.TRULY.format(class_name="positive")]["east"] == "50 %"
    levels = dict(zip(by_name, shades(html, caption), strict=True))
    right = dict(zip(head[1:], levels[words.RIGHT_ANSWERS], strict=True))
    assert right == {"north": 0, "south": 1, "east": 4}


def test_a_confusion_matrix_is_a_heat_map_with_counts_and_shares() -> None:
    answers = predictions([0] * 80 + [1] * 20 + [1] * 100, examples([0] * 100 + [1] * 100))
    html = render(made(accuracy(answers)))
    head, negative, positive = table(html, words.CONFUSION)
    assert head == [words.TRUE_CLASS, "called “negative”", "called “positive”"]
    assert negative == ["negative", "80 80 %", "20 20 %"]
    assert positive == ["positive", "0 0 %", "100 100 %"]
    assert shades(html, words.CONFUSION) == [[3, 3], [0, 4]]


SHIFTS = Shifts(
    "Who", "disability",
    [
        Shift("autistic", "templates", (-0.12, -0.16, -0.08), 41, 0.001),
        Shift("autistic", "your texts", (-0.02, -0.05, 0.01), 70, 0.3),
        Shift("deaf", "your texts", (-0.04, -0.09, 0.01), 60, 0.2),
        Shift("deaf", "templates", (0.01, -0.05, 0.07), 39, 0.5),
    ],
)  # fmt: skip


def shifted(*items: Shift) -> Any:
    value = former.lifted(record(finding()))
    about = {"id": "fairness.counterfactual[disability]", "challenge": "ethics", "unit": "share", "gate": None}
    value["findings"] = [
        finding_of(**about, verdict="reported", evidence=[to_json(Shifts("Who", "disability", items))])
    ]
    return value


def test_who_is_scored_more_negative_is_said_and_the_worse_source_of_a_group_leads() -> None:
    shown = page(shifted(*SHIFTS.items))
    said = "Texts about people who are “autistic” are scored more negative by 0.120 [0.080, 0.160] (templates)."
    assert said in shown.text.replace("\N{NO-BREAK SPACE}", " ")
    rows = table(shown.html, "Who")[1:]
    assert [(row[0], row[3]) for row in rows] == [
        ("autistic", "templates (41)"), ("autistic", "your texts (70)"),
        ("deaf", "your texts (60)"), ("deaf", "templates (39)"),
    ]  # fmt: skip
    drawn = re.findall(r'<svg class="bars".*?</svg>', shown.html, re.DOTALL)
    assert ['class="bar fails"' in each for each in drawn] == [True, False, False, False]


def test_where_nobody_is_surely_scored_otherwise_that_is_said() -> None:
    shown = page(shifted(*SHIFTS.items[1:])).text
    assert words.NOBODY_SHIFTED in shown
    assert "“autistic” are scored more negative by 0.120" not in shown


@pytest.mark.parametrize("change", [(None, None, None), (1e308, -1e308, 1e308), (0.0, 0.0, 0.0)])
def test_odd_shifts_stay_in_the_drawing(change: Any) -> None:
    html = page(shifted(Shift("<b>x</b>", "templates", change, 10, None))).html
    assert "<b>x</b>" not in html
    for drawn in re.findall(r'<svg class="bars".*?</svg>', html, re.DOTALL):
        across = [float(x) for x in re.findall(r' (?:x|x1|x2|cx)="(-?[\d.]+)"', drawn)]
        assert 0 <= min(across) <= max(across) <= 240


def test_what_stands_in_other_tables_is_no_chart() -> None:
    """A former or foreign record may hold anything in the tables that charts are read from."""
    rng = np.random.default_rng(0)
    odd = ["x", None, True, -1e308, 1e308, "strength", "<i>"]
    for _ in range(30):
        cell = lambda: copy.copy(odd[rng.integers(len(odd))])  # noqa: E731
        pieces = [
            {
                "kind": "table", "caption": "c",
                "columns": ["strength", "accuracy lost", "class", "class, rate", "accuracy", "region", "a: said"],
                "rows": [[cell() for _ in range(rng.integers(1, 8))] for _ in range(3)],
            }
        ]  # fmt: skip
        value: Any = former.lifted(record(finding()))
        value["findings"] = [
            finding_of(id=full_id, challenge="ethics", evidence=pieces)
            for full_id in (
                "security.perturbation[typos]", "fairness.accuracy_gap[region]", "fairness.equalized_odds[region]",
                "fairness.demographic_parity[region]", "quality.behaviour[actions]",
            )
        ]  # fmt: skip
        assert Page(render(value)).problems == []
