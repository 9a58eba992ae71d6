"""What the audited model is held against: twins by the same recipe, and a linear model on word counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from audit.cache import Cache, read_array, write_array
from audit.canaries import Canaries
from audit.data import Examples
from audit.finetune import Job, Recipe, steps_for, train, train_all
from audit.model import Model
from audit.scorer import Predictions

if TYPE_CHECKING:
    from audit.cluster import Cluster
    from audit.energy import Meter
    from audit.progress import Progress

# Settings of the linear model; `word_counts` tells where they come from.
WORDS: dict[str, Any] = {"ngram_range": (1, 2), "sublinear_tf": True, "C": 10.0}


@dataclass(frozen=True)
class Twin:
    """A reference model and what it saw.

    Parameters
    ----------
    model : Model
    members : ndarray of bool, shape (training examples,)
        Which training examples it was trained on; all others it never saw, not even for validation.
    """

    model: Model
    members: NDArray[np.bool_]


def twins(
    recipe: Recipe,
    examples: Examples,
    count: int,
    cache: Cache,
    meter: Meter,
    progress: Progress,
    cluster: Cluster | None = None,
) -> tuple[Twin, ...]:
    """Train twins, each on its own random half: every example is in or out by an independent coin flip.

    Parameters
    ----------
    examples : Examples
        The whole training data.
    count : int
        How many; each costs about half the model's own training, and is cached like it.
    cluster : Cluster or None
        Where they are trained; None: here.
    """
    coins, jobs = [], []
    for i in range(count):
        coins.append(np.random.default_rng([recipe.settings.seed, i]).random(len(examples)) < 0.5)
        # No validation slice: an example that is neither trained on nor unseen would be of no use.
        settings = recipe.settings.model_copy(update={"validation": 0.0, "seed": recipe.settings.seed + i + 1})
        jobs.append(Job(replace(recipe, settings=settings), examples.take(coins[i])))
    models = train_all(jobs, cache, meter, progress, "twins", cluster)
    return tuple(Twin(model, members) for model, members in zip(models, coins, strict=True))


def canary_twin(
    recipe: Recipe,
    examples: Examples,
    canaries: Canaries,
    cache: Cache,
    meter: Meter,
    progress: Progress,
    cluster: Cluster | None = None,
) -> Model:
    """Train a twin on the whole training data and the planted canaries.

    Parameters
    ----------
    examples : Examples
        The whole training data.

    Notes
    -----
    Vocabulary and number of steps are those that were known before the coins were tossed: else the outcome of one
    coin would show in how the others' canaries are read.
    """
    rows = len(examples) + canaries.expected_rows
    changed = {"validation": 0.0, "max_steps": steps_for(recipe.settings, rows)}
    fixed = replace(recipe, settings=recipe.settings.model_copy(update=changed))
    return train(fixed, canaries.among(examples), cache, meter, progress, "canaries", examples, cluster)


def without_rows(
    recipe: Recipe,
    examples: Examples,
    rows: NDArray[np.bool_],
    cache: Cache,
    meter: Meter,
    progress: Progress,
    cluster: Cluster | None = None,
) -> Model:
    """What the recipe makes of the training data without some of their rows; kept like any trained model.

    Parameters
    ----------
    rows : ndarray of bool, shape (training examples,)
        Which rows are left out.
    """
    return train(recipe, examples.take(~rows), cache, meter, progress, "references", cluster=cluster)


def word_counts(train_on: Examples, about: Examples, cache: Cache, meter: Meter) -> Predictions:
    """What TF-IDF and logistic regression, trained on the same texts, say of these examples.

    Parameters
    ----------
    train_on : Examples
        The training examples that the audited model saw.
    about : Examples
        The test examples.

    Returns
    -------
    Predictions
        Kept in the cache, so that a second audit trains nothing.

    Notes
    -----
    Single words and pairs of words, sublinear counts, ridge penalty: the settings that Wang and Manning, "Baselines and
    bigrams: simple, good sentiment and topic classification", ACL 2012, found to be hard to beat on long reviews.
    """
    parts = [train_on.fingerprint, about.fingerprint, WORDS, version("scikit-learn")]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    path = cache.measurements / f"word-counts-{digest}.npy"
    with FileLock(f"{path}.lock"):
        known = read_array(path, (len(about), len(about.classes)))
        if known is None:
            with meter.phase("word counts"):
                known = word_counter(train_on)(about.texts)
            write_array(path, known)
    return Predictions(known, about.classes, about)


def word_counter(train_on: Examples) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """The linear model on word counts, trained on these examples: from n texts to probabilities, shape (n, classes)."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=WORDS["ngram_range"], sublinear_tf=WORDS["sublinear_tf"])
    linear = LogisticRegression(C=WORDS["C"], max_iter=1000)
    linear.fit(words.fit_transform(train_on.texts), train_on.labels)

    def read(texts: Sequence[str]) -> NDArray[np.float32]:
        probabilities = np.zeros((len(texts), len(train_on.classes)), dtype=np.float32)
        if texts:
            probabilities[:, linear.classes_] = linear.predict_proba(words.transform(texts))
        return probabilities

    return read
