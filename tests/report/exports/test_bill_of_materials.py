"""The bill of materials: it fits CycloneDX's own schema, and says what the record says."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cyclonedx")

from audit.cli import main
from audit.core.figures import Grid
from audit.core.verdict import Finding, Verdict
from audit.probes.environment.environment import inference_energy
from audit.record.record import as_dict
from audit.report.exports import bill_of_materials as bom
from tests.helpers import is_one_sentence, recorded
from tests.probes.environment.test_environment import blocks
from tests.report.page.test_page import HOSTILE, finding, hostile_record, odds, phase, record

HASH = "ab" * 32


def made(*findings: Any, **more: Any) -> Any:
    value = record(*findings, **more)
    value["model"] |= {"fingerprint": f"sha256:{HASH}", "files": {"model.safetensors": "cd" * 32}}
    value["data"]["test"]["fingerprint"] = f"sha256:{'ef' * 32}"
    return bom.build(value)


def problems(value: dict[str, Any]) -> Any:
    """What the official schema says of it, read from the library's files by jsonschema itself."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.schema._res import BOM_JSON, CRYPTOGRAPHY_DEFS, JSF, SPDX_JSON
    from jsonschema import Draft7Validator
    from referencing import Registry
    from referencing.jsonschema import DRAFT7

    names = {"spdx": SPDX_JSON, "jsf-0.82": JSF, "cryptography-defs": CRYPTOGRAPHY_DEFS}
    registry: Any = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", DRAFT7.create_resource(_json(path)))
        for name, path in names.items()
    )
    return list(Draft7Validator(_json(BOM_JSON[SchemaVersion.V1_6]), registry=registry).iter_errors(value))


def _json(path: str) -> Any:
    return json.loads(Path(path).read_text("utf-8"))


def test_it_fits_the_schema_and_the_schema_would_notice() -> None:
    value = made(finding(), odds())
    assert not problems(value)
    assert (value["bomFormat"], value["specVersion"]) == ("CycloneDX", "1.6")
    broken = copy.deepcopy(value)
    broken["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["value"] = 0.8
    assert problems(broken)


def test_the_model_stands_there_with_hashes_data_and_versions() -> None:
    value = made(finding())
    model = value["metadata"]["component"]
    assert (model["type"], model["name"]) == ("machine-learning-model", "small-bert")
    assert model["hashes"] == [{"alg": "SHA-256", "content": HASH}]
    assert [(file["name"], file["hashes"][0]["content"]) for file in model["components"]] == [
        ("model.safetensors", "cd" * 32)
    ]
    (data,) = value["components"]
    assert (data["type"], data["name"]) == ("data", "test.csv")
    assert model["modelCard"]["modelParameters"]["datasets"] == [{"ref": data["bom-ref"]}]
    (tool,) = value["metadata"]["tools"]["components"]
    assert (tool["name"], tool["version"], tool["purl"]) == (
        "pytest-model-audit", "0.1.0", "pkg:pypi/pytest-model-audit@0.1.0"
    )  # fmt: skip
    assert {"name": "pytest-model-audit:verdict", "value": "pass"} in model["properties"]


def test_figures_fairness_and_limits_are_the_records() -> None:
    card = made(finding(details={"limits": ["Few examples"]}), odds(), verdict="fail")["metadata"]["component"][
        "modelCard"
    ]
    metrics = {metric["type"]: metric for metric in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert metrics["quality.accuracy"]["confidenceInterval"] == {"lowerBound": "0.78", "upperBound": "0.82"}
    assert metrics["fairness.equalized_odds"]["slice"] == "gender"
    considered = card["considerations"]
    (fairness,) = considered["fairnessAssessments"]
    assert fairness["groupAtRisk"] == "gender"
    assert "19 points (largest difference of rates), with 95 % confidence between 13 and 24 points" in fairness["harms"]
    assert "Few examples." in considered["technicalLimitations"]
    assert considered["ethicalConsiderations"][0]["name"].startswith(
        "Gap in how often groups are misread, by gender (equalized odds): 19\N{NO-BREAK SPACE}points"
    )


def test_a_full_count_has_no_interval() -> None:
    count = finding("security.artifact", challenge="security", estimate=0, low=0, high=0)
    (metric,) = made(count)["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert "confidenceInterval" not in metric


def test_energy_is_that_of_training_use_and_audit() -> None:
    grid: Grid = {"country": "DEU", "name": "Germany", "g_per_kwh": 381.0, "year": 2023}
    measured = inference_energy(blocks([4e-4] * 5, "measured"), grids=[grid])
    use = as_dict(Finding(measured.id, "environment", "Energy of 1,000 predictions", Verdict.REPORTED, "", measured))
    value = made(use, energy={"phases": [phase("fine-tune"), phase("score")], "grids": [grid]})
    assert not problems(value)
    spent = value["metadata"]["component"]["modelCard"]["considerations"]["environmentalConsiderations"]
    told = [
        (each["activity"], each["activityEnergyCost"]["value"], each["co2CostEquivalent"]["value"])
        for each in spent["energyConsumptions"]
    ]
    # kWh and tonnes: 0.05 g are 5e-8 t. 0.4 Wh for 200 texts are 0.002 kWh for 1,000, and at 381 g/kWh 7.62e-7 t. The
    # training stands there once.
    assert told == [
        ("fine-tuning", 0.00012, pytest.approx(5e-8)),
        ("inference", pytest.approx(0.002), pytest.approx(7.62e-7)),
        ("validation", 0.00012, pytest.approx(5e-8)),
    ]
    # As the finding itself says of the electricity alone.
    (terms,) = [table.rows for table in recorded(use).tables if "Carbon Intensity" in table.caption]
    assert terms[-1][1:3] == ["g CO2eq per 1,000 predictions", pytest.approx(0.762)]
    without = made(use)["metadata"]["component"]["modelCard"]["considerations"]["environmentalConsiderations"]
    assert "co2CostEquivalent" not in without["energyConsumptions"][1]


def test_a_base_model_of_the_hub_has_its_address() -> None:
    value = record(finding())
    value["model"]["training"] |= {"base": "google-bert/bert-base-uncased", "base_revision": "86b5e09"}
    bill: Any = bom.build(value)
    (base,) = [each for each in bill["components"] if each["type"] == "machine-learning-model"]
    assert base["purl"] == "pkg:huggingface/google-bert/bert-base-uncased@86b5e09"


def test_one_record_gives_one_bill() -> None:
    assert made(finding()) == made(finding())
    assert made(finding())["serialNumber"] != made(odds())["serialNumber"]


def test_a_hostile_record_fits_the_schema() -> None:
    bad = hostile_record()
    bad["data"][HOSTILE] = {"path": HOSTILE}
    assert not problems(bom.build(bad))


def test_an_audit_that_ended_early_fits_the_schema() -> None:
    value = record(verdict="incomplete", complete=False, model={}, data={"test": {}, "train": {}})
    assert not problems(bom.build(value))


def test_a_missing_library_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "audit.json").write_text(json.dumps(record(finding())), "utf-8")
    assert main(["bom", str(tmp_path), "-o", str(tmp_path / "m.json")]) == 0
    assert not problems(_json(str(tmp_path / "m.json")))
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    assert main(["bom", str(tmp_path), "-o", str(tmp_path / "n.json")]) == 4
    said = capsys.readouterr().err.strip()
    assert "pip install 'pytest-model-audit[bom]'" in said
    assert is_one_sentence(said)
    assert not (tmp_path / "n.json").exists()
