"""The model card: what huggingface_hub reads back, what is left alone, and that texts of a record stay texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from audit.cli import main
from audit.core.errors import AuditError
from audit.models import model_card
from audit.report.exports import model_card as card
from audit.report.page import text
from tests.helpers import is_one_sentence
from tests.report.page.test_page import finding, hostile_record, odds, record
from tests.report.test_summary import tags

MINE = """---
# a comment of mine
license: mit
model-index:
- name: my-model
  results:
  - task: {type: text-classification}
    dataset: {name: Other, type: owner/other}
    metrics:
    - {type: accuracy, value: 0.5}
# the next comment
tags: [a,   b]
---

# My model

Words of mine.
"""


def loaded(written: str, tmp_path: Path) -> ModelCard:
    path = tmp_path / "card.md"
    path.write_bytes(written.encode())
    return ModelCard.load(path)


def body(written: str) -> str:
    return written[written.index(model_card.BEGIN) : written.index(model_card.END)]


def test_what_is_written_is_read_back_equal(tmp_path: Path) -> None:
    clustered: dict[str, Any] = {"clusters": 412, "design_effect": 1.4}
    value = record(
        finding(**clustered), finding("quality.macro_f1", estimate=0.79, low=0.77, high=0.81, title="Macro F1"), odds()
    )
    found = loaded(card.write(value, None, "README.md"), tmp_path)
    assert found.data.eval_results == card.eval_results(text.shown(value))
    first = found.data.eval_results[0]
    assert (first.metric_type, first.metric_value, first.dataset_name) == ("accuracy", 0.8, "test.csv")
    assert {"low": 0.78, "high": 0.82, "confidence": 0.95, "n": 1821, **clustered}.items() <= first.metric_args.items()
    assert "clusters" not in found.data.eval_results[1].metric_args
    assert found.data.model_name == "small-bert"
    carbon = found.data.to_dict()["co2_eq_emissions"]
    # The Hub counts grams, the record kilograms.
    assert carbon["emissions"] == pytest.approx(0.05)
    assert carbon["source"] == "CodeCarbon, estimated"
    found.save(tmp_path / "again.md")
    again = ModelCard.load(tmp_path / "again.md")
    assert again.data.to_dict() == found.data.to_dict()
    assert again.text == found.text


def test_the_section_says_what_was_found() -> None:
    said = body(card.write(record(finding(), odds(details={"limits": ["Few examples"]}), verdict="fail"), None, "x"))
    assert "**✕ Blocked: 1 of 2 gates fails.**" in said
    title = "Gap in how often groups are misread, by gender (equalized odds)"
    assert f"| {title} | 19 points &#91;13, 24&#93; | at most 10 points | ✕ Fail |" in said
    assert "0.00012 kWh, which is 0.050 g CO₂eq" in said
    assert "- Few examples." in said


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_card_that_exists_is_left_alone(tmp_path: Path, line_end: str) -> None:
    before = MINE.replace("\n", line_end)
    after = card.write(record(finding()), before, "README.md")
    for kept in ("# a comment of mine", "license: mit", "# the next comment", "tags: [a,   b]"):
        assert f"{line_end}{kept}{line_end}" in after
    assert f"{line_end}# My model{line_end}{line_end}Words of mine.{line_end}" in after
    assert after.count("\r\n") in (0, after.count("\n"))
    found = loaded(after, tmp_path)
    assert found.data.model_name == "my-model"
    assert [(r.dataset_type, r.metric_value) for r in found.data.eval_results] == [
        ("owner/other", 0.5),
        ("test.csv", 0.8),
    ]


def test_a_second_audit_replaces_the_first() -> None:
    once = card.write(record(finding()), MINE + "\nThe end.\n", "README.md")
    assert card.write(record(finding()), once, "README.md") == once
    moved = once.replace("\nThe end.\n", "") + "\nBehind it.\n"
    other = card.write(record(finding(estimate=0.7), verdict="fail"), moved, "README.md")
    assert other.endswith(f"{model_card.END}\n\nBehind it.\n")
    assert "value: 0.8\n" not in other
    assert "All limits hold" not in other


def test_without_metadata_it_is_put_before(tmp_path: Path) -> None:
    after = card.write(record(finding()), "# Mine\n", "README.md")
    assert "---\n\n# Mine\n\n<!-- " in after
    assert loaded(after, tmp_path).data.eval_results[0].metric_value == 0.8


def test_emissions_of_the_users_own_stay_where_the_audit_knows_none() -> None:
    value = record(finding())
    value["model"]["training"] = None
    after = card.write(value, "---\nco2_eq_emissions: 12\n---\nx\n", "README.md")
    assert yaml.safe_load(after.split("---")[1])["co2_eq_emissions"] == 12


@pytest.mark.parametrize(
    ("existing", "says"),
    [
        ("---\n[\n---\n", "metadata"),
        ("---\njust words\n---\n", "metadata"),
        ("---\nmodel-index: 7\n---\n", "metadata"),
        ("---\nmodel-index:\n- {name: a, results: []}\n- {name: b, results: []}\n---\n", "more than one model"),
        ("---\n{license: mit, model-index: []}\n---\n", "cannot be replaced"),
        (f"{model_card.BEGIN}\n", "markers"),
        (f"{model_card.END}{model_card.BEGIN}", "markers"),
        (f"{model_card.BEGIN}{model_card.END}" * 2, "markers"),
    ],
)
def test_a_card_that_cannot_be_mended_is_refused(existing: str, says: str) -> None:
    with pytest.raises(AuditError, match=says) as error:
        card.write(record(finding()), existing, "README.md")
    assert is_one_sentence(str(error.value))


def test_paths_of_a_disk_are_not_published() -> None:
    value = record(finding())
    value["model"]["source"] = "/home/somebody/secret/my-bert/"
    value["data"]["test"]["path"] = "C:\\Users\\somebody\\reviews.csv"
    written = card.write(value, None, "README.md")
    assert "somebody" not in written
    assert "name: my-bert" in written
    assert "reviews.csv" in written
    value["model"]["source"] = "owner/my-bert"
    assert "name: owner/my-bert" in card.write(value, None, "README.md")


def test_a_hostile_record_is_harmless(tmp_path: Path) -> None:
    bad = hostile_record()
    bad["findings"].append(finding())
    bad["model"]["source"] = f"x\n---\nlicense: stolen\n{model_card.END}<script>"
    written = card.write(bad, MINE, "README.md")
    assert written.count(model_card.BEGIN) == written.count(model_card.END) == 1
    assert not {tag for tag in tags(body(written)) if "script" in tag or tag in ("a", "img")}
    data = loaded(written, tmp_path).data.to_dict()
    assert data["license"] == "mit"
    assert set(data) <= {"license", "model-index", "tags", "co2_eq_emissions"}
    assert loaded(card.write(bad, None, "x"), tmp_path).data.to_dict().get("license") is None


def test_the_command_writes_into_a_models_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "audit.json").write_text(json.dumps(record(finding())), "utf-8")
    (tmp_path / "model").mkdir()
    written: Any = tmp_path / "model" / "README.md"
    assert main(["card", str(tmp_path), "-o", str(tmp_path / "model")]) == 0
    assert model_card.BEGIN in written.read_text("utf-8")
    written.write_bytes(b"\xff\xfe")
    assert main(["card", str(tmp_path), "-o", str(written)]) == 4
    assert is_one_sentence(capsys.readouterr().err.strip())
