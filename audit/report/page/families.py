"""Where findings stand on the page: by challenge, in it by measure, and in a measure one row for each finding.

A measure with several findings (kinds of writing errors, capabilities, groups) is a family: its title, and what is said
of all its members, stand there once. The order is everywhere that of :attr:`FindingView.place`, so a family stands
where its weightiest member would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import NamedTuple

from audit.core.identifiers import base_id
from audit.report.i18n.language import counted, words
from audit.report.i18n.words import Mark
from audit.report.page.findings import FindingView

# Of what weighs: a challenge is in the state of the first of these that it holds.
_WEIGHTIEST = ("fail", "error", "inconclusive", "not_assessed", "not_run")


class Tally(NamedTuple):
    """How many findings have a verdict; `key` names it in the style sheet."""

    key: str
    mark: Mark
    number: int


class Family(NamedTuple):
    """The findings of one measure, weightiest first, each with what in that measure it is about."""

    title: str
    anchor: str
    rows: Sequence[tuple[FindingView, str]]
    tallies: Sequence[Tally]

    @property
    def is_single(self) -> bool:
        """Whether there is one finding only, which needs no heading above it."""
        return len(self.rows) == 1

    @property
    def about(self) -> FindingView:
        """The finding by which the measure is explained, for all of them."""
        return self.rows[0][0]

    @property
    def is_bad(self) -> bool:
        """Whether the harm that the measure tells of is at hand in any of them."""
        return any(view.is_bad for view, _ in self.rows)

    @property
    def caveats(self) -> list[str]:
        """Limits of most of them, which are told once."""
        counts = Counter(caveat for view, _ in self.rows for caveat in dict.fromkeys(view.caveats))
        measured = sum(view.measured for view, _ in self.rows)
        return [caveat for caveat, number in counts.items() if number > max(measured / 2, 1)]

    def own_caveats(self, view: FindingView) -> list[str]:
        """Limits of one of them alone."""
        return [caveat for caveat in view.caveats if caveat not in self.caveats]


class Section(NamedTuple):
    """A challenge: what a reader of a minute learns of it, and its findings."""

    challenge: str
    title: str
    question: str
    state: Mark
    label: str
    worst: FindingView | None
    tallies: Sequence[Tally]
    families: Sequence[Family]


class Group(NamedTuple):
    """Findings of one measure and verdict that a list tells together: the weightiest, and the others by their names."""

    first: FindingView
    others: Sequence[tuple[FindingView, str]]

    @property
    def number(self) -> int:
        """How many they are."""
        return 1 + len(self.others)


def sections(views: Sequence[FindingView]) -> list[Section]:
    """One for each challenge, in the order of the document that the project came from; others if there are any."""
    own = {name: [view for view in views if view.challenge == name] for name in words.SECTIONS}
    return [_section(name, found) for name, found in own.items() if found or name in words.CHALLENGES]


def _section(challenge: str, own: Sequence[FindingView]) -> Section:
    state = _state(own)
    return Section(
        challenge,
        *words.SECTIONS[challenge],
        _state_in_words(state, own),
        words.NEAREST if state in ("pass", "partly", "not_exceeded") else words.WORST,
        # The first that weighs is the weightiest, or comes nearest to its gate.
        next((view for view in own if view.weighs), None),
        tallies(own),
        families(own),
    )


def families(views: Iterable[FindingView]) -> list[Family]:
    """Findings by measure, in the order of the weightiest of each."""
    return [
        Family(
            own[0].title,
            f"measure-{own[0].anchor.removeprefix('finding-')}",
            [(view, _member(view) if len(own) > 1 else view.name) for view in own],
            tallies(own),
        )
        for own in _together(views, lambda view: base_id(view.id))
    ]


def groups(views: Iterable[FindingView]) -> list[Group]:
    """Findings as a list tells them: of one measure and verdict together; what somebody answers for stands alone."""

    def key(view: FindingView) -> Hashable:
        return (
            view.id
            if view.waiver or view.answer
            else (base_id(view.id), view.verdict, "" if view.measured else view.reason)
        )

    return [Group(own[0], [(view, _member(view)) for view in own[1:]]) for own in _together(views, key)]


def tallies(views: Iterable[FindingView]) -> list[Tally]:
    """How many findings have each verdict, in the order of the views."""
    return [Tally(own[0].key, own[0].mark, len(own)) for own in _together(views, lambda view: (view.key, view.mark))]


def by_verdict(views: Iterable[FindingView]) -> list[Tally]:
    """How many findings the page shows of each verdict that it can be filtered by."""
    return [
        # What became of a claim is none of its verdicts.
        Tally(own[0].key, words.VERDICTS[own[0].verdict] if own[0].outcome else own[0].mark, len(own))
        for own in _together(views, lambda view: view.key)
    ]


def cover(views: Iterable[FindingView]) -> str:
    """How much of what was asked the verdict does not cover, in a sentence."""
    aside = _aside(views)
    measured = sum(view.verdict == "reported" for view in aside)
    return words.COVER.format(measured=measured, missing=len(aside) - measured)


def uncovered(views: Sequence[FindingView]) -> list[Group]:
    """What decided nothing: measured without a gate, alarms apart, and then not assessed without a gate."""
    return groups(_aside(views))


def _aside(views: Iterable[FindingView]) -> list[FindingView]:
    return [view for view in views if not view.weighs and not view.finding.get("alarm")]


def _member(view: FindingView) -> str:
    return view.bracket or view.name


def _together(views: Iterable[FindingView], key: Callable[[FindingView], Hashable]) -> list[list[FindingView]]:
    by_key: dict[Hashable, list[FindingView]] = {}
    for view in views:
        by_key.setdefault(key(view), []).append(view)
    return list(by_key.values())


def _state(own: Sequence[FindingView]) -> str:
    """State of a challenge: its weightiest finding. It holds without reserve only if nothing in it is missing."""
    weighing = [view.verdict for view in own if view.weighs]
    for verdict in _WEIGHTIEST:
        if verdict in weighing:
            return verdict
    if not own:
        return "nothing"
    if "not_exceeded" in weighing:
        return "not_exceeded"
    if "pass" not in weighing:
        return "reported"
    return "partly" if any(view.verdict == "not_assessed" for view in own) else "pass"


def _state_in_words(state: str, own: Sequence[FindingView]) -> Mark:
    mark, phrase = words.STATES[state]
    gated = sum(view.gated for view in own)
    counts = Counter(view.verdict for view in own if view.weighs)
    hold, unexceeded = counts["pass"], counted(words.NOT_EXCEEDED, counts["not_exceeded"])
    count = gated if state in ("pass", "partly") else hold if state == "not_exceeded" else counts[state]
    missing = sum(view.verdict == "not_assessed" for view in own)
    fill = {"gates": _gates(own), "missing": missing, "hold": hold, "unexceeded": unexceeded}
    return mark._replace(word=counted(phrase, count, **fill))


def _gates(own: Sequence[FindingView]) -> str:
    return counted(words.GATES, sum(view.gated for view in own))
