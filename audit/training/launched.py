"""One training by the processes that ``torchrun`` or ``accelerate launch`` start, with the losses of a single one.

Every process reads its share of each batch, so that batches, their order, and the number of steps are those of a single
process. The Trainer's own way, a batch for each process, would train on batches that are larger by as many times.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NotRequired, TypedDict, TypeVar

from audit.core.figures import AMOUNTS, Figures

if TYPE_CHECKING:
    import torch
    from accelerate.data_loader import BatchSamplerShard, DataLoaderShard
    from transformers import Trainer
    from transformers.modeling_outputs import SequenceClassifierOutput

T = TypeVar("T")

# Rows with this label count in no loss.
IGNORED = -100


class Row(TypedDict):
    """A text as token numbers, and the index of its class."""

    input_ids: list[int]
    token_type_ids: NotRequired[list[int]]
    labels: int


def world() -> int:
    """How many processes train together; 1 unless a launcher started several."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return os.environ.get("RANK", "0") == "0"


def is_first_of_machine() -> bool:
    """Whether this process is the one that measures its machine's energy."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def gathered(value: T) -> list[T]:
    """The value that each process gives, in their order; every process waits for all others."""
    if world() == 1:
        return [value]
    import torch.distributed

    values = [value] * world()
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


def share(collate: Callable[[list[Row]], T]) -> Callable[[list[Row]], T]:
    """Collates this process's rows of a batch.

    A batch may have fewer rows than there are processes; one without a row reads the first, which then counts in no
    loss.
    """
    rank, step = int(os.environ.get("RANK", "0")), world()

    def part(rows: list[Row]) -> T:
        return collate(rows[rank::step] or [{**rows[0], "labels": IGNORED}])

    return part


def loss(
    outputs: SequenceClassifierOutput, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int
) -> torch.Tensor:
    """Mean cross-entropy over the rows of all processes, of which this is one's part.

    The processes' batches differ in size, so a mean of their means would weigh rows differently.
    """
    import torch

    total = torch.nn.functional.cross_entropy(outputs.logits, labels, ignore_index=IGNORED, reduction="sum")
    return total / num_items_in_batch


def trainer() -> type[Trainer]:
    """A ``Trainer`` all of whose processes go through the same batches in the same order."""
    from transformers import Trainer

    class Together(Trainer):
        data_collator: Callable[[list[Row]], dict[str, torch.Tensor]]

        def get_train_dataloader(self) -> DataLoaderShard:
            whole, self.data_collator = self.data_collator, share(self.data_collator)
            loader: DataLoaderShard = super().get_train_dataloader()
            self.data_collator = whole  # the Trainer shares out what it evaluates by itself
            # Each process gets every batch, of which `share` leaves it its part; a short last one is not filled up.
            batches: BatchSamplerShard = loader.batch_sampler
            batches.num_processes, batches.process_index, batches.even_batches = 1, 0, False
            # Dropout draws differently much in each process; the order of the next epoch must not depend on it.
            loader.rng_types = ["torch"]
            return loader

    return Together


def total(figures: Sequence[Figures | None]) -> Figures:
    """The energy of all machines; seconds are those of the first, since they run at once.

    Parameters
    ----------
    figures : sequence of Figures or None
        By process, as :meth:`audit.energy.meter.Phase.record` gives them; None from those that do not measure.
    """
    machines = [each for each in figures if each is not None]
    source = "estimated" if any(each["source"] == "estimated" for each in machines) else "measured"
    summed: Figures = {**machines[0], "source": source}
    for amount in AMOUNTS:
        if amount in summed:
            summed[amount] = sum(each[amount] for each in machines)
    return summed
