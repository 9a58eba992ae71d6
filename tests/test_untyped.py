"""What counts as a use of `Any`."""

from __future__ import annotations

import pytest

from tools.untyped import uses


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("from typing import Any\n", 0),
        ("def of(x: Any, y: dict[str, list[Any]]) -> Any: ...", 3),
        ("def of(x: 'dict[str, Any]', y: typing.Any) -> object: ...", 2),
        ("value = cast('Any', value)", 1),
        ("def of() -> int:\n    '''Any [of them] will do.'''\n    # Any, Any\n", 0),
        ("x: Anything = 0", 0),
    ],
)
def test_uses_outside_of_imports_and_prose_are_counted(source: str, count: int) -> None:
    assert uses(source) == count
