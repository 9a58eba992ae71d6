"""The census of what somebody could hide in the model's files."""

from __future__ import annotations

from pathlib import Path

from audit import Gate, Verdict, judge
from audit.model import Model
from audit.probes.artifact import artifact
from tests.helpers import TWO


def _model(folder: Path, pinned: bool = True) -> Model:
    (folder / "config.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(b"")
    return Model("owner/name", folder, TWO, 32, pinned=pinned)


def test_a_clean_model_has_no_problem(tmp_path: Path) -> None:
    found = artifact(_model(tmp_path))
    assert (found.low, found.estimate, found.high, found.n) == (0, 0, 0, 2)
    assert judge(found, Gate(max=0))[0] == Verdict.PASS


def test_each_unsafe_file_and_a_missing_pin_count(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    (tmp_path / "modeling.py").write_text("", "utf-8")
    found = artifact(_model(tmp_path, pinned=False))
    assert (found.low, found.estimate, found.high) == (3, 3, 3)
    (table,) = found.details["tables"]
    assert {row[0] for row in table["rows"]} == {"pytorch_model.bin", "modeling.py", "owner/name"}
    assert judge(found, Gate(max=2))[0] == Verdict.FAIL
