"""Files as columns: delimited text, JSON or Parquet, in one piece or in shards, or saved by ``datasets``.

No policy here, and nothing of what columns mean.
"""

from __future__ import annotations

import glob
import gzip
import json
import logging
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from audit.core import hub
from audit.core.cache import scratch
from audit.core.errors import AuditError
from audit.core.files import UnreadableError
from audit.data import delimited
from audit.text.paths import check_all, check_content
from audit.text.redaction import printable, quoted

if TYPE_CHECKING:
    from datasets import Dataset

Columns = Mapping[str, Sequence[object]]
READERS: Mapping[str, Literal["csv", "json", "parquet"]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json",
    ".json": "json",
    ".parquet": "parquet",
}
COMPRESSED = ".gz"
# Texts shrink to a third, repeated rows to a thirtieth, zeros to a thousandth. What is small then may hold anything.
MOST_UNPACKED, ALWAYS_UNPACKED = 100, 2**26
# What to do about files that are none of these.
REMEDIES = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods"), "save the sheet as CSV (UTF-8)"),
    ".txt": "plain text has no column of labels: save it as CSV with a header",
    **dict.fromkeys((".zip", ".tar", ".tgz", ".tar.gz", ".7z"), "unpack it"),
    **dict.fromkeys((".arrow", ".feather", ".pkl", ".pickle"), "save the table as Parquet"),
}
# The words by which `datasets` tells splits apart in the names of files and folders.
_SPLITS = re.compile(
    r"(?<![a-z0-9])(train|training|test|testing|eval|evaluation|validation|valid|val|dev)(?![a-z0-9])", re.IGNORECASE
)
_SPACE = re.compile(r"\s*")
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for halves of characters, which JSON's escapes can bring."""
    return text if text.isascii() else _LONE_SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def suffix(path: Path) -> str:
    """What the name of a file says of its type, compressed or not; empty where it is none that is read."""
    own = path.with_suffix("").suffix if path.suffix.lower() == COMPRESSED else path.suffix
    return own.lower() if own.lower() in READERS else ""


def is_pattern(path: Path) -> bool:
    """Whether a path stands for all files that match it."""
    return ("*" in str(path) or "?" in str(path)) and not path.exists()


def shards(path: Path) -> list[Path]:
    """The files that make up one table, in order: the file itself, those of a pattern, or those of a folder.

    Empty for all else, among it folders that hold splits, which ``datasets`` tells apart.
    """
    if is_pattern(path):
        return [each for each in map(Path, sorted(glob.glob(str(path)))) if suffix(each)]
    if not path.is_dir():
        return [path] if suffix(path) else []
    inside = [each.relative_to(path) for each in sorted(path.rglob("*")) if each.is_file()]
    parts = [each for each in inside if suffix(each) and not any(part.startswith(".") for part in each.parts)]
    alike = len({READERS[suffix(each)] for each in parts}) == 1
    if not alike or (path / "README.md").exists() or saved(path) or any(_SPLITS.search(str(each)) for each in parts):
        return []
    return [path / each for each in parts]


def is_file_name(source: str) -> bool:
    """Whether a source that does not exist was meant as a file, not as a name on the Hub."""
    return is_pattern(Path(source)) or bool(_remedy(Path(source)))


def not_read(path: Path, more: str = "") -> str:
    """Why a path of which :func:`shards` knows no file is not read; `more` is what else could have been named."""
    expected = f"expected a file of one of the types {', '.join(READERS)}, also as .gz{more}{_remedy(path)}."
    if is_pattern(path):
        return f"no file of a known type matches; {expected}"
    if more:
        return f"{'unknown file type' if path.exists() else 'no such file'}; {expected}"
    return expected


def _remedy(path: Path) -> str:
    kind = next((kind for kind in REMEDIES if path.name.lower().endswith(kind)), "")
    return f"; {kind}: {REMEDIES[kind]}" if kind else ""


def saved(path: Path) -> Literal["", "table", "splits"]:
    """Whether a folder was saved by ``save_to_disk``, and what of."""
    if (path / "dataset_dict.json").is_file():
        return "splits"
    return "table" if (path / "state.json").is_file() and (path / "dataset_info.json").is_file() else ""


def read(path: Path, name: str, cache: Path, *, separator: str = "", wanted: Sequence[str] = ()) -> Columns:
    """Read a table from all its files.

    Parameters
    ----------
    path : Path
        Something of which :func:`shards` knows the files.
    name : str
        Whose path it is; begins each sentence to the user.
    cache : Path
        Folder for what is made on the way.
    separator : str
        Of delimited text; empty: read off its header.
    wanted : sequence of str
        Columns that the header should have, by which the separator is told.

    Returns
    -------
    mapping of str to sequence
        Cells as the file has them; those of delimited text as text.

    Raises
    ------
    AuditError
        For a file that is missing, empty, damaged, or cannot be read without a guess; shards of different columns.
    """
    columns: dict[str, list[object]] = {}
    files = shards(path) or [path]
    for file in files:
        part = f"{name} ({printable(file.name)})" if len(files) > 1 else name
        found = _read_file(file, part, cache, separator, wanted)
        if columns and set(found) != set(columns):
            odd = min(set(found) ^ set(columns))
            raise AuditError(
                f"{part} and {printable(files[0].name)} differ in the column '{printable(odd)}'; shards must have the "
                "same."
            )
        for column, cells in found.items():
            columns.setdefault(column, []).extend(cells)
    return columns


def _read_file(path: Path, name: str, cache: Path, separator: str, wanted: Sequence[str]) -> Columns:
    if not path.exists():
        raise AuditError(f"{name}: no such file ({path}).")
    check_content(path, name)
    if path.stat().st_size == 0:
        raise AuditError(f"{name}: the file is empty.")
    own = suffix(path)
    with readable(name):
        if READERS[own] == "parquet":
            return _parquet(path, name, cache)
        content = path.read_bytes()
        if path.suffix.lower() == COMPRESSED:
            content = _unpacked(content)
        text = content.decode("utf-8-sig")
        if READERS[own] == "json":
            columns = _json(text)
        elif text.strip("\r\n"):
            columns = delimited.read(text, separator=separator, wanted=wanted, first="\t" if own == ".tsv" else ",")
        else:
            columns = {}
    return _checked(columns, name)


def _unpacked(content: bytes) -> bytes:
    most = max(MOST_UNPACKED * len(content), ALWAYS_UNPACKED)
    try:
        with gzip.open(BytesIO(content)) as file:
            found = file.read(most + 1)
    except (OSError, EOFError, zlib.error):
        raise UnreadableError("it is damaged or was not compressed by gzip; compress it again") from None
    if len(found) > most:
        raise UnreadableError(
            f"it unpacks to more than {most / 1e6:,.0f} MB, {MOST_UNPACKED} times its size or more, as no table does; "
            "unpack it and look at it"
        )
    return found


def _parquet(path: Path, name: str, cache: Path) -> Columns:
    from datasets import load_dataset

    with path.open("rb") as file:
        start = file.read(4)
        file.seek(-min(4, path.stat().st_size), os.SEEK_END)
        if start != b"PAR1" or file.read(4) != b"PAR1":
            raise UnreadableError("it is cut off or no Parquet file; write it again")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        raise UnreadableError("it is damaged or no Parquet file; write it again") from None
    # Not from the library's cache, which tells files by name and time: what is there now is what is audited.
    with scratch(cache) as empty:
        files = {"data": str(path)}
        return columns_of(load_dataset("parquet", data_files=files, split="data", cache_dir=str(empty)), name)


def _json(text: str) -> Columns:
    """One object a line, or an array of them. Python's own parser also takes the halves of characters in escapes."""
    decoder, rows, at = json.JSONDecoder(strict=False, object_pairs_hook=_once), list[dict[str, object]](), 0
    while (start := _begin(text, at)) < len(text):
        try:
            value, at = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError) as error:
            # A string that nothing closes runs into the lines behind it: the row is at fault, not where that ends.
            place = getattr(error, "pos", start) if text[start] == "[" else start
            raise UnreadableError(f"line {_line(text, place)} is no JSON; write each row as one object") from None
        except UnreadableError as error:
            raise UnreadableError(f"line {_line(text, start)} {error}") from None
        except ValueError:  # Python reads no whole number of more than 4300 digits
            reason = "holds a number of thousands of digits; write it as a text"
            raise UnreadableError(f"line {_line(text, start)} {reason}") from None
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(row, dict) for row in found):
            reason = "holds no object; write each row as one, with the columns as its names"
            raise UnreadableError(f"line {_line(text, start)} {reason}")
        rows += found
    names = dict.fromkeys(chain.from_iterable(rows))
    if len(names) > delimited.WIDEST:
        few = f"{len(names):,} columns, and at most {delimited.WIDEST:,} are read"
        raise UnreadableError(f"its rows name {few}; give all rows the same few names")
    return {name: [row.get(name) for row in rows] for name in names}


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON; of two values under one name nobody can say which was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise UnreadableError(f"names '{printable(twice, 60)}' more than once in one object; keep one of them")
    return found


def _line(text: str, at: int) -> int:
    """The number of the line on which a position is."""
    return text.count("\n", 0, at) + 1


def _begin(text: str, at: int) -> int:
    """Where the next thing that is no space begins."""
    found = _SPACE.match(text, at)
    return found.end() if found else at


def read_saved(path: Path, role: str, name: str) -> Columns:
    """The columns of what ``save_to_disk`` saved: of the split of this role, where it has splits."""
    from datasets import Dataset, DatasetDict

    check_all(path, name, check_content)
    with readable(name):
        if saved(path) == "table":
            return columns_of(Dataset.load_from_disk(str(path)), name)
        splits = DatasetDict.load_from_disk(str(path))
        if role not in splits:
            names = ", ".join(map(printable, sorted(splits)))
            raise UnreadableError(
                f"the folder holds the splits {names}, and no '{role}'; name the folder of one of them"
            )
        return columns_of(splits[role], name)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn the many exceptions of parsers and downloads into one sentence."""
    import datasets

    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    # What they log on a broken file is said again, shorter, by the sentence raised here.
    datasets.logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    except AuditError:
        raise
    except Exception as error:
        if isinstance(error, UnreadableError):
            raise AuditError(f"{name}: cannot be read: {error}.") from None
        reason = _root(error)
        if isinstance(reason, UnicodeDecodeError):
            raise AuditError(
                f"{name}: not UTF-8 (byte {reason.start} cannot be decoded); save the file as UTF-8."
            ) from None
        if "corresponds to no data" in str(reason):
            raise AuditError(f"{name}: the data set has no rows.") from None
        if hub.is_unreachable(reason) or hub.is_unreachable(error):
            raise AuditError(
                f"{name}: no such file, and the Hugging Face Hub could not be reached for a data set of this name; "
                f"give a file, or run once with a network so that it is in the cache."
            ) from None
        said = f"{type(reason).__name__}: {quoted(reason)}"
        raise AuditError(f"{name}: cannot be read ({said}); write the data again, as CSV or Parquet.") from None
    finally:
        datasets.logging.set_verbosity_warning()
        if not bars:
            datasets.enable_progress_bars()


def _root(error: BaseException) -> BaseException:
    while error.__cause__ is not None or error.__context__ is not None:
        following = error.__cause__ or error.__context__
        assert following is not None
        error = following
    return error


def columns_of(dataset: Dataset, name: str) -> Columns:
    """The columns of a data set of ``datasets``; classes by their names."""
    columns: dict[str, Sequence[object]] = {}
    for column, feature in dataset.features.items():
        values = dataset[column][:]
        if type(feature).__name__ == "ClassLabel":
            values = [None if value is None or value < 0 else feature.int2str(value) for value in values]
        columns[column] = values
    return _checked(columns, name)


def _checked(columns: Columns, name: str) -> Columns:
    if not any(map(len, columns.values())):
        raise AuditError(f"{name}: the data set has no rows.")
    for column, cells in columns.items():
        for i, cell in enumerate(cells, 1):
            if isinstance(cell, str) and len(cell) > delimited.LONGEST:
                raise AuditError(
                    f"{name}: row {i} has {len(cell):,} characters in column '{printable(column)}', and at most "
                    f"{delimited.LONGEST:,} are read; shorten it."
                )
    return columns
