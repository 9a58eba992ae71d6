"""The threat model names tests that exist, and the lock file all packages that are pinned."""

from __future__ import annotations

import json
import re

from packaging.utils import canonicalize_name

from tests.helpers import ROOT
from tools import sbom

NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = NAMED.findall((ROOT / "docs" / "threat-model.md").read_text("utf-8"))
    assert len(named) > 30
    for file, name in named:
        assert (ROOT / file).is_file(), file
        assert not name or f"\ndef {name}(" in (ROOT / file).read_text("utf-8"), f"{file}::{name}"


def test_every_row_of_the_threat_model_names_a_test() -> None:
    rows = [
        line for line in (ROOT / "docs" / "threat-model.md").read_text("utf-8").splitlines() if line.startswith("| ")
    ]
    assert all(NAMED.search(row) for row in rows[2:])


PIN = re.compile(r"^([\w.-]+)==([^\s+]+)", re.MULTILINE)


def test_every_pinned_package_is_locked_with_hashes() -> None:
    pinned = dict(PIN.findall((ROOT / "constraints.txt").read_text("utf-8")))
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    lines = [line for line in lock.splitlines() if line and not line.startswith(("#", "--"))]
    assert all(re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    locked = {canonicalize_name(name): version for name, version in PIN.findall("\n".join(lines))}
    assert locked == {canonicalize_name(name): version for name, version in pinned.items()}


def test_the_bill_of_materials_of_the_project_fits_its_schema_and_names_each_locked_package() -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    bill = sbom.build()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    value = json.loads(bill)
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert len(value["components"]) == lock.count("--hash=")
    assert all(each["hashes"] for each in value["components"])
    (asked,) = [each["dependsOn"] for each in value["dependencies"] if each["ref"].startswith("pytest-model-audit")]
    assert any(name.startswith("torch==") for name in asked)
