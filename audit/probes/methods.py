"""Clauses that several probes share: on their intervals, and on what would settle an open verdict."""

from __future__ import annotations

from dataclasses import replace

from audit.core.measurement import Result
from audit.core.sentences import Sentence, joined
from audit.data.examples import Examples
from audit.statistics import FEWEST_CLUSTERS, DesignEffect

# On :func:`audit.statistics.paired_difference`.
PAIRED = Sentence("exact limits of the shares gained and lost, their distances added in squares (Zou and Donner 2008)")
# What n counts where a change leaves some texts as they are.
CHANGED = Sentence("test texts that it changes")
# On :func:`audit.statistics.design_effect`.
CLUSTERED = Sentence(
    "Examples of one cluster (of one author or item by [data] cluster, or near copies) count together: the interval is "
    "that of as many independent examples as would vary so much (Korn and Graubard 1998), by a variance over clusters "
    "whose degrees of freedom hold for clusters of unequal sizes (Bell and McCaffrey 2002; Imbens and Kolesár 2016)."
)
POWER_METERS = Sentence("a machine with power meters (RAPL, NVML) would settle it")
FIXED = Sentence("no setting gives more of them")


def raised(setting: str, value: int) -> str:
    """That a setting of the policy holds the sample down."""
    return Sentence("raise {setting}, now {value:,}", setting=setting, value=value)


def of_sample(examples: Examples) -> str:
    """The same where it is the sample for the costly probes; empty where that leaves nothing out."""
    return raised("[data] max_examples", examples.protocol.max_examples) if examples.is_cut else ""


def clustered(result: Result, effect: DesignEffect) -> Result:
    """A result whose interval rests on clusters of rows, told so; the same where each row stands for itself."""
    return of_clusters(result, int(effect.clusters), effect.shown, too_few=effect.is_open)


def of_clusters(result: Result, clusters: int, design_effect: float | None, *, too_few: bool = False) -> Result:
    """The same from figures."""
    if not clusters:
        return result
    few = Sentence(
        "the examples come in {clusters} clusters ([data] cluster), too few to speak for others: {fewest} are needed; "
        "supply examples of more authors or items",
        clusters=clusters,
        fewest=FEWEST_CLUSTERS,
    )
    return replace(
        result,
        method=joined([result.method, CLUSTERED]),
        clusters=clusters,
        design_effect=design_effect,
        undecided=result.undecided or (few if too_few else ""),
    )
