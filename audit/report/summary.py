"""The record as Markdown, short enough for a merge request or the summary of a pipeline's job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from audit.core.identifiers import base_id
from audit.core.records import Record, section
from audit.record.declarations import of_record
from audit.report.headline import headline
from audit.report.i18n import language
from audit.report.i18n.language import spoken, words
from audit.report.page import findings, plan, text
from audit.report.page.evidence import Limits
from audit.report.page.findings import FindingView

_WORD, _STEP = 300, 1_200
# Of HTML and of Markdown, and what GitHub and GitLab make links of.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&$]|:(?=//)|(?<=www)\.")
# There @name calls somebody, and #1, !1, $1, %1, &1 and ~name refer to something, even where they were escaped.
_CALLS = re.compile(r"([@#!$%~&^])(?=\w)")


@spoken
def render(record: Record) -> str:
    """The summary of a record that fits the schema.

    Parameters
    ----------
    record : mapping
        Its texts are not trusted: each stays a text, calls nobody and links nowhere.

    Returns
    -------
    str
        Markdown: the verdict in one sentence, what stands in the way and what to do about it, and all gates folded.
    """
    shown = text.shown(record)
    views = findings.views(shown, Limits())
    problems, alarms = findings.problems(views), findings.alarms(views)
    mark = words.RELEASES[shown["verdict"]]
    return "\n".join(
        [
            f"## {mark.sign} {plain(headline(shown))}",
            "",
            *(f"> {plain(notice)}\n" for notice in findings.notices(shown, shortened=False)),
            *_about(shown),
            *_problems(problems),
            *(f"**{plain(each.sentence)}**\n" for each in findings.better(shown)),
            *_alarms(alarms),
            *_plan(plan.steps(shown, problems, alarms)),
            *_turned(shown),
            *_folded(words.ALL_GATES, _table([view for view in views if view.gated])),
            plain(words.SUMMARY_OF),
            "",
            *([plain(translated), ""] if (translated := findings.translated()) else []),
        ]
    )


def _about(record: Record) -> Iterator[str]:
    """Who answers for the model, and what it is for, where the policy states it."""
    about = section(record["policy"], "about")
    stated = {name: about[name] for name in ("owner", "intended_use", "affected") if isinstance(about.get(name), str)}
    for name, value in stated.items():
        yield f"- {_labelled(words.SIGN[name], plain(str(value)))}"
    if stated:
        yield ""


def _problems(problems: Sequence[FindingView]) -> Iterator[str]:
    if not problems:
        return
    yield from _table(problems)
    yield ""
    for view in problems:
        if told := language.together((view.alibi, view.waiver)):
            yield f"- {_headed(view.heading, plain(told, 2 * _WORD))}"
    yield ""


def _alarms(alarms: Sequence[FindingView]) -> Iterator[str]:
    if not alarms:
        return
    yield words.SEVERAL.format(title=f"**{plain(words.PAGE['alarms'])}**", count=len(alarms))
    yield ""
    for view in alarms:
        told = language.together((view.summary, view.answer))
        yield f"- {_headed(view.heading, plain(told))}"
    yield ""


def _plan(steps: Sequence[plan.Step]) -> Iterator[str]:
    if not steps:
        return
    yield f"**{plain(words.PAGE['next'])}**"
    yield ""
    for i, step in enumerate(steps, 1):
        told = language.together((step.action, *step.effects, *step.conflicts))
        yield f"{i}. {_labelled(step.names, plain(told, _STEP))}"
    yield ""


def _table(views: Sequence[FindingView]) -> Iterator[str]:
    heads, are_owned = ["verdict", "finding", "result", "gate"], any(view.owner for view in views)
    if are_owned:
        heads.append("answers")
    yield f"| {' | '.join(words.PAGE[name] for name in heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for view in views:
        result = view.short_result if view.measured else view.problem
        cells = [f"{view.mark.sign} {view.mark.word}", view.name, result, view.gate or "–"]
        if are_owned:
            cells.append(view.owner or "–")
        yield f"| {' | '.join(plain(cell) for cell in cells)} |"


def _turned(record: Record) -> Iterator[str]:
    """The verdicts that are others than in the former audit."""
    baseline, known = record.get("baseline"), of_record(record)
    turned = baseline["turned"] if baseline else ()
    for each in turned:
        before, now = (words.VERDICTS[verdict].word for verdict in (each["before"], each["now"]))
        name = plain(findings.named(each["id"], known.get(base_id(each["id"]))))
        yield f"- {words.LABELLED.format(word=name, said=f'{before} → {now}')}"
    if turned:
        yield ""


def _folded(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _labelled(name: str, said: str) -> str:
    return words.LABELLED.format(word=f"**{plain(name)}**", said=said)


def _headed(heading: str, said: str) -> str:
    """A heading has a colon already."""
    return language.together((f"**{plain(heading)}**{language.stop()}", said))


def plain(value: str, length: int = _WORD) -> str:
    """A text that Markdown shows as it is, on one line."""
    line = " ".join(text.short(text.unvoiced(value), length).split())
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", _CALLS.sub("\\1\N{WORD JOINER}", line))
