"""Quality: whether the texts themselves are fit to train on and to be tested with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.evidence import Cell, Evidence, Fact, Facts, Table
from audit.core.measurement import Result
from audit.core.probe import SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.text import hygiene, languages
from audit.text.redaction import SMALLEST_CELL, count

if TYPE_CHECKING:
    from audit.inference.scorer import Scorer

# Kinds of defects as a reader calls them.
DEFECTS = {
    "unreadable": Sentence("unreadable characters"),
    "mojibake": Sentence("characters read in the wrong encoding"),
    "unseen": Sentence("control and other unseen characters"),
    "markup": Sentence("tags or entities of HTML"),
    "language": Sentence("another language"),
    "constant": Sentence("hardly anything but one character or word"),
}
# Places of each kind that the record names.
FIRST = 20


@Probe(
    id="quality.data",
    challenge="quality",
    title="Texts that are broken or out of place",
    unit=SHARE,
    counts="share of test examples",
    better="lower",
    meaning=(
        "In how many test texts a program finds unreadable or wrongly decoded characters, unseen ones, markup, another "
        "language than the policy names, or hardly anything but one character or word."
    ),
    harm="Such texts are not what people wrote: figures measured on them say little of the texts that will come.",
    remedy=(
        "Mend the export that the texts come from, rather than the texts: decode it as what it is, undo its markup, "
        "and leave out what is in another language, in training and in use alike."
    ),
    alarm=Alarm(
        0.05,
        "If one text in twenty is broken, the accuracy on those that are not may be five points off, as much as models "
        "under comparison often differ by.",
    ),
    rules=(
        "MEASURE 2.3",
        "MEASURE 2.5",
        "Article 9(8)",
        "Article 10",
        "Article 13",
        "Article 15(1) and (3)",
        "A.6.2.4",
        "A.7.4",
    ),
    guide="docs/data.md#texts",
)
def data(
    test_data: Examples,
    train_data: Examples | None = None,
    predictions: Predictions | None = None,
    scorer: Scorer | None = None,
) -> Result:
    """Share of test examples whose text is broken or out of place; a census of detections.

    Parameters
    ----------
    test_data : Examples
    train_data : Examples, optional
        Counted apart.
    predictions : Predictions, optional
        On the test data; with a scorer, the accuracy is told where the model reads a text's end and where it does not.
    scorer : Scorer, optional
        Tells which texts are longer than what the model reads. One of the user's own need not know.

    Returns
    -------
    Result
        Its tables hold counts by kind and the numbers of examples, never a text.
    """
    language = test_data.protocol.language
    is_known = languages.is_known(language)
    splits = {
        name: _defects(examples.texts, language if is_known else "")
        for name, examples in ((Sentence("test examples"), test_data), (Sentence("training examples"), train_data))
        if examples is not None
    }
    found = next(iter(splits.values()))
    kinds = [kind for kind in hygiene.KINDS if is_known or kind != "language"]
    any_of_them = sum(map(bool, found))
    return Result.census(
        any_of_them / len(test_data),
        len(test_data),
        Sentence(
            "Every test text searched for characters that stand for none, for those of a wrong decoding (ftfy, Speer "
            "2019), for unseen ones, for tags and entities of HTML, for another language (naive Bayes over sequences "
            "of bytes, Lui and Baldwin 2012, from {bytes} letters on and where it is {sure:%} sure), and for one "
            "character or word that makes up nearly all of it. A census of detections has no sampling error, and errs "
            "as the programs do.",
            bytes=languages.ENOUGH,
            sure=languages.SURE,
        ),
        confidence=test_data.protocol.confidence,
        interval="detections",
        summary=(
            Sentence("{share:often} test texts are broken or out of place.", share=any_of_them / len(test_data))
            if any_of_them
            else Sentence("No test text is broken or out of place.")
        ),
        caveats=_caveats(language, is_known),
        evidence=[
            _by_kind(splits, kinds),
            _where(splits, kinds),
            *_cut(predictions, scorer),
            Facts.of({Sentence("test examples with any of these"): any_of_them}),
        ],
    )


def _defects(texts: Sequence[str], language: str) -> list[frozenset[str]]:
    """What is wrong with each text; equal ones are looked at once."""
    found = {text: hygiene.find(text, language) for text in set(texts)}
    return [found[text] for text in texts]


def _caveats(language: str, is_known: bool) -> list[str]:
    short = Sentence(
        "Texts of fewer than {bytes} letters are too short to tell their language, and count as in the right one.",
        bytes=languages.ENOUGH,
    )
    unknown = Sentence(
        "Other languages are not looked for: “{language}”, as [data] language has it, is none that the program knows.",
        language=language,
    )
    return [
        short if is_known else unknown,
        Sentence("Markup is a defect only where the texts in use have none, or are rid of it before the model."),
    ]


def _by_kind(splits: dict[Sentence, list[frozenset[str]]], kinds: Sequence[str]) -> Table:
    rows: list[list[Cell]] = []
    for kind in kinds:
        counts = [sum(kind in each for each in found) for found in splits.values()]
        shares = [number / len(found) for number, found in zip(counts, splits.values(), strict=True)]
        rows.append([DEFECTS[kind], *(cell for pair in zip(counts, shares, strict=True) for cell in pair)])
    return Table(
        Sentence("By kind; a text may have several"),
        [Sentence("kind"), *(column for name in splits for column in (name, Sentence("share")))],
        rows,
        units=["", *["", SHARE] * len(splits)],
    )


def _where(splits: dict[Sentence, list[frozenset[str]]], kinds: Sequence[str]) -> Table:
    """The numbers of the first examples of each kind."""
    rows: list[list[Cell]] = []
    for kind in kinds:
        numbers = [[i for i, each in enumerate(found, 1) if kind in each][:FIRST] for found in splits.values()]
        if any(numbers):
            rows.append([DEFECTS[kind], *(", ".join(map(str, each)) for each in numbers)])
    return Table(
        Sentence(
            "Where to look: the first {places} of each kind; examples are numbered from 1, rows that were left out not "
            "counted",
            places=FIRST,
        ),
        [Sentence("kind"), *splits],
        rows,
    )


def _cut(predictions: Predictions | None, scorer: Scorer | None) -> list[Evidence]:
    """What the model does not read of the texts, and what that goes with; nothing without a scorer that knows."""
    if predictions is None or scorer is None or not hasattr(scorer, "reads_whole"):
        return []
    texts = predictions.known.texts
    whole = scorer.reads_whole(texts)
    shown: list[Evidence] = [_accuracies(predictions, whole)] if not whole.all() else []
    return [
        *shown,
        Facts(
            (
                Fact(Sentence("test examples whose end the model does not read"), float((~whole).mean()), SHARE),
                Fact(Sentence("tokens that its tokenizer does not know"), scorer.unknown_share(texts), SHARE),
            )
        ),
    ]


def _accuracies(predictions: Predictions, whole: NDArray[np.bool_]) -> Table:
    """The accuracy on texts that are read to their end, and on those that are not."""
    rows: list[list[Cell]] = []
    known = predictions.known
    for name, chosen in ((Sentence("read whole"), whole), (Sentence("too long, the end left unread"), ~whole)):
        n = int(chosen.sum())
        clusters = None if known.clusters is None else known.clusters[chosen]
        shown = n >= SMALLEST_CELL
        right = predictions.correct[chosen]
        interval = statistics.share(right, known.protocol.confidence, clusters=clusters) if shown else [None] * 3
        rows.append([name, count(n), *interval])
    return Table(
        Sentence("Accuracy where the model reads a text's end, and where it does not ([model] max_length)"),
        [Sentence("test examples"), Sentence("n"), Sentence("accuracy"), Sentence("low"), Sentence("high")],
        rows,
        units=["", "", SHARE, SHARE, SHARE],
    )
