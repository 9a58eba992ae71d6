"""What follows from the declarations of the probes and is written down all the same: ``python -m tools.derived``.

It renews README's table of ids, the parts of the record's schema that follow from types, and the keys of the
translators' catalogues. The tests say when one of them is stale. The lines of a gate are printed when somebody asks for
them: ``python -m audit gate ID``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from audit.core.identifiers import CHALLENGES
from audit.core.probe import Probe
from audit.probes.catalogue import built_in
from audit.record import schema
from audit.report import catalogues

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BEGIN, END = "<!-- ids: written by `make derived` -->\n", "<!-- end of ids -->"
_HEAD = "| challenge | id | what it says |\n|---|---|---|\n"


def table() -> str:
    """All ids by challenge: title, what the number counts, and where the method is explained."""
    return _HEAD + "".join(_rows())


def _rows() -> Iterator[str]:
    for challenge in CHALLENGES:
        for i, declared in enumerate(each for each in built_in() if each.challenge == challenge):
            yield f"|{f' {challenge}' * (i == 0)} | {_id(declared)} | {_meaning(declared)} |\n"


def _id(declared: Probe) -> str:
    bracket = f"[{declared.bracket}]" if declared.bracket else ""
    return f"`{declared.id}{bracket}`"


def _meaning(declared: Probe) -> str:
    meaning = f"{declared.title}: {declared.counts}" if declared.counts else declared.title
    if not declared.counts and declared.unit not in declared.title:
        meaning += f", in {declared.unit}"
    return f"{meaning} ([how]({declared.guide}))" if declared.guide else meaning


def readme(text: str) -> str:
    """README with the table as it is to be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def main() -> None:
    """Renew all of it."""
    README.write_text(readme(README.read_text("utf-8")), "utf-8")
    schema.main()
    catalogues.update(Path(catalogues.__file__).parent / "i18n")


if __name__ == "__main__":
    main()
