"""What an audit took, in energy and answers, and the facts of its record: model, data, grids, provenance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, cached_property

from audit.core import git
from audit.core.errors import NotAssessed
from audit.core.figures import CachedPhase, Grid, Spent
from audit.core.numbers import is_number
from audit.core.probe import Probe
from audit.core.records import GateRecord, ModelRecord, PolicyOriginRecord
from audit.core.sentences import Sentence
from audit.energy import meter as energy
from audit.inference import latency
from audit.inference.classifiers import ClassifierScorer
from audit.inference.scorer import CachedScorer
from audit.models import minilm, tokens
from audit.models.classifiers.model import ClassifierModel
from audit.models.model import Model
from audit.policy import policy as policies
from audit.policy.policy import ALWAYS_GATED, Policy
from audit.probes.catalogue import ids
from audit.record import declarations, record, since
from audit.run.inputs import Inputs
from audit.run.models import Models
from audit.run.resources import Resources
from audit.text.hostile import hostile_requests


class Ledger:
    """The books of one audit in one process.

    Parameters
    ----------
    policy : Policy
    declared : tuple of Probe
        Ids that other packages declare.
    inputs : Inputs
    models : Models
    resources : Resources
    started : str
        When this audit began; what was measured before was taken from the cache.
    """

    def __init__(
        self,
        policy: Policy,
        declared: tuple[Probe, ...],
        inputs: Inputs,
        models: Models,
        resources: Resources,
        started: str,
    ) -> None:
        self.policy = policy
        self.declared = declared
        self.inputs = inputs
        self.models = models
        self.resources = resources
        self._started = started
        self._blocks: energy.InferenceEnergy | None = None

    def inference_blocks(self, scorer: CachedScorer) -> energy.InferenceEnergy:
        """Energy of predictions on the test texts, measured in blocks or taken from the cache.

        Raises
        ------
        NotAssessed
            As :func:`check_here`.
        """
        check_here(scorer)
        texts = self.inputs.test_data.texts
        if all(hasattr(scorer, name) for name in ("identity", "forward", "counts")):
            cache = getattr(scorer, "cache", self.resources.cache)
            self._blocks = energy.measure_inference(scorer, texts, self.resources.meter, cache)
        else:
            self._blocks = energy.measure_own(scorer, texts, self.resources.meter)
        return self._blocks

    def latencies(self, scorer: CachedScorer) -> latency.Latencies:
        """Time of single texts, hostile ones and test texts, measured or taken from the cache."""
        examples, meter, cache = self.inputs.test_data, self.resources.meter, self.resources.cache
        cache = getattr(scorer, "cache", cache)
        hostile = hostile_requests(confidence=examples.protocol.confidence)
        return latency.measure_latency(scorer, examples.texts, hostile, meter, cache)

    def single_times(self, scorer: CachedScorer) -> latency.SingleTimes:
        """Time of single test texts, measured or taken from the cache.

        Raises
        ------
        NotAssessed
            As :func:`check_here`, and where the repository's own scorer answers.
        """
        check_here(scorer)
        if not isinstance(scorer, CachedScorer):
            raise NotAssessed(
                Sentence("the repository's own `scorer` answers, and it cannot be timed without what it keeps")
            )
        return latency.measure_single(scorer, self.inputs.test_data.texts, self.resources.meter, scorer.cache)

    @cached_property
    def grids(self) -> list[Grid]:
        """Carbon of a kilowatt-hour in the policy's country, and elsewhere."""
        return energy.grids(self.policy.audit.country)

    def cached_phases(self) -> list[CachedPhase]:
        """Phases whose result came from the cache, with the energy and the date of the audit that ran them."""
        phases: list[CachedPhase] = [{**each["energy"], "created": each["created"]} for each in self.models.trainings]
        beside = [each.inference for each in self.models.beside]
        for measured in ([self._blocks] if self._blocks else [], beside):
            if measured:
                blocks = [block for each in measured for block in each["blocks"]]
                (figures,) = energy.merge([[measured[0]["idle"], *blocks]])
                phases.append({**figures, "created": measured[0]["created"]})
        return [each for each in record.distinct(phases) if each["created"] < self._started]

    def spent(self) -> Spent:
        """The energy of this audit until now, as :func:`audit.probes.environment.environment.audit_energy` takes it."""
        phases = [phase.record() for phase in self.resources.meter.phases]
        elsewhere = self.resources.cluster.elsewhere if self.resources.cluster else []
        return {
            "phases": phases + elsewhere,
            "elsewhere": bool(elsewhere),
            "kept": self.cached_phases(),
            "processes": self.inputs.options.processes,
        }

    def provenance(self, audited: object) -> dict[str, str | None]:
        """The facts that are needed to repeat model and audit, None where one is missing."""
        training = getattr(audited, "training", None)
        trained_on = self.inputs.train_data.fingerprint if self.inputs.train_data else None
        files = getattr(audited, "files", None)
        return {
            Sentence("fingerprint of the model"): getattr(audited, "fingerprint", None),
            Sentence("files of the model, by hash"): Sentence("{n} files", n=len(files)) if files else None,
            Sentence("version of the model, or of the one it was tuned from"): _version(audited),
            Sentence("recipe of the training"): _recipe_text(
                training or ({"steps": None} if self.models.recipe else None)
            ),
            Sentence("fingerprint of the training data"): trained_on,
            Sentence("fingerprint of the test data"): self.inputs.test_data.fingerprint,
            Sentence("seeds"): _seeds(self.policy),
            Sentence("versions of the software"): Sentence("{n} packages", n=len(record.versions())),
            Sentence("device"): self.resources.device,
            Sentence("policy"): self.policy.name if self.policy.origin is None else self.policy.origin.name,
            Sentence("command"): Sentence("under provenance") if self.inputs.options.command else None,
        }

    @cached_property
    def _settled(self) -> record.Settled:
        """What is the same whenever the facts are told, which is after each test."""
        return {
            "policy": self.policy.recorded(),
            "policy_origin": origin_of(self.policy),
            "policy_file": self.policy.origin.name if self.policy.origin else None,
            "gated": list(self.policy.gated_ids(ids(self.declared))),
            "always_gated": list(ALWAYS_GATED),
            "declarations": declarations.to_json(ids(self.declared).values()),
        }

    def facts(self, audited: object, scorers: Iterable[object]) -> record.Facts:
        """What the record says besides the findings, as plain values that may cross processes."""
        # The audit's own scorers, the twins' included, and those of overridden fixtures; each counted once.
        every = {id(scorer): scorer for scorer in (*self.models.scorers, *scorers)}.values()
        cluster, splits = self.resources.cluster, self.inputs.splits
        counts = [scorer.counts for scorer in every if hasattr(scorer, "counts")]
        return {
            **self._settled,
            "baseline": self.inputs.baseline_summary,
            "model": _describe(audited, self.inputs.overridden)
            | ({"unknown_tokens": self.models.unknown_tokens} if self.models.unknown_tokens > tokens.WARNED else {}),
            "data": {role: examples.describe() if (examples := splits.get(role)) else {} for role in ("test", "train")},
            "energy": [phase.record() for phase in self.resources.meter.phases] if self.resources.has_meter else [],
            "elsewhere": cluster.elsewhere if cluster else [],
            "kept": self.cached_phases(),
            "grids": self.grids,
            "scoring": {
                name: sum(getattr(count, name) for count in counts)
                for name in ("texts", "forward_passes", "cache_hits")
            }
            | ({"workers": len(cluster.pids), "lost_workers": cluster.lost} if cluster else {})
            | (dict(audited.counted) if isinstance(audited, ClassifierModel) else {}),
            "provenance": {
                "seed": self.policy.audit.seed,
                "device": self.resources.device,
                "command": self.inputs.options.command,
                "versions": record.versions()
                | minilm.packages((self.policy.model.source, self.policy.claims.pretrained)),
                "commit": git.commit(self.inputs.options.folder),
                "overridden": list(self.inputs.overridden),
            },
        }


def check_here(scorer: object) -> None:
    """Refuse to measure what a model takes that runs elsewhere.

    Raises
    ------
    NotAssessed
    """
    if isinstance(scorer, ClassifierScorer) and scorer.model.is_service:
        raise NotAssessed(
            Sentence("the model is a service, and what it takes is spent where this audit measures nothing")
        )


@cache
def _embedded() -> Policy:
    return policies.embedded()


def origin_of(policy: Policy) -> PolicyOriginRecord:
    """Where a policy is from, and how it differs from the embedded one."""
    default, own = _embedded(), policy.own_gates
    adopted = default.own_gates
    bounds: list[dict[str, GateRecord | None]] = [
        {full_id: gate.record() for full_id in {**adopted, **own} if (gate := each.gate(full_id)) is not None}
        for each in (default, policy)
    ]
    origin: PolicyOriginRecord = {
        "sha256": policy.sha256,
        "state": "embedded",
        "as_embedded": [
            full_id
            for full_id, gate in own.items()
            if gate == adopted.get(full_id) and gate.reason == adopted[full_id].reason and not gate.owner
        ],
        "gates": since.looser(*bounds),
        "settings": since.less_strict(default.recorded(), policy.recorded()),
    }
    if policy.origin is None:
        return origin
    known = git.history(policy.origin, policy.sha256)
    origin["state"] = known.state
    return {**origin, "commit": known.commit, "date": known.date} if known.commit else origin


def _version(audited: object) -> str | None:
    if audited is None or not hasattr(audited, "fingerprint"):
        return None
    if not getattr(audited, "pinned", True):
        return None
    return getattr(audited, "revision", None) or Sentence("identified by its fingerprint")


def _recipe_text(training: Mapping[str, object] | None) -> str | None:
    if not training:
        return None
    steps = training.get("steps")
    return Sentence("{steps} steps", steps=steps) if is_number(steps) and steps else Sentence("in the policy")


def _seeds(policy: Policy) -> str:
    own, recipe = str(policy.audit.seed), policy.model.finetune
    if recipe is None:
        return Sentence("audit {seed}", seed=own)
    return Sentence("audit {seed}, training {training_seed}", seed=own, training_seed=str(recipe.seed))


def _describe(audited: object, overridden: tuple[str, ...]) -> ModelRecord:
    description: ModelRecord = {}
    if isinstance(audited, Model | ClassifierModel):
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
