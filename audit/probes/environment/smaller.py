"""Environment: would a smaller model do? What each further right answer takes in electricity, and who offers more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, TypedDict

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Fact, Facts, Pareto, ParetoModel, Table
from audit.core.measurement import Result
from audit.core.numbers import two_digits
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence, joined, listed
from audit.energy.meter import Power
from audit.experiments.alternatives import NAMES, Alternative
from audit.probes.environment.environment import DAYS, SOURCES, by_policy, nominal, wh_per_thousand
from audit.probes.methods import PAIRED, POWER_METERS, clustered
from audit.statistics import Interval, Settling

CLAIMS = 3  # what the ratio rests on: the gain, and the energy of either model
ALIKE = 0.01  # a model that surely loses no more accuracy than this is said to answer as well
_WANTED = Sentence("name it as 'words' under [environment] alternatives")


class _Row(NamedTuple):
    """A model with its figures."""

    of: Alternative
    accuracy: Interval
    wh: Interval  # per 1,000 predictions

    def dominates(self, other: _Row) -> bool:
        """Whether the estimates are as good in both respects, and better in one."""
        more, less = self.accuracy.estimate - other.accuracy.estimate, other.wh.estimate - self.wh.estimate
        return min(more, less) >= 0 and max(more, less) > 0


class _Against(TypedDict, total=False):
    """How a model compares with the audited one, as :class:`ParetoModel` has it."""

    gain: Interval
    outdoes: Literal["", "both", "accuracy"]


@Probe(
    id="environment.energy_per_gain",
    challenge="environment",
    title="Electricity for an extra right answer",
    unit="Wh per extra right answer",
    better="lower",
    meaning=(
        "The electricity that the model takes beyond what TF-IDF + logistic regression (counting words) takes, for "
        "each answer that it gets right beyond it. Where it is right no more often, there is nothing that the "
        "electricity buys."
    ),
    harm=(
        "A large model in a place where a small one would do takes its electricity day after day for nothing, and "
        "often time, money and explanations too."
    ),
    remedy=(
        "Ship the smallest model that does as well; the picture and the tables show which of those tried that is. Or "
        "train this one better: more data, pretrained weights."
    ),
    measured_on=("test data", "machine", "recipe"),
    rules=("MEASURE 2.12", "Article 9(8)", "A.5.5", "A.6.2.4"),
    trainings=3,
    alarm=Alarm(12, "an answer takes as much as charging a telephone (US EPA: 0.012 kWh)"),
    guide="docs/energy.md",
    cause="energy",
    levers=("smaller model",),
)
def energy_per_gain(
    made: Sequence[Alternative], left_out: Mapping[str, str], *, predictions_per_day: int = 100_000
) -> Result:
    """Extra electricity for each extra right answer over TF-IDF and logistic regression; all models beside it.

    Parameters
    ----------
    made : sequence of Alternative
        The audited model first, all on the same test examples.
    left_out : mapping
        From the kind of each model that was not made to the reason.
    predictions_per_day : int
        How often the model is asked, by the policy; training is spread over a year of it.

    Raises
    ------
    NotAssessed
        Without the linear model.

    Notes
    -----
    There is a figure only where the model is surely right more often. Where it surely is not, nothing bounds what a
    right answer more would take; where that is open, the figure is open too.
    """
    audited, linear = made[0], next((each for each in made if each.kind == "words"), None)
    if linear is None:
        raise NotAssessed(
            Sentence(
                "there is no {words} to compare with: {why}",
                words=NAMES["words"],
                why=left_out.get("words", _WANTED),
            )
        )
    protocol, n = audited.predictions.known.protocol, len(audited.predictions)
    share = statistics.shared_out(protocol.confidence, CLAIMS)
    gain = _gain(audited, linear, share)
    own, other = (wh_per_thousand(each.inference, share) for each in (audited, linear))
    extra = Interval(own.estimate - other.estimate, own.low - other.high, own.high - other.low)
    answers = Interval(*(1000 * value for value in gain))
    rows = [_Row(each, _accuracy(each), wh_per_thousand(each.inference, protocol.confidence)) for each in made]
    estimated = [each for each in made if each.inference["source"] == "estimated"]
    guessed = estimated and Power.of(audited.inference).cpu_watts is None
    figure: tuple[float | None, float | None, float | None] = (None, None, None)
    settle = None
    unbounded: str = ""
    undecided: str = ""
    with_training: list[Fact] = []
    if gain.high <= 0:
        figure = (None, math.inf, None)
        unbounded = Sentence("the energy buys nothing: it is right no more often than {linear}", linear=linear.name)
    elif gain.low <= 0:
        undecided = _gain_settled(gain, n, share, linear.name)
    else:
        figure = statistics.quotient(extra, answers)
        settle = _settled(extra, answers, n, share)
        if audited.training is not None and linear.training is not None:
            longer = audited.training["energy"]["kwh"] - linear.training["energy"]["kwh"]
            spread = 1e6 * longer / (DAYS * predictions_per_day)
            per_answer = (extra.estimate + spread) / answers.estimate
            with_training = [
                Fact(Sentence("with training, over a year of use, Wh per extra answer"), per_answer),
            ]
    result = Result(
        *figure,
        n,
        _method(linear.name, predictions_per_day, is_estimated=bool(estimated)),
        protocol.confidence,
        summary=joined([_compared(linear.name, gain, own, other), _advice(rows, linear if gain.high <= 0 else None)]),
        source="estimated" if estimated else "measured",
        stated=by_policy(Power.of(audited.inference)),
        unbounded=unbounded,
        undecided=undecided,
        caveats=[
            Sentence(
                "The other models were made with fixed settings, without a search for better ones: with more care each "
                "may do better than shown here, and so may the audited one."
            ),
            *(
                [Sentence("The model was not trained here, so what its training took is not part of any figure.")]
                if audited.training is None
                else []
            ),
            *([nominal(estimated[0].inference["nominal_w"])] if guessed else []),
        ],
        evidence=[
            _pareto(rows),
            _accuracies(rows),
            _costs(rows),
            _missing(left_out),
            Facts(
                [
                    Fact(Sentence("times the energy of the linear model"), own.estimate / other.estimate),
                    Fact(Sentence("extra Wh per 1,000 predictions"), extra.estimate),
                    Fact(Sentence("extra right answers per 1,000 predictions"), answers.estimate),
                    *with_training,
                ]
            ),
        ],
        interval="approximate",
        settle=settle,
    )
    return clustered(result, _effect(audited, linear), protocol.cluster)


def _method(linear: str, per_day: int, *, is_estimated: bool) -> str:
    how = Sentence(
        "Extra electricity over extra right answers, both of the audited model beyond {linear} and for the same "
        "number of predictions. Use only: what training took is told beside it, spread over a year at {per_day:,} "
        "predictions a day. Right answers are compared on the same test examples ({paired}); electricity comes from "
        "separate blocks of predictions on test texts (t interval over the blocks). Each of these three intervals "
        "has a third of the error (Bonferroni), and the limits are the farthest that the three allow together. "
        "Where the model is surely not right more often there is no such figure, and a gate on it fails.",
        linear=linear,
        per_day=per_day,
        paired=PAIRED,
    )
    estimate = Sentence(
        "Estimated power is off by up to 40 % (Fischer 2025, arXiv:2509.22092), and the interval of either model's "
        "electricity is widened by that. Both were estimated in one way on one machine, but the error need not be the "
        "same for two programs that load the processor differently, so none of it is taken to cancel out."
    )
    return joined([how, estimate if is_estimated else ""])


def _gain(model: Alternative, other: Alternative, confidence: float) -> Interval:
    """How much more often one is right than the other, paired by example."""
    right = model.predictions.correct, other.predictions.correct
    return statistics.paired_difference(*statistics.discordant(*right), confidence, effect=_effect(model, other))


def _effect(model: Alternative, other: Alternative) -> statistics.DesignEffect:
    return statistics.paired_effect(
        model.predictions.correct, other.predictions.correct, model.predictions.known.clusters
    )


def _accuracy(model: Alternative) -> Interval:
    known = model.predictions.known
    return statistics.share(model.predictions.correct, known.protocol.confidence, clusters=known.clusters)


def _gain_settled(gain: Interval, n: int, confidence: float, linear: str) -> str:
    """What would settle whether there is a gain at all."""
    near = gain.low if gain.estimate > 0 else gain.high
    size = statistics.sample_to_settle(gain.estimate, near, 0.0, n, confidence)
    if size is None:
        return Sentence(
            "whether it is right more often than {linear} is open: both are right equally often here, so no number of "
            "test examples would settle it",
            linear=linear,
        )
    return Sentence(
        "whether it is right more often than {linear} is open: about {number:,} more test examples would settle that",
        linear=linear,
        number=two_digits(max(size - n, 1)),
    )


def _settled(extra: Interval, answers: Interval, n: int, confidence: float) -> Callable[[float], Settling | str | None]:
    """From a gate to the number of test examples that would settle it: they narrow the gain, not the energy."""

    def settle(bound: float) -> Settling | str | None:
        low, high = extra.low / answers.estimate, extra.high / answers.estimate
        if low <= bound <= high:
            return Sentence(
                "the electricity is not known well enough, which no number of test examples changes; {better}",
                better=POWER_METERS,
            )
        needed = (extra.high if high < bound else extra.low) / bound
        near = answers.low if answers.estimate > needed else answers.high
        size = statistics.sample_to_settle(answers.estimate, near, needed, n, confidence)
        return None if size is None else Settling(size)

    return settle


# ------------------------------------------------------------------------------------------------ what a manager reads


def _compared(linear: str, gain: Interval, own: Interval, other: Interval) -> str:
    """What the model offers beyond the linear one, and for how much."""
    times = own.estimate / other.estimate
    between: str = ""
    if other.low > 0:
        between = Sentence(
            " (between {low:rough} and {high:rough} times)", low=own.low / other.high, high=own.high / other.low
        )
    if gain.low > 0 and times >= 1:
        return Sentence(
            "This model costs {share} the energy of {linear}{between} for {points} of accuracy.",
            share=_share(times), linear=linear, between=between, points=_points(gain),
        )  # fmt: skip
    if gain.low > 0:
        return Sentence(
            "This model is right more often than {linear}, by {points}, for {share} the energy.",
            linear=linear, points=_points(gain), share=_share(times),
        )  # fmt: skip
    if gain.high <= 0 and times >= 1:
        return Sentence(
            "{linear} is as good or better here, by {points}, for {share} the energy: the energy of this model buys "
            "nothing.",
            linear=linear, points=_points(_turned(gain)), share=_share(1 / times),
        )  # fmt: skip
    if gain.high <= 0:
        return Sentence(
            "{linear} is as good or better here, by {points}, though this model takes {share} its energy.",
            linear=linear, points=_points(_turned(gain)), share=_share(times),
        )  # fmt: skip
    if gain.estimate < 0:
        return Sentence(
            "{linear} was right more often here, by {points}, which chance may explain; this model takes {share} its "
            "energy{between}.",
            linear=linear, points=_points(_turned(gain)), share=_share(times), between=between,
        )  # fmt: skip
    return Sentence(
        "Whether this model is right more often than {linear} is open ({points}); it takes {share} its "
        "energy{between}.",
        linear=linear, points=_points(gain), share=_share(times), between=between,
    )  # fmt: skip


def _advice(rows: Sequence[_Row], better: Alternative | None) -> str:
    """Whether one of the others would do as well for less: the one that takes least, if any does.

    Parameters
    ----------
    better : Alternative or None
        Of which the sentence before says that it is as good or better.
    """
    audited, *others = rows
    # One is chosen among several, so all their differences must hold together.
    together = statistics.shared_out(audited.of.predictions.known.protocol.confidence, len(others))
    gains = [(row, _gain(row.of, audited.of, together)) for row in others if row.wh.estimate < audited.wh.estimate]
    as_good = [(row, gain) for row, gain in gains if gain.low >= -ALIKE]
    if not as_good:
        return Sentence(
            "Of the models tried beside it, none is known to do as well for less (to lose a point at most)."
        )
    row, gain = min(as_good, key=lambda each: each[0].wh.estimate)
    ship = Sentence("Ship that one.")
    is_sure = row.wh.high < audited.wh.low
    if is_sure and row.of is better:
        return ship
    if gain.low > 0:
        how = Sentence("Right more often")
    else:
        how = Sentence("Nearly as good") if gain.high < 0 else Sentence("As good")
    offer = Sentence(
        "{how} for less: {model} ({points}), for {share} the energy.",
        how=how,
        model=row.of.name,
        points=Sentence("{points} more", points=_points(gain))
        if gain.estimate >= 0
        else Sentence("{points} less", points=_points(_turned(gain))),
        share=_share(row.wh.estimate / audited.wh.estimate),
    )
    if not is_sure:
        ship = Sentence("The electricity is not known well enough to be sure: if a meter confirms it, ship that one.")
    elif gain.high < 0:
        ship = Sentence("Ask whether the rest is worth it.")
    return joined([offer, ship])


def _share(times: float) -> str:
    """How many times as much, or which part of it; completed by what it is a part of."""
    if times >= 1:
        return Sentence("about {times:rough} times", times=times)
    if times >= 0.1:
        return Sentence("about {share:.2g} % of", share=100 * times)
    return Sentence("about 1/{times:rough} of", times=1 / times)


def _points(gain: Interval) -> str:
    """The difference, without the interval that it has among several: its own finding has another one."""
    points = 100 * gain.estimate
    if f"{points:.1f}" == "1.0":
        return Sentence("{points:.1f} point", points=points)
    return Sentence("{points:.1f} points", points=points)


def _turned(gain: Interval) -> Interval:
    return Interval(-gain.estimate, -gain.high, -gain.low)


# --------------------------------------------------------------------------------------------------------- all models


def _front(rows: Sequence[_Row]) -> list[_Row]:
    """Those that no other matches in both respects, the cheapest first (Pareto front of the estimates)."""
    front = [row for row in rows if not any(other.dominates(row) for other in rows)]
    return sorted(front, key=lambda row: row.wh.estimate)


def _places(rows: Sequence[_Row]) -> list[str]:
    """For each model whether it is on the front, and how sure that is."""
    front = _front(rows)
    places: dict[int, str] = dict.fromkeys(map(id, front), Sentence("yes"))
    for cheaper, row in pairwise(front):
        confidence = row.of.predictions.known.protocol.confidence
        alike = [
            *([Sentence("right answers")] if _gain(row.of, cheaper.of, confidence).low <= 0 else []),
            *([Sentence("energy")] if row.wh.low <= cheaper.wh.high else []),
        ]
        if alike:
            places[id(row)] = Sentence(
                "yes, but by {alike} not to be told from {model}",
                alike=listed(alike, Sentence(" and ")),
                model=cheaper.of.name,
            )
    for row in rows:
        better = [other for other in front if other.dominates(row)]
        if better:
            places[id(row)] = Sentence("no: outdone by {model}", model=better[0].of.name)
    return [places[id(row)] for row in rows]


_MODEL, _AT_LEAST, _AT_MOST = Sentence("model"), Sentence("at least"), Sentence("at most")


def _accuracies(rows: Sequence[_Row]) -> Table:
    audited = rows[0].of
    confidence = audited.predictions.known.protocol.confidence
    return Table(
        Sentence(
            "Right answers on the same test examples, and the difference to the audited model's; each interval "
            "holds by itself. On the front: by the estimates, no other model is as often right for as little energy"
        ),
        [
            _MODEL, Sentence("accuracy"), _AT_LEAST, _AT_MOST, Sentence("difference"), _AT_LEAST, _AT_MOST,
            Sentence("on the front"),
        ],
        [
            [
                row.of.name,
                *row.accuracy,
                *([None] * 3 if row.of is audited else _gain(row.of, audited, confidence)),
                place,
            ]
            for row, place in zip(rows, _places(rows), strict=True)
        ], units=["", SHARE, SHARE, SHARE, POINTS, POINTS, POINTS, ""],
    )  # fmt: skip


def _costs(rows: Sequence[_Row]) -> Table:
    return Table(
        Sentence(
            "What each takes: electricity of use (Wh per 1,000 predictions) and of training, milliseconds for a single "
            "answer (median, and what one in twenty exceeds), and size"
        ),
        [
            _MODEL, Sentence("use, Wh"), _AT_LEAST, _AT_MOST, Sentence("how known"), Sentence("training, Wh"),
            Sentence("training, s"), Sentence("answer, ms"), Sentence("one in 20, ms"), Sentence("MB on disk"),
            Sentence("parameters"),
        ],
        [
            [
                row.of.name, *row.wh, SOURCES[row.of.inference["source"]], *_training(row.of),
                1000 * row.of.latency["median_s"], 1000 * row.of.latency["p95_s"], row.of.size / 1e6,
                row.of.parameters,
            ]
            for row in rows
        ],
    )  # fmt: skip


def _training(model: Alternative) -> list[float | None]:
    """Wh and seconds; not known of a model that was loaded, and none where nothing was trained."""
    if model.training is None:
        return [None, None]
    return [1000 * model.training["energy"]["kwh"], model.training["energy"]["seconds"]]


def _missing(left_out: Mapping[str, str]) -> Table:
    return Table(
        Sentence("Not compared"),
        [_MODEL, Sentence("why")],
        [[NAMES.get(kind, kind), reason] for kind, reason in left_out.items()],
    )


def _pareto(rows: Sequence[_Row]) -> Pareto:
    """What the report draws: the front and what lies behind it."""
    front = set(map(id, _front(rows)))
    return Pareto(
        [
            ParetoModel(
                row.of.name, row.accuracy, row.wh, id(row) in front, row is rows[0],
                **({} if row is rows[0] else _against(row.of, rows[0].of, len(rows) - 1)),
            )
            for row in rows
        ]
    )  # fmt: skip


def _against(model: Alternative, audited: Alternative, others: int) -> _Against:
    """Whether a model outdoes the audited one, the error shared out over right answers and energy of all `others`."""
    share = statistics.shared_out(audited.predictions.known.protocol.confidence, 2 * others)
    gain = _gain(model, audited, share)
    its, own = (wh_per_thousand(each.inference, share) for each in (model, audited))
    if gain.low >= 0 and its.high < own.low:
        return {"gain": gain, "outdoes": "both"}
    return {"gain": gain, "outdoes": "accuracy" if gain.low > 0 and its.low <= own.high else ""}
