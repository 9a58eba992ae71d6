"""Security: what somebody could hide in the model's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from audit.core.measurement import Result
from audit.core.probe import Probe
from audit.models.files.artifact import ELSEWHERE, Problem, inspect
from audit.models.model import Model


@Probe(
    id="security.artifact",
    challenge="security",
    title="Unsafe model files",
    unit="",
    counts="number of problems",
    better="lower",
    meaning=(
        "Problems of the model's files, looked into before any of them is loaded: what could run code when it is "
        "loaded, settings that ask for code or for files from elsewhere, weights that are damaged or no numbers, a "
        "tokenizer or class names that do not fit the model, files that differ from those the release owner approved, "
        "and a version that was not pinned."
    ),
    harm=(
        "Whoever can change such a file can run programs of theirs on the machines that serve the model, or put "
        "another model in its place."
    ),
    remedy=(
        "Ship weights as safetensors only, delete what the table names, list the approved hashes under [security] "
        "expected_sha256, pin the revision."
    ),
    measured_on=("files",),
    rules=("MEASURE 2.7", "Article 9(8)", "Article 13", "Article 15(5)", "A.6.2.4"),
    guide="docs/artifacts.md",
)
def artifact(model: Model, expected_sha256: Mapping[str, str] | None = None) -> Result:
    """Problems of the model's files: what could run code, mislead or be swapped; a census.

    Nothing is loaded or executed for it.

    Parameters
    ----------
    expected_sha256 : mapping of str to str, optional
        The hashes that the release owner approved, by file.
    """
    found = inspect(model.folder, model.files, expected_sha256)
    if not model.pinned:
        found.add(model.source, "taken from the Hub without a full commit in [model] revision", ELSEWHERE)
    problems = found.problems
    return Result.census(
        len(problems),
        found.looked_at,
        "All files in the model's folder, archives within it included, looked into before any is loaded: what would "
        "run code, weights that do not fit their own description or are no numbers, settings that ask for code or for "
        "files from elsewhere, and hashes. Code of the model's own is never run. A census has no sampling error.",
        sample="files",
        details={
            "tables": [
                {
                    "caption": "Problems found",
                    "columns": ["file", "problem", "why it matters"],
                    "rows": [list(problem) for problem in problems],
                }
            ]
            if problems
            else [],
            **({"caution": _named(problems)} if problems else {}),
            **found.facts,
            "limits": [
                "That nothing was found does not prove that the files are safe; it names what was looked for.",
                "The scanner of pickles (picklescan) compares names with a list of dangerous ones, and no such list is "
                "complete. So a pickle counts as a problem whatever the scanner says of it.",
                "Whether a licence and a model card are there is told here, but is not counted among the problems.",
            ],
        },
    )


def _named(problems: Sequence[Problem]) -> str:
    """The first files at fault, as a clause for a terminal; the report's table has them all."""
    named = [f"{problem.file}: {problem.problem}" for problem in problems[:2]]
    return "; ".join([*named, *([f"and {len(problems) - len(named)} more"] if len(problems) > len(named) else [])])
