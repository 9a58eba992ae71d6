"""Whether a model can be audited at all, by its configuration and its safetensors headers; nothing is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from audit.core.errors import AuditError
from audit.models.files.artifact import ADAPTER
from audit.models.files.weights import Tensor
from audit.text.redaction import printable

# How whatever is refused for its kind can be audited all the same; ends such a sentence.
OTHERS = 'a model of another kind is audited by code that asks it, [model] source = "module:name" (docs/formats.md)'
# What training wrappers put before each name: torch's DataParallel and DistributedDataParallel, and torch.compile.
_WRAPPERS = ("module.", "_orig_mod.")
# Packages that read quantised weights, by the method that a configuration names; any one of them will do.
_QUANTISERS = {
    "aqlm": ("aqlm",),
    "awq": ("gptqmodel", "awq"),
    "bitsandbytes": ("bitsandbytes",),
    "compressed-tensors": ("compressed_tensors",),
    "eetq": ("eetq",),
    "gptq": ("gptqmodel", "auto_gptq"),
    "hqq": ("hqq",),
    "quanto": ("optimum",),
    "torchao": ("torchao",),
}
_TOKENIZER_FILE = re.compile(
    r"tokenizer\.json|tekken\.json|vocab.*|merges\.txt|bpe\.codes|.*\.(model|tiktoken|spm|vocab|bpe)"
)
# These read bytes or characters, and have no file that lists them.
_WITHOUT_FILES = re.compile(r"(ByT5|Canine|Perceiver|MyT5)Tokenizer(Fast)?")
_HEADS = {"classifier", "classification_head", "score", "logits_proj", "sequence_summary"}
# Families whose classification heads have one of these names; what others lack is found when they are loaded.
_HEADED = set(
    "albert bart bert camembert deberta deberta-v2 distilbert electra gpt2 llama mistral modernbert mpnet qwen2 "
    "roberta xlm-roberta xlnet".split()
)
# A number among the parts of a tensor's name, of those families: that of its layer.
_LAYER = re.compile(r".*?\.(?:layers?|h)\.(\d+)\..*")
_LAYERS = ("num_hidden_layers", "n_layers", "n_layer")
_SHARING = {"albert"}  # one layer stands for all
_LAST_LAYER = re.compile(r"(classifier|classification_head|score|logits_proj)(\.out_proj)?\.weight")
_FULL = ("F64", "F32", "F16", "BF16")
# Families that number positions from behind the padding token, as RoBERTa does.
_BEHIND_PADDING = set(
    "camembert data2vec-text esm ibert layoutlmv3 lilt longformer luke markuplm mpnet roberta roberta-prelayernorm "
    "xlm-roberta xlm-roberta-xl xmod".split()
)
# Families that know distances between tokens only, though their configurations may name a number of positions; so do
# those with rotary positions.
_RELATIVE = {"t5", "mt5", "umt5", "longt5", "xlnet", "funnel", "bloom"}
_POSITIONS = ("max_position_embeddings", "n_positions", "max_encoder_position_embeddings")


def check(folder: Path, source: str, config: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
    """Refuse a folder from which no working network or tokenizer comes, whether it is to be audited or trained.

    Parameters
    ----------
    config : mapping
        Of ``config.json``.
    tensors : mapping
        Names and shapes of the weights; empty where they are pickled.

    Raises
    ------
    AuditError
    """
    for wrapper in _WRAPPERS:
        if tensors and all(name.startswith(wrapper) for name in tensors):
            raise AuditError(
                f"model '{source}': the names of all its weights begin with '{wrapper}', as those of a wrapped network "
                f"do; save the network within it (model.{wrapper.rstrip('.')}.save_pretrained)."
            )
    _check_precision(source, config, tensors)
    _check_layers(source, config, tensors)
    if config.get("auto_map") and not _is_known(config.get("model_type")):
        raise AuditError(
            f"model '{source}': it needs code of its own (auto_map in config.json), which an audit never runs; give "
            f"one of an architecture that transformers has; {OTHERS}."
        )
    if config.get("is_encoder_decoder"):
        raise AuditError(
            f"model '{source}': it has an encoder and a decoder ({printable(config.get('model_type'), 40)}), and "
            f"half of the probes could not ask it; give a model that has one of them, as BERT or GPT-2; {OTHERS}."
        )
    if "model_type" in config and not _is_known(config["model_type"]):
        raise AuditError(
            f"model '{source}': config.json says model_type = '{printable(config['model_type'], 60)}', which the "
            f"installed transformers ({version('transformers')}) does not have; use the version that it was saved "
            f"with; {OTHERS}."
        )
    if not has_tokenizer(folder):
        raise AuditError(
            f"model '{source}': {folder} has no tokenizer (tokenizer.json, vocab.txt, …); save it there with "
            f"tokenizer.save_pretrained()."
        )


def check_adapter(folder: Path, source: str) -> None:
    """Refuse an adapter without the model that it belongs to.

    Raises
    ------
    AuditError
    """
    if (folder / ADAPTER).is_file():
        raise AuditError(
            f"model '{source}': {folder} holds only an adapter ({ADAPTER}), and only one in a local folder that is "
            f"audited as it is, is merged with its base; merge it (peft's merge_and_unload(), then save_pretrained())."
        )


def check_classifier(
    source: str, config: Mapping[str, object], tensors: Mapping[str, Tensor], *, sigmoid: bool = False
) -> None:
    """Refuse a model whose head is missing, or does not choose one of several classes.

    Parameters
    ----------
    sigmoid : bool
        Whether the policy says that each output is a yes or a no of its own.

    Raises
    ------
    AuditError
    """
    problem, names = (None if sigmoid else config.get("problem_type")), config.get("id2label")
    if problem == "multi_label_classification":
        raise AuditError(
            f"model '{source}': config.json says problem_type = '{problem}', so a text may have several labels or "
            f"none; an audit is of models that choose one class. Where it does, "
            f'[model] head = "sigmoid" reads it.'
        )
    outputs = outputs_of(tensors) or (len(names) if isinstance(names, dict) and names else config.get("num_labels"))
    if (outputs == 1 and not sigmoid) or problem == "regression":
        raise AuditError(
            f"model '{source}': it has {'one output: a score' if outputs == 1 else 'outputs that are scores'}, not a "
            f"classifier; give a model with an output for each of two or three classes, or, where the one output is "
            f'the log-odds of a class, [model] head = "sigmoid" and the names of both with [model] labels; a score is '
            f'cut into classes by head = "regression" and cutpoints.'
        )
    if tensors and config.get("model_type") in _HEADED and not {name.partition(".")[0] for name in tensors} & _HEADS:
        raise AuditError(
            f"model '{source}' has no trained weights for a classification head; give a fine-tuned classifier, or add "
            f"[model.finetune] to the policy to train one."
        )


def outputs_of(tensors: Mapping[str, Tensor]) -> int | None:
    """How many numbers the head gives for a text; None where no weights of a usual name tell."""
    heads = [tensor for name, tensor in tensors.items() if _LAST_LAYER.fullmatch(name)]
    rows = {head.shape[0] for head in heads if head.dtype in _FULL and len(head.shape) == 2}
    return rows.pop() if len(rows) == 1 else None


def positions(config: Mapping[str, object]) -> int | None:
    """How many tokens a network has positions for, by its configuration; None where there is no such limit."""
    family, padding = config.get("model_type"), config.get("pad_token_id", 1)
    rotary = config.get("position_embedding_type") == "rotary" or any("rope" in key for key in config)
    if family in _RELATIVE or rotary or config.get("position_biased_input") is False:
        return None
    number = next((value for name in _POSITIONS if isinstance(value := config.get(name), int)), 0)
    if family in _BEHIND_PADDING and isinstance(padding, int):
        number -= padding + 1
    return number if number > 0 else None


def tokenizer_files(folder: Path) -> list[Path]:
    """The files that a tokenizer's words may come from."""
    return [path for path in sorted(folder.iterdir()) if _TOKENIZER_FILE.fullmatch(path.name)]


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder has a file that a tokenizer's words come from, or one that says it needs none."""
    from audit.models.files.artifact import read_json

    if tokenizer_files(folder):
        return True
    try:
        settings = read_json(folder / "tokenizer_config.json")
    except (OSError, ValueError):
        return False
    return isinstance(settings, dict) and bool(_WITHOUT_FILES.fullmatch(str(settings.get("tokenizer_class"))))


def _check_precision(source: str, config: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights in few bits that nothing here makes numbers of."""
    settings = config.get("quantization_config")
    if settings:
        method = settings.get("quant_method") if isinstance(settings, dict) else None
        packages = _QUANTISERS.get(str(method), ())
        if packages and not any(map(find_spec, packages)):
            raise AuditError(
                f"model '{source}': its weights are quantised ({method}), and {packages[0]}, which reads them, is not "
                f"installed; give the model in full precision, as it was before or after dequantize()."
            )
        return
    whole = next((name for name, tensor in tensors.items() if name.endswith(".weight") and tensor.dtype[0] in "IU"), "")
    if whole:
        raise AuditError(
            f"model '{source}': its weights are quantised (whole numbers in {printable(whole, 60)}), but config.json "
            f"does not say how (quantization_config); give the model in full precision."
        )


def _check_layers(source: str, config: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
    """Refuse a configuration with another number of layers than the weights have.

    Of too few, transformers would leave weights out and say nothing; too many it would make, however many they are.
    """
    family = config.get("model_type")
    stated = next((config[name] for name in _LAYERS if isinstance(config.get(name), int)), None)
    found = {int(layer[1]) for name in tensors if (layer := _LAYER.fullmatch(name))}
    if found and stated is not None and family in _HEADED - _SHARING and stated != max(found) + 1:
        raise AuditError(
            f"model '{source}': config.json says {stated:,} layers, and the weights have {max(found) + 1:,}; give the "
            f"config.json that was saved with them."
        )


def _is_known(family: object) -> bool:
    """Whether transformers has a network of this name, or somebody told it of one, or the audit has it."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return str(family) in CONFIG_MAPPING or family == "audit-gru"
