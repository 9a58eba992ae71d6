"""What `quality.drift` finds where texts of use differ from the test texts in a known way, and where they do not.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.drift              # some minutes of one core
    … --seeds 5      # less of it

Each seed draws 1,000 test tweets and 1,000 of use from the airline tweets, no text in both, and changes those of use:
they are about other airlines, half of them are cut to their first 8 words, three tenths are negative in place of six,
or half of them are typed without capitals, marks and handles. The clean twin changes nothing. The model is a logistic
regression on TF-IDF of 4,000 others, its embedding 64 dimensions of these (LSA). "alarms": the interval lies above the
alarm of 0.55. A hundred texts of use have labels; the truth that the accuracies are held against is that of all texts
drawn in this way. Prints Markdown.
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

CLASSES = ("negative", "neutral", "positive")
SIZE, LABELLED, CUT, LEARNT = 1_000, 100, 8, 4_000
TOPIC = ("United", "US Airways")
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


def _tweets(path: Path) -> tuple[NDArray[np.object_], NDArray[np.int64], NDArray[np.bool_]]:
    """Texts, labels, and which are about the airlines that the topic is."""
    import pandas as pd

    table = pd.read_csv(path).drop_duplicates("text").sample(frac=1, random_state=0)
    labels = np.array([CLASSES.index(label) for label in table["sentiment"]], dtype=np.int64)
    return table["text"].to_numpy(object), labels, table["airline"].isin(TOPIC).to_numpy()


def _typed(text: str) -> str:
    return re.sub(r"@\w+|[^\w\s']", " ", text).lower()


def _cut(text: str) -> str:
    return " ".join(text.split()[:CUT])


Change = Callable[[NDArray[np.int64], int, np.random.Generator], tuple[NDArray[np.int64], Callable[[str], str]]]


def _changes(labels: NDArray[np.int64], about: NDArray[np.bool_]) -> dict[str, Change]:
    """From rows to draw from and how many to the rows of use, and what half of them is changed by."""

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
        "topic": mixed(about, 0.9),
        "length": written(_cut),
        "labels": mixed(labels == 0, 0.3),
        "platform": written(_typed),
    }


def _in_use(
    texts: NDArray[np.object_], rows: NDArray[np.int64], how: Callable[[str], str], rng: np.random.Generator
) -> list[str]:
    half = rng.random(len(rows)) < 0.5
    return [how(texts[i]) if changed else str(texts[i]) for i, changed in zip(rows, half, strict=True)]


def _accuracies(result: Result) -> dict[str, Sequence[Any]]:
    (table,) = (each for each in result.evidence if isinstance(each, Table) and "answers are right" in each.caption)
    kinds = {"weighted": "weighted", "worth": "labels and answers", "alone": "labels alone"}
    return {name: row[1:] for row in table.rows for mark, name in kinds.items() if mark in str(row[0])}


def _measured(kind: str, change: Change, model: Linear, data: Any, seeds: int) -> None:
    texts, labels = data
    alarms, covered, given, areas = 0, dict[str, int](), dict[str, int](), []
    rng = np.random.default_rng(99)
    rows, how = change(np.arange(len(texts)), 4_000, rng)
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
    """A former audit of the same model, of which so many tweets were negative; a third of them may be the same."""
    texts, labels = data
    alarms = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(texts))
        now, rest = order[:SIZE], order[SIZE // 3 * 2 :]
        negative, others = rest[labels[rest] == 0], rest[labels[rest] > 0]
        before = np.concatenate([negative[: int(share * SIZE)], others[: SIZE - int(share * SIZE)]])
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
    texts, labels, about = _tweets(folder / "airline.csv")
    model = Linear(texts[:LEARNT], labels[:LEARNT])
    data = texts[LEARNT:], labels[LEARNT:]
    print(
        "| changed in use | area, mean | alarms | accuracy there | by weighted test texts | by labels alone | "
        "by labels and answers | CPU, s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind, change in _changes(data[1], about[LEARNT:]).items():
        _measured(kind, change, model, data, seeds)
    print("\n| negative in the former audit | alarms |\n| --- | --- |")
    for share in (float((data[1] == 0).mean()), 0.3):
        _former(model, data, seeds, share)


if __name__ == "__main__":
    main()
