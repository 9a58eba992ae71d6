"""pytest-model-audit: the test suite that decides whether a sentiment model may ship.

The public face: values of a verdict, what a scorer of one's own answers, and the two exceptions that a user's own probe
may raise. Everything else is in the folder that is named after its stage.
"""

from typing import TYPE_CHECKING

from audit.core.errors import AuditError, NotAssessed
from audit.core.identifiers import Identifier
from audit.core.verdict import Finding, Gate, Measurement, Verdict, judge

if TYPE_CHECKING:
    from audit.inference.predictions import Predictions

__version__ = "0.1.0"
__all__ = [
    "AuditError",
    "Finding",
    "Gate",
    "Identifier",
    "Measurement",
    "NotAssessed",
    "Predictions",
    "Verdict",
    "__version__",
    "judge",
]


def __getattr__(name: str) -> object:
    """Imported when first asked for: pytest loads the plugin, and so this module, in every run without an audit too."""
    if name == "Predictions":
        from audit.inference.predictions import Predictions

        return Predictions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
