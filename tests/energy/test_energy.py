"""Energy by phase, through the real tracker."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from audit.core.cache import Cache
from audit.core.figures import Figures
from audit.core.progress import Progress
from audit.energy import meter as energy
from audit.energy.meter import Meter, Power, grids, measure_inference, merge
from audit.inference.runner import Counts
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.probes.environment import environment
from audit.training.reference_models import LinearModel
from tests.conftest import CLASSES
from tests.helpers import Runner, WritePolicy, examples, flowed


@pytest.mark.alone
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


@pytest.mark.alone
def test_the_phases_add_up_to_what_a_tracker_around_all_of_them_counts() -> None:
    """A second tracker runs through; memory, a constant power, shows any gap or overlap whatever the load does."""
    through = Meter("DEU")
    meter = Meter("DEU")
    _ = meter.machine  # what draws power here is looked for before the clock runs
    with through.phase("all"):
        meter.start("probes")
        for i in range(3):
            time.sleep(0.5)
            with meter.phase(f"part {i % 2}"):
                time.sleep(1.2)
        phases = meter.phases
    meter.stop()
    assert {phase.name for phase in phases} == {"probes", "part 0", "part 1"}
    assert sum(phase.kwh for phase in phases) == pytest.approx(meter.total_kwh, rel=0.02)
    (whole,) = through.phases
    assert sum(phase.ram_kwh for phase in phases) == pytest.approx(whole.ram_kwh, rel=0.02)
    assert sum(phase.seconds for phase in phases) == pytest.approx(whole.seconds, rel=0.02)


@pytest.mark.alone
def test_what_runs_outside_of_phases_is_told_up_to_now_and_no_thread_stays() -> None:
    meter = Meter("DEU")
    meter.start("probes")
    time.sleep(0.3)
    before = sum(phase.seconds for phase in meter.phases)
    time.sleep(0.3)
    meter.stop()
    assert {phase.name for phase in meter.phases} == {"probes"}
    assert sum(phase.seconds for phase in meter.phases) >= before + 0.3
    assert not meter._tracker.is_reading
    assert len(meter.phases) == len(meter.phases)


def _phase(name: str, started: float, seconds: float, kwh: float) -> Figures:
    return {"name": name, "started": started, "seconds": seconds, "kwh": kwh, "co2eq_kg": kwh, "source": "measured"}


def test_processes_that_run_at_once_share_the_machine() -> None:
    # A machine of 1 kWh a second for 10 s. One process reads all of it, the other its last 4 s once more.
    one = [_phase("twins", 0, 8, 8.0), _phase("probes", 8, 2, 2.0)]
    two = [_phase("score", 6, 4, 4.0)]
    merged = {phase["name"]: phase for phase in merge([one, two, []])}
    assert sum(phase["kwh"] for phase in merged.values()) == pytest.approx(10)
    assert {name: phase["kwh"] for name, phase in merged.items()} == pytest.approx(
        {"twins": 7, "probes": 1, "score": 2}
    )
    assert merged["twins"]["seconds"] == 8


def test_grids_are_those_of_codecarbon_with_their_year() -> None:
    known = {grid["country"]: grid for grid in grids("DEU")}
    assert list(known) == ["DEU", "FRA", "POL", "USA", "CHN"]
    mix = json.loads(files("codecarbon").joinpath("data/private_infra/global_energy_mix.json").read_text("utf-8"))
    for code, grid in known.items():
        assert grid["g_per_kwh"] == pytest.approx(mix[code]["carbon_intensity"])
        assert (grid["name"], grid["year"]) == (mix[code]["country_name"], mix[code]["year"])
    assert next(iter(grids("SWE")))["name"] == "Sweden"


@pytest.mark.alone
def test_to_sleep_costs_what_idling_costs() -> None:
    """Power in a sleep is that of the machine before and after it; memory's to the last percent, whatever the load."""
    meter = Meter("DEU")
    for name in ("idle", "sleep", "idle"):
        with meter.phase(name):
            time.sleep(3)
    ram = [phase.ram_kwh / phase.seconds for phase in meter.phases]
    assert ram == pytest.approx([ram[0]] * 3, rel=0.02)
    cpu = [phase.cpu_kwh / phase.seconds * 3.6e6 for phase in meter.phases]
    assert max(cpu) <= meter.nominal_w * 1.05 or meter.source == "measured"


@pytest.mark.alone
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


@pytest.mark.alone
def test_inference_is_measured_in_blocks_and_not_again(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "BLOCK_S", 0.3)
    monkeypatch.setattr(energy, "IDLE_S", 0.3)
    cache, meter = Cache(tmp_path), Meter("DEU")
    scorer = Scorer(Model("test", untrained, CLASSES, 32), cache, meter, Progress())
    texts = [f"a review number {i}" for i in range(300)]
    made = measure_inference(scorer, texts, meter, cache)
    assert len(made["blocks"]) == 5
    assert all(block["texts"] > 0 and block["kwh"] > 0 for block in made["blocks"])
    # Each of these texts is four words long, and a number, between two marks.
    assert all(block["tokens"] >= 6 * block["texts"] for block in made["blocks"])
    assert made["idle"]["kwh"] > 0
    assert sum(phase.kwh for phase in meter.phases) == pytest.approx(meter.total_kwh, rel=0.02)
    passes = scorer.counts.forward_passes
    assert measure_inference(scorer, texts, meter, cache) == made
    assert scorer.counts.forward_passes == passes
    measure_inference(scorer, texts[:100], meter, cache)
    assert scorer.counts.forward_passes > passes


# ---- the surroundings, and what the policy says of the machine's power


class _Instant:
    """Answers at once; only how often it was asked matters."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.identity: dict[str, Any] = {"model": "instant"}

    def forward(self, texts: Sequence[str], show: bool = True) -> None:
        self.counts.tokens += len(texts)
        time.sleep(0.01)


def _memory_w(meter: Meter) -> float:
    """Power of the memory: a constant, whatever the load."""
    with meter.phase("score") as phase:
        time.sleep(0.5)
    return 3.6e6 * phase.ram_kwh / phase.seconds


@pytest.mark.parametrize("place", ["folder", "home", "environment"])
def test_codecarbons_settings_elsewhere_change_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    before = _memory_w(Meter("DEU"))
    monkeypatch.chdir(tmp_path)
    if place == "environment":
        monkeypatch.setenv("CODECARBON_PUE", "10")
        monkeypatch.setenv("CODECARBON_FORCE_CPU_POWER", "1000")
    else:
        monkeypatch.setenv("HOME", str(tmp_path if place == "home" else tmp_path / "home"))
        (tmp_path / ".codecarbon.config").write_text("[codecarbon]\npue = 10\nforce_cpu_power = 1000\n", "utf-8")
        monkeypatch.chdir(tmp_path if place == "folder" else tmp_path.parent)
    meter = Meter("DEU")
    assert _memory_w(meter) == pytest.approx(before, rel=0.3)
    assert meter.nominal_w != 1000


def test_the_policy_says_power_and_what_was_kept_under_another_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _memory_w(Meter("DEU", Power(ram_watts=20))) == pytest.approx(20, rel=0.1)
    assert _memory_w(Meter("DEU", Power(pue=2, ram_watts=20))) == pytest.approx(40, rel=0.1)
    assert Meter("DEU", Power(cpu_watts=50)).nominal_w == 50
    monkeypatch.setattr(energy, "BLOCK_S", 0.05)
    monkeypatch.setattr(energy, "IDLE_S", 0.05)
    runner, cache = _Instant(), Cache(tmp_path)
    asked = []
    for power in (Power(), Power(pue=2), Power(pue=2), Power(pue=2, cpu_watts=50), Power(ram_watts=20), Power()):
        measured = measure_inference(runner, ["a text"], Meter("DEU", power), cache)
        asked.append(runner.counts.tokens)
        assert Power.of(measured) == Power.of(measured["blocks"][0]) == Power.of(measured["idle"]) == power
    news = [after > before for before, after in pairwise([0, *asked])]
    assert news == [True, True, False, True, True, False]


def test_a_kept_training_is_stated_at_the_pue_of_now(tmp_path: Path) -> None:
    data, kept = examples([0, 1] * 20), Cache(tmp_path)

    def spent(power: Power) -> dict[str, Any]:
        return dict(LinearModel(data, kept, Meter("DEU", power)).training["energy"])

    before, doubled = spent(Power(pue=1.5)), spent(Power(pue=3))
    for name in ("kwh", "cpu_kwh", "ram_kwh", "co2eq_kg"):
        assert doubled[name] == pytest.approx(2 * before[name])
    assert doubled["seconds"] == before["seconds"]
    assert (before["pue"], doubled["pue"], spent(Power()).get("pue")) == (1.5, 3, None)
    # Watts are those of the training.
    training: Any = {"energy": doubled, "created": "2026-01-01", "device": "cpu"}
    assert not environment.training_energy(training, {"pue": 3.0}).caveats
    (limit,) = environment.training_energy(training, {"pue": 3.0, "cpu_watts": 50.0}).caveats
    assert "other cpu_watts or ram_watts" in limit


@pytest.mark.parametrize(("language", "sentence"), [("en", "The policy says"), ("de", "Die Prüfrichtlinie sagt")])
def test_what_the_policy_says_stands_beside_the_figure(
    run: Runner, write_policy: WritePolicy, language: str, sentence: str
) -> None:
    write_policy(environment="pue = 1.5\nram_watts = 20", report=f'language = "{language}"')
    run.pytester.makepyfile(
        """
        import pytest
        from audit.probes.environment import environment

        @pytest.mark.measures("environment.audit_energy")
        def test_audit_energy(audit, spent):
            audit.check(environment.audit_energy(spent()))
        """
    )
    result = run()
    assert "environment.audit_energy: with pue = 1.5, ram_watts = 20" in flowed(result.outlines)
    assert run.record["policy"]["environment"]["pue"] == 1.5
    assert "The policy says pue = 1.5, ram_watts = 20." in run.finding("environment.audit_energy")["method"]
    assert all(Power.of(phase) == Power(pue=1.5, ram_watts=20) for phase in run.record["energy"]["phases"])
    page = (run.pytester.path / "reports" / "report.html").read_text("utf-8")
    assert page.count("pue = 1.5, ram_watts = 20") >= 2
    assert sentence in page


def test_the_audit_runs_without_what_the_shell_says_of_arithmetic(
    run: Runner, write_policy: WritePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    write_policy()
    run.pytester.makepyfile("import os\ndef test_it(audit): assert 'ONEDNN_DEFAULT_FPMATH_MODE' not in os.environ")
    run().assert_outcomes(passed=1)
    assert os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] == "BF16"
