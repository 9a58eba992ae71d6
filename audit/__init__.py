"""pytest-model-audit: the test suite that decides whether a sentiment model may ship.

The public face: values of a verdict, and the two exceptions that a user's own probe may raise. Everything else is in
the module that is named after it.
"""

from audit.catalogue import Identifier
from audit.errors import AuditError, NotAssessed
from audit.verdict import Finding, Gate, Measurement, Verdict, judge

__version__ = "0.1.0"
__all__ = [
    "AuditError",
    "Finding",
    "Gate",
    "Identifier",
    "Measurement",
    "NotAssessed",
    "Verdict",
    "__version__",
    "judge",
]
