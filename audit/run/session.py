"""The state of one audit: what was asked for, and what has been made of it so far. It knows no pytest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.cluster.cluster import Cluster, ClusterScorer
from audit.core.cache import Cache, timestamp
from audit.core.errors import AuditError, NotAssessed
from audit.core.identifiers import Identifier
from audit.core.progress import Progress
from audit.core.surroundings import ARITHMETIC, unset
from audit.data import examples as data
from audit.data import labels
from audit.data.examples import Examples
from audit.energy import meter as energy
from audit.energy.meter import Meter, Power
from audit.experiments.alternatives import Alternative, Alternatives, Bench
from audit.experiments.claims import ELSEWHERE, Elsewhere, Experiments
from audit.inference import latency
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.models import model, model_card, tokens
from audit.models.model import Model
from audit.models.model_card import Card
from audit.policy import policy as policies
from audit.policy.policy import ALWAYS_GATED, SMALL_BERT, Policy
from audit.probes.catalogue import ids
from audit.probes.privacy.membership import Twins
from audit.record import record, since
from audit.run import own_metrics
from audit.run.decisions import Decisions
from audit.run.output import Output
from audit.run.own_metrics import OwnMetric
from audit.text import personal_data
from audit.text.hostile import hostile_requests
from audit.text.personal_data import NameFinder
from audit.training import canaries, launched, references
from audit.training.canaries import CanaryTwin
from audit.training.finetune import Recipe, train
from audit.training.references import LinearModel, Twin

# Where the policy does not say how many.
TWINS = 2


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    folder: Path
    policy: str | None = None
    model: str | None = None
    out: str = "reports"
    baseline: str | None = None
    device: str = "auto"
    cache: Path = field(default_factory=Path)
    command: str = ""
    processes: int = 1
    audit: str = ""


class Session:
    """One audit in one process.

    Everything is made when it is first asked for, and once. :meth:`start` checks beforehand whatever can be
    checked without training or scoring, so that a mistake is reported before the long work begins.

    Parameters
    ----------
    options : Options
    extra_ids : iterable of Identifier
        Ids that other packages declare.
    progress : Progress
    """

    def __init__(self, options: Options, extra_ids: Iterable[Identifier], progress: Progress) -> None:
        self.options = options
        self.extra_ids = tuple(extra_ids)
        self.progress = progress
        self.overridden: tuple[str, ...] = ()
        self._scorers: list[Scorer] = []
        self._blocks: dict[str, Any] | None = None
        self._beside: tuple[Alternative, ...] = ()
        self._experiments: Experiments | None = None
        self._started = timestamp()
        self._surroundings = ExitStack()
        self.unknown_tokens = 0.0

    @cached_property
    def policy(self) -> Policy:
        """The policy that applies."""
        return policies.find(self.options.policy, self.options.folder)

    def start(self, overridden: Iterable[str] = ()) -> None:
        """Mark a former record in the output folder as incomplete once the policy is right; then check the rest.

        Parameters
        ----------
        overridden : iterable of str
            Fixtures that the user's own replace, such as ``model``: these are not asked for here.

        Raises
        ------
        AuditError
            Names what is wrong; :meth:`Output.restore` brings the former record back then.
        """
        self.overridden = tuple(sorted(overridden))
        self._surroundings.enter_context(unset(*ARITHMETIC))
        self.policy.check_ids(ids(self.extra_ids))
        if launched.world() > 1:
            raise AuditError(
                f"pytest was started {launched.world()} times, by torchrun or accelerate launch; train with `torchrun "
                f"--nproc_per_node {launched.world()} -m audit train`, then run pytest once, which finds the model."
            )
        # Before anything that takes time or memory: a run that dies in it must not leave the former pass behind.
        self.output.claim()
        _ = self.device, self.cache, self.baseline, self.former, self.own_metrics, self.person_names
        if self.cluster is not None and self.policy.audit.address is not None:
            self.cluster.connect()
        if not {"model", "scorer"} & set(self.overridden):
            _ = self._located
        self.meter.start("probes")
        splits = [examples for examples in (self.test_data, self.train_data) if examples is not None]
        labels.check_agreement([examples.label_reading for examples in splits], self.policy.name)
        _ = self.pairs

    @cached_property
    def out(self) -> Path:
        """Where the record and the report go."""
        return self.options.folder / self.options.out

    @cached_property
    def output(self) -> Output:
        """The same folder, as this audit's own while it runs."""
        return Output(self.out, self.options.audit)

    @cached_property
    def cache(self) -> Cache:
        """Models, predictions and measurements of this and former audits."""
        return Cache(self.options.cache)

    @cached_property
    def device(self) -> str:
        """Where the model runs."""
        return model.choose_device(self.options.device)

    @property
    def power(self) -> Power:
        """What the policy says of the machine's power."""
        return Power.of(self.policy.recorded()["environment"])

    @cached_property
    def meter(self) -> Meter:
        """The energy tracker."""
        return Meter(self.policy.audit.country, self.power)

    @cached_property
    def cluster(self) -> Cluster | None:
        """Where forward passes and the trainings of twins run; None: here."""
        asked = self.policy.audit
        if asked.engine == "local":
            return None
        if self.options.processes > 1:
            raise AuditError("[audit] engine = 'ray' spreads the work by itself; leave out -n.")
        return Cluster(asked, self.device, self.power)

    @cached_property
    def baseline(self) -> dict[str, Any] | None:
        """The former audit's record, or None."""
        if self.options.baseline is None:
            return None
        path = self.options.folder / self.options.baseline
        shown = path / record.NAME if path.is_dir() else path
        return record.read(self.output.aside(shown), shown)

    @cached_property
    def decisions(self) -> Decisions:
        """Decides on findings."""
        return Decisions(self.policy, ids(self.extra_ids), self.baseline, self._started[:10])

    @cached_property
    def _remembered(self) -> dict[str, Any] | None:
        """What of the former audit's record the new one needs; asked for at the end of each test."""
        return self.baseline and since.remember(self.baseline, str(self.options.baseline))

    @cached_property
    def former(self) -> dict[tuple[str, str, int], str] | None:
        """What the former audit's model said of each example; None without a former audit or its predictions."""
        if self.options.baseline is None or self.baseline is None:
            return None
        path = self.options.folder / self.options.baseline
        shown = (path if path.is_dir() else path.parent) / record.PREDICTIONS
        return record.read_predictions(self.output.aside(shown), self.baseline, shown)

    @cached_property
    def own_metrics(self) -> dict[str, OwnMetric]:
        """The release owner's own metrics by name."""
        return {
            policies.metric_name(source): own_metrics.load(self.policy, source)
            for source in self.policy.quality.metrics
        }

    @cached_property
    def person_names(self) -> NameFinder | None:
        """Finds names of people in a text; None where the policy names no spaCy model."""
        return personal_data.name_finder(self.policy.privacy.spacy_model)

    @cached_property
    def recipe(self) -> Recipe | None:
        """How the policy's model is trained; None where it is only loaded."""
        settings, asked = self.policy.model.finetune, self.policy.model
        if settings is None:
            return None
        if asked.source == SMALL_BERT:
            return Recipe(SMALL_BERT, None, None, True, settings, asked.max_length, self.device)
        return self._recipe_from(asked.source, asked.revision, "[model] source")

    def _recipe_from(self, source: str, revision: str | None, key: str) -> Recipe:
        """The policy's recipe, from this base model."""
        settings, length = self.policy.model.finetune, self.policy.model.max_length
        assert settings is not None
        path, allowed = self.policy.path(source, key), self.policy.security.allow_pickle
        folder, commit = model.locate(source, path, revision, allow_pickle=allowed)
        pinned = commit is None or bool(re.fullmatch(r"[0-9a-f]{40}", revision or ""))
        length = model.longest(folder, source, length)
        return Recipe(source, folder, commit, pinned, settings, length, self.device)

    @cached_property
    def _loaded(self) -> tuple[str, Path, str | None, bool] | None:
        """Source, folder, commit and pinning of a model that is loaded as it is; None where the recipe makes it."""
        asked = self.policy.model
        if self.options.model is not None:
            source, path = self.options.model, self.options.folder / Path(self.options.model).expanduser()
        elif asked.finetune is None:
            source = asked.source
            if source == SMALL_BERT:
                raise AuditError(f"{self.policy.name}: 'small-bert' is always trained; add a [model.finetune] section.")
            path = self.policy.path(source, "[model] source")
        else:
            return None
        revision = asked.revision if self.options.model is None else None
        folder, commit = model.locate(source, path, revision, allow_pickle=self.policy.security.allow_pickle)
        model.check_classifier(folder, source)
        return source, folder, commit, commit is None or bool(re.fullmatch(r"[0-9a-f]{40}", revision or ""))

    @cached_property
    def _located(self) -> None:
        """Find the model that is loaded, or the base of the one that is trained."""
        loaded = self._loaded
        if loaded is not None:
            model.check_outputs(loaded[1], loaded[0], self.classes)
        elif self.policy.data.train is None:
            raise AuditError(f"{self.policy.name}: [model.finetune] needs training data; give [data] train.")
        else:
            _ = self.recipe

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The model's class names in order; empty where only the data says them."""
        asked = self.policy.model.labels
        if not {"model", "scorer"} & set(self.overridden):
            loaded = self._loaded
            if loaded is not None:
                return model.labels_of(loaded[1], loaded[0], asked)
        return asked

    @cached_property
    def train_data(self) -> Examples | None:
        """The training data, or None where the policy names none."""
        if self.policy.data.train is None:
            return None
        return data.load(self.policy, "train", self.classes, self.cache.datasets)

    @cached_property
    def test_data(self) -> Examples:
        """The test data."""
        classes = self.classes or (self.train_data.classes if self.train_data else ())
        return data.load(self.policy, "test", classes, self.cache.datasets)

    @cached_property
    def pairs(self) -> Mapping[str, Sequence[str]] | None:
        """The columns of the policy's file of counterfactual pairs; None where it names none."""
        return data.load_pairs(self.policy, self.cache.datasets)

    @property
    def texts(self) -> Iterator[str]:
        """Every text of the data that was read so far."""
        for name in ("test_data", "train_data"):
            if (examples := self.__dict__.get(name)) is not None:
                yield from examples.texts
        yield from (self.__dict__.get("pairs") or {}).get("sentence", ())

    @cached_property
    def members(self) -> Examples | None:
        """The training examples that the model really saw: without the recipe's validation slice.

        The recipe counts for a model of ``--audit-model`` too, so that an exported one has the findings that it had.
        """
        examples, recipe = self.train_data, self.policy.model.finetune
        if examples is None or recipe is None:
            return examples
        return examples.take(data.split_validation(examples, recipe.validation, recipe.seed)[0])

    @cached_property
    def model(self) -> Model:
        """The model under audit, loaded or trained."""
        loaded = self._loaded
        if loaded is not None:
            source, folder, commit, pinned = loaded
            length = model.longest(folder, source, self.policy.model.max_length)
            return Model(
                source, folder, self.classes, length, self.device, commit, pinned,
                allow_pickle=self.policy.security.allow_pickle, dtype=self.policy.audit.dtype,
            )  # fmt: skip
        assert self.recipe is not None
        assert self.train_data is not None
        if self.recipe.base is not None:  # before the long work, which would end in the same refusal
            source, base = self.recipe.source, self.recipe.base
            self._read_by(Scorer(Model(source, base, self.classes, 4), self.cache, self.meter, self.progress))
        made = train(self.recipe, self.train_data, self.cache, self.meter, self.progress)
        return replace(made, dtype=self.policy.audit.dtype)

    @property
    def audited(self) -> Model:
        """The model under audit, beside a scorer of the repository's own only if the policy names one that is there.

        Raises
        ------
        NotAssessed
            If only a scorer is brought.
        """
        if "scorer" not in self.overridden or "model" in self.overridden:
            return self.model
        reason = "the repository's own `scorer` answers for a model that the audit does not have"
        if self.policy.model.finetune is not None and self.options.model is None:
            raise NotAssessed(reason)
        try:
            return self.model
        except AuditError:
            raise NotAssessed(reason) from None

    def scorer(self, audited: Model) -> Scorer:
        """A scorer for a model, on this audit's cache and meter; what it does counts in the record."""
        cut, dtype = self.policy.model.max_characters, self.policy.audit.dtype
        own = audited is self.__dict__.get("model")
        if audited.dtype != dtype:  # a twin: it is trained in float32, and asked as the model is
            audited = replace(audited, dtype=dtype)
        arguments = audited, self.cache, self.meter, self.progress
        made = Scorer(*arguments, max_characters=cut)
        # What a fixture of the user's own made of a model, or we of its weights, is not in its folder.
        if self.cluster is not None and "model" not in self.overridden and type(audited) is Model:
            made = ClusterScorer(*arguments, self.cluster, max_characters=cut)
        if own:
            self.unknown_tokens = self._read_by(made)
        self._scorers.append(made)
        return made

    def _read_by(self, scorer: Scorer) -> float:
        """Share of the test texts' tokens that a model's tokenizer does not know.

        Raises
        ------
        AuditError
            If it does not know most of them.
        """
        share = scorer.unknown_share(self.test_data.texts)
        tokens.check_share(share, scorer.model.source)
        return share

    def inference_blocks(self, scorer: Scorer) -> dict[str, Any]:
        """Energy of predictions on the test texts, measured in blocks or taken from the cache."""
        texts = self.test_data.texts
        if all(hasattr(scorer, name) for name in ("identity", "forward", "counts")):
            self._blocks = energy.measure_inference(scorer, texts, self.meter, self.cache)
        else:
            self._blocks = energy.measure_own(scorer, texts, self.meter)
        return self._blocks

    @cached_property
    def grids(self) -> list[dict[str, Any]]:
        """Carbon of a kilowatt-hour in the policy's country, and elsewhere."""
        return energy.grids(self.policy.audit.country)

    def kept(self) -> list[dict[str, Any]]:
        """What this audit took from the cache instead of making it: its energy and date of then, by phase."""
        made = self.__dict__
        models = [made.get("model"), *(twin.model for twin in made.get("twins", ()))]
        # The canary twin's scorer and those of references without some rows are among them.
        models += [scorer.model for scorer in self._scorers]
        trainings = [training for model in (*models, *self._beside) if (training := getattr(model, "training", None))]
        trainings += self._experiments.used if self._experiments else []
        kept = [{**each["energy"], "created": each["created"]} for each in trainings]
        beside = [each.inference for each in self._beside]
        for measured in ([self._blocks] if self._blocks else [], beside):
            if measured:
                blocks = [block for each in measured for block in each["blocks"]]
                (figures,) = energy.merge([[measured[0]["idle"], *blocks]])
                kept.append({**figures, "created": measured[0]["created"]})
        return [each for each in record.distinct(kept) if each["created"] < self._started]

    def spent(self) -> dict[str, Any]:
        """The energy of this audit until now, as :func:`audit.probes.environment.environment.audit_energy` takes it."""
        phases = [phase.record() for phase in self.meter.phases]
        elsewhere = self.cluster.elsewhere if self.cluster else []
        return {
            "phases": phases + elsewhere,
            "elsewhere": bool(elsewhere),
            "kept": self.kept(),
            "processes": self.options.processes,
        }

    def latencies(self, scorer: Scorer) -> dict[str, Any]:
        """Time of single texts, hostile ones and test texts, measured or taken from the cache."""
        seed, examples = self.policy.audit.seed, self.test_data
        hostile = hostile_requests(seed, examples.protocol.confidence)
        return latency.measure_latency(scorer, examples.texts, hostile, self.meter, self.cache, seed=seed)

    @cached_property
    def twins(self) -> tuple[Twin, ...]:
        """Reference models.

        Raises
        ------
        NotAssessed
            If the policy has no recipe or no training data.
        """
        if self.recipe is None or self.train_data is None:
            raise NotAssessed("there is no recipe to train twins by; supply [model.finetune] and [data] train")
        count = self.policy.privacy.reference_models or TWINS
        return references.twins(
            self.recipe, self.train_data, count, self.cache, self.meter, self.progress, self.cluster
        )

    @cached_property
    def membership_twins(self) -> Twins | None:
        """Twins for membership inference, trained if need be; None without a recipe or training data."""
        if self.recipe is None or self.train_data is None:
            return None
        always = self.policy.privacy.reference_models is not None
        return Twins(self.train_data, lambda: [(self.scorer(twin.model), twin.members) for twin in self.twins], always)

    @property
    def without_rows(self) -> Callable[[NDArray[np.bool_]], Scorer] | None:
        """Trains by the recipe without some rows of the training data; None without a recipe or training data."""
        recipe, examples = self.recipe, self.train_data
        if recipe is None or examples is None:
            return None
        return lambda rows: self.scorer(
            references.without_rows(recipe, examples, rows, self.cache, self.meter, self.progress, self.cluster)
        )

    @cached_property
    def canary_twin(self) -> CanaryTwin:
        """A twin whose training data held canaries.

        Raises
        ------
        NotAssessed
            If the policy has no recipe, no training data, too few of them, or wants no canaries.
        """
        if self.recipe is None or self.train_data is None:
            raise NotAssessed("there is no recipe to train a twin by; supply [model.finetune] and [data] train")
        asked = self.policy.privacy
        drawn = canaries.draw(self.train_data, asked.canaries, asked.canary_share, self.policy.audit.seed)
        twin = references.canary_twin(
            self.recipe, self.train_data, drawn, self.cache, self.meter, self.progress, self.cluster
        )
        return CanaryTwin(drawn, self.scorer(twin))

    @cached_property
    def word_counts(self) -> Predictions:
        """What a linear model on word counts says of the test data.

        Raises
        ------
        NotAssessed
            If there is no training data.
        """
        if self._linear is None:
            raise NotAssessed("the policy names no training data for the simple model; name it under [data] train")
        return self._linear.predict(self.test_data.texts).on(self.test_data)

    @cached_property
    def _linear(self) -> LinearModel | None:
        """The linear model on word counts; None without training data."""
        return None if self.members is None else LinearModel(self.members, self.cache, self.meter)

    def experiments(self, audited: Callable[[], Scorer]) -> Experiments:
        """What the document's claims are put to the test with; what the policy names for it is looked up now.

        Parameters
        ----------
        audited : callable
            Gives the scorer of the audited model.
        """
        asked, encoder = self.policy.claims, None
        if asked.pretrained is not None and self.recipe is not None:
            encoder = self._recipe_from(asked.pretrained, asked.revision, "[claims] pretrained")
            assert encoder.base is not None
            length = min(encoder.max_length, model.positions(encoder.base, asked.pretrained))
            encoder = replace(encoder, max_length=length)
        elsewhere = [
            Elsewhere(*data.load_elsewhere(self.policy, each, self.test_data, ELSEWHERE, self.cache.datasets))
            for each in asked.transfer
        ]
        self._experiments = Experiments(
            self.recipe, encoder, asked.pretraining_rate, self.members, self.test_data, self._linear, audited,
            self.scorer, elsewhere, self.device, self.cache, self.meter, self.progress,
        )  # fmt: skip
        return self._experiments

    def alternatives(self, scorer: Scorer) -> Alternatives:
        """The audited model and others of the same task beside it, made now or taken from the cache.

        Raises
        ------
        NotAssessed
            If the repository put something of its own in the place of scorer or model.
        """
        if not isinstance(scorer, Scorer) or not isinstance(scorer.model, Model):
            raise NotAssessed(
                "the repository's own conftest.py replaces the model or the scorer, and what that takes cannot be held "
                "against other models; leave these fixtures to the plugin"
            )
        bench = Bench(
            scorer, self.scorer, self._linear, self.recipe, self.members, self.test_data,
            self.cache, self.meter, self.progress, self.policy.audit.seed,
        )  # fmt: skip
        made = bench.alternatives(self.policy.environment.alternatives)
        self._beside = made.made
        return made

    def close(self) -> None:
        """Stop the energy tracker and the cluster, and let the output folder and the surroundings go."""
        self._surroundings.close()
        if "output" in self.__dict__:
            self.output.close()
        if (cluster := self.__dict__.get("cluster")) is not None:
            cluster.close()
        if "meter" in self.__dict__:
            self.meter.stop()

    def keep_predictions(self, predictions: Predictions) -> None:
        """Write ``predictions.parquet`` beside the record, for the next audit to compare with."""
        self.output.keep_predictions(predictions)

    def provenance(self, audited: Any) -> dict[str, str | None]:
        """The facts that are needed to repeat model and audit, None where one is missing."""
        training = getattr(audited, "training", None)
        trained_on = self.train_data.fingerprint if self.train_data else None
        files = getattr(audited, "files", None)
        return {
            "fingerprint of the model": getattr(audited, "fingerprint", None),
            "files of the model, by hash": f"{len(files)} files" if files else None,
            "version of the model, or of the one it was tuned from": _version(audited),
            "recipe of the training": _recipe_text(training or (self.recipe and {"steps": None})),
            "fingerprint of the training data": trained_on,
            "fingerprint of the test data": self.test_data.fingerprint,
            "seeds": f"audit {self.policy.audit.seed}"
            + (f", training {self.policy.model.finetune.seed}" if self.policy.model.finetune else ""),
            "versions of the software": f"{len(record.versions())} packages",
            "device": self.device,
            "policy": self.policy.name if self.policy.origin is None else self.policy.origin.name,
            "command": "under provenance" if self.options.command else None,
        }

    def model_card(self, audited: Any) -> Card:
        """The card in the model's folder.

        Raises
        ------
        NotAssessed
            If this audit trained the model itself, so that nobody could document it yet, or it has no folder.
        """
        if getattr(audited, "training", None):
            raise NotAssessed(
                "this audit trained the model itself, and it has no folder of its own yet that could hold a card; save "
                "it with `python -m audit export`, write its README.md there, and audit that folder with --audit-model"
            )
        folder = getattr(audited, "folder", None)
        if folder is None:
            raise NotAssessed(
                "the repository's own conftest.py replaces the model by one without a folder; give it the attribute "
                "`folder`, where its README.md stands"
            )
        return model_card.read(Path(folder))

    def facts(self, audited: Any, scorers: Iterable[Any]) -> dict[str, Any]:
        """What the record says besides the findings, as plain values that may cross processes."""
        # Those made here, the twins' among them, and those of a user's own fixture.
        every = {id(scorer): scorer for scorer in (*self._scorers, *scorers)}.values()
        counts = [scorer.counts for scorer in every if hasattr(scorer, "counts")]
        return {
            "policy": self.policy.recorded(),
            "policy_file": self.policy.origin.name if self.policy.origin else None,
            "gated": list(self.policy.gated_ids(ids(self.extra_ids))),
            "always_gated": list(ALWAYS_GATED),
            "baseline": self._remembered,
            "model": _describe(audited, self.overridden)
            | ({"unknown_tokens": self.unknown_tokens} if self.unknown_tokens > tokens.WARNED else {}),
            "data": {
                role: examples.describe() if (examples := self.__dict__.get(f"{role}_data")) else {}
                for role in ("test", "train")
            },
            "energy": [phase.record() for phase in self.meter.phases] if "meter" in self.__dict__ else [],
            "elsewhere": self.cluster.elsewhere if self.cluster else [],
            "kept": self.kept(),
            "grids": self.grids,
            "scoring": {
                name: sum(getattr(count, name) for count in counts)
                for name in ("texts", "forward_passes", "cache_hits")
            }
            | ({"workers": len(self.cluster.pids), "lost_workers": self.cluster.lost} if self.cluster else {}),
            "provenance": {
                "seed": self.policy.audit.seed,
                "device": self.device,
                "command": self.options.command,
                "versions": record.versions(),
                "commit": record.commit(self.options.folder),
                "overridden": list(self.overridden),
            },
        }


def _version(audited: Any) -> str | None:
    if audited is None or not hasattr(audited, "fingerprint"):
        return None
    if not getattr(audited, "pinned", True):
        return None
    return getattr(audited, "revision", None) or "identified by its fingerprint"


def _recipe_text(training: Any) -> str | None:
    if not training:
        return None
    return f"{training['steps']} steps" if training.get("steps") else "in the policy"


def _describe(audited: Any, overridden: tuple[str, ...]) -> dict[str, Any]:
    description: dict[str, Any] = {}
    if isinstance(audited, Model):
        description = audited.describe()
    elif audited is not None:
        description = {
            "source": str(getattr(audited, "source", type(audited).__name__)),
            "fingerprint": getattr(audited, "fingerprint", None),
            "parameters": getattr(audited, "parameters", None),
            "labels": [str(label) for label in getattr(audited, "labels", ())],
        }
    if overridden:
        names = " and ".join(f"`{name}`" for name in overridden)
        description["overridden"] = f"the repository's own conftest.py replaces the fixture {names}"
    return description
