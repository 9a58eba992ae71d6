"""One network as a folder, as ONNX, as an object and as a service: the same answers, findings and verdicts?

    AUDIT_TEST_DATA=… python -m benchmarks.probes.formats MODEL

MODEL is the folder of a network of Transformers for two classes, such as `python -m audit export` saves. Its forms are
audited by one policy on SST-2, and so is its version in 8 bits; the table has their findings side by side.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from audit.models.classifiers import onnx_files
from audit.record import record
from benchmarks import ROOT
from tools.served import served

LENGTH = 64
MOST = 100  # texts that costly probes ask about
POLICY = """
[model]
{model}
max_length = 64
max_characters = 2000
[data]
test = "{data}/sst2_test.csv"
subgroups = ["mention:gender"]
pairs = "{data}/eec.csv"
max_examples = {most}
[security]
queries = 20
"""
TESTS = (
    "test_accuracy or test_macro_f1 or test_calibration or test_roc_auc or test_equalized_odds or test_adversarial or "
    "test_size or (test_perturbation and typos)"
)
OBJECT = """
import torch
from audit import Classifier
from transformers import AutoModelForSequenceClassification, AutoTokenizer

class Own(Classifier):
    labels = ["negative", "positive"]

    def __init__(self):
        self.tokenizer = AutoTokenizer.from_pretrained("{folder}")
        self.network = AutoModelForSequenceClassification.from_pretrained("{folder}").eval()

    @torch.no_grad()
    def predict(self, texts):
        given = self.tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=64)
        return self.network(**given).logits.softmax(-1)
"""


def audited(folder: Path, model: str, cache: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Findings by id, and the answers to the test texts."""
    folder.mkdir(exist_ok=True)
    (folder / "audit.toml").write_text(
        POLICY.format(model=model, most=MOST, data=os.environ["AUDIT_TEST_DATA"]), "utf-8"
    )
    command = [sys.executable, "-m", "pytest", str(ROOT / "suites"), "-q", "-p", "no:cacheprovider", "-k", TESTS]
    options = [f"--audit-policy={folder / 'audit.toml'}", f"--audit-out={folder / 'out'}", f"--audit-cache={cache}"]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True)
    if not (folder / "out" / record.NAME).is_file():
        raise SystemExit(done.stdout + done.stderr)
    value = record.read(folder / "out" / record.NAME)
    said = record.read_predictions(folder / "out" / record.PREDICTIONS, value)
    assert said is not None
    return {finding["id"]: finding for finding in value["findings"]}, said.probabilities


def main() -> None:
    """Audit the forms and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    source = parser.parse_args().model.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for name, more in (("onnx", ["--float32"]), ("int8", [])):
            subprocess.run([sys.executable, "-m", "audit", "quantise", source, place / name, *more], check=True)
        (place / "object").mkdir()
        (place / "object" / "own.py").write_text(OBJECT.format(folder=source), "utf-8")
        with served(onnx_files.load("service", place / "onnx", (), LENGTH, "softmax")) as address:
            models = {
                "folder": f'source = "{source}"',
                "onnx": f'source = "{place / "onnx"}"',
                "object": 'source = "own:Own"',
                "service": f'source = "{address}"\nlabels = ["negative", "positive"]',
                "int8": f'source = "{place / "int8"}"',
            }
            found = {}
            for name, model in models.items():
                folder = place / (name if name == "object" else f"{name}-audit")
                found[name] = audited(folder, model, place / "cache")
                print(f"{name}: audited", file=sys.stderr, flush=True)
    first = found["folder"]
    print("| | " + " | ".join(models) + " |\n|---|" + "---|" * len(models))
    apart = [f"{np.abs(rows - first[1]).max():.1e}" for _, rows in found.values()]
    print("| largest difference of a probability | " + " | ".join(apart) + " |")
    for full_id in first[0]:
        print(f"| `{full_id}` | " + " | ".join(_shown(findings.get(full_id)) for findings, _ in found.values()) + " |")


def _shown(finding: Any) -> str:
    if finding is None or finding["estimate"] is None:
        return "–" if finding is None else finding["verdict"].replace("_", " ")
    low, high = (f"{finding[end]:.4g}" if finding[end] is not None else "…" for end in ("low", "high"))
    return f"{finding['estimate']:.4f} [{low}, {high}]"


if __name__ == "__main__":
    main()
