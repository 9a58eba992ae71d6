"""Quality: answers that hang on what is no reason: a rating left in the text, a site's name, a mark, the length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.evidence import Cell, Evidence, Fact, Facts, Pairs, Table
from audit.core.looks import Looks, in_batches
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import FIXED, PAIRED, clustered, of_sample
from audit.probes.quality import shortcut_search as search
from audit.probes.quality.shortcut_search import Association, Part, Tried
from audit.probes.slices import in_drawn_order
from audit.statistics import Settling
from audit.text.cues import KINDS, Cue
from audit.text.redaction import count, redact, shown_pairs

_SHOWN = 6  # texts that the strongest shortcut turned


@Probe(
    id="quality.shortcut",
    challenge="quality",
    title="Answers that hang on a shortcut",
    unit=SHARE,
    counts="share of answers turned beyond a placebo",
    better="lower",
    meaning=(
        "How many answers turn when something that is no reason is put into a text or taken out of it: a rating left "
        "in it, a handle or hashtag, a link, markup, a name, a set phrase, a mark, the length. Of what goes with a "
        "label, the strongest is counted, beyond what a like thing turns that goes with none."
    ),
    harm=(
        "The model is right for a wrong reason: it fails where the habit of its training data does not hold, and "
        "whoever knows the habit chooses the answer."
    ),
    remedy=(
        "Take such marks out of the training texts, or give them to texts of every label alike, and train again; mask "
        "them in use too."
    ),
    measured_on=("test data", "training data"),
    alarm=Alarm(0.1, "One answer in ten follows what is no reason for any."),
    rules=(
        "MEASURE 2.3",
        "MEASURE 2.5",
        "Article 9(8)",
        "Article 10",
        "Article 13",
        "Article 15(1) and (3)",
        "A.6.2.4",
    ),
    guide="docs/shortcuts.md",
    passes=20,
)
def shortcut(scorer: Scorer, predictions: Predictions, train_data: Examples | None = None) -> Looks:
    """Largest share of answers that a cue turns, put into texts or taken out, beyond its placebo.

    Parameters
    ----------
    scorer : Scorer
    predictions : Predictions
        Of the test texts, told their examples.
    train_data : Examples, optional
        Tells which cues go with a label. Without them only those are known that the answers go with.

    Raises
    ------
    NotAssessed
        If no cue stands in enough texts, or too few texts are left to ask about.

    Notes
    -----
    See :mod:`audit.probes.quality.shortcut_search`. Which cues are measured depends on the training data and on one
    half of the test texts, what is measured on the other. The pairs (cue, placebo) of each part are compared by
    :func:`audit.statistics.paired_differences`, the largest bounded by :func:`audit.statistics.largest`.
    """
    drawn = in_drawn_order(predictions)
    train = None if train_data is None else (train_data.texts, train_data.labels)
    study = _Study(scorer, drawn, search.parts(drawn, train), has_train=train is not None)
    total = max(len(piece.measure) for piece in study.pieces)
    return in_batches(total, drawn.known.protocol.confidence, study.ask)


@dataclass
class _Study:
    """Tries the parts out, measures the strongest, and keeps what was answered."""

    scorer: Scorer
    predictions: Predictions
    pieces: Sequence[Part]
    has_train: bool
    answers: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = field(default_factory=list)

    @cached_property
    def tried(self) -> list[Tried]:
        return search.try_out(self.pieces, self.predictions.known.texts, self.scorer.predict)

    @cached_property
    def names(self) -> dict[Cue, str]:
        """What a reader calls each cue; those whose names are masked alike are numbered."""
        named = {piece.candidate.cue: name(piece.candidate.cue) for piece in self.pieces}
        alike, seen = Counter(named.values()), Counter[str]()
        for cue, called in named.items():
            if alike[called] > 1:
                seen[called] += 1
                named[cue] = Sentence("{cue} no. {number}", cue=called, number=seen[called])
        return named

    @cached_property
    def measured(self) -> list[Part]:
        return search.strongest(self.tried)

    def ask(self, start: int, stop: int) -> Callable[[float], Result]:
        """Ask about the next texts of each part."""
        wanted = [(piece, piece.measure[start:stop]) for piece in self.measured]
        new = search.ask(wanted, self.predictions.known.texts, self.scorer.predict)
        if self.answers:
            new = [
                (np.concatenate([a, c]), np.concatenate([b, d]))
                for (a, b), (c, d) in zip(self.answers, new, strict=True)
            ]
        self.answers = new
        return _Measured(self, tuple(new)).result


@dataclass(frozen=True)
class _Measured:
    """What the parts and their placebos turned so far."""

    study: _Study
    answers: Sequence[tuple[NDArray[np.bool_], NDArray[np.bool_]]]

    @property
    def known(self) -> Examples:
        return self.study.predictions.known

    @property
    def pieces(self) -> list[Part]:
        return self.study.measured

    def rows(self, part: int) -> NDArray[np.int64]:
        return np.array(self.pieces[part].measure[: len(self.answers[part][0])], dtype=np.int64)

    def effects(self) -> list[statistics.DesignEffect]:
        clusters = self.known.clusters
        return [
            statistics.paired_effect(*pair, None if clusters is None else clusters[self.rows(i)])
            for i, pair in enumerate(self.answers)
        ]

    def result(self, confidence: float) -> Result:
        lost, gained, n = (
            np.array(each) for each in zip(*(statistics.discordant(*pair) for pair in self.answers), strict=True)
        )
        effects = self.effects()
        strict = statistics.shared_out(confidence, len(self.pieces))

        def bounds(level: float) -> statistics.Bounds:
            kept = np.array([float(each.kept(level)) for each in effects])
            return statistics.paired_differences(lost, gained, n, level, kept=kept)

        plain, adjusted = bounds(confidence), bounds(strict)
        largest = statistics.as_interval(statistics.largest(plain, adjusted))
        estimate, low, high = (min(max(bound, 0.0), 1.0) for bound in largest)
        worst = int(np.argmax(plain[0]))
        asked = int(n[worst])
        found = Result(
            estimate,
            min(low, estimate),
            high,
            asked,
            _method(len(self.study.pieces), len(self.pieces)),
            confidence,
            summary=self._summary(worst),
            caveats=_caveats(self.known.protocol.language, self.study.has_train),
            ceiling=FIXED if asked == search.MEASURE else of_sample(self.known),
            evidence=[self._table(adjusted), self._tried(), *self._texts(worst), self._facts()],
            settle=_settling(estimate, min(low, estimate), high, asked, (confidence, strict)),
        )
        return clustered(found, effects[worst], self.known.protocol.cluster)

    def _summary(self, worst: int) -> str:
        piece, (turned, by_placebo) = self.pieces[worst], self.answers[worst]
        return Sentence(
            "The strongest: {cue}, {edit}, turns {turned:.0f} of 100 answers {direction} “{label}”; its placebo "
            "{placebo:.0f}.",
            cue=self.study.names[piece.candidate.cue],
            edit=_edit(piece),
            turned=100 * turned.mean(),
            direction=Sentence("to") if piece.inserts else Sentence("away from"),
            label=self.known.classes[piece.candidate.found.target],
            placebo=100 * by_placebo.mean(),
        )

    def _table(self, gaps: statistics.Bounds) -> Table:
        order = np.argsort(-gaps[0], kind="stable")
        rows: list[list[Cell]] = []
        for i in order:
            piece, (turned, by_placebo) = self.pieces[i], self.answers[i]
            rows.append(
                [
                    *self._about(piece.candidate.found), _edit(piece), piece.candidate.placebo.shown,
                    count(len(turned)), float(turned.mean()), float(by_placebo.mean()),
                    *(float(side[i]) for side in gaps),
                ]
            )  # fmt: skip
        return Table(
            Sentence("Measured on the other half of the test texts: answers turned, and beyond the placebo"),
            [
                *_ABOUT, Sentence("edit"), Sentence("placebo"), Sentence("texts asked"), Sentence("turned"),
                Sentence("turned by the placebo"), Sentence("beyond it"), Sentence("low"), Sentence("high"),
            ],
            rows,
            units=[*_ABOUT_UNITS, "", "", "", SHARE, SHARE, POINTS, POINTS, POINTS],
        )  # fmt: skip

    def _tried(self) -> Table:
        rows: list[list[Cell]] = [
            [*self._about(each.part.candidate.found), _edit(each.part), each.turned, each.by_placebo]
            for each in sorted(self.study.tried, key=lambda each: -each.beyond)
        ]
        return Table(
            Sentence("Tried out on one half of the test texts, from which the strongest were chosen"),
            [*_ABOUT, Sentence("edit"), Sentence("turned"), Sentence("turned by the placebo")],
            rows,
            units=[*_ABOUT_UNITS, "", SHARE, SHARE],
        )

    def _about(self, found: Association) -> list[Cell]:
        return [
            self.study.names[found.cue], self.known.classes[found.target], found.origin, count(len(found.rows)),
            found.share, found.base,
        ]  # fmt: skip

    def _texts(self, worst: int) -> Iterator[Evidence]:
        piece, (turned, by_placebo) = self.pieces[worst], self.answers[worst]
        rows = self.rows(worst)[turned & ~by_placebo]
        items = shown_pairs(self._pairs(piece, rows), _SHOWN, self.known.row_of)
        if items:
            caption = Sentence(
                "Answers that it turned, and the placebo did not: {cue}, {edit}",
                cue=self.study.names[piece.candidate.cue],
                edit=_edit(piece),
            )
            yield Pairs(caption, items)

    def _pairs(self, piece: Part, rows: NDArray[np.int64]) -> Iterator[tuple[str, str, str]]:
        classes, target = self.known.classes, piece.candidate.found.target
        for i in rows:
            former = classes[self.study.predictions.labels[i]]
            answer = classes[target] if piece.inserts else Sentence("not {label}", label=classes[target])
            text = self.known.texts[i]
            yield text, piece.edited(text)[0], Sentence("{former} → {answer}", former=former, answer=answer)

    def _facts(self) -> Facts:
        tried = {id(piece.candidate) for piece in self.study.pieces}
        measured = {id(piece.candidate) for piece in self.pieces}
        return Facts((Fact(Sentence("cues tried out"), len(tried)), Fact(Sentence("cues measured"), len(measured))))


_ABOUT = (
    Sentence("cue"), Sentence("goes with"), Sentence("by"), Sentence("texts with it"), Sentence("of these so labelled"),
    Sentence("of all"),
)  # fmt: skip
_ABOUT_UNITS = ("", "", "", "", SHARE, SHARE)


def name(cue: Cue) -> str:
    """What a reader calls a cue; personal data masked."""
    if cue.kind == "length":
        if cue.key == "long":
            return Sentence("{words:,} words or more", words=cue.words)
        return Sentence("{words:,} words or fewer", words=cue.words)
    if cue.is_group:
        return _GROUPS[cue.kind, cue.key]
    return Sentence("{kind} “{form}”", kind=KINDS[cue.kind], form=redact(cue.forms[0]))


_GROUPS = {
    ("rating", "high"): Sentence("any rating in the upper half of its scale"),
    ("rating", "low"): Sentence("any rating in the lower half of its scale"),
    ("handle", "any"): Sentence("any handle"),
    ("hashtag", "any"): Sentence("any hashtag"),
    ("link", "any"): Sentence("any link"),
}


def _edit(piece: Part) -> str:
    if piece.candidate.cue.kind == "length":
        return Sentence("said again")
    return Sentence("put in") if piece.inserts else Sentence("taken out")


def _method(parts: int, measured: int) -> str:
    return Sentence(
        "Cues that go with a label of the training data, or with the answers to one half of the test texts, are put "
        "into texts of that half that lack them and taken out of those that have them ({parts} ways in all); the "
        "strongest ({measured}) are measured on the other half, each against a like cue that goes with no label, at "
        "the same place. The share turned less that of the placebo, over the same texts; {paired}; the lower bound is "
        "adjusted for their number (Bonferroni, the first step of Holm 1979), the upper bound is the largest of them "
        "(Berger 1982).",
        parts=parts,
        measured=measured,
        paired=PAIRED,
    )


def _caveats(language: str, has_train: bool) -> list[str]:
    caveats: list[str] = [
        Sentence(
            "It speaks of cues that can be told by their form. Words are none, but for names and set phrases that read "
            "as no opinion: whether any other word is a reason, a person must say."
        )
    ]
    if language != "en":
        caveats.append(
            Sentence(
                "Hashtags, names and set phrases were not searched: which words are opinions is known of English only."
            )
        )
    if not has_train:
        caveats.append(
            Sentence(
                "There are no training data: only cues that enough test texts have were tried out, by the answers to "
                "them."
            )
        )
    return caveats


def _settling(
    estimate: float, low: float, high: float, n: int, levels: tuple[float, float]
) -> Callable[[float], Settling | None]:
    """From a gate to the texts that would settle it."""

    def settle(gate: float) -> Settling | None:
        bound, level = (low, levels[1]) if gate <= estimate else (high, levels[0])
        total = statistics.sample_to_settle(estimate, bound, gate, n, level)
        return None if total is None else Settling(total)

    return settle
