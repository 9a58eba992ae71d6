"""How far an audit has come by its plan, and how much longer it will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

# Before so many seconds of the plan are done, what they took says little of the rest.
_FEW_S = 5.0
# Of the plan's time; where the cache held all so far, it may not hold the rest.
_FASTEST = 0.05


class Course:
    """An audit on its way.

    Parameters
    ----------
    planned : mapping of str to float
        Seconds of each test, by its name.
    clock : callable
        Seconds.
    """

    def __init__(self, planned: Mapping[str, float], clock: Callable[[], float] = time.monotonic) -> None:
        self._waiting, self._clock = dict(planned), clock
        self._total = sum(planned.values())
        self._done = self._took = self._now_s = self._since = 0.0

    def begin(self, test: str) -> None:
        """A test begins."""
        self._now_s, self._since = self._waiting.pop(test, 0.0), self._clock()

    def end(self) -> None:
        """It has ended."""
        self._took += self._clock() - self._since
        self._done += self._now_s
        self._now_s = 0.0

    def __str__(self) -> str:
        """Such as ``audit 43 %, 5:10 left``; empty where nothing was planned.

        What the cache holds takes no time, and the machine may be faster or slower than when it was calibrated: so the
        time left is the plan's, in the proportion of what was done so far to its plan.
        """
        if not self._total:
            return ""
        pace = max(self._took / self._done, _FASTEST) if self._done > _FEW_S else 1.0
        running = self._clock() - self._since if self._now_s else 0.0
        # A test that takes longer than planned is at its end, as far as anybody knows.
        now = min(running / pace, self._now_s)
        left = pace * (self._total - self._done - now)
        return f"audit {100 * (self._done + now) / self._total:.0f} %, {int(left // 60)}:{int(left % 60):02d} left"
