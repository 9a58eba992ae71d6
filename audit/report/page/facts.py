"""What the page says besides findings: training, energy, and what is needed to make the audit again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from markupsafe import Markup

from audit.core.evidence import Table as Rows
from audit.core.identifiers import base_id
from audit.core.numbers import SHARE, is_number
from audit.core.records import ClustersRecord, Record, section
from audit.energy.meter import Power
from audit.energy.phases import PHASES
from audit.record.declarations import of_record
from audit.report.i18n import language
from audit.report.i18n.language import words
from audit.report.page import figures, text
from audit.report.page.evidence import Limits, Table, label, single, table
from audit.report.page.findings import FindingView, electricity, figures_of, gate_change, named, source_of, units

Facts = list[tuple[str, str]]
PAGE = words.PAGE  # says each word when it is asked for


def history(training: Mapping[str, object]) -> tuple[Table | None, list[tuple[str, Markup]]]:
    """The progress of a training as a table, and its curves."""
    recorded = training.get("history")
    entries = [entry for entry in recorded if entry][:200] if isinstance(recorded, list) else []
    if not entries:
        return None, []
    names = list(dict.fromkeys(name for entry in entries for name in entry))[:8]
    raw = Rows(
        caption=words.PAGE["by_epoch"],
        columns=[words.HISTORY.get(name, name) for name in names],
        rows=[[entry.get(name) for name in names] for entry in entries],
        units=[_HISTORY_UNITS.get(name, "") for name in names],
    )
    curves = []
    for name in ("validation_accuracy", "loss"):
        values = [entry[name] for entry in entries if is_number(entry.get(name))]
        if len(values) > 1:
            ends = (values[0], values[-1], min(values), max(values))
            first, last, smallest, largest = text.row(ends, _HISTORY_UNITS.get(name, ""))
            label = words.CURVE.format(
                name=words.HISTORY[name], first=first, last=last, smallest=smallest, largest=largest
            )
            curves.append((label, figures.curve(values, label)))
    return table(raw, Limits(rows=200), is_own=True), curves


def recipe(training: Mapping[str, object]) -> list[tuple[str, str]]:
    """The recipe of the training in words."""
    return [
        (words.RECIPE.get(key, label(key)), words.RECIPE_VALUES.get((key, value), _exactly(value)))
        for key, value in islice(section(training, "recipe").items(), 60)
        if not isinstance(value, list | dict)
    ]


def _exactly(value: object) -> str:
    """A setting as it was given: 2e-05 is not to become 0.00002."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text.cell(value)


_MOST_COUNTS = 20
_HISTORY_UNITS = {"validation_accuracy": SHARE}
_PARTS: tuple[Literal["kwh", "cpu_kwh", "gpu_kwh", "ram_kwh"], ...] = ("kwh", "cpu_kwh", "gpu_kwh", "ram_kwh")
_SUMS: tuple[Literal["seconds", "co2eq_kg", "kwh", "cpu_kwh", "gpu_kwh", "ram_kwh"], ...] = (
    "seconds", "co2eq_kg", *_PARTS,
)  # fmt: skip


def phases(record: Record) -> tuple[list[list[str]], list[str] | None, list[list[str]]]:
    """Rows of the energy table, their sum, and the rows of what was kept from former audits."""
    own = record["energy"]["phases"]
    known = [key for key in _SUMS if all(is_number(phase.get(key)) for phase in own)]
    total: dict[str, object] = {key: sum(phase[key] for phase in own) for key in known}
    total |= {"name": words.PAGE["sum"], "source": source_of(own)}
    rows = [_phase(phase) for phase in own]
    return rows, _phase(total) if len(rows) > 1 else None, [_phase(each) for each in record["energy"].get("kept", ())]


def _phase(phase: Mapping[str, object]) -> list[str]:
    name, source, created = str(phase["name"]), str(phase["source"]), phase.get("created")
    carbon = phase.get("co2eq_kg")
    return [
        (language.say(PHASES[name]) if name in PHASES else text.cell(name))
        + (f"{words.COMMA}{text.date(created)}" if created else ""),
        language.numeral(f"{phase['seconds']:,.1f}") if is_number(phase.get("seconds")) else "–",
        *(text.cell(phase.get(part)) for part in _PARTS),
        text.cell(1000 * float(carbon) if is_number(carbon) else None),
        words.SOURCES.get(source, text.cell(source)),
    ]


def power(record: Record) -> str:
    """What the policy says of the machine's power, in its own words; empty where it says nothing."""
    settings = section(record["policy"], "environment")
    return str(Power.of({key: value for key, value in settings.items() if is_number(value)}))


def grids(record: Record, limits: Limits) -> Table | None:
    """What this audit's electricity would stand for elsewhere; None where the record does not say."""
    known = record["energy"].get("grids")
    if not known:
        return None
    kwh = sum(phase["kwh"] or 0 for phase in record["energy"]["phases"])
    raw = Rows(
        caption=text.by_source(PAGE["grids"], taken.source if (taken := electricity(record)) else ""),
        columns=[PAGE[name] for name in ("grid", "grid_year", "grid_intensity", "co2")],
        rows=[
            [grid["name"] or words.LABELLED.format(word=grid["country"], said=PAGE["grid_world"]),
             str(grid["year"] or PAGE["unknown"]), grid["g_per_kwh"], kwh * (grid["g_per_kwh"] or 0)]
            for grid in known
        ],
    )  # fmt: skip
    return table(raw, limits, is_own=True)


def training(record: Record) -> Facts:
    """Base model, data and date of a training; empty where nothing was trained."""
    training_facts = record["model"].get("training") or {}
    if not training_facts:
        return []
    base, revision = training_facts.get("base"), training_facts.get("base_revision")
    trainable, all_ = training_facts.get("trainable_parameters"), record["model"].get("parameters")
    trained = trainable
    if is_number(trainable) and is_number(all_):
        trained = words.OUT_OF.format(part=text.cell(trainable), whole=text.cell(all_))
    return _known(
        (
            PAGE["base"],
            words.SOURCED.format(figure=text.cell(base), source=text.cell(revision)) if base and revision else base,
        ),
        (PAGE["trained"], training_facts.get("created")),
        (PAGE["trained_examples"], training_facts.get("examples")),
        (PAGE["validation_examples"], training_facts.get("validation_examples")),
        (PAGE["steps"], training_facts.get("steps")),
        (PAGE["trainable"], trained),
        (PAGE["device"], training_facts.get("device")),
    )


def run(record: Record) -> Facts:
    """How and when the audit was run."""
    provenance, scoring = record["provenance"], record["scoring"]
    return [
        *_known((PAGE["command"], provenance.get("command")), (PAGE["created"], record["created"])),
        (PAGE["duration"], f"{text.figure(round(record['duration_s'] or 0))} s"),
        (PAGE["commit"], text.cell(provenance.get("commit") or PAGE["no_commit"])),
        (PAGE["policy_file"], text.cell(provenance.get("policy_file") or PAGE["embedded"])),
        *_known((PAGE["seed"], str(provenance.get("seed", ""))), (PAGE["device"], provenance.get("device"))),
        *[
            (PAGE[name], text.figure(scoring[name]))
            for name in (
                *("texts", "forward_passes", "cache_hits", "workers", "lost_workers"),
                *("prompt_tokens", "completion_tokens", "no_label"),
            )
            if name in scoring
        ],
    ]


class Since(NamedTuple):
    """What became of the former audit."""

    sentences: Sequence[str]
    tables: Sequence[Table]


def since(record: Record, limits: Limits) -> Since | None:
    """What the former audit was, and what is better, worse, new, gone or judged otherwise since; None without one."""
    former = record.get("baseline")
    if not former:
        return None
    sentences = [
        PAGE["since_text"].format(
            date=text.date(former["created"]),
            path=text.cell(former["path"]),
            verdict=words.RELEASES[former["verdict"]].word,
        ),
        asked(record),
    ]
    test = record["data"]["test"].get("fingerprint")
    if former.get("test") and test and former["test"] != test:
        sentences.append(words.OTHER_TEST)
    compared = former.get("compared", ())
    clear = [each for change in words.CHANGES for each in compared if each["change"] == change]
    if compared:
        shared = sum(each["change"] not in ("new", "gone") and not each.get("paired") for each in compared)
        sentences.append(PAGE["since_meaning"].format(count=shared))
        if not clear:
            sentences.append(PAGE["since_none"])
        if unclear := len(compared) - len(clear):
            sentences.append(PAGE["since_unclear"].format(count=unclear))
    if not former["turned"]:
        sentences.append(PAGE["since_same"])
    gates = [each for change in words.CHANGES for each in former.get("gates", ()) if each["change"] == change]
    columns, known, known_units = [PAGE["then"], PAGE["now"]], of_record(record), units(record)

    def name(full_id: str) -> str:
        return named(full_id, known.get(base_id(full_id)))

    def unit(full_id: str) -> str:
        return known_units.get(base_id(full_id), "")

    tables = [
        (PAGE["since_gates"], [PAGE["finding"], PAGE["change"], PAGE["gate"]], [
            [name(each["id"]), words.CHANGES[each["change"]], gate_change(each, unit(each["id"]))] for each in gates
        ]),
        (PAGE["since_turned"], [PAGE["finding"], *columns], [
            [name(each["id"]), *(words.VERDICTS[verdict].word for verdict in (each["before"], each["now"]))]
            for each in former["turned"]
        ]),
        (PAGE["since_compared"], [PAGE["finding"], PAGE["change"], *columns], [
            [
                name(each["id"]), words.CHANGES[each["change"]],
                *(figures_of(figure, unit(each["id"])).interval for figure in (each["before"], each["now"])),
            ]
            for each in clear
        ]),
    ]  # fmt: skip
    return Since(
        sentences,
        [table(Rows(caption, columns, rows), limits, is_own=True) for caption, columns, rows in tables if rows],
    )


def asked(record: Record) -> str:
    """How many audits the test examples have served, as far as the chain of former audits tells."""
    baseline = record.get("baseline")
    chain = baseline.get("chain") if baseline else None
    test = record["data"]["test"].get("fingerprint")
    if chain is None or not test:
        return words.ASKED_UNKNOWN
    count = 1 + sum(link["test"] == test for link in chain)
    return words.ASKED.format(count=text.figure(count)) if count > 1 else words.ASKED_ONCE


def model(record: Record) -> Facts:
    """What identifies the model."""
    of = record["model"]
    length = of.get("max_length")
    return _known(
        (PAGE["model"], of.get("source")),
        (PAGE["revision"], of.get("revision")),
        (PAGE["fingerprint"], of.get("fingerprint")),
        (PAGE["parameters_head"], of.get("parameters")),
        (PAGE["labels"], words.COMMA.join(of.get("labels", ()))),
        (PAGE["max_length"], f"{length} {PAGE['tokens']}" if length else None),
    )


def model_files(record: Record, limits: Limits) -> Table:
    """The files that the fingerprint covers."""
    hashes = record["model"].get("files") or {}
    raw = Rows(
        caption=PAGE["files"],
        columns=[PAGE["file"], PAGE["sha256"]],
        rows=[list(item) for item in hashes.items()],
    )
    return table(raw, limits, is_own=True)


def data(record: Record) -> list[tuple[str, Facts]]:
    """What identifies each part of the data, and what was left out of it."""
    parts = []
    for role, of in islice(record["data"].items(), 8):
        if of:
            facts = _known(
                (PAGE["file"], of.get("path")),
                (PAGE["rows_head"], of.get("rows")),
                (PAGE["classes"], _counts(of.get("classes") or {})),
                (PAGE["skipped"], _counts(of.get("skipped") or {}) or PAGE["none"]),
                (PAGE["clusters"], _clusters(of.get("clusters"))),
                (PAGE["fingerprint"], of.get("fingerprint")),
            )
            parts.append((PAGE.get(role, text.cell(role)), facts))
    return parts


def scope(record: Record, views: Sequence[FindingView]) -> list[str]:
    """What the audit as a whole is about, and what it cannot know."""
    rows = record["data"]["test"].get("rows")
    measured = {view.challenge for view in views if view.measured}
    without = [title for name, (title, _) in words.CHALLENGES.items() if name not in measured]
    sentences = [
        PAGE["scope_model"].format(rows=text.figure(rows), language=_language(record)),
        PAGE["scope_counts"].format(
            measured=text.figure(sum(view.measured for view in views)),
            gated=text.figure(sum(view.gated for view in views)),
            missing=text.figure(sum(not view.measured for view in views)),
        ),
    ]
    if without:
        sentences.append(PAGE["scope_without"].format(challenges=words.COMMA.join(without)))
    return [*sentences, PAGE["scope_chance"], PAGE["scope_people"]]


def _language(record: Record) -> str:
    stated = section(record["policy"], "data").get("language")
    return text.short(stated, text.HEADER) if isinstance(stated, str) else PAGE["unknown"]


def data_sheet(record: Record, limits: Limits) -> Table:
    """What the data are: rows, classes, groups, language, and where they come from, as far as anybody states it."""
    splits = [record["data"].get(role) or {} for role in ("test", "train")]
    about = section(record["policy"], "about")
    stated = {name: value for name, value in about.items() if isinstance(value, str) and value.strip()}
    columns = dict.fromkeys(column for split in splits for column in split.get("subgroups", ()))
    rows: list[list[str]] = [
        [PAGE["rows_head"], *(text.figure(split.get("rows")) for split in splits)],
        [PAGE["classes"], *(_counts(split.get("classes") or {}) or PAGE["unknown"] for split in splits)],
        *(
            [
                PAGE["groups_of"].format(column=text.short(column, text.HEADER)),
                *(_counts(split.get("subgroups", {}).get(column, {})) or PAGE["unknown"] for split in splits),
            ]
            for column in islice(columns, limits.rows)
        ),
        *(
            [PAGE[name], *[value] * len(splits)]
            for name, value in (
                ("language", _language(record)),
                *((name, text.cell(stated.get(name, PAGE["not_stated"]))) for name in ("origin", "consent")),
            )
        ),
    ]
    raw = Rows(caption=PAGE["data_sheet"], columns=["", PAGE["test"], PAGE["train"]], rows=rows)
    return table(raw, limits, is_own=True)


def _clusters(clusters: ClustersRecord | None) -> str:
    """How many rows share an author, item or text, and in how many clusters; empty where none does."""
    if not clusters or not clusters["shared"]:
        return ""
    return PAGE["clusters_said"].format(
        **{name: text.figure(clusters[name]) for name in ("shared", "number", "largest")}
    )


def versions(record: Record) -> dict[str, str]:
    """Version of each package."""
    recorded = section(record["provenance"], "versions")
    return {text.cell(name): text.cell(value) for name, value in islice(recorded.items(), 100)}


def _counts(counts: Mapping[str, int | str]) -> str:
    shown = [
        words.LABELLED.format(word=text.short(name, text.HEADER) or PAGE["no_group"], said=text.cell(n))
        for name, n in counts.items()
    ]
    return words.COMMA.join([*shown[:_MOST_COUNTS], *(["…"] if len(shown) > _MOST_COUNTS else [])])


def _known(*facts: tuple[str, object]) -> Facts:
    return [(name, single(value)) for name, value in facts if value not in (None, "")]
