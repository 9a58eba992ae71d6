"""Giskard's scan of the same model and data, in an environment of its own, against our audit.

    AUDIT_TEST_DATA=… python -m benchmarks --only giskard

The model is the small BERT of `examples/sst2.toml`, the data the SST-2 test sentences. Compared is how many predictions
a second each makes of which it then speaks: all that the model was asked, over the time of the whole scan, and our
forward passes over the time of the whole audit, trainings left out of both. The environment is kept in the cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from audit.core.cache import default_folder
from benchmarks import ROOT
from benchmarks.shapes import DATA
from benchmarks.speed.audits import audit
from benchmarks.speed.table import Line, at_least

VERSION = "2.19.2"
POLICY = "examples/sst2.toml"
WHAT = f"predictions a second of the audit against those of Giskard {VERSION}'s scan"
# Runs under that environment's Python: arguments are the model's folder, the CSV file and how many of its rows.
SCAN = """
import json, sys, time
import giskard, pandas, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder, path, rows = sys.argv[1:]
network = AutoModelForSequenceClassification.from_pretrained(folder).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
labels = [network.config.id2label[i] for i in range(network.config.num_labels)]
data = pandas.read_csv(path).head(int(rows))
asked = {"predictions": 0, "seconds": 0.0}

def predict(frame):
    texts, made, started = [str(text) for text in frame["text"]], [], time.perf_counter()
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = texts[start:start + 32]
            given = tokenizer(batch, truncation=True, max_length=64, padding=True, return_tensors="pt")
            made.append(torch.softmax(network(**given).logits, -1))
    asked["predictions"] += len(texts)
    asked["seconds"] += time.perf_counter() - started
    return torch.cat(made).numpy()

model = giskard.Model(predict, model_type="classification", classification_labels=labels, feature_names=["text"])
test = giskard.Dataset(data, target="label", column_types={"text": "text"})
started = time.perf_counter()
found = giskard.scan(model, test, verbose=False, raise_exceptions=False)
whole = time.perf_counter() - started
print("RESULT " + json.dumps({**asked, "whole": whole, "issues": len(found.issues)}))
"""


def environment(folder: Path) -> Path:
    """A Python with Giskard.

    Raises
    ------
    RuntimeError
        If it cannot be installed.
    """
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        pins = [
            line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line.startswith("torch==")
        ]
        steps: list[list[str]] = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *pins],
            [
                str(python),
                "-m",
                "pip",
                "install",
                "--quiet",
                f"giskard=={VERSION}",
                "transformers",
                "setuptools<81",
                *pins,
            ],
        ]
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(" ".join((done.stderr or done.stdout).split())[-300:])
        (folder / "installed").touch()
    return python


def giskard(quick: bool) -> Iterator[Line]:
    """One line, or the reason why there is none."""
    try:
        python = environment(default_folder() / f"giskard-{VERSION}")
    except (RuntimeError, OSError) as error:
        yield Line(WHAT, "≥ 10 ×", f"skipped: it cannot be installed here ({error})")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _, seconds, _, record = audit(POLICY, folder)
        training = sum(
            phase["seconds"] for phase in record["energy"]["phases"] if phase["name"] in ("fine-tune", "alternatives")
        )
        own = record["scoring"]["forward_passes"] / (seconds - training)
        rows = 100 if quick else record["data"]["test"]["rows"]
        model = next(
            path.parent for path in (folder / "cache").glob("models/*/config.json") if "Bert" in path.read_text("utf-8")
        )
        command = [str(python), "-c", SCAN, str(model), str(DATA / "sst2_test.csv"), str(rows)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=_plain_environment())
    said = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not said:
        yield Line(WHAT, "≥ 10 ×", f"skipped: its scan ended with an error ({' '.join(done.stderr.split())[-300:]})")
        return
    theirs = json.loads(said[0].removeprefix("RESULT "))
    rate = theirs["predictions"] / theirs["whole"]
    note = (
        f" ({own:,.0f} against {rate:,.0f} a second: {record['scoring']['forward_passes']:,} predictions in "
        f"{seconds - training:.0f} s against {theirs['predictions']:,} in {theirs['whole']:.0f} s, of which the "
        f"model took {theirs['seconds']:.0f} s; it names {theirs['issues']} issues)"
    )
    yield at_least(WHAT, 10, own / rate, digits=1, note=note)


def _plain_environment() -> dict[str, str]:
    """Without what belongs to this Python, and without anything to be sent anywhere."""
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return kept | {"GSK_DISABLE_ANALYTICS": "true", "GISKARD_TELEMETRY_OPT_OUT": "1", "HF_HUB_OFFLINE": "1"}
