"""What the file of planted defects comes to: tables in Markdown, and the figures that reports show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from audit.core.numbers import interval
from audit.statistics import proportion
from benchmarks.defects import elsewhere
from benchmarks.defects.findings import gate
from benchmarks.defects.planted import DEFECTS

# A refusal to audit at all (exit code 4) stops the release, too.
CAUGHT = ("fail", "refused")
CLEAR = ("pass", "not_exceeded")
POWER = 0.95
# What reports show was tried so often at least: a share of one or two cases says nothing.
FEWEST = 3
Line = dict[str, Any]


def verdicts(lines: Iterable[Line], finding: str) -> Counter[str]:
    """How often a finding had each verdict: ``fail``, ``inconclusive``, ``pass``, and any other."""
    told = (line["findings"][finding]["verdict"] for line in lines if finding in line["findings"])
    return Counter("fail" if each in CAUGHT else "pass" if each in CLEAR else each for each in told)


def of(lines: Iterable[Line], key: str, strength: float) -> list[Line]:
    """The lines of a cell."""
    return [line for line in lines if (line["defect"], line["strength"]) == (key, strength)]


def _share(hits: int, n: int) -> str:
    return f"{hits} of {n}: {interval(*proportion(hits, n))}"


def _cells(count: Counter[str]) -> list[str]:
    """FAIL with its exact interval, INCONCLUSIVE, PASS, and whatever else."""
    n = count.total()
    rest = {name: number for name, number in count.items() if name not in ("fail", "inconclusive", "pass")}
    other = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in rest.items())
    return [_share(count["fail"], n), str(count["inconclusive"]), str(count["pass"]) + (f"; {other}" if other else "")]


def smallest(lines: Sequence[Line], key: str, finding: str) -> str:
    """The smallest strength that, and every larger one, a finding caught in at least 95 % of cases; empty: none."""
    found = ""
    for strength, name in sorted(DEFECTS[key].strengths.items(), reverse=True):
        count = verdicts(of(lines, key, strength), finding)
        if not count.total() or count["fail"] < POWER * count.total():
            break
        found = name or "yes"
    return found


def others(lines: Sequence[Line], key: str, strength: float) -> str:
    """Which findings that need not catch it alarmed, and in how many cases."""
    alarmed: Counter[str] = Counter()
    for line in of(lines, key, strength):
        named = (
            name
            for name, each in line["findings"].items()
            if name not in DEFECTS[key].caught_by and each["verdict"] in CAUGHT
        )
        alarmed.update(named)
    return ", ".join(f"`{name}` {n}" for name, n in alarmed.most_common())


def markdown(lines: Sequence[Line]) -> str:
    """Both tables."""
    return "\n".join([*_planted(lines), "", *_clean(lines)])


def _planted(lines: Sequence[Line]) -> Iterator[str]:
    yield "| planted | strength | finding | gate | FAIL | INCONCLUSIVE | PASS | 95 % from | others that alarmed |"
    yield "|" + " --- |" * 9
    for key, defect in DEFECTS.items():
        for strength, name in defect.strengths.items():
            some = of(lines, key, strength)
            for i, finding in enumerate(defect.caught_by if some else ()):
                cells = [
                    defect.name,
                    name,
                    f"`{finding}`",
                    str(gate(finding, defect.data)),
                    *_cells(verdicts(some, finding)),
                    smallest(lines, key, finding) or "–",
                    "" if i else others(lines, key, strength),
                ]
                yield f"| {' | '.join(cells)} |"


def _clean(lines: Sequence[Line]) -> Iterator[str]:
    yield "| clean twin | finding | gate | FAIL | INCONCLUSIVE | PASS |"
    yield "|" + " --- |" * 6
    for key in dict.fromkeys(line["defect"] for line in lines if not line["strength"]):
        some = of(lines, key, 0.0)
        for finding in dict.fromkeys(name for line in some for name in line["findings"]):
            told = f"`{finding}`", str(gate(finding, some[0]["data"])), *_cells(verdicts(some, finding))
            yield f"| {key} | {' | '.join(told)} |"


def published(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """What reports show, a row for each defect, strength and finding that must catch it.

    ``alarms`` of ``clean`` twins failed the same gate; ``order`` puts the strengths of a defect by size.
    """
    rows = []
    for key, defect in DEFECTS.items():
        for finding in defect.caught_by:
            clean = verdicts(of(lines, defect.twin, 0.0), finding)
            for strength, name in defect.strengths.items():
                some = of(lines, key, strength)
                count = verdicts(some, finding)
                if min(count.total(), clean.total()) < FEWEST:
                    continue
                rows.append(
                    {
                        "finding": finding.partition("[")[0] if _is_of_group(finding) else finding,
                        "defect": defect.name,
                        "strength": name,
                        "order": strength,
                        "caught": count["fail"],
                        "of": count.total(),
                        "passed": count["pass"],
                        "alarms": clean["fail"],
                        "clean": clean.total(),
                        "gate": gate(finding, defect.data).bound,
                        "commit": some[-1]["commit"],
                        "date": some[-1]["date"],
                    }
                )
    return rows


def _is_of_group(finding: str) -> bool:
    """Whether its bracket is a column of this benchmark's own, which no reader has."""
    names = (
        "accuracy_gap",
        "worst_group_accuracy",
        "demographic_parity",
        "equalized_odds",
        "regression",
        "attribute_leakage",
    )
    return finding.partition("[")[0].partition(".")[2] in names


def publish(lines: Sequence[Line], path: Path) -> None:
    """Write the figures that reports show; rows about what neither this file nor its neighbours plant stay."""
    made = [*elsewhere.rows(), *published(lines)]
    ours = {row["defect"] for row in made} | {defect.name for defect in DEFECTS.values()}
    kept = [row for row in json.loads(path.read_text("utf-8")) if row["defect"] not in ours] if path.exists() else []
    rows = [json.dumps(row, ensure_ascii=False) for row in (*kept, *made)]
    path.write_text("[\n  " + ",\n  ".join(rows) + "\n]\n", encoding="utf-8")
