"""Audits of a user's own classifier: a pipeline of scikit-learn, a BERT behind a function, one that only decides."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.cli import main
from audit.models.classifiers import onnx_files
from audit.record import record
from tests.helpers import ROOT, Runner, WritePolicy, is_one_sentence
from tools.served import served

MODEL = """
    import csv
    from pathlib import Path

    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = list(csv.DictReader(open("{train}")))
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    pipeline.fit([row["text"] for row in rows], [row["label"] for row in rows])
"""
# Of the suites as they ship, those that ask most differently.
CHOSEN = (
    "(test_quality and test_accuracy) or roc_auc or calibration or contrast or numbers or added_positive"
    " or label_noise or worst_group or stability or (drift and train) or (same_text and gender)"
    " or (perturbation and typos) or adversarial or artifact or membership_inference or canary or attribute_leakage"
    " or energy_per_gain or explanations or model_card or provenance"
)
FEW = "queries = 20\nperturbed = 100"
ACCURACY = "test_quality and test_accuracy"
# What nothing but a network of Transformers, a recipe or a folder can answer.
NETWORKS_ONLY = {
    "quality.stability[precision]",
    "environment.energy_per_gain",
    "transparency.explanations",
    "transparency.model_card",
    "privacy.attribute_leakage[gender]",
    "privacy.canary_epsilon",
    "quality.stability[seed]",
}
PROBABILITIES_ONLY = {
    "quality.roc_auc",
    "quality.calibration_error",
    "quality.label_noise",
    "quality.behaviour[added_positive_phrase]",
    "privacy.membership_inference",
}


def findings(value: Any) -> dict[str, Any]:
    return {finding["id"]: finding for finding in value["findings"]}


def not_assessed(value: Any) -> set[str]:
    return {name for name, finding in findings(value).items() if finding["verdict"] == "not_assessed"}


@pytest.fixture
def pipeline(suites: Runner, write_policy: WritePolicy, reviews: Path) -> Runner:
    """Beside these a pipeline in shop.py, fitted on the demo's reviews, and a policy that names it."""
    write_policy(model='source = "shop:pipeline"', security=FEW)
    suites.pytester.makepyfile(shop=MODEL.format(train=reviews / "train.csv"))
    return suites


def append(run: Runner, code: str) -> None:
    """Add this to shop.py."""
    with (run.pytester.path / "shop.py").open("a") as file:
        file.write(f"\n{code}\n")


@pytest.mark.slow("an audit with an attack", seconds=12)
def test_every_probe_of_a_pipeline_measures_or_says_why_not(pipeline: Runner, reviews: Path) -> None:
    import pandas as pd
    from sklearn import metrics

    result = pipeline("--audit-cache=none", "-k", CHOSEN)
    assert result.ret == 0, result.outlines
    value, found = pipeline.record, findings(pipeline.record)
    assert {finding["verdict"] for finding in found.values()} == {"reported", "not_assessed"}
    assert not_assessed(value) == {*NETWORKS_ONLY, "security.artifact"}
    namespace: dict[str, Any] = {}
    exec((pipeline.pytester.path / "shop.py").read_text(), namespace)  # noqa: S102
    test = pd.read_csv(reviews / "test.csv")
    chances = namespace["pipeline"].predict_proba(test["text"])
    said = namespace["pipeline"].classes_[chances.argmax(axis=1)]
    assert found["quality.accuracy"]["estimate"] == pytest.approx((said == test["label"]).mean())
    auc = metrics.roc_auc_score(test["label"], chances, multi_class="ovr")
    assert found["quality.roc_auc"]["estimate"] == pytest.approx(auc, abs=1e-6)
    for name in ("privacy.canary_epsilon", "quality.stability[seed]"):  # no advice that the next audit would refuse
        assert "of networks of Transformers only" in pipeline.finding(name)["reason"], name
    assert value["model"]["runs_code"] is True
    assert value["model"]["fingerprint"] is None
    assert "shop.py" in value["model"]["files"]
    report = (pipeline.pytester.path / "reports" / "report.html").read_text("utf-8")
    for text in (*result.outlines, report):
        if "shop:pipeline" in text and "code of the repository" in text:
            break
    else:
        pytest.fail("nothing says that code of the repository's own answered")
    assert "code of the repository’s own" in report
    assert "kept for this audit only" in report


def test_the_example_for_a_pipeline_runs(suites: Runner, reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = suites.pytester.path
    for split in ("train", "test"):
        (folder / f"sst2_{split}.csv").write_bytes((reviews / f"{split}.csv").read_bytes())
    monkeypatch.setenv("AUDIT_TEST_DATA", str(folder))
    policy = ROOT / "examples" / "scikit-learn.toml"
    suites(f"--audit-policy={policy}", "--audit-cache=none", "-k", f"{ACCURACY} or artifact")
    assert suites.finding("quality.accuracy")["n"] == 400
    assert suites.finding("security.artifact")["verdict"] == "pass"
    assert suites.record["model"]["files"].keys() >= {"scikit_learn.py", "sst2_train.csv"}


@pytest.mark.slow("two audits and a plan", seconds=6)
def test_what_has_a_fingerprint_is_asked_once_and_what_has_none_in_each_audit(pipeline: Runner) -> None:
    folder = pipeline.pytester.path
    (folder / "weights.bin").write_bytes(b"1")
    for more, asked_again in (("", True), ("pipeline.files = ['weights.bin']", False)):
        append(pipeline, more)
        pipeline(f"--audit-cache={folder / 'cache'}", "-k", ACCURACY)
        first = pipeline.record
        pipeline(f"--audit-cache={folder / 'cache'}", "-k", ACCURACY)
        second = pipeline.record
        assert first["scoring"]["forward_passes"] > 0
        assert (second["scoring"]["forward_passes"] > 0) == asked_again
        assert (second["model"]["fingerprint"] is None) == asked_again
        assert findings(first)["quality.accuracy"]["estimate"] == findings(second)["quality.accuracy"]["estimate"]
    assert second["model"]["files"]["weights.bin"] == first["model"]["files"]["weights.bin"]
    (folder / "weights.bin").write_bytes(b"2")  # another model, of which nothing is known
    pipeline(f"--audit-cache={folder / 'cache'}", "-k", ACCURACY)
    assert pipeline.record["scoring"]["forward_passes"] > 0
    assert pipeline.record["model"]["fingerprint"] != second["model"]["fingerprint"]


DECIDES = """
class Decides:
    labels = ["negative", "neutral", "positive"]
    def predict(self, texts):
        return pipeline.predict(texts).tolist()
"""


@pytest.mark.slow("two audits with attacks", seconds=20)
def test_a_model_that_only_decides_is_measured_where_answers_are_enough(
    pipeline: Runner, write_policy: WritePolicy
) -> None:
    pipeline("--audit-cache=none", "-k", CHOSEN)
    graded = findings(pipeline.record)
    append(pipeline, DECIDES)
    write_policy(model='source = "shop:Decides"', security=FEW)
    assert pipeline("--audit-cache=none", "-k", CHOSEN).ret == 0
    decided = findings(pipeline.record)
    assert not_assessed(pipeline.record) == {*NETWORKS_ONLY, "security.artifact", *PROBABILITIES_ONLY}
    for name in PROBABILITIES_ONLY:
        assert "without probabilities" in pipeline.finding(name)["reason"]
    same = ["quality.accuracy", "quality.stability[batch]", "quality.behaviour[contrast]", "quality.behaviour[numbers]"]
    same += ["fairness.worst_group_accuracy[gender]", "fairness.counterfactual[gender]", "security.perturbation[typos]"]
    for name in same:
        assert [decided[name][part] for part in ("estimate", "low", "high", "n")] == [
            graded[name][part] for part in ("estimate", "low", "high", "n")
        ], name
    # What is gated and cannot be measured is never a pass.
    write_policy(model='source = "shop:Decides"', **{"gates.quality": "calibration_error = { max = 0.5 }"})
    assert pipeline("--audit-cache=none", "-k", "calibration").ret == 1
    assert pipeline.record["verdict"] != "pass"


BERT = """
    import torch
    from audit import Classifier
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    class Bert(Classifier):
        labels = ["negative", "neutral", "positive"]

        def __init__(self):
            self.tokenizer = AutoTokenizer.from_pretrained("{folder}")
            self.network = AutoModelForSequenceClassification.from_pretrained("{folder}").eval()

        def _given(self, texts):
            return self.tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=32)

        @torch.no_grad()
        def predict(self, texts):
            return self.network(**self._given(texts)).logits.softmax(-1)

        @torch.no_grad()
        def embed(self, texts):
            given = self._given(texts)
            states, real = self.network.bert(**given)[0], given["attention_mask"][..., None]
            return torch.cat([states[:, 0], (states * real).sum(1) / real.sum(1)], 1).numpy()
"""


@pytest.mark.slow("four audits of an untrained BERT", seconds=25)
@pytest.mark.xdist_group("onnx")
def test_the_same_bert_has_the_same_findings_as_a_folder_a_classifier_an_onnx_file_and_a_service(
    suites: Runner, write_policy: WritePolicy, untrained: Path, as_onnx: Path
) -> None:
    run = suites
    run.pytester.makepyfile(own=BERT.format(folder=untrained))
    unlike = "canary or stability or artifact or card or explanations or energy or provenance"

    def audited(unlike: str = unlike, **sections: str) -> tuple[dict[str, Any], NDArray[np.float64]]:
        write_policy(security=FEW, **sections)
        run("-k", f"({CHOSEN}) and not ({unlike})", "--audit-cache=none")
        said = record.read_predictions(run.pytester.path / "reports" / record.PREDICTIONS, run.record)
        assert said is not None
        return findings(run.record), said.probabilities

    folder, first = audited()
    labels = 'labels = ["negative", "neutral", "positive"]'
    with served(onnx_files.load("mine", as_onnx / "whole", (), 32, "softmax")) as address:
        others = {
            "own": audited(model='source = "own:Bert"\nmax_length = 32'),
            "onnx": audited(
                "canary or card or provenance or seed", model=f'source = "{as_onnx}/whole"\nmax_length = 32'
            ),
            "service": audited(
                f"{unlike} or adversarial or same_text or drift or attribute or membership",
                model=f'source = "{address}"\n{labels}',
            ),
        }
    for kind, (found, said) in others.items():
        np.testing.assert_allclose(first, said, atol=1e-4)
        common = folder.keys() & found.keys()
        assert len(common) > 3
        for name in common:
            assert folder[name]["verdict"] == found[name]["verdict"], (kind, name)
            for part in ("estimate", "low", "high"):
                assert folder[name][part] == pytest.approx(found[name][part], abs=1e-4), (kind, name)
    by_file = others["onnx"][0]
    assert {name for name, finding in by_file.items() if finding["verdict"] == "not_assessed"} == {
        "quality.stability[precision]", "environment.energy_per_gain", "transparency.explanations",
    }  # fmt: skip
    assert by_file["quality.stability[batch]"]["estimate"] == 0
    assert by_file["security.artifact"]["verdict"] == "pass"


@pytest.mark.slow("an audit", seconds=3)
@pytest.mark.xdist_group("onnx")
def test_an_onnx_folder_that_ships_is_recognised_wherever_its_weights_lie(
    suites: Runner, write_policy: WritePolicy, as_onnx: Path, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    network = onnx.load(as_onnx / "whole" / "model.onnx")
    folder = Path(shutil.copytree(as_onnx / "whole", tmp_path / "mine"))
    onnx.save_model(network, folder / "model.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    run = suites
    write_policy(model=f'source = "{folder}"\nmax_length = 32')
    assert run("-k", ACCURACY).ret == 0
    assert run.record["model"]["parameters"] > 0
    reports = str(run.pytester.path / "reports")
    assert main(["verify", reports, str(folder)]) == 0
    with (folder / "weights").open("r+b") as file:
        file.write(b"1")
    assert main(["verify", reports, str(folder)]) == 1


@pytest.mark.slow("an audit and its plan", seconds=3)
def test_a_plan_counts_what_an_audit_of_a_classifier_then_asks(pipeline: Runner, write_policy: WritePolicy) -> None:
    write_policy(model='source = "shop:pipeline"', audit='stopping = "full"', security=FEW)
    chosen = ("-k", f"({CHOSEN}) and not (adversarial or energy or stability)", "--audit-cache=none")
    result = pipeline("--audit-plan", *chosen)
    assert result.ret == 0
    (total,) = [match for line in result.outlines if (match := re.match(r"all +([\d,]+) ", line))]
    pipeline(*chosen)
    assert int(total[1].replace(",", "")) == pipeline.record["scoring"]["forward_passes"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("    return [[0.5, 0.5]] * len(texts)", "a row of 3 probabilities"),
        ("    return ['good'] * len(texts)", "the label 'good'"),
        ("    return [[9.0, -1.0, 2.0]] * len(texts)", "predict_proba, or the softmax"),
        ("    raise ValueError('no weights')", "predict raised ValueError (no weights)"),
    ],
)
def test_a_mistake_in_what_it_returns_ends_the_audit_before_the_work(
    pipeline: Runner, write_policy: WritePolicy, code: str, says: str
) -> None:
    shop = pipeline.pytester.path / "shop.py"
    shop.write_text(
        f"class Own:\n  labels = ['negative', 'neutral', 'positive']\n  def predict(self, texts):\n{code}\n"
    )
    write_policy(model='source = "shop:Own"')
    result = pipeline("--audit-cache=none", "-k", ACCURACY)
    assert result.ret == 4
    (message,) = [line for line in (*result.errlines, *result.outlines) if says in line]
    assert is_one_sentence(message)
    assert not (pipeline.pytester.path / "reports" / "audit.json").exists()


def test_a_model_that_breaks_on_a_text_is_an_error_and_no_pass(pipeline: Runner, write_policy: WritePolicy) -> None:
    append(
        pipeline,
        "class Own:\n  labels = pipeline.classes_.tolist()\n  def predict(self, texts):\n"
        "    if any(len(text) > 40 for text in texts): raise RuntimeError('too long for me')\n"
        "    return pipeline.predict_proba(texts)",
    )
    write_policy(model='source = "shop:Own"', **{"gates.quality": "accuracy = { min = 0 }"})
    assert pipeline("--audit-cache=none", "-k", ACCURACY).ret == 1
    finding = pipeline.finding("quality.accuracy")
    assert finding["verdict"] == "error"
    assert "predict raised RuntimeError (too long for me)" in finding["reason"]
    assert pipeline.record["verdict"] == "fail"


def test_code_is_not_trained_by_a_recipe(pipeline: Runner, write_policy: WritePolicy) -> None:
    write_policy(model='source = "shop:pipeline"', **{"model.finetune": "epochs = 1"})
    result = pipeline("--audit-cache=none", "-k", ACCURACY)
    assert result.ret == 4
    assert any("leave that section out" in line for line in (*result.errlines, *result.outlines))


@pytest.mark.forks
@pytest.mark.slow("an audit in three processes", seconds=6)
def test_processes_of_xdist_each_make_the_model_and_find_the_same(pipeline: Runner) -> None:
    pipeline("--audit-cache=none", "-k", ACCURACY)
    alone = findings(pipeline.record)
    pipeline.pytester.runpytest_subprocess(*pipeline.options, "--audit-cache=none", "-k", ACCURACY, "-n", "2")
    assert findings(pipeline.record)["quality.accuracy"]["estimate"] == alone["quality.accuracy"]["estimate"]


@pytest.mark.slow("two audits", seconds=3)
def test_a_file_of_skops_is_audited_without_code(pipeline: Runner, write_policy: WritePolicy) -> None:
    io = pytest.importorskip("skops.io")
    namespace: dict[str, Any] = {}
    exec((pipeline.pytester.path / "shop.py").read_text(), namespace)  # noqa: S102
    io.dump(namespace["pipeline"], pipeline.pytester.path / "model.skops")
    chosen = ("-k", f"{ACCURACY} or calibration or artifact", "--audit-cache=none")
    pipeline(*chosen)
    by_code = findings(pipeline.record)
    write_policy(model='source = "model.skops"')
    assert pipeline(*chosen).ret == 0
    by_file = findings(pipeline.record)
    for name in ("quality.accuracy", "quality.calibration_error"):
        assert by_file[name]["estimate"] == pytest.approx(by_code[name]["estimate"], abs=1e-9)
    assert by_file["security.artifact"]["verdict"] == "pass"
    assert pipeline.record["model"]["runs_code"] is False
    assert pipeline.record["model"]["fingerprint"] is not None
    assert "code of the repository" not in (pipeline.pytester.path / "reports" / "report.html").read_text("utf-8")


def test_a_pickle_among_its_files_counts_as_unsafe(pipeline: Runner) -> None:
    import pickle

    (pipeline.pytester.path / "model.pkl").write_bytes(pickle.dumps({"a": print}))
    append(pipeline, "pipeline.files = ['model.pkl']")
    assert pipeline("--audit-cache=none", "-k", "artifact").ret == 1
    assert pipeline.finding("security.artifact")["estimate"] >= 1


def test_a_class_that_is_left_out_is_said_in_record_and_report(pipeline: Runner, write_policy: WritePolicy) -> None:
    folder = pipeline.pytester.path
    data = f'test = "{folder}/two.csv"'
    (folder / "two.csv").write_text("text,label\n" + "I love it,positive\nIt broke at once,negative\n" * 20)
    write_policy(model='source = "shop:pipeline"\nmerge = { neutral = "" }\nthreshold = 0.7', data=data)
    assert pipeline("--audit-cache=none", "-k", ACCURACY).ret == 0
    assert pipeline.record["model"]["read"]["threshold"] == 0.7
    assert pipeline.record["model"]["labels"] == ["negative", "positive"]
    assert pipeline.record["model"]["read"]["classes"] == {
        "negative": ["negative"], "neutral": [], "positive": ["positive"],
    }  # fmt: skip
    report = (folder / "reports" / "report.html").read_text("utf-8")
    assert "is left out: its probability is shared out" in report
    assert "probability is above 70\N{NO-BREAK SPACE}%, else negative" in report
