"""What an audit is given: data and pairs, the folder of a model that is loaded as it is, a former audit, own metrics.

Each is read and checked when it is first needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.records import Record
from audit.data import examples as data
from audit.data.examples import Examples, Production
from audit.inference.predictions import FormerPredictions
from audit.models import adapters, minilm, model
from audit.models.classifiers import onnx_files, regression, service, skops_files, sources
from audit.models.classifiers.model import ClassifierModel
from audit.models.model import Model
from audit.models.reading import Reading
from audit.policy import policy as policies
from audit.policy.policy import SMALL_BERT, Policy
from audit.record import record, since
from audit.run import own_metrics
from audit.run.options import Options
from audit.run.output import Output
from audit.run.own_metrics import OwnMetric
from audit.run.resources import Resources
from audit.text import personal_data
from audit.text.paths import check_content
from audit.text.personal_data import NameFinder
from audit.text.redaction import printable


class Located(NamedTuple):
    """Where a model lies, whether its version is pinned, and of which folders it was merged."""

    source: str
    folder: Path
    commit: str | None
    pinned: bool
    parts: tuple[Path, ...] = ()


class Inputs:
    """The inputs of one audit.

    Parameters
    ----------
    options : Options
    policy : Policy
    overridden : tuple of str
        Fixtures that the user's own replace, such as ``model``: these are not looked for here.
    output : Output
        The folder from which this audit may have taken the former one's files.
    resources : Resources
    """

    def __init__(
        self, options: Options, policy: Policy, overridden: tuple[str, ...], output: Output, resources: Resources
    ) -> None:
        self.options = options
        self.policy = policy
        self.overridden = overridden
        self.output = output
        self.resources = resources

    @cached_property
    def baseline(self) -> Record | None:
        """The former audit's record, or None."""
        if self.options.baseline is None:
            return None
        path = self.options.folder / self.options.baseline
        shown = path / record.NAME if path.is_dir() else path
        return record.read(self.output.aside(shown), shown)

    @property
    def baseline_summary(self) -> since.Former | None:
        """What of the former audit's record the new one needs; asked for at the end of each test."""
        former, test = self._remembered, self.splits.get("test")
        if former is None or test is None or not self._asks_again:
            return former
        return since.of_same_test(former, test.fingerprint)

    @cached_property
    def _remembered(self) -> since.Former | None:
        return self.baseline and since.remember(self.baseline, str(self.options.baseline))

    @cached_property
    def _asks_again(self) -> bool:
        """Whether the former audit asked about these test examples, in whatever order and under whatever groups."""
        return self.former is not None and self.former.keys() == set(self.splits["test"].keys)

    @property
    def former(self) -> dict[tuple[str, str, int], str] | None:
        """What the former audit's model said of each example; None without a former audit or its predictions."""
        return None if self.former_predictions is None else self.former_predictions.answers

    @cached_property
    def former_predictions(self) -> FormerPredictions | None:
        """The same with its probabilities."""
        if self.options.baseline is None or self.baseline is None:
            return None
        path = self.options.folder / self.options.baseline
        shown = (path if path.is_dir() else path.parent) / record.PREDICTIONS
        return record.read_predictions(self.output.aside(shown), self.baseline, shown)

    def check_growth(self, fingerprint: str | None) -> None:
        """Refuse a former audit of the same model whose test examples are not known to be all among the present ones.

        Intervals that hold at whichever size one looks speak of one sample that grows.

        Parameters
        ----------
        fingerprint : str or None
            Of the audited model.

        Raises
        ------
        AuditError
        """
        if self.baseline is None or fingerprint is None:
            return
        if self.baseline["model"].get("fingerprint") != fingerprint:  # another model begins anew
            return
        if self.former is None:
            raise AuditError(
                f'{self.options.baseline}: with [audit] looks = "any" the test data of a model only grow, and without '
                f"{record.PREDICTIONS} beside {record.NAME} nobody can tell whether they did; give the folder as the "
                "former audit left it, or plan a number of looks."
            )
        if missing := len(self.former.keys() - set(self.test_data.keys)):
            raise AuditError(
                f"{self.options.baseline}: {missing:,} of the {len(self.former):,} test examples of this former audit "
                'are not among the present ones; with [audit] looks = "any" the test data of a model only grow: give '
                "them all, or plan a number of looks."
            )

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
    def classifier(self) -> ClassifierModel | None:
        """The classifier that code makes, a file holds, or a service is; None where the model is a network."""
        settings, option = self.policy.model, self.options.model
        source = settings.source if option is None else option
        is_code, is_address = sources.names_code(source), service.is_address(source)
        is_onnx = not is_code and not is_address and onnx_files.is_onnx(self._path(source))
        is_network = not is_code and not is_address and not is_onnx and not source.endswith(skops_files.SUFFIX)
        if settings.head == "regression":
            if not is_network:
                raise AuditError(
                    f"{self.policy.name}: [model] head = 'regression' is of a folder that Transformers loads, and "
                    f"'{source}' is none; make a classifier of it whose predict gives labels."
                )
            loaded = self._regression(source)
            return loaded.read_as(self._read(loaded.labels, source))
        if is_network:
            return None
        if settings.finetune is not None:
            raise AuditError(
                f"{self.policy.name}: [model.finetune] trains networks, and '{source}' is none; leave that section out."
            )
        if is_code:
            folder = self.policy.folder if option is None else self.options.folder
            loaded = sources.load(source, folder.absolute(), settings.labels)
            return loaded.read_as(self._read(loaded.labels, source))
        if is_address:
            access = service.Access(
                settings.timeout_s, settings.requests_per_second, settings.key_env, self._prompt, settings.name,
                settings.otherwise,
            )  # fmt: skip
            loaded = service.connect(source, settings.labels, access)
            return loaded.read_as(self._read(loaded.labels, source))
        if is_onnx:
            loaded = onnx_files.load(source, self._path(source), settings.labels, settings.max_length, settings.head)
        else:
            loaded = skops_files.load(source, self._path(source), settings.labels)
        return loaded.read_as(self._read(loaded.labels, source))

    def _regression(self, source: str) -> ClassifierModel:
        """A network whose score is cut into classes."""
        settings, located = self.policy.model, self._located(source)
        outputs = model.outputs_of(located.folder, source)
        if outputs not in (1, None):
            raise AuditError(
                f"model '{source}': [model] head = 'regression' is of one output, its score, and its head has "
                f"{outputs}; leave head and cutpoints out."
            )
        length = model.longest(located.folder, source, settings.max_length)
        network = Model(
            source, located.folder, ("score",), length, self.resources.device, located.commit, located.pinned,
            allow_pickle=self.policy.security.allow_pickle, parts=located.parts,
        )  # fmt: skip
        return regression.load(network, settings.labels, settings.cutpoints)

    def _path(self, source: str) -> Path:
        """The model's source as a path: of the option from where the audit was started, else from the policy."""
        if self.options.model is None:
            return self.policy.path(source, "[model] source")
        return self.options.folder / Path(source).expanduser()

    def _read(self, own: Sequence[str], source: str) -> Reading | None:
        """How the policy reads a model of these classes; None where they are those of the audit."""
        settings = self.policy.model
        reading = Reading.of(own, source, settings.merge, settings.head, settings.threshold, settings.cutpoints)
        return None if reading.is_plain else reading

    @cached_property
    def loaded(self) -> Located | None:
        """The network that is loaded as it is; None where the recipe makes it, or where it is none."""
        settings = self.policy.model
        if self.classifier is not None:
            return None
        if self.options.model is not None:
            source = self.options.model
        elif settings.finetune is None:
            source = settings.source
        else:
            return None
        located = self._located(source)
        model.check_classifier(located.folder, source, settings.head)
        return located

    def _located(self, source: str) -> Located:
        """The folder of a network, of an adapter merged with its base."""
        if self.options.model is None and source == SMALL_BERT:
            raise AuditError(f"{self.policy.name}: 'small-bert' is always trained; add a [model.finetune] section.")
        settings, path = self.policy.model, self._path(source)
        revision = settings.revision if self.options.model is None else None
        if path.is_dir() and adapters.is_adapter(path):
            return self._merged(source, path)
        if settings.base is not None:
            raise AuditError(
                f"{self.policy.name}: [model] base is that of an adapter, and '{source}' is none; leave it out."
            )
        return locate(self.policy, source, path, revision, self.resources.cache)

    @property
    def _prompt(self) -> str | None:
        """What a chat is asked about each text."""
        if (source := self.policy.model.prompt) is None:
            return None
        path = self.policy.path(source, "[model] prompt")
        check_content(path, f"{self.policy.name}: [model] prompt")
        try:
            return path.read_text("utf-8")
        except (OSError, ValueError):
            raise AuditError(
                f"{self.policy.name}: [model] prompt {printable(path)} cannot be read as text; expected a UTF-8 file "
                f"with {{text}} where the text goes."
            ) from None

    def _merged(self, source: str, adapter: Path) -> Located:
        """An adapter with its base: that of the policy, else one that lies beside."""
        settings, cache, policy = self.policy.model, self.resources.cache, self.policy
        if settings.base is None:
            folder = adapters.base_of(adapter, source)
            base = locate(policy, str(folder), folder, None, cache)
        else:
            path = policy.path(settings.base, "[model] base")
            base = locate(policy, settings.base, path, settings.revision, cache)
        merged = adapters.merge(adapter, source, base.folder, cache)
        model.check_folder(merged, source)
        return Located(source, merged, base.commit, base.pinned, (adapter, base.folder))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The model's class names in order; empty where only the data says them."""
        wanted = self.policy.model.labels
        if not {"model", "scorer"} & set(self.overridden):
            if self.classifier is not None:
                return self.classifier.labels
            if self.loaded is not None:
                return self.own_classes if self.reading is None else self.reading.classes
        return wanted

    @cached_property
    def own_classes(self) -> tuple[str, ...]:
        """Those of the network that is loaded, in the order of its outputs."""
        assert self.loaded is not None
        settings = self.policy.model
        return model.labels_of(self.loaded.folder, self.loaded.source, settings.labels, settings.head)

    @cached_property
    def reading(self) -> Reading | None:
        """How the outputs of the network that is loaded are read as the classes; None where they are of these."""
        assert self.loaded is not None
        return self._read(self.own_classes, self.loaded.source)

    @cached_property
    def train_data(self) -> Examples | None:
        """The training data, or None where the policy names none."""
        if self.policy.data.train is None:
            return None
        return data.load(self.policy, "train", self.classes, self.resources.cache.datasets)

    @cached_property
    def test_data(self) -> Examples:
        """The test data."""
        classes = self.classes or (self.train_data.classes if self.train_data else ())
        return data.load(self.policy, "test", classes, self.resources.cache.datasets)

    @cached_property
    def pairs(self) -> Mapping[str, Sequence[str]] | None:
        """The columns of the policy's file of counterfactual pairs; None where it names none."""
        return data.load_pairs(self.policy, self.resources.cache.datasets)

    @cached_property
    def production(self) -> Production | None:
        """Texts of use, or None where the policy names none."""
        if self.policy.data.production is None:
            return None
        return data.load_production(self.policy, self.test_data.classes, self.resources.cache.datasets)

    @property
    def splits(self) -> dict[str, Examples]:
        """The data that was read so far, by its role: test, train."""
        read = {role: self.__dict__.get(f"{role}_data") for role in ("test", "train")}
        return {role: examples for role, examples in read.items() if examples is not None}

    @property
    def texts(self) -> Iterator[str]:
        """Every text of the data that was read so far."""
        for examples in self.splits.values():
            yield from examples.texts
        yield from (self.__dict__.get("pairs") or {}).get("sentence", ())
        if (production := self.__dict__.get("production")) is not None:
            yield from production.texts

    @cached_property
    def members(self) -> Examples | None:
        """The training examples that the model really saw: without the recipe's validation slice.

        The recipe counts for a model of ``--audit-model`` too, so that an exported one has the findings that it had.
        """
        examples, recipe = self.train_data, self.policy.model.finetune
        if examples is None or recipe is None:
            return examples
        return examples.take(data.split_validation(examples, recipe.validation, recipe.seed)[0])


def locate(policy: Policy, source: str, path: Path, revision: str | None, cache: Cache) -> Located:
    """Find a model's folder, by download if need be; a commit's full hash pins its version, as a folder does."""
    if source == minilm.SOURCE:
        return Located(minilm.HUB_ID, minilm.locate(cache, revision), minilm.REVISION, pinned=True)
    folder, commit = model.locate(source, path, revision, allow_pickle=policy.security.allow_pickle)
    pinned = commit is None or bool(re.fullmatch(r"[0-9a-f]{40}", revision or ""))
    return Located(source, folder, commit, pinned)
