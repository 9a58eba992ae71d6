"""Transparency: whether somebody else could make this model and this audit again."""

from __future__ import annotations

from collections.abc import Mapping

from audit.verdict import Measurement


def provenance(facts: Mapping[str, str | None]) -> Measurement:
    """How many of the facts that are needed to repeat model and audit are missing; a census.

    Parameters
    ----------
    facts : mapping of str to str or None
        Name of the fact to what the record holds of it; None where it is missing.
    """
    missing = [name for name, value in facts.items() if not value]
    return Measurement.census(
        "transparency.provenance",
        len(missing),
        len(facts),
        "facts missing",
        "The record looked through for each fact that is needed to repeat the training and the audit. A census has no "
        "sampling error.",
        sample="facts",
        details={
            "tables": [
                {
                    "caption": "What the record holds",
                    "columns": ["fact", "held"],
                    "rows": [[name, value or "missing"] for name, value in facts.items()],
                }
            ]
        },
    )
