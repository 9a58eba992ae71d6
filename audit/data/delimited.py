"""Delimited text (CSV, TSV) as columns, after RFC 4180 where the file keeps to it. No file, no policy here.

A row that is lost, cut in two or swallowed by another gives a wrong verdict without a word. So each row must have the
header's fields, what a quotation mark or a bare carriage return means is read off the lines around it, and where that
stays open the line is named. A row that ends early is read as cells that are empty.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from functools import cached_property
from typing import NamedTuple

from audit.core.files import UnreadableError
from audit.text.redaction import printable

# In the order in which they are tried, and what each is called.
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
LONGEST = 10_000_000  # characters of a line or cell: more than any novel has, and a parser takes 25 bytes for each
WIDEST = 100_000  # columns
_SWALLOWS = (
    "line {} opens a quotation mark that closes behind what look like further rows; close it, and write those inside a "
    'quoted text twice ("")'
)
_QUOTED = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"')


class Row(NamedTuple):
    """A row: its fields, where it begins and ends, and the number of its field that spans lines, if one does."""

    fields: list[str]
    start: int
    end: int
    spanning: int | None = None


def read(text: str, *, separator: str = "", wanted: Sequence[str] = (), first: str = ",") -> dict[str, list[str]]:
    """The columns of a delimited text.

    Parameters
    ----------
    text : str
        Not empty.
    separator : str
        One character; empty: read off the header.
    wanted : sequence of str
        Names that the header should have: the separator is the first under which it has them, else the one that
        gives it the most names.
    first : str
        The separator to try first.

    Raises
    ------
    UnreadableError
        For rows that could only be guessed.
    """
    if "\r" in text.lstrip("\r\n").partition("\n")[0].rstrip("\r"):  # the line ends of old Macintosh files
        text = text.replace("\r", "\n")
    if text.partition("\n")[0].count("\0") > len(text.partition("\n")[0]) // 3:
        raise UnreadableError("its first line is full of NUL characters, as a file in UTF-16 is; save it as UTF-8")
    lines = _Lines(text, separator or _separator(text, wanted, first))
    if (width := len(lines.header.fields)) > WIDEST:
        raise UnreadableError(f"its header has {width:,} fields, and at most {WIDEST:,} are read; leave the rest out")
    header, *rows = lines.rows()
    if twice := next((name for name in wanted if header.count(name) > 1), None):
        raise UnreadableError(f"its header names the column '{printable(twice)}' more than once; give one another name")
    return {name: [row[i] for row in rows] for i, name in enumerate(_unique(header))}


def _separator(text: str, wanted: Sequence[str], first: str) -> str:
    order = sorted(SEPARATORS, key=lambda each: each != first)
    headers = {each: _Lines(text, each).header.fields for each in order}
    fitting = [each for each in order if wanted and set(wanted) <= set(headers[each])]
    return next(iter(fitting), max(order, key=lambda each: len(headers[each])))


def _unique(names: Iterable[str]) -> list[str]:
    """Names as pandas gives them: those that are missing are numbered, and so are those that stand twice."""
    unique: dict[str, None] = {}
    seen: Counter[str] = Counter()
    for i, name in enumerate(names):
        own = same = name or f"Unnamed: {i}"
        while same in unique:
            seen[own] += 1
            same = f"{own}.{seen[own]}"
        unique[same] = None
    return list(unique)


class _Lines:
    """A text whose rows are read one after the other."""

    def __init__(self, text: str, separator: str) -> None:
        self.text, self.separator, self.width = text, separator, 0
        self.plain = re.compile(f"[^{re.escape(separator)}\n]*")

    @cached_property
    def header(self) -> Row:
        return self.row(len(self.text) - len(self.text.lstrip("\r\n")))

    def rows(self) -> list[list[str]]:
        """The fields of all rows, the header first, each as wide as it."""
        try:
            return [row.fields for row in self._quoted()]
        except UnreadableError:
            # Texts hold no tabs: lines of the header's width are rows, whatever marks their texts begin with.
            quotes = '"' in self.text[: self.header.end] or self.separator != "\t"
            if quotes or (plain := self._as_rows(0, len(self.text))) is None:
                raise
            return plain

    def _quoted(self) -> list[Row]:
        self.width, at = len(self.header.fields), self.header.end + 1
        rows = [self.header]
        while at < len(self.text):
            row = self.row(at)
            at = row.end + 1
            if len(row.fields) == self.width > 1:
                rows.append(row)
            elif self.text[row.start : row.end].strip(" \r"):  # no blank line
                rows += self._fitted(row)
        self._refuse_swallowed(rows[1:])
        return rows

    def row(self, start: int) -> Row:
        """The row that begins at a position."""
        end = self._line_end(start)
        if end - start > LONGEST:
            raise UnreadableError(
                f"line {self._number(start)} has {end - start:,} characters, and at most {LONGEST:,} are read; end "
                "each row by a line end, and shorten longer texts"
            )
        if '"' not in (line := self.text[start:end]):
            return Row(line.removesuffix("\r").split(self.separator), start, end)
        fields: list[str] = []
        spanning, at = None, start
        while True:
            value, end = self._field(at)
            if "\n" in self.text[at:end]:
                spanning = len(fields)
            fields.append(value)
            if end >= len(self.text) or self.text[end] == "\n":
                fields[-1] = fields[-1].removesuffix("\r")
                return Row(fields, start, end, spanning)
            at = end + 1

    def _field(self, at: int) -> tuple[str, int]:
        """The field at a position, and where it ends."""
        literal = self._plain_to(at)
        if not self.text.startswith('"', at):
            return self.text[at:literal], literal
        quoted = _QUOTED.match(self.text, at)
        if quoted is None:
            raise UnreadableError(
                f"line {self._number(at)} opens a quotation mark that nothing closes; close it, and write those "
                'inside a quoted text twice ("")'
            )
        end = self._plain_to(quoted.end())
        behind = self.text[quoted.end() : end]
        if end == literal and behind.strip():  # marks around a part of a field are part of its text
            return self.text[at:literal], literal
        if "\n" in quoted[0] and behind.strip():  # it closes where a further row opens one
            raise UnreadableError(_SWALLOWS.format(self._number(at)))
        return quoted[1].replace('""', '"') + behind, end

    def _as_rows(self, start: int, end: int) -> list[list[str]] | None:
        """The lines as rows that quote nothing; None where they do not have the header's fields, or are too long."""
        lines = [line.removesuffix("\r") for line in self.text[start:end].split("\n")]
        if max(map(len, lines)) > LONGEST:
            return None
        rows = [line.split(self.separator) for line in lines if line.strip()]
        return rows if all(len(row) == self.width for row in rows) else None

    def _fitted(self, row: Row) -> list[Row]:
        """The row with as many fields as the header; several, where bare carriage returns end rows."""
        missing = self.width - len(row.fields)
        if missing >= 0:
            row.fields.extend([""] * missing)
            return [row]
        if not any(row.fields[self.width :]):  # separators at the end of the line
            del row.fields[self.width :]
            return [row]
        pieces = self.text[row.start : row.end].rstrip("\r").split("\r")
        parts = [_Lines(piece, self.separator).row(0).fields for piece in pieces]
        if len(parts) > 1 and all(len(part) == self.width for part in parts):
            return [Row(part, row.start, row.end) for part in parts]
        called = SEPARATORS.get(self.separator, f"'{self.separator}'")
        raise UnreadableError(
            f"line {self._number(row.start)} has {len(row.fields)} fields and the header {self.width}; quote texts "
            f"with {called}"
        )

    def _refuse_swallowed(self, rows: Sequence[Row]) -> None:
        """Refuse rows that a quotation mark swallows which closes by chance.

        One quoted text of several lines may look like that; where most of them do, the marks do not quote.
        """
        spanning = [row for row in rows if row.spanning is not None]
        suspects = [(row, lines) for row in spanning if (lines := self._as_rows(row.start, row.end))]
        if self.width < 2 or 2 * len(suspects) <= len(spanning):
            return
        values = [{row.fields[i] for row in rows if row.spanning is None} for i in range(self.width)]
        swallowing = [row for row, lines in suspects if _holds_rows(row, lines, values)]
        if 2 * len(swallowing) > len(spanning):
            raise UnreadableError(_SWALLOWS.format(self._number(swallowing[0].start)))

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end

    def _plain_to(self, at: int) -> int:
        found = self.plain.match(self.text, at)
        return found.end() if found else at

    def _number(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1


def _holds_rows(row: Row, lines: Sequence[Sequence[str]], values: Sequence[Set[str]]) -> bool:
    """Whether each line that the cell spans has, in a column beside it, a value that other rows have there."""
    cell, last = row.spanning or 0, len(lines) - 1
    for i, line in enumerate(lines):
        # What stands before the cell on its first line and behind it on its last is the row's own.
        beside = range(0 if i else cell + 1, len(line) if i < last else cell)
        if beside and not any(line[j] in values[j] for j in beside if j != cell):
            return False
    return True
