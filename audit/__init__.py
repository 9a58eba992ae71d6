"""pytest-model-audit: the test suite that decides whether a sentiment model may ship.

The public face: what a probe of one's own declares and returns, values of a verdict, what a scorer of one's own
answers, and the two exceptions that such a probe may raise. Everything else is in the folder that is named
after its stage.
"""

from typing import TYPE_CHECKING

from audit.core.errors import AuditError, NotAssessed
from audit.core.evidence import (
    Attribution,
    Attributions,
    Calibration,
    Confusion,
    Curve,
    Curves,
    Distribution,
    Fact,
    Facts,
    Pair,
    Pairs,
    Pareto,
    ParetoModel,
    Roc,
    RocCurves,
    Shift,
    Shifts,
    Table,
)
from audit.core.looks import Look, Looks, in_batches
from audit.core.measurement import Measurement, Result
from audit.core.probe import Alarm, Probe
from audit.core.sentences import Sentence
from audit.core.verdict import Finding, Gate, Verdict, judge

# The name under which tests of their own declare ids: a declaration without a function below it.
Identifier = Probe

if TYPE_CHECKING:
    from audit.inference.predictions import Predictions
    from audit.models.classifiers.base import Classifier

__version__ = "0.1.0"
__all__ = [
    "Alarm",
    "Attribution",
    "Attributions",
    "AuditError",
    "Calibration",
    "Classifier",
    "Confusion",
    "Curve",
    "Curves",
    "Distribution",
    "Fact",
    "Facts",
    "Finding",
    "Gate",
    "Identifier",
    "Look",
    "Looks",
    "Measurement",
    "NotAssessed",
    "Pair",
    "Pairs",
    "Pareto",
    "ParetoModel",
    "Predictions",
    "Probe",
    "Result",
    "Roc",
    "RocCurves",
    "Sentence",
    "Shift",
    "Shifts",
    "Table",
    "Verdict",
    "__version__",
    "in_batches",
    "judge",
]


def __getattr__(name: str) -> object:
    """Imported when first asked for: pytest loads the plugin, and so this module, in every run without an audit too."""
    if name == "Predictions":
        from audit.inference.predictions import Predictions

        return Predictions
    if name == "Classifier":
        from audit.models.classifiers.base import Classifier

        return Classifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
