"""Labels: the usual ones are read; others are refused, all of them by name, and no class is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from audit import AuditError
from audit.cli import main
from audit.data import examples as audit_data
from audit.data.examples import Examples
from audit.models.model import labels_of
from audit.policy import policy as policies
from audit.probes.quality import quality
from tests.conftest import write_csv
from tests.helpers import THREE, TWO, Runner, WritePolicy, examples, flowed, is_one_sentence, predictions

Load = Callable[..., Examples]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load texts with these labels, by a policy that says more of them."""

    def load(labels: Sequence[object], more: str = "", classes: Sequence[str] = (), suffix: str = ".csv") -> Examples:
        rows = [{"text": f"text {i}", "label": label} for i, label in enumerate(labels)]
        path = tmp_path / f"rows{suffix}"
        if suffix == ".csv":
            write_csv(path, [{name: str(cell) for name, cell in row.items()} for row in rows])
        else:
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
        text = f"[model]\nsource = 'm'\n[data]\ntest = '{path}'\n{more}"
        return audit_data.load(policies.parse(text, None), "test", classes, tmp_path / "cache")

    return load


def refusal(load: Load, *arguments: Any) -> str:
    with pytest.raises(AuditError) as caught:
        load(*arguments)
    message = str(caught.value)
    assert is_one_sentence(message), message
    return message


# What is usual


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["0", "1"], TWO),
        (["0.0", "1.0"], TWO),
        (["-1.0", "0.0", "1.0"], THREE),
        (["0", "4"], TWO),
        (["0", "2", "4"], THREE),
        (["0.0", "2.0", "4.0"], THREE),
        (["False", "True"], TWO),
        (["FALSE", "true"], TWO),
        (["NEG", "POS"], ("NEG", "POS")),
        (["neg", "neu", "pos"], ("neg", "neu", "pos")),
    ],
)
@pytest.mark.parametrize("inferred", [True, False])
def test_labels_of_the_field_are_read(load: Load, labels: list[str], expected: tuple[str, ...], inferred: bool) -> None:
    classes = {2: ("NEGATIVE", "POSITIVE"), 3: ("Negative", "Neutral", "Positive")}[len(labels)]
    found = load(labels, "", () if inferred else classes)
    assert found.classes == (expected if inferred else classes)
    assert list(found.labels) == list(range(len(labels)))


def test_truth_values_of_other_formats_are_the_same(load: Load) -> None:
    assert list(load([True, False], suffix=".jsonl").labels) == [1, 0]
    assert load([True, False], suffix=".jsonl").fingerprint == load(["true", "false"]).fingerprint


@pytest.mark.parametrize("classes", [("NEG", "POS"), ("Neg", "Positive"), ("negative", "pos")])
def test_short_and_long_names_are_one_class(load: Load, classes: tuple[str, ...]) -> None:
    assert list(load(["negative", "pos", "POSITIVE", "neg"], "", classes).labels) == [0, 1, 1, 0]
    assert load(["negative", "pos", "POSITIVE", "neg"]).classes == TWO


@pytest.mark.parametrize("classes", [TWO, ()])
def test_signs_that_nobody_sees_make_no_class_of_their_own(load: Load, classes: tuple[str, ...]) -> None:
    labels = ["negative", "Positive\u200b", "\ufeffnegative", "positive", "\uff30ositive"]
    found = load(labels, "", classes)
    assert found.classes == TWO
    assert list(found.labels) == [0, 1, 0, 1, 1]


def test_a_class_of_that_very_name_goes_before_what_is_alike(load: Load) -> None:
    assert list(load(["a", "A"], "", ("A", "a")).labels) == [1, 0]
    assert list(load(["0", "1"], "", ("1", "0")).labels) == [1, 0]


@pytest.mark.parametrize(("key", "label"), [("5", "5.0"), ("5.0", "5"), ("Gut", "gut"), ("TRUE", "True")])
def test_keys_of_the_policy_match_in_any_spelling(load: Load, key: str, label: str) -> None:
    assert list(load([label, "negative"], f'label_map = {{ "{key}" = "POSITIVE" }}', TWO).labels) == [1, 0]
    assert list(load([label, "negative", "positive"], f'drop_labels = ["{key}"]', TWO).labels) == [0, 1]


def test_an_exact_key_goes_before_one_in_another_spelling(load: Load) -> None:
    more = 'label_map = { "a" = "negative", "A" = "positive" }'
    assert list(load(["A", "a"], more, TWO).labels) == [1, 0]


@pytest.mark.parametrize("classes", [TWO, ()])
def test_keys_in_two_spellings_that_contradict_each_other_are_refused(load: Load, classes: tuple[str, ...]) -> None:
    more = 'label_map = { "1" = "positive", "+1" = "negative" }'
    message = refusal(load, ["1.0", "negative", "positive"], more, classes)
    assert "'+1', '1' for the label '1.0'" in message
    same = more.replace('"negative"', '"POS"')
    assert list(load(["1.0", "negative"], same, TWO).labels) == [1, 0]


# What is ambiguous


@pytest.mark.parametrize("labels", [["0", "1"], ["1.0", "0.0"]])
def test_numbers_that_the_model_orders_otherwise_are_refused(load: Load, labels: list[str]) -> None:
    message = refusal(load, labels, "", ("positive", "negative"))
    for words in ("convention", "'0'", "negative", "'positive'", "label_map"):
        assert words in message
    mapped = load(labels, 'label_map = { "0" = "positive", "1" = "negative" }', ("positive", "negative"))
    assert list(mapped.labels) == [int(float(label)) for label in labels]


def test_of_three_classes_one_in_another_place_is_enough(load: Load) -> None:
    assert "'1' means neutral" in refusal(load, ["0", "1", "2"], "", ("negative", "positive", "neutral"))
    # These numbers are not the model's own, so that its order says nothing against them.
    assert list(load(["-1", "0", "1"], "", ("positive", "negative", "neutral")).labels) == [1, 2, 0]


@pytest.mark.parametrize(("labels", "dropped"), [(["0", "1", "2"], "2"), (["-1", "0", "1"], "-1")])
def test_what_is_left_of_a_scale_is_not_taken_for_another(load: Load, labels: list[str], dropped: str) -> None:
    for classes in ((), TWO):
        assert "label_map" in refusal(load, labels, f'drop_labels = ["{dropped}"]', classes)
    middle = load(labels, f'drop_labels = ["{labels[1]}"]', TWO)
    assert list(middle.labels) == [0, 1]


# What is not known


def test_all_labels_that_are_no_class_are_named_in_order_and_none_is_guessed(load: Load) -> None:
    message = refusal(load, ["positive", "9", "meh", "negative", "5", "Neutral"], "", TWO)
    assert "labels '5', '9', 'Neutral', 'meh' are none of the model's classes (negative, positive)" in message
    assert 'drop_labels = ["5", "9", "Neutral", "meh"]' in message
    assert '= "negative"' not in message
    assert '= "positive"' not in message


def test_neutral_beside_two_classes_is_left_to_the_user(load: Load) -> None:
    for labels in (["negative", "neutral", "positive"], ["0", "2", "4"]):
        middle = labels[1]
        message = refusal(load, labels, "", TWO)
        assert f"label '{middle}' is none of" in message
        assert f'drop_labels = ["{middle}"]' in message
        assert list(load(labels, f'drop_labels = ["{middle}"]', TWO).labels) == [0, 1]


def test_a_column_of_texts_is_not_shown(load: Load) -> None:
    message = refusal(load, [f"A secret of number {i}" for i in range(30)], "", TWO)
    assert "30 different" in message
    assert "secret" not in message


@pytest.mark.parametrize("labels", [["1", "2", "3", "4", "5"], ["1.0", "5.0"], ["0", "1", "3"], ["True", "False", "2"]])
def test_numbers_without_a_meaning_are_no_classes_of_a_model_to_be_trained(load: Load, labels: list[str]) -> None:
    message = refusal(load, labels)
    for label in labels:
        assert f"'{label}'" in message
    assert "label_map" in message
    assert "[model] labels" in message
    pairs = ", ".join(f'"{label}" = "{TWO[i > 0]}"' for i, label in enumerate(labels))
    assert load(labels, f"label_map = {{ {pairs} }}").classes == TWO
    assert load(labels, "", labels).classes == tuple(labels)


def test_a_word_for_an_empty_cell_is_no_class_of_a_model_to_be_trained(load: Load) -> None:
    labels = ["negative", "nan", "positive"]
    assert "label 'nan' is how programs write an empty cell" in refusal(load, labels)
    assert load(labels, 'drop_labels = ["NaN"]').classes == TWO
    assert load(["none", "negative", "null"]).classes == ("negative", "none", "null")


@pytest.mark.parametrize(
    ("more", "classes", "words"),
    [
        ('label_map = { "meh" = "nuetral" }', THREE, ["'nuetral'", "did you mean 'neutral'?"]),
        ('label_map = { "meh" = "nuetral" }', (), ["'nuetral'", "did you mean 'neutral'?"]),
        ('label_map = { "meh" = "neutral" }', TWO, ["'neutral'", "negative, positive"]),
        ('label_map = { "meh" = "3" }', TWO, ["'3'", "negative, positive"]),
        ('label_map = { "meh" = "positive" }\ndrop_labels = ["MEH"]', TWO, ["both", "'meh'", "drop_labels"]),
        ('drop_labels = ["meh", "negative", "positive"]', TWO, ["drop_labels", "every label"]),
    ],
)
def test_what_the_policy_says_of_labels_is_held_against_the_classes(
    load: Load, more: str, classes: tuple[str, ...], words: list[str]
) -> None:
    message = refusal(load, ["negative", "meh", "positive"], more, classes)
    for word in words:
        assert word in message


def test_classes_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="several of its classes are called 'positive'") as caught:
        labels_of(config(tmp_path, id2label={"0": "negative", "1": "positive", "2": "positive"}), "m", ())
    assert is_one_sentence(str(caught.value))
    with pytest.raises(AuditError, match="several of its classes are called 'bad'"):
        labels_of(config(tmp_path, id2label=GENERIC), "m", ("bad", "bad"))


# Rows that are left out


def test_rows_of_dropped_labels_are_left_out_and_counted(load: Load) -> None:
    labels = ["1", "3.0", "5", "3", "1"]
    more = 'label_map = { "1" = "negative", "5" = "positive" }\n'
    found = load(labels, more + 'drop_labels = ["3"]')
    assert found.texts == ("text 0", "text 2", "text 4")
    assert found.describe()["skipped"] == {"label in drop_labels": 2}
    # What is kept of an audit goes by the fingerprint of its data.
    other = load(labels, 'label_map = { "1" = "negative", "3" = "negative", "5" = "positive" }')
    assert other.fingerprint != found.fingerprint


# Labels of texts from elsewhere


def elsewhere(folder: Path, labels: Sequence[str], more: str = "") -> tuple[list[int], int]:
    write_csv(folder / "other.csv", [{"text": f"text {i}", "label": label} for i, label in enumerate(labels)])
    text = f"[model]\nsource = 'm'\n[data]\ntest = 'demo'\n[[claims.transfer]]\ndata = '{folder}/other.csv'\n{more}"
    policy = policies.parse(text, None)
    found, left_out = audit_data.load_elsewhere(policy, policy.claims.transfer[0], examples([0, 1]), 9, folder)
    return found.labels.tolist(), left_out


def test_rows_from_elsewhere_of_another_sentiment_are_left_out(tmp_path: Path) -> None:
    assert elsewhere(tmp_path, ["4", "2", "0.0", "2"]) == ([1, 0], 2)
    assert elsewhere(tmp_path, ["POS", "neutral", "neg"]) == ([1, 0], 1)


@pytest.mark.parametrize(("more", "words"), [('"bad" = "negatve"', "'negatve'"), ('"awful" = "negative"', "'awful'")])
def test_what_the_policy_says_of_labels_from_elsewhere_is_checked_too(tmp_path: Path, more: str, words: str) -> None:
    with pytest.raises(AuditError, match=words) as caught:
        elsewhere(tmp_path, ["positive", "bad", "negative"], f"label_map = {{ {more} }}")
    assert is_one_sentence(str(caught.value))


# The model's own names


def config(folder: Path, **values: object) -> Path:
    (folder / "config.json").write_text(json.dumps(values), "utf-8")
    return folder


GENERIC = {"0": "LABEL_0", "1": "LABEL_1"}
NAMED = {"0": "NEGATIVE", "1": "POSITIVE"}


@pytest.mark.parametrize(
    ("id2label", "label2id", "order", "expected"),
    [
        (GENERIC, {"positive": 1, "negative": 0}, (), TWO),
        (GENERIC, {"positive": 0, "negative": 1}, (), ("positive", "negative")),
        (None, {"positive": "1", "negative": "0"}, (), TWO),
        ({"0": "0", "1": "1"}, {"bad": 0, "good": 1}, (), ("bad", "good")),
        (NAMED, {"LABEL_0": 0, "LABEL_1": 1}, (), ("NEGATIVE", "POSITIVE")),
        (NAMED, {"neg": 0, "pos": 1}, (), ("NEGATIVE", "POSITIVE")),
        ({"0": "NEG", "1": "POS"}, None, TWO, TWO),
        # What is no map of all classes to their numbers says nothing.
        (NAMED, ["negative", "positive"], (), ("NEGATIVE", "POSITIVE")),
        (NAMED, {"0": "negative"}, (), ("NEGATIVE", "POSITIVE")),
        (GENERIC, {"negative": 0}, TWO, TWO),
        ({"1": "negative", "2": "positive"}, {"negative": 1, "positive": 2}, (), TWO),
        ({"0": "0", "1": "1"}, {"0": 0, "1": 1}, (), ("0", "1")),
    ],
)
def test_classes_are_named_by_whatever_in_the_configuration_says_more(
    tmp_path: Path, id2label: object, label2id: object, order: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert labels_of(config(tmp_path, id2label=id2label, label2id=label2id), "m", order) == expected


@pytest.mark.parametrize(
    ("id2label", "label2id", "order"),
    [
        (NAMED, {"negative": 1, "positive": 0}, ()),
        (NAMED, {"negative": 1, "positive": 0}, TWO),
        (NAMED, {"negative": 0, "neutral": 1, "positive": 2}, ()),
        (GENERIC, {"positive": 0, "negative": 1}, TWO),
    ],
)
def test_a_configuration_that_contradicts_itself_or_the_policy_is_refused(
    tmp_path: Path, id2label: object, label2id: object, order: tuple[str, ...]
) -> None:
    with pytest.raises(AuditError, match=r"config\.json (contradicts itself|orders the classes)") as caught:
        labels_of(config(tmp_path, id2label=id2label, label2id=label2id), "m", order)
    assert is_one_sentence(str(caught.value))


# Labels that may be swapped


@pytest.mark.parametrize("measure", [quality.accuracy, quality.balanced_accuracy, quality.mcc, quality.roc_auc])
@pytest.mark.parametrize("classes", [TWO, THREE])
def test_a_figure_surely_below_chance_says_that_labels_may_be_swapped(
    measure: Callable[..., Any], classes: tuple[str, ...]
) -> None:
    truth = [i % len(classes) for i in range(300)]
    turned = [len(classes) - 1 - label for label in truth] if len(classes) == 2 else [(i + 1) % 3 for i in truth]
    swapped, right = (measure(predictions(said, examples(truth, classes))) for said in (turned, truth))
    assert "labels may be swapped" in str(swapped.caveats)
    assert "swapped" not in str(right.caveats)


def test_one_answer_to_everything_is_below_the_classes_share_and_yet_not_swapped() -> None:
    always = predictions([0] * 300, examples([0] * 30 + [1] * 270))
    assert quality.accuracy(always).high == pytest.approx(0.14, abs=0.02)
    assert "swapped" not in str(quality.accuracy(always).caveats)


def test_a_former_model_that_spells_its_classes_otherwise_is_compared() -> None:
    about = examples([0, 1, 1], ("negative", "positive"))
    former = {(text, label.upper()[:3], n): "POS" for text, label, n in about.keys}
    found = quality.regression(predictions([0, 1, 1], about), former)
    assert (found.n, found.facts["examples fixed"]) == (3, 1)


# On the terminal


@pytest.fixture
def numbered(pytester: pytest.Pytester, reviews: Path) -> Path:
    """The reviews with numbers for labels, and some with a label that says nothing."""
    import csv

    numbers = {"negative": "0", "neutral": "2", "positive": "4"}
    for name in ("train.csv", "test.csv"):
        with (reviews / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        rows = [{**row, "label": "9.0" if i % 50 == 0 else numbers[row["label"]]} for i, row in enumerate(rows)]
        write_csv(pytester.path / name, rows)
    return pytester.path


PROBE = """
    from dataclasses import replace

    import numpy as np
    import pytest
    from audit.probes.quality import quality

    @pytest.mark.measures("quality.accuracy")
    def test_accuracy(audit, predictions):
        audit.check(quality.accuracy(predictions))

    @pytest.mark.measures("quality.balanced_accuracy")
    def test_of_a_model_that_takes_one_class_for_the_next(audit, predictions):
        turned = np.eye(3, dtype=np.float32)[(predictions.truth + 1) % 3]
        audit.check(quality.balanced_accuracy(replace(predictions, probabilities=turned)))
"""


def test_the_terminal_says_how_labels_were_read_and_how_many_rows_were_left_out(
    run: Runner, write_policy: WritePolicy, numbered: Path
) -> None:
    write_policy(data='train = "train.csv"\ntest = "test.csv"\ndrop_labels = ["9"]')
    run.pytester.makepyfile(PROBE)
    result = run()
    assert result.ret == 0
    read = "0 as negative, 2 as neutral, 4 as positive"
    for role, name, rows, of in (("train", "training", 6, 300), ("test", "test", 8, 400)):
        assert f"{role}: labels read by convention: {read}" in flowed(result.outlines)
        left_out = f"{rows} of {of} rows of the {name} data were left out: label in drop_labels: {rows}."
        assert left_out in flowed(result.outlines)
        assert run.record["data"][role]["skipped"] == {"label in drop_labels": rows}
        assert run.record["data"][role]["labels"] == {"0": "negative", "2": "neutral", "4": "positive"}
    assert run.record["policy"]["data"]["drop_labels"] == ["9"]
    assert "labels may be swapped" in flowed(result.outlines)
    assert "labels may be swapped" in run.finding("quality.balanced_accuracy")["reason"]
    assert "swapped" not in str(run.finding("quality.accuracy"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('drop_labels = ["9", "7"]', ["'7'", "no row"]),
        ('drop_labels = ["9"]\nlabel_map = { "meh" = "neutral" }', ["'meh'", "no row"]),
        ("", ["'9.0'", "'0'", "drop_labels"]),
    ],
)
def test_labels_that_match_nothing_stop_the_audit(
    run: Runner, write_policy: WritePolicy, numbered: Path, more: str, words: list[str]
) -> None:
    write_policy(data=f'train = "train.csv"\ntest = "test.csv"\n{more}')
    run.pytester.makepyfile(PROBE)
    result = run()
    assert result.ret == 4
    (line,) = {line for line in (*result.outlines, *result.errlines) if line.startswith("ERROR: ")}
    for word in words:
        assert word in line


def test_a_training_by_itself_says_it_before_it_starts(
    numbered: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = numbered / "audit.toml"
    data = 'train = "train.csv"\ntest = "test.csv"\ndrop_labels = ["9"]'
    policy.write_text(f'[model]\nsource = "./none"\n[model.finetune]\n[data]\n{data}\n', "utf-8")
    monkeypatch.chdir(numbered)
    # There is nothing to start from, so that this is as far as it comes.
    assert main(["train", "--audit-cache", str(numbered / "cache")]) == 4
    told = capsys.readouterr().err
    assert "[data] train: labels read by convention: 0 as negative, 2 as neutral, 4 as positive\n" in told
    assert "6 of 300 rows of the training data were left out: label in drop_labels: 6.\n" in told
