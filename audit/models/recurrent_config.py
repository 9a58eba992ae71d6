"""The sizes of the recurrent network, in a module of their own: a tokenizer asks for no more, and the network's imports
take seconds.

Importing this module makes the configuration known to ``transformers``.
"""

from __future__ import annotations

from transformers import AutoConfig, PreTrainedConfig


class RecurrentConfig(PreTrainedConfig):
    """Sizes of the network."""

    model_type = "audit-gru"

    vocab_size: int = 8192
    pad_token_id: int = 0
    hidden_size: int = 128
    dropout: float = 0.3


AutoConfig.register(RecurrentConfig.model_type, RecurrentConfig, exist_ok=True)
