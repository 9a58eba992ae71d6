"""Whether a word of the lists says a person's identity where it stands; rules of English grammar, no statistics."""

from __future__ import annotations

import re

from audit.text.identity.lexicon import NAME, NAME_ALONE, Entry, not_people_after, people

# Words that end a noun phrase or cannot belong to one.
FUNCTION_WORDS = frozenset(
    "a about above across after again against ain all along already also although always am among an and any anyway "
    "are aren around as at away back be because been before behind being below beside besides between beyond both but "
    "by can could couldn despite did didn do does doesn doing down during each either even ever every except for from "
    "had hadn happy has hasn have haven having he her here hers herself him himself his how however i if in inside "
    "instead into is isn it its itself just like made makes me might mine must my myself near neither never no nor "
    "not nothing now of off often on once one only onto or our ours out outside over per perhaps quite rather really "
    "said says shall she should since so some soon still such than that the their theirs them themselves then there "
    "these they this those though through throughout to today together tomorrow too toward towards under unless until "
    "up upon us very was we well were what whatever when where whereas whether which while who whom whose why will "
    "with within without won would wouldn yesterday yet you your yours yourself".split()
)
# What may follow an object pronoun but no possessive: "I saw her and …" against "I saw her dog".
_AFTER_OBJECT = (FUNCTION_WORDS | {"his", "her"}) - frozenset(
    "always along also already both here only once now still very well inside outside ain don one nothing own past "
    "every".split()
)
# What may follow the pronoun "his" that stands for a thing of his: "his is the best", "a friend of his who".
_AFTER_OWN = frozenset(
    "and are as at but by for from has had if in is nor on or than that to too was were when which who with".split()
)
_MUCH = re.compile(r"\s+very\s+(?:much|well|badly|seriously|deeply|closely|dearly)\b", re.IGNORECASE)
# Verbs whose object may do something: "let her go", but "her go at it".
_LETTING = re.compile(
    r"\b(?:let|lets|make|makes|made|making|help|helps|helped|see|sees|saw|watch|watching|hear|heard)\s+$", re.IGNORECASE
)
_DOING = frozenset(
    "act angry be become come cry dance die do fall famous feel get go happy know laugh leave live look run sad say "
    "see seem sing smile speak take talk think try walk work".split()
)
_NO_NOUN_PHRASE = FUNCTION_WORDS - frozenset("very so and but quite really rather such up down off most".split())
DETERMINERS = frozenset(
    "a an the this that his her my our your their its some any every each no one another which what whose either "
    "neither these those two three four five six seven eight nine ten many several few most all both".split()
)
SINGULAR = DETERMINERS - frozenset(
    "these those two three four five six seven eight nine ten many several few most all both".split()
)
# What a name at the head of a sentence does, if it is one and no other word: "Frank told", "Jack himself".
_PERSON_VERBS = frozenset(
    "feels felt found finds made makes told tells goes went has had is was says said thinks thought likes liked loves "
    "loved hates hated wants wanted gives gave takes took gets got plays played and knows knew looks looked seems "
    "seemed himself herself".split()
)
_PREPOSITIONS = frozenset(
    "about against among as at by for from in into like of on over than that to toward towards with without".split()
)
# What makes a thing of the persons before it: "family values", "gay couple comedy".
_THINGS = frozenset(
    "album cinema comedies comedy drama dramas fantasies fantasy film films genre joke jokes magazine movie movies "
    "music name names novel romance story stories thriller values".split()
)
_TITLES = frozenset(
    "mr mrs ms miss dr uncle aunt aunty auntie sister brother cousin professor prof captain king queen".split()
)
_KIN = frozenset(
    "mother father mom mum dad mommy mummy daddy mama papa grandma grandpa granny grandad granddad uncle aunt auntie "
    "sister brother mr mrs ms".split()
)
_SENTENCE_START = re.compile(r"(?:^|[.!?…:;>(\[\"“‘«*\n]|--|—|[.!?]['’”)])\s*$")
_COPULA = re.compile(
    r"\b(?:he|she|who|they|i|we|you)(?:['’](?:s|re|m)|[ ](?:['’](?:s|re|m)|is|are|am|was|were))"
    r"(?:[ ](?:also|both|openly|only|just|so|very|too|now))?[ ]$",
    re.IGNORECASE,
)


def counts(text: str, start: int, end: int, entry: Entry) -> bool:
    """Whether the word at this place says what the list says of it.

    Parameters
    ----------
    text : str
    start, end : int
        Where the word stands.
    entry : Entry
        The list's line for it.
    """
    word = text[start:end]
    if entry.heading in (NAME, NAME_ALONE):
        return _is_name(text, start, end, entry)
    if entry.exact and not (word[0].isupper() and not starts_sentence(text, start)):
        return False
    if entry.word.islower() and _is_in_title(text, start, end):
        return False
    if entry.heading == "articled":
        return _has_determiner(text, start, DETERMINERS, 3)
    if entry.heading == "adjectives":
        return _before_person(text, end, entry.word) or is_predicate(text, start, end)
    if entry.heading == "plural nouns":
        return not re.match(r"[ ]?[&/-]", text[end:])
    if entry.heading == "singular nouns":
        return _has_determiner(text, start, SINGULAR, 1) and not _noun_follows(text, end)
    return True


def is_possessive(text: str, start: int, end: int) -> bool:
    """Whether the pronoun "her" or "his" here belongs to a noun that follows."""
    following = re.match(r"[ \t]+(?:[`'\"“‘]+[ ]?)?([A-Za-z]+)", text[end:])
    if not following or _MUCH.match(text[end:]):
        return False
    if re.match(r" (?:and|or) hers? \w", text[end:]):  # "his or her right mind"
        return True
    word = following.group(1).lower()
    if text[start:end].lower() == "his":
        return word not in _AFTER_OWN
    is_object = word in _DOING and bool(_LETTING.search(text[max(0, start - 12) : start]))
    return word not in _AFTER_OBJECT and not is_object


def may_be_dropped(text: str, start: int, end: int) -> bool:
    """Whether an adjective can go without harm: "a blind man", but not "a legally blind man" or "deaf and blind"."""
    before = re.search(r"([\w'’]+)[ ]$", text[max(0, start - 30) : start])
    if text[end : end + 1] != " " or is_predicate(text, start, end):
        return False
    if before is None:
        return starts_sentence(text, start)
    word = before.group(1).lower()
    return word in DETERMINERS | _PREPOSITIONS or word.endswith(("'s", "’s"))


def starts_sentence(text: str, start: int) -> bool:
    """Whether a sentence, or a quotation or a bracket, begins here."""
    return bool(_SENTENCE_START.search(text[max(0, start - 8) : start]))


def _is_capitalised(word: str) -> bool:
    return word[:1].isupper() and not (len(word) > 1 and word.isupper()) and word != "I"


def _is_in_title(text: str, start: int, end: int) -> bool:
    """Whether a common noun is part of a name: capitalised in mid-sentence, beside other capitals or by itself.

    "Mother" and "Uncle" may have a capital where they serve as names, and everything has one in a text of capitals.
    """
    word = text[start:end]
    if not _is_capitalised(word):
        return False
    before = re.search(r"([\w'’]+)[ ]$", text[max(0, start - 40) : start])
    follows = re.match(r"[ ]([A-Z][a-z]+)", text[end:])
    if word.lower() in _KIN:
        return bool(
            before and _is_capitalised(before.group(1)) and not starts_sentence(text, start - len(before.group()))
        )
    if starts_sentence(text, start):
        # "Man Bites Dog", but "He Himself" is nobody's title.
        return bool(follows and follows.group(1).lower() not in FUNCTION_WORDS and len(word) > 2)
    return True


def _is_name(text: str, start: int, end: int, entry: Entry) -> bool:
    """Whether a given name is one here: a capital, no part of a longer name or title, and no other word.

    A surname may follow; what precedes may be a title or the head of a sentence, but no other capitalised word.
    """
    word = text[start:end]
    if not _is_capitalised(word) or _is_headline(text, start):
        return False
    following = re.match(r"['’]?[ ]?([\w]+)", text[end:])
    next_word = following.group(1) if following else ""
    if re.fullmatch(r"[IVX]+", next_word):  # kings and popes
        return False
    if entry.heading == NAME_ALONE and re.match(r"[ ](?:[A-Z]\.|[A-Z][\w'’-]+)", text[end:]):
        return False
    before = re.search(r"([\w.'’]+)[ ]$", text[max(0, start - 40) : start])
    last = before.group(1) if before else ""
    if starts_sentence(text, start):
        # "Will it last", "Mark my words": a verb must show that the word is somebody's name.
        return not entry.exact or next_word in _PERSON_VERBS
    if last.rstrip(".").lower() in _TITLES:
        return True
    if _is_capitalised(last.rstrip(".'’")):
        at_head = starts_sentence(text, start - len(last) - 1)
        return at_head and last.lower() in FUNCTION_WORDS and not entry.exact
    return not entry.exact or (last.lower() not in DETERMINERS and not _is_capitalised(next_word))


def _is_headline(text: str, start: int) -> bool:
    """Whether most words around are capitalised, so that a capital says nothing."""
    around = re.findall(r"[A-Za-z]{4,}", text[max(0, start - 60) : start + 60])[1:-1]
    return len(around) > 3 and sum(word[0].isupper() for word in around) > 0.6 * len(around)


def _has_determiner(text: str, start: int, determiners: frozenset[str], between: int) -> bool:
    """Whether a determiner opens the noun phrase that ends here, with at most so many words between."""
    clause = re.split(r"[.;:!?()\"“”\n<>]", text[max(0, start - 60) : start])[-1]
    for word in reversed(re.findall(r"[\w'’-]+", clause)[-between - 1 :]):
        lower = word.lower()
        if lower in determiners or re.search(r"['’]s$|s['’]$", lower) or lower == "s":
            return True
        if lower in _NO_NOUN_PHRASE or (between == 1 and lower in ("most", "more", "so", "very", "less")):
            return False
    return False


def _before_person(text: str, end: int, adjective: str) -> bool:
    """Whether a noun for a person follows, at most one other adjective in between, and makes no thing of it."""
    following = re.match(r"((?:,? [A-Za-z-]+){1,3})", text[end:])
    words = re.findall(r"[A-Za-z-]+", following.group(1)) if following else []
    if len(words) > 1 and words[0].lower() not in people() and words[0].lower() not in FUNCTION_WORDS:
        if text[end:].startswith(","):
            return False
        words = words[1:]
    if not words or words[0].lower() not in people() or _is_capitalised(words[0]):
        return False
    if words[0].lower() in not_people_after().get(adjective.lower(), frozenset()):
        return False
    return len(words) == 1 or words[1].lower() not in _THINGS


def is_predicate(text: str, start: int, end: int) -> bool:
    """Whether the word says of a person what he or she is: "she is deaf", but not "he was blind to it"."""
    if not _COPULA.search(text[max(0, start - 30) : start]):
        return False
    following = re.match(r"[ ]?([\w'’-]+)", text[end:])
    return not following or following.group(1).lower() in ("and", "or", "but", "because", "so", "who", "too")


def _noun_follows(text: str, end: int) -> bool:
    following = re.match(r"[ ]([A-Za-z][\w'’-]*|[&/-])", text[end:])
    return bool(following) and following.group(1).lower() not in FUNCTION_WORDS  # type: ignore[union-attr]
