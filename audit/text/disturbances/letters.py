"""Disturbances within words: errors of hands and machines, and what a hostile writer does to hide a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from random import Random

from audit.text.characters import HOMOGLYPHS, INVISIBLE
from audit.text.disturbances.common import Edit, denies, share_of_words, words_of

TRIES = 20  # some errors make another word, or none; another one of the same word then does
_NEIGHBOURS = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij", "i": "uok", "o": "ipl",
    "p": "ol", "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv", "g": "fthb", "h": "gyjn", "j": "hukm",
    "k": "jil", "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
# What scanners confuse. Source of the classes: Rice, Jenkins and Nartker, "The fifth annual test of OCR accuracy",
# ISRI, University of Nevada 1996; confusions that a reader would take for another letter are left out.
_LOOKALIKES = {
    "m": ("rn",), "rn": ("m",), "l": ("1", "I"), "i": ("1", "l"), "o": ("0",), "e": ("c",), "d": ("cl",), "w": ("vv",),
    "s": ("5",), "g": ("9",), "h": ("li",), "S": ("5",), "B": ("8",), "O": ("0",), "I": ("l",),
}  # fmt: skip
_LOOKALIKE = re.compile("rn|[mlioedwsghSBOI]")
# 5 for s and 7 for t are left out: beside another digit ("l35s", "s73ve") nobody reads them at once.
_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "$"}
# Put into words: not the one that also marks the beginning of a file, but the left-to-right mark.
_UNSEEN = (*(character for character in INVISIBLE if character != "\ufeff"), "\u200e")
# Left-to-right embedding and isolate, each with its end: around Latin letters they change no order.
_AROUND = (("\u202a", "\u202c"), ("\u2066", "\u2069"))


def typos(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """Typing errors within words of at least four letters, never the first or last letter, never a denial."""
    return _errors(text, strength, rng, vocabulary, _mistype)


def ocr(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """One letter of a word, or a pair of them, taken for what looks alike."""
    return _errors(text, strength, rng, vocabulary, _misread)


def leetspeak(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """One or two letters of a word as digits or signs, never the first or last."""
    return _errors(text, strength, rng, vocabulary, _leet)


def _errors(
    text: str,
    strength: int,
    rng: Random,
    vocabulary: frozenset[str],
    err: Callable[[str, Random], str],
) -> Iterable[Edit]:
    """Errors of which a reader sees what was meant: none makes another word, and none touches a denial."""
    words = [match for match in words_of(4).finditer(text) if not denies(match.group())]
    rng.shuffle(words)

    def found() -> Iterator[Edit]:
        for match in words:
            for _ in range(TRIES):
                new = err(match.group(), rng)
                if new != match.group() and new.lower() not in vocabulary:
                    yield Edit(match.start(), match.end(), new)
                    break

    return share_of_words(text, strength, found())


def _mistype(word: str, rng: Random) -> str:
    i = rng.randrange(1, len(word) - 1)
    kind = rng.choice(("neighbour", "swap", "drop", "double"))
    if kind == "swap" and i + 1 < len(word) - 1:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == "drop":
        return word[:i] + word[i + 1 :]
    if kind == "double":
        return word[: i + 1] + word[i:]
    letter = rng.choice(_NEIGHBOURS[word[i].lower()])
    return word[:i] + (letter.upper() if word[i].isupper() else letter) + word[i + 1 :]


def _misread(word: str, rng: Random) -> str:
    places = list(_LOOKALIKE.finditer(word))
    if not places:
        return word
    place = rng.choice(places)
    return word[: place.start()] + rng.choice(_LOOKALIKES[place.group()]) + word[place.end() :]


def _leet(word: str, rng: Random) -> str:
    places = [i for i in range(1, len(word) - 1) if word[i].lower() in _LEET]
    letters = list(word)
    for i in rng.sample(places, min(len(places), 2)):
        letters[i] = rng.choice(_LEET[word[i].lower()])
    return "".join(letters)


def homoglyphs(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """One letter of a word as its Cyrillic twin."""
    return _unseen(text, strength, rng, lambda word: _twin(word, rng))


def invisible(text: str, strength: int, rng: Random, vocabulary: frozenset[str]) -> Iterable[Edit]:
    """An unseen character within a word, or a pair of them around it."""
    return _unseen(text, strength, rng, lambda word: _hide(word, rng))


def _unseen(text: str, strength: int, rng: Random, change: Callable[[str], str]) -> Iterable[Edit]:
    """Changes that no reader sees, so that no word is spared."""
    words = list(words_of(4, "A-Za-zÀ-ÖØ-öø-ɏ").finditer(text))
    rng.shuffle(words)
    edits = (Edit(match.start(), match.end(), change(match.group())) for match in words)
    return share_of_words(text, strength, (edit for edit in edits if edit.new != text[edit.start : edit.end]))


def _twin(word: str, rng: Random) -> str:
    places = [i for i, letter in enumerate(word) if letter in HOMOGLYPHS]
    if not places:
        return word
    i = rng.choice(places)
    return word[:i] + HOMOGLYPHS[word[i]] + word[i + 1 :]


def _hide(word: str, rng: Random) -> str:
    if rng.random() < 0.25:
        start, end = rng.choice(_AROUND)
        return start + word + end
    i = rng.randrange(1, len(word))
    return word[:i] + rng.choice(_UNSEEN) + word[i:]
