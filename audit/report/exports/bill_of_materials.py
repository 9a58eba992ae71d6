"""The record as a CycloneDX bill of materials for machine learning: model, data, figures, limits, energy, software.

The CycloneDX library writes all that it has classes for. It has none for model cards yet (its own source says so), so
the card is put into its JSON as the specification has it, and the whole is held against the official schema that the
library brings along.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from audit.core.errors import AuditError
from audit.core.identifiers import base_id, bracket_of
from audit.core.numbers import is_number
from audit.core.records import Record, section
from audit.core.verdict import is_alarm
from audit.energy.phases import PHASES
from audit.report.exports import model_card as card
from audit.report.headline import headline
from audit.report.i18n import words
from audit.report.i18n.words import BOM
from audit.report.page import findings, text
from audit.report.page.evidence import Limits
from audit.report.page.findings import FindingView

if TYPE_CHECKING:
    from cyclonedx.model import HashType, Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

_MODEL = "model"
_OWN = "pytest-model-audit"


def build(record: Record) -> dict[str, object]:
    """The bill of materials of an audited model, as JSON values of CycloneDX 1.6.

    Parameters
    ----------
    record : mapping
        Fits the schema; its texts are not trusted. One record always gives the same bill, serial number included.

    Raises
    ------
    AuditError
        If the CycloneDX library is not installed.
    jsonschema.ValidationError
        If it does not fit the official schema: a defect of ours that must not reach a reader.
    """
    try:
        from cyclonedx.model.bom import Bom, BomMetaData
        from cyclonedx.model.tool import ToolRepository
        from cyclonedx.output.json import JsonV1Dot6
    except ModuleNotFoundError as error:
        raise AuditError(f"bom: {error.name} is not installed; run: pip install 'pytest-model-audit[bom]'.") from None
    shown = text.shown(record)
    views = findings.views(shown, Limits())
    model, data = _model(shown), _data(shown)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, json.dumps(record, sort_keys=True)),
        metadata=BomMetaData(
            component=model, tools=ToolRepository(components=_software(shown)), timestamp=_when(shown)
        ),
        components=[*data.values(), *_base(shown)],
    )
    bom.register_dependency(model, bom.components)
    value = json.loads(JsonV1Dot6(bom).output_as_string())
    value["metadata"]["component"]["modelCard"] = _card(shown, views, list(data))
    _validate(value)
    return dict(value)


def _validate(value: Mapping[str, object]) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(value))
    if error is not None:
        raise error.data


def _when(shown: Record) -> datetime | None:
    try:
        return datetime.fromisoformat(shown["created"])
    except ValueError:
        return None


def _model(shown: Record) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    model = shown["model"]
    files = [
        Component(name=text.cell(name), type=ComponentType.FILE, bom_ref=f"file:{name}", hashes=_hashes(digest))
        for name, digest in (model.get("files") or {}).items()
    ]
    properties = {
        "verdict": shown["verdict"],
        "headline": headline(shown),
        "complete": str(shown["complete"]).lower(),
        "audited": shown["created"],
    }
    properties["alarms"] = str(sum(map(is_alarm, shown["findings"])))
    about = section(shown["policy"], "about")
    properties |= {name.replace("_", "-"): value for name, value in about.items() if isinstance(value, str)}
    if fingerprint := model.get("fingerprint"):
        properties |= {"fingerprint": fingerprint, "fingerprint-of": BOM["fingerprint"]}
    if is_number(model.get("parameters")):
        properties |= {"parameters": str(model["parameters"])}
    return Component(
        name=card.published(model.get("source")),
        version=str(model.get("revision") or model.get("fingerprint") or words.PAGE["unknown"]),
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref=_MODEL,
        purl=_purl(model.get("source"), model.get("revision")),
        hashes=_hashes(model.get("fingerprint")),
        components=files,
        properties=_properties(properties),
    )


def _base(shown: Record) -> list[Component]:
    """The model that training began with, where it is one on the Hub."""
    from cyclonedx.model.component import Component, ComponentType

    training = shown["model"].get("training") or {}
    base, revision = training.get("base"), training.get("base_revision")
    purl = _purl(base, revision)
    if purl is None or base == shown["model"].get("source"):
        return []
    kind = ComponentType.MACHINE_LEARNING_MODEL
    return [Component(name=str(base), version=revision, type=kind, bom_ref="base", purl=purl)]


def _data(shown: Record) -> dict[str, Component]:
    """The data sets by the names that the card refers to them with."""
    from cyclonedx.model.component import Component, ComponentType

    components = {}
    for role, of in shown["data"].items():
        if of:
            properties = {"role": BOM.get(role, role)} | {
                name: json.dumps(of[name]) for name in ("rows", "classes") if name in of
            }
            components[f"data:{role}"] = Component(
                name=card.published(of.get("path")),
                version=of.get("fingerprint"),
                type=ComponentType.DATA,
                bom_ref=f"data:{role}",
                hashes=_hashes(of.get("fingerprint")),
                properties=_properties(properties),
            )
    return components


def _software(shown: Record) -> list[Component]:
    """The auditor and what its figures depend on, with versions."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    packages = {str(name): str(of) for name, of in section(shown["provenance"], "versions").items()}
    return [
        Component(
            name=name,
            version=version,
            type=ComponentType.APPLICATION if name == _OWN else ComponentType.LIBRARY,
            purl=PackageURL("pypi", None, name, version) if name not in ("python", "system") else None,
        )
        for name, version in packages.items()
    ]


def _purl(source: object, revision: object) -> PackageURL | None:
    from packageurl import PackageURL

    if not isinstance(source, str) or not re.fullmatch(r"[\w-][\w.-]*(/[\w.-]+)?", source) or not revision:
        return None
    owner, _, name = source.rpartition("/")
    return PackageURL("huggingface", owner or None, name, str(revision))


def _hashes(digest: object) -> list[HashType]:
    """A SHA-256 as CycloneDX has it; none where it is none."""
    from cyclonedx.model import HashAlgorithm, HashType

    content = str(digest or "").removeprefix("sha256:")
    return [HashType(alg=HashAlgorithm.SHA_256, content=content)] if re.fullmatch(r"[0-9a-f]{64}", content) else []


def _properties(properties: Mapping[str, str]) -> list[Property]:
    from cyclonedx.model import Property

    return [Property(name=f"{_OWN}:{name}", value=value) for name, value in properties.items()]


def _card(shown: Record, views: Sequence[FindingView], data: Sequence[str]) -> dict[str, object]:
    """The model card as CycloneDX 1.6 defines it."""
    ethics = [view for view in views if view.challenge == "ethics" and view.measured]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "text-classification",
            "datasets": [{"ref": name} for name in data],
            "inputs": [{"format": "text"}],
            "outputs": [{"format": f"{BOM['classes']}: {', '.join(shown['model'].get('labels') or ())}"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": [_metric(view) for view in views if view.measured]},
        "considerations": {
            **_use(shown),
            "technicalLimitations": [*card.limits(views), words.CARD["no_more"]],
            "ethicalConsiderations": [
                {"name": f"{c.name}: {c.problem}", "mitigationStrategy": c.action} for c in findings.problems(views)
            ],
            "fairnessAssessments": [_fairness(view) for view in ethics],
            "environmentalConsiderations": {"energyConsumptions": _energy(shown, views)},
        },
        "properties": [{"name": f"{_OWN}:{view.id}", "value": _judged(view)} for view in views],
    }


def _use(shown: Record) -> dict[str, list[str]]:
    """Who uses the model and for what, as the policy states it."""
    about = section(shown["policy"], "about")
    named = {"users": about.get("users"), "useCases": about.get("intended_use")}
    return {name: [value] for name, value in named.items() if isinstance(value, str)}


def _judged(view: FindingView) -> str:
    """Verdict, gate and confidence, which CycloneDX has no place for."""
    confidence = text.percent(view.finding["confidence"]) if view.measured else ""
    stated = confidence and BOM["confidence"].format(confidence=confidence)
    parts = [view.mark.word, view.gate, stated, view.alibi, view.waiver, view.answer]
    return "; ".join(part for part in parts if part)


def _metric(view: FindingView) -> dict[str, object]:
    finding = view.finding
    bounds = {"lowerBound": finding["low"], "upperBound": finding["high"]}
    known = {name: str(bound) for name, bound in bounds.items() if bound is not None}
    full_count = finding["low"] == finding["estimate"] == finding["high"]
    return {
        "type": base_id(view.id),
        "value": str(finding["estimate"]),
        **({"slice": _bracket(view)} if _bracket(view) else {}),
        **({"confidenceInterval": known} if known and not full_count else {}),
    }


def _bracket(view: FindingView) -> str:
    return bracket_of(view.id)


def _fairness(view: FindingView) -> dict[str, str]:
    harm, remedy = (view.known.harm, view.known.remedy) if view.known else ("", "")
    values = {
        "groupAtRisk": _bracket(view) or view.name,
        "harms": f"{view.name}: {text.sentence(view.result)} {view.summary} {harm}",
        "mitigationStrategy": remedy,
    }
    return {name: " ".join(value.split()) for name, value in values.items() if value.strip()}


def _energy(shown: Record, views: Sequence[FindingView]) -> list[dict[str, object]]:
    """The model's training, what use costs, and the audit's own phases."""
    used = (
        [_spent("fine-tuning", words.PAGE["training"], training._asdict())]
        if (training := card.training_energy(shown))
        else []
    )
    for view in views:
        estimate = view.finding["estimate"]
        if view.id == "environment.inference_energy" and estimate is not None:
            kwh, source = estimate / 1000, view.finding.get("source")
            used.append(_spent("inference", view.name, {"kwh": kwh, "source": source, **_carbon(shown, kwh)}))
    for phase in shown["energy"]["phases"]:
        if phase["name"] != "fine-tune" or not training:
            used.append(_spent("validation", PHASES.get(phase["name"], text.cell(phase["name"])), phase))
    return used


def _carbon(shown: Record, kwh: float) -> dict[str, float]:
    """What electricity stands for on the grid of the policy's country; nothing where the record does not know it."""
    grids = shown["energy"].get("grids") or ()
    grams = grids[0]["g_per_kwh"] if grids else None
    return {"co2eq_kg": kwh * grams / 1000} if is_number(grams) else {}


def _spent(activity: str, what: str, phase: Mapping[str, object]) -> dict[str, object]:
    """Electricity as CycloneDX has it; whose it was and from what it was made, nobody recorded."""
    electricity = {"value": phase["kwh"], "unit": "kWh"}
    provider = {"organization": {"name": BOM["provider"]}, "energySource": "unknown", "energyProvided": electricity}
    carbon = phase.get("co2eq_kg")
    return {
        "activity": activity,
        "energyProviders": [provider],
        "activityEnergyCost": electricity,
        **({"co2CostEquivalent": {"value": carbon / 1000, "unit": "tCO2eq"}} if is_number(carbon) else {}),
        "properties": [
            {"name": f"{_OWN}:what", "value": what},
            {"name": f"{_OWN}:source", "value": words.SOURCES.get(str(phase.get("source")), words.PAGE["unknown"])},
        ],
    }
