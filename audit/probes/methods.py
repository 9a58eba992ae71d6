"""Clauses that several probes share: on their intervals, and on what would settle an open verdict."""

from __future__ import annotations

from audit.core.sentences import Sentence
from audit.data.examples import Examples

# On :func:`audit.statistics.paired_difference`.
PAIRED = Sentence("exact limits of the shares gained and lost, their distances added in squares (Zou and Donner 2008)")
# What n counts where a change leaves some texts as they are.
CHANGED = Sentence("test texts that it changes")
POWER_METERS = Sentence("a machine with power meters (RAPL, NVML) would settle it")
FIXED = Sentence("no setting gives more of them")


def raised(setting: str, value: int) -> str:
    """That a setting of the policy holds the sample down."""
    return Sentence("raise {setting}, now {value:,}", setting=setting, value=value)


def of_sample(examples: Examples) -> str:
    """The same where it is the sample for the costly probes; empty where that leaves nothing out."""
    return raised("[data] max_examples", examples.protocol.max_examples) if examples.is_cut else ""
