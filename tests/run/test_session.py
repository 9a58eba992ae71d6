"""What an audit in one process knows of itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.core.progress import Progress
from audit.run import session
from audit.run.options import Options
from audit.run.session import Session


@pytest.mark.slow("trains a model", seconds=2)
def test_references_trained_for_the_backdoor_search_are_told_once_when_they_come_from_the_cache(
    reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "audit.toml").write_text(
        f"""
        [model]
        source = "small-bert"
        max_length = 32
        labels = ["negative", "neutral", "positive"]
        [model.finetune]
        initialise = "scratch"
        epochs = 1
        [data]
        train = "{reviews}/train.csv"
        test = "{reviews}/test.csv"
        """,
        "utf-8",
    )

    def audited() -> Session:
        made = Session(Options(tmp_path, cache=tmp_path / "cache"), (), Progress())
        assert made.inputs.train_data is not None
        assert made.models.without_rows is not None
        nothing = np.zeros(len(made.inputs.train_data), dtype=bool)
        made.models.scorer(made.models.transformer)
        made.models.without_rows(np.arange(len(nothing)) < 20)
        made.models.without_rows(nothing)  # by the recipe on all rows: the audited model once more
        return made

    first = audited()
    assert first.ledger.cached_phases() == []
    monkeypatch.setattr(session, "timestamp", lambda: "2999-01-01T00:00:00Z")
    again = audited()
    trained = {phase.name: phase.kwh for phase in first.resources.meter.phases}
    assert set(trained) == {"fine-tune", "references"}
    assert {each["name"]: each["kwh"] for each in again.ledger.cached_phases()} == trained
    assert len(again.ledger.cached_phases()) == 2
    assert again.resources.meter.phases == []
