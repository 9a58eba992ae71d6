"""Environment: what training the model, using it and auditing it take in electricity, and what that amounts to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.figures import Figures
from audit.core.measurement import Result
from audit.core.numbers import two_digits
from audit.core.probe import Probe
from audit.energy.meter import Power, estimated_kwh
from audit.energy.phases import PHASES

# Source: Fischer, "Ground-Truthing AI Energy Consumption: Validating CodeCarbon Against External Measurements",
# arXiv:2509.22092 (2025): estimates from load and nominal power are off by up to 40 % of the true value.
ESTIMATE_ERROR = 0.4
# Enthalpy of liquid water at 100 °C less that at 20 °C, 419.1 and 83.9 kJ/kg. Source: steam tables, IAPWS-IF97.
BOILED_LITRE_KWH = 335.2 / 3600
DAYS = 365
NOMINAL = (
    "The processor's nominal power was taken to be {watts:g} W, which CodeCarbon guesses from its name. In a virtual "
    "machine this may be far from the truth, and so may the figures, beyond the interval."
)
_OTHER_WATTS = (
    "The training was kept from a former audit, whose policy said other cpu_watts or ram_watts than this one, or none; "
    "its figure is of then. `python -m audit cache --clear` has it trained and measured again."
)
_USE = (
    "Of a first year's electricity about {share} % is use: a smaller model, or fewer questions to it, saves more than "
    "a cheaper training."
)
_TRAINING = (
    "Of a first year's electricity about {share} % is training: to train less often, or for less, saves more than a "
    "smaller model."
)
_GRIDS = "CodeCarbon's table of national grids: averages of a year over all power plants of a country"


def widen(interval: statistics.Interval, estimated: float) -> statistics.Interval:
    """The interval for the true value, where part of the power behind it was only estimated.

    Parameters
    ----------
    estimated : float
        Share of the electricity that no meter was read for, from 0 to 1. An estimate's error is one of the method, the
        same in each repetition, so that the scatter of repetitions does not show it.
    """
    return statistics.Interval(
        interval.estimate,
        max(interval.low, 0.0) * (1 - estimated + estimated / (1 + ESTIMATE_ERROR)),
        interval.high * (1 - estimated + estimated / (1 - ESTIMATE_ERROR)),
    )


def estimated_share(figures: Sequence[Figures]) -> float:
    """Share of the electricity of phases that was estimated."""
    kwh = sum(each["kwh"] for each in figures)
    return sum(map(estimated_kwh, figures)) / kwh if kwh else 1.0


def wh_per_thousand(blocks: Mapping[str, Any], confidence: float = 0.95) -> statistics.Interval:
    """Wh per 1,000 predictions: t interval over the blocks of a measurement, widened where power was estimated.

    Parameters
    ----------
    blocks : mapping
        From :func:`audit.energy.meter.measure_inference`.
    """
    own = blocks["blocks"]
    values = [1e6 * block["kwh"] / block["texts"] for block in own]
    return widen(statistics.mean(values, confidence), estimated_share(own))


def _how(source: str, estimated: float, power: Power) -> str:
    """Which part was measured, which estimated and which the policy says, and what follows for the interval."""
    said = f" The policy says {power}." if power.stated else ""
    if power.pue is not None:
        said += " All electricity is multiplied by the power usage effectiveness (PUE)."
    if not estimated:
        return f"All power was read from counters.{said}"
    memory = "a constant for each module" if power.ram_watts is None else "a constant"
    parts = (
        f"the processor's power is its load times its nominal power, the memory's {memory}"
        if source == "estimated"
        else f"the memory's power is {memory}; the rest was read from counters (RAPL, NVML)"
    )
    return (
        f"{100 * estimated:.3g} % of the electricity is estimated: {parts}.{said} Such estimates are off by up to 40 % "
        "(Fischer 2025, arXiv:2509.22092), and the interval is widened by that."
    )


def by_policy(power: Power) -> dict[str, str]:
    """The entry of a finding's details that page and terminal show beside the figure; empty without anything to say."""
    return {"by the policy": str(power)} if power.stated else {}


@Probe(
    id="environment.training_energy",
    challenge="environment",
    title="Energy of the training",
    unit="kWh",
    better="lower",
    meaning="Electricity that the fine-tuning of this model took on the machine that trained it.",
    harm="Electricity costs money and, where it is not clean, warms the climate.",
    remedy="Fewer epochs, frozen layers, a smaller model, a GPU instead of a CPU.",
    measured_on=("machine", "training data", "recipe"),
    rules=("MEASURE 2.12", "Article 9(8)", "Article 11 and annex IV, point 2", "A.5.5", "A.6.2.4"),
)
def training_energy(training: Mapping[str, Any] | None, stated: Mapping[str, float] | None = None) -> Result:
    """Electricity of the fine-tuning that made this model.

    Parameters
    ----------
    training : mapping or None
        ``model.training``: recipe, history and energy.
    stated : mapping, optional
        What the policy says of the machine's power now, as in ``[environment]``.

    Raises
    ------
    NotAssessed
        If the model was loaded and not trained by the audit's recipe.
    """
    if training is None:
        raise NotAssessed(
            "the model was loaded, not trained here; audit what the recipe of [model.finetune] makes, without "
            "--audit-model"
        )
    energy = training["energy"]
    estimated, kwh, power = estimated_share([energy]), float(energy["kwh"]), Power.of(energy)
    now = power if stated is None else Power.of(stated)
    limits = [] if (power.cpu_watts, power.ram_watts) == (now.cpu_watts, now.ram_watts) else [_OTHER_WATTS]
    return Result(
        *widen(statistics.Interval(kwh, kwh, kwh), estimated),
        1,
        f"CodeCarbon around the one training run. {_how(energy['source'], estimated, power)}",
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
            **by_policy(power),
            **({"limits": limits} if limits else {}),
        },
    )


@Probe(
    id="environment.inference_energy",
    challenge="environment",
    title="Energy of 1,000 predictions",
    unit="Wh per 1,000 predictions",
    better="lower",
    meaning="Electricity that 1,000 predictions take on this machine, for texts like those of the test data.",
    harm="This cost recurs with each use and soon exceeds that of the training.",
    remedy="A smaller or distilled model, 8-bit weights, larger batches, shorter texts.",
    measured_on=("test data", "machine"),
    rules=("MEASURE 2.12", "Article 9(8)", "A.5.5", "A.6.2.4"),
)
def inference_energy(
    blocks: Mapping[str, Any],
    confidence: float = 0.95,
    *,
    training: Mapping[str, Any] | None = None,
    grids: Sequence[Mapping[str, Any]] = (),
    predictions_per_day: int = 100_000,
    embodied_g_per_hour: float | None = None,
) -> Result:
    """Electricity of 1,000 predictions on the user's own texts, and what a year of them amounts to.

    Parameters
    ----------
    blocks : mapping
        From :func:`audit.energy.meter.measure_inference`.
    confidence : float
        Two-sided confidence of the interval over the blocks.
    training : mapping or None
        ``model.training``, for the number of predictions after which use outweighs training.
    grids : sequence of mapping
        From :func:`audit.energy.meter.grids`, the policy's country first.
    predictions_per_day : int
        How often the model is asked, by the policy.
    embodied_g_per_hour : float or None
        Grams of CO2eq that making this machine caused, for each hour of its life; None where nobody knows.
    """
    own, idle = blocks["blocks"], blocks["idle"]
    power = Power.of(blocks)
    how = _how(blocks["source"], estimated_share(own), power)
    interval = wh_per_thousand(blocks, confidence)
    seconds, texts = (sum(block[name] for block in own) for name in ("seconds", "texts"))
    watts = 3.6e6 * sum(block["kwh"] for block in own) / seconds
    idle_watts = 3.6e6 * idle["kwh"] / idle["seconds"]
    tables, limits, said = _amounts(interval, grids, predictions_per_day, training)
    if blocks["source"] == "estimated" and power.cpu_watts is None:
        limits.append(NOMINAL.format(watts=blocks["nominal_w"]))
    if grids:
        tables.insert(0, _carbon_intensity(interval, grids[0], 1000 * seconds / texts / 3600, embodied_g_per_hour))
    return Result(
        *interval,
        len(own),
        f"CodeCarbon around {len(own)} separate blocks of predictions on test texts after a warm-up; t interval over "
        f"the blocks. What the machine takes while it idles is part of it. {how}",
        confidence,
        sample="blocks",
        details={
            "summary": said,
            "source": blocks["source"],
            **(
                {"Wh per 1,000 tokens": sum(1e6 * b["kwh"] / b["tokens"] for b in own) / len(own)}
                if all(b["tokens"] for b in own)
                else {}
            ),
            "power while predicting, W": watts,
            "power while idle, W": idle_watts,
            "Wh per 1,000 predictions beyond idling": (watts - idle_watts) * 1000 * seconds / texts / 3600,
            "texts per second": texts / seconds,
            "machine": blocks["machine"],
            "measured on": blocks["created"],
            **by_policy(power),
            "tables": tables,
            "limits": limits,
        },
    )


def break_even(training: statistics.Interval, per_thousand: statistics.Interval) -> tuple[float, float, float | None]:
    """After how many predictions using the model has taken as much as training it: estimate, low, high.

    Parameters
    ----------
    training : Interval
        kWh.
    per_thousand : Interval
        Wh per 1,000 predictions.
    """
    estimate, low = 1e6 * training.estimate / per_thousand.estimate, 1e6 * training.low / per_thousand.high
    return estimate, low, 1e6 * training.high / per_thousand.low if per_thousand.low > 0 else None


def _amounts(
    interval: statistics.Interval,
    grids: Sequence[Mapping[str, Any]],
    per_day: int,
    training: Mapping[str, Any] | None,
) -> tuple[list[dict[str, Any]], list[str], str]:
    """What the energy of 1,000 predictions amounts to in a year: tables, limits, and a sentence."""
    year = [value * per_day * DAYS / 1e6 for value in interval]  # kWh
    rows: list[list[Any]] = [["electricity of a year, kWh", *year]]
    said = (
        f"1,000 predictions take about {plain(interval.estimate)} Wh. At {per_day:,} a day that is {plain(year[0])} "
        f"kWh a year (between {plain(year[1])} and {plain(year[2])})"
    )
    litres = [kwh / BOILED_LITRE_KWH for kwh in year]
    tables, limits = [], []
    if grids:
        carbon = [kwh * grids[0]["g_per_kwh"] / 1000 for kwh in year]
        rows.append(["carbon of a year, kg CO2eq", *carbon])
        said += f" and {plain(carbon[0])} kg CO2eq on the grid of {_place(grids[0])}"
        tables.append({
            "caption": f"The same year on other grids ({_GRIDS})",
            "columns": ["grid", "year of the figure", "g CO2eq per kWh", "kg CO2eq a year", "at least", "at most"],
            "rows": [
                [_place(grid), _year(grid), grid["g_per_kwh"], *(kwh * grid["g_per_kwh"] / 1000 for kwh in year)]
                for grid in grids
            ],
        })  # fmt: skip
    rows.append(["as much as heating so many litres of water from 20 to 100 °C", *litres])
    said += f", as much as bringing {plain(litres[0])} litres of tap water to the boil."
    if training is None:
        limits.append("The model was not trained here, so it is not known when its use outweighs its training.")
    else:
        kwh = float(training["energy"]["kwh"])
        trained = widen(statistics.Interval(kwh, kwh, kwh), estimated_share([training["energy"]]))
        even = break_even(trained, interval)
        share = year[0] / (year[0] + kwh)
        counts = [None if count is None else float(two_digits(round(count))) for count in even]
        rows.append(["predictions until use has taken as much as training", *counts])
        rows.append(["days until then", *(None if count is None else count / per_day for count in even)])
        said += (
            f" Use has taken as much as the training after about {plain(even[0])} predictions, "
            f"or {plain(even[0] / per_day)} days of such use. "
            + (_USE if share >= 0.5 else _TRAINING).format(share=f"{100 * max(share, 1 - share):.0f}")
        )
    tables.insert(0, {
        "caption": f"What it amounts to at {per_day:,} predictions a day ([environment] predictions_per_day). Water: "
        "335 kJ per litre, from steam tables (IAPWS-IF97), without the losses of a kettle",
        "columns": ["", "about", "at least", "at most"],
        "rows": rows,
    })  # fmt: skip
    return tables, limits, said


def _carbon_intensity(
    interval: statistics.Interval, grid: Mapping[str, Any], hours: float, embodied_g_per_hour: float | None
) -> dict[str, Any]:
    """The Software Carbon Intensity with its terms, as a table. Source: ISO/IEC 21031:2024, SCI = (E × I + M) per R.

    Parameters
    ----------
    hours : float
        That 1,000 predictions take.
    """
    intensity = grid["g_per_kwh"]
    energy = [value / 1000 for value in interval]  # kWh
    embodied = None if embodied_g_per_hour is None else embodied_g_per_hour * hours
    sci = [kwh * intensity + (embodied or 0.0) for kwh in energy]
    left_out = ", here without M" if embodied is None else ""
    return {
        "caption": f"Software Carbon Intensity, (E × I + M) per R after ISO/IEC 21031:2024{left_out}",
        "columns": ["term", "unit", "about", "at least", "at most"],
        "rows": [
            ["R: functional unit", "1,000 predictions", None, None, None],
            ["E: electricity", "kWh", *energy],
            [f"I: grid of {_place(grid)}, {_year(grid)}", "g CO2eq per kWh", intensity, None, None],
            [
                "M: making of the machine" + (" (not known: [environment] embodied_g_per_hour)" if left_out else ""),
                "g CO2eq", embodied, None, None,
            ],
            [f"SCI{left_out}", "g CO2eq per 1,000 predictions", *sci],
        ],
    }  # fmt: skip


@Probe(
    id="environment.audit_energy",
    challenge="environment",
    title="Energy of this audit",
    unit="kWh",
    better="lower",
    meaning=(
        "Electricity that this audit took itself. What was kept from a former audit, such as a trained model, is told "
        "beside it and is not part of it."
    ),
    harm=(
        "An audit is run again for each release; one that takes more than the training it examines is a burden itself."
    ),
    remedy="Keep the cache between audits, sample the costly probes ([data] max_examples), use fewer reference models.",
    measured_on=("test data", "machine"),
    rules=("MEASURE 2.12", "Article 9(8)", "A.5.5", "A.6.2.4"),
)
def audit_energy(spent: Mapping[str, Any]) -> Result:
    """Electricity of the audit itself; what was taken from the cache is told apart.

    Parameters
    ----------
    spent : mapping
        From ``Ledger.spent``: ``phases`` and ``kept``, figures of phases each, what was kept with the date on which it
        was made; ``processes``, how many take part; ``elsewhere``, whether some of the phases are other machines'.
    """
    phases, kept = spent["phases"], spent["kept"]
    kwh, estimated = sum(phase["kwh"] for phase in phases), estimated_share(phases)
    source = "estimated" if any(phase["source"] == "estimated" for phase in phases) else "measured"
    power = Power.of(phases[0] if phases else {})
    limits = [
        "Writing the report comes after this figure, and loading the software before it.",
        "Predictions of former audits that were used again are not counted: the records of those audits hold them.",
    ]
    alone = spent["processes"] == 1
    told: dict[str, Any] = {}
    if not alone:
        told["summary"] = (
            f"{plain(kwh)} kWh were spent until this test was run, and only these are held against the gate. Other "
            "processes may still have been at work: what the whole audit took is the sum of the energy by phase."
        )
        limits.append(
            "Several processes took part. What the others did after this test, and what they took from the cache, is "
            "missing here. In one process (without -n) this test comes last."
        )
    if spent.get("elsewhere"):
        limits.append(
            "Other machines took part. Each measured itself while it worked; what it took while waiting is missing."
        )
    before = sum(each["kwh"] for each in kept)
    return Result(
        *widen(statistics.Interval(kwh, kwh, kwh), estimated),
        1,
        f"CodeCarbon from the reading of the data to this test{', which runs after all others' if alone else ''}. "
        f"Models that a former audit trained and kept are not part of it. {_how(source, estimated, power)}",
        sample="audits",
        details={
            **told,
            **by_policy(power),
            "source": source,
            "interval": "error bound",
            "seconds": sum(phase["seconds"] for phase in phases),
            "kg CO2eq": sum(phase["co2eq_kg"] for phase in phases),
            "taken from the cache, kWh when it was made": before,
            "with what was taken from the cache, kWh": kwh + before,
            "tables": [
                {
                    "caption": "Taken from the cache: what it took when it was made",
                    "columns": ["what", "made on", "kWh", "kg CO2eq", "measured or estimated"],
                    "rows": [
                        [PHASES[e["name"]], e["created"][:10], e["kwh"], e["co2eq_kg"], e["source"]] for e in kept
                    ],
                }
            ],
            "limits": limits,
        },
    )


def _place(grid: Mapping[str, Any]) -> str:
    return str(grid["name"] or f"{grid['country']} (not in the table: the world's average)")


def _year(grid: Mapping[str, Any]) -> str:
    """Of which year the figure is."""
    # The world's average is that of the International Energy Agency's status report of 2019.
    return str(grid["year"] or "2018")


def plain(value: float) -> str:
    """Two digits, as people say it."""
    if value >= 10:
        return f"{two_digits(round(value)):,}"
    return f"{value:.{max(1 - math.floor(math.log10(value)), 0)}f}" if value > 0 else "0"
