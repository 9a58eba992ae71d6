"""The capabilities that `quality.behaviour` asks for, one TOML file each; `lexicon.toml` holds what they share.

Reading their names opens no file, so that the catalogue can list them at no cost.
"""

from __future__ import annotations

from importlib.resources import files

_SHARED = "lexicon"

CAPABILITIES: tuple[str, ...] = tuple(
    sorted(
        file.name.removesuffix(".toml")
        for file in files(__package__).iterdir()
        if file.name.endswith(".toml") and file.name != f"{_SHARED}.toml"
    )
)
