"""Groups by mention: whom a text is about, for data that has no column with groups of people.

The words are those of :mod:`audit.text.identity`. Who is mentioned is not who wrote it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from audit.text import identity

PREFIX = "mention:"  # as the policy writes it: subgroups = ["mention:gender"]


def is_mention(column: str) -> bool:
    """Whether a subgroup column, or one of a crossing, is read off the text."""
    return any(part.startswith(PREFIX) for part in column.split("*"))


def axis_of(column: str) -> str | None:
    """The axis that a single column asks for; None where it is a column of the data."""
    return column.removeprefix(PREFIX) if column.startswith(PREFIX) else None


def mentions(texts: Sequence[str], axis: str) -> NDArray[np.object_]:
    """The group that each text mentions; None where it mentions none, or more than one.

    Parameters
    ----------
    texts : sequence of str, length n
    axis : str
        One of :data:`audit.text.identity.AXES`.

    Returns
    -------
    ndarray of object, shape (n,)

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    return np.array([_only(identity.mentions(text, axis)) for text in texts], dtype=object)


def _only(hits: tuple[identity.Mention, ...]) -> str | None:
    groups = {mention.group for mention in hits}
    return groups.pop() if len(groups) == 1 else None
