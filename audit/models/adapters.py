"""LoRA adapters, as PEFT saves them: merged with their base into a model of its own, tensor by tensor.

An adapter's configuration is not trusted: of it only numbers and names are read, never a class, a module or a pattern
to be matched; where its base lies, the policy says, or it lies beside.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from audit.core.cache import Cache, remove, unfinished
from audit.core.errors import AuditError
from audit.models import admission, model
from audit.models.files import weights
from audit.models.files.artifact import ADAPTER, read_json
from audit.text.paths import check_all
from audit.text.redaction import printable

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHTS = "adapter_model.safetensors"
_PREFIX = "base_model.model."
# What a configuration may say without that the merged weights are other than the product; whatever else it says may.
_KNOWN = set(
    "auto_mapping base_model_name_or_path bias ensure_weight_tying exclude_modules fan_in_fan_out "
    "inference_mode init_lora_weights layers_pattern layers_to_transform lora_alpha lora_dropout megatron_core "
    "modules_to_save peft_type peft_version qalora_group_size r rank_pattern revision target_modules task_type "
    "use_rslora".split()
)
# Others begin by changing the base.
_BEGINNINGS = (True, False, None, "gaussian")


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no whole model."""
    return (folder / ADAPTER).is_file() and not (folder / "config.json").is_file()


def base_of(folder: Path, source: str) -> Path:
    """The base that lies beside an adapter, under the name that the adapter has for it.

    Raises
    ------
    AuditError
        If none does: nothing is fetched for a name in a file that nobody checked.
    """
    name = str(_settings(folder, source).get("base_model_name_or_path") or "")
    beside = folder.absolute().parent / Path(name).name
    if Path(name).name and beside != folder.absolute() and (beside / "config.json").is_file():
        return beside
    of = f"of '{printable(name, 80)}', as its {ADAPTER} says" if name else f"whose {ADAPTER} names no base"
    raise AuditError(
        f"model '{source}': it is an adapter {of}, and no such folder lies beside it; name the folder or the Hub id of "
        f"that model with [model] base."
    )


def merge(folder: Path, source: str, base: Path, cache: Cache) -> Path:
    """The folder in the cache that holds base and adapter as one model, made where it is not there yet.

    Parameters
    ----------
    folder : Path
        The adapter's.
    source : str
        As the policy calls it.
    base : Path
        The base's, already found safe to load.
    cache : Cache

    Raises
    ------
    AuditError
        If the adapter is not of the kind ``W + B·A·α/r``, is pickled, or does not fit its base.

    Notes
    -----
    Source: Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022, section 4.1; α/√r with
    ``use_rslora``: Kalajdzievski, "A rank stabilization scaling factor for fine-tuning with LoRA", 2023. With B·A in
    float32, as PEFT's ``merge_and_unload`` has it.
    """
    check_all(folder, f"model '{source}'")
    settings = _settings(folder, source)
    more = {key: value for key, value in settings.items() if key not in _KNOWN and value}
    more |= {"peft_type": kind} if (kind := settings.get("peft_type")) != "LORA" else {}
    more |= {"init_lora_weights": way} if (way := settings.get("init_lora_weights")) not in _BEGINNINGS else {}
    if more:
        key, value = min(more.items(), key=str)
        raise AuditError(
            f"model '{source}': its {ADAPTER} has {printable(key, 40)} = {printable(value, 60)}, which is not merged "
            f"here; merge it with peft (merge_and_unload(), then save_pretrained()) and give that folder."
        )
    if not (folder / WEIGHTS).is_file():
        raise AuditError(
            f"model '{source}': {printable(folder)} has no {WEIGHTS}, and an adapter is read of safetensors only; save "
            f"it with save_pretrained()."
        )
    files = {**model.hash_files(folder), **{f"base/{name}": each for name, each in model.hash_files(base).items()}}
    digest = hashlib.sha256(model.fingerprint(files).encode()).hexdigest()[:32]
    merged = cache.encoders / f"adapter-{digest}"
    try:
        cache.encoders.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{merged}.lock"):
            if not merged.is_dir():
                with unfinished(merged) as working:
                    _write(folder, source, base, settings, working)
                    remove(merged)
                    os.replace(working, merged)
    except OSError as error:
        raise AuditError(
            f"{cache.encoders}: the cache folder cannot be written ({error.strerror}); choose another with "
            f"--audit-cache."
        ) from None
    return merged


def _settings(folder: Path, source: str) -> Mapping[str, object]:
    try:
        found = read_json(folder / ADAPTER)
    except ValueError as error:
        raise AuditError(f"model '{source}': its {ADAPTER} cannot be read ({error}); save it anew.") from None
    if not isinstance(found, dict):
        raise AuditError(f"model '{source}': its {ADAPTER} is no table of settings; save it anew.")
    return found


def _write(folder: Path, source: str, base: Path, settings: Mapping[str, object], to: Path) -> None:
    """Save the merged network, with the adapter's tokenizer, else the base's."""
    from safetensors.torch import load_file
    from transformers import AutoModelForSequenceClassification

    try:
        shapes = weights.header(folder / WEIGHTS)
        tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in load_file(folder / WEIGHTS).items()}
    except weights.DamagedError as error:
        raise AuditError(f"model '{source}': {error}") from None
    outputs = admission.outputs_of({name.removeprefix(_PREFIX): shape for name, shape in shapes.items()})
    more = {} if outputs is None else {"num_labels": outputs, "ignore_mismatched_sizes": True}
    with model.loadable(source, "base"):
        network, info = AutoModelForSequenceClassification.from_pretrained(
            base, output_loading_info=True, use_safetensors=True, trust_remote_code=False, **more
        )
    untrained = {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}
    replaced = _merge_into(network, tensors, settings, source)
    if left := sorted(untrained - replaced):
        raise AuditError(
            f"model '{source}': neither the adapter nor its base has trained weights for {printable(left[0], 80)}; "
            f"give the base that it was trained on, or an adapter that was saved with its head (modules_to_save)."
        )
    network.save_pretrained(to)
    of_tokenizer = folder if admission.has_tokenizer(folder) else base
    for path in (*admission.tokenizer_files(of_tokenizer), of_tokenizer / "tokenizer_config.json"):
        if path.is_file():
            shutil.copyfile(path, to / path.name)


def _merge_into(
    network: nn.Module, tensors: Mapping[str, Tensor], settings: Mapping[str, object], source: str
) -> set[str]:
    """Add each product to its weight and put whole tensors in their places; gives the names of the latter."""
    import torch

    own, whole, used = network.state_dict(), set[str](), set[str]()
    with torch.no_grad():
        for name, tensor in tensors.items():
            place, _, part = name.partition(".lora_")
            if not part and name in own and own[name].shape == tensor.shape:
                own[name].copy_(tensor)
                whole.add(name)
                used.add(name)
            elif part == "A.weight":
                b, weight = tensors.get(f"{place}.lora_B.weight"), own.get(f"{place}.weight")
                if weight is None or b is None or b.ndim != 2 or tensor.ndim != 2 or b.shape[1] != tensor.shape[0]:
                    raise _misfit(name, source)
                step = _scale(settings, len(tensor), source) * (b.float() @ tensor.float())
                step = step.T if settings.get("fan_in_fan_out") is True else step
                if step.shape != weight.shape:
                    raise _misfit(name, source)
                weight.copy_(weight.float() + step)
                used |= {name, f"{place}.lora_B.weight"}
    if left := sorted({*tensors} - used):
        raise _misfit(left[0], source)
    return whole


def _scale(settings: Mapping[str, object], rank: int, source: str) -> float:
    alpha = settings.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha) or not rank:
        raise AuditError(f"model '{source}': lora_alpha in its {ADAPTER} is no number; save it anew.")
    return float(alpha) / (math.sqrt(rank) if settings.get("use_rslora") is True else rank)


def _misfit(name: str, source: str) -> AuditError:
    return AuditError(
        f"model '{source}': its {printable(name, 80)} does not fit the base; give the base that it was trained on, "
        f"with [model] base, or merge it with peft (merge_and_unload()) and give that folder."
    )
