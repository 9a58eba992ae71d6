"""From a measurement and a gate to a verdict: the one place where evidence meets what the release owner asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from audit.core import numbers
from audit.core.measurement import Measurement, Reach, Result
from audit.core.numbers import two_digits
from audit.core.records import AcceptanceRecord, FindingRecord, GateRecord, Record, WaiverRecord, section
from audit.core.sentences import Sentence, Value, from_json, joined, listed
from audit.statistics import Settling, chance_to_settle, sample_to_settle


class Verdict(StrEnum):
    """What the evidence says about a gate."""

    PASS = "pass"  # noqa: S105  (no password)
    NOT_EXCEEDED = "not_exceeded"  # only a lower bound is known, and it does not exceed the gate
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    REPORTED = "reported"
    NOT_ASSESSED = "not_assessed"
    ERROR = "error"


# How findings are told, and which of two of the same id counts.
WORST_FIRST = (
    Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSED, Verdict.NOT_EXCEEDED, Verdict.PASS,
    Verdict.REPORTED,
)  # fmt: skip


@dataclass(frozen=True)
class Gate:
    """A bound on one id, set by the release owner: either ``min`` or ``max``; why there, and who answers for it."""

    min: float | None = None
    max: float | None = None
    reason: str = field(default="", compare=False, kw_only=True)
    owner: str = field(default="", compare=False, kw_only=True)

    def __post_init__(self) -> None:
        if (self.min is None) == (self.max is None):
            raise ValueError("a gate has either min or max")

    @property
    def bound(self) -> float:
        """The threshold."""
        return self.min if self.min is not None else self.max  # type: ignore[return-value]

    @classmethod
    def of(cls, recorded: GateRecord) -> Gate:
        """The gate that a record holds."""
        more = {name: str(recorded.get(name) or "") for name in ("reason", "owner")}
        return cls(recorded.get("min"), recorded.get("max"), **more)

    def record(self) -> GateRecord:
        """The bound, as a record holds it."""
        return {"min": self.bound} if self.min is not None else {"max": self.bound}

    @property
    def sign(self) -> str:
        """On which side of the threshold the gate lets pass."""
        return "≥" if self.min is not None else "≤"

    def __str__(self) -> str:
        return f"{self.sign} {numbers.exact(self.bound)}"

    def written(self, bound: str, unit: str) -> str:
        """The gate in a unit; beside a percentage or points stands what a policy has for it."""
        if not self.bound or not numbers.scale_of(unit):
            return f"{self.sign} {bound}"
        setting = numbers.exact(self.bound).replace("−", "-")
        return f"{self.sign} {bound} ({'min' if self.min is not None else 'max'} = {setting})"


@dataclass(frozen=True)
class Finding:
    """A verdict in words that a reviewer understands.

    ``waiver`` holds ``reason``, ``owner``, ``expires`` (ISO date) and ``valid`` where the policy has one for a gate
    that does not hold; the verdict is the same with it and without. ``tolerated`` is whether the policy lets an
    inconclusive gate, or an alarm, pass, ``unreached`` whether the audit's budget ended before more was known.
    ``alarm`` is whether there is no gate and all of the interval is worse than a reference; ``accepted`` has ``reason``
    and ``owner`` where the policy answers for it.
    """

    id: str
    challenge: str
    title: str
    verdict: Verdict
    reason: str
    measurement: Measurement | None = None
    gate: Gate | None = None
    waiver: WaiverRecord | None = None
    tolerated: bool = False
    unreached: bool = False
    alarm: bool = False
    accepted: AcceptanceRecord | None = None

    def __str__(self) -> str:
        m, gate = self.measurement, self.gate
        text = self.id
        if m is not None and m.estimate is not None:
            figures = numbers.figures((m.estimate, m.low, m.high), gate.bound if gate else None, m.unit)
            text += f" {figures.interval}" + (f", gate {gate.written(figures.gate, m.unit)}" if gate else "")
        elif gate:
            text += f", gate {gate}"
        words = self.verdict.replace("_", " ")
        return f"{text}: {words}; {self.reason}" if self.reason else f"{text}: {words}"


def is_waived(finding: FindingRecord) -> bool:
    """Whether somebody answers for it that the gate of a finding, as it is recorded, does not hold, and still may."""
    return bool(finding["waiver"] and finding["waiver"]["valid"])


def blocks(finding: FindingRecord) -> bool:
    """Whether a finding, as it is recorded, forbids the release: the one place where that is decided."""
    verdict = finding["verdict"]
    if verdict == Verdict.ERROR:
        return True  # cannot be waived: there is no measurement to accept
    if finding["gate"] is None:
        return is_alarm(finding) and finding.get("tolerated") is False
    if is_waived(finding):
        return False
    return verdict in (Verdict.FAIL, Verdict.NOT_ASSESSED) or (
        verdict == Verdict.INCONCLUSIVE and not finding.get("tolerated")
    )


def is_alarm(finding: FindingRecord) -> bool:
    """Whether a finding without a gate, as it is recorded, is surely worrying, and nobody answers for it."""
    return bool(finding.get("alarm")) and not finding.get("accepted")


def is_left_open(finding: FindingRecord) -> bool:
    """Whether the audit's budget ended before the gate of a finding, as it is recorded, was settled."""
    return bool(finding.get("unreached") and finding["gate"] is not None and not is_waived(finding))


def complaint(finding: FindingRecord) -> str:
    """Why a finding, as it is recorded, forbids the release."""
    reason = from_json(finding["reason"])
    if finding["verdict"] == Verdict.NOT_ASSESSED:
        return f"{finding['id']}: not assessed, yet the policy gates it; {reason}"
    if finding["verdict"] == Verdict.ERROR:
        return f"{finding['id']}: {reason}"
    return " ".join(filter(None, (f"{finding['id']}: {finding['verdict']};", reason)))


def worse(one: FindingRecord, other: FindingRecord) -> FindingRecord:
    """Of two findings of the same id the one that counts; the first where they are equally bad."""
    return min(one, other, key=lambda finding: (not blocks(finding), WORST_FIRST.index(finding["verdict"])))


def merge(findings: Iterable[FindingRecord]) -> list[FindingRecord]:
    """One finding for each id: the worst."""
    worst: dict[str, FindingRecord] = {}
    for finding in findings:
        worst[finding["id"]] = worse(worst.get(finding["id"], finding), finding)
    return list(worst.values())


def verdict_of(record: Record) -> str:
    """The verdict of a record as its findings bear it out: former versions let some blocking findings pass.

    Their inconclusive findings do not say whether they were let pass; the policy beside them does. No record of an
    audit that did not come to its end passes.
    """
    lenient = section(record["policy"], "audit").get("inconclusive") != "fail"
    if record["verdict"] != "pass":
        return str(record["verdict"])
    if any(blocks({"tolerated": lenient, **finding}) for finding in record["findings"]):
        return "fail"
    is_whole = record["complete"] and not record["not_run"] and not record.get("interrupted")
    return "pass" if is_whole and not record.get("restarted") else "incomplete"


def judge(measurement: Measurement, gate: Gate | None) -> tuple[Verdict, str]:
    """Hold a measurement against a gate.

    Returns
    -------
    verdict : Verdict
        PASS only where the whole interval clears the gate, FAIL only where the whole interval is beyond it.
        NOT_ASSESSED where it is a lower bound, and no finding could have exceeded the gate.
    reason : str
        A clause that completes the finding's sentence; empty where the figures speak for themselves.
    """
    verdict, reason = _judged(measurement, gate)
    return verdict, joined([reason, measurement.caution], "; ")


def _judged(measurement: Measurement, gate: Gate | None) -> tuple[Verdict, str]:
    if gate is None:
        return Verdict.REPORTED, Sentence("no gate is set for it")
    m, verdict = measurement, settled(measurement, gate)
    if verdict is Verdict.PASS:
        return verdict, ""
    if verdict is Verdict.FAIL:
        near, far = (m.low, m.high) if gate.max is not None else (m.high, m.low)
        whole = "" if near == far else Sentence("the whole interval is beyond the gate")
        return verdict, m.unbounded or whole
    if m.high is None and m.low is not None and m.low == m.estimate and gate.max is not None:
        reach = m.reach(gate.bound) if m.reach is not None else Reach(True, "")
        if not reach.is_possible:
            return Verdict.NOT_ASSESSED, reach.clause
        unbounded = Sentence("this attack shows no more; the leak itself is not bounded")
        return Verdict.NOT_EXCEEDED, joined([unbounded, reach.clause], "; ")
    return Verdict.INCONCLUSIVE, _what_would_settle(m, gate)


def settled(result: Result, gate: Gate) -> Verdict | None:
    """PASS where the whole interval clears a bound, FAIL where the whole interval is beyond it, else None."""
    # Mirrored for `min`, so that only one direction is thought about: small is good.
    flip = -1.0 if gate.min is not None else 1.0
    near, far = (result.low, result.high) if gate.max is not None else (result.high, result.low)
    if far is not None and flip * far <= flip * gate.bound:
        return Verdict.PASS
    if near is not None and flip * near > flip * gate.bound:
        return Verdict.FAIL
    return None


def _what_would_settle(m: Measurement, gate: Gate) -> str:
    if m.undecided:
        return m.undecided
    if m.estimate is None or m.low is None or m.high is None:
        return Sentence("the evidence bounds it on one side only")
    if m.too_small:
        return Sentence("too few examples to judge: {groups}", groups=m.too_small)
    if m.low == 0 and m.estimate == 0 and m.high == 1:
        return Sentence("there is no evidence to speak of")
    if m.interval == "error bound":
        advice = Sentence("the instrument may be that far off, which no number of {sample} changes", sample=m.sample)
        return _with(m.ceiling, advice)
    near = m.high if gate.bound > m.estimate else m.low
    settling = m.settle(gate.bound) if m.settle is not None else _by_width(m, m.estimate, near, gate.bound)
    if settling is None:
        return Sentence("the estimate sits on the gate: no number of {sample} would settle it", sample=m.sample)
    if isinstance(settling, str):
        return settling
    total = max(settling.total, m.n + 1)
    chance = chance_to_settle(m.estimate, near, gate.bound, m.n, total, m.confidence)
    more: dict[str, Value] = {"number": two_digits(total - m.n), "sample": m.sample, "chance": chance}
    if settling.groups:
        each = listed(
            [Sentence("{group} {size:,}", group=name, size=two_digits(size)) for name, size in settling.groups]
        )
        advice = Sentence(
            "about {number:,} more {sample} would settle it with a chance of {chance:%}, if the groups keep their "
            "shares (in all then: {each})",
            each=each,
            **more,
        )
    else:
        advice = Sentence("about {number:,} more {sample} would settle it with a chance of {chance:%}", **more)
    return _with(m.ceiling, advice)


def _with(ceiling: str, advice: str) -> str:
    return Sentence("{advice}; {ceiling}", advice=advice, ceiling=ceiling) if ceiling else advice


def _by_width(m: Measurement, estimate: float, near: float, gate: float) -> Settling | None:
    size = sample_to_settle(estimate, near, gate, m.n, m.confidence)
    return None if size is None else Settling(size)
