"""Privacy: what does the model give away of the people in its training data?"""

import pytest

from audit.probes.privacy import attribute_inference, membership, privacy
from audit.probes.privacy.canary import canary_epsilon

pytestmark = pytest.mark.challenge("privacy")


@pytest.mark.measures("privacy.membership_inference")
def test_membership_inference(audit, scorer, members, predictions, membership_twins, held_out):
    """Nobody can tell from the model's answers who was in the training data."""
    audit.check(membership.membership_inference(scorer, members, predictions, membership_twins, held_out))


@pytest.mark.measures("privacy.membership_tpr")
def test_membership_tpr(audit, scorer, members, predictions, membership_twins, held_out):
    """Nor can somebody who hardly ever accuses wrongly recognise a few of them."""
    audit.check(membership.membership_tpr(scorer, members, predictions, membership_twins, held_out))


@pytest.mark.measures("privacy.canary_epsilon")
def test_canary_epsilon(audit, canary_twin, scorer, policy):
    """The recipe learns no single example by heart."""
    audit.check(canary_epsilon(canary_twin, scorer, delta=policy.privacy.delta))


@pytest.mark.measures("privacy.attribute_leakage")
def test_attribute_leakage(audit, scorer, predictions, subgroup):
    """What the model makes of a text says no more of its author than the words do."""
    audit.check(attribute_inference.attribute_leakage(scorer, predictions, subgroup, audit.cached))


@pytest.mark.measures("privacy.attribute_accuracy")
def test_attribute_accuracy(audit, scorer, predictions, subgroup):
    """How often an author's group is named from the embedding at all, whatever the words give away."""
    audit.check(attribute_inference.attribute_accuracy(scorer, predictions, subgroup, audit.cached))


@pytest.mark.measures("privacy.train_test_overlap")
def test_train_test_overlap(audit, train_data, test_data, predictions, policy):
    """The test examples are new to the model."""
    near = policy.privacy.near_duplicate
    audit.check(privacy.train_test_overlap(train_data, test_data, predictions, near_duplicate=near))


@pytest.mark.measures("privacy.pii_in_training_data")
def test_pii_in_training_data(audit, train_data, person_names):
    """The training data give away nobody's address, number or account."""
    audit.check(privacy.pii_in_training_data(train_data, person_names))
