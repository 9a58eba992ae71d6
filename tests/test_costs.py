"""What `benchmarks.speed.costs` reckons from a part of an audit is what the whole took, and its tables add up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import demo
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.energy.meter import Meter
from audit.models.model import Model
from benchmarks.speed import costs
from benchmarks.speed.part import PartScorer, scaled
from tests.conftest import CLASSES

EVERY = 10
TEXTS = [str(row["text"]) for row in demo.reviews("test", rows=64)]


def phase(name: str, seconds: float, started: float = 0.0) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "kwh": seconds / 1000, "started": started}


def measured(name: str, passes: int, *phases: dict[str, Any], gate: float | None = None) -> dict[str, Any]:
    finding = {"id": f"quality.{name}", "gate": gate and {"min": gate}, "verdict": "pass" if gate else "reported"}
    processor_s = sum(each["seconds"] for each in phases) / 2
    test = f"suites/test_quality.py::test_{name}"
    return {"test": test, "passes": passes, "processor_s": processor_s, "phases": list(phases), "findings": [finding]}


def training(steps: int, seconds: float, started: float) -> dict[str, Any]:
    energy, recipe = phase("fine-tune", seconds, started), {"train": "all"}
    return {"energy": energy, "steps": steps, "examples": steps, "base": "b", "base_files": {"a": ""}, "recipe": recipe}


def audit(tests: list[dict[str, Any]], trained: list[dict[str, Any]], every: int = 1) -> dict[str, Any]:
    seconds = 5 + sum(each["seconds"] for test in tests for each in test["phases"])
    return {
        "tests": tests, "trainings": trained, "every": every, "seconds": seconds,
        "processor_s": 2 + sum(each["processor_s"] for each in tests),
    }  # fmt: skip


# The whole: 0.01 s a pass, 0.5 s a step; what runs for a fixed time made 400 passes in it.
FINE_TUNE = phase("fine-tune", 100, 1.0)
WHOLE = audit(
    [
        measured("accuracy", 1000, FINE_TUNE, phase("score", 10), phase("probes", 2), gate=0.8),
        measured("energy", 400, phase("measure inference", 20)),
        measured("attack", 3000, phase("score", 30), phase("probes", 1)),
    ],
    [training(200, 100, 1.0)],
)


def a_part(slower: float) -> dict[str, Any]:
    """Of the same audit with a network that is so much slower, and of which the attack asks half as much."""
    return audit(
        [
            measured(
                "accuracy", 1000, phase("fine-tune", slower * 10, 7.0), phase("score", slower), phase("probes", 2)
            ),
            measured("energy", 400, phase("measure inference", 20)),
            measured("attack", 1500, phase("score", slower * 1.5), phase("probes", 1)),
        ],
        [training(20, slower * 10, 7.0)],
        EVERY,
    )


@pytest.mark.parametrize("slower", [1.0, 8.0])
def test_a_part_scaled_up_takes_what_the_whole_takes(slower: float) -> None:
    reckoned = scaled(WHOLE, a_part(slower))
    for test, whole in zip(reckoned["tests"], WHOLE["tests"], strict=True):
        fixed = sum(each["seconds"] for each in whole["phases"] if each["name"] in ("probes", "measure inference"))
        network = sum(each["seconds"] for each in whole["phases"]) - fixed
        assert sum(each["seconds"] for each in test["phases"]) == pytest.approx(fixed + slower * network)
        assert test["passes"] == whole["passes"]
        assert sum(each["kwh"] for each in test["phases"]) == pytest.approx((fixed + slower * network) / 1000)
    assert reckoned["seconds"] == pytest.approx(5 + 23 + slower * 140)
    assert reckoned["processor_s"] == pytest.approx(2 + (23 + slower * 140) / 2)
    (trained,) = reckoned["trainings"]
    assert (trained["steps"], trained["energy"]["seconds"]) == (200, pytest.approx(slower * 100))


def test_the_tables_add_up_and_tell_what_no_gate_asks_for() -> None:
    def rows(table: str) -> list[list[str]]:
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]

    quality, other, everything = rows(costs.by_challenge(WHOLE))
    # Half of the clock's seconds are the processor's; 112, 31 and 20 of the clock, of which 100 are the training.
    assert quality == ["quality", "3", "82", "50", "4,400", "163", "0.1630", "1", "26"]
    assert (other[2], other[5]) == ("2", "5")
    assert everything == ["**all**", "3", "84", "50", "4,400", "168", "0.1630", "1", "26"]
    assert [(row[0], row[5], row[-1]) for row in rows(costs.by_test(WHOLE))] == [
        ("`test_accuracy`", "112", "`quality.accuracy`"),
        ("`test_attack`", "31", "no gate"),
        ("`test_energy`", "20", "no gate"),
    ]
    assert rows(costs.by_training(WHOLE)) == [["fine-tune: b", "200", "200", "50", "100", "0.1000", "`test_accuracy`"]]


def test_of_what_a_probe_asks_a_part_is_computed(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PartScorer, "every", EVERY)
    model = Model("test", untrained, CLASSES, 32, "cpu")
    scorer, computed = PartScorer(model, Cache(tmp_path), Meter("DEU"), Progress()), []
    network = scorer.local.rows

    def counted(what: str, pieces: Any, bar: Any) -> Any:
        computed.append(network(what, pieces, bar))
        return computed[-1]

    monkeypatch.setattr(scorer.local, "rows", counted)
    answers = [scorer.predict(TEXTS[start:stop]).probabilities for start, stop in ((0, 40), (40, 43), (43, 64))]
    asked = len(dict.fromkeys(TEXTS))  # a few at a time or many
    assert scorer.counts.forward_passes == asked
    assert sum(map(len, computed)) == -(-asked // EVERY)
    known = {row.tobytes() for rows in computed for row in rows}
    assert {row.tobytes() for rows in answers for row in rows} == known
    before = scorer.counts.forward_passes
    together = scorer.predict_together([[text, "one"] for text in TEXTS])
    assert [each.shape for each in together] == [(2, len(CLASSES))] * len(TEXTS)
    assert scorer.counts.forward_passes - before == 2 * EVERY * -(-len(TEXTS) // EVERY)
    explained = scorer.attributions(TEXTS[:20], np.zeros(20, dtype=np.int64))
    assert [len(set(each.scores)) > 1 for each in explained] == [i % EVERY == 0 for i in range(20)]
