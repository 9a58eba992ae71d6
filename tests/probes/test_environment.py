"""Energy figures: units, the interval over blocks, and the widening where the power was only estimated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from audit import Gate, NotAssessed, Verdict, judge
from audit.probes import environment
from audit.statistics import Interval


def _training(kwh: float, source: str) -> dict[str, object]:
    energy = {
        "kwh": kwh,
        "co2eq_kg": 0.01,
        "seconds": 60.0,
        "source": source,
        "cpu_kwh": kwh / 2,
        "gpu_kwh": 0.0,
        "ram_kwh": kwh / 2,
    }
    return {"energy": energy, "created": "2026-01-01T00:00:00Z", "device": "cpu"}


def _blocks(kwh: list[float], source: str, texts: int = 200) -> dict[str, object]:
    blocks = [{"texts": texts, "kwh": value, "co2eq_kg": value * 0.4, "seconds": 2.0} for value in kwh]
    return {"blocks": blocks, "source": source, "machine": "a CPU", "created": "2026-01-01T00:00:00Z"}


def test_estimated_power_is_off_by_up_to_forty_percent_of_the_true_value() -> None:
    # A true value of 10 is estimated as 6 at least and 14 at most: these estimates must not exclude it.
    for estimate in (6.0, 14.0):
        found = environment.widen(Interval(estimate, estimate, estimate), "estimated")
        assert found.estimate == estimate
        assert found.low <= 10 + 1e-12
        assert found.high >= 10 - 1e-12
    assert environment.widen(Interval(7.0, 6.0, 8.4), "estimated") == pytest.approx((7, 6 / 1.4, 8.4 / 0.6))
    assert environment.widen(Interval(1.0, -1.0, 3.0), "estimated").low == 0


def test_measured_power_is_taken_as_it_is() -> None:
    assert environment.widen(Interval(7.0, 6.0, 8.0), "measured") == (7, 6, 8)


def test_measured_training_is_a_census() -> None:
    found = environment.training_energy(_training(0.02, "measured"))
    assert (found.low, found.estimate, found.high, found.unit) == (0.02, 0.02, 0.02, "kWh")
    assert judge(found, Gate(max=0.02))[0] == Verdict.PASS
    assert "40 %" not in found.method


def test_estimated_training_is_an_interval() -> None:
    found = environment.training_energy(_training(0.02, "estimated"))
    assert (found.low, found.estimate, found.high) == pytest.approx((0.02 / 1.4, 0.02, 0.02 / 0.6))
    assert "40 %" in found.method
    gates = {0.01: Verdict.FAIL, 0.03: Verdict.INCONCLUSIVE, 0.04: Verdict.PASS}
    assert {gate: judge(found, Gate(max=gate))[0] for gate in gates} == gates


def test_training_elsewhere_is_not_assessed() -> None:
    with pytest.raises(NotAssessed, match=r"\[model\.finetune\]"):
        environment.training_energy(None)


def test_inference_is_given_for_a_thousand_predictions() -> None:
    # One block of 200 texts at 0.0001 kWh is 0.1 Wh, so a thousand are 0.5 Wh and at 0.4 kg/kWh 0.2 g.
    found = environment.inference_energy(_blocks([1e-4] * 5, "measured"))
    assert (found.low, found.estimate, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert found.details["g CO2eq per 1,000 predictions"] == pytest.approx(0.2)
    assert found.details["texts per second"] == pytest.approx(100)
    assert (found.n, found.sample, found.unit) == (5, "blocks", "Wh per 1,000 predictions")


@pytest.mark.parametrize(("source", "down", "up"), [("measured", 1.0, 1.0), ("estimated", 1.4, 0.6)])
def test_inference_has_the_interval_of_its_blocks(source: str, down: float, up: float) -> None:
    kwh = [1.0e-4, 1.2e-4, 0.9e-4, 1.1e-4, 1.05e-4]
    found = environment.inference_energy(_blocks(kwh, source))
    per_thousand = np.array(kwh) * 1000 * 1000 / 200
    low, high = t.interval(0.95, 4, per_thousand.mean(), per_thousand.std(ddof=1) / np.sqrt(5))
    assert found.estimate == pytest.approx(per_thousand.mean())
    assert (found.low, found.high) == pytest.approx((low / down, high / up))


@pytest.mark.parametrize("source", ["measured", "estimated"])
def test_energy_is_never_negative(source: str) -> None:
    found = environment.inference_energy(_blocks([1e-6, 9e-4], source))
    assert found.low == 0
