"""Disturbances between and around the words: capitals, spaces, punctuation, markup, and what stands at the end."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count
from random import Random

from audit.text.disturbances.common import SHARES, Edit, denies, rows, share_of_places, share_of_words

# These are another word with other capitals: "it made us laugh" is not about the US.
_OTHER_IN_CAPITALS = frozenset("us it who may march polish china turkey aids id am pm".split())
_CASED = re.compile(r"(?<![\w@#/<&\\.])[^\W\d_]+(?![\w@/>\\;]|\.\w|://)")
_GAP = re.compile(r"(?<=\S)(?<!<br) (?=\S)")
_JOINABLE = re.compile(r"(?<![\w'’])([^\W\d_]{3,}) (?=([^\W\d_]{3,})(?![\w'’]))")
# Emoji without sentiment.
PICTURES = "📅📎📏📐📁📌🧾🚌🚲🪑🚪📦🧮✈⌚🧷🪜🗂🖨🚏"
_MARKUP = (" <br />", " <br>", " <br/><br/>", "</p><p>", " <p>", " <span>", " </span>", " <div>", " </div>", "&nbsp;")
_COUNT = {1: 1, 2: 3, 3: 6}

_COMMA = re.compile(r"(?<=[A-Za-z])( ?), ?(?=[A-Za-z])")
_STOP = re.compile(r"(?<=[A-Za-z]{3}) ?\.(?: (?=[A-Z\"“])|$)")
_APOSTROPHE = re.compile(r"(?<=[A-Za-z])['’](?=[A-Za-z])")
_QUOTE = re.compile(r'"')
_DASH = re.compile(r" (?:--|-|–|—) |(?<=\w)(?:--|—)(?=\w)")
_COLON = re.compile(r"(?<=[A-Za-z])[;:](?= [A-Za-z])")

# A cut leaves at least this many whole sentences, with at least this many words that may carry an opinion.
SENTENCES_KEPT, TELLS_KEPT = 4, 5
_SENTENCE_END = re.compile(r"[A-Za-z]{2} ?[.!?]+[\"'”’)]*(?=\s|<br)")


def case(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Capitals at the head of words, throughout, or changed about with the small letters.

    Left as they are: words in capitals (US, FBI), small words that are others in capitals, and tags and addresses.
    """
    for match in _CASED.finditer(text):
        word = match.group()
        if (len(word) > 1 and word.isupper()) or word.lower() in _OTHER_IN_CAPITALS:
            continue
        new = (word[0].upper() + word[1:], word.upper(), word.swapcase())[strength - 1]
        if new.casefold() == word.casefold() and new != word:
            yield Edit(match.start(), match.end(), new)


def spaces(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """A space doubled, or missing between two words of which none is short or denies, and which make no other word."""
    gaps = [match.start() for match in _GAP.finditer(text)]
    # The word before each gap that may go, by its place: of two gaps around one word only one goes.
    joinable = {
        match.end() - 1: (match.start(1), match.start(2))
        for match in _JOINABLE.finditer(text)
        if not (denies(match.group(1)) or denies(match.group(2)))
        and (match.group(1) + match.group(2)).lower() not in vocabulary
    }
    rng.shuffle(gaps)
    joined: set[int] = set()

    def found() -> Iterator[Edit]:
        for gap in gaps:
            words = joinable.get(gap, ())
            if words and not joined.intersection(words) and rng.random() < 0.5:
                joined.update(words)
                yield Edit(gap, gap + 1, "")
            else:
                yield Edit(gap, gap + 1, "  ")

    return share_of_words(text, strength, found())


def punctuation(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Other commas, full stops, apostrophes, quotation marks and dashes.

    Question and exclamation marks, dots in a row, brackets and faces made of marks stay: they can carry irony. A comma
    after a denial stays as well ("no, thanks"), only its space is another.
    """
    edits = [*_commas(text, rng), *_stops(text, rng)]
    edits += [Edit(m.start(), m.end(), "’" if m.group() == "'" else "'") for m in _APOSTROPHE.finditer(text)]
    edits += [Edit(m.start(), m.end(), "“" if _opens(text, m.start()) else "”") for m in _QUOTE.finditer(text)]
    edits += [Edit(m.start(), m.end(), " — " if "—" not in m.group() else " - ") for m in _DASH.finditer(text)]
    edits += [Edit(m.start(), m.end(), f" {m.group()}") for m in _COLON.finditer(text)]
    rng.shuffle(edits)
    return share_of_places(strength, edits)


def _commas(text: str, rng: Random) -> Iterator[Edit]:
    for match in _COMMA.finditer(text):
        before = text[max(match.start() - 40, 0) : match.start()].lower().split()[-4:]
        denied = any(map(denies, before))
        ways = [" ,", ","] if match.group(1) else [" , ", ","]
        if match.group().endswith(" "):
            ways = [way for way in (", ", " , ", ",") if way != match.group()]
        yield Edit(match.start(), match.end(), rng.choice(ways if denied else [*ways, " "]))


def _stops(text: str, rng: Random) -> Iterator[Edit]:
    for match in _STOP.finditer(text):
        if match.end() == len(text):
            yield Edit(match.start(), match.end(), "")
        else:
            yield Edit(match.start(), match.end(), rng.choice([" . ", "."]))


def _opens(text: str, at: int) -> bool:
    return at == 0 or (not text[at - 1].isalnum() and text[at - 1] not in ".,!?")


def emoji(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Pictures of things, one after another at the end of the text."""
    pictures = rng.sample(PICTURES, max(_COUNT.values()))
    yield Edit(len(text), len(text), "".join(f" {picture}" for picture in pictures[: _COUNT[strength]]))


def html(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Tags and entities between words; none that would change how the text is shown, such as one that strikes out."""
    gaps = [match.start() for match in _GAP.finditer(text)]
    rng.shuffle(gaps)
    remains = (rng.choice(_MARKUP) for _ in count())
    edits = (
        Edit(gap, gap + 1, f"{mark} " if mark.startswith(" ") else mark)
        for gap, mark in zip(gaps, remains, strict=False)
    )
    return share_of_words(text, strength, edits)


def truncation(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """The end cut off, where at the greatest strength four whole sentences stay and nothing of the opinion goes.

    From the head of the sentence that the greatest strength cuts into, nothing may judge, deny, contrast, ask or
    exclaim. What is judged before that is not taken back, then.
    """
    words = list(re.finditer(r"\S+", text))
    longest = words[: -_cut_words(len(words), 3)]
    if not longest:
        return
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, longest[-1].end() + 1)]
    if len(ends) < SENTENCES_KEPT or _tells().search(text, ends[-1]):
        return
    if len(_tells().findall(text, 0, ends[-1])) < TELLS_KEPT:
        return
    end = words[-_cut_words(len(words), strength) - 1].end()
    yield Edit(end, len(text), "")


def _cut_words(words: int, strength: int) -> int:
    return max(strength, round(SHARES[strength] / 2 * words))


@cache
def _tells() -> re.Pattern[str]:
    """Beginnings of words, and marks, that may tell something of the opinion."""
    starts = "|".join(word for row in rows("opinions.txt") for word in row[0].split())
    return re.compile(rf"\b(?:{starts})|n['’]t\b|[!?%$*]|\d/|/\d|\.\.|[:;]-?[()]", re.IGNORECASE)


def appended(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Neutral sentences after the text, which is closed with a full stop if need be."""
    sentences = rng.sample([row[0] for row in rows("appended.txt")], max(_COUNT.values()))
    stop = "." if text[-1:].isalnum() else ""
    yield Edit(len(text), len(text), f"{stop} {' '.join(sentences[: _COUNT[strength]])}")
