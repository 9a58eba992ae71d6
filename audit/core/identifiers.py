"""What an id of a finding is: its name without and with a bracket, its unit and direction, and what it means in words.

Which ids there are stands in :mod:`audit.probes.catalogue`, and in what other packages declare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Challenge = Literal["quality", "ethics", "privacy", "security", "environment", "transparency", "claims"]
CHALLENGES: tuple[Challenge, ...] = (
    "ethics",
    "privacy",
    "security",
    "environment",
    "quality",
    "transparency",
    "claims",
)


@dataclass(frozen=True)
class Identifier:
    """What one id means.

    Parameters
    ----------
    id : str
        As in gates and findings, without brackets.
    unit : str
        Unit of the estimate; the empty string for a pure ratio.
    better : {"higher", "lower", "either"}
        Direction; a gate in the other direction is refused.
    brackets : tuple of str, "subgroup" or "metric"
        What may stand in brackets behind the id: each subgroup column or own metric of the policy, or these kinds.
    within_one : bool
        Whether the estimate lies between -1 and 1; whoever gates it beyond has written per cent.
    meaning, harm, remedy : str
        What is measured; who is harmed where it is bad; what helps. One or two plain sentences each.
    """

    id: str
    challenge: Challenge
    title: str
    unit: str
    better: Literal["higher", "lower", "either"]
    meaning: str
    harm: str = ""
    remedy: str = ""
    brackets: tuple[str, ...] | Literal["subgroup", "metric"] = ()
    within_one: bool = False

    def expand(self, named: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
        """All full ids that a gate on this id applies to; `named` holds what the policy names, by kind of bracket."""
        brackets = named[self.brackets] if isinstance(self.brackets, str) else self.brackets
        return tuple(f"{self.id}[{bracket}]" for bracket in brackets) or (self.id,)


def base_id(full: str) -> str:
    """The id without its bracket: ``fairness.equalized_odds[gender]`` to ``fairness.equalized_odds``."""
    return full.split("[", 1)[0]
