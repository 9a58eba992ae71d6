"""What is written as TOML says what it was given, whatever signs it has; tomllib reads it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from audit.core.errors import AuditError
from audit.data import labels
from audit.report.page import text
from audit.text.personal_data import certain

# Of all of Unicode, with what TOML has to escape or refuses as it is; lone surrogates are in no text of UTF-8.
SIGNS = st.one_of(
    st.sampled_from("\"'\\\n\r\t\b\x00\x1b\x7f\x85\u2028#=[]{},. "), st.characters(exclude_categories=["Cs"])
)
NAMES = st.text(SIGNS, max_size=12)
NUMBERS = st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False)
ONE = NAMES | NUMBERS
VALUES = st.recursive(
    ONE,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=6,
)
# Personal data in a label are masked, which the last test is about.
LABELS = st.text(SIGNS, min_size=1, max_size=12).filter(lambda name: name.strip() and not certain(f"{name} x"))
TABLES = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(TABLES)
@example({"gates": {"fairness": {'accuracy_gap["gender"]': {"max": 0.05}}}, "name": "after a section\nin the table"})
@example({"model": {"finetune": {"epochs": 3}}, "audit": {"seed": 1}, "waivers": [{"id": "a"}, {"id": "b"}]})
@example({"claims": {"transfer": [{"name": "\x7f"}], "seeds": 5}, "e": 1e-7, "inf": float("-inf")})
@example({"a": {"b": [{"c": {"d": [{"e": 1}]}}, {}]}, "\ud7ff\ue000": "\U0010ffff"})
def test_a_policy_in_the_report_can_be_read_back(policy: dict[str, Any]) -> None:
    assert tomllib.loads(text.policy_file(policy)) == policy


def test_a_list_with_nothing_in_a_place_is_still_written() -> None:
    # A record that somebody changed by hand.
    assert text.policy_file({"model": {"labels": [None, "good"]}}) == '[model]\nlabels = ["good"]'


def test_what_is_not_set_is_left_out() -> None:
    assert text.policy_file({"a": None, "b": {"c": None, "d": {"e": {"f": None, "g": 1}}}}) == "[b.d]\ne = { g = 1 }"
    assert text.policy_file({"a": {}, "b": {"c": {}}}) == ""


@settings(max_examples=100, deadline=None)
@given(st.sets(LABELS, min_size=1, max_size=4))
@example({"5", "9", "Neutral", "1.0", 'not "good"', "\x7f"})
def test_the_proposed_label_map_can_be_pasted(names: set[str]) -> None:
    unknown = {f"{name} x" for name in names}
    with pytest.raises(AuditError) as refused:
        labels.read(["negative", "positive", *unknown], ("negative", "positive"), {}, "rows.csv")
    proposal, _, dropping = str(refused.value).partition("[data] label_map = ")[2].partition(" or leave ")
    assert tomllib.loads(f"label_map = {proposal}") == {"label_map": dict.fromkeys(unknown, "…")}
    dropped = tomllib.loads(dropping.partition("[data] ")[2].removesuffix("."))
    assert dropped == {"drop_labels": sorted(unknown)}
    assert proposal.isprintable()


def test_a_proposed_label_map_holds_no_personal_data() -> None:
    addresses = {f"{name}@example.org" for name in ("ann", "b\u200bob")}
    with pytest.raises(AuditError) as refused:
        labels.read(["negative", "positive", "meh", *addresses], ("negative", "positive"), {}, "rows.csv")
    assert "[e-mail]" in str(refused.value)
    assert not re.search(r"ann|bob|b\\u200bob|example", str(refused.value))
    proposal = str(refused.value).partition("[data] label_map = ")[2].partition(" or leave ")[0]
    assert set(tomllib.loads(f"label_map = {proposal}")["label_map"]) == {"[e-mail]", "meh"}
