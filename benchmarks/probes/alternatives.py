"""Whether a smaller model would do: what others of the same task reach beside the audited one, and what they take.

    AUDIT_TEST_DATA=… python -m benchmarks.probes.alternatives                       # IMDB and SST-2
    AUDIT_TEST_DATA=… python -m benchmarks.probes.alternatives examples/sst2.toml --rows 300   # a quick look

For each policy a Markdown table for `benchmarks/README.md`, with 95 % intervals: accuracy; the paired difference to the
audited model; electricity and seconds of the training, on the examples that the audited model saw; electricity of 1,000
predictions, widened where the power is estimated; time of single test texts on one core; bytes to ship; numbers learnt.
Everything is kept in `--cache`, so that a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from audit import statistics
from audit.core.progress import Progress
from audit.experiments.alternatives import Alternative
from audit.probes.environment.environment import inference_energy, training_energy
from audit.run.options import Options
from audit.run.session import Session
from benchmarks import ROOT

POLICIES = ("examples/imdb.toml", "examples/sst2.toml")
COLUMNS = (
    "model", "accuracy", "difference to the audited", "training, Wh", "training, s", "Wh per 1,000 predictions",
    "median, ms", "95th percentile, ms", "MB", "parameters",
)  # fmt: skip


def interval(values: tuple[float, float, float] | statistics.Interval, digits: int = 3, sign: str = "") -> str:
    """An estimate with its interval."""
    estimate, low, high = (f"{value:{sign}.{digits}f}" for value in values)
    return f"{estimate} [{low}, {high}]"


def row(each: Alternative, audited: Alternative) -> list[str]:
    """The table's row of one model."""
    right = each.predictions.correct
    difference = statistics.paired_difference(*statistics.discordant(right, audited.predictions.correct))
    energy = inference_energy(each.inference)
    training = [] if each.training is None else [training_energy(each.training)]
    return [
        each.name,
        interval(statistics.proportion(int(right.sum()), len(right))),
        "" if each is audited else interval(difference, sign="+"),
        "".join(f"{1000 * made.estimate:.3g}" for made in training),
        "".join(f"{float(str(made.facts['seconds'])):.0f}" for made in training),
        interval((energy.estimate, energy.low, energy.high), 4),
        f"{1000 * each.latency['median_s']:.2f}",
        f"{1000 * each.latency['p95_s']:.2f}",
        f"{each.size / 1e6:.1f}",
        f"{each.parameters:,}",
    ]


def session(policy: str, cache: Path, rows: int) -> Session:
    """An audit of the policy; with `rows` on a sample of so many examples of each split."""
    made = Session(Options(ROOT, policy=policy, cache=cache), (), Progress(sys.stderr.write, live=sys.stderr.isatty()))
    inputs = made.inputs
    for role, examples in (("train_data", inputs.train_data), ("test_data", inputs.test_data)):
        if examples is not None and 0 < rows < len(examples):
            setattr(inputs, role, replace(examples, protocol=replace(examples.protocol, max_examples=rows)).sample())
    return made


def main() -> None:
    """Print a table for each policy."""
    parser = argparse.ArgumentParser(description="Hold the audited model against others of the same task.")
    parser.add_argument("policies", nargs="*", default=POLICIES)
    parser.add_argument("--rows", type=int, default=0, help="a sample of so many examples of each split; 0: all")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="kept; default: a folder for this run only")
    asked = parser.parse_args()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    with tempfile.TemporaryDirectory() as name:
        for policy in asked.policies:
            audited = session(policy, asked.cache or Path(name), asked.rows)
            found = audited.models.alternatives(audited.models.scorer(audited.models.model))
            source = found.made[0].inference["source"]
            print(f"\n`{policy}`, {len(audited.inputs.test_data):,} test texts, electricity {source}\n")
            print(f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}")
            for each in found.made:
                print(f"| {' | '.join(row(each, found.made[0]))} |")
            print("".join(f"\nLeft out, {kind}: {reason}." for kind, reason in found.left_out.items()), flush=True)
            audited.close()


if __name__ == "__main__":
    main()
