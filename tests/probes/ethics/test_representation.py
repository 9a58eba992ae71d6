"""Who is in the data: shares against those that the policy states, and what is told without any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

from audit import Gate, Measurement, Verdict, judge
from audit.core.errors import AuditError
from audit.data.examples import Examples, load
from audit.policy import policy
from audit.probes.ethics.representation import representation
from tests.helpers import cells, examples

HALVES = {"f": 0.5, "m": 0.5}


def _people(*groups: str | None) -> Examples:
    return examples(np.arange(len(groups)) % 2, groups={"g": groups})


def _drawn(n: int, share: float, seed: int) -> Examples:
    """Authors of whom this share is m."""
    rng = np.random.default_rng(seed)
    return _people(*np.where(rng.random(n) < share, "m", "f").tolist())


def _row(found: Measurement, group: str) -> list[object]:
    return next(row for row in cells(found.tables[0]) if row[0] == group)


def test_the_figure_is_the_largest_shortfall_with_exact_limits() -> None:
    found = representation(_people(*["f"] * 30, *["m"] * 70), "g", None, HALVES)
    plain = binomtest(30, 100).proportion_ci(0.95)
    strict = binomtest(30, 100).proportion_ci(0.975)
    assert found.estimate == pytest.approx(0.2)
    assert [found.low, found.high] == pytest.approx([0.5 - strict.high, 0.5 - plain.low])
    assert (found.n, found.unit) == (100, "points")
    assert "“f”" in found.summary
    assert "30.0 %" in found.summary


def test_examples_without_a_group_are_told_and_count_for_no_share() -> None:
    found = representation(_people(*["f"] * 50, *["m"] * 50, *[None] * 60), "g", None, HALVES)
    assert (found.estimate, found.n) == (0, 100)
    assert found.facts["test examples without a group"] == 60
    most = found.facts["the figure if none of them belonged to the group that falls shortest"]
    assert most == pytest.approx(0.5 - 50 / 160)


def test_groups_of_more_than_their_share_are_no_shortfall() -> None:
    found = representation(_people(*["f"] * 50, *["m"] * 50), "g", None, {"f": 0.3})
    assert (found.estimate, found.low, found.high) == (0, 0, 0)
    assert found.summary == "No group of g falls short of its reference share."


def test_without_reference_shares_the_table_stands_and_the_gate_stays_open() -> None:
    found = representation(_people(*["f"] * 50, *["m"] * 50), "g")
    assert (found.estimate, found.low, found.high, found.n) == (None, None, None, 100)
    assert _row(found, "f")[1] == 0.5
    verdict, reason = judge(found, Gate(max=0.1))
    assert verdict is Verdict.INCONCLUSIVE
    assert reason == "no reference shares are known; name them under [representation.g], as group = 0.5"
    assert judge(found, None)[0] is Verdict.REPORTED


def test_training_shares_and_missing_examples_stand_beside() -> None:
    train = _people(*["f"] * 20, *["m"] * 60, *["x"] * 20)
    found = representation(_people(*["f"] * 28, *["m"] * 68, *["x"] * 4), "g", train, {"f": 0.5})
    assert [str(column) for column in found.tables[0].columns] == [
        "g", "training data", "test data", "low", "high", "reference", "shortfall", "test examples", "lacking",
    ]  # fmt: skip
    name, training, share, *_, reference, shortfall, n, lacking = _row(found, "f")
    assert (name, training, share, reference, n, lacking) == ("f", 0.2, 0.28, 0.5, 28, 2)
    assert shortfall == pytest.approx(0.22)
    # What four people are, or how many they lack, would tell of four people.
    assert _row(found, "x") == ["x", 0.2, None, None, None, None, None, "<10", "more than 20"]
    assert _row(found, "m")[-1] == 0


def test_the_classes_shares_stand_by_group() -> None:
    test = examples([0] * 10 + [1] * 30 + [0] * 20, groups={"g": ["f"] * 40 + ["m"] * 20})
    found = representation(test, "g", None, HALVES)
    assert cells(found.tables[1]) == [["f", 0.25, 0.75], ["m", 1.0, 0.0]]


def test_groups_by_mention_are_read_off_the_training_texts_too() -> None:
    texts = ["My wife liked it."] * 30 + ["My husband liked it."] * 10
    labels = np.arange(40) % 2
    test = examples(labels, texts=texts, groups={"mention:gender": ["female"] * 30 + ["male"] * 10})
    found = representation(test, "mention:gender", examples(labels, texts=texts), {"male": 0.5})
    assert found.estimate == pytest.approx(0.25)
    assert _row(found, "male")[1] == 0.25
    assert any("word lists" in caveat for caveat in found.caveats)


def test_rows_of_one_author_widen_the_interval() -> None:
    alone = _people(*["f"] * 40, *["m"] * 160)
    few = replace(alone, clusters=np.arange(200) // 10)
    one, other = (representation(each, "g", None, HALVES) for each in (alone, few))
    assert one.estimate == other.estimate
    assert None not in (one.low, other.low, one.high, other.high)
    assert other.low < one.low < one.high < other.high  # type: ignore[operator]
    assert other.clusters == 20


@pytest.mark.parametrize(("share", "verdict"), [(0.8, Verdict.FAIL), (0.5, Verdict.PASS)])
def test_planted_imbalance_is_found_and_balance_is_not_punished(share: float, verdict: Verdict) -> None:
    found = [judge(representation(_drawn(600, share, seed), "g", None, HALVES), Gate(max=0.1))[0] for seed in range(20)]
    assert found.count(verdict) >= 19


@pytest.mark.parametrize("truth", [0.5, 0.35])
def test_neither_bound_errs_more_often_than_it_says(truth: float) -> None:
    # Three groups, of which two share the rest; the largest shortfall is at 0.5 that of none, and of one else.
    rng, errors = np.random.default_rng(1), np.zeros(2)
    reference = {"a": 0.5, "b": 0.25, "c": 0.25}
    shares = [truth, (1 - truth) / 2, (1 - truth) / 2]
    largest = max(0.0, 0.5 - truth, 0.25 - (1 - truth) / 2)
    for sizes in rng.multinomial(300, shares, size=400):
        found = representation(_people(*np.repeat(["a", "b", "c"], sizes).tolist()), "g", None, reference)
        assert found.low is not None
        assert found.high is not None
        errors += [found.low > largest + 1e-9, found.high < largest - 1e-9]
    assert (errors <= 400 * 0.025 + 3 * np.sqrt(400 * 0.025)).all()


def test_an_open_gate_says_how_many_examples_would_settle_it() -> None:
    verdict, reason = judge(representation(_drawn(200, 0.55, 1), "g", None, HALVES), Gate(max=0.1))
    assert verdict is Verdict.INCONCLUSIVE
    assert "more test examples would settle it" in reason


def _policy(folder: Path, section: str) -> policy.Policy:
    rows = "\n".join(f"text {i},{('negative', 'positive')[i % 2]},{'fm'[i % 2]}" for i in range(8))
    (folder / "test.csv").write_text(f"text,label,gender\n{rows}\n", "utf-8")
    (folder / "audit.toml").write_text(
        f'[model]\nsource = "m"\n[data]\ntest = "test.csv"\nsubgroups = ["gender"]\n{section}\n', "utf-8"
    )
    return policy.read(folder / "audit.toml")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("[representation.gendre]\nf = 0.5", "'gendre' is none of [data] subgroups; did you mean 'gender'?"),
        ("[representation.gender]\nf = 0.7\nm = 0.7", "come to 1.4 here; expected 1 at most"),
        ("[representation.gender]\nf = 50", "[representation.gender] f: expected 1 or less; it is 50."),
        ("[representation.gender]\nf = -0.1", "[representation.gender] f: expected 0 or more"),
        ('[representation.gender]\nf = "half"', "[representation.gender] f: expected a number"),
        ("[representation]\ngender = 0.5", "[representation] gender: expected a table"),
        ("[representation.gender]", "[representation] gender: expected the share of a group at least, as f = 0.5."),
    ],
)
def test_mistakes_in_the_shares_are_named(tmp_path: Path, section: str, message: str) -> None:
    with pytest.raises(AuditError) as error:
        _policy(tmp_path, section)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_group_that_no_example_has_is_refused_with_the_nearest(tmp_path: Path) -> None:
    settings = _policy(tmp_path, "[representation.gender]\nff = 0.5")
    with pytest.raises(AuditError, match=r"\[representation.gender\] names 'ff', which no test example .* mean 'f'"):
        load(settings, "test", (), tmp_path)
    settings = _policy(tmp_path, "[representation.gender]\nf = 0.5")
    assert len(load(settings, "test", (), tmp_path)) == 8
    assert settings.recorded()["representation"] == {"gender": {"f": 0.5}}
