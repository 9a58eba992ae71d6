"""Ethics: whether people are understood who write no standard English. Renderings of the same texts, never caricature.

Two kinds, written from features that are documented for them: ``informal``, as people write in messages, and
``non_native``, with slips of learners. Both leave out what would only be guessed: no dialect is imitated, and no text
is made to look as if a particular group had written it.

Sources: Tagliamonte and Denis, "Linguistic ruin? LOL! Instant messaging and teen language", American Speech 83 (2008);
Eisenstein, "What to do about bad language on the internet", NAACL 2013; Dahlmeier, Ng and Wu, "Building a large
annotated corpus of learner English", BEA 2013; Swan and Smith, "Learner English", Cambridge University Press 2001.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np

from audit import statistics
from audit.core.errors import NotAssessed
from audit.core.evidence import Facts, Pairs
from audit.core.looks import Looks
from audit.core.measurement import Result
from audit.core.probe import POINTS, Alarm, Probe
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.probes.methods import CHANGED, PAIRED, clustered, of_sample
from audit.probes.sampling import answered
from audit.text.lists import rows
from audit.text.redaction import shown_pairs

KINDS = ("informal", "non_native")
EXAMPLES_SHOWN = 8
_HOW = {
    "informal": Sentence("contracted and clipped words, no apostrophes, no capitals at the head of a sentence"),
    "non_native": Sentence("dropped articles, verbs that do not agree, other prepositions, words spelled by sound"),
}
_ARTICLE = re.compile(r"\b(?:the|an?) (?=[a-z])", re.IGNORECASE)
# "a" belongs to these, and the meaning turns on it: "a few" is some, "few" is hardly any.
_KEEPS_ARTICLE = re.compile(r"(?:few|little|bit|lot|great deal|least|most|best|worst|only|same)\b", re.IGNORECASE)


def render(text: str, kind: str) -> str:
    """The same text as another writer would put it; the same each time, and unchanged where nothing fits.

    Parameters
    ----------
    text : str
    kind : {"informal", "non_native"}

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> render("The plot is kind of slow because they want to explain it.", "informal")
    'the plot is kinda slow cuz they wanna explain it'
    """
    pattern, words = _words(kind)
    text = pattern.sub(lambda match: _like(words[match.group().lower()], match.group()), text)
    return _as_in_messages(text) if kind == "informal" else _without_articles(text)


@cache
def _words(kind: str) -> tuple[re.Pattern[str], dict[str, str]]:
    if kind not in KINDS:
        raise ValueError(f"no kind '{kind}'; known are {', '.join(KINDS)}")
    words = {standard.lower(): other for standard, other in rows("audit.probes.ethics", f"{kind}.txt")}
    longest = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    # Not before a denial: "it has not" keeps its verb, and so its meaning to every reader.
    return re.compile(rf"(?<![\w'’-])(?:{longest})(?![\w'’-])(?! not\b)(?! no\b)(?! n't)", re.IGNORECASE), words


def _like(word: str, old: str) -> str:
    return word[0].upper() + word[1:] if old[0].isupper() and not re.match(r"I\b", old) else word


def _as_in_messages(text: str) -> str:
    """Small letters at the head of sentences and for "I", and no full stop at the end."""
    text = re.sub(r"(?:^|(?<=[.!?] ))([A-Z])(?=[a-z]+\b|\b)", lambda match: match.group(1).lower(), text)
    return re.sub(r"(?<=\w)\.\s*$", "", re.sub(r"\bI\b", "i", text))


def _without_articles(text: str) -> str:
    """About half of the articles dropped, chosen by a hash of the text up to there: the same ones each time."""

    def keep_or_drop(match: re.Match[str]) -> str:
        if _KEEPS_ARTICLE.match(text[match.end() :]):
            return match.group()
        digest = hashlib.sha256(text[: match.end() + 12].encode("utf-8", "surrogatepass")).digest()
        return match.group() if digest[0] % 2 else ""

    dropped = _ARTICLE.sub(keep_or_drop, text)
    return dropped[:1].upper() + dropped[1:] if text[:1].isupper() else dropped


@Probe(
    id="fairness.language_variety",
    challenge="ethics",
    title="Accuracy lost on informal and learners' English",
    title_of="Accuracy lost on {bracket}",
    bracket_names=(
        "informal English",
        "learners' English",
    ),
    unit=POINTS,
    counts="accuracy lost",
    better="lower",
    meaning=(
        "The same test texts written as people write in messages (informal), or with the slips that learners of "
        "English make (non_native); what is said stays the same. Counted is the accuracy lost against the originals."
    ),
    harm="People who write no standard English, often young or from elsewhere, are misread more often than others.",
    remedy="Train on texts by such writers, or on copies rendered like these with the same label.",
    brackets=("informal", "non_native"),
    bracket="kind",
    alarm=Alarm(0.05, "Of people who write like this one in twenty is misread who would be understood in other words."),
    passes=1,
    rules=(
        "MEASURE 2.5",
        "MEASURE 2.11",
        "Article 9(8)",
        "Article 10",
        "Article 13",
        "Article 15(4)",
        "A.5.4",
        "A.6.2.4",
        "GDPR 5",
        "GDPR 35",
    ),
    cause="writing",
)
def language_variety(scorer: Scorer, predictions: Predictions, kind: str = "informal") -> Looks:
    """Accuracy lost when the same test texts are written in another variety of English.

    Parameters
    ----------
    scorer : Scorer
    predictions : Predictions
        Of the test texts, told their examples.
    kind : {"informal", "non_native"}

    Raises
    ------
    NotAssessed
        If the data is not English, or the rendering changes no text.
    ValueError
        If there is no such kind.

    Notes
    -----
    Only texts that the rendering changes are compared, by :func:`audit.statistics.paired_difference`.
    """
    if predictions.known.protocol.language != "en":
        raise NotAssessed(Sentence("its renderings are of English; there are none for this language yet"))
    sample = predictions.known.sample()
    rendered = {text: render(text, kind) for text in sample.texts}
    changes = np.array([rendered[text] != text for text in sample.texts])
    if not changes.any():
        raise NotAssessed(Sentence("no test text has words that this variety writes otherwise; supply longer texts"))

    def answer(batch: Examples) -> list[Predictions]:
        return [scorer.predict(texts) for texts in (batch.texts, [rendered[text] for text in batch.texts])]

    def result(answers: Sequence[Predictions], confidence: float) -> Result:
        plain, other = answers
        asked = plain.known
        effect = statistics.paired_effect(plain.correct, other.correct, asked.clusters)
        lost, gained, n = statistics.discordant(plain.correct, other.correct)
        found = Result(
            *statistics.paired_difference(lost, gained, n, confidence, effect=effect),
            n,
            Sentence(
                "The same texts with {how}; accuracy before less accuracy after, over the texts that change; {paired}.",
                how=_HOW[kind],
                paired=PAIRED,
            ),
            confidence,
            sample=CHANGED,
            summary=Sentence(
                "Of 100 texts that are written so, {more:.1f} more are misread than of the originals.",
                more=100 * (lost - gained) / n,
            )
            if lost > gained
            else "",
            ceiling=of_sample(predictions.known),
            caveats=[
                Sentence(
                    "The renderings are rules written from what is documented of such writing; texts by real writers "
                    "of these varieties differ in more than that. No dialect is imitated."
                )
            ],
            evidence=[
                Pairs(
                    Sentence("Right answers that turned wrong; changed words are marked"),
                    shown_pairs(_flips(plain, other, rendered), EXAMPLES_SHOWN, plain.known.row_of),
                ),
                Facts.of(
                    {
                        Sentence("accuracy on the texts as they are"): float(plain.correct.mean()),
                        Sentence("accuracy on the renderings"): float(other.correct.mean()),
                        Sentence("share of test texts that change"): float(changes.mean()),
                    }
                ),
            ],
        )
        return clustered(found, effect, asked.protocol.cluster)

    return answered(pool := sample.take(changes), pool.drawn("fairness.language_variety"), answer, result)


def _flips(plain: Predictions, other: Predictions, rendered: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Right answers that turned wrong, the largest fall of the right class's score first."""
    asked, lost = plain.known, plain.correct & ~other.correct
    drop = (plain.rows - other.rows)[np.arange(len(asked)), asked.labels]
    for i in np.argsort(-drop, kind="stable").tolist():
        if lost[i]:
            before, after = (each.classes[each.labels[i]] for each in (plain, other))
            yield asked.texts[i], rendered[asked.texts[i]], Sentence("{before} → {after}", before=before, after=after)
