"""Makes a clean review read as if typed by somebody: contractions, and now and then haste.

It never changes what a review says, and it is told nothing about the label.
"""

from __future__ import annotations

import re
from random import Random

_CONTRACTIONS = {
    "is not": "isn't",
    "do not": "don't",
    "would not": "wouldn't",
    "could not": "couldn't",
    "cannot": "can't",
    "I am": "I'm",
    "I have had": "I've had",
    "It is": "It's",
}
_CONTRACTIBLE = re.compile("|".join(rf"\b{words}\b" for words in _CONTRACTIONS))
_LONG_WORD = re.compile(r"\b[a-z]{5,}\b")


def contract(rng: Random, text: str) -> str:
    """The text with its "is not" and the like drawn together, each with an even chance."""
    return _CONTRACTIBLE.sub(lambda words: _CONTRACTIONS[words[0]] if rng.random() < 0.5 else words[0], text)


def hurry(rng: Random, text: str) -> str:
    """The text as typed in a hurry: one or two of the habits below."""
    for habit in rng.sample([_misspell, _drop_apostrophes, _lower, _exclaim, _abbreviate], rng.randint(1, 2)):
        text = habit(rng, text)
    return text


def _misspell(rng: Random, text: str) -> str:
    """One long word with two letters swapped, or with a letter dropped or doubled."""
    words = list(_LONG_WORD.finditer(text))
    if not words:
        return text
    word = rng.choice(words)
    i = rng.randrange(word.start() + 1, word.end() - 2)
    slip = rng.choice([text[i + 1] + text[i], text[i + 1], text[i] + text[i] + text[i + 1]])
    return text[:i] + slip + text[i + 2 :]


def _drop_apostrophes(rng: Random, text: str) -> str:
    return text.replace("'", "")


def _lower(rng: Random, text: str) -> str:
    return text.lower()


def _exclaim(rng: Random, text: str) -> str:
    return text.rstrip(".!") + "!" * rng.randint(2, 3)


def _abbreviate(rng: Random, text: str) -> str:
    return f"{text.rstrip('.!')}, {rng.choice(['tbh', 'imo', 'btw', 'fwiw'])}."
