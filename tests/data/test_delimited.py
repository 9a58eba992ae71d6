"""Delimited text: what quotation marks, line breaks and separators mean, and the line of what can only be guessed."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence

import pandas as pd
import pytest

from audit.core.files import UnreadableError
from audit.data import delimited

Rows = list[tuple[str, ...]]


def rows(text: str, **settings: str) -> Rows:
    """The rows of a text, without its header."""
    return list(zip(*delimited.read(text, **settings).values(), strict=True))


def refusal(text: str, **settings: str) -> str:
    with pytest.raises(UnreadableError) as caught:
        delimited.read(text, **settings)
    return str(caught.value)


# ---- quotation marks


def test_texts_of_a_tsv_that_begin_with_a_mark_which_nothing_closes_are_rows_of_their_own() -> None:
    texts = [f'"{i} was never closed' if i % 20 == 3 else f'{i} was 19"' if i % 20 == 9 else f"{i}" for i in range(300)]
    lines = [f"{text}\t{i % 2}" for i, text in enumerate(texts)]
    assert rows("\n".join(["text\tlabel", *lines]), first="\t") == [(text, str(i % 2)) for i, text in enumerate(texts)]
    turned = ["label\ttext", *(f"{i % 2}\t{text}" for i, text in enumerate(texts))]
    assert rows("\r\n".join(turned) + "\r\n", first="\t") == [(str(i % 2), text) for i, text in enumerate(texts)]


@pytest.mark.parametrize("last", ["", "and the end\t1\n"])
def test_a_quoted_text_of_several_lines_stays_one_in_a_tsv(last: str) -> None:
    for text in ('text\tlabel\n"one\ntwo"\t1\nthree\t0\n', 'label\ttext\n1\t"one\ntwo"\n0\tthree\n'):
        cells = set().union(*rows(text + (last if text.startswith("text") else ""), first="\t"))
        assert {"one\ntwo", "three"} <= cells


def test_rows_that_a_mark_swallows_are_refused_with_the_line() -> None:
    lines = ["text,label", *(f"{i} is plain,{i % 2}" for i in range(20))]
    lines[7], lines[12] = '"7 was never closed,1', 'but 12 was 19",0'
    assert "line 8 opens a quotation mark" in refusal("\n".join(lines))
    lines[12] = '12 "closes",0'
    assert "line 8 opens a quotation mark" in refusal("\n".join(lines))
    lines[12] = "12 does not,0"
    assert "line 8 opens a quotation mark that nothing closes" in refusal("\n".join(lines))
    assert "line 3 opens a quotation mark that nothing closes" in refusal(
        'text,label\na,1\n"said ""x"" and ""y"",0\nb,1'
    )
    tabs = "\n".join(lines).replace(",", "\t")
    assert ('"7 was never closed', "1") in rows(tabs)
    assert "line 8" in refusal(tabs.replace("text", '"text"', 1))  # the header quotes, so marks do


@pytest.mark.parametrize("separator", [",", ";"])
def test_rows_are_refused_that_a_mark_swallows_among_many_quoted_texts_of_several_lines(separator: str) -> None:
    lines = [f'"{i} on\ntwo lines"{separator}{i % 2}' for i in range(20)]
    lines[7:9] = [f'"7 was never closed{separator}1', f"8 is plain{separator}0", f'"9 is quoted"{separator}1']
    assert "line 16 opens a quotation mark that closes behind" in refusal("\n".join([f"text{separator}label", *lines]))


def test_a_quoted_text_that_looks_like_rows_is_read_where_others_show_that_marks_quote() -> None:
    written = [("four and a half: 4,5\nGood", "5"), ("one\n\ntwo", "4"), ("one, and, two\nthree", "5"), ("x", "5")]
    assert rows(_written(written, ",")) == written


@pytest.mark.parametrize(
    ("cell", "value"),
    [('"Good", she said', None), ('"Good" she said', '"Good" she said'), ('"Good, really" she', "Good, really she"),
     ('"Good" ', "Good "), ('so "good", it', None), ('""', ""), ('"""Good"""', '"Good"')],
)  # fmt: skip
def test_marks_around_a_part_of_a_field_belong_to_it(cell: str, value: str | None) -> None:
    text = f"text,label\n{cell},1\nplain,0\n"
    if value is None:
        assert refusal(text) == "line 2 has 3 fields and the header 2; quote texts with commas"
    else:
        assert rows(text) == [(value, "1"), ("plain", "0")]


def _written(values: Sequence[tuple[str, ...]], separator: str, **how: int | str) -> str:
    file = io.StringIO()
    csv.writer(file, delimiter=separator, **how).writerows([("text", "label"), *values])  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_what_pythons_own_writer_writes_is_read_as_pandas_reads_it(separator: str, quoting: int) -> None:
    rng = random.Random(0)
    signs = ["good", "bad", "19", '"', '""', ",", ";", "\t", "\n", "\r\n", " ", "é", "'"]
    values = [("".join(rng.choices(signs, k=rng.randint(1, 12))), rng.choice("01")) for _ in range(2000)]
    written = _written(values, separator, quoting=quoting)
    assert rows(written) == values
    frame = pd.read_csv(io.StringIO(written), sep=separator, dtype=str, keep_default_na=False)
    assert rows(written.replace("\r\n", "\n")) == [
        tuple(cell.replace("\r\n", "\n") for cell in row) for row in frame.itertuples(index=False)
    ]


# ---- line breaks


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_bare_carriage_return_in_a_field_does_not_end_the_row(end: str) -> None:
    lines = ["text,label", "half a\rtext,1", '"another, half\rquoted",0', "plain,1", ""]
    assert rows(end.join(lines)) == [("half a\rtext", "1"), ("another, half\rquoted", "0"), ("plain", "1")]


def test_carriage_returns_that_end_rows_still_do() -> None:
    assert rows("text,label\ra,1\rb,0\r") == rows("text,label\na,1\rb,0\n") == [("a", "1"), ("b", "0")]
    assert "line 2 has 3 fields" in refusal("text,label\na,1\rb,0\rc\n")


def test_blank_lines_and_ends_that_are_missing_or_empty() -> None:
    assert rows("\n\ntext,label,more\n\na,1\n   \nb,0,x,,\n\n") == [("a", "1", ""), ("b", "0", "x")]


# ---- separators


@pytest.mark.parametrize("header", ["text{0}label", '"text"{0}"label"'])
@pytest.mark.parametrize(("separator", "called"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs")])
def test_the_separator_is_read_off_the_header(separator: str, called: str, header: str) -> None:
    others = "".join(other for other in delimited.SEPARATORS if other != separator)
    text = f"{header.format(separator)}\nwell{others}{{}}good{separator}1\n"
    assert rows(text.format("")) == [(f"well{others}good", "1")]
    assert refusal(text.format(separator)) == f"line 2 has 3 fields and the header 2; quote texts with {called}"


def test_the_separator_is_that_under_which_the_header_has_the_columns_that_are_wanted() -> None:
    text = "text;label;price, in EUR\ngood;1;2\n"
    assert delimited.read(text, wanted=("text", "label"))["label"] == ["1"]
    assert list(delimited.read("a;b,text,label\n1;2,good,1\n", wanted=("text", "label"))) == ["a;b", "text", "label"]
    assert delimited.read("text,label|x\n", separator="|", wanted=("text",)) == {"text,label": [], "x": []}


def test_columns_without_a_name_or_with_the_same_are_named_as_pandas_does() -> None:
    text = ",text,text,\n0,a,b,c\n"
    assert list(delimited.read(text)) == list(pd.read_csv(io.StringIO(text)).columns)
