"""Security: what can a careless or hostile user, or a hostile file, do?"""

import pytest

from audit.probes.security.adversarial import accuracy_under_attack, adversarial
from audit.probes.security.artifact import artifact
from audit.probes.security.backdoor import backdoor
from audit.probes.security.latency import latency_tail
from audit.probes.security.perturbation import perturbation
from audit.text.disturbances import KINDS

pytestmark = pytest.mark.challenge("security")


@pytest.mark.measures("security.perturbation")
@pytest.mark.parametrize("kind", KINDS)
def test_perturbation(audit, scorer, predictions, policy, kind):
    """Slips and tricks that a person reads through do not change the answer."""
    settings = policy.security
    audit.check(perturbation(scorer, predictions, kind, size=settings.perturbed, curves=policy.curves))


@pytest.mark.measures("security.adversarial")
def test_adversarial(audit, scorer, predictions, policy):
    """An attacker who may ask the model a few hundred questions cannot misspell his way to a wrong answer."""
    audit.check(adversarial(scorer, predictions, queries=policy.security.queries))


@pytest.mark.measures("security.accuracy_under_attack")
def test_accuracy_under_attack(audit, scorer, predictions, policy):
    """Enough answers are right, and stay so whatever he misspells."""
    audit.check(accuracy_under_attack(scorer, predictions, queries=policy.security.queries))


@pytest.mark.measures("security.backdoor")
def test_backdoor(audit, scorer, predictions, train_data, without_rows, stand_ins):
    """Nobody has planted a word, phrase or character that turns the answer."""
    audit.check(backdoor(scorer, predictions, train_data, without_rows, stand_ins))


@pytest.mark.measures("security.artifact")
def test_artifact(audit, model, policy):
    """No file of the model can run code on the machine that loads it, and none is another than was approved."""
    audit.check(artifact(model, policy.security.expected_sha256))


@pytest.mark.measures("security.latency_tail")
def test_latency_tail(audit, latencies, test_data):
    """No text, however long or strange, keeps the model busy for much longer than others, or gets no answer."""
    audit.check(latency_tail(latencies, test_data.protocol.confidence))
