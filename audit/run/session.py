"""One audit in one process: it holds options, inputs, resources, models and ledger, and starts and ends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cached_property

from audit.core.budget import Limit, spending
from audit.core.cache import timestamp
from audit.core.errors import AuditError
from audit.core.probe import Probe
from audit.core.progress import Progress
from audit.core.surroundings import ARITHMETIC, unset
from audit.data import labels
from audit.policy import policy as policies
from audit.policy.policy import Policy
from audit.probes.catalogue import ids
from audit.run.budget import Budget, budget_of
from audit.run.decisions import Decisions
from audit.run.inputs import Inputs
from audit.run.ledger import Ledger
from audit.run.models import Models
from audit.run.options import Options
from audit.run.output import Output
from audit.run.resources import Resources
from audit.run.stopping import Stopping
from audit.text.redaction import withholding
from audit.training import launched


class Session:
    """One audit in one process.

    Everything is made when it is first asked for, and once. :meth:`start` checks beforehand whatever can be
    checked without training or scoring, so that a mistake is reported before the long work begins.

    Parameters
    ----------
    options : Options
    declared : iterable of Probe
        What other packages declare.
    progress : Progress
    """

    def __init__(self, options: Options, declared: Iterable[Probe], progress: Progress) -> None:
        self.options = options
        self.declared = tuple(declared)
        self.progress = progress
        self.overridden: tuple[str, ...] = ()
        self._started = timestamp()
        self._surroundings = ExitStack()

    @cached_property
    def policy(self) -> Policy:
        """The policy that applies."""
        policy = policies.find(self.options.policy, self.options.folder)
        if self.options.budget is not None:
            policy = policy.within(self.options.budget)
        return policy.for_gates_only() if self.options.gated_only else policy

    @cached_property
    def output(self) -> Output:
        """The folder for the record and the report, as this audit's own while it runs."""
        return Output(self.options.folder / self.options.out, self.options.audit)

    @cached_property
    def resources(self) -> Resources:
        """Device, cache, energy tracker and cluster."""
        return Resources(self.options, self.policy, self.progress)

    @cached_property
    def inputs(self) -> Inputs:
        """Data, pairs, former audit, own metrics, and the folder of a model that is loaded as it is."""
        return Inputs(self.options, self.policy, self.overridden, self.output, self.resources)

    @cached_property
    def models(self) -> Models:
        """The audited model, and those beside it."""
        return Models(self.policy, self.inputs, self.resources)

    @cached_property
    def ledger(self) -> Ledger:
        """What the audit took, and the facts for its record."""
        return Ledger(self.policy, self.declared, self.inputs, self.models, self.resources, self._started)

    @cached_property
    def decisions(self) -> Decisions:
        """Decides on findings."""
        return Decisions(self.policy, ids(self.declared), self.inputs.baseline, self._started[:10])

    @cached_property
    def stopping(self) -> Stopping:
        """Says when a probe has asked enough."""
        return Stopping(self.policy)

    @cached_property
    def budget(self) -> Budget | None:
        """What it may spend; None: whatever it takes."""
        written = self.policy.audit.budget
        return None if written is None else budget_of(Limit.parse(written))

    def ready(self, fingerprint: str | None) -> None:
        """The model is at hand: its budget of time begins, and it is known which former audits were of the same.

        Parameters
        ----------
        fingerprint : str or None
            Of the model; None where it has none.

        Raises
        ------
        AuditError
            If the policy lets one look any number of times, and the test examples of a former audit are not all here.
        """
        if self.budget is not None:
            self.budget.start()
        if self.policy.audit.looks == "any":
            self.inputs.check_growth(fingerprint)

    def spending_for_all(self) -> AbstractContextManager[None]:
        """Within it, all that is left may be spent: for what no test needs alone, and so none must go without."""
        return nullcontext() if self.budget is None else spending(self.budget.shared)

    @property
    def texts(self) -> Iterator[str]:
        """Every text of the data that was read so far; also of an audit whose policy cannot be read."""
        if (inputs := self.__dict__.get("inputs")) is not None:
            yield from inputs.texts

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
        self.overridden = tuple(sorted(overridden))  # before the inputs are made, which depend on it
        self._surroundings.enter_context(unset(*ARITHMETIC))
        self.policy.check_ids(ids(self.declared))
        if launched.world() > 1:
            raise AuditError(
                f"pytest was started {launched.world()} times, by torchrun or accelerate launch; train with `torchrun "
                f"--nproc_per_node {launched.world()} -m audit train`, then run pytest once, which finds the model."
            )
        # Before anything slow or large: a run that is killed must not leave the former record with its PASS.
        self.output.claim()
        with withholding(self.policy.report.evidence == "none"):
            self._check_inputs()

    def _check_inputs(self) -> None:
        inputs, resources = self.inputs, self.resources
        _ = resources.device, resources.cache
        _ = inputs.baseline, inputs.former, inputs.own_metrics, inputs.person_names
        if resources.cluster is not None and self.policy.audit.address is not None:
            resources.cluster.connect()
        if not {"model", "scorer"} & set(self.overridden):
            self.models.locate()
        resources.meter.start("probes")
        splits = [split for split in (inputs.test_data, inputs.train_data, inputs.production) if split is not None]
        labels.check_agreement([split.label_reading for split in splits], self.policy.name)
        _ = inputs.pairs

    def close(self) -> None:
        """Stop the energy tracker and the cluster, and let the output folder and the surroundings go."""
        self._surroundings.close()
        if "output" in self.__dict__:
            self.output.close()
        if "resources" in self.__dict__:
            self.resources.close()
