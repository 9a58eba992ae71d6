"""Security: what can a careless or hostile user, or a hostile file, do?"""

import pytest

from audit.probes.artifact import artifact
from audit.probes.disturbances import KINDS
from audit.probes.perturbation import perturbation

pytestmark = pytest.mark.challenge("security")


@pytest.mark.measures("security.perturbation")
@pytest.mark.parametrize("kind", KINDS)
def test_perturbation(audit, scorer, predictions, policy, kind):
    """Slips and tricks that a person reads through do not change the answer."""
    audit.check(perturbation(scorer, predictions, kind, size=policy.security.perturbed))


@pytest.mark.measures("security.artifact")
def test_artifact(audit, model):
    """No file of the model can run code on the machine that loads it."""
    audit.check(artifact(model))
