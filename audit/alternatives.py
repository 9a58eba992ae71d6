"""Other models of the same task beside the audited one: how good each is, and what it takes. It knows no gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from audit.scorer import Predictions


@dataclass(frozen=True)
class Alternative:
    """A model of the same task, made of the same training data.

    Parameters
    ----------
    kind : str
        ``audited``, ``words``, ``recurrent``, ``head``, ``last:2`` or ``int8``.
    name : str
        In words.
    predictions : Predictions
        On the test data.
    training : mapping or None
        ``energy`` (the figures of a phase) and ``created``; None where nothing is trained, or where it is not known.
    inference : mapping
        As :func:`audit.energy.measure_inference` gives it.
    latency : mapping
        ``median_s``, ``p95_s`` and ``texts``: the time of single test texts, one after the other, and their number.
    size : int
        Bytes on disk of what has to be shipped.
    parameters : int
        How many numbers were learnt.
    """

    kind: str
    name: str
    predictions: Predictions
    training: Mapping[str, Any] | None
    inference: Mapping[str, Any]
    latency: Mapping[str, Any]
    size: int
    parameters: int


@dataclass(frozen=True)
class Alternatives:
    """The audited model and those beside it.

    Parameters
    ----------
    made : tuple of Alternative
        The audited model first.
    left_out : mapping
        From the kind of each that was not made to the reason, one sentence.
    """

    made: tuple[Alternative, ...]
    left_out: Mapping[str, str]
