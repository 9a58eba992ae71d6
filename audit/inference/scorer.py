"""The one place that runs models: probabilities and embeddings of texts, kept on disk, texts of the same tokens once.

What runs is decided here; how it runs, in :mod:`audit.inference.runner` for networks and in
:mod:`audit.inference.classifiers` for whatever else answers. It knows nothing of labels, gates or pytest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.budget import asking
from audit.core.cache import Cache
from audit.core.errors import NotAssessed
from audit.core.progress import Bar, Progress
from audit.core.sentences import Sentence
from audit.inference import keys
from audit.inference.answers import Answers
from audit.inference.attention import Attention
from audit.inference.batches import Encodings, windows
from audit.inference.explainer import Explainer
from audit.inference.feature_attributions import Attribution
from audit.inference.gradients import TriggerScores
from audit.inference.predictions import Predictions
from audit.inference.runner import Counts, LocalRunner, OwnRunner, Runner
from audit.inference.store import Row, Store
from audit.models.answering import Answering
from audit.models.model import Model

if TYPE_CHECKING:
    from audit.energy.meter import Meter

# Texts that are looked at together: identical ones are looked up once, and those of like length share batches.
WINDOW = 65_536
# Of these, texts that are looked up, computed and kept at a time: so many are lost at most if the process dies.
PART = {"cpu": 1024, "cuda": 16_384, "mps": 4096, "own": 1024}


class CachedScorer:
    """Answers texts by whatever model, from the cache where they are there.

    Parameters
    ----------
    local : OwnRunner
        Runs the model in this process.
    cache : Cache
    meter : Meter
        Books the energy of forward passes under ``score``.
    progress : Progress

    Attributes
    ----------
    counts : Counts
    runner : Runner
        Answers what the cache does not hold: the local one, unless a cluster does it.
    """

    model: Answering
    local: OwnRunner

    def __init__(self, local: OwnRunner, cache: Cache, meter: Meter, progress: Progress) -> None:
        self.local, self.model, self.counts = local, local.model, local.counts
        self.max_characters, self.cache = local.max_characters, cache
        self._meter, self._progress = meter, progress
        self.runner: Runner = local

    @property
    def identity(self) -> dict[str, object]:
        """What an answer costs depends on this, besides the text and the machine; JSON values."""
        model = self.model
        single = {} if model.dtype == "float32" else {"dtype": model.dtype}  # float32 was all there was once
        return {"model": model.key, "max_length": model.max_length, "device": model.device, **single}

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
        return self._predictions(np.concatenate([nothing, *parts]))

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

        def header() -> dict[str, object]:
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
        return self._predictions(np.load(path, mmap_mode="r" if written else None))

    def _predictions(self, rows: NDArray[np.float32]) -> Predictions:
        """Rows of the model's own, shape (n, classes)."""
        return Predictions(rows, self.model.labels)

    def _embeddings(self, texts: Iterable[str]) -> NDArray[np.float32]:
        """What the model makes of texts before it decides, in their order, shape (n, width)."""
        parts = list(self._kept(texts, "embedding"))
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    def forward(self, texts: Sequence[str], show: bool = True) -> NDArray[np.float32]:
        """Probabilities by the model itself, past the cache; shape (n, classes), in the order of the texts."""
        bars = self._progress if show else Progress()
        with bars.bar("score", len(texts), "texts") as bar:
            rows = self.local.rows("", self.local.encodings(map(self.local.read, texts)), bar)
        self.local.check(rows)
        return rows

    def predict_together(self, batches: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """Probabilities of texts in stated company, each batch run as it stands.

        :meth:`predict` forms batches as it likes, and where padding would change an answer it pads no text. Others who
        run the model do not look; this shows what they get. It takes none of its answers from there: what is kept is
        kept by the whole batch, machine and versions, so that only an audit that asks just the same runs nothing.

        Parameters
        ----------
        batches : sequence of sequence of str, none of them empty

        Returns
        -------
        list of ndarray of float32, shape (texts of the batch, classes)
            Rows may hold what is no number: here that is no mistake but an outcome.
        """
        read = [[*map(self.local.read, batch)] for batch in batches]
        asked = {keys.of_batch(texts): texts for texts in read}
        store = Store(self.cache, keys.of_batches(self.model, self._meter.place))
        rows = store.get([*asked], None)
        missing = {key: texts for key, texts in asked.items() if key not in rows}
        if missing:
            number = sum(map(len, missing.values()))
            with asking(number), self._meter.phase("score"), self._progress.bar("score", number, "texts") as bar:
                made = self.local.together([*missing.values()], bar)
            fresh = {key: each.ravel() for key, each in zip(missing, made, strict=True)}
            store.put(fresh)
            rows |= fresh
        self.counts.texts += sum(map(len, read))
        self.counts.cache_hits += sum(len(texts) for texts in read if keys.of_batch(texts) not in missing)
        return [rows[keys.of_batch(texts)].reshape(len(texts), -1).astype(np.float32) for texts in read]

    def _kept(self, texts: Iterable[str], what: str, total: int = 0) -> Iterator[NDArray[np.float32]]:
        """Rows of the texts in their order, a window at a time, shape (texts of the window, width).

        From the cache where they are there; of the texts that the tokenizer makes the same of, one is computed.
        """
        total = len(texts) if isinstance(texts, Sized) else total
        with self._progress.bar("score", total, "texts") as bar:
            for window in windows(map(self.local.read, texts), WINDOW):
                found = self._found(window, what, bar)
                yield np.array([found[text] for text in window], dtype=np.float32)

    def _found(self, window: Sequence[str], what: str, bar: Bar) -> dict[str, Row]:
        """The row of each distinct text of a window."""
        # Characters foretell tokens, so that texts of like length come into one part, and there into one batch.
        distinct = sorted(dict.fromkeys(window), key=len, reverse=True)
        row_keys, size = [keys.of_text(text) for text in distinct], PART[self.model.device.split(":")[0]]
        text_of = dict(zip(row_keys, distinct, strict=True))
        row_of: dict[bytes, Row] = {}
        width = None if what else len(self.model.labels)
        answers = Answers(self.cache, keys.of_rows(self.model, what), keys.of_encodings(self.model), width)

        def compute(pieces: Iterator[Encodings]) -> NDArray[np.float32]:
            if not answers.computed:
                self.runner.calibrate(distinct)
            rows = self.runner.rows(what, pieces, bar)
            self.local.check(rows)
            return rows

        for part in answers.shared([row_keys[start : start + size] for start in range(0, len(row_keys), size)]):
            row_of |= answers.get(part)
            missing, before = [key for key in part if key not in row_of], answers.computed
            bar.advance(len(part) - len(missing))
            if missing:
                with asking(len(missing)), self._meter.phase("score"):
                    row_of |= answers.add(missing, self.runner.encodings([text_of[key] for key in missing]), compute)
                bar.advance(len(missing) - (answers.computed - before))
        bar.advance(len(window) - len(distinct))
        self.counts.texts += len(window)
        self.counts.cache_hits += len(window) - answers.computed
        return {text: row_of[key] for key, text in text_of.items()}


class Scorer(CachedScorer):
    """Answers texts by a network of Transformers, and looks into it.

    Parameters
    ----------
    model : Model
    cache : Cache
    meter : Meter
        Books the energy of forward passes under ``score``.
    progress : Progress
    max_characters : int
        The rest of a longer text is not even given to the tokenizer; 0: all is.

    Attributes
    ----------
    explainer : Explainer
    """

    model: Model
    local: LocalRunner

    def __init__(
        self, model: Model, cache: Cache, meter: Meter, progress: Progress, *, max_characters: int = 0
    ) -> None:
        local = LocalRunner(model, Counts(), cache, meter, max_characters=max_characters)
        super().__init__(local, cache, meter, progress)
        self.explainer = Explainer(local, cache, meter, progress)

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
        return self._embeddings(texts)

    def predict_together(self, batches: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """As :meth:`CachedScorer.predict_together`.

        Raises
        ------
        NotAssessed
            If texts of several lengths cannot be read at once.
        """
        if self.local.batches.alone and any(len(batch) > 1 for batch in batches):
            raise NotAssessed(
                Sentence("the model has no token to pad texts with, so each is read alone, whoever runs it"),
                arises=False,
            )
        return super().predict_together(batches)

    def attention(self, texts: Sequence[str]) -> list[Attention]:
        """As :meth:`audit.inference.explainer.Explainer.attention`."""
        return self.explainer.attention(texts)

    def attributions(
        self, texts: Sequence[str], targets: NDArray[np.int64], shuffled: int | None = None
    ) -> tuple[Attribution, ...]:
        """As :meth:`audit.inference.explainer.Explainer.attributions`."""
        return self.explainer.attributions(texts, targets, shuffled)

    def trigger_scores(
        self, texts: Sequence[str], labels: NDArray[np.int64], positions: int = 3, place: int | None = None
    ) -> TriggerScores:
        """As :meth:`audit.inference.explainer.Explainer.trigger_scores`."""
        return self.explainer.trigger_scores(texts, labels, positions, place)

    def reads_alike(self, first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
        """As :meth:`audit.inference.explainer.Explainer.reads_alike`."""
        return self.explainer.reads_alike(first, second)

    def reads_whole(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """As :meth:`audit.inference.explainer.Explainer.reads_whole`."""
        return self.explainer.reads_whole(texts)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """As :meth:`audit.inference.explainer.Explainer.unknown_share`."""
        return self.explainer.unknown_share(texts)
