"""Quality: whether the model can do what any reader can; small tests of one capability each.

The sentences are written by `audit.probes.quality.capabilities`;
``python -m audit.probes.quality.behaviour --print 20`` shows them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.measurement import Result
from audit.core.probe import SHARE, Probe
from audit.data import labels
from audit.data.examples import Protocol
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.quality.capabilities import CAPABILITIES, grammar
from audit.probes.quality.capabilities.grammar import SENTIMENTS, Case

__all__ = ["CAPABILITIES", "Case", "behaviour", "cases", "sentiments"]

EXAMPLES_SHOWN = 8
DEFAULT = Protocol()
# How far a score may move in the wrong direction: less is no change of opinion.
TOLERANCE = 0.1
KINDS = {
    "MFT": "minimum functionality (MFT): the label of each sentence is known",
    "INV": "invariance (INV): a change that leaves the opinion as it was must not change the label",
    "DIR": f"directional expectation (DIR): a score may move by more than {TOLERANCE} in one direction only",
}


@Probe(
    id="quality.behaviour",
    challenge="quality",
    title="Language capability",
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
) -> Result:
    """How often the model fails at sentences that ask for one capability.

    Parameters
    ----------
    scorer : Scorer
    classes : sequence of str
        The model's classes in its order: two or three that say negative, neutral or positive.
    capability : str
        One of `CAPABILITIES`.
    protocol : Protocol
        Language of the texts that the model is for (the sentences are English), confidence, how many cases to write at
        most, and a seed: another one draws other words for the same templates.

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
        raise NotAssessed("its sentences are English; there are none for this language yet")
    confidence = protocol.confidence
    made = cases(capability, classes, protocol.seed, protocol.cases)
    before = scorer.predict([case.text for case in made])
    after = scorer.predict([case.changed or case.text for case in made])
    excess = _excess(made, before, after, sentiments(classes))
    failed = excess > 0
    templates = statistics.cluster_ids([case.template for case in made])
    share = statistics.clustered_proportion(failed, templates, confidence)
    about = grammar.capability_file(capability)
    return Result(
        share.estimate,
        share.low,
        share.high,
        len(made),
        f"{about['asks']} {len(made)} short sentences written from {share.clusters} templates, as a test of "
        f"{KINDS[about['kind']]} (Ribeiro et al. 2020); failures counted. Exact interval of a proportion (Clopper and "
        f"Pearson 1934) over the cases: it is about these templates filled with these words, not about all sentences.",
        confidence,
        sample="cases",
        settle=lambda bound: statistics.proportion_to_settle(share.estimate, bound, confidence),
        details={
            "kind of test": KINDS[about["kind"]],
            "templates": share.clusters,
            "tables": [_table(made, failed, confidence)],
            "examples": _examples(made, before, after, excess),
            "limits": [*_limits(made, about.get("limits", ())), *filter(None, [share.limit()])],
        },
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
    if capability not in CAPABILITIES:
        raise ValueError(f"no capability '{capability}'; there are {', '.join(CAPABILITIES)}")
    known = sentiments(classes)
    if grammar.capability_file(capability).get("classes", 2) > len(known):
        raise NotAssessed(
            "it asks for neutral sentences to be recognised, and this model has no neutral class", arises=False
        )
    return grammar.cases(capability, known, seed, size)


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
            f"it needs to know which class is positive and which is negative, and the model's are called "
            f"{', '.join(map(repr, classes))}; name them negative, neutral (if there is one) and positive in the "
            f"policy's [model] labels"
        )
    return found


def _excess(
    made: Sequence[Case], before: Predictions, after: Predictions, names: tuple[str, ...]
) -> NDArray[np.float64]:
    """How far each case is on the wrong side, shape (cases,): it fails where this is positive."""
    p, q = before.probabilities.astype(float), after.probabilities.astype(float)  # (cases, classes)
    rows = np.arange(len(made))
    if made[0].kind == "DIR":
        watched = [names.index(case.sentiment) for case in made]
        direction = np.array([case.direction for case in made])
        return np.asarray(-direction * (q[rows, watched] - p[rows, watched]) - TOLERANCE)
    if made[0].kind == "INV":
        right = np.zeros(p.shape, dtype=bool)
        right[rows, before.labels] = True
    else:
        right = np.array([[name in case.expected for name in names] for case in made])
    margin = np.where(right, -1.0, q).max(axis=1) - np.where(right, q, -1.0).max(axis=1)
    # The label decides, also where two classes tie.
    wrong = ~right[rows, after.labels]
    return np.asarray(np.where(wrong, np.maximum(margin, 1e-9), np.minimum(margin, 0.0)))


def _table(made: Sequence[Case], failed: NDArray[np.bool_], confidence: float) -> dict[str, Any]:
    names = list(dict.fromkeys(case.name for case in made))
    rows = []
    for name in names:
        own = failed[[case.name == name for case in made]]
        rows.append([name, *statistics.proportion(int(own.sum()), len(own), confidence), len(own)])
    return {
        "caption": "Failures by kind of sentence",
        "columns": ["kind of sentence", "share that fails", "low", "high", "cases"],
        "rows": sorted(rows, key=lambda row: -row[1]),
    }


def _examples(
    made: Sequence[Case], before: Predictions, after: Predictions, excess: NDArray[np.float64]
) -> dict[str, Any]:
    """The cases that fail, worst first, each template once before any comes twice; if none fails, the nearest."""
    seen: Counter[int] = Counter()
    turns = []
    for i in np.argsort(-excess, kind="stable").tolist():
        seen[made[i].template] += 1
        turns.append((seen[made[i].template], i))
    worst = [i for _, i in sorted(turns, key=lambda turn: turn[0])]
    failing = [i for i in worst if excess[i] > 0]
    return {
        "caption": "Cases that fail, worst first" if failing else "No case fails; these come nearest to it",
        "items": [_item(made[i], before, after, i) for i in (failing or worst)[:EXAMPLES_SHOWN]],
    }


def _item(case: Case, before: Predictions, after: Predictions, i: int) -> dict[str, str]:
    if case.kind == "MFT":
        return {"before": case.text, "note": f"{_said(after, i)}; right: {' or '.join(case.expected)}"}
    note = f"{_said(before, i)} → {_said(after, i)}"
    if case.kind == "DIR":
        column = sentiments(before.classes).index(case.sentiment)
        p, q = before.probabilities[i, column], after.probabilities[i, column]
        must_not = "fall" if case.direction > 0 else "rise"
        note = f"{case.sentiment} score {p:.2f} → {q:.2f}; it must not {must_not}"
    return {"before": case.text, "after": case.changed, "note": note}


def _said(predictions: Predictions, i: int) -> str:
    label = int(predictions.labels[i])
    return f"{predictions.classes[label]} {predictions.probabilities[i, label]:.2f}"


def _limits(made: Sequence[Case], own: Sequence[str]) -> list[str]:
    limits = [
        "The sentences are made from templates and sound alike: a model that fails here fails at something easy, but "
        "one that passes may still fail at longer and less tidy texts.",
    ]
    answers = {case.expected for case in made}
    if made[0].kind == "MFT" and len(answers) == 1:
        (right,) = answers
        limits.append(f"A model that always answers {' or '.join(right)} passes: read it together with its opposite.")
    if made[0].kind == "INV":
        limits.append("A model that always gives the same answer passes.")
    return [*limits, *own]


def _print_cases() -> None:
    parser = argparse.ArgumentParser(prog="python -m audit.probes.quality.behaviour", description="Show the cases.")
    parser.add_argument("--print", type=int, default=20, metavar="N", dest="count", help="of each capability")
    parser.add_argument("--capability", choices=CAPABILITIES, help="only this one")
    parser.add_argument("--classes", default="negative,neutral,positive", help="separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for capability in [options.capability] if options.capability else CAPABILITIES:
        print(f"\n{capability}: {grammar.capability_file(capability)['asks']}")
        for case in cases(capability, options.classes.split(","), options.seed)[: options.count]:
            right = " or ".join(case.expected) or (case.sentiment and f"{case.sentiment} {case.direction:+d}") or "same"
            print(f"  {right}: {case.text}" + (f"  →  {case.changed}" if case.changed else ""))


if __name__ == "__main__":
    _print_cases()
