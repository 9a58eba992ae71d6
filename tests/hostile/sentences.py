"""What every refusal has to be, whatever was given: one short sentence that can be shown, in no library's words."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from audit.core.errors import AuditError
from tests.helpers import is_one_sentence

# Words of Python, pydantic, pyarrow and jsonschema, none of which speaks to somebody who wrote a policy or a table.
LIBRARIES = re.compile(
    r"Traceback|Errno|\w(Error|Exception)\b|NoneType|object has no|has no attribute|[Ii]nput should|codec|datetime\.|"
    r"\bTrue\b|\bFalse\b|set_int_max|maximum recursion|<class"
)
LONGEST = 2000  # characters, of which a list of known names takes most


@contextmanager
def memory(at_most: int) -> Iterator[None]:
    """No more than so many megabytes are had at once, by Python and numpy."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert peak <= at_most, f"{peak:.0f} MB"


def refusal(call: Callable[[], object]) -> str:
    """The sentence with which a call refuses what it was given."""
    message = refusal_if_any(call)
    assert message
    return message


def refusal_if_any(call: Callable[[], object]) -> str:
    """The same of what may be accepted; empty where it is."""
    try:
        call()
    except AuditError as error:
        message = str(error)
    else:
        return ""
    assert is_one_sentence(message), message
    assert message.isprintable(), message
    assert len(message) <= LONGEST, message[:LONGEST]
    assert not LIBRARIES.search(message), message
    return message
