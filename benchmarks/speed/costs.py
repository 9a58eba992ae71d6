"""What an audit costs before one starts it: seconds, forward passes, trainings and electricity, test by test.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.costs examples/sst2-minilm.toml --keep costs  # whole, an empty cache
    AUDIT_TEST_DATA=… python -m benchmarks.speed.costs --bert-base costs/sst2-minilm           # a part of it, scaled up
    python -m benchmarks.speed.costs --print costs/sst2-minilm                                 # the tables once more

Prints Markdown tables for `benchmarks/README.md`: by challenge, by test and what it settles, by training. What several
tests need is made once and booked on the first that asks for it. Beside the seconds of the clock stand those of the
processor, which other work on the machine does not lengthen; those of a training are its share of its test's. The
electricity is an estimate for the whole machine, most of it a constant for memory, so that waiting counts. With
`--keep` reports, costs and the cache of each audit stay in a folder of the policy's name, which must not exist yet.

With `--bert-base` the same audit is run for a network of BERT base's shape with random weights and MiniLM's vocabulary,
which is that of `bert-base-uncased`: of the texts that a probe asks about every K-th is computed, the others get the
answer of one of like length, and models are trained on every K-th example. Seconds inside networks are multiplied by K,
and by the passes that the whole audit made over those asked for here, since what attacks ask depends on the answers;
trainings by their steps. All else is as measured: to measure electricity or latency takes any model about as long.
Batches are of the size that they have before others are tried.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from audit.core.identifiers import CHALLENGES
from audit.policy import toml
from benchmarks import ROOT
from benchmarks.shapes import BASE, save
from benchmarks.speed.part import compute_one_in, is_training, scaled
from benchmarks.speed.profile import arguments

NAME = "costs.json"
OTHER = "imports, start and report"
LEAST_S, LITTLE = 1.0, "the others, below a second each"


class Books:
    """A plug-in of pytest that books what each test took, by what the audit puts on its reports."""

    def __init__(self) -> None:
        self.tests: list[dict[str, Any]] = []
        self.trainings: list[Any] = []
        self._findings: list[Any] = []
        self._phases = self._passes = 0
        self._processor_s = time.process_time()

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take what came since the former test; facts tell all of the audit so far."""
        self._findings += getattr(report, "audit_findings", ())
        facts = getattr(report, "audit_facts", None)
        if facts is None:
            return
        passes, phases, processor_s = facts["scoring"]["forward_passes"], facts["energy"], time.process_time()
        self.tests.append(
            {
                "test": report.nodeid,
                "passes": passes - self._passes,
                "processor_s": processor_s - self._processor_s,
                "phases": phases[self._phases :],
                "findings": [{name: each[name] for name in ("id", "gate", "verdict")} for each in self._findings],
            }
        )
        self._passes, self._phases, self._findings = passes, len(phases), []
        self._processor_s = processor_s

    def pytest_sessionfinish(self, session: Any) -> None:
        """Keep how each model was trained, before the session is closed."""
        from audit.plugin.state import STATE

        audit = session.config.stash[STATE].session
        self.trainings = list(audit.models.trainings) if audit is not None else []


def inside(command: list[str], out: Path, every: int) -> None:
    """Run pytest in this process; what it took goes into a file."""
    import pytest
    import torch

    if every > 1:
        compute_one_in(every)
    books, started = Books(), time.monotonic()
    status = int(pytest.main(command, plugins=[books]))
    took = {
        "exit": status, "seconds": time.monotonic() - started, "processor_s": time.process_time(),
        "threads": torch.get_num_threads(), "date": time.strftime("%Y-%m-%d"), "every": every,
        "tests": books.tests, "trainings": books.trainings,
    }  # fmt: skip
    out.write_text(json.dumps(took, indent=1, default=str), encoding="utf-8")


def measure(policy: Path, folder: Path, every: int = 1) -> dict[str, Any]:
    """What one audit took, in a process of its own that finds an empty cache; kept in the folder."""
    folder.mkdir(parents=True)
    command = arguments(["suites/"], policy, folder)
    given = ["--inside", str(folder / NAME), "--every", str(every), "--", *command]
    subprocess.run([sys.executable, "-m", "benchmarks.speed.costs", *given], cwd=ROOT, stdout=sys.stderr, check=True)
    took: dict[str, Any] = json.loads((folder / NAME).read_text("utf-8"))
    if took["exit"] not in (0, 1):
        sys.exit(f"{policy}: the audit ended with exit status {took['exit']}")
    took["policy"] = str(policy)
    (folder / NAME).write_text(json.dumps(took, indent=1), encoding="utf-8")
    return took


def bert_base(whole: dict[str, Any], folder: Path, every: int) -> dict[str, Any]:
    """What one in so many takes of the same audit of BERT base's shape with random weights."""
    from transformers import AutoTokenizer

    from audit.core.cache import Cache
    from audit.models import minilm

    folder.mkdir(parents=True)
    policy = tomllib.loads(Path(whole["policy"]).read_text("utf-8"))
    with tempfile.TemporaryDirectory() as name:
        tokenizer = AutoTokenizer.from_pretrained(minilm.locate(Cache(Path(name)), None))
    settings = policy["model"]
    settings["source"] = str(save(BASE, settings["max_length"], folder / "model", tokenizer, settings["labels"]))
    settings.pop("revision", None)
    (folder / "policy.toml").write_text(toml.document(policy), encoding="utf-8")
    return measure(folder / "policy.toml", folder / "part", every)


@dataclass
class Cost:
    """What some tests took together; seconds are the processor's but where they are said to be the clock's."""

    tests: int = 0
    clock_s: float = 0.0
    seconds: float = 0.0
    training_s: float = 0.0
    passes: int = 0
    kwh: float = 0.0
    settled: list[str] = field(default_factory=list)

    def add(self, test: dict[str, Any], took: dict[str, Any]) -> None:
        """Another test of an audit."""
        self.tests += 1
        self.clock_s += sum(phase["seconds"] for phase in test["phases"])
        self.seconds += test["processor_s"]
        self.training_s += busy(test) * sum(phase["seconds"] for phase in test["phases"] if is_training(phase, took))
        self.passes += test["passes"]
        self.kwh += sum(phase["kwh"] for phase in test["phases"])
        self.settled += [_settled(each) for each in test["findings"] if each["gate"]]

    @property
    def cells(self) -> list[str]:
        """Of the columns that tables of tests have."""
        return [
            f"{self.tests}", f"{self.seconds:,.0f}", f"{self.training_s:,.0f}", f"{self.passes:,}",
            f"{self.clock_s:,.0f}", f"{self.kwh:.4f}",
        ]  # fmt: skip


COLUMNS = ("tests", "processor, s", "of it training, s", "forward passes", "clock, s", "kWh, estimated")


def busy(test: dict[str, Any]) -> float:
    """Seconds of the processor in one of the clock."""
    return float(test["processor_s"]) / (sum(phase["seconds"] for phase in test["phases"]) or 1.0)


def _settled(finding: dict[str, Any]) -> str:
    verdict = "" if finding["verdict"] == "pass" else f" {finding['verdict'].replace('_', ' ')}"
    return f"`{finding['id']}`{verdict}"


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(columns)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def challenge(test: dict[str, Any]) -> str:
    """Whose file of the suite a test stands in."""
    file: str = test["test"].partition("::")[0]
    return file.rpartition("test_")[2].removesuffix(".py")


def by_challenge(took: dict[str, Any]) -> str:
    """What each challenge took, and how much of it no gate asks for."""
    costs: dict[str, Cost] = {}
    ungated: dict[str, Cost] = {}
    total, unasked = Cost(), Cost()
    for test in took["tests"]:
        is_gated = any(each["gate"] for each in test["findings"])
        for some in (costs.setdefault(challenge(test), Cost()), total):
            some.add(test, took)
        for some in () if is_gated else (ungated.setdefault(challenge(test), Cost()), unasked):
            some.add(test, took)
    names = sorted(costs, key=lambda name: CHALLENGES.index(name) if name in CHALLENGES else len(CHALLENGES))
    rows = [
        [name, *costs[name].cells, f"{len(costs[name].settled)}", f"{ungated.get(name, Cost()).seconds:,.0f}"]
        for name in names
    ]
    rest = took["processor_s"] - total.seconds, took["seconds"] - total.clock_s
    rows.append([OTHER, "", f"{rest[0]:,.0f}", "", "", f"{rest[1]:,.0f}", "", "", ""])
    whole = replace(total, seconds=took["processor_s"], clock_s=took["seconds"])
    rows.append(["**all**", *whole.cells, f"{len(total.settled)}", f"{unasked.seconds:,.0f}"])
    return table(["challenge", *COLUMNS, "gates", "processor for no gate, s"], rows)


def by_test(took: dict[str, Any]) -> str:
    """What each test took, the costliest first; those of one kind with a gate apart from those without."""
    costs: dict[tuple[str, bool], Cost] = {}
    for test in took["tests"]:
        is_gated = any(each["gate"] for each in test["findings"])
        kind = test["test"].rpartition("::")[2].partition("[")[0]
        costs.setdefault((f"`{kind}`" if test["processor_s"] >= LEAST_S else LITTLE, is_gated), Cost()).add(test, took)
    ordered = sorted(costs.items(), key=lambda item: (item[0][0] == LITTLE, -item[1].seconds))
    return table(
        ["test", *COLUMNS, "settles"],
        [[kind, *cost.cells, ", ".join(cost.settled) or "no gate"] for (kind, _), cost in ordered],
    )


def by_training(took: dict[str, Any]) -> str:
    """What each training took, in their order."""
    first = {phase["started"]: test for test in took["tests"] for phase in test["phases"] if "started" in phase}
    distinct = {each["energy"]["started"]: each for each in took["trainings"] if each["energy"]["started"] in first}
    rows = []
    for started, each in sorted(distinct.items()):
        energy, test, layers = each["energy"], first[started], each.get("recipe", {}).get("train", "all")
        model = each.get("base", "TF-IDF + logistic regression").rpartition("/")[2]
        what = f"{energy['name']}: {model}" + (f", only {layers}" if layers != "all" else "")
        cells = [
            what, f"{each['examples']:,}", f"{each['steps']:,}" if "steps" in each else "",
            f"{busy(test) * energy['seconds']:,.0f}", f"{energy['seconds']:,.0f}", f"{energy['kwh']:.4f}",
            f"`{test['test'].rpartition('::')[2]}`",
        ]  # fmt: skip
        rows.append(cells)
    return table(
        ["training", "rows", "steps", "processor, s", "clock, s", "kWh, estimated", "first asked for by"], rows
    )


def tables(took: dict[str, Any]) -> Iterator[str]:
    """All of them, with what they were measured on."""
    threads = f"{took['threads']} of {os.cpu_count()} cores"
    yield f"{platform.system()} {platform.machine()}, {threads}, {took['date']}, exit status {took['exit']}\n"
    yield by_challenge(took)
    yield by_test(took)
    yield by_training(took)


def main() -> None:
    """Print the tables of each policy as soon as they are known."""
    parser = argparse.ArgumentParser(description="What an audit costs, test by test.")
    parser.add_argument("policies", nargs="*")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="reports, costs and cache stay there")
    parser.add_argument("--bert-base", type=Path, metavar="DIR", help="of which whole audit, as --keep left it")
    parser.add_argument("--every", type=int, default=50, metavar="K", help="of BERT base every K-th text and example")
    parser.add_argument("--print", type=Path, metavar="DIR", help="the tables of an audit that was measured")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside is not None:
        inside(asked.policies, asked.inside, asked.every)
        return
    for policy in asked.policies:
        with tempfile.TemporaryDirectory() as name:
            folder = (asked.keep or Path(name)).resolve() / Path(policy).stem
            print(f"`{policy}`, measured whole: ", end="")
            print("\n".join(tables(measure(Path(policy).resolve(), folder))), flush=True)
    for folder in filter(None, (asked.bert_base, asked.print)):
        whole = json.loads((folder / NAME).read_text("utf-8"))
        part = folder / "bert-base" / "part" / NAME
        if folder is asked.bert_base:
            bert_base(whole, part.parent.parent.resolve(), asked.every)
        else:
            print("\n".join(tables(whole)), flush=True)
        if part.is_file():
            took = json.loads(part.read_text("utf-8"))
            print(f"BERT base in its place, one in {took['every']} measured and scaled up: ", end="")
            print("\n".join(tables(scaled(whole, took))), flush=True)


if __name__ == "__main__":
    main()
