"""What README and `docs/` show of one audit, the pictures of its report and the lines quoted from its record.

    make figures                                     # SST-2 with MiniLM: the audit, then what follows from it
    python -m tools.figures reports/sst2-minilm      # of an audit that was made; wants Chromium

The last line quoted is the accuracy held against a gate within its interval: what no model that passes can show.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import floor
from pathlib import Path

from audit import statistics
from audit.core.identifiers import base_id
from audit.core.measurement import Measurement
from audit.core.records import FindingRecord, Record
from audit.core.verdict import Finding, Gate, judge
from audit.record import record
from audit.record.declarations import of_record
from audit.report import terminal
from tools import screenshot

README = screenshot.ROOT / "README.md"
BEGIN, END = "<!-- figures: written by `make figures` -->\n", "<!-- end of figures -->"
ACCURACY = "quality.accuracy"
QUOTED = (
    ACCURACY,
    "quality.baseline_gain",
    "fairness.counterfactual[gender]",
    "privacy.membership_inference",
    "privacy.canary_epsilon",
    "security.perturbation[typos]",
    "security.backdoor",
    "environment.training_energy",
    "transparency.explanations",
)


def quoted(audit: Record) -> Iterator[str]:
    """A finding or two of each challenge as the terminal has them, and an accuracy that leaves its gate open."""
    findings = {each["id"]: each for each in audit["findings"]}
    known = of_record(audit)
    for full_id in QUOTED:
        yield from (line for line, _ in terminal.of_finding(findings[full_id], known.get(base_id(full_id))))
    yield ""
    yield str(undecided(findings[ACCURACY]))


def undecided(accuracy: FindingRecord) -> Finding:
    """The same accuracy, had the policy asked for the last whole percentage below its interval's upper end."""
    n = accuracy["n"]
    assert accuracy["estimate"] is not None
    assert n is not None
    exact = statistics.proportion(round(accuracy["estimate"] * n), n, accuracy["confidence"] or 0.95)
    measured = Measurement(
        ACCURACY,
        *exact,
        n,
        accuracy["unit"],
        "",
        settle=lambda bound: statistics.proportion_to_settle(exact.estimate, bound),
    )
    gate = Gate(min=floor(100 * exact.high) / 100)
    verdict, reason = judge(measured, gate)
    return Finding(ACCURACY, "quality", accuracy["title"], verdict, reason, measured, gate)


def readme(text: str, audit: Record) -> str:
    """README with the lines of an audit between their marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    block = "\n".join(f"    {line}".rstrip() for line in quoted(audit))
    return f"{before}{BEGIN}\n{block}\n\n{END}{after}"


def main() -> None:
    """Renew both."""
    folder = Path(sys.argv[1])
    README.write_text(readme(README.read_text("utf-8"), record.read(folder / record.NAME)), "utf-8")
    screenshot.write(folder / "report.html")


if __name__ == "__main__":
    main()
