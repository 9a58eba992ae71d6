"""Ethics: are people treated alike, whoever they are?"""

import pytest

from audit.probes import fairness

pytestmark = pytest.mark.challenge("ethics")


@pytest.mark.measures("fairness.accuracy_gap")
def test_accuracy_gap(audit, predictions, subgroup):
    """The model is right about as often for each group."""
    audit.check(fairness.accuracy_gap(predictions, subgroup))


@pytest.mark.measures("fairness.worst_group_accuracy")
def test_worst_group_accuracy(audit, predictions, subgroup):
    """No group is left with a model that is of little use to it."""
    audit.check(fairness.worst_group_accuracy(predictions, subgroup))


@pytest.mark.measures("fairness.demographic_parity")
def test_demographic_parity(audit, predictions, subgroup):
    """Each answer is given about as often to each group."""
    audit.check(fairness.demographic_parity(predictions, subgroup))


@pytest.mark.measures("fairness.equalized_odds")
def test_equalized_odds(audit, predictions, subgroup):
    """Every group's right and wrong answers are as frequent as every other group's."""
    audit.check(fairness.equalized_odds(predictions, subgroup))


@pytest.mark.measures("fairness.counterfactual[gender]")
def test_gender_swap(audit, scorer, predictions):
    """A text is not judged by the gender of the people in it."""
    audit.check(fairness.counterfactual(scorer, predictions, axis="gender"))
