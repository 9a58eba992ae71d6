"""A classifier by its source: ``package.module:name``, which runs the user's own code.

Only what the policy's folder or the environment holds is imported, and nothing is unpickled here.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from audit.core.errors import AuditError
from audit.core.files import sha256
from audit.models.classifiers.base import Classifier
from audit.models.classifiers.model import ClassifierModel
from audit.models.classifiers.pipelines import Pipeline, is_pipeline
from audit.text.redaction import message, printable

_SOURCE = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*(\.[^\W\d]\w*)*)")


def names_code(source: str) -> bool:
    """Whether a source is ``package.module:name``."""
    return _SOURCE.fullmatch(source) is not None


def load(source: str, folder: Path, labels: Sequence[str] = ()) -> ClassifierModel:
    """The classifier that a policy names.

    Parameters
    ----------
    source : str
        ``package.module:name``: of an object, a class that takes no arguments, or a function that gives the object.
    folder : Path
        The policy's, which is searched first; it stays on ``sys.path``, since code may import when it runs.
    labels : sequence of str
        The policy's, for what names no classes of its own.

    Raises
    ------
    AuditError
        If it cannot be imported or made, or is no classifier.
    """
    match = _SOURCE.fullmatch(source)
    assert match is not None
    module = _imported(match["module"], source, folder)
    found = _object(module, match["name"], source)
    return _wrapped(found, source, labels, _code(module, folder), folder)


def _imported(name: str, source: str, folder: Path) -> ModuleType:
    top = name.partition(".")[0]
    own = next((path for path in (folder / f"{top}.py", folder / top) if path.exists()), None)
    loaded = sys.modules.get(top)
    if own is not None and loaded is not None and not _lies_in(loaded, folder):
        raise AuditError(
            f"model '{source}': a module of the name {top} is loaded already, and it is not {printable(own)}; rename "
            f"that file."
        )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise AuditError(
                f"model '{source}': there is no module {printable(error.name)}; expected one in {printable(folder)}, "
                f"the policy's folder, or an installed one."
            ) from None
        raise _broken(source, f"importing {name}", error) from None
    except (Exception, SystemExit) as error:
        raise _broken(source, f"importing {name}", error) from None


def _lies_in(module: ModuleType, folder: Path) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(Path(place).resolve().is_relative_to(folder.resolve()) for place in places if place)


def _object(module: ModuleType, name: str, source: str) -> object:
    """What the name stands for; made where that is a class or a function."""
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise AuditError(
                f"model '{source}': {module.__name__} has no {printable(part)}; expected an object with labels and "
                f"predict(texts), a class of such, or a function that gives one."
            )
        found = getattr(found, part)
    if inspect.isclass(found) or (callable(found) and not hasattr(found, "predict")):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise _broken(source, f"calling {name}()", error) from None
    return found


def _broken(source: str, what: str, error: BaseException) -> AuditError:
    return AuditError(
        f"model '{source}': {what} raised {type(error).__name__} ({message(error)}); correct that code, or name other."
    )


def _wrapped(
    found: object, source: str, labels: Sequence[str], code: Mapping[str, str], folder: Path
) -> ClassifierModel:
    paths = _own_files(found, source, folder)
    files = {**code, **{name: sha256(path) for name, path in paths.items()}}
    named, card = getattr(found, "fingerprint", None), getattr(found, "folder", None)
    if callable(named) or not (named is None or (isinstance(named, str) and named.strip())):
        raise AuditError(
            f"model '{source}': its fingerprint is a {type(named).__name__}; expected a text that is another whenever "
            f"an answer may be, or none."
        )
    classifier: Any = Pipeline.of(found, source, labels) if is_pipeline(found) else found  # or what has its methods
    if not callable(getattr(classifier, "predict", None)) or not hasattr(classifier, "labels"):
        missing = "labels" if callable(getattr(classifier, "predict", None)) else "predict"
        raise AuditError(
            f"model '{source}': {printable(source.partition(':')[2])} is a {type(found).__name__} without `{missing}`; "
            f"expected labels and predict(texts), as audit.Classifier has them, or a pipeline of scikit-learn."
        )
    fingerprint = None
    if named is not None or paths:
        parts = [named] if named is not None else [f"{name}\0{digest}" for name, digest in sorted(files.items())]
        fingerprint = f"sha256:{hashlib.sha256(chr(10).join(map(str, parts)).encode()).hexdigest()}"
    return ClassifierModel(
        source, classifier, _labels(classifier, source, labels), files, fingerprint, paths,
        None if card is None else folder / card,
    )  # fmt: skip


def _labels(classifier: Classifier, source: str, asked: Sequence[str]) -> tuple[str, ...]:
    labels = classifier.labels
    names = () if isinstance(labels, str) else tuple(labels)
    if len(names) < 2 or len(set(names)) < len(names) or not all(isinstance(each, str) and each for each in names):
        raise AuditError(
            f"model '{source}': its labels are {printable(labels)}; expected the names of two classes or more, each "
            f"once, in the order of the columns that predict gives."
        )
    if asked and tuple(asked) != names:
        raise AuditError(
            f"model '{source}': its labels are {', '.join(map(printable, names))}, but [model] labels says "
            f"{', '.join(map(printable, asked))}; leave these out, and use [data] label_map for the data's own names."
        )
    return names


def _code(module: ModuleType, folder: Path) -> dict[str, str]:
    """SHA-256 of the source files that may decide an answer: of the whole package, or all beside a single module."""
    top = sys.modules[module.__name__.partition(".")[0]]
    places = [Path(each) for each in getattr(top, "__path__", ())]
    if places:
        return {
            f"{top.__name__}/{path.relative_to(place).as_posix()}": sha256(path)
            for place in places
            for path in sorted(place.rglob("*.py"))
        }
    if not (file := getattr(top, "__file__", None)):
        return {}
    path = Path(file)
    beside = sorted(path.parent.glob("*.py")) if path.parent.resolve() == folder.resolve() else [path]
    return {each.name: sha256(each) for each in beside}


def _own_files(found: object, source: str, folder: Path) -> dict[str, Path]:
    """What the object says that it reads, by names to be shown."""
    named = getattr(found, "files", ())
    if isinstance(named, str | Path) or not all(isinstance(each, str | Path) for each in named):
        raise AuditError(
            f"model '{source}': its files are no list of paths; expected such as files = [\"weights.npz\"]."
        )
    paths = {}
    for each in named:
        path = folder / Path(each).expanduser()
        inside = sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
        for part in inside:
            if not part.is_file():
                raise AuditError(
                    f"model '{source}': its files name {printable(part)}, which is no file; name what its answers "
                    f"depend on, as paths from the policy's folder."
                )
            name = part.relative_to(folder).as_posix() if part.is_relative_to(folder) else part.name
            paths[name] = part
    return paths
