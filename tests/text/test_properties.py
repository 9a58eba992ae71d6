"""What is shown of a text holds whatever the text is: on one line, cut where it has to be, and masked."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.text import redaction

# Letters, what hides among them, what other programs take for markup or commands, and what is personal.
PIECES = st.sampled_from(
    [
        "ann@example.org",
        "+49 170 1234567",
        "4111 1111 1111 1111",
        "<script>",
        "\u202e",
        "\u200b",
        "\n",
        "\x00",
        "=cmd|",
        "%s",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=20), max_size=8).map("".join)


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.integers(20, 200))
def test_a_name_is_one_line_of_no_more_than_was_allowed(text: str, length: int) -> None:
    for shown in (redaction.printable(text, length), redaction.message(text, length)):
        assert shown.isprintable()
        assert len(shown) <= length + 1


@settings(deadline=None, max_examples=60)
@given(TEXTS)
def test_of_an_address_no_name_is_left(text: str) -> None:
    assert "ann@" not in redaction.masked(text)


@settings(deadline=None, max_examples=60)
@given(TEXTS, TEXTS)
def test_of_a_pair_both_sides_are_shown_or_none(before: str, after: str) -> None:
    shown = redaction.redact_pair(before, after)
    if shown is not None:
        assert "ann@example.org" not in "".join(shown)
