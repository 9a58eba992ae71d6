"""Running one network in this process: texts are encoded, batched, and answered; nothing is looked up or kept.

The scorer decides what runs; :class:`audit.cluster.ClusterRunner` runs it elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Cache
from audit.core.progress import Bar
from audit.data.tables import without_surrogates
from audit.inference.batches import (
    Batches,
    Calibration,
    Encodings,
    Rows,
    ahead,
    calibration_tokens,
    filler,
    inputs,
    one_behind,
    windows,
)
from audit.inference.predictions import check_finite
from audit.models import tokens
from audit.models.answering import Answering
from audit.models.model import Model

if TYPE_CHECKING:
    import torch

    from audit.energy.meter import Meter

    Compute = Callable[[dict[str, torch.Tensor]], torch.Tensor]  # from a network's inputs to a row for each text

# Texts that are tokenized at a time, while the device works on those before them. On a processor, all at once: there
# is no second device to keep busy.
TOKENIZED = {"cuda": 2048}
# A rough guess of a text's tokens, for what is decided before it is tokenized.
CHARACTERS_PER_TOKEN = 4
CALIBRATION_TEXTS = 8192


@dataclass
class Counts:
    """What the scoring of an audit amounted to."""

    texts: int = 0
    forward_passes: int = 0
    cache_hits: int = 0  # texts that cost no pass: their answers were on disk, or another text's of the same tokens
    tokens: int = 0  # of the forward passes, without padding


class Runner(Protocol):
    """What answers the texts that the cache does not hold."""

    def encodings(self, texts: Iterable[str]) -> Iterator[Encodings]:
        """What the tokenizer makes of texts, some at a time."""

    def rows(self, what: str, pieces: Iterable[Encodings], bar: Bar) -> NDArray[np.float32]:
        """A row for each encoding: embeddings, or probabilities where `what` is empty."""

    def calibrate(self, texts: Sequence[str]) -> None:
        """Find the size of batch, where so many texts are to come that it pays."""


class OwnRunner(Runner, Protocol):
    """What runs a model in this process, whatever kind of model it is."""

    counts: Counts
    max_characters: int

    @property
    def model(self) -> Answering:
        """The model."""

    def read(self, text: str) -> str:
        """The text as the model gets it."""

    def encode(self, texts: Sequence[str]) -> Encodings:
        """What enters the model of texts that :meth:`read` gave, at once."""

    def together(self, batches: Sequence[Sequence[str]], bar: Bar) -> list[NDArray[np.float32]]:
        """Probabilities of texts that :meth:`read` gave, each batch run as it stands."""

    def check(self, rows: NDArray[np.floating]) -> None:
        """Refuse answers that are no numbers."""


class LocalRunner:
    """Runs one network.

    Parameters
    ----------
    model : Model
    counts : Counts
        Grows with each forward pass.
    cache : Cache
        For the size of batches, which is measured once on a machine.
    meter : Meter
    max_characters : int
        The rest of a longer text is not even given to the tokenizer; 0: all is.
    """

    def __init__(self, model: Model, counts: Counts, cache: Cache, meter: Meter, *, max_characters: int = 0) -> None:
        self.model, self.counts, self.max_characters = model, counts, max_characters
        self._cache, self._meter = cache, meter
        self._kind, self._calibrated = model.device.split(":")[0], False

    def read(self, text: str) -> str:
        """The text as the tokenizer gets it; it refuses lone surrogates, which JSON's escapes can bring."""
        return without_surrogates(text[: self.max_characters or None])

    def encodings(self, texts: Iterable[str]) -> Iterator[Encodings]:
        """What the tokenizer makes of texts that :meth:`read` gave; the next ones while the device works on some."""
        return ahead(self.encode, windows(texts, TOKENIZED.get(self._kind, sys.maxsize)))

    def encode(self, texts: Sequence[str]) -> Encodings:
        """What the tokenizer makes of texts, at once."""
        encoded = self.model.tokenizer(
            texts,
            truncation=True,
            max_length=self.model.max_length,
            return_attention_mask=False,
            return_token_type_ids=self._has_types,
        )
        columns = {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}
        # Where a tokenizer frames no text with tokens of its own, an empty one still has to be something.
        columns["input_ids"] = [ids or [self.filler["input_ids"]] for ids in columns["input_ids"]]
        return Encodings(columns)

    def rows(self, what: str, pieces: Iterable[Encodings], bar: Bar) -> NDArray[np.float32]:
        """Embeddings, shape (n, 2 * hidden size), or probabilities where `what` is empty, shape (n, classes)."""
        if what:
            return self._computed(pieces, self._states, 2 * self.model.network.config.hidden_size, bar)
        return self._computed(pieces, self._probabilities, len(self.model.labels), bar)

    def together(self, batches: Sequence[Sequence[str]], bar: Bar) -> list[NDArray[np.float32]]:
        """Probabilities of texts that :meth:`read` gave, each batch run as it stands, padded to its longest text."""
        encodings = self.encode([text for batch in batches for text in batch])
        work, made = self._work(encodings, self._probabilities), []
        for rows in np.split(np.arange(len(encodings)), np.cumsum([len(batch) for batch in batches])[:-1]):
            made.append(work(rows).cpu().numpy())
            bar.advance(len(rows))
        self.counts.tokens += int(encodings.lengths.sum())
        self.counts.forward_passes += len(encodings)
        return made

    def check(self, rows: NDArray[np.floating]) -> None:
        """Refuse answers that are no numbers, see :func:`audit.inference.predictions.check_finite`."""
        check_finite(rows, self.model.source, self.model.dtype)

    def inputs(self, columns: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, torch.Tensor]:
        """Padded tensors of token numbers, on the model's device."""
        return inputs(columns, self.filler, self.model.tokenizer.padding_side, self.model.device)

    def token_ids(self, text: str) -> list[int]:
        """Token numbers of a text, without the tokenizer's own."""
        return list(self.model.tokenizer(self.read(text), add_special_tokens=False)["input_ids"])

    def calibrate(self, texts: Sequence[str]) -> None:
        """Find the size of batch for this machine, once and where so many texts are to come that it pays."""
        if self._calibrated:
            return
        longest = self.model.max_length
        expected = [min(len(text) / CHARACTERS_PER_TOKEN + 2, longest) for text in texts]
        if sum(expected) < calibration_tokens(self._kind):
            return
        import torch

        model = self.model
        key = {
            "what": "tokens in a batch",
            "network": model.network.config.model_type,
            "parameters": sum(each.numel() for each in model.network.parameters()),
            "max_length": longest,
            "dtype": model.dtype,
            "device": model.device,
            "machine": self._meter.place,
            "threads": torch.get_num_threads(),
            "versions": {name: version(name) for name in ("torch", "transformers")},
        }
        sample = texts[:: max(1, len(texts) // CALIBRATION_TEXTS)][:CALIBRATION_TEXTS]

        def measure() -> Calibration:
            encodings = self.encode(sample)
            made = self.batches.calibrate(encodings.lengths, self._work(encodings, self._probabilities))
            self.counts.forward_passes += made["texts"]
            return made

        self.batches.tokens = self._cache.measurement(key, measure)["tokens"]
        self._calibrated = True

    @cached_property
    def batches(self) -> Batches:
        """How the network's batches are formed; one that knows no padding takes one text at a time."""
        alone = getattr(self.model.network.config, "pad_token_id", None) is None
        return Batches(self._kind, self.model.dtype, alone=alone, checked=not self.model.reads_batches)

    @cached_property
    def filler(self) -> dict[str, int]:
        """Token numbers that padding consists of."""
        return filler(self.model.tokenizer)

    @cached_property
    def _has_types(self) -> bool:
        """Whether the tokens of one text are of several types, as XLNet's are, which the network must then be told."""
        return any(self.model.tokenizer("a").get("token_type_ids", ()))

    def _probabilities(self, given: dict[str, torch.Tensor]) -> torch.Tensor:
        """Tensor of shape (batch, classes)."""
        import torch

        return torch.softmax(self.model.network(**given).logits.float(), dim=-1)

    def _states(self, given: dict[str, torch.Tensor]) -> torch.Tensor:
        """Tensor of shape (batch, 2 * hidden size): the last states of the first token, and averaged over all."""
        import torch

        states = self.model.network.base_model(**given)[0].float()  # (batch, tokens, hidden)
        real = given.get("attention_mask", torch.ones_like(given["input_ids"]))  # (batch, tokens)
        first = states[torch.arange(len(states)), real.argmax(dim=1)]  # padding may stand on the left
        mean = (states * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
        return torch.cat([first, mean], dim=1)

    def _computed(self, pieces: Iterable[Encodings], compute: Compute, width: int, bar: Bar) -> NDArray[np.float32]:
        """What a function makes of the model's inputs for each text, shape (n, width); they count as forward passes."""
        results = [np.empty((0, width), dtype=np.float32)]

        def batches() -> Iterator[tuple[NDArray[np.float32], Rows, torch.Tensor]]:
            for piece in pieces:
                results.append(np.empty((len(piece), width), dtype=np.float32))
                for rows, made in self.batches.run(piece.lengths, self._work(piece, compute)):
                    yield results[-1], rows, made
                self.counts.tokens += int(piece.lengths.sum())
                self.counts.forward_passes += len(piece)

        for result, rows, made in one_behind(batches()):
            result[rows] = made.cpu().numpy()
            bar.advance(len(rows))
        return np.concatenate(results)

    def _work(self, encodings: Encodings, compute: Compute) -> Callable[[Rows], torch.Tensor]:
        """What runs a function on the model's inputs of some of the texts."""
        import torch

        tokens.check_numbers(encodings.columns["input_ids"], self.model.network, self.model.source)

        def work(rows: Rows) -> torch.Tensor:
            with torch.inference_mode():
                return compute(self.inputs(encodings.take(rows).columns))

        return work
