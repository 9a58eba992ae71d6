"""500 of the airline tweets, labelled by hand: row numbers, kinds of personal data and counts, never a text or a value.

Labelled by one reader, the project's own author, who knew the finder's patterns but had not yet run it on them; nobody
labelled them a second time. The guide:

- Every place counts, a value that stands twice counts twice. Rows are numbered from 0, the header not counted.
- `handle`: an @ that addresses or names an account, a company's too, also in "RT" and after quotes. An @ that only
  means "at" (a place, a time, a price) is none, nor is the signature of an agent ("^JP").
- `email`: an address one can write to, also where it is spelled out ("ann at example dot org").
- `phone`: a telephone number one can dial, a company's too, also in letters; not the last digits of one.
- `address`: a street with a house number. An airport, a city or a gate is none.
- `link`: a link with a secret that lets its reader in. A shortened link to a picture or a page is none.
- `api_key`, `iban`, `card`, `ip`: as the words say, if the number is whole.
- `name`: the name of a real person, first or last or both together as one place: a customer, an agent, a celebrity.
  Initials, brands, bands, titles, characters and names within a handle or an address are none.
- `other`: no kind of the finder's, yet it leads to one person: the number of a booking, ticket, claim, case, bag or
  frequent flyer. The number of a flight, a gate, a seat or an aircraft is none.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from random import Random

from audit.text.personal_data import find

FILE = Path(__file__).with_name("airline_personal_data.csv")
RANDOM, NET = 400, 100
# A net as crude as can be: five digits with little between them, an @ behind anything, an address of the web, and words
# of streets. Not the words flight, call, phone and the like, nor every link: half of all tweets would be in it.
_NET = re.compile(r"(?:\d\W{0,3}){5}|\S@|www|\.com|\b(?:street|st|ave|avenue|road|rd|blvd)\b", re.IGNORECASE)
# What somebody would write who looks for e-mail addresses and American telephone numbers in five minutes.
NAIVE = {
    "email": re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    "phone": re.compile(r"(?<!\d)(?:1[ .-]?)?\(?\d{3}\)?[ .-]?\d{3}[ .-]?\d{4}(?!\d)"),
}


def tweets(folder: Path) -> list[str]:
    """The texts of airline.csv in order."""
    with (folder / "airline.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def drawn(texts: list[str], seed: int = 0) -> dict[int, str]:
    """The rows to be labelled and their stratum: `random` from all tweets, then `net` from the others in the net."""
    rng = Random(seed)
    rows = dict.fromkeys(sorted(rng.sample(range(len(texts)), RANDOM)), "random")
    caught = [row for row, text in enumerate(texts) if row not in rows and _NET.search(text)]
    return rows | dict.fromkeys(sorted(rng.sample(caught, NET)), "net")


def labels() -> dict[int, tuple[str, Counter[str]]]:
    """By row: its stratum, and how many places of each kind the reader saw."""
    read: dict[int, tuple[str, Counter[str]]] = {}
    with FILE.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            places = read.setdefault(int(line["row"]), (line["stratum"], Counter()))[1]
            if line["kind"]:
                places[line["kind"]] += int(line["places"])
    return read


def agreement(texts: list[str], strata: Iterable[str] = ("random", "net")) -> dict[str, tuple[int, int, int]]:
    """By kind: places found and labelled both, found, labelled.

    The file holds no positions, so of places of one kind in one tweet the smaller count is taken for what both saw.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row, (stratum, labelled) in labels().items():
        if stratum in strata:
            found = Counter(one.kind for one in find(texts[row]))
            for about, places in (("both", found & labelled), ("found", found), ("labelled", labelled)):
                counts[about].update(places)
    return {
        kind: (counts["both"][kind], counts["found"][kind], counts["labelled"][kind])
        for kind in sorted(counts["found"] | counts["labelled"])
    }
