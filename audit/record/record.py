"""``audit.json``: the one lasting result, from which every report is made. Built, checked, written and read here."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import platform
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, TypedDict, TypeVar, cast

import numpy as np

from audit.core import evidence
from audit.core.cache import write_atomically
from audit.core.errors import AuditError
from audit.core.figures import CachedPhase, Figures, Grid
from audit.core.files import sha256
from audit.core.identifiers import base_id
from audit.core.measurement import Measurement, Sheet
from audit.core.records import (
    FindingRecord,
    GateRecord,
    ModelRecord,
    PolicyOriginRecord,
    Record,
    SealRecord,
    SplitRecord,
)
from audit.core.sentences import to_json
from audit.core.verdict import WORST_FIRST, Finding, Gate, Verdict, blocks, is_left_open
from audit.energy.meter import add, charged
from audit.record import contradictions, declarations, former, since
from audit.record.schema import NAME as SCHEMA
from audit.record.schema import schema
from audit.text.paths import check_regular
from audit.text.redaction import masked, message, withheld

if TYPE_CHECKING:
    from jsonschema.protocols import Validator
    from numpy.typing import NDArray

    from audit.inference.predictions import FormerPredictions, Predictions

NAME = "audit.json"
DIGEST = f"{NAME}.sha256"
REPORT = "report.html"
SUMMARY = "summary.md"
BADGE = "badge.svg"
TABLE = "findings.csv"
PREDICTIONS = "predictions.parquet"
_SCHEMA_VERSION = 2
_LARGEST = 256 * 2**20  # bytes; an audit's has one or two million
_CHANGED = "it was changed since an audit wrote it; take it from there"
RELABEL = "relabel.csv"
# Files that a probe may leave beside the record.
SHEETS = (RELABEL,)
_PACKAGES = (
    "pytest-model-audit", "torch", "transformers", "tokenizers", "accelerate", "datasets", "evaluate", "scikit-learn",
    "fairlearn", "scipy", "numpy", "pandas", "pyarrow", "safetensors", "codecarbon", "pytest",
)  # fmt: skip


_T = TypeVar("_T")
# The fields of a result that a finding holds where there is something in them: sentences, and words of ours.
_SENTENCES: tuple[
    Literal["summary", "undecided", "unbounded", "too_small", "caution", "remedy_effect"], ...
] = (
    "summary", "undecided", "unbounded", "too_small", "caution", "remedy_effect",
)  # fmt: skip
_WORDS: tuple[Literal["outcome", "source", "machine", "stated"], ...] = ("outcome", "source", "machine", "stated")


class Settled(TypedDict):
    """What is known of an audit when it begins."""

    policy: Mapping[str, object]
    policy_origin: NotRequired[PolicyOriginRecord]
    policy_file: str | None
    gated: Sequence[str]
    always_gated: Sequence[str]
    declarations: Sequence[Mapping[str, object]]


class Facts(Settled):
    """What one process knows of an audit besides its findings, as ``Ledger.facts`` gives it to the others."""

    baseline: NotRequired[since.Former | None]
    model: ModelRecord
    data: Mapping[str, SplitRecord]
    energy: Sequence[Figures]
    elsewhere: NotRequired[Sequence[Figures]]
    kept: Sequence[CachedPhase]
    grids: Sequence[Grid]
    scoring: Mapping[str, int]
    provenance: Mapping[str, object]


def as_dict(finding: Finding) -> FindingRecord:
    """A finding as plain JSON values; without its texts where no text from the data is to be shown.

    Those were masked where they were made. In all else, which a package of somebody else's may have written, what is
    surely personal data is masked here.
    """
    m = finding.measurement or Measurement(finding.id, None, None, None, 0, "", "", sample="")
    value: FindingRecord = {
        "id": finding.id,
        "challenge": finding.challenge,
        "title": finding.title,
        "verdict": str(finding.verdict),
        "estimate": m.estimate,
        "low": m.low,
        "high": m.high,
        "confidence": m.confidence,
        "n": int(m.n),
        "sample": _masked(str(m.sample)),
        "unit": m.unit,
        "gate": None if finding.gate is None else _gate(finding.gate),
        "waiver": finding.waiver,
        "method": _masked(to_json(m.method)),
        "reason": _masked(to_json(finding.reason)),
        "evidence": [
            _masked_beside_texts(each) if isinstance(each, evidence.Pairs) else _masked(evidence.to_json(each))
            for each in m.evidence
            if not (isinstance(each, evidence.Pairs) and withheld())
        ],
    }
    for name in _SENTENCES:
        if sentence := getattr(m, name):
            value[name] = _masked(to_json(sentence))
    if m.caveats:
        value["caveats"] = [_masked(to_json(caveat)) for caveat in m.caveats]
    if m.interval != "confidence":
        value["interval"] = m.interval
    for word in _WORDS:
        if text := getattr(m, word):
            value[word] = masked(text)
    if m.look != 1:
        value["look"] = m.look
    if m.stopped is not None:
        reason = _masked(to_json(m.stopped.reason))
        value["stopped"] = {"reason": reason, "examples": m.stopped.examples, "of": m.stopped.of}
    if m.clusters:
        value["clusters"] = m.clusters
    if m.design_effect is not None:
        value["design_effect"] = m.design_effect
    if finding.verdict is Verdict.INCONCLUSIVE or finding.alarm:
        value["tolerated"] = finding.tolerated
    if finding.alarm:
        value["alarm"] = True
    if finding.accepted is not None:
        value["accepted"] = finding.accepted
    if finding.unreached:
        value["unreached"] = True
    return _plain(value)


def _gate(gate: Gate) -> GateRecord:
    recorded = gate.record()
    if gate.reason:
        recorded["reason"] = masked(gate.reason)
    if gate.owner:
        recorded["owner"] = masked(gate.owner)
    return recorded


def _each(value: _T, change: Callable[[object], object]) -> _T:
    """A JSON value of the same form, each single value in it changed; tuples become lists."""
    changed: object = change(value)
    if isinstance(value, Mapping):
        changed = {str(key): _each(item, change) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        changed = [_each(item, change) for item in value]
    return cast("_T", changed)


def _masked_beside_texts(pairs: evidence.Pairs) -> dict[str, object]:
    """Texts were masked where they were made, a pair together; what stands beside them is masked here."""
    items = [
        {
            name: part if name in ("before", "after") else _masked(part)
            for name, part in cast("dict[str, object]", evidence.to_json(pair)).items()
        }
        for pair in pairs.items
    ]
    return {**_masked(evidence.to_json(replace(pairs, items=()))), "items": items}


def _masked(value: _T) -> _T:
    """A JSON value with what is surely personal data masked in its texts."""
    return _each(value, lambda each: masked(each) if isinstance(each, str) else each)


def _plain(value: _T) -> _T:
    """Numpy's scalars as Python's, tuples as lists, and no NaN, which JSON does not know."""
    return _each(value, _single)


def _single(value: object) -> object:
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        # Lone surrogates cannot be written as UTF-8.
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def build(
    findings: Sequence[FindingRecord],
    facts: Sequence[Facts],
    *,
    failed: bool,
    interrupted: bool,
    created: str,
    duration_s: float,
    reporting: Sequence[Figures] = (),
) -> Record:
    """The record of an audit.

    Parameters
    ----------
    findings : sequence of FindingRecord
        As :func:`as_dict` gives them.
    facts : sequence of Facts
        One for each process that took part.
    failed : bool
        Whether the exit status says that a test failed, one outside of the audit perhaps.
    interrupted : bool
        Whether the run, or one of its processes, was ended before its time.
    reporting : sequence of Figures
        Phases of what came after the processes' last facts.
    """
    first = facts[0]
    have = {finding["id"] for finding in findings}
    not_run = [full_id for full_id in dict.fromkeys((*first["gated"], *first["always_gated"])) if full_id not in have]
    complete = not (not_run or interrupted or any(map(is_left_open, findings)))
    # The gates that no policy has to set decide nothing by themselves.
    holds = "pass" if complete and first["gated"] else "incomplete"
    baseline = first.get("baseline")
    before = (*baseline["findings"], *baseline["gates"]) if baseline else ()
    origin = first.get("policy_origin")
    not_gated = [each["id"] for each in origin["gates"]] if origin else []
    shown = {base_id(full_id) for full_id in (*have, *not_run, *before, *not_gated)}
    declared = [each for each in first["declarations"] if each["id"] in shown]
    known = declarations.revived(declared)
    model, unread = ModelRecord(), SplitRecord()
    for fact in reversed(facts):  # not every process has had the model read texts
        model.update(fact["model"])
    value: Record = {
        "schema_version": _SCHEMA_VERSION,
        "verdict": "fail" if failed or any(map(blocks, findings)) else holds,
        "complete": complete,
        "interrupted": interrupted,
        "not_run": not_run,
        "created": created,
        "duration_s": round(duration_s, 3),
        "model": model,
        "data": {
            role: next((fact["data"][role] for fact in facts if fact["data"][role]), unread)
            for role in ("test", "train")
        },
        "policy": first["policy"],
        # The words of this audit: whoever makes a report later may have another version, or lack a package.
        "declarations": declared,
        "findings": sorted(findings, key=lambda f: (WORST_FIRST.index(f["verdict"]), f["challenge"], f["id"])),
        "energy": {
            "phases": add(
                [
                    *charged([*(fact["energy"] for fact in facts), reporting]),
                    *(phase for fact in facts for phase in fact.get("elsewhere", ())),
                ]
            ),
            "kept": distinct(each for fact in facts for each in fact["kept"]),
            "grids": first["grids"],
        },
        "scoring": {name: sum(fact["scoring"][name] for fact in facts) for name in first["scoring"]},
        "provenance": {**first["provenance"], "policy_file": first["policy_file"]},
    }
    if origin:
        value["policy_origin"] = origin
    if baseline:
        value["baseline"] = since.compare(baseline, findings, not_run, first["policy"], known)
    return _plain(value)


def distinct(kept: Iterable[CachedPhase]) -> list[CachedPhase]:
    """What was taken from the cache, each once, though several processes or several parts of one used it."""
    return list({(each["name"], each["created"], each["kwh"]): each for each in kept}.values())


@cache
def _validator(name: str) -> Validator:
    from jsonschema.validators import validator_for

    return validator_for(schema(name))(schema(name))


@cache
def _finding_validator() -> Validator:
    from jsonschema.validators import validator_for

    of_finding = {"$ref": "#/$defs/finding", "$defs": schema()["$defs"]}
    return cast("Validator", validator_for(schema())(of_finding))


# Parts of records that are known to fit the schema: a finding is held against it when its test ends, and stands in the
# record as it was; declarations are the same in each.
_PARTS = ("findings", "declarations")
_fitting: set[str] = set()


def _known_as(name: str, part: object) -> str:
    return digest(name + json.dumps(part, default=repr))  # what JSON has no form for does not fit


def check(finding: FindingRecord) -> None:
    """Hold one finding against the schema, while its test can still be told.

    Raises
    ------
    ValueError
        Says where it does not fit: what a probe returned is of another form than it should be.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_finding_validator().iter_errors(finding))
    if error is not None:
        where = "/".join(map(str, error.absolute_path))
        raise ValueError(f"{finding['id']}: {where} of its result: {message(error.message, 120)}")
    _fitting.add(_known_as("findings", finding))


def _validate(value: object, name: str = SCHEMA) -> None:
    """As :func:`jsonschema.validate`, which would hold our own schema against the schema of schemas each time."""
    from jsonschema.exceptions import best_match

    errors = _validator(name).iter_errors
    if name == SCHEMA and isinstance(value, dict):
        parts = {part: value[part] for part in _PARTS if isinstance(value.get(part), list)}
        unknown = {part: [e for e in each if _known_as(part, e) not in _fitting] for part, each in parts.items()}
        if next(errors({**value, **unknown}), None) is None:
            _fitting.update(_known_as(part, each) for part in unknown for each in unknown[part])
            return
    if (error := best_match(errors(value))) is not None:
        raise error


def write(out: Path, value: Record) -> Path:
    """Write a record into its folder, all of it or nothing.

    Raises
    ------
    jsonschema.ValidationError
        If it does not fit the schema: a defect of ours that must not reach a reader.
    """
    text = as_text(value)
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / NAME, text)
    return out / NAME


def as_text(value: Record) -> str:
    """What ``audit.json`` is to hold; raises as :func:`write` does."""
    _validate(value)
    return _json(value)


def _json(value: Record) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def digest(text: str) -> str:
    """The fingerprint of a record: the SHA-256 of its file."""
    return hashlib.sha256(text.encode()).hexdigest()


def checksum(text: str) -> str:
    """What stands in the file beside a record, as ``sha256sum -c`` reads it."""
    return f"{digest(text)}  {NAME}\n"


def read(path: Path, shown: Path | None = None) -> Record:
    """Read a record that somebody hands us; it is not trusted.

    Parameters
    ----------
    path : Path
    shown : Path, optional
        How the user calls it, where it lies elsewhere for now.

    Raises
    ------
    AuditError
        If the file is missing, is not a record, or is not the one whose hash stands in a file beside it.
    """
    return read_signed(path, shown)[0]


def read_signed(path: Path, shown: Path | None = None) -> tuple[Record, str]:
    """As :func:`read`, with the SHA-256 of the file."""
    import jsonschema

    source, path = path, shown or path
    try:
        check_regular(source, str(path))
        if source.stat().st_size > _LARGEST:
            raise AuditError(f"{path}: larger than any record of an audit is; give the audit.json of one.")
        content = source.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        _check_digest(source, path, found)
        value = json.loads(content.decode("utf-8"))
        _check_newer(path, value)
        read = _checked(value)
    except OSError as error:
        raise AuditError(f"{path}: the record cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise AuditError(f"{path}: not a JSON file; expected the audit.json of an audit.") from None
    except jsonschema.ValidationError as error:
        where = "/".join(map(str, error.absolute_path)) or "the whole"
        said = f"{where}: {message(error.message, 120)}"
        raise AuditError(f"{path}: not a record of schema version {_version(value)} ({said}).") from None
    if contradiction := contradictions.within(read):
        raise AuditError(f"{path}: {contradiction}; {_CHANGED}.")
    return read, found


def _check_digest(source: Path, path: Path, found: str) -> None:
    """Hold a record's hash against the one that stands beside it, where one does."""
    beside = source.with_name(f"{source.name}.sha256")
    check_regular(beside, str(beside))
    if not beside.is_file():
        return
    with beside.open("rb") as file:
        stated = file.read(64).decode("ascii", "replace").lower()
    if stated != found:
        raise AuditError(
            f"{path}: not the record that {path.name}.sha256 beside it was written for, so one of the two was changed "
            "since; take both from where the audit wrote them, or remove the second to use the first as it is."
        )


def _check_newer(path: Path, value: object) -> None:
    """Say of a record of a later version that it is one."""
    number = value.get("schema_version") if isinstance(value, dict) else None
    if isinstance(number, int) and number > _SCHEMA_VERSION:
        raise AuditError(
            f"{path}: a record of schema version {number}, and this version of pytest-model-audit reads those up to "
            f"{_SCHEMA_VERSION}; install the version that wrote it, or give a former audit of this one."
        )


def _version(value: object) -> int:
    """Of which schema a JSON value has to be: of this version's, unless it says that it is of the former one."""
    return 1 if isinstance(value, dict) and value.get("schema_version") == 1 else _SCHEMA_VERSION


def _checked(value: object) -> Record:
    """A JSON value as a record of this version; one of schema 1 is lifted, once it fits that."""
    if _version(value) == 1:
        _validate(value, former.SCHEMA)
        value = former.lifted(cast("dict[str, object]", value))
    _validate(value)
    # The schema says that it is one.
    return cast("Record", value)


def mark_incomplete(folder: Path, out: Path) -> tuple[Record, str] | None:
    """Write the record of one folder into another without its verdict.

    Returns
    -------
    tuple of (Record, str), or None
        What was written, and the SHA-256 of its file; None where there is no record.
    """
    if not (folder / NAME).is_file():
        return None
    try:
        value = json.loads((folder / NAME).read_text("utf-8"))
        value |= {"verdict": "incomplete", "complete": False, "restarted": True}
        # Before it is checked, which imports a lot: killed in that time, the folder shall have its record.
        text = _json(value)
        write_atomically(out / NAME, text)
        write_atomically(out / DIGEST, checksum(text))
    except (ValueError, TypeError, RecursionError):
        return None
    from jsonschema import ValidationError

    try:
        return _checked(value), digest(text)
    except ValidationError:
        for name in (NAME, DIGEST):
            (out / name).unlink()
        return None


def write_predictions(out: Path, predictions: Predictions) -> None:
    """Write what the model said of each test example: no text, but its fingerprint."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    examples = predictions.known
    columns: dict[str, Sequence[object] | NDArray[np.generic]] = dict(
        zip(("text_sha256", "label", "occurrence"), zip(*examples.keys, strict=True), strict=True)
    )
    columns |= {f"p({name})": predictions.rows[:, i] for i, name in enumerate(predictions.classes)}
    columns |= {f"subgroup:{name}": list(column) for name, column in examples.subgroups.items()}
    out.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=out, prefix=f".{PREDICTIONS}.")
    os.close(handle)
    try:
        pq.write_table(pa.table(columns), temporary)
        os.replace(temporary, out / PREDICTIONS)
    finally:
        Path(temporary).unlink(missing_ok=True)


def write_sheet(out: Path, sheet: Sheet) -> None:
    """Write a probe's sheet as CSV, in which no spreadsheet finds a formula.

    Raises
    ------
    ValueError
        If the sheet has none of the names that an audit gives to files.
    """
    if sheet.name not in SHEETS:
        raise ValueError(f"a sheet called '{sheet.name}'; expected one of: {', '.join(SHEETS)}")
    out.mkdir(parents=True, exist_ok=True)
    content = io.StringIO(newline="")
    writer = csv.writer(content)
    writer.writerows([[inert(cell) for cell in row] for row in (sheet.columns, *sheet.rows)])
    write_atomically(out / sheet.name, content.getvalue())


def inert(cell: evidence.Cell) -> evidence.Cell:
    """A cell that a spreadsheet takes for text, if it is one.

    Source: OWASP, "CSV Injection": what begins with one of these signs may run as a formula.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.encode("utf-8", "replace").decode("utf-8")
    return f"'{text}" if text.lstrip()[:1] in {"=", "+", "-", "@"} or text[:1] in {"\t", "\r", "\n"} else text


def seal(out: Path, value: Record) -> SealRecord | None:
    """What tells the predictions of a record from those of another audit; None where this audit made none."""
    path = out / PREDICTIONS
    if not path.is_file():
        return None
    return {"sha256": sha256(path), "fingerprint": value["model"].get("fingerprint")}


def read_predictions(path: Path, value: Record, shown: Path | None = None) -> FormerPredictions | None:
    """What a former audit's model answered; None where it was not kept.

    Parameters
    ----------
    path : Path
        The file, which is not trusted.
    value : Record
        The record that it stands beside.
    shown : Path, optional
        How the user calls the file, where it lies elsewhere for now.

    Raises
    ------
    AuditError
        If the file is there but is not one of ours, or not the one that the record speaks of.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from audit.inference.predictions import FormerPredictions

    source, path = path, shown or path
    check_regular(source, str(path))
    if not source.is_file():
        return None
    try:
        content = source.read_bytes()
        table = pq.read_table(io.BytesIO(content))
        names = [name for name in table.column_names if name.startswith("p(") and name.endswith(")")]
        chances = np.column_stack([table[name].to_numpy().astype(float) for name in names])
        if not np.isfinite(chances).all():
            raise ValueError("a probability is no number")
        rows = zip(*(table[name].to_pylist() for name in ("text_sha256", "label", "occurrence")), strict=True)
        keys = tuple((str(text), str(label), int(n)) for text, label, n in rows)
        answered = FormerPredictions(
            keys, chances, tuple(name[2:-1] for name in names), value["model"].get("fingerprint")
        )
        answers = answered.answers
    except (pa.ArrowException, KeyError, ValueError, TypeError, OSError) as error:
        why = "it is damaged" if isinstance(error, pa.ArrowException | OSError) else message(error, 150)
        raise AuditError(f"{path}: not the predictions of an audit ({why}).") from None
    if not _belong(value, content, answers):
        raise AuditError(
            f"{path}: not the predictions that {NAME} beside it speaks of; give a folder as one audit left it, or "
            "remove this file to compare the figures alone."
        )
    if contradiction := contradictions.with_answers(value, answers):
        raise AuditError(
            f"{path}: not the predictions that {NAME} beside it speaks of, or that was changed ({contradiction}); give "
            "a folder as one audit left it, or remove this file to compare the figures alone."
        )
    return answered


def _belong(value: Record, content: bytes, answers: Mapping[tuple[str, str, int], str]) -> bool:
    """Whether predictions are those of a record: by its seal, and by the number of examples.

    Records of former versions have no seal. Theirs must state the accuracy of just these rows; under a seal, a test of
    the user's own may have measured it on other ones.
    """
    is_sealed = "predictions" in value
    if is_sealed:
        sealed = value["predictions"]
        fingerprint = value["model"].get("fingerprint")
        if sealed != {"sha256": hashlib.sha256(content).hexdigest(), "fingerprint": fingerprint}:
            return False
    stated = [each["n"] for each in value["findings"] if each["id"] == "quality.accuracy" and each["n"]]
    return is_sealed or all(n == len(answers) for n in stated)


@cache
def versions() -> dict[str, str]:
    """Versions of the software that a result depends on."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
