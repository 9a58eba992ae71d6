"""Security: texts that are disturbed in a way that a human reader hardly minds, and the accuracy that this costs.

The disturbances are those of `audit.text.disturbances`;
``python -m audit.probes.security.perturbation --print 100`` shows what they do, for a person to check
that the opinion stays the same.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from audit import demo, statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Cell, Facts, Pairs, Table
from audit.core.looks import Looks
from audit.core.measurement import Result
from audit.core.probe import POINTS, SHARE, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import CHANGED, PAIRED, clustered, of_sample, raised
from audit.probes.sampling import answered
from audit.text.characters import code, visible
from audit.text.disturbances import KINDS, STRENGTHS, disturb
from audit.text.redaction import shown_pairs

VERDICT_STRENGTH = 2
EXAMPLES_SHOWN = 8
# Of a kind that changes fewer texts, and not even half of them, too little would be known to say anything.
ENOUGH = 100
# Two answers differ by less where the model was asked the same twice, in batches of other lengths.
NOISE = 1e-5


@Probe(
    id="security.perturbation",
    challenge="security",
    title="Accuracy lost to disturbed text",
    title_of="Accuracy lost to {bracket}",
    bracket_names=(
        "typing errors",
        "scanning errors (OCR)",
        "digits for letters",
        "look-alike letters",
        "invisible characters",
        "American or British spelling",
        "contractions",
        "abbreviations",
        "other capitals",
        "missing or doubled spaces",
        "other punctuation",
        "emoji",
        "remains of web pages",
        "a cut-off end",
        "added sentences",
    ),
    unit=POINTS,
    counts="accuracy lost",
    better="lower",
    meaning=(
        "The same test texts are disturbed in one way at a time, so that a person still reads the same opinion: slips "
        "of the keyboard, other spelling, letters that only look alike, signs that nobody sees, remains of web pages, "
        "a neutral sentence more. Counted is the accuracy lost against the undisturbed texts."
    ),
    harm="Careless writers are misread, and hostile ones can choose the answer without changing what a person reads.",
    remedy=(
        "Train on disturbed copies too. Before the model reads, bring look-alike letters back to the alphabet, delete "
        "unseen characters and markup, and correct spelling."
    ),
    brackets=tuple(KINDS),
    bracket="kind",
    alarm=Alarm(0.1, "One right answer in ten is lost to a change that a reader hardly minds."),
    guide="docs/perturbations.md",
    passes=1,  # three where the other strengths are asked about
    rules=(
        "MEASURE 2.5",
        "MEASURE 2.6",
        "MEASURE 2.7",
        "Article 9(8)",
        "Article 13",
        "Article 15(4)",
        "A.6.2.4",
        "GDPR 32",
    ),
    cause="writing",
)
def perturbation(
    scorer: Scorer, predictions: Predictions, kind: str = "typos", *, size: int = 1000, curves: bool = True
) -> Looks:
    """Accuracy lost when the same test texts are disturbed; the verdict is on strength 2 of 3.

    Parameters
    ----------
    scorer : Scorer
    predictions : Predictions
        Of the undisturbed test texts, told their examples.
    kind : str
        One of `KINDS`.
    size : int
        How many of the test texts that the kind changes are asked about at most; 0: all.
    curves : bool
        Whether the other strengths are asked about too, for the report.

    Raises
    ------
    NotAssessed
        If the kind is written for English and the data is not, or if it changes too few of the texts.
    ValueError
        If there is no such kind.

    Notes
    -----
    The pairs are compared by :func:`audit.statistics.paired_difference`, over the texts that the kind changes.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind '{kind}'; there are {', '.join(KINDS)}")
    about, protocol = KINDS[kind], predictions.known.protocol
    if about.english and protocol.language != "en":
        raise NotAssessed(Sentence("it is written for English; there is nothing like it for this language yet"))
    vocabulary = ascii_vocabulary_of(predictions.known.texts)

    @cache
    def disturbed(text: str, strength: int) -> str:
        return disturb(text, kind, strength, vocabulary=vocabulary)

    pool, share = _changeable(predictions.known, about.needs, size, disturbed)
    strengths = STRENGTHS if curves else (VERDICT_STRENGTH,)

    def answer(batch: Examples) -> list[Predictions]:
        disturbances = ([disturbed(text, strength) for text in batch.texts] for strength in strengths)
        return [scorer.predict(texts) for texts in (batch.texts, *disturbances)]

    def result(answers: Sequence[Predictions], confidence: float) -> Result:
        plain, others = answers[0], dict(zip(strengths, answers[1:], strict=True))
        asked, decisive = plain.known, others[VERDICT_STRENGTH]
        effects = {
            s: statistics.paired_effect(plain.correct, other.correct, asked.clusters) for s, other in others.items()
        }
        losses = {
            s: statistics.paired_difference(
                *statistics.discordant(plain.correct, other.correct), confidence, effect=effects[s]
            )
            for s, other in others.items()
        }
        rows: list[list[Cell]] = [
            [0, Sentence("nothing"), *statistics.share(plain.correct, confidence, clusters=asked.clusters)]
        ]
        for strength, other in others.items():
            left = statistics.share(other.correct, confidence, clusters=asked.clusters)
            rows.append([strength, about.levels[strength - 1], *left, *losses[strength]])
        moved = {s: np.abs(o.rows - plain.rows).max(axis=1) > NOISE for s, o in others.items()}
        lost, gained, n = statistics.discordant(plain.correct, decisive.correct)
        flips = _flips(plain, decisive, [disturbed(text, VERDICT_STRENGTH) for text in asked.texts])
        found = Result(
            *losses[VERDICT_STRENGTH],
            n,
            Sentence(
                "The same texts with {how}, {level}; accuracy before less accuracy after, over texts that this "
                "changes; {paired}.",
                how=about.how,
                level=about.levels[VERDICT_STRENGTH - 1],
                paired=PAIRED,
            ),
            confidence,
            sample=CHANGED,
            ceiling=_ceiling(predictions.known, size, asked.different()),
            summary=_summary(lost, gained, moved if plain.graded else {}),
            caveats=_caveats(size, asked.different()),
            evidence=[
                _table(rows),
                Pairs(
                    Sentence("Right answers that turned wrong; what was changed is marked"),
                    shown_pairs(flips, EXAMPLES_SHOWN, predictions.known.row_of),
                ),
                Facts.of(
                    {
                        Sentence("share of test texts that it can change"): share,
                        Sentence("share of changed texts whose scores moved at all"): float(
                            moved[VERDICT_STRENGTH].mean()
                        ),
                    }
                ),
            ],
        )
        return clustered(found, effects[VERDICT_STRENGTH], protocol.cluster)

    return answered(pool, np.arange(len(pool)), answer, result)


def _table(rows: Sequence[Sequence[Cell]]) -> Table:
    return Table(
        Sentence("Accuracy by strength; the verdict is on strength {strength}", strength=VERDICT_STRENGTH),
        [
            Sentence("strength"),
            Sentence("disturbed"),
            Sentence("accuracy left"),
            Sentence("low"),
            Sentence("high"),
            Sentence("accuracy lost"),
            Sentence("lost at least"),
            Sentence("lost at most"),
        ],
        rows,
        units=["", "", SHARE, SHARE, SHARE, POINTS, POINTS, POINTS],
    )


def _changeable(
    examples: Examples, needs: str, size: int, disturbed: Callable[[str, int], str]
) -> tuple[Examples, float]:
    """Examples that the kind changes, randomly drawn, and their share among all."""
    protocol = examples.protocol
    order = examples.drawn("security.perturbation")
    texts = list(dict.fromkeys(examples.texts[i] for i in order))  # copies of one count once
    most = min(filter(None, (size, protocol.max_examples)), default=len(texts))
    changed = list(islice((text for text in texts if disturbed(text, VERDICT_STRENGTH) != text), most))
    # Where enough were found early, the rest was not looked at.
    seen = len(texts) if len(changed) < most else texts.index(changed[-1]) + 1
    enough = min(ENOUGH, most)
    if len(changed) < enough and 2 * len(changed) <= seen:
        raise NotAssessed(
            Sentence(
                "it disturbs texts with {needs}; {rows:,} of the {seen:,} test texts are such, and {enough} are needed",
                needs=needs,
                rows=len(changed),
                seen=seen,
                enough=enough,
            ),
            arises=False,
        )
    chosen = examples.stand_in(changed)
    return examples.take(order[chosen[order]]), len(changed) / seen


def _ceiling(examples: Examples, size: int, asked: int) -> str:
    """The setting that ended the choice; empty where the kind changes no more texts."""
    if asked == size:
        return raised("[security] perturbed", size)
    return of_sample(examples) if asked == examples.protocol.max_examples else ""


def _summary(lost: int, gained: int, moved: dict[int, NDArray[np.bool_]]) -> str:
    if moved and not any(each.any() for each in moved.values()):
        return Sentence(
            "No score moved: what was changed never reached the model, most likely because its tokenizer takes it out "
            "of every text, or cuts long texts off before it."
        )
    return Sentence("{lost:,} right answers turned wrong and {gained:,} wrong ones right.", lost=lost, gained=gained)


def _flips(plain: Predictions, other: Predictions, texts: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Right answers that turned wrong, the largest fall of the right class's score first."""
    pool, lost = plain.known, plain.correct & ~other.correct
    drop = (plain.rows - other.rows)[np.arange(len(pool)), pool.labels]
    for i in np.argsort(-drop, kind="stable").tolist():
        if lost[i]:
            before, after = (plain.classes[each.labels[i]] for each in (plain, other))
            yield pool.texts[i], texts[i], Sentence("{before} → {after}", before=before, after=after)


def _caveats(size: int, asked: int) -> list[str]:
    caveats: list[str] = [
        Sentence(
            "The disturbances are made by rule and at random. Somebody who chooses the place of a change by what the "
            "model answers can do more with less."
        )
    ]
    if asked == size:
        caveats.append(
            Sentence("{size:,} texts were chosen; `perturbed` under [security] asks about more of them.", size=size)
        )
    return caveats


@lru_cache(maxsize=1)
def ascii_vocabulary_of(texts: tuple[str, ...]) -> frozenset[str]:
    """Lower-case words of the texts; each kind asks for the same ones."""
    return frozenset(word.lower() for text in texts for word in re.findall(r"[A-Za-z]+", text))


def _print_pairs() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m audit.probes.security.perturbation", description="Show the disturbances."
    )
    parser.add_argument("--print", type=int, default=20, metavar="N", dest="count", help="of each kind")
    parser.add_argument("--kind", choices=KINDS, help="only this one")
    parser.add_argument("--strength", type=int, choices=STRENGTHS, default=STRENGTHS[-1])
    parser.add_argument("--file", metavar="CSV", help="texts to disturb; without it the demo's reviews")
    parser.add_argument("--column", default="text", help="of the file")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.file:
        with open(options.file, newline="", encoding="utf-8") as file:
            texts = tuple(row[options.column] for row in csv.DictReader(file))
    else:
        texts = tuple(str(row["text"]) for row in demo.reviews("test"))
    vocabulary = ascii_vocabulary_of(texts)
    for kind in [options.kind] if options.kind else KINDS:
        level = KINDS[kind].levels[options.strength - 1]
        print(f"\n{kind}, strength {options.strength}: {KINDS[kind].how}, {level}")
        pairs = ((t, disturb(t, kind, options.strength, seed=options.seed, vocabulary=vocabulary)) for t in texts)
        for before, after in islice((pair for pair in pairs if pair[0] != pair[1]), options.count):
            print(f"  {_shown(before, after)}")


def _shown(before: str, after: str) -> str:
    """What was changed, with a few words around it: ``a {good→g00d} film … the {plot→pl0t} of``."""
    old, new = (re.findall(r"\s+|\S+", text) for text in (before, after))
    parts = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            parts.append(f"{{{''.join(old[a:b])}→{''.join(new[c:d])}}}")
        elif b - a <= 12:
            parts.append("".join(old[a:b]))
        else:
            parts.append("".join((*(old[a : a + 6] if a else ()), " … ", *(old[b - 6 : b] if b < len(old) else ()))))
    return re.sub(r"[\n\t]", lambda match: code(match[0]), visible("".join(parts)))


if __name__ == "__main__":
    _print_pairs()
