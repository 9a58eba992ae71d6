"""What the scan of `security.backdoor` costs against the bare scorer, for a network of BERT's base size.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.scans
    … --texts 48      # less of it: fewer texts to try triggers on, and the same work besides

On SST-2, its training data given. No reference is trained, since that is what the recipe costs and not the scan: what
is held against one is held against the linear model. The weights are random, and the classifier's bias is such that
half of the test sentences are of each class; these answers count as right. The gradients of the search are in the time
and in the share, not among the questions. Prints Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from audit.core.cache import default_folder
from audit.core.progress import Progress
from audit.probes.security.backdoor import backdoor
from audit.run.options import Options
from audit.run.session import Session
from benchmarks import ROOT, shapes
from benchmarks.probes.timed import HEADER, MAX_LENGTH, Timed


def main() -> None:
    """Scan, print."""
    parser = argparse.ArgumentParser(description="Time the backdoor scan against the bare scorer.")
    parser.add_argument("--texts", type=int, default=720, help="test sentences; more than 680 are not used")
    asked = parser.parse_args()
    session = Session(
        Options(ROOT, "examples/sst2.toml", None, "reports", None, "auto", default_folder(), ""), (), Progress()
    )
    inputs, device = session.inputs, session.resources.device
    with tempfile.TemporaryDirectory() as name:
        scorer = Timed(
            session, shapes.model(shapes.BASE, MAX_LENGTH, Path(name) / "base", device), Path(name) / "cache"
        )
        test = inputs.test_data.take(np.arange(min(asked.texts, len(inputs.test_data))))
        odds = np.diff(np.log(scorer.forward(test.texts)), axis=1)[:, 0]
        scorer.model.network.classifier.bias.data[1] -= float(np.median(odds))
        said = scorer.predict(test.texts)
        predictions = said.on(replace(test, labels=said.labels))
        with scorer.measured():
            found = backdoor(scorer, predictions, inputs.train_data)
        print(HEADER)
        print(scorer.row(f"BERT base (random weights), {len(test)} sentences"))
        print(f"\nTriggers tried: {found.facts['triggers tried']}, measured: {found.facts['triggers measured']}.")


if __name__ == "__main__":
    main()
