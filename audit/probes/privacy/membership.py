"""Membership inference: can somebody tell from the model's answers which texts it was trained on?

Two sources of evidence. The model itself, its training sample against the test split, is what ships; but where the
texts of the two differ, an attack tells them apart by the texts and not by the model. The recipe, rehearsed by twins on
random halves of the training data, has members and others that only a coin set apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Fact, Facts, Roc, RocCurves, Table
from audit.core.measurement import Result
from audit.core.probe import Alarm, Probe
from audit.core.sentences import Sentence, interval, joined
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import of_sample
from audit.probes.privacy import blind as blind_baseline
from audit.probes.privacy import membership_attacks
from audit.probes.privacy.privacy import NO_TRAINING_DATA
from audit.statistics import Interval, OperatingPoints, Trial

# Values of RMIA's offline factor a among which twins choose.
FACTORS = tuple(float(a) for a in np.linspace(0, 1, 11))
# Reference models of one attack: each more halves the examples that none of them saw.
MOST_REFERENCES = 2
# So many others carry a threshold that one in a thousand of them passes.
ENOUGH_FOR_ONE_IN_A_THOUSAND = 10_000

# Where the evidence comes from, and how a sentence calls it.
ITSELF: str = Sentence("the model itself: training against test examples")
RECIPE: str = Sentence("its recipe: twins on random halves of the training data")
_NAMES = {ITSELF: Sentence("the model itself"), RECIPE: Sentence("its recipe")}
DIFFER = Sentence(
    "training and test texts differ, so that they can be told apart without the model, and there is no recipe to "
    "rehearse; supply test texts from the same source as the training data, or [model.finetune]"
)
CAVEATS = (
    Sentence("These are known attacks; stronger ones may find more. A pass bounds these attacks, not the leak."),
    Sentence(
        "The attacker knows the text, its label and the model's probabilities, and does not query variants of the text."
    ),
)


@dataclass(frozen=True)
class Twins:
    """Twins that are trained only when their evidence is needed.

    Parameters
    ----------
    examples : Examples
        The training data that their halves are drawn from.
    make : callable
        Gives, for each twin, a scorer of it and which of the examples it saw, shape (n,). At least two twins.
    always : bool
        Whether the release owner asked for their evidence in any case.
    """

    examples: Examples
    make: Callable[[], Sequence[tuple[Scorer, NDArray[np.bool_]]]]
    always: bool = False

    @cached_property
    def made(self) -> Sequence[tuple[Scorer, NDArray[np.bool_]]]:
        """The twins; asked for once."""
        return self.make()


@dataclass(frozen=True)
class Attackable:
    """Examples as a model and references that never saw them answer to them, and which of them the model saw.

    Parameters
    ----------
    target : Predictions
        Of n examples, which they know.
    references : tuple of Predictions
        Of the same examples.
    member : ndarray of bool, shape (n,)
    example : ndarray of int, shape (n,)
        The same number for the same text.
    """

    target: Predictions
    references: tuple[Predictions, ...]
    member: NDArray[np.bool_]
    example: NDArray[np.int64]

    @property
    def possible(self) -> bool:
        """Whether there are enough examples on both sides."""
        return bool(min(self.member.sum(), (~self.member).sum()) >= 2)

    def trial(self, scores: membership_attacks.Array) -> Trial:
        """The scores of an attack as a trial."""
        return Trial(scores, self.member, self.example)

    def rmia(self, a: float) -> Trial:
        """RMIA with this offline factor, the examples themselves as its population."""
        own = np.exp(-self.target.losses)
        others = np.exp(-np.array([reference.losses for reference in self.references]))
        return self.trial(membership_attacks.rmia(own, others, own, others, a=a))

    def trials(self, a: float | None) -> dict[str, Trial]:
        """A trial for each attack that the references allow; without `a` those that need none."""
        losses = self.target.losses
        made: dict[str, Trial] = {
            Sentence("loss (Yeom et al. 2018)"): self.trial(membership_attacks.loss_threshold(losses))
        }
        if self.references and a is not None:
            out = np.array([reference.losses for reference in self.references])
            made[Sentence("calibrated loss (Watson et al. 2022)")] = self.trial(
                membership_attacks.calibrated_loss(losses, out)
            )
            made[Sentence("RMIA (Zarifzadeh et al. 2024)")] = self.rmia(a)
        if len(self.references) > 1 and a is not None:
            scaled = [
                membership_attacks.scaled_confidence(p.probabilities, p.truth) for p in (self.target, *self.references)
            ]
            scores = membership_attacks.lira_offline(scaled[0], np.array(scaled[1:]))
            made[Sentence("LiRA, offline (Carlini et al. 2022)")] = self.trial(scores)
        return made


class Attack(NamedTuple):
    """How well one attack did, at the confidence of the claim and at that shared out among all attacks."""

    name: str
    trials: Sequence[Trial]
    plain: Interval
    strict: Interval
    points: OperatingPoints


@Probe(
    id="privacy.membership_inference",
    challenge="privacy",
    title="Membership inference",
    unit="",
    counts="AUC of the attack; 0.5 is guessing",
    better="lower",
    meaning=(
        "Whether somebody who knows a text and its label can tell from the model's answer that the text was in the "
        "training data."
    ),
    harm=(
        "A person's presence in the training data can be a secret in itself, and what identifies members is the first "
        "step to getting the data out."
    ),
    remedy="Fewer epochs, more data, regularisation, or training with differential privacy.",
    range=(0, 1),
    measured_on=("test data", "training data", "recipe"),
    rules=("MEASURE 2.10", "Article 9(8)", "Article 15(5)", "A.5.4", "A.6.2.4"),
    alarm=Alarm(0.6, "The attack picks the training example in 60 of 100 pairs; guessing does in 50."),
    guide="docs/membership.md",
    passes=1,
    trainings=2,
)
def membership_inference(
    scorer: Scorer, members: Examples | None, predictions: Predictions, twins: Twins | None = None
) -> Result:
    """How well the best of several attacks tells training examples from others.

    Parameters
    ----------
    scorer : Scorer
        Of the model under audit.
    members : Examples or None
        What the model was trained on.
    predictions : Predictions
        Of the test split, whose examples it was not trained on.
    twins : Twins or None
        Models by the same recipe. They are trained only where the test texts differ from the training texts, or where
        the release owner asks for them.

    Returns
    -------
    Result
        AUC of the best attack; 0.5 is guessing.

    Raises
    ------
    NotAssessed
        Without training data, or without test texts that do not stand in it.

    Notes
    -----
    Sources: the attacks in :mod:`audit.probes.privacy.membership_attacks`; Das, Zhang and Tramèr, "Blind baselines beat
    membership inference attacks for foundation models", arXiv:2406.16201 (2024), for what no attack on the model may be
    credited with. The largest of several attacks by the rule of :func:`audit.statistics.largest`.
    """
    if members is None:
        raise NotAssessed(NO_TRAINING_DATA)
    protocol = predictions.known.protocol
    itself = _itself(scorer, members, predictions)
    blind = blind_baseline.blind_auc(itself.target.known, itself.member, protocol.confidence, protocol.seed)
    differ = blind is not None and blind.low > 0.5
    rehearsed = _rehearsed(twins) if twins is not None and (differ or twins.always) else ()
    found = {ITSELF: _attacks(_on_itself(itself, twins, rehearsed), protocol.confidence, protocol.seed)}
    if rehearsed:
        found[RECIPE] = _attacks(_on_twins(rehearsed), protocol.confidence, protocol.seed)
    return _result(found, itself, blind, protocol.confidence, of_sample(members))


# ---- the evidence


def _itself(scorer: Scorer, members: Examples, predictions: Predictions) -> Attackable:
    """The training sample against the test examples whose text does not stand in the training data."""
    inside = members.sample()
    outside_rows = ~_among(predictions.known.texts, members.texts)
    if outside_rows.sum() < 2 or len(inside) < 2:
        raise NotAssessed(Sentence("every test text, or all but one, stands in the training data; supply others"))
    outside = predictions.known.take(outside_rows)
    both = Examples(
        inside.texts + outside.texts,
        np.concatenate([inside.labels, outside.labels]),
        outside.classes,
        protocol=outside.protocol,
        clusters=_together(inside, outside),
    )
    said = np.concatenate([scorer.predict(inside.texts).probabilities, predictions.probabilities[outside_rows]])
    member = np.arange(len(both)) < len(inside)
    order = both.drawn("privacy.membership_inference")  # whatever is drawn below goes by row
    both, said, member = both.take(order), said[order], member[order]
    # A text that stands several times is one example: its scores are all the same.
    return Attackable(Predictions(said, predictions.classes, both), (), member, statistics.cluster_ids(both.texts))


def _together(*parts: Examples) -> NDArray[np.int64]:
    """Clusters of examples of several splits; what one split calls by a number, another does not."""
    keys = [
        (part, cluster)
        for part, each in enumerate(parts)
        for cluster in (range(len(each)) if each.clusters is None else each.clusters.tolist())
    ]
    return statistics.cluster_ids(keys)


def _among(texts: Iterable[str], known: Iterable[str]) -> NDArray[np.bool_]:
    """Which texts are among the known ones."""
    seen = set(known)
    return np.array([text in seen for text in texts], dtype=bool)


def _on_itself(itself: Attackable, twins: Twins | None, rehearsed: Sequence[Attackable]) -> dict[str, list[Trial]]:
    """Trials on the model under audit; with twins also the attacks that need references, a chosen on the twins."""
    found = itself.trials(None)
    if twins is not None and rehearsed:
        known = itself.target.known
        references = twins.made[:MOST_REFERENCES]
        seen = np.any([_among(known.texts, twins.examples.take(saw).texts) for _, saw in references], axis=0)
        fresh = _part(itself, ~seen, [scorer for scorer, _ in references])
        if fresh.possible:
            found = {**fresh.trials(_best_factor(rehearsed)), **found}
    return {name: [trial] for name, trial in found.items()}


def _part(whole: Attackable, rows: NDArray[np.bool_], references: Iterable[Scorer]) -> Attackable:
    """Some of the examples, and what references say of them."""
    about = whole.target.known.take(rows)
    target = Predictions(whole.target.probabilities[rows], whole.target.classes, about)
    said = tuple(scorer.predict(about.texts).on(about) for scorer in references)
    return Attackable(target, said, whole.member[rows], whole.example[rows])


def _rehearsed(twins: Twins) -> tuple[Attackable, ...]:
    """Each twin as a target once, attacked with others as references, on examples that these never saw."""
    rows = _single_rows(twins.examples)
    about = twins.examples.take(rows)
    said = [scorer.predict(about.texts).on(about) for scorer, _ in twins.made]
    saw = np.array([seen[rows] for _, seen in twins.made])  # (twins, rows)
    count = len(said)
    roles = []
    for target in range(count):
        others = [(target + step) % count for step in range(1, min(count, MOST_REFERENCES + 1))]
        fresh = np.asarray(~saw[others].any(axis=0))
        part = about.take(fresh)
        answers = [Predictions(said[i].probabilities[fresh], said[i].classes, part) for i in (target, *others)]
        roles.append(Attackable(answers[0], tuple(answers[1:]), saw[target][fresh], np.flatnonzero(fresh)))
    return tuple(role for role in roles if role.possible)


def _single_rows(examples: Examples) -> NDArray[np.int64]:
    """Rows whose text stands once, at most ``max_examples``: one that stands twice is a member for two coins' sake."""
    times = Counter(examples.texts)
    single = np.array([times[text] == 1 for text in examples.texts])
    size = examples.protocol.max_examples
    return examples.drawn("sample", single)[:size] if 0 < size < single.sum() else np.flatnonzero(single)


def _on_twins(roles: Sequence[Attackable]) -> dict[str, list[Trial]]:
    """Trials on the twins, one for each role; a is chosen on the other roles, never on the one it is used in."""
    found: dict[str, list[Trial]] = {}
    for i, role in enumerate(roles):
        others = [other for j, other in enumerate(roles) if j != i]
        for name, trial in role.trials(_best_factor(others) if others else None).items():
            found.setdefault(name, []).append(trial)
    return found


def _best_factor(roles: Sequence[Attackable]) -> float:
    """The offline factor with which RMIA does best in these roles."""
    return max(FACTORS, key=lambda a: statistics.clustered_auc([role.rmia(a) for role in roles]).estimate)


def _attacks(found: Mapping[str, Sequence[Trial]], confidence: float, seed: int) -> list[Attack]:
    """What each attack reaches, the best first."""
    strict = statistics.shared_out(confidence, len(found))
    made = [
        Attack(
            name,
            trials,
            statistics.clustered_auc(trials, confidence),
            statistics.clustered_auc(trials, strict),
            statistics.operating_points(trials, _levels(trials), confidence, seed=seed),
        )
        for name, trials in found.items()
    ]
    return sorted(made, key=lambda attack: -attack.plain.estimate)


def _levels(trials: Sequence[Trial]) -> list[float]:
    """False-alarm rates at which an attack is measured."""
    others = min(int((~trial.positive).sum()) for trial in trials)
    return [0.01, 0.001] if others >= ENOUGH_FOR_ONE_IN_A_THOUSAND else [0.01]


# ---- the result


def _result(
    found: Mapping[str, list[Attack]], itself: Attackable, blind: Interval | None, confidence: float, ceiling: str
) -> Result:
    differ = blind is not None and blind.low > 0.5
    source = RECIPE if differ and RECIPE in found else ITSELF
    chosen = found[source]
    best = chosen[0]
    plain, strict = (
        tuple(np.array([bounds[i] for bounds in column]) for i in range(3))
        for column in ([attack.plain for attack in chosen], [attack.strict for attack in chosen])
    )
    estimate, low, high = map(float, statistics.largest(plain, strict))  # type: ignore[arg-type]
    undecided = differ and source == ITSELF
    if undecided:
        low, high = 0.0, 1.0
    examples = len(np.unique(np.concatenate([trial.cluster for trial in best.trials])))
    return Result(
        estimate,
        low,
        high,
        examples,
        _method(len(chosen), source),
        confidence,
        sample=Sentence("members and others"),
        ceiling=ceiling,
        interval="approximate",
        summary=_summary(best, source, blind, undecided),
        caveats=[*CAVEATS, *_caveats(source, blind, undecided)],
        evidence=[
            RocCurves(_caption(source), [_curve(attack) for attack in chosen]),
            *(_table(name, attacks_) for name, attacks_ in found.items()),
            Facts([*_counts(itself, blind), Fact(Sentence("best attack"), best.name), *_at_points(best)]),
        ],
        undecided=DIFFER if undecided else "",
    )


def _method(count: int, source: str) -> str:
    return Sentence(
        "AUC of {which}, on {source}. Interval by the variance of DeLong et al. 1988, its limit towards 0.5 with room "
        "for one more row with a random score (Fay and Feuer 1997), examples that serve in several trials counted once "
        "(Obuchowski 1997); of several attacks the error of the lower bound is shared out. Other rates: members and "
        "others resampled together, 1,000 times.",
        which=Sentence("the attack that calls the examples with the smallest loss members (Yeom et al. 2018)")
        if count == 1
        else Sentence("the best of {count} attacks, named in the table", count=count),
        source=source,
    )


def _summary(best: Attack, source: str, blind: Interval | None, undecided: bool) -> str:
    pairs = Sentence(
        "Of a training example and another one, the best attack on {source} calls the right one the member in "
        "{right:.0f} of 100 pairs; guessing does in 50.",
        source=_NAMES[source],
        right=100 * best.plain.estimate,
    )
    if blind is None or blind.low <= 0.5:
        return pairs
    if undecided:
        told = Sentence(
            "Training and test texts can be told apart without the model (AUC {auc}), so what an attack finds here is "
            "not the model's doing: no verdict.",
            auc=interval(*blind),
        )
    else:
        told = Sentence(
            "Training and test texts can be told apart without the model (AUC {auc}), so the verdict rests on "
            "{source}.",
            auc=interval(*blind),
            source=RECIPE,
        )
    return joined([told, pairs])


def _counts(itself: Attackable, blind: Interval | None) -> list[Fact]:
    losses, member = itself.target.losses, itself.member
    return [
        Fact(Sentence("members"), int(member.sum())),
        Fact(Sentence("others"), int((~member).sum())),
        Fact(Sentence("mean loss of members"), float(losses[member].mean())),
        Fact(Sentence("mean loss of others"), float(losses[~member].mean())),
        Fact(Sentence("blind baseline, AUC"), Sentence("too few examples") if blind is None else interval(*blind)),
    ]


def _at_points(attack: Attack) -> list[Fact]:
    """The operating points of an attack, each with its interval."""
    names = [
        Sentence("balanced accuracy"),
        *(
            Sentence("members recognised at {percent:.3g} % false alarms", percent=100 * level)
            for level in _levels(attack.trials)
        ),
    ]
    return [
        fact
        for name, rate in zip(names, (attack.points.balanced_accuracy, *attack.points.caught), strict=True)
        for fact in (
            Fact(name, rate.estimate),
            Fact(Sentence("{figure}, at least", figure=name), rate.low),
            Fact(Sentence("{figure}, at most", figure=name), rate.high),
        )
    ]


def _curve(attack: Attack) -> Roc:
    """The ROC of an attack to be drawn, four digits of each rate, and its intervals at the levels."""
    levels = zip(_levels(attack.trials), attack.points.caught, strict=True)
    points = [[float(f"{rate:.4g}") for rate in point] for point in statistics.roc_points(attack.trials)]
    return Roc(attack.name, points, [[level, *rate] for level, rate in levels])


def _caption(source: str) -> str:
    return Sentence("Attacks on {source}", source=source)


def _table(source: str, found: Sequence[Attack]) -> Table:
    levels = _levels([trial for attack in found for trial in attack.trials])
    columns = [
        Sentence("attack"),
        Sentence("AUC"),
        Sentence("low"),
        Sentence("high"),
        Sentence("members"),
        Sentence("others"),
        Sentence("balanced accuracy"),
        *(Sentence("recognised at {percent:.3g} % false alarms", percent=100 * level) for level in levels),
    ]
    rows: list[list[Cell]] = [
        [
            attack.name,
            *attack.plain,
            sum(int(trial.positive.sum()) for trial in attack.trials),
            sum(int((~trial.positive).sum()) for trial in attack.trials),
            interval(*attack.points.balanced_accuracy),
            *(interval(*rate) for rate in attack.points.caught[: len(levels)]),
        ]
        for attack in found
    ]
    return Table(_caption(source), columns, rows)


def _caveats(source: str, blind: Interval | None, undecided: bool) -> list[str]:
    if source == RECIPE:
        return [
            Sentence(
                "It speaks for the recipe on half the training data, not for this very model: a twin reads each text "
                "as often, but takes half as many steps, and may remember more or less."
            ),
            Sentence(
                "Texts that stand more than once in the training data are left out of the twins' trials; such texts "
                "are remembered best."
            ),
        ]
    if undecided:
        return [
            Sentence(
                "Training and test texts differ, so the figure mixes memory with that difference and bounds neither."
            )
        ]
    fair = Sentence(
        "It is fair only if training and test data come from the same source: where the texts themselves differ, it "
        "would tell them apart without the model."
    )
    baseline = (
        Sentence("The blind baseline on the texts alone was not measured, for lack of examples.")
        if blind is None
        else Sentence("The blind baseline on the texts alone finds no difference, which is no proof.")
    )
    return [joined([fair, baseline])]
