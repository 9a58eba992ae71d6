"""A progress bar with time left: live on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PLAIN_EVERY_S = 15.0
LIVE_EVERY_S = 0.2


class Progress:
    """Makes bars that write through one function.

    Parameters
    ----------
    write : callable or None
        Takes the text to show; None keeps silent. The plugin gives one that gets past pytest's capture.
    live : bool
        Whether the line may be drawn over (a terminal), else lines are few and end in a newline.

    Attributes
    ----------
    whole : callable
        Says how far all the work has come of which a bar shows a piece; it stands behind the piece, if it is not empty.
    """

    def __init__(self, write: Callable[[str], None] | None = None, live: bool = False) -> None:
        self._write = write
        self._live = live
        self.whole: Callable[[], str] = str

    @contextmanager
    def bar(self, name: str, total: int, unit: str) -> Iterator[Bar]:
        """A bar that is shown while the block runs; a total of 0 is one that is not known."""
        bar = Bar(self._write or (lambda text: None), self._live, name, total, unit, self.whole)
        try:
            yield bar
        finally:
            bar.close()


class Bar:
    """One piece of long work."""

    def __init__(
        self, write: Callable[[str], None], live: bool, name: str, total: int, unit: str, whole: Callable[[], str] = str
    ) -> None:
        self._write, self._live, self._whole = write, live, whole
        self._name, self._total, self._unit = name, total, unit
        self._done = 0
        self._note = ""
        self._started = self._shown = time.monotonic()
        self._spoke = False

    def advance(self, steps: int, note: str = "") -> None:
        """Count steps as done; the note (the loss) stands behind them."""
        self._done += steps
        self._note = note or self._note
        now = time.monotonic()
        if now - self._shown >= (LIVE_EVERY_S if self._live else PLAIN_EVERY_S):
            self._shown = now
            self._show(self._line(now))

    def expect(self, total: int) -> None:
        """Correct how much there is to do, where that was not known when the work began."""
        self._total = total

    def say(self, text: str) -> None:
        """A milestone; shown where lines last, with the numbers."""
        if not self._live:
            self._shown = time.monotonic()
            self._show(f"{self._line(self._shown)}, {text}")
        else:
            self._note = text

    def close(self) -> None:
        """Leave a terminal's line as it was found; elsewhere say how long long work took."""
        if self._live:
            self._write("\r\033[K")
        elif self._spoke:
            self._show(f"{self._name}: {self._done:,} {self._unit} in {time.monotonic() - self._started:.0f} s")

    def _show(self, line: str) -> None:
        self._spoke = True
        self._write(f"\r\033[K{line}" if self._live else f"\n{line}")

    def _line(self, now: float) -> str:
        elapsed = max(now - self._started, 1e-9)
        rate = self._done / elapsed
        of = f"/{self._total:,}" if self._total else ""
        parts = [f"{self._name}: {self._done:,}{of} {self._unit}"]
        if rate:
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
        if rate and self._total:
            left = max(self._total - self._done, 0) / rate
            parts.append(f"{int(left // 60)}:{int(left % 60):02d} left")
        line = ", ".join([*parts, self._note] if self._note else parts)
        return f"{line}  ({whole})" if (whole := self._whole()) else line
