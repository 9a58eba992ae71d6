"""Former audits that are broken, later or changed by hand: refused, and what contradicts itself is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from audit.core.measurement import Measurement
from audit.core.probe import Probe
from audit.core.verdict import Finding, Gate, Verdict
from audit.probes.catalogue import ids
from audit.record import declarations, record
from tests.hostile.sentences import memory, refusal
from tests.record.test_record import build, facts

N = 40
RIGHT = 30


def _finding(full_id: str, estimate: float, verdict: Verdict, gate: Gate | None) -> Any:
    unit = "share" if full_id != "quality.mcc" else ""
    measured = Measurement(full_id, estimate, estimate - 0.1, estimate + 0.1, N, unit, "counted")
    return record.as_dict(Finding(full_id, "quality", full_id, verdict, "", measured, gate))


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A former audit of forty examples, ten of which the model got wrong; as an audit leaves it."""
    truth = np.arange(N) % 2
    answers = np.where(np.arange(N) < N - RIGHT, 1 - truth, truth)
    names = ("negative", "positive")
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(N)]
    columns: dict[str, Any] = {"text_sha256": digests, "label": [names[i] for i in truth], "occurrence": [0] * N}
    columns |= {f"p({name})": [0.9 if i == k else 0.1 for i in answers] for k, name in enumerate(names)}
    pq.write_table(pa.table(columns), tmp_path / record.PREDICTIONS)
    findings = [
        _finding("quality.accuracy", 0.75, Verdict.PASS, Gate(min=0.6)),
        _finding("quality.mcc", 0.5, Verdict.FAIL, Gate(min=0.7)),
    ]
    known: list[Probe] = [ids()[each["id"]] for each in findings]
    value = build(findings, facts(("quality.accuracy", "quality.mcc"))) | {"declarations": declarations.to_json(known)}
    save(tmp_path, value)
    return tmp_path


def save(folder: Path, value: Any) -> None:
    """Write a record and all that vouches for it, as somebody who tampers with it can."""
    value["predictions"] = record.seal(folder, value)
    text = json.dumps(value)
    (folder / record.NAME).write_text(text, "utf-8")
    (folder / record.DIGEST).write_text(record.checksum(text), "utf-8")


def read(folder: Path) -> None:
    """All that an audit reads of a former one."""
    path = folder / record.NAME
    record.read_predictions(folder / record.PREDICTIONS, record.read(path))


Change = Callable[[Any], object]


def _of(value: Any, full_id: str) -> Any:
    (found,) = [each for each in value["findings"] if each["id"] == full_id]
    return found


def accuracy(**figures: object) -> Change:
    return lambda value: _of(value, "quality.accuracy").update(figures)


def mcc(**figures: object) -> Change:
    return lambda value: _of(value, "quality.mcc").update(figures)


TAMPERED: dict[str, tuple[Change, str]] = {
    "a later schema": (lambda v: v.update(schema_version=3), "install the version that wrote it"),
    "no schema": (lambda v: v.pop("schema_version"), "not a record of schema version 2"),
    "a text for the schema": (lambda v: v.update(schema_version="2"), "not a record of schema version 2"),
    "a verdict that is none": (lambda v: v.update(verdict="super"), "not a record of schema version 2 (verdict: "),
    "no verdict": (lambda v: v.pop("verdict"), "not a record of schema version 2"),
    "a script for the time": (lambda v: v.update(created="<script>alert(1)</script>"), "(created: "),
    "a text for a figure": (accuracy(estimate="0.9"), "/estimate: "),
    "examples below none": (accuracy(n=-5), "/n: "),
    "a certainty of 1": (accuracy(confidence=1), "/confidence: "),
    "a gate of two bounds": (accuracy(gate={"min": 0.1, "max": 0.2}), "/gate: "),
    "evidence of no kind": (accuracy(evidence=[{"kind": "nope"}]), "/evidence/0/kind: "),
    "a chain of nothing": (lambda v: v.update(baseline={"chain": [1]}), "(baseline: "),
    "a number for the model": (lambda v: v["model"].update(fingerprint=5), "/fingerprint: 5 is not of type"),
    "a share of five": (accuracy(estimate=5, high=5), "quality.accuracy has figures that it cannot have (estimate"),
    "an interval the wrong way round": (accuracy(low=0.99, high=0.1), "quality.accuracy has figures that contradict"),
    "an estimate beyond its interval": (accuracy(estimate=0.99), "quality.accuracy has figures that contradict"),
    "figures of no example": (accuracy(n=0), "quality.accuracy has figures that contradict each other"),
    "a figure that is no number": (accuracy(estimate=float("nan")), "has figures that contradict each other"),
    "an infinite figure": (accuracy(estimate=float("inf"), high=float("inf")), "has figures that contradict"),
    "two findings of one id": (lambda v: v["findings"].extend(v["findings"]), "stands there twice"),
    "an id of two lines": (accuracy(id="quality.a\nb", estimate=9), "quality.a⟨U+000A⟩b has figures that contradict"),
    "a pass for a fail": (mcc(verdict="pass"), "quality.mcc passes, which its figures do not bear out"),
    "a pass without a gate": (accuracy(gate=None), "quality.accuracy passes, which its figures do not bear out"),
    "an accuracy that the answers deny": (
        accuracy(estimate=0.9, low=0.8, high=0.95), "quality.accuracy is 0.9 in it, and those answers give 0.75",
    ),
    "a correlation that the answers deny": (
        mcc(estimate=0.8, low=0.75, high=0.9, verdict="pass"), "quality.mcc is 0.8 in it, and those answers give 0.5",
    ),
}  # fmt: skip


def of_stars(folder: Path, truth: NDArray[np.int64], said: NDArray[np.int64], figures: dict[str, float]) -> Any:
    """A record of forty answers in three stars, written into a folder with them; it states these figures."""
    stars = ["1 star", "2 stars", "3 stars"]
    digests = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(N)]
    columns: dict[str, Any] = {"text_sha256": digests, "label": [stars[i] for i in truth], "occurrence": [0] * N}
    columns |= {f"p({name})": [0.8 if i == k else 0.1 for i in said] for k, name in enumerate(stars)}
    pq.write_table(pa.table(columns), folder / record.PREDICTIONS)
    findings = [_finding(full_id, estimate, Verdict.REPORTED, None) for full_id, estimate in figures.items()]
    known: list[Probe] = [ids()[full_id] for full_id in figures]
    value = build(findings, facts(())) | {"declarations": declarations.to_json(known)}
    value["model"] = {"source": "x", "labels": [stars[1], stars[2], stars[0]]}  # as its outputs come
    save(folder, value)
    return value


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("full_id", ["mean_absolute_error", "off_by_more_than_one", "quadratic_kappa"])
def test_a_figure_of_ordered_classes_that_the_answers_deny_is_told(
    tmp_path: Path, full_id: str, is_whole: bool
) -> None:
    from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, mean_absolute_error

    places = np.array([0, 1, 2] if is_whole else [0, 2, 2])  # of three, or nobody has or gives two stars
    truth, said = places[np.arange(N) % 3], places[(np.arange(N) % 3 * 2 + np.arange(N) % 4) % 3]
    figures = {
        "quality.accuracy": float(accuracy_score(truth, said)),
        "quality.macro_f1": float(f1_score(truth, said, average="macro")),
        "quality.mean_absolute_error": float(mean_absolute_error(truth, said)),
        "quality.off_by_more_than_one": float((abs(truth - said) == 2).mean()),
        "quality.quadratic_kappa": float(cohen_kappa_score(truth, said, labels=[0, 1, 2], weights="quadratic")),
    }
    value = of_stars(tmp_path, truth, said, figures)
    read(tmp_path)
    found = _of(value, f"quality.{full_id}")
    found["estimate"] += 0.05
    save(tmp_path, value)
    assert f"quality.{full_id} is {found['estimate']:.4g} in it, and those" in refusal(lambda: read(tmp_path))
    # Where nothing orders the classes, nothing is known of such a figure; where the policy does, the answers deny it.
    value["model"]["labels"] = ["1 star", "2 stars", "bad"]
    save(tmp_path, value)
    read(tmp_path)
    value["model"]["labels"] = ["1 star", "2 stars", "3 stars"]
    value["policy"] = {"model": {"order": ["3 stars", "1 star", "2 stars"]}}
    save(tmp_path, value)
    assert "and those answers give" in refusal(lambda: read(tmp_path))
    value["policy"] = {"model": {"order": [5, {}]}}
    save(tmp_path, value)
    read(tmp_path)


def test_as_it_was_left_it_is_read(former: Path) -> None:
    read(former)


def test_what_the_answers_say_nothing_of_contradicts_them_not(former: Path) -> None:
    value = json.loads((former / record.NAME).read_text("utf-8"))
    value["findings"].append(_finding("quality.calibration_error", 0.2, Verdict.REPORTED, None))
    accuracy(n=N - 1, estimate=0.9, low=0.8, high=1.0)(value)  # of other examples, and within what a share may be
    mcc(verdict="not_assessed", estimate=None, low=None, high=None)(value)
    save(former, value)
    read(former)


@pytest.mark.parametrize("case", TAMPERED)
def test_what_was_changed_is_told_though_its_hashes_were_written_anew(former: Path, case: str) -> None:
    change, said = TAMPERED[case]
    value = json.loads((former / record.NAME).read_text("utf-8"))
    change(value)
    save(former, value)
    message = refusal(lambda: read(former))
    assert str(former) in message
    assert said in message, message


FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "without end": (lambda _: b"[" * 200_000, "not a JSON file"),
    "a number of 5000 digits": (lambda c: c.replace(b'"schema_version": 2', b'"schema_version": ' + b"2" * 5000), "no"),
    "in UTF-16": (lambda c: c.decode().encode("utf-16"), "not a JSON file"),
    "a byte order mark": (lambda c: b"\xef\xbb\xbf" + c, "not a JSON file"),
    "more behind the end": (lambda c: c + b"x", "not a JSON file"),
    "zeros": (lambda _: bytes(1000), "not a JSON file"),
    "nothing": (lambda _: b"", "not a JSON file"),
    "another file": (lambda _: b'{"a": 1}', "not a record of schema version 2"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_is_no_record_is_one_sentence(former: Path, case: str) -> None:
    change, said = FILES[case]
    path = former / record.NAME
    path.write_bytes(change(path.read_bytes()))
    (former / record.DIGEST).unlink()
    assert said in refusal(lambda: read(former))


def test_a_record_larger_than_any_is_not_read(former: Path) -> None:
    with (former / record.NAME).open("r+b") as file:
        file.truncate(2**40)  # without taking room on the disk
    assert "larger than any record of an audit is" in refusal(lambda: read(former))


@pytest.mark.slow("reads 100 MB", seconds=1)
@pytest.mark.parametrize("begin", ['{"schema_version": "', "[", '{"a": "\\u0041'])
def test_a_line_of_100_megabytes_is_no_record(former: Path, begin: str) -> None:
    (former / record.NAME).write_bytes(begin.encode() + begin[-1:].encode() * (100 * 2**20))
    (former / record.DIGEST).unlink()
    with memory(at_most=500):
        assert "not a JSON file" in refusal(lambda: read(former))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(50) + b"PAR1", bytes(1000)])
def test_predictions_that_are_damaged_are_one_sentence(former: Path, content: bytes) -> None:
    (former / record.PREDICTIONS).write_bytes(content)
    assert "not the predictions of an audit" in refusal(lambda: read(former))
