"""Membership against examples that were held out, and against test examples, where labels of one split are noisy.

    AUDIT_TEST_DATA=… python -m benchmarks.statistics.membership --runs 200
    AUDIT_TEST_DATA=… python -m benchmarks.statistics.membership --bert --runs 20   # small BERTs

SST-2 sentences drawn anew in each run: 3,000 for training, of which the recipe's coin holds some out, 1,500 for testing
and all others to know the truth by. The model is TF-IDF and logistic regression, or the embedded
BERT of two layers. Labels of one split are turned over at
random, and what is true of membership is the AUC of members against sentences of the same source as the training data,
as the coin leaves it to be expected.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from audit import statistics
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.inference.scorer import Scorer
from audit.policy.policy import Finetune
from audit.probes.privacy import blind
from audit.probes.privacy.membership import membership_inference
from audit.testing import scorer
from audit.training.finetune import Recipe, train

TRAINING, TESTING = 3_000, 1_500
# Share of the training data that is held out, and of its labels that are noise.
TRAININGS = ((0.1, 0.0), (0.1, 0.1), (0.1, 0.2))
# The same, and the noise of the test labels, where members are held against these; a fifth of the runs.
TESTS = ((0.1, 0.0, 0.0), (0.1, 0.1, 0.0), (0.1, 0.2, 0.0), (0.1, 0.0, 0.1), (0.1, 0.0, 0.2))
# How far from the truth a gate lies that is to be failed, or passed.
AWAY = 0.05
CLASSES = ("negative", "positive")
Bounds = tuple[float, float, float, float]  # truth, estimate, low, high
# From a draw to the probabilities of all texts.
Fit = Callable[["Draw"], NDArray[np.float64]]


def linear(words: csr_matrix) -> Fit:
    """Logistic regression on words, shape (texts, words)."""
    from sklearn.linear_model import LogisticRegression

    def fit(draw: Draw) -> NDArray[np.float64]:
        model = LogisticRegression(C=0.05, solver="liblinear").fit(words[draw.inside], draw.given[draw.inside])
        return np.asarray(model.predict_proba(words))

    return fit


def bert(draw: Draw) -> NDArray[np.float64]:
    """The embedded BERT from random weights, six epochs, as the memory benchmark trains it."""
    settings = Finetune(
        initialise="scratch", epochs=6, batch_size=32, learning_rate=5e-4, warmup_ratio=0.1, validation=0.0,
        seed=draw.seed,
    )  # fmt: skip
    recipe = Recipe("small-bert", None, None, False, settings, 64, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        work = Cache(Path(folder)), Meter("DEU"), Progress()
        found = Scorer(train(recipe, draw.about(draw.inside), *work), *work).predict(draw.texts)
    return np.asarray(found.probabilities, np.float64)


Data = tuple[NDArray[np.object_], NDArray[np.int64], Fit]


class Draw:
    """Data of one run, and the model that was trained on them."""

    def __init__(self, data: Data, seed: int, share: float, noise: float) -> None:
        self.texts, labels, fit = data
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        order = self.rng.permutation(len(self.texts))
        self.test, training, fresh = np.split(order, [TESTING, TESTING + TRAINING])
        self.inside, self.apart = training[int(share * TRAINING) :], training[: int(share * TRAINING)]
        self.given = labels.copy()
        source = np.concatenate([training, fresh])
        self.given[source] ^= self.rng.random(len(source)) < noise
        self.chances = fit(self)
        self.truth = self._truth(fresh)

    def _truth(self, fresh: NDArray[np.int64]) -> float:
        """What the coin leaves to be expected: the AUC against all fresh rows, less what chance explains of it."""
        rows = np.concatenate([self.inside, fresh])
        member = np.arange(len(rows)) < len(self.inside)
        covariates = blind.label_covariates(self.about(rows), member, 0)
        scores = self.chances[rows, self.given[rows]]
        return statistics.clustered_auc([statistics.Trial(scores, member, rows, covariates)]).estimate

    def auc(self, others: NDArray[np.int64]) -> statistics.Interval:
        """Of the loss attack on members against these."""
        inside, outside = (self.chances[rows, self.given[rows]] for rows in (self.inside, others))
        return statistics.auc(inside, outside)

    def about(self, rows: NDArray[np.int64]) -> Examples:
        """These rows as the audit knows them."""
        return Examples(tuple(self.texts[rows]), self.given[rows], CLASSES)

    def held_out(self) -> tuple[Bounds, Bounds]:
        """What the audit finds against the rows that were held out, and the plain AUC of these."""
        model = scorer(dict(zip(self.texts, self.chances, strict=True)).__getitem__)
        predicted = model.predict(self.about(self.test).texts).on(self.about(self.test))
        found = membership_inference(model, self.about(self.inside), predicted, None, self.about(self.apart))
        assert found.estimate is not None
        assert found.low is not None
        assert found.high is not None
        return (self.truth, found.estimate, found.low, found.high), (self.truth, *self.auc(self.apart))

    def tested(self, noise: float) -> tuple[Bounds, bool, bool]:
        """The AUC against the test split with this noise; whether texts differ, and whether these or labels do."""
        self.given[self.test] ^= self.rng.random(TESTING) < noise
        both = np.concatenate([self.inside, self.test])
        guard = blind.differences(self.about(both), np.isin(both, self.inside), 0)
        assert guard is not None
        return (self.truth, *self.auc(self.test)), guard.texts.low > 0.5, guard.are_found


def row(against: str, found: NDArray[np.float64], settled: NDArray[np.bool_]) -> list[str]:
    """Columns of the table; where it is not settled what to hold members against, there is no verdict."""
    truth, estimate, low, high = found.T
    covered = (low <= truth) & (truth <= high)
    some = settled.any()
    return [
        f"{truth.mean():.3f}",
        against,
        f"{settled.mean():.0%}",
        f"{(estimate - truth)[settled].mean():+.3f}" if some else "",
        f"{(high - low)[settled].mean() / 2:.3f}" if some else "",
        f"{covered[settled].mean():.1%}" if some else "",
        f"{(settled & ~covered).mean():.1%}",
        f"{(settled & (low > truth - AWAY)).mean():.0%}",
        f"{(settled & (high <= truth + AWAY)).mean():.0%}",
    ]


def against_held_out(data: Data, runs: int) -> Iterator[list[str]]:
    """Rows of the table, members against what was held out."""
    for share, noise in TRAININGS:
        pairs = [Draw(data, seed, share, noise).held_out() for seed in range(runs)]
        adjusted, plain = (np.array(column) for column in zip(*pairs, strict=True))
        start, always = [f"{share:.0%}", f"{noise:.0%}", "any"], np.ones(runs, dtype=bool)
        yield start + row("held out", adjusted, always)
        yield start + row("held out, plain AUC", plain, always)


def against_tests(data: Data, runs: int) -> Iterator[list[str]]:
    """Rows of the table, members against test examples."""
    for share, noise, in_test in TESTS:
        triples = [Draw(data, seed, share, noise).tested(in_test) for seed in range(-(-runs // 5))]
        found, texts_differ, guarded = (np.array(column) for column in zip(*triples, strict=True))
        start = [f"{share:.0%}", f"{noise:.0%}", f"{in_test:.0%}"]
        yield start + row("test, guarded by texts and labels", found, ~guarded)
        yield start + row("test, guarded by texts alone (before)", found, ~texts_differ)


def main() -> None:
    """Print the Markdown table."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="draws of the data for each row")
    parser.add_argument("--bert", action="store_true", help="small BERTs instead of logistic regression")
    asked, folder = parser.parse_args(), Path(os.environ["AUDIT_TEST_DATA"])
    splits = [pd.read_csv(folder / f"sst2_{split}.csv") for split in ("train", "dev", "test")]
    table = pd.concat(splits).drop_duplicates("text")
    texts, labels = table["text"].to_numpy(object), np.array([CLASSES.index(label) for label in table["label"]])
    columns = ["held out", "noise, training", "noise, test", "true AUC", "members against", "verdict given", "bias"]
    columns += ["half-width", "truth covered", "verdict given and truth not covered"]
    columns += [f"FAIL, gate {AWAY} below the truth", f"PASS, gate {AWAY} above"]
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    if asked.bert:
        found = against_held_out((texts, labels, bert), asked.runs)
    else:
        words = csr_matrix(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts))
        data = texts, labels, linear(words)
        found = chain(against_held_out(data, asked.runs), against_tests(data, asked.runs))
    for each in found:
        print(f"| {' | '.join(each)} |", flush=True)


if __name__ == "__main__":
    main()
