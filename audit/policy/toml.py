"""Settings and values as TOML, written by a library: what a reader copies from a report or a message into a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import tomlkit
from tomlkit import TOMLDocument
from tomlkit.items import InlineTable, Item, Table

Filled = TypeVar("Filled", TOMLDocument, Table)


def document(settings: Mapping[str, object]) -> str:
    """Settings as the lines of a policy file: a section for each part, one line for each gate; None is left out."""
    return tomlkit.dumps(_filled(tomlkit.document(), settings, 2)).strip()


def inline(table: Mapping[str, object]) -> str:
    """A table on one line, in braces; what cannot be seen is written as its code."""
    return _visible(_inline(table).as_string())


def value(of: object) -> str:
    """A value on one line, as it stands behind the equals sign; what cannot be seen is written as its code."""
    return _visible(_item(of).as_string())


def _visible(line: str) -> str:
    # Only texts in double quotes hold such characters, and TOML has these codes for them there.
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" if c <= "\uffff" else f"\\U{ord(c):08x}" for c in line)


def _filled(table: Filled, settings: Mapping[str, object], depth: int) -> Filled:
    """The table with the settings in it: values first, since what follows a section's head is that section's."""
    below: dict[str, Table | tomlkit.items.AoT] = {}
    for name, setting in settings.items():
        if isinstance(setting, Mapping) and depth:
            if section := _filled(tomlkit.table(), setting, depth - 1):
                below[name] = section
        elif isinstance(setting, list) and setting and all(isinstance(each, Mapping) for each in setting) and depth:
            below[name] = tables = tomlkit.aot()
            for each in setting:
                tables.append(_filled(tomlkit.table(), each, 0))
        elif setting is not None:
            table.append(name, _item(setting))
    for name, part in below.items():
        table.append(name, part)
    return table


def _item(of: object) -> Item:
    if isinstance(of, Mapping):
        return _inline(of)
    if isinstance(of, list | tuple):
        array = tomlkit.array()
        array.extend(_item(each) for each in of if each is not None)
        return array
    item: Item = tomlkit.item(of)
    return item


def _inline(of: Mapping[str, object]) -> InlineTable:
    table = tomlkit.inline_table()
    items = {name: _item(each) for name, each in of.items() if each is not None}
    for name, item in items.items():
        table.append(name, item)
    if items:  # the spaces within the braces
        next(iter(items.values())).trivia.indent = " "
        list(items.values())[-1].trivia.trail = " "
    return table
