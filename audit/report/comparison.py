"""Several audits side by side, from their records alone: what each found, which pass, and which of those is best.

It measures nothing and reaches no verdict of its own; where records do not speak of the same thing, it says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from string import ascii_uppercase
from types import MappingProxyType
from typing import NamedTuple

from markupsafe import Markup

from audit.core.errors import AuditError
from audit.core.identifiers import base_id
from audit.core.probe import Basis
from audit.core.records import FindingRecord, GateRecord, IntervalRecord, Record, interval, section
from audit.core.verdict import is_waived
from audit.policy.policy import OBJECTIVE, did_you_mean
from audit.record.declarations import of_record
from audit.report import headline
from audit.report.i18n import language
from audit.report.i18n.language import counted, words
from audit.report.i18n.words import Mark
from audit.report.page import figures, findings, text
from audit.report.page import page as report
from audit.report.page.evidence import Limits
from audit.report.page.findings import FindingView
from audit.statistics import Interval, widened

COMPARISON = words.COMPARISON  # says each word when it is asked for
# What a figure is taken to depend on where nobody declares it.
_UNDECLARED: tuple[Basis, ...] = ("test data",)
# Settings of a policy that change what is measured: everywhere, or in the challenge of the same name.
_EVERYWHERE = {
    "audit": ("confidence", "looks", "min_group_size"),
    "data": ("language", "max_examples", "pairs", "cluster"),
}
_CHALLENGES = ("quality", "privacy", "security", "environment")


class Candidate(NamedTuple):
    """One of the audits that are compared: a column of the table."""

    letter: str
    path: str
    record: Record
    views: Mapping[str, FindingView]

    @property
    def passes(self) -> bool:
        """Whether its whole audit was run and every gate holds, is waived, or is let pass by its policy."""
        return self.record["verdict"] == "pass" and self.record["complete"] and not self.record.get("restarted")

    @property
    def name(self) -> str:
        """What is audited, short enough for the head of a column."""
        return text.short(str(self.record["model"].get("source") or words.PAGE["unknown"]), text.HEADER)

    @property
    def mark(self) -> Mark:
        """Its audit's verdict."""
        return words.RELEASES[self.record["verdict"]]._replace(word=headline.word(self.record))

    @property
    def gates(self) -> str:
        """How many of its gates hold."""
        gated = [view for view in self.views.values() if view.gated]
        hold = sum(view.verdict == "pass" for view in gated)
        unexceeded = sum(view.verdict == "not_exceeded" for view in gated)
        aside = [counted(words.NOT_EXCEEDED, unexceeded)] if unexceeded else []
        return words.COMMA.join([COMPARISON["hold"].format(hold=hold, gates=len(gated)), *aside])

    @property
    def passing(self) -> str:
        """Whether it is a candidate, and by whose leave."""
        if not self.passes:
            return COMPARISON["passes_not"]
        return COMPARISON["passes_waived" if self.waived else "passes_warned" if self.warned else "passes"]

    @property
    def waived(self) -> list[FindingView]:
        """Gates that do not hold and that somebody answers for."""
        return [view for view in self.views.values() if view.gated and is_waived(view.finding)]

    @property
    def warned(self) -> bool:
        """Whether gates of it are inconclusive, waived by nobody."""
        waived = {view.id for view in self.waived}
        return any(c.gated and c.verdict == "inconclusive" and c.id not in waived for c in self.views.values())

    @property
    def notices(self) -> list[str]:
        """What must be known of this audit by itself."""
        sentences = findings.notices(self.record, shortened=False)
        return sentences if any(view.gated for view in self.views.values()) else [*sentences, words.PAGE["no_gates"]]


class Row(NamedTuple):
    """One measure over all candidates, and why its figures cannot be held against each other, if so."""

    id: str
    challenge: str
    cells: Sequence[FindingView | None]
    differs: Sequence[str]

    @property
    def name(self) -> str:
        """The measure's title."""
        return next(view.name for view in self.cells if view)

    @property
    def drawings(self) -> list[Markup]:
        """Each candidate's interval and its gate on the row's common scale; empty where the row is not comparable."""
        parts = [_ends(view.finding) if view else () for view in self.cells]
        known = [value for part in parts if None not in part for value in part if value is not None]
        if self.differs or len(known) < 6:
            return [Markup() for _ in parts]
        gates = [_limits(view.finding) if view else [] for view in self.cells]
        known += chain.from_iterable(gates)
        if min(known) == max(known):
            return [Markup() for _ in parts]
        start, end = min(known), max(known)
        return [
            figures.span(part, start, end, gate) if part else Markup() for part, gate in zip(parts, gates, strict=True)
        ]


def _ends(finding: FindingRecord) -> tuple[float | None, ...]:
    return finding["estimate"], finding["low"], finding["high"]


def _limits(finding: FindingRecord) -> list[float]:
    return [limit for limit in (finding["gate"] or {}).values() if isinstance(limit, (int, float))]


class Choice(NamedTuple):
    """Which candidates may ship, and the best of them: one, or several that cannot be told apart, or none."""

    passing: Sequence[str]
    best: Sequence[str]
    sentence: str
    figures: Sequence[tuple[str, str]] = ()
    risk: str = ""
    chosen: Mapping[str, IntervalRecord] = MappingProxyType({})  # the figures, once one of them is chosen by them


@dataclass(frozen=True)
class Comparison:
    """Everything that page and JSON file show."""

    objective: str
    better: str
    candidates: Sequence[Candidate]
    rows: Sequence[Row]
    warnings: Sequence[str]
    choice: Choice


def compare(records: Sequence[tuple[str, Record]], objective: str | None = None) -> Comparison:
    """Lay records side by side.

    Parameters
    ----------
    records : sequence of (path, record)
        Each fits the schema; the texts in them are not trusted. The policy of the first names the objective.
    objective : str, optional
        The id by which the best of the passing candidates is told, instead.

    Raises
    ------
    AuditError
        If there are fewer than two records or more than letters, if nobody knows the objective, or if it was measured
        and nobody says whether more or less of it is better.
    """
    if not 2 <= len(records) <= len(ascii_uppercase):
        raise AuditError(f"compare: expected 2 to {len(ascii_uppercase)} records, got {len(records)}.")
    candidates = [_candidate(*each) for each in zip(ascii_uppercase, records, strict=False)]
    objective = str(objective or findings.setting(candidates[0].record, "compare", "objective") or OBJECTIVE)
    better = _better(objective, candidates)
    differing = _differing(candidates)
    choice = _choose(candidates, objective, better, differing)
    warnings = _warnings(candidates, differing, objective)
    return Comparison(objective, better, candidates, _rows(candidates, differing), warnings, choice)


def _candidate(letter: str, named: tuple[str, Record]) -> Candidate:
    path, record = named[0], text.shown(named[1])
    return Candidate(letter, text.cell(text.clean(path)), record, {c.id: c for c in findings.views(record, Limits())})


def _better(objective: str, candidates: Sequence[Candidate]) -> str:
    """Whether a higher or a lower figure of the objective is better; empty where none was measured that says so."""
    every = {full_id for candidate in candidates for full_id in candidate.views}
    declared = [known for c in candidates if (known := of_record(c.record).get(base_id(objective))) is not None]
    if not declared and objective not in every:
        near = did_you_mean(objective, sorted(every))
        raise AuditError(f"compare: the objective '{text.cell(objective)}' is no id of these records{near}")
    stated = {identifier.better for identifier in declared if identifier.better != "either"}
    if len(stated) == 1:
        return stated.pop()
    ways = {way for c in candidates if objective in c.views for way in c.views[objective].finding["gate"] or ()}
    if not _measured(candidates, objective):
        return ""
    if len(ways) != 1:
        raise AuditError(
            f"compare: nothing says whether more or less of '{objective}' is better; name another objective."
        )
    return "higher" if ways == {"min"} else "lower"


def _measured(candidates: Sequence[Candidate], full_id: str) -> dict[str, FindingView]:
    """The candidates' figures of one measure, by letter."""
    views = {candidate.letter: candidate.views.get(full_id) for candidate in candidates}
    return {letter: view for letter, view in views.items() if view and view.measured}


class _Differing(NamedTuple):
    """In what the records do not agree; empty or False where they do."""

    test: bool
    gates: Sequence[str]
    settings: Mapping[str, Sequence[str]]
    machine: bool
    auditor: bool
    inconclusive: bool

    @property
    def verdicts(self) -> bool:
        """Whether to pass means something else in each."""
        return bool(self.test or self.gates or self.inconclusive or self.settings)


def _differing(candidates: Sequence[Candidate]) -> _Differing:
    records = [candidate.record for candidate in candidates]
    all_ids = dict.fromkeys(full_id for candidate in candidates for full_id in candidate.views)
    settings: dict[str, list[str]] = {}
    for part in ("audit", "data", *_CHALLENGES):
        tables = [section(r["policy"], part) for r in records]
        # A key that one policy lacks was not known yet to the auditor of its time.
        for key in _EVERYWHERE.get(part, sorted(set.intersection(*map(set, tables)))):
            if _several(table.get(key) or None for table in tables if part == "data" or key in table):
                settings.setdefault(part, []).append(f"[{part}] {key}")
    return _Differing(
        test=_several(r["data"]["test"].get("fingerprint") or i for i, r in enumerate(records)),
        gates=[i for i in all_ids if _several(_gate(c.views.get(i)) for c in candidates)],
        settings=settings,
        machine=_several(_machine(r) for r in records),
        auditor=_several(_version(r) for r in records),
        inconclusive=_several(findings.setting(r, "audit", "inconclusive") for r in records),
    )


def _several(values: Iterable[object]) -> bool:
    """Whether JSON values are not all equal; True equals 1 no more than elsewhere in JSON."""
    return len({repr(value) for value in values}) > 1


def _gate(view: FindingView | None) -> GateRecord | None:
    return view.finding["gate"] if view else None


def _machine(record: Record, finding: FindingRecord | None = None) -> tuple[object, object]:
    """Where a figure was measured, as far as a record tells: by the finding itself, else by the whole audit."""
    if finding and finding.get("machine"):
        return finding["machine"], finding.get("source")
    made = record["provenance"]
    return made.get("device"), section(made, "versions").get("system")


def _version(record: Record) -> object:
    return section(record["provenance"], "versions").get("pytest-model-audit")


def _rows(candidates: Sequence[Candidate], differing: _Differing) -> list[Row]:
    all_ids = dict.fromkeys(full_id for candidate in candidates for full_id in candidate.views)
    rows = []
    for full_id in all_ids:
        cells = [candidate.views.get(full_id) for candidate in candidates]
        challenge = next(cell.challenge for cell in cells if cell)
        rows.append(Row(full_id, challenge, cells, _why_not(full_id, challenge, cells, candidates, differing)))
    order = list(words.SECTIONS)
    return sorted(rows, key=lambda row: (order.index(row.challenge), _weight(row), row.id))


def _weight(row: Row) -> int:
    """What somebody gated comes first, what fails somewhere before all."""
    order = list(words.VERDICTS)
    return min(order.index(cell.verdict) if cell.gated else len(order) for cell in row.cells if cell)


def _why_not(
    full_id: str,
    challenge: str,
    cells: Sequence[FindingView | None],
    candidates: Sequence[Candidate],
    differing: _Differing,
) -> list[str]:
    """Why the figures of one row cannot be held against each other, in the words of the page."""
    reasons = []
    shown = [cell.declared.measured_on if cell.declared else _UNDECLARED for cell in cells if cell]
    measured_on = set(chain.from_iterable(shown))
    if differing.test and "test data" in measured_on:
        reasons.append(COMPARISON["other_test"])
    measured = [(c.record, cell.finding) for c, cell in zip(candidates, cells, strict=True) if cell and cell.measured]
    if "machine" in measured_on and _several(_machine(*each) for each in measured):
        reasons.append(COMPARISON["other_machine"])
    if any(differing.settings.get(section) for section in (*_EVERYWHERE, challenge)):
        reasons.append(COMPARISON["other_settings"])
    if _several(finding["unit"] for _, finding in measured):
        reasons.append(COMPARISON["other_unit"])
    if full_id in differing.gates:
        reasons.append(COMPARISON["other_gate"])
    return reasons


def _choose(candidates: Sequence[Candidate], objective: str, better: str, differing: _Differing) -> Choice:
    """The best of the candidates that pass.

    Notes
    -----
    A candidate is put aside where another's whole interval is better than its own. If the intervals of m
    candidates at confidence c are right, the truly best one always stays; it is put aside by bad luck in at most
    m (1 - c) / 2 of such comparisons, since one of m bounds must be wrong on its one side (Bonferroni).
    """
    passing = [candidate for candidate in candidates if candidate.passes]
    letters = [candidate.letter for candidate in passing]
    title, measured = _title(candidates, objective), _measured(passing, objective)
    if not passing:
        return Choice((), (), COMPARISON["none_passes"].format(count=len(candidates)))
    if len(passing) == 1 and differing.verdicts:
        return Choice(letters, (), _with_waivers(COMPARISON["one_passes_otherwise"], passing))
    if len(passing) == 1:
        return Choice(letters, letters, _with_waivers(COMPARISON["one_passes"].format(count=len(candidates)), passing))
    if _same_model(passing) == [letters]:
        return Choice(letters, (), _with_waivers(COMPARISON["same_model"], passing))
    # Only the passing candidates must be comparable; differences of the others do not matter.
    among = _differing(passing)
    if among.gates or among.inconclusive:
        return Choice(letters, (), _with_waivers(COMPARISON["gates_differ"], passing))
    differs = [why for row in _rows(passing, among) if row.id == objective for why in row.differs]
    if measured and differs:
        return Choice(letters, (), COMPARISON["row_differs"].format(title=title, why=words.COMMA.join(differs)))
    sign = -1.0 if better == "higher" else 1.0
    bounds = {}
    for letter, view in measured.items():
        low, high = view.finding["low"], view.finding["high"]
        low, high = (low, high) if better == "lower" else (high, low)
        bounds[letter] = (-math.inf if low is None else sign * low, math.inf if high is None else sign * high)
    # Whoever failed a gate was one to choose from as well.
    number = len(_measured(candidates, objective))
    chosen = {letter: _chosen(view, number) for letter, view in measured.items()}
    results = [
        (
            letter,
            COMPARISON["chosen_figure"].format(
                figure=view.short_result,
                count=number,
                chosen=findings.figures_of(chosen[letter], view.finding["unit"]).interval,
            ),
        )
        for letter, view in measured.items()
    ]
    unknown = [letter for letter in letters if letter not in measured]
    if unknown:
        conclusion = COMPARISON["not_all_measured"].format(title=title, letters=listed(unknown))
        return Choice(letters, (), conclusion, results, chosen=chosen)
    reach = min(high for _, high in bounds.values())
    best = [letter for letter, (low, _) in bounds.items() if low <= reach]
    first = next(iter(measured.values()))
    error = (1 - first.finding["confidence"]) / 2
    risk = COMPARISON["risk"].format(
        risk=text.percent(len(bounds) * error),
        count=len(candidates),
        one=text.percent(error),
        any=text.percent(min(len(candidates) * error, 1)),
    )
    form = "one_best" if len(best) == 1 else "all_best" if len(best) == len(passing) else "several_best"
    conclusion = COMPARISON[form].format(title=title, way=COMPARISON[better], count=len(passing))
    return Choice(letters, best, _with_waivers(conclusion, passing), results, risk, chosen)


def _chosen(view: FindingView, number: int) -> IntervalRecord:
    """A figure by which one of so many candidates is chosen, with the interval that then holds.

    Notes
    -----
    The best of several figures is too good by luck; intervals that hold for all together hold for whichever is
    chosen (Bonferroni).
    """
    finding = view.finding
    estimate, low, high = finding["estimate"], finding["low"], finding["high"]
    assert estimate is not None
    least, most = view.declared.range if view.declared else (None, None)
    wide = widened(
        Interval(estimate, -math.inf if low is None else low, math.inf if high is None else high),
        finding["confidence"],
        number,
    )
    return {
        "estimate": estimate,
        "low": None if low is None else max(wide.low, -math.inf if least is None else least),
        "high": None if high is None else min(wide.high, math.inf if most is None else most),
    }


def _same_model(candidates: Sequence[Candidate]) -> list[list[str]]:
    """Letters of the candidates that are one model, by fingerprint; each group has two or more."""
    groups: dict[str, list[str]] = {}
    for candidate in candidates:
        groups.setdefault(str(candidate.record["model"].get("fingerprint") or candidate.letter), []).append(
            candidate.letter
        )
    return [letters for letters in groups.values() if len(letters) > 1]


def _title(candidates: Sequence[Candidate], full_id: str) -> str:
    """The measure's title as a record has it, else as its declaration does."""
    views = (candidate.views.get(full_id) for candidate in candidates)
    declared = (of_record(candidate.record).get(base_id(full_id)) for candidate in candidates)
    return next((view.name for view in views if view), "") or findings.named(
        full_id, next(filter(None, declared), None)
    )


def _with_waivers(conclusion: str, passing: Sequence[Candidate]) -> str:
    waived = [candidate.letter for candidate in passing if candidate.waived]
    return conclusion + (COMPARISON["with_waivers"].format(letters=listed(waived)) if waived else "")


def _warnings(candidates: Sequence[Candidate], differing: _Differing, objective: str) -> list[str]:
    """What keeps the records from being compared, before anything else is read."""
    warnings = [COMPARISON["same_model_warning"].format(letters=listed(letters)) for letters in _same_model(candidates)]
    if not _measured(candidates, objective):
        title, full_id = _title(candidates, objective), text.short(objective, text.HEADER)
        warnings.append(COMPARISON["objective_warning"].format(title=title, id=full_id))
    if differing.test:
        tests = [c.record["data"]["test"] for c in candidates]
        names = [text.cell(test.get("path") or words.PAGE["unknown"]) for test in tests]
        if not _several(names):  # other data of the same name
            names = [text.fingerprint(test.get("fingerprint")) for test in tests]
        test_sets = words.SEMICOLON.join(
            words.LABELLED.format(word=c.letter, said=name) for c, name in zip(candidates, names, strict=True)
        )
        warnings.append(COMPARISON["test_warning"].format(told=test_sets))
    if differing.gates:
        shown = [text.short(full_id, text.HEADER) for full_id in differing.gates[:8]]
        if more := len(differing.gates) - len(shown):
            shown.append(COMPARISON["more"].format(count=more))
        warnings.append(COMPARISON["gates_warning"].format(ids=words.COMMA.join(shown)))
    if differing.inconclusive:
        warnings.append(COMPARISON["inconclusive_warning"])
    if differing.settings:
        keys = words.COMMA.join(key for keys in differing.settings.values() for key in keys)
        warnings.append(COMPARISON["settings_warning"].format(keys=text.cell(keys)))
    if differing.machine:
        warnings.append(COMPARISON["machine_warning"])
    if differing.auditor:
        warnings.append(COMPARISON["auditor_warning"])
    return warnings


def render(records: Sequence[tuple[str, Record]], objective: str | None = None, spoken: str | None = None) -> str:
    """The comparison as a page, in the language asked for, else in the one that the policy of the first record names.

    As the objective: who compares puts first what the others are to be held against.
    """
    with language.speaking(spoken or language.named(records[0][1])):
        return as_html(compare(records, objective))


def listed(names: Sequence[str]) -> str:
    """Names as a clause: A, B and C."""
    return COMPARISON["and"].join([*([words.COMMA.join(names[:-1])] if names[1:] else []), *names[-1:]])


def as_html(compared: Comparison) -> str:
    """The comparison as a page of the same kind as the report, in the language in which it was made."""
    groups = [
        (words.SECTIONS[challenge][0], [row for row in compared.rows if row.challenge == challenge])
        for challenge in words.SECTIONS
    ]
    return report.page(
        "comparison.html",
        c=COMPARISON,
        translated=findings.translated(),
        compared=compared,
        candidates=compared.candidates,
        choice=compared.choice,
        head=listed(compared.choice.best or compared.choice.passing) or COMPARISON["none"],
        groups=[(title, rows) for title, rows in groups if rows],
        title=_title(compared.candidates, compared.objective),
    )


def as_json(compared: Comparison) -> dict[str, object]:
    """The comparison as plain JSON values."""
    return {
        "comparison_version": 1,
        "objective": {"id": compared.objective, "better": compared.better or None},
        "passing": list(compared.choice.passing),
        "best": list(compared.choice.best),
        "sentence": compared.choice.sentence,
        "chosen": dict(compared.choice.chosen),
        "warnings": list(compared.warnings),
        "models": [
            {
                "letter": c.letter,
                "record": c.path,
                "model": {name: c.record["model"].get(name) for name in ("source", "fingerprint")},
                "test": {name: c.record["data"]["test"].get(name) for name in ("path", "fingerprint")},
                "created": c.record["created"],
                "verdict": c.record["verdict"],
                "complete": c.record["complete"],
                "passes": c.passes,
                "waived": [view.id for view in c.waived],
            }
            for c in compared.candidates
        ],
        "rows": [
            {
                "id": row.id,
                "challenge": row.challenge,
                "comparable": not row.differs,
                "differs": list(row.differs),
                "cells": {
                    c.letter: None if cell is None else _cell(cell)
                    for c, cell in zip(compared.candidates, row.cells, strict=True)
                },
            }
            for row in compared.rows
        ],
    }  # fmt: skip


def _cell(view: FindingView) -> dict[str, object]:
    """A finding; of a gate whose test did not run nothing is known but the gate."""
    finding, ran = view.finding, view.verdict != "not_run"
    return {
        "verdict": view.verdict,
        **interval(finding),
        "confidence": finding["confidence"] if ran else None,
        "n": finding["n"] if ran else None,
        "unit": finding["unit"] if ran else None,
        "gate": finding["gate"],
        "waiver": finding["waiver"],
    }
