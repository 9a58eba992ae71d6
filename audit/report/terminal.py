"""The verdicts as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from audit.core import numbers
from audit.core.identifiers import base_id
from audit.core.numbers import scale_of
from audit.core.records import EnergyRecord, FindingRecord, Record, SplitRecord
from audit.core.sentences import from_json
from audit.core.verdict import Gate, is_alarm
from audit.policy.policy import ALWAYS_GATED
from audit.record.declarations import of_record
from audit.report.page import findings
from audit.report.page.findings import alarmed, in_words, is_early, of_model, reading, unit_of

STYLES: Mapping[str, dict[str, bool]] = {
    "pass": {"green": True},
    "not_exceeded": {"green": True},
    "fail": {"red": True},
    "error": {"red": True},
    "inconclusive": {"yellow": True},
    "not_assessed": {"yellow": True},
    "reported": {},
}
# A design effect from which an interval is visibly wider than that of independent rows; the page tells each.
_TOLD = 1.1
_ALARMS = 5  # said at the end; the others have their lines above
# Percentages are for people; who sets a gate by these lines has to know what stands in the file.
_IN_A_POLICY = "In audit.toml a gate on a share is a number from 0 to 1: 80 % is 0.8, 20 points are 0.2."


def how_read(data: Mapping[str, SplitRecord]) -> Iterator[str]:
    """How the splits of the data were read where that is not as they stand; `data` as in a record."""
    for role, split in data.items():
        if by_convention := split.get("labels"):
            read = ", ".join(f"{label} as {meant}" for label, meant in by_convention.items())
            yield f"[data] {role}: labels read by convention: {read}"
    yield from reading(data)


def of_grid(energy: EnergyRecord) -> Iterator[str]:
    """What stands in for the carbon of the policy's country where nobody knows it; `energy` as in a record."""
    own = next(iter(energy.get("grids", ())), None)
    if own is not None and own["name"] is None:
        yield (
            f"[audit] country = '{own['country']}': there is no figure for its grid; CO2eq is counted by the world's "
            f"average, {own['g_per_kwh']:.0f} g/kWh"
        )


def _figure(finding: FindingRecord, unit: str) -> tuple[str, str]:
    """What was measured and the gate, neither of them more than there is."""
    gate = Gate.of(finding["gate"]) if finding["gate"] else None
    values = (finding["estimate"], finding["low"], finding["high"])
    figures = numbers.figures(values, gate.bound if gate else None, unit)
    measured = "" if finding["estimate"] is None else figures.interval
    if measured and (source := finding.get("source")):
        measured += f" ({source})"
    return measured, f"gate {gate.sign} {figures.gate}" if gate else ""


def alarms(record: Record) -> Iterator[str]:
    """How many findings are worrying without a gate, what the first of them say, and what to do about it."""
    if not (sentence := alarmed(record)):
        return
    yield sentence
    found, known = list(filter(is_alarm, record["findings"])), of_record(record)
    for finding in found[:_ALARMS]:
        yield f"  {in_words(finding, known.get(base_id(finding['id'])))}"
    more = f"… and {rest} more. " if (rest := len(found) - _ALARMS) > 0 else ""
    yield f"  {more}Set gates, or answer for them by name under [[accepted]]."


def better(record: Record) -> Iterator[str]:
    """What was measured beside the model and surely outdoes it."""
    yield from (each.sentence.replace("\N{NO-BREAK SPACE}", " ") for each in findings.better(record))


def _never_begun(finding: FindingRecord) -> bool:
    """Whether the budget ended before anything was asked for a finding that has no gate."""
    return bool(finding.get("unreached")) and finding["verdict"] == "not_assessed" and finding["gate"] is None


def lines(record: Record) -> Iterator[tuple[str, dict[str, bool]]]:
    """How the data were read; one line for each finding, with its style, and one for each gate that did not run."""
    for sentence in (*how_read(record["data"]), *of_model(record), *of_grid(record["energy"])):
        yield sentence, {"yellow": True}
    known = of_record(record)
    begun = [each for each in record["findings"] if not _never_begun(each)]
    if left_out := len(record["findings"]) - len(begun):
        # A short budget leaves most of them, and their names would hide what was found.
        yield f"{'NOT ASSESSED':<13} {left_out} without a gate: the budget ended before", STYLES["not_assessed"]
    width = max((len(f["id"]) for f in begun), default=0)
    for finding in begun:
        word = "ALARM" if is_alarm(finding) else finding["verdict"].upper().replace("_", " ")
        figure, gate = _figure(finding, unit_of(finding, known.get(base_id(finding["id"]))))
        text = f"{word:<13} {finding['id']:<{width}}  {figure:<26} {gate:<16}"
        if outcome := finding.get("outcome"):
            text += f" {outcome}"
        if stated := finding.get("stated"):
            text += f" with {stated}"
        effect = finding.get("design_effect", 1)
        if effect >= _TOLD:
            text += f" in {finding.get('clusters', 0):,} clusters, design effect {effect:.2f};"
        if (stopped := finding.get("stopped")) and is_early(stopped):
            text += f" after {stopped['examples']:,} of {stopped['of']:,}"
        is_told = finding["verdict"] not in ("pass", "reported") or finding.get("caution") or finding.get("alarm")
        if is_told and finding["reason"]:
            text += f" {from_json(finding['reason'])}"
        style = STYLES["inconclusive" if is_alarm(finding) else finding["verdict"]]
        if accepted := finding.get("accepted"):
            text += f"; {accepted['owner']} answers for it: {accepted['reason']}"
        if waiver := finding["waiver"]:
            standing = "waived" if waiver["valid"] else "no longer waived"
            text += f"; {standing} by {waiver['owner']} through {waiver['expires']}: {waiver['reason']}"
            style = {"yellow": True} if waiver["valid"] else style
        yield text.rstrip(), style
    if any(finding["gate"] and scale_of(finding["unit"]) for finding in begun):
        yield _IN_A_POLICY, {}
    for full_id in record["not_run"]:
        which = "  gated in every audit" if full_id in ALWAYS_GATED else ""
        yield f"{'NOT RUN':<13} {full_id}{which}", {"yellow": True}
