"""The release owner's own metrics: modules in the form of the ``evaluate`` library, named in ``[quality] metrics``.

A path is the owner's own code, like a conftest.py. A module of the Hub is somebody else's: it runs only where the
policy allows it by name and pins it to a full commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from audit.core.errors import AuditError
from audit.policy.policy import Policy, metric_name
from audit.text.redaction import message

if TYPE_CHECKING:
    from evaluate import EvaluationModule

# Predicted and true class indices in, the metric's value out.
OwnMetric = Callable[[ArrayLike, ArrayLike], float]


def load(policy: Policy, source: str) -> OwnMetric:
    """The metric that a policy names.

    Parameters
    ----------
    source : str
        An entry of ``[quality] metrics``: a path, or ``owner/name@commit``.

    Raises
    ------
    AuditError
        If the file is missing or no metric, or a module of the Hub is neither allowed nor pinned.
    """
    origin = f"{policy.name}: [quality] metrics: '{source}'"
    if source.endswith(".py"):
        path, revision = policy.path(source, "[quality] metrics"), None
        if not path.is_file():
            raise AuditError(f"{origin}: no such file ({path}); expected a module of the evaluate library.")
        where = str(path.resolve())
    else:
        where, _, revision = source.partition("@")
        if where not in policy.quality.allow_remote_metrics:
            raise AuditError(
                f"{origin} is code from the Hub, which runs only where [quality] allow_remote_metrics names it; "
                f"or give the path of a .py file."
            )
        if not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise AuditError(f"{origin} is not pinned; write it as '{where}@' and the full commit.")
    return _callable(_load(where, revision, origin), metric_name(source), origin)


def _load(where: str, revision: str | None, origin: str) -> EvaluationModule:
    import evaluate

    try:
        return evaluate.load(where, revision=revision, keep_in_memory=True)
    except Exception as error:
        raise AuditError(f"{origin} cannot be loaded as a metric ({type(error).__name__}: {message(error)}).") from None


def _callable(module: EvaluationModule, name: str, origin: str) -> OwnMetric:
    def value(predictions: ArrayLike, references: ArrayLike) -> float:
        # Its public `compute` writes each call to an Arrow table first, twenty times the work of most metrics.
        results = module._compute(
            predictions=np.asarray(predictions).tolist(), references=np.asarray(references).tolist()
        )
        if name not in results and len(results) != 1:
            raise AuditError(
                f"{origin} gives {', '.join(map(str, results))}; expected one value, or one named '{name}'."
            )
        return float(results[name] if name in results else next(iter(results.values())))

    return value
