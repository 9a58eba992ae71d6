"""Planted shortcuts: how many `quality.shortcut` finds, and how often it alarms on their clean twins.

    python -m benchmarks.probes.shortcuts --out shortcuts.jsonl --cache CACHE            # half an hour of one core
    AUDIT_TEST_DATA=… python -m benchmarks.probes.shortcuts --data sst2 --seeds 0:5 --out … --cache …
    … --table                                                 # only the table, from the file
    … --opinions vader_lexicon.txt    # how many words of opinion are taken for cues, by the lexicon of vaderSentiment

Each run plants a shortcut in training and test texts alike, trains a small BERT on them, and measures with the training
data and without. In the clean twin the same ratings, site and marks stand in as many texts of either class. What the
file holds is not made again; each line has its seed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from audit import Gate, NotAssessed, demo, judge, statistics
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.core.verdict import Verdict
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.policy.policy import SMALL_BERT, Finetune
from audit.probes.quality import shortcut_search as search
from audit.probes.quality.shortcut import shortcut
from audit.text.cues import Spoken
from audit.training.finetune import Recipe, train
from tools.shortcuts import PLANTS, TWIN, planted

CLASSES = ("negative", "positive")
GATE = Gate(max=0.1)  # where the finding is worrying
TRAIN, TEST, MAX_LENGTH = 2_000, 1_200, 48
STRONG = 1.0  # valence, of 4, from which on a word is an opinion
LEARNT = 0.65  # accuracy
VIEWS = ("training data", "test data alone")
# What the name of the finding must hold.
SOUGHT = {"rating": ("rating",), "site": ("name", "closing"), "mark": ("punctuation “!”",)}


def data(name: str, seed: int) -> tuple[Examples, Examples]:
    """Training and test texts of two classes: reviews of the demo, or sentences of SST-2."""
    if name == "demo":
        train_rows, test_rows = _reviews("train", TRAIN, seed), _reviews("test", TEST, seed)
    else:
        import pandas as pd

        folder = Path(os.environ["AUDIT_TEST_DATA"])
        tables = (
            pd.read_csv(folder / f"sst2_{split}.csv").sample(frac=1, random_state=seed) for split in ("train", "test")
        )
        train_rows, test_rows = (
            [(str(text), CLASSES.index(label)) for text, label in zip(table["text"], table["label"], strict=True)]
            for table in tables
        )
    return _examples(train_rows), _examples(test_rows)


def _reviews(split: Literal["train", "test"], rows: int, seed: int) -> list[tuple[str, int]]:
    two = (row for row in demo.reviews(split, 2 * rows, seed) if row["label"] in CLASSES)
    return [(str(row["text"]), CLASSES.index(str(row["label"]))) for row in islice(two, rows)]


def _examples(rows: list[tuple[str, int]]) -> Examples:
    return Examples(tuple(text for text, _ in rows), np.array([label for _, label in rows], dtype=np.int64), CLASSES)


def run(name: str, kind: str, seed: int, cache: Cache) -> Iterator[dict[str, Any]]:
    """A model with a planted shortcut, or the clean twin: a line for each view."""
    train_data, test_data = (planted(each, kind, seed) for each in data(name, seed))
    work = cache, Meter("DEU"), Progress()
    for again in range(3):  # a small BERT that learns nothing is trained by another seed, as whoever made it would do
        settings = Finetune(
            initialise="scratch", epochs=3, batch_size=32, learning_rate=1e-3, warmup_ratio=0.1, group_by_length=True,
            seed=seed + 100 * again,
        )  # fmt: skip
        recipe = Recipe(SMALL_BERT, None, None, True, settings, MAX_LENGTH, "cpu")
        scorer = Scorer(train(recipe, train_data, *work), *work)
        said = scorer.predict(test_data.texts).on(test_data)
        if said.correct.mean() >= LEARNT:
            break
    for view in VIEWS:
        passes, started = scorer.counts.forward_passes, time.process_time()
        line = {
            "data": name, "kind": kind, "seed": seed, "view": view, "accuracy": round(float(said.correct.mean()), 3),
        }  # fmt: skip
        try:
            found = shortcut(scorer, said, train_data if view == VIEWS[0] else None)
        except NotAssessed as error:  # a model that gives one answer to all texts
            yield line | {
                "verdict": "not_assessed",
                "estimate": 0.0,
                "summary": str(error),
                "passes": 0,
                "seconds": 0.0,
            }
            continue
        yield line | {
            "verdict": str(judge(found, GATE)[0]), "estimate": found.estimate, "low": found.low, "high": found.high,
            "summary": str(found.summary), "passes": scorer.counts.forward_passes - passes,
            "seconds": round(time.process_time() - started, 1),
        }  # fmt: skip


def _share(lines: list[dict[str, Any]], hits: int) -> str:
    _, low, high = statistics.proportion(hits, len(lines))
    return f"{hits} of {len(lines)} [{100 * low:.0f}, {100 * high:.0f}]"


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """The figures by what was planted, as Markdown."""
    yield (
        "| texts | planted | told by | models that fail 0.1 | and it is named | that pass | turned beyond the placebo, "
        "median | accuracy, median | passes, median | CPU, s |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for name in dict.fromkeys(line["data"] for line in lines):
        for kind in (*PLANTS, TWIN):
            for view in VIEWS:
                some = [each for each in lines if (each["data"], each["kind"], each["view"]) == (name, kind, view)]
                if not some:
                    continue
                failed = [each for each in some if each["verdict"] == Verdict.FAIL]
                named = [each for each in failed if any(word in each["summary"] for word in SOUGHT.get(kind, ()))]
                middle = [
                    float(np.median([each[key] for each in some]))
                    for key in ("estimate", "accuracy", "passes", "seconds")
                ]
                yield (
                    f"| {name} | {kind} | {view} | {_share(some, len(failed))} | "
                    f"{len(named) if kind != TWIN else ''} | "
                    f"{_share(some, sum(each['verdict'] == Verdict.PASS for each in some))} | {middle[0]:.2f} | "
                    f"{middle[1]:.2f} | {middle[2]:,.0f} | {middle[3]:.1f} |"
                )


def opinions(lexicon: Path) -> Iterator[str]:
    """How many of the words that go with a label and may be cues are opinions by a lexicon that nobody here wrote."""
    import pandas as pd

    entries = (line.split("\t")[:2] for line in lexicon.read_text("utf-8").splitlines())
    known = {word for word, valence in entries if abs(float(valence)) >= STRONG}
    folder = Path(os.environ["AUDIT_TEST_DATA"])
    tables = {
        "SST-2": pd.read_csv(folder / "sst2_train.csv"),
        "airline": pd.read_csv(folder / "airline.csv").rename(columns={"sentiment": "label"}),
        "IMDB, 10,000": pd.read_parquet(folder / "imdb_train.parquet").sample(10_000, random_state=0),
    }
    yield "| texts | kind | go with a label | of these opinions | taken for cues | of these opinions | which |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, table in tables.items():
        texts, labels = list(table["text"].astype(str)), table["label"].astype("category").cat.codes.to_numpy(np.int64)
        spoken = Spoken(texts)
        for kind in ("hashtag", "name", "opening", "closing"):
            some = [
                each
                for each in search.associations(kind, texts, labels, int(labels.max()) + 1)
                if each.score > 0 and not each.cue.is_group and spoken.binds(each.cue, len(each.rows))
            ]
            taken = [each for each in some if search.is_cue(each, texts)]
            before, after = (
                [each.cue.key for each in those if known.intersection(re.findall(r"[a-z']+", each.cue.key))]
                for those in (some, taken)
            )
            figures = " | ".join(str(len(those)) for those in (some, before, taken, after))
            yield f"| {name} | {kind} | {figures} | {', '.join(after)} |"


def main() -> None:
    """Run what the file does not hold, then print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("demo", "sst2"), default="demo")
    parser.add_argument("--seeds", default="0:20", help="first:behind the last")
    parser.add_argument("--kinds", nargs="+", choices=(*PLANTS, TWIN), default=(*PLANTS, TWIN))
    parser.add_argument("--out", type=Path, default=Path("shortcuts.jsonl"), help="a file of JSON lines")
    parser.add_argument("--opinions", type=Path, metavar="FILE", help="a lexicon: words, tab, valence")
    parser.add_argument("--cache", type=Path, help="a folder for the trained models")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if asked.opinions:
        print("\n".join(opinions(asked.opinions)))
        return
    lines = [json.loads(line) for line in asked.out.read_text("utf-8").splitlines()] if asked.out.exists() else []
    there = {(line["data"], line["kind"], line["seed"]) for line in lines}
    first, behind = map(int, asked.seeds.split(":"))
    for seed in range(first, behind) if not asked.table else ():
        for kind in asked.kinds:
            if (asked.data, kind, seed) not in there:
                made = list(run(asked.data, kind, seed, Cache(asked.cache)))
                with asked.out.open("a", encoding="utf-8") as file:
                    file.writelines(f"{json.dumps(line)}\n" for line in made)
                lines += made
    print("\n".join(table(lines)))


if __name__ == "__main__":
    main()
