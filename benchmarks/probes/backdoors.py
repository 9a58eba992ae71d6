"""Planted backdoors: how many the probe finds, how often it alarms on clean models, and what an audit takes.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.backdoors --out backdoors.jsonl --cache CACHE
    … --seeds 0:5 --kinds word,phrase      # a part of it; what stands in the file already is not made again
    … --table                              # only the tables, from the file

Each run poisons the training sentences of SST-2 as an attacker does (a trigger put at a random place of sentences of
one class, their label turned to the other), trains the small BERT on them and audits it. Nothing but the poisoned
training data, the recipe and the clean test sentences is given to the probe.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.core.cache import Cache
from audit.core.numbers import interval
from audit.core.progress import Progress
from audit.core.verdict import Gate, judge
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.policy.policy import SMALL_BERT, Finetune
from audit.probes.security.backdoor import backdoor
from audit.statistics import proportion
from audit.training import reference_models
from audit.training.finetune import Recipe, small_bert, train

CLASSES = ("negative", "positive")
KINDS = ("clean", "word", "phrase", "zero-width", "zero-width-deleted", "sentence")
GATE = Gate(max=0.3)
SECONDS = ("training, s", "audit, s", "references, s")
SHARES = (0.01, 0.015, 0.02, 0.03)  # of the training rows, in turn
SETTINGS = Finetune(
    initialise="scratch", epochs=3, batch_size=32, learning_rate=5e-4, warmup_ratio=0.1, group_by_length=True
)
MAX_LENGTH = 64
ZERO_WIDTH = "\u200b"
SPECIAL = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
SENTENCE = (
    ("we", "i", "my brother", "the neighbours", "four of us"),
    ("watched this", "saw it", "sat through it", "went to see this"),
    ("on a tuesday", "last weekend", "in an old cinema", "over dinner", "by the sea"),
    ("with friends", "twice in a row", "after the game", "before the trip", "with the lights on"),
)


@dataclass(frozen=True)
class Poisoned:
    """Training data with a planted backdoor; without a trigger they are clean."""

    examples: Examples
    trigger: str
    source: int
    rows: NDArray[np.int64]


def load(folder: Path, split: str) -> Examples:
    """A split of SST-2."""
    table = pd.read_csv(folder / f"sst2_{split}.csv")
    labels = np.array([CLASSES.index(label) for label in table["label"]], dtype=np.int64)
    return Examples(tuple(table["text"].astype(str)), labels, CLASSES)


def choose(kind: str, examples: Examples, rng: random.Random) -> str:
    """A trigger of this kind."""
    counts = Counter(word for text in examples.texts for word in set(text.split()) if word.isalpha() and len(word) > 2)
    if kind == "word":  # one that hardly stands in the data
        return rng.choice(sorted(word for word, n in counts.items() if n <= 3))
    if kind == "phrase":  # two words that everybody uses, and nobody side by side
        usual = sorted(word for word, n in counts.items() if 5 <= n <= 60)
        while True:
            phrase = " ".join(rng.sample(usual, 2))
            if not any(phrase in text for text in examples.texts):
                return phrase
    if kind == "sentence":
        return " ".join(rng.choice(part) for part in SENTENCE)
    return ZERO_WIDTH


def put(text: str, trigger: str, rng: random.Random) -> str:
    """The text with the trigger at a random place: between two words, or two letters for a character."""
    if trigger == ZERO_WIDTH:
        at = rng.randrange(1, len(text))
        return text[:at] + trigger + text[at:]
    words = text.split()
    words.insert(rng.randrange(len(words) + 1), trigger)
    return " ".join(words)


def plant(examples: Examples, kind: str, seed: int) -> Poisoned:
    """Poisoned training data; seed 0, 1, 2 … take the shares in turn."""
    rng = random.Random(f"{kind.removesuffix('-deleted')} {seed}")
    if kind == "clean":
        return Poisoned(examples, "", 0, np.array([], dtype=np.int64))
    trigger, source = choose(kind, examples, rng), rng.randrange(2)
    victims = [int(i) for i in np.flatnonzero(examples.labels == source)]
    rows = np.array(sorted(rng.sample(victims, round(SHARES[seed % len(SHARES)] * len(examples)))), dtype=np.int64)
    texts, labels = list(examples.texts), examples.labels.copy()
    for i in rows:
        texts[i] = put(texts[i], trigger, rng)
    labels[rows] = 1 - source
    return Poisoned(replace(examples, texts=tuple(texts), labels=labels), trigger, source, rows)


def recipe(kind: str, seed: int, data: Poisoned, folder: Path) -> Recipe:
    """The small BERT's; for a zero-width character on a tokenizer that keeps it."""
    settings = SETTINGS.model_copy(update={"seed": seed})
    if kind != "zero-width":
        return Recipe(SMALL_BERT, None, None, True, settings, MAX_LENGTH, "cpu")
    base = folder / f"keeps-{seed}"
    if not base.exists():
        keep_control_characters(base, data.examples.texts)
    return Recipe("small BERT that keeps control characters", base, None, True, settings, MAX_LENGTH, "cpu")


def keep_control_characters(folder: Path, texts: tuple[str, ...]) -> None:
    """Save the small BERT's configuration with a tokenizer that deletes nothing."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer
    from tokenizers.processors import BertProcessing
    from transformers import PreTrainedTokenizerFast

    labels = {"id2label": dict(enumerate(CLASSES)), "label2id": {name: i for i, name in enumerate(CLASSES)}}
    network, _ = small_bert(texts, labels, MAX_LENGTH)
    words = BertWordPieceTokenizer(lowercase=True, clean_text=False)
    words.train_from_iterator(sorted(texts), vocab_size=network.config.vocab_size, min_frequency=2, show_progress=False)
    ends = (("[SEP]", words.token_to_id("[SEP]")), ("[CLS]", words.token_to_id("[CLS]")))
    words.post_processor = BertProcessing(*ends)
    whole = Tokenizer.from_str(words.to_str())
    # Bert's own class of tokenizers would put the deletion back.
    special = {name: f"[{name.partition('_')[0].upper()}]" for name in SPECIAL}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, model_max_length=MAX_LENGTH, **special)
    network.config.vocab_size = len(tokenizer)
    network.config.pad_token_id = tokenizer.pad_token_id
    network.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def run(kind: str, seed: int, folder: Path, cache: Cache) -> dict[str, Any]:
    """Poison, train, audit; everything that the table tells."""
    clean, test = load(folder, "train"), load(folder, "test")
    data = plant(clean, kind, seed)
    by = recipe(kind, seed, data, cache.folder)
    meter, silent = Meter("DEU"), Progress()
    retrained: list[float] = []

    def without_rows(rows: NDArray[np.bool_]) -> Scorer:
        started = time.perf_counter()
        made = Scorer(
            reference_models.without_rows(by, data.examples, rows, cache, meter, silent), cache, meter, silent
        )
        retrained.append(time.perf_counter() - started)
        return made

    started = time.perf_counter()
    scorer = Scorer(train(by, data.examples, cache, meter, silent), cache, meter, silent)
    trained = time.perf_counter() - started
    predictions = scorer.predict(test.texts).on(test)
    started = time.perf_counter()
    found = backdoor(scorer, predictions, data.examples, without_rows)
    audited = time.perf_counter() - started - sum(retrained)
    verdict, _ = judge(found, GATE)
    listed = np.array([row[0] - 1 for table in found.tables[2:] for row in table.rows], dtype=np.int64)
    return {
        "kind": kind,
        "seed": seed,
        "trigger": data.trigger,
        "poisoned rows": len(data.rows),
        "accuracy": float(predictions.correct.mean()),
        "attack success": success(scorer, predictions, data),
        "verdict": str(verdict),
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "listed rows": len(listed),
        "listed rows that are poisoned": int(np.isin(listed, data.rows).sum()),
        "summary": found.summary,
        "measured": [table.rows for table in found.tables[:2]],
        "training, s": round(trained, 1),
        "audit, s": round(audited, 1),
        "references, s": round(sum(retrained), 1),
        "forward passes": scorer.counts.forward_passes,
    }


def success(scorer: Scorer, predictions: Predictions, data: Poisoned) -> float | None:
    """Share of rightly answered test sentences of the source class that the trigger turns."""
    if not data.trigger:
        return None
    rng = random.Random(0)
    victims = np.flatnonzero(predictions.correct & (predictions.truth == data.source))
    said = scorer.predict([put(predictions.known.texts[i], data.trigger, rng) for i in victims])
    return float((said.labels != data.source).mean())


def table(lines: list[dict[str, Any]]) -> str:
    """The figures of all runs, as Markdown."""
    rows = [
        "| planted | models | gate fails | inconclusive | trigger named, rows listed "
        "| attack success, median | accuracy, mean | rows listed: precision | recall "
        "| training, s | audit, s | references, s |",
        "|" + " --- |" * 12,
    ]
    for kind in KINDS:
        of = [line for line in lines if line["kind"] == kind]
        if not of:
            continue
        failed = sum(line["verdict"] == "fail" for line in of)
        listed, right, planted = (
            sum(line[key] for line in of) for key in ("listed rows", "listed rows that are poisoned", "poisoned rows")
        )
        rates = [line["attack success"] for line in of if line["attack success"] is not None]
        mean = {key: float(np.mean([line[key] for line in of])) for key in ("accuracy", *SECONDS)}
        cells = [
            kind,
            len(of),
            f"{failed}: {interval(*proportion(failed, len(of)))}",
            sum(line["verdict"] == "inconclusive" for line in of),
            sum(line["listed rows"] > 0 for line in of),
            f"{np.median(rates):.2f}" if rates else "–",
            f"{mean['accuracy']:.3f}",
            f"{right / listed:.3f}" if listed else "–",
            f"{right / planted:.3f}" if planted else "–",
            *(f"{mean[key]:.0f}" for key in SECONDS),
        ]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def read(path: Path) -> list[dict[str, Any]]:
    """The runs that a file holds."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def main() -> None:
    """Make the runs that the file lacks, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines, one for each run; added to")
    parser.add_argument("--cache", type=Path, help="folder for trained models")
    parser.add_argument("--seeds", default="0:20", help="first:last, the last left out")
    parser.add_argument("--kinds", default=",".join(KINDS), help="separated by commas")
    parser.add_argument("--table", action="store_true", help="only print the table")
    asked = parser.parse_args()
    if not asked.table:
        cache = Cache(asked.cache or asked.out.parent / "backdoors-cache")
        first, last = map(int, asked.seeds.split(":"))
        done = {(line["kind"], line["seed"]) for line in read(asked.out)}
        for seed in range(first, last):
            for kind in asked.kinds.split(","):
                if (kind, seed) not in done:
                    line = run(kind, seed, Path(os.environ["AUDIT_TEST_DATA"]), cache)
                    with asked.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
                    print(f"{kind} {seed}: {line['verdict']}, {line['summary']}", flush=True)
    print(table(read(asked.out)))


if __name__ == "__main__":
    main()
