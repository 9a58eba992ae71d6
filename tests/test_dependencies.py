"""What is declared is imported, and what is imported is declared: by the package, its extras, tests and benchmarks."""

from __future__ import annotations

import ast
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.helpers import ROOT

pytestmark = pytest.mark.slow("parses every source", seconds=4)

# Declared, though no line of the folders that it is declared for imports it.
NOT_IMPORTED = {
    "coverage": "a command: benchmarks run the tests under it",
    "ruff": "a command of `make lint`",
    "mypy": "a command of `make lint`",
    "types-pyyaml": "types for mypy",
    "import-linter": "a command of `make lint`",
    "build": "a command: a test builds the wheel with it",
}
# Imported, though nothing declares it.
NOT_DECLARED = {
    "spacy": "the user's own, with a model of the language: [privacy] spacy_model; without the key nothing imports it",
}
OURS = {"audit", "benchmarks", "suites", "tests", "tools"}


@cache
def _declared(extra: str | None = None) -> dict[NormalizedName, Requirement]:
    """Distributions of ``dependencies`` or of an extra, with those of the extras that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared: dict[NormalizedName, Requirement] = {}
    for text in project["dependencies"] if extra is None else project["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name == project["name"]:
            declared |= {name: each for part in requirement.extras for name, each in _declared(part).items()}
        else:
            declared[canonicalize_name(requirement.name)] = requirement
    return declared


_distributions = cache(packages_distributions)


@cache
def _places(folder: str) -> dict[str, str]:
    """Third-party modules that a folder imports, at the top of a file or within a function, each with one place."""
    places: dict[str, str] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                modules = [node.module]
            else:
                continue
            for module in {module.partition(".")[0] for module in modules} - OURS - sys.stdlib_module_names:
                places.setdefault(module, f"{path.relative_to(ROOT)}:{node.lineno}")
    return places


def _imported(*folders: str) -> dict[str, str]:
    """Third-party distributions that folders import, each with one place."""
    places = {module: place for folder in folders for module, place in _places(folder).items()}
    return {canonicalize_name(_distributions().get(module, [module])[0]): place for module, place in places.items()}


PACKAGE = ("audit", "suites")
OPTIONAL = ("ray", "xdist", "onnx", "bom", "skops")


def test_each_dependency_of_the_package_is_imported_by_it() -> None:
    assert not set(_declared()) - set(_imported(*PACKAGE))


@pytest.mark.parametrize(
    ("extra", "folders"),
    [*((extra, PACKAGE) for extra in OPTIONAL), ("bench", ("benchmarks",)), ("dev", (*PACKAGE, "tests"))],
)
def test_each_extra_is_imported_where_it_is_for(extra: str, folders: tuple[str, ...]) -> None:
    assert not set(_declared(extra)) - set(_imported(*folders)) - set(NOT_IMPORTED)


@pytest.mark.parametrize(
    ("folders", "extras"), [(PACKAGE, OPTIONAL), (("tests", "tools"), ("dev",)), (("benchmarks",), ("bench", "dev"))]
)
def test_what_is_imported_is_declared(folders: tuple[str, ...], extras: tuple[str, ...]) -> None:
    declared = set(NOT_DECLARED).union(_declared(), *map(_declared, extras))
    assert not {name: place for name, place in _imported(*folders).items() if name not in declared}


def test_each_exception_is_needed() -> None:
    imported = set(_imported(*PACKAGE, "benchmarks", "tests", "tools"))
    assert not set(NOT_DECLARED) - imported
    assert not set(NOT_IMPORTED) - set().union(_declared("dev"), _declared("bench"))
    assert not set(NOT_DECLARED) & set().union(_declared(), _declared("dev"), _declared("bench"))
    assert not set(NOT_IMPORTED) & set(_imported(*PACKAGE))


def test_the_pinned_versions_cover_what_is_declared_and_are_allowed() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    declared = _declared() | _declared("dev") | _declared("bench")
    assert not set(declared) - set(pinned)
    assert not {name: pinned[name] for name, each in declared.items() if pinned[name] not in each.specifier}
