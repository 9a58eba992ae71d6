"""Environment: what do training and using the model take in electricity?"""

import pytest

from audit.probes import environment

pytestmark = pytest.mark.challenge("environment")


@pytest.mark.measures("environment.training_energy")
def test_training_energy(audit, model):
    """Training the model took no more electricity than agreed."""
    audit.check(environment.training_energy(model.training))


@pytest.mark.measures("environment.inference_energy")
def test_inference_energy(audit, inference_blocks, test_data):
    """Using the model takes no more electricity than agreed."""
    audit.check(environment.inference_energy(inference_blocks, test_data.protocol.confidence))
