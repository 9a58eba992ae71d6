"""What people say of a word by itself."""

import pytest

from audit.text.sentiment import sentiment_of


@pytest.mark.parametrize(
    ("word", "sentiment"),
    [
        ("suffers", "negative"), ("Worst", "negative"), ("charming", "positive"), ("FUN", "positive"),
        ("delayed", ""),  # rated -0.9 on the mean
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
