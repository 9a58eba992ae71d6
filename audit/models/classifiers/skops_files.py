"""A pipeline of scikit-learn that skops wrote: read without running anything that stands in the file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from audit.core.errors import AuditError
from audit.core.files import sha256
from audit.models.classifiers.model import ClassifierModel
from audit.models.classifiers.pipelines import Pipeline
from audit.text.paths import check_content
from audit.text.redaction import message, printable

SUFFIX = ".skops"
_SHOWN = 5  # types in one sentence


def load(source: str, path: Path, labels: Sequence[str] = ()) -> ClassifierModel:
    """The pipeline in a file of skops.

    Parameters
    ----------
    source : str
        As the policy or the option names it.
    path : Path
    labels : sequence of str
        The policy's, for classes that are numbers.

    Raises
    ------
    AuditError
        If it is no such file, holds types that skops does not trust, or no fitted classifier.
    """
    check_content(path, f"model '{source}'")
    if not path.is_file():
        raise AuditError(f"model '{source}': {printable(path)} is no file; expected one that skops.io.dump wrote.")
    if find_spec("skops") is None:
        raise AuditError(
            f"model '{source}': skops, which reads it, is not installed; run: pip install 'pytest-model-audit[skops]'."
        )
    pipeline = _pipeline(source, path)
    if not hasattr(pipeline, "predict"):
        raise AuditError(
            f"model '{source}': it holds a {type(pipeline).__name__}; expected a fitted pipeline that ends in a "
            f"classifier."
        )
    classifier = Pipeline.of(pipeline, source, labels)
    files = {path.name: sha256(path)}
    fingerprint = f"sha256:{hashlib.sha256(f'{path.name}{chr(0)}{files[path.name]}'.encode()).hexdigest()}"
    return ClassifierModel(
        source, classifier, tuple(classifier.labels), files, fingerprint, {path.name: path}, runs_code=False
    )


def _pipeline(source: str, path: Path) -> Any:
    import skops.io

    try:
        untrusted = skops.io.get_untrusted_types(file=path)
        if not untrusted:
            return skops.io.load(path, trusted=[])
    except zipfile.BadZipFile:
        raise AuditError(
            f"model '{source}': {printable(path.name)} is no file of skops; write it with skops.io.dump."
        ) from None
    except Exception as error:  # what stands in the file decides what skops raises
        raise AuditError(
            f"model '{source}': skops cannot read {printable(path.name)} ({type(error).__name__}: {message(error)}); "
            f"write it with skops.io.dump, by versions of skops and scikit-learn that are installed here."
        ) from None
    named = ", ".join(printable(each, 80) for each in untrusted[:_SHOWN])
    more = f" and {len(untrusted) - _SHOWN} more" if len(untrusted) > _SHOWN else ""
    raise AuditError(
        f"model '{source}': {printable(path.name)} holds types that could run code ({named}{more}), and is not loaded; "
        f'leave them out of the pipeline, or load it by code of your own, [model] source = "module:name".'
    )
