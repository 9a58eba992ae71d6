"""How much each word of a text did for the model's answer: integrated gradients. The scorer asks."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.sentences import Sentence

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# A word is what stands between spaces; in scripts without them, each character.
_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\s{_WITHOUT_SPACES}]+")
# Points of the path from the text without words to the text. Where the sum is off by more than `TOLERANCE` of what is
# to be shared out, it is computed once more with as many as the last number.
STEPS = (20, 100)
TOLERANCE = 0.05


@dataclass(frozen=True)
class Attribution:
    """What the words of one text did for one class.

    Parameters
    ----------
    text : str
    target : int
        The class.
    spans : tuple of (int, int), length w
        Where the words that the model reads stand in the text.
    scores : tuple of float, length w
        How far each word moves the log-odds of the class; negative where it speaks against it.
    moved : float
        Log-odds of the class for the text, less those for the text with all its words blanked.
    passes : int
        How often the network was run for it now.
    """

    text: str = field(repr=False)
    target: int
    spans: tuple[tuple[int, int], ...]
    scores: tuple[float, ...]
    moved: float
    passes: int = 0

    @property
    def gap(self) -> float:
        """By how much of what is to be shared out the scores miss it; 0: completeness holds exactly."""
        return abs(sum(self.scores) - self.moved) / max(abs(self.moved), 1e-3)


def shuffled(network: PreTrainedModel, seed: int) -> PreTrainedModel:
    """A copy of a network in which each weight matrix holds its own numbers in random order.

    Notes
    -----
    For the model parameter randomisation test of Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018,
    section 3. Shuffling keeps the size of the weights, whatever the architecture, and forgets all that was learnt.
    """
    import torch

    made = copy.deepcopy(network)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() > 1:
                order = torch.randperm(weight.numel(), generator=chance).to(weight.device)
                weight.copy_(weight.flatten()[order].view_as(weight))
    return made


def integrated_gradients(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    targets: Sequence[int],
    max_length: int,
    inputs: Callable[[Sequence[list[int]]], dict[str, torch.Tensor]],
    most_tokens: int,
) -> Iterator[Attribution]:
    """Integrated gradients of the log-odds of a class, with respect to the words' embeddings; one text at a time.

    Parameters
    ----------
    network : PreTrainedModel
    tokenizer : PreTrainedTokenizerFast
    texts : sequence of str, length n
    targets : sequence of int, length n
    inputs : callable
        Makes the network's inputs of token numbers.
    most_tokens : int
        That are worked through at once.

    Raises
    ------
    NotAssessed
        If the tokenizer does not say where in the text a token stands, or the network takes no embeddings.

    Notes
    -----
    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017, section 3, equation 1, by captum.
    The path starts at the same text with padding in place of every token but the tokenizer's own, such as ``[CLS]``.
    The integral is a Gauss-Legendre sum. A word's score is the sum over its tokens and the embedding's dimensions.
    """
    import torch
    from captum.attr import IntegratedGradients

    if not tokenizer.is_fast:
        raise NotAssessed(
            Sentence(
                "the tokenizer does not say where in the text its tokens stand; a fast one of the tokenizers "
                "library does"
            )
        )
    embed = network.get_input_embeddings()
    filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    # A decoder that knows no padding looks for the last token of one text, and refuses several.
    alone = getattr(getattr(network, "config", None), "pad_token_id", 0) is None

    def log_odds(embedded: torch.Tensor, target: int, given: dict[str, torch.Tensor]) -> torch.Tensor:
        more = {name: value.expand(len(embedded), -1) for name, value in given.items()}
        try:
            logits = network(inputs_embeds=embedded, **more).logits.float()  # (steps, classes)
        except TypeError:
            raise NotAssessed(
                Sentence("{network} takes no embeddings in place of tokens", network=type(network).__name__)
            ) from None
        others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
        odds: torch.Tensor = logits[:, target] - others.logsumexp(dim=1)
        return odds

    method = IntegratedGradients(log_odds)
    for text, target in zip(texts, targets, strict=True):
        encoded = tokenizer(
            text, truncation=True, max_length=max_length, return_offsets_mapping=True, return_special_tokens_mask=True
        )
        ids, own = encoded["input_ids"], np.array(encoded["special_tokens_mask"], dtype=bool)
        given = inputs([ids])
        numbers = given.pop("input_ids")
        blank = numbers.masked_fill(torch.from_numpy(~own)[None].to(numbers.device), filler)
        with torch.no_grad():
            whole, start = embed(numbers).detach(), embed(blank).detach()
            moved = float((log_odds(whole, target, given) - log_odds(start, target, given))[0])
        passes = 2
        for steps in STEPS:
            by_dimension = method.attribute(
                whole, start, additional_forward_args=(target, given), n_steps=steps, method="gausslegendre",
                internal_batch_size=1 if alone else max(1, most_tokens // len(ids)),
            )  # fmt: skip
            by_token = by_dimension.sum(dim=-1)[0].float().cpu().numpy()
            passes += steps
            spans, scores = _by_word(text, encoded["offset_mapping"], by_token)
            made = Attribution(text, target, spans, scores, moved, passes)
            if made.gap <= TOLERANCE:
                break
        yield made


def _by_word(
    text: str, offsets: Sequence[tuple[int, int]], by_token: NDArray[np.float32]
) -> tuple[tuple[tuple[int, int], ...], tuple[float, ...]]:
    """Spans and scores of the words that were read; those behind the model's maximum are left out."""
    spans = [match.span() for match in _WORD.finditer(text)]
    ends = np.array([end for _, end in spans])
    scores, read = np.zeros(len(spans)), np.zeros(len(spans), dtype=bool)
    for (start, end), score in zip(offsets, by_token, strict=True):
        if end > start and len(spans):  # tokens of the tokenizer's own stand nowhere
            # Some tokenizers count the space before a word as its own, so the last character decides.
            word = min(int(np.searchsorted(ends, end - 1, side="right")), len(spans) - 1)
            scores[word] += score
            read[word] = True
    kept = np.flatnonzero(read)
    return tuple(spans[i] for i in kept), tuple(float(scores[i]) for i in kept)
