"""Environment: what training the model and using it take in electricity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from audit import statistics
from audit.errors import NotAssessed
from audit.verdict import Measurement

# Source: Fischer, "Ground-Truthing AI Energy Consumption: Validating CodeCarbon Against External Measurements",
# arXiv:2509.22092 (2025): estimates from load and nominal power are off by up to 40 % of the true value.
ESTIMATE_ERROR = 0.4
_WIDENED = (
    "The power is estimated from the processor's load, not read from a counter; such estimates are off by up to 40 % "
    "(Fischer 2025, arXiv:2509.22092), and the interval is widened by that."
)


def widen(interval: statistics.Interval, source: str) -> statistics.Interval:
    """The interval for the true value, where the power behind it was only estimated."""
    if source == "measured":
        return interval
    return statistics.Interval(
        interval.estimate, max(interval.low, 0.0) / (1 + ESTIMATE_ERROR), interval.high / (1 - ESTIMATE_ERROR)
    )


def training_energy(training: Mapping[str, Any] | None) -> Measurement:
    """Electricity of the fine-tuning that made this model.

    Parameters
    ----------
    training : mapping or None
        ``model.training``: recipe, history and energy.

    Raises
    ------
    NotAssessed
        If the model was loaded and not trained by the audit's recipe.
    """
    if training is None:
        raise NotAssessed("the model was loaded, not trained here; give the recipe with [model.finetune]")
    energy = training["energy"]
    kwh = float(energy["kwh"])
    interval = widen(statistics.Interval(kwh, kwh, kwh), energy["source"])
    return Measurement(
        "environment.training_energy",
        *interval,
        1,
        "kWh",
        f"CodeCarbon around the one training run, {energy['source']}. "
        + (_WIDENED if energy["source"] != "measured" else "Power read from counters (RAPL, NVML)."),
        sample="training runs",
        details={
            "source": energy["source"],
            "interval": "error bound",
            "seconds": energy["seconds"],
            "kg CO2eq": energy["co2eq_kg"],
            "processor, kWh": energy["cpu_kwh"],
            "graphics card, kWh": energy["gpu_kwh"],
            "memory, kWh (a constant per module)": energy["ram_kwh"],
            "trained on": training["created"],
            "device": training["device"],
        },
    )


def inference_energy(blocks: Mapping[str, Any], confidence: float = 0.95) -> Measurement:
    """Electricity of 1,000 predictions on the user's own texts.

    Parameters
    ----------
    blocks : mapping
        From :func:`audit.energy.measure_inference`: ``blocks`` with ``texts, kwh, co2eq_kg, seconds``, and ``source``.
    confidence : float
        Two-sided confidence of the interval over the blocks.
    """
    per_thousand: Sequence[float] = [1e6 * block["kwh"] / block["texts"] for block in blocks["blocks"]]
    carbon = [1e6 * block["co2eq_kg"] / block["texts"] for block in blocks["blocks"]]
    interval = widen(statistics.mean(per_thousand, confidence), blocks["source"])
    return Measurement(
        "environment.inference_energy",
        interval.estimate,
        max(interval.low, 0.0),
        interval.high,
        len(per_thousand),
        "Wh per 1,000 predictions",
        f"CodeCarbon around {len(per_thousand)} separate blocks of predictions on test texts after a warm-up, "
        f"{blocks['source']}; t interval over the blocks. " + (_WIDENED if blocks["source"] != "measured" else ""),
        confidence,
        sample="blocks",
        details={
            "source": blocks["source"],
            "g CO2eq per 1,000 predictions": sum(carbon) / len(carbon),
            "texts per second": sum(b["texts"] for b in blocks["blocks"]) / sum(b["seconds"] for b in blocks["blocks"]),
            "machine": blocks["machine"],
            "measured on": blocks["created"],
        },
    )
