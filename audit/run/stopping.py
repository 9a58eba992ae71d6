"""When a probe that measures in looks has asked enough. It knows the policy, and no probe."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from audit import statistics
from audit.core.budget import BudgetEnded, affordable
from audit.core.looks import Looks
from audit.core.measurement import Result, Stop
from audit.core.numbers import POINTS, SHARE
from audit.core.probe import Probe
from audit.core.sentences import Sentence
from audit.core.verdict import settled
from audit.policy.policy import Policy

# Where an example costs more passes than this, half as much precision will do.
COSTLY = 20
# So many times the root of all examples are enough as a rule; half the precision takes a quarter of them.
USUAL = 7
_ENDED = Sentence("there are no more")
_UNREACHED = Sentence("the budget ended")
_LEANS = Sentence(
    "It was asked about more and more examples until enough was known, so the estimate leans a little away from the "
    "bound that settled it. The interval takes the looks into account and holds all the same."
)


@dataclass(frozen=True)
class Stopping:
    """Stops probes by one policy: the rule of :func:`audit.core.probe.stopped_by`.

    A probe with a gate stops when that is settled. One without stops when it is settled whether its figure is worrying,
    or when its interval reaches no further than the policy's precision to either side. Each stops when its examples
    end, or the audit's budget.

    Parameters
    ----------
    policy : Policy
    """

    policy: Policy

    def __call__(self, declaration: Probe, full_id: str, looks: Looks) -> Result:
        """Take examples until enough is known, and say what is.

        Parameters
        ----------
        declaration : Probe
        full_id : str
            With its bracket.
        looks : Looks

        Raises
        ------
        BudgetEnded
            If the audit's budget ended before the first look.
        """
        enough, precise = self._enough(declaration, full_id)
        look, result, is_full = next(looks), None, self.policy.audit.stopping == "full"
        total, paid = look.total, affordable(look.total)
        if paid < min(total, statistics.FEWEST_EXAMPLES):
            raise BudgetEnded
        planned = (paid,) if is_full and self.policy.audit.budget is None else statistics.planned_looks(paid)
        try:
            for size in planned:
                if size <= look.n:  # the probe took more than it was sent
                    continue
                before, look = look.n, looks.send(size - look.n)
                level = look.confidence
                if not is_full:
                    # The interval has the confidence of this look; what holds at whichever look one stops is that of
                    # all. Of what is paid for beforehand, the last look may spend all that is left of the error.
                    level = statistics.look_confidence(level, before, look.n, max(look.n, paid))
                result = replace(look.result(level), confidence=look.confidence)
                if not is_full and look.n < total and (reason := enough(result)):
                    looks.close()
                    caveats = result.caveats if reason == precise else [*result.caveats, _LEANS]
                    return replace(result, stopped=Stop(reason, look.n, total), caveats=caveats)
        except BudgetEnded:
            if result is None:
                raise
        assert result is not None
        if look.n < total:
            looks.close()
            return replace(result, stopped=Stop(_UNREACHED, look.n, total, unreached=True))
        return result if len(planned) == 1 else replace(result, stopped=Stop(_ENDED, look.n, total))

    def usual(self, declaration: Probe, total: int) -> int:
        """How many of so many examples are enough as a rule.

        Intervals narrow with the root of the examples, yet whoever has more of them wants to know more: over the demo's
        findings the number grows with the root of the total (``python -m benchmarks.speed.plans``).
        """
        if self.policy.audit.stopping == "full":
            return total
        enough = round(USUAL * math.sqrt(total) / (4 if declaration.passes > COSTLY else 1))
        return min(total, max(enough, statistics.planned_looks(total)[0]))

    def _enough(self, declaration: Probe, full_id: str) -> tuple[Callable[[Result], str], str]:
        """Why what is known is enough, empty where it is not; and what is said where it is known well enough."""
        precision = self.policy.audit.precision * (2 if declaration.passes > COSTLY else 1)
        precise = Sentence("it is known to within {precision:points}", precision=precision)
        gate = self.policy.gate(full_id)
        bound = self.policy.reference(declaration) if gate is None else gate
        told = Sentence("whether it is worrying is settled") if gate is None else Sentence("its gate is settled")
        is_share = declaration.unit in (SHARE, POINTS)

        def enough(result: Result) -> str:
            if bound is not None and settled(result, bound):
                return told
            return precise if gate is None and is_share and _half_width(result) <= precision else ""

        return enough, precise


def _half_width(result: Result) -> float:
    if result.low is None or result.high is None:
        return float("inf")
    return (result.high - result.low) / 2
