"""Fifteen ways to disturb a text so that a reader still reads the same opinion.

What they do to a model is measured by `audit.probes.security.perturbation`. One row here is one kind. `letters`
disturbs letters within words, `wording` exchanges words for others that mean the same, `layout` changes what stands
between and around the words. The word lists are text files beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from audit.core.sentences import Sentence
from audit.text.disturbances import layout, letters, wording
from audit.text.disturbances.common import Edit, apply
from audit.text.lists import seeded

STRENGTHS = (1, 2, 3)


@dataclass(frozen=True)
class Kind:
    """One way to disturb a text.

    Parameters
    ----------
    how : str
        What is done, as it completes "The same texts with …".
    levels : tuple of str
        What each strength means, in words.
    edits : callable
        From a text, a strength, a generator of random numbers and the words that must not come out to the changes.
        The changes of a strength are among those of the next one, wherever the kind allows it.
    needs : str
        What a text needs to be changed.
    english : bool
        Whether it is written for English texts only.
    """

    how: str
    levels: tuple[str, str, str]
    edits: Callable[[str, int, Random, frozenset[str]], Iterable[Edit]]
    needs: str
    english: bool = True


_IN_WORDS = (
    Sentence("in 5 % of the words, at least one"),
    Sentence("in 10 % of the words"),
    Sentence("in 20 % of the words"),
)
_OF_PLACES = (Sentence("one place in a text"), Sentence("half of the places"), Sentence("all places"))

KINDS: dict[str, Kind] = {
    "typos": Kind(
        Sentence("typing errors (a neighbouring key, two letters swapped, one dropped or doubled)"),
        _IN_WORDS,
        letters.typos,
        Sentence("words of four letters or more"),
    ),
    "ocr": Kind(
        Sentence("letters that a scanner mistakes for one that looks alike (rn for m, 1 for l, 0 for o)"),
        _IN_WORDS,
        letters.ocr,
        Sentence("words of four letters or more"),
    ),
    "leetspeak": Kind(
        Sentence("digits and signs in place of letters (am4z1ng), one or two in a word"),
        _IN_WORDS,
        letters.leetspeak,
        Sentence("words of four letters or more"),
    ),
    "homoglyphs": Kind(
        Sentence("a Latin letter exchanged for a Cyrillic one that looks the same"),
        _IN_WORDS,
        letters.homoglyphs,
        Sentence("words of four Latin letters or more"),
        english=False,
    ),
    "invisible": Kind(
        Sentence("a character that nobody sees put into words (zero-width, soft hyphen, marks of writing direction)"),
        _IN_WORDS,
        letters.invisible,
        Sentence("words of four Latin letters or more"),
        english=False,
    ),
    "spelling": Kind(
        Sentence("British spelling made American, and American made British"),
        _OF_PLACES,
        wording.spelling,
        Sentence("words that are spelled in two ways"),
    ),
    "contractions": Kind(
        Sentence("short forms written out (isn't, is not), and others contracted"),
        _OF_PLACES,
        wording.contractions,
        Sentence("words that are contracted or could be"),
    ),
    "abbreviations": Kind(
        Sentence("words abbreviated as in messages (ppl, pls, w/)"),
        _OF_PLACES,
        wording.abbreviations,
        Sentence("words that are often abbreviated"),
    ),
    "case": Kind(
        Sentence("other capitals"),
        (
            Sentence("a capital at the head of each word"),
            Sentence("capitals throughout"),
            Sentence("capitals and small letters changed about"),
        ),
        layout.case,
        Sentence("letters that have capitals"),
        english=False,
    ),
    "spaces": Kind(
        Sentence("spaces missing or doubled"),
        (
            Sentence("at 5 % of the words, at least one"),
            Sentence("at 10 % of the words"),
            Sentence("at 20 % of the words"),
        ),
        layout.spaces,
        Sentence("spaces between words"),
        english=False,
    ),
    "punctuation": Kind(
        Sentence(
            "commas and full stops dropped or set with other spaces, other quotation marks, apostrophes and dashes"
        ),
        _OF_PLACES,
        layout.punctuation,
        Sentence("commas, full stops, apostrophes or dashes that can be set in another way"),
    ),
    "emoji": Kind(
        Sentence("pictures of things that say nothing of the opinion (a calendar, an aeroplane)"),
        (Sentence("one picture"), Sentence("three pictures"), Sentence("six pictures")),
        layout.emoji,
        Sentence("nothing"),
        english=False,
    ),
    "html": Kind(
        Sentence("remains of web pages (<br />, &nbsp;)"),
        (
            Sentence("at 5 % of the words, at least one"),
            Sentence("at 10 % of the words"),
            Sentence("at 20 % of the words"),
        ),
        layout.html,
        Sentence("spaces between words"),
        english=False,
    ),
    "truncation": Kind(
        Sentence("the end cut off, where nothing there judges, denies or contrasts"),
        (
            Sentence("the last 2.5 % of the words, at least one"),
            Sentence("5 %, at least two"),
            Sentence("10 %, at least three"),
        ),
        layout.truncation,
        Sentence("an end that holds no opinion, behind four or more sentences that hold one"),
    ),
    "appended": Kind(
        Sentence("sentences added at the end that say nothing of the opinion"),
        (Sentence("one sentence"), Sentence("three sentences"), Sentence("six sentences")),
        layout.appended,
        Sentence("nothing"),
    ),
}


def disturb(text: str, kind: str, strength: int, *, seed: int = 0, vocabulary: frozenset[str] = frozenset()) -> str:
    """The text as a careless or hostile writer might have sent it; unchanged where the kind finds nothing to change.

    Parameters
    ----------
    text : str
    kind : str
        One of `KINDS`.
    strength : {1, 2, 3}
    seed : int
        The same seed, kind, strength and text give the same result.
    vocabulary : frozenset of str
        Lower-case words that no error may make of another word.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind '{kind}'; there are {', '.join(KINDS)}")
    # The strength is no part of the seed: a stronger disturbance adds to the weaker one.
    return apply(text, KINDS[kind].edits(text, strength, seeded(seed, kind, text), vocabulary))
