"""A context variable that has a value for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def holding(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Within it the variable has this value, behind it the one that it had."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
