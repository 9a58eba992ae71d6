"""What is trained and timed to put the document's claims to the test; it reaches no outcome.

All models come from the policy's recipe and training data by :func:`audit.training.finetune.train`, so a second run
trains none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
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
from audit.inference.classifiers import ClassifierScorer
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models.classifiers.model import NO_NETWORK
from audit.models.model import FineTuning, Model
from audit.policy.policy import ScratchPolicy
from audit.training import pretrain
from audit.training.finetune import Recipe, steps_for, train
from audit.training.reference_models import LinearModel

FEWEST = 50  # rows of the smallest part of a learning curve
PARTS = (1 / 16, 1 / 4, 1.0)  # of the training data
PART = 1 / 4  # the part on which layers are frozen and learning rates tried
# A part so small that the recipe's epochs are a few steps is gone through more often: to tune on few examples takes
# more epochs, not fewer steps (Mosbach et al., ICLR 2021, section 6).
STEPS = 60
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
    warmup_ratio: float
    epochs: float


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
    scratch : ScratchPolicy
        What models from random weights have of their own.
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
    scratch: ScratchPolicy
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

    def learning_curves(self) -> tuple[dict[int, Runs], dict[int, Runs], dict[int, Trained], Figures | None]:
        """Models by size of the training data: from pretrained and random weights, and linear; what pretraining took.

        The linear model has no entry where a part holds too little to train it.
        """
        encoder, parts = self._encoder, self._parts[::-1]  # what decides comes first, should the time run out
        pretrained, scratch = (
            {len(rows): self._runs(encoder, rows, **self._longer(encoder, rows, start)) for rows in parts}
            for start in (_TUNED, self._random)
        )
        linear = {}
        for rows in parts:
            with suppress(NotAssessed):
                linear[len(rows)] = self._counted(LinearModel(rows, self.cache, self.meter))
        return pretrained, scratch, linear, self._pretraining.get("energy")

    def frozen_layers(self) -> dict[str, Runs]:
        """Pretrained models by which of their layers were trained; last layers only as far as there are such."""
        encoder, rows, made = self._encoder, self._quarter, {}
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
        encoder, rows = self._encoder, self._quarter
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

    def recurrent(self) -> tuple[Runs, Runs]:
        """Transformers and recurrent networks from random weights, trained on the same texts."""
        recipe = self._recipe
        made_anew = recipe.base is None or recipe.settings.initialise == "scratch"
        return self._runs(recipe, self._all, **({} if made_anew else self._random)), self._recurrent

    def deep_and_linear(self) -> tuple[dict[str, Runs], Trained]:
        """Deep models by kind, that of the audited one first, and logistic regression on word counts."""
        deep: dict[str, Runs] = {kind: tuple(map(self._asked, scorers)) for kind, scorers in self._deep.items()}
        if self.recipe is not None:
            deep[Sentence("recurrent networks")] = self._recurrent
        return deep, self._counted(self._words)

    def generalisation(
        self,
    ) -> tuple[dict[str, list[list[Predictions]]], list[Predictions], list[str], list[int]]:
        """Answers of deep models by kind and training, and of the linear one: each at home and elsewhere.

        Then the names of the data sets from elsewhere, and how many rows of each were left out.
        """
        texts = [self.test, *(each.examples for each in self.elsewhere)]
        deep = {
            kind: [[scorer.predict(of.texts).on(of) for of in texts] for scorer in scorers]
            for kind, scorers in (self._deep.items() if self.elsewhere else ())
        }
        linear = [self._words.predict(of.texts).on(of) for of in texts]
        names = [Path(of.source).stem for of in texts[1:]]
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
        if isinstance(scorer, ClassifierScorer):
            raise NotAssessed(NO_NETWORK)
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

    @property
    def _parts(self) -> list[Examples]:
        """Random parts of the training data, from small to large; each is part of the next."""
        sizes = [round(share * len(self._all)) for share in PARTS]
        return [self._part(size) for size in ([FEWEST] if sizes[0] > FEWEST else []) + sizes]

    @property
    def _quarter(self) -> Examples:
        return self._part(round(PART * len(self._all)))

    def _part(self, size: int) -> Examples:
        order = np.random.default_rng(self.test.protocol.seed).permutation(len(self._all))
        return self._all.take(np.sort(order[:size]))

    def _longer(self, recipe: Recipe, rows: Examples, start: Changes) -> Changes:
        """With more epochs for a small part, so that it takes `STEPS` steps, or as many as the quarter."""
        settings = recipe.settings
        least = min(STEPS, steps_for(settings, len(self._quarter)))
        if steps_for(settings, len(rows)) >= least:
            return start
        return {**start, "epochs": float(np.ceil(least / np.ceil(len(rows) / settings.batch_size)))}

    @property
    def _random(self) -> Changes:
        """What starts from random weights, by settings that suit them."""
        own = cast("Changes", self.scratch.model_dump(exclude_none=True))
        return {"train": "all", "initialise": "scratch", **own}

    def _runs(self, recipe: Recipe, rows: Examples, **settings: Unpack[Changes]) -> Runs:
        """Models of one recipe from several seeds."""
        return tuple(map(self._asked, self._scorers(recipe, rows, **settings)))

    def _scorers(self, recipe: Recipe, rows: Examples, **settings: Unpack[Changes]) -> Iterator[Scorer]:
        """Scorers of such models, each as soon as it is trained."""
        for i in range(SEEDS):
            changed = _changed(recipe, seed=recipe.settings.seed + i, **settings)
            model = train(changed, rows, self.cache, self.meter, self.progress, phase=PHASE)
            assert model.training is not None
            self.used.append(model.training)
            yield self.score(model)

    def _asked(self, scorer: Scorer) -> Trained:
        return Trained(scorer.predict(self.test.texts).on(self.test), scorer.model.training)

    def _counted(self, words: LinearModel) -> Trained:
        return Trained(words.predict(self.test.texts).on(self.test), words.training)

    @property
    def _recipe(self) -> Recipe:
        if self.recipe is None:
            raise NotAssessed(
                Sentence("there is no recipe to train other models by; supply [model.finetune] and [data] train")
            )
        return self.recipe

    @cached_property
    def _deep(self) -> dict[str, tuple[Scorer, ...]]:
        """Scorers of deep models by kind: several trainings of each, and the audited one where it was only loaded."""
        audited = self._audited
        deep: dict[str, tuple[Scorer, ...]] = {}
        if self.recipe is None or audited.model.training is None:
            deep[Sentence("the audited model, this training")] = (audited,)
        if self.recipe is not None:
            deep[Sentence("models by the policy's recipe")] = tuple(self._scorers(self.recipe, self._all))
        if self.encoder is not None and (
            self.recipe is None or _changed(self.encoder, **_TUNED) != _changed(self.recipe)
        ):
            tuned = self._scorers(self.encoder, self._all, **_TUNED)
            deep[Sentence("the pretrained encoder, fine-tuned")] = tuple(tuned)
        return deep

    @cached_property
    def _recurrent(self) -> Runs:
        """Recurrent networks, which are those of `audit.experiments.alternatives`."""
        of = self._recipe
        return self._runs(recurrent_recipe(of.settings, of.max_length, of.device), self._all)


_TUNED: Changes = {"train": "all", "initialise": "pretrained"}


def _changed(recipe: Recipe, **settings: Unpack[_Seeded]) -> Recipe:
    """A recipe with other settings, for which no example is held out."""
    return replace(recipe, settings=recipe.settings.model_copy(update={"validation": 0.0, **settings}))
