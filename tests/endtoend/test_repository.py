"""A user's repository with nothing of ours but the installed wheel: from `init` to a waiver that has ended."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import demo
from tests.conftest import write_csv
from tests.helpers import ROOT, english

pytestmark = [
    pytest.mark.slow("installs the wheel and trains a model", seconds=56),
    pytest.mark.xdist_group("repository"),
]

OWN_POLICY = """
[model]
source = "models/candidate"
max_length = 32

[data]
test = "data/reviews.csv"
text = "review"
label = "sentiment"
subgroups = ["gender"]

[gates.quality]
accuracy = { min = 0.50 }        # what the team agreed on with customer care

[gates.fairness]
accuracy_gap = { max = 0.30 }

[gates.security]
artifact = { max = 0 }
"""
# The tests of these gates; the rest of the suites would only be reported.
GATED = "test_accuracy and not attack or artifact"
# Without a path to the checkout.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class Repository:
    """A folder that knows the audit only as an installed package."""

    def __init__(self, folder: Path, python: Path) -> None:
        self.folder, self.python = folder, python
        self.environment = dict(ENVIRONMENT)
        self.environment |= {"XDG_CACHE_HOME": str(folder.parent / "cache"), "GITHUB_STEP_SUMMARY": str(self.step)}

    @property
    def step(self) -> Path:
        return self.folder.parent / "step.md"

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), "-m", *arguments], cwd=self.folder, env=self.environment, capture_output=True,
            text=True, timeout=300,
        )  # fmt: skip

    def audit(self) -> tuple[int, dict[str, Any], str]:
        """Exit status, record and summary of `pytest suites/`."""
        self.step.unlink(missing_ok=True)
        done = self.run("pytest", "suites/", "-k", GATED)
        assert "Traceback" not in done.stdout + done.stderr, done.stdout
        reports = self.folder / "reports"
        summary = (reports / "summary.md").read_text("utf-8")
        assert self.step.read_text("utf-8") == summary
        return done.returncode, english(json.loads((reports / "audit.json").read_text("utf-8"))), summary


@pytest.fixture
def repository(wheel: Path, tmp_path: Path) -> Repository:
    """An empty repository, and an environment into which `pip install` put the wheel."""
    venv, folder = tmp_path / "venv", tmp_path / "repository"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, capture_output=True)
    python = venv / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, timeout=300, env=ENVIRONMENT)
    # The dependencies are those at hand; a path in a .pth file is added as it is, so that no checkout comes with it.
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    folder.mkdir()
    return Repository(folder, python)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the tests do not run in a clone")
def test_the_readmes_line_installs_it_from_a_clone(tmp_path: Path) -> None:
    clone, venv = tmp_path / "clone", tmp_path / "venv"
    subprocess.run(["git", "clone", "--quiet", f"file://{ROOT}", str(clone)], check=True, timeout=300)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, capture_output=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    (line,) = re.findall(r"^    (pip install .*\$CLONE.*)$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    environment = ENVIRONMENT | {"CLONE": str(clone), "PATH": f"{venv / 'bin'}:{ENVIRONMENT['PATH']}"}
    options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 600}
    installed = subprocess.run(["sh", "-c", line], **options)  # type: ignore[call-overload]
    assert installed.returncode == 0, installed.stdout + installed.stderr
    shutil.rmtree(clone)
    version = subprocess.run(["python", "-m", "audit", "init", "mine"], **options)  # type: ignore[call-overload]
    assert version.returncode == 0, version.stderr
    where = subprocess.run(["python", "-c", "import audit; print(audit.__file__)"], **options)  # type: ignore[call-overload]
    assert Path(where.stdout).is_relative_to(site)


def test_a_scikit_learn_pipeline_is_audited_as_the_readme_says(repository: Repository, real_data: Path) -> None:
    folder, readme = repository.folder, (ROOT / "README.md").read_text("utf-8")
    code, _ = re.findall(r"```python\n(.*?)```", readme.partition("## A model of another kind")[2], re.DOTALL)[:2]
    (folder / "shop.py").write_text(code, "utf-8")
    for split in ("train", "test"):
        with (real_data / f"sst2_{split}.csv").open(newline="", encoding="utf-8") as file:
            rows = [{"review": row["text"], "sentiment": row["label"]} for row in csv.DictReader(file)]
        write_csv(folder / f"reviews_{split}.csv", rows)
    (folder / "audit.toml").write_text(
        """
        [model]
        source = "shop:pipeline"
        [data]
        train = "reviews_train.csv"
        test = "reviews_test.csv"
        text = "review"
        label = "sentiment"
        subgroups = ["mention:gender"]
        [security]
        queries = 20
        perturbed = 100
        [gates.quality]
        accuracy = { min = 0.75 }
        [gates.fairness]
        "counterfactual[gender]" = { max = 0.10 }
        """,
        "utf-8",
    )
    done = repository.run("pytest", "--pyargs", "audit.suites")
    assert done.returncode == 0, done.stdout + done.stderr
    record = english(json.loads((folder / "reports" / "audit.json").read_text("utf-8")))
    assert (record["verdict"], record["complete"]) == ("pass", True)
    verdict = {finding["id"]: finding["verdict"] for finding in record["findings"]}
    assert "error" not in verdict.values()
    assert verdict["quality.accuracy"] == verdict["fairness.counterfactual[gender]"] == "pass"
    assert verdict["environment.inference_energy"] == verdict["security.adversarial"] == "reported"
    open_ones = {name.partition("[")[0] for name, each in verdict.items() if each == "not_assessed"}
    assert open_ones >= {"environment.training_energy", "transparency.explanations"}
    assert record["model"]["source"] == "shop:pipeline"


def save_models(folder: Path) -> None:
    """A good model, and a worse one: the same with its answers swapped round."""
    import torch
    from safetensors.torch import load_file, save_file

    from audit.training.finetune import small_bert

    rows = demo.reviews("train", rows=1_600)
    texts, classes = [str(row["text"]) for row in rows], ("negative", "neutral", "positive")
    labels = torch.tensor([classes.index(str(row["label"])) for row in rows])
    names = dict(enumerate(classes))
    torch.manual_seed(0)
    network, tokenizer = small_bert(tuple(texts), {"id2label": names, "label2id": {v: k for k, v in names.items()}}, 32)
    read = tokenizer(texts, truncation=True, max_length=32, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(network.train().parameters(), lr=1e-3)
    for _ in range(5):
        for chosen in torch.randperm(len(texts)).split(32):
            network(**{name: each[chosen] for name, each in read.items()}, labels=labels[chosen]).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    network.save_pretrained(folder / "good")
    tokenizer.save_pretrained(folder / "good")
    shutil.copytree(folder / "good", folder / "worse")
    weights = load_file(folder / "good" / "model.safetensors")
    weights |= {name: weights[name].roll(1, 0) for name in ("classifier.weight", "classifier.bias")}
    save_file(weights, folder / "worse" / "model.safetensors", {"format": "pt"})


def waiver(expires: date) -> str:
    return f"""
[[waivers]]
id = "quality.accuracy"
reason = "only the internal trial uses it; the retrained model comes in a fortnight"
owner = "A. Person"
expires = {expires}
"""


def test_a_gate_in_a_users_repository_passes_blocks_is_waived_and_blocks_again(repository: Repository) -> None:
    folder = repository.folder
    where = subprocess.run(
        [repository.python, "-c", "import audit; print(audit.__file__)"],
        cwd=folder, env=repository.environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout).is_relative_to(repository.python.parent.parent)

    started = repository.run("audit", "init")
    assert started.returncode == 0, started.stderr
    assert "audit.toml" in started.stdout
    assert re.search(r"run: (.*)", started.stdout)[1] == "pytest suites/"  # type: ignore[index]
    policy = folder / "audit.toml"
    assert set(tomllib.loads(policy.read_text("utf-8"))) >= {"model", "data", "gates"}

    save_models(folder / "models")
    shutil.copytree(folder / "models" / "good", folder / "models" / "candidate")
    (folder / "data").mkdir()
    rows = [
        {"review": row["text"], "sentiment": row["label"], "gender": row["gender"]}
        for row in demo.reviews("test", rows=400)
    ]
    write_csv(folder / "data" / "reviews.csv", rows)
    policy.write_text(OWN_POLICY, "utf-8")
    status, record, summary = repository.audit()
    assert (status, record["verdict"], record["complete"]) == (0, "pass", True), summary
    assert "## ✓ All limits hold" in summary
    assert record["model"]["source"] == "models/candidate"

    shutil.rmtree(folder / "models" / "candidate")
    (folder / "models" / "worse").rename(folder / "models" / "candidate")
    status, record, summary = repository.audit()
    assert (status, record["verdict"]) == (1, "fail")
    assert summary.startswith("## ✕ Blocked: 1 of 3 gates fails.")
    assert "Accuracy" in summary

    today = date.fromisoformat(record["created"][:10])  # UTC, as waivers are
    policy.write_text(OWN_POLICY + waiver(today + timedelta(days=2)), "utf-8")
    status, record, summary = repository.audit()
    assert (status, record["verdict"]) == (0, "pass"), summary
    (accuracy,) = (each for each in record["findings"] if each["id"] == "quality.accuracy")
    assert accuracy["verdict"] == "fail"  # a waiver lets it pass, it does not change it
    page = (folder / "reports" / "report.html").read_text("utf-8")
    for shown in (summary, page):
        assert "A. Person" in shown
        assert "the retrained model comes in a fortnight" in shown

    policy.write_text(OWN_POLICY + waiver(today - timedelta(days=1)), "utf-8")
    status, record, summary = repository.audit()
    assert (status, record["verdict"]) == (1, "fail")
    assert summary.startswith("## ✕ Blocked: 1 of 3 gates fails.")
    assert "The waiver counts no more" in summary
