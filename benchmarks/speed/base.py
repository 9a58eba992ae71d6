"""An audit of a loaded model with all examples and with looks, and what BERT base would take for the same passes.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.base examples/sst2-minilm.toml --cache FOLDER   # has the trained model

The policy's model is trained, or taken from the cache, and then audited as one that is only loaded: nothing else is
trained. Both audits begin without any answer. A network of BERT base's shape and the audited one answer every tenth
test text in turn; by that ratio the seconds of the forward passes and gradients are scaled up. The rest is as measured:
to measure electricity takes any model as long. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

from audit.core.cache import Cache, default_folder
from audit.core.progress import Progress
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.policy import toml
from audit.run.options import Options
from audit.run.session import Session
from benchmarks import ROOT
from benchmarks.shapes import BASE, save, seconds

NETWORK = ("score", "gradients", "measure latency")  # phases that are longer where the network is larger
TURNS = 3


def ratio(session: Session, folder: Path) -> tuple[float, float, float]:
    """Seconds of a test text of the audited model and of BERT base, and the latter over the former."""
    model, texts = session.models.model, session.inputs.test_data.texts[::10]
    base = save(BASE, model.max_length, folder / "base", model.tokenizer, model.labels)
    networks = model, Model(BASE.name, base, model.labels, model.max_length, model.device)
    work = session.resources.meter, Progress()
    scorers = [Scorer(each, Cache(folder / "cache"), *work) for each in networks]
    for scorer in scorers:
        scorer.forward(texts[:16])
    taken = [[seconds(lambda s=scorer: s.forward(texts)) for scorer in scorers] for _ in range(TURNS)]  # type: ignore[misc]
    own, others = (statistics.median(column) / len(texts) for column in zip(*taken, strict=True))
    return own, others, others / own


def audited(policy: Path, folder: Path, stopping: str) -> dict[str, Any]:
    """The record of an audit of the loaded model without any answer, and its seconds."""
    values = tomllib.loads(policy.read_text("utf-8"))
    values.setdefault("audit", {})["stopping"] = stopping
    (folder / f"{stopping}.toml").write_text(toml.document(values), "utf-8")
    command = [sys.executable, "-m", "pytest", "suites/", "-q", "-p", "no:cacheprovider"]
    command += ["--audit-policy", f"{folder}/{stopping}.toml", "--audit-cache", f"{folder}/{stopping}"]
    command += ["--audit-out", f"{folder}/out-{stopping}"]
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode
    if code not in (0, 1):
        sys.exit(f"{policy}: the audit ended with exit status {code}")
    record: dict[str, Any] = json.loads((folder / f"out-{stopping}" / "audit.json").read_text("utf-8"))
    return {**record, "seconds": time.monotonic() - started}


def main() -> None:
    """Audit twice, print what BERT base would take."""
    parser = argparse.ArgumentParser(description="What an audit takes with all examples, with looks, and of BERT base.")
    parser.add_argument("policy")
    parser.add_argument("--only", choices=("full", "settled"), help="one of the two audits")
    parser.add_argument("--cache", type=Path, default=default_folder(), help="folder with the trained model")
    asked = parser.parse_args()
    session = Session(Options(ROOT, asked.policy, cache=asked.cache), (), Progress())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = tomllib.loads((ROOT / asked.policy).read_text("utf-8"))
        values["model"].pop("finetune")
        values["model"]["source"] = str(session.models.model.folder)
        policy = folder / "loaded.toml"
        policy.write_text(toml.document(values), "utf-8")
        own, base, times = ratio(session, folder)
        print(f"A test text takes {1000 * own:.1f} ms of the audited model, {1000 * base:.1f} ms of BERT base.\n")
        print("| stopping | forward passes | of all | seconds | of them network | BERT base, minutes | gates settled |")
        print("| --- " * 7 + "|")
        passes = dict[str, int]()
        for stopping in [asked.only] if asked.only else ("full", "settled"):
            record = audited(policy, folder, stopping)
            passes[stopping] = record["scoring"]["forward_passes"]
            network = sum(each["seconds"] for each in record["energy"]["phases"] if each["name"] in NETWORK)
            minutes = (record["seconds"] + (times - 1) * network) / 60
            gated = [each for each in record["findings"] if each["gate"]]
            settled = sum(each["verdict"] in ("pass", "fail", "not_exceeded") for each in gated)
            share = f"{passes[stopping] / passes['full']:.2f}" if "full" in passes else "–"
            print(
                f"| {stopping} | {passes[stopping]:,} | {share} | "
                f"{record['seconds']:.0f} | {network:.0f} | {minutes:.0f} | {settled} of {len(gated)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
