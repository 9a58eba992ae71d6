"""Quality: whether an answer hangs on the text, or on its company, the arithmetic, or the luck of the training.

Whatever the kind, the same texts are asked about in several ways between which nothing that matters differs, and the
answers that differ are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed, NotFiniteError
from audit.core.evidence import Cell, Evidence, Pair, Pairs, Table
from audit.core.looks import Looks, in_batches
from audit.core.measurement import Result
from audit.core.probe import SHARE, Alarm, Probe
from audit.core.sentences import Sentence, joined, listed
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import clustered, of_sample
from audit.text.redaction import redact, withheld

KINDS = ("batch", "precision", "seed")
COMPANY = 3  # other texts in a batch
EXAMPLES_SHOWN = 8
Rows = NDArray[np.int64]
Answers = NDArray[np.float32]  # probabilities, shape (n, classes); a row that is no number is no answer
Scorers = Mapping[str, Callable[[], Scorer]]
_PRECISIONS: Mapping[str, str] = {
    "float32": Sentence("in float32"),
    "bfloat16": Sentence("in bfloat16"),
    "int8": Sentence("with linear layers in 8 bits"),
}
_NONE: Scorers = MappingProxyType({})


@dataclass(frozen=True)
class _Comparison:
    """In which ways the texts are asked about, and how that is told.

    Parameters
    ----------
    usual : callable
        From rows of the test data to the answers that all others are held against.
    others : mapping of str to callable
        From how else they are asked about to what gives those answers.
    method : str
    caveats : sequence of str
        Among them ways that could not be tried, and why.
    """

    usual: Callable[[Rows], Answers]
    others: Mapping[str, Callable[[Rows], Answers]]
    method: str
    caveats: Sequence[str] = field(default=(), repr=False)


@Probe(
    id="quality.stability",
    challenge="quality",
    title="Answers that change though the text does not",
    title_of="Answers that change with {bracket}",
    bracket_names=(
        "the other texts in the batch",
        "the precision of the numbers",
        "the seed of the training",
    ),
    unit=SHARE,
    counts="share of answers that differ",
    better="lower",
    meaning=(
        "The same texts are asked about again while nothing that matters differs: alone and among other texts, in "
        "arithmetic of another precision, or by a model that the same recipe made with another seed. Counted are the "
        "answers that differ."
    ),
    harm=(
        "People get another answer by luck: by who else asked at that moment, by the machine that ran the model, or by "
        "which training was kept."
    ),
    remedy=(
        "Company: give the model its attention mask, and form batches as this audit does. Precision: run the model in "
        "the precision that it was audited in, or audit it as it runs ([audit] dtype). Seed: train on more data, or "
        "let several trainings vote."
    ),
    brackets=KINDS,
    bracket="kind",
    alarm=Alarm(0.05, "One answer in twenty is decided by something that has nothing to do with the text."),
    rules=(
        "MEASURE 2.3",
        "MEASURE 2.5",
        "MEASURE 2.6",
        "Article 9(8)",
        "Article 13",
        "Article 15(1) and (3)",
        "Article 15(4)",
        "A.6.2.4",
    ),
    guide="docs/stability.md",
    passes=2 + COMPANY,  # of the kind "batch"; "precision" takes two, "seed" one
    trainings=1,
    trained_for=("seed",),
)
def stability(
    scorer: Scorer,
    predictions: Predictions,
    kind: str = "batch",
    other_precisions: Scorers = _NONE,
    retrained: Callable[[], Scorer] | None = None,
) -> Looks:
    """Share of answers that differ though the text is the same; of several ways of asking, that which differs most.

    Parameters
    ----------
    scorer : Scorer
        One of a repository's own need only have ``predict``.
    predictions : Predictions
        Of the test texts, told their examples.
    kind : str
        One of `KINDS`.
    other_precisions : mapping of str to callable
        For ``precision``: from ``float32``, ``bfloat16`` or ``int8`` to what gives a scorer of the model computed so,
        or raises NotAssessed.
    retrained : callable, optional
        For ``seed``: gives the scorer of another training by the same recipe, or raises NotAssessed.

    Raises
    ------
    NotAssessed
        If there is no second way to ask.
    ValueError
        If there is no such kind.

    Notes
    -----
    Each text is a hit or not, whatever became of the others: also in company, which is drawn anew for each. So the
    exact interval of a proportion holds. Source of ``seed``, there called churn: Milani Fard, Cormier, Canini and
    Gupta, "Launch and iterate: reducing prediction churn", NeurIPS 2016, section 2.
    """
    examples = predictions.known
    if kind == "batch":
        compared = _in_company(scorer, predictions)
    elif kind == "precision":
        compared = _in_precisions(predictions, other_precisions)
    elif kind == "seed":
        compared = _by_seed(scorer, predictions, retrained)
    else:
        raise ValueError(f"no kind '{kind}'; there are {', '.join(KINDS)}")
    order = examples.drawn("quality.stability")[: examples.protocol.max_examples or None]
    answers: list[list[Answers]] = [[] for _ in range(1 + len(compared.others))]

    def ask(start: int, stop: int) -> Callable[[float], Result]:
        rows = order[start:stop]
        for batches, way in zip(answers, (compared.usual, *compared.others.values()), strict=True):
            batches.append(way(rows))
        usual, *others = map(np.concatenate, answers)
        return partial(_result, compared, examples, order[:stop], usual, others)

    # Beside a training, to ask about all texts takes next to nothing.
    ends = [len(order)] if kind == "seed" else None
    return in_batches(len(order), examples.protocol.confidence, ask, ends)


# ------------------------------------------------------------------------------------------------- the ways of asking


def _in_company(scorer: Scorer, predictions: Predictions) -> _Comparison:
    examples, together = predictions.known, partial(_together, scorer)
    n = len(examples)
    # One random order gives each text its turn, another its company. It is drawn by content, as the texts are.
    turn, strangers = (examples.drawn(f"quality.stability/{name}") for name in ("turn", "company"))
    place = np.empty(n, dtype=np.int64)
    place[turn] = np.arange(n)

    def in_company(rows: Rows) -> Answers:
        batches = []
        for row in rows.tolist():
            company = strangers[(COMPANY * place[row] + np.arange(COMPANY)) % n].tolist()
            company.insert(_seat(place[row]), row)
            batches.append([examples.texts[each] for each in company])
        own = [_seat(each) for each in place[rows]]
        return np.array([batch[seat] for batch, seat in zip(together(batches), own, strict=True)])

    return _Comparison(
        usual=lambda rows: np.concatenate(together([[examples.texts[row]] for row in rows])),
        others={
            Sentence("among {company} other texts", company=COMPANY): in_company,
            Sentence("as this audit asks, among texts of like length"): lambda rows: predictions.rows[rows],
        },
        method=Sentence(
            "Each text is asked about alone, and once more in one batch with {company} other test texts, which are "
            "drawn anew for each and padded to the longest of them. Counted are the texts whose label is another "
            "than alone.",
            company=COMPANY,
        ),
        caveats=[
            Sentence(
                "Where padding changes an answer, this audit pads no text, so its other figures are of texts as if "
                "alone. Whoever runs the model must take the same care."
            )
        ],
    )


def _seat(place: int) -> int:
    """Where in its batch a text stands."""
    return int(place) % (COMPANY + 1)


def _together(scorer: Scorer, batches: Sequence[Sequence[str]]) -> list[Answers]:
    """Answers batch by batch; a scorer of the repository's own is asked as it is, and has no cache of ours."""
    if hasattr(scorer, "predict_together"):
        return scorer.predict_together(batches)
    return [scorer.predict(batch).rows for batch in batches]


def _in_precisions(predictions: Predictions, other_precisions: Scorers) -> _Comparison:
    if not other_precisions:
        raise NotAssessed(
            Sentence(
                "the repository's own conftest.py replaces the model or the scorer, and how to compute it in another "
                "precision is not known; leave these fixtures to the plugin"
            )
        )
    others, left_out = {}, {}
    for precision, scorer in other_precisions.items():
        try:
            others[_PRECISIONS[precision]] = _of(scorer(), predictions.known)
        except NotAssessed as refusal:
            left_out[_PRECISIONS[precision]] = refusal.reason
    if not others:
        raise NotAssessed(joined([*left_out.values()], "; "))
    return _Comparison(
        usual=lambda rows: predictions.rows[rows],
        others=others,
        method=Sentence(
            "The same weights asked about the same texts once more, {ways} (bfloat16: Kalamkar et al. 2019; 8 bits: "
            "weights rounded once, inputs each time, Jacob et al. 2018). Counted are the texts whose label is another "
            "than the audited model's.",
            ways=listed([*others], Sentence(" and ")),
        ),
        caveats=[Sentence("Not tried {way}: {reason}", way=way, reason=reason) for way, reason in left_out.items()],
    )


def _by_seed(scorer: Scorer, predictions: Predictions, retrained: Callable[[], Scorer] | None) -> _Comparison:
    if retrained is None:
        raise NotAssessed(
            Sentence("there is no recipe to train a second model by; supply [model.finetune] and [data] train")
        )
    other = _of(retrained(), predictions.known)
    caveats = [
        Sentence(
            "It is the difference of two trainings: the interval is about other texts, not about other seeds, of which "
            "two may differ more or less."
        )
    ]
    if getattr(getattr(scorer, "model", None), "training", None) is None:
        caveats.append(
            Sentence(
                "The audited model was not trained here: if it was made in another way than by [model.finetune], that "
                "difference counts too."
            )
        )
    return _Comparison(
        usual=lambda rows: predictions.rows[rows],
        others={Sentence("by the training with another seed"): other},
        method=Sentence(
            "The recipe run once more on the same examples with another seed, which decides their order, dropout, and "
            "the weights that start at random. Counted are the texts that the two models label differently, which is "
            "called churn (Milani Fard et al. 2016)."
        ),
        caveats=caveats,
    )


def _of(scorer: Scorer, examples: Examples) -> Callable[[Rows], Answers]:
    """What gives a model's answers to rows."""

    def answers(rows: Rows) -> Answers:
        texts = [examples.texts[row] for row in rows]
        try:
            return scorer.predict(texts).rows
        except NotFiniteError:  # to some of them: those count as another answer
            return np.concatenate(_together(scorer, [[text] for text in texts]))

    return answers


# ---------------------------------------------------------------------------------------------------------- the result


@dataclass(frozen=True)
class _Difference:
    """What became of the answers in one way of asking, all arrays of shape (n,).

    Parameters
    ----------
    way : str
    answers : ndarray of float32, shape (n, classes)
    differs : ndarray of bool
    change : ndarray of float64
        Largest change of a probability; NaN where there is no answer.
    lost, gained : int
        Right answers that turned wrong, and wrong ones that turned right.
    """

    way: str
    answers: Answers
    differs: NDArray[np.bool_]
    change: NDArray[np.float64]
    lost: int
    gained: int

    @classmethod
    def of(cls, way: str, usual: Answers, other: Answers, truth: Rows) -> _Difference:
        right, still = (_labels(each) == truth for each in (usual, other))
        change = np.abs(other.astype(float) - usual).max(axis=1)
        lost, gained, _ = statistics.discordant(right, still)
        return cls(way, other, _labels(usual) != _labels(other), change, lost, gained)

    @property
    def largest(self) -> float | None:
        """The largest change of a probability; None without any answer."""
        return float(np.nanmax(self.change)) if np.isfinite(self.change).any() else None

    @property
    def broken(self) -> int:
        """How many answers are none."""
        return int((~_finite(self.answers)).sum())


def _labels(answers: Answers) -> Rows:
    """The class of each answer, shape (n,); -1 where a row is no number."""
    finite = _finite(answers)
    return np.asarray(np.where(finite, np.nan_to_num(answers).argmax(axis=1), -1))


def _finite(answers: Answers) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(answers).all(axis=1))


def _result(
    compared: _Comparison, examples: Examples, rows: Rows, usual: Answers, others: Sequence[Answers], confidence: float
) -> Result:
    asked = examples.take(rows)
    found = [
        _Difference.of(way, usual, other, asked.labels) for way, other in zip(compared.others, others, strict=True)
    ]
    effects = [statistics.design_effect(each.differs, asked.clusters) for each in found]
    hits = [int(each.differs.sum()) for each in found]

    def shares(level: float) -> statistics.Bounds:
        return statistics.proportions(hits, len(asked), level, kept=[effect.kept(level) for effect in effects])

    plain = shares(confidence)
    largest = statistics.as_interval(statistics.largest(plain, shares(statistics.shared_out(confidence, len(found)))))
    worst, effect = max(zip(found, effects, strict=True), key=lambda each: each[0].differs.sum())
    result = Result(
        *largest,
        len(asked),
        joined([compared.method, _INTERVAL, _OF_SEVERAL if len(found) > 1 else ""]),
        confidence,
        ceiling=of_sample(examples),
        summary=_summary(found, worst, len(asked)),
        caveats=compared.caveats,
        evidence=[
            _by_way(found, plain),
            *_by_group(worst, asked, confidence),
            *_shown(worst, usual, asked),
        ],
        settle=lambda bound: statistics.proportion_to_settle(largest.estimate, bound, confidence, effect=effect),
    )
    return clustered(result, effect, examples.protocol.cluster)


_INTERVAL = Sentence("Exact interval of a proportion (Clopper and Pearson 1934).")
_OF_SEVERAL = Sentence(
    "Of several ways to ask, the share is that of the one which differs most: its upper bound is the largest of all, "
    "its lower bound is adjusted for their number (Bonferroni)."
)


def _summary(found: Sequence[_Difference], worst: _Difference, n: int) -> str:
    differ = int(worst.differs.sum())
    if not differ:
        return Sentence(
            "All {n:,} answers stay the same; no probability moves by more than {change:.2g}.",
            n=n,
            change=max(each.largest or 0.0 for each in found),
        )
    told = Sentence(
        "{differ:,} of {n:,} answers differ {way}: {lost:,} right ones turn wrong, {gained:,} wrong ones right.",
        differ=differ,
        n=n,
        way=worst.way,
        lost=worst.lost,
        gained=worst.gained,
    )
    broken = Sentence("{broken:,} are no answers at all, but infinite or no numbers.", broken=worst.broken)
    return joined([told, broken if worst.broken else ""])


def _by_way(found: Sequence[_Difference], bounds: statistics.Bounds) -> Table:
    rows: list[list[Cell]] = [
        [each.way, *map(float, interval), each.lost, each.gained, each.largest]
        for each, interval in zip(found, np.transpose(bounds), strict=True)
    ]
    return Table(
        Sentence("Answers that differ by how else they were asked for"),
        [
            Sentence("asked"), Sentence("answers that differ"), Sentence("low"), Sentence("high"),
            Sentence("right ones turned wrong"), Sentence("wrong ones turned right"),
            Sentence("largest change of a probability"),
        ],
        rows,
        units=["", SHARE, SHARE, SHARE, "", "", ""],
    )  # fmt: skip


def _by_group(worst: _Difference, asked: Examples, confidence: float) -> list[Evidence]:
    """The same by group of people, where the policy names any; each interval holds by itself."""
    least, rows = asked.protocol.min_group_size, list[list[Cell]]()
    for column in sorted(asked.subgroups):
        groups = asked.groups(column)
        for group in sorted({each for each in groups if each is not None}):
            own = groups == group
            if own.sum() >= least:
                clusters = None if asked.clusters is None else asked.clusters[own]
                share = statistics.share(worst.differs[own], confidence, clusters=clusters)
                rows.append([column, group, int(own.sum()), *share])
    if not rows:
        return []
    return [
        Table(
            Sentence("By group of at least {least} texts, {way}", least=least, way=worst.way),
            [
                Sentence("column"), Sentence("group"), Sentence("n"), Sentence("answers that differ"),
                Sentence("low"), Sentence("high"),
            ],
            rows,
            units=["", "", "", SHARE, SHARE, SHARE],
        )
    ]  # fmt: skip


def _shown(worst: _Difference, usual: Answers, asked: Examples) -> list[Evidence]:
    """The texts whose answers differ, the largest change first."""
    change = np.where(np.isnan(worst.change), np.inf, worst.change)
    rows = [row for row in np.argsort(-change, kind="stable").tolist() if worst.differs[row]]
    if not rows or withheld():
        return []
    items = [
        Pair(
            redact(asked.texts[row]),
            Sentence(
                "{before} → {after}",
                before=_answer(usual[row], asked.classes),
                after=_answer(worst.answers[row], asked.classes),
            ),
            row=asked.row(row),
        )
        for row in rows[:EXAMPLES_SHOWN]
    ]
    return [Pairs(Sentence("Texts whose answers differ {way}", way=worst.way), items)]


def _answer(row: Answers, classes: Sequence[str]) -> str:
    if not np.isfinite(row).all():
        return Sentence("no answer")
    return Sentence("{label} {probability:.2f}", label=classes[int(row.argmax())], probability=float(row.max()))
