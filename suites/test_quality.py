"""Quality: is the model right often enough to be used at all?"""

import pytest

from audit.probes import quality

pytestmark = pytest.mark.challenge("quality")


@pytest.mark.measures("quality.accuracy")
def test_accuracy(audit, predictions):
    """The model labels enough of the test examples as people did."""
    audit.check(quality.accuracy(predictions))


@pytest.mark.measures("quality.macro_f1")
def test_macro_f1(audit, predictions):
    """No class is sacrificed for the others."""
    audit.check(quality.macro_f1(predictions))
