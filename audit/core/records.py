"""What a record holds, as types of its JSON: who writes a part of ``audit.json`` and who reads it mean the same keys.

The schema beside :mod:`audit.record.schema` says which values are right, and every record is held against it when it is
read. Where that leaves a value open, such as the settings of a policy of another version, it is an `object` here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from audit.core.figures import CachedPhase, Figures, Grid
from audit.core.sentences import SentenceRecord

Text = str | SentenceRecord


class IntervalRecord(TypedDict):
    """A figure with both ends of its interval."""

    estimate: float | None
    low: float | None
    high: float | None


class GateRecord(TypedDict, total=False):
    """A bound: either `min` or `max`."""

    min: float
    max: float
    reason: str
    owner: str


class WaiverRecord(TypedDict):
    """Who answers for a gate that does not hold, through which ISO date, and whether that is still to come."""

    reason: str
    owner: str
    expires: str
    valid: bool


class AcceptanceRecord(TypedDict):
    """Who answers for an alarm."""

    reason: str
    owner: str


class StoppedRecord(TypedDict):
    """Why a probe stopped, and after how many examples of how many."""

    reason: Text
    examples: int
    of: int


class FindingRecord(IntervalRecord):
    """A finding; what only some have is left out of the others."""

    id: str
    challenge: str
    title: str
    verdict: str
    confidence: float
    n: int
    sample: str
    unit: str
    gate: GateRecord | None
    waiver: WaiverRecord | None
    method: Text
    reason: Text
    evidence: Sequence[Mapping[str, object]]  # as :mod:`audit.core.evidence` writes it
    tolerated: NotRequired[bool]
    summary: NotRequired[Text]
    caveats: NotRequired[Sequence[Text]]
    interval: NotRequired[str]
    undecided: NotRequired[Text]
    unbounded: NotRequired[Text]
    too_small: NotRequired[Text]
    caution: NotRequired[Text]
    remedy_effect: NotRequired[Text]
    outcome: NotRequired[str]
    source: NotRequired[str]
    machine: NotRequired[str]
    stated: NotRequired[str]
    look: NotRequired[int]
    stopped: NotRequired[StoppedRecord]
    clusters: NotRequired[int]
    design_effect: NotRequired[float]
    unreached: NotRequired[bool]
    alarm: NotRequired[bool]
    accepted: NotRequired[AcceptanceRecord]
    about: NotRequired[Text]
    earlier: NotRequired[Sequence[IntervalRecord | None]]


class ReadingRecord(TypedDict):
    """How a model's outputs are read: the head, and for each class of its own those that it counts as.

    And of two classes the probability above which the second is the answer, where that is no half; of a score where one
    class ends and the next begins.
    """

    threshold: NotRequired[float]
    cutpoints: NotRequired[Sequence[float]]
    head: str
    classes: Mapping[str, Sequence[str]]


class ModelRecord(TypedDict, total=False):
    """What identifies the audited model, and how it read the texts."""

    source: str
    revision: str | None
    pinned: bool
    fingerprint: str | None
    files: Mapping[str, str]
    parameters: int | None
    labels: Sequence[str]
    max_length: int
    unknown_tokens: float
    dtype: str
    training: Mapping[str, object] | None
    overridden: str
    runs_code: bool
    service: bool
    read: ReadingRecord


class SpellingsRecord(TypedDict):
    """How the cells of a column of groups were read, and how many of which kind name none."""

    read_as: Mapping[str, str]
    missing: Mapping[str, int | str]


class ClustersRecord(TypedDict):
    """Rows that belong together: in how many clusters, how many rows share theirs, rows of the largest.

    `unnamed` are rows of which the column of the policy says nothing.
    """

    number: int
    shared: int
    largest: int
    unnamed: NotRequired[int]


class SplitRecord(TypedDict, total=False):
    """What identifies a split of the data, and how it was read."""

    path: str
    rows: int
    fingerprint: str
    classes: Mapping[str, int]
    skipped: Mapping[str, int]
    labels: Mapping[str, str]
    absent: int
    subgroups: Mapping[str, Mapping[str, int | str]]
    groups: Mapping[str, SpellingsRecord]
    clusters: ClustersRecord


class TurnedRecord(TypedDict):
    """A verdict that was another in the former audit."""

    id: str
    before: str
    now: str


class ComparedRecord(TypedDict):
    """A figure then and now, None where it was not measured, and what became of it."""

    id: str
    change: str
    before: IntervalRecord | None
    now: IntervalRecord | None
    paired: NotRequired[bool]


class GateChangeRecord(TypedDict):
    """A gate then and now, None where there was none or it is not known."""

    id: str
    change: str
    before: GateRecord | None
    now: GateRecord | None


class SettingChangeRecord(TypedDict):
    """A setting that judges less strictly now, or by which other texts are asked about."""

    name: str
    before: object
    now: object


class PolicyOriginRecord(TypedDict):
    """Where the policy is from: its hash, what git knows of its file, and how it differs from the embedded one.

    `state` is "embedded", or that of :class:`audit.core.git.History`. `as_embedded` are ids of gates that nobody
    adapted: bound and reason are the embedded policy's. `gates` are those that are looser or missing here, `settings`
    those that judge less strictly.
    """

    sha256: str
    state: str
    commit: NotRequired[str]
    date: NotRequired[str]
    as_embedded: Sequence[str]
    gates: Sequence[GateChangeRecord]
    settings: Sequence[SettingChangeRecord]


class LinkRecord(TypedDict):
    """A former audit: when it was, of which model, on which test data; of the last ones the gated figures by id."""

    created: str
    fingerprint: str | None
    test: str | None
    figures: NotRequired[Mapping[str, float]]


class BaselineRecord(TypedDict):
    """What became of the former audit; records of early versions hold less of it."""

    path: str
    created: str
    verdict: str
    turned: Sequence[TurnedRecord]
    fingerprint: NotRequired[str | None]
    test: NotRequired[str | None]
    compared: NotRequired[Sequence[ComparedRecord]]
    gates: NotRequired[Sequence[GateChangeRecord]]
    settings: NotRequired[Sequence[SettingChangeRecord]]
    chain: NotRequired[Sequence[LinkRecord]]


class EnergyRecord(TypedDict):
    """What the audit took, what it took from the cache, and what a kilowatt-hour stands for."""

    phases: Sequence[Figures]
    kept: NotRequired[Sequence[CachedPhase]]
    grids: NotRequired[Sequence[Grid]]


class SealRecord(TypedDict):
    """What tells a record's predictions from those of another audit."""

    sha256: str
    fingerprint: str | None


class Record(TypedDict):
    """``audit.json``."""

    schema_version: int
    verdict: str
    complete: bool
    interrupted: NotRequired[bool]
    restarted: NotRequired[bool]
    predictions: NotRequired[SealRecord | None]
    not_run: Sequence[str]
    created: str
    duration_s: float
    model: ModelRecord
    data: Mapping[str, SplitRecord]  # `test` and `train` always
    policy: Mapping[str, object]
    policy_origin: NotRequired[PolicyOriginRecord]
    declarations: Sequence[Mapping[str, object]]
    baseline: NotRequired[BaselineRecord]
    findings: Sequence[FindingRecord]
    energy: EnergyRecord
    scoring: Mapping[str, int]
    provenance: Mapping[str, object]


def interval(figure: IntervalRecord) -> IntervalRecord:
    """The figure of a finding with its ends, and nothing else of it."""
    return {"estimate": figure["estimate"], "low": figure["low"], "high": figure["high"]}


def section(table: Mapping[str, object], name: str) -> Mapping[str, object]:
    """A table in what the schema leaves open, a policy say; empty where it has none of that name."""
    inner = table.get(name)
    return inner if isinstance(inner, Mapping) else {}
