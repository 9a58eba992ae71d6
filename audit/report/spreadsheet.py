"""All findings as CSV, for a spreadsheet: one row each, figures as numbers, texts harmless."""

from __future__ import annotations

import csv
import io

from audit.core.evidence import Cell
from audit.core.records import Record
from audit.core.verdict import is_alarm
from audit.record.record import inert
from audit.report.i18n.language import spoken
from audit.report.page import findings, text
from audit.report.page.evidence import Limits
from audit.report.page.findings import FindingView

# Scripts rely on these names, so they are the same in every language.
COLUMNS = (
    "id", "finding", "challenge", "verdict", "severity", "estimate", "low", "high", "unit", "confidence", "n", "sample",
    "gate_min", "gate_max", "gate_reason", "gate_owner", "alarm", "accepted_by", "waived_by", "in_words", "reason",
)  # fmt: skip


@spoken
def render(record: Record) -> str:
    """The findings of a record that fits the schema, as CSV with a head.

    Parameters
    ----------
    record : mapping
        Its texts are not trusted: one that a spreadsheet would take for a formula begins with an apostrophe.
    """
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    for view in findings.views(text.shown(record), Limits()):
        rows.writerow([inert(_line(cell)) for cell in _row(view)])
    return written.getvalue()


def _row(view: FindingView) -> tuple[Cell, ...]:
    finding, gate = view.finding, view.finding["gate"] or {}
    accepted, waiver = finding.get("accepted"), finding["waiver"]
    return (
        view.id, view.name, view.challenge, view.verdict, view.declared.severity if view.declared else "",
        finding["estimate"], finding["low"], finding["high"], view.unit, finding["confidence"],
        finding["n"], finding["sample"], gate.get("min"), gate.get("max"),
        gate.get("reason"), gate.get("owner"), "true" if is_alarm(finding) else "",
        accepted["owner"] if accepted else "", waiver["owner"] if waiver else "",
        view.in_words if view.measured else "", view.reason,
    )  # fmt: skip


def _line(cell: Cell) -> Cell:
    """A cell on one line, without the page's marks of what is English."""
    return " ".join(text.unvoiced(cell).split()) if isinstance(cell, str) else cell
