"""Keys of what the cache holds of a model's answers: what decides a row, an encoding, a tokenization.

Whatever changes one of them here makes every audit compute anew; tests pin them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version

from audit.models.answering import Answering

# Raise it whenever the computation of answers changes.
REVISION = 1


def of_text(text: str) -> bytes:
    """The key of a text, 16 bytes."""
    return hashlib.sha256(text.encode()).digest()[:16]


def of_rows(model: Answering, what: str) -> bytes:
    """What besides a text or its encoding decides a row, 16 bytes; `what` is empty for predictions."""
    kind = model.device.split(":")[0]
    text = f"{REVISION}\0{model.key}\0{model.max_length}\0{model.dtype}\0{kind}"
    text += f"\0{what}" if what else ""
    return hashlib.sha256(text.encode()).digest()[:16]


def of_batch(texts: Sequence[str]) -> bytes:
    """The key of texts that are read together, 16 bytes."""
    return hashlib.sha256(b"".join(map(of_text, texts))).digest()[:16]


def of_batches(model: Answering, machine: str) -> bytes:
    """What besides the texts of a batch decides its answers, 16 bytes: also what could make them differ by rounding."""
    libraries = {name: version(name) for name in ("torch", "transformers")}
    return of_rows(model, f"together {json.dumps([machine, libraries], sort_keys=True)}")


def of_encodings(model: Answering) -> bytes:
    """What besides the text decides its encoding, 16 bytes."""
    parts = {"what": "encoding", "max_length": model.max_length, **tokenization(model)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()[:16]


def tokenization(model: Answering) -> dict[str, object]:
    """What decides how a text is tokenized; JSON values."""
    libraries = {name: version(name) for name in ("tokenizers", "transformers")}
    return {"revision": REVISION, "model": model.key, "versions": libraries}
