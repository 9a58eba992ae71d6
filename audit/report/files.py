"""The files that are made of a record: the page, the summary, the badge, the table of findings."""

from __future__ import annotations

from pathlib import Path

from audit.core.cache import write_atomically
from audit.core.records import Record
from audit.record import record
from audit.report import badge, spreadsheet, summary
from audit.report.page import page


def write(out: Path, value: Record) -> None:
    """Make report, summary, badge and table of a record beside it, in the folder that it was written to."""
    for name in (record.REPORT, record.SUMMARY, record.BADGE, record.TABLE):
        write_atomically(out / name, as_file(value, name))


def as_file(record: Record, name: str, language: str | None = None) -> str:
    """What a file of this name is to hold: summary as Markdown, badge as SVG, findings as CSV, else the report.

    In the language asked for, else in the one that the record's policy names.
    """
    makers = {".md": summary.render, ".svg": badge.render, ".csv": spreadsheet.render}
    return makers.get(Path(name).suffix, page.render)(record, language)
