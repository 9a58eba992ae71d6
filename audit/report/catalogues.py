"""What there is to translate, and the catalogues that hold its translations.

After words were added or changed, ``python -m audit.report.catalogues`` brings the catalogues up to date: it adds
what is to be translated, with nothing yet in its place, and removes what nobody says any more.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import audit
from audit.core.sentences import Sentence
from audit.energy.phases import PHASES
from audit.policy.policy import embedded
from audit.probes import power
from audit.probes.catalogue import built_in
from audit.probes.quality.capabilities import grammar
from audit.report.i18n import words
from audit.report.i18n.language import ENGLISH, PAGE, RECORD, TAGS, place
from audit.report.i18n.words import Counted, Mark
from audit.report.page import standards
from audit.text import identity

# A model card and a bill of materials are for the Hub and for machines, which read English.
_ENGLISH_ONLY = ("CARD", "BOM")
_HOME_OF_SENTENCES = "sentences.py"
_OF_A_PROBE = ("title", "title_of", "unit", "counts", "meaning", "harm", "remedy")


def messages() -> list[str | Counted]:
    """Every English text that a page can say of its own accord, each once."""
    texts: dict[str | Counted, None] = {}
    for name, value in vars(words).items():
        if name.isupper() and name not in _ENGLISH_ONLY:
            texts.update(dict.fromkeys(_texts(value)))
    for declared in built_in():
        brackets = () if isinstance(declared.brackets, str) else declared.brackets
        texts.update(dict.fromkeys(getattr(declared, name) for name in _OF_A_PROBE))
        texts.update(dict.fromkeys(map(declared.named, brackets)))
    texts.update(dict.fromkeys(PHASES.values()))
    for standard in standards.STANDARDS:
        texts.update(dict.fromkeys((standard.title, standard.concerns)))
        for rule in standard.rules:
            texts.update(dict.fromkeys((rule.name, rule.asks, rule.adds, rule.open)))
    return [text for text in texts if text]


def _texts(value: object) -> Iterator[str | Counted]:
    if isinstance(value, str | Counted):
        yield value
    elif isinstance(value, Mark):
        yield value.word
    elif isinstance(value, tuple | Mapping):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)


def sentences() -> list[str]:
    """Every template of a sentence that the audit writes into a record, each once."""
    found: dict[str, None] = dict.fromkeys(map(str, grammar.prose()))
    found |= dict.fromkeys(group for axis in identity.AXES for group in identity.groups(axis))
    found |= dict.fromkeys(power.templates())
    found |= dict.fromkeys(gate.reason for gate in embedded().own_gates.values())
    for path in sorted(Path(audit.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == Sentence.__name__:
                found[_literal(node, path)] = None
    return [text for text in found if text]


def _literal(call: ast.Call, path: Path) -> str:
    template = call.args[0] if call.args else None
    if isinstance(template, ast.Constant) and isinstance(template.value, str):
        return template.value
    if path.name == _HOME_OF_SENTENCES:
        return ""
    raise ValueError(f"{path}:{call.lineno}: the template of a Sentence must be a literal, for translators to find it")


def update(folder: Path) -> None:
    """Bring the catalogues of a folder up to date with the words; what is to be translated is left empty there."""
    for language in TAGS:
        if language == ENGLISH:
            continue
        for domain, texts in ((PAGE, messages()), (RECORD, sentences())):
            _update(folder.joinpath(*place(language, domain)), language, texts)


def _update(path: Path, language: str, texts: Sequence[str | Counted]) -> None:
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po, write_po

    source = path.read_bytes()
    head = source.decode().partition("\n\n")[0]
    former, catalogue = read_po(BytesIO(source)), Catalog(TAGS[language][1])
    for text in texts:
        key = text if isinstance(text, str) else tuple(text)
        kept = former.get(text if isinstance(text, str) else text.one)
        catalogue.add(key, kept.string if kept is not None and kept.id == key else None)
    written = BytesIO()
    write_po(written, catalogue, width=120, omit_header=True)
    path.write_text(f"{head}\n\n{written.getvalue().decode().strip()}\n", "utf-8")


if __name__ == "__main__":
    update(Path(__file__).parent / "i18n")
