"""Ethics: who is in the data at all, before it is asked how they are treated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.evidence import Cell, Evidence, Fact, Facts, Table
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.probes.ethics.fairness import named
from audit.probes.methods import clustered
from audit.statistics import Bounds, DesignEffect, Settling
from audit.text import mentions
from audit.text.redaction import SMALLEST_CELL, count

# Training texts that are read for whom they mention, which takes a millisecond each.
READ = 5000
_NO_FIGURE = Sentence("Reference shares under [representation] in the policy would give it a figure.")


@dataclass(frozen=True)
class _Shares:
    """Shares of the groups that have a reference share, among the examples whose group is known.

    Parameters
    ----------
    names : sequence of str
    reference : ndarray of float, shape (groups,)
    counts : ndarray of int, shape (groups,)
    n : int
        Examples whose group is known.
    effects : sequence of DesignEffect, length groups
        Of each share, for rows that come in clusters.
    """

    names: Sequence[str]
    reference: NDArray[np.float64]
    counts: NDArray[np.int64]
    n: int
    effects: Sequence[DesignEffect]

    def shortfalls(self, confidence: float) -> Bounds:
        """How much smaller than its reference each share is, with the interval of each by itself; shape (groups,)."""
        kept = np.array([effect.kept(confidence) for effect in self.effects], dtype=float)
        share, low, high = statistics.proportions(self.counts, self.n, confidence, kept=kept)
        return self.reference - share, self.reference - high, self.reference - low

    def settling(self, confidence: float) -> Callable[[float], Settling | None]:
        """From a gate to the examples that would settle it, were the shares the truth."""
        estimate = self.shortfalls(confidence)[0]

        def sizes(chosen: NDArray[np.bool_], gate: float, level: float) -> list[Settling | None]:
            return [
                statistics.proportion_to_settle(
                    float(self.counts[g] / self.n), float(self.reference[g] - gate), level, effect=self.effects[g]
                )
                for g in np.flatnonzero(chosen).tolist()
            ]

        def settle(gate: float) -> Settling | None:
            if estimate.max() > gate:  # one group that surely falls short is enough, and all of them are looked at
                found = sizes(estimate > gate, gate, statistics.shared_out(confidence, len(self.names)))
                return min(filter(None, found), default=None)
            found = sizes(self.reference > gate, gate, confidence)  # no other group can fall short by so much
            return None if None in found else max(filter(None, found), default=None)

        return settle


@Probe(
    id="fairness.representation",
    challenge="ethics",
    title="Share that a group lacks in the data",
    unit=POINTS,
    counts="share of a group that is missing",
    better="lower",
    meaning=(
        "By how much the group that falls shortest of its share where the model will be used, as the policy states it, "
        "is too rare in the test data."
    ),
    harm="What the audit finds of a group that it hardly sees is little, and a model serves badly whom it never read.",
    remedy="Collect more examples of the groups that the table names, for the test and for the training.",
    brackets="subgroup",
    range=(0.0, 1.0),
    alarm=Alarm(
        0.1,
        "Of a group that makes up a fifth of the people, half is missing then, and one of a tenth is not there at all.",
    ),
    rules=(
        "MEASURE 2.11",
        "Article 9(8)",
        "Article 10",
        "Article 13",
        "A.5.4",
        "A.6.2.4",
        "A.7.4",
        "GDPR 5",
        "GDPR 35",
    ),
    guide="docs/data.md#who-is-represented",
    cause="groups",
    severity="serious",
)
def representation(
    test_data: Examples,
    subgroup: str,
    train_data: Examples | None = None,
    reference: Mapping[str, float] | None = None,
) -> Result:
    """Largest shortfall of a group's share in the test data below its reference share; 0 where none falls short.

    Parameters
    ----------
    test_data : Examples
    subgroup : str
        A subgroup column; ``a*b`` crosses two, ``mention:gender`` groups by whom the texts mention.
    train_data : Examples, optional
        Whose shares stand beside, where they have the column.
    reference : mapping of str to float, optional
        Shares of groups where the model will be used. Without it there is no figure, and the table stands all the same.

    Notes
    -----
    Source: Mitchell et al., "Diversity and inclusion metrics in subset selection", AIES 2020, whose presence score
    holds the share of a group against a target. Each share has an exact interval (Clopper and Pearson 1934), the
    largest shortfall that of :func:`audit.statistics.largest`.
    """
    confidence, column = test_data.protocol.confidence, test_data.groups(subgroup)
    known = np.array([group is not None for group in column], dtype=bool)
    method = Sentence(
        "Shares of the groups of {subgroup} among the test examples whose group is known, each held against its "
        "reference share in the policy; largest shortfall. Exact intervals (Clopper and Pearson 1934); the upper bound "
        "is that of the worst group, the lower bound is adjusted for the number of groups (Bonferroni), because the "
        "largest of several noisy figures looks too large.",
        subgroup=subgroup,
    )
    trained = None if train_data is None else _groups_of(train_data, subgroup)
    evidence: list[Evidence] = [
        _share_table(column, trained, subgroup, test_data, reference or {}),
        _class_table(column, subgroup, test_data),
        Facts(_without_group(int((~known).sum()), len(known), column, subgroup, reference or {})),
    ]
    caveats = _caveats(subgroup, train_data)
    if not reference:
        undecided = Sentence(
            "no reference shares are known; name them under [representation.{subgroup}], as group = 0.5",
            subgroup=_key(subgroup),
        )
        return Result(
            None,
            None,
            None,
            int(known.sum()),
            method,
            confidence,
            summary=Sentence(
                "The policy does not state how frequent the groups of {subgroup} are where the model will be used.",
                subgroup=named(subgroup),
            ),
            undecided=undecided,
            caveats=[_NO_FIGURE, *caveats],
            evidence=evidence,
        )
    shares = _shares(column[known], reference, None if test_data.clusters is None else test_data.clusters[known])
    strict = statistics.shared_out(confidence, len(shares.names))
    estimate, low, high = statistics.largest(shares.shortfalls(confidence), shares.shortfalls(strict))
    worst = int(np.argmax(shares.shortfalls(confidence)[0]))
    result = Result(
        max(float(estimate), 0.0),
        max(float(low), 0.0),
        max(float(high), 0.0),
        shares.n,
        method,
        confidence,
        settle=shares.settling(confidence),
        summary=_in_words(shares, worst, subgroup),
        caveats=caveats,
        evidence=evidence,
    )
    return clustered(result, shares.effects[worst], test_data.protocol.cluster)


def _shares(groups: NDArray[np.object_], reference: Mapping[str, float], clusters: NDArray[np.int64] | None) -> _Shares:
    names = sorted(reference)
    hits = np.array([groups == name for name in names], dtype=bool)
    return _Shares(
        names,
        np.array([reference[name] for name in names], dtype=float),
        hits.sum(axis=1),
        len(groups),
        [statistics.design_effect(hit, clusters) for hit in hits],
    )


def _without_group(
    unknown: int, n: int, column: NDArray[np.object_], subgroup: str, reference: Mapping[str, float]
) -> list[Fact]:
    """How many examples have no group, and what they could make of the figure if they are of other groups."""
    facts = [Fact(Sentence("test examples without a group"), count(unknown))]
    if reference and unknown >= SMALLEST_CELL and not mentions.is_mention(subgroup):
        most = max(share - float((column == name).sum()) / n for name, share in reference.items())
        named_so = Sentence("the figure if none of them belonged to the group that falls shortest")
        facts.append(Fact(named_so, max(most, 0.0), POINTS))
    return facts


def _groups_of(train: Examples, subgroup: str) -> NDArray[np.object_] | None:
    """The group of each training example, of some where it is read off the text; None where there is no such column."""
    parts = set(subgroup.split("*")) - set(train.subgroups)
    axes = {part: mentions.axis_of(part) for part in parts}
    if None in axes.values():
        return None
    read = train.take(train.drawn("fairness.representation")[:READ]) if parts else train
    mentioned = {part: mentions.mentions(read.texts, str(axis)) for part, axis in axes.items()}
    return replace(read, subgroups={**read.subgroups, **mentioned}).groups(subgroup)


def _share_table(
    column: NDArray[np.object_],
    trained: NDArray[np.object_] | None,
    subgroup: str,
    test: Examples,
    reference: Mapping[str, float],
) -> Table:
    """Each group's share in both data sets, what it should be, and how many examples it lacks to be audited."""
    confidence, smallest = test.protocol.confidence, test.protocol.min_group_size
    sizes, of_training = (Counter(group for group in each if group is not None) for each in (column, _none(trained)))
    names = sorted({*sizes, *of_training, *reference})
    clusters = None if test.clusters is None else test.clusters[[group is not None for group in column]]
    shares = _shares(np.array([g for g in column if g is not None], dtype=object), dict.fromkeys(names, 0.0), clusters)
    estimate, most, least = shares.shortfalls(confidence)
    rows: list[list[Cell]] = []
    for i, name in enumerate(names):
        n, ours = sizes[name], reference.get(name)
        different = test.different(np.flatnonzero(column == name))
        is_shown = n == 0 or n >= SMALLEST_CELL
        share, low, high = (abs(float(value[i])) if is_shown else None for value in (estimate, least, most))
        rows.append(
            [
                name,
                *([_share_in_training(of_training, name)] if trained is not None else []),
                *(share, low, high),
                *([ours, None if ours is None or share is None else ours - share] if reference else []),
                *(count(n), _lacking(different, smallest)),
            ]
        )
    return Table(
        Sentence(
            "Shares by {subgroup}, and the test examples that a group lacks to be audited, which takes {smallest} "
            "([audit] min_group_size)",
            subgroup=subgroup,
            smallest=smallest,
        ),
        [
            subgroup,
            *([Sentence("training data")] if trained is not None else []),
            *(Sentence("test data"), Sentence("low"), Sentence("high")),
            *([Sentence("reference"), Sentence("shortfall")] if reference else []),
            *(Sentence("test examples"), Sentence("lacking")),
        ],
        rows,
        units=[
            "",
            *([SHARE] if trained is not None else []),
            *[SHARE] * 3,
            *([SHARE, POINTS] if reference else []),
            "",
            "",
        ],
    )


def _none(column: NDArray[np.object_] | None) -> Sequence[str | None]:
    return () if column is None else column.tolist()


def _share_in_training(sizes: Counter[str], name: str) -> float | None:
    return sizes[name] / sizes.total() if sizes[name] == 0 or sizes[name] >= SMALLEST_CELL else None


def _lacking(n: int, smallest: int) -> Cell:
    """How many texts a group lacks to be audited; roughly where the exact number would tell how few there are."""
    if 0 < n < SMALLEST_CELL <= smallest:
        return Sentence("more than {number}", number=smallest - SMALLEST_CELL)
    return max(smallest - n, 0)


def _class_table(column: NDArray[np.object_], subgroup: str, test: Examples) -> Table:
    """How often each class is true in each group."""
    rows: list[list[Cell]] = []
    for name in sorted({group for group in column if group is not None}):
        labels = test.labels[column == name]
        shares = np.bincount(labels, minlength=len(test.classes)) / len(labels)
        rows.append([name, *(float(share) if len(labels) >= SMALLEST_CELL else None for share in shares)])
    return Table(
        Sentence("How often each class is true in the test data, by {subgroup}", subgroup=subgroup),
        [subgroup, *test.classes],
        rows,
        units=["", *[SHARE] * len(test.classes)],
    )


def _key(subgroup: str) -> str:
    """The column as it is written behind a dot in a section of TOML."""
    return subgroup if subgroup.replace("_", "").replace("-", "").isalnum() and subgroup.isascii() else f'"{subgroup}"'


def _caveats(subgroup: str, train: Examples | None) -> list[str]:
    if not mentions.is_mention(subgroup):
        return []
    found = Sentence(
        "These groups are who the texts mention, found by word lists, not who wrote them; texts that mention nobody or "
        "more than one group stand outside the shares."
    )
    if train is None or len(train) <= READ:
        return [found]
    return [found, Sentence("Of the training texts {number:,}, drawn at random, were read for it.", number=READ)]


def _in_words(shares: _Shares, worst: int, subgroup: str) -> str:
    few, share = int(shares.counts[worst]), float(shares.counts[worst] / shares.n)
    reference = float(shares.reference[worst])
    if share >= reference:
        return Sentence("No group of {subgroup} falls short of its reference share.", subgroup=named(subgroup))
    if 0 < few < SMALLEST_CELL:
        return Sentence(
            "“{group}” is the group of {subgroup} that falls shortest of its reference share, with fewer than "
            "{smallest} test examples.",
            group=shares.names[worst],
            subgroup=named(subgroup),
            smallest=SMALLEST_CELL,
        )
    return Sentence(
        "“{group}” is the group of {subgroup} that falls shortest: {share:.1%} of the test examples, where the policy "
        "states {reference:.1%}.",
        group=shares.names[worst],
        subgroup=named(subgroup),
        share=share,
        reference=reference,
    )
