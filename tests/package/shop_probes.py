"""Is what customers say of prices read rightly? A probe of a package of its own, whole in one file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from audit import Alarm, Curve, Curves, NotAssessed, Pair, Pairs, Predictions, Probe, Result, Sentence
from audit.core.probe import DeclaredProbe
from audit.statistics import proportion
from audit.text.redaction import redact

PRICES = re.compile(r"\b(?:price|paid|bought|ordered|money)\b", re.IGNORECASE)
LENGTHS = (0, 12, 20, 10_000)  # words
FEWEST, SHOWN = 20, 3


@Probe(
    id="shop.prices_misread",
    challenge="quality",
    title="Reviews about prices misread",
    unit="share",
    counts="share of reviews about prices",
    better="lower",
    meaning="How many of the reviews that speak of buying or of a price get a wrong label.",
    harm="Prices are set by complaints that nobody made.",
    remedy="Label more reviews that speak of prices, and train on them.",
    alarm=Alarm(0.25, "The pricing team reads four reviews for each decision; one of them would be wrong."),
    guide="https://example.org/probes/prices",
)
def prices_misread(predictions: Predictions) -> Result:
    """Share of wrong labels among reviews about prices."""
    rows = np.array([bool(PRICES.search(text)) for text in predictions.known.texts])
    if rows.sum() < FEWEST:
        raise NotAssessed(Sentence("fewer than {least} test texts speak of a price; supply more", least=FEWEST))
    about, wrong = predictions.known.take(rows), ~predictions.correct[rows]
    words = np.array([len(text.split()) for text in about.texts])
    points = []
    for least, most in pairwise(LENGTHS):
        some = (words > least) & (words <= most)
        if some.any():
            points.append((float(words[some].mean()), *proportion(int(wrong[some].sum()), int(some.sum()))))
    return Result(
        *proportion(int(wrong.sum()), len(about)),
        len(about),
        Sentence("Reviews with a word of buying were counted; exact interval (Clopper and Pearson 1934)."),
        summary=Sentence("{wrong} of {all} reviews about prices are misread.", wrong=int(wrong.sum()), all=len(about)),
        caveats=[Sentence("A review may speak of a price without any of these words.")],
        evidence=[
            Curves(Sentence("Share misread by words of the review"), [Curve(Sentence("reviews about prices"), points)]),
            Pairs(Sentence("Misread reviews"), [
                Pair(redact(text), predictions.classes[label])
                for text, label in sorted(zip(about.texts, about.labels, strict=True))[:SHOWN]
            ]),
        ],
    )  # fmt: skip


def pytest_audit_probes() -> Sequence[DeclaredProbe[...]]:
    """What the suites run beside their own."""
    return [prices_misread]
