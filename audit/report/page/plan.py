"""What to do next, as one plan: steps by cause, what each was measured to do, and where two pull against each other.

It orders and joins what findings and declarations say; it judges nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from audit.core.evidence import Pareto, ParetoModel, from_json
from audit.core.identifiers import base_id
from audit.core.numbers import SHARE, is_number
from audit.core.records import Record
from audit.core.verdict import is_alarm
from audit.report.i18n import language
from audit.report.i18n.language import words
from audit.report.page import text
from audit.report.page.findings import FindingView

# Levers that a step pulls in one direction and another one in the other.
_OPPOSED = (("train less", "train more"), ("smaller model", "larger model"))
_ALIKE = 0.01  # accuracies that differ by no more are told as nearly the same


class Step(NamedTuple):
    """What to do about findings of one cause: their names, what to do, and what is known of it beforehand."""

    names: str
    action: str
    effects: Sequence[str] = ()
    conflicts: Sequence[str] = ()


class _Cause(NamedTuple):
    """Findings that one step is for."""

    title: str
    views: Sequence[FindingView]

    @property
    def levers(self) -> frozenset[str]:
        return frozenset(lever for view in self.views if view.declared for lever in view.declared.levers)


def steps(record: Record, problems: Sequence[FindingView], alarms: Sequence[FindingView]) -> list[Step]:
    """The plan: what stands in the way first, weightiest first, then the alarms that nobody answers for."""
    own = [*problems, *(view for view in alarms if is_alarm(view.finding))]
    causes: dict[tuple[str, str], list[FindingView]] = {}
    for view in own:
        key = ("cause", _cause(view)) if view.is_to_improve else ("action", view.action)
        causes.setdefault(key, []).append(view)
    to_improve = [_Cause(_title(views), views) for (kind, _), views in causes.items() if kind == "cause"]
    return [
        _improve(record, _Cause(_title(views), views), to_improve)
        if kind == "cause"
        else Step(_names(views), views[0].action)
        for (kind, _), views in causes.items()
    ]


def _cause(view: FindingView) -> str:
    return (view.declared.cause if view.declared else "") or base_id(view.id)


def _title(views: Sequence[FindingView]) -> str:
    declared = views[0].declared
    return words.CAUSES[declared.cause] if declared and declared.cause in words.CAUSES else views[0].title


def _names(views: Iterable[FindingView]) -> str:
    """The names of findings; many of one measure by their number."""
    together: dict[str, list[FindingView]] = {}
    for view in views:
        together.setdefault(base_id(view.id), []).append(view)
    return words.COMMA.join(
        own[0].name if len(own) == 1 else words.SEVERAL.format(title=own[0].title, count=len(own))
        for own in together.values()
    )


def _improve(record: Record, cause: _Cause, all_: Sequence[_Cause]) -> Step:
    names = _names(cause.views)
    if len({base_id(view.id) for view in cause.views}) > 1:
        names = words.CAUSE_OF.format(cause=cause.title, names=names)
    told = list(dict.fromkeys(view.action for view in cause.views))
    if open_ := [view for view in cause.views if view.verdict == "inconclusive"]:
        told.insert(0, words.PROBABLY_FAILS.format(names=_names(open_)))
    return Step(names, language.together(told), list(_effects(record, cause)), list(_conflicts(cause, all_)))


def _conflicts(cause: _Cause, all_: Sequence[_Cause]) -> Iterator[str]:
    for pair in _OPPOSED:
        for own, other in (pair, pair[::-1]):
            others = [each.title for each in all_ if other in each.levers and own not in each.levers]
            if own in cause.levers and other not in cause.levers and others:
                yield words.CONFLICT.format(
                    own=words.LEVERS[own], other=words.LEVERS[other], others=words.COMMA.join(dict.fromkeys(others))
                )


def _effects(record: Record, cause: _Cause) -> Iterator[str]:
    """What was measured of the steps beforehand."""
    for view in cause.views:
        if said := view.finding.get("remedy_effect"):
            yield words.MEASURED_EFFECT.format(effect=text.said(said))
    if "train less" in cause.levers and (said := _of_fewer_epochs(record["model"].get("training") or {})):
        yield words.MEASURED_EFFECT.format(effect=said)
    if "smaller model" in cause.levers and (said := _of_a_smaller_model(record)):
        yield words.MEASURED_EFFECT.format(effect=said)


def _of_fewer_epochs(training: Mapping[str, object]) -> str:
    """How soon the training was nearly as good as at its end; empty where its progress does not say it."""
    history = training.get("history")
    entries = [each for each in history if isinstance(each, Mapping)] if isinstance(history, list) else []
    points = [(each.get("epoch"), each.get("validation_accuracy")) for each in entries]
    whole = [(epoch, accuracy) for epoch, accuracy in points if is_number(epoch) and is_number(accuracy)]
    if len(whole) < 2 or len(whole) < len(points):
        return ""
    epochs, accuracies = zip(*whole, strict=True)
    soon = next(i for i, accuracy in enumerate(accuracies) if accuracy >= accuracies[-1] - _ALIKE)
    soon = min(soon, len(whole) - 2)
    before, after = text.row([accuracies[soon], accuracies[-1]], SHARE)
    return words.FEWER_EPOCHS.format(
        epochs=text.figure(epochs[soon]), all=text.figure(epochs[-1]), before=before, after=after
    )


def _of_a_smaller_model(record: Record) -> str:
    """The most often right of the models beside the audited one that take less electricity."""
    for finding in record["findings"]:
        drawn = [each for each in map(from_json, finding["evidence"]) if isinstance(each, Pareto)]
        if not drawn:
            continue
        audited = next((each for each in drawn[0].models if each.audited), None)
        cheaper = [each for each in drawn[0].models if audited and _wh(each) < _wh(audited)]
        if not audited or not cheaper:
            return ""
        best = max(cheaper, key=lambda each: each.accuracy[0] or 0.0)
        accuracy, own_accuracy = text.row([best.accuracy[0], audited.accuracy[0]], SHARE)
        wh, own_wh = text.row([_wh(best), _wh(audited)])
        return words.SMALLER_MODEL.format(
            model=text.short(text.said(best.name), text.HEADER),
            accuracy=accuracy,
            own_accuracy=own_accuracy,
            wh=wh,
            own_wh=own_wh,
            source=words.SOURCES.get(finding.get("source", ""), words.PAGE["unknown"]),
        )
    return ""


def _wh(model: ParetoModel) -> float:
    return model.wh[0] or 0.0
