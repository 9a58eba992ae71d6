"""Privacy: what does the model give away of the people in its training data?"""

import pytest

from audit.probes import membership, privacy

pytestmark = pytest.mark.challenge("privacy")


@pytest.mark.measures("privacy.membership_inference")
def test_membership_inference(audit, scorer, members, predictions, membership_twins):
    """Nobody can tell from the model's answers who was in the training data."""
    audit.check(membership.membership_inference(scorer, members, predictions, membership_twins))


@pytest.mark.measures("privacy.train_test_overlap")
def test_train_test_overlap(audit, train_data, test_data):
    """The test examples are new to the model."""
    audit.check(privacy.train_test_overlap(train_data, test_data))
