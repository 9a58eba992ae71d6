"""The one place that runs models: probabilities and embeddings of texts, kept on disk, texts of the same tokens once.

It knows nothing of labels, gates or pytest.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Cache
from audit.core.progress import Bar, Progress
from audit.data.examples import fingerprint
from audit.data.tables import without_surrogates
from audit.inference import attention, attributions, gradients
from audit.inference.answers import Answers
from audit.inference.attention import Attention
from audit.inference.attributions import Attribution
from audit.inference.batches import Batches, Encodings, ahead, calibration_tokens, filler, inputs, one_behind, windows
from audit.inference.gradients import TriggerScores
from audit.inference.predictions import Predictions, check_finite
from audit.inference.store import Row
from audit.models import tokens
from audit.models.model import Model

if TYPE_CHECKING:
    from audit.energy.meter import Meter

# Part of the key of cached predictions: raise it whenever their computation changes.
REVISION = 1
# Texts that are looked at together: identical ones are looked up once, and those of like length share batches.
WINDOW = 65_536
# Of these, texts that are looked up, computed and kept at a time: so many are lost at most if the process dies.
PART = {"cpu": 1024, "cuda": 16_384, "mps": 4096}
# Of these, texts that are tokenized at a time, while the device works on those before them. A processor has no hands
# free for that: there all are.
TOKENIZED = {"cuda": 2048}
# A rough guess of a text's tokens, for what is decided before it is tokenized.
CHARACTERS_PER_TOKEN = 4
CALIBRATION_TEXTS = 8192


@dataclass
class Counts:
    """What the scoring of an audit amounted to."""

    texts: int = 0
    forward_passes: int = 0
    cache_hits: int = 0
    tokens: int = 0  # of the forward passes, without padding


class Scorer:
    """Runs one model.

    Parameters
    ----------
    model : Model
    cache : Cache
    meter : Meter
        Books the energy of forward passes under ``score``.
    progress : Progress
    max_characters : int
        The rest of a longer text is not even given to the tokenizer; 0: all is.
    """

    def __init__(
        self, model: Model, cache: Cache, meter: Meter, progress: Progress, *, max_characters: int = 0
    ) -> None:
        self.model, self.max_characters = model, max_characters
        self.counts = Counts()
        self._cache, self._meter, self._progress = cache, meter, progress
        self._kind, self._calibrated = model.device.split(":")[0], False

    @property
    def identity(self) -> dict[str, Any]:
        """What an answer costs depends on this, besides the text and the machine; JSON values."""
        model = self.model
        single = {} if model.dtype == "float32" else {"dtype": model.dtype}  # float32 was all there was once
        return {"model": model.fingerprint, "max_length": model.max_length, "device": model.device, **single}

    def predict(self, texts: Iterable[str]) -> Predictions:
        """Class probabilities for texts, in their order.

        Parameters
        ----------
        texts : iterable of str, n of them
            Texts longer than the model's maximum are cut. Lone surrogates, which are no characters, are read as U+FFFD,
            the sign for what cannot be read.

        Returns
        -------
        Predictions
            Probabilities of shape (n, classes), float32.

        Raises
        ------
        NotFiniteError
            If an answer is no number; such a one is never kept.
        """
        parts = list(self._kept(texts, ""))
        nothing = np.empty((0, len(self.model.labels)), dtype=np.float32)
        return Predictions(np.concatenate([nothing, *parts]), self.model.labels)

    def predict_stream(self, texts: Iterable[str], path: Path, total: int = 0) -> Predictions:
        """As :meth:`predict`, for more texts than memory holds: they are read once, and results go to a file.

        Parameters
        ----------
        texts : iterable of str, n of them
        path : Path
            Written in NumPy's format as the texts come; what stood there is replaced.
        total : int
            How many texts will come, for the time left that is shown; 0: not known.

        Returns
        -------
        Predictions
            Probabilities of shape (n, classes), float32, mapped from the file.
        """
        classes, written = len(self.model.labels), 0

        def header() -> dict[str, Any]:
            return {"descr": "<f4", "fortran_order": False, "shape": (written, classes)}

        with path.open("wb") as file:
            # NumPy leaves room in the header for the number of rows to grow.
            np.lib.format.write_array_header_1_0(file, header())
            start = file.tell()
            for rows in self._kept(texts, "", total):
                file.write(np.ascontiguousarray(rows, dtype="<f4").tobytes())
                written += len(rows)
            file.seek(0)
            np.lib.format.write_array_header_1_0(file, header())
            assert file.tell() == start
        # An empty file cannot be mapped.
        return Predictions(np.load(path, mmap_mode="r" if written else None), self.model.labels)

    def embed(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """What the encoder makes of texts before the classification head reads it, in their order.

        The encoder's last hidden states, of the first token and averaged over all tokens, side by side. Heads read
        either (BERT, DistilBERT, RoBERTa, ELECTRA and DeBERTa the first, ModernBERT the one or the other), so whatever
        the head can know of a text is in here, for any encoder of ``transformers``. A head's own layers would show
        less: their last one keeps little but the answer.

        Parameters
        ----------
        texts : iterable of str, n of them
            Texts longer than the model's maximum are cut.

        Returns
        -------
        ndarray of float32, shape (n, 2 * hidden size)
            Kept on disk like predictions; they hold traces of the texts, and the cache is the user's alone.
        """
        parts = list(self._kept(texts, "embedding"))
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    def attention(self, texts: Sequence[str]) -> list[Attention]:
        """What each layer multiplies and weighs, one text at a time; not kept, since it is large.

        Raises
        ------
        NotAssessed
            If the layers have no separate queries and keys, as those of BERT, RoBERTa, ELECTRA and DistilBERT do.
        """
        # A copy of the network, since it has to compute its weights openly; the one that predicts is left alone.
        network, read = replace(self.model).network, [self._read(text) for text in texts]
        with self._meter.phase("score"):
            made = attention.weigh(network, self.model.tokenizer, read, self.model.max_length)
        self._check(np.array([[each.weights.sum(), each.queries.sum(), each.keys.sum()] for each in made]))
        self.counts.forward_passes += len(texts)
        self.counts.texts += len(texts)
        return made

    def heads(self, text: str) -> dict[str, Any]:
        """What one head of the last layer weighs: the one that looks least at the tokenizer's own tokens.

        Returns
        -------
        dict
            ``tokens``, a list of t; ``weights``, t lists of t: how much of each token (inner) goes into each; ``layer``
            and ``head``, counted from 1, ``layers`` and ``heads``, how many there are. Kept in the cache.

        Raises
        ------
        NotAssessed
            As :meth:`attention`.
        """
        read = self._read(text)
        asked = {"what": "attention", "scope": self._scope("").hex(), "text": fingerprint([read])}

        def measure() -> dict[str, Any]:
            (seen,) = self.attention([read])
            last = seen.weights[-1]  # (heads, tokens, tokens)
            special = np.isin(seen.tokens, self.model.tokenizer.all_special_tokens)
            head = int(last[:, :, special].sum(axis=(1, 2)).argmin())
            return {
                "tokens": list(seen.tokens), "weights": last[head].round(4).tolist(), "head": head + 1,
                "layer": len(seen.weights), "layers": len(seen.weights), "heads": len(last),
            }  # fmt: skip

        kept = self._cache.measurement(asked, measure)
        return {name: value for name, value in kept.items() if name not in ("key", "created")}

    def attributions(
        self, texts: Sequence[str], targets: NDArray[np.int64], shuffled: int | None = None
    ) -> tuple[Attribution, ...]:
        """How far each word of a text moves the log-odds of a class, by integrated gradients.

        Parameters
        ----------
        texts : sequence of str, length n
        targets : ndarray of int, shape (n,)
            The class that each is asked about.
        shuffled : int, optional
            Seed: ask a network whose weights are this one's in random order, to tell what owes nothing to learning.

        Returns
        -------
        tuple of Attribution, length n
            Kept in the cache, so that a second audit runs nothing.

        Raises
        ------
        NotAssessed
            As :func:`audit.inference.attributions.integrated_gradients`.
        """
        read, classes = [self._read(text) for text in texts], targets.tolist()
        asked = {
            "what": "integrated gradients", "scope": self._scope("").hex(), "texts": fingerprint(read),
            "targets": classes, "shuffled": shuffled, "steps": list(attributions.STEPS),
        }  # fmt: skip

        def measure() -> dict[str, Any]:
            network = self.model.network if shuffled is None else attributions.shuffled(self.model.network, shuffled)
            made = []
            with self._meter.phase("gradients"), self._progress.bar("explain", len(read), "texts") as bar:
                for each in attributions.integrated_gradients(
                    network, self.model.tokenizer, read, classes, self.model.max_length,
                    lambda ids: self._inputs({"input_ids": ids}), self._batches.tokens,
                ):  # fmt: skip
                    made.append([each.spans, each.scores, each.moved])
                    self.counts.forward_passes += each.passes
                    bar.advance(1)
            self._check_sums(made)
            return {"made": made}

        made = self._cache.measurement(asked, measure)["made"]
        self._check_sums(made)
        return tuple(
            Attribution(text, target, tuple((start, end) for start, end in spans), tuple(scores), moved)
            for text, target, (spans, scores, moved) in zip(read, classes, made, strict=True)
        )

    def _check_sums(self, explained: Iterable[Sequence[Any]]) -> None:
        """Refuse attributions of which any is no number, just made or from the cache."""
        self._check(np.array([[sum(scores), moved] for _, scores, moved in explained], dtype=float))

    def _check(self, rows: NDArray[np.floating[Any]]) -> None:
        check_finite(rows, self.model.source, self.model.dtype)

    def _kept(self, texts: Iterable[str], what: str, total: int = 0) -> Iterator[NDArray[np.float32]]:
        """Rows of the texts in their order, a window at a time, shape (texts of the window, width).

        From the cache where they are there; of the texts that the tokenizer makes the same of, one is computed.
        """
        total = len(texts) if isinstance(texts, Sized) else total
        with self._progress.bar("score", total, "texts") as bar:
            for window in windows(map(self._read, texts), WINDOW):
                found = self._found(window, what, bar)
                yield np.array([found[text] for text in window], dtype=np.float32)

    def _found(self, window: Sequence[str], what: str, bar: Bar) -> dict[str, Row]:
        """The row of each distinct text of a window."""
        # Characters foretell tokens, so that texts of like length come into one part, and there into one batch.
        distinct = sorted(dict.fromkeys(window), key=len, reverse=True)
        keys, size = [_key(text) for text in distinct], PART[self._kind]
        text_of = dict(zip(keys, distinct, strict=True))
        found: dict[bytes, Row] = {}
        width = None if what else len(self.model.labels)
        answers = Answers(self._cache, self._scope(what), self._encoding_scope, width)

        def compute(pieces: Iterator[Encodings]) -> NDArray[np.float32]:
            if not answers.computed:
                self._calibrate(distinct)
            rows = self._compute(what, pieces, bar)
            self._check(rows)
            return rows

        for part in answers.shared([keys[start : start + size] for start in range(0, len(keys), size)]):
            found |= answers.get(part)
            missing, before = [key for key in part if key not in found], answers.computed
            bar.advance(len(part) - len(missing))
            if missing:
                with self._meter.phase("score"):
                    found |= answers.add(missing, self._tokenize([text_of[key] for key in missing]), compute)
                bar.advance(len(missing) - (answers.computed - before))
        bar.advance(len(window) - len(distinct))
        self.counts.texts += len(window)
        self.counts.cache_hits += len(window) - answers.computed
        return {text: found[key] for key, text in text_of.items()}

    def forward(self, texts: Sequence[str], show: bool = True) -> NDArray[np.float32]:
        """Probabilities by the model itself, past the cache; shape (n, classes), in the order of the texts."""
        bars = self._progress if show else Progress()
        with bars.bar("score", len(texts), "texts") as bar:
            rows = self._predict(self._encoded(map(self._read, texts)), bar)
        self._check(rows)
        return rows

    def _tokenize(self, texts: Sequence[str]) -> Iterator[Encodings]:
        """Encodings of texts of which nobody has kept an answer."""
        return self._encoded(texts)

    def _compute(self, what: str, pieces: Iterable[Encodings], bar: Bar) -> NDArray[np.float32]:
        """Rows that nobody has kept: embeddings, or probabilities where `what` is empty."""
        return self._embed(pieces, bar) if what else self._predict(pieces, bar)

    def _predict(self, pieces: Iterable[Encodings], bar: Bar) -> NDArray[np.float32]:
        """Probabilities by the model itself, shape (n, classes)."""
        return self._computed(pieces, self._probabilities, len(self.model.labels), bar)

    def _embed(self, pieces: Iterable[Encodings], bar: Bar) -> NDArray[np.float32]:
        """Embeddings by the encoder itself, shape (n, 2 * hidden size)."""
        return self._computed(pieces, self._states, 2 * self.model.network.config.hidden_size, bar)

    def _probabilities(self, given: dict[str, Any]) -> Any:
        """Tensor of shape (batch, classes)."""
        import torch

        return torch.softmax(self.model.network(**given).logits.float(), dim=-1)

    def _states(self, given: dict[str, Any]) -> Any:
        """Tensor of shape (batch, 2 * hidden size): the last states of the first token, and averaged over all."""
        import torch

        states = self.model.network.base_model(**given)[0].float()  # (batch, tokens, hidden)
        real = given.get("attention_mask", torch.ones_like(given["input_ids"]))  # (batch, tokens)
        first = states[torch.arange(len(states)), real.argmax(dim=1)]  # padding may stand on the left
        mean = (states * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
        return torch.cat([first, mean], dim=1)

    def _computed(
        self, pieces: Iterable[Encodings], compute: Callable[[dict[str, Any]], Any], width: int, bar: Bar
    ) -> NDArray[np.float32]:
        """What a function makes of the model's inputs for each text, shape (n, width); they count as forward passes."""
        results = [np.empty((0, width), dtype=np.float32)]

        def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], Any]]:
            for piece in pieces:
                results.append(np.empty((len(piece), width), dtype=np.float32))
                for rows, made in self._batches.run(piece.lengths, self._work(piece, compute)):
                    yield results[-1], rows, made
                self.counts.tokens += int(piece.lengths.sum())
                self.counts.forward_passes += len(piece)

        for result, rows, made in one_behind(batches()):
            result[rows] = made.cpu().numpy()
            bar.advance(len(rows))
        return np.concatenate(results)

    def _work(
        self, encodings: Encodings, compute: Callable[[dict[str, Any]], Any]
    ) -> Callable[[NDArray[np.int64]], Any]:
        """What runs a function on the model's inputs of some of the texts."""
        import torch

        tokens.check_numbers(encodings.columns["input_ids"], self.model.network, self.model.source)

        def work(rows: NDArray[np.int64]) -> Any:
            with torch.inference_mode():
                return compute(self._inputs(encodings.take(rows).columns))

        return work

    def _encoded(self, texts: Iterable[str]) -> Iterator[Encodings]:
        """What the tokenizer makes of texts that :meth:`_read` gave; the next ones while the device works on some."""
        return ahead(self._encode, windows(texts, TOKENIZED.get(self._kind, sys.maxsize)))

    def _encode(self, texts: Sequence[str]) -> Encodings:
        encoded = self.model.tokenizer(
            texts,
            truncation=True,
            max_length=self.model.max_length,
            return_attention_mask=False,
            return_token_type_ids=self._has_types,
        )
        columns = {name: encoded[name] for name in ("input_ids", "token_type_ids") if name in encoded}
        # Where a tokenizer frames no text with tokens of its own, an empty one still has to be something.
        columns["input_ids"] = [ids or [self._filler["input_ids"]] for ids in columns["input_ids"]]
        return Encodings(columns)

    def _inputs(self, columns: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, Any]:
        return inputs(columns, self._filler, self.model.tokenizer.padding_side, self.model.device)

    @cached_property
    def _batches(self) -> Batches:
        """How the network's batches are formed; one that knows no padding takes one text at a time."""
        alone = getattr(self.model.network.config, "pad_token_id", None) is None
        return Batches(self._kind, self.model.dtype, alone=alone, checked=not self.model.reads_batches)

    @cached_property
    def _filler(self) -> dict[str, int]:
        return filler(self.model.tokenizer)

    @cached_property
    def _has_types(self) -> bool:
        """Whether the tokens of one text are of several types, as XLNet's are, which the network must then be told."""
        return any(self.model.tokenizer("a").get("token_type_ids", ()))

    def _calibrate(self, texts: Sequence[str]) -> None:
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

        def measure() -> dict[str, Any]:
            encodings = self._encode(sample)
            made = self._batches.calibrate(encodings.lengths, self._work(encodings, self._probabilities))
            self.counts.forward_passes += made["texts"]
            return made

        self._batches.tokens = self._cache.measurement(key, measure)["tokens"]
        self._calibrated = True

    def trigger_scores(
        self, texts: Sequence[str], labels: NDArray[np.int64], beside: str = "", positions: int = 3
    ) -> TriggerScores:
        """Scores of every word as a trigger, from the gradient with respect to an inserted token's embedding.

        Parameters
        ----------
        texts : sequence of str, length n
        labels : ndarray of int, shape (n,)
            The class that the model gives each of them, from which a trigger would turn it.
        beside : str
            A word that is put in with the token, before or after it in turn: scores are then those of a second word.
        positions : int
            At how many places of each text a token is put in.

        Returns
        -------
        TriggerScores
            Kept in the cache, so that a second audit runs nothing.

        Notes
        -----
        Source: Ebrahimi et al., "HotFlip: white-box adversarial examples for text classification", ACL 2018, and
        Wallace et al., "Universal adversarial triggers for attacking and analyzing NLP", EMNLP 2019, equation 2: with g
        the mean gradient of (logit of the target - logit of the source), a token v is worth g · (e_v - e_inserted) to
        first order. The inserted token is a copy of its neighbour, so the texts themselves are the carrier words. What
        it subtracts is the same for all v and is left out.
        """
        ids, words = self._whole_words
        classes = len(self.model.labels)
        digest = hashlib.sha256(self._scope("triggers"))
        for value in (*texts, beside, positions, *map(int, labels)):
            digest.update(hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).digest())

        def scored() -> NDArray[np.float32]:
            with self._meter.phase("gradients"):
                mean = self._mean_margins(texts, labels, beside, positions)  # (classes, classes, width)
                embeddings = self.model.network.get_input_embeddings().weight.detach().float().cpu().numpy()
                return np.asarray(mean @ embeddings[ids].T)

        name = f"triggers-{digest.hexdigest()[:32]}"
        return TriggerScores(words, self._cache.array(name, (classes, classes, len(words)), scored))

    def _mean_margins(
        self, texts: Sequence[str], labels: NDArray[np.int64], beside: str, positions: int
    ) -> NDArray[np.float32]:
        """Mean gradient of each class margin at an inserted token; shape (classes, classes, width of the embedding)."""
        model, extra = self.model, self._tokens(beside)
        read = [self._read(text) for text in texts]
        rows = list(gradients.inserted(model.tokenizer, read, extra, model.max_length, positions))
        sources = np.asarray(labels, dtype=np.int64)[[row.text for row in rows]]
        with self._progress.bar("gradients", len(rows), "texts") as bar:
            mean = gradients.mean_margins(
                model.network, rows, sources, self._batches, lambda ids: self._inputs({"input_ids": ids}), bar
            )
        self.counts.forward_passes += len(rows)
        self._check(mean.reshape(len(mean), -1))
        return mean

    @cached_property
    def _whole_words(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Kept, as whatever only the tokenizer says: to load it takes longer than to ask it."""

        def measure() -> dict[str, Any]:
            rows = tokens.embedded(self.model.network)
            numbers, words = gradients.whole_words(self.model.tokenizer, self._tokens, rows)
            return {"numbers": numbers.tolist(), "words": words}

        kept = self._cache.measurement({"what": "whole words", **self._tokenization}, measure)
        return np.array(kept["numbers"], dtype=np.int64), tuple(kept["words"])

    def reads_alike(self, first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
        """Whether the tokenizer makes the same of each pair of texts, so that no model could tell them apart; (n,)."""
        read = [self._read(text) for text in (*first, *second)]

        def compare() -> NDArray[np.bool_]:
            ids = self.model.tokenizer(read, add_special_tokens=False)["input_ids"] if read else []
            pairs = zip(ids[: len(first)], ids[len(first) :], strict=True)
            return np.array([one == other for one, other in pairs], dtype=bool)

        digest = hashlib.sha256(f"{self._tokenization}{fingerprint(read)}".encode()).hexdigest()
        return self._cache.array(f"alike-{digest[:32]}", (len(first),), compare)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Share of the tokens of a sample of texts that stand for what the tokenizer does not know; kept."""
        sample = [self._read(text) for text in texts[:: max(1, len(texts) // tokens.SAMPLE)]]
        key = {"what": "unknown tokens", "texts": fingerprint(sample), **self._tokenization}

        def measure() -> dict[str, Any]:
            return {"share": tokens.unknown_share(self.model.tokenizer, sample)}

        return float(self._cache.measurement(key, measure)["share"])

    @cached_property
    def _tokenization(self) -> dict[str, Any]:
        """What decides how a text is tokenized; JSON values."""
        libraries = {name: version(name) for name in ("tokenizers", "transformers")}
        return {"revision": REVISION, "model": self.model.fingerprint, "versions": libraries}

    def _tokens(self, text: str) -> list[int]:
        return list(self.model.tokenizer(self._read(text), add_special_tokens=False)["input_ids"])

    def _read(self, text: str) -> str:
        """The text as the tokenizer gets it; it refuses lone surrogates, which JSON's escapes can bring."""
        return without_surrogates(text[: self.max_characters or None])

    @cached_property
    def _encoding_scope(self) -> bytes:
        """What besides the text decides its encoding."""
        parts = {"what": "encoding", "max_length": self.model.max_length, **self._tokenization}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).digest()[:16]

    def _scope(self, what: str) -> bytes:
        """What besides a text or its encoding decides a row; `what` is empty for predictions."""
        model, kind = self.model, self._kind
        text = f"{REVISION}\0{model.fingerprint}\0{model.max_length}\0{model.dtype}\0{kind}"
        text += f"\0{what}" if what else ""
        return hashlib.sha256(text.encode()).digest()[:16]


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]
