"""Disturbed texts: a person reads the same opinion, as far as rules can say it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from html.parser import HTMLParser
from random import Random

import pytest

from audit.text.disturbances import KINDS, STRENGTHS, disturb
from audit.text.disturbances.common import DENIALS, rows
from audit.text.disturbances.layout import PICTURES

LEXICON = (
    "good film great acting never nothing without hardly boring story wonderful terrible music plot character "
    "ending beginning the a is was not no and but very really scene direction picture camera dialogue moving slow "
    "cannot nobody none neither barely scarcely nowhere superb awful keep deep seem book look feel tall miss".split()
)
VOCABULARY = frozenset(LEXICON)
NEGATIONS = set("never none nothing nobody neither nowhere without hardly barely scarcely cannot not no".split())
IN_WORDS = ("typos", "ocr", "leetspeak", "homoglyphs", "invisible")
# Of each kind of place there is something here, five whole sentences judge, and the last one says nothing.
REVIEW = (
    "It was a great film, and I loved the music. The actors are wonderful; you don't see that often. My favourite "
    "scene isn't long, but it's a beautiful one. I am sure that people will enjoy the story. The colour and the humour "
    "are superb. The film was made near a small town in the south of Spain, and the crew came from Madrid."
)


def _sentences(count: int, length: int, seed: int = 0) -> list[str]:
    rng = Random(seed)
    return [" ".join(rng.choices(LEXICON, k=length)) for _ in range(count)]


def _changed(before: str, after: str) -> list[tuple[str, str]]:
    pairs = list(zip(before.split(" "), after.split(" "), strict=True))
    return [(old, new) for old, new in pairs if old != new]


def typos(text: str, strength: int, vocabulary: frozenset[str] = frozenset(), seed: int = 0) -> str:
    return disturb(text, "typos", strength, seed=seed, vocabulary=vocabulary)


def many(text: str, kind: str, strength: int = 3) -> list[str]:
    return [disturb(text, kind, strength, seed=seed) for seed in range(30)]


# All kinds


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_repeats_and_has_three_strengths(kind: str) -> None:
    versions = [disturb(REVIEW, kind, strength) for strength in STRENGTHS]
    assert versions == [disturb(REVIEW, kind, strength) for strength in STRENGTHS]
    assert len({REVIEW, *versions}) == 4
    assert len(KINDS[kind].levels) == len(STRENGTHS)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"case", "truncation", "contractions"}))
def test_another_seed_gives_another_text(kind: str) -> None:
    strength = 1 if kind in ("spelling", "abbreviations") else 2
    assert len({disturb(REVIEW, kind, strength, seed=seed) for seed in range(30)}) > 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", " ", "?!", "42", "\ud800", "é" * 5000, "\u200b\n\t", "<br />", "a" * 20_000])
def test_no_text_is_too_odd(kind: str, text: str) -> None:
    for strength in STRENGTHS:
        assert isinstance(disturb(text, kind, strength), str)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ValueError, match="'rain'"):
        disturb("text", "rain", 2)


@pytest.mark.parametrize("kind", IN_WORDS)
def test_the_share_of_words_is_the_promised_one(kind: str) -> None:
    for text in _sentences(60, 40):
        counts = [len(_changed(text, disturb(text, kind, strength, vocabulary=frozenset()))) for strength in STRENGTHS]
        assert counts == [2, 4, 8]  # 5, 10, 20 % of 40


@pytest.mark.parametrize("kind", IN_WORDS)
def test_a_stronger_disturbance_adds_to_the_weaker_one(kind: str) -> None:
    for text in _sentences(60, 40):
        changes = [_changed(text, disturb(text, kind, strength)) for strength in STRENGTHS]
        assert set(changes[0]) <= set(changes[1]) <= set(changes[2])


@pytest.mark.parametrize("kind", [*IN_WORDS, "case"])
@pytest.mark.parametrize("whole", ["@some_user", "#hashtag", "http://example.com/path", "ann@example.org", "<span>"])
def test_what_a_reader_could_not_guess_is_left_whole(kind: str, whole: str) -> None:
    for new in many(f"wonderful {whole} terrible", kind):
        assert whole in new


@pytest.mark.parametrize("kind", ["typos", "ocr", "leetspeak"])
def test_denials_stay_whole(kind: str) -> None:
    for text in ("It couldn't work", "It couldn’t work", "NEVER work", "It is Nothing to work", " ".join(DENIALS)):
        for new in many(text, kind):
            assert {old for old, _ in _changed(text, new)} <= {"work"}


# Typing errors


@pytest.mark.parametrize("strength", STRENGTHS)
def test_typing_errors_are_such_that_a_reader_sees_through(strength: int) -> None:
    for text in _sentences(150, 25, strength):
        changed = _changed(text, typos(text, strength, VOCABULARY))
        assert changed
        for old, new in changed:
            assert old not in NEGATIONS
            assert len(old) >= 4
            assert (new[0], new[-1]) == (old[0], old[-1])
            assert abs(len(new) - len(old)) <= 1
            assert new not in VOCABULARY


@pytest.mark.parametrize("text", ["good", "keep it", "a deep book", "no miss", "I seem tall", "a great one"])
def test_there_is_an_error_wherever_a_word_allows_it(text: str) -> None:
    # Each of these has a word of four letters in which some typing error makes no other word.
    for seed in range(40):
        assert typos(text, 2, VOCABULARY, seed) != text, seed


@pytest.mark.parametrize("text", ["", "a b c", "the one is not bad", "never nothing cannot", "123 4567", "wouldn't"])
def test_where_no_word_allows_it_there_is_none(text: str) -> None:
    for seed in range(20):
        assert typos(text, 3, VOCABULARY, seed) == text


def test_words_that_the_vocabulary_holds_never_come_out() -> None:
    # All that a missing, doubled, swapped or neighbouring letter can make of "form", but for two.
    text, allowed = "form", {"ffrm", "foorm"}
    possible = {typos(text, 3, frozenset(), seed) for seed in range(4000)}
    assert len(possible) > 10
    vocabulary = frozenset(possible - allowed)
    assert {typos(text, 3, vocabulary, seed) for seed in range(400)} <= allowed | {text}
    assert typos("FORM", 3, frozenset({"frm", "fom"}), 0).lower() not in {"frm", "fom"}
    scanned = {disturb("modern", "ocr", 1, seed=seed) for seed in range(400)}
    assert "modem" in scanned
    safe = frozenset({"modem"})
    assert "modem" not in {disturb("modern", "ocr", 1, seed=seed, vocabulary=safe) for seed in range(400)}


def test_case_and_all_between_the_words_are_kept() -> None:
    text = "  WONDERFUL, (really)\n\twonderful!  Schöne   Grüße "
    for seed in range(30):
        new = typos(text, 1, frozenset(), seed)
        assert [c for c in new if not c.isalpha()] == [c for c in text if not c.isalpha()]
        assert "Schöne   Grüße" in new
        assert new.split()[0].strip(",").isupper()


# Inverse mappings: what was meant can be read back


def _by_letters(word: str, table: dict[str, str]) -> str:
    return "".join(table.get(letter, letter) for letter in word)


def test_a_scanned_letter_looks_like_what_it_was() -> None:
    # Written so that letters that look alike become the same signs.
    alike = {"m": "rn", "w": "vv", "d": "cl", "h": "ll", "i": "l", "1": "l", "0": "o", "5": "s", "9": "g", "8": "b"}
    alike |= {"e": "c"}
    for text in _sentences(100, 30):
        for old, new in _changed(text, disturb(text, "ocr", 3)):
            assert old != new
            assert _by_letters(new.lower(), alike) == _by_letters(old, alike)


def test_leetspeak_is_read_back_letter_by_letter() -> None:
    letters = {"4": "a", "@": "a", "3": "e", "1": "i", "!": "i", "0": "o", "$": "s"}
    for text in _sentences(100, 30):
        new = disturb(text, "leetspeak", 3)
        assert _by_letters(new, letters) == text
        for old, other in _changed(text, new):
            assert (other[0], other[-1]) == (old[0], old[-1])
            assert sum(a != b for a, b in zip(old, other, strict=True)) <= 2


def test_homoglyphs_are_what_unicode_calls_confusable() -> None:
    # Transcribed from confusables.txt of Unicode Technical Standard 39.
    confusable = {
        0x0430: "a", 0x0441: "c", 0x0435: "e", 0x0456: "i", 0x043E: "o", 0x0440: "p", 0x0455: "s", 0x0445: "x",
        0x0443: "y", 0x0458: "j", 0x0410: "A", 0x0412: "B", 0x0421: "C", 0x0415: "E", 0x041D: "H", 0x0406: "I",
        0x041A: "K", 0x041C: "M", 0x041E: "O", 0x0420: "P", 0x0405: "S", 0x0422: "T", 0x0425: "X", 0x0408: "J",
    }  # fmt: skip
    for text in [REVIEW, REVIEW.upper(), *_sentences(100, 30)]:
        new = disturb(text, "homoglyphs", 3)
        assert new != text
        assert new.translate(confusable) == text


def test_what_nobody_sees_can_be_deleted_and_berts_tokenizer_does() -> None:
    from tokenizers.normalizers import BertNormalizer

    normalizer = BertNormalizer(lowercase=True)
    for text in [REVIEW, *_sentences(100, 30)]:
        new = disturb(text, "invisible", 3)
        assert "".join(letter for letter in new if unicodedata.category(letter) != "Cf") == text
        assert normalizer.normalize_str(new) == normalizer.normalize_str(text)
        # What opens is closed, or the rest of a page would be turned.
        assert new.count("\u202a") == new.count("\u202c")
        assert new.count("\u2066") == new.count("\u2069")
        assert not set(new) & set("\u202b\u202d\u202e\u2067\u2068\u200f")


def test_case_changes_nothing_but_case() -> None:
    text = "It made us laugh in the US. The FBI agent may be a polish straße, Мир!"
    for strength in STRENGTHS:
        new = disturb(text, "case", strength)
        assert new != text
        assert new.casefold() == text.casefold()
        assert " us " in new
        assert " US." in new
        assert " FBI " in new
        assert " polish " in new
    assert disturb("a Good film", "case", 1) == "A Good Film"
    assert disturb("a Good film", "case", 2) == "A GOOD FILM"
    assert disturb("a Good film", "case", 3) == "A gOOD FILM"


def test_spaces_are_doubled_or_missing_and_no_denial_is_swallowed() -> None:
    text = "the film has not been bad and a part of the story was never told without great music for all those people"
    seen = set()
    for new in many(text, "spaces"):
        assert new.replace(" ", "") == text.replace(" ", "")
        seen |= set(new.split()) - set(text.split())
    assert seen
    assert not any(re.search("not|never|without", word) for word in seen)
    assert "apart" not in seen
    # Never three words in one.
    assert all(len(re.findall("|".join(sorted(text.split(), key=len, reverse=True)), word)) == 2 for word in seen)


class _Words(HTMLParser):
    """The words that a browser shows."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_data(self, data: str) -> None:
        self.found += data.split()


def test_a_browser_shows_the_same_words() -> None:
    for text in [REVIEW, *_sentences(50, 30)]:
        for strength in STRENGTHS:
            new = disturb(text, "html", strength)
            assert new != text
            assert _Words(new).found == text.split()
            assert not re.search("<(s|del|strike|b|i|em|strong)>", new)


def test_pictures_are_things() -> None:
    for picture in PICTURES:
        name = unicodedata.name(picture)
        assert unicodedata.category(picture) == "So"
        assert not re.search("FACE|HEART|HAND|SMIL|CRY|THUMB|SKULL|FIRE|STAR|PERSON|CAT|BOMB|TROPHY|MEDAL", name), name
    for strength, count in zip(STRENGTHS, (1, 3, 6), strict=True):
        new = disturb(REVIEW, "emoji", strength)
        assert new.startswith(REVIEW)
        pictures = new.removeprefix(REVIEW).split()
        assert len(pictures) == len(set(pictures)) == count
        assert set(pictures) <= set(PICTURES)


# Punctuation


def test_marks_that_carry_irony_stay() -> None:
    text = 'Great... (really?) What a "film", no, thanks :) Really?! It isn\'t good, funny, or sad!!'
    for new in many(text, "punctuation"):
        letters = re.sub(r"[^A-Za-z]", "", text)
        assert re.sub(r"[^A-Za-z]", "", new) == letters
        for mark in ("...", "(really?)", ":)", "?!", "!!"):
            assert mark in new
        assert [mark for mark in new if mark in "?!()"] == [mark for mark in text if mark in "?!()"]
        # A comma after a denial decides what is denied.
        assert re.search(r"no ?, ?thanks", new)
        assert re.search(r"good ?, ?funny ?, ?or", new)


def test_each_way_of_setting_marks_occurs() -> None:
    text = "It's fine, well made, and long; the end - a surprise -- came late. We left."
    made = set(many(text, "punctuation", 3))
    assert any("It’s" in new for new in made)
    assert any("fine well" in new for new in made)
    assert any("fine,well" in new for new in made)
    assert any("fine , well" in new for new in made)
    assert all("long ;" in new for new in made)
    assert all("end — a surprise — came" in new for new in made)
    assert {new.rsplit("late", 1)[1] for new in made} == {".We left", " . We left"}


# Wording


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("the colour of humor", "the color of humour"),
        ("we realise that theaters honour him", "we realize that theatres honor him"),
        ("Mr Gray saw the Labour party", "Mr Gray saw the Labour party"),
        ("a surprise, a program, a check", "a surprise, a program, a check"),
    ],
)
def test_spelling(before: str, after: str) -> None:
    assert disturb(before, "spelling", 3) == after
    assert disturb(after, "spelling", 3) == before


def test_each_spelling_has_one_other() -> None:
    words = [word for pair in rows("spelling.txt") for word in pair]
    assert len(words) == len(set(words))
    assert all(re.fullmatch("[a-z]{4,}", word) for word in words)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("It is not bad at all", "It isn't bad at all"),
        ("It isn't bad at all", "It is not bad at all"),
        ("I can't say", "I cannot say"),
        ("I cannot say", "I can't say"),
        ("they won't come", "they will not come"),
        ("it does n't work", "it does not work"),
        ("it’s a pity", "it is a pity"),
        ("I am happy", "I'm happy"),
        ("i 'm happy", "I am happy"),
        ("DIDN'T WORK", "DID NOT WORK"),
        ("I've never seen it", "I have never seen it"),
        ("it's gone, and Anna's film, he'd go", "it's gone, and Anna's film, he'd go"),
        ("yes, it is. So I am", "yes, it is. So I am"),
        ("it is bad, isn't it", "it is bad, isn't it"),
        ("this is not.", "this is not."),
    ],
)
def test_contractions(before: str, after: str) -> None:
    assert disturb(before, "contractions", 3) == after


def _denials(text: str) -> int:
    return len(re.findall(r"\bnot\b|\bcannot\b|n['’]t\b|\bnever\b|\bno\b", text, re.IGNORECASE))


def test_each_form_keeps_its_denial() -> None:
    for full, short in rows("contractions.txt"):
        for form in (full, short):
            new = disturb(f"so {form} good", "contractions", 3)
            assert new != f"so {form} good"
            assert _denials(new) == _denials(f"so {form} good"), form


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Please tell people about it", "Pls tell ppl abt it"),
        ("without a word, nobody came", "without a word, nobody came"),
        ("As far as I know it works", "Afaik it works"),
        ("because of the minutes", "bc of the mins"),
        ("withdrawn, areas, youth", "withdrawn, areas, youth"),
    ],
)
def test_abbreviations(before: str, after: str) -> None:
    assert disturb(before, "abbreviations", 3) == after


def _tells(texts: Iterable[str]) -> list[str]:
    """Texts in which a word begins as one of the list of words that may judge."""
    starts = "|".join(word for (row,) in rows("opinions.txt") for word in row.split())
    return [text for text in texts if re.search(rf"\b(?:{starts})", text, re.IGNORECASE)]


def test_lists_hold_no_opinion_and_no_denial() -> None:
    assert not _tells(row[0] for row in rows("appended.txt"))
    judging = set("good bad great awful love hate best worst nice terrible excellent wonderful boring".split())
    words = {word for row in rows("abbreviations.txt") for word in row[0].split()}
    assert not words & (judging | DENIALS)


# The end


@pytest.mark.parametrize("text", ["A good film", "A good film."])
def test_appended_sentences_follow_a_closed_text(text: str) -> None:
    known = {row[0] for row in rows("appended.txt")}
    for strength, count in zip(STRENGTHS, (1, 3, 6), strict=True):
        new = disturb(text, "appended", strength)
        assert new.startswith("A good film. ")
        added = re.findall(r"[^.]+\.", new.removeprefix("A good film."))
        assert len(added) == count
        assert {sentence.strip() for sentence in added} <= known


def test_only_an_end_that_says_nothing_is_cut_off() -> None:
    words = len(REVIEW.split())
    for strength in STRENGTHS:
        new = disturb(REVIEW, "truncation", strength)
        assert REVIEW.startswith(new)
        assert len(new.split()) == words - max(strength, round({1: 0.025, 2: 0.05, 3: 0.1}[strength] * words))
        assert not _tells([REVIEW.removeprefix(new)])
        assert new.count(". ") >= 4


@pytest.mark.parametrize(
    "end",
    [
        "But the crew came from a small town in the south of Spain in the autumn of that year.",
        "The crew came from a small town in the south of Spain and never paid for the hall.",
        "The crew came from a small town in the south of Spain and it was a boring hall.",
        "The crew came from a small town in the south of Spain and left the hall at nine!",
        "The crew came from a small town in the south of Spain and did a job of 3/10 here.",
        "The crew did not come from Madrid and took the train to a town in the south.",
    ],
)
def test_an_end_that_may_turn_the_opinion_is_not_cut_off(end: str) -> None:
    text = REVIEW.rsplit("The film", 1)[0] + end
    assert all(disturb(text, "truncation", strength) == text for strength in STRENGTHS)


def test_a_short_text_is_not_cut_off() -> None:
    assert disturb("A great film. It was made in Spain by a crew from Madrid.", "truncation", 3).endswith("Madrid.")
