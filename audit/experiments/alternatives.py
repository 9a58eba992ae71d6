"""Other models of the same task beside the audited one: how good each is, and what it takes. It knows no gates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from audit.core.cache import Cache
from audit.core.errors import AuditError, NotAssessed, NotFiniteError
from audit.core.progress import Progress
from audit.core.sentences import Sentence
from audit.energy.meter import InferenceEnergy, Meter, Runner, measure_in_turn
from audit.inference.latency import SingleTimes, measure_single
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models import precisions
from audit.models.files.pickles import PICKLED
from audit.models.files.weights import SAFE
from audit.models.model import SETTINGS, Model, Training, bytes_on_disk, safe_weights
from audit.policy.policy import Finetune
from audit.training.finetune import GRU, Job, Recipe, train
from audit.training.reference_models import LinearModel

if TYPE_CHECKING:
    from audit.data.examples import Examples

NAMES: Mapping[str, str] = {
    "audited": Sentence("the audited model"),
    "words": Sentence("TF-IDF + logistic regression"),
    "recurrent": Sentence("GRU, a recurrent network"),
    "head": Sentence("only the classifier head trained"),
    "last:2": Sentence("only the head and the last two layers trained"),
    "int8": Sentence("8-bit version of the audited model"),
}
GRU_EPOCHS = 3


def recurrent_recipe(settings: Finetune, max_length: int, device: str) -> Recipe:
    """The recipe of the recurrent network beside a model of these settings: its own, with their seed and epochs."""
    # No straw man: as high a rate as it bears, since it starts from random weights, and dropout against rote learning.
    own = Finetune(
        epochs=max(GRU_EPOCHS, settings.epochs),
        seed=settings.seed,
        initialise="scratch",
        batch_size=32,
        learning_rate=2e-3,
        warmup_ratio=0.1,
        weight_decay=0.01,
        max_grad_norm=1.0,
        validation=0.0,
        group_by_length=True,
    )
    return Recipe(GRU, None, None, True, own, max_length, device)


class Latency(TypedDict):
    """Time of single test texts, one after the other, and their number."""

    median_s: float
    p95_s: float
    texts: int
    clock: str
    machine: str
    created: str


@dataclass(frozen=True)
class Alternative:
    """A model of the same task, made of the same training data.

    Parameters
    ----------
    kind : str
        ``audited``, ``words``, ``recurrent``, ``head``, ``last:2`` or ``int8``.
    name : str
        In words.
    predictions : Predictions
        On the test data.
    training : Training or None
        None where nothing is trained, or where it is not known.
    inference : InferenceEnergy
        As :func:`audit.energy.meter.measure_in_turn` gives it.
    latency : Latency
    size : int
        Bytes on disk of what has to be shipped.
    parameters : int
        How many numbers were learnt.
    """

    kind: str
    name: str
    predictions: Predictions
    training: Training | None
    inference: InferenceEnergy
    latency: Latency
    size: int
    parameters: int


@dataclass(frozen=True)
class Alternatives:
    """The audited model and those beside it.

    Parameters
    ----------
    made : tuple of Alternative
        The audited model first.
    left_out : mapping
        From the kind of each that was not made to the reason, one sentence.
    """

    made: tuple[Alternative, ...]
    left_out: Mapping[str, str]


@dataclass(frozen=True)
class Bench:
    """What the models beside the audited one are made of and measured with.

    Parameters
    ----------
    scorer : Scorer
        Of the audited model.
    scorer_of : callable
        Makes the scorer of another model.
    linear : LinearModel or None
        None without training data.
    recipe : Recipe or None
        By which the policy's model is trained; layers are frozen in it.
    members : Examples or None
        What the audited model was trained on, and so are the others.
    test : Examples
    cache : Cache
    meter : Meter
    progress : Progress
    seed : int
        Of the recurrent network where there is no recipe.
    """

    scorer: Scorer
    scorer_of: Callable[[Model], Scorer]
    linear: LinearModel | None
    recipe: Recipe | None
    members: Examples | None
    test: Examples
    cache: Cache
    meter: Meter
    progress: Progress
    seed: int = 0

    def alternatives(self, asked: Sequence[str]) -> Alternatives:
        """The audited model and those asked for, by kind; a second time all of it comes from the cache."""
        made = [self._of("audited", self.scorer)]
        left_out = {}
        for kind in dict.fromkeys(asked):
            try:
                made.append(self._made(kind))
            except _LeftOut as reason:
                left_out[kind] = reason.why
        measured = measure_in_turn([runner for runner, _ in made], self.test.texts, self.meter, self.cache)
        beside = zip(made, measured, strict=True)
        return Alternatives(tuple(with_energy(blocks) for (_, with_energy), blocks in beside), left_out)

    def _made(self, kind: str) -> tuple[Runner, _Measured]:
        if kind == "int8":
            return self._eight_bit()
        if self.members is None:
            raise _LeftOut(Sentence("the policy names no training data for it; name them under [data] train"))
        if kind == "words":
            assert self.linear is not None
            try:
                training = self.linear.training
            except NotAssessed as reason:
                raise _LeftOut(reason.reason) from None
            return self._measured(kind, self.linear, training, training["size"], training["parameters"])
        try:
            recipe = self._recipe(kind)
            model = train(recipe, self.members, self.cache, self.meter, self.progress, phase="alternatives")
        except AuditError as error:  # fewer layers than are to be trained
            if kind != "last:2":
                raise
            raise _LeftOut(str(error).removesuffix(".")) from None
        return self._of(kind, self.scorer_of(model))

    def jobs(self, asked: Sequence[str]) -> Iterator[Job]:
        """The trainings of networks that :meth:`alternatives` takes where the cache holds none of them."""
        for kind in dict.fromkeys(asked):
            with suppress(_LeftOut):
                if kind not in ("int8", "words") and self.members is not None:
                    yield Job(self._recipe(kind), self.members)

    def _recipe(self, kind: str) -> Recipe:
        """How a network beside the audited one is trained."""
        if kind != "recurrent":
            return self._frozen(kind)
        audited, settings = self.scorer.model, self.recipe.settings if self.recipe else Finetune(seed=self.seed)
        return recurrent_recipe(settings, audited.max_length, audited.device)

    def _frozen(self, kind: str) -> Recipe:
        """The policy's recipe with all but the head, or the last layers, left as they are."""
        if self.recipe is None:
            raise _LeftOut(Sentence("the policy has no recipe to train it by; give one with [model.finetune]"))
        settings = self.recipe.settings
        if self.recipe.base is None or settings.initialise == "scratch":
            raise _LeftOut(
                Sentence(
                    "the recipe starts from random weights, and layers that stay random tell nothing about what "
                    "freezing costs; that takes a pretrained model to start from"
                )
            )
        if settings.train == kind:
            raise _LeftOut(Sentence("the recipe itself freezes these layers"))
        return replace(self.recipe, settings=settings.model_copy(update={"train": kind, "validation": 0.0}))

    def _eight_bit(self) -> tuple[Runner, _Measured]:
        try:
            model, size = precisions.eight_bit(self.scorer.model, self.cache)
            return self._measured("int8", self.scorer_of(model), None, size, _parameters(model))
        except NotAssessed as reason:
            raise _LeftOut(reason.reason) from None
        except NotFiniteError:  # the audited model itself answers with numbers
            raise _LeftOut(Sentence("with 8-bit layers its answers are no numbers")) from None

    def _of(self, kind: str, scorer: Scorer) -> tuple[Runner, _Measured]:
        model = scorer.model
        suffixes = (*SETTINGS, *(SAFE if safe_weights(model.folder, model.source) else PICKLED))
        return self._measured(kind, scorer, model.training, bytes_on_disk(model.folder, suffixes), _parameters(model))

    def _measured(
        self,
        kind: str,
        scorer: Scorer | LinearModel,
        training: Training | None,
        size: int,
        parameters: int,
    ) -> tuple[Runner, _Measured]:
        texts = self.test.texts
        predictions = scorer.predict(texts).on(self.test)
        latency = _summary(measure_single(scorer, texts, self.meter, self.cache))
        return scorer, lambda inference: Alternative(
            kind=kind,
            name=NAMES[kind],
            predictions=predictions,
            training=training,
            inference=inference,
            latency=latency,
            size=size,
            parameters=parameters,
        )


# A model and all about it but its energy, which is measured last, for all of them in turn.
_Measured = Callable[[InferenceEnergy], Alternative]


class _LeftOut(Exception):  # noqa: N818 - a reason, not an error
    """Why a model cannot be made, in a sentence without its full stop."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def _parameters(model: Model) -> int:
    """How many numbers a model has learnt."""
    return model.parameters or sum(part.numel() for part in model.network.parameters())


def _summary(times: SingleTimes) -> Latency:
    """Median and 95th percentile of measured times, seconds."""
    median, p95 = np.quantile(times["seconds"], (0.5, 0.95))
    return {
        "median_s": float(median), "p95_s": float(p95), "texts": len(times["seconds"]),
        "clock": times["clock"], "machine": times["machine"], "created": times["created"],
    }  # fmt: skip
