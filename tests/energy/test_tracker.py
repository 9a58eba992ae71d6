"""What :mod:`audit.energy.tracker` relies on in CodeCarbon, of the version that is installed.

A failure here names what a new version has changed: mend the adapter, then raise the bound in pyproject.toml.
"""

from __future__ import annotations

import inspect
import threading
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from codecarbon import OfflineEmissionsTracker
from codecarbon.external import hardware, ram

from audit.energy import tracker as adapter
from audit.energy.tracker import Consumption, Tracker

CHANGED = f"CodeCarbon {version('codecarbon')} is not as audit/energy/tracker.py needs it: "
HOUR = 3600.0


def tracker(pue: float | None = None, cpu_watts: float | None = 50, ram_watts: float | None = 20) -> Tracker:
    return Tracker("DEU", pue=pue, cpu_watts=cpu_watts, ram_watts=ram_watts)


def consumed(of: Tracker, task: str, ago: float) -> Consumption:
    """What a task takes that begins now and whose readings begin so many seconds ago."""
    of.start(task, time.perf_counter() - ago)
    consumption = of.stop(task)
    assert consumption is not None, f"{CHANGED}stop_task() gives nothing for a task that start_task() began"
    return consumption


def test_a_task_is_charged_from_the_reading_that_it_is_given() -> None:
    own = tracker()
    hour = consumed(own, "an hour", HOUR)
    assert hour.ram_kwh == pytest.approx(0.020, rel=1e-2), f"{CHANGED}_last_measured_time is not where energy begins"
    assert 0 < hour.cpu_kwh <= 0.050 * 1.01
    assert time.perf_counter() - 60 < own.read_at <= time.perf_counter(), f"{CHANGED}a reading is not by perf_counter()"
    # Two tasks without a gap: what comes between their calls is the second one's.
    last = own.read_at
    own.start("second", last)
    assert own.read_at == last
    own.stop("second")
    assert own.read_at > last, f"{CHANGED}the end of a task is no reading"


def test_the_total_is_the_sum_of_the_tasks_and_multiplied_by_the_pue() -> None:
    own, doubled = tracker(), tracker(pue=2.0)
    tasks = [consumed(own, f"task {i}", HOUR) for i in range(2)]
    total = sum(task.cpu_kwh + task.gpu_kwh + task.ram_kwh for task in tasks)
    assert own.total_kwh == pytest.approx(total), f"{CHANGED}_total_energy is not the sum of the tasks"
    assert consumed(doubled, "task", HOUR).ram_kwh == pytest.approx(0.040, rel=1e-2), f"{CHANGED}pue does not multiply"
    (grid,) = adapter.national_grids(["DEU"])
    for task in tasks:
        kg = (task.cpu_kwh + task.gpu_kwh + task.ram_kwh) * grid["g_per_kwh"] / 1000
        assert task.co2eq_kg == pytest.approx(kg), f"{CHANGED}emissions are not electricity times the grid's intensity"


def test_a_task_that_never_began_has_nothing() -> None:
    assert tracker().stop("nothing") is None


def test_threads_read_within_tasks_only() -> None:
    before, own = set(threading.enumerate()), tracker()

    def timers() -> bool:
        return any(isinstance(each, threading.Timer) for each in set(threading.enumerate()) - before)

    assert (own.is_reading, timers()) == (False, False), f"{CHANGED}it reads before a task begins"
    own.start("task")
    assert (own.is_reading, timers()) == (True, True), f"{CHANGED}_scheduler_monitor_power is not what reads"
    own.stop("task")
    assert not own.is_reading, f"{CHANGED}it reads after a task has ended"


@pytest.mark.parametrize("place", ["environment", "file"])
def test_no_setting_from_elsewhere_is_read(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    if place == "environment":
        monkeypatch.setenv("CODECARBON_PROJECT_NAME", "from elsewhere")
        monkeypatch.setenv("CODECARBON_ELECTRICITYMAPS_API_TOKEN", "token")
    else:
        settings = "[codecarbon]\nproject_name = from elsewhere\nelectricitymaps_api_token = token\n"
        (tmp_path / ".codecarbon.config").write_text(settings, "utf-8")
    theirs = OfflineEmissionsTracker(country_iso_code="DEU", output_methods=[], log_level="critical")
    assert theirs._project_name == "from elsewhere"  # else nothing is tested here
    own = tracker()._tracker
    assert own._project_name == "codecarbon", f"{CHANGED}_set_from_conf() does not take settings from _external_conf"
    assert own._electricitymaps_api_token is None, f"{CHANGED}it has a token, with which it asks the network"


def test_the_hardware_is_of_the_kinds_that_are_told_apart() -> None:
    kinds = {each.__name__ for each in hardware.BaseHardware.__subclasses__()}
    assert kinds == {"CPU", "GPU", "RAM", "AppleSiliconChip", "Raspberry"}, f"{CHANGED}other kinds of hardware"
    own = tracker()
    found = own._tracker._hardware
    assert {type(each) for each in found} >= {hardware.CPU, ram.RAM}, f"{CHANGED}_hardware is not what it reads"
    assert own.nominal_w == 50, f"{CHANGED}a processor's nominal power is not _tdp"
    assert not own.has_counter, f"{CHANGED}a stated power is not a load times it"


@pytest.mark.parametrize("mode", [*adapter.COUNTERS, "cpu_load", "constant"])
def test_a_mode_says_whether_a_counter_is_read(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = inspect.getsource(hardware)
    assert f'"{mode}"' in source, f"{CHANGED}no processor has the mode {mode}"
    own = tracker()
    (processor,) = [each for each in own._tracker._hardware if isinstance(each, hardware.CPU)]
    monkeypatch.setattr(processor, "_mode", mode)
    assert own.has_counter == (mode in adapter.COUNTERS)


def test_the_machine_has_a_name() -> None:
    names = tracker()._hardware
    assert {"cpu_model", "cpu_count", "gpu_model"} <= set(names), f"{CHANGED}get_detected_hardware() lacks a name"
    assert f"{names['cpu_count']} cores" in tracker().machine
