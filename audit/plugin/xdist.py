"""What the controller of xdist and its workers tell each other; registered only where pytest-xdist is."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from audit.plugin.state import STATE


def pytest_configure_node(node: Any) -> None:
    run = node.config.stash[STATE]
    node.workerinput["audit"] = run.audit
    node.workerinput["audit_arguments"] = [str(argument) for argument in run.arguments()]
    if node.config.option.audit_cache == "none":
        node.workerinput["audit_cache"] = run.temporary_folder()
    node.workerinput["audit_notes"] = str(run.notes_of("").parent)


def pytest_handlecrashitem(crashitem: str, report: Any) -> None:
    """A worker that dies in a test cannot say what the test was to measure, but it has left word."""
    from audit.run.watchdog import errors

    run, worker = report.node.config.stash[STATE], report.node.gateway.id
    with contextlib.suppress(FileNotFoundError):
        notes = json.loads(run.notes_of(worker).read_text("utf-8"))
        run.facts.setdefault(worker, notes["facts"][0])
        if notes["test"] == crashitem:
            run.interrupted = True
            report.audit_findings = errors(notes, "the process that measured it was ended from outside")


def pytest_xdist_node_collection_finished(node: Any) -> None:
    """Hold the output folder with the worker that claimed it, which may die before the audit ends."""
    node.config.stash[STATE].output.join()


def pytest_testnodedown(node: Any, error: Any) -> None:
    run = node.config.stash[STATE]
    output = getattr(node, "workeroutput", {})
    run.problem = run.problem or output.get("audit_problem")
    run.collect(output.get("audit_findings", ()))
