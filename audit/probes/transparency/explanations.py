"""Transparency: can it be told which words an answer rests on, and does what is told stand up to a test?

Word attributions look convincing whether or not they say anything of the model. So each one is put to the test before
it is shown: take out the words that it names, and see whether the model's answer moves more than it does without as
many other words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core import evidence
from audit.core.errors import NotAssessed
from audit.core.evidence import Attributions, Cell, Facts, Table
from audit.core.looks import Looks, in_batches
from audit.core.measurement import Result
from audit.core.probe import SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.feature_attributions import TOLERANCE, Attribution
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import FIXED, clustered
from audit.text.lists import seeded
from audit.text.redaction import redact_parts, withheld

TEXTS = 100
# Of fewer words, a fifth is no choice.
FEWEST_WORDS = 5
ENOUGH = 30
# Share of a text's words that its explanation is asked to name.
NAMED = 0.2
DRAWS = 10
SHUFFLES = 2
SHOWN = 4  # right answers, and as many wrong ones
STRENGTHS = 4  # in which the report draws a word's score


@Probe(
    id="transparency.explanations",
    challenge="transparency",
    title="Explanations that fail a check",
    unit=SHARE,
    counts="share of explanations that fail a check",
    better="lower",
    meaning=(
        "Whether it can be told which words an answer rests on: the words that an explanation names must matter to the "
        "model more than other words do, and more than those named for a model that has learnt nothing."
    ),
    harm=(
        "Somebody who is judged by the model may ask why. An explanation that says nothing of the model is worse than "
        "none: it looks like an answer, and reviewers trust it."
    ),
    remedy=(
        "Where many fail, show explanations of this model to nobody. See which check fails: scores that do not add up "
        "call for more steps; words that matter no more than others call for another method, or for a model whose "
        "answers rest on words one by one, such as logistic regression."
    ),
    rules=(
        "MEASURE 2.1",
        "MEASURE 2.8",
        "MEASURE 2.9",
        "Article 9(8)",
        "Article 11 and annex IV, point 2",
        "A.6.2.4",
        "A.6.2.7",
        "GDPR 22",
    ),
    alarm=Alarm(
        0.3,
        "Where words are named by chance half fail or more; where explanations hold, about one in five does.",
    ),
    guide="docs/explanations.md",
    # For a text of the sample and six layers: 32 points of the path, 9 for each of two shuffled networks, and 13
    # shortened copies.
    passes=63,
)
def explanations(scorer: Scorer, predictions: Predictions) -> Looks:
    """Share of explanations that fail a sanity check, of integrated gradients on a sample of the test texts.

    Parameters
    ----------
    scorer : Scorer
    predictions : Predictions
        Of the test texts, told their examples.

    Raises
    ------
    NotAssessed
        If fewer than 30 texts have five words, or scorer or model give no gradients.

    Notes
    -----
    An explanation passes if (1) its scores add up to what they share out but for 5 % (completeness: Sundararajan et
    al., ICML 2017, proposition 1); (2) without the fifth of the words that speak most for the answer, the answer's
    log-odds fall further than without as many words drawn at random, in the mean of ten draws (comprehensiveness:
    DeYoung et al., "ERASER", ACL 2020, section 4, against a random choice); and (3) further than without the words that
    the same method names for this network with its weights in random order, in the mean of two orders (the model
    parameter randomisation test of Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, section 3, by what
    the words do in place of how alike two maps look). The rank correlation of that paper stands in the details.
    """
    if not hasattr(scorer, "attributions"):
        raise NotAssessed(
            Sentence(
                "the model is no network of Transformers, whose gradients are known, and its scorer has no method "
                "attributions(texts, targets, shuffled)"
            )
        )
    drawn, tested = _sample(predictions.known), list[_Tested]()
    if not len(drawn):
        raise _too_few(0)

    def ask(start: int, stop: int) -> Callable[[float], Result]:
        tested.append(_tested(scorer, predictions, drawn[start:stop]))
        so_far = _Tested.joined(tested)
        # At the end there must be enough; on the way as many as lead there.
        if (usable := predictions.known.different(so_far.rows)) * len(drawn) < ENOUGH * stop:
            raise _too_few(usable)
        return partial(_result, scorer, predictions, so_far, FIXED if len(drawn) == TEXTS else "")

    ends = [*range(min(ENOUGH, len(drawn)), len(drawn) + 1)]
    return in_batches(len(drawn), predictions.known.protocol.confidence, ask, ends)


def _too_few(usable: int) -> NotAssessed:
    return NotAssessed(
        Sentence(
            "of the test texts only {usable} are read as {words} words or more, and less than {enough} settle "
            "nothing; test on longer texts",
            usable=usable,
            words=FEWEST_WORDS,
            enough=ENOUGH,
        )
    )


@dataclass(frozen=True)
class _Tested:
    """Explanations, and what becomes of the answers without the words that they name.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Of the test examples.
    own : tuple of Attribution, length n
    falls : ndarray, shape (1 + SHUFFLES + DRAWS, n)
        By how much the log-odds of the answer fall without the words named, those named for each network with shuffled
        weights, and those of each draw.
    alike : ndarray, shape (SHUFFLES, n)
        Rank correlation, without its sign, with what is said for shuffled weights.
    """

    rows: NDArray[np.int64]
    own: tuple[Attribution, ...]
    falls: NDArray[np.float64]
    alike: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[_Tested]) -> _Tested:
        """All of them, in their order."""
        return cls(
            np.concatenate([part.rows for part in parts]),
            tuple(chain.from_iterable(part.own for part in parts)),
            np.concatenate([part.falls for part in parts], axis=1),
            np.concatenate([part.alike for part in parts], axis=1),
        )


def _tested(scorer: Scorer, predictions: Predictions, rows: NDArray[np.int64]) -> _Tested:
    """Explain some answers and test the explanations, of texts that are read as words enough."""
    texts, said = [predictions.known.texts[i] for i in rows], predictions.labels[rows]
    own = scorer.attributions(texts, said)
    usable = [i for i, each in enumerate(own) if len(each.spans) >= FEWEST_WORDS]
    rows, said, own = rows[usable], said[usable], tuple(own[i] for i in usable)
    orders = [scorer.attributions([each.text for each in own], said, order) for order in range(SHUFFLES)]

    counts = [max(1, round(NAMED * len(each.spans))) for each in own]
    named = [_foremost(each, k) for each, k in zip(own, counts, strict=True)]
    others = [[_foremost(each, k) for each, k in zip(order, counts, strict=True)] for order in orders]
    # A text's words are drawn by the text, whatever is asked about with it.
    chances = [seeded("transparency.explanations", each.text) for each in own]
    drawn = [
        [
            np.array(chance.sample(range(len(each.spans)), k))
            for chance, each, k in zip(chances, own, counts, strict=True)
        ]
        for _ in range(DRAWS)
    ]
    alike = [[abs(_rank_correlation(one, other)) for one, other in zip(own, order, strict=True)] for order in orders]
    return _Tested(rows, own, _falls(scorer, own, said, [named, *others, *drawn]), np.array(alike))


def _result(scorer: Scorer, predictions: Predictions, tested: _Tested, ceiling: str, confidence: float) -> Result:
    examples, protocol = predictions.known.take(tested.rows), predictions.known.protocol
    own, said, n = tested.own, predictions.labels[tested.rows], len(tested.own)
    by_name, by_shuffle = tested.falls[0], tested.falls[1 : 1 + SHUFFLES].mean(axis=0)
    by_chance = tested.falls[1 + SHUFFLES :].mean(axis=0)
    checks: dict[str, NDArray[np.bool_]] = {
        Sentence("the scores add up (completeness)"): np.array([each.gap > TOLERANCE for each in own]),
        Sentence("the words named matter more than as many drawn at random"): by_name <= by_chance,
        Sentence("they matter more than those named for shuffled weights"): by_name <= by_shuffle,
    }
    failed = np.any(list(checks.values()), axis=0)
    effect = statistics.design_effect(failed, examples.clusters)
    share = statistics.proportion(int(failed.sum()), n, confidence, effect=effect)
    result = Result(
        *share,
        n,
        Sentence(
            "For {n} test texts it was computed how much each word moved the model towards its answer (integrated "
            "gradients: the change from the text with its words blanked to the text itself is shared out among the "
            "words; Sundararajan et al. 2017). Each explanation was then tested: do its scores add up to that change; "
            "and does the answer weaken more without the fifth of the words that it names than without as many words "
            "drawn at random ({draws} draws; DeYoung et al. 2020), and than without those that the same computation "
            "names for a network with this one's weights in random order ({orders} orders; after Adebayo et al. 2018). "
            "Exact interval of a proportion (Clopper and Pearson 1934).",
            n=n,
            draws=DRAWS,
            orders=SHUFFLES,
        ),
        confidence=confidence,
        sample=Sentence("explanations"),
        ceiling=ceiling,
        summary=_summary(by_name, by_chance),
        caveats=[
            Sentence(
                "An explanation tells which words the answer rests on, not whether the model is right to rest on them."
            ),
            Sentence("Words are scored one by one; what two words do only together is shared out between them."),
        ],
        evidence=[
            *_shown(own, said, predictions.probabilities[tested.rows], examples, failed),
            _table(checks, failed, confidence, examples.clusters),
            Facts.of({Sentence("rank correlation with shuffled weights"): round(float(tested.alike.mean()), 3)}),
        ],
    )
    return clustered(result, effect, protocol.cluster)


def _sample(examples: Examples) -> NDArray[np.int64]:
    """Rows of texts that are long enough to have an explanation, in a random order."""
    long = np.array([len(text.split()) >= FEWEST_WORDS or len(text) > 40 for text in examples.texts])
    return examples.drawn("transparency.explanations", long)[:TEXTS]


def _foremost(each: Attribution, count: int) -> NDArray[np.int64]:
    """The words that speak most for the class."""
    return np.argsort(-np.array(each.scores), kind="stable")[:count]


def _without(each: Attribution, words: NDArray[np.int64]) -> str:
    """The text without some of its words."""
    text = each.text
    for start, end in sorted((each.spans[i] for i in words), reverse=True):
        text = text[:start] + text[end:]
    return re.sub(r"[ \t]{2,}", " ", text).strip()


def _falls(
    scorer: Scorer, own: Sequence[Attribution], said: NDArray[np.int64], choices: Sequence[Sequence[NDArray[np.int64]]]
) -> NDArray[np.float64]:
    """By how much the log-odds of the answer fall without the words of each choice; shape (choices, n)."""
    texts = [each.text for each in own]
    asked = [*texts, *(_without(each, words) for choice in choices for each, words in zip(own, choice, strict=True))]
    found = scorer.predict(asked).probabilities.astype(float)
    of_answer = np.clip(found[np.arange(len(asked)), np.tile(said, 1 + len(choices))], 1e-7, 1 - 1e-7)
    odds = np.log(of_answer / (1 - of_answer)).reshape(1 + len(choices), len(own))
    return np.asarray(odds[0] - odds[1:])


def _rank_correlation(one: Attribution, other: Attribution) -> float:
    """Spearman's, of how much words matter in either direction."""
    from scipy.stats import rankdata

    first, second = (rankdata(np.abs(each.scores)) for each in (one, other))
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _summary(by_name: NDArray[np.float64], by_chance: NDArray[np.float64]) -> str:
    return Sentence(
        "In {weaker} of {n} texts the model's answer weakens more without the words that the explanation names than "
        "without as many others.",
        weaker=int((by_name > by_chance).sum()),
        n=len(by_name),
    )


def _table(
    checks: Mapping[str, NDArray[np.bool_]],
    failed: NDArray[np.bool_],
    confidence: float,
    clusters: NDArray[np.int64] | None,
) -> Table:
    rows: list[list[Cell]] = [
        [name, *statistics.share(broken, confidence, clusters=clusters), int(broken.sum())]
        for name, broken in {**checks, Sentence("all of them"): failed}.items()
    ]
    return Table(
        Sentence("Explanations that fail a check"),
        [
            Sentence("check"),
            Sentence("share that fail"),
            Sentence("low"),
            Sentence("high"),
            Sentence("explanations"),
        ],
        rows,
        units=["", SHARE, SHARE, SHARE, ""],
    )


def _shown(
    own: Sequence[Attribution],
    said: NDArray[np.int64],
    probabilities: NDArray[np.float32],
    examples: Examples,
    failed: NDArray[np.bool_],
) -> list[Attributions]:
    """Some right and some wrong answers with the strength of each word, ready to be drawn; personal data masked."""
    right, classes = said == examples.labels, examples.classes
    chosen = [] if withheld() else [*np.flatnonzero(right)[:SHOWN], *np.flatnonzero(~right)[:SHOWN]]
    answers = []
    for i in chosen:
        each = own[i]
        largest = max((abs(score) for score in each.scores), default=0.0) or 1.0
        strengths = [round(STRENGTHS * score / largest) for score in each.scores]
        answers.append(
            evidence.Attribution(
                answer=classes[said[i]],
                probability=round(float(probabilities[i, said[i]]), 3),
                truth=classes[int(examples.labels[i])],
                passed=not bool(failed[i]),
                parts=redact_parts(each.text, list(zip(each.spans, strengths, strict=True))),
            )
        )
    return [Attributions(answers)] if answers else []
