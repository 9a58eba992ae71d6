"""The card of a model, README.md in its folder, read without trusting it: what it tells, and under which heading.

It judges nothing; which headings matter, the probe knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from audit.core.sentences import Sentence
from audit.models.files import artifact

NAME = "README.md"
# Metadata between two lines of three hyphens, at the very beginning.
FRONT = re.compile(r"\A(\s*---[ \t]*\r?\n)(.*?)(^---[ \t]*(?:\r?\n|\Z))", re.DOTALL | re.MULTILINE)
# What `python -m audit card` writes is told by the audit, not by whoever answers for the model.
BEGIN, END = "<!-- pytest-model-audit: begin -->", "<!-- pytest-model-audit: end -->"
_LONGEST, _LONGEST_METADATA, _LONGEST_LINE = 1 << 20, 1 << 17, 1_000  # bytes, and twice characters
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)|<h([1-6])\b[^<>]*>([^<>]*).*")
_BOLD = re.compile(r"(\*\*|__)([^*_]{2,80})\1:?\s*")  # a line of its own, which many write for a heading
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_RULE = re.compile(r"[\s|:+=*_-]*")  # nothing but a line, below the head of a table for one
_LABEL = re.compile(r"[\s>*+|_-]*([^:|*]{2,60}?)(?::[*_]*|[*_]*:|\s*\|)(.*)")
_LINK = re.compile(r"(!?)\[([^\[\]]*)\]\([^()]*\)")
_MARKUP = re.compile(r"<[^<>]*>|[\[\]()*_`>|#.…!?:-]")
_PLACEHOLDER = re.compile(
    r"(?:more )?information (?:is )?needed|todo\b.*|to do|tb[acd]|n/?a|none|unknown|coming soon|placeholder|x{2,}"
    r"|to be (?:added|announced|completed|decided|defined|determined|done|filled in|written)"
    r"|not (?:applicable|available|known|provided|specified)|fill (?:me|this) in.*|lorem ipsum.*"
    r"|.*\bmodel card (?:has been|was) (?:automatically generated|generated automatically)\b.*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Part:
    """A line of the card that tells something.

    Parameters
    ----------
    headings : tuple of str
        Those above it, outermost first.
    label : str
        What stands before the colon, or in the first cell of a table's row; else empty.
    titled : bool
        Whether it stands before any heading, or directly under the first.
    """

    headings: tuple[str, ...]
    label: str = ""
    titled: bool = False


@dataclass(frozen=True)
class Card:
    """What a model's card holds.

    Parameters
    ----------
    parts : tuple of Part
        Empty where there is no card.
    metadata : mapping
        Of its beginning, as YAML has them; not trusted.
    notes : tuple of str
        What could not be read and why, as sentences.
    exists : bool
    """

    parts: tuple[Part, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    exists: bool = True


def read(folder: Path) -> Card:
    """The card in a model's folder; nothing in it is executed, and no link out of the folder is followed."""
    path = folder / NAME
    if not artifact.within(path, folder):
        note = Sentence(
            "{name} is a link that leads out of the model's folder, and was not followed.",
            name=NAME,
        )
        return Card(notes=(note,), exists=False)
    try:
        if not path.is_file():
            return Card(exists=False)
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        note = Sentence("{name} cannot be read ({reason}).", name=NAME, reason=str(error.strerror))
        return Card(notes=(note,), exists=False)
    return parse(content)


def parse(content: bytes) -> Card:
    """The card with this content; what is beyond a megabyte is not read."""
    notes: list[str] = []
    if len(content) > _LONGEST:
        notes.append(Sentence("The card is longer than a megabyte; what is behind that was not read."))
    text = content[:_LONGEST].decode("utf-8-sig", "replace").replace("\r\n", "\n")
    metadata: Mapping[str, object] = {}
    front = FRONT.match(text)
    if front:
        text = text[front.end() :]
        try:
            metadata = _metadata(front[2])
        except ValueError as error:
            reason = error.args[0] if error.args else ""
            notes.append(Sentence("The metadata at the card's beginning cannot be read: {reason}.", reason=reason))
    own, _, rest = text.partition(BEGIN)
    text = own + rest.partition(END)[2]
    return Card(tuple(dict.fromkeys(_parts(_COMMENT.sub("", text)))), metadata, tuple(notes))


def _metadata(block: str) -> Mapping[str, object]:
    import yaml

    class Plain(yaml.SafeLoader):
        """Without references, by which a few lines can stand for gigabytes."""

        def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                raise ValueError(Sentence("it refers from one place to another"))
            return super().compose_node(parent, index)

    if len(block) > _LONGEST_METADATA:
        raise ValueError(Sentence("they are too long"))
    try:
        found = yaml.load(block, Plain)  # noqa: S506  (a safe loader)
    except yaml.YAMLError:
        raise ValueError(Sentence("they are not valid YAML")) from None
    except RecursionError:
        raise ValueError(Sentence("they are nested too deeply")) from None
    if not isinstance(found, dict | None):
        raise ValueError(Sentence("they are no list of names and values"))
    return {str(key): value for key, value in (found or {}).items()}


def _parts(text: str) -> Iterator[Part]:
    """Each line that tells something, with the headings above it."""
    above: dict[int, str] = {}
    fence, headings = "", 0
    lines = [line[:_LONGEST_LINE] for line in text.split("\n")]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        bar = _FENCE.match(line)
        heading = None if fence or bar else _heading(line, following)
        if fence:
            fence = "" if bar and bar[1].startswith(fence) else fence
        elif bar:
            fence = bar[1]
        elif heading:
            level, said = heading
            above = {each: other for each, other in above.items() if each < level} | {level: said}
            headings += 1
        elif "|" not in line or not following.strip() or not _RULE.fullmatch(following):
            label, told = _told(line)
            if told:
                yield Part(tuple(above.values()), label, headings <= 1)


def _heading(line: str, following: str) -> tuple[int, str] | None:
    """Level and words of a heading; None if the line is none."""
    if found := _HEADING.fullmatch(line):
        return len(found[1] or "") or int(found[3]), found[2] or found[4] or ""
    if found := _BOLD.fullmatch(line):
        return 7, found[2]
    if line.strip() and _UNDERLINE.fullmatch(following):
        return 1 if "=" in following else 2, line
    return None


def _told(line: str) -> tuple[str, bool]:
    """The label of a line, if it has one, and whether anything is told behind it."""
    if line.strip() in _template():
        return "", False
    for _ in range(2):  # an image may be the text of a link
        line = _LINK.sub(lambda found: " " if found[1] else found[2], line)
    labelled = _LABEL.fullmatch(line)
    label, value = (labelled[1], labelled[2]) if labelled else ("", line)
    return label, is_told(value)


def is_told(value: str) -> bool:
    """Whether a text says anything, rather than that somebody should."""
    plain = " ".join(_MARKUP.sub(" ", value).split())
    return bool(re.search(r"\w", plain)) and not _PLACEHOLDER.fullmatch(plain)


@cache
def _template() -> frozenset[str]:
    """The lines of the Hub's own template for cards, which tell nothing of a model."""
    from huggingface_hub import ModelCard, ModelCardData

    return frozenset(map(str.strip, str(ModelCard.from_template(ModelCardData())).splitlines()))
