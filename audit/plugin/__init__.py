"""The pytest plugin: options, fixtures, marks, exit status and the summary. The only module that knows pytest.

A finding travels on the report of the test that made it, so that one process and the workers of xdist are the same to
the code below: :func:`pytest_runtest_logreport` collects, :func:`pytest_sessionfinish` writes.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import inspect
import json
import os
import shlex
import signal
import sys
import threading
import time
import types
import uuid
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from audit.core.errors import AuditError, NotAssessed
from audit.core.identifiers import CHALLENGES, Identifier, base_id
from audit.core.verdict import Finding, Gate, Measurement, Verdict, blocks, is_waived, judge, merge
from audit.probes.catalogue import challenge_of, ids

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audit.core.cache import Temporary
    from audit.data.examples import Examples
    from audit.experiments.alternatives import Alternatives
    from audit.experiments.claims import Experiments
    from audit.inference.predictions import Predictions
    from audit.inference.scorer import Scorer
    from audit.models.model import Model
    from audit.models.model_card import Card
    from audit.policy.policy import Policy
    from audit.probes.privacy.membership import Twins
    from audit.run.output import Output
    from audit.run.own_metrics import OwnMetric
    from audit.run.session import Session
    from audit.run.watchdog import Watchdog
    from audit.text.personal_data import NameFinder
    from audit.training.canaries import CanaryTwin
    from audit.training.references import Twin

# Suites beside the audit's own, in folders of these names in `suites/`: collected only where they are named.
OPTIONAL = ("claims",)
# Parameters of a test that stand in the brackets of the id that it measures.
BRACKETS = ("subgroup", "own_metric", "axis", "kind", "capability")
REPLACEABLE = ("model", "scorer")
# What fixtures of the session ask for later than when they are made.
_LATER = {"experiments": ("scorer",)}
_SCOPES = ("session", "package", "module", "class", "function")
# A probe that broke says nothing that anybody could answer for.
_WAIVABLE = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSED)
_STATE = pytest.StashKey["_Run"]()
_FOUND = pytest.StashKey[list[Mapping[str, Any]]]()


class InconclusiveWarning(UserWarning):
    """A gate that the evidence does not settle, where the policy lets that pass."""


class Failed(pytest.fail.Exception):  # type: ignore[name-defined]
    """A finding that fails its test; pytest shows it like any failure. Its words are the audit's own."""

    __module__ = "builtins"


@dataclass(frozen=True)
class Probe:
    """A probe of another package: a function whose arguments are named like fixtures and which gives a Measurement."""

    id: str
    measure: Callable[..., Measurement]
    challenge: str | None = None


@dataclass
class _Run:
    """What one pytest process knows of the audit."""

    config: pytest.Config
    started: float
    audit: str = field(default_factory=lambda: uuid.uuid4().hex)
    session: Session | None = None
    problem: str | None = None
    raised: bool = False
    overridden: tuple[str, ...] = ()
    active: bool = False
    interrupted: bool = False
    model: Any = None
    replaced: dict[str, Any] = field(default_factory=dict)
    scorers: list[Any] = field(default_factory=list)
    findings: list[Mapping[str, Any]] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    temporary: Temporary | None = None
    notes: Temporary | None = None
    watchdog: Watchdog | None = None
    record: dict[str, Any] | None = None
    printed: dict[tuple[str, bool], str] = field(default_factory=dict)

    @property
    def is_worker(self) -> bool:
        return hasattr(self.config, "workerinput")

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
        policy = self.record["policy"]["audit"].get("complete") if self.record else None
        option = self.config.option.audit_complete
        wanted = next((each for each in (option, policy) if each is not None), None)
        return os.environ.get("CI", "").lower() in ("true", "1") if wanted is None else bool(wanted)

    @property
    def falls_short(self) -> bool:
        """Whether the audit is incomplete where it must not be."""
        return self.record is not None and self.record["verdict"] == "incomplete" and self.must_be_complete

    def collect(self, findings: Iterable[Mapping[str, Any]]) -> None:
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
            from audit.run.session import Options, Session

            option = self.config.option
            options = Options(
                folder=self.config.invocation_params.dir,
                policy=option.audit_policy,
                model=option.audit_model,
                out=option.audit_out,
                baseline=option.audit_baseline,
                device=option.audit_device,
                cache=self._cache_folder(),
                command=shlex.join(["pytest", *map(str, self._arguments())]),
                processes=self.config.workerinput["workercount"] if self.is_worker else 1,  # type: ignore[attr-defined]
                audit=self.config.workerinput["audit"] if self.is_worker else self.audit,  # type: ignore[attr-defined]
            )
            self.session = Session(options, _extra_ids(self.config), _progress(self.config))
        return self.session

    def _arguments(self) -> tuple[Any, ...]:
        if self.is_worker:
            return tuple(self.config.workerinput["audit_arguments"])  # type: ignore[attr-defined]
        return tuple(self.config.invocation_params.args)

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
            return str(self.config.workerinput["audit_cache"])  # type: ignore[attr-defined]
        from audit.core.cache import Temporary

        self.temporary = self.temporary or Temporary()
        return str(self.temporary.folder)

    def notes_of(self, process: str) -> Path:
        """The file in which a process leaves what others must know if it does not come to its end."""
        if self.is_worker:
            folder = self.config.workerinput["audit_notes"]  # type: ignore[attr-defined]
        else:
            from audit.core.cache import Temporary

            self.notes = self.notes or Temporary()
            folder = self.notes.folder
        return Path(folder, f"{process}.json")

    @contextlib.contextmanager
    def watched(self, item: pytest.Item) -> Iterator[None]:
        """Limit the time of a test that measures, and leave word of it where another process can tell its end."""
        session, declared = self.session, _declared(item)
        limit = session.policy.audit.timeout_s if session is not None else 0
        if session is None or not declared or not (limit or self.is_worker):
            yield
            return
        from audit.core.cache import timestamp
        from audit.record.record import as_dict
        from audit.run import watchdog

        path = self.notes_of(self.config.workerinput["workerid"] if self.is_worker else "main")  # type: ignore[attr-defined]
        watchdog.note(
            path,
            test=item.nodeid,
            limit=limit,
            running=[as_dict(_finding(item, session, name, Verdict.ERROR, "")) for name in declared],
            # What a worker measured has reached the controller, which writes the record.
            findings=[] if self.is_worker else self.findings,
            facts=[session.facts(self.model, self.scorers)],
            folder=str(self.output.folder),
            audit=self.audit,
            created=timestamp(self.started),
            started=self.started,
        )
        if not limit:
            yield
            return
        if self.watchdog is None:
            self.watchdog = watchdog.Watchdog(limit, path, writes=not self.is_worker)
        self.watchdog.begin()
        try:
            yield
        finally:
            self.watchdog.end()


# ---- options and marks


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


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that other packages may implement."""
    from audit.plugin import hookspecs as hooks

    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks and make room for the state."""
    run = config.stash[_STATE] = _Run(config, time.time())
    config.pluginmanager.register(_Warnings(run), "model-audit-warnings")
    config.addinivalue_line("markers", "challenge(name): which of the audit's challenges the tests belong to")
    config.addinivalue_line("markers", "measures(id): what the test measures; brackets are filled from the parameters")
    for name in CHALLENGES:
        config.addinivalue_line("markers", f"{name}: audit tests of this challenge")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Xdist(), "model-audit-xdist")
    if config.option.pyargs:
        _register_conftest(config)


def _register_conftest(config: pytest.Config) -> None:
    """Have the conftest.py beside the policy count for suites that are installed: pytest takes it for that folder's."""
    policy = config.invocation_params.dir / Path(config.option.audit_policy or "audit.toml").expanduser()
    path = policy.parent / "conftest.py"
    # One in pytest's root counts everywhere already; twice, a fixture that wraps the one before it would wrap itself.
    if not policy.is_file() or path.parent == config.rootpath:
        return
    module = config.pluginmanager.get_plugin(str(path))
    if module is not None:
        # Its hooks count already.
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


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the energy tracker, and remove a cache that was for this run only."""
    run = config.stash.get(_STATE, None)
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


class _Warnings:
    """Keeps texts from the data out of pytest's list of warnings."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        if not self._run.active or issubclass(warning_message.category, InconclusiveWarning):
            return
        before = str(warning_message.message)
        if (shown := self._run.unquoted(before)) != before:
            warning_message.message = UserWarning(shown)


class _Xdist:
    """What only the controller of xdist does."""

    @pytest.hookimpl
    def pytest_configure_node(self, node: Any) -> None:
        run = node.config.stash[_STATE]
        node.workerinput["audit"] = run.audit
        node.workerinput["audit_arguments"] = [str(argument) for argument in run._arguments()]
        if node.config.option.audit_cache == "none":
            node.workerinput["audit_cache"] = run.temporary_folder()
        node.workerinput["audit_notes"] = str(run.notes_of("").parent)

    @pytest.hookimpl
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """A worker that dies in a test cannot say what the test was to measure, but it has left word."""
        from audit.run.watchdog import errors

        run, worker = report.node.config.stash[_STATE], report.node.gateway.id
        with contextlib.suppress(FileNotFoundError):
            notes = json.loads(run.notes_of(worker).read_text("utf-8"))
            run.facts.setdefault(worker, notes["facts"][0])
            if notes["test"] == crashitem:
                run.interrupted = True
                report.audit_findings = errors(notes, "the process that measured it was ended from outside")

    @pytest.hookimpl
    def pytest_xdist_node_collection_finished(self, node: Any) -> None:
        """Hold the output folder with the worker that claimed it, which may die before the audit ends."""
        node.config.stash[_STATE].output.join()

    @pytest.hookimpl
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        run = node.config.stash[_STATE]
        output = getattr(node, "workeroutput", {})
        run.problem = run.problem or output.get("audit_problem")
        run.collect(output.get("audit_findings", ()))


def _extra_ids(config: pytest.Config) -> tuple[Identifier, ...]:
    return tuple(identifier for group in config.hook.pytest_audit_ids() for identifier in group)


def _progress(config: pytest.Config) -> Any:
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


# ---- collection


def _is_ours(item: Any, fixture: str) -> bool:
    """Whether the fixture that this test gets is the plugin's, not one of the user's that has the same name."""
    definitions = item._fixtureinfo.name2fixturedefs.get(fixture, ())
    return bool(definitions) and definitions[-1].func.__module__ == __name__


def _misplaced(items: Iterable[pytest.Item], config: pytest.Config) -> str | None:
    """What is wrong with a fixture of the repository's own that a test of the suites would get; None if nothing is."""
    known = ids(())
    for item in _functions(items):
        definitions = item._fixtureinfo.name2fixturedefs
        if not _declared(item) or not all(base_id(name) in known for name in _declared(item)):
            continue  # a test of their own may have fixtures of its own
        for name, (*former, used) in definitions.items():
            if not any(each.func.__module__ == __name__ for each in former) or used.func.__module__ == __name__:
                continue
            where, path = _place(used, config)
            if path == item.path:
                continue
            if name not in REPLACEABLE:
                return (
                    f"{where}: the fixture `{name}` takes the place of the audit's own, which {item.nodeid} needs; "
                    "rename it (a repository may replace only `model` and `scorer`)."
                )
            for other, (*_, needing) in definitions.items():
                asks = name in (*needing.argnames, *_LATER.get(other, ()))
                if asks and _is_ours(item, other) and _SCOPES.index(needing.scope) < _SCOPES.index(used.scope):
                    return (
                        f"{where}: the fixture `{name}` has the scope '{used.scope}', and the audit's own, whose place "
                        'it takes, lasts the whole session; write @pytest.fixture(scope="session"), or rename it.'
                    )
    return None


def _place(definition: Any, config: pytest.Config) -> tuple[str, Path]:
    """Where a fixture is defined: for a sentence, and the file."""
    code = inspect.unwrap(definition.func).__code__
    path = Path(code.co_filename)
    return f"{_short(path, config)}, line {code.co_firstlineno}", path


def _concerns_audit(item: pytest.Item) -> bool:
    if item.get_closest_marker("measures") is not None:
        return True
    return hasattr(item, "_fixtureinfo") and any(_is_ours(item, name) for name in item._fixtureinfo.names_closure)


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
    run = metafunc.config.stash[_STATE]
    if "subgroup" in metafunc.fixturenames and _is_ours(metafunc.definition, "subgroup"):
        try:
            columns: tuple[str | None, ...] = run.ensure_session().policy.data.subgroups
        except AuditError as error:
            run.problem, columns = str(error), ()
        metafunc.parametrize("subgroup", columns or (None,), indirect=True, ids=lambda column: column or "none")
    if "own_metric" in metafunc.fixturenames and _is_ours(metafunc.definition, "own_metric"):
        try:
            names = run.ensure_session().policy.brackets["metric"]
        except AuditError as error:
            run.problem, names = str(error), ()
        metafunc.parametrize("own_metric", names, indirect=True)
    if "probe" in metafunc.fixturenames and _is_ours(metafunc.definition, "probe"):
        probes = [probe for group in metafunc.config.hook.pytest_audit_probes() for probe in group]
        parameters = [
            pytest.param(
                probe,
                id=probe.id,
                marks=[
                    pytest.mark.measures(probe.id),
                    *([pytest.mark.challenge(c)] if (c := probe.challenge or challenge_of(probe.id)) else []),
                ],
            )
            for probe in probes
        ]
        metafunc.parametrize("probe", parameters, indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Make each challenge a mark of its own, so that ``-m ethics`` selects it."""
    marker = item.get_closest_marker("challenge")
    if marker is not None and marker.args and marker.args[0] in CHALLENGES:
        item.add_marker(marker.args[0])


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Start the audit once it is known that tests of it will run."""
    # Without own metrics or probes of other packages, pytest would show the tests that run them as skipped.
    items[:] = [item for item in items if not any(_is_empty(item, name) for name in ("probe", "own_metric"))]
    yield
    # What the audit took itself is known best at its end.
    items.sort(key=lambda item: "environment.audit_energy" in _declared(item))
    run = config.stash[_STATE]
    concerned = [item for item in items if _concerns_audit(item)]
    if not concerned or config.option.collectonly:
        return
    run.active = True
    run.overridden = tuple(
        name
        for name in REPLACEABLE
        if any(name in i._fixtureinfo.name2fixturedefs and not _is_ours(i, name) for i in _functions(concerned))
    )
    run.problem = run.problem or _misplaced(concerned, config)
    try:
        if run.problem is None:
            run.ensure_session().start(run.overridden)
            # The libraries and the data stay to the end; the collector would look through them again and again.
            gc.freeze()
    except AuditError as error:
        run.problem = str(error)
    if run.problem is not None:
        if not run.is_worker:
            run.raised = True
            raise pytest.UsageError(run.problem)
        # A worker that raised would be taken for a crash; the controller ends the run instead.
        config.workeroutput["audit_problem"] = run.problem  # type: ignore[attr-defined]
        items.clear()


def _functions(items: Iterable[pytest.Item]) -> list[Any]:
    return [item for item in items if hasattr(item, "_fixtureinfo")]


def _is_empty(item: Any, fixture: str) -> bool:
    """Whether a test was to run once for each of something of which there is none."""
    if fixture not in getattr(item, "fixturenames", ()) or not _is_ours(item, fixture):
        return False
    return not isinstance(item.callspec.params.get(fixture), str | Probe)


# ---- fixtures


@pytest.fixture(scope="session")
def audit_session(pytestconfig: pytest.Config) -> Session:
    return pytestconfig.stash[_STATE].ensure_session()


@pytest.fixture(scope="session")
def policy(audit_session: Session) -> Policy:
    """The validated policy."""
    return audit_session.policy


@pytest.fixture(scope="session")
def train_data(audit_session: Session) -> Examples | None:
    """The training data; None where the policy names none."""
    return audit_session.train_data


@pytest.fixture(scope="session")
def test_data(audit_session: Session) -> Examples:
    """The test data."""
    return audit_session.test_data


@pytest.fixture(scope="session")
def counterfactual_pairs(audit_session: Session) -> Mapping[str, Sequence[str]] | None:
    """The columns of the policy's file of counterfactual pairs; None where it names none."""
    return audit_session.pairs


@pytest.fixture(scope="session")
def members(audit_session: Session) -> Examples | None:
    """The training examples that the model really saw; None where the policy names no training data."""
    return audit_session.members


@pytest.fixture(scope="session")
def person_names(audit_session: Session) -> NameFinder | None:
    """Finds names of people in a text; None where the policy names no spaCy model for it."""
    return audit_session.person_names


@pytest.fixture(scope="session")
def model(audit_session: Session) -> Model:
    """The model under audit, loaded or fine-tuned."""
    return audit_session.audited


@pytest.fixture(scope="session")
def model_training(request: pytest.FixtureRequest) -> Mapping[str, Any] | None:
    """What is known of the model's training; None where it was loaded, is none of the audit's, or is not at hand."""
    try:
        return getattr(request.getfixturevalue("model"), "training", None)
    except NotAssessed:
        return None


@pytest.fixture(scope="session")
def scorer(audit_session: Session, model: Model) -> Scorer:
    """Runs the model: ``scorer.predict(texts)``, cached and batched."""
    return audit_session.scorer(model)


@pytest.fixture(scope="session")
def predictions(audit_session: Session, scorer: Scorer, test_data: Examples) -> Predictions:
    """What the model says of the test data."""
    made = scorer.predict(test_data.texts).on(test_data)
    audit_session.keep_predictions(made)
    return made


@pytest.fixture(scope="session")
def inference_blocks(audit_session: Session, scorer: Scorer) -> dict[str, Any]:
    """Energy of predictions on the test texts, in blocks."""
    return audit_session.inference_blocks(scorer)


@pytest.fixture(scope="session")
def grids(audit_session: Session) -> list[dict[str, Any]]:
    """Carbon of a kilowatt-hour in the policy's country, and elsewhere."""
    return audit_session.grids


@pytest.fixture(scope="session")
def spent(audit_session: Session) -> Callable[[], dict[str, Any]]:
    """A function that gives the energy of this audit until it is called."""
    return audit_session.spent


@pytest.fixture(scope="session")
def latencies(audit_session: Session, scorer: Scorer) -> dict[str, Any]:
    """Time of single texts, hostile ones and test texts."""
    return audit_session.latencies(scorer)


@pytest.fixture(scope="session")
def twins(audit_session: Session) -> tuple[Twin, ...]:
    """Reference models by the same recipe on random halves of the training data, trained when first asked for."""
    return audit_session.twins


@pytest.fixture(scope="session")
def membership_twins(audit_session: Session) -> Twins | None:
    """Twins that are trained only if membership inference needs them; None without a recipe or training data."""
    return audit_session.membership_twins


@pytest.fixture(scope="session")
def canary_twin(audit_session: Session) -> CanaryTwin:
    """A reference model by the same recipe whose training data held canaries, trained when first asked for."""
    return audit_session.canary_twin


@pytest.fixture(scope="session")
def without_rows(audit_session: Session) -> Callable[[NDArray[np.bool_]], Scorer] | None:
    """Trains a reference by the recipe without some training rows; None without a recipe or training data."""
    return audit_session.without_rows


@pytest.fixture(scope="session")
def baseline(audit_session: Session) -> dict[str, Any] | None:
    """The record of the former audit, or None."""
    return audit_session.baseline


@pytest.fixture(scope="session")
def former(audit_session: Session) -> dict[tuple[str, str, int], str] | None:
    """What the former audit's model said, by the examples' keys; None without ``--audit-baseline``."""
    return audit_session.former


@pytest.fixture(scope="session")
def word_counts(audit_session: Session) -> Predictions:
    """What TF-IDF and logistic regression, trained on the same texts, say of the test data."""
    return audit_session.word_counts


@pytest.fixture(scope="session")
def experiments(audit_session: Session, request: pytest.FixtureRequest) -> Experiments:
    """Trains and times what the document's claims are put to the test with."""
    return audit_session.experiments(lambda: request.getfixturevalue("scorer"))


@pytest.fixture(scope="session")
def alternatives(audit_session: Session, scorer: Scorer) -> Alternatives:
    """Other models of the same task beside the audited one: answers, energy, time and size of each."""
    return audit_session.alternatives(scorer)


@pytest.fixture(scope="session")
def provenance(audit_session: Session, model: Model) -> dict[str, str | None]:
    """The facts that are needed to repeat model and audit; None where one is missing."""
    return audit_session.provenance(model)


@pytest.fixture(scope="session")
def model_card(audit_session: Session, model: Model) -> Card:
    """What the card in the model's folder tells."""
    return audit_session.model_card(model)


@pytest.fixture
def subgroup(request: pytest.FixtureRequest) -> str:
    """Each subgroup column of the policy in turn."""
    if request.param is None:
        raise NotAssessed(
            "the policy names no groups of people; name columns under [data] subgroups, or mention:gender there for "
            "groups by whom the texts mention"
        )
    return str(request.param)


@pytest.fixture
def own_metric(request: pytest.FixtureRequest, audit_session: Session) -> tuple[str, OwnMetric]:
    """Each metric of the release owner in turn: its name, and the function."""
    return request.param, audit_session.own_metrics[request.param]


@pytest.fixture
def probe(request: pytest.FixtureRequest) -> Callable[[], Measurement]:
    """Each probe of another package in turn, its arguments taken from the fixtures of the same names."""
    declared: Probe = request.param

    def measure() -> Measurement:
        names = inspect.signature(declared.measure).parameters
        return declared.measure(**{name: request.getfixturevalue(name) for name in names})

    return measure


@pytest.fixture
def audit(request: pytest.FixtureRequest, audit_session: Session) -> Audit:
    """``audit.check(measurement)`` gates and records; ``audit.not_assessed(reason)`` says that evidence is missing."""
    return Audit(request.node, audit_session)


class Audit:
    """Turns the measurements of one test into findings."""

    def __init__(self, item: pytest.Item, session: Session) -> None:
        self._item, self._session = item, session

    def check(self, measurement: Measurement) -> Finding:
        """Hold a measurement against the policy's gate, record the finding, and fail the test if need be.

        Raises
        ------
        ValueError
            If the test's ``measures`` mark does not declare the id: a finding must not appear under a name that
            nobody would miss.
        """
        declared = _declared(self._item)
        if declared and measurement.id not in declared:
            raise ValueError(f"the test declares {', '.join(declared)} but measured {measurement.id}")
        gate = self._session.policy.gate(measurement.id)
        verdict, reason = judge(measurement, gate)
        look, planned = self._session.look(measurement.id), self._session.policy.audit.looks
        if gate is not None and max(look, planned) > 1:
            measurement = replace(measurement, details={**measurement.details, "look": look})
            reason = f"{reason}; this is {_look(look, planned)}" if reason else _look(look, planned)
        tolerated = verdict is Verdict.INCONCLUSIVE and self._session.policy.audit.inconclusive == "warn"
        if tolerated and self._session.passed_before(measurement.id):
            tolerated, reason = False, f"{reason}; it passed in the former audit, and no gate that passed may turn"
        finding = _finding(self._item, self._session, measurement.id, verdict, reason, measurement)
        finding = replace(finding, tolerated=tolerated)
        recorded = _keep(self._item, finding)
        if is_waived(recorded):
            pytest.xfail(_waived(finding))
        # With --runxfail a waived finding comes here too.
        if is_waived(recorded) or blocks(recorded):
            raise Failed(str(finding), pytrace=False)
        if verdict is Verdict.INCONCLUSIVE:
            warnings.warn(InconclusiveWarning(str(finding)), stacklevel=2)
        return finding

    def kept(self, name: str, shape: tuple[int, ...], make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """An array from the cache, made where no audit made it yet; see :meth:`audit.core.cache.Cache.array`."""
        return self._session.cache.array(name, shape, make)

    def not_assessed(self, reason: str) -> None:
        """Say that the evidence is missing and what to supply; the test skips, or fails where the policy gates it."""
        raise NotAssessed(reason)


def _waived(finding: Finding) -> str:
    waiver = finding.waiver or {}
    return f"{finding}; waived by {waiver['owner']} through {waiver['expires']}: {waiver['reason']}"


def _look(number: int, planned: int) -> str:
    """Which look at growing data it is; to look until a gate settles is optional stopping, unless it was planned."""
    if number > planned:
        return f"look {number}, more than the {planned} planned: chance errs more often now than the confidence says"
    return f"look {number} of {planned} planned"


def _declared(item: pytest.Item) -> tuple[str, ...]:
    """The full ids that a test measures."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    bracket = next((parameters[name] for name in BRACKETS if parameters.get(name)), None)
    return tuple(
        f"{name}[{bracket}]" if bracket and "[" not in name else name
        for marker in item.iter_markers("measures")
        for name in marker.args
    )


def _finding(
    item: pytest.Item,
    session: Session,
    full_id: str,
    verdict: Verdict,
    reason: str,
    measurement: Measurement | None = None,
) -> Finding:
    known = ids(session.extra_ids).get(base_id(full_id))
    marker = item.get_closest_marker("challenge")
    challenge = marker.args[0] if marker and marker.args else known.challenge if known else "quality"
    title = known.title if known else base_id(full_id)
    gate = session.policy.gate(full_id)
    waiver = session.waiver(full_id) if verdict in _WAIVABLE and gate is not None else None
    return Finding(full_id, challenge, title, verdict, reason, measurement, gate, waiver)


def _keep(item: pytest.Item, finding: Finding) -> dict[str, Any]:
    from audit.record.record import as_dict

    value = as_dict(finding)
    item.stash[_FOUND] = merge([*item.stash.get(_FOUND, []), value])
    # A test that ends the whole run has no report that could carry its findings.
    item.config.stash[_STATE].collect([value])
    return value


# ---- results


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: Any, request: pytest.FixtureRequest) -> Generator[None, Any, Any]:
    """Remember the model and the scorer that are really used, whoever made them."""
    run, name = request.config.stash[_STATE], fixturedef.argname
    if run.active and name == "scorer" and fixturedef.func.__module__ == __name__:
        # Ours runs whatever a `model` gives.
        _check_replacement(run.replaced.get("model"), run.model, ("network", "tokenizer", "labels", "fingerprint"), run)
    value = yield
    if not run.active or name not in REPLACEABLE:
        return value
    run.replaced[name] = None if fixturedef.func.__module__ == __name__ else fixturedef
    if name == "model":
        run.model = value
    else:
        _check_replacement(run.replaced[name], value, ("predict",), run)
        run.scorers.append(value)
    return value


def _check_replacement(definition: Any, value: Any, attributes: Sequence[str], run: _Run) -> None:
    """Refuse what the repository's own fixture gives where it cannot take the place of the audit's."""
    missing = [] if definition is None else [name for name in attributes if not hasattr(type(value), name)]
    missing = [name for name in missing if not hasattr(value, name)]
    if missing:
        raise AuditError(
            f"{_place(definition, run.config)[0]}: the fixture `{definition.argname}` gives a {type(value).__name__} "
            f"without `{missing[0]}`, and takes the place of the audit's own; rename it, or see the README for what "
            "may take that place."
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep texts from the data out of all that a test of the audit leaves behind, where the policy asks for it."""
    run = item.config.stash[_STATE]
    if not run.active or run.session is None:
        return (yield)
    from audit.text.redaction import withholding

    with withholding(run.session.policy.report.evidence == "none"), run.watched(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """End a test that takes too long while its fixtures are made."""
    with _alarm(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """End a test that takes too long."""
    with _alarm(item):
        return (yield)


@contextlib.contextmanager
def _alarm(item: pytest.Item) -> Iterator[None]:
    """Raise in the test when its time is up. Where Python does not run, the watchdog ends the whole process."""
    watchdog = item.config.stash[_STATE].watchdog
    if watchdog is None or not _declared(item) or threading.current_thread() is not threading.main_thread():
        yield
        return
    from audit.run.watchdog import TimeUp, too_long

    def ring(*_: object) -> None:
        raise TimeUp(too_long(watchdog.limit))

    former = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(watchdog.left, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give every declared id a finding, however its test ended, and put the findings on the report."""
    report = yield
    run = item.config.stash[_STATE]
    if not run.active or run.session is None or not _concerns_audit(item):
        return report
    error = call.excinfo.value if call.excinfo is not None else None
    report.sections = [(name, run.unquoted(content)) for name, content in report.sections]
    if isinstance(report.longrepr, tuple):
        report.longrepr = (*report.longrepr[:2], run.unquoted(report.longrepr[2]))
    if call.excinfo is not None and hasattr(report.longrepr, "reprtraceback"):
        report.longrepr = _frames(item, run, call.excinfo)
    if run.watchdog is not None and run.watchdog.left < 0 and report.when != "teardown":
        # Also where the test took no notice of it.
        from audit.run.watchdog import too_long

        for name in _declared(item):
            _keep(item, _finding(item, run.session, name, Verdict.ERROR, too_long(run.watchdog.limit)))
    if isinstance(error, AuditError):
        # Found out only now, when the model was loaded; the audit could not really start.
        run.problem = run.problem or str(error)
        if run.is_worker:
            item.config.workeroutput["audit_problem"] = run.problem  # type: ignore[attr-defined]
        item.session.shouldstop = "the audit cannot go on"
        report.longrepr = str(error)
    if isinstance(error, NotAssessed):
        _not_assessed(item, run.session, report, str(error), arises=error.arises)
    elif isinstance(error, pytest.xfail.Exception) or (report.skipped and not hasattr(report, "wasxfail")):
        _not_assessed(item, run.session, report, _skip_reason(report), said_by_pytest=True)
    elif error is not None and not isinstance(error, KeyboardInterrupt) and report.when != "teardown":
        _broke(item, run, error)
    elif error is None and report.when == "call":
        for name in _missing(item):
            reason = "the test ended without measuring it"
            _keep(item, _finding(item, run.session, name, Verdict.ERROR, reason))
    found = item.stash.get(_FOUND, [])
    blocking = [finding for finding in found if blocks(finding)]
    if blocking and (not report.failed or hasattr(report, "wasxfail")):
        # Whatever became of the exception, or was expected of the test: its findings decide.
        report.outcome, report.longrepr = "failed", "\n".join(map(_complaint, blocking))
        vars(report).pop("wasxfail", None)
    if found:
        report.audit_findings = found  # type: ignore[attr-defined]
        item.user_properties.extend(_properties(found))
        item.stash[_FOUND] = []
    if report.when == "teardown":
        report.audit_facts = run.session.facts(run.model, run.scorers)  # type: ignore[attr-defined]
    return report


def _frames(item: pytest.Item, run: _Run, excinfo: pytest.ExceptionInfo[BaseException]) -> Any:
    """The traceback of a test that broke: where, and in which line of code; neither arguments nor local variables."""
    if isinstance(excinfo.value, Failed):
        return excinfo.getrepr(style="value")
    shown = pytest.ExceptionInfo.from_exception(_without_values(excinfo.value, run, frozenset()))
    style: Literal["native", "short", "value"] = "native" if item.config.option.tbstyle == "native" else "short"
    if not getattr(excinfo.value, "pytrace", True):
        style = "value"
    return shown.getrepr(style=style, tbfilter=item._traceback_filter)


def _without_values(error: BaseException, run: _Run, above: frozenset[int]) -> BaseException:
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


def _properties(findings: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, object]]:
    """What pytest writes into a JUnit file beside the test's outcome."""
    for finding in findings:
        gate = Gate(**finding["gate"]) if finding["gate"] else None
        values = {name: finding[name] for name in ("verdict", "estimate", "low", "high")} | {"gate": gate}
        values["waived"] = finding["waiver"]["expires"] if is_waived(finding) else None
        for name, value in values.items():
            if value is not None:
                yield f"{finding['id']} {name}", str(value)


def _not_assessed(
    item: pytest.Item,
    session: Session,
    report: pytest.TestReport,
    reason: str,
    *,
    said_by_pytest: bool = False,
    arises: bool = True,
) -> None:
    from audit.text.redaction import masked

    waived, reason = [], masked(reason)
    for name in _missing(item):
        finding = _finding(item, session, name, Verdict.NOT_ASSESSED, reason)
        # A gate on the general id stands for all brackets that arise; one that the audit sets by itself for none.
        if not session.policy.gates_base(name) and not (arises and session.policy.gates_base(base_id(name))):
            finding = replace(finding, gate=None, waiver=None)
        if is_waived(_keep(item, finding)):
            waived.append(_waived(finding))
    if waived:
        report.outcome, report.longrepr = "skipped", "; ".join(waived)
        report.wasxfail = f"reason: {report.longrepr}"  # type: ignore[attr-defined]
    elif not said_by_pytest:
        report.outcome = "skipped"
        path, line, _ = item.location
        report.longrepr = (path, (line or 0) + 1, f"not assessed: {reason}")


def _broke(item: pytest.Item, run: _Run, error: BaseException) -> None:
    assert run.session is not None
    # An error may quote the text that it arose from.
    what = " ".join(run.unquoted(_message(error)).split())[:200]
    reason = f"the probe broke: {type(error).__name__}" + (f": {what}" if what else "")
    for name in _missing(item):
        _keep(item, _finding(item, run.session, name, Verdict.ERROR, reason))


def _missing(item: pytest.Item) -> list[str]:
    """What a test declares and has not measured."""
    measured = {finding["id"] for finding in item.stash.get(_FOUND, [])}
    return [name for name in _declared(item) if name not in measured]


def _complaint(finding: Mapping[str, Any]) -> str:
    if finding["verdict"] == Verdict.NOT_ASSESSED:
        return f"{finding['id']}: not assessed, yet the policy gates it; {finding['reason']}"
    if finding["verdict"] == Verdict.ERROR:
        return f"{finding['id']}: {finding['reason']}"
    return " ".join(filter(None, (f"{finding['id']}: {finding['verdict']};", finding["reason"])))


def _skip_reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail).removeprefix("reason: ").removeprefix("[NOTRUN] ") or "its test was not to run"
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)


class _Collector:
    """Collects what the reports carry; in the process that writes the record."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._run.collect(getattr(report, "audit_findings", ()))
        facts = getattr(report, "audit_facts", None)
        if facts is not None:
            self._run.facts[str(getattr(report, "worker_id", "main"))] = facts

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # By `pytest.exit` too, which may ask for any exit status.
        self._run.interrupted = True
        if self._run.active:  # with --full-trace pytest would show the arguments of each function
            frames = excinfo.traceback
            excinfo.traceback = type(frames)(frame.with_repr_style("short") for frame in frames)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect findings where reports arrive."""
    run = session.config.stash[_STATE]
    if not run.is_worker:
        session.config.pluginmanager.register(_Collector(run), "model-audit-collector")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the record and the report, or say why the audit could not start."""
    run = session.config.stash[_STATE]
    if run.is_worker:
        session.config.workeroutput["audit_findings"] = run.findings  # type: ignore[attr-defined]
        return
    if run.problem is not None:
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        run.output.restore()
        return
    facts = list(run.facts.values())
    if not facts and run.active and run.session is not None and run.output.join():
        facts = [run.session.facts(run.model, run.scorers)]
    if not facts:
        return
    from audit.core.cache import timestamp
    from audit.energy.meter import Meter, Power
    from audit.record import record
    from audit.run.output import rendered

    def build(**reporting: Any) -> dict[str, Any]:
        return record.build(
            run.findings,
            facts,
            failed=int(exitstatus) == pytest.ExitCode.TESTS_FAILED,
            interrupted=run.interrupted or int(exitstatus) not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED),
            created=timestamp(run.started),
            duration_s=time.time() - run.started,
            **reporting,
        )

    # The record cannot hold what reporting took, so all is made twice; the second time is not counted.
    own = run.session if run.active else None
    policy = facts[0]["policy"]
    meter = Meter(policy["audit"]["country"], Power.of(policy["environment"])) if own is None else own.meter
    with meter.phase("report") as phase:
        rendered(build())
    try:
        run.record = run.output.publish(build(reporting=[phase.record()]))
    except AuditError as error:
        run.problem = str(error)
        session.exitstatus = pytest.ExitCode.USAGE_ERROR
        return
    finally:
        run.output.release()
    if int(exitstatus) == pytest.ExitCode.OK and (run.record["verdict"] == "fail" or run.falls_short):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    # GitHub shows what is appended to this file on the page of the job.
    if step := os.environ.get("GITHUB_STEP_SUMMARY"):
        path = run.config.invocation_params.dir / step
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write((run.output.folder / record.SUMMARY).read_text("utf-8"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show each verdict, and where the report is."""
    run = config.stash[_STATE]
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
        terminalreporter.write_line(
            "There is no audit.toml here and no --audit-policy: the embedded policy applied, with the demo's texts.",
            yellow=True,
        )
    for line, style in terminal.lines(run.record):
        terminalreporter.write_line(line, **style)
    terminalreporter.write_line(headline(run.record), bold=True, **colour[run.record["verdict"]])
    if run.falls_short:
        terminalreporter.write_line(
            "An incomplete audit does not end with exit status 0 here; with --no-audit-complete it may."
        )
    terminalreporter.write_line(f"report: {_short(run.output.folder / record.REPORT, config)}")


def _short(path: Path, config: pytest.Config) -> str:
    try:
        return str(path.relative_to(config.invocation_params.dir))
    except ValueError:
        return str(path)
