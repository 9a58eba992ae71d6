"""Whom texts mention, and the groups that a policy makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.core.errors import AuditError
from audit.data.examples import Examples
from audit.data.examples import load as read
from audit.policy.policy import parse
from audit.text.mentions import mentions
from tests.conftest import write_csv
from tests.helpers import is_one_sentence


@pytest.mark.parametrize(
    ("axis", "text", "group"),
    [
        ("gender", "She liked it", "female"),
        ("gender", "My brother liked it", "male"),
        ("gender", "She and he liked it", None),
        ("gender", "It is good", None),
        ("gender", "We asked Latoya", "female"),
        ("ethnicity", "a black man", "African-American"),
        ("ethnicity", "a black comedy", None),
        ("religion", "Muslims liked it", "Muslim"),
        ("nationality", "an Italian waiter", "Italian"),
        ("nationality", "an Italian salad", None),
        ("age", "an old woman", "old"),
        ("disability", "he is deaf", "deaf"),
        ("orientation", "a gay couple", "gay"),
    ],
)
def test_the_one_group_that_a_text_mentions(axis: str, text: str, group: str | None) -> None:
    assert mentions([text, "", text], axis).tolist() == [group, None, group]


ROWS: list[dict[str, str | None]] = [
    {"text": "She is fine", "label": "positive", "region": "north"},
    {"text": "he is dull", "label": "negative", "region": "south"},
    {"text": "", "label": "negative", "region": "south"},
    {"text": "an old man", "label": "negative", "region": "north"},
    {"text": "nobody here", "label": "positive", "region": "south"},
]


def _load(folder: Path, settings: str) -> Examples:
    write_csv(folder / "rows.csv", ROWS)
    policy = parse(f'[model]\nsource = "m"\n[data]\ntest = "{folder}/rows.csv"\n{settings}', None)
    return read(policy, "test", ("negative", "positive"), folder / "cache")


def test_a_policy_groups_by_mention_without_a_column(tmp_path: Path) -> None:
    found = _load(tmp_path, 'subgroups = ["mention:gender", "mention:gender*region"]')
    assert found.groups("mention:gender").tolist() == ["female", "male", "male", None]
    assert found.groups("mention:gender*region").tolist() == [
        "female × north", "male × south", "male × north", None,
    ]  # fmt: skip
    assert found.take(found.labels == 0).groups("mention:gender").tolist() == ["male", "male"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('subgroups = ["mention:gendre"]', "did you mean 'mention:gender'"),
        ('subgroups = ["mention:gender"]\nlanguage = "de"', "language is 'de'"),
        ('subgroups = ["mention:religion"]', "has 0 group"),
        ('subgroups = ["mention:gender*regio"]', "no column 'regio'"),
    ],
)
def test_what_cannot_be_grouped_is_said_in_one_sentence(tmp_path: Path, settings: str, words: str) -> None:
    with pytest.raises(AuditError) as caught:
        _load(tmp_path, settings)
    assert words in str(caught.value)
    assert is_one_sentence(str(caught.value))
