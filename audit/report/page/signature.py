"""The page that is signed: what is decided on, for what use, at whose risk, and by which gates.

It says what the record holds. What the policy does not state is called that, since an empty field looks answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from audit.core.identifiers import base_id
from audit.core.records import PolicyOriginRecord, Record, section
from audit.core.verdict import is_alarm, is_waived
from audit.record.declarations import of_record
from audit.record.record import NAME
from audit.report import headline
from audit.report.i18n.language import counted, words
from audit.report.page import findings, text
from audit.report.page.findings import FindingView

SIGN = words.SIGN  # says each word when it is asked for
_USE = ("intended_use", "users", "affected", "version", "owner", "dpo", "origin", "consent")
_LONGEST = 1_000
# Room for whoever signs besides those whom the policy names.
_FURTHER = 2


class Subject(NamedTuple):
    """What is decided on: its kind and name, our sentences on it, and the hash that tells it from any other."""

    kind: str
    name: str
    sentences: Sequence[str] = ()
    sha256: str = ""


class Risk(NamedTuple):
    """A finding that somebody answers for: its figure with its gate, and a sentence on who does."""

    view: FindingView
    figures: str
    sentence: str


@dataclass(frozen=True)
class Signature:
    """All that the page to sign says.

    ``use`` are pairs of a name and what the policy states, ``unstated`` the names of what it does not. ``accepted`` are
    risks that somebody answers for; nobody does for ``alarms`` and for ``tolerated`` gates, which are told in words,
    empty where there are none. ``sha256`` is that of the record's file, once more for the sheet with the signatures;
    ``signers`` are roles with names, empty where none is known.
    """

    is_against: bool
    decided_on: Sequence[Subject]
    use: Sequence[tuple[str, str]]
    unstated: Sequence[str]
    accepted: Sequence[Risk]
    alarms: str
    tolerated: str
    gates: Sequence[str]
    sha256: str
    signers: Sequence[tuple[str, str]]


def of(record: Record, views: Sequence[FindingView], sha256: str) -> Signature:
    """What a cleaned record has for the page to sign.

    Parameters
    ----------
    record : Record
    views : sequence of FindingView
        Of all its findings.
    sha256 : str
        Of the record's file; empty where there is none.
    """
    about = section(record["policy"], "about")
    use = {**{SIGN[key]: _stated(about, key) for key in _USE}, SIGN["next_review"]: _next_review(record)}
    return Signature(
        is_against=record["verdict"] != "pass",
        decided_on=list(_decided_on(record, sha256)),
        use=[(name, value) for name, value in use.items() if value is not None],
        unstated=[name for name, value in use.items() if value is None],
        accepted=[Risk(view, _figures(view), sentence) for view in views if (sentence := _answer(view))],
        alarms=counted(words.OPEN_ALARMS, alarms) if (alarms := sum(map(is_alarm, record["findings"]))) else "",
        tolerated=_tolerated(views),
        gates=list(_gates(record)),
        sha256=sha256,
        signers=[
            *((SIGN[role], _stated(about, role) or "") for role in ("owner", "dpo")),
            *[(SIGN["further"], "")] * _FURTHER,
        ],
    )


def _stated(about: Mapping[str, object], key: str) -> str | None:
    value = about.get(key)
    return text.short(value, _LONGEST) if isinstance(value, str) and value.strip() else None


def _next_review(record: Record) -> str | None:
    """The day, and whether it was past already; days of ISO sort as they follow each other."""
    due = _stated(section(record["policy"], "about"), "next_review")
    if due is None:
        return None
    day = text.day(due)
    return SIGN["review_past"].format(date=day) if due < record["created"][:10] else day


def _decided_on(record: Record, sha256: str) -> Iterator[Subject]:
    model, origin = record["model"], record.get("policy_origin")
    unknown = words.PAGE["unknown"]
    yield Subject(SIGN["found"], headline.headline(record))
    name = text.cell(model.get("source") or unknown)
    yield Subject(words.PAGE["model"], name, sha256=_hash(model.get("fingerprint")))
    check = [SIGN["record_check"].format(file=NAME)] if sha256 else []
    yield Subject(SIGN["record"], NAME if sha256 else SIGN["record_unknown"], check, sha256)
    file = text.cell(record["provenance"].get("policy_file") or words.PAGE["embedded"])
    yield Subject(SIGN["policy"], file, history(record), origin["sha256"] if origin else "")
    for role in ("test", "train"):
        if split := record["data"].get(role):
            name = text.cell(split.get("path") or unknown)
            yield Subject(words.PAGE[role], name, sha256=_hash(split.get("fingerprint")))


def _hash(value: object) -> str:
    return text.cell(value).removeprefix("sha256:") if value else ""


def history(record: Record) -> list[str]:
    """Whether the policy of a record was written before its audit, as far as git shows; in sentences."""
    origin = record.get("policy_origin")
    if not origin:
        return [SIGN["policy_unknown"]]
    state, date = origin["state"], origin.get("date", "")
    told = words.POLICY_STATES[state].format(commit=origin.get("commit", "")[:12], date=text.date(date))
    if state == "embedded":
        return [told]
    if state != "committed":
        return [told, words.WRITTEN_UNKNOWN]
    return [told, words.WRITTEN_BEFORE if date <= record["created"] else words.WRITTEN_AFTER]


def _answer(view: FindingView) -> str:
    """Who answers for a finding, and why; empty where nobody does, or no longer."""
    return view.answer or (view.waiver if is_waived(view.finding) else "")


def _figures(view: FindingView) -> str:
    if not view.measured:
        return ""
    return (words.RESULT_AND_GATE if view.gate else words.RESULT_ONLY).format(result=view.short_result, gate=view.gate)


def _tolerated(views: Sequence[FindingView]) -> str:
    """The gates that stayed open and pass all the same, though nobody answers for them."""
    names = [
        view.name for view in views if view.gated and view.finding.get("tolerated") and not is_waived(view.finding)
    ]
    return words.OPEN_GATES.format(names=findings.listed(names)) if names else ""


def _gates(record: Record) -> Iterator[str]:
    """Who set the gates, who answers for them, and which guard less than in the former audit, or as embedded."""
    own = [
        gate
        for group in section(record["policy"], "gates").values()
        if isinstance(group, Mapping)
        for gate in group.values()
        if isinstance(gate, Mapping)
    ]
    if not own:
        yield SIGN["no_gates"]
    origin, former = record.get("policy_origin"), record.get("baseline")
    if own and origin and (adopted := len(origin["as_embedded"])):
        yield counted(words.GATES_ADOPTED, adopted, gates=len(own))
    if own:
        owners = Counter(_stated(gate, "owner") or words.NOBODY for gate in own)
        named = [words.GATE_OWNED.format(owner=owner, count=count) for owner, count in owners.most_common()]
        yield words.GATE_OWNERS.format(owners=findings.listed(named))
    if former:
        yield from list(findings.laxer(record)) or [SIGN["as_before"].format(date=text.date(former["created"]))]
    else:
        yield SIGN["not_compared"]
    if origin and origin["state"] != "embedded":
        yield from _against_embedded(record, origin)


def _against_embedded(record: Record, origin: PolicyOriginRecord) -> Iterator[str]:
    for change, word in (("loosened", "looser"), ("replaced", "other_way")):
        if gates := findings.changed_gates(record, origin["gates"], change):
            yield text.sentence(SIGN[word].format(gates=findings.listed(gates)))
    known = of_record(record)
    absent = [each["id"] for each in origin["gates"] if each["change"] == "dropped"]
    if names := [findings.named(full_id, known.get(base_id(full_id))) for full_id in absent]:
        yield text.sentence(SIGN["absent"].format(gates=findings.listed(names)))
    if settings := findings.changed_settings(origin["settings"]):
        yield text.sentence(SIGN["settings"].format(settings=settings))
