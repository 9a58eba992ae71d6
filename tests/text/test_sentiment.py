"""What people say of a word by itself."""

import pytest

from audit.text import lists
from audit.text.sentiment import sentiment_of


@pytest.mark.parametrize(
    ("word", "sentiment"),
    [
        ("suffers", "negative"), ("Worst", "negative"), ("charming", "positive"), ("FUN", "positive"),
        ("delayed", ""),  # rated -0.9 on the mean
        ("lacking", "negative"), ("Shallow", "negative"), ("tedious", "negative"),  # not rated, but listed
        ("refreshing", "positive"), ("refreshingly", "positive"), ("exceptionally", "positive"),
        ("empty", "negative"), ("delicate", "positive"),  # rated as good as nothing, and on the same side
        ("jokes", "positive"),
        ("messenger", ""), ("craftsman", ""), ("kindergarten", ""),  # no endings of "mess*", "crap*" and "kind*"
        ("depressing", "negative"), ("kettle", ""), ("not a word", ""), ("", ""), (":)", ""),
    ],
)  # fmt: skip
def test_words_count_that_people_surely_rate(word: str, sentiment: str) -> None:
    assert sentiment_of(word) == sentiment


@pytest.mark.parametrize("word", ["die", "great", "movie", "awful", "board"])
def test_it_is_the_published_lexicon(word: str) -> None:
    """VADER's own class reads the same file: its valence is the mean."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    valence = SentimentIntensityAnalyzer().lexicon.get(word, 0.0)
    expected = "positive" if valence >= 1 else "negative" if valence <= -1 else ""
    assert sentiment_of(word) == expected


def test_no_word_is_listed_on_both_sides() -> None:
    listed = [set(lists.words("audit.text", name)) for name in ("praise.txt", "blame.txt", "opinion.txt")]
    assert not listed[0] & listed[1]
    assert not (listed[0] | listed[1]) & listed[2]


def test_the_lists_contradict_no_rating() -> None:
    """A listed word that people surely rate on the other side was listed by mistake."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    valence = SentimentIntensityAnalyzer().lexicon
    for name, side in (("praise.txt", 1), ("blame.txt", -1)):
        words = [word.rstrip("*") for word in lists.words("audit.text", name)]
        assert [word for word in words if side * valence.get(word, 0) <= -1] == []
