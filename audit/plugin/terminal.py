"""What the terminal shows at the end: each verdict, the overall one, and where the report is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit.core.verdict import blocks
from audit.plugin.state import STATE

if TYPE_CHECKING:
    from audit.core.records import FindingRecord


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, object] | None:
    """Call a test that failed for lack of evidence INCONCLUSIVE, and one that measured nothing NOT ASSESSED.

    They stay among those that failed or were skipped, so that pytest's counts and its exit status agree.
    """
    found: Sequence[FindingRecord] = getattr(report, "audit_findings", None) or ()
    if report.failed and {each["verdict"] for each in found if blocks(each)} == {"inconclusive"}:
        return "failed", "?", ("INCONCLUSIVE", {"yellow": True})
    if report.skipped and not hasattr(report, "wasxfail") and found:
        return "skipped", "-", ("NOT ASSESSED", {"yellow": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show each verdict, and where the report is."""
    run = config.stash[STATE]
    if run.problem is not None and not run.raised:
        terminalreporter.write_line(f"ERROR: {run.problem}", red=True)
    if run.record is None:
        return
    from audit.record import record
    from audit.report import terminal
    from audit.report.headline import headline

    colour = {"pass": {"green": True}, "fail": {"red": True}, "incomplete": {"yellow": True}}
    terminalreporter.ensure_newline()
    terminalreporter.section("model audit", sep="=")
    if run.record["provenance"]["policy_file"] is None:
        terminalreporter.write_line("There is no audit.toml here and no --audit-policy:", yellow=True)
        terminalreporter.write_line("the embedded policy applied, with the demo's texts.", yellow=True)
    for line, style in terminal.lines(run.record):
        terminalreporter.write_line(line, **style)
    for line in (*terminal.better(run.record), *terminal.alarms(run.record)):
        terminalreporter.write_line(line, yellow=True)
    for line in terminal.wrapped(headline(run.record)):
        terminalreporter.write_line(line, bold=True, **colour[run.record["verdict"]])
    if run.falls_short:
        terminalreporter.write_line("An incomplete audit ends with exit status 1 here; --no-audit-complete allows it.")
    for line in terminal.next_steps(run.record):
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"report: {short(run.output.folder / record.REPORT, config)}")


def short(path: Path, config: pytest.Config) -> str:
    try:
        return str(path.relative_to(config.invocation_params.dir))
    except ValueError:
        return str(path)
