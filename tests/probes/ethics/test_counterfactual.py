"""The same text about another person: sources of pairs, an oracle that never flips, biased scorers that are caught."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from audit import Gate, Measurement, NotAssessed, Verdict, judge
from audit.core.evidence import Shifts, to_json
from audit.data.examples import load
from audit.policy import policy as policies
from audit.probes.ethics.counterfactual import (
    PLACEBO_TEXTS,
    counterfactual,
    file_pairs,
    own_pairs,
    share_of_flips,
    template_pairs,
)
from audit.text import identity
from audit.text.identity import AXES
from tests.helpers import THREE, examples, predictions, scorer


def _fair(text: str) -> list[float]:
    """Judges by what is said, whoever it is said of."""
    dull = sum(word in text for word in ("dull", "awful", "terrible", "waste", "rude", "bored", "badly", "ruined"))
    return [0.8, 0.2] if dull else [0.2, 0.8]


def _against(group: str, axis: str) -> Any:
    """Calls negative whatever mentions this group."""

    def rule(text: str) -> list[float]:
        said = {mention.group for mention in identity.mentions(text, axis)}
        return [0.9, 0.1] if group in said else [0.3, 0.7]

    return rule


def _measured(rule: Any, texts: Sequence[str], axis: str = "gender", **more: Any) -> Measurement:
    protocol = {name: more.pop(name) for name in ("language", "max_examples") if name in more}
    about = examples([i % 2 for i in range(len(texts))], texts=texts, **protocol)
    return counterfactual(scorer(rule), predictions([1] * len(texts), about), axis, **more)


WOMEN = [f"She is number {i}" for i in range(150)] + [f"He is number {i}" for i in range(100)] + ["nobody"] * 50


# The user's own texts


def test_flips_are_counted_over_the_own_texts_that_mention_a_person() -> None:
    found = _measured(_against("female", "gender"), WOMEN)
    assert found.id == "fairness.counterfactual[gender]"
    assert (found.estimate, found.n) == (1, 250)
    assert (found.low, found.high) == pytest.approx(proportion_confint(250, 250, 0.05, "beta"))
    assert found.facts["verdict rests on"] == "your texts"
    assert found.facts["mean change of the score"] == pytest.approx(1.2, abs=1e-6)
    first = found.pairs.items[0]
    assert first.before.startswith("She is number")
    assert first.after == first.before.replace("She", "He")
    assert first.note == "female → male: negative 0.90 → positive 0.70"


def test_the_verdict_does_not_rest_on_copies_of_few_own_texts() -> None:
    own = [text for text in WOMEN[:150] for _ in range(2)]
    assert _measured(_fair, own).facts["verdict rests on"] == "templates"


def test_signed_changes_say_who_is_judged_worse() -> None:
    (shifts,) = _measured(_against("female", "gender"), WOMEN).shown(Shifts)
    own = {each.group: each for each in shifts.items if each.source == "your texts"}
    assert own["female"].change == pytest.approx([-1.2] * 3, abs=1e-6)
    assert own["male"].change == pytest.approx([1.2] * 3, abs=1e-6)
    assert own["female"].p == pytest.approx(2 * 0.5**250)
    assert own["female"].number == 250
    templates = {each.group: each for each in shifts.items if each.source == "templates"}
    assert templates.keys() == own.keys()
    assert templates["female"].change == pytest.approx([-1.2] * 3, abs=1e-6)


def test_the_intervals_of_all_groups_and_sources_hold_together() -> None:
    lean = np.random.default_rng(0).normal(0, 0.1, 150)

    def rule(text: str) -> list[float]:
        number = re.search(r"She is number (\d+)", text)
        share = 0.5 + (lean[int(number[1])] if number else 0)
        return [1 - share, share]

    (shifts,) = _measured(rule, WOMEN).shown(Shifts)
    (own,) = [each for each in shifts.items if (each.group, each.source) == ("female", "your texts")]
    rise = 2 * np.concatenate([lean, lean[:100]])
    half = stats.t.ppf(1 - 0.025 / len(shifts.items), 249) * rise.std(ddof=1) / 250**0.5
    assert len(shifts.items) == 4
    assert own.change == pytest.approx([rise.mean(), rise.mean() - half, rise.mean() + half], abs=1e-6)


def test_without_named_classes_the_largest_change_counts_and_nobody_is_said_to_be_judged_worse() -> None:
    about = examples([0, 1] * 150, ("good", "bad"), texts=WOMEN)
    found = counterfactual(scorer(_against("female", "gender"), ("good", "bad")), predictions([1] * 300, about))
    assert found.facts["mean change of the score"] == pytest.approx(0.6, abs=1e-6)
    assert [table.columns[0] for table in found.tables] == ["source"]
    assert found.shown(Shifts) == []


def test_of_three_classes_the_score_is_positive_less_negative() -> None:
    about = examples([0, 1, 2] * 100, THREE, texts=WOMEN)
    rule = _against("female", "gender")
    three = scorer(lambda text: [rule(text)[0] - 0.1, 0.1, rule(text)[1]], THREE)
    assert counterfactual(three, predictions([1] * 300, about)).facts["mean change of the score"] == pytest.approx(1.2)


def test_only_the_sample_is_exchanged() -> None:
    assert _measured(_fair, [f"She is number {i}" for i in range(900)], max_examples=300).n == 300


def test_one_pair_a_text() -> None:
    pairs = own_pairs(["A German man saw a French woman", "nobody", "A Polish man"], "nationality")
    assert [pair.group_before for pair in pairs] == ["German", "Polish"]


def test_shown_examples_are_redacted() -> None:
    found = _measured(_against("female", "gender"), [f"She wrote to ann{i}@example.org" for i in range(250)])
    shown = str([to_json(piece) for piece in found.evidence])
    assert "@example.org" not in shown
    assert "[e-mail]" in shown


def _unsteady(text: str) -> list[float]:
    """Another answer to each text, whatever it says."""
    return [0.8, 0.2] if hashlib.sha256(text.encode()).digest()[0] % 2 else [0.2, 0.8]


def _beyond_placebo(found: Measurement) -> list[float]:
    name = "share flipped beyond the placebo's"
    return [float(str(found.facts[each])) for each in (f"{name}, low", name, f"{name}, high")]


def test_a_placebo_tells_a_model_that_judges_the_person_from_one_that_is_unsteady() -> None:
    biased, unsteady = (_measured(rule, WOMEN[:250]) for rule in (_against("female", "gender"), _unsteady))
    low = proportion_confint(250, 250, 0.025, "beta")[0] - proportion_confint(0, 200, 0.025, "beta")[1]
    assert _beyond_placebo(biased) == pytest.approx([low, 1, 1])
    assert not any("weekday" in caveat for caveat in biased.caveats)
    assert unsteady.estimate == pytest.approx(0.5, abs=0.1)
    low, _, high = _beyond_placebo(unsteady)
    assert low < 0 < high
    assert any("weekday" in caveat for caveat in unsteady.caveats)


def test_all_axes_share_one_placebo() -> None:
    asked: list[set[str]] = []
    for axis in ("gender", "age"):
        texts = set[str]()
        _measured(lambda text, texts=texts: (texts.add(text), _fair(text))[1], WOMEN * 2, axis)  # type: ignore[misc]
        asked.append({text for text in texts if text.startswith(("It was a Monday.", "It was a Tuesday."))})
    assert asked[0] == asked[1]
    assert 0 < len(asked[0]) <= 2 * PLACEBO_TEXTS


# Templates


@pytest.mark.parametrize("axis", AXES)
def test_an_oracle_that_ignores_identity_never_flips(axis: str) -> None:
    found = _measured(_fair, ["nothing here", "a film"], axis)
    assert (found.estimate, found.low) == (0, 0)
    assert found.n == len(identity.templates())
    # So many templates without a flip do not show that there are none.
    assert found.high == pytest.approx(proportion_confint(0, found.n, 0.025, "beta")[1])
    assert found.facts["mean change of the score"] == 0


@pytest.mark.parametrize(
    ("axis", "group"),
    [("gender", "female"), ("ethnicity", "African-American"), ("religion", "Muslim"), ("nationality", "Polish"),
     ("age", "old"), ("disability", "blind"), ("orientation", "gay")],
)  # fmt: skip
def test_a_biased_scorer_is_caught_on_every_axis(axis: str, group: str) -> None:
    found = _measured(_against(group, axis), ["nothing here", "a film"], axis)
    assert judge(found, Gate(max=0.05))[0] == Verdict.FAIL
    worst = found.shown(Shifts)[0].items[0]
    change, _, high = np.array(worst.change, dtype=float)
    assert worst.group == group
    assert change <= high < 0
    assert (worst.p or 0) < 1e-6


def test_templates_differ_only_in_the_person() -> None:
    for axis in AXES:
        for pair in template_pairs(axis):
            before, after = pair.family.split("{person}")
            for text in (pair.before, pair.after):
                assert text.lower().startswith(before.lower())
                assert text.endswith(after)
            assert pair.before != pair.after


def test_the_verdict_says_what_it_rests_on() -> None:
    few = _measured(_fair, WOMEN[:199])
    many = _measured(_fair, WOMEN[:200])
    assert few.facts["verdict rests on"] == "templates"
    assert "fewer than 200" in few.method
    assert many.facts["verdict rests on"] == "your texts"
    assert [row[0] for row in few.tables[0].rows] == ["your texts", "templates", "placebo: Monday, Tuesday"]
    assert [row[-1] for row in few.tables[0].rows] == ["", "the verdict", ""]


def test_other_languages_are_not_assessed() -> None:
    with pytest.raises(NotAssessed, match="English"):
        _measured(_fair, ["Sie ist gut", "He is dull"], language="de")


# The interval of pairs that come in families


def test_many_families_count_as_one_answer_each() -> None:
    rng = np.random.default_rng(0)
    families = [f"t{i}" for i in range(40) for _ in range(25)]
    flipped = np.repeat(rng.random(40) < 0.4, 25)  # all of a family alike
    found = share_of_flips(flipped, families, 0.95)
    assert found.estimate == pytest.approx(flipped.mean())
    # All of a family alike: a thousand pairs say as much as forty.
    low, high = proportion_confint(int(flipped.reshape(40, 25)[:, 0].sum()), 40, 0.05, "beta")
    assert high - low < found.high - found.low < 1.5 * (high - low)
    wrong = proportion_confint(int(flipped.sum()), 1000, 0.05, "beta")
    assert found.high - found.low > 3 * (wrong[1] - wrong[0])


def test_few_families_are_a_claim_about_these_pairs() -> None:
    flipped = np.array([True] * 10 + [False] * 90)
    found = share_of_flips(flipped, [f"t{i % 11}" for i in range(100)], 0.95)
    assert (found.low, found.high) == pytest.approx(proportion_confint(10, 100, 0.05, "beta"))


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    families = [f"t{i}" for i in range(40) for _ in range(20)]
    held = 0
    for _ in range(300):
        rates = rng.beta(1, 4, 40)  # templates differ; the mean is 0.2
        found = share_of_flips(rng.random(800) < np.repeat(rates, 20), families, 0.95)
        held += found.low <= 0.2 <= found.high
    assert held / 300 >= 0.91


# The pair file


def _rows(path: Path) -> dict[str, tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {column: tuple(row[column] for row in rows) for column in rows[0]}


SMALL = {
    "sentence": ("Bob sings.", "Ann sings.", "Jamal sings.", "Keisha sings.", "He sings.", "She sings."),
    "template": ("<p> sings.",) * 6,
    "person": ("Bob", "Ann", "Jamal", "Keisha", "he", "she"),
    "gender": ("male", "female") * 3,
    "race": ("European", "European", "African-American", "African-American", "", ""),
    "emotion": ("",) * 6,
}


def test_pairs_differ_in_the_axis_only() -> None:
    said = {axis: [(pair.before, pair.after) for pair in file_pairs(SMALL, axis)] for axis in AXES}
    assert said["gender"] == [
        ("Bob sings.", "Ann sings."),
        ("Jamal sings.", "Keisha sings."),
        ("He sings.", "She sings."),
    ]
    assert said["ethnicity"] == [("Bob sings.", "Jamal sings."), ("Ann sings.", "Keisha sings.")]
    assert not any(said[axis] for axis in AXES[2:])


def test_a_sentence_that_stands_in_a_pair_file_several_times_counts_once() -> None:
    twice: dict[str, tuple[str, ...]] = {name: column + column[:1] for name, column in SMALL.items()}
    for axis in AXES:
        assert file_pairs(twice, axis) == file_pairs(SMALL, axis)
    # Few templates: the row in the table is as wide as without copies.
    many = {name: column * 20 for name, column in SMALL.items()}
    once, copied = (
        _measured(_fair, ["nothing", "a film"], "gender", pairs=rows).tables[0].rows for rows in (SMALL, many)
    )
    assert once == copied


def test_copies_of_a_text_of_ones_own_count_together(tmp_path: Path) -> None:
    rng, sentences = np.random.default_rng(0), []
    for i in range(250):
        words = " ".join(rng.choice(["red", "green", "blue", "long", "short", "old", "new", "big"], 8))
        sentences.append(f"{['She', 'He'][i % 2]} wrote of number {i} that it was {words}")

    def against_red(text: str) -> list[float]:
        return [0.9, 0.1] if "She" in text and text.count("red") > 1 else [0.3, 0.7]

    found = []
    for copies in (1, 4):
        (tmp_path / "test.csv").write_text(
            "text,label\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(sentences) for _ in range(copies))
        )
        (tmp_path / "audit.toml").write_text('[model]\nsource = "m"\n[data]\ntest = "test.csv"\n')
        about = load(policies.read(tmp_path / "audit.toml"), "test", (), tmp_path / "cache")
        found.append(counterfactual(scorer(against_red), predictions([1] * len(about), about), "gender"))
    once, copied = found
    assert once.estimate == pytest.approx(copied.estimate)
    assert 0.1 < (once.estimate or 0) < 0.9
    assert copied.n == 4 * once.n
    assert (copied.high or 0) - (copied.low or 0) > 0.9 * ((once.high or 0) - (once.low or 0))


def test_a_pair_file_of_few_templates_stands_beside_and_one_of_many_decides() -> None:
    found = _measured(_fair, ["nothing", "a film"], "gender", pairs=SMALL)
    assert found.facts["verdict rests on"] == "templates"
    assert found.n == len(identity.templates())
    assert "those templates only" in str(found.caveats)
    rows = {row[0]: row for row in found.tables[0].rows}
    assert set(rows) == {"templates", "pair file", "placebo: Monday, Tuesday"}
    assert rows["pair file"][4] == 3
    many: dict[str, tuple[str, ...]] = {name: column * 30 for name, column in SMALL.items()}
    many["template"] = tuple(str(i // 6) for i in range(180))
    found = _measured(_fair, ["nothing", "a film"], "gender", pairs=many)
    assert found.facts["verdict rests on"] == "pair file"
    assert (found.n, found.sample) == (30, "templates of your file")


def test_the_equity_evaluation_corpus_is_paired_whole(real_data: Path) -> None:
    rows = _rows(real_data / "eec.csv")
    gender, ethnicity = file_pairs(rows, "gender"), file_pairs(rows, "ethnicity")
    assert (len(gender), len(ethnicity)) == (4320, 2880)
    assert {frozenset((pair.group_before, pair.group_after)) for pair in gender} == {frozenset(("male", "female"))}
    person = dict(zip(rows["sentence"], rows["person"], strict=True))
    for pair in (*gender, *ethnicity):
        # With the persons taken out, only the pronoun that goes with them is left to differ.
        rest = [re.sub(rf"\b(?:{person[text]}|himself|herself)\b", "…", text, flags=re.IGNORECASE) for text in
                (pair.before, pair.after)]  # fmt: skip
        assert rest[0] == rest[1]


def test_the_oracle_never_flips_on_the_equity_evaluation_corpus(real_data: Path) -> None:
    def rule(text: str) -> list[float]:
        angry = any(word in text for word in ("angry", "furious", "sad", "terrified", "miserable"))
        return [0.9, 0.1] if angry else [0.2, 0.8]

    rows = _rows(real_data / "eec.csv")
    for axis in ("gender", "ethnicity"):
        assert _measured(rule, ["nothing", "a film"], axis, pairs=rows).estimate == 0
