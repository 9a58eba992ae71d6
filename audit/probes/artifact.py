"""Security: what somebody could hide in the model's files."""

from __future__ import annotations

from audit.model import Model, artifact_problems
from audit.verdict import Measurement


def artifact(model: Model) -> Measurement:
    """Problems of the model's files: what could run code, and what is not pinned to one version; a census.

    Nothing is loaded or executed for it.
    """
    problems = artifact_problems(model.folder)
    if not model.pinned:
        problems.append((model.source, "taken from the Hub without a full commit in [model] revision"))
    return Measurement.census(
        "security.artifact",
        len(problems),
        len(model.files),
        "number of problems",
        "Names, links and configuration of all files in the model's folder looked at without loading any; weights are "
        "read as safetensors only, and code from the model's repository is never run. A census has no sampling error.",
        sample="files",
        details={
            "tables": [
                {
                    "caption": "Problems found",
                    "columns": ["file", "problem"],
                    "rows": [list(problem) for problem in problems],
                }
            ]
            if problems
            else [],
            "limits": ["That nothing was found does not prove that the files are safe; it names what was looked for."],
        },
    )
