"""``audit.toml`` as typed, validated, immutable settings. It reads no data and loads no model."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    WrapSerializer,
    field_validator,
    model_validator,
)

from audit.core.budget import Limit
from audit.core.errors import AuditError
from audit.core.identifiers import base_id
from audit.core.probe import Probe
from audit.core.verdict import Gate
from audit.policy import mistakes
from audit.text.paths import check_regular
from audit.text.redaction import printable

SMALL_BERT = "small-bert"
ALTERNATIVES = ("words", "recurrent", "head", "last:2", "int8")
DEMO = "demo"
OBJECTIVE = "environment.inference_energy"
# Gates of every audit, which a policy may move but need not set: no model ships with files that run code.
ALWAYS_GATED = {"security.artifact": Gate(max=0)}
_LISTED = 30
# Shares that were rounded may come to a little more than a whole.
_ROUNDED = 0.01
_LARGEST = 2**20  # bytes of a file; the embedded policy has eight thousand
_WITH_PATHS = ("model", "data", "quality", "claims")


# Of the report's own words; zh is Simplified Chinese.
Language = Literal["en", "de", "zh"]
T = TypeVar("T")
# A path, a Hub id or a pattern.
Place = Annotated[str, AfterValidator(mistakes.on_one_line)]
# A mapping that nobody can change after it was read.
Frozen = Annotated[T, AfterValidator(MappingProxyType), WrapSerializer(lambda value, write: write(dict(value)))]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Finetune(_Section):
    """The recipe by which the model is trained; the defaults are those of the document the project came from."""

    epochs: float = Field(5, gt=0)
    max_steps: int = Field(0, ge=0, description="stop after so many steps; 0: after the epochs")
    batch_size: int = Field(16, ge=1)
    learning_rate: float = Field(2e-5, gt=0)
    warmup_ratio: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(0.0, ge=0, description="0: gradients are not clipped")
    adam_epsilon: float = Field(1e-6, gt=0)
    validation: float = Field(0.1, ge=0, lt=1, description="share of the training data held out for each epoch")
    group_by_length: bool | None = Field(
        None, description="batches of texts of like length: less padding, same recipe; absent: where a processor trains"
    )
    compile: bool = Field(False, description="torch.compile: a minute at the start, faster steps on a GPU")
    train: str = Field("all", pattern=mistakes.LAYERS)
    initialise: Literal["pretrained", "scratch"] = "pretrained"
    seed: int = Field(0, ge=0)


class ModelPolicy(_Section):
    """Which model, and how its input and output are to be read."""

    source: Place = Field(min_length=1)
    revision: str | None = None
    base: Place | None = Field(None, min_length=1, description="folder or Hub id of the model that an adapter is of")
    max_length: int = Field(256, ge=4)
    max_characters: int = Field(0, ge=0, description="cut longer texts before they are tokenized; 0: never")
    labels: tuple[str, ...] = Field((), strict=False)
    order: tuple[str, ...] = Field(
        (), strict=False, description="the classes of the audit from worst to best, where their names do not say it"
    )
    head: Literal["softmax", "sigmoid", "regression"] = Field(
        "softmax",
        description="sigmoid: each output is a yes or a no of its own; one alone is that of the second class; "
        "regression: the one output is a score, which cutpoints turn into classes",
    )
    cutpoints: tuple[float, ...] = Field(
        (), strict=False, description="of a regression: the scores at which one of labels ends and the next begins"
    )
    threshold: float = Field(
        0.5, gt=0, lt=1, description="of two classes the second is the answer where its probability is above this"
    )
    merge: Frozen[Mapping[str, str | Annotated[tuple[str, ...], Field(strict=False)]]] = Field(
        default_factory=dict,
        description="from a class of the model to that which it counts as, or several that share it; empty: left out",
    )
    key_env: str | None = Field(None, min_length=1, description="environment variable with the key of a service")
    timeout_s: float = Field(30, gt=0, description="seconds after which a request to a service is given up")
    requests_per_second: float = Field(0, ge=0, description="to a service at most; 0: as fast as it answers")
    send_training_data: bool = Field(False, description="whether a service may be asked about training texts")
    prompt: Place | None = Field(
        None, min_length=1, description="file with what a chat is asked about each text, which stands for {text} in it"
    )
    name: str | None = Field(None, min_length=1, description="of the model that a chat is asked of")
    otherwise: str | None = Field(
        None, min_length=1, description="the label that an answer of a chat counts as that is none; absent: an error"
    )
    finetune: Finetune | None = None

    @model_validator(mode="after")
    def _are_of_a_service(self) -> ModelPolicy:
        own = ("key_env", "timeout_s", "requests_per_second", "send_training_data", "prompt", "name", "otherwise")
        if not self.source.lower().startswith(("http://", "https://")) and (given := self.model_fields_set & {*own}):
            raise ValueError(f"{min(given)} is of a service, and source is no address; leave it out")
        return self

    @model_validator(mode="after")
    def _cut_the_score(self) -> ModelPolicy:
        if self.head != "regression":
            if self.cutpoints:
                raise ValueError('cutpoints are of a score; leave them out, or say head = "regression"')
            return self
        if self.threshold != 0.5:
            raise ValueError("threshold is of a probability, and a regression has none; give cutpoints")
        ascending = all(one < other for one, other in pairwise(self.cutpoints))
        if len(self.labels) < 2 or len(self.cutpoints) != len(self.labels) - 1 or not ascending:
            raise ValueError(
                f"a regression needs two labels or more, from the lowest score to the highest, and one cutpoint fewer, "
                f"ascending; given are {len(self.labels)} labels and {len(self.cutpoints)} cutpoints"
            )
        return self

    @model_validator(mode="after")
    def _are_of_a_loaded_model(self) -> ModelPolicy:
        if self.finetune is not None and (self.merge or self.head != "softmax" or self.threshold != 0.5):
            raise ValueError(
                "merge, head and threshold are of a model that is loaded as it is; leave them out, or finetune"
            )
        return self


class DataPolicy(_Section):
    """Which data, and which of its columns mean what."""

    test: Place = Field(min_length=1)
    train: Place | None = None
    text: str = "text"
    label: str = "label"
    subgroups: tuple[str, ...] = Field((), strict=False)
    language: str = Field("en", pattern=mistakes.LANGUAGE)
    max_examples: int = Field(0, ge=0)
    test_share: float = Field(0.0, ge=0, lt=1, description="where train and test name one file: what is held out")
    label_map: Frozen[Mapping[str, str]] = Field(default_factory=dict)
    drop_labels: tuple[str, ...] = Field((), strict=False, description="rows with these labels are left out, counted")
    separator: str = Field("", description="of .csv and .tsv; empty: read off the header")
    groups: Place = Field("", description="a file with the subgroup columns, joined by the column `id`")
    id: str = Field("", description="the column of the data and of the file of groups that says whose row it is")
    cluster: str = Field("", description="column of the author or item: rows that belong together; empty: near copies")
    pairs: Place | None = Field(None, description="a file of counterfactual pairs, as the Equity Evaluation Corpus")
    second_label: str = Field("", description="column with a second label of test rows drawn at random; else empty")
    second_label_is: Literal["truth", "peer"] = Field(
        "truth", description="truth: the second label is right; peer: both err alike and independently"
    )
    production: Place | None = Field(None, min_length=1, description="texts of use, with the same column of texts")
    production_label: str = Field(
        "", description="column of their labels, which a random sample of the rows has; empty elsewhere"
    )

    @field_validator("subgroups")
    @classmethod
    def _columns_differ(cls, subgroups: tuple[str, ...]) -> tuple[str, ...]:
        crossed = [sorted(column.split("*")) for column in subgroups]
        for i, (column, parts) in enumerate(zip(subgroups, crossed, strict=True)):
            if len(set(parts)) < len(parts):
                raise ValueError(f"'{printable(column)}' crosses a column with itself; name another.")
            if parts in crossed[:i]:
                other = subgroups[crossed.index(parts)]
                same = "stands there twice" if other == column else f"has the groups of '{printable(other)}'"
                raise ValueError(f"'{printable(column)}' {same}; keep one of them.")
        return subgroups

    @model_validator(mode="after")
    def _groups_are_joined(self) -> DataPolicy:
        if self.groups and not self.id:
            raise ValueError("groups are joined by a column that both files have; name it with id")
        return self

    @model_validator(mode="after")
    def _second_label_is_another(self) -> DataPolicy:
        if self.second_label and self.second_label == self.label:
            raise ValueError("second_label names the column of label; name that of a second, independent labelling")
        if self.second_label_is == "peer" and not self.second_label:
            raise ValueError("second_label_is speaks of a column that second_label names; name it, or leave both out")
        return self

    @model_validator(mode="after")
    def _labels_are_of_production(self) -> DataPolicy:
        if self.production_label and self.production is None:
            raise ValueError("production_label is a column of the texts of use; name their file with production")
        return self

    @field_validator("separator")
    @classmethod
    def _is_one_sign(cls, separator: str) -> str:
        separator = separator.replace("\\t", "\t")  # as single quotes leave it
        if len(separator) > 1 or separator in set('"\r\n') or separator.isalnum():
            raise ValueError('expected one sign, such as ";" or "\\t"')
        return separator


class QualityPolicy(_Section):
    """Settings of the quality probes, and measures of the user's own."""

    metrics: tuple[Place, ...] = Field((), strict=False, description="evaluate modules: paths, or owner/name@commit")
    behaviour_cases: int = Field(150, ge=100, description="sentences for each capability, if there are so many")
    retrain: bool | None = Field(
        None, description="whether the recipe is run again with another seed; absent: where a gate asks for it"
    )
    allow_remote_metrics: tuple[str, ...] = Field((), strict=False, description="Hub ids whose code may run here")

    @field_validator("metrics")
    @classmethod
    def _names_differ(cls, metrics: tuple[str, ...]) -> tuple[str, ...]:
        names = [metric_name(source) for source in metrics]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"two metrics are called '{twice}'; rename one of the files")
        return metrics


class AuditPolicy(_Section):
    """How verdicts are reached."""

    confidence: float = Field(0.95, gt=0.5, lt=1)
    inconclusive: Literal["fail", "warn"] = "fail"
    looks: int | Literal["any"] = Field(
        1, description="audits of growing test data: so many are planned and share the error; any: as many as one likes"
    )
    stopping: Literal["settled", "full"] = Field(
        "settled", description="whether a probe stops as soon as its verdict is settled, or asks about all examples"
    )
    precision: float = Field(
        0.05, gt=0, lt=1, description="half-width of an interval without gate at which a probe stops"
    )
    unguarded: Literal["warn", "fail", "ignore"] = Field(
        "warn", description="what a finding without a gate leads to that is surely worse than its alarm level"
    )
    complete: bool | None = Field(
        None, description="whether an incomplete audit ends with exit status 1; absent: where CI=true"
    )
    gated_only: bool = Field(False, description="whether what no gate asks for is left out")
    budget: str | None = Field(
        None, description="what the audit may take once the model is ready: 90s, 15m, 2h, or a number of distinct texts"
    )
    min_group_size: int = Field(30, ge=1)
    seed: int = Field(
        0, ge=0, description="of test_share, canaries, folds and resampling; no text, edit or case is drawn by it"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="of the model's weights and arithmetic; verdicts speak of the model as it runs with it"
    )
    timeout_s: float = Field(0, ge=0, description="for each test that measures, with what is made for it; 0: none")
    country: str = Field("DEU", description="ISO 3166 code, for the carbon of the electricity")
    engine: Literal["local", "ray"] = "local"
    address: str | None = Field(None, description="of a Ray cluster, or auto; absent: one on this machine, made for it")
    workers: int = Field(0, ge=0, description="of the Ray cluster; 0: one for each processor or graphics card")

    @field_validator("looks", mode="before")
    @classmethod
    def _are_looks(cls, looks: object) -> object:
        if looks == "any" or (isinstance(looks, int) and not isinstance(looks, bool) and looks >= 1):
            return looks
        raise ValueError('expected a whole number from 1 on, or "any"')

    @field_validator("budget", mode="before")
    @classmethod
    def _is_a_budget(cls, budget: object) -> object:
        if isinstance(budget, int) and not isinstance(budget, bool):
            budget = str(budget)
        if budget == "":
            return None
        if isinstance(budget, str):
            try:
                Limit.parse(budget)
            except AuditError as error:
                raise ValueError(str(error)) from None
        return budget

    @field_validator("country")
    @classmethod
    def _is_a_country(cls, code: str) -> str:
        if problem := mistakes.of_country(code):
            raise ValueError(problem)
        return code

    @model_validator(mode="after")
    def _needs_ray(self) -> AuditPolicy:
        if self.engine == "local" and (self.address is not None or self.workers):
            raise ValueError('address and workers are a Ray cluster\'s; add engine = "ray", or leave them out')
        return self


class PrivacyPolicy(_Section):
    """Settings of the privacy probes."""

    reference_models: int | None = Field(
        None, ge=2, description="twins by the recipe; absent: two, only where the test texts differ from the training"
    )
    near_duplicate: float = Field(0.8, gt=0, le=1, description="Jaccard similarity of word shingles")
    spacy_model: str = Field("", description="the user's own spaCy model, for names of people; empty: none")
    canaries: int | None = Field(
        None,
        ge=0,
        description="made-up examples planted in a twin of their own; absent: 400, or as many as the gate on ε takes; "
        "0: none",
    )
    canary_share: float = Field(0.1, gt=0, le=0.5, description="of that twin's rows, at most so many are canaries")
    delta: float = Field(1e-5, ge=0, lt=1, description="of the differential privacy that canaries speak of")


class SecurityPolicy(_Section):
    """Settings of the security probes."""

    queries: int = Field(200, ge=10, description="what the attack may ask of the model for each example")
    perturbed: int = Field(1000, ge=0, description="test examples for each kind of perturbation; 0: all")
    curves: bool = Field(
        False, description="whether every strength of a disturbance is asked about, for the report; else one decides"
    )
    allow_pickle: bool = Field(False, description="whether pickled weights may be loaded, with weights_only")
    expected_sha256: Frozen[Mapping[str, Annotated[str, Field(pattern=mistakes.SHA256)]]] = Field(
        default_factory=dict, description="SHA-256 of each file of the model, by its path; empty: held against nothing"
    )


class EnvironmentPolicy(_Section):
    """How the model is to be used, for what its energy amounts to."""

    predictions_per_day: int = Field(100_000, ge=1)
    pue: float | None = Field(
        None, ge=1, description="power usage effectiveness of the data centre, a factor of all electricity; absent: 1"
    )
    cpu_watts: float | None = Field(
        None, gt=0, description="nominal power of all processors, in place of a counter and of CodeCarbon's guess"
    )
    ram_watts: float | None = Field(None, gt=0, description="power of all memory, in place of CodeCarbon's guess")
    embodied_g_per_hour: float | None = Field(
        None, ge=0, description="g CO2eq that making the machine caused, per hour of its life; absent: not known"
    )
    alternatives: tuple[str, ...] = Field(
        ALTERNATIVES,
        strict=False,
        description="models that are made beside the audited one, to see whether one would do",
    )

    @field_validator("alternatives")
    @classmethod
    def _are_known(cls, alternatives: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := next((name for name in alternatives if name not in ALTERNATIVES), None):
            raise ValueError(f"unknown model '{printable(unknown, 60)}'{did_you_mean(unknown, ALTERNATIVES)}")
        if twice := next((name for name in alternatives if alternatives.count(name) > 1), None):
            raise ValueError(f"'{twice}' stands there twice; keep one of them.")
        return alternatives


class TransferPolicy(_Section):
    """A labelled data set from elsewhere, on which models trained on the policy's own data are tried."""

    data: Place = Field(min_length=1)
    text: str = "text"
    label: str = "label"
    label_map: Frozen[Mapping[str, str]] = Field(default_factory=dict)


class ScratchPolicy(_Section):
    """What a recipe from random weights has of its own, where that of a pretrained model would leave them at chance."""

    learning_rate: float | None = Field(None, gt=0)
    warmup_ratio: float | None = Field(None, ge=0, lt=1)


class ClaimsPolicy(_Section):
    """What `suites/claims/` needs to put the document's claims to the test."""

    pretrained: Place | None = Field(None, min_length=1, description="a pretrained encoder: folder, Hub id or minilm")
    revision: str | None = None
    pretraining_rate: float | None = Field(
        None, gt=0, description="learning rate of its pretraining; absent: read from the file beside it"
    )
    scratch: ScratchPolicy = Field(
        default_factory=ScratchPolicy, description="of models from random weights beside it; absent: as in the recipe"
    )
    transfer: tuple[TransferPolicy, ...] = Field((), strict=False)


class ReportPolicy(_Section):
    """How the audit is told."""

    language: Language = "en"
    evidence: Literal["redacted", "none"] = Field("redacted", description="none: no text from the data anywhere")
    relabel_texts: bool = Field(False, description="whether relabel.csv holds the texts, personal data masked")


class ComparePolicy(_Section):
    """How the best of several candidates is told."""

    objective: str = Field(OBJECTIVE, min_length=1, description="the id that decides among those that pass")


def _is_a_whole(shares: Mapping[str, float]) -> Mapping[str, float]:
    if not shares:
        raise ValueError("expected the share of a group at least, as f = 0.5.")
    if (total := sum(shares.values())) > 1 + _ROUNDED:
        raise ValueError(
            f"shares of one whole, which come to {total:.3g} here; expected 1 at most, as f = 0.5, m = 0.5"
        )
    return shares


# Reference shares of a subgroup column: how large each of its groups is where the model will be used.
Shares = Annotated[Frozen[Mapping[str, Annotated[float, Field(ge=0, le=1)]]], AfterValidator(_is_a_whole)]


class GateSettings(_Section):
    """One gate as it is written in the policy."""

    min: float | None = None
    max: float | None = None
    reason: str = Field("", description="why just there; it stands beside the gate in the report")
    owner: str = Field("", description="who answers for it")

    @model_validator(mode="after")
    def _one_bound(self) -> GateSettings:
        if (self.min is None) == (self.max is None):
            raise ValueError("needs either min or max")
        return self


class Waiver(_Section):
    """One gate that does not hold, and that somebody answers for until a date."""

    id: str
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    expires: date


class Accepted(_Section):
    """One alarm without a gate that somebody answers for."""

    id: str
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)


class About(_Section):
    """What the model is for, whom it concerns, and who answers for it: told on the page that is signed."""

    intended_use: str | None = Field(None, min_length=1, description="what its answers are used for")
    users: str | None = Field(None, min_length=1, description="who works with its answers")
    affected: str | None = Field(None, min_length=1, description="whom the answers are about, or concern")
    owner: str | None = Field(None, min_length=1, description="who answers for the model")
    dpo: str | None = Field(None, min_length=1, description="the data-protection officer")
    version: str | None = Field(None, min_length=1, description="of the model, as its owner counts")
    origin: str | None = Field(None, min_length=1, description="where the data come from")
    consent: str | None = Field(None, min_length=1, description="on what basis they are used")
    next_review: date | None = Field(None, description="when all this is looked at again")


class Policy(_Section):
    """The whole policy. ``origin`` is the file that it came from, None for the embedded one."""

    model: ModelPolicy
    data: DataPolicy
    quality: QualityPolicy = Field(default_factory=QualityPolicy)
    gates: Frozen[Mapping[str, Frozen[Mapping[str, GateSettings]]]] = Field(default_factory=dict)
    audit: AuditPolicy = Field(default_factory=AuditPolicy)
    privacy: PrivacyPolicy = Field(default_factory=PrivacyPolicy)
    security: SecurityPolicy = Field(default_factory=SecurityPolicy)
    environment: EnvironmentPolicy = Field(default_factory=EnvironmentPolicy)
    report: ReportPolicy = Field(default_factory=ReportPolicy)
    compare: ComparePolicy = Field(default_factory=ComparePolicy)
    waivers: tuple[Waiver, ...] = Field((), strict=False)
    accepted: tuple[Accepted, ...] = Field((), strict=False)
    about: About = Field(default_factory=About)
    claims: ClaimsPolicy = Field(default_factory=ClaimsPolicy)
    representation: Frozen[Mapping[str, Shares]] = Field(
        default_factory=dict,
        description="of each subgroup column the shares of its groups where the model will be used",
    )
    _origin: Path | None = PrivateAttr(default=None)
    _sha256: str = PrivateAttr(default="")

    @field_validator("representation")
    @classmethod
    def _are_of_subgroups(cls, shares: Mapping[str, Shares], info: ValidationInfo) -> Mapping[str, Shares]:
        data = info.data.get("data")  # absent where that section is itself at fault
        known = data.subgroups if isinstance(data, DataPolicy) else tuple(shares)
        if unknown := next((column for column in shares if column not in known), None):
            hint = did_you_mean(unknown, known) if known else "; [data] subgroups names none."
            raise ValueError(f"'{printable(unknown)}' is none of [data] subgroups{hint}")
        return shares

    @property
    def origin(self) -> Path | None:
        """The file that the policy was read from."""
        return self._origin

    @property
    def sha256(self) -> str:
        """The hash of its file, as it was read."""
        return self._sha256

    @property
    def name(self) -> str:
        """The policy's name in messages."""
        return str(self._origin) if self._origin else "the embedded policy"

    def path(self, value: str, key: str) -> Path:
        """A path of the policy: environment variables put in, relative to the policy's file.

        Raises
        ------
        AuditError
            If a variable that it names is not set.
        """
        return _expand(value, self.folder, f"{self.name}: {key}")

    @property
    def folder(self) -> Path:
        """Where its file lies, and its paths begin; of the embedded policy where the process works."""
        return self._origin.parent if self._origin else Path()

    @property
    def brackets(self) -> dict[str, tuple[str, ...]]:
        """What the policy names that may stand in the brackets of an id, by kind."""
        return {"subgroup": self.data.subgroups, "metric": tuple(map(metric_name, self.quality.metrics))}

    @property
    def curves(self) -> bool:
        """Whether probes ask about what decides nothing and only the report shows."""
        return self.security.curves or self.audit.stopping == "full"

    def gate(self, full_id: str) -> Gate | None:
        """The gate that applies to an id: its own, else the general one without bracket, else that of every audit."""
        gates = ALWAYS_GATED | self.own_gates
        return gates.get(full_id) or gates.get(base_id(full_id))

    def waiver(self, full_id: str) -> Waiver | None:
        """What the policy says in favour of a gate that does not hold, whether still valid or not."""
        return next((waiver for waiver in self.waivers if waiver.id == full_id), None)

    def acceptance(self, full_id: str) -> Accepted | None:
        """Who answers for it if a finding without a gate is an alarm."""
        return next((accepted for accepted in self.accepted if accepted.id == full_id), None)

    def reference(self, declared: Probe) -> Gate | None:
        """What a finding without a gate is held against: the loosest gate on another bracket, else its alarm level."""
        family = [gate for name, gate in self.own_gates.items() if base_id(name) == declared.id]
        if family:
            loosest = min if family[0].min is not None else max
            return loosest(family, key=lambda gate: gate.bound)
        if declared.alarm is None:
            return None
        level = declared.alarm.value
        return Gate(min=level) if declared.better == "higher" else Gate(max=level)

    def for_gates_only(self) -> Policy:
        """The same policy, leaving out what no gate asks for."""
        return self.model_copy(update={"audit": self.audit.model_copy(update={"gated_only": True})})

    def within(self, budget: str) -> Policy:
        """The same policy with the budget of the command line.

        Raises
        ------
        AuditError
            If it is none.
        """
        try:
            Limit.parse(budget)
        except AuditError as error:
            raise AuditError(f"--audit-budget: {error}; it is '{printable(budget)}'.") from None
        return self.model_copy(update={"audit": self.audit.model_copy(update={"budget": budget})})

    def gates_base(self, gate_id: str) -> bool:
        """Whether the policy itself gates an id without bracket."""
        return gate_id in self.own_gates

    @property
    def own_gates(self) -> dict[str, Gate]:
        """The gates that the policy itself sets, by the ids that it has them under."""
        return {
            f"{group}.{name}": Gate(gate.min, gate.max, reason=gate.reason, owner=gate.owner)
            for group, gates in self.gates.items()
            for name, gate in gates.items()
        }

    def gated_ids(self, known: Mapping[str, Probe]) -> tuple[str, ...]:
        """Every full id that the policy gates, brackets filled in.

        These, and those that are always gated, are what an audit must produce to be complete.
        """
        full: dict[str, None] = {}
        for gate_id in self.own_gates:
            names = (gate_id,) if "[" in gate_id else known[gate_id].expand(self.brackets)
            full.update(dict.fromkeys(names))
        return tuple(full)

    def check_ids(self, known: Mapping[str, Probe]) -> None:
        """Refuse a gate on an id, bracket or direction that does not exist.

        Parameters
        ----------
        known : mapping of str to Probe
            All ids that this audit can measure, see :func:`audit.probes.catalogue.ids`.

        Raises
        ------
        AuditError
            Names the gate and the nearest valid id.
        """
        objective = self.compare.objective
        if base_id(objective) not in known:
            nearest = did_you_mean(base_id(objective), known)
            raise AuditError(f"{self.name}: [compare] objective '{printable(objective)}' is no id{nearest}")
        for gate_id, gate in self.own_gates.items():
            base, _, rest = gate_id.partition("[")
            shown = printable(gate_id)
            if base not in known:
                raise AuditError(f"{self.name}: unknown gate id '{shown}'{did_you_mean(base, known)}")
            probe = known[base]
            if probe.brackets == "metric" and not self.quality.metrics:
                raise AuditError(f"{self.name}: gate '{shown}', but [quality] metrics names no metric.")
            if rest and gate_id not in probe.expand(self.brackets):
                choices = ", ".join(probe.expand(self.brackets))
                raise AuditError(
                    f"{self.name}: gate '{shown}' has a bracket that does not exist; expected one of: {choices}."
                )
            if probe.better != "either" and (gate.min is not None) != (probe.better == "higher"):
                right = "min" if probe.better == "higher" else "max"
                raise AuditError(
                    f"{self.name}: gate '{shown}' has the wrong direction; {probe.title.lower()} is better "
                    f"when {probe.better}, so use {right}."
                )

            low, high = probe.range
            if low is not None and high is not None and not low <= gate.bound <= high:
                meant = f"; did you mean {gate.bound / 100:g}?" if low <= gate.bound / 100 <= high else "."
                raise AuditError(
                    f"{self.name}: gate '{shown}' is {gate.bound:g}, but {probe.title.lower()} lies "
                    f"between {low:g} and {high:g}{meant}"
                )
        self._check_waivers(known)
        self._check_accepted(known)

    def _check_waivers(self, known: Mapping[str, Probe]) -> None:
        """A waiver that waives nothing is a mistake: its author believes that something is waived."""
        for i, waiver in enumerate(self.waivers):
            where, base = f"{self.name}: waiver of '{printable(waiver.id)}'", base_id(waiver.id)
            if base not in known:
                raise AuditError(f"{where}: there is no such id{did_you_mean(base, known)}")
            if waiver.id not in (full := known[base].expand(self.brackets)):
                raise AuditError(f"{where}: it must name one finding; expected one of: {', '.join(full)}.")
            if self.gate(waiver.id) is None:
                raise AuditError(f"{where}: no gate is set for it, so there is nothing to waive; remove the waiver.")
            if any(other.id == waiver.id for other in self.waivers[:i]):
                raise AuditError(f"{where} stands there twice; keep one of them.")

    def _check_accepted(self, known: Mapping[str, Probe]) -> None:
        """Nor is one that accepts nothing anything else."""
        for i, accepted in enumerate(self.accepted):
            where, base = f"{self.name}: [[accepted]] '{printable(accepted.id)}'", base_id(accepted.id)
            if base not in known:
                raise AuditError(f"{where}: there is no such id{did_you_mean(base, known)}")
            if accepted.id not in (full := known[base].expand(self.brackets)):
                raise AuditError(f"{where}: it must name one finding; expected one of: {', '.join(full)}.")
            if self.gate(accepted.id) is not None:
                raise AuditError(f"{where}: a gate is set for it, so it is no alarm; waive the gate with [[waivers]].")
            if any(other.id == accepted.id for other in self.accepted[:i]):
                raise AuditError(f"{where} stands there twice; keep one of them.")

    def recorded(self) -> dict[str, Any]:
        """The policy as applied, defaults included, as plain JSON values; variables stay unexpanded."""
        return self.model_dump(mode="json", exclude_none=True)


def metric_name(source: str) -> str:
    """The name of an own metric: that of its file, or of its repository on the Hub."""
    return Path(source.partition("@")[0]).stem


def default_text() -> str:
    """The embedded policy, as the file that ``python -m audit init`` writes."""
    return files("audit.policy").joinpath("default.toml").read_text("utf-8")


def find(option: str | None, folder: Path) -> Policy:
    """The policy that applies: the given file, else ``audit.toml`` in the folder, else the embedded one."""
    if option is not None:
        return read(folder / Path(option).expanduser())
    local = folder / "audit.toml"
    return read(local) if local.exists() else embedded()


def read(path: Path) -> Policy:
    """Read a policy file.

    Raises
    ------
    AuditError
        If the file is missing, is not UTF-8 or TOML, or has an unknown key or a wrong value.
    """
    path = path.expanduser().absolute()  # a test may change the folder
    try:
        check_regular(path, str(path))
        if path.stat().st_size > _LARGEST:
            raise AuditError(f"{path}: larger than any policy is; give the policy's file, of a few kilobytes.")
        return _parsed(path.read_bytes(), path)
    except FileNotFoundError:
        raise AuditError(f"{path}: no such policy file; `python -m audit init` writes one to start from.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise AuditError(f"{path}: line {line} is not UTF-8; save the policy as a text file in UTF-8.") from None
    except OSError as error:
        raise AuditError(f"{path}: the policy cannot be read ({error.strerror}).") from None


def parse(text: str, origin: Path | None) -> Policy:
    """A policy from its text; ``origin`` names it in messages and anchors its relative paths."""
    return _parsed(text.encode(), origin)


def embedded() -> Policy:
    """The policy that comes with the package."""
    return parse(default_text(), None)


def _parsed(content: bytes, origin: Path | None) -> Policy:
    """A policy from the bytes of its file."""
    name, text = str(origin) if origin else "the embedded policy", content.decode("utf-8-sig")
    try:
        values = tomllib.loads(text)
        if key := mistakes.spoiled_path({section: values.get(section) for section in _WITH_PATHS}):
            raise AuditError(f"{name}: {mistakes.of_spoiled(key)}.")
        if key := mistakes.too_large(values):
            raise AuditError(f"{name}: key {printable(key)}: a whole number of more than 64 bits; give a smaller one.")
        policy = Policy.model_validate(values)
    except tomllib.TOMLDecodeError as error:
        raise AuditError(f"{name}: {mistakes.in_toml(text, error)}.") from None
    except ValidationError as error:
        raise AuditError(f"{name}: {_first_problem(error)}") from None
    except RecursionError:
        raise AuditError(
            f"{name}: lists or tables stand too deep in each other; no key needs more than three."
        ) from None
    except ValueError:  # Python reads no whole number of more than 4300 digits
        raise AuditError(f"{name}: a whole number of more than 64 bits stands in it; give a smaller one.") from None
    policy._origin, policy._sha256 = origin, hashlib.sha256(content).hexdigest()
    return policy


def _expand(value: str, base: Path, key: str) -> Path:
    for variable in re.findall(r"\$\{(\w+)\}", value):
        if variable not in os.environ:
            raise AuditError(
                f"{key} uses ${{{variable}}}, which is not set; set this environment variable to an absolute path."
            )
        value = value.replace(f"${{{variable}}}", os.environ[variable])
    path = (base / Path(value).expanduser()).absolute()
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass  # whoever reads it says so
    except OSError as error:  # a name too long, a circle of links, a folder that is closed
        reason = f"{printable(path)} cannot be reached ({error.strerror})"
        raise AuditError(f"{key}: {reason}; correct the path or the rights on it.") from None
    return path


def _first_problem(error: ValidationError) -> str:
    # An unknown key explains the missing one beside it, so it is named first.
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    problem = problems[0]
    where = [str(part) for part in problem["loc"]]
    key = _place(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key}{did_you_mean(where[-1], _fields(where[:-1]))}"
    if problem["type"] == "missing":
        return f"key {key} is missing and has no default."
    message = mistakes.expectation(problem["type"], problem.get("ctx", {}))
    if message.endswith(("?", ".")):
        return f"key {key}: {message}"
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):  # a section, which its keys explain
        return f"key {key}: {message}."
    return f"key {key}: {message}; it is {mistakes.given(problem['input'])}."


def _place(where: Sequence[str | int]) -> str:
    """A key and its section as the file has them; of several tables or values which one, counted from 1."""
    where = [part if isinstance(part, int) else printable(part, 60) or '""' for part in where]
    number = next((i for i, part in enumerate(where) if isinstance(part, int)), None)
    if number is None:
        parts = list(map(str, where))
        return f"[{'.'.join(parts[:-1])}] {parts[-1]}" if parts[1:] else f"'{parts[0]}'"
    several, inside = list(map(str, where[:number])), list(map(str, where[number + 1 :]))
    of = f"[[{'.'.join(several)}]]" if inside else _place(several)
    return ", ".join([f"{of} number {int(where[number]) + 1}", *inside])


def _fields(where: list[str]) -> Iterable[str]:
    section: object = Policy
    for part in where:
        if part == "finetune":
            section = Finetune
        elif part == "waivers":
            section = Waiver
        elif part == "accepted":
            section = Accepted
        elif part == "transfer":
            section = TransferPolicy
        elif part.isdigit():  # which of several tables
            continue
        elif isinstance(section, type) and issubclass(section, BaseModel) and part in section.model_fields:
            section = section.model_fields[part].annotation
        else:
            section = GateSettings
    return section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else ()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, else those that there are."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.55)
    if close:
        return f"; did you mean '{printable(close[0])}'?"
    more = f" and {len(known) - _LISTED:,} more" if len(known) > _LISTED else ""
    return f"; known are: {', '.join(printable(each, 60) for each in known[:_LISTED])}{more}." if known else "."
