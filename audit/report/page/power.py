"""What the page says of how well the auditor itself catches what was planted: at each finding, and in one table.

The figures are those of the auditor that makes the page (:mod:`audit.probes.power`); the record holds its version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import audit
from audit.core.numbers import SHARE
from audit.core.records import Record, section
from audit.probes.power import Planted, Trial, phrase
from audit.report.i18n import language
from audit.report.i18n.language import counted, words
from audit.report.page import text
from audit.report.page.findings import FindingView, listed
from audit.statistics import proportion


def said(view: FindingView) -> str:
    """What the probe of a finding caught of what was planted, what it caught least first."""
    if not view.planted:
        return words.POWER_UNKNOWN
    clean = _clean(view.planted)
    sentences = [
        _kinds(view.planted) if len(view.planted) > 1 else words.POWER.format(caught=_defect(view.planted[0], 3)),
        words.POWER_CLEAN.format(alarmed=clean) if clean else "",
        words.POWER_LIMITS,
    ]
    return language.together(sentences)


def _kinds(planted: Sequence[Planted]) -> str:
    return counted(
        words.POWER_OF_KINDS,
        sum(not each.stated.is_short for each in planted),
        kinds=len(planted),
        times=text.figure(min(each.stated.of for each in planted)),
        caught=_defect(planted[0]),
    )


def shortfall(view: FindingView) -> str:
    """Which planted defects the probe behind a pass catches too seldom, the one of which most passed; else empty."""
    if not view.is_weak:
        return ""
    short = [each for each in view.planted if each.stated.is_short]
    first, *others = sorted(short, key=lambda each: -each.stated.released)
    parts = [_defect(first), counted(words.POWER_MORE, len(others)) if others else ""]
    return words.POWER_SHORT.format(missed=words.SEMICOLON.join(filter(None, parts)))


class Measure(NamedTuple):
    """What was planted for a measure: how many clean twins alarmed, and of each kind of defect what was caught."""

    name: str
    clean: str
    defects: Sequence[tuple[str, str]]


def measures(views: Iterable[FindingView]) -> list[Measure]:
    """All that was planted for findings, in their order."""
    named: dict[Sequence[Planted], str] = {}
    for view in views:
        if view.planted:
            named.setdefault(view.planted, view.name if "[" in view.planted[0].stated.finding else view.title)
    return [
        Measure(
            name, _clean(planted), [(text.said(phrase(each.stated.defect)), _trials(each.trials)) for each in planted]
        )
        for planted, name in named.items()
    ]


def without(views: Iterable[FindingView]) -> str:
    """For which measures nothing was planted, in a sentence; empty where there are none."""
    titles = dict.fromkeys(view.title for view in views if view.measured and not view.planted)
    return words.POWER_WITHOUT.format(names=listed(list(titles), shown=len(titles))) if titles else ""


def version(record: Record) -> str:
    """Which version of the auditor the figures are of, and by which the audit was made where that is another."""
    own, other = audit.__version__, section(record["provenance"], "versions").get("pytest-model-audit")
    told = [words.POWER_VERSION.format(version=own)]
    if other != own:
        told.append(words.POWER_OTHER_VERSION.format(version=text.cell(other) if other else words.PAGE["unknown"]))
    return language.together(told)


def _defect(planted: Planted, most: int = 1) -> str:
    """A kind of defect with so many trials, from the stated strength down.

    Such as: a word in training texts (1 % of the rows: 1 of 2, 50 % [1, 99], 0 passed).
    """
    first = planted.stated
    trials = [first, *(trial for trial in planted.trials if trial.order < first.order)][:most]
    return words.POWER_OF.format(defect=text.said(phrase(first.defect)), trials=_trials(trials))


def _trials(trials: Sequence[Trial]) -> str:
    return words.SEMICOLON.join(map(_trial, trials))


def _trial(trial: Trial) -> str:
    count = _count(trial.caught, trial.of)
    if trial.passed is not None and trial.caught < trial.of:
        count = words.POWER_PASSED.format(caught=count, passed=text.figure(trial.passed))
    if not trial.strength:
        return count
    return words.LABELLED.format(word=text.said(phrase(trial.strength)), said=count)


def _clean(planted: Iterable[Planted]) -> str:
    """How many clean twins alarmed, where most did; empty where none were tried."""
    tried = [trial for each in planted for trial in each.trials if trial.clean]
    if not tried:
        return ""
    most = max(tried, key=lambda trial: trial.alarms / trial.clean)
    return _count(most.alarms, most.clean)


def _count(number: int, of: int) -> str:
    """14 of 20, 70 % [46, 88]."""
    interval = text.figures(proportion(number, of), unit=SHARE).interval
    return words.POWER_COUNT.format(number=text.figure(number), of=text.figure(of), interval=interval)
