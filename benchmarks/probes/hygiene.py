"""What `quality.data` and `fairness.representation` find where defects are planted, and say where nothing is wrong.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.hygiene
    … --seeds 5      # less of it; without AUDIT_TEST_DATA no real texts are looked at

Each seed takes 400 reviews of the demo as careful people type them, plants one kind of defect in 5 % of them, and asks
whether a gate of 1 % fails; on the clean twin it must pass. Of a planted language there are four sentences, so how
often a language is missed is measured on the report's own sentences in German and Chinese. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from babel.messages.pofile import read_po

from audit import Gate, Verdict, judge, statistics
from audit.demo import reviews
from audit.probes.ethics.representation import representation
from audit.probes.quality.hygiene import data
from audit.report import catalogues
from audit.testing import examples
from audit.text import hygiene, languages
from tools.hygiene import PLANTS, clean, planted

TEXTS, SHARE, GATE = 400, 0.05, Gate(max=0.01)
PEOPLE, FAIR = 600, Gate(max=0.1)
_FIELD = re.compile(r"\{[^}]*\}")
REAL = (("sst2_test.csv", "text"), ("airline.csv", "text"), ("imdb_test.parquet", "text"))


def _cell(hits: int, n: int) -> str:
    _, low, high = statistics.proportion(hits, n)
    return f"{hits:,} of {n:,} [{100 * low:.2f}, {100 * high:.2f}]"


def _verdict(texts: list[str]) -> Verdict:
    return judge(data(examples(np.arange(len(texts)) % 2, texts=texts)), GATE)[0]


def _defects(seeds: int) -> Iterator[str]:
    yield f"| planted in {SHARE:.0%} of {TEXTS} texts | seeds in which it fails | planted found | others alarmed |"
    yield "| --- | --- | --- | --- |"
    rows = [str(row["text"]) for row in reviews("test", TEXTS * seeds)]
    twins = [clean(rows[seed * TEXTS : (seed + 1) * TEXTS], seed) for seed in range(seeds)]
    for kind in PLANTS:
        fails, found, alarmed, spoilt_texts, others = 0, 0, 0, 0, 0
        for seed, twin in enumerate(twins):
            texts, spoilt = planted(twin, kind, SHARE, seed)
            fails += _verdict(texts) is Verdict.FAIL
            hits = np.array([kind.partition(":")[0] in hygiene.find(text, "en") for text in texts], dtype=bool)
            found, spoilt_texts = found + int(hits[spoilt].sum()), spoilt_texts + int(spoilt.sum())
            alarmed, others = alarmed + int(hits[~spoilt].sum()), others + int((~spoilt).sum())
        yield f"| {kind} | {_cell(fails, seeds)} | {_cell(found, spoilt_texts)} | {_cell(alarmed, others)} |"
    passes = sum(_verdict(twin) is Verdict.PASS for twin in twins)
    yield f"\nThe clean twin passes in {_cell(passes, seeds)} seeds."


def _languages() -> Iterator[str]:
    """Of the report's own German and Chinese sentences those that are long enough, held against English."""
    yield "\n| sentences of the report in | taken for no English | taken for not their own language |"
    yield "| --- | --- | --- |"
    for language in ("de", "zh"):
        path = Path(catalogues.__file__).parent / "i18n" / "locale" / language / "LC_MESSAGES" / "audit.po"
        with path.open("rb") as file:
            said = [_FIELD.sub(" ", str(message.string)) for message in read_po(file) if message.id]
        texts = [text for text in said if languages.is_long_enough(text)]
        cells = [
            _cell(sum(languages.is_foreign(text, other) for text in texts), len(texts)) for other in ("en", language)
        ]
        yield f"| {language} | {cells[0]} | {cells[1]} |"


def _people(seeds: int) -> Iterator[str]:
    yield f"\n| {PEOPLE} test examples, references 50/50, gate ≤ {FAIR.bound} | " + " | ".join(Verdict) + " |"
    yield "| --- |" + " --- |" * len(Verdict)
    for share in (0.5, 0.55, 0.65, 0.8):
        found: Counter[Verdict] = Counter()
        for seed in range(seeds):
            groups = np.where(np.random.default_rng(seed).random(PEOPLE) < share, "m", "f").tolist()
            test = examples(np.arange(PEOPLE) % 2, groups={"gender": groups})
            found[judge(representation(test, "gender", None, {"f": 0.5, "m": 0.5}), FAIR)[0]] += 1
        yield f"| {share:.0%} m, {1 - share:.0%} f | " + " | ".join(str(found[verdict]) for verdict in Verdict) + " |"


def _real(folder: Path) -> Iterator[str]:
    yield "\n| texts | any | " + " | ".join(hygiene.KINDS) + " |"
    yield "| --- | --- |" + " --- |" * len(hygiene.KINDS)
    for name, column in REAL:
        texts = [text.strip() for text in _column(folder / name, column)]
        found = [hygiene.find(text, "en") for text in texts]
        counts = Counter(kind for each in found for kind in each)
        cells = [_cell(counts[kind], len(texts)) for kind in hygiene.KINDS]
        yield f"| {name} | {sum(map(bool, found)) / len(texts):.1%} | " + " | ".join(cells) + " |"


def _column(path: Path, column: str) -> list[str]:
    import pandas

    frame = pandas.read_parquet(path) if path.suffix == ".parquet" else pandas.read_csv(path)
    return [str(value) for value in frame[column]]


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="Plant defects of data and see what is found.")
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    for line in (*_defects(asked.seeds), *_languages(), *_people(asked.seeds)):
        print(line)
    if folder := os.environ.get("AUDIT_TEST_DATA"):
        for line in _real(Path(folder)):
            print(line)


if __name__ == "__main__":
    main()
