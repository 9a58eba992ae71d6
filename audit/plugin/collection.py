"""Which tests run: optional suites, one test for each subgroup, own metric or extension probe; then the audit starts.

To it belongs the conftest.py beside the policy, for suites that are installed.
"""

from __future__ import annotations

import gc
import importlib.util
import types
from collections.abc import Generator
from pathlib import Path

import pytest

from audit.core.errors import AuditError
from audit.core.identifiers import CHALLENGES, bracket_of
from audit.core.probe import DeclaredProbe
from audit.plugin.budget import put_in_order
from audit.plugin.findings import declared_ids
from audit.plugin.overrides import concerns_audit, has_fixtures, is_ours, misplaced, overridden
from audit.plugin.state import STATE, Run, extra_probes

# Suites beside the audit's own, in folders of these names in `suites/`: collected only where they are named.
OPTIONAL = ("claims",)


def register_conftest(config: pytest.Config) -> None:
    """Have the conftest.py beside the policy count for suites that are installed: pytest takes it for that folder's."""
    policy = config.invocation_params.dir / Path(config.option.audit_policy or "audit.toml").expanduser()
    path = policy.parent / "conftest.py"
    # A conftest in the root applies everywhere already; twice, its overriding fixtures would wrap themselves.
    if not policy.is_file() or path.parent == config.rootpath:
        return
    module = config.pluginmanager.get_plugin(str(path))
    if module is not None:
        # pytest has registered its hooks; only the fixtures are registered for the suites.
        fixture = type(pytest.fixture(lambda: None))
        loaded, module = module, types.ModuleType("audit_conftest")
        vars(module).update({name: each for name, each in vars(loaded).items() if isinstance(each, fixture)})
    elif path.is_file():
        spec = importlib.util.spec_from_file_location("audit_conftest", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    if module is not None:
        config.pluginmanager.register(module, "model-audit-conftest")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave an optional suite out unless the command line names it, its folder or something in it."""
    if collection_path.name not in OPTIONAL or collection_path.parent.name != "suites":
        return None
    module = f"suites.{collection_path.name}"
    for argument in map(str, config.args):
        place = argument.partition("::")[0]
        path = (config.invocation_params.dir / place).resolve()
        if path.is_relative_to(collection_path.resolve()) or place.endswith(module) or f"{module}." in place:
            return None
    return True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each subgroup column, own metric, or probe of another package that it asks for."""
    run = metafunc.config.stash[STATE]
    if "subgroup" in metafunc.fixturenames and is_ours(metafunc.definition, "subgroup"):
        try:
            columns: tuple[str | None, ...] = run.ensure_session().policy.data.subgroups
        except AuditError as error:
            run.problem, columns = str(error), ()
        metafunc.parametrize("subgroup", columns or (None,), indirect=True, ids=lambda column: column or "none")
    if "own_metric" in metafunc.fixturenames and is_ours(metafunc.definition, "own_metric"):
        try:
            names = run.ensure_session().policy.brackets["metric"]
        except AuditError as error:
            run.problem, names = str(error), ()
        metafunc.parametrize("own_metric", names, indirect=True)
    if "probe" in metafunc.fixturenames and is_ours(metafunc.definition, "probe"):
        parameters = [
            pytest.param(
                (probe, bracket_of(full_id)),
                id=full_id,
                marks=[pytest.mark.measures(full_id), pytest.mark.challenge(probe.declaration.challenge)],
            )
            for probe in extra_probes(metafunc.config)
            for full_id in _brackets(probe, run)
        ]
        metafunc.parametrize("probe", parameters, indirect=True)


def _brackets(probe: DeclaredProbe[...], run: Run) -> tuple[str, ...]:
    """The full ids of a probe of another package: one for each bracket that the policy names or the probe declares."""
    try:
        return probe.declaration.expand(run.ensure_session().policy.brackets)
    except AuditError as error:
        run.problem = str(error)
        return ()


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Collect no test that is to run once for each own metric, or probe of another package, where there is none.

    pytest would count it, and show it as skipped.
    """
    made = yield
    if not isinstance(made, list):
        return made
    return [
        item
        for item in made
        if not isinstance(item, pytest.Function) or not any(_is_empty(item, name) for name in ("probe", "own_metric"))
    ]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Make each challenge a mark of its own, so that ``-m ethics`` selects it."""
    marker = item.get_closest_marker("challenge")
    if marker is not None and marker.args and marker.args[0] in CHALLENGES:
        item.add_marker(marker.args[0])


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Start the audit once it is known that tests of it will run."""
    yield
    # The audit's own energy is measured last, when nearly all of it has been spent.
    items.sort(key=lambda item: "environment.audit_energy" in declared_ids(item))
    run = config.stash[STATE]
    if config.option.collectonly or not any(map(concerns_audit, items)):
        return
    _leave_out_ungated(run, items)
    put_in_order(run, items)
    concerned = [item for item in items if concerns_audit(item)]
    if not concerned and run.problem is None:
        return
    run.active = not config.option.audit_plan
    run.overridden = overridden(concerned)
    run.problem = run.problem or misplaced(concerned, config)
    try:
        if run.problem is None:
            run.ensure_session().start(run.overridden)
            # Libraries and data live to the end: freeze them, so that the garbage collector does not scan them again.
            gc.freeze()
    except AuditError as error:
        run.problem = str(error)
    if run.problem is not None:
        if not run.is_worker:
            run.raised = True
            raise pytest.UsageError(run.problem)
        # A worker that raised would be taken for a crash; the controller ends the run instead.
        run.workeroutput["audit_problem"] = run.problem
        items.clear()


def _leave_out_ungated(run: Run, items: list[pytest.Item]) -> None:
    """Take out the tests that measure what no gate asks for, where the policy or the command line asks for that."""
    try:
        policy = run.ensure_session().policy
    except AuditError as error:
        run.problem = run.problem or str(error)
        return
    if not policy.audit.gated_only:
        return
    ungated = [item for item in items if (ids := declared_ids(item)) and not any(map(policy.gate, ids))]
    items[:] = [item for item in items if item not in ungated]
    run.config.hook.pytest_deselected(items=ungated)


def _is_empty(item: pytest.Function, fixture: str) -> bool:
    """Whether a test was to run once for each of something of which there is none."""
    if not has_fixtures(item) or fixture not in item.fixturenames or not is_ours(item, fixture):
        return False
    return not isinstance(item.callspec.params.get(fixture), str | tuple)
