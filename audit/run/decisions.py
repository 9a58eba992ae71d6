"""What a measurement comes to: held against the policy's gate, its waiver and the former audit. It knows no pytest.

Here stands whether a finding fails its test, and in which words; the plugin only does so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from audit.core import numbers
from audit.core.identifiers import base_id
from audit.core.measurement import Measurement
from audit.core.probe import Probe
from audit.core.records import AcceptanceRecord, FindingRecord, Record, WaiverRecord
from audit.core.sentences import Sentence, joined
from audit.core.verdict import Finding, Verdict, blocks, is_waived, judge, settled
from audit.policy.policy import Policy
from audit.record.record import as_dict, check

# An ERROR cannot be waived: there is no measurement to accept.
_WAIVABLE = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSED)


@dataclass(frozen=True)
class Decision:
    """A finding, and what it means for the test that measured it: pass, warn, be waived, or fail."""

    finding: Finding

    @cached_property
    def recorded(self) -> FindingRecord:
        """The finding as the record holds it."""
        return as_dict(self.finding)

    @property
    def is_waived(self) -> bool:
        """Whether somebody answers for it that the gate does not hold."""
        return is_waived(self.recorded)

    @property
    def blocks(self) -> bool:
        """Whether it forbids the release."""
        return blocks(self.recorded)

    @property
    def warns(self) -> bool:
        """Whether the evidence does not settle the gate, and the policy lets that pass."""
        return self.finding.verdict is Verdict.INCONCLUSIVE and not (self.is_waived or self.blocks)

    @property
    def message(self) -> str:
        """The finding as a sentence, with who waived it."""
        waiver = self.finding.waiver
        if waiver is None or not self.is_waived:
            return str(self.finding)
        return f"{self.finding}; waived by {waiver['owner']} through {waiver['expires']}: {waiver['reason']}"


@dataclass(frozen=True)
class Decisions:
    """Decides on findings by one policy.

    Parameters
    ----------
    policy : Policy
    known : mapping of str to Probe
        All ids that this audit can measure, see :func:`audit.probes.catalogue.ids`.
    former : Record or None
        The record of the former audit.
    today : str
        The ISO date, UTC; a waiver is valid through its own.
    """

    policy: Policy
    known: Mapping[str, Probe]
    former: Record | None
    today: str

    def judge(self, measurement: Measurement, challenge: str | None = None) -> Decision:
        """Hold a measurement against the policy's gate.

        Parameters
        ----------
        measurement : Measurement
        challenge : str or None
            Which of the audit's challenges the test belongs to; None for the id's own.

        Raises
        ------
        ValueError
            If the measurement is of a form that no record can hold.
        """
        full_id, stopped = measurement.id, measurement.stopped
        gate = self.policy.gate(full_id)
        if is_unreached := stopped is not None and stopped.unreached:
            measurement = replace(measurement, ceiling="")  # there are more examples
        verdict, reason = judge(measurement, gate)
        if stopped is not None and is_unreached:
            ended = Sentence(
                "the budget ended after {examples:,} of {of:,} examples", examples=stopped.examples, of=stopped.of
            )
            reason = joined([ended, reason], "; ")
        look, planned = self._look(full_id), self.policy.audit.looks
        if gate is not None and planned != "any" and max(look, planned) > 1:
            measurement = replace(measurement, look=look)
            nth = _nth(look, planned)
            reason = Sentence("{reason}; this is {look}", reason=reason, look=nth) if reason else nth
        tolerated = verdict is Verdict.INCONCLUSIVE and self.policy.audit.inconclusive == "warn"
        if tolerated and self._passed_before(full_id):
            tolerated = False
            turned = Sentence("it passed in the former audit, and no gate that passed may turn")
            reason = joined([reason, turned], "; ")
        alarm = self._alarm(measurement, verdict)
        if alarm is not None:
            worse = Sentence("all of its interval is worse than {bound}, from where on it is worrying", bound=alarm)
            reason = joined([reason, worse], "; ")
        finding = self._finding(full_id, challenge, verdict, reason, measurement)
        is_unreached &= verdict in (Verdict.INCONCLUSIVE, Verdict.REPORTED)
        finding = replace(finding, tolerated=tolerated, unreached=is_unreached)
        if alarm is not None:
            lenient = self.policy.audit.unguarded == "warn"
            finding = replace(finding, alarm=True, tolerated=lenient, accepted=self._acceptance(full_id))
        decision = Decision(finding)
        check(decision.recorded)
        return decision

    def not_assessed(
        self,
        full_id: str,
        reason: str,
        challenge: str | None = None,
        *,
        arises: bool = True,
        unreached: bool = False,
    ) -> Decision:
        """An id that could not be measured, and why.

        Parameters
        ----------
        full_id, reason, challenge
            As for :meth:`judge`.
        arises : bool
            Whether the policy has this bracket of it at all.
        unreached : bool
            Whether the audit's budget ended before.
        """
        finding = replace(self._finding(full_id, challenge, Verdict.NOT_ASSESSED, reason), unreached=unreached)
        # A gate on the general id stands for all brackets that arise; one that the audit sets by itself for none.
        if not self.policy.gates_base(full_id) and not (arises and self.policy.gates_base(base_id(full_id))):
            finding = replace(finding, gate=None, waiver=None)
        return Decision(finding)

    def error(self, full_id: str, reason: str, challenge: str | None = None) -> Decision:
        """An id whose probe broke, and why."""
        return Decision(self._finding(full_id, challenge, Verdict.ERROR, reason))

    def _finding(
        self,
        full_id: str,
        challenge: str | None,
        verdict: Verdict,
        reason: str,
        measurement: Measurement | None = None,
    ) -> Finding:
        known = self.known.get(base_id(full_id))
        if challenge is None:
            challenge = known.challenge if known else "quality"
        title = known.title if known else base_id(full_id)
        gate = self.policy.gate(full_id)
        waiver = self._waiver(full_id) if verdict in _WAIVABLE and gate is not None else None
        return Finding(full_id, challenge, title, verdict, reason, measurement, gate, waiver)

    def _alarm(self, measurement: Measurement, verdict: Verdict) -> str | None:
        """The level beyond which a finding without a gate is worrying, where it surely is; None where it is not."""
        known = self.known.get(base_id(measurement.id))
        if verdict is not Verdict.REPORTED or known is None or self.policy.audit.unguarded == "ignore":
            return None
        reference = self.policy.reference(known)
        if reference is None or settled(measurement, reference) is not Verdict.FAIL:
            return None
        return numbers.quantity(numbers.exact(reference.bound, measurement.unit), measurement.unit)

    def _acceptance(self, full_id: str) -> AcceptanceRecord | None:
        """The policy's answer to an alarm, as the record holds it."""
        accepted = self.policy.acceptance(full_id)
        return None if accepted is None else {"reason": accepted.reason, "owner": accepted.owner}

    def _waiver(self, full_id: str) -> WaiverRecord | None:
        """The policy's waiver of a finding, as the record holds it; valid through its date, UTC."""
        waiver = self.policy.waiver(full_id)
        if waiver is None:
            return None
        expires = waiver.expires.isoformat()
        return {"reason": waiver.reason, "owner": waiver.owner, "expires": expires, "valid": self.today <= expires}

    def _passed_before(self, full_id: str) -> bool:
        """Whether the former audit found that this gate holds."""
        findings = self.former["findings"] if self.former else ()
        return any(finding["id"] == full_id and finding["verdict"] == "pass" for finding in findings)

    def _look(self, full_id: str) -> int:
        """Which look at growing data this is: one more where the former audit left the gate inconclusive."""
        for finding in self.former["findings"] if self.former else ():
            if finding["id"] == full_id and finding["verdict"] == "inconclusive":
                return int(finding.get("look", 1)) + 1
        return 1


def _nth(look: int, planned: int) -> str:
    """Which look at growing data it is; to look until a gate settles is optional stopping, unless it was planned."""
    if look > planned:
        return Sentence(
            "look {look}, more than the {planned} planned: chance errs more often now than the confidence says",
            look=look,
            planned=planned,
        )
    return Sentence("look {look} of {planned} planned", look=look, planned=planned)
