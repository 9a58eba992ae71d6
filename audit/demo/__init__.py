"""The embedded demo corpus: product reviews with authors, honest label noise and a little planted personal data.

It exists so that the whole audit runs on real code and a really trained model without any download. It is generated
text: figures measured on it say nothing about how a model treats real people.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from . import grammar, personal_data, slips

__all__ = ["COLUMNS", "reviews"]

COLUMNS = ("text", "label", "gender", "age_band", "region", "planted")

ROWS = {"train": 4_000, "test": 10_000}
LABELS = {"negative": 0.35, "neutral": 0.27, "positive": 0.38}
AUTHORS = {
    "gender": ("female", "male"),
    "age_band": ("18-29", "30-44", "45-59", "60+"),
    "region": ("north", "east", "south", "west"),
}
UNKNOWN = 0.04  # share of authors who left a column empty
PLANTED = 0.015
HURRIED = {"18-29": 0.20, "60+": 0.10}  # the one habit that goes with an author; 15 % for everybody else


def reviews(
    split: Literal["train", "test"],
    rows: int | None = None,
    seed: int = 0,
    label_noise: float = 0.08,
) -> list[dict[str, str | None]]:
    """Generate one split of the demo corpus.

    Labels are independent of the author columns, so every group is treated alike in the data. Texts, authors, planted
    personal data and label noise are drawn from streams of their own: a change of `label_noise` changes labels only.

    Parameters
    ----------
    split : {"train", "test"}
        Which split; the two share their words and sentences, hardly ever a whole text.
    rows : int, optional
        Number of reviews; by default 4,000 for "train" and 10,000 for "test".
    seed : int
        The same seed always gives the same reviews.
    label_noise : float
        Probability that a label is replaced by one of the other two, so that no model can reach more than
        ``1 - label_noise`` on average.

    Returns
    -------
    list of dict
        One dictionary per review with the keys `COLUMNS`. `label` is "negative", "neutral" or "positive"; `gender`,
        `age_band` and `region` describe the author and may be None; `planted` is the kind of personal data in the
        text ("email", "phone", "iban", "card", "ip", "address", "handle") or None.
    """
    if split not in ROWS:
        raise ValueError(f'split must be "train" or "test", not {split!r}')
    count = ROWS[split] if rows is None else rows
    words, people, plants, noise = (
        Random(f"{seed}/{split}/{stream}") for stream in ("words", "people", "plants", "noise")
    )
    return [_review(words, people, plants, noise, label_noise) for _ in range(count)]


def _review(words: Random, people: Random, plants: Random, noise: Random, label_noise: float) -> dict[str, str | None]:
    author = _author(people)
    label = words.choices(list(LABELS), list(LABELS.values()))[0]
    text = slips.contract(words, grammar.write(words, label).text)
    if words.random() < HURRIED.get(author["age_band"] or "", 0.15):
        text = slips.hurry(words, text)
    planted = plants.choice(personal_data.KINDS) if plants.random() < PLANTED else None
    if planted:
        text = f"{text} {personal_data.sentence(plants, planted)}"
    return {"text": text, "label": _noisy(noise, label, label_noise), **author, "planted": planted}


def _author(rng: Random) -> dict[str, str | None]:
    return {column: None if rng.random() < UNKNOWN else rng.choice(values) for column, values in AUTHORS.items()}


def _noisy(rng: Random, label: str, label_noise: float) -> str:
    # Both draws are made for every row, so that more noise only adds to the labels already changed by less.
    replaced, other = rng.random() < label_noise, rng.choice([name for name in LABELS if name != label])
    return other if replaced else label
