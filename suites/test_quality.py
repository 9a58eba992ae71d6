"""Quality: is the model right often enough to be used at all?"""

import pytest

from audit.probes.quality import behaviour, drift, hygiene, labels, ordinal, quality
from audit.probes.quality.shortcut import shortcut
from audit.probes.quality.stability import KINDS, stability
from audit.probes.quality.weak_slice import weak_slice

pytestmark = pytest.mark.challenge("quality")


@pytest.mark.measures("quality.accuracy")
def test_accuracy(audit, predictions):
    """The model labels enough of the test examples as people did."""
    audit.check(quality.accuracy(predictions))


@pytest.mark.measures("quality.macro_f1")
def test_macro_f1(audit, predictions):
    """No class is sacrificed for the others."""
    audit.check(quality.macro_f1(predictions))


@pytest.mark.measures("quality.balanced_accuracy")
def test_balanced_accuracy(audit, predictions):
    """Each class is recognised, the rare ones too."""
    audit.check(quality.balanced_accuracy(predictions))


@pytest.mark.measures("quality.mcc")
def test_matthews_correlation(audit, predictions):
    """Answers and truth go together."""
    audit.check(quality.mcc(predictions))


@pytest.mark.measures("quality.mean_absolute_error")
def test_mean_absolute_error(audit, predictions):
    """Of ordered classes, such as stars, the answers are close to the truth."""
    audit.check(ordinal.mean_absolute_error(predictions))


@pytest.mark.measures("quality.off_by_more_than_one")
def test_off_by_more_than_one(audit, predictions):
    """Of ordered classes the answer is the right one or next to it."""
    audit.check(ordinal.off_by_more_than_one(predictions))


@pytest.mark.measures("quality.quadratic_kappa")
def test_quadratic_kappa(audit, predictions):
    """Of ordered classes the answers agree with people's labels beyond chance."""
    audit.check(ordinal.quadratic_kappa(predictions))


@pytest.mark.measures("quality.roc_auc")
def test_roc_auc(audit, predictions):
    """Examples of a class get higher scores for it than others do."""
    audit.check(quality.roc_auc(predictions))


@pytest.mark.measures("quality.calibration_error")
def test_calibration(audit, predictions):
    """The model is right as often as it says."""
    audit.check(quality.calibration_error(predictions))


@pytest.mark.measures("quality.baseline_gain")
def test_baseline_gain(audit, predictions, word_counts):
    """The model reads better than a list of words would."""
    audit.check(quality.baseline_gain(predictions, word_counts))


@pytest.mark.measures("quality.regression")
def test_regression(audit, predictions, former):
    """Nothing that the former release could do was lost."""
    audit.check(quality.regression(predictions, former))


@pytest.mark.measures("quality.flips")
def test_flips(audit, predictions, former):
    """Whoever relied on the former release gets nearly the same answers."""
    audit.check(quality.flips(predictions, former))


@pytest.mark.measures("quality.weak_slice")
def test_weak_slice(audit, predictions):
    """No kind of texts is read much worse than the others, named or not."""
    audit.check(weak_slice(predictions))


@pytest.mark.measures("quality.shortcut")
def test_shortcut(audit, scorer, predictions, train_data):
    """No answer hangs on a rating left in the text, a name, a mark, or the length."""
    audit.check(shortcut(scorer, predictions, train_data))


@pytest.mark.measures("quality.stability")
@pytest.mark.parametrize("kind", KINDS)
def test_stability(audit, scorer, predictions, other_precisions, retrained, kind):
    """The answer hangs on the text: not on the other texts beside it, the arithmetic, or the luck of the training."""
    audit.check(stability(scorer, predictions, kind, other_precisions, retrained))


@pytest.mark.measures("quality.behaviour")
@pytest.mark.parametrize("capability", behaviour.CAPABILITIES)
def test_behaviour(audit, scorer, test_data, capability):
    """The model can do what any reader can: negation, contrast, the opinion of others …"""
    audit.check(behaviour.behaviour(scorer, test_data.classes, capability, protocol=test_data.protocol))


@pytest.mark.measures("quality.label_noise")
def test_label_noise(audit, predictions, train_data, policy):
    """The labels that all figures are measured by are right."""
    audit.check(
        labels.label_noise(
            predictions,
            train_data,
            near_duplicate=policy.privacy.near_duplicate,
            relabel_texts=policy.report.relabel_texts,
        )
    )


@pytest.mark.measures("quality.data")
def test_data_hygiene(audit, test_data, train_data, predictions, scorer):
    """The texts are as they were written: no broken characters, no markup, no other language."""
    audit.check(hygiene.data(test_data, train_data, predictions, scorer))


@pytest.mark.measures("quality.drift")
@pytest.mark.parametrize("against", drift.AGAINST)
def test_drift(audit, predictions, scorer, train_data, former_predictions, production, against):
    """The test texts are like those that the model learnt from, was audited on, and is used on."""
    audit.check(drift.drift(predictions, against, scorer, train_data, former_predictions, production))


@pytest.mark.measures("quality.metric")
def test_own_metric(audit, predictions, own_metric):
    """The release owner's own measure is as it should be."""
    audit.check(quality.own_metric(predictions, *own_metric))
