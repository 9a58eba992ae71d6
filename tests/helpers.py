"""Small things that several test modules share: made examples, made predictions, and a scorer that is a function."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from jsonschema.validators import validator_for

from audit.core.evidence import Table, from_json
from audit.core.looks import Looks
from audit.core.measurement import Result
from audit.core.sentences import from_json as sentence
from audit.core.verdict import Gate
from audit.policy import policy
from audit.policy.policy import Policy
from audit.record.schema import schema
from audit.testing import examples as examples
from audit.testing import predictions as predictions
from audit.testing import scorer as scorer

ROOT = Path(__file__).parent.parent
TWO = ("negative", "positive")
THREE = ("negative", "neutral", "positive")


class Shared:
    """Folders by name, each filled by the first process that asks for it while the others wait."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, name: str, fill: Callable[[Path], object]) -> Path:
        folder, filled = self.root / name, self.root / f"{name}.filled"
        with FileLock(self.root / f"{name}.lock"):
            if not filled.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                filled.touch()
        return folder


def in_steps(looks: Looks, size: int) -> Result:
    """The result of all examples, asked about so many at a time."""
    look = next(looks)
    while look.n < look.total:
        look = looks.send(size)
    return look.result(look.confidence)


def settling(full_id: str, gate: Gate) -> Policy:
    """A policy with this gate that stops a probe when it is settled."""
    group, _, name = full_id.partition(".")
    bounds = ", ".join(f"{key} = {bound}" for key, bound in (("min", gate.min), ("max", gate.max)) if bound is not None)
    text = f'[model]\nsource = "m"\n[data]\ntest = "t.csv"\n[audit]\nstopping = "settled"\n[gates.{group}]\n'
    return policy.parse(f"{text}{name} = {{ {bounds} }}", None)


@contextmanager
def processor(lock: Path, *, alone: bool) -> Iterator[None]:
    """Share the processor with the tests of other processes, or have it alone."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


TINY_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "the", "a", "##s"]


@cache
def _validator() -> Any:
    kind = validator_for(schema())
    kind.check_schema(schema())
    return kind(schema())


def fits_the_schema(value: Mapping[str, Any]) -> None:
    """Hold a record against the schema; ``jsonschema.validate`` would each time hold that against its own."""
    _validator().validate(value)


def english(value: Any) -> Any:
    """A part of a record with its sentences as an English reader sees them."""
    if isinstance(value, Mapping):
        if set(value) == {"template", "values"}:
            return sentence(value)
        return {name: english(part) for name, part in value.items()}
    return [english(part) for part in value] if isinstance(value, list) else value


def cells(table: Table) -> list[list[Any]]:
    """The rows of a table; of what type each cell is, a test knows."""
    return [list(row) for row in table.rows]


def recorded(finding: Mapping[str, Any]) -> Result:
    """What a probe found, as a record holds it."""
    evidence = [piece for each in finding["evidence"] if (piece := from_json(each)) is not None]
    texts: dict[str, Any] = {
        name: sentence(finding.get(name, "")) for name in ("summary", "too_small", "undecided", "unbounded")
    }
    return Result(
        *(finding["estimate"], finding["low"], finding["high"]),
        finding["n"],
        sentence(finding["method"]),
        evidence=evidence,
        caveats=[sentence(each) for each in finding.get("caveats", ())],
        **texts,
    )


def is_one_sentence(message: str) -> bool:
    """Whether a message is what a user should be shown: one line, ended like a sentence, no traceback."""
    return "\n" not in message and message.rstrip()[-1:] in ".?" and "Traceback" not in message


class Clock:
    """Seconds that pass as a test says."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path, opened: Callable[..., Any] = os.open, how: Any = os.O_CREAT) -> None:
        self.target, self.opened, self.how = target, opened, how

    def __reduce__(self) -> tuple[Any, tuple[str, Any]]:
        return self.opened, (str(self.target), self.how)


def save_tiny(folder: Path, kind: str = "BertForSequenceClassification", **labels: Any) -> None:
    """Save a BERT of one layer with random weights, and its tokenizer."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(TINY_WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        **labels,
    )
    getattr(transformers, kind)(config).save_pretrained(folder)
    transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(TINY_WORDS)}).save_pretrained(folder)


WritePolicy = Callable[..., Path]
MADE = """
    import pytest
    from audit import Measurement

    def measured(id, estimate, low, high):
        return Measurement(id, estimate, low, high, 500, "share", "counted")
"""
# Part of what every audit must measure to be complete.
ARTIFACT = """
    import pytest
    from audit.probes.security.artifact import artifact

    @pytest.mark.measures("security.artifact")
    def test_artifact(audit, model, policy):
        audit.check(artifact(model, policy.security.expected_sha256))
"""


class Runner:
    """Runs pytest on a folder like a user, and reads the record."""

    def __init__(self, pytester: pytest.Pytester, cache: Path) -> None:
        self.pytester, self.cache, self._fitting = pytester, cache, ""
        # One argument: pytest takes a path that stands alone for one of tests, and would list all folders above both.
        self.options = ("-p", "no:cacheprovider", f"--audit-cache={cache}")

    def __call__(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(*self.options, *arguments)

    @property
    def record(self) -> Any:
        text = (self.pytester.path / "reports" / "audit.json").read_text("utf-8")
        value = json.loads(text)
        if text != self._fitting:  # a test reads one record again and again
            fits_the_schema(value)
            self._fitting = text
        return value

    def finding(self, full_id: str) -> Mapping[str, Any]:
        """A finding of the record, its sentences in English."""
        (found,) = [finding for finding in self.record["findings"] if finding["id"] == full_id]
        return dict(english(found))


_PLANNED = re.compile(r"^(\S+) +([\d,]+) +([\d,]+) +(\d+) +(\d+) +([\d,]+) +([\d.]+)$", re.MULTILINE)


def planned(printed: str) -> dict[str, tuple[int, int, int, int]]:
    """By test what a printed plan says: passes as a rule and at most, trainings as a rule and at most."""
    found = (match.groups() for match in _PLANNED.finditer(printed))
    return {name: tuple(int(each.replace(",", "")) for each in numbers[:4]) for name, *numbers in found}  # type: ignore[misc]


def flowed(lines: Iterable[str]) -> str:
    """The lines of a terminal as one, in which a sentence is found wherever it was wrapped."""
    return " ".join(" ".join(lines).split())
