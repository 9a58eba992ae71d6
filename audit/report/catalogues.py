"""What there is to translate, and the catalogues that hold its translations.

After words were added or changed, ``python -m audit.report.catalogues`` brings the catalogues up to date: it adds
what is to be translated, with nothing yet in its place, and removes what nobody says any more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from audit.energy.phases import PHASES
from audit.probes.catalogue import built_in
from audit.report.i18n import words
from audit.report.i18n.language import ENGLISH, TAGS, place
from audit.report.i18n.words import Counted, Mark
from audit.report.page import standards

# A model card and a bill of materials are for the Hub and for machines, which read English.
_ENGLISH_ONLY = ("CARD", "BOM")
_OF_A_PROBE = ("title", "unit", "counts", "meaning", "harm", "remedy")


def messages() -> list[str | Counted]:
    """Every English text that a page can say of its own accord, each once."""
    texts: dict[str | Counted, None] = {}
    for name, value in vars(words).items():
        if name.isupper() and name not in _ENGLISH_ONLY:
            texts.update(dict.fromkeys(_texts(value)))
    for declared in built_in():
        brackets = () if isinstance(declared.brackets, str) else declared.brackets
        texts.update(dict.fromkeys(getattr(declared, name) for name in _OF_A_PROBE))
        texts.update(dict.fromkeys(bracket.replace("_", " ") for bracket in brackets))
    texts.update(dict.fromkeys(PHASES.values()))
    for standard in standards.STANDARDS:
        texts.update(dict.fromkeys((standard.title, standard.concerns)))
        for rule in standard.rules:
            texts.update(dict.fromkeys((rule.name, rule.asks, rule.adds, rule.open)))
    return [text for text in texts if text]


def _texts(value: Any) -> Iterator[str | Counted]:
    if isinstance(value, str | Counted):
        yield value
    elif isinstance(value, Mark):
        yield value.word
    elif isinstance(value, tuple | Mapping):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)


def update(folder: Path) -> None:
    """Bring the catalogues of a folder up to date with the words; what is to be translated is left empty there."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    for language in TAGS:
        if language == ENGLISH:
            continue
        path = folder.joinpath(*place(language))
        source = path.read_bytes()
        head = source.decode().partition("\n\n")[0]
        former, catalog = read_po(BytesIO(source)), Catalog(TAGS[language][1])
        for text in messages():
            key = text if isinstance(text, str) else tuple(text)
            former_message = former.get(text if isinstance(text, str) else text.one)
            catalog.add(key, former_message.string if former_message is not None and former_message.id == key else None)
        written = BytesIO()
        write_po(written, catalog, width=120, omit_header=True)
        path.write_text(f"{head}\n\n{written.getvalue().decode().strip()}\n", "utf-8")


if __name__ == "__main__":
    update(Path(__file__).parent / "i18n")
