"""CodeCarbon's tracker: whatever is private in CodeCarbon is used here and nowhere else.

``tests/energy/test_tracker.py`` holds the installed version to what is relied on here.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.core.figures import Grid

if TYPE_CHECKING:
    from codecarbon import OfflineEmissionsTracker

# Modes of a processor that read a power counter; all others multiply a load with a nominal power.
COUNTERS = ("intel_rapl", "intel_power_gadget", "windows_emi")


@dataclass(frozen=True)
class Consumption:
    """Electricity and emissions of one task."""

    cpu_kwh: float
    gpu_kwh: float
    ram_kwh: float
    co2eq_kg: float


class Tracker:
    """A tracker of the whole machine, offline, that writes nothing, prints nothing and reads no settings.

    Parameters
    ----------
    country : str
        ISO code of the country whose grid the carbon intensity is taken from.
    pue, cpu_watts, ram_watts : float or None
        As for :class:`audit.energy.meter.Power`.
    """

    def __init__(self, country: str, *, pue: float | None, cpu_watts: float | None, ram_watts: float | None) -> None:
        _silence()
        self._tracker = _tracker_class()(
            country_iso_code=country,
            measure_power_secs=1,
            tracking_mode="machine",
            output_methods=[],
            allow_multiple_runs=True,
            log_level="critical",
            pue=pue or 1.0,
            force_cpu_power=cpu_watts,
            force_ram_power=ram_watts,
        )
        self._hardware = self._tracker.get_detected_hardware()  # looks for it now, not in the first task

    def start(self, task: str, read_at: float | None = None) -> None:
        """Begin a task: now, or where the last reading was, so that nothing between two tasks is lost."""
        self._tracker.start_task(task)
        if read_at is not None:
            self._tracker._last_measured_time = read_at

    def stop(self, task: str) -> Consumption | None:
        """End a task; None if it never began."""
        data = self._tracker.stop_task(task)
        if data is None:
            return None
        return Consumption(*map(float, (data.cpu_energy, data.gpu_energy, data.ram_energy, data.emissions)))

    @property
    def read_at(self) -> float:
        """When the last reading was, by :func:`time.perf_counter`."""
        return float(self._tracker._last_measured_time)

    @property
    def is_reading(self) -> bool:
        """Whether a thread takes readings."""
        return not self._tracker._scheduler_monitor_power._stopped

    @property
    def total_kwh(self) -> float:
        """Electricity of all tasks."""
        return float(self._tracker._total_energy.kWh)

    @property
    def has_counter(self) -> bool:
        """Whether the power of all processors is read from a counter."""
        processors = [part for part in self._tracker._hardware if type(part).__name__ in ("CPU", "AppleSiliconChip")]
        return bool(processors) and all(
            type(part).__name__ == "AppleSiliconChip" or part._mode in COUNTERS for part in processors
        )

    @property
    def nominal_w(self) -> float:
        """Nominal power of the processors, by which an estimate multiplies their load, watts."""
        return float(sum(getattr(part, "_tdp", None) or 0 for part in self._tracker._hardware))

    @property
    def machine(self) -> str:
        """Processor, cores and graphics card."""
        names = self._hardware
        parts = [names.get("cpu_model"), f"{names.get('cpu_count')} cores", names.get("gpu_model")]
        return ", ".join(str(part) for part in parts if part)


@functools.cache
def _tracker_class() -> type[OfflineEmissionsTracker]:
    """CodeCarbon's tracker that reads no settings: no file, no ``CODECARBON_…``, no token that asks the network."""
    from codecarbon import OfflineEmissionsTracker

    class WithoutSettings(OfflineEmissionsTracker):  # type: ignore[misc]
        def _set_from_conf(self, *arguments: object, **more: object) -> object:
            self._external_conf: dict[str, object] = {}
            return super()._set_from_conf(*arguments, **more)

    return WithoutSettings


def national_grids(countries: Iterable[str]) -> list[Grid]:
    """Carbon intensity of national grids, on which the tracker's own figures rest.

    Returns
    -------
    list of Grid
    """
    from codecarbon.core.emissions import Emissions
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import GeoMetadata
    from codecarbon.input import DataSource

    _silence()
    source = DataSource()
    known, emissions = source.get_global_energy_mix_data(), Emissions(source)
    return [
        {
            "country": code,
            "name": known.get(code, {}).get("country_name"),
            "g_per_kwh": 1000 * emissions.get_country_emissions(Energy(1.0), GeoMetadata(country_iso_code=code)),
            "year": known.get(code, {}).get("year"),
        }
        for code in countries
    ]


def _silence() -> None:
    logging.getLogger("codecarbon").disabled = True
