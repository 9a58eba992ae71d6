"""What became of a former audit: its figures, its gates, and how often its test set has been asked since.

Two figures differ where the interval of their difference leaves 0 out, the error shared out over all figures that both
audits hold; accuracy is compared example by example where ``quality.regression`` could, and as the one comparison that
is planned has its error to itself. Anything else is no clear change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from audit.core.identifiers import base_id
from audit.core.numbers import is_number
from audit.core.probe import Probe
from audit.core.records import (
    BaselineRecord,
    ComparedRecord,
    FindingRecord,
    GateChangeRecord,
    GateRecord,
    IntervalRecord,
    LinkRecord,
    Record,
    SettingChangeRecord,
    TurnedRecord,
    interval,
    section,
)
from audit.core.verdict import Gate
from audit.statistics import Interval, widened

_PAIRED, _PAIRED_BY = "quality.accuracy", "quality.regression"
_LONGEST_CHAIN = 1_000
_TREND = 20  # former audits whose figures are kept, for a line through them
# Settings that decide how strictly gates are judged, or what is asked, by the policy's section.
_SETTINGS = {
    "confidence": "audit",
    "inconclusive": "audit",
    "unguarded": "audit",
    "looks": "audit",
    "stopping": "audit",
    "precision": "audit",
    "min_group_size": "audit",
    "seed": "audit",
    "max_examples": "data",
    "cluster": "data",
    "near_duplicate": "privacy",
    "queries": "security",
    "perturbed": "security",
}
_LAXER_IF_LESS = ("confidence", "looks", "queries")
_LAXER_IF_MORE = ("min_group_size", "near_duplicate", "precision")
# From the strictest to the laxest.
_LAXER_WORDS = {
    "inconclusive": ("fail", "warn"),
    "stopping": ("full", "settled"),
    "unguarded": ("fail", "warn", "ignore"),
}
_WORDS = (*_LAXER_WORDS, "cluster")


class FormerFigure(IntervalRecord):
    """A figure of the former audit, and what it came to."""

    verdict: str
    confidence: float


class Former(TypedDict):
    """What of a former record the next one needs."""

    path: str
    created: str
    verdict: str
    fingerprint: str | None
    test: str | None
    findings: Mapping[str, FormerFigure]
    gates: Mapping[str, GateRecord | None]
    settings: Mapping[str, object]
    chain: Sequence[LinkRecord]


def remember(former: Record, path: str) -> Former:
    """What of a former record this audit's record needs, as plain values that may cross processes."""
    return {
        "path": path,
        "created": former["created"],
        "verdict": former["verdict"],
        "fingerprint": former["model"].get("fingerprint"),
        "test": former["data"]["test"].get("fingerprint"),
        "findings": {
            f["id"]: {"verdict": f["verdict"], "confidence": f["confidence"], **interval(f)} for f in former["findings"]
        },
        "gates": gates(former["findings"], former["not_run"], former["policy"]),
        "settings": _settings(former["policy"]),
        "chain": baseline.get("chain", []) if (baseline := former.get("baseline")) else [],
    }


def of_same_test(former: Former, test: str) -> Former:
    """A former audit of the present test examples, though its record has them under another fingerprint.

    Records of schema 1 have one that depends on the order of rows, and any has one that depends on the groups.
    """
    chain: list[LinkRecord] = [
        {**link, "test": test} if link["test"] == former["test"] else link for link in former["chain"]
    ]
    return {**former, "test": test, "chain": chain}


def compare(
    former: Former,
    findings: Sequence[FindingRecord],
    not_run: Sequence[str],
    policy: Mapping[str, object],
    known: Mapping[str, Probe],
) -> BaselineRecord:
    """What a record says of the former audit.

    Parameters
    ----------
    former : Former
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
        dropped, replaced by one in the other direction, tightened or added. ``settings``: those that judge less
        strictly now, or by which other texts are asked about. ``chain``: all former audits that are known of, with the
        test set each one used, and with the gated figures of the last.
    """
    before, now = former["findings"], {finding["id"]: finding for finding in findings}
    turned: list[TurnedRecord] = [
        {"id": full_id, "before": before[full_id]["verdict"], "now": finding["verdict"]}
        for full_id, finding in sorted(now.items())
        if full_id in before and before[full_id]["verdict"] != finding["verdict"]
    ]
    paired = now.get(_PAIRED_BY)
    if paired is not None and (paired["low"] is None or paired["high"] is None):
        paired = None
    both = {full_id for full_id, each in now.items() if _figure(each) and _figure(before.get(full_id))}
    shared = len(both - {_PAIRED_BY} - ({_PAIRED} if paired else set()))
    link: LinkRecord = {
        "created": former["created"],
        "fingerprint": former["fingerprint"],
        "test": former["test"],
        "figures": {
            full_id: figure["estimate"]
            for full_id in former["gates"]
            if (figure := before.get(full_id)) and figure["estimate"] is not None
        },
    }
    return {
        "path": former["path"],
        "created": former["created"],
        "verdict": former["verdict"],
        "fingerprint": former["fingerprint"],
        "test": former["test"],
        "turned": turned,
        "compared": [
            _compared(full_id, before.get(full_id), now.get(full_id), paired, shared, known)
            for full_id in sorted({*before, *now})
            if full_id != _PAIRED_BY and (_figure(before.get(full_id)) or _figure(now.get(full_id)))
        ],
        "gates": _changed(former["gates"], gates(findings, not_run, policy)),
        "settings": _laxer(former["settings"], policy),
        "chain": _shortened([*former["chain"], link]),
    }


def _shortened(chain: Sequence[LinkRecord]) -> list[LinkRecord]:
    """The last links of a chain; the figures only of the very last."""
    older, last = chain[-_LONGEST_CHAIN:-_TREND], chain[-_TREND:]
    without: list[LinkRecord] = [
        {"created": link["created"], "fingerprint": link["fingerprint"], "test": link["test"]} for link in older
    ]
    return [*without, *last]


def gates(
    findings: Iterable[FindingRecord], not_run: Iterable[str], policy: Mapping[str, object]
) -> dict[str, GateRecord | None]:
    """Every gate of an audit by its full id, those that did not run included; None where a gate is not known."""
    judged = {finding["id"]: finding["gate"] for finding in findings if finding["gate"] is not None}
    return {full_id: gate_of(full_id, policy) for full_id in not_run} | judged


def gate_of(full_id: str, policy: Mapping[str, object]) -> GateRecord | None:
    """The gate that a recorded policy itself sets: on the id, or on all ids that differ in the bracket only."""
    group, _, name = full_id.partition(".")
    named = section(section(policy, "gates"), group)
    gate = named.get(name) or named.get(base_id(name))
    if not isinstance(gate, Mapping):
        return None
    if is_number(minimum := gate.get("min")):
        return {"min": minimum}
    if is_number(maximum := gate.get("max")):
        return {"max": maximum}
    return None


def looser(before: Mapping[str, GateRecord | None], now: Mapping[str, GateRecord | None]) -> list[GateChangeRecord]:
    """The gates that guard less than they did, or no more, by their ids."""
    return [each for each in _changed(before, now) if each["change"] in ("loosened", "dropped", "replaced")]


def less_strict(before: Mapping[str, object], now: Mapping[str, object]) -> list[SettingChangeRecord]:
    """The settings of a recorded policy by which it judges less strictly than another, whatever texts it asks about."""
    strictness = (*_LAXER_IF_LESS, *_LAXER_IF_MORE, *_LAXER_WORDS)
    return [each for each in _laxer(_settings(before), now) if each["name"] in strictness]


def _laxer(before: Mapping[str, object], policy: Mapping[str, object]) -> list[SettingChangeRecord]:
    return [
        {"name": name, "before": before[name], "now": value}
        for name, value in _settings(policy).items()
        if name in before and _is_laxer(name, before[name], value)
    ]


def _compared(
    full_id: str,
    before: FormerFigure | None,
    now: FindingRecord | None,
    paired: FindingRecord | None,
    shared: int,
    known: Mapping[str, Probe],
) -> ComparedRecord:
    """One figure then and now, and what became of it."""
    then, since = _figure(before), _figure(now)
    if then is None or since is None or before is None or now is None:
        return {"id": full_id, "change": "new" if then is None else "gone", "before": then, "now": since}
    if full_id == _PAIRED and paired is not None:
        low, high = _ends(paired)
        moved = 1 if low > 0 else -1 if high < 0 else 0
        return {"id": full_id, "change": _word(moved, "higher"), "before": then, "now": since, "paired": True}
    better = _better(known.get(base_id(full_id)), now["gate"])
    return {"id": full_id, "change": _word(_direction(before, now, shared), better), "before": then, "now": since}


def _direction(before: FormerFigure, now: FindingRecord, shared: int) -> int:
    """Whether a figure is clearly higher than before (1), clearly lower (-1), or neither (0).

    Notes
    -----
    The limits of the difference of two independent figures are their distances to the limits of each, added in squares
    (Newcombe 1998, method 10), here at the error of `shared` figures together.
    """
    then, since = (_widened(each, shared) for each in (before, now))
    higher = since.estimate > then.estimate
    reached = (
        (then.high - then.estimate, since.estimate - since.low)
        if higher
        else (then.estimate - then.low, since.high - since.estimate)
    )
    # A bound that is no number, as a former record may lead to, makes nothing clear.
    is_clear = abs(since.estimate - then.estimate) > math.hypot(*reached)
    return (1 if higher else -1) if is_clear else 0


def _widened(figure: FormerFigure | FindingRecord, shared: int) -> Interval:
    assert figure["estimate"] is not None
    return widened(Interval(figure["estimate"], *_ends(figure)), figure["confidence"], shared)


def _word(moved: int, better: str | None) -> str:
    """The change of a figure that moved up (1), down (-1) or not clearly (0)."""
    if moved == 0:
        return "unclear"
    if better is None:
        return "different"
    return "better" if (moved > 0) == (better == "higher") else "worse"


def _better(identifier: Probe | None, gate: GateRecord | None) -> str | None:
    """Which direction is better, by the catalogue or else by the gate; None where neither says so."""
    if identifier is not None and identifier.better != "either":
        return identifier.better
    if gate is None:
        return None
    return "higher" if "min" in gate else "lower"


def _ends(figure: IntervalRecord) -> tuple[float, float]:
    """Both ends of an interval; an end that is open lies infinitely far away."""
    low, high = figure["low"], figure["high"]
    return -math.inf if low is None else low, math.inf if high is None else high


def _figure(finding: IntervalRecord | None) -> IntervalRecord | None:
    """The figure of a finding; None where it was not measured."""
    return None if finding is None or finding["estimate"] is None else interval(finding)


def _changed(before: Mapping[str, GateRecord | None], now: Mapping[str, GateRecord | None]) -> list[GateChangeRecord]:
    """The gates that are not what they were; what is known of neither side is left out."""
    changed: list[GateChangeRecord] = []
    for full_id in sorted({*before, *now}):
        then, since = before.get(full_id), now.get(full_id)
        if full_id not in now:
            change = "dropped"
        elif full_id not in before:
            change = "added"
        elif then is None or since is None or Gate.of(then) == Gate.of(since):
            continue
        else:
            change = _moved(Gate.of(then), Gate.of(since))
        changed.append({"id": full_id, "change": change, "before": then, "now": since})
    return changed


def _moved(before: Gate, now: Gate) -> str:
    """What became of a gate that is another now."""
    if before.sign != now.sign:
        return "replaced"
    return "loosened" if (now.bound < before.bound) == (now.min is not None) else "tightened"


def _settings(policy: Mapping[str, object]) -> dict[str, object]:
    """These settings, where a recorded policy has them as they should be."""
    found = {name: section(policy, part).get(name) for name, part in _SETTINGS.items()}
    return {
        name: value
        for name, value in found.items()
        if (isinstance(value, str) if name in _WORDS else is_number(value)) or (name, value) == ("looks", "any")
    }


def _is_laxer(name: str, before: object, now: object) -> bool:
    """Whether such a setting judges less strictly than before, or draws anew."""
    if name in _LAXER_WORDS:
        order = _LAXER_WORDS[name]
        return before in order and now in order and order.index(now) > order.index(before)
    if name == "cluster":
        return bool(before) and now != before
    if before == "any":
        return now != "any"
    if not (is_number(before) and is_number(now)):
        return False
    if name in _LAXER_IF_MORE:
        return now > before
    return now < before if name in _LAXER_IF_LESS else now != before
