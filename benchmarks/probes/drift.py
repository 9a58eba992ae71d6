"""What `quality.drift` finds where texts of use differ from the test texts in a known way, and where they do not.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.drift              # some minutes of one core
    … --seeds 5      # less of it

Each seed draws 1,500 test texts and 1,500 of use from IMDB's test reviews, no text in both, and changes those of use:
half of them are about television, or are cut to their first 40 words, or are typed without capitals and marks; or four
fifths are positive in place of half. The clean twin changes nothing. The model is a logistic regression on TF-IDF, its
embedding 64 dimensions of these (LSA). "alarms": the interval lies above the alarm of 0.6. A hundred texts of use have
labels; the truth that the accuracies are held against is that of all texts drawn in this way. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit import statistics
from audit.core.evidence import Table
from audit.core.measurement import Result
from audit.data.examples import Production
from audit.inference.predictions import FormerPredictions, Predictions
from audit.probes.quality.drift import drift
from audit.testing import examples

CLASSES = ("negative", "positive")
SIZE, LABELLED, CUT = 1_500, 100, 40
TELEVISION = re.compile(r"\b(episodes?|series|seasons?|sitcom|tv|television)\b", re.IGNORECASE)
ALARM = drift.declaration.alarm


class Linear:
    """A logistic regression on TF-IDF, with LSA for its embedding."""

    def __init__(self, texts: Sequence[str], labels: NDArray[np.int64]) -> None:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        self._words = TfidfVectorizer(sublinear_tf=True, min_df=3).fit(texts)
        features = self._words.transform(texts)
        self._linear = LogisticRegression(C=5).fit(features, labels)
        self._topics = TruncatedSVD(64, random_state=0).fit(features)

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Probabilities."""
        return Predictions(self._linear.predict_proba(self._words.transform(texts)).astype(np.float32), CLASSES)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The embedding."""
        return np.asarray(self._topics.transform(self._words.transform(texts)), dtype=np.float32)


def _reviews(path: Path) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    import pandas as pd

    table = pd.read_parquet(path).drop_duplicates("text")
    return table["text"].to_numpy(object), np.array([CLASSES.index(label) for label in table["label"]], dtype=np.int64)


def _typed(text: str) -> str:
    return re.sub(r"[^\w\s']|<br />", " ", text).lower()


def _cut(text: str) -> str:
    return " ".join(text.split()[:CUT])


Change = Callable[[NDArray[np.int64], int, np.random.Generator], tuple[NDArray[np.int64], Callable[[str], str]]]


def _changes(texts: NDArray[np.object_], labels: NDArray[np.int64]) -> dict[str, Change]:
    """From rows to draw from and how many to the rows of use, and what half of them is changed by."""
    about = np.array([bool(TELEVISION.search(text)) for text in texts], dtype=bool)

    def mixed(mark: NDArray[np.bool_], share: float) -> Change:
        def change(rows: NDArray[np.int64], n: int, rng: np.random.Generator) -> Any:
            inside, outside = rows[mark[rows]], rows[~mark[rows]]
            first = int(share * n)
            return np.concatenate([rng.choice(inside, first, False), rng.choice(outside, n - first, False)]), str

        return change

    def written(how: Callable[[str], str]) -> Change:
        return lambda rows, n, rng: (rng.choice(rows, n, replace=False), how)

    return {
        "nothing": written(str),
        "topic": mixed(about, 0.5 + 0.5 * float(about.mean())),
        "length": written(_cut),
        "labels": mixed(labels == 1, 0.8),
        "platform": written(_typed),
    }


def _in_use(
    texts: NDArray[np.object_], rows: NDArray[np.int64], how: Callable[[str], str], rng: np.random.Generator
) -> list[str]:
    half = rng.random(len(rows)) < 0.5
    return [how(texts[i]) if changed else str(texts[i]) for i, changed in zip(rows, half, strict=True)]


def _accuracies(result: Result) -> dict[str, Sequence[Any]]:
    (table,) = (each for each in result.evidence if isinstance(each, Table) and "right" in each.caption)
    kinds = {"weighted": "weighted", "worth": "labels and answers", "alone": "labels alone"}
    return {name: row[1:] for row in table.rows for mark, name in kinds.items() if mark in str(row[0])}


def _measured(kind: str, change: Change, model: Linear, data: Any, seeds: int) -> None:
    texts, labels = data
    alarms, covered, given, areas = 0, dict[str, int](), dict[str, int](), []
    rng = np.random.default_rng(99)
    rows, how = change(np.arange(len(texts)), 9_000, rng)
    truth = float((model.predict(_in_use(texts, rows, how, rng)).labels == labels[rows]).mean())
    started = time.process_time()
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(texts))
        test = examples(labels[order[:SIZE]], CLASSES, texts=list(texts[order[:SIZE]]))
        rows, how = change(order[SIZE:], SIZE, rng)
        rows = rng.permutation(rows)
        known = np.where(np.arange(SIZE) < LABELLED, labels[rows], -1)
        production = Production(tuple(_in_use(texts, rows, how, rng)), known)
        said = model.predict(test.texts).on(test)
        result = drift(said, "production", model, production=production)  # type: ignore[arg-type]
        assert ALARM is not None
        assert result.low is not None
        alarms += result.low > ALARM.value
        areas.append(result.estimate)
        for name, (_, low, high) in _accuracies(result).items():
            given[name] = given.get(name, 0) + 1
            covered[name] = covered.get(name, 0) + (low <= truth <= high)
    cells = [
        f"{covered.get(name, 0)} of {given.get(name, 0)}" for name in ("weighted", "labels alone", "labels and answers")
    ]
    print(
        f"| {kind} | {np.mean(areas):.3f} | {_share(alarms, seeds)} | {truth:.3f} | {' | '.join(cells)} | "
        f"{(time.process_time() - started) / seeds:.1f} |",
        flush=True,
    )


def _share(hits: int, n: int) -> str:
    _, low, high = statistics.proportion(hits, n)
    return f"{hits} of {n} [{100 * low:.0f}, {100 * high:.0f}]"


def _former(model: Linear, data: Any, seeds: int, share: float) -> None:
    """A former audit of the same model on other texts, of which so many are positive; a third of them are the same."""
    texts, labels = data
    alarms = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(texts))
        now, rest = order[:SIZE], order[SIZE // 3 * 2 :]
        positive, negative = rest[labels[rest] == 1], rest[labels[rest] == 0]
        before = np.concatenate([positive[: int(share * SIZE)], negative[: SIZE - int(share * SIZE)]])
        here, there = (examples(labels[rows], CLASSES, texts=list(texts[rows])) for rows in (now, before))
        said = model.predict(there.texts)
        former = FormerPredictions(tuple(there.keys), said.probabilities.astype(float), CLASSES, "sha256:same")
        model.model = type("Model", (), {"fingerprint": "sha256:same"})  # type: ignore[attr-defined]
        found = drift(model.predict(here.texts).on(here), "baseline", model, former_predictions=former)  # type: ignore[arg-type]
        assert ALARM is not None
        assert found.low is not None
        alarms += found.low > ALARM.value
    print(f"| {share:.0%} | {_share(alarms, seeds)} |", flush=True)


def main() -> None:
    """Print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    folder = Path(os.environ["AUDIT_TEST_DATA"])
    model = Linear(*(each[:10_000] for each in _shuffled(*_reviews(folder / "imdb_train.parquet"))))
    data = _reviews(folder / "imdb_test.parquet")
    print(
        "| changed in use | area, mean | alarms | accuracy there | by weighted test texts | by labels alone | by labels "
        "and answers | CPU, s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind, change in _changes(*data).items():
        _measured(kind, change, model, data, seeds)
    print("\n| positive in the former audit | alarms |\n| --- | --- |")
    for share in (0.5, 0.85):
        _former(model, data, seeds, share)


def _shuffled(texts: NDArray[np.object_], labels: NDArray[np.int64]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    order = np.random.default_rng(0).permutation(len(texts))
    return texts[order], labels[order]


if __name__ == "__main__":
    main()
