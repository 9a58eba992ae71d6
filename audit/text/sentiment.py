"""Which English words speak for a sentiment, as people rated them; nothing here knows data or models."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files

# A word that most readers rate at less hardly speaks for a side ("delayed", "cancelled", "pay").
FEWEST_POINTS = 1.0
# Two standard errors of the raters' mean.
SURELY = 2.0


def sentiment_of(word: str) -> str:
    """Say "positive" or "negative" where people surely rate an English word so; else nothing.

    Parameters
    ----------
    word : str
        One word, in any case.

    Notes
    -----
    By the lexicon of VADER: ten people rated each of its 7,500 words from -4 to 4. Those count whose mean is at least
    `FEWEST_POINTS` from 0 and lies beyond `SURELY` standard errors. Hutto and Gilbert, "VADER: A Parsimonious
    Rule-based Model for Sentiment Analysis of Social Media Text", ICWSM 2014.
    """
    return _sentiments().get(word.lower(), "")


@cache
def _sentiments() -> dict[str, str]:
    import vaderSentiment

    found = {}
    for line in files(vaderSentiment).joinpath("vader_lexicon.txt").read_text(encoding="utf-8").splitlines():
        if not line.strip():
            continue
        word, mean, _, ratings = line.split("\t")
        rated, points = [int(each) for each in ratings.strip("[] ").split(",")], float(mean)
        deviation = math.sqrt(sum((each - points) ** 2 for each in rated) / (len(rated) - 1))
        if abs(points) >= max(FEWEST_POINTS, SURELY * deviation / math.sqrt(len(rated))) and word.isalpha():
            found[word] = "positive" if points > 0 else "negative"
    return found
