"""What runs code when somebody unpickles it: found by content, in files and in archives within them; never unpickled.

A pickle is a program. What it calls is read off its instructions by picklescan, which holds the names against a list of
dangerous ones. Such a list is never complete, so that it names nothing is no evidence; every pickle counts.
"""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
import pickletools
import re
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, Protocol, cast

from audit.core.sentences import Sentence, joined, listed
from audit.text.redaction import printable

# Names that tools unpickle without looking at the content.
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill")
# How far an archive is followed, so that none can keep the audit busy for ever: archives within archives, entries of
# one, bytes read or unpacked in all, calls to read (an instruction of a pickle takes one or two), findings.
DEEPEST, ENTRIES, BYTES, READS, MOST = 4, 20_000, 1 << 28, 3_000_000, 50
_DIRECTORY = 1 << 25  # bytes of a zip's table of contents, which is held in memory
_STREAM = 1 << 26  # bytes of a single pickle
_CLOSED = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x04\x22\x4d\x18": "LZ4",
    b"MSCF": "cabinet",
}


class _Stream(Protocol):
    """What is read by the block, as archives' members and unpacked files are."""

    def read1(self, size: int, /) -> bytes: ...


_COMPRESSED: dict[bytes, Callable[[IO[bytes]], _Stream]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
    b"]\0\0": lzma.LZMAFile,
    **dict.fromkeys((b"x\x01", b"x\x5e", b"x\x9c", b"x\xda"), lambda file: _Inflated(file)),
}
_NUMPY = b"\x93NUMPY"
_IMPORTS = ("GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4")
_CALLS = ("INST", "REDUCE", "BUILD", "OBJ", "NEWOBJ", "NEWOBJ_EX")


class Found(NamedTuple):
    """Something in a file that cannot be loaded safely, or not be looked into.

    Parameters
    ----------
    inside : str
        Path within the archive; empty where it is the file itself. Untrusted.
    problem : str
        In words.
    dangerous : tuple of str
        What a pickle asks for that the scanner calls dangerous. Untrusted.
    scanned : bool
        Whether it is a pickle that the scanner has seen to its end, or to where other data follow.
    """

    inside: str
    problem: str
    dangerous: tuple[str, ...] = ()
    scanned: bool = False


@dataclass
class _Budget:
    """What may still be spent on a file."""

    bytes: int
    reads: int
    entries: int


def find(path: Path) -> list[Found]:
    """All that a file holds of it, archives within archives included; empty where there is none.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    found = []
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes in what only looks like a pickle
        for each in _find(file, "", 0, budget := _Budget(BYTES, READS, ENTRIES)):
            found.append(each)
            if len(found) == MOST:
                return [
                    *found,
                    Found("", Sentence("more than {most} such things; the rest was not looked into", most=MOST)),
                ]
    if min(budget.bytes, budget.reads, budget.entries) <= 0:
        found.append(Found("", Sentence("an archive or pickle too large to be looked into whole")))
    return found


def _find(file: IO[bytes], inside: str, depth: int, budget: _Budget) -> Iterator[Found]:
    """What a seekable stream holds; it may be several things at once, so nothing is ruled out by what it is."""
    head = file.read(512)
    if _is_pickle(file, budget):
        yield _scanned(file, inside, budget)
    if head.startswith(_NUMPY):
        yield from _find_in_numpy(file, inside, budget)
    if name := next((name for magic, name in _CLOSED.items() if head.startswith(magic)), None):
        yield Found(inside, Sentence("a compressed file ({name}) that this audit cannot look into", name=name))
    opener = next((opener for magic, opener in _COMPRESSED.items() if head.startswith(magic)), None)
    # Members of an archive are no files: to look for a second archive at their end they would have to be unpacked.
    is_zip = head.startswith(b"PK\x03\x04") or (depth == 0 and zipfile.is_zipfile(file))
    is_tar = head[257:262] == b"ustar" or (depth == 0 and _is_tar(file))
    if not (opener or is_zip or is_tar):
        return
    if depth == DEEPEST:
        yield Found(inside, Sentence("an archive nested too deeply to be looked into"))
        return
    with tempfile.SpooledTemporaryFile(max_size=1 << 22) as spool:
        if opener is not None:
            file.seek(0)
            if _unpack(opener(file), spool, budget):
                yield from _find(spool, inside, depth + 1, budget)
        elif depth:
            file.seek(0)
            _unpack(cast("_Stream", file), spool, budget)  # below the first level it is a member of an archive
            file = spool
        if is_zip:
            yield from _find_in_zip(file, inside, depth, budget)
        if is_tar:
            yield from _find_in_tar(file, inside, depth, budget)


def _unpack(source: _Stream, into: IO[bytes], budget: _Budget) -> bool:
    """Copy what can be read, no more than is allowed; a damaged end does not hide what stands before it."""
    try:
        while budget.bytes > 0 and (block := source.read1(1 << 20)):
            budget.bytes -= len(block)
            into.write(block)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, NotImplementedError):
        pass
    into.seek(0)
    return bool(into.read(1)) and into.seek(0) == 0


class _Inflated:
    """A zlib stream as a file, as joblib writes it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.inflate = file, zlib.decompressobj()

    def read1(self, size: int) -> bytes:
        while not self.inflate.eof:
            packed = self.inflate.unconsumed_tail or self.file.read(1 << 16)
            block = self.inflate.decompress(packed, size)
            if block or not packed:
                return block
        return b""


def _is_tar(file: IO[bytes]) -> bool:
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:"):
            return True
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return False


def _find_in_zip(file: IO[bytes], inside: str, depth: int, budget: _Budget) -> Iterator[Found]:
    # It reads what Python's own reader refuses (a false checksum or name), since loaders read it too.
    from picklescan.relaxed_zipfile import RelaxedZipFile

    file.seek(0)
    try:
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end is None or end[zipfile._ECD_SIZE] > _DIRECTORY:  # type: ignore[attr-defined]
            raise zipfile.BadZipFile
        archive = RelaxedZipFile(file)
    except Exception:
        if not _head(file, 4).startswith(b"PK\x03\x04"):
            return  # the letters of a zip stood there by chance
        yield Found(inside, Sentence("an archive (zip) that cannot be looked into"))
        return
    for entry in archive.infolist():
        name = _join(inside, entry.filename)
        if budget.entries <= 0 or entry.is_dir():
            continue
        budget.entries -= 1
        if entry.flag_bits & 1:
            yield Found(name, Sentence("an encrypted part of an archive, which this audit cannot look into"))
        yield from _entry(lambda entry=entry: archive.open(entry), entry.filename, name, depth, budget)  # type: ignore[misc]


def _find_in_tar(file: IO[bytes], inside: str, depth: int, budget: _Budget) -> Iterator[Found]:
    file.seek(0)
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while budget.entries > 0 and (entry := archive.next()) is not None:
                budget.entries -= 1
                archive.members = []  # type: ignore[attr-defined]  # a list of all entries is not needed, and could be a long one
                name = _join(inside, entry.name)
                if entry.issym() or entry.islnk():
                    yield Found(name, Sentence("a link in an archive"))
                elif entry.isfile():
                    yield from _entry(lambda entry=entry: archive.extractfile(entry), entry.name, name, depth, budget)  # type: ignore[misc]
    except Exception:
        yield Found(inside, Sentence("an archive (tar) of which a part cannot be read"))


def _entry(
    opened: Callable[[], IO[bytes] | None], path: str, name: str, depth: int, budget: _Budget
) -> Iterator[Found]:
    if leads_out(path):
        yield Found(name, Sentence("an archive that writes outside its own folder when it is unpacked"))
    try:
        if (member := opened()) is not None:
            with member:
                yield from _find(member, name, depth + 1, budget)
    except Exception:
        yield Found(name, Sentence("a part of an archive that cannot be read"))


def leads_out(path: str) -> bool:
    """Whether a path, read on any system, could leave the folder that it is relative to."""
    parts = PurePosixPath(path.replace("\\", "/"))
    return parts.is_absolute() or ".." in parts.parts or bool(re.match(r"[A-Za-z]:", path))


def _join(inside: str, name: str) -> str:
    return f"{inside} → {name}" if inside else name


class _Limited:
    """A stream that ends early where it is too long, so that no pickle can fill the memory."""

    def __init__(self, file: IO[bytes], budget: _Budget) -> None:
        self.file, self.budget, self.left, self.cut = file, budget, _STREAM, False

    def read(self, size: int) -> bytes:
        return self._limited(self.file.read, size)

    def readline(self) -> bytes:
        return self._limited(self.file.readline, _STREAM + 1)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()

    def _limited(self, read: Callable[[int], bytes], size: int) -> bytes:
        most = max(0, min(self.left, self.budget.bytes)) if self.budget.reads > 0 else 0
        block = read(min(size, most))
        self.cut |= size > most == len(block)
        self.left -= len(block)
        self.budget.bytes -= len(block)
        self.budget.reads -= 1
        return block


def _is_pickle(file: IO[bytes], budget: _Budget) -> bool:
    """Whether unpickling the stream would call something, or the stream says of itself that it is a pickle.

    The instructions are followed with the height of the stack that they need, so that a text which happens to begin
    with their letters is not taken for one.
    """
    says_so = re.match(rb"\x80[\x02-\x05]", _head(file, 2)) is not None
    file.seek(0)
    stream, imported = _Limited(file, budget), False
    stack: list[bool] = []
    try:
        for operation, argument, _ in pickletools.genops(stream):  # type: ignore[arg-type]
            if not _applies(operation, stack):
                return False
            if operation.name in ("GLOBAL", "INST") and not re.fullmatch(r"\S+ \S+", str(argument)):
                return False
            imported |= operation.name in _IMPORTS
            if imported and operation.name in _CALLS:
                return True
    except Exception:
        return says_so and stream.cut
    return says_so or imported


def _applies(operation: pickletools.OpcodeInfo, stack: list[bool]) -> bool:
    """Move the stack as an instruction would; marks are True. False where it has not enough to work on."""
    needs = operation.stack_before
    if pickletools.markobject in needs:
        if True not in stack:
            return False
        del stack[len(stack) - 1 - stack[::-1].index(True) :]
        needs = needs[: needs.index(pickletools.markobject)]
    if len(stack) < len(needs):
        return False
    del stack[len(stack) - len(needs) :]
    stack.extend(item is pickletools.markobject for item in operation.stack_after)
    return True


def _scanned(file: IO[bytes], inside: str, budget: _Budget, start: int = 0) -> Found:
    """What the scanner says of a pickle."""
    from picklescan.scanner import SafetyLevel, scan_pickle_bytes

    logging.getLogger("picklescan").setLevel(logging.CRITICAL)  # what it finds is told below
    file.seek(start)
    stream = _Limited(file, budget)
    try:
        result = scan_pickle_bytes(stream, "")
    except Exception:  # it was written for pickles, not for everything that pretends to be one
        return Found(inside, Sentence("can run code when loaded; the scanner broke off at it"))
    dangerous, unknown = (
        sorted({printable(f"{g.module}.{g.name}", 60) for g in result.globals if g.safety == level})
        for level in (SafetyLevel.Dangerous, SafetyLevel.Suspicious)
    )
    if dangerous:
        clauses = [Sentence("can run code when loaded; the scanner names: {names}", names=_list(dangerous))]
    else:
        clauses = [Sentence("can run code when loaded; the scanner names nothing, which proves nothing")]
    if unknown and dangerous:
        clauses.append(Sentence("it also asks for: {names}", names=_list(unknown)))
    elif unknown:
        clauses.append(Sentence("it asks for: {names}", names=_list(unknown)))
    if stream.cut or result.scan_err:
        clauses.append(Sentence("only a part of it could be read"))
    return Found(inside, joined(clauses, "; "), tuple(dangerous), not stream.cut)


def _list(names: list[str]) -> str:
    first = listed(names[:3])
    return Sentence("{names} and {rest} more", names=first, rest=len(names) - 3) if len(names) > 3 else first


def _find_in_numpy(file: IO[bytes], inside: str, budget: _Budget) -> Iterator[Found]:
    from numpy.lib import format as npy

    file.seek(0)
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        _, _, dtype = read(file)
    except Exception:
        yield Found(inside, Sentence("a NumPy array whose description cannot be read"))
        return
    if dtype.hasobject:
        yield _scanned(file, inside, budget, file.tell())


def _head(file: IO[bytes], size: int) -> bytes:
    file.seek(0)
    return file.read(size)
