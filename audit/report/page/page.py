"""The HTML report: one page, made from ``audit.json`` alone, that opens anywhere and loads nothing.

It only shows what the record says; it measures nothing and reaches no verdict.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from audit.core.records import Record
from audit.report import headline
from audit.report.i18n import language
from audit.report.i18n.language import spoken
from audit.report.i18n.typography import full_width
from audit.report.page import charts, facts, families, findings, plan, power, signature, standards, terms, text
from audit.report.page.evidence import Limits
from audit.text.redaction import SMALLEST_CELL

LARGEST = 2_000_000
# What is looked up, behind the findings: the anchor of each part and its word.
_ANNEX = {
    "coverage": "coverage", "scope": "scope", "training": "training", "energy": "energy", "reading": "reading",
    "power": "power", "words": "glossary", "standards": "standards", "provenance": "provenance",
}  # fmt: skip
# Tried in turn until the page is small enough: full evidence, shortened evidence, almost none.
_LIMITS = (
    Limits(),
    Limits(rows=20, columns=20, examples=4, figures=20, cell=100),
    Limits(rows=3, columns=8, examples=1, figures=4, cell=40),
)


@spoken
def render(record: Record, sha256: str = "") -> str:
    """The report of a record that fits the schema, as HTML.

    Parameters
    ----------
    record : mapping
        Its texts are not trusted: they are shortened, freed of unseen characters, and escaped.
    sha256 : str
        Of the record's file; empty where it is not known.
    """
    html, shown = "", text.shown(record)
    for limits in _LIMITS:
        html = _render(shown, limits, sha256)
        if len(html.encode()) <= LARGEST:
            break
    return html


def _render(shown: Record, limits: Limits, sha256: str) -> str:
    views = findings.views(shown, limits)
    problems, alarms = findings.problems(views), findings.alarms(views)
    anchors = {view.id: view.anchor for view in views}
    html = page(
        "report.html",
        record=shown,
        data_language=findings.setting(shown, "data", "language"),
        translated=findings.translated(),
        no_texts=findings.without_texts(shown),
        mark=language.words.RELEASES[shown["verdict"]],
        word=headline.word(shown),
        said=headline.said(shown),
        cost=findings.cost(shown),
        notices=findings.notices(shown, limits is not _LIMITS[0]),
        views=views,
        gates=[view for view in views if view.gated],
        problems=families.groups(problems),
        steps=plan.steps(shown, problems, alarms),
        alarms=families.groups(alarms),
        number_of_alarms=len(alarms),
        alarmed=findings.alarmed(shown),
        harmed=findings.harmed(problems, alarms),
        better=[(each.sentence, anchors.get(each.id)) for each in findings.better(shown)],
        uncovered=families.uncovered(views),
        cover=families.cover(views),
        sections=families.sections(views),
        verdicts=families.by_verdict(views),
        annex=[(name, language.words.PAGE[title]) for name, title in _ANNEX.items()],
        running=_running(sha256),
        charts=charts,
        standards=standards.tables(views),
        signature=signature.of(shown, views, sha256),
        certainty=findings.certainty(shown, views),
        since=facts.since(shown, limits),
        asked=facts.asked(shown),
        history=facts.history(shown["model"].get("training") or {}),
        recipe=facts.recipe(shown["model"].get("training") or {}),
        training_facts=facts.training(shown),
        phases=facts.phases(shown),
        memory=findings.memory(taken) if (taken := findings.electricity(shown)) else "",
        stated_power=facts.power(shown),
        grids=facts.grids(shown, limits),
        country=findings.setting(shown, "audit", "country"),
        run_facts=facts.run(shown),
        model_facts=facts.model(shown),
        model_files=facts.model_files(shown, limits),
        data_facts=facts.data(shown),
        data_sheet=facts.data_sheet(shown, limits),
        smallest=SMALLEST_CELL,
        scope=facts.scope(shown, views),
        versions=facts.versions(shown),
        power=power,
        auditor=power.version(shown),
    )
    return text.unbroken(terms.linked(html))


def _running(sha256: str) -> str:
    """What stands at the foot of each printed sheet: the page's number, and the record that it was made from.

    Of the record only the digits of its hash come into the style sheet, so that nothing else can.
    """
    digits = sha256 if re.fullmatch("[0-9a-f]{64}", sha256) else ""
    foot = language.words.FOOT.format(sha256=digits) if digits else ""
    number = language.words.NUMBERED.format(page='" counter(page) "', pages='" counter(pages) "')
    return f'@page {{ @bottom-left {{ content: "{foot}"; }} @bottom-right {{ content: "{number}"; }} }}\n'


def page(template: str, running: str = "", **values: object) -> str:
    """A page from a template of ours: with the one style sheet, whose hash is all that its policy lets through."""
    style = files("audit.report.page").joinpath("report.css").read_text("utf-8") + running
    return full_width(
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704  (it is ours)
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            w=language.words.PAGE,
            words=language.words,
            lang=language.tag(),
            **values,
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("audit.report.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=text.voiced,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "anchor": terms.anchor,
        "cell": text.cell,
        "figure": text.figure,
        "date": text.date,
        "large": text.large,
        "plainly": text.plainly,
        "short": text.short,
        "sentence": text.sentence,
        "technical": text.technical,
        "fingerprint": text.fingerprint,
        "toml": text.policy_file,
        "unvoiced": text.unvoiced,
    }
    return environment
