"""What a probe costs against the bare scorer: a scorer with a watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from audit.core.cache import Cache
from audit.core.progress import Progress
from audit.inference.batches import Encodings
from audit.inference.gradients import TriggerScores
from audit.inference.scorer import Scorer
from audit.models.model import Model
from audit.run.session import Session

MAX_LENGTH = 64  # tokens of a sentence of SST-2
HEADER = (
    "| model | distinct questions | s | questions/s | bare scorer, texts/s | share in the network's passes |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


class Timed(Scorer):
    """A scorer that knows on which texts the network ran, and how long: forward, and backward for gradients."""

    def __init__(self, session: Session, model: Model, folder: Path) -> None:
        super().__init__(model, Cache(folder), session.resources.meter, Progress())
        self.seconds, self.total = 0.0, 0.0
        self.seen: dict[bytes, str] = {}  # one text of each encoding
        model.network.forward = self._watched(model.network.forward)
        encode = self.local.encode

        def encoded(texts: Sequence[str]) -> Encodings:
            encodings = encode(texts)
            self.seen |= dict(zip(encodings.digests, texts, strict=True))
            return encodings

        self.local.encode = encoded

    def trigger_scores(self, *arguments: Any, **named: Any) -> TriggerScores:
        import torch

        with patch.object(torch.autograd, "grad", self._watched(torch.autograd.grad)):
            return super().trigger_scores(*arguments, **named)

    def _watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import torch

        def run(*arguments: Any, **named: Any) -> Any:
            started = time.perf_counter()
            made = function(*arguments, **named)
            if self.model.device.startswith("cuda"):
                torch.cuda.synchronize()
            self.seconds += time.perf_counter() - started
            return made

        return run

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Count anew, and take the time of the block."""
        self.seconds, self.seen = 0.0, {}
        started = time.perf_counter()
        yield
        self.total = time.perf_counter() - started

    def row(self, name: str) -> str:
        """What was measured against the bare scorer on the same texts in the same process; a row for `HEADER`."""
        texts, total, share = list(self.seen.values()), self.total, self.seconds / self.total
        started = time.perf_counter()
        self.forward(texts)
        bare = time.perf_counter() - started
        return (
            f"| {name} | {len(texts):,} | {total:.1f} | {len(texts) / total:,.0f} | {len(texts) / bare:,.0f} "
            f"| {share:.1%} |"
        )
