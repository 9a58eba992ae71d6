"""From the findings of a cleaned record to the views, cards and notices of the page. It reaches no verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, islice
from typing import Literal, NamedTuple, TypedDict

from markupsafe import Markup

from audit.core import numbers
from audit.core.evidence import Fact, Facts, Pareto, ParetoModel, from_json
from audit.core.figures import Figures as Spent
from audit.core.identifiers import base_id, bracket_of
from audit.core.numbers import SHARE, Figures, is_number, is_unit, scale_of
from audit.core.probe import Probe
from audit.core.records import (
    ComparedRecord,
    FindingRecord,
    GateChangeRecord,
    GateRecord,
    IntervalRecord,
    ReadingRecord,
    Record,
    SettingChangeRecord,
    SpellingsRecord,
    SplitRecord,
    StoppedRecord,
    interval,
    section,
)
from audit.core.sentences import Sentence, of_file
from audit.core.sentences import from_json as sentence
from audit.core.verdict import Gate, is_alarm, is_left_open, is_waived
from audit.probes.catalogue import challenge_of
from audit.probes.power import Planted, planted_for
from audit.record.declarations import of_record
from audit.record.since import gate_of
from audit.report.i18n import language
from audit.report.i18n.language import counted, words
from audit.report.i18n.words import Mark
from audit.report.page import evidence, figures, text
from audit.report.page.evidence import Limits, View

# What a figure depends on besides its sample, and what that is called.
_BASIS: Mapping[Literal["source", "machine", "stated", "too_small", "look"], Sentence] = {
    "source": Sentence("source"), "machine": Sentence("machine"), "stated": Sentence("by the policy"),
    "too_small": Sentence("too small"), "look": Sentence("look"),
}  # fmt: skip
_OPEN_QUESTIONS = ("fail", "error", "inconclusive", "not_assessed", "not_run")
# A design effect from which an interval is visibly wider than that of independent rows; each finding's body tells it.
WIDER = 1.1
_OF_NO_WEIGHT = ("not_exceeded", "pass", "reported", "fail", "inconclusive", "not_assessed")


def named(full_id: str, declared: Probe | None, title: str = "") -> str:
    """Title and, where there is one, the group or kind that the id is about."""
    about = bracket(full_id, declared)
    if about and declared and declared.title_of:
        return text.short(language.say(declared.title_of), 120).replace("{bracket}", about)
    title = title or text.short(language.say(declared.title) if declared else base_id(full_id), 120)
    return words.NAMED.format(title=title, bracket=about) if about else title


def bracket(full_id: str, declared: Probe | None) -> str:
    """The group, kind or axis that an id is about, as people say it; empty where there is none."""
    name = bracket_of(full_id)
    if declared and name in declared.brackets and not isinstance(declared.brackets, str):
        name = language.say(declared.named(name))  # our own name, not a column of the user's
    return text.short(name, text.HEADER)


def figures_of(figure: IntervalRecord | None, unit: str, bound: float | None = None) -> Figures:
    """Estimate and interval of a finding, which are in a unit, as they are written."""
    values = (None, None, None) if figure is None else (figure["estimate"], figure["low"], figure["high"])
    return text.figures(values, bound, unit)


def heading(finding: FindingRecord, declared: Probe | None, title: str = "") -> str:
    """The one title of a finding: what its number counts, the figure with its interval, and which way is better.

    Wherever a finding has a title, this is it: page, summary, terminal, JUnit file and model card.
    """
    name = named(finding["id"], declared, title)
    gate, unit = Gate.of(finding["gate"]) if finding["gate"] else None, unit_of(finding, declared)
    bound, is_measured = gate.bound if gate else None, finding["estimate"] is not None
    if gate is None and not is_measured:
        return name
    figure = text.sourced(figures_of(finding, unit, bound).interval, finding) if is_measured else words.NOT_MEASURED
    if gate is None:
        return words.UNGATED_HEADING[declared.better if declared else "either"].format(name=name, figure=figure)
    limit = text.exact(bound, unit) if scale_of(unit) == SHARE else language.numeral(numbers.exact(bound, unit))
    return words.HEADING["max" if gate.min is None else "min"].format(name=name, figure=figure, limit=limit)


def in_words(finding: FindingRecord, declared: Probe | None) -> str:
    """What was measured, as people say it: the probe's own sentence, else the figure and what it counts."""
    if said := summary(finding):
        return text.sentence(said)
    unit = unit_of(finding, declared)
    figure, counted_ = text.sourced(figures_of(finding, unit).interval, finding), counts(unit, declared)
    return text.sentence(_counting(figure, counted_))


def _counting(figure: str, counted_: str) -> str:
    """A figure with what it counts, where that is to be told."""
    return words.COUNTING.format(figure=figure, counted=text.told(counted_)) if counted_ else figure


def summary(finding: FindingRecord) -> str:
    """The evidence in one sentence, where the probe wrote one, and how electricity in it was come by."""
    said = text.said(finding.get("summary", ""))
    source = words.SOURCE_SAID.get(finding.get("source", ""), "")
    return language.together((text.sentence(said), source)) if said and source else said


def counts(unit: str, declared: Probe | None) -> str:
    """What a number counts: right answers; a unit that is a phrase says so itself."""
    if unit == "" or scale_of(unit) == unit:
        return declared.counts if declared else ""
    return unit if scale_of(unit) or not is_unit(unit) else ""


def is_early(stopped: StoppedRecord) -> bool:
    """Whether a probe stopped before its examples ended; a number too large to show was left out."""
    return (stopped["examples"] or 0) < (stopped["of"] or 0)


def cost(record: Record) -> str:
    """What the audit took, how that was come by, and what it saved by stopping early."""
    stopped = [each["stopped"] for each in record["findings"] if "stopped" in each and is_early(each["stopped"])]
    fill = {
        "time": _time(record["duration_s"] or 0),
        "passes": text.figure(record["scoring"].get("forward_passes") or 0),
    }
    taken = electricity(record)
    sentences = [words.COST_UNKNOWN.format(**fill)]
    if taken is not None:
        fill |= {
            "kwh": text.figure(taken.kwh),
            "grams": text.figure(taken.grams),
            "source": words.SOURCES[taken.source],
        }
        sentences = [words.COST.format(**fill), memory(taken)]
    if stopped:
        examples, total = (text.figure(sum(each[name] for each in stopped)) for name in ("examples", "of"))
        sentences.append(counted(words.SAVED, len(stopped), examples=examples, of=total))
    return language.together(sentences)


def _time(seconds: float) -> str:
    if seconds < 120:
        return words.SECONDS.format(number=text.figure(round(seconds)))
    return words.MINUTES.format(number=text.figure(round(seconds / 60)))


class Electricity(NamedTuple):
    """What all phases of an audit took."""

    kwh: float
    grams: float
    memory_kwh: float
    seconds: float
    source: Literal["measured", "estimated"]


def electricity(record: Record) -> Electricity | None:
    """What the audit took; None where the record does not say it of each phase."""
    phases = record["energy"]["phases"]
    names: tuple[Literal["kwh", "co2eq_kg", "seconds"], ...] = ("kwh", "co2eq_kg", "seconds")
    if not phases or not all(is_number(phase.get(name)) for phase in phases for name in names):
        return None
    kwh, kg, seconds = (sum(phase[name] for phase in phases) for name in names)
    memory_kwh = sum(phase.get("ram_kwh") or 0.0 for phase in phases)
    return Electricity(kwh, 1000 * kg, memory_kwh, seconds, source_of(phases))


def source_of(phases: Iterable[Spent]) -> Literal["measured", "estimated"]:
    """The source of a sum: that of its least reliable part."""
    return "measured" if {phase["source"] for phase in phases} == {"measured"} else "estimated"


def memory(taken: Electricity) -> str:
    """Which part of the electricity is a constant for the memory; empty where there is none."""
    if not (taken.memory_kwh > 0 and taken.kwh > 0 and taken.seconds > 0):
        return ""
    watts = 3.6e6 * taken.memory_kwh / taken.seconds
    share = text.percent(round(taken.memory_kwh / taken.kwh, 2))
    return words.MEMORY.format(share=share, watts=language.numeral(numbers.rough(watts)))


def unit_of(finding: FindingRecord, declared: Probe | None) -> str:
    """The unit of a finding, or of its gate where nothing was measured."""
    return declared.unit if declared is not None and finding["estimate"] is None else finding["unit"]


def units(record: Record) -> Mapping[str, str]:
    """The unit of each id, without brackets, that a record has figures or gates of."""
    declared = {name: each.unit for name, each in of_record(record).items()}
    return declared | {base_id(each["id"]): each["unit"] for each in record["findings"] if each["estimate"] is not None}


def explained(declared: Probe) -> Probe:
    """A declaration in the language of the page; what its catalogue does not have is marked as English."""
    meaning, harm, remedy = map(text.told, (declared.meaning, declared.harm, declared.remedy))
    return replace(declared, meaning=meaning, harm=harm, remedy=remedy)


class _Gate(TypedDict):
    bound: float | None
    at_least: bool


@dataclass(frozen=True)
class FindingView:
    """A finding, or a gate whose test did not run, in the words of the page."""

    id: str
    anchor: str
    challenge: str
    title: str
    verdict: str
    finding: FindingRecord
    origin: str
    limits: Limits
    declared: Probe | None = None
    former: ComparedRecord | None = None
    trend: Sequence[float] = ()

    @property
    def name(self) -> str:
        """Title and, where there is one, the group or kind that it is about."""
        return named(self.id, self.declared, self.title)

    @cached_property
    def heading(self) -> str:
        """What its number counts, the figure, and which way is better."""
        return heading(self.finding, self.declared, self.title)

    @property
    def bracket_id(self) -> str:
        """The group, column or kind that it is about, as the id has it; empty where there is none."""
        return bracket_of(self.id)

    @property
    def bound(self) -> float | None:
        """The gate; None where there is none."""
        return self._gate["bound"]

    @property
    def mark(self) -> Mark:
        """Word, sign and family of the verdict; what nobody gated and nobody could measure weighs nothing."""
        if self.verdict == "reported" and self.outcome:
            return words.OUTCOMES[self.outcome]
        if self.finding.get("alarm"):
            return words.ALARM if is_alarm(self.finding) else words.ACCEPTED
        ungated = self.verdict == "not_assessed" and not self.gated
        return words.UNGATED if ungated else words.VERDICTS[self.verdict]

    @property
    def key(self) -> str:
        """The verdict by which the page can be filtered: an alarm is one, whether somebody answers for it or not."""
        return "alarm" if self.finding.get("alarm") else self.verdict

    @property
    def bracket(self) -> str:
        """The group, kind or axis that it is about; empty where the measure has but one finding."""
        return bracket(self.id, self.declared)

    @property
    def weighs(self) -> bool:
        """Whether it decides anything: it is gated, or its test broke."""
        return self.gated or self.verdict == "error"

    @property
    def is_problem(self) -> bool:
        """Whether it stands in the way, though somebody may answer for it."""
        return self.verdict in _OPEN_QUESTIONS and self.weighs

    @property
    def place(self) -> tuple[int, int, int, float]:
        """Where it stands, in every list of the page: there is one order of problems.

        What stands in the way comes first, by verdict; then what was waived, alarms, and alarms that somebody answers
        for. Among these the severest harm comes first. What holds follows by how near to its gate it comes, then what
        has no gate, and last what has neither gate nor figure.
        """
        if self.is_problem:
            kind = len(_OPEN_QUESTIONS) if is_waived(self.finding) else _OPEN_QUESTIONS.index(self.verdict)
        elif self.finding.get("alarm"):
            kind = len(_OPEN_QUESTIONS) + (2 if self.answer else 1)
        else:
            kind = len(_OPEN_QUESTIONS) + 3 + _OF_NO_WEIGHT.index(self.verdict)
        matters = self.is_problem or "alarm" in self.finding
        near = self.nearness if self.gated else self.badness
        return kind, self.severity_rank if matters else 0, list(words.SECTIONS).index(self.challenge), -near

    @property
    def is_bad(self) -> bool:
        """Whether the harm that its declaration tells of is at hand: nothing of it is claimed of what holds."""
        return self.verdict == "fail" or is_alarm(self.finding) or bool(self.answer)

    @property
    def outcome(self) -> str:
        """What became of a claim of the document; empty for all else."""
        return self.finding.get("outcome", "")

    @property
    def badness(self) -> float:
        """How bad the estimate is among others of the same measure; larger is worse."""
        sign = -1.0 if self.known and self.known.better == "higher" else 1.0
        estimate = self.finding["estimate"]
        return -math.inf if estimate is None else sign * float(estimate)

    @property
    def gated(self) -> bool:
        """Whether the policy sets a gate for it."""
        return self.verdict == "not_run" or self.finding["gate"] is not None

    @property
    def _gate(self) -> _Gate:
        recorded = self.finding["gate"]
        if not recorded:
            return {"bound": None, "at_least": False}
        gate = Gate.of(recorded)
        return {"bound": gate.bound, "at_least": gate.min is not None}

    @property
    def unit(self) -> str:
        """The unit of its figures and of its gate."""
        return unit_of(self.finding, self.declared)

    @cached_property
    def _figures(self) -> Figures:
        return figures_of(self.finding, self.unit, self._gate["bound"])

    @property
    def result(self) -> str:
        """What was measured, as a clause: estimate, unit, interval, and how much it rests on."""
        return self._result(self.basis)

    def _result(self, basis: str) -> str:
        finding = self.finding
        if finding["estimate"] is None:
            return ""
        estimate, low, high, _, _ = self._figures
        estimate = text.sourced(estimate, finding)
        counted_ = counts(self.unit, self.declared)
        confidence = text.percent(finding["confidence"])
        if finding["low"] == finding["estimate"] == finding["high"]:
            count = words.DETECTIONS if finding.get("interval") == "detections" else words.FULL_COUNT
            full = count.format(basis=basis) if basis and finding["n"] > 1 else words.ONE_FIGURE
            return words.LABELLED.format(word=_counting(estimate, counted_), said=full)
        if finding["high"] is None:
            estimate = words.AT_LEAST.format(figure=estimate)
            said = words.LOWER_ONLY.format(confidence=confidence)
        elif finding["low"] is None:
            estimate = words.AT_MOST.format(figure=estimate)
            said = words.UPPER_ONLY.format(confidence=confidence)
        else:
            form = words.BOUNDED if finding.get("interval") == "error bound" else words.BETWEEN
            said = form.format(confidence=confidence, low=low, high=high)
        sentence = words.RESULT_SAID.format(result=_counting(estimate, counted_), said=said)
        return words.SEMICOLON.join(filter(None, (sentence, basis)))

    @property
    def in_words(self) -> str:
        """What was measured, as people say it."""
        return in_words(self.finding, self.declared)

    @property
    def beside_words(self) -> str:
        """The figure, where its words do not hold it with its interval already."""
        return self.short_result if self.measured and self.summary else ""

    @property
    def basis(self) -> str:
        """How much the figure rests on: 1,821 test examples, and in how many clusters they come."""
        return self._basis()

    def _basis(self, least: float = 0.0) -> str:
        """The same; clusters are left out where their design effect is below `least`."""
        sample = self.finding["sample"]
        if not sample:
            return ""
        n = self.finding["n"] or 0  # a number too large to show was left out
        if sample in words.SAMPLES:
            basis = counted(words.SAMPLES[sample], n, n=text.figure(n))
        else:
            basis = f"{text.figure(n)} {text.told(sample.removesuffix('s') if n == 1 else sample)}"
        told = self.finding.get("design_effect", least) >= least
        return self._stopped(self._clustered(basis, n) if told else basis)

    def _stopped(self, basis: str) -> str:
        """The same with why there was no more, where there could have been."""
        stopped = self.finding.get("stopped")
        if not stopped or not is_early(stopped):
            return basis
        examples, total = (text.figure(stopped[name]) for name in ("examples", "of"))
        return words.STOPPED.format(basis=basis, examples=examples, of=total, reason=text.said(stopped["reason"]))

    def _clustered(self, basis: str, n: int) -> str:
        """The same with how many clusters that is, where rows belong together."""
        clusters, effect = self.finding.get("clusters"), self.finding.get("design_effect")
        if not clusters:
            return basis
        told = {"basis": basis, "clusters": text.figure(clusters)}
        if not effect:
            return words.IN_CLUSTERS.format(**told)
        told["effect"] = language.numeral(f"{effect:.2f}")
        if effect < WIDER:
            return words.IN_CLUSTERS_ALIKE.format(**told)
        return words.IN_CLUSTERS_WORTH.format(**told, worth=language.numeral(numbers.rough(n / effect)))

    @property
    def short_result(self) -> str:
        """Estimate and interval for a table."""
        return text.sourced(self._figures.interval, self.finding)

    @property
    def estimate(self) -> str:
        """The estimate alone, for a list of many."""
        return self._figures.estimate

    @property
    def says(self) -> str:
        """What was seen, in one sentence, where it is worrying: it stands in the finding's line."""
        return self.summary if self.is_bad else ""

    @property
    def gate(self) -> str:
        """The gate in words; empty where there is none or the record does not hold it."""
        if not self.finding["gate"]:
            return ""
        return words.GATE["min" if self._gate["at_least"] else "max"].format(figure=self._figures.gate)

    @cached_property
    def planted(self) -> Sequence[Planted]:
        """What was planted for its probe to catch, what it caught least first."""
        return planted_for(self.id)

    @property
    def is_weak(self) -> bool:
        """Whether it holds by a probe that catches too little of what was planted."""
        return self.verdict in ("pass", "not_exceeded") and any(each.stated.is_short for each in self.planted)

    @property
    def alibi(self) -> str:
        """Why the gate is where it is, and who answers for it; empty where the policy says neither."""
        # Those of the embedded policy are translated; any other is in its owner's language.
        reason = language.say(text.cell((self.finding["gate"] or {}).get("reason") or "").rstrip("."))
        told = [words.GATE_REASON.format(reason=reason)] if reason else []
        return language.together([*told, words.GATE_OWNER.format(owner=self.owner)] if self.owner else told)

    @property
    def owner(self) -> str:
        """Who answers for the gate; empty where the policy does not say."""
        return text.cell((self.finding["gate"] or {}).get("owner") or "")

    @property
    def reason(self) -> str:
        """Why the verdict is what it is, as the record says it."""
        return text.said(self.finding["reason"]).strip().rstrip(".。")

    @property
    def waiver(self) -> str:
        """Who answers for it that the gate does not hold, until when and why; empty where nobody does."""
        waiver = self.finding["waiver"]
        if not waiver:
            return ""
        form = words.WAIVED if waiver["valid"] else words.WAIVED_NO_MORE
        owner, reason = text.cell(waiver["owner"]), text.cell(waiver["reason"])
        return form.format(owner=owner, reason=reason, expires=text.day(waiver["expires"]))

    @property
    def answer(self) -> str:
        """Who answers for an alarm, and why; empty where nobody does."""
        accepted = self.finding.get("accepted")
        if not accepted:
            return ""
        return words.ANSWERED_FOR.format(owner=text.cell(accepted["owner"]), reason=text.cell(accepted["reason"]))

    @property
    def since(self) -> str:
        """What became of the figure since the former audit; empty where there is none to compare with."""
        if self.former is None:
            return ""
        sentence = words.SINCE[self.former["change"]].format(then=figures_of(self.former["before"], self.unit).interval)
        return language.together((sentence, words.SINCE_PAIRED if self.former.get("paired") else ""))

    @cached_property
    def trend_line(self) -> tuple[Markup, str] | None:
        """A line through the figure in the former audits and in this one, and what it says; None without them."""
        estimate = self.finding["estimate"]
        if not self.trend or not self.gated or estimate is None:
            return None
        values = [*self.trend, estimate]
        first, last, smallest, largest = text.row((values[0], estimate, min(values), max(values)), self.unit)
        said = words.TREND.format(count=len(values), first=first, last=last, smallest=smallest, largest=largest)
        return figures.curve(values, text.unvoiced(said)), said

    @property
    def problem(self) -> str:
        """What stands in the way, in one sentence."""
        if not self.measured:
            reason = text.sentence(words.NOT_RUN if self.verdict == "not_run" else self.reason)
            form = words.GATE_ALLOWS if self.open else words.NOTHING_KNOWN
            return language.together((reason, form.format(gate=self.gate) if self.gate else ""))
        way = "min" if self._gate["at_least"] else "max"
        sentence = self._result(self._basis(WIDER))
        if self.gate:
            sentence = words.FAILS[way].format(result=sentence, figure=self._figures.gate)
        return language.together((text.sentence(sentence), text.sentence(self.reason)))

    @property
    def action(self) -> str:
        """What to do about it."""
        if self.verdict == "not_run":
            return words.DO_NOT_RUN
        if self.finding.get("unreached"):
            return words.DO_UNREACHED
        if self.verdict == "error":
            return words.DO_ERROR.format(reason=self.reason or "–")
        if self.verdict == "not_assessed":
            return words.DO_NOT_ASSESSED.format(reason=self.reason or "–")
        if self.verdict == "inconclusive" and not self.is_beyond:
            return words.DO_INCONCLUSIVE.format(reason=text.sentence(self.reason) or "–")
        return self.known.remedy if self.known and self.known.remedy else words.DO_UNKNOWN

    @property
    def is_beyond(self) -> bool:
        """Whether the estimate is beyond the gate, whatever the interval."""
        estimate, bound = self.finding["estimate"], self._gate["bound"]
        if estimate is None or bound is None:
            return False
        return estimate < bound if self._gate["at_least"] else estimate > bound

    @property
    def is_to_improve(self) -> bool:
        """Whether the model has to become better, and not only the evidence."""
        fails = self.verdict == "fail" or (self.verdict == "inconclusive" and self.is_beyond)
        return fails or (self.verdict == "reported" and is_alarm(self.finding))

    @cached_property
    def known(self) -> Probe | None:
        """What the id's declaration says of it."""
        return explained(self.declared) if self.declared else None

    @property
    def severity(self) -> str:
        """How severe the harm is where the finding is bad, in words; empty where nobody says it."""
        return words.SEVERITIES.get(self.declared.severity, "") if self.declared else ""

    @property
    def severity_rank(self) -> int:
        """0 for the most severe."""
        order = [*words.SEVERITIES, ""]
        return order.index(self.declared.severity if self.declared else "")

    @cached_property
    def drawing(self) -> Markup:
        """The figure against its gate."""
        return figures.against_gate(**self._interval, **self._gate, room=figures.Room(*self._range))

    @property
    def _range(self) -> tuple[float | None, float | None]:
        return self.declared.range if self.declared else (None, None)

    @cached_property
    def nearness(self) -> float:
        """How near the gate it comes, or how far beyond it; larger is worse."""
        return figures.nearness(**self._interval, **self._gate, room=figures.Room(*self._range))

    @property
    def _interval(self) -> IntervalRecord:
        return interval(self.finding)

    @property
    def measured(self) -> bool:
        """Whether there is a figure."""
        return self.finding["estimate"] is not None

    @property
    def open(self) -> bool:
        """Whether its evidence is shown unasked."""
        return self.verdict in ("fail", "inconclusive")

    @property
    def summary(self) -> str:
        """The evidence in one sentence, where the probe wrote one."""
        return summary(self.finding)

    @property
    def caveats(self) -> Sequence[str]:
        """What the measurement cannot tell."""
        return [text.said(caveat) for caveat in islice(self.finding.get("caveats", ()), self.limits.figures)]

    @property
    def method(self) -> str:
        """How it was measured."""
        return text.said(self.finding["method"])

    @cached_property
    def _evidence(self) -> Sequence[View]:
        pieces = [piece for each in self.finding["evidence"] if (piece := from_json(each)) is not None]
        basis = [
            Fact(
                name, sentence(value) if isinstance(value, dict) else of_file(str(value)) if key == "source" else value
            )
            for key, name in _BASIS.items()
            if (value := self.finding.get(key))
        ]
        facts = [*basis, *(fact for piece in pieces if isinstance(piece, Facts) for fact in piece.items)]
        return evidence.views(
            [*(piece for piece in pieces[: self.limits.figures] if not isinstance(piece, Facts)), Facts(facts)],
            self.limits,
            confidence=self.finding["confidence"],
            is_open=self.open,
            source=self.finding.get("source", ""),
        )

    @property
    def pictures(self) -> Sequence[View]:
        """The evidence that is shown at once, in its order."""
        return [view for view in self._evidence if view.is_picture]

    @property
    def folded(self) -> Sequence[View]:
        """The evidence that is shown on demand, in its order."""
        return [view for view in self._evidence if not view.is_picture]


def views(record: Record, limits: Limits) -> list[FindingView]:
    """All findings and the gates that did not run, in the order of the page."""
    taken: set[str] = set()
    presented = []
    known = of_record(record)
    baseline = record.get("baseline")
    former = {each["id"]: each for each in baseline.get("compared", ())} if baseline else {}
    chain = baseline.get("chain", ()) if baseline else ()
    for finding in record["findings"]:
        full_id, title = finding["id"], text.short(language.say(finding["title"]), 120)
        presented.append(
            FindingView(
                full_id,
                _anchor(full_id, taken),
                finding["challenge"],
                title,
                finding["verdict"],
                finding,
                _origin(full_id, record),
                limits,
                known.get(base_id(full_id)),
                former.get(full_id),
                [value for link in chain if is_number(value := link.get("figures", {}).get(full_id))],
            )
        )
    for full_id in record["not_run"]:
        declared, challenge = known.get(base_id(full_id)), _challenge(full_id, known)
        title = text.short(language.say(declared.title) if declared else base_id(full_id), 120)
        presented.append(
            FindingView(
                full_id,
                _anchor(full_id, taken),
                challenge,
                title,
                "not_run",
                _not_run(full_id, challenge, title, gate_of(full_id, record["policy"])),
                _origin(full_id, record),
                limits,
                declared,
                former.get(full_id),
            )
        )
    return _ordered(presented)


def _not_run(full_id: str, challenge: str, title: str, gate: GateRecord | None) -> FindingRecord:
    """What stands in the place of a finding where a gate's test did not run."""
    return {
        "id": full_id, "challenge": challenge, "title": title, "verdict": "not_run", "estimate": None, "low": None,
        "high": None, "confidence": 0.95, "n": 0, "sample": "", "unit": "", "gate": gate, "waiver": None, "method": "",
        "reason": "", "evidence": (),
    }  # fmt: skip


def problems(views: Iterable[FindingView]) -> list[FindingView]:
    """What stands in the way, in the order of the page."""
    return [view for view in _ordered(views) if view.is_problem]


def alarms(views: Iterable[FindingView]) -> list[FindingView]:
    """What is worrying and has no gate, in the order of the page: what somebody answers for comes last."""
    return [view for view in _ordered(views) if view.finding.get("alarm")]


def _ordered(views: Iterable[FindingView]) -> list[FindingView]:
    return sorted(views, key=lambda view: view.place)


def alarmed(record: Record) -> str:
    """How many alarms nobody answers for, in a sentence; empty where there are none."""
    number = sum(map(is_alarm, record["findings"]))
    return text.sentence(counted(words.ALARMS, number)) if number else ""


def harmed(problems: Sequence[FindingView], alarms: Sequence[FindingView]) -> str:
    """Who is harmed most by what stands in the way or alarms, as the declaration says; empty where nothing does."""
    bad = [view for view in problems if view.measured] + [view for view in alarms if is_alarm(view.finding)]
    worst = min(bad, key=lambda view: view.severity_rank, default=None)
    if worst is None or worst.known is None or not worst.known.harm:
        return ""
    return words.HARMED.format(name=worst.name, harm=worst.known.harm)


class Better(NamedTuple):
    """What outdoes the audited model, in a sentence, and the finding that holds the figures."""

    id: str
    sentence: str


def better(record: Record) -> list[Better]:
    """What surely outdoes the audited model, the most often right first."""
    return [
        Better(finding["id"], _outdoes(model, audited, finding.get("source", "")))
        for finding in record["findings"]
        for drawn in map(from_json, finding["evidence"])
        if isinstance(drawn, Pareto)
        for audited in [each for each in drawn.models if each.audited][:1]
        for model in sorted(drawn.models, key=lambda each: -(each.accuracy[0] or 0))
        if model.outdoes in words.BETTER and len(model.gain) == 3
    ]


def _outdoes(model: ParetoModel, audited: ParetoModel, source: str) -> str:
    its, own = (language.numeral(numbers.rough(each.wh[0] or 0)) for each in (model, audited))
    return words.BETTER[model.outdoes].format(
        model=text.short(text.said(model.name), text.HEADER),
        gain=text.figures(model.gain, unit=numbers.POINTS).estimate,
        its=its,
        own=own,
        source=words.SOURCES.get(source, words.PAGE["unknown"]),
    )


def notices(record: Record, shortened: bool) -> list[str]:
    """What a reader must know before anything else."""
    sentences = []
    if record.get("interrupted"):
        sentences.append(words.INTERRUPTED)
    elif record.get("restarted"):
        sentences.append(words.RESTARTED.format(date=text.date(record["created"])))
    elif record["not_run"]:
        sentences.append(words.NOT_COMPLETE)
    if unreached := sum(map(is_left_open, record["findings"])):
        budget = text.cell(str(setting(record, "audit", "budget")))
        sentences.append(counted(words.UNREACHED, unreached, budget=budget))
    if setting(record, "audit", "gated_only") is True:
        sentences.append(words.GATED_ONLY)
    sentences += laxer(record)
    if record["model"].get("overridden"):
        sentences.append(words.OVERRIDDEN.format(how=text.cell(record["model"]["overridden"])))
    sentences += of_model(record)
    if setting(record, "data", "test") == "demo" or record["data"]["test"].get("path") == "demo":
        sentences.append(words.DEMO)
    sentences += reading(record["data"])
    waived = [f for f in record["findings"] if is_waived(f)]
    if waived:
        sentences.append(counted(words.SOME_WAIVED, len(waived)))
    if record["verdict"] == "pass" and any(
        f["verdict"] == "inconclusive" and not is_waived(f) for f in record["findings"]
    ):
        sentences.append(words.WARNED)
    if shortened:
        sentences.append(words.SHORTENED)
    if without_texts(record):
        sentences.append(words.NO_TEXTS)
    return sentences


_MOST = 8  # of a kind in one sentence


def reading(data: Mapping[str, SplitRecord]) -> list[str]:
    """How the data were read where that is not as they stand: rows left out or without groups, and cells of groups."""
    test: SplitRecord = data.get("test") or {}
    return [
        *_rows_left_out(data), *_rows_absent(test), *_rows_unnamed(test), *_groups_read(test.get("groups") or {}),
    ]  # fmt: skip


def _rows_left_out(data: Mapping[str, SplitRecord]) -> Iterator[str]:
    for role, form in words.ROWS_LEFT_OUT.items():
        of: SplitRecord = data.get(role) or {}
        skipped = {reason: rows for reason, rows in (of.get("skipped") or {}).items() if is_number(rows)}
        if not skipped:
            continue
        reasons = [
            words.LEFT_OUT_FOR.get(reason, words.LEFT_OUT_OTHERWISE).format(
                count=text.figure(rows), reason=text.told(text.short(reason, text.HEADER))
            )
            for reason, rows in skipped.items()
        ]
        count = sum(skipped.values())
        yield counted(form, int(count), rows=text.figure((of.get("rows") or 0) + count), reasons=_first(reasons))


def _rows_absent(test: SplitRecord) -> Iterator[str]:
    count = test.get("absent")
    if is_number(count):
        yield counted(words.ROWS_ABSENT, int(count), rows=text.figure(test.get("rows") or 0))


def _rows_unnamed(test: SplitRecord) -> Iterator[str]:
    clusters = test.get("clusters")
    if not clusters:
        return
    if count := clusters.get("unnamed"):
        yield counted(words.ROWS_UNNAMED, int(count), rows=text.figure(test.get("rows") or 0))
    if not clusters["shared"]:
        yield words.ROWS_ALONE


def _groups_read(groups: Mapping[str, SpellingsRecord]) -> Iterator[str]:
    for column, of in groups.items():
        column = text.short(column, text.HEADER)
        spelled: dict[str, list[str]] = {}
        for cell, group in of["read_as"].items():
            spelled.setdefault(group, []).append(words.QUOTED.format(text=cell))
        if spelled:
            one = [words.SPELLED.format(group=group, cells=_first(cells)) for group, cells in spelled.items()]
            yield words.SPELLINGS.format(column=column, groups=_first(one, words.SEMICOLON))
        if missing := of["missing"]:
            cells = [words.QUOTED_ROWS.format(text=cell, count=text.cell(count)) for cell, count in missing.items()]
            yield words.NO_GROUPS.format(column=column, cells=_first(cells))


def _first(parts: list[str], between: str = "") -> str:
    return (between or words.COMMA).join([*parts[:_MOST], *(["…"] if len(parts) > _MOST else [])])


def of_model(record: Record) -> list[str]:
    """What a reader must know of how the model read the texts."""
    sentences, model, wanted = [], record["model"], setting(record, "model", "max_length")
    if model.get("runs_code"):
        sentences.append(words.RUNS_CODE.format(source=text.cell(model.get("source"))))
    if model.get("service"):
        sentences.append(words.IS_SERVICE.format(source=text.cell(model.get("source"))))
    if read := model.get("read"):
        sentences += _read_as(read, model.get("labels") or [])
    sentences += _chat(record)
    if "runs_code" in model and not model.get("fingerprint"):
        sentences.append(words.NOT_KEPT)
    if share := model.get("unknown_tokens"):
        sentences.append(words.UNKNOWN_TOKENS.format(share=text.percent(round(share, 2))))
    length = model.get("max_length")
    if isinstance(length, int) and isinstance(wanted, int) and length < wanted:
        sentences.append(words.CUT_SHORT.format(asked=text.figure(wanted), count=text.figure(length)))
    return sentences


def _chat(record: Record) -> Iterator[str]:
    """What a language model that labels took in tokens, and how many of its answers were no label."""
    scoring = record["scoring"]
    if "prompt_tokens" in scoring:
        prompts, answers = (text.figure(scoring[name]) for name in ("prompt_tokens", "completion_tokens"))
        yield words.TOKENS.format(prompts=prompts, answers=answers)
    if number := scoring.get("no_label"):
        label, asked = setting(record, "model", "otherwise"), text.figure(scoring["forward_passes"])
        yield words.NO_LABEL.format(asked=asked, count=text.figure(number), label=text.cell(label))


def _read_as(read: ReadingRecord, labels: Sequence[str]) -> Iterator[str]:
    """How a model's own classes are read: which count as which, which are left out, and which is the answer."""
    goes = {name: classes for name, classes in read["classes"].items() if list(classes) != [name]}
    merged = [f"{text.cell(name)} → {' / '.join(map(text.cell, classes))}" for name, classes in goes.items() if classes]
    if merged:
        yield words.READ_AS.format(classes=words.SEMICOLON.join(merged))
    if left_out := [text.cell(name) for name, classes in goes.items() if not classes]:
        yield words.NOT_AN_ANSWER.format(classes=words.COMMA.join(left_out))
    if read["head"] == "sigmoid" and "threshold" not in read:
        yield words.SIGMOID
    if cutpoints := read.get("cutpoints"):
        yield words.REGRESSION.format(cutpoints=words.COMMA.join(text.figure(each) for each in cutpoints))
    if (threshold := read.get("threshold")) is not None and len(labels) == 2:
        below, above = map(text.cell, labels)
        yield words.THRESHOLD.format(above=above, below=below, threshold=text.percent(threshold))


def translated() -> str:
    """Who translated the page, and what stays English in it; empty where it is English itself."""
    return "" if language.current() == language.ENGLISH else words.TRANSLATED


def laxer(record: Record) -> Iterator[str]:
    """What guards less than in the former audit: no model must pass by a gate that was quietly loosened."""
    former = record.get("baseline")
    if not former:
        return
    for change, form in words.LAXER.items():
        if own := changed_gates(record, former.get("gates", ()), change):
            yield counted(form, len(own), gates=listed(own), date=text.date(former["created"]))
    if settings := changed_settings(former.get("settings", ())):
        yield words.LAXER_SETTINGS.format(settings=settings)


def changed_gates(record: Record, changes: Iterable[GateChangeRecord], change: str) -> list[str]:
    """The gates that changed in this way, each with what it was and is."""
    known, known_units = of_record(record), units(record)
    return [
        words.GATE_SAID.format(
            gate=named(each["id"], known.get(base_id(each["id"]))),
            said=gate_change(each, known_units.get(base_id(each["id"]), "")),
        )
        for each in changes
        if each["change"] == change
    ]


def changed_settings(changes: Iterable[SettingChangeRecord]) -> str:
    """Settings of a policy, each with what it was and is; empty where there are none."""
    return words.SEMICOLON.join(
        words.SETTING_CHANGED.format(
            name=words.SETTINGS[each["name"]], before=_setting(each["before"]), now=_setting(each["now"])
        )
        for each in changes
    )


def _setting(value: object) -> str:
    """A value of the policy; a text is a column's name or one of our own words."""
    if isinstance(value, str):
        return text.short(value, text.HEADER) or words.PAGE["none"]
    return language.numeral(str(value))


def gate_change(change: GateChangeRecord, unit: str) -> str:
    """What a gate was and is: at most 5 points, now at most 10 points."""
    before, now = (_bound(gate, unit) for gate in (change["before"], change["now"]))
    if change["change"] in ("dropped", "added"):
        return before if change["change"] == "dropped" else now
    return words.GATE_CHANGED.format(before=before, now=now)


def _bound(recorded: GateRecord | None, unit: str) -> str:
    """A gate in words."""
    if not recorded:
        return words.PAGE["unknown"]
    gate = Gate.of(recorded)
    return words.GATE["max" if gate.min is None else "min"].format(figure=text.exact(gate.bound, unit))


def listed(names: Sequence[str], shown: int = 12) -> str:
    return words.SEMICOLON.join([*names[:shown], *([evidence.more(names, shown)] if len(names) > shown else [])])


def certainty(record: Record, views: Sequence[FindingView]) -> tuple[list[str], list[str]]:
    """What the confidence means for one gate and for the release, and what of this audit that does not cover."""
    judged = [c for c in views if c.gated and c.verdict in ("pass", "fail", "inconclusive")]
    stated = setting(record, "audit", "confidence")
    usual = stated if is_number(stated) and stated else 0.95
    confidence = judged[0].finding["confidence"] if judged else usual
    side = (1 - confidence) / 2
    expected = sum((1 - view.finding["confidence"]) / 2 for view in judged)
    fill = {"confidence": text.percent(confidence), "side": text.percent(side), "count": len(judged)}
    sentences = [words.PAGE["certainty_gate"].format(**fill)]
    if judged:
        sentences.append(words.PAGE["certainty_release"].format(**fill))
    if len(judged) > 1:
        sentences.append(words.PAGE["certainty_alarms"].format(**fill, expected=language.numeral(f"{expected:.2f}")))
    if any("stopped" in view.finding for view in judged):
        sentences.append(words.PAGE["certainty_looks"])
    if judged and setting(record, "audit", "looks") == "any":
        sentences.append(words.PAGE["certainty_any"])
    return sentences, list(_exceptions(record, [view for view in views if view.gated])) if judged else []


def _exceptions(record: Record, gated: Sequence[FindingView]) -> Iterator[str]:
    """What the promise for the release does not cover, as far as it applies to this audit."""
    by_kind = {
        "bounds": [view for view in gated if view.verdict == "not_exceeded"],
        "warned": [view for view in gated if view.finding.get("tolerated")],
        "waived": [view for view in gated if is_waived(view.finding)],
        "detectors": [view for view in gated if view.finding.get("interval") == "detections"],
        "approximate": [view for view in gated if view.finding.get("interval") == "approximate"],
        "weak": [view for view in gated if view.is_weak],
    }
    for kind, found in by_kind.items():
        if found:
            yield words.EXCEPTIONS[kind].format(names=listed([view.name for view in found]))
    baseline = record.get("baseline")
    if baseline and any(
        link["test"] == record["data"]["test"].get("fingerprint") for link in baseline.get("chain", ())
    ):
        yield words.EXCEPTIONS["again"]


def _anchor(full_id: str, taken: set[str]) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", full_id.lower()).strip("-")[:80]
    names = (f"finding-{slug}-{i}" if i > 1 else f"finding-{slug}" for i in count(1))
    anchor = next(name for name in names if name not in taken)
    taken.add(anchor)
    return anchor


def _challenge(full_id: str, known: Mapping[str, Probe]) -> str:
    prefix = full_id.split(".", 1)[0]
    return challenge_of(full_id, known) or (prefix if prefix in words.SECTIONS else "quality")


def setting(record: Record, part: str, key: str) -> object:
    """A value of the policy; None where it is not there."""
    return section(record["policy"], part).get(key)


def without_texts(record: Record) -> bool:
    """Whether the policy kept texts from the data out of the record."""
    return setting(record, "report", "evidence") == "none"


def _origin(full_id: str, record: Record) -> str:
    """Where a gate is from, which is no claim about who wrote it there."""
    if gate_of(full_id, record["policy"]) is None:
        return words.FROM_AUDIT
    group, _, name = full_id.partition(".")
    key = full_id if name in section(section(record["policy"], "gates"), group) else base_id(full_id)
    origin = record.get("policy_origin")
    if not record["provenance"].get("policy_file") or (origin and key in origin["as_embedded"]):
        return words.FROM_EMBEDDED
    return words.FROM_POLICY
