"""What the controller of xdist and its workers tell each other; registered only where pytest-xdist is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

import pytest

from audit.core.errors import AuditError
from audit.plugin.state import STATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from xdist.workermanage import WorkerController

    from audit.core.records import FindingRecord


class CrashReport(Protocol):
    """The report that xdist makes of a test whose worker died in it."""

    node: WorkerController
    audit_findings: Sequence[FindingRecord]


def pytest_configure_node(node: WorkerController) -> None:
    run = node.config.stash[STATE]
    node.workerinput["audit"] = run.audit
    node.workerinput["audit_arguments"] = [str(argument) for argument in run.arguments()]
    try:
        if node.config.option.audit_cache == "none":
            node.workerinput["audit_cache"] = run.temporary_folder()
        node.workerinput["audit_notes"] = str(run.notes_of("").parent)
    except AuditError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_handlecrashitem(crashitem: str, report: CrashReport) -> None:
    """A worker that dies in a test cannot say what the test was to measure, but it has left word."""
    from audit.run import watchdog

    run, worker = report.node.config.stash[STATE], report.node.gateway.id
    with contextlib.suppress(FileNotFoundError):
        known = watchdog.notes(run.notes_of(worker))
        run.facts.setdefault(worker, known["facts"][0])
        if known["test"] == crashitem:
            run.interrupted = True
            report.audit_findings = watchdog.errors(known, "the process that measured it was ended from outside")


def pytest_xdist_node_collection_finished(node: WorkerController) -> None:
    """Hold the output folder with the worker that claimed it, which may die before the audit ends."""
    node.config.stash[STATE].output.join()


def pytest_testnodedown(node: WorkerController, error: object) -> None:
    run = node.config.stash[STATE]
    output = getattr(node, "workeroutput", {})
    run.problem = run.problem or output.get("audit_problem")
    run.collect(output.get("audit_findings", ()))
