"""What became of each test: a finding for each id that it declares, put on its report.

Tracebacks, captured output and warnings of an audit quote nothing of the data.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pytest

from audit.core.budget import BudgetEnded
from audit.core.errors import AuditError, NotAssessed
from audit.core.identifiers import base_id
from audit.core.probe import stopped_by
from audit.core.records import interval
from audit.core.sentences import Sentence
from audit.core.verdict import Gate, blocks, complaint, is_alarm, is_waived
from audit.plugin.budget import allotted
from audit.plugin.findings import FINDINGS, challenge, declared_ids, keep_finding, missing_ids
from audit.plugin.fixtures import Failed, InconclusiveWarning
from audit.plugin.overrides import concerns_audit
from audit.plugin.state import STATE, Run
from audit.plugin.timeout import watched

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from audit.core.records import AcceptanceRecord, FindingRecord, WaiverRecord
    from audit.run.session import Session


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep texts from the data out of all that a test leaves behind, where the policy asks for it; stop its probes."""
    run = item.config.stash[STATE]
    if not run.active or run.session is None:
        return (yield)
    from audit.text.redaction import withholding

    withheld, rule = run.session.policy.report.evidence == "none", run.session.stopping
    with withholding(withheld), watched(run, item), stopped_by(rule), allotted(run, item), on_course(run, item):
        return (yield)


@contextmanager
def on_course(run: Run, item: pytest.Item) -> Iterator[None]:
    """Count a test as done by the plan of the audit, where there is one."""
    if run.course is None:
        yield
        return
    run.course.begin(item.nodeid)
    try:
        yield
    finally:
        run.course.end()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give every declared id a finding, however its test ended, and put the findings on the report."""
    report = yield
    run = item.config.stash[STATE]
    if not run.active or run.session is None or not concerns_audit(item):
        return report
    error = call.excinfo.value if call.excinfo is not None else None
    report.sections = [(name, run.unquoted(content)) for name, content in report.sections]
    if isinstance(report.longrepr, tuple):
        report.longrepr = (*report.longrepr[:2], run.unquoted(report.longrepr[2]))
    if call.excinfo is not None and hasattr(report.longrepr, "reprtraceback"):
        report.longrepr = _frames(item, run, call.excinfo)
    if run.watchdog is not None and run.watchdog.left < 0 and report.when != "teardown":
        # The limit counts even where the test caught the exception that the watchdog raised in it.
        from audit.run.watchdog import too_long

        for name in declared_ids(item):
            keep_finding(item, run.session.decisions.error(name, too_long(run.watchdog.limit), challenge(item)))
    if isinstance(error, AuditError):
        # Such a mistake shows only when the model is loaded; the audit ends as if it had not started.
        run.problem = run.problem or str(error)
        if run.is_worker:
            run.workeroutput["audit_problem"] = run.problem
        item.session.shouldstop = "the audit cannot go on"
        report.longrepr = str(error)
    if isinstance(error, NotAssessed):
        _not_assessed(item, run.session, report, error.reason, arises=error.arises)
    elif isinstance(error, BudgetEnded):
        _not_assessed(item, run.session, report, error.reason, unreached=True)
    elif isinstance(error, pytest.xfail.Exception) or (report.skipped and not hasattr(report, "wasxfail")):
        _not_assessed(item, run.session, report, _skip_reason(report), said_by_pytest=True)
    elif error is not None and not isinstance(error, KeyboardInterrupt) and report.when != "teardown":
        _broke(item, run, error)
    elif error is None and report.when == "call":
        for name in missing_ids(item):
            reason = Sentence("the test ended without measuring it")
            keep_finding(item, run.session.decisions.error(name, reason, challenge(item)))
    findings = item.stash.get(FINDINGS, [])
    blocking = [finding for finding in findings if blocks(finding)]
    if blocking and (not report.failed or hasattr(report, "wasxfail")):
        # A blocking finding fails the test even if the exception was swallowed or the test is marked xfail.
        report.outcome, report.longrepr = "failed", "\n".join(map(complaint, blocking))
        vars(report).pop("wasxfail", None)
    if findings:
        report.audit_findings = findings  # type: ignore[attr-defined]
        item.user_properties.extend(_properties(findings))
        item.stash[FINDINGS] = []
    if report.when == "teardown":
        report.audit_facts = run.session.ledger.facts(run.model, run.scorers)  # type: ignore[attr-defined]
    return report


def _not_assessed(
    item: pytest.Item,
    session: Session,
    report: pytest.TestReport,
    reason: str,
    *,
    said_by_pytest: bool = False,
    arises: bool = True,
    unreached: bool = False,
) -> None:
    from audit.text.redaction import masked

    waived = []
    for name in missing_ids(item):
        decision = session.decisions.not_assessed(name, reason, challenge(item), arises=arises, unreached=unreached)
        keep_finding(item, decision)
        if decision.is_waived:
            waived.append(decision.message)
    if waived:
        report.outcome, report.longrepr = "skipped", "; ".join(waived)
        report.wasxfail = f"reason: {report.longrepr}"  # type: ignore[attr-defined]
    elif not said_by_pytest:
        report.outcome = "skipped"
        path, line, _ = item.location
        report.longrepr = (path, (line or 0) + 1, f"not assessed: {masked(reason)}")


def _broke(item: pytest.Item, run: Run, error: BaseException) -> None:
    assert run.session is not None
    # An error may quote the text that it arose from.
    what = " ".join(run.unquoted(_message(error)).split())[:200]
    error_text = f"{type(error).__name__}: {what}" if what else type(error).__name__
    reason = Sentence("the probe broke: {error}", error=error_text)
    for name in missing_ids(item):
        keep_finding(item, run.session.decisions.error(name, reason, challenge(item)))


def _skip_reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail).removeprefix("reason: ").removeprefix("[NOTRUN] ") or "its test was not to run"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


def _properties(findings: Iterable[FindingRecord]) -> Iterator[tuple[str, object]]:
    """What pytest writes into a JUnit file beside the test's outcome."""
    from audit.probes.catalogue import ids
    from audit.report.page.findings import heading, in_words

    known = ids()
    for finding in findings:
        declared = known.get(base_id(finding["id"]))
        gate = Gate.of(finding["gate"]) if finding["gate"] else None
        title = heading(finding, declared).replace("\N{NO-BREAK SPACE}", " ")
        values = {
            "title": title,
            "verdict": finding["verdict"],
            **interval(finding),
            "gate": gate,
            "source": finding.get("source"),
        }
        if is_alarm(finding):
            values |= {"alarm": "true", "says": in_words(finding, declared)}
        values |= {name: (finding["gate"] or {}).get(name) for name in ("reason", "owner")}
        values["accepted"] = _answer(finding.get("accepted"))
        values["waived"] = finding["waiver"]["expires"] if finding["waiver"] and is_waived(finding) else None
        values["waiver"] = _answer(finding["waiver"])
        for name, value in values.items():
            if value is not None:
                yield f"{finding['id']} {name}", str(value)


def _answer(answered: AcceptanceRecord | WaiverRecord | None) -> str | None:
    """Who answers for a finding, and why."""
    return f"{answered['owner']}: {answered['reason']}" if answered else None


def _frames(item: pytest.Item, run: Run, excinfo: pytest.ExceptionInfo[BaseException]) -> TerminalRepr:
    """The traceback of a test that broke: where, and in which line of code; neither arguments nor local variables."""
    if isinstance(excinfo.value, Failed):
        return excinfo.getrepr(style="value")
    shown = pytest.ExceptionInfo.from_exception(_without_values(excinfo.value, run, frozenset()))
    style: Literal["native", "short", "value"] = "native" if item.config.option.tbstyle == "native" else "short"
    if not getattr(excinfo.value, "pytrace", True):
        style = "value"
    return shown.getrepr(style=style, tbfilter=item._traceback_filter)


def _without_values(error: BaseException, run: Run, above: frozenset[int]) -> BaseException:
    """An exception of the same name, from the same frames, whose message quotes nothing of the data."""
    kind, above = type(error), above | {id(error)}
    base = next(each for each in (AssertionError, RecursionError, BaseException) if isinstance(error, each))
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    copy: BaseException = type(kind.__name__, (base,), names)(run.unquoted(_message(error)))
    copy.__cause__, copy.__context__ = (
        None if each is None or id(each) in above else _without_values(each, run, above)
        for each in (error.__cause__, error.__context__)
    )
    copy.__suppress_context__ = error.__suppress_context__
    return copy.with_traceback(error.__traceback__)


def _message(error: BaseException) -> str:
    """What an exception says; nothing where somebody's own kind of exception breaks over it."""
    try:
        return str(error)
    except Exception:
        return ""


class Warnings:
    """Keeps texts from the data out of pytest's list of warnings."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        if not self._run.active or issubclass(warning_message.category, InconclusiveWarning):
            return
        before = str(warning_message.message)
        if (shown := self._run.unquoted(before)) != before:
            warning_message.message = UserWarning(shown)
