"""In which language a text is written, as far as its letters tell. No text is sent anywhere, no model is downloaded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Set
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# From so many bytes of letters on a text tells its language: 40 letters of Latin script, 20 of Cyrillic, 14 of Chinese.
ENOUGH = 40
# From this probability on a text is taken to be in some other language. Measured: benchmarks/probes/hygiene.py.
SURE = 0.99
# Characters that are looked at: more take longer and tell no more.
_READ = 240
# What is in no language.
_NO_LANGUAGE = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|[@#]\w+|<[^<>]*>|&#?\w+;|[\d_]+")
_LETTERS = re.compile(r"[^\W\d_]+")
# Written so much alike that the one is no mistake where the other is declared.
_ALIKE: tuple[frozenset[str], ...] = (
    frozenset({"bs", "hr", "sr"}),
    frozenset({"en", "pcm"}),  # Nigerian Pidgin
    frozenset({"id", "ms"}),
    frozenset({"no", "nb", "nn"}),
    frozenset({"zh", "wuu", "yue"}),
)
_NONE = "zxx"  # ISO 639-2: no linguistic content


def is_known(language: str) -> bool:
    """Whether texts of a language, by its ISO 639 code, can be told from others."""
    return not _alike(language).isdisjoint(_identifier().labels)


def is_foreign(text: str, language: str) -> bool:
    """Whether a text is surely in another language than this one; never where it is too short to tell.

    Notes
    -----
    Source: Lui and Baldwin, "langid.py: an off-the-shelf language identification tool", ACL 2012 system demonstrations,
    in the model of py3langid for 139 languages: naive Bayes over sequences of bytes, its probabilities tempered by the
    text's length.
    """
    prose = _prose(text)
    if not _is_enough(prose):
        return False
    own = _alike(language) | {_NONE}
    return bool(sum(probability for other, probability in _identifier().rank(prose) if other not in own) >= SURE)


def language_of(text: str, own: str) -> str | None:
    """The ISO 639 code of a text's language where that is surely known; one that is hardly told from `own` is `own`."""
    prose = _prose(text)
    if not _is_enough(prose):
        return None
    alike = _alike(own)
    chances: Counter[str] = Counter()
    for language, probability in _identifier().rank(prose):
        chances[own if language in alike else language] += probability
    chances.pop(_NONE, None)
    (language, probability), *_ = chances.most_common(1)
    return language if probability >= SURE else None


def is_long_enough(text: str) -> bool:
    """Whether there are letters enough in a text to tell its language."""
    return _is_enough(_prose(text))


def _prose(text: str) -> str:
    return _NO_LANGUAGE.sub(" ", text)[:_READ]


def _is_enough(prose: str) -> bool:
    return sum(len(word.encode("utf-8", "replace")) for word in _LETTERS.findall(prose)) >= ENOUGH


def _alike(language: str) -> Set[str]:
    return next((each for each in _ALIKE if language in each), frozenset({language}))


@cache
def _identifier() -> LanguageIdentifier:
    """Read when it is first asked: it takes seconds."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
