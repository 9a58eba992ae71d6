"""The cases are many, whole and the same each time; who can read passes them, who counts words does not."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from audit.core.looks import Looks
from audit.core.measurement import Result
from audit.probes.catalogue import ids
from audit.probes.quality.behaviour import CAPABILITIES, Case, behaviour, cases
from audit.probes.quality.capabilities import grammar
from audit.report import catalogues
from tests.helpers import THREE, TWO, scorer

NEED_NEUTRAL = {"vocabulary_neutral", "negation_of_neutral"}
BOTH = [name for name in CAPABILITIES if name not in NEED_NEUTRAL]


def _kind(capability: str) -> str:
    return str(grammar.capability_file(capability)["kind"])


MFT = [name for name in CAPABILITIES if _kind(name) == "MFT"]
INV = [name for name in CAPABILITIES if _kind(name) == "INV"]
DIR = [name for name in CAPABILITIES if _kind(name) == "DIR"]


@cache
def _made(capability: str, seed: int = 0) -> tuple[Case, ...]:
    return tuple(cases(capability, THREE, seed))


def _texts(made: Iterable[Case]) -> list[str]:
    return [text for case in made for text in (case.text, case.changed) if text]


# The cases


def test_there_are_many_capabilities_of_each_kind() -> None:
    assert len(CAPABILITIES) >= 15
    assert len(MFT) >= 8
    assert len(INV) >= 4
    assert len(DIR) >= 2
    assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in CAPABILITIES)


def test_the_catalogue_lists_them_without_loading_a_model() -> None:
    known = ids()["quality.behaviour"]
    assert known.brackets == CAPABILITIES
    assert known.better == "lower"
    code = "import sys, audit.probes.catalogue; print(any(name in sys.modules for name in ('torch', 'transformers')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_cases_are_distinct_and_at_least_a_hundred(capability: str) -> None:
    for classes in (THREE,) if capability in NEED_NEUTRAL else (TWO, THREE):
        made = cases(capability, classes)
        assert len(made) >= 100
        assert len({(case.text, case.changed) for case in made}) == len(made)
        assert len({case.template for case in made}) >= 10
        largest = max(sum(case.template == i for case in made) for i in {case.template for case in made})
        assert largest <= len(made) / 5  # no template speaks for the capability alone


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_template_is_used_and_every_slot_filled(capability: str) -> None:
    made = _made(capability)
    wordings = [text for rule in grammar.capability_file(capability)["templates"] for text in rule["texts"]]
    assert {case.template for case in made} == set(range(len(wordings)))
    for text in _texts(made):
        assert not re.search(r"[{}\[\]#_]", text), text
        assert "  " not in text
        assert text == text.strip()
        assert text[0].isupper() or text[0].isdigit()
        assert not re.search(r"\b(\w+) \1\b", text), text  # no word twice in a row
        assert not re.search(r"[.?!] [a-z]", text), text


# By the letter that follows; written down by hand, so that it does not share the grammar's rule.
AN = set("""
    Indian Italian adventure album appalling aunt awful exceptionally excellent exciting extremely ice incredibly
    interesting elegant ugly uncle unconvincing uncomfortable undrinkable unfriendly unhelpful unpleasant inedible
    impressive impolite irritating inspiring entertaining enjoyable efficient overpriced opening
""".split())  # fmt: skip


@pytest.mark.parametrize("capability", CAPABILITIES)
@pytest.mark.parametrize("seed", range(3))
def test_a_and_an_are_right(capability: str, seed: int) -> None:
    for text in _texts(_made(capability, seed)):
        for article, word in re.findall(r"\b(an?) ([\w-]+)", text, re.IGNORECASE):
            assert (article.lower() == "an") == (word in AN), text


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_only_the_seed_decides_what_is_drawn(capability: str) -> None:
    assert cases(capability, THREE, 1) == cases(capability, THREE, 1)
    assert _texts(cases(capability, THREE, 1)) != _texts(_made(capability))


def test_another_process_draws_the_same() -> None:
    code = (
        "from audit.probes.quality.behaviour import cases; "
        "print(cases('contrast', ['negative', 'positive'])[7].text, end='')"
    )
    environment = {"PYTHONHASHSEED": "5", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == cases("contrast", TWO)[7].text


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_cases_hold_what_their_kind_needs(capability: str) -> None:
    for case in _made(capability):
        assert case.kind == _kind(capability)
        assert bool(case.expected) == (case.kind == "MFT")
        assert (case.changed not in ("", case.text)) == (case.kind != "MFT")
        assert (case.direction in (-1, 1) and case.sentiment in ("negative", "positive")) == (case.kind == "DIR")


def test_both_sides_come_equally_often_where_a_template_serves_both() -> None:
    for capability in ("contrast", "change_over_time", "comparison"):
        positive = sum(case.expected == ("positive",) for case in _made(capability))
        assert positive == len(_made(capability)) / 2


def test_no_answer_is_given_by_the_words_of_contrast_alone() -> None:
    """In contrast and change, words of both sides stand in nearly every sentence."""
    for capability in ("contrast", "change_over_time"):
        assert all(_words_of(case.text) == {"good", "bad"} for case in _made(capability)), capability


def test_the_sides_of_the_lexicon_do_not_mix() -> None:
    good, bad = _sides()
    assert not good & bad


# Who passes and who fails


def _oracle(capability: str, classes: Sequence[str]) -> Callable[[str], list[float]]:
    known = {case.text: case.expected for case in cases(capability, classes)}

    def answer(text: str) -> list[float]:
        right = known.get(text) or (classes[-1],)
        return [0.9 / len(right) if name in right else 0.1 / (len(classes) - len(right)) for name in classes]

    return answer


@cache
def _sides() -> tuple[frozenset[str], frozenset[str]]:
    """All good and all bad words of the files, single ones only."""
    found: dict[str, set[str]] = {"good": set(), "bad": set()}

    def collect(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key.split("_")[-1] in found:
                    words = [inner] if isinstance(inner, str) else inner
                    found[key.split("_")[-1]] |= {word for text in words for word in re.findall(r"[a-z]{3,}", text)}
                else:
                    collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(grammar._read("lexicon"))
    found["good"] |= {"good", "happy", "delighted", "thrilled", "pleased", "impressed"}
    found["bad"] |= {"bad", "unhappy", "disappointed", "annoyed", "dissatisfied", "appalled"}
    return frozenset(found["good"]), frozenset(found["bad"] - {"and"})


def _words_of(text: str) -> set[str]:
    good, bad = _sides()
    words = set(re.findall(r"[a-z]+", text.lower()))
    return {name for name, side in (("good", good), ("bad", bad)) if words & side}


def _bag(text: str) -> list[float]:
    """Counts words of praise and blame, as a plain lexicon does."""
    good, bad = _sides()
    words = re.findall(r"[a-z]+", text.lower())
    balance = sum(word in good for word in words) - sum(word in bad for word in words)
    positive = min(max(0.5 + 0.2 * balance, 0.05), 0.95)
    return [1 - positive, positive]


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_who_knows_the_answers_never_fails(capability: str) -> None:
    for classes in (THREE,) if capability in NEED_NEUTRAL else (TWO, THREE):
        found = behaviour(scorer(_oracle(capability, classes), classes), classes, capability)
        assert (found.estimate, found.low) == (0, 0)
        assert found.n == len(cases(capability, classes))
        assert found.high == pytest.approx(proportion_confint(0, found.n, 0.05, "beta")[1])


@pytest.mark.parametrize("capability", ["vocabulary_positive", "vocabulary_negative"])
def test_who_counts_words_knows_the_vocabulary(capability: str) -> None:
    assert behaviour(scorer(_bag), TWO, capability).estimate == 0


@pytest.mark.parametrize(
    ("capability", "least"),
    [
        ("negation_of_positive", 0.5),
        ("negation_of_negative", 0.5),
        ("negation_at_a_distance", 0.8),
        ("contrast", 0.3),
        ("change_over_time", 0.3),
        ("opinion_of_others", 0.3),
    ],
)
def test_who_counts_words_knows_no_more(capability: str, least: float) -> None:
    found = behaviour(scorer(_bag), TWO, capability)
    assert found.low is not None
    assert found.low > least


@pytest.mark.parametrize("capability", ["person_names", "places", "numbers", "neutral_words", "punctuation"])
def test_who_counts_words_does_not_mind_names_and_numbers(capability: str) -> None:
    assert behaviour(scorer(_bag), TWO, capability).estimate == 0


def test_who_always_says_the_same_fails_half_of_what_has_an_answer() -> None:
    both = [name for name in MFT if name not in NEED_NEUTRAL]
    failed = [behaviour(scorer(lambda _: [0.3, 0.7]), TWO, name) for name in both]
    share = sum((found.estimate or 0) * found.n for found in failed) / sum(found.n for found in failed)
    assert share == pytest.approx(0.5, abs=0.05)
    assert all(behaviour(scorer(lambda _: [0.3, 0.7]), TWO, name).estimate == 0 for name in [*INV, *DIR])


def test_a_neutral_answer_is_right_where_only_the_complaint_is_negated() -> None:
    neutral = scorer(lambda _: [0.1, 0.8, 0.1], THREE)
    assert behaviour(neutral, THREE, "negation_of_negative").estimate == 0
    assert behaviour(neutral, THREE, "negation_of_positive").estimate == 1


def test_who_judges_by_the_name_fails_where_names_change() -> None:
    found = behaviour(scorer(lambda text: [0.9, 0.1] if re.search("^[A-M]", text) else [0.1, 0.9]), TWO, "person_names")
    assert found.low is not None
    assert found.low > 0.1
    assert behaviour(scorer(_bag), TWO, "person_names").estimate == 0


def test_scores_may_move_in_one_direction_and_a_little_in_the_other() -> None:
    def strange(step: float) -> Callable[[str], list[float]]:
        """Loses `step` of its confidence with each intensifier."""

        def answer(text: str) -> list[float]:
            good = "good" in _words_of(text)
            stronger = re.search("very|really|extremely|incredibly|exceptionally|remarkably", text)
            sure = 0.9 - (step if stronger else 0)
            return [1 - sure, sure] if good else [sure, 1 - sure]

        return answer

    assert behaviour(scorer(strange(0.09)), TWO, "intensifiers").estimate == 0
    assert behaviour(scorer(strange(-0.09)), TWO, "intensifiers").estimate == 0
    found = behaviour(scorer(strange(0.11)), TWO, "intensifiers")
    assert found.estimate is not None
    assert found.estimate > 0.5
    assert behaviour(scorer(strange(0.3)), TWO, "reducers").estimate == 0


# What is shown


def test_failing_cases_are_shown_worst_first_and_of_many_templates() -> None:
    shown = behaviour(scorer(_bag), TWO, "contrast").pairs
    assert shown.caption == "Cases that fail, worst first"
    assert len(shown.items) == 8
    assert shown.items[0].after is None
    assert re.fullmatch(r"(negative|positive) 0\.\d\d; right: (negative|positive)", shown.items[0].note)
    by_text = {case.text: case.template for case in cases("contrast", TWO)}
    templates = [by_text[item.before] for item in shown.items]
    assert len(set(templates)) == len(templates)


def test_pairs_show_both_texts_and_what_was_said() -> None:
    shown = behaviour(scorer(_bag), TWO, "intensifiers").pairs
    item = shown.items[0]
    assert shown.caption.startswith("No case fails")
    assert item.after not in (None, item.before)
    assert re.fullmatch(r"(negative|positive) score [\d.]+ → [\d.]+; it must not fall", item.note)


def test_the_table_adds_up() -> None:
    found = behaviour(scorer(_bag), TWO, "negation_of_positive")
    (table,) = found.tables
    figures = np.array([row[1:] for row in table.rows], dtype=float)
    shares, sizes = figures[:, 0], figures[:, -1]
    assert sizes.sum() == found.n
    assert shares @ sizes == pytest.approx((found.estimate or 0) * found.n)
    assert list(shares) == sorted(shares, reverse=True)


def test_what_it_does_not_show_is_said() -> None:
    found = behaviour(scorer(_bag), TWO, "negation_of_positive")
    assert any("always answers negative passes" in caveat for caveat in found.caveats)
    assert any("13 templates are too few to speak for others" in caveat for caveat in found.caveats)
    assert "not about all sentences" in found.method
    assert "MFT" in str(found.facts["kind of test"])


def test_translators_find_every_text_of_the_files_that_is_shown() -> None:
    shown = {str(grammar.asks(name)) for name in CAPABILITIES} | {
        case.name for name in CAPABILITIES for case in _made(name)
    }
    assert shown <= set(catalogues.sentences())


# In batches


def _looks(capability: str, classes: Sequence[str] = TWO) -> Looks:
    """The probe, before its first case."""
    looks: Looks = inspect.unwrap(behaviour)(scorer(_bag, classes), classes, capability)
    return looks


@pytest.mark.parametrize("capability", ["contrast", "actions", "person_names", "intensifiers"])
def test_batches_of_any_sizes_end_where_one_batch_does(capability: str) -> None:
    found = behaviour(scorer(_bag), TWO, capability)
    looks = _looks(capability)
    look = next(looks)
    assert (look.n, look.total) == (0, found.n)
    sizes = []
    for size in (1, 40, 2, None):
        look = looks.send(size)
        sizes.append(look.n)
    assert sizes == sorted(set(sizes))
    last = look.result(look.confidence)
    assert last == Result(**{each.name: getattr(found, each.name) for each in fields(Result)})


@pytest.mark.parametrize("capability", BOTH)
def test_after_a_batch_the_result_is_about_that_batch_and_all_templates(capability: str) -> None:
    looks = _looks(capability)
    next(looks)
    look = looks.send(25)
    found = look.result(0.99)
    assert 25 <= found.n == look.n < len(cases(capability, TWO))
    failed = round((found.estimate or 0) * found.n)
    assert found.estimate == pytest.approx(failed / found.n)
    assert (found.low, found.high) == pytest.approx(proportion_confint(failed, found.n, 0.01, "beta"), nan_ok=True)
    assert found.confidence == 0.99
    assert found.facts["templates"] == len({case.template for case in cases(capability, TWO)})
