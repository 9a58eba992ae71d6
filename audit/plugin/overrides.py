"""Fixtures of a repository's own in the place of the audit's: which may be, and what they must give."""

from __future__ import annotations

import inspect
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import pytest

from audit.core.errors import AuditError
from audit.core.identifiers import base_id
from audit.plugin import fixtures
from audit.plugin.findings import declared_ids
from audit.plugin.state import STATE, Run
from audit.plugin.terminal import short
from audit.probes.catalogue import ids

if TYPE_CHECKING:
    from audit.core.probe import DeclaredProbe

REPLACEABLE = ("model", "scorer")
# Fixtures that session fixtures request lazily, after their own setup.
_LATER = {"experiments": ("scorer",)}
_SCOPES = ("session", "package", "module", "class", "function")


def has_fixtures(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Whether a test can ask for fixtures: a function, or what keeps them as one does."""
    return hasattr(item, "_fixtureinfo")


def is_ours(item: pytest.Function, fixture: str) -> bool:
    """Whether the fixture that this test gets is the plugin's, not one of the user's that has the same name."""
    definitions = item._fixtureinfo.name2fixturedefs.get(fixture, ())
    return bool(definitions) and _is_own(definitions[-1])


def _is_own(definition: pytest.FixtureDef[object]) -> bool:
    return bool(definition.func.__module__ == fixtures.__name__)


def definitions_of(item: pytest.Function) -> Mapping[str, Sequence[pytest.FixtureDef[object]]]:
    """The fixtures that a test gets, and those that a packaged probe asks for later, by its parameters."""
    own = item._fixtureinfo.name2fixturedefs
    asked = item.callspec.params.get("probe") if hasattr(item, "callspec") else None
    if not (isinstance(asked, tuple) and is_ours(item, "probe")):
        return own
    probe: DeclaredProbe[...] = asked[0]
    names = tuple(name for name in inspect.signature(probe).parameters if name != probe.declaration.bracket)
    _, later = item.session._fixturemanager.getfixtureclosure(item, names, frozenset())
    return {**later, **own}


def overridden(items: Iterable[pytest.Item]) -> tuple[str, ...]:
    """The fixtures of the repository's own that take the place of the audit's for one of these tests."""
    every = [definitions_of(item) for item in functions(items)]
    return tuple(name for name in REPLACEABLE if any(name in each and not _is_own(each[name][-1]) for each in every))


def concerns_audit(item: pytest.Item) -> bool:
    if item.get_closest_marker("measures") is not None:
        return True
    return has_fixtures(item) and any(is_ours(item, name) for name in item._fixtureinfo.names_closure)


def functions(items: Iterable[pytest.Item]) -> list[pytest.Function]:
    return [item for item in items if has_fixtures(item)]


def misplaced(items: Iterable[pytest.Item], config: pytest.Config) -> str | None:
    """What is wrong with a fixture of the repository's own that a test of the suites would get; None if nothing is."""
    known = ids()
    for item in functions(items):
        definitions = definitions_of(item)
        is_suite = definitions is not item._fixtureinfo.name2fixturedefs or (
            declared_ids(item) and all(base_id(name) in known for name in declared_ids(item))
        )
        if not is_suite:
            continue  # a test of their own may have fixtures of its own
        for name, (*former, used) in definitions.items():
            if not any(map(_is_own, former)) or _is_own(used):
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
                if asks and is_ours(item, other) and _SCOPES.index(needing.scope) < _SCOPES.index(used.scope):
                    return (
                        f"{where}: the fixture `{name}` has the scope '{used.scope}', and the audit's own, whose place "
                        'it takes, lasts the whole session; write @pytest.fixture(scope="session"), or rename it.'
                    )
    return None


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Remember the model and the scorer that are really used, whoever made them."""
    run, name = request.config.stash[STATE], fixturedef.argname
    if run.active and name == "scorer" and _is_own(fixturedef):
        # The built-in scorer needs a whole `Model`, so a replaced `model` fixture must have these attributes.
        _check_replacement(run.replaced.get("model"), run.model, ("network", "tokenizer", "labels", "fingerprint"), run)
    value = yield
    if not run.active or name not in REPLACEABLE:
        return value
    run.replaced[name] = None if _is_own(fixturedef) else fixturedef
    if name == "model":
        run.model = value
    else:
        _check_replacement(run.replaced[name], value, ("predict",), run)
        run.scorers.append(value)
    if run.session is not None:
        run.session.ready(getattr(run.model, "fingerprint", None))
    return value


def _check_replacement(
    definition: pytest.FixtureDef[object] | None, value: object, attributes: Sequence[str], run: Run
) -> None:
    """Refuse what the repository's own fixture gives where it cannot take the place of the audit's."""
    missing = [name for name in attributes if not hasattr(type(value), name) and not hasattr(value, name)]
    if definition is not None and missing:
        raise AuditError(
            f"{_place(definition, run.config)[0]}: the fixture `{definition.argname}` gives a {type(value).__name__} "
            f"without `{missing[0]}`, and takes the place of the audit's own; rename it, or see the README for what "
            "may take that place."
        )


def _place(definition: pytest.FixtureDef[object], config: pytest.Config) -> tuple[str, Path]:
    """Where a fixture is defined: for a sentence, and the file."""
    code = inspect.unwrap(definition.func).__code__
    path = Path(code.co_filename)
    return f"{short(path, config)}, line {code.co_firstlineno}", path
