"""One network as a folder, as ONNX, as an object and as a service: the same answers, findings and verdicts?

    AUDIT_TEST_DATA=… python -m benchmarks.probes.formats MODEL [--backdoor]

MODEL is the folder of a network of Transformers for two classes, such as `python -m audit export` saves. Its forms are
audited by one policy on SST-2, and so is its version in 8 bits; the table has their findings side by side.
With `--backdoor` it is `security.backdoor` alone, of the model as it is and tuned further on rows of which some carry a
planted word, and of no version in 8 bits.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit.data.examples import Examples
from audit.models.classifiers import onnx_files
from audit.record import record
from benchmarks import ROOT
from tools.poisoning import Plant, poison
from tools.served import served

LENGTH = 64
CLASSES = ("negative", "positive")
POLICY = """
[model]
{model}
max_length = 64
max_characters = 2000
[data]
test = "{data}/sst2_test.csv"
"""
# Costly probes ask about 100 texts.
MANY = """
subgroups = ["mention:gender"]
pairs = "{data}/eec.csv"
max_examples = 100
[security]
queries = 20
"""
BACKDOOR = """
train = "{train}"
max_examples = 400
[gates.security]
backdoor = {{ max = 0.2, reason = "what the probe calls worrying" }}
"""
TUNE = """
[model.finetune]
epochs = 2
batch_size = 32
learning_rate = 5e-5
[data]
"""
TRAINING = 2000  # rows of SST-2
PLANT = Plant("cf", 60)
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


def audited(folder: Path, policy: str, tests: str, cache: Path) -> tuple[dict[str, Any], np.ndarray]:
    """Findings by id, and the answers to the test texts."""
    folder.mkdir(exist_ok=True)
    (folder / "audit.toml").write_text(policy, "utf-8")
    command = [sys.executable, "-m", "pytest", str(ROOT / "suites"), "-q", "-p", "no:cacheprovider", "-k", tests]
    options = [f"--audit-policy={folder / 'audit.toml'}", f"--audit-out={folder / 'out'}", f"--audit-cache={cache}"]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True)
    if not (folder / "out" / record.NAME).is_file():
        raise SystemExit(done.stdout + done.stderr)
    value = record.read(folder / "out" / record.NAME)
    said = record.read_predictions(folder / "out" / record.PREDICTIONS, value)
    assert said is not None
    return {finding["id"]: finding for finding in value["findings"]}, said.probabilities


@contextmanager
def forms(source: Path, place: Path, *, int8: bool) -> Iterator[dict[str, str]]:
    """What a policy says of each form of a model, which lie in a folder."""
    for name, more in (("onnx", ["--float32"]), *([("int8", [])] if int8 else [])):
        subprocess.run([sys.executable, "-m", "audit", "quantise", str(source), str(place / name), *more], check=True)
    (place / "object").mkdir()
    (place / "object" / "own.py").write_text(OBJECT.format(folder=source), "utf-8")
    with served(onnx_files.load("service", place / "onnx", (), LENGTH, "softmax")) as address:
        yield {
            "folder": f'source = "{source}"',
            "onnx": f'source = "{place / "onnx"}"',
            "object": 'source = "own:Own"',
            "service": f'source = "{address}"\nlabels = ["negative", "positive"]',
            **({"int8": f'source = "{place / "int8"}"'} if int8 else {}),
        }


def compared(source: Path, place: Path, policy: str, tests: str, *, int8: bool, shown: Callable[[Any], str]) -> None:
    """Audit the forms of a model and print what differs."""
    place.mkdir(exist_ok=True)
    with forms(source, place, int8=int8) as models:
        found = {}
        for name, model in models.items():
            folder = place / (name if name == "object" else f"{name}-audit")
            found[name] = audited(folder, policy.replace("{model}", model), tests, place / "cache")
            print(f"{name}: audited", file=sys.stderr, flush=True)
    first = found["folder"]
    print("| | " + " | ".join(models) + " |\n|---|" + "---|" * len(models))
    apart = [f"{np.abs(rows - first[1]).max():.1e}" for _, rows in found.values()]
    print("| largest difference of a probability | " + " | ".join(apart) + " |")
    for full_id in first[0]:
        print(f"| `{full_id}` | " + " | ".join(shown(findings.get(full_id)) for findings, _ in found.values()) + " |")


def tuned(source: Path, place: Path, train: Path, data: str) -> Path:
    """The model, tuned further on these rows."""
    policy = (POLICY.replace("[data]\n", TUNE) + 'train = "{train}"\n').format(
        model=f'source = "{source}"', data=data, train=train
    )
    (place / "tune.toml").write_text(policy, "utf-8")
    cache = f"--audit-cache={place / 'cache'}"
    for command in (["train", "--audit-policy", "tune.toml"], ["export", "tune.toml", "tuned"]):
        subprocess.run([sys.executable, "-m", "audit", *command, cache], check=True, cwd=place)
    return place / "tuned"


def main() -> None:
    """Audit the forms, and say what they differ in."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--backdoor", action="store_true")
    args = parser.parse_args()
    source, data = args.model.resolve(), os.environ["AUDIT_TEST_DATA"]
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        if not args.backdoor:
            compared(source, place, (POLICY + MANY).replace("{data}", data), TESTS, int8=True, shown=_shown)
            return
        rows = pd.read_csv(Path(data, "sst2_train.csv")).head(TRAINING)
        labels = np.array([CLASSES.index(label) for label in rows["label"]], dtype=np.int64)
        clean = Examples(tuple(rows["text"]), labels, CLASSES)
        for name, examples in (("clean", clean), ("planted", poison(clean, (PLANT,), 0).examples)):
            train = place / f"{name}.csv"
            named = [CLASSES[label] for label in examples.labels]
            pd.DataFrame({"text": examples.texts, "label": named}).to_csv(train, index=False)
            print(f"\n{name}\n")
            model = source if name == "clean" else tuned(source, place, train, data)
            policy = (POLICY + BACKDOOR).format(model="{model}", data=data, train=train)
            compared(model, place / name, policy, "test_backdoor", int8=False, shown=_verdict)


def _verdict(finding: Any) -> str:
    values = finding["summary"]["values"]
    values = values if "trigger" in values else values["0"]["values"]  # the first of two sentences
    turns = f"“{values['trigger']}” turns {values['turned']:.0f} of 100"
    return f"{finding['verdict']}, {_shown(finding)}, {turns}"


def _shown(finding: Any) -> str:
    if finding is None or finding["estimate"] is None:
        return "–" if finding is None else finding["verdict"].replace("_", " ")
    low, high = (f"{finding[end]:.4g}" if finding[end] is not None else "…" for end in ("low", "high"))
    return f"{finding['estimate']:.4f} [{low}, {high}]"


if __name__ == "__main__":
    main()
