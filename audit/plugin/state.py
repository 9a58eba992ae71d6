"""What one pytest process knows of the audit: its session, its findings, and where it leaves word for other processes.

It lies in pytest's stash under :data:`STATE`.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import pytest

from audit.core.probe import DeclaredProbe, Probe
from audit.core.records import section
from audit.core.verdict import merge

if TYPE_CHECKING:
    from audit.core.cache import Temporary
    from audit.core.progress import Progress
    from audit.core.records import FindingRecord, Record
    from audit.record.record import Facts
    from audit.run.course import Course
    from audit.run.output import Output
    from audit.run.session import Session
    from audit.run.watchdog import Watchdog


class WorkerInput(TypedDict, total=False):
    """What the controller of xdist gives a worker: xdist's own keys that are read here, and the audit's."""

    workercount: int
    workerid: str
    audit: str
    audit_arguments: Sequence[str]
    audit_cache: str
    audit_notes: str


class WorkerOutput(TypedDict, total=False):
    """What a worker gives the controller of xdist when it ends."""

    audit_problem: str | None
    audit_findings: Sequence[FindingRecord]


@dataclass
class Run:
    """What one pytest process knows of the audit: when it started, in seconds since 1970 and by a clock that only
    goes on, and why a test that was to be watched cannot be.
    """

    config: pytest.Config
    started: float
    begun: float = field(default_factory=time.monotonic)
    audit: str = field(default_factory=lambda: uuid.uuid4().hex)
    session: Session | None = None
    problem: str | None = None
    raised: bool = False
    overridden: tuple[str, ...] = ()
    active: bool = False
    interrupted: bool = False
    model: object = None
    replaced: dict[str, pytest.FixtureDef[object] | None] = field(default_factory=dict)
    scorers: list[object] = field(default_factory=list)
    unwatched: str = ""
    findings: list[FindingRecord] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)
    temporary: Temporary | None = None
    notes: Temporary | None = None
    watchdog: Watchdog | None = None
    record: Record | None = None
    course: Course | None = None
    printed: dict[tuple[str, bool], str] = field(default_factory=dict)

    @property
    def is_worker(self) -> bool:
        """Whether this process is a worker of xdist."""
        return hasattr(self.config, "workerinput")

    @property
    def workerinput(self) -> WorkerInput:
        """What the controller of xdist gave this worker."""
        return self.config.workerinput  # type: ignore[attr-defined, no-any-return]

    @property
    def workeroutput(self) -> WorkerOutput:
        """What this worker gives the controller of xdist when it ends."""
        return self.config.workeroutput  # type: ignore[attr-defined, no-any-return]

    @cached_property
    def output(self) -> Output:
        """The output folder; also of a controller, which has no session."""
        if self.session is not None:
            return self.session.output
        from audit.run.output import Output

        return Output(self.config.invocation_params.dir / self.config.option.audit_out, self.audit)

    @property
    def must_be_complete(self) -> bool:
        """Whether an incomplete audit is to end with exit status 1: by the option, the policy, or since this is CI."""
        policy = section(self.record["policy"], "audit").get("complete") if self.record else None
        option = self.config.option.audit_complete
        wanted = next((each for each in (option, policy) if each is not None), None)
        return os.environ.get("CI", "").lower() in ("true", "1") if wanted is None else bool(wanted)

    @property
    def falls_short(self) -> bool:
        """Whether the audit is incomplete where it must not be."""
        return self.record is not None and self.record["verdict"] == "incomplete" and self.must_be_complete

    def collect(self, findings: Iterable[FindingRecord]) -> None:
        """Take findings in; of those of one id the worst counts."""
        self.findings = merge([*self.findings, *findings])

    def unquoted(self, content: str) -> str:
        """What somebody's code printed or raised in an audit, without what it quotes of the data."""
        from audit.text import redaction

        texts = self.session.texts if self.session is not None else ()
        key = (content, redaction.withheld())
        if key not in self.printed:
            self.printed[key] = redaction.unquoted(content, texts)
        return self.printed[key]

    def ensure_session(self) -> Session:
        if self.session is None:
            from audit.run.options import Options
            from audit.run.session import Session

            option = self.config.option
            options = Options(
                folder=self.config.invocation_params.dir,
                policy=option.audit_policy,
                model=option.audit_model,
                out=option.audit_out,
                baseline=option.audit_baseline,
                device=option.audit_device,
                cache=self._cache_folder(),
                gated_only=option.audit_gated_only,
                budget=option.audit_budget,
                command=shlex.join(["pytest", *map(str, self.arguments())]),
                processes=self.workerinput["workercount"] if self.is_worker else 1,
                audit=self.workerinput["audit"] if self.is_worker else self.audit,
            )
            kind = Session
            if option.audit_plan:
                from audit.run.plan import PlannedSession

                kind = PlannedSession
            self.session = kind(options, extra_declarations(self.config), _progress(self.config))
        return self.session

    def arguments(self) -> tuple[object, ...]:
        """The arguments of the command line."""
        if self.is_worker:
            return tuple(self.workerinput["audit_arguments"])
        return self.config.invocation_params.args

    def _cache_folder(self) -> Path:
        from audit.core.cache import default_folder

        option = self.config.option.audit_cache
        if option is None:
            return default_folder()
        if option != "none":
            return self.config.invocation_params.dir / Path(option).expanduser()
        return Path(self.temporary_folder())

    def temporary_folder(self) -> str:
        """A cache for this run only, shared with the workers."""
        if self.is_worker:
            return str(self.workerinput["audit_cache"])
        from audit.core.cache import Temporary

        self.temporary = self.temporary or Temporary()
        return str(self.temporary.folder)

    def notes_of(self, process: str) -> Path:
        """The file in which a process leaves what others must know if it does not come to its end."""
        if self.is_worker:
            return Path(self.workerinput["audit_notes"], f"{process}.json")
        from audit.core.cache import Temporary

        self.notes = self.notes or Temporary()
        return Path(self.notes.folder, f"{process}.json")


STATE = pytest.StashKey[Run]()


def extra_probes(config: pytest.Config) -> tuple[DeclaredProbe[...], ...]:
    """The probes that other packages and the repository bring."""
    return tuple(probe for group in config.hook.pytest_audit_probes() for probe in group)


def extra_declarations(config: pytest.Config) -> tuple[Probe, ...]:
    """What other packages and the repository declare, be it to have it measured or to measure it in tests of theirs."""
    declared = (declaration for group in config.hook.pytest_audit_ids() for declaration in group)
    return tuple(dict.fromkeys((*(probe.declaration for probe in extra_probes(config)), *declared)))


def _progress(config: pytest.Config) -> Progress:
    """Bars that get past pytest's capture; on a terminal they are drawn over."""
    from audit.core.progress import Progress

    capture = config.pluginmanager.getplugin("capturemanager")
    reporter = config.pluginmanager.getplugin("terminalreporter")
    stream = sys.stderr if reporter is None else sys.stdout

    def write(text: str) -> None:
        def show() -> None:
            if reporter is not None:
                reporter.ensure_newline()
            stream = sys.stdout if reporter is not None else sys.stderr
            stream.write(text)
            stream.flush()

        if capture is None:
            show()
        else:
            with capture.global_and_fixture_disabled():
                show()

    return Progress(write, live=stream.isatty())
