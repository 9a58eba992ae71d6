"""The files that are made of a record: the page, the summary, the badge, the table of findings."""

from __future__ import annotations

from pathlib import Path

from audit.core.cache import write_atomically
from audit.core.records import Record
from audit.record import record
from audit.report import badge, spreadsheet, summary
from audit.report.page import page


def write(out: Path, value: Record, sha256: str) -> None:
    """Make report, summary, badge and table of a record beside it, in the folder that it was written to."""
    for name, text in texts(value, sha256).items():
        write_atomically(out / name, text)


def texts(value: Record, sha256: str) -> dict[str, str]:
    """All that is made of a record, by the name of the file; `sha256` is that of the record's own."""
    return {
        name: as_file(value, name, sha256=sha256)
        for name in (record.REPORT, record.SUMMARY, record.BADGE, record.TABLE)
    }


def as_file(record: Record, name: str, language: str | None = None, sha256: str = "") -> str:
    """What a file of this name is to hold: summary as Markdown, badge as SVG, findings as CSV, else the report.

    In the language asked for, else in the one that the record's policy names. The report says the hash of the record's
    file, from which whoever signs it can tell that file from any other.
    """
    makers = {".md": summary.render, ".svg": badge.render, ".csv": spreadsheet.render}
    if (make := makers.get(Path(name).suffix)) is not None:
        return make(record, language)
    return page.render(record, language, sha256=sha256)
