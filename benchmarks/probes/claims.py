"""What an audit found of the document's claims: the lines of README and the tables of `benchmarks/README.md`.

    AUDIT_TEST_DATA=… pytest suites/claims/ --audit-policy examples/claims-minilm.toml --audit-out reports/claims
    python -m benchmarks.probes.claims reports/claims

First a line for each claim, as it stands in README: outcome, the claim's own figure, and what it says. Then Markdown
tables, all from the record: the claims with their parts, the learning curves, what an accuracy takes, and what all the
trainings took.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from audit.core import numbers
from audit.core.evidence import Cell, Table, from_json
from audit.core.records import FindingRecord, Record
from audit.core.sentences import from_json as sentence
from audit.probes.claims.claims import transfer_learning
from audit.record import record


def claims(audit: Record) -> list[FindingRecord]:
    """The claims that were put to the test, those first that reached an outcome."""
    found = [each for each in audit["findings"] if each["challenge"] == "claims"]
    return sorted(found, key=lambda each: "outcome" not in each)


def figure(finding: FindingRecord) -> str:
    """A claim's own figure with its interval."""
    return numbers.figures((finding["estimate"], finding["low"], finding["high"]), unit=finding["unit"]).interval


def lines(audit: Record) -> Iterator[str]:
    """A line for each claim; of one without an outcome why it has none."""
    found = claims(audit)
    width = max(len(each["id"]) for each in found)
    for each in found:
        if outcome := each.get("outcome"):
            yield f"{outcome.upper():<13} {each['id']:<{width}}  {figure(each)} {each['title'].lower()}"
        else:
            yield f"{'NOT ASSESSED':<13} {each['id']:<{width}}  {sentence(each['reason'])}"


def tables(finding: FindingRecord, caption: str = "") -> Iterator[Table]:
    """The tables of a finding whose captions begin so."""
    for piece in map(from_json, finding["evidence"]):
        if isinstance(piece, Table) and piece.caption.startswith(caption):
            yield piece


def written(cell: Cell) -> str:
    """A cell as Markdown has it: three places behind the point, fewer of what is large, more of what is small."""
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3f}" if abs(cell) >= 0.01 else f"{cell:.2g}"
    return "" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def markdown(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Iterator[str]:
    """A table; a column with its ``low`` and ``high`` behind it becomes one."""
    ends = [i for i, name in enumerate(columns) if name == "low"]
    kept = [i for i in range(len(columns)) if i not in ends and i - 1 not in ends]
    yield f"| {' | '.join(columns[i] for i in kept)} |"
    yield f"|{' --- |' * len(kept)}"
    for row in rows:
        cells = [
            f"{written(row[i])} [{written(row[i + 1])}, {written(row[i + 2])}]"
            if i + 1 in ends and row[i + 1] is not None
            else written(row[i])
            for i in kept
        ]
        yield f"| {' | '.join(cells)} |"


def measured(finding: FindingRecord) -> str:
    """What a claim rests on: its parts where there are several, else its one figure; then the finding in words."""
    parts = [
        f"{name}: {written(estimate)} [{written(low)}, {written(high)}] ({outcome})"
        for table in tables(finding, "Parts")
        for name, estimate, low, high, _, outcome in table.rows
    ]
    told = sentence(finding.get("summary", ""))
    return f"{'; '.join(parts) or figure(finding)}. {told}"


def trainings(audit: Record) -> str:
    """What all trainings took, those that a former run had made among them."""
    energy = audit["energy"]
    made = [each for each in (*energy["phases"], *energy["kept"]) if each["name"] in ("claims", "fine-tune")]
    return f"{sum(each['seconds'] for each in made) / 60:.0f} minutes, {sum(each['kwh'] for each in made):.3f} kWh"


def main() -> None:
    """Print all of it."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: python -m benchmarks.probes.claims OUT\n\n{__doc__}")
    audit = record.read(Path(sys.argv[1]) / record.NAME)
    for line in lines(audit):
        print(f"    {line}")
    print("\n| claim | measured | outcome |\n| --- | --- | --- |")
    for each in claims(audit):
        if outcome := each.get("outcome"):
            print(f"| {each['title']} | {measured(each)} | {outcome} |")
    for each in claims(audit):
        if each["id"] == transfer_learning.id:
            for table in (*tables(each, "Learning curves"), *tables(each, "What an accuracy takes")):
                print(f"\n{table.caption}:\n")
                print(*markdown(table.columns, table.rows), sep="\n")
    print(f"\nAll trainings: {trainings(audit)}.")


if __name__ == "__main__":
    main()
