"""Which English words speak for a sentiment, as people rated or read them; nothing here knows data or models."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

from audit.text import lists

# A word that most readers rate at less hardly speaks for a side ("delayed", "cancelled", "pay").
FEWEST_POINTS = 1.0
# Two standard errors of the raters' mean.
SURELY = 2.0
# What may follow the star of a word in `praise.txt` or `blame.txt`: a craftsman is no "crap", a messenger no "mess".
ENDINGS = frozenset(
    (
        *("", "s", "es", "d", "ed", "ing", "ingly", "y", "ily", "ly", "er", "ers", "est", "e", "le"),
        *("ful", "fully", "less", "lessly", "ness", "able", "ably", "ible", "ibly", "ic", "ical", "ically", "al"),
        *("ally", "ous", "ously", "ive", "ively", "ion", "ions", "ation", "ations", "ment", "ments", "ance", "ant"),
        *("ent", "ence", "ish", "ary", "arily", "ate", "ated", "ating", "ction", "ity", "ies", "ied"),
    )
)


def sentiment_of(word: str) -> str:
    """Say "positive" or "negative" where people surely say so of an English word; else nothing.

    Parameters
    ----------
    word : str
        One word, in any case.

    Notes
    -----
    First by the lexicon of VADER: ten people rated each of its 7,500 words from -4 to 4. Those count whose mean is at
    least `FEWEST_POINTS` from 0 and lies beyond `SURELY` standard errors. Of others ``praise.txt`` and ``blame.txt``
    tell, unless the raters' mean lies on the other side. Hutto and Gilbert, "VADER: A Parsimonious Rule-based Model for
    Sentiment Analysis of Social Media Text", ICWSM 2014.
    """
    word = word.lower()
    points, surely = _ratings().get(word, (0.0, False))
    if surely:
        return "positive" if points > 0 else "negative"
    if points >= 0 and _is_listed(word, "praise.txt"):
        return "positive"
    return "negative" if points <= 0 and _is_listed(word, "blame.txt") else ""


@cache
def _ratings() -> dict[str, tuple[float, bool]]:
    """Each word's mean, and whether it surely speaks for a side."""
    import vaderSentiment

    found = {}
    for line in files(vaderSentiment).joinpath("vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        word, mean, _, ratings = line.split("\t")
        rated, points = [int(each) for each in ratings.strip("[] ").split(",")], float(mean)
        deviation = math.sqrt(sum((each - points) ** 2 for each in rated) / (len(rated) - 1))
        surely = abs(points) >= max(FEWEST_POINTS, SURELY * deviation / math.sqrt(len(rated)))
        found[word] = points, surely and word.isalpha()
    return found


def _is_listed(word: str, name: str) -> bool:
    whole, stems = _listed(name)
    cuts = ((word[:end], word[end:]) for end in range(1, len(word) + 1))
    return word in whole or any(stem in stems and ending in ENDINGS for stem, ending in cuts)


@cache
def _listed(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """Whole words, and those that may have an ending."""
    words = lists.words("audit.text", name)
    return frozenset(words), frozenset(each[:-1] for each in words if each[-1] == "*")
