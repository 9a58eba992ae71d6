"""Texts that are made to keep a service busy, or to bring it down: what a stranger may send."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import NamedTuple

from audit import statistics
from audit.core.sentences import Sentence
from audit.text.characters import INVISIBLE

QUANTILE = 0.99  # of the answers' times, which so many texts are to bound
LONGEST = 1_000_000  # characters; about what a web server lets through unless it is told otherwise
# Part of the cache key of latencies: raise it whenever the texts change.
REVISION = 1


def _any_characters() -> str:
    """4,096 characters from the whole of Unicode, unassigned ones among them, but for lone surrogates."""
    rng = random.Random("any characters")
    codes = (rng.randrange(0x110000 - 0x800) for _ in range(4096))
    return "".join(chr(code if code < 0xD800 else code + 0x800) for code in codes)


# The pattern of each kind, repeated up to the wanted length.
KINDS: Mapping[str, str] = {
    Sentence("empty text"): "",
    Sentence("spaces"): " ",
    Sentence("line breaks"): "\r\n",
    Sentence("ordinary prose"):
        "The parcel came a week late and its box was torn, but the lamp works and I like the light. ",
    Sentence("one word without an end"): "abcdefghijklmnopqrstuvwxyz",
    Sentence("one number without an end"): "9876543210",
    Sentence("single letters"): "a b c d e f g h ",
    Sentence("punctuation"): "!?.,;:-/()[]{}'\"",
    Sentence("HTML tags"): "<div><b><i>",
    Sentence("HTML entities"): "&lt;&#0;&amp;",
    Sentence("words that steer a tokenizer"): "[CLS] [SEP] [MASK] [PAD] [UNK] <s> </s> ",
    Sentence("control characters"): "".join(map(chr, (*range(32), *range(127, 160)))),
    Sentence("halves of characters"): "\ud83d a\udc00 ",  # lone surrogates, as JSON's \ud83d brings them
    Sentence("Chinese characters"): "这盏灯很好看但是来得太晚",
    Sentence("Korean syllables"): "이조명은예쁘지만너무늦게왔어요",
    Sentence("right-to-left text and its marks"):
        "\u202eabc\u202c\u2067\u05e0\u05e8 \u05d8\u05d5\u05d1\u2069 \u061c\u0645 ",
    Sentence("invisible characters"): "".join(INVISIBLE),
    Sentence("stacked accents"): "e" + "\u0300\u0316\u0301\u0317\u0302\u0323\u0304\u0331" * 6,
    Sentence("joined emoji"): "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\u200d",
    # Compatibility forms, the first of a whole sentence.
    Sentence("characters that stand for many"): "\ufdfa\u3300\ufb03",
    Sentence("unassigned and private characters"): "\ue000\uffff\U000e0fff\U0010ffff",
    Sentence("characters of all kinds"): _any_characters(),
}  # fmt: skip


class Request(NamedTuple):
    """A hostile text by its recipe, since many of them would fill the memory."""

    kind: str
    length: int

    @property
    def text(self) -> str:
        """The text itself; of that many characters, unless it is the empty one."""
        unit = KINDS[self.kind]
        return (unit * (self.length // len(unit) + 1))[: self.length] if unit else ""


def hostile_requests(seed: int = 0, confidence: float = 0.95) -> list[Request]:
    """Hostile texts in random order, as many as an upper limit of the 99th percentile takes.

    Each kind is as likely as any other, and each order of magnitude of the length, from one character to a million,
    as any other.
    """
    rng = random.Random(seed)
    # Half the error is the ordinary texts'; a fifth more, so that the slowest single one does not decide alone.
    count = math.ceil(1.2 * statistics.enough_for_quantile(QUANTILE, statistics.shared_out(confidence, 2)))
    return [Request(rng.choice(list(KINDS)), round(math.exp(rng.uniform(0, math.log(LONGEST))))) for _ in range(count)]
