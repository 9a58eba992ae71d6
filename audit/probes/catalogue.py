"""Which ids this version can measure: the declarations of all probes below, and those of other packages.

The declarations stand above the functions that measure. They are collected when they are first asked for, since pytest
loads the plugin in every run, also without an audit.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points

from audit import probes as package
from audit.core.identifiers import Challenge, base_id
from audit.core.probe import DeclaredProbe, Probe

# The name of this package in what another one requires.
_DISTRIBUTION = re.compile(r"pytest[-_.]model[-_.]audit(?![-_.\w])", re.IGNORECASE)


@cache
def built_in() -> tuple[Probe, ...]:
    """The declarations of this package, in the order of its modules."""
    return tuple(dict.fromkeys(probe.declaration for probe in probes()))


def probes() -> Iterator[DeclaredProbe[...]]:
    """The probes of this package, in the order of its modules."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name != __name__:
            yield from (
                value
                for value in vars(importlib.import_module(module.name)).values()
                if isinstance(value, DeclaredProbe)
            )


def installed() -> tuple[Probe, ...]:
    """What installed packages that build on this one declare, by the module that pytest would load of each.

    A conftest.py may declare more, which only a run of pytest learns of.
    """
    declared: dict[Probe, None] = {}
    for entry in entry_points(group="pytest11"):
        if entry.dist is None or _DISTRIBUTION.match(entry.dist.name):
            continue
        if any(map(_DISTRIBUTION.match, entry.dist.requires or ())):
            module = entry.load()
            measured: Iterable[DeclaredProbe[...]] = getattr(module, "pytest_audit_probes", tuple)()
            declared |= dict.fromkeys(probe.declaration for probe in measured)
            declared |= dict.fromkeys(getattr(module, "pytest_audit_ids", tuple)())
    return tuple(declared)


def ids(extra: Iterable[Probe] = ()) -> Mapping[str, Probe]:
    """All known ids by name, those of other packages included."""
    return {probe.id: probe for probe in (*built_in(), *extra)}


def challenge_of(full: str, known: Mapping[str, Probe]) -> Challenge | None:
    """The challenge of an id, where it is known."""
    probe = known.get(base_id(full))
    return probe.challenge if probe else None
