"""The card in a model's folder: what counts as told, and that a hostile one only costs what it is worth."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData

from audit import Gate, Measurement, Verdict, judge
from audit.models import model_card
from audit.probes.transparency import transparency
from audit.report.exports import model_card as audits_card
from tests.report.page.test_page import finding, odds, record

FULL = """---
license: mit
language: [en]
datasets: [stanfordnlp/sst2]
co2_eq_emissions: {emissions: 12}
model-index:
- name: mine
  results:
  - task: {type: text-classification}
    dataset: {name: SST-2, type: stanfordnlp/sst2}
    metrics: [{type: accuracy, value: 0.81}]
---
# My classifier
Tells praise from blame in sentences about films.

- **Developed by:** the search team, search@example.org

## Intended uses & limitations
Sorting of reviews by people who read them anyway. Irony is often missed.

### Out-of-scope use
Judging the people who wrote them.

## Ethical considerations
Reviews by learners of English are read worse.
"""
ALL = [fact.name for fact in transparency.FACTS]


def missing(text: str | bytes) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    (table,) = measured(content).tables
    return [str(row[0]) for row in table.rows if row[1] == "missing"]


def measured(content: bytes) -> Measurement:
    return transparency.model_card(model_card.parse(content))


def test_a_full_card_passes_and_none_fails() -> None:
    assert missing(FULL) == []
    assert judge(measured(FULL.encode()), Gate(max=0))[0] == Verdict.PASS
    none = transparency.model_card(model_card.Card(exists=False))
    assert (none.low, none.estimate, none.high, none.n) == (12, 12, 12, 12)
    assert judge(none, Gate(max=0))[0] == Verdict.FAIL
    assert none.summary == "The model has no card: none of the 12 facts is told."


def test_the_hubs_empty_template_tells_nothing() -> None:
    assert missing(str(ModelCard.from_template(ModelCardData()))) == ALL


@pytest.mark.parametrize(
    ("told", "of"),
    [
        ("license: mit", {"licence"}),
        ("language: no", {"language of the texts"}),  # Norwegian, for YAML a truth value
        ("## Uses\n### Direct Use\nSorting.", {"intended use"}),
        ("## Uses\n### Out-of-Scope Use\nJudging.", {"uses it is not made for"}),
        ("## Not intended uses\nJudging.", {"uses it is not made for"}),
        ("## Training and evaluation data\nSST-2.", {"training data", "evaluation data"}),
        ("## Bias, Risks, and Limitations\nSome.", {"limits and risks", "biases and ethical considerations"}),
        ("Limitations\n-----------\nSome.", {"limits and risks"}),
        ("**Limitations**\n\nSome.", {"limits and risks"}),
        ("<h2>Limitations</h2>\nSome.", {"limits and risks"}),
        ("## Facts\n| what | is |\n|---|---|\n| License | MIT |", {"licence"}),
        ("## Results\n| metric | value |\n|---|---|\n| accuracy | 0.8 |", {"results of the evaluation"}),
    ],
)
def test_a_fact_is_found_by_heading_label_or_metadata(told: str, of: set[str]) -> None:
    text = f"---\n{told}\n---\n" if told.startswith("l") else f"# A\n## B\n{told}\n"
    assert set(ALL) - set(missing(text)) == of


@pytest.mark.parametrize(
    "nothing",
    ["", "TODO", "[More Information Needed]", "N/A", "<!-- what it cannot do -->", "- ", "| a | b |\n|---|---|", "…",
     "![badge](https://example.org/x.svg)", "```\n```", "### Licence\nMIT"],
)  # fmt: skip
def test_a_heading_with_nothing_below_it_tells_nothing(nothing: str) -> None:
    assert "limits and risks" in missing(f"# A\n## Limitations\n{nothing}\n")


def test_what_the_audit_wrote_tells_results_and_emissions_alone() -> None:
    written = audits_card.write(record(finding(), odds()), None, "README.md")
    told = set(ALL) - set(missing(written))
    assert told == {"evaluation data", "results of the evaluation", "energy, emissions or computing resources"}


@pytest.mark.parametrize(
    ("front", "says"),
    [
        ("license: [", "not valid YAML"),
        ("[" * 50_000, "nested too deeply"),
        ("a: &a [x]\nlicense: *a", "from one place to another"),
        ("license: !!python/object/apply:os.system [touch owned]", "not valid YAML"),
        ("- license", "no list of names and values"),
        ("license: " + "x" * (1 << 18), "too long"),
    ],
)
def test_damaged_or_hostile_metadata_are_missing_and_said_so(front: str, says: str) -> None:
    text = f"---\n{front}\n---\n# A\n## Limitations\nSome.\n"
    assert {"licence"} < set(missing(text)) < set(ALL)
    assert says in measured(text.encode()).summary


@pytest.mark.slow("reads a megabyte", seconds=2)
def test_a_card_of_any_bytes_is_read_as_far_as_a_megabyte() -> None:
    for content in (b"\xff\xfe\x00" * 1_000, b"|" * (2 << 20), b" " * (1 << 20) + b"a", b"<!--" * 100_000):
        assert "licence" in missing(content)
    assert missing("x\n" * (1 << 20) + FULL) == ALL[1:]
    row = measured(b"## Limitations \x1b[31m<script>\nSome.\n").tables[0].rows[9]
    assert row[:2] == ["limits and risks", "Limitations ⟨U+001B⟩[31m<script>"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "secret").write_text(FULL, "utf-8")
    (tmp_path / "model" / "README.md").symlink_to(tmp_path / "secret")
    found = transparency.model_card(model_card.read(tmp_path / "model"))
    assert found.estimate == 12
    assert "leads out" in found.summary
    (tmp_path / "model" / "README.md").unlink()
    assert not model_card.read(tmp_path / "model").exists
    (tmp_path / "model" / "README.md").write_text(FULL, "utf-8")
    assert transparency.model_card(model_card.read(tmp_path / "model")).estimate == 0
