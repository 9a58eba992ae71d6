"""Energy by phase, through the real tracker."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from audit.cache import Cache
from audit.energy import Meter, measure_inference
from audit.model import Model
from audit.progress import Progress
from audit.scorer import Scorer

from .conftest import CLASSES


def test_phases_are_booked_apart_and_never_twice() -> None:
    meter = Meter("DEU")
    with meter.phase("fine-tune") as outer:
        time.sleep(1.2)
        with meter.phase("score") as inner:
            time.sleep(0.2)
    with meter.phase("score"):
        time.sleep(1.2)
    assert inner is outer
    assert [phase.name for phase in meter.phases] == ["fine-tune", "score"]
    assert all(phase.kwh > 0 and phase.seconds > 1 for phase in meter.phases)
    record = meter.phases[0].record()
    assert record["kwh"] == pytest.approx(record["cpu_kwh"] + record["gpu_kwh"] + record["ram_kwh"])


def test_the_grid_of_the_country_sets_the_carbon() -> None:
    intensity = {}
    for country in ("POL", "FRA"):
        meter = Meter(country)
        with meter.phase("score"):
            time.sleep(1.2)
        intensity[country] = meter.phases[0].co2eq_kg / meter.phases[0].kwh
    assert intensity["POL"] > 3 * intensity["FRA"]


def test_a_phase_that_breaks_is_still_booked() -> None:
    meter = Meter("DEU")
    with pytest.raises(OSError, match="disk"), meter.phase("score"):
        raise OSError("disk")
    assert [phase.name for phase in meter.phases] == ["score"]
    with meter.phase("again"):
        pass
    assert [phase.name for phase in meter.phases] == ["score", "again"]


def test_each_figure_says_whether_it_was_measured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    meter = Meter("DEU")
    has_counter = any(Path("/sys/class/powercap").glob("intel-rapl:*/energy_uj"))
    if not has_counter:
        assert meter.source == "estimated"
    with meter.phase("score") as phase:
        pass
    assert phase.source == meter.source
    assert "codecarbon" not in capsys.readouterr().err


def test_inference_is_measured_in_blocks_and_not_again(untrained: Path, tmp_path: Path) -> None:
    cache, meter = Cache(tmp_path), Meter("DEU")
    scorer = Scorer(Model("test", untrained, CLASSES, 32), cache, meter, Progress())
    texts = [f"a review number {i}" for i in range(300)]
    made = measure_inference(scorer, texts, meter, cache)
    assert len(made["blocks"]) == 5
    assert all(block["texts"] > 0 and block["kwh"] > 0 for block in made["blocks"])
    passes = scorer.counts.forward_passes
    assert measure_inference(scorer, texts, meter, cache) == made
    assert scorer.counts.forward_passes == passes
    measure_inference(scorer, texts[:100], meter, cache)
    assert scorer.counts.forward_passes > passes
