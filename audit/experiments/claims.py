"""What is trained and timed to put the document's claims to the test; it reaches no outcome.

All models come from the policy's recipe and training data by :func:`audit.training.finetune.train`, so a second run
trains none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypedDict, Unpack, cast

import numpy as np

from audit.core.cache import Cache, read_json
from audit.core.errors import AuditError, NotAssessed, NotFiniteError
from audit.core.figures import Figures
from audit.core.progress import Progress
from audit.core.sentences import Sentence
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.experiments.alternatives import recurrent_recipe
from audit.experiments.runs import Runs, Trained
from audit.experiments.steps import Steps, measure_steps
from audit.inference.attention import Attention
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models.model import FineTuning, Model
from audit.training import pretrain
from audit.training.finetune import Recipe, train
from audit.training.reference_models import LinearModel

PARTS = (1 / 16, 1 / 4, 1.0)  # of the training data
PART = 1 / 4  # the part on which layers are frozen and learning rates tried
SEEDS = 3
# Of the pretraining's learning rate; the largest is the rate itself.
RATES = (1.0, 0.3, 0.1, 0.03)
FROZEN = ("all", "last:2", "last:1", "head")
SENTENCES = 20  # texts on which the formula of attention is checked
ELSEWHERE = 2000  # texts of a data set from elsewhere
PHASE = "claims"


class Changes(TypedDict, total=False):
    """Settings of a recipe that an experiment changes."""

    train: str
    initialise: str
    learning_rate: float


class _Seeded(Changes, total=False):
    seed: int


@dataclass(frozen=True)
class Elsewhere:
    """A labelled data set from elsewhere, and how many of its rows have a label that the model does not know."""

    examples: Examples
    left_out: int


@dataclass(frozen=True)
class Experiments:
    """Trains what the claims ask for, when it is asked for.

    Parameters
    ----------
    recipe : Recipe or None
        The policy's; None where its model is only loaded.
    encoder : Recipe or None
        The same for the pretrained encoder that the policy names; None without one.
    pretraining_rate : float or None
        As the policy gives it.
    members : Examples or None
        What the audited model was trained on, and so are the others.
    test : Examples
    linear : LinearModel or None
        None without training data.
    audited : callable
        Gives the scorer of the audited model.
    score : callable
        Makes a scorer for a model.
    elsewhere : sequence of Elsewhere
    device : str
    cache : Cache
    meter : Meter
    progress : Progress
    used : list of FineTuning
        Filled with what is known of each training that was asked for.
    """

    recipe: Recipe | None
    encoder: Recipe | None
    pretraining_rate: float | None
    members: Examples | None
    test: Examples
    linear: LinearModel | None
    audited: Callable[[], Scorer]
    score: Callable[[Model], Scorer]
    elsewhere: Sequence[Elsewhere]
    device: str
    cache: Cache
    meter: Meter
    progress: Progress
    used: list[FineTuning] = field(default_factory=list)

    def learning_curves(self) -> tuple[dict[int, Runs], dict[int, Runs], Figures | None]:
        """Models from pretrained and from random weights by size of the training data, and what pretraining took."""
        encoder = self._encoder
        curves = [
            {
                len(rows): self._runs(encoder, rows, train="all", initialise=start)
                for rows in (self._part(share) for share in PARTS)
            }
            for start in ("pretrained", "scratch")
        ]
        return curves[0], curves[1], self._pretraining.get("energy")

    def frozen_layers(self) -> dict[str, Runs]:
        """Pretrained models by which of their layers were trained; last layers only as far as there are such."""
        encoder, rows, made = self._encoder, self._part(PART), {}
        for layers in FROZEN:
            try:
                made[layers] = self._runs(encoder, rows, train=layers, initialise="pretrained")
            except AuditError as error:
                if layers == "last:1":
                    raise NotAssessed(str(error).removesuffix(".")) from None
                if layers != "last:2":
                    raise
        return made

    def learning_rates(self) -> tuple[dict[float, Runs], float]:
        """Pretrained models by learning rate, and the rate of the pretraining.

        Raises
        ------
        NotAssessed
            If that is not known.
        """
        encoder, rows = self._encoder, self._part(PART)
        own = self.pretraining_rate or self._pretraining.get("recipe", {}).get("learning_rate")
        if not own:
            raise NotAssessed(
                Sentence(
                    "the pretrained encoder does not say at what learning rate it was pretrained; give it with "
                    "[claims] pretraining_rate"
                )
            )
        rates = [float(f"{share * own:.3g}") for share in RATES]
        try:
            made = {
                rate: self._runs(encoder, rows, train="all", initialise="pretrained", learning_rate=rate)
                for rate in rates
            }
        except NotFiniteError as error:  # of a rate that is not the policy's
            raise NotAssessed(str(error).removesuffix(".")) from None
        return made, rates[0]

    def recurrent(self) -> tuple[Trained, Trained]:
        """A Transformer and a recurrent network from random weights, trained on the same texts."""
        return self._from_scratch, self._recurrent

    def deep_and_linear(self) -> tuple[dict[str, Trained], Trained]:
        """Deep models, the audited one first, and logistic regression on word counts."""
        scorer = self._audited
        deep = {"the audited model": Trained(self._said(scorer), scorer.model.training)}
        if self.encoder is not None:
            deep["the pretrained encoder, fine-tuned"] = self._pretrained
        if self.recipe is not None:
            deep["a recurrent network"] = self._recurrent
        return deep, Trained(self._words.predict(self.test.texts).on(self.test), self._words.training)

    def generalisation(self) -> tuple[dict[str, list[Predictions]], list[Predictions], list[str], list[int]]:
        """Answers of deep models and the linear one, at home and elsewhere; names, and how many rows were left out."""
        scorers = {"the audited model": self._audited}
        if self.encoder is not None and self.elsewhere:
            scorers["the pretrained encoder, fine-tuned"] = self.score(self._model(self._encoder, self._all))
        away = [each.examples for each in self.elsewhere]
        deep = {
            name: [scorer.predict(of.texts).on(of) for of in (self.test, *away)] for name, scorer in scorers.items()
        }
        linear = [self._words.predict(of.texts).on(of) for of in (self.test, *away)]
        names = [Path(each.source).stem for each in away]
        return deep, linear, names, [each.left_out for each in self.elsewhere]

    def steps(self) -> Steps:
        """Time of training steps against the length of texts."""
        return measure_steps(self.device, self.meter, self.cache, self.progress)

    def attention(self) -> list[Attention]:
        """What the audited model weighs of some test texts."""
        texts = [text for text in self.test.texts if 5 <= len(text.split()) <= 100][:SENTENCES]
        return self._audited.attention(texts or self.test.texts[:SENTENCES])

    @property
    def _audited(self) -> Scorer:
        scorer = self.audited()
        if not isinstance(scorer, Scorer) or not isinstance(scorer.model, Model):
            raise NotAssessed(
                Sentence(
                    "the repository's own conftest.py replaces the model or the scorer, and nothing is known of its "
                    "training or its layers; leave these fixtures to the plugin"
                )
            )
        return scorer

    @property
    def _encoder(self) -> Recipe:
        if self.encoder is None:
            raise NotAssessed(
                Sentence(
                    "the policy names no pretrained encoder; give a folder or Hub id with [claims] pretrained, such as "
                    "the one that `python -m audit pretrain` makes, and a recipe with [model.finetune]"
                )
            )
        return self.encoder

    @property
    def _all(self) -> Examples:
        if self.members is None:
            raise NotAssessed(Sentence("the policy names no training data; name them under [data] train"))
        return self.members

    @property
    def _words(self) -> LinearModel:
        if self.linear is None:
            raise NotAssessed(
                Sentence("the policy names no training data for the simple model; name them under [data] train")
            )
        return self.linear

    @cached_property
    def _pretraining(self) -> pretrain.Record:
        """What the encoder's folder tells of its pretraining."""
        base = self._encoder.base
        found = read_json(base / pretrain.RECORD) if base is not None else None
        return cast("pretrain.Record", found) if isinstance(found, dict) else {}

    def _part(self, share: float) -> Examples:
        """A random part of the training data; a smaller one is part of each larger one."""
        order = np.random.default_rng(self.test.protocol.seed).permutation(len(self._all))
        return self._all.take(np.sort(order[: round(share * len(order))]))

    def _runs(self, recipe: Recipe, rows: Examples, **settings: Unpack[Changes]) -> Runs:
        """Models of one recipe from several seeds."""
        seeds = range(recipe.settings.seed, recipe.settings.seed + SEEDS)
        return tuple(self._trained(recipe, rows, seed=seed, **settings) for seed in seeds)

    def _trained(self, recipe: Recipe, rows: Examples, **settings: Unpack[_Seeded]) -> Trained:
        model = self._model(recipe, rows, **settings)
        return Trained(self._said(self.score(model)), model.training)

    def _model(self, recipe: Recipe, rows: Examples, **settings: Unpack[_Seeded]) -> Model:
        changed = replace(recipe, settings=recipe.settings.model_copy(update={"validation": 0.0, **settings}))
        model = train(changed, rows, self.cache, self.meter, self.progress, phase=PHASE)
        assert model.training is not None
        self.used.append(model.training)
        return model

    def _said(self, scorer: Scorer) -> Predictions:
        return scorer.predict(self.test.texts).on(self.test)

    @property
    def _recipe(self) -> Recipe:
        if self.recipe is None:
            raise NotAssessed(
                Sentence("there is no recipe to train other models by; supply [model.finetune] and [data] train")
            )
        return self.recipe

    @cached_property
    def _from_scratch(self) -> Trained:
        """The audited model, where the recipe made it from random weights; else one that is."""
        recipe, training = self._recipe, self._audited.model.training
        if training is not None and (recipe.base is None or recipe.settings.initialise == "scratch"):
            return Trained(self._said(self._audited), training)
        return self._trained(recipe, self._all, initialise="scratch")

    @cached_property
    def _recurrent(self) -> Trained:
        """The recurrent network, which is the one of `audit.experiments.alternatives`."""
        of = self._recipe
        return self._trained(recurrent_recipe(of.settings, of.max_length, of.device), self._all)

    @cached_property
    def _pretrained(self) -> Trained:
        return self._trained(self._encoder, self._all, initialise="pretrained")
