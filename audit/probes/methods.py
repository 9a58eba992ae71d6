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
# The remedy where a model remembers single training texts, however that was found out.
FORGET = (
    "Fewer epochs, more data, no repeated texts, regularisation. Training with differential privacy bounds ε from "
    "above."
)
POWER_METERS = Sentence("a machine with power meters (RAPL, NVML) would settle it")
FIXED = Sentence("no setting gives more of them")


def raised(setting: str, value: int) -> str:
    """That a setting of the policy holds the sample down."""
    return Sentence("raise {setting}, now {value:,}", setting=setting, value=value)


def of_sample(examples: Examples) -> str:
    """The same where it is the sample for the costly probes; empty where that leaves nothing out."""
    return raised("[data] max_examples", examples.protocol.max_examples) if examples.is_cut else ""


def clustered(result: Result, effect: DesignEffect, column: str) -> Result:
    """A result whose interval rests on clusters of rows, told so; the same where each row stands for itself.

    Parameters
    ----------
    column : str
        The policy's column of clusters; empty where it names none.
    """
    found = of_clusters(result, int(effect.clusters), effect.shown)
    return replace(found, undecided=_too_few(int(effect.clusters), column)) if effect.is_open else found


def of_clusters(result: Result, clusters: int, design_effect: float | None) -> Result:
    """The same from figures; without clusters it is told nothing."""
    if not clusters:
        return result
    method = joined([result.method, CLUSTERED])
    return replace(result, method=method, clusters=clusters, design_effect=design_effect)


def _too_few(clusters: int, column: str) -> str:
    """What would settle a verdict that clusters are too few for."""
    if not column:
        return Sentence(
            "the examples are near copies of {clusters} texts, too few to speak for others, which {fewest} do; supply "
            "other texts",
            clusters=clusters,
            fewest=FEWEST_CLUSTERS,
        )
    return Sentence(
        "the examples are of {clusters} different values of '{column}' ([data] cluster), too few to speak for others, "
        "which {fewest} do; supply examples of more",
        clusters=clusters,
        column=column,
        fewest=FEWEST_CLUSTERS,
    )
