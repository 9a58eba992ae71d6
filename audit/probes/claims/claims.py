"""The document's claims: each measured with an interval, and by that supported, refuted or not settled.

A claim may have several parts, each a figure that must exceed a stated margin. The claim falls with one part that is
refuted and stands only with all parts supported, so the error is shared out among them: a true claim is called refuted
in at most as many cases as the confidence leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Curve, Curves, Evidence, Fact, Facts, Table
from audit.core.figures import Figures
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Probe
from audit.core.sentences import Sentence, joined
from audit.energy.meter import estimated_kwh
from audit.experiments.runs import Runs, Trained
from audit.inference.attention import Attention
from audit.inference.predictions import Predictions
from audit.probes.environment.environment import widen
from audit.probes.methods import PAIRED
from audit.statistics import Interval
from audit.text.redaction import count

if TYPE_CHECKING:
    from audit.experiments.steps import Steps
    from audit.models.model import FineTuning

Outcome = Literal["supported", "refuted", "not settled"]
LENGTH_BINS = 4
# Two computations of one weight in single precision differ by a few millionths.
SAME_WEIGHT = 1e-4
TARGETS = (0.75, 0.80)  # accuracies whose price in labels, time and electricity is told
_ONE_TRAINING = Sentence(
    "The audited model is one training: its interval covers the choice of the test texts, not the luck of a training."
)
_BUSY = Sentence(
    "Times are those of the trainings; other work on the machine at the time is in them, and in the electricity."
)
_TRANSFORMER, _RECURRENT = Sentence("Transformer"), Sentence("recurrent network")
_LINEAR = Sentence("TF-IDF + logistic regression")
_PRETRAINED, _RANDOM = Sentence("pretrained"), Sentence("random")


def outcome(interval: Interval, margin: float = 0.0) -> Outcome:
    """What an interval says of the claim that its figure exceeds the margin."""
    if interval.low > margin:
        return "supported"
    return "refuted" if interval.high < margin else "not settled"


class Part(NamedTuple):
    """One part of a claim: a figure that must exceed a margin."""

    name: str
    interval: Interval
    margin: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """What the evidence says of it."""
        return outcome(self.interval, self.margin)


def together(parts: Iterable[Part]) -> Outcome:
    """The outcome of a claim: refuted with one part, supported only with all."""
    found = {part.outcome for part in parts}
    return "refuted" if "refuted" in found else "supported" if found == {"supported"} else "not settled"


@Probe(
    id="claims.transfer_learning",
    challenge="claims",
    title="Transfer learning needs less time, energy and data",
    unit=POINTS,
    counts="accuracy gained on a quarter of the data",
    better="higher",
    meaning=(
        "The document says (sections 2.1 and 8) that starting from a pretrained model saves training time and "
        "resources. Models of one architecture are trained from pretrained and from random weights on growing parts "
        "of the training data. Counted is by how much the pretrained one, on a quarter of the data, is right more "
        "often than the other on all of them; and whether its training then takes less time and electricity."
    ),
    measured_on=("test data", "training data", "machine", "recipe"),
    guide="docs/claims.md",
)
def transfer_learning(
    pretrained: Mapping[int, Runs],
    scratch: Mapping[int, Runs],
    linear: Mapping[int, Trained],
    pretraining: Figures | None = None,
) -> Result:
    """Whether a pretrained model needs less data, time and energy than one of random weights.

    Parameters
    ----------
    pretrained, scratch : mapping of int to sequence of Trained
        By the number of training examples, the same numbers in both, each from the same seeds. The second largest is
        the quarter of the data that the pretrained model must do with.
    linear : mapping of int to Trained
        Logistic regression on word counts beside them, by the same numbers as far as it could be trained.
    pretraining : mapping or None
        The figures of the phase in which the encoder was pretrained; None where they are not known.
    """
    sizes = sorted(pretrained)
    part, whole = sizes[-2:]
    confidence, n, seeds = _protocol(pretrained[whole])
    shared = statistics.shared_out(confidence, 3)
    few, all_of_pretrained, all_ = pretrained[part], pretrained[whole], scratch[whole]
    gain = _gain(few, all_, shared)
    parts = [
        Part(Sentence("data: accuracy gained"), gain),
        Part(Sentence("time: share saved"), _saved(few, all_, "seconds", shared)),
        Part(Sentence("energy: share saved"), _saved(few, all_, "kwh", shared)),
    ]
    curves: Mapping[str, Mapping[int, Runs]] = {
        _PRETRAINED: pretrained,
        _RANDOM: scratch,
        _LINEAR: {size: (made,) for size, made in linear.items()},
    }
    curve: list[list[Cell]] = [
        [size, name, *_accuracy(made[size], confidence), _steps(made[size]), *_mean_cost(made[size])]
        for size in sizes
        for name, made in curves.items()
        if size in made
    ]
    equal = [[size, *_gain(pretrained[size], scratch[size], confidence)] for size in sizes]
    caveats = [
        _seeds(seeds),
        Sentence(
            "Pretrained weights are trained at a learning rate of {pretrained}, random ones at {random}, both for the "
            "recipe's epochs; with more epochs random weights would come further, and cost more.",
            pretrained=_rate(all_of_pretrained),
            random=_rate(all_),
        ),
        Sentence("What another encoder, pretrained longer or on other texts, would gain is not known from this one."),
        _BUSY,
        _pretraining(pretraining, _mean_cost(all_)[1] - _mean_cost(few)[1]),
    ]
    return _claim(
        parts,
        n,
        joined(
            [
                Sentence(
                    "Pretrained weights and {part:,} training examples against random weights and {whole:,}, one "
                    "architecture and one recipe, {seeds} seeds each.",
                    part=part,
                    whole=whole,
                    seeds=seeds,
                ),
                _over(seeds),
                _shared(3, confidence),
            ]
        ),
        confidence,
        Sentence(
            "On {part:,} examples the pretrained model is right {gain} the model of random weights on {whole:,}, and "
            "its training takes {saved} time.",
            part=part,
            gain=_more_often(gain.estimate),
            whole=whole,
            saved=_less(parts[1].interval.estimate),
        ),
        evidence=[
            Curves(
                Sentence(
                    "Accuracy (upwards) against the number of training examples (to the right, each step a multiple)"
                ),
                [
                    Curve(name, [[size, *_accuracy(made[size], confidence)] for size in sorted(made)])
                    for name, made in curves.items()
                    if made
                ],
                logarithmic=True,
            ),
            Table(
                Sentence(
                    "What an accuracy takes: the smallest number of labelled texts on the curve whose mean accuracy "
                    "reaches it, and the seconds and Wh of one training on them"
                ),
                [
                    Sentence("accuracy to reach"),
                    _START,
                    Sentence("labels"),
                    Sentence("reached"),
                    _LOW,
                    _HIGH,
                    _SECONDS,
                    "Wh",
                ],
                _prices(curves, confidence),
                units=[SHARE, "", "", SHARE, SHARE, SHARE, "", ""],
            ),
            Table(
                Sentence(
                    "Learning curves: mean of {seeds} trainings each, of one of the linear model; intervals each by "
                    "itself",
                    seeds=seeds,
                ),
                [_EXAMPLES, _START, _ACCURACY, _LOW, _HIGH, Sentence("steps"), _SECONDS, "kWh"],
                curve,
                units=["", "", SHARE, SHARE, SHARE, "", "", ""],
            ),
            Table(
                Sentence("Accuracy gained by pretraining at equal data, intervals each by itself"),
                [_EXAMPLES, Sentence("gain"), _LOW, _HIGH],
                equal,
                units=["", POINTS, POINTS, POINTS],
            ),
            *([] if pretraining is None else [Facts([Fact(Sentence("pretraining, kWh"), float(pretraining["kwh"]))])]),
        ],
        caveats=caveats,
    )


def _prices(curves: Mapping[str, Mapping[int, Runs]], confidence: float) -> list[list[Cell]]:
    """For each target and start the smallest size whose mean accuracy reaches it, that accuracy, seconds and Wh."""
    rows: list[list[Cell]] = []
    for target in TARGETS:
        for name, made in curves.items():
            reached = {size: _accuracy(made[size], confidence) for size in sorted(made)}
            size = next((size for size, accuracy in reached.items() if accuracy.estimate >= target), None)
            if size is None:
                rows.append([target, name, Sentence("not reached"), *[None] * 5])
            else:
                seconds, kwh = _mean_cost(made[size])
                rows.append([target, name, size, *reached[size], seconds, 1000 * kwh])
    return rows


def _pretraining(figures: Figures | None, saved: float) -> Sentence:
    """What the pretraining took, in trainings of which each saves so many kWh."""
    if figures is None:
        return Sentence("What the pretraining itself took is not known and not counted.")
    if saved <= 0:
        return Sentence("The pretraining is not counted: it is done once for many uses. Here it saved none.")
    return Sentence(
        "The pretraining is not counted: it is done once for many uses. It took as much electricity as {number:,.0f} "
        "such trainings save.",
        number=float(figures["kwh"]) / saved,
    )


@Probe(
    id="claims.frozen_layers",
    challenge="claims",
    title="Freezing most layers saves most of the cost",
    unit=SHARE,
    counts="share of the training time saved",
    better="higher",
    meaning=(
        "The document says (sections 2.1 and 3.2) that most layers are frozen and only the last ones trained. "
        "Counted is how much of the training time that saves when only the last layer and the head are trained; "
        "more than a half is most. Beside it stands how much accuracy it costs."
    ),
    range=(None, 1),
    measured_on=("test data", "training data", "machine", "recipe"),
    guide="docs/claims.md",
)
def frozen_layers(runs: Mapping[str, Runs]) -> Result:
    """Whether training the last layer and the head alone saves most of the training time, and what it costs.

    Parameters
    ----------
    runs : mapping of str to sequence of Trained
        By what is trained: ``all``, ``last:1``, and others for comparison; each from the same seeds.
    """
    whole, last = runs["all"], runs["last:1"]
    confidence, _, seeds = _protocol(whole)
    parts = [Part(Sentence("training time: share saved"), _saved(last, whole, "seconds", confidence), 0.5)]
    cost = _gain(last, whole, confidence)
    rows: list[list[Cell]] = []
    for name, made in runs.items():
        training = made[0].training
        trained = training and training.get("trainable_parameters")
        saved = [None] * 3 if name == "all" else _saved(made, whole, "kwh", confidence)
        time = [None] * 3 if name == "all" else _saved(made, whole, "seconds", confidence)
        rows.append([_TRAINED.get(name, name), trained, *time, *saved])
    accuracies = [
        [
            _TRAINED.get(name, name),
            *_accuracy(made, confidence),
            *([None] * 3 if name == "all" else _gain(made, whole, confidence)),
        ]
        for name, made in runs.items()
    ]
    return _claim(
        parts,
        seeds,
        Sentence(
            "The pretrained model trained whole, and with all but the last layer and the head frozen, on the same "
            "{examples:,} examples from the same {seeds} seeds; Student's t over the ratios of their times.",
            examples=_examples(whole),
            seeds=seeds,
        ),
        confidence,
        Sentence(
            "Training only the last layer and the head takes {saved} time, and the model is right {cost} (between "
            "{low:+.1f} and {high:+.1f} points).",
            saved=_less(parts[0].interval.estimate),
            cost=_in_points(cost.estimate, Sentence("more often"), Sentence("less often"), same=Sentence("as often")),
            low=100 * cost.low,
            high=100 * cost.high,
        ),
        sample=Sentence("trainings each"),
        evidence=[
            Table(
                Sentence(
                    "What is saved against training all layers, intervals each by itself; the electricity's holds the "
                    "possible error of an estimate on both sides"
                ),
                [
                    Sentence("trained"),
                    Sentence("numbers trained"),
                    Sentence("time saved"),
                    _AT_LEAST,
                    _AT_MOST,
                    Sentence("electricity saved"),
                    _AT_LEAST,
                    _AT_MOST,
                ],
                rows,
                units=["", "", SHARE, SHARE, SHARE, SHARE, SHARE, SHARE],
            ),
            Table(
                Sentence("Accuracy, and the difference from training all layers, intervals each by itself"),
                [Sentence("trained"), _ACCURACY, _LOW, _HIGH, Sentence("difference"), _AT_LEAST, _AT_MOST],
                accuracies,
                units=["", SHARE, SHARE, SHARE, POINTS, POINTS, POINTS],
            ),
        ],
        caveats=[
            _seeds(seeds),
            Sentence(
                "The time decides: where electricity is estimated from load and nominal power, it says no more than "
                "the time."
            ),
            Sentence(
                "Memory saved is not counted. In a network of two layers, one layer frozen and the word vectors are "
                "most of its numbers, yet not most of its layers."
            ),
            _BUSY,
        ],
    )


_TRAINED = {
    "all": Sentence("all layers"),
    "head": Sentence("head alone"),
    "last:1": Sentence("last layer and head"),
    "last:2": Sentence("last two layers and head"),
}


@Probe(
    id="claims.recurrent",
    challenge="claims",
    title="Transformers beat recurrent networks, on long texts above all",
    unit=POINTS,
    counts="accuracy above the recurrent network",
    better="higher",
    meaning=(
        "The document says (section 2.2) that Transformers cope better with very long sequences than recurrent "
        "networks, which read word after word. Both are trained from random weights on the same texts. Counted is "
        "how much more often the Transformer is right, and whether its lead grows from the shortest to the longest "
        "texts."
    ),
    measured_on=("test data", "training data", "recipe"),
    guide="docs/claims.md",
)
def recurrent(transformer: Runs, recurrent: Runs) -> Result:
    """Whether a Transformer beats a recurrent network, and more so on long texts.

    Parameters
    ----------
    transformer, recurrent : sequence of Trained
        From random weights on the same texts, of each as many trainings.

    Raises
    ------
    NotAssessed
        If there are too few test texts to compare lengths.
    """
    confidence, n, seeds = _protocol(transformer)
    known = transformer[0].predictions.known
    words = np.array([len(text.split()) for text in known.texts])
    edges = np.quantile(words, np.linspace(0, 1, LENGTH_BINS + 1))
    at = np.clip(np.searchsorted(edges[1:-1], words, side="left"), 0, LENGTH_BINS - 1)
    sizes = np.bincount(at, minlength=LENGTH_BINS)
    if sizes.min() < known.protocol.min_group_size:
        raise NotAssessed(
            Sentence(
                "a quarter of the test texts by length has {number} of them, fewer than [audit] min_group_size = "
                "{smallest}; supply more test data",
                number=int(sizes.min()),
                smallest=known.protocol.min_group_size,
            )
        )
    shared = statistics.shared_out(confidence, 2)
    made, other = _correct(transformer), _correct(recurrent)
    lead = _lead(made, other, shared)
    short, long = at == 0, at == LENGTH_BINS - 1
    grows = _lead_above((made[:, long], other[:, long]), (made[:, short], other[:, short]), shared)
    rows: list[list[Cell]] = []
    points: dict[str, list[list[float]]] = {_TRANSFORMER: [], _RECURRENT: []}
    for i in range(LENGTH_BINS):
        here = at == i
        both = [_share(each[:, here], confidence) for each in (made, other)]
        name = Sentence("{shortest} to {longest}", shortest=int(words[here].min()), longest=int(words[here].max()))
        rows.append(
            [
                name,
                count(int(here.sum())),
                both[0].estimate,
                both[1].estimate,
                *_lead(made[:, here], other[:, here], confidence),
            ]
        )
        for curve, share in zip(points.values(), both, strict=True):
            curve.append([round(float(np.median(words[here]))), *share])
    return _claim(
        [
            Part(Sentence("right more often on all texts"), lead),
            Part(Sentence("lead on the longest quarter above that on the shortest"), grows),
        ],
        n,
        joined(
            [
                Sentence(
                    "The Transformer by the policy's recipe and a gated recurrent unit in both directions by one that "
                    "suits it, from random weights on the same texts, {seeds} seeds each.",
                    seeds=seeds,
                ),
                _over(seeds),
                _shared(2, confidence),
            ]
        ),
        confidence,
        Sentence(
            "The Transformer is right {lead} the recurrent network; on the longest quarter of the texts its lead is "
            "{grows} on the shortest.",
            lead=_more_often(lead.estimate),
            grows=_in_points(
                grows.estimate, Sentence("larger than"), Sentence("smaller than"), same=Sentence("as large as")
            ),
        ),
        evidence=[
            Curves(
                Sentence("Accuracy (upwards) against the length of the texts in words (to the right)"),
                [Curve(name, curve) for name, curve in points.items()],
            ),
            Table(
                Sentence("Accuracy by the length of the texts in words, intervals each by itself"),
                [
                    Sentence("words"),
                    Sentence("test texts"),
                    _TRANSFORMER,
                    Sentence("recurrent"),
                    Sentence("difference"),
                    _LOW,
                    _HIGH,
                ],
                rows,
                units=["", "", SHARE, SHARE, POINTS, POINTS, POINTS],
            ),
            _energies({_TRANSFORMER: transformer, _RECURRENT: recurrent}, confidence),
        ],
        caveats=[
            _seeds(seeds),
            Sentence(
                "Texts longer than the policy's max_length are cut for both, so what only far longer texts would show "
                "is not seen."
            ),
            Sentence("Both start from random weights; pretrained ones are not compared here."),
        ],
    )


@Probe(
    id="claims.linear",
    challenge="claims",
    title="Deep models beat simple ones",
    unit=POINTS,
    counts="accuracy above TF-IDF + logistic regression",
    better="higher",
    meaning=(
        "The document says (sections 2.2 and 8) that deep models do better than traditional machine learning. "
        "Counted is how much more often each deep model at hand is right than a logistic regression on word counts, "
        "trained on the same texts; beside it stands the electricity of each training."
    ),
    measured_on=("test data", "training data", "recipe"),
    guide="docs/claims.md",
)
def linear(deep: Mapping[str, Runs], linear: Trained) -> Result:
    """Whether deep models beat logistic regression on word counts, by how much, and for what energy.

    Parameters
    ----------
    deep : mapping of str to sequence of Trained
        By kind; that of the audited model first, whose lead is the claim's figure. One training alone speaks for that
        training only.
    linear : Trained
        Of which there is one: chance has no part in its training.
    """
    confidence, n, _ = _protocol([linear])
    shared = statistics.shared_out(confidence, len(deep))
    simple = _correct([linear])
    parts = [Part(name, _lead(_correct(made), simple, shared)) for name, made in deep.items()]
    return _claim(
        parts,
        n,
        joined(
            [
                Sentence(
                    "All trained on the same texts, the linear model on TF-IDF of words and pairs of words, whose "
                    "training leaves nothing to chance."
                ),
                *_of_kinds(deep),
                _shared(len(deep), confidence),
            ]
        ),
        confidence,
        Sentence(
            "{leads}.",
            leads=joined(
                [
                    Sentence(
                        "{name}: right {lead} the linear model",
                        name=part.name,
                        lead=_more_often(part.interval.estimate),
                    )
                    for part in parts
                ],
                "; ",
            ),
        ),
        evidence=[_energies({_LINEAR: (linear,), **deep}, confidence)],
        caveats=[
            *_luck(deep),
            Sentence(
                "Which model is better depends on how much data there are; here it was asked at the size of this "
                "training data."
            ),
            Sentence("The electricity of a pretraining is not in that of the fine-tuning."),
        ],
    )


@Probe(
    id="claims.generalisation",
    challenge="claims",
    title="Deep models generalise better",
    unit=POINTS,
    counts="smaller loss of accuracy elsewhere",
    better="higher",
    meaning=(
        "The document says (sections 1.1 and 8) that deep models generalise better than traditional machine "
        "learning. Models trained on the policy's data are asked about texts from elsewhere. Counted is how much "
        "less accuracy the deep model loses on the way than the logistic regression on word counts."
    ),
    measured_on=("test data", "training data", "recipe"),
    guide="docs/claims.md",
)
def generalisation(
    deep: Mapping[str, Sequence[Sequence[Predictions]]],
    linear: Sequence[Predictions],
    names: Sequence[str],
    left_out: Sequence[int],
) -> Result:
    """Whether deep models lose less accuracy on texts from elsewhere than logistic regression on word counts.

    Parameters
    ----------
    deep : mapping of str to sequence of sequence of Predictions
        By kind and training: of the policy's test data, then of each data set from elsewhere, told their examples.
    linear : sequence of Predictions
        The same of the linear model.
    names : sequence of str
        Of the data sets from elsewhere.
    left_out : sequence of int
        How many rows of each have no text, or another label than the model's classes.

    Raises
    ------
    NotAssessed
        If there is no data set from elsewhere.
    """
    if not names:
        raise NotAssessed(
            Sentence("there are no texts from elsewhere; name labelled data sets under [[claims.transfer]]")
        )
    home = linear[0]
    confidence = home.known.protocol.confidence
    shared = statistics.shared_out(confidence, len(deep) * len(names))
    # By kind and data set whether each training is right on each text.
    right = {
        kind: [np.array([said[i].correct for said in made]) for i in range(len(linear))]
        for kind, made in {**deep, _LINEAR: [linear]}.items()
    }
    simple = right[_LINEAR]
    parts = [
        Part(
            Sentence("{model}, on {name}", model=kind, name=name),
            _lead_above((right[kind][i], simple[i]), (right[kind][0], simple[0]), shared),
        )
        for kind in deep
        for i, name in enumerate(names, 1)
    ]
    rows: list[list[Cell]] = [
        [kind, name, correct.shape[1], *_share(correct, confidence)]
        for kind, made in right.items()
        for name, correct in zip((Sentence("own test data"), *names), made, strict=True)
    ]
    without = [
        Sentence("{number:,} rows of {name}", number=number, name=name)
        for name, number in zip(names, left_out, strict=True)
        if number
    ]
    worst = min(parts, key=lambda part: part.interval.estimate)
    lost = [
        Sentence(
            "{part}: {lost} by the linear model",
            part=part.name,
            lost=_in_points(
                part.interval.estimate,
                Sentence("less lost than"),
                Sentence("more lost than"),
                same=Sentence("as much lost as"),
            ),
        )
        for part in parts
    ]
    return _claim(
        parts,
        sum(map(len, linear)),
        joined(
            [
                Sentence(
                    "Loss of accuracy from the policy's own test data to texts from elsewhere, the linear model's less "
                    "the deep one's. Both answer the same texts; the distances to the limits of each data set's "
                    "paired difference are added in squares (Zou and Donner 2008)."
                ),
                *_of_kinds(deep),
                _shared(len(parts), confidence),
            ]
        ),
        confidence,
        Sentence("{lost}.", lost=joined(lost, "; ")),
        headline=worst.interval,
        evidence=[
            Table(
                Sentence("Accuracy at home and elsewhere, intervals each by itself"),
                [_MODEL, Sentence("texts"), Sentence("number"), _ACCURACY, _LOW, _HIGH],
                rows,
                units=["", "", "", SHARE, SHARE, SHARE],
            )
        ],
        caveats=[
            *_luck(deep),
            *(
                [
                    Sentence(
                        "Left out, having no text or another label than the model's classes: {rows}.",
                        rows=joined(without, "; "),
                    )
                ]
                if without
                else []
            ),
            Sentence("The figure is that of the part that speaks least for the claim."),
            Sentence(
                "Data sets differ in more than their texts, such as in who labelled them. The shares of the classes "
                "are those of the own test data in each."
            ),
        ],
    )


@Probe(
    id="claims.parallel_training",
    challenge="claims",
    title="Transformers train in parallel over a text",
    unit="",
    counts="growth of time with length, less than the recurrent network's",
    better="higher",
    meaning=(
        "The document says (section 2.2) that Transformers can work on all positions of a text at once, which "
        "recurrent networks cannot. Counted is how the time of a training step grows with the length of the texts: "
        "as the length to the power of 1 where twice the length takes twice the time, to the power of 0 where it "
        "takes no longer. The figure is the recurrent network's power less the Transformer's."
    ),
    measured_on=("machine",),
    guide="docs/claims.md",
)
def parallel_training(times: Steps, confidence: float = 0.95) -> Result:
    """Whether a training step's time grows less with the texts' length for a Transformer than for a recurrent network.

    Parameters
    ----------
    times : mapping
        From :func:`audit.experiments.steps.measure_steps`.
    confidence : float
        Two-sided confidence.
    """
    lengths = np.array(times["lengths"], float)
    seconds = {
        name: np.array(times["seconds"][name], float) for name in ("transformer", "recurrent")
    }  # (repeats, lengths)
    slopes = {name: np.polyfit(np.log(lengths), np.log(each).T, 1)[0] for name, each in seconds.items()}  # (repeats,)
    apart = statistics.mean(slopes["recurrent"] - slopes["transformer"], confidence)
    ways = {"transformer": _TRANSFORMER, "recurrent": _RECURRENT}
    power = {name: statistics.mean(each, confidence) for name, each in slopes.items()}
    rows: list[list[Cell]] = [
        [ways[name], int(length), *(1000 * value for value in statistics.mean(column, confidence))]
        for name, each in seconds.items()
        for length, column in zip(lengths, each.T, strict=True)
    ]
    return _claim(
        [Part(Sentence("growth of the recurrent network above the Transformer's"), apart)],
        len(slopes["recurrent"]),
        Sentence(
            "A stack of Transformer layers ({transformer:,} numbers) and a stack of gated recurrent units "
            "({recurrent:,}) take training steps on {batch} random texts of {shortest} to {longest} positions; "
            "slope of log time on log length in each of {rounds} rounds, Student's t over the rounds.",
            transformer=times["parameters"]["transformer"],
            recurrent=times["parameters"]["recurrent"],
            batch=times["batch"],
            shortest=int(lengths[0]),
            longest=int(lengths[-1]),
            rounds=len(slopes["recurrent"]),
        ),
        confidence,
        Sentence(
            "A step's time grows as the length to the power of {transformer} for the Transformer and of {recurrent} "
            "for the recurrent network.",
            **{
                name: Sentence("{estimate:.2f} [{low:.2f}, {high:.2f}]", **each._asdict())
                for name, each in power.items()
            },
        ),
        sample=Sentence("rounds"),
        evidence=[
            Curves(
                Sentence(
                    "Time of a training step in milliseconds (upwards) against the number of positions (to the right)"
                ),
                [
                    Curve(way, [[length, *ms] for of, length, *ms in rows if of == way])  # type: ignore[list-item]
                    for way in ways.values()
                ],
                logarithmic=True,
            ),
            Table(
                Sentence("Time of a training step, milliseconds, intervals each by itself"),
                [Sentence("network"), Sentence("positions"), "ms", _LOW, _HIGH],
                rows,
            ),
        ],
        caveats=[
            Sentence(
                "Measured on {machine} ({device}) on {date}. How far work at all positions goes on at once depends on "
                "how many units a machine has: on a processor of a few cores there is little to be seen of it, on a "
                "graphics card much.",
                machine=times["machine"],
                device=times["device"],
                date=times["created"][:10],
            ),
            Sentence("The rounds differ by the machine's moods only; another machine may find another figure."),
        ],
    )


@Probe(
    id="claims.learning_rate",
    challenge="claims",
    title="Fine-tuning needs a lower learning rate than pretraining",
    unit=POINTS,
    counts="accuracy gained by a lower rate",
    better="higher",
    meaning=(
        "The document says (sections 3.2 and 8) that fine-tuning usually takes a lower learning rate than "
        "pretraining: weights are changed in smaller steps. The pretrained model is fine-tuned at the rate of its "
        "pretraining and at lower ones. Counted is how much more often the best of the lower rates makes it right."
    ),
    measured_on=("test data", "training data", "recipe"),
    guide="docs/claims.md",
)
def learning_rate(runs: Mapping[float, Runs], pretraining: float) -> Result:
    """Whether a pretrained model is tuned better at a lower learning rate than that of its pretraining.

    Parameters
    ----------
    runs : mapping of float to sequence of Trained
        By learning rate, each from the same seeds; that of the pretraining among them.
    pretraining : float
    """
    own = runs[pretraining]
    confidence, n, seeds = _protocol(own)
    lower = sorted(rate for rate in runs if rate < pretraining)
    plain, strict = (
        np.array([_gain(runs[rate], own, level) for rate in lower]).T
        for level in (confidence, statistics.shared_out(confidence, len(lower)))
    )
    best = statistics.as_interval(statistics.largest(tuple(plain), tuple(strict)))
    top = lower[int(plain[0].argmax())]
    rows: list[list[Cell]] = [
        [Sentence("{rate:.2g}", rate=rate), *_accuracy(runs[rate], confidence)] for rate in sorted(runs)
    ]
    return _claim(
        [Part(Sentence("accuracy gained by the best lower rate"), best)],
        n,
        joined(
            [
                Sentence(
                    "The pretrained model tuned on {examples:,} examples at its pretraining's rate and at {lower} "
                    "lower ones, {seeds} seeds each.",
                    examples=_examples(own),
                    lower=len(lower),
                    seeds=seeds,
                ),
                _over(seeds),
                Sentence(
                    "The best of several by chance is allowed for: the lower limit is the largest of theirs with the "
                    "error shared out among them (Bonferroni)."
                ),
            ]
        ),
        confidence,
        Sentence(
            "At a rate of {top:.2g} the model is right {best} at its pretraining's rate of {own:.2g}.",
            top=top,
            best=_more_often(best.estimate),
            own=pretraining,
        ),
        evidence=[
            Curves(
                Sentence("Accuracy (upwards) against the learning rate (to the right, each step a multiple)"),
                [Curve(Sentence("fine-tuned"), [[rate, *_accuracy(runs[rate], confidence)] for rate in sorted(runs)])],
            ),
            Table(
                Sentence(
                    "Accuracy by learning rate, mean of {seeds} trainings each, intervals each by itself", seeds=seeds
                ),
                [Sentence("learning rate"), _ACCURACY, _LOW, _HIGH],
                rows,
                units=["", SHARE, SHARE, SHARE],
            ),
        ],
        caveats=[
            _seeds(seeds),
            Sentence(
                "The rate is that of this recipe's peak; pretraining and fine-tuning differ in batch size and schedule "
                "too."
            ),
        ],
    )


@Probe(
    id="claims.attention_formula",
    challenge="claims",
    title="The formula of attention",
    unit="",
    counts="largest difference of a weight",
    better="lower",
    meaning=(
        "The document's section 3.1 writes down how much attention a word pays to another. The formula is "
        "recomputed from what the model itself multiplies (queries and keys) on test texts and held against the "
        "weights that the model uses: as written, and with the division by the root of the queries' width d that "
        "the formula leaves out (Vaswani et al. 2017). Counted is the largest difference from the formula as written."
    ),
    guide="docs/claims.md",
)
def attention_formula(attentions: Sequence[Attention]) -> Result:
    """Whether the document's formula of attention gives the weights that the model itself uses.

    Parameters
    ----------
    attentions : sequence of Attention
        One for each text.

    Notes
    -----
    As written in the document's section 3.1, softmax over j of q_i · k_j; with the division of q_i · k_j by √d it is
    equation 1 of Vaswani et al., "Attention is all you need", NeurIPS 2017.
    """
    written, scaled = (
        np.array([np.abs(_softmax(a.queries, a.keys, root) - a.weights).max(axis=(1, 2, 3)) for a in attentions])
        for root in (False, True)
    )  # (texts, layers)
    width = attentions[0].queries.shape[-1]
    weights = sum(a.weights.size for a in attentions)
    off, corrected = float(written.max()), float(scaled.max())
    with_root = outcome(Interval(-corrected, -corrected, -corrected), -SAME_WEIGHT)
    return _claim(
        [
            Part(
                Sentence("differences from the formula as written, turned negative"),
                Interval(-off, -off, -off),
                -SAME_WEIGHT,
            )
        ],
        weights,
        Sentence(
            "Weights of all heads and layers on {texts} test texts, recomputed in double precision from the model's "
            "own queries and keys; a difference above {same:.1g} is more than rounding.",
            texts=len(attentions),
            same=SAME_WEIGHT,
        ),
        0.95,
        Sentence(
            "As written, the formula is off by up to {off:.2g}; with the division by the root of d = {width} by no "
            "more than {corrected:.1g}: {outcome}.",
            off=off,
            width=str(width),
            corrected=corrected,
            outcome=_OUTCOMES[with_root],
        ),
        headline=Interval(off, off, off),
        sample=Sentence("weights of attention"),
        evidence=[
            Table(
                Sentence("Largest difference from the model's own weights"),
                [Sentence("layer"), Sentence("as written"), Sentence("with 1/√d")],
                [[i + 1, *map(float, pair)] for i, pair in enumerate(zip(written.max(0), scaled.max(0), strict=True))],
            ),
            Facts([Fact(Sentence("with the division by √d"), _OUTCOMES[with_root])]),
        ],
        caveats=[Sentence("A check of the formula in this model, not of what attention is good for.")],
    )


_OUTCOMES: Mapping[Outcome, Sentence] = {
    "supported": Sentence("supported"),
    "refuted": Sentence("refuted"),
    "not settled": Sentence("not settled"),
}
_Right = NDArray[np.bool_]  # shape (trainings, texts)
_ACCURACY, _EXAMPLES, _MODEL = Sentence("accuracy"), Sentence("training examples"), Sentence("model")
_TEST_EXAMPLES, _LOW, _HIGH = Sentence("test examples"), Sentence("low"), Sentence("high")
_AT_LEAST, _AT_MOST = Sentence("at least"), Sentence("at most")
_START, _SECONDS = Sentence("start"), Sentence("seconds")


def _claim(
    parts: Sequence[Part],
    n: int,
    method: str,
    confidence: float,
    summary: str,
    *,
    evidence: Sequence[Evidence],
    caveats: Sequence[str],
    headline: Interval | None = None,
    sample: str = _TEST_EXAMPLES,
) -> Result:
    """The result of a claim: its outcome, its parts where there are several, and the evidence; pictures come first."""
    of_parts = Table(
        Sentence("Parts of the claim: it is refuted with one of them, and supported only with all"),
        [Sentence("part"), Sentence("measured"), _AT_LEAST, _AT_MOST, Sentence("must exceed"), Sentence("outcome")],
        [[part.name, *part.interval, part.margin, _OUTCOMES[part.outcome]] for part in parts],
    )
    pictures = [piece for piece in evidence if isinstance(piece, Curves)]
    folded = [piece for piece in evidence if not isinstance(piece, Curves)]
    return Result(
        *(headline or parts[0].interval),
        n,
        method,
        confidence,
        sample=sample,
        summary=summary,
        caveats=caveats,
        evidence=[*pictures, *([of_parts] if len(parts) > 1 else []), *folded],
        outcome=together(parts),
    )


def _protocol(runs: Runs) -> tuple[float, int, int]:
    """Confidence, number of test examples, and number of seeds."""
    predictions = runs[0].predictions
    return predictions.known.protocol.confidence, len(predictions), len(runs)


def _correct(runs: Runs) -> _Right:
    """Whether each training is right on each text."""
    return np.array([run.predictions.correct for run in runs])


def _share(correct: _Right, confidence: float) -> Interval:
    """Share of right answers: of one training exact, of several the mean."""
    if len(correct) == 1:
        return statistics.proportion(int(correct.sum()), correct.size, confidence)
    return _over_seeds([correct.astype(float)], confidence, (0.0, 1.0))


def _accuracy(runs: Runs, confidence: float) -> Interval:
    """Mean accuracy of several trainings, or that of one."""
    return _share(_correct(runs), confidence)


def _gain(runs: Runs, others: Runs, confidence: float) -> Interval:
    """How much more often models of one recipe are right than those of another, paired by text and seed."""
    return _lead(_correct(runs), _correct(others), confidence)


def _lead(made: _Right, other: _Right, confidence: float) -> Interval:
    """How much more often models of one kind are right than those of another, on the same texts.

    Where there are several trainings the interval covers texts and seeds; where there is one of each it is the exact
    one over texts.
    """
    if len(made) == len(other) == 1:
        return statistics.paired_difference(*statistics.discordant(made[0], other[0]), confidence)
    return _over_seeds([made.astype(float) - other], confidence, (-1.0, 1.0))


def _lead_above(first: tuple[_Right, _Right], second: tuple[_Right, _Right], confidence: float) -> Interval:
    """The lead of one kind over another on the first texts, less that on the second, which are others.

    Notes
    -----
    Of one training each, it is twice the mean of the first lead and of the second turned round.
    """
    if len(first[0]) == len(first[1]) == 1:
        (a, b, n), (c, d, m) = (statistics.discordant(made[0], other[0]) for made, other in (first, second))
        mean = statistics.mean_paired_difference([a, d], [b, c], [n, m], confidence)
        return Interval(*(2 * value for value in mean))
    return _over_seeds(
        [first[0].astype(float) - first[1], second[1].astype(float) - second[0]], confidence, (-1.0, 1.0)
    )


def _over_seeds(values: Sequence[NDArray[np.float64]], confidence: float, possible: tuple[float, float]) -> Interval:
    """Interval of the sum of means over texts and seeds, both of which are drawn by chance.

    Parameters
    ----------
    values : sequence of ndarray, shape (seeds, texts)
        One for each set of texts; the seeds are the same in all.
    possible : (float, float)
        Smallest and largest value of one text.

    Notes
    -----
    The errors of each set of texts, of the mean over the seeds, and that of the seeds, each by Student's t, are added
    in squares (Zou and Donner 2008). What the scatter of seeds holds of the texts' is counted twice, so the interval
    errs to the wide side.
    """
    texts = [
        statistics.clustered_mean(each.mean(axis=0), np.arange(each.shape[1]), confidence, possible=possible)
        for each in values
    ]
    seeds = statistics.mean(sum(each.mean(axis=1) for each in values), confidence)
    below, above = (float(np.sqrt(sum((each[0] - each[side]) ** 2 for each in (*texts, seeds)))) for side in (1, 2))
    least, most = (len(values) * end for end in possible)
    return Interval(seeds.estimate, max(seeds.estimate - below, least), min(seeds.estimate + above, most))


def _saved(runs: Runs, others: Runs, what: Literal["seconds", "kwh"], confidence: float) -> Interval:
    """Which share of the others' training time or electricity these save; t over the logarithms of the ratios.

    An estimate of electricity may be off in both, and not alike.
    """
    ratios = [_figures(run)[what] / _figures(other)[what] for run, other in zip(runs, others, strict=True)]
    ratio = Interval(*np.exp(statistics.mean(np.log(ratios), confidence)))
    if what == "kwh":
        one, other = (widen(Interval(1.0, 1.0, 1.0), _estimated(each)) for each in (runs, others))
        ratio = Interval(ratio.estimate, ratio.low * one.low / other.high, ratio.high * one.high / other.low)
    return Interval(*(1 - float(value) for value in (ratio.estimate, ratio.high, ratio.low)))


def _figures(run: Trained) -> Figures:
    assert run.training is not None
    return run.training["energy"]


def _estimated(runs: Runs) -> float:
    """Share of the trainings' electricity that was estimated."""
    return float(sum(estimated_kwh(_figures(run)) for run in runs) / sum(_figures(run)["kwh"] for run in runs))


def _mean_cost(runs: Runs) -> tuple[float, float]:
    """Mean seconds and kWh of a training."""
    figures = [_figures(run) for run in runs]
    return float(np.mean([each["seconds"] for each in figures])), float(np.mean([each["kwh"] for each in figures]))


def _energies(models: Mapping[str, Runs], confidence: float) -> Table:
    """A table of models: mean accuracy, and what a training took."""
    rows: list[list[Cell]] = []
    for name, made in models.items():
        cost: list[float | None] = [None] * 4
        if all(run.training is not None for run in made):
            seconds, kwh = _mean_cost(made)
            cost = [seconds, *widen(Interval(kwh, kwh, kwh), _estimated(made))]
        rows.append([name, *_accuracy(made, confidence), *cost])
    return Table(
        Sentence(
            "Mean accuracy, intervals each by itself, and what a training took; the limits of kWh are those of an "
            "estimate's known error"
        ),
        [_MODEL, _ACCURACY, _LOW, _HIGH, _SECONDS, "kWh", _AT_LEAST, _AT_MOST],
        rows,
        units=["", SHARE, SHARE, SHARE, "", "", "", ""],
    )


def _softmax(queries: NDArray[Any], keys: NDArray[Any], root: bool) -> NDArray[np.float64]:
    """Softmax over the keys of all products of queries and keys, shape (layers, heads, tokens, tokens)."""
    scores = queries.astype(float) @ keys.astype(float).swapaxes(-1, -2)
    if root:
        scores /= np.sqrt(queries.shape[-1])
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _steps(runs: Runs) -> int | None:
    """How many batches each was trained on; None of a model that is not trained in steps."""
    return cast("FineTuning", runs[0].training).get("steps")


def _rate(runs: Runs) -> str:
    """The learning rate of a fine-tuning, and how it begins."""
    recipe = cast("FineTuning", runs[0].training)["recipe"]
    rate, warmup = (
        Sentence("{rate:.2g}", rate=cast("float", recipe["learning_rate"])),
        cast("float", recipe["warmup_ratio"]),
    )
    if not warmup:
        return rate
    return Sentence("{rate} that rises over the first {share:%} of the steps", rate=rate, share=warmup)


def _examples(runs: Runs) -> int:
    assert runs[0].training is not None
    return int(runs[0].training["examples"])


def _more_often(difference: float) -> Sentence:
    """How much more often than something: 2.1 points more often than."""
    return _in_points(
        difference, Sentence("more often than"), Sentence("less often than"), same=Sentence("as often as")
    )


def _in_points(difference: float, more: Sentence, less: Sentence, *, same: Sentence) -> Sentence:
    points = 100 * abs(difference)
    if f"{points:.1f}" == "0.0":
        return same
    return Sentence("{points:.1f} points {way}", points=points, way=more if difference > 0 else less)


def _less(share: float) -> Sentence:
    percent = f"{100 * abs(share):.0f}"
    if percent == "0":
        return Sentence("as much")
    if share > 0:
        return Sentence("{share:%} less", share=abs(share))
    return Sentence("{share:%} more", share=abs(share))


def _shared(parts: int, confidence: float) -> str:
    if parts == 1:
        return ""
    return Sentence(
        "The error of {error:.3g} % is shared out among the {parts} parts of the claim (Bonferroni), so that all "
        "intervals hold together.",
        error=100 * (1 - confidence),
        parts=parts,
    )


def _over(seeds: int) -> Sentence:
    return Sentence(
        "The interval covers the choice of the test texts and that of the random seeds, by Student's t over {seeds} "
        "trainings; the two are added in squares.",
        seeds=seeds,
    )


def _of_kinds(deep: Mapping[str, Sequence[object]]) -> list[Sentence]:
    """How the lead of a kind of model is told, by how many trainings there are of it."""
    seeds = {len(made) for made in deep.values()}
    return [
        *(_over(number) for number in sorted(seeds) if number > 1),
        *([Sentence("Of a model that was trained once: {paired}.", paired=PAIRED)] if 1 in seeds else []),
    ]


def _luck(deep: Mapping[str, Sequence[object]]) -> list[Sentence]:
    """What the intervals do not cover, or hardly."""
    seeds = {len(made) for made in deep.values()}
    return [*(_seeds(number) for number in sorted(seeds) if number > 1), *([_ONE_TRAINING] if 1 in seeds else [])]


def _seeds(seeds: int) -> Sentence:
    return Sentence(
        "{seeds} random seeds tell little of the luck of a training, which makes the intervals wide.", seeds=seeds
    )
