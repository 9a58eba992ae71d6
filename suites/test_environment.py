"""Environment: what do training the model, using it and auditing it take in electricity?"""

import pytest

from audit.probes.environment import environment, footprint, smaller

pytestmark = pytest.mark.challenge("environment")


@pytest.mark.measures("environment.training_energy")
def test_training_energy(audit, model_training, policy):
    """Training the model took no more electricity than agreed."""
    audit.check(environment.training_energy(model_training, policy.recorded()["environment"]))


@pytest.mark.measures("environment.inference_energy")
def test_inference_energy(audit, inference_blocks, test_data, model_training, grids, policy):
    """Using the model takes no more electricity than agreed."""
    use = policy.environment
    audit.check(
        environment.inference_energy(
            inference_blocks,
            test_data.protocol.confidence,
            training=model_training,
            grids=grids,
            predictions_per_day=use.predictions_per_day,
            embodied_g_per_hour=use.embodied_g_per_hour,
        )
    )


@pytest.mark.measures("environment.latency")
def test_latency(audit, single_times, test_data):
    """Nobody waits longer for an answer than agreed."""
    audit.check(footprint.latency(single_times, test_data.protocol.confidence))


@pytest.mark.measures("environment.size")
def test_size(audit, model_paths):
    """The model takes no more room than the devices that it is for have."""
    audit.check(footprint.size(model_paths))


@pytest.mark.measures("environment.energy_per_gain")
def test_energy_per_gain(audit, alternatives, policy):
    """What the model gets right beyond a simple one is worth its electricity."""
    audit.check(
        smaller.energy_per_gain(
            alternatives.made, alternatives.left_out, predictions_per_day=policy.environment.predictions_per_day
        )
    )


@pytest.mark.measures("environment.audit_energy")
def test_audit_energy(audit, spent):
    """The audit itself, which runs this test last, takes no more electricity than agreed."""
    audit.check(environment.audit_energy(spent()))
