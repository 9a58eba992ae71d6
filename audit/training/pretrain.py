"""Pretraining of an encoder on the policy's training texts, without their labels; can be stopped and resumed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, cast

import numpy as np
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from audit.core.cache import read_json, remove, timestamp, unfinished, write_atomically
from audit.core.errors import AuditError
from audit.core.figures import Figures
from audit.core.files import sha256
from audit.core.numbers import SHARE, interval
from audit.data import examples as data
from audit.policy.policy import Policy
from audit.text.duplicates import normal_form
from audit.text.redaction import message
from audit.training import finetune
from audit.training.masked_lm import CHECKPOINT, STABLE, HeldOut, Length, Recipe, Training, pack, split

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from audit.core.progress import Progress
    from audit.energy.meter import Meter

RECORD = "pretraining.json"
WORKING = ".pretraining"  # in the result's folder: recipe, tokenizer and checkpoints of a training
TOKENIZER, WEIGHTS = "tokenizer", "model.safetensors"
CHECKPOINT_S = 60.0  # a crash loses at most so much
HELD_OUT_BLOCKS = 10  # at least


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

    texts: tuple[str, ...] = field(repr=False)
    language: str
    sources: dict[str, int]
    repeated: int
    in_test: int

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the texts."""
        return data.fingerprint(self.texts)


class Texts(TypedDict):
    """What the record says of the texts."""

    fingerprint: str
    count: int
    held_out: int
    tokens: int
    sources: dict[str, int]
    left_out_as_repeated: int
    left_out_as_in_test_data: int


class Record(TypedDict, total=False):
    """What a training was, how far it came and what it took; its length by the unit in which it was given."""

    recipe: dict[str, int | float]
    epochs: float
    minutes: float
    steps: float
    tokens_seen: int
    epochs_seen: float
    parameters: int
    texts: Texts
    held_out: HeldOut
    history: list[dict[str, float]]
    training_seconds: float
    energy: Figures
    device: str
    versions: dict[str, str]
    created: str
    files: dict[str, str]


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
        name = source.name if isinstance(source, Path) else str(policy.data.train)
        sources[name] = sources.get(name, 0) + len(texts)
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
) -> Record:
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
    Record
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
            _remove_orphans(working)
            return _resume(out, recipe, length, corpus, device, meter, progress)
    except Timeout:
        raise AuditError(f"{out}: another process is training in it; wait for it, or choose another folder.") from None
    except OSError as error:
        raise AuditError(f"{out}: cannot be written ({error.strerror or error}); choose another folder.") from None
    except SafetensorError as error:
        raise AuditError(f"{out}: cannot be written ({message(error)}); choose another folder.") from None


def _resume(
    out: Path, recipe: Recipe, length: Length, corpus: Corpus, device: str, meter: Meter, progress: Progress
) -> Record:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    working = out / WORKING
    _claim(working / "recipe.json", out, recipe, corpus)
    found = read_json(out / RECORD)
    known = cast("Record", found) if isinstance(found, dict) else {}
    if known.get(length.unit) == length.value and _is_whole(out, known, recipe, corpus):
        return known
    with meter.phase("pretrain") as prepared:
        rows, held_out = split(len(corpus.texts), recipe.seed)
        tokenizer = _tokenizer(working / TOKENIZER, [corpus.texts[i] for i in rows], recipe)
        blocks, _ = pack(tokenizer, [corpus.texts[i] for i in rows], recipe.max_length, progress)
        unseen, owners = pack(tokenizer, [corpus.texts[i] for i in held_out], recipe.max_length, progress)
        if len(unseen) < HELD_OUT_BLOCKS:
            raise AuditError(
                f"{out}: {len(corpus.texts):,} texts are too few: those held out make {len(unseen)} blocks of "
                f"{recipe.max_length} tokens, and at least {HELD_OUT_BLOCKS} are needed; give more with --texts."
            )
        training = Training(recipe, tokenizer, blocks, unseen, device)
    state = training.load_latest(working, length)
    state.book(prepared)
    _train(training, working, length, meter, progress)
    assert state.energy is not None
    record: Record = {"recipe": recipe.model_dump(mode="json")}
    record[length.unit] = length.value
    record |= {
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
        "created": timestamp(),
    }
    _publish(out, training, corpus, record)
    return record


def _remove_orphans(working: Path) -> None:
    """Remove what a killed run left half written: a vocabulary, weights, a checkpoint; all hold traces of texts."""
    for orphan in (*working.glob(".*.*"), *working.glob("*.new"), *working.glob("tmp*")):
        remove(orphan)


def _is_whole(out: Path, record: Record, recipe: Recipe, corpus: Corpus) -> bool:
    """Whether the encoder of a finished training lies in the folder, and is of this recipe and these texts."""
    files: Mapping[str, str | None] = record.get("files", {WEIGHTS: None})  # a former version listed none
    return (
        record.get("recipe") == recipe.model_dump(mode="json")
        and record.get("texts", {}).get("fingerprint") == corpus.fingerprint
        and all((out / name).is_file() and digest in (None, sha256(out / name)) for name, digest in files.items())
    )


def _claim(path: Path, out: Path, recipe: Recipe, corpus: Corpus) -> None:
    """Write down what the folder is for, or hold it against what was written when it was begun."""
    asked = recipe.model_dump(mode="json") | {"texts": corpus.fingerprint}
    begun = read_json(path)
    if not isinstance(begun, dict):  # none, or damaged: then nobody knows what recipe and texts the rest is of
        for name in (TOKENIZER, CHECKPOINT, STABLE):
            remove(path.with_name(name))
        write_atomically(path, json.dumps(asked))
        return
    for key, value in asked.items():
        if begun.get(key) != value:
            was, now = ("others", "these") if key == "texts" else (begun.get(key), value)
            raise AuditError(
                f"{out}: this pretraining was begun with {key.replace('_', '-')} {was}, and now it is {now}; "
                f"ask for the same to go on, or choose another folder."
            )


def _tokenizer(folder: Path, texts: Sequence[str], recipe: Recipe) -> PreTrainedTokenizerFast:
    from transformers import BertTokenizerFast

    if not folder.is_dir():
        trained = finetune.word_pieces(texts, recipe.vocabulary, recipe.max_length)
        with unfinished(folder) as made:
            trained.save_pretrained(made)
            os.replace(made, folder)
    return BertTokenizerFast.from_pretrained(folder, local_files_only=True)


def _train(training: Training, working: Path, length: Length, meter: Meter, progress: Progress) -> None:
    """Steps up to the end, with a checkpoint every minute or so and at the user's Ctrl-C."""
    state, size = training.state, training.blocks[0].size * training.recipe.batch_size
    first = state.step
    with progress.bar(f"pretrain {working.parent.name}", 0, "tokens") as bar, _stoppable() as stop:
        while not state.finished:
            with meter.phase("pretrain") as phase:
                saved = last = time.monotonic()
                while True:
                    if state.decay is None:
                        state.decay = length.decay(state.step, state.seconds, training.epoch)
                        if state.decay is not None:
                            _keep_stable(training, working, length)
                    loss = training.step()
                    training.log()
                    state.seconds, last = state.seconds + time.monotonic() - last, time.monotonic()
                    bar.expect((_end(training, length) - first) * size)
                    bar.advance(size, f"step {state.step:,}, loss {loss:.3f}")
                    if state.finished or stop or last - saved >= CHECKPOINT_S:
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


def _publish(out: Path, training: Training, corpus: Corpus, record: Record) -> None:
    """Put the finished encoder into its folder, each file whole."""
    with unfinished(out / WORKING / "encoder") as made:
        training.network.save_pretrained(made)
        training.tokenizer.save_pretrained(made)
        record["files"] = {path.name: sha256(path) for path in sorted(made.iterdir())}
        (made / "README.md").write_text(_card(corpus, record), "utf-8")
        (made / RECORD).write_text(json.dumps(record, indent=1), "utf-8")
        for path in sorted(made.iterdir(), key=lambda path: path.name == RECORD):
            os.replace(path, out / path.name)


def _card(corpus: Corpus, record: Record) -> str:
    """The model card."""
    recipe, texts, held_out, energy = record["recipe"], record["texts"], record["held_out"], record["energy"]
    right, least, most = held_out["accuracy"]
    guessed = interval(right, least, most, SHARE)
    loss, low, high = held_out["loss"]
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
- **Reached**, on {held_out["texts"]:,} texts held out: {guessed} of the masked tokens
  guessed, loss {interval(loss, low, high)} nats (95 % intervals).
- **Limits**: texts longer than {recipe["max_length"]} tokens must be cut. The weights hold traces of the texts,
  personal data among them: whoever may not see the texts should not be given them. The texts' own licence applies.

Recipe, loss history, energy and versions: `{RECORD}`.
"""
