"""What ``--audit-plan`` shows in the place of an audit: each test is begun, and ends where it would ask the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from audit.core.errors import AuditError
from audit.core.probe import planned_by
from audit.plugin.budget import is_foreseeable, is_gated, trainings_of
from audit.plugin.overrides import concerns_audit
from audit.plugin.state import STATE, Run

if TYPE_CHECKING:
    from audit.run.budget import Counted
    from audit.run.plan import Cost, PlannedSession, Test
    from audit.run.session import Session

_COLUMNS = ("passes", "at most", "trainings", "at most", "seconds", "kWh")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse what cannot be asked of a plan."""
    option = config.option
    if not option.audit_plan:
        return
    if option.audit_complete:
        raise pytest.UsageError(
            "--audit-plan judges nothing, so that no audit is complete with it; leave out --audit-complete."
        )
    if getattr(option, "numprocesses", None):
        raise pytest.UsageError("--audit-plan runs in one process; leave out -n.")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Print what each test of the audit would take; none is run to its end."""
    config = session.config
    run = config.stash[STATE]
    if config.option.collectonly:
        return None
    if not config.option.audit_plan:
        try:
            _open(session)
        except AuditError as error:
            run.problem = str(error)
            if run.is_worker:
                run.workeroutput["audit_problem"] = run.problem
            return True
        return None
    if run.session is None:
        return True
    from audit.run.plan import PlannedSession

    assert isinstance(run.session, PlannedSession)
    items = [item for item in session.items if concerns_audit(item)]
    try:
        costs = _planned(run.session, items)
    except AuditError as error:
        run.problem = str(error)
        return True
    reporter, total = config.pluginmanager.getplugin("terminalreporter"), _total(costs)
    if reporter is not None:
        reporter.section("plan of a model audit", sep="=")
        for line in _table([*((item.name, costs[item.nodeid]) for item in items), ("all", total)]):
            reporter.write_line(line)
        reporter.write_line(f"In all {in_words(total)}. Nothing was trained, nothing was judged.", bold=True)
    return True


def _planned(planned: PlannedSession, items: Sequence[pytest.Item]) -> dict[str, Cost]:
    """What each test takes, and remember it."""
    from audit.run.plan import keep, plan

    with planned_by(planned.foresee):
        costs = dict(plan(planned, _tests(items)))
    keep(planned, {item.nodeid: costs[item.nodeid] for item in items if is_foreseeable(item)})
    return costs


def _total(costs: Mapping[str, Cost]) -> Cost:
    from audit.run.plan import Cost

    return sum(costs.values(), Cost())


def _open(session: pytest.Session) -> None:
    """Begin an audit with its plan: for its first line, its progress and its budget, as far as these need one."""
    run = session.config.stash[STATE]
    if not run.active or run.session is None:
        return
    items = list(filter(is_foreseeable, session.items))
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    from audit.run.budget import Counted

    if isinstance(run.session.budget, Counted):
        told = _share_out(run, run.session, run.session.budget, items)
    else:
        told = _set_out(run, run.session, items)
    # What a worker writes nobody sees.
    if told and reporter is not None and not run.is_worker:
        reporter.write_line(told)


def _set_out(run: Run, session: Session, items: Sequence[pytest.Item]) -> str:
    """Tell what the audit will take: as it was planned before, else as it is planned now where the model is slow."""
    if run.overridden or run.is_worker:
        return ""
    from audit.run.course import Course
    from audit.run.plan import is_slow, kept

    costs = kept(session, [item.nodeid for item in items])
    if costs is None and len(items) > 1 and is_slow(session):
        with _planning(run, session, items) as planned:
            costs = _planned(planned, items)
    if costs is None:
        return ""
    run.course = Course({name: cost.seconds for name, cost in costs.items()})
    session.progress.whole = run.course.__str__
    return f"As planned: {in_words(_total(costs))}, less what the cache holds."


@contextmanager
def _planning(run: Run, session: Session, items: Sequence[pytest.Item]) -> Iterator[PlannedSession]:
    """Within it, the tests of an audit that asked nothing yet can be begun as those of its plan."""
    from audit.run.plan import PlannedSession

    planned = PlannedSession.beside(session)
    run.session, run.active = planned, False
    try:
        yield planned
    finally:
        run.session, run.active = session, True
        planned.clear()
        for item in items:
            if isinstance(item, pytest.Function):
                item._initrequest()  # its fixtures were those of the plan


def _share_out(run: Run, session: Session, budget: Counted, items: Sequence[pytest.Item]) -> str:
    """Share a budget of texts out among the tests, and say so."""
    from audit.run.budget import Share
    from audit.run.plan import needs, texts_of_training

    if run.overridden:
        names = " and ".join(f"`{name}`" for name in run.overridden)
        raise AuditError(
            f"the repository's own conftest.py replaces the fixture {names}, and what its tests ask is not known "
            "beforehand, so that a budget of texts cannot be shared out; give --audit-budget a time, such as 15m."
        )
    gated = {item.nodeid: is_gated(session.policy, item) for item in items}
    with _planning(run, session, items) as planned, planned_by(planned.foresee):
        asked = list(needs(planned, _tests(items), gated.__getitem__))
    budget.share_out(asked, texts_of_training(session))
    shares = [budget.shares.get(item.nodeid, Share()) for item in items]
    whole, none = sum(share.examples == 1 for share in shares), sum(share.examples == 0 for share in shares)
    return (
        f"A budget of {budget.texts:,} texts beyond the test texts: {whole} of {len(items)} tests may ask about all "
        f"their examples, {len(items) - whole - none} about some, {none} cannot begin."
    )


def _tests(items: Sequence[pytest.Item]) -> Iterator[Test]:
    from audit.run.plan import Planned

    for i, item in enumerate(items):
        following = items[i + 1] if i + 1 < len(items) else None

        def test(item: pytest.Item = item, following: pytest.Item | None = following) -> None:
            try:
                item.ihook.pytest_runtest_setup(item=item)
                item.ihook.pytest_runtest_call(item=item)
            except (pytest.skip.Exception, pytest.fail.Exception):
                raise Planned from None
            finally:
                item.ihook.pytest_runtest_teardown(item=item, nextitem=following)

        yield item.nodeid, trainings_of(item), test


def _table(rows: Sequence[tuple[str, Cost]]) -> Iterator[str]:
    """Aligned; tests that cost nothing are told together."""
    costly = [(name, cost) for name, cost in rows if cost.most_passes or cost.most_trainings or cost.unforeseen]
    cells = [("test", _COLUMNS), *((name, _cells(cost)) for name, cost in costly)]
    width = max(len(name) for name, _ in cells)
    widths = [max(len(row[i]) for _, row in cells) for i in range(len(_COLUMNS))]
    for name, row in cells:
        yield "  ".join([name.ljust(width), *(cell.rjust(each) for cell, each in zip(row, widths, strict=True))])
    if unforeseen := rows[-1][1].unforeseen:
        yield f"{unforeseen} of them take more, which is not known beforehand."
    if free := len(rows) - len(costly):
        yield f"{free} more tests ask the model nothing that others do not."


def _cells(cost: Cost) -> tuple[str, ...]:
    if cost.unforeseen and not cost.most_passes:
        return ("not known", "", "", "", "", "")
    return (
        f"{cost.passes:,.0f}", f"{cost.most_passes:,.0f}", f"{cost.trainings}", f"{cost.most_trainings}",
        f"{cost.seconds:,.0f}", f"{cost.kwh:.4f}",
    )  # fmt: skip


def in_words(cost: Cost) -> str:
    """Such as “about 24,000 forward passes and two trainings, 11 minutes on this machine”."""
    digits = max(0, len(f"{cost.passes:.0f}") - 2)
    numbers = ("no training", "one training", "two trainings", "three trainings", "four trainings", "five trainings")
    trainings = numbers[cost.trainings] if cost.trainings < len(numbers) else f"{cost.trainings} trainings"
    passes = f"{round(cost.passes, -digits):,.0f} forward passes"
    return f"about {passes} and {trainings}, {_time(cost.seconds)} on this machine"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 90 * 60 else f"{seconds / 3600:.1f} hours"
