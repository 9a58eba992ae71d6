"""Transparency: could somebody else make this model and this audit again?"""

import pytest

from audit.probes import transparency

pytestmark = pytest.mark.challenge("transparency")


@pytest.mark.measures("transparency.provenance")
def test_provenance(audit, provenance):
    """The record holds everything that is needed to repeat the training and the audit."""
    audit.check(transparency.provenance(provenance))
