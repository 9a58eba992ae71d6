"""Texts with a defect planted in some of them, for tests and measurements of `quality.data`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

# Reviews of goods in other languages, of 40 letters (or 14 Chinese characters) and more.
FOREIGN = {
    "de": (
        "Leider ist der Topf schon nach zwei Wochen verrostet, ich habe ihn zurückgeschickt.",
        "Die Lampe leuchtet hell und war schnell aufgebaut, wir sind sehr zufrieden damit.",
        "Für diesen Preis hatte ich mehr erwartet, der Stoff ist dünn und kratzt.",
        "Der Kundendienst hat sofort geantwortet und mir ein neues Kabel geschickt.",
    ),
    "fr": (
        "La bouilloire fuit depuis le premier jour et personne ne répond à mes messages.",
        "Très bonne qualité, je recommande ce sac à tous ceux qui voyagent souvent.",
        "Le livreur est arrivé en retard, mais la chaise est confortable et solide.",
        "Je suis déçue par la couleur, elle ne ressemble pas du tout à la photo.",
    ),
    "es": (
        "La batería dura muy poco y el cargador se calienta demasiado, no lo compren.",
        "Estoy encantada con esta manta, es suave y abriga mucho en invierno.",
        "El envío tardó tres semanas, pero el producto llegó en perfecto estado.",
        "No funciona con mi teléfono, aunque la descripción decía que era compatible.",
    ),
    "nl": (
        "De stoel wiebelt en er ontbraken twee schroeven, ik heb hem teruggestuurd.",
        "Mooie lamp voor een redelijke prijs, ik zou hem zo weer kopen voor mijn zus.",
        "Het boek kwam beschadigd aan, maar de winkel heeft het meteen vergoed.",
        "Na een maand gebruik werkt de knop al niet meer, erg jammer van het geld.",
    ),
    "ru": (
        "Чайник сломался через неделю, деньги до сих пор не вернули.",
        "Отличное качество, удобная ручка, всем советую эту сковороду.",
        "Размер не подошёл, хотя на сайте было указано иначе.",
        "Доставили быстро, упаковка целая, подарок понравился.",
    ),
    "zh": (
        "这个锅用了不到一个星期就坏了,客服也不回复,非常失望。",
        "质量很好,颜色和照片一样,下次还会再来买。",
        "快递太慢了,等了三个星期才收到,不过东西还可以。",
        "说明书写得不清楚,装了半天也没有装好,很麻烦。",
    ),
}
_HIDDEN = "\u200b\u200e\ufeff\u00ad\u2060\x08"
_MARKUP = ("<br /><br />", " &amp; ", "&quot;", "<p>", "<a href='x'>", "&#39;")
_NOTHING = ("?" * 12, "a" * 20, "good " * 8, "." * 5, "!!! " * 6)
Plant = Callable[[str, np.random.Generator], str]


def clean(texts: Sequence[str], seed: int) -> list[str]:
    """The same texts as careful people type them, with what is easily taken for a defect and is none."""
    rng = np.random.default_rng(seed)
    ends = (
        "",
        " – I’d say so…",
        " ★★★★☆",
        " £5 or 6 €, 20 °C",
        " Crème brûlée!",
        " 👍🏽 <3",
        " R&D, AT&T; 3 < 4",
        " “Ça va?”",
    )
    return [f"{text.replace(chr(39), '’')}{rng.choice(ends)}" for text in texts]


def _inserted(text: str, part: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(1, max(len(text), 2)))
    return f"{text[:at]}{part}{text[at:]}"


def _wrongly_decoded(text: str, rng: np.random.Generator) -> str:
    spoken = _inserted(text, str(rng.choice(["’", " café ", " – ", "é", "£5 ", "…", "ü"])), rng)
    return spoken.encode("utf-8").decode("cp1252", "replace").replace("\ufffd", "")


def _one_of(texts: Sequence[str]) -> Plant:
    return lambda _, rng: str(rng.choice(texts))


PLANTS: dict[str, Plant] = {
    "unreadable": lambda text, rng: _inserted(text, "\ufffd", rng),
    "mojibake": _wrongly_decoded,
    "unseen": lambda text, rng: _inserted(text, str(rng.choice(list(_HIDDEN))), rng),
    "markup": lambda text, rng: _inserted(text, str(rng.choice(_MARKUP)), rng),
    **{f"language:{name}": _one_of(sentences) for name, sentences in FOREIGN.items()},
    "constant": _one_of(_NOTHING),
}


def planted(texts: Sequence[str], kind: str, share: float, seed: int) -> tuple[list[str], NDArray[np.bool_]]:
    """The texts with a defect in so many of them, and in which; kinds are those of :data:`PLANTS`."""
    rng = np.random.default_rng(seed)
    spoilt = np.zeros(len(texts), dtype=bool)
    spoilt[rng.choice(len(texts), round(share * len(texts)), replace=False)] = True
    plant = PLANTS[kind]
    return [plant(text, rng) if bad else text for text, bad in zip(texts, spoilt, strict=True)], spoilt
