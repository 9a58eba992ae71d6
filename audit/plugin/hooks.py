"""Options, marks, and the life of a run: from making room for its state to writing the record and the report."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from audit.core.errors import AuditError
from audit.core.identifiers import CHALLENGES
from audit.core.records import section
from audit.plugin.collection import register_conftest
from audit.plugin.outcomes import Warnings
from audit.plugin.state import STATE, Run

if TYPE_CHECKING:
    from audit.core.figures import Figures
    from audit.core.records import Record
    from audit.energy.meter import Meter


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("model audit")
    group.addoption("--audit-policy", metavar="FILE", help="the policy; default ./audit.toml, else the embedded one")
    group.addoption("--audit-model", metavar="SOURCE", help="the model to audit: a folder or a Hub id, loaded as it is")
    group.addoption(
        "--audit-out", metavar="DIR", default="reports", help="where the record and the report go; default reports/"
    )
    group.addoption("--audit-baseline", metavar="DIR_OR_JSON", help="a former audit to compare with")
    group.addoption(
        "--audit-device", metavar="DEVICE", default="auto", help="auto, cpu, cuda, cuda:N or mps; default auto"
    )
    group.addoption(
        "--audit-cache", metavar="DIR", help="prediction and model cache, or none; default in the user's cache folder"
    )
    group.addoption(
        "--audit-plan",
        action="store_true",
        help="print what each test would take in forward passes, trainings, time and electricity, and run none",
    )
    group.addoption(
        "--audit-budget",
        metavar="BUDGET",
        help="what the audit may take once the model is ready: 90s, 15m, 2h, or a number of distinct texts; "
        "default as [audit] budget says, else whatever it takes",
    )
    group.addoption(
        "--audit-gated-only", action="store_true", help="leave out what no gate asks for; default as [audit] gated_only"
    )
    group.addoption(
        "--audit-complete",
        action="store_true",
        default=None,
        help="an incomplete audit ends with exit status 1; default as [audit] complete says, else where CI=true",
    )
    group.addoption(
        "--no-audit-complete",
        action="store_false",
        dest="audit_complete",
        help="an incomplete audit ends with pytest's own exit status; its record says incomplete",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks and make room for the state."""
    run = config.stash[STATE] = Run(config, time.time())
    config.pluginmanager.register(Warnings(run), "model-audit-warnings")
    config.addinivalue_line("markers", "challenge(name): which of the audit's challenges the tests belong to")
    config.addinivalue_line("markers", "measures(id): what the test measures; brackets are filled from the parameters")
    for name in CHALLENGES:
        config.addinivalue_line("markers", f"{name}: audit tests of this challenge")
    if config.pluginmanager.hasplugin("xdist"):
        from audit.plugin import xdist

        config.pluginmanager.register(xdist)
    if config.option.pyargs:
        register_conftest(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the energy tracker, and remove a cache that was for this run only."""
    run = config.stash.get(STATE, None)
    if run is not None and run.watchdog is not None:
        run.watchdog.close()
    if run is not None and run.notes is not None:
        run.notes.cleanup()
    if run is not None and run.session is not None:
        gc.unfreeze()
        run.session.close()
    if run is not None and run.temporary is not None:
        run.temporary.cleanup()
    if run is not None and "output" in run.__dict__:
        run.output.close()


class _Collector:
    """Collects what the reports carry; in the process that writes the record."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._run.collect(getattr(report, "audit_findings", ()))
        facts = getattr(report, "audit_facts", None)
        if facts is not None:
            self._run.facts[str(getattr(report, "worker_id", "main"))] = facts

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # `pytest.exit` ends here too, with an exit status of the caller's choice.
        self._run.interrupted = True
        if self._run.active:  # with --full-trace pytest would show the arguments of each function
            frames = excinfo.traceback
            excinfo.traceback = type(frames)(frame.with_repr_style("short") for frame in frames)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect findings where reports arrive."""
    run = session.config.stash[STATE]
    if not run.is_worker:
        session.config.pluginmanager.register(_Collector(run), "model-audit-collector")


def _meter(policy: Mapping[str, object]) -> Meter:
    """A meter by a recorded policy, for a controller that has no session."""
    from audit.energy.meter import Meter, Power

    return Meter(str(section(policy, "audit")["country"]), Power.of(section(policy, "environment")))


def _tell_junit(config: pytest.Config, value: Record) -> None:
    """Have pytest's JUnit file, where it writes one, say the verdict of the whole audit, and who answers for it."""
    from audit.core.verdict import is_alarm
    from audit.report.headline import headline

    junit = next((each for each in config.pluginmanager.get_plugins() if hasattr(each, "add_global_property")), None)
    if junit is None:
        return
    junit.add_global_property("audit verdict", headline(value))
    junit.add_global_property("audit alarms", str(sum(map(is_alarm, value["findings"]))))
    for name, stated in section(value["policy"], "about").items():
        junit.add_global_property(f"about {name.replace('_', ' ')}", str(stated))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the record and the report, or say why the audit could not start."""
    run = session.config.stash[STATE]
    if run.is_worker:
        run.workeroutput["audit_findings"] = run.findings
        return
    if run.problem is not None:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        if run.unwatched:
            run.output.abandon()
        else:
            run.output.restore()
        return
    facts = list(run.facts.values())
    if not facts and run.active and run.session is not None and run.output.join():
        facts = [run.session.ledger.facts(run.model, run.scorers)]
    if not facts:
        return
    from audit.core.cache import timestamp
    from audit.record import record
    from audit.run.output import rendered

    def build(reporting: Sequence[Figures] = ()) -> Record:
        return record.build(
            run.findings,
            facts,
            failed=int(exitstatus) == pytest.ExitCode.TESTS_FAILED,
            interrupted=run.interrupted or int(exitstatus) not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED),
            created=timestamp(run.started),
            duration_s=time.monotonic() - run.begun,
            reporting=reporting,
        )

    # The record states the energy of its own report, so the report is rendered twice; only the first run is metered.
    own = run.session if run.active else None
    meter = _meter(facts[0]["policy"]) if own is None else own.resources.meter
    with meter.phase("report") as phase:
        rendered(build())
    try:
        run.record = run.output.publish(build([phase.record()]))
    except AuditError as error:
        run.problem = str(error)
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        return
    finally:
        run.output.release()
    _tell_junit(session.config, run.record)
    if int(exitstatus) == pytest.ExitCode.OK and (run.record["verdict"] == "fail" or run.falls_short):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    # GitHub shows what is appended to this file on the page of the job.
    if step := os.environ.get("GITHUB_STEP_SUMMARY"):
        path = run.config.invocation_params.dir / step
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write((run.output.folder / record.SUMMARY).read_text("utf-8"))
