"""Fine-tuning by the policy's recipe, through ``transformers.Trainer``; the result is kept and not made twice."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from filelock import FileLock

from audit.core import budget
from audit.core.cache import Cache, read_sealed, remove, timestamp, unfinished, write_sealed
from audit.core.errors import AuditError, NotAssessed, NotFiniteError
from audit.core.sentences import Sentence
from audit.core.surroundings import TRAINING, unset
from audit.data.examples import Examples, split_validation
from audit.energy.meter import restated
from audit.inference.batches import filler, inputs
from audit.models import model as models
from audit.models import tokens
from audit.models.model import FineTuning, Model
from audit.policy.policy import Finetune
from audit.text.redaction import message
from audit.training import launched
from audit.training.launched import Row

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import (
        EvalPrediction,
        PreTrainedModel,
        PreTrainedTokenizerFast,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )

    from audit.core.progress import Progress
    from audit.energy.meter import Meter

    Untrained = tuple[PreTrainedModel, PreTrainedTokenizerFast]

GRU = "gru"  # the recurrent network, as the source of a recipe
VOCABULARY = 8192
ALPHABET = 1000
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# One pass over each weight for all of AdamW: on a processor, too, a fifth of a step less for six layers of 384.
OPTIMIZER = "adamw_torch_fused"
# Examples and steps at most by which the time of a training is told.
TIMED, TIMED_STEPS = 500, 12
AUDITED = "fine-tune"  # the phase in which the model under audit is trained


@dataclass(frozen=True)
class Recipe:
    """All that decides what a trained model is, apart from its data.

    Parameters
    ----------
    source : str
        As the policy names the base model.
    base : Path or None
        Folder of the base model; None for the embedded small BERT and the recurrent network, which are made here.
    revision : str or None
        Commit of the base model, if it came from the Hub.
    pinned : bool
        Whether the policy named that commit.
    settings : Finetune
    max_length : int
    device : str
    """

    source: str
    base: Path | None
    revision: str | None
    pinned: bool
    settings: Finetune
    max_length: int
    device: str

    def __post_init__(self) -> None:
        if self.settings.group_by_length is None:  # half of a random batch is padding, which only a GPU hardly feels
            applied = self.settings.model_copy(update={"group_by_length": self.device == "cpu"})
            object.__setattr__(self, "settings", applied)

    def key(self, examples: Examples, vocabulary: Examples | None = None) -> str:
        """Name of the trained model in the cache; parameters as in :func:`train`."""
        base = models.fingerprint(models.hash_files(self.base)) if self.base else self.source
        parts = {
            "base": base,
            "settings": self.settings.model_dump(mode="json"),
            "max_length": self.max_length,
            "classes": examples.classes,
            "data": examples.ordered_fingerprint,
            **({"vocabulary": vocabulary.ordered_fingerprint} if vocabulary else {}),
            # What was held out of data with equal rows once was single rows.
            **({"held out": "texts"} if self.settings.validation and examples.different() < len(examples) else {}),
            # Arithmetic differs between kinds of devices (bf16 on GPUs), not between two of a kind.
            "device": self.device.split(":")[0],
            "optimizer": OPTIMIZER,
            # Ours among them: what the recipe's words mean may change with it.
            "versions": {name: version(name) for name in ("pytest-model-audit", "torch", "transformers", "tokenizers")},
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Job:
    """One training.

    Parameters
    ----------
    recipe : Recipe
    examples : Examples
        The whole training data; the recipe's validation share is held out of them.
    vocabulary : Examples or None
        What the embedded model's vocabulary is made of, where that must not depend on the examples; else they are.
    """

    recipe: Recipe
    examples: Examples
    vocabulary: Examples | None = None


def folder_of(recipe: Recipe, examples: Examples, cache: Cache) -> Path | None:
    """Where the cache keeps the model that a recipe makes of examples; None where it is not there, or not whole."""
    folder = cache.models / recipe.key(examples)
    return folder if _is_whole(folder) else None


class Workers(Protocol):
    """Other processes that train, several at once; see :class:`audit.cluster.cluster.Cluster`."""

    def train(
        self, jobs: Sequence[Job], phase: str, keep: Callable[[int, Callable[[Path], None], FineTuning], None]
    ) -> list[FineTuning]:
        """Train models; `keep` is given each as soon as it is done: its number, its files' writer, its facts."""


def train(
    recipe: Recipe,
    examples: Examples,
    cache: Cache,
    meter: Meter,
    progress: Progress,
    phase: str = AUDITED,
    vocabulary: Examples | None = None,
    cluster: Workers | None = None,
) -> Model:
    """One model, as :func:`train_all` makes several; recipe, examples and vocabulary as in :class:`Job`."""
    return train_all([Job(recipe, examples, vocabulary)], cache, meter, progress, phase, cluster)[0]


def train_all(
    jobs: Sequence[Job], cache: Cache, meter: Meter, progress: Progress, phase: str, cluster: Workers | None = None
) -> tuple[Model, ...]:
    """The models that recipes make of examples: from the cache, else trained now.

    Several processes may ask for the same model; one trains and the others wait for it. Processes that were launched
    to train together all take part, and the main one keeps the result.

    Parameters
    ----------
    jobs : sequence of Job
    phase : str
        Under which name the energy is booked. All but the audited model's own are trained within the audit's budget.
    cluster : Workers or None
        Where they are trained, at once; None: here, one after the other.

    Raises
    ------
    AuditError
        If the base model cannot be used for these classes.
    NotAssessed
        If there is no example for one of the models.
    """
    if not all(len(job.examples) for job in jobs):
        raise NotAssessed(Sentence("no example is left to train a model on; supply more training data"))
    folders = [cache.models / job.recipe.key(job.examples, job.vocabulary) for job in jobs]
    if phase != AUDITED:

        def seconds() -> float:
            return sum(
                expected_seconds(job, seconds_per_example(job.recipe, job.examples))
                for job, folder in zip(jobs, folders, strict=True)
                if not _is_whole(folder)
            )

        budget.training(len(jobs), seconds)
    with ExitStack() as locks:
        if launched.is_main():
            for folder in sorted(set(folders)):
                locks.enter_context(FileLock(f"{folder}.lock"))
        (missing, *_) = launched.gathered([i for i, folder in enumerate(folders) if not _is_whole(folder)])
        if missing and cluster is not None:
            with meter.phase(phase), progress.bar(phase, len(missing), "models") as bar:

                def keep(i: int, fill: Callable[[Path], None], training: FineTuning) -> None:
                    with unfinished(folders[missing[i]]) as working:
                        fill(working)
                        _keep(working, folders[missing[i]], training)
                    bar.advance(1)

                trained = cluster.train([jobs[i] for i in missing], phase, keep)
            for i, training in zip(missing, trained, strict=True):
                write_sealed(_metadata(folders[i]), training)
            missing = []
        for i in missing:
            with unfinished(folders[i]) as working:
                training = train_into(working, jobs[i], meter, progress, phase)
                if launched.is_main():
                    _keep(working, folders[i], training)
    return tuple(
        Model(
            source=job.recipe.source,
            folder=folder,
            labels=job.examples.classes,
            max_length=job.recipe.max_length,
            device=job.recipe.device,
            revision=job.recipe.revision,
            pinned=job.recipe.pinned,
            training=_training(folder, meter),
        )
        for job, folder in zip(jobs, folders, strict=True)
    )


def _training(folder: Path, meter: Meter) -> FineTuning | None:
    """What is remembered of a cached model's training; None where another process is only now writing it down."""
    training = _remembered(folder)
    return training and {**training, "energy": restated(training["energy"], meter.power)}


def _remembered(folder: Path) -> FineTuning | None:
    """The same as it was written."""
    return cast("FineTuning | None", read_sealed(_metadata(folder)))


def _keep(working: Path, folder: Path, training: FineTuning) -> None:
    """Put a trained model where it is looked for."""
    for former in (folder, _metadata(folder)):
        remove(former)
    write_sealed(_metadata(folder), training)
    os.replace(working, folder)


def _metadata(folder: Path) -> Path:
    """Where the recipe, history and energy of a cached model stand: beside it, so that the model is only the model."""
    return folder.with_name(f"{folder.name}.json")


def _is_whole(folder: Path) -> bool:
    """Whether a cached model is there and is the one that was saved."""
    training = _remembered(folder)
    return (
        training is not None
        and folder.is_dir()
        and training["fingerprint"] == models.fingerprint(models.hash_files(folder))
    )


def train_into(folder: Path, job: Job, meter: Meter, progress: Progress, phase: str) -> FineTuning:
    """Train and save into an empty folder; returns what is to be remembered of it."""
    import torch
    from transformers import set_seed
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    recipe, examples, vocabulary = job.recipe, job.examples, job.vocabulary
    settings = recipe.settings
    rows, held_out = split_validation(examples, settings.validation, settings.seed)
    fit, validation = examples.take(rows), examples.take(held_out)
    set_seed(settings.seed)
    network, tokenizer = _start(recipe, fit, vocabulary or fit)
    freeze(network, settings.train)
    with meter.phase(phase) as energy, unset(*TRAINING):
        history, steps = _run_trainer(folder, network, tokenizer, recipe, fit, validation, progress)
    figures = launched.total(launched.gathered(energy.record() if launched.is_first_of_machine() else None))
    network = network.to("cpu").to(torch.float32)
    if not all(bool(weight.isfinite().all()) for weight in network.parameters()):
        raise _broken_down(recipe, steps)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {
        "fingerprint": models.fingerprint(models.hash_files(folder)),
        "recipe": settings.model_dump(mode="json"),
        "base": recipe.source,
        "base_revision": recipe.revision,
        "base_files": models.hash_files(recipe.base) if recipe.base else None,
        "examples": len(fit),
        "validation_examples": len(validation),
        "steps": steps,
        "history": history,
        "trainable_parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "energy": figures,
        "device": recipe.device,
        "created": timestamp(),
    }


def save_untrained(recipe: Recipe, examples: Examples, folder: Path) -> Model:
    """A model of the shape that a recipe trains, with random weights, for what its weights do not matter to."""
    network, tokenizer = _random(recipe, examples)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Model(recipe.source, folder, examples.classes, recipe.max_length, recipe.device)


def seconds_per_example(recipe: Recipe, examples: Examples, within_s: float = 2.0) -> float:
    """Seconds that an example takes in one epoch of a recipe, by some steps of a model that is thrown away.

    Parameters
    ----------
    recipe : Recipe
    examples : Examples
        Of the training; a batch is taken from the middle of their lengths.
    within_s : float
        After so many seconds no further step is begun, the first apart. Batches grow to that of the recipe, as far as
        there is time.
    """
    import torch

    few = examples.take(np.arange(min(len(examples), TIMED)))
    network, tokenizer = _random(recipe, few)
    freeze(network, recipe.settings.train)
    network.to(recipe.device).train()
    rows = sorted(_encode(tokenizer, few, recipe.max_length), key=lambda row: len(row["input_ids"]))
    middle, collate = len(rows) // 2, _collate(tokenizer)
    optimizer = torch.optim.AdamW([each for each in network.parameters() if each.requires_grad], fused=True)

    def seconds(size: int) -> float:
        batch = rows[max(0, middle - size // 2) :][:size]
        started = time.perf_counter()
        given = {name: values.to(recipe.device) for name, values in collate(batch).items()}
        network(**given).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if recipe.device.startswith("cuda"):
            torch.cuda.synchronize()
        return (time.perf_counter() - started) / len(batch)

    seconds(1)  # makes what all later ones need
    started, size, taken = time.perf_counter(), 1, list[float]()
    while not taken or (time.perf_counter() - started < within_s and len(taken) < TIMED_STEPS):
        size = min(recipe.settings.batch_size, 2 * size)
        taken.append(seconds(size))
    return min(taken)


def expected_seconds(job: Job, per_example: float) -> float:
    """Seconds that a training takes where an example in one epoch takes so many."""
    settings = job.recipe.settings
    rows = round(len(job.examples) * (1 - settings.validation))
    return per_example * settings.batch_size * steps_for(settings, rows)


def _random(recipe: Recipe, examples: Examples) -> Untrained:
    settings = recipe.settings.model_copy(update={"initialise": "scratch"})
    return _start(replace(recipe, settings=settings), examples, examples)


def _start(recipe: Recipe, fit: Examples, vocabulary: Examples) -> Untrained:
    """Network and tokenizer before the first step."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    names = dict(enumerate(fit.classes))
    labels: dict[str, object] = {"id2label": names, "label2id": {label: i for i, label in names.items()}}
    if recipe.base is None:
        made_here = recurrent if recipe.source == GRU else small_bert
        return made_here(vocabulary.texts, labels, recipe.max_length)
    try:
        config = AutoConfig.from_pretrained(recipe.base, trust_remote_code=False, local_files_only=True, **labels)
        # The head is made anew: what a former one was for must not decide the loss.
        config.problem_type = None
        tokenizer = tokens.load(recipe.base, recipe.source, models.config(recipe.base, recipe.source))
        if recipe.settings.initialise == "scratch":
            network = AutoModelForSequenceClassification.from_config(config, trust_remote_code=False)
        else:
            network = AutoModelForSequenceClassification.from_pretrained(
                recipe.base,
                config=config,
                trust_remote_code=False,
                local_files_only=True,
                # Pickled weights come this far only where the policy allows them.
                use_safetensors=bool(models.safe_weights(recipe.base, recipe.source)),
                weights_only=True,
                # A base model has no classification head, or one of other classes: it is made anew.
                ignore_mismatched_sizes=True,
            )
    except AuditError:
        raise
    except Exception as error:
        raise AuditError(f"model '{recipe.source}': it cannot be fine-tuned ({message(error)}).") from None
    import torch

    _pad(network, tokenizer, recipe.source)
    return network.to(torch.float32), tokenizer


def _pad(network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, source: str) -> None:
    """Have a decoder that knows no padding fill up with the end of a text, as is done where such models write texts."""
    if network.config.pad_token_id is not None:
        return
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        raise AuditError(
            f"model '{source}': its tokenizer has neither a token to fill up texts with nor one that ends them, so no "
            f"batch can be trained on; set tokenizer.pad_token and save it."
        )
    network.config.pad_token_id = tokenizer.pad_token_id


def small_bert(texts: tuple[str, ...], labels: Mapping[str, object], max_length: int) -> Untrained:
    """The embedded model: two layers, 128 wide, random weights, with a WordPiece vocabulary made from the texts."""
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = word_pieces(texts, VOCABULARY, max_length)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=512,
        max_position_embeddings=max(max_length, 64),
        pad_token_id=tokenizer.pad_token_id,
        # BERT's 0.02 is made for 768 wide and pretraining; at 128 wide a few thousand texts would hardly move it.
        initializer_range=0.05,
        **labels,
    )
    return BertForSequenceClassification(config), tokenizer


def recurrent(texts: tuple[str, ...], labels: Mapping[str, object], max_length: int) -> Untrained:
    """The recurrent network, random weights, with the vocabulary that the embedded model has."""
    from audit.models.recurrent import RecurrentClassifier
    from audit.models.recurrent_config import RecurrentConfig

    tokenizer = word_pieces(texts, VOCABULARY, max_length)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    config = RecurrentConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **labels)
    return RecurrentClassifier(config), tokenizer


def word_pieces(texts: Sequence[str], size: int, max_length: int) -> PreTrainedTokenizerFast:
    """A tokenizer whose WordPiece vocabulary is made from the texts, the same each time."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertTokenizerFast

    trainer = BertWordPieceTokenizer(lowercase=True)
    # The trainer numbers continuing characters in the order of a randomly seeded hash map, and ties between merges
    # are broken by number. Giving them their numbers beforehand makes the vocabulary the same each time.
    normalise = trainer.normalizer.normalize_str
    counts = Counter(chain.from_iterable(map(normalise, texts)))
    ranked = sorted((c for c in counts if not c.isspace()), key=lambda c: (-counts[c], c))
    alphabet = sorted(ranked[:ALPHABET])
    trainer.train_from_iterator(
        texts,
        vocab_size=size,
        min_frequency=2,
        limit_alphabet=ALPHABET,
        special_tokens=[*SPECIAL_TOKENS, *alphabet, *(f"##{c}" for c in alphabet)],
        show_progress=False,
    )
    return BertTokenizerFast(vocab=dict(trainer.get_vocab()), do_lower_case=True, model_max_length=max_length)


def freeze(network: PreTrainedModel, train: str) -> None:
    """Leave only the head, or the head and the last N layers, to be trained.

    Parameters
    ----------
    network : PreTrainedModel
    train : str
        ``all``, ``head`` or ``last:N``.

    Raises
    ------
    AuditError
        If the network has fewer than N layers.
    """
    if train == "all":
        return
    encoder = getattr(network, network.base_model_prefix)
    for parameter in encoder.parameters():
        parameter.requires_grad = False
    pooler = getattr(encoder, "pooler", None)
    if pooler is not None:  # it belongs to the head: it feeds the classifier and no layer
        for parameter in pooler.parameters():
            parameter.requires_grad = True
    if train == "head":
        return
    count, layers = int(train.partition(":")[2]), layers_of(encoder)
    if len(layers) < count:
        raise AuditError(
            f"[model.finetune] train = '{train}': the model has {len(layers)} layers that can be told apart; ask for "
            f"no more of them."
        )
    for layer in layers[-count:]:
        for parameter in layer.parameters():
            parameter.requires_grad = True


def layers_of(encoder: nn.Module) -> Sequence[nn.Module]:
    """The layers of an encoder in their order, whatever a family calls them: its outermost list of modules of one kind.

    ALBERT's is of one module: all its layers share their weights.
    """
    from torch.nn import ModuleList

    lists = [list(each) for each in encoder.modules() if isinstance(each, ModuleList)]
    alike = [each for each in lists if len({type(part) for part in each}) == 1]
    return next((each for each in alike if len(each) > 1), alike[0] if alike else [])


def steps_for(settings: Finetune, rows: int) -> int:
    """How many batches the recipe trains on."""
    return settings.max_steps or int(np.ceil(-(-rows // settings.batch_size) * settings.epochs))


def _run_trainer(
    folder: Path,
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    fit: Examples,
    validation: Examples,
    progress: Progress,
) -> tuple[list[dict[str, float]], int]:
    from transformers import (
        PrinterCallback,
        ProgressCallback,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    settings = recipe.settings
    steps = steps_for(settings, len(fit))
    on_cuda = recipe.device.startswith("cuda")
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=int(steps * settings.warmup_ratio),
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        adam_epsilon=settings.adam_epsilon,
        optim=OPTIMIZER,
        train_sampling_strategy="group_by_length" if settings.group_by_length else "random",
        bf16=on_cuda,
        torch_compile=settings.compile,
        use_cpu=recipe.device == "cpu",
        seed=settings.seed,
        eval_strategy="epoch" if len(validation) else "no",
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=max(1, min(20, steps // 10, int(steps / settings.epochs))),  # a loss for each epoch
        # To look at each loss, or to copy a batch and wait for it, would keep a GPU waiting for its next work.
        logging_nan_inf_filter=False,
        accelerator_config={"non_blocking": on_cuda},
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=on_cuda,
        remove_unused_columns=False,
    )
    history: list[dict[str, float]] = []

    class Follow(TrainerCallback):
        """Shows the progress and keeps what each epoch reached."""

        loss = float("nan")

        def on_log(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
            logs: Mapping[str, float] | None = None, **more: object,
        ) -> None:  # fmt: skip
            self.loss = (logs or {}).get("loss", self.loss)
            if "loss" in (logs or {}) and not np.isfinite(self.loss):
                raise _broken_down(recipe, state.global_step)

        def on_step_end(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: object
        ) -> None:
            bar.advance(1, f"loss {self.loss:.3f}" if self.loss == self.loss else "")

        def on_evaluate(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
            metrics: Mapping[str, float], **more: object,
        ) -> None:  # fmt: skip
            epoch = {
                "epoch": round(state.epoch, 3),
                "loss": round(float(self.loss), 6),
                "validation_accuracy": round(float(metrics["eval_accuracy"]), 6),
            }
            history.append(epoch)
            bar.say(f"epoch {state.epoch:.0f}: validation accuracy {epoch['validation_accuracy']:.3f}")

    def accuracy(outcome: EvalPrediction) -> dict[str, float]:
        return {"accuracy": float((outcome.predictions.argmax(-1) == outcome.label_ids).mean())}

    several, rows = launched.world() > 1, _encode(tokenizer, fit, recipe.max_length)
    tokens.check_numbers((row["input_ids"] for row in rows), network, recipe.source)
    trainer = (launched.trainer() if several else Trainer)(
        model=network,
        args=arguments,
        train_dataset=rows,
        eval_dataset=_encode(tokenizer, validation, recipe.max_length) if len(validation) else None,
        data_collator=_collate(tokenizer),
        compute_loss_func=launched.loss if several else None,
        compute_metrics=accuracy,
        callbacks=[Follow()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    with progress.bar(f"fine-tune {recipe.source}", steps, "steps") as bar:
        trainer.train()
    return history, int(trainer.state.global_step)


def _broken_down(recipe: Recipe, steps: int) -> NotFiniteError:
    return NotFiniteError(
        f"model '{recipe.source}': its training broke down, loss or weights are no numbers after {steps} steps; lower "
        f"[model.finetune] learning_rate ({recipe.settings.learning_rate:g})."
    )


def _collate(tokenizer: PreTrainedTokenizerFast) -> Callable[[list[Row]], dict[str, torch.Tensor]]:
    """Makes a batch of rows through NumPy: ``transformers``' own collator goes through lists, and a GPU would wait."""
    import torch

    padding = filler(tokenizer)

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        columns = {"input_ids": [row["input_ids"] for row in rows]}
        if "token_type_ids" in rows[0]:
            columns["token_type_ids"] = [row["token_type_ids"] for row in rows]
        made = inputs(columns, padding, tokenizer.padding_side, "cpu")
        # Batches with and without padding are to run through the same arithmetic.
        made.setdefault("attention_mask", torch.ones_like(made["input_ids"]))
        return made | {"labels": torch.tensor([row["labels"] for row in rows])}

    return collate


def _encode(tokenizer: PreTrainedTokenizerFast, examples: Examples, max_length: int) -> list[Row]:
    encoded = tokenizer(list(examples.texts), truncation=True, max_length=max_length, return_attention_mask=False)
    rows: list[Row] = [
        {"input_ids": ids, "labels": int(label)}
        for ids, label in zip(encoded["input_ids"], examples.labels, strict=True)
    ]
    if "token_type_ids" in encoded:
        for row, types in zip(rows, encoded["token_type_ids"], strict=True):
            row["token_type_ids"] = types
    return rows
