"""What defects are planted in: data of four kinds, small BERTs trained on them, and what one audit is handed.

A base model is trained from random weights for each kind of data and one of `BASES` seeds. Whatever is to be learnt,
the defect or its clean twin, is then trained into it for a short while on fresh rows, as a release is made of another.
Every text ends with who wrote it, a woman or a man, so that there is a group that a model can see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from audit import demo
from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.experiments.alternatives import Alternative
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.policy.policy import SMALL_BERT, Finetune
from audit.training.canaries import CanaryTwin
from audit.training.finetune import Recipe, save_untrained, train
from audit.training.reference_models import LinearModel
from benchmarks.probes import backdoors
from tools.unstable import spoiling

if TYPE_CHECKING:
    from tools.unstable import Weights

THREE = ("negative", "neutral", "positive")
# By the accuracy of a linear model on word counts; the embedded demo is "reviews".
DIFFICULTIES = {"tweets": "easy", "sentences": "middle", "thinned sentences": "hard"}
BASES = 2
LEARNT, FRESH, TESTED = 4_000, 1_200, 3_000
MAX_LENGTH = 64
LONGER = 6  # epochs, for what takes longer to be learnt
TUNED = Finetune(epochs=3, batch_size=32, learning_rate=1e-3, warmup_ratio=0.1, validation=0.0, group_by_length=True)
SCRATCH = TUNED.model_copy(update={"initialise": "scratch", "epochs": 10})
AUTHORS = {"female": ("mother", "grandmother", "woman", "widow"), "male": ("father", "grandfather", "man", "widower")}
GROUP = "gender"


@dataclass
class Case:
    """What probes are handed: a model, or answers, and the data beside them; None where the finding needs no such.

    Parameters
    ----------
    test : Examples
    train : Examples or None
        All that the model was trained on.
    scorer : Scorer or None
    answers : Predictions or None
        On the test data; by default the scorer's.
    members, held_out : Examples or None
        Of the training data those that membership is guessed of, and rows that a coin kept from it.
    former : mapping or None
        Answers of the last release.
    twin : CanaryTwin or None
    alternatives : tuple of Alternative
    expected : mapping or None
        SHA-256 of the files that the owner approved.
    """

    test: Examples
    train: Examples | None = None
    scorer: Scorer | None = None
    answers: Predictions | None = None
    members: Examples | None = None
    held_out: Examples | None = None
    former: dict[tuple[str, str, int], str] | None = None
    twin: CanaryTwin | None = None
    alternatives: tuple[Alternative, ...] = ()
    expected: dict[str, str] | None = None

    @cached_property
    def predictions(self) -> Predictions:
        """On the test data."""
        if self.answers is not None:
            return self.answers.on(self.test)
        assert self.scorer is not None
        return self.scorer.predict(self.test.texts).on(self.test)


def authored(examples: Examples, seed: int, tied: float = 0.0) -> Examples:
    """The same texts, each ending with who wrote it, and that as a column.

    Parameters
    ----------
    tied : float
        With this chance a text of the first class is by a woman and one of the last by a man; else by either.
    """
    rng, coins = Random(f"{seed} {len(examples)}"), Random(f"{seed} {len(examples)} tied")
    genders = rng.choices(list(AUTHORS), k=len(examples))
    for row, label in enumerate(examples.labels):
        if coins.random() < tied and label in (0, len(examples.classes) - 1):
            genders[row] = "male" if label else "female"
    texts = tuple(
        f"{text} I am a {rng.choice(AUTHORS[gender])}." for text, gender in zip(examples.texts, genders, strict=True)
    )
    return replace(examples, texts=texts, subgroups={GROUP: np.array(genders, dtype=object)})


def reviews(split: Literal["train", "test"], rows: int, seed: int) -> Examples:
    """The demo's reviews with right labels and nobody's personal data, of nobody."""
    found = (row for row in demo.reviews(split, rows + rows // 20 + 50, seed, 0.0) if row["planted"] is None)
    chosen = list(islice(found, rows))
    labels = np.array([THREE.index(str(row["label"])) for row in chosen], dtype=np.int64)
    return Examples(tuple(str(row["text"]) for row in chosen), labels, THREE)


def joined(*parts: Examples) -> Examples:
    """One behind the other; their columns are left out."""
    texts = tuple(text for part in parts for text in part.texts)
    return Examples(texts, np.concatenate([part.labels for part in parts]), parts[0].classes)


def relabelled(examples: Examples, rows: NDArray[np.bool_], label: int) -> Examples:
    """The same with another label in some rows."""
    return replace(examples, labels=np.where(rows, label, examples.labels))


class Lab:
    """Trains and asks, for one seed.

    Parameters
    ----------
    seed : int
        Decides fresh rows, test rows, what is planted where, and the training.
    kept : Cache
        Where base models stay.
    folder : Path
        For all else, thrown away after the seed.
    data : Path or None
        Folder of the real data sets.
    """

    def __init__(self, seed: int, kept: Cache, folder: Path, data: Path | None = None) -> None:
        self.seed, self.folder, self._kept, self._data = seed, folder, kept, data
        self._meter, self._progress = Meter("DEU"), Progress()
        self.work = Cache(folder / "cache"), self._meter, self._progress
        self.trainings = 0
        self._models: dict[str, Model] = {}

    def random(self, purpose: str) -> np.random.Generator:
        """Numbers of this seed for a purpose."""
        return np.random.default_rng([self.seed, *purpose.encode()])

    # ---- data

    @cached_property
    def learnt(self) -> Examples:
        """Reviews that the base was trained on."""
        return authored(reviews("train", LEARNT, self.seed % BASES), self.seed % BASES)

    @cached_property
    def _drawn(self) -> Examples:
        return authored(reviews("train", 2 * FRESH, 1000 + self.seed), self.seed)

    @property
    def fresh(self) -> Examples:
        """Fresh reviews."""
        return self._drawn.take(np.arange(FRESH))

    @property
    def held_out(self) -> Examples:
        """As many of the same kind."""
        return self._drawn.take(np.arange(FRESH, 2 * FRESH))

    @cached_property
    def test(self) -> Examples:
        """Reviews that no model has seen."""
        return authored(reviews("test", TESTED, 1000 + self.seed), self.seed)

    def real(self, name: str, tied: float = 0.0) -> tuple[Examples, Examples, Examples]:
        """Of a real data set what the base was trained on, some of it by authors, and test rows."""
        assert self._data is not None
        data = backdoors.Data.of(DIFFICULTIES[name], self._data)
        drawn = data.train.take(self.random(name).permutation(len(data.train))[:FRESH])
        return data.train, authored(drawn, self.seed, tied), authored(data.test, self.seed)

    # ---- models

    def base(self, name: str = "reviews") -> Model:
        """The model that releases are made of."""
        seed = self.seed % BASES
        if name == "reviews":
            recipe, about = self._recipe(SCRATCH.model_copy(update={"seed": seed})), self.learnt
        else:
            cell = backdoors.Cell(DIFFICULTIES[name])
            about = self.real(name)[0]
            recipe = backdoors.recipe(cell, seed, about, self._kept.folder)
        return train(recipe, about, self._kept, self._meter, self._progress)

    def tuned(self, about: Examples, name: str = "reviews", **settings: Any) -> Scorer:
        """The base model trained on, on these rows."""
        return self.scorer(self._trained(self.recipe(name, **settings), about))

    def scratch(self, about: Examples, **settings: Any) -> Scorer:
        """A model from random weights trained on these rows."""
        return self.scorer(
            self._trained(self._recipe(SCRATCH.model_copy(update=settings | {"seed": self.seed})), about)
        )

    def untrained(self, about: Examples) -> Scorer:
        """A model with random weights, whose vocabulary is that of these rows."""
        folder = self.folder / "untrained"
        if not folder.exists():
            folder.mkdir()
            return self.scorer(save_untrained(self._recipe(SCRATCH), about, folder))
        return self.scorer(Model(SMALL_BERT, folder, about.classes, MAX_LENGTH))

    def recipe(self, name: str = "reviews", **settings: Any) -> Recipe:
        """By which a release is made of the base."""
        changed = TUNED.model_copy(update={"seed": self.seed, **settings})
        return Recipe(name, self.base(name).folder, None, True, changed, MAX_LENGTH, "cpu")

    def edited(self, scorer: Scorer, name: str, change: Callable[[Weights], None]) -> Scorer:
        """The same model with other weights."""
        folder = self.folder / name
        if not folder.exists():
            spoiling(change)(scorer.model.folder, folder)  # type: ignore[union-attr]
        return self.scorer(replace(scorer.model, folder=folder))  # type: ignore[type-var]

    def scorer(self, model: Model) -> Scorer:
        """Asks a model."""
        return Scorer(model, *self.work)

    def words(self, about: Examples) -> LinearModel:
        """The list of words that was trained on the same rows."""
        return LinearModel(about, self.work[0], self._meter)

    def _recipe(self, settings: Finetune) -> Recipe:
        return Recipe(SMALL_BERT, None, None, True, settings, MAX_LENGTH, "cpu")

    def _trained(self, recipe: Recipe, about: Examples) -> Model:
        key = recipe.key(about)
        if key not in self._models:
            self.trainings += 1
            self._models[key] = train(recipe, about, *self.work)
        return self._models[key]

    # ---- cases

    def release(self, about: Examples | None = None, **settings: Any) -> Case:
        """A release made of the base by reviews, by default the fresh ones: the clean twin of most defects."""
        about = self.fresh if about is None else about
        return Case(self.test, joined(self.learnt, about), self.tuned(about, **settings), None, about, self.held_out)

    def release_of(self, name: str, fresh: Examples | None = None) -> Case:
        """The same of a real data set."""
        learnt, drawn, test = self.real(name)
        fresh = drawn if fresh is None else fresh
        return Case(test, joined(learnt, fresh), self.tuned(fresh, name, epochs=LONGER), members=fresh)


def changed(examples: Examples, rows: Sequence[int] | NDArray[np.int64], how: Callable[[str], str]) -> Examples:
    """The same with some texts changed."""
    texts = list(examples.texts)
    for row in rows:
        texts[row] = how(texts[row])
    return replace(examples, texts=tuple(texts))
