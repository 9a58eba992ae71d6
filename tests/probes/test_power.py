"""What is published of the probes' power: the file holds together, and each finding gets its own figures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from audit.core.identifiers import base_id, bracket_of
from audit.probes import power
from audit.probes.catalogue import ids
from audit.probes.power import Trial, phrase, planted_for, published


def trial(finding: str = "quality.accuracy", defect: str = "noise", **more: Any) -> Trial:
    """A trial; what is not told is the same in all."""
    usual: dict[str, Any] = {
        "strength": "5 % of the rows", "order": 5, "caught": 20, "of": 20, "alarms": 0, "clean": 20, "gate": 0.1,
        "commit": "abc", "date": "2026-11-30",
    }  # fmt: skip
    return Trial(finding, defect, **(usual | more))


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put trials in the place of the file's."""
    return lambda *trials: monkeypatch.setattr(power, "published", lambda: trials)


def test_the_file_names_measures_that_there_are_and_counts_that_can_be() -> None:
    assert len(published()) > 20
    for each in published():
        declared = ids()[base_id(each.finding)]
        if bracket := bracket_of(each.finding):
            named = [bracket] if isinstance(declared.brackets, str) else declared.brackets
            assert any(name == bracket or name.startswith(f"{bracket}_") for name in named), each
        assert 0 <= each.caught <= each.of > 0, each
        assert 0 <= each.alarms <= each.clean, each
        assert all((each.defect, each.date)), each
        for text in (each.defect, each.strength):
            assert str(phrase(text)) == text
    about = [(each.finding, each.defect, each.strength) for each in published()]
    assert len(about) == len(set(about))


def test_a_finding_gets_what_was_planted_under_its_bracket_else_under_the_measure(
    publish: Callable[..., None],
) -> None:
    publish(
        trial("quality.behaviour", "any"),
        trial("quality.behaviour[negation]", "negation"),
        trial("security.perturbation[case]", "case"),
    )

    def defects(full_id: str) -> list[str]:
        return [each.stated.defect for each in planted_for(full_id)]

    assert defects("quality.behaviour[negation_of_positive]") == ["negation"]
    assert defects("quality.behaviour[numbers]") == ["any"]
    assert defects("security.perturbation[case]") == ["case"]
    assert defects("security.perturbation[casing]") == defects("quality.accuracy") == []


def test_strengths_stand_from_the_strongest_and_kinds_from_the_least_caught(publish: Callable[..., None]) -> None:
    publish(
        trial(defect="easy"),
        trial(defect="hard", order=1, caught=3),
        trial(defect="hard", order=9, caught=18),
        trial(defect="claimed", order=2, caught=19, stated=True),
        trial(defect="claimed", order=9),
    )
    hard, claimed, easy = planted_for("quality.accuracy")
    assert ([each.order for each in hard.trials], hard.stated.order) == ([9, 1], 9)
    assert ([each.order for each in claimed.trials], claimed.stated.order) == ([9, 2], 2)
    assert [each.stated.is_short for each in (hard, claimed, easy)] == [True, False, False]


def test_a_probe_is_short_only_where_a_planted_defect_passed() -> None:
    assert [trial(caught=2, of=4, passed=n).is_short for n in (None, 2, 0)] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("0.25 % of the rows", "{0:,} % of the rows"),
        ("3 of 10 texts, among 1,821", "{0:,} of {1:,} texts, among {2:,}"),
        ("UTF-8 or bfloat16, 8-bit", "UTF-8 or bfloat16, 8-bit"),
    ],
)
def test_a_phrase_has_one_translation_whatever_its_numbers(text: str, template: str) -> None:
    assert (phrase(text).template, str(phrase(text))) == (template, text)
