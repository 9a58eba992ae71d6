"""Personal data in texts: where it stands and of which kind. The one home of these patterns; it keeps no values.

Patterns only propose. What has a check digit, a numbering plan or an address range of its own is accepted only where
it obeys that, so that order numbers, dates and versions are left alone.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import phonenumbers
from stdnum import iban, luhn

from audit.core.errors import AuditError
from audit.core.sentences import Sentence
from audit.text.characters import Plain, Rewritten

if TYPE_CHECKING:
    from spacy.tokens import Doc


class Found(NamedTuple):
    """Where personal data stand in a text: ``text[start:end]``."""

    kind: str
    start: int
    end: int


# In order of precedence: of two that overlap, the one whose kind stands first is kept.
KINDS = ("link", "email", "api_key", "iban", "card", "ip", "phone", "address", "handle", "name")


class Measured(NamedTuple):
    """How well a kind is found: texts seen to have it, of those that do; texts seen to lack it, of those that do."""

    seen: int
    having: int
    silent: int
    lacking: int


# By text, in the 500 labelled tweets of tools/airline.py: of kinds that some of them have and some have not.
MEASURED = {"phone": Measured(9, 9, 491, 491), "email": Measured(1, 2, 498, 498)}
NameFinder = Callable[[str], Iterable[tuple[int, int]]]

# A local part has at most 64 characters (RFC 5321, 4.5.3.1.1); without a limit the search takes the square of a length.
_EMAIL = re.compile(r"[\w.%+-]{0,63}\w@\w[\w-]*(?:\.[\w-]+)*\.[^\W\d_]{2,}")
_LINK = re.compile(r"\b(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)
# A link gives somebody away where it lets its reader in: a secret in the query or the path, or a password.
_SECRET_IN_LINK = re.compile(
    r"//[^/\s:@]+:[^/\s@]+@"
    r"|[?&#;](?:[a-z]+[_-])?(?:token|key|apikey|auth|sig|signature|session|sessionid|sid|password|passwd|pwd|secret|otp|jwt)"
    r"=[^&\s]{6,}"
    r"|/(?:reset|confirm|verify|activate|invite|unsubscribe|magic|login)[a-z-]*/[\w-]{16,}",
    re.IGNORECASE,
)
_API_KEY = re.compile(
    r"(?<![\w-])(?:AKIA[A-Z0-9]{16}|ASIA[A-Z0-9]{16}|gh[opsur]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}"
    r"|xox[abeprs]-[\w-]{10,}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|[spr]k_(?:live|test)_\w{16,}"
    r"|sk-(?:[a-z]+-)*[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,})(?![\w-])"
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{1,4}){3,9}\b", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.,])\d(?:[ -]?\d){11,18}(?![\w]|[.,-]\d)")
# Source: ISO/IEC 7812; the ranges and lengths of the large issuers.
_ISSUER = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}"
)
_GROUPED = re.compile(r"\d+|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5}")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-f:]*\d)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}(?![\w:])", re.IGNORECASE)
_VERSION = re.compile(
    r"\b(?:v|version|ver|release|build|firmware|driver|section|chapter|update|patch|clause)\.?\s*$", re.IGNORECASE
)
_PRIVATE_NETWORKS = tuple(
    ipaddress.ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "0.0.0.0/8")
)
_PHONE = re.compile(
    r"(?<![\w,:/#$€£-])(?<!\d\.)(?:\(\+\d{1,3}\) ?|\+|00)?(?:\(\d{1,5}\)|\d)(?:[ ()./-]{0,3}\d){5,14}(?!\w|[.,:/-]\d)"
)
_NANP = re.compile(r"(?:1[ .-]?)?(?:\(\d{3}\) ?|\d{3}([ .-]))\d{3}[ .-]\d{4}")
_TRUNK = re.compile(r"\(?0\d{1,5}\)?(?:[ /-]\d{2,8}){1,4}")
_DATE = re.compile(r"\d{1,4}([./ -])\d{1,2}\1\d{2,4}")
_CALLING = re.compile(
    r"\b(?:call(?:ed|ing)?|phone[ds]?|telephone|tel|text(?:ed)?|ring|rang|dial(?:l?ed)?|mobile|cell|whats?app|reach(?:ed)?"
    r"|contact|fax|my number|his number|her number|number is)\b[^\d]{0,30}$",
    re.IGNORECASE,
)
_OTHER_NUMBER = re.compile(
    r"\b(?:order|invoice|tracking|ticket|booking|reference|ref|confirmation|conf|case|claim|serial|model|part|isbn|sku"
    r"|item|flight|locator|pnr|customer|member(?:ship)?|account|transaction|parcel|shipment|article"
    r"|rewards|bag|tag)"
    r"(?: (?:numbers?|no|id|code|is|was))*[.:#]{0,2}\s*(?:is |was )?#?$",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"\b\d{1,5}[A-Za-z]? (?:[A-Z][\w'’]+ ){1,3}"
    r"(?:(?:Street|Road|Avenue|Lane|Boulevard|Crescent|Terrace|Rd|Ave|Blvd)\b"
    # These words end other phrases too, so the address must end there as well.
    r"|(?:St|Dr|Ln|Drive|Close|Way|Court|Place|Square)\b(?=[.,;)\n]|$))"
    r"|\b[A-ZÄÖÜ][a-zäöüß]+(?:straße|strasse|str\.|gasse|allee|platz) \d{1,4} ?[a-z]?\b"
)
_HANDLE = re.compile(r"(?<![\w@/])@(?!\d{1,2}(?:[ap]m|h)?\b)(?=\w*[^\W\d_])\w{2,}")
# Patterns that mask on suspicion, for texts that are shown.
_LIKE_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_LIKE_HANDLE = re.compile(r"(?<!\w)@\w+")
_LONG_NUMBER = re.compile(r"\+?\(?\d[\d ()./-]{5,}\d")
_LIKE_ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}\b")
_LIKE_STREET = re.compile(
    r"\b\d+[a-z]? (?:[A-Z]\w+ ){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Drive|Close|Way|Crescent|Court|Place|Square)\b"
)
# Of what is to be shown also an address that was written with a space at its sign or at each of its marks, or in
# capitals throughout, and a number with any kind of dash; nine digits, since two years are no number.
_SPACED_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]*+(?<=\w)\s{0,3}@\s{0,3}\w[\w-]*(?:\.[\w-]+)*\.[^\W\d_]{2,}"
    r"|\b\w++(?: [.+-] \w++){0,8} @ \w+(?: [.-] \w+){0,8} \. [^\W\d_]{2,}"
)
_KEY_IN_ANY_CASE = re.compile(_API_KEY.pattern, re.IGNORECASE)
_STREET_IN_CAPITALS = re.compile(
    r"\b\d+[A-Z]? (?:[A-Z][A-Z'’]+ ){1,3}"
    r"(?:STREET|ST|ROAD|RD|AVENUE|AVE|LANE|BOULEVARD|BLVD|CRESCENT|TERRACE|DRIVE|CLOSE|WAY|COURT|PLACE|SQUARE)\b"
    r"|\b[A-ZÄÖÜ]+(?:STRASSE|STR\.|GASSE|ALLEE|PLATZ) \d{1,4}\b"
)
_DASHED_NUMBER = re.compile(r"\+?\(?\d(?:[ ()./\u2010-\u2015\u2212-]{0,3}\d){8,}")
# What is written so that only a reader takes it for an address or a number. The word "at" between two others, or a
# sentence that ends behind "@", is none: it needs a spelled dot, dots that stand apart, or a host of nothing but mail.
# An address has few dots: without a limit the search would take time in the square of a hostile text.
_BRACKETED_AT = r"\s?[(\[{<]\s?at\s?[)\]}>]\s?"
_SPELLED_DOT = r"\s?[(\[{<]\s?dot\s?[)\]}>]\s?|\sdot\s"
_TOP_LEVEL = (
    "(?:com|org|net|edu|gov|mil|int|info|biz|name|museum|shop|cloud|io|co|dev|app|xyz|online|example|test|eu|ac|ae|ar|au"
    "|br|ca|ch|cl|cn|cz|de|dk|es|fi|fr|gr|hk|hu|ie|il|jp|kr|lt|lu|lv|mx|nl|nz|pl|pt|ro|ru|se|sg|sk|tr|tw|ua|uk|za)"
)
_MAIL_HOST = (
    r"(?:gmail|googlemail|yahoo|hotmail|outlook|icloud|aol|gmx|protonmail|ymail|msn|fastmail|mail|web)"
    r"\.(?:com|org|net|me|de|co\.uk|fr)"
)
_DISGUISED = re.compile(
    rf"(?<![\w.%+-])[\w%+-]++(?:(?:{_SPELLED_DOT}|\s?\.\s?)[\w%+-]++){{0,4}}?(?:"
    rf"(?:{_BRACKETED_AT}|\s?@\s?|\sat\s)"
    rf"(?:[\w-]++(?:(?:{_SPELLED_DOT}|\.)[\w-]++){{0,4}}(?:{_SPELLED_DOT}){_TOP_LEVEL}|{_MAIL_HOST})"
    rf"|{_BRACKETED_AT}[\w-]++(?:\s?\.\s?[\w-]++){{0,4}}\s?\.\s?{_TOP_LEVEL}"
    rf"|\s?@\s?[\w-]++(?:\s\.\s[\w-]++){{0,4}}\s\.\s{_TOP_LEVEL})(?![\w@])"
    r"|(?<!\w)[A-Z] [A-Z] \d \d(?: [A-Z\d](?!\w)){11,30}+"
    r"|(?<![\w.,+])(?<!\d )(?:\+ ?)?\d(?: \d(?!\w)){8,18}+(?! \d)",
    re.IGNORECASE,
)
_MAY_BE_DISGUISED = re.compile(r"\bdot\b|@|\bat\b[^\w]*\w+\s?\.|\d \d \d \d", re.IGNORECASE)
_SPELLED = re.compile(rf"(?P<at>{_BRACKETED_AT}|\sat\s)|(?P<dot>{_SPELLED_DOT})|\s", re.IGNORECASE)


def find(text: str, names: NameFinder | None = None) -> tuple[Found, ...]:
    """The personal data in a text and in what a reader takes it for, with no disguise of signs, spaces or words.

    Parameters
    ----------
    text : str
    names : callable, optional
        From a text to the spans of person names, as :func:`name_finder` gives it.

    Returns
    -------
    tuple of Found
        In order of the text; no two overlap.

    Notes
    -----
    Sources: ISO 13616 (IBAN), ISO/IEC 7812-1 (Luhn digit), both by python-stdnum; the numbering plans of
    libphonenumber; RFC 791 and RFC 4291 (IP addresses).
    """
    return _settled(sorted(_read(text, names), key=lambda found: KINDS.index(found.kind)))


def suspects(text: str) -> tuple[Found, ...]:
    """The personal data in a text, and whatever could be: every link, long number and account, valid or not.

    For hiding, where one too many does no harm; too many to count. The spans of what overlaps are joined.
    """
    return joined(_likely(text))


def hidden(text: str) -> tuple[Found, ...]:
    """What of a text must not be shown: :func:`suspects` of it and of what a reader takes it for.

    Also addresses that are written with spaces or in capitals, keys whose case is lost, and numbers with any dashes.
    """
    return joined(
        Found(kind, *place(start, end))
        for read, place in _readings(text)
        for kind, start, end in (
            *_likely(read),
            *(_matches("email", _SPACED_EMAIL, read) if "@" in read else ()),
            *_matches("api_key", _KEY_IN_ANY_CASE, read),
            *_matches("address", _STREET_IN_CAPITALS, read),
            *_matches("phone", _DASHED_NUMBER, read),
        )
    )


def certain(text: str) -> tuple[Found, ...]:
    """What :func:`find` finds, the spans of what overlaps joined; for names, where a number is often no more."""
    return joined(_read(text, None))


_NAMED: Mapping[str, Sentence] = {
    "link": Sentence("a link with a secret"),
    "name": Sentence("a name"),
    "address": Sentence("a street and number"),
}


def masked(kind: str, value: str) -> str:
    """What a table may show of a value: enough to see what it was, too little to know it."""
    if kind == "email":
        return f"{value[0]}…@…"
    if kind == "handle":
        return f"@{value[1]}…"
    if kind in _NAMED:
        return _NAMED[kind]
    return Sentence("{first}…, {length} characters", first=value[0], length=len(value))


def name_finder(model: str) -> NameFinder | None:
    """A finder of person names by the user's own spaCy model; None for the empty string. Nothing is downloaded.

    Raises
    ------
    AuditError
        If spaCy or the model is not installed.
    """
    if not model:
        return None
    try:
        import spacy

        read: Callable[[str], Doc] = spacy.load(model)
    except (ImportError, OSError):
        raise AuditError(
            f"[privacy] spacy_model = '{model}' cannot be loaded; install spaCy and this model, or leave the key empty."
        ) from None
    return lambda text: ((e.start_char, e.end_char) for e in read(text).ents if e.label_ in ("PERSON", "PER"))


def _readings(text: str) -> Iterator[tuple[str, Callable[[int, int], tuple[int, int]]]]:
    """A text as it stands and, where that is another, as a reader takes it; each with where its parts stand in it."""
    yield text, lambda start, end: (start, end)
    plain = Plain(text)
    if plain.text != text:
        yield plain.text, plain.place
    if _MAY_BE_DISGUISED.search(plain.text):
        undisguised = Rewritten(plain.text, _DISGUISED, _undisguised)
        if undisguised.text != plain.text:
            yield undisguised.text, lambda start, end: plain.place(*undisguised.place(start, end))


def _undisguised(disguised: re.Match[str]) -> str:
    """An address or a number as it is used: signs for the words that stand for them, nothing between its characters."""
    return _SPELLED.sub(lambda part: {"at": "@", "dot": "."}.get(part.lastgroup or "", ""), disguised[0])


def _read(text: str, names: NameFinder | None) -> Iterator[Found]:
    """What is valid by itself in any reading of a text; spans may overlap."""
    for read, place in _readings(text):
        for kind, start, end in _proposed(read, names):
            yield Found(kind, *place(start, end))


def _likely(text: str) -> Iterator[Found]:
    """Everything that is or could be personal data; spans may overlap."""
    yield from _proposed(text, None)
    if "@" in text:
        yield from _matches("email", _LIKE_EMAIL, text)
    yield from _matches("link", _LINK, text)
    yield from _matches("iban", _LIKE_ACCOUNT, text)
    yield from _matches("ip", _IPV4, text)
    yield from _matches("address", _LIKE_STREET, text)
    yield from _matches("phone", _LONG_NUMBER, text)
    yield from _matches("handle", _LIKE_HANDLE, text)


def joined(likely: Iterable[Found]) -> tuple[Found, ...]:
    """Spans in their order, those that overlap as one of the kind that stands first."""
    joined: list[Found] = []
    for kind, start, end in sorted(likely, key=lambda spans: (spans.start, spans.end)):
        if joined and start < joined[-1].end:
            last = joined.pop()
            joined.append(Found(min(last.kind, kind, key=KINDS.index), last.start, max(last.end, end)))
        else:
            joined.append(Found(kind, start, end))
    return tuple(joined)


def _settled(proposed: Iterable[Found]) -> tuple[Found, ...]:
    """Of spans that overlap, the one whose kind stands first."""
    disjoint: list[Found] = []
    for found in proposed:
        if all(found.end <= other.start or other.end <= found.start for other in disjoint):
            disjoint.append(found)
    return tuple(sorted(disjoint, key=lambda found: found.start))


def _proposed(text: str, names: NameFinder | None) -> Iterator[Found]:
    """Everything that is valid by itself, in order of precedence; spans may overlap."""
    yield from (found for found in _matches("link", _LINK, text) if _SECRET_IN_LINK.search(text, *found[1:]))
    if "@" in text:
        yield from _matches("email", _EMAIL, text)
    yield from _matches("api_key", _API_KEY, text)
    if any(character.isdigit() for character in text):
        yield from _ibans(text)
        yield from (found for found in _matches("card", _CARD, text) if _is_card(text, found))
        yield from (found for found in _matches("ip", _IPV4, text) if _is_ip(text, found))
        yield from (found for found in _matches("ip", _IPV6, text) if _is_ip(text, found))
        yield from (found for found in _matches("phone", _PHONE, text) if _is_phone(text, found))
        yield from _matches("address", _STREET, text)
    if "@" in text:
        yield from _matches("handle", _HANDLE, text)
    if names is not None:
        yield from (Found("name", start, end) for start, end in names(text))


def _matches(kind: str, pattern: re.Pattern[str], text: str) -> Iterator[Found]:
    return (Found(kind, *match.span()) for match in pattern.finditer(text))


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        # The words behind an account number look like groups of it, so the longest valid beginning counts.
        ends = [m.end() for m in re.finditer(r"[A-Za-z0-9]+", match.group())]
        valid = (end for end in reversed(ends) if iban.is_valid(match.group()[:end], check_country=False))
        if end := next(valid, None):
            yield Found("iban", match.start(), match.start() + end)


def _is_card(text: str, found: Found) -> bool:
    written = text[found.start : found.end]
    digits = re.sub(r"\D", "", written)
    return bool(
        _ISSUER.fullmatch(digits)
        and _GROUPED.fullmatch(written)
        and luhn.is_valid(digits)
        and not _OTHER_NUMBER.search(text[max(0, found.start - 40) : found.start])
    )


def _is_ip(text: str, found: Found) -> bool:
    try:
        address = ipaddress.ip_address(text[found.start : found.end])
    except ValueError:
        return False
    # Addresses that every home or machine has point to nobody.
    nobody = address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local
    nobody = nobody or any(address in network for network in _PRIVATE_NETWORKS if network.version == address.version)
    return not nobody and not _VERSION.search(text[max(0, found.start - 20) : found.start])


def _is_phone(text: str, found: Found) -> bool:
    written = text[found.start : found.end]
    before = text[max(0, found.start - 40) : found.start]
    if _OTHER_NUMBER.search(before) or _DATE.match(written):
        return False
    if written.lstrip("(").startswith(("+", "00")):
        # Numbers set aside for fiction are in no numbering plan, though dialled like any other: possible is enough.
        return _in_plan("+" + written.lstrip("(+0"), None, _whole)
    if _NANP.fullmatch(written):
        return _in_plan(written, "US", phonenumbers.is_valid_number)
    if _TRUNK.fullmatch(written) and sum(map(str.isdigit, written)) >= 9:
        british = written.lstrip("(").startswith("07") and _in_plan(written, "GB", phonenumbers.is_possible_number)
        return british or any(_in_plan(written, region, phonenumbers.is_valid_number) for region in ("GB", "DE"))
    called = _CALLING.search(before)
    return bool(called) and any(_in_plan(written, r, phonenumbers.is_valid_number) for r in ("US", "GB"))


def _whole(number: phonenumbers.PhoneNumber) -> bool:
    """Whether a number has a length that can be dialled from abroad, where one within a town cannot."""
    return bool(phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE)


def _in_plan(written: str, region: str | None, holds: Callable[[phonenumbers.PhoneNumber], bool]) -> bool:
    try:
        return holds(phonenumbers.parse(written, region))
    except phonenumbers.NumberParseException:
        return False
