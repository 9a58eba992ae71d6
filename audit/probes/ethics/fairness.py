"""Ethics: whether groups of people are treated alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Evidence, Fact, Facts, Table
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence, joined, listed
from audit.data.examples import Protocol
from audit.inference.predictions import Predictions
from audit.probes.methods import of_clusters
from audit.statistics import GroupEffects, Settling
from audit.text import mentions
from audit.text.identity import AXIS_NAMES, group_name
from audit.text.redaction import SMALLEST_CELL, count

GROUP_RULES = ("MEASURE 2.11", "Article 9(8)", "Article 10", "Article 13", "A.5.4", "A.6.2.4")
COMPARED = Sentence(
    "Each pair of groups compared by the exact limits of its two rates (Clopper and Pearson 1934), their distances "
    "added in squares (Newcombe 1998); the upper bound is that of the worst pair, the lower bound is adjusted for "
    "everything that the maximum runs over (Bonferroni), because the largest of several noisy differences looks too "
    "large."
)


@dataclass(frozen=True)
class Groups:
    """A subgroup column as counts: all that the probes of groups need.

    Parameters
    ----------
    names : tuple of str
        Groups that are large enough to be judged, sorted.
    confusion : ndarray of int, shape (groups, classes, classes)
        Examples of each group by true class (rows) and predicted class (columns).
    small : mapping of str to int
        Size of each group that is too small.
    without : ndarray of bool, shape (n,)
        Which examples have no group.
    member : ndarray of int, shape (n,)
        Index into `names` of each example; -1 for all others.
    """

    names: tuple[str, ...]
    confusion: NDArray[np.int64]
    small: Mapping[str, int]
    without: NDArray[np.bool_]
    member: NDArray[np.int64]

    @property
    def unknown(self) -> int:
        """How many examples have no group."""
        return int(self.without.sum())

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Examples of each group, shape (groups,)."""
        return np.asarray(self.confusion.sum(axis=(1, 2)))

    def settling(
        self,
        successes: NDArray[np.int64],
        n: NDArray[np.int64],
        protocol: Protocol,
        effects: GroupEffects | None = None,
    ) -> Callable[[float], Settling | None]:
        """From a gate to the examples of each group that would settle a gap of these counts."""
        return lambda gate: statistics.gap_to_settle(
            successes,
            n,
            gate,
            sizes=self.sizes,
            names=self.names,
            confidence=protocol.confidence,
            seed=protocol.seed,
            effects=effects,
        )

    def effects(
        self,
        hits: NDArray[np.bool_],
        clusters: NDArray[np.int64] | None,
        among: NDArray[np.bool_] | None = None,
    ) -> GroupEffects | None:
        """Design effects of the groups' shares of hits; None where the examples are independent.

        Parameters
        ----------
        hits : ndarray of bool, shape (parts, n)
        clusters : ndarray of int, shape (n,), or None
        among : ndarray of bool, shape (parts, n), optional
            Which examples each share is of; by default all of a group.
        """
        member = np.broadcast_to(self.member, hits.shape)
        if among is not None:
            member = np.where(among, member, -1)
        return statistics.group_effects(hits, member, clusters, len(self.names))

    @property
    def right(self) -> NDArray[np.int64]:
        """Right answers in each group, shape (groups,)."""
        return np.asarray(np.trace(self.confusion, axis1=1, axis2=2))


@Probe(
    id="fairness.accuracy_gap",
    challenge="ethics",
    title="Accuracy gap between groups",
    unit=POINTS,
    counts="difference of accuracies",
    better="lower",
    range=(0.0, 1.0),  # the largest of several differences
    meaning="The accuracy of the group that the model serves best, less that of the group that it serves worst.",
    harm="The opinions of the worst-served group are misread more often than those of others.",
    remedy=(
        "Look at the group's row in the table: too few of its examples in training, or labels of lower quality there, "
        "are the usual reasons."
    ),
    brackets="subgroup",
    alarm=Alarm(
        0.05,
        "In the worst-served group one text in twenty more is misread than in the best-served one.",
    ),
    rules=(*GROUP_RULES, "GDPR 5", "GDPR 35"),
    cause="groups",
)
def accuracy_gap(predictions: Predictions, subgroup: str) -> Result:
    """Accuracy of the best-served group less that of the worst-served one.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    subgroup : str
        A subgroup column; ``a*b`` crosses two.

    Raises
    ------
    NotAssessed
        If fewer than two groups reach the protocol's ``min_group_size``.

    Notes
    -----
    The table is fairlearn's ``MetricFrame``; the interval is :func:`audit.statistics.gap`.
    """
    confidence = predictions.known.protocol.confidence
    groups = judged_groups(predictions, subgroup)
    effects = groups.effects(predictions.correct[None], predictions.known.clusters)
    gap = open_if_small(statistics.gap(groups.right, groups.sizes, confidence, effects=effects), groups)
    unknown = _assigned_gap(gap, groups, subgroup, (groups.right[None], groups.sizes[None]), predictions.correct[None])
    result = Result(
        *gap,
        int(groups.sizes.sum()),
        joined(
            [
                Sentence(
                    "Accuracy by {subgroup} (fairlearn's MetricFrame), largest less smallest.",
                    subgroup=subgroup,
                ),
                COMPARED,
            ]
        ),
        confidence,
        settle=groups.settling(groups.right, groups.sizes, predictions.known.protocol, effects),
        summary=_accuracy_in_words(groups, subgroup),
        caveats=[*of_mentions(subgroup), *unknown.caveats],
        evidence=_evidence(
            _accuracy_table(predictions, groups, subgroup, effects), *unknown.tables, facts=without_group(groups)
        ),
        too_small=too_small(predictions, groups, effects=effects),
    )
    return _compared_by_cluster(result, (groups.right / groups.sizes)[None], effects)


@Probe(
    id="fairness.worst_group_accuracy",
    challenge="ethics",
    title="Accuracy in the worst-served group",
    unit=SHARE,
    counts="share of right answers",
    better="higher",
    meaning="The accuracy in the group that the model serves worst, whatever the others get.",
    harm="A good average can hide a group for which the model is of little use.",
    remedy="More and cleaner training examples of the group that the table names.",
    brackets="subgroup",
    alarm=Alarm(
        0.7,
        "Three texts in ten of that group are misread; guessing between two classes misreads five.",
    ),
    rules=(*GROUP_RULES, "GDPR 5", "GDPR 35"),
    cause="groups",
)
def worst_group_accuracy(predictions: Predictions, subgroup: str) -> Result:
    """Accuracy in the group that the model serves worst.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    subgroup : str
        A subgroup column; ``a*b`` crosses two.

    Raises
    ------
    NotAssessed
        If fewer than two groups reach the protocol's ``min_group_size``.

    Notes
    -----
    Source: Sagawa et al., "Distributionally robust neural networks for group shifts", ICLR 2020, section 2, where it is
    what the training is to raise. The interval is :func:`audit.statistics.smallest_proportion`.
    """
    confidence = predictions.known.protocol.confidence
    groups = judged_groups(predictions, subgroup)
    effects = groups.effects(predictions.correct[None], predictions.known.clusters)
    worst = statistics.smallest_proportion(groups.right, groups.sizes, confidence, effects=effects)
    if groups.small:
        worst = worst._replace(low=0.0)
    right = int(predictions.correct[groups.without].sum())
    unknown = _unknown(
        worst,
        groups,
        subgroup,
        SHARE,
        lambda: statistics.assigned_smallest(groups.right, groups.sizes, right, groups.unknown),
    )
    result = Result(
        *worst,
        int(groups.sizes.sum()),
        Sentence(
            "Accuracy of each group of {subgroup}, exact intervals (Clopper and Pearson 1934); the lower bound is the "
            "smallest of all groups, the upper bound is adjusted for their number (Bonferroni), because the smallest "
            "of several noisy figures looks too small.",
            subgroup=subgroup,
        ),
        confidence,
        settle=lambda gate: statistics.smallest_to_settle(
            groups.right,
            groups.sizes,
            gate,
            names=groups.names,
            confidence=confidence,
            seed=predictions.known.protocol.seed,
            effects=effects,
        ),
        summary=_worst_in_words(groups, subgroup),
        caveats=[*of_mentions(subgroup), *unknown.caveats],
        evidence=_evidence(
            *_confidence_table(predictions, groups, subgroup), *unknown.tables, facts=without_group(groups)
        ),
        too_small=too_small(predictions, groups, effects=effects),
    )
    if effects is None:
        return result
    return of_clusters(result, effects.clusters, effects.shown_of(int(np.argmin(groups.right / groups.sizes))))


@Probe(
    id="fairness.demographic_parity",
    challenge="ethics",
    title="Gap in how often groups get an answer (demographic parity)",
    title_of="Gap in how often groups get an answer, by {bracket} (demographic parity)",
    unit=POINTS,
    counts="difference of shares",
    better="lower",
    range=(0.0, 1.0),  # the largest of several differences
    meaning="How much more often one group's texts are given a class than another group's, whether rightly or not.",
    harm="Where the answer decides something (whose complaint is seen first), one group gets it more often.",
    remedy=(
        "First see whether the groups' true shares differ as much, in the table; if not, see equalized odds for the "
        "class at fault."
    ),
    brackets="subgroup",
    alarm=Alarm(
        0.1,
        "Of an answer that half of one group gets, the four-fifths rule of US authorities (29 CFR 1607.4 D) allows no "
        "other group less than 40 in 100.",
    ),
    rules=(*GROUP_RULES, "GDPR 5", "GDPR 35"),
    cause="groups",
)
def demographic_parity(predictions: Predictions, subgroup: str) -> Result:
    """Largest difference between groups in how often any class is predicted, whatever the truth.

    Each class is taken against the rest; the worst class is the finding and the others stand in the table.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    subgroup : str
        A subgroup column; ``a*b`` crosses two.

    Raises
    ------
    NotAssessed
        If fewer than two groups reach the protocol's ``min_group_size``.

    Notes
    -----
    Source: Agarwal et al., "A reductions approach to fair classification", ICML 2018, definition 1. Point estimates
    equal fairlearn's ``demographic_parity_difference`` and ``demographic_parity_ratio`` of each class against the rest.
    """
    confidence = predictions.known.protocol.confidence
    groups = judged_groups(predictions, subgroup)
    said = groups.confusion.sum(axis=1).T  # (classes, groups)
    judged = _judged_classes(predictions.classes)
    sizes = np.broadcast_to(groups.sizes, said.shape)
    hits = np.stack([predictions.labels == c for c in judged])
    effects = groups.effects(hits, predictions.known.clusters)
    gap = open_if_small(statistics.gap(said[judged], sizes[judged], confidence, effects=effects), groups)
    unknown = _assigned_gap(gap, groups, subgroup, (said[judged], sizes[judged]), hits)
    rates = said / groups.sizes
    worst = judged[int(np.argmax(np.ptp(rates[judged], axis=1)))]
    least, most = float(rates[worst].min()), float(rates[worst].max())
    result = Result(
        *gap,
        int(groups.sizes.sum()),
        joined(
            [
                Sentence(
                    "Share of each predicted class by {subgroup} (demographic parity), largest difference between two "
                    "groups.",
                    subgroup=subgroup,
                ),
                COMPARED,
            ]
        ),
        confidence,
        settle=groups.settling(said[judged], sizes[judged], predictions.known.protocol, effects),
        summary=_parity_in_words(predictions.classes[worst], rates[worst], groups, subgroup),
        caveats=[
            Sentence(
                "It compares what the model says, not whether it is right: where the groups' opinions really differ, "
                "a perfect model differs too. The shares that are true stand beside."
            ),
            *of_mentions(subgroup),
            *unknown.caveats,
        ],
        evidence=_evidence(
            _share_table(predictions, groups, subgroup),
            *unknown.tables,
            facts=[
                Fact(Sentence("smallest share over largest, worst class"), least / most if most else None),
                *without_group(groups),
            ],
        ),
        too_small=too_small(predictions, groups, effects=effects),
    )
    return _compared_by_cluster(result, rates[judged], effects)


@Probe(
    id="fairness.equalized_odds",
    challenge="ethics",
    title="Gap in how often groups are misread (equalized odds)",
    title_of="Gap in how often groups are misread, by {bracket} (equalized odds)",
    unit=POINTS,
    counts="largest difference of rates",
    better="lower",
    range=(0.0, 1.0),  # the largest of several differences
    meaning=(
        "For each class, how much more often one group's examples are rightly given that class (true-positive rate), "
        "or wrongly given it (false-positive rate), than another group's. The largest of these differences counts."
    ),
    harm="People whose opinion is the same are treated differently because of the group that they belong to.",
    remedy=(
        "Balance the groups within each class in the training data, check the labels of the group named in the table, "
        "or choose thresholds per class on a validation set."
    ),
    brackets="subgroup",
    alarm=Alarm(
        0.1,
        "Of ten people with the same opinion one more is misread, or one more of another opinion taken for theirs, "
        "because of the group.",
    ),
    rules=(*GROUP_RULES, "GDPR 5", "GDPR 35"),
    cause="groups",
)
def equalized_odds(predictions: Predictions, subgroup: str) -> Result:
    """Largest difference between groups in the true- or false-positive rate of any class.

    Each class is taken against the rest; the worst class is the finding and the others stand in the table.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    subgroup : str
        A subgroup column; ``a*b`` crosses two.

    Raises
    ------
    NotAssessed
        If fewer than two groups reach the protocol's ``min_group_size``.

    Notes
    -----
    Source: Hardt, Price and Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016, section 2. Point
    estimates equal fairlearn's ``equalized_odds_difference`` of each class against the rest; the interval is
    :func:`audit.statistics.gap` over all classes, rates and ordered pairs of groups.
    """
    confidence = predictions.known.protocol.confidence
    groups = judged_groups(predictions, subgroup)
    classes, judged = predictions.classes, _judged_classes(predictions.classes)
    true = groups.confusion.sum(axis=2).T  # (classes, groups)
    hits = np.diagonal(groups.confusion, axis1=1, axis2=2).T
    false = groups.confusion.sum(axis=1).T - hits
    # Rows alternate: true-positive and false-positive rate of each class.
    x = np.stack([hits[judged], false[judged]], axis=1).reshape(-1, len(groups.names))
    n = np.stack([true[judged], groups.sizes - true[judged]], axis=1).reshape(-1, len(groups.names))
    empty = [
        Sentence("{group} without {class_name} examples", group=name, class_name=classes[c])
        for c in judged
        for name, total in zip(groups.names, true[c], strict=True)
        if total == 0
    ]
    said = np.stack([predictions.labels == c for c in judged for _ in range(2)])
    is_true = np.stack([predictions.truth == c for c in judged])
    relevant = np.stack([is_true, ~is_true], axis=1).reshape(said.shape)
    effects = groups.effects(said, predictions.known.clusters, relevant)
    gap = open_if_small(statistics.gap(x, n, confidence, effects=effects), groups)
    unknown = _assigned_gap(gap, groups, subgroup, (x, n), said, relevant)
    rates = np.divide(x, n, out=np.full(x.shape, np.nan), where=n > 0)
    names = [
        name
        for c in judged
        for name in (
            Sentence("{class_name}, true-positive", class_name=classes[c]),
            Sentence("{class_name}, false-positive", class_name=classes[c]),
        )
    ]
    rows = [
        [name, *(_shown(value, total) for value, total in zip(*row, strict=True))]
        for name, *row in zip(names, rates, n, strict=True)
    ]
    result = Result(
        *gap,
        int(groups.sizes.sum()),
        joined(
            [
                Sentence(
                    "True- and false-positive rates of each class by {subgroup} (Hardt et al. 2016), largest "
                    "difference between two groups.",
                    subgroup=subgroup,
                ),
                COMPARED,
            ]
        ),
        confidence,
        settle=groups.settling(x, n, predictions.known.protocol, effects),
        summary=_odds_in_words([classes[c] for c in judged], rates, n, groups, subgroup),
        caveats=[*of_mentions(subgroup), *unknown.caveats],
        evidence=_evidence(
            Table(
                Sentence(
                    "Rates by {subgroup}: how often each class is said where it is true, and where not",
                    subgroup=subgroup,
                ),
                [Sentence("class, rate"), *groups.names],
                rows,
                units=["", *[SHARE] * len(groups.names)],
            ),
            *unknown.tables,
            facts=without_group(groups),
        ),
        too_small=too_small(predictions, groups, empty, effects),
    )
    return _compared_by_cluster(result, rates, effects)


def _compared_by_cluster(result: Result, rates: NDArray[np.float64], effects: GroupEffects | None) -> Result:
    """A gap that rests on clusters, told so, with the design effect of its largest difference.

    Parameters
    ----------
    rates : ndarray of float, shape (parts, groups)
        NaN where a group has no example.
    """
    if effects is None:
        return result
    part = int(np.nanargmax(np.nanmax(rates, axis=1) - np.nanmin(rates, axis=1)))
    low, high = int(np.nanargmin(rates[part])), int(np.nanargmax(rates[part]))
    return of_clusters(result, effects.clusters, effects.shown(low, high, part))


def judged_groups(predictions: Predictions, subgroup: str, whole: Predictions | None = None) -> Groups:
    """The column as counts; groups of fewer different texts than the protocol's smallest size are set apart.

    So are groups of which none is here, where it is told what these are a part of.
    """
    column = predictions.known.groups(subgroup)
    known = np.array([value is not None for value in column], dtype=bool)
    found, codes = np.unique(column[known].astype(str), return_inverse=True)
    of = np.flatnonzero(known)
    sizes = np.array([predictions.known.different(of[codes == i]) for i in range(len(found))], dtype=np.int64)
    smallest = predictions.known.protocol.min_group_size
    large = sizes >= smallest
    if large.sum() < 2:
        raise NotAssessed(
            Sentence(
                "fewer than two groups of '{subgroup}' have {smallest} test examples; add examples of the others",
                subgroup=subgroup,
                smallest=smallest,
            )
        )
    index = np.where(large, np.cumsum(large) - 1, -1)
    member = np.full(len(column), -1)
    member[known] = index[codes]
    judged, classes = member >= 0, len(predictions.classes)
    small = dict(zip(map(str, found[~large]), map(int, sizes[~large]), strict=True))
    of_whole = () if whole is None else whole.known.groups(subgroup)
    absent = dict.fromkeys(sorted({str(name) for name in of_whole if name is not None} - {*map(str, found)}), 0)
    cells = (member[judged] * classes + predictions.truth[judged]) * classes + predictions.labels[judged]
    counts = np.bincount(cells, minlength=int(large.sum()) * classes**2)
    return Groups(
        names=tuple(map(_name_of(subgroup), map(str, found[large]))),
        confusion=counts.reshape(-1, classes, classes),
        small={_name_of(subgroup)(name): n for name, n in (small | absent).items()},
        without=~known,
        member=member,
    )


def _judged_classes(classes: tuple[str, ...]) -> list[int]:
    """Classes whose rates say something of their own: of two, each is the mirror of the other."""
    return [1] if len(classes) == 2 else list(range(len(classes)))


def open_if_small(gap: statistics.Interval, groups: Groups) -> statistics.Interval:
    """Groups that are too small to judge leave the gap open above; they are never dropped in silence."""
    return gap._replace(high=1.0) if groups.small else gap


def without_group(groups: Groups) -> list[Fact]:
    """How many examples have no group; nothing where all have one."""
    return [Fact(Sentence("examples without a group"), count(groups.unknown))] if groups.unknown else []


@dataclass(frozen=True)
class _Unknown:
    """What is said of examples without a group."""

    tables: Sequence[Table] = field(default=(), repr=False)
    caveats: Sequence[str] = field(default=(), repr=False)


def _assigned_gap(
    gap: statistics.Interval,
    groups: Groups,
    subgroup: str,
    counts: tuple[NDArray[np.int64], NDArray[np.int64]],
    hits: NDArray[np.bool_],
    among: NDArray[np.bool_] | None = None,
) -> _Unknown:
    """What examples without a group could make of a gap.

    Parameters
    ----------
    counts : successes and n, ndarray of int, shape (parts, groups)
    hits, among : ndarray of bool, shape (parts, n)
        As in :meth:`Groups.effects`.
    """
    relevant = np.broadcast_to(groups.without, hits.shape) if among is None else among & groups.without
    successes, n = (hits & relevant).sum(axis=1), relevant.sum(axis=1)
    return _unknown(gap, groups, subgroup, POINTS, lambda: statistics.assigned_gap(*counts, successes, n))


def _unknown(
    figure: statistics.Interval,
    groups: Groups,
    subgroup: str,
    unit: str,
    bounds: Callable[[], tuple[float, float]],
) -> _Unknown:
    """Bounds on the figure, and a caveat that says whether they reach beyond its interval.

    A text that mentions nobody is of no group at all, and could not belong to one.
    """
    if groups.unknown < SMALLEST_CELL or mentions.is_mention(subgroup):
        return _Unknown()
    smallest, largest = bounds()
    share = groups.unknown / len(groups.without)
    table = Table(
        Sentence("What examples without a group could make of this figure, wherever they belong"),
        [
            Sentence("share of test examples"),
            Sentence("the figure without them"),
            Sentence("at least"),
            Sentence("at most"),
        ],
        [[share, figure.estimate, smallest, largest]],
        units=[SHARE, unit, unit, unit],
    )
    caveat: str = Sentence(
        "{share:.1%} of the test examples have no group and stand outside. The interval takes them to be like the "
        "others of their group; if whose group is unknown has to do with the answers, the figure with them lies "
        "anywhere between the bounds in the table.",
        share=share,
    )
    if smallest < figure.low or largest > figure.high:
        turning = Sentence("These reach beyond the interval, so a verdict may turn once their groups are known.")
        caveat = joined([caveat, turning])
    return _Unknown([table], [caveat])


def too_small(
    predictions: Predictions,
    groups: Groups,
    empty: Sequence[str] = (),
    effects: GroupEffects | None = None,
) -> str:
    """The clause that names groups too small to be judged, and those that lack all examples of a class."""
    sizes = {**groups.small, **dict.fromkeys(empty, 0)}
    clauses: list[str] = []
    if sizes:
        named = [Sentence("{group} (n {size})", group=name, size=count(n)) for name, n in list(sizes.items())[:8]]
        minimum = predictions.known.protocol.min_group_size
        clauses.append(Sentence("groups below {minimum} examples: {groups}", minimum=minimum, groups=listed(named)))
    if few := _of_few_clusters(groups, effects):
        clauses.append(
            Sentence(
                "groups whose examples come in fewer than {fewest} clusters: {groups}",
                fewest=statistics.FEWEST_CLUSTERS,
                groups=listed(few[:8]),
            )
        )
    return joined(clauses, "; ")


def _of_few_clusters(groups: Groups, effects: GroupEffects | None) -> list[str]:
    if effects is None:
        return []
    clusters = np.asarray(effects.single.clusters).min(axis=0)
    return [name for name, number in zip(groups.names, clusters, strict=True) if number < statistics.FEWEST_CLUSTERS]


def _name_of(subgroup: str) -> Callable[[str], str]:
    """What names a group of a column: words of ours where the text tells the group, else the data's own."""
    return str if mentions.axis_of(subgroup) is None else group_name


def named(subgroup: str) -> str:
    """A column as it is spoken of in a sentence."""
    parts = [
        Sentence("the {axis} that is mentioned", axis=AXIS_NAMES.get(axis, axis))
        if (axis := mentions.axis_of(part)) is not None
        else part
        for part in subgroup.split("*")
    ]
    return reduce(lambda one, other: Sentence("{one} and {other}", one=one, other=other), parts)


def _evidence(*tables: Table, facts: Sequence[Fact]) -> list[Evidence]:
    return [*tables, Facts(facts)] if facts else [*tables]


def of_mentions(subgroup: str) -> list[str]:
    """What must be said of groups that were read off the text."""
    if not mentions.is_mention(subgroup):
        return []
    return [
        Sentence(
            "These groups are who the texts mention, found by word lists, not who wrote them: a difference says that "
            "texts about some people are read less well, nothing about their authors. Texts that mention nobody or "
            "more than one group stand outside."
        )
    ]


def _accuracy_table(predictions: Predictions, groups: Groups, subgroup: str, effects: GroupEffects | None) -> Table:
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import accuracy_score

    judged = groups.member >= 0
    frame = MetricFrame(
        metrics=accuracy_score,
        y_true=predictions.truth[judged],
        y_pred=predictions.labels[judged],
        sensitive_features=np.array(groups.names)[groups.member[judged]],
    )
    confidence = predictions.known.protocol.confidence
    kept = np.ones(len(groups.names)) if effects is None else effects.single.kept(confidence)[0]
    _, low, high = statistics.proportions(groups.right, groups.sizes, confidence, kept=kept)
    rows = [
        [name, *(_shown(value, n) for value in (frame.by_group[name], *bounds)), count(n)]
        for name, n, *bounds in zip(groups.names, groups.sizes, low, high, strict=True)
    ]
    return Table(
        Sentence("Accuracy by {subgroup}", subgroup=subgroup),
        [subgroup, Sentence("accuracy"), Sentence("low"), Sentence("high"), Sentence("test examples")],
        sorted(rows, key=lambda row: (row[1] is None, row[1])),
        units=["", SHARE, SHARE, SHARE, ""],
    )


def _confidence_table(predictions: Predictions, groups: Groups, subgroup: str) -> list[Table]:
    """Whether the model is as sure of itself in each group as it may be; none where it does not say how sure it is."""
    if not predictions.graded:
        return []
    sure = predictions.sureness
    rows: list[list[Cell]] = []
    for g, name in enumerate(groups.names):
        mean, accuracy = float(sure[groups.member == g].mean()), groups.right[g] / groups.sizes[g]
        rows.append([name, *(_shown(value, groups.sizes[g]) for value in (mean, accuracy, mean - accuracy))])
    return [
        Table(
            Sentence(
                "How sure the model is of its answers by {subgroup}; above 0 it is too sure",
                subgroup=subgroup,
            ),
            [subgroup, Sentence("mean probability of the answer"), Sentence("accuracy"), Sentence("difference")],
            rows,
            units=["", SHARE, SHARE, POINTS],
        )
    ]


def _share_table(predictions: Predictions, groups: Groups, subgroup: str) -> Table:
    """How often each class is given, and how often it is true, in each group."""
    sizes = groups.sizes
    shares = np.stack([groups.confusion.sum(axis=1) / sizes[:, None], groups.confusion.sum(axis=2) / sizes[:, None]])
    columns = [
        column
        for name in groups.names
        for column in (Sentence("{group}: said", group=name), Sentence("{group}: true", group=name))
    ]
    return Table(
        Sentence("How often each class is said, and how often it is true, by {subgroup}", subgroup=subgroup),
        [Sentence("class"), *columns],
        [
            [name, *(_shown(share, n) for pair, n in zip(shares[:, :, c].T, sizes, strict=True) for share in pair)]
            for c, name in enumerate(predictions.classes)
        ],
        units=["", *[SHARE] * len(columns)],
    )


def _shown(value: float, n: float) -> float | None:
    return float(value) if n >= SMALLEST_CELL else None


def _told(cells: Iterable[int], sentence: str) -> str:
    """The sentence, unless a cell that it tells of is too small to be told."""
    if min(cells) >= SMALLEST_CELL:
        return sentence
    return Sentence(
        "The largest difference rests on a cell of fewer than {smallest} examples, which is not shown.",
        smallest=SMALLEST_CELL,
    )


def _alike(rates: NDArray[np.float64], groups: Groups, subgroup: str) -> str:
    """The end of a sentence where no group differs from another by what a sentence shows; empty where one does."""
    gap = float(np.nanmax(rates) - np.nanmin(rates))
    if f"{100 * gap:.1f}" != "0.0":
        return ""
    where = named(subgroup)
    if groups.small:
        if gap:
            return Sentence("alike in all judged groups of {subgroup}, to a tenth of a point", subgroup=where)
        return Sentence("alike in all judged groups of {subgroup}", subgroup=where)
    if gap:
        return Sentence("alike in all groups of {subgroup}, to a tenth of a point", subgroup=where)
    return Sentence("alike in all groups of {subgroup}", subgroup=where)


def _either(names: Iterable[str]) -> str:
    quoted = [Sentence("“{name}”", name=name) for name in names]
    return reduce(lambda one, other: Sentence("{one} or {other}", one=one, other=other), quoted)


def _accuracy_in_words(groups: Groups, subgroup: str) -> str:
    rates = groups.right / groups.sizes
    if alike := _alike(rates, groups, subgroup):
        return _told(groups.sizes, Sentence("Texts are misread {alike}.", alike=alike))
    low, high = int(np.argmin(rates)), int(np.argmax(rates))
    return _told(
        groups.sizes[[low, high]],
        Sentence(
            "Texts are misread {points:.1f} points more often where {subgroup} is “{worse}” than where it is "
            "“{other}”.",
            points=100 * float(rates[high] - rates[low]),
            subgroup=named(subgroup),
            worse=groups.names[low],
            other=groups.names[high],
        ),
    )


def _worst_in_words(groups: Groups, subgroup: str) -> str:
    rates = groups.right / groups.sizes
    right = 100 * float(rates.min())
    if alike := _alike(rates, groups, subgroup):
        sentence = Sentence("The model is right {alike}: in {right:.1f} of 100 texts.", alike=alike, right=right)
        return _told(groups.sizes, sentence)
    least = np.flatnonzero(rates == rates.min())
    return _told(
        groups.sizes[least],
        Sentence(
            "The model is right least often where {subgroup} is {groups}: in {right:.1f} of 100 texts.",
            subgroup=named(subgroup),
            groups=_either(groups.names[i] for i in least),
            right=right,
        ),
    )


def _parity_in_words(class_name: str, rates: NDArray[np.float64], groups: Groups, subgroup: str) -> str:
    """How much more often the class is given in one group; `rates` are its shares, shape (groups,)."""
    if alike := _alike(rates, groups, subgroup):
        return _told(groups.sizes, Sentence("Each class is given {alike}.", alike=alike))
    low, high = int(np.argmin(rates)), int(np.argmax(rates))
    return _told(
        groups.sizes[[low, high]],
        Sentence(
            "Texts are called {class_name} {points:.1f} points more often where {subgroup} is “{more}” than where it "
            "is “{less}”.",
            class_name=class_name,
            points=100 * float(rates[high] - rates[low]),
            subgroup=named(subgroup),
            more=groups.names[high],
            less=groups.names[low],
        ),
    )


def _odds_in_words(
    classes: Sequence[str], rates: NDArray[np.float64], n: NDArray[np.int64], groups: Groups, subgroup: str
) -> str:
    """The largest difference; rows of `rates` and `n` alternate: true- and false-positive rate of each class."""
    worst = int(np.nanargmax(np.nanmax(rates, axis=1) - np.nanmin(rates, axis=1)))
    if alike := _alike(rates[worst], groups, subgroup):
        return _told(n[n > 0], Sentence("True- and false-positive rates are {alike}.", alike=alike))
    low, high = int(np.nanargmin(rates[worst])), int(np.nanargmax(rates[worst]))
    class_name, points = classes[worst // 2], 100 * float(rates[worst, high] - rates[worst, low])
    where, least, most = named(subgroup), groups.names[low], groups.names[high]
    if worst % 2 == 0:
        sentence = Sentence(
            "Texts that are {class_name} are recognised as such {points:.1f} points less often where {subgroup} is "
            "“{least}” than where it is “{most}”.",
            class_name=class_name,
            points=points,
            subgroup=where,
            least=least,
            most=most,
        )
    else:
        sentence = Sentence(
            "Texts that are not {class_name} are called {class_name} {points:.1f} points more often where {subgroup} "
            "is “{most}” than where it is “{least}”.",
            class_name=class_name,
            points=points,
            subgroup=where,
            most=most,
            least=least,
        )
    return _told(n[worst, [low, high]], sentence)
