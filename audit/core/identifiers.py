"""What an id of a finding is: its name without and with a bracket, and the challenge that it belongs to."""

from __future__ import annotations

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


def base_id(full: str) -> str:
    """The id without its bracket: ``fairness.equalized_odds[gender]`` to ``fairness.equalized_odds``."""
    return full.split("[", 1)[0]


def bracket_of(full: str) -> str:
    """What stands in the bracket of an id, ``gender`` of ``fairness.equalized_odds[gender]``; empty without one."""
    return full.partition("[")[2].removesuffix("]")
