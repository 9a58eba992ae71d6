"""The audit's verdict in one sentence."""

from __future__ import annotations

from collections import Counter

from audit.core.records import Record
from audit.core.verdict import is_left_open, is_waived, verdict_of
from audit.report.i18n.language import counted, words

_OPEN = ("fail", "inconclusive", "not_assessed", "error")  # where the verdict is a pass, the policy lets them pass


def headline(record: Record) -> str:
    """Word and reason: Blocked: 2 of 53 gates fail, 1 is inconclusive."""
    return words.HEADLINE.format(word=word(record), said=said(record))


def word(record: Record) -> str:
    """The verdict in a few words: those of its mark, less the gates that do not hold and yet do not block."""
    verdict = "incomplete" if record.get("restarted") else verdict_of(record)
    except_for = sum(is_waived(each) or each["verdict"] in _OPEN for each in record["findings"] if each["gate"])
    if verdict == "pass" and except_for:
        return counted(words.ALL_BUT, except_for)
    return words.RELEASES[verdict].word


def said(record: Record) -> str:
    """What the verdict rests on, as a sentence that follows a colon."""
    if record.get("restarted"):
        return words.BEGUN_AGAIN
    findings, verdict = record["findings"], verdict_of(record)
    waived = sum(map(is_waived, findings))
    counts = Counter(finding["verdict"] for finding in findings if not is_waived(finding))
    gated = sum(finding["gate"] is not None for finding in findings) + len(record["not_run"])
    unassessed = sum(f["verdict"] == "not_assessed" and f["gate"] is not None and not is_waived(f) for f in findings)
    parts = []
    if counts["fail"]:
        parts.append(counted(words.FAIL, counts["fail"], gated=gated))
    if counts["inconclusive"]:
        form = words.INCONCLUSIVE if parts else words.INCONCLUSIVE_OF
        parts.append(counted(form, counts["inconclusive"], gated=gated))
    if counts["error"]:
        parts.append(counted(words.BROKE, counts["error"]))
    if unassessed:
        parts.append(counted(words.UNASSESSED, unassessed))
    if record["not_run"]:
        parts.append(counted(words.LEFT_OUT, len(record["not_run"])))
    if record.get("interrupted"):
        parts.append(words.ENDED_EARLY)
    if any(map(is_left_open, findings)):
        parts.append(words.BUDGET_ENDED)
    unexceeded = counts["not_exceeded"]
    aside = counted(words.ARE_WAIVED, waived) if waived else ""
    if verdict == "pass":
        if parts:
            return words.PASSES_ALL_THE_SAME.format(parts=_listed(parts, aside))
        if waived or unexceeded:
            not_exceeded = [counted(words.NOT_EXCEEDED, unexceeded)] if unexceeded else []
            asides = _listed(not_exceeded, aside)
            return counted(words.HOLD_OF, gated - waived - unexceeded, gated=gated, aside=asides)
        return counted(words.ALL_HOLD, gated) if gated else words.NO_GATE_HOLDS
    if not parts:
        open_end = words.NOTHING_DECIDED if record["complete"] else words.NOT_ENDED
        parts = [words.FAILED_OUTSIDE if verdict == "fail" else open_end]
    return words.STANDS_IN_THE_WAY.format(parts=_listed(parts, aside))


def _listed(parts: list[str], aside: str) -> str:
    return words.COMMA.join([*parts, aside] if aside else parts)
