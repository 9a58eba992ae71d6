"""Transparency: whether somebody else could make model and audit again, and is told what they need to know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from audit.core.evidence import Table
from audit.core.measurement import Result
from audit.core.numbers import is_number
from audit.core.probe import Alarm, Probe
from audit.core.sentences import Sentence, joined, listed
from audit.models.model_card import Card, is_told
from audit.text.redaction import printable

MISSING = Sentence("missing")


@Probe(
    id="transparency.provenance",
    challenge="transparency",
    title="Facts missing of how the model was made",
    unit="",
    counts="facts missing",
    better="lower",
    meaning=(
        "Whether the record holds what somebody needs to make this model and this audit again: fingerprints, "
        "versions, seeds, the recipe, the data."
    ),
    harm="Without it nobody can check later what was released and why.",
    remedy="Supply what the table names as missing.",
    measured_on=("files",),
    range=(0, None),
    alarm=Alarm(1, "Without any one of them the model, or this audit of it, may be impossible to make again."),
    rules=(
        "MEASURE 2.1",
        "MEASURE 2.8",
        "MEASURE 2.9",
        "Article 9(8)",
        "Article 11 and annex IV, point 2",
        "A.6.2.4",
        "A.6.2.7",
        "A.7.5",
    ),
    cause="documentation",
)
def provenance(facts: Mapping[str, str | None]) -> Result:
    """How many of the facts that are needed to repeat model and audit are missing; a census.

    Parameters
    ----------
    facts : mapping of str to str or None
        Name of the fact to what the record holds of it; None where it is missing.
    """
    missing = [name for name, value in facts.items() if not value]
    return Result.census(
        len(missing),
        len(facts),
        Sentence(
            "The record looked through for each fact that is needed to repeat the training and the audit. A census has "
            "no sampling error."
        ),
        sample=Sentence("facts"),
        summary=Sentence("The record does not tell: {missing}.", missing=listed(missing)) if missing else "",
        evidence=[
            Table(
                Sentence("What the record holds"),
                [Sentence("fact"), Sentence("held")],
                [[name, value or MISSING] for name, value in facts.items()],
            )
        ],
    )


class CardFact(NamedTuple):
    """What whoever uses a model needs to know of it.

    Parameters
    ----------
    name : str
    headings : str
        Regular expression of the words by which headings and labels announce it, in small letters without signs.
    keys : tuple of str
        Keys of the card's metadata that tell it, as the Hugging Face Hub defines them.
    asked_by : str
        Where it is asked for: a section of Mitchell et al. 2019, "Model Cards for Model Reporting" (FAT* 2019), the
        Hugging Face Hub's template and metadata, or a provision of Regulation (EU) 2024/1689.
    """

    name: str
    headings: str
    keys: tuple[str, ...]
    asked_by: str


_DATA = r"(?:data ?sets?|data|corpus|corpora|sets?|splits?)"
_OUT_OF_SCOPE = (
    r"out of scope(?: use(?:s| cases?)?)?|(?:un|non |not )intended(?: for| use(?:s| cases?)?)?|misuses?"
    r"|(?:prohibited|inappropriate|unsuitable|malicious) (?:uses?|applications?)"
    r"|(?:not|never) (?:to )?(?:be )?used?\b.*"
)
FACTS = (
    CardFact(
        Sentence("what the model is"),
        r"model (?:details|description|overview|summary|type)|^(?:overview|description|introduction|about.*|model)$",
        (),
        Sentence("Mitchell et al., 4.1; Hub template"),
    ),
    CardFact(
        Sentence("who made it, or whom to ask"),
        r"developed by|developers?|authors?|contact|creators?|created by|made by|maintain(?:ed by|ers?)|providers?"
        r"|owners?|organi[sz]ation|shared by|published by|publisher",
        (),
        Sentence("Mitchell et al., 4.1; AI Act, article 13(3)(a)"),
    ),
    CardFact(
        Sentence("licence"), r"licen[cs](?:es?|ing)", ("license",), Sentence("Mitchell et al., 4.1; Hub metadata")
    ),
    CardFact(
        Sentence("language of the texts"),
        r"(?<!programming )languages?(?! models?\b)",
        ("language",),
        Sentence("Hub metadata; AI Act, article 13(3)(b)(vi), specifications for the input"),
    ),
    CardFact(
        Sentence("intended use"),
        r"(?:intended|direct|primary|downstream|recommended) (?:uses?|users?|purposes?|applications?)|intended for"
        r"|^uses$|use cases?|^(?:intended )?purposes?$|^applications?$",
        (),
        Sentence("Mitchell et al., 4.2; AI Act, article 13(3)(b)(i)"),
    ),
    CardFact(
        Sentence("uses it is not made for"),
        _OUT_OF_SCOPE,
        (),
        Sentence("Mitchell et al., 4.2; AI Act, article 13(3)(b)(iii), misuse"),
    ),
    CardFact(
        Sentence("training data"),
        rf"training (?:and \w+ )?{_DATA}|train {_DATA}|trained on|^data(?: ?sets?)?(?: used)?$",
        ("datasets",),
        Sentence("Mitchell et al., 4.6; AI Act, article 13(3)(b)(vi)"),
    ),
    CardFact(
        Sentence("evaluation data"),
        rf"(?:evaluation|eval|test|testing|validation) {_DATA}|(?:evaluated|tested) on",
        ("model-index",),
        Sentence("Mitchell et al., 4.5; AI Act, article 13(3)(b)(vi)"),
    ),
    CardFact(
        Sentence("results of the evaluation"),
        r"results?|performance|quantitative analys[ei]s|metrics?|accuracy|^evaluation$|benchmarks?|scores?",
        ("model-index",),
        Sentence("Mitchell et al., 4.4 and 4.7; AI Act, article 13(3)(b)(ii)"),
    ),
    CardFact(
        Sentence("limits and risks"),
        r"limits|limitations?|risks?|caveats?|known issues|weaknesses|failure (?:modes|cases)",
        (),
        Sentence("Mitchell et al., 4.9; AI Act, article 13(3)(b)(iii)"),
    ),
    CardFact(
        Sentence("biases and ethical considerations"),
        r"bias(?:es|ed)?|ethics|ethical|fairness|discrimination|societal|social impacts?|factors|groups of people",
        (),
        Sentence("Mitchell et al., 4.3 and 4.8; AI Act, article 13(3)(b)(v), groups of people"),
    ),
    CardFact(
        Sentence("energy, emissions or computing resources"),
        r"environmental|emissions?|co2\w*|carbon|energy|electricity|comput(?:e|ing) \w+|computational resources"
        r"|hardware|hours used",
        ("co2_eq_emissions",),
        Sentence("Hub template and metadata; AI Act, annex IV(2)(c)"),
    ),
)
_LONGEST_LABEL = 5  # words; what is longer is a sentence with a colon


@Probe(
    id="transparency.model_card",
    challenge="transparency",
    title="Facts missing from the model card",
    unit="",
    counts="facts missing",
    better="lower",
    meaning=(
        "Whether the card that comes with the model, README.md in its folder, tells what those who use it need to know"
        ": what it is made for and what not, from which data, how well it does, its limits, whom to ask."
    ),
    harm="People use a model for what it was never made for, and nobody learns its limits before somebody is harmed.",
    remedy=(
        "Write what the table names as missing. `python -m audit card` adds what an audit knows: results, test data "
        "and, where it trained the model, emissions."
    ),
    measured_on=("files",),
    range=(0, len(FACTS)),
    alarm=Alarm(
        4, "All but three of the twelve are asked for by article 13 of the EU AI Act: one of those is missing."
    ),
    rules=(
        "MEASURE 2.1",
        "MEASURE 2.8",
        "MEASURE 2.9",
        "Article 9(8)",
        "Article 11 and annex IV, point 2",
        "A.6.2.4",
        "A.6.2.7",
    ),
    guide="docs/model-documentation.md",
    cause="documentation",
)
def model_card(card: Card) -> Result:
    """How many of the facts that whoever uses a model needs are missing in its card; a census.

    Parameters
    ----------
    card : Card
        What was read of the card; its headings and metadata are not trusted.
    """
    places = _places(card)
    missing = [fact.name for fact in FACTS if fact.name not in places]
    if not card.exists:
        summary = Sentence("The model has no card: none of the {n} facts is told.", n=len(FACTS))
    elif missing:
        summary = Sentence("The model's card does not tell: {missing}.", missing=listed(missing))
    else:
        summary = Sentence("The model's card tells something of each of the {n} facts.", n=len(FACTS))
    return Result.census(
        len(missing),
        len(FACTS),
        Sentence(
            "README.md in the model's folder was searched for each fact, by headings, labels and metadata. A heading "
            "with nothing below it, or with no more than a template's own words, tells nothing. The list of facts "
            "follows Mitchell et al. 2019, Model Cards for Model Reporting, section 4, the Hugging Face Hub's model "
            "cards, and article 13 and annex IV of the EU AI Act. A census has no sampling error."
        ),
        sample=Sentence("facts"),
        summary=joined([summary, *card.notes]),
        caveats=[
            Sentence(
                "It was checked that something is told, not that it is true, clear or enough: a person must read it."
            ),
            Sentence("Headings and labels are recognised in English only."),
        ],
        evidence=[
            Table(
                Sentence("What the card tells"),
                [Sentence("fact"), Sentence("told under"), Sentence("asked for by")],
                [[fact.name, places.get(fact.name, MISSING), fact.asked_by] for fact in FACTS],
            )
        ],
    )


def _places(card: Card) -> dict[str, str]:
    """Where each fact that is told is told."""
    found: dict[str, str] = {}
    for part in card.parts:
        label = part.label if len(part.label.split()) <= _LONGEST_LABEL else ""
        # A line belongs to its label, else to the nearest heading that announces a fact.
        for said in (label, *reversed(part.headings)):
            if names := _announced(said):
                found |= {name: printable(said.strip(), 60) for name in names if name not in found}
                break
        else:
            if part.titled:
                found.setdefault(FACTS[0].name, Sentence("the title"))
    for fact in FACTS:
        for key in fact.keys:
            if fact.name not in found and _holds(fact.name, card.metadata.get(key)):
                found[fact.name] = Sentence("metadata: {key}", key=key)
    return found


@lru_cache(maxsize=4096)
def _announced(heading: str) -> tuple[str, ...]:
    """The facts that a heading or label announces."""
    plain = " ".join(re.sub(r"[\W_]+", " ", heading.lower()).split())
    # "Not intended uses" announces no intended ones.
    rest = re.sub(rf"\b(?:{_OUT_OF_SCOPE})", " ", plain)
    return tuple(
        fact.name
        for fact in FACTS
        if re.search(rf"\b(?:{fact.headings})(?!\w)", plain if fact.headings == _OUT_OF_SCOPE else rest)
    )


def _holds(name: str, value: object) -> bool:
    """Whether a value of the metadata tells a fact."""
    if name == "evaluation data":
        return any(_holds("", each.get("dataset")) for each in _evaluations(value))
    if name == "results of the evaluation":
        metrics = [metric for each in _evaluations(value) for metric in _mappings(each.get("metrics"))]
        return any(_holds("", metric.get("value")) for metric in metrics)
    if name == "language of the texts" and value is False:
        return True  # YAML's reading of "no", Norwegian
    if isinstance(value, str):
        return is_told(value)
    if isinstance(value, list):
        return any(isinstance(each, str) and is_told(each) for each in value)
    if isinstance(value, Mapping):
        return any(_holds("", each) for key, each in value.items() if key in ("name", "type", "emissions"))
    return is_number(value)


def _evaluations(index: object) -> list[Mapping[str, object]]:
    """The results of a model-index."""
    return [each for model in _mappings(index) for each in _mappings(model.get("results"))]


def _mappings(values: object) -> list[Mapping[str, object]]:
    return [each for each in values if isinstance(each, Mapping)] if isinstance(values, list) else []
