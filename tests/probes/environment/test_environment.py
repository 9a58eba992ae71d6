"""Energy figures: units, the interval over blocks, the widening of what was estimated, and what a year amounts to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from audit import Gate, NotAssessed, Verdict, judge
from audit.core.figures import CachedPhase, Figures, Grid, Spent
from audit.energy.meter import grids
from audit.probes.environment import environment
from audit.statistics import Interval

GERMANY: Grid = {"country": "DEU", "name": "Germany", "g_per_kwh": 400.0, "year": 2023}
FRANCE: Grid = {"country": "FRA", "name": "France", "g_per_kwh": 50.0, "year": 2023}


def figures(kwh: float, source: str, *, ram: float = 0.0, gpu: float = 0.0, seconds: float = 2.0) -> Figures:
    """A phase; shares of memory and graphics card, the rest is the processor's."""
    return {
        "name": "x", "kwh": kwh, "co2eq_kg": kwh * 0.4, "seconds": seconds, "source": source,
        "cpu_kwh": kwh * (1 - ram - gpu), "gpu_kwh": kwh * gpu, "ram_kwh": kwh * ram,
    }  # fmt: skip


def training(kwh: float, source: str, **more: float) -> Any:
    return {"energy": figures(kwh, source, **more), "created": "2026-01-01T00:00:00Z", "device": "cpu"}


def blocks(kwh: list[float], source: str, texts: int = 200, **more: float) -> Any:
    own = [{"texts": texts, "tokens": 10 * texts, **figures(value, source, **more)} for value in kwh]
    told = {"source": source, "machine": "a CPU", "nominal_w": 85.0, "created": "2026-01-01T00:00:00Z"}
    return {"blocks": own, "idle": figures(kwh[0] / 4, source, seconds=1.0), **told}


def spent(*phases: Figures, kept: tuple[CachedPhase, ...] = (), processes: int = 1) -> Spent:
    return {"phases": phases, "elsewhere": False, "kept": kept, "processes": processes}


def rows(found: Any, caption: str) -> dict[str, list[Any]]:
    (table,) = [table for table in found.tables if table.caption.startswith(caption)]
    return {row[0]: row[1:] for row in table.rows}


def test_estimated_power_is_off_by_up_to_forty_percent_of_the_true_value() -> None:
    # A true value of 10 is estimated as 6 at least and 14 at most: these estimates must not exclude it.
    for estimate in (6.0, 14.0):
        found = environment.widen(Interval(estimate, estimate, estimate), 1.0)
        assert found.estimate == estimate
        assert found.low <= 10 + 1e-12
        assert found.high >= 10 - 1e-12
    assert environment.widen(Interval(7.0, 6.0, 8.4), 1.0) == pytest.approx((7, 6 / 1.4, 8.4 / 0.6))
    assert environment.widen(Interval(1.0, -1.0, 3.0), 1.0).low == 0


def test_measured_power_is_taken_as_it_is_and_a_part_is_widened_as_a_part() -> None:
    assert environment.widen(Interval(7.0, 6.0, 8.0), 0.0) == (7, 6, 8)
    # 6 measured and 4 estimated: the true sum is between 6 + 4 / 1.4 and 6 + 4 / 0.6.
    assert environment.widen(Interval(10.0, 10.0, 10.0), 0.4) == pytest.approx((10, 6 + 4 / 1.4, 6 + 4 / 0.6))


def test_measured_training_is_a_census() -> None:
    found = environment.training_energy(training(0.02, "measured"))
    assert (found.low, found.estimate, found.high, found.unit) == (0.02, 0.02, 0.02, "kWh")
    assert judge(found, Gate(max=0.02))[0] == Verdict.PASS
    assert "40 %" not in found.method


def test_estimated_training_is_an_interval() -> None:
    found = environment.training_energy(training(0.02, "estimated"))
    assert (found.low, found.estimate, found.high) == pytest.approx((0.02 / 1.4, 0.02, 0.02 / 0.6))
    assert "40 %" in found.method
    gates = {0.01: Verdict.FAIL, 0.03: Verdict.INCONCLUSIVE, 0.04: Verdict.PASS}
    assert {gate: judge(found, Gate(max=gate))[0] for gate in gates} == gates


@pytest.mark.parametrize(("source", "share"), [("measured", 0.2), ("estimated", 0.5)])
def test_a_graphics_card_is_read_and_memory_is_a_constant(source: str, share: float) -> None:
    found = environment.training_energy(training(1.0, source, ram=0.2, gpu=0.5))
    assert (found.low, found.high) == pytest.approx((1 - share + share / 1.4, 1 - share + share / 0.6))
    assert f"{100 * share:.3g} % of the electricity is estimated" in found.method


def test_training_elsewhere_is_not_assessed() -> None:
    with pytest.raises(NotAssessed, match=r"\[model\.finetune\]"):
        environment.training_energy(None)


def test_inference_is_given_for_a_thousand_predictions() -> None:
    # One block of 200 texts at 0.0001 kWh is 0.1 Wh, so a thousand are 0.5 Wh, and of a thousand tokens 0.05.
    found = environment.inference_energy(blocks([1e-4] * 5, "measured"))
    assert (found.low, found.estimate, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert found.facts["Wh per 1,000 tokens"] == pytest.approx(0.05)
    assert found.facts["texts per second"] == pytest.approx(100)
    assert (found.n, found.sample, found.unit) == (5, "blocks", "Wh per 1,000 predictions")


def test_idle_power_is_stated_apart() -> None:
    # 1e-4 kWh in 2 s are 180 W; a quarter of it in 1 s is 90 W, so half of the energy is spent on idling.
    found = environment.inference_energy(blocks([1e-4] * 5, "measured"))
    assert found.facts["power while predicting, W"] == pytest.approx(180)
    assert found.facts["power while idle, W"] == pytest.approx(90)
    assert found.facts["Wh per 1,000 predictions beyond idling"] == pytest.approx(0.25)


@pytest.mark.parametrize(("source", "down", "up"), [("measured", 1.0, 1.0), ("estimated", 1.4, 0.6)])
def test_inference_has_the_interval_of_its_blocks(source: str, down: float, up: float) -> None:
    kwh = [1.0e-4, 1.2e-4, 0.9e-4, 1.1e-4, 1.05e-4]
    found = environment.inference_energy(blocks(kwh, source))
    per_thousand = np.array(kwh) * 1000 * 1000 / 200
    low, high = t.interval(0.95, 4, per_thousand.mean(), per_thousand.std(ddof=1) / np.sqrt(5))
    assert found.estimate == pytest.approx(per_thousand.mean())
    assert (found.low, found.high) == pytest.approx((low / down, high / up))
    assert any("85 W" in limit for limit in found.caveats) == (source == "estimated")


@pytest.mark.parametrize("source", ["measured", "estimated"])
def test_energy_is_never_negative(source: str) -> None:
    found = environment.inference_energy(blocks([1e-6, 9e-4], source), training=training(1.0, source))
    assert found.low == 0
    # Without a lower limit of the one there is no upper limit of the other.
    assert rows(found, "What it amounts to")["predictions until use has taken as much as training"][2] is None


def test_use_outweighs_training_after_as_many_predictions_as_one_contains_the_other() -> None:
    # 3 kWh of training at half a Wh for a thousand predictions: 6,000 thousands.
    assert environment.break_even(Interval(3, 2, 4), Interval(0.5, 0.4, 0.8)) == pytest.approx((6e6, 2.5e6, 1e7))
    found = environment.inference_energy(
        blocks([1e-4] * 5, "measured"), training=training(3.0, "measured"), predictions_per_day=60_000
    )
    amounts = rows(found, "What it amounts to at 60,000")
    assert amounts["predictions until use has taken as much as training"] == pytest.approx([6e6] * 3)
    assert amounts["days until then"] == pytest.approx([100] * 3)
    assert "after about 6,000,000 predictions, or 100 days of such use" in found.summary


@pytest.mark.parametrize(("per_day", "advice"), [(300_000, "about 95 % is use"), (1_000, "about 94 % is training")])
def test_the_sentence_says_where_most_can_be_saved(per_day: int, advice: str) -> None:
    # 3 kWh of training; at 300,000 a day a year of use takes 54.75 kWh, at 1,000 a day 0.1825.
    found = environment.inference_energy(
        blocks([1e-4] * 5, "measured"), training=training(3.0, "measured"), predictions_per_day=per_day
    )
    assert advice in found.summary


def test_a_year_of_use_is_told_in_electricity_carbon_and_boiling_water() -> None:
    # Half a Wh for each of 100 thousands on each of 365 days: 18.25 kWh; a litre takes 335.2 kJ.
    found = environment.inference_energy(blocks([1e-4] * 5, "measured"), grids=[GERMANY, FRANCE])
    amounts = rows(found, "What it amounts to at 100,000")
    assert amounts["electricity of a year, kWh"] == pytest.approx([18.25] * 3)
    assert amounts["carbon of a year, kg CO2eq"] == pytest.approx([7.3] * 3)
    assert amounts["as much as heating so many litres of water from 20 to 100 °C"][0] == pytest.approx(196, abs=0.5)
    assert "18 kWh a year (between 18 and 18) and 7.3 kg CO2eq on the grid of Germany" in found.summary
    assert rows(found, "The same year on other grids")["France"] == pytest.approx(["2023", 50, *[0.9125] * 3])
    assert "not known when its use outweighs its training" in found.caveats[0]


@pytest.mark.parametrize(("embodied", "sci"), [(None, 0.2), (36.0, 0.3)])
def test_software_carbon_intensity_shows_its_terms(embodied: float | None, sci: float) -> None:
    # E = 0.0005 kWh, I = 400 g/kWh; a thousand predictions take 10 s of a machine of 36 g an hour.
    found = environment.inference_energy(blocks([1e-4] * 5, "measured"), grids=[GERMANY], embodied_g_per_hour=embodied)
    terms = rows(found, "Software Carbon Intensity")
    assert terms["E: electricity"] == pytest.approx(["kWh", *[5e-4] * 3])
    assert terms["I: grid of Germany, 2023"][1] == 400
    (m,) = [row for name, row in terms.items() if name.startswith("M: making of the machine")]
    assert m[1] == (None if embodied is None else pytest.approx(0.1))
    (total,) = [row for name, row in terms.items() if name.startswith("SCI")]
    assert total[1:] == pytest.approx([sci] * 3)
    left_out = [name for name in terms if "without M" in name or "not known" in name]
    assert bool(left_out) == (embodied is None)


def test_a_country_without_a_figure_is_given_the_worlds_average_and_it_says_so() -> None:
    found = environment.inference_energy(blocks([1e-4] * 5, "measured"), grids=grids("XXX"))
    assert "XXX (not in the table: the world's average)" in found.summary


def test_the_audits_own_energy_leaves_out_what_was_kept_and_tells_it_beside() -> None:
    kept: CachedPhase = {**figures(0.5, "measured"), "name": "fine-tune", "created": "2026-01-01T00:00:00Z"}
    found = environment.audit_energy(spent(figures(0.02, "measured"), figures(0.01, "measured"), kept=(kept,)))
    assert (found.low, found.estimate, found.high) == pytest.approx((0.03, 0.03, 0.03))
    assert found.facts["with what was taken from the cache, kWh"] == pytest.approx(0.53)
    assert rows(found, "Taken from the cache")["Training the model"][:2] == ["2026-01-01", 0.5]
    assert {gate: judge(found, Gate(max=gate))[0] for gate in (0.02, 0.04)} == {0.02: "fail", 0.04: "pass"}


def test_one_estimated_phase_widens_the_audits_energy_by_its_share() -> None:
    found = environment.audit_energy(spent(figures(0.03, "measured"), figures(0.01, "estimated")))
    assert (found.low, found.high) == pytest.approx((0.03 + 0.01 / 1.4, 0.03 + 0.01 / 0.6))
    assert found.source == "estimated"


def test_with_several_processes_it_says_that_only_what_came_before_is_judged() -> None:
    alone, together = (environment.audit_energy(spent(figures(0.04, "measured"), processes=n)) for n in (1, 2))
    assert "which runs after all others" in alone.method
    assert "after all others" not in together.method
    assert "0.040 kWh were spent until this test was run, and only these" in together.summary
    assert alone.summary == ""
    several = [any("Several processes" in limit for limit in each.caveats) for each in (alone, together)]
    assert several == [False, True]
