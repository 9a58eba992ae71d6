"""Quality: whether the model can do what any reader can; small tests of one capability each.

The sentences are written by `audit.probes.quality.capabilities`;
``python -m audit.probes.quality.behaviour --print 20`` shows them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from itertools import accumulate, chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Facts, Pair, Pairs, Table
from audit.core.looks import Looks, in_batches
from audit.core.measurement import Result
from audit.core.probe import SHARE, Alarm, Probe
from audit.core.sentences import Sentence, joined, listed
from audit.data import labels
from audit.data.examples import Protocol
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import FIXED, raised
from audit.probes.quality.capabilities import CAPABILITIES, grammar
from audit.probes.quality.capabilities.grammar import SENTIMENTS, Case

__all__ = ["CAPABILITIES", "Case", "behaviour", "cases", "sentiments"]

EXAMPLES_SHOWN = 8
DEFAULT = Protocol()
# How far a score may move in the wrong direction: less is no change of opinion.
TOLERANCE = 0.1
KINDS = {
    "MFT": Sentence("minimum functionality (MFT): the label of each sentence is known"),
    "INV": Sentence("invariance (INV): a change that leaves the opinion as it was must not change the label"),
    "DIR": Sentence(
        "directional expectation (DIR): a score may move by more than {tolerance:.1g} in one direction only",
        tolerance=TOLERANCE,
    ),
}
_IN_WORDS = {"negative": Sentence("negative"), "neutral": Sentence("neutral"), "positive": Sentence("positive")}


class Asked(NamedTuple):
    """The cases that a model was asked, and its answers before and after the change that a case may hold."""

    cases: list[Case]
    before: Predictions
    after: Predictions

    @classmethod
    def all_of(cls, batches: Sequence[Asked]) -> Asked:
        """Several batches as one."""
        before, after = (
            Predictions.joined(answers)
            for answers in ([batch.before for batch in batches], [batch.after for batch in batches])
        )
        return cls([case for batch in batches for case in batch.cases], before, after)


@Probe(
    id="quality.behaviour",
    challenge="quality",
    title="Sentences read wrongly",
    unit=SHARE,
    counts="share of cases that fail",
    better="lower",
    meaning=(
        "Short sentences, which any reader understands alike, ask for one capability at a time: plain praise and "
        "blame, negation, contrast, change over time, the opinion of others; or that the answer stays the same where "
        "a name or a date is exchanged. Counted is how often the model fails."
    ),
    harm=(
        "Writers who negate, compare or quote others are read as saying the opposite of what they said, however high "
        "the accuracy on the test examples is."
    ),
    remedy=(
        "Look at the failing sentences; add training texts of the kind that fails, or use a model that was pretrained "
        "on more text."
    ),
    brackets=CAPABILITIES,
    bracket="capability",
    measured_on=("templates",),
    alarm=Alarm(0.1, "It fails at one in ten short sentences that any reader understands alike."),
    passes=1.5,  # two where a text is changed, as in half of the capabilities, else one
    rules=(
        "MEASURE 2.3",
        "MEASURE 2.5",
        "MEASURE 2.9",
        "Article 9(8)",
        "Article 13",
        "Article 15(1) and (3)",
        "A.6.2.4",
    ),
    guide="docs/behaviour.md",
)
def behaviour(
    scorer: Scorer,
    classes: Sequence[str],
    capability: str,
    *,
    protocol: Protocol = DEFAULT,
) -> Looks:
    """How often the model fails at sentences that ask for one capability.

    Parameters
    ----------
    scorer : Scorer
    classes : sequence of str
        The model's classes in its order: two or three that say negative, neutral or positive.
    capability : str
        One of `CAPABILITIES`.
    protocol : Protocol
        Language of the texts that the model is for (the sentences are English), confidence, and how many cases to write
        at most. Its seed draws no words: else some seed's would suit the model.

    Returns
    -------
    Looks
        The interval takes the templates as given and the cases as independent draws from them, so each batch has whole
        rounds of the templates: whenever it is stopped, the result is about all of them.

    Raises
    ------
    NotAssessed
        If the language is not English, the classes are not sentiments, or the capability needs a neutral class.
    ValueError
        If there is no such capability.

    Notes
    -----
    Source of the three kinds of tests: Ribeiro, Wu, Guestrin and Singh, "Beyond accuracy: behavioral testing of NLP
    models with CheckList", ACL 2020. Templates and words are this project's own.
    """
    if protocol.language != "en":
        raise NotAssessed(Sentence("its sentences are English; there are none for this language yet"))
    names = sentiments(classes)
    rounds = list(_rounds(capability, classes, protocol.cases))
    written, asked = list(chain.from_iterable(rounds)), list[Asked]()

    def ask(start: int, stop: int) -> Callable[[float], Result]:
        batch = written[start:stop]
        before = scorer.predict([case.text for case in batch])
        after = scorer.predict([case.changed or case.text for case in batch])
        asked.append(Asked(batch, before, after))
        return partial(_result, capability, Asked.all_of(asked), names, protocol.cases)

    return in_batches(len(written), protocol.confidence, ask, list(accumulate(map(len, rounds))))


def _result(capability: str, asked: Asked, names: tuple[str, ...], most: int, confidence: float) -> Result:
    excess = _excess(asked, names)
    failed = excess > 0
    templates = statistics.cluster_ids([case.template for case in asked.cases])
    share = statistics.clustered_proportion(failed, templates, confidence)
    kind = KINDS[asked.cases[0].kind]
    return Result(
        share.estimate,
        share.low,
        share.high,
        len(failed),
        joined(
            [
                grammar.asks(capability),
                Sentence(
                    "{n} short sentences written from {templates} templates, as a test of {kind} (Ribeiro et al. "
                    "2020); failures counted. Exact interval of a proportion (Clopper and Pearson 1934) over the "
                    "cases: it is about these templates filled with these words, not about all sentences.",
                    n=len(failed),
                    templates=share.clusters,
                    kind=kind,
                ),
            ]
        ),
        confidence,
        sample=Sentence("cases"),
        summary=grammar.fails(capability, share.estimate),
        ceiling=raised("[quality] behaviour_cases", most) if len(failed) >= most else FIXED,
        caveats=[*_caveats(asked.cases), *grammar.caveats(capability), *_of_few_templates(share)],
        evidence=[
            _table(asked.cases, failed, confidence),
            _shown(asked, excess, names),
            Facts.of({Sentence("kind of test"): kind, Sentence("templates"): share.clusters}),
        ],
        settle=lambda bound: statistics.proportion_to_settle(share.estimate, bound, confidence),
    )


def cases(capability: str, classes: Sequence[str], seed: int = 0, size: int = DEFAULT.cases) -> list[Case]:
    """The cases of a capability, for a model or for a person who reads them; at most `size`.

    Raises
    ------
    NotAssessed
        If the classes are not sentiments, or the capability needs a neutral class.
    ValueError
        If there is no such capability.
    """
    return [case for each in _rounds(capability, classes, size, seed) for case in each]


def _rounds(capability: str, classes: Sequence[str], size: int, seed: int = 0) -> Iterator[list[Case]]:
    if capability not in CAPABILITIES:
        raise ValueError(f"no capability '{capability}'; there are {', '.join(CAPABILITIES)}")
    known = sentiments(classes)
    if grammar.capability_file(capability).get("classes", 2) > len(known):
        raise NotAssessed(
            Sentence("it asks for neutral sentences to be recognised, and this model has no neutral class"),
            arises=False,
        )
    return grammar.rounds(capability, known, seed, size)


def sentiments(classes: Sequence[str]) -> tuple[str, ...]:
    """What the model's classes say, in its order: ``("NEG", "POS")`` is ``("negative", "positive")``.

    Raises
    ------
    NotAssessed
        If they say anything else.
    """
    found = tuple(map(labels.sentiment, classes))
    if sorted(found) not in (["negative", "positive"], list(SENTIMENTS)):
        raise NotAssessed(
            Sentence(
                "it needs to know which class is positive and which is negative, and the model's are called "
                "{classes}; name them negative, neutral (if there is one) and positive in the policy's [model] labels, "
                "or say which counts as which with [model] merge",
                classes=listed([repr(name) for name in classes]),
            )
        )
    return found


def _excess(asked: Asked, names: tuple[str, ...]) -> NDArray[np.float64]:
    """How far each case is on the wrong side, shape (cases,): it fails where this is positive."""
    rows, kind = np.arange(len(asked.cases)), asked.cases[0].kind
    if kind == "DIR":
        p, q = (answers.probabilities.astype(float) for answers in (asked.before, asked.after))  # (cases, classes)
        watched = [names.index(case.sentiment) for case in asked.cases]
        direction = np.array([case.direction for case in asked.cases])
        return np.asarray(-direction * (q[rows, watched] - p[rows, watched]) - TOLERANCE)
    q = asked.after.rows.astype(float)
    if kind == "INV":
        right = np.zeros(q.shape, dtype=bool)
        right[rows, asked.before.labels] = True
    else:
        right = np.array([[name in case.expected for name in names] for case in asked.cases])
    margin = np.where(right, -1.0, q).max(axis=1) - np.where(right, q, -1.0).max(axis=1)
    # The label decides, also where two classes tie.
    wrong = ~right[rows, asked.after.labels]
    return np.asarray(np.where(wrong, np.maximum(margin, 1e-9), np.minimum(margin, 0.0)))


def _table(asked: Sequence[Case], failed: NDArray[np.bool_], confidence: float) -> Table:
    of_kind = {name: failed[[case.name == name for case in asked]] for name in dict.fromkeys(c.name for c in asked)}
    shares = [
        (name, statistics.proportion(int(own.sum()), len(own), confidence), len(own)) for name, own in of_kind.items()
    ]
    rows: list[list[Cell]] = [
        [name, *share, size] for name, share, size in sorted(shares, key=lambda row: -row[1].estimate)
    ]
    return Table(
        Sentence("Failures by kind of sentence"),
        [
            Sentence("kind of sentence"),
            Sentence("share that fails"),
            Sentence("low"),
            Sentence("high"),
            Sentence("cases"),
        ],
        rows,
        units=["", SHARE, SHARE, SHARE, ""],
    )


def _shown(asked: Asked, excess: NDArray[np.float64], names: tuple[str, ...]) -> Pairs:
    """The cases that fail, worst first, each template once before any comes twice; if none fails, the nearest."""
    seen: Counter[int] = Counter()
    turns = []
    for i in np.argsort(-excess, kind="stable").tolist():
        seen[asked.cases[i].template] += 1
        turns.append((seen[asked.cases[i].template], i))
    worst = [i for _, i in sorted(turns, key=lambda turn: turn[0])]
    failing = [i for i in worst if excess[i] > 0]
    return Pairs(
        Sentence("Cases that fail, worst first") if failing else Sentence("No case fails; these come nearest to it"),
        [_pair(asked, i, names) for i in (failing or worst)[:EXAMPLES_SHOWN]],
    )


def _pair(asked: Asked, i: int, names: tuple[str, ...]) -> Pair:
    case, before, after = asked.cases[i], asked.before, asked.after
    if case.kind == "MFT":
        note = Sentence("{answer}; right: {right}", answer=_answer(after, i), right=_either(case.expected))
        return Pair(case.text, note)
    if case.kind == "INV":
        note = Sentence("{before} → {after}", before=_answer(before, i), after=_answer(after, i))
        return Pair(case.text, note, case.changed)
    column = names.index(case.sentiment)
    values: dict[str, str | float] = {
        "sentiment": _IN_WORDS[case.sentiment],
        "before": float(before.probabilities[i, column]),
        "after": float(after.probabilities[i, column]),
    }
    if case.direction > 0:
        note = Sentence("{sentiment} score {before:.2f} → {after:.2f}; it must not fall", **values)
    else:
        note = Sentence("{sentiment} score {before:.2f} → {after:.2f}; it must not rise", **values)
    return Pair(case.text, note, case.changed)


def _answer(predictions: Predictions, i: int) -> str:
    label = int(predictions.labels[i])
    if not predictions.graded:
        return predictions.classes[label]
    return Sentence(
        "{label} {probability:.2f}",
        label=predictions.classes[label],
        probability=float(predictions.probabilities[i, label]),
    )


def _either(names: Sequence[str]) -> str:
    """Sentiments that are right, in words."""
    words: list[str] = [_IN_WORDS[name] for name in names]
    return reduce(lambda one, other: Sentence("{one} or {other}", one=one, other=other), words)


def _caveats(asked: Sequence[Case]) -> Iterator[str]:
    yield Sentence(
        "The sentences are made from templates and sound alike: a model that fails here fails at something easy, but "
        "one that passes may still fail at longer and less tidy texts."
    )
    answers = {case.expected for case in asked}
    if asked[0].kind == "MFT" and len(answers) == 1:
        (right,) = answers
        yield Sentence(
            "A model that always answers {right} passes: read it together with its opposite.", right=_either(right)
        )
    if asked[0].kind == "INV":
        yield Sentence("A model that always gives the same answer passes.")


def _of_few_templates(share: statistics.ClusteredInterval) -> Iterator[str]:
    if share.fixed_clusters:
        yield Sentence(
            "The {templates} templates are too few to speak for others: the interval is a claim about these only.",
            templates=share.clusters,
        )


def _print_cases() -> None:
    parser = argparse.ArgumentParser(prog="python -m audit.probes.quality.behaviour", description="Show the cases.")
    parser.add_argument("--print", type=int, default=20, metavar="N", dest="count", help="of each capability")
    parser.add_argument("--capability", choices=CAPABILITIES, help="only this one")
    parser.add_argument("--classes", default="negative,neutral,positive", help="separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for capability in [options.capability] if options.capability else CAPABILITIES:
        print(f"\n{capability}: {grammar.asks(capability)}")
        for case in cases(capability, options.classes.split(","), options.seed)[: options.count]:
            right = " or ".join(case.expected) or (case.sentiment and f"{case.sentiment} {case.direction:+d}") or "same"
            print(f"  {right}: {case.text}" + (f"  →  {case.changed}" if case.changed else ""))


if __name__ == "__main__":
    _print_cases()
