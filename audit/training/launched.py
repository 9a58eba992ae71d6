"""One training by the processes that ``torchrun`` or ``accelerate launch`` start, with the losses of a single one.

Every process reads its share of each batch, so that batches, their order, and the number of steps are those of a single
process. The Trainer's own way, a batch for each process, would train on batches that are larger by as many times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# Rows with this label count in no loss.
IGNORED = -100


def world() -> int:
    """How many processes train together; 1 unless a launcher started several."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return os.environ.get("RANK", "0") == "0"


def is_first_of_machine() -> bool:
    """Whether this process is the one that measures its machine's energy."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def gathered(value: Any) -> list[Any]:
    """The value that each process gives, in their order; every process waits for all others."""
    if world() == 1:
        return [value]
    import torch.distributed

    values: list[Any] = [None] * world()
    torch.distributed.all_gather_object(values, value)
    return values


@contextmanager
def together(device: str) -> Iterator[None]:
    """Meet the other processes, and part from them."""
    if world() == 1:
        yield
        return
    from accelerate import PartialState

    state = PartialState(cpu=device == "cpu")
    try:
        yield
    finally:
        state.destroy_process_group()


def share(collate: Callable[[list[dict[str, Any]]], Any]) -> Callable[[list[dict[str, Any]]], Any]:
    """Collates this process's rows of a batch.

    A batch may have fewer rows than there are processes; one without a row reads the first, which then counts in no
    loss.
    """
    rank, step = int(os.environ.get("RANK", "0")), world()

    def part(rows: list[dict[str, Any]]) -> Any:
        return collate(rows[rank::step] or [rows[0] | {"labels": IGNORED}])

    return part


def loss(outputs: Any, labels: Any, num_items_in_batch: Any) -> Any:
    """Mean cross-entropy over the rows of all processes, of which this is one's part.

    The processes' batches differ in size, so a mean of their means would weigh rows differently.
    """
    import torch

    total = torch.nn.functional.cross_entropy(outputs.logits, labels, ignore_index=IGNORED, reduction="sum")
    return total / num_items_in_batch


def trainer() -> Any:
    """A ``Trainer`` all of whose processes go through the same batches in the same order."""
    from transformers import Trainer

    class Together(Trainer):
        data_collator: Any

        def get_train_dataloader(self) -> Any:
            whole, self.data_collator = self.data_collator, share(self.data_collator)
            loader = super().get_train_dataloader()
            self.data_collator = whole  # the Trainer shares out what it evaluates by itself
            # Each process gets every batch, of which `share` leaves it its part; a short last one is not filled up.
            batches = loader.batch_sampler
            batches.num_processes, batches.process_index, batches.even_batches = 1, 0, False
            # Dropout draws differently much in each process; the order of the next epoch must not depend on it.
            loader.rng_types = ["torch"]
            return loader

    return Together


def total(figures: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
    """The energy of all machines; seconds are those of the first, since they run at once.

    Parameters
    ----------
    figures : sequence of dict or None
        By process, as :meth:`audit.energy.meter.Phase.record` gives them; None from those that do not measure.
    """
    machines = [each for each in figures if each is not None]
    summed = {name: sum(each[name] for each in machines) for name in machines[0] if name.endswith(("kwh", "_kg"))}
    source = "estimated" if any(each["source"] == "estimated" for each in machines) else "measured"
    return {**machines[0], **summed, "source": source}
