"""The one place that runs models: probabilities and embeddings of texts, each distinct text once, kept on disk.

It knows nothing of labels, gates or pytest.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from audit.cache import Cache, read_array, write_array
from audit.data import Examples
from audit.model import Model
from audit.progress import Progress

if TYPE_CHECKING:
    from audit.energy import Meter

# Tokens in a batch, padding included. Small batches stay in a processor's cache; a GPU wants work for all its units.
TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 65_536, "mps": 16_384}
# Part of the key of cached predictions: raise it whenever their computation changes.
REVISION = 1
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Predictions:
    """Class probabilities, and the examples that they are about.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, classes)
    classes : tuple of str
    examples : Examples or None
        Needed for everything that compares with the truth.
    """

    probabilities: NDArray[np.float32]
    classes: tuple[str, ...]
    examples: Examples | None = None

    def on(self, examples: Examples) -> Predictions:
        """The same, told which examples they are about.

        Raises
        ------
        ValueError
            If their number differs.
        """
        if len(examples) != len(self.probabilities):
            raise ValueError(f"{len(self.probabilities)} predictions for {len(examples)} examples")
        return replace(self, examples=examples)

    def __len__(self) -> int:
        return len(self.probabilities)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Predicted class index of each text, shape (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def truth(self) -> NDArray[np.int64]:
        """True class index of each example, shape (n,)."""
        return self.known.labels

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Where the prediction is the truth, shape (n,)."""
        return np.asarray(self.labels == self.truth, dtype=bool)

    @property
    def known(self) -> Examples:
        """The examples.

        Raises
        ------
        ValueError
            If the predictions were not told them.
        """
        if self.examples is None:
            raise ValueError("these predictions know no examples; tell them with .on(examples)")
        return self.examples

    @property
    def losses(self) -> NDArray[np.float64]:
        """Cross-entropy of each example's true class, shape (n,)."""
        p = self.probabilities[np.arange(len(self)), self.truth].astype(float)
        return np.asarray(-np.log(np.clip(p, 1e-12, 1.0)))


@dataclass(frozen=True)
class TriggerScores:
    """How far each word of the vocabulary, put into texts, would move the model from one class to another.

    Parameters
    ----------
    words : tuple of str, length w
        Those that are a token by themselves.
    scores : ndarray of float32, shape (classes, classes, w)
        By class of the texts, class moved to, and word; to first order, so their order counts and not their size.
        0 where there was no text of the class, and where both classes are one.
    """

    words: tuple[str, ...]
    scores: NDArray[np.float32]


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
        self._tokens_per_batch = TOKENS_PER_BATCH[model.device.split(":")[0]]

    @property
    def identity(self) -> dict[str, Any]:
        """What an answer costs depends on this, besides the text and the machine; JSON values."""
        model = self.model
        return {"model": model.fingerprint, "max_length": model.max_length, "device": model.device}

    def predict(self, texts: Sequence[str]) -> Predictions:
        """Class probabilities for texts, in their order.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts longer than the model's maximum are cut. Lone surrogates, which are no characters, are read as U+FFFD,
            the sign for what cannot be read.

        Returns
        -------
        Predictions
            Probabilities of shape (n, classes), float32.
        """
        rows = self._kept(texts, "", len(self.model.labels), self.forward)
        shape = (len(rows), len(self.model.labels))
        return Predictions(np.array(rows, dtype=np.float32).reshape(shape), self.model.labels)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """What the encoder makes of texts before the classification head reads it, in their order.

        The encoder's last hidden states, of the first token and averaged over all tokens, side by side. Heads read
        either (BERT, DistilBERT, RoBERTa, ELECTRA and DeBERTa the first, ModernBERT the one or the other), so whatever
        the head can know of a text is in here, for any encoder of ``transformers``. A head's own layers would show
        less: their last one keeps little but the answer.

        Parameters
        ----------
        texts : sequence of str, length n
            Texts longer than the model's maximum are cut.

        Returns
        -------
        ndarray of float32, shape (n, 2 * hidden size)
            Kept on disk like predictions; they hold traces of the texts, and the cache is the user's alone.
        """
        rows = self._kept(texts, "embedding", None, self._embed)
        return np.array(rows, dtype=np.float32).reshape(len(rows), -1 if rows else 0)

    def _kept(
        self,
        texts: Sequence[str],
        what: str,
        width: int | None,
        compute: Callable[[Sequence[str]], NDArray[np.float32]],
    ) -> list[NDArray[np.float32]]:
        """A row for each text, from the cache where it is there; each distinct text is computed once."""
        read = [self._read(text) for text in texts]
        distinct = list(dict.fromkeys(read))
        keys = [_key(text) for text in distinct]
        with _Store(self._cache, self._scope(what)) as store, store.lock():
            found = store.get(keys, width)
            missing = [i for i, key in enumerate(keys) if key not in found]
            if missing:
                with self._meter.phase("score"):
                    fresh = compute([distinct[i] for i in missing])
                for i, row in zip(missing, fresh, strict=True):
                    found[keys[i]] = row
                store.put({keys[i]: found[keys[i]] for i in missing})
        self.counts.texts += len(texts)
        self.counts.cache_hits += len(texts) - len(missing)
        row_of = {text: found[key] for text, key in zip(distinct, keys, strict=True)}
        return [row_of[text] for text in read]

    def forward(self, texts: Sequence[str], show: bool = True) -> NDArray[np.float32]:
        """Probabilities by the model itself, past the cache; shape (n, classes), in the order of the texts."""
        import torch

        result = np.empty((len(texts), len(self.model.labels)), dtype=np.float32)
        with torch.inference_mode():
            for rows, batch in self._encoded(texts, show):
                logits = self.model.network(**batch).logits.float()  # (batch, classes)
                result[rows] = torch.softmax(logits, dim=-1).cpu().numpy()
        return result

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings by the encoder itself, past the cache; shape (n, 2 * hidden size)."""
        import torch

        network = self.model.network
        result = np.empty((len(texts), 2 * network.config.hidden_size), dtype=np.float32)
        with torch.inference_mode():
            for rows, batch in self._encoded(texts, show=True):
                states = network.base_model(**batch)[0].float()  # (batch, tokens, hidden)
                real = batch["attention_mask"]  # (batch, tokens); padding may stand on the left
                first = states[torch.arange(len(rows)), real.argmax(dim=1)]
                mean = (states * real[..., None]).sum(dim=1) / real.sum(dim=1, keepdim=True)
                result[rows] = torch.cat([first, mean], dim=1).cpu().numpy()
        return result

    def _encoded(self, texts: Sequence[str], show: bool) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Row indices and model inputs of batches that together hold each text once; they count as forward passes."""
        tokenizer = self.model.tokenizer
        encoded = tokenizer(
            [self._read(text) for text in texts],
            truncation=True,
            max_length=self.model.max_length,
            return_attention_mask=False,
        )["input_ids"]
        lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
        bars = self._progress if show else Progress()
        with bars.bar("score", len(texts), "texts") as bar:
            for rows in _batches(lengths, self._tokens_per_batch):
                yield (
                    rows,
                    tokenizer.pad({"input_ids": [encoded[i] for i in rows]}, padding="longest", return_tensors="pt").to(
                        self.model.device
                    ),
                )
                bar.advance(len(rows))
        self.counts.forward_passes += len(texts)
        self.counts.tokens += int(lengths.sum())

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
        ids, words = self._vocabulary
        classes = len(self.model.labels)
        digest = hashlib.sha256(self._scope("triggers"))
        for value in (*texts, beside, positions, *map(int, labels)):
            digest.update(hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).digest())
        path = self._cache.measurements / f"triggers-{digest.hexdigest()[:32]}.npy"
        with FileLock(f"{path}.lock"):
            scores = read_array(path, (classes, classes, len(words)))
            if scores is None:
                with self._meter.phase("gradients"):
                    gradients = self._gradients(texts, labels, beside, positions)  # (classes, classes, width)
                    embeddings = self.model.network.get_input_embeddings().weight.detach().float().cpu().numpy()
                    scores = gradients @ embeddings[ids].T
                write_array(path, scores)
        return TriggerScores(words, scores)

    def _gradients(
        self, texts: Sequence[str], labels: NDArray[np.int64], beside: str, positions: int
    ) -> NDArray[np.float32]:
        """Mean gradient of each class margin at an inserted token; shape (classes, classes, width of the embedding)."""
        import torch

        network, tokenizer = self.model.network, self.model.tokenizer
        embed = network.get_input_embeddings()
        rows = list(self._inserted(texts, beside, positions))
        sources = np.asarray(labels, dtype=np.int64)[[text for text, _, _ in rows]]
        places = np.array([place for _, place, _ in rows], dtype=np.int64)
        classes = len(self.model.labels)
        total = np.zeros((classes, classes, embed.weight.shape[1]), dtype=np.float32)
        lengths = np.array([len(ids) for _, _, ids in rows], dtype=np.int64)
        with self._progress.bar("gradients", len(rows), "texts") as bar:
            for batch in _batches(lengths, self._tokens_per_batch):
                padded = tokenizer.pad(
                    {"input_ids": [rows[i][2] for i in batch]}, padding="longest", return_tensors="pt"
                ).to(self.model.device)
                # As many padding tokens before the text as the tokenizer puts there; none, where it pads behind.
                shift = padded["attention_mask"].int().argmax(dim=1).cpu().numpy()
                embedded = embed(padded.pop("input_ids")).detach().requires_grad_()  # (batch, tokens, width)
                logits = network(inputs_embeds=embedded, **padded).logits.float()  # (batch, classes)
                of = np.arange(len(batch))
                own = logits[of, sources[batch]].sum()
                for target in range(classes):
                    (gradient,) = torch.autograd.grad(logits[:, target].sum() - own, embedded, retain_graph=True)
                    at = gradient[of, places[batch] + shift].float().cpu().numpy()  # (batch, width)
                    np.add.at(total[:, target], sources[batch], at)
                bar.advance(len(batch))
        self.counts.forward_passes += len(rows)
        times = np.maximum(np.bincount(sources, minlength=classes), 1).astype(np.float32)
        return np.asarray(total / times[:, None, None], dtype=np.float32)

    def _inserted(self, texts: Sequence[str], beside: str, positions: int) -> Iterator[tuple[int, int, list[int]]]:
        """Which text, where the inserted token stands, and all token numbers; for some places of each text."""
        tokenizer = self.model.tokenizer
        extra = self._tokens(beside)
        encoded = tokenizer(
            [self._read(text) for text in texts],
            truncation=True,
            max_length=self.model.max_length - len(extra) - 1,
            return_special_tokens_mask=True,
            return_attention_mask=False,
        )
        for text, (ids, special) in enumerate(zip(encoded["input_ids"], encoded["special_tokens_mask"], strict=True)):
            own = [i for i, mark in enumerate(special) if not mark]
            for turn, at in enumerate(np.linspace(0, len(own) - 1, positions).round().astype(int) if own else ()):
                place, before = own[at], extra if turn % 2 else []
                put = [*before, ids[place], *([] if before else extra)]
                yield text, place + len(before), [*ids[:place], *put, *ids[place:]]

    def reads_alike(self, first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
        """Whether the tokenizer makes the same of each pair of texts, so that no model could tell them apart; (n,)."""
        pairs = zip(first, second, strict=True)
        return np.array([self._tokens(one) == self._tokens(other) for one, other in pairs], dtype=bool)

    def _tokens(self, text: str) -> list[int]:
        return list(self.model.tokenizer(self._read(text), add_special_tokens=False)["input_ids"])

    @cached_property
    def _vocabulary(self) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Numbers and spellings of the tokens that are a word: put behind another word they become that token alone."""
        tokenizer = self.model.tokenizer
        numbers = sorted(set(tokenizer.get_vocab().values()) - set(tokenizer.all_special_ids))
        spelt = [
            tokenizer.convert_tokens_to_string([token]).strip() for token in tokenizer.convert_ids_to_tokens(numbers)
        ]
        carrier = self._tokens("the")
        encoded = tokenizer([f"the {word}" for word in spelt], add_special_tokens=False)["input_ids"] if spelt else []
        found = [
            (number, word)
            for number, word, ids in zip(numbers, spelt, encoded, strict=True)
            if word and ids == [*carrier, number]
        ]
        return np.array([number for number, _ in found], dtype=np.int64), tuple(word for _, word in found)

    def _read(self, text: str) -> str:
        """The text as the tokenizer gets it; it refuses lone surrogates, which JSON's escapes can bring."""
        return _LONE_SURROGATES.sub("\ufffd", text[: self.max_characters or None])

    def _scope(self, what: str) -> bytes:
        """What besides the text decides a row; `what` is empty for predictions."""
        model = self.model
        kind = model.device.split(":")[0]
        text = f"{REVISION}\0{model.fingerprint}\0{model.max_length}\0float32\0{kind}"
        text += f"\0{what}" if what else ""
        return hashlib.sha256(text.encode()).digest()[:16]


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _batches(lengths: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Row indices of batches of similar length, longest first so that memory runs out at once or never."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        width = int(lengths[order[start]])
        size = max(1, tokens // max(width, 1))
        yield order[start : start + size]
        start += size


class _Store:
    """Predictions or embeddings of one model on disk, one row a text."""

    def __init__(self, cache: Cache, scope: bytes) -> None:
        self._path, self._scope = cache.predictions, scope

    def __enter__(self) -> _Store:
        try:
            self._connection = self._open()
        except sqlite3.DatabaseError:
            # A damaged cache costs time, never a result.
            self._path.unlink(missing_ok=True)
            self._connection = self._open()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=600)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS predictions (scope BLOB, text BLOB, probabilities BLOB, "
                "PRIMARY KEY (scope, text)) WITHOUT ROWID"
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def lock(self) -> FileLock:
        """Held while one process looks up and computes, so that no other computes the same."""
        return FileLock(f"{self._path}.{self._scope.hex()}.lock")

    def get(self, keys: Sequence[bytes], width: int | None) -> dict[bytes, NDArray[np.float32]]:
        found: dict[bytes, NDArray[np.float32]] = {}
        with closing(self._connection.cursor()) as cursor:
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                marks = ",".join("?" * len(part))
                query = f"SELECT text, probabilities FROM predictions WHERE scope = ? AND text IN ({marks})"  # noqa: S608
                for key, blob in cursor.execute(query, (self._scope, *part)):
                    row = np.frombuffer(blob, dtype="<f4")
                    if width in (None, len(row)) and np.isfinite(row).all():
                        found[bytes(key)] = row
        return found

    def put(self, rows: dict[bytes, Any]) -> None:
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO predictions VALUES (?, ?, ?)",
                [(self._scope, key, np.asarray(row, dtype="<f4").tobytes()) for key, row in rows.items()],
            )
