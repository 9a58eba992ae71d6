"""Mutation testing: of small changes to what decides verdicts, how many do the tests notice?

    python -m benchmarks.mutants                        # 300 mutants drawn by seed: a night of two cores
    python -m benchmarks.mutants --number 5 --of core/verdict

Each mutant is one change (a comparison, a sign, a number, a truth value, a connective) in a copy of the repository, in
which the tests of its module run until one fails. Survivors are printed with their place, to be explained or tested.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from audit import statistics
from benchmarks import ROOT

# What decides, and the tests that are to notice.
TESTS = {
    "core/verdict": ["tests/core/test_verdict.py", "tests/run/test_decisions.py"],
    "statistics/*": ["tests/statistics"],
    "policy/policy": ["tests/policy", "tests/hostile/test_policies.py", "tests/run/test_decisions.py"],
    "policy/mistakes": ["tests/policy", "tests/hostile/test_policies.py"],
    "record/contradictions": ["tests/hostile/test_former.py", "tests/record"],
    "text/redaction": [
        "tests/text/test_redaction.py",
        "tests/text/test_shown_values.py",
        "tests/text/test_properties.py",
    ],
}
_TURNED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


def sites(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every node that can be changed, within functions; what runs once on import is told by any test."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in (inner for statement in function.body for inner in ast.walk(statement)):
                if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp):
                    kinds = node.ops if isinstance(node, ast.Compare) else [node.op]
                    if type(kinds[0]) in _TURNED:
                        yield node, type(kinds[0]).__name__
                elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
                    yield node, repr(node.value)


def mutated(source: str, chosen: int) -> tuple[str, str]:
    """A module with the change at one site, and where and what it is."""
    tree = copy.deepcopy(ast.parse(source))
    node, was = list(sites(tree))[chosen]
    if isinstance(node, ast.Compare):
        node.ops[0] = _TURNED[type(node.ops[0])]()  # type: ignore[assignment]
    elif isinstance(node, ast.BinOp | ast.BoolOp):
        node.op = _TURNED[type(node.op)]()  # type: ignore[assignment]
    elif isinstance(node, ast.Constant):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]
    return ast.unparse(tree), f"line {node.lineno}: {was} in `{ast.unparse(node)[:80]}`"  # type: ignore[attr-defined]


def passes(folder: Path, tests: Sequence[str], limit: float | None = None) -> bool:
    """Whether the tests of a copy pass; one that takes ten times as long does not."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    try:
        return not subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        return False


def main() -> None:
    """Print the survivors, and the share that was noticed with its interval."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--of", nargs="*", choices=TESTS, default=list(TESTS))
    asked = parser.parse_args()
    drawn = [
        (path.relative_to(ROOT), number, TESTS[name])
        for name in asked.of
        for path in sorted((ROOT / "audit").glob(f"{name}.py"))
        for number in range(sum(1 for _ in sites(ast.parse(path.read_text("utf-8")))))
    ]
    drawn = random.Random(asked.seed).sample(drawn, min(asked.number, len(drawn)))
    noticed, took = 0, dict[str, float]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "copy")
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "reports"))
        for path, number, tests in drawn:
            if tests[0] not in took:
                start = time.monotonic()
                assert passes(folder, tests), f"{' '.join(tests)} fail without any change"
                took[tests[0]] = time.monotonic() - start
            whole = (ROOT / path).read_text("utf-8")
            source, what = mutated(whole, number)
            (folder / path).write_text(source, "utf-8")
            if passes(folder, tests, 10 * took[tests[0]] + 60):
                print(f"survived: {path}, {what}", flush=True)
            else:
                noticed += 1
            (folder / path).write_text(whole, "utf-8")
    share = statistics.proportion(noticed, len(drawn))
    print(f"{noticed} of {len(drawn)} noticed: {share.estimate:.0%} [{share.low:.0%}, {share.high:.0%}]")


if __name__ == "__main__":
    main()
