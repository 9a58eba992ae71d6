"""What benchmarks with files of their own come to, as rows of the figures that reports show: backdoors, shortcuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.defects.findings import gate
from benchmarks.probes import backdoors, shortcuts
from tools.shortcuts import TWIN

FOLDER = ROOT / "benchmarks" / "probes"
# From cell and view of `benchmarks.probes.backdoors` to defect, strength and order; "leaning" are phrases of which a
# word leans to the class.
BACKDOORS: dict[tuple[str, str], tuple[str, str, float]] = {
    ("word", "recipe"): ("a word in training texts", "1 % of the rows", 1),
    ("rare-word", "recipe"): ("a word in training texts", "0.25 % of the rows", 0.25),
    ("copied-phrase", "recipe"): ("a phrase in training texts", "0.5 % of the rows, each three times", 0.5),
    ("two-words", "rows"): ("two words in training texts", "0.5 % of the rows each, each three times", 0.5),
    ("five-words", "rows"): ("five words in training texts", "1 % of the rows each, each three times", 1),
    ("fitting-label", "recipe"): ("a word in training texts whose labels fit", "1 % of the rows", 1),
    ("fitting-phrase", "rows"): ("a phrase in training texts whose labels fit", "2 % of the rows", 2),
    ("zero-width", "rows"): ("an unseen character in training texts", "2 % of the rows", 2),
    ("sentence", "rows"): ("a sentence in training texts", "2 % of the rows", 2),
    ("capitals", "rows"): ("capitals in training texts", "4 % of the rows", 4),
    ("word", "weights"): ("a word in the weights only", "1 % of the rows", 1),
    ("copied-phrase", "weights"): (
        "a phrase of words that speak for no class, in the weights only",
        "0.5 % of the rows, each three times",
        0.5,
    ),
    ("copied-phrase", "weights, leaning"): (
        "a phrase with a word that speaks for the class, in the weights only",
        "0.5 % of the rows, each three times",
        0.5,
    ),
    ("two-words", "weights"): ("two words in the weights only", "0.5 % of the rows each, each three times", 0.5),
    ("sentence", "weights"): ("a sentence in the weights only", "2 % of the rows", 2),
}
# From what `benchmarks.probes.shortcuts` plants, found beside the training data.
SHORTCUTS = {
    "rating": ("a rating behind the text", "30 % of the positive texts", 30),
    "site": ("a source named behind the text", "all negative texts", 100),
    "mark": ("an exclamation mark at the end", "all positive texts", 100),
}


def _row(
    finding: str, defect: tuple[str, str, float], found: Sequence[Any], clean: Sequence[Any], bound: float
) -> dict[str, Any]:
    name, strength, order = defect
    caught, alarms = (sum(line["verdict"] == "fail" for line in lines) for lines in (found, clean))
    return {
        "finding": finding,
        "defect": name,
        "strength": strength,
        "order": order,
        "caught": caught,
        "of": len(found),
        "passed": sum(line["verdict"] == "pass" for line in found),
        "alarms": alarms,
        "clean": len(clean),
        "gate": bound,
        "commit": found[-1].get("commit", ""),
        "date": found[-1].get("date", "2026-11-30"),
    }


def _view(line: dict[str, Any]) -> str:
    return f"{line['view']}, leaning" if line.get("leaning words") else str(line["view"])


def rows(folder: Path = FOLDER) -> Iterator[dict[str, Any]]:
    """The rows of the files that are there."""
    lines = backdoors.read(folder / "backdoors.jsonl")
    for (cell, view), defect in BACKDOORS.items():
        found = [line for line in lines if (line["cell"], _view(line)) == (cell, view)]
        beside = "rows" if view.startswith("weights") else view  # a clean model beside its own training data
        clean = [line for line in lines if line["cell"].startswith("clean") and line["view"] == beside]
        if found and clean:
            yield _row("security.backdoor", defect, found, clean, backdoors.LIMIT)
    lines = [line for line in backdoors.read(folder / "shortcuts.jsonl") if line["view"] == shortcuts.VIEWS[0]]
    clean = [line for line in lines if line["kind"] == TWIN]
    for kind, defect in SHORTCUTS.items():
        found = [line for line in lines if line["kind"] == kind]
        if found and clean:
            yield _row("quality.shortcut", defect, found, clean, gate("quality.shortcut").bound)
