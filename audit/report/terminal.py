"""The verdicts as lines for a terminal of 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from audit.core.identifiers import base_id
from audit.core.numbers import scale_of
from audit.core.probe import Probe
from audit.core.records import EnergyRecord, FindingRecord, Record, SplitRecord
from audit.core.sentences import from_json
from audit.core.verdict import is_alarm
from audit.policy.policy import ALWAYS_GATED
from audit.record.declarations import of_record
from audit.report.page import findings, plan, text
from audit.report.page.evidence import Limits
from audit.report.page.findings import WIDER, alarmed, heading, is_early, of_model, reading, summary

STYLES: Mapping[str, dict[str, bool]] = {
    "pass": {"green": True},
    "not_exceeded": {"green": True},
    "fail": {"red": True},
    "error": {"red": True},
    "inconclusive": {"yellow": True},
    "not_assessed": {"yellow": True},
    "reported": {},
}
# In columns; who has a wider terminal reads no worse.
WIDTH = 80
_HANGING = " " * 14  # what stands below the first line of a finding
_STEPS = 3  # of what to do next; the report has all
_ORDER = ("reported", "not_exceeded", "pass", "alarm", "not_assessed", "inconclusive", "error", "fail")
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


def alarms(record: Record) -> Iterator[str]:
    """How many findings are worrying without a gate, and what to do about it."""
    if sentence := alarmed(record):
        yield from wrapped(f"{sentence} Set gates, or answer for them by name under [[accepted]].")


def better(record: Record) -> Iterator[str]:
    """What was measured beside the model and surely outdoes it."""
    for each in findings.better(record):
        yield from wrapped(each.sentence)


def next_steps(record: Record) -> Iterator[str]:
    """What to do next: the first steps of the page's plan; where nothing is open, to read and to sign."""
    shown = text.shown(record)
    views = findings.views(shown, Limits())
    steps = plan.steps(shown, findings.problems(views), findings.alarms(views))
    if not steps:
        yield from wrapped("Next: read the report, and have it signed by who answers for the model.")
        return
    yield "Next:"
    for number, step in enumerate(steps[:_STEPS], 1):
        yield from wrapped(f"{step.names}: {step.action}", f"{number}. ", "   ")
    if (rest := len(steps) - _STEPS) > 0:
        yield f"   … and {rest} more, in the report."


def wrapped(line: str, first: str = "", rest: str = "") -> list[str]:
    """A line as several of at most `WIDTH` characters, after what the first one and the others begin with.

    No word is cut, and no figure parted from its unit.
    """
    parts = textwrap.wrap(
        line, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in parts]


def _item(word: str, line: str, style: dict[str, bool]) -> Iterator[tuple[str, dict[str, bool]]]:
    """A verdict and what it is of, beside it."""
    yield from ((part, style) for part in wrapped(line, f"{word:<{len(_HANGING)}}", _HANGING))


def _never_begun(finding: FindingRecord) -> bool:
    """Whether the budget ended before anything was asked for a finding that has no gate."""
    return bool(finding.get("unreached")) and finding["verdict"] == "not_assessed" and finding["gate"] is None


def lines(record: Record) -> Iterator[tuple[str, dict[str, bool]]]:
    """How the data were read; a few lines for each finding, with their style, what matters most last."""
    for sentence in (*how_read(record["data"]), *of_model(record), *of_grid(record["energy"])):
        yield from ((line, {"yellow": True}) for line in wrapped(sentence))
    known = of_record(record)
    begun = [each for each in record["findings"] if not _never_begun(each)]
    if left_out := len(record["findings"]) - len(begun):
        # A short budget leaves most of them, and their names would hide what was found.
        yield from _item("NOT ASSESSED", f"{left_out} without a gate: the budget ended before", STYLES["not_assessed"])
    for finding in sorted(begun, key=_weight):
        yield from of_finding(finding, known.get(base_id(finding["id"])))
    if any(finding["gate"] and scale_of(finding["unit"]) for finding in begun):
        yield from ((line, {}) for line in wrapped(_IN_A_POLICY))
    if missing := record["not_run"]:
        named = ", ".join(f"{each} (gated in every audit)" if each in ALWAYS_GATED else each for each in missing)
        yield from _item("NOT RUN", f"{len(missing)} with a gate: {named}", {"yellow": True})


def _weight(finding: FindingRecord) -> int:
    """Its place among the others: what decided nothing first, what stands in the way last."""
    if is_alarm(finding):
        return _ORDER.index("alarm")
    return _ORDER.index(finding["verdict"] if finding["gate"] or finding["verdict"] == "error" else "reported")


def of_finding(finding: FindingRecord, declared: Probe | None) -> Iterator[tuple[str, dict[str, bool]]]:
    """Its verdict and title; below it its id, and what else is to be known."""
    word = "ALARM" if is_alarm(finding) else finding["verdict"].upper().replace("_", " ")
    style = STYLES["inconclusive" if is_alarm(finding) else finding["verdict"]]
    waiver, about = finding["waiver"], []
    if waiver:
        style = {"yellow": True} if waiver["valid"] else style
    title = heading(finding, declared)
    if outcome := finding.get("outcome"):
        title += f": {outcome}"
    yield from _item(word, title, style)
    if stated := finding.get("stated"):
        about.append(f"with {stated}")
    effect = finding.get("design_effect", 1)
    if effect >= WIDER:
        about.append(f"in {finding.get('clusters', 0):,} clusters, design effect {effect:.2f}")
    if (stopped := finding.get("stopped")) and is_early(stopped):
        about.append(f"after {stopped['examples']:,} of {stopped['of']:,} examples")
    if (is_alarm(finding) or finding["verdict"] in ("fail", "inconclusive")) and (said := summary(finding)):
        about.append(said.rstrip("."))
    is_told = finding["verdict"] not in ("pass", "reported") or finding.get("caution") or finding.get("alarm")
    if is_told and finding["reason"]:
        about.append(from_json(finding["reason"]))
    if accepted := finding.get("accepted"):
        about.append(f"{accepted['owner']} answers for it: {accepted['reason']}")
    if waiver:
        standing = "waived" if waiver["valid"] else "no longer waived"
        about.append(f"{standing} by {waiver['owner']} through {waiver['expires']}: {waiver['reason']}")
    yield from _item("", f"{finding['id']}{': ' if about else ''}{'; '.join(about)}", style)
