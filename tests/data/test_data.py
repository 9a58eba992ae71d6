"""Examples from files: four formats that agree, labels that are understood, and bad input that is named."""

from __future__ import annotations

import gzip
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import AuditError
from audit.core.cache import CacheWarning
from audit.data import examples as audit_data
from audit.data.examples import UNLABELLED, Examples, Role
from audit.policy import policy as policies
from tests.helpers import THREE, TWO, examples, is_one_sentence

REAL = os.environ.get("AUDIT_TEST_DATA", "")
needs_real_data = pytest.mark.skipif(not REAL, reason="needs the public data sets: set AUDIT_TEST_DATA")


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Examples]:
    """Load a file of the folder by a policy that lies there too."""

    def load(
        test: str, more: str = "", *, train: str = "", role: Role = "test", classes: Sequence[str] = ()
    ) -> Examples:
        lines = ["[model]", 'source = "m"', "[data]", f"test = '{test}'", f"train = '{train}'" if train else ""]
        path = tmp_path / "release.toml"
        path.write_text("\n".join([*lines, more]), "utf-8")
        return audit_data.load(policies.read(path), role, classes, tmp_path / "cache")

    return load


Load = Callable[..., Examples]

ROWS = [
    ("It was good, really.", "positive", "a", "x"),
    ("NA", "negative", "b", None),
    ("null", "positive", "a", "y"),
    ('She said "no"\nand left.', "negative", None, "x"),
    ("Schöne Grüße 👋", "negative", "b", "y"),
    ("00123", "positive", "b", "x"),
    ("True", "positive", "NA", "x"),
    ("nan", "negative", "None", "x"),
]


def write(folder: Path, suffix: str, rows: Sequence[Sequence[object]], columns: Sequence[str]) -> str:
    """Write rows in one of the formats; the name of the file."""
    frame = pd.DataFrame(rows, columns=list(columns), dtype=object)
    path = folder / f"rows{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".jsonl":
        lines = [json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines) + "\n", "utf-8")
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path.name


# Rows


def test_a_text_is_found_in_its_row_of_the_file_however_the_examples_were_chosen(load: Load, tmp_path: Path) -> None:
    rows = [
        ("first", "positive"),
        ("", "negative"),
        ("third", "negative"),
        ("fourth", "positive"),
        ("third", "negative"),
    ]
    found = load(write(tmp_path, ".csv", rows, ("text", "label")))
    assert [found.row_of(text) for text in ("first", "third", "fourth", "fifth")] == [1, 3, 4, None]
    some = found.take(np.array([2, 1, 3]))
    assert some.row_of("fourth") == 4
    assert [some.row(i) for i in range(3)] == [4, 3, 5]
    assert some.stand_in(["third", "fifth"]).tolist() == [False, True, True]
    assert Examples(("first",), np.array([0]), ("negative", "positive")).row_of("first") is None


# Four formats, one content


def test_all_formats_give_the_same_examples(load: Load, tmp_path: Path) -> None:
    settings = 'subgroups = ["group", "other"]'
    found = [
        load(write(tmp_path, suffix, ROWS, ("text", "label", "group", "other")), settings)
        for suffix in (".csv", ".tsv", ".jsonl", ".parquet")
    ]
    for one in found:
        assert one.texts == tuple(row[0] for row in ROWS)
        assert [one.classes[label] for label in one.labels] == [row[1] for row in ROWS]
        assert list(one.subgroups["group"]) == [*(row[2] for row in ROWS[:-1]), None]  # the last says "None"
        assert list(one.subgroups["other"]) == [row[3] for row in ROWS]
        assert not one.skipped
        assert one.fingerprint == found[0].fingerprint


def test_the_fingerprint_depends_on_all_that_counts() -> None:
    base = examples([0, 1], texts=["a", "b"], groups={"g": ["x", "y"]})
    others = [
        examples([1, 1], texts=["a", "b"], groups={"g": ["x", "y"]}),
        examples([0, 1], texts=["a", "c"], groups={"g": ["x", "y"]}),
        examples([0, 1], texts=["a", "b"], groups={"g": ["x", "z"]}),
        examples([0, 1], texts=["a", "b"]),
        examples([0, 1], texts=["an", "b"], groups={"g": ["x", "y"]}, classes=("egative", "positive")),
    ]
    assert len({one.fingerprint for one in (base, *others)}) == 6
    assert base.fingerprint == examples([0, 1], texts=["a", "b"], groups={"g": ["x", "y"]}).fingerprint
    twice = examples([0, 1, 1], texts=["a", "b", "b"], groups={"g": ["x", "y", "y"]})
    assert twice.fingerprint != base.fingerprint


def test_rows_in_another_order_are_the_same_test_set_and_another_training() -> None:
    base = examples([0, 1], texts=["a", "b"], groups={"g": ["x", "y"]})
    turned = examples([1, 0], texts=["b", "a"], groups={"g": ["y", "x"]})
    assert turned.fingerprint == base.fingerprint
    assert turned.ordered_fingerprint != base.ordered_fingerprint


def test_the_confidence_is_shared_out_over_the_planned_looks(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", ROWS, ("text", "label", "group", "other"))
    assert load(name).protocol.confidence == pytest.approx(0.95)
    assert load(name, "[audit]\nlooks = 5").protocol.confidence == pytest.approx(0.99)
    found = load(name, "[audit]\nlooks = 2\nconfidence = 0.9")
    assert found.protocol.confidence == pytest.approx(0.95)


def test_dates_are_texts_like_any_other(load: Load, tmp_path: Path) -> None:
    rows = [("2020-01-01", "positive"), ("2021-12-31", "negative")]
    csv, jsonl = (load(write(tmp_path, suffix, rows, ("text", "label"))) for suffix in (".csv", ".jsonl"))
    assert jsonl.texts == csv.texts == ("2020-01-01", "2021-12-31")


def test_a_kaggle_file_is_read_by_its_column_names(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", [("fine", "positive"), ("dull<br />", "negative")], ("review", "sentiment"))
    found = load(name, 'text = "review"\nlabel = "sentiment"')
    assert found.texts == ("fine", "dull<br />")
    assert found.classes == TWO
    assert list(found.labels) == [1, 0]


def test_a_byte_order_mark_is_no_part_of_the_first_column(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"\xef\xbb\xbftext,label\ngood,positive\nbad,negative\n")
    assert load("rows.csv").texts == ("good", "bad")


# Labels


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([0, 1], TWO), ([0, 1, 2], THREE), ([-1, 1], TWO), ([-1, 0, 1], THREE)],
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_integer_labels_mean_what_is_usual(
    load: Load, tmp_path: Path, suffix: str, labels: list[int], classes: tuple[str, ...]
) -> None:
    name = write(tmp_path, suffix, [(f"text {i}", i) for i in labels], ("text", "label"))
    for asked in ((), classes):
        found = load(name, classes=asked)
        assert found.classes == classes
        assert list(found.labels) == list(range(len(labels)))


def test_integer_labels_beside_missing_ones_stay_integers(load: Load, tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": [1, None, 0]})  # pandas makes them 1.0, nan, 0.0
    frame.to_parquet(tmp_path / "rows.parquet")
    found = load("rows.parquet")
    assert (found.texts, list(found.labels), found.classes) == (("a", "c"), [1, 0], TWO)


def test_the_label_map_translates(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", [("a", 1), ("b", 5), ("c", "schlecht")], ("text", "label"))
    found = load(name, 'label_map = { "1" = "negative", "schlecht" = "negative", "5" = "positive" }', classes=TWO)
    assert list(found.labels) == [0, 1, 0]


def test_the_order_of_classes_is_the_models(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", [("a", "negative"), ("b", "positive")], ("text", "label"))
    assert list(load(name, classes=("positive", "negative")).labels) == [1, 0]


@pytest.mark.parametrize("classes", [TWO, ()])
def test_labels_in_another_case_are_the_same(load: Load, tmp_path: Path, classes: tuple[str, ...]) -> None:
    rows = [("a", "Negative"), ("b", "POSITIVE"), ("c", "positive"), ("d", "negative")]
    found = load(write(tmp_path, ".csv", rows, ("text", "label")), classes=classes)
    assert list(found.labels) == [0, 1, 1, 0]


# Cells that are missing


@pytest.mark.slow("reads files in each format", seconds=5)
def test_rows_without_text_or_label_are_skipped_and_counted(load: Load, tmp_path: Path) -> None:
    rows = [("a", "positive"), (None, "positive"), ("b", None), ("  ", "negative"), ("c", "negative"), (None, None)]
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet"):
        found = load(write(tmp_path, suffix, rows, ("text", "label")))
        assert found.texts == ("a", "c")
        assert dict(found.skipped) == {"empty text": 3, "no label": 1}


def test_examples_without_a_group_are_kept(load: Load, tmp_path: Path) -> None:
    rows = [("a", 0, "x"), ("b", 1, None), ("c", 1, "y")]
    found = load(write(tmp_path, ".csv", rows, ("text", "label", "g")), 'subgroups = ["g"]')
    assert list(found.groups("g")) == ["x", None, "y"]


def test_bytes_are_no_text(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".parquet", [(b"a", "negative"), (b"b", "positive")], ("text", "label"))
    assert "row 1 has bytes in column 'text'" in refuse(load, name)


def test_spellings_of_a_group_are_one_and_words_for_missing_are_none(load: Load, tmp_path: Path) -> None:
    cells = ["Woman", "woman", "woman", " WOMAN", "trans  woman", "Trans woman", "nan", "None", "null", "N/A", "", "NA"]
    rows = [(f"{i}", i % 2, cell) for i, cell in enumerate(cells)]
    found = load(write(tmp_path, ".csv", rows, ("text", "label", "g")), 'subgroups = ["g"]')
    trans = ["Trans woman"] * 2
    assert list(found.groups("g")) == ["woman"] * 4 + trans + [None] * 5 + ["NA"]
    told = {"g": {"read_as": {"Woman": "woman", "WOMAN": "woman", "trans  woman": "Trans woman"},
                  "missing": dict.fromkeys(("nan", "None", "null", "N/A"), "<10")}}  # fmt: skip
    assert found.describe()["groups"] == told


def test_numbers_that_are_groups_are_the_same_however_they_are_written(load: Load, tmp_path: Path) -> None:
    rows = [(f"{i}", i % 2, cell) for i, cell in enumerate(["34.0", "34", "34.0", "34.5", "-1", "-1.00", "0.3.0"])]
    found = load(write(tmp_path, ".csv", rows, ("text", "label", "age")), 'subgroups = ["age"]')
    assert list(found.groups("age")) == ["34.0", "34.0", "34.0", "34.5", "-1", "-1", "0.3.0"]


def test_groups_that_stand_as_they_are_need_no_word(load: Load, tmp_path: Path) -> None:
    rows = [("a", 0, "none"), ("b", 1, "None of these"), ("c", 1, None)]
    found = load(write(tmp_path, ".jsonl", rows, ("text", "label", "g")), 'subgroups = ["g"]')
    assert list(found.groups("g")) == ["none", "None of these", None]
    assert "groups" not in found.describe()


def test_crossed_columns() -> None:
    found = examples([0, 1, 0], groups={"g": ["f", "m", None], "r": ["n", "s", "s"]})
    groups = found.groups("g*r")
    assert groups[2] is None
    assert ["f" in groups[0], "n" in groups[0]] == [True, True]
    assert groups[0] != groups[1]


def test_crossed_columns_of_a_policy_are_loaded(load: Load, tmp_path: Path) -> None:
    rows = [("a", 0, "f", "n"), ("b", 1, "m", "s")]
    found = load(write(tmp_path, ".csv", rows, ("text", "label", "g", "r")), 'subgroups = ["g*r"]')
    assert len(set(found.groups("g*r"))) == 2


# Splits and samples


def test_one_file_for_both_is_split_by_text(load: Load, tmp_path: Path) -> None:
    rows = [(f"text {i % 900}", i % 2) for i in range(1000)]  # a hundred texts stand in it twice
    name = write(tmp_path, ".csv", rows, ("text", "label"))
    train, test = (load(name, "test_share = 0.3", train=name, role=role) for role in ("train", "test"))
    assert len(train) + len(test) == 1000
    assert not set(train.texts) & set(test.texts)
    assert 0.25 <= len(test) / 1000 <= 0.35
    assert test.texts == load(name, "test_share = 0.3", train=name).texts
    # Where more rows come in, the others stay on their side.
    more = write(tmp_path, ".csv", [*rows, *[(f"new {i}", 1) for i in range(50)]], ("text", "label"))
    assert set(test.texts) <= set(load(more, "test_share = 0.3", train=more).texts)


def test_the_split_goes_by_the_seed(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", [(f"text {i}", i % 2) for i in range(200)], ("text", "label"))
    one, other = (load(name, f"test_share = 0.5\n[audit]\nseed = {seed}", train=name) for seed in (0, 1))
    assert one.texts != other.texts


def test_a_share_makes_no_sense_for_two_files(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", ROWS, ("text", "label", "g", "h"))
    (tmp_path / "other.csv").write_bytes((tmp_path / name).read_bytes())
    with pytest.raises(AuditError, match="test_share"):
        load(name, "test_share = 0.3", train="other.csv")
    with pytest.raises(AuditError, match="test_share"):
        load(name, train=name)


def test_the_sample_goes_by_the_texts_alone() -> None:
    whole = examples(np.arange(100) % 2, max_examples=30, groups={"g": [str(i) for i in range(100)]})
    part = whole.sample()
    rows = [int(text.removeprefix("text ")) for text in part.texts]
    assert len(set(rows)) == 30
    assert [str(row) for row in rows] == list(part.subgroups["g"])
    assert list(part.labels) == [row % 2 for row in rows]
    assert part.texts == examples(np.arange(100) % 2, max_examples=30, seed=1).sample().texts
    assert part.texts == whole.take(np.random.default_rng(1).permutation(100)).sample().texts


def test_what_is_drawn_for_one_purpose_says_nothing_of_another() -> None:
    whole = examples(np.zeros(4000))
    one, other = (set(whole.drawn(purpose)[:400].tolist()) for purpose in ("test.one", "test.other"))
    assert 20 < len(one & other) < 60  # 40 are expected, with a standard deviation of 5.7
    assert np.mean(list(one)) == pytest.approx(2000, abs=4 * 4000 / np.sqrt(12 * 400))


def test_what_is_drawn_among_some_rows_is_drawn_in_the_order_of_all() -> None:
    whole = examples(np.zeros(100))
    among = np.arange(100) % 3 == 0
    assert whole.drawn("test.one", among).tolist() == [row for row in whole.drawn("test.one") if among[row]]


def test_letters_and_spaces_of_a_text_do_not_draw_anew() -> None:
    texts = [f"A fine pot {i}" for i in range(50)]
    dressed = [f" a  FINE pot\t{i}" for i in range(50)]
    assert (
        examples(np.zeros(50), texts=texts).drawn("test.probe").tolist()
        == examples(np.zeros(50), texts=dressed).drawn("test.probe").tolist()
    )


def test_equal_texts_are_drawn_in_the_same_order_whatever_their_rows() -> None:
    labels = np.arange(12) % 2
    whole = examples(labels, texts=["the same"] * 12, groups={"g": [str(i // 2) for i in range(12)]})
    turned = whole.take(np.arange(12)[::-1])
    one, other = (
        [(int(each.labels[i]), each.subgroups["g"][i]) for i in each.drawn("test.probe")] for each in (whole, turned)
    )
    assert one == other


@pytest.mark.parametrize("size", [0, 100, 101])
def test_a_sample_of_all_is_all(size: int) -> None:
    assert len(examples(np.arange(100) % 2, max_examples=size).sample()) == 100


def test_the_validation_slice_is_a_partition() -> None:
    whole = examples(np.arange(50) % 2)
    fit, held_out = audit_data.split_validation(whole, 0.2, 3)
    assert len(held_out) == 10
    assert sorted([*fit, *held_out]) == list(range(50))
    assert list(held_out) == list(audit_data.split_validation(whole, 0.2, 3)[1])
    assert list(held_out) != list(audit_data.split_validation(whole, 0.2, 4)[1])
    assert len(audit_data.split_validation(whole, 0.0, 3)[1]) == 0
    shuffled = np.random.default_rng(3).permutation(50)  # as it always was where no text stands twice
    assert list(held_out) == sorted(shuffled[:10])


@pytest.mark.parametrize(
    ("times", "share", "held_out"),
    [
        ([16] * 50, 0.1, 80),
        ([16] * 50, 0.03, 16),  # 24 would be the share
        ([16] * 50, 0.01, 0),
        ([1] * 90 + [5] * 2, 0.2, 20),
        ([60] + [1] * 40, 0.1, 10),  # a text that is more than the share is never held out
        ([100], 0.9, 0),
    ],
)
def test_whole_texts_are_held_out_for_validation(times: list[int], share: float, held_out: int) -> None:
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(len(times)), times))
    whole = examples(np.zeros(len(rows)), texts=[f"text {row}" for row in rows])
    for seed in range(5):
        fit, apart = audit_data.split_validation(whole, share, seed)
        assert sorted([*fit, *apart]) == list(range(len(rows)))
        assert not set(rows[fit]) & set(rows[apart])
        assert len(apart) == held_out


def test_a_text_that_stands_often_is_held_out_as_often_as_another() -> None:
    whole = examples(np.zeros(216), texts=["often"] * 16 + [f"text {i}" for i in range(200)])
    drawn = sum(0 in audit_data.split_validation(whole, 0.5, seed)[1] for seed in range(400))
    assert 160 <= drawn <= 240


def test_taking_rows_by_mask_and_by_index() -> None:
    whole = examples([0, 1, 1], groups={"g": ["a", "b", "c"]})
    for rows in (np.array([False, True, True]), np.array([1, 2])):
        assert whole.take(rows).texts == ("text 1", "text 2")
        assert list(whole.take(rows).groups("g")) == ["b", "c"]


def test_the_description_holds_counts_and_no_text() -> None:
    found = examples([0, 1, 1], texts=["secret one", "secret two", "secret three"]).describe()
    assert found["rows"] == 3
    assert found["classes"] == {"negative": 1, "positive": 2}
    assert "secret" not in json.dumps(found)


def test_groups_whose_names_are_personal_data_are_told_apart_by_numbers(load: Load, tmp_path: Path) -> None:
    cells = ["ann@example.org", "Ann@Example.org", "bob@example.org", "f", "ann@example.org", "\x1b[2J"]
    rows = [(f"text {i}", TWO[i % 2], cell) for i, cell in enumerate(cells)]
    examples = load(write(tmp_path, ".csv", rows, ("text", "label", "by")), 'subgroups = ["by"]')
    assert list(examples.groups("by")) == ["[e-mail] 1", "[e-mail] 1", "[e-mail] 2", "f", "[e-mail] 1", "⟨U+001B⟩[2J"]
    groups: Any = examples.describe()["groups"]
    assert groups["by"]["read_as"] == {"[e-mail]": "[e-mail]"}


# Bad input


def refuse(load: Load, test: str, more: str = "", **arguments: object) -> str:
    with pytest.raises(AuditError) as caught:
        load(test, more, **arguments)
    message = str(caught.value)
    assert is_one_sentence(message), message
    assert "release.toml" in message
    return message


GOOD = "text,label,g\na,negative,x\nb,positive,y\n"


@pytest.mark.parametrize(
    ("name", "content", "more", "words"),
    [
        ("rows.csv", GOOD, 'text = "txt"', ["'txt'", "[data] text", "did you mean 'text'?"]),
        ("rows.csv", GOOD, 'label = "labels"', ["'labels'", "[data] label", "did you mean 'label'?"]),
        ("rows.csv", GOOD, 'subgroups = ["sex"]', ["'sex'", "[data] subgroups"]),
        ("rows.csv", GOOD, 'subgroups = ["g*sex"]', ["'sex'", "[data] subgroups"]),
        ("rows.csv", GOOD.replace(",y", ",x"), 'subgroups = ["g"]', ["'g'", "needs two"]),
        ("rows.csv", GOOD.replace(",y", ","), 'subgroups = ["g"]', ["'g'", "needs two"]),
        ("rows.csv", "text,label\n,negative\n  ,positive\n", "", ["no usable row", "2"]),
        ("rows.csv", "text,label\na,negative\nb,negative\n", "", ["'negative'", "two classes"]),
        ("rows.csv", "text,label\ncaf\xe9,negative\nb,positive\n".encode("latin-1"), "", ["UTF-8"]),
        ("rows.jsonl", '{"text": "caf\xe9", "label": 1}\n'.encode("latin-1"), "", ["UTF-8"]),
        ("rows.csv", b"", "", ["empty"]),
        ("rows.tsv", b"", "", ["empty"]),
        ("rows.jsonl", b"", "", ["empty"]),
        ("rows.parquet", b"", "", ["empty"]),
        ("rows.csv", "text,label\n", "", ["no rows"]),
        ("rows.jsonl", "\n\n", "", ["no rows"]),
        ("rows.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "lab', "", ["cannot be read"]),
        ("rows.parquet", b"PAR1 this is no parquet file", "", ["cannot be read"]),
        ("rows.csv", "text,label\na,negative\nb,positive,c,d\n", "", ["cannot be read", "line 3"]),
        ("rows.csv", "text,label\na,negative,c\nb,positive,d\n", "", ["cannot be read"]),
        ("rows.csv", 'text,label\n"a,negative\nb,positive\n', "", ["cannot be read"]),
        ("rows.xlsx", b"PK", "", ["unknown file type", ".csv", ".parquet"]),
        ("rows.jsonl", '{"text": "a", "label": 1}\n{"text": ["b"], "label": 0}', "", ["row 2", "a list", "'text'"]),
        ("rows.json", '{"text": {"0": "a"}, "label": {"0": 1}}', "", ["row 1", "an object", "'text'"]),
        # Of a file without a header the first row takes its place.
        ("rows.csv", "write to ann@example.org,x\na,1\n", "", ["known are: write to [e-mail], x."]),
        ("rows.csv", "text,label\na,ann@exam\u200bple.org\nb,positive\n", "", ["class '[e-mail]'", "label_map"]),
        ("rows.csv", "te\x00xt,label\na,1\n", "", ["did you mean 'te⟨U+0000⟩xt'?"]),
    ],
)
def test_bad_files_are_named(
    load: Load, tmp_path: Path, name: str, content: str | bytes, more: str, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refuse(load, name, more)
    for word in [name, *words]:
        assert word in message


@pytest.mark.parametrize("name", ["missing.csv", "missing.jsonl", "./missing", "folder/missing.parquet"])
def test_a_missing_file_is_named(load: Load, name: str) -> None:
    message = refuse(load, name)
    assert name in message
    assert "no such file" in message


def test_an_unknown_label_is_named(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", [("a", "negative"), ("b", "posititve"), ("c", "positive")], ("text", "label"))
    message = refuse(load, name, classes=TWO)
    assert "'posititve'" in message
    assert "negative, positive" in message
    assert "label_map" in message


def test_a_class_without_rows_is_named(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", [("a", "negative"), ("b", "positive")], ("text", "label"))
    assert "'neutral' has no rows" in refuse(load, name, classes=THREE)


def test_a_column_of_numbers_is_not_taken_for_classes(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", [(f"text {i}", i) for i in range(50)], ("text", "label"))
    assert "50 different values" in refuse(load, name)


@pytest.mark.parametrize("source", ["owner/reviews", "reviews", "owner/reviews[plain]:test"])
def test_a_hub_data_set_without_a_network_is_named(load: Load, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    message = refuse(load, source)
    assert source in message
    assert "could not be reached" in message


def test_a_source_that_is_nothing_is_refused(load: Load) -> None:
    assert "expected a file" in refuse(load, "what:is:this")


# The public data sets


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Examples]:
    """One split of a public data set."""
    cache = tmp_path_factory.mktemp("cache")

    def real(file: str, more: str = "") -> Examples:
        text = f"[model]\nsource = 'm'\n[data]\ntest = '${{AUDIT_TEST_DATA}}/{file}'\n{more}"
        return audit_data.load(policies.parse(text, None), "test", (), cache)

    return real


@needs_real_data
def test_imdb_has_its_known_shape_and_duplicates(real: Load) -> None:
    train, test = real("imdb_train.parquet"), real("imdb_test.parquet")
    for split in (train, test):
        assert len(split) == 25_000
        assert split.classes == TWO
        assert list(np.bincount(split.labels)) == [12_500, 12_500]
    # And 96 and 199 duplicates within, which tests/probes/privacy/test_privacy.py counts.
    assert len(set(train.texts) & set(test.texts)) == 123


@needs_real_data
def test_airline_tweets_have_three_classes_and_six_groups(real: Load) -> None:
    found = real("airline.csv", "label = 'sentiment'\nsubgroups = ['airline']")
    assert found.classes == THREE
    assert list(np.bincount(found.labels)) == [9_178, 3_099, 2_363]
    assert len(set(found.groups("airline"))) == 6


@needs_real_data
@pytest.mark.parametrize(("split", "rows"), [("train", 6_920), ("dev", 872), ("test", 1_821)])
def test_sst2_has_its_known_size(real: Load, split: str, rows: int) -> None:
    found = real(f"sst2_{split}.csv")
    assert (len(found), found.classes) == (rows, TWO)


# Counterfactual pairs

PAIR_COLUMNS = ("sentence", "template", "person", "gender", "race", "emotion")
PAIRS = [("He sings.", "<p> sings.", "he", "male", "", ""), ("She sings.", "<p> sings.", "she", "female", None, "")]


def _pairs(folder: Path, line: str) -> dict[str, tuple[str, ...]] | None:
    return audit_data.load_pairs(policies.parse(f'[model]\nsource = "m"\n[data]\ntest = "demo"\n{line}', None), folder)


def test_a_pair_file_gives_plain_columns(tmp_path: Path) -> None:
    assert _pairs(tmp_path, "") is None
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet"):
        name = write(tmp_path, suffix, [*PAIRS, ("", "", "", "", "", "")], PAIR_COLUMNS)
        found = _pairs(tmp_path, f"pairs = '{tmp_path / name}'")
        assert found is not None
        assert found["sentence"] == ("He sings.", "She sings.")
        assert found["race"] == ("", "")


@pytest.mark.parametrize(
    ("columns", "name", "words"),
    [
        (("sentence", "template", "persons", "gender", "race", "emotion"), "rows.csv", "did you mean 'persons'"),
        (PAIR_COLUMNS, "nowhere.csv", "no such file"),
        (PAIR_COLUMNS, "rows.xlsx", "expected a file of one of the types"),
    ],
)
def test_a_pair_file_that_is_none_is_named(tmp_path: Path, columns: tuple[str, ...], name: str, words: str) -> None:
    write(tmp_path, ".csv", PAIRS, columns)
    with pytest.raises(AuditError) as caught:
        _pairs(tmp_path, f"pairs = '{tmp_path / name}'")
    assert words in str(caught.value)
    assert "[data] pairs" in str(caught.value)
    assert is_one_sentence(str(caught.value))


# ---- what is there now is what is read


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_file_that_changed_is_read_anew_though_its_time_did_not(load: Load, tmp_path: Path, suffix: str) -> None:
    columns, rows = ["text", "label"], [("good", "positive"), ("poor", "negative")]
    name = write(tmp_path, suffix, rows, columns)
    before = (tmp_path / name).stat()
    assert load(name).texts == ("good", "poor")
    write(tmp_path, suffix, [("fine", "positive"), ("poor", "negative")], columns)
    os.utime(tmp_path / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load(name).texts == ("fine", "poor")


def test_pairs_and_texts_that_changed_are_read_anew_though_their_time_did_not(tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    policy = policies.parse('[model]\nsource = "m"\n[data]\ntest = "demo"\n', None)
    for text in ("good", "fine"):
        path.write_text(f"text\n{text}\n", "utf-8")
        os.utime(path, ns=(10**18, 10**18))
        assert audit_data.load_texts(policy, path, tmp_path / "cache") == (text,)


def test_no_copy_of_the_data_stays_in_the_cache(load: Load, tmp_path: Path) -> None:
    load(write(tmp_path, ".csv", ROWS, ["text", "label", "group", "other"]))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("cut", [None, 40, -80])  # changed, cut in the schema, cut in the texts
def test_a_damaged_copy_of_a_hub_data_set_is_named_and_made_again(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int | None
) -> None:
    """The Hub is a folder here; all else is the library's own."""
    import datasets

    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "test.csv").write_text("text,label\nexcellent,positive\nterrible,negative\n", "utf-8")
    library = datasets.load_dataset
    monkeypatch.setattr(
        datasets, "load_dataset", lambda source, *more, **named: library(str(tmp_path / "hub"), **named)
    )
    assert load("somebody/reviews").texts == ("excellent", "terrible")
    (arrow,) = (tmp_path / "cache").rglob("*.arrow")
    content = arrow.read_bytes()
    arrow.write_bytes(content[:cut] if cut else content.replace(b"excellent", b"miserable"))
    with pytest.warns(
        CacheWarning, match="the copy of 'somebody/reviews' in the cache is not as it was made"
    ) as caught:
        assert load("somebody/reviews").texts == ("excellent", "terrible")
    assert str(tmp_path / "cache") in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load("somebody/reviews").texts == ("excellent", "terrible")


# ---- files as their owners have them


# What a clone has in the place of a large file that was not fetched.
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


def test_a_tsv_whose_texts_begin_with_marks_that_nothing_closes_has_all_its_rows(load: Load, tmp_path: Path) -> None:
    texts = [f'"{i} is never closed' if i % 20 == 0 else f"{i} is plain" for i in range(300)]
    lines = [f"{text}\t{i % 2}" for i, text in enumerate(texts)]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tlabel", *lines]), "utf-8")
    found = load("rows.tsv")
    assert (found.texts, list(found.labels)) == (tuple(texts), [0, 1] * 150)


def test_a_text_with_a_bare_carriage_return_is_one_text(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(b"text,label\nnot only\rgood,negative\nfine,positive\n")
    found = load("rows.csv")
    assert (found.texts, dict(found.skipped)) == (("not only\rgood", "fine"), {})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.csv", "text,label\na,negative\nwell, well,positive\n", ["line 3", "quote texts with commas"]),
        ("rows.csv", "text;label\na;negative\nwell; well;positive\n", ["line 3", "quote texts with semicolons"]),
        ("rows.csv", 'text,label\na,negative\n"b,positive\n', ["line 3", "quotation mark", "nothing closes"]),
        ("rows.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "lab', ["line 2", "no JSON"]),
        ("rows.jsonl", '{"text": "a", "label": 1}\n{"text": "b\n{"text": "c", "label": 1}\n', ["line 2", "no JSON"]),
        ("rows.jsonl", '["a", 1]\n', ["line 1", "no object"]),
        ("rows.csv", "text,text,label\n1,a,x\n2,b,y\n", ["column 'text' more than once"]),
        ("rows.parquet", "PAR1 and nothing behind it", ["cut off"]),
        ("rows.csv.gz", "text,label\n", ["gzip"]),
        ("rows.xlsx", "PK", ["save the sheet as CSV"]),
        ("rows.txt", "good\n", ["no column of labels"]),
        ("rows.tar.gz", "tar", ["; .tar.gz: unpack it"]),
        ("rows.feather", "FEA1", ["save the table as Parquet"]),
        *(
            (name, POINTER, ["Git LFS pointer", "`git lfs pull`"])
            for name in ("rows.csv", "rows.jsonl", "rows.parquet")
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line_and_the_remedy(
    load: Load, tmp_path: Path, name: str, content: str, words: list[str]
) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    message = refuse(load, name)
    for word in [name, *words]:
        assert word in message


@pytest.mark.parametrize("name", ["nowhere.xlsx", "part-*.csv", "./part-?.csv"])
def test_a_file_or_pattern_that_nothing_matches_is_not_sought_on_the_hub(load: Load, name: str) -> None:
    assert "no " in (message := refuse(load, name))
    assert name in message
    assert "Hub could not be reached" not in message


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_a_csv_with_another_separator_is_read(load: Load, tmp_path: Path, separator: str) -> None:
    text = "text,label\ngood - so it is,positive\nbad,negative\n".replace(",", separator).replace(" -", ",")
    (tmp_path / "rows.csv").write_text(text, "utf-8")
    asked = f"separator = '{separator}'" if separator == "|" else ""
    assert load("rows.csv", asked).texts == ("good, so it is", "bad")


def test_the_separator_of_the_policy_overrides_the_header(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label,x;text;label\nfine,1,x;good;1\npoor,0,x;bad;0\n", "utf-8")
    assert load("rows.csv").texts == ("fine", "poor")
    assert load("rows.csv", "separator = ';'").texts == ("good", "bad")


@pytest.mark.parametrize("separator", ["ab", "a", '"', "\n"])
def test_a_separator_that_is_none_is_refused(load: Load, tmp_path: Path, separator: str) -> None:
    assert "[data] separator: expected one sign" in refuse(load, "rows.csv", f"separator = {json.dumps(separator)}")


def test_halves_of_characters_in_json_are_read_as_the_sign_for_what_cannot_be_read(load: Load, tmp_path: Path) -> None:
    lines = [
        r'{"text": "good \ud83d", "label": 1, "g": "a\udc00"}',
        r'{"text": "bad \ud83d\ude00", "label": 0, "g": "b"}',
    ]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), "utf-8")
    found = load("rows.jsonl", "subgroups = ['g']")
    assert found.texts == ("good \ufffd", "bad 😀")
    assert list(found.groups("g")) == ["a\ufffd", "b"]


def test_json_arrays_and_compressed_files_are_read(load: Load, tmp_path: Path) -> None:
    rows = [{"text": "good", "label": 1}, {"text": "bad", "label": 0, "more": None}]
    (tmp_path / "rows.json").write_text(json.dumps(rows, indent=1), "utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"text,label\ngood,1\nbad,0\n"))
    (tmp_path / "rows.tsv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbftext\tlabel\ngood\t1\nbad\t0\n"))
    found = [load(name) for name in ("rows.json", "rows.jsonl.gz", "rows.csv.gz", "rows.tsv.gz")]
    assert {one.fingerprint for one in found} == {found[0].fingerprint}
    assert (found[0].texts, list(found[0].labels)) == (("good", "bad"), [1, 0])


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_folder_or_pattern_of_shards_is_one_table_in_the_order_of_names(
    load: Load, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "shards").mkdir()
    for i in (1, 0, 2):
        name = write(tmp_path, suffix, [(f"{i} good", 1), (f"{i} bad", 0)], ("text", "label"))
        (tmp_path / name).rename(tmp_path / "shards" / f"part-{i}{suffix}")
    texts = tuple(f"{i} {word}" for i in range(3) for word in ("good", "bad"))
    assert load("shards").texts == load("shards/part-*").texts == texts
    assert load("shards/part-[!1]*").texts == (*texts[:2], *texts[4:])
    assert "test_share" in refuse(load, "shards", train="shards")
    write(tmp_path, suffix, [("more", 1, 2)], ("text", "label", "odd"))
    (tmp_path / f"rows{suffix}").rename(tmp_path / "shards" / f"part-3{suffix}")
    assert "'odd'" in (message := refuse(load, "shards"))
    assert f"part-3{suffix}" in message


def test_a_folder_with_splits_gives_each_role_its_own(load: Load, tmp_path: Path) -> None:
    (tmp_path / "both").mkdir()
    for role in ("train", "test"):
        write(tmp_path, ".csv", [(f"{role} good", 1), (f"{role} bad", 0)], ("text", "label"))
        (tmp_path / "rows.csv").rename(tmp_path / "both" / f"{role}.csv")
    for role in ("train", "test"):
        assert load("both", train="both", role=role).texts == (f"{role} good", f"{role} bad")


@pytest.mark.parametrize("name", ["part-1.csv", "test/part-1.csv"])
def test_a_pointer_of_git_lfs_among_the_files_of_a_folder_is_named(load: Load, tmp_path: Path, name: str) -> None:
    path = tmp_path / "both" / name
    path.parent.mkdir(parents=True)
    path.write_text(POINTER, "utf-8")
    (path.parent / "part-0.csv").write_text("text,label\ngood,1\nbad,0\n", "utf-8")
    message = refuse(load, "both")
    assert "part-1.csv is a Git LFS pointer" in message


def test_what_datasets_saved_to_disk_is_read(load: Load, tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    parts = {
        role: Dataset.from_dict({"text": [f"{role} good", "bad"], "label": [1, 0]}, features)
        for role in ("train", "test")
    }
    parts["test"].save_to_disk(tmp_path / "one")
    DatasetDict(parts).save_to_disk(tmp_path / "both")
    assert load("one").texts == ("test good", "bad")
    assert load("both", train="both", role="train").texts == ("train good", "bad")
    assert load("both").classes == TWO
    assert "test_share" in refuse(load, "one", train="one")
    DatasetDict({"dev": parts["test"]}).save_to_disk(tmp_path / "other")
    assert "splits dev" in refuse(load, "other")


# ---- groups in a file of their own

REVIEWS = "text,label,who\na,1,7\nb,0,8\nc,1,\nd,0,9\ne,1,7\n"
JOINED = 'subgroups = ["sex"]\ngroups = "people.csv"\nid = "who"'


def test_groups_of_another_file_are_joined_by_the_id(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(REVIEWS, "utf-8")
    (tmp_path / "people.csv").write_text(
        "who;sex;age\n8.0;m;3\n7;Female;4\n7.0; female;5\n;x;6\n;y;6\n12;female;7\n", "utf-8"
    )
    found = load("rows.csv", JOINED)
    (tmp_path / "others.csv").write_text(REVIEWS.replace("7", "70").replace("8", "80"), "utf-8")
    assert set(load("rows.csv", JOINED, train="others.csv", role="train").groups("sex")) == {None}
    assert list(found.groups("sex")) == ["Female", "m", None, None, "Female"]
    assert found.describe()["subgroups"] == {"sex": {"Female": "<10", "": "<10", "m": "<10"}}
    assert found.describe()["absent"] == 2
    assert refuse(load, "rows.csv", 'groups = "people.csv"').endswith("name it with id.")


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ("who,sex\n7,f\n8,m\n7,m\n", ["rows 1 and 3", "'who'"]),
        ("who,sex\n70,f\n80,m\n", ["no 'who' of the data"]),
        ("whose,sex\n7,f\n8,m\n", ["no column 'who'", "did you mean 'whose'"]),
        ("who,text\n7,f\n8,m\n", ["no column 'sex'"]),
        ("", ["people.csv", "empty"]),
    ],
)
def test_groups_that_cannot_be_joined_are_named(load: Load, tmp_path: Path, people: str, words: list[str]) -> None:
    (tmp_path / "rows.csv").write_text(REVIEWS, "utf-8")
    (tmp_path / "people.csv").write_text(people, "utf-8")
    message = refuse(load, "rows.csv", JOINED)
    for word in words:
        assert word in message


def test_a_column_of_groups_that_stands_in_both_files_is_refused(load: Load, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label,who,sex\na,1,7,f\nb,0,8,m\n", "utf-8")
    (tmp_path / "people.csv").write_text("who,sex\n7,f\n8,m\n", "utf-8")
    assert "'sex' stands in the data too" in refuse(load, "rows.csv", JOINED)


def test_spellings_of_groups_in_pairs_are_one(tmp_path: Path) -> None:
    rows = [*PAIRS, ("He hums.", "<p> hums.", "he", " Male", "nan", ""), ("x", "y", "he", "male", "None", "")]
    found = _pairs(tmp_path, f"pairs = '{tmp_path / write(tmp_path, '.csv', rows, PAIR_COLUMNS)}'")
    assert found is not None
    assert (found["gender"], found["race"]) == (("male", "female", "male", "male"), ("", "", "", ""))


# ---- rows that belong together

OWNED = [
    ("Quite good, this one.", "positive", "ann.author@example.com", 7),
    ("Not so good at all.", "negative", "ben", 8),
    ("The second of the same writer.", "positive", "ann.author@example.com", 7),
    ("No writer is named here.", "negative", None, None),
    ("Nor is one named in this row.", "negative", "nan", None),
    ("A long text that was copied word for word.", "positive", "cleo", 9),
    ("A long text, that was copied word for word!", "positive", "dora", 10),
]


def sizes(found: Examples) -> list[int]:
    return [] if found.clusters is None else [int((found.clusters == each).sum()) for each in found.clusters]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("column", ["who", "number"])
def test_rows_of_one_author_are_a_cluster_and_so_are_near_copies(
    load: Load, tmp_path: Path, suffix: str, column: str
) -> None:
    name = write(tmp_path, suffix, OWNED, ("text", "label", "who", "number"))
    found = load(name, f'cluster = "{column}"')
    assert sizes(found) == [2, 1, 2, 1, 1, 2, 2]
    assert found.describe()["clusters"] == {"number": 5, "shared": 4, "largest": 2, "unnamed": 2}
    assert "ann" not in f"{found!r}{found.describe()}"
    by_text = load(name)
    assert sizes(by_text) == [1, 1, 1, 1, 1, 2, 2]
    assert by_text.describe()["clusters"] == {"number": 6, "shared": 2, "largest": 2}
    assert by_text.fingerprint == found.fingerprint


def test_near_copies_are_sought_in_the_test_texts_alone(load: Load, tmp_path: Path) -> None:
    write(tmp_path, ".csv", OWNED, ("text", "label", "who", "number"))
    (tmp_path / "other.csv").write_text(GOOD, "utf-8")
    assert load("other.csv", train="rows.csv", role="train").clusters is None
    assert sizes(load("other.csv", 'cluster = "who"', train="rows.csv", role="train")) == [2, 1, 2, 1, 1, 1, 1]


def test_a_column_without_a_name_is_no_column_of_clusters(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".jsonl", OWNED, ("text", "label", "", "number"))
    assert sizes(load(name)) == [1, 1, 1, 1, 1, 2, 2]


def test_examples_without_clusters_say_so_also_after_some_were_taken(load: Load, tmp_path: Path) -> None:
    found = load(write(tmp_path, ".csv", OWNED, ("text", "label", "who", "number")), 'cluster = "who"')
    assert found.take(np.array([0, 1, 3, 5])).clusters is None
    assert sizes(found.take(np.array([0, 2, 5, 6, 1]))) == [2, 2, 2, 2, 1]
    alone = load(write(tmp_path, ".jsonl", OWNED[:2], ("text", "label", "who", "number")), 'cluster = "who"')
    assert alone.clusters is None
    assert alone.describe()["clusters"] == {"number": 2, "shared": 0, "largest": 1}


@pytest.mark.parametrize("name", ["clusters", "rows", "second"])
def test_what_belongs_to_other_rows_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"2 texts and {name} of 3"):
        replace(examples([0, 1]), **{name: np.zeros(3, dtype=np.int64)})  # type: ignore[arg-type]


def test_a_text_that_many_copied_makes_no_cluster_of_their_authors(load: Load, tmp_path: Path) -> None:
    rows = [("We all passed on this very same text.", "positive", f"w{i}") for i in range(4)]
    rows += [(f"own {i}", "negative", f"w{i}") for i in range(3)]
    found = load(write(tmp_path, ".csv", [*rows, rows[3]], ("text", "label", "who")), 'cluster = "who"')
    assert sizes(found) == [2] * 8
    once = load(write(tmp_path, ".csv", rows, ("text", "label", "who")), 'cluster = "who"')
    assert sizes(once) == [2, 2, 2, 1, 2, 2, 2]


def test_the_column_of_clusters_may_stand_in_the_file_of_groups_and_is_not_needed_in_training(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text(REVIEWS, "utf-8")
    (tmp_path / "people.csv").write_text("who,sex,family\n7,f,x\n8,m,x\n9,m,\n", "utf-8")
    found = load("rows.csv", f'{JOINED}\ncluster = "family"')
    assert sizes(found) == [3, 3, 1, 1, 3]
    assert (found.describe()["clusters"]["unnamed"], list(found.subgroups)) == (2, ["sex"])
    by_id = load("rows.csv", f'{JOINED}\ncluster = "who"')
    assert sizes(by_id) == [2, 1, 1, 1, 2]
    (tmp_path / "train.csv").write_text("text,label\na,1\nb,0\n", "utf-8")
    assert load("rows.csv", 'cluster = "who"', train="train.csv", role="train").clusters is None


def test_a_column_of_clusters_that_cannot_be_read_is_named(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".jsonl", [("a", "negative", ["x"]), ("b", "positive", ["y"])], ("text", "label", "who"))
    assert "no column 'whom' ([data] cluster); did you mean 'who'?" in refuse(load, name, 'cluster = "whom"')
    message = refuse(load, name, 'cluster = "who"')
    assert "row 1 has a list in column 'who' ([data] cluster)" in message


# A second label


TWICE = [
    ("one", "positive", "POS"),
    ("", "positive", "pos"),
    ("two", "negative", None),
    ("three", "negative", "positive"),
    ("four", "positive", "nan"),
    ("five", "mixed", "negative"),
    ("six", "negative", "mixed"),
]


def test_a_second_label_is_read_as_the_first_and_rows_keep_their_numbers(load: Load, tmp_path: Path) -> None:
    name = write(tmp_path, ".csv", TWICE, ("text", "label", "again"))
    found = load(name, 'second_label = "again"\ndrop_labels = ["mixed"]')
    assert found.texts == ("one", "two", "three", "four", "six")
    assert found.rows is not None
    assert found.rows.tolist() == [1, 3, 4, 5, 7]
    assert found.second is not None
    assert found.second.tolist() == [1, UNLABELLED, 1, UNLABELLED, 2]  # the last is none of the two classes
    assert found.protocol.second_label_is == "truth"
    part = found.take(np.array([4, 0]))
    assert part.rows is not None
    assert part.second is not None
    assert (part.rows.tolist(), part.second.tolist()) == ([7, 1], [2, 1])


def test_numbers_mean_in_the_second_label_what_they_mean_in_the_first(load: Load, tmp_path: Path) -> None:
    """Alone, a column that has only 1 would say nothing; and integers beside empty cells come as floats."""
    rows = [("a", 0, 1.0), ("b", 1, None), ("c", 2, 1.0)]
    name = write(tmp_path, ".parquet", rows, ("text", "label", "again"))
    found = load(name, 'second_label = "again"\nsecond_label_is = "peer"')
    assert (found.classes, found.protocol.second_label_is) == (THREE, "peer")
    assert found.second is not None
    assert found.second.tolist() == [1, UNLABELLED, 1]


def test_a_label_that_only_the_second_has_may_be_mapped(load: Load, tmp_path: Path) -> None:
    rows = [("a", "positive", "good"), ("b", "negative", "")]
    name = write(tmp_path, ".csv", rows, ("text", "label", "again"))
    more = 'second_label = "again"\nlabel_map = { good = "positive" }'
    found = load(name, more)
    assert found.second is not None
    assert found.second.tolist() == [1, UNLABELLED]
    assert "good" not in found.label_reading.unmatched


def test_training_data_have_no_second_label(load: Load, tmp_path: Path) -> None:
    write(tmp_path, ".csv", TWICE, ("text", "label", "again"))
    pd.DataFrame({"text": ["x", "y"], "label": list(TWO)}).to_csv(tmp_path / "train.csv", index=False)
    assert load("rows.csv", 'second_label = "again"', train="train.csv", role="train").second is None


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        ([("a", "positive", ""), ("b", "negative", "nan")], "", "column 'again' .* is empty in all rows; fill it in"),
        (
            [("a", "positive", "great"), ("b", "negative", "")], "",
            r"column 'again' \(\[data\] second_label\) has 'great', none of the model's classes \(negative, positive\)",
        ),
        ([("a", "positive", "x"), ("b", "negative", "")], 'second_label = "agian"', "has no column 'agian'.*'again'"),
    ],
)  # fmt: skip
def test_a_second_label_that_cannot_be_read_is_named(
    load: Load, tmp_path: Path, rows: list[tuple[str, str, str]], more: str, said: str
) -> None:
    name = write(tmp_path, ".csv", rows, ("text", "label", "again"))
    with pytest.raises(AuditError, match=said) as error:
        load(name, more or 'second_label = "again"')
    assert is_one_sentence(str(error.value))
