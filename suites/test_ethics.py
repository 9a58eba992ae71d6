"""Ethics: are people treated alike, whoever they are?"""

import pytest

from audit.probes.ethics import fairness
from audit.probes.ethics.counterfactual import counterfactual
from audit.probes.ethics.hidden_group import hidden_group
from audit.probes.ethics.regression import regression
from audit.probes.ethics.representation import representation
from audit.probes.ethics.varieties import language_variety

pytestmark = pytest.mark.challenge("ethics")


@pytest.mark.measures("fairness.representation")
def test_representation(audit, test_data, train_data, subgroup, policy):
    """Every group is about as frequent in the data as where the model will be used."""
    audit.check(representation(test_data, subgroup, train_data, policy.representation.get(subgroup)))


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


@pytest.mark.measures("fairness.regression")
def test_regression(audit, predictions, subgroup, former):
    """No group of people pays for what the new release saves."""
    audit.check(regression(predictions, subgroup, former))


@pytest.mark.measures("fairness.hidden_group")
def test_hidden_group(audit, predictions):
    """No group of people is read much worse than the others, named or not."""
    audit.check(hidden_group(predictions))


@pytest.mark.measures("fairness.counterfactual")
@pytest.mark.parametrize("axis", ["gender", "ethnicity", "religion", "nationality", "age", "disability", "orientation"])
def test_same_text_another_person(audit, scorer, predictions, counterfactual_pairs, policy, axis):
    """A text is not judged by who the people in it are."""
    audit.check(counterfactual(scorer, predictions, axis, counterfactual_pairs, whole=policy.curves))


@pytest.mark.measures("fairness.language_variety")
@pytest.mark.parametrize("kind", ["informal", "non_native"])
def test_language_variety(audit, scorer, predictions, kind):
    """People who write informally, or whose first language is not English, are understood as well."""
    audit.check(language_variety(scorer, predictions, kind))
