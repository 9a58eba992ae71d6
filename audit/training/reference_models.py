"""What the audited model is held against: twins by the same recipe, and a linear model on word counts."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, TypedDict, cast

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Cache
from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.energy.meter import restated
from audit.inference.predictions import Predictions
from audit.inference.runner import Counts
from audit.models.model import Model, Training
from audit.policy.policy import SMALL_BERT, Finetune
from audit.text.redaction import redact
from audit.training.canaries import Canaries
from audit.training.finetune import Job, Recipe, Workers, steps_for, train, train_all

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    from audit.core.progress import Progress
    from audit.energy.meter import Meter


class _Settings(TypedDict):
    ngram_range: tuple[int, int]
    sublinear_tf: bool
    C: float


# Settings of the linear model; `LinearModel` tells where they come from.
WORDS: _Settings = {"ngram_range": (1, 2), "sublinear_tf": True, "C": 10.0}


# A usual recipe for random weights, which takes so many texts to learn, and seeds that no policy is likely to have.
STAND_IN_TEXTS = 20_000
STAND_IN = Finetune(
    initialise="scratch", epochs=3, batch_size=32, learning_rate=5e-4, warmup_ratio=0.1, group_by_length=True
)
STAND_IN_SEEDS = (20_201, 20_202, 20_203, 20_204, 20_205)


class WordCounts(Training):
    """What is remembered of the training of the linear model, and how large it is."""

    size: int  # bytes
    parameters: int


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
    cluster: Workers | None = None,
) -> tuple[Twin, ...]:
    """Train twins, each on its own random half: every text is in or out by an independent coin flip.

    Parameters
    ----------
    examples : Examples
        The whole training data.
    count : int
        How many; each costs about half the model's own training, and is cached like it.
    cluster : Workers or None
        Where they are trained; None: here.
    """
    coins, jobs = [], []
    for i in range(count):
        coins.append((np.random.default_rng([recipe.settings.seed, i]).random(len(examples)) < 0.5)[examples.firsts])
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
    cluster: Workers | None = None,
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


def retrained(
    recipe: Recipe,
    members: Examples,
    cache: Cache,
    meter: Meter,
    progress: Progress,
    cluster: Workers | None = None,
) -> Model:
    """What the recipe makes of the same examples with another seed; kept like any trained model.

    Parameters
    ----------
    members : Examples
        What the audited model was trained on. None of them is held out: by another seed it would be others, and then
        the two trainings would differ in their data too.
    """
    changed = {"validation": 0.0, "seed": recipe.settings.seed + 1}
    again = replace(recipe, settings=recipe.settings.model_copy(update=changed))
    return train(again, members, cache, meter, progress, "retrained", cluster=cluster)


def without_rows(
    recipe: Recipe,
    examples: Examples,
    rows: NDArray[np.bool_],
    cache: Cache,
    meter: Meter,
    progress: Progress,
    cluster: Workers | None = None,
) -> Model:
    """What the recipe makes of the training data without some of their rows; kept like any trained model.

    Parameters
    ----------
    rows : ndarray of bool, shape (training examples,)
        Which rows are left out.
    """
    return train(recipe, examples.take(~rows), cache, meter, progress, "references", cluster=cluster)


def stand_ins(
    examples: Examples,
    max_length: int,
    device: str,
    cache: Cache,
    meter: Meter,
    progress: Progress,
    cluster: Workers | None = None,
) -> Iterator[Model]:
    """Small BERTs on the training data, where there is no recipe of the audited model; kept like any trained one.

    Each is trained when it is asked for.

    They read the texts with their personal data masked: nobody asked for a model that holds these in its vocabulary.

    Parameters
    ----------
    examples : Examples
        The training data.
    max_length : int
        In tokens.
    """
    epochs = max(STAND_IN.epochs, math.ceil(STAND_IN_TEXTS / len(examples)))
    masked = replace(examples, texts=tuple(map(redact, examples.texts)))
    for seed in STAND_IN_SEEDS:
        settings = STAND_IN.model_copy(update={"seed": seed, "epochs": epochs})
        job = Job(Recipe(SMALL_BERT, None, None, True, settings, max_length, device), masked)
        yield from train_all([job], cache, meter, progress, "stand-ins", cluster)


class LinearModel:
    """TF-IDF and logistic regression, trained on the examples that the audited model saw, and asked like a scorer.

    Trained when something is asked that no audit before has kept.

    Parameters
    ----------
    train_on : Examples
    cache : Cache
    meter : Meter

    Notes
    -----
    Single words and pairs of words, sublinear counts, ridge penalty: the settings that Wang and Manning, "Baselines and
    bigrams: simple, good sentiment and topic classification", ACL 2012, found to be hard to beat on long reviews.
    """

    def __init__(self, train_on: Examples, cache: Cache, meter: Meter) -> None:
        self.counts = Counts()
        self._train_on, self._cache, self._meter = train_on, cache, meter

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides what the model is."""
        parts = [self._train_on.ordered_fingerprint, WORDS, version("scikit-learn")]
        return f"sha256:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"

    @property
    def identity(self) -> dict[str, object]:
        """What an answer costs depends on this, besides the text and the machine; JSON values."""
        return {"model": self.fingerprint, "max_length": None, "device": "cpu"}

    @property
    def training(self) -> WordCounts:
        """What its training took; kept."""
        kept = self._cache.measurement({"what": "word counts", **self.identity}, lambda: self._trained[1])
        return {**kept, "energy": restated(kept["energy"], self._meter.power)}

    def predict(self, texts: Sequence[str]) -> Predictions:
        """What it says of these texts; kept in the cache, so that a second audit trains nothing."""
        classes = self._train_on.classes
        said = "\0".join((self.fingerprint, *texts)).encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(said).hexdigest()[:32]

        def made() -> NDArray[np.float32]:
            read, _ = self._trained  # outside of the phase, so that its training is booked apart
            with self._meter.phase("score"):
                return read(texts)

        known = self._cache.array(f"word-counts-{digest}", (len(texts), len(classes)), made)
        return Predictions(known, classes)

    def forward(self, texts: Sequence[str], show: bool = True) -> NDArray[np.float32]:
        """Probabilities by the model itself, past the cache; shape (n, classes). Words count as tokens."""
        self.counts.tokens += sum(map(len, map(str.split, texts)))
        return self._trained[0](texts)

    @cached_property
    def _trained(self) -> tuple[Callable[[Sequence[str]], NDArray[np.float32]], WordCounts]:
        """The model, and what is to be remembered of its training."""
        with self._meter.phase("word counts") as energy:
            words, linear = _fit(self._train_on)
        return partial(_read, words, linear, len(self._train_on.classes)), {
            "energy": energy.record(),
            "device": "cpu",
            "examples": len(self._train_on),
            "size": len(pickle.dumps((words, linear))),
            "parameters": int(words.idf_.size + linear.coef_.size + linear.intercept_.size),
        }


def word_counter(train_on: Examples) -> Callable[[Sequence[str]], NDArray[np.float32]]:
    """The linear model on word counts, trained on these examples: from n texts to probabilities, shape (n, classes).

    Raises
    ------
    NotAssessed
        If the examples are all of one class, or hold no word.
    """
    words, linear = _fit(train_on)
    words.set_params(analyzer=_words_and_pairs)  # as it does itself, but that readers of the same texts share it
    return partial(_read, words, linear, len(train_on.classes))


@cache
def _analyzer() -> Callable[[str], list[str]]:
    return cast("Callable[[str], list[str]]", _vectorizer().build_analyzer())


@lru_cache(maxsize=4096)
def _words_and_pairs(text: str) -> tuple[str, ...]:
    """What the linear model counts in a text."""
    return tuple(_analyzer()(text))


def _vectorizer() -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=WORDS["ngram_range"], sublinear_tf=WORDS["sublinear_tf"])


def _fit(train_on: Examples) -> tuple[TfidfVectorizer, LogisticRegression]:
    """The vectorizer and the linear model."""
    from sklearn.linear_model import LogisticRegression

    present = np.unique(train_on.labels)
    if len(present) < 2:
        supply = Sentence("supply training data of two classes at least")
        if not len(present):
            raise NotAssessed(Sentence("the examples for the simple model are none at all; {supply}", supply=supply))
        name = train_on.classes[present[0]]
        raise NotAssessed(
            Sentence("the examples for the simple model are all of class '{name}'; {supply}", name=name, supply=supply)
        )
    words = _vectorizer()
    linear = LogisticRegression(C=WORDS["C"], max_iter=1000)
    try:
        counts = words.fit_transform(train_on.texts)
    except ValueError:  # an empty vocabulary
        raise NotAssessed(
            Sentence("the examples for the simple model hold no word of two letters; supply training data with words")
        ) from None
    linear.fit(counts, train_on.labels)
    return words, linear


def _read(
    words: TfidfVectorizer, linear: LogisticRegression, classes: int, texts: Sequence[str]
) -> NDArray[np.float32]:
    """Probabilities, shape (n, classes); those of a class that was in no training example are 0."""
    probabilities = np.zeros((len(texts), classes), dtype=np.float32)
    if texts:
        probabilities[:, linear.classes_] = linear.predict_proba(words.transform(texts))
    return probabilities
