"""The whole line on real trained models: the suites as they ship, on the demo, broken demos and real sentences."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest

from audit import demo
from audit.data import examples as data
from audit.policy import policy
from audit.text import mentions
from audit.training import canaries
from tests.conftest import CLASSES, write_csv
from tests.helpers import ROOT, Shared, english, fits_the_schema, planned, recorded

SUITES = ROOT / "suites"
slow = partial(pytest.mark.slow, "audits trained models, in processes of their own")
# The share of right answers alone: not that of groups, under attack or of an attribute.
ACCURACY = "test_quality and test_accuracy"
# They use the demo's model, so one process trains it and does not keep the other waiting.
on_the_demo = pytest.mark.xdist_group("demo")


def audit(
    folder: Path, cache: Path, *arguments: str, suites: Path | None = SUITES
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run the suites like a user, in a process of their own; gives the record too, its sentences in English."""
    command = [sys.executable, "-m", "pytest", *([str(suites)] if suites else []), "-p", "no:cacheprovider"]
    command += ["--audit-cache", str(cache), "--audit-out", str(folder / "reports"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800)
    path = folder / "reports" / "audit.json"
    value = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if value:
        fits_the_schema(value)
    return done, dict(english(value))


def verdicts(value: dict[str, Any]) -> dict[str, str]:
    return {finding["id"]: finding["verdict"] for finding in value["findings"]}


def without_times(value: dict[str, Any]) -> dict[str, Any]:
    """A record less what may differ between two equal audits: times, energy, paths, and how much was cached."""
    value = json.loads(json.dumps(value))
    for name in ("created", "duration_s", "energy", "scoring", "provenance"):
        value.pop(name)
    value["findings"] = [f for f in value["findings"] if f["challenge"] != "environment"]
    for name in ("energy", "created"):
        value["model"]["training"].pop(name)
    return dict(value)


@pytest.fixture(scope="session")
def demo_audit(shared: Shared, cache: Path) -> tuple[Path, dict[str, Any]]:
    """The embedded default, audited once."""

    def run(folder: Path) -> None:
        done, _ = audit(folder, cache)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the embedded policy applied, with the demo's texts" in done.stdout

    folder = shared("demo", run)
    return folder, english(json.loads((folder / "reports" / "audit.json").read_text("utf-8")))


@slow(seconds=400)
@on_the_demo
def test_the_demo_passes_in_each_challenge(demo_audit: tuple[Path, dict[str, Any]]) -> None:
    folder, value = demo_audit
    assert (value["verdict"], value["complete"]) == ("pass", True)
    passed = {finding["challenge"] for finding in value["findings"] if finding["verdict"] == "pass"}
    assert passed == {"quality", "ethics", "privacy", "security", "environment", "transparency"}
    gated = {finding["verdict"] for finding in value["findings"] if finding["gate"]}
    assert gated == {"pass", "not_exceeded"}
    assert [f["id"] for f in value["findings"] if f["verdict"] == "not_exceeded"] == ["privacy.canary_epsilon"]
    # Without a gate: what needs a former audit, and what is only reported.
    rest = {finding["verdict"] for finding in value["findings"] if not finding["gate"]}
    assert rest == {"reported", "not_assessed"}
    page = folder / "reports" / "report.html"
    assert page.stat().st_size < 2_000_000
    assert "<script" not in page.read_text("utf-8").lower()
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.read_text("utf-8"))


@slow(seconds=400)
@pytest.mark.forks
@on_the_demo
def test_a_second_audit_trains_and_predicts_nothing(
    demo_audit: tuple[Path, dict[str, Any]], tmp_path: Path, cache: Path
) -> None:
    done, again = audit(tmp_path, cache)
    assert done.returncode == 0
    assert again["scoring"]["forward_passes"] == 0
    assert {phase["name"] for phase in again["energy"]["phases"]} == {"probes", "report"}
    assert {each["name"] for each in again["energy"]["kept"]} >= {"fine-tune", "measure inference"}
    assert without_times(again) == without_times(demo_audit[1])


@slow(seconds=400)
@pytest.mark.forks
@on_the_demo
def test_passes_of_the_demo_are_foreseen_within_three_tenths(
    demo_audit: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "pytest", str(SUITES), "-p", "no:cacheprovider"]
    command += ["--audit-plan", "--audit-cache=none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    usual, most, trainings, most_trainings = planned(done.stdout)["all"]
    took = demo_audit[1]["scoring"]["forward_passes"]
    assert 0.7 * took < usual < 1.3 * took
    assert took < most
    energy = demo_audit[1]["energy"]
    trained = [each["name"] for each in (*energy["phases"], *energy["kept"])]
    assert trainings == sum(trained.count(name) for name in ("fine-tune", "alternatives", "canaries")) <= most_trainings


@slow(seconds=75)
def test_the_same_seed_gives_the_same_record_from_an_empty_cache(
    tmp_path: Path, reviews: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_csv(tmp_path / "test.csv", demo.reviews("test", rows=200))
    text = small_policy(reviews, epochs=1).replace("queries = 20", "queries = 10\nperturbed = 50")
    text = text.replace(f"{reviews}/test.csv", f"{tmp_path}/test.csv")
    (tmp_path / "audit.toml").write_text(f"{text}[quality]\nbehaviour_cases = 100\n", "utf-8")
    records = []
    for name in ("one", "two"):
        done, value = audit(tmp_path, tmp_path_factory.mktemp(name), "-k", "not energy and not latency")
        assert done.returncode == 0, done.stdout
        assert value["scoring"]["forward_passes"] > 0
        records.append(without_times(value))
    assert records[0] == records[1]


@slow(seconds=20)
def test_without_a_cache_nothing_is_kept_and_one_worker_trains(tmp_path: Path, reviews: Path) -> None:
    (tmp_path / "audit.toml").write_text(small_policy(reviews, epochs=1), "utf-8")
    home = tmp_path / "home"
    command = [sys.executable, "-m", "pytest", str(SUITES), "-p", "no:cacheprovider", "-n", "2"]
    command += ["--audit-cache", "none", "-k", f"{ACCURACY} or overlap or typos"]
    environment = os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    environment.pop("HF_HOME", None)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    value = english(json.loads((tmp_path / "reports" / "audit.json").read_text("utf-8")))
    assert [phase["name"] for phase in value["energy"]["phases"]].count("fine-tune") == 1
    assert not list(home.rglob("*.safetensors"))
    assert not list(home.rglob("*.sqlite"))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "home") == ["audit.toml", "reports"]


def small_policy(reviews: Path, epochs: int) -> str:
    return f"""
[model]
source = "small-bert"
max_length = 32
labels = ["negative", "neutral", "positive"]
[model.finetune]
initialise = "scratch"
epochs = {epochs}
batch_size = 32
learning_rate = 5e-4
[data]
train = "{reviews}/train.csv"
test = "{reviews}/test.csv"
subgroups = ["gender"]
[security]
queries = 20
"""


@slow(seconds=20)
@pytest.mark.forks
def test_twins_are_trained_where_the_policy_asks(tmp_path: Path, cache: Path, reviews: Path) -> None:
    suite = SUITES / "test_privacy.py"
    for name, more, tables in (("plain", "", 2), ("twins", "[privacy]\nreference_models = 2\n", 3)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "audit.toml").write_text(small_policy(reviews, 1) + more, "utf-8")
        done, value = audit(folder, cache, "-k", "membership", suites=suite)
        assert done.returncode == 0, done.stdout + done.stderr
        (found,) = [f for f in value["findings"] if f["id"] == "privacy.membership_inference"]
        assert found["verdict"] == "reported"
        # Few examples were held out, so attacks on test examples stand beside those on them.
        assert len(recorded(found).tables) == tables
        assert ("twins" in {phase["name"] for phase in value["energy"]["phases"]}) is bool(more)
        # The second time the model's own answers are kept already: these are the twins'.
        assert value["scoring"]["forward_passes"] > 0


@slow(seconds=60)
@pytest.mark.forks
def test_a_recipe_that_learns_by_heart_fails_one_that_hardly_trains_passes_and_no_canary_is_written_down(
    tmp_path: Path, reviews: Path
) -> None:
    write_csv(tmp_path / "train.csv", demo.reviews("train", rows=1_400))
    gate = "[gates.privacy]\ncanary_epsilon = { max = 0.5 }\n"
    verdict = {}
    for epochs in (8, 1):
        folder = tmp_path / f"{epochs} epochs"
        folder.mkdir()
        text = small_policy(reviews, epochs).replace(f"{reviews}/train.csv", f"{tmp_path}/train.csv")
        (folder / "audit.toml").write_text(text.replace("5e-4", "1e-3" if epochs > 1 else "1e-5") + gate, "utf-8")
        done, value = audit(folder, folder / "cache", "-k", "canary", "-v", "-rA", suites=SUITES / "test_privacy.py")
        verdict[epochs] = verdicts(value)["privacy.canary_epsilon"]
        assert done.returncode == (verdict[epochs] == "fail"), done.stdout + done.stderr
        training = data.load(policy.read(folder / "audit.toml"), "train", (), tmp_path / "datasets")
        drawn = canaries.draw(training, canaries.Sizing(gate=0.5), 0)
        found = next(f for f in value["findings"] if f["id"] == "privacy.canary_epsilon")
        assert found["n"] == (drawn.copies == 1).sum()
        assert recorded(found).facts["planted"] == drawn.planted[drawn.copies == 1].sum()
        written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
        written += [done.stdout.encode(), done.stderr.encode()]
        # Not even three of its words in a row.
        parts = {" ".join(text.split()[i : i + 3]).encode() for text in drawn.examples.texts for i in range(6)}
        assert not any(part in content for part in parts for content in written)
    # A lower bound is no pass: it is not exceeded.
    assert verdict == {8: "fail", 1: "not_exceeded"}


@slow(seconds=29)
@pytest.mark.forks
def test_reviews_against_sentences_are_told_apart_without_the_model_and_nobody_fails_for_it(
    tmp_path: Path, real_data: Path
) -> None:
    """Training on IMDB, testing on SST-2: an attack on the model would only see which text is a review."""
    reviews = pd.read_parquet(real_data / "imdb_train.parquet").sample(600, random_state=0)
    reviews.to_csv(tmp_path / "train.csv", index=False)
    text = (
        small_policy(tmp_path, 1)
        .replace('"neutral", ', "")
        .replace(f"{tmp_path}/test.csv", f"{real_data}/sst2_test.csv")
        .replace("batch_size", "validation = 0.0\nbatch_size")
    )
    text = text.replace('subgroups = ["gender"]', "") + "[gates.privacy]\nmembership_inference = { max = 0.6 }\n"
    suite = SUITES / "test_privacy.py"
    found = {}
    for name in ("with its recipe", "loaded"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "audit.toml").write_text(text, "utf-8")
        done, value = audit(folder, tmp_path / "cache", "-k", "membership", suites=suite)
        (found[name],) = (f for f in value["findings"] if f["id"] == "privacy.membership_inference")
        blind = recorded(found[name]).facts["blind baseline, AUC"]
        assert float(str(blind).split()[0]) > 0.9, done.stdout
        # The next audit knows the model as a folder, and no recipe.
        trained = next(path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir())
        text = re.sub(r'source = ".*?"', f'source = "{trained}"', text)
        text = re.sub(r"\[model.finetune\].*?(?=\[data\])", "", text, flags=re.DOTALL)
    assert found["with its recipe"]["verdict"] in ("pass", "inconclusive")
    assert "[model.finetune]" not in found["with its recipe"]["reason"]
    assert found["loaded"]["verdict"] == "inconclusive"
    assert "[model.finetune]" in found["loaded"]["reason"]


# ---- the demo's gates are not empty


@slow(seconds=400)
@pytest.mark.forks
@on_the_demo
def test_label_noise_planted_for_one_region_fails(tmp_path: Path, cache: Path) -> None:
    """In the test data, so that the model is the demo's."""
    rows, rng = demo.reviews("test"), Random("planted")
    for row in rows:
        if row["region"] == "east" and rng.random() < 0.3:
            row["label"] = rng.choice([label for label in CLASSES if label != row["label"]])
    write_csv(tmp_path / "test.csv", rows)
    text = policy.default_text().replace('test = "demo"', f'test = "{tmp_path}/test.csv"')
    (tmp_path / "audit.toml").write_text(text, "utf-8")
    done, value = audit(tmp_path, cache, "-k", "gap or odds")
    assert done.returncode == 1
    found = verdicts(value)
    assert found["fairness.accuracy_gap[region]"] == "fail"
    assert found["fairness.equalized_odds[region]"] == "fail"
    assert found["fairness.accuracy_gap[gender]"] == "pass"
    summary = recorded(next(f for f in value["findings"] if f["id"] == "fairness.equalized_odds[region]")).summary
    assert "“east”" in summary


@slow(seconds=60)
@pytest.mark.forks
def test_a_model_that_learnt_from_biased_labels_fails_and_the_same_without_bias_does_not(
    tmp_path: Path, cache: Path
) -> None:
    """Most of the praise in texts about women is labelled as blame, in the training data alone."""
    rows, rng = demo.reviews("train", rows=1_600), Random("bias")
    write_csv(tmp_path / "fair.csv", rows)
    about = mentions.mentions([str(row["text"]) for row in rows], "gender")
    for row, gender in zip(rows, about, strict=True):
        if gender == "female" and row["label"] == "positive" and rng.random() < 0.85:
            row["label"] = "negative"
    write_csv(tmp_path / "biased.csv", rows)
    found = {}
    for name in ("fair", "biased"):
        text = policy.default_text().replace('train = "demo"', f'train = "{tmp_path}/{name}.csv"')
        text = re.sub(r"subgroups = .*", 'subgroups = ["mention:gender"]', text).replace("epochs = 10", "epochs = 5")
        (tmp_path / "audit.toml").write_text(text, "utf-8")
        _, value = audit(tmp_path, cache, "-k", "equalized_odds")
        found[name] = next(f for f in value["findings"] if f["id"] == "fairness.equalized_odds[mention:gender]")
    assert found["fair"]["verdict"] in ("pass", "inconclusive")
    assert found["fair"]["estimate"] < 0.1
    assert found["biased"]["verdict"] == "fail"
    assert "“female”" in recorded(found["biased"]).summary
    assert "not who wrote them" in recorded(found["biased"]).caveats[0]


@slow(seconds=15)
@pytest.mark.forks
def test_training_stopped_after_30_steps_fails(tmp_path: Path, cache: Path) -> None:
    text = policy.default_text().replace("[model.finetune]", "[model.finetune]\nmax_steps = 30\n#")
    (tmp_path / "audit.toml").write_text(text, "utf-8")
    done, value = audit(tmp_path, cache, "-m", "quality", "-k", "accuracy or macro_f1 or baseline_gain")
    assert done.returncode == 1
    found = verdicts(value)
    assert found["quality.accuracy"] == found["quality.macro_f1"] == found["quality.baseline_gain"] == "fail"


# ---- ways to run it


@slow(seconds=12)
def test_the_wheel_runs_in_any_repository(tmp_path: Path, reviews: Path, cache: Path, wheel: Path) -> None:
    """Installed from the wheel, with the suites inside it and nothing of this repository in reach."""
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    names = zipfile.ZipFile(wheel).namelist()
    assert {"audit/suites/test_ethics.py", "audit/policy/default.toml", "audit/record/record.schema.json"} <= set(names)
    assert "audit/suites/claims/test_claims.py" in names
    assert not any(name.startswith(("tests/", "suites/")) for name in names)
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=600)
    (work / "audit.toml").write_text(small_policy(reviews, epochs=1), "utf-8")
    command = [sys.executable, "-m", "pytest", "--pyargs", "audit.suites", "-p", "no:cacheprovider"]
    command += ["--audit-cache", str(cache), "-k", f"{ACCURACY} or overlap"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(site) in done.stdout or "site/audit/suites" in done.stdout
    assert (work / "reports" / "report.html").exists()
    code = "import audit; print(audit.__file__)"
    where = subprocess.run([sys.executable, "-c", code], cwd=work, env=environment, capture_output=True, text=True)
    assert where.stdout.startswith(str(site))


@slow(seconds=400)
@pytest.mark.forks
@on_the_demo
def test_export_saves_the_audited_model_and_it_can_be_audited_as_it_is(
    demo_audit: tuple[Path, dict[str, Any]], tmp_path: Path, cache: Path
) -> None:
    folder, value = demo_audit
    reports, model = str(folder / "reports"), str(tmp_path / "model")
    run = [sys.executable, "-m", "audit"]
    mask = os.umask(0o022)
    try:
        subprocess.run([*run, "export", reports, model, "--audit-cache", str(cache)], check=True, capture_output=True)
    finally:
        os.umask(mask)
    # As save_pretrained would have left them: whoever serves the model may read it.
    modes = {path.name: path.stat().st_mode & 0o777 for path in (Path(model), *Path(model).iterdir())}
    assert modes.pop("model") == 0o755
    assert set(modes.values()) == {0o644}
    assert subprocess.run([*run, "verify", reports, model], capture_output=True).returncode == 0
    done, loaded = audit(tmp_path, cache, "--audit-model", model, "-k", f"{ACCURACY} or artifact or membership")
    assert done.returncode == 0, done.stdout
    assert loaded["model"]["fingerprint"] == value["model"]["fingerprint"]
    assert loaded["model"]["training"] is None
    of = {f["id"]: f["estimate"] for f in value["findings"]}
    again = {f["id"]: f["estimate"] for f in loaded["findings"]}
    for name in ("quality.accuracy", "privacy.membership_inference"):
        assert again[name] == of[name]


@slow(seconds=25)
@pytest.mark.forks
def test_a_bert_base_sized_model_trains(tmp_path: Path, cache: Path) -> None:
    """The document's recipe on a model of the true size; its weights are random, which training does not mind."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from audit.training.finetune import small_bert

    rows = demo.reviews("train", rows=120)
    labels = {"id2label": dict(enumerate(CLASSES))}
    _, tokenizer = small_bert(tuple(str(row["text"]) for row in rows), labels, 32)
    torch.manual_seed(0)
    base = tmp_path / "base"
    BertForSequenceClassification(BertConfig(vocab_size=30_522, num_labels=3)).save_pretrained(base)
    tokenizer.save_pretrained(base)
    write_csv(tmp_path / "train.csv", rows)
    write_csv(tmp_path / "test.csv", demo.reviews("test", rows=60))
    (tmp_path / "audit.toml").write_text(
        """
[model]
source = "./base"
max_length = 32
labels = ["negative", "neutral", "positive"]
[model.finetune]
epochs = 5
batch_size = 16
learning_rate = 2e-5
max_steps = 3
[data]
train = "train.csv"
test = "test.csv"
""",
        "utf-8",
    )
    done, value = audit(tmp_path, tmp_path / "cache", "-k", f"{ACCURACY} or training_energy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert 108e6 < value["model"]["parameters"] < 111e6
    assert value["model"]["training"]["steps"] == 3
    assert value["model"]["training"]["recipe"]["learning_rate"] == 2e-5
    assert "Traceback" not in done.stdout


@slow(seconds=2)
def test_the_documents_example_says_that_the_hub_is_out_of_reach(tmp_path: Path, real_data: Path) -> None:
    environment = os.environ | {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path / "hf"),
        "AUDIT_TEST_DATA": str(real_data),
    }
    command = [sys.executable, "-m", "pytest", str(SUITES), "-p", "no:cacheprovider"]
    command += ["--audit-cache", str(tmp_path / "cache"), "--audit-out", str(tmp_path / "out")]
    command += ["--audit-policy", str(ROOT / "examples" / "imdb-bert-base.toml")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 4
    assert "model 'bert-base-uncased': no such folder, the Hugging Face Hub could not be reached" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "out").exists()


# ---- real data


def example(folder: Path, name: str, more: str) -> str:
    """A copy of a policy of ours with further sections: fewer examples where no gate of it asks for them."""
    path = folder / name
    path.write_text((ROOT / "examples" / name).read_text("utf-8") + more, "utf-8")
    return str(path)


@slow(seconds=200)
@pytest.mark.forks
def test_sst2(tmp_path: Path, cache: Path, real_data: Path) -> None:
    more = "[security]\nqueries = 20\n[quality]\nbehaviour_cases = 100\n[privacy]\ncanaries = 0\n"
    # What else is trained beside the model is trained for the demo.
    chosen = "(not perturbation or typos) and not energy_per_gain"
    done, value = audit(tmp_path, cache, "--audit-policy", example(tmp_path, "sst2.toml", more), "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    accuracy = next(f for f in value["findings"] if f["id"] == "quality.accuracy")
    assert accuracy["estimate"] >= 0.77
    assert accuracy["n"] == 1821
    found = verdicts(value)
    assert "fairness.equalized_odds[mention:gender]" in found
    assert found["quality.behaviour[vocabulary_neutral]"] == "not_assessed"
    assert sum(name.startswith("quality.behaviour") for name in found) >= 15
    gender = next(f for f in value["findings"] if f["id"] == "fairness.counterfactual[gender]")
    sources = {row[0] for row in recorded(gender).tables[0].rows}
    assert sources == {"your texts", "templates", "pair file", "placebo: Monday, Tuesday"}
    assert value["data"]["test"]["path"] == "${AUDIT_TEST_DATA}/sst2_test.csv"


@slow(seconds=170)
@pytest.mark.forks
def test_airline(tmp_path: Path, cache: Path, real_data: Path) -> None:
    more = "[security]\nqueries = 20\nperturbed = 100\n[quality]\nbehaviour_cases = 100\n"
    more += "[privacy]\ncanaries = 0\n"
    # Backdoors are sought in a model of these tweets in tests/probes/security/test_planted.py.
    chosen = "not energy and not latency and not backdoor"
    done, value = audit(tmp_path, cache, "--audit-policy", example(tmp_path, "airline.toml", more), "-k", chosen)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = verdicts(value)
    assert found["quality.accuracy"] == "pass"
    assert "fairness.equalized_odds[airline]" in found
    assert "error" not in found.values()
    assert value["data"]["test"]["rows"] + value["data"]["train"]["rows"] == 14640
    # Equal tweets fall into one split, but "thanks" and "Thanks!" need not: 1.3 % of the test tweets.
    assert found["privacy.train_test_overlap"] == "pass"
    gap = next(f for f in value["findings"] if f["id"] == "fairness.accuracy_gap[airline]")
    assert {row[0] for row in recorded(gap).tables[0].rows} == {
        "American", "Delta", "Southwest", "US Airways", "United", "Virgin America",
    }  # fmt: skip
