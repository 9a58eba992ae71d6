"""Pretraining of an encoder by masked-language modelling, on texts without their labels; can be stopped and resumed.

All that is random in a step follows from the seed and the step's number, so a checkpoint holds weights, moments and a
position, and a training that was interrupted gives the same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError, safe_open

from audit import data, finetune, statistics
from audit.cache import read_json, write_atomically
from audit.duplicates import normal_form
from audit.errors import AuditError
from audit.policy import Policy

if TYPE_CHECKING:
    from audit.energy import Meter, Phase
    from audit.progress import Progress

Tokens = NDArray[np.int64]

RECORD = "pretraining.json"
WORKING = ".pretraining"  # in the result's folder: recipe, tokenizer and checkpoints of a training
CHECKPOINT, STABLE = "checkpoint.safetensors", "stable.safetensors"
CHECKPOINT_S = 60.0  # a crash loses at most so much
LOG_STEPS, EVALUATE_STEPS = 100, 1000
HELD_OUT, HELD_OUT_TEXTS, HELD_OUT_BLOCKS = 0.05, 1000, 10
MASKED = 0.15
DECAY = 0.1  # the share of the steps over which the learning rate falls
HEAD_WIDTH = 64
UNITS = ("epochs", "steps", "minutes")
# One stream of random numbers for each purpose, all from the recipe's seed.
_EVALUATE, _STEP, _ORDER, _SPLIT = range(4)


class Recipe(BaseModel):
    """All that decides what a training does, apart from its texts and its length."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int = Field(4, ge=1)
    width: int = Field(256, ge=HEAD_WIDTH, multiple_of=HEAD_WIDTH)
    vocabulary: int = Field(8192, ge=100, le=65_536)
    max_length: int = Field(128, ge=16)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(1e-3, gt=0, allow_inf_nan=False)
    warmup: int = Field(500, ge=1)
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class Length:
    """How long to train, in one of the `UNITS`."""

    value: float
    unit: str = UNITS[0]

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


@dataclass(frozen=True)
class Corpus:
    """Texts to train on, and what the record says of them.

    Parameters
    ----------
    texts : tuple of str
        Each once.
    language : str
    sources : mapping of str to int
        Texts read, by what the policy or the option named.
    repeated, in_test : int
        How many were left out because they stand among the others, or in the policy's test data.
    """

    texts: tuple[str, ...]
    language: str
    sources: dict[str, int]
    repeated: int
    in_test: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the texts."""
        digest = hashlib.sha256()
        for text in self.texts:
            encoded = text.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
        return f"sha256:{digest.hexdigest()}"


@dataclass
class State:
    """How far a training has come; with the weights and the optimizer's moments this is a checkpoint."""

    step: int = 0
    seconds: float = 0.0
    length: tuple[float, str] | None = None  # for which the decay was begun
    decay: tuple[int, int] | None = None  # its first step and the end
    recent: list[float] = field(default_factory=list)  # losses that are not in the history yet
    history: list[dict[str, float]] = field(default_factory=list)
    energy: dict[str, Any] = field(default_factory=dict)

    def book(self, phase: Phase) -> None:
        """Add a phase to the energy, which may come from several runs of the command."""
        now, before = phase.record(), self.energy or {"source": phase.source}
        estimated = "estimated" in (now["source"], before["source"])
        sums = {key: value + before.get(key, 0.0) for key, value in now.items() if isinstance(value, float)}
        sums.pop("started")
        self.energy = {"name": phase.name, "source": "estimated" if estimated else "measured", **sums}


def gather(policy: Policy, further: Sequence[Path], cache: Path) -> Corpus:
    """The policy's training texts and those of further files, without any that stands in the policy's test data.

    Parameters
    ----------
    policy : Policy
    further : sequence of Path
        Files with the policy's text column.
    cache : Path
        Folder for the cache files of ``datasets``.

    Notes
    -----
    Two texts are the same here if they are alike but for case, space, punctuation and HTML. Whoever names the test
    file among the further ones thus gains nothing, and a score on the test data stays one on unseen texts.
    """
    kept: dict[str, str] = {}
    sources: dict[str, int] = {}
    wanted: list[Literal["train"] | Path] = ["train", *further]
    for source in wanted:
        texts = data.load_texts(policy, source, cache)
        sources[source.name if isinstance(source, Path) else str(policy.data.train)] = len(texts)
        for text in texts:
            kept.setdefault(normal_form(text), text)
    tested = {normal_form(text) for text in data.load_texts(policy, "test", cache)}
    texts = tuple(text for form, text in kept.items() if form not in tested)
    if not texts:
        raise AuditError(f"{policy.name}: all training texts stand in the test data; give others with --texts.")
    read = sum(sources.values())
    return Corpus(texts, policy.data.language, sources, read - len(kept), len(kept) - len(texts))


def pretrain(
    out: Path, recipe: Recipe, length: Length, corpus: Corpus, device: str, meter: Meter, progress: Progress
) -> dict[str, Any]:
    """Train, or go on where a former run stopped, and save the encoder as a Hugging Face folder.

    Parameters
    ----------
    out : Path
        New, empty, or the folder of a former run. Weights appear in it when the training is done.
    length : Length
        May be more than that of a former run, which then goes on from before its learning rate fell.
    device : str

    Returns
    -------
    dict
        What stands in ``pretraining.json`` beside the weights.

    Raises
    ------
    AuditError
        If the folder holds something else, or was begun with another recipe or other texts, or if there are too few.
    KeyboardInterrupt
        When the user stopped it; all that was done is saved.
    """
    working = out / WORKING
    try:
        if out.exists() and not working.is_dir() and (not out.is_dir() or any(out.iterdir())):
            raise AuditError(f"{out} exists and holds something else than a pretraining; choose another folder.")
        working.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(working / "lock", timeout=0):
            return _resume(out, recipe, length, corpus, device, meter, progress)
    except Timeout:
        raise AuditError(f"{out}: another process is training in it; wait for it, or choose another folder.") from None
    except OSError as error:
        raise AuditError(f"{out}: cannot be written ({error.strerror or error}); choose another folder.") from None
    except SafetensorError as error:
        raise AuditError(f"{out}: cannot be written ({error}); choose another folder.") from None


def _resume(
    out: Path, recipe: Recipe, length: Length, corpus: Corpus, device: str, meter: Meter, progress: Progress
) -> dict[str, Any]:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    working = out / WORKING
    _claim(working / "recipe.json", out, recipe, corpus)
    known = read_json(out / RECORD)
    if isinstance(known, dict) and known.get(length.unit) == length.value:
        return known
    with meter.phase("pretrain") as prepared:
        rows, held_out = _split(len(corpus.texts), recipe.seed)
        tokenizer = _tokenizer(working / "tokenizer", [corpus.texts[i] for i in rows], recipe)
        blocks, _ = _pack(tokenizer, [corpus.texts[i] for i in rows], recipe.max_length, progress)
        unseen, owners = _pack(tokenizer, [corpus.texts[i] for i in held_out], recipe.max_length, progress)
        if len(unseen) < HELD_OUT_BLOCKS:
            raise AuditError(
                f"{out}: {len(corpus.texts):,} texts are too few: those held out make {len(unseen)} blocks of "
                f"{recipe.max_length} tokens, and at least {HELD_OUT_BLOCKS} are needed; give more with --texts."
            )
        training = Training(recipe, tokenizer, blocks, unseen, device)
    state = training.load_latest(working, length)
    state.book(prepared)
    _train(training, working, length, meter, progress)
    record = {
        "recipe": recipe.model_dump(mode="json"),
        length.unit: length.value,
        "steps": state.step,
        "tokens_seen": state.step * recipe.batch_size * recipe.max_length,
        "epochs_seen": round(state.step / training.epoch, 3),
        "parameters": sum(p.numel() for p in training.parameters.values()),
        "texts": {
            "fingerprint": corpus.fingerprint,
            "count": len(corpus.texts),
            "held_out": len(held_out),
            "tokens": int(blocks.size + unseen.size),
            "sources": corpus.sources,
            "left_out_as_repeated": corpus.repeated,
            "left_out_as_in_test_data": corpus.in_test,
        },
        "held_out": training.evaluate(owners),
        "history": state.history,
        "training_seconds": state.seconds,
        "energy": state.energy,
        "device": device,
        "versions": {name: version(name) for name in ("torch", "transformers", "tokenizers")},
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    _publish(out, training, corpus, record)
    return record


def _claim(path: Path, out: Path, recipe: Recipe, corpus: Corpus) -> None:
    """Write down what the folder is for, or hold it against what was written when it was begun."""
    asked = recipe.model_dump(mode="json") | {"texts": corpus.fingerprint}
    begun = read_json(path)
    if begun is None:
        write_atomically(path, json.dumps(asked))
        return
    for key, value in asked.items():
        if begun.get(key) != value:
            was, now = ("others", "these") if key == "texts" else (begun.get(key), value)
            raise AuditError(
                f"{out}: this pretraining was begun with {key.replace('_', '-')} {was}, and now it is {now}; "
                f"ask for the same to go on, or choose another folder."
            )


def _split(count: int, seed: int) -> tuple[Tokens, Tokens]:
    """Indices of the texts to train on, and of those held out."""
    order = np.random.default_rng((seed, _SPLIT)).permutation(count)
    held_out = min(int(np.ceil(count * HELD_OUT)), HELD_OUT_TEXTS)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def _tokenizer(folder: Path, texts: Sequence[str], recipe: Recipe) -> Any:
    from transformers import BertTokenizerFast

    if not folder.is_dir():
        made = Path(tempfile.mkdtemp(dir=folder.parent))
        finetune.word_pieces(texts, recipe.vocabulary, recipe.max_length).save_pretrained(made)
        os.replace(made, folder)
    return BertTokenizerFast.from_pretrained(folder, local_files_only=True)


def _pack(tokenizer: Any, texts: Sequence[str], length: int, progress: Progress) -> tuple[NDArray[np.uint16], Tokens]:
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

    def __init__(self, recipe: Recipe, tokenizer: Any, blocks: NDArray[Any], unseen: NDArray[Any], device: str) -> None:
        import torch
        from transformers import BertConfig, BertForMaskedLM, set_seed

        self.recipe, self.tokenizer, self.device = recipe, tokenizer, device
        self.blocks, self.unseen = blocks, unseen
        self.epoch = len(blocks) / recipe.batch_size  # steps
        self.state = State()
        set_seed(recipe.seed)
        self.network: Any = BertForMaskedLM(
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

    def step(self) -> None:
        """One step of AdamW, its gradient clipped to norm 1."""
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
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        state.step += 1
        state.recent.append(loss.item())

    def log(self) -> None:
        """Put the mean loss of the last steps into the history, and now and then that of the texts held out."""
        state = self.state
        last = state.decay is not None and state.step == state.decay[1]
        if not state.recent or (state.step % LOG_STEPS and not last):
            return
        entry = {"step": state.step, "loss": float(np.mean(state.recent))}
        if state.step % EVALUATE_STEPS == 0:
            loss, right, _ = self._held_out()
            entry |= {"held_out_loss": float(loss.mean()), "held_out_accuracy": float(right.mean())}
        state.history.append(entry)
        state.recent.clear()

    def evaluate(self, owners: Tokens) -> dict[str, Any]:
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
        return losses.astype(np.float64), right, np.concatenate([part[2] for part in parts])

    def _guess(self, blocks: NDArray[Any], random: np.random.Generator) -> tuple[Any, Any, NDArray[np.bool_]]:
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
                f"{path}: not a checkpoint of this pretraining ({' '.join(str(error).split())[:100]}); "
                f"remove {path.parent} to begin anew."
            ) from None
        pairs = {key: tuple(state[key]) for key in ("length", "decay") if state[key]}
        self.state = State(**state | pairs)


def _train(training: Training, working: Path, length: Length, meter: Meter, progress: Progress) -> None:
    """Steps up to the end, with a checkpoint every minute or so and at the user's Ctrl-C."""
    state, size = training.state, training.blocks[0].size * training.recipe.batch_size
    first = state.step
    with progress.bar(f"pretrain {working.parent.name}", 0, "tokens") as bar, _stoppable() as stop:
        while state.decay is None or state.step < state.decay[1]:
            with meter.phase("pretrain") as phase:
                saved = now = time.monotonic()
                while (state.decay is None or state.step < state.decay[1]) and now - saved < CHECKPOINT_S:
                    if state.decay is None:
                        state.decay = length.decay(state.step, state.seconds, training.epoch)
                        if state.decay is not None:
                            _keep_stable(training, working, length)
                    training.step()
                    training.log()
                    state.seconds, now = state.seconds + time.monotonic() - now, time.monotonic()
                    bar.expect((_end(training, length) - first) * size)
                    bar.advance(
                        size, f"step {state.step:,}, loss {(state.recent or [state.history[-1]['loss']])[-1]:.3f}"
                    )
                    if stop:
                        break
            state.book(phase)
            training.save(working / CHECKPOINT)
            if stop:
                raise KeyboardInterrupt


def _keep_stable(training: Training, working: Path, length: Length) -> None:
    """Save where the learning rate was still high: a longer training goes on from there."""
    state = training.state
    decay, state.decay = state.decay, None
    training.save(working / STABLE)
    state.decay, state.length = decay, (length.value, length.unit)


def _end(training: Training, length: Length) -> int:
    """The last step; foretold by the time taken so far, where only minutes were given."""
    state = training.state
    if state.decay is not None:
        return state.decay[1]
    if length.unit == "minutes":
        return max(state.step, int(state.step * 60 * length.value / state.seconds))
    return int(np.ceil(length.value * (training.epoch if length.unit == "epochs" else 1)))


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM let a step end before anything is saved; a second one is not waited for."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: object) -> None:
        came.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield came
    finally:
        restore()


def _publish(out: Path, training: Training, corpus: Corpus, record: dict[str, Any]) -> None:
    """Put the finished encoder into its folder, each file whole."""
    made = Path(tempfile.mkdtemp(dir=out / WORKING))
    try:
        training.network.save_pretrained(made)
        training.tokenizer.save_pretrained(made)
        (made / "README.md").write_text(_card(corpus, record), "utf-8")
        (made / RECORD).write_text(json.dumps(record, indent=1), "utf-8")
        for path in sorted(made.iterdir(), key=lambda path: path.name == RECORD):
            os.replace(path, out / path.name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _card(corpus: Corpus, record: dict[str, Any]) -> str:
    """The model card."""
    recipe, texts, held_out, energy = record["recipe"], record["texts"], record["held_out"], record["energy"]
    loss, low, high = held_out["loss"]
    right, at_least, at_most = held_out["accuracy"]
    return f"""---
language: {corpus.language}
library_name: transformers
pipeline_tag: fill-mask
---
# Encoder pretrained by masked-language modelling

A BERT of {recipe["layers"]} layers, {recipe["width"]} wide, {record["parameters"]:,} weights, trained from random
weights to guess masked words. It is a starting point for fine-tuning and no classifier: no label was used.

- **Texts**: {texts["count"]:,} ({texts["tokens"]:,} tokens) from {", ".join(texts["sources"])}. Left out:
  {texts["left_out_as_in_test_data"]:,} that stand in the test data, {texts["left_out_as_repeated"]:,} repeated ones.
- **Training**: {record["steps"]:,} steps in blocks of {recipe["max_length"]} tokens, {record["tokens_seen"]:,} tokens
  ({record["epochs_seen"]:g} times through the texts); {energy["kwh"]:.4f} kWh, {energy["source"]}.
- **Reached**, on {held_out["texts"]:,} texts held out: {right:.1%} [{at_least:.1%}, {at_most:.1%}] of the masked tokens
  guessed, loss {loss:.3f} [{low:.3f}, {high:.3f}] nats (95 % intervals).
- **Limits**: texts longer than {recipe["max_length"]} tokens must be cut. The weights hold traces of the texts,
  personal data among them: whoever may not see the texts should not be given them. The texts' own licence applies.

Recipe, loss history, energy and versions: `{RECORD}`.
"""
