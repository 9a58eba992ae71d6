"""Security: what somebody could hide in the model's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from audit.core.errors import NotAssessed
from audit.core.evidence import Facts, Table
from audit.core.measurement import Result
from audit.core.probe import Alarm, Probe
from audit.core.sentences import Sentence, joined
from audit.models.classifiers.model import ClassifierModel
from audit.models.files.artifact import ELSEWHERE, Problem, inspect, inspect_files, look_into_part
from audit.models.model import Model


@Probe(
    id="security.artifact",
    challenge="security",
    title="Problems in the model files",
    unit="",
    range=(0, None),
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
    alarm=Alarm(1, "Each of them lets somebody run programs, change the model, or have it answer with errors."),
    rules=("MEASURE 2.7", "Article 9(8)", "Article 13", "Article 15(5)", "A.6.2.4", "GDPR 32"),
    guide="docs/artifacts.md",
    severity="severe",
)
def artifact(model: Model | ClassifierModel, expected_sha256: Mapping[str, str] | None = None) -> Result:
    """Problems of the model's files: what could run code, mislead or be swapped; a census.

    Nothing is loaded or executed for it.

    Parameters
    ----------
    expected_sha256 : mapping of str to str, optional
        The hashes that the release owner approved, by file.

    Raises
    ------
    NotAssessed
        If the model is a service, or code of the user's own that names no files.
    """
    folder = None if isinstance(model, ClassifierModel) and model.runs_code else model.folder
    if folder is not None:
        found = inspect(folder, model.files, expected_sha256)
        for part in () if isinstance(model, ClassifierModel) else model.parts:
            look_into_part(part, found)
    else:
        assert isinstance(model, ClassifierModel)
        found = inspect_files(_own(model), model.files, expected_sha256)
    if not model.pinned:
        problem = Sentence("taken from the Hub without a full commit in [model] revision")
        found.add(model.source, problem, ELSEWHERE)
    problems = found.problems
    return Result.census(
        len(problems),
        found.looked_at,
        Sentence(
            "All files in the model's folder, archives within it included, looked into before any is loaded: what "
            "would run code, weights that do not fit their own description or are no numbers, settings that ask for "
            "code or for files from elsewhere, and hashes. Code of the model's own is never run. A census has no "
            "sampling error."
        ),
        sample=Sentence("files"),
        caution=_named(problems),
        caveats=[
            Sentence("That nothing was found does not prove that the files are safe; it names what was looked for."),
            Sentence(
                "The scanner of pickles (picklescan) compares names with a list of dangerous ones, and no such list is "
                "complete. So a pickle counts as a problem whatever the scanner says of it."
            ),
            Sentence(
                "Whether a licence and a model card are there is told here, but is not counted among the problems."
            ),
        ],
        evidence=[*_listed(problems), Facts.of(found.facts)],
    )


def _own(model: ClassifierModel) -> Mapping[str, Path]:
    """The files that a user's own classifier reads; its code is his, and runs whatever they are."""
    if not model.paths:
        raise NotAssessed(
            Sentence(
                "no files of the model are known; a classifier of one's own lists what it reads in its attribute "
                "`files`"
            )
        )
    return model.paths


def _listed(problems: Sequence[Problem]) -> list[Table]:
    if not problems:
        return []
    columns = [Sentence("file"), Sentence("problem"), Sentence("why it matters")]
    return [Table(Sentence("Problems found"), columns, [list(problem) for problem in problems])]


def _named(problems: Sequence[Problem]) -> str:
    """The first files at fault, as a clause for a terminal; the report's table has them all."""
    named: list[str] = [
        Sentence("{file}: {problem}", file=problem.file, problem=problem.problem) for problem in problems[:2]
    ]
    if rest := len(problems) - len(named):
        named.append(Sentence("and {rest} more", rest=rest))
    return joined(named, "; ")
