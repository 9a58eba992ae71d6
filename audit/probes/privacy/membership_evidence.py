"""What membership attacks find, and which of it a verdict may rest on.

There are three sources of evidence. Where the recipe made the model, a coin set the examples that it held out for
validation apart from the members: against them the model itself shows what it remembers. Test examples may be told
apart from the training data by what they are, and stand in for others only where nothing of that is seen past the
model. The recipe, rehearsed by twins on random halves of the training data, has members and others that only a coin set
apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import of_sample
from audit.probes.privacy import blind, membership_attacks
from audit.probes.privacy.blind import Differences
from audit.probes.privacy.privacy import NO_TRAINING_DATA
from audit.statistics import Interval, Trial

# Values of RMIA's offline factor a among which twins choose.
FACTORS = tuple(float(a) for a in np.linspace(0, 1, 11))
# Reference models of one attack: each more halves the examples that none of them saw.
MOST_REFERENCES = 2
# So many others carry a threshold that one in a thousand of them passes.
ENOUGH_FOR_ONE_IN_A_THOUSAND = 10_000

# Rates of false alarms at which an attack is measured; the second with enough others only.
LEVELS = (0.01, 0.001)
# Half the width of the interval of an AUC, up to which examples that were held out can decide: about 130 of them.
WIDEST = 0.05
# Members against examples that were held out, at most: more make the interval hardly narrower.
HELD_OUT_MEMBERS = 5_000

# Where the evidence comes from, and how a sentence calls it.
HELD_OUT: str = Sentence("the model itself: training examples against those that its recipe held out")
ITSELF: str = Sentence("the model itself: training against test examples")
RECIPE: str = Sentence("its recipe: twins on random halves of the training data")


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
    covariates : ndarray of float, shape (n, k), optional
        What tells the loss past the model, where a coin made the members.
    of : tuple of int and int, optional
        How many examples were trained on and held out, of which these are those that can be told apart.
    by_rows : bool
        Whether rows were held out, not texts, so that those that stand more than once are missing here.
    """

    target: Predictions
    references: tuple[Predictions, ...]
    member: NDArray[np.bool_]
    example: NDArray[np.int64]
    covariates: NDArray[np.float64] | None = None
    of: tuple[int, int] | None = None
    by_rows: bool = False

    @property
    def possible(self) -> bool:
        """Whether there are enough examples on both sides."""
        return bool(min(self.member.sum(), (~self.member).sum()) >= 2)

    def trial(self, scores: membership_attacks.Array) -> Trial:
        """The scores of an attack as a trial."""
        return Trial(scores, self.member, self.example, self.covariates)

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
    """How well one attack did, at the confidence of the claim and, for what is gated, at that shared out among all.

    Parameters
    ----------
    auc, strict_auc : Interval
    recognised : tuple of Interval
        Members at each of the levels of false alarms.
    strict_recognised : Interval
        At the first level.
    balanced_accuracy : Interval
    """

    name: str
    trials: Sequence[Trial]
    auc: Interval
    strict_auc: Interval
    recognised: tuple[Interval, ...]
    strict_recognised: Interval
    balanced_accuracy: Interval


class Evidence(NamedTuple):
    """All that was tried, and what the verdict rests on.

    Parameters
    ----------
    found : mapping of str to list of Attack
        Attacks by their source, the best first.
    source : str
        The one that the verdict rests on.
    itself : Attackable
        Members and others of the model itself.
    guard : Differences or None
        Of members and test examples; None where others were held out, or there are too few examples.
    confidence : float
        Two-sided, of each interval.
    ceiling : str
        What keeps the others from being more.
    """

    found: Mapping[str, list[Attack]]
    source: str
    itself: Attackable
    guard: Differences | None
    confidence: float
    ceiling: str

    @property
    def attacks(self) -> list[Attack]:
        """Those of the source that decides, the best first."""
        return self.found[self.source]

    @property
    def undecided(self) -> bool:
        """Whether members and others differ, and nothing else can decide."""
        return self.source == ITSELF and self.guard is not None and self.guard.are_found

    @property
    def too_few(self) -> Interval | None:
        """AUC against the examples that were held out, where they are too few to tell."""
        found = self.found.get(HELD_OUT)
        return None if found is None or _is_narrow(found[0].trials) else found[0].auc


def gather(
    scorer: Scorer,
    members: Examples | None,
    predictions: Predictions,
    twins: Twins | None,
    held_out: Examples | None,
) -> Evidence:
    """What attacks find on each source that is sound, and on those that are not, where nothing else is at hand."""
    if members is None:
        raise NotAssessed(NO_TRAINING_DATA)
    protocol = predictions.known.protocol
    apart = None if held_out is None else _apart(scorer, members, held_out)
    sound = apart is not None and _is_narrow([*apart.trials(None).values()])
    tested = None if sound else _against_test(scorer, members, predictions)
    itself = apart or tested
    if itself is None:
        raise NotAssessed(Sentence("every test text, or all but one, stands in the training data; supply others"))
    guard = None if tested is None else blind.differences(tested.target.known, tested.member, protocol.seed)
    differ = apart is None and guard is not None and guard.are_found
    rehearsed = _rehearsed(twins) if twins is not None and (differ or twins.always) else ()
    trials: dict[str, dict[str, list[Trial]]] = {}
    if apart is not None:
        against = _on_itself(apart, twins, rehearsed)
        # The loss attack decides whether they are enough; no attack on fewer of them may make the verdict vaguer.
        trials[HELD_OUT] = {name: each for i, (name, each) in enumerate(against.items()) if i == 0 or _is_narrow(each)}
    if tested is not None:
        trials[ITSELF] = _on_itself(tested, twins, rehearsed)
    if rehearsed:
        trials[RECIPE] = _on_twins(rehearsed)
    source = HELD_OUT if apart is not None else ITSELF
    if rehearsed and (differ or not (sound or source == ITSELF)):
        source = RECIPE
    found = {name: _attacks(each, protocol.confidence, protocol.seed) for name, each in trials.items()}
    ceiling = _held_out_ceiling(itself) if source == HELD_OUT else of_sample(members)
    return Evidence(found, source, itself, guard, protocol.confidence, ceiling)


def _is_narrow(trials: Sequence[Trial]) -> bool:
    """Whether the area of these trials is known well enough to decide; whatever confidence the policy asks for."""
    _, low, high = statistics.clustered_auc(trials)
    return high - low <= 2 * WIDEST


def _held_out_ceiling(apart: Attackable) -> str:
    return Sentence(
        "the recipe holds out {others:,} examples; raise [model.finetune] validation, or add training data",
        others=int((~apart.member).sum()),
    )


def _apart(scorer: Scorer, members: Examples, held_out: Examples) -> Attackable | None:
    """The training sample against what a coin kept from training; None where what it drew is too few.

    A text counts once, however often it was trained on. One that is on both sides shows that rows were drawn, not
    texts: one that stands twice is then a member for two coins' sake, so only those that stand once count.
    """
    by_rows = not set(members.texts).isdisjoint(held_out.texts)
    times = Counter([*members.texts, *held_out.texts])

    def serves(part: Examples) -> NDArray[np.bool_]:
        return np.array([times[text] == 1 for text in part.texts], dtype=bool) if by_rows else part.is_first

    inside, outside = (part.take(serves(part)) for part in (members.sample(), held_out.sample()))
    if min(len(inside), len(outside)) < 2:
        return None
    most = max(HELD_OUT_MEMBERS, len(outside))
    inside = inside.take(inside.drawn("privacy.membership_inference")[:most])
    apart = replace(
        _attackable(inside, scorer.predict(inside.texts), outside, scorer.predict(outside.texts)),
        of=(len(members), len(held_out)),
        by_rows=by_rows,
    )
    if min(len(inside), len(outside)) < blind.FOLDS:
        return apart
    about = apart.target.known
    return replace(apart, covariates=blind.label_covariates(about, apart.member, about.protocol.seed))


def _against_test(scorer: Scorer, members: Examples, predictions: Predictions) -> Attackable | None:
    """The training sample against the test examples whose text does not stand in the training data; None of too few."""
    inside = members.sample()
    rows = ~predictions.known.stand_in(members.texts)
    if rows.sum() < 2 or len(inside) < 2:
        return None
    outside = predictions.known.take(rows)
    said = Predictions(predictions.probabilities[rows], predictions.classes, outside)
    return _attackable(inside, scorer.predict(inside.texts), outside, said, _together(inside, outside))


def _attackable(
    inside: Examples,
    of_inside: Predictions,
    outside: Examples,
    of_outside: Predictions,
    clusters: NDArray[np.int64] | None = None,
) -> Attackable:
    """Members and others, and what the model says of them."""
    both = Examples(
        inside.texts + outside.texts,
        np.concatenate([inside.labels, outside.labels]),
        outside.classes,
        protocol=outside.protocol,
        clusters=clusters,
    )
    said = np.concatenate([of_inside.probabilities, of_outside.probabilities])
    member = np.arange(len(both)) < len(inside)
    order = both.drawn("privacy.membership_inference")  # whatever is drawn below goes by row
    both, said, member = both.take(order), said[order], member[order]
    # A text that stands several times is one example: its scores are all the same.
    return Attackable(Predictions(said, both.classes, both), (), member, statistics.cluster_ids(both.texts))


def _together(*parts: Examples) -> NDArray[np.int64]:
    """Clusters of examples of several splits; what one split calls by a number, another does not."""
    keys = [
        (part, cluster)
        for part, each in enumerate(parts)
        for cluster in (range(len(each)) if each.clusters is None else each.clusters.tolist())
    ]
    return statistics.cluster_ids(keys)


def _on_itself(itself: Attackable, twins: Twins | None, rehearsed: Sequence[Attackable]) -> dict[str, list[Trial]]:
    """Trials on the model under audit; with twins also the attacks that need references, a chosen on the twins."""
    found = itself.trials(None)
    if twins is not None and rehearsed:
        known = itself.target.known
        references = twins.made[:MOST_REFERENCES]
        seen = np.any([known.stand_in(twins.examples.take(saw).texts) for _, saw in references], axis=0)
        fresh = _part(itself, ~seen, [scorer for scorer, _ in references])
        if fresh.possible:
            found = {**fresh.trials(_best_factor(rehearsed)), **found}
    return {name: [trial] for name, trial in found.items()}


def _part(whole: Attackable, rows: NDArray[np.bool_], references: Iterable[Scorer]) -> Attackable:
    """Some of the examples, and what references say of them."""
    about = whole.target.known.take(rows)
    target = Predictions(whole.target.probabilities[rows], whole.target.classes, about)
    said = tuple(scorer.predict(about.texts).on(about) for scorer in references)
    covariates = None if whole.covariates is None else whole.covariates[rows]
    return Attackable(target, said, whole.member[rows], whole.example[rows], covariates)


def _rehearsed(twins: Twins) -> tuple[Attackable, ...]:
    """Each twin as a target once, attacked with others as references, on examples that these never saw."""
    rows = _undivided(twins)
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


def _undivided(twins: Twins) -> NDArray[np.int64]:
    """A row of each text, at most ``max_examples``, that every twin saw whole or not at all."""
    examples = twins.examples
    saw = np.array([seen for _, seen in twins.made])
    divided = examples.firsts[(saw != saw[:, examples.firsts]).any(axis=0)]
    once = examples.is_first.copy()
    once[divided] = False
    size = examples.protocol.max_examples
    return examples.drawn("sample", once)[:size] if 0 < size < once.sum() else np.flatnonzero(once)


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
            tuple(statistics.true_positive_rate(trials, level, confidence) for level in levels(trials)),
            statistics.true_positive_rate(trials, LEVELS[0], strict),
            statistics.trial_balanced_accuracy(trials, confidence, seed=seed),
        )
        for name, trials in found.items()
    ]
    return sorted(made, key=lambda attack: -attack.auc.estimate)


def levels(trials: Sequence[Trial]) -> tuple[float, ...]:
    """False-alarm rates at which an attack is measured."""
    return LEVELS if min(map(count_others, trials)) >= ENOUGH_FOR_ONE_IN_A_THOUSAND else LEVELS[:1]


def count_others(trial: Trial) -> int:
    """How many examples of a trial are no members."""
    return int((~trial.positive).sum())
