"""What `quality.label_noise` says where labels are wrong on purpose, and where none is.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.labels
    … --seeds 5      # less of it; without AUDIT_TEST_DATA only the demo is looked at

The model is TF-IDF with logistic regression, trained once for each data set. In each seed test labels are made wrong,
all alike, or twice as often in one half of the texts and never in the other; some have a second label, which is right
or errs as the first does. Asked is whether a gate of 2 % fails, whether the interval holds the true share, and how well
the ranked list finds the wrong labels. Then how often an interval misses, over many draws. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit import Gate, Verdict, judge, statistics
from audit.demo import reviews
from audit.inference.predictions import Predictions
from audit.probes.quality.doubts import doubts
from audit.probes.quality.labels import label_noise
from audit.testing import examples
from tools.mislabelled import labelled_twice, mislabelled, rates

SHARES, GATE, SEEN, FIRST = (0.0, 0.05, 0.1, 0.2), Gate(max=0.02), 1000, 100
BASES = {"right": (SEEN, False), "peer": (SEEN, True), "none": (0, False)}
TWO = ("negative", "positive")


def _cell(hits: int, n: int) -> str:
    _, low, high = statistics.proportion(hits, n)
    return f"{hits:,} of {n:,} [{100 * low:.1f}, {100 * high:.1f}]"


def _answers(train: list[str], taught: list[str], test: list[str], truth: list[str]) -> Predictions:
    """What a list of words says of the test texts, about their labels."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=300).fit(words.fit_transform(train), taught)
    classes = [str(name) for name in model.classes_]
    # Read once by the model; what the probe reads again in every seed, for copies, may be the beginning.
    about = examples([classes.index(label) for label in truth], classes, texts=[text[:200] for text in test])
    return Predictions(model.predict_proba(words.transform(test)).astype(np.float32), about.classes, about)


def _demo() -> Predictions:
    """The demo's reviews, whose labels are known to be right; what it was trained on has 8 % that are wrong."""
    train, test = reviews("train", 4000), reviews("test", 2000, label_noise=0.0)
    said = [[str(row[name]) for row in rows] for rows in (train, test) for name in ("text", "label")]
    return _answers(*said)


def _real(folder: Path) -> dict[str, Predictions]:
    import pandas

    read = {
        "SST-2": [pandas.read_csv(folder / f"sst2_{split}.csv") for split in ("train", "test")],
        "IMDB": [pandas.read_parquet(folder / f"imdb_{split}.parquet") for split in ("train", "test")],
    }
    read["IMDB"][1] = read["IMDB"][1].sample(3000, random_state=0)
    return {
        name: _answers(*([str(cell) for cell in frame[column]] for frame in frames for column in ("text", "label")))
        for name, frames in read.items()
    }


def _planted(name: str, answers: Predictions, seeds: int) -> Iterator[str]:
    n = len(answers)
    halves = np.random.default_rng(0).permutation(n) < n // 2
    for share in SHARES:
        for spread, groups in (("even", None), ("uneven", halves)) if share else (("clean twin", None),):
            wrong = rates(share, groups, n)
            draws = [1000 * int(100 * share) + 100 * (groups is not None) + seed for seed in range(seeds)]
            lists = np.array(
                [_list(answers, labelled_twice(answers, wrong, 0, is_peer=False, seed=seed)) for seed in draws]
            )
            precision, first, recall = np.nanmean(lists, axis=0) if share else [float("nan")] * 3
            for basis, (seen, is_peer) in BASES.items():
                found = [
                    label_noise(labelled_twice(answers, wrong, seen, is_peer=is_peer, seed=seed)) for seed in draws
                ]
                failed = sum(judge(each, GATE)[0] is Verdict.FAIL for each in found)
                held = sum(each.low <= share <= each.high for each in found)
                low, estimate, high = np.mean([[each.low, each.estimate, each.high] for each in found], axis=0)
                ranked = f"{precision:.2f} | {first:.2f} | {recall:.2f}" if share else " | | "
                yield (
                    f"| {name} | {share:.0%} {spread} | {basis} | {_cell(failed, seeds)} | {_cell(held, seeds)} | "
                    f"{100 * estimate:.1f} [{100 * low:.1f}, {100 * high:.1f}] | {ranked} |"
                )


def _list(clean: Predictions, planted: Predictions) -> tuple[float, float, float]:
    """Precision of the labels in doubt, of the first of them, and recall: how many of the wrong ones are among them."""
    wrong, rows = planted.truth != clean.truth, doubts(planted).rows
    if not wrong.any() or not len(rows):
        return np.nan, np.nan, np.nan
    return float(wrong[rows].mean()), float(wrong[rows[:FIRST]].mean()), float(wrong[rows].sum() / wrong.sum())


def _misses(draws: int) -> Iterator[str]:
    """How often the ends of an interval miss the true share, which must be 2.5 % at most on either side."""
    yield f"\n| second labels, {draws:,} draws | classes | wrong labels | too low, % | too high, % | width |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for seen, classes, share, is_uneven in (
        (200, 2, 0.05, False), (200, 2, 0.05, True), (500, 2, 0.1, False), (500, 2, 0.2, True), (500, 3, 0.1, False),
        (500, 3, 0.2, True), (2000, 2, 0.02, False), (2000, 3, 0.2, False),
    ):  # fmt: skip
        rng = np.random.default_rng(1)
        drawn = np.array([_differ(seen, classes, share, is_uneven, rng) for _ in range(draws)])
        spread = "one half only" if is_uneven else "even"
        for basis, differ in zip(("right", "peers"), drawn.T, strict=True):
            _, low, high = statistics.proportions(differ, seen)
            if basis == "peers":
                low = statistics.peer_noise(low, classes)
            misses = " | ".join(f"{100 * float(each.mean()):.2f}" for each in (high < share, low > share))
            width = 100 * float(np.mean(high - low))
            yield f"| {seen:,}, {basis} | {classes} | {share:.0%}, {spread} | {misses} | {width:.1f} points |"


def _differ(seen: int, classes: int, share: float, is_uneven: bool, rng: np.random.Generator) -> tuple[int, int]:
    """How many labels differ from the right ones, and from those of a peer."""
    truth = rng.integers(classes, size=seen)
    half: NDArray[np.bool_] | None = rng.random(seen) < 0.5 if is_uneven else None
    first, second = (mislabelled(truth, rates(share, half, seen), classes, rng) for _ in range(2))
    return int((first != truth).sum()), int((first != second).sum())


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="Plant wrong labels and see what is found.")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--draws", type=int, default=4000)
    asked = parser.parse_args()
    sets = {"demo": _demo()}
    if folder := os.environ.get("AUDIT_TEST_DATA"):
        sets |= _real(Path(folder))
    for name, answers in sets.items():
        print(f"{name}: {len(answers):,} texts, accuracy by the labels as they are {answers.correct.mean():.1%}")
    print(
        f"\n| texts | planted | second label | fails at {GATE.bound:.0%} | holds the true share | estimate, % | "
        f"precision of the list | of its first {FIRST} | recall |"
    )
    print("| --- |" + " --- |" * 8)
    for name, answers in sets.items():
        for line in _planted(name, answers, asked.seeds):
            print(line, flush=True)
    for line in _misses(asked.draws):
        print(line)


if __name__ == "__main__":
    main()
