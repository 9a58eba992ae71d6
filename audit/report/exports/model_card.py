"""What an audit found, as part of a model card: a section of a README and the metadata that the Hugging Face Hub reads.

Of a card that exists, only that section and two keys of its metadata are made anew; all else stays as it was, byte for
byte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from audit.core.errors import AuditError
from audit.core.numbers import is_number
from audit.core.records import FindingRecord, Record, section
from audit.models.model_card import BEGIN, END, FRONT
from audit.report.i18n import words
from audit.report.i18n.words import CARD, SIGN
from audit.report.page import findings, text
from audit.report.page.evidence import Limits
from audit.report.page.findings import FindingView
from audit.report.summary import plain
from audit.text.redaction import message

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

_AUDITOR = "pytest-model-audit"
_TASK = "text-classification"
# Our ids by the names that the Hub's metrics have.
_METRICS = {
    "quality.accuracy": "accuracy", "quality.balanced_accuracy": "balanced_accuracy", "quality.macro_f1": "f1",
    "quality.mcc": "matthews_correlation", "quality.roc_auc": "roc_auc",
}  # fmt: skip
_OURS = ("model-index", "co2_eq_emissions")


def write(record: Record, existing: str | None, name: str) -> str:
    """A model card with the section and metadata of a record.

    Parameters
    ----------
    record : mapping
        Fits the schema; its texts are not trusted: in Markdown and YAML each stays a text.
    existing : str, optional
        The card so far; None for a new one.
    name : str
        The file, for messages.

    Raises
    ------
    AuditError
        If the existing card's metadata cannot be read, or its markers do not stand there once each, in order.
    """
    shown = text.shown(record)
    section = _section(shown)
    if existing is None:
        title = plain(published(shown["model"].get("source")))
        return _front(
            f"---\ntags:\n- sentiment-analysis\npipeline_tag: {_TASK}\n---\n\n# {title}\n\n{section}\n", shown, name
        )
    return _front(_inserted(existing, section, name), shown, name)


def _inserted(existing: str, section: str, name: str) -> str:
    """The card with its old section replaced, or with one at its end."""
    begins, ends = existing.count(BEGIN), existing.count(END)
    line_end = "\r\n" if "\r\n" in existing else "\n"
    section = section.replace("\n", line_end)
    if not begins and not ends:
        gap = line_end if existing.endswith("\n") or not existing else 2 * line_end
        return f"{existing}{gap}{section}{line_end}"
    before, _, rest = existing.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if (begins, ends) != (1, 1) or not closed:
        raise AuditError(
            f"{name}: expected the markers '{BEGIN}' and '{END}' once each and in this order; remove or mend them."
        )
    return f"{before}{section}{after}"


def _front(card: str, shown: Record, name: str) -> str:
    """The card with our two keys of its metadata made anew."""
    import yaml
    from huggingface_hub import ModelCardData
    from huggingface_hub.utils import yaml_dump

    front_matter = FRONT.match(card)
    head, block, tail = (
        (front_matter[1], front_matter[2], front_matter[3]) if front_matter else ("---\n", "", "---\n\n")
    )
    try:
        known = yaml.safe_load(block) or {}
        data = ModelCardData(**known)
        index = known.get("model-index") or []
        if len(index) > 1:
            raise ValueError("its model-index is about more than one model")
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError) as error:
        problem = message(error, 150)
        raise AuditError(f"{name}: the metadata between its first '---' lines cannot be read ({problem}).") from None
    others = [r for r in data.eval_results or () if (r.metric_args or {}).get("measured_by") != _AUDITOR]
    model = index[0]["name"] if index else published(shown["model"].get("source"))
    results = [*others, *eval_results(shown)]
    ours: dict[str, object] = {}
    if results:
        generated = ModelCardData(model_name=model, eval_results=results).to_dict()
        ours["model-index"] = generated["model-index"]
    carbon = emissions(shown)
    if carbon:
        ours["co2_eq_emissions"] = carbon
    dropped = [key for key in _OURS if key in ours or key == "model-index"]
    other_keys = _without(block, dropped)
    if (yaml.safe_load(other_keys) or {}) != {
        key: value for key, value in yaml.safe_load(block or "{}").items() if key not in dropped
    }:
        raise AuditError(f"{name}: its {' and '.join(dropped)} cannot be replaced as they are written; remove them.")
    line_end = "\r\n" if "\r\n" in card else "\n"
    added = yaml_dump(ours, sort_keys=False, line_break=line_end) if ours else ""
    other_keys = f"{other_keys.rstrip()}{line_end}" if other_keys.strip() else ""
    rest = card[front_matter.end() :] if front_matter else card
    return f"{head}{other_keys}{added}{tail}{rest}"


def _without(block: str, keys: Sequence[str]) -> str:
    """The metadata without these keys of its first level; every other line stays as it is."""
    remaining, inside = [], False
    for line in block.splitlines(keepends=True):
        if re.match(r"[^\s#\-]", line):
            inside = bool(re.match(rf"[\"']?({'|'.join(map(re.escape, keys))})[\"']?\s*:", line))
        if not inside or line.startswith("#"):
            remaining.append(line)
    return "".join(remaining)


def eval_results(shown: Record) -> list[EvalResult]:
    """The quality of a cleaned record as the Hub's model-index has it; intervals stand among the metric's arguments."""
    from huggingface_hub import EvalResult

    test = shown["data"]["test"]
    data = published(test.get("path"))
    results = []
    for finding in shown["findings"]:
        metric = _METRICS.get(finding["id"])
        if metric is None or finding["estimate"] is None:
            continue
        results.append(
            EvalResult(
                task_type=_TASK,
                task_name=CARD["task"],
                dataset_type=data,
                dataset_name=data,
                dataset_split="test",
                dataset_args={"fingerprint": test["fingerprint"]} if test.get("fingerprint") else None,
                metric_type=metric,
                metric_name=finding["title"],
                metric_value=finding["estimate"],
                metric_args={
                    "measured_by": _AUDITOR,
                    "low": finding["low"],
                    "high": finding["high"],
                    "confidence": finding["confidence"],
                    "n": finding["n"],
                    **_clustered(finding),
                },
            )
        )
    return results


def _clustered(finding: FindingRecord) -> dict[str, object]:
    """In how many clusters the examples of a finding come, where they do."""
    found = {"clusters": finding.get("clusters"), "design_effect": finding.get("design_effect")}
    return {name: value for name, value in found.items() if value is not None}


class TrainingEnergy(NamedTuple):
    """What a training took, and where the figures are from."""

    kwh: float
    co2eq_kg: float
    source: object


def training_energy(record: Record) -> TrainingEnergy | None:
    """What the model's own training took; None where it was trained elsewhere."""
    energy = section(record["model"].get("training") or {}, "energy")
    kwh, carbon = energy.get("kwh"), energy.get("co2eq_kg")
    return TrainingEnergy(kwh, carbon, energy.get("source")) if is_number(kwh) and is_number(carbon) else None


def emissions(shown: Record) -> dict[str, object] | None:
    """The training's greenhouse gases as the Hub's metadata has them, in grams."""
    energy = training_energy(shown)
    if energy is None:
        return None
    training = shown["model"].get("training") or {}
    start = section(training, "recipe").get("initialise")
    country = findings.setting(shown, "audit", "country")
    source = words.SOURCES.get(str(energy.source), words.PAGE["unknown"])
    return {
        "emissions": 1000 * float(energy.co2eq_kg),
        "source": CARD["carbon_source"].format(source=source),
        "training_type": "pre-training" if start == "scratch" else "fine-tuning",
        **({"geographical_location": str(country)} if country else {}),
        **({"hardware_used": str(training["device"])} if training.get("device") else {}),
    }


def published(source: object) -> str:
    """A name that says nothing of somebody's disk: a Hub id as it is, of a path its last part."""
    name = str(source or words.PAGE["unknown"]).rstrip("/\\")
    return name if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name) else re.split(r"[/\\]", name)[-1] or name


def _section(shown: Record) -> str:
    return "\n".join(_lines(shown))


def _lines(shown: Record) -> Iterator[str]:
    from audit.report.headline import headline

    views = findings.views(shown, Limits())
    mark, model, test = words.RELEASES[shown["verdict"]], shown["model"], shown["data"]["test"]
    yield from (BEGIN, f"## {plain(CARD['title'])}", "", f"**{mark.sign} {plain(headline(shown))}**", "")
    for notice in findings.notices(shown, shortened=False):
        yield from (f"> {plain(notice)}", "")
    fill = {
        "date": text.date(shown["created"]),
        "fingerprint": model.get("fingerprint") or words.PAGE["unknown"],
        "data": published(test.get("path")),
        "rows": text.figure(test.get("rows")),
        "test": test.get("fingerprint") or words.PAGE["unknown"],
    }
    yield from (plain(CARD["about"].format(**fill), 1_000), "")
    about = section(shown["policy"], "about")
    if stated := {key: value for key in SIGN if isinstance(value := about.get(key), str)}:
        yield from (*(f"- **{plain(SIGN[key])}**: {plain(value, 1_000)}" for key, value in stated.items()), "")
    for challenge, (title, _) in words.CHALLENGES.items():
        # Only the worst finding of each measure would hide gates: all gated and all ethics findings are listed.
        own = [c for c in views if c.challenge == challenge and (c.gated or c.id in _METRICS or challenge == "ethics")]
        if own:
            yield from (f"### {plain(title)}", "", *_table(own), "")
    for view in views:
        if view.waiver:
            yield from (f"**{plain(view.heading)}**. {plain(view.waiver)}", "")
    if alarms := findings.alarms(views):
        yield from (f"### {plain(words.PAGE['alarms'])}", "")
        for view in alarms:
            told = " ".join(filter(None, (view.summary, view.answer)))
            yield f"- **{plain(view.heading)}**. {plain(told, 1_000)}"
        yield ""
    energy = training_energy(shown)
    if energy is not None:
        kwh, grams = text.figure(energy.kwh), text.figure(1000 * energy.co2eq_kg)
        source = words.SOURCES.get(str(energy.source), words.PAGE["unknown"])
        yield from (plain(CARD["energy"].format(kwh=kwh, grams=grams, source=source)), "")
    yield from (f"### {plain(CARD['limits'])}", "")
    for limit in limits(views):
        yield f"- {plain(limit, 1_000)}"
    yield from (f"- {plain(CARD['no_more'])}", "", plain(CARD["made_by"]), END)


def limits(views: Sequence[FindingView]) -> list[str]:
    """What the audit's measurements cannot tell, each once, and what nobody could measure."""
    caveats = [text.sentence(text.said(caveat)) for view in views for caveat in view.finding.get("caveats", ())]
    missing: dict[str, list[str]] = {}
    for view in views:
        if view.verdict in ("not_assessed", "not_run", "error"):
            reason = text.sentence(words.NOT_RUN if view.verdict == "not_run" else view.reason)
            missing.setdefault(f"{view.mark.word}|{reason}", []).append(view.name)
    gaps = [f"{key.partition('|')[0]}: {', '.join(names)}. {key.partition('|')[2]}" for key, names in missing.items()]
    return list(dict.fromkeys([*caveats, *gaps]))[:40]


def _table(views: Sequence[FindingView]) -> Iterator[str]:
    heads, are_owned = ["finding", "result", "gate", "verdict"], any(view.owner for view in views)
    if are_owned:
        heads.append("answers")
    yield f"| {' | '.join(plain(words.PAGE[name]) for name in heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for view in views:
        result = view.short_result if view.measured else words.NOT_MEASURED
        cells = [view.name, result, view.gate or "–", f"{view.mark.sign} {view.mark.word}"]
        if are_owned:
            cells.append(view.owner or "–")
        yield f"| {' | '.join(map(plain, cells))} |"
