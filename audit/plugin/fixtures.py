"""The fixtures: policy, data, models and their answers, as the session gives them when they are first needed.

``audit`` takes what a test measured, and decides by the policy whether the test fails.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from audit.core.errors import NotAssessed
from audit.core.measurement import Measurement
from audit.core.probe import DeclaredProbe
from audit.core.sentences import Sentence
from audit.core.verdict import Finding
from audit.plugin.findings import challenge, declared_ids, keep_finding
from audit.plugin.state import STATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from audit.core.figures import Grid, Spent
    from audit.core.records import Record
    from audit.data.examples import Examples, Production
    from audit.energy.meter import InferenceEnergy
    from audit.experiments.alternatives import Alternatives
    from audit.experiments.claims import Experiments
    from audit.inference.latency import Latencies, SingleTimes
    from audit.inference.predictions import FormerPredictions, Predictions
    from audit.inference.scorer import CachedScorer, Scorer
    from audit.models.classifiers.model import ClassifierModel
    from audit.models.model import FineTuning, Model
    from audit.models.model_card import Card
    from audit.policy.policy import Policy
    from audit.probes.privacy.membership_evidence import Twins
    from audit.run.own_metrics import OwnMetric
    from audit.run.session import Session
    from audit.text.personal_data import NameFinder
    from audit.training.canaries import CanaryTwin
    from audit.training.reference_models import Twin


Scalar = TypeVar("Scalar", bound="np.generic")


class InconclusiveWarning(UserWarning):
    """A gate that the evidence does not settle, where the policy lets that pass."""


class Failed(pytest.fail.Exception):  # type: ignore[name-defined]
    """A finding that fails its test; pytest shows it like any failure. Its words are the audit's own."""

    __module__ = "builtins"


@pytest.fixture(scope="session")
def audit_session(pytestconfig: pytest.Config) -> Session:
    return pytestconfig.stash[STATE].ensure_session()


@pytest.fixture(scope="session")
def policy(audit_session: Session) -> Policy:
    """The validated policy."""
    return audit_session.policy


@pytest.fixture(scope="session")
def train_data(audit_session: Session) -> Examples | None:
    """The training data; None where the policy names none."""
    return audit_session.inputs.train_data


@pytest.fixture(scope="session")
def test_data(audit_session: Session) -> Examples:
    """The test data."""
    return audit_session.inputs.test_data


@pytest.fixture(scope="session")
def production(audit_session: Session) -> Production | None:
    """Texts of use, most of them without a label; None where the policy names none."""
    return audit_session.inputs.production


@pytest.fixture(scope="session")
def counterfactual_pairs(audit_session: Session) -> Mapping[str, Sequence[str]] | None:
    """The columns of the policy's file of counterfactual pairs; None where it names none."""
    return audit_session.inputs.pairs


@pytest.fixture(scope="session")
def members(audit_session: Session) -> Examples | None:
    """The training examples that the model really saw; None where the policy names no training data."""
    return audit_session.inputs.members


@pytest.fixture(scope="session")
def held_out(audit_session: Session) -> Examples | None:
    """The training examples that the recipe kept from the model; None where that is not known for sure."""
    return audit_session.models.held_out


@pytest.fixture(scope="session")
def person_names(audit_session: Session) -> NameFinder | None:
    """Finds names of people in a text; None where the policy names no spaCy model for it."""
    return audit_session.inputs.person_names


@pytest.fixture(scope="session")
def model(audit_session: Session) -> Model | ClassifierModel:
    """The model under audit, loaded or fine-tuned, or what ``module:name`` stands for."""
    return audit_session.models.audited


@pytest.fixture(scope="session")
def model_training(request: pytest.FixtureRequest) -> FineTuning | None:
    """What is known of the model's training; None where it was loaded, is none of the audit's, or is not at hand."""
    try:
        return getattr(request.getfixturevalue("model"), "training", None)
    except NotAssessed:
        return None


@pytest.fixture(scope="session")
def scorer(audit_session: Session, model: Model | ClassifierModel) -> CachedScorer:
    """Runs the model: ``scorer.predict(texts)``, cached and batched."""
    return audit_session.models.own_scorer(model)


@pytest.fixture(scope="session")
def predictions(audit_session: Session, scorer: CachedScorer, test_data: Examples) -> Predictions:
    """What the model says of the test data."""
    with audit_session.spending_for_all():
        answers = scorer.predict(test_data.texts).on(test_data)
    audit_session.output.keep_predictions(answers)
    return answers


@pytest.fixture(scope="session")
def inference_blocks(audit_session: Session, scorer: CachedScorer) -> InferenceEnergy:
    """Energy of predictions on the test texts, in blocks."""
    return audit_session.ledger.inference_blocks(scorer)


@pytest.fixture(scope="session")
def grids(audit_session: Session) -> list[Grid]:
    """Carbon of a kilowatt-hour in the policy's country, and elsewhere."""
    return audit_session.ledger.grids


@pytest.fixture(scope="session")
def spent(audit_session: Session) -> Callable[[], Spent]:
    """A function that gives the energy of this audit until it is called."""
    return audit_session.ledger.spent


@pytest.fixture(scope="session")
def latencies(audit_session: Session, scorer: CachedScorer) -> Latencies:
    """Time of single texts, hostile ones and test texts."""
    return audit_session.ledger.latencies(scorer)


@pytest.fixture(scope="session")
def single_times(audit_session: Session, scorer: CachedScorer) -> SingleTimes:
    """Time of single test texts."""
    return audit_session.ledger.single_times(scorer)


@pytest.fixture(scope="session")
def model_paths(model: Model | ClassifierModel) -> Mapping[str, Path]:
    """The model's files by name; empty where none are known."""
    folder, paths = getattr(model, "folder", None), getattr(model, "paths", None)
    if paths is not None or folder is None:
        return paths or {}
    return {name: Path(folder) / name for name in getattr(model, "files", ())}


@pytest.fixture(scope="session")
def twins(audit_session: Session) -> tuple[Twin, ...]:
    """Reference models by the same recipe on random halves of the training data, trained when first asked for."""
    return audit_session.models.twins


@pytest.fixture(scope="session")
def membership_twins(audit_session: Session) -> Twins | None:
    """Twins that are trained only if membership inference needs them; None without a recipe or training data."""
    return audit_session.models.membership_twins


@pytest.fixture(scope="session")
def canary_twin(audit_session: Session) -> CanaryTwin:
    """A reference model by the same recipe whose training data held canaries, trained when first asked for."""
    return audit_session.models.canary_twin


@pytest.fixture(scope="session")
def without_rows(audit_session: Session) -> Callable[[NDArray[np.bool_]], Scorer] | None:
    """Trains a reference by the recipe without some training rows; None without a recipe or training data."""
    return audit_session.models.without_rows


@pytest.fixture(scope="session")
def stand_ins(audit_session: Session) -> Callable[[], Iterator[Scorer]] | None:
    """Trains small BERTs on the training data, each when asked for, without a recipe; None without training data."""
    return audit_session.models.stand_ins


@pytest.fixture(scope="session")
def baseline(audit_session: Session) -> Record | None:
    """The record of the former audit, or None."""
    return audit_session.inputs.baseline


@pytest.fixture(scope="session")
def former(audit_session: Session) -> dict[tuple[str, str, int], str] | None:
    """What the former audit's model said, by the examples' keys; None without ``--audit-baseline``."""
    return audit_session.inputs.former


@pytest.fixture(scope="session")
def former_predictions(audit_session: Session) -> FormerPredictions | None:
    """The same with its probabilities."""
    return audit_session.inputs.former_predictions


@pytest.fixture(scope="session")
def word_counts(audit_session: Session) -> Predictions:
    """What TF-IDF and logistic regression, trained on the same texts, say of the test data."""
    return audit_session.models.word_counts


@pytest.fixture(scope="session")
def experiments(audit_session: Session, request: pytest.FixtureRequest) -> Experiments:
    """Trains and times what the document's claims are put to the test with."""
    return audit_session.models.experiments(lambda: request.getfixturevalue("scorer"))


@pytest.fixture(scope="session")
def alternatives(audit_session: Session, scorer: CachedScorer) -> Alternatives:
    """Other models of the same task beside the audited one: answers, energy, time and size of each."""
    return audit_session.models.alternatives(scorer)


@pytest.fixture(scope="session")
def other_precisions(audit_session: Session, scorer: CachedScorer) -> Mapping[str, Callable[[], Scorer]]:
    """The audited model in other precisions, by their names; each is made when it is first called."""
    return audit_session.models.other_precisions(scorer)


@pytest.fixture(scope="session")
def retrained(audit_session: Session) -> Callable[[], Scorer]:
    """Trains the recipe once more, with another seed, when it is called and where the policy asks for it."""
    return audit_session.models.retrained


@pytest.fixture(scope="session")
def provenance(audit_session: Session, model: Model) -> dict[str, str | None]:
    """The facts that are needed to repeat model and audit; None where one is missing."""
    return audit_session.ledger.provenance(model)


@pytest.fixture(scope="session")
def model_card(audit_session: Session, model: Model) -> Card:
    """What the card in the model's folder tells."""
    return audit_session.models.model_card(model)


@pytest.fixture
def subgroup(request: pytest.FixtureRequest) -> str:
    """Each subgroup column of the policy in turn."""
    if request.param is None:
        raise NotAssessed(
            Sentence(
                "the policy names no groups of people; name columns under [data] subgroups, or mention:gender there "
                "for groups by whom the texts mention"
            )
        )
    return str(request.param)


@pytest.fixture
def own_metric(request: pytest.FixtureRequest, audit_session: Session) -> tuple[str, OwnMetric]:
    """Each metric of the release owner in turn: its name, and the function."""
    return request.param, audit_session.inputs.own_metrics[request.param]


@pytest.fixture
def probe(request: pytest.FixtureRequest) -> Callable[[], Measurement]:
    """Each probe of another package in turn, its arguments taken from the fixtures of the same names."""
    declared: DeclaredProbe[...]
    declared, bracket = request.param

    def measure() -> Measurement:
        names = inspect.signature(declared).parameters
        own = {declared.declaration.bracket: bracket} if bracket else {}
        return declared(**{name: request.getfixturevalue(name) for name in names if name not in own}, **own)

    return measure


@pytest.fixture
def audit(request: pytest.FixtureRequest, audit_session: Session) -> Audit:
    """``audit.check(measurement)`` gates and records; ``audit.not_assessed(reason)`` says that evidence is missing."""
    return Audit(request.node, audit_session)


class Audit:
    """Turns the measurements of one test into findings."""

    def __init__(self, item: pytest.Item, session: Session) -> None:
        self._item, self._session = item, session

    def check(self, measurement: Measurement) -> Finding:
        """Hold a measurement against the policy's gate, record the finding, and fail the test if need be.

        Raises
        ------
        ValueError
            If the test's ``measures`` mark does not declare the id: a finding must not appear under a name that
            nobody would miss.
        """
        declared = declared_ids(self._item)
        if declared and measurement.id not in declared:
            raise ValueError(f"the test declares {', '.join(declared)} but measured {measurement.id}")
        decision = self._session.decisions.judge(measurement, challenge(self._item))
        keep_finding(self._item, decision)
        self._session.output.keep_sheets(measurement.sheets)
        if decision.is_waived:
            pytest.xfail(decision.message)
        # With --runxfail a waived finding comes here too.
        if decision.is_waived or decision.blocks:
            raise Failed(str(decision.finding), pytrace=False)
        if decision.warns:
            warnings.warn(InconclusiveWarning(decision.message), stacklevel=2)
        return decision.finding

    def cached(self, name: str, shape: tuple[int, ...], make: Callable[[], NDArray[Scalar]]) -> NDArray[Scalar]:
        """An array from the cache, made where no audit made it yet; see :meth:`audit.core.cache.Cache.array`."""
        return self._session.resources.cache.array(name, shape, make)

    def kept(self, name: str, shape: tuple[int, ...], make: Callable[[], NDArray[Scalar]]) -> NDArray[Scalar]:
        """Deprecated: the former name of :meth:`cached`."""
        return self.cached(name, shape, make)

    def not_assessed(self, reason: str) -> None:
        """Say that the evidence is missing and what to supply; the test skips, or fails where the policy gates it."""
        raise NotAssessed(reason)
