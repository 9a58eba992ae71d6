"""A recurrent network that classifies texts, as was usual before Transformers: trained, saved and run like any other.

Importing this module makes its configuration known to ``transformers``, so that a folder with such a model loads like
one of a built-in kind, without any code of the folder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

WIDTH = 128


class RecurrentConfig(PreTrainedConfig):
    """Sizes of the network."""

    model_type = "audit-gru"

    vocab_size: int = 8192
    pad_token_id: int = 0
    hidden_size: int = WIDTH
    dropout: float = 0.3


class RecurrentClassifier(PreTrainedModel):
    """Word embeddings, a gated recurrent unit in both directions, the largest and the mean of its states, a linear head.

    Notes
    -----
    Source: the unit, Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation", EMNLP 2014; both directions and the maximum over time, Conneau et al., "Supervised learning of
    universal sentence representations from natural language inference data", EMNLP 2017, where this was the best of
    seven architectures.
    """

    config_class = RecurrentConfig
    base_model_prefix = "states"

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.embeddings = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.states = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(4 * width, config.num_labels)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The word embeddings."""
        return self.embeddings

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> SequenceClassifierOutput:
        """Logits of shape (batch, classes), and the cross-entropy where the labels are given.

        Parameters
        ----------
        input_ids : Tensor of int, shape (batch, tokens)
        attention_mask : Tensor of int, shape (batch, tokens)
            1 for a text's tokens, 0 for the padding behind them, which is not even computed.
        labels : Tensor of int, shape (batch,), or None
        """
        lengths = attention_mask.sum(dim=1).cpu()
        embedded = self.dropout(self.embeddings(input_ids))  # (batch, tokens, width)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.states(packed)[0], batch_first=True)  # (batch, longest, 2 * width)
        real = attention_mask[:, : states.shape[1], None].bool()
        largest = states.masked_fill(~real, float("-inf")).amax(dim=1)  # (batch, 2 * width)
        mean = states.sum(dim=1) / real.sum(dim=1)
        logits = self.classifier(self.dropout(torch.cat([largest, mean], dim=1)))
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SequenceClassifierOutput(loss=loss, logits=logits)


AutoConfig.register(RecurrentConfig.model_type, RecurrentConfig, exist_ok=True)
AutoModelForSequenceClassification.register(RecurrentConfig, RecurrentClassifier, exist_ok=True)
