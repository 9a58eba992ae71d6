"""What the reports read of a finding's details is written by something: no key lives in a test or a reader alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import audit

PACKAGE = Path(audit.__file__).parent
READERS = (
    *(path for folder in ("report", "plugin") for path in (PACKAGE / folder).rglob("*.py")),
    PACKAGE / "record" / "since.py",
    PACKAGE / "core" / "verdict.py",
)


def trees(*paths: Path) -> Iterator[ast.Module]:
    return (ast.parse(path.read_text("utf-8")) for path in paths)


def constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def read(function: ast.FunctionDef, names: set[str]) -> Iterator[str]:
    """The keys that a function takes out of a finding's details, or out of what these names stand for."""

    def is_source(node: ast.expr) -> bool:
        if isinstance(node, ast.IfExp):
            return is_source(node.body)
        if isinstance(node, ast.Subscript):
            return constant(node.slice) == "details"
        return (isinstance(node, ast.Attribute) and node.attr == "details") or (
            isinstance(node, ast.Name) and node.id in names
        )

    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and is_source(node.value):
            names = names | {target.id for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(function):
        key = None
        if isinstance(node, ast.Subscript) and is_source(node.value):
            key = constant(node.slice)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_source(node.func.value):
            key = constant(node.args[0]) if node.func.attr == "get" else None
        elif isinstance(node, ast.Compare) and is_source(node.comparators[0]):
            key = constant(node.left)
        if key is not None:
            yield key


def keys_read(tree: ast.Module, names: set[str] = frozenset()) -> set[str]:  # type: ignore[assignment]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {key for function in functions for key in read(function, set(names))}


def keys_written(tree: ast.Module) -> set[str]:
    """The keys of every mapping that is written down, item by item or by keyword."""
    found: set[str | None] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            found |= {constant(key) for key in node.keys if key is not None}
        elif isinstance(node, ast.keyword):
            found.add(node.arg)
        elif isinstance(node, ast.Assign):
            found |= {constant(target.slice) for target in node.targets if isinstance(target, ast.Subscript)}
    return {key for key in found if key is not None}


# By the recorder itself: what n counts.
RECORDED = {"sample"}


def test_every_key_of_the_details_that_is_read_is_written_by_a_probe() -> None:
    written = RECORDED.union(*map(keys_written, trees(*(PACKAGE / "probes").rglob("*.py"))))
    read = set[str]().union(*map(keys_read, trees(*READERS)))
    assert {"summary", "tables", "outcome", "machine", "undecided"} <= read
    assert not read - written


def test_every_key_of_a_piece_of_evidence_that_is_drawn_is_written() -> None:
    makers = [path for path in PACKAGE.rglob("*.py") if PACKAGE / "report" not in path.parents]
    written = set[str]().union(*map(keys_written, trees(*makers)))
    (tree,) = trees(PACKAGE / "report" / "page" / "evidence.py")
    read = keys_read(tree, {"raw", "curve", "each"})
    assert {"columns", "curves", "wh", "parts", "tokens", "series"} <= read
    assert not read - written
