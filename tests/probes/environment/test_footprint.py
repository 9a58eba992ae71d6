"""Time until an answer, and size on disk: figures by counting, the interval by simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audit.core.errors import NotAssessed
from audit.inference.latency import SingleTimes
from audit.probes.environment.footprint import latency, size


def times(seconds: list[float]) -> SingleTimes:
    return {"seconds": seconds, "clock": "processor", "machine": "this one", "created": "2026-11-30"}


def test_nineteen_of_twenty_answers_come_sooner() -> None:
    found = latency(times([i / 1000 for i in range(1, 201)]))
    assert found.estimate == pytest.approx(np.quantile(np.arange(1, 201), 0.95), abs=1)
    assert found.low < found.estimate < found.high  # type: ignore[operator]
    assert found.facts["median, ms"] == pytest.approx(100, abs=1)
    assert found.facts["slowest, ms"] == 200
    assert found.machine == "this one"


def test_its_ends_err_as_seldom_as_they_say() -> None:
    rng = np.random.default_rng(3)
    truth = float(np.exp(1.6448536))  # the 95th percentile of a lognormal time
    found = [latency(times((rng.lognormal(size=200) / 1000).tolist())) for _ in range(500)]
    assert np.mean([each.low > truth for each in found]) <= 0.04  # type: ignore[operator]
    assert np.mean([each.high < truth for each in found]) <= 0.04  # type: ignore[operator]


def test_the_size_is_that_of_all_files(tmp_path: Path) -> None:
    paths = {}
    for name, content in (("model.onnx", 1_500_000), ("tokenizer.json", 500_000)):
        paths[name] = tmp_path / name
        paths[name].write_bytes(bytes(content))
    found = size(paths)
    assert (found.estimate, found.low, found.high, found.n) == (2.0, 2.0, 2.0, 2)
    assert found.tables[0].rows[0] == ["model.onnx", 1.5]
    with pytest.raises(NotAssessed, match="no files of the model are known"):
        size({})
