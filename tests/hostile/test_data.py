"""Data files that are broken or hostile: each is refused in one sentence, or read in a way that the result tells."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.data import examples as data
from audit.data.examples import Examples
from audit.policy import policy as policies
from tests.hostile.sentences import memory, refusal

ROWS = [(f"text {i} is here", "positive" if i % 2 else "negative") for i in range(20)]
CSV = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)
GROUPED = "text,label,g\n" + "".join(f"{text},{label},{{}}\n" for text, label in ROWS)
JSONL = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS)
PLAIN = {"texts": 20, "classes": ("negative", "positive")}


def parquet(**columns: object) -> bytes:
    content = io.BytesIO()
    pd.DataFrame(columns).to_parquet(content)
    return content.getvalue()


TABLE = parquet(text=[text for text, _ in ROWS], label=[label for _, label in ROWS])


def load(folder: Path, name: str, content: bytes | str, more: str = "") -> Examples:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "release.toml").write_text(f'[model]\nsource = "m"\n[data]\ntest = {json.dumps(name)}\n{more}\n', "utf-8")
    return data.load(policies.read(folder / "release.toml"), "test", (), folder / "cache")


REFUSED: dict[str, tuple[str, bytes | str, str]] = {
    "CSV in UTF-16": ("t.csv", CSV.encode("utf-16"), "not UTF-8 (byte 0 cannot be decoded); save the file as UTF-8"),
    "CSV in UTF-16 without a mark": ("t.csv", CSV.encode("utf-16-le"), "full of NUL characters, as a file in UTF-16"),
    "CSV in UTF-32": ("t.csv", CSV.encode("utf-32"), "not UTF-8"),
    "JSON in UTF-16": ("t.jsonl", JSONL.encode("utf-16"), "not UTF-8"),
    "TSV in Latin-1": ("t.tsv", "text\tlabel\ncafé\tpositive\n".encode("latin-1"), "not UTF-8 (byte 14"),
    "lone halves of characters as bytes": ("t.csv", b"text,label\n\xed\xa0\x80,positive\nb,negative\n", "not UTF-8"),
    "two byte order marks": ("t.csv", b"\xef\xbb\xbf" * 2 + CSV.encode(), "did you mean '⟨U+FEFF⟩text'?"),
    "zeros for CSV": ("t.csv", bytes(1000), "full of NUL characters"),
    "zeros for JSON": ("t.jsonl", bytes(1000), "line 1 is no JSON"),
    "a header without an end": ("t.tsv", "text\tlabel", "the data set has no rows"),
    "an empty array": ("t.json", "[]", "the data set has no rows"),
    "an object without rows": ("t.json", "{}", "the data set has no rows"),
    "a number for JSON": ("t.json", "1", "line 1 holds no object"),
    "nothing for a row": ("t.jsonl", "null\n", "line 1 holds no object"),
    "arrays without end": ("t.jsonl", '{"text": "a", "label": ' + "[" * 100_000, "line 1 is no JSON"),
    "objects in objects": ("t.json", '{"a":' * 5000 + "1" + "}" * 5000, "line 1 is no JSON"),
    "a number of 5000 digits": (
        "t.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": ' + "1" * 5000 + "}\n",
        "line 2 holds a number of thousands of digits; write it as a text",
    ),
    "a name twice in one object": (
        "t.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "text": "c", "label": 0}\n',
        "line 2 names 'text' more than once in one object",
    ),
    "an object for a label": (
        "t.jsonl", '{"text": "a", "label": 1}\n{"text": "b", "label": {}}\n', "row 2 has an object in column 'label'",
    ),
    "numbers that are none for labels": (
        "t.jsonl", '{"text": "a", "label": NaN}\n{"text": "b", "label": Infinity}\n', "all rows have the label 'inf'"
    ),
    "one class": ("t.csv", CSV.replace("negative", "positive"), "all rows have the label 'positive'; at least two"),
    "one row": ("t.csv", "text,label\na,positive\n", "all rows have the label 'positive'; at least two"),
    "no header": ("t.csv", "a,positive\nb,negative\n", "no column 'text' ([data] text); known are: a, positive"),
    "the label column twice": ("t.csv", "text,label,label\na,x,y\nb,y,x\n", "names the column 'label' more than once"),
    "a page for a table": ("t.csv", "<!DOCTYPE html><html>404: not found</html>\n", "the data set has no rows"),
    "marks without end": ("t.csv", "text,label\n" + '"' * 200_001 + ",x\nb,y\n", "line 2 opens a quotation mark that"),
    "separators without end": ("t.csv", "text,label\n" + "a,x" + ",b" * 100_000 + "\n", "line 2 has 100002 fields"),
    "an archive for CSV": ("t.csv", b"PK\x03\x04" + bytes(range(256)), "not UTF-8"),
    "Parquet for CSV": ("t.csv", TABLE, "not UTF-8"),
    "CSV for Parquet": ("t.parquet", CSV, "it is cut off or no Parquet file"),
    "a byte of Parquet": ("t.parquet", b"P", "it is cut off or no Parquet file"),
    "Parquet without a footer": ("t.parquet", b"PAR1", "it is damaged or no Parquet file; write it again"),
    "Parquet with zeros for a footer": ("t.parquet", b"PAR1" + bytes(100) + b"PAR1", "it is damaged or no Parquet"),
    "Parquet with a footer of 2 GB": ("t.parquet", b"PAR1" + bytes(20) + b"\xff\xff\xff\x7fPAR1", "it is damaged or"),
    "Parquet of lists": ("t.parquet", parquet(text=[["a"], ["b"]], label=["x", "y"]), "row 1 has a list in column"),
    "gzip that ends early": ("t.csv.gz", gzip.compress(CSV.encode())[:60], "it is damaged or was not compressed"),
    "gzip with another sum": ("t.csv.gz", gzip.compress(CSV.encode())[:-8] + bytes(8), "it is damaged or was not"),
    "gzip of far more than its size": (
        "t.csv.gz", gzip.compress(b"text,label\n" + b"good,1\n" * 10**7), "it unpacks to more than 67 MB, 100 times"
    ),
    "gzip of zeros": ("t.csv.gz", gzip.compress(bytes(1000)), "full of NUL characters"),
    "ten thousand columns, none wanted": (
        "t.csv", ",".join(f"c{i}" for i in range(10_000)) + "\n" + "x," * 9_999 + "x\n", "and 9,970 more"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_file_is_one_sentence(tmp_path: Path, case: str) -> None:
    name, content, said = REFUSED[case]
    message = refusal(lambda: load(tmp_path, name, content))
    assert f"[data] test = '{name}'" in message
    assert said in message, message


LINE = 100 * 2**20
NAMES = ", ".join(f'"{i}": 1' for i in range(100_001))
# The first line has the header or some object, the second is 100 MB.
LONG: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a text": ("t.csv", lambda: b"x" * LINE + b",a", "line 2 has 104,857,602 characters, and at most 10,000,000 are"),
    "marks": ("t.csv", lambda: b'"' * LINE, "line 2 has 104,857,600 characters"),
    "separators": ("t.csv", lambda: b"," * LINE, "line 2 has 104,857,600 characters"),
    "tabs": ("t.tsv", lambda: b"\t" * LINE, "line 2 has 104,857,600 characters"),
    "a text in JSON": (
        "t.jsonl", lambda: b'{"text": "' + b"x" * LINE + b'", "label": 1}',
        "row 2 has 104,857,600 characters in column 'text', and at most 10,000,000 are read",
    ),
    "a text that JSON does not end": ("t.jsonl", lambda: b'{"text": "' + b"x" * LINE, "line 2 is no JSON"),
    "arrays": ("t.jsonl", lambda: b"[" * LINE, "line 2 is no JSON"),
    "digits": ("t.jsonl", lambda: b'{"text": "a", "label": ' + b"1" * LINE + b"}", "line 2 holds a number of thou"),
}  # fmt: skip


@pytest.mark.slow("reads 100 MB", seconds=2)
@pytest.mark.parametrize("case", LONG)
def test_a_line_of_100_megabytes_is_refused_in_bounded_memory(tmp_path: Path, case: str) -> None:
    name, line, said = LONG[case]
    header = {".jsonl": b'{"text": "a", "label": 0}\n', ".tsv": b"text\tlabel\n", ".csv": b"text,label\n"}
    content = header[Path(name).suffix] + line()
    with memory(at_most=700):
        message = refusal(lambda: load(tmp_path, name, content))
    assert said in message, message


@pytest.mark.slow("reads 100 MB", seconds=2)
def test_spaces_of_100_megabytes_are_read_over(tmp_path: Path) -> None:
    with memory(at_most=700):
        assert len(load(tmp_path, "t.jsonl", b" " * LINE + JSONL.encode())) == 20


@pytest.mark.slow("reads a hundred thousand columns", seconds=2)
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", "," * 10**7 + "\na,b\n", "its header has 10,000,001 fields, and at most 100,000 are read"),
        ("t.jsonl", f"{{{NAMES}}}", "its rows name 100,001 columns, and at most 100,000 are read"),
        (
            "t.jsonl", "".join(f'{{"{i}": 1}}\n' for i in range(100_001)),
            "its rows name 100,001 columns, and at most 100,000 are read",
        ),
        ("t.jsonl", f'{{{NAMES}, "7": 2}}', "line 1 names '7' more than once in one object"),
    ],
    ids=["a header", "an object", "many objects", "a name twice among many"],
)  # fmt: skip
def test_columns_without_end_are_refused_in_bounded_memory(tmp_path: Path, name: str, content: str, said: str) -> None:
    with memory(at_most=1500):
        message = refusal(lambda: load(tmp_path, name, content))
    assert said in message, message


Read = Callable[[Examples], object]
READ: dict[str, tuple[str, bytes | str, str, object, Read]] = {
    "a byte order mark before JSON": (
        "t.jsonl", b"\xef\xbb\xbf" + JSONL.encode(), "", ROWS[0][0], lambda found: found.texts[0],
    ),
    "line ends of all kinds": (
        "t.csv", CSV.replace("\n", "\r\n", 5), "", tuple(text for text, _ in ROWS), lambda found: found.texts,
    ),
    "a zero character in a text": (
        "t.csv", CSV.replace("text 3", "te\0xt 3"), "", "te xt 3 is here", lambda found: found.texts[3],
    ),
    "values of many kinds": (
        "t.jsonl", '{"text": "a", "label": 1}\n{"text": 3, "label": "0"}\n{"text": null, "label": 1}\n', "",
        (("a", "3"), {"empty text": 1}), lambda found: (found.texts, dict(found.skipped)),
    ),
    "truth values for labels": (
        "t.jsonl", '{"text": "a", "label": true}\n{"text": "b", "label": false}\n', "",
        {"false": "negative", "true": "positive"}, lambda found: found.describe()["labels"],
    ),
    "one text in all rows": (
        "t.csv", "text,label\n" + "".join(f"this is said in every single row,{label}\n" for _, label in ROWS), "",
        {"number": 1, "shared": 20, "largest": 20}, lambda found: found.describe()["clusters"],
    ),
    "spaces around labels": (
        "t.csv", CSV.replace("positive", "  positive "), "", PLAIN["classes"], lambda found: found.classes,
    ),
    "a label of two words": (
        "t.csv", CSV.replace("positive", "very positive"), "", ("negative", "very positive"), lambda f: f.classes,
    ),
    "another column twice": (
        "t.csv", "text,label,x,x\na,positive,1,2\nb,negative,1,2\n", "", ("a", "b"), lambda found: found.texts,
    ),
    "a group of one row": (
        "t.csv", GROUPED.format("a", *"b" * 19), 'subgroups = ["g"]', {"b": 19, "a": "<10"},
        lambda found: found.describe()["subgroups"]["g"],
    ),
    "a group for each row": (
        "t.csv", GROUPED.format(*(f"g{i}" for i in range(20))), 'subgroups = ["g"]', 20,
        lambda found: len(found.describe()["subgroups"]["g"]),
    ),
    "ten thousand columns": (
        "t.csv", "text,label," + ",".join(["c"] * 10_000) + "\n" + f"a,x{',1' * 10_000}\nb,y{',2' * 10_000}\n", "",
        ("a", "b"), lambda found: found.texts,
    ),
    "a text of a million characters": (
        "t.csv", f"text,label\n{'x ' * 499_999}xx,positive\nshort,negative\n", "", [1_000_000, 5],
        lambda found: [len(text) for text in found.texts],
    ),
    "a quoted text of a hundred thousand lines": (
        "t.csv", 'text,label\n"' + "x,\n" * 99_999 + 'x,x",positive\nshort,negative\n', "", [300_000, 5],
        lambda found: [len(text) for text in found.texts],
    ),
    "Parquet with an index that nobody named": (
        "t.parquet", pd.DataFrame(ROWS, columns=["text", "label"], index=np.arange(20) * 7).to_parquet(), "",
        20, len,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_a_strange_file_is_read_and_the_result_says_how(tmp_path: Path, case: str) -> None:
    name, content, more, expected, of = READ[case]
    assert of(load(tmp_path, name, content, more)) == expected


# What a text may be, strip and zero characters apart, which are told in docs/data.md.
SIGNS = st.text(
    st.sampled_from("\"',;\t\n\r\\{}[]=é👋\u202e ") | st.characters(exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(SIGNS.filter(str.strip), min_size=2, max_size=6),
    st.sampled_from([".csv", ".tsv", ".jsonl", ".json", ".parquet"]),
)
def test_texts_of_any_signs_are_read_as_they_were_written(tmp_path: Path, texts: list[str], suffix: str) -> None:
    texts = [*texts, "plain good", "plain bad"]  # so that the table shows what its quotation marks mean
    labels = ["positive", "negative"] * 5
    frame = pd.DataFrame({"text": texts, "label": labels[: len(texts)]})
    content = {
        ".csv": lambda: frame.to_csv(index=False, quoting=csv.QUOTE_ALL).encode(),
        ".tsv": lambda: frame.to_csv(index=False, quoting=csv.QUOTE_ALL, sep="\t").encode(),
        ".jsonl": lambda: frame.to_json(orient="records", lines=True).encode(),
        ".json": lambda: frame.to_json(orient="records").encode(),
        ".parquet": frame.to_parquet,
    }[suffix]()
    assert load(tmp_path, f"t{suffix}", content).texts == tuple(text.strip() for text in texts)
