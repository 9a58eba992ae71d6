"""The bench of planted defects: what its file comes to, and that nothing in it is made again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.core.cache import Cache
from audit.probes import catalogue
from audit.statistics import proportion
from benchmarks.defects import table
from benchmarks.defects.__main__ import cells, run
from benchmarks.defects.findings import BROAD, gate
from benchmarks.defects.planted import DEFECTS, SHARED
from benchmarks.probes.backdoors import read

FINDING = "privacy.train_test_overlap"


def _line(
    key: str, strength: float, seed: int, verdict: str, finding: str = FINDING, other: str = "pass"
) -> table.Line:
    found = {finding: {"verdict": verdict}, "quality.accuracy": {"verdict": other}}
    about = {"data": "reviews", "commit": "abc", "date": "2026-11-30"}
    return {"defect": key, "strength": strength, "seed": seed, "findings": found, **about}


@pytest.fixture
def lines() -> list[table.Line]:
    """Of twenty copies at each strength three and nineteen are caught, and one of twenty clean twins is."""
    verdicts = {0.0: ["fail"] + ["pass"] * 19, 0.02: ["fail"] * 3 + ["pass"] * 16 + ["inconclusive"]}
    verdicts[0.05] = ["fail"] * 18 + ["refused", "pass"]
    return [
        _line("copied-0", strength, seed, verdict, other="fail" if strength == 0.05 else "pass")
        for strength, found in verdicts.items()
        for seed, verdict in enumerate(found)
    ]


def test_the_table_counts_verdicts_with_exact_intervals(lines: list[table.Line]) -> None:
    weak, strong = (row for row in table.markdown(lines).splitlines() if row.startswith("| test texts in training |"))
    _, low, high = proportion(3, 20)
    assert f"3 of 20: 0.150 [{low:.3f}, {high:.3f}] | 1 | 16 |" in weak
    # A refusal stops the release as a failed gate does.
    assert "19 of 20: 0.950" in strong
    assert "`quality.accuracy` 20" in strong
    assert "`quality.accuracy`" not in weak
    assert all(
        "| 5 % of the test texts |" in row.split("| 0 |")[-1] or "5 % of the test texts" in row
        for row in (weak, strong)
    )
    assert f"| copied-0 | `{FINDING}` | ≤ 0.01 | 1 of 20: 0.050" in table.markdown(lines)


def test_the_smallest_strength_is_one_from_which_on_all_are_caught(lines: list[table.Line]) -> None:
    assert table.smallest(lines, "copied-0", FINDING) == "5 % of the test texts"
    missed = [line | {"findings": {FINDING: {"verdict": "pass"}}} for line in lines if line["strength"] == 0.05]
    assert not table.smallest([*lines, *missed], "copied-0", FINDING)


def test_what_is_published_keeps_the_rows_of_others(lines: list[table.Line], tmp_path: Path) -> None:
    path = tmp_path / "power.json"
    other = {"finding": "quality.drift[production]", "defect": "other topics", "caught": 1}
    former = {"finding": FINDING, "defect": DEFECTS["copied-0"].name, "caught": 0}
    path.write_text(json.dumps([other, former]), "utf-8")
    table.publish(lines, path)
    kept, *made = json.loads(path.read_text("utf-8"))
    weak, strong = (row for row in made if row["finding"] == FINDING)
    assert kept == other
    # What the benchmark of backdoors has in its file is told along.
    assert all(row["clean"] > 0 and row["of"] >= row["caught"] for row in made)
    assert "a sentence in training texts" in {row["defect"] for row in made}
    assert (weak["strength"], weak["caught"], weak["of"]) == ("2 % of the test texts", 3, 20)
    assert (strong["caught"], strong["alarms"], strong["clean"], strong["gate"]) == (19, 1, 20, 0.01)
    assert weak["order"] < strong["order"]


def test_what_is_not_caught_at_every_strength_is_published_too(lines: list[table.Line]) -> None:
    assert len(table.published(lines)) == 2
    assert not table.published([line for line in lines if line["strength"]])  # without clean twins nothing is said
    assert not table.published([line for line in lines if line["seed"] < 2])  # nor of two cases


def test_a_case_is_made_measured_and_not_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = cells(["copied-0"], is_quick=False, has_data=False)
    assert wanted == [("copied-0", 0.0), ("copied-0", 0.02), ("copied-0", 0.05)]
    out = tmp_path / "defects.jsonl"
    run(out, Cache(tmp_path / "kept"), range(1), wanted, None)
    clean, weak, strong = (line["findings"][FINDING] for line in read(out))
    assert (clean["verdict"], clean["estimate"]) == ("pass", 0.0)
    assert weak["estimate"] == pytest.approx(0.02)
    assert (strong["verdict"], strong["estimate"]) == ("fail", pytest.approx(0.05))
    assert {line["trainings"] for line in read(out)} == {0}
    before = out.read_bytes()
    run(out, Cache(tmp_path / "kept"), range(1), wanted, None)
    assert out.read_bytes() == before
    capsys.readouterr()


def test_every_finding_is_of_the_catalogue_and_every_defect_has_its_twin() -> None:
    known = {probe.id for probe in catalogue.probes()}
    for key, defect in DEFECTS.items():
        assert defect.twin in (*SHARED, *DEFECTS), key
        assert min(defect.strengths) > 0, key
        for finding in (*defect.caught_by, *BROAD):
            assert finding.partition("[")[0] in known
            assert gate(finding, defect.data).bound is not None
    # Nobody's fault is told under two names, and no two under one.
    assert len({(defect.name, defect.caught_by) for defect in DEFECTS.values()}) == len(DEFECTS)
