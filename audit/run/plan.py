"""What an audit will take, before it does: forward passes, trainings, seconds and electricity of each test.

An audit that is planned has models that train nothing and answer nothing, and keeps no record. Its probes are asked how
much they would ask.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeAlias, cast

import numpy as np

from audit.core.cache import Entry, Temporary
from audit.core.errors import AuditError, NotAssessed
from audit.core.looks import Looks
from audit.core.measurement import Measurement, Result
from audit.core.probe import Probe
from audit.core.progress import Progress
from audit.energy import meter as energy
from audit.experiments.alternatives import Alternatives
from audit.experiments.claims import Experiments
from audit.inference import latency
from audit.inference.classifiers import ClassifierRunner
from audit.inference.predictions import Predictions
from audit.inference.runner import LocalRunner
from audit.inference.scorer import CachedScorer, Scorer
from audit.inference.tally import ClassifierTally, Counting, Passes, Tally, Unanswered
from audit.models import precisions
from audit.models.classifiers.model import ClassifierModel
from audit.models.model import FineTuning, Model
from audit.policy.policy import Policy
from audit.probes.catalogue import ids
from audit.probes.privacy.membership_evidence import Twins
from audit.run.budget import Need
from audit.run.decisions import Decisions
from audit.run.inputs import Inputs
from audit.run.ledger import Ledger, check_here
from audit.run.models import Models
from audit.run.options import Options
from audit.run.output import Output
from audit.run.resources import Resources
from audit.run.session import Session
from audit.run.stopping import COSTLY
from audit.text.hostile import hostile_requests
from audit.training.canaries import CanaryTwin
from audit.training.finetune import (
    Job,
    Recipe,
    expected_seconds,
    folder_of,
    save_untrained,
    seconds_per_example,
    steps_for,
)
from audit.training.reference_models import STAND_IN, STAND_IN_TEXTS

# Seconds that the model is timed, and texts that it begins with.
CALIBRATION_S, CALIBRATION_TEXTS = 1.5, 16
# The smallest pretrained BERTs are larger, networks that are made here smaller.
SLOW_BYTES = 20_000_000


class Planned(Exception):  # noqa: N818 - it is how the test of an audit that is planned ends
    """All is known that can be known of what a test takes."""


class Unforeseen(Planned):
    """What a test takes is not known beforehand."""


@dataclass(frozen=True)
class Cost:
    """What a test takes, or several together.

    Parameters
    ----------
    passes, most_passes : float
        Forward passes, as a rule and at most, whether or not the cache holds their answers.
    trainings, most_trainings : int
        Of networks that the cache does not hold.
    seconds, kwh : float
        On this machine, as a rule; of passes, trainings and measurements of energy and time, and of nothing else.
    unforeseen : int
        Tests of which it is not known what else they take.
    """

    passes: float = 0
    most_passes: float = 0
    trainings: int = 0
    most_trainings: int = 0
    seconds: float = 0
    kwh: float = 0
    unforeseen: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Cost)))

    def __sub__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) - getattr(other, each.name) for each in fields(Cost)))


class _Kept(Entry):
    """The costs of tests, by their names, as the cache holds them."""

    tests: dict[str, dict[str, float]]


class _Pace(NamedTuple):
    """How fast the model works on this machine, and what that takes."""

    token_s: float
    kilowatts: float


class PlannedModels(Models):
    """The models of an audit that is planned: whoever asks for one is told of a stand-in, and the cost is booked."""

    def __init__(self, policy: Policy, inputs: Inputs, resources: Resources, folder: Path) -> None:
        super().__init__(policy, inputs, resources)
        self._folder = folder
        self._tallies: list[Counting] = []
        self._jobs: list[Job] = []
        self._usual, self._most, self._waiting_s = Passes(), Passes(), 0.0
        self._example_s: dict[object, float] = {}

    # ---- the books

    @property
    def passes(self) -> float:
        """Forward passes that were booked so far, as a rule."""
        return self._usual.number + sum(tally.usual.number for tally in self._tallies)

    @property
    def texts(self) -> tuple[float, float]:
        """Distinct texts that were booked so far, test texts apart: as a rule, and at most."""
        usual = [self._usual, *(tally.usual for tally in self._tallies)]
        most = [self._most, *(tally.most for tally in self._tallies)]
        return sum(each.number - each.again for each in usual), sum(each.number - each.again for each in most)

    @property
    def cost(self) -> Cost:
        """All that was booked so far."""
        tokens = self._usual.tokens + sum(tally.usual.tokens for tally in self._tallies)
        seconds = self._waiting_s + sum(map(self._training_s, self._jobs)) + (tokens and tokens * self._pace.token_s)
        return Cost(
            passes=self.passes,
            most_passes=self._most.number + sum(tally.most.number for tally in self._tallies),
            trainings=len(self._jobs),
            most_trainings=len(self._jobs),
            seconds=seconds,
            kwh=seconds and seconds * self._pace.kilowatts / 3600,
        )

    def book(self, usual: float, most: float, tokens: float | None = None, again: float = 0) -> None:
        """Forward passes, as a rule and at most; of so many tokens each, by default as many as test texts have.

        Of texts that were asked about before are `again` of them.
        """
        tokens = self._tokens if tokens is None else tokens
        for passes, number in ((self._usual, usual), (self._most, most)):
            passes.number += number
            passes.tokens += number * tokens
            passes.again += again

    def train(
        self, jobs: Sequence[Job], phase: str, keep: Callable[[int, Callable[[Path], None], FineTuning], None]
    ) -> NoReturn:
        """Book trainings, in the place of workers elsewhere: they are asked only for what the cache does not hold."""
        self._jobs += jobs
        raise Planned

    @contextmanager
    def insisting(self) -> Iterator[None]:
        """Within it, questions that only the model can answer are not answered."""
        self._set(insists=True)
        try:
            yield
        finally:
            self._set(insists=False)

    def drive(self, looks: Looks, sizes: Iterable[int]) -> None:
        """Count what looks ask: up to the first size as a rule, up to the last at most."""
        n = 0
        for i, size in enumerate(sizes):
            self._set(is_usual=i == 0)
            if size > n:
                n = looks.send(size - n).n
        looks.close()
        self._set(is_usual=True)

    def _set(self, **attributes: bool) -> None:
        for tally in self._tallies:
            vars(tally).update(attributes)

    def book_blocks(self, models: int) -> None:
        """Measuring the energy of so many models in turn."""
        rate = 1 / (self._tokens * self._pace.token_s)
        texts, idle_s = energy.expected_blocks(models, rate, len(self.inputs.test_data))
        self.book(texts, texts, again=texts)
        self._waiting_s += idle_s

    # ---- how long it takes

    @cached_property
    def _runner(self) -> LocalRunner | ClassifierRunner:
        resources = self.resources
        cut = self.policy.model.max_characters
        model = self.model
        if isinstance(model, ClassifierModel):
            return ClassifierRunner(model, cut)
        return Tally(model, resources.cache, resources.meter, resources.progress, {}, max_characters=cut).local

    @cached_property
    def _texts(self) -> list[str]:
        """Test texts in an order that is not theirs."""
        texts = self.inputs.test_data.texts
        return [self._runner.read(texts[i]) for i in np.random.default_rng(0).permutation(len(texts))]

    @cached_property
    def _tokens(self) -> float:
        """Tokens of a test text, in the mean."""
        return float(self._runner.encode(self._texts[: 64 * CALIBRATION_TEXTS]).lengths.mean())

    @cached_property
    def _pace(self) -> _Pace:
        runner, size, taken, begun = self._runner, CALIBRATION_TEXTS, 0.0, time.perf_counter()
        resources = self.resources
        with resources.meter.phase("calibrate") as phase, resources.progress.bar("calibrate", 0, "texts") as bar:
            runner.rows("", [runner.encode(self._texts[:1])], bar)
            while not taken or time.perf_counter() - begun < CALIBRATION_S:
                texts = [self._texts[i % len(self._texts)] for i in range(size)]
                started, before = time.perf_counter(), runner.counts.tokens
                runner.rows("", [runner.encode(texts)], bar)
                taken = (time.perf_counter() - started) / (runner.counts.tokens - before)
                size *= 2
        return _Pace(taken, 3600 * phase.kwh / phase.seconds if phase.seconds else 0.0)

    def _training_s(self, job: Job) -> float:
        key = job.recipe.source, job.recipe.base, job.recipe.settings.train
        if key not in self._example_s:
            self._example_s[key] = seconds_per_example(job.recipe, job.examples)
        return expected_seconds(job, self._example_s[key])

    # ---- the models

    @cached_property
    def transformer(self) -> Model:
        """The network under audit where it is at hand, else one of its shape with random weights."""
        recipe, examples = self.recipe, self.inputs.train_data
        if self.inputs.loaded is not None or recipe is None or examples is None:
            loaded = super().transformer
            _ = loaded.network  # or the plan would be one of a model that no audit can load
            return loaded
        if folder_of(recipe, examples, self.resources.cache):
            return super().transformer
        self._jobs.append(Job(recipe, examples))
        return replace(self._untrained(recipe), dtype=self.policy.audit.dtype)

    def _untrained(self, recipe: Recipe) -> Model:
        assert self.inputs.members is not None
        return save_untrained(recipe, self.inputs.members, self._folder)

    def scorer(self, audited: Model) -> Tally:
        """What counts the questions to a model."""
        resources, cut = self.resources, self.policy.model.max_characters
        tally = Tally(audited, resources.cache, resources.meter, resources.progress, self._truth, max_characters=cut)
        self._tallies.append(tally)
        return tally

    def asked(self, audited: ClassifierModel) -> ClassifierTally:
        """The same of a user's own classifier."""
        resources, cut = self.resources, self.policy.model.max_characters
        tally = ClassifierTally(
            audited, self._cache_of(audited), resources.meter, resources.progress, self._truth, max_characters=cut,
            withheld=self._withheld(audited),
        )  # fmt: skip
        self._tallies.append(tally)
        return tally

    @property
    def _truth(self) -> dict[str, int]:
        test = self.inputs.test_data
        return dict(zip(test.texts, test.labels.tolist(), strict=True))

    def _in_precision(self, audited: Model, precision: str) -> Scorer:
        if precision == precisions.EIGHT_BIT and audited.device != "cpu":
            return super()._in_precision(audited, precision)
        return self.scorer(audited)

    def retrained(self) -> Scorer:
        """A model that was trained before, else a stand-in."""
        try:
            return super().retrained()
        except Planned:
            return self.scorer(self.transformer)

    @property
    def _workers(self) -> PlannedModels:
        return self

    @cached_property
    def membership_twins(self) -> Twins | None:
        """As in an audit; they are trained as a rule where the policy says so."""
        if self.policy.privacy.reference_models is not None:
            with suppress(Planned, NotAssessed):
                _ = self.twins
        return super().membership_twins

    @cached_property
    def canary_twin(self) -> CanaryTwin:
        """A twin that was trained before, else a stand-in."""
        try:
            return super().canary_twin
        except Planned:
            return CanaryTwin(self._canaries, self.scorer(self.transformer))

    @cached_property
    def word_counts(self) -> Predictions:
        """Nothing that counts."""
        raise Planned

    def experiments(self, audited: Callable[[], Scorer]) -> Experiments:
        """Each trains what the former one left open."""
        raise Unforeseen

    def alternatives(self, scorer: CachedScorer) -> Alternatives:
        """Books trainings, and the questions to each model."""
        kinds, bench = self.policy.environment.alternatives, self._bench(scorer)
        jobs = list(bench.jobs(kinds))
        missing = [each for each in jobs if not folder_of(each.recipe, each.examples, self.resources.cache)]
        self._jobs += missing
        networks = 1 + len(jobs) + ("int8" in kinds and scorer.model.device == "cpu")
        others = (networks - 1) * len(self.inputs.test_data) + networks * latency.SINGLE_ASKED
        self.book(others, others)
        self.book_blocks(networks)
        raise Planned


class PlannedLedger(Ledger):
    """The books of an audit that is planned: what would be measured is only booked."""

    models: PlannedModels

    def inference_blocks(self, scorer: CachedScorer) -> NoReturn:
        """Books the blocks."""
        check_here(scorer)
        self.models.book_blocks(1)
        raise Planned

    def latencies(self, scorer: CachedScorer) -> NoReturn:
        """Books the texts, most of which are longer than the model reads."""
        asked = latency.asked(len(hostile_requests(confidence=self.inputs.test_data.protocol.confidence)))
        self.models.book(asked, asked, scorer.model.max_length or None)
        raise Planned

    def single_times(self, scorer: CachedScorer) -> NoReturn:
        """Books the texts."""
        check_here(scorer)
        self.models.book(latency.SINGLE_ASKED, latency.SINGLE_ASKED)
        raise Planned


class _Unwritten(Output):
    """The output folder of an audit that writes nothing."""

    def claim(self) -> None:
        """Leave it to others."""

    def keep_predictions(self, predictions: Predictions) -> None:
        """Keep none."""


class _Undecided(Decisions):
    """Decides nothing."""

    def judge(self, measurement: Measurement, challenge: str | None = None) -> NoReturn:
        """Ends the test."""
        raise Planned


class PlannedSession(Session):
    """An audit that is planned and not run; parameters as of :class:`audit.run.session.Session`."""

    def __init__(self, options: Options, declared: Iterable[Probe], progress: Progress) -> None:
        # The plan needs no record: a former one is neither read nor replaced.
        super().__init__(replace(options, baseline=None), declared, progress)
        self._temporary = Temporary()
        self.usual_share = 1.0

    @classmethod
    def beside(cls, session: Session) -> PlannedSession:
        """The plan of an audit that has started and asked nothing yet; it has its inputs and resources."""
        planned = cls(session.options, session.declared, session.progress)
        planned.overridden = session.overridden
        vars(planned).update(policy=session.policy, inputs=session.inputs, resources=session.resources)
        return planned

    def clear(self) -> None:
        """Leave nothing behind; what belongs to an audit stays as it is."""
        self._temporary.cleanup()

    @cached_property
    def output(self) -> Output:
        """Nothing is written there."""
        return _Unwritten(self.options.folder / self.options.out, self.options.audit)

    @cached_property
    def models(self) -> PlannedModels:
        """Stand-ins."""
        return PlannedModels(self.policy, self.inputs, self.resources, Path(self._temporary.folder, "model"))

    @cached_property
    def decisions(self) -> Decisions:
        """Nothing is judged."""
        return _Undecided(self.policy, ids(self.declared), None, self._started[:10])

    @cached_property
    def ledger(self) -> PlannedLedger:
        """What would be measured."""
        return PlannedLedger(self.policy, self.declared, self.inputs, self.models, self.resources, self._started)

    def start(self, overridden: Iterable[str] = ()) -> None:
        """As that of an audit.

        Raises
        ------
        AuditError
            Also where the repository's own scorer would be asked: only an audit tells what it takes.
        """
        overridden = tuple(overridden)
        if "scorer" in overridden:
            raise AuditError(
                "the repository's own conftest.py replaces the fixture `scorer`, and what that takes is not known "
                "beforehand; leave out --audit-plan."
            )
        super().start(overridden)

    def foresee(
        self, declaration: Probe, arguments: Mapping[str, object], measure: Callable[[], Result | Looks]
    ) -> NoReturn:
        """Book what a probe asks, and end its test: the planner of :func:`audit.core.probe.planned_by`."""
        if declaration.passes:
            self._count(declaration, arguments, measure)
        raise Planned

    def close(self) -> None:
        """As that of an audit; nothing is left."""
        super().close()
        self.clear()

    def _count(
        self, declaration: Probe, arguments: Mapping[str, object], measure: Callable[[], Result | Looks]
    ) -> None:
        models, before, look = self.models, self.models.passes, None
        named = declaration.most_passes
        limit = arguments[named] if isinstance(named, str) else named
        most = float(limit) if isinstance(limit, int | float) and limit else declaration.passes
        usual = min(declaration.passes, most)
        if declaration.examples:
            models.book(usual * declaration.examples, most * declaration.examples)
            return
        with models.insisting():
            try:
                measured = measure()
                if isinstance(measured, Generator):
                    look = next(measured)
            except Unanswered:
                pass
        if look is None:
            asked = models.passes - before
            models.book((usual - 1) * asked, (most - 1) * asked)
            return
        enough = self.stopping.usual(declaration, look.total)
        self.usual_share = enough / look.total
        if declaration.passes > COSTLY:
            models.book(usual * enough, most * look.total)
        else:
            assert isinstance(measured, Generator)
            models.drive(measured, (enough, look.total))


Test: TypeAlias = tuple[str, int, Callable[[], object]]


def plan(session: PlannedSession, tests: Iterable[Test]) -> Iterator[tuple[str, Cost]]:
    """What each test takes, in their order; what several need is booked on the first.

    Parameters
    ----------
    session : PlannedSession
    tests : iterable of (str, int, callable)
        Name, how many trainings it asks for at most, and the test itself, run until it asks the model something.

    Raises
    ------
    AuditError
        If the model, or what else the audit was given, cannot be used.
    """
    for name, trainings, test in tests:
        before = session.models.cost
        outcome = _begun(test)
        cost = session.models.cost - before
        more = max(0, trainings * outcome.would_measure - cost.trainings)
        yield name, cost + Cost(most_trainings=more, unforeseen=not outcome.is_foreseen)


def needs(session: PlannedSession, tests: Iterable[Test], gated: Callable[[str], bool]) -> Iterator[Need]:
    """What each test asks of a budget of texts; it does not depend on what the cache holds.

    Parameters
    ----------
    session : PlannedSession
    tests : iterable of Test
        As for :func:`plan`; the name is that by which the budget knows the test.
    gated : callable
        Whether a gate asks for what a test measures, by its name.

    Raises
    ------
    AuditError
        As :func:`plan`.
    """
    for name, trainings, test in tests:
        usual, most = session.models.texts
        session.usual_share = 1.0
        outcome = _begun(test)
        after = session.models.texts
        yield Need(
            name, gated(name), after[0] - usual, after[1] - most, session.usual_share,
            trainings * outcome.would_measure, outcome.is_foreseen,
        )  # fmt: skip


def texts_of_training(session: Session) -> float:
    """How many texts the training of a network is worth, in passes of its size; 0 without training data.

    A step goes forward over each text and twice as much backward (Kaplan et al., "Scaling laws for neural language
    models", arXiv:2001.08361, section 2.1).
    """
    recipe, members = session.models.recipe, session.inputs.members
    if members is None:
        return 0
    settings = STAND_IN if recipe is None else recipe.settings
    rows = len(members) if recipe is not None else min(len(members), STAND_IN_TEXTS)
    return 3.0 * settings.batch_size * steps_for(settings, rows)


class _Outcome(NamedTuple):
    """How a test ended that was begun: whether it is known what it takes, and whether it would measure anything."""

    is_foreseen: bool
    would_measure: bool


def _begun(test: Callable[[], object]) -> _Outcome:
    try:
        test()
    except Unforeseen:
        return _Outcome(is_foreseen=False, would_measure=True)
    except (Planned, Unanswered):
        pass
    except NotAssessed:
        return _Outcome(is_foreseen=True, would_measure=False)
    except AuditError:
        raise
    except Exception:  # a test of somebody's own, to which no answer means what it says
        return _Outcome(is_foreseen=False, would_measure=True)
    return _Outcome(is_foreseen=True, would_measure=True)


def keep(session: Session, costs: Mapping[str, Cost]) -> None:
    """Remember what the tests of an audit take, by their names."""
    tests = {name: asdict(cost) for name, cost in costs.items()}
    session.resources.cache.measurement(_key(session, tuple(costs)), lambda: cast(_Kept, {"tests": tests}))


def kept(session: Session, tests: Sequence[str]) -> dict[str, Cost] | None:
    """What was planned for just these tests, policy, data and machine; None where nothing was, or it is trained by now.

    Parameters
    ----------
    session : Session
    tests : sequence of str
        By pytest's names.
    """
    try:
        found: _Kept = session.resources.cache.measurement(_key(session, tests), _not_planned)
    except LookupError:
        return None
    except (AuditError, NotAssessed):  # what cannot be read is told where a test asks for it
        return None
    return {name: Cost(**cost) for name, cost in found["tests"].items()}  # type: ignore[arg-type]


def is_slow(session: Session) -> bool:
    """Whether the model is so large that an audit of it takes many times as long as its plan."""
    recipe, loaded = session.models.recipe, session.inputs.loaded
    folder = loaded.folder if loaded is not None else recipe.base if recipe is not None else None
    return folder is not None and sum(path.stat().st_size for path in folder.glob("*") if path.is_file()) > SLOW_BYTES


def _not_planned() -> _Kept:
    raise LookupError


def _key(session: Session, tests: Sequence[str]) -> dict[str, object]:
    inputs, recipe, train = session.inputs, session.models.recipe, session.inputs.train_data
    is_trained = recipe is None or train is None or folder_of(recipe, train, session.resources.cache) is not None
    return {
        "what": "plan by test",
        "tests": sorted(tests),
        "policy": json.dumps(session.policy.recorded(), sort_keys=True, default=str),
        "model": session.options.model,
        "trained": is_trained,
        "data": [None if each is None else each.ordered_fingerprint for each in (train, inputs.test_data)],
        "machine": session.resources.meter.place,
        "device": session.resources.device,
    }
