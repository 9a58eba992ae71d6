"""Energy by phase, through CodeCarbon without a network; each figure says whether it was measured or estimated."""

from __future__ import annotations

import hashlib
import logging
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from audit.cache import Cache

if TYPE_CHECKING:
    from audit.scorer import Scorer

# Processor modes of CodeCarbon that read a power counter; all others multiply a load with a nominal power.
BLOCKS = 5
BLOCK_S = 2.0  # long enough for several readings of the tracker, which takes one a second
CHUNK = 256
_COUNTERS = ("intel_rapl", "intel_power_gadget", "windows_emi")


@dataclass
class Phase:
    """What one phase of the audit took; filled in when it ends."""

    name: str
    seconds: float = 0.0
    cpu_kwh: float = 0.0
    gpu_kwh: float = 0.0
    ram_kwh: float = 0.0
    co2eq_kg: float = 0.0
    source: str = "estimated"

    @property
    def kwh(self) -> float:
        """Electricity of all parts."""
        return self.cpu_kwh + self.gpu_kwh + self.ram_kwh

    def record(self) -> dict[str, Any]:
        """Plain JSON values, as in the record."""
        return {
            "name": self.name,
            "seconds": round(self.seconds, 3),
            "kwh": self.kwh,
            "co2eq_kg": self.co2eq_kg,
            "source": self.source,
            "cpu_kwh": self.cpu_kwh,
            "gpu_kwh": self.gpu_kwh,
            "ram_kwh": self.ram_kwh,
        }


class Meter:
    """One tracker for the whole audit, a task for each phase.

    Parameters
    ----------
    country : str
        ISO code of the country whose grid the carbon intensity is taken from.

    Notes
    -----
    Phases do not overlap: one that begins within another is booked on the outer one. The tracker reads the whole
    machine, so what else runs there is counted too.
    """

    def __init__(self, country: str) -> None:
        self.country = country
        self.phases: list[Phase] = []
        self._tracker: Any = None
        self._active: Phase | None = None

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Book what runs in the block."""
        if self._active is not None:
            yield self._active
            return
        tracker = self._ensure_tracker()
        phase = self._active = Phase(name, source=self.source)
        task = f"{name}-{len(self.phases)}"
        tracker.start_task(task)
        started = time.monotonic()
        try:
            yield phase
        finally:
            phase.seconds = time.monotonic() - started
            data = tracker.stop_task(task)
            self._active = None
            if data is not None:
                phase.cpu_kwh, phase.gpu_kwh, phase.ram_kwh = (
                    float(data.cpu_energy),
                    float(data.gpu_energy),
                    float(data.ram_energy),
                )
                phase.co2eq_kg = float(data.emissions)
            self.phases.append(phase)

    @property
    def source(self) -> str:
        """``measured`` if the processor's power is read from a counter, else ``estimated``.

        Graphics cards are always read (NVML). CodeCarbon's figure for memory is a constant per module everywhere.
        """
        hardware = self._ensure_tracker()._hardware
        processors = [part for part in hardware if type(part).__name__ in ("CPU", "AppleSiliconChip")]
        read = all(
            getattr(part, "_mode", "") in _COUNTERS or type(part).__name__ == "AppleSiliconChip" for part in processors
        )
        return "measured" if processors and read else "estimated"

    @property
    def machine(self) -> str:
        """Processor, cores and graphics card, as the tracker names them."""
        settings = self._ensure_tracker()._conf
        parts = [settings.get("cpu_model"), f"{settings.get('cpu_count')} cores", settings.get("gpu_model")]
        return ", ".join(str(part) for part in parts if part)

    @property
    def hardware(self) -> list[str]:
        """What the tracker watches, in CodeCarbon's words."""
        return [str(part) for part in self._ensure_tracker()._hardware]

    def _ensure_tracker(self) -> Any:
        if self._tracker is None:
            logging.getLogger("codecarbon").disabled = True
            from codecarbon import OfflineEmissionsTracker

            self._tracker = OfflineEmissionsTracker(
                country_iso_code=self.country,
                measure_power_secs=1,
                tracking_mode="machine",
                output_methods=[],
                allow_multiple_runs=True,
                log_level="critical",
            )
            self._tracker._ensure_hardware_ready()
        return self._tracker


def merge(phases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up phases of the same name, in order of their first appearance."""
    total: dict[str, dict[str, Any]] = {}
    for phase in phases:
        if phase["name"] not in total:
            total[phase["name"]] = dict(phase)
            continue
        merged = total[phase["name"]]
        for key, value in phase.items():
            if isinstance(value, float | int):
                merged[key] += value
        if phase["source"] == "estimated":
            merged["source"] = "estimated"
    return list(total.values())


def measure_inference(scorer: Scorer, texts: Sequence[str], meter: Meter, cache: Cache) -> dict[str, Any]:
    """Energy of predictions in separate blocks, past the prediction cache; kept with machine and date.

    Parameters
    ----------
    scorer : Scorer
    texts : sequence of str
        The user's own texts; each block runs through them in turn until it has lasted long enough.

    Returns
    -------
    dict
        ``blocks`` (``texts, kwh, co2eq_kg, seconds`` each), ``source``, ``machine``, ``created``.
    """
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()
    key = {
        "model": scorer.model.fingerprint,
        "max_length": scorer.model.max_length,
        "device": scorer.model.device,
        "machine": f"{platform.node()}, {meter.machine}",
        "country": meter.country,
        "texts": digest,
        "versions": {name: version(name) for name in ("torch", "transformers", "codecarbon")},
    }
    return cache.measurement(key, lambda: _blocks(scorer, texts, meter))


def _blocks(scorer: Scorer, texts: Sequence[str], meter: Meter) -> dict[str, Any]:
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    scorer.forward(chunks[0], show=False)
    position, blocks = 0, []
    for _ in range(BLOCKS):
        done = 0
        with meter.phase("measure inference") as phase:
            started = time.monotonic()
            while time.monotonic() - started < BLOCK_S:
                chunk = chunks[position % len(chunks)]
                scorer.forward(chunk, show=False)
                done += len(chunk)
                position += 1
        figures = phase.record()
        blocks.append({"texts": done} | {k: figures[k] for k in ("seconds", "kwh", "co2eq_kg")})
    return {"blocks": blocks, "source": meter.source, "machine": meter.machine}
