"""Made-up personal data in natural sentences, for the audit to find: formally valid, and nobody's.

Domains, telephone numbers and IP addresses come from the ranges reserved for examples and fiction; account numbers
name banks that do not exist; card numbers start like the payment industry's own test cards.
"""

# Sources: RFC 2606 (domains), RFC 5737 (IP addresses), ISO 13616 (IBAN), ISO/IEC 7812-1 (Luhn digit); the telephone
# numbers are those that the American, British and German regulators set aside for fiction.

from __future__ import annotations

from collections.abc import Callable
from random import Random

_NAMES = (
    "amara",
    "yuki",
    "fatima",
    "lars",
    "mateo",
    "priya",
    "kwame",
    "olga",
    "tariq",
    "chloe",
    "wei",
    "jonas",
)
_SURNAMES = (
    "lindqvist",
    "okafor",
    "moreau",
    "tanaka",
    "hartwell",
    "petrova",
    "silva",
    "nyberg",
    "hadley",
    "castell",
)
_STREETS = (
    "Larkspur Lane",
    "Quillfeather Road",
    "Old Tannery Street",
    "Thimble Close",
    "Marlowe Crescent",
    "Heron Way",
)
_HOBBIES = ("bakes", "reads", "tinkers", "hikes", "sews", "gardens")
_TOWNS = ("Millbrook", "Ashcombe", "Fernhollow", "East Wexley", "Stonebridge", "Harrowdale")

_SENTENCES = {
    "email": (
        "Questions are welcome at {}.",
        "Write to {} if you want to see photos.",
        "My order went through under {}.",
    ),
    "phone": (
        "Ring me on {} if you want to know more.",
        "My number is {} if anyone has questions.",
        "The driver called me on {}.",
    ),
    "iban": (
        "I paid by transfer from {}.",
        "The amount was taken from my account {}.",
        "My account for the voucher is {}.",
    ),
    "card": (
        "I paid with my card {}.",
        "The amount was charged to card number {}.",
        "My order was put on card {}.",
    ),
    "ip": (
        "I am posting this from {}.",
        "My order was logged from {}.",
        "The shop tells me that I ordered from {}.",
    ),
    "address": (
        "It was delivered to {}.",
        "I had it sent to {}.",
        "Anyone nearby may have a look at it at {}.",
    ),
    "handle": (
        "There are photos on my page, {}.",
        "You can find me as {} if you have questions.",
        "I am {} on the photo site.",
    ),
}
KINDS = tuple(_SENTENCES)


def sentence(rng: Random, kind: str) -> str:
    """A sentence that gives away one piece of personal data of this kind."""
    return rng.choice(_SENTENCES[kind]).format(_MAKERS[kind](rng))


def _digits(rng: Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def _email(rng: Random) -> str:
    user = f"{rng.choice(_NAMES)}{rng.choice(['.', '_', ''])}{rng.choice(_SURNAMES)}{rng.choice(['', _digits(rng, 2)])}"
    return f"{user}@example.{rng.choice(['com', 'org', 'net'])}"


def _phone(rng: Random) -> str:
    three = _digits(rng, 3)
    area = rng.choice(["212", "303", "415", "617", "808"])
    return rng.choice(
        [
            f"({area}) 555-01{three[:2]}",
            f"+1 {area} 555 01{three[:2]}",
            f"07700 900{three}",
            f"+44 7700 900{three}",
            f"020 7946 0{three}",
            f"030 23125 {three}",
            f"+49 30 23125 {three}",
        ]
    )


def _iban(rng: Random) -> str:
    country, account = rng.choice(
        [
            ("DE", "00000000" + _digits(rng, 10)),
            ("AT", "00000" + _digits(rng, 11)),
            ("CH", "00000" + _digits(rng, 12)),
            ("GB", "DEMO" + _digits(rng, 14)),
            ("IE", "DEMO" + _digits(rng, 14)),
            ("NL", "DEMO" + _digits(rng, 10)),
        ]
    )
    number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    iban = f"{country}{98 - number % 97:02}{account}"
    return rng.choice([iban, " ".join(iban[i : i + 4] for i in range(0, len(iban), 4))])


def _card(rng: Random) -> str:
    payload = rng.choice(["411111", "424242", "555555", "510510"]) + _digits(rng, 9)
    # Every second digit from the right is doubled, beginning with the last of the payload.
    doubled = [int(digit) * (2 - i % 2) for i, digit in enumerate(reversed(payload))]
    number = f"{payload}{-sum(value // 10 + value % 10 for value in doubled) % 10}"
    separator = rng.choice(["", " ", "-"])
    return separator.join(number[i : i + 4] for i in range(0, 16, 4))


def _ip(rng: Random) -> str:
    return f"{rng.choice(['192.0.2', '198.51.100', '203.0.113'])}.{rng.randint(1, 254)}"


def _address(rng: Random) -> str:
    return f"{rng.randint(1, 140)} {rng.choice(_STREETS)}, {rng.choice(_TOWNS)}"


def _handle(rng: Random) -> str:
    return f"@{rng.choice(_NAMES)}_{rng.choice(_HOBBIES)}{rng.randint(1, 99)}"


_MAKERS: dict[str, Callable[[Random], str]] = {
    "email": _email,
    "phone": _phone,
    "iban": _iban,
    "card": _card,
    "ip": _ip,
    "address": _address,
    "handle": _handle,
}
