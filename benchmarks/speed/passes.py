"""What the attack and the explanations ask of a model, each from an empty cache of answers: passes and seconds.

    AUDIT_TEST_DATA=… python -m benchmarks.speed.passes examples/sst2.toml examples/sst2-minilm.toml
    … --settled            # stopped as soon as the policy's gate, alarm or precision is settled
    … --cache FOLDER       # trained models come from there or go there

Passes are those beyond the predictions on the test texts. Prints Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from audit import Measurement
from audit.core.cache import Cache, default_folder
from audit.core.probe import stopped_by
from audit.core.progress import Progress
from audit.inference.predictions import Predictions
from audit.inference.scorer import Scorer
from audit.policy.policy import Policy
from audit.probes.security.adversarial import adversarial
from audit.probes.transparency.explanations import explanations
from audit.run.options import Options
from audit.run.session import Session
from audit.run.stopping import Stopping
from benchmarks import ROOT

HEADER = (
    "| policy | probe | forward passes | processor, s | share | what it says |\n| --- | --- | --- | --- | --- | --- |"
)
PROBES: tuple[Callable[[Scorer, Predictions], Measurement], ...] = (adversarial, explanations)


def row(session: Session, policy: Policy, probe: Callable[[Scorer, Predictions], Measurement], name: str) -> str:
    """One probe on a policy's model, of which nothing but the test texts' predictions is known."""
    resources, test = session.resources, session.inputs.test_data
    with tempfile.TemporaryDirectory() as folder:
        scorer = Scorer(session.models.model, Cache(Path(folder)), resources.meter, Progress())
        predictions = scorer.predict(test.texts).on(test)
        before, started = scorer.counts.forward_passes, time.process_time()
        with stopped_by(Stopping(policy)):
            found = probe(scorer, predictions)
        passes, seconds = scorer.counts.forward_passes - before, time.process_time() - started
    share = f"{found.estimate:.3f} [{found.low:.3f}, {found.high:.3f}]"
    return f"| `{name}` | `{found.id}` | {passes:,} | {seconds:.1f} | {share} | {found.summary} |"


def main() -> None:
    """Measure both probes for each policy, print."""
    parser = argparse.ArgumentParser(description="Count what the attack and the explanations ask of a model.")
    parser.add_argument("policies", nargs="+")
    parser.add_argument("--settled", action="store_true", help="stop early; by default all examples are asked about")
    parser.add_argument("--cache", type=Path, default=default_folder(), help="folder with trained models")
    asked = parser.parse_args()
    print(HEADER)
    for name in asked.policies:
        session = Session(Options(ROOT, name, None, "reports", None, "auto", asked.cache, ""), (), Progress())
        stopping = session.policy.audit.model_copy(update={"stopping": "settled" if asked.settled else "full"})
        policy = session.policy.model_copy(update={"audit": stopping})
        for probe in PROBES:
            print(row(session, policy, probe, name), flush=True)


if __name__ == "__main__":
    main()
