"""The census of what somebody could hide in the model's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from audit import Gate, Verdict, judge
from audit.models.model import Model
from audit.probes.security.artifact import artifact
from tests.helpers import TWO, cells


def _model(folder: Path, pinned: bool = True) -> Model:
    (folder / "config.json").write_text("{}", "utf-8")
    save_file({"a": np.ones(2)}, folder / "model.safetensors")
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
    (table,) = found.tables
    assert table.columns == ["file", "problem", "why it matters"]
    assert all(len(row) == 3 and all(row) for row in table.rows)
    assert {row[0] for row in table.rows} == {"pytorch_model.bin", "modeling.py", "owner/name"}
    assert judge(found, Gate(max=2))[0] == Verdict.FAIL


def test_a_file_that_was_not_approved_counts(tmp_path: Path) -> None:
    model = _model(tmp_path)
    assert artifact(model, model.files).estimate == 0
    assert artifact(model, model.files | {"config.json": "0" * 64}).estimate == 1


def test_what_is_found_is_never_called_safe(tmp_path: Path) -> None:
    """The scanner is a list of what is dangerous; that it names nothing must not read like an acquittal."""
    (tmp_path / "state.pkl").write_bytes(b"\x80\x04N.")
    found = artifact(_model(tmp_path))
    (row,) = cells(found.tables[0])
    assert "proves nothing" in row[1]
    assert not any(" safe" in text or "harmless" in text for text in row)
    assert any("does not prove" in limit for limit in found.caveats)
