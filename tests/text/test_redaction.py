"""What looks like personal data is masked before a text is shown, and nothing else is."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

import audit
from audit.core.evidence import Pair
from audit.demo import personal_data
from audit.text.redaction import (
    LEFT_OUT,
    LONGEST,
    called,
    message,
    printable,
    redact,
    redact_pair,
    redact_parts,
    shown_pairs,
    unquoted,
    withholding,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to ann.lee+shop@mail.example.co.uk now", "Write to [e-mail] now"),
        ("see https://example.org/u/ann?x=1 there", "see [link] there"),
        ("see www.example.org there", "see [link] there"),
        ("thanks @ann_lee!", "thanks [handle]!"),
        ("call +49 (0)30 23125-123 today", "call [number] today"),
        ("call (212) 555-0134 today", "call [number] today"),
        ("card 4111 1111 1111 1111 was charged", "card [number] was charged"),
        ("from DE89 3704 0044 0532 0130 00 please", "from [account] please"),
        ("from GB82WEST12345698765432 please", "from [account] please"),
        ("posted from 192.0.2.17 today", "posted from [address] today"),
        ("sent to 12 Baker Street in May", "sent to [address] in May"),
    ],
)
def test_personal_data_is_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "A film from 1994 with 12 actors, 8.5 of 10 stars.",
        "It cost 1,299 dollars @ the shop and 50 % less in May.",
        "Great, GREAT film – really!",
        "",
    ],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("kind", personal_data.KINDS)
def test_whatever_the_demo_plants_is_masked(kind: str) -> None:
    # Every kind of the demo holds a run of digits, an address sign or a street number: none may be left to read.
    rng = Random(0)
    for _ in range(200):
        sentence = personal_data.sentence(rng, kind)
        shown = redact(sentence)
        assert shown != sentence
        assert "@" not in shown, (sentence, shown)
        assert sum(character.isdigit() for character in shown) <= 2, (sentence, shown)


def test_long_texts_are_cut_after_they_are_masked() -> None:
    shown = redact("x" * (LONGEST - 5) + " ann.lee@example.org and more")
    assert shown.endswith("…")
    assert len(shown) <= LONGEST + 1
    assert "ann" not in shown
    assert redact("y" * LONGEST) == "y" * LONGEST


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("model.pkl", "model.pkl"),
        ("gewöhnlich 模型.pkl", "gewöhnlich 模型.pkl"),
        ("a\nb\x1b[2J\u202e\u200b\udcff", "a⟨U+000A⟩b⟨U+001B⟩[2J⟨U+202E⟩⟨U+200B⟩⟨U+DCFF⟩"),
        ("<script>", "<script>"),  # the template escapes it
        ("x" * 10_000_000, "x" * 120 + "…"),
    ],
)
def test_a_hostile_name_is_shown_on_one_short_line(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_no_text_is_cut_in_the_middle_of_a_word() -> None:
    said = " ".join(f"word{i}" for i in range(200))
    pair = redact_pair(f"good {said}", f"bad {said}")
    assert pair is not None
    far = redact_pair(f"{said} good {said}", f"{said} bad {said}")
    assert far is not None
    parts = "".join(part for part, _ in redact_parts(said, [((0, 5), 1)]))
    for shown in (redact(said), *pair, *far, parts, printable(said), message(said)):
        assert shown.endswith("…")
        assert set(shown.strip("…").split()) <= {"good", "bad", *said.split()}, shown
        assert len(shown) <= LONGEST + 2


def test_a_pair_is_shown_from_shortly_before_its_change() -> None:
    long = "word " * 200
    before, after = f"{long}the plot thickens", f"{long}the pl0t thickens"
    shown = redact_pair(before, after)
    assert shown is not None
    assert shown[0].startswith("…word ")
    assert shown[0].endswith("the plot thickens")
    assert shown[1].endswith("the pl0t thickens")
    assert len(shown[0]) < 120
    assert redact_pair("a plot", "a pl0t") == ("a plot", "a pl0t")
    cut = redact_pair(before, before[:-10])
    assert cut is not None
    assert cut[0].startswith(cut[1])


def test_a_pair_whose_change_hides_personal_data_is_not_shown() -> None:
    assert redact_pair("write to ann@example.org now", "write to ann@example.org, now") == (
        "write to [e-mail] now",
        "write to [e-mail], now",
    )
    assert redact_pair("write to ann@example.org now", "write to ann@@example.org now") is None
    assert redact_pair("write now", "write to ann@example.org") is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to jane.\u200bdoe@example.org now", "Write to [e-mail] now"),
        ("Write to jane.do\u00ade\u2060@exam\u0301ple.org now", "Write to [e-mail] now"),
        ("Write to ｊane.doe＠example.org now", "Write to [e-mail] now"),
        ("Write to jane.doe&#64;example&period;org now", "Write to [e-mail] now"),
        ("Write to jane.doe @ example.org now", "Write to [e-mail] now"),
        ("write to jane . doe @ example . org now", "write to [e-mail] now"),
        ("Call +49 30 2\u200b3125\ufe0f 123 today", "Call [number] today"),
        ("Call 212–555–0134 today", "Call [number] today"),
        ("a film of 1994–2003", "a film of 1994–2003"),
        ("card 4111 1111 \u20661111\u2069 1111 was charged", "card [number] was charged"),
        ("from DE89 3704 0044 0532 0\U000e00410130 00 please", "from [account] please"),
        ("from DЕ89 3704 0044 0532 0130 00 please", "from [account] please"),
        ("sent to 12 BAKER STREET in May", "sent to [address] in May"),
        ("jane.doe@example.org is j a n e . d o e @example.org", "[e-mail] is [e-mail]"),
    ],
)
def test_what_hides_in_personal_data_does_not_unmask_it(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a re\u200bally good fi\u00adlm", "a re⟨U+200B⟩ally good fi⟨U+00AD⟩lm"),
        ("a \u202egood\u202c film\x00\x9b", "a ⟨U+202E⟩good⟨U+202C⟩ film⟨U+0000⟩⟨U+009B⟩"),
        ("two\nlines\tand\r\nthree\rfour", "two\nlines\tand\r\nthree⟨U+000D⟩four"),
        ("I ❤️ it 👩\u200d👧 1️⃣ ↔️", "I ❤️ it 👩\u200d👧 1️⃣ ↔️"),  # pictures are written so
        ("می\u200cخواهم क\u200dष", "می\u200cخواهم क\u200dष"),  # and so are words of these scripts
        ("o\ufe0fk \u200c! ❤\ufe0f\ufe0f", "o⟨U+FE0F⟩k ⟨U+200C⟩! ❤\ufe0f⟨U+FE0F⟩"),
        ("\U0001f3f4\U000e0067\U000e007f", "\U0001f3f4⟨U+E0067⟩⟨U+E007F⟩"),
        ("x" * 275 + "\u200b" * 3, "x" * 275 + "…"),  # no token is cut in two
    ],
)
def test_what_nobody_sees_is_shown_as_a_token(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        ("write to [e-mail] by noon, dear", None),
        ("write to jane.doe@example.org by n\u200boon", "write to [e-mail] by n⟨U+200B⟩oon"),
        ("write to jane.doe@example.org by noon, dear", "write to [e-mail] by noon, dear"),
        ("Write to JANE.\u200bDOE@exam ple.org by noon", "Write to [e-mail] by noon"),
        ("write to jane.\u200bdoe@example.org by noon", None),  # all that was changed is masked
        ("write to jane.\u200b[e-mail] by noon", None),
        ("write to jane. doe@example.com by noon", None),
        ("write to jnae.doe@example.org by noon", None),
        ("write to jane.doe@example", None),
        ("write to jane.doe@example.org or jane(dot)doe@example.org", None),
    ],
)
def test_a_pair_is_shown_only_where_the_same_is_masked_on_both_sides(after: str, shown: str | None) -> None:
    before = "write to jane.doe@example.org by noon"
    pair = redact_pair(before, after)
    assert (pair and pair[1]) == shown
    assert pair is None or pair[0] == "write to [e-mail] by noon"


def test_pairs_are_taken_until_there_are_enough() -> None:
    pairs = [
        ("a good lamp", "a g00d lamp", "x"),
        ("to a@b.org", "to a@@b.org", "y"),
        ("one", "two", "z"),
        ("3", "4", ""),
    ]
    rows = {"a good lamp": 7, "to a@b.org": 8}
    shown = [Pair("a good lamp", "x", "a g00d lamp", 7), Pair("one", "z", "two", None)]
    assert shown_pairs(iter(pairs), 2, rows.get) == shown
    with withholding(True):
        assert shown_pairs(pairs, 2, rows.get) == []


def test_names_that_are_personal_data_are_told_apart_by_numbers() -> None:
    names = ("ann@example.org", "f", "bob@example.org", "[e-mail] 2", "@ann_lee", "2024-01-31", "a\u202eb")
    shown = ("[e-mail] 1", "f", "[e-mail] 3", "[e-mail] 2", "[handle] 1", "2024-01-31", "a⟨U+202E⟩b")
    assert tuple(called(names).values()) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("cannot\n  read 'a\u200bnn@example.org'", "cannot read '[e-mail]'"),
        ("row 2124 1234 5678", "row [number]"),
        ("\x1b[2Jgone", "⟨U+001B⟩[2Jgone"),
        ("x" * 300, "x" * 200 + "…"),
    ],
)
def test_what_a_library_says_is_shown_on_one_line(said: str, shown: str) -> None:
    assert message(ValueError(said)) == shown


# ---- what prints without being asked


TEXTUAL = {
    "texts", "text", "before", "after", "new", "tokens", "words", "normal", "choose", "measure", "subgroups",
    "summary", "caveats", "unbounded", "rows", "parts",
}  # fmt: skip
OWN = ("audit.probes.quality.capabilities", "audit.demo")  # their texts are the project's own


def _textual(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass or named tuple that hold texts of the data."""
    if not dataclasses.is_dataclass(kind) and not hasattr(kind, "_fields"):
        return ()
    return tuple(name for name, of in inspect.get_annotations(kind).items() if name in TEXTUAL and "str" in str(of))


def _holding() -> Iterator[type]:
    """The package's classes that hold texts, but for those of the report: these hold what its page shows."""
    for module in pkgutil.walk_packages(audit.__path__, "audit."):
        if module.name.startswith(("audit.report", "audit.suites", "audit.__main__", *OWN)):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and value.__module__ == module.name and _textual(value):
                yield value


HOLDING = tuple(_holding())


@pytest.mark.parametrize("kind", HOLDING, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_repr_holds_a_text(kind: Any) -> None:
    values = dict.fromkeys(inspect.get_annotations(kind), ()) | dict.fromkeys(_textual(kind), ("Zebulon Quixby",))
    if issubclass(kind, tuple):
        shown = kind(**values)
    else:
        shown = object.__new__(kind)
        vars(shown).update(values)
    assert "Zebulon" not in repr(shown)


def test_every_class_that_holds_texts_is_among_them() -> None:
    names = {kind.__name__ for kind in HOLDING}
    assert names >= {"Examples", "Result", "Corpus", "Trigger", "Attacked", "Attribution", "Pair", "Edit", "Swap"}


LONG = "They sent the wrong colour twice, and Zebulon Quixby never answered any of my many letters."


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("no rows", "no rows"),
        ("expected 3 fields\nsaw 4 fields", "expected 3 fields\nsaw 4 fields"),
        (f"row 7\n  {LONG}\nend", "row 7\n[left out]\nend"),
        (f"cut: {LONG[7:48]}", "[left out]"),  # wherever it begins
        (repr(LONG.upper()), "[left out]"),
        (repr(LONG.split()), "[left out]"),  # as the words that it was cut into
        (f"{tuple(LONG.split(' ')[:8])} is too long", "[left out]"),
        ("token 'Zebulon Quixby'", "[left out]"),
        ("assert 'They sent...y letters.' == 'x'", "[left out]"),
        ("it is really bad, this", "[left out]"),  # a whole short text
        ("no attribute 'a'", "no attribute 'a'"),
        ("write to a.b@example.org", "write to [e-mail]"),
        (f"row 7: {LONG[7:30]}\u200b{LONG[30:48].upper()}", "[left out]"),  # whatever stands between its characters
        (LONG.replace("o", "о"), "[left out]"),  # in Cyrillic letters
    ],
)
def test_what_others_print_quotes_nothing_of_the_data(content: str, shown: str) -> None:
    texts = (LONG, "really bad", "a", "")
    assert unquoted(content, texts) == shown
    with withholding(True):
        assert unquoted(content, texts) == LEFT_OUT


def test_parts_without_weight_are_one_and_those_with_weight_stay_apart() -> None:
    assert redact_parts("write to ann@example.org now", []) == [("write to [e-mail] now", 0)]
    assert redact_parts("so good", [((0, 2), 1), ((2, 7), 1)]) == [("so", 1), (" good", 1)]
    assert redact_parts("good, said ann@example.org", [((0, 4), 1)]) == [("good", 1), (", said [e-mail]", 0)]
