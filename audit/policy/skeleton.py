"""The lines of a policy that gate an id, as its declaration has them; the bound is left to whoever answers for it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from audit.core.identifiers import base_id
from audit.core.probe import POINTS, SHARE, Probe
from audit.policy import toml

_WIDTH = 120
_UNITS = {"": "a number", SHARE: "a share: 0.05 is 5 %", POINTS: "a difference of shares: 0.05 is 5 points"}
_DIRECTIONS = {
    "higher": ("min", "Higher is better, so its gate has a min"),
    "lower": ("max", "Lower is better, so its gate has a max"),
    "either": ("min", "Neither direction is better, so its gate has a min or a max"),
}
_KINDS = {
    "subgroup": "a column that [data] subgroups names, or a*b for two of them",
    "metric": "the name of a metric under [quality] metrics",
}


def gate(declared: Probe, full_id: str) -> str:
    """The section of a gate, to be pasted into ``audit.toml``.

    Parameters
    ----------
    declared : Probe
    full_id : str
        Its id; with a bracket where the gate is to be on this one alone.
    """
    group, _, name = full_id.partition(".")
    way, _ = _DIRECTIONS[declared.better]
    notes = [textwrap.fill(f"# {note}", _WIDTH, subsequent_indent="# ") for note in _notes(declared, full_id)]
    return "\n".join([*notes, toml.document({"gates": {group: {name: {way: _placeholder(declared)}}}})])


def _notes(declared: Probe, full_id: str) -> Iterator[str]:
    way, direction = _DIRECTIONS[declared.better]
    yield f"{declared.title}: {declared.counts}." if declared.counts else f"{declared.title}."
    yield f"{direction}; the unit is {_UNITS.get(declared.unit, declared.unit)}."
    if declared.alarm is not None:
        yield f"Without a gate it is worrying from {declared.alarm.value:g} on: {declared.alarm.reason}"
    if declared.brackets and full_id == base_id(full_id):
        named = isinstance(declared.brackets, str)
        kinds = _KINDS[str(declared.brackets)] if named else f"one of: {', '.join(declared.brackets)}"
        key = f"{full_id.partition('.')[2]}[{declared.bracket}]"
        yield f'It holds for each of them; for one alone the key is "{key}", in brackets {kinds}.'
    yield f"The {way} here is a placeholder: choose yours by the harm that a wrong answer does (docs/gates.md)."


def _placeholder(declared: Probe) -> float:
    """A bound that the policy accepts, and that says nothing about what is good enough."""
    if declared.alarm is not None:
        return declared.alarm.value
    least, _ = declared.range
    return 0.0 if least is None else max(least, 0.0)
