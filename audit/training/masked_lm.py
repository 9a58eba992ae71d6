"""Masked-language modelling: masks, blocks without padding, and the training of a BERT step by step. No policy here.

All that is random in a step follows from the seed and the step's number, so a checkpoint holds weights, moments and a
position, and a training that was interrupted gives the same weights as one that was not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError, safe_open

from audit import statistics
from audit.core.errors import AuditError
from audit.energy import meter as energy
from audit.text.redaction import message

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from audit.core.figures import Figures
    from audit.core.progress import Progress
    from audit.energy.meter import Phase

Tokens = NDArray[np.int64]

CHECKPOINT, STABLE = "checkpoint.safetensors", "stable.safetensors"
LOG_STEPS, EVALUATE_STEPS = 100, 1000
MASKED = 0.15
HELD_OUT, HELD_OUT_TEXTS = 0.05, 1000  # this share of the texts, but at most so many
DECAY = 0.1  # the share of the steps over which the learning rate falls
HEAD_WIDTH = 64
Unit = Literal["epochs", "steps", "minutes"]
UNITS: tuple[Unit, ...] = get_args(Unit)
# One stream of random numbers for each purpose, all from the recipe's seed.
_EVALUATE, _STEP, _ORDER, _SPLIT = range(4)


class Recipe(BaseModel):
    """All that decides what a training does, apart from its texts and its length."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int = Field(4, ge=1, description="Transformer layers")
    width: int = Field(256, ge=HEAD_WIDTH, multiple_of=HEAD_WIDTH, description="a multiple of 64")
    vocabulary: int = Field(8192, ge=100, le=65_536, description="word pieces, made from the texts")
    max_length: int = Field(128, ge=16, description="tokens of a block")
    batch_size: int = Field(64, ge=1, description="blocks of a step")
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False, description="the highest")
    warmup: int = Field(500, ge=1, description="steps until the highest rate is reached")
    seed: int = Field(0, ge=0, description="of weights, order, masks and dropout")


@dataclass(frozen=True)
class Length:
    """How long to train, in one of the `UNITS`."""

    value: float
    unit: Unit = "epochs"

    def decay(self, step: int, seconds: float, epoch: float) -> tuple[int, int] | None:
        """First and last step of the learning rate's fall, if it is to begin now.

        Parameters
        ----------
        step : int
            Steps done.
        seconds : float
            Time that they took.
        epoch : float
            Steps in which every text is seen once.
        """
        if self.unit == "minutes":
            begins = seconds >= (1 - DECAY) * 60 * self.value
            return (step, step + max(1, round(step * DECAY / (1 - DECAY)))) if begins else None
        end = int(np.ceil(self.value * (epoch if self.unit == "epochs" else 1)))
        return (step, end) if step >= end - max(1, round(DECAY * end)) else None


@dataclass
class State:
    """How far a training has come; with the weights and the optimizer's moments this is a checkpoint."""

    step: int = 0
    seconds: float = 0.0
    length: tuple[float, str] | None = None  # for which the decay was begun
    decay: tuple[int, int] | None = None  # its first step and the end
    recent: list[float] = field(default_factory=list)  # losses that are not in the history yet
    history: list[dict[str, float]] = field(default_factory=list)
    energy: Figures | None = None

    @property
    def finished(self) -> bool:
        """Whether the learning rate has fallen to its end."""
        return self.decay is not None and self.step >= self.decay[1]

    def book(self, phase: Phase) -> None:
        """Add a phase to the energy, which may come from several runs of the command."""
        (self.energy,) = energy.add([*([self.energy] if self.energy else []), phase.record()])


class HeldOut(TypedDict):
    """How well masked tokens of texts held out are guessed; estimate, low and high of each."""

    masked_tokens: int
    texts: int
    loss: list[float]  # nats
    perplexity: list[float]
    accuracy: list[float]


def split(count: int, seed: int) -> tuple[Tokens, Tokens]:
    """Indices of the texts to train on, and of those held out."""
    order = np.random.default_rng((seed, _SPLIT)).permutation(count)
    held_out = min(int(np.ceil(count * HELD_OUT)), HELD_OUT_TEXTS)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def pack(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], length: int, progress: Progress
) -> tuple[NDArray[np.uint16], Tokens]:
    """Texts one after the other, ``[SEP]`` between them, cut into blocks without padding.

    Returns
    -------
    blocks : ndarray of uint16, shape (blocks, length)
        Each between ``[CLS]`` and ``[SEP]``.
    owners : ndarray of int, shape (blocks, length)
        Index of the text that each token is of.

    Notes
    -----
    Source: Liu et al., "RoBERTa", arXiv:1907.11692 (2019), section 4.2 (FULL-SENTENCES); BERT's second task, whether
    one sentence follows another, is left out for the reason given there.
    """
    pieces: list[NDArray[np.uint16]] = []
    with progress.bar("tokenise", len(texts), "texts") as bar:
        for start in range(0, len(texts), 1000):
            chunk = list(texts[start : start + 1000])
            for ids in tokenizer(chunk, add_special_tokens=False, verbose=False)["input_ids"]:
                pieces.append(np.array([*ids, tokenizer.sep_token_id], dtype=np.uint16))
            bar.advance(len(chunk))
    inner = length - 2
    count = sum(map(len, pieces)) // inner
    flat = np.fromiter(chain.from_iterable(pieces), np.uint16, count * inner)
    owner = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])[: count * inner]
    blocks = np.empty((count, length), dtype=np.uint16)
    blocks[:, 0], blocks[:, 1:-1], blocks[:, -1] = (
        tokenizer.cls_token_id,
        flat.reshape(count, inner),
        tokenizer.sep_token_id,
    )
    return blocks, np.pad(owner.reshape(count, inner), ((0, 0), (1, 1)), mode="edge")


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> Tokens:
    return np.random.default_rng((seed, _ORDER, epoch)).permutation(count)


def mask(
    ids: Tokens, special: Sequence[int], mask_id: int, size: int, random: np.random.Generator
) -> tuple[Tokens, NDArray[np.bool_]]:
    """What the model is shown, and which tokens it is to guess.

    Parameters
    ----------
    ids : ndarray of int, shape (blocks, length)
    special : sequence of int
        Tokens that are never guessed nor put in.
    mask_id : int
    size : int
        Of the vocabulary.

    Returns
    -------
    shown : ndarray of int, shape (blocks, length)
    chosen : ndarray of bool, shape (blocks, length)

    Notes
    -----
    Source: Devlin et al., "BERT", NAACL 2019, section 3.1: 15 % of each block's tokens; of these 80 % become
    ``[MASK]``, 10 % another token at random, 10 % stay.
    """
    ordinary = ~np.isin(ids, special)
    rank = np.where(ordinary, random.random(ids.shape), 2.0).argsort(axis=1).argsort(axis=1)
    chosen = ordinary & (rank < np.maximum(1, np.rint(MASKED * ordinary.sum(axis=1, keepdims=True))))
    words = np.setdiff1d(np.arange(size), special)
    how = random.random(ids.shape)
    shown = np.where(chosen & (how < 0.8), mask_id, ids)
    return np.where(chosen & (how >= 0.9), random.choice(words, ids.shape), shown), chosen


class Training:
    """Network, optimizer and position of a training.

    Parameters
    ----------
    recipe : Recipe
    tokenizer : BertTokenizerFast
    blocks, unseen : ndarray of int, shape (blocks, length)
        To train on, and held out.
    device : str
    """

    def __init__(
        self,
        recipe: Recipe,
        tokenizer: PreTrainedTokenizerFast,
        blocks: NDArray[np.uint16],
        unseen: NDArray[np.uint16],
        device: str,
    ) -> None:
        import torch
        from transformers import BertConfig, BertForMaskedLM, set_seed

        self.recipe, self.tokenizer, self.device = recipe, tokenizer, device
        self.blocks, self.unseen = blocks, unseen
        self.epoch = len(blocks) / recipe.batch_size  # steps
        self.state = State()
        set_seed(recipe.seed)
        self.network: PreTrainedModel = BertForMaskedLM(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=recipe.width,
                num_hidden_layers=recipe.layers,
                num_attention_heads=recipe.width // HEAD_WIDTH,
                intermediate_size=4 * recipe.width,
                max_position_embeddings=max(recipe.max_length, 64),
                pad_token_id=tokenizer.pad_token_id,
                # BERT's 0.02 is made for 768 wide; narrower layers need larger weights for sums of the same size.
                initializer_range=round(0.02 * (768 / recipe.width) ** 0.5, 4),
            )
        ).to(device)
        self.parameters = dict(self.network.named_parameters())  # tied weights once
        groups = [
            {"params": [p for p in self.parameters.values() if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in self.parameters.values() if p.ndim == 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, eps=1e-6)

    @property
    def rate(self) -> float:
        """Learning rate of the next step: a linear rise, a long plateau, a linear fall to zero."""
        step, decay = self.state.step, self.state.decay
        fall = (decay[1] - step) / (decay[1] - decay[0]) if decay else 1.0
        return self.recipe.learning_rate * min(1.0, (step + 1) / self.recipe.warmup) * fall

    def step(self) -> float:
        """One step of AdamW, its gradient clipped to norm 1; gives the loss before it."""
        import torch

        state, recipe = self.state, self.recipe
        random = np.random.default_rng((recipe.seed, _STEP, state.step))
        torch.manual_seed(int(random.integers(2**63)))  # dropout
        places = np.arange(state.step * recipe.batch_size, (state.step + 1) * recipe.batch_size)
        rows = [_order(recipe.seed, i // len(self.blocks), len(self.blocks))[i % len(self.blocks)] for i in places]
        self.network.train()
        losses, _, _ = self._guess(self.blocks[rows], random)
        loss = losses.sum() / max(len(losses), 1)
        loss.backward()
        value = self._finite(loss.item())
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        state.step += 1
        state.recent.append(value)
        return value

    def log(self) -> None:
        """Put the mean loss of the last steps into the history, and now and then that of the texts held out."""
        state = self.state
        if state.step % LOG_STEPS and not state.finished:
            return
        entry = {"step": state.step, "loss": float(np.mean(state.recent))}
        if state.step % EVALUATE_STEPS == 0:
            loss, right, _ = self._held_out()
            entry |= {"held_out_loss": float(loss.mean()), "held_out_accuracy": float(right.mean())}
        state.history.append(entry)
        state.recent.clear()

    def evaluate(self, owners: Tokens) -> HeldOut:
        """Loss (nats) and accuracy on masked tokens of texts held out, each with its interval; texts are clusters."""
        losses, right, chosen = self._held_out()
        clusters = statistics.cluster_ids(owners[chosen].tolist())
        loss = statistics.clustered_mean(losses, clusters, possible=(0.0, float(max(losses))))
        accuracy = statistics.clustered_proportion(right, clusters)
        return {
            "masked_tokens": len(losses),
            "texts": loss.clusters,
            "loss": [loss.estimate, loss.low, loss.high],
            "perplexity": [float(np.exp(value)) for value in (loss.estimate, loss.low, loss.high)],
            "accuracy": [accuracy.estimate, accuracy.low, accuracy.high],
        }

    def _held_out(self) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Loss of each masked token of the texts held out, whether it was guessed, and where it stands."""
        import torch

        random = np.random.default_rng((self.recipe.seed, _EVALUATE))
        self.network.eval()
        size = self.recipe.batch_size
        with torch.no_grad():
            parts = [self._guess(self.unseen[i : i + size], random) for i in range(0, len(self.unseen), size)]
        losses, right = (torch.cat(part).cpu().numpy() for part in (list(zip(*parts, strict=True))[:2]))
        self._finite(float(losses.sum()))
        return losses.astype(np.float64), right, np.concatenate([part[2] for part in parts])

    def _finite(self, loss: float) -> float:
        """The loss; raises AuditError where it is no number, as no step mends it and no checkpoint should hold it."""
        if not np.isfinite(loss):
            raise AuditError(
                f"the training broke down: its loss is no number after {self.state.step} steps; lower --learning-rate "
                f"({self.recipe.learning_rate:g})."
            )
        return loss

    def _guess(
        self, blocks: NDArray[np.uint16], random: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, NDArray[np.bool_]]:
        """Loss of each masked token, whether it was guessed, and which they are; only for these the head is run."""
        import torch

        ids = blocks.astype(np.int64)
        special = self.tokenizer.all_special_ids
        shown, chosen = mask(ids, special, self.tokenizer.mask_token_id, len(self.tokenizer), random)
        # (blocks, length) → (blocks, length, width) → (masked, width) → (masked, vocabulary)
        where = torch.from_numpy(chosen).to(self.device)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.device.startswith("cuda")):
            hidden = self.network.bert(torch.from_numpy(shown).to(self.device)).last_hidden_state
            logits = self.network.cls(hidden[where])
        target = torch.from_numpy(ids[chosen]).to(self.device)
        losses = torch.nn.functional.cross_entropy(logits.float(), target, reduction="none")
        return losses, logits.argmax(-1) == target, chosen

    def save(self, path: Path) -> None:
        """Write a checkpoint so that a crash leaves the former one or this one."""
        from safetensors.torch import save_file

        tensors = {f"weights/{name}": p.detach().contiguous() for name, p in self.parameters.items()}
        for name, p in self.parameters.items():
            for moment in ("exp_avg", "exp_avg_sq"):
                if p in self.optimizer.state:
                    tensors[f"{moment}/{name}"] = self.optimizer.state[p][moment]
        temporary = path.with_suffix(".new")
        save_file(tensors, temporary, {"state": json.dumps(asdict(self.state))})
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def load_latest(self, folder: Path, length: Length) -> State:
        """Take up the last checkpoint; that before the learning rate fell, if it fell for another length than this."""
        for path in (folder / CHECKPOINT, folder / STABLE):
            if path.exists():
                self._load(path)
                if self.state.length in (None, (length.value, length.unit)):
                    break
        decay = length.decay(self.state.step, self.state.seconds, self.epoch)
        if self.state.decay is None and decay is not None and decay[1] <= self.state.step > 0:
            raise AuditError(
                f"{folder.parent}: it has trained for {self.state.step:,} steps already, and {length.value:g} "
                f"{length.unit} are over by then; ask for more, or choose another folder."
            )
        return self.state

    def _load(self, path: Path) -> None:
        import torch

        try:
            with safe_open(path, "pt", device=self.device) as file:
                state = json.loads(file.metadata()["state"])
                for name, p in self.parameters.items():
                    p.data.copy_(file.get_tensor(f"weights/{name}"))
                    if state["step"]:
                        self.optimizer.state[p] = {
                            "step": torch.tensor(float(state["step"])),
                            "exp_avg": file.get_tensor(f"exp_avg/{name}"),
                            "exp_avg_sq": file.get_tensor(f"exp_avg_sq/{name}"),
                        }
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise AuditError(
                f"{path}: not a checkpoint of this pretraining ({message(error, 100)}); "
                f"remove {path.parent} to begin anew."
            ) from None
        pairs = {key: tuple(state[key]) for key in ("length", "decay") if state[key]}
        self.state = State(**state | pairs)
