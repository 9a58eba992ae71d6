"""Ethics: whether a group of people lost accuracy since the former audit, whatever the others did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.evidence import Table
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.inference.predictions import Predictions
from audit.probes.ethics.fairness import GROUP_RULES, Groups, judged_groups, of_mentions, open_if_small, too_small
from audit.probes.former import Before
from audit.probes.methods import PAIRED, of_clusters
from audit.text.redaction import count


@Probe(
    id="fairness.regression",
    challenge="ethics",
    title="Accuracy that a group lost since the former audit",
    unit=POINTS,
    counts="accuracy lost by the group that lost most",
    better="lower",
    meaning=(
        "For each group the accuracy in the former audit less the accuracy now, on the test examples that both asked "
        "about; of these losses the largest. Below 0 each group gained."
    ),
    harm=(
        "A model that was made smaller, or trained anew, often loses on those of whom it had seen least, while the "
        "average hardly moves."
    ),
    remedy=(
        "Of a version in fewer bits: leave the layer that turns most of the group's answers in float32, or quantise by "
        "texts of all groups. Of a new training: more examples of the group that the table names."
    ),
    brackets="subgroup",
    alarm=Alarm(0.05, "In some group one text in twenty that was read rightly is misread now."),
    rules=(*GROUP_RULES, "GDPR 5", "GDPR 35"),
    cause="groups",
    guide="docs/edge.md",
)
def regression(
    predictions: Predictions, subgroup: str, former: Mapping[tuple[str, str, int], str] | None = None
) -> Result:
    """Accuracy before less accuracy now in the group that lost most, on the examples that both audits asked about.

    Parameters
    ----------
    predictions : Predictions
        Told their examples.
    subgroup : str
        A subgroup column; ``a*b`` crosses two.
    former : mapping or None
        What the former model said, by :attr:`audit.data.examples.Examples.keys`; None where that was not kept.

    Raises
    ------
    NotAssessed
        Without a former audit, where the two share no example, or if fewer than two groups reach the protocol's
        ``min_group_size`` among those that they share.

    Notes
    -----
    The interval of each loss is :func:`audit.statistics.paired_differences`, that of the largest
    :func:`audit.statistics.largest`; it is open above where a group is too small, or none of it was asked before.
    Source: Hooker et al., "Characterising bias in compressed models", 2020 (arXiv 2010.03058), section 3, where
    compression costs some groups much more than the average.
    """
    pairs = Before.of(predictions, former)
    shared = predictions.take(pairs.rows)
    confidence = shared.known.protocol.confidence
    groups = judged_groups(shared, subgroup, predictions)
    members = [groups.member == i for i in range(len(groups.names))]
    lost = np.array([int((pairs.was_right & ~shared.correct)[each].sum()) for each in members])
    gained = np.array([int((~pairs.was_right & shared.correct)[each].sum()) for each in members])
    clusters = shared.known.clusters
    effects = [
        statistics.paired_effect(
            pairs.was_right[each], shared.correct[each], None if clusters is None else clusters[each]
        )
        for each in members
    ]

    def losses(level: float) -> statistics.Bounds:
        kept = [effect.kept(level) for effect in effects]
        return statistics.paired_differences(lost, gained, groups.sizes, level, kept=kept)

    plain = losses(confidence)
    shared_out = losses(statistics.shared_out(confidence, len(members)))
    largest = open_if_small(statistics.as_interval(statistics.largest(plain, shared_out)), groups)
    worst = int(np.argmax(plain[0]))
    result = Result(
        *largest,
        int(groups.sizes.sum()),
        Sentence(
            "Accuracy before less accuracy now in each group of {subgroup}, on the same examples, found by text, label "
            "and occurrence; {interval}. The upper bound is that of the worst group, the lower bound is adjusted for "
            "their number (Bonferroni), because the largest of several noisy losses looks too large.",
            subgroup=subgroup,
            interval=PAIRED,
        ),
        confidence,
        sample=Sentence("test examples in both audits"),
        summary=_in_words(groups, worst, pairs.was_right, shared.correct),
        caveats=of_mentions(subgroup),
        evidence=[_table(groups, subgroup, pairs.was_right, shared.correct, members, plain)],
        too_small=too_small(shared, groups),
    )
    return of_clusters(result, int(effects[worst].clusters), effects[worst].shown)


def _in_words(groups: Groups, worst: int, before: NDArray[np.bool_], now: NDArray[np.bool_]) -> str:
    return Sentence(
        "Of the {n:,} texts of “{group}” {before:.1%} were read rightly before, and {now:.1%} are now.",
        n=int(groups.sizes[worst]),
        group=groups.names[worst],
        before=float(before[groups.member == worst].mean()),
        now=float(now[groups.member == worst].mean()),
    )


def _table(
    groups: Groups,
    subgroup: str,
    before: NDArray[np.bool_],
    now: NDArray[np.bool_],
    members: Sequence[NDArray[np.bool_]],
    losses: statistics.Bounds,
) -> Table:
    rows = [
        [name, count(int(each.sum())), float(before[each].mean()), float(now[each].mean()), *map(float, bounds)]
        for name, each, bounds in zip(groups.names, members, zip(*losses, strict=True), strict=True)
    ]
    return Table(
        Sentence("Accuracy before and now by {subgroup}", subgroup=subgroup),
        [
            subgroup,
            Sentence("examples"),
            Sentence("before"),
            Sentence("now"),
            Sentence("lost"),
            Sentence("low"),
            Sentence("high"),
        ],
        sorted(rows, key=lambda row: -row[4]),  # type: ignore[operator, arg-type]
        units=["", "", SHARE, SHARE, POINTS, POINTS, POINTS],
    )
