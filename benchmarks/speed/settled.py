"""The same model audited with `stopping = "full"` and `"settled"`, over training seeds: verdicts, examples and passes.

    python -m benchmarks.speed.settled --out benchmarks/speed/settled.jsonl --seeds 0:20  # goes on where it stopped
    python -m benchmarks.speed.settled --out benchmarks/speed/settled.jsonl --table       # the table once more
    … --policy examples/sst2.toml                                           # another policy with a recipe

Each seed trains a model of its own; tests that measure in looks are run twice on it, each time without any answer in
the cache. A verdict that turned is one that was PASS and is FAIL, or the other way round; one left open is a gate that
all examples settle and looks do not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from audit.policy import toml
from benchmarks import ROOT
from benchmarks.speed.audits import DEMO

LOOKS = "perturbation or another_person or language_variety or behaviour or adversarial or explanations"
SETTLED = ("pass", "fail")


def policy_of(name: str, seed: int, stopping: str, folder: Path) -> Path:
    """A policy with another seed of its training."""
    values = tomllib.loads((ROOT / name).read_text("utf-8"))
    values["model"]["finetune"]["seed"] = seed
    values.setdefault("audit", {})["stopping"] = stopping
    path = folder / f"{stopping}.toml"
    path.write_text(toml.document(values), "utf-8")
    return path


def audited(policy: Path, cache: Path, out: Path, tests: str) -> tuple[dict[str, Any], float]:
    """The record of an audit of some tests, and its seconds of the processor."""
    command = [sys.executable, "-m", "pytest", "suites/", "-q", "-p", "no:cacheprovider", "-k", tests]
    command += ["--audit-policy", str(policy), "--audit-cache", str(cache), "--audit-out", str(out)]
    started = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode
    if code not in (0, 1):
        sys.exit(f"{policy}: the audit ended with exit status {code}")
    return json.loads((out / "audit.json").read_text("utf-8")), time.monotonic() - started


def line(name: str, seed: int) -> dict[str, Any]:
    """What both audits found of one model."""
    found: dict[str, Any] = {"policy": name, "seed": seed}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cache = folder / "cache"
        for stopping in ("full", "settled"):
            policy = policy_of(name, seed, stopping, folder)
            audited(policy, cache, folder / "trained", "test_accuracy")  # trains the model
            for path in cache.glob("rows.sqlite*"):
                path.unlink()
            record, seconds = audited(policy, cache, folder / stopping, LOOKS)
            found[stopping] = {
                "seconds": seconds,
                "passes": record["scoring"]["forward_passes"],
                "findings": {
                    each["id"]: {
                        "verdict": each["verdict"],
                        "figure": [value and round(value, 4) for value in map(each.get, ("estimate", "low", "high"))],
                        "gated": each["gate"] is not None,
                        "examples": each.get("stopped", {}).get("examples"),
                        "of": each.get("stopped", {}).get("of"),
                    }
                    for each in record["findings"]
                },
            }
    return found


def table(lines: list[dict[str, Any]]) -> None:
    """Print what the lines come to, by policy."""
    columns = (
        "policy", "models", "gates settled by all", "turned", "left open by looks", "settled by looks alone",
        "estimates of all outside the interval of looks", "examples", "passes, full", "settled", "ratio",
    )  # fmt: skip
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|")
    for name in dict.fromkeys(each["policy"] for each in lines):
        own = [each for each in lines if each["policy"] == name]
        counts: Counter[str] = Counter()
        for each in own:
            full, settled = (each[stopping]["findings"] for stopping in ("full", "settled"))
            for full_id, one in full.items():
                other = settled[full_id]
                if other["examples"]:
                    counts["examples"] += other["examples"]
                    counts["of"] += other["of"]
                low, estimate, high = other["figure"][1], one["figure"][0], other["figure"][2]
                if None not in (low, estimate, high):
                    counts["figures"] += 1
                    counts["outside"] += not low <= estimate <= high
                if not one["gated"]:
                    continue
                is_settled, was_settled = other["verdict"] in SETTLED, one["verdict"] in SETTLED
                counts["settled"] += was_settled
                counts["turned"] += is_settled and was_settled and one["verdict"] != other["verdict"]
                counts["lost"] += was_settled and not is_settled
                counts["won"] += is_settled and not was_settled
        passes = [sum(each[stopping]["passes"] for each in own) for stopping in ("full", "settled")]
        print(
            f"| `{name}` | {len(own)} | {counts['settled']} | {counts['turned']} | {counts['lost']} "
            f"({counts['lost'] / max(counts['settled'], 1):.1%}) | {counts['won']} | {counts['outside']} of "
            f"{counts['figures']} | {counts['examples'] / max(counts['of'], 1):.0%} | {passes[0]:,} | {passes[1]:,} | "
            f"{passes[1] / max(passes[0], 1):.2f} |"
        )


def main() -> None:
    """Audit what is not in the file yet, print the table."""
    parser = argparse.ArgumentParser(description="Hold settled audits against full ones.")
    parser.add_argument("--out", type=Path, required=True, help="one line of JSON for each model")
    parser.add_argument("--seeds", default="0:20", metavar="FROM:TO")
    parser.add_argument("--policy", default=DEMO)
    parser.add_argument("--table", action="store_true", help="audit nothing")
    asked = parser.parse_args()
    lines = [json.loads(each) for each in asked.out.read_text("utf-8").splitlines()] if asked.out.exists() else []
    first, _, last = asked.seeds.partition(":")
    for seed in () if asked.table else range(int(first), int(last)):
        if any((each["policy"], each["seed"]) == (asked.policy, seed) for each in lines):
            continue
        lines.append(line(asked.policy, seed))
        with asked.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(lines[-1]) + "\n")
    table(lines)


if __name__ == "__main__":
    main()
