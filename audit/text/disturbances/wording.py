"""Disturbances that exchange words for others of the same meaning, from lists that were read by a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from random import Random

from audit.text.disturbances.common import Edit, rows, share_of_places

_WORD = re.compile(r"(?<![\w@#/<&'’.-])[A-Za-z]+(?![\w@/>&-]|\.\w)")
# After these "'s" is surely "is": "it's gone" could be "it has gone", and "Anna's" is neither.
_IS = re.compile(
    r"\b(it|that|there|he|she|what|here|who) ?['’]s(?= (?:an?|the|not|so|very|too|just|all|really|quite|still|only|"
    r"about|like|also|hard|easy|as|in|on|at|my|his|her|their|our|this|that|these|pretty|simply|always|never|nothing|no)\b)",
    re.IGNORECASE,
)


def spelling(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """British spelling for American, and the other way round; words with a capital may be names and are left."""
    return _some(text, strength, rng, _exchanges(text, _spellings(), keep_case=False))


def abbreviations(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Words and phrases as they are abbreviated in messages."""
    return _some(text, strength, rng, _exchanges(text, _abbreviations(), keep_case=True))


def contractions(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Short forms written out and full forms contracted; a denial stays one."""
    pattern, forms = _contractions()
    candidates = [Edit(m.start(), m.end(), _like(forms[_plain(m.group())], m.group())) for m in pattern.finditer(text)]
    candidates += [Edit(m.start(), m.end(), f"{m.group(1)} is") for m in _IS.finditer(text)]
    return _some(text, strength, rng, candidates)


def _some(text: str, strength: int, rng: Random, candidates: Iterable[Edit]) -> Iterable[Edit]:
    edits = list(candidates)
    rng.shuffle(edits)
    return share_of_places(strength, edits)


def _exchanges(text: str, lists: Mapping[str, list[tuple[str, str]]], *, keep_case: bool) -> Iterator[Edit]:
    """What the list says instead of each word or phrase, found by its first word."""
    end, small = 0, text.lower() if keep_case else text
    for match in _WORD.finditer(text):
        start = match.start()
        for long, other in lists.get(match.group().lower() if keep_case else match.group(), ()):
            stop = start + len(long)
            if start >= end and small.startswith(long, start) and not small[stop : stop + 1].isalnum():
                end = stop
                yield Edit(start, stop, _like(other, text[start:stop]))
                break


def _like(new: str, old: str) -> str:
    """With capitals where the old one had them; "I" has one by itself."""
    if len(old) > 2 and old.isupper():
        return new.upper()
    return new[0].upper() + new[1:] if old[0].isupper() and old[1:2].islower() else new


@cache
def _spellings() -> dict[str, list[tuple[str, str]]]:
    pairs = [pair for british, american in rows("spelling.txt") for pair in ((british, american), (american, british))]
    return {word: [(word, other)] for word, other in pairs}


@cache
def _abbreviations() -> dict[str, list[tuple[str, str]]]:
    lists: dict[str, list[tuple[str, str]]] = {}
    for long, short in sorted(rows("abbreviations.txt"), key=lambda row: -len(row[0])):
        lists.setdefault(long.split()[0], []).append((long, short))
    return lists


@cache
def _contractions() -> tuple[re.Pattern[str], dict[str, str]]:
    """Pattern of all forms, and what each becomes; the list's first column is the full form."""
    forms: dict[str, str] = {}
    for full, short in rows("contractions.txt"):
        forms[full.lower()] = short
        forms[_plain(short)] = full
    longest = "|".join(
        # The treebanks' tokenizer sets "does n't" and "i 'm"; typographic apostrophes are as good as straight ones.
        re.escape(form).replace("n't", " ?n['’]t").replace("'", " ?['’]", "n't" not in form)
        for form in sorted(forms, key=len, reverse=True)
    )
    # Only before another word ("yes, it is." has no short form), and neither in "isn't it?" nor in "if you will a".
    after = r"(?= (?!(?:i|you|he|she|it|we|they|there|this|that|an?|the)\b)[a-z])"
    return re.compile(rf"(?<![\w'’])(?:{longest})(?![\w'’]){after}", re.IGNORECASE), forms


def _plain(form: str) -> str:
    return re.sub(r" ?(n?)['’]", r"\1'", form.lower())
