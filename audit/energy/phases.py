"""The phases of an audit that energy is booked under, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping

PHASES: Mapping[str, str] = {
    "fine-tune": "Training the model",
    "twins": "Training reference models",
    "canaries": "Training the reference model with canaries",
    "retrained": "Training the model again, with another seed",
    "references": "Training references without suspect rows",
    "gradients": "Searching for trigger words",
    "word counts": "Training the simple model on word counts",
    "alternatives": "Training other models to compare with",
    "calibrate": "Trying out how fast the model answers",
    "score": "Predictions for the audit",
    "measure inference": "Measuring the energy of predictions",
    "measure latency": "Timing single answers",
    "claims": "Training and timing models for the document's claims",
    "probes": "All else: reading data, computing the findings",
    "report": "Writing the record and this report",
}
