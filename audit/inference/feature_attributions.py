"""How much each word of a text did for the model's answer: integrated gradients. The scorer asks."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from audit.core.errors import NotAssessed
from audit.core.progress import Bar
from audit.core.sentences import Sentence
from audit.inference.batches import Batches, Rows

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# A word is what stands between spaces; in scripts without them, each character.
_WITHOUT_SPACES = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_WITHOUT_SPACES}]|[^\s{_WITHOUT_SPACES}]+")
# Points of the path from the text without words to the text, both among them; each number has all points of the one
# before. It is enough where the sum is off by no more than `TOLERANCE` of what is to be shared out, and no word's
# score has moved since the number before by more than `MOVED` of the largest: a sum may be right by accident.
POINTS = (3, 5, 9, 17, 33, 65, 129)
TOLERANCE, MOVED = 0.05, 0.1


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


@dataclass
class _Path:
    """The way of one text from its blanked words to itself, and what is known of it."""

    text: str = field(repr=False)
    target: int
    ids: list[int] = field(repr=False)
    blank: list[int]
    offsets: Sequence[tuple[int, int]]
    # By place on the finest grid: the log-odds there, and their slope along the way by token, shape (tokens,).
    known: dict[int, tuple[float, NDArray[np.float32]]] = field(default_factory=dict)

    def missing(self, points: int) -> list[int]:
        """Places that so many points need and that were not asked about."""
        return [place for place in _places(points) if place not in self.known]

    def attribution(self, points: int) -> Attribution:
        """What so many points come to."""
        places = _places(points)
        slopes = np.array([self.known[place][1] for place in places])  # (points, tokens)
        spans, scores = _by_word(self.text, self.offsets, np.asarray(_weights(points) @ slopes, dtype=np.float32))
        moved = self.known[places[-1]][0] - self.known[places[0]][0]
        return Attribution(self.text, self.target, spans, scores, moved, len(self.known))


def _places(points: int) -> range:
    return range(0, POINTS[-1], (POINTS[-1] - 1) // (points - 1))


@cache
def _weights(points: int) -> NDArray[np.float64]:
    """Clenshaw and Curtis's weights for the integral from 0 to 1 over an odd number of points, shape (points,).

    Notes
    -----
    Clenshaw and Curtis, "A method for numerical integration on an automatic computer", Numerische Mathematik 2, 1960;
    the weights as in Trefethen, "Is Gauss quadrature better than Clenshaw–Curtis?", SIAM Review 50, 2008, which finds
    them as good as Gauss's for most functions. Theirs are the points whose doubling keeps those that are there.
    """
    n = points - 1
    k = np.arange(1, n // 2 + 1)
    waves = np.cos(2 * np.pi * np.outer(np.arange(points), k) / n)  # (points, n / 2)
    inner = 1 - waves @ (np.where(k == n / 2, 1, 2) / (4 * k**2 - 1))
    return np.asarray(np.where(np.arange(points) % n == 0, 0.5, 1) * inner / n)


def integrated_gradients(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    targets: Sequence[int],
    max_length: int,
    inputs: Callable[[Sequence[list[int]]], dict[str, torch.Tensor]],
    batches: Batches,
    bar: Bar,
) -> list[Attribution]:
    """Integrated gradients of the log-odds of a class, with respect to the words' embeddings.

    Parameters
    ----------
    network : PreTrainedModel
    tokenizer : PreTrainedTokenizerFast
    texts : sequence of str, length n
    targets : sequence of int, length n
    max_length : int
        Tokens; the rest of a longer text is not read.
    inputs : callable
        Makes the network's inputs of token numbers.
    batches : Batches
    bar : Bar
        Advances by the texts.

    Returns
    -------
    list of Attribution, length n

    Raises
    ------
    NotAssessed
        If the tokenizer does not say where in the text a token stands, or the network takes no embeddings.

    Notes
    -----
    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017, section 3, equation 1.
    The path starts at the same text with padding in place of every token but the tokenizer's own, such as ``[CLS]``.
    The integral is a sum at the points of Clenshaw and Curtis, of as few as are enough (``POINTS``). A word's score is
    the sum over its tokens and the embedding's dimensions.
    """
    if not tokenizer.is_fast:
        raise NotAssessed(
            Sentence(
                "the tokenizer does not say where in the text its tokens stand; a fast one of the tokenizers "
                "library does"
            )
        )
    paths = [_path(tokenizer, text, target, max_length) for text, target in zip(texts, targets, strict=True)]
    made: dict[int, Attribution] = {}
    rest = list(range(len(paths)))
    for points in POINTS:
        steps = [(paths[i], place) for i in rest for place in paths[i].missing(points)]
        lengths = np.array([len(path.ids) for path, _ in steps], dtype=np.int64)
        for rows, found in batches.run(lengths, _slopes(network, inputs, steps, int(lengths.max(initial=0)))):
            for row, (odds, *by_token) in zip(rows, found.cpu().numpy(), strict=True):
                path, place = steps[row]
                path.known[place] = float(odds), np.array(by_token[: len(path.ids)], dtype=np.float32)
        before, made = made, made | {i: paths[i].attribution(points) for i in rest}
        done = {i for i in rest if i in before and _enough(before[i], made[i])}
        rest = [i for i in rest if i not in done]
        bar.advance(len(done))
    bar.advance(len(rest))
    return [made[i] for i in range(len(paths))]


def _enough(before: Attribution, after: Attribution) -> bool:
    """Whether more points would change nothing that counts."""
    first, second = np.array(before.scores), np.array(after.scores)
    moved, largest = (np.abs(each).max(initial=0) for each in (second - first, second))
    return bool(after.gap <= TOLERANCE and moved <= MOVED * largest)


def _path(tokenizer: PreTrainedTokenizerFast, text: str, target: int, max_length: int) -> _Path:
    encoded = tokenizer(
        text, truncation=True, max_length=max_length, return_offsets_mapping=True, return_special_tokens_mask=True
    )
    ids, own = encoded["input_ids"], encoded["special_tokens_mask"]
    filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    blank = [number if special else filler for number, special in zip(ids, own, strict=True)]
    return _Path(text, target, ids, blank, encoded["offset_mapping"])


def _slopes(
    network: PreTrainedModel,
    inputs: Callable[[Sequence[list[int]]], dict[str, torch.Tensor]],
    steps: Sequence[tuple[_Path, int]],
    width: int,
) -> Callable[[Rows], torch.Tensor]:
    """What gives the log-odds at some places of paths, and behind them their slope by token; (rows, 1 + width)."""
    import torch

    embed = network.get_input_embeddings()

    def work(rows: Rows) -> torch.Tensor:
        paths, places = zip(*(steps[row] for row in rows), strict=True)
        given = inputs([path.ids for path in paths])
        with torch.no_grad():
            start = embed(inputs([path.blank for path in paths])["input_ids"]).detach()
            way = embed(given.pop("input_ids")).detach() - start  # (rows, tokens, width of the embedding)
        # As many padding tokens before a text as the tokenizer puts there; none, where it pads behind.
        before = given["attention_mask"].argmax(dim=1).tolist() if "attention_mask" in given else [0] * len(paths)
        share = (1 - np.cos(np.pi * np.array(places) / (POINTS[-1] - 1))) / 2
        at = start + torch.from_numpy(share).to(start)[:, None, None] * way
        odds = _log_odds(network, at.requires_grad_(), [path.target for path in paths], given)
        (slope,) = torch.autograd.grad(odds.sum(), at)
        by_token = (slope.float() * way.float()).sum(dim=-1)
        made = torch.zeros(len(paths), 1 + width, device=odds.device)
        made[:, 0] = odds.detach()
        for row, (path, first) in enumerate(zip(paths, before, strict=True)):
            made[row, 1 : 1 + len(path.ids)] = by_token[row, first : first + len(path.ids)]
        return made

    return work


def _log_odds(
    network: PreTrainedModel, embedded: torch.Tensor, targets: Sequence[int], given: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Of one class each against all others, shape (rows,)."""
    import torch

    try:
        logits = network(inputs_embeds=embedded, **given).logits.float()  # (rows, classes)
    except TypeError:
        raise NotAssessed(
            Sentence("{network} takes no embeddings in place of tokens", network=type(network).__name__)
        ) from None
    own = torch.nn.functional.one_hot(torch.tensor(targets, device=logits.device), logits.shape[1]).bool()
    odds: torch.Tensor = logits[own] - logits.masked_fill(own, -torch.inf).logsumexp(dim=1)
    return odds


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
