"""What the scorer knows of a model, whatever it is that answers."""

from __future__ import annotations

from typing import Protocol


class Answering(Protocol):
    """A model that texts can be put to."""

    @property
    def source(self) -> str:
        """As the policy or the option names it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names in the order of its answers."""

    @property
    def fingerprint(self) -> str | None:
        """Tells it from any model that answers otherwise; None where nothing does."""

    @property
    def key(self) -> str:
        """By which its answers are kept: its fingerprint, or a text of this run's own."""

    @property
    def max_length(self) -> int:
        """Tokens after which it cuts a text; 0: not known."""

    @property
    def dtype(self) -> str:
        """Of what it computes."""

    @property
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda:0``, ``mps``; ``own`` where only its own code knows."""
