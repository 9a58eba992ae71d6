"""Transparency: is the model documented, and could somebody else make it and this audit again?"""

import pytest

from audit.probes.transparency import explanations, transparency

pytestmark = pytest.mark.challenge("transparency")


@pytest.mark.measures("transparency.provenance")
def test_provenance(audit, provenance):
    """The record holds everything that is needed to repeat the training and the audit."""
    audit.check(transparency.provenance(provenance))


@pytest.mark.measures("transparency.explanations")
def test_explanations(audit, scorer, predictions):
    """It can be told which words an answer rests on, and what is told stands up to a test."""
    audit.check(explanations.explanations(scorer, predictions))


@pytest.mark.measures("transparency.model_card")
def test_model_card(audit, model_card):
    """The model's card tells what those who use the model need to know."""
    audit.check(transparency.model_card(model_card))
