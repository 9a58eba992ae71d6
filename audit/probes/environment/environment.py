"""Environment: what training the model, using it and auditing it take in electricity, and what that amounts to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Fact, Facts, Table
from audit.core.figures import Figures, Spent
from audit.core.measurement import Result
from audit.core.numbers import two_digits
from audit.core.probe import Alarm, Probe
from audit.core.sentences import Sentence, joined, of_file
from audit.energy.meter import Power, estimated_kwh
from audit.energy.phases import PHASES
from audit.probes.methods import POWER_METERS

if TYPE_CHECKING:
    from audit.core.figures import Grid
    from audit.energy.meter import InferenceEnergy
    from audit.models.model import Training

# Source: Fischer, "Ground-Truthing AI Energy Consumption: Validating CodeCarbon Against External Measurements",
# arXiv:2509.22092 (2025): estimates from load and nominal power are off by up to 40 % of the true value.
ESTIMATE_ERROR = 0.4
# Enthalpy of liquid water at 100 °C less that at 20 °C, 419.1 and 83.9 kJ/kg. Source: steam tables, IAPWS-IF97.
BOILED_LITRE_KWH = 335.2 / 3600
DAYS = 365
_OTHER_WATTS = Sentence(
    "The training was kept from a former audit, whose policy said other cpu_watts or ram_watts than this one, or none; "
    "its figure is of then. `python -m audit cache --clear` has it trained and measured again."
)
# How a figure of electricity is known.
SOURCES: Mapping[str, Sentence] = {"measured": Sentence("measured"), "estimated": Sentence("estimated")}
_ABOUT, _AT_LEAST, _AT_MOST = Sentence("about"), Sentence("at least"), Sentence("at most")


def nominal(watts: float) -> Sentence:
    """The caveat on a nominal power that was guessed."""
    return Sentence(
        "The processor's nominal power was taken to be {watts:.4g} W, which CodeCarbon guesses from its name. In a "
        "virtual machine this may be far from the truth, and so may the figures, beyond the interval.",
        watts=watts,
    )


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


def wh_per_thousand(blocks: InferenceEnergy, confidence: float = 0.95) -> statistics.Interval:
    """Wh per 1,000 predictions: t interval over the blocks of a measurement, widened where power was estimated.

    Parameters
    ----------
    blocks : mapping
        From :func:`audit.energy.meter.measure_inference`.
    """
    own = blocks["blocks"]
    values = [1e6 * block["kwh"] / block["texts"] for block in own]
    return widen(statistics.mean(values, confidence), estimated_share(own))


def narrower(blocks: InferenceEnergy, bound: float, confidence: float = 0.95) -> str:
    """What would tell the electricity of predictions from a bound: nobody can ask for more blocks."""
    own = [1e6 * block["kwh"] / block["texts"] for block in blocks["blocks"]]
    _, low, high = statistics.mean(own, confidence)
    if low <= bound <= high:
        return Sentence("the blocks differ too much; a machine with nothing else to do would give steadier ones")
    return Sentence("the electricity is estimated, and may be that far off; {better}", better=POWER_METERS)


def _how(source: str, estimated: float, power: Power) -> str:
    """Which part was measured, which estimated and which the policy says, and what follows for the interval."""
    policy = joined(
        [
            Sentence("The policy says {power}.", power=str(power)) if power.stated else "",
            Sentence("All electricity is multiplied by the power usage effectiveness (PUE).")
            if power.pue is not None
            else "",
        ]
    )
    if not estimated:
        return joined([Sentence("All power was read from counters."), policy])
    memory = Sentence("a constant for each module") if power.ram_watts is None else Sentence("a constant")
    parts = (
        Sentence("the processor's power is its load times its nominal power, the memory's {memory}", memory=memory)
        if source == "estimated"
        else Sentence("the memory's power is {memory}; the rest was read from counters (RAPL, NVML)", memory=memory)
    )
    return joined(
        [
            Sentence("{share:.3g} % of the electricity is estimated: {parts}.", share=100 * estimated, parts=parts),
            policy,
            Sentence(
                "Such estimates are off by up to 40 % (Fischer 2025, arXiv:2509.22092), and the interval is widened by "
                "that."
            ),
        ]
    )


def by_policy(power: Power) -> str:
    """What the policy states of the machine's power, which page and terminal show beside the figure; else empty."""
    return str(power) if power.stated else ""


@Probe(
    id="environment.training_energy",
    challenge="environment",
    title="Electricity that the training took",
    unit="kWh",
    better="lower",
    meaning="Electricity that the fine-tuning of this model took on the machine that trained it.",
    harm="Electricity costs money and, where it is not clean, warms the climate.",
    remedy="Fewer epochs, frozen layers, a smaller model, a GPU instead of a CPU.",
    measured_on=("machine", "training data", "recipe"),
    rules=("MEASURE 2.12", "Article 9(8)", "Article 11 and annex IV, point 2", "A.5.5", "A.6.2.4"),
    alarm=Alarm(10, "a household of two takes about as much in a day (Eurostat: some 1.6 MWh a head and year)"),
    guide="docs/energy.md",
    cause="energy",
    levers=("train less", "smaller model"),
)
def training_energy(training: Training | None, stated: Mapping[str, float] | None = None) -> Result:
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
            Sentence(
                "the model was loaded, not trained here; audit what the recipe of [model.finetune] makes of a network, "
                "without --audit-model"
            )
        )
    energy = training["energy"]
    estimated, kwh, power = estimated_share([energy]), float(energy["kwh"]), Power.of(energy)
    now = power if stated is None else Power.of(stated)
    is_as_now = (power.cpu_watts, power.ram_watts) == (now.cpu_watts, now.ram_watts)
    return Result(
        *widen(statistics.Interval(kwh, kwh, kwh), estimated),
        1,
        joined([Sentence("CodeCarbon around the one training run."), _how(energy["source"], estimated, power)]),
        sample=Sentence("training runs"),
        ceiling=POWER_METERS,
        interval="error bound",
        source=_source(energy["source"]),
        stated=by_policy(power),
        caveats=[] if is_as_now else [_OTHER_WATTS],
        evidence=[
            Facts(
                [
                    Fact(Sentence("seconds"), energy["seconds"]),
                    Fact(Sentence("kg CO2eq"), energy["co2eq_kg"]),
                    Fact(Sentence("processor, kWh"), energy["cpu_kwh"]),
                    Fact(Sentence("graphics card, kWh"), energy["gpu_kwh"]),
                    Fact(Sentence("memory, kWh (a constant per module)"), energy["ram_kwh"]),
                    Fact(Sentence("trained on"), training["created"]),
                    Fact(Sentence("device"), training["device"]),
                ]
            )
        ],
    )


def _source(source: str) -> Literal["measured", "estimated"]:
    return "estimated" if source == "estimated" else "measured"


@Probe(
    id="environment.inference_energy",
    challenge="environment",
    title="Electricity of use",
    unit="Wh per 1,000 predictions",
    better="lower",
    meaning="Electricity that 1,000 predictions take on this machine, for texts like those of the test data.",
    harm="This cost recurs with each use and soon exceeds that of the training.",
    remedy="A smaller or distilled model, 8-bit weights, larger batches, shorter texts.",
    measured_on=("test data", "machine"),
    rules=("MEASURE 2.12", "Article 9(8)", "A.5.5", "A.6.2.4"),
    alarm=Alarm(20, "ten times the mean of text classifiers, 2 Wh (Luccioni et al., FAccT 2024, table 2)"),
    guide="docs/energy.md",
    cause="energy",
    levers=("smaller model",),
)
def inference_energy(
    blocks: InferenceEnergy,
    confidence: float = 0.95,
    *,
    training: Training | None = None,
    grids: Sequence[Grid] = (),
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
    tables, caveats, summary = _amounts(interval, grids, predictions_per_day, training)
    if blocks["source"] == "estimated" and power.cpu_watts is None:
        caveats.append(nominal(blocks["nominal_w"]))
    if grids:
        tables.insert(0, _carbon_intensity(interval, grids[0], 1000 * seconds / texts / 3600, embodied_g_per_hour))
    beyond = (watts - idle_watts) * 1000 * seconds / texts / 3600
    per_token = [1e6 * block["kwh"] / block["tokens"] for block in own if block["tokens"]]
    return Result(
        *interval,
        len(own),
        joined(
            [
                Sentence(
                    "CodeCarbon around {number} separate blocks of predictions on test texts after a warm-up; t "
                    "interval over the blocks. What the machine takes while it idles is part of it.",
                    number=len(own),
                ),
                how,
            ]
        ),
        confidence,
        sample=Sentence("blocks"),
        interval="approximate",
        settle=lambda bound: narrower(blocks, bound, confidence),
        summary=summary,
        source=_source(blocks["source"]),
        machine=blocks["machine"],
        stated=by_policy(power),
        caveats=caveats,
        evidence=[
            *tables,
            Facts(
                [
                    *(
                        [Fact(Sentence("Wh per 1,000 tokens"), sum(per_token) / len(own))]
                        if len(per_token) == len(own)
                        else []
                    ),
                    Fact(Sentence("power while predicting, W"), watts),
                    Fact(Sentence("power while idle, W"), idle_watts),
                    Fact(Sentence("Wh per 1,000 predictions beyond idling"), beyond),
                    Fact(Sentence("texts per second"), texts / seconds),
                    Fact(Sentence("measured on"), blocks["created"]),
                ]
            ),
        ],
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
    interval: statistics.Interval, grids: Sequence[Grid], per_day: int, training: Training | None
) -> tuple[list[Table], list[str], str]:
    """What the energy of 1,000 predictions amounts to in a year: tables, caveats, and a summary."""
    year = [value * per_day * DAYS / 1e6 for value in interval]  # kWh
    litres = [kwh / BOILED_LITRE_KWH for kwh in year]
    rows: list[list[Cell]] = [[Sentence("electricity of a year, kWh"), *year]]
    carbon: str = ""
    tables: list[Table] = []
    if grids:
        kg = [kwh * grids[0]["g_per_kwh"] / 1000 for kwh in year]
        rows.append([Sentence("carbon of a year, kg CO2eq"), *kg])
        carbon = Sentence(" and {kg:rough} kg CO2eq on the grid of {place}", kg=kg[0], place=_place(grids[0]))
        tables.append(_other_grids(grids, year))
    rows.append([Sentence("as much as heating so many litres of water from 20 to 100 °C"), *litres])
    summary = Sentence(
        "1,000 predictions take about {wh:rough} Wh. At {per_day:,} a day that is {kwh:rough} kWh a year (between "
        "{low:rough} and {high:rough}){carbon}, as much as bringing {litres:rough} litres of tap water to the boil.",
        wh=interval.estimate,
        per_day=per_day,
        kwh=year[0],
        low=year[1],
        high=year[2],
        carbon=carbon,
        litres=litres[0],
    )
    caveats: list[str] = []
    use: str = ""
    if training is None:
        caveats.append(
            Sentence("The model was not trained here, so it is not known when its use outweighs its training.")
        )
    else:
        kwh = float(training["energy"]["kwh"])
        trained = widen(statistics.Interval(kwh, kwh, kwh), estimated_share([training["energy"]]))
        even = break_even(trained, interval)
        counts = [None if count is None else float(two_digits(round(count))) for count in even]
        rows.append([Sentence("predictions until use has taken as much as training"), *counts])
        rows.append([Sentence("days until then"), *(None if count is None else count / per_day for count in even)])
        use = joined(
            [
                Sentence(
                    "Use has taken as much as the training after about {predictions:rough} predictions, or "
                    "{days:rough} days of such use.",
                    predictions=even[0],
                    days=even[0] / per_day,
                ),
                _larger_part(year[0] / (year[0] + kwh)),
            ]
        )
    amounts = Table(
        Sentence(
            "What it amounts to at {per_day:,} predictions a day ([environment] predictions_per_day). Water: 335 kJ "
            "per litre, from steam tables (IAPWS-IF97), without the losses of a kettle",
            per_day=per_day,
        ),
        ["", _ABOUT, _AT_LEAST, _AT_MOST],
        rows,
    )
    return [amounts, *tables], caveats, joined([summary, use])


def _larger_part(use: float) -> Sentence:
    """What saves most, by the share of use in a first year's electricity."""
    if use >= 0.5:
        return Sentence(
            "Of a first year's electricity about {share:%} is use: a smaller model, or fewer questions to it, saves "
            "more than a cheaper training.",
            share=use,
        )
    return Sentence(
        "Of a first year's electricity about {share:%} is training: to train less often, or for less, saves more "
        "than a smaller model.",
        share=1 - use,
    )


def _other_grids(grids: Sequence[Grid], year: Sequence[float]) -> Table:
    """The carbon of a year's kWh on each grid."""
    return Table(
        Sentence(
            "The same year on other grids (CodeCarbon's table of national grids: averages of a year over all power "
            "plants of a country)"
        ),
        [
            Sentence("grid"),
            Sentence("year of the figure"),
            Sentence("g CO2eq per kWh"),
            Sentence("kg CO2eq a year"),
            _AT_LEAST,
            _AT_MOST,
        ],
        [
            [_place(grid), _year(grid), grid["g_per_kwh"], *(kwh * grid["g_per_kwh"] / 1000 for kwh in year)]
            for grid in grids
        ],
    )


def _carbon_intensity(
    interval: statistics.Interval, grid: Grid, hours: float, embodied_g_per_hour: float | None
) -> Table:
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
    without = Sentence(", here without M") if embodied is None else ""
    making = (
        Sentence("M: making of the machine (not known: [environment] embodied_g_per_hour)")
        if embodied is None
        else Sentence("M: making of the machine")
    )
    rows: list[list[Cell]] = [
        [Sentence("R: functional unit"), Sentence("1,000 predictions"), None, None, None],
        [Sentence("E: electricity"), "kWh", *energy],
        [
            Sentence("I: grid of {place}, {year}", place=_place(grid), year=_year(grid)),
            Sentence("g CO2eq per kWh"), intensity, None, None,
        ],
        [making, Sentence("g CO2eq"), embodied, None, None],
        [Sentence("SCI{without}", without=without), Sentence("g CO2eq per 1,000 predictions"), *sci],
    ]  # fmt: skip
    return Table(
        Sentence("Software Carbon Intensity, (E × I + M) per R after ISO/IEC 21031:2024{without}", without=without),
        [Sentence("term"), Sentence("unit"), _ABOUT, _AT_LEAST, _AT_MOST],
        rows,
    )


@Probe(
    id="environment.audit_energy",
    challenge="environment",
    title="Electricity that this audit took",
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
    alarm=Alarm(1, "run for weekly releases it is 52 kWh a year: a household of two's electricity of six days"),
    guide="docs/energy.md",
)
def audit_energy(spent: Spent) -> Result:
    """Electricity of the audit itself; what was taken from the cache is told apart.

    Parameters
    ----------
    spent : Spent
        From ``Ledger.spent``: ``phases`` and ``kept``, figures of phases each, what was kept with the date on which it
        was made; ``processes``, how many take part; ``elsewhere``, whether some of the phases are other machines'.
    """
    phases, kept = spent["phases"], spent["kept"]
    kwh, estimated = sum(phase["kwh"] for phase in phases), estimated_share(phases)
    source: Literal["measured", "estimated"] = (
        "estimated" if any(phase["source"] == "estimated" for phase in phases) else "measured"
    )
    power = Power.of(phases[0] if phases else {})
    caveats = [
        Sentence("Writing the report comes after this figure, and loading the software before it."),
        Sentence(
            "Predictions of former audits that were used again are not counted: the records of those audits hold them."
        ),
    ]
    summary: str = ""
    what = Sentence(
        "CodeCarbon from the reading of the data to this test, which runs after all others. Models that a former audit "
        "trained and kept are not part of it."
    )
    if spent["processes"] != 1:
        what = Sentence(
            "CodeCarbon from the reading of the data to this test. Models that a former audit trained and kept are not "
            "part of it."
        )
        summary = Sentence(
            "{kwh:rough} kWh were spent until this test was run, and only these are held against the gate. Other "
            "processes may still have been at work: what the whole audit took is the sum of the energy by phase.",
            kwh=kwh,
        )
        caveats.append(
            Sentence(
                "Several processes took part. What the others did after this test, and what they took from the cache, "
                "is missing here. In one process (without -n) this test comes last."
            )
        )
    if spent.get("elsewhere"):
        caveats.append(
            Sentence(
                "Other machines took part. Each measured itself while it worked; what it took while waiting is missing."
            )
        )
    before = sum(each["kwh"] for each in kept)
    return Result(
        *widen(statistics.Interval(kwh, kwh, kwh), estimated),
        1,
        joined([what, _how(source, estimated, power)]),
        sample=Sentence("audits"),
        ceiling=POWER_METERS,
        summary=summary,
        interval="error bound",
        source=source,
        stated=by_policy(power),
        caveats=caveats,
        evidence=[
            Table(
                Sentence("Taken from the cache: what it took when it was made"),
                [
                    Sentence("what"),
                    Sentence("made on"),
                    "kWh",
                    Sentence("kg CO2eq"),
                    Sentence("measured or estimated"),
                ],
                [
                    [of_file(PHASES[e["name"]]), e["created"][:10], e["kwh"], e["co2eq_kg"], SOURCES[e["source"]]]
                    for e in kept
                ],
            ),
            Facts(
                [
                    Fact(Sentence("seconds"), sum(phase["seconds"] for phase in phases)),
                    Fact(Sentence("kg CO2eq"), sum(phase["co2eq_kg"] for phase in phases)),
                    Fact(Sentence("taken from the cache, kWh when it was made"), before),
                    Fact(Sentence("with what was taken from the cache, kWh"), kwh + before),
                ]
            ),
        ],
    )


def _place(grid: Grid) -> str:
    name = grid["name"]
    if name:
        return name
    return Sentence("{country} (not in the table: the world's average)", country=grid["country"])


def _year(grid: Grid) -> str:
    """Of which year the figure is."""
    # The world's average is that of the International Energy Agency's status report of 2019.
    return str(grid["year"] or "2018")
