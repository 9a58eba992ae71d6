"""Environment: would a smaller model do? What each further right answer takes in electricity, and who offers more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.measurement import Result
from audit.core.numbers import two_digits
from audit.core.probe import Probe
from audit.energy.meter import Power
from audit.experiments.alternatives import NAMES, Alternative
from audit.probes.environment.environment import DAYS, NOMINAL, by_policy, plain, wh_per_thousand
from audit.statistics import Interval, Settling

CLAIMS = 3  # what the ratio rests on: the gain, and the energy of either model
ALIKE = 0.01  # a model that surely loses no more accuracy than this is said to answer as well
_WANTED = "name it as 'words' under [environment] alternatives"
_METHOD = (
    "Extra electricity over extra right answers, both of the audited model beyond {linear} and for the same number of "
    "predictions. Use only: what training took is told beside it, spread over a year at {per_day:,} predictions a day. "
    "Right answers are compared on the same test examples ({paired}); electricity comes from separate blocks of "
    "predictions on test texts (t interval over the blocks). Each of these three intervals has a third of the error "
    "(Bonferroni), and the limits are the farthest that the three allow together. Where the model is surely not right "
    "more often there is no such figure, and a gate on it fails."
)
_ESTIMATED = (
    " Estimated power is off by up to 40 % (Fischer 2025, arXiv:2509.22092), and the interval of either model's "
    "electricity is widened by that. Both were estimated in one way on one machine, but the error need not be the same "
    "for two programs that load the processor differently, so none of it is taken to cancel out."
)
_METER = (
    "the electricity is not known well enough, which no number of test examples changes; a machine with power meters "
    "(RAPL, NVML) would settle it, or more blocks"
)
_UNTUNED = (
    "The other models were made with fixed settings, without a search for better ones: with more care each may do "
    "better than shown here, and so may the audited one."
)
_UNKNOWN_TRAINING = "The model was not trained here, so what its training took is not part of any figure."


class _Row(NamedTuple):
    """A model with its figures."""

    of: Alternative
    accuracy: Interval
    wh: Interval  # per 1,000 predictions

    def dominates(self, other: _Row) -> bool:
        """Whether the estimates are as good in both respects, and better in one."""
        more, less = self.accuracy.estimate - other.accuracy.estimate, other.wh.estimate - self.wh.estimate
        return min(more, less) >= 0 and max(more, less) > 0


@Probe(
    id="environment.energy_per_gain",
    challenge="environment",
    title="Energy of an extra right answer",
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
        raise NotAssessed(f"there is no {NAMES['words']} to compare with: {left_out.get('words', _WANTED)}")
    protocol, n = audited.predictions.known.protocol, len(audited.predictions)
    share = statistics.shared_out(protocol.confidence, CLAIMS)
    gain = _gain(audited, linear, share)
    own, other = (wh_per_thousand(each.inference, share) for each in (audited, linear))
    extra = Interval(own.estimate - other.estimate, own.low - other.high, own.high - other.low)
    answers = Interval(*(1000 * value for value in gain))
    rows = [_Row(each, _accuracy(each), wh_per_thousand(each.inference, protocol.confidence)) for each in made]
    estimated = [each for each in made if each.inference["source"] == "estimated"]
    guessed = estimated and Power.of(audited.inference).cpu_watts is None
    details: dict[str, Any] = {
        "summary": " ".join([
            _compared(linear.name, gain, own, other), _advice(rows, linear if gain.high <= 0 else None),
        ]),
        "source": "estimated" if estimated else "measured",
        "times the energy of the linear model": own.estimate / other.estimate,
        "extra Wh per 1,000 predictions": extra.estimate,
        "extra right answers per 1,000 predictions": answers.estimate,
        "tables": [_accuracies(rows), _costs(rows), _missing(left_out)],
        "pareto": _pareto(rows),
        **by_policy(Power.of(audited.inference)),
        "limits": [
            _UNTUNED,
            *([_UNKNOWN_TRAINING] if audited.training is None else []),
            *([NOMINAL.format(watts=estimated[0].inference["nominal_w"])] if guessed else []),
        ],
    }  # fmt: skip
    figure: tuple[float | None, float | None, float | None] = (None, None, None)
    settle = None
    if gain.high <= 0:
        figure = (None, math.inf, None)
        details["unbounded"] = f"the energy buys nothing: it is right no more often than {linear.name}"
    elif gain.low <= 0:
        details["undecided"] = _gain_settled(gain, n, share, linear.name)
    else:
        figure = statistics.quotient(extra, answers)
        settle = _settled(extra, answers, n, share)
        if audited.training is not None and linear.training is not None:
            longer = audited.training["energy"]["kwh"] - linear.training["energy"]["kwh"]
            spread = 1e6 * longer / (DAYS * predictions_per_day)
            details["with training, over a year of use, Wh per extra answer"] = (
                extra.estimate + spread
            ) / answers.estimate
    return Result(
        *figure,
        n,
        _METHOD.format(linear=linear.name, per_day=predictions_per_day, paired=statistics.PAIRED)
        + (_ESTIMATED if estimated else ""),
        protocol.confidence,
        details=details,
        settle=settle,
    )


def _gain(model: Alternative, other: Alternative, confidence: float) -> Interval:
    """How much more often one is right than the other, paired by example."""
    return statistics.paired_difference(
        *statistics.discordant(model.predictions.correct, other.predictions.correct), confidence
    )


def _accuracy(model: Alternative) -> Interval:
    right = model.predictions.correct
    return statistics.proportion(int(right.sum()), len(right), model.predictions.known.protocol.confidence)


def _gain_settled(gain: Interval, n: int, confidence: float, linear: str) -> str:
    """What would settle whether there is a gain at all."""
    near = gain.low if gain.estimate > 0 else gain.high
    size = statistics.sample_to_settle(gain.estimate, near, 0.0, n, confidence)
    question = f"whether it is right more often than {linear} is open"
    if size is None:
        return f"{question}: both are right equally often here, so no number of test examples would settle it"
    return f"{question}: about {two_digits(max(size - n, 1)):,} more test examples would settle that"


def _settled(extra: Interval, answers: Interval, n: int, confidence: float) -> Callable[[float], Settling | str | None]:
    """From a gate to the number of test examples that would settle it: they narrow the gain, not the energy."""

    def settle(bound: float) -> Settling | str | None:
        low, high = extra.low / answers.estimate, extra.high / answers.estimate
        if low <= bound <= high:
            return _METER
        needed = (extra.high if high < bound else extra.low) / bound
        near = answers.low if answers.estimate > needed else answers.high
        size = statistics.sample_to_settle(answers.estimate, near, needed, n, confidence)
        return None if size is None else Settling(size)

    return settle


# ------------------------------------------------------------------------------------------------ what a manager reads


def _compared(linear: str, gain: Interval, own: Interval, other: Interval) -> str:
    """What the model offers beyond the linear one, and for how much."""
    times = own.estimate / other.estimate
    between = ""
    if other.low > 0:
        between = f" (between {plain(own.low / other.high)} and {plain(own.high / other.low)} times)"
    if gain.low > 0 and times >= 1:
        return f"This model costs {_share(times)} the energy of {linear}{between} for {_points(gain)} of accuracy."
    if gain.low > 0:
        return f"This model is right more often than {linear}, by {_points(gain)}, for {_share(times)} the energy."
    if gain.high <= 0 and times >= 1:
        return (
            f"{linear} is as good or better here, by {_points(_turned(gain))}, for {_share(1 / times)} the energy: the "
            "energy of this model buys nothing."
        )
    if gain.high <= 0:
        return (
            f"{linear} is as good or better here, by {_points(_turned(gain))}, though this model takes {_share(times)} "
            "its energy."
        )
    if gain.estimate < 0:
        return (
            f"{linear} was right more often here, by {_points(_turned(gain))}, which chance may explain; this model "
            f"takes {_share(times)} its energy{between}."
        )
    return (
        f"Whether this model is right more often than {linear} is open ({_points(gain)}); it takes {_share(times)} its "
        f"energy{between}."
    )


def _advice(rows: Sequence[_Row], told: Alternative | None) -> str:
    """Whether one of the others would do as well for less: the one that takes least, if any does.

    Parameters
    ----------
    told : Alternative or None
        Of which it was just said that it is as good or better.
    """
    audited, *others = rows
    # One is chosen among several, so all their differences must hold together.
    together = statistics.shared_out(audited.of.predictions.known.protocol.confidence, len(others))
    gains = [(row, _gain(row.of, audited.of, together)) for row in others if row.wh.estimate < audited.wh.estimate]
    as_good = [(row, gain) for row, gain in gains if gain.low >= -ALIKE]
    if not as_good:
        return "Of the models tried beside it, none is known to do as well for less (to lose a point at most)."
    row, gain = min(as_good, key=lambda each: each[0].wh.estimate)
    sure = row.wh.high < audited.wh.low
    if sure and row.of is told:
        return "Ship that one."
    how = "Right more often" if gain.low > 0 else "Nearly as good" if gain.high < 0 else "As good"
    points = f"{_points(gain)} more" if gain.estimate >= 0 else f"{_points(_turned(gain))} less"
    share = f"{_share(row.wh.estimate / audited.wh.estimate)} the energy"
    said = f"{how} for less: {row.of.name} ({points}), for {share}"
    if not sure:
        return f"{said}. The electricity is not known well enough to be sure: if a meter confirms it, ship that one."
    return f"{said}. Ask whether the rest is worth it." if gain.high < 0 else f"{said}. Ship that one."


def _share(times: float) -> str:
    """How many times as much, or which part of it; completed by what it is a part of."""
    if times >= 1:
        return f"about {plain(times)} times"
    return f"about {100 * times:.2g} % of" if times >= 0.1 else f"about 1/{plain(1 / times)} of"


def _points(gain: Interval) -> str:
    estimate, low, high = (f"{100 * value + 0.0:.1f}".replace("-0.0", "0.0") for value in gain)
    return f"{estimate} {'point' if estimate == '1.0' else 'points'} [{low}, {high}]"


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
    said = dict.fromkeys(map(id, front), "yes")
    for cheaper, row in pairwise(front):
        confidence = row.of.predictions.known.protocol.confidence
        alike = [
            *(["right answers"] if _gain(row.of, cheaper.of, confidence).low <= 0 else []),
            *(["energy"] if row.wh.low <= cheaper.wh.high else []),
        ]
        if alike:
            said[id(row)] = f"yes, but by {' and '.join(alike)} not to be told from {cheaper.of.name}"
    for row in rows:
        better = [other for other in front if other.dominates(row)]
        if better:
            said[id(row)] = f"no: outdone by {better[0].of.name}"
    return [said[id(row)] for row in rows]


def _accuracies(rows: Sequence[_Row]) -> dict[str, Any]:
    audited = rows[0].of
    confidence = audited.predictions.known.protocol.confidence
    return {
        "caption": "Right answers on the same test examples, and the difference to the audited model's; each interval "
        "holds by itself. On the front: by the estimates, no other model is as often right for as little energy",
        "columns": ["model", "accuracy", "at least", "at most", "difference", "at least", "at most", "on the front"],
        "rows": [
            [
                row.of.name,
                *row.accuracy,
                *([None] * 3 if row.of is audited else _gain(row.of, audited, confidence)),
                place,
            ]
            for row, place in zip(rows, _places(rows), strict=True)
        ],
    }  # fmt: skip


def _costs(rows: Sequence[_Row]) -> dict[str, Any]:
    return {
        "caption": "What each takes: electricity of use (Wh per 1,000 predictions) and of training, milliseconds for a "
        "single answer (median, and what one in twenty exceeds), and size",
        "columns": [
            "model", "use, Wh", "at least", "at most", "how known", "training, Wh", "training, s", "answer, ms",
            "one in 20, ms", "MB on disk", "parameters",
        ],
        "rows": [
            [
                row.of.name, *row.wh, row.of.inference["source"], *_training(row.of),
                1000 * row.of.latency["median_s"], 1000 * row.of.latency["p95_s"], row.of.size / 1e6,
                row.of.parameters,
            ]
            for row in rows
        ],
    }  # fmt: skip


def _training(model: Alternative) -> list[float | None]:
    """Wh and seconds; not known of a model that was loaded, and none where nothing was trained."""
    if model.training is None:
        return [None, None]
    return [1000 * model.training["energy"]["kwh"], model.training["energy"]["seconds"]]


def _missing(left_out: Mapping[str, str]) -> dict[str, Any]:
    return {
        "caption": "Not compared",
        "columns": ["model", "why"],
        "rows": [[NAMES.get(kind, kind), reason] for kind, reason in left_out.items()],
    }


def _pareto(rows: Sequence[_Row]) -> list[dict[str, Any]]:
    """What the report draws: the front and what lies behind it."""
    front = set(map(id, _front(rows)))
    return [
        {
            "name": row.of.name,
            "accuracy": list(row.accuracy),
            "wh": list(row.wh),
            "front": id(row) in front,
            "audited": row is rows[0],
        }
        for row in rows
    ]
