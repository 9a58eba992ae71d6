"""Claims: does what the document asserts of large models hold for these models, these texts and this machine?"""

import pytest

from audit.probes.claims import claims

pytestmark = pytest.mark.challenge("claims")


@pytest.mark.measures("claims.transfer_learning")
def test_transfer_learning(audit, experiments):
    """Section 2.1: starting from a pretrained model saves time, energy and data."""
    audit.check(claims.transfer_learning(*experiments.learning_curves()))


@pytest.mark.measures("claims.recurrent")
def test_recurrent(audit, experiments):
    """Section 2.2: Transformers are better than recurrent networks, above all on long texts."""
    audit.check(claims.recurrent(*experiments.recurrent()))


@pytest.mark.measures("claims.linear")
def test_linear(audit, experiments):
    """Sections 2.2 and 8: deep models are better than traditional machine learning."""
    audit.check(claims.linear(*experiments.deep_and_linear()))


@pytest.mark.measures("claims.generalisation")
def test_generalisation(audit, experiments):
    """Sections 1.1 and 8: deep models generalise better than traditional machine learning."""
    audit.check(claims.generalisation(*experiments.generalisation()))


@pytest.mark.measures("claims.frozen_layers")
def test_frozen_layers(audit, experiments):
    """Sections 2.1 and 3.2: most layers can be frozen, which saves most of the cost."""
    audit.check(claims.frozen_layers(experiments.frozen_layers()))


@pytest.mark.measures("claims.learning_rate")
def test_learning_rate(audit, experiments):
    """Sections 3.2 and 8: fine-tuning takes a lower learning rate than pretraining."""
    audit.check(claims.learning_rate(*experiments.learning_rates()))


@pytest.mark.measures("claims.parallel_training")
def test_parallel_training(audit, experiments, test_data):
    """Section 2.2: Transformers train on all positions of a text at once, recurrent networks do not."""
    audit.check(claims.parallel_training(experiments.steps(), test_data.protocol.confidence))


@pytest.mark.measures("claims.attention_formula")
def test_attention_formula(audit, experiments):
    """Section 3.1: the attention that one word pays to another is the softmax of their products."""
    audit.check(claims.attention_formula(experiments.attention()))
