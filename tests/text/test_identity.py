"""The exchange of identities: English grammar by tables, traps, and public corpora as independent judges."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from audit.text import identity
from audit.text.identity import AXES, swap, swap_gender, swaps


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("She gave her husband the book; he liked her.", "He gave his wife the book; she liked him."),
        ("I saw her yesterday.", "I saw him yesterday."),
        ("I saw her, and she waved.", "I saw him, and he waved."),
        ("I told her that it works", "I told him that it works"),
        ("her dog", "his dog"),
        ("her own dog", "his own dog"),
        ("her only son, her very first", "his only daughter, his very first"),
        ("I loved her very much.", "I loved him very much."),
        ("They let her go and watched her performance.", "They let him go and watched his performance."),
        ("making her his friend", "making him her friend"),
        ("his every wish", "her every wish"),
        ("His is the best, and a friend of his who sings.", "Hers is the best, and a friend of hers who sings."),
        ("his or her right mind, his “best” one", "her or his right mind, her “best” one"),
        ("Her!", "Him!"),
        ("That dog is hers.", "That dog is his."),
        ("That dog is his.", "That dog is hers."),
        ("his dog", "her dog"),
        ("I gave him the book", "I gave her the book"),
        ("He hurt himself", "She hurt herself"),
        ("SHE IS THE WOMAN", "HE IS THE MAN"),
        ("Mother called.", "Father called."),
        ("HER DOG saw HER.", "HIS DOG saw HIM."),
        ("She's here, he'll come, she'd know", "He's here, she'll come, he'd know"),
        ("Two boys and a girl", "Two girls and a boy"),
        ("my father-in-law", "my mother-in-law"),
        ("Mr Smith and Mrs Jones", "Mrs Smith and Mr Jones"),
        ("“She” (he) she—he", "“He” (she) he—she"),
        # An actor may be anybody, an actress is a woman.
        ("The waitress married an actor", "The waiter married an actor"),
        # What EEC's template "The situation makes <person object> feel …" says of her.
        ("The situation makes her feel angry.", "The situation makes him feel angry."),
        # Words of the list that are not plain ASCII letters, and compounds of words of the list.
        ("her fiancé", "his fiancée"),
        ("my ex-husband", "my ex-wife"),
        # Names, with the pronouns that go with them.
        ("Alan found himself in a mess.", "Katie found herself in a mess."),
        ("We asked Latoya about her plan.", "We asked Terrence about his plan."),
        ("Frank told us all.", "Betsy told us all."),
        ("I like Mr Frank, and so does Jack.", "I like Mrs Betsy, and so does Ellen."),
    ],
)
def test_gender(before: str, after: str) -> None:
    assert swap_gender(before) == after


@pytest.mark.parametrize(
    ("axis", "before", "group", "after"),
    [
        ("ethnicity", "A white man met a black woman.", "African-American", "A black man met a white woman."),
        ("ethnicity", "We saw an African-American couple.", "European", "We saw a white couple."),
        ("ethnicity", "Darnell told us.", "European", "Justin told us."),
        ("ethnicity", "I called Emily.", "African-American", "I called Tamika."),
        ("religion", "Her neighbour is a Muslim.", "Christian", "Her neighbour is a Christian."),
        ("religion", "Christians and other people", "Jewish", "Jews and other people"),
        ("nationality", "An Italian waiter", "French", "A French waiter"),
        ("nationality", "a british soldier", "american", "an american soldier"),
        ("nationality", "Stupid Americans!", "German", "Stupid Germans!"),
        ("age", "An old man and a young woman.", "old", "A young man and an old woman."),
        ("age", "a 25-year-old nurse", "old", "a 70-year-old nurse"),
        ("disability", "We hired a blind man.", "deaf", "We hired a deaf man."),
        ("disability", "We hired an autistic teacher.", "not named", "We hired a teacher."),
        ("disability", "Blind people wrote it.", "not named", "People wrote it."),
        ("orientation", "My gay neighbour came.", "straight", "My straight neighbour came."),
        ("orientation", "He's gay, and a friend.", "bisexual", "He's bisexual, and a friend."),
    ],
)
def test_other_axes(axis: str, before: str, group: str, after: str) -> None:
    made = {change.group_to.lower(): change.text for change in swaps(before, axis)}
    # The group in the text may be either side of the exchange.
    assert after in made.values() or made.get(group.lower()) == after


TRAPS = """
black comedy | Grace under pressure | man-made | Will it last | mother of all sequels | Oh boy, what a mess
a queen bee of a film | brother printer | black and white | a white lie | a blind spot | old-fashioned fun
the gay 90s | Indian summer | a Dutch oven | French fries | straight to video | dead man walking
Mark my words, it is bad | Rose to fame | Faith is all it needs | Hope springs | Joy to watch | Bill of health
Jack of all trades | A penny saved | Art for art's sake | in May | April showers | June is hot | Dawn breaks
a Summer hit | Christian Bale is in it | the Coen Brothers | the coen brothers | Spider-Man | spider man
Men in Black | Pretty Woman | Rain Man | Iron Lady | Mother Nature | the mother lode | Father Christmas
Founding Fathers | Uncle Sam wants it | Aunt Sally | bob's your uncle | a boy band | poster boy of the genre
Girl Scouts | a call girl drama | the fall guy | the bad guys | you guys | no man's land | a one-man show
the straw man fallacy | rage against man | the nature of man | Man bites dog | Lady Luck | the fat lady sings
First Lady | Ladies and gentlemen | king of the hill | King Kong | queen of hearts | a male nurse | alpha male
native american | African-American music of film, no person | German shepherd | French kiss | Chinese whispers
Russian roulette | Turkish delight | polish the floor | nail polish | the poles of the earth | an Italian job
american beauty | Catholic taste | Christian name | Jewish food | Hindu temple art | a Buddhist temple | old school
the same old story | an old friend | good old fun | young at heart | ten years old | a ten-year-old car
blind faith | love is blind | turn a blind eye | was blind to it | fell on deaf ears | tone deaf
disabled my account | straight from the heart | a straight face | go straight | as straight drama | keep it straight
gay abandon | Harry Potter | Forrest Gump | Tom and Jerry | Peter Pan | Bloody Mary | Kill Bill | Jack Daniels
James Bond | the Bill was passed | a Mark on it | Frank talk about money | To be frank | Heather grows here
Louis XIV | white noise | the White House | black Friday | a white Christmas | in black | black hole | Latin dance
Asian flu | Elton John
""".replace("\n", " | ").split(" | ")


@pytest.mark.parametrize("text", [trap for trap in TRAPS if trap])
def test_traps_are_left_alone(text: str) -> None:
    assert {axis: swap(text, axis) for axis in AXES if swap(text, axis) != text} == {}


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(
    "text",
    [
        "The film is long and dull.",
        "The theme of this sheet is there, other human beings shed shells.",
        "They gave their children to us; I like you and myself.",
        "Manchester, Boyle, Sonia, womanly, hershey, history, manager, shepherd, woman-hating, momentum",
        "",
        "\n \t",
        "123 !? 你好",
    ],
)
def test_texts_without_people_stay_as_they_are(text: str, axis: str) -> None:
    assert swap(text, axis) == text
    assert swaps(text, axis) == ()
    assert identity.mentions(text, axis) == ()


@pytest.mark.parametrize(
    ("axis", "text"),
    [
        ("gender", "He is pregnant with ideas, and so is his wife."),
        ("religion", "A Jewish man survived the Holocaust."),
        ("religion", "A Jewish film for Christians."),
        ("orientation", "He was gay in a gay magazine."),
        ("disability", "A legally blind man, and a deaf and blind woman."),
    ],
)
def test_what_an_exchange_would_make_untrue_stays(axis: str, text: str) -> None:
    assert "not named" not in {change.group_to for change in swaps(text, axis)}
    assert axis == "disability" or swaps(text, axis) == ()


@pytest.mark.parametrize(
    "text",
    [
        "He likes his dog.",
        "She likes her dog.",
        "The woman knows the boys and the queen’s nephew.",
        "My brother saw himself; my Sister saw herself",
        "I told him that his uncle is here.",
        "I told her that her aunt is here.",
        "The book is hers.",
        "Alan met Latoya, and Mr Brown met a girl.",
    ],
)
def test_exchanged_twice_is_the_original(text: str) -> None:
    assert swap_gender(text) != text
    assert swap_gender(swap_gender(text)) == text


@pytest.mark.parametrize("axis", AXES)
def test_every_person_of_the_templates_is_found_and_can_be_exchanged(axis: str) -> None:
    for person in identity.persons(axis):
        assert set(person) == set(identity.groups(axis))
        for group, words in person.items():
            text = f"We met {words} there."
            found = {mention.group for mention in identity.mentions(text, axis)}
            if group == "not named" or "wheelchair" in words:
                continue
            assert found == {group}
            assert {change.group_to for change in swaps(text, axis)} == set(person) - {group}
            for change in swaps(text, axis):
                seen = {mention.group for mention in identity.mentions(change.text, axis)}
                assert seen <= {change.group_to}


def test_the_templates_are_enough_and_name_nobody() -> None:
    assert len(set(identity.templates())) >= 30
    for frame in identity.templates():
        assert frame.count("{person}") == 1
        assert all(not identity.mentions(frame.replace("{person}", "Xyz"), axis) for axis in AXES)


def test_a_swap_is_the_same_each_time_and_each_group_has_its_share() -> None:
    texts = [f"The German man number {i} wrote." for i in range(600)]
    made = [identity.chosen(text, "nationality") for text in texts]
    assert made == [identity.chosen(text, "nationality") for text in texts]
    counts = [sum(change is not None and change.group_to == group for change in made) for group in
              identity.groups("nationality")]  # fmt: skip
    assert sum(counts) == 600
    assert sorted(counts)[1] > 600 / 11 / 2  # the first is German itself, with none


def test_all_else_is_left_as_it_is() -> None:
    text = "  Wow!!  She\n\tsaid: «GREAT» &amp; left…  "
    assert swap_gender(text) == text.replace("She", "He")


def test_an_unknown_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="shoe size"):
        swap("He is here.", "shoe size")


# Public corpora


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("of", "to"), [("male", "female"), ("female", "male")])
def test_noun_phrases_of_the_equity_evaluation_corpus_find_their_counterpart(real_data: Path, of: str, to: str) -> None:
    # Kiritchenko and Mohammad 2018: the same templates filled with the paired noun phrases, in the same order.
    rows = [row for row in _rows(real_data / "eec.csv") if not row["race"]]
    sides: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in rows:
        side = sides.setdefault((row["template"], row["emotion_word"]), {})
        side.setdefault(row["gender"], []).append(row["sentence"])
    pairs = [pair for side in sides.values() for pair in zip(side[of], side[to], strict=True)]
    assert len(pairs) == 1440
    missed = [(before, after) for before, after in pairs if swap_gender(before) != after]
    assert len(missed) <= 0.01 * len(pairs), missed[:5]


@pytest.mark.parametrize("race", ["European", "African-American"])
def test_names_of_the_equity_evaluation_corpus_change_with_their_pronoun(real_data: Path, race: str) -> None:
    rows = [row for row in _rows(real_data / "eec.csv") if row["race"] == race]
    sentences = {gender: {row["sentence"] for row in rows if row["gender"] == gender} for gender in ("male", "female")}
    for of, to in (("male", "female"), ("female", "male")):
        missed = [text for text in sorted(sentences[of]) if swap_gender(text) not in sentences[to]]
        assert len(missed) <= 0.01 * len(sentences[of]), missed[:5]


def test_names_of_one_ethnic_group_become_names_of_the_other(real_data: Path) -> None:
    rows = _rows(real_data / "eec.csv")
    there = {row["sentence"] for row in rows if row["race"] == "European"}
    names = [row["sentence"] for row in rows if row["race"] == "African-American"]
    made = [{change.group_to: change.text for change in swaps(text, "ethnicity")} for text in names]
    # The names that Bertrand and Mullainathan add are not in that corpus, and none of these sentences has one.
    assert sum(change.get("European") in there for change in made) >= 0.99 * len(names)


# Whoever a sentence could be about, by a rule that knows nothing of the lists.
_PEOPLE = re.compile(
    r"\b(?:s?he|hers?|him|his|(?:him|her)self|\w*(?:man|men|boy|girl|guy|gal|lad|lady|ladies|person|people)s?|"
    r"(?:god|grand|step)?(?:mother|father|dad|mom|mum|son|daughter|brother|sister|uncle|aunt|papa|mama|pa|ma)\w*|"
    r"wi(?:fe|ves)|husbands?|bro|sis|nieces?|nephews?|kings?|queens?|prince\w*|(?:fe)?males?|mrs?|ms|miss|sir|madam\w*|"
    r"bridegroom|bride|groom|widow\w*|actress\w*|heroine\w*|waitress\w*|\w+ess|\w+esses|fianc\w*|young\w*|old\w*|"
    r"teen\w*|elder\w*|aged?|years?|white|black|\w+(?:an|ans|ish|ese|ian|ians)|french|germans?|jew\w*|muslims?|hindus?|"
    r"christ\w*|catholic\w*|gays?|straight|lesbians?|blind|deaf|disabled|autis\w*|brits?|turks?|poles?|asian\w*|latin\w*|"
    r"hispanic\w*|\w*sexual\w*|youngster\w*|senior\w*|pensioner\w*)\b",
    re.IGNORECASE,
)


def test_sentences_about_nobody_stay_as_they_are(real_data: Path) -> None:
    texts = [row["text"] for name in ("sst2_test", "sst2_train") for row in _rows(real_data / f"{name}.csv")]
    about_nobody = [text for text in texts if not _PEOPLE.search(text)][:600]
    assert len(about_nobody) == 600
    changed = [(axis, text) for text in about_nobody for axis in AXES if swap(text, axis) != text]
    assert changed == []
