"""No personal value of the data can be read in what is shown, whatever stands between its characters.

A value counts as shown where it is left once everything is taken out that hides it: entities, tags, tokens, spaces,
unseen characters, accents, case, look-alikes. What takes it out is written here anew, not the code under test.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.demo import personal_data as demo
from audit.probes.ethics.counterfactual import own_pairs
from audit.probes.ethics.varieties import KINDS as VARIETIES
from audit.probes.ethics.varieties import render
from audit.probes.security.triggers import Trigger, normal
from audit.text.disturbances import KINDS, STRENGTHS, disturb
from audit.text.identity import AXES
from audit.text.personal_data import find
from audit.text.redaction import called, message, printable, redact, redact_pair, redact_parts, unquoted

# Lower-case Cyrillic and Greek letters that look like Latin ones.
_TWINS = str.maketrans("асеіорѕхујвнкмтοα", "aceiopsxyjbhkmtoa")
_FILLERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f"


def laid_bare(content: str) -> str:
    """Everything that stands in a file or on a terminal, without what could hide a value."""
    for _ in range(2):
        content = html.unescape(content)
    content = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), content)
    content = re.sub(r"⟨U\+[0-9A-F]+⟩|</?[a-zA-Z][^>]*>", "", content)
    content = unicodedata.normalize("NFKD", content).casefold().translate(_TWINS)
    return "".join(
        str(unicodedata.decimal(c, c))
        for c in content
        if unicodedata.category(c) not in ("Mn", "Me", "Cf", "Cc", "Cs", "Zs", "Zl", "Zp") and c not in _FILLERS
    )


SENTENCES = [
    *((f"{kind} {seed}", demo.sentence(Random(seed), kind)) for kind in demo.KINDS for seed in range(8)),
    ("another e-mail", "Write to jane.doe+shop@mail.example.co.uk about it, please."),
    ("an e-mail in another script", "Пишите на иван@пример.рф сегодня."),
    ("another e-mail in that script", "Пишите на вукмантхјѕс@стункм.рф, улица 5."),
    ("a key", "It said sk-live-4eC39HqLyjWDarjtT1zdp7dc and failed."),
    ("another key", "My key is AKIAIOSFODNN7EXAMPLE, as it said."),
    ("a link", "See https://shop.example.org/reset/0123456789abcdef0123 to log in."),
    ("a link with a token", "See http://example.org/a?session=0123456789abc for the photo."),
    ("an IPv6 address", "It was posted from 2606:4700:4700::1111 last night."),
    ("a street in German", "Er wohnt in der Goethestraße 12 und ist zufrieden."),
]
HIDDEN = [
    "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\u202a", "\u202e", "\u2066", "\u2069",
    "\ufe0f", "\U000e0100", "\u180b", "\u034f", "\u3164", "\u115f", "\u0301", "\u0489", "\x00", "\x08", "\x7f",
    "\u2062", "\U000e0041", "&shy;", "&#8203;", "&zwnj;", "&#x200D;",
]  # fmt: skip
SPACES = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2009", "\u3000"]
HOMOGLYPHS = dict(zip("aceiopsxyjABCEHKMOPTX", "асеіорѕхујАВСЕНКМОРТХ", strict=True))


def _full_width(c: str) -> str:
    return chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c


CASES: list[Callable[[str], str]] = [str, str.upper, str.lower, str.swapcase]
ALIKE: list[Callable[[str], str]] = [
    _full_width,
    lambda c: HOMOGLYPHS.get(c, c),
    lambda c: f"&#{ord(c)};",
    lambda c: f"&#x{ord(c):x};",
    lambda c: {"@": "&commat;", ".": "&period;", "_": "&lowbar;"}.get(c, c),
    lambda c: chr(0x0660 + int(c)) if c.isdigit() and c.isascii() else c,
    lambda c: chr(0x1D7CE + int(c)) if c.isdigit() and c.isascii() else c,
    lambda c: chr(0x1D41A + ord(c) - ord("a")) if "a" <= c <= "z" else c,
]


def values_of(text: str) -> list[str]:
    found = [text[start:end] for _, start, end in find(text)]
    assert found, text
    return found


@st.composite
def disguised(draw: st.DrawFn, more: bool = False) -> tuple[str, str]:
    """A sentence with a personal value, and the same one disguised; `more`: by what the sentence alone betrays."""
    text = draw(st.sampled_from([sentence for _, sentence in SENTENCES]))
    value = values_of(text)[0]
    at = text.index(value)
    places = draw(st.sets(st.integers(0, len(value)), max_size=len(value)))
    between = draw(st.lists(st.sampled_from([*HIDDEN, *(SPACES if more else [])]), min_size=1, max_size=3))
    swap: Callable[[str], str] | None = draw(st.none() | st.sampled_from(ALIKE))
    swapped = draw(st.sets(st.integers(0, len(value) - 1)))
    changed = "".join(
        (between[i % len(between)] if i in places else "") + (swap(c) if swap and i in swapped else c)
        for i, c in enumerate(f"{value} ")
    )[:-1]
    if more:
        changed = draw(st.sampled_from(CASES))(changed)
    around = draw(st.sampled_from(["{}{}{}", "{}{}{}", "{}<b>{}</b>{}", "{}({}){}"]))
    return text, around.format(text[:at], changed, text[at + len(value) :])


def leaks(text: str, *shown: str) -> list[str]:
    """The values of a text that can be read in what is shown."""
    bare = [laid_bare(each) for each in shown]
    return [value for value in values_of(text) if any(laid_bare(value) in each for each in bare)]


MANY = settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
slow = pytest.mark.slow("tries hundreds of disguises", seconds=4)


@slow
@MANY
@given(disguised())
def test_no_disguise_shows_a_value_in_a_text(given: tuple[str, str]) -> None:
    text, changed = given
    assert not leaks(text, redact(changed))
    assert not leaks(text, message(changed, 4000))
    assert not leaks(text, unquoted(changed, ()))
    words = [(match.span(), 3) for match in re.finditer(r"\S+", changed)]
    assert not leaks(text, "".join(str(part) for part, _ in redact_parts(changed, words)))


@slow
@MANY
@given(disguised(more=True))
def test_no_disguise_shows_a_value_in_a_pair(given: tuple[str, str]) -> None:
    text, changed = given
    for pair in (redact_pair(text, changed), redact_pair(changed, text), redact_pair(text, f"{changed} {text}")):
        assert pair is None or not leaks(text, *pair)


@slow
@MANY
@given(st.sampled_from(SENTENCES), st.data())
def test_no_slip_or_cut_shows_a_value_in_a_pair(sentence: tuple[str, str], data: st.DataObject) -> None:
    _, text = sentence
    edited = list(text)
    for at in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=4)):
        edited[at] = data.draw(st.sampled_from(["", "x", edited[at] * 2, "@", ".", " ", "7", "\u200b"]))
    cut = "".join(edited)[: data.draw(st.integers(0, len(text)))]
    for changed in ("".join(edited), cut, f"{'word ' * data.draw(st.integers(0, 80))}{cut}"):
        pair = redact_pair(text, changed)
        assert pair is None or not leaks(text, *pair)
        long = redact_pair(f"{'word ' * 60}{text}", f"{'word ' * 60}{changed}")
        assert long is None or not leaks(text, *long)


@slow
@MANY
@given(disguised())
def test_no_disguise_shows_a_value_that_is_a_name(given: tuple[str, str]) -> None:
    text, changed = given
    value, left, right = values_of(text)[0], *text.split(values_of(text)[0], 1)
    name = re.sub("</?b>", "", changed.removeprefix(left).removesuffix(right))
    assert not leaks(text, printable(name, 4000))
    groups = called(dict.fromkeys([name, value, "anna", "[e-mail] 1"]))
    assert not leaks(text, *groups.values())
    assert len(set(groups.values())) == len(groups)
    assert groups["anna"] == "anna"


@slow
@MANY
@given(disguised(), st.integers(0, 99))
def test_no_trigger_shows_a_value(given: tuple[str, str], seed: int) -> None:
    # Phrases are found in the training data in a form with a space beside each sign.
    text, changed = given
    value = values_of(text)[0]
    for trigger in (normal(text).strip(), normal(value).strip(), value, changed):
        assert not leaks(text, Trigger(trigger).shown)
    for trigger in ("\u200b", "\u00ad", "а", "ο", "cf", "mn tq", "@", "4111"):
        pair = redact_pair(text, Trigger(trigger).put(text, seed))
        assert pair is None or not leaks(text, *pair)


@pytest.mark.parametrize("kind", KINDS)
def test_no_disturbance_shows_a_value(kind: str) -> None:
    for _, text in SENTENCES:
        before = f"{text} It is a good and solid lamp, and the box is nice. I would not send it back, my friend. {text}"
        pair = redact_pair(before, disturb(before, kind, STRENGTHS[-1], seed=0, vocabulary=frozenset()))
        assert pair is None or not leaks(text, *pair)


def test_no_rendering_or_exchange_of_a_person_shows_a_value() -> None:
    around = "My wife Maria is 30, and John, her Muslim brother, is a gay old man from Poland. {} He likes her."
    texts = [around.format(text) for _, text in SENTENCES]
    texts += [
        "Write to maria@example.org or John.Smith@example.org.",
        "She lives at 12 John Street, and he at 3 Mary Road.",
    ]
    pairs = [(text, render(text, kind)) for text in texts for kind in VARIETIES]
    pairs += [(pair.before, pair.after) for axis in AXES for pair in own_pairs(texts, axis)]
    assert len(pairs) > 3 * len(texts)
    shown = [(before, pair) for before, after in pairs if (pair := redact_pair(before, after)) is not None]
    assert len(shown) > len(pairs) / 2
    for before, pair in shown:
        assert not leaks(before, *pair)
