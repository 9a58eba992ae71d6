"""The JSON Schema of a record: what is written by hand, and the parts that follow from types.

After a kind of evidence or the declaration of a probe was changed, ``python -m audit.record.schema`` renews those parts
of ``record.schema.json``, which ships with the package.
"""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

from audit.core.evidence import FORMER_KINDS, KINDS
from audit.core.probe import Probe

NAME = "record.schema.json"
Schema = dict[str, object]
SENTENCE: Schema = {"$ref": "#/$defs/sentence"}
_SIMPLE = {bool: "boolean", int: "integer", float: "number", types.NoneType: "null"}


@cache
def schema(name: str = NAME) -> Schema:
    """The schema of this version, or of a former one by its name."""
    return dict(json.loads(files("audit.record").joinpath(name).read_text("utf-8")))


def renewed(written: Schema) -> Schema:
    """A schema with the parts that follow from types as they are now."""
    evidence = {f"evidence_{name}": _of(kind) for name, kind in KINDS.items()}
    # By cases and not as `oneOf`, so that a mistake is told where it is.
    cases = [
        {"if": {"properties": {"kind": {"const": name}}}, "then": {"$ref": f"#/$defs/evidence_{name}"}}
        for name in KINDS
    ]
    kinds = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": [*KINDS, *FORMER_KINDS]}},
        "allOf": cases,
    }
    defined = written["$defs"]
    assert isinstance(defined, dict)
    own = {name: part for name, part in defined.items() if not name.startswith("evidence")}
    declaration = _of(Probe, {"type": "string"})
    return {**written, "$defs": {**own, "declaration": declaration, "evidence": kinds, **evidence}}


def as_text(value: Schema) -> str:
    """The text of a schema's file."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _of(hint: object, text: Schema = SENTENCE) -> Schema:
    """The schema of a type: of a dataclass, of what its fields may hold; texts are sentences unless told otherwise."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        constraints: Schema = inside[1]
        return _of(inside[0], text) | constraints
    if hint is str:
        return text
    if isinstance(hint, type) and hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if origin is Literal:
        return {"enum": list(inside)}
    if origin in (Union, types.UnionType):
        parts = [_of(part, text) for part in inside]
        plain = [part["type"] for part in parts if set(part) == {"type"}]
        others = [part for part in parts if set(part) != {"type"}]
        types_ = [{"type": plain[0] if len(plain) == 1 else plain}] if plain else []
        return types_[0] if types_ and not others else {"anyOf": [*types_, *others]}
    if origin is tuple and len(inside) > 1 and inside[1] is not Ellipsis:
        items = [_of(part, text) for part in inside]
        return {"type": "array", "minItems": len(items), "maxItems": len(items), "prefixItems": items}
    if origin in (Sequence, tuple):
        return {"type": "array", "items": _of(inside[0], text)}
    if hasattr(hint, "_fields"):
        hints = get_type_hints(hint)
        return _object({name: _of(hints[name], text) for name in hint._fields}, list(hint._fields))
    assert is_dataclass(hint), hint
    hints = get_type_hints(hint, include_extras=True)
    required = [f.name for f in fields(hint) if f.default is MISSING or f.name == "kind"]
    return _object({field.name: _of(hints[field.name], text) for field in fields(hint)}, required)


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def main() -> None:
    """Renew the file."""
    path = Path(__file__).with_name(NAME)
    path.write_text(as_text(renewed(json.loads(path.read_text("utf-8")))), "utf-8")


if __name__ == "__main__":
    main()
