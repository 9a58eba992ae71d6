"""Mutation testing: of small changes to what decides verdicts, how many do the tests notice?

    python -m benchmarks.mutants --out mutants.jsonl             # 300 drawn by seed, on from where it stopped
    python -m benchmarks.mutants --out mutants.jsonl --again     # survivors once more, after a test was written
    python -m benchmarks.mutants --out verdict.jsonl --number 5 --of core/verdict

Each mutant is one change (a comparison, a sign, a number, a truth value, a connective) within a function. The tests of
its module are imported and run once, in which it shows which of them call which function. Then each mutant is a fork in
which the live function has the changed code, and the tests that call it run, quickest first, until one fails, dies or
takes ten times as long. What only a process of its own would notice, or an import, counts as survived.

Each mutant is a line of the file: its place, and `by`, the test that noticed it; null for a survivor, to be explained
or tested. The order is random, so that those of an unfinished file are a fair sample too.
"""

from __future__ import annotations

import argparse
import ast
import functools
import gc
import hashlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import types
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pytest

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
MEMORY = 12 * 2**30  # of address space, for a mutant that never has enough
_TURNED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change, known by what stays where it is when lines are added elsewhere.

    Parameters
    ----------
    module, function : str
        From the repository's root; the outermost function.
    what : str
    nth : int
        Of changes of which the same can be said, which one.
    site, line : int
        Where it is as yet: the number among the module's sites, and its line.
    """

    module: str
    function: str
    what: str
    nth: int
    site: int = field(default=0, compare=False)
    line: int = field(default=0, compare=False)

    def code(self) -> dict[tuple[str, int], types.CodeType]:
        """The code of all functions of the changed module, by qualified name and first line."""
        path = ROOT / self.module
        tree = ast.parse(source(path))
        node = list(sites(tree))[self.site][1]
        if isinstance(node, ast.Compare):
            node.ops[0] = _TURNED[type(node.ops[0])]()  # type: ignore[call-overload]
        elif isinstance(node, ast.BinOp | ast.BoolOp):
            node.op = _TURNED[type(node.op)]()  # type: ignore[assignment]
        elif isinstance(node, ast.Constant):
            node.value = not node.value if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]
        pending, found = [compile(tree, path, "exec", dont_inherit=True)], dict[tuple[str, int], types.CodeType]()
        while pending:
            code = pending.pop()
            pending += (each for each in code.co_consts if isinstance(each, types.CodeType))
            if not code.co_name.startswith("<"):
                found[code.co_qualname, code.co_firstlineno] = code
        return found

    def apply(self) -> None:
        """Give the functions of this process the changed code, and have them forget what they keep."""
        changed, file = self.code(), str(ROOT / self.module)
        gc.unfreeze()
        replaced = 0
        for each in gc.get_objects():
            if type(each) is types.FunctionType and each.__code__.co_filename == file:
                code = changed.get((each.__code__.co_qualname, each.__code__.co_firstlineno))
                replaced += code is not None and code.co_qualname == self.function
                each.__code__ = code or each.__code__
            elif type(each) is functools._lru_cache_wrapper and str(each.__module__).startswith("audit"):
                each.cache_clear()
        if not replaced:
            raise LookupError(f"no {self.function} of {self.module} as it was read")


@functools.cache
def source(path: Path) -> str:
    """A module as it was first read; whoever writes on it meanwhile changes no mutant."""
    return path.read_text("utf-8")


def functions(body: Sequence[ast.stmt], within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """The outermost functions and methods by their qualified names; what else runs on import is told by any test."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from functions(statement.body, f"{within}{statement.name}.")
        elif isinstance(statement, ast.FunctionDef):
            yield within + statement.name, statement


def sites(tree: ast.Module) -> Iterator[tuple[str, ast.expr, str]]:
    """Every node that can be changed, with its function and what it is."""
    for name, function in functions(tree.body):
        for node in (inner for statement in function.body for inner in ast.walk(statement)):
            if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp):
                kind = type(node.ops[0] if isinstance(node, ast.Compare) else node.op)
                if kind in _TURNED:
                    yield name, node, kind.__name__
            elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
                yield name, node, repr(node.value)


def drawn(of: Sequence[str], number: int, seed: int) -> list[Mutant]:
    """Mutants of some parts, in an order by hash: those that stay in the source stay in the sample."""
    found = []
    for path in sorted({path for part in of for path in (ROOT / "audit").glob(f"{part}.py")}):
        seen = Counter[tuple[str, str]]()
        for site, (function, node, was) in enumerate(sites(ast.parse(source(path)))):
            line = source(path).splitlines()[node.lineno - 1].strip()
            same = function, f"{was} of `{ast.unparse(node)}` in `{line}`"
            found.append(Mutant(str(path.relative_to(ROOT)), *same, seen[same], site, node.lineno))
            seen[same] += 1
    found.sort(
        key=lambda each: hashlib.sha256(
            f"{seed} {each.module} {each.function} {each.what} {each.nth}".encode()
        ).digest()
    )
    return found[:number]


def tests_of(mutant: Mutant) -> list[str]:
    """The files and folders whose tests are to notice."""
    return next(tests for part, tests in TESTS.items() if (ROOT / mutant.module).match(f"audit/{part}.py"))


@dataclass
class Noticing:
    """What of pytest asks the mutants: in the place of running the tests that were collected."""

    mutants: list[Mutant]
    out: Path
    seed: int

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests unchanged, then those that call a function for each mutant of it."""
        took, called = self.unchanged(session)
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        for mutant in self.mutants:
            place = f"{mutant.module}:{mutant.function}"
            of = tuple(str(ROOT / each) for each in tests_of(mutant))
            tests = [i for i in took if place in called[i] and str(session.items[i].path).startswith(of)]
            tests.sort(key=took.__getitem__)
            start = time.monotonic()
            ran = in_a_fork(session, tests, mutant, took) if tests else 0
            by = session.items[tests[ran]].nodeid if ran < len(tests) else None
            value = {
                "seed": self.seed, "commit": commit, **vars(mutant), "by": by, "tests": len(tests),
                "seconds": round(time.monotonic() - start, 1),
            }  # fmt: skip
            with self.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(value, ensure_ascii=False) + "\n")
        return True

    def unchanged(self, session: pytest.Session) -> tuple[dict[int, float], list[set[str]]]:
        """Of each test that passes how long it takes; and of each the functions that it or its file's fixtures call."""
        with tempfile.NamedTemporaryFile() as file:
            if not (child := fork(session)):
                Path(file.name).write_text(
                    json.dumps(list(map(profiled, session.items, [session] * len(session.items))))
                )
                os._exit(0)
            os.waitpid(child, 0)
            found = json.loads(Path(file.name).read_text())
        fixtures = dict[Path, set[str]]()
        for item, (*_, setup, _calls) in zip(session.items, found, strict=True):
            fixtures.setdefault(item.path, set()).update(setup)
        took = {i: seconds for i, (seconds, passed, *_) in enumerate(found) if passed}
        for i in set(range(len(found))) - set(took):
            print(f"left out, for it fails unchanged: {session.items[i].nodeid}", file=sys.stderr)
        return took, [{*calls, *fixtures[item.path]} for item, (*_, calls) in zip(session.items, found, strict=True)]


def fork(session: pytest.Session) -> int:
    """A fork in a group of its own that says nothing of its tests."""
    if not (child := os.fork()):
        os.setsid()
        session.config.get_terminal_writer()._file = Path(os.devnull).open("w")  # noqa: SIM115
    return child


def profiled(item: pytest.Item, session: pytest.Session) -> tuple[float, bool, list[str], list[str]]:
    """Run a test: its seconds, whether it passed, and the audit's functions that its fixtures and it called."""
    here, source = str(ROOT), str(ROOT / "audit")
    codes: dict[int, types.CodeType] = {}
    before = [dict[int, types.CodeType]()]

    def see(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call":
            codes[id(frame.f_code)] = frame.f_code

    def names(seen: dict[int, types.CodeType]) -> list[str]:
        ours = (code for code in seen.values() if code.co_filename.startswith(source))
        return sorted(
            {f"{each.co_filename[len(here) + 1 :]}:{each.co_qualname.split('.<locals>')[0]}" for each in ours}
        )

    class Setup:
        def pytest_runtest_call(self) -> None:
            before[0] = dict(codes)

    failed, start = session.testsfailed, time.monotonic()
    session.config.pluginmanager.register(plugin := Setup())
    sys.setprofile(see)
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=_next(session.items, item))
    sys.setprofile(None)
    session.config.pluginmanager.unregister(plugin)
    return time.monotonic() - start, session.testsfailed == failed, names(before[0]), names(codes)


def _next(items: list[pytest.Item], item: pytest.Item) -> pytest.Item | None:
    return next(iter(items[items.index(item) + 1 :]), None)


def in_a_fork(session: pytest.Session, tests: list[int], mutant: Mutant, took: dict[int, float]) -> int:
    """How many tests pass before one notices the mutant."""
    reads, writes = os.pipe()
    if not (child := fork(session)):
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            try:
                mutant.apply()
            except Exception:
                os.write(writes, b"!")
                raise
            items = [session.items[i] for i in tests]
            for item in items:
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=_next(items, item))
                if session.testsfailed:
                    break
                os.write(writes, b".")
        finally:
            os._exit(0)
    os.close(writes)
    passed = 0
    while passed < len(tests):
        ready = select.select([reads], [], [], 20 + 10 * took[tests[passed]])[0]
        if not ready or not (dots := os.read(reads, 4096)):
            break
        if b"!" in dots:
            raise RuntimeError(f"cannot be made: {mutant}")
        passed += len(dots)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reads)
    return passed


def known(out: Path, seed: int) -> dict[Mutant, str | None]:
    """What the file tells of each mutant: its last line counts."""
    found = {}
    for line in out.read_text("utf-8").splitlines() if out.exists() else ():
        value = json.loads(line)
        if value["seed"] == seed:
            found[Mutant(*(value[name] for name in Mutant.__dataclass_fields__))] = value["by"]
    return found


def main() -> None:
    """Add to the file; print the survivors, and the share that was noticed with its interval."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--number", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--of", nargs="*", choices=TESTS, default=list(TESTS))
    parser.add_argument("--again", action="store_true", help="ask the file's survivors once more")
    asked = parser.parse_args()
    out = asked.out.absolute()
    mutants, before = drawn(asked.of, asked.number, asked.seed), known(out, asked.seed)
    if wanted := [each for each in mutants if each not in before or (asked.again and before[each] is None)]:
        # Neither chance nor the machine's load decides whether a test notices.
        hypothesis.settings.register_profile(
            "mutants",
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("mutants")
        tests = sorted({test for each in wanted for test in tests_of(each)})
        with tempfile.TemporaryDirectory() as name:
            options = ["-q", "-p", "no:cacheprovider", "-m", "not alone", f"--basetemp={name}/tests"]
            pytest.main([*options, *(str(ROOT / test) for test in tests)], [Noticing(wanted, out, asked.seed)])
    found = {each: by for each, by in known(out, asked.seed).items() if each in set(mutants)}
    for each, by in found.items():
        if by is None:
            print(f"survived: {each.module}:{each.line}, {each.what}")
    from audit import statistics

    noticed = sum(by is not None for by in found.values())
    share = statistics.proportion(noticed, len(found))
    print(f"{noticed} of {len(found)} noticed: {share.estimate:.0%} [{share.low:.0%}, {share.high:.0%}]")


if __name__ == "__main__":
    main()
