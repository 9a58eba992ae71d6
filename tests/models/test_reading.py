"""Outputs read as the classes of an audit: held against the arithmetic by hand, on networks and on classifiers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, softmax

from audit import AuditError, testing
from audit.core.progress import Progress
from audit.inference.predictions import Predictions
from audit.models.reading import Reading, stated
from audit.run.options import Options
from audit.run.session import Session
from tests.helpers import TWO, is_one_sentence, save_tiny

TEXTS = ["good film", "the bad film", "a", ""]
STARS = tuple(f"{n} stars" for n in range(1, 6))
AS_THREE = {STARS[0]: "negative", STARS[1]: "negative", STARS[2]: "neutral", STARS[3]: "positive", STARS[4]: "positive"}


def session(folder: Path, tmp_path: Path, model: str) -> Session:
    """An audit of a model; its test data have rows of positive and negative."""
    (tmp_path / "test.csv").write_text("text,label\n" + "good film,positive\nbad film,negative\n" * 3)
    policy = tmp_path / "audit.toml"
    policy.write_text(f'[model]\nsource = "{folder}"\nmax_length = 16\n{model}\n[data]\ntest = "test.csv"\n')
    return Session(Options(tmp_path, policy=str(policy), cache=tmp_path / "cache"), (), Progress())


def raw(folder: Path) -> Any:
    """What the network itself gives for each text, by plain Transformers; shape (texts, outputs)."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network, tokenizer = (each.from_pretrained(folder) for each in (AutoModelForSequenceClassification, AutoTokenizer))
    with torch.no_grad():
        return np.concatenate([network.eval()(**tokenizer(text, return_tensors="pt")).logits.numpy() for text in TEXTS])


def named(*names: str) -> dict[str, Any]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    save_tiny(tmp_path / "stars", **named(*STARS))
    return tmp_path / "stars"


def test_shares_by_hand() -> None:
    rows = np.array([[0.1, 0.2, 0.3, 0.25, 0.15]], dtype=np.float32)
    three = Reading.of(STARS, "m", AS_THREE)
    assert three.classes == ("negative", "neutral", "positive")
    np.testing.assert_allclose(three.probabilities(rows), [[0.3, 0.3, 0.4]], rtol=1e-6)
    shared = Reading.of(STARS, "m", {**AS_THREE, STARS[2]: TWO})
    np.testing.assert_allclose(shared.probabilities(rows), [[0.45, 0.55]], rtol=1e-6)
    for nothing in ("", ()):
        dropped = Reading.of(STARS, "m", {**AS_THREE, STARS[2]: nothing})
        np.testing.assert_allclose(dropped.probabilities(rows), [[0.3 / 0.7, 0.4 / 0.7]], rtol=1e-6)
    assert np.isnan(dropped.probabilities(np.array([[0, 0, 1, 0, 0]], dtype=np.float32))).all()
    assert Reading.of(TWO, "m").is_plain


@pytest.mark.parametrize("threshold", [0.2, 0.9])
@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_a_threshold_decides_the_answer_and_the_models_probabilities_come_back(threshold: float, head: Any) -> None:
    import torch

    outputs = np.random.default_rng(1).normal(size=(400, 2 if head == "softmax" else 1)).astype(np.float32) * 3
    own = softmax(outputs, axis=1) if head == "softmax" else np.hstack([expit(-outputs), expit(outputs)])
    reading = Reading.of(TWO, "m", head=head, threshold=threshold)
    rows = reading.probabilities(own)
    np.testing.assert_array_equal(rows.argmax(axis=1) == 1, own[:, 1] > threshold)
    assert 0.05 < (rows.argmax(axis=1) == 1).mean() < 0.95
    np.testing.assert_allclose(softmax(reading.logits(torch.tensor(outputs)).numpy(), axis=1), rows, atol=1e-5)
    np.testing.assert_allclose(stated(rows, threshold), own, atol=1e-5)
    assert (np.argsort(rows[:, 1]) == np.argsort(own[:, 1])).mean() > 0.99
    examples = testing.examples(np.arange(400) % 2, threshold=threshold)
    sure = Predictions(rows, TWO, examples).sureness
    np.testing.assert_allclose(sure, np.where(own[:, 1] > threshold, own[:, 1], own[:, 0]), atol=1e-5)


def test_a_threshold_is_of_two_classes_of_a_loaded_model(stars: Path, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="threshold is of two classes, and there are 5"):
        Reading.of(STARS, "m", threshold=0.7)
    assert Reading.of(STARS, "m", {**AS_THREE, STARS[2]: ""}, threshold=0.7).record()["threshold"] == 0.7
    with pytest.raises(AuditError, match="merge, head and threshold are of a model that is loaded"):
        session(stars, tmp_path, "threshold = 0.7\n[model.finetune]").inputs.loaded  # noqa: B018


@pytest.mark.parametrize("middle", ["neutral", TWO, ""])
@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_logits_have_the_softmax_that_the_shares_give(middle: Any, head: Any) -> None:
    import torch

    outputs = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32) * 20
    reading = Reading.of(STARS, "m", {**AS_THREE, STARS[2]: middle}, head)
    own = softmax(outputs, axis=1) if head == "softmax" else expit(outputs.astype(float))
    wanted = reading.probabilities(own.astype(np.float64))
    given = torch.tensor(outputs, requires_grad=True)
    logits = reading.logits(given)
    np.testing.assert_allclose(softmax(logits.detach().numpy(), axis=1), wanted, atol=1e-5)
    logits.sum().backward()
    assert given.grad is not None
    assert bool(torch.isfinite(given.grad).all())


@pytest.mark.parametrize(
    ("merge", "says"),
    [
        ({"6 stars": "positive"}, "'6 stars', which is none of its classes"),
        (dict.fromkeys(STARS, "any"), "leaves 1 of its classes"),
        (dict.fromkeys(STARS, ""), "leaves 0 of its classes"),
        ({STARS[0]: ("good", "bad")}, "'good', which no class counts as"),
    ],
)
def test_a_merge_that_makes_no_classes_is_refused(merge: Any, says: str) -> None:
    with pytest.raises(AuditError) as refused:
        Reading.of(STARS, "mine", merge)
    assert says in str(refused.value)
    assert is_one_sentence(str(refused.value))


def toml(merge: dict[str, Any]) -> str:
    pairs = (f'"{name}" = {[*to] if to == TWO else repr(to)}' for name, to in merge.items())
    return f"merge = {{ {', '.join(pairs)} }}"


@pytest.mark.parametrize("middle", [TWO, ""])
def test_five_stars_are_answered_as_two_classes_and_explained_as_these(
    stars: Path, tmp_path: Path, middle: Any
) -> None:
    audit = session(stars, tmp_path, toml({**AS_THREE, STARS[2]: middle}))
    assert audit.inputs.classes == TWO
    scorer = audit.models.scorer(audit.models.transformer)
    own = softmax(raw(stars), axis=1)
    low, high, left = own[:, :2].sum(axis=1), own[:, 3:].sum(axis=1), own[:, 2]
    wanted = high / (low + high) if middle == "" else high + left / 2
    np.testing.assert_allclose(scorer.predict(TEXTS).probabilities, np.stack([1 - wanted, wanted], 1), atol=1e-5)
    said = scorer.attributions(TEXTS[:1], np.array([1]))[0]
    odds = np.log(wanted[0] / (1 - wanted[0]))
    assert np.isfinite(said.scores).all()
    assert scorer.trigger_scores(TEXTS[:2], np.array([0, 1])).scores.shape[:2] == (2, 2)
    assert np.isfinite(odds)
    eight = next(make for name, make in audit.models.other_precisions(scorer).items() if name == "int8")()
    np.testing.assert_allclose(eight.predict(TEXTS).probabilities[:, 1], wanted, atol=0.02)
    assert audit.models.transformer.describe()["read"]["classes"][STARS[2]] == ([*middle] if middle else [])
    audit.close()


def test_what_is_merged_otherwise_has_answers_of_its_own(stars: Path, tmp_path: Path) -> None:
    audit = session(stars, tmp_path, toml({**AS_THREE, STARS[2]: TWO}))
    model = audit.models.transformer
    plain = replace(model, reading=None)
    other = replace(model, reading=Reading.of(STARS, "m", {**AS_THREE, STARS[2]: ""}))
    assert len({each.key for each in (model, plain, other)}) == 3
    assert len({each.fingerprint for each in (model, plain, other)}) == 1  # the same files
    audit.close()


def test_one_output_is_the_log_odds_of_the_second_class(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    save_tiny(folder, num_labels=1)
    audit = session(folder, tmp_path, 'head = "sigmoid"\nlabels = ["negative", "positive"]')
    scorer = audit.models.scorer(audit.models.transformer)
    wanted = expit(raw(folder)[:, 0])
    np.testing.assert_allclose(scorer.predict(TEXTS).probabilities, np.stack([1 - wanted, wanted], 1), atol=1e-5)
    audit.models.locate()
    audit.close()
    with pytest.raises(AuditError, match=r"name the other and this one, in this order, with \[model\] labels"):
        _ = session(folder, tmp_path, 'head = "sigmoid"').inputs.classes
    with pytest.raises(AuditError, match=r'\[model\] head = "sigmoid"'):
        _ = session(folder, tmp_path, "").inputs.loaded


def test_sigmoid_outputs_are_shared_out(tmp_path: Path) -> None:
    folder = tmp_path / "several"
    save_tiny(folder, problem_type="multi_label_classification", **named(*TWO))
    audit = session(folder, tmp_path, 'head = "sigmoid"')
    chances = expit(raw(folder))
    found = audit.models.scorer(audit.models.transformer).predict(TEXTS).probabilities
    np.testing.assert_allclose(found, chances / chances.sum(axis=1, keepdims=True), atol=1e-5)
    audit.close()
    with pytest.raises(AuditError, match=r'\[model\] head = "sigmoid" reads it'):
        _ = session(folder, tmp_path, "").inputs.loaded


def test_a_recipe_makes_a_model_of_the_datas_own_classes(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="merge, head and threshold are of a model that is loaded as it is"):
        _ = session(tmp_path, tmp_path, 'head = "sigmoid"\n[model.finetune]\nepochs = 1').policy


def test_a_score_is_cut_into_classes(tmp_path: Path) -> None:
    """As `numpy.digitize` does, each text read alone; of a score there are no probabilities."""
    folder = tmp_path / "score"
    save_tiny(folder, num_labels=1, problem_type="regression")
    scores = raw(folder)[:, 0]
    lower, upper = np.quantile(scores, [0.3, 0.7])
    three = ("negative", "mixed", "positive")
    cut = f'head = "regression"\nlabels = {list(three)}\ncutpoints = [{lower}, {upper}]'
    audit = session(folder, tmp_path, cut)
    classifier = audit.inputs.classifier
    assert classifier is not None
    scorer = audit.models.asked(classifier)
    found = scorer.predict(TEXTS)
    assert found.labels.tolist() == np.digitize(scores, [lower, upper]).tolist()
    assert len(set(found.labels.tolist())) == 3
    assert not scorer.graded
    assert classifier.describe()["read"]["cutpoints"] == pytest.approx([lower, upper])
    assert "model.safetensors" in classifier.paths
    other = session(folder, tmp_path, cut.replace(f"{lower}", f"{lower - 9}")).inputs.classifier
    assert other is not None
    assert other.key != classifier.key
    audit.close()


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ('head = "regression"', "needs two labels or more, .* one cutpoint fewer, ascending; given are 0 labels and 0"),
        ('head = "regression"\nlabels = ["a", "b"]\ncutpoints = [1, 2]', "given are 2 labels and 2 cutpoints"),
        ('head = "regression"\nlabels = ["a", "b", "c"]\ncutpoints = [2, 1]', "ascending"),
        ('head = "regression"\nlabels = ["a", "b"]\ncutpoints = [1]\nthreshold = 0.7', "a regression has none"),
        ("cutpoints = [1]", 'cutpoints are of a score; leave them out, or say head = "regression"'),
        ('head = "regression"\nlabels = ["a", "b"]\ncutpoints = [1]', "its head has 2; leave head and cutpoints out"),
    ],
)
def test_cutpoints_that_cut_nothing_are_refused(tmp_path: Path, model: str, sentence: str) -> None:
    save_tiny(tmp_path / "two")
    with pytest.raises(AuditError, match=sentence) as refused:
        _ = session(tmp_path / "two", tmp_path, model).inputs.classes
    assert is_one_sentence(str(refused.value))


def test_a_score_of_something_else_than_a_network_is_refused(tmp_path: Path) -> None:
    cut = 'head = "regression"\nlabels = ["a", "b"]\ncutpoints = [1]'
    with pytest.raises(AuditError, match="is of a folder that Transformers loads"):
        _ = session(Path("own:Model"), tmp_path, cut).inputs.classifier
