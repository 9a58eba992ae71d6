"""Planted defects: how many the audit's gates catch, by kind and strength, and how often they alarm on clean twins.

    AUDIT_TEST_DATA=… python -m benchmarks.defects --out defects.jsonl --cache CACHE    # 20 seeds, about an hour
    … --cells bias,noise --seeds 0:5     # a part of it; what the file holds is not made again
    … --quick                            # two seeds on the embedded demo, at most a quarter of an hour
    … --table                            # only the tables, from the file
    … --publish audit/probes/power.json  # the figures that reports show; rows of other benchmarks there stay

Each line of the file has its seed, the commit that made it, and the verdict, estimate and interval of every finding
that the case was held against: those that must catch the defect, and whatever else is asked of every model.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from audit.core.cache import Cache
from benchmarks.defects import table
from benchmarks.defects.findings import all_of, broad
from benchmarks.defects.lab import DIFFICULTIES, Case, Lab
from benchmarks.defects.planted import DEFECTS, twin, twin_findings
from benchmarks.probes.backdoors import commit, read

QUICK_SEEDS = "0:2"


def cells(wanted: list[str], is_quick: bool, has_data: bool) -> list[tuple[str, float]]:
    """Defects and clean twins with their strengths, a defect right behind its twin; strength 0 is the twin."""
    chosen = {
        key: defect
        for key, defect in DEFECTS.items()
        if (not wanted or key in wanted) and (defect.data not in DIFFICULTIES or (has_data and not is_quick))
    }
    found: dict[tuple[str, float], None] = {}
    for key, defect in chosen.items():
        found[defect.twin, 0.0] = None
        strengths = [max(defect.strengths)] if is_quick else list(defect.strengths)
        found.update(dict.fromkeys((key, strength) for strength in strengths))
    return list(found)


def line(key: str, strength: float, lab: Lab) -> dict[str, Any]:
    """One case, made and measured: a line of the file."""
    started, trainings = time.process_time(), lab.trainings
    case: Case
    if strength:
        defect = DEFECTS[key]
        case, must, data = defect.make(lab, strength), list(defect.caught_by), defect.data
    else:
        case, must, data = twin(key, lab), twin_findings(key), key if key in DIFFICULTIES else "reviews"
    asked = [*must, *(broad(data) if case.scorer is not None and hasattr(case.scorer, "model") else [])]
    found = all_of(case, asked, lab, data)
    return {
        "defect": key,
        "strength": strength,
        "seed": lab.seed,
        "data": data,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "trainings": lab.trainings - trainings,
        "seconds": round(time.process_time() - started, 1),
        "findings": found,
    }


def run(out: Path, kept: Cache, seeds: range, wanted: list[tuple[str, float]], data: Path | None) -> None:
    """Make what the file lacks."""
    done = {(each["defect"], each["strength"], each["seed"]) for each in read(out)}
    for seed in seeds:
        left = [cell for cell in wanted if (*cell, seed) not in done]
        with tempfile.TemporaryDirectory() as folder:
            lab = Lab(seed, kept, Path(folder), data)
            for key, strength in left:
                made = line(key, strength, lab)
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(made) + "\n")
                verdicts = ", ".join(f"{name} {each['verdict']}" for name, each in made["findings"].items())
                print(f"{seed} {key} {strength:g} ({made['seconds']} s): {verdicts}", flush=True)


def main() -> None:
    """Make the runs that the file lacks, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines, one for each case; added to")
    parser.add_argument("--cache", type=Path, help="folder for base models")
    parser.add_argument("--seeds", help="first:last, the last left out; by default 0:20")
    parser.add_argument("--cells", default="", help=f"some of {', '.join(DEFECTS)}")
    parser.add_argument("--quick", action="store_true", help="the strongest of each, on the demo alone, two seeds")
    parser.add_argument("--table", action="store_true", help="only print the tables")
    parser.add_argument("--publish", type=Path, help="JSON file for the figures that reports show")
    asked = parser.parse_args()
    wanted = [name for name in asked.cells.split(",") if name]
    if unknown := set(wanted) - set(DEFECTS):
        parser.error(f"--cells: there is no defect {', '.join(sorted(unknown))}; there are {', '.join(DEFECTS)}")
    if not asked.table and not asked.publish:
        data = os.environ.get("AUDIT_TEST_DATA")
        first, last = map(int, (asked.seeds or (QUICK_SEEDS if asked.quick else "0:20")).split(":"))
        kept = Cache(asked.cache or asked.out.parent / "defects-cache")
        todo = cells(wanted, asked.quick, bool(data))
        run(asked.out, kept, range(first, last), todo, Path(data) if data else None)
    lines = read(asked.out)
    if asked.publish:
        table.publish(lines, asked.publish)
    print(table.markdown(lines))


if __name__ == "__main__":
    main()
