"""What an audit works with: the device, the cache, the energy tracker, and the cluster where the work is spread."""

from __future__ import annotations

from functools import cached_property

from audit.cluster.cluster import Cluster
from audit.core.cache import Cache, Temporary
from audit.core.errors import AuditError
from audit.core.progress import Progress
from audit.energy.meter import Meter, Power
from audit.models import model
from audit.policy.policy import Policy
from audit.run.options import Options


class Resources:
    """Device, cache, energy tracker and cluster of one process, each opened when it is first needed.

    Parameters
    ----------
    options : Options
    policy : Policy
    progress : Progress
    """

    def __init__(self, options: Options, policy: Policy, progress: Progress) -> None:
        self.options = options
        self.policy = policy
        self.progress = progress
        self._temporary: Temporary | None = None

    @cached_property
    def cache(self) -> Cache:
        """Models, predictions and measurements of this and former audits."""
        return Cache(self.options.cache)

    @cached_property
    def run_cache(self) -> Cache:
        """The same of this run alone: for answers of which nobody can tell whether they would still be given."""
        self._temporary = Temporary()
        return Cache(self._temporary.folder)

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

    @property
    def has_meter(self) -> bool:
        """Whether the energy tracker was needed yet."""
        return "meter" in self.__dict__

    @cached_property
    def cluster(self) -> Cluster | None:
        """Where forward passes and the trainings of twins run; None: here."""
        settings = self.policy.audit
        if settings.engine == "local":
            return None
        if self.options.processes > 1:
            raise AuditError("[audit] engine = 'ray' spreads the work by itself; leave out -n.")
        return Cluster(settings, self.device, self.power)

    def close(self) -> None:
        """Stop the cluster and the energy tracker."""
        if (cluster := self.__dict__.get("cluster")) is not None:
            cluster.close()
        if self._temporary is not None:
            self._temporary.cleanup()
        if self.has_meter:
            self.meter.stop()
