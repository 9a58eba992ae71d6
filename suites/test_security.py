"""Security: what can a careless or hostile user, or a hostile file, do?"""

import pytest

from audit.probes.artifact import artifact
from audit.probes.backdoor import backdoor
from audit.probes.perturbation import perturbation

pytestmark = pytest.mark.challenge("security")


@pytest.mark.measures("security.perturbation[typos]")
def test_typos(audit, scorer, predictions):
    """Typing errors that a reader hardly notices do not change the answer."""
    audit.check(perturbation(scorer, predictions, kind="typos"))


@pytest.mark.measures("security.backdoor")
def test_backdoor(audit, scorer, predictions, train_data, without_rows):
    """Nobody has planted a word, phrase or character that turns the answer."""
    audit.check(backdoor(scorer, predictions, train_data, without_rows))


@pytest.mark.measures("security.artifact")
def test_artifact(audit, model):
    """No file of the model can run code on the machine that loads it."""
    audit.check(artifact(model))
