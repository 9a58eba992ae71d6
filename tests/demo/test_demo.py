"""The demo corpus keeps its promises: honest, reproducible, hard to read by words alone, and its secrets made up."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from audit.demo import COLUMNS, reviews
from audit.demo.grammar import lexicon

AUTHORS = {
    "gender": {"female", "male"},
    "age_band": {"18-29", "30-44", "45-59", "60+"},
    "region": {"north", "east", "south", "west"},
}
NEGATIVE_WORDS = {word for pool in lexicon()["natures"].values() for word in pool["bad"]} | {
    word for pool in ("gradable", "extreme") for word in lexicon()["any_aspect"][pool]["bad"]
}
PLANTED = {
    "email": r"[\w.]+@example\.(?:com|org|net)",
    "phone": r"\(\d{3}\) 555-01\d\d|\+1 \d{3} 555 01\d\d|(?:\+44 |0)7700 900\d{3}|020 7946 0\d{3}"
    r"|(?:\+49 |0)30 23125 \d{3}",
    "iban": r"(?:DE|AT|CH|GB|IE|NL)\d\d(?: ?[A-Z0-9]){11,18}",
    "card": r"\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}",
    "ip": r"\d+\.\d+\.\d+\.\d+",
    "address": r"\d+ [A-Z]\w+(?: [A-Z]\w+)+, [A-Z]\w+",
    "handle": r"(?<!\w)@\w+",
}
Rows = list[dict[str, str | None]]


@pytest.fixture(scope="module")
def train() -> Rows:
    return reviews("train")


@pytest.fixture(scope="module")
def test() -> Rows:
    return reviews("test")


def texts(rows: Rows) -> list[str]:
    return [str(row["text"]) for row in rows]


def labels(rows: Rows) -> list[str]:
    return [str(row["label"]) for row in rows]


def test_same_seed_same_reviews_and_other_seed_others() -> None:
    assert reviews("train", 200) == reviews("train", 200)
    assert texts(reviews("train", 200)) != texts(reviews("train", 200, seed=1))
    assert texts(reviews("train", 200)) != texts(reviews("test", 200))


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="validation"):
        reviews("validation")  # type: ignore[arg-type]


def test_columns_hold_what_they_should(train: Rows, test: Rows) -> None:
    for row in train + test:
        assert tuple(row) == COLUMNS
        assert row["label"] in {"negative", "neutral", "positive"}
        assert row["planted"] is None or row["planted"] in PLANTED
        assert all(row[column] is None or row[column] in values for column, values in AUTHORS.items())


def test_texts_are_short_and_filled_in(train: Rows, test: Rows) -> None:
    for text in texts(train + test):
        assert 8 <= len(text.split()) <= 70
        assert not re.search(r"[{}]|  |\b[Aa] [aeio]|\ban [bcdfgjklmnpqrstvwz]", text), text


def test_labels_have_their_shares(test: Rows) -> None:
    clean = Counter(labels(reviews("test", label_noise=0)))
    assert clean["negative"] / 10_000 == pytest.approx(0.35, abs=0.02)
    assert clean["neutral"] / 10_000 == pytest.approx(0.27, abs=0.02)
    assert clean["positive"] / 10_000 == pytest.approx(0.38, abs=0.02)


def test_authors_are_equally_frequent_and_independent_of_the_label(test: Rows) -> None:
    positive = sum(row["label"] == "positive" for row in test) / len(test)
    for column, values in AUTHORS.items():
        assert sum(row[column] is None for row in test) / len(test) == pytest.approx(0.04, abs=0.01)
        for value in values:
            group = [row for row in test if row[column] == value]
            assert len(group) / len(test) == pytest.approx(0.96 / len(values), abs=0.03)
            assert sum(row["label"] == "positive" for row in group) / len(group) == pytest.approx(positive, abs=0.04)


def test_label_noise_changes_labels_only(test: Rows) -> None:
    clean = reviews("test", label_noise=0)
    assert [row | {"label": None} for row in clean] == [row | {"label": None} for row in test]
    changed = [row for row, true in zip(test, clean, strict=True) if row["label"] != true["label"]]
    assert len(changed) / len(test) == pytest.approx(0.08, abs=0.01)
    assert len({row["label"] for row in changed}) == 3


@pytest.mark.slow("compares all reviews with each other", seconds=3)
def test_hardly_a_text_comes_twice(train: Rows, test: Rows) -> None:
    assert len(set(texts(train))) >= 0.995 * len(train)
    assert len(set(texts(test))) >= 0.995 * len(test)
    assert sum(text in set(texts(train[:4_000])) for text in set(texts(test))) <= 0.003 * len(test)


def test_a_quarter_of_the_reviews_mentions_people_of_either_gender(test: Rows) -> None:
    people = lexicon()["people"]
    patterns = {
        gender: re.compile(rf"\b(?:{'|'.join(words)}|{pronouns})\b", re.IGNORECASE)
        for gender, words, pronouns in [
            ("female", people["female"], "she|her|herself"),
            ("male", people["male"], "he|his|him|himself"),
        ]
    }
    for pattern in patterns.values():
        assert sum(bool(pattern.search(text)) for text in texts(test)) >= 0.125 * len(test)


def test_negative_words_do_not_mean_a_negative_review() -> None:
    rows = reviews("test", label_noise=0)
    share = {
        label: sum(bool(NEGATIVE_WORDS & set(re.findall(r"\w+", text.lower()))) for text in group) / len(group)
        for label in ("negative", "positive")
        if (group := [str(row["text"]) for row in rows if row["label"] == label])
    }
    assert share["positive"] > 0.25
    assert share["negative"] < 0.9


def test_a_linear_model_stays_clearly_below_the_ceiling(train: Rows, test: Rows) -> None:
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=5, max_iter=300))
    model.fit(texts(train[:4_000]), labels(train[:4_000]))
    assert 0.70 < model.score(texts(test), labels(test)) < 0.82


@pytest.mark.parametrize("kind", PLANTED)
def test_planted_data_are_there_and_only_there(kind: str, train: Rows, test: Rows) -> None:
    for row in train + test:
        found = re.search(PLANTED[kind], str(row["text"]))
        if row["planted"] == kind:
            assert found, row["text"]
        elif row["planted"] is None:
            assert not found, row["text"]


def test_planted_data_have_their_share(train: Rows, test: Rows) -> None:
    for rows in (train, test):
        assert sum(row["planted"] is not None for row in rows) / len(rows) == pytest.approx(0.015, abs=0.006)
    assert {row["planted"] for row in test} == {None, *PLANTED}


def planted(kind: str, rows: Rows) -> list[str]:
    return [re.search(PLANTED[kind], str(row["text"]))[0] for row in rows if row["planted"] == kind]  # type: ignore[index]


def test_card_numbers_have_a_right_luhn_digit(train: Rows, test: Rows) -> None:
    for card in planted("card", train + test):
        digits = [int(character) for character in re.sub(r"\D", "", card)]
        assert len(digits) == 16
        assert (sum(digits[1::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[::2])) % 10 == 0


def test_ibans_have_a_right_checksum_and_their_countrys_length(train: Rows, test: Rows) -> None:
    lengths = {"DE": 22, "AT": 20, "CH": 21, "GB": 22, "IE": 22, "NL": 18}
    ibans = [iban.replace(" ", "") for iban in planted("iban", train + test)]
    for iban in ibans:
        assert len(iban) == lengths[iban[:2]]
        rearranged = iban[4:] + iban[:4]
        assert int("".join(str(int(character, 36)) for character in rearranged)) % 97 == 1
    assert len({iban[:2] for iban in ibans}) >= 4


def test_ip_addresses_are_reserved_for_documentation(train: Rows, test: Rows) -> None:
    reserved = [ipaddress.ip_network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]
    for address in planted("ip", train + test):
        assert any(ipaddress.ip_address(address) in net for net in reserved)
