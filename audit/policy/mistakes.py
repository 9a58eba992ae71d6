"""What is wrong with a value that somebody wrote into a policy or behind an option, in words that are no library's."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping

from audit.text.redaction import printable

_SHOWN = 60  # characters of a value that is refused
LANGUAGE = r"^[a-z]{2,3}$"
LAYERS, SHA256 = r"^(all|head|last:[1-9]\d*)$", r"^[0-9a-fA-F]{64}$"
_PATTERNS = {
    LANGUAGE: "two or three small letters, as en",
    LAYERS: "all, head or last:2, with any number of layers",
    SHA256: "64 hexadecimal digits",
}
_BACKSLASH = (
    "a backslash between double quotes begins a special character; use single quotes or /, as in 'C:\\models' or "
    '"C:/models"'
)
_VALUE = 'expected text in quotes, a number, true, false, a list as ["a", "b"], or a date as 2027-01-31'
# By the beginning of the parser's message; what to make of the line.
_TOML: Mapping[str, str] = {
    "Unescaped '\\'": _BACKSLASH,
    "Invalid hex value": _BACKSLASH,
    "Escaped character": _BACKSLASH,
    "Unterminated string": "a quotation mark is not closed",
    "Expected \"'": "a quotation mark is not closed",
    "Illegal character": "a text must end on the line on which it begins, and holds no control characters",
    "Cannot overwrite a value": "the key stands there already; keep one of them",
    "Cannot declare": "the section stands there already; keep one of them",
    "Cannot mutate immutable": "the section stands there already; keep one of them",
    "Duplicate inline table key": "a key stands there twice; keep one of them",
    "Invalid value": _VALUE,
    "Invalid date": "there is no such date",
    "Expected '='": "expected `key = value`",
    "Invalid statement": "expected `key = value`, [section], or # before a remark",
    "Expected ']'": "a ] is missing",
    "Expected newline": "there is something behind the value; texts need quotes, and each key a line of its own",
    "Unclosed array": "a ] is missing",
    "Unclosed inline table": "a } is missing",
}
_EXPECTED: Mapping[str, Callable[[Mapping[str, object]], str]] = {
    "string_type": lambda _: "text in quotes",
    "string_too_short": lambda _: "text that is not empty",
    "too_short": lambda _: "text that is not empty",  # of a text that may be left out; no list asks for a length
    "string_pattern_mismatch": lambda context: _PATTERNS[str(context["pattern"])],
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "int_parsing": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "float_parsing": lambda _: "a number",
    "finite_number": lambda _: "a finite number",
    "bool_type": lambda _: "true or false",
    "tuple_type": lambda _: 'a list, as ["a", "b"]',
    "mapping_type": lambda _: 'a table, as { key = "value" }',
    "dict_type": lambda _: 'a table, as { key = "value" }',
    "model_type": lambda _: "a section or a table, as { key = 1 }",
    "date_type": lambda _: "a date without quotation marks, as 2027-01-31",
    "literal_error": lambda context: str(context["expected"]),
    "greater_than": lambda context: f"more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"{context['ge']:g} or more",
    "less_than": lambda context: f"less than {context['lt']:g}",
    "less_than_equal": lambda context: f"{context['le']:g} or less",
    "multiple_of": lambda context: f"a multiple of {context['multiple_of']:g}",
}


def in_toml(text: str, error: tomllib.TOMLDecodeError) -> str:
    """The line that is not TOML, and what is wrong with it; without a full stop."""
    if "\r" in text.replace("\r\n", ""):
        return "a line ends with a carriage return alone, as in old Macintosh files; save it with the line ends of Unix"
    message, lines = str(error), text.splitlines() or [""]
    place = re.search(r"\(at line (\d+)", message)
    number = min(int(place[1]) if place else len(lines), len(lines))
    line = lines[number - 1].strip()
    advice = next((advice for begin, advice in _TOML.items() if message.startswith(begin)), "it is not valid TOML")
    return f"line {number}, {printable(line, 60)}: {advice}"


def expectation(kind: str, context: Mapping[str, object]) -> str:
    """What was expected in the place of a value that pydantic refuses; a whole sentence of ours stays as it is.

    Parameters
    ----------
    kind, context
        As ``type`` and ``ctx`` of pydantic's error.
    """
    if kind == "value_error":
        return str(context["error"])
    expected = _EXPECTED.get(kind)
    return f"expected {expected(context) if expected else 'another kind of value'}"


def on_one_line(path: str) -> str:
    """The path; with a line break or another control character in it, it is none that anybody means."""
    if any(ord(c) < 32 or ord(c) == 127 for c in path):
        raise ValueError("expected a path without line breaks and other control characters")
    return path


def given(value: object) -> str:
    """A value as it stands in the file, on one short line; every one comes from TOML."""
    from audit.policy import toml

    short = value[:_SHOWN] if isinstance(value, str) else value
    try:
        return printable(toml.value(short), _SHOWN)
    except (ValueError, RecursionError):  # tomlkit has no word for a whole number of thousands of digits
        return f"a {type(value).__name__} too long to be shown"


def too_large(value: object, key: str = "") -> str | None:
    """The key of a whole number of more than 64 bits, which TOML does not have and no setting can mean."""
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**63 else key
    return next(filter(None, (too_large(part, name) for name, part in _parts(value, key))), None)


def of_country(code: str) -> str:
    """What is wrong with the code of a country, with those that may be meant; empty where it is one of ISO 3166."""
    from pycountry import countries

    names = {each.alpha_3: each.name for each in countries}
    if code in names:
        return ""
    try:
        near = [countries.lookup(code).alpha_3]  # two letters, or a name
    except LookupError:
        codes = {name.lower(): each for each, name in names.items()}
        begin = [each for name, each in codes.items() if name.startswith(code.lower())]
        like = difflib.get_close_matches(code.lower(), codes) if len(code) > 3 else []
        near = begin or [codes[name] for name in like] or difflib.get_close_matches(code.upper(), names)
    expected = "expected a country's code of three letters (ISO 3166), as DEU"
    if not near or not code:
        return expected
    meant = " or ".join(f"{each} ({names[each]})" for each in near[:3])
    return f"{expected}; it is '{printable(code, 40)}': did you mean {meant}?"


def spoiled_path(value: object, key: str = "") -> str | None:
    """The key of a Windows path that double quotes made something else of: C:\\new holds a line break then."""
    if isinstance(value, str):
        return key if re.match(r"[A-Za-z]:[\\/\w .-]*[\x00-\x1f]", value) else None
    return next(filter(None, (spoiled_path(part, name) for name, part in _parts(value, key))), None)


def _parts(value: object, key: str) -> Iterator[tuple[str, object]]:
    """What a table or a list holds, each under its whole key."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield f"{key}.{name}" if key else str(name), part


def of_spoiled(key: str) -> str:
    """What is wrong with such a path; without a full stop."""
    return f"key {key}: {_BACKSLASH}"
