"""What the layers of a Transformer compute on the way to an answer: queries, keys and attention weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Attention:
    """What the layers of a Transformer weigh of one text.

    Parameters
    ----------
    tokens : tuple of str, length t
    weights : ndarray of float32, shape (layers, heads, t, t)
        How much of each token (last axis) goes into each token (last but one).
    queries, keys : ndarray of float32, shape (layers, heads, t, width of a head)
    """

    tokens: tuple[str, ...] = field(repr=False)
    weights: NDArray[np.float32]
    queries: NDArray[np.float32]
    keys: NDArray[np.float32]


def weigh(
    network: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], max_length: int
) -> list[Attention]:
    """What each layer multiplies and weighs, one text at a time.

    Parameters
    ----------
    network : PreTrainedModel
        It is changed to compute its attention weights openly ("eager").

    Raises
    ------
    NotAssessed
        If the layers have no separate queries and keys.
    """
    import torch

    network.set_attn_implementation("eager")
    parts = {
        role: [part for name, part in network.named_modules() if name.rpartition(".")[2] in names]
        for role, names in (("queries", ("query", "q_lin")), ("keys", ("key", "k_lin")))
    }
    layers, heads = network.config.num_hidden_layers, network.config.num_attention_heads
    if any(len(found) != layers for found in parts.values()):
        raise NotAssessed(
            Sentence(
                "the layers of {network} have no queries and keys of their own; audit a model of the family of BERT, "
                "RoBERTa, ELECTRA or DistilBERT",
                network=type(network).__name__,
            )
        )
    seen: dict[str, list[NDArray[np.float32]]] = {role: [] for role in parts}
    hooks = [
        part.register_forward_hook(lambda _, given, made, role=role: seen[role].append(made[0].cpu().numpy()))
        for role, found in parts.items()
        for part in found
    ]
    made = []
    try:
        with torch.inference_mode():
            for text in texts:
                for values in seen.values():
                    values.clear()
                encoded = tokenizer(
                    text, truncation=True, max_length=max_length, return_token_type_ids=False, return_tensors="pt"
                ).to(network.device)
                weights = network(**encoded, output_attentions=True).attentions
                queries, keys = (
                    np.stack([each.reshape(len(each), heads, -1).swapaxes(0, 1) for each in values])
                    for values in seen.values()
                )  # (layers, heads, tokens, width)
                tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"][0].tolist())
                stacked = torch.stack(weights)[:, 0].float().cpu().numpy()  # (layers, heads, tokens, tokens)
                made.append(Attention(tuple(tokens), stacked, queries, keys))
    finally:
        for hook in hooks:
            hook.remove()
    return made
