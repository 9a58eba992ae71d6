"""The audit's forward passes and trainings on the workers of a Ray cluster; results come back and are kept here.

What is to be predicted is decided, and all that comes of it is computed, in the process of the audit; a worker has no
cache and writes nothing. Ray places the work, and does it again where a worker was lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from audit.cluster.connection import Connection, reason
from audit.cluster.worker import MODELS, Answer, Files, Worker, installed, pack, unpack
from audit.core.cache import Cache
from audit.core.errors import AuditError
from audit.core.figures import Figures
from audit.core.progress import Bar, Progress
from audit.energy.meter import Meter, Power, add, charged
from audit.inference.batches import Encodings, Rows
from audit.inference.runner import CHARACTERS_PER_TOKEN, Counts
from audit.inference.scorer import Scorer
from audit.models.model import FineTuning, Model, fingerprint, hash_files
from audit.training.finetune import Job

if TYPE_CHECKING:
    from ray import ObjectRef
    from ray.actor import ActorHandle

    from audit.policy.policy import AuditPolicy

# A worker is given about so many chunks, so that none waits long for the last one; a chunk that is done again is small.
CHUNKS_PER_WORKER = 4
CHUNK_TOKENS = (8_192, 262_144)
# How often a piece of work is begun again whose worker was lost: what kills each of them must come to an end.
RETRIES = 3
START_S = 600.0

T = TypeVar("T")


class Cluster:
    """The workers of one audit, started when the first piece of work comes.

    Parameters
    ----------
    asked : AuditPolicy
        ``address``, None for a cluster on this machine that lives as long as the audit; ``workers``, 0 for one on each
        processor, or each graphics card.
    device : str

    Raises
    ------
    AuditError
        If Ray is not installed; later on, if the cluster cannot be reached or its workers cannot be used.
    """

    def __init__(self, asked: AuditPolicy, device: str, power: Power | None = None) -> None:
        if find_spec("ray") is None:
            raise AuditError("[audit] engine = 'ray' needs Ray; run `pip install 'pytest-model-audit[ray]'`.")
        self._asked, self._device, self._power = asked, device, power or Power()
        self._connection: Connection | None = None
        self._shipped: dict[str, ObjectRef[Files]] = {}
        self.pids: list[int] = []
        self.lost = 0
        self.elsewhere: list[Figures] = []

    def connect(self) -> None:
        """Reach the cluster, or start one.

        Raises
        ------
        AuditError
            If it cannot be reached.
        """
        if self._connection is None:
            self._connection = Connection(self._asked.address, max(self._asked.workers, os.cpu_count() or 1))

    @cached_property
    def _workers(self) -> list[ActorHandle[Worker]]:
        """The workers, each on its machine and ready."""
        import ray
        import torch

        self.connect()
        gpu = self._device.startswith("cuda")
        resource = "GPU" if gpu else "CPU"
        machines = [int(node["Resources"].get(resource, 0)) for node in ray.nodes() if node["Alive"]]
        count = self._asked.workers or sum(machines)
        if not 0 < count <= sum(machines):
            raise AuditError(
                f"[audit] workers = {count}: the cluster has {sum(machines)} {resource}s, and each worker needs one."
            )
        # The most that each worker can have, given that none spans two machines.
        each = next(n for n in range(max(machines), 0, -1) if sum(has // n for has in machines) >= count)
        options = {"num_gpus": 1, "num_cpus": 1} if gpu else {"num_cpus": each}
        worker = ray.remote(Worker).options(max_restarts=-1, max_task_retries=RETRIES, **options)
        home, own = ray.get_runtime_context().get_node_id(), torch.get_num_threads()
        device = "cuda:0" if gpu else self._device
        made = [
            worker.remote(i, home, device, own if gpu else each, own, self._asked.country, self._power)
            for i in range(count)
        ]
        try:
            about = ray.get([each.about.remote() for each in made], timeout=START_S)
        except Exception as error:
            raise AuditError(
                f"[audit] engine = 'ray': a worker cannot be started ({reason(error)}); install pytest-model-audit on "
                f"each machine of the cluster, and see that {count} {resource}s are free."
            ) from None
        other = next((each["versions"] for each in about if each["versions"] != installed()), None)
        if other is not None:
            raise AuditError(
                f"[audit] engine = 'ray': a worker has other software than this machine ({other}, here {installed()}), "
                f"which can change results; install the same versions."
            )
        self.pids = [each["pid"] for each in about]
        return made

    def encode(self, model: Model, texts: Sequence[str]) -> Encodings:
        """What the model's tokenizer makes of one or more texts, in their order."""
        guess = np.array([len(text) // CHARACTERS_PER_TOKEN + 2 for text in texts], dtype=np.int64)
        shipment = self._shipment(model)

        def send(worker: ActorHandle[Worker], piece: int, places: Rows) -> ObjectRef[Answer[Encodings]]:
            return worker.encode.remote(piece, *shipment, [texts[i] for i in places])

        spread: Iterator[tuple[Rows, Encodings]] = self._spread(np.minimum(guess, model.max_length), send)
        places, parts = zip(*spread, strict=True)
        return Encodings.joined(parts).take(np.argsort(np.concatenate(places)))

    def score(self, model: Model, encodings: Encodings, what: str, bar: Bar) -> NDArray[np.float32]:
        """Rows for one or more texts in their order.

        Parameters
        ----------
        what : str
            Empty for probabilities, ``embedding`` for embeddings.
        """
        shipment = self._shipment(model)

        def send(worker: ActorHandle[Worker], piece: int, places: Rows) -> ObjectRef[Answer[NDArray[np.float32]]]:
            return worker.score.remote(piece, *shipment, what, encodings.take(places))

        places, parts = [], []
        spread: Iterator[tuple[Rows, NDArray[np.float32]]] = self._spread(encodings.lengths, send)
        for where, rows in spread:
            places.append(where)
            parts.append(rows)
            bar.advance(len(rows))
        return np.concatenate(parts)[np.argsort(np.concatenate(places))]

    def _spread(
        self, tokens: Rows, send: Callable[[ActorHandle[Worker], int, Rows], ObjectRef[Answer[T]]]
    ) -> Iterator[tuple[Rows, T]]:
        """What workers make of texts of so many tokens each, a chunk at a time, and the places of the chunk's texts."""
        chunks = list(_chunks(tokens, self.size))
        answers: list[Answer[T]] = []
        coming: Iterator[Answer[T]] = self._answers(
            lambda worker, piece: send(worker, piece, chunks[piece]), len(chunks)
        )
        for answer in coming:
            answers.append(answer)
            yield chunks[answer.piece], answer.value
        self._book(answers)

    def train(
        self, jobs: Sequence[Job], phase: str, keep: Callable[[int, Callable[[Path], None], FineTuning], None]
    ) -> list[FineTuning]:
        """Train models, as many at once as there are workers.

        Parameters
        ----------
        keep : callable
            Is given a job's number, what writes the model's files into a folder, and what is to be remembered of the
            training, as soon as that job is done.

        Returns
        -------
        list of FineTuning
            What is to be remembered of each, its energy shared out among those that ran on its machine at once.
        """
        bases = [job.recipe.base for job in jobs]
        prints = [fingerprint(hash_files(base)) if base else "" for base in bases]
        files = [self._ship(known, base) if base else {} for known, base in zip(prints, bases, strict=True)]
        answers: dict[int, Answer[FineTuning]] = {}
        trained: Iterator[Answer[tuple[Files, FineTuning]]] = self._answers(
            lambda worker, i: worker.train.remote(i, jobs[i], phase, prints[i], files[i]), len(jobs)
        )
        for answer in trained:
            made, training = answer.value
            keep(answer.piece, lambda folder: unpack(made, folder, training["fingerprint"]), training)  # noqa: B023
            answers[answer.piece] = Answer(
                answer.piece, training, answer.worker, answer.pid, answer.machine, answer.phase
            )
        energy = self._book(list(answers.values()))
        return [{**answers[i].value, "energy": energy[i]} for i in range(len(jobs))]

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    def _answers(
        self, send: Callable[[ActorHandle[Worker], int], ObjectRef[Answer[T]]], pieces: int
    ) -> Iterator[Answer[T]]:
        """The answers to all pieces of work, as they come."""
        from ray.exceptions import RayTaskError
        from ray.util import ActorPool

        try:
            for answer in ActorPool(self._workers).map_unordered(send, range(pieces)):
                if answer.pid != self.pids[answer.worker]:
                    self.pids[answer.worker] = answer.pid
                    self.lost += 1
                yield answer
        except RayTaskError as error:
            # Else a whole foreign traceback would be the reason in the record.
            raise error.cause from None

    def _shipment(self, model: Model) -> tuple[Model, str, ObjectRef[Files]]:
        """What a worker needs to run a model: what is known of it but its training, its fingerprint and its files."""
        return replace(model, training=None), model.fingerprint, self._ship(model.fingerprint, model.folder)

    def _ship(self, known: str, folder: Path) -> ObjectRef[Files]:
        """The files of a model in Ray's store, put there once."""
        import ray

        self.connect()
        if known not in self._shipped:
            if len(self._shipped) >= MODELS:
                del self._shipped[next(iter(self._shipped))]
            self._shipped[known] = ray.put(pack(folder))
        return self._shipped[known]

    def _book(self, answers: Sequence[Answer[T]]) -> dict[int, Figures]:
        """Each piece's energy, shared out on its machine; that of machines without a tracker of the audit is added."""
        import ray

        home = ray.get_runtime_context().get_node_id()
        energy: dict[int, Figures] = {}
        for machine in {answer.machine for answer in answers}:
            there = [answer for answer in answers if answer.machine == machine and answer.phase is not None]
            phases = charged([[answer.phase] for answer in there if answer.phase])
            energy |= {answer.piece: phase for answer, phase in zip(there, phases, strict=True)}
            if machine != home:
                self.elsewhere = add([*self.elsewhere, *phases])
        return energy

    def close(self) -> None:
        """Let the workers go, and stop the cluster if the audit started it."""
        workers = self.__dict__.pop("_workers", ())
        if workers:
            import ray

            for worker in workers:
                ray.kill(worker)
        if self._connection is not None:
            self._connection.close()
        self._connection, self._shipped = None, {}


class ClusterRunner:
    """Runs forward passes on a cluster. Batches are formed on its workers, whose machines may differ from this one."""

    def __init__(self, cluster: Cluster, model: Model, counts: Counts) -> None:
        self._cluster, self._model, self._counts = cluster, model, counts

    def encodings(self, texts: Iterable[str]) -> Iterator[Encodings]:
        """What the tokenizer makes of texts, all at once."""
        yield self._cluster.encode(self._model, list(texts))

    def rows(self, what: str, pieces: Iterable[Encodings], bar: Bar) -> NDArray[np.float32]:
        """As :meth:`audit.inference.runner.LocalRunner.rows`."""
        encodings = Encodings.joined(pieces)
        rows = self._cluster.score(self._model, encodings, what, bar)
        self._counts.forward_passes += len(encodings)
        self._counts.tokens += int(encodings.lengths.sum())
        return rows

    def calibrate(self, texts: Sequence[str]) -> None:
        """Nothing to do here."""


class ClusterScorer(Scorer):
    """A scorer whose forward passes run on a cluster; all else is a scorer's, its cache too.

    Gradients, and what measures the time or the energy of this machine, run here.
    """

    def __init__(
        self, model: Model, cache: Cache, meter: Meter, progress: Progress, cluster: Cluster, *, max_characters: int = 0
    ) -> None:
        super().__init__(model, cache, meter, progress, max_characters=max_characters)
        self.runner = ClusterRunner(cluster, model, self.counts)


def _chunks(tokens: Rows, workers: int) -> Iterator[Rows]:
    """Row indices of chunks of about as many tokens, longest texts first; each text is in one."""
    order = np.argsort(-tokens, kind="stable")
    size = np.clip(tokens.sum() / (workers * CHUNKS_PER_WORKER), *CHUNK_TOKENS)
    which = (np.cumsum(tokens[order]) - 1) // size
    yield from np.split(order, np.flatnonzero(np.diff(which)) + 1)
