"""The end of a cluster where the work is done: a model arrives, is checked, held and run; nothing is kept."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Generic, TypedDict, TypeVar

import numpy as np
from numpy.typing import NDArray

from audit.core.cache import Cache
from audit.core.figures import Figures
from audit.core.progress import Progress
from audit.energy.meter import Meter, Power
from audit.inference.batches import Encodings
from audit.inference.runner import Counts, LocalRunner
from audit.models.model import FineTuning, Model, fingerprint, hash_files
from audit.training.finetune import Job, train_into

T = TypeVar("T")
Files = Mapping[str, NDArray[np.uint8]]
# Models that a worker holds at once: the one under audit, and a twin or reference beside it.
MODELS = 2
# Results depend on these, so they must be the same everywhere.
PACKAGES = ("pytest-model-audit", "torch", "transformers", "tokenizers")


def pack(folder: Path) -> Files:
    """The files of a model folder that its fingerprint covers, as bytes; Ray keeps arrays once for each machine."""
    return {name: np.fromfile(folder / name, dtype=np.uint8) for name in hash_files(folder)}


def unpack(files: Files, folder: Path, expected: str) -> None:
    """Write packed files into a folder.

    Raises
    ------
    ValueError
        If they are not those of this fingerprint; nothing of them has been loaded then.
    """
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        content.tofile(folder / name)
    found = fingerprint(hash_files(folder))
    if found != expected:
        raise ValueError(f"the files that arrived have the fingerprint {found}, not {expected}")


def installed() -> dict[str, str]:
    """Versions of what results depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


class About(TypedDict):
    """The process of a worker, and on which software it runs."""

    pid: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a worker gives back.

    Parameters
    ----------
    piece : int
        Which piece of the work it is.
    value : object
        What was asked for.
    worker, pid : int
        Who did it; another process than before shows that a worker was lost.
    machine : str
    phase : Figures or None
        The energy that it took, where it was measured.
    """

    piece: int
    value: T
    worker: int
    pid: int
    machine: str
    phase: Figures | None


class Worker:
    """Holds models and runs them, on one of the cluster's machines.

    Parameters
    ----------
    number : int
    home : str
        The audit's own machine, whose energy is measured there.
    device : str
        ``cpu``, or ``cuda:0``, which Ray makes the worker's own graphics card.
    threads : int
        For forward passes.
    training_threads : int
        As many as the audit's own process has: sums of floats depend on it, and a twin is to be the same wherever it is
        trained.
    country : str
    power : Power
        As for :class:`audit.energy.meter.Meter`, both.
    """

    def __init__(
        self, number: int, home: str, device: str, threads: int, training_threads: int, country: str, power: Power
    ) -> None:
        import ray

        self._number, self._device, self._threads, self._training_threads = number, device, threads, training_threads
        self._machine = str(ray.get_runtime_context().get_node_id())
        self._meter = Meter(country, power)
        self._measures = self._machine != home
        self._runners: dict[tuple[str, int], LocalRunner] = {}

    def about(self) -> About:
        """Where it runs, and on which software."""
        return {"pid": os.getpid(), "versions": installed()}

    def encode(self, piece: int, model: Model, expected: str, files: Files, texts: list[str]) -> Answer[Encodings]:
        """What the model's tokenizer makes of texts."""
        with self._meter.phase("score") if self._measures else nullcontext() as phase:
            encodings = self._runner(model, expected, files).encode(texts)
        return self._answer(piece, encodings, phase.record() if phase else None)

    def score(
        self, piece: int, model: Model, expected: str, files: Files, what: str, encodings: Encodings
    ) -> Answer[NDArray[np.float32]]:
        """Rows for encodings."""
        import torch

        torch.set_num_threads(self._threads)
        runner = self._runner(model, expected, files)
        with self._meter.phase("score") if self._measures else nullcontext() as phase, Progress().bar("", 0, "") as bar:
            rows = runner.rows(what, [encodings], bar)
        return self._answer(piece, rows, phase.record() if phase else None)

    def _runner(self, model: Model, expected: str, files: Files) -> LocalRunner:
        key = (expected, model.max_length)
        if key not in self._runners:
            while len(self._runners) >= MODELS:
                del self._runners[next(iter(self._runners))]
            # Nothing is left on the disk: weights hold traces of the training data.
            with tempfile.TemporaryDirectory() as folder:
                unpack(files, Path(folder) / "model", expected)
                here = replace(model, folder=Path(folder) / "model", device=self._device)
                _ = here.network, here.tokenizer
                cache = Cache(Path(folder) / "cache")
            self._runners[key] = LocalRunner(here, Counts(), cache, self._meter)
        return self._runners[key]

    def train(self, piece: int, job: Job, phase: str, base: str, files: Files) -> Answer[tuple[Files, FineTuning]]:
        """Train a model; gives its files, and what is to be remembered of it."""
        import torch

        torch.set_num_threads(self._training_threads)
        with tempfile.TemporaryDirectory() as folder:
            recipe, made = replace(job.recipe, device=self._device), Path(folder) / "made"
            made.mkdir()
            if recipe.base is not None:
                recipe = replace(recipe, base=Path(folder) / "base")
                unpack(files, Path(folder) / "base", base)
            training = train_into(made, replace(job, recipe=recipe), self._meter, Progress(), phase)
            return self._answer(piece, (pack(made), training), training["energy"])

    def _answer(self, piece: int, value: T, phase: Figures | None) -> Answer[T]:
        return Answer(piece, value, self._number, os.getpid(), self._machine, phase)
