"""The models of an audit: the audited one, twins, references and alternatives; loaded or trained when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from audit.cluster.cluster import ClusterScorer
from audit.core.cache import Cache
from audit.core.errors import AuditError, NotAssessed
from audit.core.progress import Progress
from audit.core.sentences import Sentence
from audit.data import examples as data
from audit.data.examples import Examples
from audit.energy.meter import Meter
from audit.experiments.alternatives import Alternative, Alternatives, Bench
from audit.experiments.claims import ELSEWHERE, Elsewhere, Experiments
from audit.inference.classifiers import ClassifierScorer
from audit.inference.predictions import Predictions
from audit.inference.scorer import CachedScorer, Scorer
from audit.models import model, model_card, precisions, tokens
from audit.models.classifiers.model import NO_NETWORK, ClassifierModel
from audit.models.classifiers.onnx_files import OnnxClassifier
from audit.models.classifiers.regression import Regression
from audit.models.model import Model, Training
from audit.models.model_card import Card
from audit.models.precisions import EightBit
from audit.policy.policy import SMALL_BERT, Policy
from audit.probes.privacy.canary import canary_epsilon
from audit.probes.privacy.membership_evidence import Twins
from audit.probes.quality.stability import stability
from audit.run.inputs import Inputs, locate
from audit.run.resources import Resources
from audit.training import canaries, reference_models
from audit.training.canaries import Canaries, CanaryTwin
from audit.training.finetune import Recipe, Workers, folder_of, train
from audit.training.reference_models import LinearModel, Twin

_REPLACED = Sentence(
    "the repository's own conftest.py replaces the model or the scorer, and what that takes cannot be held against "
    "other models; leave these fixtures to the plugin"
)
_NO_RECIPE = Sentence(
    "it takes a second model that was made as this one was, and the recipe, [model.finetune], is of networks of "
    "Transformers only"
)
# Where the policy does not say how many.
TWINS = 2


class Models:
    """The models of one audit in one process.

    Parameters
    ----------
    policy : Policy
    inputs : Inputs
    resources : Resources
    """

    def __init__(self, policy: Policy, inputs: Inputs, resources: Resources) -> None:
        self.policy = policy
        self.inputs = inputs
        self.resources = resources
        self.scorers: list[CachedScorer] = []
        self.beside: tuple[Alternative, ...] = ()
        self.unknown_tokens = 0.0
        self._experiments: Experiments | None = None

    # ---- the audited model

    @cached_property
    def recipe(self) -> Recipe | None:
        """How the policy's model is trained; None where it is only loaded."""
        settings, model_policy = self.policy.model.finetune, self.policy.model
        if settings is None:
            return None
        if model_policy.source == SMALL_BERT:
            return Recipe(SMALL_BERT, None, None, True, settings, model_policy.max_length, self.resources.device)
        return self._recipe_from(model_policy.source, model_policy.revision, "[model] source")

    def _recipe_from(self, source: str, revision: str | None, key: str) -> Recipe:
        """The policy's recipe, from this base model."""
        settings, length = self.policy.model.finetune, self.policy.model.max_length
        assert settings is not None
        path, cache = self.policy.path(source, key), self.resources.cache
        base = locate(self.policy, source, path, revision, cache)
        length = model.longest(base.folder, source, length)
        return Recipe(base.source, base.folder, base.commit, base.pinned, settings, length, self.resources.device)

    def locate(self) -> None:
        """Find the model that is loaded, or the base of the one that is trained; ask a classifier a first question."""
        loaded, classifier = self.inputs.loaded, self.inputs.classifier
        if classifier is not None:
            _ = self.asked(classifier).graded
            if isinstance(classifier.classifier, OnnxClassifier | Regression):
                self.unknown_tokens = classifier.classifier.unknown_share(self.inputs.test_data.texts)
                tokens.check_share(self.unknown_tokens, classifier.source)
        elif loaded is not None:
            own, head = self.inputs.own_classes, self.policy.model.head
            model.check_outputs(loaded.folder, loaded.source, own, head)
        elif self.policy.data.train is None:
            raise AuditError(f"{self.policy.name}: [model.finetune] needs training data; give [data] train.")
        else:
            _ = self.recipe

    @cached_property
    def model(self) -> Model | ClassifierModel:
        """The model under audit, loaded or trained."""
        if self.inputs.classifier is not None:
            return self.inputs.classifier
        return self.transformer

    @cached_property
    def transformer(self) -> Model:
        """The same, where it is a network."""
        loaded, resources = self.inputs.loaded, self.resources
        if loaded is not None:
            length = model.longest(loaded.folder, loaded.source, self.policy.model.max_length)
            return Model(
                loaded.source, loaded.folder, self.inputs.classes, length, resources.device, loaded.commit,
                loaded.pinned, allow_pickle=self.policy.security.allow_pickle, dtype=self.policy.audit.dtype,
                reading=self.inputs.reading, parts=loaded.parts,
            )  # fmt: skip
        assert self.recipe is not None
        assert self.inputs.train_data is not None
        if self.recipe.base is not None:  # before the long work, which would end in the same refusal
            source, base = self.recipe.source, self.recipe.base
            untrained = Model(source, base, self.inputs.classes, 4)
            self._read_by(Scorer(untrained, resources.cache, resources.meter, resources.progress))
        tuned = train(self.recipe, self.inputs.train_data, resources.cache, resources.meter, resources.progress)
        return replace(tuned, dtype=self.policy.audit.dtype)

    @property
    def audited(self) -> Model | ClassifierModel:
        """The model under audit, beside a scorer of the repository's own only if the policy names one that is there.

        Raises
        ------
        NotAssessed
            If only a scorer is brought.
        """
        overridden = self.inputs.overridden
        if "scorer" not in overridden or "model" in overridden:
            return self.model
        reason = Sentence("the repository's own `scorer` answers for a model that the audit does not have")
        if self.policy.model.finetune is not None and self.inputs.options.model is None:
            raise NotAssessed(reason)
        try:
            return self.model
        except AuditError:
            raise NotAssessed(reason) from None

    def own_scorer(self, audited: Model | ClassifierModel) -> CachedScorer:
        """The scorer of the audited model, whatever kind of model it is."""
        return self.asked(audited) if isinstance(audited, ClassifierModel) else self.scorer(audited)

    def asked(self, audited: ClassifierModel) -> ClassifierScorer:
        """A scorer for a classifier; where nothing tells its answers from another's, they are kept for this run."""
        resources, cut = self.resources, self.policy.model.max_characters
        scorer = ClassifierScorer(
            audited, self._cache_of(audited), resources.meter, resources.progress, max_characters=cut,
            withheld=self._withheld(audited),
        )  # fmt: skip
        self.scorers.append(scorer)
        return scorer

    def _cache_of(self, audited: ClassifierModel) -> Cache:
        return self.resources.cache if audited.fingerprint else self.resources.run_cache

    def _withheld(self, audited: ClassifierModel) -> frozenset[str]:
        """Texts that a service must not be sent: those of the training data that are no test texts as well."""
        train = self.inputs.train_data
        if not audited.is_service or self.policy.model.send_training_data or train is None:
            return frozenset()
        return frozenset(train.texts).difference(self.inputs.test_data.texts)

    def scorer(self, audited: Model) -> Scorer:
        """A scorer for a network, on this audit's cache and meter; what it does counts in the record."""
        dtype, own = self.policy.audit.dtype, audited is self.__dict__.get("transformer")
        # A twin is trained in float32, and asked as the model is.
        if audited.dtype != dtype and not isinstance(audited, EightBit):
            audited = replace(audited, dtype=dtype)
        scorer = self._scorer(audited)
        if own:
            self.unknown_tokens = self._read_by(scorer)
        return scorer

    def _scorer(self, audited: Model) -> Scorer:
        """The same for a model in the precision that it has."""
        cut, cluster = self.policy.model.max_characters, self.resources.cluster
        arguments = audited, self.resources.cache, self.resources.meter, self.resources.progress
        scorer = Scorer(*arguments, max_characters=cut)
        # Overridden or quantised models have no files to ship to workers.
        if cluster is not None and "model" not in self.inputs.overridden and type(audited) is Model:
            scorer = ClusterScorer(*arguments, cluster, max_characters=cut)
        self.scorers.append(scorer)
        return scorer

    def _read_by(self, scorer: Scorer) -> float:
        """Share of the test texts' tokens that a model's tokenizer does not know.

        Raises
        ------
        AuditError
            If it does not know most of them.
        """
        share = scorer.unknown_share(self.inputs.test_data.texts)
        tokens.check_share(share, scorer.model.source)
        return share

    def model_card(self, audited: object) -> Card:
        """The card in the model's folder.

        Raises
        ------
        NotAssessed
            If this audit trained the model itself, so that nobody could document it yet, or it has no folder.
        """
        if getattr(audited, "training", None):
            raise NotAssessed(
                Sentence(
                    "this audit trained the model itself, and it has no folder of its own yet that could hold a "
                    "card; save it with `python -m audit export`, write its README.md there, and audit that folder "
                    "with --audit-model"
                )
            )
        folder = getattr(audited, "folder", None)
        if folder is None and isinstance(audited, ClassifierModel):
            raise NotAssessed(
                Sentence("the model has no folder; give its object the attribute `folder`, where its README.md stands")
            )
        if folder is None:
            raise NotAssessed(
                Sentence(
                    "the repository's own conftest.py replaces the model by one without a folder; give it the "
                    "attribute `folder`, where its README.md stands"
                )
            )
        return model_card.read(Path(next(iter(getattr(audited, "parts", ())), folder)))

    # ---- models beside it

    def _lacks(self, recipe: Sentence) -> NotAssessed:
        """Why nothing can be trained as the model was: what to supply, or that nothing would do."""
        return NotAssessed(recipe if self.inputs.classifier is None else _NO_RECIPE)

    @property
    def _work(self) -> tuple[Cache, Meter, Progress, Workers | None]:
        """What references are trained with."""
        return self.resources.cache, self.resources.meter, self.resources.progress, self._workers

    @property
    def _workers(self) -> Workers | None:
        """Who trains them; None: this process."""
        return self.resources.cluster

    @cached_property
    def twins(self) -> tuple[Twin, ...]:
        """Reference models.

        Raises
        ------
        NotAssessed
            If the policy has no recipe or no training data.
        """
        if self.recipe is None or self.inputs.train_data is None:
            raise self._lacks(
                Sentence("there is no recipe to train twins by; supply [model.finetune] and [data] train")
            )
        count = self.policy.privacy.reference_models or TWINS
        return reference_models.twins(self.recipe, self.inputs.train_data, count, *self._work)

    @cached_property
    def membership_twins(self) -> Twins | None:
        """Twins for membership inference, trained if need be; None without a recipe or training data."""
        examples = self.inputs.train_data
        if self.recipe is None or examples is None:
            return None
        always = self.policy.privacy.reference_models is not None
        return Twins(examples, lambda: [(self.scorer(twin.model), twin.members) for twin in self.twins], always)

    @cached_property
    def held_out(self) -> Examples | None:
        """The recipe's validation slice; None where there is none, or the audited model may have been trained on it."""
        recipe, examples = self.recipe, self.inputs.train_data
        if recipe is None or examples is None or {"model", "scorer"} & set(self.inputs.overridden):
            return None
        if self.inputs.loaded is not None:
            # A loaded model is known to be the recipe's only where the cache holds that one.
            trained = folder_of(recipe, examples, self.resources.cache)
            own = trained and model.fingerprint(model.hash_files(trained))
            if own != model.fingerprint(model.hash_files(self.inputs.loaded.folder)):
                return None
        rows = data.split_validation(examples, recipe.settings.validation, recipe.settings.seed)[1]
        return examples.take(rows) if len(rows) else None

    @property
    def without_rows(self) -> Callable[[NDArray[np.bool_]], Scorer] | None:
        """Trains by the recipe without some rows of the training data; None without a recipe or training data."""
        recipe, examples = self.recipe, self.inputs.train_data
        if recipe is None or examples is None:
            return None
        return lambda rows: self.scorer(reference_models.without_rows(recipe, examples, rows, *self._work))

    @property
    def stand_ins(self) -> Callable[[], Iterator[Scorer]] | None:
        """Trains small BERTs on the training data, each when it is asked for; None without training data."""
        examples, length, device = self.inputs.train_data, self.policy.model.max_length, self.resources.device
        if examples is None:
            return None
        return lambda: map(self.scorer, reference_models.stand_ins(examples, length, device, *self._work))

    @cached_property
    def canary_twin(self) -> CanaryTwin:
        """A twin whose training data held canaries.

        Raises
        ------
        NotAssessed
            If the policy has no recipe, no training data, too few of them, or wants no canaries.
        """
        drawn = self._canaries
        assert self.recipe is not None
        assert self.inputs.train_data is not None
        twin = reference_models.canary_twin(self.recipe, self.inputs.train_data, drawn, *self._work)
        return CanaryTwin(drawn, self.scorer(twin))

    @cached_property
    def _canaries(self) -> Canaries:
        """What is planted in its training data, or not; raises what :attr:`canary_twin` does."""
        examples, settings = self.inputs.train_data, self.policy.privacy
        if self.recipe is None or examples is None:
            raise self._lacks(
                Sentence("there is no recipe to train a twin by; supply [model.finetune] and [data] train")
            )
        gate = self.policy.gate(canary_epsilon.id)
        sizing = canaries.Sizing(settings.canaries, settings.canary_share, settings.delta, gate.max if gate else None)
        return canaries.draw(examples, sizing, self.policy.audit.seed)

    @cached_property
    def word_counts(self) -> Predictions:
        """What a linear model on word counts says of the test data.

        Raises
        ------
        NotAssessed
            If there is no training data.
        """
        if self._linear is None:
            raise NotAssessed(
                Sentence("the policy names no training data for the simple model; name it under [data] train")
            )
        return self._linear.predict(self.inputs.test_data.texts).on(self.inputs.test_data)

    @cached_property
    def _linear(self) -> LinearModel | None:
        """The linear model on word counts; None without training data."""
        members = self.inputs.members
        return None if members is None else LinearModel(members, self.resources.cache, self.resources.meter)

    def experiments(self, audited: Callable[[], Scorer]) -> Experiments:
        """What the document's claims are put to the test with; what the policy names for it is looked up now.

        Parameters
        ----------
        audited : callable
            Gives the scorer of the audited model.
        """
        settings, encoder, inputs, resources = self.policy.claims, None, self.inputs, self.resources
        if settings.pretrained is not None and self.recipe is not None:
            encoder = self._recipe_from(settings.pretrained, settings.revision, "[claims] pretrained")
            assert encoder.base is not None
            length = min(encoder.max_length, model.positions(encoder.base, settings.pretrained))
            encoder = replace(encoder, max_length=length)
        elsewhere = [
            Elsewhere(*data.load_elsewhere(self.policy, each, inputs.test_data, ELSEWHERE, resources.cache.datasets))
            for each in settings.transfer
        ]
        self._experiments = Experiments(
            self.recipe, encoder, settings.pretraining_rate, settings.scratch, inputs.members,
            inputs.test_data, self._linear, audited, self.scorer, elsewhere, resources.device, resources.cache,
            resources.meter, resources.progress,
        )  # fmt: skip
        return self._experiments

    def retrained(self) -> Scorer:
        """Another model of the recipe, trained now with another seed or taken from the cache.

        Raises
        ------
        NotAssessed
            If the policy has no recipe or no training data, neither asks for this nor gates it, or if the repository
            put something of its own in the place of scorer or model.
        """
        recipe, members, wanted = self.recipe, self.inputs.members, self.policy.quality.retrain
        if recipe is None or members is None:
            raise self._lacks(
                Sentence("there is no recipe to train a second model by; supply [model.finetune] and [data] train")
            )
        if {"model", "scorer"} & set(self.inputs.overridden):
            raise NotAssessed(_REPLACED)
        if not (self.policy.gate(f"{stability.id}[seed]") if wanted is None else wanted):
            raise NotAssessed(
                Sentence(
                    "it takes a second training, and no gate asks for it; gate quality.stability[seed], or set "
                    "[quality] retrain = true"
                )
            )
        return self.scorer(reference_models.retrained(recipe, members, *self._work))

    def other_precisions(self, scorer: CachedScorer) -> dict[str, Callable[[], Scorer]]:
        """What makes the audited model anew in each other precision, or raises NotAssessed; by the precision's name.

        None where the repository put something of its own in the place of scorer or model.
        """
        audited = getattr(scorer, "model", None)
        if isinstance(audited, ClassifierModel):
            return {precisions.EIGHT_BIT: _no_network}
        if not isinstance(scorer, Scorer) or type(audited) is not Model:
            return {}
        return {each: partial(self._in_precision, audited, each) for each in precisions.beside(audited.dtype)}

    def _in_precision(self, audited: Model, precision: str) -> Scorer:
        if precision == precisions.EIGHT_BIT:
            return self._scorer(precisions.eight_bit(audited, self.resources.cache)[0])
        return self._scorer(precisions.in_dtype(audited, precision))

    def alternatives(self, scorer: CachedScorer) -> Alternatives:
        """The audited model and others of the same task beside it, made now or taken from the cache.

        Raises
        ------
        NotAssessed
            If the repository put something of its own in the place of scorer or model.
        """
        outcome = self._bench(scorer).alternatives(self.policy.environment.alternatives)
        self.beside = outcome.made
        return outcome

    def _bench(self, scorer: CachedScorer) -> Bench:
        """What they are made of and measured with; raises what :meth:`alternatives` does."""
        if isinstance(scorer, ClassifierScorer):
            raise NotAssessed(NO_NETWORK)
        if not isinstance(scorer, Scorer) or not isinstance(scorer.model, Model):
            raise NotAssessed(_REPLACED)
        return Bench(
            scorer, self.scorer, self._linear, self.recipe, self.inputs.members, self.inputs.test_data,
            self.resources.cache, self.resources.meter, self.resources.progress, self.policy.audit.seed,
        )  # fmt: skip

    @property
    def trainings(self) -> list[Training]:
        """How each model of this audit was trained, as the cache holds it; those that were only loaded have none."""
        built = self.__dict__
        models: list[object] = [built.get("transformer"), *(twin.model for twin in built.get("twins", ()))]
        # The scorers include those of the canary twin and of the models trained without suspicious rows.
        models += [scorer.model for scorer in self.scorers]
        trainings = [training for model in (*models, *self.beside) if (training := getattr(model, "training", None))]
        return trainings + (self._experiments.used if self._experiments else [])


def _no_network() -> Scorer:
    raise NotAssessed(NO_NETWORK)
