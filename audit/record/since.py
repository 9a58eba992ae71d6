"""What became of a former audit: its figures, its gates, and how often its test set has been asked since.

Two figures differ where their intervals do not overlap, which for independent samples is stricter than either interval
alone; accuracy is compared example by example where ``quality.regression`` could. Anything else is no clear change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from audit.core.identifiers import base_id
from audit.core.numbers import is_number
from audit.core.probe import Probe

Gate = Mapping[str, float]
_PAIRED, _PAIRED_BY = "quality.accuracy", "quality.regression"
_FIGURES = ("estimate", "low", "high")
_LONGEST_CHAIN = 1_000
# Settings that decide how strictly every gate is judged, and whether a value is laxer than the one before.
_SETTINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "confidence": lambda before, now: now < before,
    "inconclusive": lambda before, now: (before, now) == ("fail", "warn"),
    "min_group_size": lambda before, now: now > before,
}


def remember(former: Mapping[str, Any], path: str) -> dict[str, Any]:
    """What of a former record this audit's record needs, as plain values that may cross processes."""
    return {
        "path": path,
        "created": former["created"],
        "verdict": former["verdict"],
        "fingerprint": former["model"].get("fingerprint"),
        "test": former["data"]["test"].get("fingerprint"),
        "findings": {f["id"]: {name: f[name] for name in ("verdict", *_FIGURES)} for f in former["findings"]},
        "gates": gates(former["findings"], former["not_run"], former["policy"]),
        "settings": _settings(former["policy"]),
        "chain": former.get("baseline", {}).get("chain", []),
    }


def compare(
    former: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]],
    not_run: Iterable[str],
    policy: Mapping[str, Any],
    known: Mapping[str, Probe],
) -> dict[str, Any]:
    """What a record says of the former audit.

    Parameters
    ----------
    former : mapping
        As :func:`remember` gives it.
    findings, not_run, policy
        Of the record that is being made.
    known : mapping of str to Probe
        What says of each id which direction is better.

    Returns
    -------
    dict
        ``turned``: verdicts that are others now. ``compared``: each figure then and now, and whether it is better,
        worse, different (where no direction is better), unclear, new or gone. ``gates``: those that were loosened,
        dropped, replaced by one in the other direction, tightened or added. ``settings``: those of ``[audit]`` that
        judge less strictly now. ``chain``: all former audits that are known of, with the test set each one used.
    """
    before, now = former["findings"], {finding["id"]: finding for finding in findings}
    told = {name: former[name] for name in ("path", "created", "verdict", "fingerprint", "test")}
    turned = [
        {"id": full_id, "before": before[full_id]["verdict"], "now": finding["verdict"]}
        for full_id, finding in sorted(now.items())
        if full_id in before and before[full_id]["verdict"] != finding["verdict"]
    ]
    link = {name: former[name] for name in ("created", "fingerprint", "test")}
    return {
        **told,
        "turned": turned,
        "compared": [
            {"id": full_id, **_figure(full_id, before.get(full_id), now.get(full_id), now.get(_PAIRED_BY), known)}
            for full_id in sorted({*before, *now})
            if full_id != _PAIRED_BY and (_measured(before.get(full_id)) or _measured(now.get(full_id)))
        ],
        "gates": _changed(former["gates"], gates(findings, not_run, policy)),
        "settings": [
            {"name": name, "before": former["settings"][name], "now": value}
            for name, value in _settings(policy).items()
            if name in former["settings"] and _SETTINGS[name](former["settings"][name], value)
        ],
        "chain": [*former["chain"], link][-_LONGEST_CHAIN:],
    }


def gates(
    findings: Iterable[Mapping[str, Any]], not_run: Iterable[str], policy: Mapping[str, Any]
) -> dict[str, Gate | None]:
    """Every gate of an audit by its full id, those that did not run included; None where a gate is not known."""
    judged = {finding["id"]: finding["gate"] for finding in findings if finding["gate"] is not None}
    return {full_id: gate_of(full_id, policy) for full_id in not_run} | judged


def gate_of(full_id: str, policy: Mapping[str, Any]) -> Gate | None:
    """The gate that a recorded policy itself sets: on the id, or on all ids that differ in the bracket only."""
    group, _, name = full_id.partition(".")
    groups = policy.get("gates")
    named = groups.get(group) if isinstance(groups, dict) else None
    gate = (named.get(name) or named.get(base_id(name))) if isinstance(named, dict) else None
    if not isinstance(gate, dict):
        return None
    return next(({way: gate[way]} for way in ("min", "max") if is_number(gate.get(way))), None)


def _figure(
    full_id: str,
    before: Mapping[str, Any] | None,
    now: Mapping[str, Any] | None,
    paired: Mapping[str, Any] | None,
    known: Mapping[str, Probe],
) -> dict[str, Any]:
    """One figure then and now, and what became of it."""
    then, since = (
        {name: each[name] for name in _FIGURES} if each is not None and _measured(each) else None
        for each in (before, now)
    )
    if then is None or since is None:
        return {"change": "new" if then is None else "gone", "before": then, "now": since}
    told = {"before": then, "now": since}
    if full_id == _PAIRED and paired is not None and None not in (paired["low"], paired["high"]):
        moved = 1 if paired["low"] > 0 else -1 if paired["high"] < 0 else 0
        return {"change": _word(moved, "higher"), **told, "paired": True}
    (low, high), (low_then, high_then) = _ends(since), _ends(then)
    moved = 1 if low > high_then else -1 if high < low_then else 0
    gate = (now or {}).get("gate")
    return {"change": _word(moved, _better(known.get(base_id(full_id)), gate)), **told}


def _word(moved: int, better: str | None) -> str:
    """The change of a figure that moved up (1), down (-1) or not clearly (0)."""
    if moved == 0:
        return "unclear"
    if better is None:
        return "different"
    return "better" if (moved > 0) == (better == "higher") else "worse"


def _better(identifier: Probe | None, gate: Gate | None) -> str | None:
    """Which direction is better, by the catalogue or else by the gate; None where neither says so."""
    if identifier is not None and identifier.better != "either":
        return identifier.better
    if gate is None:
        return None
    return "higher" if "min" in gate else "lower"


def _ends(figure: Mapping[str, Any]) -> tuple[float, float]:
    """Both ends of an interval; an end that is open lies infinitely far away."""
    low, high = figure["low"], figure["high"]
    return -math.inf if low is None else low, math.inf if high is None else high


def _measured(finding: Mapping[str, Any] | None) -> bool:
    return finding is not None and finding["estimate"] is not None


def _changed(before: Mapping[str, Gate | None], now: Mapping[str, Gate | None]) -> list[dict[str, Any]]:
    """The gates that are not what they were; what is known of neither side is left out."""
    changed = []
    for full_id in sorted({*before, *now}):
        then, since = before.get(full_id), now.get(full_id)
        if full_id not in now:
            change = "dropped"
        elif full_id not in before:
            change = "added"
        elif then is None or since is None or then == since:
            continue
        elif then.keys() != since.keys():
            change = "replaced"
        else:
            lower = next(iter(since.values())) < next(iter(then.values()))
            change = "loosened" if lower == ("min" in since) else "tightened"
        changed.append({"id": full_id, "change": change, "before": then, "now": since})
    return changed


def _settings(policy: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that decide how strictly gates are judged, where a recorded policy has them as they should be."""
    audit = policy.get("audit")
    found = {name: audit.get(name) for name in _SETTINGS} if isinstance(audit, dict) else {}
    right = {"inconclusive": lambda value: isinstance(value, str)}
    return {name: value for name, value in found.items() if right.get(name, is_number)(value)}
