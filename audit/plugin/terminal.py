"""What the terminal shows at the end: each verdict, the overall one, and where the report is."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.plugin.state import STATE


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
    from audit.report.i18n.words import DO_NOT_RUN

    colour = {"pass": {"green": True}, "fail": {"red": True}, "incomplete": {"yellow": True}}
    terminalreporter.ensure_newline()
    terminalreporter.section("model audit", sep="=")
    if run.record["provenance"]["policy_file"] is None:
        terminalreporter.write_line(
            "There is no audit.toml here and no --audit-policy: the embedded policy applied, with the demo's texts.",
            yellow=True,
        )
    for line, style in terminal.lines(run.record):
        terminalreporter.write_line(line, **style)
    terminalreporter.write_line(headline(run.record), bold=True, **colour[run.record["verdict"]])
    for line in (*terminal.better(run.record), *terminal.alarms(run.record)):
        terminalreporter.write_line(line, yellow=True)
    if run.record["not_run"]:
        terminalreporter.write_line(DO_NOT_RUN)
    if run.falls_short:
        terminalreporter.write_line(
            "An incomplete audit does not end with exit status 0 here; with --no-audit-complete it may."
        )
    terminalreporter.write_line(f"report: {short(run.output.folder / record.REPORT, config)}")


def short(path: Path, config: pytest.Config) -> str:
    try:
        return str(path.relative_to(config.invocation_params.dir))
    except ValueError:
        return str(path)
