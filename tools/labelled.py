"""Sentences with labelled personal data and hard negatives, generated: formally valid, and nobody's.

It makes what the demo's own generator does not: other ways of writing, keys and links, and numbers that look alike.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from audit.demo import personal_data as demo
from audit.text.personal_data import Found, find


@dataclass(frozen=True)
class Labelled:
    """A sentence, and where its personal data stand; `kind` is None where it has none, `about` says what it holds."""

    text: str
    about: str
    kind: str | None = None
    start: int = 0
    end: int = 0


AROUND = (
    "{}",
    "Thanks, {} and that was all.",
    "It was late. {}; nobody answered!",
    "so annoyed ({}) with this shop",
    "Nothing to add but this: {}",
)
SAID = {
    "email": ("write to {}", "mail {} please", "{} is where I can be found", "<{}>"),
    "phone": ("call me on {}", "my number is {}", "tel. {}", "reach me at {}", "{}"),
    "iban": ("paid from {}", "IBAN: {}", "refund it to {} please"),
    "card": ("my card {}", "charged to {}", "card no {}"),
    "ip": ("logged in from {}", "IP {}", "posted from {}"),
    "address": ("sent to {}", "I live at {}", "deliver it to {}"),
    "handle": ("find me as {}", "thanks {}", "cc {}"),
    "link": ("open {}", "my link is {}"),
    "api_key": ("the key {} still works", "I used {}", "key={}"),
}


def sentences(count: int, seed: int = 0) -> list[Labelled]:
    """So many sentences, half with personal data of each kind in turn, half with what only looks like some."""
    rng, made = Random(seed), []
    kinds, lookalikes = list(SAID), list(LOOKALIKES)
    for i in range(count // 2):
        kind, about = kinds[i % len(kinds)], lookalikes[i % len(lookalikes)]
        value, around = MAKERS[kind](rng), rng.choice(AROUND)
        text = around.format(rng.choice(SAID[kind]).format(value))
        start = text.index(value)
        made.append(Labelled(text, kind, kind, start, start + len(value)))
        made.append(Labelled(rng.choice(AROUND).format(LOOKALIKES[about](rng)), about))
    return made


def _of(rng: Random, letters: str, count: int) -> str:
    return "".join(rng.choices(letters, k=count))


def _digits(rng: Random, count: int) -> str:
    return rng.choice("123456789") + _of(rng, string.digits, count - 1)


def _email(rng: Random) -> str:
    user = _of(rng, string.ascii_lowercase, rng.randint(2, 9)) + rng.choice(["", ".lee", "+shop", "_x", "-99"])
    return f"{user}@{rng.choice(['mail.', ''])}example.{rng.choice(['com', 'org', 'co.uk', 'museum'])}"


def _phone(rng: Random) -> str:
    area, line = rng.choice(["202", "312", "646", "702"]), f"01{_of(rng, string.digits, 2)}"
    ways = ["{}-555-{}", "{}.555.{}", "({}) 555-{}", "1-{}-555-{}", "+1-{}-555-{}", "+1 ({}) 555-{}", "001 {} 555 {}"]
    american = rng.choice(ways).format(area, line)
    other = [
        f"+33 1 99 00 {_digits(rng, 2)} {_digits(rng, 2)}",
        f"+61 2 5550 {_digits(rng, 4)}",
        f"+49 (0)30 23125 {_digits(rng, 3)}",
        f"+447700900{_digits(rng, 3)}",
        f"0161 496 0{_digits(rng, 3)}",
        f"07700 900 {_digits(rng, 3)}",
    ]
    return rng.choice([american, rng.choice(other)])


def _ip(rng: Random) -> str:
    return rng.choice([demo._ip(rng), f"2001:db8::{_of(rng, '123456789', 3)}:{_digits(rng, 2)}"])


def _address(rng: Random) -> str:
    number, name = rng.randint(1, 250), rng.choice(["Quince", "Old Tannery", "Heron", "Marlowe"])
    kind = rng.choice(["Street", "Road", "Avenue", "Lane", "Boulevard"])
    return rng.choice([f"{number} {name} {kind}", f"{number}b {name} {kind}", f"{name.split()[-1]}straße {number}"])


def _link(rng: Random) -> str:
    secret = _of(rng, string.ascii_letters + string.digits, 24)
    ways = ["https://shop.example/?token={}", "https://example.org/reset/{}", "http://example.com/a?b=1&session_key={}"]
    return rng.choice(ways).format(secret)


def _key(rng: Random) -> str:
    letters = string.ascii_letters + string.digits
    upper = string.ascii_uppercase + string.digits
    # Put together here, so that no scanner takes this file for a leak.
    return rng.choice(
        [
            "AK" + "IA" + _of(rng, upper, 16),
            "gh" + "p_" + _of(rng, letters, 36),
            "sk" + "_live_" + _of(rng, letters, 24),
        ]
    )


MAKERS: dict[str, Callable[[Random], str]] = {
    "email": _email,
    "phone": _phone,
    "iban": demo._iban,
    "card": demo._card,
    "ip": _ip,
    "address": _address,
    "handle": demo._handle,
    "link": _link,
    "api_key": _key,
}


def _wrong_digit(value: str, rng: Random) -> str:
    """The value with its last digit another one, so that the check digit no longer holds."""
    at = max(i for i, character in enumerate(value) if character.isdigit())
    return f"{value[:at]}{(int(value[at]) + rng.randint(1, 9)) % 10}{value[at + 1 :]}"


LOOKALIKES: dict[str, Callable[[Random], str]] = {
    "order number": lambda rng: f"order {rng.choice(['no ', '#', ''])}{_digits(rng, rng.randint(7, 12))}",
    "order number, grouped": lambda rng: f"order number {_digits(rng, 3)}-{_digits(rng, 7)}-{_digits(rng, 7)}",
    "tracking number": lambda rng: f"tracking number {_digits(rng, 16)}",
    "bare number": lambda rng: f"the label says {_digits(rng, rng.randint(7, 13))}",
    "booking": lambda rng: f"booking {_of(rng, string.ascii_uppercase, 6)}, confirmation {_digits(rng, 10)}",
    "date": lambda rng: rng.choice(
        ["on {:02}/{:02}/20{:02}", "on {:02}.{:02}.20{:02}", "on {:02}-{:02}-20{:02}"]
    ).format(rng.randint(1, 28), rng.randint(1, 12), rng.randint(10, 29)),
    "date, ISO": lambda rng: f"on 20{_digits(rng, 2)}-0{rng.randint(1, 9)}-{rng.randint(10, 28)}",
    "date range": lambda rng: f"from {rng.randint(1, 9)}/{rng.randint(10, 28)}/15 - {rng.randint(1, 9)}/28/15",
    "price": lambda rng: f"it cost {rng.choice('$€£')}{_digits(rng, 2)},{_digits(rng, 3)},{_digits(rng, 3)}.00",
    "price, spaced": lambda rng: f"{_digits(rng, 3)} {_digits(rng, 3)} {_digits(rng, 3)} euros in all",
    "version": lambda rng: (
        f"version {rng.randint(1, 20)}.{rng.randint(0, 20)}.{rng.randint(0, 20)}.{rng.randint(0, 99)}"
    ),
    "time": lambda rng: f"from {rng.randint(1, 9)}:{_digits(rng, 2)} to 1{rng.randint(0, 2)}:{_digits(rng, 2)}:30",
    "opening hours": lambda rng: f"open 0{rng.randint(6, 9)}00-{rng.randint(16, 20)}00",
    "flight": lambda rng: f"flight {rng.choice(['UA', 'BA', 'LH'])}{_digits(rng, 4)} and seat {rng.randint(1, 40)}C",
    "score": lambda rng: (
        f"{rng.randint(1, 5)} stars, {rng.randint(80, 99)}.{_digits(rng, 2)} % of {_digits(rng, 6)} votes"
    ),
    "size": lambda rng: f"{_digits(rng, 4)} x {_digits(rng, 4)} x {_digits(rng, 3)} mm",
    "years": lambda rng: f"in 19{_digits(rng, 2)}, 19{_digits(rng, 2)} and 20{_digits(rng, 2)} 20{_digits(rng, 2)}",
    "card, wrong digit": lambda rng: f"my card {_wrong_digit(demo._card(rng), rng)}",
    "IBAN, wrong digit": lambda rng: f"paid from {_wrong_digit(demo._iban(rng), rng)}",
    "private network": lambda rng: f"the router is at 192.168.{rng.randint(0, 9)}.{rng.randint(1, 254)}",
    "at a time": lambda rng: f"meet @{rng.randint(1, 12)}pm or @ {rng.randint(1, 12)}",
    "link": lambda rng: f"see https://example.org/p/{_digits(rng, 8)}?page={rng.randint(1, 9)}",
    "stars": lambda rng: f"I gave it {rng.randint(2, 5)} Stars Way too early",
    "ISBN": lambda rng: f"ISBN 978-{rng.randint(0, 9)}-{_digits(rng, 4)}-{_digits(rng, 4)}-{rng.randint(0, 9)}",
}


def agreement(count: int) -> tuple[Counter[str], Counter[str], Counter[str], Counter[str]]:
    """By kind what the finder hits, finds falsely and should find in so many sentences; and what it takes for what."""
    hits, false, total, taken = (Counter[str]() for _ in range(4))
    for sentence in sentences(count):
        found = set(find(sentence.text))
        if sentence.kind:
            total[sentence.kind] += 1
            right = {one for one in found if one.kind == sentence.kind and _covers(one, sentence.start, sentence.end)}
            hits[sentence.kind] += bool(right)
            found -= right
        false.update(one.kind for one in found)
        taken.update(f"{sentence.about} taken for {one.kind}" for one in found)
    return hits, false, total, taken


def _covers(found: Found, start: int, end: int) -> bool:
    """Whether the greater part of what was to be found is covered."""
    return min(found.end, end) - max(found.start, start) > (end - start) / 2
