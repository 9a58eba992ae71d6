"""How long a training step takes against the length of the texts: Transformer layers and a recurrent network."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from audit.core.cache import Cache, Entry

if TYPE_CHECKING:
    from torch import nn

    from audit.core.progress import Progress
    from audit.energy.meter import Meter

LENGTHS = [16, 32, 64, 128, 256]  # positions
BATCH = 8
ROUNDS = 7
WIDTH, LAYERS, HEADS = 128, 2, 2  # of the Transformer, as the embedded BERT has them
RECURRENT_LAYERS = 4  # of that width, which have as many numbers
REVISION = 1  # of what is kept of a measurement


class Steps(Entry):
    """Time of training steps of several networks."""

    lengths: list[int]
    seconds: dict[str, list[list[float]]]  # by network: rounds, lengths
    parameters: dict[str, int]
    batch: int
    device: str
    machine: str


def measure_steps(device: str, meter: Meter, cache: Cache, progress: Progress) -> Steps:
    """Time of training steps on random texts, measured in this process; kept with machine and date.

    Parameters
    ----------
    device : str
        Where the steps are taken.

    Returns
    -------
    Steps
    """
    key = {
        "what": "training steps",
        "revision": REVISION,
        "device": device,
        "machine": meter.place,
        "sizes": [LENGTHS, BATCH, ROUNDS, WIDTH, LAYERS, HEADS, RECURRENT_LAYERS],
        "versions": {"torch": version("torch")},
    }
    return cache.measurement(key, lambda: _measure(device, meter, progress))


def _measure(device: str, meter: Meter, progress: Progress) -> Steps:
    import torch
    from torch import nn

    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, batch_first=True)
    networks = {
        "transformer": nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False).to(device),
        "recurrent": nn.GRU(WIDTH, WIDTH, RECURRENT_LAYERS, batch_first=True).to(device),
    }
    steps = {name: _step(network, device) for name, network in networks.items()}
    seconds = {name: np.zeros((ROUNDS, len(LENGTHS))) for name in networks}
    with meter.phase("claims"), progress.bar("time training steps", (ROUNDS + 1) * len(LENGTHS), "lengths") as bar:
        for turn in range(-1, ROUNDS):  # the first warms up
            for at, length in enumerate(LENGTHS):
                # Both in turn, so that the machine's moods hit them alike.
                for name, step in steps.items():
                    took = step(length)
                    if turn >= 0:
                        seconds[name][turn, at] = took
                bar.advance(1)
    return {
        "lengths": LENGTHS,
        "seconds": {name: each.tolist() for name, each in seconds.items()},
        "parameters": {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()},
        "batch": BATCH,
        "device": device,
        "machine": meter.machine,
    }


def _step(network: nn.Module, device: str) -> Callable[[int], float]:
    """Takes one training step on texts of a length, and gives its time in seconds."""
    import torch

    optimizer = torch.optim.AdamW(network.parameters())

    def step(length: int) -> float:
        texts = torch.randn(BATCH, length, WIDTH, device=device)  # word vectors
        _wait(device)
        started = time.perf_counter()
        made = network(texts)
        (made if isinstance(made, torch.Tensor) else made[0]).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        _wait(device)
        return time.perf_counter() - started

    return step


def _wait(device: str) -> None:
    """Until a graphics card has done what it was told."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()
