"""Security: texts that are disturbed in a way that a human reader hardly minds."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable

import numpy as np

from audit import statistics
from audit.redaction import redact
from audit.scorer import Predictions, Scorer
from audit.verdict import Measurement

STRENGTHS = {1: 0.05, 2: 0.10, 3: 0.20}  # share of the words that get a typing error
VERDICT_STRENGTH = 2
EXAMPLES_SHOWN = 8
TRIES = 20  # some errors make another word, or none; another one of the same word then does
_NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm",
    "k": "jil", "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
# A typing error in one of these could turn the meaning, and words of three letters are left alone anyway.
_UNTOUCHED = frozenset(
    "never none nothing nobody neither nowhere without hardly barely scarcely cannot cant dont doesnt didnt isnt arent "
    "wasnt werent wont wouldnt couldnt shouldnt havent hasnt hadnt".split()
)


def typos(text: str, strength: int, vocabulary: frozenset[str], seed: int = 0) -> str:
    """The text with typing errors that a reader sees through.

    Neighbouring keys, swapped, dropped and doubled letters, within words of at least four letters, never the first
    or last letter, never a negation, and never so that another word of the vocabulary comes out.

    Parameters
    ----------
    text : str
    strength : {1, 2, 3}
        An error in 5, 10 or 20 % of the words, at least one.
    vocabulary : frozenset of str
        Lower-case words that must not come out.
    seed : int
        The same seed and text give the same errors.
    """
    words = [
        match
        for match in re.finditer(r"[A-Za-z]{4,}", text)
        if match.group().lower() not in _UNTOUCHED and not text[match.end() :].startswith(("'t", "’t"))
    ]
    digest = hashlib.sha256(f"{seed}/{strength}/{text}".encode("utf-8", "surrogatepass")).digest()
    rng = random.Random(int.from_bytes(digest[:8], "big"))
    rng.shuffle(words)
    wanted = max(1, round(STRENGTHS[strength] * len(text.split())))
    changes: list[tuple[int, int, str]] = []
    for match in words:
        if len(changes) == wanted:
            break
        for _ in range(TRIES):
            new = _mistype(match.group(), rng)
            if new.lower() not in vocabulary and new != match.group():
                changes.append((match.start(), match.end(), new))
                break
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _mistype(word: str, rng: random.Random) -> str:
    i = rng.randrange(1, len(word) - 1)
    kind = rng.choice(("neighbour", "swap", "drop", "double"))
    if kind == "swap" and i + 1 < len(word) - 1:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == "drop":
        return word[:i] + word[i + 1 :]
    if kind == "double":
        return word[: i + 1] + word[i:]
    letter = rng.choice(_NEIGHBOURS[word[i].lower()])
    return word[:i] + (letter.upper() if word[i].isupper() else letter) + word[i + 1 :]


def perturbation(scorer: Scorer, predictions: Predictions, kind: str = "typos") -> Measurement:
    """Accuracy lost when the same test texts are disturbed; the verdict is on strength 2 of 3.

    Parameters
    ----------
    scorer : Scorer
    predictions : Predictions
        Of the undisturbed test texts, told their examples.
    kind : {"typos"}

    Notes
    -----
    The pairs are compared by :func:`audit.statistics.paired_difference`.
    """
    pool = predictions.known.sample()
    protocol = pool.protocol
    vocabulary = frozenset(words(pool.texts))
    plain = scorer.predict(pool.texts).on(pool)
    rows, verdict, examples = [], None, []
    for strength in STRENGTHS:
        texts = [typos(text, strength, vocabulary, protocol.seed) for text in pool.texts]
        disturbed = scorer.predict(texts).on(pool)
        lost = plain.correct & ~disturbed.correct
        gained = ~plain.correct & disturbed.correct
        interval = statistics.paired_difference(int(lost.sum()), int(gained.sum()), len(pool), protocol.confidence)
        rows.append([strength, f"{STRENGTHS[strength]:.0%} of the words", *interval, float(disturbed.correct.mean())])
        if strength == VERDICT_STRENGTH:
            verdict = interval
            drop = (plain.probabilities - disturbed.probabilities)[np.arange(len(pool)), pool.labels]
            worst = [i for i in np.argsort(-drop, kind="stable") if lost[i]][:EXAMPLES_SHOWN]
            examples = [
                {
                    "before": redact(pool.texts[i]),
                    "after": redact(texts[i]),
                    "note": f"{plain.classes[plain.labels[i]]} → {plain.classes[disturbed.labels[i]]}",
                }
                for i in worst
            ]
    assert verdict is not None
    return Measurement(
        f"security.perturbation[{kind}]",
        verdict.estimate,
        verdict.low,
        verdict.high,
        len(pool),
        "accuracy lost",
        "The same texts with typing errors in 10 % of their words (neighbouring keys, swapped, dropped, doubled "
        f"letters); accuracy before less accuracy after; {statistics.PAIRED}.",
        protocol.confidence,
        details={
            "accuracy on the undisturbed texts": float(plain.correct.mean()),
            "tables": [
                {
                    "caption": "Accuracy lost by strength",
                    "columns": ["strength", "errors in", "accuracy lost", "low", "high", "accuracy left"],
                    "rows": rows,
                }
            ],
            "examples": {
                "caption": "Right answers that turned wrong; changed words are marked",
                "items": examples,
            },
        },
    )


def words(texts: Iterable[str]) -> set[str]:
    """Lower-case words of the texts."""
    return {word.lower() for text in texts for word in re.findall(r"[A-Za-z]+", text)}
